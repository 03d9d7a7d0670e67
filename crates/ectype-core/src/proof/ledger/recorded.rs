//! An image that is gone on with, against the record of the run before.

use super::proven::{is_hole, not_held};
use super::{BATCH, Ledger, STALE_SLOT, ZERO_SLOT};
use crate::error::{Error, Result};
use crate::extent::{Extent, Extents, PIECE};
use crate::io::ReadAt;
use crate::proof::tree::{self, Tree, TreeBuilder};
use crate::watch::{Phase, Watch};

impl Ledger {
    /// Whether the image is what the tree of its record says, where no leaf of its own vouches for it: the record is the only
    /// witness of a piece with a bad sector, and goes before the image changes. What is held otherwise than when it was
    /// written, with `lost` missing, it says nothing of.
    ///
    /// # Errors
    /// `Changed` with the place where it is not.
    pub fn check_recorded(
        &self,
        image: &dyn ReadAt,
        recorded: &Tree,
        lost: &Extents,
        watch: &Watch,
    ) -> Result<()> {
        let whole: Extents = [Extent::new(0, recorded.len)].into_iter().collect();
        let (now, then) = (self.held().intersect(&whole), lost.intersect(&whole));
        let differs = now.intersect(&then).union(&whole.subtract(&now).subtract(&then));
        let mut builder = TreeBuilder::new(recorded.len);
        let mut buffer = vec![0; PIECE as usize];
        let (mut index, pieces) = (0, tree::pieces(recorded.len));
        let (mut is_reading, mut hole) = (false, Extent::new(0, 0));
        while index < pieces {
            for leaf in self.leaves_at(index, (pieces - index).min(BATCH))? {
                let at = Extent::between(index * PIECE, (index + 1).saturating_mul(PIECE).min(recorded.len));
                index += 1;
                let mut is_zeros =
                    |known| at.len == PIECE && (known == ZERO_SLOT || is_hole(image, at, &mut hole));
                builder.push(match leaf {
                    known if now.covers(at) && known != STALE_SLOT && known != ZERO_SLOT => known,
                    known if now.covers(at) && is_zeros(known) => tree::zero_leaf(),
                    // Whatever it is, its node tells nothing.
                    _ if differs.touches(at) => STALE_SLOT,
                    _ if is_zeros(STALE_SLOT) => tree::zero_leaf(),
                    _ => {
                        if watch.stop_asked() {
                            return Err(Error::interrupted());
                        }
                        if !std::mem::replace(&mut is_reading, true) {
                            watch.enter(Phase::Verifying, recorded.len);
                        }
                        let piece = &mut buffer[..at.len as usize];
                        match image.read_at(piece, at.offset) {
                            Ok(()) => {}
                            // Another program's image may end with what is held.
                            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                                return Err(not_held(at));
                            }
                            Err(error) => {
                                return Err(Error::io("reading the image back", error).at(at.offset));
                            }
                        }
                        watch.done(at.end());
                        tree::leaf(piece)
                    }
                });
            }
        }
        let found = builder.finish();
        if found.pieces_per_node != recorded.pieces_per_node {
            return Ok(());
        }
        let mut start = 0;
        for (now, then) in found.nodes.iter().zip(&recorded.nodes) {
            let end = (found.pieces_per_node * PIECE).saturating_add(start).min(recorded.len);
            let node = Extent::between(start, end);
            if now != then && !differs.touches(node) {
                return Err(not_held(node).advise("where:  ectype verify IMAGE compares it with its record"));
            }
            start = end;
        }
        Ok(())
    }
}
