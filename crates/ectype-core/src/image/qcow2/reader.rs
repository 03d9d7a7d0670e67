//! An image that is read: its tables in pages, its chain, its facts.

use super::check;
use super::clusters::{Clusters, Known, Look, Looked};
use super::header::{Header, read_clipped};
use super::layout::{Geometry, OFFSET, incompatible};
use super::snapshots;
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::image::{Facts, Findings, Gate, Opened};
use crate::io::{Content, ReadAt};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// Tables are read in pages of at most so many bytes, and so many pages are kept.
const PAGE: u64 = 64 << 10;
const PAGES: usize = 128;

/// Of clusters that were unpacked to be read in part so many bytes are kept: two for each thread that reads, at least.
const UNPACKED: u64 = 16 << 20;

/// So many snapshots are told by name.
const NAMED_SNAPSHOTS: usize = 1000;

/// An image that is read.
pub(super) struct Reader {
    header: Header,
    tables: Tables,
    stored: Arc<dyn ReadAt>,
    data: Arc<dyn ReadAt>,
    data_size: u64,
    parent: Option<Arc<dyn Opened>>,
    known: Known,
    unpacked: Cache<Vec<u8>>,
    facts: Facts,
}

/// L1 and L2 tables as they lie in the file.
struct Tables {
    stored: Arc<dyn ReadAt>,
    stored_size: u64,
    geometry: Geometry,
    l1_offset: u64,
    l1_entries: u64,
    pages: Cache<Vec<u8>>,
}

/// Opens stored bytes as qcow2; backing file and data file come through the gate.
pub(super) fn open(stored: Arc<dyn ReadAt>, gate: &mut dyn Gate) -> Result<Arc<dyn Opened>> {
    let header = Header::read(&*stored)?;
    let data = match (header.geometry.external, &header.data_file) {
        (false, _) => Arc::clone(&stored),
        (true, Some(name)) => gate.file(name)?,
        (true, None) => {
            return Err(Error::unsupported(
                "its clusters are in an external data file, which it does not name",
            ));
        }
    };
    let parent = match &header.backing_file {
        Some(name) => Some(open_parent(name, header.backing_format.as_deref(), gate)?),
        None => None,
    };
    let facts = facts(&header, &*stored);
    let tables = Tables {
        stored_size: stored.size(),
        geometry: header.geometry,
        l1_offset: header.raw.l1_table_offset.get(),
        l1_entries: header.raw.l1_size.get().into(),
        pages: Cache::new(PAGES),
        stored: Arc::clone(&stored),
    };
    let unpacked = Cache::new((UNPACKED / header.geometry.cluster()).clamp(8, 64) as usize);
    let data_size = data.size();
    Ok(Arc::new(Reader {
        header,
        tables,
        stored,
        data,
        data_size,
        parent,
        known: Known::default(),
        unpacked,
        facts,
    }))
}

fn open_parent(name: &str, format: Option<&str>, gate: &mut dyn Gate) -> Result<Arc<dyn Opened>> {
    if name.starts_with("json:") {
        return Err(Error::unsupported("its backing file is described as json:, and only files are opened"));
    }
    let mut names = vec![name.to_owned()];
    names.extend(name.strip_prefix("file:").map(str::to_owned));
    // QEMU's names of formats, where the table has others.
    let format = format.filter(|format| !format.is_empty()).map(|format| match format {
        "file" | "host_device" => "raw",
        "vpc" => "vhd",
        other => other,
    });
    gate.parent(&names, format)
}

fn facts(header: &Header, stored: &dyn ReadAt) -> Facts {
    let geometry = &header.geometry;
    let compat = if geometry.version == 2 { "0.10" } else { "1.1" };
    let mut more: Vec<(&'static str, Value)> = vec![
        ("compat", compat.into()),
        ("cluster_size", geometry.cluster().into()),
        ("compression_type", header.compression.name().into()),
        ("lazy_refcounts", header.lazy_refcounts().into()),
        ("refcount_bits", header.refcount_bits().into()),
    ];
    let mut tell = |name, value: Option<Value>| more.extend(value.map(|value| (name, value)));
    tell("backing_format", header.backing_format.clone().map(Value::from));
    tell("extended_l2", geometry.extended.then(|| true.into()));
    tell("data_file", header.data_file.clone().filter(|_| geometry.external).map(Value::from));
    tell("data_file_raw", header.raw_data_file().then(|| true.into()));
    tell("bitmaps", header.bitmaps.as_ref().map(|bitmaps| bitmaps.nb_bitmaps.get().into()));
    if header.raw.nb_snapshots.get() > 0 {
        let mut list = Vec::new();
        let read = snapshots::read(stored, header, |snapshot, _| {
            list.push(json!({ "id": snapshot.id, "name": snapshot.name }));
            list.len() < NAMED_SNAPSHOTS
        });
        tell("snapshots", Some(list.into()));
        // The structure check judges: the active state does not need the table.
        tell("snapshots_unreadable", read.is_err().then(|| true.into()));
    }
    tell("dirty", header.flag(incompatible::DIRTY).then(|| true.into()));
    tell("corrupt", header.flag(incompatible::CORRUPT).then(|| true.into()));
    Facts {
        format: "qcow2",
        subformat: format!("v{}", geometry.version),
        sector: 512,
        in_order: false,
        id: [0; 16],
        parent: header.backing_file.clone(),
        more,
    }
}

impl Reader {
    fn clusters(&self) -> Clusters<'_> {
        Clusters {
            geometry: &self.header.geometry,
            compression: self.header.compression,
            stored: &*self.stored,
            stored_size: self.tables.stored_size,
            data: &*self.data,
            data_size: self.data_size,
            parent: self.parent.as_ref().map(|parent| parent as &dyn ReadAt),
            known: Some(&self.known),
            unpacked: Some(&self.unpacked),
            growing: false,
        }
    }
}

impl ReadAt for Reader {
    fn size(&self) -> u64 {
        self.header.geometry.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.clusters().read(&mut self.tables.cursor(), buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        self.clusters().content(&mut self.tables.cursor(), offset)
    }
}

impl Opened for Reader {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn check(&self, findings: &mut Findings) -> Result<()> {
        check::check(&*self.stored, &self.header, &*self.data, findings)
    }
}

impl Tables {
    fn cursor(&self) -> Cursor<'_> {
        Cursor { tables: self, l1: None, l2: None }
    }

    /// The page that begins at `start`; what the file does not have of it is zeros.
    fn page(&self, start: u64) -> io::Result<Page> {
        let len = PAGE.min(self.geometry.cluster()) as usize;
        let read = || read_clipped(&*self.stored, start, len).map_err(Error::into_io);
        Ok(Page { start, bytes: self.pages.get(start, read)? })
    }
}

/// A page of a table.
struct Page {
    start: u64,
    bytes: Arc<Vec<u8>>,
}

impl Page {
    /// The number at `at`, if the page has it.
    fn word(&self, at: u64) -> Option<u64> {
        let start = usize::try_from(at.checked_sub(self.start)?).ok()?;
        let bytes = self.bytes.get(start..start.checked_add(8)?)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// The tables with the pages that were looked at last.
struct Cursor<'a> {
    tables: &'a Tables,
    l1: Option<Page>,
    l2: Option<Page>,
}

/// The number at `at`, from the page that is kept or another one. Tables begin on clusters, and so on pages.
fn word(tables: &Tables, kept: &mut Option<Page>, at: u64) -> io::Result<u64> {
    if let Some(word) = kept.as_ref().and_then(|page| page.word(at)) {
        return Ok(word);
    }
    let page = tables.page(at - at % PAGE.min(tables.geometry.cluster()))?;
    let word = page.word(at).expect("numbers do not cross pages");
    *kept = Some(page);
    Ok(word)
}

impl Look for Cursor<'_> {
    fn look(&mut self, cluster: u64) -> io::Result<Looked> {
        let tables = self.tables;
        let geometry = &tables.geometry;
        let index = cluster / geometry.l2_entries();
        let l1_at = tables.l1_offset + index * 8;
        if index >= tables.l1_entries {
            return Ok(Looked::Absent { until: u64::MAX });
        }
        let l1_entry = word(tables, &mut self.l1, l1_at)?;
        let table = l1_entry & OFFSET;
        if table == 0 {
            // The empty ones behind it, as far as the page goes.
            let page = self.l1.as_ref().expect("it was just read");
            let empty = |next: &u64| {
                *next < tables.l1_entries
                    && page.word(tables.l1_offset + next * 8).is_some_and(|next| next & OFFSET == 0)
            };
            let until = (index + 1..).take_while(empty).last().unwrap_or(index) + 1;
            return Ok(Looked::Absent { until: until.saturating_mul(geometry.l2_entries()) });
        }
        let outside = table.checked_add(geometry.cluster()).is_none_or(|end| end > tables.stored_size);
        if geometry.in_cluster(table) != 0 || outside {
            let context = format!(
                "the L1 entry {l1_entry:#x}; an L2 table on a multiple of {:#x} within the file's {:#x} bytes is expected",
                geometry.cluster(),
                tables.stored_size
            );
            return Err(Error::corrupt(l1_at, context).into_io());
        }
        let at = table + cluster % geometry.l2_entries() * geometry.entry_len();
        let entry = word(tables, &mut self.l2, at)?;
        let bitmap = if geometry.extended { word(tables, &mut self.l2, at + 8)? } else { 0 };
        Ok(Looked::Entry { entry, bitmap, at })
    }
}
