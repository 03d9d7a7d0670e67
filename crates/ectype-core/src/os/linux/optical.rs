//! Optical drives: the table of contents, the kind of disc, the tray.
//!
//! ```text
//!   toc ──────── CDROMREADTOCHDR, CDROMREADTOCENTRY, CDROMMULTISESSION, CDROM_DISC_STATUS
//!   profile ──── GET CONFIGURATION
//! ```

pub use crate::os::disc::{Profile, Toc, Track, refusal, suspicious_size, writable_medium};

use crate::os::Blame;
use crate::os::control::{Control, Request};
use std::io;
use std::time::Duration;

/// A drive may think for long about a bad sector; nothing here waits longer.
const PATIENCE: Duration = Duration::from_secs(60);
const LEAD_OUT: u8 = 0xaa;

/// The disc's table of contents.
///
/// # Errors
/// What the drive answered; `InvalidData` when the table contradicts itself. See [`toc_or_whole`].
pub fn toc(control: &dyn Control) -> io::Result<Toc> {
    let mut header = [0; 2];
    control.ioctl(Request::TocHeader, &mut header)?;
    let [first, last] = header;
    if first == 0 || first > last || last > 99 {
        return Err(bad_table(format!("tracks {first} to {last}")));
    }
    let mut tracks = Vec::with_capacity(usize::from(last - first) + 1);
    for number in first..=last {
        let (lba, data) = toc_entry(control, number)?;
        tracks.push(Track { number, lba, len_sectors: 0, data, mode: None });
    }
    let (lead_out, _) = toc_entry(control, LEAD_OUT)?;
    let ends: Vec<u32> = tracks[1..].iter().map(|track| track.lba).chain([lead_out]).collect();
    for (track, end) in tracks.iter_mut().zip(ends) {
        track.len_sectors = end
            .checked_sub(track.lba)
            .filter(|&len| len > 0)
            .ok_or_else(|| bad_table(format!("track {} from {} to {end}", track.number, track.lba)))?;
    }

    // Modes are a matter of CDs; the kernel's own answer rests on a field that most drivers never fill, so the drive is
    // asked as well.
    let status = control.ioctl(Request::DiscStatus, &mut []).unwrap_or(0);
    let mut xa = matches!(status, 103 | 104);
    if profile(control).is_some_and(Profile::is_cd) {
        for track in tracks.iter_mut().filter(|track| track.data) {
            track.mode = track_mode(control, track.number);
            xa |= track.mode == Some(2);
        }
    }
    Ok(Toc { tracks, lead_out, last_session_lba: last_session(control), xa })
}

/// The disc's table of contents, or where the drive gives none that makes sense, one data track over `size` bytes, with
/// the note that says so.
///
/// # Errors
/// Only where the drive or the disc is gone.
pub fn toc_or_whole(control: &dyn Control, size: u64) -> io::Result<(Toc, Option<String>)> {
    match toc(control) {
        Ok(toc) => Ok((toc, None)),
        Err(error) if super::file::blame(&error) == Blame::Gone => Err(error),
        Err(error) => {
            let note = format!("the drive gives no table of contents ({error}): taken as one data track");
            Ok((Toc::whole(size), Some(note)))
        }
    }
}

fn bad_table(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("an impossible table of contents: {what}"))
}

/// A track's first sector, and whether it holds data.
fn toc_entry(control: &dyn Control, number: u8) -> io::Result<(u32, bool)> {
    // struct cdrom_tocentry: track, adr and ctrl in four bits each, format, -, address (4), data mode, - - -
    const BY_LBA: u8 = 1;
    const DATA: u8 = 4;
    let mut entry = [0; 12];
    entry[0] = number;
    entry[2] = BY_LBA;
    control.ioctl(Request::TocEntry, &mut entry)?;
    let control_bits = if cfg!(target_endian = "little") { entry[1] >> 4 } else { entry[1] & 0xf };
    let lba = i32::from_ne_bytes([entry[4], entry[5], entry[6], entry[7]]);
    let lba = u32::try_from(lba).map_err(|_| bad_table(format!("track {number} at {lba}")))?;
    Ok((lba, control_bits & DATA != 0))
}

/// The first sector of the last session; 0 where there is one session, or where the drive does not say.
fn last_session(control: &dyn Control) -> u32 {
    // struct cdrom_multisession: address (4), xa flag, address format, - -
    let mut session = [0; 8];
    session[5] = 1;
    match control.ioctl(Request::MultiSession, &mut session) {
        // The address means something only with the flag.
        Ok(_) if session[4] != 0 => {
            u32::try_from(i32::from_ne_bytes([session[0], session[1], session[2], session[3]])).unwrap_or(0)
        }
        _ => 0,
    }
}

/// The mode of a CD track's data sectors, by READ TRACK INFORMATION.
fn track_mode(control: &dyn Control, number: u8) -> Option<u8> {
    let mut answer = [0; 36];
    let cdb = [0x52, 1, 0, 0, 0, number, 0, 0, answer.len() as u8, 0];
    let reply = control.scsi(&cdb, &mut answer, PATIENCE).ok()?;
    let mode = answer[6] & 0xf;
    (reply.status == 0 && reply.residual <= 29 && matches!(mode, 1 | 2)).then_some(mode)
}

/// The kind of disc in the drive; `None` where the drive does not tell.
pub fn profile(control: &dyn Control) -> Option<Profile> {
    let mut answer = [0; 8];
    let cdb = [0x46, 0, 0, 0, 0, 0, 0, 0, answer.len() as u8, 0];
    let reply = control.scsi(&cdb, &mut answer, PATIENCE).ok()?;
    let number = u16::from_be_bytes([answer[6], answer[7]]);
    (reply.status == 0 && reply.residual == 0 && number != 0).then_some(Profile(number))
}

/// Whether the drive says that it holds no disc, or that its tray is open.
pub fn is_empty(control: &dyn Control) -> bool {
    const NO_DISC: u32 = 1;
    const TRAY_OPEN: u32 = 2;
    matches!(control.ioctl(Request::DriveStatus, &mut []), Ok(NO_DISC | TRAY_OPEN))
}

/// The size that the drive tells, where the kernel shrank the device: on a medium error among the last 75 sectors `sr` sets
/// the capacity to where the failed request began (`sr_done`), and keeps it until the disc is changed.
pub(super) fn told_size(control: &dyn Control, size: u64, sector: u32) -> u64 {
    const MOST: u64 = 75;
    let mut answer = [0; 8];
    let Ok(reply) = control.scsi(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], &mut answer, PATIENCE) else {
        return size;
    };
    let [a, b, c, d, e, f, g, h] = answer;
    if reply.status != 0 || reply.residual != 0 || u32::from_be_bytes([e, f, g, h]) != sector {
        return size;
    }
    let told = (u64::from(u32::from_be_bytes([a, b, c, d])) + 1) * u64::from(sector);
    if told > size && told - size <= MOST * u64::from(sector) { told } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::control::{Recorded, RecordedIoctl, ScsiReply};

    const EIO: i32 = 5;
    const ENOMEDIUM: i32 = 123;

    fn entry(number: u8, lba: i32, data: bool) -> RecordedIoctl {
        let control: u8 = if data { 4 } else { 0 };
        let bits = if cfg!(target_endian = "little") { control << 4 | 1 } else { 0x10 | control };
        let mut bytes = vec![number, bits, 1, 0];
        bytes.extend(lba.to_ne_bytes());
        bytes.extend([0; 4]);
        (Request::TocEntry, Some(number), Ok((bytes, 0)))
    }

    fn good(cdb: &[u8], data: &[u8]) -> (Vec<u8>, ScsiReply, Vec<u8>) {
        (cdb.to_vec(), ScsiReply::default(), data.to_vec())
    }

    /// A drive with tracks of these starts and kinds.
    fn disc(tracks: &[(i32, bool)], lead_out: i32, status: u32, last_session: i32) -> Recorded {
        let mut ioctls = vec![(Request::TocHeader, None, Ok((vec![1, tracks.len() as u8], 0)))];
        for (index, &(lba, data)) in tracks.iter().enumerate() {
            ioctls.push(entry(index as u8 + 1, lba, data));
        }
        ioctls.push(entry(LEAD_OUT, lead_out, true));
        ioctls.push((Request::DiscStatus, None, Ok((vec![], status))));
        let mut session = last_session.to_ne_bytes().to_vec();
        session.extend([u8::from(last_session > 0), 1, 0, 0]);
        ioctls.push((Request::MultiSession, None, Ok((session, 0))));
        Recorded { ioctls, scsi: Vec::new() }
    }

    #[test]
    fn one_data_track_is_no_reason_to_refuse() {
        let toc = toc(&disc(&[(0, true)], 332_800, 101, 0)).unwrap();
        assert_eq!(toc.lead_out, 332_800);
        assert_eq!(toc.tracks, [Track { number: 1, lba: 0, len_sectors: 332_800, data: true, mode: None }]);
        assert_eq!(refusal(&toc), None);
    }

    #[test]
    fn an_audio_disc_is_named() {
        let starts: Vec<_> = (0..12).map(|index| (index * 15_000, false)).collect();
        let toc = toc(&disc(&starts, 180_000, 100, 0)).unwrap();
        let why = refusal(&toc).unwrap();
        assert!(why.starts_with("an audio CD with 12 tracks:"), "{why}");
        assert!(why.ends_with("BIN/CUE is not in this version"), "{why}");
    }

    #[test]
    fn a_mixed_disc_is_named() {
        // Lengths as the drive emulator gave them: 300 data sectors, then two audio tracks.
        let toc = toc(&disc(&[(0, true), (450, false), (600, false)], 750, 105, 0)).unwrap();
        assert_eq!(toc.tracks[1].len_sectors, 150);
        let why = refusal(&toc).unwrap();
        assert!(why.starts_with("a mixed disc with 1 data track and 2 audio tracks:"), "{why}");
    }

    #[test]
    fn a_disc_of_two_sessions_is_named() {
        let toc = toc(&disc(&[(0, true), (11_550, true)], 11_700, 101, 11_550)).unwrap();
        assert_eq!(toc.last_session_lba, 11_550);
        let why = refusal(&toc).unwrap();
        assert!(why.starts_with("a multi-session disc") && why.contains("11550"), "{why}");
        assert!(why.ends_with("BIN/CUE is not in this version"), "{why}");
    }

    #[test]
    fn an_audio_disc_with_a_data_session_is_mixed() {
        let toc = toc(&disc(&[(0, false), (20_000, false), (50_000, true)], 60_000, 105, 50_000)).unwrap();
        let why = refusal(&toc).unwrap();
        assert!(why.starts_with("a mixed disc") && why.contains("several sessions"), "{why}");
    }

    #[test]
    fn mode_2_is_learnt_from_the_kernel_or_the_drive() {
        let by_kernel = toc(&disc(&[(0, true)], 1000, 104, 0)).unwrap();
        assert!(refusal(&by_kernel).unwrap().contains("mode 2"));

        let mut drive = disc(&[(0, true)], 1000, 101, 0);
        drive.scsi.push(good(&[0x46], &[0, 0, 0, 4, 0, 0, 0, 0x08]));
        drive.scsi.push(good(&[0x52, 1, 0, 0, 0, 1], &[0, 34, 1, 1, 0, 4, 2, 0]));
        let by_drive = toc(&drive).unwrap();
        assert_eq!(by_drive.tracks[0].mode, Some(2));
        assert!(by_drive.xa && refusal(&by_drive).unwrap().contains("mode 2"));

        // A DVD's track has no mode, whatever the drive says.
        drive.scsi[0] = good(&[0x46], &[0, 0, 0, 4, 0, 0, 0, 0x10]);
        assert_eq!(refusal(&toc(&drive).unwrap()), None);
    }

    #[test]
    fn impossible_tables_are_refused_and_replaced() {
        let mut none = disc(&[(0, true)], 1000, 101, 0);
        none.ioctls[0].2 = Ok((vec![3, 1], 0));
        assert_eq!(toc(&none).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(toc(&disc(&[(0, true), (500, true), (400, true)], 1000, 101, 0)).is_err());
        assert!(toc(&disc(&[(-150, true)], 1000, 101, 0)).is_err());
        assert!(toc(&disc(&[(0, true)], 0, 101, 0)).is_err());

        none.ioctls[0].2 = Err(EIO);
        let (whole, note) = toc_or_whole(&none, 2048 * 77).unwrap();
        assert_eq!((whole.tracks.len(), whole.lead_out), (1, 77));
        assert!(note.unwrap().contains("one data track"));
        none.ioctls[0].2 = Err(ENOMEDIUM);
        assert_eq!(toc_or_whole(&none, 2048 * 77).unwrap_err().raw_os_error(), Some(ENOMEDIUM));
    }

    #[test]
    fn the_profile_is_the_drives_or_none() {
        let mut drive = Recorded::default();
        assert_eq!(profile(&drive), None);
        drive.scsi.push(good(&[0x46], &[0, 0, 0, 4, 0, 0, 0, 0x43]));
        let kind = profile(&drive).unwrap();
        assert_eq!((kind.name(), writable_medium(kind)), ("BD-RE", true));
        drive.scsi[0].1.status = 2;
        assert_eq!(profile(&drive), None);
    }

    #[test]
    fn a_drive_knows_the_size_that_the_kernel_forgot() {
        // READ CAPACITY answers the last sector and the sector size: 0x1000 sectors.
        let capacity = [0, 0, 0x0f, 0xff, 0, 0, 8, 0];
        let drive = Recorded { ioctls: Vec::new(), scsi: vec![good(&[0x25], &capacity)] };
        let sectors = |count: u64| count * 2048;
        assert_eq!(told_size(&drive, sectors(0x1000), 2048), sectors(0x1000));
        assert_eq!(told_size(&drive, sectors(0x1000 - 75), 2048), sectors(0x1000));
        // A larger gap, or another sector, is no shrinking of the kernel's.
        assert_eq!(told_size(&drive, sectors(0x1000 - 76), 2048), sectors(0x1000 - 76));
        assert_eq!(told_size(&drive, sectors(0x1001), 2048), sectors(0x1001));
        assert_eq!(told_size(&drive, sectors(0x0fff), 512), sectors(0x0fff));
        let silent = Recorded { ioctls: Vec::new(), scsi: Vec::new() };
        assert_eq!(told_size(&silent, sectors(9), 2048), sectors(9));
    }

    #[test]
    fn an_open_or_empty_drive_is_told() {
        let drive = |status: u32| Recorded {
            ioctls: vec![(Request::DriveStatus, None, Ok((Vec::new(), status)))],
            scsi: Vec::new(),
        };
        assert!(is_empty(&drive(1)) && is_empty(&drive(2)));
        assert!(!is_empty(&drive(4)));
    }
}
