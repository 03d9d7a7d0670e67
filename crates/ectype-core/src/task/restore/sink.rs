//! The sink of a restore, and what it remembers of each piece for the read-back.
//!
//! ```text
//!   packers: leaf, runs of zeros ──► put     only what differs, where that is asked for ──► writer
//!                                ├─► zero    ───────────────────────────────────────────► writer
//!                                └─► unused  kept │ zeros │ discarded
//!   Written   leaf of every whole piece · zeros · what was left alone
//! ```

use super::Unused;
use super::onto::Onto;
use super::writer::{DEPTH, Writer};
use crate::error::Result;
use crate::extent::{Extent, Extents, PIECE};
use crate::image::differing::differing;
use crate::image::{Block, Form, Grain, Pack, Packed, Sink};
use crate::io::{Content, is_zero};
use crate::os::buffer::Buffer;
use crate::proof::tree::{self, Hash, Tree, TreeBuilder};
use std::sync::Arc;

/// A target that holds holes gets them in cells of this many bytes.
const CELL: usize = 64 << 10;

/// Leaves are kept in chunks of so many pieces, and at most so many chunks: 128 MiB for 4 TiB of data. Pieces beyond are read
/// again from the image when they are compared.
const CHUNK: usize = 4096;
const MOST_CHUNKS: usize = 1024;

/// The leaf of a block, and its zeros.
pub(super) struct Leaves {
    /// The length of the content: what a device gives behind it is not part of a leaf.
    pub(super) size: u64,
    pub(super) wanted: bool,
    /// Whether runs of zeros within a block matter.
    pub(super) holes: bool,
}

impl Pack for Leaves {
    fn pack(&self, at: Extent, data: &[u8]) -> Result<Packed> {
        let content = self.size.saturating_sub(at.offset).min(data.len() as u64) as usize;
        let is_piece = at.offset.is_multiple_of(PIECE) && (at.len == PIECE || at.end() >= self.size);
        let bytes =
            if self.wanted && is_piece { tree::leaf(&data[..content]).0.to_vec() } else { Vec::new() };
        let mut grains: Vec<Grain> = Vec::new();
        if self.holes {
            for (index, cell) in data.chunks(CELL).enumerate() {
                let form = if is_zero(cell) { Form::Zero } else { Form::Plain };
                match grains.last_mut() {
                    Some(last) if last.form == form => last.at.len += cell.len() as u64,
                    _ => grains.push(Grain {
                        at: Extent::new(at.offset + (index * CELL) as u64, cell.len() as u64),
                        form,
                    }),
                }
            }
        }
        Ok(Packed { bytes, grains })
    }
}

/// The leaf that [`Leaves`] took.
pub(super) fn leaf_of(packed: &Packed) -> Option<Hash> {
    packed.bytes[..].try_into().ok().map(Hash)
}

/// What was written, for the read-back.
#[derive(Default)]
pub(super) struct Written {
    chunks: Vec<Option<Box<[Option<Hash>]>>>,
    count: usize,
    /// Zeros by their own word, not by a leaf.
    pub(super) zeros: Extents,
    /// What could not be read from the image: zeros, whatever the image gives next time.
    pub(super) unreadable: Extents,
    /// What was not written: it may hold anything.
    pub(super) left: Extents,
}

impl Written {
    fn set(&mut self, at: Extent, leaf: Option<Hash>) {
        for known in [&mut self.zeros, &mut self.unreadable, &mut self.left] {
            if known.touches(at) {
                known.remove(at);
            }
        }
        let index = (at.offset / PIECE) as usize;
        let (chunk, place) = (index / CHUNK, index % CHUNK);
        if self.chunks.len() <= chunk {
            self.chunks.resize_with(chunk + 1, || None);
        }
        if self.chunks[chunk].is_none() && leaf.is_some() && self.count < MOST_CHUNKS {
            self.chunks[chunk] = Some(vec![None; CHUNK].into_boxed_slice());
            self.count += 1;
        }
        if let Some(leaves) = &mut self.chunks[chunk] {
            leaves[place] = leaf;
        }
    }

    /// The leaf of the piece that begins at `offset`, where it was written as one.
    pub(super) fn leaf(&self, offset: u64) -> Option<Hash> {
        let index = (offset / PIECE) as usize;
        self.chunks.get(index / CHUNK)?.as_ref()?[index % CHUNK]
    }

    /// What follows is no whole piece any more, as far as it has one in `at`.
    fn forget_leaves(&mut self, at: Extent) {
        let (first, last) = ((at.offset / PIECE) as usize, (at.end().saturating_sub(1) / PIECE) as usize);
        for (number, chunk) in self.chunks.iter_mut().enumerate().skip(first / CHUNK) {
            if number > last / CHUNK {
                break;
            }
            if let Some(leaves) = chunk {
                let from = first.saturating_sub(number * CHUNK);
                let to = (last - number * CHUNK + 1).min(CHUNK);
                leaves[from..to].fill(None);
            }
        }
    }
}

/// How the bytes of a restore were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes of data that were written.
    pub written: u64,
    /// Bytes that were made zeros without being written one by one, where the target can do that.
    pub zeroed: u64,
    /// Bytes that the target held already.
    pub same: u64,
    /// Bytes that the image left out, and that were left as they were.
    pub kept: u64,
    /// Bytes that the image left out, and that were discarded.
    pub discarded: u64,
}

/// Takes the content of an image, and writes it to a target.
pub(super) struct Restoring {
    writer: Writer,
    pub(super) written: Written,
    pub(super) counts: Counts,
    unused: Unused,
    changed_only: bool,
    packer: Arc<Leaves>,
    size: u64,
    tree: Option<TreeBuilder>,
    /// The tree of a content that has one more piece before what is written; it grows with the other.
    longer: Option<TreeBuilder>,
    buffer: Buffer,
    /// The target cannot be told what is unused.
    pub(super) no_discard: bool,
}

impl Restoring {
    pub(super) fn new(
        onto: Arc<dyn Onto>,
        name: String,
        size: u64,
        unused: Unused,
        changed_only: bool,
        leaves: bool,
    ) -> Restoring {
        let packer = Arc::new(Leaves { size, wanted: leaves, holes: onto.holds_holes() });
        Restoring {
            writer: Writer::new(onto, name),
            written: Written::default(),
            counts: Counts::default(),
            unused,
            changed_only,
            packer,
            size,
            tree: leaves.then(|| TreeBuilder::new(size)),
            longer: None,
            buffer: Buffer::new(PIECE as usize),
            no_discard: false,
        }
    }

    /// What the target would not take.
    pub(super) fn bad(&self) -> &Extents {
        self.writer.bad()
    }

    /// Why the target does not confirm that it keeps what it was given.
    pub(super) fn unconfirmed(&self) -> Option<&std::io::Error> {
        self.writer.unconfirmed()
    }

    /// Waits for everything, and makes it durable.
    pub(super) fn flush(&mut self) -> Result<()> {
        let flushed = self.writer.flush();
        self.counts.written = self.writer.written();
        flushed
    }

    /// Waits for what is in flight, after an error.
    pub(super) fn settle(&mut self) {
        while self.writer.drain().is_err() {}
        self.counts.written = self.writer.written();
    }

    /// What is written follows a piece with this leaf, in a content of which a record tells.
    pub(super) fn follow(&mut self, leaf: Hash) {
        let mut longer = TreeBuilder::new(self.size + PIECE);
        longer.push(leaf);
        self.longer = Some(longer);
    }

    /// The tree of all that was taken, and the root of which a record would tell; `None` where it did not come piece by piece.
    pub(super) fn trees(&mut self) -> (Option<Tree>, Option<Hash>) {
        let Some(mut tree) = self.tree.take() else { return (None, None) };
        if self.size == 0 {
            tree.push(tree::leaf(&[]));
        }
        if tree.count() != tree::pieces(self.size) {
            return (None, None);
        }
        let tree = tree.finish();
        let of_record = self.longer.take().map_or(tree.root, |longer| longer.finish().root);
        (Some(tree), Some(of_record))
    }

    /// The next leaves of the tree, while everything comes in order: one, or those of zeros.
    fn grow(&mut self, at: Extent, leaf: Option<Hash>) {
        let in_order =
            self.tree.as_ref().is_some_and(|tree| tree.count().checked_mul(PIECE) == Some(at.offset));
        let whole = at.end() == self.size || at.end().is_multiple_of(PIECE);
        if !(in_order && whole) {
            self.tree = None;
            return;
        }
        let rest = (at.len % PIECE) as usize;
        let rest = (leaf.is_none() && rest > 0).then(|| tree::leaf(&vec![0; rest]));
        for tree in self.tree.iter_mut().chain(&mut self.longer) {
            match leaf {
                Some(leaf) => tree.push(leaf),
                None => tree.push_zeros(at.len / PIECE),
            }
            if let Some(rest) = rest {
                tree.push(rest);
            }
        }
    }

    /// Writes to `at` the bytes of `block` from `start` on.
    fn write(&mut self, at: Extent, block: &Block, start: usize) -> Result<()> {
        if !self.changed_only {
            return self.writer.put(at, block, start);
        }
        let data = &(**block).as_ref()[start..][..at.len as usize];
        let held = &mut self.buffer[..data.len()];
        if self.writer.onto().read_at(held, at.offset).is_err() {
            // What cannot be read is not what it should be.
            return self.writer.put(at, block, start);
        }
        let unit = self.writer.onto().geometry().physical_sector as usize;
        // Mostly they are equal, and that is seen fastest in one look.
        let runs = if held == data { Vec::new() } else { differing(held, data, unit) };
        let differs: usize = runs.iter().map(|run| run.1).sum();
        self.counts.same += (data.len() - differs) as u64;
        for (from, len) in runs {
            let part = Extent::new(at.offset + from as u64, len as u64);
            self.writer.put(part, block, start + from)?;
        }
        Ok(())
    }

    fn make_zeros(&mut self, at: Extent) -> Result<()> {
        if !self.changed_only {
            self.counts.zeroed += at.len;
            return self.writer.zero(at);
        }
        let mut offset = at.offset;
        while offset < at.end() {
            // A hole of the target is zeros, and need not be read.
            if let Ok((Content::Zero, until)) = self.writer.onto().content_at(offset) {
                let until = until.min(at.end());
                self.counts.same += until - offset;
                offset = until;
                continue;
            }
            let part = Extent::new(offset, (at.end() - offset).min(PIECE));
            let held = &mut self.buffer[..part.len as usize];
            let read = self.writer.onto().read_at(held, offset);
            if read.is_ok() && is_zero(held) {
                self.counts.same += part.len;
            } else {
                self.counts.zeroed += part.len;
                self.writer.zero(part)?;
            }
            offset = part.end();
        }
        Ok(())
    }
}

impl Sink for Restoring {
    fn packer(&self) -> Option<Arc<dyn Pack>> {
        Some(Arc::clone(&self.packer) as Arc<dyn Pack>)
    }

    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        self.put_packed(offset, data, &Packed::default())
    }

    fn put_packed(&mut self, offset: u64, data: &[u8], packed: &Packed) -> Result<()> {
        let mut block = Buffer::new(data.len());
        block[..data.len()].copy_from_slice(data);
        self.put_block(offset, Arc::new(block), packed)
    }

    fn keeps(&self) -> usize {
        DEPTH
    }

    fn put_block(&mut self, offset: u64, block: Block, packed: &Packed) -> Result<()> {
        let at = Extent::new(offset, (*block).as_ref().len() as u64);
        let leaf = leaf_of(packed);
        match leaf {
            Some(_) => self.grow(at, leaf),
            None => self.tree = None,
        }
        self.written.set(at, leaf);
        if packed.grains.is_empty() {
            return self.write(at, &block, 0);
        }
        for grain in &packed.grains {
            if grain.form == Form::Zero {
                self.make_zeros(grain.at)?;
            } else {
                let start = (grain.at.offset - offset) as usize;
                self.write(grain.at, &block, start)?;
            }
        }
        Ok(())
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        self.grow(at, None);
        self.written.forget_leaves(at);
        self.written.left.remove(at);
        self.written.zeros.insert(at);
        self.make_zeros(at)
    }

    fn unused(&mut self, at: Extent) -> Result<()> {
        match self.unused {
            Unused::Zero => return self.zero(at),
            Unused::Keep => self.counts.kept += at.len,
            Unused::Discard if !self.no_discard && self.writer.discard(at)? => {
                self.counts.discarded += at.len;
            }
            Unused::Discard => {
                self.no_discard = true;
                self.counts.kept += at.len;
            }
        }
        self.grow(at, None);
        self.written.forget_leaves(at);
        self.written.left.insert(at);
        Ok(())
    }

    fn unreadable(&mut self, at: Extent) -> Result<()> {
        self.tree = None;
        self.written.forget_leaves(at);
        self.written.zeros.insert(at);
        self.written.unreadable.insert(at);
        self.make_zeros(at)
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_of_whole_pieces_and_are_forgotten_with_them() {
        let mut written = Written::default();
        let piece = |index: u64| Extent::new(index * PIECE, PIECE);
        for index in [0, 1, 5000, 9000] {
            written.set(piece(index), Some(tree::leaf(&[index as u8])));
        }
        assert_eq!(written.leaf(5000 * PIECE), Some(tree::leaf(&[136])));
        assert_eq!(written.leaf(2 * PIECE), None);
        written.forget_leaves(Extent::between(PIECE, 5000 * PIECE + 1));
        assert_eq!(
            [0, 1, 5000, 9000].map(|index| written.leaf(index * PIECE).is_some()),
            [true, false, false, true]
        );
        // The last piece may be short, and of what a device gives behind it there is no proof.
        let leaves = Leaves { size: PIECE + 100, wanted: true, holes: false };
        let packed = leaves.pack(Extent::new(PIECE, 512), &[7; 512]).unwrap();
        assert_eq!(leaf_of(&packed), Some(tree::leaf(&[7; 100])));
        assert_eq!(leaf_of(&leaves.pack(Extent::new(0, 512), &[7; 512]).unwrap()), None);
    }
}
