//! Raw images: the least that a format can be.

use super::{Case, crash, model};
use ectype_core::image::{Spec, named};

fn case(size: u64) -> Case {
    Case::new(named("raw").unwrap(), Spec { size, ..Spec::default() })
}

#[test]
fn reads_as_what_was_put() {
    for (seed, size) in [(1, 5 << 20), (2, (3 << 20) + 512), (3, 100 << 10)] {
        model(&case(size), seed);
    }
}

#[test]
fn a_cut_at_any_write_is_survived() {
    crash(&case((5 << 20) + 1024), 3);
}
