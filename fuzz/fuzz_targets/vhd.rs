//! A VHD of any content, alone and as a child: opened, looked through and read, without a panic and within its bounds.
#![no_main]

use ectype_core::image::{Gate, Opened, named};
use ectype_core::io::ReadAt;
use ectype_core::{Error, Result};
use ectype_fuzz::{look_through, open};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

/// Every parent is the same small image.
struct Parents(u32);

impl Gate for Parents {
    fn file(&mut self, _name: &str) -> Result<Arc<dyn ReadAt>> {
        Err(Error::refused("no image is made of several files"))
    }

    fn parent(&mut self, names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        self.0 += 1;
        assert!(self.0 == 1 && names.len() < 12);
        let mut stored = vec![7; 2048];
        stored.extend(footer(2, 2048));
        Ok(open("vhd", stored, self).expect("it is whole"))
    }
}

/// A footer of that disk type that is right, with an identifier of zeros.
fn footer(disk_type: u8, size: u64) -> Vec<u8> {
    let mut footer = vec![0; 512];
    footer[..8].copy_from_slice(b"conectix");
    footer[12..16].copy_from_slice(&0x10000_u32.to_be_bytes());
    footer[16..24].copy_from_slice(&512_u64.to_be_bytes());
    footer[48..56].copy_from_slice(&size.to_be_bytes());
    footer[63] = disk_type;
    let sum: u32 = footer.iter().map(|&byte| u32::from(byte)).sum();
    footer[64..68].copy_from_slice(&(!sum).to_be_bytes());
    footer
}

fuzz_target!(|input: &[u8]| {
    let _ = (named("vhd").expect("a format").probe)(&input.to_vec());
    // As it is; and with a footer in front that leads to a header, so that tables are reached.
    let mut framed = footer(3 + input.len() as u8 % 2, 1 << 20);
    framed.extend(b"cxsparse");
    framed.extend(input);
    for stored in [input.to_vec(), framed] {
        if let Some(image) = open("vhd", stored, &mut Parents(0)) {
            look_through(&*image);
        }
    }
});
