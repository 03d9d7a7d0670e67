//! The L1 table and the L2 tables of an image under construction: few in memory, written where they lie.
//!
//! An L2 table is written in place, by checkpoints and when it has to leave the memory, once what its entries refer to is
//! durable: a part of a cluster may be held as the parent's bytes, and a new entry hides them. The L1 table is written by
//! checkpoints alone, when the L2 tables that it refers to are durable.

use super::clusters::{Look, Looked};
use super::layout::{COPIED, Geometry, OFFSET};
use crate::error::{Error, Result};
use crate::io::{ReadAt, Storage, read_padded};
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use zerocopy::IntoBytes;
use zerocopy::byteorder::{BigEndian, U64};

/// A number of a table, as it is stored.
type Word = U64<BigEndian>;

/// So many bytes of L2 tables are kept in memory.
const KEPT: u64 = 16 << 20;

/// Entries of a table that is not kept are read in parts of so many bytes.
const PART: u64 = 4 << 10;

/// The tables of an image under construction; its L2 entries are never extended.
pub(super) struct Tables {
    geometry: Geometry,
    l1_offset: u64,
    l1: Vec<Word>,
    l1_changed: Option<Range<usize>>,
    kept: HashMap<u64, Table>,
    most: usize,
    /// Counts the uses of tables.
    now: u64,
}

struct Table {
    offset: u64,
    entries: Vec<Word>,
    changed: Option<Range<usize>>,
    used: u64,
}

fn widen(changed: &mut Option<Range<usize>>, index: usize) {
    let range = changed.take().unwrap_or(index..index);
    *changed = Some(range.start.min(index)..range.end.max(index + 1));
}

fn write_words(storage: &dyn Storage, offset: u64, words: &[Word], part: Range<usize>) -> Result<()> {
    storage
        .write_at(words[part.clone()].as_bytes(), offset + part.start as u64 * 8)
        .map_err(|error| Error::writing("writing a table of the image", error).at(offset))
}

impl Table {
    fn write(&mut self, storage: &dyn Storage) -> Result<()> {
        if let Some(part) = &self.changed {
            write_words(storage, self.offset, &self.entries, part.clone())?;
            self.changed = None;
        }
        Ok(())
    }
}

impl Tables {
    /// Tables without an entry; the L1 table is to be written wholly where `write` says so.
    pub(super) fn new(geometry: Geometry, l1_offset: u64, entries: u64, write: bool) -> Tables {
        let l1 = vec![Word::ZERO; entries as usize];
        let l1_changed = write.then_some(0..l1.len());
        let most = (KEPT / geometry.cluster()).max(4) as usize;
        Tables { geometry, l1_offset, l1, l1_changed, kept: HashMap::new(), most, now: 0 }
    }

    /// The tables of an image that is gone on with; what the file does not have of the L1 table is zeros.
    pub(super) fn read(
        geometry: Geometry,
        l1_offset: u64,
        entries: u64,
        stored: &dyn ReadAt,
    ) -> Result<Tables> {
        let mut tables = Tables::new(geometry, l1_offset, entries, true);
        let failed = |error| Error::io("reading the L1 table of the image", error).at(l1_offset);
        read_padded(stored, tables.l1.as_mut_bytes(), l1_offset).map_err(failed)?;
        Ok(tables)
    }

    pub(super) fn l1_len(&self) -> u64 {
        self.l1.len() as u64
    }

    /// Where the L2 table `index` is; 0 where there is none.
    pub(super) fn table(&self, index: u64) -> u64 {
        self.l1[index as usize].get() & OFFSET
    }

    /// Adds an empty L2 table that will be at `offset`, or takes the one that there was away: 0.
    pub(super) fn set_table(&mut self, storage: &dyn Storage, index: u64, offset: u64) -> Result<()> {
        self.l1[index as usize] = if offset == 0 { Word::ZERO } else { Word::new(offset | COPIED) };
        widen(&mut self.l1_changed, index as usize);
        self.kept.remove(&index);
        if offset != 0 {
            let entries = vec![Word::ZERO; self.geometry.l2_entries() as usize];
            let changed = Some(0..entries.len());
            self.keep(storage, index, Table { offset, entries, changed, used: 0 })?;
        }
        Ok(())
    }

    fn keep(&mut self, storage: &dyn Storage, index: u64, table: Table) -> Result<()> {
        if self.kept.len() >= self.most {
            // A quarter at once, so that a small cluster size does not look through thousands for each.
            let mut uses: Vec<u64> = self.kept.values().map(|table| table.used).collect();
            let quarter = uses.len() / 4;
            let (_, last, _) = uses.select_nth_unstable(quarter);
            let last = *last;
            let mut changed: Vec<&mut Table> = self
                .kept
                .values_mut()
                .filter(|table| table.used <= last && table.changed.is_some())
                .collect();
            changed.sort_unstable_by_key(|table| table.offset);
            if !changed.is_empty() {
                storage.flush().map_err(|error| Error::writing("flushing the image", error))?;
            }
            changed.into_iter().try_for_each(|table| table.write(storage))?;
            // Only now: the last checkpoint of a run on a full disk needs what could not be written.
            self.kept.retain(|_, table| table.used > last);
        }
        self.now += 1;
        self.kept.insert(index, Table { used: self.now, ..table });
        Ok(())
    }

    /// The entries of a table that there is.
    fn entries(&mut self, storage: &dyn Storage, index: u64) -> Result<&mut Table> {
        if !self.kept.contains_key(&index) {
            let offset = self.table(index);
            assert!(offset != 0, "a table that there is");
            let mut entries = vec![Word::ZERO; self.geometry.l2_entries() as usize];
            let failed = |error| Error::io("reading an L2 table of the image", error).at(offset);
            read_padded(storage, entries.as_mut_bytes(), offset).map_err(failed)?;
            self.keep(storage, index, Table { offset, entries, changed: None, used: 0 })?;
        }
        self.now += 1;
        let table = self.kept.get_mut(&index).expect("it was just kept");
        table.used = self.now;
        Ok(table)
    }

    fn place(&self, cluster: u64) -> (u64, usize) {
        let entries = self.geometry.l2_entries();
        (cluster / entries, (cluster % entries) as usize)
    }

    /// The entry of a cluster; 0 where there is no table.
    pub(super) fn get(&mut self, storage: &dyn Storage, cluster: u64) -> Result<u64> {
        let (index, within) = self.place(cluster);
        match self.table(index) {
            0 => Ok(0),
            _ => Ok(self.entries(storage, index)?.entries[within].get()),
        }
    }

    /// Sets the entry of a cluster that has a table.
    pub(super) fn set(&mut self, storage: &dyn Storage, cluster: u64, entry: u64) -> Result<()> {
        let (index, within) = self.place(cluster);
        let table = self.entries(storage, index)?;
        if table.entries[within].get() != entry {
            table.entries[within] = Word::new(entry);
            widen(&mut table.changed, within);
        }
        Ok(())
    }

    /// Writes the L2 tables that changed; whether any did. What they refer to is durable.
    pub(super) fn write_l2(&mut self, storage: &dyn Storage) -> Result<bool> {
        let mut changed: Vec<&mut Table> =
            self.kept.values_mut().filter(|table| table.changed.is_some()).collect();
        changed.sort_unstable_by_key(|table| table.offset);
        let any = !changed.is_empty();
        changed.into_iter().try_for_each(|table| table.write(storage))?;
        Ok(any)
    }

    /// Writes what changed of the L1 table; whether anything did.
    pub(super) fn write_l1(&mut self, storage: &dyn Storage) -> Result<bool> {
        let Some(part) = self.l1_changed.clone() else { return Ok(false) };
        write_words(storage, self.l1_offset, &self.l1, part)?;
        self.l1_changed = None;
        Ok(true)
    }

    /// Looks entries up without keeping what is read.
    pub(super) fn cursor<'a>(&'a self, stored: &'a dyn ReadAt) -> Cursor<'a> {
        Cursor { tables: self, stored, part: (0, Vec::new()) }
    }
}

/// The tables, with the part of one that was read last.
pub(super) struct Cursor<'a> {
    tables: &'a Tables,
    stored: &'a dyn ReadAt,
    part: (u64, Vec<Word>),
}

impl Look for Cursor<'_> {
    fn look(&mut self, cluster: u64) -> io::Result<Looked> {
        let (index, within) = self.tables.place(cluster);
        if index >= self.tables.l1_len() {
            return Ok(Looked::Absent { until: u64::MAX });
        }
        let table = self.tables.table(index);
        if table == 0 {
            let empty = self.tables.l1[index as usize..].iter().take_while(|word| word.get() & OFFSET == 0);
            let until = index + empty.count() as u64;
            return Ok(Looked::Absent { until: until.saturating_mul(self.tables.geometry.l2_entries()) });
        }
        let at = table + within as u64 * 8;
        if let Some(kept) = self.tables.kept.get(&index) {
            return Ok(Looked::Entry { entry: kept.entries[within].get(), bitmap: 0, at });
        }
        let len = PART.min(self.tables.geometry.cluster());
        let start = at - at % len;
        if self.part.0 != start {
            let mut words = vec![Word::ZERO; (len / 8) as usize];
            read_padded(self.stored, words.as_mut_bytes(), start)?;
            self.part = (start, words);
        }
        Ok(Looked::Entry { entry: self.part.1[((at - start) / 8) as usize].get(), bitmap: 0, at })
    }
}
