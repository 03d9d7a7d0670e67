//! Where an image came from is not lost when it is converted.

use crate::run::*;
use ectype_testkit::need::{self, LoopDevice};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn record(dir: &Path, image: &str) -> Value {
    serde_json::from_slice(&fs::read(dir.join(format!("{image}.ectype.json"))).unwrap()).unwrap()
}

#[test]
fn the_record_of_a_copy_names_the_medium_that_was_imaged_first() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    let device = LoopDevice::attach(&noisy(dir, "disk", 2 * MIB, 30), &[]).unwrap();
    ectype(dir, args!["create", device.path(), "a.img"]).ends_with(0);
    let first = record(dir, "a.img");
    assert!(first.get("origin").is_none(), "{first}");
    ectype(dir, ["convert", "a.img", "b.vhdx"]).ends_with(0);
    ectype(dir, ["convert", "b.vhdx", "c.zst"]).ends_with(0);
    for image in ["b.vhdx", "c.zst"] {
        let record = record(dir, image);
        assert_eq!(record["origin"], first["source"], "{image}");
        assert_eq!(record["source"]["medium"], "image");
        let device = device.path().to_str().unwrap();
        ectype(dir, ["info", image]).ends_with(0).says("that came from").says(device);
        let json = ectype(dir, ["info", "--json", image]).ends_with(0).json();
        assert_eq!(json["facts"]["record"]["origin"]["path"], device);
        ectype(dir, ["verify", image]).ends_with(0);
    }
    // Of what was changed since nobody knows where it came from.
    let mut bytes = fs::read(dir.join("a.img")).unwrap();
    bytes[5000] ^= 1;
    fs::write(dir.join("a.img"), bytes).unwrap();
    ectype(dir, ["convert", "--overwrite", "a.img", "b.vhdx"]).ends_with(4);
    assert!(record(dir, "b.vhdx").get("origin").is_none());
}
