//! What lies in the file: frames, their blocks, and the seek table.
//!
//! Zstandard: RFC 8878. Seek table: `contrib/seekable_format/zstd_seekable_compression_format.md` 0.1.0 of facebook/zstd.

use crate::error::{Error, Result};
use zerocopy::byteorder::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `Magic_Number` of a Zstandard frame (RFC 8878, 3.1.1).
pub(super) const MAGIC: u32 = 0xfd2f_b528;
/// `Magic_Number` of skippable frames, in its upper 28 bits (RFC 8878, 3.1.2).
pub(super) const SKIPPABLE: u32 = 0x184d_2a50;
/// `Skippable_Magic_Number` of the seek table.
pub(super) const SEEK_TABLE: u32 = 0x184d_2a5e;
/// `Seekable_Magic_Number`, the last bytes of the file.
pub(super) const SEEKABLE: u32 = 0x8f92_eab1;

/// `Checksum_Flag` in the `Seek_Table_Descriptor`.
pub(super) const CHECKSUM_FLAG: u8 = 1 << 7;
/// `Reserved_Bits` in the `Seek_Table_Descriptor`: not zero in a version that we do not know.
pub(super) const RESERVED_BITS: u8 = 0b0111_1100;

/// The most frames that a seek table may have (`ZSTD_SEEKABLE_MAXFRAMES`).
pub(super) const MOST_FRAMES: u64 = 0x800_0000;
/// The most content of a frame, in bytes (`ZSTD_SEEKABLE_MAX_FRAME_DECOMPRESSED_SIZE`).
pub(super) const MOST_CONTENT: u64 = 0x4000_0000;

/// The most content of a block, in bytes (RFC 8878, 3.1.1.2.4).
pub(super) const BLOCK: u64 = 128 << 10;

/// The head of a skippable frame.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Skippable {
    /// 0x00
    pub(super) magic_number: U32,
    /// 0x04: what follows, in bytes.
    pub(super) frame_size: U32,
}

/// The end of the seek table, and of the file.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct SeekTableFooter {
    /// 0x00
    pub(super) number_of_frames: U32,
    /// 0x04
    pub(super) seek_table_descriptor: u8,
    /// 0x05
    pub(super) seekable_magic_number: U32,
}

/// A row of the seek table, without its checksum.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct SeekTableEntry {
    /// 0x00
    pub(super) compressed_size: U32,
    /// 0x04: zero for a frame without content.
    pub(super) decompressed_size: U32,
}

/// The length of a [`Skippable`] in bytes.
pub(super) const SKIPPABLE_LEN: u64 = 8;
/// The length of a [`SeekTableFooter`] in bytes.
pub(super) const FOOTER_LEN: u64 = 9;
/// The length of a [`SeekTableEntry`] in bytes; its checksum takes four more.
pub(super) const ENTRY_LEN: u64 = 8;

/// The longest frame header, magic included, in bytes.
pub(super) const MOST_HEADER: u64 = 18;

/// A frame's header (RFC 8878, 3.1.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Its own length in bytes, magic included.
    pub(super) len: u64,
    /// `Frame_Content_Size`, where it tells.
    pub(super) content_size: Option<u64>,
    /// `Content_Checksum_flag`
    pub(super) checksum: bool,
    /// `Dictionary_ID`; 0 where there is none.
    pub(super) dictionary: u32,
    /// `Window_Size` in bytes.
    pub(super) window: u64,
}

impl FrameHeader {
    /// The header that `bytes` begin with, which lie at `offset` of the file; the magic is known already.
    pub(super) fn parse(bytes: &[u8], offset: u64) -> Result<FrameHeader> {
        let cut = || Error::corrupt(offset, "a zstd frame's header is cut off by the end of the file");
        let mut at = 4;
        let mut number = |count: usize| -> Result<u64> {
            let field = bytes.get(at..at + count).ok_or_else(cut)?;
            at += count;
            Ok(field.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
        };
        let descriptor = number(1)?;
        if descriptor & 8 != 0 {
            return Err(Error::corrupt(offset, "the reserved bit of a zstd frame is set"));
        }
        let (single_segment, checksum) = (descriptor & 0x20 != 0, descriptor & 4 != 0);
        let window_descriptor = if single_segment { None } else { Some(number(1)?) };
        let dictionary = number([0, 1, 2, 4][(descriptor & 3) as usize])? as u32;
        let content_size = match (descriptor >> 6, single_segment) {
            (0, false) => None,
            (0, true) => Some(number(1)?),
            (1, _) => Some(number(2)? + 256),
            (2, _) => Some(number(4)?),
            _ => Some(number(8)?),
        };
        let window = match window_descriptor {
            // Exponent 31 is the largest, so that it fits by far.
            Some(byte) => {
                let base = 1_u64 << (10 + (byte >> 3));
                base + base / 8 * (byte & 7)
            }
            None => content_size.unwrap_or_default(),
        };
        Ok(FrameHeader { len: at as u64, content_size, checksum, dictionary, window })
    }

    /// The length of a frame that has but one block, an empty one.
    pub(super) fn shortest(&self) -> u64 {
        self.len + BLOCK_HEADER + u64::from(self.checksum) * 4
    }
}

/// A block's type (RFC 8878, 3.1.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockType {
    /// As it is.
    Raw,
    /// One byte, repeated.
    Rle,
    /// Compressed.
    Compressed,
}

/// A block's header (RFC 8878, 3.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHeader {
    /// `Last_Block`
    pub(super) last: bool,
    /// `Block_Type`; `None` for the reserved one.
    pub(super) kind: Option<BlockType>,
    /// `Block_Size`: of the content of a repeated byte, of what is stored of the others.
    pub(super) size: u64,
}

/// The length of a block's header in bytes.
pub(super) const BLOCK_HEADER: u64 = 3;

impl BlockHeader {
    pub(super) fn parse(bytes: [u8; 3]) -> BlockHeader {
        let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
        let kind = match word >> 1 & 3 {
            0 => Some(BlockType::Raw),
            1 => Some(BlockType::Rle),
            2 => Some(BlockType::Compressed),
            _ => None,
        };
        BlockHeader { last: word & 1 != 0, kind, size: u64::from(word >> 3) }
    }

    fn put(last: bool, kind: BlockType, size: u64, out: &mut Vec<u8>) {
        let word = (size as u32) << 3 | (kind as u32) << 1 | u32::from(last);
        out.extend_from_slice(&word.to_le_bytes()[..3]);
    }

    /// How many bytes follow the header.
    pub(super) fn stored(&self) -> u64 {
        if self.kind == Some(BlockType::Rle) { 1 } else { self.size }
    }
}

/// The content of the frames that hold long runs of zeros, in bytes. Longer ones would save little, for 128 KiB of zeros
/// take four bytes whatever one does, and be a burden to readers that know nothing but frames.
pub(super) const ZERO_RUN: u64 = 64 << 20;

/// The frame of `content` zeros (at least one, and less than 4 GiB) up to its checksum, as this writer makes it.
///
/// ```text
///   magic  descriptor  window 128 KiB  content size │ raw: one byte │ repeated: 128 KiB │ … │ repeated: the rest
/// ```
/// Some decoders before zstd 1.4.4 choke on a repeated byte as the very first block: hence the raw one.
pub(super) fn zero_frame(content: u64) -> Vec<u8> {
    let mut frame = Vec::with_capacity(zero_frame_len(content) as usize);
    frame.extend_from_slice(&MAGIC.to_le_bytes());
    // Content size in four bytes, a checksum; a window of 2^(10 + 7).
    frame.extend_from_slice(&[2 << 6 | 4, 7 << 3]);
    frame.extend_from_slice(&(content as u32).to_le_bytes());
    BlockHeader::put(content == 1, BlockType::Raw, 1, &mut frame);
    frame.push(0);
    let mut left = content - 1;
    while left > 0 {
        let size = left.min(BLOCK);
        left -= size;
        BlockHeader::put(left == 0, BlockType::Rle, size, &mut frame);
        frame.push(0);
    }
    frame
}

/// The length of that frame with its checksum.
pub(super) fn zero_frame_len(content: u64) -> u64 {
    10 + 4 + content.saturating_sub(1).div_ceil(BLOCK) * 4 + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_frame_has_its_length_and_header() {
        for content in [1, 2, BLOCK, BLOCK + 1, BLOCK + 2, 1 << 20, ZERO_RUN] {
            let frame = zero_frame(content);
            assert_eq!(frame.len() as u64 + 4, zero_frame_len(content));
            let header = FrameHeader::parse(&frame, 0).unwrap();
            assert_eq!((header.len, header.content_size, header.window), (10, Some(content), BLOCK));
            assert!(header.checksum && header.dictionary == 0);
        }
    }

    #[test]
    fn every_descriptor_has_a_length() {
        for descriptor in 0..=255_u8 {
            let mut bytes = MAGIC.to_le_bytes().to_vec();
            bytes.push(descriptor);
            bytes.resize(MOST_HEADER as usize, 0xff);
            match FrameHeader::parse(&bytes, 0) {
                Ok(header) => {
                    assert!(header.len <= MOST_HEADER && header.len >= 6);
                    assert!(FrameHeader::parse(&bytes[..header.len as usize - 1], 0).is_err());
                }
                Err(_) => assert!(descriptor & 8 != 0),
            }
        }
    }
}
