//! Windows: files with holes and identity, devices by their names and the requests that they answer.
//!
//! ```text
//!   bindings    the calls of Windows, made by `cargo xtask bindings`
//!   ioctl       the one place that calls DeviceIoControl; overlapped waits for answers
//!   volume      what the volume of a file is like; paths as calls want them
//!   survey      volumes, disks and drives: what there is, where it lies, on which Windows runs
//!   control     an open device, behind the gates of `os/nt`
//!   lock        volumes that nobody else may use; holders says who does
//!   snapshot    the service of Volume Shadow Copies, by COM
//!   advice  disk  file  host  memory  node  optical      what every system exports
//! ```

pub mod advice;
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
mod control;
pub mod disk;
pub mod file;
mod holders;
pub mod host;
mod ioctl;
mod lock;
pub(super) mod memory;
pub(super) mod node;
pub mod optical;
mod overlapped;
pub mod snapshot;
mod survey;
mod volume;
