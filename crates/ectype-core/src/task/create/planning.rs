//! What is planned before anything is touched: what the image will be like, its base, a table around a volume, its room.

use super::super::open::{self, Images, Opened};
use super::super::target::Files;
use super::super::wrapped::{Wrapped, volume_in};
use super::{Options, Prepared};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::image::{self, Format, Parent, Placement, Spec};
use crate::io::{Content, ReadAt};
use crate::os::Medium;
use crate::os::file::{self, PlainFile};
use crate::plan::policy;
use crate::proof::record::{self, Record};
use crate::source::{Geometry, WRAPPED_START};
use crate::volume::around::around;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A sparse file's extents are counted for the forecast up to this many; then its length is the forecast.
const MOST_EXTENTS: usize = 100_000;

pub(super) fn plan_placement(format: &Format, spec: &Spec) -> Placement {
    format.writing.as_ref().map_or(Placement::Anywhere, |writing| (writing.placement)(spec))
}

/// Refuses an image that is to be made of a rescue, which is the source of these options: hours of rescue are not begun for what
/// would be refused at their end.
pub fn refuse_early(options: &Options) -> Result<()> {
    if let Some(image) = &options.image {
        let name = image.display();
        if *image == options.source {
            return Err(Error::refused(format!("{name} cannot be both IMAGE and --through"))
                .advise("give one of them another name"));
        }
        let is_incomplete = Record::of(image)?.is_some_and(|record| record.status == "incomplete");
        let is_unfinished = || [".map", ".state"].iter().any(|end| record::beside(image, end).exists());
        if image.exists() && !options.overwrite && !is_incomplete && !is_unfinished() {
            return Err(Error::refused(format!("{name} exists")).advise("replace it:  --overwrite"));
        }
    }
    let (format, _) = policy::format(Medium::File, options.format, options.image.as_deref())?;
    refuse_unsuited(options, format)
}

/// Refuses options that the format does not have.
pub(super) fn refuse_unsuited(options: &Options, format: &Format) -> Result<()> {
    let Some(writing) = &format.writing else {
        return Err(Error::unsupported(format!(
            "{} images are read, and not written in this version",
            format.name
        )));
    };
    if options.base.is_some() && !writing.differencing {
        let differencing =
            |format: &&Format| format.writing.as_ref().is_some_and(|writing| writing.differencing);
        let can: Vec<&str> = policy::written().filter(differencing).map(|format| format.name).collect();
        return Err(Error::refused(format!("a {} image has no parent", format.name))
            .advise(format!("formats with --base: {}", can.join(", "))));
    }
    let one_of = |what: &str, asked: &str, known: &[&str]| {
        if known.contains(&asked) {
            return Ok(());
        }
        let error = Error::refused(format!("{} images have no {what} {asked:?}", format.name));
        Err(match known {
            [] => error.advise(format!("leave out --{what}")),
            _ => error.advise(format!("one of: {}", known.join(", "))),
        })
    };
    if let Some(subformat) = &options.subformat {
        one_of("subformat", subformat, writing.subformats)?;
    }
    if let Some(compress) = options.compress.as_ref().filter(|compress| compress.kind != "none") {
        one_of("compress", &compress.kind, writing.compressions)?;
    }
    Ok(())
}

/// What the image will be like, and the longest that its file can become.
pub(super) fn spec(
    options: &Options,
    format: &'static Format,
    geometry: Geometry,
    base: Option<&Arc<dyn image::Opened>>,
    image: &Path,
) -> Result<(Spec, u64)> {
    refuse_unsuited(options, format)?;
    let writing = format.writing.as_ref().expect("it is written");
    (writing.plan)(Spec {
        size: geometry.size,
        sector: geometry.sector,
        physical_sector: geometry.physical_sector,
        subformat: options.subformat.clone().unwrap_or_default(),
        compression: options.compress.as_ref().map(|compress| compress.kind.clone()).unwrap_or_default(),
        level: options.compress.as_ref().and_then(|compress| compress.level),
        id: options.epoch.map_or_else(fresh_id, |epoch| repeatable_id(epoch, geometry.size, image)),
        created: options.epoch.unwrap_or_else(|| jiff::Timestamp::now().as_second().try_into().unwrap_or(0)),
        parent: match (&options.base, base) {
            (Some(path), Some(base)) => Some(parent(path, &**base, image)?),
            _ => None,
        },
        ..Spec::default()
    })
}

/// The base of a differencing image, opened.
pub(super) fn open_base(
    base: &Path,
    options: &Options,
    format: &'static Format,
    geometry: Geometry,
) -> Result<Opened> {
    refuse_unsuited(options, format)?;
    let images = Images { format: None, ..options.images.clone().unwrap_or_default() };
    let opened = open::open_image(base, &images)?;
    let size = opened.image().map_or(0, |image| image.size());
    let name = base.display();
    if !opened.unread.is_empty() {
        return Err(Error::refused(format!("{name} is incomplete: what it lacks would be lost again"))
            .advise("choose a base that is whole"));
    }
    if size < geometry.size || size - geometry.size >= PIECE {
        let context = format!("{name} holds {size} bytes, the source {}", geometry.size);
        return Err(Error::refused(context).advise("a base is an earlier image of the same disk"));
    }
    Ok(opened)
}

/// How the child names its parent.
fn parent(base: &Path, opened: &dyn image::Opened, image: &Path) -> Result<Parent> {
    let failed = |error| Error::io(format!("looking at {}", base.display()), error);
    let absolute = std::fs::canonicalize(base).map_err(failed)?;
    let folder = std::fs::canonicalize(file::folder(image)).map_err(failed)?;
    let modified = std::fs::metadata(&absolute).and_then(|facts| facts.modified()).map_err(failed)?;
    let facts = opened.facts();
    // Half a name would lead nowhere, and the image be nothing.
    let relative = relative(&folder, &absolute).into_os_string().into_string().map_err(|name| {
        let context =
            format!("{} is no text in UTF-8, and by such an image names its parent", name.display());
        Error::refused(context).advise("give the base another name")
    })?;
    Ok(Parent {
        relative,
        absolute: file::as_written(&absolute).display().to_string(),
        format: facts.format.to_owned(),
        id: facts.id,
        modified: modified.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    })
}

/// `to` as it is reached from `folder`; both absolute.
fn relative(folder: &Path, to: &Path) -> PathBuf {
    let shared = folder.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| std::path::Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

/// What became of a volume that is to be a disk.
pub(super) struct Wrap {
    pub(super) volume: Option<Extent>,
    pub(super) why: String,
    /// What its table is made of, where it got one here.
    pub(super) seed: Option<[u8; 32]>,
}

/// A volume becomes a disk with one partition in formats that are attached as disks; one that is in an image stays it.
pub(super) fn wrap(
    opened: Opened,
    options: &Options,
    format: &Format,
    files: &Files,
) -> Result<(Opened, Option<Wrap>)> {
    if options.images.is_some() {
        let size = opened.geometry().size;
        let wrapped = volume_in(&opened)?.filter(|wrapped| wrapped.volume.end() <= size);
        let why = "a volume with a partition table around it, and both are copied";
        let wrap = |wrapped: Wrapped| Wrap { volume: Some(wrapped.volume), why: why.to_owned(), seed: None };
        return Ok((opened, wrapped.map(wrap)));
    }
    let is_volume = opened.device.as_ref().is_some_and(|device| device.whole.is_some());
    let is_attached = format.writing.as_ref().is_some_and(|writing| writing.is_attached);
    if options.bare || !is_volume || !is_attached {
        return Ok((opened, None));
    }
    let parts = &options.parts;
    if parts.domain.is_some() || parts.offset > 0 || parts.size.is_some() {
        return Err(Error::refused("parts of a volume are not wrapped in a partition table")
            .advise("as they are:  --bare"));
    }
    let Geometry { size, sector, .. } = opened.geometry();
    let volume = Extent::new(WRAPPED_START, size);
    let kind = opened.volumes.first().map_or("", |facts| facts.kind);
    // What is held has a table already, or the half of one.
    let earlier = if options.restart { None } else { files.earlier().and_then(|facts| facts.table_seed) };
    let seed = earlier.unwrap_or_else(|| {
        let named = format!("{} {:?}", opened.identity.path, opened.identity.volumes);
        *blake3::hash(named.as_bytes()).as_bytes()
    });
    let Some(table) = around(volume, sector, kind, &seed) else {
        let why = "a volume of this size has no place in a partition table: it stays bare";
        return Ok((opened, Some(Wrap { volume: None, why: why.to_owned(), seed: None })));
    };
    let by_gpt = if table.scheme == "gpt" { ", by a GPT as it is too large for an MBR" } else { "" };
    let why = format!(
        "a volume: one partition of a disk in the image{by_gpt}, so that it attaches (--bare leaves that out)"
    );
    Ok((opened.wrap(table.start, table.end), Some(Wrap { volume: Some(volume), why, seed: Some(seed) })))
}

/// A number that no other image has. The standard library's hasher has keys of the system's randomness.
fn fresh_id() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let mut id = [0; 16];
    for half in id.chunks_mut(8) {
        half.copy_from_slice(&RandomState::new().hash_one(std::process::id()).to_ne_bytes());
    }
    id
}

/// A number that an image of this name, size and time has each time, and that others are unlikely to have.
fn repeatable_id(epoch: u64, size: u64, image: &Path) -> [u8; 16] {
    let name = image.file_name().unwrap_or_default().as_encoded_bytes();
    let mut hash = blake3::Hasher::new_derive_key("ectype image id");
    hash.update(&epoch.to_le_bytes()).update(&size.to_le_bytes()).update(name);
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    id
}

/// The most that the image can take: the content, without the holes of a file, as nothing else is known before it is read,
/// and what the format adds to it: tables, headers, padding.
pub(super) fn worst_case(opened: &Opened, format: &Format, spec: &Spec, longest: u64) -> Result<u64> {
    let size = opened.geometry().size;
    let most = longest.max(size);
    let Some((data, pieces)) = data(opened)? else { return Ok(most) };
    let unpacked = format.writing.as_ref().and_then(|writing| {
        let spec = Spec { compression: "none".into(), level: None, ..spec.clone() };
        (writing.plan)(spec).ok()
    });
    let unpacked = unpacked.map_or(longest, |(_, longest)| longest).min(longest);
    // What packing leaves over, it leaves over in pieces that hold something.
    let share = u128::from(longest - unpacked) * u128::from(pieces.saturating_mul(PIECE).min(size))
        / u128::from(size.max(1));
    let added = unpacked.saturating_sub(size).saturating_add(share as u64 + u64::from(share > 0));
    Ok(data.saturating_add(added).min(most))
}

/// How many bytes of a file or an image are no holes, and in how many pieces they lie; `None` where that is not told.
fn data(opened: &Opened) -> Result<Option<(u64, u64)>> {
    let size = opened.geometry().size;
    if !matches!(opened.medium, Medium::File | Medium::Image) {
        return Ok(None);
    }
    let reader = opened.reader()?;
    let (mut offset, mut data, mut pieces, mut counted) = (0, 0, 0, 0);
    for _ in 0..MOST_EXTENTS {
        if offset >= size {
            return Ok(Some((data, pieces)));
        }
        let Ok((content, until)) = reader.content_at(offset) else { return Ok(None) };
        if content == Content::Data {
            let until = until.min(size);
            data += until - offset;
            let end = until.div_ceil(PIECE);
            pieces += end - (offset / PIECE).max(counted).min(end);
            counted = end;
        }
        offset = until;
    }
    Ok(None)
}

impl Prepared {
    /// The worst case against the target's room and its longest file.
    pub(super) fn check_room(&mut self) -> Result<()> {
        // The other end of a pipe is not known.
        if self.plan.stream {
            return Ok(());
        }
        let folder = file::folder(&self.files.image);
        let Ok(space) = file::space(folder) else { return Ok(()) };
        let most = self.plan.longest;
        if let Some(longest) = space.largest_file
            && most > longest
        {
            let system = space.filesystem.unwrap_or("this file system");
            let context = format!("{} is on {system}, which holds no file of {most} bytes", folder.display());
            return Err(Error::new(Kind::Limit, context).advise("choose a folder on another file system"));
        }
        let there = PlainFile::open(&self.files.image).and_then(|image| image.allocated()).unwrap_or(0);
        self.plan.available = Some(space.available);
        let needed = self.plan.worst_case.saturating_sub(there);
        if needed > space.available && !self.options.no_space_check {
            let context = format!(
                "the image may need {needed} bytes, and {} has room for {}",
                folder.display(),
                space.available
            );
            return Err(Error::new(Kind::Limit, context)
                .advise("make room, or choose another folder")
                .advise("if much of the source is zeros it may fit:  --no-space-check"));
        }
        Ok(())
    }
}
