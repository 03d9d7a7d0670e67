//! Requests in flight: a few threads that read, answers in the order of asking.
//!
//! ```text
//!   submit ──► work ──► reading threads (started as the depth grows)
//!      └─► order queue of one-shots ──► complete, oldest first
//! ```
//!
//! Threads, because a positioned read is the one call that every system, device and file system has; at 1 MiB a request the
//! hand-over costs a hundredth of the reading. They are detached: a thread that hangs in a dying drive must not keep
//! the program from stopping in order.

use super::{Answer, Outcome, Read};
use crate::extent::Extent;
use crate::os::buffer::Buffer;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// One synchronous read of a medium, from several threads at once.
pub(super) trait ReadOnce: Send + Sync + 'static {
    /// Reads `at` into the front of `buffer`.
    fn read_once(&self, at: Extent, buffer: &mut Buffer) -> Read;
}

struct Request {
    at: Extent,
    buffer: Buffer,
    answer: Sender<Answer>,
}

pub(super) struct Queue {
    medium: Arc<dyn ReadOnce>,
    work: Sender<Request>,
    waiting: Receiver<Request>,
    threads: usize,
    order: VecDeque<Receiver<Answer>>,
}

impl Queue {
    pub(super) fn new(medium: Arc<dyn ReadOnce>) -> Self {
        let (work, waiting) = unbounded();
        Queue { medium, work, waiting, threads: 0, order: VecDeque::new() }
    }

    pub(super) fn submit(&mut self, at: Extent, buffer: Buffer) {
        assert!(at.len <= buffer.len() as u64, "a request fits its buffer");
        let (answer, answered) = bounded(1);
        self.order.push_back(answered);
        if self.threads < self.order.len()
            && let Err(error) = self.start_thread()
            && self.threads == 0
        {
            // With fewer threads it goes on, without any it does not.
            let error = io::Error::new(error.kind(), format!("the system starts no further thread: {error}"));
            let read = Read { good: 0, outcome: Outcome::Failed(error), took: Duration::ZERO };
            let _ = answer.send(Answer { at, buffer, read });
            return;
        }
        self.work.send(Request { at, buffer, answer }).expect("the queue keeps a receiver of its own");
    }

    fn start_thread(&mut self) -> io::Result<()> {
        let (medium, waiting) = (Arc::clone(&self.medium), self.waiting.clone());
        let read = move || {
            // Ends when the queue, and with it the sender, is dropped.
            while let Ok(Request { at, mut buffer, answer }) = waiting.recv() {
                let read = medium.read_once(at, &mut buffer);
                // Nobody waits any more when the copy was given up.
                let _ = answer.send(Answer { at, buffer, read });
            }
        };
        thread::Builder::new().name("ectype-read".into()).spawn(read)?;
        self.threads += 1;
        Ok(())
    }

    pub(super) fn in_flight(&self) -> usize {
        self.order.len()
    }

    pub(super) fn complete(&mut self, wait: Duration) -> Option<Answer> {
        match self.order.front()?.recv_timeout(wait) {
            Ok(answer) => {
                self.order.pop_front();
                Some(answer)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("a reading thread ended without an answer"),
        }
    }
}
