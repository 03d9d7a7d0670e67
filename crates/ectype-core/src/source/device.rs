//! A block device as a source: direct reads, and the question whether it still is the one that was opened.

use super::queue::{Queue, ReadOnce};
use super::{Answer, Geometry, KnownGood, Outcome, Read, Source, medium_or_not};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::io::ReadAt;
use crate::os::Blame;
use crate::os::buffer::Buffer;
use crate::os::control::Asked;
use crate::os::disk::Disk;
use crate::os::file::blame;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// On an optical medium the kernel answers run-out at the end by shrinking the device, by at most this many sectors.
const RUN_OUT_SECTORS: u64 = 75;

/// After a failure, so many bytes must be read well by command before block reads are used again.
const SUSPICION: u64 = 64 << 20;

/// After so many failed reads of parsers the disk may be dead.
const MANY_FAILED: usize = 16;

/// A device that is being imaged.
pub struct DeviceSource {
    disk: Arc<Disk>,
    queue: Queue,
    geometry: Geometry,
    diskseq: Option<u64>,
    is_optical: bool,
}

impl DeviceSource {
    /// Reads from `disk`, which stays open and locked as long as this lives.
    pub fn new(disk: Arc<Disk>) -> DeviceSource {
        let is_optical = disk.device().medium == crate::os::Medium::Optical;
        DeviceSource {
            queue: Queue::new(Arc::new(OpenDevice::new(Arc::clone(&disk)))),
            geometry: disk.geometry(),
            diskseq: disk.diskseq_now(),
            is_optical,
            disk,
        }
    }

    /// The open device.
    pub fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }
}

/// A sector that can be read now, where none was read before: the first one, or another where that is bad.
fn some_good(disk: &Disk) -> Option<Extent> {
    let Geometry { size, sector, .. } = disk.geometry();
    let sector = u64::from(sector);
    let last = size.checked_sub(sector)?;
    let mut buffer = Buffer::new(sector as usize);
    let places = [0, last, last / 2, last / 4, last / 4 * 3].map(|place| place - place % sector);
    let mut is_good =
        |place: &u64| disk.read_at(&mut buffer, *place).is_ok_and(|count| count as u64 == sector);
    places.into_iter().find(|place| is_good(place)).map(|place| Extent::new(place, sector))
}

pub(super) struct OpenDevice {
    disk: Arc<Disk>,
    /// Bytes still to be read well before block reads are used again: a command tells where and why it failed.
    suspect: AtomicU64,
    /// Whether commands and block reads give the same; found out with the first failure.
    commands_agree: OnceLock<bool>,
    /// Whether the sector that the drive names is the one that failed; found out with the first name.
    names_truly: OnceLock<bool>,
}

impl ReadOnce for OpenDevice {
    fn read_once(&self, at: Extent, buffer: &mut [u8]) -> Read {
        let begun = Instant::now();
        let buffer = &mut buffer[..at.len as usize];
        if self.suspect.load(Ordering::Relaxed) > 0
            && let Some((good, outcome)) = self.ask(at, buffer, 0)
        {
            return Read { good, outcome, took: begun.elapsed() };
        }
        let mut filled = 0;
        let outcome = loop {
            if filled == buffer.len() {
                break Outcome::Ok;
            }
            match self.disk.read_at(&mut buffer[filled..], at.offset + filled as u64) {
                // The kernel shrank the device: what lies behind the new end cannot be read.
                Ok(0) => break Outcome::Medium { first_bad: None, unwritten: false },
                Ok(count) => filled += count,
                Err(error) => break medium_or_not(error),
            }
        };
        if matches!(outcome, Outcome::Medium { .. })
            && let Some((more, outcome)) = self.ask(at, buffer, filled)
        {
            return Read { good: more, outcome, took: begun.elapsed() };
        }
        Read { good: filled as u64, outcome, took: begun.elapsed() }
    }
}

impl OpenDevice {
    pub(super) fn new(disk: Arc<Disk>) -> OpenDevice {
        OpenDevice {
            disk,
            suspect: AtomicU64::new(0),
            commands_agree: OnceLock::new(),
            names_truly: OnceLock::new(),
        }
    }

    /// Reads what lies behind the first `filled` bytes of `at` by command; how many bytes from its start are valid then, and
    /// why they are not all. `None` where commands tell nothing.
    fn ask(&self, at: Extent, buffer: &mut [u8], filled: usize) -> Option<(u64, Outcome)> {
        if !*self.commands_agree.get_or_init(|| self.commands_agree()) {
            return None;
        }
        let sector = self.disk.geometry().sector as usize;
        let filled = filled - filled % sector;
        let asked = self.disk.ask(&mut buffer[filled..], at.offset + filled as u64).ok()?;
        let good = (filled + asked.good) as u64;
        let outcome = meant(&asked, at.offset + good, |place| self.is_bad(place))?;
        let left = self.suspect.load(Ordering::Relaxed);
        let left = if matches!(outcome, Outcome::Ok) { left.saturating_sub(at.len) } else { SUSPICION };
        self.suspect.store(left, Ordering::Relaxed);
        Some((good, outcome))
    }

    /// Whether the sector at `place`, which the drive named as bad, is to be believed so.
    fn is_bad(&self, place: u64) -> bool {
        if let Some(truly) = self.names_truly.get() {
            return *truly;
        }
        let Geometry { size, sector, .. } = self.disk.geometry();
        let mut buffer = Buffer::new(3 * sector as usize);
        let (is_bad, truly) = examine(place, size, sector.into(), |at| {
            self.disk.ask(&mut buffer[..at.len as usize], at.offset).ok()
        });
        if let Some(truly) = truly {
            self.names_truly.get_or_init(|| truly);
        }
        is_bad
    }

    /// Bridges and layers lie: that a command reads the sectors that a block read does is proven, not assumed.
    fn commands_agree(&self) -> bool {
        let Geometry { size, sector, .. } = self.disk.geometry();
        let mut buffers = [Buffer::new(sector as usize), Buffer::new(sector as usize)];
        let [by_block, by_command] = &mut buffers;
        let sectors = size / u64::from(sector);
        let mut equal = 0;
        for place in [0, sectors / 2, sectors - 1].map(|place| place * u64::from(sector)) {
            let read = self.disk.read_at(by_block, place).is_ok_and(|count| count == sector as usize);
            let Ok(asked) = self.disk.ask(by_command, place) else { return false };
            // A command that does not reach as far as block reads do would make damage of good sectors.
            if read && asked.sense.is_some_and(|sense| sense.no_such_sector()) {
                return false;
            }
            if read && asked.sense.is_none() {
                if by_block[..] != by_command[..] {
                    return false;
                }
                equal += 1;
            }
        }
        equal > 0
    }
}

/// What a drive's answer to a command means; `next` lies directly behind what it gave, and `is_bad` says whether a sector that it
/// names is to be believed bad. `None` where the answer is none.
fn meant(asked: &Asked, next: u64, is_bad: impl FnOnce(u64) -> bool) -> Option<Outcome> {
    let Some(sense) = asked.sense else { return Some(Outcome::Ok) };
    if let Some(reason) = sense.protected() {
        return Some(Outcome::Protected(reason.to_owned()));
    }
    if sense.other_medium() {
        return Some(Outcome::Gone(std::io::Error::other("the drive says that its medium was taken out")));
    }
    // Not ready, broken hardware …: the system waits and tries again where we do not.
    sense.medium_error().then(|| Outcome::Medium {
        first_bad: asked.is_bad_next.then_some(next).filter(|place| is_bad(*place)),
        unwritten: sense.unwritten(),
    })
}

/// Whether the sector at `place` is bad as the drive says, and whether the drive names sectors truly, where that shows. Some
/// drives and bridges name the first sector of every command; one that begins with a good sector tells them from others.
fn examine(
    place: u64,
    size: u64,
    sector: u64,
    mut ask: impl FnMut(Extent) -> Option<Asked>,
) -> (bool, Option<bool>) {
    let is_medium = |asked: &Asked| asked.sense.is_some_and(|sense| sense.medium_error());
    let before = place.checked_sub(sector).map(|before| Extent::new(before, sector));
    let Some(before) = before.filter(|at| ask(*at).is_some_and(|asked| asked.sense.is_none())) else {
        return (ask(Extent::new(place, sector)).is_some_and(|asked| is_medium(&asked)), None);
    };
    match ask(Extent::between(before.offset, size.min(place + 2 * sector))) {
        Some(asked) if is_medium(&asked) => {
            let is_named = asked.is_bad_next && asked.good as u64 == sector;
            // Where the one before it is weak, it may have been the one that failed.
            let mut is_false = || ask(before).is_some_and(|asked| asked.sense.is_none());
            (is_named, (is_named || is_false()).then_some(is_named))
        }
        // It may have been weak, or it is a false name: the sectors will be read one by one.
        _ => (false, None),
    }
}

impl Source for DeviceSource {
    fn geometry(&self) -> Geometry {
        self.geometry
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
        self.disk.drop_caches();
    }

    fn alive(&mut self, known_good: Option<&KnownGood>) -> Result<()> {
        let name = self.disk.device().path.display();
        let gone = |what: String| Error::new(Kind::Gone, what);
        let disk: &Disk = &self.disk;
        if self.is_optical && crate::os::optical::is_empty(disk) {
            return Err(gone(format!("there is no disc in {name} any more"))
                .advise("insert the same disc again, and run the same command: it goes on"));
        }
        let size =
            self.disk.size_now().map_err(|error| gone(format!("{name} no longer answers")).because(error))?;
        let lost = self.geometry.size.saturating_sub(size);
        let run_out = self.is_optical && lost <= RUN_OUT_SECTORS * u64::from(self.geometry.sector);
        if size != self.geometry.size && !(run_out && size < self.geometry.size) {
            return Err(gone(format!("{name} now has {size} bytes, not {}", self.geometry.size)));
        }
        let diskseq = self.disk.diskseq_now();
        if diskseq != self.diskseq {
            return Err(gone(format!("{name} has another medium now")));
        }
        let Some(at) = known_good.map(|known| known.at).or_else(|| some_good(&self.disk)) else {
            return Err(gone(format!(
                "{name} gives no sector, wherever it was tried: it is broken, or gone"
            ))
            .advise("once it gives any again, the same command goes on")
            .advise("where other parts of it can be read, begin with them:  --reverse, or --offset"));
        };
        self.disk.drop_caches();
        let mut buffer = Buffer::new(at.len as usize);
        let mut filled = 0;
        while filled < buffer.len() {
            match self.disk.read_at(&mut buffer[filled..], at.offset + filled as u64) {
                Ok(count) if count > 0 => filled += count,
                answer => {
                    let error = gone(format!("{name} no longer gives a sector that it gave before"));
                    return Err(match answer {
                        Err(cause) => error.because(cause),
                        Ok(_) => error,
                    });
                }
            }
        }
        known_good.map_or(Ok(()), |known| known.compare(&buffer))
    }
}

/// A device for parsers, which ask for any bytes: whole sectors are read around what they ask for. A sick drive thinks for
/// seconds about each read that fails, and parsers ask again and again: what failed is not asked for twice.
pub struct DeviceReader {
    disk: Arc<Disk>,
    failed: Mutex<Vec<Extent>>,
    /// Whether no sector can be read; asked when much has failed.
    is_dead: OnceLock<bool>,
}

impl DeviceReader {
    /// Reads from `disk`.
    pub fn new(disk: Arc<Disk>) -> DeviceReader {
        DeviceReader { disk, failed: Mutex::new(Vec::new()), is_dead: OnceLock::new() }
    }

    fn read_sectors(&self, at: Extent, buf: &mut [u8]) -> std::io::Result<()> {
        let (is_known, failures) = {
            let failed = self.failed.lock().expect("no panics");
            (failed.iter().any(|failed| failed.intersect(at) == *failed), failed.len())
        };
        let is_dead = || *self.is_dead.get_or_init(|| some_good(&self.disk).is_none());
        if is_known || (failures >= MANY_FAILED && is_dead()) {
            return Err(std::io::Error::other("it could not be read before"));
        }
        let mut filled = 0;
        while filled < buf.len() {
            match self.disk.read_at(&mut buf[filled..], at.offset + filled as u64) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) => {
                    if blame(&error) == Blame::Medium {
                        self.failed.lock().expect("no panics").push(at);
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl ReadAt for DeviceReader {
    fn size(&self) -> u64 {
        self.disk.geometry().size
    }

    fn read_at(&self, mut buf: &mut [u8], mut offset: u64) -> std::io::Result<()> {
        let Geometry { size, sector, .. } = self.disk.geometry();
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > size) {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        while !buf.is_empty() {
            let part = Extent::new(offset, (buf.len() as u64).min(PIECE));
            let around = part.align_out(sector.into());
            let mut sectors = Buffer::new(around.len as usize);
            self.read_sectors(around, &mut sectors)?;
            let (head, rest) = buf.split_at_mut(part.len as usize);
            let start = (part.offset - around.offset) as usize;
            head.copy_from_slice(&sectors[start..start + head.len()]);
            buf = rest;
            offset = part.end();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::control::Sense;

    const SECTOR: u64 = 512;

    const UNREADABLE: (u8, u8, u8) = (3, 0x11, 0);
    const BLANK: (u8, u8, u8) = (8, 0, 0);
    const ID_NOT_FOUND: (u8, u8, u8) = (5, 0x21, 0);
    const OTHER_TRACK: (u8, u8, u8) = (5, 0x64, 0);

    /// What a drive of 100 sectors answers; `first` is one that names the first sector of every command.
    fn drive(bad: &[u64], first: bool) -> impl FnMut(Extent) -> Option<Asked> {
        drive_saying(UNREADABLE, bad, first)
    }

    fn drive_saying(
        (key, asc, ascq): (u8, u8, u8),
        bad: &[u64],
        first: bool,
    ) -> impl FnMut(Extent) -> Option<Asked> {
        move |at| {
            let sectors = at.offset / SECTOR..at.end() / SECTOR;
            let Some(failed) = bad.iter().find(|bad| sectors.contains(bad)) else {
                return Some(Asked { good: at.len as usize, sense: None, is_bad_next: false });
            };
            let named = if first { sectors.start } else { *failed };
            let sense = Some(Sense { key, asc, ascq, information: Some(named) });
            Some(Asked { good: (named * SECTOR - at.offset) as usize, sense, is_bad_next: true })
        }
    }

    fn examined(place: u64, ask: impl FnMut(Extent) -> Option<Asked>) -> (bool, Option<bool>) {
        examine(place * SECTOR, 100 * SECTOR, SECTOR, ask)
    }

    #[test]
    fn a_name_behind_a_good_sector_says_whether_the_drive_names_truly() {
        for place in [1, 50, 99] {
            let bad: Vec<u64> = (place..100).collect();
            assert_eq!(examined(place, drive(&bad, false)), (true, Some(true)), "{place}");
            assert_eq!(examined(place, drive(&bad, true)), (false, Some(false)), "{place}");
        }
    }

    #[test]
    fn without_a_good_sector_before_it_only_the_sector_itself_is_known() {
        for first in [false, true] {
            assert_eq!(examined(0, drive(&[0, 1], first)), (true, None));
            assert_eq!(examined(7, drive(&[6, 7], first)), (true, None));
            // The drive named the first of a command that failed further on.
            assert_eq!(examined(0, drive(&[5], first)), (false, None));
            assert_eq!(examined(7, drive(&[30], first)), (false, None));
        }
    }

    /// What a read of eight sectors from sector 40 on means, whose sector 42 is none.
    fn read_of(says: (u8, u8, u8), first: bool) -> (Option<u64>, bool) {
        let mut ask = drive_saying(says, &[42], first);
        let asked = ask(Extent::new(40 * SECTOR, 8 * SECTOR)).unwrap();
        let next = 40 * SECTOR + asked.good as u64;
        let outcome = meant(&asked, next, |place| examine(place, 100 * SECTOR, SECTOR, &mut ask).0);
        match outcome {
            Some(Outcome::Medium { first_bad, unwritten }) => (first_bad.map(|at| at / SECTOR), unwritten),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_blank_sector_is_no_damage() {
        assert_eq!(read_of(BLANK, false), (Some(42), true));
        for damage in [UNREADABLE, ID_NOT_FOUND, OTHER_TRACK] {
            assert_eq!(read_of(damage, false), (Some(42), false), "{damage:?}");
        }
    }

    #[test]
    fn the_name_of_a_blank_sector_is_examined_as_any_other() {
        for says in [UNREADABLE, BLANK, ID_NOT_FOUND, OTHER_TRACK] {
            assert_eq!(read_of(says, true).0, None, "sector 40 is good, {says:?}");
            let truly = |first| examined(42, drive_saying(says, &[42], first));
            assert_eq!((truly(false), truly(true)), ((true, Some(true)), (false, Some(false))), "{says:?}");
        }
    }

    #[test]
    fn a_weak_sector_before_it_condemns_no_drive() {
        let mut asked = 0;
        let weak = |at: Extent| {
            asked += 1;
            let bad: &[u64] = if asked == 1 { &[7] } else { &[6, 7] };
            drive(bad, false)(at)
        };
        assert_eq!(examined(7, weak), (false, None));
    }

    #[test]
    fn answers_that_say_nothing_of_the_sector_are_none() {
        let meant = |key, asc, ascq| {
            let sense = Some(Sense { key, asc, ascq, information: None });
            meant(&Asked { good: 0, sense, is_bad_next: false }, 0, |_| unreachable!())
        };
        assert!(meant(2, 4, 1).is_none() && meant(4, 0x44, 0).is_none() && meant(5, 0x24, 0).is_none());
        assert!(matches!(meant(2, 0x3a, 0), Some(Outcome::Gone(_))));
        assert!(matches!(meant(5, 0x6f, 3), Some(Outcome::Protected(_))));
    }

    #[test]
    fn a_drive_that_takes_no_command_any_more_proves_nothing() {
        assert_eq!(examined(7, |_| None), (false, None));
    }
}
