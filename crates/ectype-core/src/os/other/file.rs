//! Files on systems whose holes are not used yet: positioned reading and writing, zeros written out.

use crate::extent::Extent;
use crate::io::{ReadAt, WriteAt, write_zeros};
use crate::os::Blame;
pub use crate::os::{Allocation, FileStamp, Space, folder, is_held, is_same_name, leads_away, temporary};
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A file as positioned storage.
#[derive(Debug)]
pub struct PlainFile {
    file: File,
}

impl PlainFile {
    /// Opens a file for reading alone.
    pub fn open(path: &Path) -> io::Result<PlainFile> {
        Ok(PlainFile { file: File::open(path)? })
    }

    /// Not on this system.
    pub fn open_direct(_path: &Path) -> io::Result<PlainFile> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Creates a file that must not exist.
    pub fn create_new(path: &Path, _allocation: Allocation) -> io::Result<PlainFile> {
        Ok(PlainFile { file: OpenOptions::new().read(true).write(true).create_new(true).open(path)? })
    }

    /// Opens an existing file for reading and writing.
    pub fn open_writable(path: &Path, _allocation: Allocation) -> io::Result<PlainFile> {
        Ok(PlainFile { file: OpenOptions::new().read(true).write(true).open(path)? })
    }

    /// Opens a file for reading and writing, creating it empty where it is missing.
    pub fn open_or_create(path: &Path) -> io::Result<PlainFile> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(PlainFile { file })
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Reads what is there from `offset`, fewer bytes than asked only at the end of the file.
    pub fn read_some(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match pread(&self.file, &mut buf[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Nothing here: the page cache stays.
    pub fn drop_cache(&self) {}

    /// Nothing here: a stamp shows what the system noticed.
    pub fn settle(&self) {}

    /// Takes the file for this process alone until it is closed; false when another process has it.
    pub fn lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// What tells whether this file was written or replaced.
    pub fn stamp(&self) -> io::Result<FileStamp> {
        let facts = self.file.metadata()?;
        let modified = facts.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let modified_ns = i64::try_from(modified.as_nanos()).unwrap_or(i64::MAX);
        Ok(FileStamp { device: 0, inode: 0, size: facts.len(), modified_ns, changed_ns: 0 })
    }

    /// How many bytes the file takes on its disk; its length where that is not known.
    pub fn allocated(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

fn pread(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

fn pwrite(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, data, offset)
}

impl ReadAt for PlainFile {
    fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |facts| facts.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if self.read_some(buf, offset)? < buf.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

impl WriteAt for PlainFile {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut written = 0;
        while written < data.len() {
            match pwrite(&self.file, &data[written..], offset + written as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        write_zeros(self, at)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }

    fn holds_holes(&self) -> bool {
        false
    }
}

/// A path that the system made canonical, as people write it: here it is.
pub fn as_written(path: &Path) -> Cow<'_, Path> {
    Cow::Borrowed(path)
}

/// What standard output leads to, for more than words.
pub fn standard_output() -> io::Result<File> {
    let own = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?;
    Ok(own.into())
}

/// Not known on this system.
pub fn is_disk(_file: &File) -> bool {
    false
}

/// Not known on this system.
pub fn numbers(_file: &File) -> Option<(u64, u64)> {
    None
}

/// Not known on this system: no limit is claimed.
pub fn space(_dir: &Path) -> io::Result<Space> {
    Ok(Space { available: u64::MAX, filesystem: None, largest_file: None })
}

/// Names are made durable by the system itself.
pub fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Gives `path` this content, all or nothing.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_data()?;
    drop(file);
    std::fs::rename(&temporary, path)
}

/// Whom an error of a read blames: the medium, as far as it is known here.
pub fn blame(_error: &io::Error) -> Blame {
    Blame::Medium
}
