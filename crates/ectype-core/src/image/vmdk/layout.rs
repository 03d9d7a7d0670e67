//! The structures of a sparse extent, and where the tables of the extents that are written lie.
//!
//! Virtual Disk Format 5.0, "Hosted Sparse Extents", "Stream-Optimized Compressed Sparse Extents" and "ESX Server Sparse
//! Extents"; all numbers little-endian, all offsets in sectors.

use super::descriptor::DESCRIPTOR_SECTORS;
use crate::error::{Error, Kind, Result};
use zerocopy::byteorder::{LittleEndian, U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// An entry of a grain directory or a grain table: a sector of the file.
pub(super) type Entry = U32<LittleEndian>;

/// In bytes: the unit of every offset.
pub(super) const SECTOR: u64 = 512;
/// In bytes: what the hosted extents that are written allocate as one.
pub(super) const GRAIN: u64 = 64 << 10;
/// Entries of a grain table of a hosted extent ("numGTEsPerGT", always 512).
pub(super) const GTES: u64 = 512;
/// Bytes of such a table.
pub(super) const GT_BYTES: u64 = GTES * 4;
/// Bytes of the disk behind such a table.
pub(super) const SPAN: u64 = GTES * GRAIN;
/// Entries of a grain table of an ESX Server sparse extent.
pub(super) const COWD_GTES: u64 = 4096;

pub(super) const MAGIC: [u8; 4] = *b"KDMV";
pub(super) const COWD_MAGIC: [u8; 4] = *b"COWD";
/// The first eight bytes of a seSparse extent, which no document describes.
pub(super) const SE_SPARSE_MAGIC: [u8; 8] = 0xcafe_babe_u64.to_le_bytes();

/// The length of the longest file, in bytes: 32 bits count its sectors.
pub(super) const MOST_BYTES: u64 = SECTOR << 32;

/// `flags`: the newline characters are valid.
pub(super) const FLAG_NEWLINES: u32 = 1 << 0;
/// `flags`: there are redundant grain tables.
pub(super) const FLAG_REDUNDANT: u32 = 1 << 1;
/// `flags`: a grain table entry of 1 is a grain of zeros.
pub(super) const FLAG_ZEROED: u32 = 1 << 2;
/// `flags`: grains are compressed.
pub(super) const FLAG_COMPRESSED: u32 = 1 << 16;
/// `flags`: there are markers before metadata, and grains begin with theirs.
pub(super) const FLAG_MARKERS: u32 = 1 << 17;

/// `gdOffset`: the grain directory is found by the footer.
pub(super) const GD_AT_END: u64 = u64::MAX;
/// `compressAlgorithm`: deflate, in zlib's wrapper.
pub(super) const COMPRESSION_DEFLATE: u16 = 1;
/// An entry that means zeros, under [`FLAG_ZEROED`].
pub(super) const GTE_ZEROED: u32 = 1;
/// `singleEndLineChar` to `doubleEndLineChar2`.
pub(super) const NEWLINES: [u8; 4] = *b"\n \r\n";

/// The first sector of a hosted sparse extent, and its footer.
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct SparseExtentHeader {
    pub(super) magic_number: [u8; 4],
    pub(super) version: U32<LittleEndian>,
    pub(super) flags: U32<LittleEndian>,
    pub(super) capacity: U64<LittleEndian>,
    pub(super) grain_size: U64<LittleEndian>,
    pub(super) descriptor_offset: U64<LittleEndian>,
    pub(super) descriptor_size: U64<LittleEndian>,
    pub(super) num_gtes_per_gt: U32<LittleEndian>,
    pub(super) rgd_offset: U64<LittleEndian>,
    pub(super) gd_offset: U64<LittleEndian>,
    pub(super) over_head: U64<LittleEndian>,
    pub(super) unclean_shutdown: u8,
    pub(super) end_line_chars: [u8; 4],
    pub(super) compress_algorithm: U16<LittleEndian>,
    pub(super) pad: [u8; 433],
}
const _: () = assert!(size_of::<SparseExtentHeader>() == 512);

/// The first bytes of an ESX Server sparse extent.
#[derive(Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct CowdHeader {
    pub(super) magic_number: [u8; 4],
    pub(super) version: U32<LittleEndian>,
    pub(super) flags: U32<LittleEndian>,
    pub(super) num_sectors: U32<LittleEndian>,
    pub(super) grain_size: U32<LittleEndian>,
    pub(super) gd_offset: U32<LittleEndian>,
    pub(super) num_gd_entries: U32<LittleEndian>,
    pub(super) free_sector: U32<LittleEndian>,
}
const _: () = assert!(size_of::<CowdHeader>() == 32);
/// Bytes of the whole header of an ESX Server sparse extent.
pub(super) const COWD_HEADER_BYTES: u64 = 2048;
/// Where its `uncleanShutdown` lies.
pub(super) const COWD_UNCLEAN_AT: u64 = 1648;

/// A marker: of a grain where `size` is not 0, whose data then begin in place of `kind`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Marker {
    /// Of metadata: how many sectors follow. Of a grain: its first sector on the disk.
    pub(super) val: U64<LittleEndian>,
    /// Bytes of the grain's data.
    pub(super) size: U32<LittleEndian>,
    pub(super) kind: U32<LittleEndian>,
}
const _: () = assert!(size_of::<Marker>() == 16);
/// Bytes before a grain's data.
pub(super) const GRAIN_MARKER_BYTES: u64 = 12;

pub(super) const MARKER_EOS: u32 = 0;
pub(super) const MARKER_GT: u32 = 1;
pub(super) const MARKER_GD: u32 = 2;
pub(super) const MARKER_FOOTER: u32 = 3;

/// A marker of metadata, a sector long.
pub(super) fn marker(kind: u32, sectors: u64) -> [u8; SECTOR as usize] {
    let mut sector = [0; SECTOR as usize];
    let marker = Marker { val: sectors.into(), size: 0.into(), kind: kind.into() };
    sector[..size_of::<Marker>()].copy_from_slice(marker.as_bytes());
    sector
}

impl SparseExtentHeader {
    /// The header of an extent of `capacity` sectors as it is written here, without its flags and tables.
    pub(super) fn of(capacity: u64) -> SparseExtentHeader {
        let mut header = SparseExtentHeader::new_zeroed();
        header.magic_number = MAGIC;
        header.version = 1.into();
        header.flags = FLAG_NEWLINES.into();
        header.capacity = capacity.into();
        header.grain_size = (GRAIN / SECTOR).into();
        header.descriptor_offset = 1.into();
        header.descriptor_size = DESCRIPTOR_SECTORS.into();
        header.num_gtes_per_gt = 512.into();
        header.end_line_chars = NEWLINES;
        header
    }
}

/// Where everything lies in a monolithicSparse image: a function of its capacity alone, so that a resume need not believe
/// what it finds. In sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) capacity: u64,
    /// How many grain tables there are.
    pub(super) tables: u64,
    pub(super) rgd: u64,
    pub(super) gd: u64,
    /// The first grain.
    pub(super) over_head: u64,
}

impl Layout {
    /// Of a disk of `size` bytes. Refused where a grain would lie behind what 32 bits count in sectors.
    pub(super) fn of(size: u64) -> Result<Layout> {
        if size > MOST_BYTES {
            return Err(too_large(size));
        }
        let grains = size.div_ceil(GRAIN);
        let tables = grains.div_ceil(GTES);
        let part = (tables * 4).div_ceil(SECTOR) + tables * (GT_BYTES / SECTOR);
        let rgd = 1 + DESCRIPTOR_SECTORS;
        let gd = rgd + part;
        let over_head = (gd + part).next_multiple_of(GRAIN / SECTOR);
        let layout = Layout { capacity: size.div_ceil(SECTOR), tables, rgd, gd, over_head };
        if layout.most_bytes() > MOST_BYTES {
            return Err(too_large(size));
        }
        Ok(layout)
    }

    /// Sectors of a grain directory.
    pub(super) fn gd_sectors(&self) -> u64 {
        (self.tables * 4).div_ceil(SECTOR)
    }

    /// The byte where the table `index` lies; the redundant one lies `gd - rgd` sectors before it.
    pub(super) fn table_at(&self, index: u64) -> u64 {
        (self.gd + self.gd_sectors()) * SECTOR + index * GT_BYTES
    }

    /// How many bytes the redundant tables lie before their originals.
    pub(super) fn redundant_before(&self) -> u64 {
        (self.gd - self.rgd) * SECTOR
    }

    /// The length of the file when every grain is allocated.
    pub(super) fn most_bytes(&self) -> u64 {
        self.over_head * SECTOR + (self.capacity * SECTOR).next_multiple_of(GRAIN)
    }
}

/// The refusal of a disk that is too large for the 32-bit sectors of grain tables.
pub(super) fn too_large(size: u64) -> Error {
    let what =
        format!("a disk of {size} bytes does not fit into a VMDK file, which ends at 2 TiB with its tables");
    Error::new(Kind::Limit, what).advise("VHDX holds it:  --format vhdx")
}
