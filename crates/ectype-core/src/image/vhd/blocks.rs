//! Blocks: how a sparse image's bytes are found, whether it is finished or being written.
//!
//! ```text
//!   disk    │ block 0 │ block 1 │ block 2 │
//!                │         │         └ no entry: the parent's bytes, or zeros
//!                │         └ entry, bit set:    this image's sector
//!                └ entry, bit clear:            the parent's sector, or zeros
//! ```

use super::super::Opened;
use super::layout::SECTOR;
use crate::io::{Content, read_padded};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// A look at a bitmap takes in so many sectors at most: 4 KiB of it.
const SECTORS_AT_ONCE: u64 = 32_768;

/// What a sparse image knows of its blocks.
pub(super) trait Blocks {
    /// The disk's length in bytes.
    fn disk_size(&self) -> u64;

    /// The length of a block in bytes, whole sectors.
    fn block_size(&self) -> u64;

    /// Where the content of a block begins in the file; `None` where the block is not there.
    fn payload(&self, block: u64) -> io::Result<Option<u64>>;

    /// The first block from `block` on that is there, or at which the looking ended; at most `limit`.
    fn next_allocated(&self, block: u64, limit: u64) -> io::Result<u64>;

    /// Which of these sectors of a block that is there are this image's own.
    fn own(&self, block: u64, sectors: Range<u64>) -> io::Result<Own>;

    /// Reads stored bytes.
    fn stored(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// What is known of stored bytes.
    fn stored_content(&self, offset: u64) -> io::Result<(Content, u64)>;

    /// Whose bytes are read where there are no own.
    fn parent(&self) -> Option<&Arc<dyn Opened>>;
}

/// Which sectors of a block are the image's own.
pub(super) enum Own {
    /// All that were asked for.
    All,
    /// As these bits say, the highest of a byte first; the first is that of sector `first`.
    Bits {
        /// A multiple of 8.
        first: u64,
        /// At least as many as were asked for.
        bits: Vec<u8>,
    },
}

impl Own {
    /// Whether sector `from` is own, and up to where that holds, at most `end`.
    fn run(&self, from: u64, end: u64) -> (bool, u64) {
        match self {
            Own::All => (true, end),
            Own::Bits { first, bits } => {
                let (own, until) = run(bits, from - first, end - first);
                (own, until + first)
            }
        }
    }
}

/// Whether bit `from` is set, and up to where that holds, at most `end`.
pub(super) fn run(bits: &[u8], from: u64, end: u64) -> (bool, u64) {
    let is_set = |bit: u64| bits[(bit / 8) as usize] & (0x80 >> (bit % 8)) != 0;
    let set = is_set(from);
    let whole = if set { 0xff } else { 0 };
    let mut at = from + 1;
    while at < end {
        if at.is_multiple_of(8) && bits[(at / 8) as usize] == whole {
            at += 8;
        } else if is_set(at) == set {
            at += 1;
        } else {
            break;
        }
    }
    (set, at.min(end))
}

/// Fills `buf` with the disk's bytes from `offset`.
pub(super) fn read(image: &impl Blocks, buf: &mut [u8], offset: u64) -> io::Result<()> {
    let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= image.disk_size());
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let size = image.block_size();
    let (mut at, mut rest) = (offset, buf);
    while at < end {
        let block = at / size;
        let payload = image.payload(block)?;
        let until = match payload {
            None => image.next_allocated(block + 1, end.div_ceil(size))?,
            Some(_) => block + 1,
        };
        let len = (until * size).min(end) - at;
        let (part, tail) = rest.split_at_mut(len as usize);
        match payload {
            None => inherit(image, part, at)?,
            Some(payload) => read_block(image, part, at, payload)?,
        }
        (at, rest) = (at + len, tail);
    }
    Ok(())
}

/// The parent's bytes, and zeros behind its end.
pub(super) fn inherit(image: &impl Blocks, buf: &mut [u8], at: u64) -> io::Result<()> {
    let Some(parent) = image.parent() else {
        buf.fill(0);
        return Ok(());
    };
    read_padded(parent, buf, at)
}

/// A part of one block.
fn read_block(image: &impl Blocks, buf: &mut [u8], at: u64, payload: u64) -> io::Result<()> {
    let size = image.block_size();
    let (block, start) = (at / size, at % size);
    let end = start + buf.len() as u64;
    let sectors = start / SECTOR..end.div_ceil(SECTOR);
    let own = image.own(block, sectors.clone())?;
    let (mut from, mut rest) = (start, buf);
    while from < end {
        let (is_own, until) = own.run(from / SECTOR, sectors.end);
        let len = (until * SECTOR).min(end) - from;
        let (part, tail) = rest.split_at_mut(len as usize);
        if is_own {
            image.stored(part, payload + from)?;
        } else {
            inherit(image, part, block * size + from)?;
        }
        (from, rest) = (from + len, tail);
    }
    Ok(())
}

/// What is known of the disk's bytes at `offset`, and up to where.
pub(super) fn content_at(image: &impl Blocks, offset: u64) -> io::Result<(Content, u64)> {
    let (disk, size) = (image.disk_size(), image.block_size());
    if offset >= disk {
        return Ok((Content::Data, offset.saturating_add(1)));
    }
    let (block, start) = (offset / size, offset % size);
    let block_end = ((block + 1) * size).min(disk);
    let payload = match image.payload(block) {
        Ok(Some(payload)) => payload,
        Ok(None) => {
            // No further than the parent knows: a walk through one in many parts would look at the same blocks for each.
            let (content, known) = inherited(image, offset, disk)?;
            let until = image.next_allocated(block + 1, known.div_ceil(size))?;
            return Ok((content, known.min(until * size)));
        }
        // Whoever reads it will be told.
        Err(_) => return Ok((Content::Data, block_end)),
    };
    let sector = start / SECTOR;
    let sectors = sector..(size / SECTOR).min(sector + SECTORS_AT_ONCE);
    let Ok(own) = image.own(block, sectors.clone()) else {
        return Ok((Content::Data, block_end));
    };
    let (is_own, until) = own.run(sector, sectors.end);
    let until = (block * size + until * SECTOR).min(disk);
    if !is_own {
        return inherited(image, offset, until);
    }
    let (content, stored_until) = image.stored_content(payload + start)?;
    let len = stored_until.saturating_sub(payload + start).max(1);
    let content = if content == Content::Zero { Content::Zero } else { Content::Data };
    Ok((content, offset.saturating_add(len).min(until)))
}

/// What is known of bytes that are the parent's.
fn inherited(image: &impl Blocks, offset: u64, end: u64) -> io::Result<(Content, u64)> {
    match image.parent() {
        Some(parent) if offset < parent.size() => {
            let (content, until) = parent.content_at(offset)?;
            Ok((content, until.min(parent.size()).min(end)))
        }
        _ => Ok((Content::Zero, end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Facts, Findings};
    use crate::io::ReadAt;
    use std::cell::Cell;

    const MIB: u64 = 1 << 20;

    /// A parent of data and zeros by turns.
    struct Striped(Facts);

    impl ReadAt for Striped {
        fn size(&self) -> u64 {
            4000 * MIB
        }

        fn read_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
            Ok(())
        }

        fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
            let stripe = offset / MIB;
            Ok((if stripe.is_multiple_of(2) { Content::Data } else { Content::Zero }, (stripe + 1) * MIB))
        }
    }

    impl Opened for Striped {
        fn facts(&self) -> &Facts {
            &self.0
        }

        fn check(&self, _findings: &mut Findings) -> crate::error::Result<()> {
            Ok(())
        }
    }

    /// A child without blocks, and how many it was looked for.
    struct Empty(Option<Arc<dyn Opened>>, Cell<u64>);

    impl Blocks for Empty {
        fn disk_size(&self) -> u64 {
            4000 * MIB
        }

        fn block_size(&self) -> u64 {
            2 * MIB
        }

        fn payload(&self, _block: u64) -> io::Result<Option<u64>> {
            Ok(None)
        }

        fn next_allocated(&self, block: u64, limit: u64) -> io::Result<u64> {
            self.1.set(self.1.get() + limit.saturating_sub(block));
            Ok(limit.max(block))
        }

        fn own(&self, _block: u64, _sectors: Range<u64>) -> io::Result<Own> {
            Ok(Own::All)
        }

        fn stored(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
            Ok(())
        }

        fn stored_content(&self, _offset: u64) -> io::Result<(Content, u64)> {
            Ok((Content::Data, u64::MAX))
        }

        fn parent(&self) -> Option<&Arc<dyn Opened>> {
            self.0.as_ref()
        }
    }

    #[test]
    fn a_parent_in_many_parts_is_walked_once() {
        let child = Empty(Some(Arc::new(Striped(Facts::default()))), Cell::new(0));
        let (mut offset, mut parts) = (0, 0);
        while offset < child.disk_size() {
            offset = content_at(&child, offset).unwrap().1;
            parts += 1;
        }
        assert!(parts == 4000 && child.1.get() < 10 * 2000, "{parts} parts, {} blocks", child.1.get());
    }

    #[test]
    fn runs_of_bits() {
        let bits = [0b1110_0000, 0, 0b0000_0001, 0xff, 0xff];
        assert_eq!(run(&bits, 0, 40), (true, 3));
        assert_eq!(run(&bits, 1, 2), (true, 2));
        assert_eq!(run(&bits, 3, 40), (false, 23));
        assert_eq!(run(&bits, 3, 11), (false, 11));
        assert_eq!(run(&bits, 23, 40), (true, 40));
        assert_eq!(run(&bits, 25, 30), (true, 30));
    }
}
