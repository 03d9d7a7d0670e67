//! F2FS.
//!
//! ```text
//! block 0, byte 1024 superblock │ block 1: its copy │ checkpoint │ SIT │ NAT │ SSA │ main area
//! ```
//!
//! Linux `Documentation/filesystems/f2fs.rst`, "On-disk Layout".

use super::{Facts, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{LittleEndian, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Superblock {
    magic: U32<LittleEndian>,
    major_ver: U16<LittleEndian>,
    minor_ver: U16<LittleEndian>,
    _log_sectors: [u8; 8],
    log_blocksize: U32<LittleEndian>,
    _segments: [u8; 16],
    block_count: U64<LittleEndian>,
    _areas: [u8; 64],
    uuid: [u8; 16],
    volume_name: [u8; 1024],
}
const _: () = assert!(std::mem::offset_of!(Superblock, uuid) == 108);

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    for at in [1024, 4096 + 1024] {
        let Some(superblock) = read::<Superblock>(volume, at)? else { return Ok(None) };
        let log_blocksize = superblock.log_blocksize.get();
        if superblock.magic.get() != 0xf2f5_2010 || !(12..=16).contains(&log_blocksize) {
            continue;
        }
        return Ok(Some(Facts {
            kind: "f2fs",
            label: text::utf16_le(&superblock.volume_name),
            uuid: text::uuid(&superblock.uuid),
            size: superblock.block_count.get().checked_mul(1 << log_blocksize),
            note: vec![format!("F2FS {}.{}", superblock.major_ver, superblock.minor_ver)],
        }));
    }
    Ok(None)
}
