//! Disks of terabytes that take no space: their bytes are computed from a seed, and a copy is proven byte by byte.
//!
//! ```text
//!   region (about 1 GiB)    │ empty │ in use │ empty │ empty │ in use │ …     decided by hash, so that an empty
//!   run                             │▓░░▓▓░░░│                                terabyte is passed in a thousand steps
//!                                    data, zeros
//! ```
//!
//! [`SparseRandom`] is the original; [`SparseCheck`] is a storage that holds no bytes either: it refuses every write that
//! differs from the original and remembers where it was written.

use crate::mix;
use ectype_core::extent::{Extent, Extents};
use ectype_core::io::{Content, ReadAt, WriteAt};
use std::io;
use std::sync::{Mutex, MutexGuard};

const REGION: u64 = 1 << 30;

/// Disks up to this size are in use everywhere: a single empty region would leave them without data.
const SMALL: u64 = 8 * REGION;

/// How many runs and regions one call looks at, at most.
const STEPS: usize = 1 << 16;

/// A disk of random data and zeros that is computed, not stored.
#[derive(Clone, Copy, Debug)]
pub struct SparseRandom {
    /// What everything follows from.
    pub seed: u64,
    /// The length in bytes.
    pub size: u64,
    /// How much of it is data, about; 0 to 100.
    pub percent: f64,
    /// The unit in bytes of being data or zeros, as 64 KiB to 16 MiB.
    pub run: u64,
}

impl SparseRandom {
    /// A disk that is wholly data.
    pub fn full(seed: u64, size: u64) -> Self {
        SparseRandom { seed, size, percent: 100.0, run: 1 << 20 }
    }

    /// All of its data; for disks whose runs can be listed.
    pub fn data(&self) -> Extents {
        self.pieces().filter(|piece| piece.1 == Content::Data).map(|piece| piece.0).collect()
    }

    fn pieces(&self) -> impl Iterator<Item = (Extent, Content)> + '_ {
        let mut offset = 0;
        std::iter::from_fn(move || {
            (offset < self.size).then(|| {
                let (content, end) = self.content(offset, self.size);
                (Extent::between(std::mem::replace(&mut offset, end), end), content)
            })
        })
    }

    /// A whole number of runs.
    fn region(&self) -> u64 {
        self.run * (REGION / self.run).max(1)
    }

    fn chance(&self, domain: u64, index: u64, share: f64) -> bool {
        // 2^53 steps: exact in a double.
        ((mix(self.seed ^ domain, index) >> 11) as f64) < share * (1_u64 << 53) as f64
    }

    /// The share of regions in use, and of data runs in such a region; their product is the whole share.
    fn shares(&self) -> (f64, f64) {
        let share = (self.percent / 100.0).clamp(0.0, 1.0);
        if self.size <= SMALL { (1.0, share) } else { (share.sqrt(), share.sqrt()) }
    }

    /// What lies at `offset`, and up to where; how far behind `enough` it holds is not looked into.
    fn content(&self, offset: u64, enough: u64) -> (Content, u64) {
        let (regions, runs) = self.shares();
        let step = |at: u64| {
            let region = at / self.region();
            if !self.chance(0x4e61, region, regions) {
                return (Content::Zero, (region + 1).saturating_mul(self.region()));
            }
            let run = at / self.run;
            let content = if self.chance(0x7275, run, runs) { Content::Data } else { Content::Zero };
            (content, (run + 1).saturating_mul(self.run))
        };
        let (content, mut end) = step(offset);
        for _ in 0..STEPS {
            if end >= enough {
                break;
            }
            match step(end) {
                (next, until) if next == content => end = until,
                _ => break,
            }
        }
        (content, end.min(self.size))
    }

    /// The bytes of a data run, at any offset.
    fn generate(&self, mut buf: &mut [u8], mut offset: u64) {
        let seed = mix(self.seed, 0x6279_7465);
        let word = |offset: u64| mix(seed, offset / 8).to_le_bytes();
        let within = (offset % 8) as usize;
        if within > 0 {
            let count = (8 - within).min(buf.len());
            let (head, rest) = std::mem::take(&mut buf).split_at_mut(count);
            head.copy_from_slice(&word(offset)[within..within + count]);
            (buf, offset) = (rest, offset + count as u64);
        }
        let whole = buf.len() as u64 / 8 * 8;
        let mut words = buf.chunks_exact_mut(8);
        for (bytes, index) in (&mut words).zip(offset / 8..) {
            bytes.copy_from_slice(&mix(seed, index).to_le_bytes());
        }
        let tail = words.into_remainder();
        tail.copy_from_slice(&word(offset + whole)[..tail.len()]);
    }
}

impl ReadAt for SparseRandom {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let (content, end) = self.content(at, offset + buf.len() as u64);
            let count = (buf.len() - done).min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let part = &mut buf[done..done + count];
            match content {
                Content::Data => self.generate(part, at),
                _ => part.fill(0),
            }
            done += count;
        }
        Ok(())
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        if offset >= self.size {
            return Ok((Content::Data, offset.saturating_add(1)));
        }
        Ok(self.content(offset, self.size))
    }
}

/// A storage that must become a copy of a [`SparseRandom`] and holds no bytes.
#[derive(Debug)]
pub struct SparseCheck {
    original: SparseRandom,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    size: u64,
    written: Extents,
}

impl SparseCheck {
    /// An empty storage for a copy of `original`.
    pub fn new(original: SparseRandom) -> Self {
        SparseCheck { original, state: Mutex::default() }
    }

    /// What was written and not made zeros since.
    pub fn written(&self) -> Extents {
        self.state().written.clone()
    }

    /// Data of the original that the copy does not have.
    pub fn missing(&self) -> Extents {
        self.original.data().subtract(&self.state().written)
    }

    /// Whether the copy equals the original, in length and in every byte.
    pub fn is_complete(&self) -> bool {
        self.size() == self.original.size && self.missing().is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked in it")
    }
}

impl ReadAt for SparseCheck {
    fn size(&self) -> u64 {
        self.state().size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.state();
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > state.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf.fill(0);
        let wanted: Extents = [Extent::new(offset, buf.len() as u64)].into_iter().collect();
        for part in state.written.intersect(&wanted).iter() {
            let start = (part.offset - offset) as usize;
            self.original.read_at(&mut buf[start..start + part.len as usize], part.offset)?;
        }
        Ok(())
    }
}

impl WriteAt for SparseCheck {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let at = Extent::new(offset, data.len() as u64);
        let mut original = vec![0; data.len().min(64 << 10)];
        for (index, part) in data.chunks(64 << 10).enumerate() {
            let offset = offset + (index << 16) as u64;
            let original = &mut original[..part.len()];
            self.original.read_at(original, offset)?;
            if part != original {
                let first = part.iter().zip(&*original).take_while(|(a, b)| a == b).count() as u64;
                let differs = format!("the write differs from the original at byte {}", offset + first);
                return Err(io::Error::new(io::ErrorKind::InvalidData, differs));
            }
        }
        let mut state = self.state();
        state.written.insert(at);
        state.size = state.size.max(at.end());
        Ok(())
    }

    /// Allowed on data too, as when what could not be read is read later; until then it is missing.
    fn zero_at(&self, at: Extent) -> io::Result<()> {
        let mut state = self.state();
        state.written.remove(at);
        state.size = state.size.max(at.end());
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut state = self.state();
        state.written.remove(Extent::between(size, u64::MAX));
        state.size = size;
        Ok(())
    }

    fn holds_holes(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL_DISK: SparseRandom =
        SparseRandom { seed: 7, size: (3 << 20) + 13, percent: 40.0, run: 64 << 10 };

    #[test]
    fn any_split_reads_the_same() {
        let mut whole = vec![0; SMALL_DISK.size as usize];
        SMALL_DISK.read_at(&mut whole, 0).unwrap();
        for index in 0..500 {
            let start = (mix(1, index) % SMALL_DISK.size) as usize;
            let end = start + (mix(2, index) % 100_000).min(SMALL_DISK.size - start as u64) as usize;
            let mut part = vec![0xff; end - start];
            SMALL_DISK.read_at(&mut part, start as u64).unwrap();
            assert_eq!(part, whole[start..end]);
        }
        assert!(SMALL_DISK.read_at(&mut [0; 2], SMALL_DISK.size - 1).is_err());
        let other = SparseRandom { seed: 8, ..SMALL_DISK };
        let mut another = vec![0; whole.len()];
        other.read_at(&mut another, 0).unwrap();
        assert_ne!(whole, another);
    }

    #[test]
    fn zeros_are_told_and_data_is_not_zeros() {
        let mut offset = 0;
        let (mut data, mut last) = (0, None);
        while offset < SMALL_DISK.size {
            let (content, end) = SMALL_DISK.content_at(offset).unwrap();
            let mut bytes = vec![0; (end - offset) as usize];
            SMALL_DISK.read_at(&mut bytes, offset).unwrap();
            assert_eq!(bytes.iter().all(|&byte| byte == 0), content == Content::Zero);
            assert_ne!(last.replace(content), Some(content), "coalesced");
            data += if content == Content::Data { bytes.len() as u64 } else { 0 };
            offset = end;
        }
        assert_eq!(data, SMALL_DISK.data().bytes());
        assert!((20..60).contains(&(data * 100 / SMALL_DISK.size)), "{data}");
    }

    #[test]
    fn eight_terabytes_are_walked_and_proven() {
        let original = SparseRandom { seed: 3, size: 8 << 40, percent: 0.001, run: 1 << 20 };
        let data = original.data();
        assert!((10 << 20..1 << 30).contains(&data.bytes()), "{}", data.bytes());
        let copy = SparseCheck::new(original);
        copy.set_size(original.size).unwrap();
        assert_eq!(copy.missing(), data);
        let mut bytes = vec![0; 1 << 20];
        for at in data.iter() {
            for offset in (at.offset..at.end()).step_by(1 << 20) {
                original.read_at(&mut bytes, offset).unwrap();
                copy.write_at(&bytes, offset).unwrap();
            }
        }
        assert!(copy.is_complete());
        let first = data.iter().next().unwrap();
        bytes[5] ^= 1;
        assert!(copy.write_at(&bytes, first.offset).is_err());
        copy.zero_at(Extent::new(first.offset + 1, 2)).unwrap();
        assert_eq!(copy.missing().iter().collect::<Vec<_>>(), [Extent::new(first.offset + 1, 2)]);
        let (mut ours, mut theirs) = ([9; 4], [9; 4]);
        copy.read_at(&mut ours, first.offset).unwrap();
        original.read_at(&mut theirs, first.offset).unwrap();
        assert_eq!(ours, [theirs[0], 0, 0, theirs[3]]);
    }
}
