//! Snapshots of volumes in use: made, kept while they are read, and released.
//!
//! ```text
//!   set      the documented sequence of calls, tried again and with fewer volumes where that helps
//!   words    what the service's answers mean
//! ```

mod set;
mod words;

pub use set::{Clock, Made, Making, Set, list, make, remove};
pub(crate) use words::in_words;
