//! Disks for tests: sick, torn, recorded, terabytes large.
