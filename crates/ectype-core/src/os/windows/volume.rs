//! Volumes: what the one is like that a file lies on.
#![expect(unsafe_code, reason = "questions to the system")]

use super::bindings::{GetDiskFreeSpaceExW, GetVolumeInformationByHandleW};
use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use windows_core::{PCWSTR, PWSTR};

/// What a volume tells of its file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileSystem {
    /// Its name: `NTFS`, `FAT32` …
    pub(super) name: String,
    /// FILE_SUPPORTS_… and the like.
    pub(super) flags: u32,
    /// The volume's serial number.
    pub(super) serial: u32,
}

impl FileSystem {
    /// That of the volume on which an open file or folder lies.
    pub(super) fn of(file: &File) -> io::Result<FileSystem> {
        let mut name = [0; 64];
        let (mut flags, mut serial) = (0, 0);
        // SAFETY: the handle is open, and the name's room is as long as is said; the other answers are numbers.
        let done = unsafe {
            GetVolumeInformationByHandleW(
                file.as_raw_handle(),
                PWSTR::null(),
                0,
                &mut serial,
                std::ptr::null_mut(),
                &mut flags,
                PWSTR(name.as_mut_ptr()),
                name.len() as u32,
            )
        };
        done.ok()?;
        Ok(FileSystem { name: text(&name), flags, serial })
    }
}

/// Bytes that this user may still write in the folder `dir`.
pub(super) fn available(dir: &Path) -> io::Result<u64> {
    let dir = wide(dir)?;
    let mut available = 0;
    // SAFETY: the name ends with a zero; the answer is a number.
    let done = unsafe {
        GetDiskFreeSpaceExW(PCWSTR(dir.as_ptr()), &mut available, std::ptr::null_mut(), std::ptr::null_mut())
    };
    done.ok()?;
    Ok(available)
}

/// A path as calls of Windows want it: with a zero at its end, and where it is long, in the spelling that may be.
pub(super) fn wide(path: &Path) -> io::Result<Vec<u16>> {
    // A folder's name may have 248 units, so that a short name fits behind it.
    const LONGEST: usize = 247;
    let units = |path: &Path| path.as_os_str().encode_wide().collect::<Vec<u16>>();
    if path.as_os_str().encode_wide().any(|unit| unit == 0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name has a zero character"));
    }
    let absolute = std::path::absolute(path)?;
    let mut name = units(&absolute);
    if name.len() > LONGEST {
        let spelled = absolute.to_string_lossy();
        let (prefix, skip) = match () {
            () if spelled.starts_with(r"\\?\") || spelled.starts_with(r"\\.\") => ("", 0),
            () if spelled.starts_with(r"\\") => (r"\\?\UNC\", 2),
            () => (r"\\?\", 0),
        };
        name = prefix.encode_utf16().chain(name.into_iter().skip(skip)).collect();
    } else {
        name = units(path);
    }
    name.push(0);
    Ok(name)
}

/// The text up to its zero.
pub(super) fn text(units: &[u16]) -> String {
    let end = units.iter().position(|&unit| unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_spelled_as_long_ones() {
        let spelled = |path: &str| text(&wide(Path::new(path)).unwrap());
        let long = "n".repeat(200) + r"\" + &"m".repeat(200);
        assert_eq!(spelled(r"C:\a.img"), r"C:\a.img");
        assert_eq!(spelled("a.img"), "a.img");
        assert_eq!(spelled(&format!(r"C:\{long}")), format!(r"\\?\C:\{long}"));
        assert_eq!(spelled(&format!(r"\\server\share\{long}")), format!(r"\\?\UNC\server\share\{long}"));
        assert_eq!(spelled(&format!(r"\\?\C:\{long}")), format!(r"\\?\C:\{long}"));
        assert!(spelled(&long).starts_with(r"\\?\"));
        assert!(wide(Path::new("a\0b")).is_err());
    }
}
