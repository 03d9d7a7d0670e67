//! Exit statuses, and how an error is told.

use crate::args;
use crate::progress::Output;
use ectype_core::{Error, Kind};
use std::io::Write;
use std::process::ExitCode;

/// What the process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done, whole.
    Done = 0,
    /// Failed or refused before anything of value was made.
    Failed = 1,
    /// Finished, but some sectors could not be read.
    Incomplete = 3,
    /// The content differs.
    Differs = 4,
    /// Stopped part-way and resumable.
    Stopped = 5,
    /// Interrupted; resumable.
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// Tells why nothing was made.
pub(crate) fn failed(error: &Error, output: &Output) -> Code {
    let advice = advice(error);
    output.error(error, &advice);
    if output.json() {
        output.result(&crate::json::failure(error, &advice));
    }
    if error.kind() == Kind::Cancelled { Code::Interrupted } else { Code::Failed }
}

/// The same before the command line was parsed.
pub(crate) fn refused(error: &Error, json: bool) -> ExitCode {
    // Nobody may be there to read it.
    let mut err = std::io::stderr();
    if args::wants_json_progress() {
        let _ = writeln!(err, "{}", crate::json::error_event(error, error.advice()));
    } else {
        let lines: String = error.advice().iter().map(|line| format!("\n  {line}")).collect();
        let _ = writeln!(err, "error: {error}{lines}");
    }
    if json {
        print_failure(error);
    }
    Code::Failed.into()
}

fn print_failure(error: &Error) {
    let line = format!("{}\n", crate::json::failure(error, error.advice()));
    // Standard output may be for an image, and what reads it would take this for one.
    let _ = match args::wants_stream() {
        true => std::io::stderr().write_all(line.as_bytes()),
        false => std::io::stdout().write_all(line.as_bytes()),
    };
}

/// Wrong usage, or a wish for help.
pub(crate) fn usage(error: &clap::Error, json: bool) -> ExitCode {
    let text = error.to_string();
    let said = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let failure = Error::refused(said).advise("ectype --help");
    if args::wants_json_progress() && error.use_stderr() {
        let _ = writeln!(std::io::stderr(), "{}", crate::json::error_event(&failure, failure.advice()));
    } else {
        let _ = error.print();
    }
    if json && error.use_stderr() {
        print_failure(&failure);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// What to do: what the library knows, and what only the command line knows.
pub(crate) fn advice(error: &Error) -> Vec<String> {
    let mut advice = error.advice().to_vec();
    let denied = error.io_cause().is_some_and(|cause| cause.kind() == std::io::ErrorKind::PermissionDenied);
    if denied && !ectype_core::os::host::is_privileged() {
        advice.push(ectype_core::os::advice::as_administrator(&args::command_line()));
    }
    advice
}
