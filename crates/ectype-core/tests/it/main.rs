//! Integration tests of the library, one crate so that they link once.

mod fs;
mod volume;
