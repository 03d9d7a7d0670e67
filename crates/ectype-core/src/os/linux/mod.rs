//! Linux: block devices by /sys and ioctl, files with holes and O_DIRECT.

pub mod advice;
mod control;
pub mod disk;
pub mod file;
pub mod host;
pub(super) mod memory;
pub(super) mod node;
pub mod optical;
mod sysfs;
mod volume;
mod writeback;
