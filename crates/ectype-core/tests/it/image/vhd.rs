//! VHD: the frame's laws, the tools of others as referees in both directions, and what damage leaves.

mod crashes;
mod damage;
mod differencing;

use super::corpus::samples;
use super::{
    Alone, Case, Making, content, crash, cut_beside_the_parents, feed, hostile, model, padded, sample,
};
use crate::rig::assert_same;
use ectype_core::image::gate;
use ectype_core::image::{Facts, Findings, Opened, Parent, Spec, named, probe};
use ectype_core::io::{Content, ReadAt, WriteAt};
use ectype_core::os::file::{Allocation, PlainFile};
use ectype_core::{Extent, Kind, Result};
use ectype_testkit::{MemoryDisk, SparseRandom, need};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

const SUBFORMATS: [&str; 4] = ["dynamic", "fixed", "dynamic-chs", "fixed-chs"];

fn case(size: u64, subformat: &str) -> Case {
    Case::new(named("vhd").unwrap(), Spec { size, subformat: subformat.into(), ..Spec::default() })
}

fn plan(spec: Spec) -> Result<(Spec, u64)> {
    (named("vhd").unwrap().writing.as_ref().unwrap().plan)(spec)
}

fn check(opened: &dyn Opened) -> Findings {
    let mut findings = Findings::default();
    opened.check(&mut findings).unwrap();
    findings
}

fn run(tool: &str, args: &[&str]) -> String {
    let output = need::command(tool).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?}: {text}{said}");
    text
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn reads_as_what_was_put() {
    for (seed, size) in [(1, 9 << 20), (2, (5 << 20) + 512), (3, 100 << 10), (4, (4 << 20) + 1)] {
        for subformat in SUBFORMATS {
            model(&case(size, subformat), seed);
        }
    }
    let small = Spec { size: 3 << 20, block: 512 << 10, ..Spec::default() };
    model(&Case::new(named("vhd").unwrap(), small), 5);
}

#[test]
fn a_cut_at_any_write_is_survived() {
    crash(&case((7 << 20) + 1024, "dynamic"), 3);
    crash(&case((5 << 20) + 1024, "fixed"), 3);
}

#[test]
fn a_target_without_holes_gets_zeros() {
    for subformat in SUBFORMATS {
        let case = case((9 << 20) + 512, subformat);
        let original = sample(8, (9 << 20) + 512);
        let disk = Arc::new(MemoryDisk::dense(0, 0));
        let mut image = case.create(Arc::clone(&disk)).unwrap();
        // Backwards, so that there are gaps to fill; with a checkpoint in the middle.
        for piece in (0..10).rev() {
            let end = ((piece + 1) << 20).min(original.len() as u64);
            feed(&mut *image, &original, Extent::between((piece << 20) + 4096, end));
            if piece == 5 {
                image.checkpoint().unwrap();
            }
        }
        for piece in 0..10 {
            let start = piece << 20;
            feed(&mut *image, &original, Extent::new(start, 4096).intersect(Extent::new(0, (9 << 20) + 512)));
        }
        assert_same(&content(&image), &padded(original.clone(), image.size()), subformat);
        image.finish().unwrap();
        drop(image);
        let opened = case.open(disk).unwrap();
        assert_same(&content(&opened), &padded(original, opened.size()), subformat);
        assert_eq!(check(&*opened), Findings::default());
    }
}

#[test]
fn no_damage_is_a_panic() {
    for subformat in ["dynamic", "fixed"] {
        let case = case(5 << 20, subformat);
        let stored = case.image_of(&sample(3, 5 << 20)).into_bytes();
        let end = stored.len() as u64;
        hostile(&case, &stored, &[Extent::new(0, 1600), Extent::between(end - 512, end)]);
    }
}

#[test]
fn the_end_of_a_disc_can_come_early() {
    for subformat in SUBFORMATS {
        for end in [(3 << 20) + 2048, (5 << 20) - 1, 0] {
            let original = sample(9, 9 << 20);
            let case = case(9 << 20, subformat);
            let disk = Arc::new(MemoryDisk::new(0));
            let mut image = case.create(Arc::clone(&disk)).unwrap();
            feed(&mut *image, &original, Extent::new(0, 9 << 20));
            image.checkpoint().unwrap();
            image.set_end(end).unwrap();
            image.finish().unwrap();
            drop(image);
            let opened = case.open(disk).unwrap();
            assert_same(
                &content(&opened),
                &padded(original[..end as usize].to_vec(), opened.size()),
                subformat,
            );
            assert_eq!(check(&*opened), Findings::default(), "{subformat} {end}");
        }
    }
}

#[test]
fn what_a_vhd_cannot_hold_is_refused() {
    let (planned, longest) = plan(Spec { size: 2040 << 30, ..Spec::default() }).unwrap();
    assert_eq!((planned.subformat.as_str(), planned.block), ("dynamic", 2 << 20));
    assert!(longest > 2040 << 30 && longest < 2048 << 30);
    let (fixed, longest) = plan(Spec { size: 1000, subformat: "fixed".into(), ..Spec::default() }).unwrap();
    assert_eq!((fixed.block, longest), (0, 1024 + 512));
    assert_eq!(plan(planned.clone()).unwrap().0, planned);
    let parent = Some(Parent { format: "raw".into(), ..Parent::default() });
    let fixed = "fixed".to_owned();
    for (spec, kind, advice) in [
        (Spec { size: (2040 << 30) + 1, ..Spec::default() }, Kind::Limit, "vhdx"),
        (Spec { size: u64::MAX, ..Spec::default() }, Kind::Limit, "vhdx"),
        (Spec { size: 1 << 30, sector: 4096, ..Spec::default() }, Kind::Refused, "vhdx"),
        (Spec { size: 2040 << 30, block: 512 << 10, ..Spec::default() }, Kind::Limit, "2 MiB"),
        (Spec { size: 1 << 30, block: 4096, ..Spec::default() }, Kind::Refused, ""),
        (Spec { size: 1 << 30, parent: parent.clone(), ..Spec::default() }, Kind::Refused, ""),
        (Spec { size: 1 << 30, parent, subformat: fixed, ..Spec::default() }, Kind::Refused, "dynamic"),
    ] {
        let error = plan(spec).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.advice().concat().contains(advice), "{error:?}");
    }
}

#[test]
fn others_read_what_is_written_here() {
    if !need::tools(&["qemu-img", "vhdiinfo"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let raw = folder.path().join("content.raw");
    for subformat in SUBFORMATS {
        for size in [(5 << 20) + 512, (8 << 20) + 1536, 104_448, (7 << 20) + 3, 129 << 20] {
            let original = sample(size, size);
            let case = case(size, subformat);
            let path = folder.path().join("image.vhd");
            let stored = case.image_of(&original);
            fs::write(&path, stored.bytes()).unwrap();
            let length = case.open(stored).unwrap().size();
            if !subformat.ends_with("-chs") {
                assert_eq!(length, size.next_multiple_of(512));
            }
            fs::write(&raw, padded(original, length)).unwrap();
            // Both rules that there are for the length of a disk.
            let rule = if subformat.ends_with("-chs") { "chs" } else { "current_size" };
            let options = format!("driver=vpc,file.filename={},force_size_calc={rule}", text(&path));
            for image in [&["-f", "vpc", text(&path)][..], &["--image-opts", &options]] {
                if image[0] == "-f" {
                    run("qemu-img", &["compare", "-f", "vpc", "-F", "raw", text(&path), text(&raw)]);
                }
                let info = run("qemu-img", &[&["info", "--output=json"], image].concat());
                let info: serde_json::Value = serde_json::from_str(&info).unwrap();
                assert_eq!(info["virtual-size"], length, "{subformat} {size}");
            }
            let info = run("vhdiinfo", &[text(&path)]);
            assert!(info.contains(&format!("({length} bytes)")), "{info}");
        }
    }
}

/// A fixed image is one at any time, and a dynamic one at every checkpoint.
#[test]
fn an_unfinished_image_can_be_opened() {
    if !need::tool("qemu-img") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (path, raw) = (folder.path().join("image.vhd"), folder.path().join("content.raw"));
    for subformat in ["dynamic", "fixed"] {
        let original = sample(7, 9 << 20);
        let case = case(9 << 20, subformat);
        let disk = Arc::new(MemoryDisk::new(0));
        let mut image = case.create(Arc::clone(&disk)).unwrap();
        image.checkpoint().unwrap();
        for piece in [8, 3, 0, 5] {
            let part = Extent::new(piece << 20, 1 << 20);
            feed(&mut *image, &original, part);
            if subformat == "dynamic" {
                image.checkpoint().unwrap();
            }
            fs::write(&path, disk.bytes()).unwrap();
            fs::write(&raw, content(&image)).unwrap();
            run("qemu-img", &["compare", "-f", "vpc", "-F", "raw", text(&path), text(&raw)]);
            let opened = case.open(disk.bytes()).unwrap();
            assert_same(&content(&opened), &content(&image), subformat);
            assert_eq!(check(&*opened), Findings::default());
        }
    }
}

#[test]
fn what_qemu_img_writes_is_read() {
    if !need::tool("qemu-img") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (path, raw) = (folder.path().join("image.vhd"), folder.path().join("content.raw"));
    for options in [
        "subformat=dynamic",
        "subformat=fixed",
        "subformat=dynamic,force_size=on",
        "subformat=fixed,force_size=on",
    ] {
        for size in [9_u64 << 20, (5 << 20) + 512] {
            let original = sample(size, size);
            fs::write(&raw, &original).unwrap();
            run("qemu-img", &["convert", "-f", "raw", "-O", "vpc", "-o", options, text(&raw), text(&path)]);
            let stored = fs::read(&path).unwrap();
            assert_eq!(probe(&stored).map(|format| format.name), Some("vhd"), "{options}");
            let opened = (named("vhd").unwrap().open)(Arc::new(stored), &mut Alone).unwrap();
            assert!(options.contains(&opened.facts().subformat));
            assert_same(&content(&opened), &padded(original, opened.size()), options);
            assert_eq!(check(&*opened).faults, []);
        }
    }
}

/// The longest disk, with blocks as far behind in the file as the table's numbers reach.
#[test]
fn the_longest_disk() {
    let case = case(2040 << 30, "dynamic");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("long.vhd");
    let file = || PlainFile::create_new(&path, Allocation::Sparse).unwrap();
    let mut image = case.create(file()).unwrap();
    image.zero(Extent::new(0, 2040 << 30)).unwrap();
    image.put((2040 << 30) - 512, &[7; 512]).unwrap();
    image.put(1 << 40, &[8; 4096]).unwrap();
    image.finish().unwrap();
    drop(image);
    let opened = gate::open(&path, None, &[]).unwrap().image;
    assert_eq!(check(&*opened), Findings::default());
    let (mut offset, mut runs) = (0, Vec::new());
    while offset < opened.size() {
        let (content, until) = opened.content_at(offset).unwrap();
        runs.push(content);
        offset = until;
    }
    assert!(runs.len() < 12 && runs.contains(&Content::Data), "{runs:?}");
    let mut buffer = [0; 512];
    opened.read_at(&mut buffer, (2040 << 30) - 512).unwrap();
    assert_eq!(buffer, [7; 512]);
    drop(opened);
    // A block as far away as sector numbers reach, where the file system holds such a file.
    let file = PlainFile::open_writable(&path, Allocation::Sparse).unwrap();
    let far = 0xffff_fffe_u32 - 4096 - 7;
    let at = u64::from(far) * 512;
    if file.set_size(at + 512 + (2 << 20) + 512).is_err() {
        return;
    }
    let mut footer = [0; 512];
    file.read_at(&mut footer, 0).unwrap();
    file.write_at(&[0xff; 512], at).unwrap();
    file.write_at(&[9; 512], at + 512).unwrap();
    file.write_at(&footer, at + 512 + (2 << 20)).unwrap();
    file.write_at(&far.to_be_bytes(), 1536).unwrap();
    let opened = gate::open(&path, None, &[]).unwrap().image;
    opened.read_at(&mut buffer, 0).unwrap();
    assert_eq!(buffer, [9; 512]);
    assert!(check(&*opened).faults.is_empty());
}

/// Terabytes of data and zeros, written and read back with no room for them.
#[test]
fn an_image_of_a_large_disk_is_written_in_order() {
    if !need::holes() {
        return;
    }
    let original = SparseRandom { seed: 5, size: 3 << 30, percent: 1.0, run: 64 << 10 };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("large.vhd");
    let case = case(original.size, "dynamic");
    let mut image = case.create(PlainFile::create_new(&path, Allocation::Sparse).unwrap()).unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut pieces = |image: Option<&mut dyn ectype_core::image::Image>, opened: Option<&dyn Opened>| {
        let (mut offset, mut image) = (0, image);
        let mut seen = vec![0; 1 << 20];
        while offset < original.size {
            let (content, until) = original.content_at(offset).unwrap();
            let len = (until.min(original.size) - offset).min(1 << 20) as usize;
            original.read_at(&mut buffer[..len], offset).unwrap();
            match (&mut image, content) {
                (Some(image), Content::Data) => image.put(offset, &buffer[..len]).unwrap(),
                (Some(image), _) => image.zero(Extent::between(offset, until)).unwrap(),
                (None, Content::Data) => {
                    opened.unwrap().read_at(&mut seen[..len], offset).unwrap();
                    assert!(seen[..len] == buffer[..len], "{offset}");
                }
                (None, _) => {
                    let (known, _) = opened.unwrap().content_at(offset).unwrap();
                    assert_eq!(known, Content::Zero, "{offset}");
                }
            }
            offset = if content == Content::Data { offset + len as u64 } else { until };
        }
    };
    pieces(Some(&mut *image), None);
    image.finish().unwrap();
    drop(image);
    let opened = gate::open(&path, None, &[]).unwrap().image;
    assert_eq!(check(&*opened), Findings::default());
    pieces(None, Some(&*opened));
}

#[test]
fn what_an_image_tells_of_itself() {
    let case = case((5 << 20) + 512, "dynamic");
    let Facts { format, subformat, sector, id, parent, more, in_order } =
        case.open(case.image_of(&sample(1, (5 << 20) + 512))).unwrap().facts().clone();
    assert_eq!((format, subformat.as_str(), sector, parent, in_order), ("vhd", "dynamic", 512, None, false));
    assert_eq!(id, *b"0123456789abcdef");
    let more: serde_json::Map<_, _> = more.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    assert_eq!(more["time_stamp"], 1_764_000_000_u64);
    assert_eq!(more["geometry"], "150/4/17");
    assert_eq!(more["block_size"], 2 << 20);
}

/// Images that others made.
#[test]
fn a_corpus_of_others() {
    let folder = TempDir::new().unwrap();
    let (images, mut seen) = (samples("vhd/"), 0);
    // Children need their parents beside them.
    let paths: Vec<_> = images.iter().map(|image| image.unpack(folder.path())).collect();
    for (image, path) in images.iter().zip(paths) {
        assert_eq!(probe(&fs::read(&path).unwrap()).map(|format| format.name), Some("vhd"));
        let opened = gate::open(&path, None, &[]);
        if image.truth == "-" {
            let error = opened.err().unwrap_or_else(|| panic!("{} has no parent here", image.path));
            assert!(error.to_string().contains("fat-parent.vhd"), "{error}");
        } else {
            let opened = opened.unwrap_or_else(|error| panic!("{}: {error}", image.path)).image;
            image.assert_content(&opened);
            opened.check(&mut Findings::default()).unwrap();
        }
        seen += 1;
    }
    assert!(seen == 0 || seen >= 4, "{seen}");
}
