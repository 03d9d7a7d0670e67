//! Reading: the frames that hold what is asked for, unpacked once and kept for a moment.
//!
//! ```text
//!   read_at ──► index: frames ──► adjacent ones in one stored read ──► each unpacked ──► buffer │ kept, where only a part was wanted
//!                          └────► longer than 8 MiB: a stream that goes on where it stopped, in parts of 1 MiB
//! ```

use super::frames::Walk;
use super::index::{Frame, Index};
use super::layout::{zero_frame, zero_frame_len};
use crate::cache::{Recent, Shared};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::image::codec::{Unzstd, Xxh64, unzstd};
use crate::io::{Content, ReadAt};
use std::io;
use std::sync::Arc;

/// Frames with more content are unpacked part by part, in bytes.
const WHOLE: u64 = 8 << 20;
/// So many frames are kept whole.
const KEPT: usize = 4;
/// At most this much is read at once, in bytes, unless a single frame is longer.
const AT_ONCE: u64 = 4 << 20;
/// Parts of long frames that are kept, each of [`PIECE`].
const PARTS_KEPT: usize = 16;
/// Streams that are kept where they stopped.
const STREAMS_KEPT: usize = 3;
/// The windows of all streams that are kept, in bytes; one may have as much, which is the most that is unpacked.
const WINDOWS: u64 = 128 << 20;
/// Long frames are read in steps of this, in bytes.
const STEP: u64 = 128 << 10;
/// How many frames of data are looked at for where it ends.
const LOOKED_AT: usize = 4096;

/// What reading remembers.
pub(super) struct Reading {
    whole: Shared<Recent<u64, Arc<[u8]>>>,
    streams: Shared<Streams>,
}

/// Long frames on the way.
struct Streams {
    /// The last used last.
    cursors: Vec<Cursor>,
    /// By the offset of their content.
    parts: Recent<u64, Arc<[u8]>>,
}

/// What an error of reading is to callers: a failing disk below the image stays one.
pub(super) fn into_io(error: Error) -> io::Error {
    match error.io_cause().map(|cause| (cause.raw_os_error(), cause.kind())) {
        Some((Some(code), _)) => io::Error::from_raw_os_error(code),
        Some((None, kind)) => io::Error::new(kind, error),
        None => error.into_io(),
    }
}

/// What is wrong with a frame.
fn broken(frame: &Frame, what: &str) -> Error {
    let content = format!("the frame of the content {:?} {what}", frame.content);
    Error::corrupt(frame.stored.offset, content)
}

/// What the codec says of a frame.
fn failed(frame: &Frame, error: Error) -> Error {
    match error.kind() {
        Kind::Corrupt => broken(frame, "is damaged").because(error),
        _ => error,
    }
}

fn check_sum(frame: &Frame, found: impl FnOnce() -> u32) -> Result<()> {
    let Some(expected) = frame.checksum else { return Ok(()) };
    let found = found();
    if found == expected {
        return Ok(());
    }
    Err(broken(frame, &format!("has the checksum {found:08x}, and the seek table says {expected:08x}")))
}

/// Knows the frames of zeros that this writer makes, by all their bytes.
#[derive(Default)]
struct Zeros {
    content: u64,
    frame: Vec<u8>,
}

impl Zeros {
    /// Whether it has the length of one.
    fn likely(frame: &Frame) -> bool {
        frame.stored.len == zero_frame_len(frame.content.len) && !frame.content.is_empty()
    }

    /// Whether it is one, its bytes being `packed`.
    fn is_one(&mut self, frame: &Frame, packed: &[u8]) -> bool {
        if !Zeros::likely(frame) {
            return false;
        }
        if self.content != frame.content.len {
            *self = Zeros { content: frame.content.len, frame: zero_frame(frame.content.len) };
        }
        // Of the checksum behind it, check() makes sure.
        packed.starts_with(&self.frame)
    }
}

impl Reading {
    pub(super) fn new() -> Reading {
        let streams = Streams { cursors: Vec::new(), parts: Recent::new(PARTS_KEPT) };
        Reading { whole: Shared::new(Recent::new(KEPT)), streams: Shared::new(streams) }
    }

    /// Fills `buf` with the content from `offset`.
    pub(super) fn read(&self, index: &Index, stored: &dyn ReadAt, buf: &mut [u8], offset: u64) -> Result<()> {
        let want = Extent::new(offset, buf.len() as u64);
        let short = |_| Error::io("reading a zstd image", io::ErrorKind::UnexpectedEof.into()).at(offset);
        if want.len < buf.len() as u64 || want.end() > index.end().content {
            return Err(short(()));
        }
        let mut frames = index.from(stored, offset)?;
        let (mut batch, mut end): (Vec<Frame>, u64) = (Vec::new(), offset);
        loop {
            let next = if end < want.end() { frames.next()? } else { None };
            let kept = next.and_then(|frame| self.whole.with(|whole| whole.get(&frame.content.offset)));
            let joins = next.is_some_and(|frame| {
                let adjacent = batch.last().is_none_or(|last| last.stored.end() == frame.stored.offset);
                let from = batch.first().map_or(frame.stored.offset, |first| first.stored.offset);
                kept.is_none() && adjacent && frame.stored.end() - from <= AT_ONCE
            });
            if !joins {
                self.read_batch(stored, &batch, want, buf)?;
                batch.clear();
            }
            let Some(frame) = next else { break };
            end = frame.content.end();
            let is_short = frame.content.len <= WHOLE && frame.stored.len <= WHOLE * 2;
            if let Some(content) = kept {
                let (part, target) = target(&frame, want, buf);
                target.copy_from_slice(
                    &content[(part.offset - frame.content.offset) as usize..][..target.len()],
                );
            } else if is_short || Zeros::likely(&frame) {
                batch.push(frame);
            } else {
                let (part, target) = target(&frame, want, buf);
                self.read_long(stored, &frame, part, target)?;
            }
        }
        Ok(())
    }

    /// Frames that lie side by side in the file.
    fn read_batch(&self, stored: &dyn ReadAt, batch: &[Frame], want: Extent, buf: &mut [u8]) -> Result<()> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(()) };
        let from = first.stored.offset;
        let mut packed = vec![0; (last.stored.end() - from) as usize];
        let read = stored.read_at(&mut packed, from);
        read.map_err(|error| Error::io("reading a zstd image", error).at(from))?;
        let mut zeros = Zeros::default();
        for frame in batch {
            let packed = &packed[(frame.stored.offset - from) as usize..][..frame.stored.len as usize];
            let (part, target) = target(frame, want, buf);
            if zeros.is_one(frame, packed) {
                target.fill(0);
            } else if frame.content.len > WHOLE {
                self.read_long(stored, frame, part, target)?;
            } else if part == frame.content {
                unpack(frame, packed, target)?;
            } else {
                let mut content = vec![0; frame.content.len as usize];
                unpack(frame, packed, &mut content)?;
                target.copy_from_slice(
                    &content[(part.offset - frame.content.offset) as usize..][..target.len()],
                );
                self.whole.with(|whole| whole.put(frame.content.offset, content.into()));
            }
        }
        Ok(())
    }

    /// A part of a frame that is too long to be unpacked whole. One at a time: a reader that waits for another finds in the
    /// parts that this one left what it would otherwise unpack from the frame's beginning.
    fn read_long(&self, stored: &dyn ReadAt, frame: &Frame, part: Extent, buf: &mut [u8]) -> Result<()> {
        self.streams.with(|streams| {
            let (mut done, mut offset) = (0, part.offset);
            while offset < part.end() {
                let within = offset - frame.content.offset;
                let start = offset - within % PIECE;
                let piece = match streams.parts.get(&start) {
                    Some(piece) => piece,
                    None => streams.unpack(stored, frame, start)?,
                };
                let from = &piece[(offset - start) as usize..];
                let count = from.len().min(buf.len() - done);
                buf[done..done + count].copy_from_slice(&from[..count]);
                done += count;
                offset += count as u64;
            }
            Ok(())
        })
    }

    /// What is known of the content from `offset` on, and up to where.
    pub(super) fn content_at(
        &self,
        index: &Index,
        stored: &dyn ReadAt,
        offset: u64,
    ) -> Result<(Content, u64)> {
        let mut frames = index.from(stored, offset)?;
        let mut walk = Walk::new(stored, stored.size());
        let mut zeros = Zeros::default();
        let mut found: Option<(Content, u64)> = None;
        let mut looked_at = 0;
        while let Some(frame) = frames.next()? {
            // That a run of data ends is decided by lengths; whether zeros begin there, by the next call.
            let likely = Zeros::likely(&frame);
            if found.is_some_and(|(content, _)| likely != (content == Content::Zero)) {
                break;
            }
            let packed = if likely { walk.peek(frame.stored.offset, frame.stored.len)? } else { &[] };
            let content = if zeros.is_one(&frame, packed) { Content::Zero } else { Content::Data };
            if found.is_some_and(|(before, _)| before != content) {
                break;
            }
            found = Some((content, frame.content.end()));
            looked_at += 1;
            if content == Content::Data && looked_at >= LOOKED_AT {
                break;
            }
        }
        Ok(found.unwrap_or((Content::Data, offset.saturating_add(1))))
    }
}

/// The part of a frame that is wanted, and where it goes.
fn target<'a>(frame: &Frame, want: Extent, buf: &'a mut [u8]) -> (Extent, &'a mut [u8]) {
    let part = frame.content.intersect(want);
    (part, &mut buf[(part.offset - want.offset) as usize..][..part.len as usize])
}

/// Unpacks a whole frame.
fn unpack(frame: &Frame, packed: &[u8], content: &mut [u8]) -> Result<()> {
    let came = unzstd(packed, content).map_err(|error| failed(frame, error))?;
    if came != content.len() {
        return Err(broken(frame, &format!("unpacks to {came} bytes")));
    }
    check_sum(frame, || {
        let mut hash = Xxh64::default();
        hash.update(content);
        hash.low()
    })
}

impl Streams {
    /// The part that begins at `start`, from a stream that stopped before it or from a new one.
    fn unpack(&mut self, stored: &dyn ReadAt, frame: &Frame, start: u64) -> Result<Arc<[u8]>> {
        let known = self.cursors.iter().position(|cursor| cursor.frame == *frame && cursor.content <= start);
        let mut cursor = match known {
            Some(index) => self.cursors.remove(index),
            None => Cursor::new(stored, frame)?,
        };
        loop {
            let at = cursor.content;
            let part: Arc<[u8]> = cursor.part(stored)?.into();
            self.parts.put(at, Arc::clone(&part));
            if at < start {
                continue;
            }
            if !cursor.at_end() {
                let room = WINDOWS.saturating_sub(cursor.window);
                self.cursors.push(cursor);
                let kept =
                    |cursors: &[Cursor]| cursors.iter().rev().skip(1).map(|other| other.window).sum::<u64>();
                while self.cursors.len() > STREAMS_KEPT
                    || (self.cursors.len() > 1 && kept(&self.cursors) > room)
                {
                    self.cursors.remove(0);
                }
            }
            return Ok(part);
        }
    }
}

/// A frame that is unpacked in order.
pub(super) struct Cursor {
    frame: Frame,
    window: u64,
    decoder: Unzstd,
    input: Vec<u8>,
    /// So much of the input is unpacked.
    used: usize,
    /// The input ends here in the file.
    stored: u64,
    /// Up to here it is unpacked.
    content: u64,
    hash: Option<Xxh64>,
    ended: bool,
}

impl Cursor {
    /// At the beginning of a frame.
    pub(super) fn new(stored: &dyn ReadAt, frame: &Frame) -> Result<Cursor> {
        let claim = Walk::new(stored, frame.stored.end()).claim(frame.stored.offset)?;
        let Some(header) = claim.header else { return Err(broken(frame, "is a skippable one")) };
        if let Some(size) = header.content_size.filter(|size| *size != frame.content.len) {
            return Err(broken(frame, &format!("holds {size} bytes by its header")));
        }
        if header.window > WINDOWS {
            return Err(Error::unsupported(format!("a zstd frame with a window of {} bytes", header.window))
                .at(frame.stored.offset));
        }
        Ok(Cursor {
            frame: *frame,
            window: header.window,
            decoder: Unzstd::new()?,
            input: Vec::new(),
            used: 0,
            stored: frame.stored.offset,
            content: frame.content.offset,
            hash: frame.checksum.map(|_| Xxh64::default()),
            ended: false,
        })
    }

    /// Whether all was unpacked.
    pub(super) fn at_end(&self) -> bool {
        self.content >= self.frame.content.end()
    }

    /// The next [`PIECE`] of content, or what is left; with the last of it all checksums are compared.
    pub(super) fn part(&mut self, stored: &dyn ReadAt) -> Result<Vec<u8>> {
        let len = PIECE.min(self.frame.content.end() - self.content);
        let mut part = vec![0; len as usize];
        let mut done = 0;
        while done < part.len() {
            if self.ended {
                return Err(broken(&self.frame, "ends before its content does"));
            }
            done += self.step(stored, &mut part[done..])?;
        }
        self.content += len;
        if let Some(hash) = &mut self.hash {
            hash.update(&part);
        }
        if self.at_end() {
            while !self.ended {
                if self.step(stored, &mut [0])? > 0 {
                    return Err(broken(&self.frame, "goes on behind its content"));
                }
            }
            check_sum(&self.frame, || self.hash.as_ref().map_or(0, Xxh64::low))?;
        }
        Ok(part)
    }

    fn step(&mut self, stored: &dyn ReadAt, out: &mut [u8]) -> Result<usize> {
        if self.used == self.input.len() {
            let len = STEP.min(self.frame.stored.end() - self.stored);
            self.input.resize(len as usize, 0);
            let read = stored.read_at(&mut self.input, self.stored);
            read.map_err(|error| Error::io("reading a zstd image", error).at(self.stored))?;
            self.stored += len;
            self.used = 0;
        }
        // With nothing left to give, what is unpacked and not yet handed out may still come.
        let step =
            self.decoder.step(&self.input[self.used..], out).map_err(|error| failed(&self.frame, error))?;
        if step.taken == 0 && step.came == 0 && !step.ended {
            return Err(broken(&self.frame, "does not end within its length"));
        }
        self.used += step.taken;
        self.ended = step.ended;
        Ok(step.came)
    }
}
