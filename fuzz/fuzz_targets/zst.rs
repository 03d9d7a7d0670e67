//! A zstd image, as it is and as our writer makes it: opened, looked through and read.
#![no_main]

use ectype_core::image::{Spec, zst};
use ectype_core::io::ReadAt;
use ectype_fuzz::{Only, change, feed_some, is_bomb, look_through, written};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

/// Two frames of data, one of zeros, and the table of them.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let size = (2 << 20) + 5000;
    written("zst", Spec { size, ..Spec::default() }, None, |sink| feed_some(sink, size))
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    let mut bytes = rest.to_vec();
    if kind % 2 == 0 {
        bytes = WHOLE.clone();
        let len = bytes.len();
        change(&mut bytes, rest, 1, len);
    }
    let stored: Arc<dyn ReadAt> = Arc::new(bytes);
    let _ = (zst::ZST.probe)(&*stored);
    if is_bomb(&stored) {
        return;
    }
    if let Ok(image) = (zst::ZST.open)(stored, &mut Only::default()) {
        look_through(&*image);
    }
});
