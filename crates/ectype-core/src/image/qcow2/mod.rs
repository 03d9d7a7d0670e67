//! qcow2 images, versions 2 and 3: QEMU's own format.
//!
//! ```text
//!   header ─┬─► L1 table ──► L2 tables ──► clusters, plain or compressed      what lies where on the disk
//!           │    entry: 8 bytes: offset, "exactly one"     entry: offset, zero, compressed
//!           ├─► refcount table ──► refcount blocks                            how often each cluster is referred to
//!           ├─► snapshot table ──► an L1 table each
//!           └─ extensions: backing format, data file, feature names, bitmaps; name of the backing file
//! ```
//!
//! Specification: docs/interop/qcow2.txt of QEMU, which is quoted here by its sections' names.
//!
//! | | |
//! |---|---|
//! | `layout` | structures, constants, what an entry says |
//! | `header`, `snapshots` | header, extensions and snapshot table |
//! | `clusters`, `reader` | reading, also of what is being written |
//! | `references`, `refcounts`, `check` | who refers to what, and the structure check |
//! | `plan`, `pack`, `tables`, `writer`, `finish`, `resume` | writing |

mod check;
mod clusters;
mod finish;
mod header;
mod layout;
mod pack;
mod plan;
mod reader;
mod refcounts;
mod references;
mod resume;
mod snapshots;
mod tables;
mod writer;

use super::{Format, Placement, Writing};
use crate::io::ReadAt;
use crate::os::file::Allocation;

/// The row of qcow2 images.
pub static QCOW2: Format = Format {
    name: "qcow2",
    extensions: &["qcow2", "qcow"],
    is_bytes: false,
    tells_sector: false,
    probe,
    open: reader::open,
    writing: Some(Writing {
        subformats: &["v3", "v2"],
        compressions: &["zlib", "zstd"],
        plan: plan::plan,
        differencing: true,
        is_attached: false,
        allocation: Allocation::Sparse,
        streams: false,
        placement: |spec| match spec.compression.as_str() {
            "zlib" | "zstd" => Placement::InOrder,
            _ => Placement::Anywhere,
        },
        create: writer::create,
        resume: resume::resume,
    }),
};

/// Version 1 is claimed too, so that it is refused by name.
fn probe(stored: &dyn ReadAt) -> bool {
    let mut magic = [0; 4];
    stored.size() >= 4 && stored.read_at(&mut magic, 0).is_ok() && magic == layout::MAGIC
}
