//! The conveyor between reader and committer: packers that work on one block each, and the order kept by one-shots.

use super::Tuning;
use super::pool::Block;
use crate::error::Result;
use crate::extent::{Extent, PIECE};
use crate::image::{self, Pack};
use crate::io::is_zero;
use crate::plan::map::{Stage, Status};
use crate::proof::tree::{self, Hash};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;

/// Zeros are looked for in cells of this many bytes: large enough that an image is not torn to shreds, small enough to
/// find most of what a file system leaves empty.
const CELL: u64 = 64 << 10;

/// What the committer is told, in reading order.
pub(super) enum Step {
    /// Bytes, once a packer is done with them.
    Data(Receiver<Packed>),
    /// Zeros that needed no reading.
    Zero(Extent),
    /// Space that its owner does not use.
    Unused(Extent),
    /// What a failed read made of these sectors, and whether the drive says that they were never written.
    Status { at: Extent, status: Status, unwritten: bool },
    /// What the steps that follow are for.
    Stage(Stage),
}

/// A block with what is known of it.
pub(super) struct Packed {
    pub(super) block: Arc<Block>,
    /// Its parts in order: offset within the block, length, and whether it is zeros.
    pub(super) runs: Vec<(usize, usize, bool)>,
    /// Its leaf, where the block is a whole piece with data in it.
    pub(super) leaf: Option<Hash>,
    /// What the sink's own packer made of it, unless it is all zeros.
    pub(super) grains: Option<Result<image::Packed>>,
}

impl Packed {
    /// How many bytes are in runs of zeros.
    pub(super) fn zeros(&self) -> u64 {
        self.runs.iter().filter(|run| run.2).map(|run| run.1 as u64).sum()
    }

    pub(super) fn is_zero(&self) -> bool {
        matches!(self.runs[..], [(_, _, true)])
    }
}

/// The reader's end of the conveyor.
pub(super) struct Belt<'a> {
    work: Sender<(Arc<Block>, Sender<Packed>)>,
    steps: Sender<Step>,
    leaves: Option<u64>,
    packs: bool,
    gone: &'a AtomicBool,
}

/// The committer is gone: it met an error, which it reports itself.
pub(super) struct CommitterGone;

impl<'a> Belt<'a> {
    /// `gone` is set when the committer has ended: a reader that waits for a hanging drive or a buffer would not see it.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        tuning: &Tuning,
        leaves: Option<u64>,
        packer: Option<Arc<dyn Pack>>,
        steps: Sender<Step>,
        gone: &'a AtomicBool,
    ) -> io::Result<Belt<'a>> {
        let (work, waiting) = bounded::<(Arc<Block>, Sender<Packed>)>(tuning.buffers);
        for number in 0..tuning.packers.max(1) {
            let waiting = waiting.clone();
            let packer = packer.clone();
            let pack_all = move || {
                while let Ok((block, done)) = waiting.recv() {
                    // Has room for its one answer; nobody waits for it when the committer is gone.
                    let _ = done.send(pack(block, leaves, packer.as_deref()));
                }
            };
            match std::thread::Builder::new().name("ectype-pack".into()).spawn_scoped(scope, pack_all) {
                // Fewer packers are slower, not wrong.
                Err(error) if number == 0 => return Err(error),
                _ => {}
            }
        }
        Ok(Belt { work, steps, leaves, packs: packer.is_some(), gone })
    }

    pub(super) fn committer_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    pub(super) fn data(&self, block: Block) -> Result<(), CommitterGone> {
        let (done, packed) = bounded(1);
        if block.at().len <= CELL && !self.packs && !is_whole(block.at(), self.leaves) {
            // Sectors and clusters of a suspect medium: waking a packer would take longer than its work.
            let _ = done.send(pack(Arc::new(block), self.leaves, None));
            return self.step(Step::Data(packed));
        }
        self.work.send((Arc::new(block), done)).map_err(|_| CommitterGone)?;
        self.step(Step::Data(packed))
    }

    pub(super) fn step(&self, step: Step) -> Result<(), CommitterGone> {
        self.steps.send(step).map_err(|_| CommitterGone)
    }
}

/// `leaves`, where they are wanted, is the length of the whole content: its last piece may be short.
fn pack(block: Arc<Block>, leaves: Option<u64>, packer: Option<&dyn Pack>) -> Packed {
    let (at, bytes) = (block.at(), block.bytes());
    let mut runs: Vec<(usize, usize, bool)> = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let to_boundary = CELL - (at.offset + start as u64) % CELL;
        let len = to_boundary.min((bytes.len() - start) as u64) as usize;
        let zero = is_zero(&bytes[start..start + len]);
        match runs.last_mut() {
            Some((_, run, known)) if *known == zero => *run += len,
            _ => runs.push((start, len, zero)),
        }
        start += len;
    }
    let all_zero = matches!(runs[..], [(_, _, true)]);
    let leaf = (!all_zero && is_whole(at, leaves)).then(|| tree::leaf(bytes));
    let grains = packer.filter(|_| !all_zero).map(|packer| packer.pack(at, bytes));
    Packed { runs, leaf, grains, block }
}

/// Whether this is a whole piece that wants a leaf.
fn is_whole(at: Extent, leaves: Option<u64>) -> bool {
    leaves.is_some_and(|size| at.offset.is_multiple_of(PIECE) && (at.len == PIECE || at.end() == size))
}

#[cfg(test)]
mod tests {
    use super::super::pool::Pool;
    use super::*;
    use std::time::Duration;

    fn packed(offset: u64, bytes: &[u8]) -> Packed {
        let pool = Pool::new(1, PIECE as usize);
        let mut buffer = pool.take(Duration::ZERO).unwrap();
        buffer[..bytes.len()].copy_from_slice(bytes);
        pack(
            Arc::new(pool.block(Extent::new(offset, bytes.len() as u64), buffer)),
            Some(3 * PIECE + 4096),
            None,
        )
    }

    #[test]
    fn runs_follow_the_cells_of_the_disk_not_of_the_block() {
        let mut bytes = vec![0; 3 * CELL as usize];
        bytes[CELL as usize] = 1;
        let offset = CELL - 512;
        // The byte lies in the disk's second cell: 512 .. 512 + CELL of the block.
        let runs = packed(offset, &bytes).runs;
        let cell = CELL as usize;
        assert_eq!(runs, [(0, 512, true), (512, cell, false), (512 + cell, 2 * cell - 512, true)]);
    }

    #[test]
    fn only_whole_pieces_with_data_have_a_leaf() {
        let mut piece = vec![0; PIECE as usize];
        assert!(packed(0, &piece).is_zero() && packed(0, &piece).leaf.is_none());
        piece[9] = 1;
        assert_eq!(packed(PIECE, &piece).leaf, Some(tree::leaf(&piece)));
        assert_eq!(packed(512, &piece).leaf, None);
        assert_eq!(packed(PIECE, &piece[..4096]).leaf, None);
        assert_eq!(packed(3 * PIECE, &piece[..4096]).leaf, Some(tree::leaf(&piece[..4096])));
    }
}
