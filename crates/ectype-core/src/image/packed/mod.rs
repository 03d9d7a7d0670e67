//! Raw disks in compressed files: gzip, xz, bzip2, lz4, and zstd in a frame too long to be read in parts.
//!
//! ```text
//!   stored bytes ──► inflate ──► ┌ first 8 MiB, kept ┐ … ┌ 1 MiB ┬ 1 MiB ┬ … ┐ the last 16 ──► read_at
//!                                └───────────────────┘   └───────┴───────┴───┘
//! ```
//!
//! A stream is read from its beginning on: what lies before what is kept is inflated once more from there. Whoever reads
//! forward, as every copy does, has each byte once. How long the content is tell xz and zstd; for the others it is inflated
//! once before, to count. Neither is believed until the end was met where it should be.
//!
//! Formats: RFC 1952, the .xz file format 1.2.1, bzip2, the LZ4 frame format 1.6, RFC 8878. Only read.

mod inflate;
mod reader;
mod xz;

pub use inflate::{Compression, Inflate};
pub(super) use reader::open;

use super::{Format, Open};
use crate::error::Result;
use crate::io::ReadAt;

/// The row of gzip.
pub static GZIP: Format = row("gz", &["gz", "gzip"], |stored| is(stored, Compression::Gzip));
/// The row of xz.
pub static XZ: Format = row("xz", &["xz"], |stored| is(stored, Compression::Xz));
/// The row of bzip2.
pub static BZIP2: Format = row("bz2", &["bz2"], |stored| is(stored, Compression::Bzip2));
/// The row of lz4.
pub static LZ4: Format = row("lz4", &["lz4"], |stored| is(stored, Compression::Lz4));

const fn row(
    name: &'static str,
    extensions: &'static [&'static str],
    probe: fn(&dyn ReadAt) -> bool,
) -> Format {
    let open: Open = |stored, _| open(stored);
    Format { name, extensions, is_bytes: false, tells_sector: false, probe, open, writing: None }
}

fn is(stored: &dyn ReadAt, compression: Compression) -> bool {
    Compression::of(stored) == Some(compression)
}

/// How long the content is, as far as the file tells without being inflated.
fn told_size(stored: &dyn ReadAt) -> Result<Option<u64>> {
    match Compression::of(stored) {
        Some(Compression::Zstd) => super::zst::content_size(stored),
        Some(Compression::Xz) => xz::content_size(stored),
        _ => Ok(None),
    }
}
