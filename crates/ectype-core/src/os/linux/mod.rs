//! Linux: block devices by /sys and ioctl, files with holes and O_DIRECT.

pub mod advice;
mod control;
pub mod disk;
pub mod file;
pub mod host;
pub(super) mod memory;
pub mod optical;
pub mod snapshot;
mod sysfs;
mod volume;
pub mod writable;
mod writeback;
