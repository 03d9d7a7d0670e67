//! Which medium it was: what lets a later run recognise it, and a record name it.

use crate::os::file::FileStamp;
use serde::{Deserialize, Serialize};

/// A volume found on the medium.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeId {
    /// The file system, as `iso9660` or `ntfs`; `gpt` or `mbr` for a partition table.
    pub kind: String,
    /// Its label, perhaps empty.
    pub label: String,
    /// Its UUID or serial number as `blkid` prints it, perhaps empty.
    pub uuid: String,
}

/// Which medium it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The path by which it was given.
    pub path: String,
    /// The kind of medium: `optical`, `removable`, `fixed`, `file`.
    pub medium: String,
    /// Vendor and model of the device; the backing file of a loop device.
    pub model: String,
    /// The device's serial number.
    pub serial: String,
    /// Bytes.
    pub size: u64,
    /// The logical sector in bytes.
    pub sector_size: u32,
    /// What is on it.
    pub volumes: Vec<VolumeId>,
    /// BLAKE3 of the first MiB, where it can be read.
    pub first_mib: Option<String>,
    /// BLAKE3 of the last MiB, where it can be read.
    pub last_mib: Option<String>,
}

/// What proves, within one boot, that nothing was written in between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The boot's identity: the counters below mean nothing in another.
    pub boot_id: Option<String>,
    /// The kernel's number of this medium in this device.
    pub diskseq: Option<u64>,
    /// What was written to the device since the boot, in the kernel's counters.
    pub writes: Option<u64>,
    /// The device lies on something that can be written to below it: its counter proves a write, and never that there was
    /// none.
    #[serde(default)]
    pub layered: bool,
    /// For a partition: what was written to its whole disk, likewise.
    #[serde(default)]
    pub disk_writes: Option<u64>,
    /// For a file, and for the one below a loop device: when it was written last.
    pub file: Option<FileStamp>,
    /// For an image: the same of the other files that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Option<FileStamp>>,
}

impl Moment {
    /// Whether it is proven that nothing was written between the two moments.
    pub fn proves_unchanged(&self, later: &Moment) -> bool {
        if self.diskseq.is_none() && self.file.is_some() {
            return self.file == later.file && self.others == later.others;
        }
        let counted = self.writes.is_some() && !self.layered;
        let known = self.boot_id.is_some() && self.diskseq.is_some() && counted;
        known && self == later
    }
}

impl Identity {
    /// Whether `now` is the same medium, as far as can be told; if not, why. A medium that was written to since is the same.
    /// One that is `immutable` was not.
    pub fn recognises(
        &self,
        now: &Identity,
        before: &Moment,
        moment: &Moment,
        immutable: bool,
    ) -> Result<(), String> {
        if self.size != now.size {
            return Err(format!("it has {} bytes, the image is of one with {}", now.size, self.size));
        }
        let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        if immutable && (differ(&self.first_mib, &now.first_mib) || differ(&self.last_mib, &now.last_mib)) {
            return Err("its content is another".to_owned());
        }
        let both = |a: &str, b: &str| !a.is_empty() && !b.is_empty();
        let same_content = self.first_mib == now.first_mib && self.first_mib.is_some();
        // A drive's serial number says nothing of the disc in it, and a card reader's nothing of the card.
        let medium_is_device = self.medium == "fixed" && now.medium == "fixed";
        if medium_is_device && both(&self.serial, &now.serial) {
            return if self.serial == now.serial {
                Ok(())
            } else {
                Err(format!("its serial number is {}, not {}", now.serial, self.serial))
            };
        }
        let same_insertion =
            before.boot_id.is_some() && before.boot_id == moment.boot_id && before.diskseq.is_some();
        if same_insertion && before.diskseq == moment.diskseq {
            return Ok(());
        }
        if let (Some(a), Some(b)) = (&before.file, &moment.file)
            && (a.device, a.inode) == (b.device, b.inode)
        {
            return Ok(());
        }
        let ids = |identity: &Identity| -> Vec<(String, String)> {
            // A number that nobody set, as the signature of many a card's table, tells nothing.
            let is_set = |uuid: &str| uuid.chars().any(|digit| digit != '0' && digit != '-');
            let named = identity.volumes.iter().filter(|volume| is_set(&volume.uuid));
            named.map(|volume| (volume.kind.clone(), volume.uuid.clone())).collect()
        };
        let (a, b) = (ids(self), ids(now));
        if !a.is_empty() && !b.is_empty() {
            let shared = a.iter().any(|id| b.contains(id));
            return if shared || same_content {
                Ok(())
            } else {
                Err(format!("its volume is {} {}, not {} {}", b[0].0, b[0].1, a[0].0, a[0].1))
            };
        }
        let is = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        let same_end = self.first_mib.is_none() || now.first_mib.is_none();
        if same_content || (same_end && is(&self.last_mib, &now.last_mib)) {
            return Ok(());
        }
        Err("neither its serial number nor its content is what the image is of".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (Identity, Moment) {
        let identity = Identity {
            medium: "fixed".into(),
            serial: "S1".into(),
            size: 1 << 30,
            first_mib: Some("a".into()),
            last_mib: Some("b".into()),
            ..Identity::default()
        };
        let moment =
            Moment { boot_id: Some("x".into()), diskseq: Some(7), writes: Some(100), ..Moment::default() };
        (identity, moment)
    }

    #[test]
    fn only_the_same_boot_insertion_and_counter_prove_that_nothing_was_written() {
        let (_, moment) = disk();
        assert!(moment.proves_unchanged(&moment));
        for other in [
            Moment { boot_id: Some("y".into()), ..moment.clone() },
            Moment { diskseq: Some(8), ..moment.clone() },
            Moment { writes: Some(101), ..moment.clone() },
            Moment { writes: None, ..moment.clone() },
            Moment { disk_writes: Some(1), ..moment.clone() },
        ] {
            assert!(!moment.proves_unchanged(&other), "{other:?}");
        }
        let unknown = Moment::default();
        assert!(!unknown.proves_unchanged(&unknown));
    }

    #[test]
    fn a_written_disk_is_the_same_and_another_disk_is_not() {
        let (before, then) = disk();
        let now = Moment { boot_id: Some("later".into()), ..then.clone() };
        let written = Identity { first_mib: Some("other".into()), ..before.clone() };
        assert!(before.recognises(&written, &then, &now, false).is_ok());
        let other = Identity { serial: "S2".into(), ..before.clone() };
        assert!(before.recognises(&other, &then, &now, false).unwrap_err().contains("S2"));
        let smaller = Identity { size: 1 << 29, ..before.clone() };
        assert!(before.recognises(&smaller, &then, &then, false).is_err());
    }

    #[test]
    fn numbers_that_nobody_set_and_empty_ends_recognise_nothing() {
        let (mut before, then) = disk();
        before.medium = "removable".into();
        before.volumes = vec![VolumeId { kind: "mbr".into(), label: String::new(), uuid: "00000000".into() }];
        let now = Moment { diskseq: Some(8), ..then.clone() };
        let other = Identity { first_mib: Some("other".into()), ..before.clone() };
        assert!(before.recognises(&other, &then, &now, false).is_err());
        let unread = Identity { first_mib: None, ..before.clone() };
        assert!(before.recognises(&unread, &then, &now, false).is_ok());
    }

    #[test]
    fn a_disc_that_cannot_change_is_another_when_it_differs() {
        let (mut before, then) = disk();
        before.medium = "optical".into();
        before.volumes =
            vec![VolumeId { kind: "iso9660".into(), label: String::new(), uuid: "2026-11-22".into() }];
        let other = Identity { last_mib: Some("other".into()), ..before.clone() };
        assert!(before.recognises(&other, &then, &then, true).is_err());
        let unread = Identity { last_mib: None, ..before.clone() };
        assert!(before.recognises(&unread, &then, &then, true).is_ok());
    }

    #[test]
    fn another_card_in_the_same_reader_is_another_medium() {
        let (mut before, then) = disk();
        before.medium = "removable".into();
        let volume =
            |uuid: &str| vec![VolumeId { kind: "vfat".into(), label: String::new(), uuid: uuid.into() }];
        before.volumes = volume("1111-1111");
        let now = Moment { diskseq: Some(8), ..then.clone() };
        let other =
            Identity { volumes: volume("2222-2222"), first_mib: Some("other".into()), ..before.clone() };
        assert!(before.recognises(&other, &then, &now, false).is_err());
        let same = Identity { first_mib: Some("written".into()), ..before.clone() };
        assert!(before.recognises(&same, &then, &now, false).is_ok());
        let blank = Identity {
            volumes: vec![],
            first_mib: Some("z".into()),
            last_mib: Some("z".into()),
            ..before.clone()
        };
        assert!(before.recognises(&blank, &then, &now, false).is_err());
    }
}
