//! The structures of a VHDX file, in the order of their offsets, with the constants of [MS-VHDX].
//!
//! All integers are little-endian. Field names are those of the specification.

use crate::image::codec::{crc32c, crc32c_append};
use std::fmt;
use zerocopy::byteorder::{LittleEndian, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The unit of everything in the file, in bytes: regions, the log and blocks are aligned to it (§2.1).
pub(super) const MIB: u64 = 1 << 20;
/// The longest virtual disk in bytes (§2.6.2.2): 64 TiB.
pub(super) const MOST_DISK: u64 = 64 << 40;
/// The smallest and the largest payload block in bytes (§2.6.2.1).
pub(super) const LEAST_BLOCK: u64 = MIB;
pub(super) const MOST_BLOCK: u64 = 256 * MIB;
/// So many sectors a sector bitmap block tells of (§2.4): one bit each in 1 MiB.
pub(super) const SECTORS_PER_BITMAP: u64 = 1 << 23;
/// The length of a sector bitmap block in bytes (§2.4).
pub(super) const BITMAP_BLOCK: u64 = MIB;

/// The file type identifier (§2.2.1) lies at byte 0.
pub(super) const FILE_SIGNATURE: [u8; 8] = *b"vhdxfile";
/// The byte offsets of the two headers (§2.2.2), and the length that their checksum covers.
pub(super) const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
pub(super) const HEADER_LEN: usize = 4096;
pub(super) const HEADER_SIGNATURE: [u8; 4] = *b"head";
/// The byte offsets of the two region tables (§2.2.3), and the length that their checksum covers.
pub(super) const REGION_TABLES: [u64; 2] = [192 << 10, 256 << 10];
pub(super) const REGION_TABLE_LEN: usize = 64 << 10;
pub(super) const REGION_SIGNATURE: [u8; 4] = *b"regi";
/// Most entries of a region table and of a metadata table (§2.2.3.1, §2.6.1.1).
pub(super) const MOST_ENTRIES: u32 = 2047;
/// Where regions, log and blocks may begin: behind the header section (§2.2).
pub(super) const HEADER_SECTION: u64 = MIB;

/// The unit of the log in bytes (§2.3).
pub(super) const LOG_SECTOR: u64 = 4096;
pub(super) const LOG_ENTRY_SIGNATURE: [u8; 4] = *b"loge";
pub(super) const LOG_DATA_DESCRIPTOR_SIGNATURE: [u8; 4] = *b"desc";
pub(super) const LOG_ZERO_DESCRIPTOR_SIGNATURE: [u8; 4] = *b"zero";
pub(super) const LOG_DATA_SECTOR_SIGNATURE: [u8; 4] = *b"data";

/// The metadata table (§2.6.1) takes the first 64 KiB of its region; items lie behind it.
pub(super) const METADATA_SIGNATURE: [u8; 8] = *b"metadata";
pub(super) const METADATA_TABLE_LEN: u32 = 64 << 10;
/// No item is longer, in bytes (§2.6.1.2).
pub(super) const MOST_ITEM: u32 = 1 << 20;
/// Flags of a metadata table entry (§2.6.1.2).
pub(super) const IS_VIRTUAL_DISK: u32 = 2;
pub(super) const IS_REQUIRED: u32 = 4;
/// Flags of the file parameters (§2.6.2.1).
pub(super) const LEAVE_BLOCK_ALLOCATED: u32 = 1;
pub(super) const HAS_PARENT: u32 = 2;

/// A GUID as it lies in the file: the first three fields little-endian.
#[derive(Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub(super) struct Guid(pub(super) [u8; 16]);

impl Guid {
    pub(super) const ZERO: Guid = Guid([0; 16]);

    /// The GUID whose text is `a-b-c-rest`.
    pub(super) const fn new(a: u32, b: u16, c: u16, rest: [u8; 8]) -> Guid {
        let ([a0, a1, a2, a3], [b0, b1], [c0, c1]) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes());
        let [r0, r1, r2, r3, r4, r5, r6, r7] = rest;
        Guid([a0, a1, a2, a3, b0, b1, c0, c1, r0, r1, r2, r3, r4, r5, r6, r7])
    }

    /// Reads `{2dc27766-f623-4200-9d64-115e9bfd4a08}`, also without braces and in capitals.
    pub(super) fn parse(text: &str) -> Option<Guid> {
        let text = text.trim();
        let bare = text.strip_prefix('{').map_or(Some(text), |rest| rest.strip_suffix('}'))?;
        let lens = bare.split('-').map(str::len);
        if !lens.eq([8, 4, 4, 4, 12]) {
            return None;
        }
        let digits: Vec<u8> = bare
            .chars()
            .filter(|c| *c != '-')
            .map(|c| c.to_digit(16).map(|d| d as u8))
            .collect::<Option<_>>()?;
        let mut guid = [0; 16];
        for (byte, pair) in guid.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        // The text is big-endian throughout.
        guid[..4].reverse();
        guid[4..6].reverse();
        guid[6..8].reverse();
        Some(Guid(guid))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, rest @ ..] = self.0;
        let (a, b) = (u32::from_le_bytes([a0, a1, a2, a3]), u16::from_le_bytes([b0, b1]));
        let (c, d) = (u16::from_le_bytes([c0, c1]), u16::from_be_bytes([d0, d1]));
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-")?;
        rest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The known regions (§2.2.3.2).
pub(super) const BAT_REGION: Guid =
    Guid::new(0x2dc2_7766, 0xf623, 0x4200, [0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08]);
pub(super) const METADATA_REGION: Guid =
    Guid::new(0x8b7c_a206, 0x4790, 0x4b9a, [0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e]);
/// The known metadata items (§2.6.2).
pub(super) const FILE_PARAMETERS: Guid =
    Guid::new(0xcaa1_6737, 0xfa36, 0x4d43, [0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b]);
pub(super) const VIRTUAL_DISK_SIZE: Guid =
    Guid::new(0x2fa5_4224, 0xcd1b, 0x4876, [0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8]);
pub(super) const VIRTUAL_DISK_ID: Guid =
    Guid::new(0xbeca_12ab, 0xb2e6, 0x4523, [0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46]);
pub(super) const LOGICAL_SECTOR_SIZE: Guid =
    Guid::new(0x8141_bf1d, 0xa96f, 0x4709, [0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f]);
pub(super) const PHYSICAL_SECTOR_SIZE: Guid =
    Guid::new(0xcda3_48c7, 0x445d, 0x4471, [0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56]);
pub(super) const PARENT_LOCATOR: Guid =
    Guid::new(0xa8d3_5f2d, 0xb30b, 0x454d, [0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c]);
/// Not in [MS-VHDX], but in Microsoft's own code: an empty, required item in a file whose making has not ended, so that
/// nobody takes it for whole.
pub(super) const INCOMPLETE_FILE: Guid =
    Guid::new(0x71cc_85f0, 0x1b69, 0x4e28, [0x95, 0x58, 0xc3, 0xbf, 0x83, 0xae, 0x75, 0xd3]);
/// The type of a parent locator that names a VHDX (§2.6.2.6.1).
pub(super) const VHDX_LOCATOR: Guid =
    Guid::new(0xb04a_efb7, 0xd19e, 0x4a81, [0xb7, 0x89, 0x25, 0xb8, 0xe9, 0x44, 0x59, 0x13]);

/// §2.2.2.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Header {
    pub(super) signature: [u8; 4],
    pub(super) checksum: U32<LittleEndian>,
    pub(super) sequence_number: U64<LittleEndian>,
    pub(super) file_write_guid: Guid,
    pub(super) data_write_guid: Guid,
    pub(super) log_guid: Guid,
    pub(super) log_version: U16<LittleEndian>,
    pub(super) version: U16<LittleEndian>,
    pub(super) log_length: U32<LittleEndian>,
    pub(super) log_offset: U64<LittleEndian>,
}
const _: () = assert!(size_of::<Header>() == 80);

/// §2.2.3.1.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RegionTableHeader {
    pub(super) signature: [u8; 4],
    pub(super) checksum: U32<LittleEndian>,
    pub(super) entry_count: U32<LittleEndian>,
    pub(super) reserved: [u8; 4],
}
const _: () = assert!(size_of::<RegionTableHeader>() == 16);

/// §2.2.3.2. The lowest bit of `required` says that who does not know the region must not open the file.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RegionTableEntry {
    pub(super) guid: Guid,
    pub(super) file_offset: U64<LittleEndian>,
    pub(super) length: U32<LittleEndian>,
    pub(super) required: U32<LittleEndian>,
}
const _: () = assert!(size_of::<RegionTableEntry>() == 32);

/// §2.3.1.1.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct LogEntryHeader {
    pub(super) signature: [u8; 4],
    pub(super) checksum: U32<LittleEndian>,
    pub(super) entry_length: U32<LittleEndian>,
    pub(super) tail: U32<LittleEndian>,
    pub(super) sequence_number: U64<LittleEndian>,
    pub(super) descriptor_count: U32<LittleEndian>,
    pub(super) reserved: [u8; 4],
    pub(super) log_guid: Guid,
    pub(super) flushed_file_offset: U64<LittleEndian>,
    pub(super) last_file_offset: U64<LittleEndian>,
}
const _: () = assert!(size_of::<LogEntryHeader>() == 64);

/// §2.3.1.2 the zero descriptor, §2.3.1.3 the data descriptor: told apart by the signature.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct LogDescriptor {
    pub(super) signature: [u8; 4],
    /// Data: the last 4 bytes of the sector, whose place in the log is taken by the sequence number.
    pub(super) trailing_bytes: [u8; 4],
    /// Data: the first 8 bytes of the sector. Zero: the length of the zeros in bytes.
    pub(super) leading_bytes: [u8; 8],
    pub(super) file_offset: U64<LittleEndian>,
    pub(super) sequence_number: U64<LittleEndian>,
}
const _: () = assert!(size_of::<LogDescriptor>() == 32);

/// §2.3.1.4.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct LogDataSector {
    pub(super) signature: [u8; 4],
    pub(super) sequence_high: U32<LittleEndian>,
    pub(super) data: [u8; 4084],
    pub(super) sequence_low: U32<LittleEndian>,
}
const _: () = assert!(size_of::<LogDataSector>() as u64 == LOG_SECTOR);

/// §2.6.1.1.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct MetadataTableHeader {
    pub(super) signature: [u8; 8],
    pub(super) reserved: [u8; 2],
    pub(super) entry_count: U16<LittleEndian>,
    pub(super) reserved2: [u8; 20],
}
const _: () = assert!(size_of::<MetadataTableHeader>() == 32);

/// §2.6.1.2. The offset is from the beginning of the region.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct MetadataTableEntry {
    pub(super) item_id: Guid,
    pub(super) offset: U32<LittleEndian>,
    pub(super) length: U32<LittleEndian>,
    pub(super) flags: U32<LittleEndian>,
    pub(super) reserved: [u8; 4],
}
const _: () = assert!(size_of::<MetadataTableEntry>() == 32);

/// §2.6.2.6.1.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct ParentLocatorHeader {
    pub(super) locator_type: Guid,
    pub(super) reserved: [u8; 2],
    pub(super) key_value_count: U16<LittleEndian>,
}
const _: () = assert!(size_of::<ParentLocatorHeader>() == 20);

/// §2.6.2.6.2. Offsets are from the beginning of the item; lengths in bytes of UTF-16.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct ParentLocatorEntry {
    pub(super) key_offset: U32<LittleEndian>,
    pub(super) value_offset: U32<LittleEndian>,
    pub(super) key_length: U16<LittleEndian>,
    pub(super) value_length: U16<LittleEndian>,
}
const _: () = assert!(size_of::<ParentLocatorEntry>() == 12);

/// An entry of the BAT (§2.5): bits 0-2 the state, bits 20-63 the block's place in the file in MiB.
#[derive(Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub(super) struct BatEntry(pub(super) U64<LittleEndian>);

/// The state of a payload block (§2.5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Zeros, or the parent's.
    NotPresent,
    /// Anything; zeros here.
    Undefined,
    Zero,
    /// What its owner gave up; zeros here. 3, and 5 in the specification's first version.
    Unmapped,
    FullyPresent,
    /// The sector bitmap says what is here and what is the parent's.
    PartiallyPresent,
}

impl BatEntry {
    pub(super) const NOT_PRESENT: u64 = 0;
    pub(super) const ZERO: u64 = 2;
    /// Of a payload block, and of a sector bitmap block (§2.5.1.2).
    pub(super) const FULLY_PRESENT: u64 = 6;
    pub(super) const PARTIALLY_PRESENT: u64 = 7;

    /// `place` is a whole number of MiB.
    pub(super) fn new(state: u64, place: u64) -> BatEntry {
        BatEntry(U64::new(place | state))
    }

    pub(super) fn bits(self) -> u64 {
        self.0.get()
    }

    /// The raw state.
    pub(super) fn state_bits(self) -> u64 {
        self.bits() & 7
    }

    /// What a payload block's entry says; `None` for a state that does not exist.
    pub(super) fn state(self) -> Option<State> {
        Some(match self.state_bits() {
            0 => State::NotPresent,
            1 => State::Undefined,
            2 => State::Zero,
            3 | 5 => State::Unmapped,
            6 => State::FullyPresent,
            7 => State::PartiallyPresent,
            _ => return None,
        })
    }

    /// Where the block lies in the file, in bytes.
    pub(super) fn place(self) -> u64 {
        self.bits() & !(MIB - 1)
    }

    /// Bits that have no meaning and must be zero.
    pub(super) fn reserved(self) -> u64 {
        self.bits() & (MIB - 1) & !7
    }
}

/// The CRC-32C of a structure whose checksum is in its bytes 4 to 7, and counts as zeros.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc32c_append(crc32c_append(crc32c(&bytes[..4]), &[0; 4]), &bytes[8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_the_same_in_text() {
        let text = "2dc27766-f623-4200-9d64-115e9bfd4a08";
        assert_eq!(BAT_REGION.to_string(), text);
        assert_eq!(BAT_REGION.0[..4], [0x66, 0x77, 0xc2, 0x2d]);
        for form in [text.to_owned(), format!("{{{text}}}"), text.to_uppercase()] {
            assert_eq!(Guid::parse(&form), Some(BAT_REGION));
        }
        for bad in [
            "",
            "{",
            "2dc27766",
            "{2dc27766-f623-4200-9d64-115e9bfd4a08",
            "2dc27766-f623-4200-9d64-115e9bfd4aéé",
        ] {
            assert_eq!(Guid::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_entry_has_a_state_and_a_place() {
        let entry = BatEntry::new(BatEntry::FULLY_PRESENT, 5 * MIB);
        assert_eq!((entry.state(), entry.place(), entry.reserved()), (Some(State::FullyPresent), 5 * MIB, 0));
        assert_eq!(BatEntry::new(4, 0).state(), None);
        assert_eq!(BatEntry::new(0x18, MIB).reserved(), 0x18);
    }
}
