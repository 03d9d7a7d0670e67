//! The way back: onto loop devices and into files, and everything that must be refused.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need::{self, BadDisk, BadDiskOptions, LoopDevice, Mounted};
use ectype_testkit::system::open_with;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const EXCL: i32 = 0o200;

/// An image with data, a hole, and data again.
fn image(dir: &Path, name: &str, seed: u64) -> PathBuf {
    let path = dir.join(name);
    let file = File::create(&path).unwrap();
    file.set_len(12 * MIB as u64).unwrap();
    file.write_all_at(&noise(3 * MIB, seed), 0).unwrap();
    file.write_all_at(&noise(MIB, seed + 1), 11 * MIB as u64).unwrap();
    path
}

/// A disk that is full of something else.
fn full(dir: &Path, name: &str, size: usize) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, vec![0xe5; size]).unwrap();
    path
}

/// Restores, with the confirmation by the device's path, which is the name of a loop device.
#[track_caller]
fn onto(dir: &Path, image: &Path, device: &Path, more: &[&str]) -> Said {
    let args = args!["restore", "--confirm", device, image, device];
    ectype(dir, args.into_iter().chain(more.iter().map(Into::into)))
}

/// The first bytes of a device are those of the image, below all caches.
#[track_caller]
fn holds(device: &LoopDevice, image: &Path) {
    device.flush().unwrap();
    let image = fs::read(image).unwrap();
    let mut held = vec![0; image.len()];
    File::open(device.path()).unwrap().read_exact_at(&mut held, 0).unwrap();
    assert!(held == image, "{} holds the image", device.path().display());
}

/// Sectors of 512 bytes that were written to a device.
fn sectors_written(device: &Path) -> u64 {
    let name = device.file_name().unwrap().to_str().unwrap();
    let stat = fs::read_to_string(format!("/sys/block/{name}/stat")).unwrap();
    stat.split_whitespace().nth(6).unwrap().parse().unwrap()
}

#[test]
fn a_device_holds_the_image_and_nothing_behind_it_changes() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let image = image(dir.path(), "a.img", 70);
    for options in [&[][..], &["-b", "4096"], &["--direct-io=on"]] {
        let disk = full(dir.path(), "disk", 16 * MIB);
        let device = LoopDevice::attach(&disk, options).unwrap();
        let json = onto(dir.path(), &image, device.path(), &["--json"]).ends_with(0).json();
        holds(&device, &image);
        assert_eq!(json["status"], "whole");
        assert_eq!(json["bytes"]["written"], 4 * MIB);
        assert_eq!(json["bytes"]["zero"], 8 * MIB);
        assert_eq!(json["verified"]["equal"], true);
        assert_eq!(json["verified"]["compared"], 12 * MIB);
        assert_eq!(json["target"]["path"], device.path().to_str().unwrap());
        assert_eq!(json["plan"]["scope"], "disk");
        drop(device);
        let held = fs::read(&disk).unwrap();
        assert!(held[12 * MIB..].iter().all(|&byte| byte == 0xe5));
        // Zeros are asked for, not written: the file below gives its blocks back.
        assert!(allocated(&disk) <= 9 * MIB as u64, "{options:?}: {}", allocated(&disk));
    }
}

#[test]
fn a_content_that_ends_within_a_sector_ends_there() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let image = noisy(dir.path(), "a.img", 2 * MIB + 700, 71);
    for sector in ["512", "4096"] {
        let disk = full(dir.path(), "disk", 4 * MIB);
        let device = LoopDevice::attach(&disk, &["-b", sector]).unwrap();
        onto(dir.path(), &image, device.path(), &[]).ends_with(0).says("read back and equal");
        holds(&device, &image);
        drop(device);
        assert!(fs::read(&disk).unwrap()[2 * MIB + 700..].iter().all(|&byte| byte == 0xe5), "{sector}");
    }
}

#[test]
fn nothing_is_written_before_the_device_is_confirmed() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let image = image(dir.path(), "a.img", 72);
    let disk = full(dir.path(), "disk", 16 * MIB);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let path = device.path();
    let confirm = format!("--confirm {}", path.display());
    ectype(dir.path(), args!["restore", image, path]).ends_with(1).says(&confirm).says("This overwrites");
    ectype(dir.path(), args!["restore", "--json", image, path]).ends_with(1).says(&confirm);
    ectype(dir.path(), args!["restore", "--yes", image, path]).ends_with(1).says(&confirm);
    for wrong in ["/dev/sda", "", "loop0", disk.to_str().unwrap()] {
        ectype(dir.path(), args!["restore", "--confirm", wrong, image, path]).ends_with(1).says("is not");
    }
    let dry = ectype(dir.path(), args!["restore", "--dry-run", "--json", image, path]).ends_with(0).json();
    assert_eq!((dry["status"].as_str(), dry["plan"]["confirm"].as_str()), (Some("planned"), path.to_str()));
    drop(device);
    assert!(fs::read(&disk).unwrap().iter().all(|&byte| byte == 0xe5));
}

#[test]
fn whoever_sits_at_the_terminal_is_asked_for_the_device() {
    if !(need::loop_devices() && need::tool("script")) {
        return;
    }
    let dir = folder();
    let image = image(dir.path(), "a.img", 84);
    let disk = full(dir.path(), "disk", 16 * MIB);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let binary = env!("CARGO_BIN_EXE_ectype");
    let line = format!("{binary} restore {} {}", image.display(), device.path().display());
    for (answer, status) in [("/dev/sda", 1), ("", 1), (device.path().to_str().unwrap(), 0)] {
        let mut script = need::command("script");
        script.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.spawn().unwrap();
        std::io::Write::write_all(script.stdin.as_mut().unwrap(), format!("{answer}\n").as_bytes()).unwrap();
        let said = script.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        assert_eq!(said.status.code(), Some(status), "{text}");
        assert!(text.contains("This overwrites") && text.contains("Type the path of the disk"), "{text}");
    }
    holds(&device, &image);
}

#[test]
fn a_target_that_is_used_or_wrong_is_refused() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let image = image(dir.path(), "a.img", 73);
    let disk = full(dir.path(), "disk", 16 * MIB);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let refused = |path: &Path| onto(dir.path(), &image, path, &[]).ends_with(1);
    // Held by somebody.
    let holder = open_with(device.path(), EXCL).unwrap();
    refused(device.path());
    drop(holder);
    // The source itself.
    let same = LoopDevice::attach(&image, &[]).unwrap();
    refused(same.path()).says("the source itself");
    // So is every further one over it, and what lies over that.
    let again = LoopDevice::attach(&image, &[]).unwrap();
    refused(again.path()).says("the source itself");
    let over = LoopDevice::attach(again.path(), &[]).unwrap();
    refused(over.path()).says("the source itself");
    drop((over, again, same));
    // Whatever it is called.
    for name in ["two  blanks.img", "tab\tand\nline.img"] {
        let odd = dir.path().join(name);
        fs::copy(&image, &odd).unwrap();
        let same = LoopDevice::attach(&odd, &[]).unwrap();
        onto(dir.path(), &odd, same.path(), &[]).ends_with(1).says("the source itself");
        ectype(dir.path(), args!["restore", "--yes", image, odd]).ends_with(1).says("is made of");
        ectype(dir.path(), args!["create", "--overwrite", same.path(), odd])
            .ends_with(1)
            .says("the source itself");
    }
    // Too small, and read-only.
    let small = full(dir.path(), "small", 11 * MIB);
    let small = LoopDevice::attach(&small, &[]).unwrap();
    refused(small.path()).says("too small");
    let locked = LoopDevice::attach(&disk, &["-r"]).unwrap();
    refused(locked.path()).says("read-only");
    // What is none.
    ectype(dir.path(), args!["restore", image, "/dev/no-such-disk"]).ends_with(1).says("there is no device");
    ectype(dir.path(), args!["restore", image, dir.path()]).ends_with(1).says("folder");
    ectype(dir.path(), args!["restore", device.path(), "x.img"]).ends_with(1).says("is no file");
    drop((locked, small, device));
    assert!(fs::read(&disk).unwrap().iter().all(|&byte| byte == 0xe5));
}

#[test]
fn a_mounted_target_is_refused_and_one_with_the_image_on_it() {
    if !(need::loop_devices() && need::tool("mkfs.ext4") && need::filesystem("ext4")) {
        return;
    }
    let dir = folder();
    let image = image(dir.path(), "a.img", 74);
    let disk = dir.path().join("disk");
    File::create(&disk).unwrap().set_len(40 << 20).unwrap();
    tool("mkfs.ext4", args!["-q", "-F", disk]);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let at = dir.path().join("mount");
    for options in [&["-t", "ext4", "-o", "ro"][..], &["-t", "ext4"]] {
        let mounted = Mounted::mount(device.path(), &at, options).unwrap();
        onto(dir.path(), &image, device.path(), &[]).ends_with(1).says("is mounted on").says("umount");
        ectype(dir.path(), args!["restore", "--dry-run", image, device.path()]).ends_with(1);
        ectype(dir.path(), args!["restore", image, at]).ends_with(1).says("unmounted");
        drop(mounted);
    }
    let mounted = Mounted::mount(device.path(), &at, &["-t", "ext4"]).unwrap();
    fs::copy(&image, at.join("on.img")).unwrap();
    onto(dir.path(), &at.join("on.img"), device.path(), &[]).ends_with(1).says("lies on");
    drop(mounted);
}

#[test]
fn a_swapping_target_is_refused() {
    if !(need::loop_devices() && need::tools(&["mkswap", "swapon", "swapoff"])) {
        return;
    }
    let dir = folder();
    let image = image(dir.path(), "a.img", 75);
    let disk = full(dir.path(), "disk", 16 * MIB);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    tool("mkswap", [device.path()]);
    let on = need::command("swapon").arg(device.path()).output().unwrap();
    if !need::kernel(on.status.success(), "a kernel that swaps on a loop device") {
        return;
    }
    let said = onto(dir.path(), &image, device.path(), &[]);
    tool("swapoff", [device.path()]);
    said.ends_with(1).says("the running system lives on");
}

#[test]
fn a_volume_and_a_disk_are_not_mixed_up() {
    if !(need::loop_devices() && need::tools(&["sfdisk", "mkfs.ext4"])) {
        return;
    }
    let dir = folder();
    let volume = dir.path().join("volume.img");
    File::create(&volume).unwrap().set_len(8 << 20).unwrap();
    tool("mkfs.ext4", args!["-q", "-F", volume]);
    let disk = divided(dir.path(), "disk", 32 << 20);
    let device = LoopDevice::attach(&disk, &["--partscan"]).unwrap();
    onto(dir.path(), &volume, device.path(), &[]).ends_with(1).says("is a whole disk").says("--force-layout");
    let table = divided(dir.path(), "table.img", 8 << 20);
    let part = PathBuf::from(format!("{}p1", device.path().display()));
    if need::kernel(part.exists(), "partitions of loop devices") {
        onto(dir.path(), &table, &part, &[]).ends_with(1).says("is a part of one");
        let json = onto(dir.path(), &volume, &part, &["--json"]).ends_with(0).json();
        assert_eq!(json["plan"]["scope"], "volume");
        tool("e2fsck", args!["-fn", part]);
    }
    // A table that counts in other sectors is not understood.
    let other = full(dir.path(), "other", 16 * MIB);
    let other = LoopDevice::attach(&other, &["-b", "4096"]).unwrap();
    onto(dir.path(), &table, other.path(), &[]).ends_with(1).says("sectors of 512 bytes");
    onto(dir.path(), &table, other.path(), &["--force-layout"]).ends_with(0);
    onto(dir.path(), &volume, device.path(), &["--force-layout"]).ends_with(0);
}

/// A stick without a table is a disk, also after its image was converted.
#[test]
fn a_disk_without_a_table_stays_one() {
    if !(need::loop_devices() && need::tools(&["mkfs.ext4", "e2fsck"])) {
        return;
    }
    let dir = folder();
    let stick = full(dir.path(), "stick", 8 * MIB);
    tool("mkfs.ext4", args!["-q", "-F", stick]);
    let device = LoopDevice::attach(&stick, &[]).unwrap();
    let other = LoopDevice::attach(&full(dir.path(), "other", 8 * MIB), &[]).unwrap();
    ectype(dir.path(), args!["create", device.path(), "stick.img"]).ends_with(0);
    let json = ectype(dir.path(), args!["convert", "--json", "stick.img", "stick.vhdx"]).ends_with(0).json();
    assert_eq!(json["plan"]["scope"], "disk");
    ectype(dir.path(), args!["convert", "stick.vhdx", "again.qcow2"]).ends_with(0);
    for image in ["stick.img", "stick.vhdx", "again.qcow2"] {
        onto(dir.path(), &dir.path().join(image), other.path(), &[]).ends_with(0);
        tool("e2fsck", args!["-fn", other.path()]);
    }
}

#[test]
fn a_volume_in_a_disk_of_its_own_comes_back_as_either() {
    if !(need::loop_devices() && need::tools(&["sfdisk", "mkfs.ext4", "e2fsck"])) {
        return;
    }
    let dir = folder();
    let device = LoopDevice::attach(&divided(dir.path(), "disk", 32 << 20), &["--partscan"]).unwrap();
    let other = LoopDevice::attach(&divided(dir.path(), "larger", 48 << 20), &["--partscan"]).unwrap();
    let part = |device: &LoopDevice| {
        let part = PathBuf::from(format!("{}p1", device.path().display()));
        if !part.exists() {
            // Where the kernel does not look for them by itself.
            let _ = need::command("partx").arg("-a").arg(device.path()).output();
        }
        part
    };
    let (from, to) = (part(&device), part(&other));
    if !need::kernel(from.exists() && to.exists(), "partitions of loop devices") {
        return;
    }
    tool("mkfs.ext4", args!["-q", "-F", from]);
    let whole = LoopDevice::attach(&full(dir.path(), "whole", 48 * MIB), &["--partscan"]).unwrap();
    for image in ["v.vhd", "v.vhdx", "v.vmdk"].map(|name| dir.path().join(name)) {
        ectype(dir.path(), args!["create", from, image]).ends_with(0);
        // Where it came from, and a larger partition.
        for target in [&from, &to] {
            let said = onto(dir.path(), &image, target, &[]).ends_with(0).says("only the volume is written");
            drop(said);
            tool("e2fsck", args!["-fn", target]);
        }
        ectype(dir.path(), args!["verify", image, from]).ends_with(0);
        // On a disk it is one.
        onto(dir.path(), &image, whole.path(), &["--force-layout"]).ends_with(0);
        tool("e2fsck", args!["-fn", part(&whole)]);
    }
}

/// A disk with a GPT and one partition.
fn divided(dir: &Path, name: &str, size: u64) -> PathBuf {
    let path = dir.join(name);
    File::create(&path).unwrap().set_len(size).unwrap();
    let mut sfdisk = need::command("sfdisk");
    sfdisk.arg("-q").arg(&path).stdin(Stdio::piped());
    let mut sfdisk = sfdisk.spawn().unwrap();
    let script = b"label: gpt\nstart=2048, type=linux\n";
    std::io::Write::write_all(&mut sfdisk.stdin.take().unwrap(), script).unwrap();
    assert!(sfdisk.wait().unwrap().success());
    path
}

#[test]
fn on_a_larger_disk_the_gpt_is_fixed_when_that_is_asked_for() {
    if !(need::loop_devices() && need::tool("sfdisk")) {
        return;
    }
    let dir = folder();
    let image = divided(dir.path(), "a.img", 12 << 20);
    let disk = full(dir.path(), "disk", 20 * MIB);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    onto(dir.path(), &image, device.path(), &[]).ends_with(0).says("--fix-gpt");
    onto(dir.path(), &image, device.path(), &["--fix-gpt"]).ends_with(0).says("is at the end");
    device.flush().unwrap();
    let said = need::command("sfdisk").args(["--verify"]).arg(device.path()).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && !text.contains("corrupt") && !text.contains("mismatch"), "{text}");
    let info = ectype(dir.path(), args!["info", "--json", device.path()]).ends_with(0).json();
    assert_eq!(info["partitions"].as_array().unwrap().len(), 1, "{info}");
    // Where there is nothing to fix it is refused, before anything is written.
    let plain = noisy(dir.path(), "plain.img", MIB, 76);
    onto(dir.path(), &plain, device.path(), &["--fix-gpt"]).ends_with(1).says("no GPT");
}

#[test]
fn only_what_differs_is_written_and_that_is_counted() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let image = image(dir.path(), "a.img", 77);
    let disk = full(dir.path(), "disk", 12 * MIB);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    onto(dir.path(), &image, device.path(), &[]).ends_with(0);
    let file = OpenOptions::new().write(true).open(device.path()).unwrap();
    file.write_all_at(b"x", 5000).unwrap();
    file.write_all_at(b"y", 7 << 20).unwrap();
    file.sync_all().unwrap();
    drop(file);
    let before = sectors_written(device.path());
    let json = onto(dir.path(), &image, device.path(), &["--json", "--changed-only"]).ends_with(0).json();
    assert_eq!(json["bytes"]["written"], 512);
    assert_eq!(json["bytes"]["zero"], MIB);
    assert_eq!(json["bytes"]["same"], 11 * MIB - 512);
    assert!(sectors_written(device.path()) - before <= 1 + 2048);
    holds(&device, &image);
}

#[test]
fn what_an_image_could_not_read_is_zeros_and_said() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let source = noisy(dir.path(), "source", 4 * MIB, 78);
    let bad = BadDisk::attach(&source, &[3000, 3001], &BadDiskOptions::default()).unwrap();
    ectype(dir.path(), args!["create", bad.path(), "a.img"]).ends_with(3);
    drop(bad);
    let disk = full(dir.path(), "disk", 4 * MIB);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let image = dir.path().join("a.img");
    let json = onto(dir.path(), &image, device.path(), &["--json"]).ends_with(3).json();
    assert_eq!(json["status"], "incomplete");
    assert_eq!(json["unreadable"][0]["offset"], 3000 * 512);
    assert_eq!(json["verified"]["equal"], true);
    assert_eq!(json["as_recorded"], true);
    assert!(json["plan"]["why"].to_string().contains("1024 bytes of the image"), "{json}");
    // An image that was changed since is not what its record says.
    OpenOptions::new().write(true).open(&image).unwrap().write_all_at(b"changed", 9000).unwrap();
    onto(dir.path(), &image, device.path(), &[]).ends_with(4).says("record");
}

/// A loop device over a disk whose writes take their time, or fail.
struct Slow {
    device: Option<LoopDevice>,
    fuse: Child,
    server: Child,
}

impl Slow {
    fn attach(dir: &Path, disk: &Path, filter: &[&str]) -> Slow {
        let (socket, pid, file) = (dir.join("socket"), dir.join("pid"), dir.join("nbd"));
        let quiet = |mut command: Command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut server = need::command("nbdkit");
        server.args(["--foreground", "--exit-with-parent", "--unix"]).arg(&socket).arg("--pidfile").arg(&pid);
        server.args(["--filter=delay", "--filter=error", "file"]).arg(disk).args(filter);
        let server = quiet(server);
        let wait = |ready: &dyn Fn() -> bool| {
            let begun = std::time::Instant::now();
            while !ready() {
                assert!(begun.elapsed() < Duration::from_secs(60), "nbdkit and nbdfuse start");
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        wait(&|| pid.exists());
        File::create(&file).unwrap();
        let mut fuse = need::command("nbdfuse");
        fuse.arg(&file).arg(format!("nbd+unix:///?socket={}", socket.display()));
        let fuse = quiet(fuse);
        wait(&|| fs::metadata(&file).is_ok_and(|file| file.len() > 0));
        let device = LoopDevice::attach(&file, &["--direct-io=on"]).unwrap();
        Slow { device: Some(device), fuse, server }
    }

    fn path(&self) -> &Path {
        self.device.as_ref().unwrap().path()
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        drop(self.device.take());
        let _ = Command::new("kill").arg(self.fuse.id().to_string()).output();
        let _ = self.fuse.wait();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn an_interrupted_run_says_so_and_the_next_one_writes_the_rest() {
    if !(need::loop_devices() && need::fuse() && need::tools(&["nbdkit", "nbdfuse"])) {
        return;
    }
    let dir = folder();
    let image = noisy(dir.path(), "a.img", 64 * MIB, 79);
    let disk = full(dir.path(), "disk", 64 * MIB);
    {
        let slow = Slow::attach(dir.path(), &disk, &["wdelay=20ms"]);
        let before = sectors_written(slow.path());
        let mut run = command(dir.path());
        run.args(args!["restore", "--progress", "json", "--confirm", slow.path(), image, slow.path()]);
        let mut running = Running::start(run);
        let begun = std::time::Instant::now();
        while sectors_written(slow.path()) < before + 2048 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it begins");
            std::thread::sleep(Duration::from_millis(5));
        }
        running.signal("INT");
        let said = running.wait().ends_with(130).says("--changed-only");
        let done: Vec<Value> = said.events().into_iter().filter(|event| event["event"] == "done").collect();
        assert_eq!(done[0]["status"], "stopped");
        assert_eq!(done[0]["error"]["kind"], "cancelled");
        assert!(done[0]["bytes"]["written"].as_u64().unwrap() < 64 * MIB as u64);
    }
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let json = onto(dir.path(), &image, device.path(), &["--json", "--changed-only"]).ends_with(0).json();
    assert!(json["bytes"]["same"].as_u64().unwrap() > 0, "{json}");
    holds(&device, &image);
}

#[test]
fn a_disk_that_takes_no_writes_is_named_and_given_up() {
    if !(need::loop_devices() && need::fuse() && need::tools(&["nbdkit", "nbdfuse"])) {
        return;
    }
    let dir = folder();
    let image = noisy(dir.path(), "a.img", 8 * MIB, 80);
    let disk = full(dir.path(), "disk", 8 * MIB);
    let sick = Slow::attach(dir.path(), &disk, &["error-pwrite=EIO", "error-pwrite-rate=100%"]);
    let json = onto(dir.path(), &image, sick.path(), &["--json"]).ends_with(4).json();
    assert_eq!(json["status"], "stopped");
    assert_eq!(json["bytes"]["written"], 0);
    assert!(!json["unwritable"].as_array().unwrap().is_empty());
}

#[test]
fn a_file_is_made_or_with_a_yes_replaced() {
    let dir = folder();
    let image = image(dir.path(), "a.img", 81);
    let target = dir.path().join("b.img");
    let json = ectype(dir.path(), args!["restore", "--json", image, target]).ends_with(0).json();
    same(&image, &target);
    assert_eq!(json["plan"]["scope"], "file");
    assert!(!need::holes() || allocated(&target) <= 5 * MIB as u64, "holes stay holes");
    ectype(dir.path(), args!["restore", image, target]).ends_with(1).says("--yes");
    let longer = noisy(dir.path(), "longer.img", 13 * MIB, 82);
    ectype(dir.path(), args!["restore", "--yes", longer, target]).ends_with(0);
    same(&longer, &target);
    ectype(dir.path(), args!["restore", "--yes", "--changed-only", image, target]).ends_with(0);
    same(&image, &target);
    ectype(dir.path(), args!["restore", "--yes", image, image]).ends_with(1).says("is the image itself");
    fs::hard_link(&image, dir.path().join("link.img")).unwrap();
    ectype(dir.path(), args!["restore", "--yes", image, "link.img"]).ends_with(1).says("is the image itself");
    ectype(dir.path(), args!["restore", "--confirm", "x", image, "new.img"]).ends_with(1).says("--yes");
    ectype(dir.path(), args!["restore", "--fix-gpt", image, "new.img"]).ends_with(1);
    assert!(!dir.path().join("new.img").exists());
    ectype(dir.path(), args!["restore", image, "no/such/folder.img"]).ends_with(1);
    // An image with a record is somebody's proof.
    ectype(dir.path(), args!["create", image, "made.img"]).ends_with(0);
    ectype(dir.path(), args!["restore", "--yes", longer, "made.img"]).ends_with(1).says("record");
    if need::loop_devices() {
        let device = LoopDevice::attach(&target, &[]).unwrap();
        ectype(dir.path(), args!["restore", "--yes", image, target])
            .ends_with(1)
            .says(device.path().to_str().unwrap());
    }
}

#[test]
fn the_name_of_anothers_run_is_left_alone() {
    let dir = folder();
    let image = image(dir.path(), "a.img", 87);
    let source = noisy(dir.path(), "source", 4 * MIB, 88);
    ectype(dir.path(), args!["create", "--size", "2M", source, "part.img"]).ends_with(5);
    ectype(dir.path(), args!["create", source, "gone.img"]).ends_with(0);
    fs::remove_file(dir.path().join("gone.img")).unwrap();
    let before = contents(dir.path());
    // What is left of the run would call what is restored unfinished, or go on with it.
    ectype(dir.path(), args!["restore", "--yes", image, "part.img"]).ends_with(1).says("has not finished");
    // The record would speak of other bytes.
    ectype(dir.path(), args!["restore", image, "gone.img"]).ends_with(1).says("gone.img.ectype.json");
    assert_eq!(contents(dir.path()), before);
    ectype(dir.path(), args!["create", source, "part.img"]).ends_with(0);
    same(&source, &dir.path().join("part.img"));
}

#[test]
fn a_file_that_cannot_become_so_long_keeps_what_it_held() {
    if !need::unix("limits of a shell") {
        return;
    }
    let dir = folder();
    let image = image(dir.path(), "a.img", 85);
    noisy(dir.path(), "kept", 100, 86);
    for target in ["kept", "new"] {
        // Files of at most 2000 KiB; the signal that comes with more is not for us.
        let binary = env!("CARGO_BIN_EXE_ectype");
        let image = image.display();
        let line = format!("trap '' XFSZ; ulimit -f 2000; exec {binary} restore --yes {image} {target}");
        let mut bash = Command::new("bash");
        bash.args(["-c", &line]).current_dir(dir.path());
        Running::start(bash).wait().ends_with(1).says("too large");
    }
    assert!(fs::read(dir.path().join("kept")).unwrap() == noise(100, 86));
    assert!(!dir.path().join("new").exists());
}

#[test]
fn a_device_that_takes_the_place_of_a_file_loses_nothing() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let disk = dir.path().join("disk");
    let file = File::create(&disk).unwrap();
    // What a file can do is tried out behind all that it holds: on a device that is in its middle.
    let place = 1 << 40;
    file.set_len(place + MIB as u64).unwrap();
    file.write_all_at(&noise(4096, 89), place).unwrap();
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let opened = ectype_core::os::file::PlainFile::open_writable(
        device.path(),
        ectype_core::os::file::Allocation::Sparse,
    );
    assert_eq!(opened.err().map(|error| error.kind()), Some(std::io::ErrorKind::InvalidInput));
    device.flush().unwrap();
    drop(device);
    let mut held = vec![0; 4096];
    File::open(&disk).unwrap().read_exact_at(&mut held, place).unwrap();
    assert!(held == noise(4096, 89));
}

#[test]
fn a_full_target_names_the_command_that_writes_the_rest() {
    if !need::filesystem("tmpfs") {
        return;
    }
    let dir = folder();
    let image = image(dir.path(), "a.img", 90);
    let at = dir.path().join("small");
    let mounted = Mounted::mount(Path::new("none"), &at, &["-t", "tmpfs", "-o", "size=2m"]).unwrap();
    let target = at.join("b.img");
    let said = ectype(dir.path(), args!["restore", image, target]).ends_with(5);
    let line = said.err.lines().find_map(|line| line.split_once("what is missing:  ectype ")).unwrap().1;
    tool("mount", args!["-o", "remount,size=20m", at]);
    ectype(dir.path(), line.split(' ')).ends_with(0);
    same(&image, &target);
    drop(mounted);
}

#[test]
fn an_unfinished_image_is_not_restored() {
    let dir = folder();
    let source = noisy(dir.path(), "source", 4 * MIB, 83);
    ectype(dir.path(), args!["create", "--size", "2M", source, "a.img"]).ends_with(5);
    ectype(dir.path(), args!["restore", "a.img", "b.img"]).ends_with(1).says("unfinished");
}
