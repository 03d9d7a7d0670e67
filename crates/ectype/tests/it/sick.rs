//! Media that cannot give every sector, and devices that go away.

use crate::run::*;
use ectype_testkit::need::{self, BadDisk, BadDiskOptions};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const SECTORS: u64 = 8192;
const BAD: [u64; 9] = [0, 1000, 1001, 1002, 2048, 4095, 5000, 8190, 8191];

fn extents(json: &Value) -> Vec<(u64, u64)> {
    let list = json["unreadable"].as_array().unwrap();
    list.iter().map(|at| (at["offset"].as_u64().unwrap(), at["length"].as_u64().unwrap())).collect()
}

/// Sectors as the extents that they make.
fn joined(sectors: &[u64]) -> Vec<(u64, u64)> {
    let mut list: Vec<(u64, u64)> = Vec::new();
    for sector in sectors {
        match list.last_mut() {
            Some(last) if last.0 + last.1 == sector * 512 => last.1 += 512,
            _ => list.push((sector * 512, 512)),
        }
    }
    list
}

/// The image is the disk, with zeros for the sectors that are bad.
#[track_caller]
fn equal_but_for(image: &Path, disk: &[u8], bad: &[u64]) {
    let mut expected = disk.to_vec();
    for sector in bad {
        expected[*sector as usize * 512..][..512].fill(0);
    }
    let held = fs::read(image).unwrap();
    let first = held.chunks(512).zip(expected.chunks(512)).position(|(a, b)| a != b);
    assert_eq!((held.len(), first), (expected.len(), None));
}

/// What ddrescuelog finds bad in a map, as sectors.
fn ddrescue_finds(map: &Path) -> Vec<u64> {
    let list = tool("ddrescuelog", args!["-b", "512", "-l-", map]);
    list.lines().map(|line| line.trim().parse().unwrap()).collect()
}

#[test]
fn exactly_the_bad_sectors_are_lost_and_the_next_run_gets_what_has_come_back() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let disk = noise((SECTORS * 512) as usize, 50);
    let file = dir.path().join("disk");
    fs::write(&file, &disk).unwrap();
    let bad = BadDisk::attach(&file, &BAD, &BadDiskOptions::default()).unwrap();
    for (source, name) in [(bad.path().to_owned(), "device.img"), (bad.file(), "file.img")] {
        bad.set_bad(&BAD).unwrap();
        let image = dir.path().join(name);
        let map = beside(&image, ".map");
        let run = || ectype(dir.path(), args!["create", "--json", "--hash", "sha256", source, image]);
        let json = run().ends_with(3).json();
        assert_eq!(json["status"], "incomplete");
        assert_eq!(extents(&json), joined(&BAD), "{name}");
        assert_eq!(json["bytes"]["unreadable"], BAD.len() as u64 * 512);
        assert_eq!(json["map"], map.to_str().unwrap());
        equal_but_for(&image, &disk, &BAD);
        assert!(tool("sha256sum", [&image]).starts_with(json["digests"]["sha256"].as_str().unwrap()));
        if need::tool("ddrescuelog") {
            tool("ddrescuelog", args!["-t", map]);
            assert_eq!(ddrescue_finds(&map), BAD);
        }
        ectype(dir.path(), args!["verify", image]).ends_with(3);
        ectype(dir.path(), args!["verify", image, file]).ends_with(3);
        ectype(dir.path(), args!["info", map]).ends_with(0).says("bad");
        // Nothing better: the same again.
        let json = run().ends_with(3).json();
        assert_eq!(json["resumed"], true);
        assert_eq!(extents(&json), joined(&BAD));

        let fewer = [1001, 5000];
        bad.set_bad(&fewer).unwrap();
        let json = run().ends_with(3).json();
        assert_eq!(extents(&json), joined(&fewer), "{name}");
        equal_but_for(&image, &disk, &fewer);
        bad.set_bad(&[]).unwrap();
        let json = run().ends_with(0).json();
        assert_eq!(json["status"], "whole");
        same(&file, &image);
        assert!(!map.exists() && !beside(&image, ".state").exists());
        ectype(dir.path(), args!["verify", image]).ends_with(0);
        assert!(tool("sha256sum", [&image]).starts_with(json["digests"]["sha256"].as_str().unwrap()));
    }
}

#[test]
fn a_bad_disk_of_large_sectors_loses_whole_ones() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let disk = noise((SECTORS * 512) as usize, 51);
    let file = dir.path().join("disk");
    fs::write(&file, &disk).unwrap();
    let options = BadDiskOptions { sector_size: 4096, ..BadDiskOptions::default() };
    let bad = BadDisk::attach(&file, &[803, 4000], &options).unwrap();
    let json = ectype(dir.path(), args!["create", "--json", bad.path(), "x.img"]).ends_with(3).json();
    assert_eq!(extents(&json), [(800 * 512, 4096), (4000 * 512, 4096)]);
    let lost: Vec<u64> = (800..808).chain(4000..4008).collect();
    equal_but_for(&dir.path().join("x.img"), &disk, &lost);
}

#[test]
fn a_medium_that_is_slow_to_be_opened_is_told_and_can_be_interrupted() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let file = noisy(dir.path(), "disk", (SECTORS * 512) as usize, 53);
    let options = BadDiskOptions { delay: Duration::from_secs(3), ..BadDiskOptions::default() };
    let disk = BadDisk::attach(&file, &[0, 2, 34, 64, 128, 2047], &options).unwrap();
    // In the background of a script the interrupt is ignored to begin with.
    for (signal, trap) in [("INT", ""), ("TERM", ""), ("INT", "trap '' INT; ")] {
        let mut run = std::process::Command::new("sh");
        run.current_dir(dir.path()).arg("-c").arg(format!("{trap}exec \"$@\"")).arg("sh");
        run.arg(env!("CARGO_BIN_EXE_ectype"));
        run.args(args!["create", "--json", "--progress", "json", disk.path(), "x.img"]);
        let mut run = Running::start(run);
        run.until_it_says("opening");
        run.signal(signal);
        let said = run.wait().ends_with(130);
        assert_eq!(said.json()["error"]["kind"], "cancelled");
        assert_eq!(said.events().last().unwrap()["kind"], "cancelled");
        assert_eq!(names(dir.path()), ["disk"]);
    }
    // And its time counts.
    let said = ectype(dir.path(), args!["create", "--max-time", "1", disk.path(), "x.img"]);
    said.ends_with(5).says("looking at").says("0 bytes of 4.0 MiB").says("the time that was given is over");
}

/// A disk file that nbdkit serves through FUSE, slowly, and that may go away.
struct Served {
    server: Child,
    fuse: Child,
    folder: tempfile::TempDir,
}

impl Served {
    fn start(folder: tempfile::TempDir, disk: &Path) -> Served {
        let socket = folder.path().join("socket");
        let _ = fs::remove_file(&socket);
        let spawn = |name: &str, args: Vec<std::ffi::OsString>| {
            let mut command = need::command(name);
            command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        };
        let server = spawn(
            "nbdkit",
            args![
                "-f",
                "--exit-with-parent",
                "-r",
                "-U",
                socket,
                "--filter=delay",
                "file",
                disk,
                "rdelay=20ms"
            ]
            .to_vec(),
        );
        let mount = folder.path().join("disk");
        fs::write(&mount, "").unwrap();
        let mut uri = std::ffi::OsString::from("nbd+unix:///?socket=");
        uri.push(&socket);
        let patience = Instant::now();
        while !socket.exists() && patience.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let fuse = spawn("nbdfuse", args!["-r", mount, uri].to_vec());
        while fs::metadata(&mount).is_ok_and(|facts| facts.len() == 0)
            && patience.elapsed() < Duration::from_secs(10)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        Served { server, fuse, folder }
    }

    fn disk(&self) -> std::path::PathBuf {
        self.folder.path().join("disk")
    }

    fn kill_server(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill_server();
        let _ = need::command("fusermount3").arg("-uz").arg(self.disk()).output();
        let _ = self.fuse.kill();
        let _ = self.fuse.wait();
    }
}

#[test]
fn a_source_that_goes_away_is_gone_and_not_bad() {
    if !(need::fuse() && need::tools(&["nbdkit", "nbdfuse", "fusermount3"])) {
        return;
    }
    let dir = folder();
    let disk = noisy(dir.path(), "disk.raw", 24 * MIB, 52);
    let mut served = Served::start(folder(), &disk);
    let source = dir.path().join("source");
    ectype_testkit::system::symlink(served.disk(), &source).unwrap();
    let start = || {
        let mut run = command(dir.path());
        run.args(args!["create", "--json", "--checkpoint", "0.01", source, "x.img"]);
        Running::start(run)
    };
    let run = start();
    let map = dir.path().join("x.img.map");
    let patience = Instant::now();
    while !fs::read_to_string(&map).is_ok_and(|text| text.contains('+'))
        && patience.elapsed() < Duration::from_secs(10)
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    served.kill_server();
    let json = run.wait().ends_with(5).json();
    assert_eq!(json["error"]["kind"], "gone", "{json}");
    let kept = fs::read_to_string(&map).unwrap();
    let blocks = kept.lines().filter(|line| line.starts_with("0x")).skip(1);
    assert!(blocks.clone().all(|line| line.ends_with('+') || line.ends_with('?')), "{kept}");
    drop(served);

    // The same disk behind another socket: the same command.
    let served = Served::start(folder(), &disk);
    fs::remove_file(&source).unwrap();
    ectype_testkit::system::symlink(served.disk(), &source).unwrap();
    let json = start().wait().ends_with(0).json();
    assert_eq!(json["resumed"], true);
    same(&disk, &dir.path().join("x.img"));
}
