//! A device that may be changed: the part of [`crate::os::writable`] that is Windows's.
#![expect(unsafe_code, reason = "WriteFile and FlushFileBuffers")]

use super::bindings::*;
use super::control::DeviceHandle;
use super::disk::Disk;
use super::ioctl::ioctl;
use super::overlapped;
use crate::error::Result;
use crate::extent::Extent;
use crate::os::control::{Change, Changing};
pub(in crate::os) use crate::os::nt::is_unknown as has_no_such;
use crate::os::{Device, Lock};
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::sync::Arc;

/// The handle of a device that may be changed.
pub(in crate::os) struct Node(Arc<DeviceHandle>);

impl Node {
    /// Opens a device. Its volumes are locked, so that nobody has a file open on them, and dismounted: Windows refuses writes
    /// to the sectors of a mounted volume.
    pub(in crate::os) fn open(device: &Device, lock: Lock) -> Result<(Disk, Node)> {
        let disk = Disk::open_for(device, lock, true, &|| false)?;
        let node = Node(Arc::clone(disk.handle()));
        Ok((disk, node))
    }

    pub(in crate::os) fn write(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        let len = u32::try_from(data.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let handle = self.0.as_handle();
        let (count, error) = overlapped::complete(handle, offset, |at| {
            // SAFETY: at most `len` bytes of `data` are read, and `complete` waits until none is any more.
            unsafe { WriteFile(handle.as_raw_handle(), data.as_ptr().cast(), len, std::ptr::null_mut(), at) }
        })?;
        error.map_or(Ok(count.min(len) as usize), Err)
    }

    pub(in crate::os) fn flush(&self) -> io::Result<()> {
        // SAFETY: the handle is open during the call.
        let done = unsafe { FlushFileBuffers(self.0.as_handle().as_raw_handle()) };
        match done.as_bool().then_some(()).ok_or_else(io::Error::last_os_error) {
            // A device without a cache has nothing to flush.
            Err(error) if has_no_such(&error) => Ok(()),
            answer => answer,
        }
    }
}

impl Changing for Node {
    fn change(&self, change: Change) -> io::Result<()> {
        match change {
            // Windows has no such command for disks.
            Change::ZeroOut(_) => Err(io::ErrorKind::Unsupported.into()),
            Change::Discard(at) => {
                let trim = trim(at);
                ioctl(&*self.0, IOCTL_STORAGE_MANAGE_DATA_SET_ATTRIBUTES, &trim, &mut []).map(|_| ())
            }
            Change::RereadPartitions => {
                ioctl(&*self.0, IOCTL_DISK_UPDATE_PROPERTIES, &[], &mut []).map(|_| ())
            }
        }
    }

    fn punch(&self, _at: Extent) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// DEVICE_MANAGE_DATA_SET_ATTRIBUTES with one range that is used no more.
fn trim(at: Extent) -> [u8; 48] {
    const HEADER: u32 = size_of::<DEVICE_MANAGE_DATA_SET_ATTRIBUTES>() as u32;
    const RANGES: u32 = HEADER.next_multiple_of(8);
    const RANGE: u32 = size_of::<DEVICE_DATA_SET_RANGE>() as u32;
    let mut request = [0; (RANGES + RANGE) as usize];
    let fields = [HEADER, DeviceDsmAction_Trim, 0, 0, 0, RANGES, RANGE];
    for (place, field) in request.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    request[RANGES as usize..][..8].copy_from_slice(&at.offset.to_le_bytes());
    request[RANGES as usize + 8..].copy_from_slice(&at.len.to_le_bytes());
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trim_names_one_range() {
        let request = trim(Extent::new(1 << 20, 4096));
        let field = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().unwrap());
        assert_eq!([0, 4, 8, 12, 16, 20, 24].map(field), [28, 1, 0, 0, 0, 32, 16]);
        assert_eq!(request[32..40], (1u64 << 20).to_le_bytes());
        assert_eq!(request[40..48], 4096u64.to_le_bytes());
    }
}
