//! What to do here: the ways of Windows, in the advice that errors give.

use crate::error::word;
use crate::os::Mount;
use std::path::Path;

/// What a disc in a drive is called in examples.
pub const DISC: &str = "E:";

/// What a stick is called there.
pub const STICK: &str = "F:";

/// What a whole disk is called there.
pub const DISK: &str = r"\\.\PhysicalDrive2";

/// Names that devices have here.
pub const NAMES: &str = r"E:, \\.\PhysicalDrive1, \\?\Volume{…}";

/// Said of a folder that was named as what is to be overwritten.
pub const NO_TARGET: &str = "`ectype devices` lists the devices";

/// How to be rid of a mount: one that does not give way to a lock is of the running system.
pub fn unmount(_mount: &Mount) -> Option<String> {
    None
}

/// How to be rid of what holds a device: the running system does.
pub fn free(_holder: &str) -> Option<String> {
    None
}

/// How the system is told that a disk has another partition table.
pub fn reread_partitions(_disk: &Path) -> String {
    "in diskpart: rescan".to_owned()
}

/// The command that makes a folder.
pub fn make_folder(folder: &Path) -> String {
    format!("mkdir {}", word(folder))
}

/// How the same command gets the right to do what it does.
pub fn as_administrator(command: &str) -> String {
    format!("in a terminal that runs as administrator (Windows key, type cmd, Ctrl+Shift+Enter):  {command}")
}

/// The command that compares the image at `path` with its list of digests: here it prints the digest.
pub fn check_digest(path: &Path) -> String {
    format!("certutil -hashfile {} SHA256", word(path))
}
