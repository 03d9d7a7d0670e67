//! The descriptor: the text that says what an image is made of.
//!
//! ```text
//!   # Disk DescriptorFile          CID=…  parentCID=…  createType="…"  parentFileNameHint="…"  encoding="…"
//!   # Extent description           RW 4192256 SPARSE "disk-s001.vmdk"
//!   # The Disk Data Base           ddb.adapterType = "ide" …
//! ```
//!
//! Virtual Disk Format 5.0, "The Descriptor File". The text is anybody's: its length, its extents and its entries are
//! bounded, and what is not understood is passed over.

use super::layout::SECTOR;
use crate::error::{Error, Kind, Result};
use crate::image::{Parent, Spec};
use std::fmt::Write as _;

/// Sectors of an embedded descriptor, as every writer reserves them; others rewrite all of them.
pub(super) const DESCRIPTOR_SECTORS: u64 = 20;
/// In bytes. Room for the extents of a split disk of 40 TB.
pub(super) const MOST_BYTES: u64 = 1 << 20;
/// No parent, in `parentCID`.
pub(super) const NO_PARENT: u32 = u32::MAX;
/// So many entries of the disk data base are told.
const MOST_DDB: usize = 64;
/// Of a parent's name, in bytes: the descriptor has to hold it besides the rest.
const MOST_HINT: usize = 4096;

/// What a descriptor says.
#[derive(Debug, Default)]
pub(super) struct Descriptor {
    pub(super) version: String,
    pub(super) encoding: String,
    pub(super) cid: u32,
    pub(super) parent_cid: u32,
    pub(super) create_type: String,
    pub(super) parent_hint: Option<String>,
    pub(super) change_track: Option<String>,
    pub(super) extents: Vec<Line>,
    /// The disk data base, without the prefix `ddb.`.
    pub(super) ddb: Vec<(String, String)>,
}

/// A line that describes an extent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) access: Access,
    pub(super) sectors: u64,
    /// In capitals.
    pub(super) kind: String,
    pub(super) name: String,
    /// Where it begins in its file, in sectors.
    pub(super) offset: u64,
}

/// What may be done with an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Readable,
    /// `NOACCESS`.
    Denied,
}

/// Whether stored bytes begin like a descriptor file.
pub(super) fn looks_like_one(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    // qemu-img pads descriptor files, too, with zeros.
    let end = head.iter().position(|&byte| byte == 0).unwrap_or(head.len());
    let text = String::from_utf8_lossy(&head[..end]);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let signed = lines.clone().next().is_some_and(|line| {
        line.strip_prefix('#').is_some_and(|name| name.trim().eq_ignore_ascii_case("Disk DescriptorFile"))
    });
    let versioned = lines
        .find(|line| !line.starts_with('#'))
        .and_then(|line| line.split_once('='))
        .is_some_and(|(key, _)| key.trim_end() == "version");
    versioned && (signed || text.contains("createType"))
}

impl Descriptor {
    /// Reads the text; `at` is its byte position in the file.
    pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Descriptor> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        let text = decode(&bytes[..end])?;
        let mut found = Descriptor { parent_cid: NO_PARENT, ..Descriptor::default() };
        let (mut cid, mut parent_cid) = (None, None);
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(extent) = Line::parse(line) {
                let broken = || Error::corrupt(at, format!("an extent that is not understood: {line:?}"));
                found.extents.push(extent.ok_or_else(broken)?);
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let (key, value) = (key.trim(), unquoted(value));
            match key.to_ascii_lowercase().as_str() {
                "version" => found.version = value.to_owned(),
                "encoding" => found.encoding = value.to_owned(),
                "cid" => cid = cid.or(Some(hex(value, at, "CID")?)),
                "parentcid" => parent_cid = parent_cid.or(Some(hex(value, at, "parentCID")?)),
                "createtype" => found.create_type = value.to_owned(),
                "parentfilenamehint" => found.parent_hint = Some(value.to_owned()),
                "changetrackpath" => found.change_track = Some(value.to_owned()),
                lower if lower.starts_with("encryption.") => {
                    return Err(Error::unsupported("an encrypted VMDK image"));
                }
                lower => {
                    let entry = lower.strip_prefix("ddb.").map(|_| (key[4..].to_owned(), value.to_owned()));
                    found.ddb.extend(entry.filter(|_| found.ddb.len() < MOST_DDB));
                }
            }
        }
        let missing = |what| Error::corrupt(at, format!("a VMDK descriptor without {what}"));
        found.cid = cid.ok_or_else(|| missing("its CID"))?;
        found.parent_cid = parent_cid.unwrap_or(NO_PARENT);
        if !matches!(found.version.as_str(), "1" | "2" | "3" | "4") {
            return Err(Error::unsupported(format!("a VMDK descriptor of version {:?}", found.version)));
        }
        Ok(found)
    }
}

impl Line {
    /// `None` for a line of another kind; `Some(None)` for an extent that is not understood.
    fn parse(line: &str) -> Option<Option<Line>> {
        let (word, rest) = line.split_once(char::is_whitespace)?;
        let access = match word.to_ascii_uppercase().as_str() {
            "RW" | "RDONLY" => Access::Readable,
            "NOACCESS" => Access::Denied,
            _ => return None,
        };
        Some(Self::parse_rest(access, rest.trim_start()))
    }

    fn parse_rest(access: Access, rest: &str) -> Option<Line> {
        let (sectors, rest) = rest.split_once(char::is_whitespace)?;
        let sectors = sectors.parse().ok().filter(|&sectors| sectors > 0)?;
        let (kind, rest) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
        let (name, rest) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => ("", rest),
        };
        let offset = match rest.split_whitespace().next() {
            Some(offset) => offset.parse().ok()?,
            None => 0,
        };
        let kind = kind.to_ascii_uppercase();
        if name.is_empty() && kind != "ZERO" {
            return None;
        }
        Some(Line { access, sectors, kind, name: name.to_owned(), offset })
    }
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').map_or(quoted, |(inner, _)| inner),
        None => value,
    }
}

fn hex(value: &str, at: u64, what: &str) -> Result<u32> {
    let broken = || Error::corrupt(at, format!("{what} {value:?}, where 8 hexadecimal digits are expected"));
    Some(value)
        .filter(|value| value.chars().all(|c| c.is_ascii_hexdigit()))
        .and_then(|value| u32::from_str_radix(value, 16).ok())
        .ok_or_else(broken)
}

/// The text in the encoding that it names itself: UTF-8 where it names none. Most are plain ASCII whatever they say.
fn decode(bytes: &[u8]) -> Result<String> {
    let lossy = String::from_utf8_lossy(bytes);
    let named = lossy.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let key = key.trim();
        let is_it = key.eq_ignore_ascii_case("encoding") || key.eq_ignore_ascii_case("ddb.encoding");
        is_it.then(|| unquoted(value).to_owned())
    });
    let named = named.unwrap_or_default();
    if bytes.is_ascii() || (named.is_empty() && std::str::from_utf8(bytes).is_ok()) {
        return Ok(lossy.into_owned());
    }
    match named.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Ok(lossy.into_owned()),
        "" | "windows-1252" | "cp1252" | "iso-8859-1" | "latin1" => {
            Ok(bytes.iter().map(|&byte| windows_1252(byte)).collect())
        }
        _ => Err(Error::unsupported(format!("a VMDK descriptor in the encoding {named}"))),
    }
}

fn windows_1252(byte: u8) -> char {
    /// 0x80 to 0x9f; the rest is Latin-1. U+FFFD where there is none.
    const UPPER: [char; 32] = [
        '€', '\u{fffd}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{fffd}', 'Ž', '\u{fffd}',
        '\u{fffd}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{fffd}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => UPPER[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// The content id of a new image: the end of its long one, as VMware has it, and none of the values with a meaning.
pub(super) fn cid_of(id: &[u8; 16]) -> u32 {
    match u32::from_be_bytes([id[12], id[13], id[14], id[15]]) {
        0 | 0xffff_fffe | NO_PARENT => 0x0ec7_09e0,
        cid => cid,
    }
}

/// The content id that a parent tells in [`crate::image::Facts::id`].
pub(super) fn cid_in(id: &[u8; 16]) -> u32 {
    u32::from_le_bytes([id[0], id[1], id[2], id[3]])
}

/// A content id as [`crate::image::Facts::id`] holds it.
pub(super) fn id_of(cid: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&cid.to_le_bytes());
    id
}

/// The name by which a child finds its parent; refused where a descriptor cannot hold it.
pub(super) fn parent_hint(parent: &Parent) -> Result<&str> {
    let hint = if parent.relative.is_empty() { &parent.absolute } else { &parent.relative };
    if hint.is_empty() || hint.len() > MOST_HINT || hint.contains(['"', '\n', '\r', '\0']) {
        return Err(Error::unsupported(format!("a VMDK image cannot name its parent {hint:?}")));
    }
    Ok(hint)
}

/// The embedded descriptor of a new image of `capacity` sectors, padded with zeros to its sectors.
pub(super) fn embedded(spec: &Spec, create_type: &str, access: &str, capacity: u64) -> Result<Vec<u8>> {
    let long_id = spec.id.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let (parent_cid, hint) = match &spec.parent {
        Some(parent) => (cid_in(&parent.id), Some(parent_hint(parent)?)),
        None => (NO_PARENT, None),
    };
    let (adapter, cylinders, heads, sectors) = geometry(capacity);
    let mut text = String::from("# Disk DescriptorFile\nversion=1\n");
    let hint_line = hint.map(|hint| format!("parentFileNameHint=\"{hint}\"\n")).unwrap_or_default();
    if !hint_line.is_ascii() {
        text += "encoding=\"UTF-8\"\n";
    }
    let _ = write!(
        text,
        "CID={:08x}\nparentCID={parent_cid:08x}\ncreateType=\"{create_type}\"\n{hint_line}\n\
         # Extent description\n{access} {capacity} SPARSE \"{}\"\n\n\
         # The Disk Data Base\n#DDB\n\n\
         ddb.adapterType = \"{adapter}\"\n\
         ddb.encoding = \"UTF-8\"\n\
         ddb.geometry.cylinders = \"{cylinders}\"\n\
         ddb.geometry.heads = \"{heads}\"\n\
         ddb.geometry.sectors = \"{sectors}\"\n\
         ddb.longContentID = \"{long_id}\"\n\
         ddb.virtualHWVersion = \"4\"\n",
        cid_of(&spec.id),
        super::EXTENT_NAME,
    );
    let room = (DESCRIPTOR_SECTORS * SECTOR) as usize;
    if text.len() >= room {
        return Err(Error::new(Kind::Limit, "the names of a VMDK image take more than its descriptor holds"));
    }
    let mut bytes = text.into_bytes();
    bytes.resize(room, 0);
    Ok(bytes)
}

/// Adapter, cylinders, heads and sectors per track: IDE up to where its addresses end, SCSI beyond.
fn geometry(capacity: u64) -> (&'static str, u64, u64, u64) {
    let (adapter, most_cylinders, heads) =
        if capacity <= 1 << 28 { ("ide", 16_383, 16) } else { ("lsilogic", 65_535, 255) };
    (adapter, (capacity / (heads * 63)).clamp(1, most_cylinders), heads, 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_of_another_hand() {
        let text = "\u{feff}# Disk DescriptorFile\r\n version = 1 \r\nencoding=\"windows-1252\"\r\nCID=0172e8a4\r\n\
                    parentCID=FFFFFFFF\r\nisNativeSnapshot=\"no\"\r\ncreateType=\"custom\"\r\n\r\n\
                    RW 63 FLAT \"a b-pt.vmdk\" 0\r\n  RDONLY 100 SPARSE \"x.vmdk\"\r\nRW 7 ZERO\r\nNOACCESS 9 ZERO \r\n\
                    rw 5 vmfs \"y\"\r\nRW 10 FLAT \"dev\" 128 partitionUUID dev\r\n#DDB\r\nddb.adapterType = \"ide\"\r\n";
        let found = Descriptor::parse(text.as_bytes(), 0).unwrap();
        assert_eq!(
            (found.cid, found.parent_cid, found.create_type.as_str()),
            (0x172_e8a4, NO_PARENT, "custom")
        );
        let line = |access, sectors, kind: &str, name: &str, offset| Line {
            access,
            sectors,
            kind: kind.into(),
            name: name.into(),
            offset,
        };
        let expected = [
            line(Access::Readable, 63, "FLAT", "a b-pt.vmdk", 0),
            line(Access::Readable, 100, "SPARSE", "x.vmdk", 0),
            line(Access::Readable, 7, "ZERO", "", 0),
            line(Access::Denied, 9, "ZERO", "", 0),
            line(Access::Readable, 5, "VMFS", "y", 0),
            line(Access::Readable, 10, "FLAT", "dev", 128),
        ];
        assert_eq!(found.extents, expected);
        assert_eq!(found.ddb, [("adapterType".to_owned(), "ide".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, word) in [
            ("version=1\n", "CID"),
            ("version=1\nCID=xyz\n", "hexadecimal"),
            ("version=1\nCID=+1234567\n", "hexadecimal"),
            ("version=9\nCID=1\n", "version"),
            ("version=1\nCID=1\nRW 0 FLAT \"x\" 0\n", "extent"),
            ("version=1\nCID=1\nRW 99999999999999999999 FLAT \"x\" 0\n", "extent"),
            ("version=1\nCID=1\nRW 5 FLAT \"x\" -1\n", "extent"),
            ("version=1\nCID=1\nRW 5 FLAT\n", "extent"),
            ("version=1\nCID=1\nRW 5 FLAT \"x\n", "extent"),
            ("version=1\nCID=1\nencryption.keySafe = \"vmware:key\"\n", "encrypted"),
        ] {
            let error = Descriptor::parse(text.as_bytes(), 0).unwrap_err();
            assert!(error.to_string().contains(word), "{text:?}: {error}");
        }
    }

    #[test]
    fn names_are_in_the_encoding_that_is_named() {
        let text = |encoding: &str, name: &[u8]| {
            let mut text = format!("version=1\nencoding=\"{encoding}\"\nCID=1\nRW 5 VMFS \"").into_bytes();
            text.extend(name);
            text.extend(b"\"\n");
            Descriptor::parse(&text, 0)
        };
        assert_eq!(text("UTF-8", "ü".as_bytes()).unwrap().extents[0].name, "ü");
        assert_eq!(text("windows-1252", b"\xfc\x80").unwrap().extents[0].name, "ü€");
        assert_eq!(text("", b"\xfc").unwrap().extents[0].name, "ü");
        assert_eq!(text("GBK", b"plain").unwrap().extents[0].name, "plain");
        assert!(text("GBK", b"\xb0\xa1").unwrap_err().to_string().contains("GBK"));
    }

    #[test]
    fn what_is_written_is_read() {
        let id = *b"0123456789abcdef";
        let parent = Parent { relative: "mütter/a.vmdk".into(), id: id_of(0x1234), ..Parent::default() };
        let spec = Spec { id, parent: Some(parent), ..Spec::default() };
        let bytes = embedded(&spec, "monolithicSparse", "RW", 1 << 30).unwrap();
        assert_eq!(bytes.len() as u64, DESCRIPTOR_SECTORS * SECTOR);
        let found = Descriptor::parse(&bytes, 512).unwrap();
        assert_eq!((found.cid, found.parent_cid), (cid_of(&id), 0x1234));
        assert_eq!(found.parent_hint.as_deref(), Some("mütter/a.vmdk"));
        assert_eq!((found.extents.len(), found.extents[0].sectors), (1, 1 << 30));
        assert!(looks_like_one(&bytes[..400]));
        let long = Parent { relative: "x".repeat(5000), ..Parent::default() };
        assert!(parent_hint(&long).is_err());
    }

    #[test]
    fn a_text_is_no_descriptor_for_its_comments() {
        assert!(looks_like_one(b"# Disk DescriptorFile\nversion=1\n"));
        assert!(looks_like_one(b"\n# made by hand\r\nversion=1\r\nCID=1\r\ncreateType=\"custom\"\r\n"));
        for text in ["# Disk DescriptorFile\n", "#!/bin/sh\nversion=1\n", "version=1", "createType=", ""] {
            assert!(!looks_like_one(text.as_bytes()), "{text}");
        }
    }
}
