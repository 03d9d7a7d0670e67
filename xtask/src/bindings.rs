//! The Windows bindings: one committed file, made from a list of names.

use crate::{Result, run};
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) const HELP: &str = "\
cargo xtask bindings [--check]

Writes crates/ectype-core/src/os/windows/bindings.rs from the names in xtask/bindings/names.txt, by Microsoft's metadata.

  --check   writes nothing, and fails where the file is not what would be written";

const FILE: &str = "crates/ectype-core/src/os/windows/bindings.rs";

pub(crate) fn main(args: &[String]) -> Result {
    match args {
        [] => {
            make(Path::new(FILE))?;
            println!("bindings: {FILE}");
            Ok(())
        }
        [arg] if arg == "--check" => check(),
        [arg, ..] => Err(format!("{arg}: bindings takes --check or nothing")),
    }
}

/// Fails where the committed file is not what would be made.
pub(crate) fn check() -> Result {
    let fresh = run::root().join("target/bindings.rs");
    make(&fresh)?;
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    if read(&fresh)? != read(Path::new(FILE))? {
        return Err(format!("{FILE} is not what xtask/bindings makes: run cargo xtask bindings"));
    }
    println!("bindings: as they are made");
    Ok(())
}

fn make(out: &Path) -> Result {
    run::run(run::cargo().args(["run", "--quiet", "--package", "ectype-bindings", "--"]).arg(out))?;
    // As `cargo fmt` would leave it.
    run::run(Command::new("rustfmt").args(["--edition", "2024", "--config-path", "."]).arg(out))
}
