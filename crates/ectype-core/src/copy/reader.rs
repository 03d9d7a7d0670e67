//! The reader: owns source, strategy and map, and decides how many reads are in flight.

use super::pipeline::{Belt, CommitterGone, Step};
use super::pool::Pool;
use super::{Tuning, cancelled};
use crate::error::{Error, Kind};
use crate::extent::{Extent, PIECE};
use crate::io::Content;
use crate::plan::Strategy;
use crate::plan::map::{RescueMap, Status};
use crate::source::{Answer, Outcome, Read, Source};
use crate::watch::Watch;
use std::collections::VecDeque;
use std::time::Duration;

/// How long the reader waits for an answer or a buffer before it looks whether it should stop.
const GLANCE: Duration = Duration::from_millis(50);

/// After a failure, this many whole pieces in a row must be read before several reads are in flight again.
const TRUST: u32 = 16;

/// So many steps may wait behind reads in flight.
const MOST_KNOWN: usize = 64;

pub(super) struct Reader<'a> {
    source: &'a mut dyn Source,
    strategy: &'a mut dyn Strategy,
    map: &'a mut RescueMap,
    belt: Belt<'a>,
    pool: Pool,
    watch: &'a Watch,
    depth: usize,
    /// Whole pieces still to be read before the medium counts as healthy; 0 when it does.
    distrust: u32,
    /// Failed reads that are not yet the medium's fault: first the device has to prove that it lives.
    failed: Vec<(Extent, Read)>,
    /// A sector that was read, for that proof.
    known_good: Option<Extent>,
    /// What needed no reading and lies behind reads in flight: each step waits for so many answers, so that order is kept
    /// for tree and digests.
    known: VecDeque<(u64, Step)>,
    asked: u64,
    answered: u64,
    read: u64,
}

/// How the reading ended.
pub(super) struct ReaderEnd {
    pub(super) read: u64,
    /// `None` when the strategy had nothing more to ask.
    pub(super) stopped: Option<Error>,
}

/// Why the reader's loop was left early.
enum Stop {
    /// The committer reports why.
    Committer,
    Because(Error),
}

impl From<CommitterGone> for Stop {
    fn from(_: CommitterGone) -> Stop {
        Stop::Committer
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Because(error)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        source: &'a mut dyn Source,
        strategy: &'a mut dyn Strategy,
        map: &'a mut RescueMap,
        belt: Belt<'a>,
        tuning: &Tuning,
        watch: &'a Watch,
    ) -> Self {
        let depth = tuning.depth.clamp(1, tuning.buffers);
        let pool = Pool::new(tuning.buffers, PIECE as usize);
        Reader {
            source,
            strategy,
            map,
            belt,
            pool,
            watch,
            depth,
            distrust: 0,
            failed: Vec::new(),
            known_good: None,
            known: VecDeque::new(),
            asked: 0,
            answered: 0,
            read: 0,
        }
    }

    pub(super) fn run(mut self) -> ReaderEnd {
        let mut ended = self.read_all();
        // What is in the map must reach the ledger, also where the reads before it were given up.
        if self.send_known(u64::MAX).is_err() {
            ended = Err(Stop::Committer);
        }
        let stopped = match ended {
            Ok(()) => None,
            Err(Stop::Committer) => None,
            Err(Stop::Because(error)) => Some(error),
        };
        self.watch.update(self.map, true);
        ReaderEnd { read: self.read, stopped }
    }

    fn read_all(&mut self) -> Result<(), Stop> {
        loop {
            // It may have taken buffers with it: there may be none to wait for.
            if self.belt.committer_gone() {
                return Err(Stop::Committer);
            }
            let asked_all = !self.fill_queue()?;
            if self.source.in_flight() == 0 {
                if self.failed.is_empty() {
                    if asked_all {
                        return Ok(());
                    }
                    continue;
                }
                self.learn_failures()?;
                continue;
            }
            if let Some(answer) = self.source.complete(GLANCE) {
                self.take(answer)?;
            }
            self.watch.update(self.map, false);
            // Answers of a hanging drive are not waited for: its threads are left behind.
            if self.watch.stop_asked() {
                self.take_what_is_there()?;
                return Err(cancelled().into());
            }
        }
    }

    /// Submits what may be in flight; false when the strategy has nothing more to ask.
    fn fill_queue(&mut self) -> Result<bool, Stop> {
        while self.failed.is_empty()
            && self.source.in_flight() < self.depth_now()
            && self.known.len() < MOST_KNOWN
        {
            if self.watch.stop_asked() {
                self.take_what_is_there()?;
                return Err(cancelled().into());
            }
            // The buffer first: what the strategy hands out must be asked for.
            let Some(buffer) =
                self.pool.take(if self.source.in_flight() == 0 { GLANCE } else { Duration::ZERO })
            else {
                return Ok(true);
            };
            let Some(at) = self.strategy.next(self.map) else {
                self.pool.give_back(buffer);
                return Ok(false);
            };
            if self.skip_known(at)? {
                self.pool.give_back(buffer);
                self.watch.update(self.map, false);
                continue;
            }
            self.source.submit(at, buffer);
            self.asked += 1;
        }
        Ok(true)
    }

    fn depth_now(&self) -> usize {
        if self.distrust == 0 { self.depth } else { 1 }
    }

    /// What is known without reading becomes one step, as long as whole pieces of it lie ahead.
    fn skip_known(&mut self, at: Extent) -> Result<bool, Stop> {
        let (content, until) = self.source.content_at(at.offset);
        if content == Content::Data || until < at.end() {
            return Ok(false);
        }
        let size = self.map.size();
        let until = if until >= size { size } else { at.end().max(until - until % PIECE) };
        // Only up to what something else was found out about before.
        let (untried, status) = self.map.run_at(at.offset);
        let known = match status {
            Status::NonTried => Extent::between(at.offset, until.min(untried.end())),
            _ => at,
        };
        self.map.set(known, Status::Finished);
        let step = match content {
            Content::Unused => Step::Unused(known),
            _ => Step::Zero(known),
        };
        self.known.push_back((self.asked, step));
        self.send_known(self.answered)?;
        self.watch.add_known(content, known.len);
        Ok(true)
    }

    /// Sends what waited for no more than this many answers.
    fn send_known(&mut self, answered: u64) -> Result<(), CommitterGone> {
        while let Some((_, step)) = self.known.pop_front_if(|(after, _)| *after <= answered) {
            self.belt.step(step)?;
        }
        Ok(())
    }

    fn take(&mut self, answer: Answer) -> Result<(), Stop> {
        let Answer { at, buffer, read } = answer;
        let sector = u64::from(self.source.geometry().sector);
        let good = match read.outcome {
            Outcome::Ok => at.len,
            _ => read.good - read.good % sector,
        };
        self.read += good;
        if good > 0 {
            let got = Extent::new(at.offset, good);
            self.map.set(got, Status::Finished);
            self.known_good =
                Some(Extent::new(at.offset, good.min(u64::from(self.source.geometry().physical_sector))));
            self.belt.data(self.pool.block(got, buffer))?;
        } else {
            self.pool.give_back(buffer);
        }
        match &read.outcome {
            Outcome::Ok => {
                if at.len >= PIECE {
                    self.distrust = self.distrust.saturating_sub(1);
                }
            }
            _ => {
                self.distrust = TRUST;
                self.failed.push((at, Read { good, ..read }));
            }
        }
        self.answered += 1;
        self.send_known(self.answered)?;
        Ok(())
    }

    /// On the way out: answers that have come are kept, those that have not are not waited for.
    fn take_what_is_there(&mut self) -> Result<(), Stop> {
        while let Some(answer) = self.source.complete(Duration::ZERO) {
            self.take(answer)?;
        }
        Ok(())
    }

    /// With nothing in flight: settles what the failed reads mean.
    fn learn_failures(&mut self) -> Result<(), Stop> {
        let failed = std::mem::take(&mut self.failed);
        for (at, read) in &failed {
            self.stop_unless_medium(*at, read)?;
        }
        self.source.alive(self.known_good)?;
        // From the last to the first: a strategy that puts the parts of a failed read in front of its queue then has the
        // first part of the first failure there.
        for (at, read) in failed.into_iter().rev() {
            self.strategy.learn(at, &read, self.map);
            let mut lost = Extent::between(at.offset + read.good, at.end());
            while !lost.is_empty() {
                let (run, status) = self.map.run_at(lost.offset);
                let part = run.intersect(lost);
                if !matches!(status, Status::NonTried | Status::Finished) {
                    self.belt.step(Step::Status(part, status))?;
                }
                lost = Extent::between(part.end(), lost.end());
            }
        }
        self.watch.update(self.map, false);
        Ok(())
    }

    /// A failure that is not the medium's ends the reading.
    fn stop_unless_medium(&mut self, at: Extent, read: &Read) -> Result<(), Error> {
        let error = match &read.outcome {
            Outcome::Ok | Outcome::Medium { .. } => return Ok(()),
            Outcome::Gone(cause) => {
                Error::new(Kind::Gone, "the device is gone, or its medium").because(again(cause))
            }
            Outcome::Protected(reason) => Error::refused(format!("the drive refuses to read on: {reason}")),
            Outcome::Failed(cause) => {
                // Many an odd error is that of a device that went away.
                self.source.alive(self.known_good).map_err(|gone| gone.because(again(cause)))?;
                Error::io("reading the source", again(cause))
            }
        };
        Err(error.at(at.offset + read.good))
    }
}

/// I/O errors cannot be cloned; the number and the words survive.
fn again(error: &std::io::Error) -> std::io::Error {
    match error.raw_os_error() {
        Some(code) => std::io::Error::from_raw_os_error(code),
        None => std::io::Error::new(error.kind(), error.to_string()),
    }
}
