//! What a run came to.

use super::super::verify::Comparison;
use super::Plan;
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents};
use crate::plan::map::{RescueMap, Status};
use crate::proof::record::{ByteCounts, Missing};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    /// The map, where it was kept.
    pub map: Option<PathBuf>,
    /// The record, where one was written.
    pub record: Option<PathBuf>,
    /// The image that was converted is not what its record says.
    pub not_recorded: bool,
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

/// For the record of a copy: it must not pass for one of what the source was.
pub(super) const NOT_RECORDED: &str =
    "the image that was converted was not what its own record says: it was changed before";

/// What was asked for is done, and the rest is not: an image in which holes mean nothing is not finished.
pub(super) fn only_parts(map: &RescueMap) -> Error {
    let left = map.bytes(Status::NonTried);
    Error::new(Kind::Limit, format!("the parts that were asked for are done; {left} bytes were left out"))
        .advise("the same command without --domain, --offset and --size reads the rest")
}
