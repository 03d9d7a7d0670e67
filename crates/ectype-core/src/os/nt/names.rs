//! How devices are named: what a user types, and what Windows opens.
//!
//! ```text
//!   typed                                device                               root, which ends with \
//!   E:  E:\  \\.\E:                      \\.\E:                               E:\
//!   \\?\Volume{8b1c…}  with or without \ \\?\Volume{8b1c…}                    \\?\Volume{8b1c…}\
//!   \\.\PhysicalDrive1                   \\.\PhysicalDrive1                   none: it is no volume
//! ```

/// A device by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::os) enum Name {
    /// The volume at a drive letter, a capital.
    Letter(char),
    /// A volume by what is in the braces of its name.
    Volume(String),
    /// A whole disk.
    Disk(u32),
    /// An optical drive.
    CdRom(u32),
    /// Any other device that Windows opens by this name, as a volume shadow copy.
    Other(String),
}

/// What `text` names, where it can be nothing but a device.
pub(in crate::os) fn parse(text: &str) -> Option<Name> {
    let text = text.replace('/', r"\");
    let bare = text.strip_suffix('\\').unwrap_or(&text);
    let (space, rest) = match bare.get(..4) {
        Some(prefix @ (r"\\.\" | r"\\?\")) => (Some(prefix), &bare[4..]),
        _ => (None, bare),
    };
    if let [letter, b':'] = rest.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        return Some(Name::Letter(letter.to_ascii_uppercase().into()));
    }
    space?;
    let starts = |prefix: &str| {
        let head = rest.get(..prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then(|| &rest[prefix.len()..])
    };
    let number = |digits: &str| {
        // Windows spells a number in one way, and knows no other.
        let plain =
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        plain.then(|| digits.parse().ok()).flatten()
    };
    if let Some(disk) = starts("PhysicalDrive").and_then(number) {
        return Some(Name::Disk(disk));
    }
    if let Some(drive) = starts("CdRom").and_then(number) {
        return Some(Name::CdRom(drive));
    }
    if let Some(guid) = starts("Volume{").and_then(|rest| rest.strip_suffix('}'))
        && !guid.contains(['\\', '{', '}'])
    {
        return Some(Name::Volume(guid.to_ascii_lowercase()));
    }
    // A path that only avoids the length limit is none of these.
    let is_path = rest.as_bytes().get(1) == Some(&b':') || starts(r"UNC\").is_some();
    let is_device = starts(r"GLOBALROOT\Device\").is_some_and(|device| !device.contains('\\'));
    let is_bare = space == Some(r"\\.\") && !rest.is_empty() && !rest.contains('\\');
    (!is_path && (is_device || is_bare)).then(|| Name::Other(bare.to_owned()))
}

impl Name {
    /// The name by which it is opened as a device.
    pub(in crate::os) fn device(&self) -> String {
        match self {
            Name::Letter(letter) => format!(r"\\.\{letter}:"),
            Name::Volume(guid) => format!(r"\\?\Volume{{{guid}}}"),
            Name::Disk(number) => format!(r"\\.\PhysicalDrive{number}"),
            Name::CdRom(number) => format!(r"\\.\CdRom{number}"),
            Name::Other(name) => name.clone(),
        }
    }

    /// The root of its file system, where it is a volume.
    pub(in crate::os) fn root(&self) -> Option<String> {
        match self {
            Name::Letter(letter) => Some(format!(r"{letter}:\")),
            Name::Volume(guid) => Some(format!(r"\\?\Volume{{{guid}}}\")),
            Name::Disk(_) | Name::CdRom(_) | Name::Other(_) => None,
        }
    }

    /// Whether a file system stands before its bytes, and ends reads where its own size does. Only before a whole disk there is
    /// none; a snapshot has that of its volume.
    pub(in crate::os) fn has_file_system(&self) -> bool {
        !matches!(self, Name::Disk(_))
    }

    /// The name that the system's table of names has for it.
    pub(in crate::os) fn short(&self) -> String {
        let device = self.device();
        device.get(4..).unwrap_or(&device).to_owned()
    }
}

/// A path as people write it: `C:\…` and `\\server\share\…` for the spelling that has no length limit. What would be another file
/// without the prefix keeps it: names of devices, and those that end with a dot or a space.
pub(in crate::os) fn as_written(path: &str) -> Option<String> {
    let rest = path.strip_prefix(r"\\?\")?;
    let (root, below, written) = match rest.as_bytes() {
        [letter, b':', b'\\', ..] if letter.is_ascii_alphabetic() => (3, &rest[3..], rest.to_owned()),
        _ => {
            let share = rest.get(..4).filter(|unc| unc.eq_ignore_ascii_case(r"UNC\")).map(|_| &rest[4..])?;
            (0, share, format!(r"\\{share}"))
        }
    };
    let is_same = |part: &str| !part.is_empty() && !part.contains('/') && misnamed(part).is_none();
    let is_root = root > 0 && below.is_empty();
    (is_root || below.strip_suffix('\\').unwrap_or(below).split('\\').all(is_same)).then_some(written)
}

/// Whether a look at `path` alone would ask another machine, one that none of `from` is on, or a device.
pub(in crate::os) fn leads_away<'a>(path: &str, from: impl IntoIterator<Item = &'a str>) -> bool {
    match reach(path) {
        Reach::Here => false,
        Reach::Device => true,
        share => !from.into_iter().any(|place| reach(place) == share),
    }
}

/// Who is asked for what lies at a path.
#[derive(PartialEq, Eq)]
enum Reach {
    /// A drive or a volume: of the network at most where the user connected one.
    Here,
    /// Another machine, in small letters.
    Server(String),
    /// What is no file.
    Device,
}

fn reach(path: &str) -> Reach {
    let text = path.replace('/', r"\");
    let server =
        |share: &str| Reach::Server(share.split('\\').next().unwrap_or_default().to_ascii_lowercase());
    let has = |text: &str, prefix: &str| {
        text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    let Some(rest) = [r"\\?\", r"\\.\", r"\??\"].iter().find_map(|space| text.strip_prefix(space)) else {
        return match text.strip_prefix(r"\\") {
            Some(share) => server(share),
            // Under any folder such a name is that of the device.
            None if text.rsplit('\\').next().is_some_and(is_kept) => Reach::Device,
            None => Reach::Here,
        };
    };
    match rest.as_bytes() {
        [letter, b':', b'\\', ..] if letter.is_ascii_alphabetic() => Reach::Here,
        _ if has(rest, r"UNC\") => server(&rest[4..]),
        _ if has(rest, "Volume{") && rest.contains(r"}\") => Reach::Here,
        _ => Reach::Device,
    }
}

/// What was meant by a name that only lacks `\\.\` to be a device's.
pub(in crate::os) fn meant(name: &str) -> Option<Name> {
    let device = parse(&format!(r"\\.\{name}"))?;
    matches!(device, Name::Disk(_) | Name::CdRom(_) | Name::Volume(_)).then_some(device)
}

/// Whether two names in one folder are of one file: large and small letters are the same there.
pub(in crate::os) fn is_same(a: &str, b: &str) -> bool {
    let capital = |c: char| {
        let mut capitals = c.to_uppercase();
        // The table of Windows has one for one.
        capitals.next().filter(|_| capitals.next().is_none()).unwrap_or(c)
    };
    a.chars().map(capital).eq(b.chars().map(capital))
}

/// Whether Windows keeps this name for a device, whatever the extension.
fn is_kept(name: &str) -> bool {
    // The superscript digits count too.
    let base = name.split(['.', ':']).next().unwrap_or_default().trim_end_matches(' ').to_ascii_uppercase();
    let numbered = ["COM", "LPT"].iter().any(|port| {
        base.strip_prefix(port).is_some_and(|rest| {
            let mut rest = rest.chars();
            rest.next().is_some_and(|c| "0123456789¹²³".contains(c)) && rest.next().is_none()
        })
    });
    numbered || ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&&*base)
}

/// Why a file cannot have this name, the last part of a path: it would be another one, or a device.
pub(in crate::os) fn misnamed(name: &str) -> Option<&'static str> {
    match () {
        () if is_kept(name) => Some("Windows keeps this name for a device"),
        () if name.ends_with(['.', ' ']) => {
            Some("Windows leaves out the dots and blanks at the end of a name")
        }
        () if name.contains(':') => Some("what follows the colon would be a hidden stream of another file"),
        () => None,
    }
}

/// The strings of a list in which each ends with a zero and the last is empty. What no zero ends is none.
pub(in crate::os) fn list(units: &[u16]) -> Vec<String> {
    let mut rest = units;
    let mut strings = Vec::new();
    while let Some(end) = rest.iter().position(|&unit| unit == 0) {
        if end == 0 {
            break;
        }
        strings.push(String::from_utf16_lossy(&rest[..end]));
        rest = &rest[end + 1..];
    }
    strings
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "8b1c4d2e-0000-0000-0000-100000000000";

    #[test]
    fn the_names_that_users_type() {
        for typed in ["E:", "e:", r"E:\", r"\\.\E:", r"\\.\e:\", r"\\?\E:\", "//./E:", "E:/"] {
            assert_eq!(parse(typed), Some(Name::Letter('E')), "{typed}");
        }
        for typed in
            [r"\\.\PhysicalDrive1", r"\\.\PHYSICALDRIVE1", r"\\?\PhysicalDrive1", "//./physicaldrive1"]
        {
            assert_eq!(parse(typed), Some(Name::Disk(1)), "{typed}");
        }
        assert_eq!(parse(r"\\.\CdRom0"), Some(Name::CdRom(0)));
        for typed in [
            format!(r"\\?\Volume{{{GUID}}}"),
            format!(r"\\?\Volume{{{GUID}}}\"),
            format!(r"\\.\volume{{{}}}", GUID.to_uppercase()),
        ] {
            let name = parse(&typed).unwrap();
            assert_eq!(name, Name::Volume(GUID.to_owned()), "{typed}");
            assert_eq!(name.device(), format!(r"\\?\Volume{{{GUID}}}"));
            assert_eq!(name.root(), Some(format!(r"\\?\Volume{{{GUID}}}\")));
            assert_eq!(name.short(), format!("Volume{{{GUID}}}"));
        }
        let copy = r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy3";
        assert_eq!(parse(copy), Some(Name::Other(copy.to_owned())));
        assert_eq!(parse(r"\\.\HarddiskVolume3").unwrap().device(), r"\\.\HarddiskVolume3");
        assert_eq!(
            (Name::Letter('E').device().as_str(), Name::Letter('E').root().as_deref()),
            (r"\\.\E:", Some(r"E:\"))
        );
    }

    #[test]
    fn paths_are_shown_as_people_write_them() {
        for (path, written) in [
            (r"\\?\C:\a\b.img", r"C:\a\b.img"),
            (r"\\?\c:\", r"c:\"),
            (r"\\?\C:\Größe\ä b.vhdx", r"C:\Größe\ä b.vhdx"),
            (r"\\?\C:\console\com12\nullable.img", r"C:\console\com12\nullable.img"),
            (r"\\?\UNC\server\share\x.img", r"\\server\share\x.img"),
            (r"\\?\UNC\server\share\", r"\\server\share\"),
        ] {
            assert_eq!(as_written(path).as_deref(), Some(written));
        }
        // Without the prefix these are others, or what they are already.
        for path in [
            r"C:\a.img",
            r"\\server\share",
            r"\\.\C:",
            r"\\?\Volume{1}\a.img",
            r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy3",
            r"\\?\C:",
            r"\\?\C:\a.",
            r"\\?\C:\a \b",
            r"\\?\C:\..\b",
            r"\\?\C:\a/b",
            r"\\?\C:\a\\b",
            r"\\?\C:\nul",
            r"\\?\C:\com1.img",
            r"\\?\C:\com¹",
            r"\\?\C:\aux .txt\x",
            r"\\?\UNC\",
            "",
        ] {
            assert_eq!(as_written(path), None, "{path}");
        }
    }

    #[test]
    fn a_file_system_stands_before_all_but_whole_disks() {
        let before =
            ["E:", r"\\?\Volume{1}", r"\\.\CdRom0", r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy3"];
        assert!(before.iter().all(|name| parse(name).unwrap().has_file_system()));
        assert!(!parse(r"\\.\PhysicalDrive1").unwrap().has_file_system());
    }

    #[test]
    fn files_and_folders_are_no_devices() {
        for typed in [
            "",
            "E",
            "disc.iso",
            r"E:\disc.iso",
            "E:disc.iso",
            r"\\?\E:\disc.iso",
            r"\\server\share",
            r"\\.\",
            "é:",
            r"\\?\UNC\server\share\x",
            r"\\?\Volume{1}\folder",
            r"C:\mnt\stick",
            r"\\?\GLOBALROOT\Device\X\file",
        ] {
            assert_eq!(parse(typed), None, "{typed}");
        }
        // No number, or one that no drive has: Windows says so itself.
        assert!(matches!(parse(r"\\.\PhysicalDriveX"), Some(Name::Other(_))));
        assert!(matches!(parse(r"\\.\PhysicalDrive99999999999"), Some(Name::Other(_))));
        assert!(matches!(parse(r"\\.\PhysicalDrive00"), Some(Name::Other(_))));
    }

    #[test]
    fn names_that_no_file_can_have() {
        for name in [
            "NUL",
            "nul",
            "con.img",
            "AUX.img",
            "aux .img",
            "COM1",
            "com¹.vhdx",
            "LPT9.x.y",
            "CONIN$",
            "a.img.",
            "a.img ",
            "a.img. .",
            "a.img:b",
            "a.img::$DATA",
            "NUL:",
        ] {
            assert!(misnamed(name).is_some(), "{name}");
        }
        for name in
            ["a.img", ".img", "COM", "COM10.img", "console.img", "null.img", "a b.img", "é日本🙂.img", ""]
        {
            assert_eq!(misnamed(name), None, "{name}");
        }
    }

    #[test]
    fn what_leads_to_another_machine_or_to_a_device() {
        let from = [r"\\?\C:\images", r"\\?\UNC\Server\share\x"];
        let leads_away = |path: &str| leads_away(path, from);
        for path in [
            r"\\evil.example\share\base.vhd",
            "//evil.example/share/base.vhd",
            r"\/evil.example\share",
            r"\\evil@SSL@8080\DavWWWRoot\x",
            r"\\?\UNC\evil\share\x",
            r"\\.\unc\evil\share\x",
            r"\??\UNC\evil\share\x",
            r"\\?\GLOBALROOT\Device\Mup\evil\x",
            r"\\.\pipe\x",
            r"\\.\PhysicalDrive0",
            r"\\.\C:",
            r"\\",
            r"C:\COM1",
            r"C:\a\nul.vhd",
            "aux",
        ] {
            assert!(leads_away(path), "{path}");
        }
        for path in [
            r"C:\images\base.vhd",
            "C:/images/base.vhd",
            r"\\?\D:\x",
            r"\\.\D:\x",
            r"\\?\Volume{1}\x",
            r"\\server\other\x",
            "//SERVER/share/x",
            r"..\..\x",
            r"\x\y",
            "base.vhd",
            "C:base.vhd",
            "",
        ] {
            assert!(!leads_away(path), "{path}");
        }
    }

    #[test]
    fn a_name_that_lacks_its_beginning() {
        assert_eq!(meant("physicaldrive1"), Some(Name::Disk(1)));
        assert_eq!(meant("CdRom0"), Some(Name::CdRom(0)));
        assert_eq!(meant("Volume{1}"), Some(Name::Volume("1".to_owned())));
        for name in ["PhysicalDrive1.img", "PhysicalDrive", "Volume{1}.vhd", "COM1", "a.img", "", "E:"] {
            assert!(!matches!(meant(name), Some(Name::Disk(_) | Name::CdRom(_) | Name::Volume(_))), "{name}");
        }
        assert_eq!(meant("E:"), None);
    }

    #[test]
    fn letters_are_the_same_large_and_small() {
        assert!(is_same("a.img", "A.IMG") && is_same("Größe.map", "GRÖßE.MAP") && is_same("", ""));
        assert!(!is_same("a.img", "a.im") && !is_same("ß", "SS"));
    }

    #[test]
    fn lists_end_with_an_empty_string() {
        let units = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
        assert_eq!(list(&units("E:\\\0C:\\mnt\\\0\0rest\0")), [r"E:\", r"C:\mnt\"]);
        assert!(list(&units("\0")).is_empty() && list(&[]).is_empty());
        assert_eq!(list(&units("a\0cut")), ["a"]);
    }
}
