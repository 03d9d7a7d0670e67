//! Block devices are not read on this system in this version: every call says so.

pub use crate::os::{Found, Lock};

use crate::error::{Error, Result};
use crate::io::Geometry;
use crate::os::Device;
use crate::os::control::{Asked, Commands, Control, Request, ScsiReply};
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const REFUSAL: &str = "devices are not read on this system in this version";

/// Every device that could be imaged here.
///
/// # Errors
/// `Unsupported`, always.
pub fn devices() -> Result<Vec<Device>> {
    Err(Error::unsupported(REFUSAL))
}

/// Whether a volume can be dismounted here while programs have files open on it.
pub const TAKES_FILES_AWAY: bool = false;

/// Whether `path` can be nothing but a device's name: here devices are files, and looking at them tells.
pub fn is_name(_path: &Path) -> bool {
    false
}

/// Whether two names are spellings of one device's: here a name has one.
pub fn is_same(a: &str, b: &str) -> bool {
    a == b
}

/// The device that was meant by a name that lacks its beginning: here none.
pub fn meant(_path: &Path) -> Option<PathBuf> {
    None
}

/// Why nothing that is made can have the name `path`, where that is so: here a file may have any name.
pub fn misnamed(_path: &Path) -> Option<&'static str> {
    None
}

/// What `path` means as a source: a file.
///
/// # Errors
/// `Io` where nothing is there, `Unsupported` for everything but a file.
pub fn find(path: &Path) -> Result<Found> {
    let about = fs::metadata(path)
        .map_err(|error| Error::io(format!("looking for the source {}", path.display()), error))?;
    match about.is_file() {
        true => Ok(Found::File(path.to_path_buf())),
        false => Err(Error::unsupported(REFUSAL)),
    }
}

/// An opened device: there is none.
pub struct Disk {
    never: Infallible,
}

impl Disk {
    /// Opens a device for reading.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn open(_device: &Device, _lock: Lock) -> Result<Disk> {
        Err(Error::unsupported(REFUSAL))
    }

    /// The same.
    ///
    /// # Errors
    /// `Unsupported`.
    pub fn open_unless(device: &Device, lock: Lock, _stop: &dyn Fn() -> bool) -> Result<Disk> {
        Disk::open(device, lock)
    }

    /// The device as it was found before it was opened.
    pub fn device(&self) -> &Device {
        match self.never {}
    }

    /// The sizes, as they were when it was opened.
    pub fn geometry(&self) -> Geometry {
        match self.never {}
    }

    /// What there is to say of how it was opened.
    pub fn notes(&self) -> &[String] {
        match self.never {}
    }

    /// Whether the lock that was asked for is known.
    pub fn knows_lock(&self) -> bool {
        match self.never {}
    }

    /// Whether reads go past the page cache.
    pub fn direct(&self) -> bool {
        match self.never {}
    }

    /// One read at `offset`.
    ///
    /// # Errors
    /// None: there is no such device.
    pub fn read_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<usize> {
        match self.never {}
    }

    /// One read by command.
    ///
    /// # Errors
    /// None: there is no such device.
    pub fn ask(&self, _buf: &mut [u8], _offset: u64) -> io::Result<Asked> {
        match self.never {}
    }

    /// The size in bytes as the system has it now.
    ///
    /// # Errors
    /// None: there is no such device.
    pub fn size_now(&self) -> io::Result<u64> {
        match self.never {}
    }

    /// The sequence number of the medium now.
    pub fn diskseq_now(&self) -> Option<u64> {
        match self.never {}
    }

    /// A number that stays the same as long as nothing was written.
    pub fn writes_now(&self) -> Option<u64> {
        match self.never {}
    }

    /// The same number of the whole disk: not known here.
    pub fn whole_writes_now(&self) -> Option<u64> {
        None
    }

    /// Sends what the system holds back to the medium.
    pub fn settle(&self) {
        match self.never {}
    }

    /// Makes the system forget what it cached of the device.
    pub fn drop_caches(&self) {
        match self.never {}
    }
}

impl Control for Disk {
    fn ioctl(&self, _request: Request, _arg: &mut [u8]) -> io::Result<u32> {
        match self.never {}
    }
}

impl Commands for Disk {
    fn scsi(&self, _cdb: &[u8], _data: &mut [u8], _timeout: Duration) -> io::Result<ScsiReply> {
        match self.never {}
    }
}
