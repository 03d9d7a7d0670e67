//! `restore`: an image onto a device or into a file, and the proof that it is there.
//!
//! ```text
//!   image ──► engine ──► Restoring ──► Writer ──► device or file      restore/{target, onto, sink, writer}
//!                            └ leaves ──────────────► read back, past all caches: restore/readback
//! ```
//!
//! What a plan promises is held: nothing is written before the target was refused or confirmed.

mod onto;
mod readback;
mod sink;
mod target;
mod writer;

#[cfg(test)]
mod tests;

pub use readback::ReadBack;
pub use sink::Counts;

use super::devices::{self, Content};
use super::open::{self, Images, Opened, Surroundings};
use super::verify;
use super::wrapped::volume_in;
use crate::copy::{Job, Limits, Tuning, copy};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents};
use crate::image;
use crate::io::{ReadAt, Window};
use crate::os::disk::{self, Disk};
use crate::os::writable::WritableDisk;
use crate::os::{Device, Lock, advice};
use crate::plan::map::{RescueMap, Status};
use crate::plan::rescue::{self, Rescue};
use crate::proof::ledger::Ledger;
use crate::proof::record::Record;
use crate::proof::tree::Hash;
use crate::source::{DeviceReader, ImageSource, Source};
use crate::volume::gpt;
use crate::watch::{Phase, Watch};
use onto::{Onto, OntoFile};
use sink::Restoring;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use target::Target;

/// What becomes of the space that the image left out because nobody uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unused {
    /// It stays as it is on the target.
    #[default]
    Keep,
    /// It becomes zeros.
    Zero,
    /// The target is told that nobody uses it.
    Discard,
}

impl Unused {
    /// The stable name in options and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Unused::Keep => "keep",
            Unused::Zero => "zero",
            Unused::Discard => "discard",
        }
    }
}

/// What an image is of, and what a device may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Disk,
    Volume,
    Any,
}

/// What is to be restored, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The image.
    pub image: PathBuf,
    /// A device or a file.
    pub target: PathBuf,
    /// How the image is opened.
    pub images: Images,
    /// The word that a file may be overwritten.
    pub yes: bool,
    /// Write only what the target does not hold already.
    pub changed_only: bool,
    /// Read back what was written.
    pub verify: bool,
    /// Move the backup of a GPT to the end of a larger target.
    pub fix_gpt: bool,
    /// What becomes of what the image left out.
    pub unused: Unused,
    /// The image need not suit the kind of target.
    pub force_layout: bool,
    /// Files that programs have open on the target are taken from them, where that can be done.
    pub unmount: bool,
    /// Nothing is held or written.
    pub dry_run: bool,
    /// The knobs of the engine.
    pub tuning: Tuning,
}

/// One side of a restore, for whoever has to tell which it is.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Its path.
    pub path: PathBuf,
    /// The kind of medium.
    pub medium: &'static str,
    /// Vendor and model; of an image, those of what it was made of.
    pub model: String,
    /// The serial number, likewise.
    pub serial: String,
    /// Bytes.
    pub size: u64,
    /// The logical sector in bytes.
    pub sector_size: u32,
    /// What is on it.
    pub content: Content,
    /// When an image was made, as far as its record tells.
    pub made: Option<String>,
}

/// What will be done, and why.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What is restored.
    pub image: Side,
    /// The image's format.
    pub format: &'static str,
    /// What is overwritten.
    pub target: Side,
    /// `disk`, `volume` or `file`: what the target is.
    pub scope: &'static str,
    /// The device that is overwritten must be named once more by one of these, its serial first; empty for a file.
    pub confirm: Vec<String>,
    /// Whether only what differs is written.
    pub changed_only: bool,
    /// Whether it is read back.
    pub verify: bool,
    /// What becomes of what the image left out.
    pub unused: Unused,
    /// Lines that say what else there is to know.
    pub why: Vec<String>,
}

/// How a restore ended.
#[derive(Debug)]
pub enum Ended {
    /// Everything was written, and read back where that was wanted.
    Whole,
    /// The same, but the image is known not to hold everything.
    Incomplete,
    /// The target does not hold what the image does.
    Differs,
    /// Part-way.
    Stopped(Error),
}

impl Ended {
    /// The stable name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Ended::Whole => "whole",
            Ended::Incomplete => "incomplete",
            Ended::Differs => "differs",
            Ended::Stopped(_) => "stopped",
        }
    }
}

/// What a restore came to.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Ended,
    /// What was done.
    pub plan: Plan,
    /// How the bytes were written.
    pub counts: Counts,
    /// Everything was written: a stop came after that, while it was read back.
    pub is_written: bool,
    /// What the image does not hold: zeros were written.
    pub unreadable: Extents,
    /// What the target would not take.
    pub unwritable: Extents,
    /// What the read-back found; `None` where there was none.
    pub read_back: Option<ReadBack>,
    /// The root of the tree over what was written, where it came in order.
    pub tree: Option<String>,
    /// The image is not what its record says.
    pub not_recorded: bool,
    /// What there is to know afterwards.
    pub notes: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// A restore that was planned, and not refused.
pub struct Prepared {
    options: Options,
    opened: Opened,
    plan: Plan,
    target: Held,
    /// The user named the device.
    confirmed: bool,
}

/// The target, as it is held until the end.
enum Held {
    /// In a dry run nothing is.
    Nothing,
    Device(Arc<WritableDisk>),
    /// A file, and whether it was there when that was allowed.
    File {
        path: PathBuf,
        exists: bool,
    },
}

/// Opens the image, finds the target, refuses or holds it, and says what will be done.
pub fn prepare(options: Options) -> Result<Prepared> {
    open::refuse_no_file(&options.image)?;
    let opened = open::open_image(&options.image, &options.images)?;
    verify::refuse_another_size(&options.image, &opened)?;
    let wrapped = volume_in(&opened)?;
    match target::find(&options.target)? {
        Target::Device(device) => {
            let (opened, why) = target::fitting(opened, wrapped, &device)?;
            let mut prepared = prepare_device(options, opened, &device)?;
            prepared.plan.why.extend(why);
            Ok(prepared)
        }
        Target::File(path, exists) => {
            target::refuse_file(&path, exists, &options, &opened)?;
            let mut plan = planned(&options, &opened)?;
            let size = opened.geometry().size;
            let held = std::fs::metadata(&path).map_or(size, |about| about.len());
            plan.target = Side { path: path.clone(), medium: "file", size: held, ..Side::default() };
            plan.scope = "file";
            plan.why.extend(wrapped.map(|_| target::WITH_TABLE.to_owned()));
            if exists {
                let shorter = match size < held {
                    true => format!("; its {held} bytes become {size}: it becomes shorter"),
                    false => String::new(),
                };
                plan.why.push(format!("{} is there, and is overwritten{shorter}", path.display()));
            }
            if options.fix_gpt {
                return Err(Error::refused(
                    "a file becomes as long as the image: its backup GPT is where it belongs",
                )
                .advise("leave out --fix-gpt"));
            }
            let target = if options.dry_run { Held::Nothing } else { Held::File { path, exists } };
            Ok(Prepared { options, opened, plan, target, confirmed: true })
        }
    }
}

fn prepare_device(options: Options, opened: Opened, device: &Device) -> Result<Prepared> {
    target::refuse_device(device, &options, &opened)?;
    let mut plan = planned(&options, &opened)?;
    // Held before anything is shown: what was looked at is what will be overwritten.
    let lock = if options.unmount { Lock::Forced } else { Lock::Exclusive };
    let target = match options.dry_run {
        true => Held::Nothing,
        false => Held::Device(Arc::new(WritableDisk::open(device, lock)?)),
    };
    let disk = match &target {
        Held::Device(held) => Arc::clone(held.disk()),
        _ => Arc::new(Disk::open(device, Lock::Shared)?),
    };
    let geometry = disk.geometry();
    plan.why.extend(disk.notes().iter().cloned());
    // Since it was looked for, another medium may have been put in.
    target::refuse_too_small(device, geometry.size, opened.geometry().size)?;
    let content = devices::content(&DeviceReader::new(disk), geometry.sector);
    plan.target = Side {
        path: device.path.clone(),
        medium: device.medium.name(),
        model: device.model.clone(),
        serial: device.serial.clone(),
        size: geometry.size,
        sector_size: geometry.sector,
        content,
        made: None,
    };
    plan.scope = if device.whole.is_some() { "volume" } else { "disk" };
    plan.confirm = target::names(device);
    plan.why.push(format!("{} is held exclusively until the end", device.path.display()));
    plan_gpt(&options, &opened, &mut plan)?;
    if geometry.size > opened.geometry().size {
        let rest = geometry.size - opened.geometry().size;
        let but = if options.fix_gpt { ", but for the backup of the GPT" } else { "" };
        plan.why.push(format!("the target is larger: its last {rest} bytes stay as they are{but}"));
    }
    Ok(Prepared { options, opened, plan, target, confirmed: false })
}

/// What is said of any target.
fn planned(options: &Options, opened: &Opened) -> Result<Plan> {
    let image = opened.image().expect("an image was opened");
    let record = opened.record.as_ref();
    let size = opened.geometry().size;
    let source = record.map(Record::first_source);
    let mut why = Vec::new();
    if !opened.unread.is_empty() {
        why.push(format!(
            "{} bytes of the image could not be read when it was made: zeros are written there",
            opened.unread.bytes()
        ));
    }
    if leaves_out(opened)? {
        why.push(
            match options.unused {
                Unused::Keep => {
                    "what the image left out as unused stays as it is on the target (--unused keep)"
                }
                Unused::Zero => "what the image left out as unused becomes zeros",
                Unused::Discard => "what the image left out as unused is discarded",
            }
            .to_owned(),
        );
    }
    if options.changed_only {
        why.push("the target is read first, and only what differs is written".to_owned());
    }
    why.push(match options.verify {
        true => "everything written is read back from the medium and compared".to_owned(),
        false => "nothing is read back (--no-verify): what the target holds stays unproven".to_owned(),
    });
    Ok(Plan {
        image: Side {
            path: options.image.clone(),
            medium: "image",
            model: source.map(|source| source.model.clone()).unwrap_or_default(),
            serial: source.map(|source| source.serial.clone()).unwrap_or_default(),
            size,
            sector_size: opened.identity.sector_size,
            content: devices::content(&*opened.look()?, opened.identity.sector_size),
            made: record.map(|record| record.ended.clone()),
        },
        format: image.facts().format,
        target: Side::default(),
        scope: "file",
        confirm: Vec::new(),
        changed_only: options.changed_only,
        verify: options.verify,
        unused: options.unused,
        why,
    })
}

/// Whether the image left anything out. Only what it tells without being read is looked through.
fn leaves_out(opened: &Opened) -> Result<bool> {
    const MOST: usize = 1 << 20;
    let image = opened.image().expect("an image was opened");
    let (size, mut offset) = (opened.geometry().size, 0);
    for _ in 0..MOST {
        if offset >= size {
            break;
        }
        match image.content_at(offset) {
            Ok((crate::io::Content::Unused, _)) => return Ok(true),
            Ok((_, until)) => offset = until.max(offset + 1),
            // Reading it will say why.
            Err(_) => break,
        }
    }
    Ok(false)
}

/// A GPT has its backup at the end of the disk: on a larger one it is not found there.
fn plan_gpt(options: &Options, opened: &Opened, plan: &mut Plan) -> Result<()> {
    let has_gpt = opened.table.as_ref().is_some_and(|table| table.scheme == "gpt");
    let is_larger = plan.target.size > opened.geometry().size && plan.scope == "disk";
    match (options.fix_gpt, has_gpt) {
        (true, false) => {
            return Err(Error::refused("the image has no GPT to fix").advise("leave out --fix-gpt"));
        }
        (true, true) if is_larger => {
            // That it can be done is found out before anything is overwritten.
            moved_gpt(opened, plan.target.size)?;
            plan.why.push("the backup of the GPT moves to the end of the target (--fix-gpt)".to_owned());
        }
        (true, true) => plan.why.push(
            "the target is not larger than the image: the backup of the GPT stays where the image has it".to_owned(),
        ),
        (false, true) if is_larger => plan.why.push(
            "the backup of the GPT stays where the image has it, before the end of the target; --fix-gpt moves it there"
                .to_owned(),
        ),
        _ => {}
    }
    Ok(())
}

fn moved_gpt(opened: &Opened, size: u64) -> Result<Vec<(u64, Vec<u8>)>> {
    let image = opened.image().expect("an image was opened");
    let reader = Window::new(image, Extent::new(0, opened.geometry().size));
    let sector = opened.table.as_ref().map_or(512, |table| table.sector_size);
    gpt::moved(&reader, sector, size)
}

impl Prepared {
    /// What will be done.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether the user has yet to name the device that is overwritten.
    pub fn asks(&self) -> bool {
        !self.confirmed && !self.options.dry_run
    }

    /// The user names the device: by its serial number, where it has one, else by its path. What is `typed`, by somebody who
    /// was shown both sides, may also be its model.
    ///
    /// # Errors
    /// `Refused` for another device's name.
    pub fn confirm(&mut self, name: &str, typed: bool) -> Result<()> {
        let known =
            if typed { &self.plan.confirm[..] } else { &self.plan.confirm[..1.min(self.plan.confirm.len())] };
        let name = name.trim();
        if self.plan.confirm.is_empty() {
            return Err(Error::refused("the target is a file, which has no serial number")
                .advise("overwrite it:  --yes"));
        }
        if !known.iter().any(|known| known.trim() == name || disk::is_same(known, name)) {
            let target = self.plan.target.path.display();
            let what = if self.plan.target.serial.is_empty() {
                "has no serial number: its name"
            } else {
                "has the serial number"
            };
            return Err(Error::refused(format!(
                "\"{name}\" is not {target}, which {what} is {}",
                known.join(" or ")
            ))
            .advise("`ectype devices` shows which disk is which; nothing was written"));
        }
        self.confirmed = true;
        Ok(())
    }

    /// The refusal of a device that nobody confirmed.
    pub fn unconfirmed(&self) -> Error {
        let name = self.plan.confirm.first().map_or("", String::as_str);
        Error::refused(format!(
            "{} would be overwritten, and nobody confirmed it",
            self.plan.target.path.display()
        ))
        .advise(format!("it is the right one:  {}", crate::error::option("--confirm", name)))
    }

    /// Restores. An error means that nothing was written.
    pub fn run(self, watch: &Watch) -> Result<Outcome> {
        if self.asks() {
            return Err(self.unconfirmed());
        }
        let Prepared { options, opened, plan, target, .. } = self;
        let name = plan.target.path.display().to_string();
        let size = opened.geometry().size;
        let (onto, device): (Arc<dyn Onto>, _) = match target {
            Held::Device(disk) => (Arc::clone(&disk) as Arc<dyn Onto>, Some(disk)),
            Held::File { path, exists } => {
                (Arc::new(OntoFile::open(&path, exists, size, options.changed_only)?), None)
            }
            Held::Nothing => return Err(Error::refused("a dry run writes nothing")),
        };
        let subject = Subject {
            image: Arc::clone(opened.image().expect("an image was opened")),
            size,
            unread: opened.unread.clone(),
            recorded: opened.record.as_ref().and_then(|record| record.tree()).map(|tree| tree.root),
            around: opened.around.clone(),
        };
        let mut outcome = write(subject, Arc::clone(&onto), name, plan, options.tuning, watch);
        let fixes = options.fix_gpt && outcome.plan.scope == "disk" && outcome.plan.target.size > size;
        if fixes && matches!(outcome.status, Ended::Whole | Ended::Incomplete) {
            let fixed =
                moved_gpt(&opened, outcome.plan.target.size).and_then(|parts| write_gpt(&*onto, &parts));
            match fixed {
                Ok(()) => {
                    outcome.notes.push("the backup of the GPT is at the end of the target now".to_owned())
                }
                Err(error) => {
                    outcome.notes.push(format!("the backup of the GPT could not be moved: {error}"));
                    outcome.status = Ended::Differs;
                }
            }
        }
        if let Some(disk) = device.filter(|_| outcome.plan.scope == "disk") {
            match disk.reread_partitions() {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                    let told = advice::reread_partitions(&disk.disk().device().path);
                    outcome.notes.push(format!(
                        "somebody uses a partition: the system goes by the old partition table until it is told ({told}) or booted"
                    ));
                }
                _ => {}
            }
        }
        if !opened.is_unchanged() && !matches!(outcome.status, Ended::Stopped(_)) {
            outcome.status = Ended::Stopped(
                Error::new(
                    Kind::Changed,
                    format!("{} was written to while it was restored", options.image.display()),
                )
                .advise("let its writer end, and run the same command again"),
            );
        }
        Ok(outcome)
    }
}

/// What is restored.
struct Subject {
    image: Arc<dyn image::Opened>,
    /// The length of its content.
    size: u64,
    /// What it is known not to hold.
    unread: Extents,
    /// What its record says of the content.
    recorded: Option<Hash>,
    /// The record is of what lies around the content, too.
    around: Option<Surroundings>,
}

/// Writes the content of an image onto `onto`, and reads it back.
fn write(
    subject: Subject,
    onto: Arc<dyn Onto>,
    name: String,
    plan: Plan,
    tuning: Tuning,
    watch: &Watch,
) -> Outcome {
    let begun = Instant::now();
    let Subject { image, size, unread, recorded, around } = subject;
    let mut source = ImageSource::new(Arc::clone(&image), size);
    let geometry = source.geometry();
    let mut sink =
        Restoring::new(Arc::clone(&onto), name, geometry.size, plan.unused, plan.changed_only, plan.verify);
    if let Some(around) = around {
        sink.lie_within(around);
    }
    let mut ledger = Ledger::comparing(RescueMap::new(geometry.size));
    watch.enter(Phase::Copying, geometry.size);
    let copied = copy(Job {
        strategy: &mut Rescue::new(geometry, rescue::Options::default()),
        source: &mut source,
        sink: &mut sink,
        in_order: false,
        ledger: &mut ledger,
        digests: &[],
        tuning,
        limits: Limits::default(),
        watch,
    });
    let stopped = match copied {
        Ok(copied) => copied.stopped,
        Err(error) => Some(error),
    };
    let stopped = match stopped {
        Some(error) => {
            sink.settle();
            Some(error)
        }
        None => {
            watch.enter(Phase::Finishing, 0);
            sink.flush().err()
        }
    };
    let unreadable = unread.union(&ledger.map().extents(Status::Bad));
    let (tree, of_record) = sink.trees();
    let mut outcome = Outcome {
        status: Ended::Whole,
        counts: sink.counts,
        is_written: stopped.is_none() && sink.bad().is_empty(),
        unwritable: sink.bad().clone(),
        not_recorded: match (of_record, recorded) {
            (Some(root), Some(recorded)) => root != recorded,
            _ => false,
        },
        tree: tree.map(|tree| tree.root.to_string()),
        unreadable,
        read_back: None,
        notes: Vec::new(),
        seconds: 0.0,
        plan,
    };
    if sink.no_discard {
        outcome
            .notes
            .push("the target takes no discards: what the image left out stays as it was".to_owned());
    }
    if let Some(error) = sink.unconfirmed() {
        outcome.notes.push(format!("the target does not confirm that it keeps what was written: {error}"));
    }
    let stopped = match stopped {
        None if outcome.plan.verify => {
            onto.forget();
            let content = Window::new(image, Extent::new(0, geometry.size));
            match readback::read_back(&*onto, &content, &sink.written, geometry.size, tuning, watch) {
                Ok(found) => {
                    outcome.read_back = Some(found);
                    None
                }
                Err(error) => {
                    outcome.notes.push("it was written, and not read back to the end".to_owned());
                    Some(error)
                }
            }
        }
        stopped => stopped,
    };
    let differs = outcome.not_recorded
        || sink.unconfirmed().is_some()
        || !outcome.unwritable.is_empty()
        || outcome
            .read_back
            .as_ref()
            .is_some_and(|found| found.differing > 0 || !found.unreadable.is_empty());
    outcome.status = match stopped {
        Some(error) => Ended::Stopped(error),
        None if differs => Ended::Differs,
        None if !outcome.unreadable.is_empty() => Ended::Incomplete,
        None => Ended::Whole,
    };
    outcome.seconds = begun.elapsed().as_secs_f64();
    outcome
}

/// Writes the parts of a table, and reads them back.
fn write_gpt(onto: &dyn Onto, parts: &[(u64, Vec<u8>)]) -> Result<()> {
    let failed = |error| Error::io("writing the partition table", error);
    for (offset, bytes) in parts {
        onto.write_at(bytes, *offset).map_err(failed)?;
        // First the new backup, then what leads to it.
        onto.flush().map_err(failed)?;
    }
    onto.forget();
    for (offset, bytes) in parts {
        let mut held = vec![0; bytes.len()];
        onto.read_at(&mut held, *offset).map_err(failed)?;
        if held != *bytes {
            return Err(Error::new(Kind::Io, "the target does not hold the partition table").at(*offset));
        }
    }
    Ok(())
}
