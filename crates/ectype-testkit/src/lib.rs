//! Disks for tests: sick, torn, recorded, terabytes large.

pub mod need;
