//! A qcow2 image of any content: opened, looked through, walked and read, without a panic, and within its bounds.
#![no_main]

use ectype_core::image::{Gate, Opened};
use ectype_core::io::ReadAt;
use ectype_core::{Error, Result};
use ectype_fuzz::{Only, change, look_through, open};
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
        Ok(open("raw", self.0.clone(), &mut Only::default()).expect("anything is raw"))
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
    let mut bytes = image();
    let len = bytes.len();
    change(&mut bytes, input, 1, len);
    let mut gate = Same(bytes.clone(), false);
    if let Some(image) = open("qcow2", bytes, &mut gate) {
        look_through(&*image);
    }
});
