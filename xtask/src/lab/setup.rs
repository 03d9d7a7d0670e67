//! What every guest boots: Debian's kernel, unpacked and not installed, and an initramfs without a test in it.
//!
//! ```text
//! apt-get download ──► deb/ ──┬── linux-image ─────► vmlinux, modules ──┐
//!                             └── headers, source ─► dm-dust.ko, ───────┼──► base.cpio
//!                                                    scsi_debug.ko      │
//!                     busybox, dmsetup with its libraries ──────────────┘
//! ```

use crate::{Result, packages, run};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Loaded in every guest: its window to the host, the drives' controllers and the drives.
pub(super) const LOADED: &[&str] = &[
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    "virtio_scsi",
    "ata_piix",
    "xhci-pci",
    "usb-storage",
    "sr_mod",
    "sd_mod",
];

/// There for the scenarios that ask for them.
const ASKED_FOR: &[&str] =
    &["scsi_debug", "loop", "dm-mod", "dm-flakey", "dm-delay", "dm-dust", "ext4", "crc32c_generic", "isofs"];

/// What the guest runs besides busybox, with its libraries.
const PROGRAMS: &[&str] = &["/usr/sbin/dmsetup"];

/// Debian's scsi_debug knows one run of bad sectors, and its sense data name the wrong one.
const PATCH: &str = "lab/scsi_debug.patch";

/// Built from Debian's source, each where the kernel looks for it.
const BUILT: &[(&str, &str)] = &[("dm-dust", "kernel/drivers/md"), ("scsi_debug", "kernel/drivers/scsi")];

/// Counted up when a lab that stands must be built again for another reason than the lists above.
const EDITION: u32 = 1;

/// Builds the lab in this folder unless it stands there.
pub(super) fn ready(lab: &Path) -> Result {
    let patch = said(Path::new(PATCH), fs::read_to_string(PATCH))?;
    let recipe = format!("edition {EDITION}: {LOADED:?} {ASKED_FOR:?} {PROGRAMS:?}\n{patch}");
    let built = lab.join("built");
    if fs::read_to_string(&built).is_ok_and(|text| text == recipe) {
        return Ok(());
    }
    println!("lab: building in {}", lab.display());
    let stage = lab.join("stage");
    fresh(&stage)?;
    let deb = lab.join("deb");
    if !deb.exists() {
        download(&stage.join("deb"))?;
        fs::rename(stage.join("deb"), &deb).map_err(|error| format!("{}: {error}", deb.display()))?;
    }
    let kernel = Kernel::unpack(&deb, stage.join("kernel"))?;
    kernel.build_modules(&deb, &stage.join("modules"))?;
    kernel.extract_elf(&lab.join("vmlinux"))?;
    let root = stage.join("root");
    kernel.install_modules(&root)?;
    install_programs(&root)?;
    pack(&root, &lab.join("base.cpio"))?;
    said(&stage, fs::remove_dir_all(&stage))?;
    said(&built, fs::write(&built, recipe))
}

/// A file operation's error, with the file's name.
pub(super) fn said<T>(path: &Path, result: std::io::Result<T>) -> Result<T> {
    result.map_err(|error| format!("{}: {error}", path.display()))
}

/// An empty folder.
pub(super) fn fresh(folder: &Path) -> Result {
    if folder.exists() {
        said(folder, fs::remove_dir_all(folder))?;
    }
    said(folder, fs::create_dir_all(folder))
}

/// Packs a folder as the kernel wants its initramfs; archives may follow one another.
pub(super) fn pack(folder: &Path, archive: &Path) -> Result {
    let mut find = Command::new("find");
    find.args([".", "-print0"]).current_dir(folder).stdout(Stdio::piped());
    let mut find = find.spawn().map_err(|error| format!("find: {error}"))?;
    let mut cpio = Command::new("cpio");
    cpio.args(["--null", "--create", "--format=newc", "--quiet", "--owner=0:0"]).current_dir(folder);
    cpio.stdin(find.stdout.take().expect("piped")).stdout(said(archive, File::create(archive))?);
    let status = cpio.status().map_err(|error| format!("cpio: {error}"))?;
    let found = find.wait().map_err(|error| format!("find: {error}"))?;
    if status.success() && found.success() { Ok(()) } else { Err(format!("cpio: {status}")) }
}

/// The kernel that Debian gives now: versions leave the mirrors when the next one comes.
fn download(folder: &Path) -> Result {
    let dependencies = |package: &str, prefix: &str| -> Result<Vec<String>> {
        let text = run::output(Command::new("apt-cache").args(["depends", package]))?;
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        let names: Vec<_> = names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect();
        if names.is_empty() {
            Err(format!("{package}: apt knows no {prefix}…; apt-get update?"))
        } else {
            Ok(names)
        }
    };
    fresh(folder)?;
    let fetch = || {
        let image = dependencies("linux-image-amd64", "linux-image-")?.remove(0);
        let release = image.trim_start_matches("linux-image-").to_owned();
        let headers = format!("linux-headers-{release}");
        let series: Vec<_> = release.split('.').take(2).collect();
        let mut wanted = dependencies(&headers, "linux-")?;
        wanted.extend([image, headers, format!("linux-source-{}", series.join("."))]);
        // As root, apt warns that its own user may not write here.
        let options = ["-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"];
        let mut apt = Command::new("apt-get");
        run::run(apt.args(options).arg("download").args(wanted).current_dir(folder))
    };
    fetch().or_else(|_| packages::update().and_then(|()| fetch()))
}

/// Debian's kernel with its headers, unpacked.
struct Kernel {
    tree: PathBuf,
    /// As in `uname -r`.
    release: String,
}

impl Kernel {
    fn unpack(debs: &Path, tree: PathBuf) -> Result<Kernel> {
        for entry in said(debs, fs::read_dir(debs))? {
            let deb = said(debs, entry)?.path();
            if !is_source(&deb) {
                run::run(Command::new("dpkg").arg("-x").arg(deb).arg(&tree))?;
            }
        }
        let tree = said(&tree, tree.canonicalize())?;
        let modules = tree.join("lib/modules");
        let mut releases = said(&modules, fs::read_dir(&modules))?;
        let release = releases.next().ok_or("the kernel has no modules")?;
        let release = said(&modules, release)?.file_name().to_string_lossy().into_owned();
        run::run(Command::new("/usr/sbin/depmod").arg("-b").arg(&tree).arg(&release))?;
        Ok(Kernel { tree, release })
    }

    fn modules(&self) -> PathBuf {
        self.tree.join("lib/modules").join(&self.release)
    }

    /// dm-dust, which Debian does not configure, and scsi_debug with the patch, from Debian's own source.
    fn build_modules(&self, debs: &Path, folder: &Path) -> Result {
        fresh(folder)?;
        let mut all = said(debs, fs::read_dir(debs))?.filter_map(|entry| Some(entry.ok()?.path()));
        let source = all.find(|deb| is_source(deb)).ok_or("no linux-source was downloaded")?;
        // tar stops at the last file; the parts before it are cut off then, which is no failure.
        let script = "name=$(basename \"$1\" | cut -d_ -f1)
            dpkg --fsys-tarfile \"$1\" 2>/dev/null | tar -xO ./usr/src/$name.tar.xz 2>/dev/null |
            tar -xJ --strip-components=3 --occurrence=1 $name/drivers/md/dm-dust.c \
                $name/drivers/scsi/scsi_debug.c $name/drivers/scsi/sd.h $name/drivers/scsi/scsi_logging.h";
        let source = said(&source, source.canonicalize())?;
        run::run(Command::new("sh").args(["-c", script, "sh"]).arg(source).current_dir(folder))?;
        let patch = said(Path::new(PATCH), Path::new(PATCH).canonicalize())?;
        run::run(Command::new("patch").args(["--strip=3", "--quiet", "-i"]).arg(patch).current_dir(folder))?;
        let objects: String = BUILT.iter().map(|(name, _)| format!(" {name}.o")).collect();
        let makefile = folder.join("Makefile");
        said(&makefile, fs::write(&makefile, format!("obj-m :={objects}\n")))?;

        // The one absolute path in the unpacked headers.
        let headers = self.tree.join("usr/src").join(format!("linux-headers-{}", self.release));
        let makefile = headers.join("Makefile");
        let text = said(&makefile, fs::read_to_string(&makefile))?;
        let text = text.replace("include /usr/src/", &format!("include {}/usr/src/", self.tree.display()));
        said(&makefile, fs::write(&makefile, text))?;
        let mut make = Command::new("make");
        make.arg("-s")
            .arg("-C")
            .arg(headers)
            .arg(format!("M={}", said(folder, folder.canonicalize())?.display()));
        run::run(make.arg("modules"))?;
        for (name, place) in BUILT {
            let file = format!("{name}.ko");
            copy(&folder.join(&file), &self.modules().join(place).join(&file))?;
        }
        run::run(Command::new("/usr/sbin/depmod").arg("-b").arg(&self.tree).arg(&self.release))
    }

    /// The ELF inside the compressed kernel: to unpack it in the guest would be half of the boot.
    fn extract_elf(&self, elf: &Path) -> Result {
        let path = self.tree.join("boot").join(format!("vmlinuz-{}", self.release));
        let image = said(&path, fs::read(&path))?;
        // From the setup header of the x86 boot protocol.
        let word =
            |at: usize| image.get(at..at + 4).map(|word| u32::from_le_bytes(word.try_into().expect("four")));
        let start = image
            .get(0x1f1)
            .zip(word(0x248))
            .map(|(sectors, offset)| (u64::from(*sectors) + 1) * 512 + u64::from(offset));
        let start = start.ok_or_else(|| format!("{}: too short", path.display()))?;
        let mut packed = said(&path, File::open(&path))?;
        said(&path, packed.seek(SeekFrom::Start(start)))?;
        let mut xz = Command::new("xz");
        xz.args(["--decompress", "--stdout", "--single-stream"]).stdin(packed);
        let status =
            xz.stdout(said(elf, File::create(elf))?).status().map_err(|error| format!("xz: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("{}: xz: {status}", path.display())) }
    }

    /// The modules of the two lists and those that they need.
    fn install_modules(&self, root: &Path) -> Result {
        let mut modprobe = Command::new("/usr/sbin/modprobe");
        modprobe.arg("-d").arg(&self.tree).args(["-S", &self.release, "-D", "-a"]);
        let needed = run::output(modprobe.args(LOADED).args(ASKED_FOR))?;
        let target = root.join("lib/modules").join(&self.release);
        let modules = self.modules();
        for line in needed.lines().filter_map(|line| line.strip_prefix("insmod ")) {
            let file = Path::new(line.split(' ').next().unwrap_or_default());
            let name = file.strip_prefix(&modules).map_err(|error| format!("{}: {error}", file.display()))?;
            copy(file, &target.join(name))?;
        }
        for index in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
            copy(&modules.join(index), &target.join(index))?;
        }
        run::run(Command::new("/usr/sbin/depmod").arg("-b").arg(root).arg(&self.release))
    }
}

fn is_source(deb: &Path) -> bool {
    deb.file_name().is_some_and(|name| name.to_string_lossy().starts_with("linux-source-"))
}

fn install_programs(root: &Path) -> Result {
    for folder in ["bin", "sbin", "proc", "sys", "dev", "host", "t"] {
        let folder = root.join(folder);
        said(&folder, fs::create_dir_all(&folder))?;
    }
    copy(Path::new("/bin/busybox"), &root.join("bin/busybox"))?;
    // The kernel calls it, for what a file system needs.
    said(root, symlink("../bin/busybox", root.join("sbin/modprobe")))?;
    for program in PROGRAMS {
        let program = Path::new(program);
        copy(program, &root.join("bin").join(program.file_name().expect("a program's path")))?;
        let libraries = run::output(Command::new("ldd").arg(program))?;
        for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
            copy(Path::new(library), &root.join(&library[1..]))?;
        }
    }
    Ok(())
}

/// Copies a file, with the folders above it.
fn copy(from: &Path, to: &Path) -> Result {
    let folder = to.parent().expect("a file lies in a folder");
    said(folder, fs::create_dir_all(folder))?;
    said(from, fs::copy(from, to)).map(drop)
}
