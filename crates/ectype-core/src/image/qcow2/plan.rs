//! What a new image will be like: refusals, what was left open, and where its parts are.
//!
//! ```text
//!   0        1 cluster        2 clusters                                                   end
//!   │ header │ refcount table │ L1 table │ L2 tables and clusters, as they come │ refcount blocks │
//! ```
//!
//! A refcount table that is longer than a cluster lies behind the refcount blocks instead.

use super::header::{Compression, NewHeader};
use super::layout::{Geometry, MOST_L1, MOST_REFCOUNT_TABLE, SECTOR, cluster_bits};
use crate::error::{Error, Result};
use crate::extent::PIECE;
use crate::image::{Spec, codec};

/// Bits 9 to 55: no cluster lies further.
const MOST_HOST: u64 = 1 << 56;

/// QEMU's own default.
const CLUSTER: u64 = 64 << 10;

/// A 16-bit refcount takes two bytes.
pub(super) const REFCOUNT_LEN: u64 = 2;

/// Where the refcount table is, if it fits into one cluster.
pub(super) fn refcount_table_place(geometry: &Geometry) -> u64 {
    geometry.cluster()
}

/// How many refcount blocks an image of `used` clusters needs, and how many clusters behind them the refcount table.
pub(super) fn refcount_clusters(geometry: &Geometry, used: u64) -> (u64, u64) {
    let cluster = geometry.cluster();
    let (mut blocks, mut table) = (0, 0);
    loop {
        let needed = (used + blocks + table).div_ceil(cluster / REFCOUNT_LEN);
        let table_needed = (needed * 8).div_ceil(cluster);
        // Its place in the second cluster is there already.
        let behind = if table_needed > 1 { table_needed } else { 0 };
        if (needed, behind) == (blocks, table) {
            return (blocks, table);
        }
        (blocks, table) = (needed, behind);
    }
}

/// The first cluster behind the L1 table.
pub(super) fn first_free(header: &NewHeader) -> u64 {
    header.l1_offset + (header.l1_entries * 8).next_multiple_of(header.geometry.cluster())
}

/// What a completed spec makes of the header.
pub(super) fn header(spec: &Spec) -> Result<NewHeader> {
    let size = spec.size.checked_next_multiple_of(SECTOR);
    let geometry = Geometry {
        version: if spec.subformat == "v2" { 2 } else { 3 },
        cluster_bits: cluster_bits(spec.block)?,
        size: size.ok_or_else(|| Error::refused(format!("qcow2 holds no {} bytes", spec.size)))?,
        extended: false,
        external: false,
    };
    let l1_entries = geometry.l1_needed().max(1);
    if l1_entries * 8 > MOST_L1 {
        let most = (MOST_L1 / 8).saturating_mul(geometry.reach());
        return Err(Error::refused(format!(
            "qcow2 in clusters of {} bytes holds at most {most} bytes, and these are {}",
            spec.block, spec.size
        ))
        .advise("a larger block holds more: four times as much when it is doubled"));
    }
    let compression = if spec.compression == "zstd" { Compression::Zstd } else { Compression::Zlib };
    let backing = match &spec.parent {
        None => None,
        Some(parent) => {
            let name = if parent.relative.is_empty() { &parent.absolute } else { &parent.relative };
            Some((backing_name(name), backing_format(&parent.format)?.to_owned()))
        }
    };
    Ok(NewHeader { geometry, compression, l1_offset: 2 * geometry.cluster(), l1_entries, backing })
}

/// QEMU takes what stands before a colon for a protocol, unless a slash comes first.
fn backing_name(name: &str) -> String {
    let first = name.split('/').next().unwrap_or_default();
    if first.contains(':') { format!("./{name}") } else { name.to_owned() }
}

/// QEMU's name of a format of the table.
fn backing_format(name: &str) -> Result<&'static str> {
    match name {
        "raw" | "iso" => Ok("raw"),
        "qcow2" => Ok("qcow2"),
        "vhd" => Ok("vpc"),
        "vhdx" => Ok("vhdx"),
        "vmdk" => Ok("vmdk"),
        other => Err(Error::refused(format!("a {other} image cannot be the parent of a qcow2 image"))),
    }
}

/// Completes a spec; returns it with the length of the longest file that it can become.
pub(super) fn plan(mut spec: Spec) -> Result<(Spec, u64)> {
    if spec.subformat.is_empty() {
        spec.subformat = "v3".into();
    }
    if spec.compression.is_empty() {
        spec.compression = "none".into();
    }
    if spec.block == 0 {
        spec.block = CLUSTER;
    }
    if !["v2", "v3"].contains(&spec.subformat.as_str()) {
        return Err(Error::refused(format!(
            "qcow2 has no subformat {:?}; there are v3 and v2",
            spec.subformat
        )));
    }
    crate::image::refuse_large_sectors("qcow2", &spec)?;
    compression(&mut spec)?;
    let header = header(&spec)?;
    let geometry = &header.geometry;
    header.bytes((0, 0), true)?;
    let clusters = geometry.size.div_ceil(geometry.cluster());
    let mut used = first_free(&header) / geometry.cluster() + geometry.l1_needed() + clusters;
    if spec.compression != "none" {
        // Behind each piece the rest of a cluster may be left over.
        used += spec.size.div_ceil(PIECE);
    }
    let (blocks, table) = refcount_clusters(geometry, used);
    let longest = (used + blocks + table).saturating_mul(geometry.cluster());
    let too_far =
        if spec.compression == "none" { MOST_HOST } else { MOST_HOST.min(1 << geometry.packed_shift()) };
    if longest > too_far || blocks * 8 > MOST_REFCOUNT_TABLE {
        return Err(Error::refused(format!(
            "qcow2 in clusters of {} bytes would become longer than it can for {} bytes",
            spec.block, spec.size
        ))
        .advise("choose another block size; the usual one is 65536"));
    }
    Ok((spec, longest))
}

/// Completes and checks compression and level.
fn compression(spec: &mut Spec) -> Result<()> {
    // The lowest levels that pack as small as QEMU: it has zlib 6 with a window of 4 KiB, and zstd 3 as a stream.
    let (levels, usual) = match spec.compression.as_str() {
        "none" => {
            if let Some(level) = spec.level {
                return Err(Error::refused(format!("level {level} of no compression")));
            }
            return Ok(());
        }
        "zlib" => (1..=12, ZLIB_LEVEL),
        "zstd" => (-100..=22, ZSTD_LEVEL),
        other => {
            return Err(Error::refused(format!(
                "qcow2 does not compress by {other:?}; there are zlib and zstd"
            )));
        }
    };
    let level = *spec.level.get_or_insert(usual);
    if !levels.contains(&level) {
        let range = format!("{} to {}", levels.start(), levels.end());
        return Err(Error::refused(format!("{} has no level {level}; there are {range}", spec.compression)));
    }
    if spec.compression == "zstd" {
        if spec.subformat == "v2" {
            return Err(Error::refused("qcow2 v2 compresses by zlib alone").advise("--subformat v3 has zstd"));
        }
        codec::Zstd::new(level, false)?;
    }
    if spec.block > PIECE {
        return Err(Error::refused(format!("clusters of {} bytes are not compressed", spec.block))
            .advise("compressed clusters have at most 1048576 bytes (1 MiB); the usual ones have 65536"));
    }
    Ok(())
}

/// The fastest; what it does badly is packed again, harder.
pub(super) const ZLIB_LEVEL: i32 = 1;
const ZSTD_LEVEL: i32 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Parent;

    fn spec(size: u64) -> Spec {
        Spec { size, ..Spec::default() }
    }

    fn refusal(spec: Spec) -> String {
        plan(spec).unwrap_err().to_string()
    }

    #[test]
    fn what_was_left_open_is_chosen() {
        let (spec, longest) = plan(spec(8 << 40)).unwrap();
        assert_eq!((spec.subformat.as_str(), spec.compression.as_str(), spec.block), ("v3", "none", 65_536));
        // L2 tables 1 GiB, refcount blocks 256 MiB, and little else.
        assert!((8 << 40) + (1280 << 20) < longest && longest < (8 << 40) + (1282 << 20), "{longest}");
        assert_eq!(plan(spec.clone()).unwrap(), (spec, longest));
    }

    #[test]
    fn what_the_format_cannot_hold_is_refused() {
        assert!(refusal(Spec { block: 512, ..spec(129 << 30) }).contains("at most 137438953472"));
        assert!(refusal(Spec { block: 4 << 20, ..spec(1) }).contains("no clusters of 4194304"));
        assert!(refusal(Spec { block: 65_537, ..spec(1) }).contains("65537"));
        assert!(refusal(Spec { subformat: "v4".into(), ..spec(1) }).contains("v4"));
        assert!(refusal(spec(u64::MAX)).contains("holds no"));
        assert!(refusal(spec(1 << 62)).contains("at most"));
        let packed = |kind: &str, spec: Spec| Spec { compression: kind.into(), ..spec };
        assert!(refusal(packed("lzma", spec(1))).contains("lzma"));
        assert!(refusal(packed("zlib", Spec { block: 2 << 20, ..spec(1) })).contains("2097152"));
        assert!(refusal(packed("zlib", Spec { level: Some(13), ..spec(1) })).contains("1 to 12"));
        assert!(refusal(packed("zstd", Spec { subformat: "v2".into(), ..spec(1) })).contains("zlib alone"));
        let child = |format: &str, relative: String| {
            let parent = Parent { format: format.into(), relative, ..Parent::default() };
            Spec { parent: Some(parent), ..spec(1 << 20) }
        };
        assert!(refusal(child("e01", "a.E01".into())).contains("e01"));
        assert!(refusal(child("raw", "a".repeat(1024))).contains("1024 bytes"));
        assert!(refusal(Spec { block: 512, ..child("raw", "a".repeat(500)) }).contains("no room"));
        assert!(plan(child("vhd", "c:base.vhd".into())).is_ok());
    }

    #[test]
    fn refcounts_cover_themselves() {
        for bits in super::super::layout::CLUSTER_BITS {
            let geometry =
                Geometry { version: 3, cluster_bits: bits, size: 0, extended: false, external: false };
            for used in [3, 255, 256, 257, 32_767, 32_768, 1 << 20, (1 << 24) + 5] {
                let (blocks, table) = refcount_clusters(&geometry, used);
                let per_block = geometry.cluster() / 2;
                assert!(blocks * per_block >= used + blocks + table);
                assert!((blocks - 1) * per_block < used + blocks + table);
                assert!(table.max(1) * geometry.cluster() >= blocks * 8);
            }
        }
    }

    #[test]
    fn a_colon_in_a_name_is_no_protocol() {
        assert_eq!(backing_name("base.img"), "base.img");
        assert_eq!(backing_name("a:b.img"), "./a:b.img");
        assert_eq!(backing_name("../d/a:b.img"), "../d/a:b.img");
    }
}
