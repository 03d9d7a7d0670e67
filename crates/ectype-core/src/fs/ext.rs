//! ext2, ext3, ext4 and their external journal.
//!
//! ```text
//! byte 0 boot block │ 1024 superblock │ group descriptors │ block groups …
//! ```
//!
//! Linux `Documentation/filesystems/ext4/super.rst`. Which of the three it is follows from the features: what the ext2
//! driver, then the ext3 driver could mount, is theirs.

use super::{Facts, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{LittleEndian, U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Superblock {
    _s_inodes_count: U32<LittleEndian>,
    s_blocks_count_lo: U32<LittleEndian>,
    _counts: [u8; 16],
    s_log_block_size: U32<LittleEndian>,
    _groups_times: [u8; 28],
    s_magic: U16<LittleEndian>,
    _state: [u8; 34],
    s_feature_compat: U32<LittleEndian>,
    s_feature_incompat: U32<LittleEndian>,
    s_feature_ro_compat: U32<LittleEndian>,
    s_uuid: [u8; 16],
    s_volume_name: [u8; 16],
    _mounted_journal: [u8; 200],
    s_blocks_count_hi: U32<LittleEndian>,
}
const _: () = assert!(std::mem::offset_of!(Superblock, s_magic) == 56);
const _: () = assert!(std::mem::offset_of!(Superblock, s_blocks_count_hi) == 336);

const HAS_JOURNAL: u32 = 0x4;
const JOURNAL_DEV: u32 = 0x8;
const FEATURE_64BIT: u32 = 0x80;
/// sparse_super, large_file, btree_dir
const EXT2_RO_COMPAT: u32 = 0x7;
/// filetype, meta_bg
const EXT2_INCOMPAT: u32 = 0x12;
/// and recover
const EXT3_INCOMPAT: u32 = 0x16;

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(superblock) = read::<Superblock>(volume, 1024)? else { return Ok(None) };
    let log_block_size = superblock.s_log_block_size.get();
    if superblock.s_magic.get() != 0xef53 || log_block_size > 6 {
        return Ok(None);
    }
    let incompat = superblock.s_feature_incompat.get();
    let ro_compat = superblock.s_feature_ro_compat.get();
    let journal = superblock.s_feature_compat.get() & HAS_JOURNAL != 0;
    let kind = if incompat & JOURNAL_DEV != 0 {
        "jbd"
    } else if ro_compat & !EXT2_RO_COMPAT != 0 || incompat & !EXT3_INCOMPAT != 0 {
        "ext4"
    } else if journal {
        "ext3"
    } else if incompat & !EXT2_INCOMPAT == 0 {
        "ext2"
    } else {
        "ext4"
    };
    let high = if incompat & FEATURE_64BIT != 0 { superblock.s_blocks_count_hi.get() } else { 0 };
    let blocks = u64::from(high) << 32 | u64::from(superblock.s_blocks_count_lo.get());
    Ok(Some(Facts {
        kind,
        label: text::padded(&superblock.s_volume_name),
        uuid: text::uuid(&superblock.s_uuid),
        size: blocks.checked_mul(1024 << log_block_size),
        note: Vec::new(),
    }))
}
