//! libFuzzer on stable Rust: the coverage that `cargo fuzz` asks a nightly compiler for is had through LLVM's own options.

use crate::{Result, run};
use std::path::Path;
use std::process::Command;

pub(crate) const HELP: &str = "\
cargo xtask fuzz [--seconds N] [TARGET...] [-- LIBFUZZER ARGS]

Builds the targets of fuzz/ and runs each for N seconds (default 60). Without TARGET: all of them.
What was found interesting is kept in fuzz/corpus/TARGET, what failed in fuzz/artifacts/TARGET.
fuzz/seeds/TARGET, where it exists, is read and not written.";

/// Coverage of edges, with counters and compared values. They go to the target only: build scripts are left alone because
/// a `--target` is given.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";

/// The only one on which the flags were tried.
const TARGET: &str = "x86_64-unknown-linux-gnu";

pub(crate) fn main(args: &[String]) -> Result {
    let (own, theirs) = match args.iter().position(|arg| arg == "--") {
        Some(at) => (&args[..at], &args[at + 1..]),
        None => (args, &[][..]),
    };
    let (mut seconds, mut names) = (60, Vec::new());
    let mut own = own.iter();
    while let Some(arg) = own.next() {
        if arg == "--seconds" {
            let value = own.next().and_then(|value| value.parse().ok());
            seconds = value.ok_or("--seconds needs a number")?;
        } else if arg.starts_with('-') {
            return Err(format!("{arg}: not an option of fuzz; libFuzzer's go behind --"));
        } else {
            names.push(arg.clone());
        }
    }
    fuzz(seconds, &names, theirs)
}

/// Builds the fuzz targets and runs these, or all.
pub(crate) fn fuzz(seconds: u64, names: &[String], args: &[String]) -> Result {
    let known = targets()?;
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        return Err(format!("no fuzz target is called {unknown}; there are {}", known.join(", ")));
    }
    let manifest = "fuzz/Cargo.toml";
    let mut build = run::cargo();
    build.args(["build", "--quiet", "--release", "--manifest-path", manifest, "--target", TARGET]);
    if std::env::var_os("CI").is_some() {
        // By hand the lock file follows the library's dependencies; what is checked in must have done so.
        build.arg("--locked");
    }
    run::run(build.env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", "fuzz/target"))?;
    for name in if names.is_empty() { &known } else { names } {
        println!("fuzz: {name} for {seconds} s");
        let (corpus, artifacts) = (format!("fuzz/corpus/{name}"), format!("fuzz/artifacts/{name}/"));
        for folder in [&corpus, &artifacts] {
            std::fs::create_dir_all(folder).map_err(|error| format!("{folder}: {error}"))?;
        }
        let mut fuzzer = Command::new(format!("fuzz/target/{TARGET}/release/{name}"));
        fuzzer
            .arg(&corpus)
            .args([format!("-max_total_time={seconds}"), format!("-artifact_prefix={artifacts}")]);
        // A hang is a finding, and so is an allocation that no honest medium needs.
        fuzzer.args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=0"]);
        let seeds = format!("fuzz/seeds/{name}");
        if Path::new(&seeds).is_dir() {
            fuzzer.arg(seeds);
        }
        run::run(fuzzer.args(args))?;
    }
    Ok(())
}

/// The names of the fuzz targets: one file each.
fn targets() -> Result<Vec<String>> {
    let folder = "fuzz/fuzz_targets";
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let rust = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut names: Vec<String> =
        rust.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}
