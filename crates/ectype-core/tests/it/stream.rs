//! Compressed streams as sources: what the tools themselves wrote, cut, bent and blown up.

use crate::image::sample;
use crate::rig::{CALM, Rig, assert_same, bytes};
use ectype_core::error::Kind;
use ectype_core::io::ReadAt;
use ectype_core::source::{Compression, Inflate, Source, StreamSource, count, told_size};
use ectype_core::{Extent, Result};
use ectype_testkit::{MemoryDisk, need};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

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
            let told = told_size(&packed).unwrap();
            assert!(told.is_none_or(|told| told == len), "{tool} {args:?}: {told:?}");
            let tells = matches!(tool, &"xz" | &"zstd");
            assert_eq!(told.is_some(), tells || (*tool == "pzstd" && told.is_some()), "{tool} {args:?}");
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
        let told = told_size(&packed.concat()).unwrap();
        assert!(told.is_none_or(|told| told == whole.len() as u64), "{tool} {args:?}: {told:?}");
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
        assert_eq!(told_size(&padded).unwrap(), Some(100_000));
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
        let size = count(Arc::new(packed.clone()), &mut |_| true).unwrap();
        assert_eq!(size, (zeros.len() * times) as u64);
        let mut told = Vec::new();
        let stopped = count(Arc::new(packed.clone()), &mut |at| {
            told.push(at);
            told.len() < 3
        });
        assert_eq!(stopped.unwrap_err().kind(), Kind::Cancelled);
        assert!(told.is_sorted() && told.iter().all(|at| *at <= packed.len() as u64));
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

#[test]
fn a_stream_is_copied_in_one_pass() {
    for (tool, args, _) in writers() {
        let content = sample(8, (5 << 20) + 123);
        let packed = pack(tool, args, &content);
        let stored: Arc<dyn ReadAt> = Arc::new(packed.clone());
        let size = match told_size(&*stored).unwrap() {
            Some(size) => size,
            None => count(Arc::clone(&stored), &mut |_| true).unwrap(),
        };
        assert_eq!(size, content.len() as u64);
        let rig = Rig::new(MemoryDisk::new(0), MemoryDisk::new(0));
        let mut open = rig.begin(size).unwrap();
        let mut source = StreamSource::new(stored, size).unwrap();
        let copied = open.copy(&mut source, CALM).unwrap();
        assert!(copied.stopped.is_none(), "{:?}", copied.stopped);
        assert_eq!(source.position(), packed.len() as u64);
        open.finish();
        assert_same(&bytes(&rig.image), &content, tool);
    }
}

/// A stream that ends early, goes on, or is broken: an error, and never bad sectors.
#[test]
fn a_stream_that_is_not_as_told_stops_the_copy() {
    if !need::tools(&["gzip"]) {
        return;
    }
    let content = sample(9, (3 << 20) + 100);
    let packed = pipe("gzip", &["-c"], &content);
    let mut wrong_sum = packed.clone();
    let sum_at = wrong_sum.len() - 6;
    wrong_sum[sum_at] ^= 1;
    let size = content.len() as u64;
    for (stored, told) in [
        (packed.clone(), size + 1),
        (packed.clone(), size - 1),
        (packed.clone(), size + (4 << 20)),
        (packed[..packed.len() - 9].to_vec(), size),
        (wrong_sum, size),
    ] {
        let rig = Rig::new(MemoryDisk::new(0), MemoryDisk::new(0));
        let mut open = rig.begin(told).unwrap();
        let mut source = StreamSource::new(Arc::new(stored), told).unwrap();
        let stopped = open.copy(&mut source, CALM).map_or_else(Some, |copied| copied.stopped);
        assert!(stopped.is_some(), "told {told}");
        assert!(open.bad().is_empty());
    }
    // Forward it may skip, backward it cannot.
    let mut source = StreamSource::new(Arc::new(packed), size).unwrap();
    let mut ask = |offset| {
        source.submit(Extent::new(offset, 512), ectype_core::os::buffer::Buffer::new(512));
        let answer = source.complete(std::time::Duration::from_secs(60)).unwrap();
        (answer.read.good, answer.buffer.to_vec())
    };
    assert!(ask(2 << 20) == (512, content[2 << 20..][..512].to_vec()));
    assert_eq!(ask(0).0, 0);
}

/// Compressed files of others, of every origin: a folder beside the workspace, no part of the project.
#[test]
fn the_corpus_is_inflated_as_the_tools_do() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/corpus");
    let folder = std::env::var_os("ECTYPE_CORPUS").map_or(beside, PathBuf::from);
    let Ok(manifest) = std::fs::read_to_string(folder.join("manifest.tsv")) else {
        eprintln!("there is no corpus at {}", folder.display());
        return;
    };
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
        let told = told_size(&packed).unwrap();
        assert!(told.is_none_or(|told| told == len), "{}", path.display());
        let content = inflate(packed, 1 << 20).unwrap();
        let output = need::command(tool).arg("-dc").arg(&path).output().unwrap();
        assert!(output.status.success() && output.stdout == content, "{}", path.display());
        assert_eq!(content.len() as u64, len, "{}", path.display());
        looked_at += 1;
    }
    assert!(looked_at > 50, "only {looked_at} of the corpus");
}
