//! The file of an image under construction, that grows at its end.

use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::{Content, ReadAt, Storage};
use std::io;

/// The file under construction: what was never written in it reads as zeros.
pub(super) struct Growing {
    storage: Box<dyn Storage>,
    /// From here on nothing was ever written.
    fresh_from: u64,
    /// What is allocated ends here; the file may be shorter for a while.
    pub(super) end: u64,
}

impl Growing {
    /// An empty file, of which `end` bytes are spoken for.
    pub(super) fn new(storage: Box<dyn Storage>, end: u64) -> Growing {
        Growing { storage, fresh_from: 0, end }
    }

    /// A file that was written before.
    pub(super) fn resumed(storage: Box<dyn Storage>) -> Growing {
        let len = storage.size();
        Growing { storage, fresh_from: len, end: len }
    }

    fn failed(doing: &str, error: io::Error) -> Error {
        Error::writing(format!("{doing} the image"), error)
    }

    /// Without holes a file grows only by writing: what lies before `offset` is written as zeros first.
    fn fill_up_to(&mut self, offset: u64) -> Result<()> {
        if !self.storage.holds_holes() && offset > self.fresh_from {
            let gap = Extent::between(self.fresh_from, offset);
            self.storage.zero_at(gap).map_err(|e| Self::failed("writing zeros to", e).at(gap.offset))?;
            self.fresh_from = offset;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, data: &[u8], at: u64) -> Result<()> {
        self.fill_up_to(at)?;
        self.storage.write_at(data, at).map_err(|error| Self::failed("writing", error).at(at))?;
        self.fresh_from = self.fresh_from.max(at + data.len() as u64);
        Ok(())
    }

    /// Makes the bytes of `at` zeros; where nothing was written yet they are.
    pub(super) fn zero(&mut self, at: Extent) -> Result<()> {
        let written = at.intersect(Extent::between(0, self.fresh_from));
        if written.is_empty() {
            return Ok(());
        }
        self.storage.zero_at(written).map_err(|e| Self::failed("writing zeros to", e).at(written.offset))
    }

    /// Without holes: writes zeros up to the end.
    pub(super) fn fill(&mut self) -> Result<()> {
        self.fill_up_to(self.end)
    }

    /// Everything that was written is durable; with holes the file is as long as what is allocated.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.storage.holds_holes() && self.storage.size() < self.end {
            self.storage.set_size(self.end).map_err(|error| Self::failed("setting the size of", error))?;
        }
        self.storage.flush().map_err(|error| Self::failed("flushing", error))
    }

    /// What lies behind the end goes.
    pub(super) fn cut(&mut self) -> Result<()> {
        self.fresh_from = self.fresh_from.min(self.end);
        if self.storage.size() > self.end {
            self.storage.set_size(self.end).map_err(|error| Self::failed("cutting", error))?;
        }
        Ok(())
    }

    /// Up to here there is something to be read.
    fn held(&self) -> u64 {
        self.storage.size().min(self.fresh_from)
    }
}

impl ReadAt for Growing {
    fn size(&self) -> u64 {
        self.end
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let held = self.held().saturating_sub(offset).min(buf.len() as u64) as usize;
        let (held, fresh) = buf.split_at_mut(held);
        if !held.is_empty() {
            self.storage.read_at(held, offset)?;
        }
        fresh.fill(0);
        Ok(())
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        let held = self.held();
        if offset >= held {
            return Ok((Content::Zero, self.end.max(offset.saturating_add(1))));
        }
        let (content, until) = self.storage.content_at(offset)?;
        let to_end = content == Content::Zero && until >= held;
        Ok((content, if to_end { self.end.max(held) } else { until.min(held) }))
    }
}
