//! The reader: owns source, strategy and map.
//!
//! ```text
//!   strategy ──► submit ──► answer ──► map ──► strategy: what becomes of the rest ──► map, belt
//!                             └ failed: drain, ask the device whether it lives, then the same
//! ```

use super::pipeline::{Belt, CommitterGone, Step};
use super::pool::Pool;
use super::{Limits, Tuning};
use crate::error::{Error, Kind, again};
use crate::extent::{Extent, PIECE};
use crate::image::Placement;
use crate::io::Content;
use crate::plan::Strategy;
use crate::plan::map::{RescueMap, Stage, Status};
use crate::source::{Answer, KnownGood, Outcome, Read, Source, became_shorter};
use crate::watch::Watch;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long the reader waits for an answer or a buffer before it looks whether it should stop.
const GLANCE: Duration = Duration::from_millis(50);

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
    limits: Limits,
    placement: Placement,
    damaged: bool,
    begun: Instant,
    failures: u64,
    /// The stage that was told last.
    stage: Stage,
    /// Failed reads that are not yet the medium's fault: first the device has to prove that it lives.
    failed: Vec<(Extent, Read)>,
    /// What was answered since: worth nothing if the drive turns out to lie.
    suspended: Vec<Answer>,
    /// Sectors that were read, for that proof: the first one, which mostly lies far from any damage, and the last.
    known_good: Vec<KnownGood>,
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
    /// Because of damage that an image written in order cannot take.
    pub(super) damaged: bool,
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
        limits: Limits,
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
            limits,
            placement: Placement::Anywhere,
            damaged: false,
            begun: Instant::now(),
            failures: 0,
            stage: Stage::default(),
            failed: Vec::new(),
            suspended: Vec::new(),
            known_good: Vec::new(),
            known: VecDeque::new(),
            asked: 0,
            answered: 0,
            read: 0,
        }
    }

    /// For a sink that is fed so.
    pub(super) fn placing(self, placement: Placement) -> Self {
        Reader { placement, ..self }
    }

    pub(super) fn run(mut self) -> ReaderEnd {
        self.watch.enter_stage(self.stage, self.strategy.passes(), self.map);
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
        ReaderEnd { read: self.read, stopped, damaged: self.damaged }
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
            self.stop_if_it_is_time()?;
        }
    }

    /// Submits what may be in flight; false when the strategy has nothing more to ask.
    fn fill_queue(&mut self) -> Result<bool, Stop> {
        while self.failed.is_empty()
            && self.source.in_flight() < self.depth_now()
            && self.known.len() < MOST_KNOWN
        {
            self.stop_if_it_is_time()?;
            // The buffer first: what the strategy hands out must be asked for.
            let Some(buffer) =
                self.pool.take(if self.source.in_flight() == 0 { GLANCE } else { Duration::ZERO })
            else {
                return Ok(true);
            };
            let next = self.strategy.next(self.map);
            self.tell_stage()?;
            let Some(at) = next else {
                self.pool.give_back(buffer);
                return Ok(false);
            };
            if self.skip_known(at)? {
                self.pool.give_back(buffer);
                self.watch.update(self.map, false);
                continue;
            }
            match self.strategy.step() {
                Some(step) => self.source.submit_steps(at, step, buffer),
                None => self.source.submit(at, buffer),
            }
            self.asked += 1;
        }
        Ok(true)
    }

    fn depth_now(&self) -> usize {
        if self.strategy.is_careful() { 1 } else { self.depth }
    }

    /// Answers of a hanging drive are not waited for: its threads are left behind.
    fn stop_if_it_is_time(&mut self) -> Result<(), Stop> {
        let error = if self.watch.stop_asked() {
            Error::interrupted()
        } else if self.limits.time.is_some_and(|most| self.begun.elapsed() >= most) {
            limit("the time that was given is over".to_owned())
        } else {
            return Ok(());
        };
        self.take_what_is_there()?;
        Err(error.into())
    }

    /// The ledger and the spectator learn what is being done now.
    fn tell_stage(&mut self) -> Result<(), Stop> {
        let stage = self.strategy.stage();
        if stage == self.stage {
            return Ok(());
        }
        self.watch.enter_stage(stage, self.strategy.passes(), self.map);
        self.stage = stage;
        self.known.push_back((self.asked, Step::Stage(stage)));
        Ok(self.send_known(self.answered)?)
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
        self.learn(at, &Read { good: at.len, outcome: Outcome::Ok, took: Duration::ZERO })?;
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
        if !self.failed.is_empty() {
            self.suspended.push(answer);
            return Ok(());
        }
        let Answer { at, buffer, read } = answer;
        let sector = u64::from(self.source.geometry().sector);
        let came = match read.outcome {
            Outcome::Ok => at.len,
            _ => read.good - read.good % sector,
        };
        // Half a piece has no place in an image that is written in order.
        let is_half = came < at.len && self.placement == Placement::InOrder;
        let good = if is_half { 0 } else { came };
        self.read += good;
        if good > 0 {
            self.watch.succeeded();
            let got = Extent::new(at.offset, good);
            self.map.set(got, Status::Finished);
            let len = good.min(u64::from(self.source.geometry().physical_sector));
            self.known_good.truncate(1);
            self.known_good
                .push(KnownGood { at: Extent::new(at.offset, len), bytes: buffer[..len as usize].to_vec() });
            self.belt.data(self.pool.block(got, buffer))?;
        } else {
            self.pool.give_back(buffer);
        }
        self.answered += 1;
        self.send_known(self.answered)?;
        match &read.outcome {
            Outcome::Ok => self.learn(at, &read)?,
            _ => self.failed.push((at, Read { good: came, ..read })),
        }
        Ok(())
    }

    /// Enters what an answer means for the bytes that it did not bring.
    fn learn(&mut self, at: Extent, read: &Read) -> Result<(), Stop> {
        let unwritten = matches!(read.outcome, Outcome::Medium { unwritten: true, .. });
        for (changed, status) in self.strategy.learn(at, read, self.map) {
            let mut rest = changed;
            while !rest.is_empty() {
                let (run, before) = self.map.run_at(rest.offset);
                let part = run.intersect(rest);
                rest = Extent::between(part.end(), rest.end());
                // What was read stays read, also where sectors are larger than the holes in a map. What stays bad may be so
                // for another reason than before.
                if before != Status::Finished && (before != status || status == Status::Bad) {
                    self.map.set(part, status);
                    let step =
                        Step::Status { at: part, status, unwritten: unwritten && status == Status::Bad };
                    self.known.push_back((self.asked, step));
                }
            }
        }
        Ok(self.send_known(self.answered)?)
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
        self.alive()?;
        if let (Placement::InOrder, Some((at, read))) = (self.placement, failed.first()) {
            self.damaged = true;
            return Err(damaged(at.offset + read.good).into());
        }
        for (at, read) in &failed {
            self.learn(*at, read)?;
        }
        for answer in std::mem::take(&mut self.suspended) {
            self.take(answer)?;
        }
        let is_damage = |read: &Read| !matches!(read.outcome, Outcome::Medium { unwritten: true, .. });
        self.failures += failed.iter().filter(|(_, read)| is_damage(read)).count() as u64;
        if let Some(most) = self.limits.errors.filter(|most| self.failures > *most) {
            return Err(limit(format!("more than {most} reads failed")).into());
        }
        self.watch.update(self.map, false);
        Ok(())
    }

    /// Whether the device lives. A dying drive eats what lies beside its damage: that a known sector is lost proves no death
    /// as long as another one, or in the end any, is given. What is given must be what it was.
    fn alive(&mut self) -> Result<(), Error> {
        let mut lost = Vec::new();
        while let Some(known) = self.known_good.pop() {
            if self.gives(&known)? {
                self.known_good.push(known);
                return Ok(());
            }
            lost.push(known);
        }
        self.source.alive(None)?;
        // It may have been a reset, after which it lies: that shows only in what was read before.
        for known in lost.into_iter().rev() {
            if self.gives(&known)? {
                self.known_good.push(known);
            }
        }
        Ok(())
    }

    /// Whether the device gives this again; an error where it is not what it was.
    fn gives(&mut self, known: &KnownGood) -> Result<bool, Error> {
        match self.source.alive(Some(known)) {
            Err(error) if error.kind() == Kind::Gone => Ok(false),
            answer => answer.map(|()| true),
        }
    }

    /// A failure that is not the medium's ends the reading.
    fn stop_unless_medium(&mut self, at: Extent, read: &Read) -> Result<(), Error> {
        let error = match &read.outcome {
            Outcome::Ok | Outcome::Medium { .. } => return Ok(()),
            Outcome::Gone(cause) => {
                Error::new(Kind::Gone, "the device is gone, or its medium").because(again(cause))
            }
            Outcome::Protected(reason) => Error::refused(format!("the drive refuses to read on: {reason}")),
            // What an image holds contradicts its format.
            Outcome::Failed(cause) if cause.kind() == std::io::ErrorKind::InvalidData => {
                Error::new(Kind::Corrupt, "reading the source").because(again(cause))
            }
            Outcome::Failed(cause) => {
                // Many an odd error is that of a device that went away.
                self.alive().map_err(|gone| gone.because(again(cause)))?;
                if cause.kind() == std::io::ErrorKind::UnexpectedEof {
                    return Err(became_shorter().at(at.offset + read.good));
                }
                Error::io("reading the source", again(cause))
            }
        };
        Err(error.at(at.offset + read.good))
    }
}

/// Damage, met on the way into an image that is written in order.
fn damaged(offset: u64) -> Error {
    Error::new(
        Kind::Limit,
        "the source cannot be read here, and this image is written in order, from start to end",
    )
    .at(offset)
}

/// A limit that the user set is reached.
fn limit(reached: String) -> Error {
    Error::new(Kind::Limit, reached).advise("the same command goes on, with that limit again")
}
