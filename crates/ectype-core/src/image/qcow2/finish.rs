//! Completing an image: refcounts for all that its tables refer to, then the header that calls them good.

use super::layout::Geometry;
use super::plan::{self, REFCOUNT_LEN};
use super::refcounts::{Claim, Counts, MOST, WINDOW};
use super::references::{Reference, Visit, Walk};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::extent::Extent;

/// Counts references, and is told what must not be: the tables are ours.
struct Counting {
    counts: Counts,
    fault: Option<(u64, String)>,
}

impl Counting {
    fn add(&mut self, bytes: Extent, claim: Claim) {
        let fault = &mut self.fault;
        self.counts.add(bytes, claim, |cluster| {
            fault.get_or_insert((cluster, "a cluster that is referred to as two things".into()));
        });
    }
}

impl Visit for Counting {
    fn reference(&mut self, reference: Reference) -> Result<()> {
        self.add(reference.target, Claim::Shared);
        Ok(())
    }

    fn fault(&mut self, at: u64, what: String) {
        self.fault.get_or_insert((at, what));
    }
}

/// Where the parts of the refcounts are.
struct Places {
    blocks: Extent,
    table: Extent,
    clusters: u64,
}

fn places(geometry: &Geometry, next: u64) -> Places {
    let cluster = geometry.cluster();
    let (blocks, table) = plan::refcount_clusters(geometry, next / cluster);
    let blocks = Extent::new(next, blocks * cluster);
    let table = match table {
        0 => Extent::new(plan::refcount_table_place(geometry), cluster),
        table => Extent::new(blocks.end(), table * cluster),
    };
    Places { blocks, table, clusters: blocks.end().max(table.end()) / cluster }
}

/// Writes refcounts and the last header. Tables and clusters are durable.
pub(super) fn finish(writer: &mut Writer) -> Result<()> {
    let geometry = writer.geometry();
    let places = places(&geometry, writer.next);
    let mut first = 0;
    while first < places.clusters {
        write_blocks(writer, &places, first)?;
        first += WINDOW;
    }
    let mut table = Vec::new();
    for block in (places.blocks.offset..places.blocks.end()).step_by(geometry.cluster() as usize) {
        table.extend(block.to_be_bytes());
    }
    table.resize(places.table.len as usize, 0);
    writer.write_at(&table, places.table.offset)?;
    writer.flush()?;
    let header =
        writer.header.bytes((places.table.offset, places.table.len >> geometry.cluster_bits), false)?;
    writer.write_at(&header, 0)?;
    writer.flush()
}

/// Counts the clusters of one window, and writes the refcount blocks for them.
fn write_blocks(writer: &Writer, places: &Places, first: u64) -> Result<()> {
    let geometry = writer.geometry();
    let counts = Counts::new(&geometry, first, places.clusters);
    let mut counting = Counting { counts, fault: None };
    counting.add(Extent::new(0, geometry.cluster()), Claim::Owned);
    counting.add(Extent::new(writer.header.l1_offset, writer.header.l1_entries * 8), Claim::Owned);
    counting.add(places.blocks, Claim::Owned);
    counting.add(places.table, Claim::Owned);
    let walk = Walk::new(&*writer.storage, &geometry);
    walk.l1(writer.header.l1_offset, writer.header.l1_entries, &mut counting)?;
    if let Some((at, what)) = counting.fault {
        return Err(Error::corrupt(at, format!("the image that was written contradicts itself: {what}")));
    }
    let per_block = geometry.cluster() / REFCOUNT_LEN;
    let mut block = Vec::with_capacity(geometry.cluster() as usize);
    for (cluster, count) in counting.counts.iter() {
        assert!(count < MOST, "a cluster has fewer references than its refcount can say");
        block.extend(count.to_be_bytes());
        if block.len() as u64 == geometry.cluster() || cluster + 1 == places.clusters {
            block.resize(geometry.cluster() as usize, 0);
            let place = places.blocks.offset + cluster / per_block * geometry.cluster();
            writer.write_at(&block, place)?;
            block.clear();
        }
    }
    Ok(())
}
