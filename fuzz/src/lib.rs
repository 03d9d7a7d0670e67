//! What the targets share: images as our writers make them, changes of them, a gate, and a walk through what was opened.

use ectype_core::extent::PIECE;
use ectype_core::image::packed::Inflate;
use ectype_core::image::{Gate, Opened, Place, Sink, Spec, named};
use ectype_core::io::ReadAt;
use ectype_core::{Error, Extent, Result};
use ectype_testkit::MemoryDisk;
use std::sync::Arc;

/// A gate to this parent, whatever its names, and to no other file.
#[derive(Default)]
pub struct Only(pub Option<Arc<dyn Opened>>);

impl Gate for Only {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused(name))
    }

    fn parent(&mut self, names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        self.0.clone().ok_or_else(|| Error::refused(names.concat()))
    }
}

/// Opens stored bytes, if they are of this format.
pub fn open(format: &str, stored: Vec<u8>, gate: &mut dyn Gate) -> Option<Arc<dyn Opened>> {
    (named(format).expect("a format").open)(Arc::new(stored), gate).ok()
}

/// A whole image of that format as our writer makes it; `feed` is given the sink.
pub fn written(
    format: &str,
    spec: Spec,
    parent: Option<Arc<dyn Opened>>,
    feed: impl FnOnce(&mut dyn Sink),
) -> Vec<u8> {
    let writing = named(format).and_then(|format| format.writing.as_ref()).expect("a format that is written");
    let (spec, _) = (writing.plan)(Spec { sector: 512, ..spec }).expect("a spec that it takes");
    let disk = Arc::new(MemoryDisk::new(0));
    let place = Place { storage: Box::new(Arc::clone(&disk)), parent };
    let mut image = (writing.create)(place, &spec).expect("memory takes it");
    feed(&mut *image);
    image.finish().expect("memory takes it");
    disk.bytes()
}

/// Feeds some data, and zeros for the rest, in the order that every format takes.
pub fn feed_some(sink: &mut dyn Sink, size: u64) {
    for start in (0..size).step_by(PIECE as usize) {
        let at = Extent::new(start, PIECE.min(size - start));
        if start % (2 * PIECE) != 0 {
            sink.zero(at).expect("memory takes it");
            continue;
        }
        let data: Vec<u8> =
            (0..at.len).map(|n| if n < 200 << 10 { (n / 512) as u8 | 1 } else { 0 }).collect();
        match sink.packer() {
            Some(packer) => sink.put_packed(start, &data, &packer.pack(at, &data).expect("it can be packed")),
            None => sink.put(start, &data),
        }
        .expect("memory takes it");
    }
}

/// Changes bytes as `changes` say: two bytes of offset in units of `unit`, a length, then that many bytes; again and again.
/// What lies behind the end of `bytes` makes them longer, up to `most`.
pub fn change(bytes: &mut Vec<u8>, mut changes: &[u8], unit: usize, most: usize) {
    while let [a, b, len, tail @ ..] = changes {
        let offset = usize::from(u16::from_le_bytes([*a, *b])) * unit % most;
        let len = usize::from(*len).min(tail.len()).min(most - offset);
        if bytes.len() < offset + len {
            bytes.resize(offset + len, 0);
        }
        bytes[offset..offset + len].copy_from_slice(&tail[..len]);
        changes = &tail[len..];
    }
}

/// A stream of each compression, of the same 611 bytes, as the tools write it.
pub const STREAMS: [&[u8]; 5] = [
    // gzip
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03st\x1c\x1e\xc0i\x98\x00\xe7a\x022Rsr\xf2\x15\xc0$\x00\
      \xff\xb1\xd0{c\x02\x00\x00",
    // xz, two blocks
    b"\xfd7zXZ\x00\x00\x01i\x22\xde6\x02\x00!\x01\x0c\x00\x00\x00\x8f\x98A\x9c\xe0\x01\x8f\x00\x09]\
      \x00 \xeffB\xde\xbb]c\x80\x00\x00\x00\x00\xaa\xe8\xf3\x0b\x02\x00!\x01\x0c\x00\x00\x00\x8f\x98A\
      \x9c\xe0\x00\xd2\x00\x0f]\x00!\xeffh2\x9b\xb7\x0aM\xde_`\xc4\x00\x00\x00\x00\x8e\xe0r\xaf\x00\
      \x02!\x90\x03'\xd3\x01\x02f\xee\x1d>0\x0d\x8b\x02\x00\x00\x00\x00\x01YZ",
    // bzip2
    b"BZh11AY&SY\xdd\xc9S\x90\x00\x00\x00\x95\x04@\x008\x00\x02D\x84\x00 \x00!%47\xa8 \xc9\x88J\x99\
      \xe9\xcf\xc4\xabL\x05t]\xc9\x14\xe1BCw%N@",
    // lz4
    b"\x04\x22M\x18l@c\x02\x00\x00\x00\x00\x00\x00;\x1b\x00\x00\x00\x1fA\x01\x00\xb4\x1fB\x01\x00\xb4\
      \x1fC\x01\x00\xb4\xb0hello hello\x00\x00\x00\x00t\xedP\xb3",
    // zstd
    b"(\xb5/\xfd\x00X\xcd\x00\x00xAABChello hello\x03\x14\x00+D!\xde!\x16",
];

/// Whether a compressed stream has so much content that only time would be lost with it.
pub fn is_bomb(stored: &Arc<dyn ReadAt>) -> bool {
    const MOST: u64 = 4 << 20;
    let Ok(mut inflate) = Inflate::new(Arc::clone(stored)) else { return false };
    let mut buffer = vec![0; 64 << 10];
    while inflate.produced() < MOST {
        match inflate.fill(&mut buffer) {
            Ok(came) if came == buffer.len() => {}
            _ => return false,
        }
    }
    true
}

/// Looks through an image: its structure, what it says of its content, and some of the content.
pub fn look_through(image: &dyn Opened) {
    let _ = image.check(&mut Default::default());
    let (size, mut buffer) = (image.size(), vec![0; 70_000]);
    let mut read = |offset: u64| {
        let len = size.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let _ = image.read_at(&mut buffer[..len], offset);
    };
    // What a header claims may be terabytes: here and there, and at the end.
    (0..16).for_each(|part| read(size / 16 * part));
    read(size.saturating_sub(4096));
    let (mut offset, mut steps) = (0, 0);
    while offset < size && steps < 1000 {
        let Ok((_, until)) = image.content_at(offset) else { break };
        assert!(until > offset, "content_at goes on");
        if steps < 16 {
            read(offset);
        }
        (offset, steps) = (until, steps + 1);
    }
    // Behind its end there is nothing.
    assert!(image.read_at(&mut [0], size).is_err(), "read behind the end");
}
