//! Disks with sectors of 4096 bytes: where their images may go, and what they stay on the way.

use crate::run::*;
use ectype_testkit::need::{self, LoopDevice};
use std::path::Path;

fn disk(dir: &Path) -> Option<LoopDevice> {
    if !need::loop_devices() {
        return None;
    }
    let path = noisy(dir, "disk", 4 * MIB, 3);
    Some(LoopDevice::attach(&path, &["-b", "4096"]).unwrap())
}

fn sector(dir: &Path, image: &str) -> u64 {
    ectype(dir, ["info", "--json", image]).ends_with(0).json()["sector_size"].as_u64().unwrap()
}

#[test]
fn formats_of_512_byte_sectors_refuse_them() {
    let dir = folder();
    let Some(device) = disk(dir.path()) else { return };
    ectype(dir.path(), args!["create", device.path(), "a.vhdx"]).ends_with(0);
    ectype(dir.path(), args!["create", device.path(), "a.img"]).ends_with(0);
    let before = contents(dir.path());
    for image in ["x.vhd", "x.qcow2", "x.vmdk"] {
        for source in
            [&["create", device.path().to_str().unwrap()][..], &["convert", "a.vhdx"], &["convert", "a.img"]]
        {
            let said = ectype(dir.path(), source.iter().copied().chain([image])).ends_with(1);
            said.says("sectors of 4096").says("--format vhdx").says("--format raw");
        }
    }
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn the_sector_size_is_not_lost_on_the_way() {
    let dir = folder();
    let Some(device) = disk(dir.path()) else { return };
    for first in ["a.img", "a.zst", "a.vhdx"] {
        ectype(dir.path(), args!["create", device.path(), first]).ends_with(0);
        assert_eq!(sector(dir.path(), first), 4096, "{first}");
        for next in ["b.img", "b.zst", "b.vhdx"] {
            ectype(dir.path(), ["convert", "--overwrite", first, next]).ends_with(0);
            assert_eq!(sector(dir.path(), next), 4096, "{first} to {next}");
            ectype(dir.path(), args!["verify", next, device.path()]).ends_with(0);
            ectype(dir.path(), ["convert", "--overwrite", next, "c.vhdx"]).ends_with(0);
            assert_eq!(sector(dir.path(), "c.vhdx"), 4096, "{first} to {next} to c.vhdx");
        }
    }
}
