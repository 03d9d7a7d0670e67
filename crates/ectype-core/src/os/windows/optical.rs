//! Optical drives: the table of contents and the kind of disc, as `nt::toc` reads them.

pub use crate::os::disc::{Profile, Toc, Track, refusal, suspicious_size, writable_medium};

use super::disk::Disk;
use super::file::blame;
use crate::os::Blame;
use crate::os::nt::{is_empty as is_no_medium, is_ready, toc as table};
use std::io;

/// The disc's table of contents.
///
/// # Errors
/// What the drive answered; `InvalidData` when the table contradicts itself. See [`toc_or_whole`].
pub fn toc(drive: &Disk) -> io::Result<Toc> {
    table::toc(drive)
}

/// The disc's table of contents, or where the drive gives none that makes sense, one data track over `size` bytes, with
/// the note that says so.
///
/// # Errors
/// Only where the drive or the disc is gone.
pub fn toc_or_whole(drive: &Disk, size: u64) -> io::Result<(Toc, Option<String>)> {
    match toc(drive) {
        Ok(toc) => Ok((toc, None)),
        Err(error) if blame(&error) == Blame::Gone => Err(error),
        Err(error) => {
            let note = format!("the drive gives no table of contents ({error}): taken as one data track");
            Ok((Toc::whole(size), Some(note)))
        }
    }
}

/// The kind of disc in the drive; `None` where the drive does not tell.
pub fn profile(drive: &Disk) -> Option<Profile> {
    table::profile(drive)
}

/// Whether the drive says that it holds no disc, or that its tray is open.
pub fn is_empty(drive: &Disk) -> bool {
    is_ready(drive).is_err_and(|error| is_no_medium(&error))
}
