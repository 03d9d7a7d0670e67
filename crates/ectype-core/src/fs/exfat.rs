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
    fat_offset: U32<LittleEndian>,
    _fat_length: U32<LittleEndian>,
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
/// How much of a cluster, and how many clusters of the root directory, are searched for the label.
const CLUSTER_SEARCH: u64 = 32 << 10;
const MAX_CLUSTERS: usize = 16;

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
    let (sector, per_cluster) = (boot.bytes_per_sector_shift, boot.sectors_per_cluster_shift);
    let heap = u64::from(boot.cluster_heap_offset.get()) << sector;
    let fat = u64::from(boot.fat_offset.get()) << sector;
    let mut cluster = boot.first_cluster_of_root.get();
    for _ in 0..MAX_CLUSTERS {
        let index = cluster.checked_sub(2).filter(|&index| index < boot.cluster_count.get())?;
        // 32 bits of clusters of at most 2^25 bytes.
        let at = heap + (u64::from(index) << (sector + per_cluster));
        let len = (1u64 << (sector + per_cluster)).min(CLUSTER_SEARCH);
        let entries = detail(bytes(volume, at, len as usize))?;
        for entry in entries.chunks_exact(32) {
            match entry[0] {
                0 => return None,
                ENTRY_VOLUME_LABEL => {
                    let characters = usize::from(entry[1]).min(11);
                    return Some(text::utf16_le(&entry[2..2 + 2 * characters]));
                }
                _ => {}
            }
        }
        let next: U32<LittleEndian> = detail(read(volume, fat + u64::from(cluster) * 4))?;
        cluster = next.get();
    }
    None
}
