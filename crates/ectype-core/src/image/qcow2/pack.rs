//! Packing: each cluster of a block for itself, whatever order the blocks are packed in.

use super::header::Compression;
use super::layout::is_zero;
use crate::error::Result;
use crate::extent::Extent;
use crate::image::codec::{Deflate, Wrapper, Zstd};
use crate::image::{Form, Grain, Pack, Packed};

/// Packs clusters.
#[derive(Clone, Copy)]
pub(super) struct Packer {
    pub(super) compression: Compression,
    pub(super) level: i32,
    pub(super) cluster: u64,
}

enum Packing {
    Zlib(Deflate),
    Zstd(Zstd),
}

impl Packing {
    fn new(packer: &Packer) -> Result<Packing> {
        Ok(match packer.compression {
            Compression::Zlib => Packing::Zlib(Deflate::new(Wrapper::Raw, packer.level)),
            // No checksums, as QEMU writes none.
            Compression::Zstd => Packing::Zstd(Zstd::new(packer.level, false)?),
        })
    }

    fn pack(&mut self, data: &[u8], out: &mut Vec<u8>, most: usize) -> bool {
        match self {
            Packing::Zlib(deflate) => deflate.pack(data, out, most),
            Packing::Zstd(zstd) => zstd.pack(data, out, most),
        }
    }
}

impl Pack for Packer {
    fn pack(&self, at: Extent, data: &[u8]) -> Result<Packed> {
        let cluster = self.cluster as usize;
        let mut packed = Packed { bytes: Vec::with_capacity(data.len()), grains: Vec::new() };
        let mut packing = None;
        for (index, part) in data.chunks(cluster).enumerate() {
            let grain = Extent::new(at.offset + index as u64 * self.cluster, part.len() as u64);
            let start = packed.bytes.len();
            let form = if is_zero(part) {
                Form::Zero
            } else {
                if packing.is_none() {
                    packing = Some(Packing::new(self)?);
                }
                let packing = packing.as_mut().expect("just made");
                // A cluster at the end of the disk is unpacked to a whole one.
                let filled;
                let whole = if part.len() == cluster {
                    part
                } else {
                    filled = [part, &vec![0; cluster - part.len()]].concat();
                    &filled
                };
                match packing.pack(whole, &mut packed.bytes, cluster - 1) {
                    true => Form::Packed(start..packed.bytes.len()),
                    false => Form::Plain,
                }
            };
            packed.grains.push(Grain { at: grain, form });
        }
        Ok(packed)
    }
}
