//! One ascending pass that narrows around damage and goes on.
//!
//! ```text
//!   ?????????????????????        1 MiB pieces, ascending
//!   ++++++++[  fails    ]        64 KiB clusters of the piece that failed
//!   +++++++++[][][!][]…          sectors of the cluster that failed
//!   +++++++++++++-+++++…         a sector that fails alone is bad
//! ```
//!
//! Pure: no I/O, no clock. What another program left untrimmed or unscraped is read sector by sector at the end; a bad sector is tried again
//! only when the sweep is told to `retry`.

use super::Strategy;
use super::map::{RescueMap, Status};
use crate::extent::{Extent, PIECE};
use crate::source::{Geometry, Read};
use std::collections::VecDeque;

/// A failed piece is tried again in reads of this many bytes before single sectors.
const CLUSTER: u64 = 64 << 10;

/// The ascending pass.
pub struct Sweep {
    cursor: u64,
    /// What a failed read is to be tried again as, in order.
    narrowed: VecDeque<Extent>,
    unit: u64,
    /// Up to here what failed before was tried again.
    tried_again: u64,
    retry: bool,
}

impl Sweep {
    /// A sweep over a medium; with `retry` every sector that is bad in the map is tried once more at the end.
    pub fn new(geometry: Geometry, retry: bool) -> Sweep {
        let unit = u64::from(geometry.physical_sector.max(geometry.sector));
        Sweep { cursor: 0, narrowed: VecDeque::new(), unit, tried_again: 0, retry }
    }
}

fn untried(map: &RescueMap, status: Status, from: u64, most: u64) -> Option<Extent> {
    let run = map.next(from, status)?;
    // To the end of the piece: pieces that are read whole need no second look for their leaf.
    let end = run.end().min((run.offset / most + 1).saturating_mul(most));
    Some(Extent::between(run.offset, end))
}

impl Strategy for Sweep {
    fn next(&mut self, map: &RescueMap) -> Option<Extent> {
        if let Some(at) = self.narrowed.pop_front() {
            return Some(at);
        }
        if let Some(at) = untried(map, Status::NonTried, self.cursor, PIECE) {
            self.cursor = at.end();
            return Some(at);
        }
        let statuses = [Status::NonTrimmed, Status::NonScraped, Status::Bad];
        let again = statuses
            .into_iter()
            .filter(|status| self.retry || *status != Status::Bad)
            .filter_map(|status| untried(map, status, self.tried_again, self.unit));
        let at = again.min_by_key(|at| at.offset)?;
        self.tried_again = at.end();
        Some(at)
    }

    fn learn(&mut self, at: Extent, read: &Read, map: &mut RescueMap) {
        let failed = Extent::between(at.offset + read.good, at.end());
        if failed.is_empty() {
            return;
        }
        let part = if failed.len > CLUSTER {
            CLUSTER
        } else if failed.offset / self.unit != (failed.end() - 1) / self.unit {
            self.unit
        } else {
            map.set(failed, Status::Bad);
            return;
        };
        let mut end = failed.end();
        // Pushed from the back, so that the first part is tried first.
        while end > failed.offset {
            let start = failed.offset.max((end - 1) / part * part);
            self.narrowed.push_front(Extent::between(start, end));
            end = start;
        }
    }
}
