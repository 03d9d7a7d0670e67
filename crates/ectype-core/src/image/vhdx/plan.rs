//! What a VHDX that is to be written will be like.

use super::layout::*;
use super::map::Geometry;
use super::metadata::{Metadata, Regions};
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::image::{OF_NOTHING, Parent, Spec};

/// Where log, metadata and BAT lie in what is written here; the payload is behind the BAT.
pub(super) const LOG: Extent = Extent::new(MIB, MIB);
const METADATA: Extent = Extent::new(2 * MIB, MIB);
const BAT: u64 = 3 * MIB;

/// By default no BAT has more entries, as long as blocks do not become larger than qemu's: 4 MiB.
const MOST_BLOCKS: u64 = 512 << 10;
const SMALLEST_DEFAULT: u64 = 2 * MIB;
const LARGEST_DEFAULT: u64 = 64 * MIB;

/// Completes `spec`, and tells the length of the longest file that comes of it.
pub(super) fn plan(spec: Spec) -> Result<(Spec, u64)> {
    let limit = |what: String| Err(Error::new(Kind::Limit, what));
    if spec.size == 0 {
        let what = "a VHDX holds at least one sector, and the source is empty";
        return Err(Error::new(Kind::Limit, what).advise(OF_NOTHING));
    }
    if spec.size > MOST_DISK {
        return limit(format!("a VHDX holds up to 64 TiB, and there are {} bytes", spec.size));
    }
    let (sector, physical_sector) = sectors(&spec)?;
    let subformat = match spec.subformat.as_str() {
        "" | "dynamic" => "dynamic",
        "fixed" if spec.parent.is_none() => "fixed",
        "fixed" => return Err(Error::refused("a VHDX with a parent is never fixed")),
        other => return Err(Error::unsupported(format!("VHDX is dynamic or fixed, not {other:?}"))),
    };
    if !["", "none"].contains(&&*spec.compression) {
        return Err(Error::unsupported("VHDX has no compression"));
    }
    let block = match spec.block {
        0 => default_block(spec.size),
        block if block.is_power_of_two() && (LEAST_BLOCK..=MOST_BLOCK).contains(&block) => block,
        other => {
            let what = format!("a VHDX has blocks of 1 to 256 MiB, a power of two, not of {other} bytes");
            return Err(Error::unsupported(what));
        }
    };
    let plan = Spec {
        sector,
        physical_sector,
        subformat: subformat.into(),
        compression: "none".into(),
        block,
        ..spec
    };
    if let Some(parent) = &plan.parent {
        locator(parent)?;
    }
    let layout = Layout::new(&plan);
    let geometry = layout.geometry;
    let bitmaps =
        if geometry.has_parent { geometry.blocks().div_ceil(geometry.ratio()) * BITMAP_BLOCK } else { 0 };
    let longest = layout.payload() + geometry.blocks() * block + bitmaps;
    Ok((plan, longest))
}

/// The logical and the physical sector. A VHDX has 512 or 4096 bytes in both; what has no sectors gets what Windows
/// gives: 512 and 4096.
fn sectors(spec: &Spec) -> Result<(u32, u32)> {
    let logical = match spec.sector {
        0 | 1 => return Ok((512, 4096)),
        n if n.is_multiple_of(4096) => 4096,
        n if n.is_multiple_of(512) => 512,
        n => {
            let what = format!("a VHDX has sectors of 512 or 4096 bytes, and the source's have {n}");
            return Err(Error::unsupported(what));
        }
    };
    let physical = if logical == 4096 || spec.physical_sector > 512 { 4096 } else { 512 };
    Ok((logical, physical))
}

/// Small blocks make small files; the BAT must stay small, too.
fn default_block(size: u64) -> u64 {
    let mut block = SMALLEST_DEFAULT;
    while block < LARGEST_DEFAULT && size.div_ceil(block) > MOST_BLOCKS {
        block *= 2;
    }
    block
}

/// The keys and values that name `parent` (§2.6.2.6.3).
pub(super) fn locator(parent: &Parent) -> Result<Vec<(String, String)>> {
    if !["", "vhdx"].contains(&&*parent.format) {
        let what = format!("the parent of a VHDX is a VHDX, not {}", parent.format);
        return Err(Error::unsupported(what));
    }
    let mut pairs = vec![("parent_linkage".to_owned(), format!("{{{}}}", Guid(parent.id)))];
    if !parent.relative.is_empty() {
        pairs.push(("relative_path".into(), parent.relative.replace('/', "\\")));
    }
    // Only Windows has Win32 paths: a drive, or a share.
    let drive = parent.absolute.as_bytes().get(1..3).is_some_and(|start| start == b":\\");
    if drive || parent.absolute.starts_with("\\\\") {
        pairs.push(("absolute_win32_path".into(), parent.absolute.clone()));
    }
    if pairs.len() < 2 {
        return Err(Error::refused(
            "a VHDX names its parent by a path relative to its folder, and there is none",
        ));
    }
    let most = 16_000;
    if let Some((key, _)) = pairs.iter().find(|(_, value)| value.encode_utf16().count() > most) {
        return Err(Error::new(Kind::Limit, format!("{key} of the parent is longer than {most} characters")));
    }
    Ok(pairs)
}

/// What follows from a completed spec: the same on every resume.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) geometry: Geometry,
    pub(super) regions: Regions,
}

impl Layout {
    pub(super) fn new(spec: &Spec) -> Layout {
        let sector = u64::from(spec.sector);
        let geometry = Geometry {
            size: spec.size.next_multiple_of(sector),
            sector,
            block: spec.block,
            has_parent: spec.parent.is_some(),
            bat: BAT,
        };
        let len = (geometry.entries() * size_of::<BatEntry>() as u64).next_multiple_of(MIB);
        Layout { geometry, regions: Regions { bat: Extent::new(BAT, len), metadata: METADATA } }
    }

    /// Where the first block lies.
    pub(super) fn payload(&self) -> u64 {
        self.regions.bat.end()
    }
}

/// The metadata of an image like `spec`, of `size` bytes in whole sectors.
pub(super) fn metadata(spec: &Spec, size: u64, incomplete: bool) -> Result<Metadata> {
    Ok(Metadata {
        block: spec.block,
        leave_blocks_allocated: spec.subformat == "fixed",
        has_parent: spec.parent.is_some(),
        size,
        id: Guid(spec.id),
        sector: spec.sector,
        physical_sector: spec.physical_sector,
        parent: spec.parent.as_ref().map(locator).transpose()?,
        incomplete,
    })
}

/// A GUID that follows from the image's identity, from what it is for, and from a header's sequence number.
pub(super) fn guid(id: [u8; 16], what: &str, sequence: u64) -> Guid {
    let mut hash = blake3::Hasher::new();
    hash.update(b"ectype vhdx ").update(what.as_bytes()).update(&id).update(&sequence.to_le_bytes());
    let mut guid = [0; 16];
    guid.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    // RFC 9562 §5.4: version 4, in the byte that little-endian storage makes the eighth.
    guid[7] = guid[7] & 0x0f | 0x40;
    guid[8] = guid[8] & 0x3f | 0x80;
    Guid(guid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(size: u64) -> Spec {
        Spec { size, sector: 512, physical_sector: 512, ..Spec::default() }
    }

    #[test]
    fn blocks_grow_with_the_disk_and_never_beyond_those_of_qemu() {
        const GIB: u64 = 1 << 30;
        for (size, block) in
            [(1, 2), (1 << 40, 2), ((1 << 40) + 1, 4), (8 << 40, 16), (16 << 40, 32), (64 << 40, 64)]
        {
            let (plan, longest) = plan(of(size)).unwrap();
            assert_eq!(plan.block, block * MIB, "{size}");
            assert!(longest < size + 12 * MIB + plan.block);
            let qemu = match size {
                s if s > 32 << 40 => 64,
                s if s > 100 * GIB => 32,
                s if s > GIB => 16,
                _ => 8,
            };
            assert!(block <= qemu);
        }
    }

    #[test]
    fn sectors_are_those_of_the_source() {
        for (sector, physical, expected) in [
            (1, 1, (512, 4096)),
            (512, 512, (512, 512)),
            (512, 4096, (512, 4096)),
            (2048, 2048, (512, 4096)),
            (4096, 4096, (4096, 4096)),
        ] {
            let (plan, _) = plan(Spec { sector, physical_sector: physical, ..of(100_000) }).unwrap();
            assert_eq!((plan.sector, plan.physical_sector), expected);
        }
    }

    #[test]
    fn what_it_cannot_hold_is_refused() {
        let parent = Some(Parent { relative: "base.vhdx".into(), ..Parent::default() });
        let refused = [
            (of((64 << 40) + 512), Kind::Limit),
            (of(0), Kind::Limit),
            (Spec { sector: 520, ..of(5200) }, Kind::Unsupported),
            (Spec { block: 3 * MIB, ..of(512) }, Kind::Unsupported),
            (Spec { block: MIB / 2, ..of(512) }, Kind::Unsupported),
            (Spec { block: 512 * MIB, ..of(512) }, Kind::Unsupported),
            (Spec { subformat: "thin".into(), ..of(512) }, Kind::Unsupported),
            (Spec { compression: "zstd".into(), ..of(512) }, Kind::Unsupported),
            (Spec { subformat: "fixed".into(), parent: parent.clone(), ..of(512) }, Kind::Refused),
            (
                Spec { parent: Some(Parent { format: "raw".into(), ..parent.clone().unwrap() }), ..of(512) },
                Kind::Unsupported,
            ),
            (Spec { parent: Some(Parent::default()), ..of(512) }, Kind::Refused),
        ];
        for (spec, kind) in refused {
            assert_eq!(plan(spec.clone()).unwrap_err().kind(), kind, "{spec:?}");
        }
        assert!(plan(Spec { parent, ..of(64 << 40) }).is_ok());
        let all = plan(of(64 << 40)).unwrap().0;
        assert_eq!(plan(all.clone()).unwrap().0, all, "a plan of a plan");
    }
}
