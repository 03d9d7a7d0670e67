//! What a test needs from the machine: tools, rights, devices.
//!
//! A test asks first and leaves when the answer is no: `if !need::tool("mkfs.vfat") { return; }`. A missing thing is said on
//! stderr and appended to the file that `ECTYPE_SKIPS` names, one line each, so that `cargo xtask test` can count what was
//! not checked. With `ECTYPE_REQUIRE_ALL` or `CI` set it is a failure instead: there everything can be installed.
//!
//! The guards give a test a real block device and take it away again when they are dropped: [`LoopDevice`], [`Mounted`],
//! [`BadDisk`].

mod bad_disk;
mod guard;

pub use bad_disk::{BadDisk, BadDiskOptions, Counts, scattered};
pub use guard::{LoopDevice, Mounted};

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where system tools live that the `PATH` of an ordinary user leaves out.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Where the program `name` is, if it is installed.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system: &[&str] = if cfg!(unix) { &SYSTEM_FOLDERS } else { &[] };
    std::env::split_paths(&path)
        .chain(system.iter().map(PathBuf::from))
        .map(|folder| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
        .find(|file| file.is_file())
}

/// A command that runs the program `name`, also where it is not on the `PATH`.
pub fn command(name: &str) -> Command {
    Command::new(find(name).unwrap_or_else(|| PathBuf::from(name)))
}

/// Whether the program `name` is installed.
#[track_caller]
pub fn tool(name: &str) -> bool {
    find(name).is_some() || missing(name)
}

/// Whether all of these programs are installed.
#[track_caller]
pub fn tools(names: &[&str]) -> bool {
    names.iter().all(|name| tool(name))
}

/// What systems in the manner of Unix have and Windows does not: signals, modes, links, names of any bytes. Never a failure.
pub fn unix(what: &str) -> bool {
    cfg!(unix) || skip(what)
}

/// What only Linux shows. Never a failure.
pub fn linux(what: &str) -> bool {
    cfg!(target_os = "linux") || skip(what)
}

/// Whether a file can have holes: a file system of Windows must say so, and Wine's do not. Never a failure.
pub fn holes() -> bool {
    cfg!(unix) || skip("files with holes")
}

/// Whether the test runs as root.
#[track_caller]
pub fn root() -> bool {
    is_root() || missing("root")
}

/// Whether loop devices can be attached: root, `losetup` and the kernel's loop control.
#[track_caller]
pub fn loop_devices() -> bool {
    root() && tool("losetup") && (can_open("/dev/loop-control") || missing("/dev/loop-control"))
}

/// Whether FUSE file systems can be mounted.
#[track_caller]
pub fn fuse() -> bool {
    unix("FUSE") && tool("fusermount3") && (can_open("/dev/fuse") || missing("/dev/fuse"))
}

/// Whether [`BadDisk`] can be made.
#[track_caller]
pub fn bad_disk() -> bool {
    let header = Path::new("/usr/include/nbdkit-plugin.h");
    loop_devices()
        && fuse()
        && tools(&["nbdkit", "nbdfuse", "cc"])
        && (header.is_file() || missing("nbdkit-plugin.h (the package nbdkit-plugin-dev)"))
}

/// Whether the kernel can mount file systems of this type. A kernel cannot be installed, so this is never a failure.
pub fn filesystem(kind: &str) -> bool {
    let known = || {
        cfg!(unix)
            && std::fs::read_to_string("/proc/filesystems")
                .is_ok_and(|list| list.lines().any(|line| line.split_whitespace().last() == Some(kind)))
    };
    if known() {
        return true;
    }
    if is_root() && find("modprobe").is_some() {
        // Only the list afterwards counts.
        let _ = command("modprobe").args(["-q", kind]).output();
    }
    known() || skip(&format!("a kernel that mounts {kind}"))
}

/// What the kernel has to be able to do: `holds`, or the test is skipped for `what`. A kernel cannot be installed, so this
/// is never a failure.
pub fn kernel(holds: bool, what: &str) -> bool {
    holds || skip(what)
}

/// The folder of images by other programs, with known content: `files`, and a `manifest.tsv` that tells of them. It is the one
/// that `ECTYPE_CORPUS` names, else `shared/corpus` beside the workspace or above it, wherever a worktree of it lies. It is no
/// part of the project, so that its absence is never a failure.
pub fn corpus() -> Option<PathBuf> {
    // Its images are judged by the tools of Linux.
    if !unix("a corpus of images with their tools") {
        return None;
    }
    let named = std::env::var_os("ECTYPE_CORPUS").filter(|path| !path.is_empty()).map(PathBuf::from);
    let folder = named.or_else(|| corpus_above(Path::new(env!("CARGO_MANIFEST_DIR"))));
    match folder {
        Some(folder) if is_corpus(&folder) => Some(folder),
        Some(folder) => {
            skip(&format!("a corpus of images, which {} (ECTYPE_CORPUS) is not", folder.display()));
            None
        }
        None => {
            skip("a corpus of images (ECTYPE_CORPUS, or shared/corpus beside the workspace)");
            None
        }
    }
}

fn is_corpus(folder: &Path) -> bool {
    folder.join("manifest.tsv").is_file() && folder.join("files").is_dir()
}

/// The nearest corpus in `folder` or above it.
fn corpus_above(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join("shared/corpus")).find(|folder| is_corpus(folder))
}

fn is_root() -> bool {
    // Under Wine the files of Linux are there too.
    if cfg!(windows) {
        return false;
    }
    // Real, effective, saved and file-system user: the effective one decides.
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        ids.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
    })
}

fn can_open(path: &str) -> bool {
    OpenOptions::new().read(true).write(true).open(path).is_ok()
}

/// Says that the test is skipped, or fails it where everything must be there. Always false.
#[track_caller]
fn missing(what: &str) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("ECTYPE_REQUIRE_ALL") || set("CI") {
        panic!("{} needs {what}, and here nothing may be skipped", test_name());
    }
    skip(what)
}

/// Notes that the test is skipped. Always false.
fn skip(what: &str) -> bool {
    let line = format!("SKIPPED: {} needs {what}\n", test_name());
    // Past the capture of the test harness: a skip must be seen.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("ECTYPE_SKIPS").filter(|path| !path.is_empty()) {
        // One write of one line: appends of several test processes do not mix.
        let noted = OpenOptions::new().create(true).append(true).open(&path);
        if let Err(error) = noted.and_then(|mut file: File| file.write_all(line.as_bytes())) {
            panic!("{}: {error}", Path::new(&path).display());
        }
    }
    false
}

/// The test harness names a test's thread after the test.
fn test_name() -> String {
    std::thread::current().name().unwrap_or("a test").to_owned()
}

/// Runs a command to its end; what it said on stderr becomes the error.
fn run(command: &mut Command) -> io::Result<Output> {
    let output = command.output().map_err(|error| {
        io::Error::new(error.kind(), format!("{}: {error}", command.get_program().display()))
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    Err(io::Error::other(format!(
        "{} {}: {}, {}",
        command.get_program().display(),
        arguments.join(" "),
        output.status,
        said.trim()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_found_and_an_absent_one_is_not() {
        if !unix("a shell") {
            return;
        }
        assert!(find("sh").is_some());
        assert!(find("no-such-tool-of-ours").is_none());
    }

    #[test]
    fn sbin_is_searched_too() {
        if !tool("losetup") {
            return;
        }
        assert!(find("losetup").is_some_and(|path| path.is_absolute()));
    }

    #[test]
    fn the_nearest_corpus_above_is_found_at_any_depth() {
        let top = std::env::temp_dir().join(format!("need-corpus-{}", std::process::id()));
        let (corpus, deep) = (top.join("shared/corpus"), top.join("a/b/c/d"));
        std::fs::create_dir_all(corpus.join("files")).unwrap();
        std::fs::create_dir_all(&deep).unwrap();
        // Without its manifest it is none.
        let without = corpus_above(&deep);
        std::fs::write(corpus.join("manifest.tsv"), "path\n").unwrap();
        let (from_deep, from_top) = (corpus_above(&deep), corpus_above(&top));
        std::fs::remove_dir_all(&top).unwrap();
        assert_ne!(without.as_ref(), Some(&corpus));
        assert_eq!((from_deep.as_ref(), from_top.as_ref()), (Some(&corpus), Some(&corpus)));
    }

    #[test]
    fn a_failed_command_tells_what_it_said() {
        if !unix("a shell") {
            return;
        }
        let error = run(command("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("broken") && error.contains('3'), "{error}");
    }
}
