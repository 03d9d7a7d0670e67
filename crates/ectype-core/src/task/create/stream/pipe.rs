//! A pipe as the storage of an image that is written in order.
//!
//! ```text
//!   sink ── write_at, zero_at ──► [ at most 4 parts ] ──► thread ── write ──► the other end
//! ```
//!
//! The thread is what makes a stop possible: a write into a full pipe returns when the other end reads on, or never.

use crate::error::again;
use crate::extent::Extent;
use crate::io::{ReadAt, WriteAt};
use crate::os::file::numbers;
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long is waited before it is looked whether to stop.
const GLANCE: Duration = Duration::from_millis(50);
/// How long a pipe that somebody set not to wait is left alone when it is full.
const NAP: Duration = Duration::from_millis(2);
/// So many parts are on their way to the thread.
const PARTS: usize = 4;
/// What is written of zeros at once.
static ZEROS: [u8; 256 << 10] = [0; 256 << 10];

/// What is sent next.
enum Part {
    Bytes(Vec<u8>),
    Zeros(u64),
}

/// The near end of a pipe; grows and is never read.
pub(super) struct Pipe {
    /// How much was given, and the way to the thread until the end.
    front: Mutex<(u64, Option<Sender<Part>>)>,
    /// Buffers that come back.
    spare: Receiver<Vec<u8>>,
    /// Closed when the thread is done.
    done: Receiver<()>,
    shared: Arc<Shared>,
    end: End,
}

/// What ends it before its time.
#[derive(Clone)]
struct End {
    stop: Arc<AtomicBool>,
    /// So long it is waited for whoever reads.
    until: Option<Instant>,
}

impl End {
    fn is_there(&self) -> io::Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

#[derive(Default)]
struct Shared {
    /// Bytes that the system took.
    sent: AtomicU64,
    failed: OnceLock<io::Error>,
}

impl Pipe {
    /// Sends what is written down `out`, until the end, or until `stop` is true, or at most `until` then.
    pub(super) fn start(out: File, stop: Arc<AtomicBool>, until: Option<Instant>) -> io::Result<Pipe> {
        // A file tells only then that its disk took it.
        let settle = |out: &File| if numbers(out).is_some() { out.sync_all() } else { Ok(()) };
        Pipe::down(out, settle, End { stop, until })
    }

    fn down<W: Write + Send + 'static>(
        out: W,
        settle: impl FnOnce(&W) -> io::Result<()> + Send + 'static,
        end: End,
    ) -> io::Result<Pipe> {
        let (parts, coming) = bounded(PARTS);
        let (back, spare) = bounded(PARTS);
        let (ends, done) = bounded(0);
        let shared = Arc::new(Shared::default());
        let (theirs, their_end) = (Arc::clone(&shared), end.clone());
        std::thread::Builder::new().name("ectype-pipe".into()).spawn(move || {
            let _ends: Sender<()> = ends;
            let mut out = out;
            let poured = pour(&mut out, &coming, &back, &theirs.sent, &their_end);
            if let Err(error) = poured.and_then(|()| settle(&out)) {
                let _ = theirs.failed.set(error);
            }
        })?;
        Ok(Pipe { front: Mutex::new((0, Some(parts))), spare, done, shared, end })
    }

    /// Bytes that the other end, or the system, took.
    pub(super) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Why it takes no more.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.shared.failed.get().map(again)
    }

    /// Returns once everything was taken.
    pub(super) fn end(&self) -> io::Result<()> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner).1 = None;
        while self.done.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
            self.end.is_there()?;
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// Sends what belongs at `offset`: zeros up to there, then `part`, of `len` bytes.
    fn send(&self, offset: u64, len: u64, part: impl FnOnce() -> Part) -> io::Result<()> {
        let mut front = self.front.lock().unwrap_or_else(PoisonError::into_inner);
        let (end, Some(sender)) = &mut *front else { return Err(io::Error::other("the stream has ended")) };
        if offset < *end {
            return Err(io::Error::other("what was sent down a pipe cannot be written again"));
        }
        let gap = (offset > *end).then_some(Part::Zeros(offset - *end));
        for part in gap.into_iter().chain((len > 0).then(part)) {
            self.offer(sender, part)?;
        }
        *end = offset.checked_add(len).ok_or(ErrorKind::FileTooLarge)?;
        Ok(())
    }

    fn offer(&self, sender: &Sender<Part>, mut part: Part) -> io::Result<()> {
        loop {
            match sender.send_timeout(part, GLANCE) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) => part = back,
                Err(SendTimeoutError::Disconnected(_)) => {
                    let _ = self.done.recv();
                    return Err(self.failure().unwrap_or_else(|| ErrorKind::BrokenPipe.into()));
                }
            }
            self.end.is_there()?;
        }
    }
}

/// Writes what comes, until nothing more does.
fn pour(
    out: &mut impl Write,
    parts: &Receiver<Part>,
    back: &Sender<Vec<u8>>,
    sent: &AtomicU64,
    end: &End,
) -> io::Result<()> {
    let mut write = |mut bytes: &[u8]| -> io::Result<()> {
        while !bytes.is_empty() {
            match out.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    sent.fetch_add(count as u64, Ordering::Relaxed);
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    end.is_there()?;
                    std::thread::sleep(NAP);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    for part in parts {
        // Behind a part that was left out nothing has its place.
        end.is_there()?;
        match part {
            Part::Bytes(mut bytes) => {
                write(&bytes)?;
                bytes.clear();
                let _ = back.try_send(bytes);
            }
            Part::Zeros(mut len) => {
                while len > 0 {
                    end.is_there()?;
                    let count = len.min(ZEROS.len() as u64);
                    write(&ZEROS[..count as usize])?;
                    len -= count;
                }
            }
        }
    }
    Ok(())
}

impl ReadAt for Pipe {
    fn size(&self) -> u64 {
        self.front.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn read_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
        Err(io::Error::new(ErrorKind::Unsupported, "what was sent down a pipe cannot be read"))
    }
}

impl WriteAt for Pipe {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.send(offset, data.len() as u64, || {
            let mut bytes = self.spare.try_recv().unwrap_or_default();
            bytes.extend_from_slice(data);
            Part::Bytes(bytes)
        })
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        self.send(at.offset, at.len, || Part::Zeros(at.len))
    }

    /// Nothing that was sent is durable here, and nothing goes on with it.
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.send(size, 0, || Part::Zeros(0))
    }

    fn holds_holes(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    #[test]
    fn gaps_are_zeros_and_what_was_sent_stands() {
        let mut file = tempfile::tempfile().unwrap();
        let pipe = Pipe::start(file.try_clone().unwrap(), Arc::default(), None).unwrap();
        pipe.write_at(b"one", 0).unwrap();
        pipe.write_at(b"two", 5).unwrap();
        pipe.zero_at(Extent::new(8, 1)).unwrap();
        for wrong in [0, 4, 8] {
            assert!(pipe.write_at(b"x", wrong).is_err(), "{wrong}");
        }
        assert!(pipe.set_size(8).is_err());
        assert!(pipe.read_at(&mut [0], 0).is_err());
        pipe.set_size(11).unwrap();
        assert_eq!(pipe.size(), 11);
        pipe.end().unwrap();
        assert!(pipe.write_at(b"x", 11).is_err());
        let mut sent = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut sent).unwrap();
        assert_eq!((sent.as_slice(), pipe.sent()), (&b"one\0\0two\0\0\0"[..], 11));
    }

    #[test]
    fn a_stop_waits_for_nobody() {
        // Nobody reads: the pipe fills, then the way to the thread.
        let (_reader, writer) = io::pipe().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let pipe = Pipe::down(writer, |_| Ok(()), End { stop: Arc::clone(&stop), until: None }).unwrap();
        let stopping = std::thread::spawn(move || {
            std::thread::sleep(GLANCE * 2);
            stop.store(true, Ordering::Relaxed);
        });
        let refused = (0..64).find_map(|part| pipe.write_at(&[7; 1 << 16], part << 16).err());
        assert!(refused.is_some());
        assert!(pipe.end().is_err());
        stopping.join().unwrap();
    }

    #[test]
    fn nobody_is_waited_for_longer_than_was_given() {
        let (_reader, writer) = io::pipe().unwrap();
        let until = Some(Instant::now() + GLANCE * 2);
        let pipe = Pipe::down(writer, |_| Ok(()), End { stop: Arc::default(), until }).unwrap();
        let refused = (0..64).find_map(|part| pipe.write_at(&[7; 1 << 16], part << 16).err());
        assert_eq!(refused.unwrap().kind(), ErrorKind::TimedOut);
        assert_eq!(pipe.end().unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn what_was_sent_before_a_stop_is_the_beginning_and_nothing_else() {
        const GAP: u64 = 64 << 20;
        let (mut reader, writer) = io::pipe().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let pipe = Pipe::down(writer, |_| Ok(()), End { stop: Arc::clone(&stop), until: None }).unwrap();
        pipe.zero_at(Extent::new(0, GAP)).unwrap();
        pipe.write_at(b"what lies behind", GAP).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert!(pipe.end().is_err());
        let mut sent = Vec::new();
        reader.read_to_end(&mut sent).unwrap();
        assert!((sent.len() as u64) < GAP && crate::io::is_zero(&sent));
    }

    #[test]
    fn a_closed_pipe_says_so_again_and_again() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let pipe = Pipe::down(writer, |_| Ok(()), End { stop: Arc::default(), until: None }).unwrap();
        let refused = (0..64).find_map(|part| pipe.write_at(&[7; 1 << 16], part << 16).err()).unwrap();
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
        assert_eq!(pipe.failure().unwrap().kind(), ErrorKind::BrokenPipe);
        assert_eq!(pipe.end().unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(pipe.sent(), 0);
    }
}
