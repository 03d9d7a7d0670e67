//! Frames, measured without unpacking them: block headers tell how long a frame is, and its header how much it holds.

use super::layout::{
    BLOCK, BLOCK_HEADER, BlockHeader, FrameHeader, MAGIC, MOST_HEADER, SKIPPABLE, SKIPPABLE_LEN,
};
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::ReadAt;

/// Headers lie some ten thousand bytes apart: this much is read around each, in bytes …
const PEEK: u64 = 4096;
/// … and up to this much where they turn out to lie side by side, as in frames of zeros.
const MOST_PEEK: u64 = 256 << 10;

/// A frame as its headers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Where it lies in the file.
    pub(super) stored: Extent,
    /// How many bytes it unpacks to, where it tells; none in a skippable frame.
    pub(super) content: Option<u64>,
    /// Its header; `None` in a skippable frame.
    pub(super) header: Option<FrameHeader>,
}

/// Measures one frame after the other.
pub(super) struct Walk<'a> {
    stored: &'a dyn ReadAt,
    /// No frame reaches beyond it.
    end: u64,
    /// What was read last, and where it lies.
    start: u64,
    seen: Vec<u8>,
    next_peek: u64,
}

impl<'a> Walk<'a> {
    /// Over the frames in the first `end` bytes of `stored`.
    pub(super) fn new(stored: &'a dyn ReadAt, end: u64) -> Walk<'a> {
        Walk { stored, end: end.min(stored.size()), start: 0, seen: Vec::new(), next_peek: PEEK }
    }

    /// At most `len` bytes at `offset`: fewer only where the file ends.
    pub(super) fn peek(&mut self, offset: u64, len: u64) -> Result<&[u8]> {
        let len = len.min(self.end.saturating_sub(offset));
        let known = Extent::new(self.start, self.seen.len() as u64);
        if !known.covers(Extent::new(offset, len)) {
            let near = offset >= self.start && offset - self.start <= known.len;
            self.next_peek = if near { MOST_PEEK.min(self.next_peek * 2) } else { PEEK };
            let more = self.next_peek.max(len).min(self.end.saturating_sub(offset));
            self.seen.resize(more as usize, 0);
            self.start = offset;
            let read = self.stored.read_at(&mut self.seen, offset);
            if let Err(error) = read {
                self.seen.clear();
                return Err(Error::io("reading a zstd image", error).at(offset));
            }
        }
        if len == 0 {
            return Ok(&[]);
        }
        let from = (offset - self.start) as usize;
        Ok(&self.seen[from..from + len as usize])
    }

    /// Whether there is no byte at `offset` any more.
    pub(super) fn is_at_end(&self, offset: u64) -> bool {
        offset >= self.end
    }

    /// The header of the frame at `offset`; `None` with its length for a skippable frame.
    fn header(&mut self, offset: u64) -> Result<(Option<FrameHeader>, u64)> {
        let head = self.peek(offset, MOST_HEADER)?;
        let Some(magic) = head.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes)) else {
            return Err(Error::corrupt(offset, "a zstd frame is cut off by the end of the file"));
        };
        if magic & !0xf == SKIPPABLE {
            let len = head.get(4..8).and_then(|bytes| bytes.first_chunk::<4>());
            let len = len.ok_or_else(|| Error::corrupt(offset, "a skippable frame is cut off"))?;
            return Ok((None, SKIPPABLE_LEN + u64::from(u32::from_le_bytes(*len))));
        }
        if magic != MAGIC {
            let context =
                format!("a zstd frame should begin here with {MAGIC:#010x}, and {magic:#010x} is found");
            return Err(Error::corrupt(offset, context));
        }
        let header = FrameHeader::parse(head, offset)?;
        Ok((Some(header), header.len))
    }

    /// The frame that begins at `offset`, all of it within the file.
    pub(super) fn frame(&mut self, offset: u64) -> Result<Shape> {
        let (header, len) = self.header(offset)?;
        let cut = |at| Error::corrupt(at, "a zstd frame is cut off by the end of the file");
        let mut at = offset.checked_add(len).ok_or_else(|| cut(offset))?;
        let Some(header) = header else {
            let stored = Extent::between(offset, at);
            let whole = at <= self.end;
            return if whole { Ok(Shape { stored, content: None, header: None }) } else { Err(cut(offset)) };
        };
        loop {
            let bytes = self.peek(at, BLOCK_HEADER)?.first_chunk::<3>().copied().ok_or_else(|| cut(at))?;
            let block = BlockHeader::parse(bytes);
            if block.kind.is_none() || block.size > BLOCK {
                let found = format!("{:?} of {} bytes", block.kind, block.size);
                return Err(Error::corrupt(at, format!("a block of a zstd frame that cannot be: {found}")));
            }
            // Grows by three bytes at least, and never beyond the end by more than a block.
            at += BLOCK_HEADER + block.stored();
            if at > self.end {
                return Err(cut(offset));
            }
            if block.last {
                break;
            }
        }
        at += u64::from(header.checksum) * 4;
        if at > self.end {
            return Err(cut(offset));
        }
        let content = header.content_size;
        Ok(Shape { stored: Extent::between(offset, at), content, header: Some(header) })
    }

    /// How much content the frame at `offset` claims, by its header alone.
    pub(super) fn claim(&mut self, offset: u64) -> Result<Shape> {
        let (header, len) = self.header(offset)?;
        let content = header.and_then(|header| header.content_size);
        Ok(Shape { stored: Extent::new(offset, len), content, header })
    }
}

/// The length of the content of zstd frames, one behind the other, where all of them tell; no byte of it is unpacked.
pub(crate) fn content_size(stored: &dyn ReadAt) -> Result<Option<u64>> {
    let mut walk = Walk::new(stored, stored.size());
    let (mut offset, mut size) = (0, 0_u64);
    while !walk.is_at_end(offset) {
        let claim = walk.claim(offset)?;
        if claim.header.is_some_and(|header| header.content_size.is_none()) {
            return Ok(None);
        }
        let shape = walk.frame(offset)?;
        let Some(sum) = size.checked_add(shape.content.unwrap_or(0)) else { return Ok(None) };
        (offset, size) = (shape.stored.end(), sum);
    }
    Ok(Some(size))
}
