//! Maps as values: two made one, compared; one changed, shifted, cut.
//!
//! ```text
//!   one     ██████??????----      finished, non-tried, bad
//!   other      ???██████
//!            ↓  ↓   ↓    ↓
//!   pieces  [ ][ ][    ][  ]      neither map changes within one; where a map does not speak there is no status
//! ```
//!
//! The rules of the four operations, byte by byte. *Finished* decides, as in `ddrescuelog`; elsewhere union and intersection
//! go by how far a byte came, `?` `*` `/` `-` `+`, so that neither depends on the order of the maps. A byte of which a map
//! does not speak was not tried by it, and the result reaches as far as the maps together.

use super::text::END_OF_SPACE;
use super::{RescueMap, Status};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents};
use std::iter::Peekable;

/// Where two maps differ, and how; see [`RescueMap::differences`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The bytes.
    pub at: Extent,
    /// Their status in the one map; none where it does not speak of them.
    pub one: Option<Status>,
    /// Their status in the other.
    pub other: Option<Status>,
}

/// What two maps say piece by piece, in ascending order; see [`RescueMap::with`].
struct Pieces<A: Iterator, B: Iterator> {
    runs: (Peekable<A>, Peekable<B>),
    position: u64,
}

impl<A, B> Iterator for Pieces<A, B>
where
    A: Iterator<Item = (Extent, Status)>,
    B: Iterator<Item = (Extent, Status)>,
{
    type Item = (Extent, Option<Status>, Option<Status>);

    fn next(&mut self) -> Option<Self::Item> {
        /// What a map says from `position` on, and up to where; without an end when it says no more.
        fn here(
            runs: &mut Peekable<impl Iterator<Item = (Extent, Status)>>,
            position: u64,
        ) -> (Option<Status>, Option<u64>) {
            while runs.next_if(|(at, _)| at.end() <= position).is_some() {}
            match runs.peek() {
                None => (None, None),
                Some((at, _)) if at.offset > position => (None, Some(at.offset)),
                Some((at, status)) => (Some(*status), Some(at.end())),
            }
        }
        let (one, one_until) = here(&mut self.runs.0, self.position);
        let (other, other_until) = here(&mut self.runs.1, self.position);
        let until = one_until.into_iter().chain(other_until).min()?;
        let at = Extent::between(self.position, until);
        self.position = until;
        Some((at, one, other))
    }
}

impl RescueMap {
    /// The map of `[start, …)` with these runs, which follow each other.
    pub(super) fn of_runs(start: u64, runs: impl IntoIterator<Item = (Extent, Status)>) -> RescueMap {
        let mut map = RescueMap { start, end: start, ..RescueMap::default() };
        for (at, status) in runs {
            debug_assert_eq!(at.offset, map.end);
            map.append(at.len, status);
        }
        if map.runs.is_empty() { RescueMap::default() } else { map }
    }

    /// Where both maps speak from: the smaller start of those that have any byte.
    fn start_with(&self, other: &RescueMap) -> u64 {
        [self, other].iter().filter(|map| map.start < map.end).map(|map| map.start).min().unwrap_or(0)
    }

    /// This map and another, piece by piece, over all that either speaks of.
    pub fn with<'a>(
        &'a self,
        other: &'a RescueMap,
    ) -> impl Iterator<Item = (Extent, Option<Status>, Option<Status>)> + 'a {
        let runs = (self.runs().peekable(), other.runs().peekable());
        Pieces { runs, position: self.start_with(other) }
    }

    fn merged(&self, other: &RescueMap, rule: impl Fn(Status, Status) -> Status) -> RescueMap {
        let status = |known: Option<Status>| known.unwrap_or(Status::NonTried);
        let runs = self.with(other).map(|(at, one, other)| (at, rule(status(one), status(other))));
        RescueMap::of_runs(self.start_with(other), runs)
    }

    /// What either map knows: of each byte the better status. Finished where one of them is.
    pub fn union(&self, other: &RescueMap) -> RescueMap {
        self.merged(other, |one, other| if one as u8 >= other as u8 { one } else { other })
    }

    /// What both maps know: of each byte the lesser status. Finished where both are.
    pub fn intersect(&self, other: &RescueMap) -> RescueMap {
        self.merged(other, |one, other| if one as u8 <= other as u8 { one } else { other })
    }

    /// This map, with what the other one finished no longer finished but bad.
    pub fn difference(&self, other: &RescueMap) -> RescueMap {
        self.merged(other, |one, other| match (one, other) {
            (Status::Finished, Status::Finished) => Status::Bad,
            _ => one,
        })
    }

    /// Finished where exactly one of the maps is; bad where both are; else as in this one.
    pub fn xor(&self, other: &RescueMap) -> RescueMap {
        self.merged(other, |one, other| match (one, other) {
            (Status::Finished, Status::Finished) => Status::Bad,
            (_, Status::Finished) => Status::Finished,
            _ => one,
        })
    }

    /// Where the maps say different things within `domain`, in ascending order; neighbours differ. With `finished_only`
    /// nothing else counts: maps that agree then are the same as domains.
    pub fn differences(&self, other: &RescueMap, domain: &Extents, finished_only: bool) -> Vec<Difference> {
        let said = |status: Option<Status>| {
            if finished_only { status.filter(|&status| status == Status::Finished) } else { status }
        };
        let differing = self.with(other).filter(|&(_, one, other)| said(one) != said(other));
        let mut list: Vec<Difference> = Vec::new();
        for (at, (one, other)) in cut(differing.map(|(at, one, other)| (at, (one, other))), domain) {
            match list.last_mut() {
                Some(last) if last.at.end() == at.offset && (last.one, last.other) == (one, other) => {
                    last.at.len += at.len;
                }
                _ => list.push(Difference { at, one, other }),
            }
        }
        list
    }

    /// The parts of the runs that lie in `domain`.
    pub fn within<'a>(&'a self, domain: &'a Extents) -> impl Iterator<Item = (Extent, Status)> + 'a {
        cut(self.runs(), domain)
    }

    /// This map with `rule` applied within `domain`.
    pub fn change(&self, domain: &Extents, rule: impl Fn(Status) -> Status) -> RescueMap {
        let mut changed = self.clone();
        for (at, status) in self.within(domain) {
            changed.set(at, rule(status));
        }
        changed
    }

    /// This map with that of `inside` within `domain`.
    pub fn replaced(&self, domain: &Extents, inside: &RescueMap) -> RescueMap {
        let blank = RescueMap::of_runs(inside.start, [(inside.extent(), Status::NonTried)]);
        let mut replaced = self.union(&blank);
        for (at, status) in inside.within(domain) {
            replaced.set(at, status);
        }
        replaced
    }

    /// Finished becomes bad, and everything else finished: what is missing as a domain of its own.
    pub fn invert(&self, domain: &Extents) -> RescueMap {
        self.change(domain, |status| match status {
            Status::Finished => Status::Bad,
            _ => Status::Finished,
        })
    }

    /// The map of the same bytes where everything lies `by` bytes further on; what would lie before the first byte goes.
    /// What comes in at the front was not tried.
    pub fn shift(&self, by: i64) -> RescueMap {
        let moved = |offset: u64| offset.saturating_add_signed(by).min(END_OF_SPACE);
        let start = if by > 0 { 0 } else { moved(self.start) };
        let front = Extent::between(start, moved(self.start));
        let runs =
            self.runs().map(|(at, status)| (Extent::between(moved(at.offset), moved(at.end())), status));
        RescueMap::of_runs(start, std::iter::once((front, Status::NonTried)).chain(runs))
    }

    /// The map of exactly `[0, size)`: gaps become `fill`. A map that reaches further is refused, unless it may be cut off.
    pub fn complete(&self, size: u64, fill: Status, cut_off: bool) -> Result<RescueMap> {
        if self.end > size && !cut_off {
            let longer = format!("the map reaches to byte {}, behind {size}", self.end);
            return Err(Error::new(Kind::Refused, longer));
        }
        let mut whole = RescueMap::default();
        whole.append(size, fill);
        for (at, status) in self.runs() {
            whole.set(at, status);
        }
        Ok(whole)
    }
}

/// The parts of runs that lie in `domain`; both ascend.
fn cut<'a, T: Copy + 'a>(
    runs: impl Iterator<Item = (Extent, T)> + 'a,
    domain: &'a Extents,
) -> impl Iterator<Item = (Extent, T)> + 'a {
    let mut parts = domain.iter().peekable();
    runs.flat_map(move |(at, what)| {
        let mut common = Vec::new();
        while let Some(part) = parts.next_if(|part| part.end() <= at.end()) {
            common.push(at.intersect(part));
        }
        common.extend(parts.peek().map(|&part| at.intersect(part)));
        common.into_iter().filter(|part| !part.is_empty()).map(move |part| (part, what))
    })
}
