//! The one gate to a device's controls: every ioctl and every SCSI command goes through a [`Control`].
//!
//! ```text
//!   disk, optical ──▶ Control ──▶ an open device        (linux/control.rs, the only unsafe call)
//!                            └──▶ Recorded, in tests    answers as real drives once did
//! ```
//!
//! The gate lets nothing through that writes: the requests are a closed list, and SCSI commands are those that read. What
//! changes a medium is another list behind another gate, [`Change`] and [`Changing`], and only `writable`, which
//! `restore` alone opens, has that one.

use crate::extent::Extent;
pub use crate::os::disc::Sense;
use std::io;
use std::time::Duration;

/// A control request, by what it does. The numbers are the system's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request {
    /// The size in bytes; answers a `u64`.
    Size,
    /// The logical sector in bytes; answers a `u32`.
    SectorSize,
    /// The physical sector in bytes; answers a `u32`.
    PhysicalSectorSize,
    /// The sequence number of the medium; answers a `u64`.
    DiskSequence,
    /// Drops what the system cached of the device; no argument.
    DropCaches,
    /// Whether a disc is in the drive; no argument, the answer is the result.
    DriveStatus,
    /// The kind of disc; no argument, the answer is the result.
    DiscStatus,
    /// The first and the last track; answers two bytes.
    TocHeader,
    /// One track's place; takes and answers twelve bytes.
    TocEntry,
    /// Where the last session begins; takes and answers eight bytes.
    MultiSession,
}

/// What a [`Request`] carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// A structure of this many bytes, read and written in place.
    Bytes(usize),
}

impl Request {
    /// What the request carries. An `arg` of another length is refused before it reaches the system.
    pub fn argument(self) -> Argument {
        match self {
            // The header file says size_t, the kernel writes 64 bits.
            Request::Size | Request::DiskSequence => Argument::Bytes(8),
            Request::SectorSize | Request::PhysicalSectorSize => Argument::Bytes(4),
            Request::DropCaches | Request::DriveStatus | Request::DiscStatus => Argument::None,
            Request::TocHeader => Argument::Bytes(2),
            Request::TocEntry => Argument::Bytes(12),
            Request::MultiSession => Argument::Bytes(8),
        }
    }

    /// Whether `arg` has the length that the request carries.
    pub fn fits(self, arg: &[u8]) -> bool {
        arg.len()
            == match self.argument() {
                Argument::None => 0,
                Argument::Bytes(len) => len,
            }
    }
}

/// The answer to a SCSI command that the drive took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScsiReply {
    /// The SCSI status: 0 is GOOD, 2 CHECK CONDITION.
    pub status: u8,
    /// The sense data, empty when there was none.
    pub sense: Vec<u8>,
    /// How many bytes at the end of the buffer the drive did not fill.
    pub residual: u32,
}

/// What a read by command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// How many bytes from the start are valid.
    pub good: usize,
    /// Why that is not all, where it is not.
    pub sense: Option<Sense>,
    /// The drive named the sector that failed, and it lies directly behind the good bytes.
    pub is_bad_next: bool,
}

/// An open device that takes SCSI commands.
pub trait Commands {
    /// One SCSI command that reads into `data`.
    ///
    /// # Errors
    /// `InvalidInput` for a command that does not only read; what the system answered where the drive got no word. A
    /// command that the drive refused is a reply, not an error.
    fn scsi(&self, cdb: &[u8], data: &mut [u8], timeout: Duration) -> io::Result<ScsiReply>;
}

/// An open device's controls.
pub trait Control: Commands {
    /// One control request; `arg` has the length of [`Request::argument`]. The result is the call's own.
    ///
    /// # Errors
    /// What the system answered, with its `raw_os_error`; `InvalidInput` for an `arg` of the wrong length.
    fn ioctl(&self, request: Request, arg: &mut [u8]) -> io::Result<u32>;
}

/// Whether a SCSI command only reads: what passes the gate.
pub fn only_reads(cdb: &[u8]) -> bool {
    // TEST UNIT READY, INQUIRY, READ CAPACITY, READ(10), READ TOC, GET CONFIGURATION, READ DISC INFORMATION,
    // READ TRACK INFORMATION, READ(16), READ DVD STRUCTURE, READ CD.
    let known = [0x00, 0x12, 0x25, 0x28, 0x43, 0x46, 0x51, 0x52, 0x88, 0xad, 0xbe];
    cdb.len() <= 16 && cdb.first().is_some_and(|opcode| known.contains(opcode))
}

/// A request that changes a medium, or what the system knows of its parts. The ranges are of whole sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// These bytes become zeros that are kept, by the device itself where it can.
    ZeroOut(Extent),
    /// These bytes are used no more; what they read as is the device's business.
    Discard(Extent),
    /// The system reads the partition table again.
    RereadPartitions,
}

/// A device that is open for being changed.
pub trait Changing {
    /// One request that changes it.
    ///
    /// # Errors
    /// What the system answered, with its `raw_os_error`.
    fn change(&self, change: Change) -> io::Result<()>;

    /// Makes the bytes of `at` zeros and lets the device free what held them, or fails without having done anything.
    ///
    /// # Errors
    /// `EOPNOTSUPP` and its like where the device has no such command; what it answered otherwise.
    fn punch(&self, at: Extent) -> io::Result<()>;
}

/// A request, the first byte of its argument where that matters, and the answer: argument and result, or errno.
#[cfg(all(test, target_os = "linux"))]
pub(crate) type RecordedIoctl = (Request, Option<u8>, Result<(Vec<u8>, u32), i32>);

/// The answers of a drive, as they were once seen.
#[cfg(all(test, target_os = "linux"))]
#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) ioctls: Vec<RecordedIoctl>,
    /// The start of the command, the answer, the data.
    pub(crate) scsi: Vec<(Vec<u8>, ScsiReply, Vec<u8>)>,
}

#[cfg(all(test, target_os = "linux"))]
impl Control for Recorded {
    fn ioctl(&self, request: Request, arg: &mut [u8]) -> io::Result<u32> {
        assert!(request.fits(arg), "{request:?} with {} bytes", arg.len());
        let found = self.ioctls.iter().find(|(known, first, _)| {
            *known == request && first.is_none_or(|first| arg.first() == Some(&first))
        });
        match found {
            Some((_, _, Ok((answer, result)))) => {
                arg[..answer.len()].copy_from_slice(answer);
                Ok(*result)
            }
            Some((_, _, Err(errno))) => Err(io::Error::from_raw_os_error(*errno)),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
impl Commands for Recorded {
    fn scsi(&self, cdb: &[u8], data: &mut [u8], _timeout: Duration) -> io::Result<ScsiReply> {
        assert!(only_reads(cdb), "{cdb:02x?}");
        match self.scsi.iter().find(|(known, _, _)| cdb.starts_with(known)) {
            Some((_, reply, bytes)) => {
                let len = bytes.len().min(data.len());
                data[..len].copy_from_slice(&bytes[..len]);
                Ok(reply.clone())
            }
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// The answers of a device that is changed, by the order of asking; what was asked is kept.
#[cfg(all(test, any(target_os = "linux", windows)))]
#[derive(Default)]
pub(crate) struct RecordedChanges {
    pub(crate) punches: Option<i32>,
    pub(crate) changes: Option<i32>,
    pub(crate) asked: std::sync::Mutex<Vec<String>>,
}

#[cfg(all(test, any(target_os = "linux", windows)))]
impl RecordedChanges {
    fn answer(&self, asked: String, errno: Option<i32>) -> io::Result<()> {
        self.asked.lock().unwrap().push(asked);
        errno.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }
}

#[cfg(all(test, any(target_os = "linux", windows)))]
impl Changing for RecordedChanges {
    fn change(&self, change: Change) -> io::Result<()> {
        self.answer(format!("{change:?}"), self.changes)
    }

    fn punch(&self, at: Extent) -> io::Result<()> {
        self.answer(format!("Punch({at:?})"), self.punches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_knows_no_command_that_writes() {
        // WRITE(6), WRITE(10), WRITE(12), WRITE(16), FORMAT UNIT, BLANK, UNMAP, MODE SELECT, SEND KEY, START STOP UNIT.
        for opcode in [0x0a, 0x2a, 0xaa, 0x8a, 0x04, 0xa1, 0x42, 0x55, 0xa3, 0x1b] {
            assert!(!only_reads(&[opcode, 0, 0, 0, 0, 0]), "{opcode:#x}");
        }
        assert!(!only_reads(&[]));
        assert!(!only_reads(&[0; 17]));
        assert!(only_reads(&[0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0]));
    }
}
