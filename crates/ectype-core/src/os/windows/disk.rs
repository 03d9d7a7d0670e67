//! Devices: which there are, which one is meant, and reading one that nobody else may change.
//!
//! ```text
//!   devices ─┐
//!            ├─▶ Device ──▶ Disk::open ──▶ read_at …   whole sectors, past all caches
//!   find ────┘                  └ FSCTL_LOCK_VOLUME    on the volume, or on every volume of the disk
//! ```
//!
//! A volume lies on a disk as a partition does elsewhere; where it begins at byte 0 it is the disk.

pub use crate::os::{Found, Lock};

use super::control::{Access, DeviceHandle};
use super::survey::{self, Survey, Volume};
use super::{file, host, lock};
use crate::error::{Error, Kind, Result};
use crate::io::Geometry;
use crate::os::control::{Asked, Commands, ScsiReply};
use crate::os::nt::names::{self, Name};
use crate::os::nt::replies;
use crate::os::nt::request::{Asking, Hold, Holding, Property, Query, asked, property};
use crate::os::nt::sizes::{self, Sizes};
use crate::os::nt::{code, is_empty, is_held, not_read, sectors};
use crate::os::{Device, Medium, Mount, Part, scsi};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const LIST: &str = "`ectype devices` lists what can be imaged here";

/// Every device that could be imaged here: disks, optical drives (with or without a disc), and volumes whose disk is not seen.
///
/// # Errors
/// None.
pub fn devices() -> Result<Vec<Device>> {
    let survey = Survey::take();
    let mut names: Vec<Name> = survey.disks.iter().map(|&number| Name::Disk(number)).collect();
    for &drive in &survey.drives {
        let letter = survey
            .volumes
            .iter()
            .find(|volume| volume.number.is_some_and(|number| number.optical && number.number == drive));
        names.push(letter.map_or(Name::CdRom(drive), Volume::shown));
    }
    for volume in &survey.volumes {
        let seen = survey.disks.iter().any(|&disk| volume.is_on(disk));
        let is_drive =
            volume.number.is_some_and(|number| number.optical && survey.drives.contains(&number.number));
        if !seen && !is_drive {
            names.push(volume.shown());
        }
    }
    Ok(names.iter().filter_map(|name| device(name, &survey, false).ok()).collect())
}

/// Whether a volume can be dismounted here while programs have files open on it.
pub const TAKES_FILES_AWAY: bool = true;

/// Whether `path` can be nothing but a device's name: files have no such names.
pub fn is_name(path: &Path) -> bool {
    names::parse(&path.to_string_lossy()).is_some()
}

/// Whether two names are spellings of one device's, as `E:` and `\\.\e:`.
pub fn is_same(a: &str, b: &str) -> bool {
    names::parse(a).is_some_and(|name| Some(name) == names::parse(b))
}

/// The device that was meant by a name that only lacks its beginning, as `PhysicalDrive1`.
pub fn meant(path: &Path) -> Option<PathBuf> {
    // In a folder it is a file's.
    let is_bare = Some(path.as_os_str()) == path.file_name();
    is_bare.then(|| names::meant(&path.to_string_lossy()))?.map(|name| name.device().into())
}

/// Why nothing that is made can have the name `path`, where that is so.
pub fn misnamed(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy();
    let is_meant = || meant(path).map(|_| r"it is a device's, without the \\.\ before it");
    names::misnamed(&name).or_else(is_meant)
}

/// What `path` means as a source: a device's name, a folder where a volume is mounted, or a file.
///
/// # Errors
/// `Io` where nothing is there or the way to it is barred; `Refused` for a folder that is no mount point, and for a drive
/// that has no device here.
pub fn find(path: &Path) -> Result<Found> {
    let shown = path.display();
    if let Some(name) = names::parse(&path.to_string_lossy()) {
        refuse_without_device(&name)?;
        let device = device(&name, &Survey::take(), true)?;
        return Ok(Found::Device { device: Box::new(device), via_mount: None });
    }
    let about = fs::metadata(path).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let error = match misnamed(path).filter(|_| !missing) {
            Some(why) => Error::refused(format!("{shown} is neither a file nor a disk: {why}")),
            None => Error::io(format!("looking for the source {shown}"), error),
        };
        let is_word = error.kind() == Kind::Refused;
        let meant =
            meant(path).filter(|_| missing).map(|device| format!("the device is {}", device.display()));
        let error = meant.into_iter().fold(error, Error::advise);
        if missing || is_word { error.advise(LIST) } else { error }
    })?;
    if about.is_file() {
        return Ok(Found::File(path.to_path_buf()));
    }
    let survey = Survey::take();
    if let Some(name) = survey::volume_at(path) {
        let shown = survey.volume(&name).map_or(name, Volume::shown);
        let device = device(&shown, &survey, true)?;
        return Ok(Found::Device { device: Box::new(device), via_mount: Some(path.to_path_buf()) });
    }
    let error = Error::refused(format!("{shown} is a folder, not a device, a mount point or a file"));
    Err(
        match survey::root_of(path)
            .and_then(|root| survey::volume_at(&root).or(names::parse(&root.to_string_lossy())))
        {
            Some(volume) => {
                let volume = survey.volume(&volume).map_or(volume, Volume::shown);
                error.advise(format!("to image the whole file system around it, name {}", volume.device()))
            }
            None => error.advise(LIST),
        },
    )
}

/// A letter may be a folder or a share under another name.
fn refuse_without_device(name: &Name) -> Result<()> {
    let Some(root) = name.root() else { return Ok(()) };
    let refused = |what: &str| {
        Err(Error::refused(format!("{root} is {what}: it has no device of its own here")).advise(LIST))
    };
    if survey::drive_type(&root) == super::bindings::DRIVE_REMOTE as u32 {
        return refused("a drive of the network");
    }
    match survey::object_name(name) {
        Some(folder) if folder.starts_with(r"\??\") && !folder.starts_with(r"\??\unix\") => {
            refused(&format!("a folder under another name ({})", folder.trim_start_matches(r"\??\")))
        }
        _ => Ok(()),
    }
}

/// The device of this name; with `measure`, its size is found by reading where nothing else tells it.
fn device(name: &Name, survey: &Survey, measure: bool) -> Result<Device> {
    let opened = DeviceHandle::open(&name.device(), Access::Read).or_else(|error| {
        DeviceHandle::open(&name.device(), Access::Ask).map_err(|second| pick(error, second))
    });
    let handle = opened.map_err(|error| not_opened(name, error))?;
    if matches!(name, Name::Other(_)) && handle.is_stream() {
        return Err(Error::refused(format!("{} is neither a disk nor a drive", name.device())).advise(LIST));
    }
    if measure && name.has_file_system() {
        lock::allow_extended(&handle);
    }
    let reply = |query| asked(&handle, query, &[]).ok();
    let number = reply(Query::DeviceNumber).and_then(|reply| replies::device_number(&reply));
    let volume = survey.volume(name);
    let told = property(&handle, Property::Device).ok().and_then(|reply| replies::descriptor(&reply));
    let root_type = name.root().map(|root| survey::drive_type(&root));
    let is_drive = |kind: i32| root_type == Some(kind as u32);
    let optical = matches!(name, Name::CdRom(_))
        || number.is_some_and(|number| number.optical)
        || told.as_ref().is_some_and(|told| told.optical)
        || is_drive(super::bindings::DRIVE_CDROM);
    let extents = reply(Query::VolumeExtents).and_then(|reply| replies::extents(&reply)).unwrap_or_default();
    let whole = match (name, &extents[..]) {
        (Name::Disk(_) | Name::CdRom(_), _) | (_, []) => None,
        // A volume from the first byte on is the disk itself.
        (_, [only]) if only.offset == 0 || optical => None,
        (_, [first, ..]) => Some(Name::Disk(first.disk)),
    };
    let drive = whole.as_ref().and_then(|whole| DeviceHandle::open(&whole.device(), Access::Ask).ok());
    let drive = drive.as_ref().unwrap_or(&handle);
    let told = told
        .or_else(|| property(drive, Property::Device).ok().and_then(|reply| replies::descriptor(&reply)))
        .unwrap_or_default();
    let geometry = asked(drive, Query::Geometry, &[]).ok().and_then(|reply| replies::geometry(&reply));
    let removable_medium = told.removable
        || told.card
        || geometry.is_some_and(|geometry| geometry.removable)
        || is_drive(super::bindings::DRIVE_REMOVABLE);
    let medium = match (optical, removable_medium) {
        (true, _) => Medium::Optical,
        (false, true) => Medium::Removable,
        (false, false) => Medium::Fixed,
    };

    let (sector, size) = match measure {
        true => sizes::sizes(&handle, &handle, optical, file::blame)
            .map(|Sizes { geometry, .. }| (Some(geometry.sector), geometry.size)),
        false => sizes::told(&handle, optical).map(|(sector, size)| (sector, size.unwrap_or(0))),
    }
    .unwrap_or_else(|_| {
        let size = extents.iter().map(|extent| extent.len).fold(0, u64::saturating_add);
        (geometry.and_then(|geometry| geometry.sector), if optical { 0 } else { size })
    });
    let alignment = property(&handle, Property::Alignment).ok().and_then(|reply| replies::alignment(&reply));
    let sector_size =
        sector.or(alignment.map(|(logical, _)| logical)).unwrap_or(if optical { 2048 } else { 512 });
    let physical = alignment.map_or(sector_size, |(_, physical)| physical).max(sector_size);
    let seeks = property(drive, Property::SeekPenalty).ok().and_then(|reply| replies::seek_penalty(&reply));
    let flash = matches!(told.bus, "nvme" | "mmc" | "ufs" | "scm");
    let on: Vec<&Volume> = match name {
        Name::Disk(number) => survey.volumes.iter().filter(|volume| volume.is_on(*number)).collect(),
        _ => match (volume, &whole) {
            (Some(volume), _) => vec![volume],
            (None, _) => Vec::new(),
        },
    };
    let holders = on.iter().flat_map(|volume| volume.system.iter().cloned()).collect();
    Ok(Device {
        path: PathBuf::from(name.device()),
        name: name.short(),
        whole: whole.as_ref().map(|whole| PathBuf::from(whole.device())),
        medium,
        model: told.model.clone(),
        backing: None,
        serial: told.serial.clone(),
        removable: removable_medium || optical || matches!(told.bus, "usb" | "firewire"),
        bus: told.bus.to_owned(),
        rotational: seeks.unwrap_or(!flash) && !(optical && size == 0),
        read_only: optical || survey::is_write_protected(&handle),
        system: on.iter().any(|volume| !volume.system.is_empty()),
        size,
        sector_size,
        physical_sector_size: physical - physical % sector_size,
        diskseq: removable_medium.then(|| changes(&handle)).flatten(),
        mounts: on.iter().flat_map(|volume| mounts(volume)).collect(),
        holders,
        parts: parts(name, &handle, &on),
    })
}

/// Of two refusals the one that says more.
fn pick(first: io::Error, second: io::Error) -> io::Error {
    if second.kind() == io::ErrorKind::NotFound { second } else { first }
}

fn mounts(volume: &Volume) -> Vec<Mount> {
    let (filesystem, read_only) = match &volume.places[..] {
        [] => return Vec::new(),
        _ => volume.file_system().unwrap_or_default(),
    };
    let mount = |place: &String| Mount {
        target: PathBuf::from(place),
        node: PathBuf::from(volume.shown().device()),
        filesystem: filesystem.clone(),
        read_only,
        // Nothing moves the volumes that Windows itself runs from.
        gives_way: volume.system.is_empty(),
    };
    volume.places.iter().map(mount).collect()
}

/// The partitions of a disk: those of its table, and parts of volumes that no table names.
fn parts(name: &Name, handle: &DeviceHandle, on: &[&Volume]) -> Vec<Part> {
    let Name::Disk(disk) = name else { return Vec::new() };
    let volume_at = |offset: u64| {
        let here = |volume: &&&Volume| {
            volume.extents.iter().any(|extent| extent.disk == *disk && extent.offset == offset)
        };
        on.iter().find(here).map(|volume| PathBuf::from(volume.shown().device()))
    };
    let table =
        asked(handle, Query::Layout, &[]).ok().and_then(|reply| replies::layout(&reply)).unwrap_or_default();
    let mut parts: Vec<Part> = table
        .iter()
        .map(|part| Part {
            number: part.number,
            node: volume_at(part.offset)
                .unwrap_or_else(|| PathBuf::from(format!(r"\\.\Harddisk{disk}Partition{}", part.number))),
            offset: part.offset,
            len: part.len,
        })
        .collect();
    let mut number = parts.iter().map(|part| part.number).max().unwrap_or(0);
    for volume in on {
        for extent in volume.extents.iter().filter(|extent| extent.disk == *disk && extent.offset > 0) {
            let within = |part: &Part| part.offset <= extent.offset && extent.offset - part.offset < part.len;
            if !parts.iter().any(within) {
                number += 1;
                let node = PathBuf::from(volume.shown().device());
                parts.push(Part { number, node, offset: extent.offset, len: extent.len });
            }
        }
    }
    parts.sort_by_key(|part| part.number);
    parts
}

/// How often the medium was changed since the drive is known; fails without one.
fn changes(handle: &impl Asking) -> Option<u64> {
    let reply = asked(handle, Query::CheckVerify, &[]).ok()?;
    Some(u32::from_le_bytes(reply.get(..4)?.try_into().ok()?).into())
}

/// An opened device: at any offset, from any thread.
pub struct Disk {
    device: Device,
    handle: Arc<DeviceHandle>,
    geometry: Geometry,
    notes: Vec<String>,
    /// Whether the lock that was asked for is known.
    knows_lock: bool,
    /// The request that opens the tray again.
    tray: Option<Hold>,
    /// Locks on the volumes of a disk, as long as they are open.
    _volumes: Vec<DeviceHandle>,
}

impl Disk {
    /// Opens a device for reading.
    ///
    /// # Errors
    /// `Refused` when somebody uses it (naming who, as far as that can be found out), when there is no medium, or when its
    /// sizes make no sense; `Changed` when it is no longer the one that was found; `Gone` when it is not there; `Io`
    /// otherwise, the cause `PermissionDenied` among them.
    pub fn open(device: &Device, lock: Lock) -> Result<Disk> {
        Disk::open_unless(device, lock, &|| false)
    }

    /// The same unless a stop is asked for while the lock is waited for.
    ///
    /// # Errors
    /// `Cancelled` then, and nothing stays locked; else those of [`Disk::open`].
    pub fn open_unless(device: &Device, lock: Lock, stop: &dyn Fn() -> bool) -> Result<Disk> {
        Disk::open_for(device, lock, false, stop)
    }

    /// The same for reading, or for [`super::node`] to write: then the file systems let go.
    pub(super) fn open_for(
        device: &Device,
        lock: Lock,
        write: bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<Disk> {
        let name = names::parse(&device.path.to_string_lossy()).ok_or_else(|| {
            Error::new(Kind::Gone, format!("{} is no device's name", device.path.display()))
        })?;
        let (volumes, mut free) = match (&name, lock) {
            (Name::Disk(number), Lock::Exclusive | Lock::Forced) => {
                let survey = Survey::take();
                let on: Vec<&Volume> = survey.volumes.iter().filter(|volume| volume.is_on(*number)).collect();
                lock::lock_all(&on, write, lock == Lock::Forced, stop)?
            }
            _ => (Vec::new(), Vec::new()),
        };
        let handle = opened(&name, device, write).map_err(|error| not_opened_of(device, &name, error))?;
        if name.has_file_system() {
            lock::allow_extended(&handle);
        }
        if lock != Lock::Shared && !matches!(name, Name::Disk(_)) {
            if !lock::lock(&handle, &name, write, lock == Lock::Forced, stop)? {
                free.push(name.clone());
            } else if write {
                let _ = handle.hold(Hold::Dismount);
                lock::allow_extended(&handle);
            }
        }
        let optical = device.medium == Medium::Optical;
        let sizes = sizes::sizes(&handle, &handle, optical, file::blame)
            .map_err(|error| unmeasured(device, &name, error))?;
        let no_lock = |name: &Name| format!("{} knows no lock: nothing keeps others out", name.device());
        let notes = free.iter().map(no_lock).chain(sizes.notes).collect();
        if device.diskseq.is_some() && !optical && changes(&handle) != device.diskseq {
            let context = format!("{} is no longer the device that was found there", device.path.display());
            return Err(Error::new(Kind::Changed, context).advise("look at `ectype devices` again"));
        }
        // The lock that ends with the handle cannot outlive a crash; not every driver has it.
        let tray = [Hold::OwnTray(true), Hold::Tray(true)]
            .into_iter()
            .find(|&hold| optical && handle.hold(hold).is_ok())
            .map(|hold| if hold == Hold::OwnTray(true) { Hold::OwnTray(false) } else { Hold::Tray(false) });
        let handle = Arc::new(handle);
        Ok(Disk {
            device: device.clone(),
            handle,
            geometry: sizes.geometry,
            notes,
            knows_lock: free.is_empty(),
            tray,
            _volumes: volumes,
        })
    }

    /// The device as it was found before it was opened.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The sizes, as they were when it was opened.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// What there is to say of how it was opened and measured.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether the lock that was asked for is known here; where it is not, nothing keeps others out.
    pub fn knows_lock(&self) -> bool {
        self.knows_lock
    }

    /// Whether reads go past the caches: here they always do.
    pub fn direct(&self) -> bool {
        true
    }

    /// One read at `offset`; how many bytes came, perhaps fewer than `buf` has, 0 at the end. What is not aligned comes
    /// through a buffer that is.
    ///
    /// # Errors
    /// The system's, by `raw_os_error`: [`super::file::blame`] says whether of the medium or of the device.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        sectors::read(&*self.handle, self.geometry, buf, offset).map_err(|error| match self.device.medium {
            Medium::Optical => not_read(&*self.handle, error),
            _ => error,
        })
    }

    /// One read of whole sectors by command, which tells what failed and where: of optical drives alone, since a handle that
    /// takes commands may write, and disks are opened only to be read.
    ///
    /// # Errors
    /// Where commands do not reach these sectors, or the drive takes none; nothing is known of the medium then.
    pub fn ask(&self, buf: &mut [u8], offset: u64) -> io::Result<Asked> {
        if self.device.medium != Medium::Optical {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let sector = self.geometry.sector;
        scsi::read(&*self.handle, offset / u64::from(sector), sector, buf)
    }

    /// The size in bytes as the system has it now; where it tells none, as it was found.
    ///
    /// # Errors
    /// What the system answered.
    pub fn size_now(&self) -> io::Result<u64> {
        match sizes::told(&*self.handle, self.device.medium == Medium::Optical) {
            Ok((_, size)) => Ok(size.unwrap_or(self.geometry.size)),
            Err(error) if crate::os::nt::is_unknown(&error) => Ok(self.geometry.size),
            Err(error) => Err(error),
        }
    }

    /// How often the medium was changed until now; `None` of a disk whose medium stays.
    pub fn diskseq_now(&self) -> Option<u64> {
        self.device.diskseq?;
        changes(&*self.handle)
    }

    /// A number that stays the same as long as nothing was written: the system keeps none that outlives a replug.
    pub fn writes_now(&self) -> Option<u64> {
        None
    }

    /// The same number of the whole disk.
    pub fn whole_writes_now(&self) -> Option<u64> {
        None
    }

    /// Nothing here: a lock flushes the file system, and whoever reads without one is told so.
    pub fn settle(&self) {}

    /// Nothing here: no read goes through a cache.
    pub fn drop_caches(&self) {}

    /// The open device.
    pub(super) fn handle(&self) -> &Arc<DeviceHandle> {
        &self.handle
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(opens) = self.tray {
            let _ = self.handle.hold(opens);
        }
    }
}

impl Commands for Disk {
    fn scsi(&self, cdb: &[u8], data: &mut [u8], timeout: Duration) -> io::Result<ScsiReply> {
        self.handle.scsi(cdb, data, timeout)
    }
}

impl Asking for Disk {
    fn ask(&self, query: Query, input: &[u8], output: &mut [u8]) -> io::Result<usize> {
        Asking::ask(&*self.handle, query, input, output)
    }
}

/// An optical drive takes commands only from who could write, too; nothing here writes to it.
fn opened(name: &Name, device: &Device, write: bool) -> io::Result<DeviceHandle> {
    let commands = device.medium == Medium::Optical && !write;
    if commands && let Ok(handle) = DeviceHandle::open(&name.device(), Access::ReadWrite) {
        return Ok(handle);
    }
    DeviceHandle::open(&name.device(), if write { Access::ReadWrite } else { Access::Read })
}

/// The error of an open that failed, before it is known what is there.
fn not_opened(name: &Name, error: io::Error) -> Error {
    const NOT_THERE: [i32; 7] = [2, 3, 15, 20, 55, 433, 1167];
    let shown = name.device();
    match error.raw_os_error() {
        Some(code) if NOT_THERE.contains(&code) => {
            Error::new(Kind::Gone, format!("{shown} is not there")).because(error).advise(LIST)
        }
        _ if is_held(&error) && host::is_privileged() => {
            let who = super::holders::of_volume(name, &|| false);
            let who =
                if who.is_empty() { "by whom could not be found out".to_owned() } else { who.join("; ") };
            Error::refused(format!("{shown} is locked by another program, {who}"))
                .advise("wait until it has ended, or end it")
        }
        _ => Error::io(format!("opening {shown}"), error),
    }
}

fn not_opened_of(device: &Device, name: &Name, error: io::Error) -> Error {
    match () {
        () if is_empty(&error) => no_medium(device),
        () if is_bitlocked(&error) => bitlocked(device),
        () => not_opened(name, error),
    }
}

/// The error of sizes that could not be found.
fn unmeasured(device: &Device, name: &Name, error: io::Error) -> Error {
    let shown = device.path.display();
    match error.kind() {
        io::ErrorKind::InvalidData => Error::refused(format!("{shown} cannot be read as it is: {error}")),
        _ if is_empty(&error) => no_medium(device),
        _ if is_bitlocked(&error) => bitlocked(device),
        _ if error.raw_os_error() == Some(code::ACCESS_DENIED) => not_opened(name, error),
        _ => Error::io(format!("asking {shown} for its size"), error),
    }
}

fn is_bitlocked(error: &io::Error) -> bool {
    error.raw_os_error() == Some(super::bindings::FVE_E_LOCKED_VOLUME.0)
}

fn bitlocked(device: &Device) -> Error {
    let shown = device.path.display();
    Error::refused(format!("{shown} is locked by BitLocker"))
        .advise("unlock it in the Explorer, or with manage-bde -unlock")
        .advise("its ciphertext is what the whole disk gives: name that")
}

fn no_medium(device: &Device) -> Error {
    let error = Error::refused(format!("no medium in {}", device.path.display()));
    match device.medium {
        Medium::Optical => error.advise("insert a disc and wait until the drive has read it"),
        Medium::Removable => error.advise("insert a medium"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::nt::replies::Descriptor;

    #[test]
    fn names_of_devices_are_no_files() {
        for name in ["E:", r"E:\", r"\\.\PhysicalDrive7", r"\\?\Volume{1}"] {
            assert!(is_name(Path::new(name)), "{name}");
        }
        assert!(!is_name(Path::new(r"C:\windows")) && !is_name(Path::new("a.img")));
    }

    #[test]
    fn what_is_not_there_is_gone_with_advice() {
        for name in [r"\\.\PhysicalDrive77", r"\\?\Volume{00000000-1111-2222-3333-444444444444}", "Q:"] {
            let error = find(Path::new(name)).unwrap_err();
            assert_eq!(error.kind(), Kind::Gone, "{name}: {error}");
            assert!(!error.advice().is_empty());
        }
    }

    #[test]
    fn what_has_no_sectors_is_refused_before_it_is_read() {
        let error = find(Path::new(r"\\.\NUL")).unwrap_err();
        assert!(error.kind() == Kind::Refused && error.to_string().contains("neither"), "{error}");
    }

    #[test]
    fn folders_and_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find(folder.path()).unwrap_err().kind(), Kind::Refused);
        let file = folder.path().join("a");
        fs::write(&file, "x").unwrap();
        assert_eq!(find(&file).unwrap(), Found::File(file));
    }

    #[test]
    fn errors_have_kinds_and_ways_out() {
        let of = |medium| {
            let told = Descriptor { model: "X".into(), ..Descriptor::default() };
            sample(medium, &told)
        };
        for error in [code::NOT_READY, code::NO_MEDIA_IN_DRIVE] {
            let error = io::Error::from_raw_os_error(error);
            let error = not_opened_of(&of(Medium::Optical), &Name::Letter('E'), error);
            assert_eq!(error.kind(), Kind::Refused);
            assert!(error.advice()[0].contains("insert a disc"), "{error:?}");
        }
        let locked = io::Error::from_raw_os_error(super::super::bindings::FVE_E_LOCKED_VOLUME.0);
        assert!(
            not_opened_of(&of(Medium::Fixed), &Name::Letter('E'), locked).to_string().contains("BitLocker")
        );
        let gone = io::Error::from_raw_os_error(1167);
        assert_eq!(not_opened(&Name::Disk(1), gone).kind(), Kind::Gone);
    }

    fn sample(medium: Medium, told: &Descriptor) -> Device {
        Device {
            path: PathBuf::from(r"\\.\E:"),
            name: "E:".to_owned(),
            whole: None,
            medium,
            bus: told.bus.to_owned(),
            model: told.model.clone(),
            backing: None,
            serial: String::new(),
            removable: true,
            rotational: false,
            read_only: false,
            system: false,
            size: 0,
            sector_size: 512,
            physical_sector_size: 512,
            diskseq: None,
            mounts: Vec::new(),
            holders: Vec::new(),
            parts: Vec::new(),
        }
    }
}
