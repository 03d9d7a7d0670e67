//! A zstd image: opened, looked through and read; and compressed streams, inflated as far as they go.
#![no_main]

use ectype_core::image::{Gate, Opened, zst};
use ectype_core::io::ReadAt;
use ectype_core::source::{Inflate, told_size};
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
    let told = told_size(&*stored);
    if let Ok(mut inflate) = Inflate::new(Arc::clone(&stored)) {
        let mut buffer = vec![0; 64 << 10];
        let mut whole = false;
        for _ in 0..64 {
            match inflate.fill(&mut buffer) {
                Ok(came) if came == buffer.len() => {}
                Ok(_) => {
                    whole = true;
                    break;
                }
                Err(_) => break,
            }
        }
        if let (true, Ok(Some(told))) = (whole, told) {
            assert_eq!(told, inflate.produced());
        }
    }
    let Ok(image) = (zst::ZST.open)(stored, &mut Alone) else { return };
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
});
