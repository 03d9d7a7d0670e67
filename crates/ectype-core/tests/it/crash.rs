//! Power cuts: at every write of the image and of the state file, once and twice, with a source that stays or changes.
//!
//! After each cut the map must not claim a byte that the image does not hold, and going on must give the source.

use crate::engine::disk;
use crate::rig::{CAREFUL, PIECE, Rig, assert_same, bytes, plain_root, without};
use ectype_core::io::{ReadAt, WriteAt};
use ectype_core::plan::map::{MapFile, Status};
use ectype_core::{Extent, Extents, Kind, Result};
use ectype_testkit::{MemoryDisk, SickDrive, TornDisk};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SIZE: u64 = 5 * PIECE as u64 + (300 << 10);
const SECTOR: usize = 512;

/// A medium at one time.
#[derive(Clone)]
struct Medium {
    content: Vec<u8>,
    bad: Extents,
}

impl Medium {
    fn first() -> Medium {
        let bad = [Extent::new(3 * PIECE as u64 + 8192, 4096), Extent::new(SIZE - 4096, 4096)];
        Medium { content: bytes(&disk(11, SIZE)), bad: bad.into_iter().collect() }
    }

    /// Written to in some pieces: other data, data for zeros, zeros for data.
    fn changed(&self) -> Medium {
        let mut content = self.content.clone();
        content[PIECE + 5..PIECE + 9].fill(0x11);
        content[2 * PIECE..3 * PIECE].fill(0);
        content[4 * PIECE + 7000..4 * PIECE + 300_000].fill(0x22);
        Medium { content, bad: self.bad.clone() }
    }

    fn drive(&self) -> SickDrive {
        // Large sectors, so that a failure is narrowed down in few steps.
        SickDrive::new(self.content.clone()).sectors(4096, 4096).bad(self.bad.iter())
    }

    /// What an image of it holds.
    fn imaged(&self) -> Vec<u8> {
        without(self.content.clone(), &self.bad)
    }
}

/// What lies on the disks when the power is back.
struct Remains {
    image: MemoryDisk,
    state: MemoryDisk,
    map: Vec<u8>,
}

/// Which write is the last.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Image(u64),
    State(u64),
}

impl Remains {
    fn nothing() -> Remains {
        Remains { image: MemoryDisk::new(0), state: MemoryDisk::new(0), map: Vec::new() }
    }

    /// Copies until the cut; what is left then, for every seed. `None` when it came to its end before.
    fn cut(&self, medium: &Medium, compare: bool, cut: Cut, seeds: u64) -> Option<Vec<Remains>> {
        let (mut image, mut state) = (TornDisk::new(self.image.clone()), TornDisk::new(self.state.clone()));
        match cut {
            Cut::Image(k) => image = image.crash_after(k),
            Cut::State(k) => state = state.crash_after(k),
        }
        let (image, state) = (Arc::new(image), Arc::new(state));
        let power = (Arc::clone(&image), Arc::clone(&state));
        let rig = Rig::new(Arc::clone(&image), Arc::clone(&state))
            .with_map(&self.map)
            .powered_while(move || !power.0.crashed() && !power.1.crashed());
        let ended = rig.go_on(SIZE, compare).and_then(|mut open| {
            let stopped = open.copy(&mut medium.drive(), CAREFUL)?.stopped;
            stopped.map_or(Ok(()), Err)
        });
        assert_eq!(ended.is_err(), image.crashed() || state.crashed(), "{ended:?}");
        ended.is_err().then(|| {
            let left = |seed| Remains {
                image: image.survivors(seed),
                state: state.survivors(seed * 31),
                map: rig.map_text(),
            };
            let (Cut::Image(k) | Cut::State(k)) = cut;
            (k * 7..k * 7 + seeds).map(left).collect()
        })
    }

    /// Copies to the end, without finishing the image.
    fn all_of(medium: &Medium) -> Remains {
        let (image, state) = (Arc::new(MemoryDisk::new(0)), Arc::new(MemoryDisk::new(0)));
        let rig = Rig::new(Arc::clone(&image), Arc::clone(&state));
        let mut open = rig.begin(SIZE).unwrap();
        assert!(open.copy(&mut medium.drive(), CAREFUL).unwrap().stopped.is_none());
        Remains { image: (*image).clone(), state: (*state).clone(), map: rig.map_text() }
    }

    /// Every sector that the map calls finished is that of one of these media.
    fn claims_are_true(&self, media: &[&Medium], when: &str) {
        let map = MapFile::parse(&self.map).unwrap().map;
        let image = bytes(&self.image);
        for at in map.extents(Status::Finished).iter() {
            let all = at.offset as usize..at.end() as usize;
            if media.iter().any(|medium| image.get(all.clone()) == Some(&medium.content[all.clone()])) {
                continue;
            }
            for start in (at.offset as usize..at.end() as usize).step_by(SECTOR) {
                let sector = start..(start + SECTOR).min(at.end() as usize);
                let held = image.get(sector.clone());
                assert!(
                    media.iter().any(|medium| held == Some(&medium.content[sector.clone()])),
                    "{when}: the map claims {start:#x}, and the image does not hold it"
                );
            }
        }
    }

    /// Goes on to the end; the image must be that of `medium`.
    fn goes_on_to(self, medium: &Medium, root: &str, compare: bool, when: &str) {
        let rig = Rig::new(self.image, self.state).with_map(&self.map);
        let go_on = || -> Result<String> {
            let mut open = rig.go_on(SIZE, compare)?;
            let stopped = open.copy(&mut medium.drive(), CAREFUL)?.stopped;
            assert!(stopped.is_none(), "{when}: {stopped:?}");
            assert_eq!(open.bad(), medium.bad, "{when}");
            Ok(open.finish())
        };
        let found = go_on().unwrap_or_else(|error| panic!("{when}: {error}"));
        assert_same(&bytes(&rig.image), &medium.imaged(), when);
        assert_eq!(found, root, "{when}");
    }
}

/// Cuts at every write of both disks until a run comes to its end.
fn at_every_write(
    remains: &Remains,
    medium: &Medium,
    compare: bool,
    seeds: u64,
    check: impl Fn(Remains, &str),
) {
    for cut in [Cut::Image as fn(u64) -> Cut, Cut::State] {
        let mut cuts = 0;
        while let Some(left) = remains.cut(medium, compare, cut(cuts), seeds) {
            for (seed, left) in left.into_iter().enumerate() {
                check(left, &format!("cut at {:?}, seed {seed}", cut(cuts)));
            }
            cuts += 1;
        }
        assert!(cuts > 8, "the test cut only {cuts} times");
    }
}

#[test]
fn a_cut_at_any_write_loses_the_tail_and_never_lies() {
    let medium = Medium::first();
    let root = plain_root(&medium.imaged());
    at_every_write(&Remains::nothing(), &medium, false, 2, |left, when| {
        left.claims_are_true(&[&medium], when);
        left.goes_on_to(&medium, &root, false, when);
    });
}

#[test]
fn after_a_cut_a_changed_source_is_compared() {
    let (medium, changed) = (Medium::first(), Medium::first().changed());
    let root = plain_root(&changed.imaged());
    at_every_write(&Remains::nothing(), &medium, false, 1, |left, when| {
        left.goes_on_to(&changed, &root, true, when);
    });
}

#[test]
fn a_comparing_run_that_is_cut_never_believes_a_leaf_that_it_overwrote() {
    let (medium, changed) = (Medium::first(), Medium::first().changed());
    let (root, changed_root) = (plain_root(&medium.imaged()), plain_root(&changed.imaged()));
    // The source changes, and changes back: what was overwritten meanwhile has the leaf of what it should be again.
    at_every_write(&Remains::all_of(&medium), &changed, true, 1, |left, when| {
        left.claims_are_true(&[&medium, &changed], when);
        let again = Remains { image: left.image.clone(), state: left.state.clone(), map: left.map.clone() };
        again.goes_on_to(&medium, &root, true, when);
        left.goes_on_to(&changed, &changed_root, true, when);
    });
}

#[test]
fn two_cuts_in_a_row_are_survived() {
    let (medium, changed) = (Medium::first(), Medium::first().changed());
    let (root, changed_root) = (plain_root(&medium.imaged()), plain_root(&changed.imaged()));
    for first in [Cut::Image(4), Cut::State(8), Cut::Image(8)] {
        let left = Remains::nothing().cut(&medium, false, first, 4).unwrap().pop().unwrap();
        for second in (0..40).step_by(5).flat_map(|k| [Cut::Image(k), Cut::State(k)]) {
            for compare in [false, true] {
                let other = if compare { &changed } else { &medium };
                for again in left.cut(other, compare, second, 2).into_iter().flatten() {
                    let when = format!("cut at {first:?}, then at {second:?}");
                    again.claims_are_true(&[&medium, &changed], &when);
                    if compare {
                        let back = Remains {
                            image: again.image.clone(),
                            state: again.state.clone(),
                            map: again.map.clone(),
                        };
                        back.goes_on_to(&medium, &root, true, &when);
                        again.goes_on_to(&changed, &changed_root, true, &when);
                    } else {
                        again.goes_on_to(&medium, &root, false, &when);
                    }
                }
            }
        }
    }
}

#[test]
fn a_target_without_holes_holds_what_the_map_claims_too() {
    let medium = Medium::first();
    let root = plain_root(&medium.imaged());
    let empty = Remains { image: MemoryDisk::dense(0, 0), ..Remains::nothing() };
    at_every_write(&empty, &medium, false, 1, |left, when| {
        left.claims_are_true(&[&medium], when);
        left.goes_on_to(&medium, &root, false, when);
    });
}

/// A storage of which one flush fails, and the next says nothing of it: as Linux tells of a failed writeback once.
struct ForgetsToFlush {
    disk: MemoryDisk,
    flushes: AtomicUsize,
    fails: usize,
}

impl ReadAt for ForgetsToFlush {
    fn size(&self) -> u64 {
        self.disk.size()
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.disk.read_at(buf, offset)
    }
}

impl WriteAt for ForgetsToFlush {
    fn write_at(&self, data: &[u8], offset: u64) -> std::io::Result<()> {
        self.disk.write_at(data, offset)
    }
    fn zero_at(&self, at: Extent) -> std::io::Result<()> {
        self.disk.zero_at(at)
    }
    fn flush(&self) -> std::io::Result<()> {
        match self.flushes.fetch_add(1, Ordering::Relaxed) == self.fails {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
    fn set_size(&self, size: u64) -> std::io::Result<()> {
        self.disk.set_size(size)
    }
    fn holds_holes(&self) -> bool {
        true
    }
}

#[test]
fn nothing_is_recorded_after_a_flush_that_failed() {
    let size = 6 << 20;
    let new = |fails| ForgetsToFlush { disk: MemoryDisk::new(0), flushes: AtomicUsize::new(0), fails };
    for (image_fails, state_fails) in (0..5).map(|n| (n, usize::MAX)).chain((2..7).map(|n| (usize::MAX, n))) {
        let rig = Rig::new(new(image_fails), new(state_fails));
        let mut open = rig.begin(size).unwrap();
        let copied = open.copy(&mut SickDrive::new(disk(77, size)), CAREFUL).unwrap();
        assert_eq!(copied.stopped.unwrap().kind(), Kind::Limit, "{image_fails} {state_fails}");
        // The image is flushed once for every map that is saved.
        let held = rig.saved_map(size).bytes(Status::Finished);
        let recorded = open.ledger.recorded().unwrap().map.bytes(Status::Finished);
        assert_eq!(held, recorded);
        assert!(held < open.ledger.map().bytes(Status::Finished), "{image_fails} {state_fails}: {held}");
    }
}
