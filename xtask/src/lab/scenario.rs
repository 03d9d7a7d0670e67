//! What a scenario declares in its first lines; the rest is for the guest's shell.
//!
//! ```text
//! # One sentence: what must hold.
//! #: medium disc iso 12M
//! #: drive ide ide-cd disc bad=500-501,1000 slow=2M
//! #: wine
//! ```

use crate::Result;
use crate::bench::size;
use std::ops::RangeInclusive;

/// One file of lab/scenarios.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) media: Vec<Medium>,
    pub(super) drives: Vec<Drive>,
    /// The guest has the host's Wine, and the program for Windows.
    pub(super) wine: bool,
    pub(super) script: String,
}

/// A file that the host makes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Medium {
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A file system with one file of about this size.
    Iso,
    Random,
    /// A file system without a file.
    Ext4,
    /// A disk that a machine boots from: a partition table, and a file system with an `init`.
    Machine,
}

/// What the guest finds when it starts; what the host puts in later is neither bad nor slow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Drive {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) medium: String,
    /// The drive's own sectors.
    pub(super) bad: Vec<RangeInclusive<u64>>,
    pub(super) bytes_per_s: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    IdeCd,
    ScsiCd,
    ScsiDisk,
    UsbStick,
}

impl Kind {
    pub(super) fn sector_size(self) -> u64 {
        if self.is_cd() { 2048 } else { 512 }
    }

    pub(super) fn is_cd(self) -> bool {
        matches!(self, Kind::IdeCd | Kind::ScsiCd)
    }
}

impl Scenario {
    pub(super) fn parse(name: &str, script: String) -> Result<Scenario> {
        let title = script.lines().next().and_then(|line| line.strip_prefix("# "));
        let title = title.ok_or_else(|| format!("{name}: begins with `# ` and what must hold"))?.to_owned();
        let (mut media, mut drives, mut wine) = (Vec::new(), Vec::new(), false);
        for line in script.lines().filter_map(|line| line.strip_prefix("#: ")) {
            let said = |why: String| format!("{name}: {line}: {why}");
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["medium", name, content, size] => media.push(medium(name, content, size).map_err(said)?),
                ["drive", name, kind, medium, ref how @ ..] => {
                    drives.push(drive(name, kind, medium, how).map_err(said)?);
                }
                ["wine"] => wine = true,
                _ => {
                    return Err(said(
                        "neither `medium NAME CONTENT SIZE` nor `drive NAME KIND MEDIUM [HOW…]` nor `wine`"
                            .into(),
                    ));
                }
            }
        }
        let unknown = |drive: &&Drive| !media.iter().any(|medium: &Medium| medium.name == drive.medium);
        if let Some(drive) = drives.iter().find(unknown) {
            return Err(format!("{name}: no medium is called {}", drive.medium));
        }
        Ok(Scenario { name: name.into(), title, media, drives, wine, script })
    }
}

fn medium(name: &str, content: &str, text: &str) -> Result<Medium> {
    let content = match content {
        "iso" => Content::Iso,
        "random" => Content::Random,
        "ext4" => Content::Ext4,
        "machine" => Content::Machine,
        _ => return Err("a medium is iso, random, ext4 or machine".into()),
    };
    Ok(Medium { name: plain(name)?, content, size: size(text)? })
}

fn drive(name: &str, kind: &str, medium: &str, how: &[&str]) -> Result<Drive> {
    let kind = match kind {
        "ide-cd" => Kind::IdeCd,
        "scsi-cd" => Kind::ScsiCd,
        "scsi-disk" => Kind::ScsiDisk,
        "usb-stick" => Kind::UsbStick,
        _ => return Err("a drive is ide-cd, scsi-cd, scsi-disk or usb-stick".into()),
    };
    let mut drive =
        Drive { name: plain(name)?, kind, medium: medium.into(), bad: Vec::new(), bytes_per_s: None };
    for word in how {
        match word.split_once('=') {
            Some(("bad", list)) => drive.bad = list.split(',').map(sectors).collect::<Result<_>>()?,
            Some(("slow", rate)) => drive.bytes_per_s = Some(size(rate)?),
            _ => return Err(format!("{word}: neither bad=SECTORS nor slow=BYTES_PER_SECOND")),
        }
    }
    Ok(drive)
}

fn sectors(text: &str) -> Result<RangeInclusive<u64>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err(format!("{text}: sectors are 7 or 7-9")),
    }
}

/// Names are shell variables, file names and words of QEMU.
fn plain(name: &str) -> Result<String> {
    let fits = |at: usize, c: char| c.is_ascii_lowercase() || c == '_' || at > 0 && c.is_ascii_digit();
    if name.chars().enumerate().all(|(at, c)| fits(at, c)) {
        return Ok(name.into());
    }
    Err(format!("{name}: a name is of a-z, 0-9 and _"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read() {
        let text = "# It holds.\n#: medium disc iso 12M\n#: drive cd ide-cd disc bad=7,9-11 slow=2M\n#: wine\nrun 0\n";
        let scenario = Scenario::parse("x", text.into()).unwrap();
        assert_eq!(scenario.title, "It holds.");
        assert!(scenario.wine);
        assert_eq!(scenario.media, [Medium { name: "disc".into(), content: Content::Iso, size: 12 << 20 }]);
        assert_eq!(
            scenario.drives,
            [Drive {
                name: "cd".into(),
                kind: Kind::IdeCd,
                medium: "disc".into(),
                bad: vec![7..=7, 9..=11],
                bytes_per_s: Some(2 << 20),
            }]
        );
    }

    #[test]
    fn mistakes_are_named() {
        for line in [
            "medium disc iso",
            "medium disc tape 1M",
            "medium 1disc iso 1M",
            "drive cd ide-cd nothing",
            "drive cd floppy disc",
            "drive cd ide-cd disc bad=9-7",
            "drive cd ide-cd disc fast=1M",
            "wine 8",
        ] {
            let text = format!("# It holds.\n#: medium disc iso 1M\n#: {line}\n");
            assert!(Scenario::parse("x", text).is_err(), "{line}");
        }
        assert!(Scenario::parse("x", "run 0\n".into()).is_err());
    }
}
