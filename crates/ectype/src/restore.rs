//! `ectype restore`.

use crate::args::RestoreArgs;
use crate::create::is_stream;
use crate::exit::{self, Code};
use crate::progress::Output;
use crate::{args, json, report};
use ectype_core::copy::Tuning;
use ectype_core::error::{option, word};
use ectype_core::task::restore::{Ended, Options, Outcome, Plan, Side, prepare};
use ectype_core::watch::Watch;
use ectype_core::{Error, Kind, Result};

pub(crate) fn run(args: &RestoreArgs, output: &Output) -> Result<Code> {
    if is_stream(&args.target) {
        return Err(Error::refused(
            "standard output is no target to restore to: nothing there can be read back",
        )
        .advise(format!("send the content:  ectype convert {} -", word(&args.image)))
        .advise("a file of that name is  ./-"));
    }
    let options = Options {
        image: args.image.clone(),
        target: args.target.clone(),
        images: args.open.images(),
        yes: args.yes,
        changed_only: args.changed_only,
        verify: !args.no_verify,
        fix_gpt: args.fix_gpt,
        unused: args.unused,
        force_layout: args.force_layout,
        unmount: args.unmount,
        dry_run: args.dry_run,
        // Neither side is a dying disk, and the read-back has the target to itself.
        tuning: Tuning { depth: 8, buffers: 16, ..Tuning::default() },
    };
    let watch: &'static Watch = Box::leak(Box::default());
    let mut prepared = output.opening(&args.image, watch, || prepare(options))?;
    let by_name = prepared.plan().confirm.first();
    if args.yes
        && args.confirm.is_none()
        && let Some(name) = by_name
    {
        return Err(Error::refused("--yes is for files: a device is overwritten when it is named once more")
            .advise(format!("it is the right one:  {}", option("--confirm", name))));
    }
    if let Some(name) = &args.confirm {
        prepared.confirm(name, false)?;
    }
    let asks = prepared.asks();
    tell_plan(prepared.plan(), asks, output);
    let mut event = json::restoring(prepared.plan());
    event["event"] = "plan".into();
    output.event(&event);
    if args.dry_run {
        output.line("  (a dry run: nothing was held or written)");
        if output.json() {
            output.result(&json::restoring(prepared.plan()));
        }
        return Ok(Code::Done);
    }
    if asks {
        let name = match &prepared.plan().confirm[..] {
            [_] if prepared.plan().target.serial.is_empty() => "path",
            [_] => "serial number",
            _ if prepared.plan().target.serial.is_empty() => "model or path",
            _ => "model or serial number",
        };
        match output.ask(&format!("  Type the {name} of the disk to go on:")) {
            Some(answer) => prepared.confirm(&answer, true)?,
            None => return Err(prepared.unconfirmed()),
        }
    }
    let outcome = output.watched(watch, || prepared.run(watch))?;
    Ok(tell(&outcome, output))
}

/// Both sides, and what else there is to know. Who is asked sees it in any case.
fn tell_plan(plan: &Plan, asks: bool, output: &Output) {
    let say = |text: &str| if asks { output.finding(text) } else { output.line(text) };
    let is_device = !plan.confirm.is_empty();
    // A drive's name has the colon.
    let target = side(&plan.target, is_device, output);
    let target = format!("{}: {}", target.strip_suffix(':').unwrap_or(&target), content(&plan.target));
    say(&format!(
        "  This overwrites   {}",
        if is_device { target } else { side(&plan.target, false, output) }
    ));
    let image = &plan.image;
    let mut with = format!("{}, {}, {}", side(image, false, output), plan.format, content(image));
    if let Some(made) = &image.made {
        with += &format!(", made {}", made.get(..10).unwrap_or(made));
        if !image.model.is_empty() {
            with += &format!(" from {}", report::printable(&image.model));
        }
    }
    say(&format!("  with              {with}"));
    for reason in &plan.why {
        output.line(&format!("  {}", report::printable(reason)));
    }
}

/// `SanDisk Ultra (4C53…), 28.6 GiB, /dev/sdc`.
fn side(side: &Side, is_device: bool, output: &Output) -> String {
    let path = report::printable(&side.path.display().to_string());
    if !is_device {
        return format!("{}, {}", output.strong(&path), report::size(side.size));
    }
    let mut name =
        if side.model.is_empty() { side.medium.to_owned() } else { report::printable(&side.model) };
    if !side.serial.is_empty() {
        name += &format!(" ({})", report::printable(&side.serial));
    }
    format!("{}, {}, {path}", output.strong(&name), report::size(side.size))
}

/// `3 partitions: EFI (vfat), ext4 "root"`.
fn content(side: &Side) -> String {
    let content = &side.content;
    let shown: Vec<String> = content
        .partitions
        .iter()
        .flat_map(|partition| &partition.filesystems)
        .chain(&content.filesystems)
        .take(4)
        .map(report::volume)
        .collect();
    let list = shown.join(", ");
    match (content.partitions.len(), shown.is_empty()) {
        (0, true) => "nothing that is known".to_owned(),
        (0, false) => list,
        (1, true) => "1 partition".to_owned(),
        (1, false) => format!("1 partition, {list}"),
        (count, true) => format!("{count} partitions"),
        (count, false) => format!("{count} partitions, {list}"),
    }
}

/// The result: what the target holds now, and why that may be believed.
fn tell(outcome: &Outcome, output: &Output) -> Code {
    let plan = &outcome.plan;
    let target = output.strong(&report::printable(&plan.target.path.display().to_string()));
    let counts = &outcome.counts;
    let did = {
        let mut did = vec![format!("{} written", report::size(counts.written))];
        for (bytes, what) in [
            (counts.zeroed, "zeros"),
            (counts.same, "held already"),
            (counts.kept, "left as it was"),
            (counts.discarded, "discarded"),
        ] {
            if bytes > 0 {
                did.push(format!("{} {what}", report::size(bytes)));
            }
        }
        did.join(", ")
    };
    let timing = report::took(outcome.seconds);
    let advice = match &outcome.status {
        Ended::Stopped(error) => advice(error, plan.confirm.is_empty(), held(outcome)),
        _ => Vec::new(),
    };
    match &outcome.status {
        Ended::Whole | Ended::Incomplete => {
            let proof = match &outcome.read_back {
                Some(found) => format!("{} read back and equal", report::size(found.compared)),
                None => "not read back".to_owned(),
            };
            output.line(&format!("  {target}   restored: {did}; {proof}   {timing}"));
        }
        Ended::Differs => {
            output.finding(&format!("  {target}   does not hold what the image does: {did}   {timing}"))
        }
        Ended::Stopped(_) => {
            let how = if outcome.is_written { "restored, and not proven" } else { "restored in part" };
            output.finding(&format!("  {target}   {how}: {did}   {timing}"));
        }
    }
    if !outcome.unwritable.is_empty() {
        output.finding(&format!("  {} could not be written:", report::size(outcome.unwritable.bytes())));
        report::list(&outcome.unwritable, output);
    }
    if let Some(found) = &outcome.read_back {
        if found.differing > 0 {
            output.finding(&format!("  {} are not what was written:", report::size(found.differing)));
            report::list(&found.differences, output);
        }
        if !found.unreadable.is_empty() {
            output.finding(&format!("  {} cannot be read back:", report::size(found.unreadable.bytes())));
            report::list(&found.unreadable, output);
        }
    }
    if outcome.not_recorded {
        output.finding(
            "  what was written is not what the record of the image says: the image was changed since",
        );
    }
    if !outcome.unreadable.is_empty() {
        output.finding(&format!(
            "  {} are zeros that the image does not hold:",
            report::size(outcome.unreadable.bytes())
        ));
        report::list(&outcome.unreadable, output);
    }
    if let Some(tree) = &outcome.tree {
        let shown = if output.verbose() { tree.clone() } else { report::short(tree) };
        output.line(&format!("  tree  {shown}"));
    }
    for note in &outcome.notes {
        output.finding(&format!("  {}", report::printable(note)));
    }
    if output.json() {
        output.result(&json::restored(outcome, &advice));
    }
    let mut done = json::restored(outcome, &advice);
    done["event"] = "done".into();
    output.event(&done);
    match &outcome.status {
        Ended::Whole => Code::Done,
        Ended::Incomplete => Code::Incomplete,
        Ended::Differs => Code::Differs,
        Ended::Stopped(error) => {
            output.error(error, &advice);
            stopped(error.kind(), held(outcome), !outcome.unwritable.is_empty())
        }
    }
}

/// What the target holds after a restore that stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// What it held before.
    Before,
    Part,
    /// Everything, though nothing proves it.
    All,
}

/// A file loses what it held, or its end, before anything is written.
fn held(outcome: &Outcome) -> Held {
    let (counts, plan) = (&outcome.counts, &outcome.plan);
    let is_cut = plan.confirm.is_empty() && (!plan.changed_only || plan.target.size != plan.image.size);
    match () {
        () if outcome.is_written => Held::All,
        () if is_cut || counts.written + counts.zeroed + counts.discarded > 0 => Held::Part,
        () => Held::Before,
    }
}

/// The exit status of a restore that stopped.
fn stopped(kind: Kind, held: Held, is_unwritable: bool) -> Code {
    match kind {
        Kind::Cancelled => Code::Interrupted,
        Kind::Gone | Kind::Limit | Kind::Changed => Code::Stopped,
        _ if is_unwritable => Code::Differs,
        _ if held == Held::Before => Code::Failed,
        // No repetition mends what the image holds: the target stays other than it.
        Kind::Corrupt => Code::Differs,
        _ => Code::Stopped,
    }
}

/// A rerun writes only what is missing; a file is there by then.
fn advice(error: &Error, is_file: bool, held: Held) -> Vec<String> {
    let mut advice = exit::advice(error);
    let goes_on = matches!(error.kind(), Kind::Cancelled | Kind::Gone | Kind::Limit | Kind::Io);
    let again = match held {
        Held::Part if error.kind() == Kind::Corrupt => {
            advice.push(
                "the target holds only a part now, and the image is damaged: restore another one".to_owned(),
            );
            None
        }
        Held::Part => Some("the target holds only a part now; to write what is missing"),
        Held::All => Some("everything was written, and nothing proves that it is kept; to compare it"),
        Held::Before => None,
    };
    if let Some(again) = again.filter(|_| goes_on) {
        let more: &[&str] = if is_file { &["--changed-only", "--yes"] } else { &["--changed-only"] };
        advice.push(format!("{again}:  {}", args::command_line_with(more)));
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_target_that_is_as_it_was_ends_with_1() {
        for (kind, held, unwritable, code) in [
            (Kind::Io, Held::Before, false, Code::Failed),
            (Kind::Corrupt, Held::Before, false, Code::Failed),
            // A flush that failed: the same command writes it again.
            (Kind::Io, Held::Part, false, Code::Stopped),
            (Kind::Corrupt, Held::Part, false, Code::Differs),
            (Kind::Io, Held::Part, true, Code::Differs),
            (Kind::Gone, Held::Part, false, Code::Stopped),
            (Kind::Cancelled, Held::Part, false, Code::Interrupted),
            (Kind::Cancelled, Held::All, false, Code::Interrupted),
            (Kind::Io, Held::All, false, Code::Stopped),
        ] {
            assert_eq!(stopped(kind, held, unwritable), code, "{kind:?} {held:?} {unwritable}");
        }
    }

    #[test]
    fn what_was_written_whole_is_not_called_a_part() {
        let says = |kind, held| advice(&Error::new(kind, "x"), true, held).join("\n");
        assert!(says(Kind::Cancelled, Held::All).contains("everything was written"));
        assert!(!says(Kind::Cancelled, Held::All).contains("a part"));
        assert!(says(Kind::Cancelled, Held::Part).contains("only a part now; to write what is missing"));
        assert!(says(Kind::Corrupt, Held::Part).contains("restore another"));
        assert!(says(Kind::Cancelled, Held::Before).is_empty());
    }
}
