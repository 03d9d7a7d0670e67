//! Differencing VHDX: what is not here is the parent's.

use super::*;
use ectype_core::image::{Gate, Parent};
use ectype_core::{Error, Result};
use ectype_testkit::TornDisk;

/// A gate to this parent.
pub(super) struct Family(pub(super) Option<Arc<dyn Opened>>);

impl Gate for Family {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused(format!("the image names the file {name}")))
    }

    fn parent(&mut self, names: &[String], format: Option<&str>) -> Result<Arc<dyn Opened>> {
        assert_eq!((names, format), (&["base.vhdx".to_owned()][..], Some("vhdx")));
        self.0.clone().ok_or_else(|| Error::refused("there is no parent"))
    }
}

/// An opened parent of this content, and the spec of a child.
fn family(base: &[u8], sector: u32) -> (Arc<dyn Opened>, Spec) {
    let of = |parent| Spec {
        size: base.len() as u64,
        sector,
        physical_sector: 4096,
        block: 1 << 20,
        parent,
        ..Spec::default()
    };
    let case = Case::new(vhdx(), of(None));
    let parent = case.open(case.image_of(base)).unwrap();
    let named = Parent {
        relative: "base.vhdx".into(),
        format: "vhdx".into(),
        id: parent.facts().id,
        ..Parent::default()
    };
    (parent, Case::new(vhdx(), of(Some(named))).spec)
}

#[test]
fn reads_as_what_was_put_over_the_parent() {
    for seed in 0..16 {
        let base = sample(seed + 100, (7 << 20) + 512 * seed);
        let sector = if seed % 5 == 4 { 4096 } else { 512 };
        let base = &base[..base.len() / sector as usize * sector as usize];
        let (parent, spec) = family(base, sector);
        resumed_at_random(&spec, Some(parent), base, seed, seed % 3 == 0);
    }
}

#[test]
fn a_cut_at_any_write_shows_the_parent() {
    let base = sample(31, (5 << 20) + 1024);
    let original = sample(32, base.len() as u64);
    let (parent, spec) = family(&base, 512);
    let writing = vhdx().writing.as_ref().unwrap();
    let place = |disk| Place { storage: Box::new(Durable::new(disk)), parent: Some(parent.clone()) };
    let pieces: Vec<Extent> = (0..5)
        .map(|n| Extent::new(n * MIB + (n % 3) * 51_200, 700 << 10).intersect(Extent::new(0, spec.size)))
        .collect();
    for cuts in 0.. {
        let torn = Arc::new(TornDisk::new(MemoryDisk::new(0)).crash_after(cuts));
        let mut held = None;
        let ended = (|| -> Result<()> {
            let mut image = (writing.create)(place(Arc::clone(&torn)), &spec)?;
            image.checkpoint()?;
            let mut put = Extents::new();
            held = Some(put.clone());
            for (n, at) in pieces.iter().enumerate().rev() {
                match n {
                    2 => image.zero(*at)?,
                    _ => image.put(at.offset, &original[at.offset as usize..at.end() as usize])?,
                }
                put.insert(*at);
                if n != 4 {
                    image.checkpoint()?;
                    held = Some(put.clone());
                }
            }
            image.finish()
        })();
        let Some(held) = held else { continue };
        if ended.is_ok() {
            break;
        }
        for seed in 0..3 {
            let left = Arc::new(torn.survivors(cuts * 11 + seed));
            let mut image = (writing.resume)(place_of(&left, &parent), &spec, &held).unwrap();
            let mut expected = base.clone();
            for (n, at) in pieces.iter().enumerate().filter(|(_, at)| held.covers(**at)) {
                let bytes = at.offset as usize..at.end() as usize;
                match n {
                    2 => expected[bytes].fill(0),
                    _ => expected[bytes.clone()].copy_from_slice(&original[bytes]),
                }
            }
            assert_same(&content(&image), &expected, &format!("cut at {cuts}, seed {seed}"));
            image.finish().unwrap();
            drop(image);
            let opened = (vhdx().open)(left, &mut Family(Some(parent.clone()))).unwrap();
            assert_same(&content(&opened), &expected, "finished");
            checked(&*opened);
        }
    }
}

#[test]
fn a_cut_does_not_hide_what_is_held_of_the_parent() {
    let base = vec![5; (2 << 20) + 1024];
    let (parent, spec) = family(&base, 512);
    let writing = vhdx().writing.as_ref().unwrap();
    let place = |disk| Place { storage: Box::new(Durable::new(disk)), parent: Some(parent.clone()) };
    let making = Making {
        create: &|disk| (writing.create)(place(disk), &spec),
        resume: &|disk, held| (writing.resume)(place_of(&disk, &parent), &spec, held),
    };
    cut_beside_the_parents(&making, &base, 16 << 10, 16);
    // Over bitmaps that an earlier run left, of which nothing is held.
    let making = Making {
        create: &|disk| {
            let mut image = (writing.create)(place(Arc::clone(&disk)), &spec)?;
            image.put(0, &vec![9; base.len() - 1024])?;
            image.put(2 << 20, &[9; 256])?;
            image.checkpoint()?;
            drop(image);
            (writing.resume)(place(disk), &spec, &Extents::new())
        },
        resume: &|disk, held| (writing.resume)(place_of(&disk, &parent), &spec, held),
    };
    cut_beside_the_parents(&making, &base, 16 << 10, 16);
}

fn place_of(disk: &Arc<MemoryDisk>, parent: &Arc<dyn Opened>) -> Place {
    Place { storage: Box::new(Durable::new(Arc::clone(disk))), parent: Some(parent.clone()) }
}

#[test]
fn a_child_of_nothing_new_is_small_and_zeros_hide_the_parent() {
    let base = vec![5; 64 << 20];
    let (parent, spec) = family(&base, 512);
    let disk = Arc::new(MemoryDisk::new(0));
    let mut image = (vhdx().writing.as_ref().unwrap().create)(place_of(&disk, &parent), &spec).unwrap();
    // In pieces, as the engine gives them.
    (0..40).for_each(|n| image.zero(Extent::new(n * MIB + 512, MIB)).unwrap());
    image.put(50 << 20, &[6; 512]).unwrap();
    image.finish().unwrap();
    drop(image);
    // The edges of the zeros, one sector, and a sector bitmap.
    assert_eq!(disk.size(), 4 * MIB + 4 * MIB);
    let opened = (vhdx().open)(Arc::new(disk), &mut Family(Some(parent))).unwrap();
    let mut expected = base;
    expected[512..(40 << 20) + 512].fill(0);
    expected[50 << 20..][..512].fill(6);
    assert_same(&content(&opened), &expected, "child");
    checked(&*opened);
}

#[test]
fn parents_are_found_by_their_names_and_must_not_change() {
    let dir = tempfile::tempdir().unwrap();
    let base = sample(3, 3 << 20);
    let (parent, spec) = family(&base, 512);
    let disk = Arc::new(MemoryDisk::new(0));
    let mut image = (vhdx().writing.as_ref().unwrap().create)(place_of(&disk, &parent), &spec).unwrap();
    image.put(MIB, &[1; 4096]).unwrap();
    image.finish().unwrap();
    drop(image);
    let child = dir.path().join("child.vhdx");
    std::fs::write(&child, disk.bytes()).unwrap();
    assert_eq!(gate::open(&child, None, &[]).err().unwrap().kind(), Kind::Io);
    let case = Case::new(vhdx(), Spec { parent: None, ..spec });
    let bytes = case.image_of(&base).into_bytes();
    std::fs::write(dir.path().join("base.vhdx"), &bytes).unwrap();
    let opened = gate::open(&child, None, &[]).unwrap();
    assert_eq!(opened.files.len(), 1);
    assert_eq!(opened.image.facts().parent.as_deref(), Some("base.vhdx"));
    assert_eq!(opened.image.facts().subformat, "differencing");
    let mut expected = base;
    expected[1 << 20..][..4096].fill(1);
    assert_same(&content(&opened.image), &expected, "by name");
    // Somebody writes to the parent: both headers get another data write GUID.
    let mut changed = bytes;
    for header in [64 << 10, 128 << 10] {
        changed[header + 32] ^= 0xff;
        seal(&mut changed[header..][..4096]);
    }
    std::fs::write(dir.path().join("base.vhdx"), changed).unwrap();
    let error = gate::open(&child, None, &[]).err().unwrap();
    assert_eq!(error.kind(), Kind::Changed);
    assert_eq!(error.to_string().matches("-4").count() / 2, 1, "both GUIDs are named: {error}");
}

#[test]
fn hostile_children_are_survived() {
    let base = sample(3, 3 << 20);
    let (parent, spec) = family(&base, 512);
    let disk = Arc::new(MemoryDisk::new(0));
    let mut image = (vhdx().writing.as_ref().unwrap().create)(place_of(&disk, &parent), &spec).unwrap();
    image.put(MIB, &[1; 4096]).unwrap();
    image.finish().unwrap();
    drop(image);
    let bytes = disk.bytes();
    let bitmap_entry = BAT + 8 * ((1 << 23) * 512 / (1 << 20));
    let places = (METADATA..METADATA + 300)
        .chain(METADATA + (64 << 10)..METADATA + (64 << 10) + 300)
        .chain(BAT..BAT + 24)
        .chain(bitmap_entry..bitmap_entry + 8);
    for at in places {
        for flip in [0xff, 1, 0x80] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            let mut family = Any(parent.clone());
            let Ok(opened) = (vhdx().open)(Arc::new(bytes), &mut family) else { continue };
            let _ = opened.check(&mut Findings::default());
            let len = opened.size().min(4 << 20);
            let _ = opened.read_at(&mut vec![0; len as usize], 0);
            let mut offset = 0;
            for _ in 0..1000 {
                let Ok((_, until)) = opened.content_at(offset) else { break };
                assert!(until > offset);
                offset = until;
            }
        }
    }
}

/// A gate that asks for nothing.
struct Any(Arc<dyn Opened>);

impl Gate for Any {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused(name))
    }

    fn parent(&mut self, _names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        Ok(self.0.clone())
    }
}

/// The content by libvhdi, which mounts images; in a chain the child comes last.
fn by_libvhdi(image: &Path) -> Option<Vec<u8>> {
    if !need::tool("vhdimount") || !need::fuse() {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    run("vhdimount", &[text(image), text(dir.path())]);
    let mut names: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let bytes = std::fs::read(names.last().expect("a file is mounted"));
    run("fusermount3", &["-u", text(dir.path())]);
    Some(bytes.unwrap())
}

#[test]
fn libvhdi_reads_what_qemu_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let original = sample(12, 6 << 20);
    for sector in [512, 4096] {
        let (parent, mut spec) = family(&sample(11, 6 << 20), sector);
        // The only name that libvhdi knows; it takes the last part.
        spec.parent.as_mut().unwrap().absolute = "C:\\vm\\base.vhdx".into();
        let base = Case::new(vhdx(), Spec { parent: None, ..spec.clone() }).image_of(&sample(11, 6 << 20));
        std::fs::write(dir.path().join("base.vhdx"), base.into_bytes()).unwrap();
        let disk = Arc::new(MemoryDisk::new(0));
        let mut image = (vhdx().writing.as_ref().unwrap().create)(place_of(&disk, &parent), &spec).unwrap();
        let mut expected = sample(11, 6 << 20);
        for at in
            [Extent::new(8192, 700 << 10), Extent::new(2 << 20, 1 << 20), Extent::new(5 << 20, 64 << 10)]
        {
            let bytes = at.offset as usize..at.end() as usize;
            image.put(at.offset, &original[bytes.clone()]).unwrap();
            expected[bytes.clone()].copy_from_slice(&original[bytes]);
        }
        // Not a whole block: libvhdi takes PAYLOAD_BLOCK_ZERO for the parent's.
        image.zero(Extent::new(3 << 20, 512 << 10)).unwrap();
        expected[3 << 20..(3 << 20) + (512 << 10)].fill(0);
        image.finish().unwrap();
        drop(image);
        let child = dir.path().join("child.vhdx");
        std::fs::write(&child, disk.bytes()).unwrap();
        let Some(seen) = by_libvhdi(&dir.path().join("base.vhdx")) else { return };
        assert_same(&seen, &sample(11, 6 << 20), &format!("the base with sectors of {sector}"));
        assert_same(&by_libvhdi(&child).unwrap(), &expected, &format!("the child with sectors of {sector}"));
    }
}
