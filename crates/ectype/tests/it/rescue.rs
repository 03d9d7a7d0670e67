//! Damaged media: the passes on a real block device, with GNU ddrescue beside us and on the same map.

use crate::run::*;
use ectype_testkit::need::{self, BadDisk, BadDiskOptions};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const SECTOR: u64 = 512;

/// Sectors of a map that have this sign.
fn sectors(map: &Path, sign: &str) -> Vec<u64> {
    let list = tool("ddrescuelog", args!["-b", "512", format!("-l{sign}"), map]);
    list.lines().map(|line| line.trim().parse().unwrap()).collect()
}

/// The disk of the figures under both programs. Times are the business of `cargo xtask bench rescue rescue50`.
#[test]
fn fewer_reads_than_ddrescue_and_no_more_failures() {
    if !(need::bad_disk() && need::tools(&["ddrescue", "ddrescuelog"])) {
        return;
    }
    let dir = folder();
    let file = dir.path().join("disk");
    fs::File::create(&file).unwrap().set_len(1 << 30).unwrap();
    let bad = need::scattered((1 << 30) / SECTOR);
    assert_eq!(bad.len(), 200);
    let disk = BadDisk::attach(&file, &bad, &BadDiskOptions::default()).unwrap();
    let counted = |name: &str, run: &dyn Fn()| {
        let before = disk.counts().unwrap();
        run();
        let after = disk.counts().unwrap();
        let (reads, failed) = (after.reads - before.reads, after.errors - before.errors);
        eprintln!("{name}: {reads} reads, {failed} failed");
        (reads, failed)
    };
    let (theirs, ours) = (dir.path().join("theirs.map"), dir.path().join("ours.img"));
    let (their_reads, their_failures) = counted("ddrescue", &|| {
        tool("ddrescue", args!["-q", "-d", disk.path(), dir.path().join("theirs.img"), theirs]);
    });
    let (our_reads, our_failures) = counted("ectype", &|| {
        ectype(dir.path(), args!["create", "--json", disk.path(), ours]).ends_with(3);
    });
    assert_eq!(sectors(&beside(&ours, ".map"), "-"), bad);
    assert_eq!(sectors(&theirs, "-"), bad);
    assert!(our_failures * 100 <= their_failures * 102, "{our_failures} of {their_failures} failed reads");
    assert!(our_reads * 10 <= their_reads * 8, "{our_reads} of {their_reads} reads");
}

const DISK: u64 = 8 << 20;

fn damaged(dir: &Path, options: &BadDiskOptions) -> (BadDisk, Vec<u8>, Vec<u64>) {
    let file = noisy(dir, "disk", DISK as usize, 60);
    let bad: Vec<u64> =
        [2100].into_iter().chain(3000..3300).chain([5000, 5003, 5200]).chain(9000..9012).collect();
    let disk = BadDisk::attach(&file, &bad, options).unwrap();
    let mut expected = fs::read(&file).unwrap();
    for sector in &bad {
        expected[(sector * SECTOR) as usize..][..SECTOR as usize].fill(0);
    }
    (disk, expected, bad)
}

#[test]
fn either_program_goes_on_where_the_other_stopped() {
    if !(need::bad_disk() && need::tools(&["ddrescue", "ddrescuelog"])) {
        return;
    }
    let dir = folder();
    let (disk, expected, bad) = damaged(dir.path(), &BadDiskOptions::default());
    for errors in [0, 1, 3, 6, 20, 60, 150, 300] {
        let ours = dir.path().join(format!("ours-{errors}.img"));
        let map = beside(&ours, ".map");
        let limit = errors.to_string();
        ectype(dir.path(), args!["create", "--max-errors", limit, disk.path(), ours])
            .ends_with(5)
            .says("reads failed");
        tool("ddrescuelog", args!["-t", map]);
        tool("ddrescue", args!["-q", "-d", disk.path(), ours, map]);
        assert_eq!(sectors(&map, "-"), bad, "ddrescue after {errors} errors of ours");
        // Holes at the end are not written by it.
        let mut held = fs::read(&ours).unwrap();
        held.resize(expected.len(), 0);
        assert!(held == expected, "image of both, {errors} errors");

        let theirs = dir.path().join(format!("theirs-{errors}.img"));
        let map = beside(&theirs, ".map");
        let said = need::command("ddrescue")
            .args(args!["-q", "-d", format!("-X{errors}"), disk.path(), theirs, map])
            .output()
            .unwrap();
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        ectype(dir.path(), args!["create", disk.path(), theirs]).ends_with(3);
        assert_eq!(sectors(&map, "-"), bad, "ours after {errors} errors of ddrescue");
        assert!(fs::read(&theirs).unwrap() == expected, "image of both, {errors} errors");
    }
}

#[test]
fn programs_are_told_the_pass_and_the_areas() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let (disk, ..) = damaged(dir.path(), &BadDiskOptions::default());
    let args = args!["create", "--progress", "json", "--retries", "2", disk.path(), "x.img"];
    let events = ectype(dir.path(), args).ends_with(3).events();
    let of = |phase: &str| {
        let found: Vec<_> = events
            .iter()
            .filter(|event| event["event"] == "progress" && event["phase"] == phase)
            .cloned()
            .collect();
        assert!(!found.is_empty(), "nothing of {phase} in {events:#?}");
        found
    };
    assert!(of("copying").iter().all(|event| event["passes"] == 5 && event["areas_total"].is_null()));
    for phase in ["trimming", "scraping"] {
        let last = of(phase).pop().unwrap();
        assert!(last["areas_total"].as_u64() > Some(0) && last["areas"] == last["areas_total"], "{last}");
        assert!(last["last_success_s"].is_u64(), "{last}");
    }
    let retrying = of("retrying");
    let passes: Vec<_> = retrying.iter().map(|event| (&event["pass"], &event["backwards"])).collect();
    assert!(passes.contains(&(&1.into(), &false.into())) && passes.contains(&(&2.into(), &true.into())));
    assert!(retrying.iter().all(|event| event["passes"] == 2), "{retrying:#?}");
    assert!(of("proving").iter().all(|event| event["pass"].is_null()));
}

#[test]
fn where_a_dying_disk_would_be_read_again_the_command_that_it_bears_is_named() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let (disk, ..) = damaged(dir.path(), &BadDiskOptions::default());
    let command = |layer: &Path, name: &str| format!("ectype create --trust-map {} {name}", layer.display());
    // What lies on another device is never proven to be unwritten.
    let above = need::LoopDevice::attach(disk.path(), &[]).unwrap();
    let named = command(above.path(), "x.img");
    ectype(dir.path(), args!["create", above.path(), "x.img"]).ends_with(3).says(&named);
    let plan = ectype(dir.path(), args!["create", "--dry-run", above.path(), "x.img"]).ends_with(0);
    plan.says("could not be read. If the drive is dying").says(&named);
    let json =
        ectype(dir.path(), args!["create", "--json", "--trust-map", above.path(), "x.img"]).ends_with(3);
    let json = json.json();
    assert_eq!((&json["plan"]["compare"], &json["rereads"]), (&false.into(), &true.into()));
    assert!(json["plan"]["failed"].as_u64() > Some(0), "{json}");

    // The command can be run as it stands, as often as one likes.
    let again = ectype(dir.path(), args!["create", "--trust-map", above.path(), "x.img"]).ends_with(3);
    assert!(!again.out.contains("--trust-map --trust-map"), "{again:#?}");
    again.says("To try those sectors again, run the same command;");
    // Nor does it give up what this run made.
    let anew = ectype(dir.path(), args!["create", "--overwrite", above.path(), "x.img"]).ends_with(3);
    anew.says(&format!("\n    {named}\n"));
    let twice = ectype(dir.path(), args!["create", "--restart", "--trust-map", above.path(), "x.img"]);
    twice.ends_with(3).says("To try those sectors again, run the same command without --restart;");

    let limited = args!["create", "--restart", "--max-errors", "3", above.path(), "z.img"];
    ectype(dir.path(), limited)
        .ends_with(5)
        .says("held; the same command without --restart goes on")
        .says("  the same command without --restart goes on, with")
        .says(&format!("ectype create --trust-map --max-errors 3 {} z.img", above.path().display()));
    drop(above);

    // The device itself is known not to have been written to: the same command will do.
    let said = ectype(dir.path(), args!["create", disk.path(), "y.img"]).ends_with(3);
    assert!(!said.out.contains("--trust-map") && said.out.contains("run the same command;"), "{said:#?}");
}

#[test]
fn parts_limits_and_what_is_left_for_later() {
    if !(need::bad_disk() && need::tool("ddrescuelog")) {
        return;
    }
    let dir = folder();
    let (disk, expected, bad) = damaged(dir.path(), &BadDiskOptions::default());
    let image = dir.path().join("x.img");
    let map = beside(&image, ".map");
    let create = |more: &[&str]| {
        let mut all = args!["create", "--json"].to_vec();
        all.extend(more.iter().map(std::ffi::OsString::from));
        all.extend(args![disk.path(), image]);
        ectype(dir.path(), all)
    };
    create(&["--size", "12x"]).ends_with(2);
    create(&["--max-time", "12x"]).ends_with(2);
    create(&["--offset", "1G"]).ends_with(1).says("nothing of the source");

    let json = create(&["--offset", "2M", "--size", "64K"]).ends_with(5).json();
    assert_eq!(json["error"]["kind"], "limit", "{json}");
    assert_eq!(json["bytes"]["read"], 64 << 10);
    let part = dir.path().join("part.map");
    fs::copy(&map, &part).unwrap();
    // Only what that map holds: all of it is read.
    let other = dir.path().join("y.img");
    let json = ectype(dir.path(), args!["create", "--json", "--domain", part, disk.path(), other])
        .ends_with(5)
        .json();
    assert_eq!(json["bytes"]["read"], 64 << 10);

    // With an hour's patience, backwards, and without scraping: the edges are known, and the rest is said to be left.
    let json = create(&["--no-scrape", "--reverse", "--max-time", "1h"]).ends_with(3).json();
    assert_eq!(json["resumed"], true);
    let unscraped = json["missing"]["unscraped"].as_u64().unwrap();
    assert_eq!(unscraped, sectors(&map, "/").len() as u64 * SECTOR);
    assert!(unscraped > 100 * SECTOR, "{json}");
    assert_eq!(
        json["missing"]["sectors"].as_u64(),
        json["missing"]["bytes"].as_u64().map(|bytes| bytes / SECTOR)
    );

    let json = create(&[]).ends_with(3).json();
    assert_eq!(json["missing"]["unscraped"], 0);
    assert_eq!(json["missing"]["sectors"], bad.len());
    assert_eq!(json["missing"]["areas"], 6);
    assert_eq!(sectors(&map, "-"), bad);
    assert!(fs::read(&image).unwrap() == expected);

    // With only bad sectors left: one pass over them, or as many as are asked for.
    let before = disk.counts().unwrap().errors;
    create(&[]).ends_with(3);
    let once = disk.counts().unwrap().errors;
    assert_eq!(once - before, bad.len() as u64);
    create(&["--retries", "2"]).ends_with(3);
    assert_eq!(disk.counts().unwrap().errors - once, 2 * bad.len() as u64);
}

#[test]
fn the_time_that_is_given_is_kept_while_the_drive_struggles() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let slow = BadDiskOptions { delay: Duration::from_millis(400), ..BadDiskOptions::default() };
    let (disk, expected, bad) = damaged(dir.path(), &slow);
    let begun = Instant::now();
    let json = ectype(dir.path(), args!["create", "--json", "--max-time", "2s", disk.path(), "x.img"])
        .ends_with(5)
        .json();
    assert_eq!(json["error"]["kind"], "limit", "{json}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    // On another drive, one that reads everything.
    disk.set_bad(&[]).unwrap();
    let json = ectype(dir.path(), args!["create", "--json", disk.path(), "x.img"]).ends_with(0).json();
    assert_eq!(json["resumed"], true);
    let image = fs::read(dir.path().join("x.img")).unwrap();
    let first = (bad[0] * SECTOR) as usize;
    assert!(image[..first] == expected[..first]);
    same(&dir.path().join("disk"), &dir.path().join("x.img"));
}
