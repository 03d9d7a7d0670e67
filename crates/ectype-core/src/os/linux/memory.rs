//! Zeroed memory from the kernel, in large pages where it has them: direct reads pin every page that they fill.
#![expect(unsafe_code, reason = "anonymous mappings")]

use rustix::mm::{Advice, MapFlags, ProtFlags};
use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

/// `len` zero bytes, on a page boundary. Out of memory ends the program, as everywhere.
pub(in crate::os) fn map(len: usize) -> NonNull<u8> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new private mapping that overlaps nothing.
    let mapped = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), len, access, MapFlags::PRIVATE) };
    let Some(start) = mapped.ok().and_then(|start| NonNull::new(start.cast::<u8>())) else {
        handle_alloc_error(Layout::array::<u8>(len).unwrap_or(Layout::new::<u8>()));
    };
    // SAFETY: the range is the mapping just made; the advice changes how it is backed, not what it holds.
    let _ = unsafe { rustix::mm::madvise(start.as_ptr().cast(), len, Advice::LinuxHugepage) };
    start
}

/// Gives the memory back.
///
/// # Safety
/// `start` and `len` are those of one [`map`], and nothing refers to the memory any more.
pub(in crate::os) unsafe fn unmap(start: NonNull<u8>, len: usize) {
    // SAFETY: the caller's promise.
    let _ = unsafe { rustix::mm::munmap(start.as_ptr().cast(), len) };
}
