//! A dynamic or differencing VHD under construction.
//!
//! ```text
//!   put ──► the block's slot; a new one at the end of the file      table, bitmaps: in memory
//!   checkpoint: blocks │ flush │ bitmaps of a differencing image │ flush │ table, footer behind the last slot │ flush
//! ```
//!
//! Whatever a crash leaves, the copy of the footer, the header and the table of the last checkpoint are in the file, so that it
//! can be opened; at a checkpoint the footer is at its end, too. Blocks lie on pages of 4 KiB, as Windows places them, so each
//! bitmap has some zeros in front of it.

use super::super::differing::unreadable_parent;
use super::super::{Facts, Image, Opened, Parent, Place, Sink, Spec};
use super::blocks::{self, Blocks, Own};
use super::layout::{
    DIFFERENCING, DYNAMIC, Disk, ENTRY, FOOTER, Footer, HEADER_COOKIE, Header, Locator, NOWHERE, Places,
    SECTOR, UNALLOCATED, VERSION, time_stamp,
};
use super::{parent, uses_chs};
use crate::error::{Error, Result};
use crate::extent::{Extent, Extents};
use crate::io::{Content, ReadAt, Storage, read_padded};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use zerocopy::byteorder::{BigEndian, U32};
use zerocopy::{FromZeros, IntoBytes};

/// So many entries of the table are written as one: a page.
pub(super) const ENTRIES_A_PAGE: usize = 1024;

/// So many bitmaps are kept in memory; of blocks of 2 MiB they take 2 MiB.
const MOST_BITMAPS: usize = 4096;

/// So many places that still have to become zeros are remembered.
const MOST_UNFILLED: usize = 4096;

/// A sparse image under construction.
pub(super) struct SparseImage {
    pub(super) storage: Box<dyn Storage>,
    pub(super) parent: Option<Arc<dyn Opened>>,
    pub(super) spec: Spec,
    /// Where the content ends, in bytes; the disk may be longer, in zeros.
    pub(super) content: u64,
    pub(super) disk: Disk,
    pub(super) places: Places,
    /// The slot of each block, or [`UNALLOCATED`].
    pub(super) table: Vec<u32>,
    /// The pages of the table that changed since they were written.
    pub(super) changed: BTreeSet<usize>,
    /// Slots from here on are not used yet.
    pub(super) end: u32,
    /// Slots before it that are free, the one that is used next at the end. Holes, where the target has them.
    pub(super) free: Vec<u32>,
    /// Bytes of slots that nothing was written to, where gaps are no zeros by themselves.
    pub(super) unfilled: Extents,
    /// From here on nothing was ever written to the file: where gaps are zeros, these are.
    pub(super) fresh_from: u64,
    /// Bitmaps of a differencing image that changed since they were written, by block.
    pub(super) bitmaps: BTreeMap<u64, Vec<u8>>,
    /// Something was put since the last checkpoint.
    pub(super) dirty: bool,
    /// The structures at the beginning have to be written.
    pub(super) head_changed: bool,
}

/// A new image.
pub(super) fn create(place: Place, spec: &Spec) -> Result<Box<dyn Image>> {
    let mut image = SparseImage::new(place, spec)?;
    image.changed = (0..image.table.len().div_ceil(ENTRIES_A_PAGE)).collect();
    image.write_structures()?;
    image.round_off(spec.size)?;
    Ok(Box::new(image))
}

impl SparseImage {
    /// An image in which no block is allocated, with nothing written yet.
    pub(super) fn new(place: Place, spec: &Spec) -> Result<SparseImage> {
        let disk = Disk::of(spec.size, uses_chs(spec));
        if let Some(named) = &spec.parent {
            fits(named, place.parent.as_deref(), disk)?;
        }
        let locators = spec.parent.as_ref().map_or(0, parent::room);
        let places = Places::new(disk.size, spec.block, locators);
        Ok(SparseImage {
            storage: place.storage,
            parent: spec.parent.as_ref().and(place.parent),
            spec: spec.clone(),
            content: spec.size,
            disk,
            table: vec![UNALLOCATED; places.entries as usize],
            places,
            changed: BTreeSet::new(),
            end: 0,
            free: Vec::new(),
            unfilled: Extents::new(),
            fresh_from: 0,
            bitmaps: BTreeMap::new(),
            dirty: true,
            head_changed: true,
        })
    }

    pub(super) fn failed(&self, doing: &'static str, at: u64) -> impl FnOnce(io::Error) -> Error + use<> {
        move |error| Error::writing(format!("{doing} the image"), error).at(at)
    }

    /// The extent of the disk that a block is.
    pub(super) fn block_at(&self, block: u64) -> Extent {
        Extent::new(block * self.places.block, self.places.block)
    }

    /// The slot of a block that is there.
    fn slot(&self, block: u64) -> Option<u32> {
        self.table.get(block as usize).copied().filter(|slot| *slot != UNALLOCATED)
    }

    pub(super) fn set_slot(&mut self, block: u64, slot: u32) {
        self.table[block as usize] = slot;
        self.changed.insert(block as usize / ENTRIES_A_PAGE);
        self.dirty = true;
    }

    /// The slot of a block, which gets one where it had none.
    fn slot_for(&mut self, block: u64) -> Result<u32> {
        if let Some(slot) = self.slot(block) {
            return Ok(slot);
        }
        let slot = self.free.last().copied().unwrap_or(self.end);
        let at = self.places.slot(slot);
        if !self.storage.holds_holes() {
            self.unfilled.insert(Extent::new(at, self.places.stride));
        }
        // Before the block is there: one whose bitmap could not be written would read as zeros for ever.
        if self.parent.is_none() {
            self.write(&vec![0xff; self.places.bitmap as usize], at)?;
        }
        if self.free.pop().is_none() {
            self.end += 1;
        }
        self.set_slot(block, slot);
        if self.parent.is_some() {
            self.keep_bitmap(block, vec![0; self.places.bitmap as usize])?;
        }
        Ok(slot)
    }

    fn write(&mut self, data: &[u8], at: u64) -> Result<()> {
        self.storage.write_at(data, at).map_err(self.failed("writing", at))?;
        let written = Extent::new(at, data.len() as u64);
        self.unfilled.remove(written);
        self.fresh_from = self.fresh_from.max(written.end());
        self.dirty = true;
        if self.unfilled.count() > MOST_UNFILLED {
            self.fill()?;
        }
        Ok(())
    }

    /// Makes stored bytes zeros.
    pub(super) fn clear(&mut self, at: Extent) -> Result<()> {
        let fresh = if self.storage.holds_holes() { self.fresh_from } else { u64::MAX };
        let wanted: Extents = [at.intersect(Extent::between(0, fresh))].into_iter().collect();
        for part in wanted.subtract(&self.unfilled).iter() {
            self.storage.zero_at(part).map_err(self.failed("writing zeros to", part.offset))?;
        }
        self.dirty = true;
        Ok(())
    }

    /// Writes zeros where nothing was written yet and gaps are none.
    fn fill(&mut self) -> Result<()> {
        while let Some(gap) = self.unfilled.first_in(Extent::new(0, u64::MAX)) {
            self.storage.zero_at(gap).map_err(self.failed("writing zeros to", gap.offset))?;
            self.unfilled.remove(gap);
        }
        Ok(())
    }

    fn keep_bitmap(&mut self, block: u64, bitmap: Vec<u8>) -> Result<()> {
        self.bitmaps.insert(block, bitmap);
        if self.bitmaps.len() <= MOST_BITMAPS {
            return Ok(());
        }
        // What they call own comes first.
        self.flush()?;
        self.write_bitmaps()
    }

    fn write_bitmaps(&mut self) -> Result<()> {
        while let Some((block, bitmap)) = self.bitmaps.pop_first() {
            let Some(slot) = self.slot(block) else { continue };
            if let Err(error) = self.write(&bitmap, self.places.slot(slot)) {
                self.bitmaps.insert(block, bitmap);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The bitmap of a block that is there, from memory or from the file.
    pub(super) fn bitmap(&self, block: u64, slot: u32) -> io::Result<Vec<u8>> {
        if let Some(bitmap) = self.bitmaps.get(&block) {
            return Ok(bitmap.clone());
        }
        let mut bitmap = vec![0; self.places.bitmap as usize];
        self.stored(&mut bitmap, self.places.slot(slot))?;
        Ok(bitmap)
    }

    /// Makes the sectors of `part` of a block own ones, or the parent's.
    pub(super) fn mark(&mut self, block: u64, slot: u32, part: Extent, own: bool) -> Result<()> {
        let mut bitmap = match self.bitmaps.remove(&block) {
            Some(bitmap) => bitmap,
            None => {
                let reading = |error| Error::io("reading back a bitmap of the image", error);
                self.bitmap(block, slot).map_err(reading)?
            }
        };
        let start = self.block_at(block).offset;
        let (first, end) = ((part.offset - start) / SECTOR, (part.end() - start).div_ceil(SECTOR));
        set_bits(&mut bitmap, first..end, own);
        self.dirty = true;
        self.keep_bitmap(block, bitmap)
    }

    /// Before a part of a sector is written: its other bytes are what they were when they were the parent's.
    fn copy_up(&mut self, block: u64, slot: u32, part: Extent) -> Result<()> {
        let whole = part.align_out(SECTOR);
        let edges = [Extent::between(whole.offset, part.offset), Extent::between(part.end(), whole.end())];
        for edge in edges.into_iter().filter(|edge| !edge.is_empty()) {
            // Behind the content there is no parent.
            let edge = edge.intersect(Extent::between(0, self.content));
            let reading = |error| Error::io("reading what is kept of the parent", error).at(edge.offset);
            let bitmap = self.bitmap(block, slot).map_err(reading)?;
            let sector = edge.offset % self.places.block / SECTOR;
            if !edge.is_empty() && !blocks::run(&bitmap, sector, sector + 1).0 {
                let mut bytes = vec![0; edge.len as usize];
                blocks::inherit(self, &mut bytes, edge.offset).map_err(reading)?;
                self.write(&bytes, self.stored_at(slot, edge.offset))?;
            }
        }
        Ok(())
    }

    /// Where a byte of the disk is stored, in its block's slot.
    pub(super) fn stored_at(&self, slot: u32, offset: u64) -> u64 {
        self.places.payload(slot) + offset % self.places.block
    }

    /// The parts of `at` in each block.
    fn parts(&self, at: Extent) -> impl Iterator<Item = (u64, Extent)> + use<> {
        let size = self.places.block;
        let blocks = at.offset / size..at.end().div_ceil(size);
        blocks.map(move |block| (block, Extent::new(block * size, size).intersect(at)))
    }

    /// What begins the file: the footer's copy, the header, and what names the parent.
    fn head(&self) -> Vec<u8> {
        let mut header = Header::new_zeroed();
        header.cookie = *HEADER_COOKIE;
        header.data_offset = NOWHERE.into();
        header.table_offset = self.places.table.offset.into();
        header.header_version = VERSION.into();
        header.max_table_entries = self.places.entries.into();
        header.block_size = (self.places.block as u32).into();
        if let Some(named) = &self.spec.parent {
            header.parent_unique_id = named.id;
            header.parent_time_stamp = time_stamp(named.modified).into();
            header.parent_unicode_name = parent::unicode_name(named);
            let mut at = self.places.table.end();
            for (place, (code, path)) in header.parent_locators.iter_mut().zip(parent::paths(named)) {
                let space = (path.len() as u64).next_multiple_of(SECTOR);
                *place = Locator {
                    platform_code: code,
                    platform_data_space: (space as u32).into(),
                    platform_data_length: (path.len() as u32).into(),
                    reserved: 0.into(),
                    platform_data_offset: at.into(),
                };
                at += space;
            }
        }
        header.checksum = header.right_checksum().into();
        [self.footer().as_bytes(), header.as_bytes()].concat()
    }

    fn footer(&self) -> Footer {
        let disk_type = if self.parent.is_some() { DIFFERENCING } else { DYNAMIC };
        Footer::new(&self.spec, disk_type, self.disk)
    }

    /// Writes what changed of the structures, with the footer behind the last slot.
    fn write_structures(&mut self) -> Result<()> {
        if self.head_changed {
            self.write(&self.head(), 0)?;
            // Up to the first slot: the names of the parent, and zeros.
            let mut names = Vec::new();
            for (_, path) in self.spec.parent.iter().flat_map(parent::paths) {
                names.extend(path);
                names.resize(names.len().next_multiple_of(SECTOR as usize), 0);
            }
            names.resize((self.places.slots - self.places.table.end()) as usize, 0);
            self.write(&names, self.places.table.end())?;
            self.head_changed = false;
        }
        for pages in runs(&self.changed) {
            let first = pages.start * ENTRIES_A_PAGE;
            let end = (pages.end * ENTRIES_A_PAGE).min(self.table.len());
            let entry = |slot: &u32| match *slot {
                UNALLOCATED => UNALLOCATED,
                slot => self.places.entry(slot),
            };
            let mut entries: Vec<U32<BigEndian>> =
                self.table[first..end].iter().map(|slot| entry(slot).into()).collect();
            if end == self.table.len() {
                // The table's last sector is whole.
                let whole = (self.places.table.len / ENTRY) as usize;
                entries.resize(whole - first, UNALLOCATED.into());
            }
            self.write(entries.as_bytes(), self.places.table.offset + first as u64 * ENTRY)?;
        }
        self.changed.clear();
        let at = self.places.slot(self.end);
        self.write(self.footer().as_bytes(), at)?;
        if self.storage.size() > at + FOOTER {
            self.storage.set_size(at + FOOTER).map_err(self.failed("cutting", at))?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.storage.flush().map_err(|error| Error::writing("flushing the image", error))
    }

    /// Behind the content, up to the disk's end, there are zeros, whatever the parent has there.
    pub(super) fn round_off(&mut self, content: u64) -> Result<()> {
        match self.parent {
            Some(_) => self.zero(Extent::between(content, self.disk.size)),
            None => Ok(()),
        }
    }

    /// Whether a part of a block that is not there may be other than zeros: what the parent has. `known` is what it told last.
    fn parent_has(&self, part: Extent, known: &mut (Content, Extent)) -> Result<bool> {
        let Some(parent) = &self.parent else { return Ok(false) };
        let mut at = part.offset;
        while at < part.end().min(parent.size()) {
            if !known.1.contains(at) {
                let reading = |error| unreadable_parent(error, at);
                let (content, until) = parent.content_at(at).map_err(reading)?;
                *known = (content, Extent::between(at, until));
            }
            if known.0 == Content::Data {
                return Ok(true);
            }
            at = known.1.end();
        }
        Ok(false)
    }
}

/// Sets or clears these bits, the highest of a byte first.
fn set_bits(bitmap: &mut [u8], bits: Range<u64>, value: bool) {
    let mut bit = bits.start;
    while bit < bits.end {
        let byte = &mut bitmap[(bit / 8) as usize];
        if bit.is_multiple_of(8) && bits.end - bit >= 8 {
            *byte = if value { 0xff } else { 0 };
            bit += 8;
        } else {
            let mask = 0x80 >> (bit % 8);
            *byte = if value { *byte | mask } else { *byte & !mask };
            bit += 1;
        }
    }
}

/// The runs of neighbours in a set.
fn runs(set: &BTreeSet<usize>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for &one in set {
        match runs.last_mut() {
            Some(run) if run.end == one => run.end += 1,
            _ => runs.push(one..one + 1),
        }
    }
    runs
}

/// That the parent is the one that is named, and as long as the disk: Windows wants both.
fn fits(named: &Parent, parent: Option<&dyn Opened>, disk: Disk) -> Result<()> {
    let Some(parent) = parent else {
        return Err(Error::refused("a differencing image is written over its parent, which is not open"));
    };
    let Facts { format, id, .. } = parent.facts();
    if *format != "vhd" {
        return Err(Error::refused(format!("the parent of a VHD is a VHD, and this one is {format}")));
    }
    if named.id != *id {
        parent::same(&named.id, id)?;
    }
    if parent.size() != disk.size {
        let what = format!(
            "the parent has {} bytes and the disk {}, and a differencing VHD is as long as its parent",
            parent.size(),
            disk.size
        );
        return Err(Error::refused(what));
    }
    Ok(())
}

impl Sink for SparseImage {
    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let at = Extent::new(offset, data.len() as u64);
        assert!(at.len == data.len() as u64 && at.end() <= self.content, "a put within the image");
        for (block, part) in self.parts(at) {
            let slot = self.slot_for(block)?;
            if self.parent.is_some() {
                self.copy_up(block, slot, part)?;
            }
            let bytes = &data[(part.offset - offset) as usize..(part.end() - offset) as usize];
            self.write(bytes, self.stored_at(slot, part.offset))?;
            if self.parent.is_some() {
                self.mark(block, slot, part, true)?;
            }
        }
        Ok(())
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        assert!(at.end() <= self.disk.size, "a zero within the image");
        let mut known = (Content::Zero, Extent::new(0, 0));
        for (block, part) in self.parts(at) {
            let slot = match self.slot(block) {
                Some(slot) => slot,
                None if self.parent_has(part, &mut known)? => self.slot_for(block)?,
                None => continue,
            };
            if self.parent.is_some() {
                self.copy_up(block, slot, part)?;
            }
            self.clear(Extent::new(self.stored_at(slot, part.offset), part.len))?;
            if self.parent.is_some() {
                self.mark(block, slot, part, true)?;
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        if !self.dirty {
            return Ok(());
        }
        self.fill()?;
        self.flush()?;
        if !self.bitmaps.is_empty() {
            // Before the table says that they are bitmaps: what lay there would hide what is held of the parent.
            self.write_bitmaps()?;
            self.flush()?;
        }
        self.write_structures()?;
        self.flush()?;
        self.dirty = false;
        Ok(())
    }
}

impl ReadAt for SparseImage {
    fn size(&self) -> u64 {
        self.disk.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        blocks::read(self, buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        blocks::content_at(self, offset)
    }
}

impl Blocks for SparseImage {
    fn disk_size(&self) -> u64 {
        self.disk.size
    }

    fn block_size(&self) -> u64 {
        self.places.block
    }

    fn payload(&self, block: u64) -> io::Result<Option<u64>> {
        Ok(self.slot(block).map(|slot| self.places.payload(slot)))
    }

    fn next_allocated(&self, block: u64, limit: u64) -> io::Result<u64> {
        let end = limit.min(self.table.len() as u64).max(block);
        let rest = self.table.get(block as usize..end as usize).unwrap_or_default();
        Ok(block + rest.iter().take_while(|slot| **slot == UNALLOCATED).count() as u64)
    }

    fn own(&self, block: u64, sectors: Range<u64>) -> io::Result<Own> {
        let Some(slot) = self.slot(block).filter(|_| self.parent.is_some()) else { return Ok(Own::All) };
        let bytes = sectors.start / 8..sectors.end.div_ceil(8);
        let bitmap = self.bitmap(block, slot)?;
        let bits = bitmap[bytes.start as usize..bytes.end as usize].to_vec();
        Ok(Own::Bits { first: bytes.start * 8, bits })
    }

    fn stored(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let at = Extent::new(offset, buf.len() as u64);
        read_padded(&*self.storage, buf, offset)?;
        let mut from = at;
        while let Some(gap) = self.unfilled.first_in(from) {
            buf[(gap.offset - offset) as usize..(gap.end() - offset) as usize].fill(0);
            from = Extent::between(gap.end(), at.end());
        }
        Ok(())
    }

    fn stored_content(&self, offset: u64) -> io::Result<(Content, u64)> {
        let gap = self.unfilled.first_in(Extent::between(offset, u64::MAX));
        match gap {
            Some(gap) if gap.offset == offset => return Ok((Content::Zero, gap.end())),
            _ if offset >= self.storage.size() => return Ok((Content::Zero, u64::MAX)),
            _ => {}
        }
        let (content, until) = self.storage.content_at(offset)?;
        Ok((content, gap.map_or(until, |gap| until.min(gap.offset))))
    }

    fn parent(&self) -> Option<&Arc<dyn Opened>> {
        self.parent.as_ref()
    }
}

impl Image for SparseImage {
    fn set_end(&mut self, size: u64) -> Result<()> {
        assert!(size <= self.content, "content only shrinks");
        let before = self.disk.size;
        (self.content, self.disk) = (size, Disk::of(size, uses_chs(&self.spec)));
        self.head_changed = true;
        self.dirty = true;
        for block in self.disk.size.div_ceil(self.places.block)..before.div_ceil(self.places.block) {
            if let Some(slot) = self.slot(block) {
                self.bitmaps.remove(&block);
                self.set_slot(block, UNALLOCATED);
                self.free.push(slot);
            }
        }
        self.free.sort_unstable();
        // Whatever was put behind the new end within its block is gone.
        let last = Extent::between(size, before)
            .intersect(self.block_at(self.disk.size.saturating_sub(1) / self.places.block));
        if let Some(slot) = self.slot(last.offset / self.places.block).filter(|_| !last.is_empty()) {
            self.clear(Extent::new(self.stored_at(slot, last.offset), last.len))?;
        }
        self.take_back()?;
        self.round_off(size)
    }

    fn finish(&mut self) -> Result<()> {
        self.checkpoint()
    }
}

impl SparseImage {
    /// Gives back the free slots at the end, cuts the file there, and makes zeros of those before.
    pub(super) fn take_back(&mut self) -> Result<()> {
        while self.end > 0 && self.free.last() == Some(&(self.end - 1)) {
            self.free.pop();
            self.end -= 1;
        }
        let at = self.places.slot(self.end);
        self.unfilled.remove(Extent::between(at, u64::MAX));
        if self.storage.size() > at {
            self.storage.set_size(at).map_err(self.failed("cutting", at))?;
        }
        // What an earlier run left is known to end here.
        self.fresh_from = at;
        if self.storage.holds_holes() {
            for index in 0..self.free.len() {
                self.clear(Extent::new(self.places.slot(self.free[index]), self.places.stride))?;
            }
        }
        // The first free slot is used first.
        self.free.sort_unstable_by(|a, b| b.cmp(a));
        Ok(())
    }
}
