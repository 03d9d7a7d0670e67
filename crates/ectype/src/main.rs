//! `ectype`: faithful images of discs and disks.
//!
//! ```text
//!   args      what may be asked           report    sizes, plans and results in words
//!   create restore verify devices info    json      the same as JSON
//!   map demo      one verb a file         progress  the moving line, or a log, or JSON lines
//! ```
//!
//! The library does the work and prints nothing; everything that a person or a program reads is composed here.

mod args;
mod create;
mod demo;
mod devices;
mod exit;
mod info;
mod json;
mod map;
mod progress;
mod report;
mod restore;
mod verify;

use args::Verb;
use std::process::ExitCode;

fn main() -> ExitCode {
    ectype_core::os::host::limits_are_errors();
    if let Some(refusal) = args::asked_for_later(std::env::args_os().skip(1)) {
        return exit::refused(&refusal, args::wants_json());
    }
    let cli = match args::parsed() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error, args::wants_json()),
    };
    let output = progress::Output::new(&cli.common, cli.verb.as_ref().is_some_and(Verb::streams));
    let code = match &cli.verb {
        None => devices::overview(&output),
        Some(Verb::Create(args)) => create::run(args, &output),
        Some(Verb::Convert(args)) => create::convert(args, &output),
        Some(Verb::Restore(args)) => restore::run(args, &output),
        Some(Verb::Verify(args)) => verify::run(args, &output),
        Some(Verb::Devices) => devices::run(&output),
        Some(Verb::Info(args)) => info::run(args, &output),
        Some(Verb::Map(args)) => map::run(args, &output),
        Some(Verb::Demo(args)) => demo::run(args, &output),
        Some(Verb::Completions(args)) => args::completions(args),
        Some(Verb::Man(args)) => args::man(args),
    };
    let code = code.unwrap_or_else(|error| exit::failed(&error, &output));
    match output.lost() {
        Some(error) if code == exit::Code::Done => exit::failed(&error, &output).into(),
        // What happened stays the answer.
        Some(error) => {
            output.error(&error, &[]);
            code.into()
        }
        None => code.into(),
    }
}
