//! An optical disc's table of contents, as Windows gives it: the answer to READ TOC of MMC, big-endian.
//!
//! ```text
//!   length (2)  first  last │ -  adr|ctrl  track  -  address (4) │ …      the last row is the lead-out, track 0xAA
//! ```

use super::replies;
use super::request::{Asking, Query, asked};
use crate::os::disc::{Profile, Toc, Track};
use std::io;
use std::time::Duration;

const LEAD_OUT: u8 = 0xaa;

/// A drive may think for long; nothing here waits longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// CDROM_READ_TOC_EX: the tracks in sectors; the sessions in sectors.
const TRACKS: [u8; 4] = [0, 0, 0, 0];
const SESSIONS: [u8; 4] = [1, 1, 0, 0];

/// The disc's table of contents.
///
/// # Errors
/// What the drive answered; `InvalidData` when the table contradicts itself.
pub(in crate::os) fn toc(drive: &dyn Asking) -> io::Result<Toc> {
    let rows = match asked(drive, Query::TocEx, &TRACKS) {
        Ok(reply) => rows(&reply, lba)?,
        Err(error) if super::is_unknown(&error) => rows(&asked(drive, Query::Toc, &[])?, msf)?,
        Err(error) => return Err(error),
    };
    let (lead_out, tracks) = match rows.split_last() {
        Some((last, tracks)) if last.number == LEAD_OUT && !tracks.is_empty() => (last.lba, tracks),
        _ => return Err(bad("no lead-out".to_owned())),
    };
    let mut list: Vec<Track> = Vec::with_capacity(tracks.len());
    for (index, row) in tracks.iter().enumerate() {
        let end = tracks.get(index + 1).map_or(lead_out, |next| next.lba);
        let expected = usize::from(tracks[0].number) + index;
        let len_sectors = end.checked_sub(row.lba).filter(|&len| len > 0);
        let Some(len_sectors) = len_sectors.filter(|_| usize::from(row.number) == expected && expected <= 99)
        else {
            return Err(bad(format!("track {} from {} to {end}", row.number, row.lba)));
        };
        list.push(Track { number: row.number, lba: row.lba, len_sectors, data: row.data, mode: None });
    }
    let mut xa = false;
    if profile(drive).is_some_and(Profile::is_cd) {
        for track in list.iter_mut().filter(|track| track.data) {
            track.mode = track_mode(drive, track.number);
            xa |= track.mode == Some(2);
        }
    }
    Ok(Toc { tracks: list, lead_out, last_session_lba: last_session(drive), xa })
}

struct Row {
    number: u8,
    lba: u32,
    data: bool,
}

/// The rows that the reply really has, whatever its header says of more.
fn rows(reply: &[u8], address: fn([u8; 4]) -> Option<u32>) -> io::Result<Vec<Row>> {
    let &[high, low, first, last, ..] = reply else { return Err(bad("no header".to_owned())) };
    // The length does not count its own two bytes.
    let len = usize::from(u16::from_be_bytes([high, low])) + 2;
    let list = reply.get(4..len.min(reply.len())).unwrap_or(&[]);
    if first == 0 || first > last || last > 99 {
        return Err(bad(format!("tracks {first} to {last}")));
    }
    let count = usize::from(last - first) + 2;
    let row = |row: &[u8]| {
        let place = [row[4], row[5], row[6], row[7]];
        let lba = address(place).ok_or_else(|| bad(format!("track {} at {place:02x?}", row[2])))?;
        Ok(Row { number: row[2], lba, data: row[1] & 4 != 0 })
    };
    list.chunks_exact(8).take(count).map(row).collect()
}

/// An address in sectors. One before the first is none.
fn lba(address: [u8; 4]) -> Option<u32> {
    Some(u32::from_be_bytes(address)).filter(|&lba| i32::try_from(lba).is_ok())
}

/// An address in minutes, seconds and frames, 75 to the second, which count from 2 seconds before the first sector.
fn msf([_, minutes, seconds, frames]: [u8; 4]) -> Option<u32> {
    ((u32::from(minutes) * 60 + u32::from(seconds)) * 75 + u32::from(frames)).checked_sub(150)
}

/// The first sector of the last session; 0 where there is one session, or where the drive does not say.
fn last_session(drive: &dyn Asking) -> u32 {
    let reply = asked(drive, Query::TocEx, &SESSIONS).or_else(|_| asked(drive, Query::LastSession, &[]));
    match reply.as_deref() {
        Ok(&[_, _, first, last, _, _, _, _, a, b, c, d, ..]) if last > first => {
            lba([a, b, c, d]).unwrap_or(0)
        }
        _ => 0,
    }
}

/// The mode of a CD track's data sectors, by READ TRACK INFORMATION.
fn track_mode(drive: &dyn Asking, number: u8) -> Option<u8> {
    let mut answer = [0; 36];
    let cdb = [0x52, 1, 0, 0, 0, number, 0, 0, answer.len() as u8, 0];
    let reply = drive.scsi(&cdb, &mut answer, PATIENCE).ok()?;
    let mode = answer[6] & 0xf;
    (reply.status == 0 && reply.residual <= 29 && matches!(mode, 1 | 2)).then_some(mode)
}

/// The kind of disc in the drive; `None` where the drive does not tell.
pub(in crate::os) fn profile(drive: &dyn Asking) -> Option<Profile> {
    // GET_CONFIGURATION_IOCTL_INPUT: the feature, how many, two pointers that are not used. The header is all that is read.
    if let Ok(number) = asked(drive, Query::Configuration, &[0; 24]).map(|reply| replies::profile(&reply)) {
        return number.map(Profile);
    }
    let mut answer = [0; 8];
    let cdb = [0x46, 0, 0, 0, 0, 0, 0, 0, answer.len() as u8, 0];
    let reply = drive.scsi(&cdb, &mut answer, PATIENCE).ok()?;
    (reply.status == 0 && reply.residual == 0).then(|| replies::profile(&answer))?.map(Profile)
}

fn bad(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("an impossible table of contents: {what}"))
}

#[cfg(test)]
mod tests {
    use super::super::recorded::{self, bytes};
    use super::super::request::Replies;
    use super::*;
    use crate::os::control::ScsiReply;
    use crate::os::disc::refusal;

    fn drive(query: Query, reply: &str) -> Replies {
        Replies { asked: vec![(query, Ok(bytes(reply)))], ..Replies::default() }
    }

    #[test]
    fn a_mixed_disc_in_both_spellings() {
        for drive in [drive(Query::TocEx, recorded::TOC_LBA), drive(Query::Toc, recorded::TOC_MSF)] {
            let toc = toc(&drive).unwrap();
            let starts: Vec<_> =
                toc.tracks.iter().map(|track| (track.number, track.lba, track.data)).collect();
            assert_eq!(starts, [(1, 0, true), (2, 450, false), (3, 600, false)]);
            assert_eq!((toc.lead_out, toc.tracks[2].len_sectors), (750, 150));
            let why = refusal(&toc).unwrap();
            assert!(why.starts_with("a mixed disc with 1 data track and 2 audio tracks:"), "{why}");
        }
    }

    #[test]
    fn an_audio_disc_is_refused_by_name() {
        let mut reply = bytes(recorded::TOC_LBA);
        reply[5] &= 0xfb;
        let toc = toc(&Replies { asked: vec![(Query::TocEx, Ok(reply))], ..Replies::default() }).unwrap();
        assert!(refusal(&toc).unwrap().starts_with("an audio CD with 3 tracks"));
    }

    #[test]
    fn sessions_are_found() {
        let mut drive = drive(Query::Toc, recorded::TOC_MSF);
        drive.asked.push((Query::LastSession, Ok(bytes(recorded::SESSION))));
        assert_eq!(last_session(&drive), 11_550);
        // One session, whatever the address.
        let mut single = bytes(recorded::SESSION);
        single[3] = 1;
        drive.asked[1].1 = Ok(single);
        assert_eq!(last_session(&drive), 0);
        assert_eq!(SESSIONS.to_vec(), bytes(recorded::TOC_EX_SESSION));
    }

    #[test]
    fn impossible_tables_are_refused() {
        let good = bytes(recorded::TOC_LBA);
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut reply = good.clone();
            change(&mut reply);
            toc(&Replies { asked: vec![(Query::TocEx, Ok(reply))], ..Replies::default() })
        };
        assert!(changed(&|_| {}).is_ok());
        type Lie<'a> = &'a dyn Fn(&mut Vec<u8>);
        let lies: [Lie<'_>; 8] = [
            &|reply| reply.truncate(3),
            &|reply| reply.truncate(20),
            &|reply| reply[1] = 10,
            &|reply| reply[2] = 0,
            &|reply| reply[3] = 100,
            // A track before the one before it, one with another number, one before the disc.
            &|reply| reply[18..20].copy_from_slice(&[0xff, 0xff]),
            &|reply| reply[14] = 7,
            &|reply| reply[8..12].copy_from_slice(&[0xff; 4]),
        ];
        for (index, lie) in lies.iter().enumerate() {
            assert_eq!(changed(lie).unwrap_err().kind(), io::ErrorKind::InvalidData, "{index}");
        }
        // A length that claims more than came is cut to what came.
        assert!(changed(&|reply| reply[..2].copy_from_slice(&[0xff, 0xff])).is_ok());
        // More tracks than rows.
        assert!(changed(&|reply| reply[3] = 9).is_ok_and(|toc| toc.tracks.len() == 3));
        let gone = Replies { asked: vec![(Query::TocEx, Err(21))], ..Replies::default() };
        assert_eq!(toc(&gone).unwrap_err().raw_os_error(), Some(21));
    }

    #[test]
    fn mode_2_is_learnt_from_the_drive_of_a_cd() {
        let good = |cdb: &[u8], data: &[u8]| (cdb.to_vec(), ScsiReply::default(), data.to_vec());
        let mut drive = Replies {
            asked: vec![(Query::TocEx, Ok(bytes("0012 0101 00140100 00000000 0014aa00 000003e8")))],
            scsi: vec![
                good(&[0x46], &[0, 0, 0, 4, 0, 0, 0, 8]),
                good(&[0x52, 1], &[0, 34, 1, 1, 0, 4, 2, 0]),
            ],
        };
        assert!(refusal(&toc(&drive).unwrap()).unwrap().contains("mode 2"));
        drive.asked.push((Query::Configuration, Ok(vec![0, 0, 0, 4, 0, 0, 0, 0x10])));
        assert_eq!(refusal(&toc(&drive).unwrap()), None);
        assert_eq!(profile(&drive), Some(Profile(0x10)));
        assert_eq!(profile(&Replies::default()), None);
    }
}
