//! An image as a source: the content of its disk, whatever format holds it.
//!
//! What is wrong below it is told apart: a bad sector of the disk that the image file lies on is the medium's, and what
//! contradicts the image's format is an error that says where.

use super::queue::{Queue, ReadOnce};
use super::{Answer, Geometry, Known, KnownGood, Outcome, Read, Source, medium_or_not};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::image::Opened;
use crate::io::Content;
use crate::os::Blame;
use crate::os::buffer::Buffer;
use crate::os::file::blame;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A failed read is narrowed to this, in bytes.
const SECTOR: u32 = 512;

/// An opened image that is copied.
pub struct ImageSource {
    image: Arc<dyn Opened>,
    queue: Queue,
    geometry: Geometry,
    known: Known,
}

impl ImageSource {
    /// Reads the first `size` bytes of the content of `image`; formats pad what they hold to whole sectors.
    pub fn new(image: Arc<dyn Opened>, size: u64) -> ImageSource {
        let sector = image.facts().sector;
        ImageSource::of_sectors(image, size, sector)
    }

    /// The same of a disk whose sectors had `sector` bytes, which not every format tells.
    pub fn of_sectors(image: Arc<dyn Opened>, size: u64, sector: u32) -> ImageSource {
        let medium: Arc<dyn ReadOnce> = Arc::new(OpenImage(Arc::clone(&image)));
        let sector = sector.max(1);
        let size = size.min(image.size());
        // A content that ends within a sector is addressed by the byte, as a file's is.
        let sector = if size.is_multiple_of(sector.into()) { sector } else { 1 };
        let geometry = Geometry { size, sector, physical_sector: sector.max(SECTOR) };
        ImageSource { image, queue: Queue::new(medium), geometry, known: Known::nothing() }
    }
}

struct OpenImage(Arc<dyn Opened>);

impl ReadOnce for OpenImage {
    fn read_once(&self, at: Extent, buffer: &mut [u8]) -> Read {
        let begun = Instant::now();
        let (good, outcome) = match self.0.read_at(&mut buffer[..at.len as usize], at.offset) {
            Ok(()) => (at.len, Outcome::Ok),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => (0, Outcome::Failed(error)),
            // What lies behind a bad sector of a stream is lost with it: there is nothing to search sector by sector.
            Err(error) if self.0.facts().in_order && blame(&error) == Blame::Medium => {
                (0, Outcome::Failed(error))
            }
            Err(error) => (0, medium_or_not(error)),
        };
        Read { good, outcome, took: begun.elapsed() }
    }
}

/// What a format looks for behind the end of its file is corrupt before it comes to this.
pub(crate) fn became_shorter() -> Error {
    Error::new(Kind::Changed, "the file of the source became shorter while it was read")
        .advise("let its writer end, and run the same command again")
}

impl Source for ImageSource {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn submit(&mut self, at: Extent, buffer: Buffer) {
        self.queue.submit(at, buffer);
    }

    fn in_flight(&self) -> usize {
        self.queue.in_flight()
    }

    fn complete(&mut self, wait: Duration) -> Option<Answer> {
        self.queue.complete(wait)
    }

    fn content_at(&mut self, offset: u64) -> (Content, u64) {
        self.known.at(&self.image, offset, self.geometry.size)
    }

    fn alive(&mut self, known_good: Option<&KnownGood>) -> Result<()> {
        let mut buffer = Buffer::new(PIECE as usize);
        let known_good = known_good.filter(|known| known.bytes.len() <= buffer.len());
        let Some(known) = known_good else { return Ok(()) };
        let again = &mut buffer[..known.bytes.len()];
        match self.image.read_at(again, known.at.offset) {
            Ok(()) => known.compare(again),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(became_shorter()),
            Err(error) => {
                Err(Error::new(Kind::Gone, "the image no longer gives what it gave before").because(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::gate;

    #[test]
    fn a_file_that_is_cut_is_said_to_have_become_shorter() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![7; 2 << 20]).unwrap();
        let image = gate::open(file.path(), Some(&crate::image::raw::RAW), &[]).unwrap().image;
        let mut source = ImageSource::new(image, 2 << 20);
        let known = KnownGood { at: Extent::new(1 << 20, 512), bytes: vec![7; 512] };
        source.alive(Some(&known)).unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        let error = source.alive(Some(&known)).unwrap_err();
        assert_eq!(error.kind(), Kind::Changed);
        assert!(error.to_string().contains("became shorter"), "{error}");
        source.submit(known.at, Buffer::new(PIECE as usize));
        let answer = source.complete(Duration::from_secs(60)).unwrap();
        let Outcome::Failed(error) = answer.read.outcome else { panic!("it was read") };
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    }
}
