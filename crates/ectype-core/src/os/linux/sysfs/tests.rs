//! Recorded trees: what /sys and /proc hold for kinds of devices that are not at hand.

use super::*;
use std::os::unix::fs::symlink;

/// A /sys and a /proc in a temporary folder.
struct Recording {
    root: tempfile::TempDir,
}

/// Where the recorded system keeps files that devices are made of: the tests' stand-in for `stat`.
fn recorded_file(path: &Path) -> Option<Number> {
    match path.to_str()? {
        "/home/me/disk.img" => Some((0, 40)), // on the btrfs
        "/var/lib/vm.img" | "/swapfile" => Some((8, 2)),
        "/run/live/medium" => Some((8, 17)),
        _ => None,
    }
}

fn recorded_node(path: &Path) -> Option<Number> {
    (path == Path::new("/dev/disk/by-label/DATA")).then_some((8, 17))
}

impl Recording {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for dir in ["sys/class/block", "sys/devices", "proc/self"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        Recording { root }
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A device under sys/devices, with attributes, one `name=text` each.
    fn device(&self, dir: &str, number: &str, sectors: u64, attributes: &[&str]) -> &Self {
        let base = format!("sys/devices/{dir}");
        let name = dir.rsplit('/').next().unwrap();
        self.write(&format!("{base}/dev"), format!("{number}\n"));
        self.write(&format!("{base}/size"), format!("{sectors}\n"));
        for attribute in attributes {
            let (key, value) = attribute.split_once('=').unwrap();
            self.write(&format!("{base}/{key}"), format!("{value}\n"));
        }
        let link = self.root.path().join("sys/class/block").join(name);
        symlink(format!("../../devices/{dir}"), link).unwrap();
        self
    }

    /// `upper` is made of `lower`.
    fn stacked(&self, lower: &str, upper: &str) -> &Self {
        let class = self.root.path().join("sys/class/block");
        for (of, kind, other) in [(lower, "holders", upper), (upper, "slaves", lower)] {
            let dir = class.join(of).join(kind);
            fs::create_dir_all(&dir).unwrap();
            symlink(class.join(other), dir.join(other)).unwrap();
        }
        self
    }

    fn system(&self) -> Sysfs {
        Sysfs {
            sys: self.root.path().join("sys"),
            proc_: self.root.path().join("proc"),
            device_of_file: recorded_file,
            device_of_node: recorded_node,
        }
    }

    fn survey(&self) -> Survey {
        self.system().survey().unwrap()
    }
}

const USB: &str = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0/block";
const ATA: &str = "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block";

/// A stick with two partitions, on USB.
fn stick(recording: &Recording) {
    recording.write("sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/idVendor", "0781\n");
    recording.write("sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/serial", "4C530001\n");
    recording.write("sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/product", "Ultra\n");
    recording
        .device(
            &format!("{USB}/sdb"),
            "8:16",
            60_000_000,
            &[
                "removable=1",
                "ro=0",
                "diskseq=17",
                "queue/logical_block_size=512",
                "queue/physical_block_size=512",
                "queue/rotational=1",
                "device/vendor=SanDisk ",
                "device/model=Ultra           ",
                "device/type=0",
            ],
        )
        .device(&format!("{USB}/sdb/sdb1"), "8:17", 40_000_000, &["partition=1", "start=2048", "ro=0"])
        .device(&format!("{USB}/sdb/sdb2"), "8:18", 19_000_000, &["partition=2", "start=40002048", "ro=0"]);
}

/// A hard disk: /boot on the first partition, the rest encrypted, with LVM inside.
fn system_disk(recording: &Recording) {
    recording
        .device(
            &format!("{ATA}/sda"),
            "8:0",
            1_953_525_168,
            &[
                "removable=0",
                "queue/logical_block_size=512",
                "queue/physical_block_size=4096",
                "queue/rotational=0",
                "device/vendor=ATA     ",
                "device/model=Samsung SSD 850 ",
                "device/wwid=naa.5002538d",
            ],
        )
        .device(&format!("{ATA}/sda/sda1"), "8:1", 2_097_152, &["partition=1", "start=2048"])
        .device(&format!("{ATA}/sda/sda2"), "8:2", 1_951_000_000, &["partition=2", "start=2099200"])
        .device("virtual/block/dm-0", "253:0", 1_950_000_000, &["dm/name=luks-1234", "dm/uuid=CRYPT-LUKS2-1"])
        .device("virtual/block/dm-1", "253:1", 900_000_000, &["dm/name=vg-my--root"])
        .device("virtual/block/dm-2", "253:2", 16_000_000, &["dm/name=vg-swap"])
        .stacked("sda2", "dm-0")
        .stacked("dm-0", "dm-1")
        .stacked("dm-0", "dm-2");
    // The drive's serial number, as the SCSI layer keeps the page.
    recording.write(&format!("sys/devices/{ATA}/sda/device/vpd_pg80"), b"\x00\x80\x00\x0a  S21PNX\x00\x00");
}

#[test]
fn a_stick_mounted_twice() {
    let recording = Recording::new();
    stick(&recording);
    recording.write(
        "proc/self/mountinfo",
        "30 1 8:17 / /media/my\\040data rw,nosuid shared:5 - vfat /dev/sdb1 rw,uid=1000\n\
         31 1 8:18 / /media/ro ro - ext4 /dev/sdb2 ro\n",
    );
    let survey = recording.survey();
    let devices = survey.devices();
    assert_eq!(devices.len(), 1);
    let stick = &devices[0];
    assert_eq!(stick.path, Path::new("/dev/sdb"));
    assert_eq!((stick.medium, stick.bus.as_str()), (Medium::Removable, "usb"));
    assert_eq!((stick.model.as_str(), stick.serial.as_str()), ("SanDisk Ultra", "4C530001"));
    assert_eq!((stick.size, stick.sector_size, stick.diskseq), (30_720_000_000, 512, Some(17)));
    assert!(stick.removable && !stick.read_only && !stick.system && stick.in_use());
    assert_eq!(stick.mounts.len(), 2);
    assert_eq!(stick.mounts[0].target, Path::new("/media/my data"));
    assert_eq!(stick.mounts[0].node, Path::new("/dev/sdb1"));
    assert_eq!(
        stick.parts,
        [
            Part { number: 1, node: "/dev/sdb1".into(), offset: 1 << 20, len: 20_480_000_000 },
            Part { number: 2, node: "/dev/sdb2".into(), offset: 40_002_048 * 512, len: 9_728_000_000 },
        ]
    );
    assert_eq!(stick.holders, [""; 0]);

    // The read-only one alone is not in use, and is a device of its own with the drive's facts.
    let second = survey.device_of_number((8, 18)).unwrap();
    assert_eq!(second.whole.as_deref(), Some(Path::new("/dev/sdb")));
    assert_eq!((second.size, second.serial.as_str()), (9_728_000_000, "4C530001"));
    assert_eq!((second.medium, second.diskseq), (Medium::Removable, Some(17)));
    assert!(!second.in_use() && second.mounts.len() == 1 && second.parts.is_empty());
}

#[test]
fn a_system_in_lvm_in_luks() {
    let recording = Recording::new();
    system_disk(&recording);
    stick(&recording);
    recording.write(
        "proc/self/mountinfo",
        "20 1 253:1 / / rw - ext4 /dev/mapper/vg-my--root rw\n21 20 8:1 / /boot rw - ext4 /dev/sda1 rw\n",
    );
    recording
        .write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/mapper/vg-swap  partition 1 0 -2\n");
    let survey = recording.survey();
    let by_name = |name: &str| survey.device(name).unwrap();
    let disk = by_name("sda");
    assert_eq!((disk.medium, disk.bus.as_str()), (Medium::Fixed, "ata"));
    assert_eq!((disk.model.as_str(), disk.serial.as_str()), ("Samsung SSD 850", "S21PNX"));
    assert_eq!((disk.physical_sector_size, disk.sector_size), (4096, 512));
    assert!(disk.system && disk.in_use() && !disk.removable);
    assert_eq!(
        disk.holders,
        ["dm-0 (luks-1234)", "dm-1 (vg-my--root)", "dm-2 (vg-swap)", "swap on /dev/dm-2"]
    );
    assert_eq!(disk.mounts.len(), 2);

    // Each layer knows only what is above it.
    assert!(by_name("sda1").system && by_name("sda1").holders.is_empty());
    assert_eq!(by_name("sda2").mounts.len(), 1);
    let swap = by_name("dm-2");
    assert!(swap.system && swap.mounts.is_empty());
    assert_eq!((swap.bus.as_str(), swap.model.as_str()), ("dm", "vg-swap"));
    assert!(!by_name("sdb").system);
    let names: Vec<_> = survey.devices().into_iter().map(|device| device.name).collect();
    assert_eq!(names, ["dm-0", "dm-1", "dm-2", "sda", "sdb"]);
    // LVM's own way to write it.
    let system = recording.system();
    assert_eq!(system.by_source(&survey, Path::new("/dev/vg/my-root")), BTreeSet::from(["dm-1".to_owned()]));
}

#[test]
fn a_btrfs_over_two_disks_with_a_subvolume_and_a_loop_device_on_it() {
    let recording = Recording::new();
    system_disk(&recording);
    stick(&recording);
    recording
        .device("virtual/block/loop0", "7:0", 2048, &["loop/backing_file=/home/me/disk.img (deleted)"])
        .device("virtual/block/loop1", "7:1", 0, &["removable=0"])
        .device("virtual/block/zram0", "252:0", 2048, &["removable=0"]);
    recording.write("sys/fs/btrfs/aaaa/devices/sda2", "");
    recording.write("sys/fs/btrfs/aaaa/devices/sdb1", "");
    // btrfs shows an anonymous number; its source is known by a link only.
    recording.write(
        "proc/self/mountinfo",
        "40 1 0:40 /@home /home rw - btrfs /dev/disk/by-label/DATA rw,subvol=/@home\n\
         41 40 7:0 / /mnt/loop rw - ext4 /dev/loop0 rw\n\
         42 1 0:30 / /run rw - tmpfs tmpfs rw\n",
    );
    let survey = recording.survey();
    let by_name = |name: &str| survey.device(name).unwrap();
    for name in ["sda", "sda2", "sdb", "sdb1"] {
        let targets: Vec<_> = by_name(name).mounts.into_iter().map(|mount| mount.target).collect();
        assert_eq!(targets, ["/home", "/mnt/loop"].map(PathBuf::from), "{name}");
        assert!(by_name(name).holders.iter().all(|holder| !holder.starts_with("loop")), "{name}");
    }
    assert!(by_name("sda1").mounts.is_empty() && !by_name("sdb").system);
    let names: Vec<_> = survey.devices().into_iter().map(|device| device.name).collect();
    assert!(names.contains(&"loop0".to_owned()));
    assert!(!names.contains(&"loop1".to_owned()) && !names.contains(&"zram0".to_owned()));
    assert_eq!(by_name("loop0").model, "/home/me/disk.img");
    assert_eq!(by_name("loop0").backing, Some("/home/me/disk.img".into()));
    let (_, first, count) = survey.mount_at(Path::new("/home")).unwrap();
    assert_eq!((first.unwrap().path.as_path(), count), (Path::new("/dev/sda2"), 2));
    assert!(survey.mount_at(Path::new("/run")).unwrap().1.is_none());
    assert!(survey.mount_at(Path::new("/nowhere")).is_none());
}

#[test]
fn a_live_system_on_an_overlay_and_a_swap_file_make_their_disks_the_systems() {
    let recording = Recording::new();
    system_disk(&recording);
    stick(&recording);
    recording.write(
        "proc/self/mountinfo",
        "20 1 0:50 / / rw - overlay overlay rw,lowerdir=/run/live/medium,upperdir=/run/rw\n",
    );
    let survey = recording.survey();
    assert!(survey.device("sdb").unwrap().system);
    assert!(!survey.device("sda").unwrap().system);

    recording.write("proc/swaps", "Filename Type Size\n/swapfile file 1\n");
    let disk = recording.survey().device("sda").unwrap();
    assert!(disk.system);
    assert_eq!(disk.holders[3..], ["swap file /swapfile on /dev/sda2"]);
}

#[test]
fn a_loop_device_over_a_disk_holds_it() {
    let recording = Recording::new();
    stick(&recording);
    recording.device("virtual/block/loop3", "7:3", 2048, &["loop/backing_file=/dev/sdb"]);
    let stick = recording.survey().device("sdb").unwrap();
    assert_eq!(stick.holders, ["loop3 (loop over /dev/sdb)"]);
    assert!(stick.in_use());
}

#[test]
fn nvme_emmc_card_optical_virtio_and_raid() {
    let recording = Recording::new();
    let nvme = "pci0000:00/0000:01:00.0/nvme/nvme0";
    let mmc = "platform/soc/mmc_host";
    recording
        .device(
            &format!("{nvme}/nvme0n1"),
            "259:0",
            1000,
            &["device/model=WD Black", "device/serial=ABC 1", "wwid=eui.1"],
        )
        .device(&format!("{nvme}/nvme0c0n1"), "259:9", 1000, &["hidden=1"])
        .device(
            &format!("{mmc}/mmc0/mmc0:0001/block/mmcblk0"),
            "179:0",
            1000,
            &["device/type=MMC", "device/name=DG4016", "device/serial=0x1234"],
        )
        .device(&format!("{mmc}/mmc1/mmc1:aaaa/block/mmcblk1"), "179:8", 1000, &["device/type=SD"])
        .device(
            "pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sr0",
            "11:0",
            0x1f_ffff,
            &["removable=1", "device/type=5", "queue/logical_block_size=2048", "queue/rotational=1"],
        )
        .device("pci0000:00/0000:00:02.0/virtio1/block/vda", "254:0", 8000, &["serial=disk-1", "ro=1"])
        .device("virtual/block/md127", "9:127", 1000, &["md/level=raid1"])
        .device("platform/floppy.0/block/fd0", "2:0", 2880, &["removable=1"])
        .device(
            &format!("{USB}/sdc"),
            "8:32",
            1000,
            &["removable=0", "queue/rotational=1", "device/model=Elements"],
        );
    let survey = recording.survey();
    let facts: Vec<_> = survey
        .devices()
        .into_iter()
        .map(|device| {
            (
                device.name,
                device.medium,
                device.bus,
                device.removable,
                format!("{}|{}", device.model, device.serial),
            )
        })
        .collect();
    let expected = [
        ("fd0", Medium::Removable, "floppy", true, "|"),
        ("md127", Medium::Fixed, "md", false, "raid1|"),
        ("mmcblk0", Medium::Fixed, "mmc", false, "DG4016|0x1234"),
        ("mmcblk1", Medium::Removable, "mmc", true, "|"),
        ("nvme0n1", Medium::Fixed, "nvme", false, "WD Black|ABC 1"),
        ("sdc", Medium::Fixed, "usb", true, "Elements|"),
        ("sr0", Medium::Optical, "ata", true, "|"),
        ("vda", Medium::Fixed, "virtio", false, "|disk-1"),
    ];
    let expected =
        expected.map(|(name, medium, bus, out, text)| (name.into(), medium, bus.into(), out, text.into()));
    assert_eq!(facts, expected);
    // A size that the kernel invented is none.
    let drive = survey.device("sr0").unwrap();
    assert_eq!((drive.size, drive.sector_size, drive.rotational), (0, 2048, false));
    assert!(survey.device("vda").unwrap().read_only);
}

#[test]
fn nonsense_in_sys_does_no_harm() {
    let recording = Recording::new();
    recording.device(
        &format!("{USB}/sdx"),
        "8:x",
        0,
        &[
            "size=99999999999999999999999",
            "removable=maybe",
            "queue/logical_block_size=0",
            "queue/physical_block_size=-1",
            "device/model=\u{1b}[31mred\u{7}",
            "device/vpd_pg80=\u{1}",
        ],
    );
    recording.device(&format!("{USB}/sdx/sdx1"), "8:1", u64::MAX, &["partition=77777777777", "start=x"]);
    recording.write("proc/self/mountinfo", b"\xff\xfe 1 2\n20 1 8:1 / \\7 rw -\n");
    recording.write("proc/swaps", b"\n\n \x00\n");
    symlink("nowhere", recording.root.path().join("sys/class/block/sdz")).unwrap();
    let survey = recording.survey();
    let device = survey.device("sdx").unwrap();
    assert_eq!((device.size, device.sector_size, device.physical_sector_size), (0, 512, 512));
    assert_eq!(device.model, "[31mred");
    assert_eq!(survey.device("sdx1").unwrap().size, u64::MAX);
    assert!(survey.device("sdz").is_none());
}
