//! The image against its leaves: some of them when a run goes on with it, all of them when it is whole.

use super::{BATCH, Ledger, STALE_SLOT, ZERO_SLOT};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::io::{Content, ReadAt};
use crate::plan::map::Status;
use crate::proof::digest::{Algorithm, Digester};
use crate::proof::tree::{self, Hash, Tree, TreeBuilder};
use crate::watch::{Phase, Watch};

impl Ledger {
    /// Whether the image is the one that earlier runs wrote, as far as a few pieces of what is held can tell: before anything of
    /// it is changed.
    ///
    /// # Errors
    /// [`Kind::Changed`] with the place where it does not hold what the ledger says.
    pub fn check_some(&self, image: &dyn ReadAt) -> Result<()> {
        const LOOKS: u64 = 64;
        const READS: usize = 8;
        let (held, size) = (self.held(), self.map.size());
        let (mut known, mut hole) = (Vec::new(), Extent::new(0, 0));
        let step = (size.div_ceil(PIECE) / LOOKS).max(1);
        for part in held.iter() {
            let mut index = part.offset.div_ceil(PIECE);
            while (index + 1).checked_mul(PIECE).is_some_and(|end| end <= part.end()) {
                let at = Extent::new(index * PIECE, PIECE);
                match self.leaf(index)? {
                    STALE_SLOT => {}
                    ZERO_SLOT if is_hole(image, at, &mut hole) => {}
                    ZERO_SLOT => known.push((at, tree::zero_leaf())),
                    leaf => known.push((at, leaf)),
                }
                index += step;
            }
        }
        let mut buffer = vec![0; PIECE as usize];
        // The first, the last, and some between them.
        let mut last = None;
        for look in 0..READS {
            let index = known.len().saturating_sub(1) * look / (READS - 1);
            if last.replace(index) == Some(index) {
                continue;
            }
            let Some(&(at, leaf)) = known.get(index) else { break };
            match image.read_at(&mut buffer, at.offset) {
                Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                    return Err(Error::io("reading the image back", error).at(at.offset));
                }
                Ok(()) if tree::leaf(&buffer) == leaf => {}
                _ => return Err(not_held(at)),
            }
        }
        Ok(())
    }

    /// The tree of the content, and the linear digests in `missing`, read from the image where they are not known.
    ///
    /// With `check_held` everything is read and compared with its leaf, zeros asked for: what earlier runs put into the
    /// image was not in this one's hands.
    ///
    /// # Errors
    /// [`Kind::Changed`] with the place where the image does not hold what the ledger says.
    pub fn prove(
        &self,
        image: &dyn ReadAt,
        check_held: bool,
        missing: &[Algorithm],
        watch: &Watch,
    ) -> Result<(Tree, Vec<(Algorithm, String)>)> {
        let size = self.map.size();
        watch.enter(Phase::Proving, size);
        let mut digesters: Vec<Digester> =
            missing.iter().map(|&algorithm| Digester::new(algorithm)).collect();
        let mut builder = TreeBuilder::new(size);
        let mut buffer = vec![0; PIECE as usize];
        let mut leaf_of = |at: Extent, digesters: &mut [Digester]| -> Result<Hash> {
            let piece = &mut buffer[..at.len as usize];
            let failed = |error| Error::io("reading the image back", error).at(at.offset);
            image.read_at(piece, at.offset).map_err(failed)?;
            digesters.iter_mut().for_each(|digester| digester.update(piece));
            Ok(tree::leaf(piece))
        };
        let pieces = tree::pieces(size);
        let (mut index, mut zeros, mut hole) = (0, 0, Extent::new(0, 0));
        while index < pieces {
            for leaf in self.leaves_at(index, (pieces - index).min(BATCH))? {
                if watch.stop_asked() {
                    return Err(Error::interrupted());
                }
                let at = Extent::between(index * PIECE, (index + 1).saturating_mul(PIECE).min(size));
                index += 1;
                let (run, status) =
                    if at.is_empty() { (at, Status::Finished) } else { self.map.run_at(at.offset) };
                let finished = status == Status::Finished && run.covers(at);
                let known_zeros = finished && leaf == ZERO_SLOT && at.len == PIECE;
                // Nothing was put where nothing is finished: those pieces read as zeros, as the image's own do.
                let all_missing = !finished
                    && self.map.next(at.offset, Status::Finished).is_none_or(|next| next.offset >= at.end());
                if known_zeros || (all_missing && at.len == PIECE) {
                    if check_held
                        && known_zeros
                        && !is_hole(image, at, &mut hole)
                        && leaf_of(at, &mut [])? != tree::zero_leaf()
                    {
                        return Err(not_held(at));
                    }
                    zeros += 1;
                    digesters.iter_mut().for_each(|digester| digester.update_zeros(PIECE));
                    continue;
                }
                builder.push_zeros(std::mem::take(&mut zeros));
                let known = (finished && leaf != STALE_SLOT && leaf != ZERO_SLOT).then_some(leaf);
                if !check_held
                    && digesters.is_empty()
                    && let Some(leaf) = known
                {
                    builder.push(leaf);
                    continue;
                }
                let leaf = leaf_of(at, &mut digesters)?;
                if known.is_some_and(|known| known != leaf) {
                    return Err(not_held(at));
                }
                builder.push(leaf);
                watch.done(at.end());
            }
        }
        builder.push_zeros(zeros);
        let digests =
            digesters.into_iter().map(|digester| (digester.algorithm(), digester.finish())).collect();
        Ok((builder.finish(), digests))
    }
}

/// Whether the image is known to hold zeros in all of `at` without reading them. `hole` keeps the last one that was found: an
/// image may have to walk far for the answer, and a hole has millions of pieces.
pub(super) fn is_hole(image: &dyn ReadAt, at: Extent, hole: &mut Extent) -> bool {
    if !hole.covers(at) {
        let until = match image.content_at(at.offset) {
            Ok((Content::Zero, until)) => until,
            _ => at.offset,
        };
        *hole = Extent::between(at.offset, until);
    }
    hole.covers(at)
}

pub(super) fn not_held(at: Extent) -> Error {
    Error::new(Kind::Changed, "the unfinished image does not hold what was copied into it")
        .at(at.offset)
        .advise("something else wrote to it; begin anew:  --restart")
}
