//! The library from outside: with sick drives and torn disks from the testkit, and with the tools of others as referees.

mod base;
mod crash;
mod engine;
mod fs;
mod gaps;
mod image;
mod map_algebra;
mod mapfile;
mod referee;
mod resume;
mod rig;
#[cfg(target_os = "linux")]
mod snapshot;
mod stream;
mod volume;
mod wrapped;
