//! A sparse extent that is read: hosted, stream-optimized, or of an ESX Server (COWD).
//!
//! ```text
//!   GTE ──► sector of the file ──► grain                          as it is
//!                              └─► lba │ size │ zlib stream       compressed, behind its marker
//! ```

use super::descriptor::MOST_BYTES;
use super::grains::{Cursor, Grid, Join, Lookup, Place, Table, run};
use super::layout::*;
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::image::codec::{Wrapper, inflate};
use crate::io::ReadAt;
use std::io;
use std::sync::Arc;
use zerocopy::FromBytes;

/// A grain directory is kept in memory: one of 64 TiB in grains of 64 KiB has 2 Mi entries.
const MOST_TABLES: u64 = 4 << 20;
/// In bytes. Real ones have at most 64 KiB.
const MOST_GRAIN: u64 = 32 << 20;
/// Real grain tables have 512 entries, or 4096 on an ESX Server.
const MOST_GTES: u64 = 64 << 10;
/// Compressed grains that follow each other in the file are read together, up to this many bytes.
const TOGETHER: u64 = 2 << 20;
/// A footer may be followed by so many sectors of padding, as archives have it.
const MOST_PADDING: u64 = 128;

/// A sparse extent.
pub(super) struct Sparse {
    pub(super) stored: Arc<dyn ReadAt>,
    /// Bytes of the disk that it has room for.
    pub(super) capacity: u64,
    pub(super) grid: Grid,
    pub(super) directory: Vec<Entry>,
    /// Where the grain directory lies, in bytes.
    pub(super) gd_at: u64,
    /// Where the redundant one does.
    pub(super) rgd_at: Option<u64>,
    /// Where the grains begin, in bytes.
    pub(super) over_head: u64,
    pub(super) compressed: bool,
    /// Whether grains and tables have markers.
    pub(super) markers: bool,
    /// The footer's byte, where the directory was found by one.
    pub(super) footer_at: Option<u64>,
    pub(super) unclean: bool,
    pub(super) is_cowd: bool,
    pub(super) version: u32,
    pub(super) descriptor: Extent,
}

/// Fills bytes that are not stored: from the parent, or with zeros.
pub(super) type Fill<'a> = &'a mut dyn FnMut(&mut [u8], u64) -> io::Result<()>;

/// The first sector of a hosted extent, looked at before anything in it is believed.
pub(super) fn header(stored: &dyn ReadAt, at: u64) -> Result<SparseExtentHeader> {
    let mut sector = [0; SECTOR as usize];
    if stored.size() < at.saturating_add(SECTOR) {
        return Err(Error::corrupt(at, format!("the file ends within its header, at {}", stored.size())));
    }
    stored.read_at(&mut sector, at).map_err(|error| Error::io("reading the header", error))?;
    let header = SparseExtentHeader::read_from_bytes(&sector).expect("a sector is as long as a header");
    if header.magic_number != MAGIC {
        let found = header.magic_number;
        return Err(Error::corrupt(at, format!("no VMDK header: {found:02x?}, where KDMV is expected")));
    }
    if header.flags.get() & FLAG_NEWLINES != 0 && header.end_line_chars != NEWLINES {
        let what = format!(
            "its ends of lines were changed on the way, as by a transfer as text: {:02x?}, where {NEWLINES:02x?} are \
             expected",
            header.end_line_chars
        );
        return Err(Error::corrupt(at + 73, what).advise("transfer it anew, as binary"));
    }
    let version = header.version.get();
    if !(1..=3).contains(&version) {
        return Err(Error::unsupported(format!("a sparse VMDK extent of version {version}")));
    }
    Ok(header)
}

impl Sparse {
    /// Opens an extent by its first bytes.
    pub(super) fn open(stored: Arc<dyn ReadAt>) -> Result<Sparse> {
        let mut magic = [0; 8];
        let len = stored.size().min(8) as usize;
        stored.read_at(&mut magic[..len], 0).map_err(|error| Error::io("reading the header", error))?;
        if magic == SE_SPARSE_MAGIC {
            return Err(Error::unsupported("a VMDK extent of the kind seSparse"));
        }
        if magic.starts_with(&COWD_MAGIC) { Self::open_cowd(stored) } else { Self::open_hosted(stored) }
    }

    fn open_hosted(stored: Arc<dyn ReadAt>) -> Result<Sparse> {
        let first = header(&*stored, 0)?;
        let (header, footer_at) = match first.gd_offset.get() {
            GD_AT_END => {
                let (footer, at) = footer(&*stored)?;
                (footer, Some(at))
            }
            _ => (first, None),
        };
        let flags = header.flags.get();
        let compressed = flags & FLAG_COMPRESSED != 0;
        let algorithm = header.compress_algorithm.get();
        if compressed && algorithm != COMPRESSION_DEFLATE {
            return Err(Error::unsupported(format!("VMDK grains compressed with algorithm {algorithm}")));
        }
        let grid = Grid {
            grain: bytes(header.grain_size.get(), 20)?,
            gtes: u64::from(header.num_gtes_per_gt.get()),
            zeroed: flags & FLAG_ZEROED != 0,
        };
        let redundant = flags & FLAG_REDUNDANT != 0 && header.rgd_offset.get() != 0;
        let rgd_at = if redundant { Some(bytes(header.rgd_offset.get(), 48)?) } else { None };
        let descriptor = Extent::new(
            bytes(header.descriptor_offset.get(), 28)?,
            bytes(header.descriptor_size.get(), 36)?.min(MOST_BYTES),
        );
        let mut sparse = Sparse {
            capacity: bytes(header.capacity.get(), 12)?,
            grid,
            directory: Vec::new(),
            gd_at: bytes(header.gd_offset.get(), 56)?,
            rgd_at,
            over_head: bytes(header.over_head.get(), 64)?,
            compressed,
            markers: flags & FLAG_MARKERS != 0,
            footer_at,
            unclean: header.unclean_shutdown != 0,
            is_cowd: false,
            version: header.version.get(),
            descriptor,
            stored,
        };
        sparse.read_directory(None)?;
        Ok(sparse)
    }

    fn open_cowd(stored: Arc<dyn ReadAt>) -> Result<Sparse> {
        if stored.size() < COWD_HEADER_BYTES {
            return Err(Error::corrupt(0, format!("the file ends within its header, at {}", stored.size())));
        }
        let mut bytes = vec![0; COWD_HEADER_BYTES as usize];
        stored.read_at(&mut bytes, 0).map_err(|error| Error::io("reading the header", error))?;
        let (header, _) = CowdHeader::read_from_prefix(&bytes).expect("it is shorter than its sectors");
        if header.version.get() != 1 {
            return Err(Error::unsupported(format!("a COWD extent of version {}", header.version.get())));
        }
        let sectors = |field: Entry| u64::from(field.get()) * SECTOR;
        let mut sparse = Sparse {
            capacity: sectors(header.num_sectors),
            grid: Grid { grain: sectors(header.grain_size), gtes: COWD_GTES, zeroed: false },
            directory: Vec::new(),
            gd_at: sectors(header.gd_offset),
            rgd_at: None,
            over_head: COWD_HEADER_BYTES,
            compressed: false,
            markers: false,
            footer_at: None,
            unclean: bytes[COWD_UNCLEAN_AT as usize] != 0,
            is_cowd: true,
            version: 1,
            descriptor: Extent::new(0, 0),
            stored,
        };
        sparse.read_directory(Some(u64::from(header.num_gd_entries.get())))?;
        Ok(sparse)
    }

    /// `entries`, where the header counts them, must be enough.
    fn read_directory(&mut self, entries: Option<u64>) -> Result<()> {
        let Grid { grain, gtes, .. } = self.grid;
        if !grain.is_power_of_two() || grain > MOST_GRAIN {
            let what =
                format!("grains of {grain} bytes, where a power of two up to {MOST_GRAIN} is expected");
            return Err(Error::corrupt(20, what));
        }
        if gtes == 0 || gtes > MOST_GTES {
            let what = format!("grain tables of {gtes} entries, where 1 to {MOST_GTES} are expected");
            return Err(Error::corrupt(44, what));
        }
        let tables = self.capacity.div_ceil(self.grid.span());
        if let Some(entries) = entries.filter(|&entries| entries < tables) {
            let what = format!("a grain directory of {entries} entries, where {tables} are needed");
            return Err(Error::corrupt(24, what));
        }
        if tables > MOST_TABLES {
            let what = format!("a VMDK extent with {tables} grain tables; read are at most {MOST_TABLES}");
            return Err(Error::new(Kind::Limit, what));
        }
        let size = self.stored.size();
        let fits = |at: u64| at.checked_add(tables * 4).is_some_and(|end| at != 0 && end <= size);
        if !fits(self.gd_at) {
            // What the redundant one is for.
            match self.rgd_at.filter(|&at| fits(at)) {
                Some(at) => self.gd_at = at,
                None => {
                    let what = format!(
                        "the grain directory of {} bytes at {} lies outside the file of {size} bytes",
                        tables * 4,
                        self.gd_at
                    );
                    return Err(Error::corrupt(56, what));
                }
            }
        }
        self.directory = self.directory_at(self.gd_at, tables)?;
        Ok(())
    }

    /// `tables` entries of the directory at byte `at`, which was found to lie inside the file.
    fn directory_at(&self, at: u64, tables: u64) -> Result<Vec<Entry>> {
        let mut bytes = vec![0; (tables * 4) as usize];
        self.stored.read_at(&mut bytes, at).map_err(|error| Error::io("reading a grain directory", error))?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|entry| Entry::from_bytes(*entry)).collect())
    }

    /// The redundant directory; `None` where there is none inside the file, or it is the only one.
    pub(super) fn redundant_directory(&self) -> Result<Option<Vec<Entry>>> {
        self.redundant_at().map(|at| self.directory_at(at, self.directory.len() as u64)).transpose()
    }

    fn redundant_at(&self) -> Option<u64> {
        let (len, size) = (self.directory.len() as u64 * 4, self.stored.size());
        self.rgd_at.filter(|&at| at != self.gd_at && at.checked_add(len).is_some_and(|end| end <= size))
    }

    /// A walk through its tables.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor::new(&*self.stored, &self.directory, self.grid).with_second(self.redundant_at())
    }

    /// Reads `buf` from byte `offset` of the extent; `fill` reads what is not stored.
    pub(super) fn read(&self, buf: &mut [u8], offset: u64, fill: Fill<'_>) -> io::Result<()> {
        let mut cursor = self.cursor();
        if self.compressed {
            return read_packed(&*self.stored, &mut cursor, self.shape(), buf, offset, fill);
        }
        read_plain(&*self.stored, &mut cursor, self.grid, buf, offset, fill)
    }

    /// Where the bytes of `window` are, and up to where that holds.
    pub(super) fn place(&self, window: Extent) -> io::Result<(Place, u64)> {
        run(&mut self.cursor(), self.grid, window, Join::Stored)
    }

    pub(super) fn shape(&self) -> Shape {
        Shape { grid: self.grid, capacity: self.capacity, markers: self.markers }
    }
}

/// What is to be known of an extent with compressed grains.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) grid: Grid,
    pub(super) capacity: u64,
    pub(super) markers: bool,
}

/// Sectors of a header's field in bytes; `at` is the field's place.
fn bytes(sectors: u64, at: u64) -> Result<u64> {
    let bytes = sectors.checked_mul(SECTOR).filter(|&bytes| bytes <= i64::MAX as u64);
    bytes.ok_or_else(|| Error::corrupt(at, format!("{sectors} sectors are more than a file can have")))
}

/// The footer of a stream, and its byte: the last sector but one, or before that where something padded the file.
fn footer(stored: &dyn ReadAt) -> Result<(SparseExtentHeader, u64)> {
    let sectors = stored.size() / SECTOR;
    let mut last = None;
    for before in 2..=MOST_PADDING.min(sectors.saturating_sub(1)) {
        let at = (sectors - before) * SECTOR;
        let mut start = [0; 4];
        stored.read_at(&mut start, at).map_err(|error| Error::io("reading the footer", error))?;
        if start == MAGIC {
            last = Some(at);
            break;
        }
    }
    let missing = || {
        let what = "the stream ends before its footer, which says where its grain directory is";
        Error::corrupt(stored.size(), what).advise("transfer it anew: it is cut")
    };
    let at = last.ok_or_else(missing)?;
    let found = header(stored, at)?;
    if found.gd_offset.get() == GD_AT_END {
        let what = "the footer, too, says that the grain directory is found by the footer";
        return Err(Error::corrupt(at + 56, what));
    }
    Ok((found, at))
}

/// Reads grains that are stored as they are; neighbours in the file at once.
pub(super) fn read_plain(
    stored: &dyn ReadAt,
    lookup: &mut dyn Lookup,
    grid: Grid,
    buf: &mut [u8],
    offset: u64,
    fill: Fill<'_>,
) -> io::Result<()> {
    let window = Extent::new(offset, buf.len() as u64);
    let (mut rest, mut at) = (buf, offset);
    while !rest.is_empty() {
        let (place, until) = run(lookup, grid, Extent::between(at, window.end()), Join::Adjacent)?;
        let (part, behind) = rest.split_at_mut((until - at) as usize);
        match place {
            Place::Absent => fill(part, at)?,
            Place::Zero => part.fill(0),
            Place::Stored(start) => {
                let end = start + part.len() as u64;
                if end > stored.size() {
                    let what =
                        format!("a grain at byte {start} ends at {end}, and the file at {}", stored.size());
                    return Err(Error::corrupt(start, what).into_io());
                }
                stored.read_at(part, start)?;
            }
        }
        (rest, at) = (behind, until);
    }
    Ok(())
}

/// Reads compressed grains; those that follow each other in the file at once.
pub(super) fn read_packed(
    stored: &dyn ReadAt,
    lookup: &mut dyn Lookup,
    shape: Shape,
    buf: &mut [u8],
    offset: u64,
    fill: Fill<'_>,
) -> io::Result<()> {
    let grain = shape.grid.grain;
    let end = offset + buf.len() as u64;
    let mut at = offset;
    while at < end {
        let (place, until) = run(lookup, shape.grid, Extent::between(at, end), Join::Stored)?;
        let part = &mut buf[(at - offset) as usize..(until - offset) as usize];
        match place {
            Place::Absent => fill(part, at)?,
            Place::Zero => part.fill(0),
            Place::Stored(_) => {
                let mut batch =
                    Batch { stored, shape, window: Vec::new(), window_at: 0, scratch: Vec::new() };
                let starts = grain_starts(lookup, shape.grid, Extent::between(at, until))?;
                for (index, &start) in starts.iter().enumerate() {
                    let first = (at / grain + index as u64) * grain;
                    let wanted = Extent::new(first, grain).intersect(Extent::between(at, until));
                    let part = &mut part[(wanted.offset - at) as usize..(wanted.end() - at) as usize];
                    batch.read(part, wanted.offset, first, &starts[index..], start)?;
                }
            }
        }
        at = until;
    }
    Ok(())
}

/// Where the grains of `window`, which are all stored, begin in the file.
fn grain_starts(lookup: &mut dyn Lookup, grid: Grid, window: Extent) -> io::Result<Vec<u64>> {
    let around = window.align_out(grid.grain);
    let mut starts = Vec::with_capacity((around.len / grid.grain) as usize);
    let mut at = around.offset;
    while at < around.end() {
        let Table::Entries(entries) = lookup.table(at / grid.span())? else { break };
        let index = (at / grid.grain % grid.gtes) as usize;
        for entry in entries.get(index..).unwrap_or_default() {
            if at >= around.end() {
                break;
            }
            starts.push(u64::from(entry.get()) * SECTOR);
            at += grid.grain;
        }
    }
    Ok(starts)
}

/// Grains that are unpacked from few reads.
struct Batch<'a> {
    stored: &'a dyn ReadAt,
    shape: Shape,
    window: Vec<u8>,
    window_at: u64,
    scratch: Vec<u8>,
}

impl Batch<'_> {
    /// Reads `part` at byte `at` of the extent from the grain `first`, which lies at `start` of the file; `starts` are it and
    /// those that will be asked for next.
    fn read(&mut self, part: &mut [u8], at: u64, first: u64, starts: &[u64], start: u64) -> io::Result<()> {
        let grain = self.shape.grid.grain;
        let most = GRAIN_MARKER_BYTES + grain + grain / 512 + 64;
        // Up to the last that follows closely; its end is guessed, and seldom too short.
        let mut end = start + most;
        for pair in starts.windows(2) {
            let close =
                pair[1] > pair[0] && pair[1] - pair[0] <= 2 * grain && pair[1] + most - start <= TOGETHER;
            if !close {
                break;
            }
            end = pair[1] + most;
        }
        let (data, size) = self.packed(start, end, first)?;
        let whole = grain.min(self.shape.capacity - first) as usize;
        let packed = &self.window[data..data + size];
        let corrupt = |what: String| Err(Error::corrupt(start, what).into_io());
        let direct = part.len() as u64 == grain;
        let inside = (at - first) as usize;
        let got = if direct {
            inflate(Wrapper::Zlib, packed, part)
        } else {
            self.scratch.resize(grain as usize, 0);
            inflate(Wrapper::Zlib, packed, &mut self.scratch)
        };
        match got {
            Ok(got) if got < whole.min(inside + part.len()) => {
                corrupt(format!("the grain of byte {first} has {got} bytes, where {whole} are expected"))
            }
            Ok(_) => {
                if !direct {
                    part.copy_from_slice(&self.scratch[inside..inside + part.len()]);
                }
                Ok(())
            }
            Err(error) => corrupt(format!("the grain of byte {first}: {error}")),
        }
    }

    /// Where in the window the packed bytes of the grain at `start` are; what is read reaches to `end`.
    fn packed(&mut self, start: u64, end: u64, first: u64) -> io::Result<(usize, usize)> {
        self.load(start, GRAIN_MARKER_BYTES, end)?;
        let at = (start - self.window_at) as usize;
        if !self.shape.markers {
            return Ok((at, self.window.len() - at));
        }
        let marker = &self.window[at..at + GRAIN_MARKER_BYTES as usize];
        let lba = u64::from_le_bytes(*marker.first_chunk().expect("it has 12 bytes"));
        let size = u64::from(u32::from_le_bytes(*marker.last_chunk().expect("it has 12 bytes")));
        if lba.checked_mul(SECTOR) != Some(first) {
            let what = format!("a grain of sector {lba}, where that of {} is expected", first / SECTOR);
            return Err(Error::corrupt(start, what).into_io());
        }
        if size == 0 || size > 2 * self.shape.grid.grain {
            let what =
                format!("a grain of {size} packed bytes, where up to {} are expected", self.shape.grid.grain);
            return Err(Error::corrupt(start + 8, what).into_io());
        }
        self.load(start, GRAIN_MARKER_BYTES + size, end)?;
        Ok(((start + GRAIN_MARKER_BYTES - self.window_at) as usize, size as usize))
    }

    /// Has the window hold `len` bytes from `start`; where it has to be read, up to `end`.
    fn load(&mut self, start: u64, len: u64, end: u64) -> io::Result<()> {
        let held = Extent::new(self.window_at, self.window.len() as u64);
        if held.covers(Extent::new(start, len)) {
            return Ok(());
        }
        let size = self.stored.size();
        if start + len > size {
            let what = format!("a grain at byte {start} takes {len} bytes, and the file ends at {size}");
            return Err(Error::corrupt(start, what).into_io());
        }
        let take = end.max(start + len).min(size) - start;
        self.window.resize(take as usize, 0);
        self.window_at = start;
        self.stored.read_at(&mut self.window, start)
    }
}
