//! Sectors that were never written, from the drive's answer to the record and back.

use crate::rig::{assert_same, without};
use ectype_core::copy::Tuning;
use ectype_core::proof::record::{Missing, Range, Record, path_of};
use ectype_core::task::create::{Ended, Options, Outcome, prepare};
use ectype_core::task::open::Images;
use ectype_core::task::verify::{verify_against, verify_image};
use ectype_core::watch::Watch;
use ectype_core::{Extent, Extents};
use ectype_testkit::{SickDrive, SparseRandom};
use std::path::Path;

const SECTOR: u64 = 2048;

fn sectors(first: u64, count: u64) -> Extent {
    Extent::new(first * SECTOR, count * SECTOR)
}

/// One run through a drive.
fn create(folder: &Path, drive: SickDrive) -> Outcome {
    let options =
        Options { source: folder.join("source"), image: Some(folder.join("disc.img")), ..Options::default() };
    let prepared = prepare(options).unwrap().through(|_| Box::new(drive.sectors(2048, 2048)));
    prepared.run(&Watch::new()).unwrap()
}

#[test]
fn a_gap_is_listed_apart_and_the_record_still_proves_the_image() {
    let dir = tempfile::tempdir().unwrap();
    let content = crate::rig::bytes(&SparseRandom::full(80, 1500 * SECTOR));
    std::fs::write(dir.path().join("source"), &content).unwrap();
    let (gap, damage) = (sectors(700, 150), sectors(1200, 3));
    let drive = || SickDrive::new(content.clone()).bad([damage]).unwritten([gap]);
    let image = dir.path().join("disc.img");
    let tell = |outcome: &Outcome, unwritten: Extents| {
        assert!(matches!(outcome.status, Ended::Incomplete), "{:?}", outcome.status);
        assert_eq!(outcome.unwritten, unwritten);
        let record = Record::of(&image).unwrap().unwrap();
        assert_eq!(record.unwritten, unwritten.iter().map(Range::from).collect::<Vec<_>>());
        assert_eq!(record.unreadable, [Range::from(gap), Range::from(damage)]);
        let missing = Missing {
            sectors: 153,
            bytes: 153 * SECTOR,
            areas: 2,
            unscraped: 0,
            unwritten_sectors: unwritten.bytes() / SECTOR,
            unwritten_bytes: unwritten.bytes(),
        };
        assert_eq!((record.missing, outcome.missing), (missing, missing));
    };
    let known: Extents = [gap].into_iter().collect();
    tell(&create(dir.path(), drive()), known.clone());
    let lost: Extents = [gap, damage].into_iter().collect();
    assert_same(&std::fs::read(&image).unwrap(), &without(content.clone(), &lost), "image");

    let watch = Watch::new();
    assert!(verify_image(&image, &Images::default(), &[], Tuning::default(), &watch).unwrap().equal);
    let source = dir.path().join("source");
    let (found, _) =
        verify_against(&image, &Images::default(), &source, false, &[], Tuning::default(), &watch).unwrap();
    assert!(found.is_equal() && found.skipped_unreadable == lost.bytes(), "{found:?}");

    // The same again, and a drive that knows less of it.
    tell(&create(dir.path(), drive()), known);
    let half = [sectors(700, 75)];
    let outcome =
        create(dir.path(), SickDrive::new(content.clone()).bad([damage, sectors(775, 75)]).unwritten(half));
    tell(&outcome, half.into_iter().collect());

    let record = std::fs::read_to_string(path_of(&image)).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&record).unwrap();
    json["unwritten"][0]["offset"] = 0.into();
    let lie = Record::parse(json.to_string().as_bytes()).unwrap_err();
    assert!(lie.to_string().contains("never written"), "{lie}");
    // Records of before there was such a list.
    json.as_object_mut().unwrap().remove("unwritten");
    for key in ["unwritten_sectors", "unwritten_bytes"] {
        json["missing"].as_object_mut().unwrap().remove(key);
    }
    assert!(Record::parse(json.to_string().as_bytes()).unwrap().unwritten.is_empty());
}
