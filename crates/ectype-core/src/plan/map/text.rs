//! The map as text: the mapfile of GNU ddrescue.
//!
//! ```text
//!   # Mapfile. Created by …                    comments
//!   0x00110000     ?               1           where the rescue stands: position, phase, pass
//!   0x00000000  0x00100000  +                  blocks: position, size, status
//!   0x00100000  0x00010000  *
//!   0x00110000  0x3FEF0000  ?
//! ```
//!
//! The dialect is that of version 1.27: what `ddrescuelog` accepts is accepted and what it refuses is refused (the manual's
//! chapter "Mapfile structure" names the grammar; the rest is observed).

use super::{RescueMap, Status};
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use std::fmt::Write as _;
use std::io;

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

    /// Its name, as it appears in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Copying => "copying",
            Phase::Trimming => "trimming",
            Phase::Scraping => "scraping",
            Phase::Retrying => "retrying",
            Phase::Filling => "filling",
            Phase::Generating => "generating",
            Phase::Finished => "finished",
        }
    }

    /// The phase of this sign.
    pub fn from_sign(sign: char) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.sign() == sign)
    }
}

/// Where a rescue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What is being done.
    pub phase: Phase,
    /// In which pass of that, from 1.
    pub pass: u32,
    /// Whether the pass goes from the end to the start.
    pub backwards: bool,
}

impl Default for Stage {
    fn default() -> Stage {
        Stage { phase: Phase::Copying, pass: 1, backwards: false }
    }
}

impl Stage {
    /// As the comment in a mapfile says it.
    pub fn remark(self) -> String {
        let direction = if self.backwards { "backwards" } else { "forwards" };
        match self.phase {
            Phase::Trimming => format!("Trimming failed blocks... ({direction})"),
            Phase::Scraping => format!("Scraping failed blocks... ({direction})"),
            Phase::Retrying => format!("Retrying bad sectors... Retry {} ({direction})", self.pass),
            Phase::Finished => "Finished".to_owned(),
            _ => format!("Copying non-tried blocks... Pass {} ({direction})", self.pass),
        }
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

/// ddrescue keeps positions in signed 64 bits; what lies behind is cut off, and a map that knows no end ends here.
pub(crate) const END_OF_SPACE: u64 = i64::MAX as u64;

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
        let mut map = RescueMap::default();
        let mut first = true;
        let file = scan(text, |line, at, status| {
            if std::mem::take(&mut first) {
                (map.start, map.end) = (at.offset, at.offset);
            }
            if at.offset != map.end {
                return Err(line.not_contiguous(at.offset, map.end));
            }
            map.append(at.len, status);
            if map.runs.len() > MAX_RUNS { Err(line.too_many()) } else { Ok(()) }
        })?;
        // The place of an empty map means nothing.
        let map = if map.runs.is_empty() { RescueMap::default() } else { map };
        Ok(MapFile { map, ..file })
    }

    /// Reads a mapfile that was edited by hand, as `ddrescuelog --complete-mapfile` does: blocks may lie in any order, leave
    /// gaps, which become `fill`, and overlap blocks of the same status.
    pub fn parse_loose(text: &[u8], fill: Status) -> Result<MapFile> {
        let mut blocks = Vec::new();
        let file = scan(text, |line, at, status| {
            blocks.push((at, status, line));
            if blocks.len() > MAX_RUNS { Err(line.too_many()) } else { Ok(()) }
        })?;
        blocks.retain(|(at, ..)| !at.is_empty());
        blocks.sort_by_key(|(at, ..)| at.offset);
        let mut map = RescueMap::default();
        for (at, status, line) in blocks {
            map.append(at.offset.saturating_sub(map.end), fill);
            // Sorted by their starts, so what overlaps lies in one run or in several statuses.
            if at.offset < map.end {
                let (run, known) = map.run_at(at.offset);
                if known != status || run.end() < at.end().min(map.end) {
                    return Err(line.contradicts());
                }
            }
            map.append(at.end().saturating_sub(map.end), status);
        }
        Ok(MapFile { map, ..file })
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

/// Where in a mapfile something stands.
#[derive(Clone, Copy)]
struct Line {
    number: usize,
    offset: u64,
}

impl Line {
    fn wrong(self, what: &str) -> Error {
        Error::corrupt(self.offset, format!("mapfile, line {}: {what}", self.number))
    }

    fn not_contiguous(self, start: u64, end: u64) -> Error {
        if start > end {
            let gap =
                format!("the block begins at {start:#X}, and the one before it ends at {end:#X}: a gap");
            self.wrong(&gap).advise("`ectype map complete` fills gaps")
        } else {
            let overlap =
                format!("the block begins at {start:#X}, before the end of what stands above it, {end:#X}");
            self.wrong(&overlap)
                .advise("`ectype map complete` sorts blocks, and joins those of one status that overlap")
        }
    }

    fn contradicts(self) -> Error {
        self.wrong("the block overlaps one of another status")
            .advise("which of them is right only you can tell: correct one of the lines")
    }

    fn too_many(self) -> Error {
        Error::new(Kind::Limit, format!("the mapfile has more than {MAX_RUNS} blocks")).at(self.offset)
    }
}

/// Reads line by line: gives each block to `block`, and returns the status line, with an empty map.
fn scan(text: &[u8], mut block: impl FnMut(Line, Extent, Status) -> Result<()>) -> Result<MapFile> {
    let mut file = None;
    let mut offset = 0;
    for (index, content) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = Line { number: index + 1, offset };
        offset += content.len() as u64 + 1;
        let Some(mut fields) = Fields::of(content) else { continue };
        if file.is_none() {
            let bad = || {
                line.wrong("bad or missing status line (position, phase, pass)")
                    .advise("a mapfile begins with a line such as `0x00000000 ? 1`; is it one?")
            };
            file = Some(fields.status_line().ok_or_else(bad)?);
        } else {
            let bad = || {
                line.wrong("not a block (position, size, status)")
                    .advise("a block is a line such as `0x00000000 0x00000200 +`; the status is one of ?*/-+")
            };
            let (at, status) = fields.block().ok_or_else(bad)?;
            block(line, at, status)?;
        }
    }
    Ok(file.unwrap_or_else(|| MapFile::new(RescueMap::default())))
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
