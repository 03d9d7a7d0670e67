//! A table around a volume, so that it is a disk: an MBR, or a GPT where 32 bits of sectors do not reach.
//!
//! ```text
//!   MBR │ zeros │ the volume
//!   MBR │ GPT │ zeros │ the volume │ backup of the GPT
//!                     └ 1 MiB
//! ```

use super::{gpt, mbr};
use crate::extent::Extent;

/// The bytes around a volume.
pub(crate) struct Around {
    /// `mbr` or `gpt`.
    pub(crate) scheme: &'static str,
    /// The first bytes of the disk; zeros follow up to the volume.
    pub(crate) start: Vec<u8>,
    /// All bytes behind the volume.
    pub(crate) end: Vec<u8>,
}

/// A table of one partition, `part`, on a disk of sectors of `unit` bytes. What identifies the disk and the partition is made of
/// `seed`, so that the same volume gets the same again. `None` where `part` is not in whole sectors.
pub(crate) fn around(part: Extent, unit: u32, filesystem: &str, seed: &[u8; 32]) -> Option<Around> {
    let [a, b, c, d, ..] = *seed;
    if let Some(table) = mbr::around(part, unit, filesystem, [a, b, c, d]) {
        return Some(Around { scheme: "mbr", start: table.to_vec(), end: Vec::new() });
    }
    let (disk, partition) = seed.split_at(16);
    let (start, end) = gpt::around(part, unit, filesystem, made_guid(disk), made_guid(partition))?;
    Some(Around { scheme: "gpt", start, end })
}

/// What lies behind `part` where `start`, all bytes before it, is what [`around`] makes, and nothing else.
pub(crate) fn behind(start: &[u8], part: Extent, unit: u32) -> Option<Vec<u8>> {
    if mbr::is_around(start, part, unit) { Some(Vec::new()) } else { gpt::behind(start, part, unit) }
}

/// RFC 9562 §5.8: version 8, of whose making nothing is said. The first three groups are stored little-endian.
fn made_guid(bytes: &[u8]) -> [u8; 16] {
    let mut guid = *bytes.first_chunk().expect("sixteen bytes");
    guid[7] = guid[7] & 0x0f | 0x80;
    guid[8] = guid[8] & 0x3f | 0x80;
    guid
}
