//! What the system takes away while a run goes on: threads, the length of files, the place for the result, the power.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need;
use ectype_testkit::system::{give_to, set_mode};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A user of whom nothing else runs, so that a limit on processes is one on our threads.
const NOBODY_ELSE: u32 = 54_321;

/// The binary under a shell that sets a limit first; what is left of the line is its arguments.
fn limited(dir: &Path, limit: &str, args: &str) -> Said {
    let mut command = Command::new("sh");
    let binary = env!("CARGO_BIN_EXE_ectype");
    command.current_dir(dir).args(["-c", &format!("{limit} && exec {binary} {args}")]);
    Running::start(command).wait()
}

#[test]
fn without_threads_it_stops_in_order_and_goes_on_later() {
    if !need::root() || !need::tools(&["setpriv", "prlimit"]) {
        return;
    }
    let dir = folder();
    set_mode(dir.path(), 0o755).unwrap();
    give_to(dir.path(), NOBODY_ELSE).unwrap();
    let source = noisy(dir.path(), "source", 6 * MIB, 40);
    // The binary may lie where only root may look.
    let binary = dir.path().join("ectype");
    fs::copy(env!("CARGO_BIN_EXE_ectype"), &binary).unwrap();
    let mut stopped = 0;
    for threads in 1..=12 {
        let mut command = Command::new("setpriv");
        command.current_dir(dir.path()).args(["--clear-groups", "--reuid"]).arg(NOBODY_ELSE.to_string());
        command.args(["--regid", &NOBODY_ELSE.to_string(), "prlimit", &format!("--nproc={threads}")]);
        command.arg(&binary).args(["create", "--hash", "sha256", "source", "x.img"]);
        let said = Running::start(command).wait();
        match said.code {
            Some(0) => {}
            Some(5) => {
                stopped += 1;
                let said = said.says("thread");
                assert!(!said.err.contains("panicked"), "{said:#?}");
                ectype(dir.path(), ["create", "--hash", "sha256", "source", "x.img"]).ends_with(0);
            }
            _ => panic!("{threads} threads: {said:#?}"),
        }
        same(&source, &dir.path().join("x.img"));
        ectype(dir.path(), ["verify", "x.img"]).ends_with(0);
        for name in names(dir.path()) {
            if name.as_encoded_bytes().starts_with(b"x.img") {
                fs::remove_file(dir.path().join(name)).unwrap();
            }
        }
    }
    assert!((2..12).contains(&stopped), "{stopped} of 12 runs met the limit");
}

#[test]
fn a_limit_on_the_length_of_files_is_an_error_and_no_death() {
    if !need::unix("limits of a shell") {
        return;
    }
    let dir = folder();
    noisy(dir.path(), "source", 4 * MIB, 41);
    // In blocks of 512 bytes: the state file fits, the image does not.
    let said = limited(dir.path(), "ulimit -f 6000", "create source x.img");
    assert!(matches!(said.code, Some(1 | 5)), "{said:#?}");
    said.says("File too large");
    let said = limited(dir.path(), "ulimit -f 100", "create source y.img");
    assert!(matches!(said.code, Some(1)), "{said:#?}");
    said.says("File too large");
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    same(&dir.path().join("source"), &dir.path().join("x.img"));
}

#[test]
fn with_few_files_open_at_once_it_ends() {
    if !need::unix("limits of a shell") {
        return;
    }
    let dir = folder();
    noisy(dir.path(), "source", MIB, 45);
    for files in 4..14 {
        // Whatever it comes to: no hang, no litter after a refusal.
        let said = limited(dir.path(), &format!("ulimit -n {files}"), "create --json source x.img");
        match said.code {
            Some(0) => break,
            Some(1) => assert_eq!(names(dir.path()), ["source"], "{files} {said:#?}"),
            _ => {}
        }
    }
    ectype(dir.path(), ["create", "--overwrite", "source", "x.img"]).ends_with(0);
}

#[test]
fn a_result_that_cannot_be_printed_is_no_success() {
    if !need::unix("/dev/full") {
        return;
    }
    let dir = folder();
    noisy(dir.path(), "source", MIB, 42);
    for args in [
        &["create", "--json", "--overwrite", "source", "x.img"][..],
        &["verify", "x.img"],
        &["devices", "--json"],
    ] {
        let mut command = command(dir.path());
        command.args(args).stdout(File::create("/dev/full").unwrap());
        let said = command.output().unwrap();
        let err = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(1), "{args:?} {err}");
        assert!(err.contains("could not be printed"), "{args:?} {err}");
    }
    same(&dir.path().join("source"), &dir.path().join("x.img"));
    // Any other status stays what it is.
    noisy(dir.path(), "x.img", MIB, 44);
    let mut command = command(dir.path());
    command.args(["verify", "--json", "x.img"]).stdout(File::create("/dev/full").unwrap());
    let said = command.output().unwrap();
    assert_eq!(said.status.code(), Some(4), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stderr).contains("could not be printed"), "{said:?}");
}

#[test]
fn the_state_of_a_run_that_is_over_goes() {
    let dir = folder();
    noisy(dir.path(), "source", MIB, 43);
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    // As a power cut between the removal of the map and that of the state leaves it.
    let mut state = b"ectype state 1\n\0".to_vec();
    state.resize(2 * MIB, 0);
    fs::write(dir.path().join("x.img.state"), &state).unwrap();
    ectype(dir.path(), ["create", "--dry-run", "source", "x.img"]).ends_with(1).says("is finished");
    assert!(dir.path().join("x.img.state").exists());
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(1).says("is finished");
    assert_eq!(names(dir.path()), ["source", "x.img", "x.img.ectype.json"]);
    ectype(dir.path(), ["verify", "x.img"]).ends_with(0);
}

/// A folder of which its file system has so much room.
struct SmallTarget(PathBuf);

impl SmallTarget {
    fn mount(dir: &Path, size: &str) -> Option<SmallTarget> {
        if !need::root() || !need::filesystem("tmpfs") {
            return None;
        }
        let target = SmallTarget(dir.join("target"));
        fs::create_dir(&target.0).unwrap();
        target.with(&format!("size={size}"));
        Some(target)
    }

    fn with(&self, options: &str) {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.0).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for SmallTarget {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_target_it_says_what_is_recorded_and_goes_on_from_there() {
    let dir = folder();
    let source = noisy(dir.path(), "source", 40 * MIB, 44);
    let Some(target) = SmallTarget::mount(dir.path(), "20M") else { return };
    let args = ["create", "--json", "--no-space-check", "source", "target/x.img"];
    let json = ectype(dir.path(), args).ends_with(5).json();
    assert_eq!(json["error"]["kind"], "limit");
    assert!(json["error"]["advice"][0].as_str().is_some_and(|advice| advice.contains("make room")), "{json}");
    let held = json["bytes"]["read"].as_u64().unwrap();
    assert!(held > 15 << 20, "{held} bytes of 20 MiB");
    let dry = ["create", "--json", "--dry-run", "--no-space-check", "source", "target/x.img"];
    assert_eq!(ectype(dir.path(), dry).ends_with(0).json()["plan"]["held"], held);
    // Still no room: nothing is lost by trying.
    let json = ectype(dir.path(), args).ends_with(5).json();
    assert_eq!(json["bytes"]["read"], held);
    target.with("remount,size=60M");
    let json = ectype(dir.path(), args).ends_with(0).json();
    assert_eq!(json["resumed"], true);
    same(&source, &dir.path().join("target/x.img"));
    ectype(dir.path(), ["verify", "target/x.img", "source"]).ends_with(0);
}

#[test]
fn a_comparing_run_that_meets_a_full_target_is_gone_on_with() {
    let dir = folder();
    // Mostly zeros, which take no room until the source is written to.
    let source = dir.path().join("source");
    fs::write(&source, [noise(12 * MIB, 46), vec![0; 28 * MIB]].concat()).unwrap();
    let Some(target) = SmallTarget::mount(dir.path(), "20M") else { return };
    let write = |at: usize, len: usize| {
        let file = OpenOptions::new().write(true).open(&source).unwrap();
        file.write_all_at(&noise(len, at as u64 + 47), at as u64).unwrap();
    };
    let args = ["create", "--no-space-check", "source", "target/x.img"];
    write(30 * MIB, 8 * MIB);
    ectype(dir.path(), args).ends_with(5);
    for at in [12, 14, 20] {
        write(at * MIB + 1000, 2 * MIB);
        ectype(dir.path(), args).ends_with(5).says("make room");
    }
    target.with("remount,size=60M");
    ectype(dir.path(), args).ends_with(0);
    same(&source, &dir.path().join("target/x.img"));
}

#[test]
fn a_new_beginning_that_fails_leaves_no_claim_of_the_old_one() {
    let dir = folder();
    noisy(dir.path(), "source", 30 * MIB, 48);
    let other = noisy(dir.path(), "other", 30 * MIB, 49);
    let Some(target) = SmallTarget::mount(dir.path(), "20M") else { return };
    ectype(dir.path(), ["create", "--no-space-check", "source", "target/x.img"]).ends_with(5);
    let args = "create --no-space-check --restart other target/x.img";
    let said = limited(dir.path(), "ulimit -f 1000", args).ends_with(1);
    said.says("File too large");
    target.with("remount,size=60M");
    let json = ectype(dir.path(), ["create", "--json", "other", "target/x.img"]).json();
    if json["status"] != "failed" {
        same(&other, &dir.path().join("target/x.img"));
    }
    ectype(dir.path(), ["create", "--restart", "--overwrite", "other", "target/x.img"]);
    same(&other, &dir.path().join("target/x.img"));
}

#[test]
fn what_packing_may_add_is_not_counted_over_holes() {
    if !need::holes() {
        return;
    }
    let dir = folder();
    let file = File::create(dir.path().join("disk")).unwrap();
    file.set_len(8 << 40).unwrap();
    file.write_all_at(b"bytes", 5 << 40).unwrap();
    let worst = |options: &[&str]| {
        let args = ["create", "--dry-run", "--no-space-check", "--json"];
        let args = args.iter().chain(options).chain(&["disk", "x.qcow2"]).copied();
        let json = ectype(dir.path(), args).ends_with(0).json();
        json["plan"]["worst_case"].as_u64().unwrap()
    };
    let plain = worst(&[]);
    for compress in ["zlib", "zstd"] {
        let packed = worst(&["--compress", compress]);
        assert!((plain..plain + (1 << 20)).contains(&packed), "{compress}: {packed}, plain {plain}");
    }
}
