//! Compressed streams as images: what the tools themselves wrote, cut, bent and blown up.

use super::{Alone, sample};
use crate::rig::assert_same;
use ectype_core::error::Kind;
use ectype_core::image::packed::{Compression, Inflate};
use ectype_core::image::{Opened, probe};
use ectype_core::io::ReadAt;
use ectype_core::os::buffer::Buffer;
use ectype_core::source::{ImageSource, Outcome, Source};
use ectype_core::{Extent, Result};
use ectype_testkit::need;
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A writer: its command, and how its output is known.
type Writer = (&'static str, &'static [&'static str], Compression);

const WRITERS: &[Writer] = &[
    ("gzip", &["-c"], Compression::Gzip),
    ("gzip", &["-1c"], Compression::Gzip),
    ("pigz", &["-c", "-p", "2", "-b", "128"], Compression::Gzip),
    ("pigz", &["-c", "-i", "-p", "2", "-b", "128"], Compression::Gzip),
    ("xz", &["-0c"], Compression::Xz),
    ("xz", &["-0c", "-T2", "--block-size=300000", "--check=sha256"], Compression::Xz),
    ("xz", &["-0c", "--x86", "--lzma2=preset=0", "--check=none"], Compression::Xz),
    ("zstd", &["-qc"], Compression::Zstd),
    ("zstd", &["-qc", "-1", "-T2", "--no-check"], Compression::Zstd),
    ("pzstd", &["-qc", "-p", "2"], Compression::Zstd),
    ("bzip2", &["-1c"], Compression::Bzip2),
    ("pbzip2", &["-1c", "-p2", "-b1"], Compression::Bzip2),
    ("lbzip2", &["-1c", "-n2"], Compression::Bzip2),
    ("lz4", &["-qc"], Compression::Lz4),
    ("lz4", &["-qc", "-BD", "-B4", "-BX", "--content-size"], Compression::Lz4),
    ("lz4", &["-qc", "--no-frame-crc", "-B7"], Compression::Lz4),
];

fn pack(tool: &str, args: &[&str], content: &[u8]) -> Vec<u8> {
    // From a file, so that those who can tell the length do.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("content");
    std::fs::write(&path, content).unwrap();
    let output = need::command(tool).args(args).arg(&path).output().unwrap();
    assert!(output.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn pipe(tool: &str, args: &[&str], content: &[u8]) -> Vec<u8> {
    let mut child =
        need::command(tool).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, content) = (child.stdin.take().unwrap(), content.to_vec());
    let feeding = std::thread::spawn(move || input.write_all(&content));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap().unwrap();
    assert!(output.status.success(), "{tool} {args:?}");
    output.stdout
}

fn inflate(stored: impl ReadAt + 'static, part: usize) -> Result<Vec<u8>> {
    let mut inflate = Inflate::new(Arc::new(stored))?;
    let mut all = Vec::new();
    loop {
        let mut buffer = vec![0; part];
        let came = inflate.fill(&mut buffer)?;
        all.extend_from_slice(&buffer[..came]);
        assert_eq!(all.len() as u64, inflate.produced());
        if came < part {
            return Ok(all);
        }
    }
}

/// As an image, by its content.
fn open(packed: Vec<u8>) -> Result<Arc<dyn Opened>> {
    let format = probe(&packed).expect("a compressed file is known");
    (format.open)(Arc::new(packed), &mut Alone)
}

/// Every tool that is there, with its arguments.
fn writers() -> impl Iterator<Item = &'static Writer> {
    WRITERS.iter().filter(|(tool, ..)| need::tools(&[tool]))
}

#[test]
fn what_the_tools_write_is_read() {
    for (tool, args, compression) in writers() {
        for (seed, len) in [(1, 1), (2, 3_000_001), (3, 1 << 20), (4, 4095)] {
            let content = sample(seed, len);
            let packed = pack(tool, args, &content);
            assert_eq!(Compression::of(&packed), Some(*compression), "{tool} {args:?}");
            for part in [1 << 20, 777] {
                assert_same(&inflate(packed.clone(), part).unwrap(), &content, tool);
            }
            assert_eq!(open(packed).unwrap().size(), len, "{tool} {args:?}");
        }
    }
}

#[test]
fn several_are_one() {
    for (tool, args, _) in writers() {
        let contents = [sample(1, 70_000), Vec::new(), sample(2, 1), sample(3, 300_000), Vec::new()];
        let packed: Vec<Vec<u8>> = contents.iter().map(|content| pipe(tool, args, content)).collect();
        let whole = contents.concat();
        assert_same(&inflate(packed.concat(), 100_000).unwrap(), &whole, tool);
        assert_eq!(open(packed.concat()).unwrap().size(), whole.len() as u64, "{tool} {args:?}");
    }
    if need::tools(&["gzip", "xz", "zstd", "lz4"]) {
        // Padding as each format allows it.
        let content = sample(5, 50_000);
        let mut gzip = pipe("gzip", &["-c"], &content);
        gzip.extend([0; 10_000]);
        assert_same(&inflate(gzip.clone(), 9000).unwrap(), &content, "gzip with zeros behind it");
        gzip.push(1);
        assert_eq!(inflate(gzip, 9000).unwrap_err().kind(), Kind::Corrupt);
        let xz = pipe("xz", &["-0c"], &content);
        let padded = [&xz[..], &[0; 400_000], &xz, &[0; 8]].concat();
        assert_eq!(open(padded.clone()).unwrap().size(), 100_000);
        assert_same(&inflate(padded, 9000).unwrap(), &[&content[..], &content].concat(), "xz with padding");
        assert!(inflate([&xz[..], &[0; 3]].concat(), 9000).is_err());
        for tool in ["zstd", "lz4"] {
            let packed = pipe(tool, &["-qc"], &content);
            let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5][..]].concat();
            let mixed = [&skippable[..], &packed, &skippable, &skippable, &packed, &skippable].concat();
            assert_same(&inflate(mixed.clone(), 9000).unwrap(), &[&content[..], &content].concat(), tool);
            assert!(inflate(mixed[..mixed.len() - 1].to_vec(), 9000).is_err(), "{tool}");
        }
    }
}

#[test]
fn every_cut_is_found() {
    for (tool, args, _) in writers() {
        let content = sample(6, 300_000);
        let packed = [pipe(tool, args, &content[..2000]), pipe(tool, args, &content[2000..2500])].concat();
        let first = pipe(tool, args, &content[..2000]).len();
        for len in 0..packed.len() {
            match inflate(packed[..len].to_vec(), 1000) {
                // Between two members it is whole; pzstd makes two of each, the first one empty.
                Ok(found) if *tool == "pzstd" => {
                    assert!(len == 12 || len == first || len == first + 12, "{len}");
                    assert!(content.starts_with(&found));
                }
                Ok(found) => {
                    assert!(len == first, "{tool} {args:?}: {len} of {} bytes", packed.len());
                    assert!(found == content[..2000]);
                }
                Err(error) if len >= 10 => {
                    assert_eq!(error.kind(), Kind::Corrupt, "{tool} {args:?} {len}: {error}");
                    assert!(error.offset().is_some_and(|at| at <= len as u64), "{error}");
                }
                Err(_) => {}
            }
        }
    }
}

#[test]
fn bent_bytes_and_garbage_are_found() {
    for (tool, args, _) in writers() {
        let content = sample(7, 200_000);
        let packed = pipe(tool, args, &content);
        for garbage in [&b"x"[..], b"garbage, and more of it", &[0xff; 5000]] {
            let error = inflate([&packed[..], garbage].concat(), 70_000).unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt, "{tool} {args:?}: {error}");
            assert!(error.offset().is_some_and(|at| at <= (packed.len() + garbage.len()) as u64), "{error}");
        }
        let unchecked = args.iter().any(|arg| arg.contains("no-") || arg.contains("check=none"));
        for at in (12..packed.len()).step_by(packed.len() / 97 + 1) {
            let mut bent = packed.clone();
            bent[at] ^= 0x20;
            match inflate(bent, 70_000) {
                Ok(found) => assert!(unchecked || found == content, "{tool} {args:?}: byte {at}"),
                Err(error) => {
                    let beyond_recognition = *tool == "pzstd" && at < 16;
                    assert!(error.offset().is_some() || beyond_recognition, "{tool} {args:?} {at}: {error}");
                }
            }
        }
    }
}

/// A few KB that inflate to gigabytes: counted, and stopped.
#[test]
fn bombs_are_only_long() {
    if !need::tools(&["zstd", "xz", "bzip2", "gzip"]) {
        return;
    }
    let zeros = vec![0; 64 << 20];
    for (tool, args, times) in
        [("zstd", &["-qc"][..], 40), ("xz", &["-0c"], 2), ("bzip2", &["-9c"], 2), ("gzip", &["-9c"], 4)]
    {
        let packed = pipe(tool, args, &zeros).repeat(times);
        assert_eq!(open(packed).unwrap().size(), (zeros.len() * times) as u64);
    }
    // A dictionary that nobody has memory for.
    let need_much = pipe("xz", &["-0c", "--lzma2=preset=0,dict=1536MiB"], b"little");
    assert_eq!(inflate(need_much, 100).unwrap_err().kind(), Kind::Unsupported);
    let window = pipe("zstd", &["-qc", "--ultra", "-22", "--long=31"], b"little");
    let _ = inflate(window, 100);
}

#[test]
fn what_is_not_read_is_named() {
    if need::tools(&["lz4"]) {
        let error = inflate(pipe("lz4", &["-qlc"], b"legacy"), 100).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains("legacy"), "{error}");
    }
    assert_eq!(inflate(b"no stream at all".to_vec(), 100).unwrap_err().kind(), Kind::Unsupported);
    assert_eq!(Compression::of(&Vec::new()), None);
    assert_eq!(Compression::of(&b"BZh and then a text".as_slice()), None);
}

/// In order, back, in parts of every kind, and from several threads at once: always the same content.
#[test]
fn any_part_is_read() {
    let content = sample(8, (40 << 20) + 123);
    for (tool, args) in [("gzip", &["-1c"][..]), ("xz", &["-0c"]), ("zstd", &["-qc", "-1"])] {
        if !need::tools(&[tool]) {
            continue;
        }
        let image = open(pipe(tool, args, &content)).unwrap();
        let read = |offset: usize, len: usize| {
            let mut buffer = vec![0; len];
            image.read_at(&mut buffer, offset as u64).unwrap();
            assert!(buffer == content[offset..][..len], "{tool}: {len} at {offset}");
        };
        let pieces = content.len() >> 20;
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || (thread..pieces).step_by(4).for_each(|piece| read(piece << 20, 1 << 20)));
            }
        });
        // Behind the window, into what is kept, over its edge, and at the end.
        for (offset, len) in [
            (9 << 20, 5 << 20),
            (0, 1),
            ((8 << 20) - 3, 7),
            (pieces << 20, 123),
            ((20 << 20) + 1, 30),
            (0, 40 << 20),
        ] {
            read(offset, len);
        }
        let mut beyond = [0; 2];
        assert!(image.read_at(&mut beyond, content.len() as u64 - 1).is_err());
    }
}

/// A stream that ends early, goes on, or is broken: an error, and never zeros.
#[test]
fn a_stream_that_is_not_as_told_is_found_at_its_end() {
    if !need::tools(&["zstd", "xz"]) {
        return;
    }
    let last = |packed: Vec<u8>| {
        let image = open(packed)?;
        assert!(image.facts().in_order);
        let mut buffer = vec![0; 100];
        image.read_at(&mut buffer, image.size() - 100).map_err(|error| {
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");
            *error.into_inner().unwrap().downcast::<ectype_core::Error>().unwrap()
        })
    };
    // A frame too long to be read in parts, which tells its length in four bytes behind the magic number and the descriptor
    // (RFC 8878, 3.1.1.1.4).
    let size = (1_u32 << 30) + 200;
    let script = format!("head -c {size} /dev/zero | zstd -1 -qc --stream-size={size}");
    let zstd = need::command("sh").args(["-c", &script]).output().unwrap().stdout;
    let place = zstd.windows(4).position(|bytes| bytes == size.to_le_bytes()).unwrap();
    assert!(place < 8);
    assert!(last(zstd.clone()).is_ok());
    for (told, what) in [(size + 1, "longer"), (size - 1, "shorter")] {
        let mut bent = zstd.clone();
        bent[place..place + 4].copy_from_slice(&told.to_le_bytes());
        assert_eq!(last(bent).unwrap_err().kind(), Kind::Corrupt, "told to be {what}");
    }
    let xz = pack("xz", &["-0c"], &sample(9, (3 << 20) + 100));
    assert!(last(xz.clone()).is_ok());
    for packed in [zstd, xz] {
        let mut wrong_sum = packed.clone();
        // The checksum of zstd is at the end; that of xz's last block is before its index.
        let at = if packed[0] == 0xfd { packed.len() - 40 } else { packed.len() - 2 };
        wrong_sum[at] ^= 1;
        assert!(last(wrong_sum).is_err());
        assert!(last(packed[..packed.len() - 1].to_vec()).is_err(), "it was cut");
    }
}

/// A length that is less than what comes: also one of nothing, of which no byte is ever asked for.
#[test]
fn a_stream_that_tells_too_little_is_not_opened_as_whole() {
    if !need::tools(&["xz"]) {
        return;
    }
    for (len, told) in [(3 << 20, 0_u64), (1 << 20, 0), (5000, 0), (5000, 4999), (1 << 20, (1 << 20) - 1)] {
        let xz = pack("xz", &["-0c", "--check=crc32"], &sample(9, len));
        let error = open(telling(&xz, told)).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{told} of {len}: {error}");
        assert_eq!(open(telling(&xz, len)).unwrap().size(), len);
    }
}

/// An xz file of one block, with an index that tells `told` of it (the .xz file format, section 4).
fn telling(xz: &[u8], told: u64) -> Vec<u8> {
    let number = |mut number: u64| {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let footer = xz.len() - 12;
    let len = (u32::from_le_bytes(xz[footer + 4..footer + 8].try_into().unwrap()) as usize + 1) * 4;
    let old = &xz[footer - len..footer];
    let unpadded = 2 + old[2..].iter().position(|byte| byte & 0x80 == 0).unwrap();
    let mut index = old[..=unpadded].to_vec();
    index.extend(number(told));
    index.resize(index.len().next_multiple_of(4), 0);
    let sum = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum().to_le_bytes()
    };
    index.extend(sum(&index));
    let mut flags = (index.len() as u32 / 4 - 1).to_le_bytes().to_vec();
    flags.extend(&xz[footer + 8..footer + 10]);
    [&xz[..footer - len], &index, &sum(&flags), &flags, b"YZ"].concat()
}

/// Stored bytes, of which one cannot be read any more from some moment on.
struct Scratched {
    stored: Vec<u8>,
    bad: u64,
    is_bad: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
}

impl ReadAt for Scratched {
    fn size(&self) -> u64 {
        self.stored.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        let met = (offset..offset + buf.len() as u64).contains(&self.bad);
        if met && self.is_bad.load(Ordering::Relaxed) {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return Err(std::io::Error::from_raw_os_error(5));
        }
        self.stored.read_at(buf, offset)
    }
}

/// What lies behind a bad sector of the disk below is lost with it: that is an error, and no damage of a medium that is
/// searched sector by sector for hours.
#[test]
fn a_bad_sector_below_a_stream_ends_the_reading() {
    let content = sample(11, 24 << 20);
    for (tool, args) in
        [("gzip", &["-1c"][..]), ("xz", &["-0c"]), ("zstd", &["-qc", "-1"]), ("lz4", &["-qc"])]
    {
        if !need::tools(&[tool]) {
            continue;
        }
        let stored = pipe(tool, args, &content);
        let (is_bad, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let bad = stored.len() as u64 / 2;
        let format = probe(&stored).unwrap();
        let scratched = Scratched { stored, bad, is_bad: Arc::clone(&is_bad), failed: Arc::clone(&failed) };
        let image = (format.open)(Arc::new(scratched), &mut Alone).unwrap();
        is_bad.store(true, Ordering::Relaxed);
        let mut source = ImageSource::new(image, content.len() as u64);
        let (mut good, mut lost) = (0, 0);
        for four in 0..6 {
            for piece in 0..4 {
                let at = Extent::new((four * 4 + piece) << 20, 1 << 20);
                source.submit(at, Buffer::new(1 << 20));
            }
            while let Some(answer) = source.complete(Duration::from_secs(60)) {
                match answer.read.outcome {
                    Outcome::Ok => good += 1,
                    Outcome::Failed(error) => {
                        assert_eq!(error.raw_os_error(), Some(5), "{tool}: {error}");
                        lost += 1;
                    }
                    other => panic!("{tool}: {other:?}"),
                }
            }
        }
        assert!(good >= 8 && lost >= 8 && good + lost == 24, "{tool}: {good} and {lost}");
        assert_eq!(failed.load(Ordering::Relaxed), 1, "{tool}: the disk is not asked again and again");
    }
}

/// The bytes of a container are no disk's.
#[test]
fn what_holds_another_image_is_refused_by_name() {
    if !need::tools(&["gzip", "qemu-img", "tar"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    for format in ["qcow2", "vhdx", "vmdk"] {
        let made =
            need::command("qemu-img").args(["create", "-q", "-f", format]).arg(&inner).arg("4M").status();
        assert!(made.unwrap().success());
        let error = open(pipe("gzip", &["-c"], &std::fs::read(&inner).unwrap())).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains(format), "{error}");
    }
    let tar =
        need::command("tar").args(["-c", "-C"]).arg(folder.path()).arg("inner").output().unwrap().stdout;
    let error = open(pipe("gzip", &["-c"], &tar)).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("tar archive"), "{error}");
    // Twice compressed: once is not enough.
    let twice = pipe("gzip", &["-c"], &pipe("gzip", &["-c"], b"some bytes"));
    assert!(open(twice).map(|_| ()).unwrap_err().to_string().contains("gz file"));
}

/// Compressed files of others, of every origin.
#[test]
fn the_corpus_is_inflated_as_the_tools_do() {
    let Some(folder) = need::corpus() else { return };
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).unwrap();
    let mut looked_at = 0;
    for line in manifest.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (Some(path), Some(Ok(len))) = (columns.first(), columns.last().map(|len| len.parse::<u64>()))
        else {
            continue;
        };
        let path = folder.join("files").join(path);
        let tool = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => "gzip",
            Some("xz") => "xz",
            Some("bz2") => "bzip2",
            Some("zst") => "zstd",
            _ => continue,
        };
        let Ok(packed) = std::fs::read(&path) else { continue };
        // Enough of them, in a time that is worth it.
        if len > 4 << 20 || path.to_string_lossy().ends_with(".tar.xz") || !need::tools(&[tool]) {
            continue;
        }
        let content = inflate(packed, 1 << 20).unwrap();
        let output = need::command(tool).arg("-dc").arg(&path).output().unwrap();
        assert!(output.status.success() && output.stdout == content, "{}", path.display());
        assert_eq!(content.len() as u64, len, "{}", path.display());
        looked_at += 1;
    }
    assert!(looked_at > 50, "only {looked_at} of the corpus");
}
