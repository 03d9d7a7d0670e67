//! Differencing images: only what is not already in the parent is put.
//!
//! ```text
//!   put ──► the same as what the image reads there, through to its parent? ──► nothing to do
//!                └ no ──► the sectors that differ ──► the format's own sink
//!   put_packed ──► the packer has left out what is the parent's ──► the format's own sink
//! ```

use super::{Image, Pack, Packed, Placement, Sink};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::io::{Content, ReadAt, is_zero};
use std::io;
use std::sync::Arc;

/// Differences are told apart in cells of this many bytes.
const CELL: usize = 4096;

/// A differencing image under construction that is given all of a content.
pub struct Differing {
    image: Box<dyn Image>,
    buffer: Vec<u8>,
}

impl Differing {
    /// Feeds `image`, which reads as its parent where nothing was put.
    pub fn new(image: Box<dyn Image>) -> Differing {
        Differing { image, buffer: vec![0; PIECE as usize] }
    }

    /// Reads what the image holds now at `offset`, `len` bytes, at most a piece.
    fn held(&mut self, offset: u64, len: usize) -> Result<()> {
        self.image.read_at(&mut self.buffer[..len], offset).map_err(|error| unreadable_parent(error, offset))
    }
}

/// Why the parent does not give what is at `offset`. What contradicts its format does so whenever it is asked.
pub(super) fn unreadable_parent(error: io::Error, offset: u64) -> Error {
    let context = "reading the parent of the image";
    match error.kind() {
        io::ErrorKind::InvalidData => Error::new(Kind::Corrupt, context)
            .because(error)
            .at(offset)
            .advise("begin anew over another base, or without --base"),
        _ => Error::io(context, error).at(offset),
    }
}

/// The runs of cells of `cell` bytes in which two contents differ, as offset and length.
pub(crate) fn differing(one: &[u8], other: &[u8], cell: usize) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (index, (a, b)) in one.chunks(cell).zip(other.chunks(cell)).enumerate() {
        if a == b {
            continue;
        }
        match runs.last_mut() {
            Some((start, len)) if *start + *len == index * cell => *len += a.len(),
            _ => runs.push((index * cell, a.len())),
        }
    }
    runs
}

impl Sink for Differing {
    fn placement(&self) -> Placement {
        self.image.placement()
    }

    fn packer(&self) -> Option<Arc<dyn Pack>> {
        self.image.packer()
    }

    fn put_packed(&mut self, offset: u64, data: &[u8], packed: &Packed) -> Result<()> {
        self.image.put_packed(offset, data, packed)
    }

    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        if self.image.packer().is_some() {
            return self.image.put(offset, data);
        }
        for (index, part) in data.chunks(PIECE as usize).enumerate() {
            let offset = offset + index as u64 * PIECE;
            self.held(offset, part.len())?;
            for (start, len) in differing(part, &self.buffer[..part.len()], CELL) {
                self.image.put(offset + start as u64, &part[start..start + len])?;
            }
        }
        Ok(())
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        let by_piece = self.image.packer().is_some();
        let mut offset = at.offset;
        while offset < at.end() {
            let (content, until) =
                self.image.content_at(offset).map_err(|error| unreadable_parent(error, offset))?;
            let end = until.min(at.end());
            if content != Content::Data {
                offset = end;
                continue;
            }
            let part = match by_piece {
                // What is packed has no use for a part of a cluster.
                true => Extent::new(offset - offset % PIECE, PIECE).intersect(at),
                false => Extent::between(offset, end.min(offset + PIECE)),
            };
            self.held(part.offset, part.len as usize)?;
            if !is_zero(&self.buffer[..part.len as usize]) {
                self.image.zero(part)?;
            }
            offset = part.end();
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.image.checkpoint()
    }
}

impl ReadAt for Differing {
    fn size(&self) -> u64 {
        self.image.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.image.read_at(buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        self.image.content_at(offset)
    }
}

impl Image for Differing {
    fn set_end(&mut self, size: u64) -> Result<()> {
        self.image.set_end(size)
    }

    fn finish(&mut self) -> Result<()> {
        self.image.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_found_in_whole_cells() {
        let held = vec![0; 4000];
        let mut data = held.clone();
        assert!(differing(&held, &data, 512).is_empty());
        (data[511], data[512], data[3999]) = (1, 1, 1);
        assert_eq!(differing(&held, &data, 512), [(0, 1024), (3584, 416)]);
        assert_eq!(differing(&held, &data, 4096), [(0, 4000)]);
    }
}
