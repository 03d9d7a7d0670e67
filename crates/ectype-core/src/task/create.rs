//! `create`: makes an image of a device, or of a file's bytes.
//!
//! ```text
//!   prepare   find, lock and identify the source; survey the target; plan      (touches nothing)
//!   run       state and map ─► image ─► copy ─► prove ─► record ─► map and state removed
//! ```
//!
//! The order in which files appear and go is what makes the same command safe to repeat: map and state exist before the
//! image, and the record before they go. A crash anywhere leaves something that the next run understands.

mod begin;
mod outcome;
mod planning;
mod snapshots;
mod stream;

pub use outcome::{Ended, Outcome};
pub use planning::refuse_early;

use self::outcome::{missing_extents, only_parts, packing, run_out};
use self::planning::{open_base, plan_placement, spec, worst_case, wrap};
use super::open::{self, Consistency, How, Images, Opened, Purpose, changed};
use super::target::{Files, RunFacts, Target, map_text, refuse_device, survey};
use super::verify;
use crate::copy::{Copied, Job, Limits, Tuning, copy};
use crate::error::{Error, Kind, Result, word};
use crate::extent::{Extent, Extents};
use crate::fs;
use crate::image::{Format, Image, Placement, Spec};
use crate::io::ReadAt;
use crate::os::{Device, Medium};
use crate::plan::map::{END_OF_SPACE, MapFile, RescueMap, Status};
use crate::plan::policy;
use crate::plan::rescue::{self, Rescue};
use crate::proof::digest::Algorithm;
use crate::proof::identity::Identity;
use crate::proof::ledger::{Ledger, Recorded};
use crate::proof::record::{
    self, ByteCounts, ImageFacts, Missing, PartFacts, PlanFacts, Range, Record, TreeFacts,
};
use crate::proof::tree::Tree;
use crate::source::snapshot::{Own, System};
use crate::source::{Geometry, Source};
use crate::watch::{Phase, Watch};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What to make an image of, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A device, a mount point or a file.
    pub source: PathBuf,
    /// The image; named after the medium where it is not given.
    pub image: Option<PathBuf>,
    /// The folder of an image that is not named.
    pub folder: PathBuf,
    /// The format; by extension or medium where it is not given.
    pub format: Option<&'static Format>,
    /// The kind within the format; the format's own choice where it is not given.
    pub subformat: Option<String>,
    /// How the image is compressed; the format's own choice where it is not given.
    pub compress: Option<Compress>,
    /// A volume stays bare where it would be wrapped in a partition table.
    pub bare: bool,
    /// The image goes down a pipe ([`Prepared::stream`]): nothing lies beside it, and nothing goes on with it.
    pub stream: bool,
    /// Only what differs from this image is stored.
    pub base: Option<PathBuf>,
    /// The source is an image, of which the content is wanted and not the bytes of its file.
    pub images: Option<Images>,
    /// Linear digests; by medium where not given.
    pub hashes: Option<Vec<Algorithm>>,
    /// The consistency that the user insists on.
    pub consistency: Option<Consistency>,
    /// An image of what BitLocker protects may be unprotected.
    pub decrypted: bool,
    /// What makes snapshots; the system's own where not given.
    pub system: Option<Arc<dyn System>>,
    /// Files that programs have open on the source are taken from them, where that can be done.
    pub unmount: bool,
    /// Where the map is kept; beside the image where not given. One that was given is never removed.
    pub map: Option<PathBuf>,
    /// Discard an unfinished image.
    pub restart: bool,
    /// Replace a finished image.
    pub overwrite: bool,
    /// Believe the map of a medium that may have changed.
    pub trust_map: bool,
    /// Read the source again and compare.
    pub verify: bool,
    /// Do not look at the target's room.
    pub no_space_check: bool,
    /// Only plan: nothing is locked or written.
    pub dry_run: bool,
    /// Which parts are wanted.
    pub parts: Parts,
    /// How hard to try on damage.
    pub rescue: rescue::Options,
    /// When to give up.
    pub limits: Limits,
    /// When the image says that it was begun, in seconds since 1970. Then its identity is no chance either: the same source under
    /// the same name becomes the same bytes.
    pub epoch: Option<u64>,
    /// For the map's comments.
    pub command_line: String,
    /// The knobs of the engine.
    pub tuning: Tuning,
}

/// How an image is compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compress {
    /// `none`, `zlib`, `zstd`.
    pub kind: String,
    /// The compressor's level, where one was asked for.
    pub level: Option<i32>,
}

/// Which parts of a medium are wanted.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// A map: only what it calls finished.
    pub domain: Option<PathBuf>,
    /// Only from here on.
    pub offset: u64,
    /// Only so many bytes; to the end where not given.
    pub size: Option<u64>,
}

impl Parts {
    /// The bytes of a medium of `size` bytes; `None` for all.
    fn of(&self, size: u64, sector: u64) -> Result<Option<Extents>> {
        let window = Extent::new(self.offset, self.size.unwrap_or(u64::MAX)).intersect(Extent::new(0, size));
        let mut parts: Extents = [window].into_iter().collect();
        if let Some(path) = &self.domain {
            let map = MapFile::parse(&map_text(path)?).map_err(|error| error.in_file(path))?.map;
            let wanted = map.extents(Status::Finished);
            let end = wanted.iter().next_back().map_or(0, Extent::end);
            // A map that knows no end claims all that there is.
            if end > size.next_multiple_of(sector.max(512)) && end < END_OF_SPACE {
                let context = format!(
                    "{} is the map of another medium: it has bytes up to {end}, and the source only {size}",
                    path.display()
                );
                return Err(Error::new(Kind::Changed, context).advise("look at --domain"));
            }
            parts = parts.intersect(&wanted);
        }
        if parts.covers(Extent::new(0, size)) {
            return Ok(None);
        }
        if parts.is_empty() {
            return Err(Error::refused("nothing of the source is asked for")
                .advise("look at --domain, --offset and --size"));
        }
        let whole: Extents = [Extent::new(0, size)].into_iter().collect();
        Ok(Some(parts.align_out(sector).intersect(&whole)))
    }
}

/// What will be done, and why.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The source.
    pub source: Identity,
    /// What is on it.
    pub volumes: Vec<fs::Facts>,
    /// The device; `None` for a file.
    pub device: Option<Device>,
    /// How many data tracks the disc has, for an optical medium.
    pub tracks: Option<usize>,
    /// The image.
    pub image: PathBuf,
    /// It goes down a pipe, and has no name.
    pub stream: bool,
    /// Its format.
    pub format: &'static Format,
    /// What the image will be like.
    pub spec: Spec,
    /// `disk`, `volume` or `file`.
    pub scope: &'static str,
    /// What keeps the source from changing.
    pub consistency: Consistency,
    /// Linear digests that will be taken.
    pub hashes: Vec<Algorithm>,
    /// Encrypted volumes whose image will not be: somebody has to agree, see [`Prepared::decrypt`].
    pub decrypts: Vec<String>,
    /// Where the content comes from, part by part, once snapshots are made.
    pub parts: Vec<PartFacts>,
    /// Reasons, a line each.
    pub why: Vec<String>,
    /// The most bytes that the image can take on the target.
    pub worst_case: u64,
    /// The longest that its file can become.
    pub longest: u64,
    /// Where the volume lies in the image that is a disk around it.
    pub wrapped: Option<Extent>,
    /// The room on the target, where it is known.
    pub available: Option<u64>,
    /// Bytes that an earlier run already holds, where there is one to go on with.
    pub held: Option<u64>,
    /// Whether what is held has to be read again and compared.
    pub compare: bool,
    /// Bytes that an earlier run tried and could not read.
    pub failed: u64,
}

/// A source that is open and a plan for it.
pub struct Prepared {
    options: Options,
    opened: Opened,
    base: Option<Opened>,
    plan: Plan,
    files: Files,
    /// What the table around a volume is made of.
    table_seed: Option<[u8; 32]>,
    /// How long that took: a sick medium may be slow to tell what it is.
    took: Duration,
}

/// Opens the source, surveys the target, and makes the plan. Touches nothing.
pub fn prepare(options: Options) -> Result<Prepared> {
    let begun = Instant::now();
    match &options.image {
        _ if options.stream => stream::refuse(&options)?,
        Some(image) => refuse_device(image)?,
        None => {}
    }
    let system = options.system.clone().unwrap_or_else(|| Arc::new(Own));
    let purpose = if options.dry_run { Purpose::Plan } else { Purpose::Copy };
    let how = How { consistency: options.consistency, purpose, unmount: options.unmount };
    let opened = match &options.images {
        Some(images) => {
            let opened = open::open_image(&options.source, images)?;
            verify::refuse_another_size(&options.source, &opened)?;
            opened
        }
        None => open::open_by(&options.source, how, &system)?,
    };
    let mut why = opened.why.clone();
    let (format, reasons) = match options.stream {
        true => stream::format(opened.medium, options.format)?,
        false => policy::format(opened.medium, options.format, options.image.as_deref())?,
    };
    why.extend(reasons);
    let image = match &options.image {
        _ if options.stream => stream::NAME.into(),
        Some(image) => image.clone(),
        None => policy::name(
            opened.medium,
            format,
            &opened.identity.volumes,
            &opened.identity.model,
            &options.folder,
        )?,
    };
    if !options.stream {
        refuse_device(&image)?;
    }
    if let Some(snapshots) = opened.snapshot.as_ref().filter(|_| !options.stream) {
        snapshots.layout.refuse_target(&image)?;
    }
    let files = Files::new(image, options.map.clone());
    let (opened, wrapped) = wrap(opened, &options, format, &files)?;
    why.extend(wrapped.as_ref().map(|wrapped| wrapped.why.clone()));
    let geometry = opened.geometry();
    let mut options = options;
    options.rescue.domain = options.parts.of(geometry.size, geometry.sector.into())?;
    if let Some(domain) = &options.rescue.domain {
        why.push(format!("only {} of {} bytes are asked for", domain.bytes(), geometry.size));
    }
    if let Some(device) = &opened.device {
        match &device.whole {
            Some(whole) => why.push(format!("one volume of {}; for all of it name that", whole.display())),
            None if opened.medium != Medium::Optical => why.push("the whole disk, every sector".to_owned()),
            None => {}
        }
        if opened.medium == Medium::Fixed {
            why.push("all blocks: used blocks only are not in this version".to_owned());
        }
    }
    let base = options.base.as_deref().map(|base| open_base(base, &options, format, geometry)).transpose()?;
    let (spec, longest) =
        spec(&options, format, geometry, base.as_ref().and_then(Opened::image), &files.image)?;
    if let Some(base) = &options.base {
        why.push(format!(
            "only what differs from {} is stored; without that file the image is nothing",
            base.display()
        ));
    }
    let in_order = plan_placement(format, &spec) == Placement::InOrder;
    if in_order && (options.rescue.domain.is_some() || options.rescue.reverse) {
        let context = format!("{} images of this kind are written in order, from start to end", format.name);
        return Err(Error::refused(context).advise("leave out --domain, --offset, --size and --reverse"));
    }
    let hashes = match &options.hashes {
        Some(hashes) => hashes.clone(),
        None if matches!(opened.medium, Medium::Optical | Medium::Removable) => vec![Algorithm::Sha256],
        None => Vec::new(),
    };
    if !options.dry_run && !options.stream {
        files.clear_leftover();
    }
    let target = match options.stream {
        true => Target::Nothing,
        false => survey(&files, &options, &opened, base.as_ref())?,
    };
    let mut consistency = opened.consistency;
    let (held, compare, failed) = match &target {
        Target::Nothing => (None, false, 0),
        Target::Unfinished(unfinished) if in_order && unfinished.compare => {
            let but = if options.images.is_some() { "" } else { " (--trust-map goes on)" };
            why.push(format!(
                "the source may have been written to since the earlier run, and what is written in order is not mended: begun anew{but}"
            ));
            (None, false, 0)
        }
        Target::Unfinished(unfinished) => {
            unfinished.refuse_other(format, &spec, &files)?;
            if unfinished.foreign {
                consistency = Consistency::None;
                why.push(match unfinished.left {
                    None => "the map came without the state of its run: that it is of this medium is not proven",
                    Some(_) => "another program went on with the map: what it holds is taken on its word",
                }.to_owned());
            }
            if unfinished.trusted {
                consistency = Consistency::None;
                why.push(
                    "gone on with on your word (--trust-map): that nothing was written since is not proven"
                        .to_owned(),
                );
            }
            let failed = missing_extents(&unfinished.map).bytes();
            (Some(unfinished.held().bytes()), unfinished.compare, failed)
        }
    };
    if compare {
        // Of an image nothing is left to the user's word.
        let but = if options.images.is_some() { "" } else { " (--trust-map leaves that out)" };
        let is_foreign = matches!(&target, Target::Unfinished(unfinished) if unfinished.is_of_another());
        let reason = match is_foreign {
            true => "another program has changed the map since the earlier run: what it holds",
            false => "the source may have been written to since the earlier run: it",
        };
        why.push(format!("{reason} is read again, and only what differs is rewritten{but}"));
    }
    let worst_case = worst_case(&opened, format, &spec, longest)?;
    let plan = Plan {
        source: opened.identity.clone(),
        volumes: opened.volumes.clone(),
        device: opened.device.clone(),
        tracks: opened.toc.as_ref().map(|toc| toc.tracks.len()),
        image: files.image.clone(),
        stream: options.stream,
        format,
        spec,
        longest,
        wrapped: wrapped.as_ref().and_then(|wrapped| wrapped.volume),
        scope: opened.scope(),
        consistency,
        hashes,
        decrypts: opened.decrypts.clone(),
        parts: Vec::new(),
        why,
        // A pipe has no holes.
        worst_case: if options.stream { longest } else { worst_case },
        available: None,
        held,
        compare,
        failed,
    };
    let table_seed = wrapped.and_then(|wrapped| wrapped.seed);
    let mut prepared = Prepared { options, opened, base, plan, files, table_seed, took: Duration::ZERO };
    prepared.check_room()?;
    prepared.took = begun.elapsed();
    Ok(prepared)
}

impl Prepared {
    /// What will be done.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Puts something between the medium and the copy, as a demonstration or a test does with faults of its own.
    pub fn through(mut self, layer: impl FnOnce(Box<dyn Source>) -> Box<dyn Source>) -> Prepared {
        self.opened.source = layer(self.opened.source);
        // A layer may make a disc of a file, whose own unit is the byte.
        let sector = self.opened.geometry().sector;
        if sector > 1 {
            self.opened.identity.sector_size = sector;
            self.plan.source.sector_size = sector;
        }
        self
    }

    /// Carries out the plan.
    pub fn run(mut self, watch: &Watch) -> Result<Outcome> {
        let called = Instant::now();
        let begun = called.checked_sub(self.took).unwrap_or(called);
        // The user's time runs since the medium was asked first.
        let left = |time: Duration| time.saturating_sub(begun.elapsed());
        self.options.limits.time = self.options.limits.time.map(left);
        let state = self.files.lock_state()?;
        let is_new = state.size() == 0;
        // Between plan and lock another run may have been at work.
        let target = match survey(&self.files, &self.options, &self.opened, self.base.as_ref()) {
            Ok(target) => target,
            Err(error) => {
                if is_new {
                    self.files.remove_state();
                }
                return Err(error);
            }
        };
        let target = match target {
            // Nothing of it can be used: see the plan.
            Target::Unfinished(unfinished) if unfinished.compare && self.in_order() => Target::Nothing,
            target => target,
        };
        if let Err(error) = self.take_snapshots(watch) {
            if is_new {
                self.files.remove_state();
            }
            return Err(error);
        }
        let had_map = self.files.map.exists();
        let mut facts = self.facts();
        let map_before = match &target {
            Target::Unfinished(unfinished) => {
                // What is read again from the start begins at the start.
                self.options.rescue.resume = (!unfinished.compare).then_some(unfinished.stage);
                Some(unfinished.map.clone())
            }
            Target::Nothing => None,
        };
        let resumed = map_before.is_some();
        // Keeps the lock while what could not begin is cleared away.
        let _lock = state.file().try_clone();
        let begun_with = self.begin(target, Box::new(state), &mut facts, watch);
        if is_new && resumed && begun_with.is_err() {
            self.files.remove_state();
        }
        let (ledger, image) = match (begun_with, map_before) {
            (Ok(begun), _) => begun,
            // No room even to go on: what is held stays held.
            (Err(error), Some(map)) if error.kind() == Kind::Limit => {
                let known = Recorded { map, zeros: 0, unwritten: Extents::new() };
                return Ok(self.outcome(Ended::Stopped(error), &known, resumed, begun));
            }
            (Err(error), before) => {
                if before.is_none() {
                    self.files.abandon(had_map);
                }
                return Err(error);
            }
        };
        if facts.unproven {
            self.plan.consistency = Consistency::None;
        }
        let mut run = Run { ledger, image, facts, resumed };
        let ended = self.copy(&mut run, watch).and_then(|copied| {
            let read = copied.read;
            self.settle(&mut run, copied, watch).map(|settled| (settled, read))
        });
        let (settled, read_now) = match ended {
            Ok(settled) => settled,
            Err(failed) => {
                let error = match failed {
                    // What the image should hold and does not, no repetition mends.
                    Failed::ForGood(error) => return Err(error),
                    Failed::Damaged(error) => self.two_steps(error),
                    Failed::Resumable(error) => error,
                };
                // Not what is in the image but what the next run will know of.
                let recorded = run.ledger.recorded().expect("the ledger of an image has a state file");
                return Ok(self.outcome(Ended::Stopped(error), recorded, resumed, begun));
            }
        };
        assert!(
            run.ledger.map().bytes(Status::NonTried) == 0,
            "a sweep that came to its end tried everything"
        );
        // What the image that is converted does not hold, its copy does not hold either.
        let unreadable = missing_extents(run.ledger.map()).union(&self.opened.unread);
        let status = if unreadable.is_empty() { Ended::Whole } else { Ended::Incomplete };
        let known = Recorded {
            map: run.ledger.map().clone(),
            zeros: run.ledger.zeros(),
            unwritten: run.ledger.unwritten().clone(),
        };
        let not_recorded = self.is_not_recorded(&run.ledger, &settled.tree);
        if not_recorded {
            self.plan.why.push(format!("{} was not what its own record says", self.plan.source.path));
        }
        let mut outcome = self.outcome(status, &known, resumed, begun);
        outcome.run_out = settled.run_out;
        outcome.not_recorded = not_recorded;
        outcome.read_now = read_now;
        let record = self.record(&run.facts, &outcome, &settled);
        if let Err(error) = record.save(&self.files.image, self.plan.format.is_bytes) {
            outcome.status = Ended::Stopped(error);
            return Ok(outcome);
        }
        let Settled { tree, mut digests, .. } = settled;
        outcome.record = Some(record::path_of(&self.files.image));
        digests.insert("tree".to_owned(), tree.root.to_string());
        outcome.digests = digests;
        if missing_extents(run.ledger.map()).is_empty() {
            self.files.remove_companions()?;
            outcome.map = self.files.keep_map.then(|| self.files.map.clone());
        }
        if self.options.verify {
            let images =
                Images { format: Some(self.plan.format), ..self.options.images.clone().unwrap_or_default() };
            let compared = open::open_image(&self.files.image, &images).and_then(|image| {
                let tuning = self.options.tuning;
                verify::compare(&mut self.opened, &self.files.image, &image, &[], tuning, watch)
            });
            outcome.verified = Some(compared);
        }
        outcome.seconds = begun.elapsed().as_secs_f64();
        Ok(outcome)
    }

    /// Whether the image that was converted gave all of its content, and another one than its record says.
    fn is_not_recorded(&self, ledger: &Ledger, tree: &Tree) -> bool {
        let recorded = self.opened.record.as_ref().and_then(Record::tree);
        let all_came = missing_extents(ledger.map()).is_empty();
        all_came && recorded.is_some_and(|recorded| recorded.root != tree.root)
    }

    /// Whether the image is fed from start to end.
    fn in_order(&self) -> bool {
        self.options.stream || plan_placement(self.plan.format, &self.plan.spec) == Placement::InOrder
    }

    /// What a run that begins now knows.
    fn facts(&self) -> RunFacts {
        RunFacts {
            identity: self.opened.identity.clone(),
            moment: self.opened.moment.clone(),
            format: self.plan.format.name.to_owned(),
            spec: Some(self.plan.spec.clone()),
            began: now(),
            runs: 1,
            unproven: self.options.consistency == Some(Consistency::None),
            table_seed: self.table_seed,
        }
    }

    /// Reads the medium into the image.
    fn copy(&mut self, run: &mut Run, watch: &Watch) -> Result<Copied, Failed> {
        let ledger = &mut run.ledger;
        watch.enter(if self.plan.compare { Phase::Comparing } else { Phase::Copying }, ledger.map().size());
        let in_order = self.in_order();
        let mut options = self.options.rescue.clone();
        options.cluster = self.opened.cluster;
        // What is written in order has no later pass for what was left.
        options.leave_slow = !matches!(self.opened.medium, Medium::File | Medium::Image) && !in_order;
        let is_left = |status| ledger.map().bytes(status) > 0;
        if run.resumed && ![Status::NonTried, Status::NonTrimmed, Status::NonScraped].into_iter().any(is_left)
        {
            options.retries = options.retries.max(1);
        }
        let mut strategy = Rescue::new(self.opened.geometry(), options);
        let digests: &[Algorithm] = if run.resumed && !self.plan.compare { &[] } else { &self.plan.hashes };
        let copied = copy(Job {
            source: &mut *self.opened.source,
            strategy: &mut strategy,
            sink: &mut *run.image,
            in_order,
            ledger,
            digests,
            tuning: self.options.tuning,
            limits: self.options.limits,
            watch,
        })
        .map_err(Failed::ForGood)?;
        match copied.stopped {
            // No repetition mends what an image holds.
            Some(error) if error.kind() == Kind::Corrupt => Err(Failed::ForGood(error)),
            Some(error) if copied.damaged => Err(Failed::Damaged(error)),
            Some(error) => Err(Failed::Resumable(error)),
            None if ledger.map().bytes(Status::NonTried) > 0 => {
                Err(Failed::Resumable(only_parts(ledger.map())))
            }
            None if self.base.as_ref().is_some_and(|base| !base.is_unchanged()) => {
                let context = "the base was written to while the image that differs from it was made";
                Err(Failed::ForGood(Error::new(Kind::Changed, context).advise("begin anew:  --restart")))
            }
            None if run.facts.unproven => self.end_snapshots(copied, watch),
            None => {
                let (before, now) = (&run.facts.moment, self.opened.moment_now());
                if self.was_written(before, &now) {
                    return Err(Failed::Resumable(changed(&self.plan.source.path, before, &now)));
                }
                self.end_snapshots(copied, watch)
            }
        }
    }

    /// Into an image that is written in order damage is not rescued: that takes an image in between.
    fn two_steps(&self, damage: Error) -> Error {
        let (source, image) = (Path::new(&self.plan.source.path), &self.files.image);
        let between = image.with_extension("rescued.img");
        let pack = packing(&self.options, &between, image);
        damage
            .advise(format!("rescue it first:  ectype create {} {}", word(source), word(&between)))
            .advise(format!("then pack it:     {pack}"))
    }

    /// Makes an image of what was copied: its end, its proof, its last flush.
    fn settle(&self, run: &mut Run, copied: Copied, watch: &Watch) -> Result<Settled, Failed> {
        let run_out = self.run_out(run.ledger.map());
        if let Some(run_out) = run_out {
            run.image.set_end(run_out.offset).map_err(Failed::Resumable)?;
            run.ledger.set_end(run_out.offset).map_err(Failed::Resumable)?;
        }
        let mut digests: BTreeMap<String, String> = BTreeMap::new();
        let mut missing = self.plan.hashes.clone();
        for (algorithm, digest) in copied.digests {
            // A digest that was taken to the end of the run-out is not that of the image.
            if let (Some(digest), None) = (digest, run_out) {
                digests.insert(algorithm.name().to_owned(), digest);
                missing.retain(|other| *other != algorithm);
            }
        }
        let proven = run.ledger.prove(&*run.image, run.resumed, &missing, watch);
        let (tree, more) = proven.map_err(|error| match error.kind() {
            Kind::Changed => Failed::ForGood(error),
            _ => Failed::Resumable(error),
        })?;
        watch.enter(Phase::Finishing, 0);
        run.image.finish().map_err(Failed::Resumable)?;
        digests.extend(more.into_iter().map(|(algorithm, digest)| (algorithm.name().to_owned(), digest)));
        Ok(Settled { tree, digests, run_out })
    }

    /// What a stranger needs to know of the image.
    fn record(&self, facts: &RunFacts, outcome: &Outcome, settled: &Settled) -> Record {
        let Settled { tree, digests, .. } = settled;
        Record {
            schema: 1,
            made_by: concat!("ectype ", env!("CARGO_PKG_VERSION")).to_owned(),
            began: facts.began.clone(),
            ended: now(),
            status: outcome.status.name().to_owned(),
            source: self.opened.identity.clone(),
            // Of an image that was changed since nobody knows where that comes from.
            origin: (self.opened.record.as_ref())
                .filter(|_| !outcome.not_recorded)
                .map(|record| record.first_source().clone()),
            image: ImageFacts {
                name: self.files.image.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                format: self.plan.format.name.to_owned(),
                subformat: self.plan.spec.subformat.clone(),
                content_size: tree.len,
            },
            plan: PlanFacts {
                scope: self.plan.scope.to_owned(),
                consistency: self.plan.consistency.name().to_owned(),
                blocks: "all".to_owned(),
                why: self.plan.why.clone(),
                wrapped: self.plan.wrapped.map(Range::from),
                parts: self.plan.parts.clone(),
            },
            resumed: outcome.resumed,
            bytes: outcome.bytes,
            unreadable: outcome.unreadable.iter().map(Range::from).collect(),
            unwritten: outcome.unwritten.iter().map(Range::from).collect(),
            missing: outcome.missing,
            run_out: outcome.run_out.map(Range::from),
            digests: digests.clone(),
            tree: TreeFacts::from(tree),
        }
    }

    /// Unreadable sectors at the very end of a disc, behind the end of every file system on it, were never written: they are
    /// the run-out of a track-at-once recording.
    fn run_out(&self, map: &RescueMap) -> Option<Extent> {
        if self.opened.medium != Medium::Optical {
            return None;
        }
        let Geometry { size, sector, .. } = self.opened.geometry();
        run_out(map, size, sector.into(), fs::end_of_data(&self.opened.volumes)?)
    }

    fn outcome(&self, status: Ended, known: &Recorded, resumed: bool, begun: Instant) -> Outcome {
        let Recorded { map, zeros, unwritten } = known;
        let failed = missing_extents(map);
        let rereads = !failed.is_empty() && self.rereads(&status);
        // Until a rescue has come to its end, what failed at large is yet to be tried sector by sector.
        let unreadable = match status {
            Ended::Stopped(_) => map.extents(Status::Bad),
            _ => failed,
        };
        let unreadable = unreadable.union(&self.opened.unread);
        let sector = u64::from(self.opened.geometry().sector);
        let finished = map.extents(Status::Finished).subtract(&self.opened.unread).bytes();
        let zero = (*zeros).min(finished);
        Outcome {
            bytes: ByteCounts { read: finished - zero, zero, unused: 0, unreadable: unreadable.bytes() },
            rereads,
            status,
            plan: self.plan.clone(),
            size: map.size(),
            read_now: 0,
            missing: Missing {
                sectors: unreadable.bytes().div_ceil(sector),
                bytes: unreadable.bytes(),
                areas: unreadable.count() as u64,
                unscraped: map.bytes(Status::NonTrimmed) + map.bytes(Status::NonScraped),
                unwritten_sectors: unwritten.bytes().div_ceil(sector),
                unwritten_bytes: unwritten.bytes(),
            },
            unreadable,
            unwritten: unwritten.clone(),
            run_out: None,
            digests: BTreeMap::new(),
            resumed,
            seconds: begun.elapsed().as_secs_f64(),
            not_recorded: false,
            map: Some(self.files.map.clone()),
            sent: None,
            record: None,
            verified: None,
        }
    }
}

/// A run that has begun.
struct Run {
    ledger: Ledger,
    image: Box<dyn Image>,
    facts: RunFacts,
    /// It goes on with an earlier one.
    resumed: bool,
}

/// What is known of an image that is finished.
struct Settled {
    tree: Tree,
    digests: BTreeMap<String, String>,
    run_out: Option<Extent>,
}

/// Why a run that has begun did not come to its end.
enum Failed {
    /// The same command goes on.
    Resumable(Error),
    /// The source is, and the image is written in order.
    Damaged(Error),
    /// Repeating it mends nothing.
    ForGood(Error),
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
