//! Differencing images: over a parent, after a cut, and with the wrong parent.

use super::*;
use ectype_core::image::{Gate, Image, Parent, Place};
use ectype_core::io::{Durable, Storage};
use ectype_core::{Error, Extents};
use ectype_testkit::TornDisk;
use std::path::PathBuf;

/// A parent that is handed to whoever asks for one of its names.
struct Family {
    parent: Arc<dyn Opened>,
    asked: Vec<String>,
}

impl Gate for Family {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused(format!("the image names the file {name}")))
    }

    fn parent(&mut self, names: &[String], format: Option<&str>) -> Result<Arc<dyn Opened>> {
        assert_eq!(format, Some("vhd"));
        self.asked = names.to_vec();
        Ok(Arc::clone(&self.parent))
    }
}

/// A differencing image in the making: its case, and its parent.
struct Child {
    case: Case,
    parent: Arc<dyn Opened>,
}

impl Child {
    fn new(parent: Arc<dyn Opened>, subformat: &str, size: u64) -> Child {
        let named = Parent {
            relative: "sub/base.vhd".into(),
            absolute: "/vm/sub/base.vhd".into(),
            format: "vhd".into(),
            id: parent.facts().id,
            modified: 1_764_000_000,
        };
        let spec = Spec { size, subformat: subformat.into(), parent: Some(named), ..Spec::default() };
        Child { case: Case::new(self::named("vhd").unwrap(), spec), parent }
    }

    fn place(&self, storage: impl Storage + 'static) -> Place {
        Place { storage: Box::new(Durable::new(storage)), parent: Some(Arc::clone(&self.parent)) }
    }

    fn create(&self, storage: impl Storage + 'static) -> Result<Box<dyn Image>> {
        (self.case.format.writing.as_ref().unwrap().create)(self.place(storage), &self.case.spec)
    }

    fn resume(&self, storage: impl Storage + 'static, held: &Extents) -> Result<Box<dyn Image>> {
        (self.case.format.writing.as_ref().unwrap().resume)(self.place(storage), &self.case.spec, held)
    }

    fn open(&self, stored: impl ReadAt + 'static) -> Result<Arc<dyn Opened>> {
        let mut family = Family { parent: Arc::clone(&self.parent), asked: Vec::new() };
        let opened = (self.case.format.open)(Arc::new(stored), &mut family)?;
        assert_eq!(family.asked, [".\\sub\\base.vhd", "/vm/sub/base.vhd", "base.vhd"]);
        Ok(opened)
    }
}

fn parent_of(original: &[u8]) -> Arc<dyn Opened> {
    let case = case(original.len() as u64, "dynamic");
    case.open(case.image_of(original)).unwrap()
}

/// Random puts and zeros over a parent, on targets with and without holes.
#[test]
fn a_differencing_image_is_its_parent_with_changes() {
    for (seed, size) in [(1_u64, 9_u64 << 20), (2, (5 << 20) + 512), (3, (4 << 20) + 100)] {
        let base = sample(seed, size);
        let child = Child::new(parent_of(&base), "dynamic", size);
        for disk in [MemoryDisk::new(0), MemoryDisk::dense(0, 0)] {
            let disk = Arc::new(disk);
            let mut image = child.create(Arc::clone(&disk)).unwrap();
            let mut expected = base.clone();
            let mut dice = crate::engine::Dice(seed);
            for step in 0..80 {
                // Not on sectors: what is left of a sector is the parent's.
                let start = dice.below(size);
                let len = (1 + dice.below(600_000)).min(size - start);
                let bytes = start as usize..(start + len) as usize;
                match dice.below(4) {
                    0 | 1 => {
                        let data = sample(dice.below(1 << 30), len);
                        expected[bytes].copy_from_slice(&data);
                        image.put(start, &data).unwrap();
                    }
                    2 => {
                        expected[bytes].fill(0);
                        image.unused(Extent::new(start, len)).unwrap();
                    }
                    _ => image.checkpoint().unwrap(),
                }
                if step % 16 == 0 {
                    assert_same(&content(&image), &padded(expected.clone(), image.size()), "on the way");
                }
            }
            assert_same(&content(&image), &padded(expected.clone(), image.size()), "before it is finished");
            image.finish().unwrap();
            drop(image);
            let opened = child.open(disk).unwrap();
            assert_eq!(opened.facts().subformat, "differencing");
            assert_same(&content(&opened), &padded(expected, opened.size()), "finished");
            assert_eq!(check(&*opened), Findings::default());
        }
    }
}

/// Zeros that the parent has already take no room, and neither does what it has and nobody changed.
#[test]
fn nothing_is_stored_twice() {
    let mut base = vec![0; 64 << 20];
    base[..1000].fill(7);
    let child = Child::new(parent_of(&base), "dynamic", 64 << 20);
    let disk = Arc::new(MemoryDisk::new(0));
    let mut image = child.create(Arc::clone(&disk)).unwrap();
    image.zero(Extent::new(4 << 20, 60 << 20)).unwrap();
    image.checkpoint().unwrap();
    assert!(disk.size() < 8192, "{}", disk.size());
    image.zero(Extent::new(0, 4 << 20)).unwrap();
    image.finish().unwrap();
    assert!(disk.size() < (3 << 20) && disk.written().bytes() < 16_384, "{:?}", disk.written());
    assert!(content(&image).iter().all(|byte| *byte == 0));
}

/// A power cut at every write of a differencing image: what is not held is the parent's again.
#[test]
fn a_cut_leaves_the_parent() {
    let size = (5 << 20) + 1024;
    let (base, original) = (sample(11, size), sample(12, size));
    let child = Child::new(parent_of(&base), "dynamic", size);
    let mut cuts = 0;
    loop {
        let torn = Arc::new(TornDisk::new(MemoryDisk::new(0)).crash_after(cuts));
        let (mut held, mut put) = (None, Extents::new());
        let ended = (|| -> Result<()> {
            let mut image = child.create(Arc::clone(&torn))?;
            image.checkpoint()?;
            held = Some(put.clone());
            for piece in [3, 0, 5, 1, 4, 2] {
                // Parts of blocks, and of a sector.
                let start = piece << 20;
                let at = Extent::new(start + 100, (700 << 10) + 33).intersect(Extent::new(0, size));
                image.put(at.offset, &original[at.offset as usize..at.end() as usize])?;
                put.insert(at);
                if piece % 2 == 0 {
                    image.checkpoint()?;
                    held = Some(put.clone());
                }
            }
            image.finish()
        })();
        if ended.is_ok() {
            break;
        }
        cuts += 1;
        let Some(held) = held else { continue };
        for seed in 0..3 {
            let when = format!("cut at write {cuts}, seed {seed}");
            let left = Arc::new(torn.survivors(cuts * 5 + seed));
            let mut image = child.resume(Arc::clone(&left), &held).unwrap();
            let mut expected = base.clone();
            for at in held.iter() {
                let bytes = at.offset as usize..at.end() as usize;
                expected[bytes.clone()].copy_from_slice(&original[bytes]);
            }
            assert_same(&content(&image), &padded(expected, image.size()), &when);
            feed(&mut *image, &original, Extent::new(0, size));
            image.finish().unwrap();
            drop(image);
            let opened = child.open(left).unwrap();
            assert_same(&content(&opened), &padded(original.clone(), opened.size()), &when);
            assert_eq!(check(&*opened), Findings::default(), "{when}");
        }
    }
    assert!(cuts > 20, "{cuts}");
}

#[test]
fn a_cut_does_not_hide_what_is_held_of_the_parent() {
    let base = vec![5; (5 << 20) + 1024];
    let child = Child::new(parent_of(&base), "dynamic", base.len() as u64);
    let making =
        Making { create: &|disk| child.create(disk), resume: &|disk, held| child.resume(disk, held) };
    cut_beside_the_parents(&making, &base, 16 << 10, 6);
}

#[test]
fn another_parent_is_refused() {
    let base = sample(1, 4 << 20);
    let child = Child::new(parent_of(&base), "dynamic", 4 << 20);
    let disk = Arc::new(MemoryDisk::new(0));
    child.create(Arc::clone(&disk)).unwrap().finish().unwrap();
    let mut other = case(4 << 20, "dynamic");
    other.spec.id = *b"fedcba9876543210";
    let parent = other.open(other.image_of(&base)).unwrap();
    let mut family = Family { parent: Arc::clone(&parent), asked: Vec::new() };
    let error = (child.case.format.open)(Arc::clone(&disk) as Arc<dyn ReadAt>, &mut family).err().unwrap();
    assert_eq!(error.kind(), Kind::Changed);
    let said = error.to_string();
    assert!(said.contains("66656463-6261-3938-3736-353433323130"), "{said}");
    assert!(said.contains("30313233-3435-3637-3839-616263646566"), "{said}");
    let place = Place { storage: Box::new(MemoryDisk::new(0)), parent: Some(parent) };
    let create = child.case.format.writing.as_ref().unwrap().create;
    assert_eq!(create(place, &child.case.spec).err().unwrap().kind(), Kind::Changed);
    let shorter = Child::new(parent_of(&sample(1, 2 << 20)), "dynamic", 4 << 20);
    assert_eq!(shorter.create(MemoryDisk::new(0)).err().unwrap().kind(), Kind::Refused);
}

/// Child and parent as files: the gate finds the parent, and libvhdi reads both.
#[test]
fn others_find_the_parent() {
    let folder = TempDir::new().unwrap();
    let base = sample(21, 9 << 20);
    let parent = case(9 << 20, "dynamic");
    let base_path = folder.path().join("base.vhd");
    fs::write(&base_path, parent.image_of(&base).into_bytes()).unwrap();
    let opened = gate::open(&base_path, None, &[]).unwrap().image;
    let mut spec = Child::new(Arc::clone(&opened), "dynamic", 9 << 20).case.spec;
    spec.id = *b"child of an imag";
    let named = spec.parent.as_mut().unwrap();
    (named.relative, named.absolute) = ("base.vhd".into(), text(&base_path).into());
    let disk = Arc::new(MemoryDisk::new(0));
    let place = Place { storage: Box::new(Arc::clone(&disk)), parent: Some(opened) };
    let mut image = (parent.format.writing.as_ref().unwrap().create)(place, &spec).unwrap();
    let mut expected = base;
    // In runs of eight sectors: libvhdi reads a byte of a bitmap that is neither 0 nor 255 wrongly.
    let changes = [(1 << 20, 8192_u64), (3 << 20, 2 << 20), ((9 << 20) - 4096, 4096)];
    for (at, len) in changes.map(|(at, len)| (at as u64, len)) {
        let data = sample(at, len);
        expected[at as usize..(at + len) as usize].copy_from_slice(&data);
        image.put(at, &data).unwrap();
    }
    expected[4096..8192].fill(0);
    image.zero(Extent::new(4096, 4096)).unwrap();
    image.finish().unwrap();
    let path = folder.path().join("child.vhd");
    fs::write(&path, disk.bytes()).unwrap();
    let opened = gate::open(&path, None, &[]).unwrap();
    let found: Vec<PathBuf> = opened.files.iter().map(|path| fs::canonicalize(path).unwrap()).collect();
    assert_eq!(found, [fs::canonicalize(&base_path).unwrap()]);
    assert_same(&content(&opened.image), &expected, "through the gate");
    if !need::tool("vhdiinfo") {
        return;
    }
    let info = run("vhdiinfo", &[text(&path)]);
    assert!(info.contains(": Differential") && info.contains("base.vhd"), "{info}");
    if !need::fuse() || !need::tool("vhdimount") {
        return;
    }
    // The content by libvhdi; the parent is the second layer.
    let point = folder.path().join("mounted");
    fs::create_dir(&point).unwrap();
    run("vhdimount", &[text(&path), text(&point)]);
    let layers: Vec<PathBuf> = fs::read_dir(&point).unwrap().map(|entry| entry.unwrap().path()).collect();
    let last = layers.iter().max().map(|path| fs::read(path).unwrap());
    run("fusermount3", &["-u", text(&point)]);
    assert_same(&last.unwrap(), &expected, "by libvhdi");
}
