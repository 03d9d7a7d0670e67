//! The map against one status a byte, its text, and what is made of maps.

use super::*;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// A map and the same as one status a byte.
fn model_set(model: &mut [Status], at: Extent, status: Status) {
    let size = model.len() as u64;
    model[at.offset.min(size) as usize..at.end().min(size) as usize].fill(status);
}

fn model_runs(model: &[Status]) -> Vec<(Extent, Status)> {
    let mut offset = 0;
    let mut runs = Vec::new();
    for chunk in model.chunk_by(|a, b| a == b) {
        runs.push((Extent::new(offset, chunk.len() as u64), chunk[0]));
        offset += chunk.len() as u64;
    }
    runs
}

fn model_cell(share: &[Status]) -> Cell {
    let has = |status| share.contains(&status);
    match () {
        () if has(Status::Bad) => Cell::Bad,
        () if has(Status::NonScraped) => Cell::NonScraped,
        () if has(Status::NonTrimmed) => Cell::NonTrimmed,
        () if has(Status::Finished) && has(Status::NonTried) => Cell::Mixed,
        () if has(Status::Finished) => Cell::Finished,
        () => Cell::NonTried,
    }
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(&Status::ALL)
}

fn sets(size: u64) -> impl Strategy<Value = Vec<(Extent, Status)>> {
    let set = (0..size + 4, 0..=size / 2, status())
        .prop_map(|(offset, len, status)| (Extent::new(offset, len), status));
    prop::collection::vec(set, 0..40)
}

fn built(size: u64, sets: &[(Extent, Status)]) -> (RescueMap, Vec<Status>) {
    let (mut map, mut model) = (RescueMap::new(size), vec![Status::NonTried; size as usize]);
    for &(at, status) in sets {
        map.set(at, status);
        model_set(&mut model, at, status);
    }
    (map, model)
}

fn sized_sets() -> impl Strategy<Value = (u64, Vec<(Extent, Status)>)> {
    (0_u64..80).prop_flat_map(|size| (Just(size), sets(size)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_map_is_one_status_a_byte((size, sets) in sized_sets(), width in 0_usize..100) {
        let (map, model) = built(size, &sets);
        prop_assert_eq!(map.size(), size);
        prop_assert_eq!(map.runs().collect::<Vec<_>>(), model_runs(&model));
        for status in Status::ALL {
            let of = |wanted: Status| model.iter().filter(move |&&found| found == wanted).count() as u64;
            prop_assert_eq!(map.bytes(status), of(status));
            prop_assert_eq!(map.extents(status).bytes(), of(status));
            prop_assert_eq!(map.count(status), model_runs(&model).iter().filter(|run| run.1 == status).count());
            prop_assert_eq!(map.is_all(status), model.iter().all(|&found| found == status));
        }
        for offset in 0..size {
            let run = model_runs(&model).into_iter().find(|run| run.0.contains(offset)).unwrap();
            prop_assert_eq!(map.run_at(offset), run);
            prop_assert_eq!(map.status_at(offset), run.1);
        }
        for offset in 0..size + 2 {
            for status in Status::ALL {
                let wanted = |run: &(Extent, Status)| run.1 == status;
                let next = model_runs(&model).into_iter().filter(wanted).find(|run| run.0.end() > offset);
                let next = next.map(|run| Extent::between(run.0.offset.max(offset), run.0.end()));
                prop_assert_eq!(map.next(offset, status), next);
                let previous = model_runs(&model).into_iter().filter(wanted).rfind(|run| run.0.offset < offset);
                let previous = previous.map(|run| Extent::between(run.0.offset, run.0.end().min(offset)));
                prop_assert_eq!(map.previous(offset, status), previous);
            }
        }
        let cells = width.min(size as usize);
        let share = |index: usize| &model[index * model.len() / cells..(index + 1) * model.len() / cells];
        prop_assert_eq!(map.picture(width), (0..cells).map(|index| model_cell(share(index))).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_written_is_read(
        (size, sets) in sized_sets(),
        scale in prop::sample::select(&[1_u64, 512, 1 << 30]),
        current_pos in 0..1_u64 << 62,
        current_status in prop::sample::select(&Phase::ALL),
        current_pass in 1..1_u32 << 31,
        command_line in ".*",
    ) {
        let mut map = RescueMap::new(size * scale);
        for (at, status) in sets {
            map.set(Extent::new(at.offset * scale, at.len * scale), status);
        }
        let file = MapFile { current_pos, current_status, current_pass, map };
        let header = Header { command_line, ..Header::default() };
        prop_assert_eq!(MapFile::parse(file.to_text(&header).as_bytes()).unwrap(), file);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = MapFile::parse(&bytes);
    }

    #[test]
    fn any_nearly_right_text_is_read_or_refused(text in "([0-9x+?*/F# -]|[\t\r\n]|0x[0-9A-F]{1,17}|0 9 \\+\n){0,60}") {
        if let Ok(file) = MapFile::parse(text.as_bytes()) {
            let again = MapFile::parse(file.to_text(&Header::default()).as_bytes());
            prop_assert_eq!(again.unwrap(), file.clone());
            let loose = MapFile::parse_loose(text.as_bytes(), Status::NonTried).unwrap();
            prop_assert_eq!(loose.map, file.map.complete(file.map.size(), Status::NonTried, false).unwrap());
        }
    }

    #[test]
    fn a_part_is_covered(start in 0_u64..50, len in 1_u64..50, more in 0_u64..50, status in status()) {
        let text = format!("0 + 1\n{start} {len} {}\n", status.sign());
        let mut map = MapFile::parse(text.as_bytes()).unwrap().map;
        let part = Extent::new(start, len);
        prop_assert_eq!(map.extent(), part);
        prop_assert_eq!(map.previous(u64::MAX, status), Some(part));
        prop_assert_eq!(map.next(0, status), Some(part));
        prop_assert_eq!(map.cover(part.end() - 1).unwrap_err().kind(), Kind::Changed);
        let mut whole = RescueMap::new(part.end() + more);
        whole.set(part, status);
        map.cover(part.end() + more).unwrap();
        prop_assert_eq!(map, whole);
    }
}

#[test]
fn an_empty_map_answers() {
    let map = RescueMap::new(0);
    assert_eq!(map, RescueMap::default());
    assert_eq!(map.runs().count(), 0);
    assert_eq!(map.next(0, Status::NonTried), None);
    assert!(map.is_all(Status::Finished) && map.picture(10).is_empty());
}

#[test]
fn the_text_is_ddrescues() {
    let mut map = RescueMap::new(5 << 30);
    map.set(Extent::new(0, 1 << 20), Status::Finished);
    map.set(Extent::new(1 << 20, 512), Status::Bad);
    let file = MapFile { current_pos: 1 << 20, current_status: Phase::Scraping, current_pass: 1, map };
    let header = Header {
        command_line: "ectype rescue /dev/sdx\nx.img".into(),
        start_time: "2026-01-02 03:04:05".into(),
        current_time: "2026-01-02 03:05:00".into(),
        remark: "Scraping failed blocks... (forwards)".into(),
    };
    let expected = format!(
        "# Mapfile. Created by ectype version {}\n\
         # Command line: ectype rescue /dev/sdx\\nx.img\n\
         # Start time:   2026-01-02 03:04:05\n\
         # Current time: 2026-01-02 03:05:00\n\
         # Scraping failed blocks... (forwards)\n\
         # current_pos  current_status  current_pass\n\
         0x00100000     /               1\n\
         #      pos        size  status\n\
         0x00000000  0x00100000  +\n\
         0x00100000  0x00000200  -\n\
         0x00100200  0x13FEFFE00  ?\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(file.to_text(&header), expected);
}

#[test]
fn a_refusal_names_the_line_and_the_byte() {
    let error = MapFile::parse(b"# a map\n0 + 1\n0 8 +\n9 8 -\n").unwrap_err();
    assert_eq!((error.kind(), error.offset()), (Kind::Corrupt, Some(20)));
    assert!(error.to_string().contains("line 4"), "{error}");
}

/// Not a benchmark: a change whose cost grows with the map would take minutes here, in any build.
#[test]
fn a_set_costs_little_in_any_order_and_size() {
    let begun = Instant::now();
    let mut map = RescueMap::new(8 << 40);
    for piece in 0..1 << 20 {
        map.set(Extent::new(piece << 20, 1 << 20), Status::Finished);
        map.set(Extent::new((8 << 40) - ((piece + 1) << 10), 1 << 10), Status::Finished);
    }
    assert_eq!(map.runs().count(), 3);
    let mut map = RescueMap::new(8 << 40);
    for piece in (0..300_000_u64).rev() {
        map.set(Extent::new(piece << 20, 512), Status::Bad);
    }
    for piece in 0..300_000_u64 {
        map.set(Extent::new(piece << 20, 256), Status::Finished);
    }
    assert_eq!((map.count(Status::Bad), map.count(Status::Finished)), (300_000, 300_000));
    assert_eq!(map.picture(80).len(), 80);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// What becomes of a byte of two maps.
type Rule<'a> = &'a dyn Fn(Status, Status) -> Status;

/// What a map says of byte `offset`.
fn said(map: &RescueMap, offset: u64) -> Option<Status> {
    map.extent().contains(offset).then(|| map.status_at(offset))
}

/// Ordered, free of gaps, coalesced, and counted rightly.
fn is_sound(map: &RescueMap) -> bool {
    let runs: Vec<_> = map.runs().collect();
    let joined = runs.windows(2).all(|pair| pair[0].0.end() == pair[1].0.offset && pair[0].1 != pair[1].1);
    let count = |status| runs.iter().filter(|run| run.1 == status).count();
    let bytes = |status| runs.iter().filter(|run| run.1 == status).map(|run| run.0.len).sum::<u64>();
    joined && Status::ALL.iter().all(|&it| map.count(it) == count(it) && map.bytes(it) == bytes(it))
}

const SPACE: u64 = 40;

/// A map of a part of [`SPACE`] bytes, perhaps of none.
fn part() -> impl Strategy<Value = RescueMap> {
    (0..10_u64, prop::collection::vec((0..6_u64, status()), 0..8)).prop_map(|(start, lens)| {
        let mut offset = start;
        let runs = lens.into_iter().map(|(len, status)| {
            let at = Extent::new(offset, len.min(SPACE - offset));
            offset = at.end();
            (at, status)
        });
        RescueMap::of_runs(start, runs.collect::<Vec<_>>())
    })
}

fn domain() -> impl Strategy<Value = Extents> {
    let extent = (0..SPACE, 0..SPACE / 2).prop_map(|(offset, len)| Extent::new(offset, len));
    prop_oneof![
        Just([Extent::new(0, u64::MAX)].into_iter().collect()),
        prop::collection::vec(extent, 0..5).prop_map(|list| list.into_iter().collect())
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn two_maps_made_one_follow_the_rules_byte_by_byte(a in part(), b in part(), domain in domain()) {
        let tried = |map: &RescueMap, offset| said(map, offset).unwrap_or(Status::NonTried);
        let rank = |status: Status| Status::ALL.iter().position(|&it| it == status).unwrap();
        let done = Status::Finished;
        let rules: [(RescueMap, Rule<'_>); 4] = [
            (a.union(&b), &|a, b| if rank(a) > rank(b) { a } else { b }),
            (a.intersect(&b), &|a, b| if rank(a) < rank(b) { a } else { b }),
            (a.difference(&b), &|a, b| if a == done && b == done { Status::Bad } else { a }),
            (a.xor(&b), &|a, b| match (a == done, b == done) {
                (true, true) => Status::Bad,
                (false, true) => done,
                _ => a,
            }),
        ];
        for (map, rule) in rules {
            prop_assert!(is_sound(&map), "{:?}", map);
            let inside = a.replaced(&domain, &map);
            prop_assert!(is_sound(&inside), "{:?}", inside);
            for offset in 0..SPACE + 2 {
                let spoken = said(&a, offset).is_some() || said(&b, offset).is_some();
                let (ours, theirs) = (tried(&a, offset), tried(&b, offset));
                // What lies between maps that do not meet was not tried.
                if spoken {
                    prop_assert_eq!(said(&map, offset), Some(rule(ours, theirs)), "byte {}", offset);
                } else {
                    prop_assert!(matches!(said(&map, offset), None | Some(Status::NonTried)));
                }
                let kept = if domain.contains(offset) { said(&map, offset) } else { said(&a, offset) };
                prop_assert_eq!(said(&inside, offset).unwrap_or(Status::NonTried), kept.unwrap_or(Status::NonTried));
            }
        }
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersect(&b), b.intersect(&a));
    }

    #[test]
    fn differences_are_those_of_the_bytes(a in part(), b in part(), domain in domain(), finished in any::<bool>()) {
        let list = a.differences(&b, &domain, finished);
        for pair in list.windows(2) {
            let next = pair[0].at.end() == pair[1].at.offset;
            prop_assert!(pair[0].at.end() <= pair[1].at.offset);
            prop_assert!(!next || (pair[0].one, pair[0].other) != (pair[1].one, pair[1].other));
        }
        for offset in 0..SPACE + 2 {
            let (one, other) = (said(&a, offset), said(&b, offset));
            let is = |status| status == Some(Status::Finished);
            let differs = if finished { is(one) != is(other) } else { one != other };
            let found = list.iter().find(|found| found.at.contains(offset));
            let expected = (differs && domain.contains(offset)).then_some((one, other));
            prop_assert_eq!(found.map(|found| (found.one, found.other)), expected, "byte {}", offset);
        }
    }

    #[test]
    fn a_map_is_changed_within_a_domain(map in part(), domain in domain()) {
        let changed = map.change(&domain, |_| Status::NonScraped);
        let inverted = map.invert(&domain);
        prop_assert!(is_sound(&changed) && is_sound(&inverted));
        for offset in 0..SPACE + 2 {
            let inside = domain.contains(offset);
            let old = said(&map, offset);
            let other = if old == Some(Status::Finished) { Status::Bad } else { Status::Finished };
            prop_assert_eq!(said(&changed, offset), old.map(|old| if inside { Status::NonScraped } else { old }));
            prop_assert_eq!(said(&inverted, offset), old.map(|old| if inside { other } else { old }));
        }
        let within: u64 = map.within(&domain).map(|run| run.0.len).sum();
        prop_assert_eq!(within, (0..SPACE).filter(|&at| said(&map, at).is_some() && domain.contains(at)).count() as u64);
    }

    #[test]
    fn a_map_is_shifted_and_completed(map in part(), by in -50..50_i64, size in 0..SPACE + 5, fill in status()) {
        let shifted = map.shift(by);
        prop_assert!(is_sound(&shifted), "{:?}", shifted);
        for offset in 0..SPACE + 52 {
            let before = i64::try_from(offset).unwrap() - by;
            let old = u64::try_from(before).ok().and_then(|before| said(&map, before));
            let front = by > 0 && offset < map.extent().offset.saturating_add_signed(by);
            prop_assert_eq!(said(&shifted, offset), old.or(front.then_some(Status::NonTried)), "byte {}", offset);
        }
        prop_assert_eq!(map.complete(size, fill, false).is_err(), map.size() > size);
        let whole = map.complete(size, fill, true).unwrap();
        prop_assert!(is_sound(&whole));
        for offset in 0..SPACE + 5 {
            let expected = (offset < size).then(|| said(&map, offset).unwrap_or(fill));
            prop_assert_eq!(said(&whole, offset), expected);
        }
    }

    #[test]
    fn lists_and_bitmaps_of_blocks_go_there_and_back(
        map in part(), block_size in 1..9_u64, high in any::<bool>(), seen in status(),
    ) {
        let extents = map.extents(seen);
        let order = if high { BitOrder::High } else { BitOrder::Low };
        let blocks: Vec<u64> = numbers(&extents, block_size).unwrap().into_iter().flatten().collect();
        let touched = |block: u64| extents.touches(Extent::new(block * block_size, block_size));
        prop_assert_eq!(&blocks, &(0..SPACE + 1).filter(|&block| touched(block)).collect::<Vec<_>>());

        let mut bits = Vec::new();
        Bitmap::new(&extents, map.size(), block_size, order).unwrap().write(&mut bits).unwrap();
        prop_assert_eq!(bits.len() as u64, map.size().div_ceil(block_size).div_ceil(8));
        let rule = Listed { block_size, listed: Status::Bad, others: Status::NonScraped };
        let mut text: Vec<String> = blocks.iter().rev().map(u64::to_string).collect();
        text.insert(text.len() / 2, "\n\t".into());
        let from_list = read_numbers(text.join("\n").as_bytes(), map.size(), rule).unwrap();
        let from_bits = read_bitmap(&bits, order, Some(map.size()), rule);
        prop_assert_eq!(&from_list, &from_bits);
        prop_assert!(is_sound(&from_list));
        for offset in 0..SPACE + 2 {
            let status = if touched(offset / block_size) { Status::Bad } else { Status::NonScraped };
            prop_assert_eq!(said(&from_list, offset), (offset < map.size()).then_some(status));
        }
        prop_assert_eq!(read_bitmap(&bits, order, None, rule).size(), bits.len() as u64 * 8 * block_size);
    }

    #[test]
    fn blocks_in_any_order_are_put_in_order(map in part(), seed in any::<u64>(), fill in status()) {
        let mut lines: Vec<String> =
            map.runs().map(|(at, status)| format!("{} {} {}", at.offset, at.len, status.sign())).collect();
        if !lines.is_empty() {
            let places = lines.len() as u64;
            lines.rotate_left((seed % places) as usize);
            lines.swap((seed % 7 % places) as usize, 0);
            lines.push(lines[0].clone());
        }
        let text = format!("9 / 3\n{}\n", lines.join("\n"));
        let file = MapFile::parse_loose(text.as_bytes(), fill).unwrap();
        prop_assert_eq!((file.current_pos, file.current_status, file.current_pass), (9, Phase::Scraping, 3));
        prop_assert_eq!(file.map, map.complete(map.size(), fill, false).unwrap());
    }

    #[test]
    fn loosely_any_nearly_right_text_is_read_or_refused(text in "(0 \\+ 1\n)([0-9]{1,2} [0-9]{1,2} [+?-]\n|0x[0-9A-F]{1,17} ){0,9}") {
        if let Ok(file) = MapFile::parse_loose(text.as_bytes(), Status::Bad) {
            prop_assert!(is_sound(&file.map) && (file.map.extent().offset == 0));
        }
    }
}

#[test]
fn the_end_of_space_is_no_trap() {
    let top = i64::MAX as u64;
    let map = RescueMap::of_runs(top - 10, [(Extent::between(top - 10, top), Status::Bad)]);
    assert_eq!(map.shift(i64::MAX).runs().collect::<Vec<_>>(), [(Extent::new(0, top), Status::NonTried)]);
    assert_eq!(map.shift(i64::MIN), RescueMap::default());
    assert_eq!(map.shift(5).bytes(Status::Bad), 5);
    assert_eq!(numbers(&map.extents(Status::Bad), 1).unwrap().first(), Some(&(top - 10..top)));
    let error = Bitmap::new(&map.extents(Status::Bad), map.size(), 512, BitOrder::Low).unwrap_err();
    assert_eq!(error.kind(), Kind::Limit);
    let whole = RescueMap::new(top).extents(Status::NonTried);
    assert_eq!(numbers(&whole, 512).unwrap_err().kind(), Kind::Limit);
    let rule = Listed { block_size: 512, listed: Status::Bad, others: Status::Finished };
    let list = b"18446744073709551615 36028797018963967\n0".as_slice();
    let map = read_numbers(list, u64::MAX, rule).unwrap();
    assert_eq!((map.size(), map.bytes(Status::Bad)), (top, 512));
    assert_eq!(read_numbers(b"1\n2 x\n", 9, rule).unwrap_err().offset(), Some(2));
}

#[test]
fn a_wrong_line_is_told_with_what_to_do() {
    let told = |error: Error| (error.to_string(), error.advice().join(" "));
    for (text, what, advice) in [
        (
            "0 + 1\n0 8 +\n9 8 -\n",
            "line 3: the block begins at 0x9, and the one before it ends at 0x8: a gap",
            "complete",
        ),
        ("0 + 1\n0 8 +\n7 8 -\n", "line 3: the block begins at 0x7, before", "complete"),
        ("0 + 1\n0 8 x\n", "line 2: not a block", "?*/-+"),
        ("\x7fELF\0\n", "line 1: bad or missing status line", "begins with"),
    ] {
        let (said, to_do) = told(MapFile::parse(text.as_bytes()).unwrap_err());
        assert!(said.contains(what) && to_do.contains(advice), "{said}: {to_do}");
    }
    let overlap = MapFile::parse_loose(b"0 + 1\n5 9 +\n0 8 -\n", Status::NonTried).unwrap_err();
    assert!(told(overlap).0.contains("line 2: the block overlaps one of another status"));
}

/// Not a benchmark: what is quadratic would take hours.
#[test]
fn a_million_runs_are_handled_in_seconds() {
    let begun = Instant::now();
    let half = 500_000_u64;
    let striped = |by: u64| {
        let run = |index: u64| {
            (Extent::new(index * 512, 512), if index % 2 == by { Status::Bad } else { Status::Finished })
        };
        RescueMap::of_runs(0, (0..half * 2).map(run))
    };
    let (one, other) = (striped(0), striped(1));
    let everything: Extents = [Extent::new(0, u64::MAX)].into_iter().collect();
    let striped_domain = one.extents(Status::Bad);
    assert!(one.union(&other).is_all(Status::Finished));
    assert_eq!(one.differences(&other, &striped_domain, false).len() as u64, half);
    assert_eq!(one.invert(&everything), other);
    assert_eq!(one.replaced(&striped_domain, &other).bytes(Status::Bad), 0);
    assert_eq!(one.shift(512).count(Status::Bad) as u64, half);
    let text = MapFile::new(one.clone()).to_text(&Header::default());
    assert_eq!(MapFile::parse_loose(text.as_bytes(), Status::NonTried).unwrap().map, one);
    assert_eq!(numbers(&striped_domain, 512).unwrap().len() as u64, half);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}
