//! What tests do with files and processes that each system spells in its own way.
//!
//! What only one system has says so: a test asks [`crate::need::unix`] first.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::ExitStatus;

/// The file that is always empty, and swallows what is written.
pub const NULL: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// Positioned reading and writing. The position of the file itself is left alone on Unix, and moved on Windows.
pub trait FileAt {
    /// Some bytes from `offset`; 0 at the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some of `data` at `offset`.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize>;

    /// Fills `buf` from `offset`.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read_at(&mut buf[filled..], offset + filled as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(())
    }

    /// Writes all of `data` at `offset`.
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut written = 0;
        while written < data.len() {
            match self.write_at(&data[written..], offset + written as u64)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => written += count,
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
impl FileAt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buf, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, data, offset)
    }
}

#[cfg(windows)]
impl FileAt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buf, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(self, data, offset)
    }
}

/// Bytes that a file takes on its disk.
pub fn allocated(path: &Path) -> io::Result<u64> {
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(path)?) * 512);
    #[cfg(not(unix))]
    ectype_core::os::file::PlainFile::open(path)?.allocated()
}

/// The signal that ended a process; never one on Windows.
pub fn signal_of(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}

/// Makes a symbolic link. Unix only.
pub fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(original, link);
    #[cfg(not(unix))]
    unreachable!("{} {}", original.as_ref().display(), link.as_ref().display());
}

/// Sets who may do what with a file. Unix only.
pub fn set_mode(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    return std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    unreachable!("{} {mode}", path.as_ref().display());
}

/// Gives a file to a user and a group of that number. Unix only.
pub fn give_to(path: impl AsRef<Path>, owner: u32) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::chown(path, Some(owner), Some(owner));
    #[cfg(not(unix))]
    unreachable!("{} {owner}", path.as_ref().display());
}

/// A name of these bytes; of any on Unix, of UTF-8 elsewhere.
pub fn name_of(bytes: &[u8]) -> &OsStr {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStrExt::from_bytes(bytes);
    #[cfg(not(unix))]
    OsStr::new(std::str::from_utf8(bytes).expect("a name in UTF-8"))
}

/// Opens a file or device for reading, with flags of `open(2)`. Unix only.
pub fn open_with(path: &Path, flags: i32) -> io::Result<File> {
    #[cfg(unix)]
    return std::os::unix::fs::OpenOptionsExt::custom_flags(File::options().read(true), flags).open(path);
    #[cfg(not(unix))]
    unreachable!("{} {flags}", path.display());
}
