//! FAT12, FAT16 and FAT32.
//!
//! ```text
//! sector 0   boot sector with BIOS Parameter Block      reserved sectors │ FATs │ root directory (12, 16) │ clusters from 2
//! ```
//!
//! Microsoft FAT specification (fatgen103), "Boot Sector and BPB", "FAT Type Determination", "Volume ID". The label is that
//! of the root directory; the boot sector's copy goes stale when Windows renames a volume.

use super::{Facts, bytes, detail, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{LittleEndian, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct BootSector {
    jump: [u8; 3],
    _oem_name: [u8; 8],
    bytes_per_sector: U16<LittleEndian>,
    sectors_per_cluster: u8,
    reserved_sectors: U16<LittleEndian>,
    fats: u8,
    root_entries: U16<LittleEndian>,
    total_sectors_16: U16<LittleEndian>,
    media: u8,
    fat_size_16: U16<LittleEndian>,
    _geometry: [u8; 8],
    total_sectors_32: U32<LittleEndian>,
    extended: [u8; 474],
    signature: U16<LittleEndian>,
}
const _: () = assert!(size_of::<BootSector>() == 512);

/// "Extended BPB" of FAT12 and FAT16 from byte 36, of FAT32 from byte 64.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Extended {
    _drive: [u8; 2],
    boot_signature: u8,
    volume_id: U32<LittleEndian>,
    volume_label: [u8; 11],
    file_system_type: [u8; 8],
}

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Fat32 {
    fat_size: U32<LittleEndian>,
    _flags_version: [u8; 4],
    root_cluster: U32<LittleEndian>,
}

const ENTRY: usize = 32;
const ATTR_VOLUME_ID: u8 = 0x08;
const ATTR_DIRECTORY: u8 = 0x10;
const ATTR_LONG_NAME: u8 = 0x0f;
/// How much of a root directory is searched for the label.
const ROOT_SEARCH: usize = 64 << 10;
/// How many clusters of a FAT32 root directory are followed.
const MAX_CLUSTERS: usize = 16;

/// Where the parts of the volume lie, in bytes.
struct Layout {
    bits: u8,
    size: u64,
    fat: u64,
    root: u64,
    root_len: u64,
    data: u64,
    cluster: u64,
    clusters: u64,
}

pub(super) fn probe(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(boot) = read::<BootSector>(volume, 0)? else { return Ok(None) };
    let Some(layout) = layout(&boot) else { return Ok(None) };
    // That FAT is the pose of BitLocker To Go: it tells nothing of the volume behind it.
    if super::is_bitlocker(boot.as_bytes()) {
        return Ok(None);
    }

    let extended = if layout.bits == 32 { &boot.extended[28..] } else { &boot.extended[..] };
    let Ok((extended, _)) = Extended::read_from_prefix(extended) else { return Ok(None) };
    let named =
        extended.file_system_type.starts_with(b"FAT") || extended.file_system_type.starts_with(b"MSDOS");
    let bootable = matches!(boot.jump, [0xeb, _, 0x90] | [0xe9, ..]) && boot.signature.get() == 0xaa55;
    if !named && !bootable {
        return Ok(None);
    }

    let mut facts = Facts { kind: "vfat", size: Some(layout.size), ..Facts::default() };
    facts.note.push(format!("FAT{}", layout.bits));
    if matches!(extended.boot_signature, 0x28 | 0x29) {
        facts.uuid = text::dos_serial(extended.volume_id.get());
        if extended.boot_signature == 0x29 && &extended.volume_label != b"NO NAME    " {
            facts.label = text::padded(&extended.volume_label);
        }
    }
    let root_cluster =
        Fat32::read_from_prefix(&boot.extended).map_or(0, |(fat32, _)| fat32.root_cluster.get());
    if let Some(label) = root_label(volume, &layout, root_cluster) {
        facts.label = label;
    }
    Ok(Some(facts))
}

/// `None` unless the parameter block describes a volume that a driver would mount.
fn layout(boot: &BootSector) -> Option<Layout> {
    let sector = u64::from(boot.bytes_per_sector.get());
    let per_cluster = u64::from(boot.sectors_per_cluster);
    let plausible = matches!(sector, 512 | 1024 | 2048 | 4096)
        && per_cluster.is_power_of_two()
        && boot.reserved_sectors.get() != 0
        && (1..=4).contains(&boot.fats)
        && (boot.media == 0xf0 || boot.media >= 0xf8);
    if !plausible {
        return None;
    }
    let total = match boot.total_sectors_16.get() {
        0 => u64::from(boot.total_sectors_32.get()),
        total => u64::from(total),
    };
    let fat_size_32 = Fat32::read_from_prefix(&boot.extended).ok()?.0.fat_size.get();
    let (fat_size, is_32) = match boot.fat_size_16.get() {
        0 => (u64::from(fat_size_32), true),
        size => (u64::from(size), false),
    };
    if fat_size == 0 || (is_32 && boot.root_entries.get() != 0) {
        return None;
    }
    // None of this overflows: 8 + 32 bits of sectors, at most 4096 bytes each.
    let root = u64::from(boot.reserved_sectors.get()) + u64::from(boot.fats) * fat_size;
    let root_len = u64::from(boot.root_entries.get()) * ENTRY as u64;
    let data = root + root_len.div_ceil(sector);
    let clusters = total.checked_sub(data)? / per_cluster;
    let bits = match clusters {
        _ if is_32 => 32,
        0..4085 => 12,
        _ => 16,
    };
    Some(Layout {
        bits,
        size: total * sector,
        fat: u64::from(boot.reserved_sectors.get()) * sector,
        root: root * sector,
        root_len,
        data: data * sector,
        cluster: per_cluster * sector,
        clusters,
    })
}

fn root_label(volume: &dyn ReadAt, layout: &Layout, root_cluster: u32) -> Option<String> {
    if layout.bits != 32 {
        let len = layout.root_len.min(ROOT_SEARCH as u64) as usize;
        return label_in(&detail(bytes(volume, layout.root, len))?)?;
    }
    let mut cluster = root_cluster;
    for _ in 0..MAX_CLUSTERS {
        let index = u64::from(cluster).checked_sub(2).filter(|&index| index < layout.clusters)?;
        let len = layout.cluster.min(ROOT_SEARCH as u64) as usize;
        let entries = detail(bytes(volume, layout.data + index * layout.cluster, len))?;
        if let Some(answer) = label_in(&entries) {
            return answer;
        }
        let next: U32<LittleEndian> = detail(read(volume, layout.fat + u64::from(cluster) * 4))?;
        cluster = next.get() & 0x0fff_ffff;
    }
    None
}

/// `Some(None)`: the directory ended without a label. `None`: it goes on.
fn label_in(entries: &[u8]) -> Option<Option<String>> {
    for entry in entries.chunks_exact(ENTRY) {
        let attributes = entry[11];
        match entry[0] {
            0 => return Some(None),
            0xe5 => {}
            _ if attributes & 0x3f == ATTR_LONG_NAME => {}
            _ if attributes & (ATTR_VOLUME_ID | ATTR_DIRECTORY) == ATTR_VOLUME_ID => {
                let mut name = [0; 11];
                name.copy_from_slice(&entry[..11]);
                // 0x05 stands for a first byte 0xE5, which would mark a deleted entry.
                if name[0] == 0x05 {
                    name[0] = 0xe5;
                }
                return Some(Some(text::padded(&name)).filter(|name| !name.is_empty()));
            }
            _ => {}
        }
    }
    None
}
