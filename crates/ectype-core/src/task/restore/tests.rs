//! A target in memory that loses writes, refuses them, or dies, and an image that leaves things out.

use super::*;
use crate::extent::PIECE;
use crate::image::{Facts, Findings};
use crate::io::{Content, Geometry, WriteAt};
use crate::proof::tree;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const MIB: usize = PIECE as usize;
/// A failed read or write: ERROR_IO_DEVICE on Windows.
const EIO: i32 = if cfg!(windows) { 1117 } else { 5 };
/// A device that is gone: ERROR_DEVICE_NOT_CONNECTED on Windows.
const ENODEV: i32 = if cfg!(windows) { 1167 } else { 19 };

/// A device in memory.
struct Memory {
    bytes: Mutex<Vec<u8>>,
    sector: u32,
    /// Writes here are answered well and lost.
    lost: Extents,
    /// Writes here fail.
    bad: Extents,
    /// After so many writes it is gone.
    dies_after: u64,
    writes: AtomicU64,
    written: AtomicU64,
    discards: bool,
    /// A flush fails.
    unsure: bool,
    /// The watch that is stopped with the first write.
    stops: Option<Arc<Watch>>,
    /// It is stopped only when the target is read back.
    stops_late: bool,
}

impl Memory {
    fn new(size: usize, sector: u32) -> Memory {
        Memory {
            bytes: Mutex::new(vec![0xee; size]),
            sector,
            lost: Extents::new(),
            bad: Extents::new(),
            dies_after: u64::MAX,
            writes: AtomicU64::new(0),
            written: AtomicU64::new(0),
            discards: true,
            unsure: false,
            stops: None,
            stops_late: false,
        }
    }

    fn change(&self, at: Extent, change: impl FnOnce(&mut [u8])) -> io::Result<()> {
        if let Some(watch) = self.stops.as_ref().filter(|_| !self.stops_late) {
            watch.stop();
        }
        if self.writes.fetch_add(1, Ordering::Relaxed) >= self.dies_after {
            return Err(io::Error::from_raw_os_error(ENODEV));
        }
        if self.bad.touches(at) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.written.fetch_add(at.len, Ordering::Relaxed);
        if !self.lost.touches(at) {
            change(&mut self.bytes.lock().unwrap()[at.offset as usize..at.end() as usize]);
        }
        Ok(())
    }
}

impl ReadAt for Memory {
    fn size(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.bytes.lock().unwrap().read_at(buf, offset)
    }
}

impl WriteAt for Memory {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.change(Extent::new(offset, data.len() as u64), |bytes| bytes.copy_from_slice(data))
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        self.change(at, |bytes| bytes.fill(0))
    }

    fn flush(&self) -> io::Result<()> {
        if self.unsure { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
    }

    fn set_size(&self, _size: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn holds_holes(&self) -> bool {
        false
    }
}

impl Onto for Arc<Memory> {
    fn geometry(&self) -> Geometry {
        Geometry { size: self.size(), sector: self.sector, physical_sector: self.sector }
    }

    fn discard(&self, at: Extent) -> io::Result<bool> {
        if self.discards {
            self.change(at, |bytes| bytes.fill(0xdd))?;
        }
        Ok(self.discards)
    }

    fn alive(&self) -> Result<()> {
        Ok(())
    }

    fn forget(&self) {}

    fn source(&self) -> Result<Box<dyn Source>> {
        if let Some(watch) = self.stops.as_ref().filter(|_| self.stops_late) {
            watch.stop();
        }
        let bytes = self.bytes.lock().unwrap().clone();
        let size = bytes.len() as u64;
        let facts = Facts { sector: self.sector, ..Facts::default() };
        Ok(Box::new(ImageSource::new(Arc::new(Image { facts, ..Image::of(bytes) }), size)))
    }
}

/// An image in memory.
struct Image {
    bytes: Vec<u8>,
    known: Vec<(Content, Extent)>,
    /// What cannot be read.
    bad: Extents,
    facts: Facts,
}

impl Image {
    fn of(bytes: Vec<u8>) -> Image {
        let facts = Facts { format: "raw", sector: 512, ..Facts::default() };
        Image { bytes, known: Vec::new(), bad: Extents::new(), facts }
    }
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if self.bad.touches(Extent::new(offset, buf.len() as u64)) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.bytes.read_at(buf, offset)
    }

    fn content_at(&self, offset: u64) -> io::Result<(Content, u64)> {
        let here = self.known.iter().find(|(_, at)| at.contains(offset));
        let next = self.known.iter().map(|(_, at)| at.offset).filter(|&start| start > offset).min();
        Ok(match here {
            Some((content, at)) => (*content, at.end()),
            None => (Content::Data, next.unwrap_or(self.size())),
        })
    }
}

impl image::Opened for Image {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn check(&self, _findings: &mut Findings) -> Result<()> {
        Ok(())
    }
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn plan() -> Plan {
    Plan { verify: true, ..Plan::default() }
}

fn restore(image: Image, memory: &Arc<Memory>, plan: Plan, size: usize) -> Outcome {
    let subject = Subject {
        image: Arc::new(image),
        size: size as u64,
        unread: Extents::new(),
        recorded: None,
        around: None,
    };
    let own;
    let watch = match &memory.stops {
        Some(watch) => watch.as_ref(),
        None => {
            own = Watch::new();
            &own
        }
    };
    write(subject, Arc::new(Arc::clone(memory)), "the disk".into(), plan, Tuning::default(), watch)
}

fn one(offset: usize, len: usize) -> Extents {
    [Extent::new(offset as u64, len as u64)].into_iter().collect()
}

fn root(bytes: &[u8]) -> String {
    let mut tree = crate::proof::tree::TreeBuilder::new(bytes.len() as u64);
    bytes.chunks(MIB).for_each(|piece| tree.push(crate::proof::tree::leaf(piece)));
    tree.finish().root.to_string()
}

#[test]
fn all_is_written_proven_and_nothing_behind_it_touched() {
    // The content ends within a sector, and the image pads it.
    for (sector, size) in [(512, 3 * MIB + 100), (4096, 3 * MIB + 4096), (4096, 2 * MIB + 512), (512, 0)] {
        let mut bytes = noise(size);
        bytes.get_mut(MIB..2 * MIB).iter_mut().for_each(|piece| piece.fill(0));
        let mut padded = bytes.clone();
        padded.resize(size + 1000, 0x77);
        let memory = Arc::new(Memory::new(4 * MIB, sector));
        let outcome = restore(Image::of(padded), &memory, plan(), size);
        assert!(matches!(outcome.status, Ended::Whole), "{:?}", outcome.status);
        let held = memory.bytes.lock().unwrap();
        assert!(held[..size] == bytes && held[size..].iter().all(|&byte| byte == 0xee), "{size}");
        assert_eq!(outcome.read_back.unwrap().compared, size as u64);
        if size > 0 {
            assert_eq!(outcome.tree, Some(root(&bytes)));
        }
    }
}

#[test]
fn a_lost_write_is_found_to_the_sector() {
    let bytes = noise(3 * MIB);
    let mut memory = Memory::new(3 * MIB, 512);
    // Everything that touches it: a whole piece.
    memory.lost = one(MIB + 5 * 512, 512);
    let outcome = restore(Image::of(bytes), &Arc::new(memory), plan(), 3 * MIB);
    assert!(matches!(outcome.status, Ended::Differs));
    assert_eq!(outcome.read_back.unwrap().differences, one(MIB, MIB));
}

#[test]
fn lost_zeros_are_found_too() {
    let mut bytes = noise(3 * MIB);
    bytes[MIB..2 * MIB].fill(0);
    for known in [vec![], vec![(Content::Zero, Extent::new(PIECE, PIECE))]] {
        let mut memory = Memory::new(3 * MIB, 512);
        memory.lost = one(2 * MIB - 512, 512);
        let outcome =
            restore(Image { known, ..Image::of(bytes.clone()) }, &Arc::new(memory), plan(), 3 * MIB);
        assert_eq!(outcome.read_back.unwrap().differences, one(MIB, MIB));
    }
    // Without a look nothing is known.
    let mut memory = Memory::new(3 * MIB, 512);
    memory.lost = one(0, 512);
    let outcome = restore(Image::of(bytes), &Arc::new(memory), Plan::default(), 3 * MIB);
    assert!(matches!(outcome.status, Ended::Whole) && outcome.read_back.is_none() && outcome.tree.is_none());
}

#[test]
fn what_cannot_be_written_is_named_and_the_rest_is_written() {
    let bytes = noise(3 * MIB);
    let mut memory = Memory::new(3 * MIB, 512);
    memory.bad = one(MIB + 7 * 512, 3 * 512).union(&one(3 * MIB - 512, 512));
    let bad = memory.bad.clone();
    let memory = Arc::new(memory);
    let outcome = restore(Image::of(bytes.clone()), &memory, plan(), 3 * MIB);
    assert!(matches!(outcome.status, Ended::Differs), "{:?}", outcome.status);
    assert_eq!(outcome.unwritable, bad);
    assert_eq!(outcome.read_back.unwrap().differences, bad);
    assert_eq!(outcome.counts.written, 3 * PIECE - 4 * 512);
    let held = memory.bytes.lock().unwrap();
    assert!(
        held[..MIB] == bytes[..MIB]
            && held[MIB + 10 * 512..3 * MIB - 512] == bytes[MIB + 10 * 512..3 * MIB - 512]
    );
}

#[test]
fn a_disk_that_does_not_flush_is_not_believed() {
    let memory = Arc::new(Memory { unsure: true, ..Memory::new(2 * MIB, 512) });
    for verify in [true, false] {
        let outcome = restore(Image::of(noise(2 * MIB)), &memory, Plan { verify, ..plan() }, 2 * MIB);
        assert!(matches!(outcome.status, Ended::Differs));
        assert!(outcome.notes[0].contains("does not confirm"), "{:?}", outcome.notes);
        assert_eq!(outcome.read_back.is_some(), verify);
    }
}

#[test]
fn a_disk_that_takes_nothing_is_given_up() {
    let mut memory = Memory::new(64 * MIB, 512);
    memory.bad = one(0, 64 * MIB);
    let memory = Arc::new(memory);
    let outcome = restore(Image::of(noise(64 * MIB)), &memory, plan(), 64 * MIB);
    let Ended::Stopped(error) = &outcome.status else { panic!("{:?}", outcome.status) };
    assert!(error.to_string().contains("cannot be written"), "{error}");
    assert!(memory.writes.load(Ordering::Relaxed) < 50_000);
}

#[test]
fn a_target_that_vanishes_has_no_bad_sectors() {
    let mut memory = Memory::new(64 * MIB, 512);
    memory.dies_after = 5;
    let memory = Arc::new(memory);
    let outcome = restore(Image::of(noise(16 * MIB)), &memory, plan(), 16 * MIB);
    let Ended::Stopped(error) = &outcome.status else { panic!("{:?}", outcome.status) };
    assert_eq!(error.kind(), Kind::Gone);
    assert!(outcome.unwritable.is_empty());
    // What it was only asked to take does not count.
    assert_eq!(outcome.counts.written, memory.written.load(Ordering::Relaxed));
}

#[test]
fn a_wish_to_stop_ends_it_part_way() {
    let mut memory = Memory::new(64 * MIB, 512);
    memory.stops = Some(Arc::new(Watch::new()));
    let outcome = restore(Image::of(noise(64 * MIB)), &Arc::new(memory), plan(), 64 * MIB);
    let Ended::Stopped(error) = &outcome.status else { panic!("{:?}", outcome.status) };
    assert_eq!(error.kind(), Kind::Cancelled);
    assert!(outcome.counts.written < 64 * PIECE && outcome.read_back.is_none());
}

#[test]
fn only_what_differs_is_written() {
    for sector in [512, 4096] {
        let mut bytes = noise(5 * MIB);
        bytes[3 * MIB..4 * MIB].fill(0);
        let mut held = bytes.clone();
        held[100] ^= 1;
        held[2 * MIB - 1] ^= 1;
        held[3 * MIB + 70_000] = 1;
        let memory = Arc::new(Memory { bytes: Mutex::new(held), ..Memory::new(0, sector) });
        let outcome =
            restore(Image::of(bytes.clone()), &memory, Plan { changed_only: true, ..plan() }, 5 * MIB);
        assert!(matches!(outcome.status, Ended::Whole));
        assert!(*memory.bytes.lock().unwrap() == bytes);
        assert_eq!(outcome.counts.written, 2 * u64::from(sector));
        assert_eq!(outcome.counts.zeroed, PIECE);
        assert_eq!(memory.written.load(Ordering::Relaxed), PIECE + 2 * u64::from(sector));
        assert_eq!(outcome.counts.same, 4 * PIECE - 2 * u64::from(sector));
        // A second run finds nothing to do.
        let before = memory.writes.load(Ordering::Relaxed);
        let again = restore(Image::of(bytes), &memory, Plan { changed_only: true, ..plan() }, 5 * MIB);
        assert!(matches!(again.status, Ended::Whole));
        assert_eq!((memory.writes.load(Ordering::Relaxed), again.counts.same), (before, 5 * PIECE));
    }
}

#[test]
fn what_the_image_left_out_is_kept_or_not_as_was_asked() {
    let left = Extent::new(PIECE, 2 * PIECE);
    let mut bytes = noise(4 * MIB);
    bytes[MIB..3 * MIB].fill(0);
    for (unused, discards, byte, compared) in [
        (Unused::Keep, true, 0xee, 2 * PIECE),
        (Unused::Zero, true, 0, 4 * PIECE),
        (Unused::Discard, true, 0xdd, 2 * PIECE),
        (Unused::Discard, false, 0xee, 2 * PIECE),
    ] {
        let image = Image { known: vec![(Content::Unused, left)], ..Image::of(bytes.clone()) };
        let memory = Arc::new(Memory { discards, ..Memory::new(4 * MIB, 512) });
        let outcome = restore(image, &memory, Plan { unused, ..plan() }, 4 * MIB);
        assert!(matches!(outcome.status, Ended::Whole));
        let held = memory.bytes.lock().unwrap();
        assert!(held[MIB..3 * MIB].iter().all(|&held| held == byte), "{unused:?}");
        assert!(held[..MIB] == bytes[..MIB] && held[3 * MIB..] == bytes[3 * MIB..]);
        assert_eq!(outcome.read_back.unwrap().compared, compared);
        // As the image has it: the tree is that of its content.
        assert_eq!(outcome.tree, Some(root(&bytes)));
        assert_eq!(outcome.notes.is_empty(), discards);
    }
}

#[test]
fn what_the_image_does_not_give_becomes_zeros_and_is_told() {
    let bytes = noise(3 * MIB);
    let gap = one(MIB + 1024, 512);
    let memory = Arc::new(Memory::new(3 * MIB, 4096));
    let outcome = restore(Image { bad: gap.clone(), ..Image::of(bytes.clone()) }, &memory, plan(), 3 * MIB);
    assert!(matches!(outcome.status, Ended::Incomplete), "{:?} {:?}", outcome.status, outcome.read_back);
    assert_eq!(outcome.unreadable, gap);
    let mut expected = bytes;
    expected[MIB + 1024..MIB + 1536].fill(0);
    assert!(*memory.bytes.lock().unwrap() == expected);
}

#[test]
fn a_stop_tells_whether_everything_was_written_before() {
    // More than is read ahead and in flight together: a write that is slow to begin cannot let all pass before the stop.
    let bytes = noise(64 * MIB);
    for late in [false, true] {
        let mut memory = Memory::new(64 * MIB, 512);
        (memory.stops, memory.stops_late) = (Some(Arc::new(Watch::new())), late);
        let memory = Arc::new(memory);
        let outcome = restore(Image::of(bytes.clone()), &memory, plan(), 64 * MIB);
        let Ended::Stopped(error) = &outcome.status else { panic!("{:?}", outcome.status) };
        assert_eq!((error.kind(), outcome.is_written), (Kind::Cancelled, late));
        assert_eq!(*memory.bytes.lock().unwrap() == bytes, late);
    }
}

#[test]
fn an_image_that_is_not_what_its_record_says_is_told() {
    let bytes = noise(2 * MIB);
    let recorded = |hash: &str| Subject {
        image: Arc::new(Image::of(bytes.clone())),
        size: 2 * PIECE,
        unread: Extents::new(),
        recorded: Hash::parse(hash),
        around: None,
    };
    let run = |subject| {
        let memory = Arc::new(Arc::new(Memory::new(2 * MIB, 512)));
        write(subject, memory, "the disk".into(), plan(), Tuning::default(), &Watch::new())
    };
    assert!(matches!(run(recorded(&root(&bytes))).status, Ended::Whole));
    let other = run(recorded(&"ab".repeat(32)));
    assert!(matches!(other.status, Ended::Differs) && other.not_recorded);
}

/// The record is of the disk that the image is; what is written is the volume in it.
#[test]
fn a_volume_is_proven_by_the_record_of_all_around_it() {
    let behind = noise(16_896);
    // In whole pieces; in whole pieces with what lies behind; and with the edge between two pieces in the midst of that.
    for size in [2 * MIB, 2 * MIB + 4096, 3 * MIB - behind.len(), 3 * MIB - 4096, 512] {
        for tail_is_zeros in [false, true] {
            let mut volume = noise(size);
            if tail_is_zeros {
                volume[size.saturating_sub(MIB + MIB / 2)..].fill(0);
            }
            let table: Vec<u8> = noise(MIB).into_iter().rev().collect();
            for behind in [&behind[..], &[]] {
                let run = |behind: &[u8], table: &[u8]| {
                    let subject = Subject {
                        image: Arc::new(Image::of(volume.clone())),
                        size: size as u64,
                        unread: Extents::new(),
                        recorded: Hash::parse(&root(&[table, &volume[..], behind].concat())),
                        around: Some(Surroundings {
                            leaf: tree::leaf(&table[..MIB]),
                            behind: behind.to_vec(),
                        }),
                    };
                    let memory = Arc::new(Arc::new(Memory::new(size, 512)));
                    write(subject, memory, "the disk".into(), plan(), Tuning::default(), &Watch::new())
                };
                let outcome = run(behind, &table);
                assert!(matches!(outcome.status, Ended::Whole), "{size} {}: {outcome:?}", behind.len());
                assert_eq!(outcome.tree, Some(root(&volume)));
            }
            // Another byte behind it is another disk.
            let mut other = behind.clone();
            other[16_895] ^= 1;
            let subject = Subject {
                image: Arc::new(Image::of(volume.clone())),
                size: size as u64,
                unread: Extents::new(),
                recorded: Hash::parse(&root(&[&table, &volume[..], &behind].concat())),
                around: Some(Surroundings { leaf: tree::leaf(&table), behind: other }),
            };
            let memory = Arc::new(Arc::new(Memory::new(size, 512)));
            let outcome = write(subject, memory, "the disk".into(), plan(), Tuning::default(), &Watch::new());
            assert!(matches!(outcome.status, Ended::Differs) && outcome.not_recorded, "{size}");
        }
    }
}

#[test]
fn a_device_is_named_by_what_tells_it_from_others() {
    let named = |bus: &str, model: &str, serial: &str| target::names(&device(bus, model, serial));
    assert_eq!(named("ata", "Disk 9", "S1"), ["S1", "Disk 9"]);
    assert_eq!(named("usb", "Stick", ""), ["/dev/x", "Stick"]);
    assert_eq!(named("virtio", "", "S2"), ["S2"]);
    assert_eq!(named("loop", "/a/file", ""), ["/dev/x"]);
    // Every mirror is one.
    assert_eq!(named("md", "raid1", ""), ["/dev/x"]);
    assert_eq!(named("dm", "vg-root", ""), ["/dev/x", "vg-root"]);
}

fn device(bus: &str, model: &str, serial: &str) -> Device {
    Device {
        path: "/dev/x".into(),
        name: "x".into(),
        whole: None,
        medium: crate::os::Medium::Fixed,
        bus: bus.into(),
        model: model.into(),
        backing: None,
        serial: serial.into(),
        removable: false,
        rotational: false,
        read_only: false,
        system: false,
        size: 1 << 20,
        sector_size: 512,
        physical_sector_size: 512,
        diskseq: None,
        mounts: Vec::new(),
        holders: Vec::new(),
        parts: Vec::new(),
    }
}

#[test]
fn a_device_that_is_smaller_once_it_is_held_is_refused() {
    let device = device("usb", "Reader", "");
    target::refuse_too_small(&device, device.size, 1 << 20).unwrap();
    let error = target::refuse_too_small(&device, (1 << 20) - 512, 1 << 20).unwrap_err();
    assert!(error.to_string().contains("has 1048064 bytes, the image 1048576"), "{error}");
}
