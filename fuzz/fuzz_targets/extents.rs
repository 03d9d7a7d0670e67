//! The set operations of [`Extents`] against the plainest model: one `bool` per byte of a small space.
#![no_main]

use ectype_core::{Extent, Extents};
use libfuzzer_sys::fuzz_target;

/// How many bytes the modelled space has: small, so that extents meet, touch and swallow each other often.
const SPACE: usize = 256;

type Model = [bool; SPACE];

fn model_of(set: &Extents) -> Model {
    let mut model = [false; SPACE];
    for extent in set.iter() {
        model[extent.offset as usize..extent.end() as usize].fill(true);
    }
    model
}

fn check(set: &Extents, model: &Model) {
    let mut end = None;
    for extent in set.iter() {
        assert!(!extent.is_empty(), "an empty extent in {set:?}");
        assert!(end.is_none_or(|end| end < extent.offset), "disorder or adjacency in {set:?}");
        end = Some(extent.end());
    }
    assert_eq!(&model_of(set), model, "{set:?}");
    assert_eq!(set.bytes(), model.iter().filter(|&&there| there).count() as u64);
}

fuzz_target!(|data: &[u8]| {
    // Two sets are built side by side; a step is four bytes: what, on which set, offset, length.
    let (mut sets, mut models) = ([Extents::new(), Extents::new()], [[false; SPACE]; 2]);
    for step in data.chunks_exact(4).take(64) {
        let which = usize::from(step[1] & 1);
        let extent =
            Extent::new(u64::from(step[2]), u64::from(step[3]).min(SPACE as u64 - u64::from(step[2])));
        let range = extent.offset as usize..extent.end() as usize;
        let [a, b] = models;
        let each = |f: fn(bool, bool) -> bool| -> Model { std::array::from_fn(|i| f(a[i], b[i])) };
        match step[0] % 8 {
            0 | 1 => {
                sets[which].insert(extent);
                models[which][range].fill(true);
            }
            2 => {
                sets[which].remove(extent);
                models[which][range].fill(false);
            }
            3 => check(&sets[0].union(&sets[1]), &each(|x, y| x | y)),
            4 => check(&sets[0].intersect(&sets[1]), &each(|x, y| x & y)),
            5 => check(&sets[0].subtract(&sets[1]), &each(|x, y| x & !y)),
            6 => {
                let there = &models[which][range];
                assert_eq!(sets[which].covers(extent), there.iter().all(|&there| there));
                assert_eq!(sets[which].touches(extent), there.iter().any(|&there| there));
                assert_eq!(sets[which].contains(extent.offset), models[which][extent.offset as usize]);
            }
            _ => {
                // Widening only adds and narrowing only takes, whatever the unit.
                let unit = u64::from(step[3]).max(1);
                let (wide, narrow) = (sets[which].align_out(unit), sets[which].align_in(unit));
                assert!(sets[which].subtract(&wide).is_empty());
                assert!(narrow.subtract(&sets[which]).is_empty());
                assert!(wide.iter().all(|w| w.offset % unit == 0 && w.end() % unit == 0));
                assert!(narrow.iter().all(|n| n.offset % unit == 0 && n.end() % unit == 0));
            }
        }
        check(&sets[which], &models[which]);
    }
});
