//! The block devices of /sys: what they are, and what lies on what.
//!
//! ```text
//!   sda ──▶ sda1 ──▶ mount /boot                    an arrow leads upward, to what lives on it:
//!     └───▶ sda2 ──▶ dm-0 (crypt) ──▶ dm-1 (root)   its partitions, the holders in /sys, and the loop
//!                                 └─▶ dm-2 (swap)   devices whose backing file its file system holds
//! ```
//!
//! Everything read here is untrusted text: what cannot be understood counts as absent.

use super::volume::{self, MountLine, Number, SwapLine};
use crate::os::{Device, Medium, Mount, Part};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Sizes in /sys are in units of 512 bytes, whatever the sector is.
const UNIT: u64 = 512;

/// Where the kernel's view is read. A test has recorded trees instead.
pub(super) struct Sysfs {
    pub(super) sys: PathBuf,
    pub(super) proc_: PathBuf,
    /// The device that holds a file (`st_dev`).
    pub(super) device_of_file: fn(&Path) -> Option<Number>,
    /// The device that a node stands for (`st_rdev` of a block device).
    pub(super) device_of_node: fn(&Path) -> Option<Number>,
}

/// A block device as /sys has it.
struct Node {
    /// Its directory, resolved.
    dir: PathBuf,
    number: Option<Number>,
    /// The disk's name and the partition's number, for a partition.
    partition: Option<(String, u32)>,
    /// What a device-mapper device is called.
    alias: Option<String>,
    /// What a loop device is made of.
    backing: Option<PathBuf>,
}

/// One look at everything.
pub(super) struct Survey {
    sys: PathBuf,
    nodes: BTreeMap<String, Node>,
    above: BTreeMap<String, BTreeSet<String>>,
    mounts: Vec<(MountLine, BTreeSet<String>)>,
    swaps: Vec<(SwapLine, BTreeSet<String>)>,
    /// What else the system lives on: the layers of an overlay at one of its places.
    layers: BTreeSet<String>,
}

impl Sysfs {
    /// The running system's.
    pub(super) fn live() -> Self {
        fn stat(path: &Path) -> Option<rustix::fs::Stat> {
            rustix::fs::stat(path).ok()
        }
        fn split(number: u64) -> Number {
            (rustix::fs::major(number), rustix::fs::minor(number))
        }
        Sysfs {
            sys: "/sys".into(),
            proc_: "/proc".into(),
            device_of_file: |path| Some(split(stat(path)?.st_dev)),
            device_of_node: |path| {
                let stat = stat(path)?;
                let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
                (kind == rustix::fs::FileType::BlockDevice).then(|| split(stat.st_rdev))
            },
        }
    }

    /// Looks at everything once.
    ///
    /// # Errors
    /// Only where /sys has no block devices at all to list.
    pub(super) fn survey(&self) -> io::Result<Survey> {
        let mut survey = Survey {
            sys: fs::canonicalize(&self.sys)?,
            nodes: BTreeMap::new(),
            above: BTreeMap::new(),
            mounts: Vec::new(),
            swaps: Vec::new(),
            layers: BTreeSet::new(),
        };
        for entry in fs::read_dir(survey.sys.join("class/block"))?.flatten() {
            if let Some((name, node)) = node(&entry.path()) {
                survey.nodes.insert(name, node);
            }
        }
        survey.stack();
        self.read_mounts(&mut survey);
        self.read_swaps(&mut survey);
        self.stack_loops(&mut survey);
        Ok(survey)
    }

    fn read_mounts(&self, survey: &mut Survey) {
        let text = fs::read(self.proc_.join("self/mountinfo")).unwrap_or_default();
        let pools = btrfs_pools(&survey.sys);
        let lines = volume::mounts(&text);
        for line in &lines {
            let mut names = survey.by_number(line.number);
            if names.is_empty() {
                names = self.by_source(survey, &line.source);
            }
            // A file system over several devices names only one of them.
            for pool in &pools {
                if !pool.is_disjoint(&names) {
                    names.extend(pool.iter().filter(|&name| survey.nodes.contains_key(name)).cloned());
                }
            }
            survey.mounts.push((line.clone(), names));
        }
        for line in lines.iter().filter(|line| is_system_place(&line.target)) {
            for layer in line.layers() {
                let names = self.holding(survey, &layer);
                survey.layers.extend(names);
            }
        }
    }

    fn read_swaps(&self, survey: &mut Survey) {
        let text = fs::read(self.proc_.join("swaps")).unwrap_or_default();
        for line in volume::swaps(&text) {
            let names = match line.is_file {
                true => self.holding(survey, &line.path),
                false => self.by_source(survey, &line.path),
            };
            survey.swaps.push((line, names));
        }
    }

    fn stack_loops(&self, survey: &mut Survey) {
        let loops: Vec<_> = survey
            .nodes
            .iter()
            .filter_map(|(name, node)| Some((name.clone(), node.backing.clone()?)))
            .collect();
        for (name, backing) in loops {
            let mut below = self.by_source(survey, &backing);
            if below.is_empty() {
                below = self.holding(survey, &backing);
            }
            for lower in below {
                survey.above.entry(lower).or_default().insert(name.clone());
            }
        }
    }

    /// The devices on whose file system a path lies.
    fn holding(&self, survey: &Survey, path: &Path) -> BTreeSet<String> {
        let Some(number) = (self.device_of_file)(path) else { return BTreeSet::new() };
        let names = survey.by_number(number);
        if !names.is_empty() {
            return names;
        }
        // An anonymous number: some mount has it, too, and knows the source.
        let same = survey.mounts.iter().filter(|(line, _)| line.number == number);
        same.flat_map(|(_, names)| names.iter().cloned()).collect()
    }

    /// The devices that a mount's source or a swap's path names: a node, a link to one, or several joined by colons.
    fn by_source(&self, survey: &Survey, source: &Path) -> BTreeSet<String> {
        let Some(text) = source.to_str().filter(|text| text.starts_with("/dev/")) else {
            return BTreeSet::new();
        };
        let mut names = BTreeSet::new();
        for part in text.split(':') {
            let Some(short) = part.strip_prefix("/dev/") else { continue };
            let name = short.replace('/', "!");
            if survey.nodes.contains_key(&name) {
                names.insert(name);
            } else if let Some(name) = survey.by_alias(short) {
                names.insert(name);
            } else if let Some(number) = (self.device_of_node)(Path::new(part)) {
                names.extend(survey.by_number(number));
            }
        }
        names
    }
}

/// The sets of devices that each make one btrfs.
fn btrfs_pools(sys: &Path) -> Vec<BTreeSet<String>> {
    let pools = fs::read_dir(sys.join("fs/btrfs")).into_iter().flatten().flatten();
    pools.map(|pool| names_in(&pool.path().join("devices"))).filter(|pool| pool.len() > 1).collect()
}

fn node(link: &Path) -> Option<(String, Node)> {
    let name = link.file_name()?.to_str()?.to_owned();
    let dir = fs::canonicalize(link).ok()?;
    let partition = integer(&dir.join("partition")).and_then(|number| {
        let whole = dir.parent()?.file_name()?.to_str()?.to_owned();
        Some((whole, u32::try_from(number).ok()?))
    });
    let node = Node {
        number: text(&dir.join("dev")).and_then(|text| volume::number(&text)),
        partition,
        alias: text(&dir.join("dm/name")),
        backing: fs::read(dir.join("loop/backing_file")).ok().and_then(|text| volume::backing_file(&text)),
        dir,
    };
    Some((name, node))
}

impl Survey {
    /// The whole disks, drives and loop devices that something could be read from.
    pub(super) fn devices(&self) -> Vec<Device> {
        let mut names: Vec<&String> = self
            .nodes
            .iter()
            .filter(|(name, node)| worth_showing(name, node))
            .map(|(name, _)| name)
            .collect();
        // sda before sdaa, nvme2n1 before nvme10n1, without a natural order's pains.
        names.sort_by_key(|name| (name.get(..2), name.len(), name.as_str()));
        names.into_iter().filter_map(|name| self.device(name)).collect()
    }

    /// The device of this number, whether whole or partition, shown or not.
    pub(super) fn device_of_number(&self, number: Number) -> Option<Device> {
        self.by_number(number).first().and_then(|name| self.device(name))
    }

    /// The mount at a place: the topmost, if several cover each other; its device, or the first of them; how many it has.
    pub(super) fn mount_at(&self, target: &Path) -> Option<(&MountLine, Option<Device>, usize)> {
        let (line, names) = self.mounts.iter().rev().find(|(line, _)| line.target == target)?;
        Some((line, names.first().and_then(|name| self.device(name)), names.len()))
    }

    /// The node of the device under the directory `path`, and where it is mounted.
    pub(super) fn mount_around(&self, path: &Path) -> Option<(PathBuf, PathBuf)> {
        let around = self.mounts.iter().rev().filter(|(line, _)| path.starts_with(&line.target));
        let (line, names) = around.max_by_key(|(line, _)| line.target.components().count())?;
        Some((node_path(names.first()?), line.target.clone()))
    }

    /// The device of a kernel name.
    pub(super) fn device(&self, name: &str) -> Option<Device> {
        let node = self.nodes.get(name)?;
        let whole_name = node.partition.as_ref().map(|(whole, _)| whole.as_str());
        // Queue, model and all that describes the drive belong to the whole disk.
        let (drive_name, drive) = match whole_name {
            Some(whole) => (whole, self.nodes.get(whole)?),
            None => (name, node),
        };
        let bus = self.bus(drive_name, drive);
        let flag = |path: PathBuf| integer(&path) == Some(1);
        let removable_flag = flag(drive.dir.join("removable"));
        let rotational = flag(drive.dir.join("queue/rotational"));
        let medium = medium(drive_name, &drive.dir, &bus, removable_flag);
        let size = bytes(&node.dir.join("size"));
        let optical = medium == Medium::Optical;
        let nothing_in = optical && crate::os::disc::suspicious_size(size);
        let size = if nothing_in { 0 } else { size };
        let sector_size = sector(&drive.dir.join("queue/logical_block_size"));
        let physical = sector(&drive.dir.join("queue/physical_block_size")).max(sector_size);

        let everything = self.upward(name);
        let mounts = self.mounts_on(&everything);
        let system = mounts.iter().any(|mount| is_system_place(&mount.target))
            || self.swaps.iter().any(|(_, names)| !names.is_disjoint(&everything))
            || !self.layers.is_disjoint(&everything);
        Some(Device {
            path: node_path(name),
            name: name.to_owned(),
            whole: whole_name.map(node_path),
            medium,
            model: self.model(drive, &bus),
            backing: drive.backing.clone(),
            serial: serial(drive, &bus, &self.sys),
            removable: removable_flag
                || matches!(medium, Medium::Optical | Medium::Removable)
                || matches!(bus.as_str(), "usb" | "firewire"),
            bus,
            rotational: rotational && !(optical && size == 0),
            read_only: flag(node.dir.join("ro")),
            system,
            size,
            sector_size,
            physical_sector_size: physical - physical % sector_size,
            diskseq: integer(&drive.dir.join("diskseq")),
            holders: self.holders_on(name, &everything),
            mounts,
            parts: if node.partition.is_none() { self.parts(name) } else { Vec::new() },
        })
    }

    /// Everything that lives on a device, the device included.
    fn upward(&self, name: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::from([name.to_owned()]);
        let mut open = vec![name];
        while let Some(lower) = open.pop() {
            for upper in self.above.get(lower).into_iter().flatten() {
                if seen.insert(upper.clone()) {
                    open.push(upper);
                }
            }
        }
        seen
    }

    fn mounts_on(&self, names: &BTreeSet<String>) -> Vec<Mount> {
        let on = |on: &BTreeSet<String>| on.iter().find(|&name| names.contains(name)).cloned();
        let mount = |(line, of): &(MountLine, BTreeSet<String>)| {
            Some(Mount {
                node: node_path(&on(of)?),
                target: line.target.clone(),
                filesystem: line.filesystem.clone(),
                read_only: line.read_only(),
                gives_way: false,
            })
        };
        self.mounts.iter().filter_map(mount).collect()
    }

    fn holders_on(&self, name: &str, everything: &BTreeSet<String>) -> Vec<String> {
        let mut holders = Vec::new();
        for upper in everything.iter().filter(|&upper| upper != name) {
            let Some(node) = self.nodes.get(upper) else { continue };
            // A partition is part of it, and a loop device over a file uses only what the mount uses.
            let loop_over_node = node.backing.as_ref().filter(|backing| backing.starts_with("/dev"));
            match (&node.partition, &node.backing, &node.alias, loop_over_node) {
                (Some(_), ..) => {}
                (_, _, _, Some(backing)) => {
                    holders.push(format!("{upper} (loop over {})", backing.display()))
                }
                (_, Some(_), ..) => {}
                (_, _, Some(alias), _) => holders.push(format!("{upper} ({alias})")),
                _ => holders.push(upper.clone()),
            }
        }
        for (line, names) in self.swaps.iter().filter(|(_, names)| !names.is_disjoint(everything)) {
            let on = names.first().map(|name| node_path(name)).unwrap_or_default();
            match line.is_file {
                true => holders.push(format!("swap file {} on {}", line.path.display(), on.display())),
                false => holders.push(format!("swap on {}", on.display())),
            }
        }
        holders
    }

    fn parts(&self, whole: &str) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (name, node) in &self.nodes {
            match &node.partition {
                Some((of, number)) if of == whole => parts.push(Part {
                    number: *number,
                    node: node_path(name),
                    offset: bytes(&node.dir.join("start")),
                    len: bytes(&node.dir.join("size")),
                }),
                _ => {}
            }
        }
        parts.sort_by_key(|part| part.number);
        parts
    }

    fn bus(&self, name: &str, node: &Node) -> String {
        let inside = node.dir.strip_prefix(&self.sys).unwrap_or(&node.dir);
        let steps: Vec<&str> = inside.components().filter_map(|step| step.as_os_str().to_str()).collect();
        let numbered = |prefix: &str| {
            steps.iter().any(|step| {
                let rest = step.strip_prefix(prefix);
                rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
            })
        };
        // The outermost that matters to people comes first: a card reader on USB is USB.
        let known = [
            (numbered("usb"), "usb"),
            (numbered("fw"), "firewire"),
            (steps.contains(&"mmc_host"), "mmc"),
            (numbered("ata"), "ata"),
            (steps.contains(&"nvme") || name.starts_with("nvme"), "nvme"),
            (name.starts_with("vd"), "virtio"),
            (name.starts_with("xvd"), "xen"),
            (name.starts_with("loop"), "loop"),
            (name.starts_with("dm-"), "dm"),
            (name.starts_with("md"), "md"),
            (name.starts_with("nbd"), "nbd"),
            (name.starts_with("zram"), "zram"),
            (name.starts_with("fd") || steps.iter().any(|step| step.starts_with("floppy.")), "floppy"),
            (numbered("host"), "scsi"),
        ];
        known.iter().find(|(applies, _)| *applies).map(|(_, bus)| (*bus).to_owned()).unwrap_or_default()
    }

    fn model(&self, node: &Node, bus: &str) -> String {
        let of_device = |key: &str| text(&node.dir.join("device").join(key)).unwrap_or_default();
        match bus {
            "loop" => node.backing.as_ref().map(|path| clean(&path.to_string_lossy())).unwrap_or_default(),
            "dm" => node.alias.clone().unwrap_or_default(),
            "md" => text(&node.dir.join("md/level")).unwrap_or_default(),
            "mmc" => of_device("name"),
            // A virtio disk has no model, and its "vendor" is a number.
            "virtio" => String::new(),
            _ => {
                // ATA drives have the vendor "ATA"; of others it is half of the name.
                let vendor =
                    Some(of_device("vendor")).filter(|vendor| vendor != "ATA" && !vendor.starts_with("0x"));
                let told = joined(vendor.unwrap_or_default(), of_device("model"));
                if !told.is_empty() || bus != "usb" {
                    return told;
                }
                let usb = usb_device(&node.dir, &self.sys);
                let of_usb =
                    |key: &str| usb.as_ref().and_then(|dir| text(&dir.join(key))).unwrap_or_default();
                joined(of_usb("manufacturer"), of_usb("product"))
            }
        }
    }

    fn by_number(&self, number: Number) -> BTreeSet<String> {
        let same = self.nodes.iter().filter(|(_, node)| node.number == Some(number));
        same.map(|(name, _)| name.clone()).collect()
    }

    /// The device-mapper device behind `mapper/NAME`, or `VG/LV` as LVM links it.
    fn by_alias(&self, short: &str) -> Option<String> {
        let alias = match short.strip_prefix("mapper/") {
            Some(alias) => alias.to_owned(),
            None => {
                let (group, volume) = short.split_once('/')?;
                format!("{}-{}", group.replace('-', "--"), volume.replace('-', "--"))
            }
        };
        let of_alias = |(_, node): &(&String, &Node)| node.alias.as_deref() == Some(alias.as_str());
        self.nodes.iter().find(of_alias).map(|(name, _)| name.clone())
    }

    /// Notes what lives on what, from partitions, holders and slaves.
    fn stack(&mut self) {
        let mut above: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, node) in &self.nodes {
            if let Some((whole, _)) = &node.partition {
                above.entry(whole.clone()).or_default().insert(name.clone());
            }
            above.entry(name.clone()).or_default().extend(names_in(&node.dir.join("holders")));
            for lower in names_in(&node.dir.join("slaves")) {
                above.entry(lower).or_default().insert(name.clone());
            }
        }
        self.above = above;
    }
}

/// Whether the system counts as living where this is mounted.
fn is_system_place(target: &Path) -> bool {
    ["/", "/usr", "/var", "/boot", "/boot/efi", "/efi"].iter().any(|place| target == Path::new(place))
}

/// Whole devices with something to read: no memory disks, no loop device without a file, no path of a multipath NVMe.
fn worth_showing(name: &str, node: &Node) -> bool {
    let nothing = match name {
        _ if name.starts_with("loop") => node.backing.is_none(),
        _ if name.starts_with("nbd") => bytes(&node.dir.join("size")) == 0,
        _ => ["ram", "zram", "mtdblock"].iter().any(|memory| name.starts_with(memory)),
    };
    node.partition.is_none() && !nothing && integer(&node.dir.join("hidden")) != Some(1)
}

fn medium(name: &str, dir: &Path, bus: &str, removable: bool) -> Medium {
    const CD_ROM: u64 = 5;
    let number_of = |name: &str, prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if number_of(name, "sr") || integer(&dir.join("device/type")) == Some(CD_ROM) {
        return Medium::Optical;
    }
    if number_of(name, "fd") || removable {
        return Medium::Removable;
    }
    // A card is taken out although its slot says no; eMMC is soldered. A hard disk or SSD behind USB stays what it is.
    match bus {
        "mmc" if text(&dir.join("device/type")).as_deref() != Some("MMC") => Medium::Removable,
        _ => Medium::Fixed,
    }
}

fn serial(node: &Node, bus: &str, sys: &Path) -> String {
    let from = |key: &str| text(&node.dir.join(key));
    let usb = || text(&usb_device(&node.dir, sys)?.join("serial"));
    let found = match bus {
        "usb" => usb().or_else(|| page_80(node)),
        "dm" => from("dm/uuid"),
        "md" => from("md/uuid"),
        _ => None,
    };
    found
        .or_else(|| from("device/serial"))
        .or_else(|| from("serial"))
        .or_else(|| page_80(node))
        .or_else(|| from("device/wwid"))
        .or_else(|| from("wwid"))
        .unwrap_or_default()
}

/// The unit serial number page of a SCSI device: four bytes of header, of which the last two are the length.
fn page_80(node: &Node) -> Option<String> {
    let page = fs::read(node.dir.join("device/vpd_pg80")).ok()?;
    let len = usize::from(u16::from_be_bytes([*page.get(2)?, *page.get(3)?]));
    let number = page.get(4..)?;
    Some(clean(&String::from_utf8_lossy(&number[..len.min(number.len())])))
        .filter(|number| !number.is_empty())
}

/// The USB device that a disk belongs to: the nearest directory upward that has a vendor's number.
fn usb_device(dir: &Path, sys: &Path) -> Option<PathBuf> {
    let inside = dir.ancestors().take_while(|dir| dir.starts_with(sys));
    inside.map(Path::to_path_buf).find(|dir| dir.join("idVendor").exists())
}

fn node_path(name: &str) -> PathBuf {
    // A slash in a device's name is an exclamation mark in /sys.
    PathBuf::from(format!("/dev/{}", name.replace('!', "/")))
}

fn names_in(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// An attribute's text, fit to be shown; `None` when empty.
fn text(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    Some(clean(&String::from_utf8_lossy(&bytes))).filter(|text| !text.is_empty())
}

/// Text from a device without control characters, which could drive a terminal, and without runs of blanks.
fn clean(text: &str) -> String {
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(512).collect();
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn joined(vendor: String, model: String) -> String {
    match (vendor.is_empty(), model.is_empty()) {
        (true, _) => model,
        (_, true) => vendor,
        _ if model.starts_with(&vendor) => model,
        _ => format!("{vendor} {model}"),
    }
}

fn integer(path: &Path) -> Option<u64> {
    text(path)?.parse().ok()
}

fn bytes(path: &Path) -> u64 {
    integer(path).unwrap_or(0).saturating_mul(UNIT)
}

fn sector(path: &Path) -> u32 {
    integer(path)
        .and_then(|size| u32::try_from(size).ok())
        .filter(|&size| (1..=1 << 20).contains(&size))
        .unwrap_or(512)
}

#[cfg(test)]
mod tests;
