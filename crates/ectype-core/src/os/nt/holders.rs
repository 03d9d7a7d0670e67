//! Who has a volume open, from the system's table of handles (SystemExtendedHandleInformation), which is undocumented and
//! the same since Windows XP.
//!
//! ```text
//!   count (8)  - (8) │ object (8)  process (8)  handle (8)  access (4)  - (2)  type (2)  attributes (4)  - (4) │ …
//! ```

use super::replies::{u32_at, u64_at};
use std::collections::BTreeSet;

/// A handle that a process has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::os) struct Handle {
    pub(in crate::os) process: u32,
    pub(in crate::os) value: u64,
    /// The number of its type, which differs from one Windows to the next.
    pub(in crate::os) kind: u16,
}

/// The handles of the table; rows that no process can have are passed over.
pub(in crate::os) fn handles(table: &[u8]) -> Vec<Handle> {
    const HEADER: usize = 16;
    const ENTRY: usize = 40;
    let count = u64_at(table, 0).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let handle = |entry: &[u8]| {
        Some(Handle {
            process: u32::try_from(u64_at(entry, 8)?).ok()?,
            value: u64_at(entry, 16)?,
            kind: (u32_at(entry, 28)? >> 16) as u16,
        })
    };
    table.get(HEADER..).unwrap_or(&[]).chunks_exact(ENTRY).take(count).filter_map(handle).collect()
}

/// The handles that are worth a question: of the type that a file of ours has, of other processes.
pub(in crate::os) fn files(handles: &[Handle], own_process: u32, own_file: u64) -> Vec<Handle> {
    let own = |handle: &&Handle| handle.process == own_process && handle.value == own_file;
    let Some(kind) = handles.iter().find(own).map(|handle| handle.kind) else { return Vec::new() };
    handles.iter().filter(|handle| handle.kind == kind && handle.process != own_process).copied().collect()
}

/// Whether what has this name is the device, or the folder, or lies on its file system, or in it.
pub(in crate::os) fn lies_on(object: &str, device: &str) -> bool {
    // Names of Windows are the same in capitals.
    object.get(..device.len()).is_some_and(|head| head.eq_ignore_ascii_case(device))
        && matches!(object.as_bytes().get(device.len()), None | Some(b'\\'))
}

/// A process that holds something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::os) struct Holder {
    /// Its number.
    pub(in crate::os) id: u32,
    /// Its program's name, fit to be shown; empty when unknown.
    pub(in crate::os) program: String,
    /// A file that it has open there, as the system names it within the volume; empty where it has the volume itself.
    pub(in crate::os) file: String,
}

/// One clause a process, with the first of its files.
pub(in crate::os) fn told(holders: &[Holder]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let first = holders.iter().filter(|holder| seen.insert(holder.id));
    first
        .map(|Holder { id, program, file }| {
            let name = if program.is_empty() { "a program" } else { program };
            let what = match file.as_str() {
                "" => "it open".to_owned(),
                file => format!("{file} open"),
            };
            format!("{name} (process {id}) has {what}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(process: u64, value: u64, kind: u16) -> Vec<u8> {
        let mut row = vec![0xcc; 8];
        row.extend(process.to_le_bytes());
        row.extend(value.to_le_bytes());
        row.extend(0x0012_019f_u32.to_le_bytes());
        row.extend([0, 0]);
        row.extend(kind.to_le_bytes());
        row.extend([0; 8]);
        row
    }

    fn table(count: u64, rows: &[Vec<u8>]) -> Vec<u8> {
        let mut table = count.to_le_bytes().to_vec();
        table.extend([0; 8]);
        table.extend(rows.concat());
        table
    }

    #[test]
    fn handles_of_files_of_others_are_picked() {
        let rows = [row(4, 0x10, 37), row(100, 0x44, 37), row(100, 0x48, 8), row(200, 0x4c, 37)];
        let all = handles(&table(4, &rows));
        assert_eq!(all.len(), 4);
        assert_eq!(all[1], Handle { process: 100, value: 0x44, kind: 37 });
        let files: Vec<_> = files(&all, 200, 0x4c).iter().map(|handle| handle.process).collect();
        assert_eq!(files, [4, 100]);
        assert!(super::files(&all, 200, 0x50).is_empty());
    }

    #[test]
    fn a_count_that_lies_gives_what_is_there() {
        let rows = [row(4, 0x10, 37), row(u64::MAX, 0x44, 37)];
        assert_eq!(handles(&table(u64::MAX, &rows)).len(), 1);
        assert_eq!(handles(&table(1, &rows)).len(), 1);
        let whole = table(2, &rows);
        for len in 0..whole.len() {
            let _ = handles(&whole[..len]);
        }
    }

    #[test]
    fn names_within_a_volume() {
        let device = r"\Device\HarddiskVolume3";
        assert!(lies_on(r"\Device\HarddiskVolume3", device));
        assert!(lies_on(r"\device\harddiskvolume3\Users\a.txt", device));
        assert!(!lies_on(r"\Device\HarddiskVolume30\a.txt", device));
        assert!(!lies_on(r"\Device\HarddiskVolume", device));
        assert!(!lies_on("", device));
    }

    #[test]
    fn a_process_is_named_once() {
        let holder =
            |id, program: &str, file: &str| Holder { id, program: program.into(), file: file.into() };
        let list = [holder(7, "explorer.exe", r"\a"), holder(7, "explorer.exe", r"\b"), holder(9, "", "")];
        assert_eq!(
            told(&list),
            [r"explorer.exe (process 7) has \a open", "a program (process 9) has it open"]
        );
    }
}
