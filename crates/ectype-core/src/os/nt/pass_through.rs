//! SCSI_PASS_THROUGH_DIRECT as a 64-bit Windows lays it out, with the sense data behind it.
//!
//! ```text
//!   0 length (2)  status  path  target  lun  cdb length  sense length │ 8 direction │ 12 data length (4)
//!   16 seconds (4) │ 24 data's address (8) │ 32 place of the sense data (4) │ 36 cdb (16) │ 56 sense data
//! ```

use super::replies::u32_at;
use crate::os::control::ScsiReply;
use std::time::Duration;

const HEADER: usize = 56;
/// More than this some systems refuse.
const SENSE: usize = 18;
/// The structure and the sense data.
pub(in crate::os) const LEN: usize = (HEADER + SENSE).next_multiple_of(8);

/// The request that gives a drive a command, which fills `len` bytes at `address`.
pub(in crate::os) fn request(cdb: &[u8], address: u64, len: u32, patience: Duration) -> [u8; LEN] {
    const FROM_DEVICE: u8 = 1;
    const NOTHING: u8 = 2;
    let mut bytes = [0; LEN];
    bytes[0] = HEADER as u8;
    bytes[6] = cdb.len().min(16) as u8;
    bytes[7] = SENSE as u8;
    bytes[8] = if len == 0 { NOTHING } else { FROM_DEVICE };
    bytes[12..16].copy_from_slice(&len.to_le_bytes());
    let seconds = u32::try_from(patience.as_secs()).unwrap_or(u32::MAX).max(1);
    bytes[16..20].copy_from_slice(&seconds.to_le_bytes());
    bytes[24..32].copy_from_slice(&address.to_le_bytes());
    bytes[32..36].copy_from_slice(&(HEADER as u32).to_le_bytes());
    for (place, byte) in bytes[36..52].iter_mut().zip(cdb) {
        *place = *byte;
    }
    bytes
}

/// What came back for a command that was to fill `len` bytes.
pub(in crate::os) fn reply(bytes: &[u8; LEN], len: u32) -> ScsiReply {
    let status = bytes[2];
    let sense = &bytes[HEADER..HEADER + SENSE.min(bytes[7].into())];
    let moved = u32_at(bytes, 12).unwrap_or(0);
    ScsiReply {
        status,
        sense: if status == 0 { Vec::new() } else { sense.to_vec() },
        residual: len.saturating_sub(moved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_laid_out_as_windows_does() {
        let cdb = [0x25, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        let bytes = request(&cdb, 0x1122_3344_5566_7788, 8, Duration::from_secs(60));
        assert_eq!(bytes[..9], [56, 0, 0, 0, 0, 0, 10, 18, 1]);
        assert_eq!(
            (u32_at(&bytes, 12), u32_at(&bytes, 16), u32_at(&bytes, 32)),
            (Some(8), Some(60), Some(56))
        );
        assert_eq!(bytes[24..32], 0x1122_3344_5566_7788_u64.to_le_bytes());
        assert_eq!(bytes[36..46], cdb);
        assert_eq!(request(&cdb, 0, 0, Duration::ZERO)[8], 2);
    }

    #[test]
    fn the_reply_has_status_sense_and_what_is_missing() {
        let mut bytes = request(&[0x28], 0, 2048, Duration::ZERO);
        assert_eq!(reply(&bytes, 2048), ScsiReply::default());
        bytes[2] = 2;
        bytes[12..16].copy_from_slice(&512u32.to_le_bytes());
        bytes[56..59].copy_from_slice(&[0x70, 0, 3]);
        let told = reply(&bytes, 2048);
        assert_eq!((told.status, told.residual, &told.sense[..3]), (2, 1536, &[0x70, 0, 3][..]));
        // Lengths that lie.
        bytes[7] = 255;
        bytes[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!((reply(&bytes, 2048).sense.len(), reply(&bytes, 2048).residual), (18, 0));
    }
}
