//! The structures of a VHD, all big-endian, and the numbers that belong to them.
//!
//! Sections are those of the Virtual Hard Disk Image Format Specification 1.0 (October 11, 2006).

use super::super::Spec;
use crate::extent::Extent;
use zerocopy::byteorder::{BigEndian, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The only sector of the format, in bytes.
pub(super) const SECTOR: u64 = 512;
/// A footer, in bytes ("Hard Disk Footer Format").
pub(super) const FOOTER: u64 = 512;
/// The footer that versions before Virtual PC 2004 wrote, in bytes (same section).
pub(super) const OLD_FOOTER: u64 = 511;
/// A dynamic disk header, in bytes ("Dynamic Disk Header Format").
pub(super) const HEADER: u64 = 1024;
/// An entry of the block allocation table, in bytes.
pub(super) const ENTRY: u64 = 4;
/// An entry of a block that is not there ("Block Allocation Table and Data Blocks").
pub(super) const UNALLOCATED: u32 = 0xffff_ffff;
/// What Windows writes into an offset that leads nowhere; the specification says 0xFFFFFFFF, and means all bits.
pub(super) const NOWHERE: u64 = u64::MAX;
/// The longest disk, in bytes: 2040 GiB.
pub(super) const LONGEST: u64 = 0xff00_0000 * SECTOR;
/// 1 January 2000, 0:00 UTC, in seconds since 1970: the beginning of a VHD's time.
pub(super) const EPOCH: u64 = 946_684_800;
/// Blocks begin so, in bytes, counted without their bitmap: the page of the file systems and disks below.
pub(super) const PAGE: u64 = 4096;

pub(super) const FOOTER_COOKIE: &[u8; 8] = b"conectix";
pub(super) const HEADER_COOKIE: &[u8; 8] = b"cxsparse";
/// Version 1.0 of footer and header.
pub(super) const VERSION: u32 = 0x0001_0000;
/// "Features": bit 1 is always set; bit 0 marks a disk that may be deleted.
pub(super) const FEATURES: u32 = 2;

/// "Disk Type".
pub(super) const FIXED: u32 = 2;
pub(super) const DYNAMIC: u32 = 3;
pub(super) const DIFFERENCING: u32 = 4;

/// "Hard Disk Footer Format".
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Footer {
    pub(super) cookie: [u8; 8],
    pub(super) features: U32<BigEndian>,
    pub(super) file_format_version: U32<BigEndian>,
    /// Of the dynamic disk header.
    pub(super) data_offset: U64<BigEndian>,
    pub(super) time_stamp: U32<BigEndian>,
    pub(super) creator_application: [u8; 4],
    pub(super) creator_version: U32<BigEndian>,
    pub(super) creator_host_os: [u8; 4],
    pub(super) original_size: U64<BigEndian>,
    pub(super) current_size: U64<BigEndian>,
    pub(super) cylinders: U16<BigEndian>,
    pub(super) heads: u8,
    pub(super) sectors_per_track: u8,
    pub(super) disk_type: U32<BigEndian>,
    pub(super) checksum: U32<BigEndian>,
    pub(super) unique_id: [u8; 16],
    pub(super) saved_state: u8,
    pub(super) reserved: [u8; 427],
}

/// "Dynamic Disk Header Format".
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Header {
    pub(super) cookie: [u8; 8],
    pub(super) data_offset: U64<BigEndian>,
    pub(super) table_offset: U64<BigEndian>,
    pub(super) header_version: U32<BigEndian>,
    pub(super) max_table_entries: U32<BigEndian>,
    /// Of a block without its bitmap, in bytes.
    pub(super) block_size: U32<BigEndian>,
    pub(super) checksum: U32<BigEndian>,
    pub(super) parent_unique_id: [u8; 16],
    pub(super) parent_time_stamp: U32<BigEndian>,
    pub(super) reserved1: U32<BigEndian>,
    /// UTF-16, big-endian, ended by a zero where it is shorter.
    pub(super) parent_unicode_name: [U16<BigEndian>; 256],
    pub(super) parent_locators: [Locator; 8],
    pub(super) reserved2: [u8; 256],
}

/// "Parent Locator Entries".
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Locator {
    pub(super) platform_code: [u8; 4],
    /// In sectors by the specification, in bytes by everybody; nothing depends on it.
    pub(super) platform_data_space: U32<BigEndian>,
    /// In bytes.
    pub(super) platform_data_length: U32<BigEndian>,
    pub(super) reserved: U32<BigEndian>,
    pub(super) platform_data_offset: U64<BigEndian>,
}

const _: () = assert!(size_of::<Footer>() as u64 == FOOTER && size_of::<Header>() as u64 == HEADER);

/// The one's complement of the sum of all bytes but those of the checksum itself.
fn checksum(bytes: &[u8], own: [u8; 4]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    !(sum(bytes) - sum(&own))
}

impl Footer {
    pub(super) fn right_checksum(&self) -> u32 {
        checksum(self.as_bytes(), self.checksum.to_bytes())
    }

    pub(super) fn is_right(&self) -> bool {
        self.checksum.get() == self.right_checksum()
    }

    /// Whether there is a dynamic disk header.
    pub(super) fn is_sparse(&self) -> bool {
        matches!(self.disk_type.get(), DYNAMIC | DIFFERENCING)
    }

    /// The footer of a new image.
    pub(super) fn new(spec: &Spec, disk_type: u32, disk: Disk) -> Footer {
        let mut footer = Footer {
            cookie: *FOOTER_COOKIE,
            features: FEATURES.into(),
            file_format_version: VERSION.into(),
            data_offset: if disk_type == FIXED { NOWHERE } else { FOOTER }.into(),
            time_stamp: time_stamp(spec.created).into(),
            // Programs that take the disk's length from its cylinders, heads and sectors make exceptions for those creators
            // that are known to mean `current_size`; this one, Windows, every one of them knows.
            creator_application: *b"win ",
            creator_version: 0x000a_0000.into(),
            creator_host_os: *b"Wi2k",
            original_size: disk.size.into(),
            current_size: disk.size.into(),
            cylinders: disk.geometry.cylinders.into(),
            heads: disk.geometry.heads,
            sectors_per_track: disk.geometry.sectors_per_track,
            disk_type: disk_type.into(),
            checksum: 0.into(),
            unique_id: spec.id,
            saved_state: 0,
            reserved: [0; 427],
        };
        footer.checksum = footer.right_checksum().into();
        footer
    }
}

impl Header {
    pub(super) fn right_checksum(&self) -> u32 {
        checksum(self.as_bytes(), self.checksum.to_bytes())
    }

    pub(super) fn is_right(&self) -> bool {
        self.checksum.get() == self.right_checksum()
    }
}

/// Seconds since 1970 as a VHD has them.
pub(super) fn time_stamp(seconds: u64) -> u32 {
    u32::try_from(seconds.saturating_sub(EPOCH)).unwrap_or(u32::MAX)
}

/// The bitmap in front of a block of `block` bytes, in bytes: a bit a sector, whole sectors.
pub(super) fn bitmap_len(block: u64) -> u64 {
    (block / SECTOR).div_ceil(8).next_multiple_of(SECTOR)
}

/// "Disk Geometry".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) cylinders: u16,
    pub(super) heads: u8,
    pub(super) sectors_per_track: u8,
}

impl Geometry {
    /// More sectors no geometry has.
    const MOST: u64 = 65_535 * 16 * 255;

    /// "Appendix: CHS Calculation".
    pub(super) fn of(sectors: u64) -> Geometry {
        let sectors = sectors.min(Self::MOST);
        let (mut per_track, mut heads);
        if sectors >= 65_535 * 16 * 63 {
            (per_track, heads) = (255, 16);
        } else {
            per_track = 17;
            heads = (sectors / per_track).div_ceil(1024).max(4);
            if sectors / per_track >= heads * 1024 || heads > 16 {
                (per_track, heads) = (31, 16);
            }
            if sectors / per_track >= heads * 1024 {
                (per_track, heads) = (63, 16);
            }
        }
        let cylinders = sectors / per_track / heads;
        Geometry { cylinders: cylinders as u16, heads: heads as u8, sectors_per_track: per_track as u8 }
    }

    /// How many sectors it has.
    pub(super) fn sectors(self) -> u64 {
        u64::from(self.cylinders) * u64::from(self.heads) * u64::from(self.sectors_per_track)
    }
}

/// The length of a disk and the geometry that it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// In bytes, whole sectors.
    pub(super) size: u64,
    pub(super) geometry: Geometry,
}

impl Disk {
    /// The disk that holds `content` bytes: exactly, or rounded up to what a geometry can say.
    pub(super) fn of(content: u64, chs: bool) -> Disk {
        let sectors = content.div_ceil(SECTOR);
        let exact = Disk { size: sectors * SECTOR, geometry: Geometry::of(sectors) };
        if !chs {
            return exact;
        }
        // A geometry is a cylinder short at most, and a cylinder has at most 16 * 255 sectors.
        let rounded = (sectors..=sectors + 16 * 255).map(Geometry::of).find(|all| all.sectors() >= sectors);
        match rounded {
            Some(geometry) => Disk { size: geometry.sectors() * SECTOR, geometry },
            // Beyond the largest geometry everybody takes the size.
            None => exact,
        }
    }
}

/// Where what lies in a sparse image that is written here.
///
/// ```text
///   0 ┌ footer's copy ┬ header ┬ table ┬ locators ┬ zeros ┬ slot 0 ┬ slot 1 ┬ … ┬ footer ┐
///                                                         └ bitmap ┬ block ┬ zeros ┘
///                                                                  └ on a page
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// The entries of the table.
    pub(super) entries: u32,
    /// The table.
    pub(super) table: Extent,
    /// A block without its bitmap, in bytes.
    pub(super) block: u64,
    /// Its bitmap, in bytes.
    pub(super) bitmap: u64,
    /// The first slot.
    pub(super) slots: u64,
    /// From slot to slot, in bytes.
    pub(super) stride: u64,
}

impl Places {
    /// The places of a disk of `size` bytes in blocks of `block`, with `locators` bytes of parents' names.
    pub(super) fn new(size: u64, block: u64, locators: u64) -> Places {
        let entries = size.div_ceil(block).max(1);
        let table = Extent::new(FOOTER + HEADER, (entries * ENTRY).next_multiple_of(SECTOR));
        let bitmap = bitmap_len(block);
        Places {
            entries: u32::try_from(entries).unwrap_or(u32::MAX),
            table,
            block,
            bitmap,
            slots: (table.end() + locators + bitmap).next_multiple_of(PAGE) - bitmap,
            stride: (bitmap + block).next_multiple_of(PAGE),
        }
    }

    /// Where a slot begins: its bitmap, or behind the last slot the footer.
    pub(super) fn slot(&self, slot: u32) -> u64 {
        self.slots + u64::from(slot) * self.stride
    }

    /// Where a slot's block begins.
    pub(super) fn payload(&self, slot: u32) -> u64 {
        self.slot(slot) + self.bitmap
    }

    /// What the table says of a slot; what is too far for it is [`UNALLOCATED`].
    pub(super) fn entry(&self, slot: u32) -> u32 {
        u32::try_from(self.slot(slot) / SECTOR).unwrap_or(UNALLOCATED)
    }

    /// The slot that the table's entry means, if it is one.
    pub(super) fn slot_of(&self, entry: u32) -> Option<u32> {
        let behind = (u64::from(entry) * SECTOR).checked_sub(self.slots)?;
        let slot = u32::try_from(behind / self.stride).ok()?;
        (entry != UNALLOCATED && behind.is_multiple_of(self.stride)).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometries_are_those_of_the_specification() {
        // Sectors, and what qemu-img and Windows make of them.
        for (sectors, expected) in [
            (204, (3, 4, 17)),
            (8192, (120, 4, 17)),
            (2_097_152, (2080, 16, 63)),
            (65_535 * 16 * 63, (16_191, 16, 255)),
            (1 << 40, (65_535, 16, 255)),
        ] {
            let of = Geometry::of(sectors);
            let found = (of.cylinders, of.heads, of.sectors_per_track);
            assert_eq!(found, expected, "{sectors}");
        }
    }

    #[test]
    fn a_disk_is_rounded_to_the_next_geometry_and_never_cut() {
        for sectors in (0..5_000).chain((1..400).map(|n| n * n * 1671 + n)) {
            let disk = Disk::of(sectors * SECTOR - sectors.min(1) * 7, true);
            assert!(disk.size >= sectors * SECTOR && disk.size < sectors * SECTOR + (2 << 20) + 4096);
            assert_eq!(disk.geometry.sectors() * SECTOR, disk.size.min(Geometry::MOST * SECTOR));
        }
        let huge = Disk::of(LONGEST, true);
        assert_eq!((huge.size, huge.geometry.sectors()), (LONGEST, Geometry::MOST));
    }

    #[test]
    fn slots_and_entries_are_one_another() {
        let places = Places::new(LONGEST, 2 << 20, 1024);
        let last = places.entries - 1;
        assert!(places.slot(last) / SECTOR < u64::from(UNALLOCATED));
        for slot in [0, 1, 77, last] {
            assert!(places.payload(slot).is_multiple_of(PAGE));
            assert_eq!(places.slot_of(places.entry(slot)), Some(slot));
            assert_eq!(places.slot_of(places.entry(slot) + 1), None);
        }
        assert_eq!(places.slot_of(0), None);
        assert_eq!(places.slot_of(UNALLOCATED), None);
    }
}
