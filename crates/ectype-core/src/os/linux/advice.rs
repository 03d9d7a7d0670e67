//! What to type here: the commands of this system, in the advice that errors give.

pub use crate::os::check_digest;

use crate::error::word;
use crate::os::Mount;
use std::path::Path;

/// What a disc in a drive is called in examples.
pub const DISC: &str = "/dev/sr0";

/// What a stick is called there.
pub const STICK: &str = "/dev/sdb";

/// What a whole disk is called there.
pub const DISK: &str = "/dev/sdb";

/// Names that devices have here.
pub const NAMES: &str = "/dev/sr0, /dev/disk/by-id/…";

/// Said of a folder that was named as what is to be overwritten.
pub const NO_TARGET: &str = "`ectype devices` lists the devices; one that is mounted must be unmounted first";

/// How to be rid of a mount; `None` where there is no way that is worth a line.
pub fn unmount(mount: &Mount) -> Option<String> {
    Some(format!("unmount it:  umount {}", word(&mount.target)))
}

/// How to be rid of what holds a device.
pub fn free(holder: &str) -> Option<String> {
    Some(match holder.strip_prefix("swap on ") {
        Some(node) => format!("end the swapping:  swapoff {node}"),
        None => format!("free it from {holder}"),
    })
}

/// How the system is told that a disk has another partition table.
pub fn reread_partitions(disk: &Path) -> String {
    format!("partprobe {}", word(disk))
}

/// The command that makes a folder.
pub fn make_folder(folder: &Path) -> String {
    format!("mkdir -p {}", word(folder))
}

/// How the same command gets the right to do what it does.
pub fn as_administrator(command: &str) -> String {
    format!("as the administrator:  sudo {command}")
}
