//! Real block devices as sources: loop devices of every kind, with real file systems, free and in use.

use crate::run::*;
use ectype_testkit::need::{self, LoopDevice, Mounted};
use ectype_testkit::system::open_with;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

const EXCL: i32 = 0o200;

/// How a file system is made, checked, and how large it must be.
struct Kind {
    name: &'static str,
    size: u64,
    make: &'static [&'static str],
    check: &'static [&'static str],
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "ext4",
        size: 16 << 20,
        make: &["mkfs.ext4", "-q", "-F", "-L", "ROOT"],
        check: &["e2fsck", "-fn"],
    },
    Kind { name: "vfat", size: 16 << 20, make: &["mkfs.vfat", "-n", "STICK"], check: &["fsck.vfat", "-n"] },
    Kind {
        name: "ntfs",
        size: 16 << 20,
        make: &["mkfs.ntfs", "-q", "-F", "-L", "WIN"],
        check: &["ntfsfix", "-n"],
    },
    Kind {
        name: "xfs",
        size: 320 << 20,
        make: &["mkfs.xfs", "-q", "-f"],
        check: &["xfs_repair", "-n", "-f"],
    },
    Kind { name: "btrfs", size: 120 << 20, make: &["mkfs.btrfs", "-q", "-f"], check: &["btrfs", "check"] },
];

/// A sparse file with a file system in it.
fn formatted(dir: &Path, kind: &Kind) -> PathBuf {
    let path = dir.join(kind.name);
    File::create(&path).unwrap().set_len(kind.size).unwrap();
    tool(kind.make[0], args_and(&kind.make[1..], &path));
    path
}

fn args_and(args: &[&str], path: &Path) -> Vec<std::ffi::OsString> {
    args.iter().map(Into::into).chain([path.as_os_str().to_owned()]).collect()
}

fn small_disk(dir: &Path, seed: u64) -> PathBuf {
    noisy(dir, "disk", 4 * MIB, seed)
}

#[test]
fn an_image_of_every_file_system_is_equal_and_passes_its_check() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    for kind in &KINDS {
        if !need::tools(&[kind.make[0], kind.check[0], "blkid"]) {
            continue;
        }
        let disk = formatted(dir.path(), kind);
        let device = LoopDevice::attach(&disk, &[]).unwrap();
        let image = dir.path().join(format!("{}.img", kind.name));
        let json = ectype(dir.path(), args!["create", "--json", "--hash", "sha256", device.path(), image])
            .ends_with(0)
            .json();
        same(device.path(), &image);
        assert_eq!(json["source"]["path"], device.path().to_str().unwrap());
        assert_eq!(json["source"]["size"], kind.size);
        assert_eq!(json["source"]["sector_size"], 512);
        assert_eq!(json["plan"]["scope"], "disk");
        assert_eq!(json["plan"]["consistency"], "lock");
        assert!(allocated(&image) <= allocated(&disk) + (4 << 20), "{}: holes", kind.name);
        tool(kind.check[0], args_and(&kind.check[1..], &image));
        let uuid = |path: &Path| tool("blkid", args_and(&["-p", "-o", "value", "-s", "UUID"], path));
        assert_eq!(uuid(device.path()), uuid(&image));
        ectype(dir.path(), args!["verify", image, device.path()]).ends_with(0);
        let info = ectype(dir.path(), args!["info", "--json", image]).ends_with(0).json();
        assert_eq!(info["facts"]["filesystems"][0]["kind"], kind.name);
        assert_eq!(
            info["facts"]["filesystems"][0]["uuid"].as_str().unwrap().to_lowercase(),
            uuid(&image).trim().to_lowercase()
        );
    }
}

#[test]
fn loop_devices_of_every_kind_are_read_to_the_byte() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let disk = small_disk(dir.path(), 30);
    for (index, options) in [
        &["--direct-io=on"][..],
        &["-b", "4096"],
        &["-b", "4096", "--direct-io=on"],
        &["-r"],
        &["-o", "1048576", "--sizelimit", "1536000"],
        &["-o", "512", "--sizelimit", "4608"],
    ]
    .into_iter()
    .enumerate()
    {
        let device = LoopDevice::attach(&disk, options).unwrap();
        let image = dir.path().join(format!("{index}.img"));
        let json = ectype(
            dir.path(),
            args!["create", "--json", "--verify", "--hash", "sha256", device.path(), image],
        )
        .ends_with(0)
        .json();
        same(device.path(), &image);
        assert_eq!(
            json["source"]["sector_size"],
            if options.contains(&"4096") { 4096 } else { 512 },
            "{options:?}"
        );
        assert_eq!(json["verified"]["equal"], true);
        assert!(tool("sha256sum", [device.path()]).starts_with(json["digests"]["sha256"].as_str().unwrap()));
    }
}

#[test]
fn a_mounted_device_is_refused_unless_read_only_or_told() {
    if !(need::loop_devices() && need::tool("mkfs.ext4") && need::filesystem("ext4")) {
        return;
    }
    let dir = folder();
    let disk = formatted(dir.path(), &KINDS[0]);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let at = dir.path().join("my mount");
    let image = dir.path().join("x.img");
    let mounted = Mounted::mount(device.path(), &at, &["-t", "ext4"]).unwrap();
    for dry in [&[][..], &["--dry-run"]] {
        ectype(
            dir.path(),
            args!["create", device.path(), image].into_iter().chain(dry.iter().map(Into::into)),
        )
        .ends_with(1)
        .says(at.to_str().unwrap())
        .says("umount")
        .says("--consistency none");
    }
    ectype(dir.path(), args!["create", "--consistency", "lock", device.path(), image])
        .ends_with(1)
        .says("mounted");
    // By its mount point too.
    ectype(dir.path(), args!["create", at, image]).ends_with(1).says("mounted");
    assert!(!image.exists() && !beside(&image, ".state").exists());
    let json = ectype(dir.path(), args!["create", "--json", "--consistency", "none", device.path(), image])
        .ends_with(0)
        .json();
    assert_eq!(json["plan"]["consistency"], "none");
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(beside(&image, ".ectype.json")).unwrap()).unwrap();
    assert_eq!(record["plan"]["consistency"], "none");
    drop(mounted);

    let mounted = Mounted::mount(device.path(), &at, &["-t", "ext4", "-o", "ro"]).unwrap();
    let json = ectype(dir.path(), args!["create", "--json", "--overwrite", device.path(), image])
        .ends_with(0)
        .json();
    assert!(json["plan"]["why"].to_string().contains("read-only"));
    // Not with the device: ext4 keeps bitmaps in its cache that it never writes.
    same(&disk, &image);
    let json = ectype(dir.path(), args!["create", "--json", "--overwrite", at, image]).ends_with(0).json();
    assert_eq!(json["source"]["path"], device.path().to_str().unwrap());
    drop(mounted);
}

#[test]
fn a_device_that_somebody_holds_is_refused_and_a_dry_run_holds_nothing() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let device = LoopDevice::attach(&small_disk(dir.path(), 31), &[]).unwrap();
    let holder = open_with(device.path(), EXCL).unwrap();
    let me = format!("{}", std::process::id());
    ectype(dir.path(), args!["create", device.path(), "x.img"])
        .ends_with(1)
        .says(device.path().to_str().unwrap())
        .says(&me);
    ectype(dir.path(), args!["create", "--dry-run", device.path(), "x.img"]).ends_with(0);
    assert_eq!(names(dir.path()), ["disk"]);
    drop(holder);
    ectype(dir.path(), args!["create", device.path(), "x.img"]).ends_with(0);
}

#[test]
fn a_device_is_no_target() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    noisy(dir.path(), "source", 4 * MIB, 32);
    let disk = small_disk(dir.path(), 33);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let before = fs::read(&disk).unwrap();
    for more in ["-v", "--overwrite", "--restart"] {
        ectype(dir.path(), args!["create", more, "source", device.path()])
            .ends_with(1)
            .says("device")
            .says("restore");
        ectype(dir.path(), args!["create", more, "--map", device.path(), "source", "x.img"]).ends_with(1);
    }
    ectype_testkit::system::symlink(device.path(), dir.path().join("link.img")).unwrap();
    ectype(dir.path(), args!["create", "--overwrite", "source", "link.img"]).ends_with(1).says("restore");
    device.flush().unwrap();
    assert!(fs::read(&disk).unwrap() == before);
    assert!(device.path().exists());
}

#[test]
fn an_image_on_the_source_itself_is_refused() {
    if !(need::loop_devices() && need::tool("mkfs.ext4") && need::filesystem("ext4")) {
        return;
    }
    let dir = folder();
    let disk = formatted(dir.path(), &KINDS[0]);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    // The file below a loop device is the device.
    let before = fs::read(&disk).unwrap();
    ectype(dir.path(), args!["create", "--overwrite", "-f", "raw", device.path(), disk])
        .ends_with(1)
        .says("source");
    assert!(fs::read(&disk).unwrap() == before);
    let mounted = Mounted::mount(device.path(), &dir.path().join("mnt"), &["-t", "ext4"]).unwrap();
    let image = mounted.path().join("x.img");
    ectype(dir.path(), args!["create", "--consistency", "none", "--no-space-check", device.path(), image])
        .ends_with(1)
        .says("on the source itself");
    assert!(!image.exists());
}

#[test]
fn an_iso_is_an_iso_as_a_file_and_as_a_device() {
    if !(need::loop_devices() && need::tools(&["genisoimage", "isosize"])) {
        return;
    }
    let dir = folder();
    let content = dir.path().join("content");
    fs::create_dir(&content).unwrap();
    fs::write(content.join("hello.txt"), "hello").unwrap();
    let disc = dir.path().join("disc.iso");
    tool("genisoimage", args!["-quiet", "-J", "-R", "-V", "PHOTOS_2004", "-o", disc, content]);
    let from_file = dir.path().join("a.iso");
    let json = ectype(dir.path(), args!["create", "--json", disc, from_file]).ends_with(0).json();
    assert_eq!(json["image"]["format"], "iso");
    same(&disc, &from_file);
    let said = ectype(dir.path(), args!["info", from_file]).ends_with(0);
    assert!(said.out.contains("ISO 9660") && said.out.contains("PHOTOS_2004"), "{said:#?}");
    let device = LoopDevice::attach(&disc, &["-r", "-b", "2048"])
        .unwrap_or_else(|_| LoopDevice::attach(&disc, &["-r"]).unwrap());
    let said = ectype(dir.path(), args!["create", device.path(), "b.iso"]);
    if said.code == Some(0) {
        same(&disc, &dir.path().join("b.iso"));
    } else {
        said.ends_with(1).says("hard disk does not become an ISO");
        ectype(dir.path(), args!["create", device.path(), "b.img"]).ends_with(0).says("PHOTOS_2004");
        same(&disc, &dir.path().join("b.img"));
    }
}

#[test]
fn labels_do_not_play_with_the_terminal() {
    if !(need::loop_devices() && need::tool("mkfs.ext4")) {
        return;
    }
    let dir = folder();
    let disk = dir.path().join("disk");
    File::create(&disk).unwrap().set_len(8 << 20).unwrap();
    tool("mkfs.ext4", args!["-q", "-F", "-L", "\x1b[2J\x1b[31mX", disk]);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let runs = [
        args!["create", "--dry-run", device.path(), "x.img"].to_vec(),
        args!["create", device.path(), "x.img"].to_vec(),
        args!["info", device.path()].to_vec(),
        args!["info", "x.img"].to_vec(),
        args!["devices"].to_vec(),
        vec![],
    ];
    for run in runs {
        let said = ectype(dir.path(), run).ends_with(0);
        assert!(!said.out.contains('\x1b') && !said.err.contains('\x1b'), "{said:#?}");
    }
    ectype(dir.path(), args!["create", device.path()]).ends_with(1).says("name");
}

#[test]
fn an_empty_loop_device_says_so() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    fs::write(dir.path().join("empty"), "").unwrap();
    let Ok(device) = LoopDevice::attach(&dir.path().join("empty"), &[]) else { return };
    let said = ectype(dir.path(), args!["create", device.path(), "x.img"]);
    assert!(matches!(said.code, Some(0 | 1)), "{said:#?}");
}

#[test]
fn devices_and_info_tell_all_of_a_loop_device() {
    if !(need::loop_devices() && need::tool("mkfs.ext4") && need::filesystem("ext4")) {
        return;
    }
    let dir = folder();
    let device = LoopDevice::attach(&formatted(dir.path(), &KINDS[0]), &[]).unwrap();
    let mounted = Mounted::mount(device.path(), &dir.path().join("mnt"), &["-t", "ext4"]).unwrap();
    let json = ectype(dir.path(), ["devices", "--json"]).ends_with(0).json();
    let name = device.path().to_str().unwrap();
    let ours = json["devices"].as_array().unwrap().iter().find(|seen| seen["path"] == name).unwrap();
    for key in [
        "path",
        "medium",
        "bus",
        "removable",
        "read_only",
        "system",
        "model",
        "serial",
        "size",
        "sector_size",
        "physical_sector_size",
        "mounted",
        "held_by",
        "in_use",
        "partitions",
    ] {
        assert!(ours.get(key).is_some_and(|value| !value.is_null()), "{key} in {ours}");
    }
    assert_eq!(ours["size"], 16 << 20);
    assert_eq!(ours["sector_size"], 512);
    assert_eq!(ours["in_use"], true);
    assert_eq!(ours["mounted"][0], mounted.path().to_str().unwrap());
    assert_eq!(ours["label"], "ROOT");
    for run in [&["devices"][..], &[]] {
        ectype(dir.path(), run).ends_with(0).says(name).says("16.0 MiB");
    }
    let info = ectype(dir.path(), ["info", "--json", name]).ends_with(0).json();
    for key in [
        "format",
        "subformat",
        "size",
        "virtual_size",
        "sector_size",
        "parent",
        "partitions",
        "tracks",
        "facts",
    ] {
        assert!(info.get(key).is_some(), "{key}");
    }
    assert_eq!(info["size"], 16 << 20);
    ectype(dir.path(), ["info", name]).ends_with(0).says("ext4").says("ROOT");
}

#[test]
fn partitions_are_volumes_and_are_listed() {
    if !(need::loop_devices() && need::tools(&["sfdisk", "mkfs.vfat"])) {
        return;
    }
    let dir = folder();
    let disk = dir.path().join("disk");
    File::create(&disk).unwrap().set_len(32 << 20).unwrap();
    let script = dir.path().join("script");
    fs::write(&script, "label: gpt\nsize=8MiB, type=linux\nsize=16MiB\n").unwrap();
    let status =
        need::command("sfdisk").arg("-q").arg(&disk).stdin(File::open(&script).unwrap()).status().unwrap();
    assert!(status.success());
    let device = LoopDevice::attach(&disk, &["-P"]).unwrap();
    let info = ectype(dir.path(), args!["info", "--json", device.path()]).ends_with(0).json();
    let partitions = info["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 2, "{info}");
    assert_eq!(partitions[0]["length"], 8 << 20);
    for key in ["number", "offset", "length", "type", "filesystem", "label"] {
        assert!(partitions[1].get(key).is_some(), "{key}");
    }
    let first = PathBuf::from(format!("{}p1", device.path().display()));
    if !need::kernel(first.exists(), "a kernel that makes partitions of loop devices") {
        return;
    }
    let json = ectype(dir.path(), args!["create", "--json", first, "p.img"]).ends_with(0).json();
    assert_eq!(json["plan"]["scope"], "volume");
    same(&first, &dir.path().join("p.img"));
}
