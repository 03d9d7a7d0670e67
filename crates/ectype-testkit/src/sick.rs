//! A drive with bad sectors, slow and moody ones, that may die in the middle.
//!
//! ```text
//!   submit ─► [ queue ] ─► disk ─► answer, in the order of asking
//!                           │ bad: never     flaky: after n failures     slow: says that it took long
//!                           │ protected: refused     dead: Gone, until revived
//!                           └► log, and how many were in flight at most, before and after the first failure
//! ```
//!
//! The drive is given away to whoever reads it; a [`Probe`] taken before sees and changes it from outside. What is not
//! valid in a buffer is poisoned, so that no test passes by the grace of what was there.

use ectype_core::error::{Error, Kind, Result};
use ectype_core::extent::{Extent, Extents};
use ectype_core::io::{Content, ReadAt};
use ectype_core::os::buffer::Buffer;
use ectype_core::source::{Answer, Geometry, KnownGood, Outcome, Read, Source};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use std::{io, thread};

/// What the bytes of a buffer are that no answer vouches for.
pub const POISON: u8 = 0xa5;

/// A drive that is not well.
pub struct SickDrive {
    disk: Box<dyn ReadAt>,
    geometry: Geometry,
    bad: Extents,
    protected: Extents,
    unwritten: Extents,
    slow: Vec<(Extents, Duration)>,
    sleeps: bool,
    /// When the oldest request has slept enough.
    wakes: Option<Instant>,
    partial: bool,
    tells: bool,
    queue: VecDeque<(Extent, u64, Buffer)>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    dies_at: Option<usize>,
    dead: bool,
    flaky: Vec<(Extent, usize)>,
    /// A read that touches this resets it, and with that so many reads fail.
    resets: Option<(Extent, usize)>,
    resetting: usize,
    lies: usize,
    /// So many bytes before a sector that fails never read again, and which those are by now.
    eats: u64,
    eaten: Extents,
    failed: bool,
    log: Vec<(Extent, bool)>,
    alive_calls: usize,
    max_in_flight: usize,
    max_in_flight_after_failure: usize,
}

/// A view of a [`SickDrive`] that was given away.
#[derive(Clone)]
pub struct Probe {
    state: Arc<Mutex<State>>,
}

impl SickDrive {
    /// A healthy drive with sectors of 512 bytes that reads `disk`.
    pub fn new(disk: impl ReadAt + 'static) -> Self {
        let geometry = Geometry { size: disk.size(), sector: 512, physical_sector: 512 };
        SickDrive {
            disk: Box::new(disk),
            geometry,
            bad: Extents::new(),
            protected: Extents::new(),
            unwritten: Extents::new(),
            slow: Vec::new(),
            sleeps: false,
            wakes: None,
            partial: false,
            tells: false,
            queue: VecDeque::new(),
            state: Arc::default(),
        }
    }

    /// Sectors of `logical` bytes, of which `physical` bytes fail as one.
    pub fn sectors(mut self, logical: u32, physical: u32) -> Self {
        (self.geometry.sector, self.geometry.physical_sector) = (logical, physical);
        self
    }

    /// These sectors never read.
    pub fn bad(mut self, bad: impl IntoIterator<Item = Extent>) -> Self {
        self.bad = self.bad.union(&bad.into_iter().collect());
        self
    }

    /// These sectors are refused, as a copy protection does.
    pub fn protected(mut self, protected: impl IntoIterator<Item = Extent>) -> Self {
        self.protected = self.protected.union(&protected.into_iter().collect());
        self
    }

    /// These sectors were never written, and a read that meets one first says so.
    pub fn unwritten(mut self, unwritten: impl IntoIterator<Item = Extent>) -> Self {
        self.unwritten = self.unwritten.union(&unwritten.into_iter().collect());
        self
    }

    /// A read that touches these says that it took so much longer.
    pub fn slow(mut self, slow: impl IntoIterator<Item = Extent>, took: Duration) -> Self {
        self.slow.push((slow.into_iter().collect(), took));
        self
    }

    /// Slow reads are slow, not only said to be.
    pub fn sleeps(mut self) -> Self {
        self.sleeps = true;
        self
    }

    /// The first `times` reads that touch this fail.
    pub fn flaky(self, at: Extent, times: usize) -> Self {
        self.state().flaky.push((at, times));
        self
    }

    /// A failed read gives what lies before the first bad sector; without this it gives nothing.
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// A failed read tells the first bad byte, as sense data do.
    pub fn tells_first_bad(mut self) -> Self {
        self.tells = true;
        self
    }

    /// After `reads` answers the device is gone.
    pub fn dies_at(self, reads: usize) -> Self {
        self.state().dies_at = Some(reads);
        self
    }

    /// The first read that touches `at` resets the drive: that and what else is read meanwhile fails, `reads` in all.
    pub fn resets(self, at: Extent, reads: usize) -> Self {
        self.state().resets = Some((at, reads));
        self
    }

    /// The first `times` good reads after an error give wrong data, and say nothing of it.
    pub fn lies(self, times: usize) -> Self {
        self.state().lies = times;
        self
    }

    /// Every failed read costs the `bytes` before the sector that failed, too: good ones that were read may be among them.
    pub fn eats(self, bytes: u64) -> Self {
        self.state().eats = bytes;
        self
    }

    /// A view of the drive from outside.
    pub fn probe(&self) -> Probe {
        Probe { state: Arc::clone(&self.state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked in it")
    }

    /// The first byte of `at` that does not read now, if any; moody sectors lose one of their moods.
    fn first_bad(&self, state: &mut State, at: Extent) -> Option<u64> {
        let unit = u64::from(self.geometry.physical_sector);
        let asked: Extents = [at].into_iter().collect();
        let lost = self.bad.union(&self.unwritten).union(&state.eaten);
        let mut failing = lost.align_out(unit).intersect(&asked);
        for (area, times) in &mut state.flaky {
            let touched = area.align_out(unit).intersect(at);
            if *times > 0 && !touched.is_empty() {
                *times -= 1;
                failing.insert(touched);
            }
        }
        if let Some((_, reads)) = state.resets.take_if(|(area, _)| !area.intersect(at).is_empty()) {
            state.resetting = reads;
        }
        if state.resetting > 0 {
            state.resetting -= 1;
            failing.insert(at);
        }
        failing.iter().next().map(|extent| extent.offset)
    }

    fn takes(&self, at: Extent) -> Duration {
        self.slow.iter().filter(|slow| slow.0.touches(at)).map(|slow| slow.1).sum()
    }

    fn read(&self, at: Extent, buffer: &mut [u8]) -> Read {
        let took = self.takes(at);
        let mut state = self.state();
        let state = &mut *state;
        state.dead |= state.dies_at.is_some_and(|reads| state.log.len() >= reads);
        let protected = || self.protected.iter().map(|part| part.intersect(at)).find(|part| !part.is_empty());
        let (first, outcome) = if state.dead {
            (at.offset, Outcome::Gone(gone()))
        } else if let Some(part) = protected() {
            (part.offset, Outcome::Protected("the drive wants a key for these sectors".into()))
        } else if let Some(first) = self.first_bad(state, at) {
            state.eaten.insert(Extent::between(first.saturating_sub(state.eats), first));
            let unwritten = self.unwritten.touches(Extent::new(first, 1));
            (first, Outcome::Medium { first_bad: self.tells.then_some(first), unwritten })
        } else {
            (at.end(), Outcome::Ok)
        };
        let ok = matches!(outcome, Outcome::Ok);
        let whole_sectors =
            (first - at.offset) / u64::from(self.geometry.sector) * u64::from(self.geometry.sector);
        let good = match ok {
            true => at.len,
            false if self.partial => whole_sectors,
            false => 0,
        };
        let (valid, rest) = buffer.split_at_mut(good as usize);
        rest.fill(POISON);
        self.disk.read_at(valid, at.offset).expect("the disk under a sick drive is well");
        if ok && state.failed && state.lies > 0 {
            state.lies -= 1;
            valid.iter_mut().for_each(|byte| *byte = !*byte);
        }
        state.failed |= !ok;
        state.log.push((at, ok));
        Read { good, outcome, took }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no such device")
}

impl Source for SickDrive {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn submit(&mut self, at: Extent, buffer: Buffer) {
        self.submit_steps(at, u64::MAX, buffer);
    }

    fn submit_steps(&mut self, at: Extent, step: u64, buffer: Buffer) {
        let sector = u64::from(self.geometry.sector);
        assert!(!at.is_empty() && at.end() <= self.geometry.size, "{at:?} is not on the medium");
        assert!(at.offset.is_multiple_of(sector), "{at:?} begins within a sector");
        assert!(
            at.end().is_multiple_of(sector) || at.end() == self.geometry.size,
            "{at:?} ends within a sector"
        );
        assert!(at.len <= buffer.len() as u64, "{at:?} does not fit in {} bytes", buffer.len());
        self.queue.push_back((at, step, buffer));
        let in_flight = self.queue.len();
        let mut state = self.state();
        state.max_in_flight = state.max_in_flight.max(in_flight);
        if state.failed {
            state.max_in_flight_after_failure = state.max_in_flight_after_failure.max(in_flight);
        }
    }

    fn in_flight(&self) -> usize {
        self.queue.len()
    }

    fn complete(&mut self, wait: Duration) -> Option<Answer> {
        if self.sleeps {
            let takes = self.takes(self.queue.front()?.0);
            let wakes = *self.wakes.get_or_insert_with(|| Instant::now() + takes);
            let left = wakes.saturating_duration_since(Instant::now());
            thread::sleep(left.min(wait));
            if left > wait {
                return None;
            }
            self.wakes = None;
        }
        let (asked, step, mut buffer) = self.queue.pop_front()?;
        let mut all = Read { good: 0, outcome: Outcome::Ok, took: Duration::ZERO };
        loop {
            let at = Extent::between(asked.offset + all.good, asked.end()).first(step);
            let Read { good, outcome, took } = self.read(at, &mut buffer[all.good as usize..]);
            let goes_on = matches!(outcome, Outcome::Ok) && at.end() < asked.end();
            all = Read { good: all.good + good, outcome, took: all.took + took };
            if !goes_on {
                return Some(Answer { at: Extent::between(asked.offset, at.end()), buffer, read: all });
            }
        }
    }

    fn content_at(&mut self, offset: u64) -> (Content, u64) {
        self.disk.content_at(offset).expect("the disk under a sick drive is well")
    }

    fn alive(&mut self, known_good: Option<&KnownGood>) -> Result<()> {
        assert!(self.queue.is_empty(), "asked for life with {} reads in flight", self.queue.len());
        let mut state = self.state();
        state.alive_calls += 1;
        if state.dead {
            return Err(Error::new(Kind::Gone, "the drive does not answer").because(gone()));
        }
        let Some(known) = known_good else {
            // As a device does: some sector somewhere.
            let Geometry { size, sector, .. } = self.geometry;
            let sector = u64::from(sector);
            let mut places = [0, 1, 2, 3].map(|part| size / 4 * part / sector * sector).into_iter();
            let gives = |place| self.first_bad(&mut state, Extent::new(place, sector.min(size))).is_none();
            return match size == 0 || places.any(gives) {
                true => Ok(()),
                false => Err(Error::new(Kind::Gone, "the drive gives no sector at all")),
            };
        };
        let at = known.at;
        if self.first_bad(&mut state, at).is_some() {
            return Err(Error::new(Kind::Gone, format!("{at:?} was read before and is not readable now")));
        }
        let mut again = vec![0; at.len as usize];
        self.disk.read_at(&mut again, at.offset).expect("the disk under a sick drive is well");
        if state.lies > 0 {
            state.lies -= 1;
            again.iter_mut().for_each(|byte| *byte = !*byte);
        }
        known.compare(&again)
    }
}

impl Probe {
    /// All reads in the order of their answers, and whether all of each was read.
    pub fn log(&self) -> Vec<(Extent, bool)> {
        self.state().log.clone()
    }

    /// How often the drive was asked whether it lives.
    pub fn alive_calls(&self) -> usize {
        self.state().alive_calls
    }

    /// How many reads were in flight at most.
    pub fn max_in_flight(&self) -> usize {
        self.state().max_in_flight
    }

    /// How many reads were in flight at most when one was asked for after the first failure was told; reads asked for
    /// before may drain. 0 when nothing failed or nothing was asked for after it.
    pub fn max_in_flight_after_failure(&self) -> usize {
        self.state().max_in_flight_after_failure
    }

    /// The device vanishes.
    pub fn kill(&self) {
        self.state().dead = true;
    }

    /// The device comes back, to stay.
    pub fn revive(&self) {
        let mut state = self.state();
        (state.dead, state.dies_at) = (false, None);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked in it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive() -> SickDrive {
        SickDrive::new((0..64 * 512_u32).map(|index| (index % 251) as u8).collect::<Vec<_>>())
    }

    fn read(drive: &mut SickDrive, offset: u64, len: u64) -> Answer {
        drive.submit(Extent::new(offset, len), Buffer::new(len as usize));
        drive.complete(Duration::ZERO).unwrap()
    }

    #[test]
    fn exactly_the_bad_sectors_fail() {
        for (logical, physical) in [(512, 512), (512, 4096), (2048, 2048), (4096, 4096)] {
            let bad = [Extent::new(5000, 10), Extent::new(16384, 4096)];
            let mut sick = drive().sectors(logical, physical).bad(bad).partial().tells_first_bad();
            let failing = bad.into_iter().collect::<Extents>().align_out(physical.into());
            for offset in (0..64 * 512).step_by(logical as usize) {
                let at = Extent::new(offset, logical.into());
                let ok = matches!(read(&mut sick, at.offset, at.len).read.outcome, Outcome::Ok);
                assert_eq!(ok, !failing.touches(at));
            }
            let all = read(&mut sick, 0, 64 * 512);
            let first = failing.iter().next().unwrap().offset;
            assert_eq!(all.read.good, first);
            assert!(matches!(all.read.outcome, Outcome::Medium { first_bad: Some(at), .. } if at == first));
            assert!(all.buffer[1] == 1 && all.buffer[first as usize..].iter().all(|&byte| byte == POISON));
        }
        assert_eq!(read(&mut drive().bad([Extent::new(512, 512)]), 0, 2048).read.good, 0);
    }

    #[test]
    fn moods_deaths_and_lies() {
        let area = Extent::new(1024, 512);
        let mut sick = drive().flaky(area, 2).lies(1).protected([Extent::new(8192, 512)]);
        let ok = |answer: &Answer| matches!(answer.read.outcome, Outcome::Ok);
        assert!(ok(&read(&mut sick, 0, 1024)));
        assert!(!ok(&read(&mut sick, 1024, 512)) && !ok(&read(&mut sick, 0, 2048)));
        assert_eq!(read(&mut sick, 0, 2048).buffer[..2], [255, 254], "a lie");
        assert_eq!(read(&mut sick, 0, 2048).buffer[..2], [0, 1]);
        assert!(matches!(read(&mut sick, 8192, 512).read.outcome, Outcome::Protected(_)));
        let known = KnownGood { at: area, bytes: vec![0; 512] };
        assert_eq!(sick.alive(Some(&known)).unwrap_err().kind(), Kind::Changed);
        let known = KnownGood { bytes: read(&mut sick, 1024, 512).buffer[..512].to_vec(), ..known };
        assert!(sick.alive(Some(&known)).is_ok());

        let mut dying = drive().dies_at(1).slow([area], Duration::from_secs(9));
        let probe = dying.probe();
        assert_eq!(read(&mut dying, 0, 2048).read.took, Duration::from_secs(9));
        assert!(matches!(read(&mut dying, 0, 512).read.outcome, Outcome::Gone(_)));
        assert_eq!(dying.alive(None).unwrap_err().kind(), Kind::Gone);
        probe.revive();
        assert!(dying.alive(None).is_ok() && ok(&read(&mut dying, 0, 512)));
        let log = [(Extent::new(0, 2048), true), (Extent::new(0, 512), false), (Extent::new(0, 512), true)];
        assert_eq!(probe.log(), log);
    }

    #[test]
    fn answers_come_in_order_and_what_is_in_flight_is_counted() {
        let mut sick = drive().bad([Extent::new(0, 512)]);
        let probe = sick.probe();
        for index in 0..4 {
            sick.submit(Extent::new(index * 512, 512), Buffer::new(512));
        }
        assert_eq!((sick.in_flight(), probe.max_in_flight_after_failure()), (4, 0));
        for index in 0..4 {
            assert_eq!(sick.complete(Duration::ZERO).unwrap().at.offset, index * 512);
        }
        assert!(sick.complete(Duration::ZERO).is_none());
        read(&mut sick, 512, 512);
        assert_eq!((probe.max_in_flight(), probe.max_in_flight_after_failure()), (4, 1));
        sick.submit(Extent::new(0, 512), Buffer::new(512));
        sick.submit(Extent::new(512, 512), Buffer::new(512));
        assert_eq!(probe.max_in_flight_after_failure(), 2);
    }
}
