//! Raw disks in compressed files: restored, converted, compared, described, and refused where they are something else.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need::{self, LoopDevice};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The tool, its arguments, the extension, and the format's name.
const TOOLS: [(&str, &[&str], &str, &str); 5] = [
    ("gzip", &["-1c"], "img.gz", "gz"),
    ("xz", &["-0c"], "img.xz", "xz"),
    ("bzip2", &["-1c"], "img.bz2", "bz2"),
    ("lz4", &["-qc"], "img.lz4", "lz4"),
    // From a pipe: one long frame that does not tell how much it holds.
    ("zstd", &["-1", "-qc"], "img.zst", "zst"),
];

/// A disk with a partition, some data, and its last bytes.
fn disk(dir: &Path) -> PathBuf {
    let path = dir.join("disk.img");
    let file = File::create(&path).unwrap();
    file.set_len(13 * MIB as u64 + 512).unwrap();
    let table = b"label: dos\nlabel-id: 0x1234abcd\nstart=2048, size=8192, type=83\n";
    let mut sfdisk = need::command("sfdisk").arg("-q").arg(&path).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(sfdisk.stdin.as_mut().unwrap(), table).unwrap();
    assert!(sfdisk.wait().unwrap().success());
    file.write_all_at(&noise(2 * MIB, 5), 9 * MIB as u64).unwrap();
    file.write_all_at(&noise(512, 6), 13 * MIB as u64).unwrap();
    path
}

fn pack(dir: &Path, disk: &Path, (tool, args, extension, _): (&str, &[&str], &str, &str)) -> PathBuf {
    let path = dir.join("disk").with_extension(extension);
    let (input, output) = (File::open(disk).unwrap(), File::create(&path).unwrap());
    let packed = need::command(tool).args(args).stdin(input).stdout(output).status().unwrap();
    assert!(packed.success(), "{tool}");
    path
}

/// With every tool that is there: the folder, the disk, the compressed file, the format's name.
fn each(test: impl Fn(&Path, &Path, &Path, &str)) {
    for kind in TOOLS {
        if need::tools(&[kind.0, "sfdisk"]) {
            let dir = folder();
            let disk = disk(dir.path());
            let packed = pack(dir.path(), &disk, kind);
            test(dir.path(), &disk, &packed, kind.3);
        }
    }
}

#[test]
fn they_are_restored_and_read_back() {
    if !need::loop_devices() {
        return;
    }
    each(|dir, disk, packed, _| {
        let target = dir.join("target");
        fs::write(&target, vec![0xe5; 16 * MIB]).unwrap();
        let device = LoopDevice::attach(&target, &[]).unwrap();
        let args = args!["restore", "--json", "--confirm", device.path(), packed, device.path()];
        let json = ectype(dir, args).ends_with(0).json();
        assert_eq!(
            (json["status"].as_str(), json["verified"]["equal"].as_bool()),
            (Some("whole"), Some(true))
        );
        device.flush().unwrap();
        let (disk, mut held) = (fs::read(disk).unwrap(), vec![0; 16 * MIB]);
        File::open(device.path()).unwrap().read_exact_at(&mut held, 0).unwrap();
        assert!(held[..disk.len()] == disk, "{}", packed.display());
        assert!(held[disk.len()..].iter().all(|byte| *byte == 0xe5));
    });
}

#[test]
fn they_are_converted_compared_and_described() {
    each(|dir, disk, packed, format| {
        // Its bytes are bytes, whatever they hold.
        ectype(dir, args!["create", packed, "bytes.img"]).ends_with(0);
        assert!(fs::read(dir.join("bytes.img")).unwrap() == fs::read(packed).unwrap());
        let json = ectype(dir, args!["info", "--json", packed]).ends_with(0).json();
        assert_eq!((json["format"].as_str(), json["subformat"].as_str()), (Some(format), Some("stream")));
        assert_eq!(json["virtual_size"], 13 * MIB + 512);
        assert_eq!(json["partitions"][0]["offset"], MIB);
        ectype(dir, args!["verify", packed, disk]).ends_with(0);
        ectype(dir, args!["verify", packed]).ends_with(0);
        let other = dir.join("other.img");
        fs::copy(disk, &other).unwrap();
        File::options().write(true).open(&other).unwrap().write_all_at(b"x", 10 * MIB as u64).unwrap();
        ectype(dir, args!["verify", packed, other]).ends_with(4);
        if need::tools(&["qemu-img"]) {
            ectype(dir, args!["convert", packed, "disk.vhdx"]).ends_with(0);
            let mut compare = need::command("qemu-img");
            compare.args(["compare", "-q"]).arg(dir.join("disk.vhdx")).arg(disk);
            assert!(compare.status().unwrap().success(), "{format}");
        }
    });
}

#[test]
fn a_stream_that_was_cut_leaves_no_image_that_is_called_whole() {
    each(|dir, _, packed, format| {
        let bytes = fs::read(packed).unwrap();
        fs::write(packed, &bytes[..bytes.len() - 1]).unwrap();
        let said = ectype(dir, args!["convert", packed, "copy.img"]);
        assert!([Some(1), Some(5)].contains(&said.code), "{format}: {said:#?}");
        let name = match format {
            "gz" => "gzip",
            "bz2" => "bzip2",
            "zst" => "zstd",
            name => name,
        };
        said.says(&format!("the {name} stream"));
        assert!(!dir.join("copy.img.ectype.json").exists());
    });
}

#[test]
fn what_they_hold_must_be_a_disk() {
    if !need::tools(&["gzip", "qemu-img", "tar"]) {
        return;
    }
    let dir = folder();
    ectype(dir.path(), args!["convert", noisy(dir.path(), "a.img", MIB, 3), "a.vhdx"]).ends_with(0);
    for (inner, named) in [("a.vhdx", "a vhdx file"), ("a.tar", "a tar archive")] {
        if inner == "a.tar" {
            let mut tar = need::command("tar");
            tar.arg("-C").arg(dir.path()).arg("-cf").arg(dir.path().join(inner)).arg("a.img");
            assert!(tar.status().unwrap().success());
        }
        let packed = pack(dir.path(), &dir.path().join(inner), ("gzip", &["-1c"], "packed.gz", "gz"));
        ectype(dir.path(), args!["restore", "--yes", packed, "out"])
            .ends_with(1)
            .says(named)
            .says("unpack it");
        assert!(!dir.path().join("out").exists());
    }
}

/// They are read, not written: whoever asks for one learns what is.
#[test]
fn none_of_them_is_written() {
    let dir = folder();
    noisy(dir.path(), "a.img", MIB, 4);
    ectype(dir.path(), args!["create", "a.img", "b.img.gz"]).ends_with(1).says("gz").says("zst");
    ectype(dir.path(), args!["convert", "a.img", "b", "--format", "xz"]).ends_with(2).says("xz");
    assert!(!dir.path().join("b.img.gz").exists() && !dir.path().join("b").exists());
}

/// How long its content is, bzip2 does not tell: a stop does not wait until all of it, here terabytes, was inflated to count.
#[test]
fn an_interrupt_does_not_wait_until_it_is_counted() {
    if !need::tool("bzip2") {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    fs::write(dir.join("zeros"), vec![0; 64 * MIB]).unwrap();
    tool("bzip2", args![dir.join("zeros")]);
    let member = fs::read(dir.join("zeros.bz2")).unwrap();
    fs::write(dir.join("long.bz2"), member.repeat(50_000)).unwrap();
    fs::write(dir.join("short"), [1; 512]).unwrap();
    for args in [&["long.bz2"][..], &["long.bz2", "short"], &["short", "long.bz2"]] {
        let mut command = command(dir);
        command.args(["verify", "--progress", "json"]).args(args);
        let mut running = Running::start(command);
        running.until_it_says("progress");
        running.signal("INT");
        running.wait().ends_with(130);
    }
    // Nothing is held yet, let alone written: that is said by status and result, not by a death of the signal.
    let mut command = command(dir);
    command.args(["restore", "--yes", "--progress", "json", "long.bz2", "out"]);
    let mut running = Running::start(command);
    running.until_it_says("opening");
    running.signal("INT");
    running.wait().ends_with(130).says("interrupted");
    assert!(!dir.join("out").exists());
}
