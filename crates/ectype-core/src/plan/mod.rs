//! What to read, and in which order.
//!
//! ```text
//!   map      what was tried where, and what became of it; prints as a ddrescue mapfile
//!   sweep    one ascending pass that narrows around damage
//!   policy   which kind of image a medium becomes, under which name, and why
//! ```

pub mod map;
pub mod policy;
pub mod sweep;

use crate::extent::Extent;
use crate::source::Read;
use map::RescueMap;

/// Chooses the next read. Pure: no I/O, no clock; so it can be tested against a drive that exists only as a map.
pub trait Strategy: Send {
    /// The next extent to read, at most a piece long; `None` when nothing is left to ask. What was handed out is being
    /// asked for: it is not handed out again before it was learned of.
    fn next(&mut self, map: &RescueMap) -> Option<Extent>;

    /// The read of `at` failed behind its first `read.good` bytes, and the medium is to blame: enters what that means into the
    /// map, or leaves it untried to ask again in smaller parts.
    fn learn(&mut self, at: Extent, read: &Read, map: &mut RescueMap);
}
