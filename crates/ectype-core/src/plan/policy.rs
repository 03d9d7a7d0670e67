//! The policy: what kind of image a medium becomes, under which name, and why.
//!
//! ```text
//!   medium               default image            precaution              what is read
//!   optical              .iso, one data track     none needed             every sector of the track
//!   removable, writable  .img                     exclusive               every sector
//!   fixed                .vhdx (named by the user) exclusive              every sector; in use: refused
//!   file, image          raw, or by extension     none                    data extents
//! ```

use crate::error::{Error, Result};
use crate::image::{self, Format, raw};
use crate::os::{Medium, host};
use crate::proof::identity::VolumeId;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The formats that are known by name but not written in this version.
const LATER: [&str; 2] = ["e01", "cue"];

/// The format of that name, as `--format` takes it.
pub fn parse(name: &str) -> Result<&'static Format> {
    let lower = name.to_ascii_lowercase();
    match image::named(&lower) {
        Some(format) if format.writing.is_some() => Ok(format),
        Some(format) => Err(not_yet(format.name)),
        None if LATER.contains(&lower.as_str()) => Err(not_yet(&lower)),
        None => Err(Error::unsupported(format!("there is no image format {name:?}")).advise(format!(
            "formats: {}",
            written().map(|format| format.name).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// The formats that are written.
pub fn written() -> impl Iterator<Item = &'static Format> {
    image::FORMATS.iter().copied().filter(|format| format.writing.is_some())
}

/// The format that a file's extension asks for; `None` where it has no extension.
fn of_extension(path: &Path) -> Result<Option<&'static Format>> {
    let Some(extension) = path.extension().and_then(OsStr::to_str) else { return Ok(None) };
    let lower = extension.to_ascii_lowercase();
    match image::of_extension(&lower) {
        Some(format) if format.writing.is_some() => Ok(Some(format)),
        Some(format) => Err(not_yet(format.name)),
        None if LATER.contains(&lower.as_str()) => Err(not_yet(&lower)),
        None => {
            let known: Vec<String> = written()
                .flat_map(|format| format.extensions)
                .map(|extension| format!(".{extension}"))
                .collect();
            Err(Error::refused(format!(
                "the extension .{extension} of {} names no image format",
                path.display()
            ))
            .advise(format!("choose one of {}, or say --format", known.join(" "))))
        }
    }
}

fn not_yet(format: &str) -> Error {
    let error = Error::unsupported(format!("{format} images are not written in this version"));
    match format {
        "gz" | "xz" | "bz2" | "lz4" => error.advise("compressed, and readable at any place:  --format zst"),
        _ => error,
    }
}

/// The format of the image, and lines that say why where that is not plain.
pub fn format(
    medium: Medium,
    asked: Option<&'static Format>,
    path: Option<&Path>,
) -> Result<(&'static Format, Vec<String>)> {
    let named = match (asked, path) {
        (Some(format), _) => Some(format),
        (None, Some(path)) => of_extension(path)?,
        (None, None) => None,
    };
    let Some(format) = named else {
        return Ok(match medium {
            Medium::Optical => (&raw::ISO, vec!["a data disc becomes an ISO".to_owned()]),
            Medium::Fixed => match image::named("vhdx").filter(|format| format.writing.is_some()) {
                Some(vhdx) => (
                    vhdx,
                    vec!["a hard disk becomes a VHDX, which virtual machines attach and boot".to_owned()],
                ),
                None => (&raw::RAW, Vec::new()),
            },
            Medium::Removable | Medium::File | Medium::Image => (&raw::RAW, Vec::new()),
        });
    };
    let why = match medium {
        Medium::Fixed if format.name == "iso" => {
            return Err(Error::refused(
                "a hard disk does not become an ISO: that is the form of an optical disc",
            )
            .advise("name the image .vhdx for a virtual disk, or .img for a raw image of the disk"));
        }
        Medium::Removable if format.name == "iso" => {
            vec!["not an optical disc: the .iso is a raw image of it".to_owned()]
        }
        _ => Vec::new(),
    };
    Ok((format, why))
}

/// A name for the image in the folder `dir`, from the label or the model; refused where a slip would cost much.
pub fn name(
    medium: Medium,
    format: &Format,
    volumes: &[VolumeId],
    model: &str,
    dir: &Path,
) -> Result<PathBuf> {
    match medium {
        Medium::Fixed => {
            return Err(Error::refused("the image of a fixed disk is large and wants a name of your own")
                .advise("name it: ectype create SOURCE IMAGE.vhdx"));
        }
        Medium::File | Medium::Image => {
            return Err(Error::refused("a copy of a file wants a name of your own")
                .advise("name it: ectype create SOURCE IMAGE.img"));
        }
        Medium::Optical | Medium::Removable => {}
    }
    if host::is_system_folder(dir) {
        return Err(Error::refused(format!("{} is a folder of the system", dir.display()))
            .advise("go to a folder of yours, or name the image with its path"));
    }
    let label = volumes.iter().map(|volume| volume.label.as_str()).find(|label| !safe(label).is_empty());
    let stem = label.map(safe).unwrap_or_else(|| safe(model));
    let stem = if stem.is_empty() { "image".to_owned() } else { stem };
    Ok(dir.join(format!("{stem}.{}", format.extensions[0])))
}

/// A name that every file system and shell takes: letters, digits, `-`, `_`, `.`; none at the edges, none reserved.
fn safe(text: &str) -> String {
    const LONGEST: usize = 64;
    let mut name = String::new();
    for character in text.chars().take(LONGEST) {
        let keep = character.is_alphanumeric() || "-_.".contains(character);
        match (keep, name.ends_with('_')) {
            (true, _) => name.push(character),
            (false, false) => name.push('_'),
            (false, true) => {}
        }
    }
    let name = name.trim_matches(['_', '.', '-']).to_owned();
    // Windows keeps these for devices, whatever the extension.
    let base = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        base.strip_prefix(prefix).is_some_and(|rest| {
            rest.chars().count() == 1 && rest.contains(|c: char| "0123456789¹²³".contains(c))
        })
    };
    let reserved =
        ["CON", "PRN", "AUX", "NUL"].contains(&base.as_str()) || numbered("COM") || numbered("LPT");
    if reserved { format!("{name}_disc") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_everywhere() {
        for (label, name) in [
            ("PHOTOS_2004", "PHOTOS_2004"),
            ("../../etc/passwd", "etc_passwd"),
            ("a/b\\c:d*e?f\"g<h>i|j", "a_b_c_d_e_f_g_h_i_j"),
            ("CON", "CON_disc"),
            ("com1", "com1_disc"),
            ("COM¹", "COM¹_disc"),
            ("COM10", "COM10"),
            ("  Größe  ", "Größe"),
            ("\u{0}\n\u{1b}[31m", "31m"),
            ("...", ""),
        ] {
            assert_eq!(safe(label), name, "{label:?}");
        }
    }

    #[test]
    fn an_iso_is_of_discs_and_sticks_only() {
        let iso = Path::new("x.iso");
        assert!(format(Medium::Fixed, None, Some(iso)).is_err());
        let name = |medium, path: Option<&str>| format(medium, None, path.map(Path::new)).unwrap().0.name;
        assert_eq!(name(Medium::Optical, Some("x.iso")), "iso");
        assert!(!format(Medium::Removable, None, Some(iso)).unwrap().1.is_empty());
        assert_eq!(name(Medium::Optical, None), "iso");
        assert_eq!(name(Medium::Removable, Some("stick")), "raw");
    }

    #[test]
    fn formats_of_later_versions_are_named() {
        for name in LATER {
            let error = format(Medium::Fixed, None, Some(&PathBuf::from(format!("x.{name}")))).unwrap_err();
            assert!(error.to_string().contains("not written in this version"), "{error}");
        }
        assert!(format(Medium::Fixed, None, Some(Path::new("x.txt"))).is_err());
    }

    #[test]
    fn system_folders_and_fixed_disks_want_a_name() {
        let volumes = [VolumeId { kind: "vfat".into(), label: "STICK".into(), uuid: String::new() }];
        let name = |medium, dir| name(medium, &raw::RAW, &volumes, "Model", Path::new(dir));
        assert_eq!(name(Medium::Removable, "/home/x").unwrap(), Path::new("/home/x/STICK.img"));
        let system = ["/etc", "/usr/share", "/", r"C:\windows\system32"];
        let system: Vec<&str> =
            system.into_iter().filter(|dir| host::is_system_folder(Path::new(dir))).collect();
        assert!(!system.is_empty() && system.iter().all(|dir| name(Medium::Removable, dir).is_err()));
        assert!(name(Medium::Fixed, "/home/x").is_err());
    }
}
