//! What stands where an image is to be made: nothing, an unfinished image, or something that must not be touched.
//!
//! ```text
//!   IMAGE   IMAGE.map   IMAGE.state   IMAGE.ectype.json
//!     –         –            –               –           begin
//!     ·         there        there           ·           go on, if it is the same medium
//!     ·         there        –               ·           go on; that it is the same medium is not proven
//!     there     –            ·               there       finished: refused, or replaced on the user's word
//!     there     –            ·               –           somebody's file: refused, or replaced on the user's word
//! ```

use super::create::Options;
use super::open::Opened;
use crate::error::{Error, Kind, Result, word};
use crate::extent::{Extent, Extents};
use crate::image::{self, Format, Spec};
use crate::io::ReadAt;
use crate::os::file::{self, FileStamp, PlainFile};
use crate::os::{self, Found};
use crate::plan::map::{MapFile, RescueMap, Stage, Status};
use crate::proof::identity::{Identity, Moment};
use crate::proof::ledger::{Ledger, Left};
use crate::proof::record::{self, Record};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// Advice of an image of which only a map tells.
const NOT_ITS_MAP: &str = "the map of another image?  move it away, or name the right one:  --map FILE";

/// A longer map is none that any medium yields, in bytes.
const LONGEST_MAP: u64 = 64 << 20;

/// The image and what lies beside it.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) image: PathBuf,
    pub(super) map: PathBuf,
    pub(super) state: PathBuf,
    /// The user named the map: it is never removed.
    pub(super) keep_map: bool,
}

/// What stands at the target.
pub(super) enum Target {
    Nothing,
    /// A map, with the state where there is one.
    Unfinished(Box<Unfinished>),
}

/// An image that an earlier run left.
pub(super) struct Unfinished {
    pub(super) map: RescueMap,
    pub(super) left: Option<(Left, RunFacts)>,
    /// Whether what is held has to be read again.
    pub(super) compare: bool,
    /// Where the rescue stood.
    pub(super) stage: (Stage, u64),
    /// Whether it has not to be only because the user says so.
    pub(super) trusted: bool,
    /// Another program changed the map since: what it says is taken on its word.
    pub(super) foreign: bool,
}

impl Unfinished {
    /// Whether the map is not the one that the state knows.
    pub(super) fn is_of_another(&self) -> bool {
        self.left.as_ref().is_some_and(|(left, _)| !left.leaves_valid)
    }

    /// Whether byte n of the disk is byte n of the image, as far as is known.
    fn is_bytes(&self) -> bool {
        let format = self.left.as_ref().and_then(|(_, facts)| image::named(&facts.format));
        format.is_none_or(|format| format.is_bytes)
    }

    /// An image that was begun in one format is not gone on with in another.
    pub(super) fn refuse_other(&self, format: &'static Format, spec: &Spec, files: &Files) -> Result<()> {
        let image = files.image.display();
        let begun = match &self.left {
            // A map that holds nothing takes nobody's word.
            None if self.foreign && !format.is_bytes => {
                let context = format!(
                    "{} came without the state of its run, and only raw images are gone on with by a map alone",
                    files.map.display()
                );
                return Err(Error::refused(context)
                    .advise("begin anew:  --restart")
                    .advise("finish it as a raw image, then  ectype convert  it"));
            }
            None => return Ok(()),
            Some((_, before)) if before.format != format.name => format!("as {}", before.format),
            Some((_, RunFacts { spec: Some(before), .. })) if before.is_of_other_state(spec) => {
                return Err(Error::new(
                    Kind::Changed,
                    format!("the base is not what it was when the unfinished {image} was begun"),
                )
                .advise("begin anew:  --restart"));
            }
            Some((_, RunFacts { spec: Some(before), .. })) if !before.is_like(spec) => {
                let level = |spec: &Spec| spec.level.map_or(String::new(), |level| format!(":{level}"));
                let words = [&before.subformat, &before.compression].map(String::as_str).join(" ");
                format!("otherwise: {}{}", words.trim(), level(before))
            }
            Some(_) => return Ok(()),
        };
        Err(Error::refused(format!("the unfinished {image} was begun {begun}"))
            .advise("go on with it:  the same options as before")
            .advise("begin anew:     --restart"))
    }

    /// What the image holds.
    pub(super) fn held(&self) -> Extents {
        match &self.left {
            Some((left, _)) => left.held(&self.map),
            None => self.map.extents(Status::Finished),
        }
    }
}

/// What the state file keeps of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunFacts {
    pub(super) identity: Identity,
    pub(super) moment: Moment,
    pub(super) format: String,
    /// What the image is like; of raw images before it was kept there is none.
    #[serde(default)]
    pub(super) spec: Option<Spec>,
    pub(super) began: String,
    pub(super) runs: u32,
    /// Some of it was copied without proof that it is of this medium at this time.
    pub(super) unproven: bool,
    /// What the table around a volume is made of: it begins and ends with the same, by whatever name the volume comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) table_seed: Option<[u8; 32]>,
}

/// An image that is a device would overwrite it: that is `restore`, with its questions.
pub(super) fn refuse_device(image: &Path) -> Result<()> {
    // With the longest name that is made of it, a record's that is being replaced.
    const LONGEST: usize = 255 - ".ectype.json.ectype-new".len();
    let len = image.file_name().map_or(0, |name| name.as_encoded_bytes().len());
    if len > LONGEST {
        let context =
            format!("the name of the image has {len} bytes; with those beside it, {LONGEST} are the most");
        return Err(Error::refused(context).advise("choose a shorter name"));
    }
    if os::disk::is_name(image) {
        return Err(Error::refused(format!("{} is a device, and an image is a file", image.display()))
            .advise("write an image to a device:  ectype restore IMAGE DEVICE"));
    }
    refuse_misnamed(image)?;
    match std::fs::metadata(image) {
        Ok(facts) if facts.is_dir() => {
            Err(Error::refused(format!("{} is a folder, not a name for an image", image.display()))
                .advise(format!("name a file in it: {}", word(&image.join("disc.img")))))
        }
        Ok(facts) if !facts.is_file() => {
            let refused = |what: &str| Error::refused(format!("{} is {what}", image.display()));
            Err(match os::disk::find(image) {
                Ok(Found::Device { .. }) => refused("a device, and an image is a file")
                    .advise("write an image to a device:  ectype restore IMAGE DEVICE"),
                _ => refused("no file, and an image is one").advise("choose another name for the image"),
            })
        }
        Ok(_) => Ok(()),
        Err(error) => {
            refuse_no_folder(file::folder(image))?;
            match error.kind() {
                ErrorKind::NotFound => Ok(()),
                _ => Err(Error::io(format!("looking at {}", image.display()), error)),
            }
        }
    }
}

/// Refuses a folder that is not there, or is none.
pub(super) fn refuse_no_folder(folder: &Path) -> Result<()> {
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Ok(facts) if facts.is_dir() => Ok(()),
        Ok(_) => Err(Error::refused(format!("{shown} is no folder")).advise("choose another place")),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            // Nobody makes a drive or a share by a command.
            let top = folder.ancestors().filter(|place| !place.as_os_str().is_empty()).last();
            match top.filter(|top| top.file_name().is_none() && top.components().next().is_some()) {
                Some(top) if std::fs::metadata(top).is_err() => {
                    Err(Error::refused(format!("{} is not there", top.display()))
                        .advise("connect it, or choose another folder"))
                }
                _ => Err(Error::refused(format!("there is no folder {shown}"))
                    .advise(format!("make it:  {}", os::advice::make_folder(folder)))),
            }
        }
        Err(error) => Err(Error::io(format!("looking at the folder {shown}"), error)),
    }
}

/// Refuses what no file can be called: it would be made under another name, or not be found again.
pub(super) fn refuse_misnamed(path: &Path) -> Result<()> {
    let is_folder = path.to_string_lossy().ends_with(std::path::is_separator);
    let why = match os::disk::misnamed(path) {
        None if is_folder && !path.is_dir() => "what ends so is a folder, and none is there",
        None => return Ok(()),
        Some(why) => why,
    };
    let error = Error::refused(format!("{} is no name for a file: {why}", path.display()));
    let device = os::disk::meant(path).map(|device| format!("the device is {}", device.display()));
    Err(device.into_iter().fold(error, Error::advise).advise("choose another name"))
}

/// The text of a map, which may be any file that the user named.
pub(super) fn map_text(path: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    // The length that a file tells may not be that of what it gives.
    File::open(path).and_then(|file| file.take(LONGEST_MAP + 1).read_to_end(&mut text)).map_err(|error| {
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink());
        if is_link && error.kind() == ErrorKind::NotFound {
            let context = format!("{} is a link that leads nowhere", path.display());
            return Error::refused(context).advise("remove it, or give the map another name");
        }
        Error::io(format!("reading {}", path.display()), error)
    })?;
    if text.len() as u64 > LONGEST_MAP {
        let most = LONGEST_MAP >> 20;
        let context = format!("{} is too long for a map: {most} MiB are the most", path.display());
        return Err(Error::new(Kind::Limit, context).advise("is it the right file?"));
    }
    Ok(text)
}

/// What stands at the target, and whether this run may go on with it.
pub(super) fn survey(
    files: &Files,
    options: &Options,
    opened: &Opened,
    base: Option<&Opened>,
) -> Result<Target> {
    let image = files.image.display();
    refuse_misnamed(&files.map)?;
    refuse_source(files, options, opened)?;
    refuse_needed(files, [Some(opened), base])?;
    refuse_on_source(files, opened)?;
    let record = refuse_bystanders(files)?;
    let record = if exists(&files.image)? { record } else { None };
    let is_finished = record.is_some();
    let is_recorded_whole = record.is_some_and(|record| record.status == "whole");
    let is_begun = files.was_begun()?;
    // A map that the user named stays when the image is whole.
    let is_whole = is_recorded_whole && !is_begun;
    let anew = options.restart || (options.overwrite && is_finished);
    // A map of nothing makes no file an image to go on with.
    let claimed = if exists(&files.map)? { map_claims(&files.map)? } else { 0 };
    let is_claimed = claimed > 0;
    let is_replaced = options.overwrite && exists(&files.image)? && !is_begun;
    if exists(&files.map)? && !is_whole && !anew && (is_claimed || !is_replaced) {
        if is_replaced {
            let context = format!("{} says that {image} is an image to go on with", files.map.display());
            return Err(Error::refused(context)
                .advise("go on with it:  leave out --overwrite")
                .advise(NOT_ITS_MAP));
        }
        let known = Known { is_begun, is_recorded: is_finished };
        return Ok(Target::Unfinished(Box::new(unfinished(files, options, opened, known)?)));
    }
    if !exists(&files.image)? || options.overwrite {
        return Ok(Target::Nothing);
    }
    if options.restart {
        // Only what is known to be unfinished is discarded.
        let is_incomplete = is_finished && !is_recorded_whole;
        let len = std::fs::metadata(&files.image).map_or(0, |facts| facts.len());
        if !is_whole && ((1..=len).contains(&claimed) || is_begun || is_incomplete) {
            return Ok(Target::Nothing);
        }
        return Err(Error::refused(format!("{image} exists and is no unfinished image"))
            .advise("replace it:  --overwrite"));
    }
    if !is_finished && is_begun {
        let context = format!("{image} is unfinished, and its map {} is missing", files.map.display());
        return Err(Error::refused(context)
            .advise("it has another name:  --map FILE")
            .advise("begin anew:           --restart"));
    }
    if is_finished {
        return Err(Error::refused(format!("{image} exists and is finished"))
            .advise(format!("check it:    ectype verify {}", word(&files.image)))
            .advise("replace it:  --overwrite"));
    }
    Err(Error::refused(format!("{image} exists")).advise("replace it:  --overwrite"))
}

/// Up to which byte a map says that an image is held; 0 where nothing is. One that cannot be read as a map may claim all.
fn map_claims(path: &Path) -> Result<u64> {
    let text = map_text(path)?;
    if text.trim_ascii().is_empty() {
        return Ok(0);
    }
    let end = |file: MapFile| file.map.extents(Status::Finished).iter().next_back().map_or(0, |at| at.end());
    Ok(MapFile::parse(&text).map_or(u64::MAX, end))
}

/// Whether something has this name, be it a link to nowhere.
fn exists(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(format!("looking at {}", path.display()), error)),
    }
}

impl Files {
    pub(super) fn new(image: PathBuf, map: Option<PathBuf>) -> Files {
        let keep_map = map.is_some();
        let map = map.unwrap_or_else(|| record::beside(&image, ".map"));
        Files { map, keep_map, state: record::beside(&image, ".state"), image }
    }

    /// The state file, taken for this run alone.
    pub(super) fn lock_state(&self) -> Result<PlainFile> {
        let name = self.state.display();
        let failed = |error| Error::writing(format!("writing {name}"), error);
        let state = loop {
            let state = PlainFile::open_or_create(&self.state).map_err(failed)?;
            if !state.lock().map_err(failed)? {
                let context = format!("another ectype is at work on {}", self.image.display());
                return Err(Error::refused(context));
            }
            // A run that ended meanwhile took the name with it: a lock on a file without a name keeps nobody out.
            let inode = |stamp: FileStamp| (stamp.device, stamp.inode);
            match PlainFile::open(&self.state).and_then(|file| file.stamp()) {
                Ok(named) if inode(named) == inode(state.stamp().map_err(failed)?) => break state,
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    if state.size() == 0 {
                        let _ = remove(&self.state);
                    }
                    return Err(failed(error));
                }
                _ => {}
            }
        };
        Ok(state)
    }

    /// Whether an earlier run recorded anything in the state. An empty one says nothing of the image.
    pub(super) fn was_begun(&self) -> Result<bool> {
        let failed = |error| Error::io(format!("reading {}", self.state.display()), error);
        Ok(exists(&self.state)? && Ledger::was_begun(&PlainFile::open(&self.state).map_err(failed)?))
    }

    /// What an earlier run knew, if the state tells; whether that may be gone on with, [`survey`] finds out.
    pub(super) fn earlier(&self) -> Option<RunFacts> {
        // Opening a pipe would wait for its other end.
        let is_file = std::fs::symlink_metadata(&self.state).is_ok_and(|facts| facts.is_file());
        is_file.then(|| Ledger::facts(&PlainFile::open(&self.state).ok()?))?
    }

    /// What a run made that could not begin goes; a map that was there before was emptied first, and stays.
    pub(super) fn abandon(&self, had_map: bool) {
        self.remove_state();
        if !had_map {
            let _ = remove(&self.map);
        }
        if std::fs::symlink_metadata(&self.image).is_ok_and(|facts| facts.is_file() && facts.len() == 0) {
            let _ = remove(&self.image);
        }
    }

    /// The state of a run that could not begin goes: it would call the image unfinished, whosever it is.
    pub(super) fn remove_state(&self) {
        let _ = remove(&self.state);
    }

    /// Removes the image that stands here, and its record, on the user's word. First the image: where it has to stay, its record
    /// still speaks of it, and without it a record says nothing.
    pub(super) fn discard(&self) -> Result<()> {
        remove(&self.image)?;
        self.discard_record()?;
        let folder = file::folder(&self.image);
        file::sync_dir(folder).map_err(|error| Error::io("flushing the folder", error))
    }

    /// Before the image changes, its record goes: it must never speak of other bytes.
    pub(super) fn discard_record(&self) -> Result<()> {
        let (record, list) = (record::path_of(&self.image), record::beside(&self.image, ".sha256"));
        if exists(&record)? || exists(&list)? {
            // A list without its record would be taken for somebody's.
            remove(&list)?;
            remove(&record)?;
            let folder = file::folder(&self.image);
            file::sync_dir(folder).map_err(|error| Error::io("flushing the folder", error))?;
        }
        Ok(())
    }

    /// The image is whole: first the map goes, then the state, so that no map ever stands without it.
    pub(super) fn remove_companions(&self) -> Result<()> {
        if !self.keep_map {
            remove(&self.map)?;
        }
        remove(&self.state)
    }

    /// A power cut between the two removals leaves the state of a run that is over: it goes.
    pub(super) fn clear_leftover(&self) {
        let is_left = || matches!((exists(&self.map), exists(&self.state)), (Ok(false), Ok(true)));
        let is_over = || matches!(refuse_bystanders(self), Ok(Some(record)) if record.status == "whole");
        // Whoever holds the lock is at work.
        if is_left()
            && is_over()
            && let Ok(_state) = self.lock_state()
        {
            let _ = remove(&self.state);
        }
    }

    /// Everything that a run may write, with what it is to the image.
    fn all(&self) -> [(&'static str, PathBuf); 8] {
        let (record, list) = (record::path_of(&self.image), record::beside(&self.image, ".sha256"));
        [
            ("image", self.image.clone()),
            ("map", self.map.clone()),
            ("state", self.state.clone()),
            ("new map", file::temporary(&self.map)),
            ("new record", file::temporary(&record)),
            ("new list of digests", file::temporary(&list)),
            ("record", record),
            ("list of digests", list),
        ]
    }
}

/// Whether two names are one file: through links, or as two spellings of a name that may not exist yet.
pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    let stamp = |path: &Path| {
        let stamp = PlainFile::open(path).and_then(|file| file.stamp()).ok()?;
        Some((stamp.device, stamp.inode))
    };
    let is_folder = |a: &Path, b: &Path| {
        let real = |path| std::fs::canonicalize(file::folder(path)).ok();
        real(a).is_some_and(|folder| Some(folder) == real(b))
    };
    let is_file = |path: &Path| std::fs::metadata(path).is_ok_and(|facts| facts.is_file());
    let is_name = |(a, b)| file::is_same_name(a, b);
    let by_name = a.file_name().zip(b.file_name()).is_some_and(is_name) && is_folder(a, b);
    by_name || (is_file(a) && is_file(b) && stamp(a).is_some_and(|file| Some(file) == stamp(b)))
}

/// Neither the image nor what lies beside it may be the source, nor may two of them be one.
fn refuse_source(files: &Files, options: &Options, opened: &Opened) -> Result<()> {
    let all = files.all();
    for (what, path) in &all {
        let is_source = match &opened.device {
            None => is_same(path, &options.source),
            // The file below a loop device is its content.
            Some(device) => device.backing.as_deref().is_some_and(|backing| is_same(path, backing)),
        };
        if is_source {
            let what = if *what == "image" { String::new() } else { format!(", and would be the {what}") };
            return Err(Error::refused(format!("{} is the source itself{what}", path.display())));
        }
    }
    for (index, (what, path)) in all.iter().enumerate() {
        if let Some((other, _)) = all[..index].iter().find(|(_, other)| is_same(path, other)) {
            return Err(Error::refused(format!("{} cannot be both {other} and {what}", path.display()))
                .advise("give the map another name:  --map FILE"));
        }
    }
    Ok(())
}

/// Nor may they be what the source or the base is made of: an image without its parent is nothing, and neither would be
/// what is made here.
fn refuse_needed(files: &Files, images: [Option<&Opened>; 2]) -> Result<()> {
    for image in images.into_iter().flatten() {
        for needed in image.image_files() {
            if let Some((_, path)) = files.all().iter().find(|(_, path)| is_same(path, needed)) {
                let name = &image.identity.path;
                let context = match Path::new(name) == needed {
                    true => format!("{} is the base itself", path.display()),
                    false => format!("{} is a part of {name}, which is nothing without it", path.display()),
                };
                return Err(Error::refused(context).advise("choose another name for the image"));
            }
        }
    }
    Ok(())
}

/// An image that is written to its own source chases its tail.
fn refuse_on_source(files: &Files, opened: &Opened) -> Result<()> {
    let number =
        |path: &Path| PlainFile::open(path).and_then(|file| file.stamp()).ok().map(|stamp| stamp.device);
    let mut mounts = opened.device.iter().flat_map(|device| &device.mounts);
    let Some(target) = number(file::folder(&files.image)) else { return Ok(()) };
    if let Some(mount) = mounts.find(|mount| number(&mount.target) == Some(target)) {
        let context = format!(
            "{} would lie on the source itself, mounted on {}",
            files.image.display(),
            mount.target.display()
        );
        return Err(Error::refused(context).advise("choose a folder on another disk"));
    }
    Ok(())
}

/// Files of others that happen to have the names of map and state are never overwritten.
///
/// Returns the record that belongs to the image's name, where there is one.
fn refuse_bystanders(files: &Files) -> Result<Option<Record>> {
    let refused = |path: &Path, what: &str| {
        Error::refused(format!("{} is in the way: it is not the {what} of an image", path.display()))
            .advise("move it, or choose another name for the image")
    };
    let begins = |path: &Path, heads: &[&[u8]]| -> Result<bool> {
        let failed = |error| Error::io(format!("reading {}", path.display()), error);
        let mut head = [0; 16];
        let held = PlainFile::open(path).and_then(|file| file.read_some(&mut head, 0)).map_err(failed)?;
        Ok(held == 0 || heads.iter().any(|start| head[..held].starts_with(start)))
    };
    if exists(&files.state)? {
        // A link here would send the writes elsewhere.
        let is_file = std::fs::symlink_metadata(&files.state).is_ok_and(|facts| facts.is_file());
        if !is_file || !begins(&files.state, &[crate::proof::ledger::MAGIC, &[0; 16]])? {
            return Err(refused(&files.state, "state"));
        }
    }
    let (record, list) = (record::path_of(&files.image), record::beside(&files.image, ".sha256"));
    let Ok(known) = Record::of(&files.image) else { return Err(refused(&record, "record")) };
    if exists(&list)? && !known.as_ref().is_some_and(|record| record.wrote_list(&list)) {
        return Err(refused(&list, "list of digests"));
    }
    if files.map.exists() {
        let is_file = std::fs::metadata(&files.map).is_ok_and(|facts| facts.is_file());
        let is_ours = !files.keep_map && files.was_begun()?;
        if !is_file || !(is_ours || begins(&files.map, &[b"# Mapfile", b"# Rescue Logfile"])?) {
            return Err(refused(&files.map, "map"));
        }
    }
    Ok(known)
}

/// How an image is known to be ours.
#[derive(Clone, Copy)]
struct Known {
    /// An earlier run began it, as its state tells.
    is_begun: bool,
    /// It has a record.
    is_recorded: bool,
}

fn unfinished(files: &Files, options: &Options, opened: &Opened, known: Known) -> Result<Unfinished> {
    let Known { is_begun, is_recorded } = known;
    let is_known = is_begun || is_recorded;
    let map_name = files.map.display();
    let text = map_text(&files.map)?;
    // Of somebody's file a map proves too little to have it discarded.
    let anew = if is_known { "discard the unfinished image and begin anew:  --restart" } else { NOT_ITS_MAP };
    let wrong = |error: Error| {
        let advice = error.advice().to_vec();
        let wrong = Error::new(error.kind(), format!("{map_name} is not the map of this image"));
        advice.into_iter().fold(wrong.because(error), Error::advise).advise(anew)
    };
    if text.trim_ascii().is_empty() && exists(&files.image)? {
        // As a map of nothing it would give the image away, whosever it is.
        return Err(wrong(Error::corrupt(0, "it is empty")));
    }
    let MapFile { mut map, current_pos, current_status, current_pass } =
        MapFile::parse(&text).map_err(wrong)?;
    let stage = (Stage { phase: current_status, pass: current_pass, backwards: false }, current_pos);
    let other = |reason: &dyn std::fmt::Display| {
        let context =
            format!("{} is another medium than the unfinished image is of: {reason}", opened.identity.path);
        Error::new(Kind::Changed, context).advise(anew)
    };
    map.cover(opened.geometry().size).map_err(|error| other(&error.in_file(&files.map)))?;
    let image_is_there = || {
        if files.image.exists() {
            return Ok(());
        }
        let context = format!("{map_name} speaks of an image that is not there: {}", files.image.display());
        let anew = "discard what is left of it and begin anew:  --restart";
        Err(Error::new(Kind::Changed, context).advise(anew))
    };
    // A map that holds nothing takes nobody's word.
    let claims = map.bytes(Status::Finished) > 0;
    if claims {
        image_is_there()?;
    }
    // Nor does it give away what an earlier run has read, or somebody's file.
    let unless_given_away = || {
        if claims || std::fs::metadata(&files.image).map_or(true, |facts| facts.len() == 0) {
            return Ok(());
        }
        let context = format!("{map_name} holds nothing of {}, which is not empty", files.image.display());
        let refused = Error::refused(context);
        Err(if is_known {
            refused.advise("go on with its own map, or make one:  ectype map").advise(anew)
        } else {
            refused.advise("replace it:  --overwrite")
        })
    };
    // At its shortest it ends with the last byte that is held: a disc's run-out is cut off, a file without holes grows
    // forward, and another program's ends where that stopped.
    let is_as_long = |unfinished: Unfinished| {
        let held_end = unfinished.held().iter().next_back().map_or(0, Extent::end);
        let size = unfinished.map.size();
        match std::fs::metadata(&files.image) {
            Ok(facts) if unfinished.is_bytes() && !(held_end..=size).contains(&facts.len()) => {
                let said =
                    if is_known { "the earlier run left it".to_owned() } else { format!("{map_name} says") };
                let context = format!("{} is not as long as {said}", files.image.display());
                Err(Error::new(Kind::Changed, context).advise(anew))
            }
            _ => Ok(unfinished),
        }
    };
    if !is_begun {
        unless_given_away()?;
        let left = None;
        return is_as_long(Unfinished { map, left, compare: false, trusted: false, foreign: claims, stage });
    }
    let state_name = files.state.display();
    let state =
        PlainFile::open(&files.state).map_err(|error| Error::io(format!("reading {state_name}"), error))?;
    let (left, facts) = Ledger::load::<RunFacts>(&state, &map).map_err(|error| {
        let kind = error.kind();
        if kind == Kind::Changed {
            return other(&error);
        }
        Error::new(kind, format!("{state_name} is not the state of this image")).because(error).advise(anew)
    })?;
    facts
        .identity
        .recognises(&opened.identity, &facts.moment, &opened.moment, opened.immutable)
        .map_err(|reason| other(&reason))?;
    if !left.held(&map).is_empty() {
        image_is_there()?;
    } else if is_recorded || !left.leaves_valid {
        unless_given_away()?;
    }
    // A moment proves something of the map that it was recorded with; of another, nothing.
    let same_moment = left.leaves_valid && facts.moment.proves_unchanged(&opened.moment);
    // What a run that compared has not come to is proven by nothing, and only the user's word settles it.
    let is_settled = left.is_compared() || !options.trust_map;
    let proven = opened.immutable || (same_moment && is_settled);
    let trusted = !proven && options.trust_map;
    let compare = !proven && !trusted;
    let foreign = claims && !compare && !left.leaves_valid;
    is_as_long(Unfinished { map, left: Some((left, facts)), compare, trusted, foreign, stage })
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            let is_held = file::is_held(&error);
            let error = Error::io(format!("removing {}", path.display()), error);
            Err(if is_held { error.advise("close it in the program that has it open") } else { error })
        }
        _ => Ok(()),
    }
}
