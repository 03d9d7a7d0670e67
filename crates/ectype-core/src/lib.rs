//! Images of discs and disks: copied, rescued, resumed and proven.
//!
//! One sentence serves every verb: **copy a Source, in the order of a Strategy, into a Sink, and keep a Proof.** Read from
//! top to bottom, the modules are the way that the data goes:
//!
//! ```text
//!   os ── source ── volume ── fs ── plan ── copy ── task
//!                                    image ───┤
//!                                    proof ───┘
//! ```
//!
//! The library prints nothing and reads no environment. `ARCHITECTURE.md` has the laws.

pub mod cache;
pub mod copy;
pub mod error;
pub mod extent;
pub mod fs;
pub mod image;
pub mod io;
pub mod os;
pub mod plan;
pub mod proof;
pub mod source;
pub mod task;
pub mod volume;
pub mod watch;

pub use error::{Error, Kind, Result};
pub use extent::{Extent, Extents};
