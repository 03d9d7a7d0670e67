//! A block device that may be changed: the part of [`crate::os::writable`] that is Linux's.

use super::disk::Disk;
use crate::error::{Error, Result};
use crate::os::{Device, Lock};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The descriptor of a device that may be changed.
pub(in crate::os) struct Node(OwnedFd);

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Node {
    /// Opens a device, O_RDWR | O_EXCL | O_DIRECT: nobody else may mount it, swap on it or open it exclusively.
    pub(in crate::os) fn open(device: &Device, lock: Lock) -> Result<(Disk, Node)> {
        let disk = Disk::open_for(device, lock, OFlags::RDWR, &|| false)?;
        let node = disk
            .descriptor()
            .map_err(|error| Error::io(format!("opening {}", device.path.display()), error))?;
        Ok((disk, Node(node)))
    }

    pub(in crate::os) fn write(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwrite(self, data, offset)?)
    }

    pub(in crate::os) fn flush(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(self)?)
    }
}

/// The device, or its driver, does not know the request.
pub(in crate::os) fn has_no_such(error: &io::Error) -> bool {
    [Errno::NOTSUP, Errno::NOSYS, Errno::INVAL, Errno::NOTTY, Errno::REMOTEIO]
        .iter()
        .any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}
