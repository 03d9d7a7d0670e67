//! An image under construction: clusters as they come, ascending, each put where it stays.
//!
//! ```text
//!   put ──► allocated before?  yes: written there      no: the next clusters of the file, in one write
//!   checkpoint    clusters, flush, L2 tables, flush, L1 table, flush
//!   finish        the same; refcounts, flush; the header that says so, flush
//! ```
//!
//! Nothing is moved or freed. What is made zeros after it was put keeps its cluster, as a hole.

use super::clusters::Clusters;
use super::finish;
use super::header::NewHeader;
use super::layout::{COMPRESSED, COPIED, Geometry, OFFSET, ZERO};
use super::pack::Packer;
use super::plan;
use super::tables::Tables;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::image::differing::unreadable_parent;
use crate::image::{Form, Image, Opened, Pack, Packed, Place, Placement, Sink, Spec};
use crate::io::{Content, ReadAt, Storage, is_zero, read_padded};
use std::io;
use std::sync::Arc;

/// An image under construction.
pub(super) struct Writer {
    pub(super) storage: Box<dyn Storage>,
    pub(super) parent: Option<Arc<dyn Opened>>,
    pub(super) header: NewHeader,
    /// The length of the content; the disk has whole sectors.
    pub(super) content: u64,
    pub(super) packer: Option<Arc<Packer>>,
    pub(super) tables: Tables,
    /// Where the next cluster is allocated: nothing was ever written from here on.
    pub(super) next: u64,
    /// Where compressed bytes go: the rests of clusters that were begun, the last one growing as long as it is the file's.
    pub(super) rooms: Vec<Extent>,
    pub(super) holds_holes: bool,
    /// Whether the header says another size than the file's.
    pub(super) header_changed: bool,
}

/// Who feeds an image has looked for zeros in cells of so many bytes; smaller clusters are looked at here.
const CELL: u64 = 64 << 10;

/// So many rests of clusters are kept open for compressed bytes.
const MOST_ROOMS: usize = 16;

/// A new image in empty storage.
pub(super) fn create(place: Place, spec: &Spec) -> Result<Box<dyn Image>> {
    let mut writer = Writer::new(place, spec, None)?;
    writer.write_header()?;
    if !writer.holds_holes {
        writer.write_zeros(Extent::between(writer.geometry().cluster(), writer.header.l1_offset))?;
    }
    Ok(Box::new(writer))
}

impl Writer {
    /// A writer with the tables that there are, or with none.
    pub(super) fn new(place: Place, spec: &Spec, tables: Option<Tables>) -> Result<Writer> {
        let header = plan::header(spec)?;
        let cluster = header.geometry.cluster();
        let Place { storage, parent } = place;
        let holds_holes = storage.holds_holes();
        let new = || Tables::new(header.geometry, header.l1_offset, header.l1_entries, !holds_holes);
        let tables = tables.unwrap_or_else(new);
        let packer = (spec.compression != "none").then(|| {
            let level = spec.level.expect("the plan chose a level");
            Arc::new(Packer { compression: header.compression, level, cluster, parent: parent.clone() })
        });
        let next = plan::first_free(&header);
        Ok(Writer {
            storage,
            parent,
            content: spec.size,
            packer,
            tables,
            next,
            rooms: Vec::new(),
            holds_holes,
            header_changed: false,
            header,
        })
    }

    pub(super) fn geometry(&self) -> Geometry {
        self.header.geometry
    }

    /// Writes the header of an image that is not finished: refcounts lag behind.
    pub(super) fn write_header(&mut self) -> Result<()> {
        let table = plan::refcount_table_place(&self.geometry());
        // Version 2 has no dirty bit: without a refcount table QEMU opens it for repair alone.
        let table = if self.geometry().version == 2 { (0, 0) } else { (table, 1) };
        let bytes = self.header.bytes(table, true)?;
        self.write_at(&bytes, 0)?;
        self.header_changed = false;
        Ok(())
    }

    pub(super) fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        self.storage
            .write_at(data, offset)
            .map_err(|error| Error::writing("writing the image", error).at(offset))
    }

    pub(super) fn write_zeros(&self, at: Extent) -> Result<()> {
        self.storage
            .zero_at(at)
            .map_err(|error| Error::writing("writing zeros to the image", error).at(at.offset))
    }

    pub(super) fn flush(&self) -> Result<()> {
        self.storage.flush().map_err(|error| Error::writing("flushing the image", error))
    }

    fn clusters(&self) -> Clusters<'_> {
        let size = self.storage.size();
        Clusters {
            geometry: &self.header.geometry,
            compression: self.header.compression,
            stored: &*self.storage,
            stored_size: size,
            data: &*self.storage,
            data_size: size,
            parent: self.parent.as_ref().map(|parent| parent as &dyn ReadAt),
            known: None,
            unpacked: None,
            growing: true,
        }
    }

    fn read_back(&self, at: Extent) -> Result<Vec<u8>> {
        let mut bytes = vec![0; at.len as usize];
        self.read_at(&mut bytes, at.offset)
            .map_err(|error| Error::io("reading back the image", error).at(at.offset))?;
        Ok(bytes)
    }

    /// Takes `clusters` clusters of the file; where they begin.
    fn allocate(&mut self, clusters: u64) -> u64 {
        let place = self.next;
        self.next += clusters * self.geometry().cluster();
        place
    }

    /// Makes sure that the cluster has an L2 table.
    fn need_table(&mut self, cluster: u64) -> Result<()> {
        let index = cluster / self.geometry().l2_entries();
        if self.tables.table(index) == 0 {
            let place = self.allocate(1);
            if !self.holds_holes {
                // The file grows forward, never over a gap.
                self.write_zeros(Extent::new(place, self.geometry().cluster()))?;
            }
            self.tables.set_table(&*self.storage, index, place)?;
        }
        Ok(())
    }

    fn entry(&mut self, cluster: u64) -> Result<u64> {
        self.tables.get(&*self.storage, cluster)
    }

    /// Where a cluster is, if it is allocated by itself.
    fn host(entry: u64) -> Option<u64> {
        (entry & (COMPRESSED | ZERO) == 0 && entry & OFFSET != 0).then_some(entry & OFFSET)
    }

    /// Puts bytes where they are, or into new clusters.
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let geometry = self.geometry();
        let end = offset + data.len() as u64;
        let mut at = offset;
        while at < end {
            let first = at >> geometry.cluster_bits;
            let entry = self.entry(first)?;
            let host = Self::host(entry);
            // The run of clusters that are alike: allocated one behind the other, or not at all.
            let mut next = first + 1;
            let mut last = entry;
            while next << geometry.cluster_bits < end && !next.is_multiple_of(geometry.l2_entries()) {
                let entry = self.entry(next)?;
                let behind = host.map(|host| host + ((next - first) << geometry.cluster_bits));
                if Self::host(entry) != behind {
                    break;
                }
                last = entry;
                next += 1;
            }
            let until = (next << geometry.cluster_bits).min(end);
            let part = &data[(at - offset) as usize..(until - offset) as usize];
            match host {
                Some(host) => self.write_at(part, host + geometry.in_cluster(at))?,
                None => self.write_new(at, part, entry, last)?,
            }
            at = until;
        }
        Ok(())
    }

    /// Puts bytes, and takes no place for clusters that are zeros.
    fn write_unless_zeros(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let cluster = self.geometry().cluster();
        let end = offset + data.len() as u64;
        let next = |at: u64| ((at / cluster + 1) * cluster).min(end);
        let zeros = |at: u64| is_zero(&data[(at - offset) as usize..(next(at) - offset) as usize]);
        let mut at = offset;
        while at < end {
            let are_zeros = zeros(at);
            let mut until = next(at);
            while until < end && zeros(until) == are_zeros {
                until = next(until);
            }
            match are_zeros {
                true => self.clear(Extent::between(at, until))?,
                false => self.write(at, &data[(at - offset) as usize..(until - offset) as usize])?,
            }
            at = until;
        }
        Ok(())
    }

    /// Puts bytes into new clusters of one L2 table; `first` and `last` are the entries of the first and the last cluster
    /// before that.
    fn write_new(&mut self, offset: u64, data: &[u8], first: u64, last: u64) -> Result<()> {
        let geometry = self.geometry();
        let at = Extent::new(offset, data.len() as u64);
        let whole = at.align_out(geometry.cluster());
        let head = Extent::between(whole.offset, at.offset);
        let tail = Extent::between(at.end(), whole.end());
        let reads_zeros = |entry: u64| entry == ZERO || (entry == 0 && self.parent.is_none());
        let hole = |rest: Extent, entry| rest.is_empty() || (self.holds_holes && reads_zeros(entry));
        let filled = match hole(head, first) && hole(tail, last) {
            true => None,
            // What the clusters read as until now stays: the parent's bytes, mostly. Behind the disk's end are zeros.
            false => {
                let disk = Extent::new(0, geometry.size);
                let mut bytes = self.read_back(head)?;
                bytes.extend(data);
                bytes.extend(self.read_back(tail.intersect(disk))?);
                bytes.resize(whole.len as usize, 0);
                Some(bytes)
            }
        };
        self.need_table(whole.offset >> geometry.cluster_bits)?;
        let host = self.allocate(whole.len >> geometry.cluster_bits);
        match filled {
            Some(bytes) => self.write_at(&bytes, host)?,
            None => self.write_at(data, host + head.len)?,
        }
        for index in 0..whole.len >> geometry.cluster_bits {
            let cluster = (whole.offset >> geometry.cluster_bits) + index;
            let place = host + (index << geometry.cluster_bits);
            self.tables.set(&*self.storage, cluster, place | COPIED)?;
        }
        Ok(())
    }

    /// Makes bytes zeros; where nothing else would show through, that takes no place.
    pub(super) fn clear(&mut self, at: Extent) -> Result<()> {
        let geometry = self.geometry();
        // What lies between the content's end and the disk's is zeros anyway.
        let end = if at.end() >= self.content { geometry.size.max(at.end()) } else { at.end() };
        let mut offset = at.offset;
        while offset < end {
            let cluster = offset >> geometry.cluster_bits;
            let reach_end = (cluster / geometry.l2_entries() + 1) * geometry.reach();
            let index = cluster / geometry.l2_entries();
            let until = if self.tables.table(index) == 0 {
                // The whole table's reach, as far as nothing shows through.
                self.shown_from(Extent::between(offset, reach_end.min(end)))?
            } else {
                offset
            };
            if until > offset {
                offset = until;
                continue;
            }
            offset = self.clear_run(offset, reach_end.min(end))?;
        }
        Ok(())
    }

    /// Up to where an unallocated extent reads as zeros, in whole clusters or to its end.
    fn shown_from(&self, at: Extent) -> Result<u64> {
        let Some(parent) = &self.parent else { return Ok(at.end()) };
        let mut offset = at.offset;
        while offset < at.end() && offset < parent.size() {
            let known = parent.content_at(offset);
            let (content, until) = known.map_err(|error| unreadable_parent(error, offset))?;
            if content == Content::Data {
                let within = self.geometry().in_cluster(offset);
                return Ok((offset - within).max(at.offset));
            }
            offset = until;
        }
        Ok(at.end())
    }

    /// Makes zeros of the clusters from `offset` on that are alike, at most up to `end`; up to where that was.
    fn clear_run(&mut self, offset: u64, end: u64) -> Result<u64> {
        let geometry = self.geometry();
        let first = offset >> geometry.cluster_bits;
        let entry = self.entry(first)?;
        let guest = geometry.guest(first);
        let until = guest.end().min(end);
        if let Some(host) = Self::host(entry) {
            let mut run_end = until;
            while run_end < end {
                let behind = host + (run_end - guest.offset);
                if Self::host(self.entry(run_end >> geometry.cluster_bits)?) != Some(behind) {
                    break;
                }
                run_end = (run_end + geometry.cluster()).min(end);
            }
            self.write_zeros(Extent::new(host + (offset - guest.offset), run_end - offset))?;
            return Ok(run_end);
        }
        let part = Extent::between(offset, until);
        let shows = match entry {
            0 => self.shown_from(part)? < until,
            entry => entry & COMPRESSED != 0,
        };
        if !shows {
            return Ok(until);
        }
        if part.covers(guest) && (geometry.version > 2 || self.parent.is_none()) {
            self.need_table(first)?;
            let entry = if self.parent.is_some() { ZERO } else { 0 };
            self.tables.set(&*self.storage, first, entry)?;
        } else if part.covers(guest) && self.holds_holes {
            self.need_table(first)?;
            let host = self.allocate(1);
            self.tables.set(&*self.storage, first, host | COPIED)?;
        } else {
            self.write(offset, &vec![0; part.len as usize])?;
        }
        Ok(until)
    }

    /// A place for compressed bytes: the smallest rest of a cluster that holds them, or behind all others.
    fn place_packed(&mut self, len: u64) -> u64 {
        let cluster = self.geometry().cluster();
        let grows = self.rooms.last().is_some_and(|room| room.end() == self.next);
        let fits = |room: &&mut Extent| room.len >= len;
        let room = match self.rooms.iter_mut().filter(fits).min_by_key(|room| room.len) {
            Some(room) => room,
            None => {
                if !grows {
                    // Others were allocated behind the last one: it stays open for what is small enough.
                    if self.rooms.len() >= MOST_ROOMS {
                        let smallest = (0..self.rooms.len()).min_by_key(|index| self.rooms[*index].len);
                        self.rooms.remove(smallest.expect("not empty"));
                    }
                    self.rooms.push(Extent::new(self.next, 0));
                }
                let last = self.rooms.last().expect("one was pushed").len;
                let missing = (len - last).div_ceil(cluster);
                self.allocate(missing);
                let room = self.rooms.last_mut().expect("one was pushed");
                room.len += missing * cluster;
                room
            }
        };
        let place = room.offset;
        *room = Extent::between(place + len, room.end());
        place
    }

    fn put_grains(&mut self, offset: u64, data: &[u8], packed: &Packed) -> Result<()> {
        let geometry = self.geometry();
        // Tables first: compressed clusters lie one behind the other then.
        for grain in packed.grains.iter().filter(|grain| grain.form != Form::Zero) {
            self.need_table(grain.at.offset >> geometry.cluster_bits)?;
        }
        let ranges: Vec<_> = packed
            .grains
            .iter()
            .filter_map(|grain| match &grain.form {
                Form::Packed(range) => Some((grain.at.offset >> geometry.cluster_bits, range.clone())),
                _ => None,
            })
            .collect();
        let lens: Vec<u64> = ranges.iter().map(|(_, range)| range.len() as u64).collect();
        let places: Vec<u64> = lens.iter().map(|len| self.place_packed(*len)).collect();
        let mut index = 0;
        while index < ranges.len() {
            // Neighbours in memory and in the file are one write.
            let start = index;
            index += 1;
            while index < ranges.len()
                && ranges[index].1.start == ranges[index - 1].1.end
                && places[index] == places[index - 1] + lens[index - 1]
            {
                index += 1;
            }
            let bytes = &packed.bytes[ranges[start].1.start..ranges[index - 1].1.end];
            self.write_at(bytes, places[start])?;
        }
        for (((cluster, _), place), len) in ranges.iter().zip(places).zip(lens) {
            let entry = geometry.packed_entry(Extent::new(place, len));
            self.tables.set(&*self.storage, *cluster, entry)?;
        }
        let mut plain: Option<Extent> = None;
        for grain in &packed.grains {
            match grain.form {
                Form::Packed(_) => {}
                Form::Zero => self.clear(grain.at)?,
                Form::Plain => match &mut plain {
                    Some(run) if run.end() == grain.at.offset => run.len += grain.at.len,
                    run => {
                        if let Some(run) = run.replace(grain.at) {
                            let start = (run.offset - offset) as usize;
                            self.write(run.offset, &data[start..start + run.len as usize])?;
                        }
                    }
                },
            }
        }
        if let Some(run) = plain {
            let start = (run.offset - offset) as usize;
            self.write(run.offset, &data[start..start + run.len as usize])?;
        }
        Ok(())
    }

    /// Writes tables and header as far as they changed, behind what they refer to.
    pub(super) fn write_tables(&mut self) -> Result<()> {
        if self.storage.size() < self.next {
            // The last cluster may be a hole in part.
            let failed = |error| Error::writing("setting the size of the image", error);
            self.storage.set_size(self.next).map_err(failed)?;
        }
        self.flush()?;
        if self.tables.write_l2(&*self.storage)? {
            self.flush()?;
        }
        let header = self.header_changed;
        if header {
            self.write_header()?;
        }
        if self.tables.write_l1(&*self.storage)? || header {
            self.flush()?;
        }
        Ok(())
    }

    /// In a cluster of which something is held, `part` is not: it becomes what it is in a new image.
    pub(super) fn restore(&mut self, part: Extent) -> Result<()> {
        let entry = self.entry(part.offset >> self.geometry().cluster_bits)?;
        let Some(parent) = &self.parent else { return self.clear(part) };
        if entry == 0 {
            return Ok(());
        }
        let mut bytes = vec![0; part.len as usize];
        let failed = |error| unreadable_parent(error, part.offset);
        read_padded(&**parent, &mut bytes, part.offset).map_err(failed)?;
        self.write(part.offset, &bytes)
    }

    /// The bytes between the content's end and the disk's are zeros, also over a parent.
    pub(super) fn clear_padding(&mut self) -> Result<()> {
        let padding = Extent::between(self.content, self.geometry().size);
        // Less than a sector: mostly it is zeros already, and a packed cluster is not unpacked for it.
        match is_zero(&self.read_back(padding)?) {
            true => Ok(()),
            false => self.clear(padding),
        }
    }
}

impl Sink for Writer {
    fn placement(&self) -> Placement {
        if self.packer.is_some() { Placement::InOrder } else { Placement::Anywhere }
    }

    fn packer(&self) -> Option<Arc<dyn Pack>> {
        self.packer.clone().map(|packer| packer as Arc<dyn Pack>)
    }

    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let at = Extent::new(offset, data.len() as u64);
        assert!(at.len == data.len() as u64 && at.end() <= self.content, "a put within the image");
        match self.packer.clone() {
            Some(packer) => self.put_packed(offset, data, &packer.pack(at, data)?),
            None if self.geometry().cluster() < CELL => self.write_unless_zeros(offset, data),
            None => self.write(offset, data),
        }
    }

    fn put_packed(&mut self, offset: u64, data: &[u8], packed: &Packed) -> Result<()> {
        let end = offset + data.len() as u64;
        let whole = self.geometry().in_cluster(offset) == 0
            && (self.geometry().in_cluster(end) == 0 || end == self.content);
        assert!(whole && end <= self.content, "whole clusters are packed");
        self.put_grains(offset, data, packed)
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        assert!(at.end() <= self.content, "a zero within the image");
        self.clear(at)
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.write_tables()
    }
}

impl ReadAt for Writer {
    fn size(&self) -> u64 {
        self.geometry().size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.clusters().read(&mut self.tables.cursor(&*self.storage), buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        self.clusters().content(&mut self.tables.cursor(&*self.storage), offset)
    }
}

impl Image for Writer {
    fn set_end(&mut self, size: u64) -> Result<()> {
        let geometry = self.geometry();
        assert!(size <= self.content, "the content only becomes shorter");
        // Nothing refers to clusters behind the end any more: their refcounts will be 0.
        let mut cluster = size.next_multiple_of(geometry.cluster()) >> geometry.cluster_bits;
        let clusters = geometry.size.div_ceil(geometry.cluster());
        while cluster < clusters {
            let index = cluster / geometry.l2_entries();
            let next_table = (index + 1) * geometry.l2_entries();
            if cluster.is_multiple_of(geometry.l2_entries()) {
                if self.tables.table(index) != 0 {
                    self.tables.set_table(&*self.storage, index, 0)?;
                }
            } else if self.tables.table(index) != 0 {
                for cluster in cluster..next_table.min(clusters) {
                    self.tables.set(&*self.storage, cluster, 0)?;
                }
            }
            cluster = next_table;
        }
        self.content = size;
        self.header.geometry.size = size.next_multiple_of(super::layout::SECTOR);
        self.header_changed = true;
        self.clear_padding()
    }

    fn finish(&mut self) -> Result<()> {
        self.clear_padding()?;
        self.write_tables()?;
        finish::finish(self)
    }
}
