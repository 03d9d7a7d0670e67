//! Going on with an unfinished image, of which only what the ledger holds is believed.
//!
//! ```text
//!   sparse   tables ──► entries of grains that are held stay; all others become 0; the file ends behind the last that stays
//!   stream   markers from the first on ──► those of what is held stay; the file ends behind the last of them
//! ```
//!
//! A checkpoint made durable what is held, payload before tables. Behind it anything may be there, in part and in any order.

use super::grains::Place;
use super::layout::*;
use super::stream::StreamImage;
use super::writer::{SparseImage, failed};
use crate::error::{Error, Result};
use crate::extent::{Extent, Extents};
use crate::image::{self, Spec};
use crate::io::{Content, ReadAt, Storage, read_padded};
use zerocopy::FromBytes;

/// Bytes of tables that are looked through at once.
const AT_ONCE: u64 = 1 << 20;

/// Goes on with a monolithicSparse image.
pub(super) fn sparse(place: image::Place, spec: &Spec, held: &Extents) -> Result<SparseImage> {
    let mut image = SparseImage::over(place, spec)?;
    let tables = Extent::new(image.layout.table_at(0), image.layout.tables * GT_BYTES);
    let mut offset = tables.offset;
    let mut mend = Vec::new();
    while offset < tables.end() {
        let at = Extent::new(offset, AT_ONCE).intersect(tables);
        offset = look_through(&mut image, at, held, &mut mend)?;
    }
    image.set_length(image.next)?;
    // What the directories say follows from the plan, so they need not be believed.
    image.write_directories()?;
    for part in mend {
        image.forget(part)?;
    }
    image.flush()?;
    Ok(image)
}

/// Parts of the disk to be made as in a new image, in grains that are held in part.
type Mend = Vec<Extent>;

/// Looks through the tables at the bytes `at` of the file; returns up to where that is done.
fn look_through(image: &mut SparseImage, at: Extent, held: &Extents, mend: &mut Mend) -> Result<u64> {
    let before = image.layout.redundant_before();
    let read = |error| Error::io("reading the image's tables", error);
    // Up to where there are no entries behind byte `at`, in whole tables.
    let empty_until = |at: u64| -> Result<u64> {
        if at >= image.storage.size() {
            return Ok(u64::MAX);
        }
        match image.storage.content_at(at).map_err(read)? {
            (Content::Data, _) => Ok(at),
            (_, until) if until >= image.storage.size() => Ok(u64::MAX),
            (_, until) => Ok(until - (until - at) % GT_BYTES),
        }
    };
    let copies_at = at.offset - before;
    let empty = empty_until(at.offset)?.min(empty_until(copies_at)?.saturating_add(before));
    if empty > at.offset {
        return Ok(empty);
    }
    let mut tables = vec![0; at.len as usize];
    let mut copies = vec![0; at.len as usize];
    for (bytes, place) in [(&mut tables, at.offset), (&mut copies, copies_at)] {
        read_padded(&*image.storage, bytes, place).map_err(read)?;
    }
    let mut kept = tables.clone();
    let first = (at.offset - image.layout.table_at(0)) / GT_BYTES;
    for (number, table) in (first..).zip(kept.chunks_exact_mut(GT_BYTES as usize)) {
        keep_held(image, number, table, held, mend)?;
    }
    for (found, place) in [(tables, at.offset), (copies, copies_at)] {
        if found != kept {
            image.write(&kept, place)?;
        }
    }
    Ok(at.end())
}

/// Makes the entries of grains that are not held 0.
fn keep_held(
    image: &mut SparseImage,
    number: u64,
    table: &mut [u8],
    held: &Extents,
    mend: &mut Mend,
) -> Result<()> {
    if table.iter().all(|&byte| byte == 0) {
        return Ok(());
    }
    let disk = Extent::new(0, image.size());
    if !held.touches(Extent::new(number * SPAN, SPAN)) {
        table.fill(0);
        return Ok(());
    }
    let entries = <[Entry]>::mut_from_bytes(table).expect("tables are whole entries");
    for (index, entry) in entries.iter_mut().enumerate() {
        let place = image.grid.place(*entry);
        let grain = Extent::new(number * SPAN + index as u64 * GRAIN, GRAIN).intersect(disk);
        if place == Place::Absent {
            continue;
        }
        if !held.touches(grain) {
            entry.set(0);
            continue;
        }
        if let Place::Stored(start) = place {
            let first = image.layout.over_head * SECTOR;
            let aligned = start >= first && (start - first).is_multiple_of(GRAIN);
            if !aligned || start + GRAIN > image.storage.size() {
                let what = format!("the grain of byte {} is said to lie at {start}", grain.offset);
                return Err(Error::corrupt(image.layout.table_at(number) + index as u64 * 4, what)
                    .advise("the image was changed since:  --restart begins anew"));
            }
            image.next = image.next.max(start + GRAIN);
        }
        image.touched[number as usize] = true;
        if !held.covers(grain) {
            let rest: Extents = [grain].into_iter().collect();
            mend.extend(rest.subtract(held).iter());
        }
    }
    Ok(())
}

/// Goes on with a streamOptimized image.
pub(super) fn stream(storage: Box<dyn Storage>, spec: &Spec, held: &Extents) -> Result<StreamImage> {
    let mut image = StreamImage::over(storage, spec)?;
    let prefix = held.iter().next().filter(|first| first.offset == 0).map_or(0, Extent::end);
    let size = image.storage.size();
    let mut at = image.next;
    let mut bytes = [0; size_of::<Marker>()];
    while at + SECTOR <= size {
        image.storage.read_at(&mut bytes, at).map_err(|error| Error::io("reading the image back", error))?;
        let marker = Marker::read_from_bytes(&bytes).expect("it is as long");
        let packed = u64::from(marker.size.get());
        if packed == 0 {
            // A table is believed when a grain that is held follows: before that, it is in memory all the same.
            if marker.kind.get() != MARKER_GT || marker.val.get() != GT_BYTES / SECTOR {
                break;
            }
            image.table_at = Some(at + SECTOR);
            at += SECTOR + GT_BYTES;
            continue;
        }
        let end = at + (GRAIN_MARKER_BYTES + packed).next_multiple_of(SECTOR);
        let lba = marker.val.get();
        let first = lba.saturating_mul(SECTOR);
        let follows = first % GRAIN == 0 && first >= image.end && packed <= 2 * GRAIN;
        if !follows || first >= prefix || end > size {
            break;
        }
        image.found(first / GRAIN, at, end)?;
        at = end;
    }
    image.end = prefix.max(image.end);
    image.table_at = None;
    // What lies behind is of no checkpoint; it must not come back after another crash.
    let cut = image.next;
    image.storage.set_size(cut).map_err(|error| failed("cutting", error))?;
    image.write_head(true)?;
    image.storage.flush().map_err(|error| failed("flushing", error))?;
    Ok(image)
}
