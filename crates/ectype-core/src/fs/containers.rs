//! What holds another volume: LUKS, LVM physical volumes, Linux software RAID members.
//!
//! ```text
//! LUKS   byte 0 header: magic, version │ keyslots │ ciphertext
//! LVM2   one of sectors 0..4: LABELONE │ PV header, text metadata │ extents
//! md     1.1 byte 0 │ 1.2 byte 4096 │ 1.0 8 to 12 KiB before the end │ 0.90 the last whole 64 KiB
//! ```
//!
//! LUKS1 on-disk format 1.2.3 §2.3, LUKS2 on-disk format 1.1 §2.1; lvm2 `lib/format_text/layout.h` as documented in
//! libvslvm; Linux `include/uapi/linux/raid/md_p.h`.

use super::{Facts, read, text};
use crate::io::ReadAt;
use std::io;
use zerocopy::byteorder::{BigEndian, LittleEndian, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Luks {
    magic: [u8; 6],
    version: U16<BigEndian>,
    _hdr_size_seqid: [u8; 16],
    label: [u8; 48],
    _checksum_salt: [u8; 96],
    uuid: [u8; 40],
}
const _: () = assert!(std::mem::offset_of!(Luks, uuid) == 168);

pub(super) fn luks(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let Some(header) = read::<Luks>(volume, 0)? else { return Ok(None) };
    let version = header.version.get();
    if &header.magic != b"LUKS\xba\xbe" || !matches!(version, 1 | 2) {
        return Ok(None);
    }
    Ok(Some(Facts {
        kind: "crypto_LUKS",
        // Version 1 has the cipher's name in that place.
        label: if version == 2 { text::padded(&header.label) } else { String::new() },
        uuid: text::padded(&header.uuid),
        size: None,
        note: vec![format!("LUKS{version}")],
    }))
}

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct LvmLabel {
    id: [u8; 8],
    sector: U64<LittleEndian>,
    _crc: U32<LittleEndian>,
    offset: U32<LittleEndian>,
    kind: [u8; 8],
}

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct PvHeader {
    pv_uuid: [u8; 32],
    device_size: U64<LittleEndian>,
}

pub(super) fn lvm2(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    for sector in 0..4 {
        let Some(label) = read::<LvmLabel>(volume, sector * 512)? else { return Ok(None) };
        if &label.id != b"LABELONE" || &label.kind != b"LVM2 001" || label.sector.get() != sector {
            continue;
        }
        let offset = u64::from(label.offset.get());
        if offset > 512 {
            continue;
        }
        let Some(pv) = read::<PvHeader>(volume, sector * 512 + offset)? else { return Ok(None) };
        let id = String::from_utf8_lossy(&pv.pv_uuid).into_owned();
        let uuid = match id.is_ascii() {
            true => [&id[..6], &id[6..10], &id[10..14], &id[14..18], &id[18..22], &id[22..26], &id[26..]]
                .join("-"),
            false => String::new(),
        };
        let size = Some(pv.device_size.get()).filter(|&size| size != 0);
        return Ok(Some(Facts { kind: "LVM2_member", uuid, size, ..Facts::default() }));
    }
    Ok(None)
}

const MD_MAGIC: u32 = 0xa92b_4efc;

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Md1 {
    magic: U32<LittleEndian>,
    major_version: U32<LittleEndian>,
    _feature_map_pad: [u8; 8],
    set_uuid: [u8; 16],
    set_name: [u8; 32],
    _level_and_more: [u8; 64],
    data_offset: U64<LittleEndian>,
    data_size: U64<LittleEndian>,
    super_offset: U64<LittleEndian>,
}
const _: () = assert!(std::mem::offset_of!(Md1, data_offset) == 128);

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Md0 {
    magic: U32<LittleEndian>,
    major_version: U32<LittleEndian>,
    minor_version: U32<LittleEndian>,
    _patch_gvalid: [u8; 8],
    set_uuid0: U32<LittleEndian>,
    _creation: [u8; 28],
    set_uuid: [U32<LittleEndian>; 3],
}
const _: () = assert!(std::mem::offset_of!(Md0, set_uuid) == 52);

pub(super) fn md(volume: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let sectors = volume.size() / 512;
    let version_1_0 = sectors.checked_sub(16).map(|at| (at & !7) * 512);
    for (at, minor) in [(Some(0), 1), (Some(4096), 2), (version_1_0, 0)] {
        let Some(at) = at else { continue };
        let Some(superblock) = read::<Md1>(volume, at)? else { continue };
        let here = superblock.magic.get() == MD_MAGIC
            && superblock.major_version.get() == 1
            && superblock.super_offset.get() == at / 512;
        if here {
            let end = superblock.data_offset.get().checked_add(superblock.data_size.get());
            // Version 1.0 has its superblock behind the data.
            let end = end.map(|end| if minor == 0 { end.max(at / 512 + 8) } else { end });
            return Ok(Some(Facts {
                kind: "linux_raid_member",
                label: text::padded(&superblock.set_name),
                uuid: text::uuid(&superblock.set_uuid),
                size: end.and_then(|end| end.checked_mul(512)),
                note: vec![format!("md 1.{minor}")],
            }));
        }
    }
    let Some(at) = (volume.size() & !0xffff).checked_sub(0x10000) else { return Ok(None) };
    let Some(superblock) = read::<Md0>(volume, at)? else { return Ok(None) };
    if superblock.magic.get() != MD_MAGIC || superblock.major_version.get() != 0 {
        return Ok(None);
    }
    let words =
        [superblock.set_uuid0, superblock.set_uuid[0], superblock.set_uuid[1], superblock.set_uuid[2]];
    let mut id = [0; 16];
    for (part, word) in id.chunks_exact_mut(4).zip(words) {
        part.copy_from_slice(&word.get().to_be_bytes());
    }
    Ok(Some(Facts {
        kind: "linux_raid_member",
        label: String::new(),
        uuid: text::uuid(&id),
        size: at.checked_add(0x10000),
        note: vec![format!("md 0.{}", superblock.minor_version)],
    }))
}
