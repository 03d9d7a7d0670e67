//! Headers made by hand, flipped, cut and on bad sectors.

use super::*;

/// A volume whose sector at `bad` cannot be read.
struct Sick {
    bytes: Vec<u8>,
    bad: u64,
}

impl ReadAt for Sick {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset < self.bad + 2048 && offset + buf.len() as u64 > self.bad {
            return Err(io::Error::other("medium error"));
        }
        self.bytes.read_at(buf, offset)
    }
}

fn put(volume: &mut [u8], at: usize, bytes: &[u8]) {
    volume[at..at + bytes.len()].copy_from_slice(bytes);
}

/// An ISO 9660 primary descriptor of 40 blocks, and its terminator.
fn iso() -> Vec<u8> {
    let mut volume = vec![0; 64 << 10 << 1];
    put(&mut volume, 32768, b"\x01CD001\x01");
    put(&mut volume, 32768 + 40, b"LABEL                           ");
    put(&mut volume, 32768 + 80, &[40, 0, 0, 0, 0, 0, 0, 40]);
    put(&mut volume, 32768 + 128, &[0, 8, 8, 0]);
    put(&mut volume, 32768 + 156, &[34, 0, 30, 0, 0, 0]);
    put(&mut volume, 32768 + 830, b"2026112219031700\0");
    put(&mut volume, 34816, b"\xffCD001\x01");
    volume
}

/// One of each header that needs little more than its magic, each on a volume of its own.
fn headers() -> Vec<(&'static str, Vec<u8>)> {
    let blank = || vec![0u8; 128 << 10];
    let mut all = vec![("iso9660", iso())];
    let mut add = |kind, parts: &[(usize, &[u8])]| {
        let mut volume = blank();
        parts.iter().for_each(|&(at, bytes)| put(&mut volume, at, bytes));
        all.push((kind, volume));
    };
    add("crypto_LUKS", &[(0, b"LUKS\xba\xbe\0\x02")]);
    add("xfs", &[(0, b"XFSB\0\0\x10\0"), (102, &[2, 0])]);
    add("ext2", &[(1024 + 4, &[64, 0, 0, 0]), (1024 + 56, &[0x53, 0xef])]);
    add("ntfs", &[(3, b"NTFS    \0\x02\x08"), (40, &[200]), (48, &[4]), (64, &[0xf6])]);
    add("exfat", &[(3, b"EXFAT   "), (72, &[200]), (88, &[20]), (92, &[9]), (96, &[2]), (108, &[9, 1, 1])]);
    add("apfs", &[(24, &[1]), (32, b"NXSB\0\x10\0\0\x20")]);
    add("f2fs", &[(1024, &[0x10, 0x20, 0xf5, 0xf2]), (1024 + 16, &[12])]);
    add("btrfs", &[(65536 + 48, &[0, 0, 1]), (65536 + 64, b"_BHRfS_M")]);
    add("swap", &[(4086, b"SWAPSPACE2"), (1024, &[1, 0, 0, 0, 9])]);
    add("squashfs", &[(0, b"hsqs"), (28, &[4]), (40, &[99])]);
    add("hfsplus", &[(1024, b"H+\0\x04"), (1024 + 40, &[0, 0, 16, 0, 0, 0, 0, 8])]);
    add("hfs", &[(1024, b"BD"), (1024 + 18, &[0, 9, 0, 0, 2, 0]), (1024 + 36, b"\x03abc")]);
    add("LVM2_member", &[(512, b"LABELONE\x01"), (512 + 20, &[32]), (512 + 24, b"LVM2 001")]);
    let boot = [0xeb, 0x3c, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 0, 2, 16, 0, 200, 0, 0xf8, 1, 0];
    add("vfat", &[(0, &boot), (510, &[0x55, 0xaa])]);
    let go = [&boot[..3], b"MSWIN4.1", &boot[11..]].concat();
    let metadata =
        [&b"-FVE-FS-"[..], &[0; 104], &[16, 0, 7, 0, 2, 0, 0, 0, b'a', 0, b'b', 0, 0, 0, 0, 0]].concat();
    for guid in ntfs::BITLOCKER_GUIDS {
        let after = [&guid[..], &[0, 0, 1]].concat();
        add("BitLocker", &[(0, &go), (424, &after), (510, &[0x55, 0xaa]), (65536, &metadata)]);
        add("BitLocker", &[(3, b"-FVE-FS-"), (160, &after), (65536, &metadata)]);
    }
    all
}

#[test]
fn bitlocker_to_go_is_known_behind_its_pose() {
    let boot = |(_, volume): (_, Vec<u8>)| volume[..512].to_vec();
    let of = |kind| headers().into_iter().filter(move |header| header.0 == kind);
    assert_eq!(of("BitLocker").filter(|header| is_bitlocker(&header.1)).count(), 4);
    for (_, volume) in of("BitLocker") {
        let [facts] = &identify(&volume).unwrap()[..] else {
            panic!("the FAT before it is none of the volume's")
        };
        assert_eq!(facts.label, "ab", "its metadata is found behind either header");
    }
    // A FAT alone is none, and neither is one whose identifier is another by a bit.
    let mut plain = of("vfat").map(boot).next().unwrap();
    assert!(!is_bitlocker(&plain) && !is_bitlocker(&[]));
    plain[424..440].copy_from_slice(&ntfs::BITLOCKER_GUIDS[0]);
    assert!(is_bitlocker(&plain) && !is_bitlocker(&plain[..440]));
    plain[439] ^= 1;
    assert!(!is_bitlocker(&plain));
}

#[test]
fn an_iso_tells_its_label_date_and_end() {
    let facts = identify(&iso()).unwrap();
    let [facts] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((facts.label.as_str(), facts.uuid.as_str()), ("LABEL", "2026-11-22-19-03-17-00"));
    assert_eq!(facts.size, Some(40 * 2048));
}

#[test]
fn every_header_is_known() {
    for (kind, volume) in headers() {
        let facts = identify(&volume).unwrap();
        assert_eq!(facts.iter().map(|facts| facts.kind).collect::<Vec<_>>(), [kind]);
    }
}

#[test]
fn no_flip_and_no_cut_panics() {
    for (kind, mut volume) in headers() {
        // A header's bytes: all within the first 2 KiB, but for these two.
        let base = match kind {
            "iso9660" => 32768,
            "btrfs" => 65536,
            _ => 0,
        };
        for at in base..base + 2048 {
            for flip in [0x01, 0x80, 0xff] {
                volume[at] ^= flip;
                let _ = survey(&volume);
                volume[at] ^= flip;
            }
        }
        for cut in (0..volume.len()).step_by(512) {
            let _ = survey(&volume[..cut].to_vec());
        }
    }
}

#[test]
fn a_bad_sector_hides_only_what_lies_on_it() {
    let sick = Sick { bytes: iso(), bad: 0 };
    let survey = survey(&sick);
    assert_eq!(survey.facts[0].kind, "iso9660");
    assert!(survey.unreadable.iter().any(|(kind, _)| *kind == "ntfs"));
    assert!(identify(&sick).is_ok());
    assert!(identify(&Sick { bytes: iso(), bad: 32768 }).is_err());
    assert!(identify(&Vec::new()).unwrap().is_empty());
}
