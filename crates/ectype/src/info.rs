//! `ectype info`: an image, a device or a map.

use crate::args::InfoArgs;
use crate::exit::Code;
use crate::progress::Output;
use crate::{devices, json, map, report};
use ectype_core::io::ReadAt;
use ectype_core::os::Found;
use ectype_core::os::disk;
use ectype_core::os::file::PlainFile;
use ectype_core::plan::map::{RescueMap, Status};
use ectype_core::task::devices as task;
use ectype_core::task::open::{Images, Opened, open_image, unfinished};
use ectype_core::{Error, Extents, Result};
use serde_json::{Value, json};
use std::path::Path;

/// A file of this ending, or one that begins as mapfiles do, is a map.
const MAP_SUFFIX: &str = ".map";

pub(crate) fn run(args: &InfoArgs, output: &Output) -> Result<Code> {
    match disk::find(&args.path)? {
        Found::Device { device, .. } => {
            let seen = task::device(&device.path)?;
            devices::show(&seen, output);
            if output.json() {
                let mut value = json!({
                    "format": "device", "subformat": null, "size": device.size, "virtual_size": device.size,
                    "sector_size": device.sector_size, "parent": null,
                    "partitions": json::partitions(&seen.content), "tracks": json::tracks(&seen.content), "facts": json::device(&seen),
                });
                value["facts"]["filesystems"] =
                    seen.content.filesystems.iter().map(json::filesystem).collect::<Vec<_>>().into();
                output.result(&value);
            }
            Ok(Code::Done)
        }
        Found::File(path) if is_map(&path) => map(&path, output),
        Found::File(path) => image(&path, &Images { unfinished: true, ..args.open.images() }, output),
    }
}

fn is_map(path: &Path) -> bool {
    let named = path.as_os_str().to_string_lossy().ends_with(MAP_SUFFIX);
    let mut head = [0; 10];
    let begins =
        PlainFile::open(path).and_then(|file| file.read_at(&mut head, 0)).is_ok() && &head == b"# Mapfile.";
    named || begins
}

fn map(path: &Path, output: &Output) -> Result<Code> {
    let file = map::read(path)?;
    if output.json() {
        output.result(&map_facts(path, &file.map));
    }
    map::show(path, &file, &Extents::everything(), output);
    Ok(Code::Done)
}

pub(crate) fn map_facts(path: &Path, map: &RescueMap) -> Value {
    let size = std::fs::metadata(path).map_or(0, |facts| facts.len());
    let bytes: serde_json::Map<_, _> =
        Status::ALL.iter().map(|status| (status.name().to_owned(), map.bytes(*status).into())).collect();
    json!({
        "format": "mapfile", "subformat": null, "size": size, "virtual_size": map.size(),
        "sector_size": null, "parent": null, "partitions": [], "tracks": [], "facts": { "bytes": bytes },
    })
}

/// The image; where only its parent is amiss what its own file tells, and what is amiss.
fn open(path: &Path, images: &Images) -> Result<(Opened, Option<Error>)> {
    let error = match open_image(path, images) {
        Ok(opened) => return Ok((opened, None)),
        Err(error) => error,
    };
    match open_image(path, &Images { header_only: true, ..images.clone() }) {
        Ok(opened) if opened.image().is_some_and(|image| image.facts().parent.is_some()) => {
            Ok((opened, Some(error)))
        }
        _ => Err(error),
    }
}

fn image(path: &Path, images: &Images, output: &Output) -> Result<Code> {
    let stored = PlainFile::open(path).and_then(|file| file.allocated()).unwrap_or(0);
    let (opened, without_parent) = open(path, images)?;
    let record = opened.record.as_ref();
    let reader = opened.look()?;
    let facts = opened.image().expect("an image was opened").facts();
    let sector = opened.identity.sector_size;
    let content = match without_parent {
        Some(_) => task::Content::default(),
        None => task::content(&*reader, sector),
    };
    let note = without_parent.as_ref().map(|error| {
        format!(
            "its content cannot be looked at: {}",
            [&[error.to_string()], error.advice()].concat().join("; ")
        )
    });
    if output.json() {
        let mut more: serde_json::Map<_, _> =
            facts.more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        more.insert("filesystems".into(), content.filesystems.iter().map(json::filesystem).collect());
        more.insert("scheme".into(), json!(content.scheme));
        more.insert("notes".into(), json!(content.notes));
        let record = record.map(|record| {
            json!({
                "status": record.status, "made_by": record.made_by, "began": record.began, "ended": record.ended,
                "source": record.source, "origin": record.origin, "plan": record.plan, "digests": record.digests,
                "tree": record.tree.root, "unreadable": record.unreadable,
                "unwritten": record.unwritten, "run_out": record.run_out,
            })
        });
        more.insert("record".into(), json!(record));
        let held = opened.record.is_none().then(|| unfinished(path)).flatten();
        let held = held.map(|held| json!({ "held": held.map(|(held, _)| held) }));
        more.insert("unfinished".into(), json!(held));
        output.result(&json!({
            "format": facts.format,
            "subformat": Some(&facts.subformat).filter(|subformat| !subformat.is_empty()),
            "size": stored,
            "virtual_size": reader.size(),
            "sector_size": sector,
            "parent": facts.parent,
            "parent_file": opened.parent_file().map(|path| path.display().to_string()),
            "note": note,
            "partitions": json::partitions(&content),
            "tracks": [],
            "facts": more,
        }));
        return Ok(Code::Done);
    }
    let kind = format!("{} {}", facts.format, facts.subformat);
    output.line(&format!(
        "{}   {}, {} ({} on its disk)",
        output.strong(&report::printable(&path.display().to_string())),
        report::printable(kind.trim_end()),
        report::size(reader.size()),
        report::size(stored)
    ));
    if let Some(parent) = &facts.parent {
        // By its last name alone another file may have been found.
        let from = opened.parent_file().map(|path| format!(", read from {}", path.display()));
        output.line(&report::printable(&format!("  parent: {parent}{}", from.unwrap_or_default())));
    }
    for (name, value) in &facts.more {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        output.line(&format!("  {name}: {}", report::printable(&value)));
    }
    for facts in &content.filesystems {
        output.line(&format!("  {}", report::volume(facts)));
    }
    if let Some(scheme) = content.scheme {
        output.line(&format!(
            "  {scheme}, {} partition{}",
            content.partitions.len(),
            if content.partitions.len() == 1 { "" } else { "s" }
        ));
    }
    for partition in &content.partitions {
        let mut facts = vec![format!("  {}", partition.number), report::size(partition.extent.len)];
        facts.extend(partition.filesystems.iter().take(1).map(report::volume));
        facts.push(report::printable(&partition.type_name));
        output.line(&format!("  {}", facts.join("  ")));
    }
    if let Some(error) = &without_parent {
        output.finding(&report::printable(&format!("  its content cannot be looked at: {error}")));
        for advice in error.advice() {
            output.finding(&report::printable(&format!("    {advice}")));
        }
    }
    for note in &content.notes {
        output.line(&format!("  {}", report::printable(note)));
    }
    match record {
        None if let Some(held) = unfinished(path) => {
            let held = held.map_or_else(String::new, |(held, size)| {
                format!(": {} of {} are held", report::size(held), report::size(size))
            });
            output.finding(&format!("  unfinished{held}; the command that began it goes on with it"));
        }
        None => output.line("  no record beside it: nothing is known of where it came from"),
        Some(record) => {
            let made = format!(
                "  {} of {}, made {} by {}; consistency: {}",
                record.status,
                report::model(&record.source),
                record.ended,
                record.made_by,
                record.plan.consistency
            );
            output.line(&report::printable(&made));
            if let Some(origin) = &record.origin {
                let what = report::model(origin);
                let path = if what == origin.path { String::new() } else { format!(", {}", origin.path) };
                output
                    .line(&report::printable(&format!("  that came from {what}{path} ({})", origin.medium)));
            }
            for (name, digest) in &record.digests {
                output.line(&report::printable(&format!("  {name:<7} {digest}")));
            }
            output.line(&format!("  {:<7} {}", "tree", record.tree.root));
            if !record.unreadable.is_empty() {
                let lost = record.unreadable.iter().map(|&range| range.into()).collect();
                output.line("  could not be read:");
                report::list(&lost, output);
                if let Some(gap) = report::gap(&record.missing) {
                    output.line(&format!("  {gap}"));
                }
            }
        }
    }
    Ok(Code::Done)
}
