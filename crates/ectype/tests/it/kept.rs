//! What must not get lost: files of others in the place of an image, and what an earlier run has read.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need::{self, BadDisk, BadDiskOptions};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

const SIZE: usize = 8 * MIB;
const BLANK: &str = "# Mapfile. Nobody's\n0x0 ? 1\n";

/// A sick disk, and how it reads where it is not bad.
fn sick(dir: &Path, bad: &[u64]) -> (PathBuf, BadDisk) {
    let file = noisy(dir, "disk", SIZE, 200);
    let disk = BadDisk::attach(&file, bad, &BadDiskOptions::default()).unwrap();
    (file, disk)
}

/// Bytes that a map says are held.
fn held(map: &Path) -> u64 {
    let text = fs::read_to_string(map).unwrap();
    let held = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.len() == 3 && fields[2] == "+")
            .then(|| u64::from_str_radix(fields[1].trim_start_matches("0x"), 16).unwrap())
    };
    text.lines().filter_map(held).sum()
}

#[test]
fn a_word_for_the_map_counts_also_after_a_reading_again_that_stopped() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let (file, disk) = sick(dir.path(), &(9000..9400).collect::<Vec<_>>());
    let (image, map) = (dir.path().join("x.img"), dir.path().join("x.img.map"));
    let stopped = ectype(dir.path(), args!["create", "--json", "--max-errors", "3", disk.path(), image]);
    let json = stopped.ends_with(5).json();
    // What failed at large is not yet lost.
    assert_eq!(json["bytes"]["unreadable"], 0, "{json}");
    assert!(json["missing"]["bytes"] == 0 && json["missing"]["unscraped"].as_u64() > Some(0), "{json}");
    let before = held(&map);
    let copied = fs::read(&image).unwrap();
    drop(disk);
    // Another insertion, in which a sector that was read is bad.
    let disk = BadDisk::attach(&file, &[4000, 9000, 9001], &BadDiskOptions::default()).unwrap();
    ectype(dir.path(), args!["create", disk.path(), image]).ends_with(5).says("--trust-map keeps");
    let json = ectype(dir.path(), args!["create", "--json", "--trust-map", disk.path(), image]);
    let json = json.ends_with(3).json();
    assert_eq!(json["plan"]["consistency"], "none");
    assert!(held(&map) >= before);
    let lost = json["unreadable"].as_array().unwrap();
    assert!(lost.len() == 1 && lost[0]["offset"] == 9000 * 512 && lost[0]["length"] == 1024, "{json}");
    assert_eq!(fs::read(&image).unwrap()[4000 * 512..][..512], copied[4000 * 512..][..512]);
    ectype(dir.path(), args!["verify", image]).ends_with(3);
}

#[test]
fn what_is_not_as_its_record_says_is_not_approved_by_a_rerun() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let bad = [5000, 9000, 9001];
    let (_, disk) = sick(dir.path(), &bad);
    let image = dir.path().join("x.img");
    let run = |more: &str| ectype(dir.path(), args!["create", "--hash", "sha256", more, disk.path(), image]);
    run("-q").ends_with(3);
    // In a piece that has a bad sector, and in one of which a bad sector came later.
    disk.set_bad(&bad[1..]).unwrap();
    run("-q").ends_with(3);
    for sector in [5001, 9002] {
        let file = OpenOptions::new().read(true).write(true).open(&image).unwrap();
        let mut good = [0; 4];
        file.read_exact_at(&mut good, sector * 512).unwrap();
        file.write_all_at(b"evil", sector * 512).unwrap();
        ectype(dir.path(), args!["verify", image]).ends_with(4);
        for more in ["-q", "--trust-map"] {
            run(more).ends_with(1).says("does not hold what was copied into it").says("--restart");
            ectype(dir.path(), args!["verify", image]).ends_with(4);
        }
        file.write_all_at(&good, sector * 512).unwrap();
    }
    // The place can be read again, and the rest is kept.
    OpenOptions::new().write(true).open(&image).unwrap().write_all_at(b"evil", 9002 * 512).unwrap();
    let map = beside(&image, ".map");
    let place = args!["--offset", "4MiB", "--size", "1MiB", "--overwrite", "-o", map, map];
    let forget = args!["map", "change", "--types", "finished,non-tried"];
    ectype(dir.path(), forget.iter().chain(&place)).ends_with(0);
    disk.set_bad(&[]).unwrap();
    run("-q").ends_with(0);
    same(&dir.path().join("disk"), &image);
}

#[test]
fn what_another_program_has_read_since_the_record_is_no_corruption() {
    if !(need::bad_disk() && need::tool("ddrescue")) {
        return;
    }
    let dir = folder();
    let (file, disk) = sick(dir.path(), &[5000, 9000]);
    let image = dir.path().join("x.img");
    ectype(dir.path(), args!["create", disk.path(), image]).ends_with(3);
    disk.set_bad(&[9000]).unwrap();
    tool("ddrescue", args!["-q", "-d", "-r1", disk.path(), image, dir.path().join("x.img.map")]);
    ectype(dir.path(), args!["create", disk.path(), image]).ends_with(3);
    disk.set_bad(&[]).unwrap();
    ectype(dir.path(), args!["create", disk.path(), image]).ends_with(0);
    same(&file, &image);
}

#[test]
fn a_refused_run_leaves_nothing_and_says_nothing_that_would_destroy() {
    let dir = folder();
    noisy(dir.path(), "source", 3 * MIB, 201);
    fs::write(dir.path().join("mine.img"), "thesis\n").unwrap();
    fs::write(dir.path().join("other.map"), "# Mapfile. x\n0x0 ? 1\n0x0 0x300000 +\n").unwrap();
    let before = contents(dir.path());
    let refused = |args: &[&str]| {
        let said = ectype(dir.path(), ["create", "source", "mine.img"].iter().chain(args)).ends_with(1);
        assert_eq!(contents(dir.path()), before, "{args:?}: {said:#?}");
        let asked = args.contains(&"--restart");
        assert!(asked || !(said.out + &said.err).contains("--restart"), "{args:?}");
    };
    refused(&["--restart"]);
    refused(&["--map", "other.map"]);
    refused(&["--map", "other.map", "--overwrite"]);
    refused(&["--map", "other.map", "--restart"]);
    refused(&[]);
    refused(&["--restart"]);
    fs::write(dir.path().join("mine.img.state"), "").unwrap();
    for args in [&[][..], &["--restart"], &["--map", "other.map"]] {
        let said = ectype(dir.path(), ["create", "source", "mine.img"].iter().chain(args)).ends_with(1);
        assert!(!said.err.contains("unfinished;"), "{said:#?}");
        assert_eq!(fs::read(dir.path().join("mine.img")).unwrap(), b"thesis\n", "{args:?}");
    }
}

#[test]
fn a_map_that_holds_nothing_gives_no_file_away() {
    if !need::unix("symbolic links") {
        return;
    }
    let dir = folder();
    noisy(dir.path(), "source", 3 * MIB, 202);
    noisy(dir.path(), "mine.img", 3 * MIB, 203);
    let map = dir.path().join("m");
    for text in [BLANK, "# Mapfile. x\n0x0 ? 1\n0x0 0x300000 ?\n", ""] {
        fs::write(&map, text).unwrap();
        for more in ["-q", "--restart", "--trust-map"] {
            let before = contents(dir.path());
            let said = ectype(dir.path(), ["create", "--map", "m", more, "source", "mine.img"]).ends_with(1);
            assert_eq!(contents(dir.path()), before, "{text:?}: {said:#?}");
        }
    }
    ectype_testkit::system::symlink("nowhere", dir.path().join("link")).unwrap();
    ectype(dir.path(), ["create", "--map", "link", "source", "new.img"])
        .ends_with(1)
        .says("link is a link that leads nowhere");
    // On the user's word, and where nothing is given away.
    fs::write(&map, BLANK).unwrap();
    ectype(dir.path(), ["create", "--map", "m", "source", "new.img"]).ends_with(0);
    fs::write(&map, BLANK).unwrap();
    ectype(dir.path(), ["create", "--map", "m", "--overwrite", "source", "mine.img"]).ends_with(0);
    same(&dir.path().join("source"), &dir.path().join("mine.img"));
}

#[test]
fn a_map_that_holds_nothing_throws_nothing_away_that_was_read() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let (_, disk) = sick(dir.path(), &[5000]);
    let image = dir.path().join("x.img");
    ectype(dir.path(), args!["create", disk.path(), image]).ends_with(3);
    fs::write(dir.path().join("m"), BLANK).unwrap();
    disk.set_bad(&[4000, 5000]).unwrap();
    let before = contents(dir.path());
    for more in ["-q", "--trust-map"] {
        ectype(dir.path(), args!["create", "--map", "m", more, disk.path(), image]).ends_with(1).says("m");
        assert_eq!(contents(dir.path()), before);
    }
    // Nor without the state that knew it.
    fs::remove_file(dir.path().join("x.img.state")).unwrap();
    let before = contents(dir.path());
    ectype(dir.path(), args!["create", "--map", "m", disk.path(), image]).ends_with(1);
    assert_eq!(contents(dir.path()), before);
}
