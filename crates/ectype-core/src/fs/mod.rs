//! How a volume is used: which file systems are on it, under which name, and how far they say they reach.
//!
//! One file per file system; each draws its layout, names its specification and has a `probe`. A probe judges by the
//! structures that a driver needs in order to mount, so that stale signatures are not believed. Names of kinds and the
//! form of UUIDs are those of `blkid`, so that scripts may compare them.
//!
//! Nothing here trusts the volume: numbers are checked before use, a probe reads at most about a mebibyte, and what
//! cannot be read counts as not found.

mod apfs;
mod btrfs;
mod containers;
mod exfat;
mod ext;
mod f2fs;
mod fat;
mod hfs;
pub mod iso9660;
mod ntfs;
mod squashfs;
mod swap;
mod text;
pub mod udf;
mod xfs;

pub use ntfs::is_bitlocker;

#[cfg(test)]
mod tests;

use crate::io::ReadAt;
use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use zerocopy::FromBytes;

/// What one file system says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The kind's stable name, as `blkid` prints it: `iso9660`, `vfat`, `ext4` …
    pub kind: &'static str,
    /// The volume's name; empty where it has none.
    pub label: String,
    /// The UUID or serial number in the form that `blkid` prints; empty where there is none.
    pub uuid: String,
    /// How many bytes from the start of the volume it claims.
    pub size: Option<u64>,
    /// Variants and oddities: `Joliet`, `UDF 2.50`, `FAT16` …
    pub note: Vec<String>,
}

/// What [`survey`] found.
#[derive(Debug, Default)]
pub struct Survey {
    /// What is there, most specific first.
    pub facts: Vec<Facts>,
    /// Which probes met a read error, and the error: these kinds can be neither affirmed nor denied.
    pub unreadable: Vec<(&'static str, io::Error)>,
}

type Probe = fn(&dyn ReadAt) -> io::Result<Option<Facts>>;

/// The order is that of the answer: what wraps another comes before what might shine through it, UDF before the ISO 9660
/// that only makes the bridge, and FAT last, whose boot sector proves the least.
const PROBES: &[(&str, Probe)] = &[
    ("crypto_LUKS", containers::luks),
    ("LVM2_member", containers::lvm2),
    ("linux_raid_member", containers::md),
    ("BitLocker", ntfs::bitlocker),
    ("ntfs", ntfs::probe),
    ("ReFS", ntfs::refs),
    ("exfat", exfat::probe),
    ("xfs", xfs::probe),
    ("btrfs", btrfs::probe),
    ("f2fs", f2fs::probe),
    ("ext", ext::probe),
    ("squashfs", squashfs::probe),
    ("apfs", apfs::probe),
    ("hfs", hfs::probe),
    ("udf", udf::probe),
    ("iso9660", iso9660::probe),
    ("swap", swap::probe),
    ("vfat", fat::probe),
];

/// Every file system that is on `volume`, most specific first. Fails only if nothing was found and something was
/// unreadable.
pub fn identify(volume: &dyn ReadAt) -> io::Result<Vec<Facts>> {
    let mut survey = survey(volume);
    if survey.facts.is_empty() && !survey.unreadable.is_empty() {
        return Err(survey.unreadable.swap_remove(0).1);
    }
    Ok(survey.facts)
}

/// As [`identify`], and tells what could not be read on the way.
pub fn survey(volume: &dyn ReadAt) -> Survey {
    let volume = Remember::new(volume);
    let mut found = Survey::default();
    for &(kind, probe) in PROBES {
        match probe(&volume) {
            Ok(Some(facts)) => found.facts.push(facts),
            Ok(None) => {}
            Err(error) => found.unreadable.push((kind, error)),
        }
    }
    found
}

/// The largest size that any of them claims: where the content of an optical medium ends at the earliest.
pub fn end_of_data(facts: &[Facts]) -> Option<u64> {
    facts.iter().filter_map(|facts| facts.size).max()
}

/// A block, or how reading it failed.
type Block = Result<Box<[u8]>, io::ErrorKind>;

/// Reads every block once. The probes look at the same few places, and a bad sector may cost half a minute each time.
struct Remember<'a> {
    volume: &'a dyn ReadAt,
    blocks: Mutex<BTreeMap<u64, Block>>,
}

/// Also the worst piece that a bad sector takes with it, halved once for optical sectors.
const BLOCK: u64 = 4096;

impl<'a> Remember<'a> {
    fn new(volume: &'a dyn ReadAt) -> Self {
        Remember { volume, blocks: Mutex::default() }
    }

    fn fetch(&self, offset: u64, len: u64) -> Result<Box<[u8]>, io::ErrorKind> {
        let mut block = vec![0; len as usize].into_boxed_slice();
        self.volume.read_at(&mut block, offset).map_err(|error| error.kind())?;
        Ok(block)
    }
}

impl ReadAt for Remember<'_> {
    fn size(&self) -> u64 {
        self.volume.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        const HALF: u64 = BLOCK / 2;
        let size = self.size();
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut blocks = self.blocks.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut at = offset;
        while at < end {
            let half = at - at % HALF;
            if !blocks.contains_key(&half) {
                let start = at - at % BLOCK;
                let len = BLOCK.min(size - start);
                match self.fetch(start, len) {
                    Ok(both) => {
                        let (first, second) = both.split_at(both.len().min(HALF as usize));
                        blocks.insert(start, Ok(first.into()));
                        blocks.insert(start + HALF, Ok(second.into()));
                    }
                    Err(_) => {
                        let answer = self.fetch(half, HALF.min(size - half));
                        blocks.insert(half, answer);
                    }
                }
            }
            let block = match &blocks[&half] {
                Ok(block) => block,
                Err(kind) => return Err((*kind).into()),
            };
            let from = (at - half) as usize;
            let until = end.min(half + HALF);
            buf[(at - offset) as usize..(until - offset) as usize]
                .copy_from_slice(&block[from..(until - half) as usize]);
            at = until;
        }
        Ok(())
    }
}

/// The structure at `offset`; `None` where the volume ends before it does.
fn read<T: FromBytes>(volume: &dyn ReadAt, offset: u64) -> io::Result<Option<T>> {
    Ok(bytes(volume, offset, size_of::<T>())?.and_then(|bytes| T::read_from_bytes(&bytes).ok()))
}

/// `len` bytes at `offset`; `None` where the volume ends before. Callers bound `len`.
fn bytes(volume: &dyn ReadAt, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= volume.size() => {}
        _ => return Ok(None),
    }
    let mut buf = vec![0; len];
    match volume.read_at(&mut buf, offset) {
        Ok(()) => Ok(Some(buf)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// What must be readable for more detail but not for the answer: an error is as good as absence.
fn detail<T>(read: io::Result<Option<T>>) -> Option<T> {
    read.ok().flatten()
}
