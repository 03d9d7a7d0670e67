//! Volumes that become disks in their images: the partition tables around them, by the tools that make such tables, and a
//! volume that is too large for an MBR on its way there and back.

use ectype_core::error::{Error, Result};
use ectype_core::extent::Extent;
use ectype_core::io::{Content, Geometry, ReadAt};
use ectype_core::os::buffer::Buffer;
use ectype_core::os::file::PlainFile;
use ectype_core::source::{Answer, KnownGood, Source};
use ectype_core::task::create::{Ended, Options, Outcome, prepare};
use ectype_core::task::open::Images;
use ectype_core::task::restore;
use ectype_core::task::verify::verify_against;
use ectype_core::watch::Watch;
use ectype_testkit::need::{self, LoopDevice, Mounted};
use ectype_testkit::system::FileAt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const MIB: u64 = 1 << 20;

#[track_caller]
fn run(tool: &str, args: &[&str]) -> String {
    let output = need::command(tool).args(args).output().unwrap_or_else(|error| panic!("{tool}: {error}"));
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{tool} {args:?}: {said}");
    said
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A device whose holes are known, as its file tells them: of terabytes nobody reads the zeros.
struct Holes {
    device: Box<dyn Source>,
    file: PlainFile,
    /// Where the volume lies in the device's source, and where in the file.
    volume: Extent,
    in_file: u64,
    /// With the request that reaches here the run is asked to stop.
    stops: Option<(u64, Arc<Watch>)>,
}

impl Source for Holes {
    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }
    fn submit(&mut self, at: Extent, buffer: Buffer) {
        if let Some((_, watch)) = self.stops.as_ref().filter(|(from, _)| at.end() > *from) {
            watch.stop();
        }
        self.device.submit(at, buffer);
    }
    fn submit_steps(&mut self, at: Extent, step: u64, buffer: Buffer) {
        self.device.submit_steps(at, step, buffer);
    }
    fn in_flight(&self) -> usize {
        self.device.in_flight()
    }
    fn complete(&mut self, wait: Duration) -> Option<Answer> {
        self.device.complete(wait)
    }
    fn content_at(&mut self, offset: u64) -> (Content, u64) {
        if !self.volume.contains(offset) {
            return self.device.content_at(offset);
        }
        let place = offset - self.volume.offset + self.in_file;
        let (content, until) = self.file.content_at(place).unwrap();
        (content, (offset + (until - place)).min(self.volume.end()))
    }
    fn alive(&mut self, known: Option<&KnownGood>) -> Result<()> {
        self.device.alive(known)
    }
}

/// A disk of a sparse file, with one partition from 1 MiB on of which the kernel was told directly.
struct Disk {
    file: PathBuf,
    device: LoopDevice,
    part: PathBuf,
    volume: Extent,
}

impl Disk {
    fn new(dir: &Path, len: u64) -> Disk {
        let file = dir.join("disk");
        File::create(&file).unwrap().set_len(len + 4 * MIB).unwrap();
        let device = LoopDevice::attach(&file, &["--partscan"]).unwrap();
        let (device, part) = Disk::divide(device, len);
        Disk { file, device, part, volume: Extent::new(MIB, len) }
    }

    fn divide(device: LoopDevice, len: u64) -> (LoopDevice, PathBuf) {
        run("addpart", &[text(device.path()), "1", "2048", &(len / 512).to_string()]);
        let part = PathBuf::from(format!("{}p1", device.path().display()));
        (device, part)
    }

    /// As a disk that was pulled, and comes back by another name.
    fn come_back(&mut self) {
        let device = LoopDevice::attach(&self.file, &["--partscan"]).unwrap();
        (self.device, self.part) = Disk::divide(device, self.volume.len);
    }

    /// The bytes that are imaged, without what the system still holds back.
    fn flush(&self) {
        run("sync", &[text(&self.part)]);
        self.device.flush().unwrap();
    }

    /// Images the partition; with `stops_at` the run ends where the volume has that byte.
    fn image(&self, to: &Path, stops_at: Option<u64>) -> Outcome {
        self.image_on_trust(to, stops_at, false)
    }

    fn image_on_trust(&self, to: &Path, stops_at: Option<u64>, trust_map: bool) -> Outcome {
        let options = Options {
            source: self.part.clone(),
            image: Some(to.to_owned()),
            no_space_check: true,
            verify: true,
            trust_map,
            tuning: ectype_core::copy::Tuning {
                checkpoint_every: Duration::ZERO,
                ..ectype_core::copy::Tuning::default()
            },
            ..Options::default()
        };
        // The threads that read for a run that was stopped let go of the device when their last read ends.
        let is_held = |error: &Error| error.to_string().contains("in use");
        let prepared = (0..500)
            .find_map(|_| match prepare(options.clone()) {
                Err(error) if is_held(&error) => {
                    std::thread::sleep(Duration::from_millis(10));
                    None
                }
                prepared => Some(prepared.unwrap()),
            })
            .expect("it is let go");
        let watch = Arc::new(Watch::new());
        let stops = stops_at.map(|offset| (MIB + offset, Arc::clone(&watch)));
        let holes = |device| -> Box<dyn Source> {
            let file = PlainFile::open(&self.file).unwrap();
            let volume = Extent::new(MIB, self.volume.len);
            Box::new(Holes { device, file, volume, in_file: self.volume.offset, stops })
        };
        prepared.through(holes).run(&watch).unwrap()
    }

    fn raw(&self) -> PathBuf {
        // The volume alone, as a sparse copy.
        let raw = self.file.with_extension("volume");
        let (from, to) = (PlainFile::open(&self.file).unwrap(), File::create(&raw).unwrap());
        to.set_len(self.volume.len).unwrap();
        let mut at = self.volume.offset;
        while at < self.volume.end() {
            let (content, until) = from.content_at(at).unwrap();
            let until = until.min(self.volume.end());
            if content == Content::Data {
                for start in (at..until).step_by(MIB as usize) {
                    let mut bytes = vec![0; MIB.min(until - start) as usize];
                    from.read_at(&mut bytes, start).unwrap();
                    to.write_all_at(&bytes, start - self.volume.offset).unwrap();
                }
            }
            at = until;
        }
        raw
    }
}

fn convert(image: &Path, to: &Path) {
    let options = Options {
        source: image.to_owned(),
        image: Some(to.to_owned()),
        images: Some(Images::default()),
        overwrite: true,
        no_space_check: true,
        ..Options::default()
    };
    assert!(matches!(prepare(options).unwrap().run(&Watch::new()).unwrap().status, Ended::Whole));
}

fn equal(image: &Path, to: &Path) -> bool {
    let watch = Watch::new();
    let (images, tuning) = (Images::default(), Default::default());
    verify_against(image, &images, to, false, &[], tuning, &watch).unwrap().0.is_equal()
}

/// What those who make such tables say of the one on `disk`; its partition, in sectors, with its type.
fn judged(disk: &Path) -> (u64, u64, String) {
    let said = run("sgdisk", &["-v", text(disk)]);
    assert!(said.contains("No problems found"), "{said}");
    let said = run("sfdisk", &["--verify", text(disk)]);
    assert!(said.contains("No errors detected"), "{said}");
    let json: serde_json::Value = serde_json::from_str(&run("sfdisk", &["--json", text(disk)])).unwrap();
    let table = &json["partitiontable"];
    assert_eq!(table["label"], "gpt");
    let [part] = &table["partitions"].as_array().unwrap()[..] else { panic!("{json}") };
    let number = |name: &str| part[name].as_u64().unwrap();
    (number("start"), number("size"), part["type"].as_str().unwrap().to_owned())
}

const LINUX: &str = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
const BASIC_DATA: &str = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7";

#[test]
fn a_volume_that_is_too_large_for_an_mbr_goes_by_a_gpt_and_comes_back() {
    let tools = ["addpart", "sgdisk", "sfdisk", "mkfs.ext4", "qemu-img", "partx"];
    if !(need::loop_devices() && need::tools(&tools) && need::filesystem("ext4")) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let len = (5 << 39) + 7 * 512;
    let disk = Disk::new(dir.path(), len);
    let quick = "lazy_itable_init=1,lazy_journal_init=1,packed_meta_blocks=1";
    let few = ["-q", "-F", "-E", quick, "-O", "^has_journal", "-T", "largefile4", "-L", "big"];
    run("mkfs.ext4", &[&few[..], &[text(&disk.part)]].concat());
    let mounted = Mounted::mount(&disk.part, &at("there"), &["-t", "ext4"]).unwrap();
    fs::write(mounted.path().join("file"), b"kept").unwrap();
    drop(mounted);
    disk.flush();

    let image = at("a.vhdx");
    let outcome = disk.image(&image, None);
    assert!(matches!(outcome.status, Ended::Whole));
    let why = outcome.plan.why.join("\n");
    assert!(why.contains("by a GPT") && why.contains("one partition of a disk"), "{why}");
    assert_eq!(outcome.plan.wrapped, Some(disk.volume));
    assert!(outcome.verified.unwrap().unwrap().is_equal(), "read once more, and compared");
    assert!(fs::metadata(&image).unwrap().len() < 1 << 30);

    // By QEMU's reader of the format its beginning and its end are those of the flattened disk.
    let size = MIB + len + 33 * 512;
    let info: serde_json::Value =
        serde_json::from_str(&run("qemu-img", &["info", "--output=json", "-f", "vhdx", text(&image)]))
            .unwrap();
    assert_eq!(info["virtual-size"], size);
    let flat = at("flat.img");
    convert(&image, &flat);
    let whole = File::open(&flat).unwrap();
    assert_eq!(whole.metadata().unwrap().len(), size);
    for (first, count) in [(0, 4096), (size / 512 - 64, 64)] {
        let (bs, skip, count) = ("bs=512", format!("skip={first}"), format!("count={}", first + count));
        let (from, to) = (format!("if={}", text(&image)), format!("of={}", text(&at("part"))));
        run("qemu-img", &["dd", "-f", "vhdx", "-O", "raw", bs, &skip, &count, &from, &to]);
        let theirs = fs::read(at("part")).unwrap();
        let mut ours = vec![0; theirs.len()];
        whole.read_exact_at(&mut ours, first * 512).unwrap();
        assert!(ours == theirs, "from sector {first} on");
    }
    assert_eq!(judged(&flat), (2048, len / 512, LINUX.to_owned()));

    // Whoever reads such tables for the kernel finds the partition, and in it is the file system.
    let device = LoopDevice::attach(&flat, &["--partscan", "-r"]).unwrap();
    let found = PathBuf::from(format!("{}p1", device.path().display()));
    run("partx", &["--update", text(device.path())]);
    let mounted = Mounted::mount(&found, &at("there"), &["-t", "ext4", "-o", "ro,noload"]).unwrap();
    assert_eq!(fs::read(mounted.path().join("file")).unwrap(), b"kept");
    drop(mounted);
    drop(device);

    // Against the volume, with its record and without; and the bare one is another.
    let volume = disk.raw();
    for image in [&image, &flat] {
        assert!(equal(image, &volume), "{}", image.display());
    }
    let changed = File::options().write(true).open(&volume).unwrap();
    changed.write_all_at(b"x", len - 1).unwrap();
    assert!(!equal(&image, &volume));
    changed.write_all_at(b"\0", len - 1).unwrap();
    for image in [&image, &flat] {
        let mut record = image.clone().into_os_string();
        record.push(".ectype.json");
        fs::remove_file(record).unwrap();
        assert!(equal(image, &volume), "{}, by its content", image.display());
    }
    // Into a file goes the table, too.
    let options = restore::Options {
        image: image.clone(),
        target: at("back.img"),
        images: Images::default(),
        yes: false,
        changed_only: false,
        verify: true,
        fix_gpt: false,
        unused: restore::Unused::Keep,
        force_layout: false,
        dry_run: false,
        unmount: false,
        tuning: Default::default(),
    };
    let restored = restore::prepare(options).unwrap().run(&Watch::new()).unwrap();
    assert!(matches!(restored.status, restore::Ended::Whole), "{restored:?}");
    assert_eq!(judged(&at("back.img")), (2048, len / 512, LINUX.to_owned()));
}

#[test]
fn a_run_that_was_stopped_goes_on_with_the_same_gpt() {
    if !(need::loop_devices() && need::tools(&["addpart", "sgdisk", "sfdisk", "mkfs.ntfs"])) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    // The last piece holds the volume's end and the backup; with a sector more there would be two.
    let len = (5 << 39) + MIB - 33 * 512;
    let disk = Disk::new(dir.path(), len);
    run("mkfs.ntfs", &["-q", "-Q", "-F", "-c", "65536", text(&disk.part)]);
    disk.flush();
    let whole = disk.image(&at("whole.vhdx"), None);
    assert!(matches!(whole.status, Ended::Whole));
    // Behind the table, in the midst of the volume, and before its last piece, which brings the backup.
    for (number, stops_at) in [0, len / 2, len - 1].into_iter().enumerate() {
        let image = at(&format!("{number}.vhdx"));
        let outcome = disk.image(&image, Some(stops_at));
        assert!(matches!(outcome.status, Ended::Stopped(_)), "{stops_at}: {:?}", outcome.status);
        let outcome = disk.image(&image, None);
        assert!(matches!(outcome.status, Ended::Whole) && outcome.resumed, "{stops_at}");
        assert_eq!(outcome.digests["tree"], whole.digests["tree"], "{stops_at}");
        let flat = at("flat.img");
        convert(&image, &flat);
        assert_eq!(judged(&flat), (2048, len / 512, BASIC_DATA.to_owned()));
    }
}

/// A dying disk that comes back by another name, with another label: what is held has the table of before.
#[test]
fn a_gpt_is_of_one_piece_by_whatever_name_the_disk_comes_back() {
    if !(need::loop_devices() && need::tools(&["addpart", "sgdisk", "sfdisk", "mkfs.ntfs", "ntfslabel"])) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let len = (5 << 39) + MIB - 33 * 512;
    let mut disk = Disk::new(dir.path(), len);
    run("mkfs.ntfs", &["-q", "-Q", "-F", "-c", "65536", text(&disk.part)]);
    disk.flush();
    let image = at("a.vhdx");
    assert!(matches!(disk.image(&image, Some(0)).status, Ended::Stopped(_)));
    for (stops_at, label) in [(Some(len / 4), "second"), (None, "third")] {
        let before = disk.part.clone();
        disk.come_back();
        assert_ne!(disk.part, before);
        run("ntfslabel", &[text(&disk.part), label]);
        disk.flush();
        let outcome = disk.image_on_trust(&image, stops_at, true);
        assert!(outcome.resumed);
        assert_eq!(matches!(outcome.status, Ended::Whole), stops_at.is_none(), "{:?}", outcome.status);
    }
    let flat = at("flat.img");
    convert(&image, &flat);
    assert_eq!(judged(&flat), (2048, len / 512, BASIC_DATA.to_owned()));
}
