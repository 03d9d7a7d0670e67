//! How large a device is: by what answers, or else by reading.
//!
//! ```text
//!   disk, volume   IOCTL_DISK_GET_LENGTH_INFO ▶ …_GEOMETRY_EX ▶ IOCTL_STORAGE_READ_CAPACITY ▶ reading
//!   optical        READ CAPACITY ▶ IOCTL_CDROM_GET_DRIVE_GEOMETRY_EX ▶ IOCTL_DISK_GET_LENGTH_INFO ▶ reading
//! ```
//!
//! GetDiskFreeSpace counts the clusters of a file system, less what a quota leaves: it is not asked.

use super::replies;
use super::request::{Asking, Property, Query, asked, property};
use super::sectors::Sectors;
use super::{code, is_empty, is_unknown};
use crate::io::Geometry;
use crate::os::Blame;
use crate::os::buffer::Buffer;
use std::io;
use std::time::Duration;

/// A drive may think for long; nothing here waits longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// No device is larger.
const LARGEST: u64 = 1 << 62;

/// Sizes, and what there is to say of how they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::os) struct Sizes {
    pub(in crate::os) geometry: Geometry,
    pub(in crate::os) notes: Vec<String>,
}

/// The sizes of an open device; `reads` reads it, and `blame` tells a bad sector from the end.
///
/// # Errors
/// `NOT_READY` or `NO_MEDIA_IN_DRIVE` without a medium; `InvalidData` for sizes that make no sense; what reading answered.
pub(in crate::os) fn sizes(
    device: &dyn Asking,
    reads: &dyn Sectors,
    optical: bool,
    blame: fn(&io::Error) -> Blame,
) -> io::Result<Sizes> {
    let mut notes = Vec::new();
    let told = match told(device, optical) {
        Err(error) if is_unknown(&error) => (None, None),
        told => told?,
    };
    let alignment = property(device, Property::Alignment).ok().and_then(|reply| replies::alignment(&reply));
    let sector = match (told.0, alignment) {
        (Some(sector), _) => sector,
        (None, Some((sector, _))) => sector,
        (None, None) => {
            let sector = probe_sector(reads, if optical { 2048 } else { 512 })?;
            notes.push(format!("the system does not tell the sector: reads of {sector} bytes succeed"));
            sector
        }
    };
    let size = match told.1 {
        Some(size) => size,
        None => {
            let size = probe_size(reads, sector, blame)?;
            notes.push(format!(
                "the system does not tell the size: by reading, the end was found at {size} bytes"
            ));
            size
        }
    };
    if size == 0 {
        return Err(io::Error::from_raw_os_error(code::NO_MEDIA_IN_DRIVE));
    }
    if !size.is_multiple_of(sector.into()) {
        let what =
            format!("it claims a size of {size} bytes, which is no multiple of its sector of {sector} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    let physical_sector = match alignment {
        Some((_, physical)) if physical >= sector && physical.is_multiple_of(sector) => physical,
        _ => sector,
    };
    Ok(Sizes { geometry: Geometry { size, sector, physical_sector }, notes })
}

/// The sector and the size, as far as requests tell them. Those that need no right to read serve a look.
pub(in crate::os) fn told(device: &dyn Asking, optical: bool) -> io::Result<(Option<u32>, Option<u64>)> {
    let mut sector = None;
    let mut size = None;
    let mut failed = None;
    let mut ask = |answer: io::Result<(Option<u32>, Option<u64>)>| match answer {
        Ok(told) => {
            sector = sector.or(told.0);
            size = size.or(told.1.filter(|&size| size <= LARGEST));
            Ok(sector.is_some() && size.is_some())
        }
        // Without a medium every further question waits for nothing.
        Err(error) if is_empty(&error) => Err(error),
        Err(error) => {
            if !is_unknown(&error) {
                failed.get_or_insert(error);
            }
            Ok(false)
        }
    };
    let geometry = |query| {
        asked(device, query, &[]).map(|reply| {
            let told = replies::geometry(&reply);
            (told.and_then(|told| told.sector), told.and_then(|told| told.size))
        })
    };
    let length = || asked(device, Query::Length, &[]).map(|reply| (None, replies::length(&reply)));
    let split = |told: Option<(u32, u64)>| (told.map(|told| told.0), told.map(|told| told.1));
    let capacity = || asked(device, Query::Capacity, &[]).map(|reply| split(replies::capacity(&reply)));
    let _done = match optical {
        true => {
            ask(scsi_capacity(device).map(split))?
                || ask(geometry(Query::CdGeometry))?
                || ask(length())?
                || ask(geometry(Query::Geometry))?
        }
        // The length is the device's own; a volume's geometry is that of its whole disk, and so is its capacity.
        false => {
            let is_whole = asked(device, Query::DeviceNumber, &[])
                .ok()
                .and_then(|reply| replies::device_number(&reply))
                .is_some_and(|number| number.partition.is_none());
            let sector_of = |told: (Option<u32>, Option<u64>)| if is_whole { told } else { (told.0, None) };
            ask(length())? | ask(geometry(Query::Geometry).map(sector_of))? || ask(capacity().map(sector_of))?
        }
    };
    match (sector, size, failed) {
        (None, None, Some(error)) => Err(error),
        (sector, size, _) => Ok((sector, size)),
    }
}

/// READ CAPACITY(10). A disc that was just put in reports that first.
fn scsi_capacity(drive: &dyn Asking) -> io::Result<Option<(u32, u64)>> {
    for _ in 0..3 {
        let mut answer = [0; 8];
        let reply = drive.scsi(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], &mut answer, PATIENCE)?;
        if reply.status == 0 && reply.residual == 0 {
            return Ok(replies::scsi_capacity(answer));
        }
        let sense = crate::os::disc::Sense::parse(&reply.sense).unwrap_or_default();
        if (sense.key, sense.asc) == (2, 0x3a) {
            return Err(io::Error::from_raw_os_error(code::NO_MEDIA_IN_DRIVE));
        }
        if sense.key != 6 {
            break;
        }
    }
    Ok(None)
}

/// The smallest sector with which reads succeed.
fn probe_sector(reads: &dyn Sectors, least: u32) -> io::Result<u32> {
    let mut buffer = Buffer::new(4096);
    let mut failed = None;
    for sector in [512, 2048, 4096].into_iter().filter(|&sector| sector >= least) {
        match reads.read_sectors(&mut buffer[..sector as usize], 0) {
            Ok(_) => return Ok(sector),
            Err(error) if is_empty(&error) => return Err(error),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed.expect("three were tried"))
}

/// The first byte behind the device: the distance is doubled until no sector is there, and halved again. A sector that is
/// there and bad is there.
fn probe_size(reads: &dyn Sectors, sector: u32, blame: fn(&io::Error) -> Blame) -> io::Result<u64> {
    let unit = u64::from(sector);
    let mut buffer = Buffer::new(sector as usize);
    let mut is_there = |number: u64| match reads.read_sectors(&mut buffer, number * unit) {
        Ok(count) => Ok(count == sector as usize),
        Err(error) => match error.raw_os_error() {
            Some(code::HANDLE_EOF | code::INVALID_PARAMETER | code::SECTOR_NOT_FOUND) => Ok(false),
            _ if blame(&error) == Blame::Medium => Ok(true),
            _ => Err(error),
        },
    };
    if !is_there(0)? {
        return Ok(0);
    }
    // `there` holds a sector, `behind` none.
    let (mut there, mut behind) = (0, 1);
    while is_there(behind)? {
        there = behind;
        behind *= 2;
        if behind > LARGEST / unit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "reading finds no end of it"));
        }
    }
    while behind - there > 1 {
        let middle = there + (behind - there) / 2;
        if is_there(middle)? { there = middle } else { behind = middle }
    }
    Ok(behind * unit)
}

#[cfg(test)]
mod tests {
    use super::super::recorded::{self, bytes};
    use super::super::request::Replies;
    use super::super::sectors::Strict;
    use super::*;
    use crate::os::control::ScsiReply;

    fn blame(error: &io::Error) -> Blame {
        if error.raw_os_error() == Some(23) { Blame::Medium } else { Blame::Other }
    }

    fn found(device: &Replies, reads: &Strict, optical: bool) -> Result<(u64, u32, u32, usize), Option<i32>> {
        sizes(device, reads, optical, blame)
            .map(|found| {
                let Geometry { size, sector, physical_sector } = found.geometry;
                (size, sector, physical_sector, found.notes.len())
            })
            .map_err(|error| error.raw_os_error())
    }

    #[test]
    fn what_a_disk_tells_is_taken() {
        let whole = bytes("07000000 03000000 00000000");
        let mut disk = Replies {
            asked: vec![
                (Query::Length, Ok(bytes(recorded::LENGTH))),
                (Query::Geometry, Ok(bytes(recorded::GEOMETRY))),
                (Query::Property(Property::Alignment), Ok(bytes(recorded::ALIGNMENT))),
                (Query::DeviceNumber, Ok(whole)),
            ],
            ..Replies::default()
        };
        let nothing = Strict::new(0, 512);
        assert_eq!(found(&disk, &nothing, false), Ok((31_457_280_000, 512, 4096, 0)));
        // Without the right to read, the geometry has the size of a whole disk, and of a volume not.
        disk.asked[0].1 = Err(code::ACCESS_DENIED);
        assert_eq!(told(&disk, false).unwrap(), (Some(512), Some(31_457_280_000)));
        disk.asked[3].1 = Ok(bytes(recorded::DISK_NUMBER));
        assert_eq!(told(&disk, false).unwrap(), (Some(512), None));
    }

    #[test]
    fn a_disc_is_measured_by_its_drive() {
        let capacity = (vec![0x25], ScsiReply::default(), vec![0, 0, 0x0f, 0xff, 0, 0, 8, 0]);
        let mut drive = Replies { scsi: vec![capacity], ..Replies::default() };
        let nothing = Strict::new(0, 2048);
        assert_eq!(found(&drive, &nothing, true), Ok((0x1000 * 2048, 2048, 2048, 0)));
        let empty = [0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x3a, 0, 0, 0, 0, 0];
        drive.scsi[0].1 = ScsiReply { status: 2, sense: empty.to_vec(), residual: 8 };
        assert_eq!(found(&drive, &nothing, true), Err(Some(code::NO_MEDIA_IN_DRIVE)));
        // Without commands, the class driver has measured it.
        let mut geometry = bytes(recorded::GEOMETRY);
        geometry[20..32].copy_from_slice(&[0, 8, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0]);
        let drive = Replies { asked: vec![(Query::CdGeometry, Ok(geometry))], ..Replies::default() };
        assert_eq!(found(&drive, &nothing, true), Ok((0x8000, 2048, 2048, 0)));
    }

    #[test]
    fn where_nothing_answers_the_end_is_found_by_reading() {
        let silent = Replies::default();
        for (len, sector) in
            [(512, 512), (512 * 3, 512), (512 * 1023, 512), (2048 * 300, 2048), (4096 * 7, 4096)]
        {
            for behind in [0, code::HANDLE_EOF, code::SECTOR_NOT_FOUND, code::INVALID_PARAMETER] {
                let reads = Strict { behind, ..Strict::new(len, sector) };
                let (size, unit) = (len as u64, sector as u32);
                assert_eq!(
                    found(&silent, &reads, false),
                    Ok((size, unit, unit, 2)),
                    "{len} of {sector}, {behind}"
                );
            }
        }
        // Bad sectors are no end, wherever the search meets them.
        let reads =
            Strict { bad: vec![512, 1024, 2048, 4096, 8192, 300 * 512], ..Strict::new(512 * 301, 512) };
        assert_eq!(found(&silent, &reads, false), Ok((512 * 301, 512, 512, 2)));
        // A disc is never asked for less than its sector.
        let reads = Strict::new(512 * 5, 512);
        assert_eq!(found(&silent, &reads, true), Ok((2048, 2048, 2048, 2)));
    }

    #[test]
    fn no_medium_and_no_device_are_errors() {
        let answers = |code| Replies { asked: vec![(Query::Length, Err(code))], ..Replies::default() };
        let nothing = Strict::new(0, 512);
        for code in [code::NOT_READY, code::NO_MEDIA_IN_DRIVE] {
            assert_eq!(found(&answers(code), &nothing, false), Err(Some(code)));
        }
        // A device that is gone is not probed.
        assert_eq!(found(&answers(1167), &Strict::new(4096, 512), false), Err(Some(1167)));
        let silent = Replies::default();
        let empty = Strict { behind: 0, ..Strict::new(0, 512) };
        assert_eq!(found(&silent, &empty, false), Err(Some(code::NO_MEDIA_IN_DRIVE)));
        // An end that never comes.
        struct Endless;
        impl Sectors for Endless {
            fn read_sectors(&self, buf: &mut [u8], _offset: u64) -> io::Result<usize> {
                Ok(buf.len())
            }
        }
        let error = sizes(&silent, &Endless, false, blame).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_size_that_is_no_multiple_of_the_sector_is_refused() {
        let mut odd = bytes(recorded::LENGTH);
        odd[0] = 1;
        let disk = Replies {
            asked: vec![(Query::Length, Ok(odd)), (Query::Geometry, Ok(bytes(recorded::GEOMETRY)))],
            ..Replies::default()
        };
        let error = sizes(&disk, &Strict::new(0, 512), false, blame).unwrap_err();
        assert!(error.to_string().contains("no multiple"), "{error}");
    }
}
