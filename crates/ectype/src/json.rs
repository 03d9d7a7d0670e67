//! Results as JSON: the shapes of the contract. Offsets, lengths and sizes are bytes.

use ectype_core::image::Spec;
use ectype_core::os::file::PlainFile;
use ectype_core::os::optical::Track;
use ectype_core::plan::map::{Difference, MapFile, Status};
use ectype_core::task::create::{Ended, Outcome, Plan};
use ectype_core::task::devices::{Content, Partition, Seen};
use ectype_core::task::restore;
use ectype_core::task::verify::{Comparison, Verified};
use ectype_core::{Error, Extent, Extents, fs};
use serde_json::{Value, json};
use std::ops::Range;
use std::path::Path;

/// The version of all these shapes.
const SCHEMA: u32 = 1;

/// JSON is Unicode and file names are not: what cannot be said is replaced.
fn path(path: &Path) -> String {
    path.display().to_string()
}

pub(crate) fn failure(error: &Error, advice: &[String]) -> Value {
    json!({
        "schema": SCHEMA,
        "status": "failed",
        "error": error_value(error, advice),
    })
}

/// An error as a line of progress.
pub(crate) fn error_event(error: &Error, advice: &[String]) -> Value {
    let mut event = error_value(error, advice);
    event["event"] = "error".into();
    event
}

fn error_value(error: &Error, advice: &[String]) -> Value {
    json!({
        "kind": error.kind().name(),
        "message": error.to_string(),
        "advice": advice,
        "offset": error.offset(),
    })
}

fn extents(extents: &Extents) -> Vec<Value> {
    extents.iter().map(extent).collect()
}

fn extent(at: Extent) -> Value {
    json!({ "offset": at.offset, "length": at.len })
}

fn source(plan: &Plan) -> Value {
    json!({
        "path": plan.source.path,
        "medium": plan.source.medium,
        "size": plan.source.size,
        "sector_size": plan.source.sector_size,
        "model": plan.source.model,
        "serial": plan.source.serial,
    })
}

fn plan_facts(plan: &Plan) -> Value {
    json!({
        "scope": plan.scope,
        "consistency": plan.consistency.name(),
        "blocks": "all",
        "hash": plan.hashes.iter().map(|hash| hash.name()).collect::<Vec<_>>(),
        "worst_case": plan.worst_case,
        "available": plan.available,
        "held": plan.held,
        "compare": plan.compare,
        "failed": plan.failed,
        "parts": plan.parts,
        "why": plan.why,
    })
}

fn subformat(spec: &Spec) -> Option<&str> {
    Some(spec.subformat.as_str()).filter(|subformat| !subformat.is_empty())
}

/// A plan that was only printed.
pub(crate) fn planned(plan: &Plan) -> Value {
    json!({
        "schema": SCHEMA,
        "status": "planned",
        "source": source(plan),
        "image": {
            "path": path(&plan.image), "format": plan.format.name, "subformat": subformat(&plan.spec),
            "compression": plan.spec.compression,
        },
        "plan": plan_facts(plan),
    })
}

fn side(side: &restore::Side) -> Value {
    json!({
        "path": path(&side.path),
        "medium": side.medium,
        "size": side.size,
        "sector_size": side.sector_size,
        "model": side.model,
        "serial": side.serial,
        "partitions": partitions(&side.content),
        "made": side.made,
    })
}

/// A restore that was planned.
pub(crate) fn restoring(plan: &restore::Plan) -> Value {
    let mut image = side(&plan.image);
    image["format"] = plan.format.into();
    image["virtual_size"] = plan.image.size.into();
    json!({
        "schema": SCHEMA,
        "status": "planned",
        "image": image,
        "target": side(&plan.target),
        "plan": {
            "scope": plan.scope,
            "changed_only": plan.changed_only,
            "verify": plan.verify,
            "unused": plan.unused.name(),
            "confirm": plan.confirm.first(),
            "why": plan.why,
        },
    })
}

/// What a restore came to.
pub(crate) fn restored(outcome: &restore::Outcome, advice: &[String]) -> Value {
    let mut value = restoring(&outcome.plan);
    let (counts, found) = (&outcome.counts, outcome.read_back.as_ref());
    value["status"] = outcome.status.name().into();
    value["bytes"] = json!({
        "written": counts.written,
        "zero": counts.zeroed,
        "same": counts.same,
        "unused": counts.kept + counts.discarded,
        "discarded": counts.discarded,
        "unreadable": outcome.unreadable.bytes(),
    });
    value["verified"] = found.map_or(Value::Null, |found| {
        json!({
            "equal": found.differing == 0 && found.unreadable.is_empty(),
            "compared": found.compared,
            "differing": found.differing,
            "differences": extents(&found.differences),
            "unreadable": extents(&found.unreadable),
        })
    });
    value["unreadable"] = extents(&outcome.unreadable).into();
    value["unwritable"] = extents(&outcome.unwritable).into();
    value["digests"] = outcome.tree.as_ref().map_or_else(|| json!({}), |tree| json!({ "tree": tree }));
    value["as_recorded"] = (!outcome.not_recorded).into();
    value["notes"] = outcome.notes.clone().into();
    value["seconds"] = outcome.seconds.into();
    if let restore::Ended::Stopped(error) = &outcome.status {
        value["error"] = error_value(error, advice);
    }
    value
}

pub(crate) fn created(outcome: &Outcome, advice: &[String]) -> Value {
    let plan = &outcome.plan;
    let allocated = || PlainFile::open(&plan.image).and_then(|file| file.allocated()).unwrap_or(0);
    let stored = outcome.sent.unwrap_or_else(allocated);
    let files = if plan.stream { Vec::new() } else { vec![path(&plan.image)] };
    let range = |at: Extent| json!({ "offset": at.offset, "length": at.len, "files": [] });
    let unreadable: Vec<Value> = outcome.unreadable.iter().map(range).collect();
    let mut value = json!({
        "schema": SCHEMA,
        "status": outcome.status.name(),
        "source": source(plan),
        "image": {
            "path": path(&plan.image),
            "files": files,
            "format": plan.format.name,
            "subformat": subformat(&plan.spec),
            "size": stored,
            "virtual_size": outcome.size,
        },
        "plan": plan_facts(plan),
        "bytes": outcome.bytes,
        "unreadable": unreadable,
        "unwritten": extents(&outcome.unwritten),
        "missing": {
            "sectors": outcome.missing.sectors,
            "bytes": outcome.missing.bytes,
            "areas": outcome.missing.areas,
            "unscraped": outcome.missing.unscraped,
            "unwritten_sectors": outcome.missing.unwritten_sectors,
            "unwritten_bytes": outcome.missing.unwritten_bytes,
        },
        "run_out": outcome.run_out.map(extent),
        "digests": outcome.digests,
        "resumed": outcome.resumed,
        "rereads": outcome.rereads,
        "seconds": outcome.seconds,
        "map": outcome.map.as_deref().map(path),
        "record": outcome.record.as_deref().map(path),
    });
    if let Ended::Stopped(error) = &outcome.status {
        value["error"] = error_value(error, advice);
    }
    if plan.source.medium == "image" {
        value["as_recorded"] = (!outcome.not_recorded).into();
    }
    if let Some(verified) = &outcome.verified {
        value["verified"] = match verified {
            Ok(found) => comparison(found),
            Err(error) => json!({ "equal": null, "error": error_value(error, error.advice()) }),
        };
    }
    value
}

pub(crate) fn comparison(found: &Comparison) -> Value {
    json!({
        "schema": SCHEMA,
        "equal": found.is_equal(),
        "compared": found.compared,
        "skipped": { "unused": 0, "unreadable": found.skipped_unreadable },
        "differences": extents(&found.differences),
        "differing": found.differing,
        "source_unreadable": extents(&found.unreadable),
        "sizes": match (found.sizes, found.resized) {
            (_, Some((image, record))) => json!({ "image": image, "record": record }),
            (Some((image, source)), None) => json!({ "image": image, "source": source }),
            (None, None) => Value::Null,
        },
        "digests": found.digests,
    })
}

pub(crate) fn verified(found: &Verified) -> Value {
    json!({
        "schema": SCHEMA,
        "equal": found.equal,
        "compared": found.compared,
        "skipped": { "unused": 0, "unreadable": found.record.as_ref().map_or(0, |record| record.bytes.unreadable) },
        "differences": extents(&found.differences),
        "wrong": found.wrong,
        "sizes": found.sizes.map(|(image, record)| json!({ "image": image, "record": record })),
        "digests": found.digests,
        "record": found.record.is_some(),
        "structure": {
            "sound": found.structure.faults.is_empty(),
            "faults": found.structure.faults.iter().map(|(offset, what)| json!({ "offset": offset, "what": what })).collect::<Vec<_>>(),
            "fault_count": found.structure.fault_count,
            "leaked": found.structure.leaked,
            "notes": found.structure.notes,
        },
        "status": found.record.as_ref().map(|record| record.status.clone()),
    })
}

/// How the rescue of a map stands, in `domain`.
pub(crate) fn map_state(name: &Path, file: &MapFile, domain: &Extents) -> Value {
    let runs: Vec<_> = file.map.within(domain).collect();
    let of = |status: Status| {
        let areas = || runs.iter().filter(move |run| run.1 == status);
        json!({ "bytes": areas().map(|run| run.0.len).sum::<u64>(), "areas": areas().count() })
    };
    let states: serde_json::Map<_, _> =
        Status::ALL.into_iter().map(|status| (status.name().to_owned(), of(status))).collect();
    json!({
        "path": path(name),
        "extent": extent(file.map.extent()),
        "current": {
            "position": file.current_pos, "phase": file.current_status.name(), "pass": file.current_pass,
        },
        "bytes": runs.iter().map(|run| run.0.len).sum::<u64>(),
        "done": runs.iter().all(|run| run.1 == Status::Finished),
        "states": states,
    })
}

pub(crate) fn maps(states: &[Value]) -> Value {
    json!({ "schema": SCHEMA, "maps": states })
}

/// Areas of a map, in bytes or in blocks.
pub(crate) fn areas(areas: impl Iterator<Item = (Range<u64>, Status)>, block_size: Option<u64>) -> Value {
    let area = |(at, status): (Range<u64>, Status)| json!({ "offset": at.start, "length": at.end - at.start, "status": status.name() });
    json!({ "schema": SCHEMA, "block_size": block_size, "areas": areas.map(area).collect::<Vec<_>>() })
}

/// Blocks as ranges: the numbers one by one would be a long object.
pub(crate) fn blocks(ranges: &[Range<u64>], block_size: u64) -> Value {
    let range = |range: &Range<u64>| json!({ "first": range.start, "count": range.end - range.start });
    json!({
        "schema": SCHEMA,
        "block_size": block_size,
        "blocks": ranges.iter().map(|range| range.end - range.start).sum::<u64>(),
        "ranges": ranges.iter().map(range).collect::<Vec<_>>(),
    })
}

pub(crate) fn map_comparison(differences: &[Difference], compared: u64, sizes: [u64; 2]) -> Value {
    let name = |status: Option<Status>| status.map(Status::name);
    let difference = |found: &Difference| {
        json!({
            "offset": found.at.offset, "length": found.at.len,
            "one": name(found.one), "other": name(found.other),
        })
    };
    json!({
        "schema": SCHEMA,
        "equal": differences.is_empty(),
        "compared": compared,
        "differing": differences.iter().map(|found| found.at.len).sum::<u64>(),
        "differences": differences.iter().map(difference).collect::<Vec<_>>(),
        "sizes": { "one": sizes[0], "other": sizes[1] },
    })
}

pub(crate) fn map_done(left: u64, bytes: u64, deleted: bool) -> Value {
    json!({ "schema": SCHEMA, "done": left == 0, "bytes": bytes, "left": left, "deleted": deleted })
}

pub(crate) fn devices(seen: &[Seen]) -> Value {
    json!({ "devices": seen.iter().map(device).collect::<Vec<_>>() })
}

pub(crate) fn device(seen: &Seen) -> Value {
    let device = &seen.device;
    let first = seen.content.filesystems.first();
    json!({
        "path": path(&device.path),
        "medium": device.medium.name(),
        "bus": device.bus,
        "removable": device.removable,
        "rotational": device.rotational,
        "read_only": device.read_only,
        "system": device.system,
        "model": device.model,
        "serial": device.serial,
        "size": device.size,
        "sector_size": device.sector_size,
        "physical_sector_size": device.physical_sector_size,
        "diskseq": device.diskseq,
        "mounted": device.mounts.iter().map(|mount| path(&mount.target)).collect::<Vec<_>>(),
        "held_by": device.holders,
        "in_use": device.in_use(),
        "filesystem": first.map_or("", |facts| facts.kind),
        "label": first.map_or("", |facts| facts.label.as_str()),
        "scheme": seen.content.scheme,
        "partitions": partitions(&seen.content),
        "unseen": seen.unseen,
    })
}

pub(crate) fn partitions(content: &Content) -> Vec<Value> {
    let value = |partition: &Partition| {
        let first = partition.filesystems.first();
        json!({
            "number": partition.number,
            "offset": partition.extent.offset,
            "length": partition.extent.len,
            "type": partition.type_id,
            "type_name": partition.type_name,
            "filesystem": first.map_or("", |facts| facts.kind),
            "label": first.map_or("", |facts| facts.label.as_str()),
        })
    };
    content.partitions.iter().map(value).collect()
}

/// A disc's tracks; positions are in sectors, which are not all of one length.
pub(crate) fn tracks(content: &Content) -> Vec<Value> {
    let value = |track: &Track| {
        json!({
            "number": track.number,
            "first_sector": track.lba,
            "sectors": track.len_sectors,
            "kind": if track.data { "data" } else { "audio" },
            "mode": track.mode,
        })
    };
    content.tracks.iter().map(value).collect()
}

pub(crate) fn filesystem(facts: &fs::Facts) -> Value {
    json!({
        "kind": facts.kind,
        "label": facts.label,
        "uuid": facts.uuid,
        "size": facts.size,
        "notes": facts.note,
    })
}
