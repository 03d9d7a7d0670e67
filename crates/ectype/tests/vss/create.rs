//! Images of a disk in use.

use crate::machine::{DISK, FIRST, Machine, SECOND, SNAPSHOT, ended, guid, volume};
use serde_json::Value;
use std::fs;

#[test]
fn a_disk_in_use_becomes_its_snapshots_by_default() {
    for options in [&[][..], &[SNAPSHOT], &["--json"]] {
        let Some(machine) = Machine::new(&[], &[]) else { return };
        let said = machine.run(&[&["create", DISK, "a.img"], options].concat()).ends_with(0);
        assert!(fs::read(machine.path("a.img")).unwrap() == machine.wanted(&[FIRST, SECOND]), "{said:?}");
        assert_eq!(machine.made(), ["a.img", "a.img.ectype.json"]);
        let record: Value =
            serde_json::from_slice(&fs::read(machine.path("a.img.ectype.json")).unwrap()).unwrap();
        assert_eq!(record["plan"]["consistency"], "snapshot");
        if options == ["--json"] {
            assert_eq!(said.json()["status"], "whole");
            assert_eq!(said.json()["plan"]["consistency"], "snapshot");
        } else {
            said.says("read from snapshots of Q:");
        }
        machine.is_left_clean();
    }
}

#[test]
fn what_nobody_uses_is_held_instead() {
    let Some(machine) = Machine::new(&[], &["nobody"]) else { return };
    machine.run(&["create", DISK, "a.img"]).ends_with(0).says("held exclusively");
    assert!(fs::read(machine.path("a.img")).unwrap() == machine.before);
    assert_eq!(machine.told("lock").len(), 2);
    assert!(!machine.was_called("StartSnapshotSet"));
    machine.is_left_clean();
    // And where it is in use, nothing is taken that was not asked for.
    let Some(machine) = Machine::new(&[], &[]) else { return };
    machine.run(&["create", "--consistency", "lock", DISK, "a.img"]).ends_with(1).says("in use");
    assert_eq!(machine.made(), Vec::<String>::new());
    assert!(!machine.was_called("StartSnapshotSet"));
    machine.is_left_clean();
}

/// A program keeps its file open, which is dead after the dismount, and keeps the volume from being locked.
#[test]
fn what_is_taken_away_is_held() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    let said = machine.run(&["create", "--unmount", "--json", "Q:", "a.img"]).ends_with(0);
    let (offset, len) = FIRST;
    assert!(fs::read(machine.path("a.img")).unwrap() == machine.before[offset..offset + len]);
    assert_eq!(said.json()["plan"]["consistency"], "lock");
    assert_eq!(machine.told("dismount"), [guid(1)]);
    assert!(!machine.was_called("StartSnapshotSet"));
    machine.is_left_clean();
}

#[test]
fn what_knows_no_lock_is_not_called_locked() {
    let lockless = format!("lockless\t{}", guid(2));
    let Some(machine) = Machine::new(&[], &["nobody", &lockless]) else { return };
    for (source, name, consistency) in
        [(DISK, "a.img", "none"), (&volume(2), "b.img", "none"), ("Q:", "c.img", "lock")]
    {
        let said = machine.run(&["create", "--json", source, name]).ends_with(0);
        assert_eq!(said.json()["plan"]["consistency"], consistency, "{source}");
        let is_told = said.json()["plan"]["why"].to_string().contains("nothing keeps others out");
        assert_eq!(is_told, consistency == "none", "{source}");
    }
    machine.is_left_clean();
}

#[test]
fn a_volume_is_read_from_its_own_snapshot() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    machine.run(&["create", "q:", "a.img"]).ends_with(0).says("read from snapshots of Q:");
    let (offset, len) = FIRST;
    assert!(fs::read(machine.path("a.img")).unwrap() == machine.before[offset..offset + len]);
    machine.is_left_clean();
}

/// Who cannot take part, and a writer that fails when all is read, are worth a line and no more.
#[test]
fn what_was_not_of_the_instant_is_told() {
    let rule = format!("unsupported\t{}\\", volume(2));
    let ill = "ill\tSqlServerWriter\tBackupComplete\t12\t800423f4\t99";
    let Some(machine) = Machine::new(&[&rule, ill], &[]) else { return };
    let said = machine.run(&["create", SNAPSHOT, DISK, "a.img"]).ends_with(0);
    let said = said.says("not of that instant").says("read until two readings agree");
    said.says("SqlServerWriter");
    machine.is_left_clean();
    // For programs, as objects.
    let Some(machine) = Machine::new(&[&rule, ill], &[]) else { return };
    let said = machine.run(&["create", SNAPSHOT, "--json", "--progress", "json", DISK, "a.img"]).ends_with(0);
    let events: Vec<Value> = said.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let warned = |text: &str| {
        let has = |event: &Value| event["message"].as_str().is_some_and(|message| message.contains(text));
        events.iter().any(|event| event["event"] == "warning" && has(event))
    };
    assert!(warned("not of that instant"), "{events:#?}");
    let why = said.json()["plan"]["why"].to_string();
    assert!(why.contains("SqlServerWriter") && why.contains("not of that instant"), "{why}");
    machine.is_left_clean();
}

#[test]
fn a_refusal_of_the_service_makes_nothing() {
    for (rule, word) in [
        ("ill\tSqlServerWriter\tDoSnapshotSet\t9\t800423f4\t99", "SqlServerWriter"),
        ("fail\tCreateVssBackupComponents\t80070005\t99999", "denied"),
        ("fail\tStartSnapshotSet\t80042302\t99999", "event log"),
        ("fails\tDoSnapshotSet\t80042302\t99999", "event log"),
    ] {
        let Some(machine) = Machine::new(&[rule], &[]) else { return };
        let said = machine.run(&["create", SNAPSHOT, "--json", DISK, "a.img"]).ends_with(1).says(word);
        assert_eq!(said.json()["status"], "failed");
        assert_eq!(machine.made(), Vec::<String>::new());
        machine.is_left_clean();
    }
}

#[test]
fn a_lost_snapshot_stops_and_the_same_command_goes_on() {
    let Some(machine) = Machine::new(&["lost\t2"], &[]) else { return };
    let said = machine.run(&["create", SNAPSHOT, "--json", DISK, "a.img"]).ends_with(5);
    assert_eq!(said.json()["status"], "stopped");
    assert_eq!(said.json()["bytes"]["unreadable"], 0);
    machine.is_left_clean();
    let control = fs::read_to_string(machine.folder.join("control")).unwrap();
    fs::write(machine.folder.join("control"), control.replace("lost\t2", "")).unwrap();
    let said = machine.run(&["create", SNAPSHOT, "--json", DISK, "a.img"]).ends_with(0);
    assert_eq!((&said.json()["status"], &said.json()["resumed"]), (&"whole".into(), &true.into()));
    assert_eq!(machine.made(), ["a.img", "a.img.ectype.json"]);
    machine.is_left_clean();
}

/// Ctrl-C while the snapshots are made, and when all is read and the writers are told.
#[test]
fn an_interrupt_releases_everything() {
    let Some(machine) = Machine::new(&["slow\tDoSnapshotSet\t600000"], &[]) else { return };
    machine.at_terminal(&[("snapshot ", r"\c")], &["create", SNAPSHOT, DISK, "a.img"]).ends_with(130);
    assert!(machine.was_called("AbortBackup"));
    assert_eq!(machine.made(), Vec::<String>::new());
    machine.is_left_clean();
    let Some(machine) = Machine::new(&["slow\tBackupComplete\t600000"], &[]) else { return };
    let said = machine.at_terminal(&[("8.0 MiB / 8.0 MiB", r"\c")], &["create", SNAPSHOT, DISK, "a.img"]);
    assert!(matches!(said.code, Some(0 | 130)), "{said:?}");
    machine.is_left_clean();
}

/// What a run streams is held as long as it is read, and the referee sees it go.
#[test]
fn a_stream_is_of_the_snapshots_too() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    let child = machine.begin(&["create", "--format", "raw", SNAPSHOT, DISK, "-"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == machine.wanted(&[FIRST, SECOND]));
    machine.is_left_clean();
    // Whoever reads it leaves.
    let Some(machine) = Machine::new(&[], &[]) else { return };
    let mut child = machine.begin(&["create", "--format", "raw", SNAPSHOT, DISK, "-"]);
    drop(child.stdout.take());
    let said = ended(child);
    assert!(matches!(said.code, Some(1 | 5)), "{said:?}");
    machine.is_left_clean();
}
