//! Runs that end early, by any hand, and the same command afterwards.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need::{self, LoopDevice};
use ectype_testkit::system::set_mode;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A source that takes a moment to copy: data and holes.
fn source(dir: &Path, seed: u64) -> PathBuf {
    let path = dir.join("source");
    let file = File::create(&path).unwrap();
    file.set_len(40 << 20).unwrap();
    for part in 0..6 {
        file.write_all_at(&noise(4 * MIB + 999, seed + part), part * (6 << 20) + 12345 * part).unwrap();
    }
    path
}

fn start(dir: &Path, args: &[&str]) -> Running {
    let mut run = command(dir);
    run.args(["create", "--checkpoint", "0.01"]).args(args);
    Running::start(run)
}

/// Ends a run by this signal once its map holds something; false when it was faster.
fn interrupted(dir: &Path, args: &[&str], map: &str, signal: &str) -> (Said, bool) {
    let mut run = start(dir, args);
    let begun = Instant::now();
    while !run.ended() && begun.elapsed() < Duration::from_secs(20) {
        if fs::read_to_string(dir.join(map)).is_ok_and(|text| text.contains('+') && text.contains('?')) {
            run.signal(signal);
            break;
        }
        if cfg!(windows) {
            // A file that is always open somewhere is never replaced there.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let said = run.wait();
    let early = said.code != Some(0);
    (said, early)
}

/// An unfinished image of `source`, killed part-way.
fn killed(dir: &Path, args: &[&str], image: &str) {
    for _ in 0..20 {
        let (_, early) = interrupted(dir, args, &format!("{image}.map"), "KILL");
        if early && dir.join(format!("{image}.map")).exists() {
            return;
        }
        for name in names(dir) {
            if name.as_encoded_bytes().starts_with(image.as_bytes()) {
                fs::remove_file(dir.join(name)).unwrap();
            }
        }
    }
    panic!("always too fast to be killed");
}

#[track_caller]
fn finished(dir: &Path, image: &str) {
    same(&dir.join("source"), &dir.join(image));
    let left = names(dir);
    for suffix in ["map", "state", "map.ectype-new", "ectype.json.ectype-new"] {
        assert!(!left.contains(&format!("{image}.{suffix}").into()), "{left:?}");
    }
    ectype(dir, ["verify", image]).ends_with(0);
}

#[test]
fn killed_at_any_moment_the_same_command_completes() {
    let dir = folder();
    let source = source(dir.path(), 60);
    if !need::tool("sha256sum") {
        return;
    }
    let sha256 = tool("sha256sum", [&source]);
    let whole = Instant::now();
    ectype(dir.path(), ["create", "--checkpoint", "0.01", "--hash", "sha256", "source", "warm.img"])
        .ends_with(0);
    let whole = whole.elapsed();
    let args = ["--hash", "sha256", "source", "x.img"];
    let mut killed = 0;
    for round in 0..12u32 {
        // Several kills within one image, spread over the time that all of it takes.
        for part in 0..3 {
            let mut run = start(dir.path(), &args);
            std::thread::sleep(whole * (round * 3 + part) / 40);
            run.signal("KILL");
            let said = run.wait();
            killed += u32::from(said.signal == Some(9));
        }
        let said = start(dir.path(), &args).wait();
        if said.code == Some(1) {
            // The last one was faster than its killer.
            said.says("is finished");
        } else {
            said.ends_with(0);
        }
        finished(dir.path(), "x.img");
        let list = fs::read_to_string(dir.path().join("x.img.sha256")).unwrap();
        assert_eq!(list[..64], sha256[..64]);
        for name in names(dir.path()) {
            if name.as_encoded_bytes().starts_with(b"x.img") {
                fs::remove_file(dir.path().join(name)).unwrap();
            }
        }
    }
    assert!(killed >= 10, "{killed} kills");
}

#[test]
fn an_interrupt_stops_in_order_and_is_gone_on_with() {
    if !need::unix("signals") {
        return;
    }
    let dir = folder();
    source(dir.path(), 61);
    for signal in ["INT", "TERM", "HUP"] {
        let args = ["--json", "--hash", "sha256,md5", "source", "x.img"];
        let (said, early) = interrupted(dir.path(), &args, "x.img.map", signal);
        if !early {
            continue;
        }
        let json = said.ends_with(130).json();
        assert_eq!(json["status"], "stopped");
        assert_eq!(json["error"]["kind"], "cancelled");
        let held = json["bytes"]["read"].as_u64().unwrap() + json["bytes"]["zero"].as_u64().unwrap();
        let json =
            ectype(dir.path(), ["create", "--json", "--dry-run", "source", "x.img"]).ends_with(0).json();
        assert_eq!(json["plan"]["held"], held);
        assert_eq!(json["plan"]["compare"], false);
        ectype(dir.path(), ["verify", "x.img"]).ends_with(1).says("unfinished");
        ectype(dir.path(), ["verify", "x.img", "source"]).ends_with(1).says("unfinished");
        let json = start(dir.path(), &args).wait().ends_with(0).json();
        assert_eq!(json["resumed"], true);
        finished(dir.path(), "x.img");
        assert!(
            tool("md5sum", [dir.path().join("x.img")]).starts_with(json["digests"]["md5"].as_str().unwrap())
        );
        ectype(dir.path(), ["create", "--overwrite", "source", "x.img"]).ends_with(0);
        for name in names(dir.path()) {
            if name != "source" {
                fs::remove_file(dir.path().join(name)).unwrap();
            }
        }
    }
}

#[test]
fn a_map_of_ones_own_serves_as_well() {
    let dir = folder();
    source(dir.path(), 62);
    let args = ["--map", "my.map", "source", "x.img"];
    let (_, early) = interrupted(dir.path(), &args, "my.map", "KILL");
    if early {
        ectype(dir.path(), ["verify", "x.img"]).ends_with(1).says("unfinished");
        ectype(dir.path(), ["create", "source", "x.img"]).ends_with(1).says("--map FILE");
        start(dir.path(), &args).wait().ends_with(0);
    }
    finished(dir.path(), "x.img");
    assert!(dir.path().join("my.map").exists());
}

#[test]
fn an_overwriting_run_that_was_killed_is_gone_on_with_too() {
    let dir = folder();
    source(dir.path(), 63);
    ectype(dir.path(), ["create", "--hash", "none", "source", "x.img"]).ends_with(0);
    let args = ["--overwrite", "--json", "source", "x.img"];
    let (_, early) = interrupted(dir.path(), &args, "x.img.map", "KILL");
    let json = start(dir.path(), &args).wait().ends_with(0).json();
    assert_eq!(json["resumed"], early);
    finished(dir.path(), "x.img");
}

#[test]
fn a_file_that_was_edited_meanwhile_is_noticed() {
    let dir = folder();
    let source = source(dir.path(), 64);
    killed(dir.path(), &["source", "x.img"], "x.img");
    let file = OpenOptions::new().write(true).open(&source).unwrap();
    file.write_all_at(b"edited", 100).unwrap();
    file.write_all_at(&noise(5000, 65), 30 << 20).unwrap();
    file.write_all_at(&vec![0; MIB], 1 << 20).unwrap();
    drop(file);
    let json = ectype(dir.path(), ["create", "--json", "--dry-run", "source", "x.img"]).ends_with(0).json();
    assert_eq!(json["plan"]["compare"], true);
    start(dir.path(), &["source", "x.img"]).wait().ends_with(0).says("read again");
    finished(dir.path(), "x.img");
}

#[test]
fn a_file_that_changes_under_the_copy_is_noticed() {
    if !need::unix("signals that stop a process") {
        return;
    }
    let dir = folder();
    let source = source(dir.path(), 74);
    let edit = |change: &dyn Fn(&File)| {
        let mut run = start(dir.path(), &["--json", "source", "x.img"]);
        let map = dir.path().join("x.img.map");
        let begun = Instant::now();
        while !run.ended() && begun.elapsed() < Duration::from_secs(20) {
            if fs::read_to_string(&map).is_ok_and(|text| text.contains('+') && text.contains('?')) {
                run.signal("STOP");
                break;
            }
        }
        if run.ended() {
            run.wait().ends_with(0);
            return false;
        }
        change(&OpenOptions::new().write(true).open(&source).unwrap());
        run.signal("CONT");
        let json = run.wait().ends_with(5).json();
        assert_eq!(json["status"], "stopped");
        true
    };
    if edit(&|file| file.write_all_at(b"edited", 100).unwrap()) {
        ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    }
    finished(dir.path(), "x.img");
    for name in names(dir.path()) {
        if name != "source" {
            fs::remove_file(dir.path().join(name)).unwrap();
        }
    }
    if edit(&|file| file.set_len(34 << 20).unwrap()) {
        ectype(dir.path(), ["create", "source", "x.img"]).ends_with(1).says("--restart");
        ectype(dir.path(), ["create", "--restart", "source", "x.img"]).ends_with(0);
    }
    finished(dir.path(), "x.img");
}

#[test]
fn a_device_that_was_written_meanwhile_is_noticed() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let file = source(dir.path(), 66);
    let device = LoopDevice::attach(&file, &[]).unwrap();
    let link = dir.path().join("link");
    ectype_testkit::system::symlink(device.path(), &link).unwrap();
    killed(dir.path(), &["link", "x.img"], "x.img");
    // Through the device, in the same boot and insertion.
    let opened = OpenOptions::new().write(true).open(device.path()).unwrap();
    opened.write_all_at(b"written", 512).unwrap();
    opened.sync_all().unwrap();
    drop(opened);
    let json = ectype(dir.path(), ["create", "--json", "--dry-run", "link", "x.img"]).ends_with(0).json();
    assert_eq!(json["plan"]["compare"], true);
    start(dir.path(), &["link", "x.img"]).wait().ends_with(0);
    finished(dir.path(), "x.img");

    // Behind its back, between two insertions.
    killed(dir.path(), &["link", "y.img"], "y.img");
    drop(device);
    OpenOptions::new().write(true).open(&file).unwrap().write_all_at(b"behind", 20 << 20).unwrap();
    let device = LoopDevice::attach(&file, &[]).unwrap();
    fs::remove_file(&link).unwrap();
    ectype_testkit::system::symlink(device.path(), &link).unwrap();
    let json = ectype(dir.path(), ["create", "--json", "--dry-run", "link", "y.img"]).ends_with(0).json();
    assert_eq!(json["plan"]["compare"], true);
    start(dir.path(), &["link", "y.img"]).wait().ends_with(0);
    finished(dir.path(), "y.img");
}

#[test]
fn another_source_is_refused_and_the_files_are_kept() {
    let dir = folder();
    source(dir.path(), 67);
    killed(dir.path(), &["source", "x.img"], "x.img");
    noisy(dir.path(), "same-size", 40 * MIB, 68);
    noisy(dir.path(), "smaller", MIB, 69);
    let before = contents(dir.path());
    for other in ["same-size", "smaller"] {
        ectype(dir.path(), ["create", other, "x.img"]).ends_with(1).says("--restart");
        assert_eq!(contents(dir.path()), before, "{other}");
    }
    ectype(dir.path(), ["create", "--restart", "same-size", "x.img"]).ends_with(0);
    same(&dir.path().join("same-size"), &dir.path().join("x.img"));
}

#[test]
fn damaged_companions_are_refused_and_kept() {
    let dir = folder();
    source(dir.path(), 70);
    killed(dir.path(), &["source", "x.img"], "x.img");
    let (map, state) = (dir.path().join("x.img.map"), dir.path().join("x.img.state"));
    let (good_map, good_state) = (fs::read(&map).unwrap(), fs::read(&state).unwrap());
    let bytes = || contents(dir.path()).into_values().map(|(hash, ..)| hash).collect::<Vec<_>>();
    let refused = |what: &str| {
        let before = bytes();
        ectype(dir.path(), ["create", "source", "x.img"]).ends_with(1);
        assert_eq!(bytes(), before, "{what}");
    };
    for damage in [&b"garbage\n"[..], b"", b"# Mapfile. Created by nobody\n0x0 ? 1\n0x0 0x10000000000 +\n"] {
        fs::write(&map, damage).unwrap();
        refused("map");
    }
    fs::write(&map, String::from_utf8_lossy(&good_map).replace("+\n", "q\n")).unwrap();
    refused("a sign that no map has");
    fs::write(&map, &good_map).unwrap();
    let mut bad = good_state.clone();
    bad[..2 << 20].fill(0xaa);
    fs::write(&state, &bad).unwrap();
    refused("state");
    let mut bad = good_state.clone();
    bad[100] ^= 1;
    bad[(1 << 20) + 100] ^= 1;
    fs::write(&state, &bad).unwrap();
    refused("both slots");
    fs::write(&state, &good_state).unwrap();
    let image = OpenOptions::new().write(true).open(dir.path().join("x.img")).unwrap();
    image.set_len(512).unwrap();
    drop(image);
    refused("an image that was cut");
    ectype(dir.path(), ["create", "--restart", "source", "x.img"]).ends_with(0);
    finished(dir.path(), "x.img");
}

#[test]
fn a_map_without_its_image_is_refused() {
    let dir = folder();
    source(dir.path(), 71);
    killed(dir.path(), &["source", "x.img"], "x.img");
    fs::rename(dir.path().join("x.img"), dir.path().join("elsewhere")).unwrap();
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(1).says("--restart");
    fs::rename(dir.path().join("elsewhere"), dir.path().join("x.img")).unwrap();
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    finished(dir.path(), "x.img");
}

#[test]
fn a_map_of_ddrescue_is_gone_on_with() {
    if !need::tool("sha256sum") {
        return;
    }
    let dir = folder();
    let mib = MIB as u64;
    let source = noisy(dir.path(), "source", 6 * MIB, 75);
    let image = dir.path().join("x.img");
    // Only what the map calls finished is there; the rest must not be believed.
    let mut held = fs::read(&source).unwrap();
    held[MIB..].fill(0xee);
    fs::write(&image, held).unwrap();
    let map = format!(
        "# Mapfile. Created by GNU ddrescue version 1.27\n0x0 ? 1\n\
         0 {mib} +\n{mib} {mib} *\n{} {mib} /\n{} 512 -\n{} {} ?\n",
        2 * mib,
        3 * mib,
        3 * mib + 512,
        3 * mib - 512
    );
    fs::write(beside(&image, ".map"), map).unwrap();
    let run = || ectype(dir.path(), ["create", "--json", "--hash", "sha256", "source", "x.img"]);
    let json = run().ends_with(3).json();
    assert_eq!(json["resumed"], true);
    assert_eq!(json["unreadable"].as_array().unwrap().len(), 1, "{json}");
    assert_eq!(json["unreadable"][0]["offset"], 3 * mib);
    assert_eq!(fs::read(&image).unwrap()[3 * MIB..][..512], [0; 512]);
    let json = run().ends_with(0).json();
    assert!(tool("sha256sum", [&source]).starts_with(json["digests"]["sha256"].as_str().unwrap()));
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(beside(&image, ".ectype.json")).unwrap()).unwrap();
    assert_eq!(record["plan"]["consistency"], "none");
    finished(dir.path(), "x.img");
}

#[test]
fn two_at_a_time_on_one_image_are_one_too_many() {
    if !need::unix("signals that stop a process") {
        return;
    }
    let dir = folder();
    let source = source(dir.path(), 72);
    let mut first = start(dir.path(), &["source", "x.img"]);
    let state = dir.path().join("x.img.state");
    let begun = Instant::now();
    while !dir.path().join("x.img.map").exists() && begun.elapsed() < Duration::from_secs(10) {}
    first.signal("STOP");
    assert!(state.exists());
    for more in [&[][..], &["--restart"], &["--overwrite"]] {
        let args = ["create", "source", "x.img"].into_iter().chain(more.iter().copied());
        ectype(dir.path(), args).ends_with(1).says("another ectype");
    }
    first.signal("CONT");
    first.wait().ends_with(0);
    same(&source, &dir.path().join("x.img"));
    finished(dir.path(), "x.img");
}

#[test]
fn read_only_companions_are_named() {
    if !need::unix("modes of files") {
        return;
    }
    let dir = folder();
    source(dir.path(), 73);
    killed(dir.path(), &["source", "x.img"], "x.img");
    set_mode(dir.path(), 0o777).unwrap();
    for name in ["x.img", "x.img.map", "x.img.state"] {
        set_mode(dir.path().join(name), 0o444).unwrap();
    }
    let before = contents(dir.path());
    if let Some(said) = crate::hostile::as_nobody(dir.path(), &["create", "source", "x.img"]) {
        said.ends_with(1).says("x.img").says("Permission denied");
    }
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn what_was_held_is_read_back_before_it_counts() {
    let dir = folder();
    source(dir.path(), 80);
    killed(dir.path(), &["source", "x.img"], "x.img");
    let image = OpenOptions::new().write(true).open(dir.path().join("x.img")).unwrap();
    // The first MiB is held; a program that thinned out the image took it.
    image.write_all_at(&vec![0; 4096], 65536).unwrap();
    drop(image);
    ectype(dir.path(), ["create", "source", "x.img"])
        .ends_with(1)
        .says("does not hold what was copied into it")
        .says("--restart");
    ectype(dir.path(), ["create", "--restart", "source", "x.img"]).ends_with(0);
    finished(dir.path(), "x.img");
}

#[test]
fn an_older_map_beside_a_newer_state_proves_nothing() {
    let dir = folder();
    let source = source(dir.path(), 81);
    killed(dir.path(), &["source", "x.img"], "x.img");
    let map = dir.path().join("x.img.map");
    let older = fs::read(&map).unwrap();
    let file = OpenOptions::new().write(true).open(&source).unwrap();
    file.write_all_at(&noise(MIB, 82), 4096).unwrap();
    drop(file);
    // The comparing run gets somewhere, and then the old map comes back, as from a backup.
    let (said, _) = interrupted(dir.path(), &["source", "x.img"], "x.img.map", "KILL");
    if said.code == Some(0) {
        return finished(dir.path(), "x.img");
    }
    fs::write(&map, older).unwrap();
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    finished(dir.path(), "x.img");
}

#[test]
fn a_comparing_run_whose_map_cannot_be_saved_is_compared_again() {
    let dir = folder();
    let source = source(dir.path(), 83);
    killed(dir.path(), &["source", "x.img"], "x.img");
    let file = OpenOptions::new().write(true).open(&source).unwrap();
    file.write_all_at(&noise(MIB, 84), 4096).unwrap();
    drop(file);
    // A folder at the temporary name of the map: it cannot be written, as on a full disk.
    let blocked = dir.path().join("x.img.map.ectype-new");
    // The run that was killed may have been about to give it the map's name.
    let _ = fs::remove_file(&blocked);
    fs::create_dir(&blocked).unwrap();
    fs::write(blocked.join("filler"), "x").unwrap();
    assert_ne!(ectype(dir.path(), ["create", "source", "x.img"]).code, Some(0));
    fs::remove_dir_all(&blocked).unwrap();
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    finished(dir.path(), "x.img");
}

#[test]
fn to_overwrite_is_not_to_adopt() {
    let dir = folder();
    noisy(dir.path(), "source", 3 * MIB, 85);
    noisy(dir.path(), "other", 3 * MIB, 86);
    noisy(dir.path(), "x.img", 3 * MIB, 87);
    ectype(dir.path(), ["create", "--map", "m", "other", "y.img"]).ends_with(0);
    ectype(dir.path(), ["create", "--overwrite", "--map", "m", "source", "x.img"])
        .ends_with(1)
        .says("leave out --overwrite");
    ectype(dir.path(), ["create", "--overwrite", "source", "x.img"]).ends_with(0);
    finished(dir.path(), "x.img");
}

#[test]
fn another_file_in_the_place_of_the_image_is_left_alone() {
    let dir = folder();
    source(dir.path(), 110);
    killed(dir.path(), &["source", "x.img"], "x.img");
    let image = dir.path().join("x.img");
    fs::rename(&image, dir.path().join("kept")).unwrap();
    let other = noisy(dir.path(), "other", 40 * MIB, 111);
    fs::copy(&other, &image).unwrap();
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(1).says("--restart");
    same(&other, &image);
    fs::rename(dir.path().join("kept"), &image).unwrap();
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    finished(dir.path(), "x.img");
}

#[test]
fn what_is_missing_beside_an_unfinished_image_is_named() {
    let dir = folder();
    let source = source(dir.path(), 112);
    killed(dir.path(), &["source", "x.img"], "x.img");
    let map = dir.path().join("x.img.map");
    let text = fs::read(&map).unwrap();
    fs::remove_file(&map).unwrap();
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(1).says("map x.img.map is missing");
    fs::write(&map, &text).unwrap();
    // Without the state, the map still says that it is not whole.
    let state = fs::read(dir.path().join("x.img.state")).unwrap();
    fs::remove_file(dir.path().join("x.img.state")).unwrap();
    ectype(dir.path(), ["verify", "x.img"]).ends_with(1).says("unfinished");
    fs::write(dir.path().join("x.img.state"), &state).unwrap();
    // A source of another size is another one, whichever way it went.
    for len in [39 << 20, 41 << 20] {
        OpenOptions::new().write(true).open(&source).unwrap().set_len(len).unwrap();
        ectype(dir.path(), ["create", "source", "x.img"])
            .ends_with(1)
            .says("another medium")
            .says("--restart");
    }
    fs::remove_file(&map).unwrap();
    ectype(dir.path(), ["create", "--restart", "source", "x.img"]).ends_with(0);
    finished(dir.path(), "x.img");
}

#[test]
fn what_lies_on_a_device_proves_nothing_by_its_own_counter() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let file = source(dir.path(), 113);
    let below = LoopDevice::attach(&file, &[]).unwrap();
    let above = LoopDevice::attach(below.path(), &[]).unwrap();
    let name = above.path().to_str().unwrap();
    killed(dir.path(), &[name, "x.img"], "x.img");
    let json = ectype(dir.path(), ["create", "--json", "--dry-run", name, "x.img"]).ends_with(0).json();
    assert_eq!(json["plan"]["compare"], true);
}

#[test]
fn a_write_that_the_system_still_holds_back_is_noticed() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let file = source(dir.path(), 114);
    let device = LoopDevice::attach(&file, &[]).unwrap();
    let name = device.path().to_str().unwrap();
    killed(dir.path(), &[name, "x.img"], "x.img");
    // Open until the end: the last one to close it flushes.
    let writer = OpenOptions::new().write(true).open(device.path()).unwrap();
    writer.write_all_at(&noise(4096, 115), 4096).unwrap();
    let json = ectype(dir.path(), ["create", "--json", "--dry-run", name, "x.img"]).ends_with(0).json();
    assert_eq!(json["plan"]["compare"], true);
    drop(writer);
}
