//! The rules of the house, as a test: where each kind of code may live, and which room may know which.

use crate::rust_source::{code_of, conditions, line_of, lines_with, paths, without_tests};
use crate::{Result, run};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

pub(crate) const HELP: &str = "\
cargo xtask tidy

Checks the rules that no compiler knows: `unsafe` and the operating system only in os/, dependencies between the rooms of
ectype-core only one way, a silent library, module documentation, files of a readable size, no paths of one machine; and
that the lock file of fuzz/, which no other build reads, has followed the workspace.";

/// The library's source, and the one room that touches the system.
const CORE: &str = "crates/ectype-core/src/";
const OS: &str = "crates/ectype-core/src/os/";

/// Longer than this, a file has two subjects.
const MAX_LINES: usize = 900;
/// Files that may be longer, with the reason: tables.
const LONG: &[(&str, &str)] =
    &[("crates/ectype-core/src/os/windows/bindings.rs", "what Windows has, made by a program")];

/// Names under which anything could be found, and so nothing.
const VAGUE: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc"];

/// Law 5: what each room may know. `room::part` allows only that part.
///
/// `extent, io, error <- os <- source <- volume <- fs <- plan <- copy <- task`; `image` and `proof` know `io`, never `source`.
const ROOMS: &[(&str, &[&str])] = &[
    ("error", &["extent"]),
    ("extent", &["error"]),
    ("io", &["error", "extent"]),
    // Shared by threads: the locks that format code may use without knowing them.
    ("cache", &[]),
    ("os", &["error", "extent", "io"]),
    // An image can be copied too, and streams are unpacked by the codecs of images.
    ("source", &["error", "extent", "io", "os", "image"]),
    ("volume", &["error", "extent", "io", "os", "source"]),
    ("fs", &["error", "extent", "io", "os", "source", "volume"]),
    // The policy names an image after the volumes that identify a medium, and chooses from the table of formats.
    ("plan", &["error", "extent", "io", "os", "source", "volume", "fs", "image", "proof::identity"]),
    // What a run tells: the map is drawn.
    ("watch", &["extent", "io", "plan::map"]),
    // Proof: the ledger keeps the rescue map; records are replaced as files and files are recognised by their stamp.
    ("proof", &["error", "extent", "io", "os::file", "plan::map", "watch"]),
    // Whether a failed write means a full target, os::file knows.
    ("image", &["error", "extent", "io", "cache", "os::file"]),
    ("copy", &["error", "extent", "io", "os", "source", "volume", "fs", "plan", "image", "proof", "watch"]),
    (
        "task",
        &["error", "extent", "io", "os", "source", "volume", "fs", "plan", "image", "proof", "copy", "watch"],
    ),
];

/// What lib.rs exports again at the root, and where it lives.
const ROOT_NAMES: &[(&str, &str)] = &[
    ("Error", "error"),
    ("Kind", "error"),
    ("Result", "error"),
    ("Extent", "extent"),
    ("Extents", "extent"),
];

/// A tracked file.
struct File {
    path: String,
    text: String,
}

pub(crate) fn main(args: &[String]) -> Result {
    if let Some(arg) = args.first() {
        return Err(format!("{arg}: tidy takes no arguments"));
    }
    let files = tracked()?;
    let mut faults = BTreeSet::new();
    for file in &files {
        check(file, &mut faults);
    }
    check_codemap(&files, &mut faults);
    check_lock_of_fuzz(&mut faults);
    for fault in &faults {
        eprintln!("{fault}");
    }
    println!("tidy: {} files, {} faults", files.len(), faults.len());
    if faults.is_empty() { Ok(()) } else { Err(format!("{} faults", faults.len())) }
}

/// The text files that git tracks or would track.
fn tracked() -> Result<Vec<File>> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let names = run::output(&mut list)?;
    // Binary files, and those that are deleted but not yet committed, are passed over.
    let read = |path: &str| Some(File { path: path.to_owned(), text: fs::read_to_string(path).ok()? });
    Ok(names.split('\0').filter(|name| !name.is_empty()).filter_map(read).collect())
}

/// fuzz/ is a workspace of its own: a new dependency of ours leaves its lock file behind, and only a build of the fuzz
/// targets would notice.
fn check_lock_of_fuzz(faults: &mut BTreeSet<String>) {
    let mut resolve = run::cargo();
    resolve.args([
        "metadata",
        "--quiet",
        "--locked",
        "--format-version",
        "1",
        "--manifest-path",
        "fuzz/Cargo.toml",
    ]);
    if let Err(error) = run::output(&mut resolve) {
        faults.insert(format!("fuzz/Cargo.lock: not what its manifests ask for; `cargo xtask fuzz` brings it up to date: {error}"));
    }
}

/// The rules that look at one file.
fn check(file: &File, faults: &mut BTreeSet<String>) {
    let File { path, text } = file;
    let mut fault = |line: usize, what: String| {
        faults.insert(format!("{path}:{line}: {what}"));
    };
    // In pieces, so that this file does not accuse itself.
    for place in [concat!("/wo", "rk/")] {
        let own = |at: usize| {
            text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || "._-}~".contains(c))
        };
        for (at, _) in text.match_indices(place).filter(|(at, _)| !own(*at)) {
            fault(line_of(text, at), format!("{place} exists on one machine only"));
        }
    }
    if !path.ends_with(".rs") {
        return;
    }
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    let folders = path.split('/').rev().skip(1);
    if let Some(vague) = folders.chain([stem]).find(|name| VAGUE.contains(name)) {
        fault(1, format!("`{vague}` says nothing about what is in it"));
    }
    if !text.starts_with("//!") {
        fault(1, "a module begins with `//!` and what it is for".into());
    }
    let lines = text.lines().count();
    if lines >= MAX_LINES && !LONG.iter().any(|(long, _)| long == path) {
        fault(lines, format!("{lines} lines; under {MAX_LINES} are wanted, or a reason in tidy.rs"));
    }
    let code = code_of(text);
    if !path.starts_with(OS) {
        for line in lines_with(&code, "unsafe") {
            fault(line, format!("unsafe lives in {OS} only"));
        }
    }
    let shipped = path.starts_with("crates/ectype-core/src/") || path.starts_with("crates/ectype/src/");
    if !shipped || stem == "tests" || path.contains("/tests/") {
        return;
    }
    let code = without_tests(&code);
    if !path.starts_with(OS) && path != &format!("{CORE}os.rs") {
        for (line, condition) in conditions(&code) {
            let words = ["windows", "unix", "target_os", "target_family", "target_env", "target_vendor"];
            if let Some(word) = words.iter().find(|word| !lines_with(condition, word).is_empty()) {
                fault(line, format!("cfg({word}) lives in {OS} only"));
            }
        }
    }
    if !path.starts_with(CORE) {
        return;
    }
    for word in ["println!", "eprintln!", "print!", "eprint!"] {
        let quiet = word.trim_end_matches('!');
        for (at, _) in code.match_indices(word) {
            if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                fault(line_of(&code, at), format!("the library is silent: {quiet} belongs to the command"));
            }
        }
    }
    for word in ["env::var", "env::var_os", "env::vars", "env::args"] {
        for line in lines_with(&code, word) {
            fault(line, "the library reads no environment".into());
        }
    }
    if path.starts_with(&format!("{CORE}image/")) {
        for word in ["Mutex", "RwLock", "Condvar", "spawn", "scope"] {
            for line in lines_with(&code, word) {
                fault(line, format!("{word}: format code never spawns a thread and never locks"));
            }
        }
    }
    for (line, what) in wrong_ways(&path[CORE.len()..], &code) {
        fault(line, what);
    }
}

/// Law 5: the paths in a file (named from the library's source folder) that lead into a room it may not know.
fn wrong_ways(path: &str, code: &str) -> Vec<(usize, String)> {
    let mut parts = path.trim_end_matches(".rs").split('/');
    let room = parts.next().unwrap_or_default();
    if room == "lib" {
        return Vec::new();
    }
    let Some((_, allowed)) = ROOMS.iter().find(|(known, _)| *known == room) else {
        return vec![(
            1,
            format!("{room} is a new room: say in tidy.rs and ARCHITECTURE.md what it may know"),
        )];
    };
    let mut used = paths(code, "crate::");
    // In a room's own first file, the parent is the root.
    if matches!((parts.next(), parts.next()), (None | Some("mod"), None)) {
        used.extend(paths(code, "super::"));
    }
    let mut wrong = Vec::new();
    for (line, mut names) in used {
        if let Some((_, home)) = ROOT_NAMES.iter().find(|(name, _)| *name == names[0]) {
            names = vec![(*home).to_owned()];
        }
        let fits = |allowed: &&str| match allowed.split_once("::") {
            Some((room, part)) => names[0] == room && names.get(1).is_some_and(|name| name == part),
            None => names[0] == *allowed,
        };
        if names[0] != room && !allowed.iter().any(fits) {
            wrong.push((line, format!("{room} may not know crate::{}", names.join("::"))));
        }
    }
    wrong
}

/// Every folder of the library is explained in ARCHITECTURE.md, once there is one.
fn check_codemap(files: &[File], faults: &mut BTreeSet<String>) {
    let Some(map) = files.iter().find(|file| file.path == "ARCHITECTURE.md") else { return };
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let Some((folder, _)) = file.path.strip_prefix(CORE).and_then(|path| path.rsplit_once('/')) else {
            continue;
        };
        let name = folder.rsplit('/').next().unwrap_or(folder);
        if name != "tests" && !map.text.contains(&format!("{name}/")) {
            faults.insert(format!("ARCHITECTURE.md:1: does not name {CORE}{folder}/"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        let mut faults = BTreeSet::new();
        check(&File { path: path.into(), text: text.into() }, &mut faults);
        faults.into_iter().collect()
    }

    #[test]
    fn the_rooms_are_kept_apart() {
        let wrong = |path, code| wrong_ways(path, code).into_iter().map(|(_, what)| what).collect::<Vec<_>>();
        assert_eq!(wrong("image/vhdx/mod.rs", "use crate::source::Source;").len(), 1);
        assert_eq!(wrong("image/vhdx/mod.rs", "use crate::{io::ReadAt, image::Sink, Error};").len(), 0);
        assert_eq!(wrong("proof/ledger.rs", "use crate::plan::map::RescueMap;").len(), 0);
        assert_eq!(wrong("proof/ledger.rs", "use crate::plan::policy::Plan;").len(), 1);
        assert_eq!(wrong("io.rs", "use super::source::Source;").len(), 1);
        assert_eq!(wrong("source/file.rs", "use super::task;").len(), 0);
        assert_eq!(wrong("cellar/mod.rs", "").len(), 1);
    }

    #[test]
    fn tests_may_do_what_the_library_may_not() {
        let text =
            "//! Doc.\nfn f() {}\n#[cfg(test)]\nmod tests { fn g() { println!(); use crate::task; } }\n";
        assert_eq!(faults("crates/ectype-core/src/io.rs", text), Vec::<String>::new());
    }

    #[test]
    fn every_rule_is_alive() {
        let path = "crates/ectype-core/src/io.rs";
        for text in [
            "fn undocumented() {}",
            "//! x\nunsafe fn f() {}",
            "//! x\n#[cfg(unix)]\nfn f() {}",
            "//! x\n#[cfg(all(test, target_os = \"linux\"))]\nfn f() {}",
            "//! x\nfn f() { println!(\"loud\") }",
            "//! x\nfn f() { std::env::var(\"HOME\"); }",
            concat!("//! x\nconst P: &str = \"/wo", "rk/x\";"),
        ] {
            assert_eq!(faults(path, text).len(), 1, "{text}");
        }
        assert_eq!(faults("crates/ectype-core/src/image/x.rs", "//! x\nuse std::sync::Mutex;").len(), 1);
        assert_eq!(faults("crates/ectype-core/src/os/utils.rs", "//! x").len(), 1);
        assert_eq!(faults(path, &format!("//! x\n{}", "\n".repeat(MAX_LINES))).len(), 1);
    }
}
