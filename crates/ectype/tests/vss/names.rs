//! How the disk and its volumes may be named, as a source and as what must not be written.

use crate::machine::{DISK, Machine, volume};

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
    std::fs::write(machine.path("source"), b"content").unwrap();
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
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    for image in ["Q:", r"\\.\Q:", r"Q:\", DISK, &volume(2)] {
        machine.run(&["create", DISK, image]).ends_with(1);
        machine.run(&["create", "--overwrite", DISK, image]).ends_with(1);
    }
    assert!(!machine.was_called("StartSnapshotSet"));
    machine.is_left_clean();
}
