//! Snapshots on systems that make none in this version: what `os::vss` has no service for is refused.

pub use super::vss::*;

use super::Device;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Whether the system makes snapshots of volumes in use.
pub const IS_THERE: bool = false;

fn refusal() -> Error {
    Error::unsupported("snapshots of this system are not in this version")
        .advise("unmount what is mounted, or take it as it is, torn where it changes:  --consistency none")
}

/// The service that makes snapshots.
///
/// # Errors
/// `Unsupported`, always.
pub fn service() -> Result<Box<dyn Service>> {
    Err(refusal())
}

/// The volumes of a disk, and its number.
///
/// # Errors
/// `Unsupported`, always.
pub fn volumes(_disk: &Path) -> Result<(u32, Vec<Volume>)> {
    Err(refusal())
}

/// The name of the volume on which a file lies or would lie; not known here.
pub fn volume_of(_path: &Path) -> Option<String> {
    None
}

/// The disk below a device that is a volume.
pub fn below(device: &Device) -> Option<PathBuf> {
    device.whole.clone()
}

/// The folder where a run notes which snapshots it holds; `None` where there is none.
pub fn notes() -> Option<PathBuf> {
    None
}
