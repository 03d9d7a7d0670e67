//! A fixed VHD under construction: a raw image with a footer behind it.
//!
//! Where the target holds holes the footer is there from the beginning, at its final place, so that the image can be opened at
//! any time. Where it does not, that would mean to write everything in front of it twice; there the footer comes last.

use super::super::raw::RawSink;
use super::super::{Image, Place, Sink, Spec};
use super::layout::{Disk, FIXED, Footer};
use super::uses_chs;
use crate::error::{Error, Result};
use crate::extent::{Extent, Extents};
use crate::io::{Content, ReadAt, Storage, WriteAt};
use std::io;
use std::sync::Arc;
use zerocopy::IntoBytes;

type Shared = Arc<dyn Storage>;

struct FixedImage {
    storage: Shared,
    content: RawSink<Shared>,
    spec: Spec,
    disk: Disk,
}

/// A new image.
pub(super) fn create(place: Place, spec: &Spec) -> Result<Box<dyn Image>> {
    let (storage, disk) = (Shared::from(place.storage), Disk::of(spec.size, uses_chs(spec)));
    let content = RawSink::create(Arc::clone(&storage), disk.size)?;
    Ok(Box::new(FixedImage::begin(storage, content, spec, disk)?))
}

/// Goes on with an unfinished one.
pub(super) fn resume(place: Place, spec: &Spec, held: &Extents) -> Result<Box<dyn Image>> {
    let (storage, disk) = (Shared::from(place.storage), Disk::of(spec.size, uses_chs(spec)));
    // It cuts off the footer, and makes zeros of what is not held.
    let content = RawSink::resume(Arc::clone(&storage), disk.size, held)?;
    Ok(Box::new(FixedImage::begin(storage, content, spec, disk)?))
}

impl FixedImage {
    fn begin(storage: Shared, content: RawSink<Shared>, spec: &Spec, disk: Disk) -> Result<FixedImage> {
        let image = FixedImage { storage, content, spec: spec.clone(), disk };
        if image.storage.holds_holes() {
            image.write_footer()?;
        }
        Ok(image)
    }

    fn write_footer(&self) -> Result<()> {
        let footer = Footer::new(&self.spec, FIXED, self.disk);
        let at = self.disk.size;
        let failed = |error| Error::writing("writing the footer of the image", error).at(at);
        self.storage.write_at(footer.as_bytes(), at).map_err(failed)
    }
}

impl Sink for FixedImage {
    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        self.content.put(offset, data)
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        self.content.zero(at)
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.content.checkpoint()
    }
}

impl ReadAt for FixedImage {
    fn size(&self) -> u64 {
        self.disk.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.disk.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.content.read_at(buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        if offset >= self.disk.size {
            return Ok((Content::Data, offset.saturating_add(1)));
        }
        let (content, until) = self.content.content_at(offset)?;
        Ok((content, until.min(self.disk.size)))
    }
}

impl Image for FixedImage {
    fn set_end(&mut self, size: u64) -> Result<()> {
        let disk = Disk::of(size, uses_chs(&self.spec));
        // The rounding is zeros, and there may have been content.
        self.content.zero(Extent::between(size, disk.size.min(self.disk.size)))?;
        self.content.set_end(disk.size)?;
        self.disk = disk;
        if self.storage.holds_holes() {
            self.write_footer()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        if self.storage.holds_holes() {
            self.content.checkpoint()?;
        } else {
            self.content.finish()?;
        }
        self.write_footer()?;
        self.storage.flush().map_err(|error| Error::writing("flushing the image", error))
    }
}
