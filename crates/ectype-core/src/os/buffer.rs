//! Memory aligned for direct I/O: O_DIRECT and unbuffered Windows handles want the buffer on a sector boundary.
//!
//! ```text
//!   Arena   one zeroed mapping, of large pages where the system has them
//!   Buffer  a part of it, on a multiple of 4096; the last buffer to go takes the arena with it
//! ```
#![expect(unsafe_code, reason = "aligned memory that is divided")]

use super::memory;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// The alignment of every buffer in bytes: covers the sectors of all known devices and the page.
pub const ALIGNMENT: usize = 4096;

/// Memory that buffers are parts of.
struct Arena {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: an Arena only owns its memory; it is reached through the buffers, whose parts do not overlap.
unsafe impl Send for Arena {}
// SAFETY: as above; nothing is reached through a shared Arena.
unsafe impl Sync for Arena {}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: `start` and `len` are those of one `memory::map`, and no buffer is left.
        unsafe { memory::unmap(self.start, self.len) }
    }
}

/// A zeroed, fixed-size block of bytes that begins on a multiple of [`ALIGNMENT`].
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
    /// Keeps the memory.
    _arena: Arc<Arena>,
}

// SAFETY: a Buffer has its part of the arena alone, as a Box<[u8]> has its memory.
unsafe impl Send for Buffer {}
// SAFETY: shared access only reads, as with a Box<[u8]>.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer of `len` zero bytes, `len` being at least 1.
    pub fn new(len: usize) -> Self {
        Buffer::several(1, len).pop().expect("one was asked for")
    }

    /// `count` buffers of `len` zero bytes each, side by side in memory, both being at least 1.
    pub fn several(count: usize, len: usize) -> Vec<Buffer> {
        assert!(count > 0 && len > 0, "a buffer of no bytes");
        let stride = len.next_multiple_of(ALIGNMENT);
        let total = stride.checked_mul(count).expect("buffers fit in memory");
        let arena = Arc::new(Arena { start: memory::map(total), len: total });
        let part = |index: usize| {
            // SAFETY: `index` is below `count`, so the part lies within the arena's `total` bytes.
            let start = unsafe { arena.start.add(index * stride) };
            Buffer { start, len, _arena: Arc::clone(&arena) }
        };
        (0..count).map(part).collect()
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is valid for `len` initialised bytes as long as the arena lives, and this buffer keeps it.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes the access exclusive, for parts of an arena do not overlap.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zeroed_aligned_and_apart() {
        for len in [1, 511, 4096, 1 << 20] {
            let mut buffers = Buffer::several(3, len);
            for (mark, buffer) in (1..).zip(&mut buffers) {
                assert_eq!(buffer.as_ptr() as usize % ALIGNMENT, 0);
                assert_eq!(buffer.len(), len);
                assert!(buffer.iter().all(|&byte| byte == 0));
                buffer.fill(mark);
            }
            let kept = buffers.pop().unwrap();
            assert!(buffers.iter().zip(1..).all(|(buffer, mark)| buffer.iter().all(|&byte| byte == mark)));
            drop(buffers);
            assert!(kept.iter().all(|&byte| byte == 3));
        }
    }
}
