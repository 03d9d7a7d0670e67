//! A disk in memory, dense or with holes.
//!
//! ```text
//!   bytes   ████████░░░░░░░░████      what reads see: unwritten bytes are zeros
//!   written ├──────┤        ├──┤      what would take space; the gaps are holes
//! ```

use ectype_core::extent::{Extent, Extents};
use ectype_core::io::{Content, ReadAt, WriteAt};
use std::io;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A disk in memory.
#[derive(Debug, Default)]
pub struct MemoryDisk {
    state: RwLock<State>,
    holds_holes: bool,
}

#[derive(Clone, Debug, Default)]
struct State {
    bytes: Vec<u8>,
    written: Extents,
}

impl Clone for MemoryDisk {
    fn clone(&self) -> Self {
        MemoryDisk { state: RwLock::new(self.read().clone()), holds_holes: self.holds_holes }
    }
}

impl From<Vec<u8>> for MemoryDisk {
    fn from(bytes: Vec<u8>) -> Self {
        let written = [Extent::new(0, bytes.len() as u64)].into_iter().collect();
        MemoryDisk { state: RwLock::new(State { bytes, written }), holds_holes: true }
    }
}

impl MemoryDisk {
    /// A disk of `size` zero bytes that holds holes, as a sparse file does.
    pub fn new(size: u64) -> Self {
        let state =
            State { bytes: vec![0; usize::try_from(size).expect("fits in memory")], ..State::default() };
        MemoryDisk { state: RwLock::new(state), holds_holes: true }
    }

    /// A disk of `size` bytes that holds no holes, as a block device does not, full of what was there before: `stale`.
    pub fn dense(size: u64, stale: u8) -> Self {
        let bytes = vec![stale; usize::try_from(size).expect("fits in memory")];
        MemoryDisk { holds_holes: false, ..MemoryDisk::from(bytes) }
    }

    /// All its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.read().bytes.clone()
    }

    /// All its bytes, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.state.into_inner().expect("no test panicked in it").bytes
    }

    /// What was written and not made a hole since.
    pub fn written(&self) -> Extents {
        self.read().written.clone()
    }

    /// How many holes there are, and how many bytes they have.
    pub fn holes(&self) -> (usize, u64) {
        let state = self.read();
        let whole: Extents = [Extent::new(0, state.bytes.len() as u64)].into_iter().collect();
        let holes = whole.subtract(&state.written);
        (holes.count(), holes.bytes())
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().expect("no test panicked in it")
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().expect("no test panicked in it")
    }
}

impl State {
    /// The place of these bytes in memory, grown to hold them.
    fn place(&mut self, at: Extent) -> io::Result<&mut [u8]> {
        let too_far = |_| io::Error::from(io::ErrorKind::FileTooLarge);
        let (start, end) =
            (usize::try_from(at.offset).map_err(too_far)?, usize::try_from(at.end()).map_err(too_far)?);
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        Ok(&mut self.bytes[start..end])
    }
}

impl ReadAt for MemoryDisk {
    fn size(&self) -> u64 {
        self.read().bytes.len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.read().bytes.read_at(buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        let state = self.read();
        let size = state.bytes.len() as u64;
        if offset >= size {
            return Ok((Content::Data, offset.saturating_add(1)));
        }
        let next = state.written.iter().find(|extent| extent.end() > offset);
        Ok(match next {
            Some(extent) if extent.contains(offset) => (Content::Data, extent.end()),
            Some(extent) => (Content::Zero, extent.offset),
            None => (Content::Zero, size),
        })
    }
}

impl WriteAt for MemoryDisk {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let at = Extent::new(offset, data.len() as u64);
        let mut state = self.write();
        state.place(at)?.copy_from_slice(data);
        state.written.insert(at);
        Ok(())
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        let mut state = self.write();
        state.place(at)?.fill(0);
        if self.holds_holes {
            state.written.remove(at);
        } else {
            state.written.insert(at);
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut state = self.write();
        let len = usize::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        state.bytes.resize(len, 0);
        state.written.remove(Extent::between(size, u64::MAX));
        Ok(())
    }

    fn holds_holes(&self) -> bool {
        self.holds_holes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_counted_and_told() {
        let disk = MemoryDisk::new(100);
        disk.write_at(&[1; 20], 10).unwrap();
        disk.write_at(&[2; 10], 110).unwrap();
        disk.zero_at(Extent::new(15, 5)).unwrap();
        // [0, 10), [15, 20) and [30, 110)
        assert_eq!((disk.size(), disk.holes()), (120, (3, 95)));
        assert_eq!(disk.content_at(0).unwrap(), (Content::Zero, 10));
        assert_eq!(disk.content_at(12).unwrap(), (Content::Data, 15));
        assert_eq!(disk.content_at(15).unwrap(), (Content::Zero, 20));
        disk.set_size(16).unwrap();
        assert_eq!(disk.bytes()[8..], [0, 0, 1, 1, 1, 1, 1, 0]);
    }
}
