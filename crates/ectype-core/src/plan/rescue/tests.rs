//! The rescue on drives that exist only as sets of bad sectors.

use super::*;
use crate::plan::map::{Header, MapFile};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::strategy::Strategy as Chance;
use std::collections::VecDeque;

/// A drive: what is bad, and how it says so.
#[derive(Clone, Debug)]
struct Drive {
    geometry: Geometry,
    bad: Extents,
    /// Reads that touch these take long.
    slow: Extents,
    /// A failed read gives what lies before the first bad sector.
    partial: bool,
    /// A failed read names the first bad sector.
    tells: bool,
    depth: usize,
    /// A request in steps ends with the first one, as with sources that know none.
    one_step: bool,
    /// The rescue is cut when the second pass begins.
    one_pass: bool,
}

/// What was asked of it.
#[derive(Clone, Debug, Default)]
struct Counts {
    reads: u64,
    failed: u64,
    /// Where a window of a few pieces stands that moves forward over what is read, and how often it had to begin anew.
    end: u64,
    anew: u64,
    /// How often each sector was read.
    sectors: Vec<u32>,
}

impl Drive {
    fn new(size: u64, sector: u32, bad: impl IntoIterator<Item = Extent>) -> Drive {
        let bad: Extents = bad.into_iter().collect();
        let whole: Extents = [Extent::new(0, size)].into_iter().collect();
        Drive {
            geometry: Geometry { size, sector, physical_sector: sector },
            bad: bad.align_out(sector.into()).intersect(&whole),
            slow: Extents::new(),
            partial: false,
            tells: false,
            depth: 4,
            one_step: false,
            one_pass: false,
        }
    }

    fn read(&self, at: Extent) -> Read {
        let hit = self.bad.first_in(at);
        let took = if self.slow.touches(at) { Duration::from_secs(20) } else { Duration::from_millis(5) };
        let (good, outcome) = match hit {
            None => (at.len, Outcome::Ok),
            Some(hit) => (
                if self.partial { hit.offset - at.offset } else { 0 },
                Outcome::Medium { first_bad: self.tells.then_some(hit.offset), unwritten: false },
            ),
        };
        Read { good, outcome, took }
    }

    /// The answer to a request in steps, and how far it went.
    fn steps(&self, asked: Extent, step: u64, counts: &mut Counts) -> (Extent, Read) {
        let mut all = Read { good: 0, outcome: Outcome::Ok, took: Duration::ZERO };
        loop {
            let mut at = Extent::between(asked.offset + all.good, asked.end());
            if step < asked.len {
                at = at.first(step);
            }
            let Read { good, outcome, took } = self.read(at);
            let goes_on = matches!(outcome, Outcome::Ok) && at.end() < asked.end();
            all = Read { good: all.good + good, outcome, took: all.took + took };
            counts.reads += 1;
            let is_behind = at.offset + 16 * PIECE < counts.end;
            counts.anew += u64::from(is_behind);
            counts.end = if is_behind { at.end() } else { counts.end.max(at.end()) };
            counts.failed += u64::from(!matches!(all.outcome, Outcome::Ok));
            let sector = u64::from(self.geometry.sector);
            counts.sectors.resize((self.geometry.size / sector) as usize, 0);
            let touched = (at.offset / sector) as usize..(at.end() / sector) as usize;
            counts.sectors[touched].iter_mut().for_each(|count| *count += 1);
            if !goes_on || self.one_step {
                return (Extent::between(asked.offset, at.end()), all);
            }
        }
    }

    /// What the reader does, up to `most` answers; false when that was not all.
    fn rescue(&self, rescue: &mut Rescue, map: &mut RescueMap, counts: &mut Counts, most: u64) -> bool {
        let (mut queue, mut failed) = (VecDeque::new(), Vec::new());
        let ends = counts.reads.saturating_add(most);
        let sector = u64::from(self.geometry.sector);
        loop {
            while failed.is_empty() && queue.len() < if rescue.is_careful() { 1 } else { self.depth } {
                let Some(at) = rescue.next(map) else { break };
                if self.one_pass && rescue.stage().pass > 1 {
                    return false;
                }
                assert!(at.len <= PIECE && !at.is_empty() && at.end() <= self.geometry.size, "{at:?}");
                assert_eq!(at.align_out(sector).intersect(Extent::new(0, self.geometry.size)), at);
                queue.push_back((at, rescue.step().unwrap_or(at.len)));
            }
            let learn = |rescue: &mut Rescue, map: &mut RescueMap, at, read: &Read| {
                for (changed, status) in rescue.learn(at, read, map) {
                    let mut rest = changed;
                    while !rest.is_empty() {
                        let (run, before) = map.run_at(rest.offset);
                        if before != Status::Finished {
                            map.set(run.intersect(rest), status);
                        }
                        rest = Extent::between(run.end(), rest.end());
                    }
                }
            };
            if let Some((asked, step)) = queue.pop_front() {
                if counts.reads >= ends {
                    return false;
                }
                let (at, read) = self.steps(asked, step, counts);
                map.set(Extent::new(at.offset, read.good), Status::Finished);
                match read.outcome {
                    Outcome::Ok => learn(rescue, map, at, &read),
                    _ => failed.push((at, read)),
                }
            } else if failed.is_empty() {
                return true;
            } else {
                for (at, read) in failed.drain(..) {
                    learn(rescue, map, at, &read);
                }
            }
        }
    }

    fn all(&self, options: Options) -> (RescueMap, Counts) {
        let mut map = RescueMap::new(self.geometry.size);
        let mut counts = Counts::default();
        let mut rescue = Rescue::new(self.geometry, options);
        assert!(self.rescue(&mut rescue, &mut map, &mut counts, 1_000_000), "it comes to an end");
        (map, counts)
    }

    /// The map that every rescue must come to.
    fn expected(&self) -> RescueMap {
        let mut map = RescueMap::new(self.geometry.size);
        map.set(Extent::new(0, self.geometry.size), Status::Finished);
        self.bad.iter().for_each(|bad| map.set(bad, Status::Bad));
        map
    }
}

fn drives() -> impl Chance<Value = Drive> {
    let sector = prop::sample::select(vec![512_u32, 2048, 4096]);
    let place = (0_u64..6 * PIECE, 1_u64..200_000);
    let few = (0_u64..6 * PIECE, 1_u64..9000);
    let areas = (prop::collection::vec(place, 0..3), prop::collection::vec(few, 0..12));
    (sector, areas, any::<[bool; 4]>(), 1..5_usize, 0..3000_u64).prop_map(
        |(sector, (large, small), [partial, tells, slow, one_step], depth, odd)| {
            let size = (6 * PIECE + odd * 512).next_multiple_of(sector.into());
            let areas = large.into_iter().chain(small).map(|(offset, len)| Extent::new(offset, len));
            let mut drive = Drive::new(size, sector, areas);
            (drive.partial, drive.tells, drive.depth) = (partial, tells, depth);
            drive.one_step = one_step;
            if slow {
                drive.slow = [Extent::new(PIECE, PIECE)].into_iter().collect();
            }
            drive
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_bad_sectors_are_bad(
        drive in drives(),
        reverse: bool,
        leave_slow: bool,
        retries in 0..3_u32,
    ) {
        let options = Options { reverse, leave_slow, retries, ..Options::default() };
        let (map, counts) = drive.all(options);
        prop_assert_eq!(map, drive.expected());
        let most = counts.sectors.iter().max().unwrap();
        // Backwards, a drive that names the first bad sector names the one farthest away: one read for each.
        let named_from_behind = if drive.tells && reverse { 400 } else { 0 };
        prop_assert!(*most <= 12 + retries + named_from_behind, "a sector was read {} times", most);
    }

    #[test]
    fn cut_anywhere_and_resumed_from_its_text_it_comes_to_the_same(
        drive in drives(),
        cuts in prop::collection::vec(1..400_u64, 1..6),
    ) {
        let mut map = RescueMap::new(drive.geometry.size);
        let mut counts = Counts::default();
        let mut options = Options::default();
        for cut in cuts {
            let mut rescue = Rescue::new(drive.geometry, options.clone());
            let before = map.clone();
            drive.rescue(&mut rescue, &mut map, &mut counts, cut);
            for (at, status) in before.runs().filter(|run| run.1 == Status::Finished || run.1 == Status::Bad) {
                prop_assert!(map.run_at(at.offset).0.covers(at) && map.status_at(at.offset) == status);
            }
            let Stage { phase, pass, .. } = rescue.stage();
            let file = MapFile {
                current_pos: rescue.cursor.min(drive.geometry.size),
                current_status: phase,
                current_pass: pass,
                map: map.clone(),
            };
            let again = MapFile::parse(file.to_text(&Header::default()).as_bytes()).unwrap();
            map = again.map;
            let stage = Stage { phase: again.current_status, pass: again.current_pass, backwards: false };
            options.resume = Some((stage, again.current_pos));
        }
        let mut rescue = Rescue::new(drive.geometry, options);
        prop_assert!(drive.rescue(&mut rescue, &mut map, &mut counts, 1_000_000));
        prop_assert_eq!(map, drive.expected());
    }

    #[test]
    fn any_map_of_anybody_is_brought_to_its_end(
        drive in drives(),
        runs in prop::collection::vec((0_u64..6 * PIECE, 1_u64..300_000, prop::sample::select(&Status::ALL)), 0..30),
        position in 0..7 * PIECE,
        pass in 1..9_u32,
        phase in prop::sample::select(&Phase::ALL),
    ) {
        let mut map = RescueMap::new(drive.geometry.size);
        for (offset, len, status) in runs {
            map.set(Extent::new(offset, len), status);
        }
        let held = map.extents(Status::Finished);
        let stage = Stage { phase, pass, backwards: false };
        let options = Options { resume: Some((stage, position)), retries: 9, ..Options::default() };
        let mut rescue = Rescue::new(drive.geometry, options);
        prop_assert!(drive.rescue(&mut rescue, &mut map, &mut Counts::default(), 1_000_000));
        let finished = map.extents(Status::Finished);
        prop_assert!(held.subtract(&finished).is_empty(), "what was held is held");
        prop_assert_eq!(finished.bytes() + map.bytes(Status::Bad), drive.geometry.size);
        prop_assert!(map.extents(Status::Bad).subtract(&drive.bad).is_empty(), "only what is bad is bad");
    }

    #[test]
    fn outside_the_domain_nothing_is_read(
        drive in drives(),
        parts in prop::collection::vec((0_u64..12_000, 1_u64..3000), 1..5),
    ) {
        let sector = u64::from(drive.geometry.sector);
        let all = Extent::new(0, drive.geometry.size);
        let domain: Extents =
            parts.iter().map(|(first, count)| Extent::new(first * sector, count * sector).intersect(all)).collect();
        let (map, counts) = drive.all(Options { domain: Some(domain.clone()), ..Options::default() });
        prop_assert_eq!(map.bytes(Status::NonTried), drive.geometry.size - domain.bytes());
        prop_assert_eq!(map.extents(Status::Bad), drive.bad.intersect(&domain));
        prop_assert!((0..).zip(&counts.sectors).all(|(index, count)| *count == 0 || domain.contains(index * sector)));
    }
}

/// The disk of the figures: 120 single bad sectors and 8 runs of 10 in 1 GiB, scattered by a fixed chance.
fn benchmark() -> Drive {
    let sectors = (1_u64 << 30) / 512;
    let mut word = 7_u64;
    let mut chance = || {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (word >> 33) % (sectors - 10)
    };
    let areas = (0..128).map(|area| Extent::new(chance() * 512, if area < 120 { 512 } else { 5120 }));
    Drive::new(1 << 30, 512, areas.collect::<Vec<_>>())
}

#[test]
fn the_figures_of_the_benchmark_hold() {
    let drive = benchmark();
    let sectors = drive.bad.bytes() / 512;
    assert_eq!(sectors, 200);
    // Clusters that hold damage fail once, then every bad sector fails alone: nobody who is told nothing does better.
    let clusters = drive.bad.align_out(CLUSTER).bytes() / CLUSTER;
    let (map, counts) = drive.all(Options::default());
    assert_eq!(map, drive.expected());
    eprintln!("{} reads, {} failed; best {}", counts.reads, counts.failed, clusters + sectors);
    assert!(counts.failed <= clusters + sectors + 6, "{} of {}", counts.failed, clusters + sectors);
    assert!(counts.reads <= 26_112, "{} reads", counts.reads);

    // Steps that are asked for at once are the same reads.
    let (_, alone) = Drive { one_step: true, ..drive.clone() }.all(Options::default());
    assert_eq!((alone.reads, alone.failed), (counts.reads, counts.failed));
    assert_eq!(alone.sectors, counts.sectors);

    let told = Drive { tells: true, ..drive };
    let (map, counts) = told.all(Options::default());
    assert_eq!(map, told.expected());
    eprintln!("told: {} reads, {} failed", counts.reads, counts.failed);
    assert!(counts.failed * 10 <= sectors * 12, "{} failed", counts.failed);
}

#[test]
fn whatever_the_damage_hardly_more_reads_fail_than_must() {
    const SIZE: u64 = 1 << 30;
    let mut word = 11_u64;
    let mut chance = |below: u64| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (word >> 33) % below
    };
    for round in 0..6 {
        let mut areas = |count: u64, longest: u64, within: u64| -> Vec<Extent> {
            let area = |_| Extent::new(chance(within / 512) * 512, (1 + chance(longest)) * 512);
            (0..count).map(area).collect()
        };
        let patterns = [
            ("one place", areas(1, 40, SIZE)),
            ("a few places", areas(5, 40, SIZE)),
            ("single sectors", areas(400, 1, SIZE)),
            ("runs", areas(60, 200, SIZE)),
            ("a region", areas(300, 8, SIZE / 16)),
            ("a hole", areas(1, 40_000, SIZE / 2)),
            (
                "a hole and places",
                areas(1, 40_000, SIZE / 2).into_iter().chain(areas(50, 10, SIZE)).collect(),
            ),
        ];
        for (name, bad) in patterns {
            let drive = Drive::new(SIZE, 512, bad);
            let (map, counts) = drive.all(Options::default());
            assert_eq!(map, drive.expected());
            // Each cluster with damage once, each bad sector once: what GNU ddrescue comes to.
            let blind = (drive.bad.bytes() / 512) + drive.bad.align_out(CLUSTER).bytes() / CLUSTER;
            eprintln!("{round} {name}: {} failed, blind {blind}", counts.failed);
            assert!(counts.failed <= blind + blind / 20 + 4, "{name}: {} of {blind}", counts.failed);
        }
    }
}

#[test]
fn a_healthy_medium_is_read_in_ascending_pieces_and_nothing_else() {
    let drive = Drive::new(40 * PIECE + 4096, 512, []);
    let mut map = RescueMap::new(drive.geometry.size);
    let mut rescue = Rescue::new(drive.geometry, Options::default());
    for index in 0..41 {
        let at = rescue.next(&map).unwrap();
        assert_eq!(at, Extent::new(index * PIECE, if index < 40 { PIECE } else { 4096 }));
        assert!(!rescue.is_careful());
        map.set(at, Status::Finished);
        assert!(rescue.learn(at, &drive.read(at), &map).is_empty());
    }
    assert_eq!(rescue.next(&map), None);
    assert_eq!(rescue.stage().phase, Phase::Finished);
}

#[test]
fn a_large_hole_is_skipped_ever_further_and_then_closed_from_behind() {
    // The hole of the observation in ddrescue: skips of 64 KiB, 128 KiB … up to 1 %.
    let hole = Extent::new(100 * PIECE, 40 * PIECE);
    let mut drive = Drive::new(1 << 30, 512, [hole]);
    let mut map = RescueMap::new(drive.geometry.size);
    let mut counts = Counts::default();
    drive.one_pass = true;
    drive.rescue(&mut Rescue::new(drive.geometry, Options::default()), &mut map, &mut counts, u64::MAX);
    let met: Vec<u64> = map.extents(Status::NonTrimmed).iter().map(|at| at.offset).collect();
    assert!(met.len() < 20, "{met:?}");
    assert_eq!(met[0], hole.offset);
    assert_eq!(met[1], hole.offset + 2 * CLUSTER);
    assert_eq!(met[2], hole.offset + 5 * CLUSTER);
    drive.one_pass = false;
    let stage = Stage { phase: Phase::Copying, pass: 2, backwards: true };
    let options = Options { resume: Some((stage, drive.geometry.size)), ..Options::default() };
    assert!(drive.rescue(&mut Rescue::new(drive.geometry, options), &mut map, &mut counts, 1_000_000));
    assert_eq!(map, drive.expected());
    let (clusters, sectors) = (hole.len / CLUSTER, hole.len / 512);
    assert!(counts.failed <= clusters + sectors + 40, "{} of {}", counts.failed, clusters + sectors);
}

#[test]
fn patience_grows_where_every_second_sector_is_bad() {
    let bad = (0..4096).map(|index| Extent::new(PIECE + index * 1024, 512));
    let drive = Drive::new(1 << 26, 512, bad.collect::<Vec<_>>());
    let (map, counts) = drive.all(Options::default());
    assert_eq!(map, drive.expected());
    let blind = 4096 + drive.bad.align_out(CLUSTER).bytes() / CLUSTER;
    assert!(counts.failed <= blind + 20, "{} of {blind}", counts.failed);
}

#[test]
fn what_is_slow_is_left_and_come_back_to() {
    let mut drive = Drive::new(100 * PIECE, 512, []);
    drive.slow = [Extent::new(40 * PIECE, 20 * PIECE)].into_iter().collect();
    let mut map = RescueMap::new(drive.geometry.size);
    let options = Options { leave_slow: true, ..Options::default() };
    let mut counts = Counts::default();
    drive.one_pass = true;
    drive.rescue(&mut Rescue::new(drive.geometry, options.clone()), &mut map, &mut counts, u64::MAX);
    let left = map.extents(Status::NonTried);
    assert!(left.bytes() > 4 * PIECE && left.subtract(&drive.slow).is_empty(), "{left:?}");
    drive.one_pass = false;
    let stage = Stage { phase: Phase::Copying, pass: 2, backwards: true };
    let options = Options { resume: Some((stage, drive.geometry.size)), ..options };
    assert!(drive.rescue(&mut Rescue::new(drive.geometry, options), &mut map, &mut counts, 1_000_000));
    assert!(map.is_all(Status::Finished));
}

#[test]
fn without_scraping_only_the_edges_are_found() {
    let drive = Drive::new(8 * PIECE, 512, [Extent::new(3 * PIECE + 512, 100_000)]);
    let (map, counts) = drive.all(Options { scrape: false, ..Options::default() });
    assert!(map.bytes(Status::NonScraped) > 80_000, "{map:?}");
    assert_eq!(map.bytes(Status::NonTrimmed) + map.bytes(Status::NonTried), 0);
    assert!(map.bytes(Status::Bad) <= 64 * 512);
    assert_eq!(map.bytes(Status::Finished), drive.geometry.size - drive.bad.bytes());
    assert!(counts.failed < 64);
}

#[test]
fn good_steps_before_a_slow_failure_are_not_slow() {
    let drive = Drive::new(1 << 30, 512, []);
    let mut map = RescueMap::new(drive.geometry.size);
    let mut rescue = Rescue::new(drive.geometry, Options { leave_slow: true, ..Options::default() });
    let mut answer = |rescue: &mut Rescue, at: Extent, good: u64, took: Duration| {
        let outcome = match good == at.len {
            true => Outcome::Ok,
            false => Outcome::Medium { first_bad: None, unwritten: false },
        };
        map.set(Extent::new(at.offset, good), Status::Finished);
        for (changed, status) in rescue.learn(at, &Read { good, outcome, took }, &map) {
            map.set(changed, status);
        }
        rescue.next(&map).unwrap()
    };
    let mut at = rescue.next(&RescueMap::new(drive.geometry.size)).unwrap();
    for _ in 0..40 {
        at = answer(&mut rescue, at, at.len, Duration::from_millis(5));
    }
    // Of a suspect medium, three clusters that were read at once, and a fourth over which the drive thought for long.
    let failed = at.first(CLUSTER);
    at = answer(&mut rescue, at, 0, Duration::from_secs(5));
    assert_eq!((at.offset, rescue.step()), (failed.offset, Some(CLUSTER)));
    let four = Extent::new(at.offset, 4 * CLUSTER);
    at = answer(&mut rescue, four, 3 * CLUSTER, Duration::from_secs(5));
    assert_eq!(at.offset, four.end() + CLUSTER, "the first skip");
    assert_eq!(rescue.took.as_secs(), 10, "no time counts twice");
}

#[test]
fn forward_is_a_few_times_from_start_to_end_whatever_the_damage() {
    let scattered =
        (0..200).map(|index| Extent::new(index * 3 * PIECE + index % 7 * 512, 512 << (index % 8)));
    let hole = Extent::new(700 * PIECE, 40 * PIECE);
    let drive = Drive::new(1 << 30, 512, scattered.chain([hole]).collect::<Vec<_>>());
    let (map, counts) = drive.all(Options::default());
    assert_eq!(map, drive.expected());
    assert!(counts.anew > 10, "{} times", counts.anew);
    let (map, counts) = drive.all(Options::forward());
    assert_eq!(map, drive.expected());
    assert!(counts.anew <= 2, "{} times", counts.anew);
}
