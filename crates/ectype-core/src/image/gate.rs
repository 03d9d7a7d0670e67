//! The gate: the one place where an image's own words lead to another file.
//!
//! ```text
//!   image  names  "..\base.vhdx"  "/vm/base.vhdx"   ──► candidates ──► inside the folders that are allowed? ──► opened
//! ```
//!
//! An image is hostile: it may name any file of the system as its parent, itself, or a chain without end. So only files in
//! the image's own folder and in the folders that the user named (`--parents`) are opened, by regular files only, at most
//! [`DEEPEST`] deep, and none that is already open in the chain. What lies on another machine is not even looked at: that
//! machine would be told who asks. Where only its header is wanted, a stand-in answers for the
//! parent: see [`open_header`].

use super::{Facts, Findings, Gate, Opened};
use crate::error::{Error, Kind, Result, word};
use crate::io::{Content, ReadAt};
use crate::os::file::{self, PlainFile, as_written, folder};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// No chain of parents is longer.
pub const DEEPEST: usize = 16;

/// So many files an image may be made of: a VMDK split into parts of 2 GB reaches 64 TB with more than any tool writes.
const MOST_FILES: usize = 32_768;

/// The gate of an image in a file.
pub struct Folders {
    /// Where files may be: the image's own folder first.
    allowed: Vec<PathBuf>,
    /// The files that are open in the chain, this one last.
    chain: Vec<PathBuf>,
    files: usize,
    /// Every file that was opened through it, parents' files included.
    opened: Vec<PathBuf>,
    /// Of these the parents, the image's own first.
    parents: Vec<PathBuf>,
    /// No parent is opened: one that refuses every read stands for it.
    header_only: bool,
}

/// An image that was opened by its path.
pub struct Image {
    /// Its content.
    pub image: Arc<dyn Opened>,
    /// The other files that it needs: extents, parents.
    pub files: Vec<PathBuf>,
    /// Of these its own parent.
    pub parent: Option<PathBuf>,
}

/// Opens the image at `path`, by its content or as `format`; its parents may also be looked for in `parents`.
pub fn open(path: &Path, format: Option<&'static super::Format>, parents: &[PathBuf]) -> Result<Image> {
    open_with(path, format, parents, false)
}

/// Opens the image at `path` for what its own file tells: its parent is not looked for, and what lies there cannot be read.
pub fn open_header(path: &Path, format: Option<&'static super::Format>) -> Result<Image> {
    open_with(path, format, &[], true)
}

fn open_with(
    path: &Path,
    format: Option<&'static super::Format>,
    parents: &[PathBuf],
    header_only: bool,
) -> Result<Image> {
    let real = real(path)?;
    let mut allowed = vec![folder(&real).to_owned()];
    for parent in parents {
        allowed.push(self::real(parent)?);
    }
    let (opened, parents) = (Vec::new(), Vec::new());
    let written = |path: PathBuf| as_written(&path).into_owned();
    let mut gate = Folders { allowed, chain: Vec::new(), files: 0, opened, parents, header_only };
    let image = gate.open(real, format).map_err(|error| error.in_file(path))?;
    let files = gate.opened.into_iter().map(written).collect();
    Ok(Image { image, files, parent: gate.parents.into_iter().next().map(written) })
}

fn real(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(|error| Error::io(format!("opening {}", path.display()), error))
}

impl Folders {
    fn open(&mut self, path: PathBuf, format: Option<&'static super::Format>) -> Result<Arc<dyn Opened>> {
        let stored: Arc<dyn ReadAt> = Arc::new(open_file(&path)?);
        let format = match format.or_else(|| super::probe(&*stored)) {
            Some(format) => format,
            None => match super::foreign(&*stored) {
                Some(other) => {
                    return Err(Error::unsupported(format!(
                        "it is a {other} image, which is not read in this version"
                    )));
                }
                None => &super::raw::RAW,
            },
        };
        self.chain.push(path);
        let opened = (format.open)(stored, self);
        self.chain.pop();
        opened
    }

    /// The file that one of `names` means: a regular file in a folder that is allowed.
    fn find(&self, names: &[String]) -> Result<PathBuf> {
        let child = self.chain.last().map_or(Path::new(""), |child| folder(child));
        let (mut outside, mut itself, mut away) = (None, None, false);
        for name in names {
            // Windows writes its own separators, drive letters and `file://`.
            let name = name.strip_prefix("file://").unwrap_or(name);
            let unix = name.replace('\\', "/");
            let last = unix.rsplit('/').next().unwrap_or_default().to_owned();
            let mut places: Vec<PathBuf> = vec![child.join(name), child.join(&unix)];
            places.extend(self.allowed.iter().map(|folder| folder.join(&last)));
            for place in places.into_iter().filter(|_| !last.is_empty()) {
                let is_within = |place: &Path| self.allowed.iter().any(|folder| place.starts_with(folder));
                if !is_within(&place) && file::leads_away(&place, &self.allowed) {
                    away = true;
                    continue;
                }
                let Ok(found) = std::fs::canonicalize(&place) else { continue };
                // Child and parent often have one name, in two folders.
                if self.chain.contains(&found) {
                    itself.get_or_insert(found);
                    continue;
                }
                if !std::fs::metadata(&found).is_ok_and(|facts| facts.is_file()) {
                    continue;
                }
                if is_within(&found) {
                    return Ok(found);
                }
                outside.get_or_insert(found);
            }
        }
        let named = names.first().map_or("", String::as_str);
        Err(match (outside, itself) {
            (None, Some(found)) => return Ok(found),
            (Some(found), _) => Error::refused(format!(
                "the image names {}, which lies outside its folder",
                as_written(&found).display()
            ))
            .advise(format!("if it is right:  --parents {}", word(folder(&as_written(&found))))),
            // As a command it would be proposed in the image's own words.
            (None, None) if away => Error::refused(format!(
                "the image names {named:?}, which is on another machine or no file, and was not looked at"
            ))
            .advise("put it into the image's folder, or if it is right, name its folder:  --parents DIR"),
            (None, None) => {
                Error::new(Kind::Io, format!("the file {named:?} that the image needs is not there"))
                    .advise("put it into the image's folder, or name its folder:  --parents DIR")
            }
        })
    }
}

impl Gate for Folders {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        let path = self.find(&[name.to_owned()])?;
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(Error::new(Kind::Limit, format!("it is made of more than {MOST_FILES} files")));
        }
        let file = open_file(&path)?;
        self.opened.push(path);
        Ok(Arc::new(file))
    }

    fn parent(&mut self, names: &[String], format: Option<&str>) -> Result<Arc<dyn Opened>> {
        if self.header_only {
            return Ok(Arc::new(Absent(Facts::default())));
        }
        let path = self.find(names)?;
        if self.chain.contains(&path) {
            let context = format!("{} is among its own parents", as_written(&path).display());
            return Err(Error::new(Kind::Corrupt, context)
                .advise("bring back the parent as it was, or name the folder where it is:  --parents DIR"));
        }
        if self.chain.len() >= DEEPEST {
            let context = format!("its parents have parents, more than {DEEPEST} deep");
            return Err(Error::new(Kind::Limit, context).advise("flatten the chain with what made it"));
        }
        let format = match format {
            Some(name) => Some(super::named(name).ok_or_else(|| {
                Error::unsupported(format!("its parent is a {name} image, which is not read in this version"))
            })?),
            None => None,
        };
        self.opened.push(path.clone());
        self.parents.push(path.clone());
        self.open(path.clone(), format).map_err(|error| error.in_file(&as_written(&path)))
    }
}

/// Stands for a parent that is not looked at: as long as need be, and it gives nothing.
struct Absent(Facts);

impl Absent {
    fn refusal<T>() -> io::Result<T> {
        Err(io::Error::new(io::ErrorKind::NotFound, "it lies in the parent, which was not opened"))
    }
}

impl ReadAt for Absent {
    fn size(&self) -> u64 {
        u64::MAX
    }

    fn read_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
        Self::refusal()
    }

    fn content_at(&self, _offset: u64) -> io::Result<(Content, u64)> {
        Self::refusal()
    }
}

impl Opened for Absent {
    fn facts(&self) -> &Facts {
        &self.0
    }

    fn check(&self, _findings: &mut Findings) -> Result<()> {
        Err(Error::new(Kind::Io, "the parent was not opened"))
    }

    fn is_absent(&self) -> bool {
        true
    }
}

/// Opening a pipe would wait for its other end, and a device is no part of an image.
fn open_file(path: &Path) -> Result<PlainFile> {
    let written = as_written(path);
    let shown = written.display();
    let failed = |error| Error::io(format!("opening {shown}"), error);
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::refused(format!("{shown} is no file, and images are files")));
    }
    PlainFile::open(path).map_err(|error| {
        let is_held = file::is_held(&error);
        let error = failed(error);
        if is_held { error.advise("close it in the program that has it open") } else { error }
    })
}
