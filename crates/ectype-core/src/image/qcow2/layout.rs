//! Header, extensions and entries, as the specification numbers them. All numbers are big-endian.

use crate::error::{Error, Result};
use crate::extent::Extent;
use zerocopy::byteorder::{BigEndian, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Header, bytes 0 to 3.
pub(super) const MAGIC: [u8; 4] = *b"QFI\xfb";

/// Header, bytes 20 to 23: from 512 bytes to QEMU's own limit of 2 MiB.
pub(super) const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;

/// Extended L2 entries need clusters of 16 KiB.
const EXTENDED_CLUSTER_BITS: u32 = 14;

/// QEMU's limit of the L1 table, in bytes; no image that it opens has more.
pub(super) const MOST_L1: u64 = 32 << 20;

/// QEMU's limit of the refcount table, in bytes.
pub(super) const MOST_REFCOUNT_TABLE: u64 = 8 << 20;

/// QEMU's limit of snapshots.
pub(super) const MOST_SNAPSHOTS: u32 = 65_536;

/// "Must not be longer than 1023 bytes": the backing file's name.
pub(super) const MOST_NAME: usize = 1023;

/// The parts of a cluster that extended L2 entries tell apart.
pub(super) const SUBCLUSTERS: u64 = 32;

/// A sector of compressed data: the unit of a compressed cluster descriptor.
pub(super) const SECTOR: u64 = 512;

/// Header, incompatible_features.
pub(super) mod incompatible {
    pub(in super::super) const DIRTY: u64 = 1;
    pub(in super::super) const CORRUPT: u64 = 1 << 1;
    pub(in super::super) const DATA_FILE: u64 = 1 << 2;
    pub(in super::super) const COMPRESSION: u64 = 1 << 3;
    pub(in super::super) const EXTENDED_L2: u64 = 1 << 4;
    pub(in super::super) const KNOWN: u64 = DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2;
}

/// Header, compatible_features: refcounts may lag behind while the dirty bit is set.
pub(super) const LAZY_REFCOUNTS: u64 = 1;

/// Header, autoclear_features: the bitmaps are consistent.
pub(super) const BITMAPS: u64 = 1;

/// Header, autoclear_features: the data file is a raw image by itself.
pub(super) const RAW_DATA_FILE: u64 = 1 << 1;

/// Header extensions.
pub(super) mod extension {
    pub(in super::super) const END: u32 = 0;
    pub(in super::super) const BACKING_FORMAT: u32 = 0xe279_2aca;
    pub(in super::super) const FEATURE_NAMES: u32 = 0x6803_f857;
    pub(in super::super) const BITMAPS: u32 = 0x2385_2875;
    pub(in super::super) const ENCRYPTION: u32 = 0x0537_be77;
    pub(in super::super) const DATA_FILE: u32 = 0x4441_5441;
}

/// Header, bytes 0 to 71: all that version 2 has.
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    pub(super) magic: [u8; 4],
    pub(super) version: U32<BigEndian>,
    pub(super) backing_file_offset: U64<BigEndian>,
    pub(super) backing_file_size: U32<BigEndian>,
    pub(super) cluster_bits: U32<BigEndian>,
    pub(super) size: U64<BigEndian>,
    pub(super) crypt_method: U32<BigEndian>,
    pub(super) l1_size: U32<BigEndian>,
    pub(super) l1_table_offset: U64<BigEndian>,
    pub(super) refcount_table_offset: U64<BigEndian>,
    pub(super) refcount_table_clusters: U32<BigEndian>,
    pub(super) nb_snapshots: U32<BigEndian>,
    pub(super) snapshots_offset: U64<BigEndian>,
}
const _: () = assert!(size_of::<RawHeader>() == 72);

/// Header, bytes 72 to 111: version 3, with the additional fields.
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader3 {
    pub(super) incompatible_features: U64<BigEndian>,
    pub(super) compatible_features: U64<BigEndian>,
    pub(super) autoclear_features: U64<BigEndian>,
    pub(super) refcount_order: U32<BigEndian>,
    pub(super) header_length: U32<BigEndian>,
    pub(super) compression_type: u8,
    pub(super) _padding: [u8; 7],
}
const _: () = assert!(size_of::<RawHeader3>() == 40);

/// Where the fields that must be there in version 3 end.
pub(super) const HEADER3_LEAST: u32 = 104;

/// "Header extensions": what each begins with.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RawExtension {
    pub(super) kind: U32<BigEndian>,
    pub(super) length: U32<BigEndian>,
}

/// "Feature name table": an entry.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RawFeature {
    /// 0 incompatible, 1 compatible, 2 autoclear.
    pub(super) kind: u8,
    pub(super) bit: u8,
    pub(super) name: [u8; 46],
}
const _: () = assert!(size_of::<RawFeature>() == 48);

/// "Bitmaps extension".
#[derive(Clone, Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RawBitmaps {
    pub(super) nb_bitmaps: U32<BigEndian>,
    pub(super) _reserved: [u8; 4],
    pub(super) directory_size: U64<BigEndian>,
    pub(super) directory_offset: U64<BigEndian>,
}
const _: () = assert!(size_of::<RawBitmaps>() == 24);

/// "Bitmap directory": the fixed part of an entry.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RawBitmap {
    pub(super) table_offset: U64<BigEndian>,
    pub(super) table_size: U32<BigEndian>,
    pub(super) _flags: U32<BigEndian>,
    pub(super) _kind: u8,
    pub(super) _granularity_bits: u8,
    pub(super) name_size: U16<BigEndian>,
    pub(super) extra_data_size: U32<BigEndian>,
}
const _: () = assert!(size_of::<RawBitmap>() == 24);

/// "Snapshots": the fixed part of an entry of the snapshot table.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RawSnapshot {
    pub(super) l1_table_offset: U64<BigEndian>,
    pub(super) l1_size: U32<BigEndian>,
    pub(super) id_size: U16<BigEndian>,
    pub(super) name_size: U16<BigEndian>,
    pub(super) _date: [u8; 16],
    pub(super) _vm_state_size: U32<BigEndian>,
    pub(super) extra_data_size: U32<BigEndian>,
}
const _: () = assert!(size_of::<RawSnapshot>() == 40);

/// L1 and L2 entries, bit 63: the refcount is exactly one.
pub(super) const COPIED: u64 = 1 << 63;

/// L2 entries, bit 62: a compressed cluster.
pub(super) const COMPRESSED: u64 = 1 << 62;

/// Standard cluster descriptor, bit 0: reads as zeros.
pub(super) const ZERO: u64 = 1;

/// L1, L2, refcount and bitmap tables: the bits of a cluster's offset.
pub(super) const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;

/// Refcount table entries: bits 9 to 63.
pub(super) const REFCOUNT_OFFSET: u64 = !0x1ff;

/// The sizes that everything is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// 2 or 3.
    pub(super) version: u32,
    pub(super) cluster_bits: u32,
    /// The virtual disk size in bytes.
    pub(super) size: u64,
    /// Whether the L2 entries are extended.
    pub(super) extended: bool,
    /// Whether guest clusters lie in an external data file.
    pub(super) external: bool,
}

/// Where the bytes of a guest cluster, or a part of one, are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mapped {
    /// In the backing file; zeros without one.
    Unallocated,
    /// Nowhere: zeros.
    Zero,
    /// From this offset of the data file.
    Data(u64),
    /// Compressed, in these bytes of the image: as far as a descriptor tells, in sectors.
    Packed(Extent),
}

impl Geometry {
    /// The cluster size in bytes.
    pub(super) fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    pub(super) fn in_cluster(&self, offset: u64) -> u64 {
        offset & (self.cluster() - 1)
    }

    /// The length of an L2 entry in bytes.
    pub(super) fn entry_len(&self) -> u64 {
        if self.extended { 16 } else { 8 }
    }

    /// How many entries an L2 table has.
    pub(super) fn l2_entries(&self) -> u64 {
        self.cluster() / self.entry_len()
    }

    /// The bytes of the disk that an L2 table is for.
    pub(super) fn reach(&self) -> u64 {
        // At most 21 and 18 bits.
        self.cluster() * self.l2_entries()
    }

    /// How many entries of the L1 table the disk needs.
    pub(super) fn l1_needed(&self) -> u64 {
        self.size.div_ceil(self.reach())
    }

    /// The bytes of the disk that a guest cluster has.
    pub(super) fn guest(&self, cluster: u64) -> Extent {
        let start = cluster.saturating_mul(self.cluster());
        Extent::new(start, self.cluster()).intersect(Extent::new(0, self.size))
    }

    /// The position where a compressed cluster descriptor's number of sectors begins: the specification's x.
    pub(super) fn packed_shift(&self) -> u32 {
        62 - (self.cluster_bits - 8)
    }

    /// The descriptor of compressed bytes.
    pub(super) fn packed_entry(&self, at: Extent) -> u64 {
        let additional = (at.end() - 1) / SECTOR - at.offset / SECTOR;
        COMPRESSED | additional << self.packed_shift() | at.offset
    }

    /// The bytes of a compressed cluster, up to the end of its last sector.
    pub(super) fn packed_extent(&self, entry: u64) -> Extent {
        let shift = self.packed_shift();
        let offset = entry & ((1 << shift) - 1);
        let additional = (entry & (COMPRESSED - 1)) >> shift;
        let len = (additional + 1) * SECTOR - offset % SECTOR;
        Extent::new(offset, len)
    }

    /// What an L2 entry says; `bitmap` is an extended entry's second half, `part` the subcluster that is asked for. The
    /// error says what is wrong.
    pub(super) fn decode(&self, entry: u64, bitmap: u64, part: u64) -> Result<Mapped, String> {
        if entry & COMPRESSED != 0 {
            return match self.external {
                true => Err("a compressed cluster, with an external data file".into()),
                false => Ok(Mapped::Packed(self.packed_extent(entry))),
            };
        }
        let host = entry & OFFSET;
        if self.in_cluster(host) != 0 {
            return Err(format!("a cluster at {host:#x}, which is no multiple of the cluster size"));
        }
        // A host offset of 0 exists in an external data file alone.
        let allocated = host != 0 || (self.external && entry & COPIED != 0);
        if self.extended {
            return match (bitmap >> part & 1, bitmap >> (part + SUBCLUSTERS) & 1) {
                (0, 0) => Ok(Mapped::Unallocated),
                (0, 1) => Ok(Mapped::Zero),
                (1, 0) if allocated => Ok(Mapped::Data(host)),
                (1, 0) => Err("an allocated subcluster in a cluster that has no place".into()),
                _ => Err(format!("subcluster {part} both allocated and zeros")),
            };
        }
        match entry & ZERO != 0 {
            true if self.version < 3 => Err("a zero cluster in version 2, which has none".into()),
            true => Ok(Mapped::Zero),
            false if allocated => Ok(Mapped::Data(host)),
            false => Ok(Mapped::Unallocated),
        }
    }

    /// The bits of an L2 entry that must not be set, as it is.
    pub(super) fn reserved(&self, entry: u64) -> u64 {
        if entry & COMPRESSED != 0 {
            // Bit 63 says "exactly one", which is not said of compressed clusters; offsets end with bit 55.
            let offset = entry & ((1 << self.packed_shift()) - 1);
            return (entry & COPIED) | (offset & !(OFFSET | (SECTOR - 1)));
        }
        let zero = if self.version < 3 || self.extended { 0 } else { ZERO };
        entry & !(OFFSET | COPIED | zero)
    }
}

/// The number of bits that address a byte of a cluster; refuses sizes that are none.
pub(super) fn cluster_bits(size: u64) -> Result<u32> {
    let fits = size.is_power_of_two() && CLUSTER_BITS.contains(&size.trailing_zeros());
    if fits {
        return Ok(size.trailing_zeros());
    }
    Err(Error::refused(format!("qcow2 has no clusters of {size} bytes"))
        .advise("a power of two from 512 to 2097152 (2 MiB); the usual one is 65536"))
}

/// Whether extended L2 entries fit this cluster size.
pub(super) fn can_extend(cluster_bits: u32) -> bool {
    cluster_bits >= EXTENDED_CLUSTER_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(cluster_bits: u32) -> Geometry {
        Geometry { version: 3, cluster_bits, size: 1 << 40, extended: false, external: false }
    }

    #[test]
    fn compressed_descriptors_come_back() {
        for bits in CLUSTER_BITS {
            let geometry = geometry(bits);
            for (offset, len) in [(512, 1), (1000, 24), (1000, 25), (0x7ffff, 400), ((1 << 40) + 511, 300)] {
                let at = Extent::new(offset, len);
                let entry = geometry.packed_entry(at);
                let Ok(Mapped::Packed(found)) = geometry.decode(entry, 0, 0) else { panic!() };
                assert_eq!((found.offset, found.end() % SECTOR), (offset, 0));
                assert!(found.covers(at) && found.end() - at.end() < SECTOR);
                assert_eq!(geometry.reserved(entry), 0);
            }
        }
    }

    #[test]
    fn entries_are_told_apart() {
        let three = geometry(16);
        let two = Geometry { version: 2, ..three };
        let extended = Geometry { extended: true, ..three };
        let external = Geometry { external: true, ..three };
        assert_eq!(three.decode(0, 0, 0), Ok(Mapped::Unallocated));
        assert_eq!(three.decode(COPIED | 0x50000, 0, 0), Ok(Mapped::Data(0x50000)));
        assert_eq!(three.decode(COPIED | 0x50001, 0, 0), Ok(Mapped::Zero));
        assert!(two.decode(1, 0, 0).is_err() && three.decode(0x50200, 0, 0).is_err());
        assert_eq!(external.decode(COPIED, 0, 0), Ok(Mapped::Data(0)));
        assert!(external.decode(COMPRESSED | 512, 0, 0).is_err());
        let bitmap = 1 | 1 << 33;
        assert_eq!(extended.decode(0x50000, bitmap, 0), Ok(Mapped::Data(0x50000)));
        assert_eq!(extended.decode(0x50000, bitmap, 1), Ok(Mapped::Zero));
        assert_eq!(extended.decode(0x50000, bitmap, 2), Ok(Mapped::Unallocated));
        assert!(extended.decode(0, bitmap, 0).is_err() && extended.decode(0x50000, 2 | 1 << 33, 1).is_err());
        assert_eq!((three.reserved(0x50002), three.reserved(1 << 60), two.reserved(1)), (2, 1 << 60, 1));
    }
}
