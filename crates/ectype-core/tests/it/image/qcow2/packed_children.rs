//! Compressed images over a parent: only the clusters that differ, whatever becomes of the power; QEMU judges.

use super::referees::{opened, run};
use super::{Parents, check_clean, child_of, create_over, open_over, raw};
use crate::image::{Case, content, feed, sample};
use crate::rig::assert_same;
use ectype_core::image::differing::Differing;
use ectype_core::image::{Form, Image, Opened, Parent, Place, Placement, Sink, Spec, gate};
use ectype_core::io::{Durable, ReadAt};
use ectype_core::os::file::{Allocation, PlainFile};
use ectype_core::{Extent, Extents, Result};
use ectype_testkit::{MemoryDisk, TornDisk, need};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const MIB: usize = 1 << 20;

/// Every compression, with small, usual and the largest clusters.
fn kinds(size: u64) -> Vec<Spec> {
    let kinds = [
        ("v3", 0, "zlib"),
        ("v3", 0, "zstd"),
        ("v2", 0, "zlib"),
        ("v3", 4096, "zstd"),
        ("v2", 512, "zlib"),
        ("v3", 1 << 20, "zlib"),
    ];
    let spec = |(subformat, block, compression): (&str, u64, &str)| Spec {
        size,
        block,
        subformat: subformat.into(),
        compression: compression.into(),
        ..Spec::default()
    };
    kinds.map(spec).to_vec()
}

/// Of a content what a later one may have become: changed by a byte and at large, zeros where there were none, and the reverse.
fn later(base: &[u8], len: usize) -> Vec<u8> {
    let mut later = base.to_vec();
    later.resize(len, 0);
    later[70_001] ^= 1;
    later[MIB..MIB + 300_000].fill(0);
    later[2 * MIB..3 * MIB].fill(0);
    later[3 * MIB + 1000..3 * MIB + 200_000].copy_from_slice(&sample(77, 199_000));
    later
}

/// A content with a whole piece of data, of zeros, and the rest of everything.
fn earlier(len: usize) -> Vec<u8> {
    let mut base = sample(21, len as u64);
    base[2 * MIB..3 * MIB].fill(0x61);
    base[4 * MIB..5 * MIB].fill(0);
    base
}

fn differing_over(case: &Case, parent: &Arc<dyn Opened>, disk: &Arc<MemoryDisk>) -> Differing {
    Differing::new(create_over(case, parent, disk))
}

#[test]
fn it_holds_the_clusters_that_differ_and_no_others() {
    const LEN: usize = 6 * MIB + 1536;
    let base = earlier(LEN);
    let expected = later(&base, LEN);
    // As long, shorter, and with more behind the child's end.
    for parent_len in [LEN, 5 * MIB + 1000, LEN + 100_000] {
        let mut held = base.clone();
        held.resize(parent_len, 0x17);
        let parent = raw(held.clone());
        held.resize(LEN, 0);
        let expected = if parent_len < LEN { later(&held, LEN) } else { expected.clone() };
        for spec in kinds(LEN as u64) {
            let case = child_of(spec);
            let disk = Arc::new(MemoryDisk::new(0));
            let mut image = differing_over(&case, &parent, &disk);
            assert_eq!(image.placement(), Placement::InOrder);
            let packer = image.packer().expect("it is packed");
            let block = case.spec.block as usize;
            for piece in 0..LEN.div_ceil(MIB) {
                let at = Extent::between((piece * MIB) as u64, ((piece + 1) * MIB).min(LEN) as u64);
                let bytes = at.offset as usize..at.end() as usize;
                let packed = packer.pack(at, &expected[bytes.clone()]).unwrap();
                let clusters = bytes.clone().step_by(block).map(|start| start..(start + block).min(LEN));
                let differing: Vec<usize> = clusters
                    .filter(|cluster| expected[cluster.clone()] != held[cluster.clone()])
                    .map(|cluster| cluster.start)
                    .collect();
                let found: Vec<usize> = packed.grains.iter().map(|grain| grain.at.offset as usize).collect();
                assert_eq!(found, differing, "piece {piece}, {:?}", case.spec);
                for grain in &packed.grains {
                    let bytes = &expected[grain.at.offset as usize..grain.at.end() as usize];
                    assert_eq!(grain.form == Form::Zero, bytes.iter().all(|byte| *byte == 0));
                }
            }
            feed(&mut image, &expected, Extent::new(0, LEN as u64));
            assert_same(&content(&image), &expected, "while it is written");
            image.finish().unwrap();
            drop(image);
            let opened = open_over(&case, &parent, &disk);
            assert_same(&content(&opened), &expected, "afterwards");
            check_clean(&*opened);
        }
    }
}

#[test]
fn of_nothing_that_differs_nothing_is_written() {
    // Not in whole sectors: what the format pads with is no difference either.
    const LEN: usize = 5 * MIB + 700;
    let base = earlier(LEN);
    let parent = raw(base.clone());
    for spec in kinds(LEN as u64) {
        let case = child_of(spec);
        let disk = Arc::new(MemoryDisk::new(0));
        let mut image = differing_over(&case, &parent, &disk);
        feed(&mut image, &base, Extent::new(0, LEN as u64));
        image.finish().unwrap();
        drop(image);
        // Header, refcounts and L1 table; of an L2 table nothing.
        let most = 4 * case.spec.block + 512 * 1024 / 8;
        assert!(disk.size() <= most, "{:?}: {}", case.spec, disk.size());
        assert_same(&content(&open_over(&case, &parent, &disk))[..LEN], &base, "the parent's");
    }
}

/// A power cut at every write, with a checkpoint behind most pieces: what it covered is there, everything else is the parent's
/// again, and going on leads to the whole.
#[test]
fn a_cut_at_any_write_is_survived() {
    const LEN: usize = 5 * MIB + 1024;
    let base = earlier(LEN);
    let original = later(&base, LEN);
    let parent = raw(base.clone());
    for spec in kinds(LEN as u64).into_iter().filter(|spec| spec.block != 512) {
        let case = child_of(spec);
        let writing = case.format.writing.as_ref().unwrap();
        let place = |storage| Place { storage, parent: Some(Arc::clone(&parent)) };
        for cuts in 0.. {
            let torn = Arc::new(TornDisk::new(MemoryDisk::new(0)).crash_after(cuts));
            let (mut held, mut put) = (None, Extents::new());
            let ended = (|| -> Result<()> {
                let storage = Box::new(Durable::new(Arc::clone(&torn)));
                let mut image = Differing::new((writing.create)(place(storage), &case.spec)?);
                let packer = image.packer().expect("it is packed");
                for piece in 0..LEN.div_ceil(MIB) {
                    let at = Extent::between((piece * MIB) as u64, ((piece + 1) * MIB).min(LEN) as u64);
                    let data = &original[at.offset as usize..at.end() as usize];
                    match data.iter().all(|byte| *byte == 0) {
                        true => image.zero(at)?,
                        false => image.put_packed(at.offset, data, &packer.pack(at, data)?)?,
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
            if !torn.crashed() {
                assert!(cuts > 8, "the test cut only {cuts} times");
                break;
            }
            let Some(held) = held else { continue };
            for seed in 0..2 {
                let when = format!("{:?}: cut at write {cuts}, seed {seed}", case.spec);
                let left = Arc::new(torn.survivors(cuts * 11 + seed));
                let storage = Box::new(Durable::new(Arc::clone(&left)));
                let resumed = (writing.resume)(place(storage), &case.spec, &held);
                let mut image = Differing::new(resumed.unwrap_or_else(|error| panic!("{when}: {error}")));
                let mut expected = base.clone();
                for at in held.iter() {
                    let bytes = at.offset as usize..at.end() as usize;
                    expected[bytes.clone()].copy_from_slice(&original[bytes]);
                }
                assert_same(&content(&image), &expected, &when);
                let all: Extents = [Extent::new(0, LEN as u64)].into_iter().collect();
                all.subtract(&held).iter().for_each(|rest| feed(&mut image, &original, rest));
                image.finish().unwrap();
                drop(image);
                let opened = open_over(&case, &parent, &left);
                assert_same(&content(&opened), &original, &when);
                let mut findings = Default::default();
                opened.check(&mut findings).unwrap();
                assert!(findings.faults.is_empty(), "{when}: {findings:?}");
            }
        }
    }
}

/// What a parent cannot give is an error, not a difference.
#[test]
fn a_parent_that_cannot_be_read_is_told() {
    struct Broken;
    impl ReadAt for Broken {
        fn size(&self) -> u64 {
            1 << 20
        }
        fn read_at(&self, _: &mut [u8], _: u64) -> std::io::Result<()> {
            Err(std::io::Error::from_raw_os_error(5))
        }
    }
    let parent = (ectype_core::image::named("raw").unwrap().open)(Arc::new(Broken), &mut Parents(vec![]));
    let case = child_of(kinds(1 << 20).remove(0));
    let image = differing_over(&case, &parent.unwrap(), &Arc::new(MemoryDisk::new(0)));
    let packed = image.packer().unwrap().pack(Extent::new(0, 1 << 20), &vec![1; 1 << 20]);
    assert!(packed.unwrap_err().to_string().contains("parent"));
}

fn written(case: &Case, path: &Path, content: &[u8], parent: &Arc<dyn Opened>) {
    let _ = fs::remove_file(path);
    let storage = Box::new(Durable::new(PlainFile::create_new(path, Allocation::Sparse).unwrap()));
    let create = case.format.writing.as_ref().unwrap().create;
    let place = Place { storage, parent: Some(Arc::clone(parent)) };
    let mut image = Differing::new(create(place, &case.spec).unwrap());
    feed(&mut image, content, Extent::new(0, content.len() as u64));
    image.finish().unwrap();
}

/// The same child by both: as QEMU makes it of a child that is not compressed.
#[test]
fn qemu_takes_it_and_makes_none_that_is_smaller() {
    if !need::tools(&["qemu-img", "qemu-io"]) {
        return;
    }
    const LEN: usize = 9 * MIB + 1024;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let base = earlier(LEN);
    let truth = later(&base, LEN);
    fs::write(dir.join("raw"), &base).unwrap();
    fs::write(dir.join("truth"), &truth).unwrap();
    run(dir, "qemu-img", &["convert", "-f", "raw", "-O", "qcow2", "-c", "raw", "base"]);
    for (name, format) in [("raw", "raw"), ("base", "qcow2")] {
        let parent = gate::open(&dir.join(name), None, &[]).unwrap().image;
        for spec in kinds(LEN as u64) {
            let parent_of = Parent { relative: name.into(), format: format.into(), ..Parent::default() };
            let case = super::with(Spec { parent: Some(parent_of), ..spec });
            let spec = &case.spec;
            written(&case, &dir.join("img"), &truth, &parent);
            let check = run(dir, "qemu-img", &["check", "-f", "qcow2", "img"]);
            assert!(check.contains("No errors were found"), "{spec:?}: {check}");
            run(dir, "qemu-img", &["compare", "-f", "raw", "-F", "qcow2", "truth", "img"]);
            let json =
                |args: &[&str]| -> Value { serde_json::from_str(&run(dir, "qemu-img", args)).unwrap() };
            let info = json(&["info", "--output=json", "img"]);
            assert_eq!(info["backing-filename"], name);
            assert_eq!(info["backing-filename-format"], format);
            // What became zeros hides the parent without a place in the file; everything that is stored is compressed or chance.
            let map = json(&["map", "--output=json", "img"]);
            let at = |offset: usize| {
                let holds = |run: &&Value| {
                    let start = run["start"].as_u64().unwrap() as usize;
                    (start..start + run["length"].as_u64().unwrap() as usize).contains(&offset)
                };
                map.as_array().unwrap().iter().find(holds).unwrap().clone()
            };
            let zeros = at(2 * MIB + MIB / 2);
            assert_eq!(zeros["depth"], 0, "{spec:?}: {zeros}");
            if spec.subformat == "v3" {
                assert_eq!((&zeros["zero"], &zeros["offset"]), (&true.into(), &Value::Null), "{spec:?}");
            }
            assert_eq!(at(8 * MIB)["depth"], 1, "what is the parent's is not there: {spec:?}");
            // Flattened by them, and without the parent nothing is lost then.
            run(dir, "qemu-img", &["convert", "-f", "qcow2", "-O", "raw", "img", "flat"]);
            assert_same(&fs::read(dir.join("flat")).unwrap(), &truth, "flattened");

            // Theirs, of a child with the same clusters.
            let zstd = if spec.compression == "zstd" { ",compression_type=zstd" } else { "" };
            let compat = if spec.subformat == "v2" { "0.10" } else { "1.1" };
            let option = format!("compat={compat},cluster_size={}{zstd}", spec.block);
            let option = option.as_str();
            run(
                dir,
                "qemu-img",
                &["create", "-q", "-f", "qcow2", "-b", name, "-F", format, "-o", option, "thin"],
            );
            for (start, end) in differing(&base, &truth, spec.block as usize) {
                let part = &truth[start..end];
                fs::write(dir.join("part"), part).unwrap();
                let command = match part.iter().all(|byte| *byte == 0) {
                    true => format!("write -z {start} {}", end - start),
                    false => format!("write -s part {start} {}", end - start),
                };
                run(dir, "qemu-io", &["-f", "qcow2", "-c", &command, "thin"]);
            }
            let pack =
                ["convert", "-c", "-B", name, "-F", format, "-f", "qcow2", "-O", "qcow2", "-o", option];
            run(dir, "qemu-img", &[&pack[..], &["thin", "theirs"]].concat());
            run(dir, "qemu-img", &["compare", "-f", "raw", "-F", "qcow2", "truth", "theirs"]);
            let len = |name| fs::metadata(dir.join(name)).unwrap().len();
            let most = len("theirs") / 100 * 108 + spec.block;
            assert!(len("img") <= most, "{spec:?}: {} > {most}", len("img"));
            let opened = opened(&dir.join("img"));
            assert_same(&content(&opened), &truth, "through the gate");
            check_clean(&*opened);
        }
    }
}

/// The runs of clusters that differ, zeros apart from data.
fn differing(base: &[u8], truth: &[u8], cluster: usize) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize, bool)> = Vec::new();
    for start in (0..truth.len()).step_by(cluster) {
        let end = (start + cluster).min(truth.len());
        if base[start..end] == truth[start..end] {
            continue;
        }
        let zeros = truth[start..end].iter().all(|byte| *byte == 0);
        match runs.last_mut() {
            Some(run) if run.1 == start && run.2 == zeros => run.1 = end,
            _ => runs.push((start, end, zeros)),
        }
    }
    runs.into_iter().map(|(start, end, _)| (start, end)).collect()
}
