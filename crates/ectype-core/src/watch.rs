//! What a run tells while it runs, and how it is asked to stop.

use crate::io::Content;
use crate::plan::map::{self, Cell, RescueMap, Stage, Status};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The picture of the map is redrawn at most this often; counting runs of a torn map costs.
const REDRAW: Duration = Duration::from_millis(100);

/// Cells of the one-line picture.
const CELLS: usize = 40;

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing yet.
    #[default]
    Starting,
    /// Making snapshots of volumes in use.
    Snapshot,
    /// Reading the source into the image.
    Copying,
    /// Reading the source again after an interruption, to find what changed.
    Comparing,
    /// Finding the edges of what failed.
    Trimming,
    /// Reading between the edges, sector by sector.
    Scraping,
    /// Reading bad sectors once more.
    Retrying,
    /// Computing from the image what could not be computed on the way.
    Proving,
    /// Reading source or image to compare.
    Verifying,
    /// Making the image durable.
    Finishing,
}

impl Phase {
    /// The stable name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Snapshot => "snapshot",
            Phase::Copying => "copying",
            Phase::Comparing => "comparing",
            Phase::Trimming => "trimming",
            Phase::Scraping => "scraping",
            Phase::Retrying => "retrying",
            Phase::Proving => "proving",
            Phase::Verifying => "verifying",
            Phase::Finishing => "finishing",
        }
    }
}

/// A snapshot of a run.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Bytes that need no more work in this phase.
    pub done: u64,
    /// Bytes that this phase is about.
    pub total: u64,
    /// Bytes that could not be read so far.
    pub unreadable: u64,
    /// How many areas those are.
    pub areas: usize,
    /// In which pass of the phase, from 1; 0 in phases without passes.
    pub pass: u32,
    /// How many passes there are at most.
    pub passes: u32,
    /// Whether the pass goes from the end to the start.
    pub backwards: bool,
    /// In trimming and scraping: areas of that kind that are done, and how many there were.
    pub walked: Option<(usize, usize)>,
    /// When the medium last gave anything.
    pub last_success: Option<Instant>,
    /// The map in one line; empty in phases without one.
    pub picture: Vec<Cell>,
}

/// Shared between a run and whoever watches it.
#[derive(Debug, Default)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    /// Bytes known without reading, for forecasts that should not count them as speed.
    known: AtomicU64,
    state: Mutex<(Progress, Option<Instant>)>,
    /// Phases that are over and that nobody has asked for yet.
    ended: Mutex<Vec<Progress>>,
    /// What is worth a line of its own, likewise.
    said: Mutex<Vec<String>>,
}

impl Watch {
    /// Nobody has asked for anything yet.
    pub fn new() -> Watch {
        Watch::default()
    }

    /// Asks the run to stop in order. May be called from a signal handler's thread, and more than once.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// The wish to stop, for what outlives the run.
    pub(crate) fn wish(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Whether the run was asked to stop.
    pub fn stop_asked(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// How it stands.
    pub fn progress(&self) -> Progress {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// How the phases stood that ended since this was last asked: a short one is over before anybody looks.
    pub fn take_ended(&self) -> Vec<Progress> {
        std::mem::take(&mut self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says something that is worth a line of its own.
    pub fn say(&self, text: String) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// What was said since this was last asked.
    pub fn take_said(&self) -> Vec<String> {
        std::mem::take(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes of holes and unused space that were skipped so far.
    pub fn known(&self) -> u64 {
        self.known.load(Ordering::Relaxed)
    }

    /// Enters a phase of `total` bytes.
    pub(crate) fn enter(&self, phase: Phase, total: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Progress { unreadable, last_success, .. } = state.0;
        if state.0.phase != Phase::Starting {
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).push(state.0.clone());
        }
        *state = (Progress { phase, total, unreadable, last_success, ..Progress::default() }, None);
    }

    /// `done` bytes of the phase are done.
    pub(crate) fn done(&self, done: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.done = done;
    }

    pub(crate) fn add_known(&self, content: Content, bytes: u64) {
        if content != Content::Data {
            self.known.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Enters a stage of a rescue: its phase, where that is one of its own, is about the bytes that have a status now.
    pub(crate) fn enter_stage(&self, stage: Stage, passes: u32, map: &RescueMap) {
        let about = match stage.phase {
            map::Phase::Trimming => Some((Phase::Trimming, Status::NonTrimmed)),
            map::Phase::Scraping => Some((Phase::Scraping, Status::NonScraped)),
            map::Phase::Retrying => Some((Phase::Retrying, Status::Bad)),
            map::Phase::Finished => return,
            // Its caller knows whether it copies, compares or verifies.
            _ => None,
        };
        if let Some((phase, status)) = about {
            self.enter(phase, map.bytes(status));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = &mut state.0;
        (progress.pass, progress.passes, progress.backwards) = (stage.pass, passes, stage.backwards);
        progress.walked = match progress.phase {
            Phase::Trimming => Some((0, map.count(Status::NonTrimmed))),
            Phase::Scraping => Some((0, map.count(Status::NonScraped))),
            _ => None,
        };
        drop(state);
        self.update(map, true);
    }

    /// The medium gave something.
    pub(crate) fn succeeded(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.last_success = Some(Instant::now());
    }

    pub(crate) fn update(&self, map: &RescueMap, now: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (progress, drawn) = &mut *state;
        let untried = map.bytes(Status::NonTried);
        let left = |status| progress.total.saturating_sub(map.bytes(status));
        progress.done = match progress.phase {
            Phase::Trimming => left(Status::NonTrimmed),
            Phase::Scraping => left(Status::NonScraped),
            Phase::Retrying => left(Status::Bad),
            _ => map.size() - untried,
        };
        if let Some((done, all)) = &mut progress.walked {
            let left = match progress.phase {
                Phase::Trimming => map.count(Status::NonTrimmed),
                _ => map.count(Status::NonScraped),
            };
            // What a drive names in the middle of an area makes two of it.
            *all = (*all).max(left);
            *done = *all - left;
        }
        progress.areas = [Status::NonTrimmed, Status::NonScraped, Status::Bad]
            .iter()
            .map(|status| map.count(*status))
            .sum();
        progress.unreadable = map.size() - untried - map.bytes(Status::Finished);
        if now || drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
            progress.picture = map.picture(CELLS);
            *drawn = Some(Instant::now());
        }
    }
}
