//! Memory aligned for direct I/O: O_DIRECT and unbuffered Windows handles want the buffer on a sector boundary.
#![expect(unsafe_code, reason = "aligned allocation")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// The alignment of every buffer in bytes: covers the sectors of all known devices and the page.
pub const ALIGNMENT: usize = 4096;

/// A zeroed, fixed-size block of bytes that begins on a multiple of [`ALIGNMENT`].
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a Buffer owns its memory alone, as a Box<[u8]> does.
unsafe impl Send for Buffer {}
// SAFETY: shared access only reads, as with a Box<[u8]>.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer of `len` zero bytes, `len` being at least 1.
    pub fn new(len: usize) -> Self {
        let layout = Self::layout(len);
        // SAFETY: the layout's size is not zero, `layout` sees to it.
        let start = unsafe { alloc_zeroed(layout) };
        match NonNull::new(start) {
            Some(start) => Buffer { start, len },
            None => handle_alloc_error(layout),
        }
    }

    fn layout(len: usize) -> Layout {
        assert!(len > 0, "a buffer of no bytes");
        Layout::from_size_align(len, ALIGNMENT).expect("a buffer's length fits in memory")
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc_zeroed` with this very layout and is freed once.
        unsafe { dealloc(self.start.as_ptr(), Self::layout(self.len)) }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is valid for `len` initialised bytes as long as the Buffer lives.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zeroed_and_aligned() {
        for len in [1, 511, 4096, 1 << 20] {
            let mut buffer = Buffer::new(len);
            assert_eq!(buffer.as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!(buffer.len(), len);
            assert!(buffer.iter().all(|&byte| byte == 0));
            buffer[len - 1] = 7;
            assert_eq!(buffer[len - 1], 7);
        }
    }
}
