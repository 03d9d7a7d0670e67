//! Logs that are to be replayed: made here entry by entry, and left behind by qemu.

use super::*;

const LOG: u64 = MIB;
const GUID: [u8; 16] = *b"the log's guid..";

/// What an entry writes.
enum Write {
    Data(u64, u8),
    Zero(u64, u64),
}

/// An entry of the log, its descriptors and data sectors.
fn entry(sequence: u64, tail: u32, writes: &[Write], sizes: (u64, u64)) -> Vec<u8> {
    let described = (64 + writes.len() * 32).next_multiple_of(4096);
    let data = writes.iter().filter(|write| matches!(write, Write::Data(..))).count();
    let mut bytes = vec![0; described + data * 4096];
    let len = bytes.len() as u32;
    bytes[..4].copy_from_slice(b"loge");
    bytes[8..12].copy_from_slice(&len.to_le_bytes());
    bytes[12..16].copy_from_slice(&tail.to_le_bytes());
    bytes[16..24].copy_from_slice(&sequence.to_le_bytes());
    bytes[24..28].copy_from_slice(&(writes.len() as u32).to_le_bytes());
    bytes[32..48].copy_from_slice(&GUID);
    bytes[48..56].copy_from_slice(&sizes.0.to_le_bytes());
    bytes[56..64].copy_from_slice(&sizes.1.to_le_bytes());
    let mut sector = described;
    for (index, write) in writes.iter().enumerate() {
        let at = 64 + index * 32;
        let (signature, offset) = match write {
            Write::Data(offset, _) => (b"desc", *offset),
            Write::Zero(offset, _) => (b"zero", *offset),
        };
        bytes[at..at + 4].copy_from_slice(signature);
        bytes[at + 16..at + 24].copy_from_slice(&offset.to_le_bytes());
        bytes[at + 24..at + 32].copy_from_slice(&sequence.to_le_bytes());
        match write {
            Write::Zero(_, len) => bytes[at + 8..at + 16].copy_from_slice(&len.to_le_bytes()),
            Write::Data(_, fill) => {
                bytes[at + 4..at + 16].fill(*fill);
                bytes[sector..sector + 4].copy_from_slice(b"data");
                bytes[sector + 4..sector + 8].copy_from_slice(&((sequence >> 32) as u32).to_le_bytes());
                bytes[sector + 8..sector + 4092].fill(*fill);
                bytes[sector + 4092..sector + 4096].copy_from_slice(&(sequence as u32).to_le_bytes());
                sector += 4096;
            }
        }
    }
    seal(&mut bytes);
    bytes
}

/// An image whose log is not empty, with entries at their places in the ring.
fn with_log(image: &[u8], entries: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = image.to_vec();
    for header in [64 << 10, 128 << 10] {
        bytes[header + 48..header + 64].copy_from_slice(&GUID);
        seal(&mut bytes[header..][..4096]);
    }
    for (at, entry) in entries {
        for (index, sector) in entry.chunks(4096).enumerate() {
            let place = LOG + (at + index as u64 * 4096) % MIB;
            bytes[place as usize..][..4096].copy_from_slice(sector);
        }
    }
    bytes
}

/// The bytes as a file with its log replayed by hand: `writes`, in their order.
fn by_hand(image: &[u8], writes: &[Write]) -> Vec<u8> {
    let mut bytes = image.to_vec();
    for write in writes {
        let (at, len, fill) = match write {
            Write::Data(at, fill) => (*at as usize, 4096, *fill),
            Write::Zero(at, len) => (*at as usize, *len as usize, 0),
        };
        bytes.resize(bytes.len().max((at + len).next_multiple_of(1 << 20)), 0);
        bytes[at..at + len].fill(fill);
    }
    bytes
}

/// What qemu makes of a copy of it: replayed, and converted.
fn by_qemu(bytes: &[u8]) -> Option<Vec<u8>> {
    need::tool("qemu-img").then(|| {
        let dir = tempfile::tempdir().unwrap();
        let (image, raw) = (dir.path().join("a.vhdx"), dir.path().join("a.raw"));
        std::fs::write(&image, bytes).unwrap();
        run("qemu-img", &["check", "-r", "all", "-f", "vhdx", text(&image)]);
        run("qemu-img", &["convert", "-f", "vhdx", "-O", "raw", text(&image), text(&raw)]);
        std::fs::read(raw).unwrap()
    })
}

#[test]
fn logs_are_replayed_in_memory() {
    let case = case(6 << 20, "dynamic", 1 << 20);
    let image = case.image_of(&sample(5, 6 << 20)).into_bytes();
    let size = image.len() as u64;
    let payload = 4 * MIB;
    let one = || vec![Write::Data(payload + 8192, 1), Write::Zero(payload + (64 << 10), 128 << 10)];
    let two = || vec![Write::Data(payload + (72 << 10), 2), Write::Zero(payload + MIB, 4096)];
    let three = || vec![Write::Data(payload + 2 * MIB, 3)];
    let many = || (0..150).map(|n| Write::Data(payload + (32 + n) * 4096, n as u8 + 1)).collect::<Vec<_>>();
    let all = |lists: &[Vec<Write>]| lists.concat_writes();
    let (a, b, c) = (
        entry(7, 0, &one(), (size, size)),
        entry(8, 0, &two(), (size, size)),
        entry(9, 0, &three(), (size, size)),
    );
    let [x, y] = [a.len() as u64, b.len() as u64];
    let ring = |at: u64, sequence, writes: &[Write]| entry(sequence, at as u32, writes, (size, size));
    let late = MIB - 4096;
    let mut torn = c.clone();
    torn[5000] ^= 1;
    type Case = (&'static str, Vec<(u64, Vec<u8>)>, Vec<Vec<Write>>);
    let cases: Vec<Case> = vec![
        ("one entry", vec![(0, a.clone())], vec![one()]),
        ("two", vec![(0, a.clone()), (x, b.clone())], vec![one(), two()]),
        ("many descriptors", vec![(0, entry(9, 0, &many(), (size, size)))], vec![many()]),
        ("three", vec![(0, a.clone()), (x, b.clone()), (x + y, c.clone())], vec![one(), two(), three()]),
        ("a torn third", vec![(0, a.clone()), (x, b.clone()), (x + y, torn)], vec![one(), two()]),
        (
            "a gap in the numbers",
            vec![(0, a.clone()), (x, entry(10, x as u32, &three(), (size, size)))],
            vec![three()],
        ),
        (
            "round the ring",
            vec![(late, ring(late, 1 << 33, &one())), ((late + x) % MIB, ring(late, (1 << 33) + 1, &two()))],
            vec![one(), two()],
        ),
        (
            "an old sequence behind",
            vec![(0, entry(20, 0, &two(), (size, size))), (512 << 10, ring(512 << 10, 3, &one()))],
            vec![two()],
        ),
        ("nothing whole", vec![(0, a[..4096].to_vec())], vec![]),
        (
            "a file that grows",
            vec![(0, entry(1, 0, &[Write::Data(size + MIB, 3)], (size, size + 2 * MIB)))],
            vec![vec![Write::Data(size + MIB, 3)]],
        ),
    ];
    for (name, entries, writes) in cases {
        let bytes = with_log(&image, &entries);
        let opened = case.open(bytes.clone()).unwrap();
        let expected = content(&case.open(by_hand(&image, &all(&writes))).unwrap());
        assert_same(&content(&opened), &expected, name);
        // qemu reads each sector of descriptors over the one before, asks no second entry for its number, and no last one
        // for its tail.
        let beyond_qemu = ["many descriptors", "a gap in the numbers", "round the ring"].contains(&name);
        if let Some(theirs) = (!beyond_qemu).then(|| by_qemu(&bytes)).flatten() {
            assert_same(&theirs, &expected, name);
        }
        let findings = checked(&*opened);
        assert_eq!(findings.notes.len(), 1, "{name}: {findings:?}");
    }
    // The tail says where the sequence begins: what lies before was written long ago.
    let bytes = with_log(&image, &[(0, a), (x, ring(x, 8, &two()))]);
    let expected = content(&case.open(by_hand(&image, &two())).unwrap());
    assert_same(&content(&case.open(bytes).unwrap()), &expected, "the tail");
}

trait Concat {
    fn concat_writes(self) -> Vec<Write>;
}

impl Concat for &[Vec<Write>] {
    fn concat_writes(self) -> Vec<Write> {
        let copy = |write: &Write| match write {
            Write::Data(at, fill) => Write::Data(*at, *fill),
            Write::Zero(at, len) => Write::Zero(*at, *len),
        };
        self.iter().flatten().map(copy).collect()
    }
}

#[test]
fn a_file_that_was_cut_is_told_from_its_log() {
    let case = case(2 << 20, "dynamic", 1 << 20);
    let image = case.image_of(&vec![1; 2 << 20]).into_bytes();
    let size = image.len() as u64;
    let bytes = with_log(&image, &[(0, entry(1, 0, &[Write::Data(4 * MIB, 3)], (size + MIB, size + MIB)))]);
    let error = case.open(bytes).err().unwrap();
    assert_eq!((error.kind(), error.offset()), (Kind::Corrupt, Some(MIB)));
}

#[test]
fn hostile_logs_are_survived() {
    let case = case(2 << 20, "dynamic", 1 << 20);
    let image = case.image_of(&vec![1; 2 << 20]).into_bytes();
    let size = image.len() as u64;
    let writes = [Write::Data(4 * MIB, 3), Write::Zero(4 * MIB + 4096, 4096)];
    let bytes = with_log(&image, &[(0, entry(1, 0, &writes, (size, size)))]);
    for at in (0..128).chain(4096..4110).chain(8184..8192) {
        for flip in [0xff, 1, 0x80] {
            let mut bytes = bytes.clone();
            let entry = MIB as usize;
            bytes[entry + at] ^= flip;
            // Also with a checksum that is right.
            for sealed in [false, true] {
                if sealed {
                    seal(&mut bytes[entry..][..8192]);
                }
                let Ok(opened) = case.open(bytes.clone()) else { continue };
                let _ = opened.check(&mut Findings::default());
                let len = opened.size().min(4 << 20) as usize;
                let _ = opened.read_at(&mut vec![0; len], 0);
            }
        }
    }
    // A ring full of entries, each its own number; and all of the same.
    for step in [0, 1] {
        let entries: Vec<_> =
            (0..256).map(|n| (n * 4096, entry(1 + n * step, 0, &[], (size, size)))).collect();
        let _ = case.open(with_log(&image, &entries)).map(|opened| content(&opened));
    }
}

#[test]
fn what_qemu_leaves_behind_is_replayed() {
    if !need::tools(&["qemu-img", "qemu-io"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("a.vhdx");
    for writes in
        [&["write -P 9 20M 64k"][..], &["write -P 1 0 3M", "write -P 9 20M 5M"], &["write -P 8 8M 30M"]]
    {
        let _ = std::fs::remove_file(&image);
        written_by_qemu(&image, "subformat=dynamic,block_size=1M,log_size=1M");
        // The log is written, and then the BAT cannot be: as if it were killed in between. qemu puts the BAT behind
        // the log, at 2 MiB; each block has its sector there.
        let mut left = false;
        for sector in [4096, 4097] {
            let file = format!(
                r#"json:{{"driver":"vhdx","file":{{"driver":"blkdebug","image":{{"driver":"file","filename":"{}"}},
                "inject-error":[{{"event":"none","iotype":"write","errno":5,"sector":{sector}}}]}}}}"#,
                text(&image)
            );
            let mut command = Command::new(need::find("qemu-io").unwrap());
            writes.iter().for_each(|write| {
                command.args(["-c", write]);
            });
            let _ = command.arg(&file).output().unwrap();
            let bytes = std::fs::read(&image).unwrap();
            let opened = open_file(&image);
            let replayed =
                opened.facts().more.iter().any(|(key, value)| *key == "log_entries_replayed" && *value == 1);
            left |= replayed;
            assert_same(&content(&opened), &by_qemu(&bytes).unwrap(), "as qemu replays it");
            checked(&*opened);
            assert_eq!(std::fs::read(&image).unwrap(), bytes, "the input is never written to");
            if replayed {
                break;
            }
        }
        assert!(left, "{writes:?} left no log");
    }
}
