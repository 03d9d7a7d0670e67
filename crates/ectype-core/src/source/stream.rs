//! A compressed stream as a source: its content, in order, once.
//!
//! ```text
//!   submit ──► a thread that inflates into the buffers, in order ──► complete
//! ```
//!
//! A copy wants to know how long its source is before it begins. Where the container tells ([`told_size`]: xz and zstd), one
//! pass is enough, and the last answer comes only when what was told was true; where it does not (gzip's number is
//! modulo 4 GiB, bzip2 has none), the stream is inflated once before, to count ([`count`]).

use super::inflate::{Compression, Inflate};
use super::{Answer, Geometry, KnownGood, Outcome, Read, Source};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, PIECE};
use crate::io::ReadAt;
use crate::os::buffer::Buffer;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Nothing here is narrowed to sectors; this is what others expect of a file.
const SECTOR: u32 = 512;

/// How long the content of a compressed file is, as far as it tells so without being inflated. Not yet believed: that the
/// content ends there is found out by reading it.
pub fn told_size(stored: &dyn ReadAt) -> Result<Option<u64>> {
    match Compression::of(stored) {
        Some(Compression::Zstd) => crate::image::zst::content_size(stored),
        Some(Compression::Xz) => super::xz::content_size(stored),
        _ => Ok(None),
    }
}

/// How long the content of a compressed file is, by inflating all of it. `tell` is called now and then with the position in
/// the compressed file, and ends the counting with false.
pub fn count(stored: Arc<dyn ReadAt>, tell: &mut dyn FnMut(u64) -> bool) -> Result<u64> {
    let mut inflate = Inflate::new(stored)?;
    let position = inflate.position();
    let mut buffer = vec![0; PIECE as usize];
    loop {
        if !tell(position.load(Ordering::Relaxed)) {
            return Err(Error::new(Kind::Cancelled, "stopped while the content of a stream was counted"));
        }
        if inflate.fill(&mut buffer)? < buffer.len() {
            return Ok(inflate.produced());
        }
    }
}

/// A compressed stream that is copied.
pub struct StreamSource {
    size: u64,
    requests: Sender<(Extent, Buffer)>,
    answers: Receiver<Answer>,
    in_flight: usize,
    position: Arc<AtomicU64>,
}

impl StreamSource {
    /// The content of `stored`, `size` bytes long as was told or counted: another length is an error of the last read.
    pub fn new(stored: Arc<dyn ReadAt>, size: u64) -> Result<StreamSource> {
        let inflate = Inflate::new(stored)?;
        let position = inflate.position();
        let (requests, asked) = unbounded::<(Extent, Buffer)>();
        let (answer, answers) = unbounded();
        let mut stream = Stream { inflate, size, failed: None };
        let work = move || {
            // Ends when the source, and with it the sender, is dropped.
            while let Ok((at, mut buffer)) = asked.recv() {
                let read = stream.read(at, &mut buffer);
                if answer.send(Answer { at, buffer, read }).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("ectype-inflate".into()).spawn(work);
        thread.map_err(|error| Error::io("starting a thread that inflates", error))?;
        Ok(StreamSource { size, requests, answers, in_flight: 0, position })
    }

    /// Up to which byte of the compressed file it was read.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }
}

impl Source for StreamSource {
    fn geometry(&self) -> Geometry {
        Geometry { size: self.size, sector: 1, physical_sector: SECTOR }
    }

    fn submit(&mut self, at: Extent, buffer: Buffer) {
        assert!(at.len <= buffer.len() as u64, "a request fits its buffer");
        self.requests.send((at, buffer)).expect("the inflating thread lives as long as its source");
        self.in_flight += 1;
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn complete(&mut self, wait: Duration) -> Option<Answer> {
        if self.in_flight == 0 {
            return None;
        }
        match self.answers.recv_timeout(wait) {
            Ok(answer) => {
                self.in_flight -= 1;
                Some(answer)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the inflating thread ended without an answer"),
        }
    }

    /// A stream has no sectors that could be bad: all its failures end the copy, and nothing is to be found out by asking.
    fn alive(&mut self, _known_good: Option<&KnownGood>) -> Result<()> {
        Ok(())
    }
}

/// The stream on its thread.
struct Stream {
    inflate: Inflate,
    size: u64,
    /// What was wrong, once something was: nothing can be read any more.
    failed: Option<(io::ErrorKind, String)>,
}

impl Stream {
    fn read(&mut self, at: Extent, buffer: &mut Buffer) -> Read {
        let begun = Instant::now();
        let mut good = 0;
        let read = match &self.failed {
            Some((kind, what)) => Err(io::Error::new(*kind, what.clone())),
            None => self.fill(at, &mut buffer[..at.len as usize], &mut good),
        };
        let outcome = match read {
            Ok(()) => Outcome::Ok,
            Err(error) => {
                self.failed.get_or_insert_with(|| (error.kind(), error.to_string()));
                Outcome::Failed(error)
            }
        };
        Read { good, outcome, took: begun.elapsed() }
    }

    fn fill(&mut self, at: Extent, out: &mut [u8], good: &mut u64) -> io::Result<()> {
        let in_io = |error: Error| match error.io_cause().and_then(io::Error::raw_os_error) {
            Some(code) => io::Error::from_raw_os_error(code),
            None => error.into_io(),
        };
        if at.offset < self.inflate.produced() {
            let what = "a compressed stream cannot be read backwards";
            return Err(Error::unsupported(what).at(at.offset).into_io());
        }
        while self.inflate.produced() < at.offset {
            let skipped = (at.offset - self.inflate.produced()).min(PIECE);
            let mut scratch = vec![0; skipped as usize];
            if self.inflate.fill(&mut scratch).map_err(in_io)? < scratch.len() {
                return Err(self.other_length());
            }
        }
        let before = self.inflate.produced();
        let filled = self.inflate.fill(out);
        *good = self.inflate.produced() - before;
        if filled.map_err(in_io)? < out.len() {
            return Err(self.other_length());
        }
        // The last bytes are good only if nothing is behind them, and all checksums were right.
        if at.end() >= self.size && self.inflate.fill(&mut [0]).map_err(in_io)? > 0 {
            *good = 0;
            return Err(self.other_length());
        }
        Ok(())
    }

    fn other_length(&self) -> io::Error {
        let (name, size, came) = (self.inflate.compression().name(), self.size, self.inflate.produced());
        let more = if came > size { " or more" } else { "" };
        let what = format!("the {name} stream should hold {size} bytes, and holds {came}{more}");
        Error::corrupt(self.inflate.position().load(Ordering::Relaxed), what).into_io()
    }
}
