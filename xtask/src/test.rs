//! All tests, summed over the test programs, with what was skipped counted.

use crate::{Result, packages, run};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) const HELP: &str = "\
cargo xtask test [--install] [ARGS]

Runs `cargo test --workspace ARGS` and prints `N passed, N failed, N skipped` as its last line. A test that could not check
something on this machine counts as skipped, not as passed, and is listed.

  --install   install the Debian packages that the tests need first; after that only what this kernel cannot do is skipped
  ARGS        go to cargo test; with -p PACKAGE only that package";

/// How the tests went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

pub(crate) fn main(args: &[String]) -> Result {
    let install = args.iter().any(|arg| arg == "--install");
    let rest: Vec<String> = args.iter().filter(|arg| *arg != "--install").cloned().collect();
    let (tally, outcome) = tests(install, &rest)?;
    println!("\n{tally}");
    outcome
}

/// Runs the tests. The inner result is an error if any failed or could not be built.
pub(crate) fn tests(install: bool, args: &[String]) -> Result<(Tally, Result)> {
    if install {
        packages::install(&["tests"])?;
    }
    let mut command = run::cargo();
    command.args(["test", "--no-fail-fast"]);
    let own = args.iter().take_while(|arg| *arg != "--");
    if !own.into_iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package")) {
        command.arg("--workspace");
    }
    command.args(args);
    if install {
        command.env("ECTYPE_REQUIRE_ALL", "1");
    }
    let (tally, _, outcome) = counted(&mut command, |path| path.display().to_string())?;
    Ok((tally, outcome))
}

/// Runs a command that runs tests; what they skip is listed, in a file that they know by the name that `spelled` gives it. The
/// inner result is an error if any failed.
pub(crate) fn counted(
    command: &mut Command,
    spelled: impl Fn(&Path) -> String,
) -> Result<(Tally, BTreeSet<String>, Result)> {
    let skips = std::env::temp_dir().join(format!("ectype-skips-{}", std::process::id()));
    fs::write(&skips, "").map_err(|error| format!("{}: {error}", skips.display()))?;
    command.env("ECTYPE_SKIPS", spelled(&skips));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", run::shown(command)))?;
    let mut tally = Tally::default();
    let from = child.stdout.take().expect("piped");
    pass_on(from, |line| add(&mut tally, line)).map_err(|error| error.to_string())?;
    let status = child.wait().map_err(|error| error.to_string())?;

    let noted = fs::read_to_string(&skips).unwrap_or_default();
    // It only is a list of skips.
    let _ = fs::remove_file(&skips);
    let lines: BTreeSet<&str> = noted.lines().collect();
    for line in &lines {
        println!("{line}");
    }
    let skipped = skipped_tests(&lines);
    tally.skipped += skipped;
    tally.passed = tally.passed.saturating_sub(skipped);
    let outcome = if !status.success() {
        Err(format!("{}: {status}", run::shown(command)))
    } else if tally.passed == 0 {
        Err("no test ran".to_owned())
    } else {
        Ok(())
    };
    Ok((tally, lines.into_iter().map(str::to_owned).collect(), outcome))
}

/// How many different tests these `SKIPPED: NAME needs WHAT` lines speak of.
fn skipped_tests(lines: &BTreeSet<&str>) -> u64 {
    let names = lines.iter().filter_map(|line| line.strip_prefix("SKIPPED: ")?.split(" needs ").next());
    names.collect::<BTreeSet<_>>().len() as u64
}

/// Adds a `test result:` line of a test program.
fn add(tally: &mut Tally, line: &str) {
    let Some(result) = line.trim().strip_prefix("test result:") else { return };
    for part in result.split([';', '.']) {
        let mut words = part.split_whitespace();
        let (Some(count), Some(what)) = (words.next().and_then(|word| word.parse().ok()), words.next())
        else {
            continue;
        };
        let count: u64 = count;
        match what {
            "passed" => tally.passed += count,
            "failed" => tally.failed += count,
            "ignored" => tally.skipped += count,
            _ => {}
        }
    }
}

/// Prints every line as it comes, and shows it to `each`.
fn pass_on(from: impl Read, mut each: impl FnMut(&str)) -> std::io::Result<()> {
    let (mut from, mut to) = (BufReader::new(from), std::io::stdout().lock());
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        each(&String::from_utf8_lossy(&line));
        line.clear();
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_add_up() {
        let mut tally = Tally::default();
        add(
            &mut tally,
            "test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 4.46s\n",
        );
        add(&mut tally, "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out\n");
        add(&mut tally, "test result_of_something ... ok\n");
        assert_eq!(tally, Tally { passed: 9, failed: 3, skipped: 1 });
        assert_eq!(tally.to_string(), "9 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn a_test_with_two_needs_is_one_skip() {
        let lines = ["SKIPPED: a::b needs root", "SKIPPED: a::b needs mkfs.xfs", "SKIPPED: c needs root"];
        assert_eq!(skipped_tests(&lines.into_iter().collect()), 2);
    }
}
