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
use crate::extent::{Extent, PIECE};
use crate::io::ReadAt;
use crate::proof::record::Range;
use crate::source::WRAPPED_START;
use crate::volume::around::is_around;
use crate::volume::gpt;

/// A volume in an image, and the table around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrapped {
    /// Where the volume lies.
    pub(super) volume: Extent,
    /// How many bytes of the table lie behind it.
    pub(super) behind: u64,
}

/// Where the volume lies in such an image, by its record. Of one that has none, or is of a file, by its content: nothing but
/// a table as `create` makes it, and the one partition of which that tells. `None` for any other image.
pub(super) fn volume_in(opened: &Opened) -> Result<Option<Wrapped>> {
    let Some(record) = &opened.record else { return Ok(by_content(opened)) };
    if let Some(Range { offset, length }) = record.plan.wrapped {
        let end = offset.checked_add(length);
        let behind = end.and_then(|end| record.image.content_size.checked_sub(end));
        // The record's sectors need not be those of the table: a file that was converted told of none.
        let behind = behind.filter(|behind| *behind == 0 || gpt::is_behind(*behind));
        if let (WRAPPED_START, 1.., Some(behind)) = (offset, length, behind) {
            return Ok(Some(Wrapped { volume: Extent::new(offset, length), behind }));
        }
        let context = format!(
            "the record of {} says that of its {} bytes the volume takes {length} from byte {offset} on",
            opened.identity.path, record.image.content_size
        );
        return Err(Error::new(Kind::Corrupt, context));
    }
    Ok(if record.plan.scope == "file" { by_content(opened) } else { None })
}

fn by_content(opened: &Opened) -> Option<Wrapped> {
    let table = opened.table.as_ref()?;
    let [partition] = &table.partitions[..] else { return None };
    let (volume, size) = (partition.extent, opened.geometry().size);
    let rest = size.checked_sub(volume.offset.checked_add(volume.len)?)?;
    if volume.offset != WRAPPED_START || volume.len == 0 || rest >= PIECE {
        return None;
    }
    let behind = match table.scheme {
        "gpt" => rest,
        // What a format pads with.
        _ => 0,
    };
    let read = |at: Extent| {
        let mut bytes = vec![0; at.len as usize];
        opened.image()?.read_at(&mut bytes, at.offset).ok().map(|()| bytes)
    };
    let (start, end) = (read(Extent::new(0, WRAPPED_START))?, read(Extent::new(volume.end(), behind))?);
    is_around(&start, &end, volume, table.sector_size).then_some(Wrapped { volume, behind })
}
