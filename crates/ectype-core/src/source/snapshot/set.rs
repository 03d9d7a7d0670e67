//! A set of snapshots, made by the documented sequence of calls.
//!
//! ```text
//!   InitializeForBackup  SetContext  SetBackupState
//!   GatherWriterMetadata  FreeWriterMetadata
//!   StartSnapshotSet   IsVolumeSupported, all   AddToSnapshotSet, all
//!   PrepareForBackup   GatherWriterStatus  FreeWriterStatus
//!   DoSnapshotSet      GatherWriterStatus  FreeWriterStatus   GetSnapshotProperties, all
//!   …reading…          GetSnapshotProperties: is it still there?
//!   BackupComplete     GatherWriterStatus  FreeWriterStatus   Release, and the snapshots go
//! ```
//!
//! A requester is good for one backup: whatever fails is tried again with another one, or without the volume it was about.
//! What began and does not come to its end is aborted, also when somebody interrupts it.

use super::words::{self, Remedy, code, in_words};
use crate::error::{Error, Kind, Result, word};
use crate::os::snapshot::{Code, Context, Id, Pending, Reply, Requester, Service, Snapshot, Step, Writer};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// How long is waited at a time, so that an interrupt is heard.
const SLICE: Duration = Duration::from_millis(200);

/// No step of the service takes that long: its own limits are below it.
const MOST: Duration = Duration::from_secs(30 * 60);

/// A step that was cancelled ends soon, or is left behind.
const CANCELLING: Duration = Duration::from_secs(30);

/// The time, which a test makes pass at once.
pub trait Clock: Sync {
    /// Since some moment.
    fn now(&self) -> Duration;
    /// Lets time pass.
    fn sleep(&self, time: Duration);
}

/// What making a set needs.
pub struct Making<'a> {
    /// The service.
    pub service: &'a dyn Service,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Whether somebody wants it to end.
    pub stop: &'a dyn Fn() -> bool,
    /// What is told on the way.
    pub tell: &'a dyn Fn(String),
    /// Remembers a set before it is made, so that a crash leaves a trace.
    pub note: &'a mut dyn FnMut(Id) -> Result<()>,
}

/// A set that was made, and the volumes that could not take part: number and reason.
pub struct Made {
    /// The set; `None` where no volume could take part.
    pub set: Option<Set>,
    /// Who is not in it, and why.
    pub left_out: Vec<(usize, String)>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// A set of snapshots. Dropped, it is released, and the snapshots go.
pub struct Set {
    requester: Box<dyn Requester>,
    /// Its identity.
    pub id: Id,
    /// Its snapshots, by the number of their volume.
    pub snapshots: Vec<(usize, Snapshot)>,
    is_complete: bool,
}

impl Drop for Set {
    fn drop(&mut self) {
        if !self.is_complete {
            // The writers learn it; the release that follows removes the snapshots in any case.
            let _ = self.requester.abort();
        }
    }
}

/// Why an attempt failed.
enum Trouble {
    /// A call failed; of a volume, or of writers.
    Failed { call: &'static str, code: Code, volume: Option<usize>, writers: Vec<String> },
    /// Volumes that cannot take part.
    Unsupported(Vec<(usize, Code)>),
    /// Somebody wants it to end.
    Stopped,
    /// A step did not come to its end.
    TooLong(Step),
    /// What is no matter of the service.
    Own(Error),
}

fn failed(call: &'static str) -> impl Fn(Code) -> Trouble {
    move |code| Trouble::Failed { call, code, volume: None, writers: Vec::new() }
}

fn name(step: Step) -> &'static str {
    match step {
        Step::GatherWriterMetadata => "GatherWriterMetadata",
        Step::PrepareForBackup => "PrepareForBackup",
        Step::DoSnapshotSet => "DoSnapshotSet",
        Step::GatherWriterStatus => "GatherWriterStatus",
        Step::BackupComplete => "BackupComplete",
    }
}

/// A volume as the service wants it named.
fn with_backslash(volume: &str) -> String {
    format!("{}\\", volume.trim_end_matches('\\'))
}

/// Makes one set of the snapshots of `volumes`, as many of them as can take part.
///
/// # Errors
/// `Cancelled` where somebody wanted it; else what the service refused, in words.
pub fn make(volumes: &[String], making: Making<'_>) -> Result<Made> {
    let Making { service, clock, stop, tell, note } = making;
    let mut waiting = Waiting { clock, stop };
    let mut inside: Vec<usize> = (0..volumes.len()).collect();
    let (mut left_out, mut tries) = (Vec::new(), HashMap::new());
    loop {
        if inside.is_empty() {
            return Ok(Made { set: None, left_out, notes: Vec::new() });
        }
        let trouble = match attempt(volumes, &inside, service, &mut waiting, note) {
            Ok((set, notes)) => return Ok(Made { set: Some(set), left_out, notes }),
            Err(trouble) => trouble,
        };
        let (call, failure, volume, writers) = match trouble {
            Trouble::Stopped => return Err(Error::interrupted()),
            Trouble::Own(error) => return Err(error),
            Trouble::TooLong(step) => {
                let context = format!("the snapshot service did not end {} in half an hour", name(step));
                return Err(Error::new(Kind::Io, context).advise("look at it:  vssadmin list writers"));
            }
            Trouble::Unsupported(out) => {
                inside.retain(|volume| !out.iter().any(|(number, _)| number == volume));
                left_out.extend(out.into_iter().map(|(number, code)| (number, in_words(code))));
                continue;
            }
            Trouble::Failed { call, code, volume, writers } => (call, code, volume, writers),
        };
        let remedy = match (words::remedy(failure), volume) {
            // It has just been listed; what the service does not see as a volume it makes no snapshot of.
            (_, Some(_)) if failure == code::OBJECT_NOT_FOUND => Remedy::Without,
            (Remedy::WithoutFullest, Some(_)) => Remedy::Without,
            (Remedy::Without, None) => Remedy::None,
            (remedy, _) => remedy,
        };
        let out = match remedy {
            Remedy::Again { after, tries: most } => {
                let tried = tries.entry(failure).or_insert(1u32);
                if *tried >= most {
                    return Err(refused(call, failure, &writers, volume.map(|number| &*volumes[number])));
                }
                *tried += 1;
                let who = writers.first().cloned().unwrap_or_else(|| in_words(failure));
                tell(format!(
                    "no snapshot yet: {who}; another try in {} s ({tried} of {most})",
                    after.as_secs()
                ));
                waiting.pass(after).map_err(|_| Error::interrupted())?;
                continue;
            }
            Remedy::Without => volume,
            Remedy::WithoutFullest => {
                let room = |number: &&usize| service.room(&with_backslash(&volumes[**number])).unwrap_or(0);
                inside.iter().min_by_key(room).copied()
            }
            Remedy::None => None,
        };
        let Some(out) = out else {
            return Err(refused(call, failure, &writers, volume.map(|number| &*volumes[number])));
        };
        inside.retain(|number| *number != out);
        left_out.push((out, in_words(failure)));
    }
}

/// The refusal, with what may help.
fn refused(call: &str, code: Code, writers: &[String], volume: Option<&str>) -> Error {
    let of = volume.map(|volume| format!(" of {volume}")).unwrap_or_default();
    let error = match writers {
        [] => Error::new(Kind::Io, format!("no snapshot{of} could be made: {} in {call}", in_words(code))),
        writers => {
            let context = format!("no snapshot could be made: the writer {} ({call})", writers.join(", "));
            Error::new(Kind::Io, context).advise(
                "restart the service that the writer belongs to; they are listed by:  vssadmin list writers",
            )
        }
    };
    let error = match code {
        code::E_ACCESSDENIED => return error.advise("snapshots are made by administrators: run it elevated"),
        code::REGDB_E_CLASSNOTREG | code::SERVICE_DISABLED => {
            error.advise("allow the service:  sc config VSS start= demand")
        }
        code::MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED => {
            error.advise("see what there is:  vssadmin list shadows")
        }
        _ => error,
    };
    error.advise("or take it as it is, torn where it changes:  --consistency none")
}

/// Waits in slices, and hears an interrupt.
struct Waiting<'a> {
    clock: &'a dyn Clock,
    stop: &'a dyn Fn() -> bool,
}

impl Waiting<'_> {
    fn heed(&self) -> Result<(), Trouble> {
        if (self.stop)() { Err(Trouble::Stopped) } else { Ok(()) }
    }

    fn pass(&self, time: Duration) -> Result<(), Trouble> {
        let until = self.clock.now() + time;
        loop {
            self.heed()?;
            let left = until.saturating_sub(self.clock.now());
            if left.is_zero() {
                return Ok(());
            }
            self.clock.sleep(left.min(SLICE));
        }
    }

    /// Carries out a step to its end.
    fn step(&self, requester: &mut dyn Requester, step: Step) -> Result<(), Trouble> {
        self.heed()?;
        let mut pending = requester.begin(step).map_err(failed(name(step)))?;
        let until = self.clock.now() + MOST;
        loop {
            if pending.wait(SLICE).map_err(failed(name(step)))? {
                return Ok(());
            }
            let is_late = self.clock.now() >= until;
            if let Err(stopped) = self.heed() {
                self.cancel(&mut *pending);
                return Err(stopped);
            }
            if is_late {
                self.cancel(&mut *pending);
                return Err(Trouble::TooLong(step));
            }
        }
    }

    /// A step that was begun must be over before its requester is released.
    fn cancel(&self, pending: &mut dyn Pending) {
        let _ = pending.cancel();
        let until = self.clock.now() + CANCELLING;
        while self.clock.now() < until && matches!(pending.wait(SLICE), Ok(false)) {}
    }

    /// How the writers are, after a step.
    fn writers(&self, requester: &mut dyn Requester) -> Result<Vec<Writer>, Trouble> {
        self.step(requester, Step::GatherWriterStatus)?;
        let writers = requester.writers().map_err(failed("GetWriterStatus"));
        requester.free_status().map_err(failed("FreeWriterStatus"))?;
        writers
    }

    /// The same, an error where one of them failed.
    fn check_writers(
        &self,
        requester: &mut dyn Requester,
        after: Step,
        notes: &mut Vec<String>,
    ) -> Result<(), Trouble> {
        let writers = self.writers(requester)?;
        let bad: Vec<&Writer> = writers.iter().filter(|writer| words::has_failed(writer)).collect();
        for writer in &writers {
            if !words::has_failed(writer) && writer.failure.is_some() {
                let note = format!("the writer {}", words::failed(writer));
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        if bad.is_empty() {
            return Ok(());
        }
        // One that no other try would mend decides.
        let code = |writer: &&Writer| writer.failure.unwrap_or(code::WRITERERROR_NONRETRYABLE);
        let codes: Vec<Code> = bad.iter().map(code).collect();
        let lasting = codes.iter().find(|code| words::remedy(**code) == Remedy::None);
        Err(Trouble::Failed {
            call: name(after),
            code: *lasting.unwrap_or(&codes[0]),
            volume: None,
            writers: bad.into_iter().map(words::failed).collect(),
        })
    }
}

/// A requester whose backup is aborted unless it comes to its end.
struct Begun(Option<Box<dyn Requester>>);

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(requester) = &mut self.0 {
            let _ = requester.abort();
        }
    }
}

/// One attempt, with a requester of its own.
fn attempt(
    volumes: &[String],
    inside: &[usize],
    service: &dyn Service,
    waiting: &mut Waiting<'_>,
    note: &mut dyn FnMut(Id) -> Result<()>,
) -> Result<(Set, Vec<String>), Trouble> {
    waiting.heed()?;
    let mut requester = service.requester().map_err(failed("CreateVssBackupComponents"))?;
    requester.initialize().map_err(failed("InitializeForBackup"))?;
    requester.set_context(Context::Backup).map_err(failed("SetContext"))?;
    requester.set_state().map_err(failed("SetBackupState"))?;
    waiting.step(&mut *requester, Step::GatherWriterMetadata)?;
    requester.free_metadata().map_err(failed("FreeWriterMetadata"))?;
    waiting.heed()?;
    let id = requester.start_set().map_err(failed("StartSnapshotSet"))?;
    let mut begun = Begun(Some(requester));
    let requester = begun.0.as_deref_mut().expect("it has just begun");
    let mut notes = Vec::new();
    let ids = add(requester, volumes, inside)?;
    waiting.step(requester, Step::PrepareForBackup)?;
    waiting.check_writers(requester, Step::PrepareForBackup, &mut notes)?;
    note(id).map_err(Trouble::Own)?;
    if let Err(mut trouble) = waiting.step(requester, Step::DoSnapshotSet) {
        if let Trouble::Failed { writers, .. } = &mut trouble
            && let Ok(found) = waiting.writers(requester)
        {
            writers.extend(found.iter().filter(|writer| words::has_failed(writer)).map(words::failed));
        }
        return Err(trouble);
    }
    waiting.check_writers(requester, Step::DoSnapshotSet, &mut notes)?;
    let mut snapshots = Vec::new();
    for (volume, id) in ids {
        waiting.heed()?;
        let snapshot = requester.properties(id).map_err(failed("GetSnapshotProperties"))?;
        snapshots.push((volume, snapshot));
    }
    let requester = begun.0.take().expect("it is there until here");
    Ok((Set { requester, id, snapshots, is_complete: false }, notes))
}

/// Adds every volume to the set.
fn add(
    requester: &mut dyn Requester,
    volumes: &[String],
    inside: &[usize],
) -> Result<Vec<(usize, Id)>, Trouble> {
    let about = |call: &'static str, volume: usize| {
        move |code| Trouble::Failed { call, code, volume: Some(volume), writers: Vec::new() }
    };
    let mut unsupported = Vec::new();
    for &volume in inside {
        let asked = requester.is_supported(&with_backslash(&volumes[volume]));
        if !asked.map_err(about("IsVolumeSupported", volume))? {
            unsupported.push((volume, code::VOLUME_NOT_SUPPORTED));
        }
    }
    if !unsupported.is_empty() {
        return Err(Trouble::Unsupported(unsupported));
    }
    let add = |&volume: &usize| {
        let id =
            requester.add(&with_backslash(&volumes[volume])).map_err(about("AddToSnapshotSet", volume))?;
        Ok((volume, id))
    };
    inside.iter().map(add).collect()
}

impl Set {
    /// Whether every snapshot still is there; an error where one was lost.
    ///
    /// # Errors
    /// `Gone` where the system gave one up.
    pub fn check(&mut self) -> Result<()> {
        for (_, snapshot) in &self.snapshots {
            let lost = match self.requester.properties(snapshot.id) {
                Ok(_) => continue,
                Err(code::OBJECT_NOT_FOUND) => {
                    "the system gave it up, as it does where there is no more room for what changes"
                        .to_owned()
                }
                Err(code) => in_words(code),
            };
            let context =
                format!("the snapshot of {} was lost: {lost}", snapshot.volume.trim_end_matches('\\'));
            let volume = word(Path::new(&with_backslash(&snapshot.volume))).to_string();
            return Err(Error::new(Kind::Gone, context)
                .advise(format!(
                    "make room for it:  vssadmin resize shadowstorage /for={volume} /on={volume} /maxsize=20%"
                ))
                .advise(
                    "run the same command again: it makes a new snapshot, and rewrites only what differs",
                ));
        }
        Ok(())
    }

    /// Tells the writers that the backup is over; what they answer is worth a line and no more, as what was read is read. The
    /// snapshots stay until this is dropped.
    pub fn complete(&mut self, clock: &dyn Clock, stop: &dyn Fn() -> bool) -> Vec<String> {
        let waiting = Waiting { clock, stop };
        let mut notes = Vec::new();
        let told = waiting.step(&mut *self.requester, Step::BackupComplete);
        self.is_complete = told.is_ok();
        let ended =
            told.and_then(|()| waiting.check_writers(&mut *self.requester, Step::BackupComplete, &mut notes));
        match ended {
            Ok(()) => {}
            Err(Trouble::Failed { writers, .. }) if !writers.is_empty() => {
                notes.push(format!("after the backup the writer {}", writers.join(", ")));
            }
            Err(Trouble::Failed { code, call, .. }) => {
                notes.push(format!("the end of the backup could not be told: {} in {call}", in_words(code)));
            }
            Err(_) => notes.push("the end of the backup was not waited for".to_owned()),
        }
        notes
    }
}

/// The snapshots that there are, of all programs.
///
/// # Errors
/// What the service refused.
pub fn list(service: &dyn Service) -> Reply<Vec<Snapshot>> {
    let mut requester = service.requester()?;
    requester.initialize()?;
    requester.set_context(Context::All)?;
    match requester.list() {
        Err(code::OBJECT_NOT_FOUND) => Ok(Vec::new()),
        answer => answer,
    }
}

/// Removes a set of snapshots.
///
/// # Errors
/// What the service refused.
pub fn remove(service: &dyn Service, set: Id) -> Reply<()> {
    let mut requester = service.requester()?;
    requester.initialize()?;
    requester.set_context(Context::All)?;
    match requester.delete(set) {
        // Somebody was quicker.
        Err(code::OBJECT_NOT_FOUND) => Ok(()),
        answer => answer,
    }
}

#[cfg(test)]
mod tests;
