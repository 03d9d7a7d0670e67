//! Opening an image: its format, its files, what it holds, and whether it is finished.

use super::{Consistency, Known, Opened, Probe, identity, inspect, moment_of_files};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents};
use crate::image::{self, Format, gate, raw};
use crate::io::{ReadAt, Window};
use crate::os::file::PlainFile;
use crate::os::{Medium, disk};
use crate::plan::map::{MapFile, Status};
use crate::plan::rescue;
use crate::proof::identity::Identity;
use crate::proof::record::{self, Record};
use crate::source::ImageSource;
use crate::task::target::map_text;
use crate::watch::Watch;
use crossbeam_channel::RecvTimeoutError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long is waited before it is looked whether to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// How images are opened.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// The format, where the content is not to decide.
    pub format: Option<&'static Format>,
    /// Folders where parents may be looked for, beside the image's own.
    pub parents: Vec<PathBuf>,
    /// Also one that a run has not finished: to be looked at, not to be believed.
    pub unfinished: bool,
    /// Without its parent: only what the image's own file tells of it.
    pub header_only: bool,
}

/// Opens the image in the file `path`: its content, not the file's bytes.
pub fn open_image(path: &Path, images: &Images) -> Result<Opened> {
    refuse_no_file(path).map_err(|error| match error.kind() {
        Kind::Refused => error.advise("to image a device:  ectype create DEVICE IMAGE"),
        _ => error,
    })?;
    let record = Record::of(path)?;
    if !images.unfinished {
        refuse_unfinished(path, record.as_ref())?;
    }
    let format = format_of(path, images, record.as_ref())?;
    let gate::Image { image, files, parent } = match images.header_only {
        true => gate::open_header(path, format)?,
        false => gate::open(path, format, &images.parents)?,
    };
    let facts = image.facts();
    let (size, sector) = (image.size(), sector_of(facts, record.as_ref()));
    // Behind it are only the zeros that the format pads with.
    let size = record.as_ref().map_or(size, |record| record.image.content_size.min(size));
    let unread: Extents =
        record.iter().flat_map(|record| &record.unreadable).map(|&range| range.into()).collect();
    let reader = looking(&image, size);
    let known = match images.header_only {
        true => Known { volumes: Vec::new(), table: None },
        false => inspect(&*reader, sector),
    };
    let identity = Identity {
        path: path.display().to_string(),
        medium: Medium::Image.name().to_owned(),
        size,
        sector_size: sector,
        ..identity(&*reader, &known)
    };
    let kind = match facts.subformat.as_str() {
        "" => facts.format.to_owned(),
        subformat => format!("{} ({subformat})", facts.format),
    };
    let mut why = vec![format!("an image, {kind}: the content of its disk is copied")];
    // By name alone a wrong one may be found, and not every format tells.
    if let Some((first, more)) = files.split_first() {
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        why.push(format!("it is read with {}{more}", first.display()));
    }
    if !unread.is_empty() {
        why.push(format!(
            "{} bytes of it could not be read when it was made: they stay missing",
            unread.bytes()
        ));
    }
    Ok(Opened {
        source: Box::new(ImageSource::of_sectors(Arc::clone(&image), size, sector)),
        identity,
        device: None,
        medium: Medium::Image,
        consistency: Consistency::None,
        immutable: false,
        toc: None,
        volumes: known.volumes,
        table: known.table,
        why,
        moment: moment_of_files(path, &files),
        cluster: rescue::CLUSTER,
        unread,
        record,
        around: None,
        snapshot: None,
        decrypts: Vec::new(),
        around_it: None,
        probe: Probe::Image { path: path.to_owned(), image, files, parent },
    })
}

/// Opening a pipe would wait for its other end, and a device has no record.
pub(in crate::task) fn refuse_no_file(path: &Path) -> Result<()> {
    let shown = path.display();
    let refused = || Err(Error::refused(format!("{shown} is no file, and images are files")));
    // Where devices have names of their own, a look at them is no look at a file.
    if disk::is_name(path) {
        return refused();
    }
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_file() => Ok(()),
        Ok(_) => refused(),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound && disk::misnamed(path).is_some() => {
            refused()
        }
        Err(error) => {
            let error = Error::io(format!("opening {shown}"), error);
            let device = disk::meant(path).map(|device| format!("the device is {}", device.display()));
            Err(device.into_iter().fold(error, Error::advise))
        }
    }
}

/// The same until a stop is asked for: a compressed file may have to be inflated for hours to learn how long its content is.
pub(in crate::task) fn open_image_watched(path: &Path, images: &Images, watch: &Watch) -> Result<Opened> {
    let (done, opened) = crossbeam_channel::bounded(1);
    let (owned_path, owned_images) = (path.to_owned(), images.clone());
    // Left behind where it is not waited for.
    let work = move || drop(done.send(open_image(&owned_path, &owned_images)));
    if std::thread::Builder::new().name("ectype-open".into()).spawn(work).is_err() {
        return open_image(path, images);
    }
    loop {
        match opened.recv_timeout(GLANCE) {
            Ok(opened) => return opened,
            Err(RecvTimeoutError::Timeout) if !watch.stop_asked() => {}
            Err(RecvTimeoutError::Timeout) => return Err(Error::interrupted()),
            Err(RecvTimeoutError::Disconnected) => panic!("an image was neither opened nor refused"),
        }
    }
}

/// The sector of the disk in an image: where the format does not tell it, the record knows what it was made of.
fn sector_of(facts: &image::Facts, record: Option<&Record>) -> u32 {
    let recorded = record.map(|record| record.source.sector_size);
    let recorded = recorded.filter(|sector| sector.is_power_of_two() && (512..=4096).contains(sector));
    let is_told = image::named(facts.format).is_some_and(|format| format.tells_sector);
    recorded.filter(|_| !is_told).unwrap_or(facts.sector)
}

/// So much of an image that is only read forward is looked at: there it costs nothing.
const HEAD: u64 = 8 << 20;

/// The content of `image`, for parsers.
pub(super) fn looking(image: &Arc<dyn image::Opened>, size: u64) -> Box<dyn ReadAt> {
    let content = Window::new(Arc::clone(image), Extent::new(0, size));
    match image.facts().in_order {
        true => Box::new(Head(content)),
        false => Box::new(content),
    }
}

/// The beginning of something long.
struct Head<T>(T);

impl<T: ReadAt> ReadAt for Head<T> {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        if offset.saturating_add(buf.len() as u64) > HEAD {
            return Err(std::io::Error::other("it lies far within a compressed stream"));
        }
        self.0.read_at(buf, offset)
    }
}

/// An image that a run has not finished cannot be judged, and its gaps would pass for zeros in a copy.
fn refuse_unfinished(path: &Path, record: Option<&Record>) -> Result<()> {
    if record.is_some() || !is_unfinished(path) {
        return Ok(());
    }
    Err(Error::refused(format!("{} is unfinished", path.display()))
        .advise("finish it: run the command that began it again"))
}

/// Whether state or map beside an image say that it is unfinished.
pub(in crate::task) fn is_unfinished(path: &Path) -> bool {
    unfinished(path).is_some()
}

/// Of an image that is unfinished, by the state or map beside it: how many bytes it holds, and of how many, where a map tells.
pub fn unfinished(path: &Path) -> Option<Option<(u64, u64)>> {
    // The map may have been given another name; the state never has.
    let map = record::beside(path, ".map");
    let map = || {
        // Opening a pipe would wait for its other end.
        let is_file = std::fs::metadata(&map).ok()?.is_file();
        Some(MapFile::parse(&is_file.then(|| map_text(&map).ok())??).ok()?.map)
    };
    let map = map();
    let untried = [Status::NonTried, Status::NonTrimmed, Status::NonScraped];
    let is_part = map.as_ref().is_some_and(|map| untried.iter().any(|status| map.bytes(*status) > 0));
    (is_part || record::beside(path, ".state").exists())
        .then(|| map.map(|map| (map.bytes(Status::Finished), map.size())))
}

/// The format in which the image at `path` is to be opened: the user's word, the record's, or the content's where the name
/// does not contradict it. Whoever wrote a raw disk could have written another format's header.
fn format_of(path: &Path, images: &Images, record: Option<&Record>) -> Result<Option<&'static Format>> {
    if let Some(format) = images.format {
        return Ok(Some(format));
    }
    if let Some(format) = record.and_then(|record| image::named(&record.image.format)) {
        return Ok(Some(format));
    }
    let failed = |error| Error::io(format!("opening {}", path.display()), error);
    let stored = PlainFile::open(path).map_err(failed)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let named = image::of_extension(extension);
    // A fixed VHD begins with what its guest wrote.
    if let Some(named) = named.filter(|named| (named.probe)(&stored)) {
        return Ok(Some(named));
    }
    let found = image::probe(&stored);
    let name = path.display();
    if found.is_none()
        && let Some(other) = image::foreign(&stored)
    {
        let context = format!("{name} is a {other} image, which is not read in this version");
        return Err(Error::unsupported(context).advise("it is a disk's raw bytes:  --source-format raw"));
    }
    match (named, found) {
        (Some(named), Some(found)) if named.is_bytes => {
            let context = format!("{name} is called a raw image and begins like {}", found.name);
            Err(Error::refused(context)
                .advise(format!("it is one:               --source-format {}", found.name))
                .advise("it is a disk's raw bytes: --source-format raw"))
        }
        (Some(named), None) if !named.is_bytes => {
            let context = format!("{name} is no {} image, by its content", named.name);
            Err(Error::new(Kind::Corrupt, context).advise("it is raw bytes:  --source-format raw"))
        }
        (Some(named), None) => Ok(Some(named)),
        (None, None) => Ok(Some(&raw::RAW)),
        (_, found) => Ok(found),
    }
}
