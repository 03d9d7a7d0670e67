//! A volume that becomes a disk with one partition in its image, and the way back. That of a volume which an MBR cannot hold
//! begins in the library's tests, where nobody has to read terabytes of zeros: here others make such a disk, of a small one.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need::{self, LoopDevice};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Where the partition is on its disk, and the volume in an image.
const START: usize = MIB;
/// In whole sectors, be they of 512 or of 4096 bytes, and not in whole pieces.
const VOLUME: usize = 8 * MIB + 4096;

/// A disk with a partition, and what is in that.
struct Divided {
    disk: LoopDevice,
    part: PathBuf,
    volume: Vec<u8>,
}

impl Divided {
    fn new(dir: &Path) -> Divided {
        Divided::of_sectors(dir, 512)
    }

    /// The kernel is told of the partition directly: it need not know any table for it.
    fn of_sectors(dir: &Path, sector: usize) -> Divided {
        let path = dir.join("disk");
        let mut bytes = vec![0xe5; 12 * MIB];
        let mut volume = vec![0; VOLUME];
        volume[..2 * MIB].copy_from_slice(&noise(2 * MIB, 90));
        volume[VOLUME - MIB..].copy_from_slice(&noise(MIB, 91));
        bytes[START..START + VOLUME].copy_from_slice(&volume);
        fs::write(&path, bytes).unwrap();
        let disk = LoopDevice::attach(&path, &["--partscan", "-b", &sector.to_string()]).unwrap();
        // In sectors of 512 bytes, whatever those of the disk are.
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

/// What a format pads its disk with is no part of the volume, and of the copies of such a disk it is content.
#[test]
fn what_a_format_pads_with_is_behind_the_volume() {
    if !here() {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let divided = Divided::new(dir);
    let part = &divided.part;
    ectype(dir, args!["create", "--subformat", "dynamic-chs", part, "chs.vhd"]).ends_with(0);
    // Without its record nobody knows where the content ends.
    fs::remove_file(record(dir, "chs.vhd").0).unwrap();
    ectype(dir, ["convert", "chs.vhd", "padded.img"]).ends_with(0);
    let padded = fs::metadata(dir.join("padded.img")).unwrap().len() as usize;
    assert!(padded > START + VOLUME, "{padded}");
    assert_eq!(record(dir, "padded.img").1["plan"]["wrapped"]["length"], VOLUME);
    // As an image of a file, too.
    ectype(dir, ["create", "padded.img", "copy.img"]).ends_with(0);
    assert_eq!(record(dir, "copy.img").1["plan"]["scope"], "file");
    for image in ["chs.vhd", "padded.img", "copy.img"] {
        ectype(dir, args!["verify", image, part]).ends_with(0);
        divided.wipe();
        restore(dir, image, part).ends_with(0).says("only the volume is written");
        divided.is_back();
    }
    // All of it is in the record.
    for (image, changed) in [("padded.img", 100), ("copy.img", START + 5)] {
        let file = File::options().read(true).write(true).open(dir.join(image)).unwrap();
        let mut before = [0];
        file.read_exact_at(&mut before, changed as u64).unwrap();
        file.write_all_at(&[before[0] ^ 1], changed as u64).unwrap();
        let said = restore(dir, image, part);
        assert_ne!(said.code, Some(0), "{said:#?}");
        file.write_all_at(&before, changed as u64).unwrap();
        restore(dir, image, part).ends_with(0);
    }
    // Anything else behind it belongs to a disk.
    let file = File::options().write(true).open(dir.join("copy.img")).unwrap();
    file.write_all_at(b"x", padded as u64 - 1).unwrap();
    restore(dir, "copy.img", part).ends_with(1).says("is a part of one");
    divided.is_back();
}

/// A shorter one has come into its place.
#[test]
fn an_image_that_ends_before_its_volume_is_another() {
    if !here() {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let divided = Divided::new(dir);
    ectype(dir, args!["create", &divided.part, "a.vhdx"]).ends_with(0);
    ectype(dir, ["convert", "a.vhdx", "a.qcow2"]).ends_with(0);
    for len in [START / 2, START + VOLUME / 2] {
        fs::write(dir.join("short"), vec![1; len]).unwrap();
        ectype(dir, ["create", "short", "short.qcow2"]).ends_with(0);
        fs::rename(dir.join("short.qcow2"), dir.join("a.qcow2")).unwrap();
        fs::remove_file(record(dir, "short.qcow2").0).unwrap();
        ectype(dir, args!["verify", "a.qcow2", &divided.part]).ends_with(4).says("its record says");
        restore(dir, "a.qcow2", &divided.part).ends_with(1).says("its record says");
    }
    divided.is_back();
}

/// The volume as a disk by a GPT, as others make it, in `gpt.img`.
fn with_gpt(dir: &Path, volume: &[u8], sector: usize) {
    let path = dir.join("gpt.img");
    // Their table is 16 KiB, and there is one more sector: the header's.
    let mut bytes = vec![0; START + VOLUME + (16 * KIB + sector)];
    bytes[START..START + VOLUME].copy_from_slice(volume);
    fs::write(&path, bytes).unwrap();
    let device = LoopDevice::attach(&path, &["-b", &sector.to_string()]).unwrap();
    let (first, last) = (START / sector, (START + VOLUME) / sector - 1);
    let part = format!("1:{first}:{last}");
    // Not moved to where it thinks best, and without a name.
    tool("sgdisk", args!["-a", "1", "-n", part.as_str(), "-t", "1:8300", "-c", "1:", device.path()]);
    device.flush().unwrap();
    // Only of a disk as small as this one CHS can tell the last sector.
    File::options().write(true).open(device.path()).unwrap().write_all_at(&[0xff; 3], 446 + 5).unwrap();
    device.flush().unwrap();
    tool("sgdisk", args!["-v", device.path()]);
}

#[test]
fn a_volume_comes_back_from_a_disk_with_a_gpt() {
    if !(here() && need::tool("sgdisk")) {
        return;
    }
    for sector in [512, 4096] {
        let dir = folder();
        let dir = dir.path();
        let divided = Divided::of_sectors(dir, sector);
        let part = &divided.part;
        with_gpt(dir, &divided.volume, sector);
        let json = ectype(dir, ["convert", "--json", "gpt.img", "a.zst"]).ends_with(0).json();
        assert!(json["plan"]["why"].to_string().contains("partition table around it"), "{json}");
        ectype(dir, ["convert", "a.zst", "a.vhdx"]).ends_with(0);
        for image in ["gpt.img", "a.zst", "a.vhdx"] {
            // A file that others made has no sectors, and this table says what it counts in.
            ectype(dir, args!["verify", image, part]).ends_with(0);
            divided.wipe();
            ectype(dir, args!["verify", image, part]).ends_with(4);
            restore(dir, image, part)
                .ends_with(0)
                .says("only the volume is written")
                .says("read back and equal");
            divided.is_back();
        }
        assert_eq!(record(dir, "a.vhdx").1["plan"]["wrapped"]["length"], VOLUME);
        fs::remove_file(record(dir, "a.vhdx").0).unwrap();
        ectype(dir, args!["verify", "a.vhdx", part]).ends_with(0);
        restore(dir, "a.vhdx", part).ends_with(0).says("only the volume is written");
        divided.is_back();
        // A disk and a file get all of it.
        ectype(dir, ["restore", "a.zst", "file"]).ends_with(0).says("both are written");
        same(&dir.join("gpt.img"), &dir.join("file"));
        // On a larger disk the backup moves to its end.
        fs::write(dir.join("larger"), vec![0xe5; 16 * MIB]).unwrap();
        let larger = LoopDevice::attach(&dir.join("larger"), &["-b", &sector.to_string()]).unwrap();
        let forced = args![
            "restore",
            "--force-layout",
            "--fix-gpt",
            "--confirm",
            larger.path(),
            "a.zst",
            larger.path()
        ];
        ectype(dir, forced).ends_with(0).says("at the end of the target now");
        larger.flush().unwrap();
        let said = tool("sgdisk", args!["-v", larger.path()]);
        assert!(said.contains("No problems found"), "{said}");
        let mut held = vec![0; VOLUME];
        File::open(larger.path()).unwrap().read_exact_at(&mut held, START as u64).unwrap();
        assert!(held == divided.volume);
    }
}

#[test]
fn a_changed_gpt_is_told_and_one_that_holds_more_is_no_wrapping() {
    if !(here() && need::tool("sgdisk")) {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let divided = Divided::new(dir);
    let part = &divided.part;
    with_gpt(dir, &divided.volume, 512);
    ectype(dir, ["convert", "gpt.img", "a.img"]).ends_with(0);
    // The record is of all: of the table, of the volume, and of what lies behind it.
    let size = START + VOLUME + 33 * 512;
    for changed in [600, START + 5 * MIB, START + VOLUME - 1, START + VOLUME, size - 100] {
        let image = File::options().read(true).write(true).open(dir.join("a.img")).unwrap();
        let mut before = [0];
        image.read_exact_at(&mut before, changed as u64).unwrap();
        image.write_all_at(&[before[0] ^ 1], changed as u64).unwrap();
        restore(dir, "a.img", part).ends_with(4).says("the image was changed since");
        ectype(dir, args!["verify", "a.img"]).ends_with(4);
        image.write_all_at(&before, changed as u64).unwrap();
        restore(dir, "a.img", part).ends_with(0);
        divided.is_back();
    }
    // Records are not believed blindly.
    let (path, recorded) = record(dir, "a.img");
    for length in [VOLUME - 512, VOLUME + 512, VOLUME + 33 * 512 + 1] {
        let mut recorded = recorded.clone();
        recorded["plan"]["wrapped"]["length"] = length.into();
        fs::write(&path, recorded.to_string()).unwrap();
        restore(dir, "a.img", part).ends_with(1).says("the volume takes");
    }
    fs::remove_file(&path).unwrap();
    // By its content: code before the table, a name, a second partition, a backup that is another one.
    let file = File::options().read(true).write(true).open(dir.join("a.img")).unwrap();
    for changed in [0, 1024 + 56, 1024 + 128, START - 1, START + VOLUME, size - 512 + 56] {
        let mut before = [0];
        file.read_exact_at(&mut before, changed as u64).unwrap();
        file.write_all_at(&[before[0] ^ 1], changed as u64).unwrap();
        restore(dir, "a.img", part).ends_with(1).says("is a part of one");
        file.write_all_at(&before, changed as u64).unwrap();
    }
    file.set_len(size as u64 + 512).unwrap();
    restore(dir, "a.img", part).ends_with(1).says("is a part of one");
    divided.is_back();
}

#[test]
fn the_table_counts_in_the_sectors_of_the_disk() {
    if !(here() && need::tool("sfdisk")) {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let divided = Divided::of_sectors(dir, 4096);
    let part = &divided.part;
    ectype(dir, args!["create", part, "a.vhdx"]).ends_with(0).says("one partition of a disk");
    ectype(dir, ["convert", "a.vhdx", "flat.img"]).ends_with(0);
    let device = LoopDevice::attach(&dir.join("flat.img"), &["-b", "4096", "-r"]).unwrap();
    let json: Value = serde_json::from_str(&tool("sfdisk", args!["--json", device.path()])).unwrap();
    let table = &json["partitiontable"];
    assert_eq!((&table["label"], &table["sectorsize"]), (&"dos".into(), &4096.into()), "{json}");
    let found = &table["partitions"][0];
    assert_eq!((&found["start"], &found["size"]), (&256.into(), &(VOLUME / 4096).into()), "{json}");
    for image in ["a.vhdx", "flat.img"] {
        divided.wipe();
        restore(dir, image, part).ends_with(0).says("only the volume is written");
        divided.is_back();
        ectype(dir, args!["verify", image, part]).ends_with(0);
        fs::remove_file(record(dir, image).0).unwrap();
    }
    ectype(dir, args!["verify", "a.vhdx", part]).ends_with(0);
    divided.wipe();
    restore(dir, "a.vhdx", part).ends_with(0).says("only the volume is written");
    divided.is_back();
}

/// What an image of the bare volume lacks lies further on in the disk around it.
#[test]
fn what_a_bare_image_lacks_is_skipped_where_it_is() {
    if !here() {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let divided = Divided::new(dir);
    ectype(dir, args!["create", &divided.part, "a.vhdx"]).ends_with(0);
    ectype(dir, args!["create", "--bare", "--format", "raw", &divided.part, "b.img"]).ends_with(0);
    ectype(dir, args!["verify", "a.vhdx", "b.img"]).ends_with(0);
    // As if these had been unreadable: the first 512 KiB of a volume that has something there.
    let (path, mut record) = record(dir, "b.img");
    record["status"] = "incomplete".into();
    record["bytes"]["unreadable"] = (MIB / 2).into();
    record["unreadable"] = serde_json::json!([{ "offset": 0, "length": MIB / 2 }]);
    fs::write(&path, record.to_string()).unwrap();
    let image = File::options().write(true).open(dir.join("b.img")).unwrap();
    image.write_all_at(&vec![0; MIB / 2], 0).unwrap();
    // Equal as far as it goes, whichever of the two lacks something.
    let json = ectype(dir, args!["verify", "--json", "a.vhdx", "b.img"]).ends_with(3).json();
    assert_eq!((&json["equal"], &json["skipped"]["unreadable"]), (&true.into(), &(MIB / 2).into()), "{json}");
    assert_eq!(json["compared"], START + VOLUME - MIB / 2);
    let all = ectype(dir, args!["verify", "--json", "--all", "a.vhdx", "b.img"]).ends_with(4).json();
    assert_eq!(all["differences"][0]["offset"], START, "{all}");
    image.write_all_at(b"x", MIB as u64).unwrap();
    ectype(dir, args!["verify", "a.vhdx", "b.img"]).ends_with(4);
}
