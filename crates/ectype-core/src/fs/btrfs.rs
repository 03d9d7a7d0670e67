//! Btrfs.
//!
//! ```text
//! 64 KiB superblock │ 64 MiB, 256 GiB: its copies │ chunks anywhere else
//! ```
//!
//! Btrfs documentation, "On-disk format", superblock and DEV_ITEM. The size is that of this device, not of the file system,
//! which may span several.

use super::{Facts, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{LittleEndian, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

const SUPERBLOCK: u64 = 64 << 10;

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Superblock {
    _csum: [u8; 32],
    fsid: [u8; 16],
    bytenr: U64<LittleEndian>,
    _flags: U64<LittleEndian>,
    magic: [u8; 8],
    _roots: [u8; 64],
    num_devices: U64<LittleEndian>,
    _sizes_features: [u8; 57],
    _dev_item_devid: U64<LittleEndian>,
    dev_item_total_bytes: U64<LittleEndian>,
    _dev_item_rest: [u8; 82],
    label: [u8; 256],
}
const _: () = assert!(std::mem::offset_of!(Superblock, num_devices) == 136);
const _: () = assert!(std::mem::offset_of!(Superblock, label) == 299);

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(superblock) = read::<Superblock>(volume, SUPERBLOCK)? else { return Ok(None) };
    if &superblock.magic != b"_BHRfS_M" || superblock.bytenr.get() != SUPERBLOCK {
        return Ok(None);
    }
    let devices = superblock.num_devices.get();
    Ok(Some(Facts {
        kind: "btrfs",
        label: text::padded(&superblock.label),
        uuid: text::uuid(&superblock.fsid),
        size: Some(superblock.dev_item_total_bytes.get()),
        note: if devices > 1 { vec![format!("one of {devices} devices")] } else { Vec::new() },
    }))
}
