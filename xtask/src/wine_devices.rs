//! Devices under Wine: `\\.\E:` is a loop device, which Windows's program images, verifies and overwrites. Both systems must see the
//! same bytes and make the same images.
//!
//! Wine tells no size of it and knows no lock, extents or disks: those are answered from recorded replies in the unit tests.

use crate::random::Random;
use crate::{Result, run};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a device is imaged into, and the options.
const IMAGES: &[(&str, &[&str])] = &[
    ("d.img", &["--hash", "sha256"]),
    ("d.vhd", &[]),
    ("d.vhdx", &[]),
    ("d.qcow2", &["--compress", "zstd"]),
    ("d.vmdk", &[]),
    ("d.img.zst", &[]),
];

/// What must be refused, how it ends, and a word of the error.
const REFUSED: &[(&[&str], i32, &str)] = &[
    (&["create", "Q:", "q.img"], 1, "is not there"),
    (&["create", r"\\.\PhysicalDrive77", "q.img"], 1, "is not there"),
    (&["create", r"\\?\Volume{00000000-0000-0000-0000-000000000001}\", "q.img"], 1, "is not there"),
    // Read from snapshots where there are any; Wine does not even tell its size.
    (&["create", "C:", "c.img"], 1, r"asking \\.\C: for its size"),
    (&["create", r"C:\windows", "c.img"], 1, "is a folder"),
    (&["create", "E:", r"\\.\E:"], 1, "ectype restore"),
    (&["restore", "d.img", "E:"], 1, "nobody confirmed it"),
    (&["restore", "--confirm", "another", "d.img", "E:"], 1, r"is not \\.\E:"),
    (&["restore", "d.img", r"\\.\PhysicalDrive0"], 1, "the running system lives on"),
];

/// A loop device, detached at the end.
struct Loop(PathBuf);

impl Loop {
    fn over(file: &Path) -> Result<Loop> {
        let mut losetup = Command::new("losetup");
        let name = run::output(losetup.args(["--find", "--show"]).arg(file))?;
        Ok(Loop(PathBuf::from(name.trim())))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

/// Images, verifies and restores a device with both programs: `ours` of Linux, `theirs` of Windows under Wine, whose files are in
/// `prefix`. Loop devices need root, and a chore of CI has it.
pub(crate) fn check(
    home: &Path,
    prefix: &Path,
    ours: &dyn Fn() -> Command,
    theirs: &dyn Fn() -> Command,
) -> Result {
    let at = home.join("devices");
    let failed = |error: std::io::Error| format!("{}: {error}", at.display());
    match fs::remove_dir_all(&at) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let (linux, windows) = (at.join("linux"), at.join("windows"));
    fs::create_dir_all(&linux).and_then(|()| fs::create_dir_all(&windows)).map_err(failed)?;
    let medium = at.join("medium");
    fs::write(&medium, content(1)).map_err(failed)?;
    let device = Loop::over(&medium)?;
    let letter = prefix.join("dosdevices/e::");
    let _ = fs::remove_file(&letter);
    symlink(&device.0, &letter).map_err(failed)?;
    let outcome = compare(&linux, &windows, &device.0, ours, theirs)
        .and_then(|()| refusals(&windows, theirs))
        .and_then(|()| restore(&windows, &device.0, theirs));
    let _ = fs::remove_file(&letter);
    outcome
}

/// 20 MiB and three sectors: data, zeros, data at the very end.
fn content(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; (20 << 20) + 3 * 512];
    let end = bytes.len();
    let mut random = Random(seed);
    random.fill(&mut bytes[..5 << 20]);
    random.fill(&mut bytes[9 << 20..(9 << 20) + 70_000]);
    random.fill(&mut bytes[end - 512..]);
    bytes
}

/// The same images of the same device, and each program believes what the other recorded.
fn compare(
    linux: &Path,
    windows: &Path,
    device: &Path,
    ours: &dyn Fn() -> Command,
    theirs: &dyn Fn() -> Command,
) -> Result {
    let read = |path: PathBuf| fs::read(&path).map_err(|error| format!("{}: {error}", path.display()));
    for (index, (image, options)) in IMAGES.iter().enumerate() {
        let name = ["E:", r"E:\", r"\\.\E:", r"\\?\E:"][index % 4];
        let quiet = |command: &mut Command, source: &Path, folder: &Path| {
            command.args(["create", "-q"]).args(*options).arg(source).arg(image);
            run::output(command.current_dir(folder).env("SOURCE_DATE_EPOCH", "1764000000"))
        };
        quiet(&mut ours(), device, linux)?;
        quiet(&mut theirs(), Path::new(name), windows)?;
        if read(linux.join(image))? != read(windows.join(image))? {
            return Err(format!("{image} of {name} is not what Linux makes of the same device"));
        }
        run::output(theirs().args(["verify", "-q", image, name]).current_dir(linux))?;
        run::output(ours().args(["verify", "-q", image]).arg(device).current_dir(windows))?;
    }
    println!("wine: {} images of a device are the same on both systems", IMAGES.len());
    Ok(())
}

fn refusals(windows: &Path, theirs: &dyn Fn() -> Command) -> Result {
    for (args, code, word) in REFUSED {
        let mut command = theirs();
        let shown = args.join(" ");
        let output = command.args(*args).current_dir(windows).output().map_err(|error| error.to_string())?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() != Some(*code) || !told.contains(word) {
            return Err(format!(
                "ectype {shown}: {:?} instead of {code}, or without {word:?}:\n{told}",
                output.status
            ));
        }
    }
    println!("wine: {} refusals", REFUSED.len());
    Ok(())
}

/// The image comes back onto a device that holds something else, and a change on it is seen.
fn restore(windows: &Path, device: &Path, theirs: &dyn Fn() -> Command) -> Result {
    let failed = |error: std::io::Error| format!("{}: {error}", device.display());
    for (image, _) in IMAGES {
        fs::write(device, content(7)).map_err(failed)?;
        let mut verify = theirs();
        verify.args(["verify", "-q", image, "E:"]).current_dir(windows);
        if verify.output().map_err(failed)?.status.code() != Some(4) {
            return Err(format!("{image} passes for a device that holds something else"));
        }
        let mut restore = theirs();
        restore.args(["restore", "-q", "--force-layout", "--confirm", "e:", image, r"\\.\E:"]);
        run::output(restore.current_dir(windows))?;
        let held = fs::read(device).map_err(failed)?;
        let wanted = content(1);
        // A volume's image has a partition table before it.
        let table = held.len() - wanted.len();
        if held[table..] != wanted {
            return Err(format!("{image} was restored as something else"));
        }
    }
    println!("wine: {} images restored onto a device", IMAGES.len());
    Ok(())
}
