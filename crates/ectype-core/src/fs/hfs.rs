//! HFS and HFS Plus, also wrapped in one another.
//!
//! ```text
//! byte 1024 volume header (H+, HX) or Master Directory Block (BD) │ … │ size - 1024: its copy
//! catalog file: header node ─► first leaf ─► first record: key (parent 1, name of the volume)
//! ```
//!
//! Apple Technical Note TN1150, "Volume Header", "B-Trees", "HFS Wrapper"; Inside Macintosh: Files, chapter 2, for HFS.

use super::{Facts, bytes, detail, read, text};
use crate::io::ReadAt;
use md5::{Digest, Md5};
use std::io;
use zerocopy::byteorder::{BigEndian, U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct VolumeHeader {
    signature: [u8; 2],
    version: U16<BigEndian>,
    _dates_counts: [u8; 36],
    block_size: U32<BigEndian>,
    total_blocks: U32<BigEndian>,
    _allocation: [u8; 32],
    _finder_info: [u8; 24],
    volume_id: [u8; 8],
    _allocation_and_extents_file: [u8; 160],
    _catalog_sizes: [u8; 16],
    catalog_start_block: U32<BigEndian>,
}
const _: () = assert!(std::mem::offset_of!(VolumeHeader, volume_id) == 104);
const _: () = assert!(std::mem::offset_of!(VolumeHeader, catalog_start_block) == 288);

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct MasterDirectoryBlock {
    signature: [u8; 2],
    _dates_counts: [u8; 16],
    allocation_blocks: U16<BigEndian>,
    allocation_block_size: U32<BigEndian>,
    _clump: [u8; 4],
    first_allocation_block: U16<BigEndian>,
    _next: [u8; 6],
    volume_name: [u8; 28],
    _backup_and_files: [u8; 28],
    _finder_info: [u8; 24],
    volume_id: [u8; 8],
    embedded_signature: [u8; 2],
    embedded_start: U16<BigEndian>,
}
const _: () = assert!(std::mem::offset_of!(MasterDirectoryBlock, volume_id) == 116);

/// The B-tree header record behind the node descriptor of 14 bytes.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct TreeHeader {
    _descriptor_depth_root: [u8; 24],
    first_leaf: U32<BigEndian>,
    _last_leaf: U32<BigEndian>,
    node_size: U16<BigEndian>,
}

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    if let Some(facts) = plus(volume, 0)? {
        return Ok(Some(facts));
    }
    let Some(block) = read::<MasterDirectoryBlock>(volume, 1024)? else { return Ok(None) };
    let size = u64::from(block.allocation_block_size.get());
    if &block.signature != b"BD" || size == 0 || size % 512 != 0 {
        return Ok(None);
    }
    let start = u64::from(block.first_allocation_block.get()) * 512;
    // The alternate block and one reserved sector end the volume.
    let whole = start + u64::from(block.allocation_blocks.get()) * size + 1024;
    if matches!(&block.embedded_signature, b"H+" | b"HX") {
        let embedded = start + u64::from(block.embedded_start.get()) * size;
        if let Some(mut facts) = plus(volume, embedded)? {
            facts.size = Some(whole);
            facts.note.push("HFS wrapper".into());
            return Ok(Some(facts));
        }
    }
    let name = &block.volume_name;
    Ok(Some(Facts {
        kind: "hfs",
        label: text::padded(&name[1..=usize::from(name[0]).min(27)]),
        uuid: uuid(&block.volume_id),
        size: Some(whole),
        note: Vec::new(),
    }))
}

/// HFS Plus from byte `start`.
fn plus(volume: &dyn ReadAt, start: u64) -> io::Result<Option<Facts>> {
    let Some(header) = read::<VolumeHeader>(volume, start + 1024)? else { return Ok(None) };
    let block = header.block_size.get();
    let signed = match &header.signature {
        b"H+" => header.version.get() == 4,
        b"HX" => header.version.get() == 5,
        _ => false,
    };
    if !signed || block < 512 || !block.is_power_of_two() {
        return Ok(None);
    }
    Ok(Some(Facts {
        kind: "hfsplus",
        label: label(volume, start, &header).unwrap_or_default(),
        uuid: uuid(&header.volume_id),
        size: (u64::from(header.total_blocks.get()) * u64::from(block)).checked_add(start),
        note: if &header.signature == b"HX" { vec!["HFSX".into()] } else { Vec::new() },
    }))
}

/// The first leaf record's key is the root folder's: its name is the volume's.
fn label(volume: &dyn ReadAt, start: u64, header: &VolumeHeader) -> Option<String> {
    let catalog = u64::from(header.catalog_start_block.get()) * u64::from(header.block_size.get());
    let catalog = catalog.checked_add(start)?;
    let tree: TreeHeader = detail(read(volume, catalog))?;
    let leaf = u64::from(tree.first_leaf.get()) * u64::from(tree.node_size.get());
    let node = detail(bytes(volume, catalog.checked_add(leaf)?, 512))?;
    let is_leaf = node[8] == 0xff;
    let parent = u32::from_be_bytes([node[16], node[17], node[18], node[19]]);
    let characters = usize::from(u16::from_be_bytes([node[20], node[21]]));
    if !is_leaf || parent != 1 {
        return None;
    }
    Some(text::utf16_be(node.get(22..22 + 2 * characters)?))
}

/// The system shows the 64-bit identifier as a name-based UUID (RFC 4122 §4.3, MD5) in this name space.
fn uuid(volume_id: &[u8; 8]) -> String {
    const NAME_SPACE: [u8; 16] =
        [0xb3, 0xe2, 0x0f, 0x39, 0xf2, 0x92, 0x11, 0xd6, 0x97, 0xa4, 0x00, 0x30, 0x65, 0x43, 0xec, 0xac];
    if volume_id == &[0; 8] {
        return String::new();
    }
    let mut id: [u8; 16] = Md5::new().chain_update(NAME_SPACE).chain_update(volume_id).finalize().into();
    id[6] = id[6] & 0x0f | 0x30;
    id[8] = id[8] & 0x3f | 0x80;
    text::uuid(&id)
}
