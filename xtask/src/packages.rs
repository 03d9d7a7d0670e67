//! The Debian packages that chores need: one list, with a reason for each.

use crate::{Result, run};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

pub(crate) const HELP: &str = "\
cargo xtask install [GROUP...]

Installs Debian packages, as root or through sudo; what is there already is left alone.
Groups: tests, checks, lab, wine, bench. Without one: all of them.";

/// A group's name, and its packages with their reasons.
type Group = (&'static str, &'static [(&'static str, &'static str)]);

const GROUPS: &[Group] =
    &[("tests", TESTS), ("checks", CHECKS), ("lab", LAB), ("wine", WINE), ("bench", BENCH)];

/// What `cargo xtask test --install` needs.
const TESTS: &[(&str, &str)] = &[
    ("b3sum", "foreign BLAKE3"),
    ("btrfs-progs", "mkfs.btrfs"),
    ("bzip2", "compressed streams by their own authors"),
    ("dosfstools", "mkfs.vfat, fsck.vfat"),
    ("e2fsprogs", "mkfs.ext4, debugfs, dumpe2fs, e2fsck"),
    ("exfat-fuse", "a target without holes, on kernels that mount no FAT"),
    ("exfatprogs", "mkfs.exfat, fsck.exfat"),
    ("f2fs-tools", "mkfs.f2fs: a file system that is not understood"),
    ("fdisk", "sfdisk: partition tables by another hand"),
    ("fuse3", "fusermount3, for the disk with bad sectors"),
    ("gcc", "nbdkit compiles the bad-sector plugin"),
    ("gddrescue", "ddrescue, ddrescuelog: the mapfile's own authors"),
    ("gdisk", "sgdisk: a GPT made, and judged, by another hand"),
    ("genisoimage", "ISO 9660 with Joliet and Rock Ridge"),
    ("gzip", "compressed streams by their own authors"),
    ("jq", "JSON read by another hand"),
    ("libc6-dev", "headers for the plugin"),
    ("libnbd-bin", "nbdfuse, for the disk with bad sectors"),
    ("libvhdi-utils", "vhdiinfo, vhdimount: VHD by another hand"),
    ("lbzip2", "bzip2 in parallel"),
    ("lz4", "compressed streams by their own authors"),
    ("libqcow-utils", "qcowinfo: a second opinion on qcow2"),
    ("libvmdk-utils", "vmdkinfo: VMDK descriptors by another hand"),
    ("man-db", "the man pages must format"),
    ("mount", "mount, umount, losetup"),
    ("nbdkit", "serves the disk with bad sectors"),
    ("nbdkit-plugin-dev", "its C header"),
    ("ntfs-3g", "mkntfs, ntfsinfo, ntfsclone"),
    ("pbzip2", "bzip2 of many members"),
    ("pigz", "gzip in parallel, of many members"),
    ("python3", "the guide's recipe for the tree"),
    ("qemu-utils", "qemu-img: raw and foreign containers"),
    ("squashfs-tools", "mksquashfs"),
    ("udftools", "mkudffs"),
    ("util-linux", "blockdev, lsblk, wipefs, mkswap"),
    ("xfsprogs", "mkfs.xfs, xfs_db"),
    ("xorriso", "ISO 9660 with several sessions, El Torito"),
    ("xxd", "bytes made readable in failures"),
    ("xxhash", "foreign XXH64"),
    ("xz-utils", "compressed streams by their own authors"),
    ("zstd", "unpacks zstd images; pzstd"),
];

/// What `cargo xtask ci` needs besides.
const CHECKS: &[(&str, &str)] = &[
    ("g++", "libFuzzer is C++"),
    ("gcc", "the linker, and the digests' assembly"),
    ("gcc-mingw-w64-x86-64", "C parts for the Windows target"),
    ("git", "tidy asks which files are tracked"),
    ("libc6-dev", "C headers"),
    ("musl-tools", "C parts for the musl target"),
];

/// What `cargo xtask lab` needs. Debian's kernel itself is downloaded, not installed.
const LAB: &[(&str, &str)] = &[
    ("busybox-static", "the guest's shell and tools"),
    ("cpio", "the guest's root"),
    ("dmsetup", "dm-dust, dm-flakey, dm-delay"),
    ("e2fsprogs", "mkfs.ext4: a disk to mount, a target to lose power"),
    ("gcc-12", "Debian's kernel was built with it, and so are dm-dust and scsi_debug"),
    ("genisoimage", "discs"),
    ("kmod", "modprobe, depmod: which module needs which"),
    ("make", "dm-dust, scsi_debug"),
    ("musl-tools", "C parts of the static binary"),
    ("patch", "scsi_debug that names what fails"),
    ("qemu-system-x86", "the guest"),
    ("qemu-utils", "of the same source, and gone when apt brings the other in another version"),
    ("util-linux", "setpriv: no guest outlives the lab"),
    ("xz-utils", "the kernel and its source are packed"),
];

/// What `cargo xtask wine` needs.
const WINE: &[(&str, &str)] = &[
    ("g++-mingw-w64-x86-64", "the referee of snapshots, in the place of vssapi.dll"),
    ("gcc-mingw-w64-x86-64", "C parts for the Windows target, and the library that this Wine lacks"),
    ("wine64", "runs the tests of the Windows program"),
];

/// The other tools that `cargo xtask bench` runs.
const BENCH: &[(&str, &str)] = &[
    ("dc3dd", "copy with digests"),
    ("dcfldd", "copy with digests"),
    ("gddrescue", "ddrescue"),
    ("libnbd-bin", "nbdcopy"),
    ("mount", "losetup"),
    ("openssl", "the digest by itself"),
    ("qemu-utils", "qemu-img"),
    ("time", "CPU time and peak memory of a run"),
    ("util-linux", "blockdev"),
];

pub(crate) fn main(args: &[String]) -> Result {
    let names: Vec<&str> = args.iter().map(String::as_str).collect();
    install(if names.is_empty() { &["tests", "checks", "lab", "wine", "bench"] } else { &names })
}

/// Installs what these groups need.
pub(crate) fn install(groups: &[&str]) -> Result {
    let mut wanted = BTreeSet::new();
    for name in groups {
        let Some((_, packages)) = GROUPS.iter().find(|(known, _)| known == name) else {
            return Err(format!("no group is called {name}; there are tests, checks, lab, wine and bench"));
        };
        wanted.extend(packages.iter().map(|(package, _)| *package));
    }
    // Twice, because one package may push out another.
    for _ in 0..2 {
        let absent: Vec<&str> = wanted.iter().copied().filter(|package| !installed(package)).collect();
        if absent.is_empty() {
            println!("packages: all there ({})", groups.join(", "));
            return Ok(());
        }
        println!("packages: installing {}", absent.join(" "));
        update()?;
        retried(apt().args(["install", "--yes", "--no-install-recommends"]).args(&absent))?;
    }
    match wanted.into_iter().find(|package| !installed(package)) {
        Some(package) => Err(format!("{package} is not there after it was installed")),
        None => Ok(()),
    }
}

/// Asks the mirrors what there is now.
pub(crate) fn update() -> Result {
    retried(apt().arg("update"))
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${db:Status-Status}", package]);
    run::output(&mut query).is_ok_and(|status| status == "installed")
}

fn apt() -> Command {
    let mut apt = run::as_root("apt-get");
    // Another installation on the machine may hold the lock for a while.
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-o", "DPkg::Lock::Timeout=300"]);
    apt.args(["-o", "Acquire::Retries=3"]);
    apt
}

/// A mirror may hiccup, and the lists have a lock of their own.
fn retried(command: &mut Command) -> Result {
    let mut tries = 1;
    loop {
        match run::run(command) {
            Err(error) if tries < 3 => eprintln!("{error}; once more"),
            done => return done,
        }
        std::thread::sleep(Duration::from_secs(5 * tries));
        tries += 1;
    }
}
