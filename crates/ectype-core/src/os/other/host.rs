//! The machine, as far as it is known here: not at all yet.

/// The identity of this boot.
pub fn boot_id() -> Option<String> {
    None
}

/// Whether we may open devices.
pub fn is_privileged() -> bool {
    false
}

/// A limit on a file's length is an error here as it is.
pub fn limits_are_errors() {}
