//! Sizes, times, plans and results in words.

use crate::args;
use crate::progress::Output;
use ectype_core::error::word;
use ectype_core::os::advice;
use ectype_core::plan::map::{Cell, Difference, MapFile, Phase, Status};
use ectype_core::proof::identity::Identity;
use ectype_core::proof::record::Missing;
use ectype_core::task::create::{Ended, Outcome, Plan};
use ectype_core::task::verify::Comparison;
use ectype_core::{Extent, Extents, fs};
use std::path::Path;
use std::time::Duration;

/// Bytes in the largest unit that leaves a number of at least one: `690.2 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    match bytes {
        1 => return "1 byte".to_owned(),
        0..1024 => return format!("{bytes} bytes"),
        _ => {}
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A number with its thousands apart: `353 390`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `0:50`, `2:11:04`.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `2 min 11 s`, `0.8 s`.
pub(crate) fn took(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// The same of a time that nobody measures: `3 s`, `2 min 11 s`.
pub(crate) fn lasted(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => took(seconds as f64),
    }
}

/// Text from a disk, as it may be shown on a terminal: a label must not move the cursor or colour the screen.
pub(crate) fn printable(text: &str) -> String {
    // Control characters, and those that turn the direction of what follows or break the line.
    let plays = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if plays(c) { '\u{fffd}' } else { c }).collect()
}

/// A cell of the picture of a map.
pub(crate) fn glyph(cell: Cell) -> char {
    match cell {
        Cell::NonTried => '░',
        Cell::Finished => '█',
        Cell::Mixed => '▓',
        Cell::NonTrimmed | Cell::NonScraped => '▒',
        Cell::Bad => '!',
    }
}

/// A digest, short enough for a line.
pub(crate) fn short(digest: &str) -> String {
    match (digest.get(..8), digest.get(digest.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if digest.len() > 16 => format!("{head}…{tail}"),
        _ => digest.to_owned(),
    }
}

/// `ISO 9660 + Joliet "PHOTOS_2004"`.
pub(crate) fn volume(facts: &fs::Facts) -> String {
    let mut text = match facts.kind {
        "iso9660" => "ISO 9660".to_owned(),
        "udf" => "UDF".to_owned(),
        // Which of the FATs it is says it all.
        "vfat" if !facts.note.is_empty() => String::new(),
        kind => kind.to_owned(),
    };
    for note in &facts.note {
        text += if text.is_empty() { "" } else { " + " };
        text += note;
    }
    if !facts.label.is_empty() {
        text += &format!(" \"{}\"", printable(&facts.label));
    }
    text
}

/// `TSSTcorp CDDVDW SH-224 (S4XY…)`.
pub(crate) fn model(source: &Identity) -> String {
    let mut name = if source.model.is_empty() { source.path.clone() } else { source.model.clone() };
    if !source.serial.is_empty() {
        name += &format!(" ({})", source.serial);
    }
    printable(&name)
}

/// `vhdx dynamic`, `qcow2 v3, zstd level 3`.
fn kind(plan: &Plan) -> String {
    let spec = &plan.spec;
    let mut kind = plan.format.name.to_owned();
    if !spec.subformat.is_empty() {
        kind += &format!(" {}", spec.subformat);
    }
    if !matches!(spec.compression.as_str(), "" | "none") {
        kind += &format!(", {}", spec.compression);
        kind += &spec.level.map_or(String::new(), |level| format!(" level {level}"));
    }
    kind
}

fn image_name(plan: &Plan) -> String {
    match plan.stream {
        true => "standard output".to_owned(),
        false => printable(&plan.image.display().to_string()),
    }
}

/// The plan: what will be done, and why.
pub(crate) fn plan(plan: &Plan, output: &Output) {
    let mut facts = vec![output.strong(&model(&plan.source))];
    if let Some(tracks) = plan.tracks {
        facts.push(format!("{tracks} data track{}", if tracks == 1 { "" } else { "s" }));
    }
    facts.extend(plan.volumes.iter().take(2).map(volume));
    let sectors = plan.source.size / u64::from(plan.source.sector_size.max(1));
    facts.push(match plan.source.medium.as_str() {
        "file" => size(plan.source.size),
        _ => format!("{} ({} sectors)", size(plan.source.size), count(sectors)),
    });
    output.line(&facts.join("  ·  "));
    let image = image_name(plan);
    output.line(&format!("→ {}   {}", output.strong(&image), kind(plan)));
    for reason in &plan.why {
        output.line(&format!("  {}", printable(reason)));
    }
    if !plan.hashes.is_empty() {
        let names: Vec<_> = plan.hashes.iter().map(|hash| hash.name()).collect();
        output.line(&format!("  digests: {}", names.join(", ")));
    }
    if let Some(held) = plan.held {
        output.line(&format!("  goes on with an unfinished image: {} of it are held", size(held)));
    }
    if plan.compare
        && plan.failed > 0
        && let Some(command) = args::command_line_trusting()
    {
        output.line(&format!(
            "  {} of it could not be read. If the drive is dying and nothing wrote to it, run this instead:",
            size(plan.failed)
        ));
        output.line(&format!("    {}", printable(&command)));
    }
}

/// What a dry run adds: the forecast.
pub(crate) fn forecast(plan: &Plan, output: &Output) {
    let room = plan.available.map(|room| format!(", with room for {}", size(room))).unwrap_or_default();
    let does = if plan.stream { "sends" } else { "takes" };
    output.line(&format!("  {does} at most {}{room}", size(plan.worst_case)));
    output.line("  (a dry run: nothing was locked or written)");
}

/// The result: what there is now, and how to trust it.
pub(crate) fn created(outcome: &Outcome, output: &Output) {
    let image = image_name(&outcome.plan);
    let timing = match (outcome.read_now, outcome.seconds) {
        (read, seconds) if read > 0 && seconds > 0.0 => {
            format!("{}, {}/s", took(seconds), size((read as f64 / seconds) as u64))
        }
        (_, seconds) => took(seconds),
    };
    match &outcome.status {
        Ended::Whole => {
            output.line(&format!("  {}   {}, whole   {timing}", output.strong(&image), size(outcome.size)));
        }
        Ended::Incomplete => {
            let sector = u64::from(outcome.plan.source.sector_size.max(1));
            let lost = outcome.unreadable.bytes();
            output.finding(&format!(
                "  {}   complete but for {} sector{} ({}) that could not be read:",
                output.strong(&image),
                count(lost.div_ceil(sector)),
                if lost.div_ceil(sector) == 1 { "" } else { "s" },
                size(lost)
            ));
            list(&outcome.unreadable, output);
            if let Some(gap) = gap(&outcome.missing) {
                output.finding(&format!("  {gap}"));
            }
            if outcome.missing.unscraped > 0 {
                output.finding(&format!(
                    "  {} of it was not tried sector by sector; {} does that.",
                    size(outcome.missing.unscraped),
                    args::same_command(&["--no-scrape"])
                ));
            }
        }
        Ended::Stopped(_) if let Some(sent) = outcome.sent => output.finding(&format!(
            "  {}   broken off: {} were sent, and are no image",
            output.strong(&image),
            size(sent)
        )),
        Ended::Stopped(error) => {
            let held = outcome.bytes.read + outcome.bytes.zero;
            // What is another source now is begun anew, as the error says, and parts that are done want another command.
            let is_told =
                |advice: &String| advice.contains("--restart") || advice.contains("without --domain");
            let how = match error.advice().iter().any(is_told) {
                true => String::new(),
                false => format!("; {} goes on with it", args::same_command(&[])),
            };
            output.finding(&format!(
                "  {}   unfinished: {} of {} are held{how}",
                output.strong(&image),
                size(held),
                size(outcome.size),
            ));
            if let Some(how) = trusting(outcome, "goes on") {
                output.finding(&format!("  {how}"));
            }
        }
    }
    if outcome.not_recorded {
        output.finding(&format!(
            "  {} was not what its own record says: it was changed since, and so is this copy of it (ectype verify {} tells where)",
            printable(&outcome.plan.source.path),
            printable(&word(Path::new(&outcome.plan.source.path)))
        ));
    }
    if !outcome.digests.is_empty() {
        // Of what was sent there is no record that would have them whole.
        let whole = output.verbose() || outcome.sent.is_some();
        let digest = |(name, value): (&String, &String)| {
            format!("{name}  {}", if whole { value.clone() } else { short(value) })
        };
        output.line(&format!("  {}", outcome.digests.iter().map(digest).collect::<Vec<_>>().join("   ")));
    }
    if let Some(record) = &outcome.record {
        let record = printable(&record.display().to_string());
        let is_listed = outcome.plan.format.is_bytes && outcome.digests.contains_key("sha256");
        let check = match is_listed {
            true => printable(&format!("; {}", advice::check_digest(&outcome.plan.image))),
            false => String::new(),
        };
        output.line(&format!("  record: {record}{check}"));
    }
    if let Some(run_out) = outcome.run_out {
        let sectors = run_out.len / u64::from(outcome.plan.source.sector_size.max(1));
        output.line(&format!(
            "  The drive reports {sectors} sectors more than were written (run-out of a track-at-once disc); they are not part of the image."
        ));
    }
    if let (Ended::Incomplete, Some(map)) = (&outcome.status, &outcome.map) {
        let map = printable(&map.display().to_string());
        output.finding(&format!("  map: {map}   {}", what_next(outcome)));
    }
    if let Some(Ok(verified)) = &outcome.verified {
        compared(verified, output);
    }
}

/// What of the missing sectors is no damage.
pub(crate) fn gap(missing: &Missing) -> Option<String> {
    let Missing { sectors, unwritten_sectors: unwritten, .. } = *missing;
    let which = match unwritten {
        0 => return None,
        1 if sectors == 1 => "It was".to_owned(),
        _ if unwritten == sectors => "All of these sectors were".to_owned(),
        1 => "1 of these sectors was".to_owned(),
        _ => format!("{} of these sectors were", count(unwritten)),
    };
    Some(format!("{which} never written, as the drive says: a gap, no damage."))
}

/// How the missing sectors may yet be had.
fn what_next(outcome: &Outcome) -> String {
    if outcome.missing.unwritten_bytes == outcome.missing.bytes {
        return "There was nothing to read.".to_owned();
    }
    trusting(outcome, "tries those sectors again").unwrap_or_else(|| {
        let source = &outcome.plan.source;
        // A demonstration makes a disc of a file.
        let is_disc = source.medium == "optical" || (source.medium == "file" && source.sector_size == 2048);
        let same = args::same_command(&[]);
        if is_disc {
            format!("Clean the disc or try another drive, then run {same}: it tries those sectors again.")
        } else {
            format!("To try those sectors again, run {same}; with --retries 3, three times.")
        }
    })
}

/// Of a medium of which nothing may prove that it did not change: the command that a dying one bears, where it is another.
fn trusting(outcome: &Outcome, does: &str) -> Option<String> {
    let command = printable(&args::command_line_trusting().filter(|_| outcome.rereads)?);
    Some(format!(
        "If nothing writes to the source, this {does} (without --trust-map all of it may be read again first, which a dying drive may not bear):\n    {command}"
    ))
}

/// A rescue map: a picture of all of it, and the numbers of `domain`.
pub(crate) fn map(name: &str, file: &MapFile, domain: &Extents, width: usize, output: &Output) {
    const LINES: usize = 4;
    let map = &file.map;
    output.line(&format!("{}   rescue map of {}", output.strong(&printable(name)), size(map.size())));
    for line in map.picture(width * LINES).chunks(width) {
        output.line(&format!("  {}", line.iter().map(|cell| glyph(*cell)).collect::<String>()));
    }
    let runs: Vec<_> = map.within(domain).collect();
    let all = runs.iter().map(|run| run.0.len).sum();
    let spoken = map.extent();
    if spoken.offset > 0 {
        output.line(&format!("  it begins at byte {}", count(spoken.offset)));
    }
    if all < spoken.len {
        output.line(&format!("  of {} of it:", size(all)));
    }
    let row = |status: &Status| {
        let areas = runs.iter().filter(|run| run.1 == *status).count() as u64;
        let bytes = runs.iter().filter(|run| run.1 == *status).map(|run| run.0.len).sum();
        (areas > 0).then(|| {
            let plural = if areas == 1 { "" } else { "s" };
            let (bytes, share) = (size(bytes), share(bytes, all));
            format!("  {:<11} {bytes:>12}  {share:>6} %  in {} area{plural}", status.name(), count(areas))
        })
    };
    // Finished first: it is what one hopes to see.
    let order = [&Status::Finished].into_iter().chain(&Status::ALL[..4]);
    for line in order.filter_map(row) {
        output.line(&line);
    }
    let standing = match (file.current_status, file.current_pos, file.current_pass) {
        // What a map says that nobody is at work on.
        (Phase::Copying, 0, 1) => return,
        (Phase::Finished, ..) => "its last run came to its end".to_owned(),
        (phase, position, pass) => format!("{}, pass {pass}, at byte {}", phase.name(), count(position)),
    };
    output.line(&format!("  {:<11} {standing}", "phase"));
}

/// Percents that are 0 or 100 only where nothing or all is meant.
fn share(part: u64, all: u64) -> String {
    match (part, all) {
        (0, _) => "0".to_owned(),
        _ if part == all => "100".to_owned(),
        _ => format!("{:.1}", (part as f64 * 100.0 / all as f64).clamp(0.1, 99.9)),
    }
}

/// Where two maps differ.
pub(crate) fn map_comparison(differences: &[Difference], compared: u64, output: &Output) {
    if differences.is_empty() {
        output.line(&format!("  equal: {} compared", size(compared)));
        return;
    }
    let bytes = differences.iter().map(|found| found.at.len).sum();
    let plural = if differences.len() == 1 { "" } else { "s" };
    let places = count(differences.len() as u64);
    output.finding(&format!("  differs in {places} place{plural} ({} of {})", size(bytes), size(compared)));
    let shown = if output.verbose() { usize::MAX } else { 10 };
    let name = |status: Option<Status>| status.map_or("nothing", Status::name);
    for found in differences.iter().take(shown) {
        let place = place(found.at);
        output.finding(&format!("      {place:<42}  {}, {}", name(found.one), name(found.other)));
    }
    if differences.len() > shown {
        let more = count((differences.len() - shown) as u64);
        output.finding(&format!("      … and {more} more places (-v lists them)"));
    }
}

/// What a comparison found.
pub(crate) fn compared(found: &Comparison, output: &Output) {
    if let Some((image, record)) = found.resized {
        output.finding(&format!("  the image has {} bytes, its record says {}", count(image), count(record)));
    }
    if let Some((image, source)) = found.sizes {
        output.finding(&format!("  the image has {} bytes, the source {}", count(image), count(source)));
    }
    if found.differing > 0 {
        output.finding(&format!(
            "  differs in {} place{} ({} of {})",
            count(found.differences.count() as u64),
            if found.differences.count() == 1 { "" } else { "s" },
            size(found.differing),
            size(found.compared)
        ));
        list(&found.differences, output);
    }
    if !found.unreadable.is_empty() {
        output.finding(&format!("  {} of the source cannot be read now:", size(found.unreadable.bytes())));
        list(&found.unreadable, output);
    }
    if found.is_equal() {
        output.line(&format!("  equal: {} compared", size(found.compared)));
    }
    for (name, digest) in &found.digests {
        output.line(&format!("  {name:<7} {digest}   (of the source)"));
    }
    if found.skipped_unreadable > 0 {
        output.line(&format!(
            "  not compared: {} that the image is known not to hold",
            size(found.skipped_unreadable)
        ));
    }
}

/// The first extents of a list, one a line.
pub(crate) fn list(extents: &Extents, output: &Output) {
    let shown = if output.verbose() { usize::MAX } else { 10 };
    for at in extents.iter().take(shown) {
        output.finding(&format!("      {}", place(at)));
    }
    if extents.count() > shown {
        output.finding(&format!(
            "      … and {} more places (-v lists them)",
            count((extents.count() - shown) as u64)
        ));
    }
}

fn place(at: Extent) -> String {
    format!("at byte {:>16}  {}", count(at.offset), size(at.len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_the_right_unit() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (723_742_720, "690.2 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(count(353_390), "353 390");
        assert_eq!(count(7), "7");
        assert_eq!(clock(Duration::from_secs(50)), "0:50");
        assert_eq!(clock(Duration::from_secs(7864)), "2:11:04");
        assert_eq!(took(131.4), "2 min 11 s");
        assert_eq!(took(0.84), "0.8 s");
    }

    #[test]
    fn a_gap_is_told_from_damage_in_one_line() {
        let told = |sectors, unwritten_sectors| {
            let missing = Missing { sectors, unwritten_sectors, ..Missing::default() };
            gap(&missing).map(|line| line.split(" never").next().unwrap_or_default().to_owned())
        };
        assert_eq!(told(9, 0), None);
        assert_eq!(told(9, 1).unwrap(), "1 of these sectors was");
        assert_eq!(told(4000, 2048).unwrap(), "2 048 of these sectors were");
        assert_eq!(told(2048, 2048).unwrap(), "All of these sectors were");
        assert_eq!(told(1, 1).unwrap(), "It was");
    }

    #[test]
    fn labels_cannot_play_with_the_terminal() {
        assert_eq!(printable("A\x1b[2J\nB"), "A\u{fffd}[2J\u{fffd}B");
        assert_eq!(printable("gpj.\u{202e}exe"), "gpj.\u{fffd}exe");
    }
}
