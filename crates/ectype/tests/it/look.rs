//! What is only looked at: info, devices, help, completions, man pages, and the advice to those without the right.

use crate::hostile::as_nobody;
use crate::run::*;
use ectype_testkit::need::{self, LoopDevice};
use ectype_testkit::system::set_mode;
use std::fs;

#[test]
fn alone_it_lists_what_is_here() {
    let dir = folder();
    let said = ectype::<&str>(dir.path(), []).ends_with(0);
    assert!(!said.out.is_empty(), "{said:#?}");
    let json = ectype(dir.path(), ["--json"]).ends_with(0).json();
    assert!(json["devices"].is_array());
}

#[test]
fn info_tells_of_images_with_and_without_a_record_and_of_maps() {
    let dir = folder();
    noisy(dir.path(), "source", MIB, 90);
    ectype(dir.path(), ["create", "--map", "kept.map", "--hash", "sha256", "source", "x.img"]).ends_with(0);
    let json = ectype(dir.path(), ["info", "--json", "x.img"]).ends_with(0).json();
    for key in [
        "format",
        "subformat",
        "size",
        "virtual_size",
        "sector_size",
        "parent",
        "partitions",
        "tracks",
        "facts",
    ] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert_eq!(json["format"], "raw");
    assert_eq!(json["virtual_size"], MIB);
    assert_eq!(json["facts"]["record"]["status"], "whole");
    ectype(dir.path(), ["info", "x.img"]).ends_with(0).says("sha256").says("whole");
    ectype(dir.path(), ["info", "source"]).ends_with(0).says("no record");
    ectype(dir.path(), ["info", "kept.map"]).ends_with(0).says("finished").says("1.0 MiB");
    let json = ectype(dir.path(), ["info", "--json", "kept.map"]).ends_with(0).json();
    assert_eq!(json["format"], "mapfile");
    assert_eq!(json["virtual_size"], MIB);
    assert_eq!(json["facts"]["bytes"]["finished"], MIB);
    fs::write(dir.path().join("bad.map"), "nonsense").unwrap();
    ectype(dir.path(), ["info", "bad.map"]).ends_with(1);
    ectype(dir.path(), ["info", "nowhere"]).ends_with(1).says("nowhere");
    ectype(dir.path(), ["info", "."]).ends_with(1);
}

#[test]
fn help_fits_and_begins_with_examples() {
    let dir = folder();
    let help = ectype(dir.path(), ["--help"]).ends_with(0).out;
    assert!(help.contains("Examples:") && help.lines().count() <= 45, "{help}");
    for verb in ["create", "verify", "devices", "info", "map"] {
        assert!(help.contains(verb));
        ectype(dir.path(), [verb, "--help"]).ends_with(0);
    }
    assert!(ectype(dir.path(), ["--version"]).ends_with(0).out.starts_with("ectype "));
}

#[test]
fn completions_and_man_pages_are_made() {
    let dir = folder();
    for shell in ["bash", "zsh", "fish"] {
        let script = ectype(dir.path(), ["completions", shell]).ends_with(0).out;
        assert!(script.contains("create") && script.contains("overwrite"), "{shell}");
        if shell == "bash" && need::tool("bash") {
            fs::write(dir.path().join("script"), &script).unwrap();
            tool("bash", args!["-n", dir.path().join("script")]);
        }
    }
    let folder = dir.path().join("man pages");
    ectype(dir.path(), args!["man", folder]).ends_with(1).says("man pages");
    fs::create_dir(&folder).unwrap();
    ectype(dir.path(), args!["man", folder]).ends_with(0);
    assert!(
        folder.join("ectype.1").is_file() && folder.join("ectype-create.1").is_file(),
        "{:?}",
        names(&folder)
    );
    if need::tool("man") {
        for page in names(&folder) {
            let path = folder.join(page);
            let shown = need::command("man")
                .arg("-l")
                .arg(&path)
                .env("MANPAGER", "cat")
                .env("MANWIDTH", "80")
                .output()
                .unwrap();
            // A container may have the man pages' program diverted, with no renderer behind it.
            let shown_text = String::from_utf8_lossy(&shown.stdout).into_owned();
            if shown_text.contains("unminimize") {
                break;
            }
            assert!(shown.status.success() && shown_text.to_uppercase().contains("ECTYPE"), "{shown:?}");
        }
    }
}

#[test]
fn without_the_right_the_exact_command_that_has_it_is_told() {
    if !need::loop_devices() {
        return;
    }
    let dir = folder();
    set_mode(dir.path(), 0o777).unwrap();
    let disk = noisy(dir.path(), "disk", MIB, 91);
    let device = LoopDevice::attach(&disk, &[]).unwrap();
    let name = device.path().to_str().unwrap();
    let Some(said) = as_nobody(dir.path(), &["create", "--hash", "sha1", name, "my disk.img"]) else {
        return;
    };
    said.ends_with(1).says(&format!("sudo ectype create --hash sha1 {name} 'my disk.img'"));
    let secret = noisy(dir.path(), "secret", MIB, 92);
    set_mode(&secret, 0o600).unwrap();
    let said = as_nobody(dir.path(), &["create", "secret", "x.img"]).unwrap();
    said.ends_with(1).says("sudo ectype create secret x.img");
    as_nobody(dir.path(), &["devices", "--json"]).unwrap().ends_with(0).json();
    assert_eq!(names(dir.path()), ["disk", "secret"]);
}

#[test]
fn an_unfinished_image_says_how_much_of_it_is_held() {
    let dir = folder();
    noisy(dir.path(), "disk", 3 * MIB, 9);
    let said = ectype(dir.path(), ["create", "--size", "1M", "disk", "part.img"]).ends_with(5);
    // The same command has nothing left to do: it is not offered.
    assert!(!said.out.contains("the same command goes on"), "{said:#?}");
    said.says("without --domain, --offset and --size");
    ectype(dir.path(), ["info", "part.img"]).ends_with(0).says("unfinished: 1.0 MiB of 3.0 MiB are held");
    let json = ectype(dir.path(), ["info", "--json", "part.img"]).ends_with(0).json();
    assert_eq!(json["facts"]["unfinished"]["held"], MIB);
    ectype(dir.path(), ["create", "disk", "part.img"]).ends_with(0);
    let json = ectype(dir.path(), ["info", "--json", "part.img"]).ends_with(0).json();
    assert!(json["facts"]["unfinished"].is_null());
}
