//! The volume in an image that is a disk around it, made so that it attaches.
//!
//! ```text
//!   0        1 MiB                                    1 MiB + size
//!   ┌────────┬────────────────────────────────────────┬────────────┐
//!   │ table  │ the volume                             │ GPT backup │   onto a disk or into a file
//!   └────────┼────────────────────────────────────────┼────────────┘
//!            │ the volume                             │   onto a volume, and against one
//!            └────────────────────────────────────────┘
//! ```

use super::open::Opened;
use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::io::{ReadAt, is_zero};
use crate::proof::record::Range;
use crate::source::WRAPPED_START;
use crate::volume::around::behind;
use crate::volume::gpt;

/// A volume in an image, and the table around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrapped {
    /// Where the volume lies.
    pub(super) volume: Extent,
    /// How many bytes lie behind it: of the table, or zeros that a format pads with.
    pub(super) behind: u64,
}

/// Where the volume lies in such an image, by its record. Of one that has none, or is of a file, by its content: nothing but
/// a table as `create` makes it, the one partition of which that tells, and the zeros that a format pads with. `None` for any
/// other image.
pub(super) fn volume_in(opened: &Opened) -> Result<Option<Wrapped>> {
    let Some(record) = &opened.record else { return Ok(by_content(opened)) };
    if let Some(Range { offset, length }) = record.plan.wrapped {
        let volume = Extent::new(offset, length);
        let end = offset.checked_add(length);
        let behind = end.and_then(|end| record.image.content_size.checked_sub(end));
        // The record's sectors need not be those of the table: a file that was converted told of none.
        let behind = behind.filter(|behind| *behind == 0 || gpt::is_behind(*behind));
        if let (WRAPPED_START, 1.., Some(behind)) = (offset, length, behind) {
            return Ok(Some(Wrapped { volume, behind }));
        }
        // What was padded when nobody knew where its content ends.
        if let Some(padded) = by_content(opened).filter(|found| found.volume == volume) {
            return Ok(Some(padded));
        }
        let context = format!(
            "the record of {} says that of its {} bytes the volume takes {length} from byte {offset} on",
            opened.identity.path, record.image.content_size
        );
        return Err(Error::new(Kind::Corrupt, context));
    }
    Ok(if record.plan.scope == "file" { by_content(opened) } else { None })
}

/// A cylinder of a VHD, 16 heads of 255 sectors, is the most that a format pads with.
const MOST_BEHIND: u64 = 16 * 255 * 512;

fn by_content(opened: &Opened) -> Option<Wrapped> {
    let table = opened.table.as_ref()?;
    let [partition] = &table.partitions[..] else { return None };
    let (volume, size) = (partition.extent, opened.geometry().size);
    let rest = Extent::new(volume.end(), size.checked_sub(volume.offset.checked_add(volume.len)?)?);
    if volume.offset != WRAPPED_START || volume.len == 0 || rest.len > MOST_BEHIND {
        return None;
    }
    let read = |at: Extent| {
        let mut bytes = vec![0; at.len as usize];
        opened.image()?.read_at(&mut bytes, at.offset).ok().map(|()| bytes)
    };
    let expected = behind(&read(Extent::new(0, WRAPPED_START))?, volume, table.sector_size)?;
    // Only now: to the end of what is compressed it may be hours.
    let held = if rest.is_empty() { Vec::new() } else { read(rest)? };
    let is_it = if expected.is_empty() { is_zero(&held) } else { held == expected };
    is_it.then_some(Wrapped { volume, behind: rest.len })
}
