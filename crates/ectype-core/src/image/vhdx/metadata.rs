//! Headers, region tables and metadata (§2.2, §2.6), read and made.

use super::layout::*;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::ReadAt;
use zerocopy::{FromBytes, IntoBytes};

/// Reads `len` bytes of a table at `at`; a file that ends before is corrupt.
fn table(stored: &dyn ReadAt, at: u64, len: usize, what: &str) -> Result<Vec<u8>> {
    if at.checked_add(len as u64).is_none_or(|end| end > stored.size()) {
        return Err(Error::corrupt(
            at,
            format!("{len} bytes of {what} are expected, the file has {}", stored.size()),
        ));
    }
    let mut bytes = vec![0; len];
    stored.read_at(&mut bytes, at).map_err(|error| Error::io(format!("reading {what}"), error).at(at))?;
    Ok(bytes)
}

/// The creator's name in the file type identifier (§2.2.1).
pub(super) fn creator(stored: &dyn ReadAt) -> Result<String> {
    let bytes = table(stored, 0, 520, "the file type identifier")?;
    if bytes[..8] != FILE_SIGNATURE {
        return Err(Error::corrupt(0, format!("\"vhdxfile\" is expected, {:02x?} is found", &bytes[..8])));
    }
    let units = bytes[8..].as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    let text: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    Ok(String::from_utf16_lossy(&text).chars().filter(|c| !c.is_control()).collect())
}

/// The current header (§2.2.2.1), which of the two it is, and what is odd about the other.
pub(super) fn current_header(stored: &dyn ReadAt) -> Result<(Header, usize, Option<String>)> {
    let [first, second] = [header(stored, 0), header(stored, 1)];
    let (header, index, note) = match (first, second) {
        (Ok(a), Ok(b)) => {
            let (x, y) = (a.sequence_number.get(), b.sequence_number.get());
            let same = x == y && a.as_bytes() != b.as_bytes();
            if same {
                let what = format!("both headers have the sequence number {x}, and they differ");
                return Err(Error::corrupt(HEADERS[1], what));
            }
            if x >= y { (a, 0, None) } else { (b, 1, None) }
        }
        (Ok(a), Err(error)) => (a, 0, Some(format!("the second header is not valid: {error}"))),
        (Err(error), Ok(b)) => (b, 1, Some(format!("the first header is not valid: {error}"))),
        (Err(first), Err(_)) => return Err(first),
    };
    match header.version.get() {
        1 => Ok((header, index, note)),
        other => Err(Error::unsupported(format!("it has version {other} of the format"))),
    }
}

fn header(stored: &dyn ReadAt, index: usize) -> Result<Header> {
    let at = HEADERS[index];
    let bytes = table(stored, at, HEADER_LEN, "a header")?;
    let (header, _) = Header::read_from_prefix(&bytes).expect("a header is shorter");
    if header.signature != HEADER_SIGNATURE {
        return Err(Error::corrupt(at, format!("\"head\" is expected, {:02x?} is found", header.signature)));
    }
    let (stated, found) = (header.checksum.get(), checksum(&bytes));
    if stated != found {
        return Err(Error::corrupt(
            at,
            format!("the header's checksum is {stated:08x}, its bytes have {found:08x}"),
        ));
    }
    let (log, len) = (header.log_offset.get(), u64::from(header.log_length.get()));
    let aligned = log.is_multiple_of(MIB) && len.is_multiple_of(MIB);
    if len > 0 && (!aligned || log < HEADER_SECTION || log.checked_add(len).is_none()) {
        let what =
            format!("a log of whole MiB behind the first is expected, {:?} is found", Extent::new(log, len));
        return Err(Error::corrupt(at + 68, what));
    }
    Ok(header)
}

/// A header as it is written.
pub(super) fn header_bytes(header: &Header) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    bytes[..size_of::<Header>()].copy_from_slice(header.as_bytes());
    let sum = checksum(&bytes);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Where the known regions lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Regions {
    pub(super) bat: Extent,
    pub(super) metadata: Extent,
}

/// The regions (§2.2.3) by the first region table that is whole; `log` is what none of them may overlap.
pub(super) fn regions(stored: &dyn ReadAt, log: Extent) -> Result<(Regions, Option<String>)> {
    let read = |index: usize| region_table(stored, REGION_TABLES[index]);
    let (bytes, at, note) = match (read(0), read(1)) {
        (Ok(bytes), Ok(other)) => {
            let differ = bytes != other;
            (bytes, REGION_TABLES[0], differ.then(|| "the two region tables differ".to_owned()))
        }
        (Ok(bytes), Err(e)) => {
            (bytes, REGION_TABLES[0], Some(format!("the second region table is not valid: {e}")))
        }
        (Err(e), Ok(bytes)) => {
            (bytes, REGION_TABLES[1], Some(format!("the first region table is not valid: {e}")))
        }
        (Err(first), Err(_)) => return Err(first),
    };
    let (mut bat, mut metadata) = (None, None);
    let mut taken = vec![log];
    let count = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
    for (index, entry) in bytes[16..].chunks_exact(32).take(count).enumerate() {
        let at = at + 16 + index as u64 * 32;
        let entry = RegionTableEntry::read_from_bytes(entry).expect("32 bytes");
        let place = Extent::new(entry.file_offset.get(), u64::from(entry.length.get()));
        let slot = match entry.guid {
            BAT_REGION => &mut bat,
            METADATA_REGION => &mut metadata,
            other if entry.required.get() & 1 != 0 => {
                return Err(Error::unsupported(format!(
                    "it has the region {other}, which one must know to read it"
                )));
            }
            _ => continue,
        };
        let aligned = place.offset.is_multiple_of(MIB) && place.len.is_multiple_of(MIB);
        if !aligned || place.is_empty() || place.offset < HEADER_SECTION || place.end() > stored.size() {
            let what = format!("a region of whole MiB within the file is expected, {place:?} is found");
            return Err(Error::corrupt(at, what));
        }
        if taken.iter().any(|other| !other.intersect(place).is_empty()) {
            return Err(Error::corrupt(at, format!("the region at {place:?} overlaps another or the log")));
        }
        taken.push(place);
        if slot.replace(place).is_some() {
            return Err(Error::corrupt(at, format!("the region {} is there twice", entry.guid)));
        }
    }
    let missing = |what: &str| Error::corrupt(at, format!("the region table names no {what}"));
    let bat = bat.ok_or_else(|| missing("block allocation table"))?;
    let metadata = metadata.ok_or_else(|| missing("metadata"))?;
    Ok((Regions { bat, metadata }, note))
}

fn region_table(stored: &dyn ReadAt, at: u64) -> Result<Vec<u8>> {
    let bytes = table(stored, at, REGION_TABLE_LEN, "a region table")?;
    let (header, _) = RegionTableHeader::read_from_prefix(&bytes).expect("a header is shorter");
    if header.signature != REGION_SIGNATURE {
        return Err(Error::corrupt(at, format!("\"regi\" is expected, {:02x?} is found", header.signature)));
    }
    let (stated, found) = (header.checksum.get(), checksum(&bytes));
    if stated != found {
        let what = format!("the region table's checksum is {stated:08x}, its bytes have {found:08x}");
        return Err(Error::corrupt(at, what));
    }
    match header.entry_count.get() {
        0..=MOST_ENTRIES => Ok(bytes),
        count => Err(Error::corrupt(
            at + 8,
            format!("at most {MOST_ENTRIES} regions are expected, {count} are found"),
        )),
    }
}

/// A region table as it is written; only the front of it is not zeros.
pub(super) fn region_table_bytes(regions: &Regions) -> Vec<u8> {
    let mut bytes = vec![0; REGION_TABLE_LEN];
    bytes[..4].copy_from_slice(&REGION_SIGNATURE);
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    for (index, (guid, place)) in
        [(BAT_REGION, regions.bat), (METADATA_REGION, regions.metadata)].into_iter().enumerate()
    {
        let entry = RegionTableEntry {
            guid,
            file_offset: place.offset.into(),
            length: u32::try_from(place.len).expect("the plan limits the BAT").into(),
            required: 1.into(),
        };
        bytes[16 + index * 32..][..32].copy_from_slice(entry.as_bytes());
    }
    let sum = checksum(&bytes);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// What the metadata tell (§2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) block: u64,
    /// Of a fixed file: blocks stay allocated.
    pub(super) leave_blocks_allocated: bool,
    pub(super) has_parent: bool,
    pub(super) size: u64,
    pub(super) id: Guid,
    pub(super) sector: u32,
    pub(super) physical_sector: u32,
    /// Keys and values.
    pub(super) parent: Option<Vec<(String, String)>>,
    /// Its maker has not ended.
    pub(super) incomplete: bool,
}

/// Reads the metadata region.
pub(super) fn metadata(stored: &dyn ReadAt, region: Extent) -> Result<Metadata> {
    let bytes = table(stored, region.offset, METADATA_TABLE_LEN as usize, "the metadata table")?;
    let (header, _) = MetadataTableHeader::read_from_prefix(&bytes).expect("a header is shorter");
    if header.signature != METADATA_SIGNATURE {
        let what = format!("\"metadata\" is expected, {:02x?} is found", header.signature);
        return Err(Error::corrupt(region.offset, what));
    }
    let count = header.entry_count.get();
    if u32::from(count) > MOST_ENTRIES {
        let what = format!("at most {MOST_ENTRIES} metadata items are expected, {count} are found");
        return Err(Error::corrupt(region.offset + 10, what));
    }
    let mut found = Items { stored, region, items: Vec::new() };
    let mut incomplete = false;
    for (index, entry) in bytes[32..].chunks_exact(32).take(usize::from(count)).enumerate() {
        let at = region.offset + 32 + index as u64 * 32;
        let entry = MetadataTableEntry::read_from_bytes(entry).expect("32 bytes");
        // An item of a user's has its own names: bit 0.
        let known = entry.flags.get() & 1 == 0 && KNOWN.contains(&entry.item_id);
        if entry.item_id == INCOMPLETE_FILE {
            incomplete = true;
        } else if known {
            found.add(at, &entry)?;
        } else if entry.flags.get() & IS_REQUIRED != 0 {
            let what = format!("it has the metadata item {}, which one must know to read it", entry.item_id);
            return Err(Error::unsupported(what));
        }
    }
    let parameters = found.get(FILE_PARAMETERS, 8, "file parameters")?;
    let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let flags = number(&parameters[4..]);
    let size = found.get(VIRTUAL_DISK_SIZE, 8, "virtual disk size")?;
    let id = found.get(VIRTUAL_DISK_ID, 16, "virtual disk id")?;
    let sector = number(&found.get(LOGICAL_SECTOR_SIZE, 4, "logical sector size")?);
    let metadata = Metadata {
        block: u64::from(number(&parameters)),
        leave_blocks_allocated: flags & LEAVE_BLOCK_ALLOCATED != 0,
        has_parent: flags & HAS_PARENT != 0,
        size: u64::from_le_bytes(size.try_into().expect("8 bytes")),
        id: Guid(id.try_into().expect("16 bytes")),
        sector,
        physical_sector: number(&found.get(PHYSICAL_SECTOR_SIZE, 4, "physical sector size")?),
        parent: match flags & HAS_PARENT {
            0 => None,
            _ => Some(found.locator()?),
        },
        incomplete,
    };
    found.judge(&metadata)?;
    Ok(metadata)
}

const KNOWN: [Guid; 6] = [
    FILE_PARAMETERS,
    VIRTUAL_DISK_SIZE,
    VIRTUAL_DISK_ID,
    LOGICAL_SECTOR_SIZE,
    PHYSICAL_SECTOR_SIZE,
    PARENT_LOCATOR,
];

/// The known items of a metadata table, by their places.
struct Items<'a> {
    stored: &'a dyn ReadAt,
    region: Extent,
    items: Vec<(Guid, Extent)>,
}

impl Items<'_> {
    fn add(&mut self, at: u64, entry: &MetadataTableEntry) -> Result<()> {
        let (offset, len) = (entry.offset.get(), entry.length.get());
        let place = Extent::new(self.region.offset + u64::from(offset), u64::from(len));
        if offset < METADATA_TABLE_LEN || len > MOST_ITEM || !self.region.covers(place) {
            let what = format!("the metadata item {} is said to be at {place:?}", entry.item_id);
            return Err(Error::corrupt(at, what));
        }
        if self.place(entry.item_id).is_some() {
            return Err(Error::corrupt(at, format!("the metadata item {} is there twice", entry.item_id)));
        }
        self.items.push((entry.item_id, place));
        Ok(())
    }

    fn place(&self, id: Guid) -> Option<Extent> {
        self.items.iter().find(|item| item.0 == id).map(|item| item.1)
    }

    /// The item's bytes, of which there must be `len`.
    fn get(&self, id: Guid, len: usize, what: &str) -> Result<Vec<u8>> {
        let place = self
            .place(id)
            .ok_or_else(|| Error::corrupt(self.region.offset, format!("the metadata have no {what}")))?;
        if place.len != len as u64 {
            let said = format!("{len} bytes of {what} are expected, {} are found", place.len);
            return Err(Error::corrupt(place.offset, said));
        }
        table(self.stored, place.offset, len, what)
    }

    /// The keys and values of the parent locator (§2.6.2.6).
    fn locator(&self) -> Result<Vec<(String, String)>> {
        let place = self.place(PARENT_LOCATOR).ok_or_else(|| {
            Error::corrupt(self.region.offset, "it has a parent, and the metadata have no parent locator")
        })?;
        let wrong = |what: String| Error::corrupt(place.offset, what);
        let bytes = table(self.stored, place.offset, place.len as usize, "the parent locator")?;
        let (header, rest) = ParentLocatorHeader::read_from_prefix(&bytes)
            .map_err(|_| wrong(format!("a parent locator is expected, {} bytes are found", place.len)))?;
        if header.locator_type != VHDX_LOCATOR {
            let what = format!("its parent is named in a way called {}", header.locator_type);
            return Err(Error::unsupported(what));
        }
        let mut pairs = Vec::new();
        for index in 0..usize::from(header.key_value_count.get()) {
            let entry = rest
                .get(index * 12..index * 12 + 12)
                .and_then(|e| ParentLocatorEntry::read_from_bytes(e).ok());
            let entry =
                entry.ok_or_else(|| wrong(format!("the parent locator ends before its entry {index}")))?;
            let text = |offset: u32, len: u16| {
                let start = usize::try_from(offset).ok()?;
                let units = bytes.get(start..start.checked_add(usize::from(len))?)?;
                let units: Vec<u16> =
                    units.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
                String::from_utf16(&units).ok()
            };
            let key = text(entry.key_offset.get(), entry.key_length.get());
            let value = text(entry.value_offset.get(), entry.value_length.get());
            let pair = key
                .zip(value)
                .ok_or_else(|| wrong(format!("entry {index} of the parent locator is no text")))?;
            pairs.push(pair);
        }
        Ok(pairs)
    }

    /// Refuses numbers that no VHDX may have.
    fn judge(&self, metadata: &Metadata) -> Result<()> {
        let fault = |id: Guid, what: String| {
            Err(Error::corrupt(self.place(id).map_or(self.region.offset, |place| place.offset), what))
        };
        let Metadata { block, size, sector, physical_sector, .. } = *metadata;
        if !block.is_power_of_two() || !(LEAST_BLOCK..=MOST_BLOCK).contains(&block) {
            return fault(FILE_PARAMETERS, format!("a block of 1 to 256 MiB is expected, {block} is found"));
        }
        if ![512, 4096].contains(&sector) {
            return fault(
                LOGICAL_SECTOR_SIZE,
                format!("sectors of 512 or 4096 bytes are expected, {sector} is found"),
            );
        }
        if ![512, 4096].contains(&physical_sector) {
            let what =
                format!("physical sectors of 512 or 4096 bytes are expected, {physical_sector} is found");
            return fault(PHYSICAL_SECTOR_SIZE, what);
        }
        if size > MOST_DISK || !size.is_multiple_of(u64::from(sector)) {
            return fault(
                VIRTUAL_DISK_SIZE,
                format!("whole sectors up to 64 TiB are expected, {size} is found"),
            );
        }
        Ok(())
    }
}

impl Metadata {
    /// The metadata table and the items behind it, as they are written: two parts, each with its place in the region.
    pub(super) fn bytes(&self) -> [(u64, Vec<u8>); 2] {
        let flags = u32::from(self.leave_blocks_allocated) * LEAVE_BLOCK_ALLOCATED
            + u32::from(self.has_parent) * HAS_PARENT;
        let block = u32::try_from(self.block).expect("a block of at most 256 MiB");
        let mut items = vec![
            (FILE_PARAMETERS, IS_REQUIRED, [block.to_le_bytes(), flags.to_le_bytes()].concat()),
            (VIRTUAL_DISK_SIZE, IS_REQUIRED | IS_VIRTUAL_DISK, self.size.to_le_bytes().to_vec()),
            (VIRTUAL_DISK_ID, IS_REQUIRED | IS_VIRTUAL_DISK, self.id.0.to_vec()),
            (LOGICAL_SECTOR_SIZE, IS_REQUIRED | IS_VIRTUAL_DISK, self.sector.to_le_bytes().to_vec()),
            (
                PHYSICAL_SECTOR_SIZE,
                IS_REQUIRED | IS_VIRTUAL_DISK,
                self.physical_sector.to_le_bytes().to_vec(),
            ),
        ];
        if let Some(pairs) = &self.parent {
            items.push((PARENT_LOCATOR, IS_REQUIRED, locator_bytes(pairs)));
        }
        if self.incomplete {
            items.push((INCOMPLETE_FILE, IS_REQUIRED, Vec::new()));
        }
        let mut table = vec![0; 4096];
        let header = MetadataTableHeader {
            signature: METADATA_SIGNATURE,
            reserved: [0; 2],
            entry_count: (items.len() as u16).into(),
            reserved2: [0; 20],
        };
        table[..32].copy_from_slice(header.as_bytes());
        let mut bytes = Vec::new();
        for (index, (item_id, flags, item)) in items.into_iter().enumerate() {
            // §2.6.1.2: of an empty item the offset is zero, too.
            let offset = if item.is_empty() { 0 } else { METADATA_TABLE_LEN + bytes.len() as u32 };
            let entry = MetadataTableEntry {
                item_id,
                offset: offset.into(),
                length: (item.len() as u32).into(),
                flags: flags.into(),
                reserved: [0; 4],
            };
            table[32 + index * 32..][..32].copy_from_slice(entry.as_bytes());
            bytes.extend(item);
        }
        bytes.resize(bytes.len().next_multiple_of(4096), 0);
        [(0, table), (u64::from(METADATA_TABLE_LEN), bytes)]
    }
}

/// A parent locator of these keys and values, whose lengths the plan has limited.
fn locator_bytes(pairs: &[(String, String)]) -> Vec<u8> {
    let header = ParentLocatorHeader {
        locator_type: VHDX_LOCATOR,
        reserved: [0; 2],
        key_value_count: (pairs.len() as u16).into(),
    };
    let mut bytes = header.as_bytes().to_vec();
    let mut texts: Vec<u8> = Vec::new();
    let start = bytes.len() + pairs.len() * size_of::<ParentLocatorEntry>();
    for (key, value) in pairs {
        let [key, value] =
            [key, value].map(|text| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
        let entry = ParentLocatorEntry {
            key_offset: ((start + texts.len()) as u32).into(),
            value_offset: ((start + texts.len() + key.len()) as u32).into(),
            key_length: (key.len() as u16).into(),
            value_length: (value.len() as u16).into(),
        };
        bytes.extend(entry.as_bytes());
        texts.extend(key);
        texts.extend(value);
    }
    bytes.extend(texts);
    bytes
}
