//! Raw and ISO images: byte n of the disk is byte n of the file.
//!
//! ```text
//!   0 ┌──────────┬ ─ ─ ─ ─ ─ ┬────────┬ ─ ─ ┐ size
//!     │   data   │   hole    │  data  │hole │      zeros are holes where the target can hold them,
//!     └──────────┴ ─ ─ ─ ─ ─ ┴────────┴ ─ ─ ┘      written zeros elsewhere
//! ```
//!
//! There are no tables: a checkpoint is a flush. `.iso`, `.img`, `.dd`, `.raw`, `.ima` and `.bin` are all this.

use super::{Facts, Findings, Format, Image, Opened, Placement, Sink, Spec, Writing};
use crate::error::{Error, Result};
use crate::extent::{Extent, Extents};
use crate::io::{Content, ReadAt, Storage};
use crate::os::file::Allocation;
use std::io;
use std::sync::Arc;

/// The row of raw images.
pub static RAW: Format = Format {
    name: "raw",
    extensions: &["img", "dd", "raw", "bin", "ima"],
    is_bytes: true,
    tells_sector: false,
    probe: |_| false,
    open: |stored, _| Ok(RawImage::open(stored, "raw", 512)),
    writing: Some(WRITING),
};

/// The row of ISO images: the sectors of a data disc, byte for byte too.
pub static ISO: Format = Format {
    name: "iso",
    extensions: &["iso"],
    is_bytes: true,
    tells_sector: false,
    probe: |_| false,
    open: |stored, _| Ok(RawImage::open(stored, "iso", 2048)),
    // Windows attaches those too, by the same service as a VHD.
    writing: Some(Writing { allocation: Allocation::Dense, ..WRITING }),
};

const WRITING: Writing = Writing {
    subformats: &[],
    compressions: &[],
    plan: |spec| Ok((Spec { compression: "none".into(), ..spec.clone() }, spec.size)),
    differencing: false,
    is_attached: false,
    allocation: Allocation::Sparse,
    streams: true,
    placement: |_| Placement::Anywhere,
    create: |place, spec| Ok(Box::new(RawSink::create(place.storage, spec.size)?)),
    resume: |place, spec, held| Ok(Box::new(RawSink::resume(place.storage, spec.size, held)?)),
};

/// A raw image that is read: the stored bytes are the content.
struct RawImage {
    stored: Arc<dyn ReadAt>,
    facts: Facts,
}

impl RawImage {
    fn open(stored: Arc<dyn ReadAt>, format: &'static str, sector: u32) -> Arc<dyn Opened> {
        Arc::new(RawImage { stored, facts: Facts { format, sector, ..Facts::default() } })
    }
}

impl ReadAt for RawImage {
    fn size(&self) -> u64 {
        self.stored.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.stored.read_at(buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        self.stored.content_at(offset)
    }
}

impl Opened for RawImage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn check(&self, _findings: &mut Findings) -> Result<()> {
        Ok(())
    }
}

/// A raw image under construction.
pub struct RawSink<S> {
    storage: S,
    size: u64,
    /// From here on nothing was ever written: zeros there are holes already.
    fresh_from: u64,
    /// Up to here something was put or made zeros.
    end: u64,
}

impl<S: Storage> RawSink<S> {
    /// A new image of `size` bytes in an empty storage.
    pub fn create(storage: S, size: u64) -> Result<Self> {
        let sink = RawSink { storage, size, fresh_from: 0, end: 0 };
        if sink.storage.holds_holes() {
            sink.storage.set_size(size).map_err(|error| sink.failed("setting the size of", error))?;
        }
        Ok(sink)
    }

    /// Goes on with an unfinished image of `size` bytes, of which only what `held` covers counts: the rest is made zeros.
    pub fn resume(storage: S, size: u64, held: &Extents) -> Result<Self> {
        let sink = RawSink { storage, size, fresh_from: size, end: size };
        let whole: Extents = [Extent::new(0, size)].into_iter().collect();
        let set = |error| sink.failed("setting the size of", error);
        if sink.storage.holds_holes() {
            sink.storage.set_size(size).map_err(set)?;
            for stale in whole.subtract(held).iter() {
                sink.storage.zero_at(stale).map_err(|error| sink.failed("clearing the rest of", error))?;
            }
            return Ok(sink);
        }
        // Without holes a cleared tail would have to be written twice: it is cut off, and grows forward again.
        let end = held.iter().next_back().map_or(0, Extent::end);
        sink.storage.set_size(end.min(sink.storage.size())).map_err(set)?;
        for stale in whole.subtract(held).iter().filter(|stale| stale.offset < end) {
            sink.storage.zero_at(stale).map_err(|error| sink.failed("clearing the rest of", error))?;
        }
        let fresh_from = end.min(sink.storage.size());
        Ok(RawSink { fresh_from, end, ..sink })
    }

    fn failed(&self, doing: &str, error: io::Error) -> Error {
        Error::writing(format!("{doing} the image"), error)
    }

    /// Up to here the storage holds the image: what a target without holes has behind that is not ours.
    fn held_end(&self) -> u64 {
        self.storage.size().min(if self.storage.holds_holes() { self.size } else { self.fresh_from })
    }

    /// Without holes a file grows only by writing: what lies between its end and `offset` is written as zeros first.
    fn fill_up_to(&mut self, offset: u64) -> Result<()> {
        if !self.storage.holds_holes() && offset > self.fresh_from {
            let gap = Extent::between(self.fresh_from, offset);
            self.storage
                .zero_at(gap)
                .map_err(|error| self.failed("writing zeros to", error).at(gap.offset))?;
            self.fresh_from = offset;
        }
        Ok(())
    }
}

impl<S: Storage> Sink for RawSink<S> {
    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let at = Extent::new(offset, data.len() as u64);
        assert!(at.len == data.len() as u64 && at.end() <= self.size, "a put within the image");
        self.fill_up_to(offset)?;
        self.storage.write_at(data, offset).map_err(|error| self.failed("writing", error).at(offset))?;
        self.fresh_from = self.fresh_from.max(at.end());
        self.end = self.end.max(at.end());
        Ok(())
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        assert!(at.end() <= self.size, "a zero within the image");
        let written = at.intersect(Extent::between(0, self.fresh_from));
        if !written.is_empty() {
            self.storage
                .zero_at(written)
                .map_err(|error| self.failed("writing zeros to", error).at(written.offset))?;
        }
        // The rest is a hole already, or will be filled by what comes after it, or by a checkpoint.
        self.end = self.end.max(at.end());
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.fill_up_to(self.end)?;
        self.storage.flush().map_err(|error| self.failed("flushing", error))
    }
}

impl<S: Storage> ReadAt for RawSink<S> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let held = self.held_end().saturating_sub(offset).min(buf.len() as u64) as usize;
        let (held, rest) = buf.split_at_mut(held);
        if !held.is_empty() {
            self.storage.read_at(held, offset)?;
        }
        rest.fill(0);
        Ok(())
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        let held_end = self.held_end();
        if offset >= held_end {
            return Ok((Content::Zero, self.size.max(offset.saturating_add(1))));
        }
        let (content, until) = self.storage.content_at(offset)?;
        let to_end = content == Content::Zero && until >= held_end;
        Ok((content, if to_end { self.size } else { until }))
    }
}

impl<S: Storage> Image for RawSink<S> {
    fn set_end(&mut self, size: u64) -> Result<()> {
        self.size = size;
        self.fresh_from = self.fresh_from.min(size);
        self.end = self.end.min(size);
        if self.storage.size() > size {
            self.storage.set_size(size).map_err(|error| self.failed("cutting", error))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.fill_up_to(self.size)?;
        self.storage.set_size(self.size).map_err(|error| self.failed("setting the size of", error))?;
        self.checkpoint()
    }
}
