//! From the bytes of the disk to those of the file: what the reader and the writer share.
//!
//! ```text
//!   disk   │ block 0 │ block 1 │ …                        BAT, of chunk ratio 2 for the picture
//!   BAT    │ payload 0 │ payload 1 │ bitmap of 0, 1 │ payload 2 │ payload 3 │ bitmap of 2, 3 │
//!   bitmap   bit n, lowest first: sector n of the chunk is here (1) or the parent's (0)
//! ```
//!
//! §2.4 blocks and chunks, §2.5 the BAT.

use super::layout::*;
use crate::error::{Error, Kind};
use crate::extent::Extent;
use crate::io::{Content, ReadAt, read_padded};
use std::io;

/// The numbers from which every place follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// The virtual disk, in bytes.
    pub(super) size: u64,
    /// The logical sector, in bytes.
    pub(super) sector: u64,
    /// A payload block, in bytes.
    pub(super) block: u64,
    pub(super) has_parent: bool,
    /// Where the BAT begins in the file.
    pub(super) bat: u64,
}

impl Geometry {
    pub(super) fn blocks(&self) -> u64 {
        self.size.div_ceil(self.block)
    }

    /// Payload blocks to a sector bitmap block: the chunk ratio, a power of two.
    pub(super) fn ratio(&self) -> u64 {
        SECTORS_PER_BITMAP * self.sector / self.block
    }

    /// How many entries the BAT has (§2.5): without a parent it ends with the last payload block.
    pub(super) fn entries(&self) -> u64 {
        match self.blocks() {
            0 => 0,
            blocks if self.has_parent => blocks.div_ceil(self.ratio()) * (self.ratio() + 1),
            blocks => self.index(blocks - 1) + 1,
        }
    }

    /// The BAT entry of payload block `block`.
    pub(super) fn index(&self, block: u64) -> u64 {
        block + block / self.ratio()
    }

    /// The BAT entry of the sector bitmap block for `block`.
    pub(super) fn bitmap_index(&self, block: u64) -> u64 {
        let ratio = self.ratio();
        block / ratio * (ratio + 1) + ratio
    }

    /// The payload block of BAT entry `index`; `None` for that of a sector bitmap block.
    pub(super) fn block_of(&self, index: u64) -> Option<u64> {
        let (chunk, within) = (index / (self.ratio() + 1), index % (self.ratio() + 1));
        (within < self.ratio()).then(|| chunk * self.ratio() + within)
    }

    /// The bytes of the disk in `block`, of which the last may be short.
    pub(super) fn extent(&self, block: u64) -> Extent {
        Extent::between(block * self.block, (block + 1).saturating_mul(self.block).min(self.size))
    }

    /// The number within its bitmap of the sector at `offset` of the disk.
    pub(super) fn bit(&self, offset: u64) -> u64 {
        offset / self.sector % SECTORS_PER_BITMAP
    }

    /// Where in the file BAT entry `index` lies.
    pub(super) fn entry_at(&self, index: u64) -> u64 {
        self.bat + index * size_of::<BatEntry>() as u64
    }
}

/// The tables, wherever they are.
pub(super) trait Tables {
    /// The BAT entries from `first` on, which there are.
    fn entries(&self, first: u64, out: &mut [BatEntry]) -> io::Result<()>;

    /// The bytes at `at` of the file, within a sector bitmap block.
    fn bitmap(&self, at: u64, out: &mut [u8]) -> io::Result<()>;
}

/// An image's content, by its tables.
pub(super) struct Map<'a> {
    pub(super) geometry: &'a Geometry,
    pub(super) tables: &'a dyn Tables,
    pub(super) file: &'a dyn ReadAt,
    /// The file's length, which is asked for often.
    pub(super) file_size: u64,
    pub(super) parent: Option<&'a dyn ReadAt>,
}

/// Where bytes of the disk come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// From here on in the file.
    File(u64),
    Zero,
    Parent,
}

/// BAT entries are asked for in runs that grow up to this.
const MOST_AT_ONCE: usize = 8192;
/// So many bytes of a bitmap are asked for at once.
const BITS_AT_ONCE: u64 = 4096;
/// A question for content looks at so many blocks before it answers with what it has.
const MOST_BLOCKS: u64 = 1 << 20;
const MOST_DATA_BLOCKS: u64 = 1 << 10;

/// What was read of the tables last.
#[derive(Default)]
struct Cursor {
    first: u64,
    entries: Vec<BatEntry>,
    /// Where the bits lie in the file.
    bits_at: u64,
    bits: Vec<u8>,
}

impl Map<'_> {
    /// BAT entry `index`.
    fn entry(&self, cursor: &mut Cursor, index: u64) -> io::Result<BatEntry> {
        let known = index.checked_sub(cursor.first).and_then(|n| usize::try_from(n).ok());
        if let Some(entry) = known.and_then(|n| cursor.entries.get(n)) {
            return Ok(*entry);
        }
        let len = (cursor.entries.len() * 8).clamp(8, MOST_AT_ONCE) as u64;
        let len = len.min(self.geometry.entries().saturating_sub(index));
        cursor.first = index;
        cursor.entries.resize(len as usize, BatEntry::default());
        self.tables.entries(index, &mut cursor.entries)?;
        Ok(cursor.entries[0])
    }

    /// Where the bytes from `offset` come from, and up to where that is so: at most `until`, at most its block's end.
    fn part(&self, cursor: &mut Cursor, offset: u64, until: u64) -> io::Result<(From, u64)> {
        let block = offset / self.geometry.block;
        let extent = self.geometry.extent(block);
        let (index, end) = (self.geometry.index(block), extent.end().min(until));
        let entry = self.entry(cursor, index)?;
        let wrong = |what: String| Error::corrupt(self.geometry.entry_at(index), what).into_io();
        let state = entry
            .state()
            .ok_or_else(|| wrong(format!("a block's state is 0 to 3, 6 or 7, not {}", entry.state_bits())))?;
        let present = || {
            let place = entry.place();
            let fits = place.checked_add(extent.len).is_some_and(|end| end <= self.file_size);
            if place < HEADER_SECTION || !fits {
                let what =
                    format!("block {block} is said to lie at {place}, the file has {} bytes", self.file_size);
                return Err(wrong(what));
            }
            Ok(From::File(place + (offset - extent.offset)))
        };
        match state {
            State::NotPresent if self.geometry.has_parent => Ok((From::Parent, end)),
            State::NotPresent | State::Undefined | State::Zero | State::Unmapped => Ok((From::Zero, end)),
            State::FullyPresent => Ok((present()?, end)),
            State::PartiallyPresent if self.geometry.has_parent => {
                let (here, end) = self.sectors(cursor, offset, end)?;
                Ok((if here { present()? } else { From::Parent }, end))
            }
            State::PartiallyPresent => {
                Err(wrong(format!("block {block} is partially present, without a parent")))
            }
        }
    }

    /// Whether the sector at `offset` is here by its bitmap, and up to where that is so.
    fn sectors(&self, cursor: &mut Cursor, offset: u64, end: u64) -> io::Result<(bool, u64)> {
        let geometry = self.geometry;
        let index = geometry.bitmap_index(offset / geometry.block);
        let mut entry = [BatEntry::default()];
        self.tables.entries(index, &mut entry)?;
        let [entry] = entry;
        let place = entry.place();
        let fits = place.checked_add(BITMAP_BLOCK).is_some_and(|end| end <= self.file_size);
        if entry.state_bits() != BatEntry::FULLY_PRESENT || place < HEADER_SECTION || !fits {
            let what = "a sector bitmap block in the file is expected for a block that is partially present";
            let found = format!("{what}, {:#x} is found", entry.bits());
            return Err(Error::corrupt(geometry.entry_at(index), found).into_io());
        }
        let (first, last) = (geometry.bit(offset), geometry.bit(end - 1));
        let here = self.is_set(cursor, place, first, last)?;
        let mut bit = first + 1;
        while bit <= last && self.is_set(cursor, place, bit, last)? == here {
            // Eight at once where they are alike.
            let byte = cursor.bits[(place + bit / 8 - cursor.bits_at) as usize];
            let alike = bit.is_multiple_of(8) && byte == if here { 0xff } else { 0 };
            bit += if alike { 8 } else { 1 };
        }
        let until = offset - offset % geometry.sector + (bit - first) * geometry.sector;
        Ok((here, until.min(end)))
    }

    /// Bit number `bit` of the bitmap at `place`; as far as `last` it will be asked for.
    fn is_set(&self, cursor: &mut Cursor, place: u64, bit: u64, last: u64) -> io::Result<bool> {
        let at = place + bit / 8;
        if at < cursor.bits_at || at >= cursor.bits_at + cursor.bits.len() as u64 {
            let len = (place + last / 8 + 1 - at).min(BITS_AT_ONCE);
            cursor.bits.resize(len as usize, 0);
            cursor.bits_at = at;
            self.tables.bitmap(at, &mut cursor.bits)?;
        }
        Ok(cursor.bits[(at - cursor.bits_at) as usize] >> (bit % 8) & 1 != 0)
    }

    pub(super) fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.geometry.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut cursor = Cursor::default();
        let mut at = offset;
        // Blocks that lie one behind the other in the file are read as one.
        while at < end {
            let (from, mut until) = self.part(&mut cursor, at, end)?;
            while until < end {
                let (next, further) = self.part(&mut cursor, until, end)?;
                if !follows(from, until - at, next) {
                    break;
                }
                until = further;
            }
            let part = &mut buf[(at - offset) as usize..(until - offset) as usize];
            match from {
                From::Zero => part.fill(0),
                From::File(place) => self.file.read_at(part, place)?,
                From::Parent => self.read_parent(part, at)?,
            }
            at = until;
        }
        Ok(())
    }

    /// Behind the parent's end there are zeros.
    fn read_parent(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let Some(parent) = self.parent else {
            let what = "a parent's content is asked for, and there is none";
            return Err(Error::new(Kind::Corrupt, what).into_io());
        };
        read_padded(parent, buf, offset)
    }

    pub(super) fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        let end = self.geometry.size;
        if offset >= end {
            return Ok((Content::Data, offset.saturating_add(1)));
        }
        let mut cursor = Cursor::default();
        let (from, mut until) = self.part(&mut cursor, offset, end)?;
        let (content, known) = match (from, self.parent) {
            (From::Zero, _) => (Content::Zero, end),
            (From::File(place), _) => {
                let (content, known) = self.file.content_at(place)?;
                (content, offset.saturating_add(known.saturating_sub(place)))
            }
            // Behind its end nothing is known of its answer, and there are zeros.
            (From::Parent, Some(parent)) if offset < parent.size() => {
                let (content, known) = parent.content_at(offset)?;
                (content, known.min(parent.size()))
            }
            (From::Parent, _) => (Content::Zero, end),
        };
        let known = known.clamp(offset + 1, end);
        // Data is read in any case: of it there is no need to know the whole.
        let most = if content == Content::Data { MOST_DATA_BLOCKS } else { MOST_BLOCKS };
        for _ in 0..most {
            if until >= known {
                break;
            }
            // What is wrong there is told when it is asked for.
            let Ok((next, further)) = self.part(&mut cursor, until, known) else { break };
            if !follows(from, until - offset, next) {
                break;
            }
            until = further;
        }
        Ok((content, until.min(known)))
    }
}

/// Whether `next` goes on where `from` is after `len` bytes.
fn follows(from: From, len: u64, next: From) -> bool {
    match (from, next) {
        (From::File(a), From::File(b)) => a + len == b,
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_has_its_entry() {
        for (sector, block) in [(512, 1), (512, 256), (4096, 1), (4096, 32)] {
            let block = block * MIB;
            for has_parent in [false, true] {
                let size = 3 * SECTORS_PER_BITMAP * sector + 5 * block + sector;
                let geometry = Geometry { size, sector, block, has_parent, bat: 3 * MIB };
                let blocks = geometry.blocks();
                for n in (0..blocks).step_by(7).chain([blocks - 1]) {
                    assert_eq!(geometry.block_of(geometry.index(n)), Some(n));
                    assert_eq!(geometry.block_of(geometry.bitmap_index(n)), None);
                }
                // §2.5 of the specification, in its words.
                let ratio = (1 << 23) * sector / block;
                let chunks = blocks.div_ceil(ratio);
                let expected = if has_parent { chunks * (ratio + 1) } else { blocks + (blocks - 1) / ratio };
                assert_eq!(geometry.entries(), expected);
            }
        }
    }
}
