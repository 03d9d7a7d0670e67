//! Image formats: what is written, and read back.
//!
//! ```text
//!   FORMATS   raw  iso  …            one row a format: name, extensions, probe, open, writing
//!     open    stored bytes ──► Opened: a ReadAt of the disk's content again, with facts and a check of its structure
//!     create  stored bytes ◄── Image:  a Sink that is fed by the engine, and reads as what was put
//! ```
//!
//! A format is a folder and a row: a layout picture, its structures, a reader and a writer. Format code is given stored
//! bytes ([`ReadAt`], [`Storage`]) and turns extents of a disk into bytes of a file. It spawns no thread, locks nothing,
//! never sees a device and never opens a path: parents, backing files and extents come through the [`Gate`]. Packing, the
//! work that costs processor time, is a pure function of one block ([`Pack`]) that the engine calls on any core.

pub mod codec;
pub mod differing;
pub mod gate;
pub mod packed;
pub mod qcow2;
pub mod raw;
pub mod vhd;
pub mod vhdx;
pub mod vmdk;
pub mod zst;

use crate::error::{Error, Result};
use crate::extent::{Extent, Extents};
use crate::io::{ReadAt, Storage, Window};
use crate::os::file::Allocation;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// The formats, in the order of probing. What none of them claims is raw.
pub static FORMATS: &[&Format] = &[
    &qcow2::QCOW2,
    &zst::ZST,
    &vmdk::VMDK,
    &vhdx::VHDX,
    &vhd::VHD,
    &packed::GZIP,
    &packed::XZ,
    &packed::BZIP2,
    &packed::LZ4,
    &raw::ISO,
    &raw::RAW,
];

/// A format of images: a row of the table.
pub struct Format {
    /// The stable name in options, records and JSON.
    pub name: &'static str,
    /// The extensions of its files, without the dot, the usual one first.
    pub extensions: &'static [&'static str],
    /// Whether byte n of the disk is byte n of the file: such an image can be begun by another program, and looked at while it
    /// is unfinished.
    pub is_bytes: bool,
    /// Whether its files tell the sector of their disk; of others only the record knows.
    pub tells_sector: bool,
    /// Whether stored bytes are of this format, by their content alone; never true of raw.
    pub probe: fn(&dyn ReadAt) -> bool,
    /// Opens stored bytes for reading.
    pub open: Open,
    /// How it is written; `None` for what is only read.
    pub writing: Option<Writing>,
}

/// Opens stored bytes; other files that the image needs come through the gate.
pub type Open = fn(Arc<dyn ReadAt>, &mut dyn Gate) -> Result<Arc<dyn Opened>>;

/// How images of a format are written.
pub struct Writing {
    /// The values that `--subformat` takes, the default first; empty where there is no choice.
    pub subformats: &'static [&'static str],
    /// Whether `--compress` has a meaning, and which kinds.
    pub compressions: &'static [&'static str],
    /// Refuses what the format cannot hold, and completes what was left open (block size, compression level).
    /// Returns what will be written and the length of the longest file that it can become.
    pub plan: fn(Spec) -> Result<(Spec, u64)>,
    /// Whether an image can have a parent: [`Spec::parent`].
    pub differencing: bool,
    /// Whether it is attached as a whole disk, so that a volume wants a partition table around it.
    pub is_attached: bool,
    /// Whether its file may be sparse where that is a choice.
    pub allocation: Allocation,
    /// Whether its file can be written from start to end, nothing twice, where it is fed so: then it can go down a pipe.
    pub streams: bool,
    /// In which order such an image is fed.
    pub placement: fn(&Spec) -> Placement,
    /// A new image in empty storage.
    pub create: fn(Place, &Spec) -> Result<Box<dyn Image>>,
    /// Goes on with an unfinished image, of which only what `held` covers counts: all else reads as in a new image.
    pub resume: fn(Place, &Spec, &Extents) -> Result<Box<dyn Image>>,
}

/// Where an image is written to.
pub struct Place {
    /// Its file. A flush of it that failed is not repeated into a claim ([`crate::io::Durable`]).
    pub storage: Box<dyn Storage>,
    /// The parent that [`Spec::parent`] names: where nothing was put, a differencing image reads as it.
    pub parent: Option<Arc<dyn Opened>>,
}

/// What an image that is to be written is like. A plan has completed it: the same on every resume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The length of the content, in bytes; what a format pads to whole sectors reads as zeros behind it.
    pub size: u64,
    /// The logical sector of the source, in bytes: 1 where it has none.
    pub sector: u32,
    /// The physical sector of the source, in bytes.
    pub physical_sector: u32,
    /// One of [`Writing::subformats`]; empty before the plan chose.
    pub subformat: String,
    /// One of [`Writing::compressions`], or `none`; empty before the plan chose.
    pub compression: String,
    /// The compressor's level, where one was asked for.
    pub level: Option<i32>,
    /// What is allocated or packed as one, in bytes; 0 before the plan chose.
    pub block: u64,
    /// A fresh random identity for the image.
    pub id: [u8; 16],
    /// When the image was begun, in seconds since 1970.
    pub created: u64,
    /// The image that this one only differs from.
    pub parent: Option<Parent>,
}

impl Spec {
    /// Whether both ask for the same image, apart from what makes each image another.
    pub fn is_like(&self, other: &Spec) -> bool {
        let alike = |spec: &Spec| Spec { id: [0; 16], created: 0, ..spec.clone() };
        alike(self) == alike(other)
    }

    /// Whether only the parent was written since: it has the name and the format that it had.
    pub fn is_of_other_state(&self, other: &Spec) -> bool {
        let (Some(before), Some(now)) = (&self.parent, &other.parent) else { return false };
        let same = Spec { parent: other.parent.clone(), ..self.clone() };
        same.is_like(other)
            && before != now
            && (&before.absolute, &before.format) == (&now.absolute, &now.format)
    }
}

/// The parent of a differencing image, as the child names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its path relative to the child's folder.
    pub relative: String,
    /// Its absolute path.
    pub absolute: String,
    /// Its format's name.
    pub format: String,
    /// What the parent tells of its identity: [`Facts::id`].
    pub id: [u8; 16],
    /// When it was written last, in seconds since 1970.
    pub modified: u64,
}

/// What is known of an opened image.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The format's name in the table.
    pub format: &'static str,
    /// The kind within the format, in the field's word: `dynamic`, `monolithicSparse`, `v3`.
    pub subformat: String,
    /// The logical sector in bytes.
    pub sector: u32,
    /// What tells this state of the image from others, for children: a VHD's unique id, a VHDX's data write GUID, a
    /// VMDK's CID in the first four bytes; zeros where the format has none.
    pub id: [u8; 16],
    /// The parent or backing file as the image names it.
    pub parent: Option<String>,
    /// Whether only reads that go forward are cheap, as in a compressed stream.
    pub in_order: bool,
    /// What else the format tells, in its own words and order: numbers, texts and flags.
    pub more: Vec<(&'static str, serde_json::Value)>,
}

/// An image that is open for reading: the content of its disk.
///
/// A read of what is corrupt fails with [`std::io::ErrorKind::InvalidData`] around an [`Error`] (see [`Error::into_io`]).
pub trait Opened: ReadAt {
    /// What it tells of itself.
    fn facts(&self) -> &Facts;

    /// Looks through all structure for what contradicts itself: overlapping or outlying blocks, wrong checksums, leaks.
    /// An error where it cannot be looked through at all.
    fn check(&self, findings: &mut Findings) -> Result<()>;

    /// Whether it only stands for a parent that nobody looked for: then it has no identity, and gives nothing.
    fn is_absent(&self) -> bool {
        false
    }
}

/// A part of an image's content, as a partition is: what the image tells of itself stays.
impl Opened for Window<Arc<dyn Opened>> {
    fn facts(&self) -> &Facts {
        self.whole().facts()
    }

    fn check(&self, findings: &mut Findings) -> Result<()> {
        self.whole().check(findings)
    }
}

/// What a check of an image's structure found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Faults that endanger content, with their byte position in the file; the first [`Findings::MOST`].
    pub faults: Vec<(u64, String)>,
    /// How many faults there are, listed or not.
    pub fault_count: u64,
    /// Bytes of the file that nothing refers to.
    pub leaked: u64,
    /// What is odd and harmless: an unclean log that was replayed, a missing copy.
    pub notes: Vec<String>,
}

impl Findings {
    /// So many faults are listed.
    pub const MOST: usize = 1000;

    /// Adds a fault at byte `offset` of the file.
    pub fn fault(&mut self, offset: u64, what: impl Into<String>) {
        self.fault_count += 1;
        if self.faults.len() < Self::MOST {
            self.faults.push((offset, what.into()));
        }
    }
}

/// The one way by which an image opens another file than the one that it was given.
pub trait Gate {
    /// Stored bytes that belong to the image: an extent, a data file. `name` is the name in the image.
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>>;

    /// The parent or backing file, opened. `names` are those in the image, the likeliest first; `format` is what the image
    /// says of the parent's format, as a name of the table, and where it says nothing the content decides.
    fn parent(&mut self, names: &[String], format: Option<&str>) -> Result<Arc<dyn Opened>>;
}

/// In which order an image may be fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Any sector, in any order, any number of times.
    Anywhere,
    /// Whole pieces, ascending, each once; only the last may be short. Zeros likewise.
    InOrder,
}

/// Pure work on one block, on any core: compression.
pub trait Pack: Send + Sync {
    /// Packs the bytes `data` of the disk at `at`, which begins on a piece and is one, or ends with the disk.
    fn pack(&self, at: Extent, data: &[u8]) -> Result<Packed>;
}

/// What a packer made of a block.
#[derive(Debug, Default)]
pub struct Packed {
    /// The packed grains, one behind the other.
    pub bytes: Vec<u8>,
    /// The grains of the block, ascending. Over a parent those that are the same there are left out.
    pub grains: Vec<Grain>,
}

/// A part of a block that is stored as one.
#[derive(Debug)]
pub struct Grain {
    /// Which bytes of the disk.
    pub at: Extent,
    /// How it is stored.
    pub form: Form,
}

/// How a grain is stored.
#[derive(Debug, PartialEq, Eq)]
pub enum Form {
    /// It is all zeros.
    Zero,
    /// As it is: packing would not make it smaller.
    Plain,
    /// These bytes of [`Packed::bytes`].
    Packed(Range<usize>),
}

/// The bytes of a block, which nobody changes any more.
pub type Block = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// What takes a copy, addressed by the bytes of the disk that is copied.
///
/// Where the placement is [`Placement::Anywhere`], a later put, zero, unused or unreadable *replaces* an earlier one, at
/// sector granularity: a rescue completes a piece from fragments, and a resume rewrites what changed.
pub trait Sink: Send {
    /// In which order it may be fed.
    fn placement(&self) -> Placement {
        Placement::Anywhere
    }

    /// What packs each block before it is put; `None` where blocks are stored as they are.
    fn packer(&self) -> Option<Arc<dyn Pack>> {
        None
    }

    /// The bytes at `offset` are `data`.
    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()>;

    /// The bytes at `offset` are `data`, packed by [`Sink::packer`].
    fn put_packed(&mut self, offset: u64, data: &[u8], _packed: &Packed) -> Result<()> {
        self.put(offset, data)
    }

    /// The same, of bytes that may be kept until they are written, which saves a copy: of [`Sink::keeps`] blocks at a time.
    fn put_block(&mut self, offset: u64, data: Block, packed: &Packed) -> Result<()> {
        self.put_packed(offset, (*data).as_ref(), packed)
    }

    /// So many blocks are kept at most.
    fn keeps(&self) -> usize {
        0
    }

    /// The bytes of `at` are zeros.
    fn zero(&mut self, at: Extent) -> Result<()>;

    /// The bytes of `at` are not used by their owner; they read as zeros, also over a parent.
    fn unused(&mut self, at: Extent) -> Result<()> {
        self.zero(at)
    }

    /// The bytes of `at` could not be read; they are guaranteed to read as zeros.
    fn unreadable(&mut self, at: Extent) -> Result<()> {
        self.zero(at)
    }

    /// Makes all that was put durable: payload, flush, tables, flush.
    fn checkpoint(&mut self) -> Result<()>;
}

/// An image under construction: reads as what was put, and as zeros where nothing was.
pub trait Image: Sink + ReadAt {
    /// The content ends here after all, as with a disc whose last sectors are run-out.
    fn set_end(&mut self, size: u64) -> Result<()>;

    /// Completes the image and makes it durable.
    fn finish(&mut self) -> Result<()>;
}

impl PartialEq for Format {
    fn eq(&self, other: &Format) -> bool {
        self.name == other.name
    }
}

impl Eq for Format {}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What holds an empty source.
const OF_NOTHING: &str = "a raw image holds nothing too:  --format raw";

/// Refuses a source with sectors of 4096 bytes: a disk in `format` has those of 512, and nothing that counts in the source's own
/// would be found on it.
fn refuse_large_sectors(format: &str, spec: &Spec) -> Result<()> {
    if spec.sector <= 2048 {
        return Ok(());
    }
    let context =
        format!("{format} disks have sectors of 512 bytes, and the source has sectors of {}", spec.sector);
    Err(Error::refused(context)
        .advise("VHDX keeps the sector size:       --format vhdx")
        .advise("so does a raw image's own record: --format raw"))
}

/// The format of that name.
pub fn named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.name == name)
}

/// The format whose files have this extension, without the dot.
pub fn of_extension(extension: &str) -> Option<&'static Format> {
    let extension = extension.to_ascii_lowercase();
    FORMATS.iter().copied().find(|format| format.extensions.contains(&extension.as_str()))
}

/// The format of stored bytes by their content; `None` for what no format claims: raw bytes, as far as one can tell.
pub fn probe(stored: &dyn ReadAt) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| (format.probe)(stored))
}

/// The name of an image format that `reader` begins like and that is not in the table; such bytes are never taken for raw.
pub fn foreign(reader: &dyn ReadAt) -> Option<&'static str> {
    // First bytes of each format, by its own specification.
    const MAGIC: [(&[u8], &str); 3] = [
        (b"EVF\x09\x0d\x0a\xff\x00", "E01"),
        (b"<<< Oracle VM VirtualBox Disk Image >>>", "VDI"),
        (b"MComprHD", "CHD"),
    ];
    let mut head = [0; 64];
    let len = reader.size().min(64) as usize;
    reader.read_at(&mut head[..len], 0).ok()?;
    MAGIC.iter().find(|(magic, _)| head[..len].starts_with(magic)).map(|(_, name)| *name)
}

impl Error {
    /// This error as one of reading: what [`ReadAt`] returns for content that is there and contradicts its format.
    pub fn into_io(self) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::InvalidData, self)
    }
}
