//! One ascending pass that narrows around damage and goes on.
//!
//! ```text
//!   ?????????????????????        1 MiB pieces, ascending
//!   ++++++++[  fails    ]        64 KiB clusters of the piece that failed
//!   +++++++++[][][!][]…          sectors of the cluster that failed
//!   +++++++++++++-+++++…         a sector that fails alone is bad
//! ```
//!
//! Pure: no I/O, no clock. What is neither tried sector by sector nor finished comes after the untried; a bad sector is tried
//! again only when the sweep is told to `retry`.

use super::Strategy;
use super::map::{RescueMap, Status};
use crate::extent::{Extent, PIECE};
use crate::source::{Geometry, Read};
use std::collections::VecDeque;

/// A failed piece is tried again in reads of this many bytes before single sectors.
const CLUSTER: u64 = 64 << 10;

/// No medium fails in larger sectors, in bytes.
const LARGEST_SECTOR: u32 = 4096;

/// The ascending pass.
pub struct Sweep {
    cursor: u64,
    /// What a failed read is to be tried again as, in order.
    narrowed: VecDeque<Extent>,
    unit: u64,
    sector: u64,
    size: u64,
    /// Whether what is bad is tried again.
    retry: bool,
    /// How far the second look has come.
    again: u64,
}

impl Sweep {
    /// A sweep over a medium; with `retry` every sector that is bad in the map is tried once more at the end.
    pub fn new(geometry: Geometry, retry: bool) -> Sweep {
        // Some drives tell what they like to write as what fails as one.
        let unit =
            u64::from(geometry.physical_sector.clamp(geometry.sector, geometry.sector.max(LARGEST_SECTOR)));
        let (sector, size) = (u64::from(geometry.sector), geometry.size);
        Sweep { cursor: 0, narrowed: VecDeque::new(), unit, sector, size, retry, again: 0 }
    }

    fn untried(&self, map: &RescueMap, status: Status, from: u64, most: u64) -> Option<Extent> {
        let run = map.next(from, status)?;
        // To the end of the piece: pieces that are read whole need no second look for their leaf.
        let end = run.end().min((run.offset / most + 1).saturating_mul(most));
        // A map that another program made may cut through sectors; those are read whole.
        let whole = Extent::between(run.offset, end).align_out(self.sector);
        Some(whole.intersect(Extent::new(0, self.size)))
    }
}

impl Strategy for Sweep {
    fn next(&mut self, map: &RescueMap) -> Option<Extent> {
        if let Some(at) = self.narrowed.pop_front() {
            return Some(at);
        }
        if let Some(at) = self.untried(map, Status::NonTried, self.cursor, PIECE) {
            self.cursor = at.end();
            return Some(at);
        }
        // A map of ddrescue's may call areas non-trimmed of which no sector was ever tried alone.
        let statuses =
            [(Status::NonTrimmed, CLUSTER), (Status::NonScraped, self.unit), (Status::Bad, self.unit)];
        let wanted = if self.retry { &statuses[..] } else { &statuses[..2] };
        let again = wanted.iter().filter_map(|(status, most)| self.untried(map, *status, self.again, *most));
        let at = again.min_by_key(|at| at.offset)?;
        self.again = at.end();
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
