//! Writes in flight: a few threads that write, and what becomes of a write that fails.
//!
//! ```text
//!   put ──► work, with its hand on the block ──► writing threads ──► done, oldest first
//!                                                         └ failed: halves, sectors, each once more; then it is named
//! ```
//!
//! A later write replaces an earlier one: what touches a write in flight waits for it.

use super::onto::Onto;
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents, PIECE};
use crate::image::Block;
use crate::os::Blame;
use crate::os::buffer::Buffer;
use crate::os::file::blame;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;

/// Writes in flight, of a piece each at most: what a fast device wants, and what hides that others use the machine.
pub(super) const DEPTH: usize = 16;

/// So many sectors that cannot be written are named, and then nothing is written any more: such a disk is no home for data.
const MOST_BAD: u64 = 1000;

struct Request {
    at: Extent,
    block: Block,
    /// Where in the block the bytes begin.
    start: usize,
    done: Sender<Done>,
}

struct Done {
    bad: Vec<Extent>,
    failed: Option<Error>,
}

/// Writes to a target, several at a time.
pub(super) struct Writer {
    onto: Arc<dyn Onto>,
    name: String,
    work: Sender<Request>,
    waiting: Receiver<Request>,
    threads: usize,
    order: VecDeque<(Extent, Receiver<Done>)>,
    /// What the target would not take.
    bad: Extents,
    /// Bytes of data that were written.
    written: u64,
    /// Why the target does not confirm that it keeps what it was given.
    unconfirmed: Option<io::Error>,
}

impl Writer {
    pub(super) fn new(onto: Arc<dyn Onto>, name: String) -> Writer {
        let (work, waiting) = unbounded();
        Writer {
            onto,
            name,
            work,
            waiting,
            threads: 0,
            order: VecDeque::new(),
            bad: Extents::new(),
            written: 0,
            unconfirmed: None,
        }
    }

    pub(super) fn onto(&self) -> &Arc<dyn Onto> {
        &self.onto
    }

    /// What the target would not take, so far as it is known.
    pub(super) fn bad(&self) -> &Extents {
        &self.bad
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Writes to `at` the bytes of `block` from `start` on.
    pub(super) fn put(&mut self, at: Extent, block: &Block, start: usize) -> Result<()> {
        self.wait_for(at)?;
        if self.order.len() >= DEPTH {
            self.complete()?;
        }
        let (done, answer) = bounded(1);
        self.order.push_back((at, answer));
        self.written += at.len;
        if self.threads < self.order.len()
            && let Err(error) = self.start_thread()
            && self.threads == 0
        {
            let error = Error::new(Kind::Limit, "the system starts no further thread").because(error);
            let _ = done.send(Done { bad: Vec::new(), failed: Some(error) });
            return self.complete();
        }
        let block = Arc::clone(block);
        self.work.send(Request { at, block, start, done }).expect("the writer keeps a receiver of its own");
        Ok(())
    }

    fn start_thread(&mut self) -> io::Result<()> {
        let (onto, waiting, name) = (Arc::clone(&self.onto), self.waiting.clone(), self.name.clone());
        let write_all = move || {
            // Ends when the writer, and with it the sender, is dropped.
            while let Ok(Request { at, block, start, done }) = waiting.recv() {
                let mut bad = Vec::new();
                let data = &(*block).as_ref()[start..][..at.len as usize];
                let failed = write(&*onto, &name, data, at.offset, &mut bad).err();
                // Who waits for the answer may want the buffer.
                drop(block);
                let _ = done.send(Done { bad, failed });
            }
        };
        thread::Builder::new().name("ectype-write".into()).spawn(write_all)?;
        self.threads += 1;
        Ok(())
    }

    /// The bytes of `at` become zeros.
    pub(super) fn zero(&mut self, at: Extent) -> Result<()> {
        self.wait_for(at)?;
        let Err(error) = self.onto.zero_at(at) else { return Ok(()) };
        refuse_unless_medium(&*self.onto, &self.name, error, at.offset)?;
        let zeros = Buffer::new(PIECE.min(at.len) as usize);
        let (mut offset, mut bad) = (at.offset, Vec::new());
        while offset < at.end() {
            let len = (at.end() - offset).min(PIECE);
            write(&*self.onto, &self.name, &zeros[..len as usize], offset, &mut bad)?;
            self.take_bad(std::mem::take(&mut bad))?;
            offset += len;
        }
        Ok(())
    }

    /// Nobody uses the bytes of `at`; false where the target cannot be told.
    pub(super) fn discard(&mut self, at: Extent) -> Result<bool> {
        self.wait_for(at)?;
        self.onto.discard(at).map_err(|error| failed(&self.name, error, at.offset))
    }

    /// Waits for everything, and makes it durable. A medium that fails in this is read back all the same.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.drain()?;
        match self.onto.flush() {
            Err(error) if blame(&error) == Blame::Medium => {
                self.onto.alive()?;
                self.unconfirmed = Some(error);
                Ok(())
            }
            answer => answer.map_err(|error| Error::writing(format!("flushing {}", self.name), error)),
        }
    }

    pub(super) fn unconfirmed(&self) -> Option<&io::Error> {
        self.unconfirmed.as_ref()
    }

    pub(super) fn drain(&mut self) -> Result<()> {
        while !self.order.is_empty() {
            self.complete()?;
        }
        Ok(())
    }

    /// Waits for what is in flight in the sectors of `at`.
    fn wait_for(&mut self, at: Extent) -> Result<()> {
        let sector = self.onto.geometry().physical_sector.into();
        let sectors = |at: Extent| at.align_out(sector);
        let at = sectors(at);
        while self.order.iter().any(|(flying, _)| !sectors(*flying).intersect(at).is_empty()) {
            self.complete()?;
        }
        Ok(())
    }

    /// Takes the answer to the oldest write.
    fn complete(&mut self) -> Result<()> {
        let Some((_, answer)) = self.order.pop_front() else { return Ok(()) };
        let Ok(done) = answer.recv() else { panic!("a writing thread ended without an answer") };
        let lost: u64 = done.bad.iter().map(|at| at.len).sum();
        self.written = self.written.saturating_sub(lost);
        self.take_bad(done.bad)?;
        done.failed.map_or(Ok(()), Err)
    }

    fn take_bad(&mut self, bad: Vec<Extent>) -> Result<()> {
        for at in bad {
            self.bad.insert(at);
        }
        let sector = u64::from(self.onto.geometry().physical_sector);
        if self.bad.bytes() <= MOST_BAD * sector {
            return Ok(());
        }
        let first = self.bad.iter().next().map_or(0, |at| at.offset);
        Err(Error::new(Kind::Io, format!("more than {MOST_BAD} sectors of {} cannot be written", self.name))
            .at(first)
            .advise("that disk is failing: restore onto another one"))
    }
}

/// Writes `data`; what of it the medium would not take, after another try, goes to `bad`. An error is not the medium's.
fn write(onto: &dyn Onto, name: &str, data: &[u8], offset: u64, bad: &mut Vec<Extent>) -> Result<()> {
    let Err(error) = onto.write_at(data, offset) else { return Ok(()) };
    refuse_unless_medium(onto, name, error, offset)?;
    in_halves(onto, name, data, offset, bad)
}

fn in_halves(onto: &dyn Onto, name: &str, data: &[u8], offset: u64, bad: &mut Vec<Extent>) -> Result<()> {
    let at = Extent::new(offset, data.len() as u64);
    // In a piece of which so many sectors failed the rest is not tried one by one: each may take half a minute.
    let sector = u64::from(onto.geometry().physical_sector);
    if bad.iter().map(|at| at.len).sum::<u64>() > MOST_BAD * sector {
        name_bad(bad, at);
        return Ok(());
    }
    let again = match onto.write_at(data, offset) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    if blame(&again) != Blame::Medium {
        return Err(failed(name, again, offset));
    }
    let middle = (offset + at.len / 2).next_multiple_of(sector);
    if at.len <= sector || middle >= at.end() {
        name_bad(bad, at);
        return Ok(());
    }
    let (head, tail) = data.split_at((middle - offset) as usize);
    in_halves(onto, name, head, offset, bad)?;
    in_halves(onto, name, tail, middle, bad)
}

fn name_bad(bad: &mut Vec<Extent>, at: Extent) {
    match bad.last_mut() {
        Some(last) if last.end() == at.offset => last.len += at.len,
        _ => bad.push(at),
    }
}

/// A failure that is not the medium's ends the writing; of what vanished no sector is bad.
fn refuse_unless_medium(onto: &dyn Onto, name: &str, error: io::Error, offset: u64) -> Result<()> {
    if blame(&error) != Blame::Medium {
        return Err(failed(name, error, offset));
    }
    onto.alive().map_err(|gone| gone.because(error))
}

fn failed(name: &str, error: io::Error, offset: u64) -> Error {
    match blame(&error) {
        Blame::Gone => Error::new(Kind::Gone, format!("{name} is gone, or its medium")).because(error),
        _ => Error::writing(format!("writing {name}"), error),
    }
    .at(offset)
}
