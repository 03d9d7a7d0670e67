//! Going on with a dynamic or differencing VHD after a crash.
//!
//! The table of the last checkpoint is whole; of what came after it anything may have reached the file. So an entry is believed
//! only where something of its block is held, and of a block that is kept only what is held.

use super::super::{Image, Place, Spec};
use super::blocks;
use super::layout::{ENTRY, FOOTER_COOKIE, Footer, SECTOR, UNALLOCATED};
use super::parent;
use super::writer::{self, ENTRIES_A_PAGE, SparseImage};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents};
use crate::io::ReadAt;
use std::collections::BTreeMap;
use zerocopy::byteorder::{BigEndian, U32};
use zerocopy::{FromZeros, IntoBytes};

/// Goes on with an unfinished image.
pub(super) fn resume(place: Place, spec: &Spec, held: &Extents) -> Result<Box<dyn Image>> {
    if held.is_empty() {
        place.storage.set_size(0).map_err(|error| Error::writing("cutting the image", error))?;
        return writer::create(place, spec);
    }
    let mut image = SparseImage::new(place, spec)?;
    is_ours(&image)?;
    let entries = entries(&image)?;
    believe(&mut image, &entries, held)?;
    for page in 0..image.table.len().div_ceil(ENTRIES_A_PAGE) {
        let all = page * ENTRIES_A_PAGE..((page + 1) * ENTRIES_A_PAGE).min(image.table.len());
        let meant = |slot: u32| if slot == UNALLOCATED { UNALLOCATED } else { image.places.entry(slot) };
        if image.table[all.clone()].iter().zip(&entries[all]).any(|(slot, entry)| meant(*slot) != entry.get())
        {
            image.changed.insert(page);
        }
    }
    free_the_rest(&mut image)?;
    forget(&mut image, held)?;
    image.round_off(spec.size)?;
    Ok(Box::new(image))
}

/// That the file is the image that was begun: its first sector was written once, and whole.
fn is_ours(image: &SparseImage) -> Result<()> {
    let mut footer = Footer::new_zeroed();
    let reading = |error| Error::io("reading back the footer of the image", error);
    if image.storage.size() < image.places.slots {
        let what = format!("the image ends at byte {}, within its table", image.storage.size());
        return Err(Error::corrupt(image.storage.size(), what));
    }
    image.storage.read_at(footer.as_mut_bytes(), 0).map_err(reading)?;
    if footer.cookie == *FOOTER_COOKIE && footer.is_right() && footer.unique_id != image.spec.id {
        let what = format!(
            "the file is not the image that was begun: its identifier is {}, and {} is meant",
            parent::id(&footer.unique_id),
            parent::id(&image.spec.id)
        );
        return Err(Error::new(Kind::Changed, what).advise("begin anew:  --restart"));
    }
    Ok(())
}

fn entries(image: &SparseImage) -> Result<Vec<U32<BigEndian>>> {
    let mut entries = vec![U32::ZERO; image.table.len()];
    let at = image.places.table.offset;
    let reading = |error| Error::io("reading back the table of the image", error).at(at);
    image.storage.read_at(entries.as_mut_bytes(), at).map_err(reading)?;
    Ok(entries)
}

/// Takes the entries of blocks of which something is held.
fn believe(image: &mut SparseImage, entries: &[U32<BigEndian>], held: &Extents) -> Result<()> {
    let mut owners: BTreeMap<u32, u64> = BTreeMap::new();
    for (block, entry) in (0_u64..).zip(entries) {
        if entry.get() == UNALLOCATED || !held.touches(image.block_at(block)) {
            continue;
        }
        let at = image.places.table.offset + block * ENTRY;
        let slot = image.places.slot_of(entry.get());
        let Some(slot) = slot else {
            let what = format!("the table places block {block}, which is held, at sector {}", entry.get());
            return Err(Error::corrupt(at, what));
        };
        // A checkpoint's footer lies behind every slot. One that the file does not have was entered behind the last checkpoint,
        // and what is held of its block needs none: zeros, or the parent's bytes.
        if image.places.payload(slot) + image.places.block > image.storage.size() {
            continue;
        }
        if let Some(other) = owners.insert(slot, block) {
            let what = format!("the table places the blocks {other} and {block}, both held, at one place");
            return Err(Error::corrupt(at, what));
        }
        image.table[block as usize] = slot;
        image.end = image.end.max(slot + 1);
    }
    Ok(())
}

/// Frees the slots that no block has, and cuts what is behind the last one.
fn free_the_rest(image: &mut SparseImage) -> Result<()> {
    let mut used = vec![false; image.end as usize];
    for &slot in image.table.iter().filter(|slot| **slot != UNALLOCATED) {
        used[slot as usize] = true;
    }
    image.free = (0..image.end).filter(|slot| !used[*slot as usize]).collect();
    image.take_back()
}

/// Makes what is not held read as in a new image.
fn forget(image: &mut SparseImage, held: &Extents) -> Result<()> {
    let size = image.places.block;
    let whole: Extents = [Extent::new(0, image.table.len() as u64 * size)].into_iter().collect();
    for stale in whole.subtract(held).iter() {
        for block in stale.offset / size..stale.end().div_ceil(size) {
            let slot = image.table[block as usize];
            if slot == UNALLOCATED {
                continue;
            }
            let part = image.block_at(block).intersect(stale);
            if image.parent.is_some() {
                give_back(image, block, slot, part)?;
                continue;
            }
            let stored = Extent::new(image.stored_at(slot, part.offset), part.len);
            match image.storage.holds_holes() {
                true => image.clear(stored)?,
                // It is filled when it has not been put by the next checkpoint.
                false => image.unfilled.insert(stored),
            }
        }
    }
    Ok(())
}

/// Makes the bytes of `part`, which is in one block, the parent's again.
fn give_back(image: &mut SparseImage, block: u64, slot: u32, part: Extent) -> Result<()> {
    let inner = part.align_in(SECTOR);
    // Of a sector that is held in part the other bytes are copied.
    let edges = match inner.is_empty() {
        true => [part, Extent::new(part.end(), 0)],
        false => [Extent::between(part.offset, inner.offset), Extent::between(inner.end(), part.end())],
    };
    for edge in edges.into_iter().filter(|edge| !edge.is_empty()) {
        let reading = |error| Error::io("reading what is kept of the parent", error).at(edge.offset);
        let mut bytes = vec![0; edge.len as usize];
        let kept = Extent::between(0, image.content).intersect(edge).len as usize;
        blocks::inherit(image, &mut bytes[..kept], edge.offset).map_err(reading)?;
        let at = image.stored_at(slot, edge.offset);
        image.storage.write_at(&bytes, at).map_err(image.failed("writing", at))?;
    }
    if !inner.is_empty() {
        image.mark(block, slot, inner, false)?;
    }
    Ok(())
}
