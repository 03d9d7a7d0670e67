//! Going on with an unfinished image: what a checkpoint covered stays, everything else is as if it had never been put.
//!
//! ```text
//!   L1 ──► no byte held of its reach: dropped
//!     └──► L2 ──► no byte of the cluster held: dropped      held in part: what is not held becomes zeros, or the parent's
//!   the file is cut behind the last cluster that is left
//! ```

use super::layout::{COMPRESSED, Geometry, MAGIC, OFFSET, RawHeader, ZERO};
use super::plan;
use super::tables::Tables;
use super::writer::{Writer, create};
use crate::error::{Error, Result};
use crate::extent::{Extent, Extents};
use crate::image::{Image, Place, Spec};
use crate::io::ReadAt;
use zerocopy::FromBytes;

/// Goes on with an image of which only what `held` covers counts.
pub(super) fn resume(place: Place, spec: &Spec, held: &Extents) -> Result<Box<dyn Image>> {
    if held.is_empty() {
        place.storage.set_size(0).map_err(|error| Error::writing("emptying the image", error))?;
        return create(place, spec);
    }
    let header = plan::header(spec)?;
    let geometry = header.geometry;
    recognise(&*place.storage, &geometry, header.l1_offset)?;
    let tables = Tables::read(geometry, header.l1_offset, header.l1_entries, &*place.storage)?;
    let mut writer = Writer::new(place, spec, Some(tables))?;
    // From here on it is unfinished again, whatever it was.
    writer.write_header()?;
    writer.flush()?;
    // What lies between the content's end and the disk's is held with the last sector.
    let mut kept = held.clone();
    if held.contains(spec.size.saturating_sub(1)) {
        kept.insert(Extent::between(spec.size, geometry.size));
    }
    let end = forget(&mut writer, &kept, plan(spec)?)?;
    writer.next = end.max(plan::first_free(&writer.header));
    let cut = writer.storage.set_size(writer.next);
    cut.map_err(|error| Error::writing("cutting the image", error))?;
    clear_rests(&mut writer, &kept)?;
    Ok(Box::new(writer))
}

/// The longest file that the image can be.
fn plan(spec: &Spec) -> Result<u64> {
    Ok(plan::plan(spec.clone())?.1)
}

fn recognise(stored: &dyn ReadAt, geometry: &Geometry, l1_offset: u64) -> Result<()> {
    let bytes = super::header::read_clipped(stored, 0, size_of::<RawHeader>())?;
    let raw = RawHeader::read_from_bytes(&bytes).expect("as long as it is");
    let same = raw.magic == MAGIC
        && raw.version == geometry.version
        && raw.cluster_bits == geometry.cluster_bits
        && raw.l1_table_offset == l1_offset;
    if same { Ok(()) } else { Err(Error::corrupt(0, "the unfinished image does not begin as it was begun")) }
}

/// Takes all entries away of which no byte is held; returns where the last cluster that is left ends.
fn forget(writer: &mut Writer, held: &Extents, longest: u64) -> Result<u64> {
    let geometry = writer.geometry();
    let first = plan::first_free(&writer.header);
    let valid = |host: u64| {
        let end = host.checked_add(geometry.cluster()).filter(|end| *end <= longest);
        end.filter(|_| geometry.in_cluster(host) == 0 && host >= first)
    };
    let wrong = |cluster: u64, what: &str| {
        Error::corrupt(geometry.guest(cluster).offset, format!("what was checkpointed {what}"))
    };
    let mut end = 0;
    for index in 0..writer.tables.l1_len() {
        let table = writer.tables.table(index);
        if table == 0 {
            continue;
        }
        let clusters = index * geometry.l2_entries()..(index + 1) * geometry.l2_entries();
        if !held.touches(Extent::new(index * geometry.reach(), geometry.reach())) {
            writer.tables.set_table(&*writer.storage, index, 0)?;
            continue;
        }
        end = end.max(valid(table).ok_or_else(|| wrong(clusters.start, "has no L2 table"))?);
        for cluster in clusters {
            let entry = writer.tables.get(&*writer.storage, cluster)?;
            if entry == 0 {
                continue;
            }
            let guest = geometry.guest(cluster);
            let stays = if entry & COMPRESSED != 0 {
                !guest.is_empty() && held.covers(guest)
            } else {
                held.touches(guest)
            };
            if !stays {
                writer.tables.set(&*writer.storage, cluster, 0)?;
            } else if entry & COMPRESSED != 0 {
                let packed = geometry.packed_extent(entry);
                let last = (packed.end() - 1) & !(geometry.cluster() - 1);
                end = end.max(valid(last).ok_or_else(|| wrong(cluster, "lies outside of the image"))?);
            } else if entry != ZERO {
                end = end
                    .max(valid(entry & OFFSET).ok_or_else(|| wrong(cluster, "lies outside of the image"))?);
            }
        }
    }
    Ok(end)
}

/// In clusters of which a part is held, the rest reads as in a new image.
fn clear_rests(writer: &mut Writer, held: &Extents) -> Result<()> {
    let geometry = writer.geometry();
    let disk: Extents = [Extent::new(0, geometry.size)].into_iter().collect();
    let rests = held.align_out(geometry.cluster()).intersect(&disk).subtract(held);
    for rest in rests.iter() {
        // At most two clusters: an extent that is held ends in the first, another one begins in the last.
        let mut at = rest.offset;
        while at < rest.end() {
            let part = Extent::between(at, geometry.guest(at >> geometry.cluster_bits).end().min(rest.end()));
            writer.restore(part)?;
            at = part.end();
        }
    }
    Ok(())
}
