//! The rescue map: what was tried where, and what became of it.
//!
//! ```text
//!   0          1 MiB        1 MiB + 64 KiB                       size
//!   ├─ Finished ─┼─ NonTrimmed ─┼──────────── NonTried ────────────┤      [`RescueMap`]
//!   0x00000000  0x00100000  +                                             [`MapFile`], as text
//!   0x00100000  0x00010000  *
//!   0x00110000  0x3FEF0000  ?
//! ```
//!
//! A map is ordered, free of gaps and coalesced: neighbours differ. It is kept as the starts of its runs in a B-tree, so
//! that a change in the middle of a hundred thousand runs costs no more than one at the end.
//!
//! As text it is the mapfile of GNU ddrescue, in the dialect of its version 1.27: what `ddrescuelog` accepts is accepted
//! and what it refuses is refused (the manual's chapter "Mapfile structure" names the grammar; the rest is observed). A
//! map says nothing of *which* medium was read; that is the ledger's business.

use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Bound::{Excluded, Unbounded};
use std::{io, iter};

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
    fn with(self, other: Cell) -> Cell {
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

/// What a rescue was doing when its mapfile was written. Never a measure of completeness: a run that was told to leave
/// something out ends as [`Phase::Finished`] too. The blocks tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Reading what was not tried.
    #[default]
    Copying,
    /// Finding the edges of what failed.
    Trimming,
    /// Reading between the edges, sector by sector.
    Scraping,
    /// Reading bad sectors once more.
    Retrying,
    /// ddrescue's fill mode.
    Filling,
    /// ddrescue's generate mode.
    Generating,
    /// The run came to its end.
    Finished,
}

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 7] = [
        Phase::Copying,
        Phase::Trimming,
        Phase::Scraping,
        Phase::Retrying,
        Phase::Filling,
        Phase::Generating,
        Phase::Finished,
    ];

    /// Its sign in a mapfile.
    pub const fn sign(self) -> char {
        match self {
            Phase::Copying => '?',
            Phase::Trimming => '*',
            Phase::Scraping => '/',
            Phase::Retrying => '-',
            Phase::Filling => 'F',
            Phase::Generating => 'G',
            Phase::Finished => '+',
        }
    }

    /// The phase of this sign.
    pub fn from_sign(sign: char) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.sign() == sign)
    }
}

/// A map with the place where its rescue stands: the content of a mapfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapFile {
    /// Where the rescue was reading: the start of a block in a pass forwards, its end in one backwards.
    pub current_pos: u64,
    /// What it was doing.
    pub current_status: Phase,
    /// In which pass of that, from 1.
    pub current_pass: u32,
    /// What was tried.
    pub map: RescueMap,
}

/// What the comments above a mapfile say. The library reads no clock and no arguments: both are the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The command line of the run.
    pub command_line: String,
    /// When the run began, as `YYYY-MM-DD HH:MM:SS`.
    pub start_time: String,
    /// When the map was written, in the same form.
    pub current_time: String,
    /// What is going on, for people: `Copying non-tried blocks... Pass 1 (forwards)`. Left out where empty.
    pub remark: String,
}

/// ddrescue keeps positions in signed 64 bits; what lies behind is cut off.
const END_OF_SPACE: u64 = i64::MAX as u64;

/// How many runs a mapfile may have: far more than any medium yields, and few enough for memory.
const MAX_RUNS: usize = 1 << 24;

/// How many bytes of a line count, without the blanks before its first sign; ddrescue cuts the rest off.
const LINE: usize = 127;

impl MapFile {
    /// A rescue of this map that is about to begin.
    pub fn new(map: RescueMap) -> Self {
        MapFile { current_pos: 0, current_status: Phase::default(), current_pass: 1, map }
    }

    /// Reads a mapfile. A file without any block gives an empty map.
    pub fn parse(text: &[u8]) -> Result<MapFile> {
        let mut file: Option<MapFile> = None;
        let mut first = true;
        let mut offset = 0;
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let wrong = |what: &str| Error::corrupt(offset, format!("mapfile, line {}: {what}", index + 1));
            if let Some(mut fields) = Fields::of(line) {
                if let Some(MapFile { map, .. }) = &mut file {
                    let (at, status) =
                        fields.block().ok_or_else(|| wrong("not a block (position, size, status)"))?;
                    if std::mem::take(&mut first) {
                        (map.start, map.end) = (at.offset, at.offset);
                    }
                    if at.offset != map.end {
                        return Err(wrong("the block does not begin where the one before it ends"));
                    }
                    map.append(at.len, status);
                    if map.runs.len() > MAX_RUNS {
                        let many = format!("the mapfile has more than {MAX_RUNS} blocks");
                        return Err(Error::new(Kind::Limit, many).at(offset));
                    }
                } else {
                    file = Some(fields.status_line().ok_or_else(|| wrong("bad or missing status line"))?);
                }
            }
            offset += line.len() as u64 + 1;
        }
        let mut file = file.unwrap_or_else(|| MapFile::new(RescueMap::default()));
        if file.map.runs.is_empty() {
            file.map = RescueMap::default();
        }
        Ok(file)
    }

    /// Writes the mapfile in ddrescue's form.
    pub fn write(&self, out: &mut impl io::Write, header: &Header) -> io::Result<()> {
        writeln!(out, "# Mapfile. Created by ectype version {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(out, "# Command line: {}", one_line(&header.command_line))?;
        writeln!(out, "# Start time:   {}", one_line(&header.start_time))?;
        writeln!(out, "# Current time: {}", one_line(&header.current_time))?;
        if !header.remark.is_empty() {
            writeln!(out, "# {}", one_line(&header.remark))?;
        }
        writeln!(out, "# current_pos  current_status  current_pass")?;
        let phase = self.current_status.sign();
        writeln!(out, "0x{:08X}     {phase}               {}", self.current_pos, self.current_pass)?;
        writeln!(out, "#      pos        size  status")?;
        for (at, status) in self.map.runs() {
            writeln!(out, "0x{:08X}  0x{:08X}  {}", at.offset, at.len, status.sign())?;
        }
        Ok(())
    }

    /// The mapfile as text; see [`MapFile::write`].
    pub fn to_text(&self, header: &Header) -> String {
        let mut text = Vec::new();
        self.write(&mut text, header).expect("memory takes all writes");
        String::from_utf8(text).expect("all of it came from text")
    }
}

/// A comment ends with its line, so a line break in a command line would let it speak as a block.
fn one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, sign| {
        if sign.is_control() {
            let _ = write!(line, "{}", sign.escape_default());
        } else {
            line.push(sign);
        }
        line
    })
}

/// What is left to scan of one line. The rules are those of C's `scanf`, for ddrescue's mapfiles are read by it: numbers in
/// C notation end where they end, blanks may be missing, and whatever follows the last field is ignored.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of a line, unless it is blank or a comment.
    fn of(line: &'a [u8]) -> Option<Self> {
        let start = line.iter().position(|&byte| !is_blank(byte))?;
        let line = &line[start..];
        (line[0] != b'#').then(|| Fields { rest: &line[..line.len().min(LINE)] })
    }

    /// `position phase [pass]`. Writers from before ddrescue 1.20 leave the pass out; it is 1 then.
    fn status_line(&mut self) -> Option<MapFile> {
        let current_pos = u64::try_from(self.number(false)?).ok()?;
        let current_status = Phase::from_sign(self.sign()?)?;
        // C's `int` takes the low 32 bits of a number that is too large.
        let pass = self.number(true).unwrap_or(1) as i32;
        let current_pass = u32::try_from(pass).ok().filter(|&pass| pass > 0)?;
        Some(MapFile { current_pos, current_status, current_pass, map: RescueMap::default() })
    }

    /// `position size status`. Only a block at 0 may be empty.
    fn block(&mut self) -> Option<(Extent, Status)> {
        let offset = u64::try_from(self.number(false)?).ok()?;
        let len = u64::try_from(self.number(false)?).ok()?;
        let status = Status::from_sign(self.sign()?)?;
        let at = Extent::between(offset, offset.saturating_add(len).min(END_OF_SPACE));
        (len > 0 || offset == 0).then_some((at, status))
    }

    fn skip_blanks(&mut self) {
        while let [byte, rest @ ..] = self.rest
            && is_blank(*byte)
        {
            self.rest = rest;
        }
    }

    fn sign(&mut self) -> Option<char> {
        self.skip_blanks();
        let (&sign, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(char::from(sign))
    }

    /// A number: decimal, or in C's notation also `0x` hexadecimal and `0` octal. One too large is the largest.
    fn number(&mut self, decimal: bool) -> Option<i64> {
        self.skip_blanks();
        let (negative, unsigned) = match self.rest {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (radix, digits) = match unsigned {
            [b'0', b'x' | b'X', rest @ ..] if !decimal => (16, rest),
            [b'0', ..] if !decimal => (8, unsigned),
            _ => (10, unsigned),
        };
        let count = digits.iter().take_while(|&&digit| char::from(digit).is_digit(radix)).count();
        // `0x` without a digit is 0, as glibc has it.
        if count == 0 && radix != 16 {
            return None;
        }
        self.rest = &digits[count..];
        let sign = if negative { -1 } else { 1 };
        Some(digits[..count].iter().fold(0_i64, |number, &digit| {
            let digit = char::from(digit).to_digit(radix).expect("counted as a digit");
            number.saturating_mul(i64::from(radix)).saturating_add(sign * i64::from(digit))
        }))
    }
}

/// The blanks of C's `isspace`.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests;
