//! Real loop devices, where there is the right to make them; recorded answers for the rest.

use super::*;
use crate::os::buffer::Buffer;
use crate::os::control::Recorded;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

fn some_device() -> Device {
    Device {
        path: "/dev/sr0".into(),
        name: "sr0".into(),
        whole: None,
        medium: Medium::Optical,
        bus: "ata".into(),
        model: String::new(),
        backing: None,
        serial: String::new(),
        removable: true,
        rotational: true,
        read_only: true,
        system: false,
        size: 0,
        sector_size: 2048,
        physical_sector_size: 2048,
        diskseq: None,
        mounts: Vec::new(),
        holders: Vec::new(),
        parts: Vec::new(),
    }
}

fn drive(size: u64, sector: u32, physical: u32) -> Recorded {
    let ioctls = vec![
        (Request::Size, None, Ok((size.to_ne_bytes().to_vec(), 0))),
        (Request::SectorSize, None, Ok((sector.to_ne_bytes().to_vec(), 0))),
        (Request::PhysicalSectorSize, None, Ok((physical.to_ne_bytes().to_vec(), 0))),
    ];
    Recorded { ioctls, scsi: Vec::new() }
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    let disc = some_device();
    let sizes = geometry(&drive(2048 * 100, 2048, 2048), &disc).unwrap();
    assert_eq!(sizes, Geometry { size: 204_800, sector: 2048, physical_sector: 2048 });
    // A physical sector that is no multiple of the logical one is not believed.
    assert_eq!(geometry(&drive(4096, 512, 100), &disc).unwrap().physical_sector, 512);

    let refused = |size, sector| {
        let error = geometry(&drive(size, sector, sector), &disc).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        error.to_string()
    };
    assert_eq!(refused(0, 2048), "no medium in /dev/sr0");
    assert!(refused(0x1f_ffff * 512, 2048).contains("does not tell"));
    assert!(refused(1000, 0).contains("1000"));
    let odd = refused(204_801, 2048);
    assert!(odd.contains("204801") && odd.contains("2048 "), "{odd}");
}

#[test]
fn the_errors_of_an_open_have_their_kinds() {
    let device = some_device();
    let kind = |errno| not_opened(&device, Lock::Shared, errno).kind();
    assert_eq!(kind(Errno::NOMEDIUM), Kind::Refused);
    assert_eq!(kind(Errno::NXIO), Kind::Gone);
    let denied = not_opened(&device, Lock::Exclusive, Errno::ACCESS);
    assert_eq!(denied.io_cause().map(io::Error::kind), Some(io::ErrorKind::PermissionDenied));
}

#[test]
fn a_refusal_names_mounts_swaps_and_stacks_with_the_remedy() {
    let mut device = some_device();
    // No such device is in /sys, so that what was found is what is told.
    device.name = "sdnone".into();
    device.path = "/dev/sdnone".into();
    device.mounts.push(crate::os::Mount {
        target: "/media/my stick".into(),
        node: "/dev/sdnone1".into(),
        filesystem: "vfat".into(),
        read_only: false,
        gives_way: false,
    });
    device.holders = vec!["dm-0 (vg-root)".into(), "md0".into(), "swap on /dev/sdnone2".into()];
    let error = not_opened(&device, Lock::Exclusive, Errno::BUSY);
    assert_eq!(error.kind(), Kind::Refused);
    assert_eq!(
        error.to_string(),
        "/dev/sdnone is in use: /dev/sdnone1 is mounted at /media/my stick; it is part of dm-0 (vg-root); \
         it is part of md0; swap is active on /dev/sdnone2"
    );
    assert_eq!(
        error.advice(),
        [
            "unmount it: umount '/media/my stick'",
            "close what is stacked on it: dmsetup remove vg-root",
            "stop the array: mdadm --stop /dev/md0",
            "switch the swap off: swapoff /dev/sdnone2",
        ]
    );
}

#[test]
fn processes_are_found_by_their_descriptors() {
    let root = tempfile::tempdir().unwrap();
    for (id, name, target) in
        [("12", "qemu\n", "/dev/sdb1"), ("13", "cat\n", "/tmp/x"), ("self", "me", "/dev/sdb1")]
    {
        let dir = root.path().join(id);
        fs::create_dir_all(dir.join("fd")).unwrap();
        fs::write(dir.join("comm"), name).unwrap();
        symlink(target, dir.join("fd/3")).unwrap();
        symlink(target, dir.join("fd/4")).unwrap();
    }
    let found = processes_with(root.path(), &BTreeSet::from(["/dev/sdb1".into()]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_string(), "pid 12 (qemu)");
    assert_eq!((found[0].id, found[0].name.as_str(), found[0].count), (12, "qemu", 2));
}

#[test]
fn mounts_in_other_namespaces_are_found_once_each() {
    let root = tempfile::tempdir().unwrap();
    for (id, space) in [("2", "mnt:[1]"), ("7", "mnt:[2]"), ("8", "mnt:[2]")] {
        let dir = root.path().join(id);
        fs::create_dir_all(dir.join("ns")).unwrap();
        symlink(space, dir.join("ns/mnt")).unwrap();
        fs::write(dir.join("comm"), "shell\n").unwrap();
        let number = if space == "mnt:[2]" { "8:17" } else { "8:1" };
        fs::write(dir.join("mountinfo"), format!("20 1 {number} / /inner rw - ext4 /dev/sdb1 rw\n")).unwrap();
    }
    let found = mounting(root.path(), &BTreeSet::from([(8, 17)]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0.id, found[0].1.as_path()), (7, Path::new("/inner")));
}

#[test]
fn write_counters_are_summed_unless_they_stand_still() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    fs::create_dir_all(dir.join("queue")).unwrap();
    fs::create_dir_all(dir.join("sda1")).unwrap();
    fs::write(dir.join("stat"), " 1 2 3 4 100 5 2000 7 0 0 0 30 0 4000 0 9 9\n").unwrap();
    fs::write(dir.join("sda1/stat"), "1 2 3 4 10 5 20 7 0 0 0\n").unwrap();
    assert_eq!(writes_of(dir, false), Some(2000 + 4000));
    assert_eq!(writes_of(&dir.join("sda1"), true), Some(20));
    fs::write(dir.join("queue/iostats"), "0\n").unwrap();
    assert_eq!(writes_of(dir, false), None);
    assert_eq!(writes_of(&dir.join("sda1"), true), None);
    assert_eq!(writes_of(&dir.join("sdb"), false), None);
}

#[test]
fn find_knows_files_and_refuses_the_rest_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("disk.img");
    fs::write(&file, b"x").unwrap();
    assert_eq!(find(&file).unwrap(), Found::File(file.clone()));

    let missing = find(&dir.path().join("nothing")).unwrap_err();
    assert_eq!(missing.io_cause().map(io::Error::kind), Some(io::ErrorKind::NotFound));
    assert_eq!(missing.advice().len(), 1);
    let refused = |path: &Path| {
        let error = find(path).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused, "{error}");
        assert_eq!(error.advice().len(), 1);
        error.to_string()
    };
    assert!(refused(dir.path()).contains("is a directory"), "{}", refused(dir.path()));
    assert!(refused(Path::new("/dev/null")).contains("a character device"));
    assert!(refused(Path::new("/proc")).contains("no block device"));
}

#[test]
fn the_list_of_this_machine_can_be_made() {
    for device in devices().unwrap() {
        assert!(device.whole.is_none(), "{device:?}");
        assert!(device.sector_size > 0 && device.physical_sector_size >= device.sector_size, "{device:?}");
    }
}

#[test]
fn a_disk_may_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Disk>();
}

/// Whether loop devices can be made; says so loudly if not, and fails where nothing may be left out.
fn may_make_devices() -> bool {
    if crate::os::host::is_privileged() && Path::new("/dev/loop-control").exists() {
        return true;
    }
    let must = ["CI", "ECTYPE_REQUIRE_ALL"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!must, "loop devices need root");
    eprintln!("SKIPPED: loop devices need root");
    false
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A loop device over a file of its own, gone with it.
struct Loop {
    dir: tempfile::TempDir,
    node: PathBuf,
    mounted: Option<PathBuf>,
}

impl Loop {
    fn new(size: u64, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk.img");
        fs::File::create(&file).unwrap().set_len(size).unwrap();
        let mut arguments = vec!["--find", "--show"];
        arguments.extend(options);
        arguments.push(file.to_str().unwrap());
        let node = PathBuf::from(run("losetup", &arguments));
        Loop { dir, node, mounted: None }
    }

    fn name(&self) -> &str {
        self.node.to_str().unwrap()
    }

    fn device(&self) -> Device {
        devices()
            .unwrap()
            .into_iter()
            .find(|device| device.path == self.node)
            .expect("the loop device is listed")
    }

    fn mount(&mut self, options: &str) -> PathBuf {
        self.unmount();
        let target = self.dir.path().join("a b");
        fs::create_dir_all(&target).unwrap();
        run("mount", &["-o", options, self.name(), target.to_str().unwrap()]);
        self.mounted = Some(target.clone());
        target
    }

    fn unmount(&mut self) {
        if let Some(target) = self.mounted.take() {
            let _ = Command::new("umount").arg(&target).status();
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.unmount();
        let _ = Command::new("losetup").arg("--detach").arg(&self.node).status();
    }
}

#[test]
fn a_loop_device_is_listed_opened_and_read() {
    if !may_make_devices() {
        return;
    }
    let made = Loop::new(16 << 20, &[]);
    let bytes: Vec<u8> = (0..16 << 20).map(|index: u32| (index / 512 % 251) as u8).collect();
    fs::write(made.dir.path().join("disk.img"), &bytes).unwrap();

    let device = made.device();
    assert_eq!((device.size, device.sector_size, device.bus.as_str()), (16 << 20, 512, "loop"));
    assert_eq!((device.medium, device.in_use(), device.system), (Medium::Fixed, false, false));
    assert!(device.model.ends_with("disk.img"));

    let disk = Disk::open(&device, Lock::Exclusive).unwrap();
    assert_eq!(disk.geometry(), Geometry { size: 16 << 20, sector: 512, physical_sector: 512 });
    assert_eq!((disk.size_now().unwrap(), disk.diskseq_now()), (16 << 20, device.diskseq));
    assert!(disk.direct());
    let before = disk.writes_now();
    assert!(before.is_some());
    disk.drop_caches();
    let mut buffer = Buffer::new(64 << 10);
    assert_eq!(disk.read_at(&mut buffer, 1 << 20).unwrap(), 64 << 10);
    assert_eq!(&buffer[..], &bytes[1 << 20..(1 << 20) + (64 << 10)]);
    // At the end a read is short, behind it empty.
    assert_eq!(disk.read_at(&mut buffer, (16 << 20) - 512).unwrap(), 512);
    assert_eq!(disk.read_at(&mut buffer, 16 << 20).unwrap(), 0);
    assert_eq!(disk.writes_now(), before);

    // A loop device is no drive: it has no tracks, and no sense.
    assert!(super::super::optical::toc(&disk).is_err());
    let (toc, note) = super::super::optical::toc_or_whole(&disk, 2048 * 10).unwrap();
    assert!(toc.lead_out == 10 && note.is_some());
    assert_eq!(super::super::optical::profile(&disk), None);
    assert!(disk.ask(&mut [0; 2048], 0).is_err());

    // Somebody writes: it shows.
    drop(disk);
    run("dd", &["if=/dev/urandom", &format!("of={}", made.name()), "bs=4096", "count=1", "oflag=direct"]);
    let again = Disk::open(&device, Lock::Shared).unwrap();
    assert_ne!(again.writes_now(), before);
}

#[test]
fn sectors_of_4096_bytes() {
    if !may_make_devices() {
        return;
    }
    let made = Loop::new(16 << 20, &["--sector-size", "4096"]);
    let device = made.device();
    assert_eq!((device.sector_size, device.physical_sector_size), (4096, 4096));
    let disk = Disk::open(&device, Lock::Exclusive).unwrap();
    assert_eq!(disk.geometry().sector, 4096);
    assert_eq!(disk.read_at(&mut Buffer::new(4096), 4096).unwrap(), 4096);
}

#[test]
fn one_exclusive_opening_at_a_time() {
    if !may_make_devices() {
        return;
    }
    let made = Loop::new(1 << 20, &[]);
    let device = made.device();
    let first = Disk::open(&device, Lock::Exclusive).unwrap();
    let error = Disk::open(&device, Lock::Exclusive).err().unwrap();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.to_string().contains(&format!("pid {} (", std::process::id())), "{error}");
    let error = Disk::open(&device, Lock::Shared).err().unwrap();
    assert!(error.to_string().contains("another program has locked"), "{error}");
    drop(first);
    let shared = Disk::open(&device, Lock::Shared).unwrap();
    Disk::open(&device, Lock::Shared).unwrap();
    let error = Disk::open(&device, Lock::Exclusive).err().unwrap();
    assert_eq!(error.kind(), Kind::Refused);
    drop(shared);
    Disk::open(&device, Lock::Exclusive).unwrap();
}

#[test]
fn a_mounted_file_system_holds_its_device() {
    if !may_make_devices() {
        return;
    }
    let mut made = Loop::new(16 << 20, &[]);
    run("mkfs.ext4", &["-q", made.name()]);
    let target = made.mount("rw");
    let device = made.device();
    assert!(device.in_use() && !device.system);
    assert_eq!(device.mounts.len(), 1);
    assert_eq!((&device.mounts[0].target, device.mounts[0].filesystem.as_str()), (&target, "ext4"));

    let error = Disk::open(&device, Lock::Exclusive).err().unwrap();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.to_string().contains(&format!("is mounted at {}", target.display())), "{error}");
    assert_eq!(error.advice(), [format!("unmount it: umount '{}'", target.display())]);
    Disk::open(&device, Lock::Shared).unwrap();

    // By its mount point, by a link to its node, by its node.
    let link = made.dir.path().join("link");
    symlink(&made.node, &link).unwrap();
    for (path, via) in [(&target, Some(&target)), (&link, None), (&made.node, None)] {
        let Found::Device { device: found, via_mount } = find(path).unwrap() else { panic!("{path:?}") };
        assert_eq!((&found.path, via_mount.as_ref()), (&made.node, via));
    }
    let inside = target.join("lost+found");
    let error = find(&inside).unwrap_err();
    assert!(error.advice()[0].contains(made.name()), "{error} {:?}", error.advice());

    // Mounted where only another process can see it: the claim stands, and who it is can be told.
    made.unmount();
    let script = format!("mount {} '{}' && echo ready && read line", made.name(), target.display());
    let mut hidden = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    hidden.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    let device = made.device();
    assert!(device.mounts.is_empty());
    let error = Disk::open(&device, Lock::Exclusive).err().unwrap();
    drop(hidden.stdin.take());
    hidden.wait().unwrap();
    let told = format!("pid {} (sh) has it mounted at {}", hidden.id(), target.display());
    assert!(error.to_string().contains(&told), "{error}");

    made.mount("ro");
    let device = made.device();
    assert!(!device.in_use() && device.mounts[0].read_only);
    made.unmount();
    Disk::open(&device, Lock::Exclusive).unwrap();
}

#[test]
fn partitions_are_devices_of_their_own() {
    if !may_make_devices() {
        return;
    }
    let made = Loop::new(16 << 20, &["--partscan"]);
    // Told to the kernel directly, which need not know any partition table for it.
    run("addpart", &[made.name(), "1", "2048", "8192"]);

    let device = made.device();
    let node = PathBuf::from(format!("{}p1", made.name()));
    assert_eq!(
        device.parts,
        [crate::os::Part { number: 1, node: node.clone(), offset: 1 << 20, len: 4 << 20 }]
    );
    let Found::Device { device: part, .. } = find(&node).unwrap() else { panic!() };
    assert_eq!((part.whole.as_ref(), part.size), (Some(&made.node), 4 << 20));

    // Who has a partition has a claim that the whole disk must respect, and the reverse.
    let open = Disk::open(&part, Lock::Exclusive).unwrap();
    assert!(open.writes_now().is_some());
    let error = Disk::open(&device, Lock::Exclusive).err().unwrap();
    assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
    drop(open);
    let whole = Disk::open(&device, Lock::Exclusive).unwrap();
    assert_eq!(Disk::open(&part, Lock::Exclusive).err().unwrap().kind(), Kind::Refused);
    drop(whole);
}
