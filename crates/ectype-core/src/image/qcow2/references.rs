//! What L1 tables refer to: L2 tables, clusters, compressed clusters.
//!
//! ```text
//!   L1 ──► sorted L2 tables, each once ──► entries ──► (who, what, how)     holes of the file are passed over
//! ```

use super::header::read_clipped;
use super::layout::{COMPRESSED, COPIED, Geometry, OFFSET, SUBCLUSTERS};
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::io::{Content, ReadAt, is_zero};
use std::cell::Cell;

/// Tables are read in parts of so many bytes.
const PART: u64 = 64 << 10;

/// The first part of a table is smaller: it may be a hole.
const FIRST_PART: u64 = 4 << 10;

/// An entry of a table, and what it refers to.
pub(super) struct Reference {
    /// Where in the file the entry is.
    pub(super) entry_at: u64,
    /// The bytes of the file, or of the data file, that it refers to.
    pub(super) target: Extent,
    pub(super) kind: Target,
    /// Whether it says that nothing else refers to the same.
    pub(super) copied: bool,
}

/// What an entry refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Table,
    Cluster,
    Packed,
}

/// Who is told of what.
pub(super) trait Visit {
    fn reference(&mut self, reference: Reference) -> Result<()>;
    /// An entry that says what it must not; it is passed over.
    fn fault(&mut self, at: u64, what: String);
}

/// A walk through tables.
pub(super) struct Walk<'a> {
    pub(super) stored: &'a dyn ReadAt,
    pub(super) stored_size: u64,
    pub(super) geometry: &'a Geometry,
    /// So many bytes of tables may still be read: an image may be made to be walked for years.
    left: Cell<u64>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(stored: &'a dyn ReadAt, geometry: &'a Geometry) -> Self {
        let stored_size = stored.size();
        // Far more than the tables of an honest image, in all windows of its check and for its snapshots.
        let left = Cell::new(stored_size.clamp(1 << 30, 1 << 38) * 4);
        Walk { stored, stored_size, geometry, left }
    }

    /// Visits all that the L1 table of `entries` entries at `offset` refers to.
    pub(super) fn l1(&self, offset: u64, entries: u64, visit: &mut dyn Visit) -> Result<()> {
        let mut tables = self.l2_tables(offset, entries, visit)?;
        tables.sort_unstable();
        let all = tables.len();
        tables.dedup();
        if tables.len() < all {
            let twice = all - tables.len();
            visit
                .fault(offset, format!("{twice} entries of an L1 table refer to L2 tables of other entries"));
        }
        for table in tables {
            self.l2(table, visit)?;
        }
        Ok(())
    }

    fn l2_tables(&self, offset: u64, entries: u64, visit: &mut dyn Visit) -> Result<Vec<u64>> {
        let mut tables = Vec::new();
        let cluster = self.geometry.cluster();
        self.words(Extent::new(offset, entries * 8), 1, &mut |entry_at, [entry, _]| {
            let reserved = entry & !(OFFSET | COPIED);
            if reserved != 0 {
                visit.fault(entry_at, format!("an L1 entry with reserved bits, {reserved:#x}"));
            }
            let table = entry & OFFSET;
            if table == 0 {
                return Ok(());
            }
            let Some(target) = self.placed(table) else {
                let context = format!("an L2 table at {table:#x}, which is no cluster of the file");
                visit.fault(entry_at, context);
                return Ok(());
            };
            if target.end() > self.stored_size {
                visit
                    .fault(entry_at, format!("an L2 table at {table:#x} that the file does not hold wholly"));
                return Ok(());
            }
            tables.push(table);
            let copied = entry & COPIED != 0;
            visit.reference(Reference {
                entry_at,
                target: Extent::new(table, cluster),
                kind: Target::Table,
                copied,
            })
        })?;
        Ok(tables)
    }

    fn l2(&self, table: u64, visit: &mut dyn Visit) -> Result<()> {
        let geometry = self.geometry;
        let words = geometry.entry_len() / 8;
        self.words(Extent::new(table, geometry.cluster()), words, &mut |entry_at, [entry, bitmap]| {
            let reserved = geometry.reserved(entry);
            if reserved != 0 {
                visit.fault(entry_at, format!("an L2 entry with reserved bits, {reserved:#x}"));
            }
            if entry & COMPRESSED != 0 {
                return self.packed(entry_at, entry, visit);
            }
            if geometry.extended && bitmap & (bitmap >> SUBCLUSTERS) & 0xffff_ffff != 0 {
                visit.fault(entry_at, "subclusters both allocated and zeros".to_owned());
            }
            let host = entry & OFFSET;
            let copied = entry & COPIED != 0;
            if host == 0 && !(geometry.external && copied) {
                if geometry.extended && bitmap & 0xffff_ffff != 0 {
                    visit.fault(entry_at, "allocated subclusters in a cluster that has no place".to_owned());
                }
                return Ok(());
            }
            let placed = match geometry.external {
                true => (geometry.in_cluster(host) == 0).then(|| Extent::new(host, geometry.cluster())),
                false => self.placed(host),
            };
            let Some(target) = placed else {
                visit.fault(entry_at, format!("a cluster at {host:#x}, which is none of the file"));
                return Ok(());
            };
            visit.reference(Reference { entry_at, target, kind: Target::Cluster, copied })
        })
    }

    fn packed(&self, entry_at: u64, entry: u64, visit: &mut dyn Visit) -> Result<()> {
        if self.geometry.external {
            visit.fault(entry_at, "a compressed cluster, with an external data file".to_owned());
            return Ok(());
        }
        let target = self.geometry.packed_extent(entry);
        // The last sector may be cut.
        if target.offset >= self.stored_size || target.end() - self.stored_size.min(target.end()) >= 512 {
            visit.fault(entry_at, format!("compressed bytes {target:?}, which the file does not hold"));
            return Ok(());
        }
        visit.reference(Reference { entry_at, target, kind: Target::Packed, copied: false })
    }

    /// The cluster at `offset`, where it begins within the file and on a cluster; its end may be missing.
    fn placed(&self, offset: u64) -> Option<Extent> {
        let fits = self.geometry.in_cluster(offset) == 0 && offset < self.stored_size;
        fits.then(|| Extent::new(offset, self.geometry.cluster()))
    }

    /// Calls `each` for every entry of one or two numbers that is not zero, with its position.
    fn words(
        &self,
        table: Extent,
        words: u64,
        each: &mut dyn FnMut(u64, [u64; 2]) -> Result<()>,
    ) -> Result<()> {
        let entry_len = words * 8;
        let end = table.end().min(self.stored_size);
        let (mut at, mut len) = (table.offset, FIRST_PART);
        while at < end {
            len = len.min(end - at).next_multiple_of(entry_len).min(end - at);
            self.spend(len)?;
            let bytes = read_clipped(self.stored, at, len as usize)?;
            if is_zero(&bytes) {
                // A hole, perhaps: asked for only here, since the answer may cost a walk through the file's extents.
                let known = self.stored.content_at(at);
                let (content, until) = known.map_err(|error| Error::io("looking for holes", error))?;
                if content == Content::Zero && until > at + len {
                    at += (until.min(end) - at) / entry_len * entry_len;
                    continue;
                }
            }
            for (index, entry) in bytes.as_chunks::<8>().0.chunks_exact(words as usize).enumerate() {
                let first = u64::from_be_bytes(entry[0]);
                let second = entry.get(1).map_or(0, |bytes| u64::from_be_bytes(*bytes));
                if first | second != 0 {
                    each(at + index as u64 * entry_len, [first, second])?;
                }
            }
            at += len;
            len = PART;
        }
        Ok(())
    }

    /// Takes `bytes` from what may still be read.
    fn spend(&self, bytes: u64) -> Result<()> {
        let left = self.left.get().checked_sub(bytes).ok_or_else(|| {
            Error::new(Kind::Limit, "its tables refer to each other so often that there is no end of them")
        })?;
        self.left.set(left);
        Ok(())
    }
}
