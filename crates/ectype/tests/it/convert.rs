//! `convert` and `create` over the formats, with qemu-img as the judge of what was written.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need;
use serde_json::json;
use std::fs;
use std::path::Path;

/// How each format is asked for, its extension, and what qemu-img calls it, where it knows it.
const KINDS: [(&[&str], &str, Option<&str>); 13] = [
    (&[], "img", Some("raw")),
    (&[], "vhd", Some("vpc")),
    (&["--subformat", "fixed"], "vhd", Some("vpc")),
    (&[], "vhdx", Some("vhdx")),
    (&["--subformat", "fixed"], "vhdx", Some("vhdx")),
    (&[], "qcow2", Some("qcow2")),
    (&["--subformat", "v2"], "qcow2", Some("qcow2")),
    (&["--compress", "zlib"], "qcow2", Some("qcow2")),
    (&["--compress", "zstd:3"], "qcow2", Some("qcow2")),
    (&[], "vmdk", Some("vmdk")),
    (&["--subformat", "stream"], "vmdk", Some("vmdk")),
    (&[], "zst", None),
    (&["--compress", "zstd:3"], "zst", None),
];

/// A disk with data, text, zeros and holes in it, 11 MiB and 3 sectors long.
fn disk(dir: &Path, name: &str, seed: u64) {
    let mut content = vec![0; 11 * MIB + 3 * 512];
    content[..3 * MIB].copy_from_slice(&noise(3 * MIB, seed));
    content[4 * MIB + 5000..5 * MIB].iter_mut().enumerate().for_each(|(n, byte)| *byte = (n / 50) as u8);
    let tail = content.len() - 70_000;
    content[tail..].copy_from_slice(&noise(70_000, seed + 1));
    fs::write(dir.join(name), content).unwrap();
}

#[track_caller]
fn qemu_equal(dir: &Path, raw: &str, image: &str, kind: &str) {
    let at = |name: &str| dir.join(name);
    tool("qemu-img", args!["compare", "-f", "raw", "-F", kind, at(raw), at(image)]);
    if matches!(kind, "qcow2" | "vhdx" | "vmdk") {
        tool("qemu-img", args!["check", "-q", "-f", kind, at(image)]);
    }
}

#[test]
fn every_format_holds_the_same_and_gives_it_back() {
    if !need::tool("sha256sum") {
        return;
    }
    let dir = folder();
    disk(dir.path(), "disk", 5);
    let has_qemu = need::tool("qemu-img");
    let sha256 = &tool("sha256sum", [dir.path().join("disk")])[..64];
    for (index, (options, extension, kind)) in KINDS.into_iter().enumerate() {
        let image = format!("{index}.{extension}");
        let mut create = vec!["create", "--hash", "sha256"];
        create.extend(options);
        ectype(dir.path(), create.iter().copied().chain(["disk", &image])).ends_with(0);
        if let (Some(kind), true) = (kind, has_qemu) {
            qemu_equal(dir.path(), "disk", &image, kind);
        }
        let json = ectype(dir.path(), ["verify", "--json", &image]).ends_with(0).json();
        assert_eq!(json["digests"]["sha256"], sha256, "{image}");
        ectype(dir.path(), ["verify", &image, "disk"]).ends_with(0);
        let info = ectype(dir.path(), ["info", "--json", &image]).ends_with(0).json();
        assert!(info["virtual_size"].as_u64().unwrap() >= 11 * MIB as u64 + 1536, "{info}");
        let list = dir.path().join(format!("{image}.sha256"));
        assert_eq!(list.exists(), extension == "img", "only the digest of a raw image is that of its file");

        // Back, and on to another format.
        ectype(dir.path(), ["convert", "--overwrite", &image, "back.img"]).ends_with(0);
        same(&dir.path().join("disk"), &dir.path().join("back.img"));
        let (_, next, _) = KINDS[(index + 4) % KINDS.len()];
        let next = format!("next-{index}.{next}");
        ectype(dir.path(), ["convert", "--verify", &image, &next]).ends_with(0);
        ectype(dir.path(), ["verify", &next, "disk"]).ends_with(0);
        // Without its record the image is judged by its own content.
        fs::remove_file(dir.path().join(format!("{image}.ectype.json"))).unwrap();
        ectype(dir.path(), ["verify", &image, "disk"]).ends_with(0);
        ectype(dir.path(), ["verify", &image]).ends_with(0).says("no record");
        // One byte more or less in the source is found.
        let mut other = fs::read(dir.path().join("disk")).unwrap();
        other[4 * MIB + 6000] ^= 1;
        fs::write(dir.path().join("other"), &other).unwrap();
        let json = ectype(dir.path(), ["verify", "--json", &image, "other"]).ends_with(4).json();
        assert_eq!(json["differences"][0]["offset"], (4 * MIB + 6000) / 512 * 512, "{image}: {json}");
    }
}

#[test]
fn what_a_format_cannot_do_is_refused_by_name_and_nothing_is_made() {
    let dir = folder();
    disk(dir.path(), "disk", 7);
    fs::write(dir.path().join("short.img"), noise(MIB, 8)).unwrap();
    fs::write(dir.path().join("empty"), b"").unwrap();
    let before = contents(dir.path());
    let refused = |args: &[&str], what: &str| {
        ectype(dir.path(), args.iter().copied()).ends_with(1).says(what);
    };
    refused(&["create", "--subformat", "fixed", "disk", "x.qcow2"], "subformat");
    refused(&["create", "--subformat", "stream", "disk", "x.vhdx"], "dynamic");
    refused(&["create", "--compress", "zstd", "disk", "x.vhd"], "compress");
    refused(&["create", "--compress", "zlib", "disk", "x.zst"], "zstd");
    refused(&["create", "--compress", "zstd", "disk", "x.img"], "compress");
    refused(&["create", "--base", "short.img", "disk", "x.vmdk"], "base");
    refused(&["create", "--base", "short.img", "disk", "x.qcow2"], "bytes");
    // Before hours of rescue, not at their end.
    refused(&["create", "--base", "short.img", "--through", "t.img", "disk", "x.zst"], "has no parent");
    refused(&["create", "--compress", "zlib", "--through", "t.img", "disk", "x.zst"], "zstd");
    refused(&["create", "empty", "x.vhdx"], "--format raw");
    refused(&["create", "empty", "x.vmdk"], "--format raw");
    refused(&["create", "--reverse", "disk", "x.zst"], "written in order");
    refused(&["create", "--offset", "1M", "disk", "x.zst"], "written in order");
    refused(&["convert", "nothing.img", "x.vhdx"], "nothing.img");
    refused(&["convert", "disk", "disk"], "source itself");
    refused(&["convert", "--source-format", "vhdx", "disk", "x.img"], "disk");
    for wrong in ["zip", "zstd:fast", "none:1"] {
        ectype(dir.path(), ["create", "--compress", wrong, "disk", "x.zst"]).ends_with(2);
    }
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn a_name_that_contradicts_the_content_is_not_guessed_at() {
    let dir = folder();
    disk(dir.path(), "disk", 9);
    for extension in ["vhd", "vhdx", "qcow2", "vmdk", "zst"] {
        let image = format!("x.{extension}");
        ectype(dir.path(), ["create", "disk", &image]).ends_with(0);
        // A guest can write such bytes onto its raw disk.
        fs::copy(dir.path().join(&image), dir.path().join("guest.img")).unwrap();
        for args in
            [&["verify", "guest.img"][..], &["info", "guest.img"], &["convert", "guest.img", "y.vhdx"]]
        {
            ectype(dir.path(), args.iter().copied()).ends_with(1).says(extension).says("--source-format");
        }
        ectype(dir.path(), ["verify", "--source-format", extension, "guest.img", "disk"]).ends_with(0);
        ectype(dir.path(), ["convert", "--overwrite", "--source-format", "raw", "guest.img", "bytes.img"])
            .ends_with(0);
        same(&dir.path().join("guest.img"), &dir.path().join("bytes.img"));
        // Its record says that these are a disk's bytes.
        ectype(dir.path(), ["verify", "bytes.img"]).ends_with(0);
        // A raw image by another format's name.
        let named = format!("named.{extension}");
        fs::copy(dir.path().join("disk"), dir.path().join(&named)).unwrap();
        ectype(dir.path(), ["verify", &named]).ends_with(1).says("--source-format raw");
    }
}

#[test]
fn a_base_leaves_only_what_differs() {
    let dir = folder();
    let has_qemu = need::tool("qemu-img");
    disk(dir.path(), "disk", 11);
    let mut later = fs::read(dir.path().join("disk")).unwrap();
    later[9 * MIB..9 * MIB + 5000].copy_from_slice(&noise(5000, 12));
    later[MIB..MIB + 200_000].fill(0);
    later[2 * MIB + 77] ^= 1;
    fs::write(dir.path().join("later"), &later).unwrap();
    for (extension, kind) in [("vhd", "vpc"), ("vhdx", "vhdx"), ("qcow2", "qcow2")] {
        let (base, child) = (format!("base.{extension}"), format!("child.{extension}"));
        ectype(dir.path(), ["create", "disk", &base]).ends_with(0);
        ectype(dir.path(), ["create", "--base", &base, "later", &child]).ends_with(0).says("differs from");
        let size = |name: &str| allocated(&dir.path().join(name));
        // A block of these formats may have 32 MiB, but it is sparse.
        let sparse = cfg!(unix) || extension == "qcow2";
        assert!(
            !sparse || size(&child) < size(&base) / 2,
            "{extension}: {} of {}",
            size(&child),
            size(&base)
        );
        ectype(dir.path(), ["verify", &child]).ends_with(0);
        ectype(dir.path(), ["verify", &child, "later"]).ends_with(0);
        if has_qemu && kind == "qcow2" {
            qemu_equal(dir.path(), "later", &child, kind);
        }
        // Flattened.
        ectype(dir.path(), ["convert", &child, &format!("flat.{extension}")]).ends_with(0);
        ectype(dir.path(), ["convert", "--overwrite", &child, "flat.img"]).ends_with(0);
        same(&dir.path().join("later"), &dir.path().join("flat.img"));
        // In another folder the parent is not looked for, unless it is named.
        fs::create_dir(dir.path().join("elsewhere")).unwrap();
        fs::rename(dir.path().join(&base), dir.path().join("elsewhere").join(&base)).unwrap();
        ectype(dir.path(), ["verify", &child]).ends_with(1).says(&base);
        ectype(dir.path(), ["verify", "--parents", "elsewhere", &child, "later"]).ends_with(0);
        fs::remove_dir_all(dir.path().join("elsewhere")).unwrap();
    }
}

#[test]
fn an_image_that_is_not_what_its_record_says_is_not_copied_in_silence() {
    let dir = folder();
    disk(dir.path(), "disk", 16);
    for image in ["a.img", "a.qcow2"] {
        ectype(dir.path(), ["create", "disk", image]).ends_with(0);
        // Somebody used it: the copy is made, and nobody takes it for one of the disk.
        let path = dir.path().join(image);
        let begin = noise(16, 16);
        let place = fs::read(&path).unwrap().windows(16).position(|bytes| bytes == begin).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(b"another", place as u64).unwrap();
        let json = ectype(dir.path(), ["convert", "--json", image, "b.vhdx"]).ends_with(4).json();
        assert_eq!((json["as_recorded"].as_bool(), json["status"].as_str()), (Some(false), Some("whole")));
        ectype(dir.path(), ["info", "--json", "b.vhdx"])
            .ends_with(0)
            .says("was not what its own record says");
        ectype(dir.path(), ["verify", "b.vhdx", image]).ends_with(0);
        ectype(dir.path(), ["convert", "--overwrite", image, "b.vhdx"]).ends_with(4).says("changed since");
        fs::remove_file(dir.path().join("b.vhdx")).unwrap();
        fs::remove_file(dir.path().join("b.vhdx.ectype.json")).unwrap();
    }
    // It lost its end, or gained one.
    let image = fs::OpenOptions::new().write(true).open(dir.path().join("a.img")).unwrap();
    for size in [5 * MIB, 12 * MIB] {
        image.set_len(size as u64).unwrap();
        ectype(dir.path(), ["convert", "a.img", "c.vhdx"]).ends_with(1).says("its record says").says("mv ");
        assert!(!dir.path().join("c.vhdx").exists());
    }
    ectype(dir.path(), ["restore", "a.img", "back"]).ends_with(1).says("its record says");
    assert!(!dir.path().join("back").exists());
    fs::rename(dir.path().join("a.img.ectype.json"), dir.path().join("a.img.ectype.json.old")).unwrap();
    ectype(dir.path(), ["convert", "a.img", "c.vhdx"]).ends_with(0);
    ectype(dir.path(), ["verify", "c.vhdx", "a.img"]).ends_with(0);
}

#[test]
fn what_was_rescued_of_another_source_is_not_packed_as_this_one() {
    let dir = folder();
    disk(dir.path(), "disk", 17);
    disk(dir.path(), "other", 18);
    let through = |source: &'static str, image: &'static str, more: &[&'static str]| {
        let args = ["create", "--through", "between.img", source, image];
        ectype(dir.path(), args.into_iter().chain(more.iter().copied()))
    };
    through("disk", "a.zst", &[]).ends_with(0);
    through("other", "b.zst", &[])
        .ends_with(1)
        .says("another medium")
        .says("ectype convert between.img b.zst");
    assert!(!dir.path().join("b.zst").exists());
    through("disk", "b.zst", &["--dry-run"]).ends_with(0).says("is not read again");
    through("disk", "b.zst", &[]).ends_with(0).says("is not read again");
    ectype(dir.path(), ["verify", "b.zst", "disk"]).ends_with(0);
}

#[test]
fn a_parent_that_is_another_now_is_not_believed() {
    let dir = folder();
    disk(dir.path(), "disk", 21);
    disk(dir.path(), "other", 22);
    for extension in ["vhd", "vhdx"] {
        let (base, child) = (format!("base.{extension}"), format!("child.{extension}"));
        ectype(dir.path(), ["create", "disk", &base]).ends_with(0);
        ectype(dir.path(), ["create", "--base", &base, "other", &child]).ends_with(0);
        ectype(dir.path(), ["create", "--overwrite", "disk", &base]).ends_with(0);
        ectype(dir.path(), ["verify", &child]).ends_with(1).says("parent");
    }
}

#[test]
fn killed_at_any_moment_every_format_goes_on() {
    let dir = folder();
    let mut content = noise(24 * MIB, 31);
    content[8 * MIB..12 * MIB].fill(0);
    fs::write(dir.path().join("disk"), content).unwrap();
    let mut killed = 0;
    for (index, (options, extension, kind)) in KINDS.into_iter().enumerate() {
        let image = format!("{index}.{extension}");
        let mut args = vec!["create", "--checkpoint", "0.01"];
        args.extend(options);
        args.extend(["disk", &image]);
        for part in 0..6_u32 {
            let mut command = command(dir.path());
            command.args(&args);
            let mut run = Running::start(command);
            std::thread::sleep(std::time::Duration::from_millis(u64::from(part * 25)));
            run.signal("KILL");
            killed += u32::from(run.wait().signal == Some(9));
        }
        let said = ectype(dir.path(), args.iter().copied());
        match said.code {
            Some(1) => drop(said.says("is finished")),
            _ => drop(said.ends_with(0)),
        }
        ectype(dir.path(), ["verify", &image]).ends_with(0);
        ectype(dir.path(), ["verify", &image, "disk"]).ends_with(0);
        if let (Some(kind), true) = (kind, need::tool("qemu-img")) {
            qemu_equal(dir.path(), "disk", &image, kind);
        }
    }
    assert!(killed >= 13, "{killed} kills");
}

#[test]
fn an_unfinished_image_is_gone_on_with_as_it_was_begun() {
    let dir = folder();
    disk(dir.path(), "disk", 41);
    ectype(dir.path(), ["create", "--size", "2M", "disk", "x.vhdx"]).ends_with(5);
    ectype(dir.path(), ["create", "--subformat", "fixed", "disk", "x.vhdx"]).ends_with(1).says("begun");
    ectype(dir.path(), ["verify", "x.vhdx"]).ends_with(1).says("unfinished");
    ectype(dir.path(), ["create", "disk", "x.vhdx"]).ends_with(0);
    ectype(dir.path(), ["verify", "x.vhdx", "disk"]).ends_with(0);
}

#[test]
fn a_source_that_changed_is_read_again_without_a_word_of_what_convert_has_not() {
    if !need::unix("signals that stop a process") {
        return;
    }
    let dir = folder();
    fs::write(dir.path().join("a.img"), noise(64 * MIB, 43)).unwrap();
    for (options, image) in [("none", "b.vhdx"), ("zstd:3", "b.zst")] {
        let args = ["convert", "--compress", options, "--checkpoint", "0.01", "a.img", image];
        let map = dir.path().join(format!("{image}.map"));
        // Where it was faster, once more.
        let killed = || {
            for name in names(dir.path()) {
                if name.as_encoded_bytes().starts_with(image.as_bytes()) {
                    fs::remove_file(dir.path().join(name)).unwrap();
                }
            }
            let mut command = command(dir.path());
            command.args(args);
            let mut run = Running::start(command);
            // Of nothing that is held nothing is read again.
            while !fs::read_to_string(&map).is_ok_and(|map| map.contains("  +")) && !run.ended() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            run.signal("STOP");
            let file = fs::OpenOptions::new().write(true).open(dir.path().join("a.img")).unwrap();
            file.write_all_at(b"another", 5 * MIB as u64).unwrap();
            run.signal("KILL");
            run.wait().signal == Some(9)
        };
        assert!((0..20).any(|_| killed()), "always too fast to be killed");
        let said = ectype(dir.path(), args).ends_with(0).says("may have been written to");
        assert!(!said.out.contains("--trust-map"), "{said:#?}");
        ectype(dir.path(), ["verify", image, "a.img"]).ends_with(0);
    }
}

#[test]
fn the_gaps_of_an_unfinished_image_pass_for_zeros_nowhere() {
    let dir = folder();
    disk(dir.path(), "disk", 42);
    ectype(dir.path(), ["create", "--size", "2M", "disk", "part.img"]).ends_with(5);
    let before = contents(dir.path());
    for args in [
        &["convert", "part.img", "y.vhdx"][..],
        &["create", "--base", "part.img", "disk", "y.qcow2"],
        &["verify", "part.img"],
        &["verify", "part.img", "disk"],
        &["verify", "disk", "part.img"],
        &["restore", "--yes", "part.img", "back"],
    ] {
        ectype(dir.path(), args.iter().copied()).ends_with(1).says("part.img is unfinished");
    }
    // Looking at it is no harm.
    ectype(dir.path(), ["info", "part.img"]).ends_with(0);
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn what_an_image_lacks_its_copy_lacks_too() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    disk(dir.path(), "disk", 51);
    let bad: Vec<u64> = (100..103).chain([9000]).collect();
    let options = need::BadDiskOptions::default();
    let sick = need::BadDisk::attach(&dir.path().join("disk"), &bad, &options).unwrap();
    // Written in order it stops there, and says what to do.
    ectype(dir.path(), args!["create", sick.path(), "packed.zst"])
        .ends_with(5)
        .says("written in order")
        .says("ectype convert");
    ectype(dir.path(), args!["create", "--through", "rescued.vhdx", sick.path(), "through.zst"]).ends_with(3);
    ectype(dir.path(), ["verify", "through.zst"]).ends_with(3);
    for extension in ["vhd", "vhdx", "qcow2", "vmdk", "img", "zst"] {
        let image = format!("copy.{extension}");
        let json = ectype(dir.path(), ["convert", "--json", "rescued.vhdx", &image]).ends_with(3).json();
        assert_eq!(json["status"], "incomplete");
        assert_eq!(json["unreadable"][0]["offset"], 100 * 512, "{json}");
        assert_eq!(json["unreadable"][0]["length"], 3 * 512);
        assert_eq!(json["bytes"]["unreadable"], 4 * 512);
        let json = ectype(dir.path(), ["verify", "--json", &image, "disk"]).ends_with(3).json();
        assert_eq!(json["skipped"]["unreadable"], 4 * 512);
    }
    // Zeros stand for what it lacks: with --all they differ from what the disk has there.
    for image in ["copy.img", "copy.zst"] {
        let json = ectype(dir.path(), ["verify", "--all", "--json", image, "disk"]).ends_with(4).json();
        assert_eq!(json["skipped"]["unreadable"], 0);
        assert_eq!(json["compared"], 11 * MIB + 3 * 512);
        let places = [
            json!({ "offset": 100 * 512, "length": 3 * 512 }),
            json!({ "offset": 9000 * 512, "length": 512 }),
        ];
        assert_eq!(json["differences"], json!(places));
    }
    ectype(dir.path(), ["verify", "--all", "copy.img", "copy.zst"]).ends_with(3);
    ectype(dir.path(), ["verify", "--all", "copy.img"]).ends_with(2);
    // Whole after all: the same command mends both.
    sick.set_bad(&[]).unwrap();
    ectype(dir.path(), args!["create", "--through", "rescued.vhdx", sick.path(), "through.zst"]).ends_with(0);
    ectype(dir.path(), ["verify", "through.zst", "disk"]).ends_with(0);
}

#[test]
fn images_of_others_are_read_and_their_faults_named() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = folder();
    disk(dir.path(), "disk", 61);
    for kind in ["vpc", "vhdx", "qcow2", "vmdk"] {
        let image = dir.path().join("theirs");
        tool("qemu-img", args!["convert", "-f", "raw", "-O", kind, dir.path().join("disk"), image]);
        // The extension says nothing here, the content does; vpc pads to whole cylinders.
        ectype(dir.path(), ["convert", "--overwrite", "theirs", "ours.img"]).ends_with(0);
        let ours = fs::read(dir.path().join("ours.img")).unwrap();
        let disk = fs::read(dir.path().join("disk")).unwrap();
        assert!(ours[..disk.len()] == disk && ours[disk.len()..].iter().all(|&byte| byte == 0), "{kind}");
        ectype(dir.path(), ["verify", "theirs", "disk"]).ends_with(0);
        ectype(dir.path(), ["verify", "theirs"]).ends_with(0).says("structure is sound");
        // Cut short it is no image any more, or one that says where it ends.
        let len = fs::metadata(&image).unwrap().len();
        fs::File::options().write(true).open(&image).unwrap().set_len(len / 2).unwrap();
        let said = ectype(dir.path(), ["verify", "theirs"]);
        assert!(matches!(said.code, Some(1 | 4)), "{kind}: {said:#?}");
        let said = ectype(dir.path(), ["convert", "--restart", "theirs", "cut.img"]);
        assert_eq!(said.code, Some(1), "{kind}: {said:#?}");
        for name in names(dir.path()) {
            if name.as_encoded_bytes().starts_with(b"cut.img") {
                fs::remove_file(dir.path().join(name)).unwrap();
            }
        }
    }
}

#[test]
fn what_an_image_needs_is_never_written_over() {
    let dir = folder();
    disk(dir.path(), "disk", 61);
    disk(dir.path(), "later", 62);
    for extension in ["vhd", "vhdx", "qcow2"] {
        let [old, base, child] = ["old", "base", "child"].map(|name| format!("{name}.{extension}"));
        let link = format!("link.{extension}");
        ectype(dir.path(), ["create", "disk", &old]).ends_with(0);
        ectype(dir.path(), ["create", "--base", &old, "later", &base]).ends_with(0);
        ectype(dir.path(), ["create", "--base", &base, "disk", &child]).ends_with(0);
        fs::hard_link(dir.path().join(&old), dir.path().join(&link)).unwrap();
        let before = contents(dir.path());
        let refused = |args: &[&str], what: &str| {
            ectype(dir.path(), args.iter().copied()).ends_with(1).says(what);
            assert_eq!(contents(dir.path()), before, "{args:?}");
        };
        // The base, its parent, and the parents of what is converted.
        refused(&["create", "--overwrite", "--base", &base, "disk", &base], "is the base itself");
        refused(&["create", "--overwrite", "--base", &base, "disk", &old], "is a part of base");
        refused(&["convert", "--overwrite", &child, &base], "is a part of child");
        refused(&["convert", "--overwrite", &child, &old], "is a part of child");
        refused(&["convert", "--overwrite", &child, &link], "is a part of child");
        refused(&["create", "--overwrite", "--map", &old, "--base", &base, "disk", "x.qcow2"], &old);
        ectype(dir.path(), ["verify", &child, "disk"]).ends_with(0);
    }
    if need::tool("qemu-img") {
        let at = |name: &str| dir.path().join(name);
        let flat = ["convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=monolithicFlat"].map(Into::into);
        tool("qemu-img", flat.into_iter().chain(args![at("disk"), at("flat.vmdk")]));
        ectype(dir.path(), ["convert", "--overwrite", "-f", "raw", "flat.vmdk", "flat-flat.vmdk"])
            .ends_with(1)
            .says("is a part of flat.vmdk");
        ectype(dir.path(), ["verify", "flat.vmdk", "disk"]).ends_with(0);
    }
}

#[test]
fn a_base_that_was_written_meanwhile_is_named() {
    let dir = folder();
    disk(dir.path(), "disk", 63);
    for extension in ["vhd", "vhdx", "qcow2"] {
        let (base, child) = (format!("base.{extension}"), format!("child.{extension}"));
        ectype(dir.path(), ["create", "disk", &base]).ends_with(0);
        ectype(dir.path(), ["create", "--base", &base, "--size", "2M", "disk", &child]).ends_with(5);
        let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(100);
        fs::File::options().write(true).open(dir.path().join(&base)).unwrap().set_modified(earlier).unwrap();
        ectype(dir.path(), ["create", "--base", &base, "disk", &child])
            .ends_with(1)
            .says("the base is not what it was")
            .says("--restart");
    }
}

#[test]
fn a_base_whose_name_is_no_text_is_refused() {
    if !need::unix("names of any bytes") {
        return;
    }
    let dir = folder();
    disk(dir.path(), "disk", 64);
    for extension in ["vhd", "vhdx", "qcow2"] {
        let base = [b"b\xff.", extension.as_bytes()].concat();
        let base = ectype_testkit::system::name_of(&base);
        let child = format!("child.{extension}");
        ectype(dir.path(), args!["create", "disk", base]).ends_with(0);
        ectype(dir.path(), args!["create", "--base", base, "disk", &child]).ends_with(1).says("no text");
        assert!(!dir.path().join(&child).exists());
    }
}

#[test]
fn two_steps_are_refused_before_the_first_and_told_as_one() {
    let dir = folder();
    disk(dir.path(), "disk", 71);
    fs::write(dir.path().join("there.zst"), "somebody's").unwrap();
    let before = contents(dir.path());
    let refused = |args: &[&str], what: &str| {
        ectype(dir.path(), args.iter().copied()).ends_with(1).says(what);
        assert_eq!(contents(dir.path()), before, "{args:?}");
    };
    refused(&["create", "--through", "between.img", "disk", "there.zst"], "there.zst exists");
    refused(&["create", "--through", "x.zst", "disk", "x.zst"], "both IMAGE and --through");
    let json = ectype(dir.path(), ["create", "--json", "--through", "between.img", "disk", "x.zst"]);
    let json = json.ends_with(0).json();
    assert_eq!(json["image"]["path"], "x.zst", "{json}");
    ectype(dir.path(), ["verify", "x.zst", "disk"]).ends_with(0);
    ectype(dir.path(), ["create", "--through", "between.img", "disk", "x.zst"]).ends_with(1).says("exists");
}

#[test]
fn a_copy_of_what_was_changed_does_not_pass_for_proof() {
    let dir = folder();
    disk(dir.path(), "disk", 81);
    for extension in ["img", "vhd", "vhdx", "qcow2", "vmdk"] {
        let image = format!("x.{extension}");
        ectype(dir.path(), ["create", "disk", &image]).ends_with(0);
        ectype(dir.path(), ["convert", "--overwrite", &image, "copy.zst"]).ends_with(0);
        // One bit of the content.
        let path = dir.path().join(&image);
        let mut held = fs::read(&path).unwrap();
        let wanted = &fs::read(dir.path().join("disk")).unwrap()[MIB..MIB + 512];
        let at = held.windows(512).position(|window| window == wanted).unwrap();
        held[at] ^= 1;
        fs::write(&path, held).unwrap();
        let said = ectype(dir.path(), ["convert", "--json", "--overwrite", &image, "copy.zst"]).ends_with(4);
        assert_eq!(said.json()["as_recorded"], false);
        let said = ectype(dir.path(), ["convert", "--overwrite", &image, "copy.zst"]).ends_with(4);
        said.says("was not what its own record says").says("ectype verify");
        let record = fs::read_to_string(dir.path().join("copy.zst.ectype.json")).unwrap();
        assert!(record.contains("was not what its own record says"), "{record}");
        // Without the record nothing contradicts.
        fs::remove_file(dir.path().join(format!("{image}.ectype.json"))).unwrap();
        ectype(dir.path(), ["convert", "--overwrite", &image, "copy.zst"]).ends_with(0);
    }
}

#[test]
fn a_parent_of_the_same_name_in_another_folder_is_not_the_child() {
    let dir = folder();
    disk(dir.path(), "disk", 91);
    for day in ["monday", "tuesday"] {
        fs::create_dir(dir.path().join(day)).unwrap();
    }
    for extension in ["vhd", "vhdx", "qcow2"] {
        let [base, child] = ["monday", "tuesday"].map(|day| format!("{day}/disk.{extension}"));
        ectype(dir.path(), ["create", "disk", &base]).ends_with(0);
        ectype(dir.path(), ["create", "--base", &base, "disk", &child]).ends_with(0);
        // As people write it, not as Windows does where no length is too long.
        let real = dir.path().join(&base).canonicalize().unwrap().display().to_string();
        let real = real.strip_prefix(r"\\?\").unwrap_or(&real);
        ectype(dir.path(), ["verify", &child])
            .ends_with(1)
            .says(&format!("the image names {real}, which lies outside its folder"))
            .says("--parents");
        ectype(dir.path(), ["verify", "--parents", "monday", &child, "disk"]).ends_with(0);
        ectype(dir.path(), ["convert", "--dry-run", "--parents", "monday", &child, "x.img"])
            .ends_with(0)
            .says(&format!("it is read with {real}"));
        // One that is its own parent still is none.
        fs::copy(dir.path().join(&child), dir.path().join(&base)).unwrap();
        ectype(dir.path(), ["verify", "--parents", "monday", &child])
            .ends_with(1)
            .says("among its own parents")
            .says("bring back the parent");
    }
}
