//! What is asked at a terminal, and what becomes of it where nobody can be asked.

use crate::machine::{DISK, FIRST, Machine, SECOND, SNAPSHOT, notes, volume};
use std::fs;

/// A disk whose first volume has ciphertext below it.
fn encrypted(of: &[&str]) -> Option<Machine> {
    let machine = Machine::new(&[], of)?;
    let mut below = machine.before.clone();
    let head = FIRST.0;
    below[head..head + 3].copy_from_slice(&[0xeb, 0x58, 0x90]);
    below[head + 3..head + 11].copy_from_slice(b"-FVE-FS-");
    below[head + 510..head + 512].copy_from_slice(&[0x55, 0xaa]);
    fs::write(machine.folder.join("disk"), below).unwrap();
    Some(machine)
}

#[test]
fn an_image_that_is_not_encrypted_wants_a_word() {
    let create = ["create", SNAPSHOT, DISK, "a.img"];
    let Some(machine) = encrypted(&[]) else { return };
    machine.run(&create).ends_with(1).says("BitLocker").says("--decrypted");
    let said = machine.run(&["create", SNAPSHOT, "--json", DISK, "a.img"]).ends_with(1);
    assert!(said.json()["error"]["advice"].to_string().contains("--decrypted"), "{said:?}");
    // Programs are not asked, at a terminal either.
    machine.at_terminal(&[], &["create", SNAPSHOT, "--json", DISK, "a.img"]).ends_with(1).says("--decrypted");
    for no in [r"n\r", r"\r", r"nein\r"] {
        machine.at_terminal(&[("Go on? [y/N]", no)], &create).ends_with(1).says("--decrypted");
    }
    // An interrupt is an answer, and the first one counts.
    machine.at_terminal(&[("Go on? [y/N]", r"\c")], &create).ends_with(130);
    assert_eq!(machine.made(), Vec::<String>::new());
    assert!(!machine.was_called("StartSnapshotSet"));
    // A plan asks nothing.
    machine
        .run(&["create", SNAPSHOT, "--dry-run", DISK, "a.img"])
        .ends_with(0)
        .says("anybody can read the image");
    machine.is_left_clean();
}

#[test]
fn who_agrees_gets_what_it_means() {
    let Some(machine) = encrypted(&[]) else { return };
    machine.run(&["create", SNAPSHOT, "--decrypted", DISK, "a.img"]).ends_with(0);
    assert!(fs::read(machine.path("a.img")).unwrap() == machine.wanted(&[FIRST, SECOND]));
    machine.is_left_clean();
    let Some(machine) = encrypted(&[]) else { return };
    machine.at_terminal(&[("Go on? [y/N]", r"y\r")], &["create", SNAPSHOT, DISK, "a.img"]).ends_with(0);
    assert!(fs::read(machine.path("a.img")).unwrap() == machine.wanted(&[FIRST, SECOND]));
    machine.is_left_clean();
}

/// Where it is held, too, a volume gives what it means.
#[test]
fn a_volume_that_is_held_is_not_decrypted_unasked() {
    let Some(machine) = encrypted(&["nobody"]) else { return };
    let first = volume(1);
    let create = ["create", "--consistency=lock", &first, "v.img"];
    machine.run(&create).ends_with(1).says("BitLocker, unlocked").says("--decrypted");
    assert_eq!(machine.made(), Vec::<String>::new());
    machine.is_left_clean();
    machine.at_terminal(&[("Go on? [y/N]", r"y\r")], &create).ends_with(0);
    assert!(
        fs::read(machine.path("v.img")).unwrap() == machine.before[FIRST.0..FIRST.0 + FIRST.1],
        "not what the volume means"
    );
    // The disk below it has ciphertext, and nobody is asked.
    machine.run(&["create", "--consistency=lock", DISK, "d.img"]).ends_with(0).says("gives ciphertext");
    let below = fs::read(machine.folder.join("disk")).unwrap();
    assert!(fs::read(machine.path("d.img")).unwrap() == below);
    // What the run would do where somebody uses it by then.
    machine.run(&["create", "--dry-run", DISK, "e.img"]).ends_with(0).says("would hold what Q: means");
    machine.is_left_clean();
}

/// A machine on which a run was killed with its snapshots held.
fn with_a_killed_run() -> Option<Machine> {
    let folder = std::env::var_os("ECTYPE_VSS_REFEREE").map(std::path::PathBuf::from)?;
    let signal = folder.join("reading is over");
    let _ = fs::remove_file(&signal);
    let machine = Machine::new(
        &["slow\tBackupComplete\t600000", &format!("signal\tBackupComplete\t{}", signal.display())],
        &[],
    )?;
    let mut run = machine.begin(&["create", SNAPSHOT, DISK, "killed.img"]);
    machine.wait_for(&signal, &mut run);
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!((machine.held().len(), notes().len()), (2, 1));
    let control = fs::read_to_string(machine.folder.join("control")).unwrap();
    fs::write(machine.folder.join("control"), control.replace("600000", "0")).unwrap();
    Some(machine)
}

#[test]
fn what_a_killed_run_left_is_asked_for() {
    let Some(machine) = with_a_killed_run() else { return };
    let create = |name| ["create", SNAPSHOT, DISK, name];
    // Nobody can be asked: it is told, and stays.
    machine.run(&create("b.img")).ends_with(0).says("killed.img").says("Remove-CimInstance");
    assert_eq!(machine.held().len(), 2);
    let said = machine.run(&["create", SNAPSHOT, "--json", DISK, "c.img"]).ends_with(0);
    assert_eq!(said.json()["status"], "whole");
    assert!(said.err.contains("Remove-CimInstance"), "{said:?}");
    let said = machine.run(&["create", SNAPSHOT, "--json", "--progress", "json", DISK, "d.img"]).ends_with(0);
    assert!(said.err.contains("Remove-CimInstance"), "{said:?}");
    for line in said.err.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    // Who says no, or nothing, keeps them; an interrupt makes nothing.
    machine.at_terminal(&[("Remove them? [y/N]", r"\r")], &create("e.img")).ends_with(0);
    machine.at_terminal(&[("Remove them? [y/N]", r"\c")], &create("f.img")).ends_with(130);
    assert!(!machine.path("f.img").exists());
    assert_eq!((machine.held().len(), notes().len()), (2, 1));
    machine.at_terminal(&[("Remove them? [y/N]", r"y\r")], &create("f.img")).ends_with(0);
    assert!(fs::read(machine.path("f.img")).unwrap().len() == machine.before.len());
    machine.is_left_clean();
}

#[test]
fn a_killed_run_is_gone_on_with() {
    let Some(machine) = with_a_killed_run() else { return };
    let create = ["create", SNAPSHOT, DISK, "killed.img"];
    machine.at_terminal(&[("Remove them? [y/N]", r"y\r")], &create).ends_with(0);
    machine.run(&["verify", "killed.img"]).ends_with(0);
    assert_eq!(machine.made(), ["killed.img", "killed.img.ectype.json"]);
    machine.is_left_clean();
}

/// Leftovers that cannot be removed are no reason to make no image.
#[test]
fn what_cannot_be_removed_is_told() {
    let Some(machine) = with_a_killed_run() else { return };
    let control = fs::read_to_string(machine.folder.join("control")).unwrap();
    fs::write(machine.folder.join("control"), control + "fail\tDeleteSnapshots\t80042302\t99\n").unwrap();
    let said = machine.at_terminal(&[("Remove them? [y/N]", r"y\r")], &["create", SNAPSHOT, DISK, "b.img"]);
    said.ends_with(0).says("Remove-CimInstance");
    assert_eq!(machine.held().len(), 2);
}
