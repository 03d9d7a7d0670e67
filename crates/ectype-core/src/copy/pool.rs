//! A fixed number of buffers: the one number that bounds the memory of a copy.

use crate::extent::Extent;
use crate::os::buffer::Buffer;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::time::Duration;

pub(super) struct Pool {
    free: Receiver<Buffer>,
    home: Sender<Buffer>,
}

impl Pool {
    pub(super) fn new(count: usize, len: usize) -> Pool {
        let (home, free) = bounded(count);
        for _ in 0..count {
            home.send(Buffer::new(len)).expect("the pool has room for its own buffers");
        }
        Pool { free, home }
    }

    /// A buffer, or `None` if none came back within `wait`.
    pub(super) fn take(&self, wait: Duration) -> Option<Buffer> {
        self.free.recv_timeout(wait).ok()
    }

    pub(super) fn give_back(&self, buffer: Buffer) {
        // The pool is as large as its buffers are many: there is always room.
        let _ = self.home.try_send(buffer);
    }

    /// The bytes of `at`, at the front of `buffer`, to be shared until the last owner lets go.
    pub(super) fn block(&self, at: Extent, buffer: Buffer) -> Block {
        Block { at, buffer: Some(buffer), home: self.home.clone() }
    }
}

/// Bytes that were read. Dropping the last reference returns the buffer to its pool.
pub(super) struct Block {
    at: Extent,
    buffer: Option<Buffer>,
    home: Sender<Buffer>,
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

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            let _ = self.home.try_send(buffer);
        }
    }
}
