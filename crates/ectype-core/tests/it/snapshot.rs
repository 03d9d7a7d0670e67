//! Disks in use, read from snapshots of their volumes: loop devices, and a service that answers from a script.
//!
//! ```text
//!   disk    ├─ table ─┼─ first volume ─┼─ gap ─┼─ second ─┼─ rest ─┤        a file, changed as soon as the snapshot is made
//!   copies            └─ copied at DoSnapshotSet ┘
//! ```

use ectype_core::os::disk::{self, Disk};
use ectype_core::os::snapshot::{
    Code, Context, DiskExtent, Id, Pending, Reply, Requester, Service, Snapshot, Step, Volume, Writer,
};
use ectype_core::os::{Device, Found, Lock};
use ectype_core::proof::record::{PartFacts, Record};
use ectype_core::source::snapshot::{System, left};
use ectype_core::task::create::{Ended, Options, prepare};
use ectype_core::task::open::{Consistency, Images, open_image};
use ectype_core::watch::Watch;
use ectype_core::{Error, Extent, Kind, Result, image};
use ectype_testkit::need::{self, LoopDevice};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 16 * MIB;
const FIRST: Extent = Extent { offset: MIB, len: 5 * MIB };
/// Not on a piece: 63 sectors into one.
const SECOND: Extent = Extent { offset: 8 * MIB + 63 * 512, len: 3 * MIB + 512 };
const SET: Id = Id(7);

const NOT_SUPPORTED: Code = Code(0x8004_230c);
const NOT_FOUND: Code = Code(0x8004_2308);

/// What the service and the system are to be like.
#[derive(Debug, Default)]
struct Script {
    /// Volumes of which there are no snapshots.
    unsupported: Vec<String>,
    /// Snapshots that are so many bytes shorter.
    shorter: u64,
    /// Whether volumes can be held.
    holds: bool,
    /// After so many questions the snapshots are gone.
    lost_after: Option<u32>,
    /// The disk begins a volume so, and the volume gives it otherwise.
    cipher: bool,
    /// By the header of BitLocker To Go.
    to_go: bool,
    /// Nothing opens the first volume either.
    locked: bool,
    /// An interrupt, as soon as the service is asked for a snapshot.
    interrupt: Option<Arc<Watch>>,
    /// The interrupt comes later: while the lock of a volume is waited for.
    waits: bool,
}

#[derive(Debug)]
struct Machine {
    folder: PathBuf,
    disk: LoopDevice,
    script: Script,
    /// Volumes and snapshots that were opened, as loop devices.
    loops: Mutex<HashMap<String, LoopDevice>>,
    log: Mutex<Vec<String>>,
    asked: Mutex<u32>,
    /// Volumes that were held.
    held: Mutex<Vec<String>>,
    /// The source is a volume: of all of this disk, which gives ciphertext.
    below: Mutex<Option<LoopDevice>>,
}

impl Machine {
    fn file(&self) -> PathBuf {
        self.folder.join("disk")
    }

    fn say(&self, text: &str) {
        self.log.lock().unwrap().push(text.to_owned());
    }

    fn said(&self, text: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| *line == text).count()
    }
}

fn name(number: u32) -> String {
    format!(r"\\?\Volume{{{number}}}")
}

/// The pattern of the disk: every sector another, in every epoch another.
fn fill(file: &Path, epoch: u8) {
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at / 512 % 241) as u8 ^ epoch ^ (at / MIB) as u8).collect();
    fs::write(file, bytes).unwrap();
}

#[derive(Clone, Debug)]
struct Scripted(Arc<Machine>);

impl System for Scripted {
    fn is_there(&self) -> bool {
        true
    }

    fn service(&self) -> Result<Box<dyn Service>> {
        Ok(Box::new(self.clone()))
    }

    fn volumes(&self, _: &Path) -> Result<(u32, Vec<Volume>)> {
        let volume = |number, letter: &str, at| Volume {
            name: name(number),
            mounted: if letter.is_empty() { vec![] } else { vec![format!("{letter}\\")] },
            extents: vec![DiskExtent { disk: 3, at }],
        };
        if self.0.below.lock().unwrap().is_some() {
            return Ok((3, vec![volume(1, "F:", Extent::new(0, FIRST.len))]));
        }
        Ok((3, vec![volume(2, "", SECOND), volume(1, "C:", FIRST)]))
    }

    fn below(&self, device: &Device) -> Option<PathBuf> {
        let below = self.0.below.lock().unwrap().as_ref().map(|disk| disk.path().to_owned());
        below.or_else(|| device.whole.clone())
    }

    fn volume_of(&self, path: &Path) -> Option<String> {
        let shown = path.to_string_lossy();
        let is_first = shown.starts_with("/dev/loop") && shown.ends_with("p1");
        if is_first { Some(name(1)) } else { shown.contains("imaged").then(|| name(2)) }
    }

    fn notes(&self) -> Option<PathBuf> {
        Some(self.0.folder.join("notes"))
    }

    fn open(&self, path: &Path, _: &Device, lock: Lock, stop: &dyn Fn() -> bool) -> Result<Disk> {
        let shown = path.display().to_string();
        let at = if shown == name(1) { FIRST } else { SECOND };
        if shown.starts_with(r"\\?\")
            && ((self.0.script.locked && at == FIRST) || (lock == Lock::Exclusive && !self.0.script.holds))
        {
            if self.0.script.waits {
                // Nobody lets go of it, until somebody at the keyboard has enough.
                let watch = self.0.script.interrupt.as_ref().expect("somebody who interrupts");
                assert!(!stop());
                watch.stop();
                assert!(stop(), "the wish to stop does not get to whoever waits for a lock");
                self.0.say("waited");
                return Err(Error::new(Kind::Cancelled, "interrupted"));
            }
            return Err(Error::refused("it is in use"));
        }
        self.0.say(&format!("open {shown} {lock:?}"));
        if lock == Lock::Exclusive {
            self.0.held.lock().unwrap().push(shown.clone());
        }
        let mut loops = self.0.loops.lock().unwrap();
        let device = loops.entry(shown.clone()).or_insert_with(|| {
            if shown.starts_with(r"\\?\") {
                let file = if self.0.script.cipher && at == FIRST {
                    self.0.folder.join("plain")
                } else {
                    // Read only: the test holds the disk through another device.
                    let options = [format!("--offset={}", at.offset), format!("--sizelimit={}", at.len)];
                    return LoopDevice::attach(&self.0.file(), &["-r", &options[0], &options[1]]).unwrap();
                };
                LoopDevice::attach(&file, &["-r"]).unwrap()
            } else {
                LoopDevice::attach(path, &["-r"]).unwrap()
            }
        });
        let Found::Device { device, .. } = disk::find(device.path())? else { panic!("a loop device") };
        Disk::open(&device, Lock::Shared)
    }
}

impl Service for Scripted {
    fn requester(&self) -> Reply<Box<dyn Requester>> {
        Ok(Box::new(ScriptedRequester { machine: Arc::clone(&self.0), members: Vec::new(), made: false }))
    }

    fn room(&self, _: &str) -> Option<u64> {
        None
    }
}

struct ScriptedRequester {
    machine: Arc<Machine>,
    members: Vec<Snapshot>,
    made: bool,
}

impl Drop for ScriptedRequester {
    fn drop(&mut self) {
        self.machine.say("release");
    }
}

struct Done;

impl Pending for Done {
    fn wait(&mut self, _: Duration) -> Reply<bool> {
        Ok(true)
    }

    fn cancel(&mut self) -> Reply<()> {
        Ok(())
    }
}

impl Requester for ScriptedRequester {
    fn initialize(&mut self) -> Reply<()> {
        Ok(())
    }

    fn set_context(&mut self, _: Context) -> Reply<()> {
        Ok(())
    }

    fn set_state(&mut self) -> Reply<()> {
        Ok(())
    }

    fn begin(&mut self, step: Step) -> Reply<Box<dyn Pending>> {
        let machine = &self.machine;
        machine.say(&format!("{step:?}"));
        if step == Step::DoSnapshotSet {
            if let Some(watch) = machine.script.interrupt.as_ref().filter(|_| !machine.script.waits) {
                watch.stop();
            }
            let bytes = fs::read(machine.file()).unwrap();
            for member in &self.members {
                let at = if member.volume.starts_with(&name(1)) { FIRST } else { SECOND };
                let copied = match machine.script.cipher && at == FIRST {
                    true => fs::read(machine.folder.join("plain")).unwrap(),
                    false => bytes[at.offset as usize..(at.end() - machine.script.shorter) as usize].to_vec(),
                };
                fs::write(&member.device, copied).unwrap();
            }
            self.made = true;
            // From now on the disk is another.
            let file = fs::OpenOptions::new().write(true).open(machine.file()).unwrap();
            let changed: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
            for at in [FIRST, SECOND] {
                let is_member = |member: &Snapshot| (at == FIRST) == member.volume.starts_with(&name(1));
                if self.members.iter().any(is_member) {
                    file.write_all_at(&changed[at.offset as usize..at.end() as usize], at.offset).unwrap();
                }
            }
            file.sync_all().unwrap();
            machine.disk.flush().unwrap();
        }
        Ok(Box::new(Done))
    }

    fn free_metadata(&mut self) -> Reply<()> {
        Ok(())
    }

    fn writers(&mut self) -> Reply<Vec<Writer>> {
        Ok(vec![Writer { name: "System Writer".into(), state: 1, failure: None }])
    }

    fn free_status(&mut self) -> Reply<()> {
        Ok(())
    }

    fn start_set(&mut self) -> Reply<Id> {
        Ok(SET)
    }

    fn is_supported(&mut self, volume: &str) -> Reply<bool> {
        assert!(volume.ends_with("}\\"), "{volume}");
        Ok(!self.machine.script.unsupported.iter().any(|other| format!("{other}\\") == volume))
    }

    fn add(&mut self, volume: &str) -> Reply<Id> {
        if self.machine.script.unsupported.iter().any(|other| format!("{other}\\") == volume) {
            return Err(NOT_SUPPORTED);
        }
        let id = Id(self.members.len() as u128 + 1);
        let device = self.machine.folder.join(format!("copy{}", id.0)).display().to_string();
        self.members.push(Snapshot { id, set: SET, device, volume: volume.to_owned(), attributes: 0 });
        Ok(id)
    }

    fn properties(&mut self, snapshot: Id) -> Reply<Snapshot> {
        let mut asked = self.machine.asked.lock().unwrap();
        *asked += 1;
        if !self.made || self.machine.script.lost_after.is_some_and(|most| *asked > most) {
            return Err(NOT_FOUND);
        }
        self.members.iter().find(|member| member.id == snapshot).cloned().ok_or(NOT_FOUND)
    }

    fn list(&mut self) -> Reply<Vec<Snapshot>> {
        let snapshot = |set, attributes| Snapshot {
            id: Id(9),
            set,
            device: String::new(),
            volume: format!("{}\\", name(1)),
            attributes,
        };
        Ok(vec![snapshot(SET, 0), snapshot(Id(8), 1)])
    }

    fn delete(&mut self, set: Id) -> Reply<()> {
        self.machine.say(&format!("delete {set}"));
        Ok(())
    }

    fn abort(&mut self) -> Reply<()> {
        self.machine.say("abort");
        Ok(())
    }
}

fn machine(script: Script) -> Option<(tempfile::TempDir, Scripted)> {
    if !need::loop_devices() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("disk");
    fill(&file, 0);
    if script.cipher {
        let disk = fs::OpenOptions::new().write(true).open(&file).unwrap();
        match script.to_go {
            // 4967D63B-2E29-4AD8-8399-F6A339E3D001, in the boot sector of a FAT.
            true => disk
                .write_all_at(
                    b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01",
                    FIRST.offset + 0x1a8,
                )
                .unwrap(),
            false => disk.write_all_at(b"-FVE-FS-", FIRST.offset + 3).unwrap(),
        }
        fs::write(folder.path().join("plain"), vec![0x70; FIRST.len as usize]).unwrap();
    }
    let disk = LoopDevice::attach(&file, &[]).unwrap();
    let machine = Machine {
        folder: folder.path().to_owned(),
        disk,
        script,
        loops: Mutex::default(),
        log: Mutex::default(),
        asked: Mutex::default(),
        held: Mutex::default(),
        below: Mutex::default(),
    };
    Some((folder, Scripted(Arc::new(machine))))
}

fn options(scripted: &Scripted, image: &str) -> Options {
    Options {
        source: scripted.0.disk.path().to_owned(),
        image: Some(scripted.0.folder.join(image)),
        consistency: Some(Consistency::Snapshot),
        format: image::named("raw"),
        system: Some(Arc::new(scripted.clone())),
        no_space_check: true,
        ..Options::default()
    }
}

fn told(parts: &[PartFacts]) -> Vec<(u64, u64, &str, bool)> {
    parts.iter().map(|part| (part.offset, part.length, &*part.from, part.instant)).collect()
}

/// What the image must hold: the parts from `before`, the rest from `after`.
fn overlay(before: &[u8], after: &[u8], parts: &[Extent]) -> Vec<u8> {
    let mut bytes = after.to_vec();
    for at in parts {
        let at = at.offset as usize..at.end() as usize;
        bytes[at.clone()].copy_from_slice(&before[at]);
    }
    bytes
}

fn assert_same(image: &[u8], expected: &[u8]) {
    assert_eq!(image.len(), expected.len());
    let first = image.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!(first, None, "the first byte that differs");
}

#[test]
fn an_image_is_the_snapshots_over_the_disk() {
    let Some((_folder, scripted)) = machine(Script::default()) else { return };
    let before = fs::read(scripted.0.file()).unwrap();
    let prepared = prepare(Options { verify: true, ..options(&scripted, "a.img") }).unwrap();
    assert_eq!(prepared.plan().consistency, Consistency::Snapshot);
    assert!(prepared.plan().why.iter().any(|why| why.contains("C:") && why.contains("one instant")));
    assert_eq!(scripted.0.said("DoSnapshotSet"), 0, "a plan touches nothing");
    let outcome = prepared.run(&Watch::new()).unwrap();
    assert!(matches!(outcome.status, Ended::Whole));
    assert!(matches!(outcome.verified, Some(Ok(_))));
    let after = fs::read(scripted.0.file()).unwrap();
    let image = scripted.0.folder.join("a.img");
    assert_same(&fs::read(&image).unwrap(), &overlay(&before, &after, &[FIRST, SECOND]));
    let record = Record::of(&image).unwrap().unwrap();
    assert_eq!(record.plan.consistency, "snapshot");
    assert_eq!(
        told(&record.plan.parts),
        [
            (0, MIB, "disk", false),
            (FIRST.offset, FIRST.len, "snapshot", true),
            (FIRST.end(), SECOND.offset - FIRST.end(), "disk", false),
            (SECOND.offset, SECOND.len, "snapshot", true),
            (SECOND.end(), SIZE - SECOND.end(), "disk", false),
        ]
    );
    assert_eq!((scripted.0.said("BackupComplete"), scripted.0.said("abort")), (1, 0));
    assert_eq!(scripted.0.said("release"), 1);
    assert_eq!(fs::read_dir(scripted.0.folder.join("notes")).unwrap().count(), 0);
}

/// A volume by itself: its snapshot alone, and the table around it where the image is to attach.
#[test]
fn a_volume_is_read_from_its_own_snapshot() {
    let Some((_folder, scripted)) = machine(Script::default()) else { return };
    if !need::tools(&["partx", "addpart"]) {
        return;
    }
    // One partition, where the first volume lies; the kernel need not know any table for it.
    let parted = LoopDevice::attach(&scripted.0.file(), &[]).unwrap();
    let numbers = ["1".to_owned(), (FIRST.offset / 512).to_string(), (FIRST.len / 512).to_string()];
    let added = need::command("addpart").arg(parted.path()).args(numbers).status();
    let volume = PathBuf::from(format!("{}p1", parted.path().display()));
    if !need::kernel(
        added.is_ok_and(|added| added.success()) && volume.exists(),
        "partitions of loop devices",
    ) {
        return;
    }
    let before = fs::read(scripted.0.file()).unwrap();
    for (format, name) in [("raw", "v.img"), ("vhdx", "v.vhdx")] {
        fs::write(scripted.0.file(), &before).unwrap();
        parted.flush().unwrap();
        let options =
            Options { source: volume.clone(), format: image::named(format), ..options(&scripted, name) };
        let prepared = prepare(options).unwrap();
        assert_eq!((prepared.plan().scope, prepared.plan().consistency), ("volume", Consistency::Snapshot));
        let outcome = prepared.run(&Watch::new()).unwrap();
        assert!(matches!(outcome.status, Ended::Whole));
        assert_eq!(told(&outcome.plan.parts), [(0, FIRST.len, "snapshot", true)]);
        let opened = open_image(&scripted.0.folder.join(name), &Images::default()).unwrap();
        let start = outcome.plan.wrapped.map_or(0, |wrapped| wrapped.offset);
        assert_eq!(start > 0, format == "vhdx");
        let mut content = vec![0; FIRST.len as usize];
        opened.reader().unwrap().read_at(&mut content, start).unwrap();
        assert_same(&content, &before[FIRST.offset as usize..FIRST.end() as usize]);
        scripted.0.loops.lock().unwrap().clear();
    }
}

/// The policy: a disk that stays and that somebody uses is read from snapshots; one that can be held is held.
#[test]
fn a_disk_that_cannot_be_held_is_read_from_snapshots() {
    use std::os::unix::fs::OpenOptionsExt;
    const O_EXCL: i32 = 0o200;
    let Some((_folder, scripted)) = machine(Script::default()) else { return };
    let by_policy = || Options { consistency: None, ..options(&scripted, "a.img") };
    assert_eq!(prepare(by_policy()).unwrap().plan().consistency, Consistency::Lock);
    let user = fs::OpenOptions::new().read(true).custom_flags(O_EXCL).open(scripted.0.disk.path()).unwrap();
    let prepared = prepare(by_policy()).unwrap();
    assert_eq!(prepared.plan().consistency, Consistency::Snapshot);
    let why = &prepared.plan().why;
    assert!(
        why.iter().any(|why| why.contains("in use")) && !why.iter().any(|why| why.contains("exclusively"))
    );
    drop(prepared);
    // Who insists on a lock gets none.
    let locked = Options { consistency: Some(Consistency::Lock), ..options(&scripted, "a.img") };
    assert_eq!(prepare(locked).err().unwrap().kind(), Kind::Refused);
    drop(user);
}

#[test]
fn who_has_no_snapshot_is_held_and_marked() {
    for holds in [true, false] {
        let script = Script { unsupported: vec![name(2)], holds, ..Script::default() };
        let Some((_folder, scripted)) = machine(script) else { return };
        let before = fs::read(scripted.0.file()).unwrap();
        let outcome = prepare(options(&scripted, "a.img")).unwrap().run(&Watch::new()).unwrap();
        assert!(matches!(outcome.status, Ended::Whole), "{:?}", outcome.plan.why);
        let after = fs::read(scripted.0.file()).unwrap();
        assert_same(&fs::read(scripted.0.folder.join("a.img")).unwrap(), &overlay(&before, &after, &[FIRST]));
        let part = outcome.plan.parts.iter().find(|part| part.offset == SECOND.offset).unwrap();
        assert_eq!((&*part.from, part.instant, part.length), ("volume", false, SECOND.len));
        let how = if holds { "held while" } else { "two readings" };
        assert!(part.note.contains(how), "{}", part.note);
        assert_eq!(scripted.0.held.lock().unwrap().len(), usize::from(holds));
        assert_eq!(outcome.plan.consistency, Consistency::Snapshot);
    }
    // Nobody has one, and everybody is held: that is a lock.
    let script = Script { unsupported: vec![name(1), name(2)], holds: true, ..Script::default() };
    let Some((_folder, scripted)) = machine(script) else { return };
    let outcome = prepare(options(&scripted, "a.img")).unwrap().run(&Watch::new()).unwrap();
    assert_eq!(outcome.plan.consistency, Consistency::Lock);
    assert_same(&fs::read(scripted.0.folder.join("a.img")).unwrap(), &fs::read(scripted.0.file()).unwrap());
}

#[test]
fn an_interrupt_ends_the_wait_for_the_lock_of_a_volume() {
    let watch = Arc::new(Watch::new());
    let interrupt = Some(Arc::clone(&watch));
    let script = Script { unsupported: vec![name(2)], waits: true, interrupt, ..Script::default() };
    let Some((_folder, scripted)) = machine(script) else { return };
    let error = prepare(options(&scripted, "a.img")).unwrap().run(&watch).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled, "{error}");
    assert_eq!(scripted.0.said("waited"), 1);
    // It is not read without the lock instead; the snapshots of the others are gone, and nothing was made.
    assert_eq!(scripted.0.said(&format!("open {} Shared", name(2))), 0);
    assert_eq!(scripted.0.held.lock().unwrap().len(), 0);
    assert_eq!(scripted.0.said("release"), 2);
    assert!(!scripted.0.folder.join("a.img").exists());
}

#[test]
fn what_a_snapshot_lacks_comes_from_the_disk_and_is_told() {
    let Some((_folder, scripted)) = machine(Script { shorter: 512, ..Script::default() }) else { return };
    let before = fs::read(scripted.0.file()).unwrap();
    let outcome = prepare(options(&scripted, "a.img")).unwrap().run(&Watch::new()).unwrap();
    let after = fs::read(scripted.0.file()).unwrap();
    let parts = [FIRST, SECOND].map(|at| Extent::new(at.offset, at.len - 512));
    assert_same(&fs::read(scripted.0.folder.join("a.img")).unwrap(), &overlay(&before, &after, &parts));
    let short = |part: &&PartFacts| part.note.contains("512 bytes shorter");
    assert_eq!(outcome.plan.parts.iter().filter(short).count(), 2, "{:?}", outcome.plan.parts);
}

#[test]
fn what_is_unlocked_is_imaged_decrypted_only_where_somebody_agrees() {
    [false, true].into_iter().for_each(unlocked_and_locked);
}

fn unlocked_and_locked(to_go: bool) {
    let script = || Script { cipher: true, to_go, ..Script::default() };
    let Some((_folder, scripted)) = machine(script()) else { return };
    let prepared = prepare(options(&scripted, "a.img")).unwrap();
    assert!(prepared.asks());
    assert!(prepared.plan().why.iter().any(|why| why.contains("BitLocker") && why.contains("not protected")));
    let error = prepared.run(&Watch::new()).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.advice().iter().any(|line| line.contains("--decrypted")), "{error:?}");
    assert_eq!(scripted.0.said("DoSnapshotSet"), 0);
    assert!(!scripted.0.folder.join("a.img").exists() && !scripted.0.folder.join("a.img.state").exists());

    let before = fs::read(scripted.0.file()).unwrap();
    let agreed = Options { decrypted: true, ..options(&scripted, "a.img") };
    prepare(agreed).unwrap().run(&Watch::new()).unwrap();
    let after = fs::read(scripted.0.file()).unwrap();
    let mut expected = overlay(&before, &after, &[SECOND]);
    expected[FIRST.offset as usize..FIRST.end() as usize].fill(0x70);
    assert_same(&fs::read(scripted.0.folder.join("a.img")).unwrap(), &expected);

    // Locked: ciphertext, whole.
    let Some((_folder, scripted)) = machine(Script { locked: true, ..script() }) else { return };
    let prepared = prepare(options(&scripted, "a.img")).unwrap();
    assert!(!prepared.asks());
    let before = fs::read(scripted.0.file()).unwrap();
    let outcome = prepared.run(&Watch::new()).unwrap();
    let after = fs::read(scripted.0.file()).unwrap();
    assert_same(&fs::read(scripted.0.folder.join("a.img")).unwrap(), &overlay(&before, &after, &[SECOND]));
    let part = outcome.plan.parts.iter().find(|part| part.offset == FIRST.offset).unwrap();
    assert!(part.from == "disk" && part.note.contains("ciphertext"), "{part:?}");

    // The other one is held, and nobody holds this one: that is no lock.
    let script = Script { locked: true, unsupported: vec![name(2)], holds: true, ..script() };
    let Some((_folder, scripted)) = machine(script) else { return };
    let outcome = prepare(options(&scripted, "a.img")).unwrap().run(&Watch::new()).unwrap();
    assert_eq!(outcome.plan.consistency, Consistency::None);
}

/// What is held is not decrypted behind anybody's back either: a volume gives what it means, a disk ciphertext.
#[test]
fn what_is_held_says_whether_the_image_is_encrypted() {
    let script = || Script { cipher: true, holds: true, ..Script::default() };
    let Some((_folder, scripted)) = machine(script()) else { return };
    let by = |consistency, image| Options { consistency, ..options(&scripted, image) };
    let before = fs::read(scripted.0.file()).unwrap();
    let prepared = prepare(by(Some(Consistency::Lock), "disk.img")).unwrap();
    assert!(!prepared.asks());
    let says = |why: &[String], words: &str| why.iter().filter(|line| line.contains(words)).count();
    assert_eq!(says(&prepared.plan().why, "BitLocker (C:): a disk that is held gives ciphertext"), 1);
    assert_eq!(says(&prepared.plan().why, "--decrypted"), 0);
    prepared.run(&Watch::new()).unwrap();
    assert_same(&fs::read(scripted.0.folder.join("disk.img")).unwrap(), &before);
    // By the time of the run somebody may use it.
    let dry = Options { dry_run: true, ..by(None, "b.img") };
    let prepared = prepare(dry).unwrap();
    assert_eq!(says(&prepared.plan().why, "would hold what C: means, not ciphertext"), 1);
    assert!(!prepared.asks());
    drop(prepared);

    // A stick without a table: the volume begins where the disk does, and only the disk has ciphertext.
    let plain = scripted.0.folder.join("plain");
    let below = scripted.0.folder.join("below");
    let ciphertext = &before[FIRST.offset as usize..FIRST.end() as usize];
    fs::write(&below, ciphertext).unwrap();
    *scripted.0.below.lock().unwrap() = Some(LoopDevice::attach(&below, &["-r"]).unwrap());
    let stick = LoopDevice::attach(&plain, &[]).unwrap();
    for consistency in [Consistency::Lock, Consistency::None, Consistency::Snapshot] {
        let volume = Options { source: stick.path().to_owned(), ..by(Some(consistency), "stick.img") };
        let prepared = prepare(volume.clone()).unwrap();
        assert!(prepared.asks(), "{consistency:?}");
        assert_eq!(prepared.plan().decrypts, ["F:"]);
        assert_eq!(says(&prepared.plan().why, "BitLocker, unlocked (F:)"), 1);
        let error = prepared.run(&Watch::new()).unwrap_err();
        assert!(error.advice().iter().any(|line| line.contains("--decrypted")), "{error:?}");
        assert!(!scripted.0.folder.join("stick.img").exists());
    }
    let volume = Options { source: stick.path().to_owned(), ..by(Some(Consistency::Lock), "stick.img") };
    prepare(Options { decrypted: true, ..volume.clone() }).unwrap().run(&Watch::new()).unwrap();
    assert_same(&fs::read(scripted.0.folder.join("stick.img")).unwrap(), &fs::read(&plain).unwrap());
    // Locked: the volume gives what the disk has.
    drop(stick);
    let stick = LoopDevice::attach(&below, &["-r"]).unwrap();
    let locked = Options {
        source: stick.path().to_owned(),
        image: Some(scripted.0.folder.join("locked.img")),
        ..volume
    };
    let prepared = prepare(locked).unwrap();
    assert!(!prepared.asks());
    assert_eq!(says(&prepared.plan().why, "BitLocker, locked (F:): copied as ciphertext"), 1);
    prepared.run(&Watch::new()).unwrap();
    assert_same(&fs::read(scripted.0.folder.join("locked.img")).unwrap(), ciphertext);
}

#[test]
fn a_snapshot_that_is_lost_stops_the_run_and_the_next_one_rewrites_what_differs() {
    let script = Script { lost_after: Some(2), ..Script::default() };
    let Some((_folder, scripted)) = machine(script) else { return };
    let outcome = prepare(options(&scripted, "a.img")).unwrap().run(&Watch::new()).unwrap();
    let Ended::Stopped(error) = &outcome.status else { panic!("{:?}", outcome.status) };
    assert_eq!(error.kind(), Kind::Gone, "{error}");
    assert!(outcome.unreadable.is_empty(), "no bad sectors");
    assert_eq!(scripted.0.said("abort"), 1);
    let image = scripted.0.folder.join("a.img");
    assert!(scripted.0.folder.join("a.img.state").exists());

    // The same disk with a service that keeps its snapshots.
    let machine = Arc::into_inner(scripted.0).unwrap();
    let machine =
        Machine { script: Script::default(), loops: Mutex::default(), asked: Mutex::default(), ..machine };
    let scripted = Scripted(Arc::new(machine));
    let before = fs::read(scripted.0.file()).unwrap();
    let prepared = prepare(options(&scripted, "a.img")).unwrap();
    assert!(prepared.plan().compare, "another instant is read again");
    let outcome = prepared.run(&Watch::new()).unwrap();
    assert!(matches!(outcome.status, Ended::Whole));
    let after = fs::read(scripted.0.file()).unwrap();
    assert_same(&fs::read(&image).unwrap(), &overlay(&before, &after, &[FIRST, SECOND]));
    assert!(outcome.resumed);
}

#[test]
fn an_image_on_what_is_imaged_and_volumes_of_several_disks_are_refused() {
    let Some((_folder, scripted)) = machine(Script::default()) else { return };
    fs::create_dir(scripted.0.folder.join("imaged")).unwrap();
    let error = prepare(options(&scripted, "imaged/a.img")).err().unwrap();
    assert!(error.to_string().contains("being imaged"), "{error}");
    assert_eq!(scripted.0.said("DoSnapshotSet"), 0);
}

#[test]
fn an_interrupt_leaves_nothing() {
    let watch = Arc::new(Watch::new());
    let script = Script { interrupt: Some(Arc::clone(&watch)), ..Script::default() };
    let Some((_folder, scripted)) = machine(script) else { return };
    let error = prepare(options(&scripted, "a.img")).unwrap().run(&watch).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
    assert_eq!((scripted.0.said("abort"), scripted.0.said("release")), (1, 1));
    assert!(!scripted.0.folder.join("a.img.state").exists());
    assert_eq!(fs::read_dir(scripted.0.folder.join("notes")).unwrap().count(), 0);
}

#[test]
fn what_a_crash_left_is_found_and_nothing_else() {
    let Some((_folder, scripted)) = machine(Script::default()) else { return };
    let notes = scripted.0.folder.join("notes");
    fs::create_dir(&notes).unwrap();
    assert_eq!(left(&scripted), []);
    // One that still is there, one that outlives its requester by intent, one that is gone.
    for set in [SET, Id(8), Id(5)] {
        fs::write(notes.join(format!("{set}.txt")), "E:\\a.vhdx\n").unwrap();
    }
    fs::write(notes.join("readme.txt"), "no note").unwrap();
    let found = left(&scripted);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].set, &*found[0].image), (SET, "E:\\a.vhdx"));
    assert!(found[0].command().contains(&SET.to_string()));
    assert!(!notes.join(format!("{}.txt", Id(5))).exists());
    found[0].remove(&scripted).unwrap();
    assert_eq!(scripted.0.said(&format!("delete {SET}")), 1);
    assert!(!notes.join(format!("{SET}.txt")).exists());
    // What a run holds is none of this.
    let held = ectype_core::source::snapshot::note(&notes, SET, "b.vhdx").unwrap();
    assert_eq!(left(&scripted), []);
    drop(held);
    assert_eq!(fs::read_dir(&notes).unwrap().count(), 1);
}
