//! The engine on healthy and sick sources, with the tree and the digests computed in another way beside it.

use crate::rig::{CALM, CAREFUL, Open, PIECE, Rig, assert_same, bytes, plain_root, without};
use ectype_core::copy::{Limits, Tuning};
use ectype_core::image::raw::RawSink;
use ectype_core::image::{Image as _, Sink as _};
use ectype_core::io::ReadAt;
use ectype_core::os::file::PlainFile;
use ectype_core::plan::map::Status;
use ectype_core::plan::rescue::Options;
use ectype_core::proof::digest::{Algorithm, Digester};
use ectype_core::source::{FileSource, Source};
use ectype_core::watch::Watch;
use ectype_core::{Extent, Extents, Kind};
use ectype_testkit::{MemoryDisk, Operation, Recorder, SickDrive, SparseCheck, SparseRandom, TornDisk};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZE: u64 = 9 * PIECE as u64 + 4096 + 512;

/// Data, holes and zeros that nobody tells of.
pub(crate) fn disk(seed: u64, size: u64) -> SparseRandom {
    SparseRandom { seed, size, percent: 60.0, run: 384 << 10 }
}

pub(crate) fn fresh() -> Rig {
    Rig::new(MemoryDisk::new(0), MemoryDisk::new(0))
}

fn direct(algorithm: Algorithm, content: &[u8]) -> String {
    let mut digester = Digester::new(algorithm);
    digester.update(content);
    digester.finish()
}

fn sectors(first: u64, count: u64) -> Extent {
    Extent::new(first * 512, count * 512)
}

#[test]
fn every_tuning_gives_the_same_image_tree_and_digests() {
    let original = disk(1, SIZE);
    let content = bytes(&original);
    let root = plain_root(&content);
    let digests = [Algorithm::Sha256, Algorithm::Md5, Algorithm::Blake3];
    let tunings = [
        Tuning::default(),
        CALM,
        CAREFUL,
        Tuning { depth: 1, buffers: 1, packers: 1, ..CAREFUL },
        Tuning { depth: 9, buffers: 2, packers: 3, ..CALM },
        Tuning { depth: 8, buffers: 8, packers: 1, ..CALM },
    ];
    for tuning in tunings {
        // Once with holes that are told, once with zeros that have to be found.
        for told in [true, false] {
            let mut source = if told { SickDrive::new(original) } else { SickDrive::new(content.clone()) };
            let rig = fresh();
            let mut open = rig.begin(SIZE).unwrap();
            let copied = open.copy_with(&mut source, tuning, &digests, false, &Watch::new()).unwrap();
            assert!(copied.stopped.is_none());
            let taken: Vec<_> =
                digests.map(|algorithm| (algorithm, Some(direct(algorithm, &content)))).into();
            assert_eq!(copied.digests, taken, "taken on the way, with holes {told} and {tuning:?}");
            assert!(open.ledger.map().is_all(Status::Finished));
            assert!(source.probe().max_in_flight() <= tuning.depth.min(tuning.buffers));
            let (found, late) = open.finish_with(&digests);
            assert_eq!(found, root);
            assert_eq!(late, digests.map(|algorithm| (algorithm, direct(algorithm, &content))));
            assert_same(&bytes(&rig.image), &content, "image");
        }
    }
}

#[test]
fn odd_sizes_are_copied_to_the_byte() {
    let piece = PIECE as u64;
    let folder = tempfile::tempdir().unwrap();
    for size in [0, 1, 511, 512, 513, piece - 1, piece, piece + 1, 2 * piece - 513, 3 * piece] {
        for percent in [0.0, 50.0, 100.0] {
            let original = SparseRandom { seed: size, size, percent, run: 4096 };
            let content = bytes(&original);
            let path = folder.path().join("odd");
            std::fs::write(&path, &content).unwrap();
            for image in [MemoryDisk::new(0), MemoryDisk::dense(0, 0)] {
                let rig = Rig::new(image, MemoryDisk::new(0));
                let mut open = rig.begin(size).unwrap();
                let sha256 = [Algorithm::Sha256];
                let mut file = FileSource::open(&path).unwrap();
                let copied = open.copy_with(&mut file, CAREFUL, &sha256, false, &Watch::new()).unwrap();
                assert!(copied.stopped.is_none());
                assert_eq!(copied.digests[0].1.as_ref(), Some(&direct(Algorithm::Sha256, &content)));
                assert!(file.alive(None).is_ok());
                assert_eq!(open.finish(), plain_root(&content), "{size} bytes");
                assert_same(&bytes(&rig.image), &content, "odd image");
            }
        }
    }
}

#[test]
fn zeros_become_holes_and_are_never_written() {
    let cell = 64 << 10;
    let original = disk(5, SIZE);
    let content = bytes(&original);
    let recorder = Arc::new(Recorder::new(MemoryDisk::new(0)));
    let rig = Rig::new(Arc::clone(&recorder), MemoryDisk::new(0));
    let mut open = rig.begin(SIZE).unwrap();
    open.copy(&mut SickDrive::new(content.clone()), CALM).unwrap();
    open.finish();
    assert_same(&bytes(&rig.image), &content, "image");
    let mut written = 0;
    for operation in recorder.operations() {
        if let Operation::Write { offset, len } = operation {
            written += len;
            for start in (offset..offset + len).step_by(cell) {
                let end = (start + cell as u64).min(offset + len);
                let bytes = &content[start as usize..end as usize];
                assert!(bytes.iter().any(|&byte| byte != 0), "zeros were written at {start:#x}");
            }
        }
    }
    assert!(written < SIZE * 3 / 4, "the test has zeros");
    assert_eq!(recorder.inner().written().bytes(), written);
}

/// Copies `content` with faults; the ledger's map must then know exactly these.
fn copy_sick(content: &[u8], sick: impl Fn(SickDrive) -> SickDrive, bad: &Extents, tuning: Tuning) {
    let rig = fresh();
    let mut source = sick(SickDrive::new(content.to_vec()));
    let probe = source.probe();
    let mut open = rig.begin(content.len() as u64).unwrap();
    let sha256 = [Algorithm::Sha256];
    let copied = open.copy_with(&mut source, tuning, &sha256, false, &Watch::new()).unwrap();
    assert!(copied.stopped.is_none(), "{:?}", copied.stopped);
    assert_eq!(open.bad(), *bad);
    assert_eq!(open.ledger.map().extents(Status::Finished).bytes() + bad.bytes(), content.len() as u64);
    let expected = without(content.to_vec(), bad);
    let digest = direct(Algorithm::Sha256, &expected);
    // Never a wrong digest: either the right one or none.
    assert!(copied.digests[0].1.as_ref().is_none_or(|taken| *taken == digest));
    let (root, late) = open.finish_with(&sha256);
    assert_eq!((root, late), (plain_root(&expected), vec![(Algorithm::Sha256, digest)]));
    assert_same(&bytes(&rig.image), &expected, "image of a sick drive");
    // Many whole pieces in a row restore trust; these discs are shorter.
    assert!(probe.max_in_flight_after_failure() <= 1, "{}", probe.max_in_flight_after_failure());
    assert!(bad.is_empty() || probe.alive_calls() > 0);
}

#[test]
fn exactly_the_bad_sectors_are_bad() {
    let content = bytes(&disk(2, SIZE));
    let last = SIZE / 512 - 1;
    let cases: [&[Extent]; 6] = [
        &[sectors(0, 1)],
        &[sectors(last, 1)],
        &[sectors(0, 3), sectors(last - 2, 3)],
        &[sectors(2048, 1), sectors(2050, 1), sectors(4095, 2), sectors(9000, 1)],
        &[sectors(3000, 5000)],
        &[sectors(2048, 1), sectors(4096, 1), sectors(6144, 1), sectors(8192, 1)],
    ];
    for bad in cases {
        let known: Extents = bad.iter().copied().collect();
        for tuning in [CALM, CAREFUL, Tuning { buffers: 1, packers: 1, ..CALM }] {
            copy_sick(&content, |drive| drive.bad(bad.to_vec()), &known, tuning);
            copy_sick(&content, |drive| drive.bad(bad.to_vec()).partial().tells_first_bad(), &known, tuning);
        }
    }
    // One good sector is all that proves life.
    let all_but_one = Extent::between(512, SIZE);
    copy_sick(&content, |drive| drive.bad([all_but_one]), &[all_but_one].into_iter().collect(), CALM);
}

#[test]
fn a_physical_sector_fails_as_one() {
    let size = 3 * PIECE as u64;
    let content = bytes(&SparseRandom::full(3, size));
    let bad = [sectors(9, 1), sectors(2047, 2), sectors(6143, 1)];
    let known = bad.into_iter().collect::<Extents>().align_out(4096);
    copy_sick(&content, |drive| drive.sectors(512, 4096).bad(bad).partial(), &known, CALM);
    copy_sick(&content, |drive| drive.sectors(4096, 4096).bad(bad), &known, CAREFUL);
}

#[test]
fn what_fails_once_is_read_when_it_is_asked_again() {
    let content = bytes(&disk(4, SIZE));
    let flaky = |drive: SickDrive| {
        drive
            .flaky(sectors(100, 1), 1)
            .flaky(sectors(5000, 40), 2)
            .slow([sectors(0, 99)], Duration::from_secs(9))
    };
    copy_sick(&content, flaky, &Extents::new(), CALM);
}

#[test]
fn a_dead_drive_is_gone_and_not_bad_and_the_next_run_gives_the_same_bytes() {
    let content = bytes(&disk(6, SIZE));
    let bad: Extents = [sectors(2050, 3), sectors(9000, 1)].into_iter().collect();
    let expected = without(content.clone(), &bad);
    let root = plain_root(&expected);
    for dies_at in [0, 1, 2, 5, 20, 60, 100] {
        let rig = fresh();
        let mut source = SickDrive::new(content.clone()).bad(bad.iter()).dies_at(dies_at);
        let probe = source.probe();
        let mut open = rig.begin(SIZE).unwrap();
        let stopped = open.copy(&mut source, CALM).unwrap().stopped.unwrap();
        assert_eq!(stopped.kind(), Kind::Gone);
        assert!(open.bad().subtract(&bad).is_empty(), "death is no damage");
        assert_eq!(rig.saved_map(SIZE), *open.ledger.map(), "what is held is recorded");
        drop(open);
        probe.revive();
        let mut open = rig.go_on(SIZE, false).unwrap();
        assert!(open.copy(&mut source, CALM).unwrap().stopped.is_none());
        assert_eq!(open.bad(), bad);
        assert_eq!(open.finish(), root);
        assert_same(&bytes(&rig.image), &expected, "image after a death");
    }
}

#[test]
fn a_protected_sector_stops_the_copy_and_is_not_damage() {
    let content = bytes(&SparseRandom::full(7, SIZE));
    let protected = sectors(11_000, 8);
    let rig = fresh();
    let mut source = SickDrive::new(content).bad([sectors(100, 1)]).protected([protected]).partial();
    let mut open = rig.begin(SIZE).unwrap();
    let stopped = open.copy(&mut source, CALM).unwrap().stopped.unwrap();
    assert_eq!((stopped.kind(), stopped.offset()), (Kind::Refused, Some(protected.offset)));
    assert!(open.bad().is_empty());
    assert_eq!(open.ledger.map().status_at(sectors(100, 1).offset), Status::NonTrimmed);
    assert_eq!(open.ledger.map().status_at(protected.offset), Status::NonTried);
}

#[test]
fn backwards_with_damage_and_onto_a_target_without_holes_it_is_the_same_image() {
    let content = bytes(&disk(31, SIZE));
    let bad: Extents = [sectors(3, 1), sectors(4000, 40), sectors(9000, 1)].into_iter().collect();
    let expected = without(content.clone(), &bad);
    for image in [MemoryDisk::new(0), MemoryDisk::dense(0, 0)] {
        let rig = Rig::new(image, MemoryDisk::new(0));
        let mut open = rig.begin(SIZE).unwrap();
        let mut source = SickDrive::new(content.clone()).bad(bad.iter());
        let options = Options { reverse: true, ..Options::default() };
        let sha256 = [Algorithm::Sha256];
        let copied = open.rescue(&mut source, CAREFUL, &sha256, options, &Watch::new()).unwrap();
        assert!(copied.stopped.is_none());
        assert_eq!(source.probe().log()[0].0.end(), SIZE, "it begins at the end");
        assert_eq!(copied.digests[0].1, None, "what came backwards has no digest on the way");
        assert_eq!(open.bad(), bad);
        let (root, late) = open.finish_with(&sha256);
        assert_eq!(root, plain_root(&expected));
        assert_eq!(late[0].1, direct(Algorithm::Sha256, &expected));
        assert_same(&bytes(&rig.image), &expected, "image from behind");
    }
}

#[test]
fn a_drive_that_lies_stops_the_copy_and_marks_nothing() {
    let content = bytes(&SparseRandom::full(32, SIZE));
    let bad = sectors(9000, 1);
    let rig = fresh();
    let mut source = SickDrive::new(content.clone()).bad([bad]).lies(4);
    let mut open = rig.begin(SIZE).unwrap();
    let stopped = open.copy(&mut source, CALM).unwrap().stopped.expect("it gave other data");
    assert_eq!(stopped.kind(), Kind::Changed);
    assert!(stopped.to_string().contains("other data"), "{stopped}");
    assert!(open.bad().is_empty() && open.ledger.map().bytes(Status::NonTrimmed) == 0);
    // Nor is anything believed that was answered after the error.
    let (image, held) = (bytes(&rig.image), open.ledger.map().extents(Status::Finished));
    for at in held.iter() {
        let range = at.offset as usize..at.end() as usize;
        assert!(image[range.clone()] == content[range], "{at:?}");
    }
    drop(open);
    let mut source = SickDrive::new(content.clone()).bad([bad]);
    // The next run, with a better cable.
    let mut open = rig.go_on(SIZE, false).unwrap();
    assert!(open.copy(&mut source, CALM).unwrap().stopped.is_none());
    assert_eq!(open.bad(), [bad].into_iter().collect());
    assert_eq!(open.finish(), plain_root(&without(content, &[bad].into_iter().collect())));
}

#[test]
fn a_drive_that_eats_what_lies_beside_its_damage_is_not_dead() {
    let content = bytes(&SparseRandom::full(33, SIZE));
    let bad = sectors(9000, 2);
    // So much that the sector that was read last is always among it.
    for eats in [3 * PIECE as u64, 200 << 10] {
        let rig = fresh();
        let mut source = SickDrive::new(content.clone()).bad([bad]).eats(eats).partial();
        let mut open = rig.begin(SIZE).unwrap();
        let copied = open.copy(&mut source, CALM).unwrap();
        assert!(copied.stopped.is_none(), "{:?}", copied.stopped);
        let lost = open.bad();
        assert!(lost.covers(bad));
        let eaten = Extent::between(bad.offset - eats, bad.end());
        assert!(lost.subtract(&[eaten].into_iter().collect()).is_empty(), "{lost:?}");
        // What was read before it was eaten is held.
        let piece = PIECE as u64;
        assert_eq!(open.ledger.map().status_at(bad.offset / piece * piece - 1), Status::Finished);
        assert_eq!(open.finish(), plain_root(&without(content.clone(), &lost)));
    }
}

#[test]
fn a_drive_that_loses_all_it_gave_is_gone_and_one_that_lies_is_no_witness() {
    let content = bytes(&SparseRandom::full(34, SIZE));
    let drive = || SickDrive::new(content.clone()).bad([sectors(9000, 2)]);
    // Everything that was read, and everything else, is eaten by the first failure.
    let mut source = drive().bad([Extent::between(sectors(9000, 0).offset, SIZE)]).eats(SIZE);
    let mut open = fresh().begin(SIZE).unwrap();
    let stopped = open.copy(&mut source, CALM).unwrap().stopped.unwrap();
    assert_eq!(stopped.kind(), Kind::Gone);
    assert!(open.bad().is_empty(), "death is no damage");
    // The neighbour is eaten; the sector that is asked for instead is not what it was.
    let mut source = drive().eats(3 * PIECE as u64).lies(9);
    let mut open = fresh().begin(SIZE).unwrap();
    let stopped = open.copy(&mut source, CALM).unwrap().stopped.unwrap();
    assert_eq!((stopped.kind(), stopped.offset()), (Kind::Changed, Some(0)));
    assert!(open.bad().is_empty());
}

#[test]
fn a_drive_that_lies_after_a_reset_is_caught_by_what_it_gave_before_it() {
    let content = bytes(&SparseRandom::full(35, SIZE));
    let tuning = Tuning { depth: 1, ..CALM };
    // The read itself, then the last sector, the first one, and others anywhere.
    for failing in 1..=6 {
        let mut source = SickDrive::new(content.clone()).resets(sectors(9000, 1), failing).lies(usize::MAX);
        let mut open = fresh().begin(SIZE).unwrap();
        let stopped = open.copy(&mut source, tuning).unwrap().stopped.expect("it gave other data");
        assert_eq!(stopped.kind(), Kind::Changed, "{failing}");
        assert!(open.bad().is_empty() && open.ledger.map().bytes(Status::NonTrimmed) == 0, "{failing}");
    }
    // One that is well afterwards, and gives all of it.
    let mut source = SickDrive::new(content.clone()).resets(sectors(9000, 1), 5);
    let mut open = fresh().begin(SIZE).unwrap();
    assert!(open.copy(&mut source, tuning).unwrap().stopped.is_none());
    assert_eq!(open.finish(), plain_root(&content));
}

#[test]
fn zeros_that_come_in_parts_have_the_leaf_of_zeros() {
    let mut content = bytes(&SparseRandom::full(36, 4 * PIECE as u64));
    content[2 * PIECE..3 * PIECE].fill(0);
    let bad = sectors(1000, 1);
    let rig = fresh();
    let mut open = rig.begin(content.len() as u64).unwrap();
    let mut source = SickDrive::new(content.clone()).bad([bad]);
    let tuning = Tuning { depth: 1, ..CALM };
    assert!(open.copy(&mut source, tuning).unwrap().stopped.is_none());
    let in_parts = |read: &(Extent, bool)| read.0.offset / PIECE as u64 == 2 && read.0.len < PIECE as u64;
    assert!(source.probe().log().iter().any(in_parts), "the test reads it in parts");
    let leaves = bytes(&rig.state)[2 * PIECE..][..4 * 32].to_vec();
    assert!(leaves[64..96] == [0; 32] && leaves[96..] != [0; 32], "{leaves:02x?}");
    assert_eq!(open.finish(), plain_root(&without(content, &[bad].into_iter().collect())));
}

#[test]
fn a_target_that_is_full_in_the_middle_of_scraping_loses_nothing() {
    let content = bytes(&SparseRandom::full(33, SIZE));
    let bad: Extents = (0..40).map(|index| sectors(6000 + 3 * index, 1)).collect();
    let expected = without(content.clone(), &bad);
    let mut in_scraping = 0;
    for cut in (20..260).step_by(8) {
        let image = Arc::new(TornDisk::new(MemoryDisk::new(0)).crash_after(cut));
        let rig = Rig::new(Arc::clone(&image), MemoryDisk::new(0));
        let mut open = rig.begin(SIZE).unwrap();
        let mut source = SickDrive::new(content.clone()).bad(bad.iter());
        let copied = open.copy(&mut source, CALM).unwrap();
        let map = open.ledger.map().clone();
        assert_eq!(copied.stopped.is_some(), image.crashed());
        assert!(open.bad().subtract(&bad).is_empty());
        in_scraping += usize::from(copied.stopped.is_some() && map.bytes(Status::NonScraped) > 0);
        // What reached the disk is what the map claims; the state of the failed run may be older.
        let held = bytes(&image.survivors(1));
        let claimed = rig.saved_map(SIZE).extents(Status::Finished);
        for at in claimed.iter() {
            let range = at.offset as usize..at.end() as usize;
            assert!(held[range.clone()] == content[range], "{at:?} is claimed");
        }
        let rig = Rig::new(image.survivors(1), MemoryDisk::from(bytes(&rig.state))).with_map(&rig.map_text());
        let mut open = rig.go_on(SIZE, false).unwrap();
        assert!(open.copy(&mut source, CALM).unwrap().stopped.is_none());
        assert_eq!(open.bad(), bad);
        assert_eq!(open.finish(), plain_root(&expected));
    }
    assert!(in_scraping > 0, "the test stops some run in the middle of scraping");
}

#[test]
fn limits_end_a_run_in_order() {
    let content = bytes(&SparseRandom::full(34, SIZE));
    let bad: Extents = (0..9).map(|index| sectors(500 + 1000 * index, 1)).collect();
    for errors in [0, 1, 5, 11] {
        let rig = fresh();
        let mut open = rig.begin(SIZE).unwrap();
        let mut source = SickDrive::new(content.clone()).bad(bad.iter());
        let limits = Limits { errors: Some(errors), ..Limits::default() };
        let stopped = open.limited(&mut source, limits).stopped.unwrap();
        assert_eq!(stopped.kind(), Kind::Limit);
        let failed = source.probe().log().iter().filter(|read| !read.1).count() as u64;
        // Those in flight with the last one count too.
        assert!((errors + 1..=errors + CALM.depth as u64).contains(&failed), "{failed} for {errors}");
        assert_eq!(rig.saved_map(SIZE), *open.ledger.map());
        drop(open);
        let mut open = rig.go_on(SIZE, false).unwrap();
        assert!(open.copy(&mut source, CALM).unwrap().stopped.is_none());
        assert_eq!(open.bad(), bad);
    }
    let mut open = fresh().begin(SIZE).unwrap();
    // What was never written is no error.
    let limits = Limits { errors: Some(0), ..Limits::default() };
    let gap = SickDrive::new(content.clone()).unwritten([sectors(9000, 40)]);
    assert!(open.limited(&mut { gap }, limits).stopped.is_none());
    let mut open = fresh().begin(SIZE).unwrap();
    let limits = Limits { time: Some(Duration::ZERO), ..Limits::default() };
    let stopped = open.limited(&mut SickDrive::new(content), limits).stopped.unwrap();
    assert_eq!(stopped.kind(), Kind::Limit);
}

#[test]
fn trust_returns_after_enough_good_pieces() {
    const PIECES: u64 = 160;
    let content = bytes(&SparseRandom::full(7, PIECES * PIECE as u64));
    let mut source = SickDrive::new(content).bad([sectors(0, 1)]);
    let probe = source.probe();
    let mut open = fresh().begin(PIECES * PIECE as u64).unwrap();
    open.copy(&mut source, CALM).unwrap();
    // How many depends on how fast buffers come back.
    assert!(probe.max_in_flight_after_failure() > 1);
}

#[test]
fn eight_tebibytes_are_copied_in_seconds_and_a_few_megabytes() {
    let original = SparseRandom { seed: 9, size: 8 << 40, percent: 0.001, run: 1 << 20 };
    let began = Instant::now();
    let copy = Arc::new(SparseCheck::new(original));
    // In memory the leaves of this would take 256 MiB; a file has holes.
    let folder = tempfile::tempdir().unwrap();
    let state = PlainFile::open_or_create(&folder.path().join("state")).unwrap();
    let rig = Rig::new(Arc::clone(&copy), state);
    let mut open = rig.begin(original.size).unwrap();
    let mut source = SickDrive::new(original);
    let copied = open.copy(&mut source, Tuning { buffers: 16, depth: 4, ..CALM }).unwrap();
    assert!(copied.stopped.is_none());
    assert!(copied.read < 1 << 30);
    assert!(open.ledger.map().is_all(Status::Finished) && copy.is_complete());
    let Open { ledger, sink } = open;
    let (tree, _) = ledger.prove(&sink, false, &[], &Watch::new()).unwrap();
    assert!(tree.is_consistent() && tree.nodes.len() <= 65_536);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_full_target_stops_the_copy_without_a_deadlock() {
    let content = bytes(&SparseRandom::full(8, SIZE));
    for tuning in [CALM, CAREFUL, Tuning { depth: 1, buffers: 1, packers: 1, ..CALM }] {
        for cut in 0..6 {
            let torn = TornDisk::new(MemoryDisk::new(0)).crash_after(2 + cut);
            let rig = Rig::new(torn, MemoryDisk::new(0));
            let mut open = rig.begin(SIZE).unwrap();
            let mut source = SickDrive::new(content.clone());
            let digests = [Algorithm::Sha256];
            let copied = open.copy_with(&mut source, tuning, &digests, false, &Watch::new()).unwrap();
            assert_eq!(copied.stopped.unwrap().kind(), Kind::Io);
            assert_eq!(copied.digests[0].1, None);
        }
    }
}

#[test]
fn a_failing_target_is_told_while_the_drive_hangs() {
    let content = bytes(&SparseRandom::full(8, SIZE));
    let hang = [Extent::new(3 * PIECE as u64, 512)];
    let mut source = SickDrive::new(content).slow(hang, Duration::from_secs(60)).sleeps();
    let rig = Rig::new(TornDisk::new(MemoryDisk::new(0)).crash_after(3), MemoryDisk::new(0));
    let mut open = rig.begin(SIZE).unwrap();
    let began = Instant::now();
    assert_eq!(open.copy(&mut source, CALM).unwrap().stopped.unwrap().kind(), Kind::Io);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_came_before_a_hanging_read_is_made_durable_meanwhile() {
    let content = bytes(&SparseRandom::full(8, SIZE));
    let hang = [Extent::new(3 * PIECE as u64, 512)];
    let mut source = SickDrive::new(content).slow(hang, Duration::from_secs(60)).sleeps();
    let rig = fresh();
    let mut open = rig.begin(SIZE).unwrap();
    let watch = Watch::new();
    let tuning = Tuning { checkpoint_every: Duration::from_millis(200), ..CALM };
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| open.copy_with(&mut source, tuning, &[], false, &watch));
        let began = Instant::now();
        while rig.saved_map(SIZE).bytes(Status::Finished) < 3 * PIECE as u64 {
            let late = began.elapsed() > Duration::from_secs(5);
            if late {
                watch.stop();
            }
            assert!(!late, "nothing was recorded while the drive hung");
            std::thread::sleep(Duration::from_millis(10));
        }
        watch.stop();
        assert_eq!(copying.join().unwrap().unwrap().stopped.unwrap().kind(), Kind::Cancelled);
    });
}

/// Stops a copy a while after so many bytes were skipped as known, and says how long it took to return.
fn stop_after(open: &mut Open, source: &mut dyn Source, digests: &[Algorithm], known: u64) -> Duration {
    let watch = Watch::new();
    std::thread::scope(|scope| {
        let stopper = scope.spawn(|| {
            let begun = Instant::now();
            while watch.known() < known && begun.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(300));
            watch.stop();
            Instant::now()
        });
        let copied = open.copy_with(source, CALM, digests, false, &watch).unwrap();
        let asked = stopper.join().unwrap();
        assert_eq!(copied.stopped.unwrap().kind(), Kind::Cancelled);
        assert!(copied.digests.iter().all(|taken| taken.1.is_none()));
        asked.elapsed()
    })
}

#[test]
fn a_wish_to_stop_is_heard_while_the_drive_sleeps() {
    let content = bytes(&disk(8, SIZE));
    let nap = Extent::new(2 * PIECE as u64, PIECE as u64);
    let mut source = SickDrive::new(content.clone()).slow([nap], Duration::from_secs(10)).sleeps();
    let rig = fresh();
    let mut open = rig.begin(SIZE).unwrap();
    let took = stop_after(&mut open, &mut source, &[Algorithm::Sha256], 0);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(rig.saved_map(SIZE), *open.ledger.map());
    drop(open);
    let mut open = rig.go_on(SIZE, false).unwrap();
    open.copy(&mut SickDrive::new(content.clone()), CALM).unwrap();
    assert_eq!(open.finish(), plain_root(&content));
}

#[test]
fn a_wish_to_stop_is_heard_while_a_digest_works_through_a_hole() {
    let original = SparseRandom { seed: 0, size: 8 << 40, percent: 0.0, run: 1 << 20 };
    let rig = Rig::new(SparseCheck::new(original), MemoryDisk::new(0));
    let mut open = rig.begin(original.size).unwrap();
    let digests = [Algorithm::Sha256, Algorithm::Md5];
    let took = stop_after(&mut open, &mut SickDrive::new(original), &digests, original.size);
    assert!(took < Duration::from_secs(2), "{took:?}");
    drop(open);
    let open = rig.go_on(original.size, false).unwrap();
    assert!(open.ledger.map().is_all(Status::Finished));
}

#[test]
fn random_puts_and_zeros_give_what_a_plain_array_gives() {
    for seed in 0..40_u64 {
        let size = 300_000 + seed as usize * 7;
        let mut random = Dice(seed);
        let holes = seed % 2 == 0;
        let storage = Arc::new(match holes {
            true => MemoryDisk::new(0),
            // As a device: it holds no holes, and what was there before.
            false => MemoryDisk::dense(size as u64 * (seed / 2 % 2), 0xee),
        });
        let mut sink = RawSink::create(Arc::clone(&storage), size as u64).unwrap();
        let mut model = vec![0; size];
        for _ in 0..60 {
            let start = random.below(size as u64) as usize;
            let len = (random.below(30_000) as usize).min(size - start);
            let at = Extent::new(start as u64, len as u64);
            match random.below(6) {
                0 | 1 => {
                    let fill = random.below(255) as u8 + 1;
                    model[start..start + len].fill(fill);
                    sink.put(at.offset, &vec![fill; len]).unwrap();
                }
                2 => {
                    model[start..start + len].fill(0);
                    sink.zero(at).unwrap();
                }
                3 => {
                    model[start..start + len].fill(0);
                    sink.unreadable(at).unwrap();
                }
                4 => sink.checkpoint().unwrap(),
                _ => {
                    let mut read = vec![0xaa; len];
                    sink.read_at(&mut read, at.offset).unwrap();
                    assert_same(&read, &model[start..start + len], "read back");
                }
            }
        }
        sink.finish().unwrap();
        assert_same(&storage.bytes(), &model, "finished image");
    }
}

/// Chance that repeats.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
