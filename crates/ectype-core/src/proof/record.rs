//! The record: the JSON beside a finished image that a stranger needs to trust the copy years later.

use super::identity::Identity;
use super::tree::{Hash, Tree};
use crate::error::{Error, Kind, Result};
use crate::extent::{Extent, Extents};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest record that is read, in bytes: a full tree level takes 4.5 MB; the rest is lists of damage.
const MOST: u64 = 32 << 20;

/// What is known of a finished image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this form: 1.
    pub schema: u32,
    /// What made the image, as `ectype 0.1.0`.
    pub made_by: String,
    /// When the first run began and the last one ended, RFC 3339.
    pub began: String,
    /// See `began`.
    pub ended: String,
    /// `whole` or `incomplete`.
    pub status: String,
    /// What it is an image of.
    pub source: Identity,
    /// Where the source is an image itself that has a record: what that was made of, at the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Identity>,
    /// The image.
    pub image: ImageFacts,
    /// How it was made.
    pub plan: PlanFacts,
    /// Whether it took more than one run.
    pub resumed: bool,
    /// Bytes by kind; they add up to the content's size, `read` counting what is neither zero nor left out.
    pub bytes: ByteCounts,
    /// What could not be read; zeros in the image.
    pub unreadable: Vec<Range>,
    /// What of these was never written, as the drive says: gaps, no damage.
    #[serde(default)]
    pub unwritten: Vec<Range>,
    /// The same as numbers. Run-out is no damage and does not count.
    #[serde(default)]
    pub missing: Missing,
    /// Sectors at the end that the drive reported and no writer wrote; not part of the image.
    pub run_out: Option<Range>,
    /// Linear digests of the whole content.
    pub digests: BTreeMap<String, String>,
    /// The hash tree.
    pub tree: TreeFacts,
}

/// How much could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The source's own sectors.
    pub sectors: u64,
    /// Bytes.
    pub bytes: u64,
    /// In so many areas.
    pub areas: u64,
    /// Bytes of these that were not tried sector by sector, because nobody wanted it.
    pub unscraped: u64,
    /// The sectors of these that were never written, as the drive says: gaps, no damage.
    #[serde(default)]
    pub unwritten_sectors: u64,
    /// Bytes of these.
    #[serde(default)]
    pub unwritten_bytes: u64,
}

/// Bytes `[offset, offset + length)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

impl From<Extent> for Range {
    fn from(extent: Extent) -> Range {
        Range { offset: extent.offset, length: extent.len }
    }
}

impl From<Range> for Extent {
    fn from(range: Range) -> Extent {
        Extent::new(range.offset, range.length)
    }
}

/// The image that a record is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Its file name when it was made.
    pub name: String,
    /// Its format, as `raw` or `vhdx`.
    pub format: String,
    /// The kind within the format, as `dynamic`; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subformat: String,
    /// The length of its content in bytes.
    pub content_size: u64,
}

/// How an image was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFacts {
    /// `disk`, `volume` or `file`.
    pub scope: String,
    /// `lock`, `snapshot`, `live` or `none`.
    pub consistency: String,
    /// `used` or `all`.
    pub blocks: String,
    /// Why.
    pub why: Vec<String>,
    /// Where the volume lies in the image, which is a disk around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped: Option<Range>,
    /// Where the content of a disk with snapshots over it came from, part by part; none where it all came from the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartFacts>,
}

/// Where a part of the content came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFacts {
    /// Its first byte on the source.
    pub offset: u64,
    /// How many.
    pub length: u64,
    /// `snapshot`, `volume` or `disk`.
    pub from: String,
    /// The volume that it is of, as people know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// Whether it is of the instant of the snapshots.
    pub instant: bool,
    /// Why, where it is not plain.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Bytes by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteCounts {
    /// Data.
    pub read: u64,
    /// Zeros, read or known.
    pub zero: u64,
    /// Left out because nobody uses it.
    pub unused: u64,
    /// Could not be read.
    pub unreadable: u64,
}

/// The tree in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeFacts {
    /// How it is made; see the guide on proof.
    pub kind: String,
    /// What stands for the whole content.
    pub root: String,
    /// The length of a piece in bytes.
    pub piece: u64,
    /// How many pieces each node below covers.
    pub pieces_per_node: u64,
    /// One level of the tree, in order.
    pub nodes: Vec<String>,
}

/// What `kind` says of every tree of this version.
pub const TREE_KIND: &str = "blake3 leaves, derive-key parents (ectype 2026-11-22)";

impl From<&Tree> for TreeFacts {
    fn from(tree: &Tree) -> TreeFacts {
        TreeFacts {
            kind: TREE_KIND.to_owned(),
            root: tree.root.to_string(),
            piece: crate::extent::PIECE,
            pieces_per_node: tree.pieces_per_node,
            nodes: tree.nodes.iter().map(Hash::to_string).collect(),
        }
    }
}

/// Where the record of `image` lies.
pub fn path_of(image: &Path) -> PathBuf {
    beside(image, ".ectype.json")
}

/// `image` with `suffix` behind its whole name.
pub fn beside(image: &Path, suffix: &str) -> PathBuf {
    let mut name = image.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

impl Record {
    /// Reads the record of `image`; `None` where there is none.
    pub fn of(image: &Path) -> Result<Option<Record>> {
        let path = path_of(image);
        let failed = |error| Error::io(format!("reading {}", path.display()), error);
        match std::fs::metadata(&path) {
            Ok(facts) if facts.is_file() => {}
            Ok(_) => return Err(Error::new(Kind::Corrupt, format!("{} is not a file", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&path).map_err(failed)?;
        let len = file.take(MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
        if len as u64 > MOST {
            return Err(Error::new(Kind::Limit, format!("{} is too large for a record", path.display())));
        }
        let wrong = |error: Error| {
            let (kind, advice) = (error.kind(), "without it the image can still be compared with its source");
            Error::new(kind, format!("{} is not a record of this version", path.display()))
                .because(error)
                .advise(advice)
        };
        Record::parse(&bytes).map(Some).map_err(wrong)
    }

    /// The medium from which the content came, through however many images.
    pub fn first_source(&self) -> &Identity {
        self.origin.as_ref().unwrap_or(&self.source)
    }

    /// Reads a record.
    pub fn parse(json: &[u8]) -> Result<Record> {
        let corrupt = |what: &str| Error::new(Kind::Corrupt, what.to_owned());
        let record: Record =
            serde_json::from_slice(json).map_err(|error| corrupt("no JSON of that form").because(error))?;
        if record.schema != 1 {
            return Err(Error::unsupported(format!("its schema is {}", record.schema)));
        }
        let tree = record.tree().ok_or_else(|| corrupt("its tree contradicts itself"))?;
        if tree.len != record.image.content_size {
            return Err(corrupt("its sizes contradict each other"));
        }
        let within = |range: &Range| {
            range.offset.checked_add(range.length).is_some_and(|end| end <= record.image.content_size)
        };
        if !record.unreadable.iter().chain(&record.unwritten).all(within) {
            return Err(corrupt("what it says is missing lies outside"));
        }
        let lost: Extents = record.unreadable.iter().map(|&range| range.into()).collect();
        if lost.bytes() != record.bytes.unreadable || lost.is_empty() != (record.status == "whole") {
            return Err(corrupt("what it says is missing contradicts itself"));
        }
        if !record.unwritten.iter().all(|&range| lost.covers(range.into())) {
            return Err(corrupt("what it says was never written is not among what it says is missing"));
        }
        Ok(record)
    }

    /// Whether the list of digests at `path` is the one that belongs to this record.
    pub fn wrote_list(&self, path: &Path) -> bool {
        let head = || {
            let mut head = Vec::new();
            let is_file = std::fs::metadata(path).is_ok_and(|facts| facts.is_file());
            let file = is_file.then(|| std::fs::File::open(path).ok()).flatten()?;
            file.take(65).read_to_end(&mut head).ok()?;
            Some(head)
        };
        let is_of = |head: Vec<u8>, sha256: &String| {
            sha256.len() == 64 && head.strip_prefix(b"\\").unwrap_or(&head).starts_with(sha256.as_bytes())
        };
        self.digests.get("sha256").is_some_and(|sha256| head().is_some_and(|head| is_of(head, sha256)))
    }

    /// The tree, if it is one of this version and agrees with itself.
    pub fn tree(&self) -> Option<Tree> {
        let facts = &self.tree;
        if facts.kind != TREE_KIND || facts.piece != crate::extent::PIECE {
            return None;
        }
        let tree = Tree {
            root: Hash::parse(&facts.root)?,
            len: self.image.content_size,
            pieces_per_node: facts.pieces_per_node,
            nodes: facts.nodes.iter().map(|node| Hash::parse(node)).collect::<Option<_>>()?,
        };
        tree.is_consistent().then_some(tree)
    }

    /// Writes the record beside `image`, durably, and `IMAGE.sha256` where that digest was taken.
    ///
    /// `is_bytes`: the content is the bytes of the image's file, so that `sha256sum` can check its digest.
    pub fn save(&self, image: &Path, is_bytes: bool) -> Result<()> {
        let path = path_of(image);
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(Kind::Io, "composing the record").because(error))?;
        json.push(b'\n');
        let failed = |path: &Path, error| Error::writing(format!("writing {}", path.display()), error);
        crate::os::file::replace(&path, &json).map_err(|error| failed(&path, error))?;
        if let Some(sha256) = self.digests.get("sha256").filter(|_| is_bytes) {
            let list = beside(image, ".sha256");
            let name = image.file_name().unwrap_or_default().as_encoded_bytes();
            crate::os::file::replace(&list, &sha256sum_line(sha256, name))
                .map_err(|error| failed(&list, error))?;
        }
        Ok(())
    }
}

/// A line as `sha256sum` prints it: a name with a backslash or a line break is escaped, and the line says so.
fn sha256sum_line(digest: &str, name: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(name.len());
    for &byte in name {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            _ => escaped.push(byte),
        }
    }
    let mark: &[u8] = if escaped == name { b"" } else { b"\\" };
    [mark, digest.as_bytes(), b"  ", &escaped, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_sha256sum_prints_them() {
        assert_eq!(sha256sum_line("ab", b"disc.iso"), b"ab  disc.iso\n");
        assert_eq!(sha256sum_line("ab", b"a\\b\nc"), b"\\ab  a\\\\b\\nc\n");
    }

    #[test]
    fn a_companion_keeps_the_whole_name() {
        assert_eq!(path_of(Path::new("d/disc.iso")), Path::new("d/disc.iso.ectype.json"));
    }
}
