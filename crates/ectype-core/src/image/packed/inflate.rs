//! Compressed streams, inflated in order: gzip, xz, zstd, bzip2, lz4.
//!
//! ```text
//!   stored bytes ──► Input (256 KiB, counts) ──► a member │ a member │ … ──► content
//! ```
//!
//! What several programs write one behind the other (pigz, pbzip2, `xz` with padding, `cat a.gz b.gz`) is one content. A
//! member that is cut, whose checksum is wrong, or that is followed by something else, is an error with its place in the
//! compressed file. However much a few bytes inflate to, memory is what the formats' windows take, at most 160 MiB.

use crate::error::{Error, Kind, Result};
use crate::image::codec::Unzstd;
use crate::io::ReadAt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// The .xz file format 1.2.
    Xz,
    /// RFC 8878.
    Zstd,
    /// bzip2 0.9 and later.
    Bzip2,
    /// The LZ4 frame format 1.6.
    Lz4,
}

/// First bytes of xz.
const XZ: [u8; 6] = *b"\xfd7zXZ\0";
/// `ID1`, `ID2` of gzip, and deflate, its one method.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
/// First bytes of bzip2; a digit follows, and a block or the end.
const BZIP2: [u8; 3] = *b"BZh";
const BZIP2_BLOCK: [u8; 6] = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
const BZIP2_END: [u8; 6] = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];
/// Magic numbers of lz4, in little-endian.
const LZ4: u32 = 0x184d_2204;
const LZ4_LEGACY: u32 = 0x184c_2102;
/// Of zstd.
const ZSTD: u32 = 0xfd2f_b528;
/// Skippable frames of both, in the upper 28 bits.
const SKIPPABLE: u32 = 0x184d_2a50;

/// The most memory that an xz stream may want, in bytes: a dictionary of 128 MiB, twice that of `xz -9`.
#[cfg(feature = "assembly")]
const XZ_MEMORY: u64 = 160 << 20;

impl Compression {
    /// How stored bytes are compressed, by their first bytes.
    pub fn of(stored: &dyn ReadAt) -> Option<Compression> {
        let mut head = [0; 10];
        let len = stored.size().min(head.len() as u64) as usize;
        stored.read_at(&mut head[..len], 0).ok()?;
        let word = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        Some(match word {
            _ if head.starts_with(&GZIP) => Compression::Gzip,
            _ if head.starts_with(&XZ) => Compression::Xz,
            _ if is_bzip2(&head) => Compression::Bzip2,
            ZSTD => Compression::Zstd,
            LZ4 | LZ4_LEGACY => Compression::Lz4,
            _ if word & !0xf == SKIPPABLE => return behind_skippable(stored),
            _ => return None,
        })
    }

    /// The name that people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Xz => "xz",
            Compression::Zstd => "zstd",
            Compression::Bzip2 => "bzip2",
            Compression::Lz4 => "lz4",
        }
    }

    /// Decompressors that cost no C compiler are always there.
    #[cfg(not(feature = "assembly"))]
    fn absent(self) -> Error {
        let name = self.name();
        Error::unsupported(format!(
            "{name} is not in this build, which is of Rust alone (feature \"assembly\")"
        ))
    }
}

fn is_bzip2(head: &[u8]) -> bool {
    let block = head.get(4..10).unwrap_or_default();
    head.starts_with(&BZIP2) && matches!(head[3], b'1'..=b'9') && (block == BZIP2_BLOCK || block == BZIP2_END)
}

/// zstd and lz4 share their skippable frames: the first real one decides, among the first few.
fn behind_skippable(stored: &dyn ReadAt) -> Option<Compression> {
    let mut at = 0_u64;
    for _ in 0..16 {
        let mut head = [0; 8];
        if stored.read_at(&mut head[..4], at).is_err() {
            break;
        }
        match u32::from_le_bytes([head[0], head[1], head[2], head[3]]) {
            ZSTD => return Some(Compression::Zstd),
            LZ4 => return Some(Compression::Lz4),
            word if word & !0xf == SKIPPABLE => {}
            _ => return None,
        }
        stored.read_at(&mut head, at).ok()?;
        at += 8 + u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
    }
    Some(Compression::Zstd)
}

/// Stored bytes, read in order.
struct Input {
    stored: Arc<dyn ReadAt>,
    buffer: Vec<u8>,
    used: usize,
    /// Where the buffer ends in the file.
    next: u64,
    /// How far it was consumed: for whoever watches.
    position: Arc<AtomicU64>,
    /// More was wanted than there is.
    met_end: bool,
}

impl Input {
    /// Read at once, in bytes.
    const CHUNK: u64 = 256 << 10;

    fn rest(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// At least `want` bytes, unless the file ends before: then all that are left.
    fn peek(&mut self, want: usize) -> io::Result<&[u8]> {
        while self.rest().len() < want {
            let len = Self::CHUNK.min(self.stored.size().saturating_sub(self.next));
            if len == 0 {
                self.met_end = true;
                break;
            }
            self.buffer.drain(..self.used);
            self.used = 0;
            let kept = self.buffer.len();
            self.buffer.resize(kept + len as usize, 0);
            if let Err(error) = self.stored.read_at(&mut self.buffer[kept..], self.next) {
                self.buffer.truncate(kept);
                return Err(error);
            }
            self.next += len;
        }
        Ok(self.rest())
    }

    /// Whether what is in the buffer is the last of it.
    #[cfg(feature = "assembly")]
    fn is_last(&self) -> bool {
        self.next >= self.stored.size()
    }

    fn position(&self) -> u64 {
        self.next - self.rest().len() as u64
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }

    fn consume(&mut self, count: usize) {
        self.used += count;
        self.position.store(self.position(), Ordering::Relaxed);
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buf.len());
        buf[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// What is wrong with a stream, as decoders say it.
fn broken(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

fn cut() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// A decoder of a whole file.
trait Decode: Send {
    /// Some content, or none where all ends in order.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize>;
}

/// A decoder of one member, which takes the input and gives it back.
trait Member: Read + Send + Sized {
    fn open(input: Input) -> Self;
    fn close(self) -> io::Result<Input>;
    /// Whether another member follows, which is at its first byte then. `first`: none was before.
    fn follows(input: &mut Input, first: bool) -> io::Result<bool>;
}

/// Members, one behind the other.
struct Members<M> {
    state: State<M>,
    first: bool,
}

enum State<M> {
    Between(Input),
    Within(M),
    /// After an error.
    Over,
}

impl<M: Member> Decode for Members<M> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Err(broken("it was broken before")),
                State::Between(mut input) => {
                    if !M::follows(&mut input, self.first)? {
                        self.state = State::Between(input);
                        return Ok(0);
                    }
                    self.first = false;
                    self.state = State::Within(M::open(input));
                }
                State::Within(mut member) => {
                    let count = member.read(out)?;
                    if count > 0 {
                        self.state = State::Within(member);
                        return Ok(count);
                    }
                    self.state = State::Between(member.close()?);
                }
            }
        }
    }
}

/// Whether the input goes on, with a member that `begins` as it should.
fn goes_on(input: &mut Input, first: bool, len: usize, begins: impl Fn(&[u8]) -> bool) -> io::Result<bool> {
    let head = input.peek(len)?;
    match head {
        [] if !first => Ok(false),
        // Cut within its first bytes.
        head if head.len() < len => Err(cut()),
        head if begins(head) => Ok(true),
        _ => Err(broken("something else follows its end")),
    }
}

impl Member for flate2::bufread::GzDecoder<Input> {
    fn open(input: Input) -> Self {
        flate2::bufread::GzDecoder::new(input)
    }

    fn close(self) -> io::Result<Input> {
        Ok(self.into_inner())
    }

    fn follows(input: &mut Input, first: bool) -> io::Result<bool> {
        // A tape's last block is filled with zeros, which gzip passes over.
        while !first && input.peek(1)?.first() == Some(&0) {
            let zeros = input.rest().iter().take_while(|byte| **byte == 0).count();
            input.consume(zeros);
            if !matches!(input.peek(1)?.first(), None | Some(&0)) {
                return Err(broken("something else follows its end"));
            }
        }
        goes_on(input, first, GZIP.len(), |head| head.starts_with(&GZIP))
    }
}

impl Member for bzip2::bufread::BzDecoder<Input> {
    fn open(input: Input) -> Self {
        bzip2::bufread::BzDecoder::new(input)
    }

    fn close(self) -> io::Result<Input> {
        Ok(self.into_inner())
    }

    fn follows(input: &mut Input, first: bool) -> io::Result<bool> {
        goes_on(input, first, 10, is_bzip2)
    }
}

impl Member for lz4_flex::frame::FrameDecoder<Input> {
    fn open(mut input: Input) -> Self {
        input.met_end = false;
        lz4_flex::frame::FrameDecoder::new(input)
    }

    fn close(self) -> io::Result<Input> {
        let input = self.into_inner();
        // The decoder takes the end of the file for the end of the frame.
        if input.met_end { Err(cut()) } else { Ok(input) }
    }

    fn follows(input: &mut Input, first: bool) -> io::Result<bool> {
        loop {
            let head = input.peek(8)?;
            let Some(magic) = head.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)) else {
                return if head.is_empty() && !first { Ok(false) } else { Err(cut()) };
            };
            match magic {
                LZ4 => return Ok(true),
                LZ4_LEGACY => {
                    let error = Error::unsupported("the legacy frames of lz4 (lz4 -l)");
                    return Err(io::Error::new(io::ErrorKind::Unsupported, error));
                }
                _ if magic & !0xf == SKIPPABLE => skip(input)?,
                _ => return Err(broken("something else follows its end")),
            }
        }
    }
}

/// Passes over a skippable frame.
fn skip(input: &mut Input) -> io::Result<()> {
    let head = input.peek(8)?.first_chunk::<8>().ok_or_else(cut)?;
    let mut left = 8 + u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
    while left > 0 {
        let there = input.peek(1)?.len();
        if there == 0 {
            return Err(cut());
        }
        let count = left.min(there as u64) as usize;
        input.consume(count);
        left -= count as u64;
    }
    Ok(())
}

/// zstd knows its frames and skippable ones itself.
struct Zstd {
    input: Input,
    decoder: Unzstd,
    /// Before the first frame, or behind a whole one.
    between: bool,
    first: bool,
}

impl Zstd {
    /// Given to the decoder at once, in bytes: errors are known as exactly as that.
    const STEP: usize = 16 << 10;
}

impl Decode for Zstd {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let bytes = self.input.peek(1)?;
            if bytes.is_empty() && self.between {
                return if self.first { Err(cut()) } else { Ok(0) };
            }
            let step = self.decoder.step(&bytes[..bytes.len().min(Self::STEP)], out).map_err(as_broken)?;
            if step.taken == 0 && step.came == 0 && !step.ended && self.input.rest().is_empty() {
                return Err(cut());
            }
            self.input.consume(step.taken);
            (self.between, self.first) = (step.ended, false);
            if step.came > 0 {
                return Ok(step.came);
            }
        }
    }
}

fn as_broken(error: Error) -> io::Error {
    match error.kind() {
        Kind::Corrupt => broken(error.to_string()),
        _ => io::Error::new(io::ErrorKind::Unsupported, error),
    }
}

/// xz knows its streams and their padding itself.
#[cfg(feature = "assembly")]
struct Xz {
    input: Input,
    decoder: liblzma::stream::Stream,
    ended: bool,
}

#[cfg(feature = "assembly")]
impl Xz {
    fn new(input: Input) -> Result<Xz> {
        use liblzma::stream::{CONCATENATED, Stream};
        let decoder = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED);
        let decoder = decoder.map_err(|error| Error::io("starting xz", io::Error::other(error)))?;
        Ok(Xz { input, decoder, ended: false })
    }
}

#[cfg(feature = "assembly")]
impl Decode for Xz {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        use liblzma::stream::{Action, Error as Lzma, Status};
        while !self.ended {
            self.input.peek(1)?;
            // From here on all that is left is before it.
            let action = if self.input.is_last() { Action::Finish } else { Action::Run };
            let before = (self.decoder.total_in(), self.decoder.total_out());
            let status = self.decoder.process(self.input.rest(), out, action);
            let taken = (self.decoder.total_in() - before.0) as usize;
            let came = (self.decoder.total_out() - before.1) as usize;
            self.input.consume(taken);
            match status {
                Ok(Status::StreamEnd) => self.ended = true,
                Ok(Status::MemNeeded) if came == 0 => return Err(cut()),
                Ok(_) => {}
                Err(Lzma::MemLimit) => {
                    let what = format!("an xz stream that takes more than {} MiB of memory", XZ_MEMORY >> 20);
                    return Err(io::Error::new(io::ErrorKind::Unsupported, Error::unsupported(what)));
                }
                Err(Lzma::Format) => return Err(broken("something else follows its end")),
                Err(error) => return Err(broken(format!("{error}"))),
            }
            if came > 0 {
                return Ok(came);
            }
        }
        // Only at the end of the file it is said to have ended.
        match self.input.peek(1)? {
            [] => Ok(0),
            _ => Err(broken("something else follows its end")),
        }
    }
}

/// The content of a compressed file, from its beginning to its end.
pub struct Inflate {
    compression: Compression,
    decoder: Box<dyn Decode>,
    position: Arc<AtomicU64>,
    produced: u64,
}

impl Inflate {
    /// Begins with the first byte.
    pub fn new(stored: Arc<dyn ReadAt>) -> Result<Inflate> {
        let Some(compression) = Compression::of(&*stored) else {
            return Err(Error::unsupported("it begins like no compressed stream that is known"));
        };
        let position = Arc::new(AtomicU64::new(0));
        let input = Input {
            stored,
            buffer: Vec::new(),
            used: 0,
            next: 0,
            position: Arc::clone(&position),
            met_end: false,
        };
        fn members<M: Member + 'static>(input: Input) -> Box<dyn Decode> {
            Box::new(Members::<M> { state: State::Between(input), first: true })
        }
        let decoder = match compression {
            Compression::Gzip => members::<flate2::bufread::GzDecoder<Input>>(input),
            Compression::Bzip2 => members::<bzip2::bufread::BzDecoder<Input>>(input),
            Compression::Lz4 => members::<lz4_flex::frame::FrameDecoder<Input>>(input),
            Compression::Zstd => {
                Box::new(Zstd { input, decoder: Unzstd::new()?, between: true, first: true })
            }
            #[cfg(feature = "assembly")]
            Compression::Xz => Box::new(Xz::new(input)?),
            #[cfg(not(feature = "assembly"))]
            Compression::Xz => return Err(compression.absent()),
        };
        Ok(Inflate { compression, decoder, position, produced: 0 })
    }

    /// How it is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Up to which byte of the compressed file it was read.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// How much content came so far, in bytes.
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// Fills `out` as far as content goes: less than all of it only at the end, which was then found to be in order.
    pub fn fill(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < out.len() {
            match self.decoder.read(&mut out[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    self.produced += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(filled)
    }

    fn failed(&self, error: io::Error) -> Error {
        let (name, at) = (self.compression.name(), self.position.load(Ordering::Relaxed));
        // What the system says comes with its number; all else is a decoder's.
        if error.raw_os_error().is_some() {
            return Error::io(format!("reading a {name} stream"), error).at(at);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::corrupt(at, format!("the {name} stream is cut off: the file ends before it does"))
            }
            io::ErrorKind::Unsupported => match error.downcast::<Error>() {
                Ok(error) => error.at(at),
                Err(error) => Error::unsupported(format!("a {name} stream of another kind")).because(error),
            },
            _ => Error::corrupt(at, format!("the {name} stream is damaged")).because(error),
        }
    }
}
