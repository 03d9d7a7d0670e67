//! `ectype.exe` as a user runs it on a disk in use: before the referee of snapshots (`ectype-core/tests/vss/vssapi.cpp`), on a
//! machine that tells of disks and volumes (`machine.cpp`), at a terminal with somebody who types (`console.cpp`).
//!
//! `cargo xtask vss` builds the three, and runs these tests one after the other under Wine.
#![cfg(windows)]

mod create;
mod machine;
mod names;
mod questions;
