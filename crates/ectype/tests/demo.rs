//! `ectype demo`, run as a user runs it, and its sample disc before other tools.

use ectype_testkit::need;
use ectype_testkit::need::{LoopDevice, Mounted};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The demonstration, with its folder in `home`.
fn demo(home: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ectype"))
        .arg("demo")
        .args(options)
        .env("TMPDIR", home)
        .env("TMP", home)
        .output()
        .expect("ectype runs")
}

/// The kept folder of a demonstration, and what it told.
fn kept(home: &Path) -> (PathBuf, Value) {
    let output = demo(home, &["--json", "--keep"]);
    assert!(output.status.success(), "{output:?}");
    let value: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    (PathBuf::from(value["folder"].as_str().expect("the folder was kept")), value)
}

/// What a tool says.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("the tool runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn the_demonstration_tells_its_story_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let output = demo(home.path(), &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = &text[..];
    for part in [
        "$ ectype create",
        "\"SCRATCHED_DISC\"",
        "complete but for 37 sectors (74.0 KiB)",
        "$ ectype map copy.iso.map",
        "!",
        "bad ",
        "goes on with an unfinished image",
        "24.0 MiB, whole",
        "$ ectype verify copy.iso",
        "as recorded, whole",
    ] {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is missing, or too early, in:\n{text}"));
        rest = &rest[at + part.len()..];
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "the folder is removed");
}

#[test]
fn as_json_it_is_one_object_and_the_image_is_the_disc() {
    let home = tempfile::tempdir().unwrap();
    let (folder, value) = kept(home.path());
    assert_eq!(value["schema"], 1);
    let steps = value["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["disc", "create", "map", "resume", "verify", "proof"]);
    assert_eq!(steps[1]["result"]["status"], "incomplete");
    assert_eq!(steps[1]["result"]["source"]["sector_size"], 2048);
    assert_eq!(steps[2]["result"]["facts"]["bytes"]["bad"], 37 * 2048);
    assert_eq!(steps[3]["result"]["status"], "whole");
    assert_eq!(steps[3]["result"]["resumed"], true);
    assert_eq!(steps[4]["result"]["equal"], true);
    assert_eq!(steps[5]["equal"], true);
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert!(read("disc.iso") == read("copy.iso"));
    let mut left: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["copy.iso", "copy.iso.ectype.json", "copy.iso.sha256", "disc.iso"]);
    if need::tool("sha256sum") {
        said(need::command("sha256sum").args(["-c", "copy.iso.sha256"]).current_dir(&folder));
    }
}

#[test]
fn other_tools_take_the_sample_disc_for_a_disc() {
    let home = tempfile::tempdir().unwrap();
    let (folder, _) = kept(home.path());
    let disc = folder.join("disc.iso");
    if need::tool("isoinfo") {
        let list = said(need::command("isoinfo").arg("-l").arg("-i").arg(&disc));
        for name in ["LETTER.TXT;1", "README.TXT;1", "/PHOTOS/", "PHOTO_01.RAW;1", "PHOTO_08.RAW;1"] {
            assert!(list.contains(name), "{name} is missing in:\n{list}");
        }
        let letter = said(need::command("isoinfo").args(["-x", "/LETTER.TXT;1", "-i"]).arg(&disc));
        assert!(letter.starts_with("Dear reader,"), "{letter}");
        let facts = said(need::command("isoinfo").arg("-d").arg("-i").arg(&disc));
        assert!(facts.contains("Volume size is: 12288"), "{facts}");
    }
    if need::tool("blkid") {
        let facts = said(need::command("blkid").args(["-p", "-o", "export"]).arg(&disc));
        assert!(facts.contains("TYPE=iso9660") && facts.contains("LABEL=SCRATCHED_DISC"), "{facts}");
    }
}

#[test]
fn the_kernel_mounts_the_sample_disc() {
    if !need::loop_devices() || !need::filesystem("iso9660") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (folder, _) = kept(home.path());
    let device = LoopDevice::attach(&folder.join("disc.iso"), &["-r"]).unwrap();
    let target = home.path().join("mnt");
    let _mounted = Mounted::mount(device.path(), &target, &["-t", "iso9660", "-o", "ro"]).unwrap();
    let photo = std::fs::read(target.join("photos/photo_08.raw")).unwrap();
    let disc = std::fs::read(folder.join("disc.iso")).unwrap();
    assert!(disc.ends_with(&photo) && photo.len() == 1533 * 2048);
}

#[test]
fn the_guide_tells_how_to_prove_the_image_without_us() {
    if !need::tools(&["python3", "b3sum"]) {
        return;
    }
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/proof.md");
    let guide = std::fs::read_to_string(guide).unwrap().replace("\r\n", "\n");
    let recipe = guide.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let home = tempfile::tempdir().unwrap();
    let (folder, _) = kept(home.path());
    let prove = || said(need::command("python3").args(["-c", recipe, "copy.iso"]).current_dir(&folder));
    assert_eq!(prove(), "nodes: equal\nroot:  equal\n");
    let mut image = std::fs::read(folder.join("copy.iso")).unwrap();
    image[5_000_000] ^= 1;
    std::fs::write(folder.join("copy.iso"), image).unwrap();
    assert_eq!(prove(), "nodes: DIFFER\nroot:  DIFFERS\n");
}
