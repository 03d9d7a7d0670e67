//! What is given away: the command for Linux and for Windows, each in one file that needs nothing beside it, and their checksums.

use crate::{Result, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const HELP: &str = "\
cargo xtask dist

Builds the command for release into target/dist, in some ten minutes:
  ectype-VERSION-x86_64-unknown-linux-musl       for Linux, static
  ectype-VERSION-x86_64-pc-windows-gnu.exe       for Windows 10 or newer
  SHA256SUMS                                     of both
Looks into each that it needs nothing but the system. They may be renamed.

Needs the Debian packages of `cargo xtask install checks`, and
  rustup target add x86_64-unknown-linux-musl x86_64-pc-windows-gnu";

/// A target, how its program's name ends, and what looks into it.
type Target = (&'static str, &'static str, fn(&Path) -> Result);

const TARGETS: [Target; 2] =
    [("x86_64-unknown-linux-musl", "", is_static), ("x86_64-pc-windows-gnu", ".exe", needs_only_windows)];

/// What every Windows that is still served has, in a rescue environment (WinPE) too; the sets of `api-ms-win-…` with it.
const OF_WINDOWS: &[&str] = &[
    "advapi32.dll",
    "bcrypt.dll",
    "bcryptprimitives.dll",
    "combase.dll",
    "crypt32.dll",
    "kernel32.dll",
    "msvcrt.dll",
    "ntdll.dll",
    "ole32.dll",
    "oleaut32.dll",
    "setupapi.dll",
    "shell32.dll",
    "user32.dll",
    "userenv.dll",
    "ws2_32.dll",
];

pub(crate) fn main(args: &[String]) -> Result {
    if let Some(arg) = args.first() {
        return Err(format!("{arg}: dist takes no arguments"));
    }
    let folder = Path::new("target/dist");
    let failed = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut names = Vec::new();
    for (target, end, look) in TARGETS {
        let mut build = run::cargo();
        build.args(["build", "--release", "--locked", "-p", "ectype", "--target", target]);
        run::run(build.env("CARGO_PROFILE_RELEASE_STRIP", "symbols").env("RUSTFLAGS", without_paths()))?;
        let built = PathBuf::from(format!("target/{target}/release/ectype{end}"));
        look(&built)?;
        let name = format!("ectype-{}-{target}{end}", env!("CARGO_PKG_VERSION"));
        let to = folder.join(&name);
        let len = fs::copy(&built, &to).map_err(|error| failed(&to, error))?;
        println!("{} ({} KiB)", to.display(), len >> 10);
        names.push(name);
    }
    let sums = run::output(Command::new("sha256sum").args(&names).current_dir(folder))?;
    let to = folder.join("SHA256SUMS");
    fs::write(&to, sums).map_err(|error| failed(&to, error))?;
    println!("{}", to.display());
    Ok(())
}

/// Where it was built is nobody's business.
fn without_paths() -> String {
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))
        .unwrap_or_default();
    let root = run::root().display();
    format!("--remap-path-prefix={root}=ectype --remap-path-prefix={home}=cargo")
}

/// A program of Linux that no loader has to complete.
fn is_static(program: &Path) -> Result {
    let headers = run::output(Command::new("readelf").arg("--program-headers").arg("--wide").arg(program))?;
    match headers.contains("INTERP") {
        true => Err(format!("{} wants a loader: it is not static", program.display())),
        false => Ok(()),
    }
}

/// A program of Windows that brings all but the system itself.
fn needs_only_windows(program: &Path) -> Result {
    let headers = run::output(Command::new("x86_64-w64-mingw32-objdump").arg("-p").arg(program))?;
    match strangers(&headers)[..] {
        [] => Ok(()),
        [first, ..] => Err(format!("{} wants {first}, which not every Windows has", program.display())),
    }
}

/// The libraries that `objdump -p` lists, without those of every Windows.
fn strangers(headers: &str) -> Vec<&str> {
    let libraries = headers.lines().filter_map(|line| line.trim().strip_prefix("DLL Name: "));
    let known = |name: &&str| {
        let name = name.to_ascii_lowercase();
        name.starts_with("api-ms-win-") || OF_WINDOWS.contains(&name.as_str())
    };
    libraries.filter(|name| !known(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_windows_may_lack_is_found() {
        let headers = "\tDLL Name: KERNEL32.dll\n\tvma:  Hint/Ord\n\tDLL Name: vssapi.dll\n\tDLL Name: libgcc_s_seh-1.dll\n\
                       \tDLL Name: api-ms-win-core-synch-l1-2-0.dll\n";
        assert_eq!(strangers(headers), ["vssapi.dll", "libgcc_s_seh-1.dll"]);
    }
}
