//! The tests as Windows programs, under Wine, and the proof that both systems make the same images.
//!
//! What Wine cannot show is not shown: it knows no sparse files, no sizes of devices, no locks of volumes, and reads what is not
//! aligned.

use crate::random::Random;
use crate::test::{Tally, counted};
use crate::{Result, packages, run, wine_devices};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

pub(crate) const HELP: &str = "\
cargo xtask wine [--install] [--compare] [NAME...]

Builds the tests for x86_64-pc-windows-gnu and runs them under Wine, then makes images of the same files with the Linux and with
the Windows program and compares them byte for byte. What is skipped there is listed, and how much that may be is bounded.

  --install   install the Debian packages of the group wine first
  --compare   no tests, only the comparison, of files and of devices
  NAME        only tests whose name has this in it, and no comparison";

const TARGET: &str = "x86_64-pc-windows-gnu";
/// Where Debian has it; its wrapper script would ask for the 32-bit one too.
pub(crate) const WINE: &str = "/usr/lib/wine/wine64";
pub(crate) const WINESERVER: &str = "/usr/lib/wine/wineserver64";

/// What Rust's standard library imports and this Wine lacks.
const SHIM: &str = "\
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T len) {
    return RtlGenRandom(data, (ULONG)len);
}
";

/// Tests that are left out, with the reason. What they prove is no business of a system.
const LEFT_OUT: &[(&str, &[&str])] = &[
    (
        "cuts of power, on disks in memory",
        &["crash::", "crashes::", "::a_cut_", "a_child_survives_a_cut", "a_stream_goes_on_over_the_ends"],
    ),
    (
        "hostile bytes, in memory",
        &[
            "::hostile_",
            "no_damage_is_a_panic",
            "nothing_that_is_wrong_is_more",
            "damage_is_an_error_at_worst",
        ],
    ),
];

/// More tests than this may not be skipped for what they need: what vanishes must be seen.
const MOST_SKIPPED: u64 = 210;
/// Fewer tests than this may not pass.
const FEWEST_PASSED: u64 = 480;

/// A Wine of our own: its files under `target/wine`, its server, its environment.
pub(crate) struct Wine {
    pub(crate) home: PathBuf,
}

pub(crate) fn main(args: &[String]) -> Result {
    if args.iter().any(|arg| arg == "--install") {
        packages::install(&["wine"])?;
    }
    if args.iter().any(|arg| arg == "--compare") {
        let wine = Wine::at("target/wine")?;
        let compared = wine.compare();
        let _ = run::run(wine.env(&mut Command::new(WINESERVER)).arg("-k"));
        return compared;
    }
    let names: Vec<String> = args.iter().filter(|arg| *arg != "--install").cloned().collect();
    wine(&names)
}

/// Runs the tests whose names have one of `names` in them; without one all, and the comparison.
pub(crate) fn wine(names: &[String]) -> Result {
    let wine = Wine::at("target/wine")?;
    let tested = wine.tests(names).inspect_err(|error| eprintln!("wine: {error}"));
    let compared = if names.is_empty() { wine.compare() } else { Ok(()) };
    let compared = compared.inspect_err(|error| eprintln!("wine: {error}"));
    // Only ours: every prefix has a server of its own.
    let _ = run::run(wine.env(&mut Command::new(WINESERVER)).arg("-k"));
    tested.and(compared)
}

/// A path of this system as Windows programs are told it.
pub(crate) fn spelled(path: &Path) -> String {
    format!("Z:{}", path.display().to_string().replace('/', "\\"))
}

impl Wine {
    /// One whose files lie in this folder of the workspace.
    pub(crate) fn at(folder: &str) -> Result<Wine> {
        if !Path::new(WINE).is_file() {
            return Err(format!("{WINE} is not there: cargo xtask wine --install"));
        }
        let wine = Wine { home: run::root().join(folder) };
        let library = wine.shim();
        if !library.is_file() {
            let folder = wine.home.join("shim");
            fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            let source = folder.join("shim.c");
            fs::write(&source, SHIM).map_err(|error| format!("{}: {error}", source.display()))?;
            let mut compile = Command::new("x86_64-w64-mingw32-gcc");
            compile.args(["-shared", "-o"]).arg(&library).arg(&source).arg("-ladvapi32");
            run::run(&mut compile)?;
        }
        if !wine.prefix().join("system.reg").is_file() {
            let begun = Instant::now();
            // It looks for its 32-bit half in vain, and says so.
            run::output(wine.env(&mut Command::new(WINE)).args(["wineboot", "-i"]))?;
            println!("wine: a new prefix, {:.0} s", begun.elapsed().as_secs_f64());
        }
        // Else it would start anew for every program. One that runs already is as good.
        // It stays, and would keep our output open.
        let mut server = Command::new(WINESERVER);
        let server = wine.env(&mut server).arg("--persistent=30").stdin(Stdio::null());
        let _ = server.stdout(Stdio::null()).stderr(Stdio::null()).status();
        Ok(wine)
    }

    /// Where this Wine keeps its files.
    pub(crate) fn prefix(&self) -> PathBuf {
        self.home.join("prefix")
    }

    /// The library that this Wine lacks.
    pub(crate) fn shim(&self) -> PathBuf {
        self.home.join("shim/bcryptprimitives.dll")
    }

    /// Builds the program for Windows.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        run::run(self.cargo("build").args(["--quiet", "-p", "ectype"]))?;
        Ok(run::root().join("target").join(TARGET).join("debug/ectype.exe"))
    }

    /// The environment of a program under Wine.
    pub(crate) fn env<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("WINEPREFIX", self.prefix())
            .env("WINEPATH", spelled(&self.home.join("shim")))
            .env("WINEDEBUG", "-all")
            .env_remove("CI")
            .env_remove("ECTYPE_REQUIRE_ALL")
            .env_remove("DISPLAY")
    }

    /// Cargo for the Windows target.
    pub(crate) fn cargo(&self, verb: &str) -> Command {
        let mut cargo = run::cargo();
        cargo.args([verb, "--locked", "--target", TARGET]);
        without_debug(&mut cargo);
        self.env(&mut cargo);
        cargo
    }

    fn tests(&self, names: &[String]) -> Result {
        let mut tests = self.cargo("test");
        tests.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", WINE).arg("--no-fail-fast");
        tests.args([
            "-p",
            "ectype-core",
            "-p",
            "ectype",
            "-p",
            "ectype-testkit",
            "--lib",
            "--bins",
            "--tests",
        ]);
        tests.arg("--").args(names);
        for (_, left_out) in LEFT_OUT {
            tests.args(left_out.iter().flat_map(|name| ["--skip", *name]));
        }
        let (tally, skips, outcome) = counted(&mut tests, spelled)?;
        for (why, left_out) in LEFT_OUT {
            println!("LEFT OUT: {}: {why}", left_out.join(", "));
        }
        println!("wine: {tally}; not here for want of: {}", wants(&skips));
        outcome?;
        if names.is_empty() { bounded(tally) } else { Ok(()) }
    }
}

/// Builds without what a debugger wants: Wine reads all of a program each time that it starts one.
pub(crate) fn without_debug(cargo: &mut Command) {
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "false").env("CARGO_PROFILE_TEST_DEBUG", "false");
}

/// What was missing, and how many tests missed it.
fn wants(skips: &BTreeSet<String>) -> String {
    let mut wanted: Vec<(usize, &str)> = Vec::new();
    for what in skips.iter().filter_map(|line| line.split_once(" needs ")).map(|(_, what)| what) {
        match wanted.iter_mut().find(|(_, known)| *known == what) {
            Some((count, _)) => *count += 1,
            None => wanted.push((1, what)),
        }
    }
    wanted.sort_by(|a, b| b.cmp(a));
    let words: Vec<String> = wanted.iter().map(|(count, what)| format!("{what} ({count})")).collect();
    words.join(", ")
}

/// Whether as many tests ran as should.
fn bounded(tally: Tally) -> Result {
    if tally.skipped > MOST_SKIPPED {
        return Err(format!("{} tests were skipped, and at most {MOST_SKIPPED} may be", tally.skipped));
    }
    if tally.passed < FEWEST_PASSED {
        return Err(format!("{} tests passed, and at least {FEWEST_PASSED} must", tally.passed));
    }
    Ok(())
}

/// What both programs are asked to make, of the same files.
const IMAGES: &[&[&str]] = &[
    &["create", "disk", "raw.img"],
    &["create", "--hash", "sha256,md5", "disk", "disc.iso"],
    &["create", "disk", "dynamic.vhd"],
    &["create", "--subformat", "fixed", "disk", "fixed.vhd"],
    &["create", "disk", "dynamic.vhdx"],
    &["create", "--subformat", "fixed", "disk", "fixed.vhdx"],
    &["create", "disk", "plain.qcow2"],
    &["create", "--compress", "zlib", "disk", "zlib.qcow2"],
    &["create", "--compress", "zstd", "disk", "zstd.qcow2"],
    &["create", "disk", "sparse.vmdk"],
    &["create", "--subformat", "stream", "disk", "stream.vmdk"],
    &["create", "disk", "packed.zst"],
    &["create", ODD, "Überprüft – 検査.img.zst"],
    &["create", ODD, "Überprüft – 検査.qcow2"],
    &["create", DEEP, DEEPER],
    &["convert", "dynamic.vhdx", "converted.qcow2"],
    &["convert", "zlib.qcow2", "converted.vhd"],
];
/// A length of no whole sectors, and a name that only Unicode has.
const ODD: &str = "Größe ½ – 日本語 – 🙂.bin";
/// More than the 260 characters that a path of Windows once had.
const DEEP: &str = concat!(
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/",
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/",
    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc/",
    "deep.bin"
);
const DEEPER: &str = concat!(
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/",
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/",
    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc/",
    "deep.vhdx"
);

impl Wine {
    /// Makes the same images with both programs, and compares them.
    fn compare(&self) -> Result {
        run::run(run::cargo().args(["build", "--quiet", "--locked", "-p", "ectype"]))?;
        let exe = self.program()?;
        let at = self.home.join("equal");
        let failed = |error: std::io::Error| format!("{}: {error}", at.display());
        match fs::remove_dir_all(&at) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let (linux, windows) = (at.join("linux"), at.join("windows"));
        for folder in [&linux, &windows] {
            samples(folder).map_err(failed)?;
        }
        let ours = || Command::new(run::root().join("target/debug/ectype"));
        let theirs = || {
            let mut command = Command::new(WINE);
            self.env(&mut command).arg(&exe);
            command
        };
        wine_devices::check(&self.home, &self.prefix(), &ours, &theirs)?;
        let mut bytes = 0;
        for args in IMAGES {
            for (mut program, folder) in [(ours(), &linux), (theirs(), &windows)] {
                program.args(*args).arg("-q").current_dir(folder).env("SOURCE_DATE_EPOCH", "1764000000");
                run::output(&mut program)?;
            }
            let image = args[args.len() - 1];
            bytes += same(&linux.join(image), &windows.join(image))?;
            // And each believes what the other recorded.
            // This Wine gives no full name of what lies so deep (GetFinalPathNameByHandle).
            if image != DEEPER {
                run::output(theirs().args(["verify", "-q"]).arg(image).current_dir(&linux))?;
            }
            run::output(ours().args(["verify", "-q"]).arg(image).current_dir(&windows))?;
        }
        same(&linux.join("disc.iso.sha256"), &windows.join("disc.iso.sha256"))?;
        println!("wine: {} images are the same on both systems, {bytes} bytes", IMAGES.len());
        Ok(())
    }
}

/// The files that images are made of.
fn samples(folder: &Path) -> std::io::Result<()> {
    let noise = |len: usize, seed: u64| {
        let mut bytes = vec![0; len.next_multiple_of(8)];
        Random(seed).fill(&mut bytes);
        bytes.truncate(len);
        bytes
    };
    // Data, zeros, a little data within zeros, and text, which packs well.
    let mut disk = noise(5 << 20, 1);
    disk.resize(9 << 20, 0);
    disk.extend(noise(70_000, 2));
    disk.resize(14 << 20, 0);
    disk.extend(b"the same on both systems\n".repeat(100_000));
    disk.resize(20 << 20, 0);
    fs::create_dir_all(folder)?;
    fs::write(folder.join("disk"), disk)?;
    fs::write(folder.join(ODD), noise(1_000_003, 3))?;
    let deep = folder.join(DEEP);
    fs::create_dir_all(deep.parent().expect("it has a folder"))?;
    fs::write(deep, noise(2 << 20, 4))
}

/// Fails unless both files have the same bytes; how many.
fn same(a: &Path, b: &Path) -> Result<u64> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let (a_bytes, b_bytes) = (read(a)?, read(b)?);
    if a_bytes == b_bytes {
        return Ok(a_bytes.len() as u64);
    }
    let first = a_bytes.iter().zip(&b_bytes).position(|(a, b)| a != b);
    Err(format!(
        "{} ({} bytes) and {} ({}) differ, first at {}",
        a.display(),
        a_bytes.len(),
        b.display(),
        b_bytes.len(),
        first.unwrap_or(a_bytes.len().min(b_bytes.len()))
    ))
}
