//! Which frame holds which bytes: the seek table in pages, read from the file or kept in memory.
//!
//! ```text
//!   page 0   4096 frames   from content 0, stored 0
//!   page 1   4096 frames   from content …, stored …      starts are kept, rows are read when they are needed
//! ```
//!
//! 8 TiB in frames of 1 MiB have eight million rows. Of a table in the file only the starts of its pages are kept; a writer
//! keeps four bytes a frame, and eight where frames of several lengths are mixed.

use super::layout::{ENTRY_LEN, SKIPPABLE_LEN};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::io::ReadAt;
use std::sync::Arc;

/// The frames of a page.
pub(super) const PAGE: usize = 4096;
/// Pages of a table that are kept.
const PAGES_KEPT: usize = 16;

/// A place in the content and in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) content: u64,
    pub(super) stored: u64,
}

/// A frame: its content's place, and its own in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) content: Extent,
    pub(super) stored: Extent,
    /// The lower half of the XXH64 of its content, where the table has it.
    pub(super) checksum: Option<u32>,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) compressed: u32,
    pub(super) decompressed: u32,
    pub(super) checksum: Option<u32>,
}

/// Up to [`PAGE`] rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    start: Point,
    compressed: Vec<u32>,
    /// One for all, where all are the same.
    decompressed: Vec<u32>,
    checksums: Vec<u32>,
}

impl Page {
    fn new(start: Point) -> Page {
        Page { start, ..Page::default() }
    }

    fn len(&self) -> usize {
        self.compressed.len()
    }

    fn entry(&self, row: usize) -> Option<Entry> {
        Some(Entry {
            compressed: *self.compressed.get(row)?,
            decompressed: *self.decompressed.get(row).or(self.decompressed.first())?,
            checksum: self.checksums.get(row).copied(),
        })
    }

    fn push(&mut self, entry: Entry) {
        // Written out only when the first other one comes.
        let same = self.decompressed.first().is_none_or(|&first| first == entry.decompressed);
        if self.decompressed.is_empty() {
            self.decompressed.push(entry.decompressed);
        } else if !same || self.decompressed.len() > 1 {
            self.decompressed.resize(self.compressed.len(), self.decompressed[0]);
            self.decompressed.push(entry.decompressed);
        }
        self.compressed.push(entry.compressed);
        self.checksums.extend(entry.checksum);
    }

    fn truncate(&mut self, rows: usize) {
        self.compressed.truncate(rows);
        self.decompressed.truncate(rows);
        self.checksums.truncate(rows);
    }
}

/// Where the rows are.
enum Rows {
    /// In the file, at this offset, so many of this length; pages are kept for a while.
    Table { at: u64, count: u64, row: u64, kept: Cache<Page> },
    /// Here; every page but the last is full.
    Memory(Vec<Arc<Page>>),
}

/// All frames of a file.
pub(super) struct Index {
    rows: Rows,
    /// Where each page begins.
    starts: Vec<Point>,
    end: Point,
    count: u64,
    longest: u64,
}

impl Index {
    /// No frames yet; grows by [`Index::push`].
    pub(super) fn new() -> Index {
        let rows = Rows::Memory(Vec::new());
        Index { rows, starts: Vec::new(), end: Point::default(), count: 0, longest: 0 }
    }

    /// The seek table whose skippable frame begins at `at`.
    pub(super) fn of_table(stored: &dyn ReadAt, at: u64, count: u64, checksums: bool) -> Result<Index> {
        let row = ENTRY_LEN + if checksums { 4 } else { 0 };
        let kept = Cache::new(PAGES_KEPT);
        let mut index =
            Index { rows: Rows::Table { at: at + SKIPPABLE_LEN, count, row, kept }, ..Index::new() };
        for page in 0..count.div_ceil(PAGE as u64) {
            index.starts.push(index.end);
            let page = index.read_page(stored, page as usize)?;
            for entry in (0..page.len()).filter_map(|row| page.entry(row)) {
                index.add(entry);
            }
            // Checked here, so that later sums cannot overflow.
            if index.end.stored > at {
                let context =
                    format!("its frames would reach to byte {} and into the seek table", index.end.stored);
                return Err(Error::corrupt(at, context));
            }
        }
        Ok(index)
    }

    fn add(&mut self, entry: Entry) {
        // 2^27 frames of less than 2^32 bytes at most.
        self.end.stored += u64::from(entry.compressed);
        self.end.content += u64::from(entry.decompressed);
        self.count += 1;
        self.longest = self.longest.max(entry.decompressed.into());
    }

    /// Behind the last frame.
    pub(super) fn end(&self) -> Point {
        self.end
    }

    /// How many frames there are, those without content included.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The content of the longest frame, in bytes.
    pub(super) fn longest(&self) -> u64 {
        self.longest
    }

    /// One more frame in memory.
    pub(super) fn push(&mut self, compressed: u32, decompressed: u32) {
        let Rows::Memory(pages) = &mut self.rows else { unreachable!("a table in a file does not grow") };
        if pages.last().is_none_or(|page| page.len() == PAGE) {
            if let Some(full) = pages.last_mut().map(Arc::make_mut) {
                full.compressed.shrink_to_fit();
                full.decompressed.shrink_to_fit();
            }
            self.starts.push(self.end);
            pages.push(Arc::new(Page::new(self.end)));
        }
        let entry = Entry { compressed, decompressed, checksum: None };
        let last = pages.last_mut().expect("one was pushed");
        Arc::make_mut(last).push(entry);
        self.add(entry);
    }

    /// Forgets the frames that reach beyond `content`.
    pub(super) fn cut(&mut self, content: u64) {
        let Rows::Memory(pages) = &mut self.rows else { unreachable!("a table in a file does not shrink") };
        while let Some(last) = pages.last_mut().filter(|_| self.end.content > content) {
            let last = Arc::make_mut(last);
            let Some(entry) = last.len().checked_sub(1).and_then(|row| last.entry(row)) else {
                pages.pop();
                self.starts.pop();
                continue;
            };
            last.truncate(last.len() - 1);
            self.end.stored -= u64::from(entry.compressed);
            self.end.content -= u64::from(entry.decompressed);
            self.count -= 1;
        }
    }

    fn read_page(&self, stored: &dyn ReadAt, page: usize) -> Result<Page> {
        let Rows::Table { at, count, row, .. } = &self.rows else {
            unreachable!("pages in memory are there")
        };
        let first = page as u64 * PAGE as u64;
        let rows = (count - first).min(PAGE as u64);
        let mut bytes = vec![0; (rows * row) as usize];
        let offset = at + first * row;
        stored
            .read_at(&mut bytes, offset)
            .map_err(|error| Error::io("reading the seek table", error).at(offset))?;
        let mut read = Page::new(self.starts[page]);
        for row in bytes.chunks_exact(*row as usize) {
            let mut words =
                row.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
            let mut word = || words.next().unwrap_or_default();
            let (compressed, decompressed) = (word(), word());
            read.push(Entry { compressed, decompressed, checksum: words.next() });
        }
        Ok(read)
    }

    fn page(&self, stored: &dyn ReadAt, page: usize) -> Result<Arc<Page>> {
        match &self.rows {
            Rows::Memory(pages) => Ok(Arc::clone(&pages[page])),
            Rows::Table { kept, .. } => kept.get(page as u64, || self.read_page(stored, page)),
        }
    }

    /// The frames with content, from the one that holds the byte `offset` on.
    pub(super) fn from<'a>(&'a self, stored: &'a dyn ReadAt, offset: u64) -> Result<Frames<'a>> {
        // The last page that begins at or before it; pages without content make no difference.
        let page = self.starts.partition_point(|start| start.content <= offset).saturating_sub(1);
        let mut frames = self.rows_from(stored, page)?;
        while let Some(entry) = frames.entry()? {
            if frames.point.content + u64::from(entry.decompressed) > offset {
                break;
            }
            frames.step(entry);
        }
        Ok(frames)
    }

    /// All rows.
    pub(super) fn all<'a>(&'a self, stored: &'a dyn ReadAt) -> Result<Frames<'a>> {
        self.rows_from(stored, 0)
    }

    fn rows_from<'a>(&'a self, stored: &'a dyn ReadAt, number: usize) -> Result<Frames<'a>> {
        let page = if number < self.starts.len() { self.page(stored, number)? } else { Arc::default() };
        let point = page.start;
        Ok(Frames { index: self, stored, page, number, row: 0, point })
    }
}

/// Goes from frame to frame.
pub(super) struct Frames<'a> {
    index: &'a Index,
    stored: &'a dyn ReadAt,
    page: Arc<Page>,
    number: usize,
    row: usize,
    /// Where the next row's frame begins.
    point: Point,
}

impl Frames<'_> {
    /// The row that comes next, which is not passed.
    fn entry(&mut self) -> Result<Option<Entry>> {
        if self.row >= self.page.len() && self.number + 1 < self.index.starts.len() {
            self.number += 1;
            self.page = self.index.page(self.stored, self.number)?;
            self.row = 0;
        }
        Ok(self.page.entry(self.row))
    }

    fn step(&mut self, entry: Entry) {
        self.row += 1;
        self.point.content += u64::from(entry.decompressed);
        self.point.stored += u64::from(entry.compressed);
    }

    /// The next frame, also one without content.
    pub(super) fn any(&mut self) -> Result<Option<Frame>> {
        let Some(entry) = self.entry()? else { return Ok(None) };
        let content = Extent::new(self.point.content, entry.decompressed.into());
        let stored = Extent::new(self.point.stored, entry.compressed.into());
        self.step(entry);
        Ok(Some(Frame { content, stored, checksum: entry.checksum }))
    }

    /// The next frame that has content.
    pub(super) fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            match self.any()? {
                Some(frame) if frame.content.is_empty() => {}
                found => return Ok(found),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_by_their_content() {
        let mut index = Index::new();
        let none: &[u8] = &[];
        let sizes = |n: u32| (n % 7 + 1, if n < 9000 { 10 } else { n % 3 });
        let mut expected = Vec::new();
        for n in 0..20_000 {
            let (compressed, decompressed) = sizes(n);
            let (content, stored) = (index.end().content, index.end().stored);
            index.push(compressed, decompressed);
            if decompressed > 0 {
                expected.push((
                    Extent::new(content, decompressed.into()),
                    Extent::new(stored, compressed.into()),
                ));
            }
        }
        let end = index.end().content;
        for offset in (0..end).step_by(997).chain([end - 1]) {
            let frame = index.from(&none, offset).unwrap().next().unwrap().unwrap();
            assert!(frame.content.contains(offset));
            assert!(expected.contains(&(frame.content, frame.stored)));
        }
        assert_eq!(index.from(&none, end).unwrap().next().unwrap(), None);
        let mut all = index.from(&none, 0).unwrap();
        for (content, stored) in &expected {
            assert_eq!(
                all.next().unwrap(),
                Some(Frame { content: *content, stored: *stored, checksum: None })
            );
        }
        for content in [end - 1, 50_000, 10, 9, 0] {
            index.cut(content);
            let whole = expected.iter().rfind(|(extent, _)| extent.end() <= content);
            assert_eq!(index.end().content, whole.map_or(0, |(extent, _)| extent.end()));
        }
        assert_eq!(index.from(&none, 0).unwrap().next().unwrap(), None);
        index.push(5, 6);
        assert_eq!((index.end().content, index.end().stored), (6, 5));
    }
}
