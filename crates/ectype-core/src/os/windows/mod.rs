//! Windows: files with holes and identity.
//!
//! ```text
//!   bindings    the calls of Windows, made by `cargo xtask bindings`
//!   ioctl       the one place that calls DeviceIoControl
//!   volume      what the volume of a file is like; paths as calls want them
//!   file  disk  optical  writable  host  memory      what every system exports
//! ```

#[expect(
    dead_code,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    reason = "made by a program, with the names of Windows"
)]
mod bindings;
pub mod disk;
pub mod file;
pub mod host;
mod ioctl;
pub(super) mod memory;
pub mod optical;
mod volume;
pub mod writable;
