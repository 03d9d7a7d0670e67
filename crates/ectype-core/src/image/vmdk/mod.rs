//! VMDK: the virtual disks of VMware, in its hosted products, ESX, OVF appliances, VirtualBox and qemu.
//!
//! ```text
//!   descriptor (text)    CID, parent, extents, geometry: a file of its own, or embedded in the one sparse extent
//!        │
//!        ├─ FLAT, VMFS   bytes of another file                 ├─ ZERO      nothing stored
//!        └─ SPARSE       grains behind two levels of tables    └─ NOACCESS  not to be read
//!
//!   monolithicSparse     header │ descriptor │ RGD, RGTs │ GD, GTs │ grain │ grain │ …
//!   streamOptimized      header │ descriptor │ ▪grain │ ▪grain │ ▪GT │ … │ ▪GD │ ▪footer │ ▪end      ▪ a marker
//! ```
//!
//! A grain directory (GD) points to grain tables (GT) of 512 entries, each a grain of 64 KiB: 0 is not allocated, so zeros
//! or the parent's. The redundant directory and tables (RGD, RGTs) say the same once more.
//!
//! Virtual Disk Format 5.0 (VMware technical note; 1.1 before it); the COWD header of ESX and what VMware's own files have
//! besides by libvmdk's "VMware Virtual Disk (VMDK) format specification".

mod check;
mod descriptor;
mod grains;
mod layout;
mod reader;
mod resume;
mod sparse;
mod stream;
mod writer;

use super::{Format, Image, Place, Placement, Spec, Writing};
use crate::error::{Error, Kind, Result};
use crate::extent::Extents;
use crate::io::ReadAt;
use crate::os::file::Allocation;
use layout::{GRAIN, Layout};

/// The row of VMDK images.
pub static VMDK: Format = Format {
    name: "vmdk",
    extensions: &["vmdk"],
    is_bytes: false,
    tells_sector: false,
    probe,
    open: reader::open,
    writing: Some(Writing {
        subformats: &[SPARSE, STREAM],
        compressions: &["zlib"],
        plan,
        differencing: false,
        is_attached: true,
        allocation: Allocation::Sparse,
        streams: false,
        placement: |spec| if spec.subformat == STREAM { Placement::InOrder } else { Placement::Anywhere },
        create,
        resume,
    }),
};

/// monolithicSparse.
const SPARSE: &str = "sparse";
/// streamOptimized.
const STREAM: &str = "stream";

/// The name of the one extent in an embedded descriptor. Readers that find a descriptor embedded take the file itself,
/// whatever the name (VMware's own exports all have this one), except those built on libvmdk.
const EXTENT_NAME: &str = "generated-stream.vmdk";

fn probe(stored: &dyn ReadAt) -> bool {
    let mut head = [0; 4096];
    let len = stored.size().min(4096) as usize;
    if stored.read_at(&mut head[..len], 0).is_err() {
        return false;
    }
    let head = &head[..len];
    head.starts_with(&layout::MAGIC)
        || head.starts_with(&layout::COWD_MAGIC)
        || descriptor::looks_like_one(head)
}

fn plan(mut spec: Spec) -> Result<(Spec, u64)> {
    super::refuse_large_sectors("VMDK", &spec)?;
    if spec.size == 0 {
        return Err(Error::new(Kind::Limit, "a VMDK image holds no empty disk").advise(super::OF_NOTHING));
    }
    if spec.subformat.is_empty() {
        let packed = !matches!(spec.compression.as_str(), "" | "none");
        spec.subformat = if packed { STREAM } else { SPARSE }.into();
    }
    if ![0, GRAIN].contains(&spec.block) {
        return Err(Error::unsupported(format!("grains of {} bytes: VMDK images have {GRAIN}", spec.block)));
    }
    spec.block = GRAIN;
    match spec.subformat.as_str() {
        SPARSE => plan_sparse(spec),
        STREAM => plan_stream(spec),
        other => Err(Error::unsupported(format!("a VMDK image of the kind {other:?}"))),
    }
}

fn plan_sparse(mut spec: Spec) -> Result<(Spec, u64)> {
    if !matches!(spec.compression.as_str(), "" | "none") {
        let what = format!("a sparse VMDK image is not compressed ({})", spec.compression);
        return Err(Error::unsupported(what).advise("compressed it is:  --subformat stream"));
    }
    spec.compression = "none".into();
    if let Some(parent) = &spec.parent {
        if parent.format != VMDK.name {
            let what = format!("the parent of a VMDK image must be one too, and this is {}", parent.format);
            return Err(Error::unsupported(what));
        }
        descriptor::parent_hint(parent)?;
    }
    let most = Layout::of(spec.size)?.most_bytes();
    Ok((spec, most))
}

fn plan_stream(mut spec: Spec) -> Result<(Spec, u64)> {
    if spec.parent.is_some() {
        let what = "a stream-optimized VMDK image has no parent";
        return Err(Error::unsupported(what).advise("a differencing image is:  --subformat sparse"));
    }
    match spec.compression.as_str() {
        "" | "zlib" => spec.compression = "zlib".into(),
        "none" => {
            let what = "a stream-optimized VMDK image is always compressed";
            return Err(Error::unsupported(what).advise("not compressed it is:  --subformat sparse"));
        }
        other => {
            return Err(Error::unsupported(format!("VMDK images are compressed with zlib, not {other}")));
        }
    }
    let level = spec.level.unwrap_or(stream::LEVEL);
    if !(1..=stream::MOST_LEVEL).contains(&level) {
        let what = format!("zlib has levels 1 to {}, and not {level}", stream::MOST_LEVEL);
        return Err(Error::unsupported(what));
    }
    spec.level = Some(level);
    let most = stream::most_bytes(spec.size)?;
    Ok((spec, most))
}

fn create(place: Place, spec: &Spec) -> Result<Box<dyn Image>> {
    match spec.subformat.as_str() {
        STREAM => Ok(Box::new(stream::StreamImage::create(place.storage, spec)?)),
        _ => Ok(Box::new(writer::SparseImage::create(place, spec)?)),
    }
}

fn resume(place: Place, spec: &Spec, held: &Extents) -> Result<Box<dyn Image>> {
    match spec.subformat.as_str() {
        STREAM => Ok(Box::new(resume::stream(place.storage, spec, held)?)),
        _ => Ok(Box::new(resume::sparse(place, spec, held)?)),
    }
}
