//! Chores of the workspace: `cargo xtask VERB`.

mod bench;
mod bindings;
mod ci;
mod dist;
mod fuzz;
mod lab;
mod packages;
mod random;
mod run;
mod rust_source;
mod test;
mod tidy;
mod vss;
mod wine;
mod wine_devices;

use std::process::ExitCode;

/// What a chore ends with; the error is for a person.
type Result<T = ()> = std::result::Result<T, String>;

const HELP: &str = "\
cargo xtask VERB [ARGS]

  install [GROUP...]   the Debian packages that tests, checks or bench need
  test [--install]     all tests, with what was skipped counted
  ci                   everything that must hold before a change lands
  tidy                 the rules of the house, as a test
  bindings [--check]   the Windows bindings of ectype-core, made anew
  vss [NAME...]        snapshots of Windows, judged by a referee under Wine
  fuzz [TARGET]        fuzz the parsers, on stable Rust
  lab [NAME...]        the binary in a guest whose drives fail, vanish and lose power
  wine [NAME...]       the tests as Windows programs, under Wine
  dist                 the programs that are given away, and their checksums
  bench [NAME...]      speed against the other tools, in one run

cargo xtask VERB --help tells more.";

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let verb = if args.is_empty() { String::new() } else { args.remove(0) };
    // Behind `--` the arguments are another program's.
    let help = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--help" || arg == "-h");
    let (text, chore): (&str, fn(&[String]) -> Result) = match verb.as_str() {
        "install" => (packages::HELP, packages::main),
        "test" => (test::HELP, test::main),
        "ci" => (ci::HELP, ci::main),
        "tidy" => (tidy::HELP, tidy::main),
        "fuzz" => (fuzz::HELP, fuzz::main),
        "lab" => (lab::HELP, lab::main),
        "wine" => (wine::HELP, wine::main),
        "bindings" => (bindings::HELP, bindings::main),
        "vss" => (vss::HELP, vss::main),
        "dist" => (dist::HELP, dist::main),
        "bench" => (bench::HELP, bench::main),
        "" | "help" | "--help" | "-h" => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("xtask: no chore is called {other}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if help {
        println!("{text}");
        return ExitCode::SUCCESS;
    }
    // Every chore speaks of files from the root of the workspace.
    let done =
        std::env::set_current_dir(run::root()).map_err(|error| error.to_string()).and_then(|()| chore(&args));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {verb}: {error}");
            ExitCode::FAILURE
        }
    }
}
