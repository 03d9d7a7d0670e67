//! `ectype devices`, and `ectype` alone.

use crate::exit::Code;
use crate::progress::Output;
use crate::{json, report};
use ectype_core::Result;
use ectype_core::os::Medium;
use ectype_core::task::devices::{self, Seen};

pub(crate) fn run(output: &Output) -> Result<Code> {
    let seen = devices::devices()?;
    if output.json() {
        output.result(&json::devices(&seen));
        return Ok(Code::Done);
    }
    if seen.is_empty() {
        output.line("no device that can be imaged is to be seen here");
    }
    for device in &seen {
        show(device, output);
    }
    Ok(Code::Done)
}

/// Without a verb: what is here, and the likely command for each.
pub(crate) fn overview(output: &Output) -> Result<Code> {
    let seen = devices::devices()?;
    if output.json() {
        output.result(&json::devices(&seen));
        return Ok(Code::Done);
    }
    for device in &seen {
        show(device, output);
        if let Some(command) = likely(device) {
            output.line(&format!("    {}", output.strong(&command)));
        }
    }
    output.line("ectype --help says what else there is; ectype demo needs no device at all");
    Ok(Code::Done)
}

fn likely(seen: &Seen) -> Option<String> {
    let path = seen.device.path.display();
    let has_medium = seen.device.size > 0;
    match seen.device.medium {
        _ if !has_medium || seen.device.in_use() => None,
        Medium::Optical | Medium::Removable => Some(format!("ectype create {path}")),
        Medium::Fixed => Some(format!("ectype create {path} {}.vhdx", seen.device.name)),
        Medium::File | Medium::Image => None,
    }
}

pub(crate) fn show(seen: &Seen, output: &Output) {
    let device = &seen.device;
    let mut facts = vec![output.strong(&device.path.display().to_string())];
    let mut kind = device.medium.name().to_owned();
    if !device.bus.is_empty() {
        kind += &format!(", {}", device.bus);
    }
    facts.push(kind);
    if !device.model.is_empty() {
        facts.push(report::printable(&device.model));
    }
    if !device.serial.is_empty() {
        facts.push(report::printable(&device.serial));
    }
    facts.push(if device.size == 0 { "no medium".to_owned() } else { report::size(device.size) });
    facts.extend(seen.content.filesystems.iter().take(2).map(report::volume));
    if let Some(scheme) = seen.content.scheme {
        facts.push(scheme.to_owned());
    }
    if device.read_only {
        facts.push("read-only".to_owned());
    }
    if device.system {
        facts.push("the system runs from it".to_owned());
    }
    output.line(&facts.join("  ·  "));
    for partition in &seen.content.partitions {
        let name = if partition.type_name.is_empty() { &partition.type_id } else { &partition.type_name };
        let mut facts = vec![format!("  {}", partition.number), report::size(partition.extent.len)];
        facts.extend(partition.filesystems.iter().take(1).map(report::volume));
        facts.push(report::printable(name));
        output.line(&format!("  {}", facts.join("  ")));
    }
    if !seen.content.tracks.is_empty() {
        let audio = seen.content.tracks.iter().filter(|track| !track.data).count();
        let data = seen.content.tracks.len() - audio;
        output.line(&format!("  tracks: {data} data, {audio} audio"));
    }
    for mount in &device.mounts {
        let how = if mount.read_only { "read-only" } else { "writable" };
        let target = report::printable(&mount.target.display().to_string());
        output.line(&format!("    mounted on {target} ({}, {how})", mount.node.display()));
    }
    for holder in &device.holders {
        output.line(&format!("    held by {}", report::printable(holder)));
    }
    if let Some(reason) = &seen.unseen
        && output.verbose()
    {
        output.line(&format!("    not looked at: {}", report::printable(reason)));
    }
}
