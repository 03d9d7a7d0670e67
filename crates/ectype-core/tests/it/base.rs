//! Images over a base: what becomes of one whose base changes.

use ectype_core::Kind;
use ectype_core::task::create::{Ended, Options, prepare};
use ectype_core::watch::Watch;
use ectype_testkit::FileAt as _;
use ectype_testkit::SparseRandom;
use std::fs::OpenOptions;

#[test]
fn a_base_that_is_written_to_meanwhile_gives_no_image() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let content = crate::rig::bytes(&SparseRandom::full(91, 3 << 20));
    std::fs::write(at("disk"), &content).unwrap();
    std::fs::write(at("base.img"), &content).unwrap();
    let planned = |image: &str| {
        let options = Options {
            source: at("disk"),
            image: Some(at(image)),
            base: Some(at("base.img")),
            ..Options::default()
        };
        prepare(options).unwrap()
    };
    let outcome = planned("a.qcow2").run(&Watch::new()).unwrap();
    assert!(matches!(outcome.status, Ended::Whole));
    let prepared = planned("b.qcow2");
    let base = OpenOptions::new().write(true).open(at("base.img")).unwrap();
    base.write_all_at(&[!content[5000]], 5000).unwrap();
    let error = prepared.run(&Watch::new()).expect_err("what it differs from is no more");
    assert_eq!(error.kind(), Kind::Changed);
    assert!(error.to_string().contains("base") && !at("b.qcow2.ectype.json").exists(), "{error}");
}
