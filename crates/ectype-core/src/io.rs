//! Positioned reading and writing: how every room speaks of bytes at rest.
//!
//! A parser, a verifier and a converter see a [`ReadAt`]; an image under construction sees a [`Storage`]. Nobody shares a
//! cursor. A medium that is being imaged is a [`crate::source::Source`], which knows of failures; this is for the rest.

use crate::extent::{Extent, PIECE};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What lies at an offset, as far as it is known without reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes that have to be read.
    Data,
    /// Zeros, guaranteed.
    Zero,
    /// Space that its owner does not use; reads as zeros in an image.
    Unused,
}

/// Whether all bytes are zero. Data betrays itself in its first bytes; zeros are looked through in strides wide enough for
/// the compiler to use vectors.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    const STRIDE: usize = 512;
    let strides = bytes.chunks_exact(STRIDE);
    let rest = strides.remainder();
    for stride in strides {
        let mut any = 0_u64;
        for word in stride.as_chunks::<8>().0 {
            any |= u64::from_ne_bytes(*word);
        }
        if any != 0 {
            return false;
        }
    }
    rest.iter().all(|&byte| byte == 0)
}

/// Sizes of a medium, validated once when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The length in bytes. A file may end in the middle of a sector; a device does not.
    pub size: u64,
    /// The unit of addressing in bytes; 1 for a file.
    pub sector: u32,
    /// The unit that fails as one, in bytes: a multiple of `sector`.
    pub physical_sector: u32,
}

/// Anything that can be read at random: a file, a device, a partition, an image.
pub trait ReadAt: Send + Sync {
    /// The length in bytes.
    fn size(&self) -> u64;

    /// Fills all of `buf` from `offset`, or fails. Reading past the end is `UnexpectedEof`.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// What lies at `offset`, and up to which offset (exclusive, greater than `offset`) that holds. The default knows
    /// nothing: data up to the end.
    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        Ok((Content::Data, self.size().max(offset.saturating_add(1))))
    }
}

/// Anything that can be written at random.
pub trait WriteAt: Send + Sync {
    /// Writes all of `data` at `offset`, growing the target where needed.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the bytes of `at` zeros: a hole where the target can hold one, written zeros elsewhere.
    fn zero_at(&self, at: Extent) -> io::Result<()>;

    /// Returns once everything written before is durable.
    fn flush(&self) -> io::Result<()>;

    /// Sets the length; what is gained reads as zeros.
    fn set_size(&self, size: u64) -> io::Result<()>;

    /// Whether gaps that were never written take no space and read as zeros, so that they need not be written.
    fn holds_holes(&self) -> bool;
}

/// Makes the bytes of `at` zeros by writing them, where there is no other way.
pub(crate) fn write_zeros(to: &impl WriteAt, at: Extent) -> io::Result<()> {
    static ZEROS: [u8; PIECE as usize] = [0; PIECE as usize];
    let mut rest = at;
    while !rest.is_empty() {
        let len = rest.len.min(PIECE);
        to.write_at(&ZEROS[..len as usize], rest.offset)?;
        rest = Extent::between(rest.offset + len, rest.end());
    }
    Ok(())
}

/// Where an image is kept: read, written, and asked for its length.
pub trait Storage: ReadAt + WriteAt {}
impl<T: ReadAt + WriteAt + ?Sized> Storage for T {}

macro_rules! forward_read_at {
    ($($pointer:ty),*) => {$(
        impl<T: ReadAt + ?Sized> ReadAt for $pointer {
            fn size(&self) -> u64 {
                (**self).size()
            }
            fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
                (**self).read_at(buf, offset)
            }
            fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
                (**self).content_at(offset)
            }
        }
    )*};
}
forward_read_at!(&T, Box<T>, Arc<T>);

macro_rules! forward_write_at {
    ($($pointer:ty),*) => {$(
        impl<T: WriteAt + ?Sized> WriteAt for $pointer {
            fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
                (**self).write_at(data, offset)
            }
            fn zero_at(&self, at: Extent) -> io::Result<()> {
                (**self).zero_at(at)
            }
            fn flush(&self) -> io::Result<()> {
                (**self).flush()
            }
            fn set_size(&self, size: u64) -> io::Result<()> {
                (**self).set_size(size)
            }
            fn holds_holes(&self) -> bool {
                (**self).holds_holes()
            }
        }
    )*};
}
forward_write_at!(&T, Box<T>, Arc<T>);

/// A storage that is not believed any more once a flush failed: the system may have dropped what it could not write, and the
/// next flush would say nothing of it.
pub struct Durable<S> {
    storage: S,
    failed: AtomicBool,
}

impl<S: Storage> Durable<S> {
    /// Watches over the flushes of `storage`.
    pub fn new(storage: S) -> Self {
        Durable { storage, failed: AtomicBool::new(false) }
    }
}

impl<S: Storage> ReadAt for Durable<S> {
    fn size(&self) -> u64 {
        self.storage.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.storage.read_at(buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        self.storage.content_at(offset)
    }
}

impl<S: Storage> WriteAt for Durable<S> {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.storage.write_at(data, offset)
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        self.storage.zero_at(at)
    }

    fn flush(&self) -> io::Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(io::Error::other(
                "a flush failed before, and what is there is not believed any more",
            ));
        }
        self.storage.flush().inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.storage.set_size(size)
    }

    fn holds_holes(&self) -> bool {
        self.storage.holds_holes()
    }
}

impl ReadAt for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buf.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.as_slice().size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_at(buf, offset)
    }
}

/// A part of something readable, as a partition is of a disk; offsets are relative to the part.
pub struct Window<R> {
    whole: R,
    part: Extent,
}

impl<R: ReadAt> Window<R> {
    /// The bytes `part` of `whole`, clipped to its end.
    pub fn new(whole: R, part: Extent) -> Self {
        let part = part.intersect(Extent::new(0, whole.size()));
        Window { whole, part }
    }

    /// What it is a part of.
    pub fn whole(&self) -> &R {
        &self.whole
    }
}

impl<R: ReadAt> ReadAt for Window<R> {
    fn size(&self) -> u64 {
        self.part.len
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
        if end > self.part.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.whole.read_at(buf, self.part.offset + offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        if offset >= self.part.len {
            return Ok((Content::Data, offset.saturating_add(1)));
        }
        let (content, until) = self.whole.content_at(self.part.offset + offset)?;
        Ok((content, until.min(self.part.end()) - self.part.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_told_from_a_byte_anywhere() {
        assert!(is_zero(&[]));
        for len in [1, 7, 511, 512, 513, 4096, 4099] {
            let mut bytes = vec![0; len];
            assert!(is_zero(&bytes));
            for index in [0, len / 2, len - 1] {
                bytes[index] = 1;
                assert!(!is_zero(&bytes), "byte {index} of {len}");
                bytes[index] = 0;
            }
        }
    }
}
