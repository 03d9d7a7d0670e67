//! The machine, as far as it is known here: not at all yet.

/// The identity of this boot.
pub fn boot_id() -> Option<String> {
    None
}

/// Whether we may open devices.
pub fn is_privileged() -> bool {
    false
}

/// The machine's name; empty when unknown.
pub fn name() -> String {
    String::new()
}
