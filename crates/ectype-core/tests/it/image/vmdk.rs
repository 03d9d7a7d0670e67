//! VMDK images: the two kinds that are written, and all that is read, with qemu-img and libvmdk as referees.

use super::{Case, content, crash, feed, hostile, model, padded, sample};
use crate::rig::assert_same;
use ectype_core::Extent;
use ectype_core::image::{Spec, named};
use ectype_core::io::{ReadAt, WriteAt};
use ectype_testkit::MemoryDisk;
use std::sync::Arc;

fn case(subformat: &str, size: u64) -> Case {
    Case::new(named("vmdk").unwrap(), Spec { size, subformat: subformat.into(), ..Spec::default() })
}

#[test]
fn reads_as_what_was_put() {
    for (seed, size) in [(1, 5 << 20), (2, (3 << 20) + 512), (3, 100 << 10), (4, (70 << 20) + 1000)] {
        for subformat in ["sparse", "stream"] {
            model(&case(subformat, size), seed);
        }
    }
}

#[test]
fn a_cut_at_any_write_is_survived() {
    for subformat in ["sparse", "stream"] {
        crash(&case(subformat, (5 << 20) + 1024), 3);
    }
    // Over the end of a grain table.
    crash(&case("stream", 34 << 20), 1);
}
