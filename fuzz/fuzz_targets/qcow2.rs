//! A qcow2 image of any content: opened, looked through, walked and read, without a panic, and within its bounds.
#![no_main]

use ectype_core::image::{Gate, Opened, named};
use ectype_core::io::ReadAt;
use ectype_core::{Error, Result};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

/// Every other file that an image names is this one, once.
struct Same(Vec<u8>, bool);

impl Gate for Same {
    fn file(&mut self, _name: &str) -> Result<Arc<dyn ReadAt>> {
        Ok(Arc::new(self.0.clone()))
    }

    fn parent(&mut self, _names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        if std::mem::replace(&mut self.1, true) {
            return Err(Error::refused("enough"));
        }
        let mut raw = Same(Vec::new(), true);
        (named("raw").expect("it is there").open)(Arc::new(self.0.clone()), &mut raw)
    }
}

/// A small image that is whole: header, refcounts, L1 and L2 table, a cluster and a compressed one. The input changes it.
fn image() -> Vec<u8> {
    let mut image = vec![0; 16 << 10];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"QFI\xfb\0\0\0\x03");
    put(20, &9_u32.to_be_bytes());
    put(24, &(64_u64 << 10).to_be_bytes());
    put(36, &2_u32.to_be_bytes());
    for (at, offset) in [(40, 512_u64), (48, 1024), (512, 2048 | 1 << 63), (520, 2560), (1024, 1536)] {
        put(at, &offset.to_be_bytes());
    }
    put(56, &1_u32.to_be_bytes());
    put(96, &[0, 0, 0, 4, 0, 0, 0, 112]);
    put(1536, &[0, 1].repeat(7));
    put(2048, &(3072_u64 | 1 << 63).to_be_bytes());
    put(2056, &(3584_u64 | 1 << 62).to_be_bytes());
    put(3584, &[0x63, 0x60, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x0c]);
    image
}

fuzz_target!(|input: &[u8]| {
    // Changes of the image: two bytes of offset, a length, then that many bytes.
    let mut bytes = image();
    let mut rest = input;
    while let [a, b, len, tail @ ..] = rest {
        let offset = usize::from(u16::from_le_bytes([*a, *b])) % bytes.len();
        let len = usize::from(*len % 32).min(tail.len()).min(bytes.len() - offset);
        bytes[offset..offset + len].copy_from_slice(&tail[..len]);
        rest = &tail[len..];
    }
    let mut gate = Same(bytes.clone(), false);
    let Ok(opened) = (named("qcow2").expect("it is there").open)(Arc::new(bytes), &mut gate) else { return };
    let _ = opened.check(&mut Default::default());
    let (size, mut buffer) = (opened.size(), vec![0; 70_000]);
    for part in 0..16 {
        let offset = size / 16 * part;
        let len = (size - offset).min(buffer.len() as u64) as usize;
        let _ = opened.read_at(&mut buffer[..len], offset);
    }
    let (mut offset, mut steps) = (0, 0);
    while offset < size && steps < 1000 {
        let Ok((_, until)) = opened.content_at(offset) else { break };
        assert!(until > offset);
        (offset, steps) = (until, steps + 1);
    }
});
