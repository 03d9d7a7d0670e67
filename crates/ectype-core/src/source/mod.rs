//! Where bytes come from: a medium that is being imaged.
//!
//! A [`Source`] takes requests and gives their answers in the order of asking, several in flight while the medium is
//! healthy. A read that fails is an *answer*, not an error: [`Outcome`] says what it means, and whoever records it as the
//! medium's fault has first asked [`Source::alive`], because a drive that vanished also fails every read.

mod device;
mod file;
mod image;
mod overlay;
mod queue;
pub mod snapshot;
mod wrapped;

pub use device::{DeviceReader, DeviceSource};
pub use file::FileSource;
pub use image::ImageSource;
pub(crate) use image::became_shorter;
pub use overlay::{Guard, OverlayReader, OverlaySource, Part};
pub(crate) use wrapped::START as WRAPPED_START;
pub use wrapped::WrappedSource;

use crate::extent::Extent;
pub use crate::io::Geometry;
use crate::io::{Content, ReadAt};
use crate::os::buffer::Buffer;
use std::io;
use std::time::Duration;

/// What became of a read.
#[derive(Debug)]
pub struct Read {
    /// How many bytes from the start of the request are valid.
    pub good: u64,
    /// Whether it was all, and if not, why.
    pub outcome: Outcome,
    /// How long the answer took.
    pub took: Duration,
}

/// Why a read ended as it did.
#[derive(Debug)]
pub enum Outcome {
    /// Everything was read.
    Ok,
    /// The medium could not give a sector; the first bad byte where the drive told it.
    Medium {
        /// The offset of the first unreadable byte, known from sense data only.
        first_bad: Option<u64>,
        /// The drive says that the sector was never written: a gap, no damage.
        unwritten: bool,
    },
    /// The device is no longer there, or its medium is another.
    Gone(io::Error),
    /// The drive refuses to give these sectors (copy protection): not damage. The text names it.
    Protected(String),
    /// The system failed in a way that says nothing of the medium.
    Failed(io::Error),
}

/// What the system's error says: that the medium is bad there, that the device is gone, or nothing of either.
fn medium_or_not(error: io::Error) -> Outcome {
    match crate::os::file::blame(&error) {
        crate::os::Blame::Medium => Outcome::Medium { first_bad: None, unwritten: false },
        crate::os::Blame::Gone => Outcome::Gone(error),
        crate::os::Blame::Other => Outcome::Failed(error),
    }
}

/// An answered request.
pub struct Answer {
    /// What was asked for; of a request in steps, what was tried.
    pub at: Extent,
    /// The buffer that came with the request; its first `read.good` bytes are valid.
    pub buffer: Buffer,
    /// What became of it.
    pub read: Read,
}

/// A sector that was read: to be asked for again, and to be the same.
#[derive(Clone, Debug)]
pub struct KnownGood {
    /// Where it lies.
    pub at: Extent,
    /// What was read.
    pub bytes: Vec<u8>,
}

impl KnownGood {
    /// What of it lies in `part`, counted from where that begins; `None` where nothing does.
    fn within(&self, part: Extent) -> Option<KnownGood> {
        let at = self.at.intersect(part);
        if at.is_empty() {
            return None;
        }
        let bytes = &self.bytes[(at.offset - self.at.offset) as usize..][..at.len as usize];
        Some(KnownGood { at: Extent::new(at.offset - part.offset, at.len), bytes: bytes.to_vec() })
    }

    /// An error where `again`, the same bytes read once more, are others: then no answer of the drive is worth anything.
    pub fn compare(&self, again: &[u8]) -> crate::error::Result<()> {
        if self.bytes == again {
            return Ok(());
        }
        Err(crate::error::Error::new(
            crate::error::Kind::Changed,
            "after an error the drive gives other data for a sector than before: it lies, or somebody writes to the medium",
        )
        .at(self.at.offset)
        .advise("try another cable, port or drive, then run the same command: it goes on"))
    }
}

/// The last answer of a reader's `content_at`: asking the kernel, or tables, for every piece would cost more than reading it.
struct Known(Content, Extent);

impl Known {
    fn nothing() -> Known {
        Known(Content::Data, Extent::new(0, 0))
    }

    /// What lies at `offset` of the first `size` bytes, and up to where; data where the reader cannot tell.
    fn at(&mut self, reader: &dyn ReadAt, offset: u64, size: u64) -> (Content, u64) {
        if !self.1.contains(offset) {
            let (content, until) = reader.content_at(offset).unwrap_or((Content::Data, size));
            *self = Known(content, Extent::between(offset, until.min(size).max(offset + 1)));
        }
        (self.0, self.1.end())
    }
}

/// A medium that is being imaged.
pub trait Source: Send {
    /// Its sizes.
    fn geometry(&self) -> Geometry;

    /// Asks for the bytes of `at`, which begins on a sector and ends on one or at the end of the medium, and which fits in
    /// `buffer`. Never waits.
    fn submit(&mut self, at: Extent, buffer: Buffer);

    /// Asks for the bytes of `at` in reads of `step` bytes each, up to the first one that fails; the last may be shorter. The
    /// answer's extent says how far that went: at least one step, and a failed one is its last. Never waits.
    fn submit_steps(&mut self, at: Extent, step: u64, buffer: Buffer) {
        self.submit(at.first(step), buffer);
    }

    /// How many requests are unanswered or their answers not taken.
    fn in_flight(&self) -> usize;

    /// The answer to the oldest request, or `None` if it has not come within `wait` or nothing was asked.
    fn complete(&mut self, wait: Duration) -> Option<Answer>;

    /// What is known to lie at `offset` without reading, and up to where; see [`crate::io::ReadAt::content_at`].
    fn content_at(&mut self, offset: u64) -> (Content, u64) {
        (Content::Data, self.geometry().size.max(offset.saturating_add(1)))
    }

    /// Makes the reads that follow come from the medium, not from a cache of the system. Best effort.
    fn forget(&mut self) {}

    /// Whether the device still is the one that was opened and answers: same size, same medium, and `known_good`, a sector
    /// that was read before, can be read again past all caches and is the same; without one, any sector can be read. The error says what changed
    /// ([`crate::error::Kind::Gone`], or [`crate::error::Kind::Changed`] where it lies). Called with nothing in flight.
    fn alive(&mut self, known_good: Option<&KnownGood>) -> crate::error::Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_over_the_edge_of_a_part_is_divided_there() {
        let known = KnownGood { at: Extent::new(1000, 8), bytes: (0..8).collect() };
        let within = |from, to| {
            known.within(Extent::between(from, to)).map(|known| (known.at.offset, known.at.len, known.bytes))
        };
        assert_eq!(within(0, 2000), Some((1000, 8, (0..8).collect())));
        assert_eq!(within(900, 1002), Some((100, 2, vec![0, 1])));
        assert_eq!(within(1002, 1005), Some((0, 3, vec![2, 3, 4])));
        assert_eq!(within(1006, 2000), Some((0, 2, vec![6, 7])));
        assert_eq!((within(0, 1000), within(1008, 2000)), (None, None));
    }
}
