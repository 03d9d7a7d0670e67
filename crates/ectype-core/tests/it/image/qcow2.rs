//! qcow2: every subformat and cluster size, parents, crashes, limits; QEMU judges in `referees`.

mod packed_children;
mod referees;

use super::{
    Alone, Case, Making, content, crash, cut_beside_the_parents, feed, hostile, model, padded, sample,
};
use crate::rig::assert_same;
use ectype_core::image::{Gate, Image, Opened, Parent, Place, Spec, named};
use ectype_core::io::{Content, Durable, ReadAt, WriteAt};
use ectype_core::{Error, Extent, Extents, Result};
use ectype_testkit::{MemoryDisk, SparseRandom};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) fn case(size: u64) -> Case {
    with(Spec { size, ..Spec::default() })
}

pub(super) fn with(spec: Spec) -> Case {
    Case::new(named("qcow2").unwrap(), spec)
}

/// v2 and v3, small and large clusters, plain and compressed.
pub(super) fn kinds(size: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for (subformat, block, compression) in [
        ("v3", 0, ""),
        ("v2", 0, ""),
        ("v3", 512, ""),
        ("v2", 4096, ""),
        ("v3", 2 << 20, ""),
        ("v3", 0, "zlib"),
        ("v2", 512, "zlib"),
        ("v3", 1 << 20, "zlib"),
        ("v3", 0, "zstd"),
        ("v3", 4096, "zstd"),
    ] {
        let spec = Spec {
            size,
            block,
            subformat: subformat.into(),
            compression: compression.into(),
            ..Spec::default()
        };
        cases.push(with(spec));
    }
    cases
}

#[test]
fn reads_as_what_was_put() {
    for (seed, size) in [(1, 5 << 20), (2, (3 << 20) + 512), (3, (100 << 10) + 77), (4, 1)] {
        for case in kinds(size) {
            if size >= 512 {
                model(&case, seed);
            }
            let opened = case.open(case.image_of(&vec![7; size as usize])).unwrap();
            assert_same(&content(&opened), &padded(vec![7; size as usize], opened.size()), "full");
            check_clean(&*opened);
        }
    }
}

#[test]
fn a_cut_at_any_write_is_survived() {
    for case in kinds((4 << 20) + 1024) {
        if case.spec.block >= 65_536 {
            crash(&case, 2);
        }
    }
    crash(&with(Spec { block: 4096, ..case((3 << 20) + 1024).spec }), 1);
}

#[test]
fn nothing_that_is_wrong_is_more_than_an_error() {
    let content = sample(9, 1 << 20);
    for case in kinds(1 << 20) {
        let is_small = case.spec.block == 65_536 && case.spec.compression != "zstd";
        if is_small || (case.spec.block == 4096 && case.spec.subformat == "v2") {
            let stored = case.image_of(&content).into_bytes();
            let block = case.spec.block;
            let headers = [0, block, 2 * block, 3 * block].map(|offset| Extent::new(offset, 128));
            hostile(&case, &stored, &headers);
        }
    }
}

pub(super) fn check_clean(opened: &dyn Opened) {
    let mut findings = Default::default();
    opened.check(&mut findings).unwrap();
    assert_eq!(findings, Default::default());
}

/// Parents by their names.
pub(super) struct Parents(pub(super) Vec<(&'static str, Arc<dyn Opened>)>);

impl Gate for Parents {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused(format!("the image names the file {name}")))
    }

    fn parent(&mut self, names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        let found = self.0.iter().find(|(name, _)| names[0] == *name);
        found.map(|(_, opened)| Arc::clone(opened)).ok_or_else(|| Error::refused(format!("{names:?}")))
    }
}

fn raw(bytes: Vec<u8>) -> Arc<dyn Opened> {
    (named("raw").unwrap().open)(Arc::new(bytes), &mut Alone).unwrap()
}

fn child_of(spec: Spec) -> Case {
    let parent = Parent { relative: "base".into(), format: "raw".into(), ..Parent::default() };
    with(Spec { parent: Some(parent), ..spec })
}

fn create_over(case: &Case, parent: &Arc<dyn Opened>, disk: &Arc<MemoryDisk>) -> Box<dyn Image> {
    let place = Place { storage: Box::new(Durable::new(Arc::clone(disk))), parent: Some(Arc::clone(parent)) };
    (case.format.writing.as_ref().unwrap().create)(place, &case.spec).unwrap()
}

fn open_over(case: &Case, parent: &Arc<dyn Opened>, disk: &Arc<MemoryDisk>) -> Arc<dyn Opened> {
    let mut gate = Parents(vec![("base", Arc::clone(parent))]);
    (case.format.open)(Arc::new(disk.bytes()), &mut gate).unwrap()
}

#[test]
fn a_child_reads_as_its_parent_where_nothing_was_put() {
    const SIZE: u64 = (4 << 20) + 512;
    // Smaller than the child, as long, longer.
    for parent_len in [(3 << 20) + 1000, SIZE, SIZE + 100_000] {
        let base = sample(21, parent_len);
        let parent = raw(base.clone());
        for case in kinds(SIZE) {
            let case = child_of(case.spec);
            let mut expected = base.clone();
            expected.resize(SIZE as usize, 0);
            let disk = Arc::new(MemoryDisk::new(0));
            let mut image = create_over(&case, &parent, &disk);
            let packed = image.packer().is_some();
            let changes: &[(u64, u64, bool)] = if packed {
                &[(0, 1 << 20, true), (1 << 20, 1 << 20, false), (4 << 20, 512, true)]
            } else {
                &[(5120, 69_632, true), (1 << 20, 512, false), (66_048, 1 << 20, false)]
            };
            for &(offset, len, is_data) in changes {
                let bytes = offset as usize..(offset + len) as usize;
                let data = if is_data { sample(offset + 1, len) } else { vec![0; len as usize] };
                expected[bytes].copy_from_slice(&data);
                match is_data && data.iter().any(|byte| *byte != 0) {
                    true => image.put(offset, &data).unwrap(),
                    false => image.zero(Extent::new(offset, len)).unwrap(),
                }
                assert_same(&content(&image), &expected, "while it is written");
                image.checkpoint().unwrap();
            }
            image.finish().unwrap();
            drop(image);
            let opened = open_over(&case, &parent, &disk);
            assert_same(&content(&opened), &expected, "afterwards");
            check_clean(&*opened);
        }
    }
}

#[test]
fn a_child_that_is_gone_on_with_shows_the_parent_where_nothing_is_held() {
    const SIZE: u64 = 3 << 20;
    let parent = raw(sample(31, SIZE));
    let base = content(&parent);
    for case in kinds(SIZE) {
        let case = child_of(case.spec);
        let disk = Arc::new(MemoryDisk::new(0));
        let mut image = create_over(&case, &parent, &disk);
        let fresh = vec![0x5a; SIZE as usize];
        if image.packer().is_some() {
            feed(&mut *image, &fresh, Extent::new(0, 2 << 20));
        } else {
            image.zero(Extent::new(0, 1 << 20)).unwrap();
            image.put(1 << 20, &fresh[..1 << 20]).unwrap();
        }
        image.checkpoint().unwrap();
        drop(image);
        // Of a cluster only a part is held, where a ledger knows sectors.
        let held = match case.spec.compression.as_str() {
            "none" => vec![Extent::new(1024, 300_032), Extent::new((1 << 20) + 512, 65_536)],
            _ => vec![Extent::new(0, 1 << 20)],
        };
        let mut expected = base.clone();
        for at in &held {
            let byte = if case.spec.compression == "none" && at.offset < 1 << 20 { 0 } else { 0x5a };
            expected[at.offset as usize..at.end() as usize].fill(byte);
        }
        let held: Extents = held.into_iter().collect();
        let place =
            Place { storage: Box::new(Durable::new(Arc::clone(&disk))), parent: Some(Arc::clone(&parent)) };
        let mut image = (case.format.writing.as_ref().unwrap().resume)(place, &case.spec, &held).unwrap();
        assert_same(&content(&image), &expected, "gone on with");
        image.finish().unwrap();
        drop(image);
        let opened = open_over(&case, &parent, &disk);
        assert_same(&content(&opened), &expected, "afterwards");
        check_clean(&*opened);
    }
}

#[test]
fn a_cut_does_not_hide_what_is_held_of_the_parent() {
    let base = vec![5; (2 << 20) + 1024];
    let parent = raw(base.clone());
    for (subformat, block) in [("v3", 64 << 10), ("v2", 64 << 10), ("v3", 2 << 20)] {
        let spec = Spec { size: base.len() as u64, subformat: subformat.into(), block, ..Spec::default() };
        let case = child_of(spec);
        let writing = case.format.writing.as_ref().unwrap();
        let place = |storage| Place { storage, parent: Some(Arc::clone(&parent)) };
        let making = Making {
            create: &|disk| (writing.create)(place(Box::new(Durable::new(disk))), &case.spec),
            resume: &|disk, held| (writing.resume)(place(Box::new(Durable::new(disk))), &case.spec, held),
        };
        cut_beside_the_parents(&making, &base, 16 << 10, 4);
    }
}

#[test]
fn an_empty_disk_of_terabytes_is_made_and_walked_in_an_instant() {
    let disk = Arc::new(MemoryDisk::new(0));
    let case = case(8 << 40);
    let mut image = case.create(Arc::clone(&disk)).unwrap();
    image.zero(Extent::new(0, 8 << 40)).unwrap();
    image.put((7 << 40) + 512, &[1; 512]).unwrap();
    image.finish().unwrap();
    drop(image);
    assert!(disk.size() < 1 << 20, "{}", disk.size());
    let opened = case.open(disk).unwrap();
    check_clean(&*opened);
    let (mut offset, mut steps) = (0, 0);
    let mut data = Vec::new();
    while offset < opened.size() {
        let (content, until) = opened.content_at(offset).unwrap();
        if content == Content::Data {
            data.push(Extent::between(offset, until));
        }
        (offset, steps) = (until, steps + 1);
    }
    assert!(steps < 20, "{steps}");
    assert!(data.len() == 1 && data[0].contains((7 << 40) + 512), "{data:?}");
}

#[test]
fn few_tables_stay_in_memory_and_all_come_back() {
    // Tables of 64 entries and 512 bytes: tens of thousands of them, so that they leave the memory and return.
    let spec = Spec { block: 512, ..case(1 << 30).spec };
    let case = with(Spec { block: 512, size: spec.size, ..Spec::default() });
    let source = SparseRandom { seed: 5, size: 1 << 30, percent: 3.0, run: 4096 };
    let disk = Arc::new(MemoryDisk::new(0));
    let mut image = case.create(Arc::clone(&disk)).unwrap();
    let mut bytes = vec![0; 4096];
    for at in source.data().iter() {
        for offset in (at.offset..at.end()).step_by(4096) {
            source.read_at(&mut bytes, offset).unwrap();
            image.put(offset, &bytes).unwrap();
        }
    }
    image.finish().unwrap();
    drop(image);
    let opened = case.open(disk).unwrap();
    check_clean(&*opened);
    let mut found = vec![0; 4096];
    for at in source.data().iter() {
        source.read_at(&mut bytes, at.offset).unwrap();
        opened.read_at(&mut found, at.offset).unwrap();
        assert!(found == bytes, "{at:?}");
    }
}

/// How many bytes were read of these.
struct Counted(Vec<u8>, AtomicU32);

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.1.fetch_add(buf.len() as u32, Ordering::Relaxed);
        self.0.as_slice().read_at(buf, offset)
    }
}

#[test]
fn many_bitmaps_of_one_table_are_no_endless_check() {
    let mut bytes = case(4 << 20).image_of(&sample(1, 4 << 20)).into_bytes();
    let directory = bytes.len() as u64;
    let (table, entries) = (2_u64 << 16, (directory - (2 << 16)) / 8);
    for _ in 0..200 {
        bytes.extend(table.to_be_bytes());
        bytes.extend((entries as u32).to_be_bytes());
        bytes.extend([0; 12]);
    }
    // The bitmaps extension, behind the header of 112 bytes.
    let extension = [0x2385_2875_u64 << 32 | 24, 200 << 32, 200 * 24, directory, 0];
    bytes[112..152].copy_from_slice(&extension.map(u64::to_be_bytes).concat());
    let counted = Arc::new(Counted(bytes, AtomicU32::new(0)));
    let opened = (named("qcow2").unwrap().open)(Arc::clone(&counted) as Arc<dyn ReadAt>, &mut Alone).unwrap();
    let mut findings = Default::default();
    opened.check(&mut findings).unwrap();
    assert!(findings.fault_count > 0);
    let read = counted.1.load(Ordering::Relaxed);
    assert!(read < 64 << 20, "{read} bytes were read");
}

/// A disk on which the fifth write of a put fails while it is full.
struct FullDisk {
    disk: Arc<MemoryDisk>,
    writes: Arc<AtomicU32>,
}

impl ReadAt for FullDisk {
    fn size(&self) -> u64 {
        self.disk.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.read_at(buf, offset)
    }
}

impl WriteAt for FullDisk {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        match self.writes.fetch_add(1, Ordering::Relaxed) {
            4 => Err(io::ErrorKind::StorageFull.into()),
            _ => self.disk.write_at(data, offset),
        }
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        self.disk.zero_at(at)
    }

    fn flush(&self) -> io::Result<()> {
        self.disk.flush()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.disk.set_size(size)
    }

    fn holds_holes(&self) -> bool {
        true
    }
}

/// A run on a full disk ends with a checkpoint of what it has: tables that had to leave the memory and could not are there.
#[test]
fn tables_that_could_not_be_written_are_kept() {
    // An L2 table of 512 bytes is for 32 KiB, and 32 Ki of them are kept.
    let (reach, tables) = (32_u64 << 10, 33_000);
    let case = with(Spec { block: 512, size: reach * tables, ..Spec::default() });
    let (disk, writes) = (Arc::new(MemoryDisk::new(0)), Arc::new(AtomicU32::new(0)));
    let mut image = case.create(FullDisk { disk: Arc::clone(&disk), writes: Arc::clone(&writes) }).unwrap();
    let failed = (0..tables).find(|n| {
        writes.store(0, Ordering::Relaxed);
        image.put(n * reach, &[1 + (n % 255) as u8; 512]).is_err()
    });
    let failed = failed.expect("tables leave the memory");
    writes.store(5, Ordering::Relaxed);
    image.finish().unwrap();
    drop(image);
    let opened = case.open(disk).unwrap();
    for n in 0..failed {
        let mut sector = [0; 512];
        opened.read_at(&mut sector, n * reach).unwrap();
        assert!(sector == [1 + (n % 255) as u8; 512], "{n} of {failed}");
    }
}

#[test]
fn an_end_that_comes_earlier_cuts_the_content() {
    for case in kinds(5 << 20) {
        let original = sample(77, 5 << 20);
        let disk = Arc::new(MemoryDisk::new(0));
        let mut image = case.create(Arc::clone(&disk)).unwrap();
        feed(&mut *image, &original, Extent::new(0, 5 << 20));
        image.set_end((3 << 20) + 2048 + 100).unwrap();
        image.finish().unwrap();
        drop(image);
        let opened = case.open(disk).unwrap();
        assert_eq!(opened.size(), (3 << 20) + 2048 + 512);
        assert_same(&content(&opened), &padded(original[..(3 << 20) + 2148].to_vec(), opened.size()), "cut");
        check_clean(&*opened);
    }
}

#[test]
fn the_same_spec_gives_the_same_bytes() {
    let content = sample(3, 3 << 20);
    for case in kinds(3 << 20) {
        assert!(case.image_of(&content).bytes() == case.image_of(&content).bytes());
    }
}

#[test]
fn a_storage_without_holes_is_filled() {
    // What is not put must not show what was on the storage before.
    for case in kinds(3 << 20) {
        let disk = Arc::new(MemoryDisk::dense(0, 0));
        let mut image = case.create(Arc::clone(&disk)).unwrap();
        let mut expected = vec![0; 3 << 20];
        if image.packer().is_none() {
            for offset in [512, 70_000 / 512 * 512, 2 << 20] {
                image.put(offset as u64, &[9; 1024]).unwrap();
                expected[offset..offset + 1024].fill(9);
            }
        } else {
            expected = sample(8, 3 << 20);
            feed(&mut *image, &expected, Extent::new(0, 3 << 20));
        }
        image.finish().unwrap();
        drop(image);
        let opened = case.open(disk).unwrap();
        assert_same(&content(&opened), &expected, "without holes");
        check_clean(&*opened);
    }
}

#[test]
fn concurrent_reads_of_compressed_clusters_agree() {
    let original = sample(13, 6 << 20);
    for case in kinds(6 << 20) {
        let opened = case.open(case.image_of(&original)).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4_usize {
                let (opened, original) = (&opened, &original);
                scope.spawn(move || {
                    let mut buffer = vec![0; 1 << 20];
                    for part in 0..24_usize {
                        // Quarters of megabytes, each thread from another place.
                        let offset = (part + thread * 6) % 24 * (256 << 10);
                        let len = (1 << 20).min(original.len() - offset);
                        opened.read_at(&mut buffer[..len], offset as u64).unwrap();
                        assert!(buffer[..len] == original[offset..offset + len]);
                    }
                });
            }
        });
    }
}
