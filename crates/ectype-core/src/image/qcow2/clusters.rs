//! Guest clusters: where their bytes are, and reading them.
//!
//! ```text
//!   L1 ──► L2 ──► entry ──► nothing      the backing file, or zeros
//!                      ├──► zero
//!                      ├──► host cluster  neighbours are read in one
//!                      └──► compressed    neighbours are read in one, each unpacked for itself
//! ```

use super::header::Compression;
use super::layout::{Geometry, Mapped, SUBCLUSTERS};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::image::codec::{self, Wrapper};
use crate::io::{Content, ReadAt, read_padded};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// Finds L2 entries.
pub(super) trait Look {
    /// What is known of a guest cluster.
    fn look(&mut self, cluster: u64) -> io::Result<Looked>;
}

/// What is known of a guest cluster.
pub(super) enum Looked {
    /// There is no L2 table for it, nor for those before `until`.
    Absent { until: u64 },
    /// Its entry, an extended entry's second half, and where in the file it is.
    Entry { entry: u64, bitmap: u64, at: u64 },
}

/// What guest clusters are read from.
pub(super) struct Clusters<'a> {
    pub(super) geometry: &'a Geometry,
    pub(super) compression: Compression,
    /// The image, which holds compressed clusters.
    pub(super) stored: &'a dyn ReadAt,
    pub(super) stored_size: u64,
    /// What holds the other clusters: the image, or its data file.
    pub(super) data: &'a dyn ReadAt,
    pub(super) data_size: u64,
    pub(super) parent: Option<&'a dyn ReadAt>,
    /// What of `data` is known to be no hole.
    pub(super) known: Option<&'a Known>,
    /// Unpacked clusters that were read in part.
    pub(super) unpacked: Option<&'a Cache<Vec<u8>>>,
    /// Whether the file still grows: what lies behind its end are zeros to be.
    pub(super) growing: bool,
}

/// Bytes of a file that are known to be no hole: to ask again for every cluster may cost a walk through its extents.
#[derive(Default)]
pub(super) struct Known {
    from: AtomicU64,
    until: AtomicU64,
}

impl Known {
    /// Up to where data go on from `at`, if that is known.
    fn data(&self, at: u64) -> Option<u64> {
        let (from, until) = (self.from.load(Ordering::Relaxed), self.until.load(Ordering::Relaxed));
        (from <= at && at < until).then_some(until)
    }

    /// Two threads may mix what they learn: then a hole is taken for data, and read.
    fn learn(&self, from: u64, until: u64) {
        self.from.store(from, Ordering::Relaxed);
        self.until.store(until, Ordering::Relaxed);
    }
}

/// A run of clusters is followed for so many steps before it is told, whatever comes behind.
const STEPS: usize = 1 << 18;

/// Data are followed less far: they have to be read anyway.
const DATA_STEPS: usize = 1 << 12;

/// So many compressed bytes are read in one, and so many that nobody asked for between two clusters.
const GROUP: u64 = 2 << 20;
const GAP: u64 = 32 << 10;

impl Clusters<'_> {
    /// Fills `buf` from `offset` of the disk.
    pub(super) fn read(&self, look: &mut dyn Look, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.geometry.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut at = offset;
        while at < end {
            let rest = &mut buf[(at - offset) as usize..];
            let (mapped, until) = self.run(look, at, end)?;
            let until = until.min(end);
            let part = &mut rest[..(until - at) as usize];
            at = match mapped {
                Mapped::Zero => {
                    part.fill(0);
                    until
                }
                Mapped::Unallocated => {
                    self.read_parent(part, at)?;
                    until
                }
                Mapped::Data(host) => {
                    self.read_data(part, host)?;
                    until
                }
                Mapped::Packed(packed) => self.read_packed(look, rest, at, packed)?,
            };
        }
        Ok(())
    }

    /// What lies at `offset`, as far as it is known without reading.
    pub(super) fn content(&self, look: &mut dyn Look, offset: u64) -> io::Result<(Content, u64)> {
        let size = self.geometry.size;
        if offset >= size {
            return Ok((Content::Data, offset.saturating_add(1)));
        }
        let (mapped, _) = self.step(look, offset)?;
        let (stored, at, stored_size) = match (mapped, self.parent) {
            (Mapped::Data(host), _) => (self.data, host, self.data_size),
            (Mapped::Unallocated, Some(parent)) => (parent, offset, parent.size()),
            (Mapped::Packed(_), _) => return self.as_far(look, offset, Content::Data, size),
            (Mapped::Zero | Mapped::Unallocated, _) => {
                return self.as_far(look, offset, Content::Zero, size);
            }
        };
        let limit = |stored_until: u64| offset.saturating_add(stored_until.saturating_sub(at)).min(size);
        let known = self.known.filter(|_| mapped != Mapped::Unallocated);
        if let Some(data_until) = known.and_then(|known| known.data(at)) {
            return self.as_far(look, offset, Content::Data, limit(data_until));
        }
        if at >= stored_size {
            let content = if mapped == Mapped::Unallocated { Content::Zero } else { Content::Data };
            return self.as_far(look, offset, content, size);
        }
        // A hole in the file, or what the parent knows.
        let (content, stored_until) = stored.content_at(at)?;
        if let Some(known) = known.filter(|_| content == Content::Data) {
            known.learn(at, stored_until);
        }
        self.as_far(look, offset, content, limit(stored_until))
    }

    /// What is known up to `limit`, as far as the clusters go on like this; behind it nobody looks, or a walk through a parent
    /// in many parts would follow the same clusters for each of them.
    fn as_far(
        &self,
        look: &mut dyn Look,
        offset: u64,
        content: Content,
        limit: u64,
    ) -> io::Result<(Content, u64)> {
        let (_, until) = self.run(look, offset, limit)?;
        Ok((content, until.min(limit)))
    }

    /// What holds the byte at `offset`, and up to where it goes on like this, at least up to `limit` if it does.
    fn run(&self, look: &mut dyn Look, offset: u64, limit: u64) -> io::Result<(Mapped, u64)> {
        let (first, mut end) = self.step(look, offset)?;
        let most = match first {
            Mapped::Packed(_) => return Ok((first, end)),
            Mapped::Data(_) => DATA_STEPS,
            Mapped::Zero | Mapped::Unallocated => STEPS,
        };
        for _ in 0..most {
            if end >= limit {
                break;
            }
            // What is wrong behind is told to who asks for it.
            let Ok((next, next_end)) = self.step(look, end) else { break };
            let goes_on = match (first, next) {
                (Mapped::Data(host), Mapped::Data(next)) => host.checked_add(end - offset) == Some(next),
                _ => first == next,
            };
            if !goes_on {
                break;
            }
            end = next_end;
        }
        Ok((first, end))
    }

    /// What holds the byte at `offset`, and where its cluster or subcluster ends.
    fn step(&self, look: &mut dyn Look, offset: u64) -> io::Result<(Mapped, u64)> {
        let geometry = self.geometry;
        let cluster = offset >> geometry.cluster_bits;
        let nothing = if self.parent.is_some() { Mapped::Unallocated } else { Mapped::Zero };
        let (entry, bitmap, at) = match look.look(cluster)? {
            Looked::Absent { until } => return Ok((nothing, until.saturating_mul(geometry.cluster()))),
            Looked::Entry { entry, bitmap, at } => (entry, bitmap, at),
        };
        let within = geometry.in_cluster(offset);
        let unit = if geometry.extended { geometry.cluster() / SUBCLUSTERS } else { geometry.cluster() };
        let wrong =
            |what| Error::corrupt(at, format!("the L2 entry of disk byte {offset} has {what}")).into_io();
        Ok(match geometry.decode(entry, bitmap, within / unit).map_err(wrong)? {
            Mapped::Packed(packed) => (Mapped::Packed(packed), offset - within + geometry.cluster()),
            mapped => {
                let end = offset - within % unit + unit;
                match mapped {
                    Mapped::Data(host) => (Mapped::Data(host + within), end),
                    Mapped::Unallocated => (nothing, end),
                    mapped => (mapped, end),
                }
            }
        })
    }

    /// "If there is no backing file or the backing file is smaller than the image, they shall read zeros."
    fn read_parent(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let Some(parent) = self.parent else {
            buf.fill(0);
            return Ok(());
        };
        read_padded(parent, buf, offset)
    }

    /// A file may end within its last cluster, of which the rest are zeros.
    fn read_data(&self, buf: &mut [u8], host: u64) -> io::Result<()> {
        let there = self.data_size.saturating_sub(host).min(buf.len() as u64) as usize;
        let (there, rest) = buf.split_at_mut(there);
        if !rest.is_empty() {
            let end = host + (there.len() + rest.len()) as u64;
            if !self.growing && end > self.data_size.next_multiple_of(self.geometry.cluster()) {
                let context = format!("a cluster that lies behind the end of the file, {}", self.data_size);
                return Err(Error::corrupt(host.max(self.data_size), context).into_io());
            }
            rest.fill(0);
        }
        if there.is_empty() { Ok(()) } else { self.data.read_at(there, host) }
    }

    /// Reads compressed clusters into `buf` from `offset` on, as many as lie together; up to where that went.
    fn read_packed(
        &self,
        look: &mut dyn Look,
        buf: &mut [u8],
        offset: u64,
        first: Extent,
    ) -> io::Result<u64> {
        let geometry = self.geometry;
        let cluster = geometry.cluster() as usize;
        if geometry.in_cluster(offset) != 0 || buf.len() < cluster {
            return self.read_part(buf, offset, first);
        }
        let mut group = vec![first];
        let (mut span, mut at) = (first, offset + cluster as u64);
        while buf.len() >= (group.len() + 1) * cluster {
            // As above: an error belongs to who asks for that cluster first.
            let Ok((Mapped::Packed(next), _)) = self.step(look, at) else { break };
            let joins = next.offset >= span.offset
                && next.offset <= span.end().saturating_add(GAP)
                && next.end() - span.offset <= GROUP;
            if !joins {
                break;
            }
            span = Extent::between(span.offset, span.end().max(next.end()));
            group.push(next);
            at += cluster as u64;
        }
        let bytes = self.read_stored(span)?;
        for (packed, out) in group.iter().zip(buf.chunks_exact_mut(cluster)) {
            let start = (packed.offset - span.offset) as usize;
            let end = (packed.end() - span.offset).min(bytes.len() as u64) as usize;
            let packed_bytes = bytes.get(start..end).unwrap_or_default();
            self.unpack(packed_bytes, packed.offset, out).map_err(Error::into_io)?;
        }
        Ok(at)
    }

    /// Reads a part of one compressed cluster; it is kept for whoever reads the rest.
    fn read_part(&self, buf: &mut [u8], offset: u64, packed: Extent) -> io::Result<u64> {
        let geometry = self.geometry;
        let within = geometry.in_cluster(offset) as usize;
        let len = buf.len().min(geometry.cluster() as usize - within);
        let make = || -> io::Result<Vec<u8>> {
            let mut whole = vec![0; geometry.cluster() as usize];
            let bytes = self.read_stored(packed)?;
            self.unpack(&bytes, packed.offset, &mut whole).map_err(Error::into_io)?;
            Ok(whole)
        };
        let copy = |whole: &[u8], buf: &mut [u8]| buf[..len].copy_from_slice(&whole[within..within + len]);
        match self.unpacked {
            Some(cache) => copy(&cache.get(offset >> geometry.cluster_bits, make)?, buf),
            None => copy(&make()?, buf),
        }
        Ok(offset + len as u64)
    }

    /// Compressed bytes, as far as the file has them: their last sector may be cut.
    fn read_stored(&self, span: Extent) -> io::Result<Vec<u8>> {
        if span.offset >= self.stored_size {
            let context = format!("a compressed cluster behind the end of the file, {}", self.stored_size);
            return Err(Error::corrupt(span.offset, context).into_io());
        }
        let mut bytes = vec![0; (self.stored_size - span.offset).min(span.len) as usize];
        self.stored.read_at(&mut bytes, span.offset)?;
        Ok(bytes)
    }

    fn unpack(&self, packed: &[u8], at: u64, out: &mut [u8]) -> Result<()> {
        let wrong = |why: String| Error::corrupt(at, format!("a compressed cluster: {why}"));
        let unpacked = match self.compression {
            Compression::Zlib => codec::inflate(Wrapper::Raw, packed, out).ok(),
            Compression::Zstd => Some(codec::unzstd(packed, out).map_err(|error| wrong(error.to_string()))?),
        };
        let len = match unpacked {
            Some(len) => len,
            // Some writers never end their streams: enough that the cluster comes out.
            None => {
                codec::inflate_open(Wrapper::Raw, packed, out).map_err(|error| wrong(error.to_string()))?
            }
        };
        match len == out.len() {
            true => Ok(()),
            false => Err(wrong(format!("{len} bytes come out; {} are expected", out.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An L2 table without entries for everything, and how often it was looked at.
    struct Empty(u64);

    impl Look for Empty {
        fn look(&mut self, _cluster: u64) -> io::Result<Looked> {
            self.0 += 1;
            Ok(Looked::Entry { entry: 0, bitmap: 0, at: 0 })
        }
    }

    /// Data and zeros by turns.
    struct Striped(u64);

    impl ReadAt for Striped {
        fn size(&self) -> u64 {
            self.0
        }

        fn read_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
            Ok(())
        }

        fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
            let stripe = offset >> 16;
            Ok((if stripe & 1 == 0 { Content::Data } else { Content::Zero }, (stripe + 1) << 16))
        }
    }

    #[test]
    fn a_parent_in_many_parts_is_walked_once() {
        let geometry =
            Geometry { version: 3, cluster_bits: 16, size: 2000 << 16, extended: false, external: false };
        let (parent, stored) = (Striped(geometry.size), [0; 0]);
        let clusters = Clusters {
            geometry: &geometry,
            compression: Compression::Zlib,
            stored: &&stored[..],
            stored_size: 0,
            data: &&stored[..],
            data_size: 0,
            parent: Some(&parent),
            known: None,
            unpacked: None,
            growing: false,
        };
        let (mut look, mut offset, mut parts) = (Empty(0), 0, 0);
        while offset < geometry.size {
            offset = clusters.content(&mut look, offset).unwrap().1;
            parts += 1;
        }
        assert!(parts == 2000 && look.0 < 10 * 2000, "{parts} parts, {} looks", look.0);
    }
}
