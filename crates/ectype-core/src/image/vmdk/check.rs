//! The look through an extent's structure: what overlaps, lies outside, or is referred to by nothing.
//!
//! ```text
//!   sectors of the file   │h│d│RGD│RGTs│GD│GTs│  │grain│grain│▒▒▒│grain│       ▒ leaked
//!   claims                 1 1  1   1   1   1     1     1     0   1           a second claim is a fault
//! ```
//!
//! A bit a sector, in windows of the file: entries count sectors in 32 bits, so a few windows are enough for any file.

use super::grains::{Cursor, Grid, Lookup, Place, Table};
use super::layout::*;
use super::sparse::Sparse;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::image::Findings;
use crate::io::ReadAt;
use zerocopy::FromBytes;

/// Sectors of a window: 128 GiB of a file, 32 MiB of bits.
const WINDOW: u64 = 1 << 28;

/// Looks through an extent; `name` tells it from others of the image, and is empty where there is one.
pub(super) fn check(sparse: &Sparse, name: &str, findings: &mut Findings) -> Result<()> {
    let label = if name.is_empty() { String::new() } else { format!("{name}: ") };
    if sparse.unclean {
        findings.notes.push(format!("{label}it was not closed (uncleanShutdown)"));
    }
    let redundant = sparse.redundant_directory()?;
    if sparse.rgd_at.is_some() && redundant.is_none() {
        findings.notes.push(format!("{label}of its two grain directories one is usable"));
    }
    let sectors = sparse.stored.size().div_ceil(SECTOR);
    let table_bytes = sparse.grid.gtes * 4;
    let tables = sparse.directory.iter().filter(|entry| entry.get() > GTE_ZEROED).count() as u64;
    if tables.saturating_mul(table_bytes) > sparse.stored.size() {
        let what = format!("{label}{tables} grain tables of {table_bytes} bytes do not fit into the file");
        findings.fault(sparse.gd_at, what);
        return Ok(());
    }
    let most = (1 << 32) + sparse.grid.grain / SECTOR;
    let mut survey = Survey { sparse, label, findings, bits: Vec::new(), window: Extent::new(0, 0) };
    let mut start = 0;
    while start < sectors.min(most) {
        survey.window = Extent::new(start, WINDOW).intersect(Extent::between(0, sectors.min(most)));
        survey.bits.clear();
        survey.bits.resize(survey.window.len.div_ceil(64) as usize, 0);
        survey.metadata(redundant.as_deref());
        survey.grains()?;
        survey.count_leaked();
        start += WINDOW;
    }
    match redundant {
        Some(redundant) => compare(sparse, &redundant, &survey.label, survey.findings),
        None => Ok(()),
    }
}

/// A pass through all tables, for one window of the file.
struct Survey<'a> {
    sparse: &'a Sparse,
    label: String,
    findings: &'a mut Findings,
    bits: Vec<u64>,
    /// In sectors.
    window: Extent,
}

impl Survey<'_> {
    fn is_first(&self) -> bool {
        self.window.offset == 0
    }

    fn fault(&mut self, at: u64, what: String) {
        self.findings.fault(at, format!("{}{what}", self.label));
    }

    /// Claims the bytes of `at`, as far as they lie in the window; says so where someone else did.
    fn claim(&mut self, at: Extent, what: impl Fn() -> String) {
        let sectors = at.align_out(SECTOR);
        let part = Extent::between(sectors.offset / SECTOR, sectors.end() / SECTOR).intersect(self.window);
        let mut twice = None;
        let mut sector = part.offset;
        while sector < part.end() {
            let place = sector - self.window.offset;
            let bits = (64 - place % 64).min(part.end() - sector);
            let mask = (u64::MAX >> (64 - bits)) << (place % 64);
            let word = &mut self.bits[(place / 64) as usize];
            if *word & mask != 0 {
                twice.get_or_insert(sector + u64::from((*word & mask).trailing_zeros()) - place % 64);
            }
            *word |= mask;
            sector += bits;
        }
        if let Some(sector) = twice {
            self.fault(sector * SECTOR, format!("{} overlaps what else is stored there", what()));
        }
    }

    fn metadata(&mut self, redundant: Option<&[Entry]>) {
        let sparse = self.sparse;
        let header = if sparse.is_cowd { COWD_HEADER_BYTES } else { SECTOR };
        self.claim(Extent::new(0, header), || "the header".into());
        if sparse.descriptor.offset != 0 {
            self.claim(sparse.descriptor, || "the descriptor".into());
        }
        let len = sparse.directory.len() as u64 * 4;
        self.claim(Extent::new(sparse.gd_at, len), || "the grain directory".into());
        self.marker_before(sparse.gd_at, MARKER_GD);
        self.tables(&sparse.directory, "grain table");
        if let (Some(redundant), Some(at)) = (redundant, sparse.rgd_at) {
            self.claim(Extent::new(at, len), || "the redundant grain directory".into());
            self.tables(redundant, "redundant grain table");
        }
        if let Some(footer) = sparse.footer_at {
            self.claim(Extent::new(footer, 2 * SECTOR), || "the footer".into());
            self.marker_before(footer, MARKER_FOOTER);
        }
    }

    /// The marker of metadata at `at` belongs to it; not every writer puts one there.
    fn marker_before(&mut self, at: u64, kind: u32) {
        let Some(before) = at.checked_sub(SECTOR).filter(|_| self.sparse.markers) else { return };
        let mut bytes = [0; size_of::<Marker>()];
        if self.sparse.stored.read_at(&mut bytes, before).is_err() {
            return;
        }
        let marker = Marker::read_from_bytes(&bytes).expect("it is as long");
        if marker.size.get() == 0 && marker.kind.get() == kind {
            self.claim(Extent::new(before, SECTOR), || "a marker".into());
        }
    }

    fn tables(&mut self, directory: &[Entry], what: &str) {
        let (size, len) = (self.sparse.stored.size(), self.sparse.grid.gtes * 4);
        for (number, entry) in directory.iter().enumerate() {
            let zeroed = self.sparse.grid.zeroed && entry.get() == GTE_ZEROED;
            if entry.get() == 0 || zeroed {
                continue;
            }
            let at = u64::from(entry.get()) * SECTOR;
            if at + len <= size {
                self.claim(Extent::new(at, len), || format!("{what} {number}"));
                self.marker_before(at, MARKER_GT);
            } else if self.is_first() {
                self.fault(at, format!("{what} {number} lies outside the file of {size} bytes"));
            }
        }
    }

    fn grains(&mut self) -> Result<()> {
        let sparse = self.sparse;
        let grid = sparse.grid;
        let mut cursor = sparse.cursor();
        for number in 0..sparse.directory.len() as u64 {
            let entries = match cursor.table(number) {
                Ok(Table::Entries(entries)) => entries.to_vec(),
                Ok(_) => continue,
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => continue,
                Err(error) => return Err(Error::io("reading a grain table", error)),
            };
            for (index, entry) in entries.into_iter().enumerate() {
                let first = (number * grid.gtes + index as u64) * grid.grain;
                if let Place::Stored(start) = grid.place(entry) {
                    self.grain(first, start)?;
                }
            }
        }
        Ok(())
    }

    /// The grain of byte `first` of the extent, at byte `start` of the file.
    fn grain(&mut self, first: u64, start: u64) -> Result<()> {
        let (size, grain) = (self.sparse.stored.size(), self.sparse.grid.grain);
        if first >= self.sparse.capacity {
            // Seen in files of qemu-img; nobody reads it, but it takes its place.
            return Ok(());
        }
        let far = start / SECTOR >= self.window.end() || (start + 3 * grain) / SECTOR < self.window.offset;
        if far && !self.is_first() {
            return Ok(());
        }
        let len = if self.sparse.compressed {
            let Some(len) = self.packed_len(first, start)? else { return Ok(()) };
            len
        } else {
            grain.min(self.sparse.capacity - first)
        };
        if start + len > size {
            if self.is_first() {
                let what =
                    format!("the grain of byte {first} ends at {}, and the file at {size}", start + len);
                self.fault(start, what);
            }
            return Ok(());
        }
        // The last one is claimed as a whole, as far as the file goes.
        let len = if self.sparse.compressed { len } else { grain.min(size - start) };
        self.claim(Extent::new(start, len), || format!("the grain of byte {first}"));
        Ok(())
    }

    /// What a compressed grain takes with its marker; `None` where that is broken.
    fn packed_len(&mut self, first: u64, start: u64) -> Result<Option<u64>> {
        if !self.sparse.markers {
            return Ok(Some(SECTOR));
        }
        let mut bytes = [0; size_of::<Marker>()];
        if start + SECTOR > self.sparse.stored.size() {
            return Ok(Some(SECTOR));
        }
        self.sparse
            .stored
            .read_at(&mut bytes, start)
            .map_err(|error| Error::io("reading a marker", error))?;
        let marker = Marker::read_from_bytes(&bytes).expect("it is as long");
        let (lba, packed) = (marker.val.get(), u64::from(marker.size.get()));
        let fits = packed != 0 && packed <= 2 * self.sparse.grid.grain;
        if fits && lba.checked_mul(SECTOR) == Some(first) {
            return Ok(Some(GRAIN_MARKER_BYTES + packed));
        }
        if self.is_first() {
            let wanted = first / SECTOR;
            let what =
                format!("a marker of sector {lba} and {packed} bytes, where a grain of {wanted} is expected");
            self.fault(start, what);
        }
        Ok(None)
    }

    /// Adds what nobody claimed behind the metadata.
    fn count_leaked(&mut self) {
        let from = (self.sparse.over_head / SECTOR).max(1).saturating_sub(self.window.offset);
        let len = self.window.len;
        let mut free = 0;
        for (index, word) in self.bits.iter().enumerate() {
            let start = index as u64 * 64;
            let (skip, end) = (from.saturating_sub(start).min(64), (len - start).min(64));
            if skip < end {
                let mask = (u64::MAX >> (64 - (end - skip))) << skip;
                free += u64::from((!word & mask).count_ones());
            }
        }
        self.findings.leaked += free * SECTOR;
    }
}

/// Whether the redundant tables say the same.
fn compare(sparse: &Sparse, redundant: &[Entry], label: &str, findings: &mut Findings) -> Result<()> {
    let grid = Grid { zeroed: sparse.grid.zeroed, ..sparse.grid };
    let stored: &dyn ReadAt = &*sparse.stored;
    let mut first = Cursor::new(stored, &sparse.directory, grid);
    let mut second = Cursor::new(stored, redundant, grid);
    for number in 0..sparse.directory.len() as u64 {
        let same = match (first.table(number), second.table(number)) {
            (Ok(Table::Entries(one)), Ok(Table::Entries(other))) => one == other,
            (Ok(Table::Absent(_)), Ok(Table::Absent(_))) | (Ok(Table::Zeroed), Ok(Table::Zeroed)) => true,
            (Ok(_), Ok(_)) => false,
            // Said already, with the table's place.
            (Err(error), _) | (_, Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => true,
            (Err(error), _) | (_, Err(error)) => return Err(Error::io("reading a grain table", error)),
        };
        if !same {
            let at = u64::from(redundant[number as usize].get()) * SECTOR;
            findings
                .fault(at, format!("{label}the redundant grain table {number} differs from its original"));
        }
    }
    Ok(())
}
