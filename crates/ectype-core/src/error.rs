//! The one error type of the library.
//!
//! `kind` is for control flow, `context` says what was being done and to what, `source` keeps the cause. Advice on what to
//! do next is the command line's to give, from the kind and the advice that the library attaches where only it knows.
//!
//! An unreadable sector is *not* an error: it is an outcome, recorded in the map (see [`crate::source::Outcome`]).

use std::{fmt, io};

/// What went wrong, coarsely: enough to choose an exit status and what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The operating system refused or failed.
    Io,
    /// Something read from a disk, image or companion file contradicts its own format.
    Corrupt,
    /// Valid, but not in this version.
    Unsupported,
    /// A limit was reached: the target's space, a file system's largest file, a bound on memory.
    Limit,
    /// Refused for safety: the source is in use, the target exists, the target is the source.
    Refused,
    /// The source or a companion file is not what it was.
    Changed,
    /// The device vanished or its medium was taken out.
    Gone,
    /// The caller asked to stop.
    Cancelled,
}

impl Kind {
    /// The kind's stable name, as it appears in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Io => "io",
            Kind::Corrupt => "corrupt",
            Kind::Unsupported => "unsupported",
            Kind::Limit => "limit",
            Kind::Refused => "refused",
            Kind::Changed => "changed",
            Kind::Gone => "gone",
            Kind::Cancelled => "cancelled",
        }
    }
}

/// The same error of the system once more: it cannot be cloned, but its number and its words can.
pub(crate) fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// An error of any operation of this library.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    context: String,
    offset: Option<u64>,
    advice: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind, with a sentence that says what happened and to what.
    pub fn new(kind: Kind, context: impl Into<String>) -> Self {
        Error { kind, context: context.into(), offset: None, advice: Vec::new(), source: None }
    }

    /// An I/O error; `context` says what was being done, as in `reading /dev/sr0`.
    pub fn io(context: impl Into<String>, source: io::Error) -> Self {
        Error::new(Kind::Io, context).because(source)
    }

    /// Writing failed: a limit where the target is full or the file may not grow, else an I/O error.
    pub fn writing(context: impl Into<String>, source: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let (kind, advice) = match source.kind() {
            StorageFull | QuotaExceeded => {
                (Kind::Limit, Some("make room there, and run the same command again"))
            }
            ReadOnlyFilesystem => (Kind::Io, Some("choose a folder on a file system that can be written to")),
            FileTooLarge => (Kind::Limit, Some("choose a place that holds files of that length")),
            _ => (Kind::Io, None),
        };
        let error = Error::new(kind, context).because(source);
        advice.into_iter().fold(error, Error::advise)
    }

    /// Somebody asked the run to stop.
    pub fn interrupted() -> Self {
        Error::new(Kind::Cancelled, "interrupted")
    }

    /// Refused for safety.
    pub fn refused(context: impl Into<String>) -> Self {
        Error::new(Kind::Refused, context)
    }

    /// Valid, but not in this version.
    pub fn unsupported(context: impl Into<String>) -> Self {
        Error::new(Kind::Unsupported, context)
    }

    /// A structure at byte `offset` contradicts its format.
    pub fn corrupt(offset: u64, context: impl Into<String>) -> Self {
        Error { offset: Some(offset), ..Error::new(Kind::Corrupt, context) }
    }

    /// The same error once more, for whoever asks again: its cause in words, and with the number of the system where that said it.
    pub(crate) fn again(&self) -> Error {
        let error = Error {
            kind: self.kind,
            context: self.context.clone(),
            offset: self.offset,
            advice: self.advice.clone(),
            source: None,
        };
        match (self.io_cause(), &self.source) {
            (Some(cause), _) => error.because(again(cause)),
            (None, Some(cause)) => error.because(cause.to_string()),
            (None, None) => error,
        }
    }

    /// Adds the cause.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds a line that says what to do, where only the library knows it.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    /// Takes back all advice, where it does not hold.
    pub fn without_advice(mut self) -> Self {
        self.advice.clear();
        self
    }

    /// Adds the byte position that the error is about.
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Says in which file, where several are in play.
    pub fn in_file(mut self, path: &std::path::Path) -> Self {
        self.context = format!("{}: {}", path.display(), self.context);
        self
    }

    /// What went wrong, coarsely.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The byte position that the error is about, where there is one.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// What to do, one proposal a line.
    pub fn advice(&self) -> &[String] {
        &self.advice
    }

    /// The cause where it is an I/O error: `raw_os_error` tells a full target from a failing one.
    pub fn io_cause(&self) -> Option<&io::Error> {
        self.source.as_deref().and_then(|source| source.downcast_ref())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        if let Some(offset) = self.offset {
            write!(f, " (at byte {offset})")?;
        }
        if let Some(source) = &self.source {
            // Names of drives have one at their end.
            let colon = if self.context.ends_with(':') && self.offset.is_none() { "" } else { ":" };
            write!(f, "{colon} {source}")?;
        }
        Ok(())
    }
}

/// A path as a word of a command that is proposed: quoted where a shell would take it apart.
pub fn word(path: &std::path::Path) -> String {
    quoted(&path.display().to_string(), std::path::MAIN_SEPARATOR == '\\')
}

/// The same for the shells of Windows, where a backslash is a separator and names have no quotes.
fn quoted(text: &str, windows: bool) -> String {
    // PowerShell takes words apart at commas and braces.
    let known = if windows { "-_./=:+%\\?" } else { "-_./=:,+@%" };
    let plain = |c: char| c.is_alphanumeric() || known.contains(c);
    match windows {
        _ if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        // A separator before the quote would be its escape.
        true => format!("\"{text}{}\"", &text[text.trim_end_matches('\\').len()..]),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// An option and its value as words of a command that is proposed: a value that begins like an option is bound to it.
pub fn option(name: &str, value: &str) -> String {
    let bond = if value.starts_with('-') { '=' } else { ' ' };
    format!("{name}{bond}{}", word(std::path::Path::new(value)))
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_place_that_cannot_be_written_is_told_with_a_way_out() {
        for (kind, text) in [
            (io::ErrorKind::ReadOnlyFilesystem, "choose a folder"),
            (io::ErrorKind::StorageFull, "make room"),
            (io::ErrorKind::FileTooLarge, "choose a place"),
        ] {
            let error = Error::writing("writing x", kind.into());
            assert!(error.advice().iter().any(|advice| advice.contains(text)), "{kind}: {error:?}");
        }
    }

    #[test]
    fn words_survive_a_shell() {
        for (path, text) in [
            ("/media/usb", "/media/usb"),
            ("/media/my stick", "'/media/my stick'"),
            ("it's; rm -rf $HOME", "'it'\\''s; rm -rf $HOME'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(path, false), text);
        }
        for (path, text) in [
            (r"\\.\E:", r"\\.\E:"),
            (r"\\?\Volume{8b1c}", r#""\\?\Volume{8b1c}""#),
            (r"\\server\my share\", r#""\\server\my share\\""#),
            (r"C:\a,b", r#""C:\a,b""#),
            (r"C:\My Images", r#""C:\My Images""#),
            ("", r#""""#),
        ] {
            assert_eq!(quoted(path, true), text);
        }
        assert_eq!(option("--confirm", "4C53"), "--confirm 4C53");
        assert_eq!(option("--confirm", "-abc"), "--confirm=-abc");
        let spaced = word(Path::new("my stick"));
        assert_eq!(option("--confirm", "my stick"), format!("--confirm {spaced}"));
        let spaced = word(Path::new("-a c"));
        assert_eq!(option("--confirm", "-a c"), format!("--confirm={spaced}"));
    }
}
