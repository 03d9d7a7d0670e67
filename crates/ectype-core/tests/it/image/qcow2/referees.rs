//! qcow2 by QEMU's own tools, in both directions and with every option.

use super::{check_clean, kinds, with};
use crate::image::corpus::samples;
use crate::image::{Case, content, feed, sample};
use crate::rig::assert_same;
use ectype_core::image::{Opened, Parent, Place, Spec, gate};
use ectype_core::io::{Durable, ReadAt};
use ectype_core::os::file::{Allocation, PlainFile};
use ectype_core::{Extent, Kind};
use ectype_testkit::need;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

fn output(dir: &Path, tool: &str, args: &[&str]) -> Output {
    let tool = need::find(tool).expect("it was asked for");
    Command::new(tool).args(args).current_dir(dir).output().unwrap()
}

pub(super) fn run(dir: &Path, tool: &str, args: &[&str]) -> String {
    let output = output(dir, tool, args);
    let said = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{tool} {args:?}: {text}{said}");
    text
}

pub(super) fn opened(path: &Path) -> Arc<dyn Opened> {
    let image = gate::open(path, None, &[]).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(image.image.facts().format, "qcow2");
    image.image
}

fn fact(opened: &dyn Opened, name: &str) -> Value {
    let found = opened.facts().more.iter().find(|(known, _)| *known == name);
    found.map_or(Value::Null, |(_, value)| value.clone())
}

const SIZE: u64 = (5 << 20) + 1024;

/// A raw image, and its bytes.
fn original(dir: &Path) -> Vec<u8> {
    let content = sample(41, SIZE);
    std::fs::write(dir.join("raw"), &content).unwrap();
    content
}

#[test]
fn what_qemu_writes_is_read_with_every_option() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let content_of_all = original(dir.path());
    let mut options: Vec<String> = Vec::new();
    for size in ["512", "4k", "64k", "2M"] {
        options.push(format!("compat=0.10,cluster_size={size}"));
        options.push(format!("compat=1.1,cluster_size={size}"));
        options.push(format!("compat=1.1,cluster_size={size},compression_type=zstd"));
    }
    for bits in ["1", "2", "4", "8", "16", "32", "64"] {
        options.push(format!("refcount_bits={bits}"));
    }
    options.push("lazy_refcounts=on".into());
    for preallocation in ["metadata", "falloc", "full"] {
        options.push(format!("preallocation={preallocation}"));
    }
    options.push("extended_l2=on".into());
    options.push("extended_l2=on,cluster_size=16k".into());
    for option in &options {
        for packed in [false, true] {
            if packed && option.contains("preallocation") {
                continue;
            }
            let mut args = vec!["convert", "-O", "qcow2", "-o", option];
            if packed {
                args.push("-c");
            }
            run(dir.path(), "qemu-img", &[&args[..], &["-f", "raw", "raw", "img"]].concat());
            let opened = opened(&dir.path().join("img"));
            assert_same(&content(&opened), &content_of_all, option);
            check_clean(&*opened);
        }
    }
}

#[test]
fn an_external_data_file_is_read() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let original = original(dir.path());
    for option in ["data_file=data", "data_file=data,data_file_raw=on", "data_file=data,extended_l2=on"] {
        run(dir.path(), "qemu-img", &["create", "-f", "qcow2", "-o", option, "img", &SIZE.to_string()]);
        run(dir.path(), "qemu-img", &["convert", "-n", "-f", "raw", "-O", "qcow2", "raw", "img"]);
        let opened = opened(&dir.path().join("img"));
        assert_same(&content(&opened), &original, option);
        check_clean(&*opened);
        assert_eq!(fact(&*opened, "data_file"), "data");
        assert_eq!(fact(&*opened, "data_file_raw") == true, option.contains("raw"));
    }
    std::fs::remove_file(dir.path().join("data")).unwrap();
    assert!(gate::open(&dir.path().join("img"), None, &[]).is_err());
}

/// Random changes by QEMU itself: partial clusters, zeros, discards, snapshots; over a backing file.
#[test]
fn what_qemu_changed_is_read() {
    if !need::tools(&["qemu-img", "qemu-io"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    original(dir.path());
    let mut dice = crate::engine::Dice(99);
    for (round, option) in
        ["compat=0.10", "compat=1.1", "extended_l2=on", "cluster_size=512", "cluster_size=2M,extended_l2=on"]
            .into_iter()
            .cycle()
            .take(10)
            .enumerate()
    {
        // The backing file is shorter than the image, or there is none.
        let size = SIZE + (1 << 20);
        let mut args = vec!["create", "-q", "-f", "qcow2", "-o", option];
        if round % 3 != 2 {
            args.extend(["-b", "raw", "-F", "raw"]);
        }
        let size_text = size.to_string();
        run(dir.path(), "qemu-img", &[&args[..], &["img", &size_text]].concat());
        let mut commands = Vec::new();
        for step in 0..25 {
            let start = dice.below(size / 512) * 512;
            let len = ((1 + dice.below(600)) * 512).min(size - start);
            let what = match dice.below(5) {
                0 | 1 => format!("write -P {} {start} {len}", 1 + step),
                2 => format!("write -z {start} {len}"),
                3 => format!("write -z -u {start} {len}"),
                _ => format!("discard {start} {len}"),
            };
            commands.push(what);
        }
        for (part, commands) in commands.chunks(9).enumerate() {
            let mut args = vec!["-f", "qcow2", "-d", "unmap"];
            commands.iter().for_each(|command| args.extend(["-c", command]));
            args.push("img");
            run(dir.path(), "qemu-io", &args);
            run(dir.path(), "qemu-img", &["snapshot", "-c", &format!("before {part}"), "img"]);
        }
        run(dir.path(), "qemu-img", &["convert", "-O", "raw", "img", "truth"]);
        let opened = opened(&dir.path().join("img"));
        let truth = std::fs::read(dir.path().join("truth")).unwrap();
        assert_same(&content(&opened), &truth, option);
        check_clean(&*opened);
        let snapshots = fact(&*opened, "snapshots");
        assert_eq!((snapshots.as_array().unwrap().len(), &snapshots[1]["name"]), (3, &"before 1".into()));
        run(dir.path(), "qemu-img", &["snapshot", "-a", "before 0", "img"]);
        run(dir.path(), "qemu-img", &["convert", "-O", "raw", "img", "truth"]);
        let truth = std::fs::read(dir.path().join("truth")).unwrap();
        let opened = self::opened(&dir.path().join("img"));
        assert_same(&content(&opened), &truth, "gone back");
        check_clean(&*opened);
    }
}

#[test]
fn chains_of_backing_files_are_followed() {
    if !need::tools(&["qemu-img", "qemu-io"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    original(dir.path());
    let chain = [("a", "raw", "raw", "1.1"), ("b", "a", "qcow2", "0.10"), ("c", "./b", "qcow2", "1.1")];
    for (index, (name, base, format, compat)) in chain.into_iter().enumerate() {
        let option = format!("compat={compat}");
        let args = ["create", "-f", "qcow2", "-o", &option, "-b", base, "-F", format, name, "8M"];
        run(dir.path(), "qemu-img", &args);
        let write = format!("write -P 77 {} 100k", index * 1_500_160);
        run(dir.path(), "qemu-io", &["-c", &write, name]);
    }
    run(dir.path(), "qemu-img", &["convert", "-O", "raw", "c", "truth"]);
    let opened = opened(&dir.path().join("c"));
    assert_same(&content(&opened), &std::fs::read(dir.path().join("truth")).unwrap(), "the chain");
    assert_eq!(opened.facts().parent.as_deref(), Some("./b"));
    assert_eq!(fact(&*opened, "backing_format"), "qcow2");
}

fn written(case: &Case, path: &Path, content: &[u8], parent: Option<Arc<dyn Opened>>) {
    let _ = std::fs::remove_file(path);
    let storage = Box::new(Durable::new(PlainFile::create_new(path, Allocation::Sparse).unwrap()));
    let create = case.format.writing.as_ref().unwrap().create;
    let mut image = create(Place { storage, parent }, &case.spec).unwrap();
    feed(&mut *image, content, Extent::new(0, content.len() as u64));
    image.finish().unwrap();
}

#[test]
fn what_is_written_qemu_takes() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let content = original(dir.path());
    for case in kinds(SIZE) {
        let spec = &case.spec;
        written(&case, &dir.path().join("img"), &content, None);
        let check = run(dir.path(), "qemu-img", &["check", "-f", "qcow2", "img"]);
        assert!(check.contains("No errors were found"), "{spec:?}: {check}");
        run(dir.path(), "qemu-img", &["compare", "-f", "raw", "-F", "qcow2", "raw", "img"]);
        let info = run(dir.path(), "qemu-img", &["info", "--output=json", "img"]);
        let info: Value = serde_json::from_str(&info).unwrap();
        let data = &info["format-specific"]["data"];
        assert_eq!((&info["virtual-size"], &info["cluster-size"]), (&SIZE.into(), &spec.block.into()));
        assert_eq!(data["compat"], if spec.subformat == "v2" { "0.10" } else { "1.1" });
        if spec.subformat == "v3" {
            let kind = if spec.compression == "zstd" { "zstd" } else { "zlib" };
            let expected = (&kind.into(), &false.into(), &false.into());
            assert_eq!((&data["compression-type"], &data["lazy-refcounts"], &data["corrupt"]), expected);
        }
        // As small as QEMU's own; regular text beside chance is what the fastest zlib level does worst.
        let option = format!(
            "compat={},cluster_size={}{}",
            if spec.subformat == "v2" { "0.10" } else { "1.1" },
            spec.block,
            if spec.compression == "zstd" { ",compression_type=zstd" } else { "" }
        );
        let mut args = vec!["convert", "-f", "raw", "-O", "qcow2", "-o", &option];
        if spec.compression != "none" {
            args.push("-c");
        }
        run(dir.path(), "qemu-img", &[&args[..], &["raw", "theirs"]].concat());
        let len = |name| std::fs::metadata(dir.path().join(name)).unwrap().len();
        // To the cluster: what is compressed ends within one.
        let most = match spec.compression.as_str() {
            "none" => len("theirs"),
            _ => len("theirs") / 100 * 108 + spec.block,
        };
        assert!(len("img") <= most, "{spec:?}: {} > {most}", len("img"));
        if need::tool("qcowinfo") && spec.subformat == "v2" {
            let info = run(dir.path(), "qcowinfo", &["img"]);
            assert!(info.contains(&format!("{SIZE} bytes")), "{info}");
        }
    }
}

#[test]
fn what_is_written_over_a_parent_qemu_takes() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    original(dir.path());
    run(dir.path(), "qemu-img", &["convert", "-f", "raw", "-O", "qcow2", "raw", "base"]);
    let mut content = sample(42, SIZE);
    content[1 << 20..2 << 20].fill(0);
    std::fs::write(dir.path().join("truth"), &content).unwrap();
    for (format, name) in [("raw", "raw"), ("qcow2", "base")] {
        let base = gate::open(&dir.path().join(name), None, &[]).unwrap().image;
        for case in kinds(SIZE) {
            let parent = Parent { relative: name.into(), format: format.into(), ..Parent::default() };
            let case = with(Spec { parent: Some(parent), ..case.spec });
            written(&case, &dir.path().join("img"), &content, Some(Arc::clone(&base)));
            let check = run(dir.path(), "qemu-img", &["check", "-f", "qcow2", "img"]);
            assert!(check.contains("No errors were found"), "{:?}: {check}", case.spec);
            run(dir.path(), "qemu-img", &["compare", "-f", "raw", "-F", "qcow2", "truth", "img"]);
            let info: Value =
                serde_json::from_str(&run(dir.path(), "qemu-img", &["info", "--output=json", "img"]))
                    .unwrap();
            assert_eq!(info["backing-filename"], name);
            assert_eq!(info["backing-filename-format"], format);
            let opened = opened(&dir.path().join("img"));
            assert_same(&crate::image::content(&opened), &content, "through the gate");
            check_clean(&*opened);
        }
    }
}

#[test]
fn what_is_not_finished_qemu_repairs() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let content = original(dir.path());
    for case in kinds(SIZE) {
        let path = dir.path().join("img");
        let _ = std::fs::remove_file(&path);
        let mut image = case.create(PlainFile::create_new(&path, Allocation::Sparse).unwrap()).unwrap();
        feed(&mut *image, &content, Extent::new(0, SIZE));
        image.checkpoint().unwrap();
        drop(image);
        let opened = opened(&path);
        assert_same(&crate::image::content(&opened), &content, "read as it is");
        let is_dirty = fact(&*opened, "dirty") == true;
        assert_eq!(is_dirty, case.spec.subformat == "v3");
        run(dir.path(), "qemu-img", &["check", "-q", "-r", "all", "-f", "qcow2", "img"]);
        run(dir.path(), "qemu-img", &["compare", "-f", "raw", "-F", "qcow2", "raw", "img"]);
        check_clean(&*self::opened(&path));
    }
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let secret = "secret,id=key,data=abc";
    for (method, word) in [("luks", "LUKS"), ("aes", "AES")] {
        let option = format!("encrypt.format={method},encrypt.key-secret=key");
        let args = ["create", "--object", secret, "-f", "qcow2", "-o", &option, "img", "1M"];
        if !output(dir.path(), "qemu-img", &args).status.success() {
            // QEMU may be built without a cipher.
            continue;
        }
        let error = gate::open(&dir.path().join("img"), None, &[]).err().unwrap();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains(word), "{error}");
    }
    run(dir.path(), "qemu-img", &["create", "-f", "qcow", "img", "1M"]);
    let error = gate::open(&dir.path().join("img"), None, &[]).err().unwrap().to_string();
    assert!(error.contains("version 1"), "{error}");
}

#[test]
fn bitmaps_are_told_and_counted() {
    if !need::tools(&["qemu-img", "qemu-io"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "qemu-img", &["create", "-f", "qcow2", "img", "200M"]);
    run(dir.path(), "qemu-img", &["bitmap", "--add", "img", "changes"]);
    run(dir.path(), "qemu-img", &["bitmap", "--add", "-g", "512", "img", "more changes"]);
    run(dir.path(), "qemu-io", &["-c", "write 1M 3M", "img"]);
    let opened = opened(&dir.path().join("img"));
    check_clean(&*opened);
    assert_eq!(fact(&*opened, "bitmaps"), 2);
}

/// The same damage, judged by both.
#[test]
fn damage_is_found_as_qemu_finds_it() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    original(dir.path());
    run(dir.path(), "qemu-img", &["convert", "-f", "raw", "-O", "qcow2", "raw", "img"]);
    // With a cluster more than it has.
    let mut good = std::fs::read(dir.path().join("img")).unwrap();
    good.resize(good.len().next_multiple_of(65_536) + 65_536, 0);
    let word = |at: usize| u64::from_be_bytes(good[at..at + 8].try_into().unwrap());
    let (l1, table) = (word(40) as usize, word(48) as usize);
    let block = word(table) as usize;
    let l2 = (word(l1) & 0x00ff_ffff_ffff_fe00) as usize;
    let first = (0..).find(|index| word(l2 + index * 8) != 0).unwrap();
    let entry = l2 + first * 8;
    let changes: [(&str, usize, u8, bool); 9] = [
        ("a refcount too high", block + 3, 5, false),
        ("a refcount too low", block + 11, 0, true),
        ("a cluster that nothing refers to", block + 2 * (good.len() / 65_536 - 1) + 1, 1, false),
        ("an L2 entry that is not copied", entry, 0, true),
        ("an L1 entry that is not copied", l1, 0, true),
        ("a cluster far outside", entry + 1, 0x70, true),
        ("a cluster on no boundary", entry + 6, good[entry + 6] | 2, true),
        ("a refcount block on no boundary", table + 6, good[table + 6] | 2, true),
        ("reserved bits", entry + 7, 2, true),
    ];
    for (what, at, byte, is_fault) in changes {
        let mut bad = good.clone();
        bad[at] = byte;
        std::fs::write(dir.path().join("img"), &bad).unwrap();
        let theirs = output(dir.path(), "qemu-img", &["check", "-f", "qcow2", "img"]);
        let mut findings = Default::default();
        opened(&dir.path().join("img")).check(&mut findings).unwrap();
        let found = findings.fault_count > 0;
        // 2: errors; 3: leaks alone; 1: the check itself failed.
        let expected = matches!(theirs.status.code(), Some(1 | 2));
        assert_eq!((found, expected), (is_fault, is_fault), "{what}: {findings:?}, {theirs:?}");
        let leaks = findings.leaked > 0 || !findings.notes.is_empty();
        assert!(found || leaks, "{what}: {findings:?}");
    }
}

#[test]
fn images_by_others_have_their_known_content() {
    let dir = tempfile::tempdir().unwrap();
    for sample in samples("qcow2/") {
        let path = sample.unpack(dir.path());
        let opened = opened(&path);
        sample.assert_content(&*opened);
        let mut findings = Default::default();
        opened.check(&mut findings).unwrap();
        assert_eq!(findings.fault_count, 0, "{}: {findings:?}", sample.path);
    }
    for sample in samples("hostile/qcow2/") {
        let path = sample.unpack(dir.path());
        let Ok(image) = gate::open(&path, None, &[]) else { continue };
        let _ = image.image.check(&mut Default::default());
        let mut bytes = vec![0; 1 << 20];
        for offset in (0..image.image.size()).step_by(1 << 20).take(4096) {
            let len = (image.image.size() - offset).min(1 << 20) as usize;
            let _ = image.image.read_at(&mut bytes[..len], offset);
        }
    }
    for sample in samples("other/tsk-image.qcow") {
        let path = sample.unpack(dir.path());
        let error = gate::open(&path, None, &[]).err().unwrap();
        assert_eq!(error.kind(), Kind::Unsupported, "{error}");
    }
}
