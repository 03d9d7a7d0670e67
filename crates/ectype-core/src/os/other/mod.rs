//! Systems whose devices are not read yet (macOS): plain files work, a device is refused by name.

pub mod advice;
pub mod disk;
pub mod file;
pub mod host;
pub(super) mod memory;
pub mod optical;
pub mod writable;
