//! The machine: its boot, and what we may do on it.
#![expect(unsafe_code, reason = "questions to the system")]

use super::bindings::{
    GetCurrentProcess, GetTokenInformation, NtQuerySystemInformation, OpenProcessToken,
    SEM_FAILCRITICALERRORS, SEM_NOOPENFILEERRORBOX, SetErrorMode, SystemTimeOfDayInformation,
    TOKEN_ELEVATION, TOKEN_QUERY, TokenElevation,
};
use std::os::windows::io::{FromRawHandle, OwnedHandle};

/// The identity of this boot: the moment at which it began. Somebody who sets the clock moves that moment too, and by how
/// much is told beside it.
pub fn boot_id() -> Option<String> {
    // BootTime, CurrentTime, TimeZoneBias (of 100 ns each), TimeZoneId, BootTimeBias, SleepTimeBias.
    let mut facts = [0i64; 6];
    let len = size_of_val(&facts) as u32;
    // SAFETY: the system writes at most as many bytes as it is told.
    let status = unsafe {
        NtQuerySystemInformation(
            SystemTimeOfDayInformation,
            facts.as_mut_ptr().cast(),
            len,
            std::ptr::null_mut(),
        )
    };
    let began = facts[0].wrapping_sub(facts[4]);
    (status.0 >= 0 && facts[0] != 0).then(|| format!("{began:016x}"))
}

/// Whether we run elevated, so that devices can be opened.
pub fn is_privileged() -> bool {
    let mut token = std::ptr::null_mut();
    // SAFETY: the process's own handle needs no closing; the token's is closed by its owner below.
    let token = unsafe {
        if !OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY as u32, &mut token).as_bool() {
            return false;
        }
        OwnedHandle::from_raw_handle(token)
    };
    let mut elevation = TOKEN_ELEVATION::default();
    let (mut told, len) = (0, size_of::<TOKEN_ELEVATION>() as u32);
    // SAFETY: the system writes at most as many bytes as it is told, into numbers.
    let answered = unsafe {
        use std::os::windows::io::AsRawHandle;
        GetTokenInformation(
            token.as_raw_handle(),
            TokenElevation,
            (&raw mut elevation).cast(),
            len,
            &mut told,
        )
    };
    answered.as_bool() && elevation.TokenIsElevated != 0
}

/// Makes a drive without a medium an error instead of a dialog. A limit on a file's length is an error here as it is.
pub fn limits_are_errors() {
    // SAFETY: sets two flags of this process.
    unsafe { SetErrorMode((SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX) as u32) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_machine_knows_its_boot() {
        let boot = super::boot_id();
        assert_eq!(boot.as_ref().map(String::len), Some(16));
        assert_eq!(boot, super::boot_id());
    }
}
