//! A file as a source: its bytes, never probed as a container; holes are known without reading.

use super::queue::{Queue, ReadOnce};
use super::{Answer, Geometry, Known, KnownGood, Outcome, Read, Source, medium_or_not};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::io::{Content, ReadAt};
use crate::os::Blame;
use crate::os::buffer::Buffer;
use crate::os::file::{FileStamp, PlainFile, blame};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A failed read of a file is narrowed to this, in bytes: the smallest sector that a disk below it can have.
const SECTOR: u32 = 512;

/// A file that is being imaged.
pub struct FileSource {
    file: Arc<OpenFile>,
    queue: Queue,
    path: PathBuf,
    size: u64,
    stamp: FileStamp,
    known: Known,
}

struct OpenFile {
    plain: PlainFile,
    /// Around the page cache, which fails whole pages for one bad sector.
    direct: Option<PlainFile>,
}

impl FileSource {
    /// Opens the file at `path` for reading.
    pub fn open(path: &Path) -> Result<FileSource> {
        let failed = |error| Error::io(format!("opening {}", path.display()), error);
        let plain = PlainFile::open(path).map_err(failed)?;
        plain.settle();
        let stamp = plain.stamp().map_err(failed)?;
        let file = Arc::new(OpenFile { plain, direct: PlainFile::open_direct(path).ok() });
        Ok(FileSource {
            queue: Queue::new(Arc::clone(&file) as Arc<dyn ReadOnce>),
            file,
            path: path.to_owned(),
            size: stamp.size,
            stamp,
            known: Known::nothing(),
        })
    }

    /// What tells whether the file was written since it was opened.
    pub fn stamp(&self) -> FileStamp {
        self.stamp
    }

    /// The file for parsers.
    pub fn reader(&self) -> &dyn ReadAt {
        &self.file.plain
    }
}

impl ReadOnce for OpenFile {
    fn read_once(&self, at: Extent, buffer: &mut [u8]) -> Read {
        let begun = Instant::now();
        let len = at.len as usize;
        let read =
            |file: &PlainFile, buffer: &mut [u8], len: usize| file.read_some(&mut buffer[..len], at.offset);
        let mut answer = read(&self.plain, buffer, len);
        if let (Err(_), Some(direct)) = (&answer, &self.direct) {
            // Direct reads want whole sectors; the file's last one is cut short by the kernel.
            let whole = len.next_multiple_of(SECTOR as usize).min(buffer.len());
            let direct = read(direct, buffer, whole).map(|count| count.min(len));
            // That a file system will not read so says nothing about the medium.
            if !direct.as_ref().is_err_and(|error| blame(error) == Blame::Other) {
                answer = direct;
            }
        }
        let (good, outcome) = match answer {
            Ok(count) if count == len => (at.len, Outcome::Ok),
            Ok(count) => {
                let shorter = std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the file became shorter while it was read",
                );
                (count as u64, Outcome::Failed(shorter))
            }
            Err(error) => (0, medium_or_not(error)),
        };
        Read { good, outcome, took: begun.elapsed() }
    }
}

impl Source for FileSource {
    fn geometry(&self) -> Geometry {
        Geometry { size: self.size, sector: 1, physical_sector: SECTOR }
    }

    fn submit(&mut self, at: Extent, buffer: Buffer) {
        self.queue.submit(at, buffer);
    }

    fn submit_steps(&mut self, at: Extent, step: u64, buffer: Buffer) {
        self.queue.submit_steps(at, step, buffer);
    }

    fn in_flight(&self) -> usize {
        self.queue.in_flight()
    }

    fn complete(&mut self, wait: Duration) -> Option<Answer> {
        self.queue.complete(wait)
    }

    fn content_at(&mut self, offset: u64) -> (Content, u64) {
        self.known.at(&self.file.plain, offset, self.size)
    }

    fn forget(&mut self) {
        self.file.plain.drop_cache();
    }

    fn alive(&mut self, known_good: Option<&KnownGood>) -> Result<()> {
        let gone = |what: String| Error::new(Kind::Gone, what);
        let name = self.path.display();
        let size = self.file.plain.size();
        if size != self.size {
            return Err(gone(format!(
                "{name} changed its size from {} to {size} bytes while it was read",
                self.size
            )));
        }
        self.file.plain.drop_cache();
        let mut buffer = Buffer::new(PIECE as usize);
        let mut gives = |at: Extent| matches!(self.file.read_once(at, &mut buffer).outcome, Outcome::Ok);
        let lives = match known_good {
            Some(known) => gives(known.at),
            // Where nothing was read before, one sector of several proves as much.
            None => [0, size / 2, size / 4, size / 4 * 3, size.saturating_sub(1)]
                .map(|place| Extent::new(place, 1).align_out(SECTOR.into()))
                .into_iter()
                .any(|at| gives(at.intersect(Extent::new(0, size)))),
        };
        if lives {
            return known_good.map_or(Ok(()), |known| known.compare(&buffer[..known.bytes.len()]));
        }
        Err(gone(format!("{name} no longer gives what it gave before: its disk seems to be gone")))
    }
}
