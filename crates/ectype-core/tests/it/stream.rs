//! Images that are written in order, from drives that are not well.

use ectype_core::task::create::{Ended, Options, Outcome, prepare};
use ectype_core::watch::Watch;
use ectype_core::{Extent, Kind, image};
use ectype_testkit::need::{self, LoopDevice};
use ectype_testkit::{SickDrive, SparseRandom};
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// Sends what `drive` reads in the place of `source` into a file; what that then holds.
fn sent(source: &Path, format: &str, drive: SickDrive) -> (Outcome, Vec<u8>) {
    let out = tempfile::NamedTempFile::new().unwrap();
    let options = Options {
        source: source.to_owned(),
        stream: true,
        format: image::named(format),
        ..Options::default()
    };
    let prepared = prepare(options).unwrap().through(|_| Box::new(drive));
    let outcome = prepared.stream(File::create(out.path()).unwrap(), &Watch::new()).unwrap();
    (outcome, fs::read(out.path()).unwrap())
}

#[test]
fn a_slow_place_is_not_left_for_later() {
    if !need::loop_devices() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let content = crate::rig::bytes(&SparseRandom::full(81, 48 * MIB));
    let file = dir.path().join("disk");
    fs::write(&file, &content).unwrap();
    let disk = LoopDevice::attach(&file, &[]).unwrap();
    let drive =
        || SickDrive::new(content.clone()).slow([Extent::new(36 * MIB, 512)], Duration::from_secs(30));
    let (outcome, bytes) = sent(disk.path(), "raw", drive());
    assert!(matches!(outcome.status, Ended::Whole), "{:?}", outcome.status);
    assert!(bytes == content);
    let (outcome, packed) = sent(disk.path(), "zst", drive());
    assert!(matches!(outcome.status, Ended::Whole), "{:?}", outcome.status);
    let kept = dir.path().join("kept.zst");
    let options = Options { source: disk.path().to_owned(), image: Some(kept.clone()), ..Options::default() };
    let prepared = prepare(options).unwrap().through(|_| Box::new(drive()));
    let outcome = prepared.run(&Watch::new()).unwrap();
    assert!(matches!(outcome.status, Ended::Whole), "{:?}", outcome.status);
    assert!(fs::read(kept).unwrap() == packed);
}

#[test]
fn what_came_before_a_drive_died_was_sent() {
    let dir = tempfile::tempdir().unwrap();
    let content = crate::rig::bytes(&SparseRandom::full(82, 20 * MIB));
    let source = dir.path().join("source");
    fs::write(&source, &content).unwrap();
    let (outcome, bytes) = sent(&source, "raw", SickDrive::new(content.clone()).dies_at(12));
    let Ended::Stopped(error) = &outcome.status else { panic!("{:?}", outcome.status) };
    assert_eq!(error.kind(), Kind::Gone, "{error}");
    assert_eq!((outcome.sent, outcome.rereads), (Some(12 * MIB), false));
    assert!(outcome.map.is_none() && outcome.record.is_none() && outcome.digests.is_empty());
    assert!(bytes == content[..bytes.len()] && bytes.len() as u64 == 12 * MIB);
}

#[test]
fn damage_is_told_where_it_is_and_not_where_its_piece_begins() {
    let dir = tempfile::tempdir().unwrap();
    let content = crate::rig::bytes(&SparseRandom::full(83, 8 * MIB));
    let source = dir.path().join("source");
    fs::write(&source, &content).unwrap();
    let bad = 5 * MIB + 300 * 512;
    let drive = SickDrive::new(content.clone()).bad([Extent::new(bad, 512)]).partial();
    let (outcome, bytes) = sent(&source, "raw", drive);
    let Ended::Stopped(error) = &outcome.status else { panic!("{:?}", outcome.status) };
    assert_eq!((error.kind(), error.offset()), (Kind::Limit, Some(bad)), "{error}");
    assert!(bytes == content[..5 * MIB as usize]);
}
