//! Why an image may be believed.
//!
//! ```text
//!   digest   linear digests, as sha256sum prints them
//!   tree     the hash tree over 1 MiB pieces, in any order of reading
//!   identity which medium it was
//!   ledger   what of an unfinished image is held: map and leaves, never ahead of the image
//!   record   the JSON beside a finished image that lets a stranger check it
//! ```

pub mod digest;
pub mod identity;
pub mod ledger;
pub mod record;
pub mod tree;
