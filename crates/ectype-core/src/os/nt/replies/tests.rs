//! Replies as Windows lays them out, and as no driver should.

use super::super::recorded::{self, bytes};
use super::*;

#[test]
fn sizes_and_sectors() {
    assert_eq!(length(&bytes(recorded::LENGTH)), Some(31_457_280_000));
    let told = geometry(&bytes(recorded::GEOMETRY)).unwrap();
    assert_eq!(told, DiskGeometry { sector: Some(512), size: Some(31_457_280_000), removable: true });
    // DISK_GEOMETRY alone: its product of cylinders is no size.
    let short = geometry(&bytes(recorded::GEOMETRY)[..24]).unwrap();
    assert_eq!((short.sector, short.size), (Some(512), None));
    assert_eq!(capacity(&bytes(recorded::CAPACITY)), Some((4096, 244_190_646 * 4096)));
    assert_eq!(alignment(&bytes(recorded::ALIGNMENT)), Some((512, 4096)));
    assert_eq!(seek_penalty(&bytes(recorded::SEEK_PENALTY)), Some(true));
}

#[test]
fn sizes_that_no_device_has_are_none() {
    assert_eq!(length(&(-1i64).to_le_bytes()), None);
    assert_eq!(length(&[0; 7]), None);
    let mut reply = bytes(recorded::GEOMETRY);
    for sector in [0u32, 1, 2352, 513, 1 << 21, u32::MAX] {
        reply[20..24].copy_from_slice(&sector.to_le_bytes());
        assert_eq!(geometry(&reply).unwrap().sector, None, "{sector}");
    }
    let mut reply = bytes(recorded::CAPACITY);
    reply[16..24].copy_from_slice(&i64::MAX.to_le_bytes());
    assert_eq!(capacity(&reply), None);
    // A physical sector below the logical one.
    let mut reply = bytes(recorded::ALIGNMENT);
    reply[20..24].copy_from_slice(&256u32.to_le_bytes());
    assert_eq!(alignment(&reply), None);
}

#[test]
fn the_capacity_of_a_disc_is_in_sectors_of_2048() {
    assert_eq!(scsi_capacity([0, 0, 0x0f, 0xff, 0, 0, 8, 0]), Some((2048, 0x1000 * 2048)));
    assert_eq!(scsi_capacity([0, 0, 0x0f, 0xff, 0, 0, 9, 0x30]), Some((2048, 0x1000 * 2048)));
    assert_eq!(scsi_capacity([0xff; 8]), None);
}

#[test]
fn which_device_it_is() {
    let drive = device_number(&bytes(recorded::CDROM_NUMBER)).unwrap();
    assert_eq!(drive, DeviceNumber { optical: true, disk: false, number: 0, partition: None });
    let part = device_number(&bytes(recorded::DISK_NUMBER)).unwrap();
    assert_eq!(part, DeviceNumber { optical: false, disk: true, number: 3, partition: Some(2) });
    assert_eq!(device_number(&[0; 11]), None);
}

#[test]
fn a_volume_may_span_disks() {
    let reply = bytes(recorded::EXTENTS);
    let list = extents(&reply).unwrap();
    assert_eq!(list[0], DiskExtent { disk: 1, offset: 1 << 20, len: 500_107_862_016 });
    assert_eq!((list.len(), list[1].disk, list[1].offset), (2, 2, 17 << 20));
    assert_eq!(extents(&[0; 8]), Some(Vec::new()));
}

#[test]
fn counts_of_extents_that_lie_are_refused() {
    let mut reply = bytes(recorded::EXTENTS);
    for count in [3u32, 1 << 31, u32::MAX] {
        reply[..4].copy_from_slice(&count.to_le_bytes());
        assert_eq!(extents(&reply), None, "{count}");
    }
    let reply = bytes(recorded::EXTENTS);
    assert_eq!(extents(&reply[..reply.len() - 1]), None);
    // Beyond any disk, and below none.
    for (at, number) in [(16, -1i64), (24, -1), (16, i64::MAX)] {
        let mut reply = bytes(recorded::EXTENTS);
        reply[at..at + 8].copy_from_slice(&number.to_le_bytes());
        assert_eq!(extents(&reply).is_some(), number == i64::MAX, "{at}: {number}");
    }
}

#[test]
fn model_serial_and_bus() {
    let stick = descriptor(&bytes(recorded::DESCRIPTOR)).unwrap();
    assert_eq!(stick.model, "SanDisk Ultra USB 3.0");
    assert_eq!(stick.serial, "4C530001230719115365");
    assert_eq!((stick.removable, stick.bus, stick.optical, stick.card), (true, "usb", false, false));
    let disk = descriptor(&bytes(recorded::SATA)).unwrap();
    assert_eq!((disk.model.as_str(), disk.serial.as_str()), ("ST4000DM004-2CV104", "ZFN1A2B3"));
    assert_eq!((disk.removable, disk.bus), (false, "ata"));
}

#[test]
fn strings_outside_of_the_reply_are_none() {
    for offset in [1u32, 35, 10_000, u32::MAX] {
        for at in [12, 16, 24] {
            let mut reply = bytes(recorded::DESCRIPTOR);
            reply[at..at + 4].copy_from_slice(&offset.to_le_bytes());
            let told = descriptor(&reply).unwrap();
            let field = if at == 24 { told.serial.as_str() } else { told.model.as_str() };
            assert!(
                !field.contains(if at == 12 {
                    "SanDisk"
                } else if at == 16 {
                    "Ultra"
                } else {
                    "4C53"
                }),
                "{at}"
            );
        }
    }
    // One that no zero ends goes to the end of the reply, and control characters drive no terminal.
    let mut reply = bytes(recorded::DESCRIPTOR);
    reply.pop();
    reply[104] = 0x1b;
    assert_eq!(descriptor(&reply).unwrap().serial, "4 530001230719115365");
}

#[test]
fn partitions_are_those_with_a_number() {
    let reply = bytes(recorded::LAYOUT);
    let list = layout(&reply).unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0], LayoutPart { number: 1, offset: 1 << 20, len: 104_857_600 });
    assert_eq!((list[1].number, list[1].offset), (2, 106_954_752));
    let mut liar = reply.clone();
    liar[4..8].copy_from_slice(&5u32.to_le_bytes());
    assert_eq!(layout(&liar), None);
    assert_eq!(layout(&reply[..reply.len() - 1]), None);
}

#[test]
fn cut_replies_do_no_harm() {
    for whole in
        [recorded::GEOMETRY, recorded::EXTENTS, recorded::DESCRIPTOR, recorded::LAYOUT, recorded::CAPACITY]
    {
        let whole = bytes(whole);
        for len in 0..whole.len() {
            let cut = &whole[..len];
            let _ =
                (geometry(cut), extents(cut), descriptor(cut), layout(cut), capacity(cut), alignment(cut));
            let _ = (seek_penalty(cut), profile(cut), device_number(cut), length(cut));
        }
    }
    let noise = vec![0xff; 4096];
    let _ = (geometry(&noise), extents(&noise), descriptor(&noise), layout(&noise), capacity(&noise));
}

#[test]
fn the_profile_is_big_endian() {
    assert_eq!(profile(&[0, 0, 0, 4, 0, 0, 0, 0x43]), Some(0x43));
    assert_eq!(profile(&[0; 8]), None);
}
