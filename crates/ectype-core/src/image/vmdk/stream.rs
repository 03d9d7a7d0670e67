//! The writer of streamOptimized images: compressed, in one pass, as OVF appliances have them.
//!
//! ```text
//!   header │ descriptor │ ▪grain ▪grain … │ ▪GT 0 │ ▪grain … │ ▪GT 1 │ … │ ▪GD │ ▪footer │ ▪end        ▪ a marker
//!                         └ up to 512 of 32 MiB ┘                           └ where the GD is
//! ```
//!
//! A table is written once a grain of a later one comes, so that memory holds one table and the directory. The stream is
//! durable as it grows: a checkpoint is a flush.

use super::descriptor::{DESCRIPTOR_SECTORS, embedded};
use super::grains::{Grid, Join, Lookup, Place, Table, run};
use super::layout::*;
use super::sparse::{Shape, read_packed};
use super::writer::failed;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::image::codec::{Deflate, Wrapper};
use crate::image::{Form, Grain, Image, Pack, Packed, Sink, Spec};
use crate::io::{Content, ReadAt, Storage, is_zero};
use std::io;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// The level of zlib where none is asked for: with libdeflate the fastest that is never larger than what qemu-img makes.
pub(super) const LEVEL: i32 = 6;
/// Where libdeflate is there; elsewhere 9 stands for all above.
pub(super) const MOST_LEVEL: i32 = 12;
/// A grain takes no more with its marker, in bytes: deflate makes of what it cannot pack a little more.
const MOST_GRAIN: u64 = GRAIN + SECTOR;
/// Where the first grain lies.
const OVER_HEAD: u64 = 128 * SECTOR;

/// The length of the longest file that a disk of `size` bytes becomes; refused where it does not fit into 32-bit sectors.
pub(super) fn most_bytes(size: u64) -> Result<u64> {
    if size > MOST_BYTES {
        return Err(too_large(size));
    }
    let grains = size.div_ceil(GRAIN);
    let tables = grains.div_ceil(GTES);
    let directory = (tables * 4).next_multiple_of(SECTOR);
    let ends = OVER_HEAD + directory + 4 * SECTOR;
    let most = grains * MOST_GRAIN + tables * (SECTOR + GT_BYTES) + ends;
    if most > MOST_BYTES { Err(too_large(size)) } else { Ok(most) }
}

/// A streamOptimized image under construction.
pub(super) struct StreamImage {
    pub(super) storage: Box<dyn Storage>,
    spec: Spec,
    /// The length of the content, padded to whole sectors.
    size: u64,
    /// The byte of the file where the stream goes on.
    pub(super) next: u64,
    /// The byte of the disk where it goes on.
    pub(super) end: u64,
    /// The sector of each table that is written.
    directory: Vec<Entry>,
    /// The table that is filled, and its number.
    entries: Box<[Entry; GTES as usize]>,
    current: u64,
    /// While a resume walks through the stream: the byte of the table that it passed last.
    pub(super) table_at: Option<u64>,
}

impl StreamImage {
    /// A new image in empty storage.
    pub(super) fn create(storage: Box<dyn Storage>, spec: &Spec) -> Result<StreamImage> {
        let image = StreamImage::over(storage, spec)?;
        image.write_head(true)?;
        Ok(image)
    }

    /// An image without grains, of which nothing is written yet.
    pub(super) fn over(storage: Box<dyn Storage>, spec: &Spec) -> Result<StreamImage> {
        let size = spec.size.next_multiple_of(SECTOR);
        Ok(StreamImage {
            storage,
            spec: spec.clone(),
            size,
            next: OVER_HEAD,
            end: 0,
            directory: vec![Entry::new(0); size.div_ceil(SPAN) as usize],
            entries: Box::new([Entry::new(0); GTES as usize]),
            current: 0,
            table_at: None,
        })
    }

    fn header(&self, gd_offset: u64, unclean: bool) -> SparseExtentHeader {
        let mut header = SparseExtentHeader::of(self.size / SECTOR);
        header.version = 3.into();
        header.flags = (FLAG_NEWLINES | FLAG_COMPRESSED | FLAG_MARKERS).into();
        header.compress_algorithm = COMPRESSION_DEFLATE.into();
        header.gd_offset = gd_offset.into();
        header.over_head = (OVER_HEAD / SECTOR).into();
        header.unclean_shutdown = u8::from(unclean);
        header
    }

    /// All before the first grain.
    pub(super) fn write_head(&self, unclean: bool) -> Result<()> {
        let mut bytes = self.header(GD_AT_END, unclean).as_bytes().to_vec();
        let descriptor = embedded(&self.spec, "streamOptimized", "RDONLY", self.size / SECTOR)?;
        debug_assert_eq!(descriptor.len() as u64, DESCRIPTOR_SECTORS * SECTOR);
        bytes.extend(descriptor);
        bytes.resize(OVER_HEAD as usize, 0);
        self.write(&bytes, 0)
    }

    fn write(&self, data: &[u8], at: u64) -> Result<()> {
        self.storage.write_at(data, at).map_err(|error| failed("writing", error).at(at))
    }

    fn sector_of(&self, at: u64) -> Result<Entry> {
        u32::try_from(at / SECTOR).map(Entry::new).map_err(|_| too_large(self.size))
    }

    /// Ends the table that is filled, where it says anything; what goes to the file is put behind `out`.
    fn end_table(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.entries.iter().any(|entry| entry.get() != 0) {
            out.extend_from_slice(&marker(MARKER_GT, GT_BYTES / SECTOR));
            let at = self.sector_of(self.next + out.len() as u64)?;
            self.directory[self.current as usize] = at;
            out.extend_from_slice(self.entries.as_bytes());
            self.entries.fill(Entry::new(0));
        }
        Ok(())
    }

    /// Notes a grain that a resume found at the bytes `at` to `end` of the file.
    pub(super) fn found(&mut self, grain: u64, at: u64, end: u64) -> Result<()> {
        let number = grain / GTES;
        if number != self.current {
            if self.entries.iter().any(|entry| entry.get() != 0) {
                let missing =
                    || Error::corrupt(at, format!("the stream lacks its grain table {}", self.current));
                let table = self.table_at.ok_or_else(missing)?;
                self.directory[self.current as usize] = self.sector_of(table)?;
                self.entries.fill(Entry::new(0));
            }
            self.current = number;
        }
        self.table_at = None;
        self.entries[(grain % GTES) as usize] = self.sector_of(at)?;
        (self.next, self.end) = (end, (grain + 1) * GRAIN);
        Ok(())
    }

    /// The file ends behind the last grain before number `keep`.
    fn cut(&mut self, keep: u64) -> Result<()> {
        let back = |error| Error::io("reading the image back", error);
        let mut next = OVER_HEAD;
        let mut last = (0, [Entry::new(0); GTES as usize]);
        for number in (0..keep.div_ceil(GTES)).rev() {
            let mut lookup = self.lookup();
            let Table::Entries(entries) = lookup.table(number).map_err(back)? else { continue };
            let kept = (keep - number * GTES).min(GTES) as usize;
            let Some(entry) = entries[..kept].iter().rev().find(|entry| entry.get() != 0) else { continue };
            let at = u64::from(entry.get()) * SECTOR;
            last.0 = number;
            last.1[..kept].copy_from_slice(&entries[..kept]);
            let mut bytes = [0; GRAIN_MARKER_BYTES as usize];
            self.storage.read_at(&mut bytes, at).map_err(back)?;
            let packed = u32::from_le_bytes(*bytes.last_chunk().expect("it has 12 bytes"));
            next = at + (GRAIN_MARKER_BYTES + u64::from(packed)).next_multiple_of(SECTOR);
            break;
        }
        (self.current, *self.entries) = last;
        self.directory.truncate(self.size.div_ceil(SPAN) as usize);
        let from = self.directory.len().min(self.current as usize);
        self.directory[from..].fill(Entry::new(0));
        self.end = self.end.min(keep * GRAIN);
        self.next = next;
        self.storage.set_size(next).map_err(|error| failed("cutting", error))
    }

    fn grid() -> Grid {
        Grid { grain: GRAIN, gtes: GTES, zeroed: false }
    }

    fn lookup(&self) -> Tables<'_> {
        Tables { image: self, read: [Entry::new(0); GTES as usize] }
    }

    fn zlib(&self) -> Zlib {
        Zlib { level: self.spec.level.unwrap_or(LEVEL) }
    }
}

/// The tables of a stream that grows: the one in memory, and those in the file.
struct Tables<'a> {
    image: &'a StreamImage,
    read: [Entry; GTES as usize],
}

impl Lookup for Tables<'_> {
    fn table(&mut self, number: u64) -> io::Result<Table<'_>> {
        if number == self.image.current {
            return Ok(Table::Entries(&self.image.entries[..]));
        }
        let entry = self.image.directory.get(number as usize).map_or(0, |entry| entry.get());
        if entry == 0 {
            return Ok(Table::Absent(number.saturating_add(1)));
        }
        self.image.storage.read_at(self.read.as_mut_bytes(), u64::from(entry) * SECTOR)?;
        Ok(Table::Entries(&self.read))
    }
}

/// Packs blocks: each grain on its own.
struct Zlib {
    level: i32,
}

impl Pack for Zlib {
    fn pack(&self, at: Extent, data: &[u8]) -> Result<Packed> {
        let mut deflate = Deflate::new(Wrapper::Zlib, self.level);
        let mut packed = Packed { bytes: Vec::with_capacity(data.len() / 2), grains: Vec::new() };
        for (index, grain) in data.chunks(GRAIN as usize).enumerate() {
            let at = Extent::new(at.offset + index as u64 * GRAIN, grain.len() as u64);
            let start = packed.bytes.len();
            // The disk ends with a whole sector, whatever its content does.
            let mut sectors = Vec::new();
            let grain = if grain.len().is_multiple_of(SECTOR as usize) {
                grain
            } else {
                sectors.extend_from_slice(grain);
                sectors.resize(grain.len().next_multiple_of(SECTOR as usize), 0);
                &sectors
            };
            let form = if is_zero(grain) {
                Form::Zero
            } else if deflate.pack(grain, &mut packed.bytes, (MOST_GRAIN - GRAIN_MARKER_BYTES) as usize) {
                Form::Packed(start..packed.bytes.len())
            } else {
                let what = "a grain grew by more than deflate can make of it";
                return Err(Error::corrupt(at.offset, what));
            };
            packed.grains.push(Grain { at, form });
        }
        Ok(packed)
    }
}

impl Sink for StreamImage {
    fn placement(&self) -> crate::image::Placement {
        crate::image::Placement::InOrder
    }

    fn packer(&self) -> Option<Arc<dyn Pack>> {
        Some(Arc::new(self.zlib()))
    }

    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let packed = self.zlib().pack(Extent::new(offset, data.len() as u64), data)?;
        self.put_packed(offset, data, &packed)
    }

    fn put_packed(&mut self, offset: u64, data: &[u8], packed: &Packed) -> Result<()> {
        let end = offset + data.len() as u64;
        assert!(offset >= self.end && offset.is_multiple_of(GRAIN) && end <= self.size, "a put in its order");
        let mut out = Vec::with_capacity(packed.bytes.len() + packed.grains.len() * SECTOR as usize);
        for grain in &packed.grains {
            let Form::Packed(range) = &grain.form else {
                assert!(grain.form == Form::Zero, "every grain that is stored is packed");
                continue;
            };
            let number = grain.at.offset / GRAIN;
            if number / GTES != self.current {
                self.end_table(&mut out)?;
                self.current = number / GTES;
            }
            self.entries[(number % GTES) as usize] = self.sector_of(self.next + out.len() as u64)?;
            out.extend_from_slice(&(grain.at.offset / SECTOR).to_le_bytes());
            out.extend_from_slice(&(range.len() as u32).to_le_bytes());
            out.extend_from_slice(&packed.bytes[range.clone()]);
            out.resize(out.len().next_multiple_of(SECTOR as usize), 0);
        }
        if !out.is_empty() {
            self.write(&out, self.next)?;
        }
        self.next += out.len() as u64;
        self.end = end;
        Ok(())
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        assert!(at.offset >= self.end && at.end() <= self.size, "zeros in their order");
        self.end = at.end();
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.storage.flush().map_err(|error| failed("flushing", error))
    }
}

impl ReadAt for StreamImage {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= self.size);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let shape = Shape { grid: Self::grid(), capacity: self.size, markers: true };
        let mut fill = |buf: &mut [u8], _| {
            buf.fill(0);
            Ok(())
        };
        read_packed(&*self.storage, &mut self.lookup(), shape, buf, offset, &mut fill)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        if offset >= self.size {
            return Ok((Content::Data, offset.saturating_add(1)));
        }
        let window = Extent::between(offset, self.size);
        let (place, until) = run(&mut self.lookup(), Self::grid(), window, Join::Stored)?;
        let content = if matches!(place, Place::Stored(_)) { Content::Data } else { Content::Zero };
        Ok((content, until))
    }
}

impl Image for StreamImage {
    fn set_end(&mut self, size: u64) -> Result<()> {
        let padded = size.next_multiple_of(SECTOR);
        if padded > self.size {
            return Ok(());
        }
        // The grain that the end cuts is packed anew, shorter: whoever walks through the stream unpacks it whole.
        let last = size - size % GRAIN;
        let mut tail = vec![0; (padded - last) as usize];
        if !tail.is_empty() {
            self.read_at(&mut tail, last).map_err(|error| Error::io("reading the image back", error))?;
            tail[(size - last) as usize..].fill(0);
        }
        let end = self.end.min(padded);
        self.size = padded;
        self.cut(last / GRAIN)?;
        if !is_zero(&tail) {
            self.put(last, &tail)?;
        }
        self.end = end;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let mut out = Vec::new();
        self.end_table(&mut out)?;
        let gd_bytes = (self.directory.len() * 4).next_multiple_of(SECTOR as usize);
        out.extend_from_slice(&marker(MARKER_GD, gd_bytes as u64 / SECTOR));
        let gd_offset = (self.next + out.len() as u64) / SECTOR;
        out.extend_from_slice(self.directory.as_bytes());
        out.resize(out.len().next_multiple_of(SECTOR as usize), 0);
        out.extend_from_slice(&marker(MARKER_FOOTER, 1));
        out.extend_from_slice(self.header(gd_offset, false).as_bytes());
        out.extend_from_slice(&marker(MARKER_EOS, 0));
        self.write(&out, self.next)?;
        self.next += out.len() as u64;
        self.storage.set_size(self.next).map_err(|error| failed("setting the size of", error))?;
        self.checkpoint()?;
        self.write_head(false)?;
        self.checkpoint()
    }
}
