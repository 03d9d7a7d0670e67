//! VHDX: with qemu-img as the referee, both ways.

mod differencing;
mod log;

use super::corpus;
use super::{Case, Making, content, crash, cut_beside_the_parents, feed, hostile, model, padded, sample};
use crate::rig::assert_same;
use ectype_core::image::{Findings, Format, Opened, Place, Spec, codec, gate, named};
use ectype_core::io::{Content, Durable, ReadAt, WriteAt};
use ectype_core::os::file::{Allocation, PlainFile};
use ectype_core::{Extent, Extents, error::Kind};
use ectype_testkit::{MemoryDisk, need};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Runs a tool, which must succeed, and returns what it said.
fn run(tool: &str, args: &[&str]) -> String {
    let output = Command::new(need::find(tool).unwrap()).args(args).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?}: {said}");
    said
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn open_file(path: &Path) -> Arc<dyn Opened> {
    gate::open(path, None, &[]).unwrap_or_else(|error| panic!("{}: {error}", path.display())).image
}

fn checked(image: &dyn Opened) -> Findings {
    let mut findings = Findings::default();
    image.check(&mut findings).unwrap();
    assert!(findings.faults.is_empty(), "{findings:?}");
    findings
}

/// 40 MiB with data that qemu-img writes at odd places.
fn written_by_qemu(path: &Path, options: &str) {
    run("qemu-img", &["create", "-f", "vhdx", "-o", options, text(path), "40M"]);
    let writes = [
        "write -P 1 0 64k",
        "write -P 2 1000k 3M",
        "write -P 3 17M 512",
        "write -P 4 40959k 1k",
        "write -z 2M 1M",
    ];
    let mut args = vec!["-f", "vhdx"];
    writes.iter().for_each(|write| args.extend(["-c", write]));
    args.push(text(path));
    run("qemu-io", &args);
}

#[test]
fn reads_what_qemu_writes() {
    if !need::tools(&["qemu-img", "qemu-io"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (image, raw) = (dir.path().join("a.vhdx"), dir.path().join("a.raw"));
    for subformat in ["dynamic", "fixed"] {
        for options in
            ["", ",block_size=1M", ",block_size=8M,log_size=3M", ",block_state_zero=off", ",block_size=256M"]
        {
            let _ = std::fs::remove_file(&image);
            written_by_qemu(&image, &format!("subformat={subformat}{options}"));
            run("qemu-img", &["convert", "-f", "vhdx", "-O", "raw", text(&image), text(&raw)]);
            let opened = open_file(&image);
            assert_same(&content(&opened), &std::fs::read(&raw).unwrap(), options);
            assert_eq!((opened.facts().format, &*opened.facts().subformat), ("vhdx", subformat));
            checked(&*opened);
        }
    }
}

#[test]
fn reads_the_corpus() {
    for sample in corpus::samples("vhdx/") {
        let dir = tempfile::tempdir().unwrap();
        let opened = open_file(&sample.unpack(dir.path()));
        eprintln!("{}: {:?}", sample.path, opened.facts());
        eprintln!("{:?}", checked(&*opened));
        sample.assert_content(&opened);
    }
}

fn vhdx() -> &'static Format {
    named("vhdx").unwrap()
}

fn case(size: u64, subformat: &str, block: u64) -> Case {
    Case::new(vhdx(), Spec { size, subformat: subformat.into(), block, ..Spec::default() })
}

#[test]
fn reads_as_what_was_put() {
    for (seed, size, subformat, block) in [
        (1, 9 << 20, "dynamic", 0),
        (2, (7 << 20) + 512, "dynamic", 1 << 20),
        (3, 100 << 10, "dynamic", 0),
        (4, (5 << 20) + 1024, "fixed", 1 << 20),
        (5, 5 << 20, "dynamic", 256 << 20),
    ] {
        model(&case(size, subformat, block), seed);
    }
    let spec = Spec { size: (9 << 20) + 4096, sector: 4096, physical_sector: 4096, ..Spec::default() };
    model(&Case::new(vhdx(), spec), 6);
}

#[test]
fn a_cut_at_any_write_is_survived() {
    crash(&case((5 << 20) + 1024, "dynamic", 1 << 20), 3);
    crash(&case((5 << 20) + 1024, "dynamic", 0), 3);
    crash(&case((5 << 20) + 1024, "fixed", 0), 3);
}

const MIB: u64 = 1 << 20;

/// Where the tables of an image that is written here lie.
const REGIONS: usize = 192 << 10;
const METADATA: usize = 2 << 20;
const BAT: usize = 3 << 20;

#[test]
fn qemu_reads_what_is_written() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (image, raw) = (dir.path().join("a.vhdx"), dir.path().join("a.raw"));
    for (size, subformat, block) in [
        ((9 << 20) + 512, "dynamic", 0),
        ((9 << 20) + 512, "fixed", 0),
        (9 << 20, "dynamic", 1 << 20),
        (9 << 20, "dynamic", 256 << 20),
        (9 << 20, "fixed", 8 << 20),
        (100, "dynamic", 0),
    ] {
        let original = sample(size, size);
        let case = case(size, subformat, block);
        std::fs::write(&image, case.image_of(&original).into_bytes()).unwrap();
        run("qemu-img", &["check", "-f", "vhdx", text(&image)]);
        run("qemu-img", &["convert", "-f", "vhdx", "-O", "raw", text(&image), text(&raw)]);
        let seen = std::fs::read(&raw).unwrap();
        assert_same(&seen, &padded(original, seen.len() as u64), subformat);
        let info: serde_json::Value =
            serde_json::from_str(&run("qemu-img", &["info", "--output=json", text(&image)])).unwrap();
        assert_eq!(info["format"], "vhdx");
        assert_eq!(info["cluster-size"], case.spec.block);
        assert_eq!(checked(&*open_file(&image)).leaked, 0);
        // Another program goes on with it.
        if need::tool("qemu-io") && size > 9 << 20 {
            run("qemu-io", &["-f", "vhdx", "-c", "write -P 77 3M 2M", text(&image)]);
            let opened = open_file(&image);
            checked(&*opened);
            let mut bytes = vec![0; 2 << 20];
            opened.read_at(&mut bytes, 3 << 20).unwrap();
            assert!(bytes.iter().all(|&byte| byte == 77));
        }
    }
}

#[test]
fn no_image_is_larger_than_that_of_qemu() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (raw, theirs) = (dir.path().join("a.raw"), dir.path().join("a.vhdx"));
    let original = sample(3, 40 << 20);
    std::fs::write(&raw, &original).unwrap();
    for subformat in ["dynamic", "fixed"] {
        let options = format!("subformat={subformat}");
        run("qemu-img", &["convert", "-O", "vhdx", "-o", &options, text(&raw), text(&theirs)]);
        let ours = case(40 << 20, subformat, 0).image_of(&original).size();
        assert!(ours <= std::fs::metadata(&theirs).unwrap().len(), "{subformat}: {ours}");
    }
}

#[test]
fn the_same_spec_gives_the_same_bytes_with_holes_and_without() {
    for subformat in ["dynamic", "fixed"] {
        let original = sample(8, (11 << 20) + 512);
        let case = case(original.len() as u64, subformat, 0);
        let expected = case.image_of(&original).into_bytes();
        for disk in [MemoryDisk::new(0), MemoryDisk::dense(0, 0), MemoryDisk::dense(64 << 20, 0xaa)] {
            let disk = Arc::new(disk);
            let mut image = case.create(Arc::clone(&disk)).unwrap();
            for part in 0..12 {
                let at = Extent::new(part * MIB, MIB).intersect(Extent::new(0, original.len() as u64));
                feed(&mut *image, &original, at);
                image.checkpoint().unwrap();
            }
            image.finish().unwrap();
            assert_same(&disk.bytes(), &expected, subformat);
        }
    }
}

/// Between checkpoints the image is taken up again with a part of what it had: the rest is as new.
pub(super) fn resumed_at_random(
    spec: &Spec,
    parent: Option<Arc<dyn Opened>>,
    base: &[u8],
    seed: u64,
    dense: bool,
) {
    let writing = vhdx().writing.as_ref().unwrap();
    let disk = Arc::new(if dense { MemoryDisk::dense(0, 0) } else { MemoryDisk::new(0) });
    let place = || Place { storage: Box::new(Durable::new(Arc::clone(&disk))), parent: parent.clone() };
    let mut image = (writing.create)(place(), spec).unwrap();
    let (size, unit) = (spec.size, u64::from(spec.sector));
    let mut expected = base[..size as usize].to_vec();
    let (mut dice, mut held) = (crate::engine::Dice(seed), Extents::new());
    for step in 0..80 {
        let start = dice.below(size / unit) * unit;
        let most = [3, 5000][dice.below(2) as usize];
        let len = ((1 + dice.below(most)) * unit).min(size - start);
        // At times a whole block, at times to the end.
        let at = match dice.below(5) {
            0 => Extent::new(start, 1).align_out(spec.block).intersect(Extent::new(0, size)),
            1 => Extent::between(start, size),
            _ => Extent::new(start, len),
        };
        let bytes = at.offset as usize..at.end() as usize;
        match dice.below(8) {
            0..4 => {
                let data = sample(dice.below(1 << 30), at.len);
                expected[bytes].copy_from_slice(&data);
                image.put(at.offset, &data).unwrap();
                held.insert(at);
            }
            4 | 5 => {
                expected[bytes].fill(0);
                image.zero(at).unwrap();
                held.insert(at);
            }
            6 => {
                image.checkpoint().unwrap();
                drop(image);
                held.remove(at);
                expected[bytes.clone()].copy_from_slice(&base[bytes]);
                image = (writing.resume)(place(), spec, &held).unwrap();
            }
            _ => image.checkpoint().unwrap(),
        }
        let look = dice.below(size);
        let mut seen = vec![7; (size - look).min(70_000) as usize];
        image.read_at(&mut seen, look).unwrap();
        assert!(seen == expected[look as usize..][..seen.len()], "seed {seed}, step {step} at {look:#x}");
    }
    assert_same(&content(&image), &padded(expected.clone(), image.size()), "before it is finished");
    image.finish().unwrap();
    drop(image);
    let opened = (vhdx().open)(Arc::new(disk), &mut differencing::Family(parent)).unwrap();
    assert_same(&content(&opened), &padded(expected, opened.size()), "finished");
    checked(&*opened);
}

#[test]
fn what_is_not_held_is_as_new() {
    for seed in 0..12 {
        let size = (7 << 20) + 512 * seed;
        let spec = case(size, ["dynamic", "fixed"][seed as usize % 2], 1 << 20).spec;
        resumed_at_random(&spec, None, &vec![0; size as usize], seed, seed % 3 == 0);
    }
}

#[test]
fn torn_tables_behind_the_checkpoint_do_no_harm() {
    let original = sample(4, 8 << 20);
    let case = case(8 << 20, "dynamic", 1 << 20);
    let disk = Arc::new(MemoryDisk::new(0));
    let mut image = case.create(Arc::clone(&disk)).unwrap();
    image.put(2 << 20, &original[2 << 20..4 << 20]).unwrap();
    image.checkpoint().unwrap();
    drop(image);
    let held: Extents = [Extent::new(2 << 20, 2 << 20)].into_iter().collect();
    // Garbage in the entries of blocks that hold nothing: outside, overlapping, of no state.
    for (index, entry) in [(0, 7_u64), (1, (4 << 20) | 6), (4, u64::MAX), (5, 4), (6, 6), (7, (1 << 60) | 6)]
    {
        disk.write_at(&entry.to_le_bytes(), (BAT + index * 8) as u64).unwrap();
    }
    disk.write_at(&[0x55; 9999], disk.size() + 12_345).unwrap();
    let mut image = case.resume(Arc::clone(&disk), &held).unwrap();
    let mut expected = vec![0; 8 << 20];
    expected[2 << 20..4 << 20].copy_from_slice(&original[2 << 20..4 << 20]);
    assert_same(&content(&image), &expected, "resumed");
    feed(&mut *image, &original, Extent::new(0, 2 << 20));
    feed(&mut *image, &original, Extent::new(4 << 20, 4 << 20));
    image.finish().unwrap();
    drop(image);
    let opened = case.open(disk).unwrap();
    assert_same(&content(&opened), &original, "finished");
    assert_eq!(checked(&*opened).leaked, 0);
}

#[test]
fn an_image_may_end_earlier() {
    for subformat in ["dynamic", "fixed"] {
        for end in [0, 1, 512, (3 << 20) - 100, 3 << 20, (6 << 20) + 512, (7 << 20) + 100] {
            let original = sample(6, (7 << 20) + 100);
            let case = case(original.len() as u64, subformat, 1 << 20);
            let disk = Arc::new(MemoryDisk::new(0));
            let mut image = case.create(Arc::clone(&disk)).unwrap();
            feed(&mut *image, &original, Extent::new(0, original.len() as u64));
            image.checkpoint().unwrap();
            image.set_end(end).unwrap();
            let expected = padded(original[..end as usize].to_vec(), end.next_multiple_of(512).max(512));
            assert_same(&content(&image), &expected, "cut");
            image.finish().unwrap();
            drop(image);
            let opened = case.open(disk).unwrap();
            assert_same(&content(&opened), &expected, "cut and finished");
            assert_eq!(checked(&*opened).leaked, 0, "{subformat} {end}");
        }
    }
}

#[test]
fn what_is_unfinished_is_not_opened_and_each_resume_has_its_own_guids() {
    let case = case(3 << 20, "dynamic", 0);
    let disk = Arc::new(MemoryDisk::new(0));
    let mut image = case.create(Arc::clone(&disk)).unwrap();
    image.put(0, &[1; 512]).unwrap();
    image.checkpoint().unwrap();
    drop(image);
    assert_eq!(case.open(disk.bytes()).err().unwrap().kind(), Kind::Refused);
    let held: Extents = [Extent::new(0, 512)].into_iter().collect();
    let mut ids = Vec::new();
    for _ in 0..3 {
        case.resume(Arc::clone(&disk), &held).unwrap().finish().unwrap();
        ids.push(case.open(disk.bytes()).unwrap().facts().id);
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}

#[test]
fn what_one_must_know_is_refused_by_name() {
    let case = case(1 << 20, "dynamic", 0);
    let image = case.image_of(&sample(1, 1 << 20)).into_bytes();
    let mut region = image.clone();
    for copy in [REGIONS, REGIONS + (64 << 10)] {
        region[copy + 8] = 3;
        region[copy + 16 + 64..][..16].copy_from_slice(b"a region's guid!");
        region[copy + 16 + 64 + 28] = 1;
        seal(&mut region[copy..][..64 << 10]);
    }
    let mut item = image.clone();
    item[METADATA + 10] += 1;
    let at = METADATA + 32 + usize::from(image[METADATA + 10]) * 32;
    item[at..at + 16].copy_from_slice(b"an items's guid!");
    item[at + 24] = 4;
    for (bytes, name) in [(region.clone(), "65722061-"), (item.clone(), "69206e61-")] {
        let error = case.open(bytes).err().unwrap();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains(name), "{error}");
    }
    // Not required: nobody minds.
    for copy in [REGIONS, REGIONS + (64 << 10)] {
        region[copy + 16 + 64 + 28] = 0;
        seal(&mut region[copy..][..64 << 10]);
    }
    item[at + 24] = 0;
    checked(&*case.open(region).unwrap());
    checked(&*case.open(item).unwrap());
}

/// Gives a structure its checksum, which is in its bytes 4 to 7.
fn seal(bytes: &mut [u8]) {
    bytes[4..8].fill(0);
    let sum = codec::crc32c(bytes);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn one_copy_of_headers_and_regions_is_enough() {
    let case = case(1 << 20, "dynamic", 0);
    let original = sample(1, 1 << 20);
    let image = case.image_of(&original).into_bytes();
    for broken in [64 << 10, 128 << 10, REGIONS, 256 << 10] {
        let mut bytes = image.clone();
        bytes[broken + 20] ^= 1;
        let opened = case.open(bytes).unwrap();
        assert_same(&content(&opened), &original, "one copy");
        assert_eq!(checked(&*opened).notes.len(), 1);
    }
}

#[test]
fn a_check_finds_what_contradicts_itself() {
    let case = case(6 << 20, "dynamic", 1 << 20);
    let image = case.image_of(&vec![1; 6 << 20]).into_bytes();
    let faults = [
        ((5_u64 << 20) | 6, "overlaps"),
        ((2 << 20) | 6, "overlaps"),
        ((1 << 40) | 6, "the file has"),
        (6, "the file has"),
        (4, "state"),
        ((4 << 20) | 7, "no parent"),
    ];
    for (entry, word) in faults {
        let mut bytes = image.clone();
        bytes[BAT..BAT + 8].copy_from_slice(&entry.to_le_bytes());
        let opened = case.open(bytes).unwrap();
        let mut findings = Findings::default();
        opened.check(&mut findings).unwrap();
        assert!(findings.fault_count >= 1, "{entry:#x}");
        assert!(findings.faults.iter().any(|fault| fault.1.contains(word)), "{findings:?}");
        if !word.contains("overlaps") {
            let error = opened.read_at(&mut [0; 512], 0).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        }
    }
    let mut bytes = image;
    bytes[BAT..BAT + 8].fill(0);
    assert_eq!(checked(&*case.open(bytes).unwrap()).leaked, 1 << 20);
}

#[test]
fn hostile_bytes_are_survived() {
    let case = case(3 << 20, "dynamic", 1 << 20);
    let image = case.image_of(&sample(9, 3 << 20)).into_bytes();
    let headers = [
        Extent::new(64 << 10, 80),
        Extent::new(128 << 10, 80),
        Extent::new(REGIONS as u64, 80),
        Extent::new(METADATA as u64, 200),
        Extent::new(METADATA as u64 + (64 << 10), 48),
        Extent::new(BAT as u64, 24),
    ];
    hostile(&case, &image, &headers);
}

#[test]
fn terabytes_are_walked_in_a_moment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.vhdx");
    for (size, block, subformat) in [
        (64 << 40, 0, "dynamic"),
        (64 << 40, 16 << 20, "dynamic"),
        (8 << 40, 0, "dynamic"),
        (1 << 40, 0, "fixed"),
    ] {
        let _ = std::fs::remove_file(&path);
        let file = PlainFile::create_new(&path, Allocation::Sparse).unwrap();
        if !file.holds_holes() {
            return;
        }
        let case = case(size, subformat, block);
        let mut image = case.create(file).unwrap();
        let places = [0, size / 3 / 512 * 512, size - 512];
        for place in places {
            image.put(place, &[9; 512]).unwrap();
        }
        image.zero(Extent::new(1 << 20, size / 4)).unwrap();
        image.finish().unwrap();
        drop(image);
        let opened = open_file(&path);
        assert_eq!(opened.size(), size);
        let (mut offset, mut steps, mut data) = (0, 0, 0);
        while offset < size {
            let (content, until) = opened.content_at(offset).unwrap();
            data += if content == Content::Data { until - offset } else { 0 };
            (offset, steps) = (until, steps + 1);
        }
        assert!(steps < 200 && data <= 3 * (64 << 10), "{steps} steps, {data} bytes");
        let mut bytes = [0; 512];
        for place in places {
            opened.read_at(&mut bytes, place).unwrap();
            assert_eq!(bytes, [9; 512]);
        }
        if subformat == "dynamic" {
            checked(&*opened);
            assert!(opened.read_at(&mut bytes, size).is_err());
        }
    }
}
