//! A VHDX of any structure: opened, looked through and read, without a panic, and within its bounds.
#![no_main]

use ectype_core::image::codec::crc32c;
use ectype_core::image::{Gate, Opened, named};
use ectype_core::io::ReadAt;
use ectype_core::{Error, Result};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

/// A parent of zeros, whatever its names.
struct Any(Arc<dyn Opened>);

impl Gate for Any {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused(name))
    }

    fn parent(&mut self, _names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        Ok(Arc::clone(&self.0))
    }
}

/// Gives a structure its checksum, so that what lies behind it is within reach.
fn seal(bytes: &mut [u8]) {
    bytes[4..8].fill(0);
    let sum = crc32c(bytes);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
}

fuzz_target!(|input: &[u8]| {
    let mut file = vec![0; 6 << 20];
    // A frame of what is usual; then four bytes of place, a length, and that many bytes, again and again.
    file[..8].copy_from_slice(b"vhdxfile");
    for (header, sequence) in [(64 << 10, 1), (128 << 10, 2)] {
        file[header..header + 4].copy_from_slice(b"head");
        file[header + 8] = sequence;
        file[header + 66] = 1;
        file[header + 68..header + 72].copy_from_slice(&(1_u32 << 20).to_le_bytes());
        file[header + 72..header + 80].copy_from_slice(&(1_u64 << 20).to_le_bytes());
    }
    const BAT: [u8; 16] =
        [0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42, 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08];
    const METADATA: [u8; 16] =
        [0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e];
    for table in [192 << 10, 256 << 10] {
        file[table..table + 4].copy_from_slice(b"regi");
        file[table + 8] = 2;
        for (index, (guid, place)) in [(BAT, 3_u64 << 20), (METADATA, 2 << 20)].into_iter().enumerate() {
            let at = table + 16 + index * 32;
            file[at..at + 16].copy_from_slice(&guid);
            file[at + 16..at + 24].copy_from_slice(&place.to_le_bytes());
            file[at + 24..at + 28].copy_from_slice(&(1_u32 << 20).to_le_bytes());
            file[at + 28] = 1;
        }
    }
    file[2 << 20..(2 << 20) + 8].copy_from_slice(b"metadata");
    let Some((flags, mut rest)) = input.split_first() else { return };
    while let [a, b, c, len, tail @ ..] = rest {
        let place = u32::from_le_bytes([*a, *b, *c, 0]) as usize % (file.len() - 256);
        let len = usize::from(*len).min(tail.len());
        file[place..place + len].copy_from_slice(&tail[..len]);
        rest = &tail[len..];
    }
    if flags & 1 != 0 {
        for at in [64 << 10, 128 << 10] {
            seal(&mut file[at..at + 4096]);
        }
    }
    if flags & 2 != 0 {
        for at in [192 << 10, 256 << 10] {
            seal(&mut file[at..at + (64 << 10)]);
        }
    }
    if flags & 4 != 0 {
        // The log's first entry, as long as it says it is.
        let log = &mut file[1 << 20..2 << 20];
        let len = u32::from_le_bytes([log[8], log[9], log[10], log[11]]) as usize;
        if (4096..=1 << 20).contains(&len) {
            seal(&mut log[..len]);
        }
    }
    let raw = named("raw").expect("a format");
    let parent = (raw.open)(Arc::new(vec![0; 1 << 20]), &mut NoGate).expect("raw opens anything");
    let vhdx = named("vhdx").expect("a format");
    let Ok(image) = (vhdx.open)(Arc::new(file), &mut Any(parent)) else { return };
    let _ = image.check(&mut Default::default());
    let mut buffer = vec![0; 1 << 20];
    for offset in [0, image.size() / 2, image.size().saturating_sub(1 << 20)] {
        let len = (image.size() - offset).min(buffer.len() as u64) as usize;
        let _ = image.read_at(&mut buffer[..len], offset);
    }
    let mut offset = 0;
    for _ in 0..64 {
        let Ok((_, until)) = image.content_at(offset) else { break };
        assert!(until > offset, "content_at goes on");
        offset = until;
    }
});

struct NoGate;

impl Gate for NoGate {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused(name))
    }

    fn parent(&mut self, _names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        Err(Error::refused("no parent"))
    }
}
