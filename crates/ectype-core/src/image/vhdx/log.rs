//! The log (§2.3), replayed in memory: the stored bytes are never written to.
//!
//! ```text
//!   log    │entry 7│entry 8│ torn  │ old … │ old … │entry 6│     a ring of entries in sectors of 4 KiB
//!                      ▲head                      ▲ tail        6, 7 and 8 are the active sequence
//!   entry  │header, descriptors│data sector│data sector│ …       one checksum over it all
//!
//!   stored ░░░░░░░░░░░░░░░░░░░░░░░░
//!   log's     ▓▓  ▓▓▓    ▓▓                                      laid over it: Replayed
//! ```

use super::layout::*;
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::image::codec::{crc32c, crc32c_append};
use crate::io::{Content, ReadAt};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use zerocopy::FromBytes;

/// No longer log is looked through, in bytes; Windows makes logs of 1 MiB.
const LONGEST_LOG: u64 = 256 * MIB;
/// No more is replayed, in bytes of the log: it is held in memory.
const LONGEST_SEQUENCE: u64 = 32 * MIB;
const SECTOR: usize = LOG_SECTOR as usize;

/// What became of the log.
pub(super) struct Log {
    /// The bytes of the file as they are once the log is replayed.
    pub(super) file: Arc<dyn ReadAt>,
    /// How many entries were replayed.
    pub(super) replayed: usize,
    pub(super) notes: Vec<String>,
}

/// Replays the log that `header`, the current one, names.
pub(super) fn replay(stored: Arc<dyn ReadAt>, header: &Header) -> Result<Log> {
    let mut log = Log { file: Arc::clone(&stored), replayed: 0, notes: Vec::new() };
    if header.log_guid == Guid::ZERO {
        return Ok(log);
    }
    if header.log_version.get() != 0 {
        return Err(Error::unsupported(format!("its log has version {}", header.log_version)));
    }
    let at = Extent::new(header.log_offset.get(), u64::from(header.log_length.get()));
    if at.len > LONGEST_LOG {
        let what = format!("its log has {} bytes; up to {LONGEST_LOG} are replayed", at.len);
        return Err(Error::new(Kind::Limit, what));
    }
    if at.is_empty() || at.end() > stored.size() {
        return Err(Error::corrupt(
            at.offset,
            format!("a log within the file is expected, and it is at {at:?}"),
        ));
    }
    let mut ring = Ring { stored: &*stored, at, guid: header.log_guid, window: Vec::new(), from: 0 };
    let Some(sequence) = active(ring.entries()?, at.len) else {
        // A writer names its log before it writes the first entry: nothing was changed under it yet.
        log.notes.push(format!(
            "the log {} holds no whole sequence of entries: nothing to replay",
            header.log_guid
        ));
        return Ok(log);
    };
    let len: u64 = sequence.iter().map(|entry| u64::from(entry.len)).sum();
    if len > LONGEST_SEQUENCE {
        let what = format!("its log has {len} bytes to be replayed; up to {LONGEST_SEQUENCE} are");
        return Err(Error::new(Kind::Limit, what));
    }
    let mut replayed = Replayed { size: stored.size(), stored: Arc::clone(&stored), pieces: BTreeMap::new() };
    // What the newest entry took for durable must be there (§2.3.3).
    if let Some(head) = sequence.last().filter(|head| head.flushed > stored.size()) {
        let (known, found) = (head.flushed, stored.size());
        let what = format!("the file is cut: its log knows of {known} bytes, there are {found}");
        return Err(Error::corrupt(at.offset + u64::from(head.at), what));
    }
    for entry in &sequence {
        ring.apply(entry, &mut replayed)?;
    }
    let last = sequence.last().map_or(0, |entry| entry.last);
    replayed.size = replayed.size.max(last.checked_next_multiple_of(MIB).unwrap_or(last));
    log.replayed = sequence.len();
    log.notes.push(format!("the log is not empty: {} entries were replayed in memory", sequence.len()));
    log.file = Arc::new(replayed);
    Ok(log)
}

/// A whole entry of the log.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// From the beginning of the log, like `tail`.
    at: u32,
    len: u32,
    sequence: u64,
    tail: u32,
    flushed: u64,
    last: u64,
}

/// The active sequence (§2.3.3): of those that reach back to the tail which their last entry names, the newest.
fn active(mut entries: Vec<Entry>, ring: u64) -> Option<Vec<Entry>> {
    entries.sort_by_key(|entry| entry.sequence);
    // Whole entries never overlap, so at most one ends where another begins: the chains are paths, each known by its first.
    let mut by_end: HashMap<(u64, u64), usize> = HashMap::new();
    let mut place: HashMap<u32, usize> = HashMap::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(entries.len());
    let mut first: Vec<usize> = Vec::with_capacity(entries.len());
    let mut newest = None;
    for (index, entry) in entries.iter().enumerate() {
        let previous =
            entry.sequence.checked_sub(1).and_then(|n| by_end.get(&(u64::from(entry.at), n)).copied());
        before.push(previous);
        first.push(previous.map_or(index, |previous| first[previous]));
        by_end.insert(((u64::from(entry.at) + u64::from(entry.len)) % ring, entry.sequence), index);
        place.insert(entry.at, index);
        if let Some(&tail) = place.get(&entry.tail)
            && first[tail] == first[index]
        {
            newest = Some((tail, index));
        }
    }
    let (tail, head) = newest?;
    let mut sequence = vec![entries[head]];
    let mut at = head;
    while at != tail {
        at = before[at]?;
        sequence.push(entries[at]);
    }
    sequence.reverse();
    Some(sequence)
}

/// The log as a ring of sectors.
struct Ring<'a> {
    stored: &'a dyn ReadAt,
    at: Extent,
    guid: Guid,
    /// A part of the log that was read, and where it begins.
    window: Vec<u8>,
    from: u64,
}

impl Ring<'_> {
    /// The sector at `offset` of the log, which may have gone round.
    fn sector(&mut self, offset: u64) -> Result<&[u8]> {
        let offset = offset % self.at.len;
        let end = self.from + self.window.len() as u64;
        if offset < self.from || offset + LOG_SECTOR > end {
            self.from = offset;
            self.window.resize((self.at.len - offset).min(MIB) as usize, 0);
            let read = self.stored.read_at(&mut self.window, self.at.offset + offset);
            read.map_err(|error| Error::io("reading the log", error).at(self.at.offset + offset))?;
        }
        let start = (offset - self.from) as usize;
        Ok(&self.window[start..start + SECTOR])
    }

    /// All whole entries of this log.
    fn entries(&mut self) -> Result<Vec<Entry>> {
        let (mut entries, mut at) = (Vec::new(), 0);
        while at < self.at.len {
            match self.entry(at)? {
                Some(entry) => {
                    at += u64::from(entry.len);
                    entries.push(entry);
                }
                None => at += LOG_SECTOR,
            }
        }
        Ok(entries)
    }

    /// The entry at `at`, if it is whole (§2.3.1). A sector can be the first of an entry, or lie in one, never both: looking
    /// at every sector for an entry goes through the log twice at most.
    fn entry(&mut self, at: u64) -> Result<Option<Entry>> {
        let (guid, ring) = (self.guid, self.at.len);
        let sector = self.sector(at)?;
        let Ok((header, _)) = LogEntryHeader::read_from_prefix(sector) else { return Ok(None) };
        let (len, count) = (header.entry_length.get(), header.descriptor_count.get());
        let sequence = header.sequence_number.get();
        let sound = header.signature == LOG_ENTRY_SIGNATURE
            && header.log_guid == guid
            && sequence != 0
            && len != 0
            && len % LOG_SECTOR as u32 == 0
            && u64::from(len) <= ring
            && u64::from(header.tail.get()) < ring
            && header.tail.get() % LOG_SECTOR as u32 == 0;
        if !sound {
            return Ok(None);
        }
        let described = descriptors_len(count);
        let mut crc = crc32c_append(crc32c_append(crc32c(&sector[..4]), &[0; 4]), &sector[8..]);
        let mut data = 0_u64;
        if described > u64::from(len) {
            return Ok(None);
        }
        let log = self.at;
        for index in 0..described / LOG_SECTOR {
            let sector = self.sector(at + index * LOG_SECTOR)?;
            if index > 0 {
                crc = crc32c_append(crc, sector);
            }
            for descriptor in descriptors(sector, index, count) {
                if !is_sound(&descriptor, sequence, log) {
                    return Ok(None);
                }
                data += u64::from(descriptor.signature == LOG_DATA_DESCRIPTOR_SIGNATURE);
            }
        }
        if described + data * LOG_SECTOR != u64::from(len) {
            return Ok(None);
        }
        for index in 0..data {
            let sector = self.sector(at + described + index * LOG_SECTOR)?;
            crc = crc32c_append(crc, sector);
            let whole = LogDataSector::ref_from_bytes(sector).is_ok_and(|sector| {
                let number =
                    u64::from(sector.sequence_high.get()) << 32 | u64::from(sector.sequence_low.get());
                sector.signature == LOG_DATA_SECTOR_SIGNATURE && number == sequence
            });
            if !whole {
                return Ok(None);
            }
        }
        if crc != header.checksum.get() {
            return Ok(None);
        }
        let (flushed, last) = (header.flushed_file_offset.get(), header.last_file_offset.get());
        Ok(Some(Entry { at: at as u32, len, sequence, tail: header.tail.get(), flushed, last }))
    }

    /// Lays what the entry writes over the file.
    fn apply(&mut self, entry: &Entry, replayed: &mut Replayed) -> Result<()> {
        let at = u64::from(entry.at);
        let header = LogEntryHeader::read_from_prefix(self.sector(at)?);
        let count = header.map_or(0, |(header, _)| header.descriptor_count.get());
        let described = descriptors_len(count);
        let mut next = at + described;
        for index in 0..described / LOG_SECTOR {
            let list: Vec<LogDescriptor> =
                descriptors(self.sector(at + index * LOG_SECTOR)?, index, count).collect();
            for descriptor in list {
                let offset = descriptor.file_offset.get();
                if descriptor.signature == LOG_ZERO_DESCRIPTOR_SIGNATURE {
                    let len = u64::from_le_bytes(descriptor.leading_bytes);
                    replayed.put(Extent::new(offset, len), None);
                    continue;
                }
                let mut sector: Box<[u8]> = self.sector(next)?.into();
                next += LOG_SECTOR;
                sector[..8].copy_from_slice(&descriptor.leading_bytes);
                sector[SECTOR - 4..].copy_from_slice(&descriptor.trailing_bytes);
                replayed.put(Extent::new(offset, LOG_SECTOR), Some(sector));
            }
        }
        Ok(())
    }
}

/// How much of an entry its header and descriptors take.
fn descriptors_len(count: u32) -> u64 {
    let len = size_of::<LogEntryHeader>() as u64 + u64::from(count) * size_of::<LogDescriptor>() as u64;
    len.next_multiple_of(LOG_SECTOR)
}

/// The descriptors in the entry's sector number `index`, of `count` in all.
fn descriptors(sector: &[u8], index: u64, count: u32) -> impl Iterator<Item = LogDescriptor> + '_ {
    const LEN: usize = size_of::<LogDescriptor>();
    let (header, in_sector) = (size_of::<LogEntryHeader>() / LEN, (SECTOR / LEN) as u64);
    let skip = if index == 0 { header } else { 0 };
    let before = (index * in_sector).saturating_sub(header as u64);
    let left = usize::try_from(u64::from(count).saturating_sub(before)).unwrap_or(usize::MAX);
    sector
        .chunks_exact(LEN)
        .skip(skip)
        .take(left)
        .filter_map(|bytes| LogDescriptor::read_from_bytes(bytes).ok())
}

/// Whether a descriptor may stand in an entry of this number (§2.3.1.2, §2.3.1.3): headers and log are not logged.
fn is_sound(descriptor: &LogDescriptor, sequence: u64, log: Extent) -> bool {
    let len = match descriptor.signature {
        LOG_DATA_DESCRIPTOR_SIGNATURE => LOG_SECTOR,
        LOG_ZERO_DESCRIPTOR_SIGNATURE => u64::from_le_bytes(descriptor.leading_bytes),
        _ => return false,
    };
    let offset = descriptor.file_offset.get();
    descriptor.sequence_number.get() == sequence
        && offset.is_multiple_of(LOG_SECTOR)
        && len.is_multiple_of(LOG_SECTOR)
        && offset.checked_add(len).is_some()
        && offset >= REGION_TABLES[0]
        && Extent::new(offset, len).intersect(log).is_empty()
}

/// The stored bytes with what the log writes laid over them.
struct Replayed {
    stored: Arc<dyn ReadAt>,
    size: u64,
    /// By their first byte, and disjoint.
    pieces: BTreeMap<u64, Piece>,
}

struct Piece {
    end: u64,
    /// One sector; `None` for zeros of any length.
    data: Option<Box<[u8]>>,
}

impl Replayed {
    fn put(&mut self, at: Extent, data: Option<Box<[u8]>>) {
        if at.is_empty() {
            return;
        }
        // All is cut at sectors, and data is one sector: only zeros can stick out.
        if let Some((&start, piece)) = self.pieces.range_mut(..at.offset).next_back()
            && piece.end > at.offset
        {
            let end = std::mem::replace(&mut piece.end, at.offset);
            debug_assert!(piece.data.is_none() && start < at.offset, "zeros are cut");
            if end > at.end() {
                self.pieces.insert(at.end(), Piece { end, data: None });
            }
        }
        while let Some((&start, piece)) = self.pieces.range(at.offset..at.end()).next() {
            let end = piece.end;
            self.pieces.remove(&start);
            if end > at.end() {
                self.pieces.insert(at.end(), Piece { end, data: None });
            }
        }
        self.size = self.size.max(at.end());
        self.pieces.insert(at.offset, Piece { end: at.end(), data });
    }

    /// The piece that covers `offset`, or where the next one begins.
    fn piece(&self, offset: u64) -> std::result::Result<(u64, &Piece), u64> {
        match self.pieces.range(..=offset).next_back() {
            Some((&start, piece)) if piece.end > offset => Ok((start, piece)),
            _ => Err(self.pieces.range(offset..).next().map_or(u64::MAX, |(&start, _)| start)),
        }
    }
}

impl ReadAt for Replayed {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut at = offset;
        while at < end {
            let from = (at - offset) as usize;
            let until = match self.piece(at) {
                Ok((start, piece)) => {
                    let until = piece.end.min(end);
                    let part = &mut buf[from..(until - offset) as usize];
                    match &piece.data {
                        Some(data) => part.copy_from_slice(&data[(at - start) as usize..][..part.len()]),
                        None => part.fill(0),
                    }
                    until
                }
                Err(next) => {
                    let until = next.min(end);
                    let part = &mut buf[from..(until - offset) as usize];
                    let held = self.stored.size().saturating_sub(at).min(part.len() as u64) as usize;
                    let (held, behind) = part.split_at_mut(held);
                    self.stored.read_at(held, at)?;
                    behind.fill(0);
                    until
                }
            };
            at = until;
        }
        Ok(())
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        match self.piece(offset) {
            Ok((_, piece)) if piece.data.is_some() => Ok((Content::Data, piece.end)),
            Ok((_, piece)) => Ok((Content::Zero, piece.end)),
            Err(next) if offset < self.stored.size() => {
                let (content, until) = self.stored.content_at(offset)?;
                Ok((content, until.min(next)))
            }
            Err(next) if offset < self.size => Ok((Content::Zero, next.min(self.size))),
            Err(_) => Ok((Content::Data, offset.saturating_add(1))),
        }
    }
}
