//! The writer of monolithicSparse images.
//!
//! ```text
//!   put ──► grain known? ──► its place in the file         (neighbours in the file: one write)
//!                 └─ no ──► the file's end, and an entry of a table in memory
//!   checkpoint: grains, flush, the tables that changed and their redundant copies, flush
//! ```
//!
//! Directories and tables have their place from the start, as all writers have it; the tables are holes until they are
//! written. Of the tables in memory those that are written are dropped when there are many.

use super::descriptor::embedded;
use super::grains::{Grid, Join, Lookup, Place, Table, run};
use super::layout::*;
use super::reader::{content_from, fill_from};
use super::sparse::read_plain;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::image::differing::unreadable_parent;
use crate::image::{self, Image, Opened, Sink, Spec};
use crate::io::{Content, ReadAt, Storage, read_padded};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// So many tables are kept in memory: 16 MiB, of 256 GiB of the disk.
const MOST_TABLES: usize = 8192;
/// Bytes of tables that are written at once.
const AT_ONCE: usize = 1 << 20;

/// A grain table in memory.
pub(super) struct Kept {
    entries: Box<[Entry; GTES as usize]>,
    dirty: bool,
}

/// A monolithicSparse image under construction.
pub(super) struct SparseImage {
    pub(super) storage: Box<dyn Storage>,
    parent: Option<Arc<dyn Opened>>,
    spec: Spec,
    pub(super) layout: Layout,
    pub(super) grid: Grid,
    /// The length of the content, padded to whole sectors.
    size: u64,
    tables: HashMap<u64, Kept>,
    /// Whether a table says anything, in memory or in the file.
    pub(super) touched: Vec<bool>,
    /// The byte of the file where the next grain will be.
    pub(super) next: u64,
}

impl SparseImage {
    /// A new image in empty storage.
    pub(super) fn create(place: image::Place, spec: &Spec) -> Result<SparseImage> {
        let image = SparseImage::over(place, spec)?;
        image.write_directories()?;
        let tables = image.layout.tables * GT_BYTES;
        if !image.storage.holds_holes() {
            for at in [image.layout.table_at(0) - image.layout.redundant_before(), image.layout.table_at(0)] {
                image.storage.zero_at(Extent::new(at, tables)).map_err(|error| failed("writing", error))?;
            }
        }
        image.set_length(image.next)?;
        Ok(image)
    }

    /// An image without grains, of which nothing is written yet.
    pub(super) fn over(place: image::Place, spec: &Spec) -> Result<SparseImage> {
        assert!(spec.parent.is_some() == place.parent.is_some(), "a child is given its parent");
        let layout = Layout::of(spec.size)?;
        Ok(SparseImage {
            storage: place.storage,
            grid: Grid { grain: GRAIN, gtes: GTES, zeroed: place.parent.is_some() },
            parent: place.parent,
            spec: spec.clone(),
            layout,
            size: layout.capacity * SECTOR,
            tables: HashMap::new(),
            touched: vec![false; layout.tables as usize],
            next: layout.over_head * SECTOR,
        })
    }

    /// Header, descriptor and both directories: all of it follows from the plan.
    pub(super) fn write_directories(&self) -> Result<()> {
        self.write_header(true)?;
        let layout = &self.layout;
        for (gd, before) in [(layout.rgd, layout.redundant_before()), (layout.gd, 0)] {
            let sector = |table: u64| Entry::new(((layout.table_at(table) - before) / SECTOR) as u32);
            let mut directory: Vec<Entry> = (0..layout.tables).map(sector).collect();
            directory.resize((layout.gd_sectors() * SECTOR / 4) as usize, Entry::new(0));
            self.write(directory.as_bytes(), gd * SECTOR)?;
        }
        Ok(())
    }

    fn write_header(&self, unclean: bool) -> Result<()> {
        let capacity = self.size / SECTOR;
        let mut header = SparseExtentHeader::of(capacity);
        let mut flags = FLAG_NEWLINES | FLAG_REDUNDANT;
        if self.grid.zeroed {
            // Zeros over a parent: what version 2 is for. An image without parent is read by older readers too.
            flags |= FLAG_ZEROED;
            header.version = 2.into();
        }
        header.flags = flags.into();
        header.rgd_offset = self.layout.rgd.into();
        header.gd_offset = self.layout.gd.into();
        header.over_head = self.layout.over_head.into();
        header.unclean_shutdown = u8::from(unclean);
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(embedded(&self.spec, "monolithicSparse", "RW", capacity)?);
        self.write(&bytes, 0)
    }

    pub(super) fn write(&self, data: &[u8], at: u64) -> Result<()> {
        self.storage.write_at(data, at).map_err(|error| failed("writing", error).at(at))
    }

    pub(super) fn set_length(&self, len: u64) -> Result<()> {
        self.storage.set_size(len).map_err(|error| failed("setting the size of", error))
    }

    /// Bytes of the file from `at`; zeros behind its end.
    fn read_file(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        read_padded(&*self.storage, buf, at)
    }

    /// The entries of a table, brought into memory.
    fn table(&mut self, number: u64) -> Result<&mut Kept> {
        if !self.tables.contains_key(&number) {
            self.make_room()?;
            let mut entries: Box<[Entry; GTES as usize]> = Box::new([Entry::new(0); GTES as usize]);
            if self.touched[number as usize] {
                let read = self.read_file(entries.as_mut_bytes(), self.layout.table_at(number));
                read.map_err(|error| Error::io("reading the image back", error))?;
            }
            self.tables.insert(number, Kept { entries, dirty: false });
        }
        Ok(self.tables.get_mut(&number).expect("it was put there"))
    }

    fn make_room(&mut self) -> Result<()> {
        if self.tables.len() < MOST_TABLES {
            return Ok(());
        }
        self.tables.retain(|_, table| table.dirty);
        if self.tables.len() >= MOST_TABLES / 2 {
            // Tables may not be in the file before what they point to.
            self.checkpoint()?;
            self.tables.clear();
        }
        Ok(())
    }

    fn set_entry(&mut self, grain: u64, sector: u32) -> Result<()> {
        let (number, index) = (grain / GTES, (grain % GTES) as usize);
        let table = self.table(number)?;
        table.entries[index] = sector.into();
        table.dirty = true;
        self.touched[number as usize] = true;
        Ok(())
    }

    fn place(&mut self, grain: u64) -> Result<Place> {
        let grid = self.grid;
        if !self.touched[(grain / GTES) as usize] {
            return Ok(Place::Absent);
        }
        let entry = self.table(grain / GTES)?.entries[(grain % GTES) as usize];
        Ok(grid.place(entry))
    }

    /// A place at the end of the file for a grain.
    fn allocate(&mut self, grain: u64) -> Result<u64> {
        let at = self.next;
        let sector = u32::try_from(at / SECTOR).map_err(|_| too_large(self.size))?;
        self.set_entry(grain, sector)?;
        self.next += GRAIN;
        Ok(at)
    }

    /// Puts a part of a grain that has no place yet.
    fn put_first_part(&mut self, offset: u64, data: &[u8], was: Place) -> Result<()> {
        let grain = offset / GRAIN;
        let inside = (offset % GRAIN) as usize;
        // The entry comes last: where the write fails, what is held of the parent is still to be seen.
        let at = self.next;
        let over = self.parent.as_deref().filter(|_| was == Place::Absent);
        if over.is_none() && self.storage.holds_holes() {
            self.write(data, at + inside as u64)?;
            if self.storage.size() < at + GRAIN {
                self.set_length(at + GRAIN)?;
            }
            return self.allocate(grain).map(|_| ());
        }
        let mut whole = vec![0; GRAIN as usize];
        fill_from(over, &mut whole, grain * GRAIN)
            .map_err(|error| unreadable_parent(error, grain * GRAIN))?;
        whole[inside..inside + data.len()].copy_from_slice(data);
        self.write(&whole, at)?;
        self.allocate(grain).map(|_| ())
    }

    /// The tables that changed, and their copies, neighbours at once.
    fn write_tables(&mut self) -> Result<bool> {
        let dirty = self.tables.iter().filter(|(_, table)| table.dirty);
        let mut numbers: Vec<u64> = dirty.map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        let mut rest = &numbers[..];
        while let Some(&first) = rest.first() {
            let adjacent =
                rest.iter().zip(first..).take_while(|(number, wanted)| **number == *wanted).count();
            let (part, behind) = rest.split_at(adjacent.min(AT_ONCE / GT_BYTES as usize));
            let mut bytes = Vec::with_capacity(part.len() * GT_BYTES as usize);
            for number in part {
                bytes.extend_from_slice(self.tables[number].entries.as_bytes());
            }
            let at = self.layout.table_at(first);
            self.write(&bytes, at)?;
            self.write(&bytes, at - self.layout.redundant_before())?;
            rest = behind;
        }
        self.tables.values_mut().for_each(|table| table.dirty = false);
        Ok(!numbers.is_empty())
    }

    pub(super) fn flush(&self) -> Result<()> {
        self.storage.flush().map_err(|error| failed("flushing", error))
    }

    /// Zeros over what the parent has there.
    fn zero_over_parent(&mut self, at: Extent) -> Result<()> {
        let mut offset = at.offset;
        while offset < at.end() {
            let whole = Extent::new(offset, GRAIN).intersect(Extent::between(offset, at.end()));
            let grain = offset / GRAIN;
            let to_boundary = Extent::between(offset, (grain + 1) * GRAIN).intersect(whole);
            if self.place(grain)? == Place::Absent {
                let covers = offset.is_multiple_of(GRAIN)
                    && (to_boundary.len == GRAIN || to_boundary.end() >= self.size);
                if covers {
                    self.set_entry(grain, GTE_ZEROED)?;
                } else {
                    self.put(offset, &vec![0; to_boundary.len as usize])?;
                }
            }
            offset = to_boundary.end();
        }
        Ok(())
    }

    /// Zeros over grains that have a place: they keep it.
    fn zero_stored(&mut self, at: Extent) -> Result<()> {
        let mut offset = at.offset;
        while offset < at.end() {
            let window = Extent::between(offset, at.end());
            let (place, until) = self
                .run(window, Join::Adjacent)
                .map_err(|error| Error::io("reading the image back", error))?;
            if let Place::Stored(start) = place {
                let stored = Extent::new(start, until - offset);
                self.storage
                    .zero_at(stored)
                    .map_err(|error| failed("writing zeros to", error).at(stored.offset))?;
            }
            offset = until;
        }
        Ok(())
    }

    /// Makes a part of a grain that is held in part what it is in a new image.
    pub(super) fn forget(&mut self, part: Extent) -> Result<()> {
        let Some(parent) = self.parent.clone() else { return self.zero_stored(part) };
        let mut data = vec![0; part.len as usize];
        fill_from(Some(&*parent), &mut data, part.offset)
            .map_err(|error| unreadable_parent(error, part.offset))?;
        self.put(part.offset, &data)
    }

    fn run(&self, window: Extent, join: Join) -> io::Result<(Place, u64)> {
        run(&mut self.lookup(), self.grid, window, join)
    }

    fn lookup(&self) -> Tables<'_> {
        Tables { image: self, read: [Entry::new(0); GTES as usize] }
    }
}

/// The tables of an image under construction: those in memory, and those in the file.
struct Tables<'a> {
    image: &'a SparseImage,
    read: [Entry; GTES as usize],
}

impl Lookup for Tables<'_> {
    fn table(&mut self, number: u64) -> io::Result<Table<'_>> {
        let rest = self.image.touched.get(number as usize..).unwrap_or_default();
        if rest.first() != Some(&true) {
            let absent = rest.iter().take_while(|touched| !**touched).count() as u64;
            return Ok(Table::Absent(number.saturating_add(absent.max(1))));
        }
        if let Some(kept) = self.image.tables.get(&number) {
            return Ok(Table::Entries(&kept.entries[..]));
        }
        self.image.read_file(self.read.as_mut_bytes(), self.image.layout.table_at(number))?;
        Ok(Table::Entries(&self.read))
    }
}

pub(super) fn failed(doing: &str, error: io::Error) -> Error {
    Error::writing(format!("{doing} the image"), error)
}

impl Sink for SparseImage {
    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let end = offset + data.len() as u64;
        assert!(end <= self.size, "a put within the image");
        // What is adjacent on the disk and in the file, and not written yet: its place, and its part of `data`.
        let (mut to, mut from, mut upto) = (0, 0, 0);
        let mut at = offset;
        while at < end {
            let part = Extent::between(at, ((at / GRAIN + 1) * GRAIN).min(end));
            let (start, stop) = ((at - offset) as usize, (part.end() - offset) as usize);
            let place = match self.place(at / GRAIN)? {
                Place::Stored(place) => Some(place + at % GRAIN),
                _ if part.len == GRAIN => Some(self.allocate(at / GRAIN)?),
                was => {
                    self.put_first_part(at, &data[start..stop], was)?;
                    None
                }
            };
            if let Some(place) = place {
                if upto != start || to + (upto - from) as u64 != place || from == upto {
                    if from < upto {
                        self.write(&data[from..upto], to)?;
                    }
                    (to, from) = (place, start);
                }
                upto = stop;
            }
            at = part.end();
        }
        if from < upto { self.write(&data[from..upto], to) } else { Ok(()) }
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        assert!(at.end() <= self.size, "a zero within the image");
        self.zero_stored(at)?;
        let Some(parent) = self.parent.clone() else { return Ok(()) };
        let mut offset = at.offset;
        while offset < at.end() {
            let (content, until) = content_from(Some(&*parent), Extent::between(offset, at.end()))
                .map_err(|error| unreadable_parent(error, offset))?;
            if content == Content::Data {
                self.zero_over_parent(Extent::between(offset, until))?;
            }
            offset = until;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.flush()?;
        if self.write_tables()? { self.flush() } else { Ok(()) }
    }
}

impl ReadAt for SparseImage {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= self.size);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut fill = |buf: &mut [u8], at| fill_from(self.parent.as_deref(), buf, at);
        read_plain(&*self.storage, &mut self.lookup(), self.grid, buf, offset, &mut fill)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        if offset >= self.size {
            return Ok((Content::Data, offset.saturating_add(1)));
        }
        let all = Extent::between(offset, self.size);
        match self.run(Extent::new(offset, 1), Join::Stored)?.0 {
            Place::Zero => Ok((Content::Zero, self.run(all, Join::Stored)?.1)),
            Place::Stored(_) => Ok((Content::Data, self.run(all, Join::Stored)?.1)),
            Place::Absent => {
                let (content, known) = content_from(self.parent.as_deref(), all)?;
                Ok((content, self.run(Extent::between(offset, known), Join::Stored)?.1))
            }
        }
    }
}

impl Image for SparseImage {
    fn set_end(&mut self, size: u64) -> Result<()> {
        let size_before = self.size;
        let padded = size.next_multiple_of(SECTOR);
        if padded > size_before {
            return Ok(());
        }
        // What is left of the last sector reads as zeros, also over a parent.
        self.zero(Extent::between(size, padded))?;
        self.size = padded;
        let rest = Extent::between(padded, padded.next_multiple_of(GRAIN).min(size_before));
        self.zero_stored(rest)?;
        let grains = padded.div_ceil(GRAIN);
        for number in grains / GTES..self.layout.tables {
            if !self.touched[number as usize] {
                continue;
            }
            let table = self.table(number)?;
            let keep = grains.saturating_sub(number * GTES).min(GTES) as usize;
            table.entries[keep..].fill(Entry::new(0));
            table.dirty = true;
        }
        self.next = self.end_of_grains()?;
        self.set_length(self.next)
    }

    fn finish(&mut self) -> Result<()> {
        // What is left of the last sector reads as zeros, also over a parent.
        if self.parent.is_some() && self.spec.size < self.size {
            self.zero(Extent::between(self.spec.size, self.size))?;
        }
        self.set_length(self.next)?;
        self.checkpoint()?;
        self.write_header(false)?;
        self.flush()
    }
}

impl SparseImage {
    /// Where the last grain ends that a table points to.
    fn end_of_grains(&self) -> Result<u64> {
        let mut end = self.layout.over_head * SECTOR;
        let mut lookup = self.lookup();
        for number in 0..self.layout.tables {
            let table = lookup.table(number).map_err(|error| Error::io("reading the image back", error))?;
            let Table::Entries(entries) = table else { continue };
            for entry in entries {
                if let Place::Stored(start) = self.grid.place(*entry) {
                    end = end.max(start + GRAIN);
                }
            }
        }
        Ok(end)
    }
}
