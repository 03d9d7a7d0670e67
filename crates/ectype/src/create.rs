//! `ectype create`.

use crate::args::{self, CreateArgs};
use crate::exit::{self, Code};
use crate::progress::Output;
use crate::{json, report};
use ectype_core::copy::{Limits, Tuning};
use ectype_core::error::word;
use ectype_core::plan::rescue;
use ectype_core::task::create::{Ended, Options, Outcome, Parts, prepare};
use ectype_core::watch::Watch;
use ectype_core::{Error, Kind, Result};
use std::path::Path;
use std::time::Duration;

pub(crate) fn run(args: &CreateArgs, output: &Output) -> Result<Code> {
    if args.image.as_deref() == Some(Path::new("-")) {
        return Err(Error::unsupported("an image on standard output is not in this version")
            .advise("a file of that name is  ./-"));
    }
    let folder =
        std::env::current_dir().map_err(|error| Error::io("asking for the current folder", error))?;
    let checkpoint_every = Duration::try_from_secs_f64(args.checkpoint).unwrap_or(Duration::from_secs(30));
    let options = Options {
        source: args.source.clone(),
        image: args.image.clone(),
        folder,
        format: args.format,
        hashes: args.hash.clone().map(|hashes| hashes.0),
        consistency: args.consistency.chosen(),
        map: args.map.clone(),
        restart: args.restart,
        overwrite: args.overwrite,
        trust_map: args.trust_map,
        verify: args.verify,
        no_space_check: args.no_space_check,
        dry_run: args.dry_run,
        command_line: args::command_line(),
        tuning: Tuning { checkpoint_every, ..Tuning::default() },
        parts: Parts { domain: args.domain.clone(), offset: args.offset.unwrap_or(0), size: args.size },
        rescue: rescue::Options {
            retries: args.retries,
            scrape: !args.no_scrape,
            reverse: args.reverse,
            ..rescue::Options::default()
        },
        limits: Limits { errors: args.max_errors, time: args.max_time },
    };
    let watch: &'static Watch = Box::leak(Box::default());
    let prepared = output.opening(&args.source, watch, || prepare(options))?;
    report::plan(prepared.plan(), output);
    let mut event = json::planned(prepared.plan());
    event["event"] = "plan".into();
    output.event(&event);
    if args.dry_run {
        report::forecast(prepared.plan(), output);
        if output.json() {
            output.result(&json::planned(prepared.plan()));
        }
        return Ok(Code::Done);
    }
    let outcome = output.watched(watch, || prepared.run(watch))?;
    Ok(tell(&outcome, output))
}

/// Tells the result and chooses the exit status.
pub(crate) fn tell(outcome: &Outcome, output: &Output) -> Code {
    let advice = match &outcome.status {
        Ended::Stopped(error) => {
            // What the library cannot know: with --restart the same command would begin anew.
            let same = args::same_command(&[]);
            exit::advice(error).iter().map(|line| line.replace("the same command", &same)).collect()
        }
        Ended::Whole | Ended::Incomplete => Vec::new(),
    };
    report::created(outcome, output);
    if output.json() {
        output.result(&json::created(outcome, &advice));
    }
    let mut done = json::created(outcome, &advice);
    done["event"] = "done".into();
    output.event(&done);
    let differs = matches!(&outcome.verified, Some(Ok(verified)) if !verified.is_equal());
    match &outcome.status {
        Ended::Stopped(error) => {
            output.error(error, &advice);
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
        Ended::Incomplete => Code::Incomplete,
        Ended::Whole => Code::Done,
    }
}
