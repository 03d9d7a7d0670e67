//! The codecs and the checksum that image formats share: one function each, whatever library is behind it.
//!
//! | | with the feature `assembly` | without |
//! |---|---|---|
//! | deflate | libdeflate | flate2 with zlib-rs |
//! | zstd | zstd | refused by name |
//! | CRC-32C | the processor's instruction, else tables | the same |
//! | XXH64 | twox-hash | the same |

use crate::error::{Error, Kind, Result};

/// What is around a deflate stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapper {
    /// Nothing (RFC 1951), as in qcow2.
    Raw,
    /// zlib's header and Adler-32 (RFC 1950), as in VMDK and E01.
    Zlib,
}

fn broken(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Corrupt, format!("{what} that cannot be unpacked: {why}"))
}

/// Appends to `out` what `pack` writes into the front of at most `most` bytes; false, with `out` as it was, where it does not
/// fit.
fn append(out: &mut Vec<u8>, most: usize, pack: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
    let start = out.len();
    out.resize(start + most, 0);
    let len = pack(&mut out[start..]);
    out.truncate(start + len.unwrap_or(0));
    len.is_some()
}

/// CRC-32C (Castagnoli), as VHDX has it.
pub fn crc32c(bytes: &[u8]) -> u32 {
    ::crc32c::crc32c(bytes)
}

/// The CRC-32C of what `crc` is of, with `bytes` behind it.
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    ::crc32c::crc32c_append(crc, bytes)
}

/// XXH64 with seed 0 of what is written to it, of which zstd stores the lower half.
#[derive(Default)]
pub struct Xxh64(twox_hash::XxHash64);

impl Xxh64 {
    /// The bytes that follow.
    pub fn update(&mut self, bytes: &[u8]) {
        std::hash::Hasher::write(&mut self.0, bytes);
    }

    /// The lower half of the hash of all of them.
    pub fn low(&self) -> u32 {
        (std::hash::Hasher::finish(&self.0) & u64::from(u32::MAX)) as u32
    }
}

/// A deflate compressor; making one costs more than a call, so a block's grains share it.
pub struct Deflate {
    wrapper: Wrapper,
    #[cfg(feature = "assembly")]
    compressor: libdeflater::Compressor,
    #[cfg(not(feature = "assembly"))]
    level: u32,
}

impl Deflate {
    /// `level` is 1 (fast) to 9 (small), or to 12 where libdeflate is there.
    pub fn new(wrapper: Wrapper, level: i32) -> Deflate {
        #[cfg(feature = "assembly")]
        {
            let level = libdeflater::CompressionLvl::new(level.clamp(1, 12)).unwrap_or_default();
            Deflate { wrapper, compressor: libdeflater::Compressor::new(level) }
        }
        #[cfg(not(feature = "assembly"))]
        // The lowest level of zlib-rs panics where the output does not fit.
        Deflate { wrapper, level: level.clamp(2, 9) as u32 }
    }

    /// Appends `data` to `out`, packed into at most `most` bytes; false, with `out` as it was, where it does not fit.
    pub fn pack(&mut self, data: &[u8], out: &mut Vec<u8>, most: usize) -> bool {
        append(out, most, |room| self.pack_into(data, room))
    }

    /// Packs `data` into the front of `room`; how many bytes that took, `None` where it does not fit.
    #[cfg(feature = "assembly")]
    pub fn pack_into(&mut self, data: &[u8], room: &mut [u8]) -> Option<usize> {
        match self.wrapper {
            Wrapper::Raw => self.compressor.deflate_compress(data, room),
            Wrapper::Zlib => self.compressor.zlib_compress(data, room),
        }
        .ok()
    }

    /// Packs `data` into the front of `room`; how many bytes that took, `None` where it does not fit.
    #[cfg(not(feature = "assembly"))]
    pub fn pack_into(&mut self, data: &[u8], room: &mut [u8]) -> Option<usize> {
        let zlib = self.wrapper == Wrapper::Zlib;
        let mut compress = flate2::Compress::new(flate2::Compression::new(self.level), zlib);
        let status = compress.compress(data, room, flate2::FlushCompress::Finish);
        matches!(status, Ok(flate2::Status::StreamEnd)).then(|| compress.total_out() as usize)
    }
}

/// Unpacks a deflate stream into the front of `out`; how many bytes came. What lies behind the stream in `packed` is ignored.
pub fn inflate(wrapper: Wrapper, packed: &[u8], out: &mut [u8]) -> Result<usize> {
    #[cfg(feature = "assembly")]
    {
        let mut decompressor = libdeflater::Decompressor::new();
        match wrapper {
            Wrapper::Raw => decompressor.deflate_decompress(packed, out),
            Wrapper::Zlib => decompressor.zlib_decompress(packed, out),
        }
        .map_err(|error| broken("deflated data", error))
    }
    #[cfg(not(feature = "assembly"))]
    {
        let mut decompress = flate2::Decompress::new(wrapper == Wrapper::Zlib);
        match decompress.decompress(packed, out, flate2::FlushDecompress::Finish) {
            Ok(flate2::Status::StreamEnd) => Ok(decompress.total_out() as usize),
            Ok(_) => Err(broken("deflated data", "it is cut, or longer than it should be")),
            Err(error) => Err(broken("deflated data", error)),
        }
    }
}

/// As [`inflate`], for a stream that need not end: what it says before `out` is full, or `packed` is used up.
pub fn inflate_open(wrapper: Wrapper, packed: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut decompress = flate2::Decompress::new(wrapper == Wrapper::Zlib);
    match decompress.decompress(packed, out, flate2::FlushDecompress::Finish) {
        Ok(_) => Ok(decompress.total_out() as usize),
        // Output that is full is told as an error by some of the libraries behind it.
        Err(_) if decompress.total_out() == out.len() as u64 => Ok(out.len()),
        Err(error) => Err(broken("deflated data", error)),
    }
}

/// A zstd compressor, shared by a block's grains.
pub struct Zstd {
    #[cfg(feature = "assembly")]
    compressor: zstd::bulk::Compressor<'static>,
}

impl Zstd {
    /// `level` is 1 to 22, or negative for speed. `checksum`: whether every frame ends with the hash of its content.
    #[cfg(feature = "assembly")]
    pub fn new(level: i32, checksum: bool) -> Result<Zstd> {
        let failed = |error| Error::io("starting zstd", error);
        let mut compressor = zstd::bulk::Compressor::new(level).map_err(failed)?;
        compressor.include_checksum(checksum).map_err(failed)?;
        Ok(Zstd { compressor })
    }

    /// Refused: zstd is C.
    #[cfg(not(feature = "assembly"))]
    pub fn new(_level: i32, _checksum: bool) -> Result<Zstd> {
        Err(no_zstd())
    }

    /// Appends `data` to `out` as one frame of at most `most` bytes; false, with `out` as it was, where it does not fit.
    pub fn pack(&mut self, data: &[u8], out: &mut Vec<u8>, most: usize) -> bool {
        append(out, most, |room| self.pack_into(data, room))
    }

    /// Packs `data` into the front of `room`, as one frame; how many bytes that took, `None` where it does not fit.
    pub fn pack_into(&mut self, data: &[u8], room: &mut [u8]) -> Option<usize> {
        #[cfg(feature = "assembly")]
        return self.compressor.compress_to_buffer(data, room).ok();
        #[cfg(not(feature = "assembly"))]
        {
            let _ = (data, room);
            None
        }
    }
}

/// Unpacks the zstd frame that `packed` begins with into the front of `out`; how many bytes came. What lies behind the
/// frame is ignored.
#[cfg(feature = "assembly")]
pub fn unzstd(packed: &[u8], out: &mut [u8]) -> Result<usize> {
    let frame = zstd::zstd_safe::find_frame_compressed_size(packed)
        .map_err(|code| broken("a zstd frame", zstd::zstd_safe::get_error_name(code)))?;
    let frame = packed.get(..frame).ok_or_else(|| broken("a zstd frame", "it is cut"))?;
    zstd::bulk::decompress_to_buffer(frame, out).map_err(|error| broken("a zstd frame", error))
}

/// Refused: zstd is C.
#[cfg(not(feature = "assembly"))]
pub fn unzstd(_packed: &[u8], _out: &mut [u8]) -> Result<usize> {
    Err(no_zstd())
}

/// The largest window that is unpacked, as a power of two: what `zstd -d` takes without being told more, 128 MiB.
#[cfg(feature = "assembly")]
const MOST_WINDOW: u32 = 27;

/// zstd frames that are unpacked bit by bit, however long they are.
pub struct Unzstd {
    #[cfg(feature = "assembly")]
    decoder: zstd::stream::raw::Decoder<'static>,
    #[cfg(not(feature = "assembly"))]
    never: std::convert::Infallible,
}

/// What a step of unpacking did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many bytes of the input it took.
    pub taken: usize,
    /// How many bytes of content came.
    pub came: usize,
    /// Whether a frame ended here: what follows is another one.
    pub ended: bool,
}

impl Unzstd {
    /// Before the first byte of a frame.
    #[cfg(feature = "assembly")]
    pub fn new() -> Result<Unzstd> {
        let failed = |error| Error::io("starting zstd", error);
        let mut decoder = zstd::stream::raw::Decoder::new().map_err(failed)?;
        decoder.set_parameter(zstd::stream::raw::DParameter::WindowLogMax(MOST_WINDOW)).map_err(failed)?;
        Ok(Unzstd { decoder })
    }

    /// Refused: zstd is C.
    #[cfg(not(feature = "assembly"))]
    pub fn new() -> Result<Unzstd> {
        Err(no_zstd())
    }

    /// Unpacks from the front of `packed` into the front of `out`, until one of them or a frame ends.
    #[cfg(feature = "assembly")]
    pub fn step(&mut self, packed: &[u8], out: &mut [u8]) -> Result<Step> {
        use zstd::stream::raw::Operation;
        let status =
            self.decoder.run_on_buffers(packed, out).map_err(|error| broken("a zstd frame", error))?;
        Ok(Step { taken: status.bytes_read, came: status.bytes_written, ended: status.remaining == 0 })
    }

    /// Never called: there is none.
    #[cfg(not(feature = "assembly"))]
    pub fn step(&mut self, _packed: &[u8], _out: &mut [u8]) -> Result<Step> {
        match self.never {}
    }
}

/// Whether zstd can be packed and unpacked; the error says why not.
pub fn has_zstd() -> Result<()> {
    #[cfg(feature = "assembly")]
    return Ok(());
    #[cfg(not(feature = "assembly"))]
    return Err(no_zstd());
}

#[cfg(not(feature = "assembly"))]
fn no_zstd() -> Error {
    Error::unsupported("zstd is not in this build, which is of Rust alone (feature \"assembly\")")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        (0..65_536_u32).map(|n| (n / 7 % 251) as u8).collect()
    }

    #[test]
    fn crc32c_has_its_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c_append(crc32c(b"1234"), b"56789"), 0xe306_9283);
    }

    #[test]
    fn xxh64_has_its_check_value() {
        // XXH64 of nothing is 0xef46db3751d8e999.
        assert_eq!(Xxh64::default().low(), 0x51d8_e999);
    }

    #[test]
    fn deflate_comes_back_and_ignores_what_follows() {
        for wrapper in [Wrapper::Raw, Wrapper::Zlib] {
            let (data, mut packed) = (sample(), vec![1, 2]);
            assert!(Deflate::new(wrapper, 1).pack(&data, &mut packed, 65_536));
            packed.extend([0xaa; 100]);
            let mut out = vec![0; data.len()];
            assert_eq!(inflate(wrapper, &packed[2..], &mut out).unwrap(), data.len());
            assert!(out == data);
            assert!(inflate(wrapper, &packed[2..20], &mut out).is_err());
            assert!(inflate(wrapper, &packed[2..], &mut out[..1000]).is_err());
        }
    }

    #[test]
    fn a_stream_without_an_end_gives_what_it_has() {
        let (data, mut packed) = (sample(), Vec::with_capacity(65_536));
        let mut compress = flate2::Compress::new(flate2::Compression::new(6), false);
        compress.compress_vec(&data, &mut packed, flate2::FlushCompress::Sync).unwrap();
        let mut out = vec![0; data.len()];
        assert!(inflate(Wrapper::Raw, &packed, &mut out).is_err());
        assert_eq!(inflate_open(Wrapper::Raw, &packed, &mut out).unwrap(), data.len());
        assert!(out == data);
        assert!(inflate_open(Wrapper::Raw, &[0xff; 50], &mut out).is_err());
    }

    #[test]
    fn any_room_is_enough_to_say_that_it_is_not() {
        let mut state = 1_u64;
        let mut data = sample();
        for (index, byte) in data.iter_mut().enumerate() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if index % 3000 > 1400 {
                *byte = (state >> 56) as u8;
            }
        }
        let mut room = vec![0; data.len()];
        for level in [1, 2, 6, 9] {
            let mut deflate = Deflate::new(Wrapper::Raw, level);
            let len = deflate.pack_into(&data, &mut room).unwrap();
            for less in (1..600).chain((600..len).step_by(997)) {
                assert_eq!(deflate.pack_into(&data, &mut room[..len - less]), None);
            }
        }
    }

    #[test]
    fn what_does_not_fit_leaves_nothing_behind() {
        let mut packed = vec![9];
        assert!(!Deflate::new(Wrapper::Raw, 6).pack(&sample(), &mut packed, 10));
        assert_eq!(packed, [9]);
    }

    #[cfg(feature = "assembly")]
    #[test]
    fn zstd_comes_back_and_ignores_what_follows() {
        let (data, mut packed) = (sample(), vec![1, 2]);
        assert!(Zstd::new(1, true).unwrap().pack(&data, &mut packed, 65_536));
        packed.extend([0; 100]);
        let mut out = vec![0; data.len()];
        assert_eq!(unzstd(&packed[2..], &mut out).unwrap(), data.len());
        assert!(out == data);
        assert!(unzstd(&packed[2..20], &mut out).is_err());
        assert!(unzstd(&packed[2..], &mut out[..1000]).is_err());
    }

    #[cfg(feature = "assembly")]
    #[test]
    fn zstd_comes_back_in_steps() {
        let (data, mut packed) = (sample(), Vec::new());
        assert!(Zstd::new(1, true).unwrap().pack(&data, &mut packed, 65_536));
        let (mut decoder, mut out, mut taken) = (Unzstd::new().unwrap(), Vec::new(), 0);
        loop {
            let mut room = [0; 1000];
            let end = (taken + 77).min(packed.len());
            let step = decoder.step(&packed[taken..end], &mut room).unwrap();
            taken += step.taken;
            out.extend_from_slice(&room[..step.came]);
            if step.ended {
                break;
            }
        }
        assert!(out == data && taken == packed.len());
    }
}
