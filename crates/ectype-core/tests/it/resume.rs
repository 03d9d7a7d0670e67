//! Going on with an unfinished image: what is read and written again, and what a damaged or foreign state leads to.

use crate::engine::{Dice, disk, fresh};
use crate::rig::{CALM, CAREFUL, Open, PIECE, Rig, assert_same, bytes, plain_root, without};
use ectype_core::copy::{Job, Limits, copy};
use ectype_core::image::raw::RawSink;
use ectype_core::io::{Content, Durable, ReadAt, WriteAt};
use ectype_core::plan::map::{Header, MapFile, RescueMap, Status};
use ectype_core::plan::rescue::{Options, Rescue};
use ectype_core::proof::digest::Algorithm;
use ectype_core::proof::ledger::{Ledger, SaveMap, Trust};
use ectype_core::source::Source;
use ectype_core::watch::Watch;
use ectype_core::{Error, Extent, Extents, Kind, Result};
use ectype_testkit::{MemoryDisk, Operation, Recorder, SickDrive, SparseRandom, TornDisk};
use std::io;
use std::sync::Arc;

const SIZE: u64 = 7 * PIECE as u64 + 5120;

/// What was written, and what was written or made zeros.
fn touched(recorder: &Recorder<MemoryDisk>) -> (Extents, Extents) {
    let (mut written, mut all) = (Extents::new(), Extents::new());
    for operation in recorder.operations() {
        match operation {
            Operation::Write { offset, len } => {
                written.insert(Extent::new(offset, len));
                all.insert(Extent::new(offset, len));
            }
            Operation::Zero(at) => all.insert(at),
            _ => {}
        }
    }
    (written, all)
}

/// An image of `content` of which about half is held.
fn half(content: &[u8]) -> Rig {
    let rig = fresh();
    let mut open = rig.begin(content.len() as u64).unwrap();
    let copied = open.copy(&mut SickDrive::new(content.to_vec()).dies_at(4), CAREFUL).unwrap();
    assert_eq!(copied.stopped.unwrap().kind(), Kind::Gone);
    rig
}

fn copied_whole(content: &[u8]) -> Rig {
    let rig = fresh();
    let mut open = rig.begin(content.len() as u64).unwrap();
    assert!(open.copy(&mut SickDrive::new(content.to_vec()), CAREFUL).unwrap().stopped.is_none());
    rig
}

/// The same rig, with a recorder between it and its image.
fn recorded(rig: &Rig) -> (Rig, Arc<Recorder<MemoryDisk>>) {
    let copy = MemoryDisk::from(bytes(&rig.image));
    let recorder = Arc::new(Recorder::new(copy));
    let again = Rig::new(Arc::clone(&recorder), MemoryDisk::from(bytes(&rig.state)));
    (again.with_map(&rig.map_text()), recorder)
}

#[test]
fn what_is_proven_is_neither_read_nor_written_again() {
    let content = bytes(&disk(21, SIZE));
    let (rig, recorder) = recorded(&half(&content));
    let held = rig.saved_map(SIZE).extents(Status::Finished);
    assert!(held.bytes() > SIZE / 3 && held.bytes() < SIZE);
    let mut source = SickDrive::new(content.clone());
    let mut open = rig.go_on(SIZE, false).unwrap();
    open.copy(&mut source, CALM).unwrap();
    for (at, _) in source.probe().log() {
        assert!(!held.touches(at), "{at:?} was read again");
    }
    assert!(touched(&recorder).1.intersect(&held).is_empty(), "something was written again");
    assert_eq!(open.finish(), plain_root(&content));
    assert_same(&bytes(&rig.image), &content, "image");
}

#[test]
fn a_comparing_run_reads_everything_and_writes_what_differs() {
    let content = bytes(&SparseRandom::full(22, SIZE));
    let mut changed = content.clone();
    let differs = [Extent::new(PIECE as u64, PIECE as u64), Extent::new(5 * PIECE as u64, PIECE as u64)];
    changed[PIECE + 77] ^= 1;
    changed[5 * PIECE..6 * PIECE].fill(0);
    let (rig, recorder) = recorded(&copied_whole(&content));
    let mut source = SickDrive::new(changed.clone());
    let sha256 = [Algorithm::Sha256];
    let mut open = rig.go_on(SIZE, true).unwrap();
    let copied = open.copy_with(&mut source, CALM, &sha256, false, &Watch::new()).unwrap();
    assert_eq!(copied.read, SIZE);
    assert!(copied.digests[0].1.is_some(), "everything was read in order");
    let (_, all) = touched(&recorder);
    assert_eq!(all, differs.into_iter().collect());
    assert_eq!(open.finish(), plain_root(&changed));
    assert_same(&bytes(&rig.image), &changed, "image");
}

#[test]
fn what_an_earlier_run_read_is_not_given_up_when_it_cannot_be_read_any_more() {
    let content = bytes(&SparseRandom::full(41, SIZE));
    let early = Extent::new(PIECE as u64 + 4096, 512);
    let late = Extent::new(4 * PIECE as u64 + 512, 1024);
    let rig = Rig::new(MemoryDisk::new(0), MemoryDisk::new(0));
    let mut open = rig.begin(SIZE).unwrap();
    assert!(open.copy(&mut SickDrive::new(content.clone()).bad([early]), CALM).unwrap().stopped.is_none());
    drop(open);
    // In between nothing is proven, and more has gone bad.
    let sicker = || SickDrive::new(content.clone()).bad([early, late]);
    let mut open = rig.go_on(SIZE, true).unwrap();
    let stopped = open.copy(&mut sicker(), CALM).unwrap().stopped.expect("it asks first");
    assert_eq!(stopped.kind(), Kind::Changed);
    assert!(stopped.advice().iter().any(|line| line.contains("--trust-map")), "{stopped:?}");
    drop(open);
    assert_same(&bytes(&rig.image), &without(content.clone(), &[early].into_iter().collect()), "kept");
    // On the user's word nothing of it is lost.
    let mut open = rig.go_on_trusting(SIZE, Trust::Word).unwrap();
    assert!(open.copy(&mut sicker(), CALM).unwrap().stopped.is_none());
    assert_eq!(open.bad(), [early].into_iter().collect());
    let expected = without(content, &[early].into_iter().collect());
    assert_eq!(open.finish(), plain_root(&expected));
    assert_same(&bytes(&rig.image), &expected, "image");
}

#[test]
fn what_an_earlier_run_read_is_lost_only_when_it_finally_fails() {
    let content = bytes(&SparseRandom::full(43, SIZE));
    let rig = copied_whole(&content);
    // In between one sector has become moody: pieces and clusters around it fail, alone it reads.
    let moody = Extent::new(2 * PIECE as u64 + 70_000 / 512 * 512, 512);
    let mut source = SickDrive::new(content.clone()).flaky(moody, 2);
    let mut open = rig.go_on(SIZE, true).unwrap();
    assert!(open.copy(&mut source, CALM).unwrap().stopped.is_none());
    assert!(open.ledger.map().is_all(Status::Finished));
    assert_eq!(open.finish(), plain_root(&content));
    // Where nobody wants to know it for certain, what was held is not given up either.
    let rig = copied_whole(&content);
    let mut source = SickDrive::new(content.clone()).bad([Extent::new(2 * PIECE as u64, 60_000)]);
    let mut open = rig.go_on(SIZE, true).unwrap();
    let options = Options { scrape: false, ..Options::default() };
    let copied = open.rescue(&mut source, CALM, &[], options, &Watch::new()).unwrap();
    assert_eq!(copied.stopped.expect("it asks first").kind(), Kind::Changed);
    assert_same(&bytes(&rig.image), &content, "kept");
}

#[test]
fn a_comparing_run_that_is_cut_before_its_map_is_saved_does_not_forget_why_it_compares() {
    let content = bytes(&SparseRandom::full(42, SIZE));
    let rig = copied_whole(&content);
    let map = rig.saved_map(SIZE);
    let (left, facts) = Ledger::load::<String>(&rig.state, &map).unwrap();
    assert_eq!(facts, "facts");
    let failing: SaveMap = Box::new(|_, _, _| Err(Error::new(Kind::Limit, "no room for the map")));
    let state = Box::new(Arc::clone(&rig.state));
    assert!(Ledger::resume(state, failing, map.clone(), left, &"later facts", Trust::Compare).is_err());
    let (_, facts) = Ledger::load::<String>(&rig.state, &map).unwrap();
    assert_eq!(facts, "facts", "the old map goes with the old facts");
}

#[test]
fn an_interrupted_comparing_run_still_knows_what_was_held_before_it() {
    let content = bytes(&SparseRandom::full(23, SIZE));
    let (rig, recorder) = recorded(&copied_whole(&content));
    let mut open = rig.go_on(SIZE, true).unwrap();
    let stopped = open.copy(&mut SickDrive::new(content.clone()).dies_at(3), CALM).unwrap().stopped;
    assert!(stopped.is_some());
    drop(open);
    let map = rig.saved_map(SIZE);
    assert!(map.bytes(Status::Finished) < SIZE);
    let (left, _) = Ledger::load::<String>(&rig.state, &map).unwrap();
    assert_eq!(left.held(&map).bytes(), SIZE, "and tells of it");
    let mut open = rig.go_on(SIZE, true).unwrap();
    open.copy(&mut SickDrive::new(content.clone()), CALM).unwrap();
    assert_eq!(touched(&recorder).1, Extents::new(), "nothing changed, so nothing is written");
    assert_eq!(open.finish(), plain_root(&content));
}

#[test]
fn a_map_without_a_state_is_believed_and_its_leaves_are_computed() {
    let content = bytes(&disk(24, SIZE));
    let held = Extent::new(300 << 10, 4 << 20);
    // As another program left it: rubbish where the map claims nothing.
    let mut image = vec![0xdd; SIZE as usize];
    image[held.offset as usize..held.end() as usize]
        .copy_from_slice(&content[held.offset as usize..held.end() as usize]);
    let mut map = RescueMap::new(SIZE);
    map.set(held, Status::Finished);
    map.set(Extent::new(0, 512), Status::Bad);
    // These nobody tried one by one: they are read now, though no retry is asked for.
    map.set(Extent::new(512, 9 * 512), Status::NonTrimmed);
    map.set(Extent::new(SIZE - 5120, 1024), Status::NonScraped);
    let rig = Rig::new(MemoryDisk::from(image), MemoryDisk::from(vec![7; 999]));
    let ledger = Ledger::adopt(Box::new(Arc::clone(&rig.state)), rig.save_map(), map, &"facts").unwrap();
    let sink = RawSink::resume(Durable::new(Arc::clone(&rig.image)), SIZE, &ledger.held()).unwrap();
    let mut source = SickDrive::new(content.clone());
    let mut open = Open { ledger, sink };
    open.copy(&mut source, CALM).unwrap();
    assert!(source.probe().log().iter().all(|(at, _)| at.intersect(held).is_empty()));
    let expected = without(content, &[Extent::new(0, 512)].into_iter().collect());
    assert_eq!(open.finish(), plain_root(&expected));
    assert_same(&bytes(&rig.image), &expected, "image");
}

#[test]
fn a_cut_while_a_foreign_map_is_taken_over_does_not_cost_the_image() {
    let held = Extent::new(0, 3 * PIECE as u64);
    let mut map = RescueMap::new(SIZE);
    map.set(held, Status::Finished);
    let mut blank = 0;
    for cut in 0.. {
        let state = Arc::new(TornDisk::new(MemoryDisk::new(0)).crash_after(cut));
        let power = Arc::clone(&state);
        let rig = Rig::new(MemoryDisk::new(0), Arc::clone(&state)).powered_while(move || !power.crashed());
        let taken = Ledger::adopt(Box::new(Arc::clone(&state)), rig.save_map(), map.clone(), &"facts");
        if taken.is_ok() {
            break;
        }
        for seed in 0..50 {
            let left = state.survivors(seed);
            if left.size() == 0 || !Ledger::was_begun(&left) {
                blank += 1;
            } else {
                assert!(Ledger::load::<String>(&left, &map).is_ok(), "cut at {cut}, seed {seed}");
            }
        }
    }
    assert!(blank > 50);
}

#[test]
fn untried_parts_that_are_no_whole_sectors_do_not_make_good_sectors_bad() {
    let size = PIECE as u64;
    let content = bytes(&SparseRandom::full(28, size));
    let rig = fresh();
    // Another program's sectors of 512: the untried part touches two of our 4096, of which one is bad.
    let mut map = RescueMap::new(size);
    map.set(Extent::new(0, size), Status::Finished);
    map.set(Extent::new(3584, 1024), Status::NonTried);
    rig.image.write_at(&content, 0).unwrap();
    let ledger = Ledger::adopt(Box::new(Arc::clone(&rig.state)), rig.save_map(), map, &"facts").unwrap();
    let sink = RawSink::resume(Durable::new(Arc::clone(&rig.image)), size, &ledger.held()).unwrap();
    let mut open = Open { ledger, sink };
    let mut source = SickDrive::new(content).sectors(512, 4096).bad([Extent::new(4096, 512)]);
    open.copy(&mut source, CALM).unwrap();
    assert_eq!(open.bad().iter().collect::<Vec<_>>(), [Extent::new(4096, 512)]);
}

#[test]
fn a_map_that_another_program_went_on_with_makes_all_leaves_stale() {
    let content = bytes(&disk(25, SIZE));
    let rig = half(&content);
    let mut map = rig.saved_map(SIZE);
    // It rescued one part, put it into the image, and took another back.
    let (more, less) = (Extent::new(6 * PIECE as u64, PIECE as u64), Extent::new(512, 512));
    rig.image.write_at(&content[more.offset as usize..more.end() as usize], more.offset).unwrap();
    rig.image.write_at(&[0xdd; 512], less.offset).unwrap();
    map.set(more, Status::Finished);
    map.set(less, Status::NonTried);
    let text = MapFile::new(map.clone()).to_text(&Header::default());
    assert!(!Ledger::load::<String>(&rig.state, &map).unwrap().0.leaves_valid);
    for compare in [false, true] {
        let (rig, _) = recorded(&rig);
        let rig = rig.with_map(text.as_bytes());
        let mut open = rig.go_on(SIZE, compare).unwrap();
        open.copy(&mut SickDrive::new(content.clone()), CALM).unwrap();
        assert_eq!(open.finish(), plain_root(&content));
        assert_same(&bytes(&rig.image), &content, "image");
    }
}

#[test]
fn a_damaged_state_is_an_error_or_the_slot_before_and_never_a_wrong_image() {
    let content = bytes(&disk(26, SIZE));
    let root = plain_root(&content);
    let rig = half(&content);
    let state = bytes(&rig.state);
    let map = rig.saved_map(SIZE);
    let (mut survived, mut refused) = (0, 0);
    let slot = 1 << 20;
    // A slot's head and JSON are shorter than this.
    for index in (0..1024).chain(slot..slot + 1024).chain([2 * slot - 1]) {
        let mut bad = state.clone();
        bad[index] ^= 0x41;
        let bad = MemoryDisk::from(bad);
        let loaded = Ledger::load::<String>(&bad, &map);
        let Ok((_, facts)) = loaded else {
            refused += 1;
            continue;
        };
        assert_eq!(facts, "facts");
        survived += 1;
        if index % 61 == 0 {
            let rig = Rig::new(MemoryDisk::from(bytes(&rig.image)), bad).with_map(&rig.map_text());
            let mut open = rig.go_on(SIZE, false).unwrap();
            open.copy(&mut SickDrive::new(content.clone()), CALM).unwrap();
            assert_eq!(open.finish(), root);
        }
    }
    assert!(survived > 2000 && refused == 0, "the other slot is there: {survived}, {refused}");
    for len in [0, 1, 67, 500, slot, slot + 80, 2 * slot - 1] {
        let cut = MemoryDisk::from(state[..len].to_vec());
        let loaded = Ledger::load::<String>(&cut, &map);
        let cut_off = len < slot;
        assert_eq!(loaded.is_err(), cut_off, "{len} bytes of state");
        assert!(cut_off || loaded.is_ok_and(|(left, _)| !left.leaves_valid), "{len} bytes of state");
    }
    // Without its leaves the image is still right, and so is its tree.
    let cut = MemoryDisk::from(state[..2 * slot].to_vec());
    let rig = Rig::new(MemoryDisk::from(bytes(&rig.image)), cut).with_map(&rig.map_text());
    let mut open = rig.go_on(SIZE, false).unwrap();
    open.copy(&mut SickDrive::new(content.clone()), CALM).unwrap();
    assert_eq!(open.finish(), root);
    assert_same(&bytes(&rig.image), &content, "image");
}

#[test]
fn a_damaged_map_is_an_error_and_nothing_is_touched() {
    let content = bytes(&disk(27, SIZE));
    let rig = half(&content);
    let longer = "0 ? 1\n0 0x10000000 +\n";
    for text in ["nonsense", "0x0 ? 1\n0 100 +\n50 100 ?\n", longer] {
        let (rig, recorder) = recorded(&rig);
        let state = bytes(&rig.state);
        let rig = rig.with_map(text.as_bytes());
        assert!(rig.go_on(SIZE, false).is_err());
        assert!(recorder.operations().is_empty() && bytes(&rig.state) == state);
        assert_eq!(rig.map_text(), text.as_bytes());
    }
}

#[test]
fn any_sequence_of_damage_stops_deaths_and_resumes_ends_with_the_source() {
    let size = 4 * PIECE as u64 + 1536;
    for seed in 0..40 {
        let mut random = Dice(seed);
        let content = bytes(&disk(seed, size));
        let mut bad = Extents::new();
        for _ in 0..random.below(6) {
            bad.insert(Extent::new(random.below(size / 512 - 8) * 512, (1 + random.below(8)) * 512));
        }
        let expected = without(content.clone(), &bad);
        let image = if seed % 3 == 0 { MemoryDisk::dense(0, 0) } else { MemoryDisk::new(0) };
        let rig = Rig::new(image, MemoryDisk::new(0));
        let tuning = if seed % 2 == 0 { CALM } else { CAREFUL };
        let watch = Watch::new();
        watch.stop();
        let mut runs = 0;
        let mut open = loop {
            let mut open = rig.go_on(size, random.below(4) == 0).unwrap();
            let mut source = SickDrive::new(content.clone()).bad(bad.iter());
            let retry = random.below(3) == 0;
            let copied = match random.below(4) {
                0 if runs < 12 => open.copy_with(&mut source, tuning, &[], retry, &watch),
                1 | 2 if runs < 12 => open.copy(&mut source.dies_at(random.below(12) as usize), tuning),
                _ => open.copy_with(&mut source, tuning, &[], retry, &Watch::new()),
            };
            runs += 1;
            match copied.unwrap().stopped {
                None => break open,
                Some(error) => assert!(matches!(error.kind(), Kind::Gone | Kind::Cancelled), "{error}"),
            }
            assert!(open.bad().subtract(&bad).is_empty());
        };
        assert_eq!(open.bad(), bad, "seed {seed}");
        assert_eq!(rig.saved_map(size), *open.ledger.map());
        // One more look at the bad ones, which now read.
        let healed = random.below(2) == 0;
        if healed {
            let mut source = SickDrive::new(content.clone());
            open.copy_with(&mut source, tuning, &[], true, &Watch::new()).unwrap();
            assert!(open.ledger.map().is_all(Status::Finished));
        }
        let expected = if healed { content } else { expected };
        assert_eq!(open.finish(), plain_root(&expected), "seed {seed}");
        assert_same(&bytes(&rig.image), &expected, "image");
    }
}

/// What the drive says was never written is known to the next run, until the sector is read or fails as damage.
#[test]
fn gaps_outlive_a_run_and_end_with_a_better_or_a_worse_answer() {
    let size = 4 * PIECE as u64;
    let content = bytes(&SparseRandom::full(70, size));
    let (gap, damage) = (Extent::new(2000 * 512, 40 * 512), Extent::new(6000 * 512, 3 * 512));
    let all: Extents = [gap, damage].into_iter().collect();
    let only = |at: Extent| -> Extents { [at].into_iter().collect() };
    for tells in [true, false] {
        let rig = fresh();
        let mut source = SickDrive::new(content.clone()).bad([damage]).unwritten([gap]);
        if tells {
            source = source.partial().tells_first_bad();
        }
        let mut open = rig.begin(size).unwrap();
        open.copy(&mut source, CAREFUL).unwrap();
        assert_eq!((open.bad(), open.ledger.unwritten()), (all.clone(), &only(gap)), "{tells}");
        drop(open);

        // A retry that says the same, one that says damage of its first half, and one that reads the last of it.
        let mut open = rig.go_on(size, false).unwrap();
        assert_eq!(open.ledger.unwritten(), &only(gap));
        open.copy_with(&mut source, CAREFUL, &[], true, &Watch::new()).unwrap();
        assert_eq!(open.ledger.unwritten(), &only(gap));
        let half = Extent::new(gap.offset, gap.len / 2);
        let rest = Extent::between(half.end(), gap.end() - 512);
        let mut source = SickDrive::new(content.clone()).bad([damage, half]).unwritten([rest]);
        open.copy_with(&mut source, CAREFUL, &[], true, &Watch::new()).unwrap();
        assert_eq!(open.ledger.unwritten(), &only(rest));
        assert_eq!(open.bad(), [half, rest, damage].into_iter().collect::<Extents>());
        drop(open);

        // Everything is read again: what was said before counts no more.
        let mut open = rig.go_on(size, true).unwrap();
        assert!(open.ledger.unwritten().is_empty());
        let mut source = SickDrive::new(content.clone()).bad([half, damage]).unwritten([rest]);
        open.copy(&mut source, CAREFUL).unwrap();
        assert_eq!(open.ledger.unwritten(), &only(rest));
        let lost = open.bad();
        assert_eq!(open.finish(), plain_root(&without(content.clone(), &lost)));
    }
}

/// A slot's JSON, changed, in a slot that is whole.
fn rewrite_slots(rig: &Rig, change: impl Fn(&mut serde_json::Value)) {
    for slot in [0, 1 << 20] {
        let mut bytes = vec![0; 1 << 20];
        rig.state.read_at(&mut bytes, slot).unwrap();
        let len = u32::from_le_bytes(bytes[24..28].try_into().unwrap()) as usize;
        let Ok(mut json) = serde_json::from_slice(&bytes[60..60 + len]) else { continue };
        change(&mut json);
        let json = serde_json::to_vec(&json).unwrap();
        let hash = blake3::hash(&[&bytes[16..24], &json[..]].concat());
        let head = [&bytes[..24], &(json.len() as u32).to_le_bytes(), hash.as_bytes(), &json].concat();
        rig.state.write_at(&head, slot).unwrap();
    }
}

#[test]
fn a_state_of_before_gaps_were_known_is_gone_on_with() {
    let size = 4 * PIECE as u64;
    let content = bytes(&SparseRandom::full(71, size));
    let gap = Extent::new(2000 * 512, 4 * 512);
    let rig = fresh();
    let mut open = rig.begin(size).unwrap();
    let mut source = SickDrive::new(content.clone()).unwritten([gap]);
    open.copy(&mut source, CALM).unwrap();
    drop(open);
    rewrite_slots(&rig, |slot| assert!(slot.as_object_mut().unwrap().remove("unwritten").is_some()));
    let mut open = rig.go_on(size, false).unwrap();
    assert!(open.ledger.unwritten().is_empty() && open.bad().bytes() == gap.len);
    // Tried once more, it is known again.
    open.copy_with(&mut source, CALM, &[], true, &Watch::new()).unwrap();
    assert_eq!(open.ledger.unwritten().bytes(), gap.len);
}

/// As large as a number can say, and empty.
struct Void(u64);

impl ReadAt for Void {
    fn size(&self) -> u64 {
        self.0
    }

    fn read_at(&self, buf: &mut [u8], _offset: u64) -> io::Result<()> {
        buf.fill(0);
        Ok(())
    }

    fn content_at(&self, _offset: u64) -> io::Result<(Content, u64)> {
        Ok((Content::Zero, self.0))
    }
}

/// Keeps nothing.
struct Nowhere;

impl ectype_core::image::Sink for Nowhere {
    fn put(&mut self, _offset: u64, _data: &[u8]) -> Result<()> {
        Ok(())
    }
    fn zero(&mut self, _at: Extent) -> Result<()> {
        Ok(())
    }
    fn checkpoint(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn the_largest_size_that_a_number_can_say_does_not_overflow() {
    for size in [u64::MAX - 511, (1 << 63) - 512, u64::MAX - (1 << 20) + 1] {
        let last = Extent::new(size - 1024, 512);
        // Once with an end that has to be read, and damage in it.
        for bad in [None, Some(last)] {
            let mut map = RescueMap::new(size);
            if bad.is_some() {
                map.set(Extent::new(0, size - 4096), Status::Finished);
            }
            let mut source = SickDrive::new(Void(size)).bad(bad);
            let mut ledger = Ledger::passing(map);
            let copied = copy(Job {
                strategy: &mut Rescue::new(source.geometry(), Options { retries: 1, ..Options::default() }),
                source: &mut source,
                sink: &mut Nowhere,
                in_order: false,
                ledger: &mut ledger,
                digests: &[],
                tuning: CALM,
                limits: Limits::default(),
                watch: &Watch::new(),
            });
            assert!(copied.unwrap().stopped.is_none());
            assert!(ledger.map().is_all(Status::Finished));
            assert_eq!(ledger.grown_tree().is_some_and(|tree| tree.is_consistent()), bad.is_none());
        }
    }
}
