//! The rescue of a medium in passes: what reads easily first, every sector in the end.
//!
//! ```text
//!   copying    ++++*?????*??++++*???    1  ascending; behind what fails it skips, further each time
//!              ++++*???+**+++++++*++    2  descending, up to the first failure of each gap; 3, 4 the same again
//!              ++++****+**+++++++*++    5  all that is left
//!   trimming   ++++-//-+-++++++++-++       from the edges of what failed to the first bad sector
//!   scraping   ++++-+--+-++++++++-++       sector by sector between them
//!   retrying   ++++-+--+-++++++++-++       every bad sector once a pass, the direction flips
//! ```
//!
//! The passes, the skipping and the signs are GNU ddrescue's (its manual, "Algorithm"), so either program goes on with the
//! map of the other in any pass. A failed cluster is walked differently, to save reads: sector by sector to the first bad
//! one, on through the bad ones, and as soon as one is good again, the rest of the cluster in one read. Mostly the damage was
//! all in one place. Where it was not, the walk becomes more patient.
//!
//! While nothing has failed, whole pieces are read, several at a time. After a failure the medium is suspect: clusters, one
//! at a time, until a good run that is longer with every relapse.

use super::Strategy;
use super::map::{Phase, RescueMap, Stage, Status};
use crate::extent::{Extent, Extents, PIECE};
use crate::io::Geometry;
use crate::source::{Outcome, Read};
use std::time::Duration;

/// What is read at once on a suspect medium, in bytes; the first skip, too.
pub const CLUSTER: u64 = 64 << 10;

/// No medium fails in larger sectors, in bytes.
const LARGEST_SECTOR: u32 = 4096;

/// The last pass of copying.
const SWEEPING: u32 = 5;

/// Good bytes in a row after which a suspect medium counts as healthy the first time. Reading in clusters costs little; a
/// relapse costs a failed read for every piece in flight, and none of them says where.
const TRUST: u64 = 128 * PIECE;

/// So many times longer is the run with every relapse, up to the longest.
const RELAPSE: u64 = 4;
const MOST_TRUST: u64 = 1 << 30;

/// In trimming so many bad sectors in a row are followed: it finds edges, the rest is scraping.
const MOST_BAD: u64 = 16;

/// A read is slow that took this long and gave less than a tenth of the average speed …
const SLOW: Duration = Duration::from_secs(2);

/// … once so much was read.
const KNOWN_SPEED: u64 = 32 * PIECE;

/// How hard to try, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Passes over the bad sectors at the end.
    pub retries: u32,
    /// Whether what lies between bad edges is read sector by sector.
    pub scrape: bool,
    /// Every pass in the other direction.
    pub reverse: bool,
    /// Only these bytes; everything where not given.
    pub domain: Option<Extents>,
    /// Whether what reads slowly is left for later.
    pub leave_slow: bool,
    /// What is read at once on a suspect medium, in bytes.
    pub cluster: u64,
    /// Where an earlier run stood: its stage and position.
    pub resume: Option<(Stage, u64)>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            retries: 0,
            scrape: true,
            reverse: false,
            domain: None,
            leave_slow: false,
            cluster: CLUSTER,
            resume: None,
        }
    }
}

impl Options {
    /// Nothing is skipped and nothing read backwards, for what is expensive in any other order: a few times from the start to the end.
    pub fn forward() -> Options {
        let stage = Stage { phase: Phase::Copying, pass: SWEEPING, backwards: false };
        Options { resume: Some((stage, 0)), ..Options::default() }
    }
}

/// What a read was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Copy,
    /// The next sectors of a failed cluster, in the direction of the walk, up to the first bad one.
    Step,
    /// The rest of a failed cluster behind its damage.
    Rest,
    /// The sector at the other edge.
    Edge,
    /// The next sector where the other edge is known: with it the walk ends.
    Last,
    Retry,
}

/// The walk through what failed.
#[derive(Clone, Copy, Debug)]
struct Walk {
    /// Where the next sector is expected.
    front: u64,
    /// Bad sectors in a row, up to here.
    bad: u64,
    /// Good ones.
    good: u64,
    /// A read of what lies ahead failed, and the sector that is to blame was not met yet.
    unexplained: bool,
    /// There is more damage than the front has met: the other edge comes first.
    edge: bool,
}

/// What was asked for at once, and what became of it.
#[derive(Clone, Copy)]
struct Tried<'a> {
    at: Extent,
    good: u64,
    outcome: &'a Outcome,
    took: Duration,
}

impl Tried<'_> {
    /// What was not read.
    fn failed(&self) -> Extent {
        Extent::between(self.at.offset + self.good, self.at.end())
    }
}

/// No place: the walk begins anew wherever it goes on.
const NOWHERE: u64 = u64::MAX;

/// The passes over one medium.
pub struct Rescue {
    options: Options,
    size: u64,
    sector: u64,
    unit: u64,
    stage: Stage,
    begun: bool,
    /// Where the pass stands: forwards nothing before it is asked for, backwards nothing behind it.
    cursor: u64,
    /// Handed out and not learned of.
    pending: Vec<Extent>,
    /// Left for a later pass.
    skipped: Extent,
    skip: u64,
    /// Good bytes still wanted before the medium counts as healthy; 0 when it does.
    distrust: u64,
    /// How many the next failure asks for.
    trust: u64,
    failed_before: bool,
    walk: Walk,
    /// What the walk goes through.
    run: Extent,
    aim: Aim,
    /// What was handed out last is read in steps of so many bytes.
    step: Option<u64>,
    /// So many good sectors behind bad ones are wanted before the rest of a cluster is read at once.
    patience: u64,
    read: u64,
    took: Duration,
}

impl Rescue {
    /// The rescue of a medium.
    pub fn new(geometry: Geometry, options: Options) -> Rescue {
        // Some drives tell what they like to write as what fails as one.
        let unit =
            u64::from(geometry.physical_sector.clamp(geometry.sector, geometry.sector.max(LARGEST_SECTOR)));
        let sector = u64::from(geometry.sector);
        let (stage, cursor) = options.resume.unwrap_or_default();
        let first_skip = first_skip(geometry.size, sector, options.cluster);
        Rescue {
            options,
            size: geometry.size,
            sector,
            unit,
            stage,
            begun: false,
            cursor,
            pending: Vec::new(),
            skipped: Extent::new(0, 0),
            skip: first_skip,
            distrust: 0,
            trust: TRUST,
            failed_before: false,
            walk: Walk { front: NOWHERE, bad: 0, good: 0, unexplained: false, edge: false },
            run: Extent::new(0, 0),
            aim: Aim::Copy,
            step: None,
            patience: 1,
            read: 0,
            took: Duration::ZERO,
        }
    }

    /// Where the earlier run stood is of use if there still is something to do of that kind, and nothing of an earlier kind.
    fn begin(&mut self, map: &RescueMap) {
        self.begun = true;
        if [Status::NonTrimmed, Status::NonScraped, Status::Bad].iter().any(|status| map.count(*status) > 0) {
            (self.distrust, self.failed_before) = (self.trust, true);
        }
        let any = |status| self.any(map, status);
        let Stage { phase, pass, .. } = self.stage;
        let only_bad = !any(Status::NonTrimmed) && !any(Status::NonScraped);
        let (phase, pass, cursor) = match phase {
            Phase::Copying if any(Status::NonTried) => (phase, pass.clamp(1, SWEEPING), Some(self.cursor)),
            _ if any(Status::NonTried) => (Phase::Copying, 1, None),
            Phase::Retrying if only_bad && pass <= self.options.retries => {
                (phase, pass.max(1), Some(self.cursor))
            }
            _ => (Phase::Copying, SWEEPING, None),
        };
        self.enter(phase, pass);
        // A map that is about to begin stands at 0 in either direction.
        if let Some(cursor) = cursor.filter(|cursor| *cursor > 0) {
            self.cursor = cursor;
        }
    }

    fn enter(&mut self, phase: Phase, pass: u32) {
        let flips = matches!(phase, Phase::Copying | Phase::Retrying) && pass.is_multiple_of(2);
        let backwards = flips != self.options.reverse;
        self.stage = Stage { phase, pass, backwards };
        self.cursor = if backwards { self.size } else { 0 };
        self.skipped = Extent::new(0, 0);
        self.skip = first_skip(self.size, self.sector, self.options.cluster);
        if self.failed_before {
            self.distrust = self.distrust.max(self.trust);
        }
    }

    /// The next stage; false when there is none.
    fn advance(&mut self, map: &RescueMap) -> bool {
        let Stage { phase, pass, .. } = self.stage;
        let (phase, pass) = match phase {
            Phase::Copying if self.any(map, Status::NonTried) => (phase, (pass + 1).min(SWEEPING)),
            Phase::Copying => (Phase::Trimming, 1),
            Phase::Trimming if self.options.scrape => (Phase::Scraping, 1),
            Phase::Trimming | Phase::Scraping => (Phase::Retrying, 1),
            Phase::Retrying => (phase, pass.saturating_add(1)),
            _ => return false,
        };
        if phase == Phase::Retrying && (pass > self.options.retries || !self.any(map, Status::Bad)) {
            self.stage.phase = Phase::Finished;
            return false;
        }
        self.enter(phase, pass);
        true
    }

    /// Whether anything of what is asked for has this status.
    fn any(&self, map: &RescueMap, status: Status) -> bool {
        self.find(map, status, Extent::new(0, self.size), false).is_some()
    }

    /// The first run of this status in `window` that is asked for, the last one when going backwards.
    fn find(&self, map: &RescueMap, status: Status, window: Extent, backwards: bool) -> Option<Extent> {
        let (mut start, mut end) = (window.offset, window.end());
        while start < end {
            let run = if backwards { map.previous(end, status)? } else { map.next(start, status)? };
            let run = run.intersect(Extent::between(start, end));
            if run.is_empty() {
                return None;
            }
            let Some(domain) = &self.options.domain else { return Some(run) };
            let part = if backwards { domain.last_in(run) } else { domain.first_in(run) };
            if part.is_some() {
                return part;
            }
            if backwards { end = run.offset } else { start = run.end() }
        }
        None
    }

    /// The next run of this status from the cursor on, in the direction of the pass.
    fn ahead(&self, map: &RescueMap, status: Status) -> Option<Extent> {
        let window = match self.stage.backwards {
            false => Extent::between(self.cursor, self.size),
            true => Extent::between(0, self.cursor.min(self.size)),
        };
        self.find(map, status, window, self.stage.backwards)
    }

    /// The first of `run` in the direction of the pass, up to the next multiple of `most`.
    fn lead(&self, run: Extent, most: u64) -> Extent {
        if self.stage.backwards { run.last(most) } else { run.first(most) }
    }

    /// Whole sectors: a map that another program made may cut through them.
    fn whole(&self, at: Extent) -> Extent {
        at.align_out(self.sector).intersect(Extent::new(0, self.size))
    }

    /// Where an extent begins in the direction of the pass.
    fn near(&self, at: Extent) -> u64 {
        if self.stage.backwards { at.end() } else { at.offset }
    }

    /// Where it ends.
    fn far(&self, at: Extent) -> u64 {
        if self.stage.backwards { at.offset } else { at.end() }
    }

    /// The run that lies before `at` in the direction of the pass, and the one behind.
    fn beside(&self, map: &RescueMap, at: Extent) -> [Option<(Extent, Status)>; 2] {
        let below = (at.offset > 0).then(|| map.run_at(at.offset - 1));
        let above = (at.end() < self.size).then(|| map.run_at(at.end()));
        if self.stage.backwards { [above, below] } else { [below, above] }
    }

    fn next_copy(&mut self, map: &RescueMap) -> Option<Extent> {
        let mut run = self.ahead(map, Status::NonTried)?;
        if self.skipped.contains(self.lead(run, 1).offset) {
            self.cursor = self.far(self.skipped);
            run = self.ahead(map, Status::NonTried)?;
        }
        let (most, step) = match (self.is_careful(), self.stage.backwards) {
            (true, true) => (self.options.cluster, None),
            (true, false) => (PIECE, Some(self.options.cluster)),
            (false, _) => (PIECE, None),
        };
        self.step = step;
        // To the end of the piece: pieces that are read whole need no second look for their leaf.
        let at = self.whole(self.lead(run, most));
        self.cursor = self.far(at);
        self.aim = Aim::Copy;
        Some(at)
    }

    fn next_walk(&mut self, map: &RescueMap, status: Status) -> Option<Extent> {
        // What was left behind comes around again; every read makes less of it.
        let run = self.ahead(map, status).or_else(|| {
            self.cursor = if self.stage.backwards { self.size } else { 0 };
            self.ahead(map, status)
        })?;
        let trimming = status == Status::NonTrimmed;
        let front = self.near(run);
        let (cluster, step) = (self.lead(run, self.options.cluster), self.lead(run, self.unit));
        let beside = self.beside(map, run).map(|run| run.map(|run| run.1));
        let ends_bad = beside[1] == Some(Status::Bad);
        if self.walk.front != front {
            // A cluster failed as a whole: a bad sector beside it is to blame only if it was a part of it.
            let is_cut = !front.is_multiple_of(self.options.cluster);
            let explained = (is_cut && beside[0] == Some(Status::Bad)) || (cluster == run && ends_bad);
            let good = u64::from(beside[0] == Some(Status::Finished));
            self.walk = Walk { front, bad: 0, good, unexplained: !explained, edge: false };
        }
        let walk = &mut self.walk;
        walk.edge |= trimming && walk.bad >= MOST_BAD;
        (self.aim, self.run) = match (walk.edge, ends_bad) {
            (true, true) => (Aim::Last, run),
            (true, false) => (Aim::Edge, run),
            _ if !walk.unexplained && walk.bad == 0 && walk.good >= self.patience && cluster != step => {
                (Aim::Rest, run)
            }
            _ => (Aim::Step, run),
        };
        self.step = (self.aim == Aim::Step && !self.stage.backwards).then_some(self.unit);
        Some(self.whole(match self.aim {
            Aim::Rest => cluster,
            Aim::Step if self.step.is_some() => self.steps(step, cluster),
            Aim::Edge if self.stage.backwards => run.first(self.unit),
            Aim::Edge => run.last(self.unit),
            _ => step,
        }))
    }

    /// As many sectors of `cluster` from `step` on as are read one by one as long as they are good.
    fn steps(&self, step: Extent, cluster: Extent) -> Extent {
        if self.walk.unexplained && self.walk.bad == 0 {
            return cluster;
        }
        let more = self.patience.saturating_sub(self.walk.good + 1).saturating_mul(self.unit);
        Extent::between(step.offset, step.end().saturating_add(more).min(cluster.end()))
    }

    fn next_retry(&mut self, map: &RescueMap) -> Option<Extent> {
        let run = self.ahead(map, Status::Bad)?;
        let at = self.whole(self.lead(run, self.unit));
        self.cursor = self.far(at);
        (self.aim, self.step) = (Aim::Retry, None);
        Some(at)
    }

    /// Leaves so many bytes from `place` on for a later pass.
    fn leave(&mut self, place: u64, bytes: u64) {
        self.skipped = match self.stage.backwards {
            false => Extent::new(place, bytes),
            true => Extent::between(place.saturating_sub(bytes), place),
        };
    }

    fn skip_from(&mut self, place: u64) {
        let first = first_skip(self.size, self.sector, self.options.cluster);
        self.leave(place, self.skip);
        self.skip = self.skip.saturating_mul(2).min(first.max(self.size / 100));
    }

    /// Whether a good answer came so slowly that the drive had to struggle for it.
    fn was_slow(&mut self, read: &Tried<'_>) -> bool {
        let speed = |bytes: u64, took: Duration| bytes as f64 / took.as_secs_f64();
        let is_slow = self.options.leave_slow
            && self.stage.pass <= 2
            && self.read >= KNOWN_SPEED
            && read.took >= SLOW
            && speed(read.good, read.took) < speed(self.read, self.took) / 10.0;
        self.read = self.read.saturating_add(read.good);
        self.took = self.took.saturating_add(read.took);
        is_slow
    }

    fn learn_step(&mut self, read: &Tried<'_>, map: &RescueMap) -> Vec<(Extent, Status)> {
        match self.aim {
            Aim::Copy => self.learn_copied(read, map),
            // The same again, perhaps for another reason.
            Aim::Retry if !matches!(read.outcome, Outcome::Ok) => vec![(read.failed(), Status::Bad)],
            Aim::Retry => Vec::new(),
            _ => self.learn_walked(read),
        }
    }

    fn learn_copied(&mut self, read: &Tried<'_>, map: &RescueMap) -> Vec<(Extent, Status)> {
        let at = read.at;
        let was_slow = self.was_slow(read);
        if matches!(read.outcome, Outcome::Ok) {
            self.distrust = self.distrust.saturating_sub(at.len);
            if was_slow {
                self.skip_from(self.cursor);
            } else {
                self.skip = first_skip(self.size, self.sector, self.options.cluster);
            }
            return Vec::new();
        }
        if !self.is_careful() && self.failed_before {
            self.trust = self.trust.saturating_mul(RELAPSE).min(MOST_TRUST);
        }
        self.failed_before = true;
        self.distrust = self.trust;
        let (failed, blamed) = (read.failed(), self.blamed(read));
        let mut changes: Vec<(Extent, Status)> =
            blamed.map(|sector| (sector, Status::Bad)).into_iter().collect();
        if at.len > self.options.cluster || blamed.is_some() {
            // The same again, in clusters, or what lies before the bad sector. Several may have failed in flight.
            self.cursor = match self.stage.backwards {
                false => self.cursor.min(failed.offset),
                true => self.cursor.max(failed.end()),
            };
        }
        if at.len > self.options.cluster {
            return changes;
        }
        let rest = blamed.map_or(failed, |sector| Extent::between(sector.end(), failed.end()));
        changes.push((rest, Status::NonTrimmed));
        let end = self.far(failed);
        match self.stage.pass {
            1 => self.skip_from(end),
            SWEEPING => {}
            // The rest of this gap is another pass's.
            _ => {
                if let [_, Some((gap, Status::NonTried))] = self.beside(map, failed) {
                    let rest = self.far(gap).abs_diff(end);
                    self.leave(end, rest);
                }
            }
        }
        changes
    }

    /// The sector that is bad beyond doubt: it failed alone, or the drive named it.
    fn blamed(&self, read: &Tried<'_>) -> Option<Extent> {
        let (at, failed) = (read.at, read.failed());
        if at.offset / self.unit == (at.end() - 1) / self.unit {
            return Some(failed);
        }
        match read.outcome {
            Outcome::Medium { first_bad: Some(place), .. } if failed.contains(*place) => {
                Some(Extent::new(*place, 1).align_out(self.unit).intersect(failed))
            }
            _ => None,
        }
    }

    fn learn_walked(&mut self, read: &Tried<'_>) -> Vec<(Extent, Status)> {
        let is_good = matches!(read.outcome, Outcome::Ok);
        let (at, failed) = (read.at, read.failed());
        let blamed = if is_good { None } else { self.blamed(read) };
        let mut changes: Vec<(Extent, Status)> =
            blamed.map(|sector| (sector, Status::Bad)).into_iter().collect();
        // Both edges are known: between them it is scraping.
        if self.aim == Aim::Last || (self.aim == Aim::Edge && !is_good) {
            let (below, above) =
                (Extent::between(self.run.offset, at.offset), Extent::between(at.end(), self.run.end()));
            changes.extend([below, above].map(|rest| (rest, Status::NonScraped)));
            self.walk.front = NOWHERE;
            return changes;
        }
        if self.aim == Aim::Edge {
            return changes;
        }
        let (near, far) = (self.near(at), self.far(at));
        let walk = &mut self.walk;
        match (self.aim, is_good) {
            (aim, true) => {
                (walk.bad, walk.good) = (0, walk.good + at.len.div_ceil(self.unit));
                if aim == Aim::Rest {
                    self.patience = (self.patience / 2).max(1);
                }
                walk.front = far;
            }
            // What lies before the named sector is good.
            (Aim::Rest, _) if blamed.is_some() => {
                walk.front = if self.stage.backwards { NOWHERE } else { near }
            }
            (Aim::Rest, _) => {
                self.patience = self.patience.saturating_mul(2).min(self.options.cluster / self.unit + 1);
                (walk.good, walk.unexplained) = (0, true);
                if read.good > 0 && !self.stage.backwards {
                    walk.front = failed.offset;
                } else {
                    walk.edge = self.stage.phase == Phase::Trimming;
                }
            }
            _ => {
                (walk.bad, walk.good, walk.unexplained) = (walk.bad + 1, 0, false);
                walk.front = far;
            }
        }
        if walk.front == far {
            self.cursor = far;
            // The next cluster failed by itself.
            walk.unexplained |= far.is_multiple_of(self.options.cluster);
        }
        changes
    }
}

impl Strategy for Rescue {
    fn next(&mut self, map: &RescueMap) -> Option<Extent> {
        if !self.begun {
            self.begin(map);
        }
        loop {
            let at = match self.stage.phase {
                Phase::Copying => self.next_copy(map),
                Phase::Trimming => self.next_walk(map, Status::NonTrimmed),
                Phase::Scraping => self.next_walk(map, Status::NonScraped),
                Phase::Retrying => self.next_retry(map),
                _ => None,
            };
            if let Some(at) = at {
                self.pending.push(at);
                return Some(at);
            }
            // What is in flight still looks untried, and may fail.
            if !self.pending.is_empty() || !self.advance(map) {
                return None;
            }
        }
    }

    fn learn(&mut self, at: Extent, read: &Read, map: &RescueMap) -> Vec<(Extent, Status)> {
        self.pending.retain(|asked| asked.offset != at.offset);
        let mut tried = Tried { at, good: read.good, outcome: &read.outcome, took: read.took };
        let last = self.step.map_or(at, |step| at.last(step));
        if self.step.is_some() && self.aim == Aim::Copy {
            // It may have ended before what was asked for did.
            self.cursor = self.far(at);
        }
        if last != at && !matches!(read.outcome, Outcome::Ok) {
            // Those before the last one were good; it is the last one that took its time.
            let len = last.offset - at.offset;
            let took = Duration::ZERO;
            let before = Tried { at: Extent::new(at.offset, len), good: len, outcome: &Outcome::Ok, took };
            self.learn_step(&before, map);
            tried = Tried { at: last, good: read.good.saturating_sub(len), ..tried };
        }
        self.learn_step(&tried, map)
    }

    fn step(&self) -> Option<u64> {
        self.step
    }

    fn stage(&self) -> Stage {
        self.stage
    }

    fn passes(&self) -> u32 {
        match self.stage.phase {
            Phase::Copying => SWEEPING,
            Phase::Retrying => self.options.retries,
            _ => 1,
        }
    }

    fn is_careful(&self) -> bool {
        self.stage.phase != Phase::Copying || self.distrust > 0
    }
}

fn first_skip(size: u64, sector: u64, cluster: u64) -> u64 {
    cluster.max(size / 100_000).next_multiple_of(sector.max(1))
}

#[cfg(test)]
mod tests;
