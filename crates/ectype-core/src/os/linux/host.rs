//! The machine: its boot, and what we may do on it.
#![expect(unsafe_code, reason = "the disposition of a signal")]

use std::fs;
use std::path::Path;

/// The identity of this boot: diskseq and write counters mean something only within one.
pub fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = text.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

/// Whether we run as root, so that devices can be opened whoever owns them.
pub fn is_privileged() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a folder is the system's own, where a slip leaves nothing of ours.
pub fn is_system_folder(dir: &Path) -> bool {
    crate::os::is_system_folder(dir)
}

/// Makes a write beyond the limit on a file's length (`ulimit -f`) fail with an error instead of ending the process.
pub fn limits_are_errors() {
    // SAFETY: sets the disposition of one signal to "ignore"; no handler runs.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Whether terminals understand escape sequences.
pub fn terminals_understand_escapes() -> bool {
    true
}

/// Nothing closes a terminal here without a signal.
pub fn before_closing(_stop: impl Fn() + Send + Sync + 'static) {}

#[cfg(test)]
mod tests {
    #[test]
    fn the_machine_knows_its_boot() {
        assert_eq!(super::boot_id().map(|id| id.len()), Some(36));
    }
}
