//! Disks for tests: sick, torn, recorded, terabytes large.
//!
//! ```text
//!   SparseRandom ──► SickDrive (a Source) ──► the library ──► Recorder ─► TornDisk │ MemoryDisk │ SparseCheck
//!   deterministic    bad, slow, dying          under test      who did what  power cuts              proves without storage
//! ```
//!
//! Users are the integration tests (`tests/it/`): unit tests inside `ectype-core` are compiled with another `ectype_core`
//! than this crate sees, so the types do not match there.

pub mod memory;
pub mod need;
pub mod said;
pub mod sick;
pub mod sparse;
pub mod system;
pub mod torn;

pub use memory::MemoryDisk;
pub use said::Said;
pub use sick::SickDrive;
pub use sparse::{SparseCheck, SparseRandom};
pub use system::FileAt;
pub use torn::{Operation, Recorder, TornDisk};

/// A well-mixed 64-bit number for a seed and an index: the only source of chance here, so that every failure repeats.
pub(crate) const fn mix(seed: u64, index: u64) -> u64 {
    let mut word = seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    word = (word ^ (word >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    word ^ (word >> 32)
}
