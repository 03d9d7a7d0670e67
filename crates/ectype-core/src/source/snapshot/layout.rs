//! Which parts of a disk are volumes, and may be read from their snapshots.

use crate::error::{Error, Kind, Result, word};
use crate::extent::Extent;
use crate::os::snapshot::Volume;
use std::path::Path;

/// What BitLocker does to a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// Nothing.
    None,
    /// It is unlocked: the disk has ciphertext, the volume and its snapshot give what it means.
    Unlocked,
    /// It is locked: there is only ciphertext.
    Locked,
}

/// A part of a disk that is a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The volume's name, as `\\?\Volume{…}`.
    pub volume: String,
    /// As people know it.
    pub shown: String,
    /// Where it lies on the disk.
    pub at: Extent,
    /// Whether the disk and the volume give the same.
    pub cipher: Cipher,
}

/// The pieces of disk number `disk`, which has `size` bytes, in order.
///
/// # Errors
/// `Refused` for a volume that lies on several disks, in several pieces, or nobody knows where; `Corrupt` for places that cannot be.
pub fn arrange(disk: u32, size: u64, volumes: &[Volume]) -> Result<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    for volume in volumes {
        if volume.extents.is_empty() {
            let context = format!(
                "the volume {} lies on this disk, and the system does not tell where",
                volume.shown()
            );
            return Err(
                Error::refused(context).advise("hold the disk while it is copied:  --consistency lock")
            );
        }
        let here = volume.extents.iter().filter(|extent| extent.disk == disk).count();
        if here == 0 {
            continue;
        }
        // Several pieces on one disk could lie over it, if it were known which of the volume's bytes each has. Microsoft documents
        // the number of the extents (ntddvol.h, VOLUME_DISK_EXTENTS), not their order, nor whether they are laid end to end or
        // interleaved; a guess would make an image that is wrong without a word.
        if volume.extents.len() > 1 {
            let shown = volume.shown();
            let how = if here == volume.extents.len() { "in several pieces" } else { "on several disks" };
            let context = format!("the volume {shown} lies {how}, so a snapshot has no place over one disk");
            return Err(Error::refused(context).advise(format!(
                "image it by itself:  ectype create {} IMAGE.vhdx",
                word(Path::new(shown))
            )));
        }
        let at = volume.extents[0].at;
        if at.is_empty() {
            continue;
        }
        if at.offset.checked_add(at.len).is_none_or(|end| end > size) {
            let context = format!("the volume {} reaches over the end of its disk", volume.shown());
            return Err(Error::new(Kind::Corrupt, context).at(at.offset));
        }
        pieces.push(Piece {
            volume: volume.name.clone(),
            shown: volume.shown().to_owned(),
            at,
            cipher: Cipher::None,
        });
    }
    pieces.sort_by_key(|piece| piece.at.offset);
    for pair in pieces.windows(2) {
        if pair[0].at.end() > pair[1].at.offset {
            let context = format!("the volumes {} and {} overlap", pair[0].shown, pair[1].shown);
            return Err(Error::new(Kind::Corrupt, context).at(pair[1].at.offset));
        }
    }
    Ok(pieces)
}

/// How much of a piece its snapshot of `size` bytes stands for, in whole sectors; the rest comes from the disk.
///
/// # Errors
/// `Refused` where the rest would be ciphertext behind plaintext.
pub fn covered(piece: &Piece, size: u64, sector: u64) -> Result<Extent> {
    let len = size.min(piece.at.len);
    let at = Extent::new(piece.at.offset, len - len % sector.max(1));
    if at.len < piece.at.len && piece.cipher == Cipher::Unlocked {
        let context = format!(
            "the snapshot of {} has {size} bytes and the volume {}: what is missing is ciphertext on the disk, and the two are never mixed",
            piece.shown, piece.at.len
        );
        return Err(Error::refused(context));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::snapshot::DiskExtent;

    fn volume(number: u32, letter: &str, extents: &[(u32, u64, u64)]) -> Volume {
        let mounted = if letter.is_empty() { vec![] } else { vec![format!("{letter}\\")] };
        let extent = |&(disk, offset, len)| DiskExtent { disk, at: Extent::new(offset, len) };
        Volume {
            name: format!(r"\\?\Volume{{{number}}}"),
            mounted,
            extents: extents.iter().map(extent).collect(),
        }
    }

    #[test]
    fn volumes_are_placed_where_the_disk_has_them() {
        let volumes = [
            volume(1, "C:", &[(0, 2000, 5000)]),
            volume(2, "", &[(0, 1000, 1000)]),
            volume(3, "D:", &[(1, 0, 9000)]),
        ];
        let pieces = arrange(0, 10_000, &volumes).unwrap();
        let places: Vec<_> =
            pieces.iter().map(|piece| (&*piece.shown, piece.at.offset, piece.at.len)).collect();
        assert_eq!(places, [(r"\\?\Volume{2}", 1000, 1000), ("C:", 2000, 5000)]);
        assert_eq!(arrange(7, 10_000, &volumes).unwrap(), []);
    }

    #[test]
    fn what_has_no_place_is_refused_by_name() {
        for (extents, words) in [
            // Of a volume of nowhere nothing could be read from a snapshot, and nobody would be told.
            (&[][..], "does not tell where"),
            (&[(0, 0, 10), (1, 0, 10)], "several disks"),
            (&[(0, 0, 10), (0, 20, 10)], "several pieces"),
            (&[(0, 95, 10)], "over the end"),
            (&[(0, 8, u64::MAX - 4)], "over the end"),
        ] {
            let error = arrange(0, 100, &[volume(1, "E:", extents)]).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("E:"), "{error}");
        }
        let volumes = [volume(1, "E:", &[(0, 0, 50)]), volume(2, "F:", &[(0, 49, 10)])];
        assert!(arrange(0, 100, &volumes).unwrap_err().to_string().contains("E: and F: overlap"));
    }

    #[test]
    fn a_shorter_snapshot_leaves_the_rest_to_the_disk_unless_that_is_ciphertext() {
        let mut piece = arrange(0, 10_000, &[volume(1, "C:", &[(0, 1024, 4096)])]).unwrap().remove(0);
        assert_eq!(covered(&piece, 4096, 512).unwrap(), Extent::new(1024, 4096));
        assert_eq!(covered(&piece, 9000, 512).unwrap(), Extent::new(1024, 4096));
        assert_eq!(covered(&piece, 3999, 512).unwrap(), Extent::new(1024, 3584));
        piece.cipher = Cipher::Unlocked;
        assert!(covered(&piece, 3999, 512).is_err());
        assert!(covered(&piece, 4096, 512).is_ok());
    }
}
