//! `ectype verify`.

use crate::args::VerifyArgs;
use crate::exit::Code;
use crate::progress::Output;
use crate::{json, report};
use ectype_core::Result;
use ectype_core::copy::Tuning;
use ectype_core::task::verify::{Verified, verify_against, verify_image};
use ectype_core::watch::Watch;
use std::path::Path;

/// So many faults of a structure are shown.
const MOST_FAULTS: usize = 10;

pub(crate) fn run(args: &VerifyArgs, output: &Output) -> Result<Code> {
    let watch: &'static Watch = Box::leak(Box::default());
    let more = args.hash.clone().map(|hashes| hashes.0).unwrap_or_default();
    let images = args.open.images();
    match &args.source {
        Some(source) => {
            let verified = output.watched(watch, || {
                verify_against(&args.image, &images, source, args.all, &more, Tuning::default(), watch)
            });
            let (found, record) = verified?;
            report::compared(&found, output);
            if output.json() {
                output.result(&json::comparison(&found));
            }
            let incomplete = record.is_some_and(|record| record.status != "whole");
            // The source may be an image that lacks something, too.
            Ok(code(found.is_equal(), incomplete || found.skipped_unreadable > 0))
        }
        None => {
            let found = output
                .watched(watch, || verify_image(&args.image, &images, &more, Tuning::default(), watch))?;
            tell(&found, &args.image, output);
            let incomplete = found.record.as_ref().is_some_and(|record| record.status != "whole");
            if output.json() {
                output.result(&json::verified(&found));
            }
            Ok(code(found.equal, incomplete))
        }
    }
}

/// What `verify IMAGE` found, for people.
pub(crate) fn tell(found: &Verified, path: &Path, output: &Output) {
    let image = report::printable(&path.display().to_string());
    if let Some((image, record)) = found.sizes {
        output.finding(&format!("  the image has {image} bytes, its record says {record}"));
    }
    if !found.differences.is_empty() {
        output.finding("  not what was recorded, somewhere in:");
        report::list(&found.differences, output);
    }
    for name in &found.wrong {
        output.finding(&format!("  its {name} is not the recorded one"));
    }
    for (offset, fault) in found.structure.faults.iter().take(MOST_FAULTS) {
        output.finding(&format!(
            "  at byte {} of the file: {}",
            report::count(*offset),
            report::printable(fault)
        ));
    }
    if found.structure.fault_count > MOST_FAULTS as u64 {
        output.finding(&format!("  … {} faults in all", report::count(found.structure.fault_count)));
    }
    if found.structure.leaked > 0 {
        output.line(&format!("  {} of the file belong to nothing", report::size(found.structure.leaked)));
    }
    for note in &found.structure.notes {
        output.line(&format!("  {}", report::printable(note)));
    }
    let sound = if found.format == "raw" || found.format == "iso" { "" } else { ", its structure is sound" };
    let incomplete = found.record.as_ref().is_some_and(|record| record.status != "whole");
    match (&found.record, found.equal) {
        (None, true) => {
            output.line(&format!("  {image}   has no record to compare with{sound}; its digests are"));
        }
        (None, false) => output.finding(&format!("  {image}   its structure contradicts itself")),
        (Some(_), true) if incomplete => {
            output.line(&format!("  {image}   as recorded; some sectors could not be read when it was made"));
        }
        (Some(_), true) => output.line(&format!("  {image}   as recorded, whole{sound}")),
        (Some(_), false) if found.is_recorded() => {
            output.finding(&format!("  {image}   as recorded, but its structure contradicts itself"));
        }
        (Some(_), false) => output.finding(&format!("  {image}   differs from its record")),
    }
    for (name, digest) in &found.digests {
        output.line(&format!("  {name:<7} {digest}"));
    }
}

fn code(equal: bool, incomplete: bool) -> Code {
    match (equal, incomplete) {
        (false, _) => Code::Differs,
        (true, true) => Code::Incomplete,
        (true, false) => Code::Done,
    }
}
