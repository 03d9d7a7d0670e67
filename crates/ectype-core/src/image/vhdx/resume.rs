//! Going on with an unfinished VHDX.
//!
//! Only what is held counts. The tables are read again, and of them what belongs to blocks that hold something: all else may
//! be torn, and is entered anew. Then the file is as if only what is held had been put.

use super::check::Taken;
use super::grow::Growing;
use super::layout::*;
use super::map::Tables;
use super::metadata;
use super::plan::Layout;
use super::writer::Writer;
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents};
use crate::image::{Place, Sink, Spec};
use crate::io::ReadAt;

/// BAT entries are looked at in runs of this many: a page.
const AT_ONCE: u64 = 8192;

pub(super) fn resume(place: Place, spec: &Spec, held: &Extents) -> Result<Writer> {
    let layout = Layout::new(spec);
    let file = Growing::resumed(place.storage);
    if metadata::creator(&file).is_err() || file.size() < layout.regions.metadata.end() {
        return Err(Error::new(
            Kind::Corrupt,
            "the unfinished image is not there: its file does not begin like a VHDX",
        ));
    }
    let mut writer = Writer::new(file, place.parent, layout, spec);
    writer.renew_headers()?;
    writer.write_front()?;
    if writer.is_fixed() {
        writer.resume_fixed(held)?;
    } else {
        writer.resume_blocks(held)?;
    }
    writer.checkpoint()?;
    Ok(writer)
}

impl Writer {
    /// What goes on writing to the file says so first, with new GUIDs in the header that is not current, and then in the
    /// other (§2.2.2.1).
    fn renew_headers(&mut self) -> Result<()> {
        let (sequence, current) = match metadata::current_header(&self.file) {
            Ok((header, index, _)) => (header.sequence_number.get(), index),
            Err(_) => (0, 1),
        };
        // Pairs begin with an odd number.
        let next = sequence.div_ceil(2).saturating_mul(2).saturating_add(1);
        for (index, sequence) in [(1 - current, next), (current, next.saturating_add(1))] {
            self.write_header(index, sequence)?;
            self.file.flush()?;
        }
        Ok(())
    }

    /// All places are known: what is not held is made zeros.
    fn resume_fixed(&mut self, held: &Extents) -> Result<()> {
        let payload = self.layout.payload();
        // A tail that is cut off need not be cleared.
        self.file.end = payload + held.iter().next_back().map_or(0, Extent::end);
        self.file.cut()?;
        self.allocate_all()?;
        for stale in self.all().subtract(held).iter() {
            self.file.zero(Extent::new(payload + stale.offset, stale.len))?;
        }
        Ok(())
    }

    fn all(&self) -> Extents {
        [Extent::new(0, self.layout.geometry.size)].into_iter().collect()
    }

    /// Goes through the BAT: blocks that hold something are kept, their bitmaps too; all other entries are as in a new image.
    fn resume_blocks(&mut self, held: &Extents) -> Result<()> {
        let geometry = self.layout.geometry;
        // Behind the file's end there is no block.
        let mut taken = Taken::new(self.file.size())?;
        taken.take(Extent::new(0, self.layout.payload()));
        let (mut end, mut kept) = (self.layout.payload(), Vec::new());
        // Blocks first: a torn bitmap entry must not stand in their way.
        for bitmaps in [false, true].into_iter().take(if geometry.has_parent { 2 } else { 1 }) {
            let (mut first, mut entries) = (0, Vec::new());
            while first < geometry.entries() {
                let len = AT_ONCE.min(geometry.entries() - first);
                entries.resize(len as usize, BatEntry::default());
                let read = self.entries(first, &mut entries);
                read.map_err(|error| Error::io("reading the BAT", error).at(geometry.entry_at(first)))?;
                for (index, entry) in (first..).zip(&entries) {
                    if *entry == self.absent(index) {
                        continue;
                    }
                    let block = geometry.block_of(index);
                    if block.is_none() != bitmaps && geometry.has_parent {
                        continue;
                    }
                    let place = self.keep(index, *entry, held, &mut taken)?;
                    end = end.max(place.map_or(0, Extent::end));
                    match (place, block) {
                        (Some(_), Some(block)) => kept.push(block),
                        (Some(_), None) => {}
                        (None, _) => self.set_entry(index, self.absent(index))?,
                    }
                }
                first += len;
            }
        }
        self.file.end = end;
        self.free = taken.free(self.layout.payload()).filter(|free| free.len >= geometry.block).collect();
        self.free.remove(Extent::between(end, u64::MAX));
        self.file.cut()?;
        if geometry.has_parent {
            // A bitmap that comes to a block is there before the block says that it counts.
            for &block in &kept {
                self.need_bitmap(block, held)?;
            }
            self.checkpoint()?;
        }
        for block in kept {
            self.clear_rest(block, held)?;
        }
        Ok(())
    }

    /// Marks all of a block that is wholly present, and held in part.
    fn need_bitmap(&mut self, block: u64, held: &Extents) -> Result<()> {
        let extent = self.layout.geometry.extent(block);
        let entry = self.entry(self.layout.geometry.index(block))?;
        if entry.state_bits() == BatEntry::FULLY_PRESENT && !held.covers(extent) {
            self.set_bits(block, extent, true)?;
        }
        Ok(())
    }

    /// The place in the file that an entry keeps, which is empty for zeros; `None` where the entry goes.
    fn keep(&self, index: u64, entry: BatEntry, held: &Extents, taken: &mut Taken) -> Result<Option<Extent>> {
        let geometry = self.layout.geometry;
        let is_held = |at: Extent| held.touches(at);
        let Some(block) = geometry.block_of(index) else {
            let chunk = geometry.ratio() * geometry.block;
            let covered = Extent::new(index / (geometry.ratio() + 1) * chunk, chunk);
            let place = Extent::new(entry.place(), BITMAP_BLOCK);
            let keep = entry.state_bits() == BatEntry::FULLY_PRESENT && is_held(covered);
            return Ok((keep && self.fits(place) && taken.take(place)).then_some(place));
        };
        let extent = geometry.extent(block);
        if block >= geometry.blocks() || !is_held(extent) {
            return Ok(None);
        }
        match entry.state_bits() {
            BatEntry::FULLY_PRESENT => {}
            BatEntry::PARTIALLY_PRESENT if geometry.has_parent => {
                // Without its bitmap it was entered behind the last checkpoint, and what is held of it is the parent's.
                let bitmap = self.entry(geometry.bitmap_index(block))?;
                if bitmap.state_bits() != BatEntry::FULLY_PRESENT {
                    return Ok(None);
                }
            }
            BatEntry::ZERO if geometry.has_parent => return Ok(Some(Extent::new(0, 0))),
            _ => return Ok(None),
        }
        let place = Extent::new(entry.place(), geometry.block);
        if !self.fits(place) || !taken.take(place) {
            let what =
                format!("block {block}, which is held, is said to lie at {place:?}, where it cannot be");
            return Err(Error::corrupt(geometry.entry_at(index), what));
        }
        Ok(Some(place))
    }

    fn fits(&self, place: Extent) -> bool {
        place.offset >= self.layout.payload() && place.end() <= self.file.size()
    }

    /// Of a block that is kept, what is not held is as in a new image.
    fn clear_rest(&mut self, block: u64, held: &Extents) -> Result<()> {
        let geometry = self.layout.geometry;
        let extent = geometry.extent(block);
        let whole: Extents = [extent].into_iter().collect();
        let stale = whole.subtract(held);
        if stale.is_empty() {
            return Ok(());
        }
        let index = geometry.index(block);
        let entry = self.entry(index)?;
        if geometry.has_parent {
            return self.see_through(block, entry, held, &stale);
        }
        for part in stale.iter() {
            self.file.zero(Extent::new(entry.place() + (part.offset - extent.offset), part.len))?;
        }
        Ok(())
    }

    /// Shows the parent in the stale parts of a block.
    fn see_through(&mut self, block: u64, entry: BatEntry, held: &Extents, stale: &Extents) -> Result<()> {
        let geometry = self.layout.geometry;
        let (index, extent) = (geometry.index(block), geometry.extent(block));
        let whole: Extents = [extent].into_iter().collect();
        let fresh = whole.intersect(held);
        match entry.state_bits() {
            BatEntry::ZERO => {
                // Its zeros are put again, as far as they are held.
                self.set_entry(index, BatEntry::default())?;
                for part in fresh.iter() {
                    self.zero(part)?;
                }
                return Ok(());
            }
            BatEntry::FULLY_PRESENT => {
                self.set_entry(index, BatEntry::new(BatEntry::PARTIALLY_PRESENT, entry.place()))?;
            }
            _ => {
                let bitmap = self.entry(geometry.bitmap_index(block))?;
                if bitmap.state_bits() != BatEntry::FULLY_PRESENT {
                    let what = format!(
                        "block {block}, which is held, is partially present, and has no sector bitmap"
                    );
                    return Err(Error::corrupt(geometry.entry_at(index), what));
                }
            }
        }
        for part in stale.align_in(geometry.sector).iter() {
            self.set_bits(block, part, false)?;
        }
        Ok(())
    }
}
