//! The gates to a device of Windows: every DeviceIoControl is one of these requests.
//!
//! ```text
//!   disk, optical, sizes ──▶ Asking  ──▶ windows/control: an open device
//!   lock ──────────────────▶ Holding ──▶ the same         (the only ones that keep others out)
//!   node ──────────────────▶ os/control: Changing         (the only ones that change a medium)
//!                                 └────▶ in tests: replies as they were recorded
//! ```

use super::{code, is_unknown};
use crate::os::control::Commands;
use std::io;
use std::time::Duration;

/// A question. None of them changes a medium, or what others may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::os) enum Query {
    /// GET_LENGTH_INFORMATION: the length in bytes.
    Length,
    /// DISK_GEOMETRY_EX: the sector, and of a disk its size.
    Geometry,
    /// DRIVE_LAYOUT_INFORMATION_EX: the partitions of a disk.
    Layout,
    /// Whether it can be written; the answer is the result.
    IsWritable,
    /// STORAGE_DEVICE_NUMBER: which disk or drive this is.
    DeviceNumber,
    /// The number of changes of the medium; the request fails without a medium.
    CheckVerify,
    /// STORAGE_READ_CAPACITY: block length and number of a disk.
    Capacity,
    /// What a property's number names: it takes a STORAGE_PROPERTY_QUERY.
    Property(Property),
    /// VOLUME_DISK_EXTENTS: where a volume lies.
    VolumeExtents,
    /// Lets this handle read what lies behind the file system of a volume.
    AllowExtended,
    /// DISK_GEOMETRY_EX of an optical drive.
    CdGeometry,
    /// The table of contents, its addresses as minutes, seconds and frames.
    Toc,
    /// The same, as CDROM_READ_TOC_EX says.
    TocEx,
    /// CDROM_TOC_SESSION_DATA.
    LastSession,
    /// GET_CONFIGURATION_HEADER.
    Configuration,
}

/// What a storage device is asked about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::os) enum Property {
    /// STORAGE_DEVICE_DESCRIPTOR.
    Device,
    /// STORAGE_ACCESS_ALIGNMENT_DESCRIPTOR.
    Alignment,
    /// DEVICE_SEEK_PENALTY_DESCRIPTOR.
    SeekPenalty,
}

impl Query {
    /// The control code.
    pub(in crate::os) fn code(self) -> u32 {
        match self {
            Query::Length => 0x0007_405c,
            Query::Geometry => 0x0007_00a0,
            Query::Layout => 0x0007_0050,
            Query::IsWritable => 0x0007_0024,
            Query::DeviceNumber => 0x002d_1080,
            Query::CheckVerify => 0x002d_4800,
            Query::Capacity => 0x002d_5140,
            Query::Property(_) => 0x002d_1400,
            Query::VolumeExtents => 0x0056_0000,
            Query::AllowExtended => 0x0009_0083,
            Query::CdGeometry => 0x0002_4050,
            Query::Toc => 0x0002_4000,
            Query::TocEx => 0x0002_4054,
            Query::LastSession => 0x0002_4038,
            Query::Configuration => 0x0002_4058,
        }
    }
}

impl Property {
    /// The STORAGE_PROPERTY_QUERY that asks for it.
    fn input(self) -> [u8; 12] {
        let mut query = [0; 12];
        query[0] = match self {
            Property::Device => 0,
            Property::Alignment => 6,
            Property::SeekPenalty => 7,
        };
        query
    }
}

/// What keeps others out, until the handle is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::os) enum Hold {
    /// Nobody else may open a file on the volume; fails where somebody has one open.
    Lock,
    /// The file system lets the volume go, whoever has files open on it, and does not come back before this handle is closed.
    Dismount,
    /// The tray stays closed, or may be opened again, also after the handle is closed.
    Tray(bool),
    /// The same for as long as this handle is open.
    OwnTray(bool),
}

impl Hold {
    /// The control code.
    pub(in crate::os) fn code(self) -> u32 {
        match self {
            Hold::Lock => 0x0009_0018,
            Hold::Dismount => 0x0009_0020,
            Hold::Tray(_) => 0x002d_4804,
            Hold::OwnTray(_) => 0x002d_0940,
        }
    }
}

/// An open device that is asked.
pub(in crate::os) trait Asking: Commands {
    /// One request; how many bytes of `output` hold the reply.
    ///
    /// # Errors
    /// What the system answered, with its `raw_os_error`.
    fn ask(&self, query: Query, input: &[u8], output: &mut [u8]) -> io::Result<usize>;
}

/// An open volume or drive that others can be kept from.
pub(in crate::os) trait Holding {
    /// One request.
    ///
    /// # Errors
    /// What the system answered, with its `raw_os_error`.
    fn hold(&self, hold: Hold) -> io::Result<()>;
}

/// A lock is asked for so often.
const TRIES: usize = 10;

/// In a pause the wish to stop is looked for so often.
pub(in crate::os) const GLANCE: Duration = Duration::from_millis(50);

/// Locks a volume, with pauses between the tries. With `force`, whoever still has files open on it loses them: it is dismounted,
/// and held by that. False where the system knows no such lock.
///
/// # Errors
/// What the last try was answered; `Interrupted` as soon as `stop` says so: then nobody loses anything any more.
pub(in crate::os) fn locked(
    volume: &impl Holding,
    pause: Duration,
    force: bool,
    stop: &dyn Fn() -> bool,
) -> io::Result<bool> {
    let mut tries = 0;
    loop {
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let error = match volume.hold(Hold::Lock) {
            Ok(()) => return Ok(true),
            Err(error) if is_unknown(&error) => return Ok(false),
            Err(error) => error,
        };
        tries += 1;
        if tries < TRIES {
            waited(pause, stop);
            continue;
        }
        if force && stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if !force || volume.hold(Hold::Dismount).is_err() {
            return Err(error);
        }
        // Their handles are dead now, and nobody gets new ones. But they count against a lock until they are closed, so that it may
        // be refused still, and is not needed.
        let _ = volume.hold(Hold::Lock);
        return Ok(true);
    }
}

/// Waits, or until a stop is asked for.
fn waited(mut pause: Duration, stop: &dyn Fn() -> bool) {
    while !pause.is_zero() && !stop() {
        let part = pause.min(GLANCE);
        std::thread::sleep(part);
        pause -= part;
    }
}

/// The most that any reply has, in bytes.
const MOST: usize = 256 << 10;

/// The reply to a request, in as much room as it needs.
pub(in crate::os) fn asked(
    device: &(impl Asking + ?Sized),
    query: Query,
    input: &[u8],
) -> io::Result<Vec<u8>> {
    let mut room = 1024;
    loop {
        let mut output = vec![0; room];
        match device.ask(query, input, &mut output) {
            Ok(len) => {
                output.truncate(len);
                return Ok(output);
            }
            Err(error)
                if matches!(error.raw_os_error(), Some(code::MORE_DATA | code::INSUFFICIENT_BUFFER))
                    && room < MOST =>
            {
                room *= 8;
            }
            Err(error) => return Err(error),
        }
    }
}

/// What a device tells about itself.
pub(in crate::os) fn property(device: &(impl Asking + ?Sized), property: Property) -> io::Result<Vec<u8>> {
    asked(device, Query::Property(property), &property.input())
}

/// The replies of a device, as they were once seen; a request without one is not known.
#[cfg(test)]
#[derive(Default)]
pub(in crate::os) struct Replies {
    pub(in crate::os) asked: Vec<(Query, Result<Vec<u8>, i32>)>,
    /// The start of the command, the answer, the data.
    pub(in crate::os) scsi: Vec<(Vec<u8>, crate::os::control::ScsiReply, Vec<u8>)>,
}

#[cfg(test)]
impl Commands for Replies {
    fn scsi(
        &self,
        cdb: &[u8],
        data: &mut [u8],
        _timeout: Duration,
    ) -> io::Result<crate::os::control::ScsiReply> {
        assert!(crate::os::control::only_reads(cdb), "{cdb:02x?}");
        match self.scsi.iter().find(|(known, _, _)| cdb.starts_with(known)) {
            Some((_, reply, bytes)) => {
                let len = bytes.len().min(data.len());
                data[..len].copy_from_slice(&bytes[..len]);
                Ok(reply.clone())
            }
            None => Err(io::Error::from_raw_os_error(code::NOT_SUPPORTED)),
        }
    }
}

#[cfg(test)]
impl Asking for Replies {
    fn ask(&self, query: Query, _input: &[u8], output: &mut [u8]) -> io::Result<usize> {
        match self.asked.iter().find(|(known, _)| *known == query) {
            Some((_, Ok(reply))) => {
                let Some(room) = output.get_mut(..reply.len()) else {
                    return Err(io::Error::from_raw_os_error(code::MORE_DATA));
                };
                room.copy_from_slice(reply);
                Ok(reply.len())
            }
            Some((_, Err(error))) => Err(io::Error::from_raw_os_error(*error)),
            None => Err(io::Error::from_raw_os_error(code::NOT_SUPPORTED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn no_question_has_the_right_to_write() {
        use Query::*;
        let every = [
            Length,
            Geometry,
            Layout,
            IsWritable,
            DeviceNumber,
            CheckVerify,
            Capacity,
            VolumeExtents,
            AllowExtended,
            CdGeometry,
            Toc,
            TocEx,
            LastSession,
            Configuration,
            Property(super::Property::Device),
        ];
        for query in every {
            // CTL_CODE: device type, access in bits 14 and 15 (1 reads, 2 writes), function, method.
            assert_eq!(query.code() >> 14 & 2, 0, "{query:?}");
        }
    }

    #[test]
    fn a_long_reply_gets_the_room_that_it_needs() {
        let replies = Replies { asked: vec![(Query::Layout, Ok(vec![7; 20_000]))], ..Replies::default() };
        assert_eq!(asked(&replies, Query::Layout, &[]).unwrap(), vec![7; 20_000]);
        // One that claims to need ever more is given up.
        let greedy = Replies { asked: vec![(Query::Layout, Err(code::MORE_DATA))], ..Replies::default() };
        assert_eq!(asked(&greedy, Query::Layout, &[]).unwrap_err().raw_os_error(), Some(code::MORE_DATA));
    }

    /// A volume that refuses its lock so often, with this answer. Handles that a dismount made dead are open all the same.
    struct Busy(Mutex<usize>, i32);

    impl Holding for Busy {
        fn hold(&self, hold: Hold) -> io::Result<()> {
            let mut left = self.0.lock().unwrap();
            if hold == Hold::Dismount {
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

    fn tried(refusals: usize, answer: i32, force: bool) -> Option<bool> {
        locked(&Busy(Mutex::new(refusals), answer), Duration::ZERO, force, &|| false).ok()
    }

    #[test]
    fn a_lock_is_asked_for_ten_times() {
        assert_eq!(tried(0, code::ACCESS_DENIED, false), Some(true));
        assert_eq!(tried(9, code::ACCESS_DENIED, false), Some(true));
        assert_eq!(tried(10, code::ACCESS_DENIED, false), None);
        assert_eq!(tried(1, code::NOT_SUPPORTED, false), Some(false));
    }

    #[test]
    fn a_stop_is_heard_between_two_tries_and_within_a_pause() {
        const HOUR: Duration = Duration::from_secs(3600);
        for glances in [0, 1, 3] {
            let volume = Busy(Mutex::new(1000), code::ACCESS_DENIED);
            let left = std::cell::Cell::new(glances as u32);
            let stop = || left.replace(left.get().saturating_sub(1)) == 0;
            let error = locked(&volume, HOUR, true, &stop).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Interrupted);
            // One try at most, and nobody lost a file.
            assert_eq!(*volume.0.lock().unwrap(), if glances == 0 { 1000 } else { 999 });
        }
        // What was asked to stop takes nothing from anybody, also where no pause is left.
        let volume = Busy(Mutex::new(1000), code::ACCESS_DENIED);
        let tries = std::cell::Cell::new(0);
        let stop = || {
            tries.set(tries.get() + 1);
            tries.get() > TRIES
        };
        assert!(locked(&volume, Duration::ZERO, true, &stop).is_err());
        assert_eq!(*volume.0.lock().unwrap(), 1000 - TRIES);
    }

    #[test]
    fn a_volume_is_dismounted_only_on_request() {
        assert_eq!(tried(1000, code::ACCESS_DENIED, true), Some(true));
        assert_eq!(tried(1000, code::ACCESS_DENIED, false), None);
    }
}
