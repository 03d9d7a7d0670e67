//! How a differencing image names its parent.
//!
//! ```text
//!   header   parent unique id ── must be the parent's own
//!            parent unicode name  "C:\vm\base.vhd"
//!            locators  W2ku ──► "C:\vm\base.vhd"     W2ru ──► ".\base.vhd"     MacX ──► "file:///vm/base.vhd"
//! ```

use super::super::{Gate, Opened, Parent};
use super::layout::{Header, Locator, SECTOR};
use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use std::sync::Arc;
use zerocopy::byteorder::{BigEndian, U16};

/// No path is longer than Windows' longest, in bytes.
const LONGEST_PATH: u32 = 64 << 10;

/// The names of the parent that the header leads to, the likeliest first.
pub(super) fn names(stored: &dyn ReadAt, header: &Header, notes: &mut Vec<String>) -> Vec<String> {
    let mut found: Vec<(u8, String)> = Vec::new();
    for locator in &header.parent_locators {
        let (rank, decode): (u8, fn(&[u8]) -> String) = match &locator.platform_code {
            // Relative paths outlive a move of the folder.
            b"W2ru" => (0, utf16_le),
            b"W2ku" => (1, utf16_le),
            b"MacX" => (3, from_url),
            // Deprecated, in a code page of old.
            b"Wi2r" => (4, latin),
            b"Wi2k" => (5, latin),
            [0, 0, 0, 0] => continue,
            code => {
                notes.push(format!("a parent locator of the unknown platform {} is ignored", text(code)));
                continue;
            }
        };
        match path(stored, locator) {
            Some(bytes) => found.push((rank, decode(&bytes))),
            None => notes.push(format!(
                "the parent locator {} leads outside the file, and is ignored",
                text(&locator.platform_code)
            )),
        }
    }
    let units = header.parent_unicode_name.iter().map(|unit| unit.get());
    let name: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    found.push((2, String::from_utf16_lossy(&name)));
    found.sort_by_key(|(rank, _)| *rank);
    let mut names: Vec<String> = Vec::new();
    for (_, name) in found {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn path(stored: &dyn ReadAt, locator: &Locator) -> Option<Vec<u8>> {
    let len = locator.platform_data_length.get();
    let end = locator.platform_data_offset.get().checked_add(u64::from(len))?;
    if len > LONGEST_PATH || end > stored.size() {
        return None;
    }
    let mut bytes = vec![0; len as usize];
    stored.read_at(&mut bytes, locator.platform_data_offset.get()).ok()?;
    Some(bytes)
}

fn utf16_le(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    String::from_utf16_lossy(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>())
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().take_while(|byte| **byte != 0).map(|&byte| char::from(byte)).collect()
}

/// The path of a `file:` URL, in UTF-8 with percent signs for what a URL cannot hold.
fn from_url(bytes: &[u8]) -> String {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let bytes = bytes.strip_prefix(b"file://").unwrap_or(bytes);
    let bytes = bytes.strip_prefix(b"localhost").unwrap_or(bytes);
    let mut path = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let hex = |digit: u8| char::from(digit).to_digit(16);
        match (first, tail) {
            (b'%', [high, low, behind @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let digits = hex(*high).zip(hex(*low)).map_or(0, |(high, low)| high * 16 + low);
                path.extend(u8::try_from(digits));
                rest = behind;
            }
            _ => {
                path.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&path).into_owned()
}

/// The parent, opened, and proven to be the one that the child was made from.
pub(super) fn open(
    header: &Header,
    names: &[String],
    gate: &mut dyn Gate,
    notes: &mut Vec<String>,
) -> Result<Arc<dyn Opened>> {
    if names.is_empty() {
        return Err(Error::new(Kind::Corrupt, "a differencing image that names no parent"));
    }
    let parent = gate.parent(names, Some("vhd"))?;
    if parent.is_absent() {
        return Ok(parent);
    }
    if header.parent_unique_id == [0; 16] {
        notes.push("which state of the parent it belongs to is not recorded".into());
    } else {
        same(&header.parent_unique_id, &parent.facts().id)?;
    }
    Ok(parent)
}

/// That the parent is the one that is meant.
pub(super) fn same(meant: &[u8; 16], found: &[u8; 16]) -> Result<()> {
    if meant == found {
        return Ok(());
    }
    let what = format!(
        "the parent is not the one that this image was made from: its identifier is {}, and {} is meant",
        id(found),
        id(meant)
    );
    Err(Error::new(Kind::Changed, what)
        .advise("put back the parent as it was, or name the folder where it is:  --parents DIR"))
}

/// An identifier as people write them.
pub(super) fn id(bytes: &[u8; 16]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text += &format!("{byte:02x}");
    }
    text
}

/// Four characters that may be anything.
pub(super) fn text(code: &[u8]) -> String {
    code.escape_ascii().to_string().trim_end_matches("\\x00").trim_end().to_owned()
}

/// The locators of a new image: their platforms and their bytes, one behind the other in whole sectors.
pub(super) fn paths(parent: &Parent) -> Vec<([u8; 4], Vec<u8>)> {
    let encode = |path: &str| path.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let relative = parent.relative.replace('/', "\\");
    let relative = match relative.starts_with(".\\") || relative.starts_with("..\\") {
        true => relative,
        false => format!(".\\{relative}"),
    };
    let mut paths = Vec::new();
    if !parent.absolute.is_empty() {
        paths.push((*b"W2ku", encode(&parent.absolute)));
    }
    if !parent.relative.is_empty() {
        paths.push((*b"W2ru", encode(&relative)));
    }
    paths
}

/// How much room those paths take.
pub(super) fn room(parent: &Parent) -> u64 {
    paths(parent).iter().map(|(_, path)| (path.len() as u64).next_multiple_of(SECTOR)).sum()
}

/// The parent's name as the header has it: Windows' absolute path, where it is one and fits, or its last part, which libvhdi
/// looks for in the child's folder.
pub(super) fn unicode_name(parent: &Parent) -> [U16<BigEndian>; 256] {
    let mut field = [U16::from(0); 256];
    let path = if parent.absolute.is_empty() { &parent.relative } else { &parent.absolute };
    let last = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let fits = path.contains('\\') && path.encode_utf16().count() < field.len();
    let name = if fits { path } else { last };
    for (place, unit) in field[..255].iter_mut().zip(name.encode_utf16()) {
        *place = unit.into();
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_systems() {
        assert_eq!(from_url(b"file://localhost/vm/my%20base.vhd\0\0"), "/vm/my base.vhd");
        assert_eq!(from_url(b"file:///vm/100%.vhd"), "/vm/100%.vhd");
        assert_eq!(latin(b".\\b\xe4se.vhd\0x"), ".\\b\u{e4}se.vhd");
        assert_eq!(utf16_le(b"b\0a\0\0\0x\0"), "ba");
        assert_eq!(text(b"tap\0"), "tap");
        assert_eq!(id(b"x123456789abcdef"), "78313233-3435-3637-3839-616263646566");
    }

    #[test]
    fn a_path_that_is_too_long_for_the_header_leaves_its_last_part() {
        let parent = Parent {
            absolute: format!("C:\\{}\\base.vhd", "x".repeat(300)),
            relative: "../base.vhd".into(),
            ..Parent::default()
        };
        let name = unicode_name(&parent);
        let units: Vec<u16> = name.iter().map(|unit| unit.get()).take_while(|unit| *unit != 0).collect();
        assert_eq!(String::from_utf16(&units).unwrap(), "base.vhd");
        let relative = &paths(&parent)[1];
        assert_eq!((&relative.0, utf16_le(&relative.1).as_str()), (b"W2ru", "..\\base.vhd"));
    }
}
