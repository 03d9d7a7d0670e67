//! Images made by others, with what is known of their content. They are no part of this project: a test that wants them
//! is skipped where the folder is not there.

use ectype_testkit::need;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An image of the corpus, unpacked with the files beside it.
pub(crate) struct Sample {
    /// Its path in the corpus, without the suffix of its packing.
    pub(crate) name: String,
    /// Where it was unpacked to.
    pub(crate) path: PathBuf,
    /// The SHA-256 of its whole content, where that is known.
    pub(crate) sha256: Option<String>,
    /// What is to be known about it.
    pub(crate) notes: String,
}

/// The samples of `kind`, each unpacked with those in the same folder. Empty, and said, where there is no corpus.
pub(crate) fn samples(kind: &str, into: &TempDir) -> Vec<Sample> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("ECTYPE_CORPUS").map_or(here, PathBuf::from);
    let Ok(manifest) = fs::read_to_string(folder.join("manifest.tsv")) else {
        need::kernel(false, "a corpus of others' images (ECTYPE_CORPUS)");
        return Vec::new();
    };
    if !need::tools(&["xz", "gzip"]) {
        return Vec::new();
    }
    let rows = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let rows = rows.filter(|row| row.len() > 7 && row[1] == kind);
    rows.map(|row| unpack(&folder.join("files").join(row[0]), &row, into)).collect()
}

fn unpack(packed: &Path, row: &[&str], into: &TempDir) -> Sample {
    let packing = packed.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    let (name, tool) = match packing {
        "xz" => (row[0].trim_end_matches(".xz"), Some("xz")),
        "gz" => (row[0].trim_end_matches(".gz"), Some("gzip")),
        _ => (row[0], None),
    };
    let path = into.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match tool {
        Some(tool) => {
            let output = fs::File::create(&path).unwrap();
            let status = need::command(tool).arg("-dc").arg(packed).stdout(output).status().unwrap();
            assert!(status.success(), "{}", packed.display());
        }
        None => drop(fs::copy(packed, &path).unwrap()),
    }
    let is_hash = row[5].len() == 64 && row[5].bytes().all(|byte| byte.is_ascii_hexdigit());
    Sample { name: name.into(), path, sha256: is_hash.then(|| row[5].into()), notes: row[7].into() }
}
