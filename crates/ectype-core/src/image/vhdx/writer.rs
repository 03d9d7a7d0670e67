//! Writing a VHDX: the file grows at its end, and the log stays empty.
//!
//! ```text
//!   put ──► payload block (new ones at the end) ──► BAT and sector bitmaps, in memory
//!   checkpoint: payload │ flush │ changed pages of sector bitmaps │ flush │ those of the BAT │ flush
//! ```
//!
//! A page of a table that is torn is no harm: each of its entries is old or new, and what the new ones point to is durable, but
//! for one: an entry of a block that is partially present may be there before that of its bitmap.
//! Until it is finished the file carries an item that keeps others from opening it ([`INCOMPLETE_FILE`]).

use super::grow::Growing;
use super::layout::*;
use super::map::{Geometry, Map, Tables};
use super::metadata;
use super::pages::{PAGE, Pages};
use super::plan::{self, LOG, Layout};
use crate::error::{Error, Result};
use crate::extent::{Extent, Extents};
use crate::image::{Image, Opened, Place, Sink, Spec};
use crate::io::{Content, ReadAt};
use std::io;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// A VHDX under construction.
pub(super) struct Writer {
    pub(super) file: Growing,
    pub(super) layout: Layout,
    pub(super) spec: Spec,
    pub(super) pages: Pages,
    pub(super) parent: Option<Arc<dyn Opened>>,
    /// Space in the file that nothing takes any more; no part of it is smaller than a block.
    pub(super) free: Extents,
    /// Over a parent: zeros that are not entered yet, since whole blocks of them cost nothing.
    zeros: Extent,
}

/// The bytes of the disk in each block that `at` touches, with the block's number.
fn blocks(geometry: Geometry, at: Extent) -> impl Iterator<Item = (u64, Extent)> {
    let numbers =
        if at.is_empty() { 0..0 } else { at.offset / geometry.block..at.end().div_ceil(geometry.block) };
    numbers.map(move |block| (block, at.intersect(geometry.extent(block))))
}

/// Begins an image in an empty storage.
pub(super) fn create(place: Place, spec: &Spec) -> Result<Writer> {
    let layout = Layout::new(spec);
    let mut writer = Writer::new(Growing::new(place.storage, layout.payload()), place.parent, layout, spec);
    writer.write_front()?;
    for (index, sequence) in [1, 2].into_iter().enumerate() {
        writer.write_header(index, sequence)?;
    }
    match spec.subformat.as_str() {
        "fixed" => writer.allocate_all()?,
        _ => writer.enter_zeros()?,
    }
    Ok(writer)
}

impl Writer {
    pub(super) fn new(file: Growing, parent: Option<Arc<dyn Opened>>, layout: Layout, spec: &Spec) -> Writer {
        let (pages, free) = (Pages::default(), Extents::new());
        Writer { file, layout, spec: spec.clone(), pages, parent, free, zeros: Extent::new(0, 0) }
    }

    pub(super) fn is_fixed(&self) -> bool {
        self.spec.subformat == "fixed"
    }

    /// Writes what follows from the spec: identifier, region tables, metadata.
    pub(super) fn write_front(&mut self) -> Result<()> {
        let mut identifier = vec![0; 4096];
        identifier[..8].copy_from_slice(&FILE_SIGNATURE);
        let creator = concat!("ectype ", env!("CARGO_PKG_VERSION"));
        for (place, unit) in identifier[8..520].chunks_exact_mut(2).zip(creator.encode_utf16()) {
            place.copy_from_slice(&unit.to_le_bytes());
        }
        self.file.write(&identifier, 0)?;
        let regions = metadata::region_table_bytes(&self.layout.regions);
        for at in REGION_TABLES {
            // The rest of it is zeros.
            self.file.write(&regions[..4096], at)?;
        }
        self.write_metadata(true)
    }

    fn write_metadata(&mut self, incomplete: bool) -> Result<()> {
        let metadata = plan::metadata(&self.spec, self.layout.geometry.size, incomplete)?;
        for (offset, bytes) in metadata.bytes() {
            self.file.write(&bytes, self.layout.regions.metadata.offset + offset)?;
        }
        Ok(())
    }

    /// Writes the header number `index`, with GUIDs that no other sequence number has.
    pub(super) fn write_header(&mut self, index: usize, sequence: u64) -> Result<()> {
        let header = Header {
            signature: HEADER_SIGNATURE,
            checksum: 0.into(),
            sequence_number: sequence.into(),
            // Both headers of a pair are to say the same: an odd sequence number and the even one behind it.
            file_write_guid: plan::guid(self.spec.id, "file", sequence.div_ceil(2)),
            data_write_guid: plan::guid(self.spec.id, "data", sequence.div_ceil(2)),
            log_guid: Guid::ZERO,
            log_version: 0.into(),
            version: 1.into(),
            log_length: (LOG.len as u32).into(),
            log_offset: LOG.offset.into(),
        };
        self.file.write(&metadata::header_bytes(&header), HEADERS[index])
    }

    /// Gives every block of a fixed image its place.
    pub(super) fn allocate_all(&mut self) -> Result<()> {
        let geometry = self.layout.geometry;
        for block in 0..geometry.blocks() {
            let place = self.layout.payload() + block * geometry.block;
            self.set_entry(geometry.index(block), BatEntry::new(BatEntry::FULLY_PRESENT, place))?;
        }
        self.file.end = self.layout.payload() + geometry.blocks() * geometry.block;
        Ok(())
    }

    /// The entry of a block in which nothing was put. Without a parent it is said to be zeros: what is not present may
    /// be anything (§2.5.1.1).
    pub(super) fn absent(&self, index: u64) -> BatEntry {
        match self.layout.geometry {
            Geometry { has_parent: true, .. } => BatEntry::default(),
            geometry if geometry.block_of(index).is_none() => BatEntry::default(),
            _ => BatEntry::new(BatEntry::ZERO, 0),
        }
    }

    /// Enters every block of a new image as zeros.
    fn enter_zeros(&mut self) -> Result<()> {
        const AT_ONCE: u64 = 128 << 10;
        let geometry = self.layout.geometry;
        let mut first = 0;
        while first < geometry.entries() && !geometry.has_parent {
            let last = (first + AT_ONCE).min(geometry.entries());
            let entries: Vec<BatEntry> = (first..last).map(|index| self.absent(index)).collect();
            self.file.write(entries.as_bytes(), geometry.entry_at(first))?;
            first = last;
        }
        Ok(())
    }

    /// BAT entry `index`.
    pub(super) fn entry(&self, index: u64) -> Result<BatEntry> {
        let mut entry = [BatEntry::default()];
        self.entries(index, &mut entry).map_err(|error| Error::io("reading the BAT", error))?;
        Ok(entry[0])
    }

    pub(super) fn set_entry(&mut self, index: u64, entry: BatEntry) -> Result<()> {
        self.make_room()?;
        self.pages.set_entry(&self.file, self.layout.geometry.entry_at(index), entry)
    }

    /// Sees to it that the tables in memory stay few.
    fn make_room(&mut self) -> Result<()> {
        if self.pages.is_full() {
            self.pages.forget();
        }
        if self.pages.is_full() {
            // What they point to comes first.
            self.file.flush()?;
            self.pages.write(&mut self.file, self.layout.regions.bat)?;
            self.pages.forget();
        }
        Ok(())
    }

    /// `len` fresh bytes of the file.
    fn allocate(&mut self, len: u64) -> Result<u64> {
        let free = self.free.iter().find(|free| free.len >= len);
        if let Some(free) = free {
            let taken = Extent::new(free.offset, len);
            self.free.remove(taken);
            let rest = Extent::between(taken.end(), free.end());
            if rest.len < self.layout.geometry.block {
                self.free.remove(rest);
            }
            self.file.zero(taken)?;
            return Ok(taken.offset);
        }
        self.file.end += len;
        Ok(self.file.end - len)
    }

    /// Where the block lies into which `part` of the disk is put; it becomes present.
    fn present(&mut self, block: u64, part: Extent) -> Result<u64> {
        let geometry = self.layout.geometry;
        let index = geometry.index(block);
        let entry = self.entry(index)?;
        match entry.state_bits() {
            BatEntry::FULLY_PRESENT => return Ok(entry.place()),
            BatEntry::PARTIALLY_PRESENT => {
                self.mark(block, part)?;
                return Ok(entry.place());
            }
            _ => {}
        }
        let place = self.allocate(geometry.block)?;
        // What else is in a new block are zeros: right, unless the parent's content is to be seen.
        let see_through = geometry.has_parent
            && entry.state_bits() == BatEntry::NOT_PRESENT
            && !part.covers(geometry.extent(block));
        if see_through {
            self.set_bits(block, geometry.extent(block), false)?;
            self.set_bits(block, part, true)?;
            self.set_entry(index, BatEntry::new(BatEntry::PARTIALLY_PRESENT, place))?;
        } else {
            self.set_entry(index, BatEntry::new(BatEntry::FULLY_PRESENT, place))?;
        }
        Ok(place)
    }

    /// Notes that `part` of a block that is partially present is here now.
    fn mark(&mut self, block: u64, part: Extent) -> Result<()> {
        let geometry = self.layout.geometry;
        self.set_bits(block, part, true)?;
        if self.is_whole(block)? {
            let place = self.entry(geometry.index(block))?.place();
            self.set_entry(geometry.index(block), BatEntry::new(BatEntry::FULLY_PRESENT, place))?;
        }
        Ok(())
    }

    /// Whether all sectors of the block are here by its bitmap.
    fn is_whole(&self, block: u64) -> Result<bool> {
        let geometry = self.layout.geometry;
        let extent = geometry.extent(block);
        let place = self.entry(geometry.bitmap_index(block))?.place();
        let (first, count) = (geometry.bit(extent.offset), extent.len / geometry.sector);
        let mut bytes = vec![0; count.div_ceil(8) as usize];
        // A block begins on a byte of its bitmap: the smallest has 256 sectors.
        let read = self.bitmap(place + first / 8, &mut bytes);
        read.map_err(|error| Error::io("reading a sector bitmap", error))?;
        let (whole, rest) = ((count / 8) as usize, count % 8);
        let tail = bytes.get(whole).is_none_or(|byte| byte & ((1 << rest) - 1) == (1 << rest) - 1);
        Ok(bytes[..whole].iter().all(|byte| *byte == 0xff) && tail)
    }

    /// Sets or clears the bits of the sectors of `part`, which lies in `block`.
    pub(super) fn set_bits(&mut self, block: u64, part: Extent, on: bool) -> Result<()> {
        let geometry = self.layout.geometry;
        let index = geometry.bitmap_index(block);
        let mut entry = self.entry(index)?;
        if entry.state_bits() != BatEntry::FULLY_PRESENT {
            if !on {
                return Ok(());
            }
            entry = BatEntry::new(BatEntry::FULLY_PRESENT, self.allocate(BITMAP_BLOCK)?);
            self.set_entry(index, entry)?;
        }
        let first = geometry.bit(part.offset);
        let last = first + part.len.div_ceil(geometry.sector);
        let mut bit = first;
        while bit < last {
            let end = (bit / (PAGE * 8) * (PAGE * 8) + PAGE * 8).min(last);
            self.make_room()?;
            self.pages.set_bits(&self.file, entry.place(), bit, end, on)?;
            bit = end;
        }
        Ok(())
    }

    /// Puts whole sectors, or what the content ends with.
    fn put_sectors(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let geometry = self.layout.geometry;
        let at = Extent::new(offset, data.len() as u64);
        // Blocks that lie one behind the other in the file are written as one.
        let mut run: Option<(u64, Extent)> = None;
        for (block, part) in blocks(geometry, at) {
            let place = self.present(block, part)? + (part.offset - block * geometry.block);
            run = Some(match run {
                Some((start, bytes)) if start + bytes.len == place => {
                    (start, Extent::between(bytes.offset, part.end()))
                }
                Some((start, bytes)) => {
                    self.file.write(slice(data, offset, bytes), start)?;
                    (place, part)
                }
                None => (place, part),
            });
        }
        match run {
            Some((start, bytes)) => self.file.write(slice(data, offset, bytes), start),
            None => Ok(()),
        }
    }

    /// Over a parent a sector is here or there as a whole: what is put in parts of one is completed first.
    fn put_over_parent(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let at = Extent::new(offset, data.len() as u64);
        let whole =
            at.align_out(self.layout.geometry.sector).intersect(Extent::new(0, self.layout.geometry.size));
        if whole == at {
            return self.put_sectors(offset, data);
        }
        let mut bytes = vec![0; whole.len as usize];
        let read = self.map().read_at(&mut bytes, whole.offset);
        read.map_err(|error| Error::io("reading the image", error).at(whole.offset))?;
        if at.end() >= self.spec.size {
            // Behind the content there are zeros, whatever the parent has.
            bytes[(at.end() - whole.offset) as usize..].fill(0);
        }
        bytes[(at.offset - whole.offset) as usize..][..data.len()].copy_from_slice(data);
        self.put_sectors(whole.offset, &bytes)
    }

    /// Makes `at` zeros where there is no parent: only what is present has to be.
    fn zero_present(&mut self, at: Extent) -> Result<()> {
        const AT_ONCE: u64 = 8192;
        let geometry = self.layout.geometry;
        let mut run = Extent::new(0, 0);
        let (mut first, mut entries) = (0, Vec::new());
        for (block, part) in blocks(geometry, at) {
            let index = geometry.index(block);
            if entries.is_empty() || index >= first + entries.len() as u64 {
                let last = geometry.index((at.end() - 1) / geometry.block);
                first = index;
                entries.resize((last + 1 - index).min(AT_ONCE) as usize, BatEntry::default());
                self.entries(first, &mut entries).map_err(|error| Error::io("reading the BAT", error))?;
            }
            let entry = entries[(index - first) as usize];
            if entry.state_bits() != BatEntry::FULLY_PRESENT {
                continue;
            }
            let place = Extent::new(entry.place() + (part.offset - block * geometry.block), part.len);
            if run.end() == place.offset {
                run = Extent::between(run.offset, place.end());
            } else {
                self.file.zero(std::mem::replace(&mut run, place))?;
            }
        }
        self.file.zero(run)
    }

    /// Enters zeros over a parent. A block that is wholly zeros needs no place.
    fn zero_over_parent(&mut self, at: Extent) -> Result<()> {
        let geometry = self.layout.geometry;
        for (block, part) in blocks(geometry, at) {
            let index = geometry.index(block);
            let entry = self.entry(index)?;
            match entry.state_bits() {
                BatEntry::FULLY_PRESENT | BatEntry::PARTIALLY_PRESENT => {
                    let place = self.present(block, part)? + (part.offset - block * geometry.block);
                    self.file.zero(Extent::new(place, part.len))?;
                }
                BatEntry::NOT_PRESENT if part.covers(geometry.extent(block)) => {
                    self.set_entry(index, BatEntry::new(BatEntry::ZERO, 0))?;
                }
                BatEntry::NOT_PRESENT if !self.parent_has_zeros(part) => {
                    self.present(block, part)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the parent is known to have nothing but zeros there.
    fn parent_has_zeros(&self, at: Extent) -> bool {
        let Some(parent) = &self.parent else { return true };
        let mut offset = at.offset;
        while offset < at.end().min(parent.size()) {
            match parent.content_at(offset) {
                Ok((Content::Data, _)) | Err(_) => return false,
                Ok((_, until)) => offset = until,
            }
        }
        true
    }

    /// Enters the zeros that were put off.
    fn settle(&mut self) -> Result<()> {
        let at = std::mem::replace(&mut self.zeros, Extent::new(0, 0));
        if at.is_empty() {
            return Ok(());
        }
        let (sector, size) = (self.layout.geometry.sector, self.spec.size);
        // What the content ends with is a whole sector.
        let at = if at.end() >= size { Extent::between(at.offset, self.layout.geometry.size) } else { at };
        let inner = at.align_in(sector);
        if inner.is_empty() {
            return self.put_over_parent(at.offset, &vec![0; at.len as usize]);
        }
        for edge in [Extent::between(at.offset, inner.offset), Extent::between(inner.end(), at.end())] {
            if !edge.is_empty() {
                self.put_over_parent(edge.offset, &vec![0; edge.len as usize])?;
            }
        }
        self.zero_over_parent(inner)
    }

    pub(super) fn map(&self) -> Map<'_> {
        Map {
            geometry: &self.layout.geometry,
            tables: self,
            file: &self.file,
            file_size: self.file.end,
            parent: self.parent.as_ref().map(|parent| parent as &dyn ReadAt),
        }
    }

    /// Gives up the free space at the end of the file.
    pub(super) fn trim(&mut self) {
        let last = self.free.iter().next_back();
        if let Some(last) = last.filter(|free| free.end() == self.file.end) {
            self.file.end = last.offset;
            self.free.remove(last);
        }
    }

    /// Takes the place of what lies behind the disk's new end from it.
    fn drop_behind(&mut self, old: Geometry) -> Result<()> {
        let new = self.layout.geometry;
        let chunks = new.blocks().div_ceil(new.ratio());
        for index in new.index(new.blocks() - 1) + 1..old.entries() {
            let is_bitmap = old.block_of(index).is_none();
            if is_bitmap && index / (old.ratio() + 1) < chunks {
                continue;
            }
            let entry = self.entry(index)?;
            if entry.bits() == 0 {
                continue;
            }
            let len = if is_bitmap { BITMAP_BLOCK } else { old.block };
            if entry.state_bits() >= BatEntry::FULLY_PRESENT {
                self.free.insert(Extent::new(entry.place(), len));
            }
            self.set_entry(index, BatEntry::default())?;
        }
        self.trim();
        let kept: Vec<Extent> = self.free.iter().filter(|free| free.len >= new.block).collect();
        self.free = kept.into_iter().collect();
        Ok(())
    }
}

/// The bytes of `part`, of `data` that begins at `offset` of the disk.
fn slice(data: &[u8], offset: u64, part: Extent) -> &[u8] {
    &data[(part.offset - offset) as usize..(part.end() - offset) as usize]
}

impl Tables for Writer {
    fn entries(&self, first: u64, out: &mut [BatEntry]) -> io::Result<()> {
        self.pages.read(&self.file, out.as_mut_bytes(), self.layout.geometry.entry_at(first))
    }

    fn bitmap(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.pages.read(&self.file, out, at)
    }
}

impl Sink for Writer {
    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let at = Extent::new(offset, data.len() as u64);
        assert!(at.len == data.len() as u64 && at.end() <= self.spec.size, "a put within the image");
        if self.parent.is_none() {
            return self.put_sectors(offset, data);
        }
        self.settle()?;
        self.put_over_parent(offset, data)
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        assert!(at.end() <= self.spec.size, "a zero within the image");
        if at.is_empty() {
            return Ok(());
        }
        if self.parent.is_none() {
            return self.zero_present(at);
        }
        if !self.zeros.is_empty() && self.zeros.end() == at.offset {
            self.zeros = Extent::between(self.zeros.offset, at.end());
            return Ok(());
        }
        self.settle()?;
        self.zeros = at;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.settle()?;
        if !self.is_fixed() {
            self.file.fill()?;
        }
        self.file.flush()?;
        if self.pages.any_changed() {
            self.pages.write(&mut self.file, self.layout.regions.bat)?;
            self.file.flush()?;
        }
        Ok(())
    }
}

impl ReadAt for Writer {
    fn size(&self) -> u64 {
        self.layout.geometry.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.map().read_at(buf, offset)?;
        let zeros = self.zeros.intersect(Extent::new(offset, buf.len() as u64));
        if !zeros.is_empty() {
            buf[(zeros.offset - offset) as usize..(zeros.end() - offset) as usize].fill(0);
        }
        Ok(())
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        if self.zeros.contains(offset) {
            return Ok((Content::Zero, self.zeros.end()));
        }
        let (content, until) = self.map().content_at(offset)?;
        let before = if self.zeros.offset > offset { self.zeros.offset } else { u64::MAX };
        Ok((content, if self.zeros.is_empty() { until } else { until.min(before) }))
    }
}

impl Image for Writer {
    fn set_end(&mut self, size: u64) -> Result<()> {
        assert!(size <= self.spec.size, "an image only becomes shorter");
        self.settle()?;
        let old = self.layout.geometry;
        // Even nothing takes a sector.
        let new = Geometry { size: size.next_multiple_of(old.sector).max(old.sector), ..old };
        // Of what lies behind only the rest of the last sector is ever seen again.
        let tail = Extent::between(size, new.size);
        match self.parent {
            Some(_) if !tail.is_empty() => self.put_over_parent(tail.offset, &vec![0; tail.len as usize])?,
            _ => self.zero_present(tail)?,
        }
        self.spec.size = size;
        self.layout.geometry = new;
        self.drop_behind(old)
    }

    fn finish(&mut self) -> Result<()> {
        self.settle()?;
        self.trim();
        self.file.fill()?;
        self.checkpoint()?;
        self.file.cut()?;
        self.write_metadata(false)?;
        self.file.flush()
    }
}
