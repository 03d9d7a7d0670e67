//! Snapshots of Windows, judged by a referee in the place of its `vssapi.dll`.
//!
//! The referee (`vssapi.cpp`) is built and put into Wine's system folder by `cargo xtask vss`, which runs these tests. It
//! fails every call that does not come in the documented order, and what it holds it tells in files.
#![cfg(windows)]

mod referee;
mod sequence;
mod whole;
