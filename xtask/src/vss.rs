//! Snapshots under Wine, judged by a referee: its `vssapi.dll` is made of `crates/ectype-core/tests/vss/vssapi.cpp`.

use crate::wine::{WINE, WINESERVER, Wine, spelled};
use crate::{Result, packages, run};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

pub(crate) const HELP: &str = "\
cargo xtask vss [--install] [NAME...]

Builds the referee that stands in the place of Windows' vssapi.dll (against mingw-w64's own vsbackup.h), puts it into a Wine of
its own, and runs the tests of snapshots before it: the order of all calls, every documented error, interrupts, a killed run. Then the
same of the program itself, on a machine that tells of disks and volumes, and at a terminal where somebody types.

  --install   install the Debian packages of the group wine first
  NAME        only tests whose name has this in it";

const SERVICE: &str = "crates/ectype-core/tests/vss/vssapi.cpp";
/// In the place of the one library that every program of Rust loads.
const MACHINE: &str = "crates/ectype/tests/vss/machine.cpp";
const CONSOLE: &str = "crates/ectype/tests/vss/console.cpp";

/// What lies under which letter: the disk, its volumes, and what their snapshots are read from.
const DEVICES: [(&str, &str); 5] =
    [("p", "disk"), ("q", "volume1"), ("r", "volume2"), ("s", "copy1"), ("t", "copy2")];

pub(crate) fn main(args: &[String]) -> Result {
    if args.iter().any(|arg| arg == "--install") {
        packages::install(&["wine"])?;
    }
    let names: Vec<&String> = args.iter().filter(|arg| *arg != "--install").collect();
    let wine = Wine::at("target/wine-vss")?;
    let failed = |what: &str, error: std::io::Error| format!("{what}: {error}");
    let system = wine.home.join("prefix/drive_c/windows/system32");
    let library = ["-shared", "-Wl,--export-all-symbols"];
    compiled(SERVICE, &system.join("vssapi.dll"), &library, &["-lole32", "-loleaut32", "-luuid"])?;
    compiled(MACHINE, &wine.home.join("shim/bcryptprimitives.dll"), &library[..1], &["-ladvapi32"])?;
    compiled(CONSOLE, &wine.home.join("console.exe"), &[], &[])?;
    let folder = wine.home.join("referee");
    fs::create_dir_all(&folder).map_err(|error| failed("referee", error))?;
    for (letter, file) in DEVICES {
        let link = wine.home.join(format!("prefix/dosdevices/{letter}::"));
        let _ = fs::remove_file(&link);
        symlink(folder.join(file), &link).map_err(|error| failed(file, error))?;
    }
    let mut test = wine.cargo("test");
    test.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", WINE)
        .env("WINEDLLOVERRIDES", "vssapi=n;bcryptprimitives=n")
        .env("ECTYPE_VSS_REFEREE", spelled(&folder))
        .args(["-p", "ectype-core", "-p", "ectype", "--test", "vss", "--", "--test-threads", "1"])
        .args(names);
    let tested = run::run(&mut test);
    // Only ours: every prefix has a server of its own.
    let _ = run::run(wine.env(&mut Command::new(WINESERVER)).arg("-k"));
    tested
}

fn compiled(source: &str, to: &Path, kind: &[&str], libraries: &[&str]) -> Result {
    let mut compile = Command::new("x86_64-w64-mingw32-g++");
    compile.args(["-Wall", "-Werror", "-std=c++17", "-O1", "-static"]).args(kind).arg("-o").arg(to);
    run::run(compile.arg(source).args(libraries))
}
