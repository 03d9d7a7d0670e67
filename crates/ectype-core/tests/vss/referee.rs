//! What the referee is told, and what it tells.

use ectype_core::source::snapshot::{Clock, Making, make};
use ectype_core::{Result, os, source::snapshot::Made};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The referee knows one folder: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Referee {
    pub(crate) folder: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Referee {
    /// A fresh one with these lines of control; `None` where the system's own service is in its place.
    pub(crate) fn new(control: &[String]) -> Option<Referee> {
        let Some(folder) = std::env::var_os("ECTYPE_VSS_REFEREE") else {
            eprintln!("skipped: no referee here (cargo xtask vss)");
            return None;
        };
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = PathBuf::from(folder);
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["log", "snapshots"] {
            let _ = std::fs::remove_file(folder.join(name));
        }
        // What one test used up is not used up for the next.
        static ROUND: AtomicU32 = AtomicU32::new(1);
        let round = ROUND.fetch_add(1, Ordering::Relaxed);
        let control = control.join("\n") + &format!("\nround\t{round}\n");
        std::fs::write(folder.join("control"), control).unwrap();
        Some(Referee { folder, _turn: turn })
    }

    pub(crate) fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Every duty was done: no deviation, nothing held. Another one may follow.
    pub(crate) fn dismiss_content(self) {
        let log = self.log();
        let deviations: Vec<&String> = log.iter().filter(|line| line.starts_with("DEVIATION")).collect();
        assert!(deviations.is_empty(), "{deviations:#?} in {log:#?}");
        if log.iter().any(|line| line == "call InitializeForBackup") {
            assert_eq!(log.last().map(String::as_str), Some("nothing held"), "{log:#?}");
        }
        assert_eq!(self.held(), Vec::<String>::new());
    }

    pub(crate) fn held(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("snapshots")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often a call came.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.log().iter().filter(|found| *found == line).count()
    }

    /// A volume of this content: its line of control, and the names of the live bytes and of their copy.
    pub(crate) fn volume(folder: &Path, number: u32, content: &[u8]) -> (String, String, PathBuf, PathBuf) {
        let name = name(number);
        let (live, copy) = (folder.join(format!("live{number}")), folder.join(format!("copy{number}")));
        std::fs::write(&live, content).unwrap();
        let line = format!("volume\t{name}\\\t{}\t{}\t{}", live.display(), copy.display(), copy.display());
        (line, name, live, copy)
    }
}

/// The name of a volume, as Windows gives them.
pub(crate) fn name(number: u32) -> String {
    format!(r"\\?\Volume{{{number:08x}-0000-0000-0000-100000000000}}")
}

/// A clock on which waits of minutes pass at once, and are added up.
pub(crate) struct Fast {
    begun: Instant,
    skipped: Mutex<Duration>,
}

impl Fast {
    pub(crate) fn new() -> Fast {
        Fast { begun: Instant::now(), skipped: Mutex::default() }
    }

    pub(crate) fn waited(&self) -> Duration {
        *self.skipped.lock().unwrap()
    }
}

impl Clock for Fast {
    fn now(&self) -> Duration {
        self.begun.elapsed() + self.waited()
    }

    fn sleep(&self, time: Duration) {
        *self.skipped.lock().unwrap() += time;
    }
}

/// Makes a set, and tells what was told.
pub(crate) fn attempt(
    volumes: &[String],
    clock: &Fast,
    stop: &dyn Fn() -> bool,
) -> (Result<Made>, Vec<String>) {
    let service = os::snapshot::service().unwrap();
    let told = RefCell::new(Vec::new());
    let made = make(
        volumes,
        Making {
            service: &*service,
            clock,
            stop,
            tell: &|text| told.borrow_mut().push(text),
            note: &mut |_| Ok(()),
        },
    );
    (made, told.into_inner())
}
