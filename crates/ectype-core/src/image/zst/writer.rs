//! Writing: frames one behind the other, the table at the end.
//!
//! ```text
//!   put_packed ──► a frame of one piece ──┐
//!   zero ──► a run, as long as it lasts ──┴──► gathered to 1 MiB ──► the file          finish ──► seek table
//! ```
//!
//! A checkpoint writes what was gathered and flushes; the table is kept in memory until the end, for the frames tell
//! themselves how long they are: a resume walks over them and cuts off what lies behind the last that is held.

use super::frames::Walk;
use super::index::Index;
use super::layout::{
    ENTRY_LEN, FOOTER_LEN, MOST_FRAMES, SEEK_TABLE, SEEKABLE, SKIPPABLE_LEN, SeekTableEntry, SeekTableFooter,
    Skippable, ZERO_RUN, zero_frame,
};
use super::reader::{Reading, into_io};
use crate::cache::Shared;
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents, PIECE};
use crate::image::codec::{self, Xxh64, Zstd};
use crate::image::{Form, Grain, Image, Pack, Packed, Place, Placement, Sink, Spec};
use crate::io::{Content, ReadAt, Storage};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// zstd's levels; those below 0 are for speed.
const LEVELS: std::ops::RangeInclusive<i32> = -50..=22;
/// As `zstd -1`.
const DEFAULT_LEVEL: i32 = 1;
/// Smaller frames are gathered until this much is written at once, in bytes.
const GATHERED: usize = 1 << 20;
/// More than packing can add to a piece: `ZSTD_compressBound`, in bytes.
const GROWTH: u64 = (PIECE >> 8) + 64;
/// Rows of the seek table that are written at once.
const ROWS: usize = 64 << 10;

/// What will be written, and how long it can become.
pub(super) fn plan(spec: Spec) -> Result<(Spec, u64)> {
    codec::has_zstd()?;
    let level = spec.level.unwrap_or(DEFAULT_LEVEL);
    if !LEVELS.contains(&level) || level == 0 {
        return Err(Error::refused(format!("zstd has the levels 1 to 22, and -1 to -50, not {level}")));
    }
    if !matches!(spec.compression.as_str(), "" | "zstd") {
        let what = format!("a zst image is compressed with zstd, not with {}", spec.compression);
        return Err(Error::refused(what));
    }
    if spec.block != 0 && spec.block != PIECE {
        return Err(Error::refused(format!(
            "a zst image has frames of {PIECE} bytes, not of {}",
            spec.block
        )));
    }
    if spec.parent.is_some() {
        return Err(Error::refused("a zst image has no parent"));
    }
    let frames = spec.size.div_ceil(PIECE);
    if frames > MOST_FRAMES {
        let most = MOST_FRAMES * PIECE;
        return Err(Error::new(Kind::Limit, format!("a zst image holds at most {most} bytes")));
    }
    let most = spec.size + frames * (GROWTH + ENTRY_LEN) + SKIPPABLE_LEN + FOOTER_LEN;
    Ok((Spec { compression: "zstd".into(), level: Some(level), block: PIECE, ..spec }, most))
}

/// Makes a frame of a piece.
struct Packer {
    level: i32,
    /// Making one costs a twentieth of a piece's packing.
    idle: Shared<Vec<Zstd>>,
}

impl Packer {
    fn frame(&self, data: &[u8]) -> Result<Vec<u8>> {
        let mut zstd = match self.idle.with(Vec::pop) {
            Some(zstd) => zstd,
            None => Zstd::new(self.level, true)?,
        };
        let mut frame = Vec::new();
        let fits = zstd.pack(data, &mut frame, data.len() + GROWTH as usize);
        self.idle.with(|idle| idle.push(zstd));
        assert!(fits, "packing adds less than what is granted");
        Ok(frame)
    }
}

impl Pack for Packer {
    fn pack(&self, at: Extent, data: &[u8]) -> Result<Packed> {
        let bytes = self.frame(data)?;
        let form = Form::Packed(0..bytes.len());
        Ok(Packed { bytes, grains: vec![Grain { at, form }] })
    }
}

/// The frames of zeros of each length, whole.
#[derive(Default)]
struct ZeroFrames(Vec<(u64, Vec<u8>)>);

impl ZeroFrames {
    /// Lengths in whole pieces, and a rest: more than there can be is forgotten.
    const MOST: usize = 2 * (ZERO_RUN / PIECE) as usize;

    fn of(&mut self, content: u64) -> &[u8] {
        let known = self.0.iter().position(|(len, _)| *len == content);
        let index = known.unwrap_or_else(|| {
            let mut frame = zero_frame(content);
            let (mut hash, zeros) = (Xxh64::default(), vec![0; PIECE.min(content) as usize]);
            let mut left = content;
            while left > 0 {
                let part = left.min(zeros.len() as u64);
                hash.update(&zeros[..part as usize]);
                left -= part;
            }
            frame.extend_from_slice(&hash.low().to_le_bytes());
            self.0.truncate(Self::MOST - 1);
            self.0.push((content, frame));
            self.0.len() - 1
        });
        &self.0[index].1
    }
}

/// An image under construction.
pub(super) struct Writer {
    storage: Box<dyn Storage>,
    size: u64,
    packer: Arc<Packer>,
    /// The frames that were made; the last of them are still gathered.
    index: Index,
    gathered: Vec<u8>,
    /// Up to here the content is given: what lies behind the last frame is zeros.
    fed: u64,
    zeros: ZeroFrames,
    reading: Reading,
    /// The file may be longer than what is written: it was not cut since.
    longer: bool,
}

impl Writer {
    pub(super) fn create(place: Place, spec: &Spec) -> Result<Writer> {
        Writer::new(place, spec)
    }

    fn new(place: Place, spec: &Spec) -> Result<Writer> {
        codec::has_zstd()?;
        Ok(Writer {
            storage: place.storage,
            size: spec.size,
            packer: Arc::new(Packer { level: spec.level.unwrap_or(DEFAULT_LEVEL), idle: Shared::default() }),
            index: Index::new(),
            gathered: Vec::new(),
            fed: 0,
            zeros: ZeroFrames::default(),
            reading: Reading::new(),
            longer: true,
        })
    }

    pub(super) fn resume(place: Place, spec: &Spec, held: &Extents) -> Result<Writer> {
        let mut writer = Writer::new(place, spec)?;
        let held_end = held.iter().next().filter(|first| first.offset == 0).map_or(0, Extent::end);
        if held.count() > usize::from(held_end > 0) || held_end > spec.size {
            let context = "of an image that is written in order, other parts are held than its beginning";
            return Err(Error::new(Kind::Changed, context));
        }
        let mut walk = Walk::new(&writer.storage, writer.storage.size());
        let mut cut_frame = None;
        while writer.index.end().content < held_end {
            let start = writer.index.end();
            let shape = walk.frame(start.stored)?;
            let lens = (u32::try_from(shape.stored.len), shape.content.map(u32::try_from));
            let (Ok(compressed), Some(Ok(content @ 1..))) = lens else {
                return Err(Error::corrupt(start.stored, "a frame that this image's writer does not make"));
            };
            if start.content + u64::from(content) > held_end {
                cut_frame = Some(Extent::new(start.content, content.into()));
            }
            writer.index.push(compressed, content);
        }
        writer.fed = writer.index.end().content;
        if cut_frame.is_some() {
            // More was written than was held at last: the frame in between is made anew.
            writer.shorten(held_end)?;
        }
        writer.storage.set_size(writer.index.end().stored).map_err(|error| writing("cutting", error))?;
        writer.longer = false;
        Ok(writer)
    }

    /// The length of what is in the file.
    fn written(&self) -> u64 {
        self.index.end().stored - self.gathered.len() as u64
    }

    fn view(&self) -> View<'_> {
        View { storage: &*self.storage, written: self.written(), gathered: &self.gathered }
    }

    fn write(&mut self) -> Result<()> {
        let at = self.written();
        if !self.gathered.is_empty() {
            self.storage.write_at(&self.gathered, at).map_err(|error| writing("writing", error).at(at))?;
            self.gathered.clear();
        }
        Ok(())
    }

    /// The frame of the next `content` bytes.
    fn push(&mut self, frame: &[u8], content: u64) -> Result<()> {
        let at = self.index.end().stored;
        let len = u32::try_from(frame.len()).expect("a frame of a piece");
        if self.gathered.is_empty() && frame.len() >= GATHERED / 4 {
            self.storage.write_at(frame, at).map_err(|error| writing("writing", error).at(at))?;
            self.index.push(len, content as u32);
            return Ok(());
        }
        self.gathered.extend_from_slice(frame);
        self.index.push(len, content as u32);
        if self.gathered.len() >= GATHERED { self.write() } else { Ok(()) }
    }

    /// Frames for the zeros that were given last.
    fn end_zeros(&mut self) -> Result<()> {
        while self.index.end().content < self.fed {
            let content = (self.fed - self.index.end().content).min(ZERO_RUN);
            let mut zeros = std::mem::take(&mut self.zeros);
            let pushed = self.push(zeros.of(content), content);
            self.zeros = zeros;
            pushed?;
        }
        Ok(())
    }

    /// An error unless `at` comes next: pieces come in order, each once.
    fn in_order(&self, at: Extent) -> Result<()> {
        if at.offset != self.fed || at.end() > self.size {
            let context =
                "an image that is written in order already has what comes here, or not yet what is before it";
            return Err(Error::new(Kind::Changed, context).at(at.offset));
        }
        Ok(())
    }

    /// Forgets all content behind `end`.
    fn shorten(&mut self, end: u64) -> Result<()> {
        if self.index.end().content <= end {
            self.fed = self.fed.min(end);
            return Ok(());
        }
        self.write()?;
        let mut kept = Vec::new();
        let frame = self.index.from(&*self.storage, end)?.next()?;
        if let Some(frame) = frame.filter(|frame| frame.content.offset < end) {
            let part = Extent::between(frame.content.offset, end);
            let zeros = self.content(end - 1)?.0 == Content::Zero;
            if !zeros {
                if part.len > PIECE {
                    return Err(Error::corrupt(
                        frame.stored.offset,
                        "a frame that this image's writer does not make",
                    ));
                }
                kept = vec![0; part.len as usize];
                self.reading.read(&self.index, &self.view(), &mut kept, part.offset)?;
            }
        }
        self.index.cut(end);
        self.reading = Reading::new();
        self.longer = true;
        self.fed = end;
        if !kept.is_empty() {
            let frame = self.packer.frame(&kept)?;
            self.push(&frame, kept.len() as u64)?;
        }
        // What remains of a frame of zeros follows as a run.
        Ok(())
    }

    /// What is known of the frames.
    fn content(&self, offset: u64) -> Result<(Content, u64)> {
        self.reading.content_at(&self.index, &self.view(), offset)
    }

    /// The seek table, behind the frames.
    fn write_table(&mut self) -> Result<u64> {
        let count = self.index.count();
        let frame_size = count * ENTRY_LEN + FOOTER_LEN;
        let mut at = self.index.end().stored;
        let mut bytes = Vec::with_capacity(ROWS * ENTRY_LEN as usize + 64);
        let lens = (u32::try_from(count), u32::try_from(frame_size));
        let (Ok(number_of_frames), Ok(frame_size)) = lens else {
            return Err(Error::new(Kind::Limit, format!("a seek table of {count} frames")));
        };
        let head = Skippable { magic_number: SEEK_TABLE.into(), frame_size: frame_size.into() };
        bytes.extend_from_slice(head.as_bytes());
        let mut frames = self.index.all(&*self.storage)?;
        loop {
            let frame = frames.any()?;
            if let Some(frame) = frame {
                let (compressed, decompressed) = (frame.stored.len as u32, frame.content.len as u32);
                let row = SeekTableEntry {
                    compressed_size: compressed.into(),
                    decompressed_size: decompressed.into(),
                };
                bytes.extend_from_slice(row.as_bytes());
            } else {
                let footer = SeekTableFooter {
                    number_of_frames: number_of_frames.into(),
                    seek_table_descriptor: 0,
                    seekable_magic_number: SEEKABLE.into(),
                };
                bytes.extend_from_slice(footer.as_bytes());
            }
            if frame.is_none() || bytes.len() >= ROWS * ENTRY_LEN as usize {
                let written = self.storage.write_at(&bytes, at);
                written.map_err(|error| writing("writing the seek table of", error).at(at))?;
                at += bytes.len() as u64;
                bytes.clear();
            }
            if frame.is_none() {
                return Ok(at);
            }
        }
    }
}

fn writing(doing: &str, error: io::Error) -> Error {
    Error::writing(format!("{doing} the image"), error)
}

impl Sink for Writer {
    fn placement(&self) -> Placement {
        Placement::InOrder
    }

    fn packer(&self) -> Option<Arc<dyn Pack>> {
        Some(Arc::clone(&self.packer) as Arc<dyn Pack>)
    }

    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let packed = self.packer.pack(Extent::new(offset, data.len() as u64), data)?;
        self.put_packed(offset, data, &packed)
    }

    fn put_packed(&mut self, offset: u64, data: &[u8], packed: &Packed) -> Result<()> {
        let at = Extent::new(offset, data.len() as u64);
        assert!(at.len <= PIECE, "a piece");
        self.in_order(at)?;
        self.end_zeros()?;
        let range = match &packed.grains[..] {
            [Grain { form: Form::Packed(range), .. }] => Range::clone(range),
            other => unreachable!("one frame a piece, not {other:?}"),
        };
        self.push(&packed.bytes[range], at.len)?;
        self.fed = at.end();
        Ok(())
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        if at.is_empty() {
            return Ok(());
        }
        self.in_order(at)?;
        self.fed = at.end();
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.end_zeros()?;
        self.write()?;
        self.storage.flush().map_err(|error| writing("flushing", error))
    }
}

/// What was written and what is still gathered, as one.
struct View<'a> {
    storage: &'a dyn Storage,
    written: u64,
    gathered: &'a [u8],
}

impl ReadAt for View<'_> {
    fn size(&self) -> u64 {
        self.written + self.gathered.len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let below = self.written.saturating_sub(offset).min(buf.len() as u64) as usize;
        let (written, gathered) = buf.split_at_mut(below);
        if !written.is_empty() {
            self.storage.read_at(written, offset)?;
        }
        if gathered.is_empty() {
            return Ok(());
        }
        self.gathered.read_at(gathered, offset + below as u64 - self.written)
    }
}

impl ReadAt for Writer {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.size);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let framed = self.index.end().content.saturating_sub(offset).min(buf.len() as u64) as usize;
        let (framed, zeros) = buf.split_at_mut(framed);
        zeros.fill(0);
        if framed.is_empty() {
            return Ok(());
        }
        self.reading.read(&self.index, &self.view(), framed, offset).map_err(into_io)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        let end = self.index.end().content;
        if offset >= end {
            return Ok((Content::Zero, self.size.max(offset.saturating_add(1))));
        }
        let (content, until) = self.content(offset).map_err(into_io)?;
        Ok((content, if content == Content::Zero && until == end { self.size } else { until }))
    }
}

impl Image for Writer {
    fn set_end(&mut self, size: u64) -> Result<()> {
        self.shorten(size)?;
        self.size = size;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.fed = self.size;
        self.checkpoint()?;
        let end = self.write_table()?;
        if self.longer || self.storage.size() > end {
            self.storage.set_size(end).map_err(|error| writing("cutting", error))?;
        }
        self.storage.flush().map_err(|error| writing("flushing", error))
    }
}
