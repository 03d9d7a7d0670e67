//! The GUID Partition Table.
//!
//! ```text
//! LBA 0 protective MBR │ 1 header │ 2 … entries │ partitions │ entries │ last LBA: backup header
//! ```
//!
//! UEFI Specification 2.10 §5.3.2 header, §5.3.3 entries, §5.2.3 protective MBR.

use super::{Partition, Table, mbr, read};
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::io::{ReadAt, is_zero};
use std::io;
use zerocopy::byteorder::{LittleEndian, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// §5.3.2.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    signature: [u8; 8],
    revision: [u8; 4],
    header_size: U32<LittleEndian>,
    header_crc32: U32<LittleEndian>,
    reserved: [u8; 4],
    my_lba: U64<LittleEndian>,
    alternate_lba: U64<LittleEndian>,
    first_usable_lba: U64<LittleEndian>,
    last_usable_lba: U64<LittleEndian>,
    disk_guid: [u8; 16],
    partition_entry_lba: U64<LittleEndian>,
    number_of_entries: U32<LittleEndian>,
    size_of_entry: U32<LittleEndian>,
    entries_crc32: U32<LittleEndian>,
}
const _: () = assert!(size_of::<Header>() == 92);

/// §5.3.3.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Entry {
    partition_type_guid: [u8; 16],
    unique_partition_guid: [u8; 16],
    starting_lba: U64<LittleEndian>,
    ending_lba: U64<LittleEndian>,
    attributes: U64<LittleEndian>,
    partition_name: [u8; 72],
}
const _: () = assert!(size_of::<Entry>() == 128);

/// The usual 128 entries take 16 KiB.
const MAX_ENTRIES_BYTES: u64 = 1 << 20;
const LEGACY_BIOS_BOOTABLE: u64 = 1 << 2;

/// A header and its entries, as they were found.
struct Found {
    header: Header,
    entries: Vec<u8>,
    entries_good: bool,
}

pub(super) fn scan(disk: &dyn ReadAt, sector_size: u32) -> io::Result<Option<Table>> {
    let unit = u64::from(sector_size);
    let Some(last) = (disk.size() / unit).checked_sub(1).filter(|&last| last >= 2) else { return Ok(None) };
    let primary = find(disk, unit, 1);
    // The backup is at the end; of a disk that grew it stayed where the primary says, of one cut it is gone.
    let named = primary.as_ref().ok().and_then(|found| Some(found.as_ref()?.header.alternate_lba.get()));
    let mut notes = Vec::new();
    let mut backup = find(disk, unit, last).ok().flatten();
    if let Some(named) = named.filter(|&named| named != last) {
        notes.push(format!("the backup header is said to be at sector {named}, the disk ends with {last}"));
        backup = backup.or_else(|| find(disk, unit, named).ok().flatten());
    }

    let (primary, failure) = match primary {
        Ok(primary) => (primary, None),
        Err(error) => (None, Some(error)),
    };
    let found = match (primary, backup) {
        (Some(primary), Some(backup)) => {
            let same =
                primary.entries == backup.entries && primary.header.disk_guid == backup.header.disk_guid;
            if primary.entries_good || !backup.entries_good {
                if !same {
                    notes.push("the backup table differs from the primary".into());
                }
                primary
            } else {
                notes.push("the primary entries are damaged: backup used".into());
                backup
            }
        }
        (Some(primary), None) => {
            notes.push("the backup header is missing or damaged".into());
            primary
        }
        (None, Some(backup)) => {
            // A volume that was formatted over a whole disk leaves the backup of the old table at the end.
            if failure.is_none() && !is_protected(disk) {
                return Ok(None);
            }
            notes.push("the primary header is missing or damaged: backup used".into());
            backup
        }
        (None, None) => return failure.map_or(Ok(None), Err),
    };
    if !found.entries_good {
        notes.push("the checksum of the entries is wrong".into());
    }
    hybrid(disk, &mut notes);
    Ok(Some(Table {
        scheme: "gpt",
        id: guid(&found.header.disk_guid),
        sector_size,
        partitions: partitions(&found, unit),
        notes,
    }))
}

/// The header at `lba`, if its own checksum holds, and its entries.
fn find(disk: &dyn ReadAt, unit: u64, lba: u64) -> io::Result<Option<Found>> {
    let Some(at) = lba.checked_mul(unit) else { return Ok(None) };
    let Some(sector) = read(disk, at, unit as usize)? else { return Ok(None) };
    let Ok((header, _)) = Header::read_from_prefix(&sector) else { return Ok(None) };
    let size = header.header_size.get() as usize;
    if &header.signature != b"EFI PART" || !(92..=sector.len()).contains(&size) || header.my_lba.get() != lba
    {
        return Ok(None);
    }
    let mut covered = sector[..size].to_vec();
    covered[16..20].fill(0);
    if crc32(&covered) != header.header_crc32.get() {
        return Ok(None);
    }
    let entry = u64::from(header.size_of_entry.get());
    let len = entry * u64::from(header.number_of_entries.get());
    if entry < 128 || entry % 8 != 0 || len > MAX_ENTRIES_BYTES {
        return Ok(None);
    }
    let at = header.partition_entry_lba.get().checked_mul(unit);
    let entries = at.and_then(|at| read(disk, at, len as usize).ok().flatten()).unwrap_or_default();
    let entries_good = entries.len() as u64 == len && crc32(&entries) == header.entries_crc32.get();
    Ok(Some(Found { header, entries, entries_good }))
}

/// Part of a disk: where it lies, and its bytes.
pub(crate) type Part = (u64, Vec<u8>);

/// The least that the entries have, whatever their number (§5.3.1), in bytes.
const LEAST_ENTRIES: u64 = 16 << 10;

/// What has to be written, in this order, so that the GPT of `disk` has its backup at the end of a larger disk of `size`
/// bytes with the same content: the backup first, then what leads to it, then the old backup is no header any more.
pub(crate) fn moved(disk: &dyn ReadAt, sector_size: u32, size: u64) -> Result<Vec<Part>> {
    let unit = u64::from(sector_size);
    let damaged = || {
        Error::new(Kind::Corrupt, "the GPT of the image is damaged, and is not moved")
            .advise("leave out --fix-gpt, and repair it on the target:  sgdisk, gdisk")
    };
    let failed = |error| Error::io("reading the partition table of the image", error);
    let found =
        find(disk, unit, 1).map_err(failed)?.filter(|found| found.entries_good).ok_or_else(damaged)?;
    let last = (size / unit).checked_sub(1).ok_or_else(damaged)?;
    let end_of_partitions = partitions(&found, unit).iter().map(|one| one.extent.end().div_ceil(unit)).max();
    let sectors = |bytes: u64| bytes.div_ceil(unit);
    let len = found.entries.len() as u64;
    // Where there is room for the usual table there will be one.
    let room = [len.max(LEAST_ENTRIES), len].map(sectors).into_iter().find_map(|count| {
        let table = last.checked_sub(count)?;
        (table > end_of_partitions.unwrap_or(0).max(found.header.last_usable_lba.get())).then_some(table)
    });
    let table = room.ok_or_else(|| {
        Error::refused("the target is not large enough to move the backup of the GPT behind all partitions")
            .advise("leave out --fix-gpt")
    })?;
    let primary = read(disk, unit, unit as usize).map_err(failed)?.ok_or_else(damaged)?;
    let header = |my_lba: u64, alternate: u64, entries: u64| {
        let mut sector = primary.clone();
        sector[24..32].copy_from_slice(&my_lba.to_le_bytes());
        sector[32..40].copy_from_slice(&alternate.to_le_bytes());
        sector[48..56].copy_from_slice(&(table - 1).to_le_bytes());
        sector[72..80].copy_from_slice(&entries.to_le_bytes());
        sector[16..20].fill(0);
        let crc = crc32(&sector[..found.header.header_size.get() as usize]);
        sector[16..20].copy_from_slice(&crc.to_le_bytes());
        sector
    };
    let mut entries = found.entries.clone();
    entries.resize((sectors(len) * unit) as usize, 0);
    let mut parts = vec![
        (table * unit, entries),
        (last * unit, header(last, 1, table)),
        (unit, header(1, last, found.header.partition_entry_lba.get())),
    ];
    parts.extend(protective(disk, unit, last).map_err(failed)?);
    let old = found.header.alternate_lba.get();
    // In no partition, whatever the header says, and not where the new table lies.
    let is_free = old > 1
        && old >= end_of_partitions.unwrap_or(0)
        && old != last
        && !(table..table + sectors(len)).contains(&old);
    if is_free && find(disk, unit, old).map_err(failed)?.is_some() {
        parts.push((old * unit, vec![0; unit as usize]));
    }
    Ok(parts)
}

/// The protective MBR over the whole of a disk that ends with sector `last`, where it covered the whole of `disk`.
fn protective(disk: &dyn ReadAt, unit: u64, last: u64) -> io::Result<Option<Part>> {
    let Some(mut sector) = read(disk, 0, 512)? else { return Ok(None) };
    let covers = u32::try_from(disk.size() / unit - 1).unwrap_or(u32::MAX);
    let entry = (446..510).step_by(16).find(|&at| {
        let number =
            |at: usize| u32::from_le_bytes([sector[at], sector[at + 1], sector[at + 2], sector[at + 3]]);
        sector[at + 4] == 0xee && number(at + 8) == 1 && number(at + 12) == covers
    });
    Ok(entry.filter(|_| is_protected(disk)).map(|at| {
        let len = u32::try_from(last).unwrap_or(u32::MAX);
        sector[at + 12..at + 16].copy_from_slice(&len.to_le_bytes());
        (0, sector)
    }))
}

/// A GPT of one partition: the disk's first bytes, behind which are zeros up to the partition, and all bytes behind that.
struct Around {
    start: Vec<u8>,
    end: Vec<u8>,
}

/// The usual size of an entry.
const ENTRY: u32 = 128;

/// Whether so many bytes can lie behind the one partition of a disk: the second copy of the entries, and the header in a sector.
pub(crate) fn is_behind(bytes: u64) -> bool {
    matches!(bytes.checked_sub(LEAST_ENTRIES), Some(512 | 4096))
}

/// A table of one partition, `part`, on a disk that ends with its backup, directly behind it. `None` where sectors of `unit`
/// bytes do not lead there.
pub(super) fn around(
    part: Extent,
    unit: u32,
    filesystem: &str,
    disk_guid: [u8; 16],
    unique_guid: [u8; 16],
) -> Option<(Vec<u8>, Vec<u8>)> {
    let kind = match filesystem {
        "ntfs" | "exfat" | "vfat" | "ReFS" | "BitLocker" => "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
        "swap" => "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
        "LVM2_member" => "E6D6D379-F507-44C2-A23C-238F2A3DF928",
        "linux_raid_member" => "A19D880F-05FC-4D3B-A006-743F0F84911E",
        "hfs" | "hfsplus" => "48465300-0000-11AA-AA11-00306543ECAC",
        "apfs" => "7C3457EF-0000-11AA-AA11-00306543ECAC",
        _ => "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
    };
    let made = of_one(part, unit, from_text(kind), disk_guid, unique_guid)?;
    Some((made.start, made.end))
}

/// What lies behind `part` where `start`, all bytes before it, is what [`around`] makes for some file system and with some
/// GUIDs, and nothing else.
pub(super) fn behind(start: &[u8], part: Extent, unit: u32) -> Option<Vec<u8>> {
    let at = |offset: usize| start.get(offset..)?.first_chunk::<16>().copied();
    let entry = 2 * unit as usize;
    let (kind, disk, unique) = (at(entry)?, at(unit as usize + 56)?, at(entry + 16)?);
    let made = of_one(part, unit, kind, disk, unique)?;
    let rest = start.strip_prefix(&made.start[..])?;
    (kind != [0; 16] && is_zero(rest)).then_some(made.end)
}

fn of_one(part: Extent, unit: u32, kind: [u8; 16], disk: [u8; 16], unique: [u8; 16]) -> Option<Around> {
    let unit = u64::from(unit);
    let is_sector = matches!(unit, 512 | 4096);
    let end = part.offset.checked_add(part.len)?;
    if !is_sector || part.len == 0 || !part.offset.is_multiple_of(unit) || !end.is_multiple_of(unit) {
        return None;
    }
    let (first, last) = (2 + LEAST_ENTRIES / unit, (end + LEAST_ENTRIES) / unit);
    if part.offset / unit < first {
        return None;
    }
    let mut entries = vec![0; LEAST_ENTRIES as usize];
    let entry = Entry {
        partition_type_guid: kind,
        unique_partition_guid: unique,
        starting_lba: (part.offset / unit).into(),
        ending_lba: (end / unit - 1).into(),
        attributes: 0.into(),
        partition_name: [0; 72],
    };
    entries[..size_of::<Entry>()].copy_from_slice(entry.as_bytes());
    let header = |my_lba: u64, alternate_lba: u64, partition_entry_lba: u64| {
        let mut header = Header {
            signature: *b"EFI PART",
            revision: [0, 0, 1, 0],
            header_size: (size_of::<Header>() as u32).into(),
            header_crc32: 0.into(),
            reserved: [0; 4],
            my_lba: my_lba.into(),
            alternate_lba: alternate_lba.into(),
            first_usable_lba: first.into(),
            last_usable_lba: (end / unit - 1).into(),
            disk_guid: disk,
            partition_entry_lba: partition_entry_lba.into(),
            number_of_entries: (LEAST_ENTRIES as u32 / ENTRY).into(),
            size_of_entry: ENTRY.into(),
            entries_crc32: crc32(&entries).into(),
        };
        header.header_crc32 = crc32(header.as_bytes()).into();
        let mut sector = header.as_bytes().to_vec();
        sector.resize(unit as usize, 0);
        sector
    };
    let mut start = protecting(last);
    start.resize(unit as usize, 0);
    start.extend(header(1, last, 2));
    start.extend(&entries);
    let backup = header(last, 1, end / unit);
    entries.extend(backup);
    Some(Around { start, end: entries })
}

/// §5.2.3: the MBR over a disk that ends with sector `last`.
fn protecting(last: u64) -> Vec<u8> {
    let mut sector = vec![0; 512];
    // CHS of the second sector, and as of what lies behind what it can say.
    sector[446..454].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
    sector[454..458].copy_from_slice(&1_u32.to_le_bytes());
    sector[458..462].copy_from_slice(&u32::try_from(last).unwrap_or(u32::MAX).to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn partitions(found: &Found, unit: u64) -> Vec<Partition> {
    // `find` has refused entries below 128 bytes.
    let entries = found.entries.chunks_exact(found.header.size_of_entry.get() as usize);
    (1..)
        .zip(entries)
        .filter_map(|(number, bytes)| {
            let (entry, _) = Entry::read_from_prefix(bytes).ok()?;
            let start = entry.starting_lba.get();
            let sectors = entry.ending_lba.get().checked_sub(start)?.checked_add(1)?;
            if entry.partition_type_guid == [0; 16] {
                return None;
            }
            let type_id = guid(&entry.partition_type_guid);
            Some(Partition {
                number,
                extent: Extent::new(start.checked_mul(unit)?, sectors.saturating_mul(unit)),
                type_name: type_name(&type_id),
                type_id,
                name: name(&entry.partition_name),
                uuid: guid(&entry.unique_partition_guid),
                bootable: entry.attributes.get() & LEGACY_BIOS_BOOTABLE != 0,
                container: false,
            })
        })
        .collect()
}

fn is_protected(disk: &dyn ReadAt) -> bool {
    mbr::record(disk)
        .ok()
        .flatten()
        .is_some_and(|record| record.entries.iter().any(|entry| entry.os_type == 0xee))
}

fn hybrid(disk: &dyn ReadAt, notes: &mut Vec<String>) {
    let Ok(Some(record)) = mbr::record(disk) else {
        notes.push("no protective MBR".into());
        return;
    };
    let used = record.entries.iter().filter(|entry| entry.os_type != 0);
    if used.clone().all(|entry| entry.os_type != 0xee) {
        notes.push("the MBR does not protect the GPT".into());
    } else if used.count() > 1 {
        notes.push("hybrid MBR: some partitions are in both tables".into());
    }
}

/// CRC-32 of ISO 3309, as §5.3.2 asks: reflected polynomial 0xEDB88320. Tables are small, so bit by bit will do.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Appendix A: the first three groups are little-endian. Written in capitals, as partitioning tools do.
fn guid(b: &[u8; 16]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let first = [b[3], b[2], b[1], b[0]];
    [hex(&first), hex(&[b[5], b[4]]), hex(&[b[7], b[6]]), hex(&b[8..10]), hex(&b[10..])].join("-")
}

/// The reverse of [`guid`], of one that is written out here.
fn from_text(text: &str) -> [u8; 16] {
    let mut bytes = u128::from_str_radix(&text.replace('-', ""), 16).expect("hexadecimal").to_be_bytes();
    for group in [0..4, 4..6, 6..8] {
        bytes[group].reverse();
    }
    bytes
}

fn name(field: &[u8; 72]) -> String {
    let units = field.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units.take_while(|&unit| unit != 0)).map(|c| c.unwrap_or('\u{fffd}')).collect()
}

fn type_name(guid: &str) -> &'static str {
    match guid {
        "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" => "EFI system",
        "21686148-6449-6E6F-744E-656564454649" => "BIOS boot",
        "E3C9E316-0B5C-4DB8-817D-F92DF00215AE" => "Microsoft reserved",
        "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" => "Microsoft basic data",
        "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC" => "Windows recovery",
        "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3" => "Windows dynamic disk metadata",
        "AF9B60A0-1431-4F62-BC68-3311714A69AD" => "Windows dynamic disk data",
        "0FC63DAF-8483-4772-8E79-3D69D8477DE4" => "Linux file system",
        "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F" => "Linux swap",
        "E6D6D379-F507-44C2-A23C-238F2A3DF928" => "Linux LVM",
        "A19D880F-05FC-4D3B-A006-743F0F84911E" => "Linux RAID",
        "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709" => "Linux root (x86-64)",
        "BC13C2FF-59E6-4262-A352-B275FD6F7172" => "Linux extended boot",
        "933AC7E1-2EB4-4F13-B844-0E14E2AEF915" => "Linux home",
        "48465300-0000-11AA-AA11-00306543ECAC" => "Apple HFS",
        "7C3457EF-0000-11AA-AA11-00306543ECAC" => "Apple APFS",
        _ => "",
    }
}
