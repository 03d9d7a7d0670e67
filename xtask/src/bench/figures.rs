//! What is measured: the data, the commands, and what we promise.

mod formats;

use super::Options;
use super::data::Content;
use crate::Result;
use std::time::Duration;

/// Whose command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Ours,
    /// Another tool that does the same work.
    Peer,
    /// A part of the work by itself: not a rival, a limit.
    Floor,
}

/// A command of a figure; `{source}`, `{output}`, `{image}`, `{data}` and `{target}`, the source as what is overwritten, are
/// filled in.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) role: Role,
    /// What the table calls it, and promises refer to.
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
    /// In which format it leaves `{output}`, whose content then must be equal to the source: `raw`, `zst`, or one of qemu-img's.
    pub(crate) writes: Option<&'static str>,
    /// The exit status that says that all went well.
    pub(crate) status: i32,
}

/// What a promise is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Time,
    /// Requests that reach a damaged disk.
    Reads,
    /// Those of them that fail.
    Failed,
    /// The room that the output takes.
    Room,
}

/// Ours takes at most `ratio` times what the other takes.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    pub(crate) of: Measure,
    pub(crate) ratio: f64,
    /// A variant's name, or nothing for the fastest peer.
    pub(crate) against: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) content: Content,
    pub(crate) size: u64,
    /// The format in which the content lies in `{image}`: `raw`, or one of qemu-img's.
    pub(crate) image: &'static str,
    pub(crate) variants: Vec<Variant>,
    pub(crate) promises: Vec<Promise>,
}

const RAW: Option<&str> = Some("raw");
const QEMU: &str = "qemu-img -T none -m 16 -W";
const DDRESCUE: &str = "ddrescue -d";
const QEMU_RESTORE: &str = "qemu-img -n -t none -m 16 -W";
const DD_AND_CMP: &str = "dd oflag=direct && cmp";
const NBDCOPY_SPARSE: &str = "nbdcopy -S 65536";

/// The figures that were asked for. `ectype` is our binary.
pub(crate) fn chosen(options: &Options, ectype: &str) -> Result<Vec<Figure>> {
    let all = all(ectype, options.ours.as_deref());
    if let Some(unknown) = options.figures.iter().find(|name| all.iter().all(|figure| figure.name != **name))
    {
        return Err(format!("no figure is called {unknown}"));
    }
    let wanted = |figure: &Figure| {
        options.figures.is_empty() || options.figures.iter().any(|name| name == figure.name)
    };
    let mut figures: Vec<Figure> = all.into_iter().filter(wanted).collect();
    for figure in &mut figures {
        if options.quick {
            figure.size /= 8;
        }
        figure.size = options.size.unwrap_or(figure.size);
    }
    Ok(figures)
}

fn all(ectype: &str, ours: Option<&str>) -> Vec<Figure> {
    let copy = |hash: &str| {
        let template = ours.map_or_else(
            || format!("{ectype} create {{source}} {{output}} --hash {{hash}} -q --no-space-check"),
            str::to_owned,
        );
        let name =
            if ours.is_some() { "ours (--ours)".to_owned() } else { format!("ectype create --hash {hash}") };
        variant(Role::Ours, &name, &template.replace("{hash}", hash), RAW)
    };
    let peer = |name: &str, command: &str| variant(Role::Peer, name, command, RAW);
    let floor = |name: &str, command: &str| variant(Role::Floor, name, command, None);

    let qemu = || peer(QEMU, "qemu-img convert -f raw -O raw -T none -m 16 -W {source} {output}");
    let nbdcopy = || peer("nbdcopy", "nbdcopy {source} {output}");
    let nbdcopy_sparse = || peer(NBDCOPY_SPARSE, "nbdcopy -S 65536 {source} {output}");
    let cp = || peer("cp --sparse=always", "cp --sparse=always {source} {output}");
    let sparse = || {
        vec![
            cp(),
            peer("dd bs=4M conv=sparse", "dd if={source} of={output} bs=4M conv=sparse status=none"),
            peer(
                "dd bs=1M direct sparse",
                "dd if={source} of={output} bs=1M iflag=direct conv=sparse status=none",
            ),
            nbdcopy(),
            nbdcopy_sparse(),
            peer("ddrescue -S", "ddrescue -q -S {source} {output}"),
            qemu(),
        ]
    };
    let fastest = |ratio| Promise { of: Measure::Time, ratio, against: None };
    let against = |ratio, name| Promise { of: Measure::Time, ratio, against: Some(name) };
    let with = |first: Variant, rest: Vec<Variant>| std::iter::once(first).chain(rest).collect::<Vec<_>>();

    let mut figures = vec![
        Figure {
            name: "raw",
            what: "raw copy of random data",
            content: Content::Random,
            size: 512 << 20,
            image: "raw",
            variants: with(
                copy("none"),
                vec![
                    cp(),
                    peer("dd bs=4M", "dd if={source} of={output} bs=4M status=none"),
                    peer(
                        "dd bs=4M iflag=direct",
                        "dd if={source} of={output} bs=4M iflag=direct status=none",
                    ),
                    nbdcopy(),
                    nbdcopy_sparse(),
                    peer("ddrescue", "ddrescue -q {source} {output}"),
                    qemu(),
                ],
            ),
            promises: vec![fastest(0.9)],
        },
        Figure {
            name: "sparse",
            what: "raw copy of a disk that is 40 % full",
            content: Content::Sparse,
            size: 4 << 30,
            image: "raw",
            variants: with(copy("none"), sparse()),
            promises: vec![fastest(0.85)],
        },
        Figure {
            name: "zero",
            what: "raw copy of zeros",
            content: Content::Zero,
            size: 8 << 30,
            image: "raw",
            variants: with(copy("none"), sparse()),
            promises: vec![fastest(1.0)],
        },
        Figure {
            name: "sha256",
            what: "raw copy with SHA-256",
            content: Content::Random,
            size: 512 << 20,
            image: "raw",
            variants: with(
                copy("sha256"),
                vec![
                    peer("dc3dd", "dc3dd if={source} of={output} hash=sha256"),
                    peer("dcfldd", "dcfldd if={source} of={output} bs=1M hash=sha256"),
                    floor("openssl, one core", "openssl dgst -sha256 {data}"),
                ],
            ),
            promises: vec![against(0.6, "dc3dd"), against(0.6, "dcfldd"), against(1.25, "openssl, one core")],
        },
        Figure {
            name: "md5sha1",
            what: "raw copy with MD5 and SHA-1",
            content: Content::Random,
            size: 512 << 20,
            image: "raw",
            variants: with(
                copy("md5,sha1"),
                vec![
                    peer("dc3dd", "dc3dd if={source} of={output} hash=md5 hash=sha1"),
                    peer("dcfldd", "dcfldd if={source} of={output} bs=1M hash=md5,sha1"),
                    floor("openssl md5, one core", "openssl dgst -md5 {data}"),
                    floor("openssl sha1, one core", "openssl dgst -sha1 {data}"),
                ],
            ),
            promises: vec![against(0.8, "dc3dd")],
        },
    ];
    if ours.is_none() {
        let create = format!("{ectype} create {{source}} {{output}} -q --no-space-check");
        let verify = format!("{ectype} verify {{image}} {{source}} -q");
        figures.push(Figure {
            name: "verify",
            what: "an image compared with its device",
            content: Content::Random,
            size: 512 << 20,
            image: "raw",
            variants: vec![
                variant(Role::Ours, "ectype verify", &verify, None),
                variant(Role::Peer, "cmp", "cmp {image} {source}", None),
            ],
            promises: vec![against(1.0, "cmp")],
        });
        let failures =
            [("rescue", "a disk with 200 bad sectors", 0), ("rescue50", "the same, 50 ms a failed read", 50)];
        figures.extend(failures.map(|(name, what, delay)| Figure {
            name,
            what,
            content: Content::Damaged { delay: Duration::from_millis(delay) },
            size: 1 << 30,
            image: "raw",
            variants: vec![
                // Status 3: the image is complete but for what cannot be read.
                Variant { status: 3, ..variant(Role::Ours, "ectype create", &create, RAW) },
                peer(DDRESCUE, "ddrescue -q -d {source} {output} {output}.map"),
            ],
            promises: vec![
                Promise { of: Measure::Failed, ratio: 1.02, against: Some(DDRESCUE) },
                Promise { of: Measure::Reads, ratio: 0.8, against: Some(DDRESCUE) },
                against(1.0, DDRESCUE),
            ],
        }));
    }
    if ours.is_none() {
        figures.extend(restore(ectype));
        figures.extend(formats::all(ectype));
    }
    figures
}

/// The way back: an image onto the device, with and without the proof that it is there.
fn restore(ectype: &str) -> [Figure; 2] {
    const DD: &str = "dd if={image} of={target} bs=4M oflag=direct conv=fsync status=none";
    let ours = format!("{ectype} restore -q --confirm {{target}} {{image}} {{target}}");
    let then_cmp = format!("{DD} && blockdev --flushbufs {{target}} && cmp {{image}} {{target}}");
    let figure = |name, what, variants, against| Figure {
        name,
        what,
        content: Content::Random,
        size: 1 << 30,
        image: "raw",
        variants,
        promises: vec![Promise { of: Measure::Time, ratio: 1.0, against: Some(against) }],
    };
    [
        figure(
            "restore",
            "an image onto a device",
            vec![
                variant(Role::Ours, "ectype restore --no-verify", &format!("{ours} --no-verify"), None),
                variant(
                    Role::Peer,
                    QEMU_RESTORE,
                    "qemu-img convert -f raw -O raw -n -t none -m 16 -W {image} {target}",
                    None,
                ),
                variant(Role::Peer, "dd bs=4M oflag=direct", DD, None),
            ],
            QEMU_RESTORE,
        ),
        figure(
            "restored",
            "the same, and read back",
            vec![variant(Role::Ours, "ectype restore", &ours, None), shell(DD_AND_CMP, &then_cmp, None)],
            DD_AND_CMP,
        ),
    ]
}

/// A peer that is several commands.
fn shell(name: &str, script: &str, writes: Option<&'static str>) -> Variant {
    Variant {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        ..variant(Role::Peer, name, "", writes)
    }
}

fn variant(role: Role, name: &str, command: &str, writes: Option<&'static str>) -> Variant {
    let command = command.split_whitespace().map(str::to_owned).collect();
    Variant { role, name: name.to_owned(), command, writes, status: 0 }
}
