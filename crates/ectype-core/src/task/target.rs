//! The names that `create` writes to, and whose files they must not be.

use super::open::Opened;
use crate::error::{Error, Result};
use crate::os::file::{self, PlainFile};
use crate::proof::record;
use std::path::{Path, PathBuf};

/// The image and its companions.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) image: PathBuf,
    pub(super) map: PathBuf,
    pub(super) state: PathBuf,
    pub(super) keep_map: bool,
}

/// Whether something has this name, be it a link to nowhere.
pub(super) fn exists(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(format!("looking at {}", path.display()), error)),
    }
}

impl Files {
    /// Everything that a run may write, with what it is to the image.
    fn all(&self) -> [(&'static str, PathBuf); 5] {
        [
            ("image", self.image.clone()),
            ("map", self.map.clone()),
            ("state", self.state.clone()),
            ("record", record::path_of(&self.image)),
            ("list of digests", record::beside(&self.image, ".sha256")),
        ]
    }
}

/// Whether two names are one file: through links, or as two spellings of a name that may not exist yet.
fn is_same(a: &Path, b: &Path) -> bool {
    let stamp = |path: &Path| {
        let stamp = PlainFile::open(path).and_then(|file| file.stamp()).ok()?;
        Some((stamp.device, stamp.inode))
    };
    let spelled =
        |path: &Path| Some((std::fs::canonicalize(file::folder(path)).ok()?, path.file_name()?.to_owned()));
    let is_file = |path: &Path| std::fs::metadata(path).is_ok_and(|facts| facts.is_file());
    let by_name = spelled(a).is_some_and(|name| Some(name) == spelled(b));
    by_name || (is_file(a) && is_file(b) && stamp(a).is_some_and(|file| Some(file) == stamp(b)))
}

/// Neither the image nor what lies beside it may be the source, nor may two of them be one.
pub(super) fn refuse_source(files: &Files, source: &Path, opened: &Opened) -> Result<()> {
    let all = files.all();
    for (what, path) in &all {
        let is_source = match &opened.device {
            None => is_same(path, source),
            // The file below a loop device is its content.
            Some(device) => device.bus == "loop" && is_same(path, Path::new(&device.model)),
        };
        if is_source {
            let what = if *what == "image" { String::new() } else { format!(", and would be the {what}") };
            return Err(Error::refused(format!("{} is the source itself{what}", path.display())));
        }
        if *what != "map" && is_same(path, &files.map) {
            return Err(Error::refused(format!("{} cannot be both map and {what}", path.display()))
                .advise("give the map another name:  --map FILE"));
        }
    }
    Ok(())
}

/// An image that is written to its own source chases its tail.
pub(super) fn refuse_on_source(files: &Files, opened: &Opened) -> Result<()> {
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
pub(super) fn refuse_bystanders(files: &Files) -> Result<()> {
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
    let has_state = exists(&files.state)?;
    if has_state {
        // A link here would send the writes elsewhere.
        let is_file = std::fs::symlink_metadata(&files.state).is_ok_and(|facts| facts.is_file());
        if !is_file || !begins(&files.state, &[crate::proof::ledger::MAGIC, &[0; 16]])? {
            return Err(refused(&files.state, "state"));
        }
    }
    if files.map.exists() {
        let is_file = std::fs::metadata(&files.map).is_ok_and(|facts| facts.is_file());
        let is_ours = has_state && !files.keep_map;
        if !is_file || !(is_ours || begins(&files.map, &[b"# Mapfile", b"# Rescue Logfile"])?) {
            return Err(refused(&files.map, "map"));
        }
    }
    Ok(())
}
