//! The gates to real devices: the only ioctl calls of the library.
#![expect(unsafe_code, reason = "ioctl")]

use super::node::Node;
use crate::extent::Extent;
use crate::os::control::{Argument, Change, Changing, Commands, Control, Request, ScsiReply, only_reads};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, opcode};
use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

impl Control for OwnedFd {
    fn ioctl(&self, request: Request, arg: &mut [u8]) -> io::Result<u32> {
        if !request.fits(arg) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // A copy that is aligned for every structure, with room that no request of the table exceeds.
        let mut room = [0_u64; 2];
        let pointer = match request.argument() {
            Argument::None => std::ptr::null_mut(),
            Argument::Bytes(len) => {
                zerocopy::IntoBytes::as_mut_bytes(&mut room)[..len].copy_from_slice(arg);
                room.as_mut_ptr().cast()
            }
        };
        // SAFETY: every request of the table writes at most the bytes that `Request::argument` tells, which fit in
        // `room` and which `fits` has compared with `arg`; requests without a structure touch no memory.
        let result =
            unsafe { rustix::ioctl::ioctl(self.as_fd(), Call { number: number(request), pointer }) }?;
        if let Argument::Bytes(len) = request.argument() {
            arg.copy_from_slice(&zerocopy::IntoBytes::as_bytes(&room)[..len]);
        }
        Ok(result)
    }
}

impl Commands for OwnedFd {
    fn scsi(&self, cdb: &[u8], data: &mut [u8], timeout: Duration) -> io::Result<ScsiReply> {
        const FROM_DEVICE: i32 = -3;
        const NOTHING: i32 = -1;
        let len = u32::try_from(data.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        if !only_reads(cdb) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut command = [0_u8; 16];
        command[..cdb.len()].copy_from_slice(cdb);
        let mut sense = [0_u8; 64];
        let mut header = SgIo {
            interface: i32::from(b'S'),
            direction: if len == 0 { NOTHING } else { FROM_DEVICE },
            command_len: cdb.len() as u8,
            sense_room: sense.len() as u8,
            iovec_count: 0,
            data_len: len,
            data: data.as_mut_ptr().cast(),
            command: command.as_mut_ptr(),
            sense: sense.as_mut_ptr(),
            timeout_ms: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
            flags: 0,
            pack_id: 0,
            user: std::ptr::null_mut(),
            status: 0,
            masked_status: 0,
            message_status: 0,
            sense_len: 0,
            host_status: 0,
            driver_status: 0,
            residual: 0,
            duration: 0,
            info: 0,
        };
        let call = Call { number: SG_IO, pointer: (&raw mut header).cast() };
        // SAFETY: the header is the kernel's sg_io_hdr; its pointers and lengths are those of `data`, `command` and
        // `sense`, which outlive the call.
        unsafe { rustix::ioctl::ioctl(self.as_fd(), call) }?;
        if header.host_status != 0 {
            // The command never reached the drive or its answer never came back.
            return Err(io::Error::other(format!("SCSI host status {:#x}", header.host_status)));
        }
        let sense_len = usize::from(header.sense_len).min(sense.len());
        Ok(ScsiReply {
            status: header.status,
            sense: sense[..sense_len].to_vec(),
            residual: u32::try_from(header.residual).unwrap_or(0).min(len),
        })
    }
}

impl Changing for Node {
    fn change(&self, change: Change) -> io::Result<()> {
        // BLKDISCARD and BLKZEROOUT take the start and the length.
        let mut range = match change {
            Change::ZeroOut(at) | Change::Discard(at) => [at.offset, at.len],
            Change::RereadPartitions => [0, 0],
        };
        let pointer = match change {
            Change::RereadPartitions => std::ptr::null_mut(),
            _ => range.as_mut_ptr().cast(),
        };
        // SAFETY: both requests with a range read two numbers of 64 bits, which `range` holds during the call; the one
        // without touches no memory.
        unsafe { rustix::ioctl::ioctl(self.as_fd(), Call { number: change_number(change), pointer }) }?;
        Ok(())
    }

    fn punch(&self, at: Extent) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        loop {
            match rustix::fs::fallocate(self.as_fd(), flags, at.offset, at.len) {
                Err(Errno::INTR) => {}
                answer => return Ok(answer?),
            }
        }
    }
}

/// The numbers of linux/fs.h.
fn change_number(change: Change) -> Opcode {
    match change {
        Change::Discard(_) => opcode::none(0x12, 119),
        Change::ZeroOut(_) => opcode::none(0x12, 127),
        Change::RereadPartitions => opcode::none(0x12, 95),
    }
}

const SG_IO: Opcode = 0x2285;

/// The numbers of linux/fs.h and linux/cdrom.h.
fn number(request: Request) -> Opcode {
    match request {
        Request::Size => opcode::read::<usize>(0x12, 114),
        Request::SectorSize => opcode::none(0x12, 104),
        Request::PhysicalSectorSize => opcode::none(0x12, 123),
        Request::DiskSequence => opcode::read::<u64>(0x12, 128),
        Request::DropCaches => opcode::none(0x12, 97),
        Request::TocHeader => 0x5305,
        Request::TocEntry => 0x5306,
        Request::MultiSession => 0x5310,
        Request::DriveStatus => 0x5326,
        Request::DiscStatus => 0x5327,
    }
}

struct Call {
    number: Opcode,
    pointer: *mut c_void,
}

// SAFETY: the pointer is the one that the number expects (both callers see to it), and the output is the call's result,
// for which the pointer is not read.
unsafe impl Ioctl for Call {
    type Output = u32;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.number
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.pointer
    }

    unsafe fn output_from_ptr(result: IoctlOutput, _: *mut c_void) -> rustix::io::Result<u32> {
        Ok(u32::try_from(result).unwrap_or(0))
    }
}

/// `struct sg_io_hdr` of scsi/sg.h.
#[repr(C)]
struct SgIo {
    interface: i32,
    direction: i32,
    command_len: u8,
    sense_room: u8,
    iovec_count: u16,
    data_len: u32,
    data: *mut c_void,
    command: *mut u8,
    sense: *mut u8,
    timeout_ms: u32,
    flags: u32,
    pack_id: i32,
    user: *mut c_void,
    status: u8,
    masked_status: u8,
    message_status: u8,
    sense_len: u8,
    host_status: u16,
    driver_status: u16,
    residual: i32,
    duration: u32,
    info: u32,
}

// The layout that the kernel fixes, on machines of 64 bits.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<SgIo>() == 88);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_kernels() {
        let known: [(Request, Opcode); 5] = [
            (Request::Size, 0x8008_1272),
            (Request::SectorSize, 0x1268),
            (Request::PhysicalSectorSize, 0x127b),
            (Request::DiskSequence, 0x8008_1280),
            (Request::DropCaches, 0x1261),
        ];
        for (request, value) in known {
            assert_eq!(number(request), value, "{request:?}");
        }
        let at = Extent::new(0, 512);
        let changes: [(Change, Opcode); 3] = [
            (Change::Discard(at), 0x1277),
            (Change::ZeroOut(at), 0x127f),
            (Change::RereadPartitions, 0x125f),
        ];
        for (change, value) in changes {
            assert_eq!(change_number(change), value, "{change:?}");
        }
    }

    #[test]
    fn a_wrong_argument_does_not_reach_the_kernel() {
        let file = OwnedFd::from(std::fs::File::open("/proc/self/status").unwrap());
        let error = file.ioctl(Request::Size, &mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = file.scsi(&[0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0], &mut [], Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        // And a right one does: no file of /proc has a size in that sense.
        assert!(file.ioctl(Request::Size, &mut [0; 8]).unwrap_err().raw_os_error().is_some());
    }
}
