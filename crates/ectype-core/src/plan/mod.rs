//! What to read, and in which order.
//!
//! ```text
//!   map      what was tried where, and what became of it; prints as a ddrescue mapfile
//!   rescue   the passes: copying, trimming, scraping, retrying
//!   policy   which kind of image a medium becomes, under which name, and why
//! ```

pub mod map;
pub mod policy;
pub mod rescue;

use crate::extent::Extent;
use crate::source::Read;
use map::{RescueMap, Stage, Status};

/// Chooses the next read. Pure: no I/O, no clock; so it can be tested against a drive that exists only as a map.
pub trait Strategy: Send {
    /// The next extent to read, at most a piece long; `None` when nothing is left to ask. What was handed out is being
    /// asked for: it is not handed out again before it was learned of.
    fn next(&mut self, map: &RescueMap) -> Option<Extent>;

    /// The extent that was handed out last is to be read in steps of so many bytes up to the first that fails; whole where
    /// `None`. It is learned of as far as that went.
    fn step(&self) -> Option<u64> {
        None
    }

    /// The answer to the read of `at`, whose first `read.good` bytes the map calls finished by now; a failed one is the
    /// medium's fault. Returns what becomes of bytes that are not finished, in the order of entering it.
    fn learn(&mut self, at: Extent, read: &Read, map: &RescueMap) -> Vec<(Extent, Status)>;

    /// What the extent that was handed out last is read for.
    fn stage(&self) -> Stage;

    /// How many passes that phase has at most.
    fn passes(&self) -> u32 {
        1
    }

    /// Whether the medium is suspect, so that only one read may be in flight.
    fn is_careful(&self) -> bool;
}
