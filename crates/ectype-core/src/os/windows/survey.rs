//! What the system knows of its volumes, disks and drives: names, places, where they lie, on which it runs.
#![expect(unsafe_code, reason = "questions to the system")]

use super::bindings::*;
use super::control::{Access, DeviceHandle};
use super::volume::{text, wide};
use crate::os::nt::names::{self, Name};
use crate::os::nt::replies::{self, DeviceNumber, DiskExtent};
use crate::os::nt::request::{Asking, Query, asked};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use windows_core::{PCWSTR, PWSTR};

/// The longest name of a volume, place or object that is asked for, in units.
const LONGEST: usize = 32 << 10;

/// A volume, with or without a letter.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    /// By what is in the braces.
    pub(super) name: Name,
    /// Where it is: roots of letters, and folders.
    pub(super) places: Vec<String>,
    /// Where it lies; empty where the system does not tell.
    pub(super) extents: Vec<DiskExtent>,
    /// Which device it is, where it lies on one.
    pub(super) number: Option<DeviceNumber>,
    /// Why it is one of those that the running system lives on; empty where it is none.
    pub(super) system: Vec<String>,
}

impl Volume {
    /// The letter where it has one, else its own name.
    pub(super) fn shown(&self) -> Name {
        let letter = |place: &String| names::parse(place).filter(|name| matches!(name, Name::Letter(_)));
        self.places.iter().find_map(letter).unwrap_or_else(|| self.name.clone())
    }

    /// The file system, and whether it cannot be written; `None` where none was recognised. The medium is read for that, so a
    /// dying one elsewhere must not be asked.
    pub(super) fn file_system(&self) -> Option<(String, bool)> {
        file_system(&self.name.root()?)
    }

    /// Whether any of it lies on this disk.
    pub(super) fn is_on(&self, disk: u32) -> bool {
        self.extents.iter().any(|extent| extent.disk == disk)
            || self.number.is_some_and(|number| number.disk && number.number == disk)
    }
}

/// All volumes, disks and optical drives.
pub(super) struct Survey {
    pub(super) volumes: Vec<Volume>,
    pub(super) disks: Vec<u32>,
    pub(super) drives: Vec<u32>,
}

impl Survey {
    /// Asks the system. What does not answer is not there.
    pub(super) fn take() -> Survey {
        let system = system_places();
        let volumes = volume_names().into_iter().filter_map(|name| volume(name, &system)).collect();
        let (mut disks, mut drives) = (Vec::new(), Vec::new());
        for name in dos_names() {
            match names::parse(&format!(r"\\.\{name}")) {
                Some(Name::Disk(number)) => disks.push(number),
                Some(Name::CdRom(number)) => drives.push(number),
                _ => {}
            }
        }
        disks.sort_unstable();
        drives.sort_unstable();
        Survey { volumes, disks, drives }
    }

    /// The volume of this name.
    pub(super) fn volume(&self, name: &Name) -> Option<&Volume> {
        self.volumes.iter().find(|volume| {
            volume.name == *name
                || volume.places.iter().any(|place| names::parse(place).as_ref() == Some(name))
        })
    }
}

fn volume(name: Name, system: &[(Name, String)]) -> Option<Volume> {
    let root = name.root()?;
    let handle = DeviceHandle::open(&name.device(), Access::Ask);
    let reply = |query| handle.as_ref().ok().and_then(|handle| asked(handle, query, &[]).ok());
    let extents = reply(Query::VolumeExtents).and_then(|reply| replies::extents(&reply)).unwrap_or_default();
    let number = reply(Query::DeviceNumber).and_then(|reply| replies::device_number(&reply));
    let reasons = system.iter().filter(|(of, _)| *of == name).map(|(_, why)| why.clone());
    Some(Volume { places: places(&root), extents, number, system: reasons.collect(), name })
}

/// What GetDriveType says of a root.
pub(super) fn drive_type(root: &str) -> u32 {
    let Ok(root) = wide(Path::new(root)) else { return DRIVE_UNKNOWN as u32 };
    // SAFETY: the name ends with a zero.
    unsafe { GetDriveTypeW(PCWSTR(root.as_ptr())) }
}

/// The names of all volumes.
fn volume_names() -> Vec<Name> {
    let mut found = Vec::new();
    let mut room = [0u16; 128];
    // SAFETY: the room is as long as is said, and the search is closed once.
    unsafe {
        let search = FindFirstVolumeW(PWSTR(room.as_mut_ptr()), room.len() as u32);
        if search == INVALID_HANDLE_VALUE {
            return found;
        }
        loop {
            found.extend(names::parse(&text(&room)));
            if !FindNextVolumeW(search, PWSTR(room.as_mut_ptr()), room.len() as u32).as_bool() {
                break;
            }
        }
        let _ = FindVolumeClose(search);
    }
    found
}

/// Where a volume is.
fn places(root: &str) -> Vec<String> {
    let Ok(root) = wide(Path::new(root)) else { return Vec::new() };
    let mut room = vec![0u16; LONGEST];
    let mut len = 0;
    // SAFETY: the name ends with a zero, and the room is as long as is said.
    let done = unsafe {
        GetVolumePathNamesForVolumeNameW(
            PCWSTR(root.as_ptr()),
            room.as_mut_ptr(),
            room.len() as u32,
            &mut len,
        )
    };
    if done.as_bool() { names::list(&room[..room.len().min(len as usize)]) } else { Vec::new() }
}

/// The file system at a root, and whether it cannot be written.
fn file_system(root: &str) -> Option<(String, bool)> {
    let root = wide(Path::new(root)).ok()?;
    let mut name = [0u16; 64];
    let mut flags = 0;
    // SAFETY: the name of the root ends with a zero, and the room is as long as is said; the other answers are numbers.
    let done = unsafe {
        GetVolumeInformationW(
            PCWSTR(root.as_ptr()),
            PWSTR::null(),
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &mut flags,
            PWSTR(name.as_mut_ptr()),
            name.len() as u32,
        )
    };
    done.as_bool().then(|| (text(&name), flags & FILE_READ_ONLY_VOLUME as u32 != 0))
}

/// The volume at a root of a letter or at a folder where one is mounted; `None` for any other folder.
pub(super) fn volume_at(place: &Path) -> Option<Name> {
    // A letter in the spelling of the documentation, which says nothing of `\\?\C:\`.
    let plain = names::parse(&place.to_string_lossy()).and_then(|name| name.root());
    let mut place = plain.map_or_else(|| place.as_os_str().to_owned(), OsString::from);
    if !place.to_string_lossy().ends_with('\\') {
        place.push("\\");
    }
    let place = wide(Path::new(&place)).ok()?;
    let mut room = [0u16; 128];
    // SAFETY: the name ends with a zero, and the room is as long as is said.
    let done = unsafe {
        GetVolumeNameForVolumeMountPointW(PCWSTR(place.as_ptr()), PWSTR(room.as_mut_ptr()), room.len() as u32)
    };
    done.as_bool().then(|| names::parse(&text(&room)))?
}

/// The root of the volume on which a file or folder lies.
pub(super) fn root_of(path: &Path) -> Option<PathBuf> {
    // Of a relative path the system answers with the volume that it booted from, says its documentation.
    let path = wide(&std::path::absolute(path).ok()?).ok()?;
    let mut room = vec![0u16; LONGEST];
    // SAFETY: the name ends with a zero, and the room is as long as is said.
    let done =
        unsafe { GetVolumePathNameW(PCWSTR(path.as_ptr()), PWSTR(room.as_mut_ptr()), room.len() as u32) };
    done.as_bool().then(|| PathBuf::from(text(&room)))
}

/// What a name of the system's table leads to, as `\Device\HarddiskVolume3`; the whole table's names for none.
fn dos_device(name: Option<&str>) -> Option<Vec<String>> {
    let name = name.map(|name| name.encode_utf16().chain([0]).collect::<Vec<u16>>());
    let name = name.as_ref().map_or(PCWSTR::null(), |name| PCWSTR(name.as_ptr()));
    let mut room = vec![0u16; LONGEST];
    loop {
        // SAFETY: the name ends with a zero or is none, and the room is as long as is said.
        let len = unsafe { QueryDosDeviceW(name, PWSTR(room.as_mut_ptr()), room.len() as u32) };
        if len != 0 {
            return Some(names::list(&room[..room.len().min(len as usize)]));
        }
        let is_short = io::Error::last_os_error().raw_os_error() == Some(ERROR_INSUFFICIENT_BUFFER);
        if !is_short || room.len() > 1 << 22 {
            return None;
        }
        room = vec![0; room.len() * 4];
    }
}

fn dos_names() -> Vec<String> {
    dos_device(None).unwrap_or_default()
}

/// The system's own name of a device.
pub(super) fn object_name(name: &Name) -> Option<String> {
    dos_device(Some(&name.short()))?.into_iter().next()
}

/// The folder of Windows.
pub(super) fn windows_folder() -> Option<String> {
    let mut room = [0u16; 512];
    // SAFETY: the room is as long as is said.
    let len = unsafe { GetWindowsDirectoryW(PWSTR(room.as_mut_ptr()), room.len() as u32) };
    (1..room.len() as u32).contains(&len).then(|| text(&room))
}

/// Volumes on which the running system lives, and why.
fn system_places() -> Vec<(Name, String)> {
    let mut found = Vec::new();
    let mut add = |path: &Path, why: String| {
        if let Some(name) = root_of(path).and_then(|root| volume_at(&root)) {
            found.push((name, why));
        }
    };
    if let Some(windows) = windows_folder() {
        add(Path::new(&windows), format!("Windows in {windows}"));
    }
    let memory = r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management";
    for file in registry_strings(memory, "ExistingPageFiles") {
        let file = file.trim_start_matches(r"\??\").to_owned();
        add(Path::new(&file), format!("the page file {file}"));
    }
    // The partition that the firmware starts from is named as an object.
    let boot = registry_strings(r"SYSTEM\Setup", "SystemPartition");
    if let Some(boot) = boot.first() {
        let is_it = |name: &Name| object_name(name).is_some_and(|object| object.eq_ignore_ascii_case(boot));
        found.extend(
            volume_names()
                .into_iter()
                .filter(is_it)
                .map(|name| (name, "the partition it boots from".to_owned())),
        );
    }
    found
}

/// The strings of a value of the registry: of one string, or of a list.
fn registry_strings(key: &str, value: &str) -> Vec<String> {
    let wide = |text: &str| text.encode_utf16().chain([0]).collect::<Vec<u16>>();
    let (path, name) = (wide(key), wide(value));
    let mut room = vec![0u16; 4096];
    let mut len = (room.len() * 2) as u32;
    let mut key = std::ptr::null_mut();
    // SAFETY: the names end with zeros, the room is as long as is said, and the key is closed where it was opened.
    let done = unsafe {
        if RegOpenKeyExW(HKEY_LOCAL_MACHINE, PCWSTR(path.as_ptr()), 0, KEY_READ as u32, &mut key) != 0 {
            return Vec::new();
        }
        let done = RegQueryValueExW(
            key,
            PCWSTR(name.as_ptr()),
            std::ptr::null(),
            std::ptr::null_mut(),
            room.as_mut_ptr().cast(),
            &mut len,
        );
        let _ = RegCloseKey(key);
        done
    };
    let units = room.len().min(len as usize / 2);
    if done == 0 { names::list(&room[..units]) } else { Vec::new() }
}

/// Whether a device says that its medium cannot be written.
pub(super) fn is_write_protected(device: &impl Asking) -> bool {
    asked(device, Query::IsWritable, &[])
        .is_err_and(|error| error.raw_os_error() == Some(ERROR_WRITE_PROTECT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_lives_somewhere() {
        let survey = Survey::take();
        for volume in &survey.volumes {
            assert!(matches!(volume.name, Name::Volume(_)), "{volume:?}");
            assert_eq!(survey.volume(&volume.shown()).map(|found| &found.name), Some(&volume.name));
        }
        let root = root_of(&std::env::current_dir().unwrap()).unwrap();
        assert!(root.to_string_lossy().ends_with('\\'), "{}", root.display());
        assert_eq!(root_of(Path::new(".")), Some(root));
        assert_eq!(volume_at(Path::new(r"C:\windows")), None);
        assert_eq!(volume_at(Path::new(r"\\?\C:\")), volume_at(Path::new(r"C:\")));
    }

    #[test]
    fn what_the_registry_does_not_have_is_none() {
        assert!(registry_strings(r"SOFTWARE\No\Such\Key", "x").is_empty());
    }
}
