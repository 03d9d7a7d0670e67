//! Files: holes, space, locks and durable replacement.
//!
//! A hole is asked for with SEEK_DATA/SEEK_HOLE, made with `fallocate(PUNCH_HOLE)`, and believed in only after a probe: FAT,
//! exFAT and some network file systems accept a seek past the end and then write every zero.

use crate::extent::Extent;
use crate::io::{Content, ReadAt, WriteAt, write_zeros};
use crate::os::Blame;
pub use crate::os::{Allocation, FileStamp, Space, folder, is_held, is_same_name, leads_away, temporary};
use rustix::fs::{Advice, FallocateFlags, FlockOperation, OFlags, SeekFrom};
use rustix::io::Errno;
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A file as positioned storage.
#[derive(Debug)]
pub struct PlainFile {
    file: File,
    holds_holes: bool,
    can_punch: bool,
}

impl PlainFile {
    /// Opens a file for reading alone.
    pub fn open(path: &Path) -> io::Result<PlainFile> {
        let file = File::open(path)?;
        // Readahead grows faster when it knows; an error means only that it does not.
        let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
        Ok(PlainFile { file, holds_holes: false, can_punch: false })
    }

    /// Opens a file for reading around the page cache; an error where its file system has no such reading.
    pub fn open_direct(path: &Path) -> io::Result<PlainFile> {
        let file = OpenOptions::new().read(true).custom_flags(OFlags::DIRECT.bits() as i32).open(path)?;
        Ok(PlainFile { file, holds_holes: false, can_punch: false })
    }

    /// Creates a file that must not exist, and probes what its file system can do.
    pub fn create_new(path: &Path, _allocation: Allocation) -> io::Result<PlainFile> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Self::probed(file, true)
    }

    /// Opens an existing file for reading and writing.
    pub fn open_writable(path: &Path, _allocation: Allocation) -> io::Result<PlainFile> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Self::probed(file, false)
    }

    /// Opens a file for reading and writing, creating it empty where it is missing.
    pub fn open_or_create(path: &Path) -> io::Result<PlainFile> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Self::probed(file, false)
    }

    fn probed(file: File, fresh: bool) -> io::Result<PlainFile> {
        // Behind everything that the file holds: the question must not cost a byte.
        let facts = file.metadata()?;
        if !facts.is_file() {
            // What a device holds there would be gone.
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        let beyond = facts.len().max(1 << 40).next_multiple_of(4096);
        let can_punch = match punch(&file, Extent::new(beyond, 4096)) {
            Ok(()) => true,
            Err(error) if is_unsupported(&error) => false,
            // Beyond the largest file of this file system: the question was silly, the answer is yes.
            Err(error) if error.raw_os_error() == Some(Errno::FBIG.raw_os_error()) => true,
            Err(error) => return Err(error),
        };
        let mut holds_holes = can_punch;
        if !can_punch && fresh {
            // One block far out: where holes exist, the gap before it takes no space.
            file.write_all_at(&[0; 4096], 1 << 20)?;
            let allocated = file.metadata()?.blocks() * 512;
            file.set_len(0)?;
            holds_holes = allocated < 1 << 19;
        }
        Ok(PlainFile { file, holds_holes, can_punch })
    }

    /// The file itself, for locking and for its metadata.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Reads what is there from `offset`, fewer bytes than asked only at the end of the file.
    pub fn read_some(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.file.read_at(&mut buf[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Makes later reads come from the disk, not from the page cache: flushes, then drops the clean pages. Best effort.
    pub fn drop_cache(&self) {
        let _ = rustix::fs::fdatasync(&self.file);
        let _ = rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed);
    }

    /// Takes the file for this process alone until it is closed; false when another process has it.
    pub fn lock(&self) -> io::Result<bool> {
        match rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            // A file system without locks cannot have a second holder that we could know of.
            Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes back what programs changed through a mapping: from then on the next such change shows in the stamp. Best effort.
    pub fn settle(&self) {
        super::writeback::write_back(&self.file);
    }

    /// What tells whether this file was written or replaced.
    pub fn stamp(&self) -> io::Result<FileStamp> {
        let facts = self.file.metadata()?;
        Ok(FileStamp {
            device: facts.dev(),
            inode: facts.ino(),
            size: facts.size(),
            modified_ns: nanoseconds(facts.mtime(), facts.mtime_nsec()),
            changed_ns: nanoseconds(facts.ctime(), facts.ctime_nsec()),
        })
    }

    /// How many bytes the file takes on its disk.
    pub fn allocated(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.blocks() * 512)
    }
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

fn is_unsupported(error: &io::Error) -> bool {
    [Errno::NOTSUP, Errno::NOSYS, Errno::INVAL]
        .iter()
        .any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}

fn punch(file: &File, at: Extent) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    loop {
        match rustix::fs::fallocate(file, flags, at.offset, at.len) {
            Err(Errno::INTR) => {}
            answer => return Ok(answer?),
        }
    }
}

impl ReadAt for PlainFile {
    fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |facts| facts.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        let size = self.size();
        let end = size.max(offset.saturating_add(1));
        if offset >= size {
            return Ok((Content::Data, end));
        }
        match rustix::fs::seek(&self.file, SeekFrom::Data(offset)) {
            Ok(data) if data > offset => return Ok((Content::Zero, data.min(end))),
            Ok(_) => {}
            Err(Errno::NXIO) => return Ok((Content::Zero, end)),
            Err(_) => return Ok((Content::Data, end)),
        }
        match rustix::fs::seek(&self.file, SeekFrom::Hole(offset)) {
            Ok(hole) if hole > offset => Ok((Content::Data, hole.min(end))),
            _ => Ok((Content::Data, end)),
        }
    }
}

impl WriteAt for PlainFile {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        if self.can_punch {
            punch(&self.file, at)?;
            // Punching never grows the file, zeroing does.
            if self.size() < at.end() {
                self.file.set_len(at.end())?;
            }
            return Ok(());
        }
        write_zeros(self, at)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }

    fn holds_holes(&self) -> bool {
        self.holds_holes
    }
}

/// A path that the system made canonical, as people write it: here it is.
pub fn as_written(path: &Path) -> Cow<'_, Path> {
    Cow::Borrowed(path)
}

/// What standard output leads to, for more than words.
pub fn standard_output() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

/// Whether an open file is a disk.
pub fn is_disk(file: &File) -> bool {
    file.metadata().is_ok_and(|facts| facts.file_type().is_block_device())
}

/// The numbers of a plain file and of the file system that it lies on; `None` of a pipe.
pub fn numbers(file: &File) -> Option<(u64, u64)> {
    let facts = file.metadata().ok().filter(|facts| facts.is_file())?;
    Some((facts.dev(), facts.ino()))
}

/// The room in the file system of the folder `dir`.
pub fn space(dir: &Path) -> io::Result<Space> {
    let facts = rustix::fs::statvfs(dir)?;
    // Magic numbers of linux/magic.h; only file systems whose limits a disk can exceed.
    let (filesystem, largest_file) = match rustix::fs::statfs(dir)?.f_type {
        0x4d44 => (Some("FAT"), Some((4 << 30) - 1)),
        0x2011_bab0 => (Some("exFAT"), None),
        0x0102_1994 => (Some("tmpfs"), None),
        0xef53 => (Some("ext4"), None),
        0x5846_5342 => (Some("XFS"), None),
        0x9123_683e => (Some("Btrfs"), None),
        _ => (None, None),
    };
    Ok(Space { available: facts.f_bavail.saturating_mul(facts.f_frsize), filesystem, largest_file })
}

/// Makes the names in the folder `dir` durable.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        // FUSE and network file systems may have no such call; the name is then as durable as they make it.
        Err(error) if is_unsupported(&error) => Ok(()),
        answer => answer,
    }
}

/// Gives `path` this content, all or nothing: whatever happens, a reader finds the old or the new file whole.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let written = (|| {
        // What a crash left there goes, and so does a link, which would send the content elsewhere.
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(content)?;
        file.sync_data()?;
        std::fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    sync_dir(folder(path))
}

/// Whom an error of a read blames. A medium that cannot give a sector answers EIO, or what its driver makes of the sense
/// data: ENODATA (sd, sr), EREMOTEIO (USB bridges), ETIMEDOUT, EILSEQ (CRC on a bus), EBADMSG (ECC).
pub fn blame(error: &io::Error) -> Blame {
    let is = |codes: &[Errno]| codes.iter().any(|code| error.raw_os_error() == Some(code.raw_os_error()));
    if is(&[Errno::IO, Errno::NODATA, Errno::REMOTEIO, Errno::TIMEDOUT, Errno::ILSEQ, Errno::BADMSG]) {
        Blame::Medium
    } else if is(&[Errno::NODEV, Errno::NXIO, Errno::NOMEDIUM, Errno::SHUTDOWN, Errno::NOTCONN]) {
        Blame::Gone
    } else {
        Blame::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_seen_and_made() {
        let dir = tempfile::tempdir().unwrap();
        let file = PlainFile::create_new(&dir.path().join("f"), Allocation::Sparse).unwrap();
        assert_eq!(file.size(), 0);
        file.set_size(4 << 20).unwrap();
        file.write_at(&[7; 4096], 1 << 20).unwrap();
        if !file.holds_holes() {
            return;
        }
        assert_eq!(file.content_at(0).unwrap(), (Content::Zero, 1 << 20));
        assert_eq!(file.content_at(1 << 20).unwrap().0, Content::Data);
        file.zero_at(Extent::new(1 << 20, 4096)).unwrap();
        assert_eq!(file.content_at(0).unwrap(), (Content::Zero, 4 << 20));
        assert_eq!(file.allocated().unwrap(), 0);
        file.zero_at(Extent::new(5 << 20, 10)).unwrap();
        assert_eq!(file.size(), (5 << 20) + 10);
    }

    #[test]
    fn opening_a_file_of_more_than_a_tebibyte_costs_no_byte_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        let file = PlainFile::create_new(&path, Allocation::Sparse).unwrap();
        if !file.holds_holes() || file.write_at(&[7; 8192], 1 << 40).is_err() {
            return;
        }
        drop(file);
        let file = PlainFile::open_writable(&path, Allocation::Sparse).unwrap();
        let mut held = [0; 8192];
        file.read_at(&mut held, 1 << 40).unwrap();
        assert!(held.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn a_change_through_a_mapping_shows_in_the_stamp_of_a_settled_file() {
        use std::io::{BufRead, BufReader, Write};
        use std::process::{Command, Stdio};
        const WRITER: &str = "\
import mmap, sys
with open(sys.argv[1], 'r+b') as file:
    mapping = mmap.mmap(file.fileno(), 0)
    for byte in b'\\x01\\x02':
        mapping[0] = byte
        print('written', flush=True)
        sys.stdin.readline()
";
        let dir = tempfile::tempdir().unwrap();
        // tmpfs never dates what came through a mapping.
        let dates = space(dir.path()).unwrap().filesystem != Some("tmpfs");
        if !ectype_testkit::need::kernel(dates, "a temporary folder that is not tmpfs")
            || !ectype_testkit::need::tool("python3")
        {
            return;
        }
        let path = dir.path().join("mapped");
        std::fs::write(&path, [0; 8192]).unwrap();
        let mut writer = Command::new("python3")
            .args(["-c", WRITER])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(writer.stdout.take().unwrap());
        let mut asked = writer.stdin.take().unwrap();
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let file = PlainFile::open(&path).unwrap();
        file.settle();
        let before = file.stamp().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        asked.write_all(b"go on\n").unwrap();
        said.read_line(&mut line).unwrap();
        assert_ne!(file.stamp().unwrap(), before, "{line}");
        drop(asked);
        writer.wait().unwrap();
    }

    #[test]
    fn replacing_leaves_the_new_content_and_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_lock_keeps_others_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let first = PlainFile::create_new(&path, Allocation::Sparse).unwrap();
        assert!(first.lock().unwrap());
        let second = PlainFile::open_writable(&path, Allocation::Sparse).unwrap();
        assert!(!second.lock().unwrap());
        drop(first);
        assert!(second.lock().unwrap());
    }
}
