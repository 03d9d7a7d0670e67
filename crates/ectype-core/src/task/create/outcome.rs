//! What a run came to.

use super::super::verify::Comparison;
use super::{Compress, Options, Plan};
use crate::error::{Error, Kind, Result, option, word};
use crate::extent::{Extent, Extents};
use crate::plan::map::{RescueMap, Status};
use crate::proof::record::{ByteCounts, Missing};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How many sectors at the end of a disc may be run-out: a track-at-once writer leaves two.
const RUN_OUT_SECTORS: u64 = 2;

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Whole, incomplete or stopped.
    pub status: Ended,
    /// The plan that was carried out.
    pub plan: Plan,
    /// The length of the content.
    pub size: u64,
    /// Bytes that this run read from the source.
    pub read_now: u64,
    /// Bytes by kind.
    pub bytes: ByteCounts,
    /// What could not be read.
    pub unreadable: Extents,
    /// What of it was never written, as the drive says: gaps, no damage.
    pub unwritten: Extents,
    /// The same as numbers.
    pub missing: Missing,
    /// Sectors at the end that no writer wrote; not part of the image.
    pub run_out: Option<Extent>,
    /// The tree's root and the linear digests; empty unless the run came to its end.
    pub digests: BTreeMap<String, String>,
    /// Whether it went on with an earlier run.
    pub resumed: bool,
    /// Whether the same command may read a damaged medium again from the start, as nothing may prove that it did not change.
    pub rereads: bool,
    /// How long this run took.
    pub seconds: f64,
    /// The image that was converted is not what its own record says.
    pub not_recorded: bool,
    /// How many bytes went down the pipe, where the image did.
    pub sent: Option<u64>,
    /// The map, where it was kept.
    pub map: Option<PathBuf>,
    /// The record, where one was written.
    pub record: Option<PathBuf>,
    /// What `--verify` found, or why it could not tell; the image is made all the same.
    pub verified: Option<Result<Comparison>>,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// Every sector was read.
    Whole,
    /// It is finished, but some sectors could not be read.
    Incomplete,
    /// It was stopped, and the same command goes on.
    Stopped(Error),
}

impl Ended {
    /// The stable name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Ended::Whole => "whole",
            Ended::Incomplete => "incomplete",
            Ended::Stopped(_) => "stopped",
        }
    }
}

/// What was asked for is done, and the rest is not: an image in which holes mean nothing is not finished.
pub(super) fn only_parts(map: &RescueMap) -> Error {
    let left = map.bytes(Status::NonTried);
    Error::new(Kind::Limit, format!("the parts that were asked for are done; {left} bytes were left out"))
        .advise("the same command without --domain, --offset and --size reads the rest")
}

/// The command that makes of the rescued image `between` what was asked for.
pub(super) fn packing(options: &Options, between: &Path, image: &Path) -> String {
    let Options { format, subformat, compress, base, .. } = options;
    let compress = compress.as_ref().map(|Compress { kind, level }| match level {
        Some(level) => format!("{kind}:{level}"),
        None => kind.clone(),
    });
    let mut words = vec!["ectype convert --overwrite".to_owned()];
    words.extend(format.map(|format| option("--format", format.name)));
    words.extend(subformat.as_ref().map(|subformat| option("--subformat", subformat)));
    words.extend(compress.map(|compress| option("--compress", &compress)));
    words.extend(base.as_ref().map(|base| format!("--base {}", word(base))));
    words.extend([word(between), word(image)]);
    words.join(" ")
}

/// What was tried and could not be read.
pub(super) fn missing_extents(map: &RescueMap) -> Extents {
    let failed = |status: Status| !matches!(status, Status::Finished | Status::NonTried);
    map.runs().filter(|(_, status)| failed(*status)).map(|(at, _)| at).collect()
}

/// The run-out of a disc of `size` bytes whose file systems end at `end_of_data`.
pub(super) fn run_out(map: &RescueMap, size: u64, sector: u64, end_of_data: u64) -> Option<Extent> {
    let (last, status) = map.run_at(size.checked_sub(1)?);
    let is_run_out = status == Status::Bad
        && last.end() == size
        && last.len <= RUN_OUT_SECTORS * sector
        && last.offset >= end_of_data
        && last.offset > 0;
    is_run_out.then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_step_makes_what_was_asked_for() {
        let packing = |options: &Options| packing(options, Path::new("a b.img"), Path::new("c.qcow2"));
        let (image, base) = (word(Path::new("a b.img")), word(Path::new("my base.img")));
        assert_eq!(packing(&Options::default()), format!("ectype convert --overwrite {image} c.qcow2"));
        let compress = |level| Some(Compress { kind: "zstd".into(), level });
        let options = Options {
            format: crate::image::named("qcow2"),
            subformat: Some("v3".into()),
            compress: compress(Some(-3)),
            base: Some("my base.img".into()),
            ..Options::default()
        };
        let said = format!("--format qcow2 --subformat v3 --compress zstd:-3 --base {base}");
        assert_eq!(packing(&options), format!("ectype convert --overwrite {said} {image} c.qcow2"));
        let options = Options { compress: compress(None), ..Options::default() };
        let said = "ectype convert --overwrite --compress zstd";
        assert_eq!(packing(&options), format!("{said} {image} c.qcow2"));
    }

    #[test]
    fn run_out_is_at_most_two_sectors_behind_all_file_systems() {
        let size = 2048 * 1000;
        let map = |bad: Extent| {
            let mut map = RescueMap::new(size);
            map.set(Extent::new(0, size), Status::Finished);
            map.set(bad, Status::Bad);
            map
        };
        let sectors = |first: u64, count: u64| Extent::new(first * 2048, count * 2048);
        let end = |sectors: u64| sectors * 2048;
        let two = sectors(998, 2);
        assert_eq!(run_out(&map(two), size, 2048, end(998)), Some(two));
        assert_eq!(run_out(&map(two), size, 2048, end(500)), Some(two));
        // Inside the file system: damage.
        assert_eq!(run_out(&map(two), size, 2048, end(999)), None);
        // More than a writer leaves: damage.
        assert_eq!(run_out(&map(sectors(997, 3)), size, 2048, end(500)), None);
        // Not at the end: damage.
        assert_eq!(run_out(&map(sectors(990, 2)), size, 2048, end(500)), None);
        assert_eq!(run_out(&map(sectors(0, 1000)), size, 2048, 0), None);
    }
}
