//! What is written: image formats.
//!
//! A format is a folder: a layout picture, its structures, a [`Sink`] that writes it. A sink is driven by one thread, spawns
//! none, locks nothing and never sees a device; it is given a [`crate::io::Storage`] and turns extents of a disk into bytes
//! of a file.

pub mod raw;

use crate::error::Result;
use crate::extent::Extent;
use crate::io::ReadAt;

/// What takes a copy, addressed by the bytes of the disk that is copied.
///
/// A later put, zero, unused or unreadable *replaces* an earlier one, at sector granularity: a rescue completes a piece from
/// fragments, and a resume rewrites what changed.
pub trait Sink: Send {
    /// The bytes at `offset` are `data`.
    fn put(&mut self, offset: u64, data: &[u8]) -> Result<()>;

    /// The bytes of `at` are zeros.
    fn zero(&mut self, at: Extent) -> Result<()>;

    /// The bytes of `at` are not used by their owner; they read as zeros.
    fn unused(&mut self, at: Extent) -> Result<()> {
        self.zero(at)
    }

    /// The bytes of `at` could not be read; they are guaranteed to read as zeros.
    fn unreadable(&mut self, at: Extent) -> Result<()> {
        self.zero(at)
    }

    /// Makes all that was put durable.
    fn checkpoint(&mut self) -> Result<()>;
}

/// An image under construction: reads as what was put, and as zeros where nothing was.
pub trait Image: Sink + ReadAt {
    /// The content ends here after all, as with a disc whose last sectors are run-out.
    fn set_end(&mut self, size: u64) -> Result<()>;

    /// Completes the image and makes it durable.
    fn finish(&mut self) -> Result<()>;
}

/// The name of another image format that `reader` begins (or, for VHD, ends) like; such bytes are never taken for raw.
pub fn foreign(reader: &dyn ReadAt) -> Option<&'static str> {
    // First bytes of each format, by its own specification.
    const MAGIC: [(&[u8], &str); 8] = [
        (b"QFI\xfb", "qcow2"),
        (b"vhdxfile", "VHDX"),
        (b"conectix", "VHD"),
        (b"KDMV", "VMDK"),
        (b"# Disk DescriptorFile", "VMDK"),
        (b"EVF\x09\x0d\x0a\xff\x00", "E01"),
        (b"<<< Oracle VM VirtualBox Disk Image >>>", "VDI"),
        (b"MComprHD", "CHD"),
    ];
    let mut head = [0; 64];
    let len = reader.size().min(64) as usize;
    reader.read_at(&mut head[..len], 0).ok()?;
    MAGIC.iter().find(|(magic, _)| head[..len].starts_with(magic)).map(|(_, name)| *name)
}
