//! Images by other programs, with known content: where they are says [`need::corpus`]. Without them these tests say so and pass.

use ectype_core::io::{Content, ReadAt};
use ectype_core::proof::digest::{Algorithm, Digester};
use ectype_testkit::need;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A row of the corpus's manifest.
pub(crate) struct Sample {
    folder: PathBuf,
    /// Its path under `files/`, packed.
    pub(crate) path: String,
    /// The hash of its content: plain SHA-256, or with a word before a colon that says of what.
    pub(crate) truth: String,
}

/// The images whose path begins with `prefix`.
pub(crate) fn samples(prefix: &str) -> Vec<Sample> {
    let Some(folder) = need::corpus() else { return Vec::new() };
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).unwrap();
    let row = |line: &str| {
        let mut columns = line.split('\t');
        let path = columns.next()?.to_owned();
        let truth = columns.nth(4)?.to_owned();
        path.starts_with(prefix).then(|| Sample { folder: folder.clone(), path, truth })
    };
    manifest.lines().skip(1).filter_map(row).collect()
}

impl Sample {
    /// Unpacks it into `folder`, sparse, under its own name and in its own subfolders.
    pub(crate) fn unpack(&self, folder: &Path) -> PathBuf {
        let packed = self.folder.join("files").join(&self.path);
        let (tool, name) = [(".gz", "gzip"), (".xz", "xz"), (".bz2", "bzip2"), (".zst", "zstd")]
            .into_iter()
            .find_map(|(end, tool)| Some((tool, self.path.strip_suffix(end)?)))
            .unwrap_or(("cat", &self.path));
        let target = folder.join(name);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let mut unpack = Command::new(tool);
        if tool != "cat" {
            unpack.arg("-dc");
        }
        let mut unpacking = unpack.arg(packed).stdout(Stdio::piped()).spawn().unwrap();
        let bytes = unpacking.stdout.take().unwrap();
        let mut copy = Command::new("cp");
        let copied = copy.args(["--sparse=always", "/dev/stdin"]).arg(&target).stdin(bytes).status().unwrap();
        assert!(unpacking.wait().unwrap().success() && copied.success(), "{}", self.path);
        target
    }

    /// The content must have the hash that the manifest tells.
    pub(crate) fn assert_content(&self, reader: &dyn ReadAt) {
        match self.truth.split_once(':') {
            None => assert_eq!(sha256(reader), self.truth, "{}", self.path),
            Some(("blocks64k", _)) => assert_eq!(blocks64k(reader), self.blocks(), "{}", self.path),
            Some((what, _)) => panic!("{}: a hash of {what}", self.path),
        }
    }

    /// The cells that are not zeros, as [`blocks64k`] lists them. The corpus lists some twice.
    fn blocks(&self) -> BTreeSet<String> {
        let name = self.path.rsplit_once('.').map_or(&*self.path, |(name, _)| name).replace('/', "__");
        let unpack = "tar -xJOf \"$0\" \"$1\" | xz -dc";
        let member = format!("truth/extents/{name}.tsv.xz");
        let list = Command::new("sh")
            .args(["-c", unpack])
            .arg(self.folder.join("truth.tar.xz"))
            .arg(member)
            .output();
        let list = String::from_utf8(list.unwrap().stdout).unwrap();
        assert!(!list.is_empty(), "{}: no list of blocks", self.path);
        list.lines().map(str::to_owned).collect()
    }
}

/// Goes through all content in cells of at most 64 KiB that begin on one; long runs of zeros come as one, without bytes.
fn each_cell(reader: &dyn ReadAt, mut look: impl FnMut(u64, Option<&[u8]>, u64)) {
    const CELL: u64 = 64 << 10;
    let (mut offset, mut cell) = (0, vec![0; CELL as usize]);
    while offset < reader.size() {
        let (content, until) = reader.content_at(offset).unwrap();
        let zeros = until.min(reader.size()) / CELL * CELL;
        if content != Content::Data && zeros > offset {
            look(offset, None, zeros - offset);
            offset = zeros;
            continue;
        }
        let len = CELL.min(reader.size() - offset);
        reader.read_at(&mut cell[..len as usize], offset).unwrap();
        look(offset, Some(&cell[..len as usize]), len);
        offset += len;
    }
}

pub(crate) fn sha256(reader: &dyn ReadAt) -> String {
    let mut digest = Digester::new(Algorithm::Sha256);
    each_cell(reader, |_, bytes, len| match bytes {
        Some(bytes) => digest.update(bytes),
        None => digest.update_zeros(len),
    });
    digest.finish()
}

/// All cells that are not zeros: offset, length, SHA-256.
fn blocks64k(reader: &dyn ReadAt) -> BTreeSet<String> {
    let mut list = BTreeSet::new();
    each_cell(reader, |offset, bytes, len| {
        if let Some(bytes) = bytes.filter(|bytes| bytes.iter().any(|&byte| byte != 0)) {
            let mut digest = Digester::new(Algorithm::Sha256);
            digest.update(bytes);
            list.insert(format!("{offset}\t{len}\t{}", digest.finish()));
        }
    });
    list
}
