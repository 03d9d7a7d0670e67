//! exFAT.
//!
//! ```text
//! sector 0 main boot region │ 12 backup boot region │ FatOffset: FAT │ ClusterHeapOffset: clusters from 2
//! ```
//!
//! Microsoft exFAT file system specification 1.00, §3.1 boot sector, §7.3 volume label directory entry.

use super::{Facts, bytes, detail, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{LittleEndian, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BootSector {
    _jump: [u8; 3],
    file_system_name: [u8; 8],
    must_be_zero: [u8; 53],
    _partition_offset: U64<LittleEndian>,
    volume_length: U64<LittleEndian>,
    _fat: [u8; 8],
    cluster_heap_offset: U32<LittleEndian>,
    cluster_count: U32<LittleEndian>,
    first_cluster_of_root: U32<LittleEndian>,
    volume_serial_number: U32<LittleEndian>,
    _revision_flags: [u8; 4],
    bytes_per_sector_shift: u8,
    sectors_per_cluster_shift: u8,
    number_of_fats: u8,
}

const ENTRY_VOLUME_LABEL: u8 = 0x83;
/// The label is the first entry of the root directory as every formatter writes it; one read's worth is searched.
const ROOT_SEARCH: u64 = 64 << 10;

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(boot) = read::<BootSector>(volume, 0)? else { return Ok(None) };
    let (sector, cluster) = (boot.bytes_per_sector_shift, boot.sectors_per_cluster_shift);
    let valid = &boot.file_system_name == b"EXFAT   "
        && boot.must_be_zero == [0; 53]
        && (9..=12).contains(&sector)
        && cluster <= 25 - sector
        && matches!(boot.number_of_fats, 1 | 2);
    if !valid {
        return Ok(None);
    }
    Ok(Some(Facts {
        kind: "exfat",
        label: label(volume, &boot).unwrap_or_default(),
        uuid: text::dos_serial(boot.volume_serial_number.get()),
        size: boot.volume_length.get().checked_mul(1 << sector),
        note: Vec::new(),
    }))
}

fn label(volume: &dyn ReadAt, boot: &BootSector) -> Option<String> {
    let index = boot.first_cluster_of_root.get().checked_sub(2)?;
    if index >= boot.cluster_count.get() {
        return None;
    }
    let sectors = u64::from(boot.cluster_heap_offset.get())
        .checked_add(u64::from(index) << boot.sectors_per_cluster_shift)?;
    let at = sectors.checked_mul(1 << boot.bytes_per_sector_shift)?;
    let cluster = 1u64 << (boot.bytes_per_sector_shift + boot.sectors_per_cluster_shift);
    let root = detail(bytes(volume, at, cluster.min(ROOT_SEARCH) as usize))?;
    let entry = root.chunks_exact(32).take_while(|e| e[0] != 0).find(|e| e[0] == ENTRY_VOLUME_LABEL)?;
    let characters = usize::from(entry[1]).min(11);
    Some(text::utf16_le(&entry[2..2 + 2 * characters]))
}
