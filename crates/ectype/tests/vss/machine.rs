//! A disk of two volumes, of which somebody uses both, and runs of the program on it.

use ectype_testkit::Said;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(crate) const DISK: &str = r"\\.\PhysicalDrive0";
/// What a disk in use gets by itself, without waiting for its lock.
pub(crate) const SNAPSHOT: &str = "--consistency=snapshot";
const MIB: usize = 1 << 20;
/// Where the volumes lie, in bytes: Q:, and one without a letter.
pub(crate) const FIRST: (usize, usize) = (MIB, 3 * MIB);
pub(crate) const SECOND: (usize, usize) = (5 * MIB + 512, 2 * MIB);
const SIZE: usize = 8 * MIB;

/// Longer than this, a run hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The name of a volume.
pub(crate) fn volume(number: u32) -> String {
    format!(r"\\?\Volume{{{}}}", guid(number))
}

pub(crate) fn guid(number: u32) -> String {
    format!("{number:08x}-0000-0000-0000-100000000000")
}

pub(crate) struct Machine {
    /// Of the referee.
    pub(crate) folder: PathBuf,
    /// Where images are made.
    pub(crate) home: tempfile::TempDir,
    /// The disk as it is before anything.
    pub(crate) before: Vec<u8>,
}

impl Machine {
    /// One with these lines for the referee and for the machine; `None` where there is no referee.
    pub(crate) fn new(referee: &[&str], machine: &[&str]) -> Option<Machine> {
        let before = (0..SIZE).map(|at| (at / 512 % 241) as u8 ^ (at / MIB) as u8).collect();
        Machine::of(before, referee, machine)
    }

    /// One with this disk.
    pub(crate) fn of(before: Vec<u8>, referee: &[&str], machine: &[&str]) -> Option<Machine> {
        let Some(folder) = std::env::var_os("ECTYPE_VSS_REFEREE").map(PathBuf::from) else {
            eprintln!("skipped: no referee here (cargo xtask vss)");
            return None;
        };
        for name in ["log", "snapshots", "machine.log"] {
            let _ = fs::remove_file(folder.join(name));
        }
        let shown = |name: &str| folder.join(name).display().to_string();
        let mut control = vec!["writer\tSystem Writer".to_owned()];
        let mut told = vec![format!("disk\t0\t\\\\.\\P:\t{SIZE}\tSN-7")];
        for (number, (offset, len), letter, copy, root) in
            [(1, FIRST, 'Q', 'S', "Q:\\"), (2, SECOND, 'R', 'T', "-")]
        {
            let (live, copied) = (shown(&format!("volume{number}")), shown(&format!("copy{number}")));
            control.push(format!("volume\t{}\\\t{live}\t{copied}\t\\\\.\\{copy}:", volume(number)));
            // Somebody goes on working.
            control.push(format!("change\t{live}\t0\t{len}"));
            control.push(format!("change\t{}\t{offset}\t{len}", shown("disk")));
            told.push(format!("volume\t{}\t\\\\.\\{letter}:\t0\t{offset}\t{len}\t{root}", guid(number)));
            told.push(format!("used\t{}", guid(number)));
            fs::write(&live, &before[offset..offset + len]).unwrap();
            fs::write(&copied, vec![0; len]).unwrap();
        }
        // What one test used up is not used up for the next.
        static ROUND: AtomicU32 = AtomicU32::new(1);
        let round = std::process::id() * 100 + ROUND.fetch_add(1, Ordering::Relaxed);
        control.push(format!("round\t{round}"));
        control.extend(referee.iter().map(|line| (*line).to_owned()));
        told.retain(|line| !machine.contains(&"nobody") || !line.starts_with("used"));
        told.extend(machine.iter().map(|line| (*line).to_owned()));
        fs::write(folder.join("control"), control.join("\n") + "\n").unwrap();
        fs::write(folder.join("machine"), told.join("\n") + "\n").unwrap();
        fs::write(folder.join("disk"), &before).unwrap();
        Some(Machine { folder, home: tempfile::tempdir().unwrap(), before })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.home.path()).env("ECTYPE_VSS_MACHINE", self.folder.join("machine"));
        command
    }

    /// Begins a run without a terminal.
    pub(crate) fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_ectype")));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        ended(self.begin(args))
    }

    /// A run at a terminal: what is typed when what has been seen. Both streams are on the screen.
    pub(crate) fn at_terminal(&self, typed: &[(&str, &str)], args: &[&str]) -> Said {
        let script = self.home.path().join("typed");
        let lines: String = typed.iter().map(|(seen, keys)| format!("{seen}\t{keys}\n")).collect();
        fs::write(&script, lines).unwrap();
        let console = self.folder.parent().unwrap().join("console.exe");
        let mut command = self.command(&console);
        command.arg(&script).arg(env!("CARGO_BIN_EXE_ectype")).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        ended(command.spawn().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Snapshots that are held.
    pub(crate) fn held(&self) -> Vec<String> {
        self.lines("snapshots")
    }

    pub(crate) fn was_called(&self, call: &str) -> bool {
        self.lines("log").iter().any(|line| *line == format!("call {call}"))
    }

    /// Of which volumes the log of the machine says this word (`lock`, `dismount`), in order.
    pub(crate) fn told(&self, word: &str) -> Vec<String> {
        let log = self.lines("machine.log");
        let of = |line: &String| line.strip_prefix(word)?.strip_prefix(' ').map(str::to_owned);
        log.iter().filter_map(of).collect()
    }

    /// Every duty was done: no deviation, no snapshot, no lock, no note.
    #[track_caller]
    pub(crate) fn is_left_clean(&self) {
        let log = self.lines("log");
        let deviations: Vec<&String> = log.iter().filter(|line| line.starts_with("DEVIATION")).collect();
        assert!(deviations.is_empty(), "{deviations:#?} in {log:#?}");
        assert_eq!(self.held(), Vec::<String>::new(), "{log:#?}");
        let sorted = |mut volumes: Vec<String>| {
            volumes.sort();
            volumes
        };
        assert_eq!(sorted(self.told("lock")), sorted(self.told("free")));
        assert_eq!(notes(), Vec::<PathBuf>::new());
    }

    /// What an image must hold: snapshots over the disk as it is now.
    pub(crate) fn wanted(&self, parts: &[(usize, usize)]) -> Vec<u8> {
        let mut bytes = fs::read(self.folder.join("disk")).unwrap();
        for &(offset, len) in parts {
            bytes[offset..offset + len].copy_from_slice(&self.before[offset..offset + len]);
        }
        bytes
    }

    /// The files that were made.
    pub(crate) fn made(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "typed").collect();
        names.sort();
        names
    }

    /// Waits for a file to appear while a run is under way.
    pub(crate) fn wait_for(&self, file: &Path, run: &mut Child) {
        let begun = Instant::now();
        while !file.exists() {
            assert!(begun.elapsed() < PATIENCE, "{:#?}", self.lines("log"));
            assert!(run.try_wait().unwrap().is_none(), "it ended: {:#?}", self.lines("log"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The notes of snapshots that runs hold.
pub(crate) fn notes() -> Vec<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("ProgramData").unwrap()).join(r"ectype\snapshots");
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// What it left by intent is in no other test's way.
impl Drop for Machine {
    fn drop(&mut self) {
        for note in notes() {
            let _ = fs::remove_file(note);
        }
    }
}

/// Waits for the end of a run, no longer than one may take.
pub(crate) fn ended(run: Child) -> Said {
    let (told, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(run.wait_with_output()));
    let output = answer.recv_timeout(PATIENCE).expect("a run hangs").unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), signal: None, out: text(&output.stdout), err: text(&output.stderr) }
}
