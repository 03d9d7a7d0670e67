//! Reading a VHD: which footer is believed, the table, and the disk behind them.

use super::super::{Facts, Findings, Gate, Opened};
use super::blocks::{self, Blocks, Own};
use super::layout::{
    DIFFERENCING, DYNAMIC, ENTRY, EPOCH, FIXED, FOOTER, FOOTER_COOKIE, Footer, HEADER, HEADER_COOKIE, Header,
    OLD_FOOTER, SECTOR, UNALLOCATED, bitmap_len,
};
use super::{check, parent};
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::{Content, ReadAt};
use serde_json::{Value, json};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use zerocopy::byteorder::{BigEndian, U32};
use zerocopy::{FromZeros, IntoBytes};

/// Longer disks are no disks: beyond, sums of offsets would not be safe.
const LONGEST_CLAIM: u64 = 1 << 56;

/// A table up to so many bytes is kept in memory; that of 2040 GiB in blocks of 2 MiB has 4 MiB.
const TABLE_IN_MEMORY: u64 = 16 << 20;

/// A longer one is looked through in parts of so many entries.
const ENTRIES_AT_ONCE: u64 = 16_384;

/// One call looks through so many entries at most.
const ENTRIES_A_LOOK: u64 = 16 << 20;

/// An opened VHD.
pub(super) struct VhdImage {
    pub(super) stored: Arc<dyn ReadAt>,
    pub(super) footers: Footers,
    pub(super) size: u64,
    pub(super) sparse: Option<Sparse>,
    facts: Facts,
}

/// The footers of a file, and where the one that is believed lies.
pub(super) struct Footers {
    pub(super) believed: Footer,
    /// Its place; its length is [`FOOTER`], or [`OLD_FOOTER`] in old files.
    pub(super) at: Extent,
    /// What is wrong with them, with a place.
    pub(super) faults: Vec<(u64, String)>,
    pub(super) notes: Vec<String>,
}

/// What a dynamic or differencing image has besides.
pub(super) struct Sparse {
    pub(super) header_at: u64,
    pub(super) header: Header,
    pub(super) block: u64,
    pub(super) bitmap: u64,
    pub(super) table_at: u64,
    /// So many entries are there; the disk may need more.
    pub(super) entries: u64,
    /// The entries, where they are not too many.
    table: Option<Vec<U32<BigEndian>>>,
    pub(super) parent: Option<Arc<dyn Opened>>,
}

/// A footer at `at`, if there is one.
fn footer_at(stored: &dyn ReadAt, at: Extent) -> io::Result<Option<Footer>> {
    let mut footer = Footer::new_zeroed();
    if at.end() > stored.size() {
        return Ok(None);
    }
    stored.read_at(&mut footer.as_mut_bytes()[..at.len as usize], at.offset)?;
    Ok((footer.cookie == *FOOTER_COOKIE).then_some(footer))
}

/// The footer at the end, and its copy at the beginning, as far as they are there.
fn both_footers(stored: &dyn ReadAt) -> io::Result<[Option<(Footer, Extent)>; 2]> {
    let size = stored.size();
    let mut last = None;
    for len in [FOOTER, OLD_FOOTER] {
        let at = Extent::between(size.saturating_sub(len), size);
        if last.is_none() && at.len == len {
            last = footer_at(stored, at)?.map(|footer| (footer, at));
        }
    }
    let at = Extent::new(0, FOOTER);
    // A fixed disk may begin with the bytes of somebody else's footer.
    let first = footer_at(stored, at)?.filter(Footer::is_sparse).map(|footer| (footer, at));
    Ok([last, first])
}

/// Whether these bytes are a VHD: a footer at the end that is right, or a sparse image's copy at the beginning.
pub(super) fn probe(stored: &dyn ReadAt) -> bool {
    let Ok([last, first]) = both_footers(stored) else { return false };
    // Of a fixed disk there is nothing but the footer: a disk that ends like one is not to be mistaken.
    let right = |footer: &Footer, at: Extent| {
        footer.is_right() && (footer.is_sparse() || footer.current_size.get() <= at.offset)
    };
    first.is_some() || last.is_some_and(|(footer, at)| right(&footer, at))
}

impl Footers {
    fn read(stored: &dyn ReadAt) -> Result<Footers> {
        let both = both_footers(stored).map_err(|error| Error::io("reading the footer of a VHD", error))?;
        let [last, first] = both;
        let whole = |found: &Option<(Footer, Extent)>| found.is_some_and(|(footer, _)| footer.is_right());
        // The footer at the end is the image's own word, and the copy stands in for it.
        let copy = !whole(&last) && (whole(&first) || last.is_none());
        let Some((believed, at)) = (if copy { first } else { last }) else {
            let end = stored.size().saturating_sub(FOOTER);
            return Err(Error::corrupt(end, "no VHD: its last 512 bytes do not begin with \"conectix\""));
        };
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        let end = stored.size().saturating_sub(FOOTER);
        let mut judge = |found: &Option<(Footer, Extent)>, name: &str, missing: u64| match found {
            None => notes.push(format!("{name} is missing (at byte {missing})")),
            Some((footer, at)) if !footer.is_right() => {
                let (found, right) = (footer.checksum.get(), footer.right_checksum());
                let what = format!("{name} has the checksum {found:#010x} and should have {right:#010x}");
                faults.push((at.offset, what));
            }
            Some(_) => {}
        };
        judge(&last, "the footer at the end", end);
        if believed.is_sparse() {
            judge(&first, "the footer's copy at the beginning", 0);
        }
        if let (Some((last, _)), Some((first, _)), true) = (&last, &first, believed.is_sparse())
            && last != first
        {
            notes.push("the footer at the end and its copy at the beginning differ".into());
        }
        if at.len == OLD_FOOTER {
            notes.push("the footer has 511 bytes, as before Virtual PC 2004".into());
        }
        if believed.saved_state != 0 {
            notes.push("the machine that used the disk was in a saved state".into());
        }
        Ok(Footers { believed, at, faults, notes })
    }

    fn validate(&self) -> Result<()> {
        let (footer, at) = (&self.believed, self.at.offset);
        let version = footer.file_format_version.get();
        if version >> 16 != 1 {
            return Err(Error::unsupported(format!(
                "a VHD of version {}.{}",
                version >> 16,
                version & 0xffff
            ))
            .at(at + 12));
        }
        let kind = footer.disk_type.get();
        if !matches!(kind, FIXED | DYNAMIC | DIFFERENCING) {
            return Err(Error::unsupported(format!("a VHD of the disk type {kind}")).at(at + 60));
        }
        let size = footer.current_size.get();
        if size > LONGEST_CLAIM {
            return Err(Error::corrupt(at + 48, format!("a disk of {size} bytes is longer than any VHD")));
        }
        if kind == FIXED && size > at {
            let what = format!("the disk should have {size} bytes, and the file has {at} before its footer");
            return Err(Error::corrupt(at + 48, what));
        }
        Ok(())
    }
}

/// Opens a VHD.
pub(super) fn open(stored: Arc<dyn ReadAt>, gate: &mut dyn Gate) -> Result<Arc<dyn Opened>> {
    let mut footers = Footers::read(&*stored)?;
    footers.validate()?;
    let footer = footers.believed;
    let sparse = match footer.is_sparse() {
        true => Some(Sparse::open(&stored, &mut footers, gate)?),
        false => None,
    };
    let mut image =
        VhdImage { stored, size: footer.current_size.get(), sparse, facts: Facts::default(), footers };
    image.facts = image.gather();
    Ok(Arc::new(image))
}

impl Sparse {
    fn open(stored: &Arc<dyn ReadAt>, footers: &mut Footers, gate: &mut dyn Gate) -> Result<Sparse> {
        let footer = &footers.believed;
        let header_at = footer.data_offset.get();
        let mut header = Header::new_zeroed();
        if header_at.checked_add(HEADER).is_none_or(|end| end > stored.size()) {
            let what =
                format!("the dynamic disk header should be at byte {header_at}, behind the file's end");
            return Err(Error::corrupt(footers.at.offset + 16, what));
        }
        let reading = |error| Error::io("reading the dynamic disk header", error);
        stored.read_at(header.as_mut_bytes(), header_at).map_err(reading)?;
        if header.cookie != *HEADER_COOKIE {
            let found = header.cookie.escape_ascii();
            let what = format!("a dynamic disk header begins with \"cxsparse\", and here is \"{found}\"");
            return Err(Error::corrupt(header_at, what));
        }
        if !header.is_right() {
            let (found, right) = (header.checksum.get(), header.right_checksum());
            let what = format!("the header has the checksum {found:#010x} and should have {right:#010x}");
            footers.faults.push((header_at + 36, what));
        }
        let version = header.header_version.get();
        if version >> 16 != 1 {
            let what = format!("a dynamic disk header of version {}.{}", version >> 16, version & 0xffff);
            return Err(Error::unsupported(what).at(header_at + 24));
        }
        let block = u64::from(header.block_size.get());
        if block == 0 || !block.is_multiple_of(SECTOR) {
            let what = format!("blocks are whole sectors of 512 bytes, and not of {block} bytes");
            return Err(Error::corrupt(header_at + 32, what));
        }
        let table_at = header.table_offset.get();
        if table_at >= stored.size() {
            let what =
                format!("the block allocation table should be at byte {table_at}, behind the file's end");
            return Err(Error::corrupt(header_at + 16, what));
        }
        let needed = footer.current_size.get().div_ceil(block);
        let entries =
            needed.min(header.max_table_entries.get().into()).min((stored.size() - table_at) / ENTRY);
        let table = load(&**stored, table_at, entries)
            .map_err(|error| Error::io("reading the block allocation table", error).at(table_at))?;
        let parent = match footer.disk_type.get() {
            DIFFERENCING => {
                let names = parent::names(&**stored, &header, &mut footers.notes);
                Some(parent::open(&header, &names, gate, &mut footers.notes)?)
            }
            _ => None,
        };
        let bitmap = bitmap_len(block);
        Ok(Sparse { header_at, header, block, bitmap, table_at, entries, table, parent })
    }

    /// The entries of these blocks, which are all there.
    pub(super) fn entries(&self, stored: &dyn ReadAt, blocks: Range<u64>) -> io::Result<Vec<u32>> {
        let list = match &self.table {
            Some(table) => return Ok(in_range(table, &blocks).iter().map(|entry| entry.get()).collect()),
            None => {
                let mut list = vec![U32::<BigEndian>::ZERO; (blocks.end - blocks.start) as usize];
                stored.read_at(list.as_mut_bytes(), self.table_at + blocks.start * ENTRY)?;
                list
            }
        };
        Ok(list.iter().map(|entry| entry.get()).collect())
    }

    /// The places of header, copy and table, where no block can be.
    pub(super) fn structures(&self) -> [Extent; 3] {
        [
            Extent::new(0, FOOTER),
            Extent::new(self.header_at, HEADER),
            Extent::new(self.table_at, self.entries * ENTRY),
        ]
    }
}

fn in_range<'a>(table: &'a [U32<BigEndian>], blocks: &Range<u64>) -> &'a [U32<BigEndian>] {
    &table[blocks.start as usize..blocks.end as usize]
}

/// The table, where it is not too long to be kept.
fn load(stored: &dyn ReadAt, table_at: u64, entries: u64) -> io::Result<Option<Vec<U32<BigEndian>>>> {
    if entries * ENTRY > TABLE_IN_MEMORY {
        return Ok(None);
    }
    let mut table = vec![U32::ZERO; entries as usize];
    stored.read_at(table.as_mut_bytes(), table_at)?;
    Ok(Some(table))
}

impl VhdImage {
    fn gather(&self) -> Facts {
        let footer = &self.footers.believed;
        let subformat = match footer.disk_type.get() {
            FIXED => "fixed",
            DYNAMIC => "dynamic",
            _ => "differencing",
        };
        let version = footer.creator_version.get();
        let geometry = format!("{}/{}/{}", footer.cylinders.get(), footer.heads, footer.sectors_per_track);
        let mut more: Vec<(&'static str, Value)> = vec![
            ("unique_id", json!(parent::id(&footer.unique_id))),
            ("creator_application", json!(parent::text(&footer.creator_application))),
            ("creator_version", json!(format!("{}.{}", version >> 16, version & 0xffff))),
            ("creator_host_os", json!(parent::text(&footer.creator_host_os))),
            ("time_stamp", json!(u64::from(footer.time_stamp.get()) + EPOCH)),
            ("original_size", json!(footer.original_size.get())),
            ("geometry", json!(geometry)),
        ];
        let mut name = None;
        if let Some(sparse) = &self.sparse {
            more.push(("block_size", json!(sparse.block)));
            more.push(("max_table_entries", json!(sparse.header.max_table_entries.get())));
            if let Some(table) = &sparse.table {
                let there = table.iter().filter(|entry| entry.get() != UNALLOCATED).count();
                more.push(("allocated_blocks", json!(there)));
            }
            if sparse.parent.is_some() {
                let names = parent::names(&*self.stored, &sparse.header, &mut Vec::new());
                let modified = sparse.header.parent_time_stamp.get();
                more.push(("parent_unique_id", json!(parent::id(&sparse.header.parent_unique_id))));
                more.push(("parent_time_stamp", json!(u64::from(modified) + EPOCH)));
                more.push(("parent_names", json!(names)));
                name = names.into_iter().next();
            }
        }
        let faults = self.footers.faults.iter().map(|(at, what)| format!("{what} (at byte {at})"));
        let notes: Vec<String> = faults.chain(self.footers.notes.iter().cloned()).collect();
        if !notes.is_empty() {
            more.push(("notes", json!(notes)));
        }
        Facts {
            format: "vhd",
            subformat: subformat.into(),
            sector: SECTOR as u32,
            in_order: false,
            id: footer.unique_id,
            parent: name,
            more,
        }
    }
}

impl ReadAt for VhdImage {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match &self.sparse {
            Some(sparse) => blocks::read(&InFile { image: self, sparse }, buf, offset),
            None if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size) => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            None => self.stored.read_at(buf, offset),
        }
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        match &self.sparse {
            Some(sparse) => blocks::content_at(&InFile { image: self, sparse }, offset),
            None if offset >= self.size => Ok((Content::Data, offset.saturating_add(1))),
            None => {
                let (content, until) = self.stored.content_at(offset)?;
                Ok((content, until.min(self.size)))
            }
        }
    }
}

impl Opened for VhdImage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn check(&self, findings: &mut Findings) -> Result<()> {
        check::check(self, findings)
    }
}

/// A sparse image with its file.
pub(super) struct InFile<'a> {
    pub(super) image: &'a VhdImage,
    pub(super) sparse: &'a Sparse,
}

impl InFile<'_> {
    /// Where the bitmap of a block begins, by its entry; an error where no block can be.
    pub(super) fn place(&self, block: u64, entry: u32) -> Result<u64> {
        let (sparse, len) = (self.sparse, self.image.stored.size());
        let bitmap = u64::from(entry) * SECTOR;
        let faulty = |what: String| {
            let what = format!("the table places block {block} at byte {bitmap}, {what}");
            Err(Error::corrupt(sparse.table_at + block * ENTRY, what))
        };
        if bitmap + sparse.bitmap >= len {
            return faulty(format!("and the file ends at byte {len}"));
        }
        // Its last sector may be missing; what is there can still be read.
        let whole = Extent::new(bitmap, sparse.bitmap + sparse.block);
        match sparse.structures().into_iter().find(|other| !other.intersect(whole).is_empty()) {
            Some(other) => faulty(format!("over the structures at byte {}", other.offset)),
            None => Ok(bitmap),
        }
    }

    /// An entry of the table; `None` where the block is not there.
    fn entry(&self, block: u64) -> io::Result<Option<u32>> {
        let (sparse, at) = (self.sparse, self.sparse.table_at);
        if block >= sparse.entries {
            let what = format!(
                "the block allocation table ends after {} entries, before that of block {block}",
                sparse.entries
            );
            return Err(Error::corrupt(at + sparse.entries * ENTRY, what).into_io());
        }
        let entry = match &sparse.table {
            Some(table) => table[block as usize].get(),
            None => sparse.entries(&self.image.stored, block..block + 1)?[0],
        };
        Ok((entry != UNALLOCATED).then_some(entry))
    }
}

impl Blocks for InFile<'_> {
    fn disk_size(&self) -> u64 {
        self.image.size
    }

    fn block_size(&self) -> u64 {
        self.sparse.block
    }

    fn payload(&self, block: u64) -> io::Result<Option<u64>> {
        let Some(entry) = self.entry(block)? else { return Ok(None) };
        let bitmap = self.place(block, entry).map_err(Error::into_io)?;
        Ok(Some(bitmap + self.sparse.bitmap))
    }

    fn next_allocated(&self, block: u64, limit: u64) -> io::Result<u64> {
        let end = limit.min(self.sparse.entries).min(block.saturating_add(ENTRIES_A_LOOK)).max(block);
        if let Some(table) = &self.sparse.table {
            let absent = |entry: &U32<BigEndian>| entry.get() == UNALLOCATED;
            let rest = if block < end { in_range(table, &(block..end)) } else { &[] };
            return Ok(block + rest.iter().take_while(|entry| absent(entry)).count() as u64);
        }
        let mut at = block;
        while at < end {
            let part = at..(at + ENTRIES_AT_ONCE).min(end);
            let list = self.sparse.entries(&self.image.stored, part.clone())?;
            match list.iter().position(|entry| *entry != UNALLOCATED) {
                Some(index) => return Ok(at + index as u64),
                None => at = part.end,
            }
        }
        Ok(end)
    }

    fn own(&self, block: u64, sectors: Range<u64>) -> io::Result<Own> {
        let Some(payload) = self.payload(block)? else { return Ok(Own::All) };
        let bitmap = payload - self.sparse.bitmap;
        let mut bits = vec![0; (sectors.end.div_ceil(8) - sectors.start / 8) as usize];
        self.stored(&mut bits, bitmap + sectors.start / 8)?;
        Ok(Own::Bits { first: sectors.start / 8 * 8, bits })
    }

    fn stored(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let len = self.image.stored.size();
        if offset + buf.len() as u64 > len {
            let what = format!("a block goes on here, and the file ends at byte {len}");
            return Err(Error::corrupt(offset, what).into_io());
        }
        self.image.stored.read_at(buf, offset)
    }

    fn stored_content(&self, offset: u64) -> io::Result<(Content, u64)> {
        if offset >= self.image.stored.size() {
            // Whoever reads it will be told.
            return Ok((Content::Data, u64::MAX));
        }
        self.image.stored.content_at(offset)
    }

    fn parent(&self) -> Option<&Arc<dyn Opened>> {
        self.sparse.parent.as_ref()
    }
}
