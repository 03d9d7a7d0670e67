//! An image that goes down a pipe: `create SOURCE - | …`.
//!
//! ```text
//!   source ──► copy, in order ──► sink ──► pipe ──► what reads it
//!                   └──► tree and digests: told at the end, as nothing lies beside a pipe
//! ```
//!
//! What was sent is out of our hands: it is not read back, not mended, and no run goes on with it. So the first sector that
//! cannot be read ends it, and every option that speaks of an image at rest is refused.

mod pipe;

use self::pipe::Pipe;
use super::outcome::{Ended, Outcome};
use super::{Failed, Options, Prepared, Run, Settled};
use crate::copy::Copied;
use crate::error::{Error, Kind, Result, word};
use crate::extent::Extents;
use crate::image::{Format, Place, raw};
use crate::os::Medium;
use crate::os::file::{self, PlainFile};
use crate::plan::map::RescueMap;
use crate::plan::policy;
use crate::proof::digest::Algorithm;
use crate::proof::ledger::{Ledger, Recorded};
use crate::watch::{Phase, Watch};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// How standard output is named where a file would be.
pub(super) const NAME: &str = "-";

fn can_stream(format: &Format) -> bool {
    format.writing.as_ref().is_some_and(|writing| writing.streams)
}

/// The format of what is sent, and why.
pub(super) fn format(
    medium: Medium,
    asked: Option<&'static Format>,
) -> Result<(&'static Format, Vec<String>)> {
    if let Some(format) = asked.filter(|format| !can_stream(format)) {
        let can: Vec<&str> =
            policy::written().filter(|format| can_stream(format)).map(|format| format.name).collect();
        let context = format!(
            "a {} image cannot go to standard output: what stands at its beginning is known at its end",
            format.name
        );
        return Err(Error::refused(context)
            .advise(format!("formats that can: {}", can.join(", ")))
            .advise("or name a file"));
    }
    let (format, mut why) = policy::format(medium, asked, None)?;
    if asked.is_some() {
        return Ok((format, why));
    }
    if !can_stream(format) {
        why.clear();
    }
    why.push("raw to standard output, holes as zeros; compressed:  --format zst".to_owned());
    Ok((if can_stream(format) { format } else { &raw::RAW }, why))
}

/// What speaks of an image at rest.
pub(super) fn refuse(options: &Options) -> Result<()> {
    const GONE: &str = "what was sent is not read again";
    const NOTHING_LEFT: &str = "nothing is left that a run could go on with";
    const NOTHING_THERE: &str = "no image is there yet";
    const IN_ORDER: &str = "all of it is sent, from start to end";
    const AT_DAMAGE: &str = "what is sent in order ends where the source cannot be read";
    let (parts, rescue) = (&options.parts, &options.rescue);
    let senseless = [
        ("--verify", options.verify, GONE),
        ("--map", options.map.is_some(), NOTHING_LEFT),
        ("--trust-map", options.trust_map, NOTHING_LEFT),
        ("--restart", options.restart, NOTHING_THERE),
        ("--overwrite", options.overwrite, NOTHING_THERE),
        ("--base", options.base.is_some(), "it would not find its base"),
        ("--domain", parts.domain.is_some(), IN_ORDER),
        ("--offset", parts.offset > 0, IN_ORDER),
        ("--size", parts.size.is_some(), IN_ORDER),
        ("--reverse", rescue.reverse, IN_ORDER),
        ("--retries", rescue.retries > 0, AT_DAMAGE),
        ("--no-scrape", !rescue.scrape, AT_DAMAGE),
        ("--max-errors", options.limits.errors.is_some(), AT_DAMAGE),
    ];
    let Some((option, _, why)) = senseless.into_iter().find(|(_, given, _)| *given) else { return Ok(()) };
    let error = Error::refused(format!("{option} means nothing for an image on standard output: {why}"));
    Err(match option {
        "--verify" => error.advise("leave it out, and compare digests:  --hash sha256"),
        _ => error.advise("leave it out, or name a file"),
    })
}

impl Prepared {
    /// Carries out a plan whose image goes down a pipe.
    pub fn stream(mut self, out: File, watch: &Watch) -> Result<Outcome> {
        let called = Instant::now();
        let begun = called.checked_sub(self.took).unwrap_or(called);
        self.options.limits.time = self.options.limits.time.map(|time| time.saturating_sub(begun.elapsed()));
        self.refuse_target(&out)?;
        self.take_snapshots(watch)?;
        let failed = |error| Error::io("sending to standard output", error);
        let until = self.options.limits.time.and_then(|time| called.checked_add(time));
        let pipe = Arc::new(Pipe::start(out, watch.wish(), until).map_err(failed)?);
        let writing = self.plan.format.writing.as_ref().expect("a plan writes");
        let place = Place { storage: Box::new(Arc::clone(&pipe)), parent: None };
        let mut run = Run {
            ledger: Ledger::passing(RescueMap::new(self.opened.geometry().size)),
            image: (writing.create)(place, &self.plan.spec)?,
            facts: self.facts(),
            resumed: false,
        };
        let ended = self.copy(&mut run, watch).and_then(|copied| {
            let read_now = copied.read;
            end(&mut run, copied, &self.plan.hashes, &pipe, watch).map(|settled| (settled, read_now))
        });
        // What was read before it was stopped is as right as ever.
        let _ = pipe.end();
        let (ended, settled) = match ended {
            Err(Failed::ForGood(error)) => return Err(error),
            Err(Failed::Damaged(error)) => (Ended::Stopped(self.send_in_two_steps(error)), None),
            Err(Failed::Resumable(error)) => (Ended::Stopped(why(error, &pipe, watch)), None),
            Ok(settled) if self.opened.unread.is_empty() => (Ended::Whole, Some(settled)),
            Ok(settled) => (Ended::Incomplete, Some(settled)),
        };
        let known =
            Recorded { map: run.ledger.map().clone(), zeros: run.ledger.zeros(), unwritten: Extents::new() };
        let mut outcome = self.outcome(ended, &known, false, begun);
        (outcome.map, outcome.rereads, outcome.sent) = (None, false, Some(pipe.sent()));
        if let Some((Settled { tree, digests, .. }, read_now)) = settled {
            outcome.not_recorded = self.is_not_recorded(&run.ledger, &tree);
            outcome.digests = digests;
            outcome.digests.insert("tree".to_owned(), tree.root.to_string());
            outcome.read_now = read_now;
        }
        Ok(outcome)
    }

    /// Standard output may lead to a file or a device as well, and to the source itself.
    fn refuse_target(&self, out: &File) -> Result<()> {
        if file::is_disk(out) {
            return Err(Error::refused("standard output is a device, and an image is none")
                .advise("write an image to a device:  ectype restore IMAGE DEVICE"));
        }
        let Some((device, inode)) = file::numbers(out) else { return Ok(()) };
        let opened = &self.opened;
        let own = match &opened.device {
            None => Some(self.options.source.as_path()),
            // The file below a loop device is its content.
            Some(device) => device.backing.as_deref(),
        };
        let stamp = |path: &Path| PlainFile::open(path).and_then(|file| file.stamp()).ok();
        let is_out =
            |path: &Path| stamp(path).is_some_and(|stamp| (stamp.device, stamp.inode) == (device, inode));
        if own.into_iter().chain(opened.image_files()).any(is_out) {
            return Err(Error::refused("standard output is the source itself"));
        }
        let mut mounts = opened.device.iter().flat_map(|device| &device.mounts);
        if let Some(mount) = mounts.find(|m| stamp(&m.target).is_some_and(|stamp| stamp.device == device)) {
            let context = format!(
                "standard output is a file on the source itself, mounted on {}",
                mount.target.display()
            );
            return Err(Error::refused(context).advise("choose a folder on another disk"));
        }
        Ok(())
    }

    /// Damage is not rescued on the way: that takes an image in between.
    fn send_in_two_steps(&self, damage: Error) -> Error {
        let (source, between) = (Path::new(&self.plan.source.path), Path::new("rescued.img"));
        let format = match self.plan.format.is_bytes {
            true => String::new(),
            false => format!(" --format {}", self.plan.format.name),
        };
        damage
            .advise(format!("rescue it first:  ectype create {} {}", word(source), word(between)))
            .advise(format!("then send that:   ectype convert{format} {} -", word(between)))
    }
}

/// Sends the rest: what was taken on the way is the proof.
fn end(
    run: &mut Run,
    copied: Copied,
    hashes: &[Algorithm],
    pipe: &Pipe,
    watch: &Watch,
) -> Result<Settled, Failed> {
    watch.enter(Phase::Finishing, 0);
    run.image.finish().map_err(Failed::Resumable)?;
    pipe.end().map_err(|error| Failed::Resumable(Error::writing("sending to standard output", error)))?;
    let taken =
        copied.digests.into_iter().filter_map(|(algorithm, digest)| Some((algorithm.name(), digest?)));
    let digests: BTreeMap<String, String> = taken.map(|(name, digest)| (name.to_owned(), digest)).collect();
    match run.ledger.grown_tree() {
        Some(tree) if hashes.iter().all(|hash| digests.contains_key(hash.name())) => {
            Ok(Settled { tree, digests, run_out: None })
        }
        // Without its thread it would come from the image.
        _ => {
            let context = "everything was sent, and its digests could not be taken on the way";
            Err(Failed::Resumable(Error::new(Kind::Limit, context)))
        }
    }
}

/// Why it was stopped, and what that means for a stream.
fn why(error: Error, pipe: &Pipe, watch: &Watch) -> Error {
    // A drive that timed out has a number of the system.
    let is_over =
        |cause: &io::Error| cause.kind() == io::ErrorKind::TimedOut && cause.raw_os_error().is_none();
    let is_over = error.io_cause().is_some_and(is_over);
    let error = match pipe.failure() {
        // What reads may have been interrupted, too.
        _ if watch.stop_asked() => Error::interrupted(),
        // Whoever reads may take nothing any more: it is the sink that sees it.
        _ if is_over => Error::new(Kind::Limit, "the time that was given is over"),
        Some(cause) if cause.kind() == io::ErrorKind::BrokenPipe => {
            let context = format!("what reads standard output left after {} bytes", pipe.sent());
            Error::new(Kind::Io, context).because(cause)
        }
        Some(cause) => Error::writing("sending to standard output", cause).at(pipe.sent()),
        None => error,
    };
    error.without_advice().advise("nothing goes on with a stream: the same command sends all of it again")
}
