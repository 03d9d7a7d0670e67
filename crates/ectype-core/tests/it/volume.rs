//! Partition tables made by `sfdisk`, judged by it; and tables from elsewhere.

use crate::fs::{Image, each_image, run};
use ectype_core::volume;
use ectype_testkit::need;
use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

fn sfdisk(path: &str, script: &str) -> Option<serde_json::Value> {
    run("sfdisk", &["--version"])?;
    let env = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let mut child =
        Command::new("sfdisk").args(["-q", path]).env("PATH", env).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    serde_json::from_str(&run("sfdisk", &["-J", path])?).ok()
}

#[test]
fn tables_of_sfdisk_are_read_as_sfdisk_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    let scripts = [
        "label: gpt\n,4M,U,*\n,8M,L\n,,S\n",
        "label: gpt\nstart=4096,size=2048,type=L,name=\"Käse\"\n",
        "label: dos\n,4M,c,*\n,,E\n,4M,L\n,4M,S\n,,L\n",
        "label: dos\n,,7\n",
    ];
    for script in scripts {
        File::create(&path).unwrap().set_len(64 << 20).unwrap();
        let Some(answer) = sfdisk(path.to_str().unwrap(), script) else { return };
        let theirs = &answer["partitiontable"];
        let table = volume::scan(&Image::open(&path), 512).unwrap().unwrap();
        assert!(table.notes.is_empty(), "{script}: {:?}", table.notes);
        let id = theirs["id"].as_str().unwrap().trim_start_matches("0x");
        assert_eq!(table.id, id, "{script}");
        let partitions = theirs["partitions"].as_array().unwrap();
        assert_eq!(table.partitions.len(), partitions.len(), "{script}");
        for (ours, theirs) in table.partitions.iter().zip(partitions) {
            assert_eq!(ours.extent.offset / 512, theirs["start"].as_u64().unwrap());
            assert_eq!(ours.extent.len / 512, theirs["size"].as_u64().unwrap());
            let kind = theirs["type"].as_str().unwrap();
            assert!(ours.type_id == kind || ours.type_id == format!("0x{kind:0>2}"), "{kind}");
            assert_eq!(ours.name, theirs["name"].as_str().unwrap_or_default());
            assert!(theirs["node"].as_str().unwrap().ends_with(&ours.number.to_string()));
        }
    }
}

#[test]
fn a_file_system_without_a_table_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("volume");
    for tool in ["mkfs.vfat", "mkfs.exfat"] {
        File::create(&path).unwrap().set_len(16 << 20).unwrap();
        if run(tool, &[path.to_str().unwrap()]).is_some() {
            assert_eq!(volume::scan(&Image::open(&path), 512).unwrap(), None, "{tool}");
        }
    }
}

#[test]
fn the_corpus_has_the_tables_that_its_names_promise() {
    let Some(corpus) = need::corpus() else { return };
    each_image(&corpus.join("files/part"), 8 << 20, |name, image| {
        let table = volume::scan(&Image::open(image), 512).unwrap();
        let scheme = table.as_ref().map(|table| table.scheme);
        if name.contains("gpt") {
            assert_eq!(scheme, Some("gpt"), "{name}");
        } else if name.contains("mbr") || name.contains("dos") {
            assert_eq!(scheme, Some("mbr"), "{name}");
        }
    });
}
