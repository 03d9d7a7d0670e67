//! The tree: a BLAKE3 hash tree over 1 MiB pieces, the proof of any part by itself.
//!
//! ```text
//!                     root = H_root(top ‖ length)
//!                              top
//!                    ┌──────────┴───────┐
//!              H_parent(l ‖ r)          │          an odd node goes up unchanged, so the left
//!              ┌──────┴─────┐           │          subtree is always a full power of two
//!            leaf 0       leaf 1      leaf 2       leaf = plain BLAKE3 of the piece, as `b3sum` prints it
//! ```
//!
//! A leaf does not depend on where its piece lies, so pieces may be read in any order; parents and root are BLAKE3 in
//! derive-key mode under contexts of their own, so no leaf can pose as a parent. A subtree of zeros is a constant of its
//! height, so holes cost the logarithm of their length. The last piece may be short; no content at all is one empty piece.

use super::digest::hex;
use crate::extent::PIECE;
use std::fmt;
use std::sync::LazyLock;

/// A record keeps the lowest level that has at most this many nodes.
pub const MOST_NODES: u64 = 65_536;

const PARENT_CONTEXT: &str = "ectype 2026-11-22 tree: parent of two nodes";
const ROOT_CONTEXT: &str = "ectype 2026-11-22 tree: root of a content";

static PARENT: LazyLock<blake3::Hasher> = LazyLock::new(|| blake3::Hasher::new_derive_key(PARENT_CONTEXT));
/// `ZEROS[height]` is the node over `2^height` whole pieces of zeros.
static ZEROS: LazyLock<[Hash; 64]> = LazyLock::new(|| {
    let mut zeros = [leaf(&vec![0; PIECE as usize]); 64];
    for height in 1..zeros.len() {
        zeros[height] = parent(&zeros[height - 1], &zeros[height - 1]);
    }
    zeros
});

/// A node of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Hash> {
        let digits = text.as_bytes().as_chunks::<2>();
        let mut hash = [0; 32];
        if digits.0.len() != hash.len() || !digits.1.is_empty() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.0) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Some(Hash(hash))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The leaf of a piece.
pub fn leaf(piece: &[u8]) -> Hash {
    Hash(*blake3::hash(piece).as_bytes())
}

/// The leaf of a piece that comes in parts.
#[derive(Default)]
pub struct LeafBuilder(blake3::Hasher);

impl LeafBuilder {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The leaf of all that was added.
    pub fn finish(&self) -> Hash {
        Hash(*self.0.finalize().as_bytes())
    }
}

/// The leaf of a whole piece of zeros.
pub fn zero_leaf() -> Hash {
    ZEROS[0]
}

/// How many pieces a content of `len` bytes has.
pub fn pieces(len: u64) -> u64 {
    len.div_ceil(PIECE).max(1)
}

fn parent(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = PARENT.clone();
    hasher.update(&left.0);
    hasher.update(&right.0);
    Hash(*hasher.finalize().as_bytes())
}

fn root(top: &Hash, len: u64) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key(ROOT_CONTEXT);
    hasher.update(&top.0);
    hasher.update(&len.to_le_bytes());
    Hash(*hasher.finalize().as_bytes())
}

/// The finished tree of a content: its root, and one level of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// What stands for the whole content.
    pub root: Hash,
    /// The content's length in bytes.
    pub len: u64,
    /// How many pieces each node covers: a power of two.
    pub pieces_per_node: u64,
    /// The nodes of that level, in order; at most [`MOST_NODES`].
    pub nodes: Vec<Hash>,
}

impl Tree {
    /// Whether root, length and level agree with each other: a record that was tampered with or damaged does not.
    pub fn is_consistent(&self) -> bool {
        let expected = pieces(self.len).div_ceil(self.pieces_per_node.max(1));
        self.pieces_per_node.is_power_of_two()
            && self.nodes.len() as u64 == expected
            && fold_levels(&self.nodes).is_some_and(|top| root(&top, self.len) == self.root)
    }
}

fn fold_levels(nodes: &[Hash]) -> Option<Hash> {
    let mut level = nodes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => parent(left, right),
                _ => pair[0],
            })
            .collect();
    }
    level.first().copied()
}

/// Builds the tree from its leaves in ascending order.
pub struct TreeBuilder {
    len: u64,
    count: u64,
    /// Full subtrees, tallest first, as the digits of `count` in binary.
    stack: Vec<(u32, Hash)>,
    keep_height: u32,
    kept: Vec<Hash>,
}

impl TreeBuilder {
    /// A tree over a content of `len` bytes.
    pub fn new(len: u64) -> Self {
        let mut keep_height = 0;
        while pieces(len).div_ceil(1 << keep_height) > MOST_NODES {
            keep_height += 1;
        }
        TreeBuilder { len, count: 0, stack: Vec::new(), keep_height, kept: Vec::new() }
    }

    /// How many leaves were given.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(0, leaf);
    }

    /// Adds `count` leaves of whole zero pieces.
    pub fn push_zeros(&mut self, mut count: u64) {
        while count > 0 {
            // The tallest zero subtree that fits and that is aligned here.
            let height = self.count.trailing_zeros().min(count.ilog2());
            self.push_subtree(height, ZEROS[height as usize]);
            count -= 1 << height;
        }
    }

    fn push_subtree(&mut self, mut height: u32, mut node: Hash) {
        self.count += 1 << height;
        if height >= self.keep_height {
            // Only zero subtrees come taller than the kept level.
            let nodes = 1 << (height - self.keep_height);
            let kept = if height > self.keep_height { ZEROS[self.keep_height as usize] } else { node };
            self.kept.extend(std::iter::repeat_n(kept, nodes));
        }
        while let Some(&(below, left)) = self.stack.last() {
            if below != height {
                break;
            }
            self.stack.pop();
            node = parent(&left, &node);
            height += 1;
            if height == self.keep_height {
                self.kept.push(node);
            }
        }
        self.stack.push((height, node));
    }

    /// The tree. All leaves must have been given.
    pub fn finish(mut self) -> Tree {
        assert_eq!(self.count, pieces(self.len), "a tree over {} bytes", self.len);
        let mut top: Option<Hash> = None;
        let mut partial: Option<Hash> = None;
        for (height, node) in self.stack.iter().rev() {
            top = Some(top.map_or(*node, |right| parent(node, &right)));
            if *height < self.keep_height {
                partial = top;
            }
        }
        self.kept.extend(partial);
        let top = top.expect("a tree has at least one leaf");
        Tree {
            root: root(&top, self.len),
            len: self.len,
            pieces_per_node: 1 << self.keep_height,
            nodes: self.kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, taken literally: pair neighbours, an odd one goes up.
    fn plain_root(leaves: &[Hash], len: u64) -> Hash {
        root(&fold_levels(leaves).unwrap(), len)
    }

    fn some_leaf(number: u64) -> Hash {
        if number.is_multiple_of(3) { zero_leaf() } else { leaf(&number.to_le_bytes()) }
    }

    #[test]
    fn every_small_tree_is_as_defined() {
        for count in 1..70_u64 {
            let leaves: Vec<Hash> = (0..count).map(some_leaf).collect();
            let mut builder = TreeBuilder::new(count * PIECE);
            leaves.iter().for_each(|leaf| builder.push(*leaf));
            let tree = builder.finish();
            assert_eq!(tree.root, plain_root(&leaves, count * PIECE), "{count} leaves");
            assert_eq!(tree.nodes, leaves);
            assert!(tree.is_consistent());
        }
    }

    #[test]
    fn an_eight_tebibyte_hole_is_cheap_and_keeps_a_bounded_level() {
        let len: u64 = 8 << 40;
        let mut builder = TreeBuilder::new(len);
        builder.push(some_leaf(1));
        builder.push_zeros(pieces(len) - 2);
        builder.push(some_leaf(2));
        let tree = builder.finish();
        assert_eq!(tree.nodes.len() as u64, MOST_NODES);
        assert_eq!(tree.pieces_per_node, 128);
        assert!(tree.is_consistent());
    }

    #[test]
    fn the_length_is_bound() {
        let tree = |len| {
            let mut builder = TreeBuilder::new(len);
            builder.push(leaf(b""));
            builder.finish().root
        };
        assert_ne!(tree(0), tree(1));
    }

    #[test]
    fn a_changed_node_is_noticed() {
        let mut builder = TreeBuilder::new(5 * PIECE);
        (0..5).for_each(|number| builder.push(some_leaf(number)));
        let mut tree = builder.finish();
        tree.nodes[3].0[0] ^= 1;
        assert!(!tree.is_consistent());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn zero_runs_equal_zero_leaves(runs in prop::collection::vec((any::<bool>(), 1..300_u64), 1..8)) {
            let count = runs.iter().map(|run| run.1).sum::<u64>();
            let mut builder = TreeBuilder::new(count * PIECE);
            let mut leaves = Vec::new();
            for (number, (zero, len)) in runs.iter().enumerate() {
                if *zero {
                    builder.push_zeros(*len);
                    leaves.extend(std::iter::repeat_n(zero_leaf(), *len as usize));
                } else {
                    for piece in 0..*len {
                        let leaf = leaf(&[number as u8, piece as u8]);
                        builder.push(leaf);
                        leaves.push(leaf);
                    }
                }
            }
            prop_assert_eq!(builder.finish().root, plain_root(&leaves, count * PIECE));
        }

        #[test]
        fn kept_levels_lead_to_the_root(count in MOST_NODES..MOST_NODES * 5) {
            let mut builder = TreeBuilder::new(count * PIECE);
            builder.push(some_leaf(1));
            builder.push_zeros(count / 2);
            while builder.count() < count {
                builder.push_zeros((count - builder.count()).min(1000));
            }
            let tree = builder.finish();
            prop_assert!(tree.nodes.len() as u64 <= MOST_NODES);
            prop_assert!(tree.is_consistent());
        }
    }
}
