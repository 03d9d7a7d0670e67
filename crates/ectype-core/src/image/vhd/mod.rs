//! VHD: the virtual hard disks of Virtual PC, Hyper-V and Azure, as fixed, dynamic and differencing images.
//!
//! ```text
//!   fixed     ┌──────────────── content ────────────────┬ footer ┐
//!
//!   dynamic   ┌ copy of the footer ┬ header ┬ table ┬ bitmap ┬ block ┬ bitmap ┬ block ┬ … ┬ footer ┐
//!                                              │ one entry a block: the sector of its bitmap, or 0xFFFFFFFF
//!
//!   differencing   as dynamic, with the names of its parent; a bit that is clear means the parent's sector
//! ```
//!
//! Virtual Hard Disk Image Format Specification 1.0, Microsoft, October 11, 2006. All numbers are big-endian, sectors have 512
//! bytes. The length of the disk is the footer's `current_size`, here and in what is written.

mod blocks;
mod check;
mod fixed;
mod layout;
mod parent;
mod reader;
mod resume;
mod writer;

use super::{Format, Placement, Spec, Writing};
use crate::error::{Error, Kind, Result};
use crate::os::file::Allocation;
use layout::{Disk, FOOTER, LONGEST, Places, SECTOR, UNALLOCATED};

/// The row of VHD.
pub static VHD: Format = Format {
    name: "vhd",
    extensions: &["vhd"],
    is_bytes: false,
    tells_sector: false,
    probe: reader::probe,
    open: reader::open,
    writing: Some(Writing {
        subformats: &["dynamic", "fixed", "dynamic-chs", "fixed-chs"],
        compressions: &[],
        plan,
        differencing: true,
        is_attached: true,
        allocation: Allocation::Dense,
        streams: false,
        placement: |_| Placement::Anywhere,
        create: |place, spec| match is_fixed(spec) {
            true => fixed::create(place, spec),
            false => writer::create(place, spec),
        },
        resume: |place, spec, held| match is_fixed(spec) {
            true => fixed::resume(place, spec, held),
            false => resume::resume(place, spec, held),
        },
    }),
};

/// The blocks that Windows takes, in bytes, its own first.
const BLOCKS: [u64; 2] = [2 << 20, 512 << 10];

fn is_fixed(spec: &Spec) -> bool {
    spec.subformat.starts_with("fixed")
}

/// Whether the disk's length is rounded up to what cylinders, heads and sectors can say.
fn uses_chs(spec: &Spec) -> bool {
    spec.subformat.ends_with("-chs")
}

fn plan(mut spec: Spec) -> Result<(Spec, u64)> {
    spec.compression = "none".into();
    if spec.subformat.is_empty() {
        spec.subformat = "dynamic".into();
    }
    super::refuse_large_sectors("VHD", &spec)?;
    if spec.sector > SECTOR as u32 {
        let what = format!("a VHD has sectors of 512 bytes, and the source has sectors of {}", spec.sector);
        return Err(Error::refused(what).advise("choose VHDX or raw:  --format vhdx"));
    }
    if spec.size > LONGEST {
        let what = format!("a VHD holds 2040 GiB at most, and these are {} bytes", spec.size);
        return Err(Error::new(Kind::Limit, what).advise("choose VHDX:  --format vhdx"));
    }
    let disk = Disk::of(spec.size, uses_chs(&spec));
    if is_fixed(&spec) {
        if spec.parent.is_some() {
            let what = "a fixed VHD holds everything itself, and cannot differ from a parent";
            return Err(Error::refused(what).advise("choose the subformat dynamic:  --subformat dynamic"));
        }
        spec.block = 0;
        return Ok((spec, disk.size + FOOTER));
    }
    if spec.block == 0 {
        spec.block = BLOCKS[0];
    }
    if !BLOCKS.contains(&spec.block) {
        let what = format!("blocks of a VHD have 2 MiB or 512 KiB, and not {} bytes", spec.block);
        return Err(Error::refused(what));
    }
    let mut locators = 0;
    if let Some(named) = &spec.parent {
        if named.format != "vhd" {
            let what = format!("the parent of a VHD is a VHD, and not {}", named.format);
            return Err(Error::refused(what));
        }
        locators = parent::room(named);
    }
    let places = Places::new(disk.size, spec.block, locators);
    let longest = places.slot(places.entries);
    if longest / SECTOR >= u64::from(UNALLOCATED) {
        let what = "with blocks of 512 KiB the disk is too long for the numbers of a VHD";
        return Err(Error::new(Kind::Limit, what).advise("choose blocks of 2 MiB, or VHDX:  --format vhdx"));
    }
    Ok((spec, longest + FOOTER))
}
