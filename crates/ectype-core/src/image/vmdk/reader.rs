//! The reader: a disk of extents, over a parent.
//!
//! ```text
//!   0 ┌ FLAT ──────────┬ SPARSE ───────────┬ ZERO ───┐ size         the extents in the descriptor's order
//!     └ file + offset ─┴ tables ─► grains ─┴─────────┘
//!                          └ absent ─► parent, at the same byte
//! ```

use super::descriptor::{Access, Descriptor, Line, MOST_BYTES, NO_PARENT, cid_in, id_of};
use super::grains::Place;
use super::layout::*;
use super::sparse::{Sparse, header};
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::image::{Facts, Findings, Gate, Opened};
use crate::io::{Content, ReadAt, read_padded};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// An opened image.
struct Disk {
    parts: Vec<Part>,
    size: u64,
    parent: Option<Arc<dyn Opened>>,
    facts: Facts,
    notes: Vec<String>,
}

/// An extent in its place.
struct Part {
    at: Extent,
    name: String,
    behind: Behind,
}

/// What is behind an extent.
enum Behind {
    Flat { stored: Arc<dyn ReadAt>, offset: u64 },
    Sparse(Box<Sparse>),
    Zero,
    Denied,
}

/// Opens a descriptor file, or a sparse extent with its descriptor embedded.
pub(super) fn open(stored: Arc<dyn ReadAt>, gate: &mut dyn Gate) -> Result<Arc<dyn Opened>> {
    let mut magic = [0; 4];
    let len = stored.size().min(4) as usize;
    stored.read_at(&mut magic[..len], 0).map_err(|error| Error::io("reading the header", error))?;
    match magic {
        MAGIC => open_sparse(stored, gate),
        COWD_MAGIC => Err(lone_extent("a COWD extent of a VMDK image")),
        _ => {
            let size = stored.size();
            if size > MOST_BYTES {
                let what = format!("a VMDK descriptor of {size} bytes; read are at most {MOST_BYTES}");
                return Err(Error::new(Kind::Limit, what));
            }
            open_parts(read_descriptor(&*stored, Extent::new(0, size))?, gate)
        }
    }
}

fn lone_extent(what: &str) -> Error {
    Error::refused(format!("it is {what}, without the descriptor"))
        .advise("open the file with the descriptor, a text that names this one")
}

fn read_descriptor(stored: &dyn ReadAt, at: Extent) -> Result<Descriptor> {
    let part = at.intersect(Extent::new(0, stored.size()));
    let mut text = vec![0; part.len as usize];
    stored.read_at(&mut text, part.offset).map_err(|error| Error::io("reading the descriptor", error))?;
    if text.iter().all(|&byte| byte == 0) {
        return Err(lone_extent("an extent of a VMDK image"));
    }
    Descriptor::parse(&text, at.offset)
}

fn open_sparse(stored: Arc<dyn ReadAt>, gate: &mut dyn Gate) -> Result<Arc<dyn Opened>> {
    let header = header(&*stored, 0)?;
    let (offset, sectors) = (header.descriptor_offset.get(), header.descriptor_size.get());
    if offset == 0 || sectors == 0 {
        return Err(lone_extent("an extent of a VMDK image"));
    }
    let at = offset.checked_mul(SECTOR).filter(|&at| at < stored.size());
    let at = at.ok_or_else(|| {
        Error::corrupt(28, format!("the descriptor at sector {offset} lies outside the file"))
    })?;
    let len = sectors.saturating_mul(SECTOR).min(MOST_BYTES);
    let descriptor = read_descriptor(&*stored, Extent::new(at, len))?;
    let itself = ["monolithicSparse", "streamOptimized"];
    let alone = descriptor.extents.len() <= 1 && descriptor.extents.iter().all(|line| line.kind == "SPARSE");
    if header.capacity.get() == 0 || !(alone || itself.contains(&descriptor.create_type.as_str())) {
        return open_parts(descriptor, gate);
    }
    let sparse = Sparse::open(stored)?;
    let mut notes = Vec::new();
    let named =
        descriptor.extents.first().map_or(sparse.capacity, |line| line.sectors.saturating_mul(SECTOR));
    // The capacity may be rounded up to grains.
    let size = if named <= sparse.capacity && sparse.capacity - named < sparse.grid.grain {
        named
    } else {
        let what = "the descriptor gives the extent another size than its header";
        notes.push(format!("{what}: {named} and {} bytes", sparse.capacity));
        sparse.capacity
    };
    let name = descriptor.extents.first().map(|line| line.name.clone()).unwrap_or_default();
    let part = Part { at: Extent::new(0, size), name, behind: Behind::Sparse(Box::new(sparse)) };
    Disk::assemble(descriptor, vec![part], notes, gate)
}

/// Opens the extents that a descriptor names.
fn open_parts(descriptor: Descriptor, gate: &mut dyn Gate) -> Result<Arc<dyn Opened>> {
    refuse_devices(&descriptor)?;
    if descriptor.extents.is_empty() {
        return Err(Error::corrupt(0, "a VMDK descriptor without extents"));
    }
    let mut files = BTreeMap::new();
    let mut parts = Vec::with_capacity(descriptor.extents.len());
    let mut end = 0_u64;
    for line in &descriptor.extents {
        let len = line.sectors.checked_mul(SECTOR);
        let next = len.and_then(|len| end.checked_add(len)).filter(|&next| next <= i64::MAX as u64);
        let next =
            next.ok_or_else(|| Error::corrupt(0, "a VMDK descriptor of more bytes than there can be"))?;
        let at = Extent::between(end, next);
        let behind = open_part(line, at.len, gate, &mut files)?;
        parts.push(Part { at, name: line.name.clone(), behind });
        end = next;
    }
    Disk::assemble(descriptor, parts, Vec::new(), gate)
}

/// Disks and partitions that a descriptor stands for are not opened by an image's word.
fn refuse_devices(descriptor: &Descriptor) -> Result<()> {
    let create_type = descriptor.create_type.to_ascii_lowercase();
    let devices = ["fulldevice", "partitioneddevice", "vmfsraw", "vmfsrdm", "vmfsrdmp"];
    let mapped = ["vmfsrawdevicemap", "vmfspassthroughrawdevicemap"];
    let by_type = devices.iter().chain(&mapped).any(|device| create_type == *device);
    let is_device = |line: &Line| {
        ["VMFSRDM", "VMFSRAW"].contains(&line.kind.as_str())
            || line.name.starts_with("\\\\.\\")
            || line.name.starts_with("/dev/")
    };
    match descriptor.extents.iter().find(|line| is_device(line)) {
        Some(line) => Err(Error::unsupported(format!("a VMDK image of the device {:?}", line.name))),
        None if by_type => {
            Err(Error::unsupported(format!("a VMDK image of a device ({})", descriptor.create_type)))
        }
        None => Ok(()),
    }
}

fn open_part(
    line: &Line,
    len: u64,
    gate: &mut dyn Gate,
    files: &mut BTreeMap<String, Arc<dyn ReadAt>>,
) -> Result<Behind> {
    let named = |error: Error| error.in_file(Path::new(&line.name));
    match (line.kind.as_str(), line.access) {
        ("ZERO", _) => Ok(Behind::Zero),
        (_, Access::Denied) => Ok(Behind::Denied),
        ("FLAT" | "VMFS", _) => {
            let stored = match files.get(&line.name) {
                Some(stored) => Arc::clone(stored),
                None => gate.file(&line.name)?,
            };
            files.insert(line.name.clone(), Arc::clone(&stored));
            let offset = line.offset.checked_mul(SECTOR);
            let end = offset.and_then(|offset| offset.checked_add(len));
            let Some(offset) = offset.filter(|_| end.is_some_and(|end| end <= stored.size())) else {
                let what = format!("it ends at byte {}, before what the descriptor says", stored.size());
                return Err(named(Error::corrupt(stored.size(), what)));
            };
            Ok(Behind::Flat { stored, offset })
        }
        ("SPARSE" | "VMFSSPARSE", _) => {
            let sparse = Sparse::open(gate.file(&line.name)?).map_err(named)?;
            if sparse.capacity < len {
                let what = format!("it has {} bytes, where the descriptor says {len}", sparse.capacity);
                return Err(named(Error::corrupt(12, what)));
            }
            Ok(Behind::Sparse(Box::new(sparse)))
        }
        ("SESPARSE", _) => Err(Error::unsupported("a VMDK image with extents of the kind seSparse")),
        (other, _) => Err(Error::unsupported(format!("a VMDK image with extents of the kind {other}"))),
    }
}

impl Disk {
    fn assemble(
        descriptor: Descriptor,
        parts: Vec<Part>,
        notes: Vec<String>,
        gate: &mut dyn Gate,
    ) -> Result<Arc<dyn Opened>> {
        let parent = open_parent(&descriptor, gate)?;
        let size = parts.last().map_or(0, |part| part.at.end());
        let facts = facts(descriptor, &parts);
        Ok(Arc::new(Disk { parts, size, parent, facts, notes }))
    }

    /// The extent of byte `offset`, and its index.
    fn part(&self, offset: u64) -> Option<&Part> {
        self.parts.get(self.parts.partition_point(|part| part.at.end() <= offset))
    }

    /// What is not stored: the parent's bytes, and zeros behind its end.
    fn fill(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        fill_from(self.parent.as_deref(), buf, offset)
    }
}

/// The parent's bytes; zeros where there is none, and behind its end.
pub(super) fn fill_from(parent: Option<&dyn Opened>, buf: &mut [u8], offset: u64) -> io::Result<()> {
    let Some(parent) = parent else {
        buf.fill(0);
        return Ok(());
    };
    read_padded(parent, buf, offset)
}

/// What the parent tells of bytes that are not stored; zeros where there is none, and behind its end.
pub(super) fn content_from(parent: Option<&dyn Opened>, window: Extent) -> io::Result<(Content, u64)> {
    match parent {
        Some(parent) if window.offset < parent.size() => {
            let (content, until) = parent.content_at(window.offset)?;
            let to_end = content == Content::Zero && until >= parent.size();
            Ok((content, if to_end { window.end() } else { until.min(parent.size()).min(window.end()) }))
        }
        _ => Ok((Content::Zero, window.end())),
    }
}

fn open_parent(descriptor: &Descriptor, gate: &mut dyn Gate) -> Result<Option<Arc<dyn Opened>>> {
    if descriptor.parent_cid == NO_PARENT {
        return Ok(None);
    }
    let Some(hint) = descriptor.parent_hint.clone().filter(|hint| !hint.is_empty()) else {
        return Err(Error::corrupt(0, "a VMDK image with the CID of a parent and without its name"));
    };
    let parent = gate.parent(std::slice::from_ref(&hint), Some("vmdk"))?;
    let found = cid_in(&parent.facts().id);
    if !parent.is_absent() && found != descriptor.parent_cid {
        let what = format!(
            "the parent {hint:?} was changed since: its CID is {found:08x}, and the image was made over {:08x}",
            descriptor.parent_cid
        );
        return Err(Error::new(Kind::Changed, what));
    }
    Ok(Some(parent))
}

fn facts(descriptor: Descriptor, parts: &[Part]) -> Facts {
    let sparse = || {
        parts.iter().filter_map(|part| match &part.behind {
            Behind::Sparse(sparse) => Some(sparse),
            _ => None,
        })
    };
    let mut more: Vec<(&'static str, Value)> = vec![
        ("version", json!(descriptor.version)),
        ("CID", json!(format!("{:08x}", descriptor.cid))),
        ("parentCID", json!(format!("{:08x}", descriptor.parent_cid))),
        ("extents", json!(parts.len())),
    ];
    if !descriptor.encoding.is_empty() {
        more.push(("encoding", json!(descriptor.encoding)));
    }
    if let Some(first) = sparse().next() {
        more.push(("sparseVersion", json!(first.version)));
        more.push(("grainSize", json!(first.grid.grain)));
        more.push(("compressed", json!(first.compressed)));
        more.push(("zeroedGrains", json!(first.grid.zeroed)));
        more.push(("uncleanShutdown", json!(sparse().any(|sparse| sparse.unclean))));
    }
    if let Some(path) = descriptor.change_track {
        more.push(("changeTrackPath", json!(path)));
    }
    let denied = parts.iter().filter(|part| matches!(part.behind, Behind::Denied)).count();
    if denied > 0 {
        more.push(("noAccess", json!(denied)));
    }
    let ddb = descriptor.ddb.into_iter().map(|(key, value)| (key, json!(value)));
    more.push(("ddb", Value::Object(ddb.collect())));
    Facts {
        format: "vmdk",
        subformat: descriptor.create_type,
        sector: 512,
        in_order: false,
        id: id_of(descriptor.cid),
        parent: descriptor.parent_hint.filter(|_| descriptor.parent_cid != NO_PARENT),
        more,
    }
}

impl ReadAt for Disk {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= self.size);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let (mut rest, mut at) = (buf, offset);
        while !rest.is_empty() {
            let part = self.part(at).ok_or(io::ErrorKind::UnexpectedEof)?;
            let here = (part.at.end() - at).min(rest.len() as u64);
            let (buf, behind) = rest.split_at_mut(here as usize);
            let inside = at - part.at.offset;
            match &part.behind {
                Behind::Zero => buf.fill(0),
                Behind::Flat { stored, offset } => stored.read_at(buf, offset + inside)?,
                Behind::Sparse(sparse) => {
                    sparse.read(buf, inside, &mut |buf, inside| self.fill(buf, part.at.offset + inside))?;
                }
                Behind::Denied => {
                    let what =
                        format!("the extent {:?} of the VMDK image is not to be read (NOACCESS)", part.name);
                    return Err(Error::unsupported(what).at(at).into_io());
                }
            }
            (rest, at) = (behind, at + here);
        }
        Ok(())
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        let Some(part) = self.part(offset) else {
            return Ok((Content::Data, offset.saturating_add(1)));
        };
        let inside = Extent::between(offset - part.at.offset, part.at.len);
        let (content, until) = match &part.behind {
            Behind::Zero => (Content::Zero, part.at.len),
            Behind::Denied => (Content::Data, part.at.len),
            Behind::Flat { stored, offset } => {
                let (content, until) = stored.content_at(offset + inside.offset)?;
                (content, until.saturating_sub(*offset))
            }
            Behind::Sparse(sparse) => match sparse.place(Extent::new(inside.offset, 1))?.0 {
                Place::Zero => (Content::Zero, sparse.place(inside)?.1),
                Place::Stored(_) => (Content::Data, sparse.place(inside)?.1),
                Place::Absent => {
                    // No further than the parent knows: a walk through one in many parts would read the same tables for each.
                    let window = Extent::between(offset, part.at.end());
                    let (content, known) = content_from(self.parent.as_deref(), window)?;
                    let known = known.saturating_sub(part.at.offset).max(inside.offset + 1);
                    (content, sparse.place(Extent::between(inside.offset, known))?.1)
                }
            },
        };
        Ok((content, (part.at.offset + until.min(part.at.len)).max(offset.saturating_add(1))))
    }
}

impl Opened for Disk {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn check(&self, findings: &mut Findings) -> Result<()> {
        findings.notes.extend(self.notes.iter().cloned());
        let alone = self.parts.len() == 1;
        for part in &self.parts {
            if let Behind::Sparse(sparse) = &part.behind {
                super::check::check(sparse, if alone { "" } else { &part.name }, findings)?;
            }
        }
        Ok(())
    }
}
