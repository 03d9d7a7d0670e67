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

pub(crate) fn run(args: &VerifyArgs, output: &Output) -> Result<Code> {
    let watch: &'static Watch = Box::leak(Box::default());
    let more = args.hash.clone().map(|hashes| hashes.0).unwrap_or_default();
    match &args.source {
        Some(source) => {
            let verified = output
                .watched(watch, || verify_against(&args.image, source, &more, Tuning::default(), watch));
            let (found, record) = verified?;
            report::compared(&found, output);
            if output.json() {
                output.result(&json::comparison(&found));
            }
            let incomplete = record.is_some_and(|record| record.status != "whole");
            Ok(code(found.is_equal(), incomplete))
        }
        None => {
            let found =
                output.watched(watch, || verify_image(&args.image, &more, Tuning::default(), watch))?;
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
    let incomplete = found.record.as_ref().is_some_and(|record| record.status != "whole");
    match (&found.record, found.equal) {
        (None, _) => output.line(&format!("  {image}   has no record to compare with; its digests are")),
        (Some(_), true) if incomplete => {
            output.line(&format!("  {image}   as recorded; some sectors could not be read when it was made"));
        }
        (Some(_), true) => output.line(&format!("  {image}   as recorded, whole")),
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
