//! Standard output as the image: nothing but its bytes go there, and what cannot be sent says why.

use crate::run::*;
use ectype_testkit::FileAt as _;
use ectype_testkit::need::{self, BadDisk, BadDiskOptions, LoopDevice};
use ectype_testkit::system::signal_of;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the binary with a pipe as its standard output: what came out of that, and the rest of what it said.
#[track_caller]
fn sent<A: AsRef<std::ffi::OsStr>>(dir: &Path, args: impl IntoIterator<Item = A>) -> (Vec<u8>, Said) {
    let output = command(dir).args(args).stdin(Stdio::null()).output().unwrap();
    let said = Said {
        code: output.status.code(),
        signal: signal_of(output.status),
        out: String::new(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    (output.stdout, said)
}

/// What a line of a shell prints; `$E` is the binary.
#[track_caller]
fn shell(dir: &Path, line: &str) -> String {
    let mut command = Command::new("bash");
    command.current_dir(dir).env("E", env!("CARGO_BIN_EXE_ectype"));
    let output = command.args(["-c", &format!("set -o pipefail; {line}")]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The last line of standard error, which is the result.
#[track_caller]
fn result(said: &Said) -> Value {
    let last = said.err.lines().next_back().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {said:#?}"))
}

/// Noise, a hole, a little in the middle of the next, and an odd end.
fn holey(dir: &Path, name: &str) -> Vec<u8> {
    let path = noisy(dir, name, MIB + 700, 71);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(7 * MIB as u64 + 13).unwrap();
    file.write_all_at(b"here", 5 * MIB as u64 - 2).unwrap();
    fs::read(path).unwrap()
}

#[test]
fn what_is_sent_is_the_source_and_nothing_else() {
    let dir = folder();
    let content = holey(dir.path(), "source");
    fs::write(dir.path().join("empty"), b"").unwrap();
    for options in [&[][..], &["-v"], &["-q"], &["--json"], &["--progress", "json"], &["-f", "iso"]] {
        let (bytes, said) = sent(dir.path(), ["create"].iter().chain(options).chain(&["source", "-"]));
        let said = said.ends_with(0);
        assert!(bytes == content, "{options:?}: {} bytes, {said:#?}", bytes.len());
        assert_eq!(said.err.is_empty(), options == ["-q"], "{said:#?}");
    }
    let (bytes, said) = sent(dir.path(), ["create", "--hash", "sha256,md5", "source", "-"]);
    assert!(bytes == content);
    let said = said.ends_with(0).says("→ standard output").says("raw to standard output").says("whole");
    if !need::tool("sha256sum") {
        return;
    }
    let sum = tool("sha256sum", [dir.path().join("source")]);
    let said = said.says(&sum[..64]);
    said.says(&tool("md5sum", [dir.path().join("source")])[..32]);
    let (bytes, said) = sent(dir.path(), ["create", "empty", "-"]);
    said.ends_with(0);
    assert!(bytes.is_empty());
    assert_eq!(names(dir.path()), ["empty", "source"]);
    // A file of that name is meant by its path.
    let (bytes, said) = sent(dir.path(), ["create", "-f", "raw", "source", "./-"]);
    said.ends_with(0);
    assert!(!bytes.is_empty() && bytes != content);
    same(&dir.path().join("source"), &dir.path().join("-"));
}

#[test]
fn in_a_pipeline_others_take_it() {
    if !need::tools(&["zstd", "bash", "jq"]) {
        return;
    }
    let dir = folder();
    holey(dir.path(), "source");
    let sum = shell(dir.path(), "sha256sum < source");
    for line in [
        "$E create source - 2>/dev/null | cmp - source",
        "$E create --format zst source - 2>/dev/null | zstd -dc | cmp - source",
        "$E create -q --format zst source - > x.zst && zstd -tq x.zst && $E verify -q x.zst source",
        // Sent or kept, it is the same image.
        "$E create -q source kept.zst && cmp x.zst kept.zst",
        "$E create -q source y.vhdx && $E convert y.vhdx - 2>/dev/null | head -c 7340045 | cmp - source",
        "$E convert x.zst - 2>/dev/null | cmp - source",
        "$E convert x.zst -q --format zst - | $E info /dev/stdin >/dev/null 2>&1 || true",
        // A file that grows is a place like any other.
        "printf before > log && $E create -q source - >> log && tail -c +7 log | cmp - source",
    ] {
        shell(dir.path(), line);
    }
    assert_eq!(shell(dir.path(), "$E create source - 2>/dev/null | sha256sum"), sum);
    let line = "$E create --json --hash sha256 source - 2>&1 >/dev/null | tail -n 1 | jq -r .digests.sha256";
    assert_eq!(shell(dir.path(), line).trim(), sum.split(' ').next().unwrap());
}

#[test]
fn a_disk_goes_raw_unless_told_otherwise() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    let file = noisy(dir.path(), "disk", 3 * MIB, 72);
    let disk = LoopDevice::attach(&file, &[]).unwrap();
    let (bytes, said) = sent(dir.path(), args!["create", "--json", disk.path(), "-"]);
    let said = said.ends_with(0);
    assert!(bytes == fs::read(&file).unwrap());
    let value = result(&said);
    assert_eq!(value["image"]["format"], "raw");
    assert_eq!(value["image"]["size"], 3 * MIB);
    assert!(value["plan"]["why"].to_string().contains("raw to standard output"), "{value}");
    // Nobody's disk is written to by a slip of the shell.
    let target = LoopDevice::attach(&noisy(dir.path(), "other", 3 * MIB, 73), &[]).unwrap();
    for out in [&disk, &target] {
        let mut command = command(dir.path());
        command.args(args!["create", disk.path(), "-"]).stdin(Stdio::null());
        let said = command.stdout(File::options().write(true).open(out.path()).unwrap()).output().unwrap();
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert!(String::from_utf8_lossy(&said.stderr).contains("ectype restore"), "{said:?}");
    }
    assert!(fs::read(&file).unwrap() == bytes);
    assert_eq!(fs::read(dir.path().join("other")).unwrap(), noise(3 * MIB, 73));
}

#[test]
fn on_standard_error_the_result_is_the_last_line() {
    let dir = folder();
    holey(dir.path(), "source");
    let (_, said) = sent(dir.path(), ["create", "--json", "source", "-"]);
    let value = result(&said.ends_with(0));
    assert_eq!(value["status"], "whole");
    assert_eq!((&value["image"]["path"], &value["image"]["files"]), (&"-".into(), &Value::Array(Vec::new())));
    assert_eq!((&value["map"], &value["record"]), (&Value::Null, &Value::Null));
    assert_eq!(value["image"]["size"], 7 * MIB + 13);
    let (_, said) = sent(dir.path(), ["create", "--json", "--progress", "json", "source", "-"]);
    let said = said.ends_with(0);
    let events = said.events();
    let (last, before) = events.split_last().unwrap();
    assert_eq!((&last["status"], &last["event"]), (&"whole".into(), &Value::Null));
    assert_eq!(before.iter().filter(|event| event["event"] == "done").count(), 1, "{said:#?}");
    assert_eq!(before[0]["event"], "plan");
    assert!(before.iter().all(|event| event["event"].is_string()), "{said:#?}");
    // Without the result every line is an event: words have no place there.
    let (_, said) = sent(dir.path(), ["create", "--progress", "json", "source", "-"]);
    assert!(said.events().iter().all(|event| event["event"].is_string()));
    let mut dry = vec!["create", "--dry-run", "--json", "source", "-"];
    let (bytes, said) = sent(dir.path(), dry.clone());
    assert_eq!((bytes.len(), result(&said.ends_with(0))["status"].clone()), (0, "planned".into()));
    dry.retain(|arg| *arg != "--json");
    let (bytes, said) = sent(dir.path(), dry);
    assert!(bytes.is_empty());
    said.ends_with(0).says("sends at most 7.0 MiB");
    // What fails has no place in the image either: usage, a name from a later version, a source that is not there.
    for (args, code) in [
        (&["create", "--json", "--bogus", "source", "-"][..], 2),
        (&["create", "--json", "--preallocate", "source", "-"], 1),
        (&["create", "--json", "--verify", "source", "-"], 1),
        (&["create", "--json", "nothing", "-"], 1),
        (&["convert", "--json", "nothing", "-"], 1),
    ] {
        let (bytes, said) = sent(dir.path(), args);
        assert!(bytes.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&bytes));
        assert_eq!(result(&said.ends_with(code))["status"], "failed", "{args:?}");
    }
}

#[test]
fn what_means_nothing_for_a_stream_is_refused_by_name() {
    let dir = folder();
    holey(dir.path(), "source");
    fs::write(dir.path().join("m"), "0 ? 1\n0 512 +\n").unwrap();
    let before = contents(dir.path());
    for options in [
        &["--verify"][..],
        &["--map", "m"],
        &["--trust-map"],
        &["--restart"],
        &["--overwrite"],
        &["--base", "source"],
        &["--through", "x.img"],
        &["--domain", "m"],
        &["--offset", "1M"],
        &["--size", "1M"],
        &["--reverse"],
        &["--retries", "1"],
        &["--no-scrape"],
        &["--max-errors", "3"],
        &["--format", "vhd"],
        &["--format", "vhdx"],
        &["--format", "qcow2"],
        &["--format", "vmdk"],
        &["--compress", "zstd"],
        &["--preallocate"],
        &["--eject"],
    ] {
        let (bytes, said) = sent(dir.path(), ["create"].iter().chain(options).chain(&["source", "-"]));
        assert!(bytes.is_empty(), "{options:?}");
        let name = options[0].trim_start_matches("--").to_owned();
        let named = if name == "format" { options[1].to_owned() } else { name };
        let said = said.ends_with(1).says(&named);
        if options[0] == "--format" {
            said.says("formats that can: zst, iso, raw");
        }
    }
    for options in [&["--verify"][..], &["--overwrite"], &["--format", "qcow2"]] {
        let (bytes, said) = sent(dir.path(), ["convert"].iter().chain(options).chain(&["source", "-"]));
        said.ends_with(1).says("standard output");
        assert!(bytes.is_empty(), "{options:?}");
    }
    let (bytes, said) = sent(dir.path(), ["create", "--through", "-", "source", "x.zst"]);
    said.ends_with(1).says("--through");
    assert!(bytes.is_empty());
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn neither_a_terminal_nor_the_source_takes_it() {
    let dir = folder();
    let content = holey(dir.path(), "source");
    let out = File::options().append(true).open(dir.path().join("source")).unwrap();
    let mut itself = command(dir.path());
    let said = itself.args(["create", "source", "-"]).stdin(Stdio::null()).stdout(out).output().unwrap();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stderr).contains("source itself"), "{said:?}");
    assert!(fs::read(dir.path().join("source")).unwrap() == content);
    if !need::tool("script") {
        return;
    }
    let line = format!("{} create source -", env!("CARGO_BIN_EXE_ectype"));
    let mut terminal = need::command("script");
    terminal.current_dir(dir.path()).stdin(Stdio::null()).args(["-qec", &line, "/dev/null"]);
    let said = terminal.output().unwrap();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let shown = String::from_utf8_lossy(&said.stdout);
    assert!(shown.contains("terminal") && shown.len() < 2000, "{shown}");
}

#[test]
fn damage_ends_it_and_the_two_steps_that_are_named_work() {
    if !need::bad_disk() {
        return;
    }
    let dir = folder();
    let file = noisy(dir.path(), "disk", 6 * MIB, 74);
    let content = fs::read(&file).unwrap();
    let sick = BadDisk::attach(&file, &[7000], &BadDiskOptions::default()).unwrap();
    for format in ["raw", "zst"] {
        let (bytes, said) = sent(dir.path(), args!["create", "--json", "--format", format, sick.path(), "-"]);
        let said = said.ends_with(5).says("ectype convert").says("written in order");
        let value = result(&said);
        assert_eq!((&value["status"], &value["rereads"]), (&"stopped".into(), &false.into()));
        assert_eq!(value["image"]["size"], bytes.len());
        assert!(!said.err.contains("goes on with it"), "{said:#?}");
        // What came is right as far as it goes.
        assert_eq!(value["bytes"]["read"], 3 * MIB, "{value}");
        if format == "raw" {
            assert!(bytes.len() == 3 * MIB && content.starts_with(&bytes), "{}", bytes.len());
        }
        let advice = value["error"]["advice"].as_array().unwrap();
        let named = |index: usize| {
            let words = advice[index].as_str().unwrap().split_once("ectype ").unwrap().1;
            words.split(' ').map(str::to_owned).collect::<Vec<_>>()
        };
        if format == "raw" {
            ectype(dir.path(), named(0)).ends_with(3);
        }
        let (bytes, said) = sent(dir.path(), named(1));
        said.ends_with(3).says("could not be read");
        let mut expected = content.clone();
        expected[7000 * 512..7001 * 512].fill(0);
        match format {
            "raw" => assert!(bytes == expected),
            _ => {
                fs::write(dir.path().join("x.zst"), bytes).unwrap();
                assert!(tool("zstd", args!["-dc", dir.path().join("x.zst")]).len() > 6 * MIB);
            }
        }
    }
    let (bytes, said) = sent(dir.path(), args!["create", sick.path(), "-"]);
    said.ends_with(5).says("broken off: 3.0 MiB were sent");
    assert_eq!(bytes.len(), 3 * MIB);
    // A run through another image is one run.
    let args = args!["create", "--progress", "json", "--through", "via.img", sick.path(), "y.zst"];
    let said = ectype(dir.path(), args).ends_with(3);
    assert_eq!(said.events().iter().filter(|event| event["event"] == "done").count(), 1, "{said:#?}");
}

#[test]
fn a_reader_that_leaves_ends_it_in_order() {
    let dir = folder();
    noisy(dir.path(), "source", 8 * MIB, 75);
    for (format, json) in [("raw", false), ("zst", false), ("raw", true)] {
        let mut command = command(dir.path());
        command.args(["create", "--format", format, "source", "-"]);
        if json {
            command.arg("--json");
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 100]).unwrap();
        drop(out);
        let ended = child.wait_with_output().unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), signal_of(ended.status)), (Some(5), None), "{err}");
        assert_eq!(err.matches("error: ").count(), 1, "{err}");
        assert!(err.contains("left after") && !err.contains("panicked"), "{err}");
        if json {
            let value: Value = serde_json::from_str(err.lines().next_back().unwrap()).unwrap();
            assert_eq!((&value["status"], &value["error"]["kind"]), (&"stopped".into(), &"io".into()));
        }
    }
    assert_eq!(names(dir.path()), ["source"]);
}

#[test]
fn a_full_disk_behind_it_is_told() {
    if !need::unix("/dev/full") {
        return;
    }
    let dir = folder();
    noisy(dir.path(), "source", 8 * MIB, 76);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let said = command(dir.path()).args(["create", "source", "-"]).stdout(full).output().unwrap();
    assert_eq!(said.status.code(), Some(5), "{said:?}");
    let err = String::from_utf8(said.stderr).unwrap();
    assert!(err.contains("No space left") && err.contains("0 bytes were sent"), "{err}");
}

#[test]
fn an_interrupt_waits_for_no_reader() {
    if !need::unix("signals") {
        return;
    }
    let dir = folder();
    noisy(dir.path(), "source", 64 * MIB, 77);
    for format in ["raw", "zst"] {
        let mut command = command(dir.path());
        command.args(["create", "--json", "--progress", "json", "--format", format, "source", "-"]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        // It is at work; then nobody reads on.
        out.read_exact(&mut [0; 100]).unwrap();
        tool("kill", ["-s", "INT", &child.id().to_string()]);
        let ended = child.wait_with_output().unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(130), "{err}");
        let value: Value = serde_json::from_str(err.lines().next_back().unwrap()).unwrap();
        assert_eq!((&value["status"], &value["error"]["kind"]), (&"stopped".into(), &"cancelled".into()));
        drop(out);
    }
}

#[test]
fn a_source_that_changes_meanwhile_is_noticed() {
    let dir = folder();
    let source = noisy(dir.path(), "source", 64 * MIB, 78);
    let mut command = command(dir.path());
    command.args(["create", "--json", "source", "-"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 100]).unwrap();
    File::options().write(true).open(&source).unwrap().write_all_at(b"new", 60 * MIB as u64).unwrap();
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(5), "{err}");
    let value: Value = serde_json::from_str(err.lines().next_back().unwrap()).unwrap();
    assert_eq!(value["error"]["kind"], "changed", "{value}");
    assert!(!value["error"]["advice"].to_string().contains("--restart"), "{value}");
}

#[test]
fn gigabytes_of_holes_take_little_memory() {
    if !need::tool("bash") {
        return;
    }
    let dir = folder();
    let file = File::create(dir.path().join("source")).unwrap();
    file.set_len(4 << 30).unwrap();
    file.write_all_at(b"end", (4 << 30) - 3).unwrap();
    // Data segments and stacks of threads: a queue that grew with the source would not fit.
    let line = "(ulimit -v 400000; exec $E create -q source -) | tail -c 3";
    assert_eq!(shell(dir.path(), line), "end");
    let line = "(ulimit -v 400000; exec $E create -q --format zst source -) | wc -c";
    assert!(shell(dir.path(), line).trim().parse::<u64>().unwrap() < MIB as u64);
}

#[test]
fn the_time_that_was_given_is_over_also_where_nobody_reads() {
    let dir = folder();
    noisy(dir.path(), "source", 64 * MIB, 79);
    let mut command = command(dir.path());
    command.args(["create", "--json", "--max-time", "1", "source", "-"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let ended = child.wait_with_output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(5), "{err}");
    let value: Value = serde_json::from_str(err.lines().next_back().unwrap()).unwrap();
    assert_eq!((&value["status"], &value["error"]["kind"]), (&"stopped".into(), &"limit".into()));
    drop(out);
}

/// What is sent is not read back: that is no restore, and no file of that name by accident.
#[test]
fn nothing_is_restored_to_standard_output() {
    let dir = folder();
    holey(dir.path(), "source");
    let before = contents(dir.path());
    for options in [&[][..], &["--yes"], &["--dry-run"]] {
        let args = ["restore"].iter().chain(options).chain(&["source", "-"]);
        ectype(dir.path(), args).ends_with(1).says("ectype convert source -").says("./-");
    }
    assert_eq!(contents(dir.path()), before);
    ectype(dir.path(), ["restore", "source", "./-"]).ends_with(0);
    same(&dir.path().join("source"), &dir.path().join("-"));
}
