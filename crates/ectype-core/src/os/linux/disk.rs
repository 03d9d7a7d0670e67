//! Block devices: which there are, which one is meant, and reading one that nobody else may change.
//!
//! ```text
//!   devices ─┐
//!            ├─▶ Device ──▶ Disk::open ──▶ read_at …       O_RDONLY, O_DIRECT where the device takes it
//!   find ────┘                  ├ O_EXCL on the node       against mounts, swap, dm, md and other imagers
//!                               └ flock on the whole disk  against udev, which would probe and mount it
//! ```

pub use crate::os::{Found, Lock};

use super::sysfs::{Survey, Sysfs};
use super::volume::{self, Number};
use crate::error::{Error, Kind, Result, word};
use crate::io::Geometry;
use crate::os::buffer::ALIGNMENT;
use crate::os::control::{Asked, Commands, Control, Request, ScsiReply};
use crate::os::{Device, Medium, disc, scsi};
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Every device that could be imaged here: whole disks, optical drives (with or without a disc), loop devices with a
/// file, dm and md devices.
///
/// # Errors
/// `Io` where /sys cannot be read.
pub fn devices() -> Result<Vec<Device>> {
    let mut devices = survey()?.devices();
    for device in devices.iter_mut().filter(|device| device.medium == Medium::Optical) {
        ask_drive(device, false);
    }
    Ok(devices)
}

fn survey() -> Result<Survey> {
    Sysfs::live().survey().map_err(|error| Error::io("listing the block devices of /sys", error))
}

/// /sys keeps the size of the last disc that somebody opened: the drive knows whether there is one now. With `wait`, a
/// size that /sys has is not believed: the drive makes the disc ready, which may take long when it is a bad one.
fn ask_drive(device: &mut Device, wait: bool) {
    const NO_DISC: u32 = 1;
    const TRAY_OPEN: u32 = 2;
    const DISC_OK: u32 = 4;
    let open =
        |flags| rustix::fs::open(&device.path, OFlags::RDONLY | OFlags::CLOEXEC | flags, Mode::empty());
    // Without NONBLOCK the drive would first be made ready, which takes seconds and fails without a disc.
    let Ok(drive) = open(OFlags::NONBLOCK) else { return };
    match drive.ioctl(Request::DriveStatus, &mut []) {
        Ok(NO_DISC | TRAY_OPEN) => device.size = 0,
        Ok(DISC_OK) if wait || device.size == 0 => {
            let size = open(OFlags::empty())
                .map_err(io::Error::from)
                .and_then(|disc| asked_u64(&disc, Request::Size));
            device.size = size.ok().filter(|&size| !disc::suspicious_size(size)).unwrap_or(0);
        }
        _ => {}
    }
}

/// Whether a volume can be dismounted here while programs have files open on it.
pub const TAKES_FILES_AWAY: bool = false;

/// Whether `path` can be nothing but a device's name: here devices are files, and looking at them tells.
pub fn is_name(_path: &Path) -> bool {
    false
}

/// Whether two names are spellings of one device's: here a name has one.
pub fn is_same(a: &str, b: &str) -> bool {
    a == b
}

/// The device that was meant by a name that lacks its beginning: here none.
pub fn meant(_path: &Path) -> Option<PathBuf> {
    None
}

/// Why nothing that is made can have the name `path`, where that is so: here a file may have any name.
pub fn misnamed(_path: &Path) -> Option<&'static str> {
    None
}

/// What `path` means as a source: a block device's node or a link to one, a mount point, or a file.
///
/// # Errors
/// `Io` where nothing is there or the way to it is barred; `Refused` for a directory that is no mount point, for a mount
/// without a device of its own and for what is neither a block device nor a file.
pub fn find(path: &Path) -> Result<Found> {
    let shown = path.display();
    let about = fs::metadata(path).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let error = Error::io(format!("looking for the source {shown}"), error);
        if missing { error.advise("`ectype devices` lists what can be imaged here") } else { error }
    })?;
    let kind = about.file_type();
    if kind.is_file() {
        return Ok(Found::File(path.to_path_buf()));
    }
    if kind.is_dir() {
        return find_mounted(&Sysfs::live(), path);
    }
    if kind.is_block_device() {
        let number = (Sysfs::live().device_of_node)(path);
        let device = number
            .map(|number| survey().map(|survey| survey.device_of_number(number)))
            .transpose()?
            .flatten();
        let mut device = device.ok_or_else(|| {
            Error::new(Kind::Gone, format!("{shown} is the node of a device that is not there"))
                .advise("`ectype devices` lists what can be imaged here")
        })?;
        if device.medium == Medium::Optical {
            ask_drive(&mut device, true);
        }
        return Ok(Found::Device { device: Box::new(device), via_mount: None });
    }
    let what = match () {
        () if kind.is_char_device() => "a character device",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "neither a block device nor a file",
    };
    Err(Error::refused(format!("{shown} is {what}: what is read and written are block devices and files"))
        .advise("`ectype devices` lists what can be imaged here"))
}

fn find_mounted(system: &Sysfs, path: &Path) -> Result<Found> {
    let shown = path.display();
    let target = fs::canonicalize(path)
        .map_err(|error| Error::io(format!("looking for the source {shown}"), error))?;
    let survey = system.survey().map_err(|error| Error::io("listing the block devices of /sys", error))?;
    let Some((line, device, count)) = survey.mount_at(&target) else {
        let error = Error::refused(format!("{shown} is a directory, not a device, a mount point or a file"));
        return Err(match survey.mount_around(&target) {
            Some((node, mounted)) => error.advise(format!(
                "to image the whole file system around it, name {} (mounted at {})",
                node.display(),
                mounted.display()
            )),
            None => error.advise("`ectype devices` lists what can be imaged here"),
        });
    };
    let Some(device) = device else {
        return Err(Error::refused(format!(
            "{shown} is a mount of {} ({}), which has no block device of its own here",
            line.source.display(),
            line.filesystem
        ))
        .advise("`ectype devices` lists what can be imaged here"));
    };
    if count > 1 {
        return Err(Error::refused(format!(
            "{shown} is one file system ({}) over {count} devices",
            line.filesystem
        ))
        .advise("image its devices one by one, while it is not mounted"));
    }
    // A subvolume is the usual way to mount btrfs; of any other file system this is a bind mount of a part.
    if line.root != Path::new("/") && line.filesystem != "btrfs" {
        return Err(Error::refused(format!(
            "{shown} is a bind mount of the directory {} of {}, not of the whole file system",
            line.root.display(),
            device.path.display()
        ))
        .advise(format!("to image the whole file system, name {}", device.path.display())));
    }
    Ok(Found::Device { device: Box::new(device), via_mount: Some(target) })
}

/// An opened device: read-only, at any offset, from any thread.
pub struct Disk {
    device: Device,
    node: OwnedFd,
    /// The whole disk's node under flock, where the device is a partition.
    _whole: Option<OwnedFd>,
    direct: bool,
    geometry: Geometry,
    /// The first sector of this device on its drive, where SCSI commands reach it: they speak of the whole drive, also when
    /// they are given to a partition, and what is stacked on a drive would pass them down unchanged.
    scsi_start: Option<u64>,
}

impl Disk {
    /// Opens a device for reading. A disc is waited for until the drive has it ready.
    ///
    /// # Errors
    /// `Refused` when somebody holds it (naming who, as far as that can be found out), when there is no medium, or when
    /// its sizes make no sense; `Changed` when it is no longer the one that was found; `Gone` when it is not there;
    /// `Io` otherwise, the cause `PermissionDenied` among them.
    pub fn open(device: &Device, lock: Lock) -> Result<Disk> {
        Disk::open_unless(device, lock, &|| false)
    }

    /// The same unless a stop is asked for while the lock is waited for.
    ///
    /// # Errors
    /// `Cancelled` then, and nothing stays locked; else those of [`Disk::open`].
    pub fn open_unless(device: &Device, lock: Lock, stop: &dyn Fn() -> bool) -> Result<Disk> {
        Disk::open_for(device, lock, OFlags::RDONLY, stop)
    }

    /// The same for reading, or for [`super::writable`] to write.
    pub(super) fn open_for(
        device: &Device,
        lock: Lock,
        access: OFlags,
        stop: &dyn Fn() -> bool,
    ) -> Result<Disk> {
        let shown = device.path.display().to_string();
        let mut flags = access | OFlags::CLOEXEC;
        if lock != Lock::Shared {
            // On a block device, and without CREATE, this is a claim that a mount also makes.
            flags |= OFlags::EXCL;
        }
        let open = |flags| rustix::fs::open(&device.path, flags, Mode::empty());
        let (node, direct) = match open(flags | OFlags::DIRECT) {
            Err(Errno::INVAL) => (open(flags), false),
            other => (other, true),
        };
        let node = node.map_err(|errno| not_opened(device, lock, errno))?;
        let whole = lock_whole(device, lock, &node, stop)?;

        let about = rustix::fs::fstat(&node)
            .map_err(|errno| Error::io(format!("looking at {shown}"), errno.into()))?;
        if FileType::from_raw_mode(about.st_mode) != FileType::BlockDevice {
            return Err(Error::new(Kind::Changed, format!("{shown} is no longer a block device")));
        }
        let sequence = asked_u64(&node, Request::DiskSequence).ok();
        // Optical drives get a new number with the first look at a new disc, which may be this one.
        if device.medium != Medium::Optical
            && let (Some(before), Some(now)) = (device.diskseq, sequence)
            && before != now
        {
            return Err(Error::new(
                Kind::Changed,
                format!("{shown} is no longer the device that was found there"),
            )
            .advise("look at `ectype devices` again"));
        }
        let mut geometry = geometry(&node, device)?;
        if device.medium == Medium::Optical {
            geometry.size = super::optical::told_size(&node, geometry.size, geometry.sector);
        }
        let direct = direct && keeps_direct(&node, geometry.sector);
        let scsi_start = scsi_start(device, geometry.sector);
        Ok(Disk { device: device.clone(), node, _whole: whole, direct, geometry, scsi_start })
    }

    /// The device as it was found before it was opened.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The sizes, as they were when it was opened.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// What there is to say of how it was opened and measured: nothing here.
    pub fn notes(&self) -> &[String] {
        &[]
    }

    /// Whether the lock that was asked for is known here: every block device has it.
    pub fn knows_lock(&self) -> bool {
        true
    }

    /// Whether reads go past the page cache. Then `buf`, its length and the offset must be multiples of the sector, and
    /// `buf` aligned as a [`Buffer`](crate::os::buffer::Buffer) is.
    pub fn direct(&self) -> bool {
        self.direct
    }

    /// One read at `offset`; how many bytes came, perhaps fewer than `buf` has, 0 at the end.
    ///
    /// # Errors
    /// The system's, by `raw_os_error`: [`super::file::blame`] says whether of the medium or of the device.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match rustix::io::pread(&self.node, &mut *buf, offset) {
                Err(Errno::INTR) => {}
                // The kernel shrank the device on an error near the end of a disc: the drive still has what lies behind.
                Ok(0) if self.device.medium == Medium::Optical && offset < self.geometry.size => {
                    let len = (buf.len() as u64).min(self.geometry.size - offset) as usize;
                    return match self.ask(&mut buf[..len], offset)? {
                        Asked { good: 0, .. } => Err(Errno::IO.into()),
                        Asked { good, .. } => Ok(good),
                    };
                }
                other => return Ok(other?),
            }
        }
    }

    /// One read of whole sectors by command, which tells what failed and where.
    ///
    /// # Errors
    /// Where commands do not reach these sectors, or the drive takes none; nothing is known of the medium then.
    pub fn ask(&self, buf: &mut [u8], offset: u64) -> io::Result<Asked> {
        let start = self.scsi_start.ok_or(io::ErrorKind::Unsupported)?;
        let sector = self.geometry.sector;
        let lba = (offset / u64::from(sector)).checked_add(start).ok_or(io::ErrorKind::InvalidInput)?;
        scsi::read(&self.node, lba, sector, buf)
    }

    /// The size in bytes as the system has it now. A stick that was pulled keeps its size: only a read proves life.
    ///
    /// # Errors
    /// What the system answered.
    pub fn size_now(&self) -> io::Result<u64> {
        asked_u64(&self.node, Request::Size)
    }

    /// The sequence number of the medium now; `None` before Linux 5.15.
    pub fn diskseq_now(&self) -> Option<u64> {
        asked_u64(&self.node, Request::DiskSequence).ok()
    }

    /// A number that stays the same as long as nothing was written to this device or discarded on it: the sum of its write
    /// counters. Of a partition it counts what went through the partition, not through the whole disk's node. `None` where
    /// the system does not count.
    pub fn writes_now(&self) -> Option<u64> {
        writes_of(&sysfs_dir(&self.device).ok()?, self.device.whole.is_some())
    }

    /// The same number of the whole disk that this is a partition of; `None` for a whole disk.
    pub fn whole_writes_now(&self) -> Option<u64> {
        self.device.whole.as_ref()?;
        writes_of(sysfs_dir(&self.device).ok()?.parent()?, false)
    }

    /// Sends what others wrote through the node, and the system still holds back, to the medium, as the system would later:
    /// then the write counters have it. Best effort.
    pub fn settle(&self) {
        super::writeback::write_back(&self.node);
    }

    /// Makes the system forget what it cached of the device, as far as it lets us: the next read asks the medium. What
    /// others wrote through the node and the system still holds back goes to the medium first, as it would have anyway.
    pub fn drop_caches(&self) {
        let _ = self.node.ioctl(Request::DropCaches, &mut []);
        let _ = rustix::fs::fadvise(&self.node, 0, None, rustix::fs::Advice::DontNeed);
    }
}

impl Disk {
    /// The descriptor once more, with whatever right it was opened with.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.node.try_clone()
    }
}

impl AsFd for Disk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.node.as_fd()
    }
}

impl Control for Disk {
    fn ioctl(&self, request: Request, arg: &mut [u8]) -> io::Result<u32> {
        self.node.ioctl(request, arg)
    }
}

impl Commands for Disk {
    fn scsi(&self, cdb: &[u8], data: &mut [u8], timeout: Duration) -> io::Result<ScsiReply> {
        self.node.scsi(cdb, data, timeout)
    }
}

/// Where /sys keeps what it knows of a device: below its whole disk, if it is a partition.
fn sysfs_dir(device: &Device) -> io::Result<PathBuf> {
    fs::canonicalize(Path::new("/sys/class/block").join(device.name.replace('/', "!")))
}

/// See [`Disk::scsi_start`]: known of what /sys shows as a SCSI device itself, and of partitions of such.
fn scsi_start(device: &Device, sector: u32) -> Option<u64> {
    let dir = sysfs_dir(device).ok()?;
    let (drive, start) = match &device.whole {
        None => (dir.as_path(), 0),
        Some(_) => {
            // In units of 512 bytes, whatever the sector.
            let start: u64 = fs::read_to_string(dir.join("start")).ok()?.trim().parse().ok()?;
            (dir.parent()?, start.checked_mul(512)?)
        }
    };
    let is_scsi = drive.join("device/scsi_level").exists();
    (is_scsi && start.is_multiple_of(sector.into())).then(|| start / u64::from(sector))
}

fn asked_u64(control: &dyn Control, request: Request) -> io::Result<u64> {
    let mut answer = [0; 8];
    control.ioctl(request, &mut answer)?;
    Ok(u64::from_ne_bytes(answer))
}

fn asked_u32(control: &dyn Control, request: Request) -> io::Result<u32> {
    let mut answer = [0; 4];
    control.ioctl(request, &mut answer)?;
    Ok(u32::from_ne_bytes(answer))
}

/// The sizes of an open device, as far as they make sense.
fn geometry(control: &dyn Control, device: &Device) -> Result<Geometry> {
    let shown = device.path.display();
    let failed = |error| Error::io(format!("asking {shown} for its size"), error);
    let size = asked_u64(control, Request::Size).map_err(failed)?;
    let sector = asked_u32(control, Request::SectorSize).map_err(failed)?;
    let physical = asked_u32(control, Request::PhysicalSectorSize).unwrap_or(sector);
    if size == 0 {
        return Err(no_medium(device));
    }
    if device.medium == Medium::Optical && disc::suspicious_size(size) {
        return Err(Error::refused(format!("the drive {shown} does not tell how large its disc is"))
            .advise("the disc may be blank, unfinished or unreadable: clean it, or try another drive"));
    }
    if sector == 0 || size % u64::from(sector) != 0 {
        return Err(Error::refused(format!(
            "{shown} claims a size of {size} bytes, which is no multiple of its sector of {sector} bytes"
        )));
    }
    let physical_sector =
        if physical >= sector && physical.is_multiple_of(sector) { physical } else { sector };
    Ok(Geometry { size, sector, physical_sector })
}

fn no_medium(device: &Device) -> Error {
    let error = Error::refused(format!("no medium in {}", device.path.display()));
    match device.medium {
        Medium::Optical => error.advise("insert a disc and wait until the drive has read it"),
        Medium::Removable => error.advise("insert a medium"),
        _ => error,
    }
}

/// Whether direct reads of whole sectors into our buffers work; where they do not, the descriptor is made a buffered one.
fn keeps_direct(node: &OwnedFd, sector: u32) -> bool {
    // STATX_DIOALIGN is in the flags only of newer headers.
    let mask = StatxFlags::from_bits_retain(0x2000);
    let fits = match rustix::fs::statx(node, "", AtFlags::EMPTY_PATH, mask) {
        Ok(about) if about.stx_mask & mask.bits() != 0 => {
            let (memory, offset) = (about.stx_dio_mem_align as usize, about.stx_dio_offset_align);
            offset != 0 && sector.is_multiple_of(offset) && memory <= ALIGNMENT
        }
        // Before Linux 6.1 sectors and pages are the rule for block devices.
        _ => true,
    };
    if !fits && let Ok(flags) = rustix::fs::fcntl_getfl(node) {
        return rustix::fs::fcntl_setfl(node, flags - OFlags::DIRECT).is_err();
    }
    fits
}

/// Takes the advisory lock that udev respects, on the whole disk's node; the result keeps it for a partition.
fn lock_whole(
    device: &Device,
    lock: Lock,
    node: &OwnedFd,
    stop: &dyn Fn() -> bool,
) -> Result<Option<OwnedFd>> {
    let whole = match &device.whole {
        None => None,
        Some(path) => {
            match rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()) {
                Ok(whole) => Some(whole),
                // Who may read only the partition goes without: the claim on it stands.
                Err(_) => return Ok(None),
            }
        }
    };
    let operation = match lock {
        Lock::Exclusive | Lock::Forced => FlockOperation::NonBlockingLockExclusive,
        Lock::Shared => FlockOperation::NonBlockingLockShared,
    };
    // udev holds it for a moment after every change.
    let patience = Instant::now() + Duration::from_secs(2);
    loop {
        match rustix::fs::flock(whole.as_ref().unwrap_or(node), operation) {
            Ok(()) => return Ok(whole),
            Err(_) if stop() => return Err(Error::interrupted()),
            Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < patience => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(Errno::WOULDBLOCK) => {
                // Our own descriptors are open, too, and prove nothing.
                return Err(locked(device, 1 + usize::from(whole.is_some())));
            }
            Err(errno) => {
                return Err(Error::io(format!("locking {}", device.path.display()), errno.into()));
            }
        }
    }
}

/// The error of an open that failed.
fn not_opened(device: &Device, lock: Lock, errno: Errno) -> Error {
    let shown = device.path.display();
    match errno {
        Errno::BUSY if lock != Lock::Shared => held(device),
        Errno::NOMEDIUM => no_medium(device),
        Errno::MEDIUMTYPE => {
            Error::refused(format!("the medium in {shown} is of a kind that the drive cannot read"))
        }
        Errno::NXIO | Errno::NODEV | Errno::NOENT => {
            Error::new(Kind::Gone, format!("{shown} is not there")).because(io::Error::from(errno))
        }
        Errno::PERM | Errno::ACCESS if super::host::is_privileged() => {
            Error::io(format!("opening {shown}"), errno.into())
                .advise("root itself may not: a container keeps devices away unless it is given them")
        }
        _ => Error::io(format!("opening {shown}"), errno.into()),
    }
}

/// The refusal of a device that others have claimed: who they are, and what to do about each.
fn held(device: &Device) -> Error {
    // What was known when the device was found may be old by now.
    let now = survey().ok().and_then(|survey| survey.device(&device.name)).unwrap_or_else(|| device.clone());
    let (mut who, mut advice) = (Vec::new(), Vec::new());
    for mount in &now.mounts {
        who.push(format!("{} is mounted at {}", mount.node.display(), mount.target.display()));
        advice.push(format!("unmount it: umount {}", word(&mount.target)));
    }
    for holder in &now.holders {
        let (is, remedy) = holder_told(holder);
        who.push(is);
        advice.push(remedy);
    }
    // Processes are worth a look only where no mount and no holder explains it.
    if who.is_empty() {
        let nodes = nodes_of(&now);
        for (process, target) in mounting(Path::new("/proc"), &numbers_of(&nodes)) {
            who.push(format!("{process} has it mounted at {}, out of our sight", target.display()));
        }
        who.extend(
            processes_with(Path::new("/proc"), &nodes).iter().map(|process| format!("{process} has it open")),
        );
        advice.push(match who.is_empty() {
            true => unseen(&now),
            false => "end that program, and try again".to_owned(),
        });
    }
    if who.is_empty() {
        who.push("by a program that could not be found out".to_owned());
    }
    refused_for(format!("{} is in use", device.path.display()), &who, advice)
}

/// The refusal of a device that another program has under flock, while `ours` descriptors of it are our own.
fn locked(device: &Device, ours: usize) -> Error {
    let lock_on = device.whole.as_ref().unwrap_or(&device.path);
    let mut nodes = nodes_of(device);
    // The lock is on the whole disk: who has another partition of it open may be the one.
    if let Ok(Found::Device { device: whole, .. }) = find(lock_on) {
        nodes.extend(nodes_of(&whole));
    }
    let mut found = processes_with(Path::new("/proc"), &nodes);
    found.retain(|process| process.id != std::process::id() || process.count > ours);
    let mut who: Vec<String> = found.iter().map(|process| format!("{process} has it open")).collect();
    let advice = match who.is_empty() {
        true => unseen(device),
        false => "wait until it has ended, or end it".to_owned(),
    };
    if who.is_empty() {
        who.push("which one could not be found out".to_owned());
    }
    refused_for(format!("another program has locked {}", lock_on.display()), &who, vec![advice])
}

fn refused_for(what: String, who: &[String], mut advice: Vec<String>) -> Error {
    advice.dedup();
    advice.into_iter().fold(Error::refused(format!("{what}: {}", who.join("; "))), Error::advise)
}

/// What a holder is, as a clause, and how to be rid of it.
fn holder_told(holder: &str) -> (String, String) {
    if let Some(node) = holder.strip_prefix("swap on ") {
        return (format!("swap is active on {node}"), format!("switch the swap off: swapoff {node}"));
    }
    if let Some(file) = holder.strip_prefix("swap file ") {
        return (
            format!("swap is active in the file {file}"),
            "switch the swap file off (swapoff)".to_owned(),
        );
    }
    let remedy = match holder.split_once(" (") {
        Some((name, alias)) if name.starts_with("dm-") => {
            format!("close what is stacked on it: dmsetup remove {}", alias.trim_end_matches(')'))
        }
        Some((name, _)) if name.starts_with("loop") => format!("detach it: losetup -d /dev/{name}"),
        None if holder.starts_with("md") => format!("stop the array: mdadm --stop /dev/{holder}"),
        _ => format!("close what holds it: {holder}"),
    };
    (format!("it is part of {holder}"), remedy)
}

/// What to do about a program that we cannot see.
fn unseen(device: &Device) -> String {
    match super::host::is_privileged() {
        true => {
            "end the program that has it, perhaps one outside of this container, and try again".to_owned()
        }
        false => format!("root can see which: sudo fuser -v {}", word(&device.path)),
    }
}

/// The nodes through which a device can be held.
fn nodes_of(device: &Device) -> BTreeSet<PathBuf> {
    let parts = device.parts.iter().map(|part| part.node.clone());
    [device.path.clone()].into_iter().chain(device.whole.clone()).chain(parts).collect()
}

fn numbers_of(nodes: &BTreeSet<PathBuf>) -> BTreeSet<Number> {
    nodes.iter().filter_map(|node| (Sysfs::live().device_of_node)(node)).collect()
}

/// A running process.
struct Process {
    id: u32,
    name: String,
    /// How many of its descriptors are of the device in question.
    count: usize,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} ({})", self.id, self.name)
    }
}

/// The running processes and their folders, in the order of their numbers.
fn processes(proc_: &Path) -> Vec<(Process, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(proc_).into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let name = fs::read(entry.path().join("comm")).unwrap_or_default();
        let name = String::from_utf8_lossy(&name).trim().replace(char::is_control, "?");
        found.push((Process { id, name, count: 0 }, entry.path()));
    }
    found.sort_by_key(|(process, _)| process.id);
    found
}

/// The processes that have one of `nodes` open, as far as we may look.
fn processes_with(proc_: &Path, nodes: &BTreeSet<PathBuf>) -> Vec<Process> {
    let counted = |(process, dir): (Process, PathBuf)| {
        let descriptors = fs::read_dir(dir.join("fd")).into_iter().flatten().flatten();
        let of_device =
            |fd: &fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|target| nodes.contains(&target));
        Process { count: descriptors.filter(of_device).count(), ..process }
    };
    processes(proc_).into_iter().map(counted).filter(|process| process.count > 0).collect()
}

/// The mounts of these devices in the mount namespaces of other processes, with the first process of each.
fn mounting(proc_: &Path, numbers: &BTreeSet<Number>) -> Vec<(Process, PathBuf)> {
    let mut seen: BTreeSet<Option<PathBuf>> = BTreeSet::new();
    let mut found = Vec::new();
    for (process, dir) in processes(proc_) {
        if !seen.insert(fs::read_link(dir.join("ns/mnt")).ok()) {
            continue;
        }
        let lines = volume::mounts(&fs::read(dir.join("mountinfo")).unwrap_or_default());
        if let Some(line) = lines.into_iter().find(|line| numbers.contains(&line.number)) {
            found.push((process, line.target));
        }
    }
    found
}

/// The sum of a device's write counters in /sys.
fn writes_of(dir: &Path, partition: bool) -> Option<u64> {
    let queue = if partition { dir.parent()?.join("queue") } else { dir.join("queue") };
    // Switched off, the counters stand still whatever is written.
    if fs::read_to_string(queue.join("iostats")).is_ok_and(|text| text.trim() == "0") {
        return None;
    }
    let text = fs::read_to_string(dir.join("stat")).ok()?;
    let fields: Vec<u64> = text.split_whitespace().map_while(|field| field.parse().ok()).collect();
    // Sectors written and discarded (the latter since Linux 4.18). A flush counts as a request, and changes nothing.
    Some(fields.get(6)?.wrapping_add(fields.get(13).copied().unwrap_or(0)))
}

#[cfg(test)]
mod tests;
