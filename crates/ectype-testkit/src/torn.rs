//! Power cuts: a disk that tells flushed from unflushed writes, and a recorder of who did what.
//!
//! ```text
//!   write A   flush   write B   write C   zero D   ⚡ power cut
//!   └─ durable ──┘    └── each survives, is lost, or is torn ──┘
//! ```
//!
//! After a cut anything that was not flushed may be there wholly, in part or not at all, and in any order. A part is whole
//! sectors of 512 bytes, and not always the first ones.

use crate::memory::MemoryDisk;
use crate::mix;
use ectype_core::extent::Extent;
use ectype_core::io::{Content, ReadAt, Storage, WriteAt};
use std::io;
use std::sync::{Mutex, MutexGuard};

/// What is written as one, whatever happens to the power.
const SECTOR: u64 = 512;

/// A disk whose power can be cut.
#[derive(Debug)]
pub struct TornDisk {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    durable: MemoryDisk,
    /// What a program sees before the cut: all that it wrote.
    seen: MemoryDisk,
    unflushed: Vec<Change>,
    calls: u64,
    crash_after: Option<u64>,
}

#[derive(Debug)]
enum Change {
    Write { at: Extent, data: Vec<u8> },
    Zero(Extent),
    Size(u64),
}

impl TornDisk {
    /// A disk that holds `disk`, durably.
    pub fn new(disk: MemoryDisk) -> Self {
        let (durable, seen) = (disk.clone(), disk);
        TornDisk {
            state: Mutex::new(State { durable, seen, unflushed: Vec::new(), calls: 0, crash_after: None }),
        }
    }

    /// Cuts the power at the `k`-th of all calls of `write_at`, `zero_at` and `set_size` from the disk's making, counted from
    /// 0: that one may be torn, and everything from it on fails.
    pub fn crash_after(self, k: u64) -> Self {
        self.state().crash_after = Some(k);
        self
    }

    /// How many calls changed the disk or tried to.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Whether the power was cut.
    pub fn crashed(&self) -> bool {
        self.state().crashed()
    }

    /// What is there after a power cut now: all that was flushed, and of the rest what `seed` decides. Every seed is a cut
    /// that could happen.
    pub fn survivors(&self, seed: u64) -> MemoryDisk {
        let state = self.state();
        let disk = state.durable.clone();
        let mut order: Vec<usize> = (0..state.unflushed.len()).collect();
        order.sort_by_key(|&index| mix(seed, index as u64));
        for index in order {
            let chance = mix(seed ^ 0x70a7, index as u64);
            match (&state.unflushed[index], chance % 4) {
                (_, 0) => {}
                (change, 1) => change.apply(&disk),
                (change, _) => change.tear(&disk, chance),
            }
        }
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked in it")
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.state();
        if state.crashed() {
            return Err(power_cut());
        }
        state.calls += 1;
        let cut = state.crashed();
        if !cut {
            change.apply(&state.seen);
        }
        state.unflushed.push(change);
        if cut { Err(power_cut()) } else { Ok(()) }
    }
}

impl State {
    fn crashed(&self) -> bool {
        self.crash_after.is_some_and(|k| self.calls > k)
    }
}

impl Change {
    fn apply(&self, disk: &MemoryDisk) {
        let done = match self {
            Change::Write { at, data } => disk.write_at(data, at.offset),
            Change::Zero(at) => disk.zero_at(*at),
            Change::Size(size) => disk.set_size(*size),
        };
        done.expect("memory takes all writes");
    }

    /// Applies some of its sectors.
    fn tear(&self, disk: &MemoryDisk, chance: u64) {
        let at = match self {
            Change::Write { at, .. } | Change::Zero(at) => *at,
            Change::Size(_) => {
                if chance & 4 == 0 {
                    self.apply(disk);
                }
                return;
            }
        };
        let mut offset = at.offset;
        while offset < at.end() {
            let end = ((offset / SECTOR + 1) * SECTOR).min(at.end());
            if mix(chance, offset) & 1 == 0 {
                let part = match self {
                    Change::Write { at, data } => disk
                        .write_at(&data[(offset - at.offset) as usize..(end - at.offset) as usize], offset),
                    _ => disk.zero_at(Extent::between(offset, end)),
                };
                part.expect("memory takes all writes");
            }
            offset = end;
        }
    }
}

fn power_cut() -> io::Error {
    io::Error::other("power cut")
}

impl ReadAt for TornDisk {
    fn size(&self) -> u64 {
        self.state().seen.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.state();
        if state.crashed() { Err(power_cut()) } else { state.seen.read_at(buf, offset) }
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        self.state().seen.content_at(offset)
    }
}

impl WriteAt for TornDisk {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.change(Change::Write { at: Extent::new(offset, data.len() as u64), data: data.to_vec() })
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        self.change(Change::Zero(at))
    }

    fn flush(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.crashed() {
            return Err(power_cut());
        }
        // Replayed rather than copied: a flush then costs what was written, not what the disk holds.
        for change in std::mem::take(&mut state.unflushed) {
            change.apply(&state.durable);
        }
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.change(Change::Size(size))
    }

    fn holds_holes(&self) -> bool {
        self.state().seen.holds_holes()
    }
}

/// One thing that was done to a [`Recorder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bytes were written.
    Write {
        /// From here.
        offset: u64,
        /// So many.
        len: u64,
    },
    /// Bytes were made zeros.
    Zero(Extent),
    /// All before became durable.
    Flush,
    /// The length was set.
    SetSize(u64),
}

/// A storage that keeps a list of what was done to it, in order and whether it succeeded or not.
#[derive(Debug)]
pub struct Recorder<S> {
    inner: S,
    operations: Mutex<Vec<Operation>>,
}

impl<S: Storage> Recorder<S> {
    /// Records what is done to `inner`.
    pub fn new(inner: S) -> Self {
        Recorder { inner, operations: Mutex::new(Vec::new()) }
    }

    /// What was done so far.
    pub fn operations(&self) -> Vec<Operation> {
        self.operations.lock().expect("no test panicked in it").clone()
    }

    /// What is recorded.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// What was recorded.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn note(&self, operation: Operation) {
        self.operations.lock().expect("no test panicked in it").push(operation);
    }
}

impl<S: Storage> ReadAt for Recorder<S> {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        self.inner.content_at(offset)
    }
}

impl<S: Storage> WriteAt for Recorder<S> {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.note(Operation::Write { offset, len: data.len() as u64 });
        self.inner.write_at(data, offset)
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        self.note(Operation::Zero(at));
        self.inner.zero_at(at)
    }

    fn flush(&self) -> io::Result<()> {
        self.note(Operation::Flush);
        self.inner.flush()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.note(Operation::SetSize(size));
        self.inner.set_size(size)
    }

    fn holds_holes(&self) -> bool {
        self.inner.holds_holes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_flushed_survives_and_the_rest_may_tear() {
        let disk = TornDisk::new(MemoryDisk::new(8 * SECTOR)).crash_after(2);
        disk.write_at(&[1; 2 * 512], 0).unwrap();
        disk.flush().unwrap();
        disk.write_at(&[2; 3 * 512], 2 * SECTOR).unwrap();
        let error = disk.write_at(&[3; 3 * 512], 5 * SECTOR).unwrap_err();
        assert_eq!(error.to_string(), "power cut");
        assert!(disk.flush().is_err() && disk.read_at(&mut [0], 0).is_err() && disk.crashed());
        let (mut lost, mut kept, mut torn) = (0, 0, 0);
        for seed in 0..200 {
            let bytes = disk.survivors(seed).into_bytes();
            assert!(bytes[..1024].iter().all(|&byte| byte == 1));
            for sector in bytes.chunks(512) {
                assert!(sector.iter().all(|byte| byte == &sector[0]), "torn within a sector");
            }
            match (2..5).filter(|index| bytes[index * 512] == 2).count() {
                0 => lost += 1,
                3 => kept += 1,
                _ => torn += 1,
            }
            assert_eq!(bytes, disk.survivors(seed).into_bytes());
        }
        assert!(lost > 20 && kept > 20 && torn > 20, "{lost} {kept} {torn}");
    }

    #[test]
    fn a_recorder_tells_the_order() {
        let disk = Recorder::new(TornDisk::new(MemoryDisk::new(0)));
        disk.set_size(10).unwrap();
        disk.write_at(b"ab", 3).unwrap();
        disk.flush().unwrap();
        disk.zero_at(Extent::new(4, 1)).unwrap();
        let expected = [
            Operation::SetSize(10),
            Operation::Write { offset: 3, len: 2 },
            Operation::Flush,
            Operation::Zero(Extent::new(4, 1)),
        ];
        assert_eq!(disk.operations(), expected);
        let mut bytes = [9; 3];
        disk.read_at(&mut bytes, 3).unwrap();
        assert_eq!(bytes, [b'a', 0, 0]);
    }
}
