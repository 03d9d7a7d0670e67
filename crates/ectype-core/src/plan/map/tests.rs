//! The map against one status a byte, and its text.

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
            prop_assert_eq!(again.unwrap(), file);
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
