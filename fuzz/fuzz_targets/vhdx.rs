//! A VHDX with anything written over it: opened, looked through and read, without a panic, and within its bounds.
#![no_main]

use ectype_core::image::codec::crc32c;
use ectype_core::image::{Gate, Opened, Parent, Place, Spec, named};
use ectype_core::io::{ReadAt, WriteAt};
use ectype_core::{Error, Extent, Result};
use libfuzzer_sys::fuzz_target;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};

const MIB: usize = 1 << 20;

/// A storage in memory.
#[derive(Default)]
struct Memory(Mutex<Vec<u8>>);

impl ReadAt for Memory {
    fn size(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.lock().unwrap().read_at(buf, offset)
    }
}

impl WriteAt for Memory {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let (mut bytes, start) = (self.0.lock().unwrap(), offset as usize);
        let end = bytes.len().max(start + data.len());
        bytes.resize(end, 0);
        bytes[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        self.write_at(&vec![0; at.len as usize], at.offset)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(size as usize, 0);
        Ok(())
    }

    fn holds_holes(&self) -> bool {
        true
    }
}

/// A gate to this parent, whatever its names.
struct Any(Option<Arc<dyn Opened>>);

impl Gate for Any {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused(name))
    }

    fn parent(&mut self, _names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        self.0.clone().ok_or_else(|| Error::refused("no parent"))
    }
}

/// An image of 4 MiB, a child of it, and the parent opened.
fn images() -> &'static (Vec<u8>, Vec<u8>, Arc<dyn Opened>) {
    static IMAGES: OnceLock<(Vec<u8>, Vec<u8>, Arc<dyn Opened>)> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let vhdx = named("vhdx").expect("a format");
        let make = |named: Option<Parent>, parent: Option<Arc<dyn Opened>>| {
            let writing = vhdx.writing.as_ref().expect("it is written");
            let spec = Spec { size: 4 << 20, sector: 512, block: 1 << 20, parent: named, ..Spec::default() };
            let (spec, _) = (writing.plan)(spec).unwrap();
            let disk = Arc::new(Memory::default());
            let mut image =
                (writing.create)(Place { storage: Box::new(Arc::clone(&disk)), parent }, &spec).unwrap();
            image.put(1 << 20, &[7; 100 << 10]).unwrap();
            image.zero(Extent::new(2 << 20, 1 << 20)).unwrap();
            image.finish().unwrap();
            drop(image);
            Arc::into_inner(disk).unwrap().0.into_inner().unwrap()
        };
        let base = make(None, None);
        let parent = (vhdx.open)(Arc::new(base.clone()), &mut Any(None)).unwrap();
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
    let vhdx = named("vhdx").expect("a format");
    let Ok(image) = (vhdx.open)(Arc::new(file), &mut Any(Some(Arc::clone(parent)))) else { return };
    let _ = image.check(&mut Default::default());
    let mut buffer = vec![0; MIB];
    for offset in [0, 1 << 20, image.size() / 2, image.size().saturating_sub(1 << 20)] {
        let len = image.size().saturating_sub(offset).min(buffer.len() as u64) as usize;
        let _ = image.read_at(&mut buffer[..len], offset);
    }
    let mut offset = 0;
    for _ in 0..64 {
        let Ok((_, until)) = image.content_at(offset) else { break };
        assert!(until > offset, "content_at goes on");
        offset = until;
    }
});
