//! A restore that ends part-way, and what it says of the file that it overwrites.

use crate::run::*;
use ectype_core::error::word;
use std::fs;

#[test]
fn a_damaged_image_that_overwrote_a_part_does_not_end_as_if_nothing_had_happened() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    noisy(dir.path(), "source", 24 * MIB, 20);
    ectype(dir.path(), ["create", "source", "x.zst"]).ends_with(0);
    let mut image = fs::read(at("x.zst")).unwrap();
    let place = image.len() / 4 * 3;
    image[place..place + 4096].fill(0x55);
    fs::write(at("x.zst"), image).unwrap();
    noisy(dir.path(), "target", 24 * MIB, 21);
    let said = ectype(dir.path(), ["restore", "--yes", "--json", "x.zst", "target"]).ends_with(4);
    let json = said.json();
    assert_eq!(json["status"], "stopped");
    assert_eq!(json["error"]["kind"], "corrupt");
    assert!(json["bytes"]["written"].as_u64().unwrap() > MIB as u64, "{json}");
    said.says("holds only a part");
    // Nothing was overwritten where it cannot even be opened.
    fs::write(at("x.zst"), b"nothing").unwrap();
    let before = fs::read(at("target")).unwrap();
    ectype(dir.path(), ["restore", "--yes", "x.zst", "target"]).ends_with(1);
    assert!(fs::read(at("target")).unwrap() == before);
}

#[test]
fn a_longer_file_is_shown_with_its_own_size_and_that_it_becomes_shorter() {
    let dir = folder();
    noisy(dir.path(), "x.img", MIB, 22);
    noisy(dir.path(), "target", 3 * MIB, 23);
    let json = ectype(dir.path(), ["restore", "--dry-run", "--json", "x.img", "target"]).ends_with(0).json();
    assert_eq!(json["target"]["size"], 3 * MIB);
    let said = ectype(dir.path(), ["restore", "--yes", "x.img", "target"]).ends_with(0);
    said.says("target, 3.0 MiB").says("becomes shorter").says("3145728");
    same(&dir.path().join("x.img"), &dir.path().join("target"));
    // One that is no longer does not.
    let said = ectype(dir.path(), ["restore", "--yes", "x.img", "target"]).ends_with(0);
    assert!(!said.out.contains("shorter"), "{said:#?}");
}

#[test]
fn a_folder_that_is_missing_is_named_with_the_way_to_make_it() {
    let dir = folder();
    noisy(dir.path(), "x.img", MIB, 24);
    ectype(dir.path(), ["restore", "x.img", "no where/y"])
        .ends_with(1)
        .says("make it:  mkdir")
        .says(&word("no where".as_ref()));
}
