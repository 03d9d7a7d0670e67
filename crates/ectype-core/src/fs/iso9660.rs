//! ISO 9660, the file system of CD-ROM, with Joliet, Rock Ridge and El Torito.
//!
//! ```text
//! session start + 16   Primary Volume Descriptor      type 1
//!               + 17 … Boot Record (El Torito)        type 0
//!                      Supplementary (Joliet)         type 2
//!               + n    Volume Descriptor Set Terminator  255
//! ```
//!
//! ECMA-119 §8.2 boot record, §8.4 primary, §8.5 supplementary descriptor, §9.1 directory record; Joliet
//! Specification 1995 §"SVD"; IEEE P1281 (SUSP) §5.3 `SP`; El Torito 1.0 §2.

use super::{Facts, bytes, detail, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{BigEndian, LittleEndian, U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Descriptors are recorded in logical sectors of 2048 bytes, whatever the logical block.
const SECTOR: u64 = 2048;
const SYSTEM_AREA: u64 = 16;
/// A set is a handful; real discs stay below ten.
const MAX_DESCRIPTORS: u64 = 64;

/// ECMA-119 7.2.3 and 7.3.3: recorded in both byte orders.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Both16 {
    le: U16<LittleEndian>,
    be: U16<BigEndian>,
}

#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Both32 {
    le: U32<LittleEndian>,
    be: U32<BigEndian>,
}

/// §8.4; §8.5 has the same fields, with flags and escape sequences where the primary's are unused.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct VolumeDescriptor {
    kind: u8,
    standard_identifier: [u8; 5],
    version: u8,
    _flags: u8,
    boot_system_identifier: [u8; 32],
    volume_identifier: [u8; 32],
    _unused: [u8; 8],
    volume_space_size: Both32,
    escape_sequences: [u8; 32],
    _set_and_sequence: [u8; 8],
    logical_block_size: Both16,
    _path_tables: [u8; 24],
    root_directory_record: [u8; 34],
    _identifiers: [u8; 623],
    creation: [u8; 17],
    modification: [u8; 17],
    _rest: [u8; 1201],
}
const _: () = assert!(size_of::<VolumeDescriptor>() == 2048);

/// The file system of the first session.
pub fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    probe_at(volume, 0)
}

/// The file system of the session that begins at byte `session`. Sizes and extents count from the start of the volume.
pub fn probe_at(volume: &dyn ReadAt, session: u64) -> io::Result<Option<Facts>> {
    let Some(start) = session.checked_add(SYSTEM_AREA * SECTOR) else { return Ok(None) };
    let mut primary = None;
    let mut joliet = None;
    let mut el_torito = false;
    for index in 0..MAX_DESCRIPTORS {
        let Some(at) = start.checked_add(index * SECTOR) else { break };
        let descriptor: VolumeDescriptor = match read(volume, at) {
            Ok(Some(descriptor)) => descriptor,
            // One bad sector among the descriptors does not hide the rest; a bad first one hides all.
            Err(_) if primary.is_some() => continue,
            Err(error) => return Err(error),
            Ok(None) => break,
        };
        if &descriptor.standard_identifier != b"CD001" {
            break;
        }
        match descriptor.kind {
            0 => el_torito |= descriptor.boot_system_identifier.starts_with(b"EL TORITO SPECIFICATION"),
            1 if primary.is_none() && descriptor.version == 1 => primary = Some(descriptor),
            2 if joliet.is_none() && is_joliet(&descriptor) => joliet = Some(descriptor),
            255 => break,
            _ => {}
        }
    }
    let Some(primary) = primary else { return Ok(None) };

    let mut facts = Facts { kind: "iso9660", ..Facts::default() };
    let block = primary.logical_block_size;
    let space = primary.volume_space_size;
    if block.le.get() != block.be.get() || space.le.get() != space.be.get() {
        facts.note.push("both-endian fields differ".into());
    }
    let block_size = [u64::from(block.le.get()), u64::from(block.be.get())]
        .into_iter()
        .find(|size| [512, 1024, 2048].contains(size))
        .unwrap_or(SECTOR);
    // A mastering tool that knows one byte order only leaves the other at zero.
    let blocks = if space.le.get() != 0 { space.le.get() } else { space.be.get() };
    let claimed = u64::from(blocks) * block_size;
    // Tools disagree whether a later session's size counts from its own start or from the disc's: the larger is
    // harmless where it fits.
    facts.size = Some(match session.checked_add(claimed) {
        Some(end) if end <= volume.size() => end,
        _ => claimed,
    });

    facts.label = text::padded(&primary.volume_identifier);
    facts.uuid = date(&primary.modification).or_else(|| date(&primary.creation)).unwrap_or_default();
    if let Some(joliet) = joliet {
        facts.note.push("Joliet".into());
        facts.label = joined_label(&facts.label, &text::utf16_be(&joliet.volume_identifier));
    }
    if is_rock_ridge(volume, &primary, block_size) {
        facts.note.push("Rock Ridge".into());
    }
    if el_torito {
        facts.note.push("El Torito".into());
    }
    Ok(Some(facts))
}

/// Joliet: UCS-2 level 1, 2 or 3.
fn is_joliet(descriptor: &VolumeDescriptor) -> bool {
    matches!(descriptor.escape_sequences[..3], [b'%', b'/', b'@' | b'C' | b'E'])
}

/// Joliet has room for 16 characters, the primary descriptor for 32: where the one is the beginning of the other, both
/// together are the name.
fn joined_label(primary: &str, joliet: &str) -> String {
    let begins = primary.chars().zip(joliet.chars()).all(|(p, j)| p == '_' || p.eq_ignore_ascii_case(&j));
    match (joliet.is_empty(), begins && joliet.chars().count() == 16) {
        (true, _) => primary.to_owned(),
        (false, true) => joliet.chars().chain(primary.chars().skip(16)).collect(),
        (false, false) => joliet.to_owned(),
    }
}

/// §8.4.26.1: 16 digits and the offset from GMT; all zero means not specified.
fn date(field: &[u8; 17]) -> Option<String> {
    let digits = std::str::from_utf8(&field[..16]).ok()?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) || digits.bytes().all(|digit| digit == b'0') {
        return None;
    }
    let d = digits;
    Some([&d[..4], &d[4..6], &d[6..8], &d[8..10], &d[10..12], &d[12..14], &d[14..]].join("-"))
}

/// SUSP 5.3: the System Use area of the root's own record begins with `SP`; on XA discs 14 bytes precede it.
fn is_rock_ridge(volume: &dyn ReadAt, primary: &VolumeDescriptor, block_size: u64) -> bool {
    let record = &primary.root_directory_record;
    let extent = u32::from_le_bytes([record[2], record[3], record[4], record[5]]);
    let Some(own) = detail(bytes(volume, u64::from(extent) * block_size, 256)) else { return false };
    let record = &own[..usize::from(own[0])];
    [34, 34 + 14].iter().any(|&at| matches!(record.get(at..at + 6), Some([b'S', b'P', 7, 1, 0xbe, 0xef])))
}
