//! What to read, and in which order.
//!
//! ```text
//!   map      what was tried where, and what became of it; prints as a ddrescue mapfile
//! ```

pub mod map;
