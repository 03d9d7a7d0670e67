//! The real binary in a guest with Debian's kernel, whose drives are scratched, pulled, swapped and cut from power.
//!
//! A scenario is one file of lab/scenarios: what is plugged in, and a script that runs inside. `lab/words` has the words
//! of those scripts.

mod guest;
mod scenario;
mod setup;

use crate::wine::Wine;
use crate::{Result, packages, run};
use guest::Programs;
use scenario::Scenario;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

pub(crate) const HELP: &str = "\
cargo xtask lab [OPTIONS] [SCENARIO...]

Runs scenarios of lab/scenarios, two at a time, each in a QEMU guest of its own under software emulation; all of them
without SCENARIO. What the guests boot is built from Debian packages when it is not there: a minute or two, once, in
target/lab or the folder that ECTYPE_LAB names. Needs no root, except for --install.

  --install   install the Debian packages that this needs first
  --list      what there is
  --keep      keep the folders of scenarios that passed; those that failed are always kept";

const TARGET: &str = "x86_64-unknown-linux-musl";

/// Guests at a time. Each has one processor.
const AT_ONCE: usize = 2;

/// How much of the console a failure shows.
const TAIL_LINES: usize = 60;

pub(crate) fn main(args: &[String]) -> Result {
    let (options, names): (Vec<&str>, Vec<&str>) =
        args.iter().map(String::as_str).partition(|arg| arg.starts_with('-'));
    if let Some(option) = options.iter().find(|option| !["--install", "--list", "--keep"].contains(option)) {
        return Err(format!("{option}: not an option of lab"));
    }
    if options.contains(&"--install") {
        packages::install(&["lab", "wine"])?;
    }
    let scenarios = chosen(&names)?;
    if options.contains(&"--list") {
        for scenario in scenarios {
            println!("{:20} {}", scenario.name, scenario.title);
        }
        return Ok(());
    }
    lab(scenarios, options.contains(&"--keep"))
}

/// All scenarios, for ci.
pub(crate) fn all() -> Result {
    lab(chosen(&[])?, false)
}

fn chosen(names: &[&str]) -> Result<Vec<Scenario>> {
    let folder = Path::new("lab/scenarios");
    let entries = setup::said(folder, fs::read_dir(folder))?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found = Vec::new();
    for path in entries.collect::<BTreeSet<_>>() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if names.is_empty() || names.contains(&name.as_str()) {
            found.push(Scenario::parse(&name, setup::said(&path, fs::read_to_string(&path))?)?);
        }
    }
    match names.iter().find(|name| !found.iter().any(|scenario| scenario.name == **name)) {
        Some(name) => Err(format!("no scenario is called {name}; see --list")),
        None => Ok(found),
    }
}

fn lab(scenarios: Vec<Scenario>, keep: bool) -> Result {
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let lab = std::env::var_os("ECTYPE_LAB").map_or_else(|| target.join("lab"), PathBuf::from);
    let start = Instant::now();
    setup::ready(&lab).map_err(|error| format!("{error}\nThe packages: cargo xtask install lab"))?;
    println!("lab: stands after {:.1} s", start.elapsed().as_secs_f64());

    let start = Instant::now();
    run::run(run::cargo().args([
        "build",
        "--locked",
        "--quiet",
        "--release",
        "-p",
        "ectype",
        "--target",
        TARGET,
    ]))?;
    let ectype = target.join(TARGET).join("release/ectype");
    let windows = match scenarios.iter().any(|scenario| scenario.wine) {
        true => Some(Wine::at("target/wine").and_then(|wine| Ok((wine.program()?, wine)))?),
        false => None,
    };
    let programs = Programs { ectype, windows };
    println!("lab: the binary is built after {:.1} s", start.elapsed().as_secs_f64());

    let (start, count) = (Instant::now(), scenarios.len());
    let (waiting, failed) = (Mutex::new(scenarios.into_iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(scenario) = waiting.lock().expect("no panics").next() else { break };
                    if !passes(&scenario, &lab, &programs, keep) {
                        failed.lock().expect("no panics").push(scenario.name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panics");
    println!(
        "lab: {} of {count} scenarios hold, {:.1} s",
        count - failed.len(),
        start.elapsed().as_secs_f64()
    );
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// Runs one and tells of it.
fn passes(scenario: &Scenario, lab: &Path, programs: &Programs, keep: bool) -> bool {
    let start = Instant::now();
    let folder = lab.join("jobs").join(&scenario.name);
    let result = guest::run_in(&folder, lab, programs, scenario);
    let line = |word: &str| {
        format!("{word:6} {:6.1} s  {:20} {}", start.elapsed().as_secs_f64(), scenario.name, scenario.title)
    };
    match &result {
        Ok(()) => println!("{}", line("ok")),
        // One call, so that two do not mix.
        Err(error) => {
            println!("{}\n{}\n       {error}; kept in {}", line("FAILED"), tail(&folder), folder.display())
        }
    }
    if result.is_ok()
        && !keep
        && let Err(error) = fs::remove_dir_all(&folder)
    {
        println!("{}: {error}", folder.display());
    }
    result.is_ok()
}

/// The end of what the guest said.
fn tail(folder: &Path) -> String {
    let console = fs::read(folder.join("console")).unwrap_or_default();
    let console = String::from_utf8_lossy(&console);
    let lines: Vec<_> = console.lines().map(|line| format!("       | {}", line.trim_end())).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_scenario_is_understood() {
        std::env::set_current_dir(crate::run::root()).unwrap();
        assert!(!super::chosen(&[]).unwrap().is_empty());
    }
}
