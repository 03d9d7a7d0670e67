//! Lists and bitmaps of block numbers: how `badblocks`, `e2fsck -l` and others name parts of a disk.
//!
//! ```text
//!   map      ++++----++++--++         blocks of 4 bytes; a block is listed where any byte of it is
//!   list     1 3                      one number a line, decimal
//!   bitmap   0x0A or 0x50             a bit a block; the first block is the lowest bit of a byte, or the highest
//! ```

use super::text::END_OF_SPACE;
use super::{RescueMap, Status};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents};
use std::io;
use std::ops::Range;

/// Which bit of a byte is the first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOrder {
    /// The lowest: little endian.
    Low,
    /// The highest: big endian.
    High,
}

impl BitOrder {
    fn bit(self, block: u64) -> u8 {
        match self {
            BitOrder::Low => 1 << (block % 8),
            BitOrder::High => 0x80 >> (block % 8),
        }
    }
}

/// How block numbers from elsewhere become a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Bytes in a block; not 0.
    pub block_size: u64,
    /// What the blocks of the list are.
    pub listed: Status,
    /// What the others are.
    pub others: Status,
}

/// So many numbers are a mistake, of a map without an end or of a block size.
const MAX_BLOCKS: u64 = 1 << 36;

/// The numbers of the blocks that any byte of `extents` lies in, as ranges that ascend and do not touch.
pub fn numbers(extents: &Extents, block_size: u64) -> Result<Vec<Range<u64>>> {
    let blocks = |at: Extent| at.offset / block_size..at.end().div_ceil(block_size);
    let ranges: Vec<_> = extents.align_out(block_size).iter().map(blocks).collect();
    let total = ranges.iter().map(|range| range.end - range.start).sum();
    bounded(total, block_size)?;
    Ok(ranges)
}

fn bounded(total: u64, block_size: u64) -> Result<()> {
    if total > MAX_BLOCKS {
        let many = format!("a list of {total} blocks of {block_size} bytes");
        let advice = "is the map that of the whole medium? `ectype map complete --size` gives it an end";
        return Err(Error::new(Kind::Limit, many).advise(advice));
    }
    Ok(())
}

/// A bit for each block, to be written.
#[derive(Clone, Debug)]
pub struct Bitmap {
    ones: Vec<Range<u64>>,
    bytes: u64,
    order: BitOrder,
}

impl Bitmap {
    /// The bitmap of the blocks of `[0, size)`, with ones where any byte of `extents` lies, which are in there.
    pub fn new(extents: &Extents, size: u64, block_size: u64, order: BitOrder) -> Result<Bitmap> {
        let total = size.div_ceil(block_size);
        bounded(total, block_size)?;
        Ok(Bitmap { ones: numbers(extents, block_size)?, bytes: total.div_ceil(8), order })
    }

    /// Writes it.
    pub fn write(&self, out: &mut (impl io::Write + ?Sized)) -> io::Result<()> {
        const PART: u64 = 1 << 16;
        let mut part = Vec::new();
        let mut ones = self.ones.iter().cloned().peekable();
        for first in (0..self.bytes).step_by(PART as usize) {
            let bytes = first..(first + PART).min(self.bytes);
            part.clear();
            part.resize((bytes.end - bytes.start) as usize, 0);
            while let Some(range) = ones.peek_mut() {
                let until = range.end.min(bytes.end * 8);
                for block in range.start..until {
                    part[(block / 8 - first) as usize] |= self.order.bit(block);
                }
                range.start = range.start.max(until);
                if range.start < range.end {
                    break;
                }
                ones.next();
            }
            out.write_all(&part)?;
        }
        Ok(())
    }
}

/// The map of `size` bytes that a list of block numbers describes: decimal, in any order, between blanks or line ends.
/// Blocks behind `size` are ignored.
pub fn read_numbers(text: &[u8], size: u64, rule: Listed) -> Result<RescueMap> {
    let mut listed = Vec::new();
    let mut offset = 0;
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        for word in line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            let number: Option<u64> = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
            let number = number.ok_or_else(|| {
                Error::corrupt(offset, format!("list of blocks, line {}: not a block number", index + 1))
                    .advise("block numbers are decimal, one a line")
            })?;
            let at = number.checked_mul(rule.block_size).map(|start| Extent::new(start, rule.block_size));
            listed.extend(at);
        }
        offset += line.len() as u64 + 1;
    }
    Ok(map_of(listed.into_iter().collect(), size, rule))
}

/// The map that a bitmap describes, of `size` bytes; without a size, of as many blocks as the bitmap has bits.
pub fn read_bitmap(bits: &[u8], order: BitOrder, size: Option<u64>, rule: Listed) -> RescueMap {
    let mut listed = Vec::new();
    let mut run = Extent::new(0, 0);
    for block in 0..bits.len() as u64 * 8 {
        if bits[(block / 8) as usize] & order.bit(block) == 0 {
            continue;
        }
        let start = block.saturating_mul(rule.block_size);
        if start != run.end() {
            listed.push(std::mem::replace(&mut run, Extent::new(start, 0)));
        }
        run = Extent::between(run.offset, start.saturating_add(rule.block_size));
    }
    listed.push(run);
    let size = size.unwrap_or((bits.len() as u64 * 8).saturating_mul(rule.block_size));
    map_of(listed.into_iter().collect(), size, rule)
}

fn map_of(listed: Extents, size: u64, rule: Listed) -> RescueMap {
    let mut map = RescueMap::default();
    let size = size.min(END_OF_SPACE);
    for at in listed.iter().map(|at| at.intersect(Extent::new(0, size))).filter(|at| !at.is_empty()) {
        map.append(at.offset - map.end, rule.others);
        map.append(at.len, rule.listed);
    }
    map.append(size - map.end, rule.others);
    map
}
