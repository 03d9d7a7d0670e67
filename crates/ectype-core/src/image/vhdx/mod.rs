//! VHDX, Hyper-V's virtual disks: fixed, dynamic, differencing.
//!
//! ```text
//!   0          1 MiB   2 MiB      3 MiB
//!   ┌──────────┬───────┬──────────┬─────────┬──────────┬──────────┬ ─ ─
//!   │ headers  │ log   │ metadata │ BAT     │ payload  │ payload  │          as it is written here
//!   └──────────┴───────┴──────────┴─────────┴──────────┴──────────┴ ─ ─
//!   64 and 128 KiB: two headers, the one with the higher sequence number counts
//!   192 and 256 KiB: two copies of the region table, which says where BAT and metadata are
//! ```
//!
//! [MS-VHDX], version 8: §2.2 headers, §2.3 log, §2.4 blocks, §2.5 BAT, §2.6 metadata.
//! <https://learn.microsoft.com/openspecs/windows_protocols/ms-vhdx>

mod check;
mod grow;
mod layout;
mod log;
mod map;
mod metadata;
mod pages;
mod plan;
mod reader;
mod resume;
mod writer;

use super::{Format, Placement, Writing};
use crate::io::ReadAt;
use crate::os::file::Allocation;

/// The row of VHDX images.
pub static VHDX: Format = Format {
    name: "vhdx",
    extensions: &["vhdx"],
    is_bytes: false,
    tells_sector: true,
    probe: is_vhdx,
    open: reader::open,
    writing: Some(WRITING),
};

const WRITING: Writing = Writing {
    subformats: &["dynamic", "fixed"],
    compressions: &[],
    plan: plan::plan,
    differencing: true,
    is_attached: true,
    allocation: Allocation::Dense,
    streams: false,
    placement: |_| Placement::Anywhere,
    create: |place, spec| Ok(Box::new(writer::create(place, spec)?)),
    resume: |place, spec, held| Ok(Box::new(resume::resume(place, spec, held)?)),
};

fn is_vhdx(stored: &dyn ReadAt) -> bool {
    let mut signature = [0; 8];
    stored.size() >= 8 && stored.read_at(&mut signature, 0).is_ok() && signature == layout::FILE_SIGNATURE
}
