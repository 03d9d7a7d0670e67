//! Snapshots of volumes in use: made, kept while they are read, and released.
//!
//! ```text
//!   set      the documented sequence of calls, tried again and with fewer volumes where that helps
//!   words    what the service's answers mean
//!   layout   which parts of a disk are volumes
//!   steady   what has neither snapshot nor lock is read until two readings agree
//!   note     so that the next run finds what a crash left
//! ```

mod layout;
mod note;
mod set;
mod steady;
mod words;

pub use layout::{Cipher, Piece, arrange, covered};
pub use note::{Left, Note, left, note};
pub use set::{Clock, Made, Making, Set, list, make, remove};
pub use steady::{Agreed, agree};
pub(crate) use words::in_words;

use crate::error::Result;
use crate::os::disk::Disk;
use crate::os::snapshot::{self, Service, Volume};
use crate::os::{Device, Lock};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the system gives for snapshots; a test has one of its own.
pub trait System: Debug + Send + Sync {
    /// Whether it makes any.
    fn is_there(&self) -> bool {
        snapshot::IS_THERE
    }

    /// The service that makes them.
    ///
    /// # Errors
    /// `Unsupported` where there is none.
    fn service(&self) -> Result<Box<dyn Service>> {
        snapshot::service()
    }

    /// The volumes of a disk, and its number.
    ///
    /// # Errors
    /// Where the system does not tell.
    fn volumes(&self, disk: &Path) -> Result<(u32, Vec<Volume>)> {
        snapshot::volumes(disk)
    }

    /// The name of the volume that a path names, or on which it lies.
    fn volume_of(&self, path: &Path) -> Option<String> {
        snapshot::volume_of(path)
    }

    /// The disk below a device that is a volume.
    fn below(&self, device: &Device) -> Option<PathBuf> {
        snapshot::below(device)
    }

    /// The folder of the notes.
    fn notes(&self) -> Option<PathBuf> {
        snapshot::notes()
    }

    /// Opens a volume or a snapshot, of which the system lists no device, as a part of `whole`.
    ///
    /// # Errors
    /// As [`Disk::open_unless`].
    fn open(&self, path: &Path, whole: &Device, lock: Lock, stop: &dyn Fn() -> bool) -> Result<Disk> {
        Disk::open_unless(&part_of(path, whole), lock, stop)
    }
}

/// The system's own.
#[derive(Clone, Copy, Debug)]
pub struct Own;

impl System for Own {}

fn part_of(path: &Path, whole: &Device) -> Device {
    Device {
        path: path.to_owned(),
        name: path.display().to_string(),
        whole: Some(whole.whole.clone().unwrap_or_else(|| whole.path.clone())),
        backing: None,
        size: 0,
        diskseq: None,
        mounts: Vec::new(),
        holders: Vec::new(),
        parts: Vec::new(),
        ..whole.clone()
    }
}

/// The time as it passes.
#[derive(Debug)]
pub struct Passing(Instant);

impl Passing {
    /// From now on.
    pub fn new() -> Passing {
        Passing(Instant::now())
    }
}

impl Default for Passing {
    fn default() -> Passing {
        Passing::new()
    }
}

impl Clock for Passing {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
