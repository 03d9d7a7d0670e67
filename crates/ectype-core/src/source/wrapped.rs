//! A volume as a disk: a minimal partition table around it, so that its image attaches.
//!
//! ```text
//!   0        1 MiB                                    1 MiB + size
//!   ┌────────┬────────────────────────────────────────┬────────────┐
//!   │ table  │ the volume                             │ GPT backup │
//!   └────────┴────────────────────────────────────────┴────────────┘
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

/// A volume with a table around it.
pub struct WrappedSource {
    volume: Box<dyn Source>,
    /// The first bytes of the disk; zeros follow up to the volume.
    start: Vec<u8>,
    /// All bytes behind the volume.
    end: Vec<u8>,
    /// What was asked, in order.
    asked: VecDeque<Asked>,
}

/// Who answers a request.
enum Asked {
    /// The table has.
    Table(Answer),
    /// The volume will, and so many bytes behind it belong to the same request.
    Volume { behind: u64, in_steps: bool },
}

impl WrappedSource {
    /// `start` is what the disk begins with, at most 1 MiB, and `end` what follows the volume: nothing, or whole sectors.
    pub fn new(volume: Box<dyn Source>, start: Vec<u8>, end: Vec<u8>) -> WrappedSource {
        assert!(start.len() as u64 <= START, "a table before the volume");
        WrappedSource { volume, start, end, asked: VecDeque::new() }
    }

    fn volume_end(&self) -> u64 {
        START + self.volume.geometry().size
    }

    fn answer_of_table(&self, at: Extent, mut buffer: Buffer) -> Answer {
        let (table, place) = match at.offset.checked_sub(self.volume_end()) {
            None => (&self.start, at.offset as usize),
            Some(behind) => (&self.end, behind as usize),
        };
        let bytes = &mut buffer[..at.len as usize];
        bytes.fill(0);
        let from = place.min(table.len());
        let part = &table[from..(place + bytes.len()).min(table.len())];
        bytes[..part.len()].copy_from_slice(part);
        let read = Read { good: at.len, outcome: Outcome::Ok, took: Duration::ZERO };
        Answer { at, buffer, read }
    }

    /// The part of a request that the volume has to answer, and how many bytes behind it; `None` where the table has all.
    fn of_volume(&self, at: Extent) -> Option<(Extent, u64)> {
        assert!(at.offset >= START || at.end() <= START, "a request on one side of the edge");
        let part = Extent::between(at.offset, at.end().min(self.volume_end().max(at.offset)));
        (at.offset >= START && part.len > 0)
            .then(|| (Extent::new(part.offset - START, part.len), at.len - part.len))
    }
}

impl Source for WrappedSource {
    fn geometry(&self) -> Geometry {
        let volume = self.volume.geometry();
        Geometry { size: START + volume.size + self.end.len() as u64, ..volume }
    }

    fn submit(&mut self, at: Extent, buffer: Buffer) {
        let asked = match self.of_volume(at) {
            None => Asked::Table(self.answer_of_table(at, buffer)),
            Some((part, behind)) => {
                self.volume.submit(part, buffer);
                Asked::Volume { behind, in_steps: false }
            }
        };
        self.asked.push_back(asked);
    }

    fn submit_steps(&mut self, at: Extent, step: u64, buffer: Buffer) {
        let Some((part, behind)) = self.of_volume(at) else { return self.submit(at.first(step), buffer) };
        self.volume.submit_steps(part, step, buffer);
        self.asked.push_back(Asked::Volume { behind, in_steps: true });
    }

    fn in_flight(&self) -> usize {
        self.asked.len()
    }

    fn complete(&mut self, wait: Duration) -> Option<Answer> {
        let (behind, in_steps) = match self.asked.front()? {
            Asked::Volume { behind, in_steps } => (*behind, *in_steps),
            Asked::Table(_) => {
                let Some(Asked::Table(answer)) = self.asked.pop_front() else { unreachable!() };
                return Some(answer);
            }
        };
        let mut answer = self.volume.complete(wait)?;
        self.asked.pop_front();
        answer.at.offset += START;
        if let Outcome::Medium { first_bad: Some(bad), .. } = &mut answer.read.outcome {
            *bad += START;
        }
        let is_all = matches!(answer.read.outcome, Outcome::Ok) && answer.at.end() == self.volume_end();
        if is_all && behind > 0 {
            let from = answer.at.len as usize;
            answer.buffer[from..from + behind as usize].copy_from_slice(&self.end[..behind as usize]);
            answer.read.good += behind;
        }
        // Of a request in steps the answer says how far that went.
        if is_all || !in_steps {
            answer.at.len += behind;
        }
        Some(answer)
    }

    fn content_at(&mut self, offset: u64) -> (Content, u64) {
        let end = self.volume_end();
        match offset {
            ..START => (Content::Data, START),
            _ if offset >= end => (Content::Data, self.geometry().size.max(offset.saturating_add(1))),
            _ => {
                let (content, until) = self.volume.content_at(offset - START);
                (content, until.saturating_add(START).min(end))
            }
        }
    }

    fn forget(&mut self) {
        self.volume.forget();
    }

    fn alive(&mut self, known_good: Option<&KnownGood>) -> Result<()> {
        // What came from the table says nothing of the device.
        let volume = Extent::between(START, self.volume_end());
        let known = known_good.and_then(|known| known.within(volume));
        self.volume.alive(known.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    const SECTOR: u64 = 512;
    const SIZE: u64 = PIECE + 5 * SECTOR;
    const BEHIND: u64 = 3 * SECTOR;
    const DISK: u64 = START + SIZE + BEHIND;

    /// Answers at once, up to its first bad sector; in steps it gets as far as two of them.
    struct Volume {
        bad: Option<u64>,
        answers: VecDeque<Answer>,
        lives: Arc<Mutex<Vec<Option<KnownGood>>>>,
    }

    fn byte(offset: u64) -> u8 {
        (offset / SECTOR % 251) as u8
    }

    impl Source for Volume {
        fn geometry(&self) -> Geometry {
            Geometry { size: SIZE, sector: SECTOR as u32, physical_sector: 4096 }
        }

        fn submit(&mut self, at: Extent, mut buffer: Buffer) {
            assert!(at.end() <= SIZE, "nothing behind the volume is asked of it");
            let bad = self.bad.filter(|bad| at.contains(*bad));
            let good = bad.map_or(at.len, |bad| bad - at.offset);
            (0..good).for_each(|index| buffer[index as usize] = byte(at.offset + index));
            let outcome =
                bad.map_or(Outcome::Ok, |bad| Outcome::Medium { first_bad: Some(bad), unwritten: false });
            self.answers.push_back(Answer { at, buffer, read: Read { good, outcome, took: Duration::ZERO } });
        }

        fn submit_steps(&mut self, at: Extent, step: u64, buffer: Buffer) {
            self.submit(Extent::new(at.offset, at.len.min(2 * step)), buffer);
        }

        fn in_flight(&self) -> usize {
            self.answers.len()
        }

        fn complete(&mut self, _: Duration) -> Option<Answer> {
            self.answers.pop_front()
        }

        fn content_at(&mut self, offset: u64) -> (Content, u64) {
            (Content::Zero, if offset < PIECE { PIECE } else { u64::MAX })
        }

        fn alive(&mut self, known: Option<&KnownGood>) -> Result<()> {
            self.lives.lock().unwrap().push(known.cloned());
            Ok(())
        }
    }

    fn wrapped(bad: Option<u64>) -> (WrappedSource, Arc<Mutex<Vec<Option<KnownGood>>>>) {
        let lives = Arc::default();
        let volume = Volume { bad, answers: VecDeque::new(), lives: Arc::clone(&lives) };
        (WrappedSource::new(Box::new(volume), vec![0xaa; 700], vec![0xbb; BEHIND as usize]), lives)
    }

    fn expected(at: Extent) -> Vec<u8> {
        let of = |offset| match offset {
            ..700 => 0xaa,
            offset if offset < START => 0,
            offset if offset < START + SIZE => byte(offset - START),
            _ => 0xbb,
        };
        (at.offset..at.end()).map(of).collect()
    }

    fn ask(source: &mut WrappedSource, at: Extent, step: Option<u64>) -> Answer {
        let buffer = Buffer::new(PIECE as usize);
        match step {
            Some(step) => source.submit_steps(at, step, buffer),
            None => source.submit(at, buffer),
        }
        assert_eq!(source.in_flight(), 1);
        source.complete(Duration::ZERO).unwrap()
    }

    #[test]
    fn every_request_gets_the_bytes_of_the_disk() {
        let (mut source, _) = wrapped(None);
        assert_eq!(source.geometry().size, DISK);
        let edge = START + SIZE;
        let mut asked: Vec<Extent> =
            (0..DISK).step_by(PIECE as usize).map(|at| Extent::between(at, DISK.min(at + PIECE))).collect();
        asked.push(Extent::new(edge - SECTOR, 2 * SECTOR));
        asked.push(Extent::new(edge, SECTOR));
        asked.push(Extent::new(edge - SECTOR, SECTOR));
        asked.push(Extent::new(DISK - SECTOR, SECTOR));
        for at in asked {
            let answer = ask(&mut source, at, None);
            assert_eq!((answer.at, answer.read.good), (at, at.len));
            assert!(matches!(answer.read.outcome, Outcome::Ok));
            assert!(answer.buffer[..at.len as usize] == expected(at), "{at:?}");
        }
    }

    #[test]
    fn a_failure_before_the_edge_keeps_what_lies_behind_it_open() {
        let edge = START + SIZE;
        let (mut source, _) = wrapped(Some(SIZE - 2 * SECTOR));
        let at = Extent::between(edge - 4 * SECTOR, DISK);
        let answer = ask(&mut source, at, None);
        assert_eq!((answer.at, answer.read.good), (at, 2 * SECTOR));
        let Outcome::Medium { first_bad, .. } = answer.read.outcome else { panic!("it is bad") };
        assert_eq!(first_bad, Some(edge - 2 * SECTOR));
        // In steps: as far as it went, and a failed one is the last.
        let answer = ask(&mut source, at, Some(SECTOR));
        assert_eq!((answer.at, answer.read.good), (Extent::new(at.offset, 2 * SECTOR), 2 * SECTOR));
        let answer = ask(&mut source, Extent::between(edge - 2 * SECTOR, DISK), Some(SECTOR));
        assert_eq!((answer.at.end(), answer.read.good), (edge, 0));
        // With the volume's last step comes what lies behind.
        let answer = ask(&mut source, Extent::between(edge - SECTOR, DISK), Some(SECTOR));
        assert_eq!((answer.at.end(), answer.read.good), (DISK, SECTOR + BEHIND));
        assert!(matches!(answer.read.outcome, Outcome::Ok));
        let answer = ask(&mut source, Extent::between(edge, DISK), Some(SECTOR));
        assert_eq!((answer.at, answer.read.good), (Extent::new(edge, SECTOR), SECTOR));
    }

    #[test]
    fn what_is_known_ends_with_the_volume() {
        let (mut source, _) = wrapped(None);
        assert_eq!(source.content_at(5), (Content::Data, START));
        assert_eq!(source.content_at(START), (Content::Zero, START + PIECE));
        assert_eq!(source.content_at(START + PIECE), (Content::Zero, START + SIZE));
        assert_eq!(source.content_at(START + SIZE), (Content::Data, DISK));
    }

    #[test]
    fn only_bytes_of_the_volume_prove_that_it_lives() {
        let (mut source, lives) = wrapped(None);
        let known = |offset: u64, len: u64| {
            let at = Extent::new(offset, len);
            KnownGood { at, bytes: expected(at) }
        };
        let edge = START + SIZE;
        for known in [known(0, 4096), known(START, 4096), known(edge - SECTOR, 2 * SECTOR), known(edge, 512)]
        {
            source.alive(Some(&known)).unwrap();
        }
        let asked: Vec<Option<(Extent, usize)>> = lives
            .lock()
            .unwrap()
            .iter()
            .map(|known| known.as_ref().map(|known| (known.at, known.bytes.len())))
            .collect();
        let last = Extent::new(SIZE - SECTOR, SECTOR);
        assert_eq!(asked, [None, Some((Extent::new(0, 4096), 4096)), Some((last, 512)), None]);
    }
}
