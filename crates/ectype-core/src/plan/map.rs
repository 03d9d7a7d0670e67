//! The rescue map: what was tried where, and what became of it.
//!
//! ```text
//!   0          1 MiB        1 MiB + 64 KiB                       size
//!   ├─ Finished ─┼─ NonTrimmed ─┼──────────── NonTried ────────────┤      [`RescueMap`]
//!
//!   text     [`MapFile`], the same as a mapfile of GNU ddrescue
//!   algebra  two maps made one, compared; a map changed, shifted, cut
//!   blocks   lists and bitmaps of block numbers, as badblocks and e2fsck have them
//! ```
//!
//! A map is ordered, free of gaps and coalesced: neighbours differ. It is kept as the starts of its runs in a B-tree, so
//! that a change in the middle of a hundred thousand runs costs no more than one at the end. It says nothing of *which*
//! medium was read; that is the ledger's business.

mod algebra;
mod blocks;
mod text;

pub use algebra::Difference;
pub use blocks::{BitOrder, Bitmap, Listed, numbers, read_bitmap, read_numbers};
pub(crate) use text::END_OF_SPACE;
pub use text::{Header, MapFile, Phase, Stage};

use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents};
use std::collections::BTreeMap;
use std::iter;
use std::ops::Bound::{Excluded, Unbounded};

/// What became of a piece of the medium, from untouched to done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Not read yet.
    NonTried,
    /// A read of it failed; its edges are not known.
    NonTrimmed,
    /// Its edges are known to be bad; the sectors between were not tried one by one.
    NonScraped,
    /// Every sector of it was tried alone and failed.
    Bad,
    /// Read.
    Finished,
}

impl Status {
    /// All of them, in the order in which a piece can pass through them.
    pub const ALL: [Status; 5] =
        [Status::NonTried, Status::NonTrimmed, Status::NonScraped, Status::Bad, Status::Finished];

    /// Its sign in a mapfile.
    pub const fn sign(self) -> char {
        match self {
            Status::NonTried => '?',
            Status::NonTrimmed => '*',
            Status::NonScraped => '/',
            Status::Bad => '-',
            Status::Finished => '+',
        }
    }

    /// Its name, as it appears in lists and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Status::NonTried => "non-tried",
            Status::NonTrimmed => "non-trimmed",
            Status::NonScraped => "non-scraped",
            Status::Bad => "bad",
            Status::Finished => "finished",
        }
    }

    /// The status of this sign.
    pub fn from_sign(sign: char) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.sign() == sign)
    }
}

/// What was tried where. Offsets are bytes of the medium.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RescueMap {
    start: u64,
    end: u64,
    /// Where each run begins; it ends where the next one begins. The first key is `start`, unless the map is empty.
    runs: BTreeMap<u64, Status>,
    bytes: [u64; 5],
    counts: [usize; 5],
}

impl RescueMap {
    /// The map of a medium of `size` bytes of which nothing was tried.
    pub fn new(size: u64) -> Self {
        let mut map = RescueMap::default();
        map.append(size, Status::NonTried);
        map
    }

    /// Where the map ends: the size of the medium as far as the map knows it.
    pub fn size(&self) -> u64 {
        self.end
    }

    /// The bytes that the map speaks of. Only a mapfile of a part of a medium begins behind 0; see [`RescueMap::cover`].
    pub fn extent(&self) -> Extent {
        Extent::between(self.start, self.end)
    }

    /// Records that `at` now has this status. What lies outside the map is ignored.
    pub fn set(&mut self, at: Extent, status: Status) {
        let at = at.intersect(self.extent());
        if at.is_empty() {
            return;
        }
        let (first, mut old) = self.run_at(at.offset);
        if old == status && first.covers(at) {
            return;
        }
        let before = (at.offset > self.start).then(|| self.status_at(at.offset - 1));
        let after = (at.end() < self.end).then(|| self.status_at(at.end()));
        // Every boundary in `at`, its edges included, goes; the two edges come back where they still divide.
        let mut position = at.offset;
        for (boundary, begun) in self.runs.extract_if(at.offset..=at.end(), |_, _| true) {
            self.counts[begun as usize] -= 1;
            self.bytes[old as usize] -= boundary - position;
            (position, old) = (boundary, begun);
        }
        self.bytes[old as usize] -= at.end() - position;
        self.bytes[status as usize] += at.len;
        if before != Some(status) {
            self.begin(at.offset, status);
        }
        if let Some(after) = after.filter(|&after| after != status) {
            self.begin(at.end(), after);
        }
    }

    fn begin(&mut self, offset: u64, status: Status) {
        self.runs.insert(offset, status);
        self.counts[status as usize] += 1;
    }

    /// Grows the map at its end.
    fn append(&mut self, len: u64, status: Status) {
        if len == 0 {
            return;
        }
        if self.runs.last_key_value().is_none_or(|(_, &last)| last != status) {
            self.begin(self.end, status);
        }
        self.bytes[status as usize] += len;
        self.end += len;
    }

    /// The status of the byte at `offset`, which lies in the map.
    pub fn status_at(&self, offset: u64) -> Status {
        self.run_at(offset).1
    }

    /// The run that the byte at `offset` belongs to; `offset` lies in the map.
    pub fn run_at(&self, offset: u64) -> (Extent, Status) {
        self.runs_from(offset).next().expect("the offset lies in the map")
    }

    /// The first run of this status at or behind `from`, clipped to begin at `from`.
    pub fn next(&self, from: u64, status: Status) -> Option<Extent> {
        if self.counts[status as usize] == 0 {
            return None;
        }
        let run = self.runs_from(from.max(self.start)).find(|run| run.1 == status)?.0;
        Some(Extent::between(run.offset.max(from), run.end()))
    }

    /// The last run of this status before `until`, clipped to end there: [`RescueMap::next`] for a pass that goes backwards.
    pub fn previous(&self, until: u64, status: Status) -> Option<Extent> {
        if self.counts[status as usize] == 0 {
            return None;
        }
        let mut end = until.min(self.end);
        for (&offset, &found) in self.runs.range(..end).rev() {
            if found == status {
                return Some(Extent::between(offset, end));
            }
            end = offset;
        }
        None
    }

    /// All runs in ascending order.
    pub fn runs(&self) -> impl Iterator<Item = (Extent, Status)> + '_ {
        self.runs_from(self.start)
    }

    /// The runs from the one that `offset` lies in.
    fn runs_from(&self, offset: u64) -> impl Iterator<Item = (Extent, Status)> + '_ {
        let first = match self.runs.range(..=offset).next_back() {
            Some((&first, _)) if offset < self.end => first,
            _ => self.end,
        };
        let ends =
            self.runs.range((Excluded(first), Unbounded)).map(|(&end, _)| end).chain(iter::once(self.end));
        self.runs
            .range(first..)
            .zip(ends)
            .map(|((&start, &status), end)| (Extent::between(start, end), status))
    }

    /// The bytes that have this status.
    pub fn extents(&self, status: Status) -> Extents {
        self.runs().filter(|run| run.1 == status).map(|run| run.0).collect()
    }

    /// How many bytes have this status.
    pub fn bytes(&self, status: Status) -> u64 {
        self.bytes[status as usize]
    }

    /// How many runs have this status.
    pub fn count(&self, status: Status) -> usize {
        self.counts[status as usize]
    }

    /// Whether every byte has this status; true of an empty map.
    pub fn is_all(&self, status: Status) -> bool {
        self.bytes(status) == self.end - self.start
    }

    /// Makes the map cover exactly `[0, size)`: what it did not speak of was not tried. A map that reaches further belongs
    /// to another medium.
    pub fn cover(&mut self, size: u64) -> Result<()> {
        if self.end > size {
            let longer = format!("the map reaches to byte {}, but the medium has {size} bytes", self.end);
            return Err(Error::new(Kind::Changed, longer));
        }
        if self.start > 0 || self.end < size {
            let part = std::mem::replace(self, RescueMap::new(size));
            for (at, status) in part.runs() {
                self.set(at, status);
            }
        }
        Ok(())
    }

    /// The map in one line of `width` cells, each showing the gravest of what lies in its share; a map of fewer bytes than
    /// cells has one cell a byte.
    pub fn picture(&self, width: usize) -> Vec<Cell> {
        let len = self.extent().len;
        let width = width.min(usize::try_from(len).unwrap_or(usize::MAX));
        let mut cells = Vec::with_capacity(width);
        let mut runs = self.runs();
        let mut run = runs.next();
        for index in 1..=width as u128 {
            let until = self.start + (u128::from(len) * index / width as u128) as u64;
            let mut cell = None;
            while let Some((at, status)) = run {
                cell = Some(cell.map_or(status.into(), |cell: Cell| cell.with(status.into())));
                if at.end() > until {
                    break;
                }
                run = runs.next();
                if at.end() == until {
                    break;
                }
            }
            cells.extend(cell);
        }
        cells
    }
}

/// One cell of [`RescueMap::picture`], in ascending order of what the eye should be drawn to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// Nothing was tried.
    NonTried,
    /// All was read.
    Finished,
    /// Some was read, the rest was not tried.
    Mixed,
    /// Something failed and was not trimmed.
    NonTrimmed,
    /// Something was trimmed and not scraped.
    NonScraped,
    /// Something is bad.
    Bad,
}

impl Cell {
    /// The cell that stands for both.
    pub fn with(self, other: Cell) -> Cell {
        let gravest = self.max(other);
        if gravest == Cell::Finished && self != other { Cell::Mixed } else { gravest }
    }
}

impl From<Status> for Cell {
    fn from(status: Status) -> Cell {
        match status {
            Status::NonTried => Cell::NonTried,
            Status::NonTrimmed => Cell::NonTrimmed,
            Status::NonScraped => Cell::NonScraped,
            Status::Bad => Cell::Bad,
            Status::Finished => Cell::Finished,
        }
    }
}

#[cfg(test)]
mod tests;
