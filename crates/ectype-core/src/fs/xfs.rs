//! XFS, and its external log.
//!
//! ```text
//! sector 0 superblock │ AGF │ AGI │ AGFL │ blocks … │ next allocation group: the same
//! ```
//!
//! XFS Algorithms & Data Structures, "Superblocks". Everything is big-endian.

use super::{Facts, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{BigEndian, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Superblock {
    sb_magicnum: [u8; 4],
    sb_blocksize: U32<BigEndian>,
    sb_dblocks: U64<BigEndian>,
    _sb_realtime: [u8; 16],
    sb_uuid: [u8; 16],
    _sb_layout: [u8; 52],
    _sb_versionnum: U16<BigEndian>,
    sb_sectsize: U16<BigEndian>,
    _sb_inodes: [u8; 4],
    sb_fname: [u8; 12],
}
const _: () = assert!(std::mem::offset_of!(Superblock, sb_sectsize) == 102);

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(superblock) = read::<Superblock>(volume, 0)? else { return Ok(None) };
    let block = superblock.sb_blocksize.get();
    let sector = superblock.sb_sectsize.get();
    let valid = &superblock.sb_magicnum == b"XFSB"
        && (512..=65536).contains(&block)
        && block.is_power_of_two()
        && (512..=32768).contains(&sector)
        && sector.is_power_of_two();
    if !valid {
        return Ok(None);
    }
    Ok(Some(Facts {
        kind: "xfs",
        label: text::padded(&superblock.sb_fname),
        uuid: text::uuid(&superblock.sb_uuid),
        size: superblock.sb_dblocks.get().checked_mul(u64::from(block)),
        note: Vec::new(),
    }))
}
