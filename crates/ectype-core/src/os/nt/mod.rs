//! Devices of Windows without a call of Windows: what is asked, what the replies mean, how names are spelled and how whole
//! sectors are read. Compiled into the tests of every system, which answer the requests themselves.
//!
//! ```text
//!   names     `E:`, `\\.\PhysicalDrive1`, `\\?\Volume{…}\`
//!   request   the closed list of requests, and the gates to a device
//!   replies   the structures that come back: bytes from a driver, so nothing in them is believed
//!   sizes     how large a device is, by what answers, or else by reading
//!   sectors   any read in whole sectors, aligned and within the device
//!   toc       an optical disc's table of contents
//!   pass_through  a SCSI command as a request
//!   hostile   a driver that answers anything, for the fuzzer
//!   holders   who has a volume open, from the system's table of handles
//! ```

#![cfg_attr(not(windows), expect(dead_code, reason = "elsewhere only the tests use it, and not all of it"))]

pub(super) mod holders;
#[cfg(any(test, fuzzing))]
pub mod hostile;
pub(super) mod names;
pub(super) mod pass_through;
#[cfg(test)]
mod recorded;
pub(super) mod replies;
pub(super) mod request;
pub(super) mod sectors;
pub(super) mod sizes;
pub(super) mod toc;

/// Answers of Windows that decide what is done next.
pub(super) mod code {
    pub(in crate::os) const INVALID_FUNCTION: i32 = 1;
    pub(in crate::os) const ACCESS_DENIED: i32 = 5;
    pub(in crate::os) const NOT_READY: i32 = 21;
    pub(in crate::os) const BAD_COMMAND: i32 = 22;
    pub(in crate::os) const SECTOR_NOT_FOUND: i32 = 27;
    pub(in crate::os) const SHARING_VIOLATION: i32 = 32;
    pub(in crate::os) const HANDLE_EOF: i32 = 38;
    pub(in crate::os) const NOT_SUPPORTED: i32 = 50;
    pub(in crate::os) const INVALID_PARAMETER: i32 = 87;
    pub(in crate::os) const CALL_NOT_IMPLEMENTED: i32 = 120;
    pub(in crate::os) const INSUFFICIENT_BUFFER: i32 = 122;
    pub(in crate::os) const MORE_DATA: i32 = 234;
    pub(in crate::os) const NO_MEDIA_IN_DRIVE: i32 = 1112;
}

/// Whether the device, its driver or the system does not know the request.
pub(super) fn is_unknown(error: &std::io::Error) -> bool {
    use code::*;
    let known = [
        INVALID_FUNCTION,
        BAD_COMMAND,
        NOT_SUPPORTED,
        INVALID_PARAMETER,
        CALL_NOT_IMPLEMENTED,
        INSUFFICIENT_BUFFER,
    ];
    error.kind() == std::io::ErrorKind::Unsupported
        || error.raw_os_error().is_some_and(|code| known.contains(&code))
}

/// Whether the drive holds no medium.
pub(super) fn is_empty(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(code::NOT_READY | code::NO_MEDIA_IN_DRIVE))
}
