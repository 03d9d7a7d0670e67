//! Extents: ranges of bytes, and ordered sets of them.
//!
//! Offsets and lengths are bytes everywhere in this library. Sectors may have 512, 2048, 2352 or 4096 bytes, so alignment
//! divides; it never masks.

use std::fmt;

/// The unit of reading and of the proof, in bytes.
pub const PIECE: u64 = 1 << 20;

/// The bytes `[offset, offset + len)`. `offset + len` never overflows: [`Extent::new`] clips.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Extent {
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

impl Extent {
    /// The extent of `len` bytes from `offset`, clipped so that its end fits in a `u64`.
    pub const fn new(offset: u64, len: u64) -> Self {
        let room = u64::MAX - offset;
        Extent { offset, len: if len > room { room } else { len } }
    }

    /// The extent `[start, end)`; empty when `end` lies before `start`.
    pub const fn between(start: u64, end: u64) -> Self {
        Extent { offset: start, len: end.saturating_sub(start) }
    }

    /// The first byte behind the extent.
    pub const fn end(self) -> u64 {
        self.offset + self.len
    }

    /// Whether there is no byte in it.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Whether `offset` lies in it.
    pub const fn contains(self, offset: u64) -> bool {
        offset >= self.offset && offset < self.end()
    }

    /// Whether all of `other` lies in it.
    pub const fn covers(self, other: Extent) -> bool {
        other.is_empty() || (other.offset >= self.offset && other.end() <= self.end())
    }

    /// What both have in common; empty where they do not meet.
    pub fn intersect(self, other: Extent) -> Extent {
        Extent::between(self.offset.max(other.offset), self.end().min(other.end()))
    }

    /// Its first bytes, up to the next multiple of `most`.
    pub fn first(self, most: u64) -> Extent {
        let boundary = (self.offset / most + 1).saturating_mul(most);
        Extent::between(self.offset, self.end().min(boundary))
    }

    /// Its last bytes, from the multiple of `most` before its end.
    pub fn last(self, most: u64) -> Extent {
        let boundary = self.end().saturating_sub(1) / most * most;
        Extent::between(self.offset.max(boundary), self.end())
    }

    /// The smallest extent around it that begins and ends on multiples of `unit` bytes, clipped to `u64`.
    pub fn align_out(self, unit: u64) -> Extent {
        if self.is_empty() {
            return self;
        }
        let start = self.offset - self.offset % unit;
        Extent::between(start, self.end().checked_next_multiple_of(unit).unwrap_or(u64::MAX))
    }

    /// The largest extent inside it that begins and ends on multiples of `unit` bytes; perhaps empty.
    pub fn align_in(self, unit: u64) -> Extent {
        match self.offset.checked_next_multiple_of(unit) {
            Some(start) => Extent::between(start, self.end() - self.end() % unit),
            None => Extent::new(self.offset, 0),
        }
    }
}

impl fmt::Debug for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}+{:#x}", self.offset, self.len)
    }
}

/// An ordered set of bytes: extents that are sorted, disjoint, never empty and never adjacent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Extents {
    list: Vec<Extent>,
}

impl Extents {
    /// All bytes that there can be.
    pub fn everything() -> Self {
        Extents { list: vec![Extent::new(0, u64::MAX)] }
    }

    /// The empty set.
    pub const fn new() -> Self {
        Extents { list: Vec::new() }
    }

    /// The extents in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Extent> + ExactSizeIterator + '_ {
        self.list.iter().copied()
    }

    /// How many extents there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> u64 {
        self.list.iter().map(|extent| extent.len).sum()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds the bytes of `extent`.
    pub fn insert(&mut self, extent: Extent) {
        if extent.is_empty() {
            return;
        }
        // The extents that touch or meet the new one are the run [first, last) of the list.
        let first = self.list.partition_point(|known| known.end() < extent.offset);
        let last = self.list.partition_point(|known| known.offset <= extent.end());
        let mut joined = extent;
        if first < last {
            joined = Extent::between(
                self.list[first].offset.min(extent.offset),
                self.list[last - 1].end().max(extent.end()),
            );
        }
        self.list.splice(first..last, [joined]);
    }

    /// Takes the bytes of `extent` out.
    pub fn remove(&mut self, extent: Extent) {
        if extent.is_empty() {
            return;
        }
        let first = self.list.partition_point(|known| known.end() <= extent.offset);
        let last = self.list.partition_point(|known| known.offset < extent.end());
        if first >= last {
            return;
        }
        let head = Extent::between(self.list[first].offset, extent.offset);
        let tail = Extent::between(extent.end(), self.list[last - 1].end());
        self.list.splice(first..last, [head, tail].into_iter().filter(|rest| !rest.is_empty()));
    }

    /// Whether `offset` is in the set.
    pub fn contains(&self, offset: u64) -> bool {
        let index = self.list.partition_point(|known| known.end() <= offset);
        self.list.get(index).is_some_and(|known| known.contains(offset))
    }

    /// Whether every byte of `extent` is in the set.
    pub fn covers(&self, extent: Extent) -> bool {
        let index = self.list.partition_point(|known| known.end() <= extent.offset);
        extent.is_empty() || self.list.get(index).is_some_and(|known| known.covers(extent))
    }

    /// Whether any byte of `extent` is in the set.
    pub fn touches(&self, extent: Extent) -> bool {
        let index = self.list.partition_point(|known| known.end() <= extent.offset);
        self.list.get(index).is_some_and(|known| !known.intersect(extent).is_empty())
    }

    /// The first run of the set within `window`.
    pub fn first_in(&self, window: Extent) -> Option<Extent> {
        let index = self.list.partition_point(|known| known.end() <= window.offset);
        self.list.get(index).map(|known| known.intersect(window)).filter(|part| !part.is_empty())
    }

    /// The last run of the set within `window`.
    pub fn last_in(&self, window: Extent) -> Option<Extent> {
        let index = self.list.partition_point(|known| known.offset < window.end());
        self.list[..index].last().map(|known| known.intersect(window)).filter(|part| !part.is_empty())
    }

    /// The bytes that are in either.
    pub fn union(&self, other: &Extents) -> Extents {
        self.iter().chain(other.iter()).collect()
    }

    /// The bytes that are in both.
    pub fn intersect(&self, other: &Extents) -> Extents {
        let (mut a, mut b) = (self.list.iter().peekable(), other.list.iter().peekable());
        let mut both = Vec::new();
        while let (Some(&&x), Some(&&y)) = (a.peek(), b.peek()) {
            let common = x.intersect(y);
            if !common.is_empty() {
                both.push(common);
            }
            if x.end() <= y.end() {
                a.next()
            } else {
                b.next()
            };
        }
        // Pieces cut from disjoint extents can be adjacent only if an input had adjacent ones, which no set has.
        Extents { list: both }
    }

    /// The bytes that are in this set and not in `other`.
    pub fn subtract(&self, other: &Extents) -> Extents {
        let mut left = Vec::new();
        let mut holes = other.list.iter().peekable();
        for &extent in &self.list {
            let mut start = extent.offset;
            while let Some(&&hole) = holes.peek() {
                if hole.offset >= extent.end() {
                    break;
                }
                if hole.offset > start {
                    left.push(Extent::between(start, hole.offset));
                }
                start = start.max(hole.end());
                if hole.end() > extent.end() {
                    break;
                }
                holes.next();
            }
            if start < extent.end() {
                left.push(Extent::between(start, extent.end()));
            }
        }
        Extents { list: left }
    }

    /// The set with every extent widened to multiples of `unit` bytes.
    pub fn align_out(&self, unit: u64) -> Extents {
        self.iter().map(|extent| extent.align_out(unit)).collect()
    }

    /// The set with every extent narrowed to multiples of `unit` bytes.
    pub fn align_in(&self, unit: u64) -> Extents {
        self.iter().map(|extent| extent.align_in(unit)).collect()
    }
}

impl FromIterator<Extent> for Extents {
    fn from_iter<I: IntoIterator<Item = Extent>>(extents: I) -> Self {
        // Sorted, each extent goes to the end; in any other order a list from a file could make this quadratic.
        let mut sorted: Vec<Extent> = extents.into_iter().collect();
        sorted.sort_unstable();
        let mut set = Extents::new();
        for extent in sorted {
            set.insert(extent);
        }
        set
    }
}

impl fmt::Debug for Extents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bytes that the model knows.
    const SPACE: u64 = 64;

    fn extent() -> impl Strategy<Value = Extent> {
        (0..SPACE, 0..SPACE / 3).prop_map(|(start, len)| Extent::between(start, (start + len).min(SPACE)))
    }

    #[test]
    fn first_and_last_end_on_multiples() {
        let at = Extent::between(5, 21);
        assert_eq!((at.first(8), at.last(8)), (Extent::between(5, 8), Extent::between(16, 21)));
        assert_eq!((at.first(64), at.last(64)), (at, at));
        let aligned = Extent::between(8, 16);
        assert_eq!((aligned.first(4), aligned.last(4)), (Extent::between(8, 12), Extent::between(12, 16)));
        assert_eq!(
            (Extent::new(0, 0).first(8), Extent::new(0, 0).last(8)),
            (Extent::new(0, 0), Extent::new(0, 0))
        );
    }

    fn members(set: &Extents) -> Vec<bool> {
        (0..SPACE).map(|byte| set.contains(byte)).collect()
    }

    fn model(extents: &[Extent]) -> Vec<bool> {
        (0..SPACE).map(|byte| extents.iter().any(|extent| extent.contains(byte))).collect()
    }

    /// Sorted, disjoint, not empty, not adjacent.
    fn is_canonical(set: &Extents) -> bool {
        let list: Vec<Extent> = set.iter().collect();
        list.iter().all(|extent| !extent.is_empty())
            && list.windows(2).all(|pair| pair[0].end() < pair[1].offset)
    }

    fn extents() -> impl Strategy<Value = Vec<Extent>> {
        prop::collection::vec(extent(), 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

        #[test]
        fn inserting_and_removing(changes in prop::collection::vec((extent(), any::<bool>()), 0..40)) {
            let (mut set, mut model) = (Extents::new(), vec![false; SPACE as usize]);
            for (extent, put) in changes {
                if put { set.insert(extent) } else { set.remove(extent) }
                model[extent.offset as usize..extent.end() as usize].fill(put);
                prop_assert!(is_canonical(&set), "{:?}", set);
                prop_assert_eq!(members(&set), model.clone());
            }
            prop_assert_eq!(set.bytes(), model.iter().filter(|&&member| member).count() as u64);
            prop_assert_eq!(set.is_empty(), set.count() == 0);
        }

        #[test]
        fn two_sets(a in extents(), b in extents()) {
            let sets: [Extents; 2] = [a.iter().copied().collect(), b.iter().copied().collect()];
            let [a, b] = [model(&a), model(&b)];
            let both = |law: fn(bool, bool) -> bool| a.iter().zip(&b).map(|(&a, &b)| law(a, b)).collect::<Vec<_>>();
            let [one, other] = &sets;
            let rows = [
                (one.union(other), both(|a, b| a | b)),
                (one.intersect(other), both(|a, b| a & b)),
                (one.subtract(other), both(|a, b| a & !b)),
            ];
            for (set, expected) in rows {
                prop_assert!(is_canonical(&set), "{:?}", set);
                prop_assert_eq!(members(&set), expected);
            }
        }

        #[test]
        fn questions(list in extents(), asked in extent()) {
            let (set, model) = (list.iter().copied().collect::<Extents>(), model(&list));
            let part = &model[asked.offset as usize..asked.end() as usize];
            prop_assert_eq!(set.covers(asked), part.iter().all(|&member| member));
            prop_assert_eq!(set.touches(asked), part.iter().any(|&member| member));
        }

        #[test]
        fn alignment(list in extents(), unit in prop::sample::select(&[1_u64, 2, 3, 5, 8, 16, 100])) {
            let set: Extents = list.into_iter().collect();
            let (out, inner) = (set.align_out(unit), set.align_in(unit));
            prop_assert!(is_canonical(&out) && is_canonical(&inner));
            for byte in 0..SPACE {
                let around = Extent::new(byte - byte % unit, unit);
                prop_assert_eq!(out.contains(byte), set.touches(around));
                prop_assert_eq!(inner.contains(byte), set.covers(around));
            }
        }

        #[test]
        fn one_extent(a in any::<(u64, u64)>(), b in any::<(u64, u64)>(), unit in 1..u64::MAX) {
            let [a, b] = [a, b].map(|(offset, len)| Extent::new(offset, len));
            let common = a.intersect(b);
            prop_assert!(common.is_empty() || (a.covers(common) && b.covers(common)));
            prop_assert_eq!(a.covers(b), b.is_empty() || common == b);
            let (out, inner) = (a.align_out(unit), a.align_in(unit));
            prop_assert!(out.covers(a) && a.covers(inner), "{:?} {:?} {:?}", a, out, inner);
            prop_assert!(inner.is_empty() || (inner.offset % unit == 0 && inner.end() % unit == 0));
        }
    }

    #[test]
    fn the_end_of_space_is_an_end_like_any_other() {
        let last = Extent::new(u64::MAX - 10, 100);
        assert_eq!(last.end(), u64::MAX);
        let mut set: Extents = [last, Extent::new(0, 1)].into_iter().collect();
        assert!(set.covers(last) && set.touches(Extent::new(u64::MAX - 1, 1)) && !set.contains(u64::MAX));
        set.remove(Extent::between(1, u64::MAX));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Extent::new(0, 1)]);
    }
}
