//! The operating system: the only room with `unsafe` and with `cfg(target_os)`.
//!
//! ```text
//!   mod.rs      the words that all systems share: Device, Medium, Mount …
//!   buffer.rs   memory aligned for direct I/O
//!   control.rs  the one gate to a device's controls (ioctl, SCSI), which a test answers from a recording
//!   scsi.rs     reading by SCSI commands
//!   disc.rs     what an optical disc tells about itself, as data
//!   vss.rs      the calls by which snapshots are made, as a gate that a test answers from a script
//!   nt/         devices of Windows as requests and replies: pure, and tested everywhere
//!   writable.rs a device that is written, over the system's `node`
//!   linux/      advice  disk  file  host  memory  node  optical   every system's folder exports the same names
//!   windows/    the same, and `snapshot`, in whose place elsewhere is snapshot.rs, which refuses; `bindings` has the calls of Windows
//!   other/      plain files only: macOS and the rest
//! ```

pub mod buffer;
pub mod control;
mod disc;
#[cfg(any(windows, test, fuzzing))]
mod nt;
#[cfg(any(test, fuzzing))]
pub use nt::hostile;
#[cfg(any(target_os = "linux", windows, test))]
mod scsi;
mod vss;

#[cfg(any(target_os = "linux", windows))]
pub mod writable;

#[cfg(not(windows))]
pub mod snapshot;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{advice, disk, file, host, optical};
#[cfg(target_os = "linux")]
use linux::{memory, node};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{advice, disk, file, host, optical, snapshot};
#[cfg(windows)]
use windows::{memory, node};

#[cfg(not(any(target_os = "linux", windows)))]
mod other;
#[cfg(not(any(target_os = "linux", windows)))]
use other::memory;
#[cfg(not(any(target_os = "linux", windows)))]
pub use other::{advice, disk, file, host, optical, writable};

use std::path::{Path, PathBuf};

/// The kind of a medium, which decides precaution and format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Medium {
    /// A CD, DVD or Blu-ray disc.
    Optical,
    /// A writable medium that is taken out: stick, card, floppy.
    Removable,
    /// A disk that stays, loop devices included.
    Fixed,
    /// A plain file.
    File,
    /// An image that was opened: the content of its disk.
    Image,
}

impl Medium {
    /// The stable name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Medium::Optical => "optical",
            Medium::Removable => "removable",
            Medium::Fixed => "fixed",
            Medium::File => "file",
            Medium::Image => "image",
        }
    }
}

/// Whom an error of a read blames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The medium: it could not give what was asked.
    Medium,
    /// The device or its medium: no longer there.
    Gone,
    /// Neither.
    Other,
}

/// A place where (a part of) a device is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub target: PathBuf,
    /// The node that is mounted, as `/dev/sdb1`.
    pub node: PathBuf,
    /// The file system's type as the kernel names it.
    pub filesystem: String,
    /// Whether it is mounted read-only, so that nothing can change through it.
    pub read_only: bool,
    /// Whether it gives way to somebody who wants the device alone: on Windows a volume does on which nobody has a file open.
    pub gives_way: bool,
}

/// A partition as the kernel sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The partition's number.
    pub number: u32,
    /// Its node, as `/dev/sdb1`.
    pub node: PathBuf,
    /// Its first byte on the whole disk.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// A block device: a whole disk, or with `whole` set, a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The node, as `/dev/sdb`.
    pub path: PathBuf,
    /// The kernel's name, as `sdb`.
    pub name: String,
    /// The whole disk's node when this is a partition.
    pub whole: Option<PathBuf>,
    /// What kind of medium it is.
    pub medium: Medium,
    /// How it is attached: `usb`, `ata`, `nvme`, `scsi`, `virtio`, `mmc`, `loop`, `dm`, `md` …; empty when unknown.
    pub bus: String,
    /// Vendor and model; of a loop device its backing file, as it may be shown; empty when unknown.
    pub model: String,
    /// What a loop device is made of: a file, or a device's node.
    pub backing: Option<PathBuf>,
    /// The serial number; empty when unknown.
    pub serial: String,
    /// Whether the medium or the device can be taken out.
    pub removable: bool,
    /// Whether it turns (so that seeks cost); false for optical drives without a medium.
    pub rotational: bool,
    /// Whether writing to it is impossible.
    pub read_only: bool,
    /// Whether the running system lives on it: `/`, `/usr`, `/var`, `/boot`, an active swap.
    pub system: bool,
    /// Its length in bytes; 0 without a medium.
    pub size: u64,
    /// The logical sector in bytes: the unit of addressing.
    pub sector_size: u32,
    /// The physical sector in bytes: the unit that fails as one.
    pub physical_sector_size: u32,
    /// The kernel's sequence number of the medium in the device: changes with every medium; valid until reboot.
    pub diskseq: Option<u64>,
    /// Its mounts and those of its partitions and of what is stacked on it.
    pub mounts: Vec<Mount>,
    /// What holds it or a partition of it: `dm-0 (vg-root)`, `md0`, `swap on /dev/sdb2` …
    pub holders: Vec<String>,
    /// Its partitions as the kernel sees them.
    pub parts: Vec<Part>,
}

/// How a device is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lock {
    /// Nobody else may mount it, swap on it or open it exclusively; refused when somebody already does.
    Exclusive,
    /// The same, and where programs have files open on its volumes, those are taken from them. Only where
    /// `disk::TAKES_FILES_AWAY` says so; elsewhere it is as `Exclusive`.
    Forced,
    /// Beside others, for a mounted or otherwise used device; refused only when somebody locked it whole.
    Shared,
}

/// What a SOURCE argument names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A block device.
    Device {
        /// The device.
        device: Box<Device>,
        /// The mount point that named it, when the argument was none of its nodes.
        via_mount: Option<PathBuf>,
    },
    /// A regular file.
    File(PathBuf),
}

impl Device {
    /// Whether something could write to it while it is being read: a writable mount, a holder, swap.
    pub fn in_use(&self) -> bool {
        !self.holders.is_empty() || self.barring().any(|mount| !mount.read_only)
    }

    /// The mounts that keep others from holding it exclusively.
    pub fn barring(&self) -> impl Iterator<Item = &Mount> {
        self.mounts.iter().filter(|mount| !mount.gives_way)
    }
}

/// What tells whether a file was written or replaced since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileStamp {
    /// The file system's device number.
    pub device: u64,
    /// The inode.
    pub inode: u64,
    /// The length in bytes.
    pub size: u64,
    /// When the content was last written, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// When anything of it last changed: no program can set this one back.
    pub changed_ns: i64,
}

/// Whether a file that is written may be a sparse one. It matters on Windows, where a program must ask for holes, and where a
/// file with them cannot be attached as a disk (0xC03A001A); elsewhere every file that can have holes has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// Holes are welcome.
    Sparse,
    /// Windows attaches it, and wants every byte in its place.
    Dense,
}

/// The room on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still write.
    pub available: u64,
    /// The file system's type where it is known.
    pub filesystem: Option<&'static str>,
    /// The longest file that it holds, where that is less than any disk.
    pub largest_file: Option<u64>,
}

/// The name under which the file at `path` is written anew before it takes that name.
pub fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".ectype-new");
    path.with_file_name(name)
}

/// Whether a folder is one of those that a system of this family keeps for itself.
#[cfg(not(windows))]
fn is_system_folder(dir: &Path) -> bool {
    const WITH_ALL_BELOW: [&str; 9] =
        ["/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/sbin", "/sys", "/usr"];
    ["/", "/var"].map(Path::new).contains(&dir) || WITH_ALL_BELOW.iter().any(|folder| dir.starts_with(folder))
}

/// The command that compares the image at `path` with its list of digests, which names the image alone: it is checked where it lies.
#[cfg(not(windows))]
pub fn check_digest(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let list = format!("{name}.sha256");
    let check = format!("sha256sum -c {}", crate::error::word(Path::new(&list)));
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            format!("cd {} && {check}", crate::error::word(folder))
        }
        _ => check,
    }
}

/// Nothing here: a look at a path asks nobody else.
#[cfg(not(windows))]
pub fn leads_away(_path: &Path, _from: &[PathBuf]) -> bool {
    false
}

/// Whether two names in one folder are of one file.
#[cfg(not(windows))]
pub fn is_same_name(a: &std::ffi::OsStr, b: &std::ffi::OsStr) -> bool {
    a == b
}

/// Nothing here: files that are open elsewhere can be opened and removed.
#[cfg(not(windows))]
pub fn is_held(_error: &std::io::Error) -> bool {
    false
}

/// The folder that holds `path`.
pub fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
