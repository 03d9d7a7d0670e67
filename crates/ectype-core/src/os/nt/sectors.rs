//! Any read in whole sectors: Windows refuses an offset, a length or a memory address that is not on a sector, and fails a
//! request as a whole that runs past the end.

use crate::extent::Extent;
use crate::io::Geometry;
use crate::os::buffer::{ALIGNMENT, Buffer};
use std::io;

/// A device that takes whole sectors alone.
pub(in crate::os) trait Sectors {
    /// One read; how many bytes came, 0 at the end.
    ///
    /// # Errors
    /// The system's, with its `raw_os_error`.
    fn read_sectors(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// The most that is read through a buffer at once, in bytes.
const AT_ONCE: u64 = 1 << 20;

/// One read of any bytes; how many came, perhaps fewer than asked, 0 at the end.
pub(in crate::os) fn read(
    device: &(impl Sectors + ?Sized),
    geometry: Geometry,
    buf: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let sector = u64::from(geometry.sector);
    let Some(left) = geometry.size.checked_sub(offset).filter(|&left| left > 0) else { return Ok(0) };
    let len = left.min(buf.len() as u64) as usize;
    let buf = &mut buf[..len];
    let at = Extent::new(offset, len as u64);
    if at.align_out(sector) == at && (buf.as_ptr() as usize).is_multiple_of(ALIGNMENT) {
        return device.read_sectors(buf, offset);
    }
    let part = Extent::new(offset, at.len.min(AT_ONCE));
    // The size is a multiple of the sector, so that this lies within it.
    let around = part.align_out(sector);
    let mut bounce = Buffer::new(around.len as usize);
    let count = device.read_sectors(&mut bounce, around.offset)?;
    let skip = (part.offset - around.offset) as usize;
    let count = count.saturating_sub(skip).min(part.len as usize);
    buf[..count].copy_from_slice(&bounce[skip..skip + count]);
    Ok(count)
}

/// Reads as Windows does, so that a mistake shows on every system: the test reader.
#[cfg(test)]
pub(in crate::os) struct Strict {
    pub(in crate::os) content: Vec<u8>,
    pub(in crate::os) sector: usize,
    /// The offsets of sectors that cannot be read.
    pub(in crate::os) bad: Vec<u64>,
    /// What reads behind the end answer; 0 is the end of a file.
    pub(in crate::os) behind: i32,
}

#[cfg(test)]
impl Strict {
    pub(in crate::os) fn new(len: usize, sector: usize) -> Strict {
        let content = (0..len).map(|index| (index / sector + index % 251) as u8).collect();
        Strict { content, sector, bad: Vec::new(), behind: super::code::SECTOR_NOT_FOUND }
    }
}

#[cfg(test)]
impl Sectors for Strict {
    fn read_sectors(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        const CRC: i32 = 23;
        let sector = self.sector;
        let aligned = buf.len().is_multiple_of(sector)
            && offset.is_multiple_of(sector as u64)
            && (buf.as_ptr() as usize).is_multiple_of(sector);
        if !aligned {
            return Err(io::Error::from_raw_os_error(super::code::INVALID_PARAMETER));
        }
        let at = Extent::new(offset, buf.len() as u64);
        if at.end() > self.content.len() as u64 {
            return match self.behind {
                0 => Ok(0),
                code => Err(io::Error::from_raw_os_error(code)),
            };
        }
        if self.bad.iter().any(|&bad| at.offset <= bad && bad < at.end()) {
            return Err(io::Error::from_raw_os_error(CRC));
        }
        buf.copy_from_slice(&self.content[offset as usize..][..buf.len()]);
        Ok(buf.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_from_a_device_that_takes_only_whole_sectors() {
        for sector in [512, 2048, 4096] {
            let device = Strict::new(3 * 4096 + sector, sector);
            let size = device.content.len() as u64;
            let geometry = Geometry { size, sector: sector as u32, physical_sector: sector as u32 };
            let mut memory = Buffer::new(64 << 10);
            for offset in [0, 1, 511, 512, 2048, 4096, 4097, size - 1, size - sector as u64, size, size + 7] {
                for len in [1, 2, 511, 512, 4096, 5000, 20_000] {
                    for skew in [0, 1, 16, 512] {
                        let buf = &mut memory[skew..skew + len];
                        buf.fill(0xee);
                        let count = read(&device, geometry, buf, offset).unwrap();
                        let wanted = size.saturating_sub(offset).min(len as u64) as usize;
                        assert_eq!(count, wanted, "{sector}: {len} bytes at {offset}, skewed by {skew}");
                        let from = (offset.min(size)) as usize;
                        assert_eq!(buf[..count], device.content[from..from + count]);
                        assert!(buf[count..].iter().all(|&byte| byte == 0xee));
                    }
                }
            }
        }
    }

    #[test]
    fn the_reader_of_the_tests_refuses_what_windows_refuses() {
        let device = Strict::new(4096, 512);
        let mut memory = Buffer::new(4096);
        for (range, offset) in [(0..511, 0), (0..512, 1), (1..513, 0)] {
            let error = device.read_sectors(&mut memory[range], offset).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(super::super::code::INVALID_PARAMETER));
        }
        assert!(device.read_sectors(&mut memory[..1024], 3584).is_err());
    }

    #[test]
    fn a_bad_sector_is_an_error_of_the_medium() {
        let device = Strict { bad: vec![1024], ..Strict::new(8192, 512) };
        let geometry = Geometry { size: 8192, sector: 512, physical_sector: 512 };
        assert!(read(&device, geometry, &mut [0; 100], 900).is_ok());
        assert_eq!(read(&device, geometry, &mut [0; 200], 900).unwrap_err().raw_os_error(), Some(23));
    }
}
