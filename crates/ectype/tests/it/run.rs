//! Runs the binary as a user does, and judges what it said.

use ectype_testkit::FileAt as _;
pub(crate) use ectype_testkit::Said;
use ectype_testkit::need;
use ectype_testkit::system::signal_of;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;

/// Longer than this, a run hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What Windows says where the starting itself went wrong: ERROR_INTERNAL_ERROR.
const INTERNAL_ERROR: i32 = 1359;

/// A run that goes on.
pub(crate) struct Running {
    child: Child,
    out: File,
    err: File,
    /// Whether we ended it, where no signal tells.
    killed: bool,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Running {
        let (out, err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap());
        let mut started = command.spawn();
        // Wine on a busy machine does not always get a program to begin, which tests nothing of it.
        for _ in 0..3 {
            match &started {
                Err(error) if cfg!(windows) && error.raw_os_error() == Some(INTERNAL_ERROR) => {
                    started = command.spawn();
                }
                _ => break,
            }
        }
        Running { child: started.unwrap(), out, err, killed: false }
    }

    /// Sends a signal by its name: KILL, INT, TERM …
    pub(crate) fn signal(&mut self, name: &str) {
        if cfg!(windows) {
            assert_eq!(name, "KILL", "Windows has no signals");
            // It may have ended in the meantime.
            self.killed = self.child.kill().is_ok();
            return;
        }
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).output();
        // It may have ended in the meantime.
        assert!(
            sent.unwrap().status.success()
                || std::fs::metadata(format!("/proc/{}", self.child.id())).is_err()
        );
    }

    /// Waits until it has said this on stderr.
    #[track_caller]
    pub(crate) fn until_it_says(&mut self, what: &str) {
        let begun = Instant::now();
        // What it writes goes on where the shared position is: read without moving that.
        let said = |file: &File| {
            let mut bytes = vec![0; 1 << 16];
            let len = file.read_at(&mut bytes, 0).unwrap();
            String::from_utf8_lossy(&bytes[..len]).contains(what)
        };
        while !said(&self.err) {
            assert!(!self.ended() && begun.elapsed() < PATIENCE, "it never said {what:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    #[track_caller]
    pub(crate) fn wait(mut self) -> Said {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("it hangs; so far it said {:?} {:?}", text(&mut self.out), text(&mut self.err));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        // Windows ends it with this status.
        let killed = cfg!(windows) && self.killed && status.code() == Some(1);
        Said {
            code: status.code().filter(|_| !killed),
            signal: if killed { Some(9) } else { signal_of(status) },
            out: text(&mut self.out),
            err: text(&mut self.err),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed must not leave it at work on a device that goes.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The binary, to be run in the folder `dir`.
pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ectype"));
    command.current_dir(dir);
    command
}

/// Runs the binary in the folder `dir` to its end.
#[track_caller]
pub(crate) fn ectype<A: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = A>) -> Said {
    let mut command = command(dir);
    command.args(args);
    Running::start(command).wait()
}

/// Arguments of several kinds of string in one list.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { [$(std::ffi::OsString::from(&$arg)),*] };
}
pub(crate) use args;

/// A folder for one test.
pub(crate) fn folder() -> TempDir {
    TempDir::with_prefix("ectype-it-").unwrap()
}

/// Bytes without any pattern, the same for the same seed.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Writes a file of noise.
pub(crate) fn noisy(dir: &Path, name: &str, len: usize, seed: u64) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, noise(len, seed)).unwrap();
    path
}

/// Fails the test, saying where, unless both files have the same bytes.
#[track_caller]
pub(crate) fn same(a: &Path, b: &Path) {
    if cfg!(windows) {
        assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "{} {}", a.display(), b.display());
        return;
    }
    let said = Command::new("cmp").arg(a).arg(b).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

/// The names in a folder, in order.
pub(crate) fn names(dir: &Path) -> Vec<OsString> {
    let mut names: Vec<OsString> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

/// All files of a folder with their bytes and times: what a run that touches nothing leaves as it is.
pub(crate) fn contents(dir: &Path) -> BTreeMap<OsString, (u64, SystemTime)> {
    let read = |name: OsString| {
        let path = dir.join(&name);
        let facts = fs::symlink_metadata(&path).unwrap();
        let bytes = match facts.file_type() {
            kind if kind.is_file() => fs::read(&path).unwrap(),
            kind if kind.is_symlink() => fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
            _ => Vec::new(),
        };
        let mut hash = DefaultHasher::new();
        bytes.hash(&mut hash);
        (name, (hash.finish(), facts.modified().unwrap()))
    };
    names(dir).into_iter().map(read).collect()
}

/// Bytes that a file takes on its disk.
pub(crate) fn allocated(path: &Path) -> u64 {
    ectype_testkit::system::allocated(path).unwrap()
}

/// Runs another program to its end; what it says on stdout.
#[track_caller]
pub(crate) fn tool<A: AsRef<OsStr>>(name: &str, args: impl IntoIterator<Item = A>) -> String {
    let said = need::command(name).args(args).output().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(
        said.status.success(),
        "{name}: {} {} {}",
        said.status,
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr)
    );
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// The path with something behind its whole name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A name of any bytes.
pub(crate) fn raw_name(bytes: &[u8]) -> &OsStr {
    ectype_testkit::system::name_of(bytes)
}
