//! APFS containers.
//!
//! ```text
//! block 0 container superblock │ checkpoint areas │ spaceman, object maps, volumes
//! ```
//!
//! Apple File System Reference, "Container", `nx_superblock_t`. Labels belong to the volumes inside.

use super::{Facts, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{LittleEndian, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Superblock {
    _checksum_oid_xid: [u8; 24],
    o_type: U32<LittleEndian>,
    _o_subtype: U32<LittleEndian>,
    nx_magic: [u8; 4],
    nx_block_size: U32<LittleEndian>,
    nx_block_count: U64<LittleEndian>,
    _nx_features: [u8; 24],
    nx_uuid: [u8; 16],
}
const _: () = assert!(std::mem::offset_of!(Superblock, nx_uuid) == 72);

const OBJECT_TYPE_NX_SUPERBLOCK: u32 = 1;

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(superblock) = read::<Superblock>(volume, 0)? else { return Ok(None) };
    let block = superblock.nx_block_size.get();
    let valid = &superblock.nx_magic == b"NXSB"
        && superblock.o_type.get() & 0xffff == OBJECT_TYPE_NX_SUPERBLOCK
        && (4096..=65536).contains(&block);
    Ok(valid.then(|| Facts {
        kind: "apfs",
        uuid: text::uuid(&superblock.nx_uuid),
        size: superblock.nx_block_count.get().checked_mul(u64::from(block)),
        ..Facts::default()
    }))
}
