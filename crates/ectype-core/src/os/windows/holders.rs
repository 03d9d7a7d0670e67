//! Who has a volume open: best effort, by the handles of all processes.
//!
//! To ask a handle for its name can wait for ever where it is a pipe that somebody reads: a thread of its own asks, and is
//! left behind with its handle when it gives no answer in time.
#![expect(unsafe_code, reason = "handles of other processes")]

use super::bindings::*;
use super::survey;
use crate::os::nt::holders::{self, Handle, Holder};
use crate::os::nt::names::Name;
use crate::os::nt::request::GLANCE;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use windows_core::PWSTR;

/// SystemExtendedHandleInformation.
const HANDLES: SYSTEM_INFORMATION_CLASS = 64;
/// ObjectNameInformation.
const NAME: OBJECT_INFORMATION_CLASS = 1;
/// The table of a machine has some MiB; no more is taken.
const MOST: usize = 256 << 20;
/// A name comes at once, or perhaps never.
const PATIENCE: Duration = Duration::from_millis(200);
/// So many threads may be left behind, and so long may it take in all.
const LEFT_BEHIND: usize = 8;
const IN_ALL: Duration = Duration::from_secs(10);

/// The processes that have a file on the volume open, or the volume itself, one clause each. Our own is none. A stop ends the
/// search with what was found.
pub(super) fn of_volume(volume: &Name, stop: &dyn Fn() -> bool) -> Vec<String> {
    let Some(device) = survey::object_name(volume) else { return Vec::new() };
    holders::told(&search(&device, stop))
}

fn search(device: &str, stop: &dyn Fn() -> bool) -> Vec<Holder> {
    // A file of ours shows the number that the type of files has.
    let Ok(own) = std::env::current_exe().and_then(File::open) else { return Vec::new() };
    let table = table();
    let all = holders::handles(&table);
    let begun = Instant::now();
    let mut asker = Asker::new();
    let mut left = 0;
    let mut found = Vec::new();
    let mut processes: BTreeMap<u32, Option<(OwnedHandle, String)>> = BTreeMap::new();
    for handle in holders::files(&all, std::process::id(), own.as_raw_handle() as u64) {
        if left >= LEFT_BEHIND || begun.elapsed() > IN_ALL || stop() {
            break;
        }
        let process = processes.entry(handle.process).or_insert_with(|| process(handle.process));
        let Some((process, program)) = process else { continue };
        let Some(copy) = duplicate(process, &handle) else { continue };
        match asker.name(copy, stop) {
            Some(name) if holders::lies_on(&name, device) => {
                let file = name.get(device.len()..).unwrap_or_default().replace(char::is_control, "?");
                found.push(Holder { id: handle.process, program: program.clone(), file });
            }
            Some(_) => {}
            None => {
                left += 1;
                asker = Asker::new();
            }
        }
    }
    found.sort();
    found
}

/// The table of all handles, while its length changes.
fn table() -> Vec<u8> {
    let mut len = 1 << 20;
    while len <= MOST {
        let mut table = vec![0u64; len / 8];
        let mut told = 0;
        // SAFETY: the system writes at most as many bytes as it is told, into numbers.
        let status =
            unsafe { NtQuerySystemInformation(HANDLES, table.as_mut_ptr().cast(), len as u32, &mut told) };
        if status.0 >= 0 {
            return zerocopy::IntoBytes::as_bytes(&table[..])[..len.min(told as usize)].to_vec();
        }
        if status.0 != STATUS_INFO_LENGTH_MISMATCH.0 {
            break;
        }
        len *= 2;
    }
    Vec::new()
}

/// A process whose handles may be copied, and its program's name.
fn process(id: u32) -> Option<(OwnedHandle, String)> {
    let access = (PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION) as u32;
    let mut room = [0u16; 1024];
    let mut len = room.len() as u32;
    // SAFETY: the handle that comes is closed by its owner; the room is as long as is said.
    unsafe {
        let process = OpenProcess(access, false.into(), id);
        if process.is_null() {
            return None;
        }
        let process = OwnedHandle::from_raw_handle(process);
        let named =
            QueryFullProcessImageNameW(process.as_raw_handle(), 0, PWSTR(room.as_mut_ptr()), &mut len)
                .as_bool();
        let path = if named {
            String::from_utf16_lossy(&room[..room.len().min(len as usize)])
        } else {
            String::new()
        };
        let program = path.rsplit('\\').next().unwrap_or_default().replace(char::is_control, "?");
        Some((process, program))
    }
}

/// The other process's handle, as one of ours.
fn duplicate(process: &OwnedHandle, handle: &Handle) -> Option<OwnedHandle> {
    let mut copy = std::ptr::null_mut();
    // SAFETY: the process is open; the handle that comes is closed by its owner.
    unsafe {
        let done = DuplicateHandle(
            process.as_raw_handle(),
            handle.value as usize as HANDLE,
            GetCurrentProcess(),
            &mut copy,
            0,
            false.into(),
            DUPLICATE_SAME_ACCESS as u32,
        );
        (done.as_bool() && !copy.is_null()).then(|| OwnedHandle::from_raw_handle(copy))
    }
}

/// A thread that asks for names.
struct Asker {
    handles: mpsc::Sender<OwnedHandle>,
    names: mpsc::Receiver<String>,
}

impl Asker {
    fn new() -> Asker {
        let (handles, waiting) = mpsc::channel::<OwnedHandle>();
        let (answers, names) = mpsc::channel();
        // Where no thread can be had, no name comes.
        let _ = std::thread::Builder::new().spawn(move || {
            for handle in waiting {
                if answers.send(name(&handle)).is_err() {
                    break;
                }
            }
        });
        Asker { handles, names }
    }

    /// The object's name; `None` where none came in time.
    fn name(&self, handle: OwnedHandle, stop: &dyn Fn() -> bool) -> Option<String> {
        self.handles.send(handle).ok()?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && !stop() {
            match self.names.recv_timeout(GLANCE) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                answer => return answer.ok(),
            }
        }
        None
    }
}

/// An object's name; empty where it has none.
fn name(handle: &OwnedHandle) -> String {
    // UNICODE_STRING, and the name behind it.
    const HEADER: usize = 16;
    let mut room = vec![0u64; 8 << 10];
    let (len, mut told) = (room.len() * 8, 0);
    // SAFETY: the system writes at most as many bytes as it is told, into numbers.
    let status = unsafe {
        NtQueryObject(handle.as_raw_handle(), NAME, room.as_mut_ptr().cast(), len as u32, &mut told)
    };
    if status.0 < 0 {
        return String::new();
    }
    let bytes = zerocopy::IntoBytes::as_bytes(&room[..]);
    // The system puts the name directly behind; its address is not followed.
    let len = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let units = bytes[HEADER..].get(..len).unwrap_or_default().chunks_exact(2);
    String::from_utf16_lossy(&units.map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_ours_is_in_the_table_and_has_a_name() {
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let table = table();
        let value = file.as_raw_handle() as u64;
        let own = |handle: &&Handle| handle.process == std::process::id() && handle.value == value;
        assert!(holders::handles(&table).iter().any(|handle| own(&handle)), "{} bytes", table.len());
        let copy = file.try_clone().unwrap().into();
        let name = Asker::new().name(copy, &|| false).unwrap();
        let own = std::env::current_exe().unwrap();
        let own = own.file_name().unwrap().to_string_lossy().to_lowercase();
        assert!(name.to_lowercase().ends_with(&own), "{name:?} is not {own:?}");
    }

    #[test]
    fn a_handle_that_gives_no_name_in_time_is_left_behind() {
        let (handles, _kept) = mpsc::channel();
        let (_answers, names) = mpsc::channel();
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(Asker { handles, names }.name(file.into(), &|| false), None);
    }
}
