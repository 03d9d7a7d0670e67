//! Linux swap space.
//!
//! ```text
//! byte 1024 header │ page size - 10: SWAPSPACE2 (or SWAP-SPACE of version 0) │ pages
//! ```
//!
//! mkswap(8), Linux `include/linux/swap.h`, `union swap_header`.

use super::{Facts, bytes, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{LittleEndian, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    version: U32<LittleEndian>,
    last_page: U32<LittleEndian>,
    _nr_badpages: U32<LittleEndian>,
    uuid: [u8; 16],
    label: [u8; 16],
}

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    for page in [4096, 8192, 16384, 32768, 65536] {
        let Some(magic) = bytes(volume, page - 10, 10)? else { return Ok(None) };
        if magic == b"SWAP-SPACE" {
            let note = vec!["version 0".into()];
            return Ok(Some(Facts { kind: "swap", note, ..Facts::default() }));
        }
        if magic != b"SWAPSPACE2" {
            continue;
        }
        let Some(header) = read::<Header>(volume, 1024)? else { return Ok(None) };
        // Written in the byte order of the machine.
        let last = match header.version.get() {
            1 => header.last_page.get(),
            0x0100_0000 => header.last_page.get().swap_bytes(),
            _ => continue,
        };
        return Ok(Some(Facts {
            kind: "swap",
            label: text::padded(&header.label),
            uuid: text::uuid(&header.uuid),
            size: (u64::from(last) + 1).checked_mul(page),
            note: Vec::new(),
        }));
    }
    Ok(None)
}
