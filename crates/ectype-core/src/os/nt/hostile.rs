//! A driver that answers anything, for the fuzzer: what is asked of it must end, without a panic and within bounds.

use super::names::{self, Name};
use super::request::{Asking, Property, Query, asked, property};
use super::sectors::Sectors;
use super::{code, holders, is_empty, pass_through, replies, sectors, sizes, toc};
use crate::os::Blame;
use crate::os::control::{Commands, ScsiReply};
use std::cell::Cell;
use std::io;
use std::time::Duration;

/// Its answers, in the order of asking; behind the last one everything is unknown.
struct Driver<'a>(Cell<&'a [u8]>);

impl Driver<'_> {
    fn take(&self, most: usize) -> &[u8] {
        let all = self.0.get();
        let (taken, rest) = all.split_at(most.min(all.len()));
        self.0.set(rest);
        taken
    }

    /// An answer: how it ends, and where well, its bytes.
    fn answer(&self, to: &mut [u8]) -> io::Result<usize> {
        let failed = |code| Err(io::Error::from_raw_os_error(code));
        let [how, len] = *self.take(2) else { return failed(code::NOT_SUPPORTED) };
        match how {
            0..16 => failed(i32::from(how)),
            16 => failed(code::MORE_DATA),
            17 => failed(code::INSUFFICIENT_BUFFER),
            18 => failed(code::NOT_READY),
            19 => failed(code::HANDLE_EOF),
            // It may say that more came than there is.
            _ => {
                let bytes = self.take(usize::from(len).min(to.len()));
                to[..bytes.len()].copy_from_slice(bytes);
                Ok(usize::from(len))
            }
        }
    }
}

impl Commands for Driver<'_> {
    fn scsi(&self, _: &[u8], data: &mut [u8], _: Duration) -> io::Result<ScsiReply> {
        let [status, sense, residual] = *self.take(3) else {
            return Err(io::Error::from_raw_os_error(code::NOT_SUPPORTED));
        };
        self.answer(data)?;
        let sense = self.take(usize::from(sense)).to_vec();
        Ok(ScsiReply { status, sense, residual: residual.into() })
    }
}

impl Asking for Driver<'_> {
    fn ask(&self, _: Query, _: &[u8], output: &mut [u8]) -> io::Result<usize> {
        self.answer(output)
    }
}

impl Sectors for Driver<'_> {
    fn read_sectors(&self, buf: &mut [u8], _: u64) -> io::Result<usize> {
        match self.take(1) {
            [0] => self.answer(&mut []),
            [1] => Ok(0),
            [_] => Ok(buf.len()),
            _ => Err(io::Error::from_raw_os_error(code::HANDLE_EOF)),
        }
    }
}

fn blame(error: &io::Error) -> Blame {
    if error.raw_os_error() == Some(23) { Blame::Medium } else { Blame::Other }
}

/// Takes these bytes for everything that Windows and its drivers answer.
pub fn answers(input: &[u8]) {
    for optical in [false, true] {
        let driver = Driver(Cell::new(input));
        if let Ok(found) = sizes::sizes(&driver, &driver, optical, blame) {
            let geometry = found.geometry;
            assert!(geometry.sector > 0 && geometry.size > 0 && geometry.size <= 1 << 62);
            assert!(geometry.size.is_multiple_of(geometry.sector.into()));
            assert!(geometry.physical_sector >= geometry.sector);
            for at in [0, 1, geometry.size / 2, geometry.size - 1, geometry.size, u64::MAX] {
                let mut buf = [0; 700];
                let _ = sectors::read(&driver, geometry, &mut buf, at);
            }
        }
    }
    let driver = Driver(Cell::new(input));
    if let Ok(toc) = toc::toc(&driver) {
        let mut end = toc.tracks[0].lba;
        for track in &toc.tracks {
            assert_eq!(track.lba, end);
            end = track.lba.checked_add(track.len_sectors).expect("it lies before the lead-out");
        }
        assert_eq!(end, toc.lead_out);
    }
    let driver = Driver(Cell::new(input));
    for of in [Property::Device, Property::Alignment, Property::SeekPenalty] {
        let _ = property(&driver, of).map(|reply| structures(&reply));
    }
    let _ = asked(&driver, Query::Layout, &[]).map_err(|error| is_empty(&error));
    structures(input);
    let units: Vec<u16> = input.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    for text in names::list(&units).iter().map(String::as_str).chain(std::str::from_utf8(input)) {
        named(text);
    }
}

/// One reply as each of the structures.
fn structures(reply: &[u8]) {
    for extent in replies::extents(reply).into_iter().flatten() {
        assert!(extent.offset.checked_add(extent.len).is_some());
    }
    for part in replies::layout(reply).into_iter().flatten() {
        assert!(part.len > 0 && part.offset.checked_add(part.len).is_some());
    }
    if let Some(told) = replies::descriptor(reply) {
        assert!(!told.model.chars().chain(told.serial.chars()).any(char::is_control));
    }
    if let Some((logical, physical)) = replies::alignment(reply) {
        assert!(logical > 0 && physical >= logical);
    }
    let _ = (replies::length(reply), replies::geometry(reply), replies::capacity(reply));
    let _ = (replies::device_number(reply), replies::seek_penalty(reply), replies::profile(reply));
    let handles = holders::handles(reply);
    assert!(handles.len() <= reply.len() / 40);
    let _ = holders::files(&handles, 4, 4);
    if let Some(bytes) = reply.first_chunk() {
        let reply = pass_through::reply(bytes, 2048);
        assert!(reply.residual <= 2048);
    }
}

/// What is a device's name is the same one under the name by which it is opened.
fn named(text: &str) {
    let _ = holders::lies_on(text, r"\Device\HarddiskVolume1");
    let Some(name) = names::parse(text) else { return };
    let _ = name.short();
    if let Some(root) = name.root() {
        assert_eq!(names::parse(&root).as_ref(), Some(&name), "{text:?}");
    }
    if !matches!(name, Name::Other(_)) {
        assert_eq!(names::parse(&name.device()), Some(name), "{text:?}");
    }
}

/// The same in the tests, where no fuzzer is.
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn hostile_drivers_end_in_answers(input in proptest::collection::vec(any::<u8>(), 0..600)) {
            super::answers(&input);
        }
    }
}
