//! The committer: owns sink and ledger, takes the steps in reading order, and makes them durable.

use super::pipeline::{Packed, Step};
use super::pool::Block;
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::image::{self, Sink};
use crate::plan::map::Status;
use crate::proof::digest::{Algorithm, Digester};
use crate::proof::ledger::Ledger;
use crate::proof::tree::{Hash, LeafBuilder};
use crate::watch::Watch;
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Takes every step until the reader is done. An error is the sink's or the ledger's.
pub(super) fn commit(
    sink: &mut dyn Sink,
    ledger: &mut Ledger,
    digests: &Digests<'_>,
    steps: Receiver<Step>,
    checkpoint_every: Duration,
) -> Result<()> {
    let mut last = Instant::now();
    let mut unrecorded = false;
    let mut parts = Parts::default();
    loop {
        // A drive may hang for minutes: what came before is made durable meanwhile.
        let step = if unrecorded {
            steps.recv_timeout(checkpoint_every.saturating_sub(last.elapsed()))
        } else {
            steps.recv().map_err(RecvTimeoutError::from)
        };
        unrecorded |= step.is_ok();
        match step {
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Step::Data(packed)) => {
                let mut packed = packed.recv().expect("a packer answers for every block");
                let leaf =
                    if ledger.keeps_leaves() { parts.leaf(&packed, ledger.map().size()) } else { None };
                put(sink, ledger, &mut packed, leaf)?;
                digests.data(&packed.block);
            }
            Ok(Step::Zero(at)) => {
                parts.forget();
                zero(sink, ledger, at, false)?;
                digests.zeros(at);
            }
            Ok(Step::Unused(at)) => {
                parts.forget();
                zero(sink, ledger, at, true)?;
                digests.zeros(at);
            }
            Ok(Step::Status { at, status, unwritten }) => {
                parts.forget();
                let newly_bad = status == Status::Bad && ledger.map().run_at(at.offset).1 != Status::Bad;
                if newly_bad {
                    if ledger.held_before(at) {
                        return Err(lost(at));
                    }
                    ledger.before_change(at)?;
                    sink.unreadable(at)?;
                }
                ledger.status(at, status, unwritten);
                if newly_bad {
                    digests.zeros(at);
                }
            }
            Ok(Step::Stage(stage)) => ledger.enter(stage),
        }
        if unrecorded && last.elapsed() >= checkpoint_every {
            sink.checkpoint()?;
            ledger.checkpoint()?;
            last = Instant::now();
            unrecorded = false;
        }
    }
}

/// An earlier run read it, this one cannot: only the user knows whether the medium was written to in between.
pub(super) fn lost(at: Extent) -> Error {
    Error::new(
        Kind::Changed,
        "a sector that an earlier run has read cannot be read any more, and is not given up",
    )
    .at(at.offset)
    .advise("nothing was written to the medium since:  --trust-map keeps what was read")
    .advise("it was:  --restart begins anew")
}

/// A piece that comes in clusters, as from a suspect medium: its leaf is taken on the way, so that the image need not be read
/// again for it at the end.
#[derive(Default)]
struct Parts {
    leaf: LeafBuilder,
    /// Where the next part is expected; `None` where a piece has to begin first.
    end: Option<u64>,
}

impl Parts {
    /// The leaf of the piece that this block is the last part of, if the others came before it in order and nothing between.
    fn leaf(&mut self, packed: &Packed, size: u64) -> Option<Hash> {
        let (at, expected) = (packed.block.at(), self.end.take());
        if at.offset.is_multiple_of(PIECE) {
            self.leaf = LeafBuilder::default();
        } else if expected != Some(at.offset) {
            return None;
        }
        let piece = Extent::new(at.offset - at.offset % PIECE, PIECE).intersect(Extent::new(0, size));
        if at == piece || !piece.covers(at) {
            return None;
        }
        self.leaf.update(packed.block.bytes());
        if at.end() == piece.end() {
            return Some(self.leaf.finish());
        }
        self.end = Some(at.end());
        None
    }

    /// Something else came between.
    fn forget(&mut self) {
        self.end = None;
    }
}

/// `leaf` is that of a piece of which this is the last part.
fn put(sink: &mut dyn Sink, ledger: &mut Ledger, packed: &mut Packed, leaf: Option<Hash>) -> Result<()> {
    let at = packed.block.at();
    if packed.is_zero() {
        zero(sink, ledger, at, false)?;
        return leaf.map_or(Ok(()), |leaf| ledger.complete(at, leaf));
    }
    if packed.leaf.is_some_and(|leaf| ledger.holds(at, leaf)) {
        return ledger.put(at, packed.leaf, packed.zeros());
    }
    ledger.before_change(at)?;
    if let Some(grains) = packed.grains.take() {
        sink.put_block(at.offset, Arc::clone(&packed.block) as image::Block, &grains?)?;
        return ledger.put(at, packed.leaf, packed.zeros());
    }
    let bytes = packed.block.bytes();
    for &(start, len, is_zero) in &packed.runs {
        let offset = at.offset + start as u64;
        if is_zero {
            sink.zero(Extent::new(offset, len as u64))?;
        } else {
            sink.put(offset, &bytes[start..start + len])?;
        }
    }
    ledger.put(at, packed.leaf.or(leaf), packed.zeros())
}

fn zero(sink: &mut dyn Sink, ledger: &mut Ledger, at: Extent, unused: bool) -> Result<()> {
    if !ledger.holds_zeros(at) {
        ledger.before_change(at)?;
        if unused { sink.unused(at)? } else { sink.zero(at)? }
    }
    ledger.zero(at)
}

/// What a digest thread is given.
enum Piece {
    Data(Arc<Block>),
    Zeros(Extent),
}

impl Piece {
    fn at(&self) -> Extent {
        match self {
            Piece::Data(block) => block.at(),
            Piece::Zeros(at) => *at,
        }
    }
}

/// Zeros are handed to the digests in parts of this many bytes, so that a hole of terabytes can be interrupted.
const ZEROS_AT_ONCE: u64 = 16 << 20;

/// A digest, and its thread with the way to it; the thread returns how many bytes came in order. Without a thread the
/// digest is computed from the image.
type Taker = (Algorithm, Option<(Sender<Piece>, JoinHandle<(Digester, u64)>)>);

/// The linear digests, each on a thread of its own.
pub(super) struct Digests<'a> {
    takers: Vec<Taker>,
    watch: &'a Watch,
}

impl<'a> Digests<'a> {
    pub(super) fn start(algorithms: &[Algorithm], room: usize, watch: &'a Watch) -> Digests<'a> {
        let start = |&algorithm: &Algorithm| {
            let (sender, pieces) = bounded(room);
            let thread = std::thread::Builder::new()
                .name(format!("ectype-{algorithm}"))
                .spawn(move || take(Digester::new(algorithm), pieces));
            (algorithm, thread.ok().map(|thread| (sender, thread)))
        };
        Digests { takers: algorithms.iter().map(start).collect(), watch }
    }

    fn senders(&self) -> impl Iterator<Item = &Sender<Piece>> {
        self.takers.iter().filter_map(|(_, taker)| taker.as_ref()).map(|(sender, _)| sender)
    }

    fn data(&self, block: &Arc<Block>) {
        for sender in self.senders() {
            self.offer(sender, Piece::Data(Arc::clone(block)));
        }
    }

    fn zeros(&self, at: Extent) {
        for sender in self.senders() {
            let mut offset = at.offset;
            while offset < at.end() {
                let part = Extent::new(offset, (at.end() - offset).min(ZEROS_AT_ONCE));
                if !self.offer(sender, Piece::Zeros(part)) {
                    break;
                }
                offset = part.end();
            }
        }
    }

    /// False when the digest takes no more: the run is to stop.
    fn offer(&self, sender: &Sender<Piece>, mut piece: Piece) -> bool {
        while !self.watch.stop_asked() {
            match sender.send_timeout(piece, Duration::from_millis(50)) {
                Ok(()) => return true,
                Err(SendTimeoutError::Disconnected(_)) => return false,
                Err(SendTimeoutError::Timeout(back)) => piece = back,
            }
        }
        false
    }

    /// The digests of those that saw all `size` bytes in order.
    pub(super) fn finish(self, size: u64, whole: bool) -> Vec<(Algorithm, Option<String>)> {
        let finish = |(algorithm, taker): Taker| {
            let Some((sender, thread)) = taker else { return (algorithm, None) };
            drop(sender);
            if !whole {
                // It may have much to do before it sees that nobody wants the answer: it is left behind.
                return (algorithm, None);
            }
            let (digester, seen) = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (algorithm, (whole && seen == size).then(|| digester.finish()))
        };
        self.takers.into_iter().map(finish).collect()
    }
}

/// Digests as long as the bytes come in order, and returns how many did. The rest is taken all the same: in a channel that
/// nobody empties, blocks would never find back to the pool, and the reader would wait for them forever.
fn take(mut digester: Digester, pieces: Receiver<Piece>) -> (Digester, u64) {
    let (mut seen, mut in_order) = (0, true);
    for piece in pieces {
        let at = piece.at();
        in_order &= at.offset == seen;
        if !in_order {
            continue;
        }
        match &piece {
            Piece::Data(block) => digester.update(block.bytes()),
            Piece::Zeros(at) => digester.update_zeros(at.len),
        }
        seen = at.end();
    }
    (digester, seen)
}

#[cfg(test)]
mod tests {
    use super::super::pool::Pool;
    use super::*;
    use crate::proof::tree;

    #[test]
    fn the_leaf_of_a_piece_in_parts_is_that_of_the_whole() {
        let pool = Pool::new(1, PIECE as usize);
        let size = 2 * PIECE + 1000;
        let content: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        let packed = |offset: u64, len: u64| {
            let mut buffer = pool.take(Duration::ZERO).unwrap();
            buffer[..len as usize].copy_from_slice(&content[offset as usize..][..len as usize]);
            let block = Arc::new(pool.block(Extent::new(offset, len), buffer));
            Packed { block, runs: Vec::new(), leaf: None, grains: None }
        };
        let leaf = |start: u64, end: u64| Some(tree::leaf(&content[start as usize..end as usize]));
        let mut parts = Parts::default();
        let half = PIECE / 2;
        assert_eq!(parts.leaf(&packed(0, 512), size), None);
        assert_eq!(parts.leaf(&packed(512, half), size), None);
        assert_eq!(parts.leaf(&packed(512 + half, half - 512), size), leaf(0, PIECE));
        // The next piece begins by itself, and one that is read whole has its leaf from elsewhere.
        assert_eq!(parts.leaf(&packed(PIECE, PIECE), size), None);
        assert_eq!(parts.leaf(&packed(2 * PIECE, 512), size), None);
        assert_eq!(parts.leaf(&packed(2 * PIECE + 512, 488), size), leaf(2 * PIECE, size));
        // Out of order, with a gap, twice, or with something between: nothing is claimed.
        assert_eq!(parts.leaf(&packed(half, half), size), None);
        assert_eq!(parts.leaf(&packed(0, half), size), None);
        assert_eq!(parts.leaf(&packed(half + 512, half - 512), size), None);
        assert_eq!(parts.leaf(&packed(half, half), size), None);
        assert_eq!(parts.leaf(&packed(0, half), size), None);
        parts.forget();
        assert_eq!(parts.leaf(&packed(half, half), size), None);
    }

    #[test]
    fn a_digest_that_met_a_gap_keeps_no_buffer() {
        const COUNT: usize = 8;
        for _ in 0..200 {
            let pool = Pool::new(COUNT, 4096);
            let watch = Watch::new();
            let digests = Digests::start(&[Algorithm::Md5, Algorithm::Sha256], COUNT, &watch);
            for index in 1..=COUNT {
                let buffer = pool.take(Duration::ZERO).unwrap();
                let at = Extent::new(index as u64 * 8192, 4096);
                digests.data(&Arc::new(pool.block(at, buffer)));
            }
            let back: Vec<_> = (0..COUNT).filter_map(|_| pool.take(Duration::from_secs(10))).collect();
            assert_eq!(back.len(), COUNT);
            assert!(digests.finish(1 << 20, true).iter().all(|(_, digest)| digest.is_none()));
        }
    }
}
