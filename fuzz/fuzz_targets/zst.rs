//! A zstd image: opened, looked through and read; and compressed streams, inflated as far as they go.
#![no_main]

use ectype_core::image::packed::Inflate;
use ectype_core::image::{Gate, Opened, probe, zst};
use ectype_core::io::ReadAt;
use ectype_core::{Error, Result};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

struct Alone;

impl Gate for Alone {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused(name))
    }

    fn parent(&mut self, names: &[String], _: Option<&str>) -> Result<Arc<dyn Opened>> {
        Err(Error::refused(names.concat()))
    }
}

fuzz_target!(|input: &[u8]| {
    let stored: Arc<dyn ReadAt> = Arc::new(input.to_vec());
    let _ = (zst::ZST.probe)(&*stored);
    if let Ok(mut inflate) = Inflate::new(Arc::clone(&stored)) {
        let mut buffer = vec![0; 64 << 10];
        for _ in 0..64 {
            match inflate.fill(&mut buffer) {
                Ok(came) if came == buffer.len() => {}
                _ => break,
            }
        }
        if inflate.produced() < 64 << 16 {
            through(probe(&*stored).and_then(|format| (format.open)(Arc::clone(&stored), &mut Alone).ok()));
        }
    }
    through((zst::ZST.open)(stored, &mut Alone).ok());
});

/// Looks through an image, if it is one.
fn through(image: Option<Arc<dyn Opened>>) {
    let Some(image) = image else { return };
    let size = image.size();
    if size <= 16 << 20 {
        let _ = image.check(&mut Default::default());
    }
    let mut buffer = vec![0; 4096];
    for part in 0..8 {
        let offset = size / 8 * part;
        let len = (size - offset).min(buffer.len() as u64) as usize;
        let _ = image.read_at(&mut buffer[..len], offset);
    }
    let (mut offset, mut steps) = (0, 0);
    while offset < size && steps < 1000 {
        let Ok((_, until)) = image.content_at(offset) else { break };
        assert!(until > offset);
        (offset, steps) = (until, steps + 1);
    }
}
