//! Optical drives: not read in this version, every call says so.

pub use crate::os::disc::{Profile, Toc, Track, refusal, suspicious_size, writable_medium};

use super::disk::REFUSAL;
use crate::os::control::Control;
use std::io;

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, REFUSAL))
}

/// The disc's table of contents.
///
/// # Errors
/// `Unsupported`, always.
pub fn toc(_control: &dyn Control) -> io::Result<Toc> {
    unsupported()
}

/// The disc's table of contents, or one data track.
///
/// # Errors
/// `Unsupported`, always.
pub fn toc_or_whole(_control: &dyn Control, _size: u64) -> io::Result<(Toc, Option<String>)> {
    unsupported()
}

/// The kind of disc in the drive.
pub fn profile(_control: &dyn Control) -> Option<Profile> {
    None
}

/// Whether the drive says that it holds no disc: not known here.
pub fn is_empty(_control: &dyn Control) -> bool {
    false
}
