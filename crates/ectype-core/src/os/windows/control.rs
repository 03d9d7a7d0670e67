//! An open device, and the gates to it: the requests of [`crate::os::nt::request`], reads of whole sectors, SCSI commands
//! that read.
#![expect(unsafe_code, reason = "CreateFileW and ReadFile")]

use super::bindings::*;
use super::ioctl::ioctl;
use super::{overlapped, volume::wide};
use crate::os::buffer::{ALIGNMENT, Buffer};
use crate::os::control::{Commands, ScsiReply, only_reads};
use crate::os::nt::request::{Asking, Hold, Holding, Query};
use crate::os::nt::sectors::Sectors;
use crate::os::nt::{code, pass_through};
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::time::Duration;
use windows_core::PCWSTR;

/// What a device is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Only to be asked what needs no right.
    Ask,
    /// To be read.
    Read,
    /// To be read, and to be given SCSI commands or written.
    ReadWrite,
}

/// An open device. It can be read, and by nobody but [`super::node`] written.
pub(super) struct DeviceHandle(OwnedHandle);

impl DeviceHandle {
    /// Opens the device of this name, beside others, past all caches.
    pub(super) fn open(name: &str, access: Access) -> io::Result<DeviceHandle> {
        let name = wide(Path::new(name))?;
        let access = match access {
            Access::Ask => 0,
            Access::Read => GENERIC_READ,
            Access::ReadWrite => GENERIC_READ | GENERIC_WRITE as u32,
        };
        let share = (FILE_SHARE_READ | FILE_SHARE_WRITE) as u32;
        let flags = FILE_FLAG_NO_BUFFERING as u32 | FILE_FLAG_OVERLAPPED as u32;
        // SAFETY: the name ends with a zero; the handle that comes is closed by its owner.
        unsafe {
            let handle = CreateFileW(
                PCWSTR(name.as_ptr()),
                access,
                share,
                std::ptr::null(),
                OPEN_EXISTING as u32,
                flags,
                std::ptr::null_mut(),
            );
            match handle == INVALID_HANDLE_VALUE {
                true => Err(io::Error::last_os_error()),
                false => Ok(DeviceHandle(OwnedHandle::from_raw_handle(handle))),
            }
        }
    }

    /// Whether it is a terminal, a line or a pipe: those have no sectors, and a read of one may wait for ever.
    pub(super) fn is_stream(&self) -> bool {
        // SAFETY: the handle is open.
        let kind = unsafe { GetFileType(self.0.as_raw_handle()) };
        [FILE_TYPE_CHAR, FILE_TYPE_PIPE].contains(&(kind as i32))
    }
}

impl AsHandle for DeviceHandle {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

impl Sectors for DeviceHandle {
    fn read_sectors(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = u32::try_from(buf.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let (handle, data) = (self.0.as_handle(), buf.as_mut_ptr());
        let (count, error) = overlapped::complete(handle, offset, |at| {
            // SAFETY: at most `len` bytes are written to `buf`, and `complete` waits until none is any more.
            unsafe { ReadFile(handle.as_raw_handle(), data.cast(), len, std::ptr::null_mut(), at) }
        })?;
        match error {
            None => Ok(count.min(len) as usize),
            Some(error) if error.raw_os_error() == Some(code::HANDLE_EOF) => Ok(0),
            Some(error) => Err(error),
        }
    }
}

impl Asking for DeviceHandle {
    fn ask(&self, query: Query, input: &[u8], output: &mut [u8]) -> io::Result<usize> {
        let reply = ioctl(&self.0, query.code() as i32, input, output)?;
        match reply.more {
            true => Err(io::Error::from_raw_os_error(code::MORE_DATA)),
            false => Ok(reply.len),
        }
    }
}

impl Holding for DeviceHandle {
    fn hold(&self, hold: Hold) -> io::Result<()> {
        let input = match hold {
            Hold::Tray(closed) | Hold::OwnTray(closed) => &[u8::from(closed)][..],
            Hold::Lock | Hold::Dismount => &[],
        };
        ioctl(&self.0, hold.code() as i32, input, &mut []).map(|_| ())
    }
}

// The structure with an address in it is laid out for this.
const _: () = assert!(size_of::<usize>() == 8);

impl Commands for DeviceHandle {
    fn scsi(&self, cdb: &[u8], data: &mut [u8], timeout: Duration) -> io::Result<ScsiReply> {
        let len = u32::try_from(data.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        if !only_reads(cdb) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // An adapter wants the memory aligned as it says; none wants more than a page. It outlives the request, for `ioctl`
        // waits for its end.
        let aligned = (data.as_ptr() as usize).is_multiple_of(ALIGNMENT) || len == 0;
        let mut bounce = (!aligned).then(|| Buffer::new(data.len()));
        let memory = bounce.as_deref_mut().unwrap_or(&mut *data);
        let asked = pass_through::request(cdb, memory.as_mut_ptr().expose_provenance() as u64, len, timeout);
        // The same in both directions: there are systems that take the request from where they answer.
        let mut answer = asked;
        ioctl(&self.0, IOCTL_SCSI_PASS_THROUGH_DIRECT, &asked, &mut answer)?;
        if let Some(bounce) = bounce {
            data.copy_from_slice(&bounce);
        }
        Ok(pass_through::reply(&answer, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::nt::request::Property;
    use std::mem::offset_of;

    #[test]
    fn the_numbers_are_those_of_windows() {
        let known = [
            (Query::Length, IOCTL_DISK_GET_LENGTH_INFO),
            (Query::Geometry, IOCTL_DISK_GET_DRIVE_GEOMETRY_EX),
            (Query::Layout, IOCTL_DISK_GET_DRIVE_LAYOUT_EX),
            (Query::IsWritable, IOCTL_DISK_IS_WRITABLE),
            (Query::DeviceNumber, IOCTL_STORAGE_GET_DEVICE_NUMBER),
            (Query::CheckVerify, IOCTL_STORAGE_CHECK_VERIFY),
            (Query::Capacity, IOCTL_STORAGE_READ_CAPACITY),
            (Query::Property(Property::Device), IOCTL_STORAGE_QUERY_PROPERTY),
            (Query::VolumeExtents, IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS),
            (Query::AllowExtended, FSCTL_ALLOW_EXTENDED_DASD_IO),
            (Query::CdGeometry, IOCTL_CDROM_GET_DRIVE_GEOMETRY_EX),
            (Query::Toc, IOCTL_CDROM_READ_TOC),
            (Query::TocEx, IOCTL_CDROM_READ_TOC_EX),
            (Query::LastSession, IOCTL_CDROM_GET_LAST_SESSION),
            (Query::Configuration, IOCTL_CDROM_GET_CONFIGURATION),
        ];
        for (query, number) in known {
            assert_eq!(query.code(), number as u32, "{query:?}");
        }
        let holds = [
            (Hold::Lock, FSCTL_LOCK_VOLUME),
            (Hold::Dismount, FSCTL_DISMOUNT_VOLUME),
            (Hold::Tray(true), IOCTL_STORAGE_MEDIA_REMOVAL),
            (Hold::OwnTray(true), IOCTL_STORAGE_EJECTION_CONTROL),
        ];
        for (hold, number) in holds {
            assert_eq!(hold.code(), number as u32, "{hold:?}");
        }
    }

    #[test]
    fn the_structures_are_those_of_windows() {
        assert_eq!(size_of::<SCSI_PASS_THROUGH_DIRECT>(), 56);
        assert_eq!(offset_of!(SCSI_PASS_THROUGH_DIRECT, DataBuffer), 24);
        assert_eq!(offset_of!(SCSI_PASS_THROUGH_DIRECT, Cdb), 36);
    }

    #[test]
    fn a_device_that_is_not_there() {
        let error = DeviceHandle::open(r"\\.\NoSuchDevice42", Access::Ask).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
