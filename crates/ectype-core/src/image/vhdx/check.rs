//! Looking through the structure of a VHDX: every block in the file, none twice, nothing lost.

use super::layout::*;
use super::map::Tables;
use super::reader::Vhdx;
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::image::Findings;

/// Of a longer file it is not looked through what takes which MiB: 32 MiB of memory.
const LONGEST: u64 = 256 << 40;
/// BAT entries are looked at in runs of this many.
const AT_ONCE: u64 = 8192;

/// Which MiB of a file are taken.
pub(super) struct Taken {
    bits: Vec<u64>,
    len: u64,
}

impl Taken {
    /// None of a file of `size` bytes; a last part of a MiB counts as one.
    pub(super) fn new(size: u64) -> Result<Taken> {
        if size > LONGEST {
            let what = format!("the file has {size} bytes; up to {LONGEST} are looked through");
            return Err(Error::new(Kind::Limit, what));
        }
        let len = size.div_ceil(MIB);
        Ok(Taken { bits: vec![0; len.div_ceil(64) as usize], len })
    }

    /// Takes the MiB of `at`, which begins on one and lies in the file; false where some were taken before.
    pub(super) fn take(&mut self, at: Extent) -> bool {
        let (mut mib, end) = (at.offset / MIB, at.end().div_ceil(MIB).min(self.len));
        let mut free = true;
        while mib < end {
            let (word, bit) = ((mib / 64) as usize, mib % 64);
            let count = (64 - bit).min(end - mib);
            let mask = (u64::MAX >> (64 - count)) << bit;
            free &= self.bits[word] & mask == 0;
            self.bits[word] |= mask;
            mib += count;
        }
        free
    }

    /// What is free from `start` on, in bytes, up to the file's last MiB.
    pub(super) fn free(&self, start: u64) -> impl Iterator<Item = Extent> + '_ {
        let mut mib = start / MIB;
        std::iter::from_fn(move || {
            let first = (mib..self.len).find(|&mib| !self.is_taken(mib))?;
            mib = (first..self.len).find(|&mib| self.is_taken(mib)).unwrap_or(self.len);
            Some(Extent::between(first * MIB, mib * MIB))
        })
    }

    fn is_taken(&self, mib: u64) -> bool {
        self.bits[(mib / 64) as usize] >> (mib % 64) & 1 != 0
    }
}

pub(super) fn check(image: &Vhdx, findings: &mut Findings) -> Result<()> {
    let geometry = &image.geometry;
    findings.notes.extend(image.notes.iter().cloned());
    let mut taken = Taken::new(image.file_size)?;
    taken.take(Extent::new(0, HEADER_SECTION));
    for at in [image.log, image.regions.bat, image.regions.metadata] {
        taken.take(at.intersect(Extent::new(0, image.file_size)));
    }
    let mut odd = 0_u64;
    let mut entries = Vec::new();
    let mut first = 0;
    while first < geometry.entries() {
        let len = AT_ONCE.min(geometry.entries() - first);
        entries.resize(len as usize, BatEntry::default());
        let read = image.entries(first, &mut entries);
        read.map_err(|error| Error::io("reading the BAT", error).at(geometry.entry_at(first)))?;
        for (index, entry) in (first..).zip(&entries).filter(|(_, entry)| entry.bits() != 0) {
            odd += u64::from(entry.reserved() != 0);
            look(image, index, *entry, &mut taken, findings);
        }
        first += len;
    }
    if odd > 0 {
        findings.notes.push(format!("{odd} entries of the BAT have bits that mean nothing"));
    }
    findings.leaked += taken.free(HEADER_SECTION).map(|at| at.len).sum::<u64>();
    Ok(())
}

/// One BAT entry that is not zero.
fn look(image: &Vhdx, index: u64, entry: BatEntry, taken: &mut Taken, findings: &mut Findings) {
    let (geometry, at) = (&image.geometry, image.geometry.entry_at(index));
    let (what, len, present) = match geometry.block_of(index) {
        // The entries of a last chunk go on behind the disk.
        Some(block) if block >= geometry.blocks() => {
            if entry.state_bits() == BatEntry::FULLY_PRESENT
                || entry.state_bits() == BatEntry::PARTIALLY_PRESENT
            {
                findings.fault(at, format!("block {block} is present, and lies behind the end of the disk"));
            }
            return;
        }
        Some(block) => {
            let what = format!("block {block}");
            match entry.state() {
                None => return findings.fault(at, format!("{what} has the state {}", entry.state_bits())),
                Some(State::PartiallyPresent) => {
                    if let Some(fault) = partial(image, block) {
                        findings.fault(at, format!("{what} is partially present, and {fault}"));
                    }
                    (what, geometry.extent(block).len, true)
                }
                Some(state) => (what, geometry.extent(block).len, state == State::FullyPresent),
            }
        }
        None => {
            let what = format!("the sector bitmap block {}", index / (geometry.ratio() + 1));
            match entry.state_bits() {
                BatEntry::NOT_PRESENT => (what, BITMAP_BLOCK, false),
                BatEntry::FULLY_PRESENT => (what, BITMAP_BLOCK, true),
                state => return findings.fault(at, format!("{what} has the state {state}")),
            }
        }
    };
    if !present {
        return;
    }
    let place = entry.place();
    if place < HEADER_SECTION || place.checked_add(len).is_none_or(|end| end > image.file_size) {
        let file = image.file_size;
        findings.fault(at, format!("{what} is said to lie at {place}, the file has {file} bytes"));
        return;
    }
    // The rest of the last block is its own, too, as far as the file goes.
    let whole = if geometry.block_of(index).is_some() { geometry.block } else { BITMAP_BLOCK };
    let whole = Extent::new(place, whole).intersect(Extent::new(0, image.file_size));
    if !taken.take(whole) {
        findings.fault(at, format!("{what} at {place} overlaps another part of the file"));
    }
}

/// What contradicts a block's being partially present.
fn partial(image: &Vhdx, block: u64) -> Option<&'static str> {
    if !image.geometry.has_parent {
        return Some("there is no parent");
    }
    let mut entry = [BatEntry::default()];
    let read = image.entries(image.geometry.bitmap_index(block), &mut entry);
    match read {
        Ok(()) if entry[0].state_bits() == BatEntry::FULLY_PRESENT => None,
        Ok(()) => Some("there is no sector bitmap block"),
        Err(_) => Some("its sector bitmap block cannot be read"),
    }
}
