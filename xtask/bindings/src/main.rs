//! Writes the file of Windows bindings: `ectype-bindings OUT`, run by `cargo xtask bindings`.
//!
//! A program of its own, so that the other chores need no 20 MB of metadata to start.

use std::fs;
use std::process::ExitCode;

/// What is bound.
const NAMES: &str = include_str!("../names.txt");

/// Libraries that some Windows lack (WinPE, Nano): a program that imports them would not even start there. Of their functions
/// only the types are written, and their addresses are asked for at run time.
const OPTIONAL: &[&str] = &["vssapi.dll", "rstrtmgr.dll"];

const HEAD: &str = "\
//! Windows, as Microsoft's metadata has it. Made by `cargo xtask bindings`: change the names there, not this file.

";

fn main() -> ExitCode {
    let Some(out) = std::env::args().nth(1) else {
        eprintln!("ectype-bindings: OUT is missing");
        return ExitCode::from(2);
    };
    let names = NAMES.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    // Functions as they are and COM interfaces by their methods; unused ones cost nothing but lines.
    windows_bindgen::builder().input_default().filters(names).output(&out).flat().minimal().write();
    let done = fs::read_to_string(&out).and_then(|text| {
        let body: String = text.lines().map(|line| function_type(line) + "\n").collect();
        fs::write(&out, HEAD.to_owned() + &body)
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ectype-bindings: {out}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A line of the file: an import from an optional library becomes the type of its function.
fn function_type(line: &str) -> String {
    let import = OPTIONAL.iter().find_map(|library| {
        line.strip_prefix(&format!("windows_core::link!(\"{library}\" \"system\" fn "))?.strip_suffix(");")
    });
    match import.and_then(|import| import.split_once('(')) {
        Some((name, rest)) => format!("pub type {name} = unsafe extern \"system\" fn({rest};"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::function_type;

    #[test]
    fn what_may_be_missing_is_a_type() {
        let line = "windows_core::link!(\"vssapi.dll\" \"system\" fn F(a : u32, b : *mut u8) -> HRESULT);";
        assert_eq!(
            function_type(line),
            "pub type F = unsafe extern \"system\" fn(a : u32, b : *mut u8) -> HRESULT;"
        );
        let line = "windows_core::link!(\"kernel32.dll\" \"system\" fn F());";
        assert_eq!(function_type(line), line);
    }
}
