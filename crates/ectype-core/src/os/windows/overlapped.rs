//! Requests that Windows may answer later: several threads use one handle at once, each waiting for its own.
#![expect(unsafe_code, reason = "events, and the results of requests")]

use super::bindings::{
    CreateEventW, ERROR_IO_PENDING, GetOverlappedResult, OVERLAPPED, OVERLAPPED_0, OVERLAPPED_0_0,
    STATUS_PENDING,
};
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::time::Duration;
use windows_core::{BOOL, PCWSTR};

thread_local! {
    /// What the request of this thread is waited for with; none where the system is out of them.
    static ANSWERED: Option<OwnedHandle> = event();
}

fn event() -> Option<OwnedHandle> {
    // SAFETY: makes an event that is reset by hand and has no name; its owner closes it.
    unsafe {
        let event = CreateEventW(std::ptr::null(), true.into(), false.into(), PCWSTR::null());
        (!event.is_null()).then(|| OwnedHandle::from_raw_handle(event))
    }
}

/// Starts a request at `offset` and waits for its end, on a handle of either kind: how many bytes it moved, and the error
/// that it ended with.
///
/// # Errors
/// Where no request could be made at all.
pub(super) fn complete(
    handle: BorrowedHandle<'_>,
    offset: u64,
    start: impl FnOnce(*mut OVERLAPPED) -> BOOL,
) -> io::Result<(u32, Option<io::Error>)> {
    ANSWERED.with(|event| {
        let event = event.as_ref().ok_or(io::ErrorKind::OutOfMemory)?;
        let place = OVERLAPPED_0_0 { Offset: offset as u32, OffsetHigh: (offset >> 32) as u32 };
        let mut at = OVERLAPPED {
            Anonymous: OVERLAPPED_0 { Anonymous: place },
            hEvent: event.as_raw_handle(),
            ..OVERLAPPED::default()
        };
        // The system writes there while the request is under way: from here on it is reached by this alone.
        let at = &raw mut at;
        if !start(at).as_bool() {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(ERROR_IO_PENDING) {
                // SAFETY: the request has ended, and `at` is of this call.
                return Ok((unsafe { (*at).InternalHigh } as u32, Some(error)));
            }
        }
        loop {
            let mut moved = 0;
            // SAFETY: the request is this thread's own, and nothing refers to `at` after it has ended.
            let done = unsafe { GetOverlappedResult(handle.as_raw_handle(), at, &mut moved, true.into()) };
            let error = (!done.as_bool()).then(io::Error::last_os_error);
            // Where the waiting itself failed the request goes on, and memory that it fills cannot be given up.
            // SAFETY: `at` is of this call; its state is written by the system.
            if unsafe { (&raw const (*at).Internal).read_volatile() } != STATUS_PENDING.0 as usize {
                return Ok((moved, error));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    })
}
