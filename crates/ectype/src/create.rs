//! `ectype create` and `ectype convert`.

use crate::args::{self, ConvertArgs, CreateArgs, TargetArgs};
use crate::exit::{self, Code};
use crate::progress::Output;
use crate::{json, report};
use ectype_core::copy::{Limits, Tuning};
use ectype_core::error::word;
use ectype_core::os::file::standard_output;
use ectype_core::plan::rescue;
use ectype_core::proof::record::Record;
use ectype_core::source::snapshot::{Own, left};
use ectype_core::task::create::{self, Ended, Options, Outcome, Parts, prepare};
use ectype_core::task::open::{Consistency, Images, recognise};
use ectype_core::watch::Watch;
use ectype_core::{Error, Kind, Result};
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

pub(crate) fn run(args: &CreateArgs, output: &Output) -> Result<Code> {
    if let Some(through) = &args.through {
        let stream = args.image.as_deref().is_some_and(is_stream);
        if stream || is_stream(through) {
            return Err(Error::refused(
                "--through means nothing for an image on standard output: nothing is left of it",
            )
            .advise("in two steps:  ectype create SOURCE FILE;  ectype convert FILE -"));
        }
    }
    let folder =
        std::env::current_dir().map_err(|error| Error::io("asking for the current folder", error))?;
    let options = Options {
        source: args.source.clone(),
        image: args.image.clone(),
        folder,
        hashes: args.hash.clone().map(|hashes| hashes.0),
        consistency: args.consistency.chosen(),
        decrypted: args.decrypted,
        unmount: args.unmount,
        map: args.map.clone(),
        trust_map: args.trust_map,
        verify: args.verify,
        bare: args.bare,
        stream: args.image.as_deref().is_some_and(is_stream),
        parts: Parts { domain: args.domain.clone(), offset: args.offset.unwrap_or(0), size: args.size },
        rescue: rescue::Options {
            retries: args.retries,
            scrape: !args.no_scrape,
            reverse: args.reverse,
            ..rescue::Options::default()
        },
        limits: Limits { errors: args.max_errors, time: args.max_time },
        ..of_target(&args.target)
    };
    match &args.through {
        Some(through) => in_two_steps(options, through, output),
        None => carry_out(options, output, Step::Last),
    }
}

/// Whether the image goes to standard output; a file of that name is `./-`.
pub(crate) fn is_stream(image: &Path) -> bool {
    image == Path::new("-")
}

/// A run may take two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Another one follows.
    Before,
    Last,
}

/// What is damaged is rescued into an image that takes any order, and that is converted.
fn in_two_steps(options: Options, through: &Path, output: &Output) -> Result<Code> {
    let Some(image) = options.image.clone() else {
        return Err(Error::refused("with --through the image wants a name of your own"));
    };
    let packed = Options {
        source: through.to_owned(),
        images: Some(Images::default()),
        hashes: Some(options.hashes.clone().unwrap_or_default()),
        format: options.format,
        subformat: options.subformat.clone(),
        compress: options.compress.clone(),
        base: options.base.clone(),
        overwrite: options.overwrite,
        restart: options.restart,
        no_space_check: options.no_space_check,
        command_line: options.command_line.clone(),
        tuning: options.tuning,
        image: Some(image.clone()),
        ..Options::default()
    };
    create::refuse_early(&packed)?;
    let rescued = Record::of(through)?.filter(|record| record.status == "whole");
    let dry_run = options.dry_run;
    if let Some(record) = &rescued {
        let (from, to) = (word(through), word(&image));
        // What is packed passes for an image of the source.
        recognise(&options.source, record)
            .map_err(|error| error.advise(format!("pack it all the same:  ectype convert {from} {to}")))?;
        output.line(&format!(
            "  {} is whole, made {}: it is packed, and the source is not read again",
            report::printable(&through.display().to_string()),
            report::printable(&record.ended)
        ));
    }
    if rescued.is_none() {
        let rescue = Options {
            image: Some(through.to_owned()),
            format: None,
            subformat: None,
            compress: None,
            base: None,
            ..options
        };
        match carry_out(rescue, output, Step::Before)? {
            Code::Done if dry_run => return Ok(Code::Done),
            Code::Done | Code::Incomplete => {}
            other => return Ok(other),
        }
    }
    // What an earlier round packed of a rescue that has more now.
    let overwrite =
        packed.overwrite || Record::of(&image)?.is_some_and(|record| record.status == "incomplete");
    carry_out(Options { overwrite, dry_run, ..packed }, output, Step::Last)
}

/// `ectype convert`: the same with an opened image as the source.
pub(crate) fn convert(args: &ConvertArgs, output: &Output) -> Result<Code> {
    let options = Options {
        source: args.source.clone(),
        image: Some(args.image.clone()),
        stream: is_stream(&args.image),
        images: Some(args.open.images()),
        hashes: Some(args.hash.0.clone()),
        verify: args.verify,
        ..of_target(&args.target)
    };
    carry_out(options, output, Step::Last)
}

fn of_target(args: &TargetArgs) -> Options {
    let checkpoint_every = Duration::try_from_secs_f64(args.checkpoint).unwrap_or(Duration::from_secs(30));
    Options {
        format: args.format,
        base: args.base.clone(),
        subformat: args.subformat.clone(),
        compress: args.compress.clone(),
        restart: args.restart,
        overwrite: args.overwrite,
        no_space_check: args.no_space_check,
        dry_run: args.dry_run,
        epoch: epoch(),
        command_line: args::command_line(),
        tuning: Tuning { checkpoint_every, ..Tuning::default() },
        ..Options::default()
    }
}

/// The time that reproducible results carry: what the environment's SOURCE_DATE_EPOCH names, as with other programs.
fn epoch() -> Option<u64> {
    std::env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()
}

/// Prints the plan, carries it out, and tells the result.
fn carry_out(options: Options, output: &Output, step: Step) -> Result<Code> {
    let (dry_run, stream) = (options.dry_run, options.stream);
    if stream && !dry_run && std::io::stdout().is_terminal() {
        return Err(Error::refused("an image is nothing for a terminal")
            .advise("lead standard output elsewhere:  ectype create SOURCE - | ssh HOST \"cat > x.img\""));
    }
    let watch: &'static Watch = Box::leak(Box::default());
    let source = options.source.clone();
    let mut prepared = output.opening(&source, watch, || prepare(options))?;
    report::plan(prepared.plan(), output);
    let mut event = json::planned(prepared.plan());
    event["event"] = "plan".into();
    output.event(&event);
    if dry_run {
        report::forecast(prepared.plan(), output);
        if output.json() {
            output.result(&json::planned(prepared.plan()));
        }
        return Ok(Code::Done);
    }
    if prepared.asks() {
        let volumes = prepared.plan().decrypts.join(", ");
        match output.ask(&format!("  The image of {volumes} will not be encrypted. Go on? [y/N]")) {
            Some(answer) if is_yes(&answer) => prepared.decrypt(),
            _ => return Err(prepared.undecided()),
        }
    }
    if prepared.plan().consistency == Consistency::Snapshot {
        offer_removal(output);
    }
    let outcome = if stream {
        let out = standard_output().map_err(|error| Error::io("asking for standard output", error))?;
        output.watched(watch, || prepared.stream(out, watch))?
    } else {
        output.watched(watch, || prepared.run(watch))?
    };
    Ok(tell(&outcome, output, step))
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

/// Snapshots that a crash left take room, and slow down what is written: they are removed where somebody agrees. They are no
/// reason to make no image.
fn offer_removal(output: &Output) {
    for left in left(&Own) {
        let image = report::printable(&left.image);
        let found = format!("an earlier run, of {image}, left the snapshots {}", left.set);
        let question = format!("  {found}\n  Remove them? [y/N]");
        match output.ask(&question) {
            Some(answer) if is_yes(&answer) => {
                if let Err(error) = left.remove(&Own) {
                    output.error(&error, error.advice());
                }
            }
            Some(_) => {}
            None => output.remark(&format!("{found}; remove them:  {}", left.command())),
        }
    }
}

/// Tells the result and chooses the exit status.
pub(crate) fn tell(outcome: &Outcome, output: &Output, step: Step) -> Code {
    let advice = match &outcome.status {
        Ended::Stopped(error) => {
            // What the library cannot know: with --restart the same command would begin anew.
            let same = args::same_command(&[]);
            exit::advice(error).iter().map(|line| line.replace("the same command", &same)).collect::<Vec<_>>()
        }
        Ended::Whole | Ended::Incomplete => Vec::new(),
    };
    report::created(outcome, output);
    // One result of one run: that of the step at which it ended.
    let goes_on = step == Step::Before && matches!(outcome.status, Ended::Whole | Ended::Incomplete);
    let result = json::created(outcome, &advice);
    if !goes_on {
        let mut done = result.clone();
        done["event"] = "done".into();
        output.event(&done);
    }
    let code = code(outcome, &advice, output);
    // Last, for those who read it behind everything else that is on standard error.
    if output.json() && !goes_on {
        output.result(&result);
    }
    code
}

/// The exit status; tells the errors behind it.
fn code(outcome: &Outcome, advice: &[String], output: &Output) -> Code {
    let differs = matches!(&outcome.verified, Some(Ok(verified)) if !verified.is_equal());
    match &outcome.status {
        Ended::Stopped(error) => {
            output.error(error, advice);
            if error.kind() == Kind::Cancelled { Code::Interrupted } else { Code::Stopped }
        }
        _ if differs => Code::Differs,
        _ if let Some(Err(error)) = &outcome.verified => {
            let source = word(Path::new(&outcome.plan.source.path));
            let again = format!(
                "the image is made; compare again:  ectype verify {} {source}",
                word(&outcome.plan.image)
            );
            output.error(error, &[again]);
            if error.kind() == Kind::Cancelled { Code::Interrupted } else { Code::Failed }
        }
        // A copy would pass for proof of what it is not.
        _ if outcome.not_recorded => Code::Differs,
        Ended::Incomplete => Code::Incomplete,
        Ended::Whole => Code::Done,
    }
}
