//! Block devices are not written on this system in this version: every call says so.

use super::disk::{Disk, REFUSAL};
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::{Geometry, ReadAt, WriteAt};
use crate::os::{Device, Lock};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;

/// A device that may be written: there is none.
pub struct WritableDisk {
    never: Infallible,
}

impl WritableDisk {
    /// Opens a device for writing.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn open(_device: &Device, _lock: Lock) -> Result<WritableDisk> {
        Err(Error::unsupported(REFUSAL))
    }

    /// The same device for reading.
    pub fn disk(&self) -> &Arc<Disk> {
        match self.never {}
    }

    /// Its sizes.
    pub fn geometry(&self) -> Geometry {
        match self.never {}
    }

    /// Tells the device that nobody uses these bytes any more.
    ///
    /// # Errors
    /// None: there is no such device.
    pub fn discard(&self, _at: Extent) -> io::Result<bool> {
        match self.never {}
    }

    /// Makes the system read the partition table again.
    ///
    /// # Errors
    /// None: there is no such device.
    pub fn reread_partitions(&self) -> io::Result<()> {
        match self.never {}
    }

    /// Whether it still is the device that was opened.
    ///
    /// # Errors
    /// None: there is no such device.
    pub fn alive(&self) -> Result<()> {
        match self.never {}
    }
}

impl ReadAt for WritableDisk {
    fn size(&self) -> u64 {
        match self.never {}
    }

    fn read_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
        match self.never {}
    }
}

impl WriteAt for WritableDisk {
    fn write_at(&self, _data: &[u8], _offset: u64) -> io::Result<()> {
        match self.never {}
    }

    fn zero_at(&self, _at: Extent) -> io::Result<()> {
        match self.never {}
    }

    fn flush(&self) -> io::Result<()> {
        match self.never {}
    }

    fn set_size(&self, _size: u64) -> io::Result<()> {
        match self.never {}
    }

    fn holds_holes(&self) -> bool {
        match self.never {}
    }
}
