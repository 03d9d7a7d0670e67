//! What the figures were taken on.

use crate::run;
use std::fs;
use std::process::Command;

/// The other tools, and how each tells its version.
const TOOLS: &[(&str, &str)] = &[
    ("cp", "--version"),
    ("dc3dd", "--version"),
    ("dcfldd", "--version"),
    ("ddrescue", "--version"),
    ("nbdcopy", "--version"),
    ("openssl", "version"),
    ("qemu-img", "--version"),
];

/// Machine, kernel, load and versions, as markdown.
pub(crate) fn describe() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |key: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split(':').nth(1)).map_or("unknown", str::trim)
    };
    let flags = field("flags");
    let has = |flag: &str| flags.split_whitespace().any(|known| known == flag);
    let sha = if has("sha_ni") { "with SHA instructions" } else { "without SHA instructions" };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    let quiet = load.parse::<f64>().is_ok_and(|load| load <= 0.5);
    let quiet = if quiet { "" } else { " (not quiet: only clear ratios mean something)" };
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 20;
    let commit =
        run::output(Command::new("git").args(["describe", "--always", "--dirty"])).unwrap_or_default();
    let versions: Vec<String> = TOOLS.iter().map(|(tool, flag)| version(tool, flag)).collect();
    format!(
        "# Speed against other tools\n\n\
         - commit {}\n- {}, {cores} cores, {sha}, {memory} GiB\n- kernel {}, load {load} before the start{quiet}\n- {}\n",
        commit.trim(),
        field("model name"),
        release.trim(),
        versions.join("; ")
    )
}

/// The first line of what a tool says of its version, on whichever stream.
fn version(tool: &str, flag: &str) -> String {
    let Ok(output) = Command::new(tool).arg(flag).output() else { return format!("{tool} not installed") };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(tool).to_owned()
}
