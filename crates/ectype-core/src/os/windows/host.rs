//! The machine: its boot, and what we may do on it.
#![expect(unsafe_code, reason = "questions to the system")]

use super::bindings::*;
use super::survey;
use crate::os::nt::holders::lies_on;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::sync::OnceLock;

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

/// Whether a folder is the system's own, where a slip leaves nothing of ours: the terminal of an administrator begins in one.
pub fn is_system_folder(dir: &Path) -> bool {
    survey::windows_folder().is_some_and(|windows| lies_on(&dir.to_string_lossy(), &windows))
}

/// Makes a drive without a medium an error instead of a dialog. A limit on a file's length is an error here as it is.
pub fn limits_are_errors() {
    // SAFETY: sets two flags of this process.
    unsafe { SetErrorMode((SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX) as u32) };
}

/// Makes the consoles of this process obey escape sequences; false where one does not, as before Windows 10.
pub fn terminals_understand_escapes() -> bool {
    [STD_OUTPUT_HANDLE, STD_ERROR_HANDLE].into_iter().all(|which| {
        let mut mode = 0;
        // SAFETY: the handle belongs to the process; what is no console only answers with an error.
        unsafe {
            let handle = GetStdHandle(which);
            if !GetConsoleMode(handle, &mut mode).as_bool() {
                // A file or a pipe has nothing to understand.
                return true;
            }
            let wanted = (ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING) as u32;
            SetConsoleMode(handle, mode | wanted).as_bool()
        }
    })
}

/// What is done when the console's window is closed, the user logs off or the machine is shut down.
static CLOSING: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// What is done before the console's window closes or the session ends. Windows then gives the process some seconds (5, and 20 at
/// a shutdown) to end by itself.
pub fn before_closing(stop: impl Fn() + Send + Sync + 'static) {
    if CLOSING.set(Box::new(stop)).is_ok() {
        // SAFETY: the handler is a function of this program, and Windows calls it on a thread of its own.
        let _ = unsafe { SetConsoleCtrlHandler(Some(closing), true.into()) };
    }
}

unsafe extern "system" fn closing(event: u32) -> windows_core::BOOL {
    let ends = [CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT];
    let Some(stop) = CLOSING.get().filter(|_| ends.contains(&(event as i32))) else {
        // The interrupt key has a handler of its own.
        return false.into();
    };
    stop();
    // The process is ended as soon as this returns.
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_windows_is_the_systems_own() {
        let of = |dir: &str| is_system_folder(Path::new(dir));
        let windows = survey::windows_folder().unwrap();
        assert!(of(&windows) && of(&windows.to_uppercase()) && of(&(windows.clone() + r"\System32")));
        assert!(!of(&(windows + "2")) && !of(r"C:\Users"));
    }

    #[test]
    fn the_machine_knows_its_boot() {
        let boot = super::boot_id();
        assert_eq!(boot.as_ref().map(String::len), Some(16));
        assert_eq!(boot, super::boot_id());
    }
}
