//! The structure check: what `qemu-img check` looks for.
//!
//! ```text
//!   header, tables, snapshots, bitmaps ──► counts of references ──┬── compared with the refcounts of the image
//!   entries that say "exactly one" ───────────────────────────────┘
//! ```

use super::header::{Header, read_clipped};
use super::layout::{MOST_L1, OFFSET, RawBitmap, incompatible};
use super::refcounts::{Claim, Counts, MOST, Stored, WINDOW};
use super::references::{Reference, Target, Visit, Walk};
use super::snapshots::{self, Snapshot};
use crate::error::Result;
use crate::extent::Extent;
use crate::image::Findings;
use crate::io::ReadAt;
use zerocopy::FromBytes;

/// QEMU's limit of bitmaps, and of a bitmap's table.
const MOST_BITMAPS: u32 = 65_535;
const MOST_BITMAP_TABLE: u64 = 256 << 20;

/// Looks through the structure of an image.
pub(super) fn check(
    stored: &dyn ReadAt,
    header: &Header,
    data: &dyn ReadAt,
    findings: &mut Findings,
) -> Result<()> {
    findings.notes.extend(header.notes.iter().cloned());
    if header.flag(incompatible::CORRUPT) {
        findings.notes.push("it is marked as corrupt".into());
    }
    if header.bitmaps.is_some() && !header.consistent_bitmaps() {
        findings.notes.push("its bitmaps are not consistent".into());
    }
    if header.geometry.external && data.size() < header.geometry.size {
        findings.notes.push(format!("the data file has {} bytes, fewer than the disk", data.size()));
    }
    let mut refcounts = match Stored::open(stored, header) {
        Ok(refcounts) => refcounts,
        Err(error) => {
            findings.fault(error.offset().unwrap_or(48), error.to_string());
            return Ok(());
        }
    };
    let clusters = stored.size().div_ceil(header.geometry.cluster());
    let mut checked = Checked { behind: 0, partly_leaked: 0 };
    let walk = Walk::new(stored, &header.geometry);
    let mut first = 0;
    while first < clusters {
        let mut pass = Pass {
            header,
            counts: Counts::new(&header.geometry, first, clusters),
            refcounts: &mut refcounts,
            findings,
            report: first == 0,
            active: false,
        };
        pass.metadata(stored)?;
        pass.tables(&walk)?;
        pass.compare(&mut checked)?;
        first += WINDOW;
    }
    if checked.behind > 0 {
        let note =
            format!("it was not closed: {} refcounts are too low, which a repair mends", checked.behind);
        findings.notes.push(note);
    } else if header.flag(incompatible::DIRTY) {
        findings.notes.push("it was not closed".into());
    }
    if checked.partly_leaked > 0 {
        let note = format!("{} clusters have refcounts higher than their references", checked.partly_leaked);
        findings.notes.push(note);
    }
    Ok(())
}

/// What all passes together found, and is no fault.
struct Checked {
    behind: u64,
    partly_leaked: u64,
}

/// One look through everything, which counts the references to the clusters of one window.
struct Pass<'a, 'b> {
    header: &'a Header,
    counts: Counts,
    refcounts: &'a mut Stored<'b>,
    findings: &'a mut Findings,
    /// Whether faults of the tables are reported: in the first pass alone.
    report: bool,
    /// Whether the tables are those of the active state.
    active: bool,
}

impl Pass<'_, '_> {
    fn claim(&mut self, bytes: Extent, claim: Claim, by: &str) {
        let findings = &mut *self.findings;
        self.counts.add(bytes, claim, |cluster| {
            findings.fault(cluster, format!("{by} overlaps with something else in this cluster"));
        });
    }

    fn fault(&mut self, at: u64, what: impl Into<String>) {
        if self.report {
            self.findings.fault(at, what);
        }
    }

    /// What is neither L2 table nor cluster.
    fn metadata(&mut self, stored: &dyn ReadAt) -> Result<()> {
        let header = self.header;
        self.claim(Extent::new(0, header.geometry.cluster()), Claim::Owned, "the header");
        self.claim(self.refcounts.table, Claim::Owned, "the refcount table");
        for index in 0..self.refcounts.table.len / 8 {
            let entry = self.refcounts.block(index)?;
            let at = self.refcounts.table.offset + index * 8;
            if entry == 0 {
                continue;
            }
            if entry & 0x1ff != 0 {
                self.fault(at, format!("a refcount table entry with reserved bits, {:#x}", entry & 0x1ff));
            }
            match self.refcounts.placed(entry) {
                Some(block) => self.claim(block, Claim::Owned, "a refcount block"),
                None => {
                    self.fault(at, format!("a refcount block at {entry:#x}, which is no cluster of the file"))
                }
            }
        }
        if let Some((offset, len)) = header.encryption {
            self.claim(Extent::new(offset, len), Claim::Owned, "the encryption header");
        }
        self.bitmaps(stored)
    }

    /// The bitmap directory, the tables it leads to, and theirs.
    fn bitmaps(&mut self, stored: &dyn ReadAt) -> Result<()> {
        let Some(bitmaps) = self.header.bitmaps.clone() else { return Ok(()) };
        let directory = Extent::new(bitmaps.directory_offset.get(), bitmaps.directory_size.get());
        if directory.end() > stored.size() || bitmaps.nb_bitmaps > MOST_BITMAPS {
            self.fault(directory.offset, "the bitmap directory does not lie in the file");
            return Ok(());
        }
        self.claim(directory, Claim::Owned, "the bitmap directory");
        let (mut at, mut tables) = (directory.offset, 0);
        for _ in 0..bitmaps.nb_bitmaps.get() {
            let bytes = read_clipped(stored, at, size_of::<RawBitmap>())?;
            let raw = RawBitmap::read_from_bytes(&bytes).expect("as long as it is");
            let table = Extent::new(raw.table_offset.get(), u64::from(raw.table_size.get()) * 8);
            if table.end() > stored.size() || table.len > MOST_BITMAP_TABLE {
                self.fault(at, "a bitmap's table does not lie in the file");
                return Ok(());
            }
            // Many names of one table are read no oftener than the file is long.
            tables += table.len;
            if tables > stored.size() {
                self.fault(at, "the tables of the bitmaps do not fit into the file");
                return Ok(());
            }
            self.bitmap(stored, table)?;
            let len =
                bytes.len() as u64 + u64::from(raw.extra_data_size.get()) + u64::from(raw.name_size.get());
            at += len.next_multiple_of(8);
            if at > directory.end() {
                self.fault(at, "a bitmap's entry leads out of the bitmap directory");
                return Ok(());
            }
        }
        Ok(())
    }

    fn bitmap(&mut self, stored: &dyn ReadAt, table: Extent) -> Result<()> {
        self.claim(table, Claim::Owned, "a bitmap's table");
        let cluster = self.header.geometry.cluster();
        let mut at = table.offset;
        while at < table.end() {
            let part = read_clipped(stored, at, (table.end() - at).min(64 << 10) as usize)?;
            for (index, word) in part.as_chunks::<8>().0.iter().enumerate() {
                let entry = u64::from_be_bytes(*word);
                let bits = Extent::new(entry & OFFSET, cluster);
                if bits.offset == 0 {
                    continue;
                }
                if self.header.geometry.in_cluster(bits.offset) != 0 || bits.offset >= stored.size() {
                    self.fault(at + index as u64 * 8, "a part of a bitmap that is no cluster of the file");
                    continue;
                }
                self.claim(bits, Claim::Owned, "a bitmap");
            }
            at += part.len() as u64;
        }
        Ok(())
    }

    /// The active state, and the snapshots.
    fn tables(&mut self, walk: &Walk<'_>) -> Result<()> {
        let raw = &self.header.raw;
        let active = Extent::new(raw.l1_table_offset.get(), u64::from(raw.l1_size.get()) * 8);
        self.claim(active, Claim::Owned, "the L1 table");
        self.active = true;
        walk.l1(active.offset, active.len / 8, self)?;
        self.active = false;
        let mut list: Vec<Extent> = Vec::new();
        let mut faults = Vec::new();
        let geometry = &self.header.geometry;
        let read = snapshots::read(walk.stored, self.header, |snapshot: Snapshot, at| {
            let l1 = Extent::new(snapshot.l1_offset, u64::from(snapshot.l1_entries) * 8);
            let fits =
                geometry.in_cluster(l1.offset) == 0 && l1.end() <= walk.stored_size && l1.len <= MOST_L1;
            match fits {
                true => list.push(l1),
                false => faults.push((at, format!("the L1 table of the snapshot {:?}", snapshot.name))),
            }
            true
        });
        for (at, what) in faults {
            self.fault(at, format!("{what} does not lie in the file"));
        }
        match read {
            Ok(table) => self.claim(table, Claim::Owned, "the snapshot table"),
            Err(error) => self.fault(error.offset().unwrap_or(64), error.to_string()),
        }
        list.sort_unstable();
        let mut behind = 0;
        for l1 in list {
            self.claim(l1, Claim::Owned, "the L1 table of a snapshot");
            if l1.offset < behind {
                continue;
            }
            behind = l1.end();
            walk.l1(l1.offset, l1.len / 8, self)?;
        }
        Ok(())
    }

    fn compare(&mut self, checked: &mut Checked) -> Result<()> {
        let dirty = self.header.flag(incompatible::DIRTY);
        let cluster_size = self.header.geometry.cluster();
        for (cluster, count) in self.counts.iter() {
            let refcount = self.refcounts.of(cluster)?;
            let counted = u64::from(count);
            if refcount == counted || (count == MOST && refcount > counted) {
                continue;
            }
            if counted == 0 {
                self.findings.leaked += cluster_size;
            } else if refcount > counted {
                checked.partly_leaked += 1;
            } else if dirty {
                checked.behind += 1;
            } else {
                let what = format!("a cluster with the refcount {refcount} has {counted} references");
                self.findings.fault(cluster * cluster_size, what);
            }
        }
        Ok(())
    }

    /// "1 for standard clusters whose refcount is exactly one", which only the active state tells.
    fn copied(&mut self, reference: &Reference) -> Result<()> {
        let external = self.header.geometry.external && reference.kind == Target::Cluster;
        let refcount = match external {
            true => 1,
            false => self.refcounts.of(reference.target.offset >> self.header.geometry.cluster_bits)?,
        };
        // While refcounts lag behind, they prove nothing.
        let unknown = self.header.flag(incompatible::DIRTY) && refcount == 0;
        if (refcount == 1) != reference.copied && !unknown {
            let what = if reference.kind == Target::Table { "an L1" } else { "an L2" };
            let says = if reference.copied { "exactly one" } else { "not exactly one" };
            let at = reference.entry_at;
            self.fault(at, format!("{what} entry says that its refcount is {says}, and it is {refcount}"));
        }
        Ok(())
    }
}

impl Visit for Pass<'_, '_> {
    fn reference(&mut self, reference: Reference) -> Result<()> {
        if self.report && self.active && reference.kind != Target::Packed {
            self.copied(&reference)?;
        }
        let (is_counted, by) = match reference.kind {
            Target::Table => (true, "an L2 table"),
            // Those of an external data file have no refcounts.
            Target::Cluster => (!self.header.geometry.external, "a cluster"),
            Target::Packed => (true, "a compressed cluster"),
        };
        if is_counted {
            self.claim(reference.target, Claim::Shared, by);
        }
        Ok(())
    }

    fn fault(&mut self, at: u64, what: String) {
        Pass::fault(self, at, what);
    }
}
