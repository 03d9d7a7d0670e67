//! What to type here: the commands of this system, in the advice that errors give.

use crate::error::word;
use crate::os::Mount;
use std::path::Path;

/// How to be rid of a mount; `None` where there is no way that is worth a line.
pub fn unmount(mount: &Mount) -> Option<String> {
    Some(format!("unmount it:  umount {}", word(&mount.target)))
}

/// How to be rid of what holds a device.
pub fn free(holder: &str) -> Option<String> {
    Some(format!("free it from {holder}"))
}

/// The command that makes a folder.
pub fn make_folder(folder: &Path) -> String {
    format!("mkdir -p {}", word(folder))
}

/// How the same command gets the right to do what it does.
pub fn as_administrator(command: &str) -> String {
    format!("as the administrator:  sudo {command}")
}
