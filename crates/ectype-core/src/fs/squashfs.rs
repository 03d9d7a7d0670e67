//! SquashFS.
//!
//! ```text
//! superblock │ compressed data, inode, directory, fragment, export, id tables; bytes_used is the end
//! ```
//!
//! Linux `Documentation/filesystems/squashfs.rst` §3. Versions before 4 came in both byte orders; only their presence is
//! told.

use super::{Facts, read};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{LittleEndian, U16, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Superblock {
    magic: [u8; 4],
    _counts: [u8; 24],
    major: U16<LittleEndian>,
    minor: U16<LittleEndian>,
    _root_inode: U64<LittleEndian>,
    bytes_used: U64<LittleEndian>,
}

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(superblock) = read::<Superblock>(volume, 0)? else { return Ok(None) };
    let swap = match &superblock.magic {
        b"hsqs" => false,
        b"sqsh" => true,
        _ => return Ok(None),
    };
    let order = |number: U16<LittleEndian>| if swap { number.get().swap_bytes() } else { number.get() };
    let (major, minor) = (order(superblock.major), order(superblock.minor));
    Ok(Some(Facts {
        kind: if major < 4 { "squashfs3" } else { "squashfs" },
        size: (major == 4 && !swap).then(|| superblock.bytes_used.get()),
        note: vec![format!("SquashFS {major}.{minor}")],
        ..Facts::default()
    }))
}
