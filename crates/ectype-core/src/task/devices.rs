//! `devices` and `info`: what is there, and what is on it.

use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::{ReadAt, Window};
use crate::os::disk::{self, Disk};
use crate::os::optical::{self, Track};
use crate::os::{Device, Lock, Medium};
use crate::source::DeviceReader;
use crate::{fs, volume};
use std::path::Path;
use std::sync::Arc;

/// A device with what is on it, as far as this user may look.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The device.
    pub device: Device,
    /// What is on it.
    pub content: Content,
    /// Why nothing could be looked at.
    pub unseen: Option<String>,
}

/// What is on a medium.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// `gpt` or `mbr`.
    pub scheme: Option<&'static str>,
    /// What is odd about the partition table.
    pub notes: Vec<String>,
    /// File systems on the medium as a whole.
    pub filesystems: Vec<fs::Facts>,
    /// Its partitions.
    pub partitions: Vec<Partition>,
    /// The tracks of a disc whose drive gives a table of contents.
    pub tracks: Vec<Track>,
}

/// A partition and what is on it.
#[derive(Clone, Debug)]
pub struct Partition {
    /// Its number in the table.
    pub number: u32,
    /// Where it lies on the disk.
    pub extent: Extent,
    /// Its type in the table, as a GUID or a byte; empty where only the kernel knows of it.
    pub type_id: String,
    /// The type in words, where they are known.
    pub type_name: String,
    /// What is on it.
    pub filesystems: Vec<fs::Facts>,
}

/// All devices that can be imaged here.
pub fn devices() -> Result<Vec<Seen>> {
    Ok(disk::devices()?.into_iter().map(look).collect())
}

fn look(device: Device) -> Seen {
    if device.size == 0 {
        return Seen { device, content: Content::default(), unseen: Some("no medium".to_owned()) };
    }
    match Disk::open(&device, Lock::Shared) {
        Ok(disk) => {
            let toc = (device.medium == Medium::Optical).then(|| optical::toc(&disk).ok()).flatten();
            let reader = DeviceReader::new(Arc::new(disk));
            let mut content = content(&reader, device.sector_size);
            content.tracks = toc.map_or_else(Vec::new, |toc| toc.tracks);
            add_kernel_partitions(&mut content, &device, &reader);
            Seen { device, content, unseen: None }
        }
        Err(error) => {
            let mut content = Content::default();
            let kernel = device.parts.iter().map(|part| Partition {
                number: part.number,
                extent: Extent::new(part.offset, part.len),
                type_id: String::new(),
                type_name: String::new(),
                filesystems: Vec::new(),
            });
            content.partitions.extend(kernel);
            Seen { device, content, unseen: Some(error.to_string()) }
        }
    }
}

/// The kernel also knows partitions of tables that are not read here.
fn add_kernel_partitions(content: &mut Content, device: &Device, reader: &dyn ReadAt) {
    for part in &device.parts {
        let extent = Extent::new(part.offset, part.len);
        if content.partitions.iter().all(|known| known.extent.offset != extent.offset) {
            content.partitions.push(partition(reader, part.number, extent, String::new(), String::new()));
        }
    }
    content.partitions.sort_by_key(|partition| partition.number);
}

/// What is on a medium or in a raw image with sectors of `sector` bytes.
pub fn content(reader: &dyn ReadAt, sector: u32) -> Content {
    let filesystems = fs::identify(reader).unwrap_or_default();
    let Some(table) = volume::scan(reader, sector).ok().flatten() else {
        return Content { filesystems, ..Content::default() };
    };
    let partitions = table
        .partitions
        .into_iter()
        .map(|found| partition(reader, found.number, found.extent, found.type_id, found.type_name.to_owned()))
        .collect();
    Content { scheme: Some(table.scheme), notes: table.notes, filesystems, partitions, ..Content::default() }
}

fn partition(
    reader: &dyn ReadAt,
    number: u32,
    extent: Extent,
    type_id: String,
    type_name: String,
) -> Partition {
    let filesystems = fs::identify(&Window::new(reader, extent)).unwrap_or_default();
    Partition { number, extent, type_id, type_name, filesystems }
}

/// Looks at the device at `path`.
pub fn device(path: &Path) -> Result<Seen> {
    match disk::find(path)? {
        crate::os::Found::Device { device, .. } => Ok(look(*device)),
        crate::os::Found::File(file) => Err(Error::refused(format!("{} is a file", file.display()))),
    }
}
