//! Tools of others that judge what we write. A tool that is missing is said aloud, and is a failure where all are required.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::{env, io};

static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Where the tool lies, or `None` after saying that the test was skipped for want of it.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        let required =
            ["CI", "ECTYPE_REQUIRE_ALL"].into_iter().find(|variable| env::var_os(variable).is_some());
        assert!(required.is_none(), "{name} is missing, and {} requires it", required.unwrap_or_default());
        // Once, and past the test harness, which shows the output of failed tests only.
        if SAID.lock().is_ok_and(|mut said| said.insert(name.into())) {
            let _ = writeln!(io::stderr(), "SKIPPED: tests that need {name}, which is not installed");
        }
    }
    found
}
