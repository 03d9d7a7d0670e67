//! Image formats: what must hold of every one of them, whatever its layout.
//!
//! ```text
//!   model     random puts, zeros and checkpoints   ──► reads as a plain array of bytes, before and after finishing
//!   crash     a power cut at every write           ──► what was checkpointed is there, the rest zeros; goes on to the whole
//!   hostile   every prefix, every header byte flipped ──► an answer or an error; no panic, no endless loop, no huge memory
//! ```

mod corpus;
mod packed;
mod qcow2;
mod raw;
mod vhd;
mod vhdx;
mod vmdk;
mod zst;

use crate::engine::Dice;
use crate::rig::assert_same;
use ectype_core::image::differing::Differing;
use ectype_core::image::{Format, Gate, Image, Opened, Place, Placement, Sink, Spec, named};
use ectype_core::io::{Content, Durable, ReadAt, Storage};
use ectype_core::{Error, Extent, Extents, Result};
use ectype_testkit::{MemoryDisk, TornDisk};
use std::sync::Arc;

const PIECE: u64 = 1 << 20;

/// A format with what it is told.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) format: &'static Format,
    pub(crate) spec: Spec,
}

/// No image here has parents.
pub(crate) struct Alone;

impl Gate for Alone {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused(format!("the image names the file {name}")))
    }

    fn parent(&mut self, names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        Err(Error::refused(format!("the image names the parent {names:?}")))
    }
}

impl Case {
    /// The format with `spec` completed by its plan.
    pub(crate) fn new(format: &'static Format, spec: Spec) -> Case {
        let spec = Spec { id: *b"0123456789abcdef", created: 1_764_000_000, ..spec };
        let spec =
            Spec { sector: spec.sector.max(512), physical_sector: spec.physical_sector.max(512), ..spec };
        let plan = format.writing.as_ref().expect("a format that is written").plan;
        Case { format, spec: plan(spec).unwrap().0 }
    }

    fn writing(&self) -> &'static ectype_core::image::Writing {
        self.format.writing.as_ref().unwrap()
    }

    pub(crate) fn create(&self, storage: impl Storage + 'static) -> Result<Box<dyn Image>> {
        (self.writing().create)(place(storage), &self.spec)
    }

    pub(crate) fn resume(&self, storage: impl Storage + 'static, held: &Extents) -> Result<Box<dyn Image>> {
        (self.writing().resume)(place(storage), &self.spec, held)
    }

    pub(crate) fn open(&self, stored: impl ReadAt + 'static) -> Result<Arc<dyn Opened>> {
        (self.format.open)(Arc::new(stored), &mut Alone)
    }

    /// The finished image of `content`, written as the engine does: ascending pieces, packed where the format packs.
    pub(crate) fn image_of(&self, content: &[u8]) -> MemoryDisk {
        let disk = Arc::new(MemoryDisk::new(0));
        let mut image = self.create(Arc::clone(&disk)).unwrap();
        feed(&mut *image, content, Extent::new(0, content.len() as u64));
        image.finish().unwrap();
        drop(image);
        Arc::into_inner(disk).expect("the image let go of its storage")
    }
}

fn place(storage: impl Storage + 'static) -> Place {
    Place { storage: Box::new(Durable::new(storage)), parent: None }
}

/// Puts `part` of `content` as the engine does: whole pieces, zeros told apart in cells of 64 KiB unless it is packed.
pub(crate) fn feed(image: &mut dyn Image, content: &[u8], part: Extent) {
    let packer = image.packer();
    let mut offset = part.offset;
    while offset < part.end() {
        let end = ((offset / PIECE + 1) * PIECE).min(part.end());
        let (at, data) = (Extent::between(offset, end), &content[offset as usize..end as usize]);
        if data.iter().all(|&byte| byte == 0) {
            image.zero(at).unwrap();
        } else if let Some(packer) = &packer {
            image.put_packed(offset, data, &packer.pack(at, data).unwrap()).unwrap();
        } else {
            for (index, cell) in data.chunks(64 << 10).enumerate() {
                let start = offset + (index << 16) as u64;
                match cell.iter().all(|&byte| byte == 0) {
                    true => image.zero(Extent::new(start, cell.len() as u64)).unwrap(),
                    false => image.put(start, cell).unwrap(),
                }
            }
        }
        offset = end;
    }
}

/// Bytes with data, zeros and compressible text in them, in runs that respect no boundary.
pub(crate) fn sample(seed: u64, len: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut content = vec![0; len as usize];
    let mut at = 0;
    while at < content.len() {
        let run = 1 + dice.below(400_000) as usize;
        let end = (at + run).min(content.len());
        match dice.below(3) {
            0 => {}
            1 => content[at..end].iter_mut().for_each(|byte| *byte = dice.below(256) as u8),
            _ => content[at..end]
                .iter_mut()
                .enumerate()
                .for_each(|(n, byte)| *byte = b'a' + (n / 9 % 23) as u8),
        }
        at = end;
    }
    content
}

/// All of it, in reads of odd lengths, and by what is known without reading.
pub(crate) fn content(reader: &dyn ReadAt) -> Vec<u8> {
    let mut all = vec![0; reader.size() as usize];
    for (index, part) in all.chunks_mut(300_001).enumerate() {
        reader.read_at(part, index as u64 * 300_001).unwrap();
    }
    let mut offset = 0;
    while offset < reader.size() {
        let (content, until) = reader.content_at(offset).unwrap();
        assert!(until > offset, "content_at goes on");
        let end = until.min(reader.size());
        if content != Content::Data {
            assert!(all[offset as usize..end as usize].iter().all(|&byte| byte == 0), "zeros at {offset:#x}");
        }
        offset = end;
    }
    all
}

/// Content padded with zeros to what the format holds.
pub(crate) fn padded(mut content: Vec<u8>, size: u64) -> Vec<u8> {
    assert!(size >= content.len() as u64 && size - (content.len() as u64) < 4 * PIECE, "{size}");
    content.resize(size as usize, 0);
    content
}

/// Random operations against a plain array of bytes; then what was written in order.
pub(crate) fn model(case: &Case, seed: u64) {
    let size = case.spec.size;
    let ordered = sample(seed, size);
    let opened = case.open(case.image_of(&ordered)).unwrap();
    assert_same(&content(&opened), &padded(ordered, opened.size()), "written in order");
    let probe = MemoryDisk::new(0);
    if case.create(probe).unwrap().placement() == Placement::InOrder {
        return;
    }
    let mut dice = Dice(seed);
    let disk = Arc::new(MemoryDisk::new(0));
    let mut image = case.create(Arc::clone(&disk)).unwrap();
    let mut expected = vec![0; size as usize];
    for _ in 0..60 {
        let start = dice.below(size / 512) * 512;
        let len = ((1 + dice.below(2_000)) * 512).min(size - start);
        let (at, bytes) = (Extent::new(start, len), start as usize..(start + len) as usize);
        match dice.below(8) {
            0..4 => {
                let data = sample(dice.below(1 << 30), len);
                expected[bytes].copy_from_slice(&data);
                image.put(start, &data).unwrap();
            }
            4 => {
                expected[bytes].fill(0);
                image.zero(at).unwrap();
            }
            5 => {
                expected[bytes].fill(0);
                image.unreadable(at).unwrap();
            }
            6 => {
                expected[bytes].fill(0);
                image.unused(at).unwrap();
            }
            _ => image.checkpoint().unwrap(),
        }
        let look = dice.below(size);
        let mut seen = vec![7; (size - look).min(70_000) as usize];
        image.read_at(&mut seen, look).unwrap();
        assert!(seen == expected[look as usize..][..seen.len()], "read back at {look:#x}");
    }
    assert_same(&content(&image), &padded(expected.clone(), image.size()), "before it is finished");
    image.finish().unwrap();
    drop(image);
    let opened = case.open(disk).unwrap();
    assert_same(&content(&opened), &padded(expected, opened.size()), "written at random");
}

/// A power cut at every write, with checkpoints after every piece: what a checkpoint covered is there, all else is zeros
/// again, and going on leads to the whole.
pub(crate) fn crash(case: &Case, seeds: u64) {
    let size = case.spec.size;
    let original = sample(5, size);
    let mut cuts = 0;
    loop {
        let torn = Arc::new(TornDisk::new(MemoryDisk::new(0)).crash_after(cuts));
        let (held, whole) = until_cut(case, &torn, &original);
        if whole {
            break;
        }
        for seed in 0..seeds {
            let when = format!("cut at write {cuts}, seed {seed}");
            let left = Arc::new(torn.survivors(cuts * 7 + seed));
            // Before its first checkpoint there is no image to go on with.
            let Some(held) = &held else {
                continue;
            };
            let mut image =
                case.resume(Arc::clone(&left), held).unwrap_or_else(|error| panic!("{when}: {error}"));
            let mut expected = vec![0; size as usize];
            held.iter().for_each(|at| {
                let bytes = at.offset as usize..at.end() as usize;
                expected[bytes.clone()].copy_from_slice(&original[bytes]);
            });
            assert_same(&content(&image), &padded(expected, image.size()), &when);
            let all: Extents = [Extent::new(0, size)].into_iter().collect();
            for rest in all.subtract(held).iter() {
                feed(&mut *image, &original, rest);
            }
            image.finish().unwrap();
            drop(image);
            let opened = case.open(left).unwrap_or_else(|error| panic!("{when}: {error}"));
            assert_same(&content(&opened), &padded(original.clone(), opened.size()), &when);
            let mut findings = Default::default();
            opened.check(&mut findings).unwrap();
            assert!(findings.faults.is_empty(), "{when}: {findings:?}");
        }
        cuts += 1;
    }
    assert!(cuts > 8, "the test cut only {cuts} times");
}

type Made = Result<Box<dyn Image>>;

/// Begins an image over a parent, and goes on with one.
pub(crate) struct Making<'a> {
    pub(crate) create: &'a dyn Fn(Arc<TornDisk>) -> Made,
    pub(crate) resume: &'a dyn Fn(Arc<MemoryDisk>, &Extents) -> Made,
}

/// A power cut at every write of a child that is given all of a content of which every other `unit` bytes are its parent's.
/// They are held without being put; then what differs is put beside them, into the same blocks and clusters. Whatever a cut
/// leaves of the tables, what is held must still be seen.
pub(crate) fn cut_beside_the_parents(making: &Making<'_>, base: &[u8], unit: u64, seeds: u64) {
    let size = base.len() as u64;
    let mut original = base.to_vec();
    for part in original.chunks_mut(unit as usize).skip(1).step_by(2) {
        part.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
    }
    let parts = |first: u64| {
        (0..size.div_ceil(unit)).skip(first as usize).step_by(2).map(move |n| Extent::new(n * unit, unit))
    };
    let of = |at: Extent| &original[at.offset as usize..at.end().min(size) as usize];
    for cuts in 0.. {
        let torn = Arc::new(TornDisk::new(MemoryDisk::new(0)).crash_after(cuts));
        let mut held = None;
        let ended = (|| -> Result<()> {
            let mut image = Differing::new((making.create)(Arc::clone(&torn))?);
            let mut put = Extents::new();
            for (n, at) in parts(0).chain(parts(1)).enumerate() {
                if n % 40 == 0 {
                    image.checkpoint()?;
                    held = Some(put.clone());
                }
                image.put(at.offset, of(at))?;
                put.insert(at.intersect(Extent::new(0, size)));
            }
            image.finish()
        })();
        if ended.is_ok() {
            assert!(cuts > 8, "the test cut only {cuts} times");
            return;
        }
        let Some(held) = held else { continue };
        for seed in 0..seeds {
            let when = format!("cut at write {cuts}, seed {seed}");
            let left = Arc::new(torn.survivors(cuts * 13 + seed));
            let resumed = (making.resume)(Arc::clone(&left), &held);
            let mut image = Differing::new(resumed.unwrap_or_else(|error| panic!("{when}: {error}")));
            let mut expected = base.to_vec();
            for at in held.iter() {
                expected[at.offset as usize..at.end() as usize].copy_from_slice(of(at));
            }
            assert_same(&content(&image)[..size as usize], &expected, &when);
            parts(1).for_each(|at| image.put(at.offset, of(at)).unwrap());
            image.finish().unwrap();
            assert_same(&content(&image)[..size as usize], &original, &when);
        }
    }
}

#[test]
fn a_cut_does_not_stop_what_holds_zeros_beside_new_data() {
    for format in ["vhd", "vhdx", "vmdk", "qcow2"] {
        let size = (3 << 20) + 1024;
        let case = Case::new(named(format).unwrap(), Spec { size, ..Spec::default() });
        let making =
            Making { create: &|disk| case.create(disk), resume: &|disk, held| case.resume(disk, held) };
        cut_beside_the_parents(&making, &vec![0; size as usize], 16 << 10, 6);
    }
}

/// What the last checkpoint covered, and whether all came to its end.
fn until_cut(case: &Case, torn: &Arc<TornDisk>, original: &[u8]) -> (Option<Extents>, bool) {
    let size = original.len() as u64;
    let (mut held, mut put) = (None, Extents::new());
    let ended = (|| -> Result<()> {
        let mut image = case.create(Arc::clone(torn))?;
        image.checkpoint()?;
        held = Some(put.clone());
        let in_order = image.placement() == Placement::InOrder;
        let packer = image.packer();
        let mut pieces: Vec<u64> = (0..size.div_ceil(PIECE)).collect();
        if !in_order {
            // As a rescue does: from the end, then what is left; some pieces in halves.
            pieces.sort_by_key(|piece| (piece % 2, std::cmp::Reverse(*piece)));
        }
        for piece in pieces {
            let at = Extent::between(piece * PIECE, ((piece + 1) * PIECE).min(size));
            let data = &original[at.offset as usize..at.end() as usize];
            match &packer {
                _ if data.iter().all(|&byte| byte == 0) => image.zero(at)?,
                Some(packer) => image.put_packed(at.offset, data, &packer.pack(at, data)?)?,
                None => {
                    let half = (data.len() / 1024) * 512;
                    image.put(at.offset + half as u64, &data[half..])?;
                    image.put(at.offset, &data[..half])?;
                }
            }
            put.insert(at);
            if piece % 3 != 1 {
                image.checkpoint()?;
                held = Some(put.clone());
            }
        }
        image.finish()
    })();
    assert_eq!(ended.is_err(), torn.crashed(), "{:?}", ended.err());
    (held, !torn.crashed())
}

/// Every prefix (in steps behind the first 4 KiB) and every byte of `headers` flipped: opened, looked through and read.
pub(crate) fn hostile(case: &Case, stored: &[u8], headers: &[Extent]) {
    let look = |bytes: Vec<u8>| {
        let Ok(opened) = case.open(bytes) else { return };
        let _ = opened.check(&mut Default::default());
        let mut buffer = vec![0; 64 << 10];
        // What a header claims may be terabytes: read at both ends and here and there.
        let size = opened.size();
        for part in 0..64 {
            let offset = size / 64 * part;
            let len = (size - offset).min(buffer.len() as u64) as usize;
            let _ = opened.read_at(&mut buffer[..len], offset);
        }
        let (mut offset, mut steps) = (0, 0_u64);
        while offset < size && steps < 4096 {
            let Ok((_, until)) = opened.content_at(offset) else { break };
            assert!(until > offset, "content_at goes on");
            (offset, steps) = (until, steps + 1);
        }
    };
    let lens = (0..4096).chain((4096..stored.len()).step_by(stored.len() / 200 + 1));
    for len in lens.filter(|len| *len < stored.len()) {
        look(stored[..len].to_vec());
    }
    for at in headers.iter().flat_map(|header| header.offset..header.end().min(stored.len() as u64)) {
        for flip in [0xff, 0x01, 0x80] {
            let mut bytes = stored.to_vec();
            bytes[at as usize] ^= flip;
            look(bytes);
        }
    }
}
