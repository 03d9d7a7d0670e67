//! A run that reads a source in use from snapshots, and what became of a source meanwhile.

use super::super::open::Consistency;
use super::super::snapshot::undecided;
use super::outcome::Ended;
use super::{Failed, Prepared};
use crate::copy::Copied;
use crate::error::{Error, Kind, Result};
use crate::proof::identity::Moment;
use crate::watch::Watch;

impl Prepared {
    /// Whether somebody has to agree that the image of an encrypted source is not encrypted.
    pub fn asks(&self) -> bool {
        !self.plan.decrypts.is_empty() && !self.options.decrypted
    }

    /// Agrees to that.
    pub fn decrypt(&mut self) {
        self.options.decrypted = true;
    }

    /// The refusal where nobody did.
    pub fn undecided(&self) -> Error {
        undecided(&self.plan.decrypts)
    }

    /// Makes the snapshots that the plan wants.
    pub(super) fn take_snapshots(&mut self, watch: &Watch) -> Result<()> {
        if self.asks() {
            return Err(self.undecided());
        }
        let image = self.files.image.display().to_string();
        let (parts, why) = self.opened.take_snapshots(&image, watch)?;
        // What an earlier run took on its word stays so.
        if self.plan.consistency == Consistency::Snapshot {
            self.plan.consistency = self.opened.consistency;
        }
        for line in &why {
            watch.say(line.clone());
        }
        self.plan.parts = parts;
        self.plan.why.extend(why);
        Ok(())
    }

    /// What was copied counts only if the snapshots lived to the end of it.
    pub(super) fn end_snapshots(&mut self, copied: Copied, watch: &Watch) -> Result<Copied, Failed> {
        let notes = self.opened.end_snapshots(watch).map_err(Failed::Resumable)?;
        for line in &notes {
            watch.say(line.clone());
        }
        self.plan.why.extend(notes);
        Ok(copied)
    }

    pub(super) fn was_written(&self, before: &Moment, now: &Moment) -> bool {
        let differs =
            |before: Option<u64>, now: Option<u64>| before.is_some() && now.is_some() && before != now;
        !self.opened.immutable
            && (differs(before.writes, now.writes) || before.file != now.file || before.others != now.others)
    }

    /// Whether nothing may prove to the same command that nothing was written meanwhile.
    pub(super) fn rereads(&self, status: &Ended) -> bool {
        let of_now = || self.opened.moment_now();
        !self.opened.immutable
            && match status {
                Ended::Whole => false,
                // It was written to: to read it again is right.
                Ended::Stopped(error) if error.kind() == Kind::Changed => false,
                // Once it is back it is another insertion.
                Ended::Stopped(error) if error.kind() == Kind::Gone => self.opened.device.is_some(),
                _ => !self.opened.moment.proves_unchanged(&of_now()),
            }
    }
}
