//! A note of the snapshots that a run holds, so that the next one finds what a crash left.
//!
//! One file a set, in a folder of the machine and not beside the image: snapshots are the machine's, and the image may lie on a
//! disk that is gone by then. It is held locked as long as the run lives: what is not locked was left.

use super::{System, list, remove};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, WriteAt};
use crate::os::file::PlainFile;
use crate::os::snapshot::{Id, Snapshot};
use std::fs;
use std::path::{Path, PathBuf};

/// A note is a line.
const LONGEST: u64 = 64 << 10;

/// A note of a set that is held. Dropped, it goes.
#[derive(Debug)]
pub struct Note {
    path: PathBuf,
    file: Option<PlainFile>,
}

impl Drop for Note {
    fn drop(&mut self) {
        self.file = None;
        let _ = fs::remove_file(&self.path);
    }
}

/// Notes that this process holds `set` for `image`. Best effort: without it a crash leaves no trace, and no harm, as the system
/// removes snapshots of this kind by itself.
pub fn note(folder: &Path, set: Id, image: &str) -> Option<Note> {
    fs::create_dir_all(folder).ok()?;
    let path = folder.join(format!("{set}.txt"));
    let file = PlainFile::open_or_create(&path).ok()?;
    let note = Note { path, file: Some(file) };
    let file = note.file.as_ref()?;
    let is_ours = file.lock().ok()?;
    let line: String = image.chars().filter(|c| !c.is_control()).collect();
    file.write_at(format!("{line}\n").as_bytes(), 0).ok()?;
    is_ours.then_some(note)
}

/// Snapshots that a run left which is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Their set.
    pub set: Id,
    /// The volumes that they are of.
    pub volumes: Vec<String>,
    /// The image that was made.
    pub image: String,
}

impl Left {
    /// The command that removes them.
    pub fn command(&self) -> String {
        format!(
            "powershell -Command \"Get-CimInstance Win32_ShadowCopy | Where-Object SetID -eq '{}' | Remove-CimInstance\"",
            self.set
        )
    }

    /// Removes them.
    ///
    /// # Errors
    /// What the service refused.
    pub fn remove(&self, system: &dyn System) -> Result<()> {
        remove(&*system.service()?, self.set).map_err(|code| {
            let context = format!("removing the snapshots {}: {}", self.set, super::in_words(code));
            Error::new(Kind::Io, context).advise(format!("remove them:  {}", self.command()))
        })?;
        if let Some(folder) = system.notes() {
            let _ = fs::remove_file(folder.join(format!("{}.txt", self.set)));
        }
        Ok(())
    }
}

/// What runs that are no more have left; notes of what is gone by itself go with it.
pub fn left(system: &dyn System) -> Vec<Left> {
    let Some(folder) = system.notes().filter(|_| system.is_there()) else { return Vec::new() };
    let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
    let mut noted = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let set = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".txt").and_then(Id::parse));
        let Some(set) = set else { continue };
        let Ok(file) = PlainFile::open_or_create(&path) else { continue };
        if !file.lock().unwrap_or(false) {
            continue;
        }
        let mut text = vec![0; file.size().min(LONGEST) as usize];
        let _ = file.read_at(&mut text, 0);
        let image = String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned();
        noted.push((path, set, image));
    }
    if noted.is_empty() {
        return Vec::new();
    }
    // Who may not ask cannot remove either.
    let Ok(there) = system
        .service()
        .and_then(|service| list(&*service).map_err(|code| Error::new(Kind::Io, super::in_words(code))))
    else {
        return Vec::new();
    };
    let mut left = Vec::new();
    for (path, set, image) in noted {
        // Anybody may have written a note: what outlives its requester by intent is never ours.
        let is_ours = |snapshot: &&Snapshot| snapshot.set == set && snapshot.attributes & OUTLIVES == 0;
        let volumes: Vec<String> =
            there.iter().filter(is_ours).map(|snapshot| snapshot.volume.clone()).collect();
        if volumes.is_empty() {
            let _ = fs::remove_file(path);
        } else {
            left.push(Left { set, volumes, image });
        }
    }
    left
}

/// VSS_VOLSNAP_ATTR_PERSISTENT, …_CLIENT_ACCESSIBLE and …_NO_AUTO_RELEASE.
const OUTLIVES: i32 = 1 | 4 | 8;
