//! How a disk is divided.
//!
//! Damaged tables are read as far as they make sense, and what is wrong is told in notes: an imager is called when disks
//! are sick. A volume without a table (a "superfloppy") has none, although its boot sector ends in the same signature.

pub(crate) mod around;
pub(crate) mod gpt;
mod mbr;

#[cfg(test)]
mod tests;

use crate::extent::Extent;
use crate::io::ReadAt;
use std::io;

/// A partition table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// `gpt` or `mbr`.
    pub scheme: &'static str,
    /// The disk's GUID, or the MBR's signature as eight hexadecimal digits.
    pub id: String,
    /// The sector size that the table counts in.
    pub sector_size: u32,
    /// In the order of the table; logical partitions behind the primary ones.
    pub partitions: Vec<Partition>,
    /// What is damaged or odd.
    pub notes: Vec<String>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// As the kernel numbers it.
    pub number: u32,
    /// Where it lies, in bytes, as the table says: perhaps beyond the end of the disk.
    pub extent: Extent,
    /// The type: a GUID, or for an MBR its byte as in `0x0c`.
    pub type_id: String,
    /// What the type is called; empty where it is not a common one.
    pub type_name: &'static str,
    /// Its name, which only a GPT gives.
    pub name: String,
    /// Its own GUID, or for an MBR the signature and the number, as in `PARTUUID`.
    pub uuid: String,
    /// Marked to boot from.
    pub bootable: bool,
    /// An extended partition: the logical ones lie inside.
    pub container: bool,
}

/// The partition table of `disk`, whose logical sectors have `sector_size` bytes; a disk imaged with another size is
/// recognised and that is noted.
pub fn scan(disk: &dyn ReadAt, sector_size: u32) -> io::Result<Option<Table>> {
    let sizes = [sector_size, 512, 4096];
    let mut tried: Vec<u32> = Vec::new();
    let mut failure = None;
    for size in sizes {
        if !(512..=4096).contains(&size) || !size.is_power_of_two() || tried.contains(&size) {
            continue;
        }
        tried.push(size);
        match gpt::scan(disk, size) {
            Ok(Some(mut table)) => {
                if size != sector_size {
                    table.notes.push(format!("made for sectors of {size} bytes, not {sector_size}"));
                }
                check(&mut table, disk.size());
                return Ok(Some(table));
            }
            Ok(None) => {}
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    // An MBR does not tell its sector size: the given one, unless it makes no sense.
    let unit = if tried.contains(&sector_size) { sector_size } else { 512 };
    match mbr::scan(disk, unit)? {
        Some(mut table) => {
            check(&mut table, disk.size());
            Ok(Some(table))
        }
        None => failure.map_or(Ok(None), Err),
    }
}

/// Notes partitions that overlap or that the disk does not hold.
fn check(table: &mut Table, disk: u64) {
    for partition in table.partitions.iter().filter(|partition| partition.extent.end() > disk) {
        table.notes.push(format!("partition {} reaches beyond the end of the disk", partition.number));
    }
    let mut order: Vec<&Partition> =
        table.partitions.iter().filter(|partition| !partition.container).collect();
    order.sort_by_key(|partition| (partition.extent.offset, partition.number));
    for pair in order.windows(2) {
        if pair[0].extent.end() > pair[1].extent.offset {
            table.notes.push(format!("partitions {} and {} overlap", pair[0].number, pair[1].number));
        }
    }
}

/// `None` where the disk ends before.
fn read(disk: &dyn ReadAt, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= disk.size() => {}
        _ => return Ok(None),
    }
    let mut buf = vec![0; len];
    disk.read_at(&mut buf, offset)?;
    Ok(Some(buf))
}
