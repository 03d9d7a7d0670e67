//! How long the content of an xz file is: its streams' indexes tell, from its end on.
//!
//! ```text
//!   stream header 12 │ blocks … │ index: count, (size of a block, of its content) … │ stream footer 12 │ padding │ stream …
//!                                └────────────────── length of the index ◄──────────┘
//! ```
//!
//! The .xz file format 1.2.1, sections 2.1.2, 2.2 and 4. Checksums are left to whoever inflates the file.

use crate::error::{Error, Result};
use crate::io::ReadAt;

/// A stream's header, and its footer, in bytes.
const HEADER: u64 = 12;
const FOOTER: u64 = 12;
/// The last bytes of a footer.
const MAGIC: [u8; 2] = *b"YZ";
/// Read at once, in bytes.
const CHUNK: u64 = 64 << 10;

/// The sum over all streams of the file; `None` where they do not add up, which inflating it will put into words.
pub(super) fn content_size(stored: &dyn ReadAt) -> Result<Option<u64>> {
    let (mut end, mut size) = (stored.size(), 0_u64);
    while end > 0 {
        let Some((start, content)) = last_stream(stored, end)? else { return Ok(None) };
        let Some(sum) = size.checked_add(content) else { return Ok(None) };
        (end, size) = (start, sum);
    }
    Ok(Some(size))
}

/// Where the last stream before `end` begins, and how much it holds.
fn last_stream(stored: &dyn ReadAt, mut end: u64) -> Result<Option<(u64, u64)>> {
    // Padding: zeros, in fours.
    let mut footer = [0; FOOTER as usize];
    // Little at first, and no more than twice what is there: a file may be nothing but tiny streams with little between them.
    let (mut chunk, mut most) = (Vec::new(), FOOTER);
    loop {
        let len = most.min(end);
        chunk.resize(len as usize, 0);
        read(stored, &mut chunk, end - len)?;
        most = CHUNK.min(2 * most);
        let zeros = chunk.iter().rev().take_while(|byte| **byte == 0).count() as u64;
        if zeros < len || zeros == 0 {
            end -= zeros / 4 * 4;
            break;
        }
        end -= len;
    }
    let Some(at) = end.checked_sub(FOOTER) else { return Ok(None) };
    read(stored, &mut footer, at)?;
    if footer[10..] != MAGIC {
        return Ok(None);
    }
    let backward = u32::from_le_bytes([footer[4], footer[5], footer[6], footer[7]]);
    let index_len = (u64::from(backward) + 1) * 4;
    let Some(index_at) = (end - FOOTER).checked_sub(index_len) else { return Ok(None) };
    let mut index = Index { stored, at: index_at, end: end - FOOTER, seen: Vec::new(), used: 0 };
    if index.byte()? != Some(0) {
        return Ok(None);
    }
    let Some(count) = index.number()? else { return Ok(None) };
    let (mut blocks, mut content) = (0_u64, 0_u64);
    for _ in 0..count {
        // Ends with the index at the latest, however many are claimed.
        let (Some(block), Some(part)) = (index.number()?, index.number()?) else { return Ok(None) };
        let sums = (block.checked_next_multiple_of(4), content.checked_add(part));
        let (Some(block), Some(sum)) = sums else { return Ok(None) };
        let Some(all) = blocks.checked_add(block) else { return Ok(None) };
        (blocks, content) = (all, sum);
    }
    let start = index_at.checked_sub(blocks).and_then(|at| at.checked_sub(HEADER));
    Ok(start.map(|start| (start, content)))
}

fn read(stored: &dyn ReadAt, buf: &mut [u8], at: u64) -> Result<()> {
    stored.read_at(buf, at).map_err(|error| Error::io("reading the index of an xz file", error).at(at))
}

/// The bytes of an index, in order.
struct Index<'a> {
    stored: &'a dyn ReadAt,
    at: u64,
    end: u64,
    seen: Vec<u8>,
    used: usize,
}

impl Index<'_> {
    fn byte(&mut self) -> Result<Option<u8>> {
        if self.used == self.seen.len() {
            let len = CHUNK.min(self.end - self.at);
            self.seen.resize(len as usize, 0);
            read(self.stored, &mut self.seen, self.at)?;
            self.at += len;
            self.used = 0;
        }
        let byte = self.seen.get(self.used).copied();
        self.used += usize::from(byte.is_some());
        Ok(byte)
    }

    /// A number of variable length (section 1.2): seven bits a byte, the lowest first, nine bytes at most.
    fn number(&mut self) -> Result<Option<u64>> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let Some(byte) = self.byte()? else { return Ok(None) };
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Counts the bytes that are read.
    struct Counted(Vec<u8>, AtomicU64);

    impl ReadAt for Counted {
        fn size(&self) -> u64 {
            self.0.size()
        }

        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            self.1.fetch_add(buf.len() as u64, Ordering::Relaxed);
            self.0.read_at(buf, offset)
        }
    }

    #[test]
    fn many_tiny_streams_are_not_read_many_times() {
        // An empty stream, as `xz` writes it of no bytes.
        const EMPTY: &[u8; 32] = b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46\0\0\0\0\x1c\xdf\x44\x21\
                                   \x1f\xb6\xf3\x7d\x01\0\0\0\0\x04YZ";
        let padded = |padding: usize| [&EMPTY[..], &vec![0; padding]].concat();
        for padding in [0, 4, 12, 16, 100, 100_000] {
            for bytes in [EMPTY.repeat(5000), padded(padding).repeat(500)] {
                let stored = Counted([bytes, vec![0; padding]].concat(), AtomicU64::new(0));
                assert_eq!(content_size(&stored).unwrap(), Some(0));
                assert!(stored.1.into_inner() < 4 * stored.0.len() as u64, "with padding of {padding}");
            }
        }
        assert_eq!(content_size(&[0; 12].to_vec()).unwrap(), None);
    }
}
