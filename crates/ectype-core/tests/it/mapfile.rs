//! Mapfiles, with ddrescue and ddrescuelog as referees.

use crate::referee::tool;
use ectype_core::extent::Extent;
use ectype_core::plan::map::{Header, MapFile, Phase, RescueMap, Status};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn run(tool: &Path, arguments: &[&str], folder: &TempDir) -> Output {
    Command::new(tool).args(arguments).current_dir(folder).output().expect("the tool starts")
}

fn accepted(ddrescuelog: &Path, folder: &TempDir, text: &[u8]) -> bool {
    fs::write(folder.path().join("map"), text).unwrap();
    let output = run(ddrescuelog, &["-t", "map"], folder);
    match output.status.code() {
        Some(0) => true,
        Some(2) => false,
        _ => panic!("ddrescuelog failed: {output:?}"),
    }
}

/// Whether ddrescuelog read the same from the file `map` as we did: what it makes of it is the same to us, and what we make
/// of it is the same to ddrescuelog. It keeps empty blocks, though, and finds a map without them another.
fn same(ddrescuelog: &Path, folder: &TempDir, file: &MapFile) -> bool {
    let theirs = run(ddrescuelog, &["-a", "?,?", "map"], folder).stdout;
    fs::write(folder.path().join("ours"), file.to_text(&Header::default())).unwrap();
    let alike = |one: &str, other: &str| run(ddrescuelog, &["-p", one, other], folder).status.success();
    let empty_block = String::from_utf8_lossy(&theirs).contains("\n0x00000000  0x00000000  ");
    MapFile::parse(&theirs).is_ok_and(|theirs| theirs.map == file.map)
        && (empty_block || alike("ours", "map") && alike("map", "ours"))
}

const BLOCK: &str = "0 0x100 +\n";

/// What is accepted and what is not, in full where the first line matters and as blocks under a good first line elsewhere.
fn rows() -> Vec<(&'static str, Vec<u8>, bool)> {
    let under = |blocks: &str| format!("0x00 + 1\n{blocks}").into_bytes();
    let over = |first: &str| format!("{first}\n{BLOCK}").into_bytes();
    let spaces = " ".repeat(5000);
    vec![
        ("nothing at all", vec![], true),
        ("comments only", b"# a\n#b".to_vec(), true),
        ("no block", b"0 + 1\n".to_vec(), true),
        ("no pass", over("0x04000000     ?"), true),
        ("a pass", over("0x04000000     ?               1"), true),
        ("a fourth field", over("0 + 1 foo"), true),
        ("a comment behind", over("0 + 1 # c"), true),
        ("a comment in place of the pass", over("0 + #"), true),
        ("no blanks", over("0+1"), true),
        ("tabs", over("\t0\t+\t1"), true),
        ("a vertical tab before", over("\x0b\n0 + 1"), true),
        ("a pass with zeros before it", over("0 + 007"), true),
        ("a pass with a sign", over("0 + +3"), true),
        ("a pass that wraps to a good one", over("0 + 4294967297"), true),
        ("a pass that wraps to a negative one", over("0 + 2147483648"), false),
        ("a pass beyond 64 bits", over("0 + 9223372036854775808"), false),
        ("a pass that is no number", over("0 + x"), true),
        ("pass 0", over("0 + 0"), false),
        ("pass 0x1", over("0 + 0x1"), false),
        ("a negative pass", over("0 + -1"), false),
        ("filling", over("0 F 1"), true),
        ("generating", over("0 G 1"), true),
        ("retrying", over("0 - 1"), true),
        ("an unknown phase", over("0 x 1"), false),
        ("a negative position", over("-1 + 1"), false),
        ("a position beyond 63 bits", over("0xFFFFFFFFFFFFFFFFFF + 1"), true),
        ("a byte order mark", over("\u{feff}0 + 1"), false),
        ("text", over("hello"), false),
        ("CRLF", b"# c\r\n0 + 1\r\n\r\n0 0x100 +\r\n".to_vec(), true),
        ("lines that end in CR only", b"0 + 1\r0 0x100 +\r".to_vec(), true),
        ("blank lines, no newline at the end", b"\n  \n0 + 1\n\n0 0x100 +".to_vec(), true),
        ("leading blanks", under("   0 0x100 +\n"), true),
        ("an indented comment", under("  # foo\n0 0x100 +\n"), true),
        ("form feeds and vertical tabs", under("0\x0b0x100\x0c+\n"), true),
        ("octal", under("0 0100 +\n0x40 10 -\n"), true),
        ("octal with an 8", under("0 089 +\n"), false),
        ("decimal", under("0 256 +\n256 12 -\n"), true),
        ("hex in small letters", under("0 0XfF +\n"), true),
        ("hex without digits", under("0 0x +\n"), true),
        ("binary", under("0 0b11 +\n"), false),
        ("signs", under("-0 +0x100 +\n"), true),
        ("a negative block", under("-1 0x100 +\n"), false),
        ("a negative size", under("0 -1 +\n"), false),
        ("a suffix", under("0 1Ki +\n"), false),
        ("a glued status", under("0 0x100+\n"), true),
        ("a comment glued to a status", under("0 0x100 +#c\n"), true),
        ("a comment glued to a number", under("0 0x100# +\n"), false),
        ("a comment in place of a status", under("0 0x100 # +\n"), false),
        ("a status of the first line", under("0 0x100 F\n"), false),
        ("a NUL behind", under("0 0x100 +\0\n"), true),
        ("a NUL between", under("0 0x100\0 +\n"), false),
        ("a line of NUL", under("\0\n0 0x100 +\n"), false),
        ("neighbours of one status", under("0 8 +\n8 8 +\n16 8 -\n"), true),
        ("an empty block at 0", under("0 0 +\n0 0 -\n0 8 -\n"), true),
        ("an empty block elsewhere", under("0 8 +\n8 0 -\n"), false),
        ("an empty first block elsewhere", under("5 0 -\n5 8 +\n"), false),
        ("a gap behind an empty block", under("0 0 +\n8 8 -\n"), false),
        ("a first block behind 0", under("8 8 +\n16 8 -\n"), true),
        ("a gap", under("0 8 +\n9 8 -\n"), false),
        ("an overlap", under("0 8 +\n7 8 -\n"), false),
        ("unsorted", under("8 8 +\n0 8 -\n"), false),
        ("the largest", under("0 0x7FFFFFFFFFFFFFFF +\n"), true),
        ("more than the largest", under("0 0x8000000000000000 +\n"), true),
        ("an end behind the largest", under("0 8 +\n8 0x7FFFFFFFFFFFFFFF -\n"), true),
        ("a block there", under("0 8 +\n8 0x7FFFFFFFFFFFFFFF -\n0x7FFFFFFFFFFFFFFF 9 -\n"), true),
        ("nothing but a block there", under("0x7FFFFFFFFFFFFFFF 1 +\n"), true),
        ("many blanks before", under(&format!("{spaces}0 8 +\n")), true),
        ("many blanks between", under(&format!("0{spaces}8 +\n")), false),
        ("the last byte of a line that counts", under(&format!("0 {}6 +\n", " ".repeat(122))), true),
        ("the first that does not", under(&format!("0 {}6 +\n", " ".repeat(123))), false),
        ("much behind", under(&format!("0 8 +{spaces}x\n8 8 -\n")), true),
    ]
}

#[test]
fn we_accept_and_refuse_what_the_table_says() {
    for (what, text, good) in rows() {
        assert_eq!(MapFile::parse(&text).is_ok(), good, "{what}: {:?}", MapFile::parse(&text));
    }
}

#[test]
fn ddrescuelog_judges_alike_and_reads_the_same() {
    let Some(ddrescuelog) = tool("ddrescuelog") else { return };
    let folder = TempDir::new().unwrap();
    for (what, text, good) in rows() {
        assert_eq!(accepted(&ddrescuelog, &folder, &text), good, "{what}");
        if let Ok(file) = MapFile::parse(&text) {
            assert!(same(&ddrescuelog, &folder, &file), "{what}: {file:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn ddrescuelog_reads_what_we_write(
        sets in prop::collection::vec((0_u64..1 << 40, 0_u64..1 << 36, prop::sample::select(&Status::ALL)), 0..20),
        current_status in prop::sample::select(&Phase::ALL),
    ) {
        let Some(ddrescuelog) = tool("ddrescuelog") else { return Ok(()) };
        let folder = TempDir::new().unwrap();
        let mut map = RescueMap::new(1 << 40);
        for (offset, len, status) in sets {
            map.set(Extent::new(offset, len), status);
        }
        let file = MapFile { current_status, ..MapFile::new(map) };
        prop_assert!(accepted(&ddrescuelog, &folder, file.to_text(&Header::default()).as_bytes()));
        prop_assert!(same(&ddrescuelog, &folder, &file));
    }

    #[test]
    fn ddrescuelog_judges_strange_text_alike(
        text in "(0 \\+ 1\n)?([0-9x+?*/ -]|0x|[\t\r\n#]|0 9 [*/-]\n|9 0x7 \\+\n){0,25}",
    ) {
        let Some(ddrescuelog) = tool("ddrescuelog") else { return Ok(()) };
        let folder = TempDir::new().unwrap();
        let verdict = accepted(&ddrescuelog, &folder, text.as_bytes());
        let ours = MapFile::parse(text.as_bytes());
        prop_assert_eq!(ours.is_ok(), verdict);
        if let Ok(file) = ours {
            prop_assert!(same(&ddrescuelog, &folder, &file));
        }
    }
}

/// ddrescue reads a medium whose bad places a map of ours names, interrupted early; its map is ours to go on from, and ours
/// is its.
#[test]
fn ddrescue_resumes_ours_and_we_its() {
    let Some(ddrescue) = tool("ddrescue") else { return };
    const SIZE: u64 = 4 << 20;
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("in"), vec![7; SIZE as usize]).unwrap();
    let bad = Extent::new(2 << 20, 128 << 10);
    let mut simulated = RescueMap::new(SIZE);
    simulated.set(Extent::new(0, SIZE), Status::Finished);
    simulated.set(bad, Status::Bad);
    fs::write(folder.path().join("sick"), MapFile::new(simulated.clone()).to_text(&Header::default()))
        .unwrap();
    // Ours: the first half is read, nothing else.
    let mut half = RescueMap::new(SIZE);
    half.set(Extent::new(0, SIZE / 2), Status::Finished);
    fs::write(folder.path().join("out.map"), MapFile::new(half).to_text(&Header::default())).unwrap();

    let early =
        run(&ddrescue, &["-q", "-H", "sick", "--no-trim", "--no-scrape", "in", "out", "out.map"], &folder);
    assert!(early.status.success(), "{early:?}");
    let theirs = MapFile::parse(&fs::read(folder.path().join("out.map")).unwrap()).unwrap();
    assert_eq!(theirs.current_status, Phase::Finished);
    assert_eq!(theirs.map.extents(Status::NonTrimmed).iter().collect::<Vec<_>>(), [bad]);
    assert_eq!(theirs.map.bytes(Status::Finished), SIZE - bad.len);

    // Written by us once more, it goes on to the end of what can be known.
    fs::write(folder.path().join("out.map"), theirs.to_text(&Header::default())).unwrap();
    let late = run(&ddrescue, &["-q", "-H", "sick", "in", "out", "out.map"], &folder);
    assert!(late.status.success(), "{late:?}");
    let last = MapFile::parse(&fs::read(folder.path().join("out.map")).unwrap()).unwrap();
    assert_eq!(last.map, simulated);
}
