//! Replies as a 64-bit Windows lays them out, by the C structures of mingw-w64's headers, which know nothing of this program.

/// The bytes that hexadecimal digits stand for; blanks are passed over, and `..N` is N zeros.
pub(in crate::os::nt) fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        match word.strip_prefix("..") {
            Some(zeros) => bytes.resize(bytes.len() + zeros.parse::<usize>().unwrap(), 0),
            None => {
                let digit = |at: usize| u8::from_str_radix(&word[at..at + 2], 16).unwrap();
                bytes.extend((0..word.len()).step_by(2).map(digit));
            }
        }
    }
    bytes
}

/// GET_LENGTH_INFORMATION of 31 457 280 000 bytes.
pub(in crate::os::nt) const LENGTH: &str = "0000005307000000";

/// DISK_GEOMETRY_EX of a removable medium of the same size, with the room for detection data behind it.
pub(in crate::os::nt) const GEOMETRY: &str =
    "f00e0000000000000b000000ff000000 3f000000000200000000005307 ..67";

/// VOLUME_DISK_EXTENTS of a volume that spans disks 1 and 2.
pub(in crate::os::nt) const EXTENTS: &str =
    "020000000000000001 ..9 1000000000000060c0707400000002 ..9 100100000000007697cf01000000";

/// STORAGE_DEVICE_NUMBER of the first optical drive.
pub(in crate::os::nt) const CDROM_NUMBER: &str = "0200000000000000ffffffff";

/// STORAGE_DEVICE_NUMBER of partition 2 of disk 3.
pub(in crate::os::nt) const DISK_NUMBER: &str = "070000000300000002000000";

/// STORAGE_DEVICE_DESCRIPTOR of a USB stick, with 36 bytes of INQUIRY data before its strings.
pub(in crate::os::nt) const DESCRIPTOR: &str = "\
    280000007c0000000000010048000000 51000000620000006700000007000000 24 ..39 \
    53616e4469736b2000556c7472612055 534220332e3020202000312e30300034 43353330303031323330373139313135 \
    33363500";

/// STORAGE_DEVICE_DESCRIPTOR of a SATA disk: no vendor, a serial number padded on the left.
pub(in crate::os::nt) const SATA: &str = "\
    2800000050 ..11 28000000000000003b0000000b ..11 535434303030444d3030342d32435631 \
    3034002020202020202020202020205a 464e314132423300";

/// STORAGE_ACCESS_ALIGNMENT_DESCRIPTOR of a disk with 512-byte sectors in physical ones of 4096.
pub(in crate::os::nt) const ALIGNMENT: &str = "1c0000001c ..12 0200000010000000000000";

/// DEVICE_SEEK_PENALTY_DESCRIPTOR of a disk that turns.
pub(in crate::os::nt) const SEEK_PENALTY: &str = "0c0000000c00000001000000";

/// DRIVE_LAYOUT_INFORMATION_EX of an MBR: a primary partition, the extended one, a logical one, an empty row.
pub(in crate::os::nt) const LAYOUT: &str = "\
    0000000004000000efbeadde ..46 10000000000000004006000000000100 0000000000000701 ..120 \
    50060000000000000040 ..12 05 ..121 60060000000000000020000000000200 0000000000000b ..255";

/// STORAGE_READ_CAPACITY of 244 190 646 sectors of 4096 bytes.
pub(in crate::os::nt) const CAPACITY: &str =
    "20000000200000000010000000000000 b60d8e0e000000000060dbe0e8000000";

/// CDROM_TOC of a mixed disc: data, audio, audio; addresses in minutes, seconds and frames.
pub(in crate::os::nt) const TOC_MSF: &str =
    "00220103001401000000020000100200 000008000010030000000a000010aa00 00000c00";

/// The same with addresses in sectors.
pub(in crate::os::nt) const TOC_LBA: &str =
    "00220103001401000000000000100200 000001c200100300000002580010aa00 000002ee";

/// CDROM_TOC_SESSION_DATA: the second session begins at sector 11 550.
pub(in crate::os::nt) const SESSION: &str = "000a01020014020000002d1e";

/// CDROM_READ_TOC_EX that asks for the sessions.
pub(in crate::os::nt) const TOC_EX_SESSION: &str = "01010000";
