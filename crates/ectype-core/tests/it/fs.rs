//! File systems made by the real tools, judged by `blkid` and `isosize`; and images from elsewhere.

use ectype_core::fs::{self, Facts};
use ectype_core::io::ReadAt;
use ectype_testkit::FileAt as _;
use ectype_testkit::need;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Image(pub(crate) File, pub(crate) u64);

impl Image {
    pub(crate) fn open(path: &Path) -> Image {
        let file = File::open(path).unwrap();
        let size = file.metadata().unwrap().len();
        Image(file, size)
    }
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        self.1
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buf, offset)
    }
}

/// Runs a tool; `None`, loudly, where it is not installed.
pub(crate) fn run(tool: &str, args: &[&str]) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    match Command::new(tool).args(args).env("PATH", path).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            // blkid answers 2 for "nothing found".
            let fine = output.status.success() || tool == "blkid";
            assert!(fine, "{tool} {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
            Some(text)
        }
        Err(error) => {
            let strict = ["CI", "ECTYPE_REQUIRE_ALL"].iter().any(|name| std::env::var_os(name).is_some());
            assert!(!strict, "{tool}: {error}");
            eprintln!("SKIPPED: {tool} is not installed");
            None
        }
    }
}

fn compare(path: &Path, made_by: &str) -> Option<Vec<Facts>> {
    let text = path.to_str().unwrap();
    let facts = fs::identify(&Image::open(path)).unwrap();
    let blkid = |tag| run("blkid", &["-p", "-o", "value", "-s", tag, text]).map(|s| s.trim_end().to_owned());
    let kind = blkid("TYPE")?;
    let found = facts.iter().find(|facts| facts.kind == kind);
    let found = found.unwrap_or_else(|| panic!("{made_by}: blkid says {kind:?}, we {facts:?}"));
    assert_eq!(found.uuid, blkid("UUID")?, "{made_by}");
    assert_eq!(found.label, blkid("LABEL")?, "{made_by}");
    Some(facts)
}

const MIB: u64 = 1 << 20;

#[test]
fn what_mkfs_makes_is_what_blkid_sees() {
    let dir = tempfile::tempdir().unwrap();
    #[rustfmt::skip]
    let cases: &[(&str, &[&str], u64)] = &[
        ("mkfs.vfat", &["-F", "12", "-n", "TWELVE"], 2),
        ("mkfs.vfat", &["-F", "16", "-n", "SIX TEEN"], 32),
        ("mkfs.vfat", &["-F", "32", "-n", "THIRTY2"], 64),
        ("mkfs.vfat", &["-F", "32", "-S", "4096"], 300),
        ("mkfs.exfat", &["-L", "Käse"], 16),
        ("mkfs.ntfs", &["-F", "-Q", "-L", "Größe"], 16),
        ("mkfs.ntfs", &["-F", "-Q", "-c", "65536"], 64),
        ("mkfs.ext2", &["-F", "-L", "two"], 8),
        ("mkfs.ext3", &["-F", "-L", "three"], 16),
        ("mkfs.ext4", &["-F", "-L", "four"], 16),
        ("mkfs.ext4", &["-F", "-O", "^has_journal"], 16),
        ("mkfs.xfs", &["-L", "ex"], 320),
        ("mkfs.btrfs", &["-L", "butter"], 128),
        ("mkfs.f2fs", &["-l", "flash"], 64),
        ("mkswap", &["-L", "swap"], 2),
        ("mkudffs", &["--media-type=hd", "--blocksize=512", "-l", "hd"], 8),
        ("mkudffs", &["--media-type=hd", "--blocksize=4096", "-l", "Ünï"], 8),
        ("mkudffs", &["--media-type=dvdram", "-l", "ram"], 8),
        ("mkudffs", &["--media-type=cdrw", "--udfrev=0x0150", "-l", "rw"], 8),
        ("mkudffs", &["--media-type=bdr", "--udfrev=0x0250", "-l", "bd"], 8),
    ];
    for (index, (tool, options, mib)) in cases.iter().enumerate() {
        let path = dir.path().join(format!("{index}.img"));
        let size = mib * MIB;
        File::create(&path).unwrap().set_len(size).unwrap();
        let mut args = options.to_vec();
        args.push(path.to_str().unwrap());
        let made_by = format!("{tool} {options:?}");
        if run(tool, &args).is_none() {
            continue;
        }
        let Some(facts) = compare(&path, &made_by) else { continue };
        let claimed = fs::end_of_data(&facts).unwrap();
        // Every mkfs fills its device, but for the cluster that does not fit.
        assert!(claimed <= size && claimed + MIB > size, "{made_by}: {claimed} of {size}");
    }
}

#[test]
fn discs_end_where_isosize_says() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("a long file name.txt"), vec![7; 100_000]).unwrap();
    let tree = tree.to_str().unwrap();
    #[rustfmt::skip]
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("genisoimage", &["-V", "PLAIN"], &[]),
        ("genisoimage", &["-V", "Both of them", "-J", "-R"], &["Joliet", "Rock Ridge"]),
        ("genisoimage", &["-V", "BRIDGE", "-udf", "-J"], &["Joliet", "UDF 1.02"]),
        ("genisoimage", &["-V", "NOPAD", "-no-pad"], &[]),
        ("xorriso", &["-as", "mkisofs", "-V", "XORRISO", "-J", "-R"], &["Joliet", "Rock Ridge"]),
    ];
    for (index, (tool, options, notes)) in cases.iter().enumerate() {
        let path = dir.path().join(format!("{index}.iso"));
        let path_text = path.to_str().unwrap();
        let mut args = options.to_vec();
        args.extend(["-quiet", "-o", path_text, tree]);
        if run(tool, &args).is_none() {
            continue;
        }
        let made_by = format!("{tool} {options:?}");
        let Some(facts) = compare(&path, &made_by) else { continue };
        let all: Vec<&String> = facts.iter().flat_map(|facts| &facts.note).collect();
        assert!(notes.iter().all(|note| all.iter().any(|n| n == note)), "{made_by}: {all:?}");
        let iso = facts.iter().find(|facts| facts.kind == "iso9660").unwrap();
        let Some(isosize) = run("isosize", &[path_text]) else { continue };
        assert_eq!(iso.size.unwrap().to_string(), isosize.trim(), "{made_by}");
        assert!(fs::end_of_data(&facts).unwrap() <= std::fs::metadata(&path).unwrap().len());
    }
}

#[test]
fn squashfs_is_known() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), b"content").unwrap();
    let path = dir.path().join("image");
    let (from, to) = (dir.path().join("file"), path.clone());
    if run("mksquashfs", &[from.to_str().unwrap(), to.to_str().unwrap(), "-quiet"]).is_some() {
        compare(&path, "mksquashfs");
    }
}

/// Calls `judge` with the name and the unpacked image of everything below `folder` whose stored size is at most `cap`.
pub(crate) fn each_image(folder: &Path, cap: u64, mut judge: impl FnMut(&str, &Path)) {
    let scratch = tempfile::tempdir().unwrap();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let tool = match path.extension().and_then(|e| e.to_str()) {
                Some("xz") => "xz",
                Some("gz") => "gzip",
                _ => continue,
            };
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.contains(".tar.") || path.metadata().unwrap().len() > cap {
                continue;
            }
            let image = scratch.path().join("image");
            // A pipe to dd keeps the holes, and its count keeps a bomb small.
            let line = "\"$0\" -dc \"$1\" 2>/dev/null | dd of=\"$2\" bs=1M count=400 iflag=fullblock conv=sparse 2>/dev/null";
            let status = Command::new("sh").args(["-c", line, tool]).arg(&path).arg(&image).status().unwrap();
            assert!(status.success());
            judge(name, &image);
        }
    }
}

/// `ID_FS_TYPE=ext4` and so on, as util-linux expects them of its own images.
fn expected(corpus: &Path, into: &Path) -> Option<PathBuf> {
    let archive = corpus.join("truth.tar.xz");
    run("tar", &["-xJf", archive.to_str()?, "-C", into.to_str()?, "truth/blkid-expected"])?;
    Some(into.join("truth/blkid-expected"))
}

/// What blkid knows and this library does not, or does not yet.
const UNKNOWN: &[&str] = &[
    "hpfs",
    "jbd",
    "minix",
    "mpool",
    "reiserfs",
    "reiser4",
    "ufs",
    "VMFS",
    "VMFS_volume_member",
    "zfs_member",
    "xfs_external_log",
    "jfs",
    "nilfs2",
    "ocfs2",
    "romfs",
    "sysv",
    "bcachefs",
    "bcache",
    "befs",
    "cramfs",
    "erofs",
];

/// A label as udev shows it: blanks, and bytes that are no UTF-8, as underscores.
fn shown(label: &str) -> String {
    label.replace([' ', '\u{fffd}'], "_")
}

#[test]
fn the_corpus_is_seen_as_blkid_sees_it() {
    let Some(corpus) = need::corpus() else { return };
    let truth_dir = tempfile::tempdir().unwrap();
    let Some(truth) = expected(&corpus, truth_dir.path()) else { return };
    let (mut agree, mut unknown, mut other) = (0, 0, 0);
    let mut differ = Vec::new();
    for kind in ["detect", "iso", "udf", "fat", "exfat", "ntfs", "ext", "xfs", "btrfs", "lvm", "apfs", "hfs"]
    {
        each_image(&corpus.join("files").join(kind), 2 << 20, |name, image| {
            let facts = fs::identify(&Image::open(image)).unwrap();
            let bare = name.strip_prefix("utillinux-").and_then(|n| n.strip_suffix(".img.xz"));
            let Some(text) = bare.and_then(|bare| std::fs::read_to_string(truth.join(bare)).ok()) else {
                // Others' images have no expectation but their folder.
                other += 1;
                return;
            };
            let value = |key: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
                line.unwrap_or_default().to_owned()
            };
            let kind = value("ID_FS_TYPE");
            if UNKNOWN.contains(&kind.as_str()) && facts.is_empty() {
                unknown += 1;
                return;
            }
            let found = facts.iter().find(|facts| facts.kind == kind);
            let label = value("ID_FS_LABEL");
            let same = found.is_some_and(|found| {
                (label.is_empty() || shown(&found.label) == label) && found.uuid == value("ID_FS_UUID")
            });
            if same {
                agree += 1;
            } else {
                let uuid = value("ID_FS_UUID");
                differ.push(format!("{name}: blkid {kind} {label:?} {uuid}, we {facts:?}"));
            }
        });
    }
    eprintln!("{agree} agree, {unknown} of unknown kinds, {other} without expectation");
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn hostile_images_are_survived() {
    let Some(corpus) = need::corpus() else { return };
    each_image(&corpus.join("files/hostile"), 1 << 20, |_, image| {
        let _ = fs::survey(&Image::open(image));
        let _ = ectype_core::volume::scan(&Image::open(image), 512);
    });
}
