//! The library from outside: with sick drives and torn disks from the testkit, and with the tools of others as referees.

mod fs;
mod mapfile;
mod referee;
mod volume;
