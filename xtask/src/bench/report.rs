//! The tables, as markdown that reads well on a terminal too.

use super::data::Content;
use super::figures::{Figure, Measure, Role};
use super::measure::{Sample, Samples, Toll, median};
use std::fmt::Write;

/// A figure's table, and under it what was promised.
pub(crate) fn table(figure: &Figure, samples: &[Samples]) -> String {
    let medians: Vec<Option<f64>> = samples.iter().map(|samples| median_of(samples, Measure::Time)).collect();
    let peers = figure.variants.iter().zip(&medians).filter(|(variant, _)| variant.role == Role::Peer);
    let fastest = peers
        .filter_map(|(variant, median)| Some((variant.name.as_str(), (*median)?)))
        .min_by(|one, other| one.1.total_cmp(&other.1));

    let mut text = String::new();
    let rounds = samples.iter().flatten().map(Vec::len).max().unwrap_or(0);
    let mib = figure.size >> 20;
    // Writing to a string cannot fail.
    let mut line = |line: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{line}");
    };
    line(format_args!("## {}: {}, {mib} MiB, n = {rounds}\n", figure.name, figure.what));
    let mut columns = vec!["wall s", "min", "max", "MB/s", "CPU s", "peak MiB", "of fastest peer"];
    let is_damaged = matches!(figure.content, Content::Damaged { .. });
    if is_damaged {
        columns.extend(["reads", "failed", "lost"]);
    }
    let weighs = figure.promises.iter().any(|promise| promise.of == Measure::Room);
    if weighs {
        columns.push("MiB out");
    }
    line(format_args!("| {:32} | {} |", "variant", columns.join(" | ")));
    line(format_args!(
        "|{:-<34}|{}",
        "",
        columns.iter().map(|name| format!("{:->1$}:|", "", name.len() + 1)).collect::<String>()
    ));
    for (variant, samples) in figure.variants.iter().zip(samples) {
        let name = match variant.role {
            Role::Ours => format!("**{}**", variant.name),
            Role::Peer => variant.name.clone(),
            Role::Floor => format!("({})", variant.name),
        };
        match samples {
            Ok(samples) if !samples.is_empty() => {
                let walls = || samples.iter().map(|sample| sample.wall.as_secs_f64());
                let wall = median(walls());
                let (min, max) = (walls().fold(f64::INFINITY, f64::min), walls().fold(0.0, f64::max));
                let rate = figure.size as f64 / wall / 1e6;
                let cpu = median(samples.iter().map(|sample| sample.cpu));
                let peak = median(samples.iter().map(|sample| sample.peak_kib as f64 / 1024.0));
                let ratio = fastest.map_or(f64::NAN, |(_, fastest)| wall / fastest);
                let mut more = if is_damaged { toll(samples) } else { String::new() };
                if weighs {
                    let room = median(samples.iter().map(|sample| sample.room as f64 / f64::from(1 << 20)));
                    let _ = write!(more, " {room:7.1} |");
                }
                line(format_args!(
                    "| {name:32} | {wall:6.3} | {min:.3} | {max:.3} | {rate:4.0} | {cpu:5.2} | {peak:8.1} | {ratio:15.2} |{more}"
                ));
            }
            Ok(_) => line(format_args!("| {name:32} | not run |")),
            Err(error) => line(format_args!("| {name:32} | FAILED: {} |", error.replace('|', "/"))),
        }
    }
    line(format_args!(""));
    let ours = figure.variants.iter().position(|variant| variant.role == Role::Ours);
    for promise in &figure.promises {
        let ours = ours.and_then(|index| median_of(&samples[index], promise.of));
        let other = match promise.against {
            None => fastest,
            Some(name) => {
                let index = figure.variants.iter().position(|variant| variant.name == name);
                index.and_then(|index| Some((name, median_of(&samples[index], promise.of)?)))
            }
        };
        let against = match (promise.against, other) {
            (None, Some((name, _))) => format!("the fastest peer ({name})"),
            (None, None) => "the fastest peer".to_owned(),
            (Some(name), _) => name.to_owned(),
        };
        let verdict = match (ours, other) {
            (Some(ours), Some((_, other))) => {
                let word = if ours / other <= promise.ratio { "MET" } else { "MISSED" };
                // Where a hundredth decides, the verdict should not look like a mistake.
                format!("{:.3}, {word}", ours / other)
            }
            _ => "NOT MEASURED".to_owned(),
        };
        let what = match promise.of {
            Measure::Time => "target",
            Measure::Reads => "target for reads",
            Measure::Failed => "target for failed reads",
            Measure::Room => "target for the output's size",
        };
        line(format_args!("- {what}: at most {:.2} of {against}: {verdict}", promise.ratio));
    }
    if rounds < 5 {
        line(format_args!("- fewer than five rounds: a glance, not a result"));
    }
    text
}

fn median_of(samples: &Samples, of: Measure) -> Option<f64> {
    let samples = samples.as_ref().ok().filter(|samples| !samples.is_empty())?;
    let number = |sample: &Sample| match of {
        Measure::Time => Some(sample.wall.as_secs_f64()),
        Measure::Reads => sample.damage.map(|toll| toll.reads as f64),
        Measure::Failed => sample.damage.map(|toll| toll.failed as f64),
        Measure::Room => (sample.room > 0).then_some(sample.room as f64),
    };
    Some(median(samples.iter().map(number).collect::<Option<Vec<f64>>>()?.into_iter()))
}

/// The columns of a damaged disk.
fn toll(samples: &[Sample]) -> String {
    let of = |number: fn(Toll) -> f64| median(samples.iter().filter_map(|sample| sample.damage).map(number));
    let (reads, failed) = (of(|toll| toll.reads as f64), of(|toll| toll.failed as f64));
    format!(" {reads:5.0} | {failed:6.0} | {:4.0} |", of(|toll| toll.lost as f64))
}
