//! Names, links and bystanders that a careless program would trip over.

use crate::run::*;
use ectype_core::os::disk::TAKES_FILES_AWAY;
use ectype_testkit::need;
use ectype_testkit::system::{set_mode, symlink};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

#[test]
fn any_name_that_the_system_takes_is_taken() {
    if !need::unix("names of any bytes") {
        return;
    }
    let dir = folder();
    let source = noisy(dir.path(), "source", MIB, 20);
    for name in [
        &b"with space.img"[..],
        b"line\nbreak.img",
        b"not\xff\xfeutf8.img",
        b"-dash.img",
        b"back\\slash.img",
        b"\x1b[2J.img",
    ] {
        let name = raw_name(name);
        for more in ["--json", "--progress=json", "-v"] {
            ectype(
                dir.path(),
                args!["create", "--overwrite", more, "--hash", "sha256", "--", "source", name],
            )
            .ends_with(0);
        }
        same(&source, &dir.path().join(name));
        ectype(dir.path(), args!["verify", "--json", "--", name, "source"]).ends_with(0);
        ectype(dir.path(), args!["verify", "--", name]).ends_with(0);
        ectype(dir.path(), args!["info", "--json", "--", name]).ends_with(0);
        let mut list = OsString::from("./");
        list.push(name);
        list.push(".sha256");
        let checked = std::process::Command::new("sha256sum")
            .arg("-c")
            .arg(&list)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(checked.status.success(), "{checked:?}");
        let said = ectype(dir.path(), args!["create", "--", "source", name]).ends_with(1);
        assert!(!said.err.contains('\x1b'), "{said:#?}");
    }
    // As a source too.
    let odd = dir.path().join(raw_name(b"odd\xff\n\x1b[2Jsource"));
    fs::rename(&source, &odd).unwrap();
    let said = ectype(dir.path(), args!["create", odd, "from-odd.img"]).ends_with(0);
    assert!(!said.out.contains('\x1b'), "{said:#?}");
    ectype(dir.path(), args!["create", "--json", "--overwrite", odd, "from-odd.img"]).ends_with(0).json();
}

#[test]
fn paths_may_be_relative_to_anywhere() {
    let dir = folder();
    noisy(dir.path(), "source", MIB, 21);
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    let here = dir.path().join("a");
    ectype(&here, ["create", "../source", "x.img"]).ends_with(0);
    ectype(&here, ["create", "../source", "b/../b/y.img"]).ends_with(0);
    ectype(&here, ["verify", "x.img", "b/y.img"]).ends_with(0);
    ectype(&here, ["create", "../source", "c/z.img"]).ends_with(1).says("mkdir");
    ectype(&here, ["create", "../source", "b"]).ends_with(1).says("folder");
    ectype(&here, ["create", "../source", "b/"]).ends_with(1).says("folder");
}

#[test]
fn the_source_itself_is_no_target_under_any_name() {
    if !need::unix("symbolic links") {
        return;
    }
    let dir = folder();
    noisy(dir.path(), "source.img", MIB, 22);
    symlink("source.img", dir.path().join("link.img")).unwrap();
    fs::hard_link(dir.path().join("source.img"), dir.path().join("hard.img")).unwrap();
    let before = contents(dir.path());
    for image in ["source.img", "./source.img", "link.img", "hard.img"] {
        for more in [&[][..], &["--overwrite"], &["--restart"], &["--overwrite", "--restart"]] {
            let command = ["create", "source.img", image].into_iter().chain(more.iter().copied());
            ectype(dir.path(), command).ends_with(1).says("the source itself");
            assert_eq!(contents(dir.path()), before, "{image} {more:?}");
        }
    }
    // Nor is its map.
    for map in ["source.img", "link.img", "hard.img"] {
        ectype(dir.path(), ["create", "--restart", "--map", map, "source.img", "new.img"]).ends_with(1);
        ectype(dir.path(), ["create", "--overwrite", "--map", map, "source.img", "new.img"]).ends_with(1);
        ectype(dir.path(), ["create", "--map", map, "source.img", "new.img"]).ends_with(1);
        assert_eq!(contents(dir.path()), before, "{map}");
    }
}

#[test]
fn bystanders_with_the_names_of_companions_are_kept() {
    let bystander = b"the state of my affairs";
    for suffix in [".state", ".map", ".sha256", ".ectype.json"] {
        for more in [&[][..], &["--overwrite"]] {
            let dir = folder();
            noisy(dir.path(), "source", MIB, 23);
            fs::write(dir.path().join(format!("x.img{suffix}")), bystander).unwrap();
            let before = contents(dir.path());
            let command = ["create", "source", "x.img"].into_iter().chain(more.iter().copied());
            ectype(dir.path(), command).ends_with(1).says(suffix);
            assert_eq!(contents(dir.path()), before, "{suffix} {more:?}");
        }
    }
    // An empty map claims nothing, least of all the image of somebody else.
    let dir = folder();
    noisy(dir.path(), "source", MIB, 23);
    noisy(dir.path(), "x.img", 1000, 24);
    fs::write(dir.path().join("x.img.map"), "").unwrap();
    let before = contents(dir.path());
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(1);
    assert_eq!(contents(dir.path()), before);
    let dir = folder();
    noisy(dir.path(), "source", MIB, 23);
    fs::write(dir.path().join("notes.txt"), bystander).unwrap();
    let before = contents(dir.path());
    for more in ["--restart", "--overwrite", "-v"] {
        ectype(dir.path(), ["create", more, "--map", "notes.txt", "source", "x.img"])
            .ends_with(1)
            .says("notes.txt");
        assert_eq!(contents(dir.path()), before, "{more}");
    }
    for map in ["x.img", "./x.img", "x.img.state", "x.img.ectype.json", "x.img.sha256"] {
        ectype(dir.path(), ["create", "--map", map, "source", "x.img"]).ends_with(1);
        assert_eq!(contents(dir.path()), before, "{map}");
    }
}

#[test]
fn links_at_the_names_of_image_and_companions_send_nothing_elsewhere() {
    if !need::unix("symbolic links") {
        return;
    }
    for suffix in
        ["", ".map", ".state", ".ectype.json", ".sha256", ".map.ectype-new", ".ectype.json.ectype-new"]
    {
        for more in [&[][..], &["--overwrite"], &["--restart"]] {
            let (dir, elsewhere) = (folder(), folder());
            noisy(dir.path(), "source", MIB, 24);
            fs::write(elsewhere.path().join("victim"), b"precious").unwrap();
            let before = contents(elsewhere.path());
            for target in ["victim", "not-there"] {
                let link = dir.path().join(format!("x.img{suffix}"));
                let _ = fs::remove_file(&link);
                symlink(elsewhere.path().join(target), &link).unwrap();
                let command = ["create", "--hash", "sha256", "source", "x.img"].into_iter();
                let said = ectype(dir.path(), command.chain(more.iter().copied()));
                assert_eq!(contents(elsewhere.path()), before, "{suffix} {more:?} {target} {said:#?}");
                if said.code == Some(0) {
                    same(&dir.path().join("source"), &dir.path().join("x.img"));
                    ectype(dir.path(), ["verify", "x.img"]).ends_with(0);
                } else {
                    assert_eq!(said.code, Some(1), "{said:#?}");
                }
                for name in names(dir.path()) {
                    if name != "source" {
                        fs::remove_file(dir.path().join(name)).unwrap();
                    }
                }
            }
        }
    }
}

#[test]
fn a_record_that_cannot_be_written_leaves_a_run_that_can_go_on() {
    let dir = folder();
    let source = noisy(dir.path(), "source", MIB, 26);
    fs::create_dir(dir.path().join("x.img.ectype.json")).unwrap();
    let said = ectype(dir.path(), ["create", "source", "x.img"]);
    assert!(matches!(said.code, Some(1 | 5)), "{said:#?}");
    fs::remove_dir(dir.path().join("x.img.ectype.json")).unwrap();
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    same(&source, &dir.path().join("x.img"));
    ectype(dir.path(), ["verify", "x.img"]).ends_with(0);
}

#[test]
fn later_verbs_and_options_are_refused_by_name() {
    let dir = folder();
    for verb in ["clone", "list", "extract", "mount", "serve", "backup", "check"] {
        ectype(dir.path(), [verb, "a", "b"])
            .ends_with(1)
            .says(&format!("ectype {verb}"))
            .says("not in this version");
    }
    for option in ["--blocks=used", "--unmount", "--preallocate", "--eject"] {
        let name = option.split('=').next().unwrap();
        // Windows has this one, and snapshots.
        if name == "--unmount" && TAKES_FILES_AWAY {
            continue;
        }
        ectype(dir.path(), ["create", option, "a", "b.img"])
            .ends_with(1)
            .says(name)
            .says("not in this version");
    }
    let later = if TAKES_FILES_AWAY { &["live"][..] } else { &["snapshot", "live"] };
    for how in later {
        ectype(dir.path(), ["create", "--consistency", how, "a", "b.img"])
            .ends_with(1)
            .says(how)
            .says("not in this version");
    }
    ectype(dir.path(), ["create", "--consistency", "maybe", "a", "b.img"]).ends_with(2);
    let json = ectype(dir.path(), ["clone", "--json", "a", "b"]).ends_with(1).json();
    assert_eq!(json["error"]["kind"], "unsupported");
}

#[test]
fn a_folder_without_the_right_to_write_is_named() {
    if !need::unix("modes of files") {
        return;
    }
    let dir = folder();
    noisy(dir.path(), "source", MIB, 27);
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    set_mode(&closed, 0o555).unwrap();
    set_mode(dir.path(), 0o755).unwrap();
    let said = as_nobody(dir.path(), &["create", "source", "closed/x.img"]);
    if let Some(said) = said {
        said.ends_with(1).says("closed").says("Permission denied");
    }
    set_mode(&closed, 0o755).unwrap();
    assert!(names(&closed).is_empty());
}

/// Runs the binary without root's rights; `None` where that cannot be done.
pub(crate) fn as_nobody(dir: &Path, args: &[&str]) -> Option<Said> {
    use ectype_testkit::need;
    if !need::root() || !need::tool("setpriv") {
        return None;
    }
    // The build folder may lie where nobody else may look.
    let program = folder();
    let binary = program.path().join("ectype");
    fs::copy(env!("CARGO_BIN_EXE_ectype"), &binary).unwrap();
    set_mode(program.path(), 0o755).unwrap();
    let mut command = need::command("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&binary)
        .args(args)
        .current_dir(dir);
    Some(Running::start(command).wait())
}

#[test]
fn a_record_that_is_no_file_or_that_lies_is_refused_at_once() {
    if !need::unix("symbolic links") {
        return;
    }
    let dir = folder();
    noisy(dir.path(), "source", MIB, 120);
    noisy(dir.path(), "other", MIB, 121);
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    let record = dir.path().join("x.img.ectype.json");
    let good = fs::read_to_string(&record).unwrap();
    // All of it is said to be unreadable, so that nothing would be compared.
    let lie =
        good.replace("\"unreadable\": [],", "\"unreadable\": [{\"offset\": 0, \"length\": 1099511627776}],");
    assert_ne!(lie, good);
    fs::write(&record, lie).unwrap();
    ectype(dir.path(), ["verify", "x.img", "other"]).ends_with(1).says("is not a record");
    fs::remove_file(&record).unwrap();
    ectype_testkit::system::symlink("/dev/zero", &record).unwrap();
    for args in [&["verify", "x.img"][..], &["info", "x.img"], &["create", "source", "x.img"]] {
        ectype(dir.path(), args).ends_with(1);
    }
}

#[test]
fn a_name_that_leaves_no_room_for_those_beside_it_is_refused_before_the_copy() {
    let dir = folder();
    noisy(dir.path(), "source", MIB, 122);
    let longest = format!("{}.img", "a".repeat(228));
    ectype(dir.path(), ["create", "source", &longest]).ends_with(0);
    let longer = format!("{}.img", "b".repeat(229));
    ectype(dir.path(), ["create", "source", &longer]).ends_with(1).says("the name of the image");
    assert!(!names(dir.path()).iter().any(|name| name.as_encoded_bytes().starts_with(b"bbb")));
}

#[test]
fn names_that_are_taken_for_a_moment_are_nobody_elses() {
    let dir = folder();
    noisy(dir.path(), "x.img.map.ectype-new", MIB, 100);
    noisy(dir.path(), "source", MIB, 101);
    let before = contents(dir.path());
    ectype(dir.path(), ["create", "x.img.map.ectype-new", "x.img"]).ends_with(1).says("the source itself");
    ectype(dir.path(), ["create", "--format", "raw", "--map", "m", "source", "m.ectype-new"]).ends_with(1);
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn an_image_goes_only_once_the_run_that_replaces_it_can_begin() {
    let dir = folder();
    noisy(dir.path(), "source", MIB, 102);
    ectype(dir.path(), ["create", "source", "x.img"]).ends_with(0);
    let before = contents(dir.path());
    let long = "m".repeat(250);
    for map in ["nowhere/at/all/m", &long] {
        ectype(dir.path(), ["create", "--overwrite", "--map", map, "source", "x.img"]).ends_with(1);
        assert_eq!(contents(dir.path()), before, "{map}");
    }
    ectype(dir.path(), ["create", "--overwrite", "source", "x.img"]).ends_with(0);
}

#[test]
fn usage_errors_are_objects_where_lines_are_objects() {
    let dir = folder();
    let said = ectype(dir.path(), ["create", "--progress", "json", "--bogus", "a"]).ends_with(2);
    assert_eq!(said.events()[0]["event"], "error");
}
