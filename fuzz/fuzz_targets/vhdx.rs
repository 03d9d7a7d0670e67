//! A VHDX with anything written over it: opened, looked through and read, without a panic, and within its bounds.
#![no_main]

use ectype_core::Extent;
use ectype_core::image::codec::crc32c;
use ectype_core::image::{Opened, Parent, Spec};
use ectype_fuzz::{Only, look_through, open, written};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, OnceLock};

const MIB: usize = 1 << 20;

/// An image of 4 MiB, a child of it, and the parent opened.
fn images() -> &'static (Vec<u8>, Vec<u8>, Arc<dyn Opened>) {
    static IMAGES: OnceLock<(Vec<u8>, Vec<u8>, Arc<dyn Opened>)> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let make = |named: Option<Parent>, parent: Option<Arc<dyn Opened>>| {
            let spec = Spec { size: 4 << 20, block: 1 << 20, parent: named, ..Spec::default() };
            written("vhdx", spec, parent, |sink| {
                sink.put(1 << 20, &[7; 100 << 10]).unwrap();
                sink.zero(Extent::new(2 << 20, 1 << 20)).unwrap();
            })
        };
        let base = make(None, None);
        let parent = open("vhdx", base.clone(), &mut Only(None)).unwrap();
        let named = Parent { relative: "base.vhdx".into(), id: parent.facts().id, ..Parent::default() };
        let child = make(Some(named), Some(Arc::clone(&parent)));
        (base, child, parent)
    })
}

/// Gives a structure its checksum, so that what lies behind it is within reach.
fn seal(bytes: &mut [u8]) {
    bytes[4..8].fill(0);
    let sum = crc32c(bytes);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
}

/// Where the structures are: headers, region tables, log, metadata table and items, BAT, the entry of the sector bitmap.
const PLACES: [usize; 8] =
    [64 << 10, 192 << 10, MIB, MIB + 4096, 2 * MIB, 2 * MIB + (64 << 10), 3 * MIB, 3 * MIB + 8 * 4096];

fuzz_target!(|input: &[u8]| {
    let (base, child, parent) = images();
    let [flags, rest @ ..] = input else { return };
    let mut file = if flags & 8 == 0 { base.clone() } else { child.clone() };
    // A structure, an offset in it, a length, and that many bytes; again and again.
    let mut rest = rest;
    while let [place, offset, len, tail @ ..] = rest {
        let place = PLACES[usize::from(*place) % PLACES.len()] + usize::from(*offset);
        let len = usize::from(*len).min(tail.len());
        file[place..place + len].copy_from_slice(&tail[..len]);
        rest = &tail[len..];
    }
    if flags & 4 != 0 {
        // The log's first entry, as long as it says it is.
        let log = &mut file[MIB..2 * MIB];
        let len = u32::from_le_bytes([log[8], log[9], log[10], log[11]]) as usize;
        if (4096..=MIB).contains(&len) {
            seal(&mut log[..len]);
        }
    }
    if flags & 1 == 0 {
        seal(&mut file[64 << 10..68 << 10]);
    }
    if flags & 2 == 0 {
        seal(&mut file[192 << 10..256 << 10]);
    }
    if let Some(image) = open("vhdx", file, &mut Only(Some(Arc::clone(parent)))) {
        look_through(&*image);
    }
});
