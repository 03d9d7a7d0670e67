//! Files as sources: bytes, holes, digests, records, and what an existing image means.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need;
use std::fs::{self, File};
use std::process::Command;

#[test]
fn a_copy_has_equal_bytes_and_a_result_that_tells_all() {
    if !need::tool("sha256sum") {
        return;
    }
    let dir = folder();
    let source = noisy(dir.path(), "source", 5 * MIB + 777, 1);
    let image = dir.path().join("copy.img");
    let said =
        ectype(dir.path(), args!["create", "--json", "--hash", "md5,sha1,sha256,blake3", source, image])
            .ends_with(0);
    same(&source, &image);
    assert_eq!(said.err, "");
    let json = said.json();
    let size = (5 * MIB + 777) as u64;
    assert_eq!(json["schema"], 1);
    assert_eq!(json["status"], "whole");
    assert_eq!(json["source"]["path"], source.to_str().unwrap());
    assert_eq!(json["source"]["medium"], "file");
    assert_eq!(json["source"]["size"], size);
    for key in ["sector_size", "model", "serial"] {
        assert!(!json["source"][key].is_null(), "{key}");
    }
    assert_eq!(json["image"]["path"], image.to_str().unwrap());
    assert_eq!(json["image"]["files"][0], image.to_str().unwrap());
    assert_eq!(json["image"]["format"], "raw");
    assert_eq!(json["image"]["size"], ectype_testkit::system::allocated(&image).unwrap());
    assert_eq!(json["image"]["virtual_size"], size);
    assert_eq!(json["plan"]["scope"], "file");
    assert_eq!(json["plan"]["consistency"], "none");
    assert_eq!(json["plan"]["blocks"], "all");
    assert!(json["plan"]["why"].as_array().is_some_and(|why| !why.is_empty()));
    assert_eq!(json["bytes"]["read"], size);
    assert_eq!(json["bytes"]["zero"], 0);
    assert_eq!(json["bytes"]["unused"], 0);
    assert_eq!(json["bytes"]["unreadable"], 0);
    assert_eq!(json["unreadable"].as_array().map(Vec::len), Some(0));
    assert_eq!(json["resumed"], false);
    assert!(json["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
    assert!(json["map"].is_null(), "{}", json["map"]);
    assert_eq!(json["record"], beside(&image, ".ectype.json").to_str().unwrap());
    assert_eq!(json["digests"]["tree"].as_str().map(str::len), Some(64));

    for (name, program) in
        [("md5", "md5sum"), ("sha1", "sha1sum"), ("sha256", "sha256sum"), ("blake3", "b3sum")]
    {
        if !need::tool(program) {
            continue;
        }
        let theirs = tool(program, [&image]);
        assert_eq!(json["digests"][name].as_str(), theirs.split_whitespace().next(), "{name}");
    }
    let check = Command::new("sha256sum").args(["-c", "copy.img.sha256"]).current_dir(dir.path()).output();
    assert!(check.unwrap().status.success());

    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(beside(&image, ".ectype.json")).unwrap()).unwrap();
    assert_eq!(record["status"], "whole");
    assert_eq!(record["image"]["name"], "copy.img");
    assert_eq!(record["image"]["content_size"], size);
    assert_eq!(record["digests"]["sha256"], json["digests"]["sha256"]);
    assert_eq!(record["tree"]["root"], json["digests"]["tree"]);
    assert_eq!(record["source"]["size"], size);
    for stamp in ["began", "ended"] {
        assert!(record[stamp].as_str().is_some_and(|time| time.ends_with('Z')), "{stamp}");
    }
    let left = names(dir.path());
    assert_eq!(left, ["copy.img", "copy.img.ectype.json", "copy.img.sha256", "source"]);
}

#[test]
fn holes_stay_holes_and_zeros_become_holes() {
    if !need::holes() {
        return;
    }
    let dir = folder();
    let source = dir.path().join("source");
    let file = File::create(&source).unwrap();
    file.set_len(64 << 20).unwrap();
    file.write_all_at(&noise(MIB, 2), 3 << 20).unwrap();
    file.write_all_at(&noise(4096, 3), (40 << 20) + 4096).unwrap();
    // Zeros that were written, not left out.
    file.write_all_at(&vec![0; 8 * MIB], 50 << 20).unwrap();
    drop(file);
    let image = dir.path().join("copy.img");
    let said = ectype(dir.path(), args!["create", "--json", "--hash", "sha256", source, image]).ends_with(0);
    same(&source, &image);
    assert!(allocated(&image) <= (MIB + 128 * KIB) as u64, "{} bytes on disk", allocated(&image));
    let json = said.json();
    assert_eq!(json["bytes"]["read"].as_u64().unwrap() + json["bytes"]["zero"].as_u64().unwrap(), 64 << 20);
    assert!(json["bytes"]["read"].as_u64().unwrap() <= (MIB + 128 * KIB) as u64);
    assert!(tool("sha256sum", [&image]).starts_with(json["digests"]["sha256"].as_str().unwrap()));
}

#[test]
fn a_whole_image_is_not_touched_again_unless_told() {
    let dir = folder();
    let source = noisy(dir.path(), "source", MIB, 4);
    let image = dir.path().join("copy.img");
    ectype(dir.path(), args!["create", source, image]).ends_with(0);
    let before = contents(dir.path());
    ectype(dir.path(), args!["create", source, image]).ends_with(1).says("ectype verify").says("--overwrite");
    ectype(dir.path(), args!["create", "--restart", source, image]).ends_with(1).says("--overwrite");
    assert_eq!(contents(dir.path()), before);
    fs::write(&source, noise(MIB / 2, 5)).unwrap();
    ectype(dir.path(), args!["create", "--overwrite", source, image]).ends_with(0);
    same(&source, &image);
}

#[test]
fn a_whole_image_with_a_map_of_its_own_is_whole_too() {
    let dir = folder();
    let source = noisy(dir.path(), "source", MIB, 6);
    let create = ["create", "--map", "my.map", "source", "copy.img"];
    let said = ectype(dir.path(), create.iter().chain(&["--json"])).ends_with(0);
    assert_eq!(said.json()["map"], "my.map");
    let before = contents(dir.path());
    assert!(before.contains_key(raw_name(b"my.map")));
    ectype(dir.path(), create).ends_with(1).says("--overwrite");
    assert_eq!(contents(dir.path()), before);
    fs::write(&source, noise(MIB, 7)).unwrap();
    ectype(dir.path(), create.iter().chain(&["--overwrite"])).ends_with(0);
    same(&source, &dir.path().join("copy.img"));
}

#[test]
fn a_foreign_file_at_the_image_is_kept() {
    let dir = folder();
    let source = noisy(dir.path(), "source", MIB, 8);
    let image = noisy(dir.path(), "mine.img", 1000, 9);
    let before = contents(dir.path());
    ectype(dir.path(), args!["create", source, image]).ends_with(1).says("exists").says("--overwrite");
    ectype(dir.path(), args!["create", "--restart", source, image]).ends_with(1);
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn a_dry_run_touches_nothing_and_says_what_it_would_do() {
    let dir = folder();
    let source = noisy(dir.path(), "source", 2 * MIB, 10);
    let before = contents(dir.path());
    ectype(dir.path(), args!["create", "--dry-run", source, "copy.img"])
        .ends_with(0)
        .says("copy.img")
        .says("2.0 MiB");
    let json =
        ectype(dir.path(), args!["create", "--dry-run", "--json", source, "copy.img"]).ends_with(0).json();
    assert_eq!(json["source"]["size"], 2 * MIB);
    assert_eq!(json["plan"]["worst_case"], 2 * MIB);
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn the_extension_is_obeyed_or_refused_by_name() {
    let dir = folder();
    noisy(dir.path(), "source", 4096, 11);
    let before = contents(dir.path());
    for later in ["E01", "cue"] {
        let name = format!("copy.{later}");
        ectype(dir.path(), ["create", "source", &name])
            .ends_with(1)
            .says(&later.to_lowercase())
            .says("not written in this version");
        ectype(dir.path(), ["create", "--format", later, "source", "copy.img"])
            .ends_with(1)
            .says("not written in this version");
    }
    ectype(dir.path(), ["create", "source", "copy.txt"]).ends_with(1).says(".txt").says("--format");
    ectype(dir.path(), ["create", "--format", "tape", "source", "copy.img"]).ends_with(2);
    assert_eq!(contents(dir.path()), before);
    // Where case makes no other name it is the first one once more.
    for works in ["img", "dd", "raw", "bin", "ima", "iso", if cfg!(windows) { "Bin2.IMG" } else { "IMG" }] {
        ectype(dir.path(), ["create", "source", &format!("copy.{works}")]).ends_with(0);
    }
    ectype(dir.path(), ["create", "-f", "raw", "source", "copy.txt"]).ends_with(0);
    ectype(dir.path(), ["create", "-O", "raw", "source", "bare"]).ends_with(0);
}

#[test]
fn digests_are_taken_as_asked() {
    let dir = folder();
    noisy(dir.path(), "source", 4096, 12);
    let digests = |list: &str, image: &str| {
        let said = ectype(dir.path(), ["create", "--json", "--hash", list, "source", image]).ends_with(0);
        let json = said.json();
        json["digests"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(digests("none", "a.img"), ["tree"]);
    assert_eq!(digests("sha1,sha1", "b.img"), ["sha1", "tree"]);
    assert!(!dir.path().join("a.img.sha256").exists());
    ectype(dir.path(), ["create", "--hash", "crc32", "source", "c.img"]).ends_with(2).says("crc32");
    assert!(!dir.path().join("c.img").exists());
}

#[test]
fn quiet_is_quiet_and_no_color_is_plain() {
    let dir = folder();
    noisy(dir.path(), "source", MIB, 13);
    let said = ectype(dir.path(), ["create", "-q", "source", "a.img"]).ends_with(0);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    let mut coloured = command(dir.path());
    coloured.args(["create", "--color", "always", "source", "b.img"]);
    assert!(Running::start(coloured).wait().ends_with(0).out.contains('\x1b'));
    let mut plain = command(dir.path());
    plain.args(["create", "--progress", "bar", "source", "c.img"]).env("NO_COLOR", "1");
    let said = Running::start(plain).wait().ends_with(0);
    assert!(!said.out.contains("\x1b["), "{said:#?}");
    let errors = ectype(dir.path(), ["create", "-q", "nowhere", "d.img"]).ends_with(1);
    assert!(errors.out.is_empty() && errors.err.starts_with("error: "), "{errors:#?}");
}

#[test]
fn progress_as_json_is_objects_alone() {
    let dir = folder();
    noisy(dir.path(), "source", 8 * MIB, 14);
    let said = ectype(dir.path(), ["create", "--progress", "json", "--hash", "sha256", "source", "a.img"])
        .ends_with(0);
    let events = said.events();
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(named("plan"), 1, "{said:#?}");
    assert!(named("phase") >= 1, "{said:#?}");
    assert!(named("progress") >= 1, "{said:#?}");
    assert_eq!(named("done"), 1, "{said:#?}");
    assert_eq!(events.first().unwrap()["event"], "plan");
    assert_eq!(events.last().unwrap()["event"], "done");
    for event in events.iter().filter(|event| event["event"] == "progress") {
        for key in ["phase", "done", "total", "bytes_per_s", "eta_s", "unreadable"] {
            assert!(event.get(key).is_some(), "{key} in {event}");
        }
    }
    let refused =
        ectype(dir.path(), ["create", "--progress", "json", "--json", "source", "a.img"]).ends_with(1);
    assert_eq!(refused.events().last().unwrap()["event"], "error");
    assert_eq!(refused.json()["status"], "failed");
}

#[test]
fn wrong_usage_is_2_and_a_refusal_is_1_with_its_reason_as_json() {
    let dir = folder();
    ectype(dir.path(), ["create"]).ends_with(2);
    ectype(dir.path(), ["create", "--no-such-option", "a", "b"]).ends_with(2);
    ectype(dir.path(), ["frobnicate"]).ends_with(2);
    let failed = ectype(dir.path(), ["create", "--json", "nowhere", "x.img"]).ends_with(1).json();
    assert_eq!(failed["schema"], 1);
    assert_eq!(failed["status"], "failed");
    for key in ["kind", "message", "advice", "offset"] {
        assert!(failed["error"].get(key).is_some(), "{key}");
    }
    assert!(failed["error"]["message"].as_str().unwrap().contains("nowhere"));
}

#[test]
fn nobody_has_to_listen() {
    let dir = folder();
    let source = noisy(dir.path(), "source", 4 * MIB, 16);
    for (index, how) in ["json", "bar", "auto"].iter().enumerate() {
        let image = format!("{index}.img");
        let mut run = command(dir.path());
        run.args(["create", "--progress", how, "--json", "source", &image]);
        let (out, err) = (std::io::pipe().unwrap().1, std::io::pipe().unwrap().1);
        let status = run.stdout(out).stderr(err).status().unwrap();
        assert_eq!(status.code(), Some(0), "{how}");
        same(&source, &dir.path().join(image));
    }
    let mut run = command(dir.path());
    run.args(["completions", "bash"]).stdout(std::io::pipe().unwrap().1).stderr(std::io::pipe().unwrap().1);
    assert_eq!(run.status().unwrap().code(), Some(0));
    run = command(dir.path());
    run.args(["create", "nowhere", "x.img"]).stderr(std::io::pipe().unwrap().1);
    assert_eq!(run.status().unwrap().code(), Some(1));
}

#[test]
fn a_copy_of_a_file_wants_a_name() {
    let dir = folder();
    noisy(dir.path(), "source", 4096, 17);
    ectype(dir.path(), ["create", "source"]).ends_with(1).says("name");
    assert_eq!(names(dir.path()), ["source"]);
}

#[test]
fn an_empty_file_becomes_an_empty_image() {
    let dir = folder();
    fs::write(dir.path().join("source"), "").unwrap();
    let json =
        ectype(dir.path(), ["create", "--json", "--hash", "sha256", "source", "a.img"]).ends_with(0).json();
    assert_eq!(fs::metadata(dir.path().join("a.img")).unwrap().len(), 0);
    assert!(json["digests"]["sha256"].as_str().unwrap().starts_with("e3b0c442"));
    ectype(dir.path(), ["verify", "a.img"]).ends_with(0);
    ectype(dir.path(), ["verify", "a.img", "source"]).ends_with(0);
}

#[test]
fn what_cannot_be_imaged_is_refused_by_what_it_is() {
    if !need::unix("pipes and devices in folders") {
        return;
    }
    let dir = folder();
    ectype(dir.path(), ["create", "nowhere", "x.img"]).ends_with(1).says("nowhere");
    fs::create_dir(dir.path().join("folder")).unwrap();
    ectype(dir.path(), ["create", "folder", "x.img"]).ends_with(1).says("directory");
    tool("mkfifo", [dir.path().join("pipe")]);
    ectype(dir.path(), ["create", "pipe", "x.img"]).ends_with(1).says("pipe");
    ectype(dir.path(), ["create", "/dev/zero", "x.img"]).ends_with(1).says("character device");
    ectype(dir.path(), ["info", "pipe"]).ends_with(1);
    ectype(dir.path(), ["verify", "pipe"]).ends_with(1);
    ectype(dir.path(), ["verify", "folder"]).ends_with(1);
    assert_eq!(names(dir.path()), ["folder", "pipe"]);
}

#[test]
fn create_reads_again_when_told_to_verify() {
    let dir = folder();
    noisy(dir.path(), "source", 3 * MIB + 5, 15);
    let json = ectype(dir.path(), ["create", "--verify", "--json", "source", "a.img"]).ends_with(0).json();
    assert_eq!(json["verified"]["equal"], true);
    assert_eq!(json["verified"]["compared"], 3 * MIB + 5);
}

#[test]
fn with_a_moment_that_is_given_the_same_source_becomes_the_same_image() {
    let made = |image: &str, epoch: Option<&str>| {
        let dir = folder();
        noisy(dir.path(), "source", MIB + 700, 16);
        let mut run = command(dir.path());
        run.args(["create", "source", image]);
        run.env_remove("SOURCE_DATE_EPOCH").envs(epoch.map(|epoch| ("SOURCE_DATE_EPOCH", epoch)));
        Running::start(run).wait().ends_with(0);
        fs::read(dir.path().join(image)).unwrap()
    };
    for image in ["x.vhd", "x.vhdx", "x.qcow2", "x.vmdk"] {
        assert!(made(image, Some("1764000000")) == made(image, Some("1764000000")), "{image}");
    }
    // Of chance, or of another moment, it is another.
    assert!(made("x.vhdx", None) != made("x.vhdx", None));
    assert!(made("x.vhdx", Some("1764000000")) != made("x.vhdx", Some("1764000001")));
}
