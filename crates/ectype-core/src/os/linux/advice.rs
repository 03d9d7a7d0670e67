//! What to type here: the commands of this system, in the advice that errors give.

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

/// The command that compares the image at `path` with its list of digests, which names the image alone: it is checked where it lies.
pub fn check_digest(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let list = format!("{name}.sha256");
    let check = format!("sha256sum -c {}", word(Path::new(&list)));
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => format!("cd {} && {check}", word(folder)),
        _ => check,
    }
}
