//! The volume in an image that is a disk around it, made so that it attaches.
//!
//! ```text
//!   0        1 MiB                                    1 MiB + size
//!   ┌────────┬────────────────────────────────────────┐
//!   │ table  │ the volume                             │   onto a disk or into a file
//!   └────────┼────────────────────────────────────────┤
//!            │ the volume                             │   onto a volume, and against one
//!            └────────────────────────────────────────┘
//! ```

use super::open::Opened;
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::io::ReadAt;
use crate::proof::record::Range;
use crate::source::WRAPPED_START;
use crate::volume::mbr;

/// Where the volume lies in such an image, by its record. Of one that has none, or is of a file, by its content: nothing but
/// a table as `create` makes it, and the one partition of which that tells. `None` for any other image.
pub(super) fn volume_in(opened: &Opened) -> Result<Option<Extent>> {
    let Some(record) = &opened.record else { return Ok(by_content(opened)) };
    if let Some(Range { offset, length }) = record.plan.wrapped {
        let end = offset.checked_add(length);
        if offset == WRAPPED_START && length > 0 && end == Some(record.image.content_size) {
            return Ok(Some(Extent::new(offset, length)));
        }
        let context = format!(
            "the record of {} says that of its {} bytes the volume takes {length} from byte {offset} on",
            opened.identity.path, record.image.content_size
        );
        return Err(Error::new(Kind::Corrupt, context));
    }
    Ok(if record.plan.scope == "file" { by_content(opened) } else { None })
}

fn by_content(opened: &Opened) -> Option<Extent> {
    let table = opened.table.as_ref()?;
    let [partition] = &table.partitions[..] else { return None };
    let (volume, size) = (partition.extent, opened.geometry().size);
    // Behind it is what a format pads with.
    let rest = size.checked_sub(volume.offset.checked_add(volume.len)?)?;
    if volume.offset != WRAPPED_START || volume.len == 0 || rest >= PIECE {
        return None;
    }
    let mut start = vec![0; WRAPPED_START as usize];
    opened.image()?.read_at(&mut start, 0).ok()?;
    mbr::is_around(&start, volume, table.sector_size).then_some(volume)
}
