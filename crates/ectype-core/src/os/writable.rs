//! A device that is written: what `restore` opens, and nothing else.
//!
//! ```text
//!   Disk, opened for writing, and held     reads, sizes, locks: as of any device
//!     └─ Node, the same open device        the only one with the gate that changes (os/control: Changing)
//! ```
//!
//! Any bytes may be written: whole sectors go to the device as they are, the rest is read, changed and written back.

use super::disk::Disk;
use super::node::{Node, has_no_such};
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::io::{Geometry, ReadAt, WriteAt};
use crate::os::buffer::{ALIGNMENT, Buffer};
use crate::os::control::{Change, Changing};
use crate::os::{Device, Lock};
use std::io;
use std::sync::Arc;

/// What is written or read through a buffer at once, in bytes.
const AT_ONCE: u64 = 1 << 20;

/// Zeros and discards are asked for in parts of this many bytes: such a request cannot be interrupted.
const CHANGED_AT_ONCE: u64 = 256 << 20;

/// A device that is held exclusively and may be written.
pub struct WritableDisk {
    disk: Arc<Disk>,
    node: Node,
}

impl WritableDisk {
    /// Opens a device for writing, so that nobody else may use it meanwhile.
    ///
    /// # Errors
    /// Those of [`Disk::open`].
    pub fn open(device: &Device, lock: Lock) -> Result<WritableDisk> {
        let (disk, node) = Node::open(device, lock)?;
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
        for part in parts(at.align_in(self.geometry().sector.into()), CHANGED_AT_ONCE) {
            match self.node.change(Change::Discard(part)) {
                Err(error) if has_no_such(&error) => return Ok(false),
                answer => answer?,
            }
        }
        Ok(true)
    }

    /// Makes the system read the partition table again.
    ///
    /// # Errors
    /// `ResourceBusy` where somebody uses a partition; what else the system answered.
    pub fn reread_partitions(&self) -> io::Result<()> {
        match self.node.change(Change::RereadPartitions) {
            // A device that has no partitions.
            Err(error) if has_no_such(&error) => Ok(()),
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
        // What was pulled keeps its size, and answers nothing.
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
            match self.node.write(data, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    data = &data[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_whole(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.disk.read_at(&mut buf[filled..], offset + filled as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
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
            self.read_whole(&mut buffer, around.offset)?;
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
        let sector = u64::from(self.geometry().sector);
        let all = Extent::new(offset, buf.len() as u64);
        if all.end() > self.size() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if all.align_out(sector) == all && (buf.as_ptr() as usize).is_multiple_of(ALIGNMENT) {
            return self.read_whole(buf, offset);
        }
        let mut rest = buf;
        for part in parts(all, AT_ONCE) {
            let around = part.align_out(sector);
            let mut sectors = Buffer::new(around.len as usize);
            self.read_whole(&mut sectors, around.offset)?;
            let (head, tail) = rest.split_at_mut(part.len as usize);
            let start = (part.offset - around.offset) as usize;
            head.copy_from_slice(&sectors[start..start + head.len()]);
            rest = tail;
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
        let whole = at.align_in(self.geometry().sector.into());
        if whole.is_empty() {
            return self.write_at(&vec![0; at.len as usize], at.offset);
        }
        for edge in [Extent::between(at.offset, whole.offset), Extent::between(whole.end(), at.end())] {
            if !edge.is_empty() {
                self.write_at(&vec![0; edge.len as usize], edge.offset)?;
            }
        }
        for part in parts(whole, CHANGED_AT_ONCE) {
            if zero_by(&self.node, part)? {
                continue;
            }
            let zeros = Buffer::new(part.len.min(AT_ONCE) as usize);
            for part in parts(part, AT_ONCE) {
                self.write_whole(&zeros[..part.len as usize], part.offset)?;
            }
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.node.flush()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        if size == self.size() { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }

    fn holds_holes(&self) -> bool {
        false
    }
}

/// Zeros by the device's own command: those that free what held them, then those that keep it. False where it has neither,
/// and they have to be written.
fn zero_by(node: &dyn Changing, at: Extent) -> io::Result<bool> {
    match node.punch(at) {
        Err(error) if has_no_such(&error) => {}
        answer => return answer.map(|()| true),
    }
    match node.change(Change::ZeroOut(at)) {
        Err(error) if has_no_such(&error) => Ok(false),
        answer => answer.map(|()| true),
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
    use crate::os::control::RecordedChanges;

    #[test]
    fn zeros_come_by_the_gentlest_command_that_the_device_has() {
        // What the systems answer to a request that they do not know, and for a device that fails.
        let (unknown, fails) = if cfg!(windows) { (50, 1117) } else { (95, 5) };
        let (none, at) = (Some(unknown), Extent::new(0, 4096));
        let asked = |punches, changes| {
            let device = RecordedChanges { punches, changes, ..RecordedChanges::default() };
            let made = zero_by(&device, at);
            (made.map_err(|error| error.raw_os_error()), device.asked.into_inner().unwrap().len())
        };
        assert_eq!(asked(None, none), (Ok(true), 1));
        assert_eq!(asked(none, None), (Ok(true), 2));
        assert_eq!(asked(none, none), (Ok(false), 2));
        // A device that fails is not asked to write the same by other means: that is for whoever retries.
        let broken = Some(fails);
        assert_eq!(asked(broken, None), (Err(broken), 1));
        assert_eq!(asked(none, broken), (Err(broken), 2));
    }

    #[test]
    fn parts_end_on_multiples() {
        let found: Vec<_> = parts(Extent::between(5, 25), 10).collect();
        assert_eq!(found, [Extent::between(5, 10), Extent::between(10, 20), Extent::between(20, 25)]);
        assert_eq!(parts(Extent::new(7, 0), 10).count(), 0);
    }
}
