//! `verify`: an image against its own record, or against a source.
//!
//! Both are copies into a sink that keeps nothing: the first takes the tree and the digests of the image and compares them
//! with the record, the second compares what the source gives with what the image holds.

use super::open::{self, How, Images, Opened, Purpose};
use super::wrapped::volume_in;
use crate::copy::{Job, Limits, Tuning, copy};
use crate::error::{Error, Kind, Result, word};
use crate::extent::{Extent, Extents, PIECE};
use crate::image::differing::differing;
use crate::image::{self, Findings, Sink};
use crate::io::{Content, ReadAt, is_zero, read_padded};
use crate::os::Found;
use crate::os::disk;
use crate::plan::map::{RescueMap, Status};
use crate::plan::rescue::{self, Rescue};
use crate::proof::digest::Algorithm;
use crate::proof::ledger::Ledger;
use crate::proof::record::{self, Record};
use crate::proof::tree::Tree;
use crate::watch::{Phase, Watch};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Differences are told apart down to this many bytes.
pub(super) const SECTOR: usize = 512;

/// So many differing extents are listed; beyond, only their bytes are counted.
const MOST_LISTED: usize = 10_000;

/// A format pads its content with fewer zeros, in bytes: to whole sectors, or to whole cylinders.
const MOST_PADDING: u64 = 64 << 20;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Bytes that were compared.
    pub compared: u64,
    /// Bytes that the image does not hold and that were therefore not compared.
    pub skipped_unreadable: u64,
    /// Where they differ, sector by sector; the first 10 000 extents.
    pub differences: Extents,
    /// How many bytes lie in differing sectors, listed or not.
    pub differing: u64,
    /// Bytes that the source could not give now.
    pub unreadable: Extents,
    /// Sizes that are not equal: the image's, and that of the source.
    pub sizes: Option<(u64, u64)>,
    /// The image's size and the one that its record tells, where they differ.
    pub resized: Option<(u64, u64)>,
    /// Linear digests of what the source gave, where all of it came, once and in order.
    pub digests: BTreeMap<String, String>,
}

impl Comparison {
    /// Whether nothing differs.
    pub fn is_equal(&self) -> bool {
        let is_as_long = self.sizes.is_none() && self.resized.is_none();
        self.differing == 0 && is_as_long && self.unreadable.is_empty()
    }
}

/// What `verify IMAGE` found.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The image's record, where there is one.
    pub record: Option<Record>,
    /// Whether the image is what its record says; true where there is none to contradict.
    pub equal: bool,
    /// Bytes that were read.
    pub compared: u64,
    /// Where the image is not what the record says: nodes of the tree.
    pub differences: Extents,
    /// Digests as they are now, the tree's root among them.
    pub digests: BTreeMap<String, String>,
    /// Digests that are not those of the record.
    pub wrong: Vec<String>,
    /// The image's size and the record's, where they differ.
    pub sizes: Option<(u64, u64)>,
    /// The image's format.
    pub format: &'static str,
    /// What is wrong with its structure.
    pub structure: Findings,
}

impl Verified {
    /// Whether the content is the recorded one, whatever its structure.
    pub fn is_recorded(&self) -> bool {
        self.wrong.is_empty() && self.differences.is_empty() && self.sizes.is_none()
    }
}

/// Compares an image with its record: every byte is read, the tree and all recorded digests are computed anew, and its
/// structure is looked through.
pub fn verify_image(
    path: &Path,
    images: &Images,
    more: &[Algorithm],
    tuning: Tuning,
    watch: &Watch,
) -> Result<Verified> {
    refuse_no_image(path)?;
    let mut opened = open::open_image_watched(path, images, watch)?;
    opened.forget();
    let record = opened.record.take();
    let geometry = opened.geometry();
    let size = geometry.size;
    let recorded = |name: &str| record.as_ref().and_then(|record| record.digests.get(name));
    let wanted: Vec<Algorithm> = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| recorded(algorithm.name()).is_some() || more.contains(algorithm))
        .collect();
    let mut ledger = Ledger::passing(RescueMap::new(size));
    watch.enter(Phase::Verifying, size);
    let copied = copy(Job {
        strategy: &mut Rescue::new(geometry, rescue::Options::default()),
        source: &mut *opened.source,
        sink: &mut Nowhere,
        in_order: false,
        ledger: &mut ledger,
        digests: &wanted,
        tuning,
        limits: Limits::default(),
        watch,
    })?;
    if let Some(error) = copied.stopped {
        return Err(error);
    }
    let lost = size - ledger.map().bytes(Status::Finished);
    if lost > 0 {
        let bad = ledger.map().extents(Status::Bad);
        let first = bad.iter().next().map_or(0, |at| at.offset);
        return Err(
            Error::new(Kind::Io, format!("{lost} bytes of {} cannot be read", path.display())).at(first)
        );
    }
    let mut digests: BTreeMap<String, String> = BTreeMap::new();
    let mut missing = Vec::new();
    for (algorithm, digest) in copied.digests {
        match digest {
            Some(digest) => drop(digests.insert(algorithm.name().to_owned(), digest)),
            None => missing.push(algorithm),
        }
    }
    let tree = match ledger.grown_tree() {
        Some(tree) if missing.is_empty() => tree,
        // A read that failed at first and then went well came out of order: once more, in order.
        _ => {
            let (tree, more) = ledger.prove(&*opened.reader()?, false, &missing, watch)?;
            digests.extend(more.into_iter().map(|(algorithm, digest)| (algorithm.name().to_owned(), digest)));
            tree
        }
    };
    let mut structure = Findings::default();
    let image = opened.image().expect("an image was opened");
    image.check(&mut structure).map_err(|error| error.in_file(path))?;
    unless_written(path, &opened)?;
    let wrong: Vec<String> = digests
        .iter()
        .filter(|(name, digest)| recorded(name).is_some_and(|recorded| recorded != *digest))
        .map(|(name, _)| name.clone())
        .collect();
    digests.insert("tree".to_owned(), tree.root.to_string());
    let (differences, sizes) = match &record {
        Some(record) => {
            let (differences, sizes) = against_record(&tree, record, path)?;
            (differences, sizes.or(wrong_size(&opened, record.image.content_size)?))
        }
        None => (Extents::new(), None),
    };
    Ok(Verified {
        equal: wrong.is_empty() && differences.is_empty() && sizes.is_none() && structure.faults.is_empty(),
        format: image.facts().format,
        structure,
        compared: size,
        differences,
        digests,
        wrong,
        sizes,
        record,
    })
}

/// The image's size and the one that it should have, where they differ. What a format pads with zeros is no difference.
fn wrong_size(opened: &Opened, content: u64) -> Result<Option<(u64, u64)>> {
    let image = opened.image().expect("an image was opened");
    let size = image.size();
    let is_bytes = image::named(image.facts().format).is_some_and(|format| format.is_bytes);
    if size == content {
        return Ok(None);
    }
    if is_bytes || size < content || size - content > MOST_PADDING {
        return Ok(Some((size, content)));
    }
    let mut padding = vec![0; (size - content) as usize];
    image
        .read_at(&mut padding, content)
        .map_err(|error| Error::io("reading the image", error).at(content))?;
    Ok((!is_zero(&padding)).then_some((size, content)))
}

/// An image that lost its end, or gained one, since its record was written is not copied as if it were whole.
pub(super) fn refuse_another_size(path: &Path, opened: &Opened) -> Result<()> {
    let Some(record) = &opened.record else { return Ok(()) };
    let Some((size, recorded)) = wrong_size(opened, record.image.content_size)? else { return Ok(()) };
    let (name, record) = (path.display(), record::path_of(path));
    let context = format!("{name} has {size} bytes, and its record says {recorded}: it was changed since");
    Err(Error::new(Kind::Changed, context)
        .advise(format!("what else is another:     ectype verify {}", word(path)))
        .advise(format!("take it as it is, without its record:  mv {0} {0}.old", word(&record))))
}

/// Where the image's tree is not the recorded one.
fn against_record(tree: &Tree, record: &Record, path: &Path) -> Result<(Extents, Option<(u64, u64)>)> {
    let recorded = record.tree().ok_or_else(|| {
        Error::new(Kind::Corrupt, format!("the tree in the record of {} contradicts itself", path.display()))
    })?;
    if tree.root == recorded.root {
        return Ok((Extents::new(), None));
    }
    let sizes = (tree.len != recorded.len).then_some((tree.len, recorded.len));
    let mut differences = Extents::new();
    if tree.pieces_per_node == recorded.pieces_per_node {
        let node = tree.pieces_per_node * PIECE;
        let shared = tree.len.min(recorded.len);
        for (index, (now, then)) in tree.nodes.iter().zip(&recorded.nodes).enumerate() {
            if now != then {
                let offset = index as u64 * node;
                differences.insert(Extent::between(offset, (offset + node).min(shared)));
            }
        }
    }
    Ok((differences, sizes))
}

/// Compares an image with a source: a device, or the content of a file or image. What the image is known not to hold is
/// skipped, unless `all` is wanted: then the zeros that stand for it are compared.
pub fn verify_against(
    image: &Path,
    images: &Images,
    source: &Path,
    all: bool,
    more: &[Algorithm],
    tuning: Tuning,
    watch: &Watch,
) -> Result<(Comparison, Option<Record>)> {
    refuse_no_image(image)?;
    let mut opened = open::open_image_watched(image, images, watch)?;
    let mut other = match disk::find(source)? {
        Found::File(file) => {
            open::open_image_watched(&file, &Images { format: None, ..images.clone() }, watch)?
        }
        Found::Device { .. } => open::open(source, How { purpose: Purpose::Look, ..How::default() })?,
    };
    if all {
        (opened.unread, other.unread) = (Extents::new(), Extents::new());
    }
    if let Some(wrapped) = volume_in(&opened)?
        && other.geometry().size == wrapped.volume.len
    {
        let (start, end) = opened.around(wrapped)?;
        other = other.wrap(start, end);
    }
    let comparison = compare(&mut other, image, &opened, more, tuning, watch)?;
    Ok((comparison, opened.record))
}

/// Compares the content of an image with a source, except where either is known not to hold it.
pub(super) fn compare(
    other: &mut Opened,
    path: &Path,
    opened: &Opened,
    digests: &[Algorithm],
    tuning: Tuning,
    watch: &Watch,
) -> Result<Comparison> {
    let image = Arc::clone(opened.image().expect("an image was opened"));
    let record = opened.record.as_ref();
    let run_out = record.and_then(|record| record.run_out).map_or(0, |range| range.length);
    opened.forget();
    other.forget();
    other.source.forget();
    let geometry = other.geometry();
    // Whole sectors: the source may be able to give nothing less.
    let content = opened.geometry().size;
    let shared = content.min(geometry.size);
    let unread = opened.unread.union(&other.unread);
    let mut map = RescueMap::new(shared);
    for skipped in unread.iter() {
        map.set(skipped.intersect(Extent::new(0, shared)), Status::Bad);
    }
    // A stream is read forward, however sick the source is.
    let in_order = image.facts().in_order;
    let options = if in_order { rescue::Options::forward() } else { rescue::Options::default() };
    let mut sink = Against { image, buffer: vec![0; PIECE as usize], found: Comparison::default() };
    let mut ledger = Ledger::comparing(map);
    watch.enter(Phase::Verifying, shared);
    let copied = copy(Job {
        strategy: &mut Rescue::new(geometry, options),
        source: &mut *other.source,
        sink: &mut sink,
        in_order: false,
        ledger: &mut ledger,
        digests,
        tuning,
        limits: Limits::default(),
        watch,
    })?;
    if let Some(error) = copied.stopped {
        return Err(error);
    }
    unless_written(path, opened)?;
    let mut found = sink.found;
    found.compared = ledger.map().bytes(Status::Finished);
    found.skipped_unreadable = unread.bytes();
    found.unreadable = ledger.map().extents(Status::Bad).subtract(&unread);
    if shared == geometry.size && unread.is_empty() && found.unreadable.is_empty() {
        let taken =
            |(algorithm, digest): (Algorithm, Option<String>)| Some((algorithm.name().to_owned(), digest?));
        found.digests = copied.digests.into_iter().filter_map(taken).collect();
    }
    let recorded = record.map(|record| record.image.content_size);
    // An image that lost its end, or gained one, is not what the record says, whatever the source is.
    found.resized = recorded.map(|recorded| wrong_size(opened, recorded)).transpose()?.flatten();
    found.sizes = match found.resized {
        Some(_) => None,
        None if content == geometry.size || content.checked_add(run_out) == Some(geometry.size) => None,
        // Neither knows how long the content is that it pads.
        None if recorded.is_none() && wrong_size(opened, geometry.size)?.is_none() => None,
        None if other.image().is_some() && wrong_size(other, content)?.is_none() => None,
        None => Some((content, geometry.size)),
    };
    Ok(found)
}

/// What is said of an image must be true of one moment.
fn unless_written(path: &Path, opened: &Opened) -> Result<()> {
    if opened.is_unchanged() {
        return Ok(());
    }
    Err(Error::new(Kind::Changed, format!("{} was written to while it was verified", path.display()))
        .advise("let its writer end, and run the same command again"))
}

/// The same for who compares, and may have named the device first.
fn refuse_no_image(path: &Path) -> Result<()> {
    let advised = |error: Error| match error.kind() {
        Kind::Refused => {
            error.advise("to compare a device, name the image first:  ectype verify IMAGE DEVICE")
        }
        _ => error,
    };
    open::refuse_no_file(path).map_err(advised)
}

/// A sink that keeps nothing: the tree and the digests are all that is wanted.
struct Nowhere;

impl Sink for Nowhere {
    fn put(&mut self, _offset: u64, _data: &[u8]) -> Result<()> {
        Ok(())
    }

    fn zero(&mut self, _at: Extent) -> Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A sink that compares what it is given with what an image holds.
struct Against {
    image: Arc<dyn image::Opened>,
    buffer: Vec<u8>,
    found: Comparison,
}

/// Counts what differs at `at`, and lists it as long as the list is not too long.
pub(super) fn note_difference(at: Extent, bytes: &mut u64, listed: &mut Extents) {
    *bytes += at.len;
    if listed.count() < MOST_LISTED || listed.touches(at) {
        listed.insert(at);
    }
}

impl Against {
    /// Compares with the image's bytes from `offset`, which may end before.
    fn compare(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let held = &mut self.buffer[..data.len()];
        read_padded(&*self.image, held, offset)
            .map_err(|error| Error::io("reading the image", error).at(offset))?;
        // Mostly they are equal, and that is seen fastest in one look.
        if held == data {
            return Ok(());
        }
        for (start, len) in differing(held, data, SECTOR) {
            let at = Extent::new(offset + start as u64, len as u64);
            note_difference(at, &mut self.found.differing, &mut self.found.differences);
        }
        Ok(())
    }
}

impl Sink for Against {
    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        self.compare(offset, data)
    }

    fn zero(&mut self, at: Extent) -> Result<()> {
        static ZEROS: [u8; PIECE as usize] = [0; PIECE as usize];
        let mut offset = at.offset;
        while offset < at.end() {
            let (content, until) = self.image.content_at(offset).unwrap_or((Content::Data, at.end()));
            let end = until.min(at.end());
            if content == Content::Data {
                let len = (end - offset).min(PIECE);
                self.compare(offset, &ZEROS[..len as usize])?;
                offset += len;
            } else {
                offset = end;
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, _at: Extent) -> Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        Ok(())
    }
}
