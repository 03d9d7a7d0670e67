//! The whole way: a disk in use becomes an image by the real calls, with the referee as the service.
//!
//! `cargo xtask vss` lays files under drive letters, as Wine has devices: P: the disk, Q: and R: its volumes, S: and T: what
//! the snapshots of these are read from.

use crate::referee::{Referee, name};
use ectype_core::os::disk::Disk;
use ectype_core::os::snapshot::{DiskExtent, Volume};
use ectype_core::os::{Device, Lock};
use ectype_core::proof::record::Record;
use ectype_core::source::snapshot::{Own, System, left};
use ectype_core::task::create::{Ended, Options, prepare};
use ectype_core::task::open::Consistency;
use ectype_core::watch::Watch;
use ectype_core::{Extent, Kind, Result, image};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
const FIRST: Extent = Extent { offset: MIB, len: 3 * MIB };
const SECOND: Extent = Extent { offset: 5 * MIB + 512, len: 2 * MIB };
const SIZE: u64 = 8 * MIB;

/// The machine's own, with a disk that Wine tells nothing of.
#[derive(Debug)]
struct Machine;

impl System for Machine {
    fn volumes(&self, _: &Path) -> Result<(u32, Vec<Volume>)> {
        let volume = |number, mounted: &[&str], at| Volume {
            name: name(number),
            mounted: mounted.iter().map(|place| (*place).to_owned()).collect(),
            extents: vec![DiskExtent { disk: 0, at }],
        };
        Ok((0, vec![volume(1, &["Q:\\"], FIRST), volume(2, &[], SECOND)]))
    }

    fn open(&self, path: &Path, whole: &Device, lock: Lock, stop: &dyn Fn() -> bool) -> Result<Disk> {
        let letter = [(name(1), r"\\.\Q:"), (name(2), r"\\.\R:")];
        let shown = path.display().to_string();
        let path =
            letter.iter().find(|(name, _)| *name == shown).map_or(path, |(_, letter)| Path::new(letter));
        Own.open(path, whole, lock, stop)
    }
}

fn folder() -> Option<PathBuf> {
    std::env::var_os("ECTYPE_VSS_REFEREE").map(PathBuf::from)
}

fn pattern(seed: u8) -> Vec<u8> {
    (0..SIZE).map(|at| (at / 512 % 241) as u8 ^ seed ^ (at / MIB) as u8).collect()
}

fn part(bytes: &[u8], at: Extent) -> &[u8] {
    &bytes[at.offset as usize..at.end() as usize]
}

/// The disk and its volumes, and these rules; the bytes as they are before anything.
fn machine(rules: &[String]) -> Option<(Referee, PathBuf, Vec<u8>)> {
    let folder = folder()?;
    let bytes = pattern(0x5a);
    let file = |name: &str| folder.join(name);
    let mut control = vec!["writer\tSystem Writer".to_owned()];
    for (number, at, copy, letter) in [(1, FIRST, "copy1", "S"), (2, SECOND, "copy2", "T")] {
        let backing = file(&format!("volume{number}"));
        control.push(format!(
            "volume\t{}\\\t{}\t{}\t\\\\.\\{letter}:",
            name(number),
            backing.display(),
            file(copy).display()
        ));
        for name in [&backing, &file("disk")] {
            let offset = if name == &backing { 0 } else { at.offset };
            control.push(format!("change\t{}\t{offset}\t{}", name.display(), at.len));
        }
    }
    control.extend(rules.iter().cloned());
    let referee = Referee::new(&control)?;
    fs::write(file("disk"), &bytes).unwrap();
    fs::write(file("volume1"), part(&bytes, FIRST)).unwrap();
    fs::write(file("volume2"), part(&bytes, SECOND)).unwrap();
    for copy in ["copy1", "copy2"] {
        fs::write(file(copy), vec![0; if copy == "copy1" { FIRST.len } else { SECOND.len } as usize])
            .unwrap();
    }
    for end in ["", ".state", ".map", ".ectype.json"] {
        let _ = fs::remove_file(file(&format!("a.img{end}")));
    }
    Some((referee, folder, bytes))
}

fn options(folder: &Path) -> Options {
    Options {
        source: r"\\.\P:".into(),
        image: Some(folder.join("a.img")),
        consistency: Some(Consistency::Snapshot),
        format: image::named("raw"),
        system: Some(Arc::new(Machine)),
        no_space_check: true,
        ..Options::default()
    }
}

fn expected(folder: &Path, before: &[u8], parts: &[Extent]) -> Vec<u8> {
    let mut bytes = fs::read(folder.join("disk")).unwrap();
    for at in parts {
        bytes[at.offset as usize..at.end() as usize].copy_from_slice(part(before, *at));
    }
    bytes
}

#[test]
fn a_disk_in_use_becomes_the_snapshots_over_the_disk() {
    let Some((referee, folder, before)) = machine(&[]) else { return };
    let outcome = prepare(options(&folder)).unwrap().run(&Watch::new()).unwrap();
    assert!(matches!(outcome.status, Ended::Whole), "{:?}", outcome.status);
    assert_ne!(fs::read(folder.join("disk")).unwrap(), before, "somebody went on working");
    assert!(fs::read(folder.join("a.img")).unwrap() == expected(&folder, &before, &[FIRST, SECOND]));
    let record = Record::of(&folder.join("a.img")).unwrap().unwrap();
    assert_eq!(record.plan.consistency, "snapshot");
    assert_eq!(record.plan.parts.iter().filter(|part| part.instant).count(), 2);
    referee.dismiss_content();
}

#[test]
fn who_cannot_take_part_is_read_from_its_volume() {
    let rules = [format!("unsupported\t{}\\", name(2))];
    let Some((referee, folder, before)) = machine(&rules) else { return };
    let outcome = prepare(options(&folder)).unwrap().run(&Watch::new()).unwrap();
    assert!(matches!(outcome.status, Ended::Whole), "{:?}", outcome.status);
    let volume = fs::read(folder.join("volume2")).unwrap();
    let mut expected = expected(&folder, &before, &[FIRST]);
    expected[SECOND.offset as usize..SECOND.end() as usize].copy_from_slice(&volume);
    assert!(fs::read(folder.join("a.img")).unwrap() == expected);
    let part = outcome.plan.parts.iter().find(|part| part.offset == SECOND.offset).unwrap();
    assert_eq!((&*part.from, part.instant), ("volume", false));
    referee.dismiss_content();
}

#[test]
fn lost_and_refused_leave_nothing_held() {
    let Some((referee, folder, _)) = machine(&["lost\t2".to_owned()]) else { return };
    let outcome = prepare(options(&folder)).unwrap().run(&Watch::new()).unwrap();
    let Ended::Stopped(error) = &outcome.status else { panic!("{:?}", outcome.status) };
    assert_eq!(error.kind(), Kind::Gone, "{error}");
    assert!(outcome.unreadable.is_empty());
    referee.dismiss_content();
    let rule = "ill\tSqlServerWriter\tDoSnapshotSet\t9\t800423f4\t99".to_owned();
    let Some((referee, folder, _)) = machine(&[rule]) else { return };
    let error = prepare(options(&folder)).unwrap().run(&Watch::new()).unwrap_err();
    assert!(error.to_string().contains("SqlServerWriter"), "{error}");
    assert!(!folder.join("a.img").exists() && !folder.join("a.img.state").exists());
    referee.dismiss_content();
}

/// Run by another test as a process of its own, which is killed.
#[test]
fn a_run_for_another_test() {
    if std::env::var_os("ECTYPE_VSS_VICTIM").is_none() {
        return;
    }
    let _ = prepare(options(&folder().unwrap())).unwrap().run(&Watch::new());
}

#[test]
fn what_a_killed_run_left_is_found_and_removed() {
    let Some(folder) = folder() else { return };
    let signal = folder.join("reading is over");
    let _ = fs::remove_file(&signal);
    let rules =
        ["slow\tBackupComplete\t600000".to_owned(), format!("signal\tBackupComplete\t{}", signal.display())];
    let Some((referee, ..)) = machine(&rules) else { return };
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "whole::a_run_for_another_test"])
        .env("ECTYPE_VSS_VICTIM", "1")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !signal.exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{:#?}", referee.log());
        assert!(victim.try_wait().unwrap().is_none(), "it ended: {:#?}", referee.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(left(&Own), [], "it still runs");
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(referee.held().len(), 2);
    let found = left(&Own);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].volumes.len(), 2);
    assert!(found[0].image.ends_with("a.img"), "{found:?}");
    found[0].remove(&Own).unwrap();
    assert_eq!(left(&Own), []);
    referee.dismiss_content();
}
