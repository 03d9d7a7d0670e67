//! Compressed streams, as they are and as the tools write them: inflated, counted, and read as the image of a disk.
#![no_main]

use ectype_core::image::probe;
use ectype_core::io::ReadAt;
use ectype_fuzz::{Only, STREAMS, change, is_bomb, look_through};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|input: &[u8]| {
    let [first, second, changes @ ..] = input else { return };
    // None to two streams, one behind the other: what follows the last is the input's.
    let stream = |kind: &u8| STREAMS.get(usize::from(*kind) % 8).copied().unwrap_or_default();
    let mut bytes = [stream(first), stream(second)].concat();
    change(&mut bytes, changes, 1, 2048);
    let stored: Arc<dyn ReadAt> = Arc::new(bytes);
    if is_bomb(&stored) {
        return;
    }
    let Some(format) = probe(&*stored) else { return };
    if let Ok(image) = (format.open)(stored, &mut Only::default()) {
        look_through(&*image);
    }
});
