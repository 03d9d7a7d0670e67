//! A compressed file as an image: a window over its content moves forward.

use super::inflate::{Compression, Inflate};
use super::told_size;
use crate::cache::Shared;
use crate::error::{Error, Result};
use crate::extent::{Extent, PIECE};
use crate::image::{Facts, Findings, Opened, foreign, probe};
use crate::io::{Content, ReadAt};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// So many pieces of the beginning stay: whoever looks for partitions and file systems comes back to it.
const KEPT: u64 = 8;
/// So many are in the window: more than reads are ever in flight.
const WINDOW: usize = 16;

/// The content of a compressed file.
struct PackedImage {
    stored: Arc<dyn ReadAt>,
    size: u64,
    facts: Facts,
    reading: Shared<Reading>,
}

/// Where the reading stands.
struct Reading {
    inflate: Inflate,
    kept: Vec<Vec<u8>>,
    /// The last pieces, and the number of the first of them.
    window: VecDeque<Vec<u8>>,
    first: u64,
    /// Why it does not go on. It is not tried again: a disk that fails takes its time about it.
    failed: Option<Error>,
}

/// Opens a compressed file.
///
/// # Errors
/// `Corrupt` where it contradicts itself as far as it was inflated, `Unsupported` where it holds an image of another format
/// or an archive: its bytes are no disk's.
pub(in crate::image) fn open(stored: Arc<dyn ReadAt>) -> Result<Arc<dyn Opened>> {
    let mut inflate = Inflate::new(Arc::clone(&stored))?;
    let compression = inflate.compression();
    let told = told_size(&*stored)?;
    let mut head = vec![0; PIECE as usize];
    let came = inflate.fill(&mut head)?;
    head.truncate(came);
    refuse_container(&head)?;
    let told = told.or((came < PIECE as usize).then_some(came as u64));
    let (size, reading) = match told {
        Some(size) => {
            let mut reading = Reading::of(inflate);
            reading.add(size, head)?;
            (size, reading)
        }
        None => (count(&mut inflate)?, Reading { kept: vec![head], ..Reading::begin(&stored)? }),
    };
    let facts = Facts {
        format: match compression {
            Compression::Gzip => "gz",
            Compression::Xz => "xz",
            Compression::Zstd => "zst",
            Compression::Bzip2 => "bz2",
            Compression::Lz4 => "lz4",
        },
        subformat: "stream".into(),
        sector: 512,
        in_order: true,
        more: vec![("compressed", stored.size().into())],
        ..Facts::default()
    };
    Ok(Arc::new(PackedImage { stored, size, facts, reading: Shared::new(reading) }))
}

/// How much content there is, by inflating what is left.
fn count(inflate: &mut Inflate) -> Result<u64> {
    let mut buffer = vec![0; PIECE as usize];
    while inflate.fill(&mut buffer)? == buffer.len() {}
    Ok(inflate.produced())
}

/// A disk is not made of the bytes of a container.
fn refuse_container(head: &[u8]) -> Result<()> {
    // POSIX.1-1988, ustar: the magic of a header.
    let is_tar = head.get(257..262) == Some(b"ustar");
    let name = match probe(&head).filter(|format| !format.is_bytes) {
        Some(format) => Some(format.name),
        None => foreign(&head),
    };
    let what = match (is_tar, name) {
        (true, _) => "a tar archive".to_owned(),
        (false, Some(name)) => format!("a {name} file"),
        (false, None) => return Ok(()),
    };
    Err(Error::unsupported(format!("what is compressed in it is {what}, not the bytes of a disk"))
        .advise("unpack it, and name what was in it"))
}

impl Reading {
    fn of(inflate: Inflate) -> Reading {
        Reading { inflate, kept: Vec::new(), window: VecDeque::new(), first: 0, failed: None }
    }

    fn begin(stored: &Arc<dyn ReadAt>) -> Result<Reading> {
        Ok(Reading::of(Inflate::new(Arc::clone(stored))?))
    }

    /// The piece `index` of a content of `size` bytes.
    fn piece(&mut self, stored: &Arc<dyn ReadAt>, size: u64, index: u64) -> Result<&[u8]> {
        if index >= self.kept.len() as u64 && index < self.first {
            let kept = std::mem::take(&mut self.kept);
            *self = Reading { kept, ..Reading::begin(stored)? };
        }
        if index >= self.kept.len() as u64 {
            while self.next() <= index {
                if let Some(failed) = &self.failed {
                    return Err(failed.again());
                }
                if let Err(error) = self.go_on(size) {
                    self.failed = Some(error);
                }
            }
        }
        match self.kept.get(index as usize) {
            Some(kept) => Ok(kept),
            None => Ok(&self.window[(index - self.first) as usize]),
        }
    }

    /// The number of the piece that comes next.
    fn next(&self) -> u64 {
        self.first + self.window.len() as u64
    }

    /// Inflates the next piece.
    fn go_on(&mut self, size: u64) -> Result<()> {
        let wanted = piece_of(size, self.next()).len as usize;
        let mut piece = match self.window.len() {
            WINDOW => {
                self.first += 1;
                self.window.pop_front().unwrap_or_default()
            }
            _ => Vec::new(),
        };
        piece.resize(wanted, 0);
        let came = self.inflate.fill(&mut piece)?;
        piece.truncate(came);
        self.add(size, piece)
    }

    /// Takes the next piece: as long as it must be, and behind the last one there is nothing, which also proves the checksums of
    /// the end.
    fn add(&mut self, size: u64, piece: Vec<u8>) -> Result<()> {
        let (next, came) = (self.next(), piece.len() as u64);
        let wanted = piece_of(size, next);
        let is_last = wanted.end() == size;
        if came != wanted.len || (is_last && self.inflate.fill(&mut [0])? > 0) {
            let (found, at) = (self.inflate.produced(), self.inflate.position());
            let found = if came < wanted.len { format!("{found}") } else { "more".to_owned() };
            let what = format!("its content should be {size} bytes long, as it tells, and {found} are found");
            return Err(Error::corrupt(at, what));
        }
        if next < KEPT && next == self.kept.len() as u64 {
            self.kept.push(piece.clone());
        }
        self.window.push_back(piece);
        Ok(())
    }
}

fn piece_of(size: u64, index: u64) -> Extent {
    Extent::new(index * PIECE, PIECE).intersect(Extent::new(0, size))
}

impl ReadAt for PackedImage {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.reading.with(|reading| {
            while !buf.is_empty() {
                let (index, within) = (offset / PIECE, (offset % PIECE) as usize);
                let piece = reading.piece(&self.stored, self.size, index).map_err(in_io)?;
                let part = &piece[within..piece.len().min(within + buf.len())];
                let (head, rest) = std::mem::take(&mut buf).split_at_mut(part.len());
                head.copy_from_slice(part);
                (buf, offset) = (rest, offset + head.len() as u64);
            }
            Ok(())
        })
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        Ok((Content::Data, self.size.max(offset.saturating_add(1))))
    }
}

/// What the system said keeps its number: it decides whether the medium below is bad.
fn in_io(error: Error) -> io::Error {
    match error.io_cause().and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.into_io(),
    }
}

impl Opened for PackedImage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Its structure is proven by whoever reads it all: every checksum is looked at on the way.
    fn check(&self, _: &mut Findings) -> Result<()> {
        Ok(())
    }
}
