//! The words of snapshots that all systems share, and the gate to the service that makes them.
//!
//! ```text
//!   source/snapshot ──▶ Service ──▶ vssapi.dll          (windows/snapshot.rs, the only unsafe calls)
//!                              └──▶ a script, in tests   answers as the documentation says
//! ```
//!
//! The gate has the calls of a requester of Volume Shadow Copies, one by one: in which order they are made, and what their
//! answers mean, is `source::snapshot`'s business.

use crate::extent::Extent;
use std::fmt;
use std::time::Duration;

/// What a call of the service answers where it fails: an HRESULT.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u32);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

/// The answer of a call.
pub type Reply<T> = Result<T, Code>;

/// The identity of a snapshot or of a set of them: a GUID, as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Id(pub u128);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Id(id) = self;
        let part = |from: u32, bits: u32| (id >> from) & ((1 << bits) - 1);
        write!(
            f,
            "{{{:08x}-{:04x}-{:04x}-{:04x}-{:012x}}}",
            part(96, 32),
            part(80, 16),
            part(64, 16),
            part(48, 16),
            part(0, 48)
        )
    }
}

impl Id {
    /// What [`Id`] prints.
    pub fn parse(text: &str) -> Option<Id> {
        let digits = text.strip_prefix('{')?.strip_suffix('}')?;
        let lengths: Vec<usize> = digits.split('-').map(str::len).collect();
        let is_id = lengths == [8, 4, 4, 4, 12] && digits.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let digits = is_id.then(|| digits.replace('-', ""))?;
        u128::from_str_radix(&digits, 16).ok().map(Id)
    }
}

/// A step that takes its time; the name of the call that begins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The writers are asked what they have.
    GatherWriterMetadata,
    /// The writers are told that a backup comes.
    PrepareForBackup,
    /// The snapshots of all volumes of the set are made, at one instant.
    DoSnapshotSet,
    /// The writers are asked how they are.
    GatherWriterStatus,
    /// The writers are told that the backup is over.
    BackupComplete,
}

/// A program that keeps its files consistent for snapshots, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Its name, as `SqlServerWriter`.
    pub name: String,
    /// VSS_WRITER_STATE.
    pub state: i32,
    /// Why it failed, where it did.
    pub failure: Option<Code>,
}

/// A snapshot as the service tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its own identity.
    pub id: Id,
    /// That of its set.
    pub set: Id,
    /// The device that is read, as `\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy7`.
    pub device: String,
    /// The volume it is of, as `\\?\Volume{…}\`.
    pub volume: String,
    /// VSS_VOLUME_SNAPSHOT_ATTRIBUTES; none for those that go with their requester.
    pub attributes: i32,
}

/// For whom snapshots are made or listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A backup's: they go with their requester.
    Backup,
    /// All that there are, to be listed.
    All,
}

/// The service that makes snapshots.
pub trait Service: Send + Sync {
    /// A requester for one backup: no second one can be made with it.
    fn requester(&self) -> Reply<Box<dyn Requester>>;

    /// So many bytes are free on a volume, where the system tells.
    fn room(&self, volume: &str) -> Option<u64>;
}

/// A requester, by its calls. Dropped, it is released, and with it go the snapshots that it made.
pub trait Requester: Send {
    /// `InitializeForBackup`.
    fn initialize(&mut self) -> Reply<()>;
    /// `SetContext`.
    fn set_context(&mut self, context: Context) -> Reply<()>;
    /// `SetBackupState`: whole volumes, bootable, a copy that leaves logs as they are, no parts of files.
    fn set_state(&mut self) -> Reply<()>;
    /// Begins a step.
    fn begin(&mut self, step: Step) -> Reply<Box<dyn Pending>>;
    /// `FreeWriterMetadata`.
    fn free_metadata(&mut self) -> Reply<()>;
    /// `GetWriterStatusCount` and `GetWriterStatus` of each.
    fn writers(&mut self) -> Reply<Vec<Writer>>;
    /// `FreeWriterStatus`.
    fn free_status(&mut self) -> Reply<()>;
    /// `StartSnapshotSet`.
    fn start_set(&mut self) -> Reply<Id>;
    /// `IsVolumeSupported`; volumes are named with a backslash at the end.
    fn is_supported(&mut self, volume: &str) -> Reply<bool>;
    /// `AddToSnapshotSet`.
    fn add(&mut self, volume: &str) -> Reply<Id>;
    /// `GetSnapshotProperties`.
    fn properties(&mut self, snapshot: Id) -> Reply<Snapshot>;
    /// `Query` for snapshots.
    fn list(&mut self) -> Reply<Vec<Snapshot>>;
    /// `DeleteSnapshots` of a whole set.
    fn delete(&mut self, set: Id) -> Reply<()>;
    /// `AbortBackup`.
    fn abort(&mut self) -> Reply<()>;
}

/// A step that is under way.
pub trait Pending {
    /// Waits, no longer than this; whether the step is over. Its failure is the answer.
    fn wait(&mut self, most: Duration) -> Reply<bool>;
    /// Asks for its end.
    fn cancel(&mut self) -> Reply<()>;
}

/// Where a volume lies: bytes of a disk that the system knows by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskExtent {
    /// The disk's number, as in `\\.\PhysicalDrive0`.
    pub disk: u32,
    /// Which bytes of it.
    pub at: Extent,
}

/// A volume of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name, as `\\?\Volume{…}`, without a backslash at the end.
    pub name: String,
    /// Where it is mounted, as `C:\`; empty without a letter or folder.
    pub mounted: Vec<String>,
    /// Where it lies.
    pub extents: Vec<DiskExtent>,
}

impl Volume {
    /// As people know it: `C:`, or its name where it has no letter.
    pub fn shown(&self) -> &str {
        self.mounted.first().map_or(&self.name, |mounted| mounted.trim_end_matches('\\'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_written_as_guids() {
        let text = "{0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0}";
        let id = Id::parse(text).unwrap();
        assert_eq!(id.to_string(), text);
        for wrong in
            ["", "{}", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "{0f1e2d3c4b5a-6978-8796-a5b4-c3d2e1f0+}"]
        {
            assert_eq!(Id::parse(wrong), None, "{wrong}");
        }
    }
}
