//! The engine: one reader, packers, one committer.
//!
//! ```text
//!  reader ──── order queue: step, or a one-shot of the packed block ────► committer ──► sink
//!    │ owns source, strategy, map                                            │ owns sink and ledger
//!    └──── work queue: block ──► packers (zero test, leaf) ──── one-shot ────┤
//!                                                                            └─► a thread per linear digest
//!         pool: a fixed number of buffers; the last owner's drop returns one, and that is the only back-pressure
//! ```
//!
//! Order comes from the queue of one-shots in reading order, so there is no reorder buffer, and the oldest block is always
//! already with a packer, so nothing can wait in a circle. Zero and unused runs never become buffers. The reader's map says
//! what was *tried*, the ledger's what is *held*; at the end they must be equal.
//!
//! While the medium is healthy several reads are in flight. After a failure the engine drains them and asks whether the
//! device lives; then one read is in flight for as long as the strategy calls the medium suspect.

mod committer;
mod pipeline;
mod pool;
mod reader;

use crate::error::{Error, Kind, Result};
use crate::image::{Placement, Sink};
use crate::plan::Strategy;
use crate::plan::map::RescueMap;
use crate::proof::digest::Algorithm;
use crate::proof::ledger::Ledger;
use crate::source::Source;
use crate::watch::Watch;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The knobs of the engine. The defaults suit every machine; tests turn them.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Reads in flight while the medium is healthy.
    pub depth: usize,
    /// Buffers of one piece each: with those that the sink keeps, what bounds the memory.
    pub buffers: usize,
    /// Threads that test for zeros and hash.
    pub packers: usize,
    /// At least this often what was copied is made durable and recorded.
    pub checkpoint_every: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Tuning { depth: 4, buffers: 8, packers: cores.min(4), checkpoint_every: Duration::from_secs(30) }
    }
}

/// When to give up, in order and resumable.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// More failed reads than these end the run.
    pub errors: Option<u64>,
    /// So long a run may take.
    pub time: Option<Duration>,
}

/// What is to be copied, from where to where.
pub struct Job<'a> {
    /// The medium.
    pub source: &'a mut dyn Source,
    /// In which order it is read.
    pub strategy: &'a mut dyn Strategy,
    /// The image.
    pub sink: &'a mut dyn Sink,
    /// Whether the image is fed in order also where it takes any, as when it goes down a pipe.
    pub in_order: bool,
    /// What of the image is held: where a resumed copy goes on.
    pub ledger: &'a mut Ledger,
    /// Linear digests to take on the way.
    pub digests: &'a [Algorithm],
    /// The knobs.
    pub tuning: Tuning,
    /// When to give up.
    pub limits: Limits,
    /// Where progress is told and a stop is asked for.
    pub watch: &'a Watch,
}

/// What a copy came to.
#[derive(Debug)]
pub struct Copied {
    /// Bytes that were read from the medium, zeros among them.
    pub read: u64,
    /// Linear digests; `None` for one that must be computed from the image, because not every byte came once and in order.
    pub digests: Vec<(Algorithm, Option<String>)>,
    /// Why the copy ended before its strategy did: a vanished device, a full target, a protected sector, a wish to stop.
    /// What was copied until then is durable and recorded.
    pub stopped: Option<Error>,
    /// It ended because the source is damaged and the image is written in order.
    pub damaged: bool,
}

/// Copies. An error means that not even the state of an ordered stop could be recorded; what the last checkpoint recorded
/// still holds.
pub fn copy(job: Job<'_>) -> Result<Copied> {
    // What the sink keeps must not be missing to the reader.
    let tuning = Tuning { buffers: job.tuning.buffers + job.sink.keeps(), ..job.tuning };
    let mut map: RescueMap = job.ledger.map().clone();
    let watch = job.watch;
    let takers = committer::Digests::start(job.digests, tuning.buffers, watch);
    let leaves = job.ledger.wants_leaves().then(|| map.size());
    let packer = job.sink.packer();
    let placement = if job.in_order { Placement::InOrder } else { job.sink.placement() };
    let gone = AtomicBool::new(false);
    let (reader_end, committed) = std::thread::scope(|scope| {
        let (steps, arrivals) = crossbeam_channel::bounded(tuning.buffers * 2);
        let nothing_read =
            |error| (reader::ReaderEnd { read: 0, stopped: Some(no_thread(error)), damaged: false }, Ok(()));
        let belt = match pipeline::Belt::start(scope, &tuning, leaves, packer, steps, &gone) {
            Ok(belt) => belt,
            Err(error) => return nothing_read(error),
        };
        let reading =
            reader::Reader::new(job.source, job.strategy, &mut map, belt, &tuning, job.limits, watch)
                .placing(placement);
        let thread = std::thread::Builder::new().name("ectype-copy".into());
        let reader = match thread.spawn_scoped(scope, move || reading.run()) {
            Ok(reader) => reader,
            Err(error) => return nothing_read(error),
        };
        let ends = Ends(&gone);
        let committed = committer::commit(job.sink, job.ledger, &takers, arrivals, tuning.checkpoint_every);
        drop(ends);
        let reader_end = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (reader_end, committed)
    });
    // A wish that came when everything was asked for may still have cut off a digest.
    let reader_stopped = reader_end.stopped.or_else(|| watch.stop_asked().then(Error::interrupted));
    let digests = takers.finish(job.ledger.map().size(), reader_stopped.is_none() && committed.is_ok());
    let stopped = match (committed, reader_stopped) {
        (Err(error), _) => {
            // The sink failed: whatever it holds is recorded as far as it can still be made durable.
            let _ = job.sink.checkpoint().and_then(|()| job.ledger.checkpoint());
            Some(error)
        }
        (Ok(()), stopped) => {
            assert!(*job.ledger.map() == map, "what is held is what was tried");
            let saved = job.sink.checkpoint().and_then(|()| job.ledger.checkpoint());
            // What was left unscraped may be held from an earlier run: then it is no more given up than what is bad.
            let lost = || job.ledger.given_up().map(committer::lost);
            saved.err().or(stopped).or_else(lost)
        }
    };
    Ok(Copied { read: reader_end.read, digests, damaged: reader_end.damaged && stopped.is_some(), stopped })
}

/// Says that the committer has ended, also when it panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A limit on processes, or memory: what was copied before still counts.
fn no_thread(error: std::io::Error) -> Error {
    Error::new(Kind::Limit, "the system starts no further thread").because(error)
}
