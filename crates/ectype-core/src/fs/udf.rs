//! UDF, the file system of DVD, Blu-ray and packet-written discs.
//!
//! ```text
//! byte 32768   Volume Recognition Sequence: BEA01, NSR02 | NSR03, TEA01
//! block 256    Anchor Volume Descriptor Pointer ──► Main VDS, Reserve VDS
//!   N-256, N   further anchors                      Primary Volume, Logical Volume, Partition … Terminating
//! ```
//!
//! ECMA-167 2/9.1 recognition, 3/7.2 tag, 3/10.1 primary volume, 3/10.2 anchor, 3/10.3 pointer, 3/10.5 partition, 3/10.6
//! logical volume descriptor; OSTA UDF 2.60 §2.1.1–2.1.5 (d-strings, domain suffix), §2.2.3 (anchors).
//!
//! VAT, sparable and metadata partitions need not be followed to know where the volume ends.

use super::{Facts, bytes, detail, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{LittleEndian, U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

const RECOGNITION: u64 = 32768;
const BLOCK_SIZES: [u64; 4] = [2048, 512, 4096, 1024];
/// A sequence has at least 16 blocks by ECMA-167 3/8.4.2.2; what lies further is bounded by this.
const MAX_SEQUENCE_BLOCKS: u64 = 64;
/// How far behind the last claimed block the trailing anchor is looked for, in bytes: it lies 0, 150 or 256 blocks on.
const ANCHOR_SEARCH: u64 = 600 << 10;

/// ECMA-167 3/7.1.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ExtentAd {
    length: U32<LittleEndian>,
    location: U32<LittleEndian>,
}

/// 3/7.2.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Tag {
    tag_identifier: U16<LittleEndian>,
    _descriptor_version: U16<LittleEndian>,
    tag_checksum: u8,
    _reserved: u8,
    _tag_serial_number: U16<LittleEndian>,
    descriptor_crc: U16<LittleEndian>,
    descriptor_crc_length: U16<LittleEndian>,
    tag_location: U32<LittleEndian>,
}

/// 3/10.2.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Anchor {
    _tag: [u8; 16],
    main: ExtentAd,
    reserve: ExtentAd,
}

/// 3/10.1, up to the Volume Set Identifier.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct PrimaryVolume {
    _tag: [u8; 16],
    sequence_number: U32<LittleEndian>,
    _number: U32<LittleEndian>,
    volume_identifier: [u8; 32],
    _interchange: [u8; 16],
    volume_set_identifier: [u8; 128],
}

/// 3/10.3.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Pointer {
    _tag: [u8; 16],
    _sequence_number: U32<LittleEndian>,
    next: ExtentAd,
}

/// 3/10.5.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Partition {
    _tag: [u8; 16],
    sequence_number: U32<LittleEndian>,
    _flags: U16<LittleEndian>,
    partition_number: U16<LittleEndian>,
    _contents: [u8; 160],
    _access_type: U32<LittleEndian>,
    starting_location: U32<LittleEndian>,
    length: U32<LittleEndian>,
}

/// 3/10.6, up to the domain identifier.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct LogicalVolume {
    _tag: [u8; 16],
    sequence_number: U32<LittleEndian>,
    _character_set: [u8; 64],
    logical_volume_identifier: [u8; 128],
    logical_block_size: U32<LittleEndian>,
    _domain_flags: u8,
    domain_identifier: [u8; 23],
    udf_revision: U16<LittleEndian>,
}
const _: () = assert!(std::mem::offset_of!(LogicalVolume, udf_revision) == 240);
const _: () = assert!(std::mem::offset_of!(Partition, starting_location) == 188);

/// What the descriptors of a sequence say; of two with the same identity the higher sequence number prevails (3/8.4.3).
#[derive(Default)]
struct Volume {
    primary: Option<(u32, String, String)>,
    logical: Option<(u32, String, Option<u16>)>,
    partitions: Vec<(u16, u32, u64)>,
}

/// Looks for the recognition sequence, then an anchor, then reads the volume descriptor sequence it points to.
pub fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let recognition = recognise(volume);
    if matches!(recognition, Ok(None)) {
        return Ok(None);
    }
    let known = recognition.as_ref().ok().copied().flatten();
    for block in BLOCK_SIZES {
        // The distance of the recognition structures tells stale anchors of another block size apart.
        if known.is_some_and(|(_, step)| step != block.max(2048)) {
            continue;
        }
        let Some((at, anchor)) = find_anchor(volume, block) else { continue };
        let facts = describe(volume, block, at, &anchor, known.map(|(nsr, _)| nsr));
        if facts.is_some() {
            return Ok(facts);
        }
    }
    // Without an anchor an unreadable recognition sequence proves nothing either way.
    recognition.map(|_| None)
}

/// The NSR version, 2 or 3, and the distance of the structures: they are 2048 bytes apart, or one block where blocks are larger.
fn recognise(volume: &dyn ReadAt) -> io::Result<Option<(u8, u64)>> {
    let mut failed = None;
    for step in [2048, 4096] {
        for index in 0..16 {
            let id = match bytes(volume, RECOGNITION + index * step, 7) {
                Ok(Some(id)) => id,
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    continue;
                }
            };
            match &id[1..6] {
                b"NSR02" => return Ok(Some((2, step))),
                b"NSR03" => return Ok(Some((3, step))),
                b"BEA01" | b"BOOT2" | b"CD001" | b"CDW02" => {}
                _ => break,
            }
        }
    }
    failed.map_or(Ok(None), Err)
}

/// The block number of the first good anchor.
fn find_anchor(volume: &dyn ReadAt, block: u64) -> Option<(u64, Anchor)> {
    let blocks = volume.size() / block;
    let places = [Some(256), blocks.checked_sub(257), blocks.checked_sub(1), Some(512)];
    places.into_iter().flatten().find_map(|at| Some((at, anchor_at(volume, block, at)?)))
}

fn anchor_at(volume: &dyn ReadAt, block: u64, at: u64) -> Option<Anchor> {
    let bytes = detail(bytes(volume, at.checked_mul(block)?, 512))?;
    descriptor(&bytes, 2, at)?;
    Anchor::read_from_prefix(&bytes).ok().map(|(anchor, _)| anchor)
}

/// Verifies the tag of the descriptor in `bytes`, which was read from block `at`; gives its identifier.
fn tag(bytes: &[u8], at: u64) -> Option<u16> {
    let (tag, _) = Tag::read_from_prefix(bytes).ok()?;
    let sum =
        bytes[..16].iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)).wrapping_sub(tag.tag_checksum);
    let covered = bytes.get(16..16 + usize::from(tag.descriptor_crc_length.get()))?;
    let good = sum == tag.tag_checksum
        && u64::from(tag.tag_location.get()) == at
        && crc_itu_t(covered) == tag.descriptor_crc.get();
    good.then_some(tag.tag_identifier.get())
}

fn descriptor(bytes: &[u8], identifier: u16, at: u64) -> Option<()> {
    (tag(bytes, at)? == identifier).then_some(())
}

/// CRC-ITU-T of 3/7.2.6: polynomial 0x1021, from zero.
fn crc_itu_t(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 }
        })
    })
}

fn describe(volume: &dyn ReadAt, block: u64, at: u64, anchor: &Anchor, nsr: Option<u8>) -> Option<Facts> {
    let mut found = Volume::default();
    read_sequence(volume, block, anchor.main, &mut found);
    let from_reserve = found.logical.is_none() || found.partitions.is_empty();
    if from_reserve {
        read_sequence(volume, block, anchor.reserve, &mut found);
    }
    if found.logical.is_none() && found.primary.is_none() && found.partitions.is_empty() {
        return None;
    }

    let mut facts = Facts { kind: "udf", ..Facts::default() };
    match found.logical.as_ref().and_then(|(_, _, revision)| *revision) {
        Some(revision) => facts.note.push(format!("UDF {:x}.{:02x}", revision >> 8, revision & 0xff)),
        None => facts.note.extend(nsr.map(|nsr| format!("NSR0{nsr}"))),
    }
    if nsr.is_none() {
        facts.note.push("recognition sequence unreadable".into());
    }
    if from_reserve {
        facts.note.push("reserve descriptor sequence used".into());
    }
    if let Some((_, identifier, set)) = found.primary {
        facts.label = identifier;
        facts.uuid = set;
    }
    if let Some((_, label, _)) = found.logical
        && !label.is_empty()
    {
        facts.label = label;
    }

    let blocks_of =
        |extent: ExtentAd| u64::from(extent.location.get()) + u64::from(extent.length.get()).div_ceil(block);
    let ends = found.partitions.iter().map(|&(_, _, end)| end);
    let mut end = ends.chain([at + 1, blocks_of(anchor.main), blocks_of(anchor.reserve)]).max()?;
    if let Some(trailing) = trailing_anchor(volume, block, end) {
        end = trailing + 1;
    }
    facts.size = end.checked_mul(block);
    Some(facts)
}

/// The last good anchor behind block `end`: the medium may be longer than the volume, so its own end tells nothing.
fn trailing_anchor(volume: &dyn ReadAt, block: u64, end: u64) -> Option<u64> {
    let start = end.checked_mul(block)?;
    let room = volume.size().checked_sub(start)?.min(ANCHOR_SEARCH) / block;
    (end..end + room).rev().find(|&at| anchor_at(volume, block, at).is_some())
}

/// Reads what is readable of the sequence; follows pointers, but no more blocks than the limit.
fn read_sequence(volume: &dyn ReadAt, block: u64, extent: ExtentAd, found: &mut Volume) {
    let mut at = u64::from(extent.location.get());
    let mut left = u64::from(extent.length.get()) / block;
    for _ in 0..MAX_SEQUENCE_BLOCKS {
        if left == 0 {
            return;
        }
        let content = detail(bytes(volume, at * block, block.min(2048) as usize));
        if let Some(content) = &content {
            match tag(content, at) {
                Some(3) => {
                    let Ok((pointer, _)) = Pointer::read_from_prefix(content) else { return };
                    at = u64::from(pointer.next.location.get());
                    left = u64::from(pointer.next.length.get()) / block;
                    continue;
                }
                Some(8) => return,
                Some(identifier) => learn(identifier, content, found),
                // Unrecorded or damaged: what follows may still be good.
                None => {}
            }
        }
        at += 1;
        left -= 1;
    }
}

fn learn(identifier: u16, content: &[u8], found: &mut Volume) {
    match identifier {
        1 => {
            let Ok((primary, _)) = PrimaryVolume::read_from_prefix(content) else { return };
            let number = primary.sequence_number.get();
            if found.primary.as_ref().is_none_or(|&(known, ..)| known < number) {
                let set = uuid_of_set(&primary.volume_set_identifier).unwrap_or_default();
                found.primary = Some((number, dstring(&primary.volume_identifier), set));
            }
        }
        5 => {
            let Ok((partition, _)) = Partition::read_from_prefix(content) else { return };
            let (which, number) = (partition.partition_number.get(), partition.sequence_number.get());
            let end = u64::from(partition.starting_location.get()) + u64::from(partition.length.get());
            match found.partitions.iter_mut().find(|known| known.0 == which) {
                Some(known) if known.1 > number => {}
                Some(known) => *known = (which, number, end),
                None => found.partitions.push((which, number, end)),
            }
        }
        6 => {
            let Ok((logical, _)) = LogicalVolume::read_from_prefix(content) else { return };
            let number = logical.sequence_number.get();
            if found.logical.as_ref().is_none_or(|&(known, ..)| known < number) {
                let osta = logical.domain_identifier.starts_with(b"*OSTA UDF Compliant");
                let revision = osta.then(|| logical.udf_revision.get());
                found.logical = Some((number, dstring(&logical.logical_volume_identifier), revision));
            }
        }
        _ => {}
    }
}

/// UDF 2.1.3: the last byte is the length of the compression id and the characters.
fn dstring(field: &[u8]) -> String {
    let Some((&len, field)) = field.split_last() else { return String::new() };
    decode(&field[..usize::from(len).min(field.len())])
}

/// UDF 2.1.1: compression id 8 is Latin-1, 16 is UTF-16 big-endian; 254 and 255 are theirs for deleted names.
fn decode(compressed: &[u8]) -> String {
    match compressed.split_first() {
        Some((8 | 254, latin1)) => {
            let text: String = latin1.iter().take_while(|&&c| c != 0).map(|&c| char::from(c)).collect();
            text.trim_end_matches(' ').to_owned()
        }
        Some((16 | 255, utf16)) => text::utf16_be(utf16),
        _ => String::new(),
    }
}

/// UDF 2.2.2.5: the first 16 characters of the set's identifier are unique, the first 8 (often 16) being hexadecimal
/// digits. What is not hexadecimal is spelled by its bytes, as libblkid does.
fn uuid_of_set(field: &[u8; 128]) -> Option<String> {
    let len = usize::from(field[127]).min(127);
    let identifier = field.get(..len)?;
    let mut id: Vec<u8> = decode(identifier).into_bytes();
    if id.len() < 8 {
        return None;
    }
    id.resize(16, 0);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digits = id.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let plain = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_ascii_lowercase();
    Some(match digits {
        16 => plain(&id),
        8..16 => plain(&id[..8]) + &hex(&id[8..12]),
        _ => hex(&id[..8]),
    })
}
