//! Damage: what is survived, what is named, and what is no VHD at all.

use super::*;
use ectype_core::io::WriteAt;

/// Damage that is survived: each row is what is done to a whole image, and what a check says of it.
#[test]
fn damage_that_is_survived() {
    let original = sample(31, 5 << 20);
    for subformat in ["dynamic", "fixed"] {
        let case = case(5 << 20, subformat);
        let whole = case.image_of(&original).into_bytes();
        let end = whole.len() - 512;
        let sparse = subformat == "dynamic";
        type Damage = fn(&mut Vec<u8>);
        let rows: &[(&str, bool, Damage, &str)] = &[
            ("no footer at the end", true, |bytes| bytes.truncate(bytes.len() - 512), "is missing"),
            ("511 bytes of it", false, |bytes| bytes.truncate(bytes.len() - 1), "511 bytes"),
            ("a flipped bit in it", true, |bytes| *bytes.last_mut().unwrap() ^= 1, "checksum"),
            ("a flipped bit in the copy", true, |bytes| bytes[100] ^= 1, "checksum"),
            (
                "a flipped bit in both",
                true,
                |bytes| {
                    bytes[100] ^= 1;
                    *bytes.last_mut().unwrap() ^= 1;
                },
                "checksum",
            ),
            ("no copy", true, |bytes| bytes[..512].fill(0), "is missing"),
            (
                "a saved state",
                false,
                |bytes| {
                    let end = bytes.len() - 512;
                    bytes[end + 84] = 1;
                    bytes[end + 67] -= 1;
                },
                "saved state",
            ),
        ];
        assert_eq!(check(&*case.open(whole.clone()).unwrap()), Findings::default());
        assert!(whole[end..].starts_with(b"conectix"));
        for (what, only_sparse, damage, said) in rows.iter().filter(|row| sparse || !row.1) {
            let mut bytes = whole.clone();
            damage(&mut bytes);
            assert_eq!(probe(&bytes).map(|format| format.name), Some("vhd"), "{what} {only_sparse}");
            let opened = case.open(bytes).unwrap();
            assert_same(&content(&opened), &original, what);
            let findings = check(&*opened);
            let all = format!("{:?} {:?}", findings.faults, findings.notes);
            assert!(all.contains(said), "{what}: {all}");
        }
    }
}

/// A disk is no VHD because it ends or begins nearly like one.
#[test]
fn raw_disks_are_not_mistaken() {
    let fixed = case(5 << 20, "fixed");
    let whole = fixed.image_of(&sample(1, 5 << 20)).into_bytes();
    let name = |bytes: &[u8]| probe(&bytes.to_vec()).map(|format| format.name);
    assert_eq!(name(&whole), Some("vhd"));
    let end = whole.len() - 512;
    assert_eq!(name(&whole[..end]), None);
    assert_eq!(name(&whole[1 << 20..]), None, "shorter than it says");
    let mut flipped = whole.clone();
    flipped[end + 20] ^= 1;
    assert_eq!(name(&flipped), None, "the checksum is wrong");
    assert_eq!(name(b"conectix"), None);
    assert_eq!(name(&[]), None);
    // A fixed disk whose content begins like a dynamic image is a fixed disk.
    let dynamic = case(1 << 20, "dynamic").image_of(&sample(2, 1 << 20)).into_bytes();
    let mut inner = dynamic.clone();
    inner.resize(5 << 20, 0);
    let opened = fixed.open(fixed.image_of(&inner)).unwrap();
    assert_eq!(opened.facts().subformat, "fixed");
    assert_same(&content(&opened), &inner, "the disk in the disk");
}

/// The table is at byte 1536.
fn first_entry(stored: &[u8]) -> u32 {
    u32::from_be_bytes(stored[1536..1540].try_into().unwrap())
}

fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// Faults of the table: named, and never content of another place.
#[test]
fn a_wrong_table_is_named() {
    let original = sample(41, 9 << 20);
    let case = case(9 << 20, "dynamic");
    let whole = case.image_of(&original).into_bytes();
    let first = first_entry(&whole);
    for (entry, said) in [
        (0, "over the structures at byte 0"),
        (2, "over the structures at byte 512"),
        (0x7fff_ffff, "the file ends at byte"),
        (0xffff_fffe, "the file ends at byte"),
    ] {
        let mut bytes = whole.clone();
        put_u32(&mut bytes, 1540, entry);
        let opened = case.open(bytes).unwrap();
        let mut buffer = vec![0; 4096];
        let error = opened.read_at(&mut buffer, 3 << 20).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(said) && error.to_string().contains("1540"), "{error}");
        opened.read_at(&mut buffer, 1 << 20).unwrap();
        let findings = check(&*opened);
        assert!(findings.faults.iter().any(|(at, what)| *at == 1540 && what.contains(said)), "{findings:?}");
    }
    let mut bytes = whole.clone();
    put_u32(&mut bytes, 1540, first + 1);
    let findings = check(&*case.open(bytes).unwrap());
    assert!(findings.faults.iter().any(|(_, what)| what.contains("lies over block 0")), "{findings:?}");
    assert!(findings.leaked > 1 << 20, "{findings:?}");
    // A table that ends short: what it has is read, what it lacks is named.
    let mut bytes = whole;
    put_u32(&mut bytes, 512 + 28, 3);
    let opened = case.open(bytes).unwrap();
    let mut buffer = vec![0; 1 << 20];
    opened.read_at(&mut buffer, 5 << 20).unwrap();
    assert_same(&buffer, &original[5 << 20..6 << 20], "the last block of the short table");
    let error = opened.read_at(&mut buffer, 6 << 20).unwrap_err();
    assert!(error.to_string().contains("ends after 3 entries"), "{error}");
    assert!(check(&*opened).faults.iter().any(|(_, what)| what.contains("3 entries")));
}

/// Of a dynamic image too a clear bit means that nothing was written; a check tells when there is something.
/// A file that was cut within its last block, and got a footer there, as from a tool that mends it.
#[test]
fn a_block_under_the_footer_is_named() {
    let case = case(4 << 20, "dynamic");
    let mut bytes = case.image_of(&vec![7; 4 << 20]).into_bytes();
    let end = bytes.len() - 512;
    // Between the block and the footer are 3584 bytes, up to a page.
    bytes.copy_within(end.., end - 4096);
    bytes.truncate(end - 4096 + 512);
    let findings = check(&*case.open(bytes).unwrap());
    assert!(findings.fault_count == 1 && findings.faults[0].1.contains("footer"), "{findings:?}");
}

#[test]
fn bits_of_a_dynamic_image() {
    let case = case(4 << 20, "dynamic");
    let mut original = vec![5; 4 << 20];
    let mut bytes = case.image_of(&original).into_bytes();
    let bitmap = first_entry(&bytes) as usize * 512;
    bytes[bitmap + 1] = 0x0f;
    let opened = case.open(bytes).unwrap();
    original[8 * 512..12 * 512].fill(0);
    assert_same(&content(&opened), &original, "bits");
    let findings = check(&*opened);
    assert_eq!(findings.faults.len(), 1);
    assert!(
        findings.faults[0].0 == (bitmap + 512 + 8 * 512) as u64
            && findings.faults[0].1.contains("never written")
    );
}

/// A table that is longer than what is kept in memory: blocks of one sector.
#[test]
fn a_long_table_is_looked_through_in_parts() {
    let case = case(4 << 20, "dynamic");
    let whole = case.image_of(&[]).into_bytes();
    let entries: u32 = 5 << 20;
    let disk = MemoryDisk::new(0);
    let mut head = whole[..1536].to_vec();
    head[48..56].copy_from_slice(&(u64::from(entries) * 512).to_be_bytes());
    put_u32(&mut head, 512 + 28, entries);
    put_u32(&mut head, 512 + 32, 512);
    disk.write_at(&head, 0).unwrap();
    disk.write_at(&vec![0xff; 4 * entries as usize], 1536).unwrap();
    let at = (1536 + 4 * u64::from(entries)).next_multiple_of(512);
    let last = 4_900_000_u64;
    disk.write_at(&((at / 512) as u32).to_be_bytes(), 1536 + 4 * last).unwrap();
    disk.write_at(&[[0xff; 512], [6; 512]].concat(), at).unwrap();
    let opened = case.open(disk).unwrap();
    assert_eq!(opened.content_at(5).unwrap(), (Content::Zero, last * 512));
    assert_eq!(opened.content_at(last * 512).unwrap(), (Content::Data, (last + 1) * 512));
    let mut buffer = [0; 1024];
    opened.read_at(&mut buffer, last * 512 - 512).unwrap();
    assert_eq!((buffer[511], buffer[512], buffer[1023]), (0, 6, 6));
    assert!(check(&*opened).notes.iter().any(|note| note.contains("at a time")));
}
