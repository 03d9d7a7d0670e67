//! Tables made by hand, damaged in every way that a disk is.

use super::*;
use ectype_testkit::need::{self, LoopDevice, Mounted};
use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;

const SECTOR: usize = 512;

fn mbr(entries: &[(u8, u8, u32, u32)]) -> Vec<u8> {
    let mut sector = vec![0; SECTOR];
    sector[440..444].copy_from_slice(&0x1234_5678u32.to_le_bytes());
    for (index, &(boot, kind, start, len)) in entries.iter().enumerate() {
        let entry = &mut sector[446 + 16 * index..][..16];
        entry[0] = boot;
        entry[4] = kind;
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..].copy_from_slice(&len.to_le_bytes());
    }
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn put(disk: &mut [u8], lba: usize, bytes: &[u8]) {
    disk[lba * SECTOR..][..bytes.len()].copy_from_slice(bytes);
}

/// 128 sectors, one partition from 40 to 79, and both tables.
fn gpt_disk() -> Vec<u8> {
    let mut disk = vec![0; 128 * SECTOR];
    put(&mut disk, 0, &mbr(&[(0, 0xee, 1, 127)]));
    let mut entries = vec![0; 4 * 128];
    entries[..16].copy_from_slice(&[7; 16]);
    entries[16..32].copy_from_slice(&[9; 16]);
    entries[32..40].copy_from_slice(&40u64.to_le_bytes());
    entries[40..48].copy_from_slice(&79u64.to_le_bytes());
    entries[56..60].copy_from_slice(&[b'h', 0, b'i', 0]);
    for (lba, other, table) in [(1u64, 127u64, 2u64), (127, 1, 126)] {
        let mut header = vec![0; 92];
        header[..8].copy_from_slice(b"EFI PART");
        header[12..16].copy_from_slice(&92u32.to_le_bytes());
        header[24..32].copy_from_slice(&lba.to_le_bytes());
        header[32..40].copy_from_slice(&other.to_le_bytes());
        header[56..72].copy_from_slice(&[5; 16]);
        header[72..80].copy_from_slice(&table.to_le_bytes());
        header[80..84].copy_from_slice(&4u32.to_le_bytes());
        header[84..88].copy_from_slice(&128u32.to_le_bytes());
        header[88..].copy_from_slice(&gpt::crc32(&entries).to_le_bytes());
        let crc = gpt::crc32(&header).to_le_bytes();
        header[16..20].copy_from_slice(&crc);
        put(&mut disk, lba as usize, &header);
        put(&mut disk, table as usize, &entries);
    }
    disk
}

#[test]
fn the_crc_is_the_published_one() {
    assert_eq!(gpt::crc32(b"123456789"), 0xcbf4_3926);
}

#[test]
fn a_whole_gpt_needs_no_notes() {
    let table = scan(&gpt_disk(), 512).unwrap().unwrap();
    assert_eq!((table.scheme, table.notes.len()), ("gpt", 0), "{:?}", table.notes);
    assert_eq!(table.partitions[0].extent, Extent::new(40 * 512, 40 * 512));
    assert_eq!(table.partitions[0].name, "hi");
}

#[test]
fn on_a_larger_disk_the_backup_moves_to_the_end() {
    let disk = gpt_disk();
    for larger in [129, 160, 161, 200, 5000] {
        let mut target = disk.clone();
        target.resize(larger * SECTOR, 0);
        assert!(!scan(&target, 512).unwrap().unwrap().notes.is_empty());
        let parts = gpt::moved(&disk, 512, (larger * SECTOR) as u64).unwrap();
        for (offset, bytes) in &parts {
            target[*offset as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        let table = scan(&target, 512).unwrap().unwrap();
        assert_eq!((table.partitions.len(), &table.notes[..]), (1, &[][..]), "{larger}");
        assert_eq!(table.partitions[0].extent, Extent::new(40 * 512, 40 * 512));
        // Either copy alone will do, and of the old backup nothing is left.
        for lba in [1, larger - 1] {
            let mut hurt = target.clone();
            hurt[lba * SECTOR] ^= 1;
            assert_eq!(scan(&hurt, 512).unwrap().unwrap().partitions, table.partitions);
        }
        assert!(!target[127 * SECTOR..].starts_with(b"EFI PART") || larger == 128);
        let protects = u32::from_le_bytes(target[446 + 12..][..4].try_into().unwrap());
        assert_eq!(protects as usize, larger - 1);
    }
    // A damaged table is not spread.
    let mut hurt = gpt_disk();
    hurt[2 * SECTOR] ^= 1;
    assert!(gpt::moved(&hurt, 512, 200 * 512).is_err());
}

#[test]
fn any_damage_to_one_copy_leaves_the_partitions() {
    let whole = scan(&gpt_disk(), 512).unwrap().unwrap();
    for at in (512..2 * 512 + 512).chain(126 * 512..128 * 512) {
        let mut disk = gpt_disk();
        disk[at] ^= 0xff;
        let table = scan(&disk, 512).unwrap().unwrap();
        assert_eq!(table.partitions, whole.partitions, "byte {at}");
        let covered = [512, 2 * 512].into_iter().zip([92, 512]).any(|(s, n)| (s..s + n).contains(&at));
        assert!(!covered || !table.notes.is_empty(), "byte {at}");
    }
}

#[test]
fn a_given_sector_size_is_not_believed_over_the_table() {
    let table = scan(&gpt_disk(), 4096).unwrap().unwrap();
    assert_eq!(table.sector_size, 512);
    assert!(table.notes.iter().any(|note| note.contains("512 bytes, not 4096")));
}

#[test]
fn logical_partitions_and_a_chain_that_bites_its_tail() {
    let mut disk = vec![0; 256 * SECTOR];
    put(&mut disk, 0, &mbr(&[(0x80, 0x83, 1, 9), (0, 5, 10, 200)]));
    put(&mut disk, 10, &mbr(&[(0, 0x83, 2, 20), (0, 5, 40, 30)]));
    put(&mut disk, 50, &mbr(&[(0, 0x82, 2, 20)]));
    let table = scan(&disk, 512).unwrap().unwrap();
    let numbers: Vec<_> = table.partitions.iter().map(|p| (p.number, p.extent.offset / 512)).collect();
    assert_eq!(numbers, [(1, 1), (2, 10), (5, 12), (6, 52)]);
    assert!(table.notes.is_empty(), "{:?}", table.notes);

    put(&mut disk, 50, &mbr(&[(0, 0x82, 2, 20), (0, 5, 40, 30)]));
    let table = scan(&disk, 512).unwrap().unwrap();
    assert!(table.notes.iter().any(|note| note.contains("circle")));
}

#[test]
fn a_table_around_a_volume_is_known_again_and_nothing_else_is() {
    let part = Extent::new(1 << 20, 9 << 20);
    for (unit, kind) in [(512, "ext4"), (512, "ntfs"), (4096, ""), (512, "swap")] {
        let mut start = vec![0; 1 << 20];
        start[..512].copy_from_slice(&mbr::around(part, unit, kind, *b"sign").unwrap());
        assert!(mbr::is_around(&start, part, unit));
        assert!(!mbr::is_around(&start, Extent::new(part.offset, part.len - 4096), unit));
        // Code, an active or a second partition, or anything behind the table: a disk of its own.
        for at in [0, 446, 447, 466, 511, 512, (1 << 20) - 1] {
            let mut other = start.clone();
            other[at] ^= 0x80;
            assert!(!mbr::is_around(&other, part, unit), "{at}");
        }
        start[450] = 0;
        assert!(!mbr::is_around(&start, part, unit));
        assert!(!mbr::is_around(&start[..511], part, unit));
    }
}

/// A disk that is never in memory as a whole: bytes here and there, zeros elsewhere.
struct Sparse {
    size: u64,
    parts: Vec<(u64, Vec<u8>)>,
}

impl ReadAt for Sparse {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        buf.fill(0);
        for (index, byte) in buf.iter_mut().enumerate() {
            let at = offset + index as u64;
            let part =
                self.parts.iter().find(|(start, part)| (*start..start + part.len() as u64).contains(&at));
            part.inspect(|(start, part)| *byte = part[(at - start) as usize]);
        }
        Ok(())
    }
}

#[test]
fn where_an_mbr_ends_a_gpt_begins() {
    let mib = 1_u64 << 20;
    let seed = std::array::from_fn(|index| index as u8 * 7 + 1);
    for (unit, reach) in [(512_u32, 2_u64 << 40), (4096, 16 << 40)] {
        let sector = u64::from(unit);
        // 32 bits of sectors, the last of which no table names.
        let most = reach - mib - sector;
        for (len, scheme) in [(9 * mib, "mbr"), (most, "mbr"), (most + sector, "gpt"), (30 << 40, "gpt")] {
            let part = Extent::new(mib, len);
            let made = around::around(part, unit, "ext4", &seed).unwrap();
            assert_eq!((made.scheme, made.end.is_empty()), (scheme, scheme == "mbr"), "{unit} {len}");
            let size = part.end() + made.end.len() as u64;
            let mut start = made.start.clone();
            start.resize(mib as usize, 0);
            assert_eq!(around::behind(&start, part, unit).as_ref(), Some(&made.end));
            let disk = Sparse { size, parts: vec![(0, made.start), (part.end(), made.end)] };
            let table = scan(&disk, unit).unwrap().unwrap();
            assert_eq!((table.scheme, table.sector_size, &table.notes[..]), (scheme, unit, &[][..]));
            assert_eq!(table.partitions.len(), 1);
            assert_eq!(table.partitions[0].extent, part);
            // The same volume gets the same.
            assert_eq!(around::around(part, unit, "ext4", &seed).unwrap().end, disk.parts[1].1);
        }
    }
    // Not in whole sectors, and of no sectors that there are.
    for (len, unit) in [((3 << 40) + 512, 4096), (3 << 40, 520), (520 << 20, 520), (0, 512)] {
        assert!(around::around(Extent::new(mib, len), unit, "", &seed).is_none(), "{len} {unit}");
    }
}

#[test]
fn a_gpt_around_a_volume_is_known_again_and_nothing_else_is() {
    let part = Extent::new(1 << 20, 9 << 20);
    let types = [
        ("ntfs", "Microsoft basic data"),
        ("vfat", "Microsoft basic data"),
        ("BitLocker", "Microsoft basic data"),
        ("xfs", "Linux file system"),
        ("", "Linux file system"),
        ("swap", "Linux swap"),
        ("LVM2_member", "Linux LVM"),
        ("linux_raid_member", "Linux RAID"),
        ("hfsplus", "Apple HFS"),
        ("apfs", "Apple APFS"),
    ];
    for unit in [512, 4096] {
        for (kind, name) in types {
            let (mut start, end) = gpt::around(part, unit, kind, [7; 16], [9; 16]).unwrap();
            start.resize(1 << 20, 0);
            assert!(gpt::is_behind(end.len() as u64) && !gpt::is_behind(end.len() as u64 - 1));
            let is_around =
                |start: &[u8], part| gpt::behind(start, part, unit).is_some_and(|made| made == end);
            assert!(is_around(&start, part));
            let disk = Sparse {
                size: part.end() + end.len() as u64,
                parts: vec![(0, start.clone()), (part.end(), end.clone())],
            };
            assert_eq!(scan(&disk, unit).unwrap().unwrap().partitions[0].type_name, name);
            for other in
                [Extent::new(part.offset, part.len - 4096), Extent::new(part.offset + 4096, part.len)]
            {
                assert!(!is_around(&start, other));
            }
            assert!(!is_around(&start[..600], part));
            // Code, an active partition, a second one, a name, attributes, a damaged copy, anything behind: a disk of its own.
            let sector = unit as usize;
            let places = [0, 440, 446, 447, 462, 511, sector, sector + 16, sector + 91, sector + 92];
            let entries = [2 * sector + 32, 2 * sector + 48, 2 * sector + 56, 2 * sector + 128];
            for at in places.into_iter().chain(entries).chain([2 * sector + 16384, (1 << 20) - 1]) {
                let mut other = start.clone();
                other[at] ^= 0x80;
                assert!(!is_around(&other, part), "{at}");
            }
        }
    }
}

/// Small enough to be mounted, and all that is made is judged by those who make such tables.
#[test]
fn what_lies_around_a_volume_others_take() {
    let tools = ["sgdisk", "sfdisk", "partx", "mkfs.ext4"];
    if !(need::loop_devices() && need::tools(&tools) && need::filesystem("ext4")) {
        return;
    }
    let run = |tool: &str, args: &[&OsStr]| {
        let output = need::command(tool).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{tool}: {said}");
        said
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    let part = Extent::new(1 << 20, 9 << 20);
    let volume = dir.path().join("volume");
    File::create(&volume).unwrap().set_len(part.len).unwrap();
    run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), "-b".as_ref(), "4096".as_ref(), volume.as_os_str()]);
    for unit in [512_u32, 4096] {
        let seed = std::array::from_fn(|index| index as u8 ^ 0xc3);
        let mbr = around::around(part, unit, "ext4", &seed).unwrap();
        let (start, end) =
            gpt::around(part, unit, "ext4", *b"the disk's own .", *b"the partition's!").unwrap();
        for (label, start, end) in [("dos", mbr.start, mbr.end), ("gpt", start, end)] {
            let mut disk = start;
            disk.resize(part.offset as usize, 0);
            disk.extend(std::fs::read(&volume).unwrap());
            disk.extend(end);
            std::fs::write(&path, disk).unwrap();
            let device = LoopDevice::attach(&path, &["--partscan", "-b", &unit.to_string()]).unwrap();
            let node = device.path().as_os_str();
            let said = run("sfdisk", &["--verify".as_ref(), node]);
            assert!(said.contains("No errors detected"), "{unit} {label}: {said}");
            if label == "gpt" {
                let said = run("sgdisk", &["-v".as_ref(), node]);
                assert!(said.contains("No problems found"), "{unit}: {said}");
                assert!(!said.contains("Caution") && !said.contains("Warning"), "{unit}: {said}");
            }
            let json: serde_json::Value =
                serde_json::from_str(&run("sfdisk", &["--json".as_ref(), node])).unwrap();
            let table = &json["partitiontable"];
            let found = &table["partitions"][0];
            assert_eq!((&table["label"], &table["sectorsize"]), (&label.into(), &unit.into()), "{json}");
            assert_eq!(found["start"], part.offset / u64::from(unit), "{json}");
            assert_eq!(found["size"], part.len / u64::from(unit), "{json}");
            run("partx", &["--update".as_ref(), node]);
            let found = PathBuf::from(format!("{}p1", device.path().display()));
            let mounted = Mounted::mount(&found, &dir.path().join("there"), &["-o", "ro"]).unwrap();
            assert!(mounted.path().join("lost+found").is_dir(), "{unit} {label}");
        }
    }
}

#[test]
fn a_volume_is_not_a_table() {
    let mut fat = vec![0u8; SECTOR];
    fat[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
    fat[11..14].copy_from_slice(&[0, 2, 4]);
    fat[21] = 0xf8;
    fat[446..500].fill(b'x');
    fat[510..].copy_from_slice(&[0x55, 0xaa]);
    assert_eq!(scan(&fat, 512).unwrap(), None);
    assert_eq!(scan(&vec![0u8; 4096], 512).unwrap(), None);
}

#[test]
fn a_partition_beyond_the_end_and_an_overlap_are_told() {
    let mut disk = vec![0; 64 * SECTOR];
    put(&mut disk, 0, &mbr(&[(0, 0x0c, 1, 10), (0, 0x83, 5, 1000)]));
    let notes = scan(&disk, 512).unwrap().unwrap().notes;
    assert!(notes.iter().any(|n| n.contains("beyond")) && notes.iter().any(|n| n.contains("overlap")));
}

#[test]
fn no_flip_and_no_cut_panics() {
    let mut disk = gpt_disk();
    for at in (0..3 * 512).chain(125 * 512..128 * 512) {
        for flip in [0x01, 0x80, 0xff] {
            disk[at] ^= flip;
            let _ = scan(&disk, 512);
            disk[at] ^= flip;
        }
    }
    for sectors in 0..128 {
        let _ = scan(&disk[..sectors * SECTOR].to_vec(), 512);
    }
}
