//! Scratches: a layer over a source that cannot read some of its sectors, at the pace of an optical drive.

use super::disc;
use ectype_core::Extent;
use ectype_core::io::Content;
use ectype_core::os::buffer::Buffer;
use ectype_core::source::{Answer, Geometry, KnownGood, Outcome, Source};
use std::time::Duration;

/// What the drive reads a second: slow enough that the progress line is seen.
const BYTES_PER_SECOND: u64 = 16 << 20;

/// How long it tries a bad sector before it gives up.
const GIVES_UP_AFTER: Duration = Duration::from_millis(12);

/// The scratches of the sample disc: single sectors, and a run.
const SCRATCHED: [(usize, usize); 6] = [(1700, 1), (3333, 1), (5021, 1), (6200, 32), (8080, 1), (11_111, 1)];

/// The scratched extents in bytes.
pub(super) fn all() -> Vec<Extent> {
    let sector = disc::SECTOR as u64;
    SCRATCHED
        .iter()
        .map(|&(first, count)| Extent::new(first as u64 * sector, count as u64 * sector))
        .collect()
}

/// A file that is read as a disc with these scratches.
pub(super) struct Scratched {
    below: Box<dyn Source>,
    scratches: Vec<Extent>,
}

impl Scratched {
    pub(super) fn new(below: Box<dyn Source>, scratches: Vec<Extent>) -> Scratched {
        Scratched { below, scratches }
    }
}

impl Source for Scratched {
    fn geometry(&self) -> Geometry {
        let sector = disc::SECTOR as u32;
        Geometry { sector, physical_sector: sector, ..self.below.geometry() }
    }

    fn submit(&mut self, at: Extent, buffer: Buffer) {
        self.below.submit(at, buffer);
    }

    fn in_flight(&self) -> usize {
        self.below.in_flight()
    }

    fn complete(&mut self, wait: Duration) -> Option<Answer> {
        let mut answer = self.below.complete(wait)?;
        let hit =
            self.scratches.iter().map(|scratch| scratch.intersect(answer.at)).find(|hit| !hit.is_empty());
        let read = &mut answer.read;
        if let (Some(hit), Outcome::Ok) = (hit, &read.outcome) {
            read.good = hit.offset - answer.at.offset;
            read.outcome = Outcome::Medium { first_bad: Some(hit.offset), unwritten: false };
            std::thread::sleep(GIVES_UP_AFTER);
        }
        std::thread::sleep(Duration::from_nanos(read.good * 1_000_000_000 / BYTES_PER_SECOND));
        Some(answer)
    }

    fn content_at(&mut self, offset: u64) -> (Content, u64) {
        self.below.content_at(offset)
    }

    fn alive(&mut self, known_good: Option<&KnownGood>) -> ectype_core::Result<()> {
        self.below.alive(known_good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratches_hit_photos_and_lie_apart() {
        let sectors: usize = SCRATCHED.iter().map(|scratch| scratch.1).sum();
        assert_eq!(sectors, 37);
        let mut end = disc::PHOTO_AREA.start;
        for (first, count) in SCRATCHED {
            assert!(first > end && first + count < disc::PHOTO_AREA.end);
            end = first + count;
        }
    }
}
