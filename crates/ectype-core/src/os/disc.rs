//! What an optical disc tells about itself, as data: tracks, kind, and why a read failed.
//!
//! ```text
//!   LBA 0            lead-out           one data track, one session, mode 1: an .iso holds all of it
//!   │ track 1 (data) │
//!
//!   │ 1 data │ 2 audio │ 3 audio │      mixed: the audio sectors have 2352 bytes and no .iso holds them
//!
//!   │ session 1 │ gap │ session 2 │     multi-session: the gap of 11 400 sectors is unreadable by nature
//! ```

/// A track of a disc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    /// The track's number, from 1 to 99.
    pub number: u8,
    /// Its first sector.
    pub lba: u32,
    /// Its length in sectors, up to the next track or the lead-out: before a session's end that includes the gap.
    pub len_sectors: u32,
    /// Whether it holds data; audio otherwise.
    pub data: bool,
    /// The mode of its data sectors, 1 or 2, where the drive told it.
    pub mode: Option<u8>,
}

/// A disc's table of contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toc {
    /// The tracks in ascending order; at least one.
    pub tracks: Vec<Track>,
    /// The first sector behind the last track.
    pub lead_out: u32,
    /// The first sector of the last session; 0 on a disc of one session.
    pub last_session_lba: u32,
    /// Whether the disc is one with mode 2 sectors (CD-ROM XA, CD-i) as far as the drive tells.
    pub xa: bool,
}

impl Toc {
    /// The table of a disc that has none: one data track over `size` bytes of 2048-byte sectors.
    pub fn whole(size: u64) -> Self {
        let lead_out = u32::try_from(size / 2048).unwrap_or(u32::MAX);
        let track = Track { number: 1, lba: 0, len_sectors: lead_out, data: true, mode: None };
        Toc { tracks: vec![track], lead_out, last_session_lba: 0, xa: false }
    }

    /// How many tracks are audio.
    pub fn audio_tracks(&self) -> usize {
        self.tracks.iter().filter(|track| !track.data).count()
    }
}

/// Why this version cannot image a disc with this table, as the end of a sentence "… is …"; `None` where one `.iso`
/// holds everything.
pub fn refusal(toc: &Toc) -> Option<String> {
    const CUE: &str = "BIN/CUE is not in this version";
    let audio = toc.audio_tracks();
    let data = toc.tracks.len() - audio;
    let sessions = match toc.last_session_lba {
        0 => String::new(),
        lba => format!(" in several sessions, the last from sector {lba}"),
    };
    if data == 0 {
        let tracks = counted(audio, "track");
        return Some(format!("an audio CD with {tracks}{sessions}: an .iso holds only data, and {CUE}"));
    }
    if audio > 0 {
        return Some(format!(
            "a mixed disc with {} and {}{sessions}: an .iso holds only data, and {CUE}",
            counted(data, "data track"),
            counted(audio, "audio track"),
        ));
    }
    if toc.last_session_lba > 0 {
        return Some(format!(
            "a multi-session disc with {}, the last session from sector {}: an .iso holds one session, and {CUE}",
            counted(data, "data track"),
            toc.last_session_lba,
        ));
    }
    if toc.xa || toc.tracks.iter().any(|track| track.mode == Some(2)) {
        return Some(format!(
            "a CD with mode 2 sectors (CD-ROM XA, Video CD, CD-i): an .iso has no room for sectors of 2324 bytes, and {CUE}"
        ));
    }
    if data > 1 {
        let tracks = counted(data, "data track");
        return Some(format!("a disc with {tracks}: an .iso holds one, and {CUE}"));
    }
    None
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The kind of disc as the drive's current profile (MMC) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile(pub u16);

impl Profile {
    /// The name that people know it by.
    pub fn name(self) -> &'static str {
        match self.0 {
            0x03..=0x05 => "MO",
            0x08 => "CD-ROM",
            0x09 => "CD-R",
            0x0a => "CD-RW",
            0x10 => "DVD-ROM",
            0x11 => "DVD-R",
            0x12 => "DVD-RAM",
            0x13 | 0x14 => "DVD-RW",
            0x15 | 0x16 => "DVD-R DL",
            0x17 => "DVD-RW DL",
            0x1a => "DVD+RW",
            0x1b => "DVD+R",
            0x2a => "DVD+RW DL",
            0x2b => "DVD+R DL",
            0x40 => "BD-ROM",
            0x41 | 0x42 => "BD-R",
            0x43 => "BD-RE",
            0x50 => "HD DVD-ROM",
            0x51 => "HD DVD-R",
            0x52 => "HD DVD-RAM",
            _ => "disc of unknown kind",
        }
    }

    /// How many bytes such a disc corrects as one, so that they mostly fail as one: 16 sectors of a DVD, 32 of a BD or HD DVD.
    pub fn corrected_as_one(self) -> Option<u64> {
        match self.0 {
            0x10..=0x2b => Some(16 * 2048),
            0x40..=0x52 => Some(32 * 2048),
            _ => None,
        }
    }

    /// Whether it is one of the CDs, whose sectors have modes and whose tracks may be audio.
    pub fn is_cd(self) -> bool {
        matches!(self.0, 0x08..=0x0a)
    }
}

/// Whether a mounted file system can write to such a disc in place, so that it counts as writable.
pub fn writable_medium(profile: Profile) -> bool {
    // MO, CD-RW (packets), DVD-RAM, DVD-RW restricted overwrite, DVD+RW (DL), BD-R random recording, BD-RE, HD DVD-RAM.
    matches!(profile.0, 0x03 | 0x05 | 0x0a | 0x12 | 0x13 | 0x1a | 0x2a | 0x42 | 0x43 | 0x52)
}

/// Whether `size`, in bytes, is the one that the Linux kernel invents for a disc whose drive does not tell: 0x1fffff
/// units of 512. It is no multiple of 2048, so no disc really has it.
pub fn suspicious_size(size: u64) -> bool {
    size == 0x1f_ffff * 512
}

/// Why a drive failed a command (SCSI sense).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sense {
    /// The sense key: 0 nothing wrong, 2 not ready, 3 medium error, 4 hardware error, 5 illegal request, 6 changed.
    pub key: u8,
    /// The additional sense code.
    pub asc: u8,
    /// Its qualifier.
    pub ascq: u8,
    /// The sector that failed, where the drive told it.
    pub information: Option<u64>,
}

impl Sense {
    /// Reads sense data of both formats; `None` for what is neither.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
        match bytes.first()? & 0x7f {
            0x70 | 0x71 => {
                let valid = at(0) & 0x80 != 0 && bytes.len() >= 7;
                Some(Sense {
                    key: at(2) & 0xf,
                    asc: at(12),
                    ascq: at(13),
                    information: valid.then(|| u32::from_be_bytes([at(3), at(4), at(5), at(6)]).into()),
                })
            }
            0x72 | 0x73 => {
                let mut information = None;
                let mut rest = bytes.get(8..).unwrap_or(&[]);
                while let [kind, len, ..] = *rest {
                    let end = rest.len().min(2 + usize::from(len));
                    if kind == 0
                        && let Some(field) = rest[..end].get(2..12)
                        && field[0] & 0x80 != 0
                    {
                        let lba = field[2..10].iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
                        information = Some(lba);
                    }
                    rest = &rest[end..];
                }
                Some(Sense { key: at(1) & 0xf, asc: at(2), ascq: at(3), information })
            }
            _ => None,
        }
    }

    /// Whether the medium itself is at fault: it cannot be read there, or is blank.
    pub fn medium_error(&self) -> bool {
        matches!(self.key, 3 | 8) || self.no_such_sector()
    }

    /// Whether nothing was ever written there: a gap between recordings, which is no damage.
    pub fn unwritten(&self) -> bool {
        self.key == 8
    }

    /// Whether the drive finds no such sector. In a gap it may say so, but ATA drives say it (ID not found) where the head of a
    /// sector is damaged, and optical drives of audio and mode 2: that nothing was written there it does not mean.
    pub fn no_such_sector(&self) -> bool {
        // LOGICAL BLOCK ADDRESS OUT OF RANGE, ILLEGAL MODE FOR THIS TRACK.
        matches!((self.key, self.asc, self.ascq), (5, 0x21 | 0x64, 0))
    }

    /// The copy protection that made the drive refuse the sector, if it was that: not damage, and no retry helps.
    pub fn protected(&self) -> Option<&'static str> {
        match (self.key, self.asc, self.ascq) {
            (5, 0x6f, 0x04 | 0x05) => Some("copy protection (CSS): the drive's region is not the disc's"),
            (5, 0x6f, _) => Some("copy protection (CSS): the drive was not authenticated"),
            _ => None,
        }
    }

    /// Whether the drive says that it has no medium, or perhaps another one.
    pub fn other_medium(&self) -> bool {
        (self.key, self.asc) == (2, 0x3a) || (self.key, self.asc) == (6, 0x28)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_sense_with_the_sector() {
        let bytes = [0xf0, 0, 3, 0, 0, 0x12, 0x34, 10, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0];
        let sense = Sense::parse(&bytes).unwrap();
        assert_eq!(sense, Sense { key: 3, asc: 0x11, ascq: 0, information: Some(0x1234) });
        assert!(sense.medium_error());
        assert_eq!(sense.protected(), None);
        // Without the valid bit the field means nothing.
        let mut invalid = bytes;
        invalid[0] = 0x70;
        assert_eq!(Sense::parse(&invalid).unwrap().information, None);
    }

    #[test]
    fn descriptor_sense_with_the_sector() {
        let bytes = [
            0x72, 3, 0x11, 0, 0, 0, 0, 14, 2, 0, /* a descriptor that is none of ours */
            0, 10, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x56, 0x78,
        ];
        assert_eq!(
            Sense::parse(&bytes),
            Some(Sense { key: 3, asc: 0x11, ascq: 0, information: Some(0x5678) })
        );
    }

    #[test]
    fn cut_and_foreign_sense_does_no_harm() {
        let whole = [0x72, 3, 0x11, 0, 0, 0, 0, 12, 0, 10, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x56, 0x78];
        for len in 0..whole.len() {
            let _ = Sense::parse(&whole[..len]);
        }
        assert_eq!(Sense::parse(&[]), None);
        assert_eq!(Sense::parse(&[0x00; 18]), None);
    }

    #[test]
    fn scrambled_sectors_are_no_damage() {
        let css = Sense { key: 5, asc: 0x6f, ascq: 3, information: None };
        assert_eq!(css.protected(), Some("copy protection (CSS): the drive was not authenticated"));
        assert!(!css.medium_error());
    }

    #[test]
    fn what_was_never_written_is_told_from_damage() {
        let sense = |key, asc, ascq| Sense { key, asc, ascq, information: None };
        for blank in [sense(8, 0, 0), sense(8, 0x64, 0)] {
            assert!(blank.unwritten() && blank.medium_error() && blank.protected().is_none(), "{blank:?}");
        }
        // Unreadable, as ATA drives and as optical ones say it; ID not found; a track of another kind.
        for bad in [sense(3, 0x11, 0), sense(3, 0x14, 1), sense(5, 0x21, 0), sense(5, 0x64, 0)] {
            assert!(bad.medium_error() && !bad.unwritten(), "{bad:?}");
        }
        // Protected, an unknown command, a wrong field, broken hardware.
        for other in [sense(5, 0x6f, 3), sense(5, 0x20, 0), sense(5, 0x24, 0), sense(4, 0x44, 0)] {
            assert!(!other.medium_error() && !other.unwritten(), "{other:?}");
        }
    }

    #[test]
    fn an_invented_size_is_known() {
        assert!(suspicious_size(1_073_741_312));
        assert!(!suspicious_size(1_073_741_824));
        assert_ne!(1_073_741_312 % 2048, 0);
    }

    #[test]
    fn rewritable_discs_count_as_writable() {
        for profile in [0x0a, 0x12, 0x13, 0x1a, 0x43] {
            assert!(writable_medium(Profile(profile)), "{}", Profile(profile).name());
        }
        for profile in [0x08, 0x09, 0x10, 0x11, 0x1b, 0x40, 0x41] {
            assert!(!writable_medium(Profile(profile)), "{}", Profile(profile).name());
        }
    }
}
