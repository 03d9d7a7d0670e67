//! The machine, as far as it is known here: not at all yet.

use std::path::Path;

/// The identity of this boot.
pub fn boot_id() -> Option<String> {
    None
}

/// Whether we may open devices.
pub fn is_privileged() -> bool {
    false
}

/// Whether a folder is the system's own, where a slip leaves nothing of ours.
pub fn is_system_folder(dir: &Path) -> bool {
    crate::os::is_system_folder(dir)
}

/// A limit on a file's length is an error here as it is.
pub fn limits_are_errors() {}

/// Whether terminals understand escape sequences.
pub fn terminals_understand_escapes() -> bool {
    true
}

/// Nothing closes a terminal here without a signal.
pub fn before_closing(_stop: impl Fn() + Send + Sync + 'static) {}
