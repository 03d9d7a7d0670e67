//! Requests in flight: a few threads that read, answers in the order of asking.
//!
//! ```text
//!   submit ──► work ──► reading threads (started as the depth grows)
//!      └─► order queue of one-shots ──► complete, oldest first
//! ```
//!
//! Threads, because a positioned read is the one call that every system, device and file system has; at 1 MiB a request the
//! hand-over costs a hundredth of the reading. A request of small steps is one hand-over, too. They are detached: a thread that hangs in a dying drive must not keep
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

/// A request in steps ends after so long, that what was read by then is not lost to whoever stops the run.
const STEPPING: Duration = Duration::from_millis(100);

/// One synchronous read of a medium, from several threads at once.
pub(super) trait ReadOnce: Send + Sync + 'static {
    /// Reads `at` into the front of `buffer`.
    fn read_once(&self, at: Extent, buffer: &mut [u8]) -> Read;
}

struct Request {
    at: Extent,
    step: Option<u64>,
    buffer: Buffer,
    answer: Sender<Answer>,
}

impl Request {
    /// What was tried, and what became of it.
    fn read(&mut self, medium: &dyn ReadOnce) -> (Extent, Read) {
        let mut all = Read { good: 0, outcome: Outcome::Ok, took: Duration::ZERO };
        loop {
            let rest = Extent::between(self.at.offset + all.good, self.at.end());
            let step = self.step.map_or(rest, |step| rest.first(step));
            let Read { good, outcome, took } = medium.read_once(step, &mut self.buffer[all.good as usize..]);
            let goes_on = matches!(outcome, Outcome::Ok) && step.end() < self.at.end();
            all = Read { good: all.good + good, outcome, took: all.took + took };
            if !goes_on || all.took >= STEPPING {
                return (Extent::between(self.at.offset, step.end()), all);
            }
        }
    }
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
        self.ask(at, None, buffer);
    }

    pub(super) fn submit_steps(&mut self, at: Extent, step: u64, buffer: Buffer) {
        self.ask(at, Some(step), buffer);
    }

    fn ask(&mut self, at: Extent, step: Option<u64>, buffer: Buffer) {
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
        self.work.send(Request { at, step, buffer, answer }).expect("the queue keeps a receiver of its own");
    }

    fn start_thread(&mut self) -> io::Result<()> {
        let (medium, waiting) = (Arc::clone(&self.medium), self.waiting.clone());
        let read = move || {
            // Ends when the queue, and with it the sender, is dropped.
            while let Ok(mut request) = waiting.recv() {
                let (at, read) = request.read(&*medium);
                let Request { buffer, answer, .. } = request;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Bytes that say which sector they are of; one sector is bad, every read takes as long as it says.
    struct Scratched {
        bad: u64,
        took: Duration,
        reads: Mutex<Vec<Extent>>,
    }

    impl ReadOnce for Scratched {
        fn read_once(&self, at: Extent, buffer: &mut [u8]) -> Read {
            self.reads.lock().unwrap().push(at);
            if at.contains(self.bad * 512) {
                let outcome = Outcome::Medium { first_bad: None, unwritten: false };
                return Read { good: 0, outcome, took: self.took };
            }
            let front = &mut buffer[..at.len as usize];
            front.chunks_mut(512).enumerate().for_each(|(index, sector)| {
                sector.fill((at.offset / 512) as u8 + index as u8);
            });
            Read { good: at.len, outcome: Outcome::Ok, took: self.took }
        }
    }

    fn ask(bad: u64, took: Duration, at: Extent, step: Option<u64>) -> (Answer, Vec<Extent>) {
        let medium = Arc::new(Scratched { bad, took, reads: Mutex::default() });
        let mut queue = Queue::new(Arc::clone(&medium) as Arc<dyn ReadOnce>);
        queue.ask(at, step, Buffer::new(8192));
        let answer = queue.complete(Duration::from_secs(60)).expect("an answer");
        assert_eq!(queue.in_flight(), 0);
        let reads = std::mem::take(&mut *medium.reads.lock().unwrap());
        (answer, reads)
    }

    fn sectors(range: std::ops::Range<u64>) -> Vec<Extent> {
        range.map(|sector| Extent::new(sector * 512, 512)).collect()
    }

    #[test]
    fn steps_go_on_to_the_first_bad_one() {
        let at = Extent::new(3 * 512, 9 * 512);
        let (answer, reads) = ask(7, Duration::ZERO, at, Some(512));
        assert_eq!(reads, sectors(3..8), "nothing behind the bad one is asked for");
        assert_eq!((answer.at, answer.read.good), (Extent::new(3 * 512, 5 * 512), 4 * 512));
        assert!(matches!(answer.read.outcome, Outcome::Medium { .. }));
        let expected: Vec<u8> = (3..7).flat_map(|sector| [sector; 512]).collect();
        assert_eq!(answer.buffer[..4 * 512], expected);

        let (answer, reads) = ask(20, Duration::ZERO, at, Some(512));
        assert_eq!((answer.at, answer.read.good, reads), (at, at.len, sectors(3..12)));
        assert!(matches!(answer.read.outcome, Outcome::Ok));
    }

    #[test]
    fn steps_end_on_multiples_and_a_whole_request_is_one_read() {
        let at = Extent::new(3 * 512, 9 * 512);
        let (answer, reads) = ask(20, Duration::ZERO, at, Some(4096));
        assert_eq!(reads, [Extent::new(3 * 512, 5 * 512), Extent::new(4096, 4 * 512)]);
        assert_eq!((answer.at, answer.read.good), (at, at.len));
        assert_eq!(ask(20, Duration::ZERO, at, None).1, [at]);
    }

    #[test]
    fn a_drive_that_is_slow_is_not_stepped_through_in_one_answer() {
        let (answer, reads) = ask(20, STEPPING / 2, Extent::new(0, 8192), Some(512));
        assert_eq!(reads, sectors(0..2));
        assert_eq!((answer.at, answer.read.good), (Extent::new(0, 1024), 1024));
        assert!(matches!(answer.read.outcome, Outcome::Ok));
    }
}
