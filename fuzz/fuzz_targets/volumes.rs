//! A disk of any content: what is on it and how it is divided, without a panic, and within its bounds.
#![no_main]

use ectype_core::{fs, volume};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // Sparse: four bytes of offset in sectors, a length, then that many bytes; so that far structures are within reach.
    let mut disk = vec![0; 2 << 20];
    let mut rest = input;
    while let [a, b, len, tail @ ..] = rest {
        let offset = usize::from(u16::from_le_bytes([*a, *b])) * 64 % disk.len();
        let len = usize::from(*len).min(tail.len()).min(disk.len() - offset);
        disk[offset..offset + len].copy_from_slice(&tail[..len]);
        rest = &tail[len..];
    }
    let _ = fs::identify(&disk);
    for sector in [512, 2048, 4096] {
        if let Ok(Some(table)) = volume::scan(&disk, sector) {
            assert!(table.partitions.len() < 100_000);
        }
    }
});
