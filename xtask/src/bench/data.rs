//! The data that is copied: files on a tmpfs, the same on every machine, and loop devices over them.

use crate::random::Random;
use crate::{Result, run};
use ectype_testkit::need::{BadDisk, BadDiskOptions, Counts, scattered};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Bad sectors are numbered in these.
const SECTOR: u64 = 512;

const MIB: u64 = 1 << 20;

/// Says that a folder is ours to remove.
const MARK: &str = "made-by-ectype-bench";

/// What a disk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Incompressible throughout.
    Random,
    /// About 40 % random, in extents of whole MiB; the rest zeros that take no room.
    Sparse,
    /// Zeros that take no room.
    Zero,
    /// As files are: text, tables, and what is compressed already.
    Files,
    /// Random, with 120 single bad sectors and 8 runs of 10.
    Damaged {
        /// How long a failed read takes.
        delay: Duration,
    },
}

/// The working folder; removed on drop.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder; what a run that was killed left in it is cleared away, anything else is not touched.
    pub(crate) fn make(path: &Path) -> Result<Folder> {
        let said = |error: std::io::Error| format!("{}: {error}", path.display());
        if path.join(MARK).exists() {
            clear(path);
        }
        fs::create_dir(path).map_err(said)?;
        fs::write(path.join(MARK), "").map_err(said)?;
        Ok(Folder { path: path.to_owned() })
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes the outputs: every file whose name begins with `prefix`, so that records beside an image go with it.
    pub(crate) fn remove(&self, prefix: &str) -> Result {
        let said = |error: std::io::Error| format!("{}: {error}", self.path.display());
        for entry in fs::read_dir(&self.path).map_err(said)? {
            let path = entry.map_err(said)?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)) {
                fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        clear(&self.path);
    }
}

/// Detaches what a killed run left attached, and removes the folder.
fn clear(path: &Path) {
    for name in ["disk"] {
        let attached =
            run::output(Command::new("losetup").args(["-n", "-O", "NAME", "-j"]).arg(path.join(name)));
        for device in attached.unwrap_or_default().split_whitespace() {
            // The folder goes in any case.
            let _ = run::run(Command::new("losetup").args(["-d", device]));
        }
    }
    if let Err(error) = fs::remove_dir_all(path) {
        eprintln!("left behind: {}: {error}", path.display());
    }
}

/// A data set as a file and as a block device; both go on drop.
pub(crate) struct Disk {
    /// What can be read of the device; zeros where it is bad.
    pub(crate) file: PathBuf,
    pub(crate) device: String,
    damage: Option<Damage>,
}

struct Damage {
    disk: BadDisk,
    bad: Vec<u64>,
}

impl Disk {
    pub(crate) fn make(folder: &Folder, content: Content, size: u64) -> Result<Disk> {
        let path = folder.join("disk");
        fill(&path, content, size).map_err(|error| format!("{}: {error}", path.display()))?;
        if let Content::Damaged { delay } = content {
            let bad = scattered(size / SECTOR);
            let options = BadDiskOptions { delay, ..BadDiskOptions::default() };
            let disk = BadDisk::attach(&path, &bad, &options)
                .and_then(|disk| blank(&path, &bad).map(|()| disk))
                .map_err(|error| {
                    format!("no damaged disk (it needs nbdkit, nbdfuse, fuse3 and cc): {error}")
                })?;
            let device = disk.path().display().to_string();
            return Ok(Disk { file: path, device, damage: Some(Damage { disk, bad }) });
        }
        let device = run::output(Command::new("losetup").args(["-f", "--show"]).arg(&path))?;
        Ok(Disk { file: path, device: device.trim().to_owned(), damage: None })
    }

    /// What was asked of a damaged disk so far, below every cache.
    pub(crate) fn counts(&self) -> Result<Option<Counts>> {
        let counts = self.damage.as_ref().map(|damage| damage.disk.counts()).transpose();
        counts.map_err(|error| format!("the counts of the damaged disk: {error}"))
    }

    /// How many sectors the map of a copy calls lost; an error where these are not exactly the bad ones.
    pub(crate) fn lost(&self, map: &Path) -> Result<usize> {
        let list = run::output(Command::new("ddrescuelog").args(["-b", "512", "-l-"]).arg(map))?;
        let lost: Vec<u64> = list.lines().filter_map(|line| line.trim().parse().ok()).collect();
        match &self.damage {
            Some(damage) if damage.bad != lost => Err(format!("{} other sectors are lost", lost.len())),
            _ => Ok(lost.len()),
        }
    }

    /// Makes the next read of the device a real one.
    pub(crate) fn flush(&self) -> Result {
        run::run(Command::new("blockdev").args(["--flushbufs", &self.device]))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.damage.is_none()
            && let Err(error) = run::run(Command::new("losetup").args(["-d", &self.device]))
        {
            eprintln!("left behind: {error}");
        }
        // The folder goes too, at the end.
        let _ = fs::remove_file(&self.file);
    }
}

/// Zeros for the bad sectors: whatever is there, no copy can have it.
fn blank(path: &Path, bad: &[u64]) -> std::io::Result<()> {
    let file = File::options().write(true).open(path)?;
    bad.iter().try_for_each(|sector| file.write_all_at(&[0; SECTOR as usize], sector * SECTOR))
}

/// Half text of made-up words, a quarter tables of numbers that grow, a quarter incompressible.
fn as_files(random: &mut Random, piece: &mut [u8]) {
    match random.next() % 4 {
        0 => random.fill(piece),
        1 => {
            let mut row = [random.next() % 1000, random.next() % 1000, 0, 7];
            for cells in piece.chunks_exact_mut(32) {
                row = [row[0] + 1, row[1] + random.next() % 16, random.next() % 200, row[3]];
                cells.chunks_exact_mut(8).zip(row).for_each(|(cell, number)| {
                    cell.copy_from_slice(&number.to_le_bytes());
                });
            }
        }
        _ => {
            let mut at = 0;
            while at < piece.len() {
                // Of two numbers the smaller: a few words are frequent, most are rare.
                let word = (random.next() % 8192).min(random.next() % 8192);
                let letters = Random(word).next().to_le_bytes();
                let length = (2 + letters[7] as usize % 7).min(piece.len() - at - 1);
                for (place, letter) in piece[at..][..length].iter_mut().zip(letters) {
                    *place = b'a' + letter % 26;
                }
                piece[at + length] = b' ';
                at += length + 1;
            }
        }
    }
}

fn fill(path: &Path, content: Content, size: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.set_len(size)?;
    let mut random = Random(0xec7e_0001);
    let mut piece = vec![0; MIB as usize];
    let mut at = 0;
    while at < size && content != Content::Zero {
        // Extents of 1 to 16 MiB, two of five with data.
        let length = (1 + random.next() % 16) * MIB;
        let end = (at + length).min(size);
        if content != Content::Sparse || random.next() % 5 < 2 {
            for offset in (at..end).step_by(MIB as usize) {
                match content {
                    Content::Files => as_files(&mut random, &mut piece),
                    _ => random.fill(&mut piece),
                }
                file.write_all_at(&piece, offset)?;
            }
        }
        at = end;
    }
    file.flush()
}
