//! How the disk and its volumes may be named, as a source and as what must not be written.

use crate::machine::{DISK, Machine, volume};
use std::fs;
use std::os::windows::fs::OpenOptionsExt;

#[test]
fn a_device_by_every_name() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    let by_volume = [volume(1), volume(1) + r"\", volume(1).to_uppercase()];
    let of_volume = ["Q:", "q:", r"Q:\", "Q:/", r"\\.\Q:", r"\\.\q:\", r"\\?\Q:", "//./Q:"];
    for name in of_volume.into_iter().chain(by_volume.iter().map(String::as_str)) {
        let said = machine.run(&["create", "--dry-run", "--json", name, "a.img"]).ends_with(0);
        let plan = said.json();
        assert_eq!((&plan["plan"]["scope"], &plan["source"]["size"]), (&"volume".into(), &(3 << 20).into()));
    }
    for name in [DISK, r"\\.\physicaldrive0", r"\\?\PhysicalDrive0", "//./PhysicalDrive0"] {
        let said = machine.run(&["create", "--dry-run", "--json", name, "a.img"]).ends_with(0);
        let plan = said.json();
        assert_eq!((&plan["plan"]["scope"], &plan["source"]["size"]), (&"disk".into(), &(8 << 20).into()));
    }
    for name in [
        r"\\.\PhysicalDrive1",
        r"\\.\PhysicalDrive00",
        r"\\.\PhysicalDrive4294967296",
        "X:",
        "PhysicalDrive0",
    ] {
        let said = machine.run(&["create", name, "a.img"]).ends_with(1);
        assert!(said.err.starts_with("error: "), "{name}: {said:?}");
    }
    assert_eq!(machine.made(), Vec::<String>::new());
    machine.is_left_clean();
}

/// What Windows would make under another name, or give to a device.
#[test]
fn names_that_files_cannot_have() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    fs::write(machine.path("source"), b"content").unwrap();
    let wrong =
        ["NUL", "con", "AUX.img", "com1.vhdx", "a.img.", "a.img ", "a.img:b", "a.img:b:$DATA", r"a.img\"];
    for name in wrong {
        let args = ["create", "--format", "raw", "source", name];
        machine.run(&args).ends_with(1).says("is no name for a file");
        machine.run(&["create", "--map", name, "source", "b.img"]).ends_with(1).says("is no name for a file");
    }
    machine.run(&["create", "source", "a.img"]).ends_with(0);
    for name in wrong {
        machine.run(&["restore", "--yes", "a.img", name]).ends_with(1);
        machine.run(&["convert", "--overwrite", "--format", "raw", "a.img", name]).ends_with(1);
    }
    assert_eq!(machine.made(), ["a.img", "a.img.ectype.json", "source"]);
}

/// The image may not grow into the snapshots that it is read from, by whatever name.
#[test]
fn the_image_lies_elsewhere() {
    let home = tempfile::tempdir().unwrap();
    let lies = format!("lies\t{}\tQ:\\", home.path().display());
    let Some(machine) = Machine::new(&[], &[&lies]) else { return };
    let image = home.path().join("a.vhdx");
    let shown = image.display().to_string();
    let long = format!(r"\\?\{shown}");
    let relative = format!(r"{}\x\..\a.vhdx", home.path().display());
    for image in [&shown, &long, &relative] {
        for source in [DISK, "Q:"] {
            machine.run(&["create", source, image]).ends_with(1).says("which is being imaged");
        }
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    for image in ["Q:", r"\\.\Q:", r"Q:\", DISK, &volume(2)] {
        machine.run(&["create", DISK, image]).ends_with(1);
        machine.run(&["create", "--overwrite", DISK, image]).ends_with(1);
    }
    assert!(!machine.was_called("StartSnapshotSet"));
    machine.is_left_clean();
}

/// Who leaves out the beginning of a device's name does not get a file of that name, and is told the whole one.
#[test]
fn a_device_without_the_beginning_of_its_name() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    fs::write(machine.path("a.img"), [7; 4096]).unwrap();
    for (name, whole) in [("PhysicalDrive0", DISK), ("cdrom3", r"\\.\CdRom3")] {
        machine.run(&["restore", "a.img", name]).ends_with(1).says(whole);
        machine.run(&["create", name, "b.img"]).ends_with(1).says(whole);
        machine.run(&["create", "--format", "raw", "a.img", name]).ends_with(1).says(whole);
        machine.run(&["verify", "a.img", name]).ends_with(1).says(whole);
    }
    // In a folder it is a name as any other.
    fs::create_dir(machine.path("x")).unwrap();
    machine.run(&["restore", "a.img", r"x\PhysicalDrive0"]).ends_with(0);
    assert_eq!(machine.made(), ["a.img", "x"]);
}

#[test]
fn what_is_neither_a_file_nor_a_disk_is_called_so() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    fs::write(machine.path("a.img"), [7; 4096]).unwrap();
    for name in ["NUL", "nul.img", "CON"] {
        machine.run(&["create", name, "b.img"]).ends_with(1).says("keeps this name for a device");
        machine.run(&["restore", "a.img", name]).ends_with(1).says("keeps this name for a device");
        machine.run(&["convert", name, "b.img"]).ends_with(1).says("is no file");
    }
    // Both in the wrong order, as many do it first.
    for name in ["Q:", r"\\.\Q:", DISK] {
        machine.run(&["verify", name, "a.img"]).ends_with(1).says("name the image first");
        machine.run(&["convert", name, "b.img"]).ends_with(1).says("ectype create");
        machine.run(&["restore", name, "b.img"]).ends_with(1).says("is no file");
    }
    assert_eq!(machine.made(), ["a.img"]);
}

/// Neither a drive nor a share comes from a command that makes folders.
#[test]
fn a_folder_that_is_not_there() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    fs::write(machine.path("a.img"), [7; 4096]).unwrap();
    for (folder, word) in [
        (r"X:\", "connect it"),
        (r"X:\a\b\", "connect it"),
        (r"\\localhost\nowhere\", "connect it"),
        (r"a.img\", "is no folder"),
        (r"x\y\", r"mkdir x\y"),
    ] {
        let name = format!("{folder}b.img");
        machine.run(&["create", "a.img", &name]).ends_with(1).says(word);
        machine.run(&["restore", "a.img", &name]).ends_with(1).says(word);
    }
    assert_eq!(machine.made(), ["a.img"]);
}

/// Large and small letters are one name here, before any of the files is there too.
#[test]
fn a_map_is_no_other_file_of_the_run_in_other_letters() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    fs::write(machine.path("source"), [7; 4096]).unwrap();
    for map in ["A.IMG", "A.img.Ectype.json", "a.IMG.STATE", "a.img.SHA256", r".\A.IMG"] {
        let args = ["create", "--hash", "sha256", "--map", map, "source", "a.img"];
        machine.run(&args).ends_with(1).says("cannot be both");
        assert_eq!(machine.made(), ["source"], "{map}");
    }
    machine.run(&["create", "--map", "B.map", "source", "a.img"]).ends_with(0);
}

/// An image that another program has open stays, and so does its record.
#[test]
fn what_cannot_be_replaced_keeps_its_record() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    fs::write(machine.path("source"), [7; 4096]).unwrap();
    machine.run(&["create", "--hash", "sha256", "source", "a.img"]).ends_with(0);
    let made = machine.made();
    for share in [0, 1, 3] {
        let held = fs::OpenOptions::new().read(true).share_mode(share).open(machine.path("a.img")).unwrap();
        let said = machine.run(&["create", "--overwrite", "source", "a.img"]).ends_with(1);
        said.says("close it in the program that has it open");
        assert_eq!(machine.made(), made);
        drop(held);
    }
    machine.run(&["verify", "a.img"]).ends_with(0).says("as recorded");
    machine.run(&["create", "--overwrite", "source", "a.img"]).ends_with(0);
}

/// A look at a share would tell its machine who asks, before anything is refused; one at a device may do anything.
#[test]
fn an_image_that_names_another_machine_does_not_ask_it() {
    let Some(machine) = Machine::new(&[], &[]) else { return };
    fs::write(machine.path("disk"), [7; 1 << 20]).unwrap();
    machine.run(&["create", "disk", "base.qcow2"]).ends_with(0);
    machine.run(&["create", "--base", "base.qcow2", "disk", "child.qcow2"]).ends_with(0);
    let child = fs::read(machine.path("child.qcow2")).unwrap();
    let number = |at: usize| u64::from_be_bytes(child[at..at + 8].try_into().unwrap()) as usize;
    for name in [
        r"\\localhost\nowhere\b.qcow2",
        "//localhost/nowhere/b.qcow2",
        r"\\?\UNC\localhost\nowhere\b.qcow2",
        r"\\.\pipe\b.qcow2",
        r"\\.\PhysicalDrive0",
    ] {
        let (mut hostile, at) = (child.clone(), number(8));
        hostile[16..20].copy_from_slice(&(name.len() as u32).to_be_bytes());
        hostile[at..at + name.len()].copy_from_slice(name.as_bytes());
        fs::write(machine.path("h.qcow2"), hostile).unwrap();
        machine.run(&["verify", "h.qcow2"]).ends_with(1).says("was not looked at").says("--parents");
        machine.run(&["convert", "h.qcow2", "b.img"]).ends_with(1).says("was not looked at");
    }
    machine.run(&["verify", "child.qcow2"]).ends_with(0);
}
