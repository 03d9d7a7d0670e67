//! The sequence of calls: whole, with every documented error at every call, and interrupted in every step.

use crate::referee::{Fast, Referee, attempt, name};
use ectype_core::Kind;
use ectype_core::source::snapshot::{list, remove};
use std::path::PathBuf;
use std::time::Duration;

const STEPS: [&str; 4] = ["GatherWriterMetadata", "PrepareForBackup", "DoSnapshotSet", "GatherWriterStatus"];

const CALLS: [&str; 15] = [
    "CreateVssBackupComponents",
    "InitializeForBackup",
    "SetContext",
    "SetBackupState",
    "GatherWriterMetadata",
    "FreeWriterMetadata",
    "StartSnapshotSet",
    "IsVolumeSupported",
    "AddToSnapshotSet",
    "PrepareForBackup",
    "GatherWriterStatus",
    "GetWriterStatus",
    "FreeWriterStatus",
    "DoSnapshotSet",
    "GetSnapshotProperties",
];

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Two volumes and a writer, and these rules.
fn two(folder: &tempfile::TempDir, rules: &[&str]) -> Option<(Referee, Vec<String>, PathBuf, PathBuf)> {
    let (first, a, live, copy) = Referee::volume(folder.path(), 1, b"the first volume");
    let (second, b, ..) = Referee::volume(folder.path(), 2, b"the second volume");
    let mut control = vec![first, second, "writer\tSystem Writer".to_owned()];
    control.extend(rules.iter().map(|rule| rule.replace(' ', "\t")));
    Some((Referee::new(&control)?, vec![a, b], live, copy))
}

#[test]
fn a_set_is_made_read_and_released() {
    let folder = folder();
    let Some((referee, volumes, live, copy)) = two(&folder, &[]) else { return };
    let clock = Fast::new();
    let (made, told) = attempt(&volumes, &clock, &|| false);
    let made = made.unwrap();
    let mut set = made.set.unwrap();
    assert!(made.left_out.is_empty() && made.notes.is_empty() && told.is_empty());
    assert_eq!(set.snapshots.len(), 2);
    assert_eq!(set.snapshots[0].1.device, copy.display().to_string());
    assert_eq!(set.snapshots[0].1.volume, format!("{}\\", volumes[0]));
    assert!(set.snapshots.iter().all(|(_, snapshot)| snapshot.set == set.id));
    std::fs::write(live, b"changed since").unwrap();
    assert_eq!(std::fs::read(copy).unwrap(), b"the first volume");
    assert_eq!(referee.held().len(), 2);
    set.check().unwrap();
    assert!(set.complete(&clock, &|| false).is_empty());
    // Read again, as to compare.
    set.check().unwrap();
    drop(set);
    assert_eq!(referee.count("call CreateVssBackupComponents"), 1);
    referee.dismiss_content();
}

#[test]
fn a_set_that_is_given_up_is_aborted() {
    let folder = folder();
    let Some((referee, volumes, ..)) = two(&folder, &[]) else { return };
    let (made, _) = attempt(&volumes, &Fast::new(), &|| false);
    drop(made.unwrap());
    assert_eq!(referee.count("call AbortBackup"), 1);
    referee.dismiss_content();
}

/// Errors that no other try mends, at every call: told with the call's name, and nothing is left.
#[test]
fn what_lasts_is_refused_at_every_call() {
    for (code, words) in [
        ("80042301", "does not expect this call"),
        ("80042302", "event log"),
        ("8007000e", "out of memory"),
        ("80070005", "denied"),
        ("80042318", "Event System"),
        ("80042327", "restarted"),
    ] {
        for call in CALLS {
            let folder = folder();
            let Some((referee, volumes, ..)) = two(&folder, &[&format!("fail {call} {code} 99999")]) else {
                return;
            };
            let (made, told) = attempt(&volumes, &Fast::new(), &|| false);
            let error = made.err().unwrap_or_else(|| panic!("{call} {code}"));
            let text = error.to_string();
            assert!(text.contains(words) && text.contains(call), "{call} {code}: {text}");
            assert!(error.advice().iter().any(|line| line.contains("elevated") || line.contains("none")));
            assert!(told.is_empty());
            referee.dismiss_content();
        }
        for step in STEPS {
            let folder = folder();
            let Some((referee, volumes, ..)) = two(&folder, &[&format!("fails {step} {code} 99999")]) else {
                return;
            };
            let (made, _) = attempt(&volumes, &Fast::new(), &|| false);
            let text = made.err().unwrap_or_else(|| panic!("{step} {code}")).to_string();
            assert!(text.contains(words) && text.contains(step), "{step} {code}: {text}");
            referee.dismiss_content();
        }
    }
}

/// Passing errors: another requester each time, after the documented wait, and in the end it is made or told.
#[test]
fn what_passes_is_tried_again_with_another_requester() {
    let ten = Duration::from_secs(600);
    for (rule, code, times, waited) in [
        ("fails DoSnapshotSet", "80042313", 3, 3 * ten),
        ("fails DoSnapshotSet", "80042314", 2, 2 * ten),
        ("fails DoSnapshotSet", "80042306", 1, ten),
        ("fail DoSnapshotSet", "80042313", 1, ten),
        ("fail StartSnapshotSet", "80042316", 5, Duration::from_secs(50)),
        ("fail AddToSnapshotSet", "80042317", 2, Duration::from_secs(120)),
        ("fail AddToSnapshotSet", "80042316", 1, Duration::from_secs(10)),
        ("ill SqlServerWriter DoSnapshotSet 9", "800423f2", 2, 2 * ten),
        ("ill SqlServerWriter PrepareForBackup 7", "800423f3", 3, 3 * ten),
        ("ill SqlServerWriter DoSnapshotSet 11", "800423f1", 1, ten),
        ("ill SqlServerWriter DoSnapshotSet 1", "80042319", 1, Duration::from_secs(60)),
    ] {
        let folder = folder();
        let Some((referee, volumes, ..)) = two(&folder, &[&format!("{rule} {code} {times}")]) else { return };
        let clock = Fast::new();
        let (made, told) = attempt(&volumes, &clock, &|| false);
        let made = made.unwrap_or_else(|error| panic!("{rule} {code}: {error}"));
        assert_eq!(clock.waited().as_secs_f64().round(), waited.as_secs_f64(), "{rule} {code}");
        assert_eq!(told.len(), times, "{told:?}");
        assert!(made.left_out.is_empty());
        let mut set = made.set.unwrap();
        assert!(set.complete(&clock, &|| false).is_empty());
        drop(set);
        assert_eq!(referee.count("call CreateVssBackupComponents"), times + 1, "{rule} {code}");
        referee.dismiss_content();
    }
    for (rule, code) in [
        ("fails DoSnapshotSet", "80042314"),
        ("ill SqlServerWriter DoSnapshotSet 9", "800423f2"),
        ("fail StartSnapshotSet", "80042316"),
    ] {
        let folder = folder();
        let Some((referee, volumes, ..)) = two(&folder, &[&format!("{rule} {code} 99999")]) else { return };
        let (made, told) = attempt(&volumes, &Fast::new(), &|| false);
        let text = made.err().unwrap().to_string();
        assert!(text.contains(code), "{text}");
        assert!(!told.is_empty());
        if rule.contains("Sql") {
            assert!(text.contains("SqlServerWriter") && text.contains("freeze"), "{text}");
        }
        referee.dismiss_content();
    }
}

#[test]
fn a_writer_that_fails_for_good_is_named() {
    let folder = folder();
    let rules =
        ["ill SqlServerWriter DoSnapshotSet 9 800423f4 99", "ill OtherWriter DoSnapshotSet 1 800423f3 99"];
    let Some((referee, volumes, ..)) = two(&folder, &rules) else { return };
    let (made, told) = attempt(&volumes, &Fast::new(), &|| false);
    let error = made.err().unwrap();
    let text = error.to_string();
    assert!(text.contains("\"SqlServerWriter\" failed at the freeze"), "{text}");
    assert!(text.contains("0x800423f4"), "{text}");
    assert!(error.advice().iter().any(|line| line.contains("vssadmin list writers")));
    assert!(told.is_empty());
    referee.dismiss_content();
    // Where the making fails, who was at fault is asked.
    let folder = self::folder();
    let rules = ["ill SqlServerWriter PrepareForBackup 1 800423f0 99", "fails DoSnapshotSet 80042315 99"];
    let Some((referee, volumes, ..)) = two(&folder, &rules) else { return };
    let (made, _) = attempt(&volumes, &Fast::new(), &|| false);
    assert!(made.err().unwrap().to_string().contains("talking to the writers failed"));
    referee.dismiss_content();
}

#[test]
fn a_writer_that_fails_at_the_end_is_worth_a_line() {
    let folder = folder();
    let Some((referee, volumes, ..)) = two(&folder, &["ill SqlServerWriter BackupComplete 12 800423f4 99"])
    else {
        return;
    };
    let (made, _) = attempt(&volumes, &Fast::new(), &|| false);
    let mut set = made.unwrap().set.unwrap();
    let notes = set.complete(&Fast::new(), &|| false);
    assert!(notes.len() == 1 && notes[0].contains("SqlServerWriter"), "{notes:?}");
    drop(set);
    referee.dismiss_content();
    for rule in ["fail BackupComplete 80042302 9", "fails BackupComplete 80042315 9"] {
        let folder = self::folder();
        let Some((referee, volumes, ..)) = two(&folder, &[rule]) else { return };
        let (made, _) = attempt(&volumes, &Fast::new(), &|| false);
        let mut set = made.unwrap().set.unwrap();
        assert_eq!(set.complete(&Fast::new(), &|| false).len(), 1);
        drop(set);
        referee.dismiss_content();
    }
    // An interrupt is heard there too.
    let folder = self::folder();
    let signal = folder.path().join("begun");
    let rules = ["slow BackupComplete 600000", &format!("signal BackupComplete {}", signal.display())];
    let Some((referee, volumes, ..)) = two(&folder, &rules) else { return };
    let (made, _) = attempt(&volumes, &Fast::new(), &|| false);
    let mut set = made.unwrap().set.unwrap();
    assert_eq!(set.complete(&Fast::new(), &|| signal.exists()).len(), 1);
    drop(set);
    referee.dismiss_content();
}

#[test]
fn who_cannot_take_part_is_left_out_and_the_set_made_anew() {
    let folder = folder();
    let unsupported = format!("unsupported {}\\", name(7));
    let Some((referee, mut volumes, ..)) = two(&folder, &[&unsupported]) else { return };
    volumes.insert(1, name(7));
    volumes.push(name(9));
    let (made, _) = attempt(&volumes, &Fast::new(), &|| false);
    let made = made.unwrap();
    let left_out: Vec<usize> = made.left_out.iter().map(|(number, _)| *number).collect();
    assert_eq!(
        {
            let mut sorted = left_out;
            sorted.sort();
            sorted
        },
        [1, 3],
        "{:?}",
        made.left_out
    );
    let mut set = made.set.unwrap();
    assert_eq!(set.snapshots.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 2]);
    set.complete(&Fast::new(), &|| false);
    drop(set);
    referee.dismiss_content();

    for rule in [
        "fail AddToSnapshotSet 8004230e 1",
        "fail AddToSnapshotSet 8004232c 1",
        "fail AddToSnapshotSet 80042312 1",
        "fail IsVolumeSupported 8004232c 1",
        "fails DoSnapshotSet 8004231f 1",
    ] {
        let folder = self::folder();
        let Some((referee, volumes, ..)) = two(&folder, &[rule]) else { return };
        let (made, told) = attempt(&volumes, &Fast::new(), &|| false);
        let made = made.unwrap_or_else(|error| panic!("{rule}: {error}"));
        assert_eq!(made.left_out.len(), 1, "{rule}");
        let mut set = made.set.unwrap();
        assert_eq!(set.snapshots.len(), 1, "{rule}");
        assert!(told.is_empty());
        set.complete(&Fast::new(), &|| false);
        drop(set);
        referee.dismiss_content();
    }
    // Room for nobody's.
    let folder = self::folder();
    let Some((referee, volumes, ..)) = two(&folder, &["fails DoSnapshotSet 8004231f 99"]) else { return };
    let (made, _) = attempt(&volumes, &Fast::new(), &|| false);
    let made = made.unwrap();
    assert!(made.set.is_none());
    assert_eq!(made.left_out.len(), 2);
    referee.dismiss_content();
}

#[test]
fn an_interrupt_is_heard_in_every_step() {
    for step in STEPS {
        let folder = folder();
        let signal = folder.path().join("begun");
        let rules = [format!("slow {step} 600000"), format!("signal {step} {}", signal.display())];
        let Some((referee, volumes, ..)) = two(&folder, &[&rules[0], &rules[1]]) else { return };
        let (made, _) = attempt(&volumes, &Fast::new(), &|| signal.exists());
        assert_eq!(made.err().unwrap().kind(), Kind::Cancelled, "{step}");
        assert!(referee.log().contains(&format!("cancelled {step}")));
        referee.dismiss_content();
    }
    // And between two tries.
    let folder = folder();
    let Some((referee, volumes, ..)) = two(&folder, &["fails DoSnapshotSet 80042314 99"]) else { return };
    let clock = Fast::new();
    let (made, _) = attempt(&volumes, &clock, &|| clock.waited() > Duration::from_secs(5));
    assert_eq!(made.err().unwrap().kind(), Kind::Cancelled);
    referee.dismiss_content();
}

#[test]
fn a_snapshot_that_is_lost_is_gone_and_no_damage() {
    let folder = folder();
    let Some((referee, volumes, ..)) = two(&folder, &["lost 3"]) else { return };
    let (made, _) = attempt(&volumes, &Fast::new(), &|| false);
    let mut set = made.unwrap().set.unwrap();
    let error = set.check().unwrap_err();
    assert_eq!(error.kind(), Kind::Gone, "{error}");
    assert!(error.to_string().contains("gave it up"), "{error}");
    drop(set);
    referee.dismiss_content();
}

#[test]
fn what_is_there_is_listed_and_removed() {
    let folder = folder();
    let Some((referee, volumes, ..)) = two(&folder, &[]) else { return };
    let service = ectype_core::os::snapshot::service().unwrap();
    assert_eq!(list(&*service).unwrap(), []);
    let (made, _) = attempt(&volumes, &Fast::new(), &|| false);
    let mut set = made.unwrap().set.unwrap();
    let found = list(&*service).unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|snapshot| snapshot.set == set.id));
    remove(&*service, set.id).unwrap();
    remove(&*service, set.id).unwrap();
    assert_eq!(list(&*service).unwrap(), []);
    assert_eq!(set.check().unwrap_err().kind(), Kind::Gone);
    set.complete(&Fast::new(), &|| false);
    drop(set);
    referee.dismiss_content();
}

/// That it judges: what comes out of order, or unnamed, it says.
#[test]
fn the_referee_sees_what_is_wrong() {
    let folder = folder();
    let Some((referee, volumes, ..)) = two(&folder, &[]) else { return };
    let service = ectype_core::os::snapshot::service().unwrap();
    let mut requester = service.requester().unwrap();
    assert!(requester.start_set().is_err());
    requester.initialize().unwrap();
    assert!(requester.set_state().is_err());
    assert!(requester.initialize().is_err());
    assert!(requester.add(&volumes[0]).is_err());
    drop(requester);
    let deviations = referee.log().iter().filter(|line| line.starts_with("DEVIATION")).count();
    assert_eq!(deviations, 4, "{:#?}", referee.log());
}
