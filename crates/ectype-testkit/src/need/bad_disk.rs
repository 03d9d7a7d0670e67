//! A real block device with bad sectors.
//!
//! ```text
//!   nbdkit + badsector.c ── socket ── nbdfuse ── a FUSE file with EIO ── losetup --direct-io=on ── /dev/loopN
//! ```
//!
//! Direct I/O on the loop device matters: through the page cache one bad sector would take its whole page with it.

use super::{LoopDevice, command, run};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The plugin that fails on bad sectors; `nbdkit` compiles it.
const PLUGIN: &str = include_str!("../../badsector.c");

/// How long the servers may take to start: compiling on a busy machine included.
const PATIENCE: Duration = Duration::from_secs(60);

/// Numbers the working folders within one process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// How a [`BadDisk`] behaves.
#[derive(Clone, Debug)]
pub struct BadDiskOptions {
    /// How long a failed request takes.
    pub delay: Duration,
    /// The device's logical sector.
    pub sector_size: u32,
}

impl Default for BadDiskOptions {
    fn default() -> Self {
        BadDiskOptions { delay: Duration::ZERO, sector_size: 512 }
    }
}

/// What was asked of the disk so far, below every cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests.
    pub reads: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Bytes that were delivered.
    pub bytes: u64,
}

/// The damage of the figures: 120 single bad sectors and 8 runs of 10, scattered by a fixed chance over so many sectors.
/// Ascending; on a small disk some may meet.
pub fn scattered(sectors: u64) -> Vec<u64> {
    let mut word = 7_u64;
    let mut bad = Vec::new();
    for area in 0..128_u64 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let first = (word >> 33) % (sectors - 10);
        bad.extend(first..first + if area < 120 { 1 } else { 10 });
    }
    bad.sort_unstable();
    bad.dedup();
    bad
}

/// A read-only block device on which given sectors answer EIO. Needs what `need::bad_disk` asks for.
#[derive(Debug)]
pub struct BadDisk {
    folder: PathBuf,
    device: Option<LoopDevice>,
    fuse: Option<Child>,
    server: Option<Child>,
}

impl BadDisk {
    /// The bytes of `disk` as a block device, of which the 512-byte sectors `bad` cannot be read.
    pub fn attach(disk: &Path, bad: &[u64], options: &BadDiskOptions) -> io::Result<BadDisk> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("ectype-bad-disk-{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("fuse"))?;
        // From here on, a failure cleans up through Drop.
        let mut made = BadDisk { folder, device: None, fuse: None, server: None };
        let plugin = made.folder.join("badsector.c");
        fs::write(&plugin, PLUGIN)?;
        made.set_bad(bad)?;

        let (socket, pid) = (made.folder.join("socket"), made.folder.join("pid"));
        let pair = |key: &str, path: &Path| {
            let mut argument = std::ffi::OsString::from(key);
            argument.push(path);
            argument
        };
        let mut server = command("nbdkit");
        server
            .args(["--foreground", "--exit-with-parent", "--readonly", "--threads", "4", "--unix"])
            .arg(&socket);
        server.arg("--pidfile").arg(&pid).arg("cc").arg(&plugin);
        server.arg(pair("disk=", &fs::canonicalize(disk)?)).arg(pair("bad=", &made.list()));
        server.arg(pair("counts=", &made.folder.join("counts")));
        server.arg(format!("delay_us={}", options.delay.as_micros()));
        // Every EIO is a line of its log.
        let log = made.folder.join("log");
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        made.server = Some(server.spawn()?);
        // It writes its pid once it accepts connections.
        wait(made.server.as_mut(), || pid.exists(), &log)?;

        let file = made.file();
        let mut fuse = command("nbdfuse");
        fuse.args(["-r", "-C", "4"]).arg(&file).arg(pair("nbd+unix:///?socket=", &socket));
        fuse.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        made.fuse = Some(fuse.spawn()?);
        wait(made.fuse.as_mut(), || fs::metadata(&file).is_ok_and(|file| file.len() > 0), &log)?;

        let sector_size = options.sector_size.to_string();
        made.device = Some(LoopDevice::attach(&file, &["-r", "--direct-io=on", "-b", &sector_size])?);
        Ok(made)
    }

    /// The block device.
    pub fn path(&self) -> &Path {
        self.device.as_ref().expect("attached as long as it lives").path()
    }

    /// The same bytes and failures as a plain file.
    pub fn file(&self) -> PathBuf {
        self.folder.join("fuse").join("disk")
    }

    /// From now on these 512-byte sectors, and no others, are bad.
    pub fn set_bad(&self, bad: &[u64]) -> io::Result<()> {
        let lines: String = bad.iter().map(|lba| format!("{lba}\n")).collect();
        // Replaced as one, so that the plugin never reads half a list.
        let fresh = self.folder.join("bad.new");
        fs::write(&fresh, lines)?;
        fs::rename(fresh, self.list())
    }

    /// What was asked of the disk so far.
    pub fn counts(&self) -> io::Result<Counts> {
        let text = fs::read_to_string(self.folder.join("counts"))?;
        let number = |key: &str| {
            let value = text.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            value
                .and_then(|value| value.parse().ok())
                .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, key))
        };
        Ok(Counts { reads: number("reads")?, errors: number("errors")?, bytes: number("bytes")? })
    }

    fn list(&self) -> PathBuf {
        self.folder.join("bad")
    }
}

impl Drop for BadDisk {
    fn drop(&mut self) {
        self.device = None;
        if let Some(mut fuse) = self.fuse.take() {
            let mount = self.folder.join("fuse");
            // The kernel lets go of a loop device a moment after it was detached.
            let gone = (0..40).any(|_| {
                let gone = run(command("fusermount3").arg("-u").arg(&mount)).is_ok();
                if !gone {
                    std::thread::sleep(Duration::from_millis(50));
                }
                gone
            });
            if !gone {
                // Nothing more can be done than to hide it.
                let _ = run(command("fusermount3").arg("-uz").arg(&mount));
            }
            stop(&mut fuse);
        }
        if let Some(mut server) = self.server.take() {
            // Asked politely first: it removes the plugin that it compiled.
            let _ = run(command("kill").args(["-TERM", &server.id().to_string()]));
            stop(&mut server);
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("left behind: {}: {error}", self.folder.display());
        }
    }
}

/// Waits until `ready`, or until the process that should make it so has ended.
fn wait(process: Option<&mut Child>, ready: impl Fn() -> bool, log: &Path) -> io::Result<()> {
    let process = process.expect("just started");
    let start = Instant::now();
    while !ready() {
        let ended = process.try_wait()?;
        if ended.is_some() || start.elapsed() > PATIENCE {
            let said = fs::read_to_string(log).unwrap_or_default();
            return Err(io::Error::other(format!("no bad disk: {ended:?} {said}")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Gives a process two seconds to end by itself, then ends it.
fn stop(process: &mut Child) {
    for _ in 0..200 {
        if matches!(process.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = process.kill();
    let _ = process.wait();
}

#[cfg(test)]
mod tests {
    use super::super::bad_disk as needed;
    use super::*;
    use crate::FileAt as _;

    /// 4 MiB in which every sector is filled with a byte of its own.
    fn disk(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("ectype-{name}-{}", std::process::id()));
        let bytes: Vec<u8> = (0..8192u32).flat_map(|lba| [(lba % 251) as u8; 512]).collect();
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn bad_sectors_fail_alone_and_may_recover() {
        if !needed() {
            return;
        }
        let file = disk("bad");
        let bad = BadDisk::attach(&file, &[1000, 1001, 5000], &BadDiskOptions::default()).unwrap();
        // Whether a whole device read finds the good bytes around the failures is what counts: direct, sector by sector.
        let probe = |lba: u64| {
            run(command("dd")
                .args(["bs=512", "count=1", "iflag=direct", "status=none", &format!("skip={lba}")])
                .arg(format!("if={}", bad.path().display())))
            .map(|output| output.stdout)
        };
        for lba in [999, 1002, 4999, 5001, 0, 8191] {
            assert_eq!(probe(lba).unwrap(), vec![(lba % 251) as u8; 512], "sector {lba}");
        }
        let before = bad.counts().unwrap();
        for lba in [1000, 1001, 5000] {
            assert!(probe(lba).unwrap_err().to_string().contains("error"), "sector {lba}");
        }
        let after = bad.counts().unwrap();
        assert_eq!(after.errors - before.errors, 3);

        let plain = fs::File::open(bad.file()).unwrap();
        assert_eq!(plain.metadata().unwrap().len(), 8192 * 512);
        assert!(plain.read_at(&mut [0; 4096], 5000 * 512).is_err());

        bad.set_bad(&[1001]).unwrap();
        assert_eq!(probe(1000).unwrap(), vec![(1000 % 251) as u8; 512]);
        assert!(probe(1001).is_err());

        let (device, folder) = (bad.path().to_owned(), bad.folder.clone());
        drop(bad);
        assert!(!folder.exists(), "{} is left", folder.display());
        let left = run(command("losetup").args(["-n", "-O", "BACK-FILE"]).arg(&device));
        assert!(!left.is_ok_and(|left| String::from_utf8_lossy(&left.stdout).contains("ectype-bad-disk")));
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_failure_takes_its_time() {
        if !needed() {
            return;
        }
        let file = disk("slow");
        let options = BadDiskOptions { delay: Duration::from_millis(300), ..BadDiskOptions::default() };
        let bad = BadDisk::attach(&file, &[64], &options).unwrap();
        let start = Instant::now();
        let read = run(command("dd")
            .args(["bs=512", "count=1", "skip=64", "iflag=direct", "status=none", "of=/dev/null"])
            .arg(format!("if={}", bad.path().display())));
        assert!(read.is_err());
        assert!(start.elapsed() >= Duration::from_millis(300));
        drop(bad);
        fs::remove_file(&file).unwrap();
    }
}
