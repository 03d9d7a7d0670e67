//! Looking through a VHD's structure for what contradicts itself.

use super::super::Findings;
use super::blocks::{self, Blocks, Own};
use super::layout::{DIFFERENCING, ENTRY, PAGE, SECTOR, UNALLOCATED};
use super::reader::{InFile, Sparse, VhdImage};
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::{Content, ReadAt};

/// So many entries are looked at together, for blocks over one another; 4 million blocks of 2 MiB are 8 TiB.
const TOGETHER: u64 = 4 << 20;

/// Looks through the whole image.
pub(super) fn check(image: &VhdImage, findings: &mut Findings) -> Result<()> {
    for (at, what) in &image.footers.faults {
        findings.fault(*at, what.clone());
    }
    findings.notes.extend(image.footers.notes.iter().cloned());
    let footer = &image.footers.believed;
    if !image.size.is_multiple_of(SECTOR) {
        findings.fault(image.footers.at.offset + 48, format!("{} bytes are no whole sectors", image.size));
    }
    match &image.sparse {
        Some(sparse) => sparse_image(image, sparse, findings)?,
        None => findings.leaked = image.footers.at.offset - image.size,
    }
    if footer.disk_type.get() == DIFFERENCING
        && let Some(parent) = image.sparse.as_ref().and_then(|sparse| sparse.parent.as_ref())
        && parent.size() != image.size
    {
        let what = format!("the parent has {} bytes, and this disk {}", parent.size(), image.size);
        findings.notes.push(format!("{what}; Windows wants both alike"));
    }
    Ok(())
}

fn sparse_image(image: &VhdImage, sparse: &Sparse, findings: &mut Findings) -> Result<()> {
    let needed = image.size.div_ceil(sparse.block);
    if sparse.entries < needed {
        let what = format!("the table has {} entries, and the disk {needed} blocks", sparse.entries);
        findings.fault(sparse.table_at + sparse.entries * ENTRY, what);
    }
    let mut used: Vec<Extent> = sparse.structures().to_vec();
    used.push(image.footers.at);
    // The table may have entries for blocks behind the disk's end.
    let claimed = u64::from(sparse.header.max_table_entries.get()) * ENTRY;
    used.push(Extent::new(sparse.table_at, claimed.next_multiple_of(SECTOR)));
    for locator in &sparse.header.parent_locators {
        let space = locator.platform_data_length.get();
        if locator.platform_code != [0; 4] {
            used.push(Extent::new(locator.platform_data_offset.get(), u64::from(space)));
        }
    }
    if sparse.entries <= TOGETHER {
        let there = blocks(image, sparse, 0..sparse.entries, findings)?;
        let whole = sparse.bitmap + sparse.block;
        let there = there.iter().map(|(entry, _)| Extent::new(u64::from(*entry) * SECTOR, whole));
        findings.leaked = leaked(used, there, image.stored.size());
        return Ok(());
    }
    let what = format!("blocks over one another were looked for among {TOGETHER} blocks at a time");
    findings.notes.push(what);
    let mut at = 0;
    while at < sparse.entries {
        let end = (at + TOGETHER).min(sparse.entries);
        blocks(image, sparse, at..end, findings)?;
        at = end;
    }
    Ok(())
}

/// The blocks of these entries, by their place in the file: each where it can be, and none over another.
fn blocks(
    image: &VhdImage,
    sparse: &Sparse,
    range: std::ops::Range<u64>,
    findings: &mut Findings,
) -> Result<Vec<(u32, u32)>> {
    let file = InFile { image, sparse };
    let entries = sparse
        .entries(&image.stored, range.clone())
        .map_err(|error| Error::io("reading the block allocation table", error).at(sparse.table_at))?;
    let mut there: Vec<(u32, u32)> = Vec::new();
    for (block, entry) in range.zip(entries).filter(|(_, entry)| *entry != UNALLOCATED) {
        match file.place(block, entry) {
            Err(error) => findings.fault(error.offset().unwrap_or(0), plain(&error)),
            Ok(bitmap) => {
                // What counts is the part that the disk has.
                let len = (image.size - block * sparse.block).min(sparse.block);
                let end = bitmap + sparse.bitmap + len;
                if end > image.stored.size() {
                    let what = format!("block {block} ends at byte {end}, behind the end of the file");
                    findings.fault(sparse.table_at + block * ENTRY, what);
                } else if !Extent::between(bitmap, end).intersect(image.footers.at).is_empty() {
                    let what = format!("block {block} at byte {bitmap} reaches into the footer");
                    findings.fault(sparse.table_at + block * ENTRY, what);
                } else if sparse.parent.is_none() {
                    unmarked(&file, block, findings)?;
                }
                there.push((entry, u32::try_from(block).unwrap_or(u32::MAX)));
            }
        }
    }
    there.sort_unstable();
    let whole = sparse.bitmap + sparse.block;
    for pair in there.windows(2) {
        let [(first, one), (second, other)] = [pair[0], pair[1]];
        if u64::from(second - first) * SECTOR < whole {
            let what = format!(
                "block {other} at byte {} lies over block {one} at byte {}",
                u64::from(second) * SECTOR,
                u64::from(first) * SECTOR
            );
            findings.fault(sparse.table_at + u64::from(other) * ENTRY, what);
        }
    }
    Ok(there)
}

/// Sectors of a dynamic image that are marked as never written and hold something all the same: readers differ about them.
fn unmarked(file: &InFile<'_>, block: u64, findings: &mut Findings) -> Result<()> {
    let failed = |error| Error::io(format!("reading block {block}"), error);
    let (disk, size) = (file.disk_size(), file.block_size());
    let end = (disk - block * size).min(size).div_ceil(SECTOR);
    let Some(payload) = file.payload(block).map_err(failed)? else { return Ok(()) };
    let mut sector = 0;
    while sector < end {
        // A bitmap of the largest block is looked at in parts.
        let until = (sector + 65_536).min(end);
        let Own::Bits { first, bits } = file.own(block, sector..until).map_err(failed)? else { break };
        let mut from = sector;
        while from < until {
            let (own, to) = blocks::run(&bits, from - first, until - first);
            let run = Extent::between(payload + from * SECTOR, payload + (to + first) * SECTOR);
            if !own && let Some(at) = first_byte(file, run).map_err(failed)? {
                let what = format!(
                    "block {block} marks sectors as never written that hold something; here they read as zeros"
                );
                findings.fault(at, what);
                return Ok(());
            }
            from = to + first;
        }
        sector = until;
    }
    Ok(())
}

/// The first stored byte in `run` that is not zero.
fn first_byte(file: &InFile<'_>, run: Extent) -> std::io::Result<Option<u64>> {
    let mut part = vec![0; 64 << 10];
    let mut at = run.offset;
    while at < run.end() {
        let (content, until) = file.stored_content(at)?;
        if content == Content::Zero {
            at = until.min(run.end());
            continue;
        }
        let len = (run.end() - at).min(part.len() as u64);
        let bytes = &mut part[..len as usize];
        file.stored(bytes, at)?;
        if let Some(index) = bytes.iter().position(|byte| *byte != 0) {
            return Ok(Some(at + index as u64));
        }
        at += len;
    }
    Ok(None)
}

/// What lies between all that is used; less than a page is the distance that keeps blocks on pages.
fn leaked(mut structures: Vec<Extent>, blocks: impl Iterator<Item = Extent>, size: u64) -> u64 {
    structures.push(Extent::new(size, 0));
    structures.sort_unstable();
    let mut structures = structures.into_iter().peekable();
    let (mut end, mut leaked) = (0, 0);
    let mut pass = |extent: Extent| {
        let gap = extent.offset.min(size).saturating_sub(end);
        leaked += if gap < PAGE { 0 } else { gap };
        end = end.max(extent.end());
    };
    for block in blocks {
        while let Some(extent) = structures.next_if(|extent| extent.offset <= block.offset) {
            pass(extent);
        }
        pass(block);
    }
    structures.for_each(pass);
    leaked
}

/// An error's words without its place, which the finding has.
fn plain(error: &Error) -> String {
    let text = error.to_string();
    let place = error.offset().map(|at| format!(" (at byte {at})")).unwrap_or_default();
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}
