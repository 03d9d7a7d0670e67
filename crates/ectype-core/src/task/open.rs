//! Opening a SOURCE: found by its name, locked as its medium needs, and identified.

mod image;

pub use image::{Images, open_image, unfinished};
pub(super) use image::{is_unfinished, open_image_watched, refuse_no_file};

use self::image::looking;
use super::snapshot::{Held, Layout, without_snapshots};
use super::wrapped::Wrapped;
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents, PIECE};
use crate::io::{ReadAt, Window, read_padded};
use crate::os::disk::{self, Disk};
use crate::os::file::{PlainFile, blame};
use crate::os::optical::{self, Toc};
use crate::os::{Blame, Device, Found, Lock, Medium, advice, host};
use crate::plan::rescue;
use crate::proof::identity::{Identity, Moment, VolumeId};
use crate::proof::record::{PartFacts, Record};
use crate::proof::tree::{self, Hash};
use crate::source::snapshot::{Own, System};
use crate::source::{
    DeviceReader, DeviceSource, FileSource, Geometry, ImageSource, Source, WRAPPED_START, WrappedSource,
};
use crate::watch::Watch;
use crate::{fs, volume};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many partitions, the largest, say which disk it is.
const MOST_PARTITIONS: usize = 8;

/// What keeps the content from changing while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// The device is held exclusively.
    Lock,
    /// Its volumes are read from snapshots.
    Snapshot,
    /// Nothing needs to: the medium cannot change, or is only watched for changes.
    None,
}

impl Consistency {
    /// The stable name in options, records and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Consistency::Lock => "lock",
            Consistency::Snapshot => "snapshot",
            Consistency::None => "none",
        }
    }
}

/// What a source is opened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To copy it: locked as its medium needs, refused where it may change meanwhile.
    #[default]
    Copy,
    /// To say what a copy would do: refused alike, and not locked.
    Plan,
    /// To read it as it is.
    Look,
}

/// How a source is to be opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// The consistency that the user insists on.
    pub consistency: Option<Consistency>,
    /// What for.
    pub purpose: Purpose,
    /// Files that programs have open on it are taken from them.
    pub unmount: bool,
}

/// A source that is open.
pub struct Opened {
    /// For reading it whole.
    pub source: Box<dyn Source>,
    /// What it is.
    pub identity: Identity,
    /// The device; `None` for a file.
    pub device: Option<Device>,
    /// The kind of medium.
    pub medium: Medium,
    /// What keeps it from changing.
    pub consistency: Consistency,
    /// Whether the medium cannot be written at all.
    pub immutable: bool,
    /// The tracks of an optical disc.
    pub toc: Option<Toc>,
    /// What is on it.
    pub volumes: Vec<fs::Facts>,
    /// How it is divided.
    pub table: Option<volume::Table>,
    /// Lines that say why it was opened so.
    pub why: Vec<String>,
    /// What would prove later that nothing was written since it was opened.
    pub moment: Moment,
    /// What is read at once where the medium is damaged, in bytes: what a disc corrects as one.
    pub cluster: u64,
    /// What an image is known not to hold: zeros stand for it.
    pub unread: Extents,
    /// The record of an image.
    pub record: Option<Record>,
    /// Where only the volume of an image counts that is a disk around one: what lies around it there.
    pub(super) around: Option<Surroundings>,
    /// Which volumes are to be read from snapshots, and once they are made, these.
    pub(super) snapshot: Option<Snapshots>,
    /// Encrypted volumes that it gives as what they mean.
    pub(super) decrypts: Vec<String>,
    /// The table that was put around a volume: what is before it, and what is behind.
    around_it: Option<(Vec<u8>, Vec<u8>)>,
    probe: Probe,
}

/// What lies around a volume in an image of which only that counts: its record is of all.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// The leaf of the piece before the volume.
    pub(super) leaf: Hash,
    /// The bytes behind it.
    pub(super) behind: Vec<u8>,
}

/// A source that is read from snapshots.
pub(super) struct Snapshots {
    pub(super) layout: Layout,
    reader: Option<Reopen>,
    held: Option<Held>,
}

type Reopen = Box<dyn Fn() -> Result<Box<dyn ReadAt>> + Send>;

enum Probe {
    Device(Arc<Disk>),
    File(PathBuf),
    Image {
        path: PathBuf,
        image: Arc<dyn crate::image::Opened>,
        files: Vec<PathBuf>,
        parent: Option<PathBuf>,
    },
}

impl Opened {
    fn whole(&self) -> Extent {
        Extent::new(0, self.geometry().size)
    }

    /// Puts a partition table around the volume that this is.
    pub(super) fn wrap(mut self, start: Vec<u8>, end: Vec<u8>) -> Opened {
        self.source = Box::new(WrappedSource::new(self.source, start.clone(), end.clone()));
        self.around_it = Some((start, end));
        let unread = self.unread.iter().map(|at| Extent::new(at.offset + WRAPPED_START, at.len));
        self.unread = unread.collect();
        self
    }

    /// What a disk around a volume has before and behind it; zeros for what a cut one has no more.
    pub(super) fn around(&self, wrapped: Wrapped) -> Result<(Vec<u8>, Vec<u8>)> {
        let image = self.image().expect("only images are unwrapped");
        let read = |at: Extent| {
            let mut bytes = vec![0; at.len as usize];
            let failed = |error| Error::io("reading the image", error).at(at.offset);
            read_padded(image, &mut bytes, at.offset).map_err(failed)?;
            Ok(bytes)
        };
        let Wrapped { volume, behind } = wrapped;
        Ok((read(Extent::new(0, volume.offset))?, read(Extent::new(volume.end(), behind))?))
    }

    /// Makes the snapshots that it is to be read from; what is to be told of them.
    pub(super) fn take_snapshots(
        &mut self,
        image: &str,
        watch: &Watch,
    ) -> Result<(Vec<PartFacts>, Vec<String>)> {
        let Some(snapshots) = &mut self.snapshot else { return Ok((Vec::new(), Vec::new())) };
        let taken = snapshots.layout.take(image, watch)?;
        let source: Box<dyn Source> = Box::new(taken.source);
        self.source = match self.around_it.clone() {
            Some((start, end)) => Box::new(WrappedSource::new(source, start, end)),
            None => source,
        };
        (snapshots.reader, snapshots.held) = (Some(taken.reader), Some(taken.held));
        self.consistency = taken.consistency;
        Ok((taken.parts, taken.why))
    }

    /// Everything was read: whether the snapshots lived to see it; the writers are told. Lines that are worth telling.
    pub(super) fn end_snapshots(&self, watch: &Watch) -> Result<Vec<String>> {
        let Some(held) = self.snapshot.as_ref().and_then(|snapshots| snapshots.held.as_ref()) else {
            return Ok(Vec::new());
        };
        held.check()?;
        Ok(held.complete(watch))
    }

    /// Leaves only the volume of an image that is a disk around it: see [`super::wrapped::volume_in`].
    pub(super) fn unwrap(mut self, wrapped: Wrapped) -> Result<Opened> {
        let end = self.image().map_or(0, |image| image.size());
        if end < wrapped.volume.end() {
            let context = format!("{} ends before the volume in it does", self.identity.path);
            return Err(Error::new(Kind::Corrupt, context).at(end));
        }
        let (start, behind) = self.around(wrapped)?;
        self.around = Some(Surroundings { leaf: tree::leaf(&start), behind });
        let Probe::Image { path, image, files, parent } = self.probe else {
            panic!("only images are unwrapped")
        };
        let volume = wrapped.volume;
        let image: Arc<dyn crate::image::Opened> = Arc::new(Window::new(image, volume));
        let reader = looking(&image, volume.len);
        let known = inspect(&*reader, self.identity.sector_size);
        self.identity = Identity {
            path: self.identity.path,
            medium: self.identity.medium,
            size: volume.len,
            sector_size: self.identity.sector_size,
            ..identity(&*reader, &known)
        };
        let sector = self.identity.sector_size;
        self.source = Box::new(ImageSource::of_sectors(Arc::clone(&image), volume.len, sector));
        (self.volumes, self.table) = (known.volumes, known.table);
        let unread = self.unread.iter().map(|at| at.intersect(volume)).filter(|at| at.len > 0);
        self.unread = unread.map(|at| Extent::new(at.offset - volume.offset, at.len)).collect();
        self.probe = Probe::Image { path, image, files, parent };
        Ok(self)
    }

    /// Makes the reads that follow come from the disk below the files of an image. Best effort.
    pub fn forget(&self) {
        if let Probe::Image { path, files, .. } = &self.probe {
            for path in std::iter::once(path).chain(files) {
                let _ = PlainFile::open(path).map(|file| file.drop_cache());
            }
        }
    }

    /// Where the source is an image: that image.
    pub fn image(&self) -> Option<&Arc<dyn crate::image::Opened>> {
        match &self.probe {
            Probe::Image { image, .. } => Some(image),
            _ => None,
        }
    }

    /// The file that the parent of an image is read from.
    pub fn parent_file(&self) -> Option<&Path> {
        match &self.probe {
            Probe::Image { parent, .. } => parent.as_deref(),
            _ => None,
        }
    }

    /// The files of an image: its own, and those that it needs.
    pub(super) fn image_files(&self) -> impl Iterator<Item = &Path> {
        let (path, files) = match &self.probe {
            Probe::Image { path, files, .. } => (Some(path), &files[..]),
            _ => (None, &[][..]),
        };
        path.into_iter().chain(files).map(PathBuf::as_path)
    }

    /// Whether the files below are as they were when it was opened.
    pub(super) fn is_unchanged(&self) -> bool {
        let now = self.moment_now();
        self.moment.file == now.file && self.moment.others == now.others
    }

    /// Sizes of the medium.
    pub fn geometry(&self) -> Geometry {
        self.source.geometry()
    }

    /// The same, of now.
    pub fn moment_now(&self) -> Moment {
        match &self.probe {
            Probe::Device(_) if self.snapshot.is_some() => no_moment(),
            Probe::Device(disk) => moment_of(disk),
            Probe::File(path) => moment_of_files(path, &[]),
            Probe::Image { path, files, .. } => moment_of_files(path, files),
        }
    }

    /// The scope in plans and JSON.
    pub fn scope(&self) -> &'static str {
        let recorded = self.record.as_ref().map(|record| &*record.plan.scope);
        match &self.device {
            None if recorded == Some("volume") => "volume",
            // A stick without a table looks like a volume.
            None if recorded == Some("disk") => "disk",
            None if self.medium == Medium::Image && self.table.is_some() => "disk",
            None if self.medium == Medium::Image && !self.volumes.is_empty() => "volume",
            None => "file",
            Some(device) if device.whole.is_some() => "volume",
            Some(_) => "disk",
        }
    }

    /// A reader for whoever looks for partitions and file systems: of an image that is only read forward, its beginning.
    pub fn look(&self) -> Result<Box<dyn ReadAt>> {
        match &self.probe {
            Probe::Image { image, .. } => Ok(looking(image, self.geometry().size)),
            _ => self.reader(),
        }
    }

    /// A reader of the same medium for parsers.
    pub fn reader(&self) -> Result<Box<dyn ReadAt>> {
        if let Some(reader) = self.snapshot.as_ref().and_then(|snapshots| snapshots.reader.as_ref()) {
            return reader();
        }
        match &self.probe {
            Probe::Device(disk) => Ok(Box::new(DeviceReader::new(Arc::clone(disk)))),
            Probe::File(path) => {
                let file = crate::os::file::PlainFile::open(path)
                    .map_err(|error| Error::io(format!("opening {}", path.display()), error))?;
                Ok(Box::new(file))
            }
            Probe::Image { image, .. } => Ok(Box::new(Window::new(Arc::clone(image), self.whole()))),
        }
    }
}

/// Of a source that is in use nothing proves that nobody wrote to it: another run reads it again.
fn no_moment() -> Moment {
    Moment { boot_id: host::boot_id(), ..Moment::default() }
}

fn moment_of(disk: &Disk) -> Moment {
    let device = disk.device();
    // What others wrote through the node and the system still holds back is not counted yet.
    disk.settle();
    // The file below a loop device has dates; a device below it has none that a file system on it would set.
    let is_file = |path: &Path| std::fs::metadata(path).is_ok_and(|facts| facts.is_file());
    let stamp = |path: &Path| PlainFile::open(path).and_then(|file| file.stamp()).ok();
    let below = device.backing.as_deref().filter(|path| is_file(path));
    let file = below.and_then(stamp);
    let layered = match device.bus.as_str() {
        "loop" => file.is_none(),
        "dm" | "md" | "nbd" | "drbd" | "bcache" => true,
        _ => false,
    };
    Moment {
        boot_id: host::boot_id(),
        diskseq: disk.diskseq_now(),
        writes: disk.writes_now(),
        layered,
        disk_writes: disk.whole_writes_now(),
        file,
        others: Vec::new(),
    }
}

fn moment_of_files(path: &Path, others: &[PathBuf]) -> Moment {
    let stamp = |path: &Path| PlainFile::open(path).and_then(|file| file.stamp()).ok();
    Moment {
        boot_id: host::boot_id(),
        file: stamp(path),
        others: others.iter().map(|path| stamp(path)).collect(),
        ..Moment::default()
    }
}

/// Refuses an image whose `record` is not of the source that `path` names, as far as can be told. A source that was written to
/// since is the same.
pub fn recognise(path: &Path, record: &Record) -> Result<()> {
    let now = open(path, How { purpose: Purpose::Look, ..How::default() })?;
    let then = Moment::default();
    record.source.recognises(&now.identity, &then, &now.moment, now.immutable).map_err(|reason| {
        Error::new(
            Kind::Changed,
            format!("{} is of another medium than {}: {reason}", record.image.name, path.display()),
        )
    })
}

/// Opens the source that `path` names.
pub fn open(path: &Path, how: How) -> Result<Opened> {
    open_by(path, how, &(Arc::new(Own) as Arc<dyn System>))
}

/// The same, with what makes snapshots.
pub fn open_by(path: &Path, how: How, system: &Arc<dyn System>) -> Result<Opened> {
    match disk::find(path)? {
        Found::File(_) if how.consistency == Some(Consistency::Snapshot) => {
            Err(Error::refused(format!("{} is a file, and snapshots are made of volumes", path.display()))
                .advise("a change while it is read is noticed: leave --consistency to the policy"))
        }
        Found::File(file) => open_file(&file),
        Found::Device { device, via_mount } => open_device(path, *device, via_mount, how, system),
    }
}

fn open_file(path: &Path) -> Result<Opened> {
    let source = FileSource::open(path)?;
    let stamp = source.stamp();
    let geometry = source.geometry();
    let gives_bytes =
        || PlainFile::open(path).and_then(|file| file.read_some(&mut [0], 0)).is_ok_and(|count| count > 0);
    if geometry.size == 0 && gives_bytes() {
        let context = format!("{} does not tell its size, as the kernel's own files do not", path.display());
        return Err(Error::refused(context).advise("copy what it gives into a file first"));
    }
    let known = inspect(source.reader(), 512);
    let identity = Identity {
        path: path.display().to_string(),
        medium: Medium::File.name().to_owned(),
        size: geometry.size,
        sector_size: 512,
        ..identity(source.reader(), &known)
    };
    Ok(Opened {
        source: Box::new(source),
        identity,
        device: None,
        medium: Medium::File,
        consistency: Consistency::None,
        immutable: false,
        toc: None,
        volumes: known.volumes,
        table: known.table,
        why: vec![
            "a file: its bytes are copied, holes stay holes; a change while it is read is noticed".to_owned(),
        ],
        moment: Moment { boot_id: host::boot_id(), file: Some(stamp), ..Moment::default() },
        cluster: rescue::CLUSTER,
        unread: Extents::new(),
        record: None,
        around: None,
        snapshot: None,
        decrypts: Vec::new(),
        around_it: None,
        probe: Probe::File(path.to_owned()),
    })
}

fn open_device(
    path: &Path,
    device: Device,
    via_mount: Option<PathBuf>,
    how: How,
    system: &Arc<dyn System>,
) -> Result<Opened> {
    let mut why = Vec::new();
    if let Some(mount) = via_mount {
        why.push(format!("{} is where {} is mounted", mount.display(), device.path.display()));
    }
    let (lock, mut consistency) = precaution(&device, how, &**system, &mut why)?;
    let mut disk = match Disk::open(&device, lock) {
        // Somebody uses a disk that stays: the policy's answer to that is a snapshot, not a refusal.
        Err(error) if error.kind() == Kind::Refused && may_snapshot(&device, how, &**system) => {
            consistency = Consistency::Snapshot;
            why.pop();
            Disk::open(&device, Lock::Shared)?
        }
        opened => opened?,
    };
    let mut immutable = false;
    let mut cluster = rescue::CLUSTER;
    if device.medium == Medium::Optical {
        // A kind that the drive does not tell may be one that is written like a disk.
        let profile = optical::profile(&disk);
        immutable = profile.is_some_and(|profile| !optical::writable_medium(profile));
        cluster = profile.and_then(optical::Profile::corrected_as_one).unwrap_or(cluster);
        if !immutable
            && device.barring().next().is_none()
            && how.purpose != Purpose::Look
            && how.consistency != Some(Consistency::None)
        {
            if how.purpose == Purpose::Copy {
                drop(disk);
                disk = Disk::open(&device, Lock::Exclusive)?;
            }
            consistency = Consistency::Lock;
            why.push("this kind of disc can be written like a disk, so it is held exclusively".to_owned());
        } else if immutable {
            why.push("a disc cannot change, so nothing needs locking".to_owned());
        }
    }
    let disk = Arc::new(disk);
    if consistency == Consistency::Lock && !disk.knows_lock() {
        consistency = Consistency::None;
    }
    why.extend(disk.notes().iter().cloned());
    if !disk.direct() {
        why.push("the device refuses direct reads: it is read through the page cache".to_owned());
    }
    let (mut snapshot, mut decrypts) = (None, Vec::new());
    if consistency == Consistency::Snapshot {
        let layout = Layout::of(&device, &disk, Arc::clone(system))?;
        why.extend(layout.why());
        decrypts = layout.unlocked();
        snapshot = Some(Snapshots { layout, reader: None, held: None });
    } else if how.purpose != Purpose::Look && device.medium != Medium::Optical && system.is_there() {
        let perhaps = how.purpose == Purpose::Plan && may_snapshot(&device, how, &**system);
        let told;
        (told, decrypts) = without_snapshots(&device, &disk, &**system, perhaps);
        why.extend(told);
    }
    let mut toc = None;
    if device.medium == Medium::Optical {
        let disk: &Disk = &disk;
        let (found, note) = optical::toc_or_whole(disk, disk.geometry().size).map_err(|error| {
            Error::io(format!("reading the table of contents of {}", path.display()), error)
        })?;
        why.extend(note);
        if let Some(refusal) = optical::refusal(&found) {
            return Err(Error::unsupported(format!("{} holds {refusal}", path.display())));
        }
        if optical::suspicious_size(disk.geometry().size) {
            why.push("the drive did not tell the size of the disc; the system assumes one".to_owned());
        }
        // The kernel keeps the tray locked as long as the drive is open; a lock of our own would outlive a crash.
        toc = Some(found);
    }
    let moment = if snapshot.is_some() { no_moment() } else { moment_of(&disk) };
    let reader = DeviceReader::new(Arc::clone(&disk));
    let geometry = disk.geometry();
    let known = inspect(&reader, geometry.sector);
    let identity = Identity {
        path: device.path.display().to_string(),
        medium: device.medium.name().to_owned(),
        model: device.model.clone(),
        serial: device.serial.clone(),
        size: geometry.size,
        sector_size: geometry.sector,
        ..identity(&reader, &known)
    };
    // What was gone while it was looked at would be remembered as a medium without qualities.
    let mut sector = vec![0; geometry.sector as usize];
    if let Err(error) = DeviceReader::new(Arc::clone(&disk)).read_at(&mut sector, 0)
        && blame(&error) == Blame::Gone
    {
        return Err(Error::new(Kind::Gone, format!("{} went away", path.display())).because(error));
    }
    Ok(Opened {
        source: Box::new(DeviceSource::new(Arc::clone(&disk))),
        identity,
        medium: device.medium,
        consistency,
        immutable,
        toc,
        volumes: known.volumes,
        table: known.table,
        why,
        moment,
        cluster,
        unread: Extents::new(),
        record: None,
        around: None,
        snapshot,
        decrypts,
        around_it: None,
        probe: Probe::Device(disk),
        device: Some(device),
    })
}

/// How the device must be held while it is read.
fn precaution(
    device: &Device,
    how: How,
    system: &dyn System,
    why: &mut Vec<String>,
) -> Result<(Lock, Consistency)> {
    let name = device.path.display();
    if how.purpose == Purpose::Look {
        return Ok((Lock::Shared, if device.in_use() { Consistency::None } else { Consistency::Lock }));
    }
    if how.consistency == Some(Consistency::None) {
        why.push(
            "nothing keeps the content from changing while it is copied (--consistency none)".to_owned(),
        );
        return Ok((Lock::Shared, Consistency::None));
    }
    let is_asked = how.consistency == Some(Consistency::Snapshot);
    if is_asked && device.medium == Medium::Optical {
        return Err(Error::refused("there are no snapshots of discs")
            .advise("a disc is read as it is: leave --consistency to the policy"));
    }
    if is_asked && !system.is_there() {
        // It says so.
        system.service()?;
    }
    if is_asked || (device.in_use() && may_snapshot(device, how, system)) {
        return Ok((Lock::Shared, Consistency::Snapshot));
    }
    if device.in_use() {
        return Err(in_use(device, system));
    }
    if device.barring().next().is_some() {
        if how.consistency == Some(Consistency::Lock) {
            return Err(in_use(device, system));
        }
        why.push(format!(
            "{name} is mounted read-only, so nothing can change through that mount; it is not locked"
        ));
        return Ok((Lock::Shared, Consistency::None));
    }
    if device.medium == Medium::Optical {
        return Ok((Lock::Shared, Consistency::None));
    }
    let else_how = match may_snapshot(device, how, system) && how.purpose == Purpose::Plan {
        true => "; where somebody uses it by then, it is read from snapshots",
        false => "",
    };
    why.push(format!("{name} is held exclusively while it is copied{else_how}"));
    if how.unmount {
        why.push("programs that have files open on it lose them (--unmount)".to_owned());
    }
    let lock = match how.purpose {
        Purpose::Plan => Lock::Shared,
        _ if how.unmount => Lock::Forced,
        _ => Lock::Exclusive,
    };
    Ok((lock, Consistency::Lock))
}

/// Whether the policy reads a device from snapshots where it is in use.
fn may_snapshot(device: &Device, how: How, system: &dyn System) -> bool {
    let is_open = how.consistency.is_none() && !how.unmount && how.purpose != Purpose::Look;
    is_open && device.medium == Medium::Fixed && system.is_there()
}

/// The refusal of a device whose content may change, with the ways out.
fn in_use(device: &Device, system: &dyn System) -> Error {
    let name = device.path.display();
    let writable: Vec<_> = device.barring().filter(|mount| !mount.read_only).collect();
    let what = match (&writable[..], &device.holders[..]) {
        ([mount, ..], _) => format!("is mounted on {} ({})", mount.target.display(), mount.node.display()),
        ([], [holder, ..]) => format!("is in use by {holder}"),
        ([], []) => match &device.mounts[..] {
            [mount, ..] => {
                let context = format!(
                    "{name} is mounted on {}, read-only, so it cannot be held exclusively",
                    mount.target.display()
                );
                return Error::refused(context)
                    .advise("nothing can change through that mount: leave --consistency to the policy");
            }
            [] => "is in use".to_owned(),
        },
    };
    let mut error = Error::refused(format!("{name} {what}, so its content may change while it is copied"));
    if system.is_there() {
        error = error.advise("read it from snapshots of its volumes:  --consistency snapshot");
    } else if device.system {
        error =
            error.advise("the running system lives on it: images of a system in use are not in this version");
    }
    let unmounted = writable.into_iter().filter_map(advice::unmount);
    let freed = device.holders.iter().filter_map(|holder| advice::free(holder));
    error = unmounted.chain(freed).fold(error, Error::advise);
    error.advise("or take it as it is, torn where it changes:  --consistency none")
}

struct Known {
    volumes: Vec<fs::Facts>,
    table: Option<volume::Table>,
}

/// What is on a medium. What cannot be read is not there: the copy itself will name what is unreadable.
fn inspect(reader: &dyn ReadAt, sector: u32) -> Known {
    Known {
        volumes: fs::identify(reader).unwrap_or_default(),
        table: volume::scan(reader, sector).ok().flatten(),
    }
}

fn identity(reader: &dyn ReadAt, known: &Known) -> Identity {
    let size = reader.size();
    let hash = |at: Extent| {
        let mut bytes = vec![0; at.len as usize];
        reader.read_at(&mut bytes, at.offset).ok().map(|()| tree::leaf(&bytes).to_string())
    };
    let named = |facts: &fs::Facts| VolumeId {
        kind: facts.kind.to_owned(),
        label: facts.label.clone(),
        uuid: facts.uuid.clone(),
    };
    let mut volumes: Vec<VolumeId> = known.volumes.iter().map(named).collect();
    if let Some(table) = &known.table {
        // The largest first: an EFI partition lends its label to nothing.
        let mut partitions: Vec<Extent> = table.partitions.iter().map(|partition| partition.extent).collect();
        partitions.sort_by_key(|extent| std::cmp::Reverse(extent.len));
        for extent in partitions.into_iter().take(MOST_PARTITIONS) {
            volumes.extend(fs::identify(&Window::new(reader, extent)).unwrap_or_default().iter().map(named));
        }
        volumes.push(VolumeId {
            kind: table.scheme.to_owned(),
            label: String::new(),
            uuid: table.id.clone(),
        });
    }
    Identity {
        volumes,
        first_mib: hash(Extent::new(0, size.min(PIECE))),
        last_mib: hash(Extent::between(size.saturating_sub(PIECE), size)),
        ..Identity::default()
    }
}

/// The error of a source that is not what it was when the copy began.
pub(super) fn changed(path: &str, before: &Moment, now: &Moment) -> Error {
    let error = Error::new(Kind::Changed, format!("{path} was written to while it was copied"));
    let size = |moment: &Moment| moment.file.map(|stamp| stamp.size);
    if size(before) != size(now) {
        return error.advise("it has another size now: begin anew:  --restart");
    }
    error.advise("run the same command again: it reads the source again and rewrites what differs")
}
