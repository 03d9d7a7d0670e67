//! The machine: its name, its boot, and what we may do on it.

use std::fs;

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

/// The machine's name.
pub fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_machine_has_a_name_and_a_boot() {
        assert!(!super::name().is_empty());
        assert_eq!(super::boot_id().map(|id| id.len()), Some(36));
    }
}
