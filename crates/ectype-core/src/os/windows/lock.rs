//! Volumes that nobody else may use for as long as they are held.
//!
//! ```text
//!   lock      fails as long as anybody has a file open on the volume; kept with the handle
//!   dismount  after a lock: the file system lets go, and comes back when the handle is closed
//! ```

use super::control::{Access, DeviceHandle};
use super::survey::Volume;
use super::{holders, host};
use crate::error::{Error, Result};
use crate::os::nt::names::Name;
use crate::os::nt::request::{Asking, Hold, Holding, Query, locked};
use crate::os::nt::{code, is_held};
use std::io::ErrorKind;
use std::time::Duration;

/// Between two tries; whoever looks at a new medium lets go soon.
const PAUSE: Duration = Duration::from_millis(500);

/// Locks a volume through the handle by which it will be used, to be written or read. With `force`, whoever still has files
/// open on it loses them. False where the system knows no such lock.
pub(super) fn lock(
    handle: &impl Holding,
    volume: &Name,
    write: bool,
    force: bool,
    stop: &dyn Fn() -> bool,
) -> Result<bool> {
    locked(handle, PAUSE, force, stop).map_err(|error| in_use(volume, write, error, stop))
}

/// The refusal of a volume that others use: who, as far as that can be found out.
fn in_use(volume: &Name, write: bool, error: std::io::Error, stop: &dyn Fn() -> bool) -> Error {
    let shown = volume.device();
    if error.kind() == ErrorKind::Interrupted {
        return Error::interrupted();
    }
    if !is_held(&error) {
        return Error::io(format!("locking {shown}"), error);
    }
    let who = holders::of_volume(volume, stop);
    if stop() {
        return Error::interrupted();
    }
    let who = if who.is_empty() { "by whom could not be found out".to_owned() } else { who.join("; ") };
    let error = Error::refused(format!("{shown} is in use: {who}"))
        .advise("close the programs and windows that use it, and run the same command again")
        .advise("or take it from them; what they have not saved is lost:  --unmount");
    match write {
        true => error,
        false => error.advise("or take it as it is, torn where it changes:  --consistency none"),
    }
}

/// Opens and locks every one of these volumes, and where their disk is to be written makes their file systems let go. With them,
/// those that know no lock.
///
/// # Errors
/// `Refused` where somebody uses one; `Cancelled` as soon as `stop` says so. What was locked until then is let go.
pub(super) fn lock_all(
    volumes: &[&Volume],
    write: bool,
    force: bool,
    stop: &dyn Fn() -> bool,
) -> Result<(Vec<DeviceHandle>, Vec<Name>)> {
    let (mut held, mut free) = (Vec::new(), Vec::new());
    for volume in volumes {
        let name = volume.shown();
        let access = if write { Access::ReadWrite } else { Access::Read };
        // What cannot be opened is offline or without a medium, and nobody uses it.
        let handle = match DeviceHandle::open(&volume.name.device(), access) {
            Ok(handle) => handle,
            Err(error) if error.raw_os_error() == Some(code::ACCESS_DENIED) && !host::is_privileged() => {
                return Err(Error::io(format!("opening {}", name.device()), error));
            }
            Err(error) if is_held(&error) => return Err(in_use(&name, write, error, stop)),
            Err(_) => continue,
        };
        if !lock(&handle, &name, write, force, stop)? {
            free.push(name);
        }
        if write {
            let _ = handle.hold(Hold::Dismount);
        }
        held.push(handle);
    }
    Ok((held, free))
}

/// Lets a volume's handle reach what lies behind its file system. Elsewhere the request is not known, and not needed.
pub(super) fn allow_extended(handle: &DeviceHandle) {
    let _ = handle.ask(Query::AllowExtended, &[], &mut []);
}
