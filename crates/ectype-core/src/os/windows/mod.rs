//! Windows: files with holes and identity, by the calls in `bindings`.

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
pub(super) mod memory;
pub mod optical;
pub mod snapshot;
pub mod writable;
