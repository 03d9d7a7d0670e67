//! File systems that images are written to: with holes and without, small, full, and closed.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need::{self, LoopDevice, Mounted};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A file system in a file, mounted; dropped from the top.
struct Target {
    mounted: Mounted,
    _device: LoopDevice,
}

impl Target {
    fn make(dir: &Path, kind: &str, size: u64, make: &[&str]) -> Option<Target> {
        let file = dir.join(format!("{kind}.target"));
        File::create(&file).unwrap().set_len(size).unwrap();
        tool(
            make[0],
            make[1..].iter().map(Into::into).chain([file.clone().into_os_string()]).collect::<Vec<_>>(),
        );
        let device = LoopDevice::attach(&file, &[]).unwrap();
        let mounted = Mounted::mount(device.path(), &dir.join(format!("{kind}.d")), &["-t", kind]).unwrap();
        Some(Target { mounted, _device: device })
    }

    fn path(&self) -> &Path {
        self.mounted.path()
    }
}

/// Whether file systems of this type can be mounted: by the kernel, or by a program.
fn mounts(kind: &str) -> bool {
    match kind {
        "exfat-fuse" => need::fuse() && need::tool("mount.exfat-fuse"),
        _ => need::filesystem(kind),
    }
}

/// Data, holes, written zeros, and zeros at the end.
fn mixed(dir: &Path) -> PathBuf {
    let path = dir.join("mixed");
    let file = File::create(&path).unwrap();
    file.set_len(12 << 20).unwrap();
    file.write_all_at(&noise(MIB + 5, 40), 70_000).unwrap();
    file.write_all_at(&vec![0; 2 * MIB], 3 << 20).unwrap();
    file.write_all_at(&noise(3000, 41), 7 << 20).unwrap();
    path
}

#[test]
fn every_file_system_takes_an_image() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let source = mixed(dir.path());
    let kinds: [(&str, u64, &[&str], bool); 5] = [
        ("ext4", 32 << 20, &["mkfs.ext4", "-q", "-F"], true),
        ("xfs", 320 << 20, &["mkfs.xfs", "-q", "-f"], true),
        ("btrfs", 120 << 20, &["mkfs.btrfs", "-q", "-f"], true),
        ("vfat", 32 << 20, &["mkfs.vfat"], false),
        ("exfat-fuse", 32 << 20, &["mkfs.exfat"], false),
    ];
    for (kind, size, make, holes) in kinds {
        if !(need::tool(make[0]) && mounts(kind)) {
            continue;
        }
        let target = Target::make(dir.path(), kind, size, make).unwrap();
        let image = target.path().join("x.img");
        ectype(dir.path(), args!["create", "--hash", "sha256", source, image]).ends_with(0);
        same(&source, &image);
        assert_eq!(allocated(&image) < (4 << 20), holes, "{kind}: {} bytes on disk", allocated(&image));
        ectype(dir.path(), args!["verify", image]).ends_with(0);
        ectype(dir.path(), args!["create", "--overwrite", source, image]).ends_with(0);
        assert_eq!(
            names(target.path()).iter().filter(|name| name.as_encoded_bytes().starts_with(b"x.img")).count(),
            2
        );
    }
}

#[test]
fn fat_refuses_what_it_cannot_hold_before_any_work() {
    if !(need::loop_devices() && need::tool("mkfs.vfat") && need::filesystem("vfat")) {
        return;
    }
    let dir = folder();
    let source = dir.path().join("source");
    File::create(&source).unwrap().set_len(5 << 30).unwrap();
    let target = Target::make(dir.path(), "vfat", 32 << 20, &["mkfs.vfat"]).unwrap();
    for more in ["-v", "--no-space-check"] {
        ectype(dir.path(), args!["create", more, source, target.path().join("x.img")])
            .ends_with(1)
            .says("FAT")
            .says("5368709120");
    }
    assert!(names(target.path()).is_empty());
}

#[test]
fn too_little_room_is_said_with_numbers_before_any_work() {
    if !(need::root() && need::filesystem("tmpfs")) {
        return;
    }
    let dir = folder();
    let source = noisy(dir.path(), "source", 6 * MIB, 42);
    let target =
        Mounted::mount(Path::new("none"), &dir.path().join("t"), &["-t", "tmpfs", "-o", "size=4m"]).unwrap();
    ectype(dir.path(), args!["create", source, target.path().join("x.img")])
        .ends_with(1)
        .says("6291456")
        .says("4194304")
        .says("--no-space-check");
    assert!(names(target.path()).is_empty());
}

#[test]
fn a_target_that_fills_up_is_gone_on_with_after_making_room() {
    if !(need::loop_devices() && need::tools(&["mkfs.ext4", "mkfs.vfat", "mkfs.exfat"])) {
        return;
    }
    let dir = folder();
    let source = noisy(dir.path(), "source", 9 * MIB, 43);
    let kinds: [(&str, u64, &[&str]); 3] = [
        ("ext4", 16 << 20, &["mkfs.ext4", "-q", "-F", "-m", "0"]),
        ("vfat", 16 << 20, &["mkfs.vfat"]),
        ("exfat-fuse", 16 << 20, &["mkfs.exfat"]),
    ];
    for (kind, size, make) in kinds {
        if !mounts(kind) {
            continue;
        }
        let target = Target::make(dir.path(), kind, size, make).unwrap();
        let filler = target.path().join("filler");
        // 5 MiB are left.
        let room = tool("df", ["-B1", "--output=avail", target.path().to_str().unwrap()]);
        let room: usize = room.lines().last().unwrap().trim().parse().unwrap();
        fs::write(&filler, noise(room - 5 * MIB, 44)).unwrap();
        let image = target.path().join("x.img");
        let run = || {
            ectype(
                dir.path(),
                args!["create", "--no-space-check", "--json", "--hash", "sha256", source, image],
            )
        };
        let json = run().ends_with(5).json();
        assert_eq!(json["status"], "stopped", "{kind}");
        assert_eq!(json["error"]["kind"], "limit", "{json}");
        // Still no room: still stopped, nothing lost.
        run().ends_with(5);
        fs::remove_file(&filler).unwrap();
        let json = run().ends_with(0).json();
        assert_eq!(json["resumed"], true, "{kind}");
        same(&source, &image);
        ectype(dir.path(), args!["verify", image]).ends_with(0);
        assert!(!beside(&image, ".map").exists() && !beside(&image, ".state").exists());
    }
}

#[test]
fn no_room_for_a_single_byte_is_an_error_and_no_crash() {
    if !(need::root() && need::filesystem("tmpfs")) {
        return;
    }
    let dir = folder();
    let source = noisy(dir.path(), "source", MIB, 45);
    let target =
        Mounted::mount(Path::new("none"), &dir.path().join("t"), &["-t", "tmpfs", "-o", "size=64k"]).unwrap();
    fs::write(target.path().join("filler"), [7; 64 * KIB]).unwrap();
    let image = target.path().join("x.img");
    let said = ectype(dir.path(), args!["create", "--no-space-check", source, image]);
    assert!(matches!(said.code, Some(1 | 5)), "{said:#?}");
    fs::remove_file(target.path().join("filler")).unwrap();
    tool("mount", args!["-o", "remount,size=8m", target.path()]);
    ectype(dir.path(), args!["create", source, image]).ends_with(0);
    same(&source, &image);
}

#[test]
fn a_target_mounted_read_only_is_named() {
    if !(need::loop_devices() && need::tool("mkfs.ext4") && need::filesystem("ext4")) {
        return;
    }
    let dir = folder();
    let source = noisy(dir.path(), "source", MIB, 46);
    let target = Target::make(dir.path(), "ext4", 16 << 20, &["mkfs.ext4", "-q", "-F"]).unwrap();
    tool("mount", args!["-o", "remount,ro", target.path()]);
    ectype(dir.path(), args!["create", source, target.path().join("x.img")])
        .ends_with(1)
        .says("x.img")
        .says("Read-only file system");
}
