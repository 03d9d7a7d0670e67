//! Tables of an image under construction: BAT and sector bitmaps, in pages, the changed ones until they are written.

use super::grow::Growing;
use super::layout::BatEntry;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::ReadAt;
use std::collections::BTreeMap;
use std::io;

/// A page in bytes; tables begin on whole MiB, so no page belongs to two.
pub(super) const PAGE: u64 = 64 << 10;
/// So many pages are held: 16 MiB.
const MOST: usize = 256;

/// Pages of the file by their number.
#[derive(Default)]
pub(super) struct Pages {
    pages: BTreeMap<u64, Page>,
}

struct Page {
    bytes: Box<[u8]>,
    changed: bool,
}

impl Pages {
    /// The bytes at `at` of the file, within one page.
    fn part(&mut self, file: &Growing, at: u64, len: usize) -> Result<(&mut [u8], &mut bool)> {
        let start = (at % PAGE) as usize;
        let page = match self.pages.entry(at / PAGE) {
            std::collections::btree_map::Entry::Occupied(page) => page.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let mut bytes = vec![0; PAGE as usize].into_boxed_slice();
                let read = file.read_at(&mut bytes, at / PAGE * PAGE);
                read.map_err(|error| Error::io("reading a table of the image", error).at(at))?;
                place.insert(Page { bytes, changed: false })
            }
        };
        Ok((&mut page.bytes[start..start + len], &mut page.changed))
    }

    /// Whether another page needs room first: [`Pages::write`], behind a flush, and [`Pages::forget`].
    pub(super) fn is_full(&self) -> bool {
        self.pages.len() >= MOST
    }

    /// Drops the pages that are as the file has them.
    pub(super) fn forget(&mut self) {
        self.pages.retain(|_, page| page.changed);
    }

    pub(super) fn set_entry(&mut self, file: &Growing, at: u64, entry: BatEntry) -> Result<()> {
        let (bytes, changed) = self.part(file, at, 8)?;
        let new = entry.bits().to_le_bytes();
        *changed |= *bytes != new;
        bytes.copy_from_slice(&new);
        Ok(())
    }

    /// Sets or clears the bits `first..last` of the bitmap at `at` of the file, which lie in one page.
    pub(super) fn set_bits(
        &mut self,
        file: &Growing,
        at: u64,
        first: u64,
        last: u64,
        on: bool,
    ) -> Result<()> {
        let (from, to) = (at + first / 8, at + last.div_ceil(8));
        let (bytes, changed) = self.part(file, from, (to - from) as usize)?;
        let skip = first - first % 8;
        let mut bit = first;
        while bit < last {
            let byte = &mut bytes[((bit - skip) / 8) as usize];
            let end = (bit / 8 * 8 + 8).min(last);
            let mask = (0xff_u8 >> (8 - (end - bit))) << (bit % 8);
            let new = if on { *byte | mask } else { *byte & !mask };
            *changed |= new != *byte;
            *byte = new;
            bit = end;
        }
        Ok(())
    }

    /// What the tables say at `at` of the file.
    pub(super) fn read(&self, file: &Growing, out: &mut [u8], at: u64) -> io::Result<()> {
        let mut offset = at;
        let end = at + out.len() as u64;
        while offset < end {
            let until = (offset / PAGE * PAGE + PAGE).min(end);
            let part = &mut out[(offset - at) as usize..(until - at) as usize];
            match self.pages.get(&(offset / PAGE)) {
                Some(page) => part.copy_from_slice(&page.bytes[(offset % PAGE) as usize..][..part.len()]),
                None => file.read_at(part, offset)?,
            }
            offset = until;
        }
        Ok(())
    }

    pub(super) fn any_changed(&self) -> bool {
        self.pages.values().any(|page| page.changed)
    }

    /// Writes what was changed; what it points to must be durable. The bitmaps are before the BAT at `bat`, which says of what
    /// lies there that it is bitmaps.
    pub(super) fn write(&mut self, file: &mut Growing, bat: Extent) -> Result<()> {
        if self.write_some(file, |at| !bat.contains(at))? {
            file.flush()?;
        }
        self.write_some(file, |at| bat.contains(at))?;
        Ok(())
    }

    /// Writes the changed ones of these pages; whether there were any.
    fn write_some(&mut self, file: &mut Growing, wanted: impl Fn(u64) -> bool) -> Result<bool> {
        let mut any = false;
        for (number, page) in self.pages.iter_mut().filter(|(n, page)| page.changed && wanted(**n * PAGE)) {
            file.write(&page.bytes, number * PAGE)?;
            (page.changed, any) = (false, true);
        }
        Ok(any)
    }
}
