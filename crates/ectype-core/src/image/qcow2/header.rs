//! The header and its extensions: read, validated, and built for a new image.

use super::layout::{
    self, BITMAPS, CLUSTER_BITS, Geometry, HEADER3_LEAST, LAZY_REFCOUNTS, MAGIC, MOST_L1, MOST_NAME,
    RAW_DATA_FILE, RawBitmaps, RawExtension, RawFeature, RawHeader, RawHeader3, extension, incompatible,
};
use crate::error::{Error, Result};
use crate::io::{ReadAt, read_padded};
use std::ops::Range;
use zerocopy::{FromBytes, IntoBytes};

/// How clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Zlib,
    Zstd,
}

impl Compression {
    pub(super) fn name(self) -> &'static str {
        match self {
            Compression::Zlib => "zlib",
            Compression::Zstd => "zstd",
        }
    }
}

/// A header that was validated, as far as reading the active state needs it.
pub(super) struct Header {
    pub(super) raw: RawHeader,
    /// Of version 2, what its values are taken for.
    pub(super) features: RawHeader3,
    pub(super) geometry: Geometry,
    pub(super) compression: Compression,
    pub(super) backing_file: Option<String>,
    pub(super) backing_format: Option<String>,
    /// The name of the external data file; without the name it is still external.
    pub(super) data_file: Option<String>,
    pub(super) bitmaps: Option<RawBitmaps>,
    /// The encryption header's place, which the structure check counts.
    pub(super) encryption: Option<(u64, u64)>,
    /// What is odd.
    pub(super) notes: Vec<String>,
}

/// Reads what of `len` bytes the file has, zeros behind its end.
pub(super) fn read_clipped(stored: &dyn ReadAt, offset: u64, len: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    read_padded(stored, &mut bytes, offset)
        .map_err(|error| Error::io("reading the image", error).at(offset))?;
    Ok(bytes)
}

impl Header {
    /// Reads and validates the header.
    pub(super) fn read(stored: &dyn ReadAt) -> Result<Header> {
        const BOTH: usize = size_of::<RawHeader>() + size_of::<RawHeader3>();
        let start = read_clipped(stored, 0, BOTH)?;
        let (raw, rest) = RawHeader::read_from_prefix(&start).expect("as long as both");
        let (features, _) = RawHeader3::read_from_prefix(rest).expect("as long as both");
        if raw.magic != MAGIC {
            return Err(Error::corrupt(0, format!("no qcow2 image: its first bytes are {:x?}", raw.magic)));
        }
        let version = raw.version.get();
        if version == 1 {
            return Err(Error::unsupported("it is a qcow image of version 1; 2 and 3 (qcow2) are read"));
        }
        if version != 2 && version != 3 {
            return Err(Error::unsupported(format!("it is qcow2 of version {version}; 2 and 3 are read")));
        }
        if stored.size() < size_of::<RawHeader>() as u64 {
            return Err(Error::corrupt(stored.size(), "the file ends within the header"));
        }
        let cluster_bits = raw.cluster_bits.get();
        if !CLUSTER_BITS.contains(&cluster_bits) {
            let context = format!("cluster_bits is {cluster_bits}; 9 to 21 are expected");
            return Err(Error::corrupt(20, context));
        }
        let features = validated_features(version, features, cluster_bits)?;
        let mut header = Header {
            geometry: Geometry {
                version,
                cluster_bits,
                size: raw.size.get(),
                extended: features.incompatible_features & incompatible::EXTENDED_L2 != 0,
                external: features.incompatible_features & incompatible::DATA_FILE != 0,
            },
            raw,
            features,
            compression: Compression::Zlib,
            backing_file: None,
            backing_format: None,
            data_file: None,
            bitmaps: None,
            encryption: None,
            notes: Vec::new(),
        };
        header.read_extensions(stored)?;
        header.validate(stored)?;
        Ok(header)
    }

    fn validate(&mut self, stored: &dyn ReadAt) -> Result<()> {
        match self.raw.crypt_method.get() {
            0 => {}
            1 => return Err(Error::unsupported("it is encrypted (AES), which is not read in this version")),
            2 => return Err(Error::unsupported("it is encrypted (LUKS), which is not read in this version")),
            other => {
                return Err(Error::unsupported(format!("it is encrypted by an unknown method, {other}")));
            }
        }
        let typed = self.features.incompatible_features & incompatible::COMPRESSION != 0;
        self.compression = match (self.features.compression_type, typed) {
            (0, false) => Compression::Zlib,
            (1, true) => Compression::Zstd,
            (kind @ (0 | 1), _) => {
                let context = format!("compression_type is {kind}, and its feature bit contradicts that");
                return Err(Error::corrupt(104, context));
            }
            (kind, _) => {
                return Err(Error::unsupported(format!(
                    "its clusters are compressed by an unknown method, {kind}"
                )));
            }
        };
        let raw_data = self.features.autoclear_features & RAW_DATA_FILE != 0;
        if raw_data && !self.geometry.external {
            return Err(Error::corrupt(88, "the data file is raw by itself, and there is no data file"));
        }
        if raw_data && self.backing_file.is_some() {
            return Err(Error::corrupt(8, "a backing file beside a data file that is raw by itself"));
        }
        self.validate_l1(stored)
    }

    fn validate_l1(&self, stored: &dyn ReadAt) -> Result<()> {
        let (offset, entries) = (self.raw.l1_table_offset.get(), u64::from(self.raw.l1_size.get()));
        let (geometry, len) = (&self.geometry, entries * 8);
        if len > MOST_L1 {
            let context = format!("an L1 table of {len} bytes; at most {MOST_L1} are expected");
            return Err(Error::corrupt(36, context));
        }
        if geometry.l1_needed() > entries {
            let context = format!(
                "an L1 table of {entries} entries; a disk of {} bytes needs {}",
                geometry.size,
                geometry.l1_needed()
            );
            return Err(Error::corrupt(36, context));
        }
        if geometry.in_cluster(offset) != 0 {
            let context = format!("the L1 table is at {offset:#x}, which is no multiple of the cluster size");
            return Err(Error::corrupt(40, context));
        }
        if entries > 0 && offset.checked_add(len).is_none_or(|end| end > stored.size()) {
            let context =
                format!("the L1 table is at {offset:#x}, {len} bytes; the file has {}", stored.size());
            return Err(Error::corrupt(40, context));
        }
        Ok(())
    }

    /// The header's extensions and the backing file's name, all in the first cluster.
    fn read_extensions(&mut self, stored: &dyn ReadAt) -> Result<()> {
        let cluster = self.geometry.cluster();
        let backing = self.raw.backing_file_offset.get();
        let first = read_clipped(stored, 0, cluster.min(stored.size()) as usize)?;
        let mut end = first.len();
        if backing != 0 {
            let len = self.raw.backing_file_size.get() as usize;
            if len > MOST_NAME {
                let context =
                    format!("the backing file's name has {len} bytes; at most {MOST_NAME} are expected");
                return Err(Error::corrupt(16, context));
            }
            let start = usize::try_from(backing).unwrap_or(usize::MAX);
            let name = start.checked_add(len).and_then(|end| first.get(start..end));
            let context =
                || format!("the backing file's name is at {backing:#x}, outside of the first cluster");
            let name = name.ok_or_else(|| Error::corrupt(8, context()))?;
            self.backing_file = (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned());
            end = start;
        }
        let mut at = self.features.header_length.get() as usize;
        while let Some((kind, data)) = next_extension(&first, at, end)? {
            self.extension(kind, &first[data.clone()], data.start as u64)?;
            at = data.end.next_multiple_of(8);
        }
        let unknown = self.features.incompatible_features.get() & !incompatible::KNOWN;
        if unknown != 0 {
            return Err(self.unknown_features(&first, end, unknown));
        }
        Ok(())
    }

    fn extension(&mut self, kind: u32, data: &[u8], at: u64) -> Result<()> {
        let text = || String::from_utf8_lossy(data).into_owned();
        match kind {
            extension::BACKING_FORMAT => self.backing_format = Some(text()),
            extension::DATA_FILE => self.data_file = Some(text()),
            extension::BITMAPS => {
                let (bitmaps, _) = RawBitmaps::read_from_prefix(data).map_err(|_| {
                    Error::corrupt(at, format!("a bitmaps extension of {} bytes", data.len()))
                })?;
                self.bitmaps = Some(bitmaps);
            }
            extension::ENCRYPTION => {
                if let Some((place, _)) = data.split_first_chunk::<16>() {
                    let (offset, len) = place.split_at(8);
                    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
                    self.encryption = Some((number(offset), number(len)));
                }
            }
            extension::FEATURE_NAMES => {}
            other => self.notes.push(format!("an unknown header extension, {other:#010x}, is ignored")),
        }
        Ok(())
    }

    /// Names the features by the image's own table, where it has one.
    fn unknown_features(&self, first: &[u8], end: usize, unknown: u64) -> Error {
        let mut names = Vec::new();
        let mut at = self.features.header_length.get() as usize;
        while let Ok(Some((kind, data))) = next_extension(first, at, end) {
            at = data.end.next_multiple_of(8);
            if kind == extension::FEATURE_NAMES {
                names.extend(first[data].chunks_exact(size_of::<RawFeature>()));
            }
        }
        let name = |bit: u32| {
            let features = names.iter().filter_map(|entry| RawFeature::ref_from_bytes(entry).ok());
            let mut known = features.filter(|entry| entry.kind == 0 && u32::from(entry.bit) == bit);
            let text = known.next().map(|entry| {
                let len = entry.name.iter().position(|byte| *byte == 0).unwrap_or(entry.name.len());
                format!(" ({})", String::from_utf8_lossy(&entry.name[..len]))
            });
            format!("bit {bit}{}", text.unwrap_or_default())
        };
        let bits: Vec<String> = (0..64).filter(|bit| unknown >> bit & 1 == 1).map(name).collect();
        Error::unsupported(format!(
            "it uses features that are not known in this version: incompatible feature {}",
            bits.join(", ")
        ))
    }

    pub(super) fn flag(&self, incompatible: u64) -> bool {
        self.features.incompatible_features & incompatible != 0
    }

    pub(super) fn lazy_refcounts(&self) -> bool {
        self.features.compatible_features & LAZY_REFCOUNTS != 0
    }

    pub(super) fn raw_data_file(&self) -> bool {
        self.features.autoclear_features & RAW_DATA_FILE != 0
    }

    /// Whether the bitmaps that there are may be believed.
    pub(super) fn consistent_bitmaps(&self) -> bool {
        self.features.autoclear_features & BITMAPS != 0
    }

    pub(super) fn refcount_bits(&self) -> u32 {
        1 << self.features.refcount_order.get()
    }
}

/// What a new image's header says.
#[derive(Clone, Debug)]
pub(super) struct NewHeader {
    pub(super) geometry: Geometry,
    pub(super) compression: Compression,
    pub(super) l1_offset: u64,
    pub(super) l1_entries: u64,
    /// The backing file's name and the name of its format.
    pub(super) backing: Option<(String, String)>,
}

impl NewHeader {
    /// The header with all that follows it in the first cluster; refused where that is not enough room.
    /// `refcount_table`: its place and its clusters. While an image is built, its refcounts lag behind.
    pub(super) fn bytes(&self, refcount_table: (u64, u64), building: bool) -> Result<Vec<u8>> {
        let geometry = &self.geometry;
        let mut raw = RawHeader {
            magic: MAGIC,
            version: geometry.version.into(),
            backing_file_offset: 0.into(),
            backing_file_size: 0.into(),
            cluster_bits: geometry.cluster_bits.into(),
            size: geometry.size.into(),
            crypt_method: 0.into(),
            l1_size: (self.l1_entries as u32).into(),
            l1_table_offset: self.l1_offset.into(),
            refcount_table_offset: refcount_table.0.into(),
            refcount_table_clusters: (refcount_table.1 as u32).into(),
            nb_snapshots: 0.into(),
            snapshots_offset: 0.into(),
        };
        let zstd = self.compression == Compression::Zstd;
        let features = RawHeader3 {
            incompatible_features: (if zstd { incompatible::COMPRESSION } else { 0 }
                | if building { incompatible::DIRTY } else { 0 })
            .into(),
            compatible_features: (if building { LAZY_REFCOUNTS } else { 0 }).into(),
            autoclear_features: 0.into(),
            refcount_order: 4.into(),
            header_length: ((size_of::<RawHeader>() + size_of::<RawHeader3>()) as u32).into(),
            compression_type: zstd.into(),
            _padding: [0; 7],
        };
        let mut rest = if geometry.version == 3 { features.as_bytes().to_vec() } else { Vec::new() };
        let mut extension = |kind: u32, data: &[u8]| {
            let head = RawExtension { kind: kind.into(), length: (data.len() as u32).into() };
            rest.extend(head.as_bytes());
            rest.extend(data);
            rest.resize(rest.len().next_multiple_of(8), 0);
        };
        if let Some((_, format)) = &self.backing {
            extension(extension::BACKING_FORMAT, format.as_bytes());
        }
        extension(extension::END, &[]);
        if let Some((name, _)) = &self.backing {
            raw.backing_file_offset = ((size_of::<RawHeader>() + rest.len()) as u64).into();
            raw.backing_file_size = (name.len() as u32).into();
            rest.extend(name.as_bytes());
        }
        let bytes = [raw.as_bytes(), &rest].concat();
        let name = self.backing.as_ref().map_or("", |(name, _)| name);
        if name.len() > MOST_NAME || bytes.len() as u64 > geometry.cluster() {
            return Err(Error::refused(format!(
                "qcow2 has no room for the parent's name, of {} bytes",
                name.len()
            ))
            .advise("give the parent a shorter path, or the image a larger block"));
        }
        Ok(bytes)
    }
}

/// Version 3's own fields, or what version 2 has in their place.
fn validated_features(version: u32, mut features: RawHeader3, cluster_bits: u32) -> Result<RawHeader3> {
    if version == 2 {
        return Ok(RawHeader3 {
            incompatible_features: 0.into(),
            compatible_features: 0.into(),
            autoclear_features: 0.into(),
            refcount_order: 4.into(),
            header_length: (size_of::<RawHeader>() as u32).into(),
            compression_type: 0,
            _padding: [0; 7],
        });
    }
    let length = features.header_length.get();
    if length < HEADER3_LEAST || u64::from(length) > 1 << cluster_bits {
        let context = format!("header_length is {length}; {HEADER3_LEAST} to the cluster size are expected");
        return Err(Error::corrupt(100, context));
    }
    if features.refcount_order.get() > 6 {
        let context = format!("refcount_order is {}; at most 6 is expected", features.refcount_order);
        return Err(Error::corrupt(96, context));
    }
    if length == HEADER3_LEAST {
        // "A field is considered not present when header_length is less than or equal to the field's offset."
        features.compression_type = 0;
    }
    let extended = features.incompatible_features & incompatible::EXTENDED_L2 != 0;
    if extended && !layout::can_extend(cluster_bits) {
        let context =
            format!("extended L2 entries in clusters of {} bytes; 16384 are the least", 1 << cluster_bits);
        return Err(Error::corrupt(72, context));
    }
    Ok(features)
}

/// The extension at `at`: its type, and where in `first` its data are; `None` at the end of the area.
fn next_extension(first: &[u8], at: usize, end: usize) -> Result<Option<(u32, Range<usize>)>> {
    let Some(area) = first.get(at..end) else { return Ok(None) };
    let Ok((head, rest)) = RawExtension::read_from_prefix(area) else { return Ok(None) };
    if head.kind == extension::END {
        return Ok(None);
    }
    let start = at + size_of::<RawExtension>();
    let len = usize::try_from(head.length.get()).unwrap_or(usize::MAX);
    if len > rest.len() {
        let context = format!("a header extension of {len} bytes, where {} are left", rest.len());
        return Err(Error::corrupt(at as u64 + 4, context));
    }
    Ok(Some((head.kind.get(), start..start + len)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Vec<u8> {
        let raw = RawHeader {
            magic: MAGIC,
            version: 3.into(),
            backing_file_offset: 0.into(),
            backing_file_size: 0.into(),
            cluster_bits: 16.into(),
            size: (1 << 30).into(),
            crypt_method: 0.into(),
            l1_size: 2.into(),
            l1_table_offset: 0x30000.into(),
            refcount_table_offset: 0x10000.into(),
            refcount_table_clusters: 1.into(),
            nb_snapshots: 0.into(),
            snapshots_offset: 0.into(),
        };
        let features = RawHeader3 {
            incompatible_features: 0.into(),
            compatible_features: 0.into(),
            autoclear_features: 0.into(),
            refcount_order: 4.into(),
            header_length: 112.into(),
            compression_type: 0,
            _padding: [0; 7],
        };
        let mut bytes = [raw.as_bytes(), features.as_bytes()].concat();
        bytes.resize(0x40000, 0);
        bytes
    }

    fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = header();
        change(&mut bytes);
        Header::read(&bytes).err().expect("it is refused").to_string()
    }

    #[test]
    fn what_contradicts_itself_is_told_with_its_position() {
        assert!(Header::read(&header()).is_ok());
        for (at, byte, words) in [
            (3, 0, "no qcow2 image"),
            (7, 1, "version 1"),
            (7, 4, "version 4"),
            (23, 8, "cluster_bits is 8"),
            (23, 22, "cluster_bits is 22"),
            (24, 1, "L1 table of 2 entries"),
            (35, 1, "AES"),
            (35, 2, "LUKS"),
            (35, 9, "unknown method, 9"),
            (36, 1, "at most 33554432"),
            (46, 2, "no multiple of the cluster size"),
            (42, 1, "the file has 262144"),
            (79, 8, "compression_type is 0"),
            (104, 1, "compression_type is 1"),
            (104, 2, "unknown method, 2"),
            (95, 2, "there is no data file"),
            (99, 7, "refcount_order is 7"),
            (103, 103, "header_length is 103"),
        ] {
            let text = refusal(|bytes| bytes[at] = byte);
            assert!(text.contains(words), "byte {at}: {text}");
        }
    }

    #[test]
    fn unknown_features_are_called_by_the_names_that_the_image_has_for_them() {
        let text = refusal(|bytes| {
            bytes[78] = 0b110;
            let feature = [&[0, 9][..], b"time travel", &[0; 35]].concat();
            let area = [&0x6803_f857_u32.to_be_bytes()[..], &48_u32.to_be_bytes(), &feature].concat();
            bytes[112..112 + area.len()].copy_from_slice(&area);
        });
        assert!(text.contains("bit 9 (time travel), bit 10"), "{text}");
    }

    #[test]
    fn extensions_are_read_within_their_area() {
        let mut bytes = header();
        let area = [
            &0xe279_2aca_u32.to_be_bytes()[..],
            &3_u32.to_be_bytes(),
            b"raw\0\0\0\0\0",
            &0x1234_5678_u32.to_be_bytes(),
            &0_u32.to_be_bytes(),
            &[0; 8],
            b"base.img",
        ];
        let area = area.concat();
        bytes[112..112 + area.len()].copy_from_slice(&area);
        bytes[15] = 112 + area.len() as u8 - 8;
        bytes[19] = 8;
        let header = Header::read(&bytes).unwrap();
        assert_eq!(header.backing_file.as_deref(), Some("base.img"));
        assert_eq!(header.backing_format.as_deref(), Some("raw"));
        assert!(header.notes[0].contains("0x12345678"));
        // A length that leads out of the area.
        bytes[118] = 1;
        assert_eq!(Header::read(&bytes).err().unwrap().offset(), Some(116));
    }
}
