//! Images against their records and against sources.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::path::Path;

fn made(dir: &Path, len: usize, seed: u64) {
    noisy(dir, "source", len, seed);
    ectype(dir, ["create", "--hash", "sha256", "source", "x.img"]).ends_with(0);
}

fn write(path: &Path, bytes: &[u8], offset: u64) {
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap();
}

/// Turns one bit over.
fn flip(path: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], offset).unwrap();
}

fn places(json: &Value) -> Vec<(u64, u64)> {
    let list = json["differences"].as_array().unwrap();
    list.iter().map(|at| (at["offset"].as_u64().unwrap(), at["length"].as_u64().unwrap())).collect()
}

#[test]
fn an_image_that_lost_its_end_or_gained_one_is_no_equal_of_its_source() {
    let dir = folder();
    let source = noisy(dir.path(), "source", 2 * MIB, 87);
    OpenOptions::new().write(true).open(&source).unwrap().set_len(4 << 20).unwrap();
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    let image = OpenOptions::new().write(true).open(dir.path().join("x.img")).unwrap();
    for len in [3 << 20, 5 << 20] {
        image.set_len(len).unwrap();
        let json = ectype(dir.path(), ["verify", "--json", "x.img", "source"]).ends_with(4).json();
        assert_eq!(json["sizes"]["image"], len);
    }
    image.set_len(4 << 20).unwrap();
    ectype(dir.path(), ["verify", "x.img", "source"]).ends_with(0);
}

#[test]
fn an_image_is_what_was_recorded_or_the_place_is_told() {
    if !need::tool("sha256sum") {
        return;
    }
    let dir = folder();
    made(dir.path(), 5 * MIB + 100, 80);
    let json = ectype(dir.path(), ["verify", "--json", "x.img"]).ends_with(0).json();
    for key in ["equal", "compared", "skipped", "differences", "digests"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert_eq!(json["equal"], true);
    assert_eq!(json["compared"], 5 * MIB + 100);
    assert_eq!(json["skipped"]["unused"], 0);
    assert_eq!(json["skipped"]["unreadable"], 0);
    assert!(
        tool("sha256sum", [dir.path().join("source")])
            .starts_with(json["digests"]["sha256"].as_str().unwrap())
    );
    ectype(dir.path(), ["verify", "x.img"]).ends_with(0).says("whole");
    let of_image = json["digests"]["sha256"].clone();
    let json =
        ectype(dir.path(), ["verify", "--json", "--hash", "sha256", "x.img", "source"]).ends_with(0).json();
    assert_eq!(json["digests"]["sha256"], of_image);

    let image = dir.path().join("x.img");
    flip(&image, 3 * MIB as u64 + 17);
    let json = ectype(dir.path(), ["verify", "--json", "x.img"]).ends_with(4).json();
    assert_eq!(json["equal"], false);
    assert_eq!(places(&json), [(3 * MIB as u64, MIB as u64)]);
    assert_eq!(json["wrong"][0], "sha256");
    ectype(dir.path(), ["verify", "x.img"]).ends_with(4).says("3 145 728");
    flip(&image, 3 * MIB as u64 + 17);
    ectype(dir.path(), ["verify", "x.img"]).ends_with(0);

    for len in [5 * MIB as u64, 100, 0, 6 * MIB as u64] {
        OpenOptions::new().write(true).open(&image).unwrap().set_len(len).unwrap();
        let json = ectype(dir.path(), ["verify", "--json", "x.img"]).ends_with(4).json();
        assert_eq!(json["sizes"]["image"], len);
        // Also against its equal, and it is the record that it contradicts.
        fs::copy(&image, dir.path().join("equal")).unwrap();
        let json = ectype(dir.path(), ["verify", "--json", "x.img", "equal"]).ends_with(4).json();
        assert_eq!((&json["sizes"]["image"], &json["sizes"]["source"]), (&len.into(), &Value::Null));
        assert!(json["sizes"]["record"].is_u64(), "{json}");
        ectype(dir.path(), ["verify", "x.img", "equal"]).ends_with(4).says("its record says");
    }
}

#[test]
fn a_record_that_was_tampered_with_is_an_error() {
    let dir = folder();
    made(dir.path(), 3 * MIB, 81);
    let path = dir.path().join("x.img.ectype.json");
    let good: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let node = good["tree"]["nodes"][1].as_str().unwrap().to_owned();
    let other = node.replace(&node[..1], if node.starts_with('0') { "1" } else { "0" });
    let tampered = |change: &dyn Fn(&mut Value)| {
        let mut record = good.clone();
        change(&mut record);
        fs::write(&path, record.to_string()).unwrap();
        let said = ectype(dir.path(), ["verify", "x.img"]);
        assert!(matches!(said.code, Some(1 | 4)), "{said:#?}");
    };
    tampered(&|record| record["tree"]["nodes"][1] = other.clone().into());
    tampered(&|record| record["tree"]["root"] = other.clone().into());
    tampered(&|record| record["digests"]["sha256"] = "00".repeat(32).into());
    tampered(&|record| record["image"]["content_size"] = 5.into());
    tampered(&|record| record["tree"]["pieces_per_node"] = 0.into());
    tampered(&|record| record["tree"]["pieces_per_node"] = u64::MAX.into());
    tampered(&|record| record["tree"]["nodes"] = Value::Array(vec![]));
    tampered(&|record| record["schema"] = 2.into());
    for garbage in [&b""[..], b"{}", b"[1", &[0xff; 100]] {
        fs::write(&path, garbage).unwrap();
        ectype(dir.path(), ["verify", "x.img"]).ends_with(1);
        ectype(dir.path(), ["info", "x.img"]).ends_with(1);
    }
}

#[test]
fn differences_from_a_source_are_told_exactly() {
    let dir = folder();
    made(dir.path(), 4 * MIB + 700, 82);
    ectype(dir.path(), ["verify", "x.img", "source"]).ends_with(0).says("equal");
    let source = dir.path().join("source");
    for offset in [0, 511, 512 * 100, 2 * MIB as u64 - 1, 2 * MIB as u64, 4 * MIB as u64 + 699] {
        flip(&source, offset);
    }
    let json = ectype(dir.path(), ["verify", "--json", "x.img", "source"]).ends_with(4).json();
    assert_eq!(json["equal"], false);
    let mib = MIB as u64;
    assert_eq!(places(&json), [(0, 512), (51_200, 512), (2 * mib - 512, 1024), (4 * mib + 512, 188)]);
    ectype(dir.path(), ["verify", "x.img", "source"]).ends_with(4).says("differs in 4 places");

    for len in [4 * MIB as u64, 5 * MIB as u64] {
        fs::copy(dir.path().join("x.img"), &source).unwrap();
        OpenOptions::new().write(true).open(&source).unwrap().set_len(len).unwrap();
        let json = ectype(dir.path(), ["verify", "--json", "x.img", "source"]).ends_with(4).json();
        assert_eq!(json["sizes"]["source"], len);
        assert_eq!(json["sizes"]["image"], 4 * MIB as u64 + 700);
        assert_eq!(places(&json), []);
    }
    ectype(dir.path(), ["verify", "x.img", "nowhere"]).ends_with(1).says("nowhere");
    ectype(dir.path(), ["verify", "nowhere", "source"]).ends_with(1).says("nowhere");
}

#[test]
fn holes_and_zeros_are_equal_and_data_in_a_hole_is_found() {
    if !need::tool("sha256sum") {
        return;
    }
    let dir = folder();
    let source = dir.path().join("source");
    let file = File::create(&source).unwrap();
    file.set_len(16 << 20).unwrap();
    file.write_all_at(&noise(5000, 83), 70_000).unwrap();
    file.write_all_at(&noise(5000, 84), 9 << 20).unwrap();
    drop(file);
    ectype(dir.path(), ["create", "--hash", "sha256", "source", "x.img"]).ends_with(0);
    let image = dir.path().join("x.img");
    let json = ectype(dir.path(), ["verify", "--json", "x.img"]).ends_with(0).json();
    assert!(tool("sha256sum", [&source]).starts_with(json["digests"]["sha256"].as_str().unwrap()));
    // The same bytes, without holes.
    let plain = fs::read(&source).unwrap();
    fs::write(dir.path().join("plain"), &plain).unwrap();
    ectype(dir.path(), ["verify", "x.img", "plain"]).ends_with(0);
    write(&image, &vec![0; 2 * MIB], 12 << 20);
    ectype(dir.path(), ["verify", "x.img"]).ends_with(0);
    write(&image, b"x", (5 << 20) + 3);
    let json = ectype(dir.path(), ["verify", "--json", "x.img", "source"]).ends_with(4).json();
    assert_eq!(places(&json), [(5 << 20, 512)]);
    ectype(dir.path(), ["verify", "x.img"]).ends_with(4);
}

#[test]
fn an_image_without_a_record_shows_its_digests_and_foreign_formats_are_named() {
    if !need::tool("sha256sum") {
        return;
    }
    let dir = folder();
    let plain = noisy(dir.path(), "plain.img", MIB, 85);
    ectype(dir.path(), ["verify", "--hash", "sha256", "plain.img"])
        .ends_with(0)
        .says("no record")
        .says(&tool("sha256sum", [&plain])[..64]);
    // Some are read in this version, so this one contradicts its name; some are not.
    for (magic, name) in [
        (&b"QFI\xfb"[..], "qcow2"),
        (b"vhdxfile", "vhdx"),
        (b"KDMV", "vmdk"),
        (b"EVF\x09\x0d\x0a\xff\x00", "E01"),
    ] {
        let path = noisy(dir.path(), "foreign.img", MIB, 86);
        write(&path, magic, 0);
        ectype(dir.path(), ["verify", "foreign.img"]).ends_with(1).says(name);
        ectype(dir.path(), ["verify", "foreign.img", "plain.img"]).ends_with(1).says(name);
        ectype(dir.path(), ["info", "foreign.img"]).ends_with(1).says(name);
    }
    if need::tool("qemu-img") {
        tool("qemu-img", args!["create", "-q", "-f", "qcow2", dir.path().join("real.qcow2"), "1M"]);
        ectype(dir.path(), ["verify", "real.qcow2"]).ends_with(0).says("structure is sound");
    }
    // As a source its bytes are bytes.
    ectype(dir.path(), ["create", "foreign.img", "copy.img"]).ends_with(0);
    ectype(dir.path(), ["verify", "copy.img"]).ends_with(0);
}
