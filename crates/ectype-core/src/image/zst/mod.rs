//! Raw images in seekable zstd: independent frames, and a table of them at the end.
//!
//! ```text
//!   ┌─────────┬─────────┬──────────────────┬─────────┬─ ─ ─┬────────────────────────────────────────────────┐
//!   │ frame   │ frame   │ frame of zeros   │ frame   │     │ skippable frame: seek table                    │
//!   │ 1 MiB   │ 1 MiB   │ up to 64 MiB     │ 1 MiB   │     │ a row a frame: lengths │ how many │ 0x8f92eab1 │
//!   └─────────┴─────────┴──────────────────┴─────────┴─ ─ ─┴────────────────────────────────────────────────┘
//! ```
//!
//! `zstd -d` makes the raw image of it. Frames: RFC 8878; seek table: `contrib/seekable_format` of facebook/zstd, 0.1.0.
//! Read besides: frames without a table, as `zstd` and `pzstd` write them one behind the other, where each tells how much it
//! holds. A single long frame can only be read from its beginning: that is left to [`packed`].

mod check;
mod frames;
mod index;
mod layout;
mod reader;
mod writer;

pub(crate) use frames::content_size;

use super::{Facts, Findings, Format, Gate, Opened, Placement, Writing, packed};
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::io::{Content, ReadAt};
use crate::os::file::Allocation;
use index::{Frame, Index};
use layout::{
    CHECKSUM_FLAG, ENTRY_LEN, FOOTER_LEN, MAGIC, MOST_CONTENT, MOST_FRAMES, RESERVED_BITS, SEEK_TABLE,
    SEEKABLE, SKIPPABLE, SKIPPABLE_LEN, SeekTableFooter, Skippable,
};
use reader::{Reading, into_io};
use std::io;
use std::sync::Arc;
use zerocopy::FromBytes;

/// The row of zstd images.
pub static ZST: Format = Format {
    name: "zst",
    extensions: &["zst", "zstd"],
    is_bytes: false,
    tells_sector: false,
    probe,
    open,
    writing: Some(Writing {
        subformats: &[],
        compressions: &["zstd"],
        plan: writer::plan,
        differencing: false,
        is_attached: false,
        allocation: Allocation::Sparse,
        streams: true,
        placement: |_| Placement::InOrder,
        create: |place, spec| Ok(Box::new(writer::Writer::create(place, spec)?)),
        resume: |place, spec, held| Ok(Box::new(writer::Writer::resume(place, spec, held)?)),
    }),
};

/// The most frames that are found one by one, without a table: they are kept in memory.
const MOST_WALKED: u64 = 4 << 20;

/// It begins with a frame; or with a skippable one (pzstd writes such before each frame), and a frame or a table behind it.
fn probe(stored: &dyn ReadAt) -> bool {
    let word = |offset| {
        let mut bytes = [0; 4];
        stored.read_at(&mut bytes, offset).ok().map(|()| u32::from_le_bytes(bytes))
    };
    match word(0) {
        Some(MAGIC) => true,
        Some(magic) if magic & !0xf == SKIPPABLE => {
            let behind = word(4).map(|len| SKIPPABLE_LEN + u64::from(len));
            behind.and_then(word) == Some(MAGIC) || matches!(find_table(stored), Ok(Some(_)))
        }
        _ => false,
    }
}

/// A seek table that was found.
struct Table {
    /// Where its skippable frame begins.
    at: u64,
    count: u64,
    checksums: bool,
}

/// The seek table at the end; `None` where the file does not end like one.
fn find_table(stored: &dyn ReadAt) -> Result<Option<Table>> {
    let read = |bytes: &mut [u8], offset| {
        stored.read_at(bytes, offset).map_err(|error| Error::io("reading the seek table", error).at(offset))
    };
    let size = stored.size();
    let Some(footer_at) = size.checked_sub(FOOTER_LEN) else { return Ok(None) };
    let mut bytes = [0; FOOTER_LEN as usize];
    read(&mut bytes, footer_at)?;
    let Ok(footer) = SeekTableFooter::read_from_bytes(&bytes) else { return Ok(None) };
    if footer.seekable_magic_number.get() != SEEKABLE {
        return Ok(None);
    }
    let descriptor = footer.seek_table_descriptor;
    if descriptor & RESERVED_BITS != 0 {
        let what = format!("a seek table of a later version (descriptor {descriptor:#04x})");
        return Err(Error::unsupported(what).at(footer_at + 4));
    }
    let (count, checksums) = (u64::from(footer.number_of_frames.get()), descriptor & CHECKSUM_FLAG != 0);
    if count > MOST_FRAMES {
        let what = format!("the seek table should have at most {MOST_FRAMES} frames, and claims {count}");
        return Err(Error::corrupt(footer_at, what));
    }
    let len = SKIPPABLE_LEN + count * (ENTRY_LEN + if checksums { 4 } else { 0 }) + FOOTER_LEN;
    let Some(at) = size.checked_sub(len) else {
        let what = format!("the seek table claims {count} frames, and would be longer than the file");
        return Err(Error::corrupt(footer_at, what));
    };
    let mut bytes = [0; SKIPPABLE_LEN as usize];
    read(&mut bytes, at)?;
    let head = Skippable::read_from_bytes(&bytes);
    let (magic, frame_size) = head.map_or((0, 0), |head| (head.magic_number.get(), head.frame_size.get()));
    if magic != SEEK_TABLE || u64::from(frame_size) != len - SKIPPABLE_LEN {
        let what = format!(
            "the seek table should begin here with {SEEK_TABLE:#010x} and a length of {}, and {magic:#010x} and {frame_size} \
             are found",
            len - SKIPPABLE_LEN
        );
        return Err(Error::corrupt(at, what));
    }
    Ok(Some(Table { at, count, checksums }))
}

/// An image that is read.
struct ZstImage {
    stored: Arc<dyn ReadAt>,
    index: Index,
    reading: Reading,
    facts: Facts,
    /// The frames should end here.
    frames_end: u64,
}

fn open(stored: Arc<dyn ReadAt>, _: &mut dyn Gate) -> Result<Arc<dyn Opened>> {
    let table = find_table(&*stored)?;
    let (index, frames_end) = match &table {
        Some(table) => (Index::of_table(&*stored, table.at, table.count, table.checksums)?, table.at),
        None => match walk_all(&*stored) {
            // What cannot be read in parts can be read from its beginning.
            Err(error) if error.kind() == Kind::Unsupported => return packed::open(stored),
            index => (index?, stored.size()),
        },
    };
    if index.longest() > MOST_CONTENT {
        return packed::open(stored);
    }
    let facts = Facts {
        format: "zst",
        subformat: if table.is_some() { "seekable" } else { "frames" }.into(),
        sector: 512,
        more: vec![
            ("frames", index.count().into()),
            ("longest_frame", index.longest().into()),
            ("compressed", index.end().stored.into()),
            ("checksums", table.is_some_and(|table| table.checksums).into()),
        ],
        ..Facts::default()
    };
    Ok(Arc::new(ZstImage { stored, index, reading: Reading::new(), facts, frames_end }))
}

fn too_long(content: u64) -> Error {
    Error::unsupported(format!("a zstd frame of {content} bytes, which can only be read from its beginning"))
}

/// The frames of a file without a table.
fn walk_all(stored: &dyn ReadAt) -> Result<Index> {
    let mut walk = frames::Walk::new(stored, stored.size());
    let (mut index, mut offset) = (Index::new(), 0);
    if walk.is_at_end(0) {
        return Err(Error::corrupt(0, "an empty file is no zstd image"));
    }
    while !walk.is_at_end(offset) {
        // Before its blocks are looked at: a stream of terabytes is refused at once.
        let claim = walk.claim(offset)?;
        let content = match claim.header {
            None => 0,
            Some(header) if header.dictionary != 0 => {
                let what = format!("a zstd frame that needs the dictionary {}", header.dictionary);
                return Err(Error::unsupported(what).at(offset));
            }
            Some(header) => header.content_size.ok_or_else(|| {
                Error::unsupported("a zstd stream that does not tell its length").at(offset)
            })?,
        };
        if content > MOST_CONTENT {
            return Err(too_long(content).at(offset));
        }
        let shape = walk.frame(offset)?;
        let lens = (u32::try_from(shape.stored.len), u32::try_from(content));
        let (Ok(compressed), Ok(decompressed)) = lens else {
            return Err(Error::unsupported(format!("a frame of {} bytes", shape.stored.len)).at(offset));
        };
        if index.count() == MOST_WALKED {
            let what = format!("more than {MOST_WALKED} zstd frames without a seek table");
            return Err(Error::unsupported(what).at(offset));
        }
        if content == 0 && shape.header.is_some_and(|header| shape.stored.len > header.shortest()) {
            // Nobody would ever read it: that it holds nothing is seen now.
            let content = Extent::new(index.end().content, 0);
            check::unpack(stored, &Frame { content, stored: shape.stored, checksum: None })?;
        }
        index.push(compressed, decompressed);
        offset = shape.stored.end();
    }
    Ok(index)
}

impl ReadAt for ZstImage {
    fn size(&self) -> u64 {
        self.index.end().content
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.reading.read(&self.index, &*self.stored, buf, offset).map_err(into_io)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        self.reading.content_at(&self.index, &*self.stored, offset).map_err(into_io)
    }
}

impl Opened for ZstImage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn check(&self, findings: &mut Findings) -> Result<()> {
        check::check(&*self.stored, &self.index, findings)?;
        let unaccounted = Extent::between(self.index.end().stored, self.frames_end);
        if !unaccounted.is_empty() {
            findings.leaked += unaccounted.len;
            findings.notes.push(format!("{unaccounted:?} before the seek table belong to no frame"));
        }
        Ok(())
    }
}
