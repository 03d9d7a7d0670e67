//! Packing: each cluster of a block for itself, whatever order the blocks are packed in.

use super::header::Compression;
use super::plan::ZLIB_LEVEL;
use crate::error::Result;
use crate::extent::Extent;
use crate::image::codec::{Deflate, Wrapper, Zstd};
use crate::image::differing::unreadable_parent;
use crate::image::{Form, Grain, Opened, Pack, Packed};
use crate::io::{is_zero, read_padded};
use std::sync::Arc;

/// Packs clusters.
pub(super) struct Packer {
    pub(super) compression: Compression,
    pub(super) level: i32,
    pub(super) cluster: u64,
    /// What is the same there is not packed.
    pub(super) parent: Option<Arc<dyn Opened>>,
}

impl Packer {
    /// The bytes of `at` as the parent gives them; behind its end are zeros.
    fn of_parent(&self, at: Extent) -> Result<Option<Vec<u8>>> {
        let Some(parent) = &self.parent else { return Ok(None) };
        let mut bytes = vec![0; at.len as usize];
        let failed = |error| unreadable_parent(error, at.offset);
        read_padded(&**parent, &mut bytes, at.offset).map_err(failed)?;
        Ok(Some(bytes))
    }
}

/// The compressors of a block.
enum Packing {
    Zlib {
        deflate: Deflate,
        /// For what the fastest level packs well, and this one much better, as fast.
        harder: Option<Deflate>,
        /// So many clusters are left to the fastest level before that is tried again.
        rest: u32,
        fastest: bool,
    },
    Zstd(Zstd),
}

/// What the fastest level makes this many times smaller is packed again, at this level.
const WORTHWHILE: usize = 4;
const HARDER: i32 = 6;

/// Where that takes away less than one part in so many, it was in vain, and is left for the next few clusters of the block.
const WORTH_IT: usize = 8;
const REST: u32 = 5;

/// Whether bytes are spread evenly is told by one in so many: no power of two, so that no field of a record is always missed.
const STRIDE: usize = 17;

/// Words are remembered at every so many bytes, and all words of one such stretch are looked for in every `WINDOW` bytes: what
/// comes back is seen wherever it does.
const STEP: usize = 64;
const WINDOW: usize = 1024;

impl Packing {
    fn new(packer: &Packer) -> Result<Packing> {
        Ok(match packer.compression {
            Compression::Zlib => Packing::Zlib {
                deflate: Deflate::new(Wrapper::Raw, packer.level),
                harder: None,
                rest: 0,
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
            Packing::Zlib { deflate, harder, rest, .. } => {
                // Deflate is slowest where it gains nothing.
                if is_even(data) && !comes_back(data) {
                    return None;
                }
                let len = deflate.pack_into(data, room)?;
                if len >= data.len() / WORTHWHILE {
                    return Some(len);
                }
                if *rest > 0 {
                    *rest -= 1;
                    return Some(len);
                }
                let harder = harder.get_or_insert_with(|| Deflate::new(Wrapper::Raw, HARDER));
                let less = harder.pack_into(data, &mut room[..len]);
                if less.is_none_or(|less| less > len - len / WORTH_IT) {
                    *rest = REST;
                }
                // Where it is not smaller after all, what was there is overwritten.
                less.or_else(|| deflate.pack_into(data, room))
            }
        }
    }
}

/// Whether the bytes are spread as evenly as chance spreads them: then no byte can be told in fewer bits.
fn is_even(data: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    data.iter().step_by(STRIDE).for_each(|byte| counts[usize::from(*byte)] += 1);
    let samples = data.len().div_ceil(STRIDE) as u64;
    let squares: u64 = counts.iter().map(|count| u64::from(*count) * u64::from(*count)).sum();
    // Chance makes n²/256 + n of them, with little around it.
    squares < samples * samples / 256 + samples + samples / 2
}

/// Whether words of eight bytes stand more than once, as far as a quick look tells: by chance they never do.
fn comes_back(data: &[u8]) -> bool {
    const SLOTS_BITS: u32 = 12;
    let mut seen = [0_u32; 1 << SLOTS_BITS];
    // A slot, and what tells the words in it apart: never 0, which is no word.
    let hash = |word: &[u8; 8]| {
        let hash = u64::from_le_bytes(*word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((hash >> (u64::BITS - SLOTS_BITS)) as usize, (hash >> 20) as u32 | 1)
    };
    let word = |at: usize| data[at..].first_chunk::<8>().map(hash);
    for start in (0..data.len()).step_by(WINDOW) {
        let end = data.len().min(start + WINDOW);
        let mut looked_for = (start..end.min(start + STEP)).filter_map(word);
        if looked_for.any(|(slot, tag)| seen[slot] == tag) {
            return true;
        }
        for (slot, tag) in (start..end).step_by(STEP).filter_map(word) {
            seen[slot] = tag;
        }
    }
    false
}

impl Pack for Packer {
    fn pack(&self, at: Extent, data: &[u8]) -> Result<Packed> {
        let cluster = self.cluster as usize;
        let mut grains = Vec::with_capacity(data.len().div_ceil(cluster));
        let (mut bytes, mut end) = (Vec::new(), 0);
        let mut packing = None;
        let of_parent = self.of_parent(at)?;
        for (index, part) in data.chunks(cluster).enumerate() {
            if of_parent.as_ref().is_some_and(|bytes| bytes[index * cluster..][..part.len()] == *part) {
                continue;
            }
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
        let packer =
            Packer { compression: Compression::Zlib, level: ZLIB_LEVEL, cluster: 65_536, parent: None };
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
    fn only_what_chance_could_have_made_is_even() {
        assert!(is_even(&random(65_536)) && is_even(&random(4096)));
        let text: Vec<u8> = random(65_536).iter().map(|byte| b'a' + byte % 64).collect();
        assert!(!is_even(&text));
        let mut half = random(65_536);
        half[40_000..].fill(0);
        assert!(!is_even(&half));
        // Every fourth byte of a number is nearly always the same.
        let numbers: Vec<u8> =
            random(65_536).chunks(4).flat_map(|n| [n[0], n[1], n[2], 0x40 + n[3] % 4]).collect();
        assert!(!is_even(&numbers));
    }

    #[test]
    fn what_looks_random_and_comes_back_is_packed() {
        let packer =
            Packer { compression: Compression::Zlib, level: ZLIB_LEVEL, cluster: 65_536, parent: None };
        let chance = random(65_536);
        // At any distance in deflate's reach, of sectors and of nothing.
        for distance in [12_288, 20_011, 30_000] {
            let data: Vec<u8> = chance[..distance].iter().copied().cycle().take(65_536).collect();
            assert!(is_even(&data) && comes_back(&data), "{distance}");
            let packed = packer.pack(Extent::new(0, 65_536), &data).unwrap();
            assert!(packed.bytes.len() < 40_000, "{distance}: {}", packed.bytes.len());
        }
        // Records of few kinds in an order that is none.
        let order = &chance[60_000..];
        let records: Vec<u8> = (0..65_536 / 40)
            .flat_map(|index| &chance[usize::from(order[index]) * 40..][..40])
            .copied()
            .collect();
        assert!(comes_back(&records));
        for len in [0, 7, 8, 63, 64, 1031, 4096, 65_536] {
            assert!(!comes_back(&chance[..len]), "{len}");
        }
        let packed = packer.pack(Extent::new(0, 65_536), &chance).unwrap();
        assert!(packed.grains[0].form == Form::Plain && packed.bytes.is_empty());
    }
}
