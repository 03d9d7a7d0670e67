//! Disk-image formats, beside qemu-img: into each and back, compressed, compared, and a disk of nothing.

use super::super::data::Content;
use super::{Figure, Measure, Promise, RAW, Role, Variant, shell, variant};

/// The name, qemu-img's, what it holds, and of whose time we take how much.
const FORMATS: [(&str, &str, f64); 4] =
    [("vhdx", "vhdx", 0.8), ("vhd", "vpc", 0.8), ("qcow2", "qcow2", 0.8), ("vmdk", "vmdk", 0.5)];

const PLAIN: &str = "qemu-img -T none";
const WIDE: &str = "qemu-img -T none -m 16 -W";
const ZSTD: &str = "dd | zstd -1 -T0";

fn time(ratio: f64, against: Option<&'static str>) -> Promise {
    Promise { of: Measure::Time, ratio, against }
}

fn room(ratio: f64, against: &'static str) -> Promise {
    Promise { of: Measure::Room, ratio, against: Some(against) }
}

pub(super) fn all(ectype: &str) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, qemu, ratio) in FORMATS {
        let ours = format!("{ectype} convert -q --no-space-check {{data}} {{output}} --format {name}");
        figures.push(Figure {
            name,
            what: "a disk image that is 40 % full, from raw",
            content: Content::Sparse,
            size: 4 << 30,
            image: "raw",
            variants: [variant(Role::Ours, "ectype convert", &ours, Some(qemu))]
                .into_iter()
                .chain(both("{data}", "raw", qemu))
                .collect(),
            promises: vec![time(ratio, None), room(1.0, PLAIN)],
        });
    }
    let back = ["from-vhdx", "from-vhd", "from-qcow2", "from-vmdk"];
    for (name, (format, qemu, ratio)) in back.into_iter().zip(FORMATS) {
        let ours = format!(
            "{ectype} convert -q --no-space-check {{image}} {{output}} --source-format {format} --format raw"
        );
        figures.push(Figure {
            name,
            what: "the same disk, from the format to raw",
            content: Content::Sparse,
            size: 4 << 30,
            image: qemu,
            variants: [variant(Role::Ours, "ectype convert", &ours, RAW)]
                .into_iter()
                .chain(both("{image}", qemu, "raw"))
                .collect(),
            promises: vec![time(ratio, None)],
        });
    }
    figures.push(compared(ectype));
    figures.extend(compressed(ectype));
    figures.push(nothing(ectype));
    figures
}

/// qemu-img at its best is the one or the other.
fn both(from: &str, format: &str, into: &'static str) -> [Variant; 2] {
    let convert = |name: &str, more: &str| {
        let command = format!("qemu-img convert -f {format} -O {into} -T none {more} {from} {{output}}");
        variant(Role::Peer, name, &command, Some(into))
    };
    [convert(PLAIN, ""), convert(WIDE, "-m 16 -W")]
}

fn compared(ectype: &str) -> Figure {
    const COMPARE: &str = "qemu-img compare -T none";
    let ours = format!("{ectype} verify -q {{image}} {{source}} --source-format vhdx");
    let theirs = "qemu-img compare -T none -f vhdx -F raw {image} {source}";
    Figure {
        name: "compare",
        what: "a VHDX compared with its device",
        content: Content::Sparse,
        size: 4 << 30,
        image: "vhdx",
        variants: vec![
            variant(Role::Ours, "ectype verify", &ours, None),
            variant(Role::Peer, COMPARE, theirs, None),
        ],
        promises: vec![time(0.4, Some(COMPARE))],
    }
}

fn compressed(ectype: &str) -> [Figure; 3] {
    let figure = |name, what, format: &str, kind: &str, peer: Variant, ratio, more| {
        let ours = format!(
            "{ectype} convert -q --no-space-check {{data}} {{output}} --format {format} --compress {kind}"
        );
        let of: &'static str = if format == "zst" { ZSTD } else { WIDE };
        Figure {
            name,
            what,
            content: Content::Files,
            size: 512 << 20,
            image: "raw",
            variants: vec![variant(Role::Ours, "ectype convert", &ours, peer.writes), peer],
            promises: vec![time(ratio, Some(of)), room(more, of)],
        }
    };
    let qemu = |kind: &str| {
        let command = format!(
            "qemu-img convert -f raw -O qcow2 -c -o compression_type={kind} -T none -m 16 -W {{data}} {{output}}"
        );
        variant(Role::Peer, WIDE, &command, Some("qcow2"))
    };
    let zstd = shell(ZSTD, "dd if={data} bs=1M status=none | zstd -1 -T0 -q -f -o {output}", Some("zst"));
    [
        figure("qcow2-zlib", "into qcow2, deflated", "qcow2", "zlib", qemu("zlib"), 0.2, 1.0),
        figure("qcow2-zstd", "into qcow2, with zstd", "qcow2", "zstd", qemu("zstd"), 0.7, 1.0),
        figure("zst", "into seekable zstd", "zst", "zstd", zstd, 1.0, 1.03),
    ]
}

/// What is not there must cost nothing.
fn nothing(ectype: &str) -> Figure {
    let ours = format!("{ectype} convert -q --no-space-check {{data}} {{output}} --format vhdx");
    Figure {
        name: "nothing",
        what: "an image of zeros into VHDX",
        content: Content::Zero,
        size: 8 << 40,
        image: "raw",
        // Not compared afterwards: that takes an hour of qemu-img's.
        variants: [variant(Role::Ours, "ectype convert", &ours, None)]
            .into_iter()
            .chain(both("{data}", "raw", "vhdx").map(|peer| Variant { writes: None, ..peer }))
            .collect(),
        promises: Vec::new(),
    }
}
