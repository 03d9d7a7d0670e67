//! Speed against the other tools.

use crate::Result;

pub(crate) const HELP: &str = "cargo xtask bench: not built yet";

pub(crate) fn main(_: &[String]) -> Result {
    Err("not built yet".into())
}
