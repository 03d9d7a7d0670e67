//! A fixed number of buffers: the one number that bounds the memory of a copy.

use crate::extent::Extent;
use crate::os::buffer::Buffer;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A stack: what was given back last is taken first, while it is still in the processor's cache.
struct Free {
    stack: Mutex<Vec<Buffer>>,
    came_back: Condvar,
}

pub(super) struct Pool {
    free: Arc<Free>,
}

impl Free {
    fn push(&self, buffer: Buffer) {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        self.came_back.notify_one();
    }
}

impl Pool {
    pub(super) fn new(count: usize, len: usize) -> Pool {
        let stack = Mutex::new(Buffer::several(count, len));
        Pool { free: Arc::new(Free { stack, came_back: Condvar::new() }) }
    }

    /// A buffer, or `None` if none came back within `wait`.
    pub(super) fn take(&self, wait: Duration) -> Option<Buffer> {
        let mut stack = self.free.stack.lock().unwrap_or_else(PoisonError::into_inner);
        if stack.is_empty() && !wait.is_zero() {
            let waited = self.free.came_back.wait_timeout_while(stack, wait, |stack| stack.is_empty());
            stack = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        stack.pop()
    }

    pub(super) fn give_back(&self, buffer: Buffer) {
        self.free.push(buffer);
    }

    /// The bytes of `at`, at the front of `buffer`, to be shared until the last owner lets go.
    pub(super) fn block(&self, at: Extent, buffer: Buffer) -> Block {
        Block { at, buffer: Some(buffer), home: Arc::clone(&self.free) }
    }
}

/// Bytes that were read. Dropping the last reference returns the buffer to its pool.
pub(super) struct Block {
    at: Extent,
    buffer: Option<Buffer>,
    home: Arc<Free>,
}

impl Block {
    pub(super) fn at(&self) -> Extent {
        self.at
    }

    pub(super) fn bytes(&self) -> &[u8] {
        let buffer = self.buffer.as_ref().expect("a block has its buffer until it is dropped");
        &buffer[..self.at.len as usize]
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.home.push(buffer);
        }
    }
}
