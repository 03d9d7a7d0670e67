//! A volume in use of which there is no snapshot and no lock: read until two readings agree, and held to what they agreed on.

use super::super::device::OpenDevice;
use super::super::queue::ReadOnce;
use super::super::{Outcome, Read};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::os::buffer::Buffer;
use crate::os::disk::Disk;
use std::sync::Arc;
use std::time::Duration;

/// After so many readings that never were twice the same it is given up.
const MOST_READINGS: u32 = 5;

type Leaf = [u8; 32];

fn leaf_of(bytes: &[u8]) -> Leaf {
    *blake3::hash(bytes).as_bytes()
}

/// What two readings of a part agreed on: by the pieces of the disk that it lies in. `None` for what could not be read.
#[derive(Debug)]
pub struct Agreed {
    at: Extent,
    leaves: Vec<Option<Leaf>>,
}

/// The cells of a part: the pieces of the disk within it, counted from the part's start.
fn cells(at: Extent) -> impl Iterator<Item = Extent> {
    let mut offset = at.offset;
    std::iter::from_fn(move || {
        if offset >= at.end() {
            return None;
        }
        let end = (offset / PIECE + 1).saturating_mul(PIECE).min(at.end());
        let cell = Extent::between(offset - at.offset, end - at.offset);
        offset = end;
        Some(cell)
    })
}

impl Agreed {
    /// The number of the cell that has byte `offset` of the part.
    fn number(&self, offset: u64) -> usize {
        ((self.at.offset + offset) / PIECE - self.at.offset / PIECE) as usize
    }

    fn cell(&self, number: usize) -> Extent {
        let first = self.at.offset / PIECE * PIECE;
        let piece = Extent::new(first + number as u64 * PIECE, PIECE).intersect(self.at);
        Extent::new(piece.offset - self.at.offset, piece.len)
    }

    /// The device, held to this.
    pub(in crate::source) fn hold(self: &Arc<Agreed>, device: Arc<dyn ReadOnce>) -> Arc<dyn ReadOnce> {
        Arc::new(Held { device, agreed: Arc::clone(self) })
    }
}

/// Reads the part `at` of its disk, which is all of `volume`, until two readings agree.
///
/// # Errors
/// `Changed` where they never do; `Cancelled` where somebody wants it to end.
pub fn agree(volume: &Arc<Disk>, at: Extent, shown: &str, stop: &dyn Fn() -> bool) -> Result<Agreed> {
    agree_on(&OpenDevice::new(Arc::clone(volume)), at, shown, stop)
}

fn agree_on(device: &dyn ReadOnce, at: Extent, shown: &str, stop: &dyn Fn() -> bool) -> Result<Agreed> {
    let mut buffer = Buffer::new(PIECE as usize);
    let mut reading = || -> Result<Vec<Option<Leaf>>> {
        let one = |cell: Extent| {
            if stop() {
                return Err(Error::interrupted());
            }
            let room = &mut buffer[..cell.len as usize];
            let read = device.read_once(cell, room);
            Ok(matches!(read.outcome, Outcome::Ok).then(|| leaf_of(room)))
        };
        cells(at).map(one).collect()
    };
    let mut last = reading()?;
    for _ in 1..MOST_READINGS {
        let next = reading()?;
        if next == last {
            return Ok(Agreed { at, leaves: next });
        }
        last = next;
    }
    let context =
        format!("{shown} has no snapshot, cannot be held, and changed in each of {MOST_READINGS} readings");
    Err(Error::new(Kind::Changed, context)
        .advise("close what writes to it, and run the same command again")
        .advise("or take it as it is, torn where it changes:  --consistency none"))
}

struct Held {
    device: Arc<dyn ReadOnce>,
    agreed: Arc<Agreed>,
}

impl Held {
    /// The part of a cell that is asked for.
    fn read_cell(&self, number: usize, at: Extent, room: &mut [u8]) -> Read {
        let cell = self.agreed.cell(number);
        let Some(Some(leaf)) = self.agreed.leaves.get(number) else {
            return self.device.read_once(at, room);
        };
        let mut whole = Buffer::new(cell.len as usize);
        let read = self.device.read_once(cell, &mut whole);
        if !matches!(read.outcome, Outcome::Ok) {
            return self.device.read_once(at, room);
        }
        if leaf_of(&whole) != *leaf {
            let why = std::io::Error::other(
                "a volume without a snapshot was written to since two readings of it agreed",
            );
            return Read { good: 0, outcome: Outcome::Failed(why), took: read.took };
        }
        let from = (at.offset - cell.offset) as usize;
        room.copy_from_slice(&whole[from..from + at.len as usize]);
        Read { good: at.len, outcome: Outcome::Ok, took: read.took }
    }
}

impl ReadOnce for Held {
    fn read_once(&self, at: Extent, buffer: &mut [u8]) -> Read {
        let mut all = Read { good: 0, outcome: Outcome::Ok, took: Duration::ZERO };
        while all.good < at.len && matches!(all.outcome, Outcome::Ok) {
            let rest = Extent::between(at.offset + all.good, at.end());
            let number = self.agreed.number(rest.offset);
            let part = rest.intersect(self.agreed.cell(number));
            if part.is_empty() {
                let why = std::io::ErrorKind::UnexpectedEof.into();
                return Read { outcome: Outcome::Failed(why), ..all };
            }
            let room = &mut buffer[all.good as usize..][..part.len as usize];
            let read = self.read_cell(number, part, room);
            all = Read { good: all.good + read.good, outcome: read.outcome, took: all.took + read.took };
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Bytes that change with each of the first readings.
    struct Restless {
        bytes: Mutex<Vec<u8>>,
        changes: AtomicU32,
    }

    impl ReadOnce for Restless {
        fn read_once(&self, at: Extent, buffer: &mut [u8]) -> Read {
            let mut bytes = self.bytes.lock().unwrap();
            let is_last = at.end() == bytes.len() as u64;
            buffer[..at.len as usize].copy_from_slice(&bytes[at.offset as usize..at.end() as usize]);
            if is_last && self.changes.load(Ordering::Relaxed) > 0 {
                self.changes.fetch_sub(1, Ordering::Relaxed);
                bytes[0] = bytes[0].wrapping_add(1);
            }
            Read { good: at.len, outcome: Outcome::Ok, took: Duration::ZERO }
        }
    }

    /// Two and a half pieces, of which the first is half a piece.
    fn part() -> Extent {
        Extent::new(PIECE / 2, 2 * PIECE)
    }

    fn restless(changes: u32) -> Arc<Restless> {
        let bytes = (0..part().len).map(|index| (index / 512 % 251) as u8).collect();
        Arc::new(Restless { bytes: Mutex::new(bytes), changes: AtomicU32::new(changes) })
    }

    #[test]
    fn readings_go_on_until_two_agree_and_what_changes_later_is_noticed() {
        let volume = restless(2);
        let agreed = Arc::new(agree_on(&*volume, part(), "E:", &|| false).unwrap());
        assert_eq!(agreed.leaves.len(), 3);
        let held = agreed.hold(Arc::clone(&volume) as Arc<dyn ReadOnce>);
        let mut buffer = Buffer::new(PIECE as usize);
        for at in [
            Extent::new(0, PIECE / 2),
            Extent::new(512, 1024),
            Extent::new(PIECE / 2 - 512, PIECE),
            Extent::new(2 * PIECE - 512, 512),
        ] {
            let read = held.read_once(at, &mut buffer);
            assert!(matches!(read.outcome, Outcome::Ok), "{at:?}: {:?}", read.outcome);
            let bytes = volume.bytes.lock().unwrap();
            assert!(buffer[..at.len as usize] == bytes[at.offset as usize..at.end() as usize], "{at:?}");
        }
        volume.bytes.lock().unwrap()[PIECE as usize] ^= 1;
        let read = held.read_once(Extent::new(PIECE / 2 - 512, 1024), &mut buffer);
        assert!(matches!(read.outcome, Outcome::Failed(_)) && read.good == 512, "{read:?}");
        let read = held.read_once(Extent::new(0, 1024), &mut buffer);
        assert!(matches!(read.outcome, Outcome::Ok), "the piece before it is as it was");
    }

    #[test]
    fn what_never_rests_is_given_up_and_an_interrupt_is_heard() {
        let error = agree_on(&*restless(u32::MAX), part(), "E:", &|| false).unwrap_err();
        assert_eq!(error.kind(), Kind::Changed);
        assert!(error.to_string().contains("E:"));
        let error = agree_on(&*restless(0), part(), "E:", &|| true).unwrap_err();
        assert_eq!(error.kind(), Kind::Cancelled);
    }
}
