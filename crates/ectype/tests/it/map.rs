//! `ectype map`, beside ddrescuelog where it is there.

use crate::run::*;
use ectype_testkit::need;
use ectype_testkit::system::symlink;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A map of 4 KiB: finished, bad, finished, non-tried.
const SICK: &str = "0x800 ? 1\n0 0x400 +\n0x400 0x200 -\n0x600 0x200 +\n0x800 0x800 ?\n";

/// A folder with these files.
fn holding(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = folder();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// Runs the binary with this on its standard input.
fn fed(dir: &Path, args: &[&str], input: &[u8]) -> Said {
    let mut command = command(dir);
    let mut child = command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), signal: None, out: text(&output.stdout), err: text(&output.stderr) }
}

/// The blocks of a mapfile.
fn blocks(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_state_is_a_picture_and_numbers() {
    let dir = holding(&[("m", SICK), ("done", "0x1200 - 7\n0 0x1200 +\n")]);
    let said = ectype(dir.path(), ["map", "m"]).ends_with(0);
    for part in [
        "rescue map of 4.0 KiB",
        "finished         1.5 KiB    37.5 %  in 2 areas",
        "bad            512 bytes    12.5 %  in 1 area\n",
        "phase       copying, pass 1, at byte 2 048\n",
    ] {
        assert!(said.out.contains(part), "{part}: {said:#?}");
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{said:#?}");
    assert_eq!(ectype(dir.path(), ["map", "state", "m"]).ends_with(0).out, said.out);
    let both =
        ectype(dir.path(), ["map", "m", "done"]).ends_with(0).says("retrying, pass 7, at byte 4 608").out;
    assert!(both.starts_with(&said.out) && both.contains("100 %"), "{both}");
    ectype(dir.path(), ["map", "state", "--offset", "1K", "--size", "1K", "m"])
        .ends_with(0)
        .says("of 1.0 KiB of it")
        .says("50.0 %");
    ectype(dir.path(), ["map", "state", "--domain", "done", "m"]).ends_with(0).says("37.5 %");
    let json = ectype(dir.path(), ["map", "--json", "m", "done"]).ends_with(0).json();
    let map = &json["maps"][0];
    assert_eq!(
        (&map["path"], &map["extent"]["length"], &map["done"]),
        (&"m".into(), &4096.into(), &false.into())
    );
    assert_eq!(
        (&map["states"]["bad"]["bytes"], &map["states"]["finished"]["areas"]),
        (&512.into(), &2.into())
    );
    assert_eq!(json["maps"][1]["current"]["phase"], "retrying");
    assert_eq!(json["maps"][1]["done"], true);
    assert_eq!(
        fed(dir.path(), &["map", "-"], SICK.as_bytes()).ends_with(0).out.lines().count(),
        said.out.lines().count()
    );
}

#[test]
fn areas_and_blocks_are_listed_for_scripts() {
    let dir = holding(&[("m", SICK)]);
    let list = |args: &[&str]| ectype(dir.path(), ["map", "list"].iter().chain(args)).ends_with(0).out;
    assert_eq!(list(&["m"]), "1024\t512\tbad\n2048\t2048\tnon-tried\n");
    assert_eq!(list(&["--status", "all", "m"]).lines().count(), 4);
    assert_eq!(list(&["--status=-", "m"]), "1024\t512\tbad\n");
    assert_eq!(
        list(&["--status", "bad,finished", "-b", "1K", "m"]),
        "0\t1\tfinished\n1\t1\tbad\n1\t1\tfinished\n"
    );
    assert_eq!(list(&["--format", "blocks", "m"]), "2\n4\n5\n6\n7\n");
    assert_eq!(list(&["--format", "blocks", "-b", "2K", "m"]), "0\n1\n");
    assert_eq!(list(&["--format", "blocks", "--offset", "512", "--size", "2K", "m"]), "2\n4\n");
    assert_eq!(list(&["--format", "blocks", "--offset", "512", "--size", "2K", "--relative", "m"]), "1\n3\n");
    assert_eq!(list(&["--status", "non-trimmed", "m"]), "");
    let json = ectype(dir.path(), ["map", "list", "--json", "m"]).ends_with(0).json();
    assert_eq!(json["areas"][0]["offset"], 1024);
    let json = ectype(dir.path(), ["map", "list", "--json", "--format", "blocks", "m"]).ends_with(0).json();
    assert_eq!((&json["blocks"], &json["ranges"][1]["first"]), (&5.into(), &4.into()));
    ectype(dir.path(), ["map", "list", "--json", "--format", "bitmap", "m"]).ends_with(1);
    ectype(dir.path(), ["map", "list", "-b", "0", "m"]).ends_with(2);
    ectype(dir.path(), ["map", "list", "--status", "good", "m"]).ends_with(2).says("none of finished");
    if need::tool("ddrescuelog") {
        let path = dir.path().join("m");
        for (theirs, ours) in [
            (
                args!["-l-", "-b4096", path],
                args!["map", "list", "--status", "bad", "-f", "blocks", "-b", "4096", path].to_vec(),
            ),
            (args!["-l?*/-", "-b512", path], args!["map", "list", "-f", "blocks", path].to_vec()),
            (
                args!["-l-", "-Fbitmap", path],
                args!["map", "list", "--status=-", "-f", "bitmap", path].to_vec(),
            ),
        ] {
            assert_eq!(ectype(dir.path(), ours).ends_with(0).out, tool("ddrescuelog", theirs));
        }
    }
}

#[test]
fn maps_that_differ_end_with_4() {
    let other = SICK.replace("0x400 0x200 -", "0x400 0x200 *");
    let longer = format!("{SICK}0x1000 0x200 +\n");
    let dir = holding(&[("m", SICK), ("other", &other), ("longer", &longer)]);
    let compare = |args: &[&str]| ectype(dir.path(), ["map", "compare"].iter().chain(args));
    compare(&["m", "m"]).ends_with(0).says("equal: 4.0 KiB");
    compare(&["m", "other"]).ends_with(4).says("1 place (512 bytes of 4.0 KiB)").says("bad, non-trimmed");
    compare(&["--finished", "m", "other"]).ends_with(0);
    compare(&["--size", "1K", "m", "other"]).ends_with(0);
    compare(&["m", "longer"]).ends_with(4).says("nothing, finished");
    compare(&["--finished", "m", "longer"]).ends_with(4);
    let json = compare(&["--json", "m", "longer"]).ends_with(4).json();
    assert_eq!((&json["equal"], &json["differing"]), (&false.into(), &512.into()));
    assert_eq!(
        (&json["differences"][0]["one"], &json["differences"][0]["other"]),
        (&serde_json::Value::Null, &"finished".into())
    );
    compare(&["m"]).ends_with(2);
    fed(dir.path(), &["map", "compare", "-", "m"], SICK.as_bytes()).ends_with(0);
    fed(dir.path(), &["map", "compare", "-", "-"], SICK.as_bytes()).ends_with(1).says("only once");
}

#[test]
fn maps_are_merged_to_a_file_or_to_standard_output() {
    if !need::unix("symbolic links") {
        return;
    }
    let dir = holding(&[
        ("a", "0 ? 1\n0 1024 +\n1024 512 -\n1536 512 ?\n"),
        ("b", "0 ? 1\n0 512 ?\n512 1024 +\n1536 512 -\n"),
        ("c", "0 ? 1\n0 2048 ?\n2048 512 +\n"),
    ]);
    let merge = |args: &[&str]| ectype(dir.path(), ["map", "merge"].iter().chain(args));
    for (args, expected) in [
        (&["a", "b"][..], &["0 1536 +", "1536 512 -"][..]),
        (&["a", "b", "c"], &["0 1536 +", "1536 512 -", "2048 512 +"]),
        (&["--how", "intersect", "a", "b"], &["0 512 ?", "512 512 +", "1024 512 -", "1536 512 ?"]),
        (&["--how", "difference", "a", "b"], &["0 512 +", "512 1024 -", "1536 512 ?"]),
        (&["--how", "subtract", "a", "b"], &["0 512 +", "512 1024 -", "1536 512 ?"]),
        (&["--how", "xor", "a", "b"], &["0 512 +", "512 512 -", "1024 512 +", "1536 512 ?"]),
        (&["--offset", "1024", "a", "b"], &["0 1536 +", "1536 512 -"]),
        (&["--size", "1024", "a", "b"], &["0 1024 +", "1024 512 -", "1536 512 ?"]),
    ] {
        let hex = |block: &&str| {
            let [at, len, sign] = block.split(' ').collect::<Vec<_>>()[..] else { panic!("{block}") };
            format!("0x{:08X} 0x{:08X} {sign}", at.parse::<u64>().unwrap(), len.parse::<u64>().unwrap())
        };
        assert_eq!(
            blocks(&merge(args).ends_with(0).out),
            expected.iter().map(hex).collect::<Vec<_>>(),
            "{args:?}"
        );
    }
    merge(&["a", "c"]).ends_with(0).says("the maps end at bytes 2 048 and 2 560");
    merge(&["a"]).ends_with(2);
    merge(&["--how", "xor", "a", "b", "c"]).ends_with(1).says("two maps");
    merge(&["--json", "a", "b"]).ends_with(1).says("-o FILE");

    merge(&["a", "b", "-o", "new"]).ends_with(0).says("finished         1.5 KiB");
    let before = contents(dir.path());
    merge(&["a", "b", "-o", "new"]).ends_with(1).says("new exists").says("--overwrite -o new");
    merge(&["a", "b", "-o", "."]).ends_with(1).says("not a file");
    merge(&["a", "b", "-o", "nowhere/new"]).ends_with(1).says("nowhere/new");
    assert_eq!(contents(dir.path()), before);
    assert_eq!(merge(&["--json", "a", "b", "-o", "json"]).ends_with(0).json()["maps"][0]["path"], "json");
    merge(&["a", "b", "c", "-o", "new", "--overwrite"]).ends_with(0);
    assert!(fs::read_to_string(dir.path().join("new")).unwrap().contains("0x00000800  0x00000200  +"));
    symlink("new", dir.path().join("link")).unwrap();
    merge(&["link", "a", "-o", "link", "--overwrite"]).ends_with(0);
    assert!(fs::symlink_metadata(dir.path().join("link")).unwrap().is_symlink());
    assert_eq!(names(dir.path()), ["a", "b", "c", "json", "link", "new"]);
}

#[test]
fn maps_edited_by_hand_are_completed() {
    let dir =
        holding(&[("loose", "5 * 3\n2048 512 -\n512 512 +\n600 100 +\n"), ("torn", "0 ? 1\n0 8 +\n4 8 -\n")]);
    let complete = |args: &[&str]| ectype(dir.path(), ["map", "complete"].iter().chain(args));
    ectype(dir.path(), ["map", "loose"])
        .ends_with(1)
        .says("loose: mapfile, line 3")
        .says("ectype map complete");
    let said = complete(&["loose"]).ends_with(0);
    assert!(said.out.contains("0x00000005     *               3"), "{said:#?}");
    assert_eq!(blocks(&said.out).len(), 4);
    if need::tool("ddrescuelog") {
        assert_eq!(blocks(&said.out), blocks(&tool("ddrescuelog", args!["-C", dir.path().join("loose")])));
    }
    let last = |said: Said| blocks(&said.ends_with(0).out).pop().unwrap();
    assert_eq!(last(complete(&["--size", "4K", "--fill", "bad", "loose"])), "0x00000400 0x00000C00 -");
    assert_eq!(last(complete(&["--size", "1K", "--cut-off", "loose"])), "0x00000200 0x00000200 +");
    complete(&["--size", "1K", "loose"]).ends_with(1).says("--cut-off");
    complete(&["--cut-off", "loose"]).ends_with(2);
    complete(&["torn"]).ends_with(1).says("line 3: the block overlaps one of another status");
    complete(&["loose", "-o", "loose", "--overwrite"]).ends_with(0);
    ectype(dir.path(), ["map", "loose"]).ends_with(0);
}

#[test]
fn statuses_are_changed_and_maps_are_shifted_and_made_of_lists() {
    let dir = holding(&[("m", SICK)]);
    let change =
        |args: &[&str]| blocks(&ectype(dir.path(), ["map", "change"].iter().chain(args)).ends_with(0).out);
    let path = dir.path().join("m");
    if need::tool("ddrescuelog") {
        for (theirs, ours) in [
            (args!["-a", "-,?", path].to_vec(), &["--types", "bad,non-tried"][..]),
            (args!["-a", "?-,*", path].to_vec(), &["--types", "?-,*"]),
            (
                args!["-a", "-?,+", "-i1k", "-s2k", path].to_vec(),
                &["--types", "-?,+", "--offset", "1KB", "--size", "2KB"],
            ),
            (args!["-n", path].to_vec(), &["--invert"]),
            (args!["-n", "-m", path, path].to_vec(), &["--invert", "--domain", "m"]),
            (args!["--shift", "-o1000", path].to_vec(), &["--shift", "1000"]),
            (args!["--shift", "-i1000", "-o0", path].to_vec(), &["--shift", "-1000"]),
        ] {
            let ours: Vec<&str> = ours.iter().copied().chain(["m"]).collect();
            assert_eq!(change(&ours), blocks(&tool("ddrescuelog", theirs)), "{ours:?}");
        }
    }
    ectype(dir.path(), ["map", "change", "m"]).ends_with(2);
    ectype(dir.path(), ["map", "change", "--invert", "--types", "-,?", "m"]).ends_with(2);
    ectype(dir.path(), ["map", "change", "--types", "bad", "m"]).ends_with(2).says("bad,non-tried");

    let list = ectype(dir.path(), ["map", "list", "-f", "blocks", "m"]).ends_with(0).out;
    let back =
        ["map", "convert", "--from", "blocks", "--size", "4K", "--listed", "bad", "--others", "+", "-"];
    let made = fed(dir.path(), &back, list.as_bytes()).ends_with(0).out;
    fs::write(dir.path().join("made"), &made).unwrap();
    ectype(dir.path(), ["map", "compare", "--finished", "m", "made"]).ends_with(0);
    let bits = fed(dir.path(), &["map", "convert", "--from", "bitmap", "-"], b"\x05").ends_with(0).out;
    assert_eq!(blocks(&bits)[2], "0x00000400 0x00000200 +");
    let bits =
        fed(dir.path(), &["map", "convert", "--from", "bitmap-be", "-b4K", "-"], b"\x05").ends_with(0).out;
    assert_eq!(blocks(&bits)[1], "0x00005000 0x00001000 +");
    fed(dir.path(), &["map", "convert", "--from", "blocks", "-"], b"1").ends_with(2).says("--size");
    fed(dir.path(), &["map", "convert", "--from", "blocks", "--size", "9", "-"], b"1\n2\nthree\n")
        .ends_with(1)
        .says("-: list of blocks, line 3");
}

#[test]
fn done_is_an_exit_status() {
    let dir = holding(&[("m", SICK), ("done", "0 ? 1\n0 512 +\n"), ("empty", "")]);
    let done = |args: &[&str]| ectype(dir.path(), ["map", "done"].iter().chain(args));
    done(&["m"]).ends_with(3).says("2.5 KiB of 4.0 KiB");
    done(&["--size", "1K", "m"]).ends_with(0);
    done(&["--delete", "m"]).ends_with(3);
    done(&["--delete", "empty"]).ends_with(1).says("says nothing");
    let json = done(&["--json", "m"]).ends_with(3).json();
    assert_eq!((&json["done"], &json["left"]), (&false.into(), &2560.into()));
    assert_eq!(
        fed(dir.path(), &["map", "done", "--delete", "-"], b"0 ? 1\n0 9 +\n").ends_with(0).code,
        Some(0)
    );
    done(&["done"]).ends_with(0).says("all finished");
    assert!(dir.path().join("done").exists());
    done(&["--delete", "done"]).ends_with(0).says("deleted");
    assert_eq!(names(dir.path()), ["empty", "m"]);
}

#[test]
fn what_is_no_map_is_refused_in_one_clear_sentence() {
    let long = "9".repeat(1 << 20);
    let dir = holding(&[
        ("text", "hello\n"),
        ("gap", "0 ? 1\n0 8 +\n9 8 -\n"),
        ("overlap", "0 ? 1\n0 8 +\n7 8 -\n"),
        ("torn", "0 ? 1\n0x00000000  0x000"),
        ("long", &long),
        ("end", "0xFFFFFFFFFFFFFFFF ? 1\n0 0xFFFFFFFFFFFFFFFF ?\n"),
    ]);
    fs::write(dir.path().join("binary"), noise(100_000, 7)).unwrap();
    for (name, text, advice) in [
        ("text", "line 1: bad or missing status line", "is it one?"),
        (
            "gap",
            "line 3: the block begins at 0x9, and the one before it ends at 0x8: a gap",
            "ectype map complete",
        ),
        ("overlap", "line 3: the block begins at 0x7, before", "ectype map complete"),
        ("torn", "line 2: not a block", "?*/-+"),
        ("long", "line 1", "is it one?"),
        ("binary", "line ", ""),
        ("nowhere", "reading nowhere", "ectype map --help"),
        (".", "reading .", ""),
    ] {
        let said = ectype(dir.path(), ["map", name]).ends_with(1).says(text).says(advice);
        assert!(said.out.is_empty() && said.err.contains(name) && said.err.lines().count() <= 3, "{said:#?}");
        let json = ectype(dir.path(), ["map", "list", "--json", name]).ends_with(1).json();
        assert_eq!(json["status"], "failed");
    }
    // A map without an end is a map; its blocks are too many to be told one by one.
    ectype(dir.path(), ["map", "end"]).ends_with(0).says("8.0 EiB");
    ectype(dir.path(), ["map", "list", "end"]).ends_with(0).says("9223372036854775807");
    for format in ["blocks", "bitmap"] {
        ectype(dir.path(), ["map", "list", "--format", format, "end"]).ends_with(1).says("complete --size");
    }
    ectype(dir.path(), ["map", "change", "--shift", "7E", "end"]).ends_with(0);
    ectype(dir.path(), ["map", "change", "--shift", "0xFFFFFFFFFFFFFFFF", "end"]).ends_with(2);
    ectype(dir.path(), ["map", "list", "--offset", "0xFFFFFFFFFFFFFFFF", "--relative", "end"]).ends_with(0);
    for size in ["0xFFFFFFFFFFFFFFFF", "15E", "8E"] {
        ectype(dir.path(), ["map", "complete", "--size", size, "gap"]).ends_with(2).says("too far");
        let convert = ["map", "convert", "--from", "bitmap", "--size", size, "gap"];
        ectype(dir.path(), convert).ends_with(2).says("too far");
    }
    let far = ectype(dir.path(), ["map", "complete", "--size", "0x7FFFFFFFFFFFFFFF", "gap"]).ends_with(0).out;
    fed(dir.path(), &["map", "-"], far.as_bytes()).ends_with(0).says("8.0 EiB");
    ectype(dir.path(), ["map", "gap", "--json", "list", "end"]).ends_with(1).says("stands before the verb");
    ectype(dir.path(), ["map"]).ends_with(2);
}

#[test]
fn a_million_runs_take_seconds() {
    let dir = folder();
    let mut text = String::from("0 ? 1\n");
    for index in 0..1_000_000_u64 {
        let sign = if index % 2 == 0 { '+' } else { '-' };
        text += &format!("0x{:08X}  0x00000200  {sign}\n", index * 512);
    }
    fs::write(dir.path().join("m"), text).unwrap();
    let begun = Instant::now();
    ectype(dir.path(), ["map", "m"]).ends_with(0).says("in 500 000 areas");
    assert_eq!(ectype(dir.path(), ["map", "list", "m"]).ends_with(0).out.lines().count(), 500_000);
    ectype(dir.path(), ["map", "change", "--invert", "m", "-o", "n"]).ends_with(0);
    ectype(dir.path(), ["map", "merge", "m", "n", "-o", "both"]).ends_with(0).says("100 %");
    ectype(dir.path(), ["map", "compare", "m", "n"]).ends_with(4).says("999 990 more places");
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
}

/// Two drives each read what the other cannot; the maps are merged, the images too, and ddrescue goes on with the rest.
#[test]
fn ddrescue_goes_on_with_a_merged_map_and_we_with_its() {
    if !need::tool("ddrescue") {
        return;
    }
    let dir = folder();
    let disc = noisy(dir.path(), "disc", 4 * MIB, 5);
    // What each drive can read, as the maps that ddrescue's test mode takes.
    let sick = |name: &str, bad: usize| {
        let text = format!("0 + 1\n0 {bad} +\n{bad} 65536 -\n{} {} +\n", bad + 65536, 4 * MIB - bad - 65536);
        fs::write(dir.path().join(name), text).unwrap();
    };
    sick("drive1", MIB);
    sick("drive2", 2 * MIB);
    let path = |name: &str| dir.path().join(name);
    let rescue = |args: &[&str]| {
        let said = need::command("ddrescue").args(args).current_dir(dir.path()).output().unwrap();
        assert!(said.status.success(), "{said:?}");
    };
    rescue(&["-q", "-H", "drive1", "disc", "x.img", "one.map"]);
    // The second drive is given what the first one left.
    ectype(dir.path(), ["map", "change", "--invert", "one.map", "-o", "left.map"]).ends_with(0);
    rescue(&["-q", "-H", "drive2", "-m", "left.map", "disc", "x.img", "two.map"]);
    ectype(dir.path(), ["map", "done", "one.map"]).ends_with(3);
    ectype(dir.path(), ["map", "merge", "one.map", "two.map", "-o", "both.map"]).ends_with(0);
    ectype(dir.path(), ["map", "done", "both.map"]).ends_with(0);
    same(&disc, &path("x.img"));
    // What is said to be untried is read again by ddrescue, from a map of ours, and by us, from one of its.
    ectype(
        dir.path(),
        [
            "map",
            "change",
            "--types",
            "+,?",
            "--offset",
            "1MiB",
            "--size",
            "64K",
            "both.map",
            "-o",
            "again.map",
        ],
    )
    .ends_with(0);
    let mut image = fs::read(path("x.img")).unwrap();
    image[MIB..MIB + 65536].fill(0);
    fs::write(path("x.img"), &image).unwrap();
    fs::write(path("y.img"), &image).unwrap();
    rescue(&["-q", "disc", "x.img", "again.map"]);
    same(&disc, &path("x.img"));
    ectype(dir.path(), ["map", "done", "again.map"]).ends_with(0);
    let its = [
        "map",
        "change",
        "--types",
        "+,*",
        "--offset",
        "1MiB",
        "--size",
        "64K",
        "again.map",
        "-o",
        "its.map",
    ];
    ectype(dir.path(), its).ends_with(0);
    ectype(dir.path(), ["create", "--map", "its.map", "disc", "y.img"]).ends_with(0);
    same(&disc, &path("y.img"));
}

/// Whatever is given as a map, by every way: one clear error and the right status, or a use that is right; no file is lost.
#[test]
fn every_kind_of_bad_map_is_named_or_understood_by_every_verb() {
    const HEAD: &str = "# Mapfile. Created by GNU ddrescue version 1.27\n";
    let dir = folder();
    let source = noisy(dir.path(), "source", 4 * MIB, 90);
    let garbage = |len| [HEAD.as_bytes(), &noise(len, 91)].concat();
    let text = |blocks: &str| [HEAD, "0x0 ? 1\n", blocks].concat().into_bytes();
    let long = [HEAD.as_bytes(), &vec![b'#'; 65 << 20], b"\n0 ? 1\n0 0x400000 +\n"].concat();
    // Name, bytes, and what is said of it as a map, as a domain, and by `ectype map`; nothing where it is understood.
    let another = ["another medium", "another medium", ""];
    let cases: [(&str, Vec<u8>, [&str; 3]); 12] = [
        ("text", b"hello\n".to_vec(), ["not the map of an image", "is it one?", "is it one?"]),
        ("binary", noise(100_000, 92), ["not the map of an image", "binary: mapfile, line", "mapfile, line"]),
        ("garbage", garbage(100_000), ["mapfile, line", "mapfile, line", "mapfile, line"]),
        ("gapped", text("0 512 +\n1024 512 -\n"), ["ectype map complete"; 3]),
        ("overlapping", text("0 1024 +\n512 512 -\n"), ["ectype map complete"; 3]),
        ("torn", text("0x00000000  0x0000"), ["line 3: not a block"; 3]),
        ("larger", text("0 0x800000 +\n"), another),
        ("larger-untried", text("0 0x800000 ?\n"), ["another medium", "nothing of the source", ""]),
        ("smaller", text("0 0x1000 +\n"), [""; 3]),
        ("long", long, ["64 MiB are the most", "64 MiB are the most", ""]),
        ("crlf", String::from_utf8(text("0 0x1000 +\n")).unwrap().replace('\n', "\r\n").into(), [""; 3]),
        // What ddrescue wrote before 1.20, and partclone writes still: no pass.
        (
            "old",
            b"# Rescue Logfile. Created by GNU ddrescue version 1.19\n0x0 ?\n0 0x1000 +\n".to_vec(),
            [""; 3],
        ),
    ];
    for (name, bytes, said) in cases {
        let map = dir.path().join(name);
        let ways = [
            &["create", "source", "x.img", "--map"][..],
            &["create", "source", "x.img", "--domain"],
            &["map"],
        ];
        for (way, text) in ways.iter().zip(said) {
            fs::write(&map, &bytes).unwrap();
            // As a rescue of ddrescue left it: the first sectors are held.
            let image = noise(4 * MIB, 90);
            if way.contains(&"--map") {
                fs::write(dir.path().join("x.img"), &image).unwrap();
            }
            let before = contents(dir.path());
            let args = way.iter().copied().chain([name]);
            let status = match (text, way[way.len() - 1]) {
                ("", "--domain") => 5,
                ("", _) => 0,
                _ => 1,
            };
            let run = ectype(dir.path(), args).ends_with(status).says(text);
            if status == 1 {
                assert!(run.err.contains(name) || text.contains("nothing"), "{name}: {run:#?}");
                assert!(run.err.lines().count() <= 4, "{name}: {run:#?}");
                assert_eq!(contents(dir.path()), before, "{name} {way:?}");
                let json =
                    ectype(dir.path(), way.iter().copied().chain([name, "--json"])).ends_with(1).json();
                assert_eq!(json["status"], "failed");
                assert_eq!(contents(dir.path()), before, "{name} {way:?}");
            } else if way.contains(&"--map") {
                same(&source, &dir.path().join("x.img"));
            }
            for left in names(dir.path()).iter().filter(|left| left.as_encoded_bytes().starts_with(b"x.img"))
            {
                fs::remove_file(dir.path().join(left)).unwrap();
            }
        }
        fs::remove_file(map).unwrap();
    }
}
