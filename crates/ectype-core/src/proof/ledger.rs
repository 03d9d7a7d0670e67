//! The ledger of an unfinished image: what of it is held, and the leaves of what is held.
//!
//! ```text
//!   IMAGE.map     a pure GNU ddrescue mapfile: replaced as a whole at every checkpoint
//!   IMAGE.state   0       1 MiB   2 MiB  
//!                 ┌───────┬───────┬──────────┬──────────┬──────────┬ ─ ─
//!                 │slot A │slot B │ leaf 0   │ leaf 1   │ leaf 2   │        32 bytes a piece of 1 MiB
//!                 └───────┴───────┴──────────┴──────────┴──────────┴ ─ ─
//!      └ at its end: 128 KiB of ballast, given up on a full target so that its last checkpoint has room
//!   slot          magic, generation, length, BLAKE3, then JSON: facts of source and plan, hash of the map
//!   leaf          of a piece that the map holds whole: 00…00 zeros · FF…FF "compute it from the image" · else the leaf
//! ```
//!
//! A checkpoint goes: image, flush, leaves and the older slot, flush, map. A slot names the map that it belongs to and the
//! one before, so a crash between the last two steps is no contradiction; a map that neither names was continued by another
//! program, and then no leaf is believed. The map never claims a byte that the image does not durably hold.
//!
//! When a medium that may have changed is read again, what was held before is `held_before`: still in the image, proven by
//! its leaf, and kept if the medium gives the same. Before such a piece is overwritten the intent to do so is made durable,
//! because after a crash in between its leaf would be a lie.

mod proven;
mod recorded;
mod slot;

use super::tree::{self, Hash, Tree, TreeBuilder};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents, PIECE};
use crate::io::{Durable, ReadAt, Storage};
use crate::plan::map::{RescueMap, Stage, Status};
use serde::{Deserialize, Serialize};
use slot::{HEAD, SLOT, Slot, read_slot};

pub use slot::MAGIC;

const LEAVES: u64 = 2 * SLOT;
const HASH: u64 = 32;
const ZERO_SLOT: Hash = Hash([0; 32]);
const STALE_SLOT: Hash = Hash([0xff; 32]);

/// An intent to overwrite covers this many pieces at once, so that it costs a flush only now and then.
const INTENT: u64 = 256 * PIECE;

/// The start of each slot has its blocks from the beginning on.
const ALLOCATED: u64 = 64 << 10;
const BALLAST: Extent = Extent::between(SLOT - (128 << 10), SLOT);

/// So many places that were never written are remembered for the next run; what is forgotten counts as damage until it is
/// tried again. A slot has no room for endless lists.
const MOST_UNWRITTEN: usize = 4096;

/// Leaves are looked through in batches of this many.
const BATCH: u64 = 1 << 13;

/// Saves the map where the next run finds it, all or nothing, with the stage and the position of its rescue.
pub type SaveMap = Box<dyn FnMut(&RescueMap, Stage, u64) -> Result<()> + Send>;

struct Kept {
    state: Box<dyn Storage>,
    save_map: SaveMap,
    generation: u64,
    map: String,
    zeros: u64,
    facts: serde_json::Value,
    /// What the last checkpoint recorded.
    recorded: Recorded,
    has_ballast: bool,
}

/// What a checkpoint made durable knowledge.
#[derive(Clone)]
pub struct Recorded {
    /// The map.
    pub map: RescueMap,
    /// How many bytes of what it holds are zeros that were found or known.
    pub zeros: u64,
    /// What of the bad sectors was never written.
    pub unwritten: Extents,
}

impl Kept {
    fn new(state: Box<dyn Storage>, save_map: SaveMap, recorded: RescueMap) -> Kept {
        // Without room for it there is none: the first checkpoint will tell.
        let allocated = [Extent::new(0, ALLOCATED), BALLAST, Extent::new(SLOT, ALLOCATED)];
        let has_ballast = allocated.iter().all(|at| {
            let mut held = vec![0; at.len as usize];
            state.read_at(&mut held, at.offset).and_then(|()| state.write_at(&held, at.offset)).is_ok()
        });
        Kept {
            state: Box::new(Durable::new(state)),
            save_map,
            generation: 0,
            map: String::new(),
            zeros: 0,
            facts: serde_json::Value::Null,
            recorded: Recorded { map: recorded, zeros: 0, unwritten: Extents::new() },
            has_ballast,
        }
    }
}

enum Leaves {
    /// In the state file. Leaves from `fresh_from` on were never written.
    Stored { fresh_from: u64 },
    /// Nowhere: the tree grows as the pieces come, which must be in order. `None` once they did not.
    Growing(Option<TreeBuilder>),
    /// Not wanted: the bytes themselves are compared.
    Unwanted,
}

/// Appends to a tree of the leaves that came in order: from this one on there is none, if it is not the next.
fn grow(tree: &mut Option<TreeBuilder>, index: u64, push: impl FnOnce(&mut TreeBuilder)) {
    match tree {
        Some(next) if next.count() == index => push(next),
        _ => *tree = None,
    }
}

/// What of an unfinished image is held.
pub struct Ledger {
    map: RescueMap,
    leaves: Leaves,
    kept: Option<Kept>,
    held_before: Extents,
    /// What of the bad sectors was never written, as the drive says: a gap, no damage.
    unwritten: Extents,
    intent: Extent,
    /// How many bytes of what is held are zeros that were found or known.
    zeros: u64,
    stage: Stage,
    /// Where the rescue stands in its stage: forwards before what it settled last, backwards behind it.
    position: u64,
}

/// Why what an earlier run left may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is proven that nothing was written to the medium since: what the map holds is held.
    Proven,
    /// It is not: everything is read again, and what is held is overwritten only where the medium now gives something else.
    Compare,
    /// The user's word: what was ever held is held.
    Word,
}

/// The state file of an unfinished run, as it was left.
pub struct Left {
    /// Whether map and leaves belong together; if not, another program went on with the map.
    pub leaves_valid: bool,
    generation: u64,
    held_before: Extents,
    unwritten: Extents,
    /// What was about to be overwritten: held, but by leaves that are not to be believed.
    intent: Extent,
    fresh_from: u64,
    zeros: u64,
    facts: serde_json::Value,
}

impl Left {
    /// What an earlier run held and one that compared has not come to.
    pub(crate) fn is_compared(&self) -> bool {
        self.held_before.is_empty()
    }

    /// What the image holds: what this map claims, and what earlier runs held that is yet to be compared.
    pub fn held(&self, map: &RescueMap) -> Extents {
        map.extents(Status::Finished).union(&self.held_before)
    }
}

impl Ledger {
    /// A ledger that lives as long as the run: for comparing and proving, where nothing can be resumed. What is not
    /// [`Status::NonTried`] in `map` is left alone.
    pub fn passing(map: RescueMap) -> Ledger {
        Ledger {
            leaves: Leaves::Growing(Some(TreeBuilder::new(map.size()))),
            map,
            kept: None,
            held_before: Extents::new(),
            unwritten: Extents::new(),
            intent: Extent::new(0, 0),
            zeros: 0,
            stage: Stage::default(),
            position: 0,
        }
    }

    /// A passing ledger without a tree, for comparing bytes.
    pub fn comparing(map: RescueMap) -> Ledger {
        Ledger { leaves: Leaves::Unwanted, ..Ledger::passing(map) }
    }

    /// Whether the leaves of whole pieces are of use.
    pub(crate) fn wants_leaves(&self) -> bool {
        !matches!(self.leaves, Leaves::Unwanted)
    }

    /// Whether those of pieces in parts are, too.
    pub(crate) fn keeps_leaves(&self) -> bool {
        matches!(self.leaves, Leaves::Stored { .. })
    }

    /// The ledger of a new image; returns once it is durable.
    pub fn create<F: Serialize>(
        state: Box<dyn Storage>,
        save_map: SaveMap,
        size: u64,
        facts: &F,
    ) -> Result<Ledger> {
        state.set_size(0).and_then(|()| state.set_size(LEAVES)).map_err(writing)?;
        let kept = Kept { facts: to_value(facts)?, ..Kept::new(state, save_map, RescueMap::new(size)) };
        let mut ledger = Ledger {
            map: RescueMap::new(size),
            leaves: Leaves::Stored { fresh_from: 0 },
            kept: Some(kept),
            held_before: Extents::new(),
            unwritten: Extents::new(),
            intent: Extent::new(0, 0),
            zeros: 0,
            stage: Stage::default(),
            position: 0,
        };
        ledger.checkpoint()?;
        Ok(ledger)
    }

    /// Whether anything was ever recorded in this state file. The first checkpoint goes into the second slot: while that is
    /// not whole and the first is blank, a crash came before it, and the map beside is still that of another program.
    pub fn was_begun(state: &dyn Storage) -> bool {
        let mut first = vec![0; SLOT.min(state.size()) as usize];
        let is_blank = state.read_at(&mut first, 0).is_ok() && first.iter().all(|&byte| byte == 0);
        !is_blank || read_slot::<serde_json::Value>(state, SLOT).is_some()
    }

    /// What an earlier run knew, by its state file alone; `None` where that tells no such thing.
    pub fn facts<F: for<'a> Deserialize<'a>>(state: &dyn ReadAt) -> Option<F> {
        F::deserialize(slot::newest(state)?.1.facts).ok()
    }

    /// Reads what an earlier run left in its state file, for the map found beside it.
    pub fn load<F: for<'a> Deserialize<'a>>(state: &dyn ReadAt, map: &RescueMap) -> Result<(Left, F)> {
        let Some((generation, slot)) = slot::newest(state) else {
            return Err(Error::corrupt(0, "neither slot of the state file is whole"));
        };
        let facts = F::deserialize(&slot.facts)
            .map_err(|error| Error::corrupt(0, "the state file tells other facts").because(error))?;
        if slot.size != map.size() {
            let context =
                format!("it has {} bytes, the unfinished image is of one with {}", map.size(), slot.size);
            return Err(Error::new(Kind::Changed, context));
        }
        let known = map_hash(map);
        let extents = |list: &[(u64, u64)]| -> Extents {
            list.iter().map(|&(offset, len)| Extent::new(offset, len)).collect()
        };
        let held_before = extents(&slot.held_before);
        let unwritten = extents(&slot.unwritten);
        let intent = slot.intent.map_or(Extent::new(0, 0), |(offset, len)| Extent::new(offset, len));
        let fresh_from = state.size().saturating_sub(LEAVES).div_ceil(HASH);
        let leaves_valid = (known == slot.map || known == slot.map_before) && fresh_from >= slot.leaves;
        let zeros = if known == slot.map { slot.zeros } else { slot.zeros_before };
        Ok((
            Left {
                leaves_valid,
                generation,
                held_before,
                unwritten,
                intent,
                fresh_from,
                zeros,
                facts: slot.facts,
            },
            facts,
        ))
    }

    /// Goes on with an earlier run, as far as `trust` goes.
    pub fn resume<F: Serialize>(
        state: Box<dyn Storage>,
        save_map: SaveMap,
        map: RescueMap,
        before: Left,
        facts: &F,
        trust: Trust,
    ) -> Result<Ledger> {
        let (known, recorded) = (map_hash(&map), map.clone());
        let (mut map, mut held_before) = (map, before.held_before);
        match trust {
            Trust::Proven => {}
            // What cannot be compared by a leaf stays in the image all the same until the medium has given something else.
            Trust::Compare => {
                held_before = held_before.union(&map.extents(Status::Finished));
                map = RescueMap::new(map.size());
            }
            Trust::Word => {
                // What was being overwritten when the power went may be neither the old nor the new.
                held_before.remove(before.intent);
                held_before.iter().for_each(|held| map.set(held, Status::Finished));
                held_before = Extents::new();
            }
        }
        // Another program may have read them since.
        let unwritten = before.unwritten.intersect(&map.extents(Status::Bad));
        // Until the emptied map is durable, the facts of the earlier run stand: they say why it was emptied.
        let new_facts = to_value(facts)?;
        let first_facts = if trust == Trust::Compare { before.facts } else { new_facts.clone() };
        let mut ledger = Ledger {
            map,
            leaves: Leaves::Stored { fresh_from: before.fresh_from },
            kept: Some(Kept {
                generation: before.generation,
                map: known,
                zeros: before.zeros,
                facts: first_facts,
                ..Kept::new(state, save_map, recorded)
            }),
            held_before,
            unwritten,
            intent: Extent::new(0, 0),
            zeros: 0,
            stage: Stage::default(),
            position: 0,
        };
        if before.leaves_valid && trust == Trust::Proven {
            ledger.zeros = before.zeros;
        }
        let intent: Extents = [before.intent].into_iter().collect();
        let unbelieved =
            if before.leaves_valid { ledger.held_before.intersect(&intent) } else { ledger.held() };
        if !unbelieved.is_empty() {
            for extent in unbelieved.iter() {
                ledger.set_stale(extent)?;
            }
            // Before a slot says again that leaves are to be believed.
            ledger.flush_state()?;
        }
        ledger.checkpoint()?;
        if trust == Trust::Compare {
            if let Some(kept) = &mut ledger.kept {
                kept.facts = new_facts;
            }
            ledger.checkpoint()?;
        }
        Ok(ledger)
    }

    /// The ledger of an image that another program began: its map is believed, and every leaf is computed at the end.
    pub fn adopt<F: Serialize>(
        state: Box<dyn Storage>,
        save_map: SaveMap,
        map: RescueMap,
        facts: &F,
    ) -> Result<Ledger> {
        let before = Left {
            leaves_valid: false,
            generation: 0,
            held_before: Extents::new(),
            unwritten: Extents::new(),
            intent: Extent::new(0, 0),
            fresh_from: 0,
            zeros: 0,
            facts: serde_json::Value::Null,
        };
        state.set_size(0).and_then(|()| state.set_size(LEAVES)).map_err(writing)?;
        Ledger::resume(state, save_map, map, before, facts, Trust::Proven)
    }

    /// What is held, and what is known of the rest.
    pub fn map(&self) -> &RescueMap {
        &self.map
    }

    /// What an earlier run left in the image: what its map holds, and what was held before that.
    pub fn held(&self) -> Extents {
        self.map.extents(Status::Finished).union(&self.held_before)
    }

    /// What of the bad sectors was never written, as the drive says.
    pub fn unwritten(&self) -> &Extents {
        &self.unwritten
    }

    /// How many bytes of what is held are zeros that were found or known.
    pub fn zeros(&self) -> u64 {
        self.zeros
    }

    /// Whether the image already holds the whole piece `at` with this leaf, from an earlier run.
    pub(crate) fn holds(&self, at: Extent, leaf: Hash) -> bool {
        self.held_before.covers(at) && self.leaf(at.offset / PIECE).is_ok_and(|known| known == leaf)
    }

    /// Whether the image already holds zeros in all of `at`, from an earlier run.
    pub(crate) fn holds_zeros(&self, at: Extent) -> bool {
        let size = self.map.size();
        if self.held_before.is_empty() || !self.held_before.covers(at) || whole_pieces(at, size) != at {
            return false;
        }
        let rest = at.end() % PIECE;
        if rest > 0 && !self.leaf(at.end() / PIECE).is_ok_and(|known| known == zeros_leaf(rest)) {
            return false;
        }
        let (mut index, end) = (at.offset / PIECE, at.end() / PIECE);
        while index < end {
            let batch = (end - index).min(BATCH);
            match self.leaves_at(index, batch) {
                Ok(leaves) if leaves.iter().all(|leaf| *leaf == ZERO_SLOT) => index += batch,
                _ => return false,
            }
        }
        true
    }

    /// Must be called before the image changes in `at`: makes durable that leaves there are not to be believed.
    pub(crate) fn before_change(&mut self, at: Extent) -> Result<()> {
        if !self.held_before.touches(at) {
            return Ok(());
        }
        // Half overwritten it is neither the old nor the new, whether the rest comes or not.
        self.held_before.remove(at);
        if self.intent.covers(at) {
            return Ok(());
        }
        let start = at.offset - at.offset % PIECE;
        self.intent = Extent::new(start, INTENT.max(at.end() - start));
        let Some(kept) = &self.kept else { return Ok(()) };
        let map = kept.map.clone();
        self.write_slot(map.clone(), map)?;
        self.flush_state()
    }

    /// The image now holds data in `at`, `zeros` bytes of it in runs of zeros.
    pub(crate) fn put(&mut self, at: Extent, leaf: Option<Hash>, zeros: u64) -> Result<()> {
        self.zeros = self.zeros.saturating_add(zeros);
        match leaf {
            Some(leaf) => self.set_leaf(at, leaf)?,
            None => self.set_stale(at)?,
        }
        self.now_held(at);
        Ok(())
    }

    /// This is the leaf of the piece that `at` lies in: all of it is held.
    pub(crate) fn complete(&mut self, at: Extent, leaf: Hash) -> Result<()> {
        self.set_leaf(at, leaf)
    }

    /// The image now holds zeros in `at`.
    pub(crate) fn zero(&mut self, at: Extent) -> Result<()> {
        self.zeros = self.zeros.saturating_add(at.len);
        let boundary = at.offset.checked_next_multiple_of(PIECE).unwrap_or(u64::MAX);
        let head = Extent::between(at.offset, at.end().min(boundary));
        self.set_stale(head)?;
        let tail = Extent::between((at.end() - at.end() % PIECE).max(head.end()), at.end());
        self.set_zeros(Extent::between(head.end(), tail.offset))?;
        if tail.end() == self.map.size() && !tail.is_empty() {
            self.set_leaf(tail, zeros_leaf(tail.len))?;
        } else {
            self.set_stale(tail)?;
        }
        self.now_held(at);
        Ok(())
    }

    /// What follows belongs to this stage.
    pub(crate) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.position = if stage.backwards { self.map.size() } else { 0 };
    }

    fn settled(&mut self, at: Extent) {
        self.position = if self.stage.backwards { at.end() } else { at.offset };
    }

    /// The first bytes that an earlier run held and this one has failed to read.
    pub(crate) fn given_up(&self) -> Option<Extent> {
        let failed = [Status::NonTrimmed, Status::NonScraped].map(|status| self.map.extents(status));
        let lost = failed[0].union(&failed[1]).intersect(&self.held_before);
        lost.iter().next()
    }

    fn now_held(&mut self, at: Extent) {
        self.settled(at);
        self.map.set(at, Status::Finished);
        for no_more in [&mut self.held_before, &mut self.unwritten] {
            if !no_more.is_empty() {
                no_more.remove(at);
            }
        }
    }

    /// Whether the image holds something in `at` from an earlier run that this one has not come to yet.
    pub(crate) fn held_before(&self, at: Extent) -> bool {
        self.held_before.touches(at)
    }

    /// A failed read made this of `at`, which the drive may call never written.
    pub(crate) fn status(&mut self, at: Extent, status: Status, unwritten: bool) {
        if let Leaves::Growing(tree) = &mut self.leaves {
            *tree = None;
        }
        self.settled(at);
        self.map.set(at, status);
        if unwritten {
            self.unwritten.insert(at);
        } else if !self.unwritten.is_empty() {
            self.unwritten.remove(at);
        }
    }

    /// The content ends at `size` after all.
    pub(crate) fn set_end(&mut self, size: u64) -> Result<()> {
        let mut map = RescueMap::new(size);
        for (at, status) in self.map.runs() {
            map.set(at.intersect(Extent::new(0, size)), status);
        }
        self.map = map;
        self.unwritten.remove(Extent::between(size, u64::MAX));
        // Its last piece may have the leaf of a longer one, from a run that was cut off before its map told.
        self.set_stale(Extent::between(size - size % PIECE, size))
    }

    /// Makes what is held durable knowledge. The image must have been flushed before.
    pub fn checkpoint(&mut self) -> Result<()> {
        match self.record() {
            Err(error) if error.kind() == Kind::Limit && self.drop_ballast() => self.record(),
            recorded => recorded,
        }
    }

    fn drop_ballast(&mut self) -> bool {
        let Some(kept) = &mut self.kept else { return false };
        std::mem::take(&mut kept.has_ballast)
            && kept.state.holds_holes()
            && kept.state.zero_at(BALLAST).and_then(|()| kept.state.flush()).is_ok()
    }

    /// What the last checkpoint recorded; `None` of a ledger that nothing outlives.
    pub fn recorded(&self) -> Option<&Recorded> {
        self.kept.as_ref().map(|kept| &kept.recorded)
    }

    fn record(&mut self) -> Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let (map, before) = (map_hash(&self.map), kept.map.clone());
        // What was changed has its new leaf, and the image was flushed.
        self.intent = Extent::new(0, 0);
        self.write_slot(map.clone(), before)?;
        self.flush_state()?;
        let kept = self.kept.as_mut().expect("checked above");
        (kept.save_map)(&self.map, self.stage, self.position)?;
        kept.map = map;
        kept.zeros = self.zeros;
        kept.recorded =
            Recorded { map: self.map.clone(), zeros: self.zeros, unwritten: self.unwritten.clone() };
        Ok(())
    }

    fn flush_state(&mut self) -> Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        kept.state.flush().map_err(writing)
    }

    fn write_slot(&mut self, map: String, map_before: String) -> Result<()> {
        let same_map = map == map_before;
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let kept_zeros = kept.zeros;
        let pair = |extent: Extent| (extent.offset, extent.len);
        let mut slot = Slot {
            size: self.map.size(),
            map,
            map_before,
            leaves: match self.leaves {
                Leaves::Stored { fresh_from } => fresh_from,
                Leaves::Growing(_) | Leaves::Unwanted => 0,
            },
            zeros: if same_map { kept_zeros } else { self.zeros },
            zeros_before: kept.zeros,
            intent: (!self.intent.is_empty()).then(|| pair(self.intent)),
            held_before: self.held_before.iter().map(pair).collect(),
            unwritten: self.unwritten.iter().take(MOST_UNWRITTEN).map(pair).collect(),
            facts: &kept.facts,
        };
        let room = BALLAST.offset as usize - HEAD;
        let json = loop {
            let json = serde_json::to_vec(&slot)
                .map_err(|error| Error::new(Kind::Io, "writing the state").because(error))?;
            if json.len() <= room || slot.unwritten.is_empty() {
                break json;
            }
            // What is held goes before what may be forgotten.
            slot.unwritten.truncate(slot.unwritten.len() / 2);
        };
        if json.len() > room {
            let many = self.held_before.count();
            let context =
                format!("what earlier runs hold lies in {many} places, too many to be compared again");
            return Err(Error::new(Kind::Limit, context)
                .advise("nothing was written to the medium since:  --trust-map keeps what was read")
                .advise("it was:  --restart begins anew"));
        }
        let spent = || Error::corrupt(0, "the state file's generation is spent");
        let generation = kept.generation.checked_add(1).ok_or_else(spent)?;
        kept.state.write_at(&slot::whole(generation, &json), generation % 2 * SLOT).map_err(writing)?;
        // Only now: what could not be written is tried again in the same slot, and the other stays whole.
        kept.generation = generation;
        Ok(())
    }

    fn state(&self) -> &dyn Storage {
        self.kept.as_ref().expect("stored leaves have a state file").state.as_ref()
    }

    fn leaf(&self, index: u64) -> Result<Hash> {
        Ok(self.leaves_at(index, 1)?[0])
    }

    /// `count` leaves from `index`, as they stand in the state file.
    fn leaves_at(&self, index: u64, count: u64) -> Result<Vec<Hash>> {
        let Leaves::Stored { fresh_from } = self.leaves else {
            return Ok(vec![STALE_SLOT; count as usize]);
        };
        let there = fresh_from.saturating_sub(index).min(count) as usize;
        let mut leaves = vec![ZERO_SLOT; count as usize];
        let mut bytes = vec![0; there * HASH as usize];
        if there > 0 {
            let whole =
                self.state().size().saturating_sub(LEAVES + index * HASH).min(bytes.len() as u64) as usize;
            self.state()
                .read_at(&mut bytes[..whole], LEAVES + index * HASH)
                .map_err(|error| Error::io("reading the state file", error))?;
        }
        for (leaf, bytes) in leaves.iter_mut().zip(bytes.as_chunks::<32>().0) {
            *leaf = Hash(*bytes);
        }
        Ok(leaves)
    }

    fn set_leaf(&mut self, at: Extent, leaf: Hash) -> Result<()> {
        let index = at.offset / PIECE;
        match &mut self.leaves {
            Leaves::Unwanted => Ok(()),
            Leaves::Growing(tree) => {
                grow(tree, index, |tree| tree.push(leaf));
                Ok(())
            }
            Leaves::Stored { fresh_from } => {
                *fresh_from = (*fresh_from).max(index + 1);
                // Zeros that came in parts are zeros as any others.
                let leaf = if leaf == tree::zero_leaf() { ZERO_SLOT } else { leaf };
                self.state().write_at(&leaf.0, LEAVES + index * HASH).map_err(writing)
            }
        }
    }

    /// The pieces that `at` touches have to be computed from the image.
    fn set_stale(&mut self, at: Extent) -> Result<()> {
        if at.is_empty() {
            return Ok(());
        }
        let (mut index, end) = (at.offset / PIECE, at.end().div_ceil(PIECE));
        match &mut self.leaves {
            Leaves::Unwanted => return Ok(()),
            Leaves::Growing(tree) => {
                *tree = None;
                return Ok(());
            }
            Leaves::Stored { fresh_from } => *fresh_from = (*fresh_from).max(end),
        }
        let stale = vec![0xff; (HASH * (end - index).min(BATCH)) as usize];
        while index < end {
            let batch = (end - index).min(BATCH);
            let bytes = &stale[..(HASH * batch) as usize];
            self.state().write_at(bytes, LEAVES + index * HASH).map_err(writing)?;
            index += batch;
        }
        Ok(())
    }

    fn set_zeros(&mut self, whole: Extent) -> Result<()> {
        if whole.is_empty() {
            return Ok(());
        }
        let (index, count) = (whole.offset / PIECE, whole.len / PIECE);
        match &mut self.leaves {
            Leaves::Unwanted => Ok(()),
            Leaves::Growing(tree) => {
                grow(tree, index, |tree| tree.push_zeros(count));
                Ok(())
            }
            // Beyond what was ever written all leaves are zeros already.
            Leaves::Stored { fresh_from } => {
                let written = (*fresh_from).saturating_sub(index).min(count);
                if written == 0 {
                    return Ok(());
                }
                let slots = Extent::new(LEAVES + index * HASH, written * HASH);
                self.state().zero_at(slots).map_err(writing)
            }
        }
    }

    /// The tree of a passing ledger: known if everything came once and in order.
    pub fn grown_tree(&mut self) -> Option<Tree> {
        let size = self.map.size();
        let Leaves::Growing(tree) = &mut self.leaves else { return None };
        let mut tree = tree.take()?;
        if size == 0 {
            // Of nothing no piece comes, and yet it has a leaf.
            tree.push(tree::leaf(&[]));
        }
        (tree.count() == tree::pieces(size)).then(|| tree.finish())
    }
}

/// The pieces that lie wholly in `held`; the last one of a content of `size` bytes may be short.
fn whole_pieces(held: Extent, size: u64) -> Extent {
    let end = if held.end() == size { size } else { held.end() - held.end() % PIECE };
    match held.offset.checked_next_multiple_of(PIECE) {
        Some(start) => Extent::between(start, end),
        None => Extent::new(held.offset, 0),
    }
}

/// The leaf of a short piece of zeros.
fn zeros_leaf(len: u64) -> Hash {
    tree::leaf(&vec![0; len as usize])
}

fn writing(error: std::io::Error) -> Error {
    Error::writing("writing the state file", error)
}

fn to_value<F: Serialize>(facts: &F) -> Result<serde_json::Value> {
    serde_json::to_value(facts).map_err(|error| Error::new(Kind::Io, "writing the state").because(error))
}

/// What a map says, without the comments that any program may rewrite.
fn map_hash(map: &RescueMap) -> String {
    let mut hasher = blake3::Hasher::new();
    for (extent, status) in map.runs() {
        hasher.update(&extent.offset.to_le_bytes());
        hasher.update(&extent.len.to_le_bytes());
        hasher.update(&[status.sign() as u8]);
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests;
