//! Zeroed memory from the system, aligned for any sector.
#![expect(unsafe_code, reason = "VirtualAlloc and VirtualFree")]

use super::bindings::{MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc, VirtualFree};
use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

/// `len` zero bytes, on a boundary of 64 KiB. Out of memory ends the program, as everywhere.
pub(in crate::os) fn map(len: usize) -> NonNull<u8> {
    let how = (MEM_COMMIT | MEM_RESERVE) as u32;
    // SAFETY: asks for new pages, wherever the system likes.
    let start = unsafe { VirtualAlloc(std::ptr::null(), len, how, PAGE_READWRITE as u32) };
    NonNull::new(start.cast()).unwrap_or_else(|| {
        handle_alloc_error(Layout::array::<u8>(len).unwrap_or(Layout::new::<u8>()));
    })
}

/// Gives the memory back.
///
/// # Safety
/// `start` and `len` are those of one [`map`], and nothing refers to the memory any more.
pub(in crate::os) unsafe fn unmap(start: NonNull<u8>, _len: usize) {
    // SAFETY: the caller's promise; the length is the one that was reserved.
    let _ = unsafe { VirtualFree(start.as_ptr().cast(), 0, MEM_RELEASE as u32) };
}
