//! A source whose volumes are in use: read from snapshots of them, which lie over the disk.
//!
//! ```text
//!   open    which volumes the disk has, and whether they are encrypted        (touches nothing)
//!   take    the set ─► its devices over the disk; who has none: held, or read until two readings agree
//!   read …  and in the end the writers are told, and the snapshots go
//! ```

use crate::error::{Error, Kind, Result};
use crate::extent::Extent;
use crate::fs;
use crate::io::ReadAt;
use crate::os::disk::Disk;
use crate::os::snapshot::Id;
use crate::os::{Device, Lock};
use crate::proof::record::PartFacts;
use crate::source::snapshot::{
    self, Cipher, Making, Note, Passing, Piece, Set, System, arrange, covered, make,
};
use crate::source::{DeviceReader, OverlayReader, OverlaySource, Part};
use crate::task::open::Consistency;
use crate::watch::{Phase, Watch};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A disk or a volume, and the volumes that will be read from snapshots.
pub(super) struct Layout {
    system: Arc<dyn System>,
    device: Device,
    disk: Arc<Disk>,
    pieces: Vec<Piece>,
}

/// The snapshots, held as long as this lives.
pub(super) struct Held {
    set: Option<Arc<Mutex<Set>>>,
    // Goes after the set.
    _note: Option<Note>,
}

/// A layout with its snapshots.
pub(super) struct Taken {
    pub(super) source: OverlaySource,
    pub(super) reader: Box<dyn Fn() -> Result<Box<dyn ReadAt>> + Send>,
    pub(super) parts: Vec<PartFacts>,
    pub(super) why: Vec<String>,
    pub(super) consistency: Consistency,
    pub(super) held: Held,
}

impl Layout {
    /// The volumes of `device`, which is open as `disk`.
    pub(super) fn of(device: &Device, disk: &Arc<Disk>, system: Arc<dyn System>) -> Result<Layout> {
        let mut pieces = pieces(device, disk, &*system)?;
        if pieces.is_empty() {
            let context =
                format!("{} has no volume of which a snapshot could be made", device.path.display());
            return Err(Error::refused(context).advise("hold it while it is copied:  --consistency lock"));
        }
        for piece in &mut pieces {
            piece.cipher = cipher(device, disk, piece, &*system);
        }
        Ok(Layout { system, device: device.clone(), disk: Arc::clone(disk), pieces })
    }

    /// The volumes that are unlocked now: their image is not encrypted.
    pub(super) fn unlocked(&self) -> Vec<String> {
        shown(&self.pieces, Cipher::Unlocked)
    }

    /// What the plan says.
    pub(super) fn why(&self) -> Vec<String> {
        let mut why = Vec::new();
        let plain = self.pieces.iter().filter(|piece| piece.cipher != Cipher::Locked);
        let plain: Vec<&str> = plain.map(|piece| piece.shown.as_str()).collect();
        let rest =
            if self.device.whole.is_none() { "; what lies between them is read from the disk" } else { "" };
        if !plain.is_empty() {
            why.push(format!(
                "in use, so it is read from snapshots of {}, of one instant{rest}",
                plain.join(", ")
            ));
        }
        why.extend(of_volumes(&self.pieces));
        why
    }

    /// Refuses an image on a volume that is imaged: it would grow into its own snapshot's differences.
    pub(super) fn refuse_target(&self, image: &Path) -> Result<()> {
        let Some(volume) = self.system.volume_of(image) else { return Ok(()) };
        let same = |piece: &&Piece| piece.volume.eq_ignore_ascii_case(&volume);
        match self.pieces.iter().find(same) {
            None => Ok(()),
            Some(piece) => {
                Err(Error::refused(format!("the image would lie on {}, which is being imaged", piece.shown))
                    .advise("choose a folder on another disk, or on the network"))
            }
        }
    }

    /// Makes the snapshots.
    ///
    /// # Errors
    /// What the service refused; `Cancelled`.
    pub(super) fn take(&self, image: &str, watch: &Watch) -> Result<Taken> {
        watch.enter(Phase::Snapshot, 0);
        let service = self.system.service()?;
        let stop: &dyn Fn() -> bool = &|| watch.stop_asked();
        let eligible: Vec<&Piece> =
            self.pieces.iter().filter(|piece| piece.cipher != Cipher::Locked).collect();
        let names: Vec<String> = eligible.iter().map(|piece| piece.volume.clone()).collect();
        let clock = Passing::new();
        let folder = self.system.notes();
        let mut note = None;
        let made = make(
            &names,
            Making {
                service: &*service,
                clock: &clock,
                stop,
                tell: &|text| watch.say(text),
                note: &mut |set: Id| {
                    note = None;
                    note = folder.as_ref().and_then(|folder| snapshot::note(folder, set, image));
                    Ok(())
                },
            },
        )?;
        let set = made.set.map(|set| Arc::new(Mutex::new(set)));
        // From here on an error drops the set, and with it the snapshots.
        let held = Held { set, _note: note };
        let mut why = made.notes;
        let mut parts = Vec::new();
        let mut facts = Vec::new();
        let snapshots = held.set.as_ref().map(|set| {
            let set = set.lock().unwrap_or_else(PoisonError::into_inner);
            set.snapshots.clone()
        });
        let sector = u64::from(self.disk.geometry().sector);
        let (mut is_torn, has_set) = (false, held.set.is_some());
        for (number, snapshot) in snapshots.into_iter().flatten() {
            let piece = eligible[number];
            let disk = self.system.open(Path::new(&snapshot.device), &self.device, Lock::Shared, stop)?;
            let at = covered(piece, disk.geometry().size, sector.max(disk.geometry().sector.into()))?;
            facts.push(fact(piece, at, "snapshot", true, String::new()));
            if at.len < piece.at.len {
                let note = format!("the snapshot is {} bytes shorter than the volume", piece.at.len - at.len);
                why.push(format!("{}: {note}: the rest is read from the disk", piece.shown));
                facts.push(fact(piece, Extent::between(at.end(), piece.at.end()), "disk", false, note));
            }
            if !at.is_empty() {
                parts.push(Part { at, disk: Arc::new(disk), agreed: None });
            }
        }
        for (number, reason) in made.left_out {
            let piece = eligible[number];
            let (part, is_held) = self.without_snapshot(piece, watch)?;
            is_torn |= !is_held;
            let how = if is_held { "held while it is copied" } else { "read until two readings agreed" };
            why.push(format!("{}: no snapshot ({reason}): {how}, and not of that instant", piece.shown));
            facts.push(fact(piece, part.at, "volume", false, format!("{reason}; {how}")));
            parts.push(part);
        }
        for piece in self.pieces.iter().filter(|piece| piece.cipher == Cipher::Locked) {
            // Nobody holds it, and its key may be given to the system meanwhile.
            is_torn = true;
            facts.push(fact(piece, piece.at, "disk", false, "ciphertext of a locked volume".to_owned()));
        }
        gaps(&mut facts, self.disk.geometry().size);
        let consistency = match (has_set, is_torn) {
            (true, _) => Consistency::Snapshot,
            (false, false) => Consistency::Lock,
            (false, true) => Consistency::None,
        };
        let again = || parts.iter().map(copy_of).collect::<Vec<Part>>();
        let (whole, for_reader) = (Arc::clone(&self.disk), again());
        let reader = Box::new(move || {
            let parts = for_reader.iter().map(copy_of).collect();
            Ok(Box::new(OverlayReader::new(Arc::clone(&whole), parts)?) as Box<dyn ReadAt>)
        });
        let mut source = OverlaySource::new(Arc::clone(&self.disk), again())?;
        if let Some(set) = held.set.clone() {
            let guard = move || set.lock().unwrap_or_else(PoisonError::into_inner).check();
            source = source.guarded(Arc::new(guard));
        }
        Ok(Taken { source, reader, parts: facts, why, consistency, held })
    }

    /// A volume that could not take part, and whether it is held.
    fn without_snapshot(&self, piece: &Piece, watch: &Watch) -> Result<(Part, bool)> {
        let path = Path::new(&piece.volume);
        let stop = || watch.stop_asked();
        let open = |lock| self.system.open(path, &self.device, lock, &stop);
        let at = |disk: &Disk| {
            let sector = u64::from(self.disk.geometry().sector.max(disk.geometry().sector));
            covered(piece, disk.geometry().size, sector)
        };
        match open(Lock::Exclusive) {
            Ok(disk) if disk.knows_lock() => {
                return Ok((Part { at: at(&disk)?, disk: Arc::new(disk), agreed: None }, true));
            }
            Err(error) if error.kind() == Kind::Cancelled => return Err(error),
            _ => {}
        }
        let disk = Arc::new(open(Lock::Shared)?);
        let at = at(&disk)?;
        watch.say(format!(
            "{} has no snapshot and cannot be held: it is read until two readings agree",
            piece.shown
        ));
        let agreed = snapshot::agree(&disk, at, &piece.shown, &stop)?;
        Ok((Part { at, disk, agreed: Some(Arc::new(agreed)) }, false))
    }
}

fn copy_of(part: &Part) -> Part {
    Part { at: part.at, disk: Arc::clone(&part.disk), agreed: part.agreed.clone() }
}

fn fact(piece: &Piece, at: Extent, from: &str, instant: bool, note: String) -> PartFacts {
    let volume = Some(piece.shown.clone());
    PartFacts { offset: at.offset, length: at.len, from: from.to_owned(), volume, instant, note }
}

/// Adds what lies between the volumes, and sorts.
fn gaps(facts: &mut Vec<PartFacts>, size: u64) {
    facts.retain(|fact| fact.length > 0);
    facts.sort_by_key(|fact| fact.offset);
    let mut end = 0;
    let mut between = Vec::new();
    let bounds = facts.iter().map(|fact| (fact.offset, fact.offset + fact.length)).chain([(size, size)]);
    for (from, to) in bounds {
        if from > end {
            between.push(PartFacts {
                offset: end,
                length: from - end,
                from: "disk".to_owned(),
                volume: None,
                instant: false,
                note: "partition tables, and what lies between volumes".to_owned(),
            });
        }
        end = to;
    }
    facts.extend(between);
    facts.sort_by_key(|fact| fact.offset);
}

/// The volumes of `device`, which is open as `disk`; whether they are encrypted is not asked yet.
fn pieces(device: &Device, disk: &Disk, system: &dyn System) -> Result<Vec<Piece>> {
    let size = disk.geometry().size;
    if device.whole.is_none() {
        let (number, volumes) = system.volumes(&device.path)?;
        return arrange(number, size, &volumes);
    }
    let volume = system.volume_of(&device.path).ok_or_else(|| {
        let context = format!("the system knows no volume {}", device.path.display());
        Error::refused(context).advise("hold it while it is copied:  --consistency lock")
    })?;
    let shown = device.mounts.first().map_or_else(
        || device.path.display().to_string(),
        |mount| mount.target.display().to_string().trim_end_matches('\\').to_owned(),
    );
    Ok(vec![Piece { volume, shown, at: Extent::new(0, size), cipher: Cipher::None }])
}

/// Whether the disk has ciphertext where the volume gives what it means.
fn cipher(device: &Device, disk: &Arc<Disk>, piece: &Piece, system: &dyn System) -> Cipher {
    let below = system.below(device);
    if !is_ciphertext(device, disk, below.as_deref(), piece, system) {
        return Cipher::None;
    }
    let given = match below {
        Some(_) => first(disk, 0),
        None => {
            let volume = system.open(Path::new(&piece.volume), device, Lock::Shared, &|| false);
            volume.ok().and_then(|volume| first(&Arc::new(volume), 0))
        }
    };
    match given {
        Some(sector) if !fs::is_bitlocker(&sector) => Cipher::Unlocked,
        _ => Cipher::Locked,
    }
}

/// Whether the disk has ciphertext for a volume. One that is the source itself gives what it means: there the disk `below` it is
/// asked.
fn is_ciphertext(
    device: &Device,
    disk: &Arc<Disk>,
    below: Option<&Path>,
    piece: &Piece,
    system: &dyn System,
) -> bool {
    let raw = match below {
        None => first(disk, piece.at.offset),
        Some(below) => system.volumes(below).ok().and_then(|(number, volumes)| {
            let own = volumes.iter().find(|volume| volume.name.eq_ignore_ascii_case(&piece.volume))?;
            let extent = own.extents.iter().find(|extent| extent.disk == number)?;
            let below = Arc::new(system.open(below, device, Lock::Shared, &|| false).ok()?);
            first(&below, extent.at.offset)
        }),
    };
    raw.is_some_and(|sector| fs::is_bitlocker(&sector))
}

/// The sector at `offset`, where it can be read.
fn first(disk: &Arc<Disk>, offset: u64) -> Option<Vec<u8>> {
    let mut sector = vec![0; 512];
    DeviceReader::new(Arc::clone(disk)).read_at(&mut sector, offset).ok().map(|()| sector)
}

/// Those of the volumes to which BitLocker does this, as people know them.
fn shown(pieces: &[Piece], cipher: Cipher) -> Vec<String> {
    pieces.iter().filter(|piece| piece.cipher == cipher).map(|piece| piece.shown.clone()).collect()
}

/// What is to be said of encrypted volumes that are read as volumes.
fn of_volumes(pieces: &[Piece]) -> Vec<String> {
    let (unlocked, locked) = (shown(pieces, Cipher::Unlocked), shown(pieces, Cipher::Locked));
    let mut why = Vec::new();
    if !unlocked.is_empty() {
        why.push(format!(
            "BitLocker, unlocked ({}): the image holds what it means, not ciphertext, so anybody can read the image, and what is restored from it is not protected until BitLocker is turned on again",
            unlocked.join(", ")
        ));
    }
    if !locked.is_empty() {
        why.push(format!(
            "BitLocker, locked ({}): copied as ciphertext, which its key opens after a restore",
            locked.join(", ")
        ));
    }
    why
}

/// Of a device that is read without snapshots: what is to be said of BitLocker, and the volumes whose image will not be
/// encrypted. Where nobody tells, nothing. `perhaps`: by the time of the run it may be read from snapshots after all.
pub(super) fn without_snapshots(
    device: &Device,
    disk: &Arc<Disk>,
    system: &dyn System,
    perhaps: bool,
) -> (Vec<String>, Vec<String>) {
    let mut pieces = pieces(device, disk, system).unwrap_or_default();
    let below = system.below(device);
    pieces.retain(|piece| is_ciphertext(device, disk, below.as_deref(), piece, system));
    if pieces.is_empty() {
        return (Vec::new(), Vec::new());
    }
    // Volumes of a disk that is held answer nobody.
    if below.is_some() || perhaps {
        for piece in &mut pieces {
            piece.cipher = cipher(device, disk, piece, system);
        }
    }
    if below.is_some() {
        return (of_volumes(&pieces), shown(&pieces, Cipher::Unlocked));
    }
    let names: Vec<&str> = pieces.iter().map(|piece| piece.shown.as_str()).collect();
    let mut why = vec![format!(
        "BitLocker ({}): a disk that is held gives ciphertext, which the key opens after a restore",
        names.join(", ")
    )];
    let unlocked = shown(&pieces, Cipher::Unlocked);
    if !unlocked.is_empty() {
        why.push(format!(
            "read from snapshots, the image would hold what {} means, not ciphertext: that is asked before, or answered by --decrypted",
            unlocked.join(", ")
        ));
    }
    (why, Vec::new())
}

impl Held {
    /// Whether the snapshots still are there.
    ///
    /// # Errors
    /// `Gone` where one was lost.
    pub(super) fn check(&self) -> Result<()> {
        let check = |set: &Arc<Mutex<Set>>| set.lock().unwrap_or_else(PoisonError::into_inner).check();
        self.set.as_ref().map_or(Ok(()), check)
    }

    /// Tells the writers that the backup is over; lines that are worth telling. The snapshots stay until this is dropped.
    pub(super) fn complete(&self, watch: &Watch) -> Vec<String> {
        let complete = |set: &Arc<Mutex<Set>>| {
            let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
            set.complete(&Passing::new(), &|| watch.stop_asked())
        };
        self.set.as_ref().map(complete).unwrap_or_default()
    }
}

/// The refusal of a source that is decrypted, where nobody agreed to that.
pub(super) fn undecided(volumes: &[String]) -> Error {
    let context = format!(
        "{} is encrypted by BitLocker and unlocked: its image would not be protected",
        volumes.join(", ")
    );
    Error::new(Kind::Refused, context)
        .advise("that is right:              --decrypted")
        .advise("an image of the ciphertext: lock the volume first, with  manage-bde -lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_where_it_came_from() {
        let piece =
            Piece { volume: "v".into(), shown: "C:".into(), at: Extent::new(100, 200), cipher: Cipher::None };
        let mut facts = vec![
            fact(&piece, Extent::new(250, 50), "disk", false, String::new()),
            fact(&piece, Extent::new(100, 150), "snapshot", true, String::new()),
            fact(&piece, Extent::new(400, 0), "snapshot", true, String::new()),
        ];
        gaps(&mut facts, 1000);
        let told: Vec<_> = facts.iter().map(|fact| (fact.offset, fact.length, &*fact.from)).collect();
        assert_eq!(told, [(0, 100, "disk"), (100, 150, "snapshot"), (250, 50, "disk"), (300, 700, "disk")]);
    }
}
