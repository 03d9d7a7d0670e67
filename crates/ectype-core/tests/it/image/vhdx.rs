//! VHDX: with qemu-img as the referee, both ways.

use super::corpus;
use super::{Case, content, crash, model};
use crate::rig::assert_same;
use ectype_core::image::{Findings, Format, Opened, Spec, gate, named};
use ectype_testkit::need;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Runs a tool, which must succeed, and returns what it said.
fn run(tool: &str, args: &[&str]) -> String {
    let output = Command::new(need::find(tool).unwrap()).args(args).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?}: {said}");
    said
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn open_file(path: &Path) -> Arc<dyn Opened> {
    gate::open(path, None, &[]).unwrap_or_else(|error| panic!("{}: {error}", path.display())).image
}

fn checked(image: &dyn Opened) -> Findings {
    let mut findings = Findings::default();
    image.check(&mut findings).unwrap();
    assert!(findings.faults.is_empty(), "{findings:?}");
    findings
}

/// 40 MiB with data that qemu-img writes at odd places.
fn written_by_qemu(path: &Path, options: &str) {
    run("qemu-img", &["create", "-f", "vhdx", "-o", options, text(path), "40M"]);
    let writes = [
        "write -P 1 0 64k",
        "write -P 2 1000k 3M",
        "write -P 3 17M 512",
        "write -P 4 40959k 1k",
        "write -z 2M 1M",
    ];
    let mut args = vec!["-f", "vhdx"];
    writes.iter().for_each(|write| args.extend(["-c", write]));
    args.push(text(path));
    run("qemu-io", &args);
}

#[test]
fn reads_what_qemu_writes() {
    if !need::tools(&["qemu-img", "qemu-io"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (image, raw) = (dir.path().join("a.vhdx"), dir.path().join("a.raw"));
    for subformat in ["dynamic", "fixed"] {
        for options in
            ["", ",block_size=1M", ",block_size=8M,log_size=3M", ",block_state_zero=off", ",block_size=256M"]
        {
            let _ = std::fs::remove_file(&image);
            written_by_qemu(&image, &format!("subformat={subformat}{options}"));
            run("qemu-img", &["convert", "-f", "vhdx", "-O", "raw", text(&image), text(&raw)]);
            let opened = open_file(&image);
            assert_same(&content(&opened), &std::fs::read(&raw).unwrap(), options);
            assert_eq!((opened.facts().format, &*opened.facts().subformat), ("vhdx", subformat));
            checked(&*opened);
        }
    }
}

#[test]
fn reads_the_corpus() {
    for sample in corpus::samples("vhdx/") {
        let dir = tempfile::tempdir().unwrap();
        let opened = open_file(&sample.unpack(dir.path()));
        eprintln!("{}: {:?}", sample.path, opened.facts());
        eprintln!("{:?}", checked(&*opened));
        sample.assert_content(&opened);
    }
}

fn vhdx() -> &'static Format {
    named("vhdx").unwrap()
}

fn case(size: u64, subformat: &str, block: u64) -> Case {
    Case::new(vhdx(), Spec { size, subformat: subformat.into(), block, ..Spec::default() })
}

#[test]
fn reads_as_what_was_put() {
    for (seed, size, subformat, block) in [
        (1, 9 << 20, "dynamic", 0),
        (2, (7 << 20) + 512, "dynamic", 1 << 20),
        (3, 100 << 10, "dynamic", 0),
        (4, (5 << 20) + 1024, "fixed", 1 << 20),
        (5, 5 << 20, "dynamic", 256 << 20),
    ] {
        model(&case(size, subformat, block), seed);
    }
    let spec = Spec { size: (9 << 20) + 4096, sector: 4096, physical_sector: 4096, ..Spec::default() };
    model(&Case::new(vhdx(), spec), 6);
}

#[test]
fn a_cut_at_any_write_is_survived() {
    crash(&case((5 << 20) + 1024, "dynamic", 1 << 20), 3);
    crash(&case((5 << 20) + 1024, "dynamic", 0), 3);
    crash(&case((5 << 20) + 1024, "fixed", 0), 3);
}
