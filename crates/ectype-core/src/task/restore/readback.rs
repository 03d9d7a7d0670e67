//! The read-back: what the target holds, past all caches, against the leaves of what was written.
//!
//! Where a leaf differs, or there is none, the image is read again and tells which sectors do.

use super::onto::Onto;
use super::sink::{Leaves, Written, leaf_of};
use crate::copy::{Job, Limits, Tuning, copy};
use crate::error::{Error, Result};
use crate::extent::{Extent, Extents, PIECE};
use crate::image::differing::differing;
use crate::image::{Pack, Packed, Sink};
use crate::io::ReadAt;
use crate::plan::map::{RescueMap, Status};
use crate::plan::rescue::{self, Rescue};
use crate::proof::ledger::Ledger;
use crate::task::verify::{SECTOR, note_difference};
use crate::watch::{Phase, Watch};
use std::sync::Arc;

/// What the target holds after all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadBack {
    /// Bytes that were compared.
    pub compared: u64,
    /// Where the target holds something else than what was written; the first 10 000 extents.
    pub differences: Extents,
    /// How many bytes lie there, listed or not.
    pub differing: u64,
    /// What the target does not give back at all.
    pub unreadable: Extents,
}

/// Reads back all that was written of a content of `size` bytes; `image` is asked again where leaves do not tell.
pub(super) fn read_back(
    onto: &dyn Onto,
    image: &dyn ReadAt,
    written: &Written,
    size: u64,
    tuning: Tuning,
    watch: &Watch,
) -> Result<ReadBack> {
    let mut source = onto.source()?;
    let geometry = source.geometry();
    // Whole sectors: a device gives nothing less.
    let end = size.next_multiple_of(geometry.sector.into()).min(geometry.size);
    let mut map = RescueMap::new(end);
    for left in written.left.iter() {
        map.set(left.intersect(Extent::new(0, end)), Status::Bad);
    }
    let left = written.left.bytes();
    let packer = Arc::new(Leaves { size, wanted: true, holes: false });
    let mut sink = Comparing { image, written, size, packer, found: ReadBack::default(), buffer: Vec::new() };
    let mut ledger = Ledger::comparing(map);
    watch.enter(Phase::Verifying, end);
    let copied = copy(Job {
        strategy: &mut Rescue::new(geometry, rescue::Options::default()),
        source: &mut *source,
        sink: &mut sink,
        in_order: false,
        ledger: &mut ledger,
        digests: &[],
        tuning,
        limits: Limits::default(),
        watch,
    })?;
    if let Some(error) = copied.stopped {
        return Err(error);
    }
    let mut found = sink.found;
    found.unreadable = ledger.map().extents(Status::Bad).subtract(&written.left);
    found.compared = size.saturating_sub(left).saturating_sub(found.unreadable.bytes());
    Ok(found)
}

struct Comparing<'a> {
    image: &'a dyn ReadAt,
    written: &'a Written,
    size: u64,
    packer: Arc<Leaves>,
    found: ReadBack,
    buffer: Vec<u8>,
}

impl Comparing<'_> {
    fn differs(&mut self, at: Extent) {
        note_difference(at, &mut self.found.differing, &mut self.found.differences);
    }

    /// Compares with what the image gives now; false where nothing differs.
    fn by_content(&mut self, offset: u64, data: &[u8]) -> Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(data.len(), 0);
        self.image
            .read_at(&mut buffer, offset)
            .or_else(|error| self.with_gaps(&mut buffer, offset).map_err(|_| error))
            .map_err(|error| Error::io("reading the image again", error).at(offset))?;
        let at = Extent::new(offset, data.len() as u64);
        for gap in self.written.unreadable.intersect(&[at].into_iter().collect()).iter() {
            buffer[(gap.offset - offset) as usize..(gap.end() - offset) as usize].fill(0);
        }
        let place = |(start, len): (usize, usize)| Extent::new(offset + start as u64, len as u64);
        let wrong = if buffer == data { Vec::new() } else { differing(&buffer, data, SECTOR) };
        let wrong: Extents = wrong.into_iter().map(place).collect();
        self.buffer = buffer;
        // What the target did not take at all is told already: so are the whole sectors that it lies in.
        let wrong = wrong.subtract(&self.written.left.align_out(SECTOR as u64));
        wrong.iter().for_each(|at| self.differs(at));
        Ok(!wrong.is_empty())
    }

    /// Where the image could not be read, zeros were written: it is read around those.
    fn with_gaps(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        let at = Extent::new(offset, buffer.len() as u64);
        let whole: Extents = [at].into_iter().collect();
        buffer.fill(0);
        for part in whole.subtract(&self.written.unreadable).iter() {
            let start = (part.offset - offset) as usize;
            self.image.read_at(&mut buffer[start..start + part.len as usize], part.offset)?;
        }
        Ok(())
    }

    /// What of `data` lies within the content.
    fn within<'d>(&self, offset: u64, data: &'d [u8]) -> &'d [u8] {
        &data[..self.size.saturating_sub(offset).min(data.len() as u64) as usize]
    }
}

impl Sink for Comparing<'_> {
    fn packer(&self) -> Option<Arc<dyn Pack>> {
        Some(Arc::clone(&self.packer) as Arc<dyn Pack>)
    }

    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        self.put_packed(offset, data, &Packed::default())
    }

    fn put_packed(&mut self, offset: u64, data: &[u8], packed: &Packed) -> Result<()> {
        let data = self.within(offset, data);
        let given = leaf_of(packed);
        let written = if offset.is_multiple_of(PIECE) { self.written.leaf(offset) } else { None };
        if given.is_some() && given == written {
            return Ok(());
        }
        // The image may give something else now than when its leaf was taken: the leaf counts.
        if !self.by_content(offset, data)? && given.is_some() && written.is_some() {
            self.differs(Extent::new(offset, data.len() as u64));
        }
        Ok(())
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        static ZEROS: [u8; PIECE as usize] = [0; PIECE as usize];
        let mut offset = at.offset;
        while offset < at.end().min(self.size) {
            let rest = Extent::between(offset, at.end().min(self.size));
            if self.written.zeros.covers(rest) {
                break;
            }
            let end = (offset - offset % PIECE + PIECE).min(rest.end());
            let part = Extent::between(offset, end);
            if !self.written.zeros.covers(part) {
                let any = self.by_content(offset, &ZEROS[..part.len as usize])?;
                let leaf = if offset.is_multiple_of(PIECE) { self.written.leaf(offset) } else { None };
                if !any && leaf.is_some() {
                    self.differs(part);
                }
            }
            offset = end;
        }
        Ok(())
    }

    fn unreadable(&mut self, _at: Extent) -> Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        Ok(())
    }
}
