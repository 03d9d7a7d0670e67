//! `--base` with `--compress`: a compressed image that holds only what differs, with qemu-img as the judge.

use crate::run::*;
use ectype_testkit::need;
use std::fs;
use std::path::Path;

/// A disk of text and chance, and what became of it: a few bytes, a piece of zeros, zeros that hold something now.
fn disks(dir: &Path) {
    let mut content = noise(24 * MIB + 1536, 61);
    content[8 * MIB..12 * MIB].iter_mut().enumerate().for_each(|(n, byte)| *byte = b'a' + (n / 9 % 23) as u8);
    content[14 * MIB..16 * MIB].fill(0);
    fs::write(dir.join("disk"), &content).unwrap();
    content[100] ^= 1;
    content[9 * MIB + 70_000] ^= 1;
    content[3 * MIB..5 * MIB].fill(0);
    content[20 * MIB + 10_000..20 * MIB + 20_000].fill(0);
    let text: Vec<u8> = (0..MIB + 5000).map(|n| b'a' + (n / 7 % 23) as u8).collect();
    content[15 * MIB..15 * MIB + text.len()].copy_from_slice(&text);
    fs::write(dir.join("later"), &content).unwrap();
}

fn size(dir: &Path, name: &str) -> u64 {
    fs::metadata(dir.join(name)).unwrap().len()
}

#[track_caller]
fn is_child_of(dir: &Path, child: &str, base: &str) {
    let json = ectype(dir, ["info", "--json", child]).ends_with(0).json();
    assert_eq!(json["parent"], base, "{json}");
    ectype(dir, ["verify", child]).ends_with(0);
    ectype(dir, ["verify", child, "later"]).ends_with(0);
    if need::tool("qemu-img") {
        tool("qemu-img", args!["compare", "-f", "raw", "-F", "qcow2", dir.join("later"), dir.join(child)]);
        tool("qemu-img", args!["check", "-q", "-f", "qcow2", dir.join(child)]);
    }
}

#[test]
fn a_compressed_child_holds_only_what_differs() {
    let dir = folder();
    let dir = dir.path();
    disks(dir);
    ectype(dir, ["create", "later", "later.img"]).ends_with(0);
    for (number, (options, base)) in [
        (&["--compress", "zlib"][..], "base.qcow2"),
        (&["--compress", "zstd:3"], "base.img"),
        (&["--compress", "zlib", "--subformat", "v2"], "base.vhdx"),
    ]
    .into_iter()
    .enumerate()
    {
        ectype(dir, ["create", "disk", base]).ends_with(0);
        let created = format!("created-{number}.qcow2");
        let args = ["create", "--base", base].into_iter().chain(options.iter().copied());
        ectype(dir, args.chain(["later", &created])).ends_with(0).says("only what differs");
        is_child_of(dir, &created, base);
        let converted = format!("converted-{number}.qcow2");
        let args = ["convert", "--base", base].into_iter().chain(options.iter().copied());
        ectype(dir, args.chain(["later.img", &converted])).ends_with(0);
        is_child_of(dir, &converted, base);
        assert_eq!(size(dir, &created), size(dir, &converted));
        // The text is packed, the zeros take no place, and of chance only the clusters that differ are there.
        if !options.contains(&"v2") {
            let plain = format!("plain-{number}.qcow2");
            ectype(dir, ["create", "--base", base, "later", &plain]).ends_with(0);
            let (packed, plain) = (size(dir, &created), size(dir, &plain));
            assert!(packed < MIB as u64 && packed < plain / 2, "{options:?}: {packed} of {plain}");
        }
        // Flattened.
        ectype(dir, ["convert", "--overwrite", &created, "flat.img"]).ends_with(0);
        same(&dir.join("later"), &dir.join("flat.img"));
    }
    // A child of a child.
    let args = ["create", "--base", "created-1.qcow2", "--compress", "zstd", "disk", "grandchild.qcow2"];
    ectype(dir, args).ends_with(0);
    ectype(dir, ["verify", "grandchild.qcow2", "disk"]).ends_with(0);
}

#[test]
fn killed_it_goes_on() {
    let dir = folder();
    let dir = dir.path();
    disks(dir);
    ectype(dir, ["create", "disk", "base.qcow2"]).ends_with(0);
    for compress in ["zlib", "zstd:19"] {
        let image = format!("{}.qcow2", &compress[..4]);
        let args =
            ["create", "--checkpoint", "0", "--base", "base.qcow2", "--compress", compress, "later", &image];
        let map = dir.join(format!("{image}.map"));
        // Stopped as soon as something is held; where it was faster, once more.
        let killed = || {
            for name in names(dir).iter().filter(|name| name.as_encoded_bytes().starts_with(image.as_bytes()))
            {
                fs::remove_file(dir.join(name)).unwrap();
            }
            let mut command = command(dir);
            command.args(args);
            let mut run = Running::start(command);
            while !fs::read_to_string(&map).is_ok_and(|map| map.contains("  +")) && !run.ended() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            run.signal("KILL");
            run.wait().signal == Some(9)
        };
        assert!((0..20).any(|_| killed()), "always too fast to be killed");
        // As an image without a base it is not gone on with.
        ectype(dir, ["create", "--compress", compress, "later", &image]).ends_with(1).says("begun");
        let json = ectype(dir, args.into_iter().chain(["--json"])).ends_with(0).json();
        assert_eq!(json["resumed"], true);
        is_child_of(dir, &image, "base.qcow2");
    }
}

#[test]
fn a_rescue_is_packed_over_a_base() {
    let dir = folder();
    let dir = dir.path();
    disks(dir);
    ectype(dir, ["create", "disk", "base.qcow2"]).ends_with(0);
    let args = ["create", "--through", "between.img", "--base", "base.qcow2", "--compress", "zstd", "later"];
    ectype(dir, args.into_iter().chain(["a.qcow2"])).ends_with(0);
    is_child_of(dir, "a.qcow2", "base.qcow2");
}

/// What a damaged disk's run says is what makes the image that was asked for: over its base, compressed.
#[test]
fn the_two_steps_that_damage_asks_for_end_in_the_child() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let dir = dir.path();
    disks(dir);
    ectype(dir, ["create", "disk", "base.qcow2"]).ends_with(0);
    let sick = need::BadDisk::attach(&dir.join("later"), &[20_000], &Default::default()).unwrap();
    let args =
        args!["create", "--json", "--base", "base.qcow2", "--compress", "zlib:9", sick.path(), "a.qcow2"];
    let json = ectype(dir, args).ends_with(5).json();
    let advice: Vec<&str> =
        json["error"]["advice"].as_array().unwrap().iter().filter_map(|advice| advice.as_str()).collect();
    assert_eq!(advice.len(), 2, "{json}");
    for command in advice {
        let words = command.split_whitespace().skip_while(|word| *word != "ectype").skip(1);
        ectype(dir, words).ends_with(3);
    }
    let json = ectype(dir, ["info", "--json", "a.qcow2"]).ends_with(0).json();
    assert_eq!(json["parent"], "base.qcow2", "{json}");
    ectype(dir, ["verify", "a.qcow2", "later"]).ends_with(3);
    assert!(size(dir, "a.qcow2") < 8 * MIB as u64);
}

#[test]
fn a_base_that_contradicts_its_format_is_no_interruption() {
    let dir = folder();
    let dir = dir.path();
    // Packed to the last cluster, so that any byte in the middle is of one.
    let text: String = (0..600_000u64).map(|n| format!("{:07x} ", n * 7919 % 600_011)).collect();
    fs::write(dir.join("disk"), &text).unwrap();
    ectype(dir, ["create", "--compress", "zlib", "disk", "base.qcow2"]).ends_with(0);
    let mut base = fs::read(dir.join("base.qcow2")).unwrap();
    let middle = base.len() / 2;
    base[middle..middle + 512].fill(0xff);
    fs::write(dir.join("base.qcow2"), base).unwrap();
    for compress in ["none", "zstd", "zlib"] {
        let child = format!("{compress}.qcow2");
        let args = ["create", "--base", "base.qcow2", "--compress", compress, "disk", &child];
        let said = ectype(dir, args).ends_with(1);
        let said = said.says("reading the parent of the image").says("without --base");
        assert!(!said.err.contains("the same command goes on"), "{said:#?}");
    }
}
