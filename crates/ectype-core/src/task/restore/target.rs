//! TARGET by its name: what it is, and why it may not be overwritten.

use super::{Options, Scope};
use crate::error::{Error, Kind, Result, word};
use crate::os::disk::{self, Found};
use crate::os::file::{self, PlainFile};
use crate::os::{Device, Medium, advice};
use crate::task::open::{self, Opened};
use crate::task::target::{is_same, refuse_misnamed, refuse_no_folder};
use crate::task::wrapped::Wrapped;
use std::path::{Path, PathBuf};

/// What TARGET names.
pub(super) enum Target {
    Device(Box<Device>),
    /// A file, and whether it is there.
    File(PathBuf, bool),
}

pub(super) fn find(path: &Path) -> Result<Target> {
    // Where devices have names of their own, nothing can be looked at there but by them.
    if disk::is_name(path) {
        return match disk::find(path)? {
            Found::Device { device, .. } => Ok(Target::Device(device)),
            Found::File(path) => Ok(Target::File(path, true)),
        };
    }
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            refuse_new_file(path)?;
            return Ok(Target::File(path.to_owned(), false));
        }
        Err(error) => {
            refuse_misnamed(path)?;
            return Err(Error::io(format!("looking for the target {}", path.display()), error));
        }
    };
    if about.is_dir() {
        return Err(Error::refused(format!(
            "{} is a folder, and an image is restored to a device or a file",
            path.display()
        ))
        .advise(advice::NO_TARGET));
    }
    match disk::find(path)? {
        Found::Device { device, .. } => Ok(Target::Device(device)),
        Found::File(path) => Ok(Target::File(path, true)),
    }
}

/// A slip in a device's name must not fill the memory that /dev lies in.
fn refuse_new_file(path: &Path) -> Result<()> {
    refuse_misnamed(path)?;
    let shown = path.display();
    let folder = file::folder(path);
    refuse_no_folder(folder)?;
    let failed = |error| Error::io(format!("looking for the folder of {shown}"), error);
    let real = std::fs::canonicalize(folder).map_err(failed)?;
    if real.starts_with("/dev") && !real.starts_with("/dev/shm") {
        return Err(Error::new(Kind::Gone, format!("there is no device {shown}"))
            .advise("`ectype devices` lists what is here"));
    }
    Ok(())
}

/// Said where the image of a volume is written with the table that it got to attach.
pub(super) const WITH_TABLE: &str =
    "the image is of a volume, with a partition table around it so that it attaches: both are written";

/// The image as it fits onto the device, and what there is to say of that: onto a volume goes only the volume of an image that
/// is a disk around one.
pub(super) fn fitting(
    opened: Opened,
    wrapped: Option<Wrapped>,
    device: &Device,
) -> Result<(Opened, Option<String>)> {
    let Some(wrapped) = wrapped else { return Ok((opened, None)) };
    let is_meant = match scope_of_device(device) {
        Scope::Volume => true,
        Scope::Disk => false,
        // What was imaged is a volume, not the disk that its image is.
        Scope::Any => scope_of_image(&opened) == Scope::Volume,
    };
    if !is_meant {
        return Ok((opened, Some(WITH_TABLE.to_owned())));
    }
    let why =
        "the image has a partition table around its volume so that it attaches: only the volume is written";
    Ok((opened.unwrap(wrapped)?, Some(why.to_owned())))
}

/// Refuses a device that is used, that is the source, or that the image does not fit on.
pub(super) fn refuse_device(device: &Device, options: &Options, opened: &Opened) -> Result<()> {
    let name = device.path.display();
    // Before all that could be put right: nothing would help here.
    if device.system {
        return Err(Error::refused(format!("the running system lives on {name}"))
            .advise("boot another system, from a stick or the network, and restore from there"));
    }
    if device.medium == Medium::Optical {
        return Err(Error::refused(format!(
            "{name} is an optical drive, and discs are not burnt in this version"
        )));
    }
    if device.size == 0 {
        return Err(Error::refused(format!("no medium in {name}")).advise("insert a medium"));
    }
    let loops = loops();
    for path in opened.image_files() {
        if let Some(mount) = device.mounts.iter().find(|mount| lies_on(path, &mount.target)) {
            return Err(Error::refused(format!(
                "the image {} lies on {name} itself, mounted on {}",
                path.display(),
                mount.target.display()
            ))
            .advise("copy it to another disk first"));
        }
        // There may be several over one file.
        let is_it = |over: &&Device| {
            over.path == device.path || device.whole.as_ref() == Some(&over.path) || is_below(over, device)
        };
        if let Some(over) = over(&loops, path).find(is_it) {
            return Err(Error::refused(format!(
                "{name} is the source itself: {} over {}",
                over.name,
                path.display()
            )));
        }
    }
    let used = |what: String| Error::refused(format!("{name} {what}"));
    if let Some(mount) = device.barring().next() {
        let error = used(format!("is mounted on {} ({})", mount.target.display(), mount.node.display()));
        return Err(device.barring().filter_map(advice::unmount).fold(error, Error::advise));
    }
    if let Some(holder) = device.holders.first() {
        let freed = device.holders.iter().filter_map(|holder| advice::free(holder));
        return Err(freed.fold(used(format!("is in use by {holder}")), Error::advise));
    }
    if device.read_only {
        return Err(
            used("is read-only".to_owned()).advise("a card or stick may have a switch against writing")
        );
    }
    refuse_layout(device, options, opened)?;
    refuse_too_small(device, device.size, opened.geometry().size)
}

/// Refuses a device of `held` bytes that an image of `size` does not fit on.
pub(super) fn refuse_too_small(device: &Device, held: u64, size: u64) -> Result<()> {
    if size <= held {
        return Ok(());
    }
    let name = device.path.display();
    Err(Error::refused(format!("{name} is too small: it has {held} bytes, the image {size}"))
        .advise("an image fits on a disk of its own size or a larger one"))
}

/// A volume's image on a whole disk, a disk's in a partition, a table that counts in other sectors: none of them would be
/// understood.
fn refuse_layout(device: &Device, options: &Options, opened: &Opened) -> Result<()> {
    if options.force_layout {
        return Ok(());
    }
    let name = device.path.display();
    let force = "it is meant so:  --force-layout";
    match (scope_of_image(opened), scope_of_device(device)) {
        (Scope::Volume, Scope::Disk) => {
            let error = Error::refused(format!("the image is of a volume, and {name} is a whole disk"));
            let part = device.parts.first();
            let error = match part {
                Some(part) => error.advise(format!("name a partition of it, as {}", part.node.display())),
                None => error.advise("name a partition, or divide the disk first"),
            };
            Err(error.advise(match opened.table {
                Some(_) => "as a disk with the image's own table of one partition:  --force-layout",
                None => force,
            }))
        }
        (Scope::Disk, Scope::Volume) => {
            let error = Error::refused(format!("the image is of a whole disk, and {name} is a part of one"));
            let error = match &device.whole {
                Some(whole) => error.advise(format!("the whole disk is {}", whole.display())),
                None => error,
            };
            Err(error.advise(force))
        }
        _ => match &opened.table {
            Some(table) if table.sector_size != device.sector_size => Err(Error::refused(format!(
                "the partition table of the image counts in sectors of {} bytes, {name} has {}: no system would find the partitions",
                table.sector_size, device.sector_size
            ))
            .advise("restore it onto a disk with the same sectors")
            .advise(force)),
            _ => Ok(()),
        },
    }
}

/// By what the user may name a device that is overwritten.
pub(super) fn names(device: &Device) -> Vec<String> {
    // A loop device is called by its backing file and an array by its level, which are no models.
    let has_model = !device.model.is_empty() && !matches!(device.bus.as_str(), "loop" | "md");
    let first =
        if device.serial.is_empty() { device.path.display().to_string() } else { device.serial.clone() };
    std::iter::once(first).chain(has_model.then(|| device.model.clone())).collect()
}

/// What the image is of, by its record or by its content.
pub(super) fn scope_of_image(opened: &Opened) -> Scope {
    let recorded = opened.record.as_ref().map(|record| record.plan.scope.as_str());
    let is_disc = opened.volumes.iter().any(|facts| matches!(facts.kind, "iso9660" | "udf"));
    match recorded {
        _ if opened.around.is_some() => Scope::Volume,
        Some("disk") => Scope::Disk,
        Some("volume") => Scope::Volume,
        _ if opened.table.is_some() || is_disc => Scope::Disk,
        _ if !opened.volumes.is_empty() => Scope::Volume,
        _ => Scope::Any,
    }
}

/// What may lie on a device: logical volumes and arrays hold either.
fn scope_of_device(device: &Device) -> Scope {
    match () {
        () if device.whole.is_some() => Scope::Volume,
        () if matches!(device.bus.as_str(), "dm" | "md") => Scope::Any,
        () => Scope::Disk,
    }
}

/// Refuses a file that is there unless the user said yes, that is the image, or that a device is made of.
pub(super) fn refuse_file(path: &Path, exists: bool, options: &Options, opened: &Opened) -> Result<()> {
    let name = path.display();
    let convert = |how: &str| {
        let (image, path) = (word(&options.image), word(path));
        format!("to make an image of another one, with a record:  ectype convert {how} {image} {path}")
    };
    if open::is_unfinished(path) {
        // What is left of that run would go on with what is restored, and until then call it unfinished.
        let context = format!("{name} is the name of an image that another run has not finished");
        return Err(Error::refused(context)
            .advise("choose another name, or finish that run")
            .advise(convert("--restart")));
    }
    if !exists {
        return match crate::proof::record::path_of(path) {
            record if record.exists() => {
                Err(Error::refused(format!("{} is the record of another {name}", record.display()))
                    .advise("move it away, or choose another name"))
            }
            _ => Ok(()),
        };
    }
    if opened.image_files().any(|image| is_same(image, path)) {
        return Err(Error::refused(format!("{name} is the image itself")));
    }
    if let Some(over) = over(&loops(), path).next() {
        return Err(Error::refused(format!("{} is made of {name}", over.path.display()))
            .advise(format!("restore onto the device:  {}", over.path.display()))
            .advise(format!("or free the file:         losetup -d {}", over.path.display())));
    }
    if crate::proof::record::path_of(path).exists() {
        return Err(
            Error::refused(format!("{name} is an image that has a record")).advise(convert("--overwrite"))
        );
    }
    if options.yes || options.dry_run {
        return Ok(());
    }
    Err(Error::refused(format!("{name} exists")).advise("overwrite it:  --yes"))
}

/// Whether the file lies on the file system that is mounted there.
fn lies_on(path: &Path, mounted: &Path) -> bool {
    let device =
        |path: &Path| PlainFile::open(path).and_then(|file| file.stamp()).ok().map(|stamp| stamp.device);
    device(path).is_some_and(|number| Some(number) == device(mounted))
}

fn loops() -> Vec<Device> {
    disk::devices().unwrap_or_default().into_iter().filter(|device| device.backing.is_some()).collect()
}

/// The loop devices over this file.
fn over<'a>(loops: &'a [Device], path: &'a Path) -> impl Iterator<Item = &'a Device> {
    loops.iter().filter(move |device| device.backing.as_deref().is_some_and(|file| is_same(file, path)))
}

/// Whether `device` is stacked on `lower`: its holders begin with its name.
fn is_below(lower: &Device, device: &Device) -> bool {
    lower.holders.iter().any(|holder| holder.split(' ').next() == Some(&device.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::Tuning;
    use crate::os::Mount;
    use crate::task::open::{Images, open_image};
    use crate::task::restore::Unused;

    #[test]
    fn the_reason_that_nothing_puts_right_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("a.img");
        std::fs::write(&image, [0; 4096]).unwrap();
        let opened = open_image(&image, &Images::default()).unwrap();
        let options = Options {
            image: image.clone(),
            target: "c".into(),
            images: Images::default(),
            yes: false,
            changed_only: false,
            verify: true,
            fix_gpt: false,
            unused: Unused::Keep,
            force_layout: false,
            unmount: false,
            dry_run: true,
            tuning: Tuning::default(),
        };
        let mount = Mount {
            target: folder.path().to_owned(),
            node: "c".into(),
            filesystem: "ntfs".to_owned(),
            read_only: true,
            gives_way: false,
        };
        // No size is told, the image lies on it, it is mounted, held, read-only, and too small.
        let mut device = Device {
            path: "c".into(),
            name: "c".to_owned(),
            whole: None,
            medium: Medium::Fixed,
            bus: String::new(),
            model: String::new(),
            backing: None,
            serial: String::new(),
            removable: false,
            rotational: false,
            read_only: true,
            system: true,
            size: 0,
            sector_size: 512,
            physical_sector_size: 512,
            diskseq: None,
            mounts: vec![mount],
            holders: vec!["the folder of Windows".to_owned()],
            parts: Vec::new(),
        };
        let mut reason = |change: fn(&mut Device)| {
            change(&mut device);
            refuse_device(&device, &options, &opened).unwrap_err().to_string()
        };
        assert!(reason(|_| {}).contains("the running system lives on c"));
        assert!(reason(|device| device.system = false).contains("no medium"));
        assert!(reason(|device| device.size = 512).contains("lies on c itself"));
        assert!(reason(|device| device.mounts.clear()).contains("in use by the folder of Windows"));
        assert!(reason(|device| device.holders.clear()).contains("read-only"));
        assert!(reason(|device| device.read_only = false).contains("too small"));
    }
}
