//! A device that is written: what `restore` opens, and nothing else.
//!
//! ```text
//!   Disk, opened for writing, every volume of it locked and dismounted     reads, sizes, locks: as of any device
//!     └─ Node, the same handle                                             the only one with the gate that changes
//! ```
//!
//! Any bytes may be written: whole sectors go to the device as they are, the rest is read, changed and written back.
#![expect(unsafe_code, reason = "WriteFile and FlushFileBuffers")]

use super::bindings::*;
use super::control::DeviceHandle;
use super::disk::Disk;
use super::ioctl::ioctl;
use super::overlapped;
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::io::{Geometry, ReadAt, WriteAt};
use crate::os::buffer::{ALIGNMENT, Buffer};
use crate::os::control::{Change, Changing};
use crate::os::nt::is_unknown;
use crate::os::{Device, Lock};
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::sync::Arc;

/// What is written or read through a buffer at once, in bytes.
const AT_ONCE: u64 = 1 << 20;

/// So many bytes are discarded with one request.
const DISCARDED_AT_ONCE: u64 = 256 << 20;

/// The handle of a device that may be changed.
struct Node(Arc<DeviceHandle>);

impl Node {
    fn write(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        let len = u32::try_from(data.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let handle = self.0.as_handle();
        let (count, error) = overlapped::complete(handle, offset, |at| {
            // SAFETY: at most `len` bytes of `data` are read, and `complete` waits until none is any more.
            unsafe { WriteFile(handle.as_raw_handle(), data.as_ptr().cast(), len, std::ptr::null_mut(), at) }
        })?;
        error.map_or(Ok(count.min(len) as usize), Err)
    }

    fn flush(&self) -> io::Result<()> {
        // SAFETY: the handle is open during the call.
        unsafe { FlushFileBuffers(self.0.as_handle().as_raw_handle()) }
            .ok()
            .map_err(|_| io::Error::last_os_error())
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

/// A device that is held exclusively and may be written.
pub struct WritableDisk {
    disk: Arc<Disk>,
    node: Node,
}

impl WritableDisk {
    /// Opens a device for writing. Its volumes are locked, so that nobody has a file open on them, and dismounted: Windows
    /// refuses writes to the sectors of a mounted volume.
    ///
    /// # Errors
    /// Those of [`Disk::open`].
    pub fn open(device: &Device, lock: Lock) -> Result<WritableDisk> {
        let disk = Disk::open_for(device, lock, true)?;
        let node = Node(Arc::clone(disk.handle()));
        Ok(WritableDisk { disk: Arc::new(disk), node })
    }

    /// The same device for reading.
    pub fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }

    /// Its sizes.
    pub fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }

    /// Tells the device that nobody uses these bytes any more; only whole sectors. False where it has no such command.
    ///
    /// # Errors
    /// What the device answered.
    pub fn discard(&self, at: Extent) -> io::Result<bool> {
        for part in parts(at.align_in(self.geometry().sector.into()), DISCARDED_AT_ONCE) {
            match self.node.change(Change::Discard(part)) {
                Err(error) if is_unknown(&error) => return Ok(false),
                answer => answer?,
            }
        }
        Ok(true)
    }

    /// Makes the system read the partition table again.
    ///
    /// # Errors
    /// What the system answered.
    pub fn reread_partitions(&self) -> io::Result<()> {
        match self.node.change(Change::RereadPartitions) {
            // A device that has no partitions.
            Err(error) if is_unknown(&error) => Ok(()),
            answer => answer,
        }
    }

    /// Whether it still is the device that was opened; the error says what changed.
    ///
    /// # Errors
    /// `Gone`.
    pub fn alive(&self) -> Result<()> {
        let name = self.disk.device().path.display();
        let gone = |what: String| Error::new(Kind::Gone, what);
        let size =
            self.disk.size_now().map_err(|error| gone(format!("{name} no longer answers")).because(error))?;
        if size != self.geometry().size {
            return Err(gone(format!("{name} now has {size} bytes, not {}", self.geometry().size)));
        }
        let before = self.disk.device().diskseq;
        if before.is_some() && self.disk.diskseq_now() != before {
            return Err(gone(format!("{name} has another medium now")));
        }
        let Geometry { size, sector, .. } = self.geometry();
        let last = size - u64::from(sector);
        let mut buffer = Buffer::new(sector as usize);
        let mut answers = |place: u64| {
            let place = place - place % u64::from(sector);
            self.disk.read_at(&mut buffer, place).is_ok_and(|count| count > 0)
        };
        if [0, last, last / 2, last / 4].into_iter().any(&mut answers) {
            return Ok(());
        }
        Err(gone(format!("{name} gives no sector any more: it is broken, or gone")))
    }

    fn write_whole(&self, mut data: &[u8], mut offset: u64) -> io::Result<()> {
        while !data.is_empty() {
            match self.node.write(data, offset)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => {
                    data = &data[count..];
                    offset += count as u64;
                }
            }
        }
        Ok(())
    }

    /// Writes what does not lie on sectors: they are read around it first.
    fn write_around(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let at = Extent::new(offset, data.len() as u64);
        let around = at.align_out(self.geometry().sector.into());
        let mut buffer = Buffer::new(around.len as usize);
        if around != at {
            ReadAt::read_at(self, &mut buffer, around.offset)?;
        }
        let start = (at.offset - around.offset) as usize;
        buffer[start..start + data.len()].copy_from_slice(data);
        self.write_whole(&buffer, around.offset)
    }

    fn refuse_beyond(&self, at: Extent) -> io::Result<()> {
        // Behind the end nothing may be written, whatever an image says.
        if at.end() > self.geometry().size { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl ReadAt for WritableDisk {
    fn size(&self) -> u64 {
        self.geometry().size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.disk.read_at(&mut buf[filled..], offset + filled as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(())
    }
}

impl WriteAt for WritableDisk {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let all = Extent::new(offset, data.len() as u64);
        self.refuse_beyond(all)?;
        let is_whole = all.align_out(self.geometry().sector.into()) == all;
        if is_whole && (data.as_ptr() as usize).is_multiple_of(ALIGNMENT) {
            return self.write_whole(data, offset);
        }
        let mut rest = data;
        for part in parts(all, AT_ONCE) {
            let (head, tail) = rest.split_at(part.len as usize);
            self.write_around(head, part.offset)?;
            rest = tail;
        }
        Ok(())
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        self.refuse_beyond(at)?;
        let zeros = Buffer::new(at.len.clamp(1, AT_ONCE) as usize);
        for part in parts(at, AT_ONCE) {
            self.write_at(&zeros[..part.len as usize], part.offset)?;
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        match self.node.flush() {
            // A device without a cache has nothing to flush.
            Err(error) if is_unknown(&error) => Ok(()),
            answer => answer,
        }
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        if size == self.size() { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }

    fn holds_holes(&self) -> bool {
        false
    }
}

/// `at` in parts that end on multiples of `len`.
fn parts(at: Extent, len: u64) -> impl Iterator<Item = Extent> {
    let mut offset = at.offset;
    std::iter::from_fn(move || {
        let end = (offset - offset % len).saturating_add(len).min(at.end());
        let part = Extent::between(offset, end);
        offset = end;
        (!part.is_empty()).then_some(part)
    })
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
