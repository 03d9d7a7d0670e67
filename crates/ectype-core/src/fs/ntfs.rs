//! NTFS, and the two that begin like it: BitLocker's wrapping of a volume, and ReFS.
//!
//! ```text
//! sector 0   boot sector: geometry, serial, place of the MFT
//! MFT + 3    record $Volume: attribute 0x60 is the label
//! last + 1   the boot sector's copy, outside the file system's own count
//! ```
//!
//! No published specification of Microsoft's; Linux-NTFS documentation, "$Boot", "$Volume", "File Record"; libbde,
//! "BitLocker Drive Encryption format" §3 and §5; libfsrefs, "Resilient File System" §2.

use super::{Facts, bytes, detail, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{LittleEndian, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BootSector {
    _jump: [u8; 3],
    oem_id: [u8; 8],
    bytes_per_sector: U16<LittleEndian>,
    sectors_per_cluster: u8,
    _zero: [u8; 26],
    total_sectors: U64<LittleEndian>,
    mft_lcn: U64<LittleEndian>,
    _mft_mirror_lcn: U64<LittleEndian>,
    clusters_per_mft_record: i8,
    _reserved: [u8; 7],
    serial: U64<LittleEndian>,
}
const _: () = assert!(std::mem::offset_of!(BootSector, total_sectors) == 40);

const VOLUME_NAME: u32 = 0x60;
const END_OF_ATTRIBUTES: u32 = 0xffff_ffff;

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(boot) = read::<BootSector>(volume, 0)? else { return Ok(None) };
    let sector = u64::from(boot.bytes_per_sector.get());
    let valid = &boot.oem_id == b"NTFS    " && (256..=4096).contains(&sector) && sector.is_power_of_two();
    let Some(cluster) = cluster_size(&boot).filter(|_| valid) else { return Ok(None) };
    Ok(Some(Facts {
        kind: "ntfs",
        label: label(volume, &boot, cluster).unwrap_or_default(),
        uuid: format!("{:016X}", boot.serial.get()),
        size: boot.total_sectors.get().checked_add(1).and_then(|sectors| sectors.checked_mul(sector)),
        note: Vec::new(),
    }))
}

/// Counts up to 128 are sectors; larger ones are negative powers of two (clusters of 64 KiB to 2 MiB).
fn cluster_size(boot: &BootSector) -> Option<u64> {
    let sectors = match boot.sectors_per_cluster {
        count @ 1..=128 if count.is_power_of_two() => u64::from(count),
        count @ 0xf4..=0xff => 1 << (256 - u32::from(count)),
        _ => return None,
    };
    Some(sectors * u64::from(boot.bytes_per_sector.get()))
}

fn label(volume: &dyn ReadAt, boot: &BootSector, cluster: u64) -> Option<String> {
    let record_size = match boot.clusters_per_mft_record {
        count @ 1.. => cluster.checked_mul(count as u64)?,
        shift @ -16..=-1 => 1 << -shift,
        _ => return None,
    };
    if !(256..=65536).contains(&record_size) {
        return None;
    }
    let at = boot.mft_lcn.get().checked_mul(cluster)?.checked_add(3 * record_size)?;
    let record = fixed_up(detail(bytes(volume, at, record_size as usize))?)?;

    let mut at = usize::from(u16_at(&record, 20)?);
    loop {
        let kind = u32_at(&record, at)?;
        let len = u32_at(&record, at + 4)? as usize;
        if kind == END_OF_ATTRIBUTES || len < 24 || len > record.len() - at {
            return None;
        }
        let resident = record[at + 8] == 0;
        if kind == VOLUME_NAME && resident {
            let value_len = u32_at(&record, at + 16)? as usize;
            let value = at + usize::from(u16_at(&record, at + 20)?);
            return Some(text::utf16_le(record.get(value..value.checked_add(value_len)?)?));
        }
        at += len;
    }
}

/// Undoes the update sequence: the last word of each 512 bytes was replaced by the sequence number.
fn fixed_up(mut record: Vec<u8>) -> Option<Vec<u8>> {
    if !record.starts_with(b"FILE") {
        return None;
    }
    let offset = usize::from(u16_at(&record, 4)?);
    let count = usize::from(u16_at(&record, 6)?);
    let number = u16_at(&record, offset)?;
    for index in 1..count {
        let end = index * 512 - 2;
        if u16_at(&record, end)? != number {
            return None;
        }
        let original = u16_at(&record, offset + 2 * index)?;
        record[end..end + 2].copy_from_slice(&original.to_le_bytes());
    }
    Some(record)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The boot sector of a BitLocker volume of Windows 7 and later, fixed or "To Go" (which poses as FAT).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BitLocker {
    _jump: [u8; 3],
    oem_id: [u8; 8],
    _fat: [u8; 149],
    fixed_guid: [u8; 16],
    fixed_metadata: U64<LittleEndian>,
    _fixed_more: [u8; 232],
    _to_go_gap: [u8; 8],
    to_go_guid: [u8; 16],
    to_go_metadata: U64<LittleEndian>,
}
const _: () = assert!(std::mem::offset_of!(BitLocker, fixed_guid) == 160);
const _: () = assert!(std::mem::offset_of!(BitLocker, to_go_guid) == 424);

/// 4967D63B-2E29-4AD8-8399-F6A339E3D001 and the same with 92A84D3B-DD80-4D0E-9E4E-B1E3284EAED8 for used-space-only.
pub(super) const BITLOCKER_GUIDS: [[u8; 16]; 2] = [
    [0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01],
    [0x3b, 0x4d, 0xa8, 0x92, 0x80, 0xdd, 0x0e, 0x4d, 0x9e, 0x4e, 0xb1, 0xe3, 0x28, 0x4e, 0xae, 0xd8],
];

const METADATA_SEARCH: u64 = 8 << 10;
const DESCRIPTION: u16 = 7;

/// Whether a volume begins as BitLocker leaves it on the disk. "To Go" has no name of its own there: before the volume stands
/// the FAT of a small program, and only the identifier in its boot sector (§3.2) tells.
pub fn is_bitlocker(first_sector: &[u8]) -> bool {
    let Ok((boot, _)) = BitLocker::read_from_prefix(first_sector) else { return false };
    &boot.oem_id == b"-FVE-FS-" || BITLOCKER_GUIDS.contains(&boot.to_go_guid)
}

pub(super) fn bitlocker(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(boot) = read::<BitLocker>(volume, 0)? else { return Ok(None) };
    let metadata = if BITLOCKER_GUIDS.contains(&boot.to_go_guid) {
        Some(boot.to_go_metadata.get())
    } else if &boot.oem_id == b"-FVE-FS-" {
        BITLOCKER_GUIDS.contains(&boot.fixed_guid).then(|| boot.fixed_metadata.get())
    } else {
        return Ok(None);
    };
    let mut facts = Facts { kind: "BitLocker", ..Facts::default() };
    let block = metadata.and_then(|at| {
        let len = volume.size().checked_sub(at)?.min(METADATA_SEARCH);
        detail(bytes(volume, at, len as usize))
    });
    if let Some(block) = block.filter(|block| block.starts_with(b"-FVE-FS-") && block.len() >= 112) {
        facts.uuid = block[80..96].try_into().map(|id| text::guid(&id)).unwrap_or_default();
        facts.label = description(&block[112..]).unwrap_or_default();
    }
    Ok(Some(facts))
}

/// The entry that says which computer and which volume it was, as the recovery screen shows it.
fn description(mut entries: &[u8]) -> Option<String> {
    loop {
        let len = usize::from(u16_at(entries, 0)?);
        if len < 8 {
            return None;
        }
        let entry = entries.get(..len)?;
        if u16_at(entry, 2)? == DESCRIPTION {
            return Some(text::utf16_le(&entry[8..]));
        }
        entries = &entries[len..];
    }
}

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Refs {
    _jump: [u8; 3],
    name: [u8; 8],
    _zero: [u8; 5],
    identifier: [u8; 4],
    _length_checksum: [u8; 4],
    sectors: U64<LittleEndian>,
    bytes_per_sector: U32<LittleEndian>,
    _sectors_per_cluster: U32<LittleEndian>,
    version: [u8; 2],
    _unknown: [u8; 14],
    serial: U64<LittleEndian>,
}
const _: () = assert!(std::mem::offset_of!(Refs, serial) == 56);

pub(super) fn refs(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(boot) = read::<Refs>(volume, 0)? else { return Ok(None) };
    if &boot.name != b"ReFS\0\0\0\0" || &boot.identifier != b"FSRS" {
        return Ok(None);
    }
    Ok(Some(Facts {
        kind: "ReFS",
        uuid: format!("{:016X}", boot.serial.get()),
        size: boot.sectors.get().checked_mul(u64::from(boot.bytes_per_sector.get())),
        note: vec![format!("ReFS {}.{}", boot.version[0], boot.version[1])],
        ..Facts::default()
    }))
}
