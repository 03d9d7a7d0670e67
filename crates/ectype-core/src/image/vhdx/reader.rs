//! Reading a VHDX.

use super::layout::*;
use super::map::{Geometry, Map, Tables};
use super::metadata::{self, Metadata, Regions};
use super::{check, log};
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::image::{Facts, Findings, Gate, Opened};
use crate::io::{Content, ReadAt};
use serde_json::json;
use std::io;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// A BAT up to this is held in memory, in bytes; of a larger one entries are read where they are needed.
const HELD_BAT: u64 = 16 * MIB;

/// An opened VHDX.
pub(super) struct Vhdx {
    /// The stored bytes, with the log replayed over them.
    pub(super) file: Arc<dyn ReadAt>,
    pub(super) file_size: u64,
    pub(super) geometry: Geometry,
    pub(super) regions: Regions,
    pub(super) log: Extent,
    /// The whole BAT, where it is small.
    held: Option<Vec<BatEntry>>,
    parent: Option<Arc<dyn Opened>>,
    facts: Facts,
    pub(super) notes: Vec<String>,
}

/// Opens `stored`, and its parent through the gate.
pub(super) fn open(stored: Arc<dyn ReadAt>, gate: &mut dyn Gate) -> Result<Arc<dyn Opened>> {
    let creator = metadata::creator(&*stored)?;
    let (header, _, note) = metadata::current_header(&*stored)?;
    let mut notes: Vec<String> = note.into_iter().collect();
    let log = log::replay(stored, &header)?;
    notes.extend(log.notes);
    let file = log.file;
    let log_at = Extent::new(header.log_offset.get(), u64::from(header.log_length.get()));
    let (regions, note) = metadata::regions(&*file, log_at)?;
    notes.extend(note);
    let metadata = metadata::metadata(&*file, regions.metadata)?;
    if metadata.incomplete {
        return Err(Error::refused("the image is unfinished: what makes it has not ended, and marked it so")
            .advise("run the command that makes it again, and it goes on"));
    }
    let geometry = Geometry {
        size: metadata.size,
        sector: u64::from(metadata.sector),
        block: metadata.block,
        has_parent: metadata.has_parent,
        bat: regions.bat.offset,
    };
    let needed = geometry.entries() * size_of::<BatEntry>() as u64;
    if needed > regions.bat.len {
        let what = format!("a BAT of {needed} bytes is expected, its region has {}", regions.bat.len);
        return Err(Error::corrupt(regions.bat.offset, what));
    }
    let held = match needed {
        0..=HELD_BAT => {
            let mut entries = vec![BatEntry::default(); geometry.entries() as usize];
            let read = file.read_at(entries.as_mut_bytes(), regions.bat.offset);
            read.map_err(|error| Error::io("reading the BAT", error).at(regions.bat.offset))?;
            Some(entries)
        }
        _ => None,
    };
    let mut facts = facts(&header, &metadata, &creator, log.replayed);
    let parent = match &metadata.parent {
        Some(pairs) => {
            let (parent, named) = open_parent(pairs, gate)?;
            facts.parent = Some(named);
            Some(parent)
        }
        None => None,
    };
    let file_size = file.size();
    Ok(Arc::new(Vhdx { file, file_size, geometry, regions, log: log_at, held, parent, facts, notes }))
}

fn facts(header: &Header, metadata: &Metadata, creator: &str, replayed: usize) -> Facts {
    let subformat = match (metadata.has_parent, metadata.leave_blocks_allocated) {
        (true, _) => "differencing",
        (false, true) => "fixed",
        (false, false) => "dynamic",
    };
    Facts {
        format: "vhdx",
        subformat: subformat.into(),
        sector: metadata.sector,
        in_order: false,
        id: header.data_write_guid.0,
        parent: None,
        more: vec![
            ("block_size", json!(metadata.block)),
            ("physical_sector_size", json!(metadata.physical_sector)),
            ("virtual_disk_id", json!(metadata.id.to_string())),
            ("file_write_guid", json!(header.file_write_guid.to_string())),
            ("data_write_guid", json!(header.data_write_guid.to_string())),
            ("creator", json!(creator)),
            ("log_entries_replayed", json!(replayed)),
        ],
    }
}

/// The parent (§2.6.2.6.3), and the name in the image that is shown for it.
fn open_parent(pairs: &[(String, String)], gate: &mut dyn Gate) -> Result<(Arc<dyn Opened>, String)> {
    let value = |key: &str| pairs.iter().find(|pair| pair.0 == key).map(|pair| pair.1.clone());
    let names: Vec<String> =
        ["relative_path", "volume_path", "absolute_win32_path"].into_iter().filter_map(value).collect();
    let named = names.first().cloned();
    let named =
        named.ok_or_else(|| Error::new(Kind::Corrupt, "its parent locator has no path of the parent"))?;
    // Windows writes a second linkage while it changes the parent: either may hold.
    let linkages: Vec<String> = ["parent_linkage", "parent_linkage2"].into_iter().filter_map(value).collect();
    let stated = linkages.first().cloned();
    let stated =
        stated.ok_or_else(|| Error::new(Kind::Corrupt, "its parent locator has no parent_linkage"))?;
    if let Some(other) = linkages.iter().find(|text| Guid::parse(text).is_none()) {
        return Err(Error::new(Kind::Corrupt, format!("its parent's linkage is no GUID: {other:?}")));
    }
    let parent = gate.parent(&names, Some("vhdx"))?;
    let found = Guid(parent.facts().id);
    if !parent.is_absent() && !linkages.iter().any(|text| Guid::parse(text) == Some(found)) {
        let what =
            format!("the parent {named} was changed: data write GUID {stated} is expected, {found} is found");
        return Err(Error::new(Kind::Changed, what).advise(
            "bring back the parent as it was when this image was made; its children are lost otherwise",
        ));
    }
    Ok((parent, named))
}

impl Tables for Vhdx {
    fn entries(&self, first: u64, out: &mut [BatEntry]) -> io::Result<()> {
        match &self.held {
            Some(held) => {
                let start = first as usize;
                out.copy_from_slice(&held[start..start + out.len()]);
                Ok(())
            }
            None => self.file.read_at(out.as_mut_bytes(), self.geometry.entry_at(first)),
        }
    }

    fn bitmap(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(out, at)
    }
}

impl Vhdx {
    fn map(&self) -> Map<'_> {
        Map {
            geometry: &self.geometry,
            tables: self,
            file: &*self.file,
            file_size: self.file_size,
            parent: self.parent.as_ref().map(|parent| parent as &dyn ReadAt),
        }
    }
}

impl ReadAt for Vhdx {
    fn size(&self) -> u64 {
        self.geometry.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.map().read_at(buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        self.map().content_at(offset)
    }
}

impl Opened for Vhdx {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn check(&self, findings: &mut Findings) -> Result<()> {
        check::check(self, findings)
    }
}
