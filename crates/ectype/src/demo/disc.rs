//! The sample disc: an ISO 9660 image, composed here so that the demonstration needs nothing from the machine.
//!
//! ```text
//!   sector  0        16    17     18    19    20     21      22       23       24             12288
//!           ├ system ┼ PVD ┼ end ┼ path tables ┼ root ┼ PHOTOS ┼ LETTER ┼ README ┼ 8 × PHOTO ────┤
//!           │ area   │     │     │ LE  │ BE    │      │        │  .TXT  │  .TXT  │ 1533 sectors   │
//! ```
//!
//! Specification: ECMA-119, 2nd edition. Level 1 names, one extent a file, no extensions.

/// The sector of a data disc.
pub(super) const SECTOR: usize = 2048;

/// The disc's length in sectors: 24 MiB.
pub(super) const SECTORS: usize = 12_288;

/// The disc's name.
pub(super) const LABEL: &str = "SCRATCHED_DISC";

const PVD: usize = 16;
const TERMINATOR: usize = 17;
const PATHS_LE: usize = 18;
const PATHS_BE: usize = 19;
const ROOT: usize = 20;
const PHOTOS: usize = 21;
const LETTER: usize = 22;
const README: usize = 23;
const FIRST_PHOTO: usize = 24;
const PHOTO_COUNT: usize = 8;
const PHOTO_SECTORS: usize = (SECTORS - FIRST_PHOTO) / PHOTO_COUNT;

const LETTER_TEXT: &str = "Dear reader,\r\n\r\nthis disc has seen better days.\r\n";
const README_TEXT: &str = "A sample disc of `ectype demo`. Its photos are noise.\r\n";

/// Where the photos lie, in sectors: what a scratch may hit.
#[cfg(test)]
pub(super) const PHOTO_AREA: std::ops::Range<usize> = FIRST_PHOTO..SECTORS;

/// A name in a folder, and where its content lies.
struct Entry<'a> {
    name: &'a [u8],
    sector: usize,
    len: usize,
    is_folder: bool,
}

impl<'a> Entry<'a> {
    fn folder(name: &'a [u8], sector: usize) -> Self {
        Entry { name, sector, len: SECTOR, is_folder: true }
    }

    fn file(name: &'a str, sector: usize, len: usize) -> Self {
        Entry { name: name.as_bytes(), sector, len, is_folder: false }
    }
}

/// The disc, always the same.
pub(super) fn compose() -> Vec<u8> {
    let mut disc = vec![0; SECTORS * SECTOR];
    let mut put = |sector: usize, bytes: &[u8]| {
        disc[sector * SECTOR..][..bytes.len()].copy_from_slice(bytes);
    };
    put(PVD, &primary_descriptor());
    put(TERMINATOR, b"\xffCD001\x01");
    put(PATHS_LE, &path_table(u32::to_le_bytes, u16::to_le_bytes));
    put(PATHS_BE, &path_table(u32::to_be_bytes, u16::to_be_bytes));
    put(
        ROOT,
        &folder(&[
            Entry::folder(b"\0", ROOT),
            Entry::folder(b"\x01", ROOT),
            Entry::file("LETTER.TXT;1", LETTER, LETTER_TEXT.len()),
            Entry::folder(b"PHOTOS", PHOTOS),
            Entry::file("README.TXT;1", README, README_TEXT.len()),
        ]),
    );
    let names: Vec<String> = (1..=PHOTO_COUNT).map(|number| format!("PHOTO_{number:02}.RAW;1")).collect();
    let mut photos = vec![Entry::folder(b"\0", PHOTOS), Entry::folder(b"\x01", ROOT)];
    for (index, name) in names.iter().enumerate() {
        let sector = FIRST_PHOTO + index * PHOTO_SECTORS;
        photos.push(Entry::file(name, sector, PHOTO_SECTORS * SECTOR));
        put(sector, &noise(index as u64 + 1, PHOTO_SECTORS * SECTOR));
    }
    put(PHOTOS, &folder(&photos));
    put(LETTER, LETTER_TEXT.as_bytes());
    put(README, README_TEXT.as_bytes());
    disc
}

/// The primary volume descriptor (ECMA-119, 8.4).
fn primary_descriptor() -> Vec<u8> {
    let mut bytes = vec![0; SECTOR];
    let mut put = |offset: usize, part: &[u8]| bytes[offset..][..part.len()].copy_from_slice(part);
    let text = |text: &str, len: usize| format!("{text:<len$}").into_bytes();
    put(0, b"\x01CD001\x01");
    put(8, &text("", 32));
    put(40, &text(LABEL, 32));
    put(80, &both_u32(SECTORS));
    put(120, &both_u16(1));
    put(124, &both_u16(1));
    put(128, &both_u16(SECTOR as u16));
    put(132, &both_u32(path_table(u32::to_le_bytes, u16::to_le_bytes).len()));
    put(140, &(PATHS_LE as u32).to_le_bytes());
    put(148, &(PATHS_BE as u32).to_be_bytes());
    put(156, &directory_record(&Entry::folder(b"\0", ROOT)));
    for (offset, len) in [(190, 128), (318, 128), (446, 128), (702, 37), (739, 37), (776, 37)] {
        put(offset, &text("", len));
    }
    put(574, &text("ECTYPE DEMO", 128));
    // Created and modified; then expires and takes effect, which it does not.
    for (offset, date) in [
        (813, b"2026112212000000\0"),
        (830, b"2026112212000000\0"),
        (847, b"0000000000000000\0"),
        (864, b"0000000000000000\0"),
    ] {
        put(offset, date);
    }
    put(881, b"\x01");
    bytes
}

/// The folders once more, for quick finding (9.4): the root and PHOTOS, whose parent is number 1.
fn path_table(u32_bytes: fn(u32) -> [u8; 4], u16_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, sector) in [(&b"\0"[..], ROOT), (b"PHOTOS", PHOTOS)] {
        bytes.extend([name.len() as u8, 0]);
        bytes.extend(u32_bytes(sector as u32));
        bytes.extend(u16_bytes(1));
        bytes.extend(name);
        bytes.resize(bytes.len().next_multiple_of(2), 0);
    }
    bytes
}

fn folder(entries: &[Entry<'_>]) -> Vec<u8> {
    entries.iter().flat_map(directory_record).collect()
}

/// A directory record (9.1).
fn directory_record(entry: &Entry<'_>) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(both_u32(entry.sector));
    bytes.extend(both_u32(entry.len));
    // 2026-11-22 12:00:00 GMT.
    bytes.extend([126, 11, 22, 12, 0, 0, 0]);
    bytes.extend([if entry.is_folder { 2 } else { 0 }, 0, 0]);
    bytes.extend(both_u16(1));
    bytes.push(entry.name.len() as u8);
    bytes.extend(entry.name);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes[0] = bytes.len() as u8;
    bytes
}

fn both_u32(number: usize) -> [u8; 8] {
    let number = number as u32;
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn both_u16(number: u16) -> [u8; 4] {
    let mut bytes = [0; 4];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    bytes[2..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Bytes that look like a photo to a compressor: xorshift64.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
