//! A guest from power on to power off, and the hands of the person beside it.
//!
//! ```text
//! base.cpio + job.cpio ──► QEMU (TCG) ── console ──► console
//!                            │    └─ /host (9p) ──── ask, answer, status
//!                            └─ QMP ◄── pull, plug, eject, insert
//! initrd ──► QEMU from an image ── console ──► console       boots, while the guest waits
//!                 └─ /host: machine/ ── name, written, status
//! ```

use super::scenario::{Content, Drive, Kind, Medium, Scenario};
use super::setup::{LOADED, fresh, pack, said};
use crate::random::Random;
use crate::wine::Wine;
use crate::{Result, run};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// For a whole scenario, several times what one takes; a machine that it boots has as long for itself.
const LIMIT: Duration = Duration::from_secs(180);
const QMP_LIMIT: Duration = Duration::from_secs(10);
const GUEST_MIB: u32 = 384;

/// What runs in guests.
pub(super) struct Programs {
    pub(super) ectype: PathBuf,
    /// The program for Windows and what it runs under, where a scenario wants them.
    pub(super) windows: Option<(PathBuf, Wine)>,
}

/// Runs a scenario in this folder; the error is what failed, in a line.
pub(super) fn run_in(folder: &Path, lab: &Path, programs: &Programs, scenario: &Scenario) -> Result {
    fresh(folder)?;
    let mut sums = String::new();
    for (at, medium) in scenario.media.iter().enumerate() {
        make(folder, medium, at as u64)?;
        let sum = run::output(Command::new("sha256sum").arg(image(&medium.name)).current_dir(folder))?;
        let sum = sum.split(' ').next().unwrap_or_default();
        writeln!(sums, "{sum} {}", medium.name).expect("a string");
    }
    let job = folder.join("guest/job");
    fresh(&job)?;
    said(&job, fs::create_dir(folder.join("host")))?;
    let write = |name: &str, text: &str| said(&job, fs::write(job.join(name), text));
    write("sums", &sums)?;
    write("modules", &LOADED.join(" "))?;
    write("scenario", &scenario.script)?;
    let drives = scenario.drives.iter().enumerate();
    write(
        "drives",
        &drives.map(|(at, drive)| format!("{} {}\n", drive.name, place(drive.kind, at))).collect::<String>(),
    )?;
    said(&programs.ectype, fs::copy(&programs.ectype, job.join("ectype")))?;
    let windows = programs.windows.as_ref().filter(|_| scenario.wine);
    if let Some((program, wine)) = windows {
        for file in [program, &wine.shim()] {
            let name = file.file_name().expect("a file has a name");
            said(file, fs::copy(file, folder.join("host").join(name)))?;
        }
    }
    let wine = windows.map(|(_, wine)| wine);
    for (from, to) in [("lab/init", "guest/init"), ("lab/words", "guest/job/words")] {
        said(Path::new(from), fs::copy(from, folder.join(to)))?;
    }
    let initrd = folder.join("initrd");
    pack(&folder.join("guest"), &initrd)?;
    let mut whole = said(&initrd, fs::read(lab.join("base.cpio")))?;
    whole.extend(said(&initrd, fs::read(&initrd))?);
    said(&initrd, fs::write(&initrd, whole))?;

    let until = Instant::now() + LIMIT;
    for boot in 1.. {
        match Guest::start(folder, lab, wine, scenario, &boot.to_string())?.watch(scenario, until)? {
            Ended::With(0) => return Ok(()),
            Ended::With(status) => return Err(format!("the script ended with {status}")),
            Ended::Cut => {}
        }
    }
    unreachable!("boots are not counted that far")
}

/// How a guest ended.
enum Ended {
    /// The script did, with this status.
    With(u32),
    /// Without power.
    Cut,
}

fn image(medium: &str) -> String {
    format!("{medium}.img")
}

fn make(folder: &Path, medium: &Medium, seed: u64) -> Result {
    let path = folder.join(image(&medium.name));
    let file = said(&path, File::create(&path))?;
    said(&path, file.set_len(medium.size))?;
    if medium.content == Content::Ext4 {
        return run::run(Command::new("/usr/sbin/mkfs.ext4").args(["-q", "-F"]).arg(&path));
    }
    if medium.content == Content::Machine {
        return make_machine(folder, medium, seed);
    }
    let mut bytes = vec![0; medium.size as usize];
    Random(seed).fill(&mut bytes);
    if medium.content == Content::Random {
        return said(&path, fs::write(&path, bytes));
    }
    let tree = folder.join("tree");
    fresh(&tree)?;
    said(&tree, fs::write(tree.join("content"), bytes))?;
    let mut iso = Command::new("genisoimage");
    iso.args(["-quiet", "-J", "-R", "-V", &medium.name.to_uppercase(), "-o"]).arg(&path);
    run::run(iso.arg(&tree))
}

/// The first process of a machine: it proves its files, writes another where it can, and tells the host who it is.
const MACHINE_INIT: &str = "\
#!/bin/busybox sh
cd /
echo 'machine: its own init runs'
b() { /bin/busybox \"$@\"; }
b mount -t proc proc proc
b mount -t devtmpfs dev dev
if b mount -o remount,rw /; then
    b dd if=/dev/urandom of=written bs=64k count=16 2>/dev/null && b sha256sum written >host/written
    b sync
    b mount -o remount,ro /
fi
b sha256sum -c sums && b cp name host/name
echo $? >host/status
b poweroff -f
";

/// A disk with an MBR, and from 1 MiB on an ext4 with a system in it.
fn make_machine(folder: &Path, medium: &Medium, seed: u64) -> Result {
    const START: u64 = 1 << 20;
    let path = folder.join(image(&medium.name));
    let tree = folder.join(format!("{}.tree", medium.name));
    fresh(&tree)?;
    for name in ["bin", "sbin", "proc", "dev", "host"] {
        said(&tree, fs::create_dir(tree.join(name)))?;
    }
    let mut data = vec![0; (medium.size / 4) as usize];
    Random(seed).fill(&mut data);
    said(&tree, fs::copy("/bin/busybox", tree.join("bin/busybox")))?;
    said(&tree, fs::write(tree.join("data"), data))?;
    said(&tree, fs::write(tree.join("name"), &medium.name))?;
    let init = tree.join("sbin/init");
    said(&init, fs::write(&init, MACHINE_INIT))?;
    said(&init, fs::set_permissions(&init, fs::Permissions::from_mode(0o755)))?;
    let listed = ["bin/busybox", "data", "name", "sbin/init"];
    let sums = run::output(Command::new("sha256sum").args(listed).current_dir(&tree))?;
    said(&tree, fs::write(tree.join("sums"), sums))?;

    let kib = (medium.size - 2 * START) / 1024;
    let mut mkfs = Command::new("/usr/sbin/mkfs.ext4");
    mkfs.args(["-q", "-F", "-d"]).arg(&tree).args(["-E", &format!("offset={START}")]).arg(&path);
    run::run(mkfs.arg(format!("{kib}k")))?;
    // One entry of type Linux, in sectors of 512 bytes.
    let mut mbr = [0; 512];
    mbr[446..451].copy_from_slice(&[0x80, 0, 0, 0, 0x83]);
    mbr[454..458].copy_from_slice(&((START / 512) as u32).to_le_bytes());
    mbr[458..462].copy_from_slice(&((kib * 2) as u32).to_le_bytes());
    mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut disk = said(&path, File::options().write(true).open(&path))?;
    said(&path, disk.write_all(&mbr))?;
    said(&tree, fs::remove_dir_all(&tree))
}

/// Where the guest's sysfs has a drive: a pattern of its shell.
fn place(kind: Kind, at: usize) -> String {
    match kind {
        Kind::IdeCd => "*/ata1/*".into(),
        Kind::ScsiCd | Kind::ScsiDisk => format!("*:0:{}:0/block/*", at + 1),
        Kind::UsbStick => "*/usb*/block/*".into(),
    }
}

/// A drive as QEMU is to have it; `node` is what is in it, `port` where a stick is to be, if that matters.
fn device(drive: &Drive, at: usize, node: &str, port: Option<u32>) -> String {
    let Drive { name, kind, .. } = drive;
    let how = match kind {
        Kind::IdeCd => r#""driver":"ide-cd","bus":"ide.0","rerror":"report""#.into(),
        Kind::ScsiCd => {
            format!(r#""driver":"scsi-cd","bus":"scsi-bus.0","scsi-id":{},"rerror":"report""#, at + 1)
        }
        Kind::ScsiDisk => {
            format!(
                r#""driver":"scsi-hd","bus":"scsi-bus.0","scsi-id":{},"serial":"{name}","rerror":"report""#,
                at + 1
            )
        }
        Kind::UsbStick => {
            let port = port.map(|port| format!(r#","port":"{port}""#)).unwrap_or_default();
            format!(r#""driver":"usb-storage","bus":"usb-bus.0"{port},"removable":true,"serial":"{name}""#)
        }
    };
    format!(r#"{{"id":"{name}","drive":"{node}",{how}}}"#)
}

/// A medium as QEMU is to have it, with a drive's faults, or clean.
fn node(name: &str, medium: &str, read_only: bool, faults: Option<&Drive>) -> String {
    // Two drives may have the same medium.
    let mut file = format!(r#"{{"driver":"file","filename":"{}","locking":"off"}}"#, image(medium));
    if let Some(drive) = faults {
        if drive.bytes_per_s.is_some() {
            file = format!(r#"{{"driver":"throttle","throttle-group":"{}_pace","file":{file}}}"#, drive.name);
        }
        if !drive.bad.is_empty() {
            file = format!(r#"{{"driver":"blkdebug","config":"{}.bad","image":{file}}}"#, drive.name);
        }
    }
    format!(r#"{{"driver":"raw","node-name":"{name}","read-only":{read_only},"file":{file}}}"#)
}

/// An image as QEMU is to have it, opened by the driver of its format.
fn image_node(name: &str, driver: &str, file: &Path, read_only: bool) -> String {
    let file = format!(r#"{{"driver":"file","filename":"{}","locking":"off"}}"#, file.display());
    format!(r#"{{"driver":"{driver}","node-name":"{name}","read-only":{read_only},"file":{file}}}"#)
}

/// blkdebug counts in 512 bytes.
fn bad_sectors(drive: &Drive) -> String {
    let scale = drive.kind.sector_size() / 512;
    let units = drive.bad.iter().flat_map(|range| range.start() * scale..(range.end() + 1) * scale);
    let rule = |unit| {
        format!("[inject-error]\nevent = \"read_aio\"\nsector = \"{unit}\"\nerrno = \"5\"\nonce = \"off\"\n")
    };
    units.map(rule).collect()
}

/// A QEMU that boots the lab's kernel with this folder's initramfs, and has no drives yet.
fn qemu(folder: &Path, lab: &Path, boot: &str) -> Result<Command> {
    let vmlinux = said(lab, lab.canonicalize())?.join("vmlinux");
    let initrd = said(folder, folder.canonicalize())?.join("initrd");
    // No guest outlives the lab, however that ends.
    let mut qemu = Command::new("setpriv");
    qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64", "-M", "pc", "-accel", "tcg"]);
    qemu.args(["-nodefaults", "-no-reboot", "-display", "none", "-qmp", "stdio"]);
    qemu.args(["-m", &GUEST_MIB.to_string()]).arg("-initrd").arg(initrd).arg("-kernel").arg(vmlinux);
    qemu.args(["-chardev", "file,id=console,path=console,append=on", "-serial", "chardev:console"]);
    // On a busy host the kernel would take a late timer for a broken one, and panic.
    qemu.arg("-append").arg(format!(
        "console=ttyS0 loglevel=4 panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check \
         random.trust_cpu=on boot={boot}"
    ));
    qemu.args(["-virtfs", "local,path=host,mount_tag=host,security_model=none"]);
    // With event_idx a full queue (dm-dust asks for single sectors) stood still now and then, its requests never answered.
    qemu.args(["-device", "virtio-scsi-pci,id=scsi-bus,event_idx=off"]);
    Ok(qemu)
}

/// `MEDIUM [IMAGE DRIVER [read-only]]`: boots the machine of this medium from it, or from an image that the guest left with the
/// host, by QEMU's driver for such images. Kernel and first initramfs are the lab's, everything else comes from there. The
/// machine must find all its files, say who it is, and write one more. Of an image QEMU then leaves what it has inside.
fn boots(folder: &Path, lab: &Path, scenario: &Scenario, what: &str) -> Result {
    let words: Vec<_> = what.split_whitespace().collect();
    let host = said(folder, folder.canonicalize())?.join("host");
    let (medium, file, driver) = match words[..] {
        [medium] => (medium, host.with_file_name(image(medium)), "raw"),
        [medium, image, driver] | [medium, image, driver, "read-only"] => (medium, host.join(image), driver),
        _ => return Err("boots MEDIUM [IMAGE DRIVER [read-only]]".into()),
    };
    let read_only = words.len() == 4;
    let drive = Drive {
        name: "machine".into(),
        kind: Kind::ScsiDisk,
        medium: medium.into(),
        bad: Vec::new(),
        bytes_per_s: None,
    };
    // The guest that waits for this has a host of its own.
    let machine = folder.join("machine");
    fresh(&machine.join("host"))?;
    let mut qemu = qemu(folder, lab, &format!("machine lives_on={}", place(drive.kind, 0)))?;
    qemu.arg("-blockdev").arg(image_node("disk", driver, &file, read_only));
    qemu.arg("-device").arg(device(&drive, 0, "disk", None));
    let ended = Guest::launch(qemu, &machine, lab)?.watch(scenario, Instant::now() + LIMIT);
    let console = fs::read(machine.join("console")).unwrap_or_default();
    let whole = folder.join("console");
    said(&whole, File::options().append(true).open(&whole).and_then(|mut file| file.write_all(&console)))?;
    match ended {
        Ok(Ended::With(0)) => {}
        Ok(_) => return Err("the machine did not come to its end".into()),
        Err(error) => return Err(format!("the machine: {error}")),
    }
    let told = |name: &str| fs::read_to_string(machine.join("host").join(name)).ok();
    let name = told("name").ok_or("the machine did not say who it is")?;
    if name.trim() != medium {
        return Err(format!("the machine is {}", name.trim()));
    }
    let written = told("written");
    if written.is_none() != read_only {
        return Err("a machine writes unless its disk is read-only".into());
    }
    if words.len() == 1 {
        return Ok(());
    }
    let beside = |suffix: &str| PathBuf::from(format!("{}.{suffix}", file.display()));
    said(&file, fs::write(beside("written"), written.unwrap_or_default()))?;
    if CHECKED.contains(&driver) {
        run::run(Command::new("qemu-img").args(["check", "-q", "-f", driver]).arg(&file))?;
    }
    run::run(
        Command::new("qemu-img").args(["convert", "-f", driver, "-O", "raw"]).arg(&file).arg(beside("raw")),
    )
}

/// Those of QEMU's drivers that can check an image.
const CHECKED: &[&str] = &["qcow2", "vhdx", "vmdk"];

/// A running guest; it dies with its value.
struct Guest {
    folder: PathBuf,
    lab: PathBuf,
    qemu: Child,
    qmp: Qmp,
    /// Media that were put in so far: each needs a name of its own.
    nodes: u32,
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It is dead already if these fail.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

impl Guest {
    /// `boot` is told to the guest's init: which boot it is.
    fn start(
        folder: &Path,
        lab: &Path,
        wine: Option<&Wine>,
        scenario: &Scenario,
        boot: &str,
    ) -> Result<Guest> {
        let mut qemu = qemu(folder, lab, boot)?;
        if let Some(wine) = wine {
            // Wine lies below /usr with all that it needs; of its own files the guest changes a copy.
            for (tag, path) in [("usr", Path::new("/usr")), ("wine", &wine.prefix())] {
                let share = format!("local,path={},mount_tag={tag},security_model=none", path.display());
                qemu.arg("-virtfs").arg(share + ",readonly=on,multidevs=remap");
            }
        }
        qemu.args(["-device", "qemu-xhci,id=usb-bus"]);
        for (at, drive) in scenario.drives.iter().enumerate() {
            let bad = folder.join(format!("{}.bad", drive.name));
            said(&bad, fs::write(&bad, bad_sectors(drive)))?;
            if let Some(rate) = drive.bytes_per_s {
                qemu.arg("-object").arg(format!("throttle-group,id={}_pace,x-bps-read={rate}", drive.name));
            }
            qemu.arg("-blockdev").arg(node(
                &format!("{}_0", drive.name),
                &drive.medium,
                drive.kind.is_cd(),
                Some(drive),
            ));
            qemu.arg("-device").arg(device(drive, at, &format!("{}_0", drive.name), None));
        }
        Guest::launch(qemu, folder, lab)
    }

    fn launch(mut qemu: Command, folder: &Path, lab: &Path) -> Result<Guest> {
        let errors = folder.join("qemu");
        qemu.current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said(&errors, File::create(&errors))?);
        let mut qemu = qemu.spawn().map_err(|error| format!("setpriv: {error}"))?;
        let qmp = Qmp::new(&mut qemu);
        let mut guest = Guest { folder: folder.to_owned(), lab: lab.to_owned(), qemu, qmp, nodes: 0 };
        guest.qmp.ask("qmp_capabilities", "{}").map_err(|error| {
            format!("{error}; QEMU said: {}", fs::read_to_string(&errors).unwrap_or_default().trim())
        })?;
        Ok(guest)
    }

    /// Does what the guest asks for until it ends, with its status, or its power is cut.
    fn watch(mut self, scenario: &Scenario, mut until: Instant) -> Result<Ended> {
        let host = self.folder.join("host");
        loop {
            if let Ok(wish) = fs::read_to_string(host.join("ask")) {
                said(&host, fs::remove_file(host.join("ask")))?;
                if wish.trim() == "cut" {
                    return Ok(Ended::Cut);
                }
                let asked = Instant::now();
                let answer = match wish.trim().strip_prefix("boots ") {
                    Some(what) => boots(&self.folder, &self.lab, scenario, what),
                    None => self.obey(scenario, wish.trim()),
                };
                until += asked.elapsed();
                let answer = answer.err().unwrap_or_default();
                said(&host, fs::write(host.join("answer.new"), answer))?;
                said(&host, fs::rename(host.join("answer.new"), host.join("answer")))?;
            }
            if self.qemu.try_wait().map_err(|error| error.to_string())?.is_some() {
                let status = fs::read_to_string(host.join("status")).unwrap_or_default();
                return status.trim().parse().map(Ended::With).map_err(|_| "the guest died".into());
            }
            if Instant::now() > until {
                return Err(format!("not done after {} s", LIMIT.as_secs()));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// One wish: `pull DRIVE`, `plug DRIVE [PORT]`, `eject DRIVE`, `insert DRIVE MEDIUM`, `attach IMAGE DRIVER ID`.
    fn obey(&mut self, scenario: &Scenario, wish: &str) -> Result {
        let words: Vec<_> = wish.split_whitespace().collect();
        if let ["attach", image, driver, id] = words[..] {
            let (file, name) = (Path::new("host").join(image), format!("attached_{id}"));
            self.qmp.ask("blockdev-add", &image_node(&name, driver, &file, false))?;
            let disk = format!(r#""driver":"scsi-hd","bus":"scsi-bus.0","scsi-id":{id}"#);
            return self.qmp.ask("device_add", &format!(r#"{{"id":"{name}_disk","drive":"{name}",{disk}}}"#));
        }
        let [what, name, ref medium @ ..] = words[..] else { return Err("what, and which drive?".into()) };
        let known = scenario.drives.iter().enumerate().find(|(_, drive)| drive.name == name);
        let (at, drive) = known.ok_or_else(|| format!("no drive is called {name}"))?;
        self.nodes += 1;
        let node_name = format!("{name}_{}", self.nodes);
        let id = format!(r#"{{"id":"{name}"}}"#);
        let by_force = format!(r#"{{"id":"{name}","force":true}}"#);
        match (what, medium) {
            ("pull", []) => self.qmp.ask("device_del", &id),
            ("plug", port) if port.len() < 2 => {
                let port = port.first().map(|port| port.parse()).transpose();
                let port = port.map_err(|_| "a port is a number".to_owned())?;
                self.qmp.ask("blockdev-add", &node(&node_name, &drive.medium, drive.kind.is_cd(), None))?;
                self.qmp.ask("device_add", &device(drive, at, &node_name, port))
            }
            ("eject", []) => {
                self.qmp.ask("blockdev-open-tray", &by_force)?;
                self.qmp.ask("blockdev-remove-medium", &id)
            }
            ("insert", [medium]) => {
                self.qmp.ask("blockdev-add", &node(&node_name, medium, true, None))?;
                let into = format!(r#"{{"id":"{name}","node-name":"{node_name}"}}"#);
                // A system that looks into an empty tray closes it.
                self.qmp.ask("blockdev-open-tray", &by_force)?;
                self.qmp.ask("blockdev-insert-medium", &into)?;
                self.qmp.ask("blockdev-close-tray", &id)
            }
            _ => {
                Err("pull and eject DRIVE, plug DRIVE [PORT], insert DRIVE MEDIUM, attach, boots, cut".into())
            }
        }
    }
}

/// QEMU's monitor.
struct Qmp {
    to: ChildStdin,
    from: Receiver<String>,
}

impl Qmp {
    fn new(qemu: &mut Child) -> Qmp {
        let (send, from) = mpsc::channel();
        let lines = BufReader::new(qemu.stdout.take().expect("piped")).lines();
        // Ends with QEMU.
        thread::spawn(move || lines.map_while(|line| line.ok()).try_for_each(|line| send.send(line)));
        Qmp { to: qemu.stdin.take().expect("piped"), from }
    }

    fn ask(&mut self, command: &str, arguments: &str) -> Result {
        writeln!(self.to, r#"{{"execute":"{command}","arguments":{arguments}}}"#)
            .map_err(|error| format!("QMP {command}: {error}"))?;
        loop {
            let line =
                self.from.recv_timeout(QMP_LIMIT).map_err(|error| format!("QMP {command}: {error}"))?;
            if line.starts_with(r#"{"return""#) {
                return Ok(());
            }
            if line.starts_with(r#"{"error""#) {
                return Err(format!("QMP {command}: {line}"));
            }
        }
    }
}
