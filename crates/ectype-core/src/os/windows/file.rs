//! Files: holes, space, locks and durable replacement.
//!
//! A hole is made with FSCTL_SET_ZERO_DATA in a file that FSCTL_SET_SPARSE made one with holes, and asked for with
//! FSCTL_QUERY_ALLOCATED_RANGES. In any other file what was never written takes space all the same, and what is written behind
//! it costs its zeros.
#![expect(unsafe_code, reason = "questions to the system about open files")]

use super::bindings::*;
use super::ioctl::{Reply, ioctl};
use super::volume::{self, FileSystem, wide};
use crate::extent::Extent;
use crate::io::{Content, ReadAt, WriteAt, write_zeros};
use crate::os::Blame;
use crate::os::nt::names;
pub use crate::os::{Allocation, FileStamp, Space, folder, temporary};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::time::Duration;
use windows_core::PCWSTR;
use zerocopy::IntoBytes;

/// Where the lock lies: locks keep others from reading and writing too, and no byte is here.
const LOCK: u64 = 1 << 62;

/// Everybody may do everything meanwhile.
const SHARED: u32 = (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE) as u32;
/// Nobody else may write.
const HELD: u32 = (FILE_SHARE_READ | FILE_SHARE_DELETE) as u32;

/// A file as positioned storage.
#[derive(Debug)]
pub struct PlainFile {
    file: File,
    /// Whether it is a sparse one, so that gaps take no space.
    sparse: bool,
    /// Whether it is read around the cache, in whole sectors alone.
    direct: bool,
    /// Whether what is not allocated in it is zeros.
    has_holes: bool,
}

impl PlainFile {
    /// Opens a file for reading alone, beside those who write it; a folder for its stamp.
    pub fn open(path: &Path) -> io::Result<PlainFile> {
        // The flag opens folders too.
        let flags = (FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_SEQUENTIAL_SCAN) as u32;
        let file = OpenOptions::new().read(true).share_mode(SHARED).custom_flags(flags).open(path)?;
        Ok(PlainFile::of(file, false, false))
    }

    /// Opens a file for reading around the cache, in whole sectors.
    pub fn open_direct(path: &Path) -> io::Result<PlainFile> {
        let flags = FILE_FLAG_NO_BUFFERING as u32;
        let file = OpenOptions::new().read(true).share_mode(SHARED).custom_flags(flags).open(path)?;
        Ok(PlainFile::of(file, false, true))
    }

    /// Creates a file that must not exist. Nobody else may write it until it is closed.
    pub fn create_new(path: &Path, allocation: Allocation) -> io::Result<PlainFile> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).share_mode(HELD).open(path)?;
        Self::prepared(file, allocation)
    }

    /// Opens an existing file for reading and writing. Nobody else may write it until it is closed.
    pub fn open_writable(path: &Path, allocation: Allocation) -> io::Result<PlainFile> {
        let file = OpenOptions::new().read(true).write(true).share_mode(HELD).open(path)?;
        Self::prepared(file, allocation)
    }

    /// Opens a file for reading and writing, creating it empty where it is missing. Others may do so too, and are told by
    /// [`PlainFile::lock`].
    pub fn open_or_create(path: &Path) -> io::Result<PlainFile> {
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).share_mode(SHARED).open(path)?;
        Self::prepared(file, Allocation::Sparse)
    }

    fn prepared(file: File, allocation: Allocation) -> io::Result<PlainFile> {
        // NUL, COM1 and the like are no files, whatever folder they are named in.
        if file_type(&file) != FILE_TYPE_DISK || !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        let set = |sparse: bool| ioctl(&file, FSCTL_SET_SPARSE, &[sparse.into()], &mut []).is_ok();
        let sparse = match allocation {
            Allocation::Sparse => {
                let supported = FileSystem::of(&file)
                    .is_ok_and(|system| system.flags & FILE_SUPPORTS_SPARSE_FILES as u32 != 0);
                supported && set(true)
            }
            Allocation::Dense => {
                if attributes(&file)? & FILE_ATTRIBUTE_SPARSE_FILE as u32 != 0 {
                    // Where the system does not make it whole again it stays as it is, and works.
                    set(false);
                }
                false
            }
        };
        Ok(PlainFile::of(file, sparse, false))
    }

    fn of(file: File, sparse: bool, direct: bool) -> PlainFile {
        let has_holes = attributes(&file).is_ok_and(has_holes);
        PlainFile { file, sparse, direct, has_holes }
    }

    /// The file itself, for its metadata.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Reads what is there from `offset`, fewer bytes than asked only at the end of the file.
    pub fn read_some(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            let count = self.file.seek_read(&mut buf[filled..], offset + filled as u64)?;
            filled += count;
            // Only its end cuts a direct read short, and behind that no sector begins.
            if count == 0 || self.direct {
                break;
            }
        }
        Ok(filled)
    }

    /// Makes later reads come from the disk, not from the cache: whoever opens a file around the cache makes the system flush
    /// it and drop what it holds. Best effort.
    pub fn drop_cache(&self) {
        let _ = self.file.sync_data();
        // SAFETY: the handle is open; the new one is closed by its owner.
        let again = unsafe {
            ReOpenFile(self.file.as_raw_handle(), GENERIC_READ, SHARED, FILE_FLAG_NO_BUFFERING as u32)
        };
        if again != INVALID_HANDLE_VALUE {
            // SAFETY: a handle that was just opened, and that nobody else has.
            drop(unsafe { OwnedHandle::from_raw_handle(again) });
        }
    }

    /// Takes the file for this process alone until it is closed; false when another process has it.
    pub fn lock(&self) -> io::Result<bool> {
        let mut at = OVERLAPPED::default();
        at.Anonymous.Anonymous = OVERLAPPED_0_0 { Offset: LOCK as u32, OffsetHigh: (LOCK >> 32) as u32 };
        let how = (LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY) as u32;
        // SAFETY: the handle is open and waits for its answers, so that nothing refers to `at` afterwards.
        let done = unsafe { LockFileEx(self.file.as_raw_handle(), how, 0, 1, 0, &mut at) };
        if done.as_bool() {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(false),
            // A file system without locks cannot have a second holder that we could know of.
            Some(ERROR_NOT_SUPPORTED | ERROR_INVALID_FUNCTION) => Ok(true),
            _ => Err(error),
        }
    }

    /// Nothing here: what programs changed through a mapping dates the file when the system writes it.
    pub fn settle(&self) {}

    /// What tells whether this file was written or replaced.
    pub fn stamp(&self) -> io::Result<FileStamp> {
        stamp(&self.file)
    }

    /// How many bytes the file takes on its disk.
    pub fn allocated(&self) -> io::Result<u64> {
        // What a sparse file takes is told as that of a compressed one.
        let taken = facts(&self.file, FileCompressionInfo, FILE_COMPRESSION_INFO::default())
            .map(|facts| facts.CompressedFileSize)
            .or_else(|_| {
                facts(&self.file, FileStandardInfo, FILE_STANDARD_INFO::default())
                    .map(|facts| facts.AllocationSize)
            })?;
        Ok(u64::try_from(taken).unwrap_or(0))
    }
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

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        let size = self.size();
        let (Ok(from), Some(len)) = (i64::try_from(offset), size.checked_sub(offset).filter(|&len| len > 0))
        else {
            return Ok((Content::Data, size.max(offset.saturating_add(1))));
        };
        if !self.has_holes {
            return Ok((Content::Data, size));
        }
        let asked = [from, i64::try_from(len).unwrap_or(i64::MAX - from)];
        let mut first = [0i64; 2];
        let answer = ioctl(&self.file, FSCTL_QUERY_ALLOCATED_RANGES, asked.as_bytes(), first.as_mut_bytes());
        Ok(match answer {
            Ok(Reply { len, .. }) => content(offset, size, (len >= size_of_val(&first)).then_some(first)),
            Err(_) => (Content::Data, size),
        })
    }
}

/// What lies at `offset` of a file of `size` bytes that goes on behind it, and up to where, by the first range from there that is
/// allocated: where it begins and its length.
fn content(offset: u64, size: u64, first: Option<[i64; 2]>) -> (Content, u64) {
    let Some([begin, len]) = first else { return (Content::Zero, size) };
    let (Ok(begin), Ok(len)) = (u64::try_from(begin), u64::try_from(len)) else {
        return (Content::Data, size);
    };
    let end = begin.saturating_add(len).min(size);
    match begin > offset {
        true => (Content::Zero, begin.min(size)),
        false if end > offset => (Content::Data, end),
        false => (Content::Data, size),
    }
}

impl WriteAt for PlainFile {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut written = 0;
        while written < data.len() {
            match self.file.seek_write(&data[written..], offset + written as u64)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => written += count,
            }
        }
        Ok(())
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        let range = i64::try_from(at.offset).and_then(|from| Ok([from, i64::try_from(at.end())?]));
        if self.sparse
            && let Ok(range) = range
        {
            ioctl(&self.file, FSCTL_SET_ZERO_DATA, range.as_bytes(), &mut [])?;
            // It never grows the file, zeroing does.
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
        self.sparse
    }
}

/// What an open file tells in one class of answers, which `empty` is the shape of.
fn facts<T>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS, mut empty: T) -> io::Result<T>
where
    T: Copy,
{
    let len = size_of::<T>() as u32;
    // SAFETY: the handle is open, and the system writes at most as many bytes as it is told. The callers pair each class with
    // its own structure, of numbers.
    let done =
        unsafe { GetFileInformationByHandleEx(file.as_raw_handle(), class, (&raw mut empty).cast(), len) };
    done.ok()?;
    Ok(empty)
}

fn attributes(file: &File) -> io::Result<u32> {
    Ok(facts(file, FileBasicInfo, FILE_BASIC_INFO::default())?.FileAttributes)
}

/// Whether what is not allocated in a file with these attributes is zeros. What is in the cloud, deduplicated or on tape has its
/// bytes elsewhere, and comes when it is read.
fn has_holes(attributes: u32) -> bool {
    const ELSEWHERE: i32 = FILE_ATTRIBUTE_REPARSE_POINT
        | FILE_ATTRIBUTE_OFFLINE
        | FILE_ATTRIBUTE_RECALL_ON_OPEN
        | FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS;
    attributes & FILE_ATTRIBUTE_SPARSE_FILE as u32 != 0 && attributes & ELSEWHERE as u32 == 0
}

fn file_type(file: &File) -> i32 {
    // SAFETY: the handle is open.
    unsafe { GetFileType(file.as_raw_handle()) as i32 }
}

fn stamp(file: &File) -> io::Result<FileStamp> {
    let size = file.metadata()?.len();
    let times = facts(file, FileBasicInfo, FILE_BASIC_INFO::default())?;
    let (device, inode) = match facts(file, FileIdInfo, FILE_ID_INFO::default()) {
        Ok(id) => {
            // ReFS numbers its files with 128 bits; elsewhere the upper half is empty.
            let number = u128::from_le_bytes(id.FileId.Identifier);
            (id.VolumeSerialNumber, (number as u64) ^ ((number >> 64) as u64).rotate_left(32))
        }
        // FAT, and network drives.
        Err(_) => {
            let mut old = BY_HANDLE_FILE_INFORMATION::default();
            // SAFETY: the handle is open; the answer is a structure of numbers.
            unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut old) }.ok()?;
            let index = u64::from(old.nFileIndexHigh) << 32 | u64::from(old.nFileIndexLow);
            (old.dwVolumeSerialNumber.into(), index)
        }
    };
    // FAT has no time of change.
    let changed = if times.ChangeTime == 0 { times.LastWriteTime } else { times.ChangeTime };
    Ok(FileStamp {
        device,
        inode,
        size,
        modified_ns: since_1970(times.LastWriteTime),
        changed_ns: since_1970(changed),
    })
}

/// Nanoseconds since 1970 of a time in 100 ns since 1601.
fn since_1970(time: i64) -> i64 {
    time.saturating_sub(116_444_736_000_000_000).saturating_mul(100)
}

/// A path that the system made canonical, as people write it: without the prefix that lifts the limit of its length, where it means
/// the same without. To be shown; calls take the canonical one.
pub fn as_written(path: &Path) -> Cow<'_, Path> {
    match path.to_str().and_then(names::as_written) {
        Some(written) => Cow::Owned(written.into()),
        None => Cow::Borrowed(path),
    }
}

/// Whether a look at `path` alone would ask another machine, one that none of the folders `from` is on, or a device: whoever wrote
/// the path would learn of it, and who we are.
pub fn leads_away(path: &Path, from: &[PathBuf]) -> bool {
    let from: Vec<Cow<'_, str>> = from.iter().map(|folder| folder.to_string_lossy()).collect();
    names::leads_away(&path.to_string_lossy(), from.iter().map(|folder| &**folder))
}

/// Whether two names in one folder are of one file.
pub fn is_same_name(a: &OsStr, b: &OsStr) -> bool {
    a == b || names::is_same(&a.to_string_lossy(), &b.to_string_lossy())
}

/// What standard output leads to, for more than words: bytes pass as they are.
pub fn standard_output() -> io::Result<File> {
    Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
}

/// Whether an open file is a disk: one of those has no place in a file system.
pub fn is_disk(file: &File) -> bool {
    file_type(file) == FILE_TYPE_DISK && facts(file, FileBasicInfo, FILE_BASIC_INFO::default()).is_err()
}

/// The numbers of a plain file and of the volume that it lies on; `None` of a pipe.
pub fn numbers(file: &File) -> Option<(u64, u64)> {
    if file_type(file) != FILE_TYPE_DISK || !file.metadata().is_ok_and(|facts| facts.is_file()) {
        return None;
    }
    stamp(file).ok().map(|stamp| (stamp.device, stamp.inode))
}

/// The room in the file system of the folder `dir`.
pub fn space(dir: &Path) -> io::Result<Space> {
    let available = volume::available(dir)?;
    let opened = PlainFile::open(dir)?;
    // A network drive may not tell, and a limit is claimed only where it is known.
    let name = FileSystem::of(&opened.file).map_or_else(|_| String::new(), |system| system.name);
    let (filesystem, largest_file) = match name.to_ascii_uppercase().as_str() {
        "FAT32" => (Some("FAT32"), Some((4 << 30) - 1)),
        "FAT" | "FAT12" | "FAT16" => (Some("FAT"), Some((4 << 30) - 1)),
        "EXFAT" => (Some("exFAT"), None),
        "NTFS" => (Some("NTFS"), None),
        "REFS" => (Some("ReFS"), None),
        "UDF" => (Some("UDF"), None),
        _ => (None, None),
    };
    Ok(Space { available, filesystem, largest_file })
}

/// Nothing here: NTFS journals names in order, and a flush of a file takes its name along, on FAT too.
pub fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
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
        drop(file);
        patiently(|| rename(&temporary, path))
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Gives a file another's name, durably.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let (wide_from, wide_to) = (wide(from)?, wide(to)?);
    let how = (MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) as u32;
    // SAFETY: both names end with a zero.
    let done = unsafe { MoveFileExW(PCWSTR(wide_from.as_ptr()), PCWSTR(wide_to.as_ptr()), how) };
    if done.as_bool() {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    // While somebody reads the old one only the newer call, which leaves it to him, replaces it.
    if is_in_use(&error) { std::fs::rename(from, to) } else { Err(error) }
}

/// Virus scanners and indexers open what was just written, for a moment.
fn patiently(mut work: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for pause in [10, 30, 100, 300, 600] {
        match work() {
            Err(error) if is_in_use(&error) => std::thread::sleep(Duration::from_millis(pause)),
            done => return done,
        }
    }
    work()
}

/// Deleted by its last holder a file is denied for a moment, too.
fn is_in_use(error: &io::Error) -> bool {
    is_held(error) || error.raw_os_error() == Some(ERROR_ACCESS_DENIED)
}

/// Whether another program has the file open, and lets nobody beside it.
pub fn is_held(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION))
}

/// Whom an error of a read blames. A medium that cannot give a sector answers by its class driver: a checksum that does not
/// fit, a sector that is not found, a device that failed at it; a drive that is off, empty or another answers otherwise.
pub fn blame(error: &io::Error) -> Blame {
    match error.raw_os_error() {
        Some(
            ERROR_CRC
            | ERROR_SECTOR_NOT_FOUND
            | ERROR_SEEK
            | ERROR_READ_FAULT
            | ERROR_WRITE_FAULT
            | ERROR_IO_DEVICE
            | ERROR_GEN_FAILURE
            | ERROR_SEM_TIMEOUT
            | ERROR_TIMEOUT
            | ERROR_FLOPPY_ID_MARK_NOT_FOUND
            | ERROR_FLOPPY_WRONG_CYLINDER
            | ERROR_FLOPPY_UNKNOWN_ERROR
            | ERROR_FLOPPY_BAD_REGISTERS
            | ERROR_DISK_RECALIBRATE_FAILED
            | ERROR_DISK_OPERATION_FAILED
            | ERROR_DISK_RESET_FAILED
            | ERROR_DEVICE_HARDWARE_ERROR
            | ERROR_DATA_LOST_REPAIR
            | ERROR_UNRECOGNIZED_MEDIA,
        ) => Blame::Medium,
        Some(
            ERROR_NOT_READY
            | ERROR_NO_MEDIA_IN_DRIVE
            | ERROR_MEDIA_CHANGED
            | ERROR_WRONG_DISK
            | ERROR_DEVICE_NOT_CONNECTED
            | ERROR_DEVICE_REMOVED
            | ERROR_DEVICE_NOT_AVAILABLE
            | ERROR_DEV_NOT_EXIST
            | ERROR_NO_SUCH_DEVICE
            | ERROR_BAD_UNIT
            | ERROR_FILE_INVALID
            | ERROR_UNRECOGNIZED_VOLUME,
        ) => Blame::Gone,
        _ => Blame::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_is_data_and_the_rest_zeros() {
        assert_eq!(content(0, 100, None), (Content::Zero, 100));
        assert_eq!(content(10, 100, Some([40, 20])), (Content::Zero, 40));
        assert_eq!(content(40, 100, Some([40, 20])), (Content::Data, 60));
        // NTFS tells of whole units of 64 KiB, before the question and behind the end.
        assert_eq!(content(50, 100, Some([0, 65536])), (Content::Data, 100));
        assert_eq!(content(10, 100, Some([65536, 65536])), (Content::Zero, 100));
        // Answers that make no sense are no knowledge.
        assert_eq!(content(50, 100, Some([0, 20])), (Content::Data, 100));
        assert_eq!(content(50, 100, Some([-1, 20])), (Content::Data, 100));
        assert_eq!(content(50, 100, Some([0, i64::MAX])), (Content::Data, 100));
    }

    #[test]
    fn only_a_sparse_file_that_lies_here_has_holes() {
        let (archive, sparse) = (0x20, 0x200);
        assert!(has_holes(archive | sparse));
        // A file that the system packed (CompactOS) looks like any other, and nothing of it is allocated.
        assert!(!has_holes(archive));
        // Deduplicated; in the cloud, by each of the attributes that tell it.
        for elsewhere in [0x400, 0x1000, 0x4_0000, 0x40_0000] {
            assert!(!has_holes(archive | sparse | elsewhere), "{elsewhere:x}");
        }
    }

    #[test]
    fn bytes_are_written_read_and_made_zeros_anywhere() {
        let dir = tempfile::tempdir().unwrap();
        for (name, allocation) in [("sparse", Allocation::Sparse), ("dense", Allocation::Dense)] {
            let path = dir.path().join(name);
            let file = PlainFile::create_new(&path, allocation).unwrap();
            assert!(allocation == Allocation::Sparse || !file.holds_holes());
            file.set_size(4 << 20).unwrap();
            file.write_at(&[7; 4096], 1 << 20).unwrap();
            file.zero_at(Extent::new((1 << 20) + 1024, 1024)).unwrap();
            file.zero_at(Extent::new(5 << 20, 10)).unwrap();
            file.flush().unwrap();
            assert_eq!(file.size(), (5 << 20) + 10);
            let mut held = [1; 4096];
            file.read_at(&mut held, 1 << 20).unwrap();
            assert_eq!(held[..1024], [7; 1024]);
            assert_eq!(held[1024..2048], [0; 1024]);
            assert_eq!(held[2048..], [7; 2048]);
            assert_eq!(file.read_some(&mut held, (5 << 20) + 4).unwrap(), 6);
            assert!(file.read_at(&mut held, (5 << 20) + 4).is_err());
            assert_eq!(file.content_at(1 << 20).unwrap().0, Content::Data);
            let direct = PlainFile::open_direct(&path).unwrap();
            let mut buffer = crate::os::buffer::Buffer::new(8192);
            assert_eq!(direct.read_some(&mut buffer, 1 << 20).unwrap(), 8192);
            assert_eq!(buffer[..1024], [7; 1024]);
            file.drop_cache();
        }
    }

    #[test]
    fn a_file_that_is_written_is_held_against_other_writers_and_read_by_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let first = PlainFile::create_new(&path, Allocation::Dense).unwrap();
        let second = PlainFile::open_writable(&path, Allocation::Dense).unwrap_err();
        assert_eq!(second.raw_os_error(), Some(ERROR_SHARING_VIOLATION));
        first.write_at(b"here", 0).unwrap();
        let mut seen = [0; 4];
        PlainFile::open(&path).unwrap().read_at(&mut seen, 0).unwrap();
        assert_eq!(&seen, b"here");
        drop(first);
        PlainFile::open_writable(&path, Allocation::Dense).unwrap();
        assert!(PlainFile::create_new(&path, Allocation::Dense).is_err());
        assert!(PlainFile::create_new(&dir.path().join("NUL"), Allocation::Dense).is_err());
    }

    #[test]
    fn a_lock_keeps_others_out_and_not_from_reading() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let first = PlainFile::open_or_create(&path).unwrap();
        assert!(first.lock().unwrap());
        first.write_at(b"here", 0).unwrap();
        let second = PlainFile::open_or_create(&path).unwrap();
        assert!(!second.lock().unwrap());
        let mut seen = [0; 4];
        second.read_at(&mut seen, 0).unwrap();
        assert_eq!(&seen, b"here");
        drop(first);
        assert!(second.lock().unwrap());
    }

    #[test]
    fn a_stamp_tells_files_and_states_of_a_file_apart() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        std::fs::write(&a, b"one").unwrap();
        std::fs::write(&b, b"one").unwrap();
        let of = |path: &Path| PlainFile::open(path).unwrap().stamp().unwrap();
        assert_eq!(of(&a), of(&a));
        assert_eq!(of(&a).device, of(&b).device);
        assert_ne!(of(&a).inode, of(&b).inode);
        assert_eq!(numbers(PlainFile::open(&a).unwrap().file()), Some((of(&a).device, of(&a).inode)));
        let before = of(&a);
        std::thread::sleep(Duration::from_millis(50));
        std::fs::write(&a, b"two").unwrap();
        assert_ne!(of(&a), before);
        assert!(of(&a).changed_ns > 1_500_000_000_000_000_000, "{:?}", of(&a));
        // A folder has one too: whether two names lie on one volume.
        assert_eq!(of(dir.path()).device, before.device);
        assert!(space(dir.path()).unwrap().available > 0);
    }

    #[test]
    fn replacing_leaves_the_new_content_and_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(120)).join("e".repeat(120)).join("f".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        for folder in [dir.path(), &deep] {
            let path = folder.join("record – Überprüfung");
            replace(&path, b"one").unwrap();
            replace(&path, b"two").unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"two");
        }
        assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 1);
    }

    #[test]
    fn errors_blame_the_medium_the_device_or_neither() {
        let blamed = |code| blame(&io::Error::from_raw_os_error(code));
        for code in [23, 27, 1117] {
            assert_eq!(blamed(code), Blame::Medium, "{code}");
        }
        for code in [21, 34, 1110, 1112, 1167] {
            assert_eq!(blamed(code), Blame::Gone, "{code}");
        }
        for code in [5, 32, 87, 112, 1392, 1393] {
            assert_eq!(blamed(code), Blame::Other, "{code}");
        }
    }
}
