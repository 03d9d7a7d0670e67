//! What programs wrote and the system still holds back: it is sent on its way, as it would be later anyway.
//!
//! Not by fsync: that also tells the drive to flush, and of a source a drive is asked for nothing but sectors.
#![expect(unsafe_code, reason = "sync_file_range")]

use std::os::fd::{AsFd, AsRawFd};

/// Writes back the dirty pages of a file or device, and waits for them. Then a write counter has counted them, and a later
/// change through a mapping dates the file. Best effort.
pub(super) fn write_back(file: &impl AsFd) {
    let flags =
        libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: takes a descriptor that is open during the call, and numbers.
    let _ = unsafe { libc::sync_file_range(file.as_fd().as_raw_fd(), 0, 0, flags) };
}
