//! The snapshot table: which internal snapshots there are, and where their L1 tables are.

use super::header::{Header, read_clipped};
use super::layout::{MOST_SNAPSHOTS, RawSnapshot};
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::ReadAt;
use zerocopy::FromBytes;

/// An internal snapshot.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) l1_offset: u64,
    pub(super) l1_entries: u32,
    pub(super) id: String,
    pub(super) name: String,
}

/// Names longer than this are shown cut.
const LONGEST_NAME: usize = 256;

/// Calls `each` for every snapshot, with the position of its entry, until it says false; returns the bytes of the table.
pub(super) fn read(
    stored: &dyn ReadAt,
    header: &Header,
    mut each: impl FnMut(Snapshot, u64) -> bool,
) -> Result<Extent> {
    let (count, start) = (header.raw.nb_snapshots.get(), header.raw.snapshots_offset.get());
    if count == 0 {
        return Ok(Extent::new(start, 0));
    }
    if count > MOST_SNAPSHOTS {
        let context = format!("{count} snapshots; at most {MOST_SNAPSHOTS} are expected");
        return Err(Error::corrupt(60, context));
    }
    if header.geometry.in_cluster(start) != 0 || start == 0 {
        let context =
            format!("the snapshot table is at {start:#x}, which is no multiple of the cluster size");
        return Err(Error::corrupt(64, context));
    }
    let mut at = start;
    for _ in 0..count {
        let bytes = read_clipped(stored, at, size_of::<RawSnapshot>())?;
        let raw = RawSnapshot::read_from_bytes(&bytes).expect("as long as it is");
        let (id_len, name_len) = (raw.id_size.get(), raw.name_size.get());
        let id_at = at
            .checked_add(bytes.len() as u64 + u64::from(raw.extra_data_size.get()))
            .filter(|id_at| {
                let end = id_at.checked_add(u64::from(id_len) + u64::from(name_len));
                end.is_some_and(|end| end <= stored.size())
            })
            .ok_or_else(|| Error::corrupt(at, "an entry of the snapshot table leads out of the file"))?;
        let text = |at: u64, len: u16| -> Result<String> {
            let bytes = read_clipped(stored, at, usize::from(len).min(LONGEST_NAME))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let name_at = id_at + u64::from(id_len);
        let snapshot = Snapshot {
            l1_offset: raw.l1_table_offset.get(),
            l1_entries: raw.l1_size.get(),
            id: text(id_at, id_len)?,
            name: text(name_at, name_len)?,
        };
        let entry_at = at;
        at = (name_at + u64::from(name_len)).next_multiple_of(8);
        if !each(snapshot, entry_at) {
            break;
        }
    }
    Ok(Extent::between(start, at))
}
