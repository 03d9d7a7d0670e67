//! Names and identifiers as they lie on disks.

use std::fmt::Write;

/// Bytes in an unknown 8-bit code, in practice ASCII or UTF-8, up to the first zero, without padding.
pub(super) fn padded(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim_end_matches(' ').to_owned()
}

/// UTF-16 up to the first zero, without padding.
fn utf16(units: impl Iterator<Item = u16>) -> String {
    let text: String =
        char::decode_utf16(units.take_while(|&unit| unit != 0)).map(|c| c.unwrap_or('\u{fffd}')).collect();
    text.trim_end_matches(' ').to_owned()
}

pub(super) fn utf16_le(bytes: &[u8]) -> String {
    utf16(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])))
}

pub(super) fn utf16_be(bytes: &[u8]) -> String {
    utf16(bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])))
}

/// A UUID in the order of its bytes; an all-zero one is none.
pub(super) fn uuid(bytes: &[u8; 16]) -> String {
    if bytes.iter().all(|&byte| byte == 0) {
        return String::new();
    }
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A GUID as Microsoft stores it: the first three groups little-endian.
pub(super) fn guid(bytes: &[u8; 16]) -> String {
    let b = bytes;
    uuid(&[
        b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15],
    ])
}

/// A 32-bit volume serial number as DOS prints it.
pub(super) fn dos_serial(serial: u32) -> String {
    match serial {
        0 => String::new(),
        _ => format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff),
    }
}
