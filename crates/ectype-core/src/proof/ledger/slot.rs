//! A slot of the state file: a head, and JSON that only counts when its hash is right.

use crate::io::ReadAt;
use serde::{Deserialize, Serialize};
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What a state file begins with.
pub const MAGIC: &[u8; 16] = b"ectype state 1\n\0";

/// The length of a slot.
pub(super) const SLOT: u64 = 1 << 20;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SlotHead {
    magic: [u8; 16],
    generation: U64,
    len: U32,
    /// BLAKE3 of the generation's eight bytes and the JSON.
    hash: [u8; 32],
}

/// The bytes before the JSON.
pub(super) const HEAD: usize = size_of::<SlotHead>();

/// The JSON of a slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Slot<F> {
    pub(super) size: u64,
    pub(super) map: String,
    pub(super) map_before: String,
    /// So many leaves were written: a shorter file lost some.
    pub(super) leaves: u64,
    pub(super) zeros: u64,
    pub(super) zeros_before: u64,
    pub(super) intent: Option<(u64, u64)>,
    pub(super) held_before: Vec<(u64, u64)>,
    /// Absent in states of before there was such a list.
    #[serde(default)]
    pub(super) unwritten: Vec<(u64, u64)>,
    pub(super) facts: F,
}

/// A slot as it is written.
pub(super) fn whole(generation: u64, json: &[u8]) -> Vec<u8> {
    let head = SlotHead {
        magic: *MAGIC,
        generation: U64::new(generation),
        len: U32::new(json.len() as u32),
        hash: slot_hash(generation, json),
    };
    [head.as_bytes(), json].concat()
}

fn slot_hash(generation: u64, json: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&generation.to_le_bytes());
    hasher.update(json);
    *hasher.finalize().as_bytes()
}

/// The slot at `at`, with its generation, where it is whole.
pub(super) fn read_slot<F: for<'a> Deserialize<'a>>(state: &dyn ReadAt, at: u64) -> Option<(u64, Slot<F>)> {
    let mut bytes = vec![0; SLOT as usize];
    state.read_at(&mut bytes, at).ok()?;
    let (head, rest) = SlotHead::ref_from_prefix(&bytes).ok()?;
    let json = rest.get(..head.len.get() as usize)?;
    if head.magic != *MAGIC || head.hash != slot_hash(head.generation.get(), json) {
        return None;
    }
    Some((head.generation.get(), serde_json::from_slice(json).ok()?))
}

/// The newest of the two slots, with its generation, where one is whole.
pub(super) fn newest(state: &dyn ReadAt) -> Option<(u64, Slot<serde_json::Value>)> {
    [0, SLOT].into_iter().filter_map(|at| read_slot(state, at)).max_by_key(|(generation, _)| *generation)
}
