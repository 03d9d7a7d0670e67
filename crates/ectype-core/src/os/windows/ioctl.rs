//! The one place that calls DeviceIoControl.
#![expect(unsafe_code, reason = "DeviceIoControl")]

use super::bindings::{DeviceIoControl, ERROR_MORE_DATA};
use super::overlapped;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle};

/// What a request gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// So many bytes of the output hold it.
    pub(super) len: usize,
    /// Whether there would be more than the output has room for.
    pub(super) more: bool,
}

/// Sends a request to an open file or device, and waits for the answer.
pub(super) fn ioctl(to: &impl AsHandle, code: i32, input: &[u8], output: &mut [u8]) -> io::Result<Reply> {
    let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let (input_len, output_len) =
        (u32::try_from(input.len()).map_err(too_long)?, u32::try_from(output.len()).map_err(too_long)?);
    // An empty slice has an address that means nothing.
    let input = if input.is_empty() { std::ptr::null() } else { input.as_ptr().cast() };
    let output = if output.is_empty() { std::ptr::null_mut() } else { output.as_mut_ptr().cast() };
    let handle = to.as_handle();
    let (len, error) = overlapped::complete(handle, 0, |at| {
        let mut told = 0;
        // SAFETY: the handle is open during the call, the system reads and writes no more than the lengths say, and
        // `complete` waits until it does so no more.
        unsafe {
            DeviceIoControl(
                handle.as_raw_handle(),
                code as u32,
                input,
                input_len,
                output,
                output_len,
                &mut told,
                at,
            )
        }
    })?;
    let len = len.min(output_len) as usize;
    match error {
        None => Ok(Reply { len, more: false }),
        Some(error) if error.raw_os_error() == Some(ERROR_MORE_DATA) => Ok(Reply { len, more: true }),
        Some(error) => Err(error),
    }
}
