//! The structures that requests answer, read from their bytes: little-endian, laid out as a 64-bit Windows does.
//!
//! A driver wrote them, perhaps one with a fault, about a device that may lie: lengths, counts and offsets are checked.

/// The two bytes at `at`.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// A LARGE_INTEGER that counts bytes: one below zero is none.
fn bytes_at(bytes: &[u8], at: usize) -> Option<u64> {
    u64_at(bytes, at).filter(|&number| i64::try_from(number).is_ok())
}

/// A sector that a device can have.
fn sector(bytes: u32) -> Option<u32> {
    (bytes.is_power_of_two() && (256..=1 << 20).contains(&bytes)).then_some(bytes)
}

/// GET_LENGTH_INFORMATION.
pub(in crate::os) fn length(reply: &[u8]) -> Option<u64> {
    bytes_at(reply, 0)
}

/// What DISK_GEOMETRY_EX tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::os) struct DiskGeometry {
    /// The logical sector in bytes; none where it makes no sense, as the 2352 bytes that some drives tell.
    pub(in crate::os) sector: Option<u32>,
    /// The size in bytes; none where only DISK_GEOMETRY came, whose cylinders are a fiction.
    pub(in crate::os) size: Option<u64>,
    /// Whether MEDIA_TYPE says that the medium is taken out: all kinds but FixedMedia (12) and Unknown (0).
    pub(in crate::os) removable: bool,
}

/// DISK_GEOMETRY_EX, or the DISK_GEOMETRY that it begins with.
pub(in crate::os) fn geometry(reply: &[u8]) -> Option<DiskGeometry> {
    const UNKNOWN: u32 = 0;
    const FIXED: u32 = 12;
    let media = u32_at(reply, 8)?;
    Some(DiskGeometry {
        sector: sector(u32_at(reply, 20)?),
        size: bytes_at(reply, 24),
        removable: !matches!(media, UNKNOWN | FIXED),
    })
}

/// STORAGE_READ_CAPACITY: the sector and the size in bytes.
pub(in crate::os) fn capacity(reply: &[u8]) -> Option<(u32, u64)> {
    let (sector, blocks) = (sector(u32_at(reply, 8)?)?, bytes_at(reply, 16)?);
    Some((sector, blocks.checked_mul(sector.into())?))
}

/// READ CAPACITY(10) of SCSI, big-endian: the sector and the size in bytes.
pub(in crate::os) fn scsi_capacity(reply: [u8; 8]) -> Option<(u32, u64)> {
    let [a, b, c, d, e, f, g, h] = reply;
    // Drives that tell the 2340 or 2352 bytes of a raw CD sector give 2048 all the same.
    let sector = match u32::from_be_bytes([e, f, g, h]) {
        0 | 2336 | 2340 | 2352 => 2048,
        told => sector(told)?,
    };
    Some((sector, (u64::from(u32::from_be_bytes([a, b, c, d])) + 1) * u64::from(sector)))
}

/// STORAGE_DEVICE_NUMBER: within a type of devices, numbers say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::os) struct DeviceNumber {
    /// Whether it is an optical drive: those are numbered apart from disks.
    pub(in crate::os) optical: bool,
    /// Whether it is a disk.
    pub(in crate::os) disk: bool,
    /// Its number.
    pub(in crate::os) number: u32,
    /// The partition, where it is one.
    pub(in crate::os) partition: Option<u32>,
}

/// STORAGE_DEVICE_NUMBER.
pub(in crate::os) fn device_number(reply: &[u8]) -> Option<DeviceNumber> {
    const CD_ROM: u32 = 2;
    const DISK: u32 = 7;
    const DVD: u32 = 0x33;
    let kind = u32_at(reply, 0)?;
    Some(DeviceNumber {
        optical: matches!(kind, CD_ROM | DVD),
        disk: kind == DISK,
        number: u32_at(reply, 4)?,
        partition: Some(u32_at(reply, 8)?).filter(|&number| number != u32::MAX && number != 0),
    })
}

/// A DISK_EXTENT: a part of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::os) struct DiskExtent {
    /// The number of the disk.
    pub(in crate::os) disk: u32,
    /// Its first byte on the disk.
    pub(in crate::os) offset: u64,
    /// Its length in bytes.
    pub(in crate::os) len: u64,
}

/// VOLUME_DISK_EXTENTS; `None` where the reply contradicts itself.
pub(in crate::os) fn extents(reply: &[u8]) -> Option<Vec<DiskExtent>> {
    const HEADER: usize = 8;
    const ENTRY: usize = 24;
    let count = usize::try_from(u32_at(reply, 0)?).ok()?;
    let list = reply.get(HEADER..).unwrap_or(&[]);
    if count > list.len() / ENTRY {
        return None;
    }
    let entry = |entry: &[u8]| {
        let (offset, len) = (bytes_at(entry, 8)?, bytes_at(entry, 16)?);
        offset.checked_add(len)?;
        Some(DiskExtent { disk: u32_at(entry, 0)?, offset, len })
    };
    list.chunks_exact(ENTRY).take(count).map(entry).collect()
}

/// What STORAGE_DEVICE_DESCRIPTOR tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::os) struct Descriptor {
    /// Vendor and product, fit to be shown.
    pub(in crate::os) model: String,
    /// The serial number, fit to be shown.
    pub(in crate::os) serial: String,
    /// Whether the medium is taken out.
    pub(in crate::os) removable: bool,
    /// How it is attached, as [`crate::os::Device::bus`] names it; empty when unknown.
    pub(in crate::os) bus: &'static str,
    /// Whether it is an optical drive by its SCSI type.
    pub(in crate::os) optical: bool,
    /// A card, which is taken out although its slot says no.
    pub(in crate::os) card: bool,
}

/// STORAGE_DEVICE_DESCRIPTOR. A string that lies outside of the reply is none.
pub(in crate::os) fn descriptor(reply: &[u8]) -> Option<Descriptor> {
    const SCSI_CD: u8 = 5;
    const SD: u32 = 12;
    let text = |at: usize| {
        // Offsets count from the start; 0 and -1 mean that there is none.
        let offset = usize::try_from(u32_at(reply, at)?).ok().filter(|&offset| offset >= 36)?;
        let rest = reply.get(offset..)?;
        let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
        Some(clean(&String::from_utf8_lossy(&rest[..end])))
    };
    let (vendor, product) = (text(12).unwrap_or_default(), text(16).unwrap_or_default());
    let bus = u32_at(reply, 28)?;
    // ATA drives have the vendor "ATA", or none.
    let model = match (vendor.as_str(), product.as_str()) {
        ("" | "ATA", _) => product,
        (_, "") => vendor,
        _ if product.starts_with(&vendor) => product,
        _ => format!("{vendor} {product}"),
    };
    Some(Descriptor {
        model,
        serial: text(24).unwrap_or_default(),
        removable: *reply.get(10)? != 0,
        bus: bus_name(bus),
        optical: *reply.get(8)? == SCSI_CD,
        card: bus == SD,
    })
}

/// STORAGE_BUS_TYPE in the words of [`crate::os::Device::bus`].
fn bus_name(bus: u32) -> &'static str {
    match bus {
        1 => "scsi",
        2 | 3 | 11 => "ata",
        4 => "firewire",
        5 => "ssa",
        6 => "fibre",
        7 => "usb",
        8 => "raid",
        9 => "iscsi",
        10 => "sas",
        12 | 13 => "mmc",
        14 | 15 => "virtual",
        16 => "spaces",
        17 => "nvme",
        18 => "scm",
        19 => "ufs",
        _ => "",
    }
}

/// Text from a device without control characters, which could drive a terminal, and without runs of blanks.
fn clean(text: &str) -> String {
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(512).collect();
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// STORAGE_ACCESS_ALIGNMENT_DESCRIPTOR: the logical and the physical sector.
pub(in crate::os) fn alignment(reply: &[u8]) -> Option<(u32, u32)> {
    let (logical, physical) = (sector(u32_at(reply, 16)?)?, sector(u32_at(reply, 20)?)?);
    (physical >= logical).then_some((logical, physical))
}

/// DEVICE_SEEK_PENALTY_DESCRIPTOR: whether seeks cost.
pub(in crate::os) fn seek_penalty(reply: &[u8]) -> Option<bool> {
    reply.get(8).map(|&flag| flag != 0)
}

/// A partition as DRIVE_LAYOUT_INFORMATION_EX has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::os) struct LayoutPart {
    /// Its number.
    pub(in crate::os) number: u32,
    /// Its first byte on the disk.
    pub(in crate::os) offset: u64,
    /// Its length in bytes.
    pub(in crate::os) len: u64,
}

/// DRIVE_LAYOUT_INFORMATION_EX: the partitions, without the empty rows and the extended partitions that an MBR has.
pub(in crate::os) fn layout(reply: &[u8]) -> Option<Vec<LayoutPart>> {
    const HEADER: usize = 48;
    const ENTRY: usize = 144;
    let count = usize::try_from(u32_at(reply, 4)?).ok()?;
    let list = reply.get(HEADER..).unwrap_or(&[]);
    if count > list.len() / ENTRY {
        return None;
    }
    let part = |entry: &[u8]| {
        let (offset, len) = (bytes_at(entry, 8)?, bytes_at(entry, 16)?);
        let number = u32_at(entry, 24)?;
        (number != 0 && len != 0 && offset.checked_add(len).is_some()).then_some(LayoutPart {
            number,
            offset,
            len,
        })
    };
    Some(list.chunks_exact(ENTRY).take(count).filter_map(part).collect())
}

/// GET_CONFIGURATION_HEADER: the current profile, where there is one.
pub(in crate::os) fn profile(reply: &[u8]) -> Option<u16> {
    let number = u16_at(reply, 6)?.swap_bytes();
    (number != 0).then_some(number)
}

#[cfg(test)]
mod tests;
