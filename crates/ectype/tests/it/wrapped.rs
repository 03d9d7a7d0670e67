//! A volume that becomes a disk with one partition in its image, and the way back.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need::{self, LoopDevice};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Where the partition is on its disk, and the volume in an image.
const START: usize = MIB;
const VOLUME: usize = 8 * MIB + 512;

/// A disk with a partition, and what is in that.
struct Divided {
    disk: LoopDevice,
    part: PathBuf,
    volume: Vec<u8>,
}

impl Divided {
    /// The kernel is told of the partition directly: it need not know any table for it.
    fn new(dir: &Path) -> Divided {
        let path = dir.join("disk");
        let mut bytes = vec![0xe5; 12 * MIB];
        let mut volume = vec![0; VOLUME];
        volume[..2 * MIB].copy_from_slice(&noise(2 * MIB, 90));
        volume[VOLUME - MIB..].copy_from_slice(&noise(MIB, 91));
        bytes[START..START + VOLUME].copy_from_slice(&volume);
        fs::write(&path, bytes).unwrap();
        let disk = LoopDevice::attach(&path, &["--partscan"]).unwrap();
        let sectors = (VOLUME / 512).to_string();
        tool("addpart", args![disk.path(), "1", "2048", sectors.as_str()]);
        let part = PathBuf::from(format!("{}p1", disk.path().display()));
        Divided { disk, part, volume }
    }

    fn wipe(&self) {
        fs::write(&self.part, vec![0xe5; VOLUME]).unwrap();
        self.disk.flush().unwrap();
    }

    /// The volume is where it was, and around it nothing changed.
    #[track_caller]
    fn is_back(&self) {
        self.disk.flush().unwrap();
        let mut held = vec![0; 12 * MIB];
        File::open(self.disk.path()).unwrap().read_exact_at(&mut held, 0).unwrap();
        assert!(held[START..START + VOLUME] == self.volume, "the partition holds the volume");
        let around = held[..START].iter().chain(&held[START + VOLUME..]);
        assert!(around.copied().all(|byte| byte == 0xe5), "nothing but the partition was written");
    }
}

fn here() -> bool {
    need::loop_devices() && need::tool("addpart")
}

#[track_caller]
fn restore(dir: &Path, image: &str, onto: &Path) -> Said {
    ectype(dir, args!["restore", "--confirm", onto, image, onto])
}

fn record(dir: &Path, image: &str) -> (PathBuf, Value) {
    let path = dir.join(format!("{image}.ectype.json"));
    let record = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    (path, record)
}

#[test]
fn a_volume_comes_back_from_the_disk_that_its_image_is() {
    if !here() {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let divided = Divided::new(dir);
    let part = &divided.part;
    for image in ["a.vhdx", "a.vhd", "a.vmdk"] {
        ectype(dir, args!["create", part, image]).ends_with(0).says("one partition of a disk");
        ectype(dir, args!["verify", image, part]).ends_with(0);
        divided.wipe();
        ectype(dir, args!["verify", image, part]).ends_with(4);
        restore(dir, image, part).ends_with(0).says("only the volume is written").says("read back and equal");
        divided.is_back();
        // It tells by itself, too.
        fs::remove_file(record(dir, image).0).unwrap();
        ectype(dir, args!["verify", image, part]).ends_with(0);
        divided.wipe();
        restore(dir, image, part).ends_with(0).says("only the volume is written");
        divided.is_back();
    }
    // So does what it is converted to, with a record or without.
    for (from, to, scope) in [("a.vhdx", "b.qcow2", "disk"), ("c.vhdx", "d.img", "volume")] {
        if scope == "volume" {
            ectype(dir, args!["create", part, from]).ends_with(0);
        }
        let json = ectype(dir, args!["convert", "--json", from, to]).ends_with(0).json();
        assert_eq!(json["plan"]["scope"], scope);
        if scope == "volume" {
            let copy = record(dir, to).1;
            assert_eq!(copy["plan"]["wrapped"]["length"], VOLUME);
            assert_eq!(copy["origin"], record(dir, from).1["source"]);
        }
        ectype(dir, args!["verify", to, part]).ends_with(0);
        divided.wipe();
        restore(dir, to, part).ends_with(0).says("only the volume is written");
        divided.is_back();
    }
    // What format pads, or whose geometry rounds, is behind it.
    ectype(dir, args!["create", "--subformat", "dynamic-chs", part, "chs.vhd"]).ends_with(0);
    restore(dir, "chs.vhd", part).ends_with(0).says("only the volume is written");
    divided.is_back();
}

#[test]
fn a_bare_volume_is_its_image() {
    if !here() {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let divided = Divided::new(dir);
    ectype(dir, args!["create", "--bare", &divided.part, "a.vhdx"]).ends_with(0);
    ectype(dir, args!["convert", "a.vhdx", "a.img"]).ends_with(0);
    assert!(fs::read(dir.join("a.img")).unwrap() == divided.volume);
    for image in ["a.vhdx", "a.img"] {
        divided.wipe();
        let said = restore(dir, image, &divided.part).ends_with(0);
        assert!(!said.out.contains("partition table") && !said.err.contains("partition table"), "{said:#?}");
        divided.is_back();
    }
}

#[test]
fn onto_a_disk_and_into_a_file_goes_the_table_too() {
    if !here() {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let divided = Divided::new(dir);
    ectype(dir, args!["create", &divided.part, "a.vhdx"]).ends_with(0);
    ectype(dir, args!["restore", "a.vhdx", "file"]).ends_with(0).says("both are written");
    let whole = fs::read(dir.join("file")).unwrap();
    assert!(whole.len() == START + VOLUME && whole[START..] == divided.volume);
    assert_eq!(whole[510..512], [0x55, 0xaa]);

    fs::write(dir.join("other"), vec![0; 10 * MIB]).unwrap();
    let other = LoopDevice::attach(&dir.join("other"), &[]).unwrap();
    restore(dir, "a.vhdx", other.path()).ends_with(1).says("the image is of a volume").says("--force-layout");
    let forced = args!["restore", "--force-layout", "--confirm", other.path(), "a.vhdx", other.path()];
    ectype(dir, forced).ends_with(0).says("both are written");
    other.flush().unwrap();
    let mut held = vec![0; START + VOLUME];
    File::open(other.path()).unwrap().read_exact_at(&mut held, 0).unwrap();
    assert!(held == whole);
    // Without its record it is a disk as well as a volume.
    fs::remove_file(record(dir, "a.vhdx").0).unwrap();
    restore(dir, "a.vhdx", other.path()).ends_with(0).says("both are written");
}

/// Whoever takes the volume out of its image still compares with the record of the whole.
#[test]
fn a_changed_image_is_told_wherever_it_was_changed() {
    if !here() {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let divided = Divided::new(dir);
    ectype(dir, args!["create", &divided.part, "a.vhdx"]).ends_with(0);
    ectype(dir, args!["convert", "a.vhdx", "a.img"]).ends_with(0);
    for changed in [100, START + 5 * MIB] {
        let image = File::options().read(true).write(true).open(dir.join("a.img")).unwrap();
        image.write_all_at(b"x", changed as u64).unwrap();
        restore(dir, "a.img", &divided.part).ends_with(4).says("the image was changed since");
        image.write_all_at(&[0], changed as u64).unwrap();
        restore(dir, "a.img", &divided.part).ends_with(0);
        divided.is_back();
    }
}

#[test]
fn a_disk_is_no_volume_and_records_are_not_believed_blindly() {
    if !here() {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let divided = Divided::new(dir);
    ectype(dir, args!["create", &divided.part, "a.vhdx"]).ends_with(0);
    ectype(dir, args!["convert", "a.vhdx", "a.img"]).ends_with(0);
    let (path, record) = record(dir, "a.img");
    for wrapped in [
        r#"{"offset":5,"length":4096}"#,
        r#"{"offset":1048576,"length":18446744073709551615}"#,
        r#"{"offset":1048576,"length":0}"#,
        r#"{"offset":1048576,"length":4096}"#,
    ] {
        let mut record = record.clone();
        record["plan"]["wrapped"] = serde_json::from_str(wrapped).unwrap();
        fs::write(&path, record.to_string()).unwrap();
        restore(dir, "a.img", &divided.part).ends_with(1).says("the volume takes");
    }
    fs::write(&path, record.to_string()).unwrap();
    let file = File::options().write(true).open(dir.join("a.img")).unwrap();
    file.set_len((START + VOLUME - 512) as u64).unwrap();
    restore(dir, "a.img", &divided.part).ends_with(1).says("its record says");
    ectype(dir, args!["verify", "a.img", &divided.part]).ends_with(4);
    divided.is_back();

    // One partition from 1 MiB to the end, but the disk boots: what lies before the partition belongs to it.
    file.set_len((START + VOLUME) as u64).unwrap();
    file.write_all_at(b"\xfa", 0).unwrap();
    fs::remove_file(&path).unwrap();
    restore(dir, "a.img", &divided.part).ends_with(1).says("is a part of one");
    divided.is_back();
}
