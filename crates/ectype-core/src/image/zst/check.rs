//! The check: every row of the table against its frame, and every frame unpacked against its checksums.

use super::frames::Walk;
use super::index::{Frame, Index};
use super::layout::{zero_frame, zero_frame_len};
use super::reader::Cursor;
use crate::error::{Error, Kind, Result};
use crate::image::{Findings, codec};
use crate::io::ReadAt;

/// Frames of zeros are all the same, and long: one of each length is unpacked, of so many lengths.
const LENGTHS: usize = 64;

pub(super) fn check(stored: &dyn ReadAt, index: &Index, findings: &mut Findings) -> Result<()> {
    let unpacks = codec::has_zstd();
    if let Err(error) = &unpacks {
        findings.notes.push(format!("content is not looked at: {error}"));
    }
    let mut walk = Walk::new(stored, stored.size());
    let mut sound_zeros: Vec<Vec<u8>> = Vec::new();
    let mut frames = index.all(stored)?;
    while let Some(frame) = frames.any()? {
        let at = frame.stored.offset;
        let shape = match walk.frame(at) {
            Ok(shape) => shape,
            Err(error) => {
                told(findings, at, error)?;
                continue;
            }
        };
        if shape.stored.len != frame.stored.len {
            let (real, row) = (shape.stored.len, frame.stored.len);
            findings.fault(at, format!("a frame of {real} bytes, of which the seek table says {row}"));
        }
        let holds = if shape.header.is_some() { shape.content } else { Some(0) };
        if let Some(holds) = holds.filter(|holds| *holds != frame.content.len) {
            let row = frame.content.len;
            findings.fault(
                at,
                format!("a frame with {holds} bytes of content, of which the seek table says {row}"),
            );
            continue;
        }
        if unpacks.is_err() || shape.header.is_none() {
            continue;
        }
        let zeros = frame.stored.len == zero_frame_len(frame.content.len);
        let packed = if zeros { walk.peek(at, frame.stored.len)?.to_vec() } else { Vec::new() };
        if zeros && sound_zeros.contains(&packed) && frame.checksum.is_none() {
            continue;
        }
        match unpack(stored, &frame) {
            Ok(())
                if zeros
                    && sound_zeros.len() < LENGTHS
                    && packed.starts_with(&zero_frame(frame.content.len)) =>
            {
                sound_zeros.push(packed);
            }
            Ok(()) => {}
            Err(error) => told(findings, at, error)?,
        }
    }
    Ok(())
}

/// Unpacks a frame part by part and forgets it.
pub(super) fn unpack(stored: &dyn ReadAt, frame: &Frame) -> Result<()> {
    let mut cursor = Cursor::new(stored, frame)?;
    loop {
        cursor.part(stored)?;
        if cursor.at_end() {
            return Ok(());
        }
    }
}

/// What contradicts the format is a fault; what could not be read is the end of the check.
fn told(findings: &mut Findings, at: u64, error: Error) -> Result<()> {
    match error.kind() {
        Kind::Corrupt | Kind::Unsupported => {
            findings.fault(error.offset().unwrap_or(at), error.to_string());
            Ok(())
        }
        _ => Err(error),
    }
}
