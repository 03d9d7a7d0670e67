//! Zeroed, aligned memory from the allocator.
#![expect(unsafe_code, reason = "aligned allocation")]

use crate::os::buffer::ALIGNMENT;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, ALIGNMENT).expect("a buffer's length fits in memory")
}

/// `len` zero bytes, `len` being at least 1, on a page boundary. Out of memory ends the program, as everywhere.
pub(in crate::os) fn map(len: usize) -> NonNull<u8> {
    // SAFETY: the length is not zero, the callers see to it.
    let start = unsafe { alloc_zeroed(layout(len)) };
    NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout(len)))
}

/// Gives the memory back.
///
/// # Safety
/// `start` and `len` are those of one [`map`], and nothing refers to the memory any more.
pub(in crate::os) unsafe fn unmap(start: NonNull<u8>, len: usize) {
    // SAFETY: the caller's promise; the layout is the same.
    unsafe { dealloc(start.as_ptr(), layout(len)) }
}
