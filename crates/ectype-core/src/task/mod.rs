//! The verbs: composition of the rooms below, each about a screenful.
//!
//! ```text
//!   open     a SOURCE by its name: found, locked, identified
//!   target   what stands where an image is to be made
//!   create   source → image, with map, ledger, record and proof
//!   devices  what is there, and what is on it
//!   restore  image → device or file, read back
//!   verify   image → nothing: against its record, or against a source
//!   wrapped  the volume in an image that is a disk around it
//! ```

pub mod create;
pub mod devices;
pub mod open;
pub mod restore;
mod snapshot;
mod target;
pub mod verify;
mod wrapped;
