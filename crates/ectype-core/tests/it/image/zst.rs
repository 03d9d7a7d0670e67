//! zstd images: frames that `zstd` unpacks, and files that others packed.

use super::{Case, content, crash, hostile, model, sample};
use crate::rig::assert_same;
use ectype_core::error::Kind;
use ectype_core::image::{Findings, Opened, Placement, Spec, named, probe};
use ectype_core::io::{Content, ReadAt};
use ectype_core::{Extent, Extents};
use ectype_testkit::{MemoryDisk, need};
use std::process::Command;
use std::sync::Arc;

const MIB: u64 = 1 << 20;

fn case(size: u64) -> Case {
    Case::new(named("zst").unwrap(), Spec { size, ..Spec::default() })
}

fn stored(case: &Case, content: &[u8]) -> Vec<u8> {
    case.image_of(content).into_bytes()
}

fn open(bytes: Vec<u8>) -> ectype_core::Result<Arc<dyn Opened>> {
    case(1).open(bytes)
}

fn findings(image: &dyn Opened) -> Findings {
    let mut findings = Findings::default();
    image.check(&mut findings).unwrap();
    findings
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn reads_as_what_was_put() {
    for (seed, size) in
        [(1, 5 << 20), (2, (3 << 20) + 513), (3, 100 << 10), (4, 1), (5, 0), (6, (9 << 20) - 1)]
    {
        model(&case(size), seed);
    }
}

#[test]
fn a_cut_at_any_write_is_survived() {
    crash(&case((9 << 20) + 1024), 3);
}

#[test]
fn hostile_bytes_are_survived() {
    let size = 3 * MIB + 700;
    let bytes = stored(&case(size), &sample(8, size));
    let table = bytes.len() as u64 - 8 - 4 * 8 - 9;
    hostile(&case(size), &bytes, &[Extent::new(0, 24), Extent::new(table, 49)]);
}

#[test]
fn the_same_input_makes_the_same_file() {
    let data = sample(9, 4 * MIB);
    assert!(stored(&case(4 * MIB), &data) == stored(&case(4 * MIB), &data));
}

#[test]
fn what_cannot_be_is_refused() {
    let plan = named("zst").unwrap().writing.as_ref().unwrap().plan;
    for (spec, kind) in [
        (Spec { level: Some(23), ..Spec::default() }, Kind::Refused),
        (Spec { level: Some(0), ..Spec::default() }, Kind::Refused),
        (Spec { compression: "zlib".into(), ..Spec::default() }, Kind::Refused),
        (Spec { compression: "none".into(), ..Spec::default() }, Kind::Refused),
        (Spec { block: 65_536, ..Spec::default() }, Kind::Refused),
        (Spec { parent: Some(Default::default()), ..Spec::default() }, Kind::Refused),
        (Spec { size: (1 << 47) + 1, ..Spec::default() }, Kind::Limit),
    ] {
        assert_eq!(plan(spec).unwrap_err().kind(), kind);
    }
    let (spec, longest) = plan(Spec { size: 1 << 47, ..Spec::default() }).unwrap();
    assert_eq!((spec.level, spec.block), (Some(1), MIB));
    assert!(longest > 1 << 47);
}

#[test]
fn the_longest_file_is_never_exceeded() {
    let data: Vec<u8> =
        (0..2 * MIB + 77).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    for level in [-50, 1, 3, 19] {
        let case = Case::new(
            named("zst").unwrap(),
            Spec { size: data.len() as u64, level: Some(level), ..Spec::default() },
        );
        let (_, longest) = (case.format.writing.as_ref().unwrap().plan)(case.spec.clone()).unwrap();
        let bytes = stored(&case, &data);
        assert!(bytes.len() as u64 <= longest);
        assert_same(&content(&open(bytes).unwrap()), &data, "incompressible");
    }
}

#[test]
fn out_of_order_is_an_error() {
    let case = case(4 * MIB);
    let mut image = case.create(MemoryDisk::new(0)).unwrap();
    assert_eq!(image.placement(), Placement::InOrder);
    image.put(0, &vec![7; MIB as usize]).unwrap();
    assert_eq!(image.put(0, &vec![7; MIB as usize]).unwrap_err().kind(), Kind::Changed);
    assert_eq!(image.zero(Extent::new(2 * MIB, MIB)).unwrap_err().kind(), Kind::Changed);
    image.zero(Extent::new(MIB, MIB)).unwrap();
}

#[test]
fn zstd_unpacks_it_byte_for_byte() {
    if !need::tools(&["zstd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img.zst");
    for (seed, size) in [(1, 200 * MIB + 513), (2, 70 * MIB), (3, 1), (4, 0)] {
        // A long run of zeros in the middle, longer than the longest frame of zeros.
        let mut data = sample(seed, size.min(6 * MIB));
        data.resize(size as usize, 0);
        if size > MIB {
            *data.last_mut().unwrap() = 1;
        }
        std::fs::write(&path, stored(&case(size), &data)).unwrap();
        assert_same(&run(need::command("zstd").arg("-dc").arg(&path)), &data, "zstd -d");
        run(need::command("zstd").arg("-t").arg(&path));
        let list = String::from_utf8(run(need::command("zstd").arg("-lv").arg(&path))).unwrap();
        assert!(size == 0 || list.contains("Check: XXH64"), "{list}");
        assert!(list.contains("Skippable Frames: 1"), "{list}");
        assert!(list.contains(&format!("({size} B)")), "{list}");
    }
}

#[test]
fn every_frame_is_alone_and_whole() {
    if !need::tools(&["zstd"]) {
        return;
    }
    let data = sample(11, 3 * MIB);
    let bytes = stored(&case(3 * MIB), &data);
    let table = &bytes[bytes.len() - 9 - 3 * 8..];
    let word = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap()) as usize;
    let folder = tempfile::tempdir().unwrap();
    let (mut stored_at, mut at) = (0, 0);
    for frame in 0..3 {
        let (compressed, decompressed) = (word(frame * 8), word(frame * 8 + 4));
        let path = folder.path().join("frame.zst");
        std::fs::write(&path, &bytes[stored_at..stored_at + compressed]).unwrap();
        let unpacked = run(need::command("zstd").arg("-dc").arg(&path));
        assert_same(&unpacked, &data[at..at + decompressed], "a frame by itself");
        (stored_at, at) = (stored_at + compressed, at + decompressed);
    }
    assert_eq!(at as u64, 3 * MIB);
}

/// What is known without reading: zeros are told, in one run.
#[test]
fn long_zeros_are_known() {
    let size = 3 << 40;
    let disk = Arc::new(MemoryDisk::new(0));
    let case = case(size);
    let mut image = case.create(Arc::clone(&disk)).unwrap();
    let data = sample(1, MIB);
    image.put(0, &data).unwrap();
    image.zero(Extent::between(MIB, size - MIB)).unwrap();
    image.put(size - MIB, &data).unwrap();
    image.finish().unwrap();
    drop(image);
    let disk = Arc::into_inner(disk).unwrap();
    // 128 KiB of zeros take four bytes: that is the least that zstd can.
    assert!(disk.size() < (size >> 15) * 11 / 10 + 3 * MIB, "{}", disk.size());
    let image = case.open(disk).unwrap();
    assert_eq!(image.size(), size);
    assert_eq!(image.content_at(0).unwrap(), (Content::Data, MIB));
    assert_eq!(image.content_at(MIB).unwrap(), (Content::Zero, size - MIB));
    assert_eq!(image.content_at(size / 2 + 5).unwrap(), (Content::Zero, size - MIB));
    assert_eq!(image.content_at(size - MIB).unwrap(), (Content::Data, size));
    assert_eq!(image.content_at(size).unwrap().1, size + 1);
    let mut seen = vec![1; 70_000];
    image.read_at(&mut seen, size - MIB - 35_000).unwrap();
    assert!(seen[..35_000].iter().all(|&byte| byte == 0) && seen[35_000..] == data[..35_000]);
    assert!(image.read_at(&mut seen, size - 1).is_err());
    let findings = findings(&*image);
    assert_eq!((findings.fault_count, findings.leaked), (0, 0));
}

#[test]
fn the_end_may_move_before_it_is_finished() {
    let (size, full) = (8 * MIB, sample(21, 8 * MIB));
    for end in [8 * MIB, 6 * MIB, 5 * MIB + 2048, 3 * MIB + 1, MIB, 0] {
        let case = case(size);
        let disk = Arc::new(MemoryDisk::new(0));
        let mut image = case.create(Arc::clone(&disk)).unwrap();
        let mut expected = full.clone();
        expected[2 * MIB as usize..4 * MIB as usize].fill(0);
        super::feed(&mut *image, &expected, Extent::new(0, size));
        image.checkpoint().unwrap();
        image.set_end(end).unwrap();
        expected.truncate(end as usize);
        assert_same(&content(&image), &expected, "before it is finished");
        image.finish().unwrap();
        drop(image);
        let opened = case.open(disk).unwrap();
        assert_same(&content(&opened), &expected, "the end moved");
        assert_eq!(findings(&*opened), Findings::default());
    }
}

#[test]
fn less_may_be_held_than_was_written() {
    let (size, mut data) = (200 * MIB, sample(22, 3 * MIB));
    data.resize(size as usize, 0);
    let case = case(size);
    // In the middle of a frame of zeros, of a piece, at its end, before all.
    for held in [100 * MIB + 4096, 2 * MIB + 4096, 2 * MIB, 0] {
        let disk = Arc::new(MemoryDisk::new(0));
        let mut image = case.create(Arc::clone(&disk)).unwrap();
        super::feed(&mut *image, &data, Extent::new(0, 150 * MIB));
        image.checkpoint().unwrap();
        drop(image);
        let extents: Extents = [Extent::new(0, held)].into_iter().collect();
        let mut image = case.resume(Arc::clone(&disk), &extents).unwrap();
        let mut seen = vec![1; 8 * MIB as usize];
        image.read_at(&mut seen, 0).unwrap();
        let known = (held as usize).min(seen.len());
        assert!(seen[..known] == data[..known] && seen[known..].iter().all(|&byte| byte == 0));
        super::feed(&mut *image, &data, Extent::between(held, size));
        image.finish().unwrap();
        drop(image);
        let opened = case.open(disk).unwrap();
        assert_same(&content(&opened), &data, "resumed");
        assert_eq!(findings(&*opened), Findings::default());
    }
    let holed: Extents = [Extent::new(MIB, MIB)].into_iter().collect();
    assert_eq!(case.resume(MemoryDisk::new(0), &holed).err().unwrap().kind(), Kind::Changed);
    let absent: Extents = [Extent::new(0, MIB)].into_iter().collect();
    assert_eq!(case.resume(MemoryDisk::new(0), &absent).err().unwrap().kind(), Kind::Corrupt);
}

#[test]
fn a_flipped_byte_of_content_is_found() {
    let data = sample(31, 3 * MIB);
    let bytes = stored(&case(3 * MIB), &data);
    for at in (10..bytes.len() - 50).step_by(bytes.len() / 23) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        let opened = open(flipped).unwrap();
        let mut all = vec![0; data.len()];
        let read = opened.read_at(&mut all, 0);
        assert!(read.is_err(), "at {at}");
        assert!(findings(&*opened).fault_count > 0, "at {at}");
    }
}

#[test]
fn a_table_that_lies_is_found() {
    let bytes = stored(&case(3 * MIB), &sample(32, 3 * MIB));
    let table = bytes.len() - 9 - 3 * 8;
    let patched = |at: usize, by: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = bytes[at].wrapping_add(by);
        bytes
    };
    // A reserved bit; a row's length; the count.
    assert_eq!(open(patched(bytes.len() - 5, 4)).err().unwrap().kind(), Kind::Unsupported);
    assert!(findings(&*open(patched(table + 4, 1)).unwrap()).fault_count > 0);
    assert_eq!(open(patched(bytes.len() - 9, 1)).err().unwrap().kind(), Kind::Corrupt);
    // Without the frames' sum it reaches into the table.
    assert_eq!(open(patched(table + 3, 1)).err().unwrap().kind(), Kind::Corrupt);
}

/// Files of `zstd` and `pzstd`: random access where every frame tells its length, else named.
#[test]
fn frames_of_others_without_a_table() {
    if !need::tools(&["zstd", "pzstd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = sample(41, 41 * MIB + 3);
    let raw = folder.path().join("raw");
    std::fs::write(&raw, &data).unwrap();
    // One frame of 41 MiB: longer than what is unpacked whole.
    let one = run(need::command("zstd").args(["-qc", "--check"]).arg(&raw));
    assert_eq!(probe(&one).unwrap().name, "zst");
    let opened = open(one.clone()).unwrap();
    assert_eq!(opened.facts().subformat, "frames");
    assert_same(&content(&opened), &data, "one frame");
    assert_eq!(findings(&*opened), Findings::default());
    at_random(&*opened, &data);
    // Several, one behind the other.
    let mut several = Vec::new();
    let mut at = 0;
    for len in [1, 3 * MIB, 0, 20 * MIB + 1, 100, 17 * MIB] {
        let part = &data[at..at + len as usize];
        at += part.len();
        std::fs::write(folder.path().join("part"), part).unwrap();
        several.extend(run(need::command("zstd").args(["-qc", "-3"]).arg(folder.path().join("part"))));
    }
    let opened = open(several).unwrap();
    assert_same(&content(&opened), &data[..at], "several frames");
    at_random(&*opened, &data[..at]);
    // From a pipe the length is not known: it is read as a stream.
    let piped = Command::new("sh")
        .arg("-c")
        .arg(format!("zstd -qc < /dev/null | cat; cat {} | zstd -qc", raw.display()))
        .output()
        .unwrap();
    let piped = open(piped.stdout).unwrap();
    assert_eq!(piped.facts().subformat, "stream");
    assert_same(&content(&piped), &data, "from a pipe");
    // pzstd: each frame behind a skippable one.
    let parallel = folder.path().join("p.zst");
    run(need::command("pzstd").args(["-q", "-p", "2", "-o"]).arg(&parallel).arg(&raw));
    let bytes = std::fs::read(&parallel).unwrap();
    assert_same(&content(&open(bytes.clone()).unwrap()), &data, "pzstd");
    assert_eq!(probe(&bytes).unwrap().name, "zst");
    // With a long window.
    let long = run(need::command("zstd").args(["-qc", "--long=27"]).arg(&raw));
    assert_same(&content(&open(long).unwrap()), &data, "a window of 128 MiB");
    // A cut file is no image.
    assert_eq!(open(one[..one.len() - 1].to_vec()).err().unwrap().kind(), Kind::Corrupt);
}

/// A frame that says that it holds nothing is never asked for a byte: it must not be taken at its word.
#[test]
fn a_frame_that_hides_its_content_is_not_passed_over() {
    if !need::tools(&["zstd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pack = |len: u64| {
        let part = folder.path().join("part");
        std::fs::write(&part, sample(43, len)).unwrap();
        run(need::command("zstd").args(["-qc"]).arg(part))
    };
    let hidden = |len: u64| {
        let mut frame = pack(len);
        let told = (len as u32).to_le_bytes();
        let place = frame.windows(4).position(|bytes| bytes == told).unwrap();
        frame[place..place + 4].fill(0);
        frame
    };
    let (plain, nothing, hidden) = (pack(MIB), pack(0), hidden(3 * MIB));
    for frames in [&[&hidden[..]][..], &[&plain, &hidden], &[&hidden, &plain], &[&plain, &nothing, &hidden]] {
        let error = open(frames.concat()).err().expect("it holds what it does not tell of");
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    }
    // Blocks of nothing hide nothing.
    let empty = |blocks: &[u8]| [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 0][..], blocks].concat();
    for blocks in [&[1, 0, 0][..], &[0, 0, 0, 1, 0, 0], &[2, 0, 0, 7, 3, 0, 0, 7]] {
        let frames = [&plain[..], &empty(blocks), &plain].concat();
        assert_eq!(open(frames).unwrap().size(), 2 * MIB, "{blocks:?}");
    }
}

/// Short reads here and there, backward too, from four threads at once.
fn at_random(opened: &dyn Opened, data: &[u8]) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let mut dice = crate::engine::Dice(thread + 100);
                for _ in 0..12 {
                    let at = dice.below(data.len() as u64) as usize;
                    let len = (1 + dice.below(300_000) as usize).min(data.len() - at);
                    let mut seen = vec![0; len];
                    opened.read_at(&mut seen, at as u64).unwrap();
                    assert!(seen == data[at..at + len], "at {at}");
                }
            });
        }
    });
}

/// A seek table with checksums, by hand: frames of `zstd` with a table that another writer would append.
#[test]
fn the_checksums_of_a_table_are_compared() {
    if !need::tools(&["zstd", "xxhsum"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = sample(51, 24 * MIB);
    let (mut bytes, mut rows) = (Vec::new(), Vec::new());
    for part in [&data[..MIB as usize], &data[MIB as usize..21 * MIB as usize], &data[21 * MIB as usize..]] {
        let path = folder.path().join("part");
        std::fs::write(&path, part).unwrap();
        let frame = run(need::command("zstd").args(["-qc", "--no-check"]).arg(&path));
        let sum = String::from_utf8(run(need::command("xxhsum").arg("-H64").arg(&path))).unwrap();
        let sum = u64::from_str_radix(sum.split_whitespace().next().unwrap(), 16).unwrap() as u32;
        rows.extend([frame.len() as u32, part.len() as u32, sum]);
        bytes.extend(frame);
    }
    let table = |rows: &[u32]| {
        let mut bytes = bytes.clone();
        bytes.extend(
            [0x184d_2a5e, rows.len() as u32 * 4 + 9].iter().flat_map(|word: &u32| word.to_le_bytes()),
        );
        bytes.extend(rows.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(3_u32.to_le_bytes());
        bytes.push(0x80);
        bytes.extend(0x8f92_eab1_u32.to_le_bytes());
        bytes
    };
    let opened = open(table(&rows)).unwrap();
    assert_same(&content(&opened), &data, "with checksums");
    assert_eq!(findings(&*opened), Findings::default());
    for wrong in [2, 5, 8] {
        let mut rows = rows.clone();
        rows[wrong] ^= 1;
        let opened = open(table(&rows)).unwrap();
        let mut all = vec![0; data.len()];
        assert!(opened.read_at(&mut all, 0).is_err());
        assert_eq!(findings(&*opened).fault_count, 1);
    }
}

/// The seekable format by another hand: the crate zeekstd, both ways.
#[test]
fn zeekstd_reads_and_writes_the_same() {
    use std::io::{Read, Write};
    let mut data = sample(61, 9 * MIB + 5);
    data.splice(5 * MIB as usize..5 * MIB as usize, vec![0; 70 * MIB as usize]);
    let ours = stored(&case(data.len() as u64), &data);
    let mut decoder = zeekstd::Decoder::new(std::io::Cursor::new(&ours)).unwrap();
    let mut all = Vec::new();
    decoder.read_to_end(&mut all).unwrap();
    assert_same(&all, &data, "read by zeekstd");
    let mut dice = crate::engine::Dice(3);
    for _ in 0..20 {
        let at = dice.below(data.len() as u64 - 70_000);
        decoder.set_offset_limit(data.len() as u64).unwrap();
        decoder.set_offset(at).unwrap();
        let mut seen = vec![0; 70_000];
        decoder.read_exact(&mut seen).unwrap();
        assert!(seen == data[at as usize..][..seen.len()], "at {at}");
    }
    for (frame, checksum) in [(3_000_000, true), (20 << 20, false), (1000, true)] {
        let options = zeekstd::EncodeOptions::new()
            .frame_size_policy(zeekstd::FrameSizePolicy::Uncompressed(frame))
            .checksum_flag(checksum);
        let len = data.len().min(frame as usize * 5000);
        let mut theirs = Vec::new();
        let mut encoder = options.into_encoder(&mut theirs).unwrap();
        encoder.write_all(&data[..len]).unwrap();
        encoder.finish().unwrap();
        let opened = open(theirs).unwrap();
        assert_eq!(opened.facts().subformat, "seekable");
        assert_same(&content(&opened), &data[..len], "written by zeekstd");
        at_random(&*opened, &data[..len]);
        assert_eq!(findings(&*opened), Findings::default());
    }
}
