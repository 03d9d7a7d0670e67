//! A volume as a disk: a minimal partition table before it, so that its image attaches.
//!
//! ```text
//!   0        1 MiB                                    1 MiB + size
//!   ┌────────┬────────────────────────────────────────┐
//!   │ table  │ the volume                             │
//!   └────────┴────────────────────────────────────────┘
//! ```

use super::{Answer, Geometry, KnownGood, Outcome, Read, Source};
use crate::error::Result;
use crate::extent::{Extent, PIECE};
use crate::io::Content;
use crate::os::buffer::Buffer;
use std::collections::VecDeque;
use std::time::Duration;

/// Where the volume begins: a piece, so that no request reaches over its edge.
pub(crate) const START: u64 = PIECE;

/// A volume with a table before it.
pub struct WrappedSource {
    volume: Box<dyn Source>,
    /// The first bytes of the disk; zeros follow up to the volume.
    table: Vec<u8>,
    /// What was asked, in order: an answer from the table, or `None` for one of the volume's.
    asked: VecDeque<Option<Answer>>,
}

impl WrappedSource {
    /// `table` is what the disk begins with, at most 1 MiB.
    pub fn new(volume: Box<dyn Source>, table: Vec<u8>) -> WrappedSource {
        assert!(table.len() as u64 <= START, "a table before the volume");
        WrappedSource { volume, table, asked: VecDeque::new() }
    }

    fn answer_of_table(&self, at: Extent, mut buffer: Buffer) -> Answer {
        let bytes = &mut buffer[..at.len as usize];
        bytes.fill(0);
        let from = (at.offset as usize).min(self.table.len());
        let part = &self.table[from..(at.end() as usize).min(self.table.len())];
        bytes[..part.len()].copy_from_slice(part);
        let read = Read { good: at.len, outcome: Outcome::Ok, took: Duration::ZERO };
        Answer { at, buffer, read }
    }
}

impl Source for WrappedSource {
    fn geometry(&self) -> Geometry {
        let volume = self.volume.geometry();
        Geometry { size: volume.size + START, ..volume }
    }

    fn submit(&mut self, at: Extent, buffer: Buffer) {
        if at.offset < START {
            assert!(at.end() <= START, "a request on one side of the edge");
            let answer = self.answer_of_table(at, buffer);
            self.asked.push_back(Some(answer));
        } else {
            self.volume.submit(Extent::new(at.offset - START, at.len), buffer);
            self.asked.push_back(None);
        }
    }

    fn submit_steps(&mut self, at: Extent, step: u64, buffer: Buffer) {
        if at.offset < START {
            return self.submit(at.first(step), buffer);
        }
        self.volume.submit_steps(Extent::new(at.offset - START, at.len), step, buffer);
        self.asked.push_back(None);
    }

    fn in_flight(&self) -> usize {
        self.asked.len()
    }

    fn complete(&mut self, wait: Duration) -> Option<Answer> {
        match self.asked.front()? {
            Some(_) => self.asked.pop_front().flatten(),
            None => {
                let mut answer = self.volume.complete(wait)?;
                self.asked.pop_front();
                answer.at.offset += START;
                if let Outcome::Medium { first_bad: Some(bad), .. } = &mut answer.read.outcome {
                    *bad += START;
                }
                Some(answer)
            }
        }
    }

    fn content_at(&mut self, offset: u64) -> (Content, u64) {
        if offset < START {
            return (Content::Data, START);
        }
        let (content, until) = self.volume.content_at(offset - START);
        (content, until.saturating_add(START))
    }

    fn forget(&mut self) {
        self.volume.forget();
    }

    fn alive(&mut self, known_good: Option<&KnownGood>) -> Result<()> {
        // What came from the table says nothing of the device.
        let known = known_good.filter(|known| known.at.offset >= START).cloned().map(|mut known| {
            known.at.offset -= START;
            known
        });
        self.volume.alive(known.as_ref())
    }
}
