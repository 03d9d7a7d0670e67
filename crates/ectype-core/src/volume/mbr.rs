//! The Master Boot Record and its chain of extended boot records.
//!
//! ```text
//! sector 0: code │ 440 disk signature │ 446 four entries of 16 bytes │ 510 55 AA
//! extended partition: EBR: entry 0 a logical partition (from this EBR), entry 1 the next EBR (from the first EBR)
//! ```
//!
//! UEFI Specification 2.10 §5.2 (legacy MBR); the EBR chain as Linux `block/partitions/msdos.c` describes it.

use super::{Partition, Table, read};
use crate::extent::Extent;
use crate::io::ReadAt;
use std::collections::BTreeSet;
use std::io;
use zerocopy::byteorder::{LittleEndian, U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// UEFI 5.2.1.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Entry {
    boot_indicator: u8,
    _starting_chs: [u8; 3],
    pub(super) os_type: u8,
    _ending_chs: [u8; 3],
    pub(super) starting_lba: U32<LittleEndian>,
    pub(super) size_in_lba: U32<LittleEndian>,
}

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Record {
    boot_code: [u8; 440],
    disk_signature: U32<LittleEndian>,
    _unknown: [u8; 2],
    pub(super) entries: [Entry; 4],
    signature: U16<LittleEndian>,
}
const _: () = assert!(size_of::<Record>() == 512);

/// A table of one partition, `part`, on a disk of sectors of `unit` bytes; `None` where its 32 bits do not reach, or `part` is
/// not in whole sectors.
pub(crate) fn around(part: Extent, unit: u32, filesystem: &str, signature: [u8; 4]) -> Option<[u8; 512]> {
    let unit = u64::from(unit);
    let sectors = |bytes: u64| {
        let count = u32::try_from(bytes / unit).ok();
        count.filter(|&count| count > 0 && bytes.is_multiple_of(unit))
    };
    let (start, len) = (sectors(part.offset)?, sectors(part.len)?);
    start.checked_add(len)?;
    let os_type = match filesystem {
        "ntfs" | "exfat" | "ReFS" | "BitLocker" => 0x07,
        "vfat" => 0x0c,
        "swap" => 0x82,
        "LVM2_member" => 0x8e,
        _ => 0x83,
    };
    let mut table = [0; 512];
    table[440..444].copy_from_slice(&signature);
    // CHS as of what lies behind what it can say.
    table[446..454].copy_from_slice(&[0, 0xfe, 0xff, 0xff, os_type, 0xfe, 0xff, 0xff]);
    table[454..458].copy_from_slice(&start.to_le_bytes());
    table[458..462].copy_from_slice(&len.to_le_bytes());
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    Some(table)
}

/// Whether `start`, the bytes before `part`, is what [`around`] makes for some file system, and nothing else.
pub(crate) fn is_around(start: &[u8], part: Extent, unit: u32) -> bool {
    let Some((table, rest)) = start.split_at_checked(512) else { return false };
    let Some(mut expected) = around(part, unit, "", [table[440], table[441], table[442], table[443]]) else {
        return false;
    };
    // Of which type the partition is depends on what is in it.
    expected[450] = table[450];
    table == expected && table[450] != 0 && rest.iter().all(|&byte| byte == 0)
}

/// As many logical partitions as the kernel takes.
const MAX_LOGICAL: usize = 256;

impl Entry {
    fn is_used(&self) -> bool {
        self.os_type != 0 && self.size_in_lba.get() != 0
    }

    fn is_extended(&self) -> bool {
        matches!(self.os_type, 0x05 | 0x0f | 0x85 | 0xc5)
    }

    fn partition(&self, number: u32, disk: u32, base: u64, unit: u64) -> Partition {
        // Both numbers have 32 bits and the base at most 33, so bytes fit.
        let start = base + u64::from(self.starting_lba.get());
        Partition {
            number,
            extent: Extent::new(start * unit, u64::from(self.size_in_lba.get()) * unit),
            type_id: format!("0x{:02x}", self.os_type),
            type_name: type_name(self.os_type),
            name: String::new(),
            uuid: format!("{disk:08x}-{number:02x}"),
            bootable: self.boot_indicator == 0x80,
            container: self.is_extended(),
        }
    }
}

/// The record in sector 0, if it can be a partition table.
pub(super) fn record(disk: &dyn ReadAt) -> io::Result<Option<Record>> {
    let Some(sector) = read(disk, 0, 512)? else { return Ok(None) };
    Ok(Record::read_from_bytes(&sector).ok().filter(|record| record.signature.get() == 0xaa55))
}

pub(super) fn scan(disk: &dyn ReadAt, sector_size: u32) -> io::Result<Option<Table>> {
    let Some(record) = record(disk)? else { return Ok(None) };
    if !is_table(&record) {
        return Ok(None);
    }
    let unit = u64::from(sector_size);
    let id = record.disk_signature.get();
    let mut table = Table { scheme: "mbr", id: format!("{id:08x}"), sector_size, ..Table::default() };
    let mut extended = None;
    for (number, entry) in (1..).zip(&record.entries).filter(|(_, entry)| entry.is_used()) {
        if entry.is_extended() {
            if extended.is_some() {
                table.notes.push("more than one extended partition".into());
            }
            extended = extended.or(Some(u64::from(entry.starting_lba.get())));
        }
        if entry.os_type == 0xee {
            table.notes.push("protective entry, but no readable GPT".into());
        }
        table.partitions.push(entry.partition(number, id, 0, unit));
    }
    // isohybrid: the table lies in the system area of an ISO 9660 image, which is addressed in 2048 bytes itself.
    if read(disk, 16 * 2048, 6).ok().flatten().is_some_and(|start| &start[1..] == b"CD001") {
        table.notes.push("hybrid: the disk is also an ISO 9660 volume".into());
    }
    if let Some(first) = extended {
        logical(disk, id, first, unit, &mut table);
    }
    Ok(Some(table))
}

/// A boot sector of FAT, NTFS or exFAT ends in the same signature, with code or text where the entries would be.
fn is_table(record: &Record) -> bool {
    let used = record.entries.iter().filter(|entry| entry.is_used()).count();
    let sane = record.entries.iter().all(|entry| matches!(entry.boot_indicator, 0 | 0x80))
        && record.entries.iter().filter(|entry| entry.boot_indicator == 0x80).count() <= 1;
    // isohybrid begins at sector 0, other tables do not.
    let starts = record.entries.iter().filter(|entry| entry.is_used()).all(|e| e.starting_lba.get() != 0);
    if is_volume(&record.boot_code) {
        // Some sticks are both; only entries beyond doubt outweigh the parameter block.
        return sane && starts && used > 0 && !overlap(&record.entries);
    }
    // An empty table is one only if something says so: a signature, as every partitioning tool writes.
    sane && (used > 0 || record.disk_signature.get() != 0)
}

fn overlap(entries: &[Entry; 4]) -> bool {
    let mut extents: Vec<Extent> = entries
        .iter()
        .filter(|entry| entry.is_used())
        .map(|entry| Extent::new(entry.starting_lba.get().into(), entry.size_in_lba.get().into()))
        .collect();
    extents.sort_unstable();
    extents.windows(2).any(|pair| pair[0].end() > pair[1].offset)
}

/// A jump and a plausible BIOS Parameter Block, or a name that only a volume bears.
fn is_volume(code: &[u8; 440]) -> bool {
    let jump = matches!(code[..3], [0xeb, _, 0x90] | [0xe9, ..]);
    let sector = u16::from_le_bytes([code[11], code[12]]);
    let block = matches!(sector, 512 | 1024 | 2048 | 4096)
        && code[13].is_power_of_two()
        && (code[21] == 0xf0 || code[21] >= 0xf8);
    let name = &code[3..11];
    jump && (block || name == b"EXFAT   " || name == b"NTFS    " || name == b"-FVE-FS-")
}

/// Follows the chain: bounded, and never twice to the same place.
fn logical(disk: &dyn ReadAt, id: u32, first: u64, unit: u64, table: &mut Table) {
    let mut seen = BTreeSet::new();
    let mut at = first;
    let mut number = 5;
    while seen.len() < MAX_LOGICAL {
        if !seen.insert(at) {
            table.notes.push("the chain of logical partitions runs in a circle".into());
            return;
        }
        let sector = read(disk, at * unit, 512).ok().flatten();
        let record = sector.and_then(|sector| Record::read_from_bytes(&sector).ok());
        let Some(record) = record.filter(|record| record.signature.get() == 0xaa55) else {
            table.notes.push(format!("the extended boot record at sector {at} cannot be read"));
            return;
        };
        let mut next = None;
        for entry in record.entries.iter().filter(|entry| entry.is_used()) {
            if entry.is_extended() {
                next = next.or(Some(first + u64::from(entry.starting_lba.get())));
            } else {
                table.partitions.push(entry.partition(number, id, at, unit));
                number += 1;
            }
        }
        match next {
            Some(next) => at = next,
            None => return,
        }
    }
    table.notes.push(format!("more than {MAX_LOGICAL} logical partitions: the rest is left out"));
}

fn type_name(os_type: u8) -> &'static str {
    match os_type {
        0x01 => "FAT12",
        0x04 | 0x06 | 0x0e => "FAT16",
        0x05 | 0x0f | 0x85 => "Extended",
        0x07 => "NTFS or exFAT",
        0x0b | 0x0c => "FAT32",
        0x11 | 0x14 | 0x16 | 0x17 | 0x1b | 0x1c | 0x1e => "hidden FAT or NTFS",
        0x27 => "Windows recovery",
        0x42 => "Windows dynamic disk",
        0x82 => "Linux swap",
        0x83 => "Linux",
        0x8e => "Linux LVM",
        0xa5 => "FreeBSD",
        0xa6 => "OpenBSD",
        0xa8 => "Apple UFS",
        0xa9 => "NetBSD",
        0xaf => "Apple HFS",
        0xee => "GPT protective",
        0xef => "EFI system",
        0xfd => "Linux RAID",
        _ => "",
    }
}
