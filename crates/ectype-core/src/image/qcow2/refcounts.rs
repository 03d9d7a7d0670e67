//! Refcounts: those that an image has, and those that its tables amount to.
//!
//! ```text
//!   host clusters   ├── window ──┼── window ──┼── …      counted a window at a time, so that memory is bounded:
//!   counted          2 bytes each                        the tables are walked once for each window
//! ```

use super::header::{Header, read_clipped};
use super::layout::{Geometry, MOST_REFCOUNT_TABLE, REFCOUNT_OFFSET};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::ReadAt;
use std::sync::Arc;

/// So many host clusters are counted at a time: 32 MiB of counts, a terabyte of clusters of 64 KiB.
pub(super) const WINDOW: u64 = 16 << 20;

/// Refcount blocks are read in pages of at most so many bytes.
const PAGE: u64 = 16 << 10;
const PAGES: usize = 128;

/// How often host clusters are referred to.
pub(super) struct Counts {
    cluster_bits: u32,
    first: u64,
    counts: Vec<u16>,
}

/// A count: the cluster belongs to one owner alone.
const OWNED: u16 = 1 << 15;
/// A count: so often or oftener.
pub(super) const MOST: u16 = OWNED - 1;

/// How a cluster is referred to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// As by entries: others may refer to it too, and the refcount says so.
    Shared,
    /// As header and tables that nothing else is to touch.
    Owned,
}

impl Counts {
    /// Counts for at most [`WINDOW`] of the clusters from `first` up to `end`.
    pub(super) fn new(geometry: &Geometry, first: u64, end: u64) -> Counts {
        let len = (end - first).min(WINDOW) as usize;
        Counts { cluster_bits: geometry.cluster_bits, first, counts: vec![0; len] }
    }

    /// Adds a reference to the clusters of `bytes`, those within the window; calls `overlap` for each that this claim does
    /// not allow.
    pub(super) fn add(&mut self, bytes: Extent, claim: Claim, mut overlap: impl FnMut(u64)) {
        if bytes.is_empty() {
            return;
        }
        let first = (bytes.offset >> self.cluster_bits).max(self.first);
        let last = (bytes.end() - 1) >> self.cluster_bits;
        for cluster in first..=last.min((self.first + self.counts.len() as u64).saturating_sub(1)) {
            let count = &mut self.counts[(cluster - self.first) as usize];
            if *count & OWNED != 0 || (claim == Claim::Owned && *count != 0) {
                overlap(cluster << self.cluster_bits);
            }
            let owned = (*count & OWNED) | if claim == Claim::Owned { OWNED } else { 0 };
            *count = ((*count & MOST) + 1).min(MOST) | owned;
        }
    }

    /// The clusters and their counts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u16)> + '_ {
        (self.first..).zip(self.counts.iter().map(|count| count & MOST))
    }
}

/// The refcounts that an image has.
pub(super) struct Stored<'a> {
    stored: &'a dyn ReadAt,
    geometry: &'a Geometry,
    order: u32,
    /// The refcount table, in bytes of the file.
    pub(super) table: Extent,
    pages: Cache<Vec<u8>>,
    last: Option<(u64, Arc<Vec<u8>>)>,
    /// The block that was asked for last: its index, and its entry in the table.
    block: Option<(u64, u64)>,
}

impl<'a> Stored<'a> {
    /// Refuses a table that cannot be one.
    pub(super) fn open(stored: &'a dyn ReadAt, header: &'a Header) -> Result<Stored<'a>> {
        let geometry = &header.geometry;
        let offset = header.raw.refcount_table_offset.get();
        let len = u64::from(header.raw.refcount_table_clusters.get()) << geometry.cluster_bits;
        if geometry.in_cluster(offset) != 0 || (offset == 0 && len > 0) {
            let context = format!("the refcount table is at {offset:#x}, which is no place for it");
            return Err(Error::corrupt(48, context));
        }
        if len > MOST_REFCOUNT_TABLE.max(geometry.cluster())
            || offset.checked_add(len).is_none_or(|end| end > stored.size())
        {
            let context =
                format!("a refcount table of {len} bytes at {offset:#x}; the file has {}", stored.size());
            return Err(Error::corrupt(56, context));
        }
        let order = header.features.refcount_order.get();
        let table = Extent::new(offset, len);
        Ok(Stored { stored, geometry, order, table, pages: Cache::new(PAGES), last: None, block: None })
    }

    /// How many clusters a refcount block is for.
    pub(super) fn per_block(&self) -> u64 {
        (self.geometry.cluster() * 8) >> self.order
    }

    fn page(&mut self, at: u64) -> Result<(u64, Arc<Vec<u8>>)> {
        let len = PAGE.min(self.geometry.cluster());
        let start = at - at % len;
        match &self.last {
            Some((kept, bytes)) if *kept == start => Ok((start, Arc::clone(bytes))),
            _ => {
                let bytes = self.pages.get(start, || read_clipped(self.stored, start, len as usize))?;
                self.last = Some((start, Arc::clone(&bytes)));
                Ok((start, bytes))
            }
        }
    }

    /// The entry of the refcount table for the block `index`, 0 behind the table's end.
    pub(super) fn block(&mut self, index: u64) -> Result<u64> {
        if let Some((_, entry)) = self.block.filter(|(kept, _)| *kept == index) {
            return Ok(entry);
        }
        let at = Extent::new(self.table.offset.saturating_add(index.saturating_mul(8)), 8);
        let mut entry = 0;
        if self.table.covers(at) {
            let (start, bytes) = self.page(at.offset)?;
            let within = (at.offset - start) as usize;
            entry = u64::from_be_bytes(bytes[within..within + 8].try_into().expect("eight bytes"));
        }
        self.block = Some((index, entry));
        Ok(entry)
    }

    /// The refcount block that an entry refers to, where it is a cluster of the file.
    pub(super) fn placed(&self, entry: u64) -> Option<Extent> {
        let block = Extent::new(entry & REFCOUNT_OFFSET, self.geometry.cluster());
        let fits = self.geometry.in_cluster(block.offset) == 0 && block.end() <= self.stored.size();
        (fits && block.offset != 0).then_some(block)
    }

    /// The refcount of a host cluster; 0 where there is no block for it.
    pub(super) fn of(&mut self, cluster: u64) -> Result<u64> {
        let (index, within) = (cluster / self.per_block(), cluster % self.per_block());
        let entry = self.block(index)?;
        let Some(block) = self.placed(entry) else { return Ok(0) };
        let bit = within << self.order;
        let (start, bytes) = self.page(block.offset + bit / 8)?;
        let at = (block.offset + bit / 8 - start) as usize;
        if self.order < 3 {
            return Ok(u64::from(bytes[at] >> (bit % 8)) & ((1 << (1 << self.order)) - 1));
        }
        let number = &bytes[at..at + (1 << (self.order - 3))];
        Ok(number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}
