//! Volume Shadow Copies: the calls of a requester, and which volumes a disk has.
//!
//! `vssapi.dll` is loaded when it is needed: a program that imported it would not even start where Windows lacks it (WinPE).
//! COM is told once a process to be multithreaded and to stay, so that any thread may use, and release, a requester.
#![expect(unsafe_code, reason = "COM, and questions to the system")]

pub use crate::os::vss::*;

use super::bindings::*;
use super::control::{Access, DeviceHandle};
use super::survey::{self, Survey};
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::os::Device;
use crate::os::nt::names::{self, Name};
use crate::os::nt::replies;
use crate::os::nt::request::{Query, asked};
use std::ffi::OsString;
use std::mem;
use std::os::windows::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::OnceLock;
use std::time::Duration;
use windows_core::{BOOL, BSTR, GUID, HRESULT, Interface, PCSTR, PCWSTR, PWSTR, s, w};

/// Whether the system makes snapshots of volumes in use.
pub const IS_THERE: bool = true;

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn id(guid: GUID) -> Id {
    Id(guid.to_u128())
}

fn guid(id: Id) -> GUID {
    GUID::from_u128(id.0)
}

fn reply(answer: HRESULT) -> Reply<()> {
    if answer.is_err() { Err(Code(answer.0 as u32)) } else { Ok(()) }
}

fn given<T>(answer: windows_core::Result<T>) -> Reply<T> {
    answer.map_err(|error| Code(error.code().0 as u32))
}

/// The functions of `vssapi.dll`, which stays loaded.
#[derive(Clone, Copy)]
struct Library {
    create: CreateVssBackupComponentsInternal,
    free_properties: VssFreeSnapshotPropertiesInternal,
}

fn library() -> Option<Library> {
    static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();
    *LIBRARY.get_or_init(|| {
        // SAFETY: the name ends with a zero, and only the system's own folder is searched.
        let module =
            unsafe { LoadLibraryExW(w!("vssapi.dll"), ptr::null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32 as u32) };
        if module.is_null() {
            return None;
        }
        // SAFETY: the module is never unloaded, and the names end with a zero.
        let address = |name: PCSTR| unsafe { GetProcAddress(module, name) };
        let create = address(s!("CreateVssBackupComponentsInternal"))?;
        let free = address(s!("VssFreeSnapshotPropertiesInternal"))?;
        type Address = unsafe extern "system" fn() -> isize;
        // SAFETY: these are the functions' types, as the metadata of Windows has them.
        Some(unsafe {
            Library {
                create: mem::transmute::<Address, CreateVssBackupComponentsInternal>(create),
                free_properties: mem::transmute::<Address, VssFreeSnapshotPropertiesInternal>(free),
            }
        })
    })
}

/// Ourselves, the two service accounts, the system and the administrators may call.
const WHO: PCWSTR = w!("O:BAG:BAD:(A;;0x1;;;PS)(A;;0x1;;;LS)(A;;0x1;;;NS)(A;;0x1;;;SY)(A;;0x1;;;BA)");

/// Makes COM ready, once: multithreaded, and open to the calls of writers, which run as these accounts.
fn com() -> Reply<()> {
    static READY: OnceLock<Reply<()>> = OnceLock::new();
    *READY.get_or_init(|| {
        // SAFETY: asks for the apartment that all threads share; the second call keeps it when this thread ends.
        unsafe {
            reply(CoInitializeEx(ptr::null(), COINIT_MULTITHREADED as u32))?;
            let mut cookie = mem::zeroed();
            reply(CoIncrementMTAUsage(&mut cookie))?;
        }
        let callers = Callers::parse(WHO)?;
        // SAFETY: the descriptor is whole and outlives the call; nothing else is handed over.
        let answer = unsafe {
            CoInitializeSecurity(
                (&raw const callers.whole).cast_mut().cast(),
                -1,
                ptr::null(),
                ptr::null(),
                RPC_C_AUTHN_LEVEL_PKT_PRIVACY as u32,
                RPC_C_IMP_LEVEL_IDENTIFY as u32,
                ptr::null(),
                EOAC_DYNAMIC_CLOAKING as u32,
                ptr::null(),
            )
        };
        // Somebody else in this process has chosen: the writers' states will tell whether it does.
        if answer == RPC_E_TOO_LATE { Ok(()) } else { reply(answer) }
    })
}

/// A security descriptor in the absolute format, which COM asks for; what a text is converted to is the other one.
struct Callers {
    whole: SECURITY_DESCRIPTOR,
    /// The converted one, at whose parts the whole points.
    parts: PSECURITY_DESCRIPTOR,
}

impl Callers {
    fn parse(text: PCWSTR) -> Reply<Callers> {
        let mut callers = Callers { whole: SECURITY_DESCRIPTOR::default(), parts: ptr::null_mut() };
        let whole: PSECURITY_DESCRIPTOR = (&raw mut callers.whole).cast();
        let (mut owner, mut group, mut list) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let [mut is_there, mut by_default] = [BOOL(0); 2];
        // SAFETY: the text ends with a zero; what is asked of the converted one are places within it, and it lives as long as
        // what points there.
        let done = unsafe {
            let revision = SDDL_REVISION_1 as u32;
            let parts = &mut callers.parts;
            ConvertStringSecurityDescriptorToSecurityDescriptorW(text, revision, parts, ptr::null_mut())
                .as_bool()
                && GetSecurityDescriptorOwner(*parts, &mut owner, &mut by_default).as_bool()
                && GetSecurityDescriptorGroup(*parts, &mut group, &mut by_default).as_bool()
                && GetSecurityDescriptorDacl(*parts, &mut is_there, &mut list, &mut by_default).as_bool()
                && InitializeSecurityDescriptor(whole, SECURITY_DESCRIPTOR_REVISION as u32).as_bool()
                && SetSecurityDescriptorOwner(whole, owner, false.into()).as_bool()
                && SetSecurityDescriptorGroup(whole, group, false.into()).as_bool()
                && SetSecurityDescriptorDacl(whole, is_there, list, false.into()).as_bool()
        };
        if done { Ok(callers) } else { Err(Code(windows_core::Error::from_thread().code().0 as u32)) }
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        // SAFETY: the memory is the conversion's, or none, and nothing points there any more.
        unsafe { LocalFree(self.parts.cast()) };
    }
}

/// The service that makes snapshots.
///
/// # Errors
/// `Unsupported` where this Windows has none.
pub fn service() -> Result<Box<dyn Service>> {
    let Some(library) = library() else {
        let context =
            "this Windows has no Volume Shadow Copies (vssapi.dll), so nothing in use can be imaged";
        return Err(Error::unsupported(context)
            .advise("where nobody uses it, hold it:           --consistency lock")
            .advise("or take it as it is, torn where it changes:  --consistency none"));
    };
    Ok(Box::new(ShadowCopies(library)))
}

struct ShadowCopies(Library);

impl Service for ShadowCopies {
    fn requester(&self) -> Reply<Box<dyn Requester>> {
        com()?;
        let mut made = ptr::null_mut();
        // SAFETY: the function gives out one reference to such an object, or fails.
        let components = unsafe {
            reply((self.0.create)(&mut made))?;
            if made.is_null() {
                return Err(Code(E_UNEXPECTED.0 as u32));
            }
            IVssBackupComponents::from_raw(made)
        };
        Ok(Box::new(Components { library: self.0, components }))
    }

    fn room(&self, volume: &str) -> Option<u64> {
        let volume = wide(volume);
        let mut free = 0;
        // SAFETY: the name ends with a zero; the answer is a number.
        let done = unsafe {
            GetDiskFreeSpaceExW(PCWSTR(volume.as_ptr()), ptr::null_mut(), ptr::null_mut(), &mut free)
        };
        done.as_bool().then_some(free)
    }
}

struct Components {
    library: Library,
    components: IVssBackupComponents,
}

// SAFETY: the object lives in the apartment that all threads share, which `com` keeps: any thread may call and release it.
unsafe impl Send for Components {}

impl Components {
    /// What the service tells of a snapshot, freed as it wants it freed.
    fn snapshot(&self, mut told: VSS_SNAPSHOT_PROP) -> Snapshot {
        // SAFETY: the texts are those of a filled structure, each empty or ended with a zero, until it is freed.
        let shown = |text: VSS_PWSZ| unsafe {
            let text: *const u16 = mem::transmute_copy(&text);
            if text.is_null() { String::new() } else { PCWSTR(text).to_string().unwrap_or_default() }
        };
        let snapshot = Snapshot {
            id: id(told.m_SnapshotId),
            set: id(told.m_SnapshotSetId),
            device: shown(told.m_pwszSnapshotDeviceObject),
            volume: shown(told.m_pwszOriginalVolumeName),
            attributes: told.m_lSnapshotAttributes,
        };
        // SAFETY: the service filled it, and it is freed once.
        unsafe { (self.library.free_properties)(&mut told) };
        snapshot
    }
}

// SAFETY of all calls below: the object is held by its reference, texts end with a zero and outlive the call, and what is
// written to is ours.
impl Requester for Components {
    fn initialize(&mut self) -> Reply<()> {
        // SAFETY: see above.
        reply(unsafe { self.components.InitializeForBackup(&BSTR::new()) })
    }

    fn set_context(&mut self, context: Context) -> Reply<()> {
        let context = match context {
            Context::Backup => VSS_CTX_BACKUP,
            Context::All => VSS_CTX_ALL,
        };
        // SAFETY: see above.
        reply(unsafe { self.components.SetContext(context) })
    }

    fn set_state(&mut self) -> Reply<()> {
        // SAFETY: see above.
        reply(unsafe { self.components.SetBackupState(false, true, VSS_BT_COPY, false) })
    }

    fn begin(&mut self, step: Step) -> Reply<Box<dyn Pending>> {
        let object = &self.components;
        // SAFETY: see above.
        let begun = unsafe {
            match step {
                Step::GatherWriterMetadata => object.GatherWriterMetadata(),
                Step::PrepareForBackup => object.PrepareForBackup(),
                Step::DoSnapshotSet => object.DoSnapshotSet(),
                Step::GatherWriterStatus => object.GatherWriterStatus(),
                Step::BackupComplete => object.BackupComplete(),
            }
        };
        Ok(Box::new(Async(given(begun)?)))
    }

    fn free_metadata(&mut self) -> Reply<()> {
        // SAFETY: see above.
        reply(unsafe { self.components.FreeWriterMetadata() })
    }

    fn writers(&mut self) -> Reply<Vec<Writer>> {
        // SAFETY: see above.
        let count = given(unsafe { self.components.GetWriterStatusCount() })?;
        let one = |index: u32| {
            let (mut instance, mut class) = (VSS_ID::default(), VSS_ID::default());
            let (mut name, mut state, mut failure) = (BSTR::new(), VSS_WS_UNKNOWN, HRESULT(0));
            // SAFETY: see above; the name is given to us, and freed by its type.
            reply(unsafe {
                self.components.GetWriterStatus(
                    index,
                    &mut instance,
                    &mut class,
                    &mut name,
                    &mut state,
                    &mut failure,
                )
            })?;
            let failure = failure.is_err().then_some(Code(failure.0 as u32));
            Ok(Writer { name: String::from_utf16_lossy(&name), state, failure })
        };
        (0..count).map(one).collect()
    }

    fn free_status(&mut self) -> Reply<()> {
        // SAFETY: see above.
        reply(unsafe { self.components.FreeWriterStatus() })
    }

    fn start_set(&mut self) -> Reply<Id> {
        // SAFETY: see above.
        given(unsafe { self.components.StartSnapshotSet() }).map(id)
    }

    fn is_supported(&mut self, volume: &str) -> Reply<bool> {
        let volume = wide(volume);
        let mut supported = BOOL(0);
        // The metadata calls the answer's place constant, which it is not.
        let answer = &raw mut supported;
        // SAFETY: see above.
        reply(unsafe {
            self.components.IsVolumeSupported(VSS_ID::zeroed(), PCWSTR(volume.as_ptr()), answer)
        })?;
        Ok(supported.as_bool())
    }

    fn add(&mut self, volume: &str) -> Reply<Id> {
        let volume = wide(volume);
        // SAFETY: see above.
        given(unsafe { self.components.AddToSnapshotSet(PCWSTR(volume.as_ptr()), VSS_ID::zeroed()) }).map(id)
    }

    fn properties(&mut self, snapshot: Id) -> Reply<Snapshot> {
        let mut told = VSS_SNAPSHOT_PROP::default();
        // SAFETY: see above.
        reply(unsafe { self.components.GetSnapshotProperties(guid(snapshot), &mut told) })?;
        Ok(self.snapshot(told))
    }

    fn list(&mut self) -> Reply<Vec<Snapshot>> {
        let mut list: Option<IVssEnumObject> = None;
        let answer = &raw mut list;
        // SAFETY: see above; the reference that is given out is released by its type.
        reply(unsafe {
            self.components.Query(VSS_ID::zeroed(), VSS_OBJECT_NONE, VSS_OBJECT_SNAPSHOT, answer)
        })?;
        let mut found = Vec::new();
        let Some(list) = list else { return Ok(found) };
        loop {
            let (mut told, mut count) = (VSS_OBJECT_PROP::default(), 0);
            // SAFETY: there is room for the one that is asked for.
            reply(unsafe { list.Next(1, &mut told, &mut count) })?;
            if count == 0 {
                return Ok(found);
            }
            if told.Type == VSS_OBJECT_SNAPSHOT {
                // SAFETY: its type says which one of the union it is.
                found.push(self.snapshot(unsafe { told.Obj.Snap }));
            }
        }
    }

    fn delete(&mut self, set: Id) -> Reply<()> {
        let (mut deleted, mut left) = (0i32, VSS_ID::zeroed());
        let (deleted, left) = (&raw mut deleted, &raw mut left);
        // SAFETY: see above.
        reply(unsafe {
            self.components.DeleteSnapshots(guid(set), VSS_OBJECT_SNAPSHOT_SET, true, deleted, left)
        })
    }

    fn abort(&mut self) -> Reply<()> {
        // SAFETY: see above.
        reply(unsafe { self.components.AbortBackup() })
    }
}

struct Async(IVssAsync);

impl Pending for Async {
    fn wait(&mut self, most: Duration) -> Reply<bool> {
        let most = u32::try_from(most.as_millis()).unwrap_or(u32::MAX - 1);
        let mut status = HRESULT(0);
        // A wait may end well where the step did not, and the reverse: the status decides.
        // SAFETY: the object is held by its reference; the answer is a number.
        unsafe {
            let waited = self.0.Wait(most);
            reply(self.0.QueryStatus(&mut status, ptr::null_mut()))?;
            if waited.is_err() && status == VSS_S_ASYNC_PENDING {
                return reply(waited).map(|()| false);
            }
        }
        reply(status)?;
        match status {
            VSS_S_ASYNC_PENDING => Ok(false),
            // It did not do what it was to do.
            VSS_S_ASYNC_CANCELLED => Err(Code(E_ABORT)),
            _ => Ok(true),
        }
    }

    fn cancel(&mut self) -> Reply<()> {
        // SAFETY: the object is held by its reference.
        reply(unsafe { self.0.Cancel() })
    }
}

/// The operation was aborted.
const E_ABORT: u32 = 0x8000_4004;

/// The volumes that lie on a disk, and the disk's number.
///
/// # Errors
/// Where the system does not tell.
pub fn volumes(disk: &Path) -> Result<(u32, Vec<Volume>)> {
    let number = number_of(disk).ok_or_else(|| {
        let context = format!("Windows does not tell which disk {} is", disk.display());
        Error::new(Kind::Unsupported, context)
    })?;
    let one = |volume: &survey::Volume| Volume {
        name: volume.name.device(),
        mounted: volume.places.clone(),
        extents: volume
            .extents
            .iter()
            .map(|extent| DiskExtent { disk: extent.disk, at: Extent::new(extent.offset, extent.len) })
            .collect(),
    };
    let survey = Survey::take();
    Ok((number, survey.volumes.iter().filter(|volume| volume.is_on(number)).map(one).collect()))
}

/// The number of a disk, or of that of which a volume is all or a part.
fn number_of(device: &Path) -> Option<u32> {
    match names::parse(&device.to_string_lossy())? {
        Name::Disk(number) => Some(number),
        name => {
            let handle = DeviceHandle::open(&name.device(), Access::Ask).ok()?;
            let number = replies::device_number(&asked(&handle, Query::DeviceNumber, &[]).ok()?)?;
            number.disk.then_some(number.number)
        }
    }
}

/// The disk below a device that is a volume, also one that begins where its disk does.
pub fn below(device: &Device) -> Option<PathBuf> {
    let itself = names::parse(&device.path.to_string_lossy())?;
    let disk = || Some(PathBuf::from(Name::Disk(number_of(&device.path)?).device()));
    let is_volume = !matches!(itself, Name::Disk(_) | Name::CdRom(_));
    is_volume.then(|| device.whole.clone().or_else(disk))?
}

/// The name of the volume that a path names, or on which a file lies or would lie.
pub fn volume_of(path: &Path) -> Option<String> {
    let name = match names::parse(&path.to_string_lossy()) {
        Some(name) => Survey::take().volume(&name)?.name.clone(),
        None => {
            let absolute = std::path::absolute(path).ok()?;
            let there = absolute.ancestors().find(|path| path.exists())?;
            // What lies behind links is where they lead.
            let there = std::fs::canonicalize(there).ok()?;
            survey::volume_at(&survey::root_of(&there)?)?
        }
    };
    Some(name.device())
}

/// The folder where a run notes which snapshots it holds: one for the machine, as the snapshots are.
pub fn notes() -> Option<PathBuf> {
    // FOLDERID_ProgramData.
    const PROGRAM_DATA: GUID = GUID::from_u128(0x62ab5d82_fdc1_4dc3_a9dd_070d1d495d97);
    let mut path = PWSTR::null();
    // SAFETY: the path that is given is freed as the documentation asks, also where there is none.
    let folder = unsafe {
        let answer = SHGetKnownFolderPath(&PROGRAM_DATA, 0, ptr::null_mut(), &mut path);
        let folder = (answer.is_ok() && !path.is_null()).then(|| OsString::from_wide(path.as_wide()));
        CoTaskMemFree(path.as_ptr().cast());
        folder?
    };
    Some(PathBuf::from(folder).join("ectype").join("snapshots"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_refused_and_what_it_has_answers() {
        assert!(notes().is_some_and(|folder| folder.ends_with("ectype/snapshots")));
        match service() {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), Kind::Unsupported),
        }
    }

    #[test]
    fn com_is_told_who_may_call_in_the_absolute_format() {
        let callers = Callers::parse(WHO).unwrap();
        let (mut control, mut revision) = (0, 0);
        let whole = (&raw const callers.whole).cast_mut().cast();
        // SAFETY: the descriptor is whole; the answers are numbers.
        assert!(unsafe { GetSecurityDescriptorControl(whole, &mut control, &mut revision) }.as_bool());
        assert_eq!((i32::from(control) & SE_SELF_RELATIVE, revision), (0, 1));
        assert!(Callers::parse(w!("no descriptor")).is_err());
    }

    #[test]
    fn the_folder_of_a_program_lies_on_a_volume() {
        let own = std::env::current_exe().unwrap();
        if let Some(volume) = volume_of(&own) {
            assert!(volume.starts_with(r"\\?\Volume{"), "{volume}");
        }
    }
}
