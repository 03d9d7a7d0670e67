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
    pub(in crate::os) const IO_DEVICE: i32 = 1117;
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

/// Whether somebody else holds the device, or its volume, so that it cannot be opened or locked.
pub(super) fn is_held(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(code::ACCESS_DENIED | code::SHARING_VIOLATION))
}

/// Whether the drive holds no medium.
pub(super) fn is_empty(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(code::NOT_READY | code::NO_MEDIA_IN_DRIVE))
}

/// Whether the drive has a medium and can read it; how often that was changed is not asked, which not every system answers.
pub(super) fn is_ready(drive: &dyn request::Asking) -> std::io::Result<()> {
    drive.ask(request::Query::CheckVerify, &[], &mut []).map(drop)
}

/// Why an optical drive did not read. One that searches in a scratch says that it is not ready, as one without a disc does; that
/// which says it is ready has its disc, and the medium failed.
pub(super) fn not_read(drive: &dyn request::Asking, error: std::io::Error) -> std::io::Error {
    let waits = error.raw_os_error() == Some(code::NOT_READY);
    match waits && is_ready(drive).is_ok() {
        true => std::io::Error::from_raw_os_error(code::IO_DEVICE),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::request::{Query, Replies};
    use super::*;

    #[test]
    fn a_drive_that_searches_has_its_disc() {
        let ready = |answer| Replies { asked: vec![(Query::CheckVerify, answer)], ..Replies::default() };
        let of = |drive: &Replies, error| {
            not_read(drive, std::io::Error::from_raw_os_error(error)).raw_os_error().unwrap()
        };
        assert_eq!(of(&ready(Ok(Vec::new())), code::NOT_READY), code::IO_DEVICE);
        assert_eq!(of(&ready(Err(code::NO_MEDIA_IN_DRIVE)), code::NOT_READY), code::NOT_READY);
        assert_eq!(of(&Replies::default(), code::NOT_READY), code::NOT_READY);
        assert_eq!(of(&ready(Ok(Vec::new())), code::NO_MEDIA_IN_DRIVE), code::NO_MEDIA_IN_DRIVE);
    }

    #[test]
    fn a_volume_that_cannot_be_opened_is_held_or_has_nobody() {
        let of = |code| is_held(&std::io::Error::from_raw_os_error(code));
        assert!(of(code::ACCESS_DENIED) && of(code::SHARING_VIOLATION));
        // Not there, without a medium, locked by BitLocker.
        let nobody = [2, code::NOT_READY, code::NO_MEDIA_IN_DRIVE, 0x8031_0000_u32 as i32];
        assert!(!nobody.into_iter().any(of));
    }
}
