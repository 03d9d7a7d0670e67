//! VMDK images: the two kinds that are written, and all that is read, with qemu-img and libvmdk as referees.

use super::corpus::samples;
use super::{
    Alone, Case, Making, content, crash, cut_beside_the_parents, feed, hostile, model, padded, sample,
};
use crate::engine::Dice;
use crate::rig::assert_same;
use ectype_core::image::{Facts, Findings, Gate, Opened, Parent, Place, Spec, gate, named, probe};
use ectype_core::io::{Content, Durable, ReadAt, Storage};
use ectype_core::os::file::{Allocation, PlainFile};
use ectype_core::{Extent, Extents, Kind, Result};
use ectype_testkit::{MemoryDisk, TornDisk, need};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io};
use tempfile::TempDir;

const KINDS: [&str; 2] = ["sparse", "stream"];
const GRAIN: u64 = 64 << 10;

fn case(subformat: &str, size: u64) -> Case {
    Case::new(named("vmdk").unwrap(), Spec { size, subformat: subformat.into(), ..Spec::default() })
}

fn plan(spec: Spec) -> Result<(Spec, u64)> {
    (named("vmdk").unwrap().writing.as_ref().unwrap().plan)(spec)
}

fn check(opened: &dyn Opened) -> Findings {
    let mut findings = Findings::default();
    opened.check(&mut findings).unwrap();
    findings
}

fn open_file(path: &Path) -> Result<Arc<dyn Opened>> {
    gate::open(path, None, &[]).map(|image| image.image)
}

fn open_bytes(bytes: Vec<u8>) -> Result<Arc<dyn Opened>> {
    (named("vmdk").unwrap().open)(Arc::new(bytes), &mut Alone)
}

#[track_caller]
fn run(tool: &str, args: &[&str]) -> String {
    let output = need::command(tool).args(args).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?}: {said}");
    said
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn reads_as_what_was_put() {
    for (seed, size) in [(1, 5 << 20), (2, (3 << 20) + 512), (3, 100 << 10), (4, (34 << 20) + 1000)] {
        for subformat in KINDS {
            model(&case(subformat, size), seed);
        }
    }
}

#[test]
fn a_cut_at_any_write_is_survived() {
    for subformat in KINDS {
        crash(&case(subformat, (5 << 20) + 1024), 3);
    }
}

#[test]
fn a_stream_goes_on_over_the_ends_of_its_tables() {
    const PIECE: u64 = 1 << 20;
    let size = 68 << 20;
    // A grain in most pieces; none at all for a while.
    let mut original = vec![0; size as usize];
    for piece in (0..68).filter(|piece| !(30..35).contains(piece)) {
        original[(piece << 20) + (piece << 16) % (1 << 20)..][..9000].fill(piece as u8 + 1);
    }
    let case = case("stream", size);
    for fed in [1, 31, 32, 33, 36, 66, 68] {
        let disk = Arc::new(MemoryDisk::new(0));
        let mut image = case.create(Arc::clone(&disk)).unwrap();
        feed(&mut *image, &original, Extent::new(0, fed * PIECE));
        image.checkpoint().unwrap();
        drop(image);
        for kept in [0, 1, 29, 31, 32, 33, 35, 36, 64, 65, 68].into_iter().filter(|kept| *kept <= fed) {
            let when = format!("{fed} fed, {kept} kept");
            let left = Arc::new((*disk).clone());
            let held = [Extent::new(0, kept * PIECE)].into_iter().collect();
            let mut image = case.resume(Arc::clone(&left), &held).unwrap();
            let mut expected = original.clone();
            expected[(kept * PIECE) as usize..].fill(0);
            assert_same(&content(&image), &expected, &when);
            feed(&mut *image, &original, Extent::between(kept * PIECE, size));
            image.finish().unwrap();
            drop(image);
            let opened = case.open(left).unwrap();
            assert_same(&content(&opened), &original, &when);
            let findings = check(&*opened);
            assert_eq!((findings.fault_count, findings.leaked), (0, 0), "{when}: {findings:?}");
        }
    }
}

#[test]
fn a_target_without_holes_is_filled_with_zeros() {
    for subformat in KINDS {
        let case = case(subformat, (3 << 20) + 512);
        let original = sample(8, case.spec.size);
        let disk = Arc::new(MemoryDisk::dense(0, 0));
        let mut image = case.create(Arc::clone(&disk)).unwrap();
        for offset in [70_144, 1 << 20, 0] {
            if subformat == "sparse" {
                image.put(offset, &original[offset as usize..][..512]).unwrap();
            }
        }
        if subformat == "stream" {
            feed(&mut *image, &original, Extent::new(0, 3 << 20));
        }
        let expected = content(&image);
        image.finish().unwrap();
        drop(image);
        assert!(check(&*case.open(Arc::clone(&disk)).unwrap()).faults.is_empty());
        assert_same(&content(&case.open(disk).unwrap()), &expected, subformat);
    }
}

#[test]
fn others_read_what_is_written() {
    if !need::tools(&["qemu-img", "vmdkinfo"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (image, raw) = (folder.path().join("disk.vmdk"), folder.path().join("disk.raw"));
    for (seed, size) in [(1, 40 << 20), (2, (33 << 20) + 700), (3, 512), (4, 64 << 20)] {
        for subformat in KINDS {
            let mut original = sample(seed, size);
            if seed == 4 {
                // Only the second of two grain tables has grains.
                original[..40 << 20].fill(0);
            }
            let case = case(subformat, size);
            fs::write(&image, case.image_of(&original).into_bytes()).unwrap();
            fs::write(&raw, padded(original.clone(), size.next_multiple_of(512))).unwrap();
            run("qemu-img", &["check", "-f", "vmdk", text(&image)]);
            run("qemu-img", &["compare", "-f", "vmdk", "-F", "raw", text(&image), text(&raw)]);
            let info = run("qemu-img", &["info", text(&image)]);
            let kind = if subformat == "sparse" { "monolithicSparse" } else { "streamOptimized" };
            assert!(info.contains(kind) && info.contains("cid: 1667523942"), "{info}");
            let info = run("vmdkinfo", &[text(&image)]);
            assert!(info.contains(&format!("({} bytes)", size.next_multiple_of(512))), "{info}");
            let opened = open_file(&image).unwrap();
            let findings = check(&*opened);
            assert_eq!((findings.faults, findings.leaked, findings.notes), (vec![], 0, vec![]));
        }
    }
}

#[test]
fn what_others_write_is_read() {
    if !need::tools(&["qemu-img"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (image, raw) = (folder.path().join("disk.vmdk"), folder.path().join("disk.raw"));
    let size = (35 << 20) + 512;
    let original = sample(7, size);
    fs::write(&raw, &original).unwrap();
    let kinds = [
        "monolithicSparse",
        "monolithicFlat",
        "twoGbMaxExtentSparse",
        "twoGbMaxExtentFlat",
        "streamOptimized",
    ];
    for kind in kinds {
        for more in ["", ",adapter_type=lsilogic", ",compat6=on", ",hwversion=7", ",zeroed_grain=on"] {
            if more.contains("zeroed") && kind.ends_with("Flat") {
                continue;
            }
            let options = format!("subformat={kind}{more}");
            let args = ["convert", "-f", "raw", "-O", "vmdk", "-o", &options, text(&raw), text(&image)];
            run("qemu-img", &args);
            let opened = open_file(&image).unwrap_or_else(|error| panic!("{options}: {error}"));
            assert_eq!((opened.facts().subformat.as_str(), opened.size()), (kind, size), "{options}");
            assert_same(&content(&opened), &original, &options);
            let findings = check(&*opened);
            assert!(findings.faults.is_empty(), "{options}: {findings:?}");
        }
    }
}

#[test]
fn a_split_disk_of_many_extents_is_read() {
    if !need::tools(&["qemu-img", "qemu-io"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let image = folder.path().join("disk.vmdk");
    for kind in ["twoGbMaxExtentSparse", "twoGbMaxExtentFlat"] {
        let options = format!("subformat={kind}");
        run("qemu-img", &["create", "-f", "vmdk", "-o", &options, text(&image), "9G"]);
        // Over the border of two extents.
        run("qemu-io", &["-f", "vmdk", "-c", "write -P 7 4294901760 131072", text(&image)]);
        let opened = open_file(&image).unwrap();
        assert_eq!(opened.size(), 9 << 30);
        let mut seen = vec![0; 3 << 16];
        opened.read_at(&mut seen, (4 << 30) - (2 << 16)).unwrap();
        let (before, rest) = seen.split_at(1 << 16);
        assert!(before.iter().all(|&byte| byte == 0) && rest.iter().all(|&byte| byte == 7), "{kind}");
        let mut data = 0;
        let mut offset = 0;
        while offset < opened.size() {
            let (content, until) = opened.content_at(offset).unwrap();
            data += if content == Content::Data { until - offset } else { 0 };
            offset = until;
        }
        // Of a flat extent the file system tells, in its own blocks.
        assert!((2 << 16..1 << 20).contains(&data), "{kind}: {data}");
    }
}

#[test]
fn images_of_a_corpus() {
    let folder = TempDir::new().unwrap();
    let corpus = samples("vmdk/");
    let unpacked: Vec<_> = corpus.iter().map(|sample| sample.unpack(folder.path())).collect();
    for (sample, path) in corpus.iter().zip(&unpacked) {
        if sample.truth.len() < 64 {
            continue;
        }
        let opened = open_file(path).unwrap_or_else(|error| panic!("{}: {error}", sample.path));
        sample.assert_content(&opened);
        let findings = check(&*opened);
        assert!(findings.faults.is_empty(), "{}: {findings:?}", sample.path);
    }
    for sample in samples("hostile/vmdk/") {
        if let Ok(opened) = open_file(&sample.unpack(folder.path())) {
            let _ = opened.check(&mut Findings::default());
            let mut buffer = vec![0; opened.size().min(1 << 20) as usize];
            let _ = opened.read_at(&mut buffer, 0);
        }
    }
}

#[test]
fn damage_is_an_error_at_worst() {
    let original: Vec<u8> = (0..150_000_u32).map(|n| (n / 50_000 * 7 % 251) as u8).collect();
    for subformat in KINDS {
        let case = case(subformat, 150_000);
        let stored = case.image_of(&original).into_bytes();
        let end = stored.len() as u64;
        let headers = match subformat {
            // Header; descriptor; directory, and the beginning of its table.
            "sparse" => vec![
                Extent::new(0, 80),
                Extent::new(512, 150),
                Extent::new(26 * 512, 4),
                Extent::new(27 * 512, 16),
            ],
            // Header; a grain's marker.
            _ => vec![
                Extent::new(0, 80),
                Extent::new(GRAIN, 32),
                // The markers of directory, footer and end, and what follows them.
                Extent::new(end - 2560, 16),
                Extent::new(end - 2048, 16),
                Extent::new(end - 1536, 16),
                Extent::new(end - 1024, 80),
                Extent::new(end - 512, 16),
            ],
        };
        hostile(&case, &stored, &headers);
    }
}

/// A folder with a descriptor `disk.vmdk` of these extents.
fn described(
    create_type: &str,
    extents: &str,
    files: &[(&str, &[u8])],
) -> (TempDir, Result<Arc<dyn Opened>>) {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let head = format!(
        "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType=\"{create_type}\"\n"
    );
    fs::write(folder.path().join("disk.vmdk"), head + extents).unwrap();
    let opened = open_file(&folder.path().join("disk.vmdk"));
    (folder, opened)
}

/// A COWD extent of 8192 sectors in grains of a sector: sector 5 is of `byte`, sector 6 a neighbour of `byte + 1`.
fn cowd(byte: u8) -> Vec<u8> {
    let mut file = vec![0; 2048 + 512 + 4096 * 4];
    let fields: [(usize, u32); 7] = [(4, 1), (8, 3), (12, 8192), (16, 1), (20, 4), (24, 2), (28, 39)];
    file[..4].copy_from_slice(b"COWD");
    for (at, value) in fields {
        file[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    file[2048..2052].copy_from_slice(&5_u32.to_le_bytes());
    for (sector, place) in [(5, 37_u32), (6, 38)] {
        file[2560 + sector * 4..][..4].copy_from_slice(&place.to_le_bytes());
    }
    file.extend([byte; 512]);
    file.extend([byte + 1; 512]);
    file
}

#[test]
fn extents_of_every_kind() {
    let flat: Vec<u8> = (0..4096_u32).flat_map(|n| [(n / 512) as u8 + 1]).collect();
    let extents = "RW 2 FLAT \"flat\" 3\nRW 3 ZERO\nRDONLY 1 VMFS \"flat\"\nRW 8192 VMFSSPARSE \"cowd\"\n\
                   NOACCESS 4 ZERO\nRW 1 FLAT \"flat\" 7\n";
    let (_folder, opened) = described("custom", extents, &[("flat", &flat), ("cowd", &cowd(50))]);
    let opened = opened.unwrap();
    let sectors = [(0, 4), (1, 5), (2, 0), (4, 0), (5, 1), (6, 0), (11, 50), (12, 51), (13, 0), (8202, 8)];
    let all = content(&opened);
    assert_eq!(all.len(), 8203 * 512);
    for (sector, byte) in sectors {
        assert!(all[sector * 512..][..512].iter().all(|&found| found == byte), "sector {sector}");
    }
    assert!(check(&*opened).faults.is_empty());
    let (_folder, denied) = described("custom", "NOACCESS 2 FLAT \"secret\" 0\nRW 1 ZERO\n", &[]);
    let denied = denied.unwrap();
    assert!(denied.read_at(&mut [0; 512], 0).unwrap_err().to_string().contains("NOACCESS"));
    denied.read_at(&mut [0; 512], 1024).unwrap();
}

/// A file that every machine has, and no image.
const OUTSIDE: &str = if cfg!(windows) { r"C:\windows\win.ini" } else { "../../etc/passwd" };

#[test]
fn what_is_not_read_is_named() {
    let mut se_sparse = vec![0; 4096];
    se_sparse[..8].copy_from_slice(&0xcafe_babe_u64.to_le_bytes());
    let files: &[(&str, &[u8])] = &[("se", &se_sparse), ("short", &[1; 512])];
    for (create_type, extents, kind, word) in [
        ("seSparse", "RW 8 SESPARSE \"se\"\n", Kind::Unsupported, "seSparse"),
        ("custom", "RW 8 SPARSE \"se\"\n", Kind::Unsupported, "seSparse"),
        ("fullDevice", "RW 8 FLAT \"/dev/sda\" 0\n", Kind::Unsupported, "/dev/sda"),
        ("partitionedDevice", "RW 8 FLAT \"\\\\.\\PhysicalDrive0\" 0\n", Kind::Unsupported, "PhysicalDrive0"),
        ("fullDevice", "RW 8 FLAT \"x\" 0\n", Kind::Unsupported, "fullDevice"),
        ("vmfsRDM", "RW 8 VMFSRDM \"x-rdm.vmdk\"\n", Kind::Unsupported, "x-rdm.vmdk"),
        ("custom", "RW 8 NEWKIND \"x\"\n", Kind::Unsupported, "NEWKIND"),
        ("custom", "RW 8 FLAT \"short\" 0\n", Kind::Corrupt, "short"),
        (
            "custom",
            &format!("RW 8 FLAT \"{OUTSIDE}\" 0\n"),
            Kind::Refused,
            if cfg!(windows) { "win.ini" } else { "passwd" },
        ),
        ("custom", "RW 8 FLAT \"gone\" 0\n", Kind::Io, "gone"),
        ("custom", "RW 9000 VMFSSPARSE \"cowd\"\n", Kind::Corrupt, "4194304"),
        ("custom", "RW 18014398509481984 ZERO\nRW 18014398509481984 ZERO\n", Kind::Corrupt, "more bytes"),
        ("custom", "encryption.keySafe = \"x\"\n", Kind::Unsupported, "encrypted"),
        ("custom", "", Kind::Corrupt, "without extents"),
    ] {
        let cowd = cowd(1);
        let files: Vec<_> = files.iter().copied().chain([("cowd", &cowd[..])]).collect();
        let (_folder, opened) = described(create_type, extents, &files);
        let error = opened.err().unwrap_or_else(|| panic!("{extents}: opened"));
        let said = format!("{error} {:?}", error.advice());
        assert!(error.kind() == kind && said.contains(word), "{extents}: {:?} {said}", error.kind());
    }
}

#[test]
fn a_mangled_or_lone_extent_is_told() {
    let image = case("sparse", 1 << 20).image_of(&sample(1, 1 << 20)).into_bytes();
    let mut mangled = image.clone();
    mangled[75] = b'\n';
    let error = open_bytes(mangled).err().unwrap();
    assert!(error.kind() == Kind::Corrupt && error.to_string().contains("ends of lines"), "{error}");
    let mut lone = image.clone();
    lone[28..36].fill(0);
    let error = open_bytes(lone).err().unwrap();
    assert!(error.kind() == Kind::Refused && error.to_string().contains("without the descriptor"), "{error}");
    assert_eq!(open_bytes(cowd(1)).err().unwrap().kind(), Kind::Refused);
    let stream = case("stream", 1 << 20).image_of(&sample(1, 1 << 20)).into_bytes();
    let error = open_bytes(stream[..stream.len() - 1024].to_vec()).err().unwrap();
    assert!(error.to_string().contains("before its footer"), "{error}");
    // What an archive pads a stream with.
    let mut padded = stream;
    padded.resize(padded.len() + 9 * 512, 0);
    open_bytes(padded).unwrap();
    let mut unclean = image;
    unclean[72] = 1;
    let opened = open_bytes(unclean).unwrap();
    assert!(check(&*opened).notes[0].contains("uncleanShutdown"));
    assert!(probe(&cowd(1)).is_some_and(|format| format.name == "vmdk"));
}

#[test]
fn tables_outside_the_file_are_read_from_their_copies() {
    let original = sample(2, 2 << 20);
    let image = case("sparse", 2 << 20).image_of(&original).into_bytes();
    // Header: gdOffset. Behind the descriptor: RGD at sector 21, RGT, GD at sector 26.
    for (at, len) in [(56, 4), (26 * 512, 4)] {
        let mut bytes = image.clone();
        bytes[at..at + len].fill(0x7f);
        let opened = open_bytes(bytes).unwrap();
        assert_same(&content(&opened), &original, "by the copy");
        let findings = check(&*opened);
        assert!(findings.faults.len() + findings.notes.len() > 0);
    }
}

#[test]
fn a_check_finds_what_is_wrong() {
    let mut original = sample(2, 2 << 20);
    original[..4 << 16].fill(1);
    original[4 << 16..8 << 16].fill(0);
    let image = case("sparse", 2 << 20).image_of(&original).into_bytes();
    let table = 27 * 512;
    let check_with = |image: &[u8], changes: &[(usize, u32)]| {
        let mut bytes = image.to_vec();
        for (at, value) in changes {
            bytes[*at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        check(&*open_bytes(bytes).unwrap())
    };
    assert_eq!(check_with(&image, &[]), Findings::default());
    let first = u32::from_le_bytes(image[table..table + 4].try_into().unwrap());
    let cases: [(&[(usize, u32)], &str); 5] = [
        (&[(table + 4, first)], "overlaps"),
        (&[(table, 3)], "overlaps"),
        (&[(table, 0x00ff_ff00)], "ends at"),
        (&[(table, first + 1)], "overlaps"),
        (&[(26 * 512, 0x00ff_ffff)], "lies outside"),
    ];
    for (changes, word) in cases {
        let findings = check_with(&image, changes);
        assert!(findings.faults.iter().any(|fault| fault.1.contains(word)), "{word}: {findings:?}");
        assert!(word == "lies outside" || findings.faults.iter().any(|fault| fault.1.contains("differs")));
    }
    // Both copies leave a grain out: nothing but its space is lost.
    let leaked = check_with(&image, &[(table, 0), (22 * 512, 0)]);
    assert_eq!((leaked.faults.len(), leaked.leaked), (0, GRAIN));
    let stream = case("stream", 2 << 20).image_of(&original).into_bytes();
    assert_eq!(check_with(&stream, &[]), Findings::default());
    for (at, word) in [(GRAIN as usize, "marker of sector"), (GRAIN as usize + 8, "marker of sector")] {
        let findings = check_with(&stream, &[(at, 0x00ff_0000)]);
        assert!(findings.faults.iter().any(|fault| fault.1.contains(word)), "{findings:?}");
    }
}

#[test]
fn limits_and_refusals() {
    let spec =
        |size, subformat: &str| Spec { size, sector: 512, subformat: subformat.into(), ..Spec::default() };
    let (planned, most) = plan(Spec { size: 1 << 30, ..Spec::default() }).unwrap();
    assert_eq!(
        (planned.subformat.as_str(), planned.compression.as_str(), planned.block),
        ("sparse", "none", GRAIN)
    );
    assert!(most > 1 << 30 && most < (1 << 30) + (1 << 20));
    assert_eq!(plan(planned.clone()).unwrap().0, planned);
    let packed = Spec { size: 1 << 30, compression: "zlib".into(), ..Spec::default() };
    let (planned, _) = plan(packed).unwrap();
    assert_eq!((planned.subformat.as_str(), planned.level.is_some()), ("stream", true));
    assert_eq!(plan(planned.clone()).unwrap().0, planned);
    // Tables and all: the last grain begins in the last sectors that 32 bits count.
    assert!(plan(spec((2 << 40) - (300 << 20), "sparse")).unwrap().1 <= 2 << 40);
    for (size, subformat) in
        [(2 << 40, "sparse"), (2 << 40, "stream"), (u64::MAX - 512, "sparse"), (1 << 62, "stream")]
    {
        let error = plan(spec(size, subformat)).unwrap_err();
        assert!(error.kind() == Kind::Limit && error.advice()[0].contains("vhdx"), "{error}");
    }
    let refused = |spec: Spec, word: &str| {
        let error = plan(spec).unwrap_err();
        let said = format!("{error} {:?}", error.advice());
        assert!(said.contains(word), "{said}");
    };
    refused(Spec { sector: 4096, ..spec(1 << 20, "") }, "vhdx");
    refused(spec(0, ""), "empty");
    refused(spec(1 << 20, "flat"), "flat");
    refused(Spec { block: 4096, ..spec(1 << 20, "") }, "grains");
    refused(Spec { compression: "zlib".into(), ..spec(1 << 20, "sparse") }, "stream");
    refused(Spec { compression: "zstd".into(), ..spec(1 << 20, "stream") }, "zstd");
    refused(Spec { compression: "none".into(), ..spec(1 << 20, "stream") }, "sparse");
    refused(Spec { level: Some(20), ..spec(1 << 20, "stream") }, "level");
    let parent = Some(Parent { relative: "a.vmdk".into(), format: "vmdk".into(), ..Parent::default() });
    refused(Spec { parent: parent.clone(), ..spec(1 << 20, "stream") }, "parent");
    let other = parent.clone().map(|parent| Parent { format: "qcow2".into(), ..parent });
    refused(Spec { parent: other, ..spec(1 << 20, "") }, "qcow2");
    let quoted = parent.map(|parent| Parent { relative: "a\"b".into(), ..parent });
    refused(Spec { parent: quoted, ..spec(1 << 20, "") }, "cannot name");
}

#[test]
fn terabytes_are_written_and_walked() {
    if !need::holes() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("large.vmdk");
    let size = (2 << 40) - (300 << 20);
    let case = case("sparse", size);
    let mut image = case.create(PlainFile::create_new(&path, Allocation::Sparse).unwrap()).unwrap();
    let places = [0, 5 << 30, (1 << 40) + 12_345 * 512, size - GRAIN];
    image.zero(Extent::new(0, size)).unwrap();
    for place in places {
        image.put(place, &[9; 1024]).unwrap();
    }
    image.checkpoint().unwrap();
    drop(image);
    let held: Extents = places.iter().map(|&place| Extent::new(place, 512)).collect();
    let mut image = case.resume(PlainFile::open_writable(&path, Allocation::Sparse).unwrap(), &held).unwrap();
    image.finish().unwrap();
    drop(image);
    let opened = open_file(&path).unwrap();
    let mut data = Vec::new();
    let mut offset = 0;
    while offset < size {
        let (content, until) = opened.content_at(offset).unwrap();
        if content == Content::Data {
            data.push(offset);
        }
        offset = until;
    }
    assert_eq!(data, places.map(|place| place / GRAIN * GRAIN));
    for place in places {
        let mut seen = [0; 1024];
        opened.read_at(&mut seen, place).unwrap();
        assert!(seen[..512] == [9; 512] && seen[512..] == [0; 512]);
    }
    let findings = check(&*opened);
    assert_eq!((findings.fault_count, findings.leaked), (0, 0));
    if need::tool("qemu-img") {
        run("qemu-img", &["info", text(&path)]);
        // Half a gigabyte of tables in a hole.
        let empty = folder.path().join("empty.vmdk");
        run("qemu-img", &["create", "-f", "vmdk", text(&empty), "8T"]);
        let opened = open_file(&empty).unwrap();
        assert_eq!(opened.content_at(0).unwrap(), (Content::Zero, 8 << 40));
        assert_eq!(check(&*opened).fault_count, 0);
    }
}

#[test]
fn the_content_may_end_early() {
    for subformat in KINDS {
        for end in [(33 << 20) + 512, 32 << 20, (4 << 20) + 70_000, 4 << 20, 1000] {
            let size = 36 << 20;
            let mut original = sample(9, size);
            original[1 << 20..3 << 20].fill(0);
            let case = case(subformat, size);
            let disk = Arc::new(MemoryDisk::new(0));
            let mut image = case.create(Arc::clone(&disk)).unwrap();
            feed(&mut *image, &original, Extent::new(0, size));
            image.checkpoint().unwrap();
            image.set_end(end).unwrap();
            original.truncate(end as usize);
            let when = format!("{subformat} cut at {end}");
            let expected = padded(original, end.next_multiple_of(512));
            assert_same(&content(&image), &expected, &when);
            image.finish().unwrap();
            drop(image);
            let opened = case.open(disk).unwrap();
            assert_same(&content(&opened), &expected, &when);
            let findings = check(&*opened);
            assert_eq!((findings.fault_count, findings.leaked), (0, 0), "{when}: {findings:?}");
        }
    }
}

/// A parent of 3 MiB and a bit, and a child's plan that names it.
fn family(folder: &Path, size: u64) -> (Vec<u8>, Case) {
    let parent = case("sparse", (3 << 20) + 512);
    let original = sample(21, parent.spec.size);
    fs::write(folder.join("base.vmdk"), parent.image_of(&original).into_bytes()).unwrap();
    let opened = open_file(&folder.join("base.vmdk")).unwrap();
    let parent = Parent {
        relative: "base.vmdk".into(),
        absolute: text(&folder.join("base.vmdk")).into(),
        format: "vmdk".into(),
        id: opened.facts().id,
        modified: 0,
    };
    let spec = Spec { size, parent: Some(parent), ..Spec::default() };
    (original, Case::new(named("vmdk").unwrap(), spec))
}

fn child_place(folder: &Path, storage: impl Storage + 'static) -> Place {
    let parent = open_file(&folder.join("base.vmdk")).unwrap();
    Place { storage: Box::new(Durable::new(storage)), parent: Some(parent) }
}

#[test]
fn a_child_differs_from_its_parent() {
    let folder = TempDir::new().unwrap();
    for (seed, size) in [(1, (3 << 20) + 512), (2, 5 << 20), (3, (2 << 20) + 700)] {
        let (mut expected, case) = family(folder.path(), size);
        expected.resize(size as usize, 0);
        let writing = case.format.writing.as_ref().unwrap();
        let disk = Arc::new(MemoryDisk::new(0));
        let place = child_place(folder.path(), Arc::clone(&disk));
        let mut image = (writing.create)(place, &case.spec).unwrap();
        let mut dice = Dice(seed);
        for _ in 0..40 {
            let start = dice.below(size / 512) * 512;
            let len = ((1 + dice.below(400)) * 512).min(size - start);
            let bytes = start as usize..(start + len) as usize;
            if dice.below(2) == 0 {
                expected[bytes].fill(0);
                image.zero(Extent::new(start, len)).unwrap();
            } else {
                let data = sample(dice.below(1 << 30), len);
                expected[bytes].copy_from_slice(&data);
                image.put(start, &data).unwrap();
            }
            if dice.below(5) == 0 {
                image.checkpoint().unwrap();
            }
        }
        assert_same(&content(&image)[..size as usize], &expected, "before it is finished");
        image.finish().unwrap();
        drop(image);
        let path = folder.path().join("child.vmdk");
        fs::write(&path, disk.bytes()).unwrap();
        let opened = open_file(&path).unwrap();
        let expected = padded(expected, opened.size());
        assert_same(&content(&opened), &expected, "the child");
        assert_eq!(opened.facts().parent.as_deref(), Some("base.vmdk"));
        assert!(check(&*opened).faults.is_empty());
        if need::tool("qemu-img") {
            fs::write(folder.path().join("raw"), &expected).unwrap();
            let raw = folder.path().join("raw");
            run("qemu-img", &["compare", "-f", "vmdk", "-F", "raw", text(&path), text(&raw)]);
        }
    }
}

#[test]
fn a_child_survives_a_cut() {
    let folder = TempDir::new().unwrap();
    let size = 4 << 20;
    let (parent, case) = family(folder.path(), size);
    let parent = padded(parent, size);
    let original = sample(5, size);
    let writing = case.format.writing.as_ref().unwrap();
    for cut in 0..60 {
        let torn = Arc::new(TornDisk::new(MemoryDisk::new(0)).crash_after(cut));
        let mut held: Option<Extents> = None;
        let mut put = Extents::new();
        let ended = (|| -> Result<()> {
            let mut image = (writing.create)(child_place(folder.path(), Arc::clone(&torn)), &case.spec)?;
            image.checkpoint()?;
            held = Some(Extents::new());
            let mut dice = Dice(11);
            for step in 0..24 {
                let start = dice.below(size / 512) * 512;
                let at = Extent::new(start, ((1 + dice.below(600)) * 512).min(size - start));
                let data = &original[at.offset as usize..at.end() as usize];
                if data.iter().all(|&byte| byte == 0) {
                    image.zero(at)?
                } else {
                    image.put(at.offset, data)?
                }
                put.insert(at);
                if step % 4 == 3 {
                    image.checkpoint()?;
                    held = Some(put.clone());
                }
            }
            image.finish()
        })();
        assert_eq!(ended.is_err(), torn.crashed());
        let Some(held) = held else { continue };
        for seed in 0..4 {
            let left = Arc::new(torn.survivors(cut * 5 + seed));
            let place = child_place(folder.path(), Arc::clone(&left));
            let mut image = (writing.resume)(place, &case.spec, &held).unwrap();
            let mut expected = parent.clone();
            for at in held.iter() {
                let bytes = at.offset as usize..at.end() as usize;
                expected[bytes.clone()].copy_from_slice(&original[bytes]);
            }
            assert_same(&content(&image), &expected, &format!("cut at {cut}, seed {seed}"));
            feed(&mut *image, &original, Extent::new(0, size));
            image.finish().unwrap();
            assert_same(&content(&image), &original, &format!("cut at {cut}, seed {seed}: the whole"));
        }
    }
}

#[test]
fn a_cut_does_not_hide_what_is_held_of_the_parent() {
    let folder = TempDir::new().unwrap();
    let (base, case) = family(folder.path(), (3 << 20) + 512);
    let writing = case.format.writing.as_ref().unwrap();
    let making = Making {
        create: &|disk| (writing.create)(child_place(folder.path(), disk), &case.spec),
        resume: &|disk, held| (writing.resume)(child_place(folder.path(), disk), &case.spec, held),
    };
    cut_beside_the_parents(&making, &base, 16 << 10, 4);
}

/// A parent of data and zeros by turns.
struct Striped(Facts, u64);

impl ReadAt for Striped {
    fn size(&self) -> u64 {
        self.1
    }

    fn read_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
        Ok(())
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        let stripe = offset >> 24;
        Ok((if stripe.is_multiple_of(2) { Content::Data } else { Content::Zero }, (stripe + 1) << 24))
    }
}

impl Opened for Striped {
    fn facts(&self) -> &Facts {
        &self.0
    }

    fn check(&self, _findings: &mut Findings) -> Result<()> {
        Ok(())
    }
}

struct Family(Arc<dyn Opened>);

impl Gate for Family {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Alone.file(name)
    }

    fn parent(&mut self, _names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        Ok(Arc::clone(&self.0))
    }
}

/// How many bytes were read of these.
struct Counted(Vec<u8>, AtomicU64);

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.1.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.0.as_slice().read_at(buf, offset)
    }
}

#[test]
fn a_parent_in_many_parts_is_walked_once() {
    let size = 4 << 30;
    let facts = Facts { format: "vmdk", id: [7; 16], ..Facts::default() };
    let parent: Arc<dyn Opened> = Arc::new(Striped(facts, size));
    let name =
        Parent { relative: "base.vmdk".into(), format: "vmdk".into(), id: [7; 16], ..Parent::default() };
    let case = Case::new(named("vmdk").unwrap(), Spec { size, parent: Some(name), ..Spec::default() });
    let disk = Arc::new(MemoryDisk::new(0));
    let place = Place { storage: Box::new(Arc::clone(&disk)), parent: Some(Arc::clone(&parent)) };
    (case.format.writing.as_ref().unwrap().create)(place, &case.spec).unwrap().finish().unwrap();
    // Its tables are no holes here.
    let counted = Arc::new(Counted(disk.bytes(), AtomicU64::new(0)));
    let opened = (case.format.open)(Arc::clone(&counted) as Arc<dyn ReadAt>, &mut Family(parent)).unwrap();
    let (mut offset, mut parts) = (0, 0);
    while offset < size {
        offset = opened.content_at(offset).unwrap().1;
        parts += 1;
    }
    let read = counted.1.load(Ordering::Relaxed);
    assert!(parts == 256 && read < 8 << 20, "{parts} parts, {read} bytes");
}

#[test]
fn chains_of_others_and_a_parent_that_changed() {
    if !need::tools(&["qemu-img", "qemu-io"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let size = 5 << 20;
    let original = sample(4, size);
    fs::write(path("raw"), &original).unwrap();
    run("qemu-img", &["convert", "-O", "vmdk", text(&path("raw")), text(&path("base.vmdk"))]);
    let over = |child: &str, parent: &str, options: &str| {
        let options = format!("backing_file={parent},backing_fmt=vmdk{options}");
        run("qemu-img", &["create", "-f", "vmdk", "-o", &options, text(&path(child))]);
    };
    over("middle.vmdk", "base.vmdk", ",zeroed_grain=on");
    let io = |name: &str, command: &str| run("qemu-io", &["-f", "vmdk", "-c", command, text(&path(name))]);
    io("middle.vmdk", "write -z 131072 262144");
    io("middle.vmdk", "write -P 5 1000448 3000");
    over("top.vmdk", "middle.vmdk", "");
    io("top.vmdk", "write -P 6 200000 512");
    run("qemu-img", &["convert", "-f", "vmdk", "-O", "raw", text(&path("top.vmdk")), text(&path("out"))]);
    let opened = open_file(&path("top.vmdk")).unwrap();
    assert_same(&content(&opened), &fs::read(path("out")).unwrap(), "a chain of three");
    // Written to behind its child's back.
    io("middle.vmdk", "write -P 9 0 512");
    let error = open_file(&path("top.vmdk")).err().unwrap();
    let cid = |name: &str| {
        let id = open_file(&path(name)).unwrap().facts().id;
        format!("{:08x}", u32::from_le_bytes(id[..4].try_into().unwrap()))
    };
    assert!(error.kind() == Kind::Changed && error.to_string().contains(&cid("middle.vmdk")), "{error}");
}

#[test]
fn a_stream_is_no_larger_than_that_of_others() {
    if !cfg!(feature = "assembly") || !need::tools(&["qemu-img"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (raw, theirs) = (folder.path().join("raw"), folder.path().join("theirs.vmdk"));
    // Programs: what disks are full of.
    let mut original = fs::read(std::env::current_exe().unwrap()).unwrap();
    original.resize((original.len().min(48 << 20)).next_multiple_of(512), 0);
    fs::write(&raw, &original).unwrap();
    let options = "subformat=streamOptimized";
    run("qemu-img", &["convert", "-f", "raw", "-O", "vmdk", "-o", options, text(&raw), text(&theirs)]);
    let ours = case("stream", original.len() as u64).image_of(&original).into_bytes().len() as u64;
    let theirs = fs::metadata(&theirs).unwrap().len();
    assert!(ours <= theirs, "{ours} bytes, and theirs has {theirs}");
}

#[test]
fn the_same_plan_makes_the_same_file() {
    let original = sample(6, 3 << 20);
    for subformat in KINDS {
        let case = case(subformat, 3 << 20);
        assert!(case.image_of(&original).into_bytes() == case.image_of(&original).into_bytes());
    }
}
