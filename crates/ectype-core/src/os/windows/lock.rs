//! Volumes that nobody else may use for as long as they are held.
//!
//! ```text
//!   lock      fails as long as anybody has a file open on the volume; kept with the handle
//!   dismount  after a lock: the file system lets go, and comes back when the handle is closed
//! ```

use super::control::{Access, DeviceHandle};
use super::holders;
use super::survey::Volume;
use crate::error::{Error, Result};
use crate::os::nt::names::Name;
use crate::os::nt::request::{Asking, Hold, Holding, Query};
use crate::os::nt::{code, is_unknown};
use std::time::Duration;

/// A lock is asked for so often: whoever looks at a new medium lets go soon.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// Locks a volume through the handle by which it will be used, to be written or read. With `force`, whoever still has files
/// open on it loses them. False where the system knows no such lock.
pub(super) fn lock(handle: &impl Holding, volume: &Name, write: bool, force: bool) -> Result<bool> {
    locked(handle, PAUSE, force, |last| in_use(volume, write, last))
}

fn locked(
    handle: &impl Holding,
    pause: Duration,
    mut force: bool,
    in_use: impl FnOnce(std::io::Error) -> Error,
) -> Result<bool> {
    let mut tries = 0;
    loop {
        match handle.hold(Hold::Lock) {
            Ok(()) => return Ok(true),
            Err(error) if is_unknown(&error) => return Ok(false),
            Err(error) => {
                tries += 1;
                if tries == TRIES {
                    if !force || handle.hold(Hold::Dismount).is_err() {
                        return Err(in_use(error));
                    }
                    // Their handles are dead now; who opens new ones is met once more with patience.
                    (tries, force) = (0, false);
                    continue;
                }
                std::thread::sleep(pause);
            }
        }
    }
}

/// The refusal of a volume that others use: who, as far as that can be found out.
fn in_use(volume: &Name, write: bool, error: std::io::Error) -> Error {
    let shown = volume.device();
    if !matches!(error.raw_os_error(), Some(code::ACCESS_DENIED | code::SHARING_VIOLATION)) {
        return Error::io(format!("locking {shown}"), error);
    }
    let who = holders::of_volume(volume);
    let who = if who.is_empty() { "by whom could not be found out".to_owned() } else { who.join("; ") };
    let error = Error::refused(format!("{shown} is in use: {who}"))
        .advise("close the programs and windows that use it, and run the same command again")
        .advise("or take it from them; what they have not saved is lost:  --unmount");
    match write {
        true => error,
        false => error.advise("or take it as it is, torn where it changes:  --consistency none"),
    }
}

/// Opens and locks every one of these volumes, and where their disk is to be written makes their file systems let go.
pub(super) fn lock_all(volumes: &[&Volume], write: bool, force: bool) -> Result<Vec<DeviceHandle>> {
    let mut held = Vec::new();
    for volume in volumes {
        let name = volume.shown();
        let access = if write { Access::ReadWrite } else { Access::Read };
        // What cannot be opened is offline or without a medium, and nobody uses it.
        let handle = match DeviceHandle::open(&volume.name.device(), access) {
            Ok(handle) => handle,
            Err(error) if error.raw_os_error() == Some(code::ACCESS_DENIED) => {
                return Err(in_use(&name, write, error));
            }
            Err(_) => continue,
        };
        lock(&handle, &name, write, force)?;
        if write {
            let _ = handle.hold(Hold::Dismount);
        }
        held.push(handle);
    }
    Ok(held)
}

/// Lets a volume's handle reach what lies behind its file system. Elsewhere the request is not known, and not needed.
pub(super) fn allow_extended(handle: &DeviceHandle) {
    let _ = handle.ask(Query::AllowExtended, &[], &mut []);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::Mutex;

    /// A volume that refuses its lock so often, with this answer, and until it is dismounted.
    struct Busy(Mutex<usize>, i32);

    impl Holding for Busy {
        fn hold(&self, hold: Hold) -> io::Result<()> {
            let mut left = self.0.lock().unwrap();
            if hold == Hold::Dismount {
                *left = 1;
                return Ok(());
            }
            assert_eq!(hold, Hold::Lock);
            match left.checked_sub(1) {
                Some(less) => {
                    *left = less;
                    Err(io::Error::from_raw_os_error(self.1))
                }
                None => Ok(()),
            }
        }
    }

    fn asked(refusals: usize, answer: i32, force: bool) -> Option<bool> {
        let told = |_| Error::refused("in use");
        locked(&Busy(Mutex::new(refusals), answer), Duration::ZERO, force, told).ok()
    }

    #[test]
    fn a_lock_is_asked_for_ten_times() {
        assert_eq!(asked(0, code::ACCESS_DENIED, false), Some(true));
        assert_eq!(asked(9, code::ACCESS_DENIED, false), Some(true));
        assert_eq!(asked(10, code::ACCESS_DENIED, false), None);
        assert_eq!(asked(1, code::NOT_SUPPORTED, false), Some(false));
    }

    #[test]
    fn a_volume_is_dismounted_only_on_request() {
        assert_eq!(asked(1000, code::ACCESS_DENIED, true), Some(true));
        assert_eq!(asked(1000, code::ACCESS_DENIED, false), None);
    }
}
