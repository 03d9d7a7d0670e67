//! Packing: each cluster of a block for itself, whatever order the blocks are packed in.

use super::header::Compression;
use super::plan::ZLIB_LEVEL;
use crate::error::Result;
use crate::extent::Extent;
use crate::image::codec::{Deflate, Wrapper, Zstd};
use crate::image::{Form, Grain, Pack, Packed};
use crate::io::is_zero;

/// Packs clusters.
#[derive(Clone, Copy)]
pub(super) struct Packer {
    pub(super) compression: Compression,
    pub(super) level: i32,
    pub(super) cluster: u64,
}

/// The compressors of a block.
enum Packing {
    Zlib {
        deflate: Deflate,
        /// For what the fastest level packs well, and this one much better, as fast.
        harder: Option<Deflate>,
        fastest: bool,
    },
    Zstd(Zstd),
}

/// What the fastest level makes this many times smaller is packed again, at this level.
const WORTHWHILE: usize = 4;
const HARDER: i32 = 6;

/// Whether bytes look random is told by one in so many.
const STRIDE: usize = 16;

/// What looks random is tried with so many bytes, before all are.
const TRIED: usize = 8 << 10;

impl Packing {
    fn new(packer: &Packer) -> Result<Packing> {
        Ok(match packer.compression {
            Compression::Zlib => Packing::Zlib {
                deflate: Deflate::new(Wrapper::Raw, packer.level),
                harder: None,
                fastest: packer.level == ZLIB_LEVEL,
            },
            // No checksums, as QEMU writes none.
            Compression::Zstd => Packing::Zstd(Zstd::new(packer.level, false)?),
        })
    }

    /// Packs a cluster into the front of `room`, if it becomes smaller.
    fn pack(&mut self, data: &[u8], room: &mut [u8]) -> Option<usize> {
        match self {
            Packing::Zstd(zstd) => zstd.pack_into(data, room),
            Packing::Zlib { deflate, fastest: false, .. } => deflate.pack_into(data, room),
            Packing::Zlib { deflate, harder, .. } => {
                if looks_random(data) {
                    // Deflate is slowest where it gains nothing.
                    let tried = data.len().min(TRIED);
                    let smaller = tried - tried / 128 - 1;
                    deflate.pack_into(&data[..tried], &mut room[..smaller])?;
                }
                let len = deflate.pack_into(data, room)?;
                if len >= data.len() / WORTHWHILE {
                    return Some(len);
                }
                let harder = harder.get_or_insert_with(|| Deflate::new(Wrapper::Raw, HARDER));
                match harder.pack_into(data, &mut room[..len]) {
                    Some(less) => Some(less),
                    // Not smaller after all, and what was there is overwritten.
                    None => deflate.pack_into(data, room),
                }
            }
        }
    }
}

/// Whether the bytes are spread as evenly as chance spreads them.
fn looks_random(data: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    data.iter().step_by(STRIDE).for_each(|byte| counts[usize::from(*byte)] += 1);
    let samples = data.len().div_ceil(STRIDE) as u64;
    let squares: u64 = counts.iter().map(|count| u64::from(*count) * u64::from(*count)).sum();
    // Chance makes n²/256 + n of them, with little around it.
    squares < samples * samples / 256 + samples + samples / 2
}

impl Pack for Packer {
    fn pack(&self, at: Extent, data: &[u8]) -> Result<Packed> {
        let cluster = self.cluster as usize;
        let mut grains = Vec::with_capacity(data.len().div_ceil(cluster));
        let (mut bytes, mut end) = (Vec::new(), 0);
        let mut packing = None;
        for (index, part) in data.chunks(cluster).enumerate() {
            let grain = Extent::new(at.offset + index as u64 * self.cluster, part.len() as u64);
            if is_zero(part) {
                grains.push(Grain { at: grain, form: Form::Zero });
                continue;
            }
            if packing.is_none() {
                packing = Some(Packing::new(self)?);
                // Each cluster takes less than a cluster.
                bytes = vec![0; data.len().next_multiple_of(cluster)];
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
            let form = match packing.pack(whole, &mut bytes[end..end + cluster - 1]) {
                None => Form::Plain,
                Some(len) => {
                    end += len;
                    Form::Packed(end - len..end)
                }
            };
            grains.push(Grain { at: grain, form });
        }
        bytes.truncate(end);
        Ok(Packed { bytes, grains })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::codec;

    fn random(len: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn each_cluster_is_what_it_is() {
        let packer = Packer { compression: Compression::Zlib, level: ZLIB_LEVEL, cluster: 65_536 };
        let text: Vec<u8> = (0..65_536_u32).map(|n| b'a' + (n / 9 % 23) as u8).collect();
        let mut mixed = random(32_768);
        mixed.extend(&text[..32_768]);
        let data = [&random(65_536)[..], &[0; 65_536], &text, &mixed, &text[..100]].concat();
        let packed = packer.pack(Extent::new(1 << 20, data.len() as u64), &data).unwrap();
        let forms: Vec<&Form> = packed.grains.iter().map(|grain| &grain.form).collect();
        assert!(matches!(
            forms[..],
            [Form::Plain, Form::Zero, Form::Packed(_), Form::Packed(_), Form::Packed(_)]
        ));
        for (index, grain) in packed.grains.iter().enumerate() {
            assert_eq!(grain.at.offset, (1 << 20) + index as u64 * 65_536);
            let Form::Packed(range) = &grain.form else { continue };
            let mut out = vec![1; 65_536];
            assert_eq!(codec::inflate(Wrapper::Raw, &packed.bytes[range.clone()], &mut out).unwrap(), 65_536);
            let part = &data[index * 65_536..][..grain.at.len as usize];
            assert!(out[..part.len()] == *part && is_zero(&out[part.len()..]));
        }
        // What is most regular is not left to the fastest level.
        let Form::Packed(range) = forms[2] else { panic!() };
        assert!(range.len() < 2000, "{range:?}");
    }

    #[test]
    fn only_what_chance_could_have_made_looks_random() {
        assert!(looks_random(&random(65_536)) && looks_random(&random(4096)));
        let text: Vec<u8> = random(65_536).iter().map(|byte| b'a' + byte % 64).collect();
        assert!(!looks_random(&text));
        let mut half = random(65_536);
        half[40_000..].fill(0);
        assert!(!looks_random(&half));
    }
}
