//! What an image is restored onto: a device that is held, or a file.

use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::{Content, Geometry, ReadAt, Storage, WriteAt};
use crate::os::file::{Allocation, PlainFile};
use crate::os::writable::WritableDisk;
use crate::source::{DeviceSource, FileSource, Source};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is written, and read back.
pub(super) trait Onto: Storage {
    /// Its sizes.
    fn geometry(&self) -> Geometry;

    /// Tells it that nobody uses these bytes any more; false where it cannot be told.
    fn discard(&self, at: Extent) -> io::Result<bool>;

    /// Whether it still is what was opened; the error says what changed.
    fn alive(&self) -> Result<()>;

    /// Makes the reads that follow come from the medium, not from a cache of the system. What was written is flushed before.
    fn forget(&self);

    /// For reading it back.
    fn source(&self) -> Result<Box<dyn Source>>;
}

impl Onto for WritableDisk {
    fn geometry(&self) -> Geometry {
        WritableDisk::geometry(self)
    }

    fn discard(&self, at: Extent) -> io::Result<bool> {
        WritableDisk::discard(self, at)
    }

    fn alive(&self) -> Result<()> {
        WritableDisk::alive(self)
    }

    fn forget(&self) {
        self.disk().drop_caches();
    }

    fn source(&self) -> Result<Box<dyn Source>> {
        Ok(Box::new(DeviceSource::new(Arc::clone(self.disk()))))
    }
}

/// A raw file.
pub(super) struct OntoFile {
    file: PlainFile,
    path: PathBuf,
    size: u64,
}

impl OntoFile {
    /// Opens the file at `path`, or makes it where it was not there; it becomes `size` bytes long, and what it held stays only
    /// with `keep`.
    pub(super) fn open(path: &Path, exists: bool, size: u64, keep: bool) -> Result<OntoFile> {
        let failed = |error| Error::writing(format!("writing {}", path.display()), error);
        // Nobody gave leave to overwrite what came there since.
        let file = if exists {
            PlainFile::open_writable(path, Allocation::Sparse)
        } else {
            PlainFile::create_new(path, Allocation::Sparse)
        };
        let file = file.map_err(failed)?;
        if !file.lock().map_err(failed)? {
            return Err(Error::refused(format!("another ectype is at work on {}", path.display())));
        }
        // First what can fail: until then what it holds stands.
        if let Err(error) = file.set_size(size) {
            if !exists {
                let _ = std::fs::remove_file(path);
            }
            return Err(failed(error));
        }
        if !keep {
            file.set_size(0).and_then(|()| file.set_size(size)).map_err(failed)?;
        }
        Ok(OntoFile { file, path: path.to_owned(), size })
    }
}

impl ReadAt for OntoFile {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        self.file.content_at(offset)
    }
}

impl WriteAt for OntoFile {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(data, offset)
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        // What is a hole already need not be made one.
        match self.file.content_at(at.offset) {
            Ok((Content::Zero, until)) if until >= at.end() => Ok(()),
            _ => self.file.zero_at(at),
        }
    }

    fn flush(&self) -> io::Result<()> {
        self.file.flush()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_size(size)
    }

    fn holds_holes(&self) -> bool {
        self.file.holds_holes()
    }
}

impl Onto for OntoFile {
    fn geometry(&self) -> Geometry {
        Geometry { size: self.size, sector: 1, physical_sector: 512 }
    }

    fn discard(&self, at: Extent) -> io::Result<bool> {
        self.zero_at(at).map(|()| true)
    }

    fn alive(&self) -> Result<()> {
        Ok(())
    }

    fn forget(&self) {
        self.file.drop_cache();
    }

    fn source(&self) -> Result<Box<dyn Source>> {
        Ok(Box::new(FileSource::open(&self.path)?))
    }
}
