//! The walk through grain tables: which bytes of an extent lie where in its file.
//!
//! ```text
//!   disk    │ grain │ grain │ grain │ grain │ …            one run: neighbours on the disk that are
//!   table   [   0   |   0   |  640  |  768  | …            absent, zeros, or neighbours in the file too
//! ```

use super::layout::{Entry, GTE_ZEROED, SECTOR};
use crate::error::Error;
use crate::extent::Extent;
use crate::io::{Content, ReadAt};
use std::io;
use zerocopy::FromBytes;

/// Tables that follow each other in the file are read in parts of this many bytes once a walk goes on through them.
const AHEAD: u64 = 1 << 20;

/// Where bytes of an extent are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Not stored: the parent's, or zeros.
    Absent,
    /// Zeros, also over a parent.
    Zero,
    /// At this byte of the file.
    Stored(u64),
}

/// A grain table.
pub(super) enum Table<'a> {
    /// Neither this one nor those before this number say anything.
    Absent(u64),
    /// All its grains are zeros.
    Zeroed,
    Entries(&'a [Entry]),
}

/// What knows the grain tables of an extent.
pub(super) trait Lookup {
    /// The table of this number.
    fn table(&mut self, index: u64) -> io::Result<Table<'_>>;
}

/// How an extent is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Bytes of a grain.
    pub(super) grain: u64,
    /// Entries of a table.
    pub(super) gtes: u64,
    /// Whether an entry of 1 means zeros.
    pub(super) zeroed: bool,
}

impl Grid {
    /// Bytes of the disk behind a table.
    pub(super) fn span(self) -> u64 {
        self.grain.saturating_mul(self.gtes)
    }

    pub(super) fn place(self, entry: Entry) -> Place {
        match entry.get() {
            0 => Place::Absent,
            GTE_ZEROED if self.zeroed => Place::Zero,
            sector => Place::Stored(u64::from(sector) * SECTOR),
        }
    }
}

/// What a run of grains has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// Stored grains that are neighbours in the file.
    Adjacent,
    /// All that is stored, wherever.
    Stored,
}

/// Where the first byte of `window` is, and up to which byte of it the same holds.
pub(super) fn run(
    lookup: &mut dyn Lookup,
    grid: Grid,
    window: Extent,
    join: Join,
) -> io::Result<(Place, u64)> {
    let mut first = None;
    let mut at = window.offset;
    let continues = |first: &mut Option<Place>, at: u64, place: Place| match (*first, place) {
        (None, _) => {
            *first = Some(place);
            true
        }
        (Some(Place::Stored(_)), Place::Stored(_)) if join == Join::Stored => true,
        (Some(Place::Stored(start)), Place::Stored(here)) => {
            here.checked_sub(start) == Some(at - window.offset)
        }
        (Some(known), _) => known == place,
    };
    while at < window.end() {
        let number = at / grid.span();
        let table = match lookup.table(number) {
            Ok(table) => table,
            // What comes before a broken table is as good as ever.
            Err(_) if first.is_some() => break,
            Err(error) => return Err(error),
        };
        let (place, until) = match table {
            Table::Absent(next) => (Place::Absent, next.max(number + 1)),
            Table::Zeroed => (Place::Zero, number + 1),
            Table::Entries(entries) => {
                let index = usize::try_from(at / grid.grain % grid.gtes).unwrap_or(usize::MAX);
                for entry in entries.get(index..).unwrap_or_default() {
                    let place = match grid.place(*entry) {
                        Place::Stored(start) => Place::Stored(start + at % grid.grain),
                        other => other,
                    };
                    if at >= window.end() || !continues(&mut first, at, place) {
                        return Ok((first.unwrap_or(place), at.min(window.end())));
                    }
                    at = (at / grid.grain + 1).saturating_mul(grid.grain);
                }
                continue;
            }
        };
        if !continues(&mut first, at, place) {
            break;
        }
        at = until.saturating_mul(grid.span());
    }
    Ok((first.unwrap_or(Place::Absent), at.min(window.end())))
}

/// A walk through the tables that a grain directory points to. What was read last is kept, for as long as the walk.
pub(super) struct Cursor<'a> {
    stored: &'a dyn ReadAt,
    directory: &'a [Entry],
    grid: Grid,
    /// Tried where a table of the first lies outside the file; its byte position.
    second: Option<u64>,
    /// Bytes of the file from `window_at`.
    window: Vec<u8>,
    window_at: u64,
    /// A hole of the file, once a table without a grain was met: there may be many of them.
    hole: Option<Extent>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(stored: &'a dyn ReadAt, directory: &'a [Entry], grid: Grid) -> Self {
        Cursor { stored, directory, grid, second: None, window: Vec::new(), window_at: 0, hole: None }
    }

    /// Also looks into the redundant directory at byte `second` of the file.
    pub(super) fn with_second(self, second: Option<u64>) -> Self {
        Cursor { second, ..self }
    }

    fn table_bytes(&self) -> u64 {
        self.grid.gtes * 4
    }

    fn is_inside(&self, at: u64) -> bool {
        at.checked_add(self.table_bytes()).is_some_and(|end| end <= self.stored.size())
    }

    /// Where the table of this number lies.
    fn place_of(&self, number: u64, entry: Entry) -> io::Result<u64> {
        let at = u64::from(entry.get()) * SECTOR;
        if self.is_inside(at) {
            return Ok(at);
        }
        if let Some(second) = self.second {
            let mut entry = [0; 4];
            self.stored.read_at(&mut entry, second + number * 4)?;
            let other = u64::from(u32::from_le_bytes(entry)) * SECTOR;
            if other != 0 && self.is_inside(other) {
                return Ok(other);
            }
        }
        let size = self.stored.size();
        let what = format!("grain table {number} lies at byte {at}, and the file ends at {size}");
        Err(Error::corrupt(at, what).into_io())
    }

    /// The bytes of the table at `at`, read with what follows where the walk came from just before.
    fn load(&mut self, at: u64) -> io::Result<std::ops::Range<usize>> {
        let len = self.table_bytes();
        let end = self.window_at + self.window.len() as u64;
        if at < self.window_at || at + len > end {
            let goes_on = !self.window.is_empty() && at == end;
            let most = if goes_on { AHEAD.max(len) } else { len };
            let take = most.min(self.stored.size() - at);
            self.window.resize(take as usize, 0);
            self.window_at = at;
            if let Err(error) = self.stored.read_at(&mut self.window, at) {
                // What a failed read left is not to be taken for a table.
                self.window.clear();
                return Err(error);
            }
        }
        let start = (at - self.window_at) as usize;
        Ok(start..start + len as usize)
    }

    /// Whether the table at `at` is known to be a hole, once one without grains was met.
    fn is_hole(&mut self, at: u64) -> io::Result<bool> {
        let table = Extent::new(at, self.table_bytes());
        let Some(hole) = self.hole else { return Ok(false) };
        if hole.covers(table) {
            return Ok(true);
        }
        if at >= self.window_at && table.end() <= self.window_at + self.window.len() as u64 {
            return Ok(false);
        }
        let (content, until) = self.stored.content_at(at)?;
        let found = Extent::between(at, until);
        if content == Content::Data || !found.covers(table) {
            return Ok(false);
        }
        self.hole = Some(found);
        Ok(true)
    }
}

impl Lookup for Cursor<'_> {
    fn table(&mut self, number: u64) -> io::Result<Table<'_>> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let rest = self.directory.get(index..).unwrap_or_default();
        let Some(&entry) = rest.first() else { return Ok(Table::Absent(u64::MAX)) };
        if entry.get() == 0 {
            let absent = rest.iter().take_while(|entry| entry.get() == 0).count();
            return Ok(Table::Absent(number + absent as u64));
        }
        if entry.get() == GTE_ZEROED && self.grid.zeroed {
            return Ok(Table::Zeroed);
        }
        let at = self.place_of(number, entry)?;
        if self.is_hole(at)? {
            return Ok(Table::Absent(number + 1));
        }
        let range = self.load(at)?;
        let entries = <[Entry]>::ref_from_bytes(&self.window[range]);
        let entries = entries.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        if entries.iter().all(|entry| entry.get() == 0) {
            self.hole.get_or_insert(Extent::new(0, 0));
            return Ok(Table::Absent(number + 1));
        }
        Ok(Table::Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { grain: 4096, gtes: 4, zeroed: true };

    fn entries(list: &[u32]) -> Vec<Entry> {
        list.iter().map(|&entry| entry.into()).collect()
    }

    #[test]
    fn neighbours_are_one_run() {
        // Tables of 16 bytes in sectors 2 and 3; the third is absent, the fourth all zeros.
        let mut file = vec![0; 4096];
        for (at, list) in [(1024, [100, 108, 0, 0]), (1536, [0, 1, 1, 116])] {
            for (index, entry) in list.iter().enumerate() {
                file[at + index * 4..][..4].copy_from_slice(&u32::to_le_bytes(*entry));
            }
        }
        let directory = entries(&[2, 3, 0, 1, 9]);
        let mut cursor = Cursor::new(&file, &directory, GRID);
        let mut ask = |offset, join| run(&mut cursor, GRID, Extent::between(offset, 80 << 10), join).unwrap();
        assert_eq!(ask(0, Join::Adjacent), (Place::Stored(51_200), 8192));
        assert_eq!(ask(5000, Join::Adjacent), (Place::Stored(56_200), 8192));
        assert_eq!(ask(8192, Join::Adjacent), (Place::Absent, 5 * 4096));
        assert_eq!(ask(5 * 4096, Join::Adjacent), (Place::Zero, 7 * 4096));
        assert_eq!(ask(7 * 4096, Join::Adjacent), (Place::Stored(59_392), 32 << 10));
        assert_eq!(ask(32 << 10, Join::Stored), (Place::Absent, 48 << 10));
        assert_eq!(ask(48 << 10, Join::Stored), (Place::Zero, 64 << 10));
        let beyond = run(&mut cursor, GRID, Extent::new(64 << 10, 1), Join::Stored).unwrap_err();
        assert!(beyond.to_string().contains("table 4"), "{beyond}");
    }
}
