//! What the documentation promises: `docs/cli.md` is what `--help` says, and `docs/formats/map.md` is true of ddrescue.

use ectype_testkit::need;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const INTRODUCTION: &str = "\
# Command-line reference

What `ectype --help` and the help of every verb print. This page is generated from the program by
`UPDATE=1 cargo test -p ectype --test reference`, and that test fails when it is stale. What the exit status and the JSON
mean: [in scripts](guide/in-scripts.md).
";

fn help(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ectype"))
        .args(words)
        .arg("--help")
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .output()
        .expect("ectype runs");
    assert!(output.status.success(), "ectype {words:?} --help");
    String::from_utf8(output.stdout).expect("the help is text")
}

/// The verbs that a help lists.
fn verbs(help: &str) -> Vec<&str> {
    let list =
        ["Commands:\n", "Verbs:\n"].iter().find_map(|title| help.split(title).nth(1)).unwrap_or_default();
    let list = list.split("\n\n").next().unwrap_or_default();
    let named = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help").collect()
}

fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut add = |title: &str, text: &str| {
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let text = lines.join("\n");
        write!(page, "\n## {title}\n```text\n{}\n```\n", text.trim()).expect("memory takes all writes");
    };
    let first = help(&[]);
    add("ectype", &first);
    for verb in verbs(&first) {
        let text = help(&[verb]);
        add(&format!("ectype {verb}"), &text);
        for below in verbs(&text) {
            add(&format!("ectype {verb} {below}"), &help(&[verb, below]));
        }
    }
    page
}

#[test]
fn the_reference_is_what_the_help_says() {
    if !need::linux("the words of help, which the page has as they are on Linux") {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let page = reference();
    assert!(page.contains("## ectype create") && page.contains("--overwrite"), "{page}");
    if std::env::var_os("UPDATE").is_some_and(|value| !value.is_empty()) {
        std::fs::write(&path, &page).expect("docs/cli.md can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    // A checkout may have translated the line ends.
    assert!(
        written.replace("\r\n", "\n") == page,
        "docs/cli.md is stale: UPDATE=1 cargo test -p ectype --test reference\n{page}"
    );
}

/// Runs a command in `folder`, to success.
fn run(command: &mut Command, folder: &Path) {
    let output = command.current_dir(folder).output().expect("the tool runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn ectype_goes_on_with_what_ddrescue_began_and_ddrescue_with_ours() {
    if !need::tool("ddrescue") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let name = |name: &str| home.path().join(name);
    std::fs::write(name("source.bin"), &content).unwrap();
    // ddrescue's image ends where it stopped: at 1 MB of 3.
    run(need::command("ddrescue").args(["-q", "-s", "1000000", "source.bin", "a.img", "a.map"]), home.path());
    let create = ["create", "--map", "a.map", "source.bin", "a.img"];
    run(Command::new(env!("CARGO_BIN_EXE_ectype")).args(create), home.path());
    assert!(std::fs::read(name("a.img")).unwrap() == content);
    assert!(name("a.map").exists() && !name("a.img.state").exists(), "a map that was named stays");
    // And the other way: the map of ours, with a gap in it.
    let map = std::fs::read_to_string(name("a.map")).unwrap();
    let whole = "0x00000000  0x002DC6C0  +";
    assert!(map.contains(whole), "{map}");
    std::fs::write(name("a.map"), map.replace(whole, "0x0 0x80000 +\n0x80000 0x10000 -\n0x90000 0x24C6C0 +"))
        .unwrap();
    let mut image = content.clone();
    image[0x8_0000..0x9_0000].fill(0);
    std::fs::write(name("a.img"), image).unwrap();
    run(need::command("ddrescue").args(["-q", "-r1", "source.bin", "a.img", "a.map"]), home.path());
    assert!(std::fs::read(name("a.img")).unwrap() == content);
}
