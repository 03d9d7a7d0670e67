//! Any bytes, and images of every format with anything written over them: probed by all rows of the table, opened by those
//! that claim them and by one that does not, and looked through.
#![no_main]

use ectype_core::image::{FORMATS, Spec, foreign, probe};
use ectype_core::io::ReadAt;
use ectype_fuzz::{Only, STREAMS, change, feed_some, is_bomb, look_through, written};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

/// An image of each format, each compression and each subformat; first nothing.
static BASES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut bases = vec![Vec::new()];
    bases.extend(STREAMS.iter().map(|stream| stream.to_vec()));
    for format in FORMATS {
        let Some(writing) = &format.writing else { continue };
        let or_default = |list: &'static [&'static str]| if list.is_empty() { &[""] } else { list };
        for subformat in or_default(writing.subformats) {
            for compression in or_default(writing.compressions) {
                let (subformat, compression) = ((*subformat).into(), (*compression).into());
                let size = 300 << 10;
                let spec = Spec { size, sector: 512, subformat, compression, ..Spec::default() };
                if (writing.plan)(spec.clone()).is_ok() {
                    bases.push(written(format.name, spec, None, |sink| feed_some(sink, size)));
                }
            }
        }
    }
    bases
});

fuzz_target!(|input: &[u8]| {
    let [base, other, changes @ ..] = input else { return };
    let mut bytes = BASES[usize::from(*base) % BASES.len()].clone();
    match *base {
        0 => bytes.extend(changes),
        _ => change(&mut bytes, changes, 16, 1 << 20),
    }
    let stored: Arc<dyn ReadAt> = Arc::new(bytes);
    let _ = foreign(&*stored);
    let claimed = FORMATS.iter().copied().filter(|format| (format.probe)(&*stored));
    let mut chosen: Vec<_> = claimed.collect();
    assert_eq!(probe(&*stored), chosen.first().copied());
    chosen.push(FORMATS[usize::from(*other) % FORMATS.len()]);
    if is_bomb(&stored) {
        return;
    }
    for format in chosen {
        if let Ok(image) = (format.open)(Arc::clone(&stored), &mut Only::default()) {
            look_through(&*image);
        }
    }
});
