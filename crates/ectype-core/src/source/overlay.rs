//! A disk of which some parts are read elsewhere: snapshots of its volumes, placed over it.
//!
//! ```text
//!   disk   ┌─────┬───┬────────────────────┬───┬───────────┬─────┐
//!          │table│gap│ ░░░░░░░░░░░░░░░░░░ │gap│ ░░░░░░░░░ │ GPT │      ░ never read here
//!          └─────┴───┴────────────────────┴───┴───────────┴─────┘
//!   parts             snapshot of a volume     another one
//! ```
//!
//! A request is read part by part, in order; the first one that fails ends it, with what came before.

use super::device::OpenDevice;
use super::queue::{Queue, ReadOnce};
use super::snapshot::Agreed;
use super::{Answer, DeviceReader, DeviceSource, Geometry, KnownGood, Outcome, Read, Source};
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::io::ReadAt;
use crate::os::buffer::{ALIGNMENT, Buffer};
use crate::os::disk::Disk;
use std::sync::Arc;
use std::time::Duration;

/// A part of a disk, and the device that is read instead: its byte 0 is the part's.
pub struct Part {
    /// Where it lies on the disk: whole sectors, and no more than the device has.
    pub at: Extent,
    /// What is read there.
    pub disk: Arc<Disk>,
    /// What readings before agreed on, where nothing else keeps it from changing.
    pub agreed: Option<Arc<Agreed>>,
}

/// Asks whether what the parts are read from still is what it was.
pub type Guard = Arc<dyn Fn() -> Result<()> + Send + Sync>;

/// A disk with other devices placed over parts of it.
pub struct OverlaySource {
    whole: DeviceSource,
    parts: Vec<(Extent, DeviceSource)>,
    queue: Queue,
    guard: Option<Guard>,
}

/// Refuses parts that overlap, lie outside, cut a sector, or reach over the end of what is read there.
fn arranged(whole: Geometry, mut parts: Vec<Part>) -> Result<Vec<Part>> {
    parts.sort_by_key(|part| part.at.offset);
    let mut end = 0;
    for Part { at, disk, .. } in &parts {
        let sector = u64::from(whole.sector.max(disk.geometry().sector));
        let in_order = at.offset >= end && at.end() <= whole.size && at.len <= disk.geometry().size;
        if !in_order || at.is_empty() || at.align_out(sector) != *at {
            let what =
                format!("{} does not fit over the disk as the system says", disk.device().path.display());
            return Err(Error::new(Kind::Corrupt, what).at(at.offset));
        }
        end = at.end();
    }
    Ok(parts)
}

impl OverlaySource {
    /// Reads `whole`, and where parts lie, those.
    ///
    /// # Errors
    /// `Corrupt` for parts that overlap, lie outside of the disk, or are longer than what is read there.
    pub fn new(whole: Arc<Disk>, parts: Vec<Part>) -> Result<OverlaySource> {
        let parts = arranged(whole.geometry(), parts)?;
        let once = |disk: &Arc<Disk>| Arc::new(OpenDevice::new(Arc::clone(disk))) as Arc<dyn ReadOnce>;
        let held = |part: &Part, device| match &part.agreed {
            Some(agreed) => agreed.hold(device),
            None => device,
        };
        let layers = Layers {
            whole: once(&whole),
            parts: parts.iter().map(|part| (part.at, held(part, once(&part.disk)))).collect(),
        };
        Ok(OverlaySource {
            guard: None,
            whole: DeviceSource::new(whole),
            parts: parts.into_iter().map(|part| (part.at, DeviceSource::new(part.disk))).collect(),
            queue: Queue::new(Arc::new(layers)),
        })
    }

    /// Asks this too, before a failure is believed.
    pub fn guarded(self, guard: Guard) -> OverlaySource {
        OverlaySource { guard: Some(guard), ..self }
    }
}

/// Reads from whichever device has the bytes.
struct Layers {
    whole: Arc<dyn ReadOnce>,
    /// Ascending, disjoint.
    parts: Vec<(Extent, Arc<dyn ReadOnce>)>,
}

/// The stretch of a request from `at` on that lies on one device: the number of the part, and where in it.
fn stretch(parts: impl Iterator<Item = Extent>, at: Extent) -> (Option<usize>, Extent) {
    let mut before = at;
    for (number, part) in parts.enumerate() {
        if part.contains(at.offset) {
            return (Some(number), Extent::new(at.offset - part.offset, at.len.min(part.end() - at.offset)));
        }
        if part.offset > at.offset {
            before = Extent::between(at.offset, at.end().min(part.offset));
            break;
        }
    }
    (None, before)
}

impl ReadOnce for Layers {
    fn read_once(&self, at: Extent, buffer: &mut [u8]) -> Read {
        let mut all = Read { good: 0, outcome: Outcome::Ok, took: Duration::ZERO };
        while all.good < at.len && matches!(all.outcome, Outcome::Ok) {
            let rest = Extent::between(at.offset + all.good, at.end());
            let (number, there) = stretch(self.parts.iter().map(|part| part.0), rest);
            let device = number.map_or(&self.whole, |number| &self.parts[number].1);
            let room = &mut buffer[all.good as usize..][..there.len as usize];
            let mut read = match (room.as_ptr() as usize).is_multiple_of(ALIGNMENT) {
                true => device.read_once(there, room),
                // Direct reads want their memory aligned, and parts begin on sectors.
                false => {
                    let mut aligned = Buffer::new(room.len());
                    let read = device.read_once(there, &mut aligned);
                    room.copy_from_slice(&aligned);
                    read
                }
            };
            match &mut read.outcome {
                Outcome::Medium { first_bad: Some(bad), .. } => *bad = *bad - there.offset + rest.offset,
                // A snapshot that the system gave up answers as a drive that was pulled does: what it is, `alive` says.
                Outcome::Gone(cause) if number.is_some() => {
                    read.outcome =
                        Outcome::Failed(std::mem::replace(cause, std::io::ErrorKind::Other.into()));
                }
                _ => {}
            }
            all = Read { good: all.good + read.good, outcome: read.outcome, took: all.took + read.took };
        }
        all
    }
}

impl Source for OverlaySource {
    fn geometry(&self) -> Geometry {
        self.whole.geometry()
    }

    fn submit(&mut self, at: Extent, buffer: Buffer) {
        self.queue.submit(at, buffer);
    }

    fn submit_steps(&mut self, at: Extent, step: u64, buffer: Buffer) {
        self.queue.submit_steps(at, step, buffer);
    }

    fn in_flight(&self) -> usize {
        self.queue.in_flight()
    }

    fn complete(&mut self, wait: Duration) -> Option<Answer> {
        self.queue.complete(wait)
    }

    fn forget(&mut self) {
        self.whole.forget();
        self.parts.iter_mut().for_each(|(_, part)| part.forget());
    }

    /// Every device must live, and the one that has `known_good` must give it again.
    fn alive(&mut self, known_good: Option<&KnownGood>) -> Result<()> {
        // A snapshot that is lost fails every read, and that is no damage.
        self.guard.as_ref().map_or(Ok(()), |guard| guard())?;
        for (at, part) in &mut self.parts {
            part.alive(known_good.and_then(|known| known.within(*at)).as_ref())?;
        }
        let is_below =
            |known: &&KnownGood| self.parts.iter().all(|(at, _)| at.intersect(known.at).is_empty());
        self.whole.alive(known_good.filter(is_below))
    }
}

/// The same for parsers.
pub struct OverlayReader {
    whole: DeviceReader,
    parts: Vec<(Extent, DeviceReader)>,
}

impl OverlayReader {
    /// Reads `whole`, and where parts lie, those.
    ///
    /// # Errors
    /// As [`OverlaySource::new`].
    pub fn new(whole: Arc<Disk>, parts: Vec<Part>) -> Result<OverlayReader> {
        let parts = arranged(whole.geometry(), parts)?;
        Ok(OverlayReader {
            whole: DeviceReader::new(whole),
            parts: parts.into_iter().map(|part| (part.at, DeviceReader::new(part.disk))).collect(),
        })
    }
}

impl ReadAt for OverlayReader {
    fn size(&self) -> u64 {
        self.whole.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let mut at = offset;
        while at < end {
            let (number, there) = stretch(self.parts.iter().map(|part| part.0), Extent::between(at, end));
            let reader = number.map_or(&self.whole, |number| &self.parts[number].1);
            let start = (at - offset) as usize;
            reader.read_at(&mut buf[start..][..there.len as usize], there.offset)?;
            at += there.len;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    const SECTOR: u64 = 512;

    /// A device whose every sector tells whose it is and which; one of them is bad. What is not aligned it refuses, as Windows does.
    struct Strict {
        mark: u8,
        size: u64,
        bad: Option<u64>,
        reads: Mutex<Vec<Extent>>,
    }

    impl Strict {
        fn new(mark: u8, sectors: u64, bad: Option<u64>) -> Arc<Strict> {
            Arc::new(Strict { mark, size: sectors * SECTOR, bad, reads: Mutex::default() })
        }

        fn sector(&self, number: u64) -> [u8; SECTOR as usize] {
            let mut bytes = [self.mark; SECTOR as usize];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            bytes
        }
    }

    impl ReadOnce for Strict {
        fn read_once(&self, at: Extent, buffer: &mut [u8]) -> Read {
            self.reads.lock().unwrap().push(at);
            let read = |good, outcome| Read { good, outcome, took: Duration::from_millis(1) };
            let is_aligned = at.align_out(SECTOR) == at
                && (buffer.as_ptr() as usize).is_multiple_of(ALIGNMENT)
                && at.end() <= self.size;
            if !is_aligned {
                return read(0, Outcome::Failed(std::io::ErrorKind::InvalidInput.into()));
            }
            for (index, room) in buffer[..at.len as usize].chunks_exact_mut(SECTOR as usize).enumerate() {
                let number = at.offset / SECTOR + index as u64;
                if self.bad == Some(number) {
                    let outcome = Outcome::Medium { first_bad: Some(number * SECTOR), unwritten: false };
                    return read(index as u64 * SECTOR, outcome);
                }
                room.copy_from_slice(&self.sector(number));
            }
            read(at.len, Outcome::Ok)
        }
    }

    fn sectors(range: std::ops::Range<u64>) -> Extent {
        Extent::between(range.start * SECTOR, range.end * SECTOR)
    }

    /// A disk of 100 sectors: a volume at 3..13, one at 13..20, one at 50..100.
    fn layers(bad: Option<u64>) -> (Layers, Vec<Arc<Strict>>) {
        let devices = vec![
            Strict::new(b'd', 100, None),
            Strict::new(b'a', 10, None),
            Strict::new(b'b', 7, bad),
            Strict::new(b'c', 50, None),
        ];
        let once = |index: usize| Arc::clone(&devices[index]) as Arc<dyn ReadOnce>;
        let parts = vec![(sectors(3..13), once(1)), (sectors(13..20), once(2)), (sectors(50..100), once(3))];
        (Layers { whole: once(0), parts }, devices)
    }

    /// What sector `number` of the disk must hold.
    fn expected(devices: &[Arc<Strict>], number: u64) -> [u8; SECTOR as usize] {
        match number {
            3..13 => devices[1].sector(number - 3),
            13..20 => devices[2].sector(number - 13),
            50..100 => devices[3].sector(number - 50),
            _ => devices[0].sector(number),
        }
    }

    #[test]
    fn every_sector_comes_from_where_it_belongs_whatever_is_asked() {
        let (layers, devices) = layers(None);
        for start in 0..100 {
            for end in start + 1..=100 {
                let at = sectors(start..end);
                let mut buffer = Buffer::new(at.len as usize);
                let read = layers.read_once(at, &mut buffer);
                assert!(matches!(read.outcome, Outcome::Ok), "{at:?}: {:?}", read.outcome);
                assert_eq!(read.good, at.len);
                for (number, bytes) in (start..end).zip(buffer.chunks(SECTOR as usize)) {
                    assert!(bytes == expected(&devices, number), "sector {number} of {at:?}");
                }
            }
        }
        // Of what lies below a part nothing was read.
        let below =
            |at: &Extent| [3..20, 50..100].into_iter().any(|part| !at.intersect(sectors(part)).is_empty());
        assert!(!devices[0].reads.lock().unwrap().iter().any(below));
    }

    /// What a drive answers that was pulled.
    struct Pulled;

    impl ReadOnce for Pulled {
        fn read_once(&self, _: Extent, _: &mut [u8]) -> Read {
            Read {
                good: 0,
                outcome: Outcome::Gone(std::io::ErrorKind::NotFound.into()),
                took: Duration::ZERO,
            }
        }
    }

    #[test]
    fn a_snapshot_that_is_no_more_is_asked_about_and_a_disk_is_gone() {
        let part = vec![(sectors(3..13), Arc::new(Pulled) as Arc<dyn ReadOnce>)];
        let layers = Layers { whole: Strict::new(b'd', 100, None), parts: part };
        let mut buffer = Buffer::new(10 * SECTOR as usize);
        let read = layers.read_once(sectors(1..5), &mut buffer);
        assert!(
            matches!(&read.outcome, Outcome::Failed(cause) if cause.kind() == std::io::ErrorKind::NotFound)
        );
        assert_eq!(read.good, 2 * SECTOR);
        let layers = Layers { whole: Arc::new(Pulled), parts: Vec::new() };
        assert!(matches!(layers.read_once(sectors(1..5), &mut buffer).outcome, Outcome::Gone(_)));
    }

    #[test]
    fn what_fails_within_a_part_is_named_where_it_lies_on_the_disk() {
        let (layers, devices) = layers(Some(4));
        let mut buffer = Buffer::new(100 * SECTOR as usize);
        let read = layers.read_once(sectors(1..60), &mut buffer);
        assert_eq!(read.good, 16 * SECTOR, "all before sector 17");
        let Outcome::Medium { first_bad, .. } = read.outcome else { panic!("{:?}", read.outcome) };
        assert_eq!(first_bad, Some(17 * SECTOR));
        assert_eq!(read.took, Duration::from_millis(3), "two devices and the gap before them");
        assert!(devices[3].reads.lock().unwrap().is_empty(), "nothing behind it is asked for");
    }
}
