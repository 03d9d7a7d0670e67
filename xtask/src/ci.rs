//! Everything that must hold before a change lands, step by step, with the time of each.

use crate::test::Tally;
use crate::{Result, bindings, fuzz, lab, packages, run, test, tidy, wine};
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) const HELP: &str = "\
cargo xtask ci

Installs what it needs, then checks format, lints, documentation, dependencies, the other targets and the rules of the house,
fuzzes for a moment, runs all tests, the lab, and the tests as Windows programs under Wine. Every step runs, also after one has failed. Needs root or sudo.";

/// What CI runs on; tests and lints cover its default features.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// The targets that must stay buildable, and their features. Where a C compiler for the target is no Debian package the
/// pure Rust digests are checked; those are what such a platform gets.
const TARGETS: &[(&str, &[&str])] = &[
    (HOST, &["--no-default-features", "--features", "pure"]),
    ("x86_64-unknown-linux-musl", &[]),
    ("x86_64-pc-windows-gnu", &[]),
    ("aarch64-apple-darwin", &["--no-default-features", "--features", "pure"]),
];

/// How long each fuzz target runs.
const FUZZ_SECONDS: u64 = 10;

/// The steps that ran so far.
struct Steps {
    rows: Vec<(String, Duration, Result)>,
}

impl Steps {
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result) {
        println!("\n=== {name}");
        let start = Instant::now();
        let result = work();
        let took = start.elapsed();
        match &result {
            Ok(()) => println!("--- {name}: {:.1} s", took.as_secs_f64()),
            Err(error) => println!("--- {name}: FAILED after {:.1} s: {error}", took.as_secs_f64()),
        }
        self.rows.push((name.to_owned(), took, result));
    }

    fn cargo(&mut self, name: &str, args: &[&str]) {
        self.step(name, || run::run(run::cargo().args(args)));
    }
}

pub(crate) fn main(args: &[String]) -> Result {
    if let Some(arg) = args.first() {
        return Err(format!("{arg}: ci takes no arguments"));
    }
    let mut steps = Steps { rows: Vec::new() };
    steps.step("install", || packages::install(&["checks", "tests", "lab", "wine"]));
    steps.cargo("format", &["fmt", "--all", "--check"]);
    steps.cargo("format of fuzz", &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]);
    steps.step("tidy", || tidy::main(&[]));
    steps.step("bindings", bindings::check);
    steps.cargo("clippy", &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    steps.step("documentation", || {
        let mut doc = run::cargo();
        doc.args(["doc", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        run::run(&mut doc)
    });
    steps.cargo("dependencies", &["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]);
    let known = run::output(Command::new("rustc").args(["--print", "sysroot"]))
        .map(|sysroot| std::path::Path::new(sysroot.trim()).join("lib/rustlib"));
    for (target, features) in TARGETS {
        // What only that target compiles no lint above has seen.
        let lints = target.contains("windows");
        let verb = if lints { "clippy" } else { "check" };
        let mut check = vec![verb, "--locked", "-p", "ectype-core", "-p", "ectype"];
        // Naming the machine's own target would build everything once more.
        if *target != HOST {
            check.extend_from_slice(&["--target", target]);
        }
        check.extend_from_slice(features);
        if lints {
            check.extend_from_slice(&["--", "-D", "warnings"]);
        }
        steps.step(&format!("{verb} {target}"), || {
            if known.as_ref().is_ok_and(|known| !known.join(target).is_dir()) {
                return Err(format!("needs: rustup target add {target}"));
            }
            let mut cargo = run::cargo();
            if lints {
                // As the tests are built under Wine, so that the C parts are built once.
                wine::without_debug(&mut cargo);
            }
            run::run(cargo.args(&check))
        });
    }
    steps.step("fuzz", || fuzz::fuzz(FUZZ_SECONDS, &[], &[]));
    let mut tally = Tally::default();
    steps.step("test", || {
        let (counted, outcome) = test::tests(true, &[])?;
        tally = counted;
        outcome
    });
    steps.step("lab", lab::all);
    steps.step("wine", || wine::wine(&[]));

    println!("\n=== all steps");
    for (name, took, result) in &steps.rows {
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{word:6} {:7.1} s  {name}", took.as_secs_f64());
    }
    let failed: Vec<_> =
        steps.rows.iter().filter(|(_, _, result)| result.is_err()).map(|row| row.0.as_str()).collect();
    // Alone on its line: whoever runs this reads the outcome there.
    println!("\n{tally}");
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}
