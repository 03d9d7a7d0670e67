//! What /proc says of volumes: which are mounted where, which are swapped on.
//!
//! ```text
//!   36 35 8:17 / /media/my\040stick rw,nosuid shared:1 - vfat /dev/sdb1 rw,uid=1000
//!         │    │ │                  │         │          │    │         └ of the file system
//!         │    │ └ target           └ of      └ optional │    └ source
//!         │    └ which part of it     this mount         └ type
//!         └ st_dev; anonymous (0:…) for btrfs, overlay and everything without one device
//! ```

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// A device number: major and minor.
pub(super) type Number = (u32, u32);

/// A line of /proc/self/mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MountLine {
    pub(super) number: Number,
    /// Which directory of the file system is mounted: `/`, unless it is a bind mount or a subvolume.
    pub(super) root: PathBuf,
    pub(super) target: PathBuf,
    pub(super) filesystem: String,
    pub(super) source: PathBuf,
    /// Options of the file system, not of this one mount.
    pub(super) options: String,
}

impl MountLine {
    /// Whether the file system itself is read-only: a read-only bind mount of a writable one is no such thing.
    pub(super) fn read_only(&self) -> bool {
        self.options.split(',').any(|option| option == "ro")
    }

    /// The directories that an overlay is made of.
    pub(super) fn layers(&self) -> impl Iterator<Item = PathBuf> {
        let overlay = self.filesystem == "overlay";
        self.options
            .split(',')
            .filter(move |_| overlay)
            .filter_map(|option| option.strip_prefix("lowerdir=").or(option.strip_prefix("upperdir=")))
            .flat_map(|list| list.split(':'))
            .map(PathBuf::from)
    }
}

/// The mounts of a mountinfo text. Lines that are none are passed over.
pub(super) fn mounts(text: &[u8]) -> Vec<MountLine> {
    text.split(|&byte| byte == b'\n').filter_map(mount).collect()
}

fn mount(line: &[u8]) -> Option<MountLine> {
    let mut fields = line.split(|&byte| byte == b' ');
    let number = number(std::str::from_utf8(fields.nth(2)?).ok()?)?;
    let (root, target) = (path(fields.next()?), path(fields.next()?));
    // Any number of optional fields ends with a lone dash.
    fields.find(|&field| field == b"-")?;
    let filesystem = String::from_utf8_lossy(fields.next()?).into_owned();
    let source = path(fields.next()?);
    let options = String::from_utf8_lossy(fields.next().unwrap_or_default()).into_owned();
    Some(MountLine { number, root, target, filesystem, source, options })
}

/// A line of /proc/swaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SwapLine {
    pub(super) path: PathBuf,
    /// A file on a file system rather than a device.
    pub(super) is_file: bool,
}

/// The active swaps of a /proc/swaps text.
pub(super) fn swaps(text: &[u8]) -> Vec<SwapLine> {
    let lines = text.split(|&byte| byte == b'\n').skip(1);
    let swap = |line: &[u8]| {
        let mut fields = line.split(|byte| byte.is_ascii_whitespace()).filter(|field| !field.is_empty());
        let (file, kind) = (fields.next()?, fields.next()?);
        Some(SwapLine { path: path(file), is_file: kind == b"file" })
    };
    lines.filter_map(swap).collect()
}

/// A `major:minor`.
pub(super) fn number(text: &str) -> Option<Number> {
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A path in which the kernel wrote space, tab, newline and backslash as `\040` and the like.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'\\', &[a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                rest = &tail[3..];
                (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')
            }
            _ => first,
        });
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// A backing file as /sys names it, without the mark of a deleted one.
pub(super) fn backing_file(text: &[u8]) -> Option<PathBuf> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b" (deleted)").unwrap_or(text);
    (!text.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_with_escapes_and_optional_fields() {
        let text = b"36 35 8:17 / /media/my\\040stick\\134x rw,nosuid shared:1 master:2 - vfat /dev/sdb1 rw,uid=1000\n\
                     not a line\n\
                     40 1 0:30 /@home /home rw - btrfs /dev/nvme0n1p2 ro,subvol=/@home\n\
                     41 1 9:x / / rw - ext4 /dev/x rw\n";
        let list = mounts(text);
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].target, PathBuf::from("/media/my stick\\x"));
        assert_eq!((list[0].number, list[0].read_only()), ((8, 17), false));
        assert_eq!(list[1].root, PathBuf::from("/@home"));
        assert_eq!((list[1].source.to_str(), list[1].read_only()), (Some("/dev/nvme0n1p2"), true));
    }

    #[test]
    fn the_file_system_decides_on_read_only_not_the_bind_mount() {
        let list = mounts(b"50 1 8:1 /x /y ro,relatime - ext4 /dev/sda1 rw\n");
        assert!(!list[0].read_only());
    }

    #[test]
    fn an_overlay_has_layers() {
        let text =
            b"60 1 0:50 / / rw - overlay overlay rw,lowerdir=/run/a:/run/b,upperdir=/run/c,workdir=/run/w\n";
        let layers: Vec<_> = mounts(text)[0].layers().collect();
        assert_eq!(layers, ["/run/a", "/run/b", "/run/c"].map(PathBuf::from));
        assert_eq!(mounts(b"60 1 8:1 / / rw - ext4 /dev/sda1 rw,lowerdir=/x\n")[0].layers().count(), 0);
    }

    #[test]
    fn swaps_are_devices_or_files() {
        let text = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
                     /dev/dm-1                               partition\t4194300\t\t0\t\t-2\n\
                     /swap\\040file                          file\t\t1048572\t\t0\t\t-3\n";
        let list = swaps(text);
        assert_eq!(list[0], SwapLine { path: "/dev/dm-1".into(), is_file: false });
        assert_eq!(list[1], SwapLine { path: "/swap file".into(), is_file: true });
        assert!(swaps(b"").is_empty());
    }

    #[test]
    fn a_cut_escape_stays_as_it_is() {
        assert_eq!(path(b"/a\\04"), PathBuf::from("/a\\04"));
        assert_eq!(path(b"/a\\"), PathBuf::from("/a\\"));
        assert_eq!(path(b"/a\\999"), PathBuf::from("/a\\999"));
    }
}
