//! Reading by SCSI commands: they tell what a block read does not, the sector that failed and why.
//!
//! ```text
//!   ├── good ──┼─ bad ─┼──── not read ────┤     READ(10) or READ(16), CHECK CONDITION:
//!              ▲                                sense key 3, INFORMATION = this sector (SPC-4 4.5, SBC-3 5.8)
//! ```
//!
//! Drives differ in whether they give what lies before the bad sector: where they do not, it is read once more, up to there.

use crate::os::control::{Asked, Commands};
use crate::os::disc::Sense;
use std::io;
use std::time::Duration;

/// A drive may think for long about a bad sector; nothing here waits longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most that one command asks for, in bytes: what the least of adapters (USB bridges) carry.
const MOST: usize = 32 << 10;

/// A command that was aborted, or that came just after a reset, is given so often.
const TRIES: usize = 4;

/// The bad sectors that a drive may name for one command, each before the last: more is no drive's honest answer.
const CHANGES_OF_MIND: usize = 8;

/// Reads sectors of `sector` bytes from `lba` into `buf`, as far as they are good.
///
/// # Errors
/// Where the drive takes no such commands, or they do not reach it: nothing is known of the medium then.
pub(super) fn read(control: &dyn Commands, mut lba: u64, sector: u32, buf: &mut [u8]) -> io::Result<Asked> {
    let size = sector as usize;
    let mut good = 0;
    while good < buf.len() {
        let len = (buf.len() - good).min(MOST - MOST % size);
        let chunk = read_chunk(control, lba, sector, &mut buf[good..good + len])?;
        good += chunk.good;
        if chunk.sense.is_some() {
            return Ok(Asked { good, ..chunk });
        }
        lba += (len / size) as u64;
    }
    Ok(Asked { good, sense: None, is_bad_next: false })
}

/// The same of what one command can carry.
fn read_chunk(control: &dyn Commands, lba: u64, sector: u32, buf: &mut [u8]) -> io::Result<Asked> {
    let mut len = buf.len();
    let mut named: Option<Sense> = None;
    for _ in 0..CHANGES_OF_MIND {
        let Some(sense) = command(control, lba, sector, &mut buf[..len])? else {
            return Ok(Asked { good: len, sense: named, is_bad_next: named.is_some() });
        };
        let count = (len / sector as usize) as u64;
        let Some(bad) = sense.information.filter(|bad| (lba..lba + count).contains(bad)) else {
            return Ok(Asked { good: 0, sense: Some(sense), is_bad_next: false });
        };
        named = Some(sense);
        len = (bad - lba) as usize * sector as usize;
        if len == 0 {
            return Ok(Asked { good: 0, sense: named, is_bad_next: true });
        }
    }
    Ok(Asked { good: 0, sense: named, is_bad_next: false })
}

/// One READ that fills all of `buf`; what the drive said where it did not.
fn command(control: &dyn Commands, lba: u64, sector: u32, buf: &mut [u8]) -> io::Result<Option<Sense>> {
    const UNIT_ATTENTION: u8 = 6;
    const ABORTED: u8 = 0xb;
    const RECOVERED: u8 = 1;
    let count = (buf.len() / sector as usize) as u16;
    let [_, _, _, _, a, b, c, d] = lba.to_be_bytes();
    let [high, low] = count.to_be_bytes();
    let short = [0x28, 0, a, b, c, d, 0, high, low, 0];
    let mut long = [0; 16];
    long[0] = 0x88;
    long[2..10].copy_from_slice(&lba.to_be_bytes());
    long[10..14].copy_from_slice(&u32::from(count).to_be_bytes());
    let is_short = lba.checked_add(count.into()).is_some_and(|end| end <= u64::from(u32::MAX));
    let cdb: &[u8] = if is_short { &short } else { &long };
    for _ in 0..TRIES {
        let reply = control.scsi(cdb, buf, PATIENCE)?;
        let sense = Sense::parse(&reply.sense);
        let recovered = sense.is_some_and(|sense| sense.key == RECOVERED);
        match (reply.status, sense) {
            (status, _) if (status == 0 || recovered) && reply.residual == 0 => return Ok(None),
            (2, Some(sense)) if matches!(sense.key, UNIT_ATTENTION | ABORTED) && !sense.other_medium() => {}
            // An illegal request says that the command is not known, unless it names what is wrong with the sector.
            (2, Some(sense)) if sense.key != 5 || of_the_sector(sense) => return Ok(Some(sense)),
            (status, _) => {
                return Err(io::Error::other(format!("the drive took no READ (SCSI status {status:#x})")));
            }
        }
    }
    Err(io::Error::other("the drive aborts every READ"))
}

/// Whether an illegal request is one because of the sector, not of the command.
fn of_the_sector(sense: Sense) -> bool {
    sense.protected().is_some() || sense.no_such_sector()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::control::ScsiReply;
    use std::sync::Mutex;

    const SECTOR: u32 = 512;

    /// A drive of sectors whose bytes say their number.
    #[derive(Default)]
    struct Drive {
        bad: Vec<u64>,
        /// A failed command gives what lies before the bad sector.
        gives: bool,
        /// The sense names the sector.
        names: bool,
        /// So many commands meet a unit attention first.
        attentions: Mutex<usize>,
        sense: Option<Vec<u8>>,
        log: Mutex<Vec<(u64, u64, bool)>>,
    }

    fn fixed(key: u8, asc: u8, ascq: u8, information: Option<u64>) -> Vec<u8> {
        let mut sense = vec![0; 18];
        sense[0] = if information.is_some() { 0xf0 } else { 0x70 };
        sense[2] = key;
        sense[3..7].copy_from_slice(&(information.unwrap_or(0) as u32).to_be_bytes());
        (sense[7], sense[12], sense[13]) = (10, asc, ascq);
        sense
    }

    impl Commands for Drive {
        fn scsi(&self, cdb: &[u8], data: &mut [u8], _timeout: Duration) -> io::Result<ScsiReply> {
            assert!(crate::os::control::only_reads(cdb), "{cdb:02x?}");
            let number = |bytes: &[u8]| bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
            let (lba, count) = match cdb[0] {
                0x28 => (number(&cdb[2..6]), number(&cdb[7..9])),
                _ => (number(&cdb[2..10]), number(&cdb[10..14])),
            };
            assert_eq!(count * u64::from(SECTOR), data.len() as u64);
            let attention =
                || ScsiReply { status: 2, sense: fixed(6, 0x29, 0, None), residual: data.len() as u32 };
            let mut attentions = self.attentions.lock().unwrap();
            if *attentions > 0 {
                *attentions -= 1;
                return Ok(attention());
            }
            if let Some(sense) = &self.sense {
                return Ok(ScsiReply { status: 2, sense: sense.clone(), residual: data.len() as u32 });
            }
            let bad = self.bad.iter().copied().filter(|bad| (lba..lba + count).contains(bad)).min();
            self.log.lock().unwrap().push((lba, count, bad.is_none()));
            let good = bad.map_or(count, |bad| if self.gives { bad - lba } else { 0 });
            for (index, sector) in data.chunks_mut(SECTOR as usize).enumerate().take(good as usize) {
                sector.fill((lba + index as u64) as u8);
            }
            Ok(match bad {
                None => ScsiReply::default(),
                Some(bad) => ScsiReply {
                    status: 2,
                    sense: fixed(3, 0x11, 0, self.names.then_some(bad)),
                    residual: ((count - good) * u64::from(SECTOR)) as u32,
                },
            })
        }
    }

    fn asked(drive: &Drive, lba: u64, sectors: usize) -> (Asked, Vec<u8>) {
        let mut buf = vec![0xee; sectors * SECTOR as usize];
        (read(drive, lba, SECTOR, &mut buf).unwrap(), buf)
    }

    #[test]
    fn a_good_range_comes_in_commands_that_any_adapter_takes() {
        let drive = Drive::default();
        let (asked, buf) = asked(&drive, 1000, 2048);
        assert_eq!((asked.good, asked.sense), (1 << 20, None));
        assert!(
            buf.chunks(512)
                .enumerate()
                .all(|(index, sector)| sector.iter().all(|&byte| byte == (1000 + index) as u8))
        );
        assert_eq!(drive.log.lock().unwrap().len(), 32);
    }

    #[test]
    fn the_named_sector_ends_what_is_good() {
        for gives in [true, false] {
            for bad in [0, 1, 200, 255, 256, 700, 2047] {
                let drive =
                    Drive { bad: vec![5000 + bad, 5000 + bad + 1], names: true, gives, ..Drive::default() };
                let (asked, buf) = asked(&drive, 5000, 2048);
                assert_eq!(asked.good as u64, bad * 512, "{gives}");
                assert!(asked.is_bad_next && asked.sense.unwrap().medium_error());
                let held = buf[..asked.good].chunks(512).enumerate();
                assert!(held.into_iter().all(|(index, sector)| sector[7] == (5000 + index) as u8));
                let failed = drive.log.lock().unwrap().iter().filter(|(_, _, good)| !good).count();
                assert_eq!(failed, 1, "one failed command for a bad sector");
            }
        }
    }

    #[test]
    fn a_drive_that_names_no_sector_or_a_foreign_one_is_believed_only_that_it_failed() {
        let drive = Drive { bad: vec![70], ..Drive::default() };
        let (told, _) = asked(&drive, 64, 64);
        assert_eq!((told.good, told.is_bad_next), (0, false));
        let drive = Drive { sense: Some(fixed(3, 0x11, 0, Some(9))), ..Drive::default() };
        let (told, _) = asked(&drive, 64, 64);
        assert_eq!((told.good, told.is_bad_next), (0, false));
        assert!(told.sense.unwrap().medium_error());
    }

    #[test]
    fn after_a_reset_the_command_is_given_again() {
        let drive = Drive { attentions: Mutex::new(2), ..Drive::default() };
        assert_eq!(asked(&drive, 0, 8).0.good, 8 * 512);
        let drive = Drive { attentions: Mutex::new(100), ..Drive::default() };
        assert!(read(&drive, 0, SECTOR, &mut [0; 512]).is_err());
        // But a medium that may be another is no reset.
        let drive = Drive { sense: Some(fixed(6, 0x28, 0, None)), ..Drive::default() };
        assert!(asked(&drive, 0, 1).0.sense.unwrap().other_medium());
    }

    #[test]
    fn an_unknown_command_is_no_damage_and_protection_is_named() {
        let drive = Drive { sense: Some(fixed(5, 0x20, 0, None)), ..Drive::default() };
        assert!(read(&drive, 0, SECTOR, &mut [0; 512]).is_err());
        let drive = Drive { sense: Some(fixed(5, 0x6f, 3, None)), ..Drive::default() };
        assert!(asked(&drive, 0, 1).0.sense.unwrap().protected().is_some());
    }

    #[test]
    fn an_unknown_sector_is_not_taken_for_an_unknown_command() {
        for (key, asc) in [(8, 0), (5, 0x64), (5, 0x21)] {
            let drive = Drive { sense: Some(fixed(key, asc, 0, None)), ..Drive::default() };
            let sense = asked(&drive, 0, 1).0.sense.unwrap();
            assert!(sense.medium_error() && sense.unwritten() == (key == 8), "{sense:?}");
        }
    }

    #[test]
    fn sectors_behind_32_bits_take_the_long_command() {
        let lba = u64::from(u32::MAX) - 1;
        let drive = Drive::default();
        let (told, buf) = asked(&drive, lba, 8);
        assert_eq!(told.good, 8 * 512);
        assert_eq!(buf[512 * 3], (lba + 3) as u8);
        // The last that the short one reaches.
        assert_eq!(asked(&drive, lba - 7, 8).0.good, 8 * 512);
    }
}
