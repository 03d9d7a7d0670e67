//! Images whose parent is elsewhere: what their own file still tells, and which file is taken for the parent.

use crate::run::*;
use ectype_testkit::need;
use std::fs;

#[test]
fn of_an_image_without_its_parent_the_header_is_told() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    noisy(dir.path(), "disk", 3 * MIB, 1);
    fs::create_dir(at("away")).unwrap();
    for extension in ["vhd", "vhdx", "qcow2"] {
        let [base, child] = ["base", "child"].map(|name| format!("{name}.{extension}"));
        ectype(dir.path(), ["create", "disk", &base]).ends_with(0);
        ectype(dir.path(), ["create", "--base", &base, "disk", &child]).ends_with(0);
        let whole = ectype(dir.path(), ["info", "--json", &child]).ends_with(0).json();
        assert!(whole["note"].is_null(), "{whole}");
        fs::rename(at(&base), at("away").join(&base)).unwrap();
        let said = ectype(dir.path(), ["info", &child]).ends_with(0);
        said.says("3.0 MiB").says(&base).says("is not there").says("--parents");
        let json = ectype(dir.path(), ["info", "--json", &child]).ends_with(0).json();
        assert_eq!(json["virtual_size"], whole["virtual_size"]);
        assert!(json["parent"].as_str().unwrap().contains(&base), "{json}");
        assert!(json["parent_file"].is_null(), "{json}");
        assert!(json["note"].as_str().unwrap().contains("--parents"), "{json}");
        assert_eq!(json["partitions"].as_array().unwrap().len(), 0);
        // Everything else needs the content.
        ectype(dir.path(), ["verify", &child]).ends_with(1).says("is not there");
        let json = ectype(dir.path(), ["info", "--json", "--parents", "away", &child]).ends_with(0).json();
        assert!(json["note"].is_null(), "{json}");
        // Another one in its place.
        noisy(dir.path(), "other", 3 * MIB, 2);
        ectype(dir.path(), ["create", "other", &base]).ends_with(0);
        let json = ectype(dir.path(), ["info", "--json", &child]).ends_with(0).json();
        assert_eq!(json["virtual_size"], whole["virtual_size"]);
        assert_eq!(json["note"].is_null(), extension == "qcow2", "qcow2 cannot tell: {json}");
    }
    // What is amiss with the image itself stays an error.
    fs::write(at("child.vhdx"), b"vhdxfile").unwrap();
    ectype(dir.path(), ["info", "child.vhdx"]).ends_with(1);
}

#[test]
fn of_a_vmdk_without_its_parent_too() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    tool("qemu-img", args!["create", "-q", "-f", "vmdk", at("base.vmdk"), "8M"]);
    tool(
        "qemu-img",
        args!["create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", at("base.vmdk"), at("child.vmdk")],
    );
    fs::remove_file(at("base.vmdk")).unwrap();
    let json = ectype(dir.path(), ["info", "--json", "child.vmdk"]).ends_with(0).json();
    assert_eq!(json["virtual_size"], 8 * MIB);
    assert!(json["note"].as_str().unwrap().contains("base.vmdk"), "{json}");
}

#[test]
fn the_file_that_is_taken_for_the_parent_is_shown() {
    if !need::tool("qemu-img") {
        return;
    }
    let dir = folder();
    let real = dir.path().canonicalize().unwrap();
    fs::create_dir(real.join("gone")).unwrap();
    for name in ["gone/base.qcow2", "base.qcow2"] {
        tool("qemu-img", args!["create", "-q", "-f", "qcow2", real.join(name), "8M"]);
    }
    let parent = real.join("gone/base.qcow2");
    tool(
        "qemu-img",
        args!["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", parent, real.join("child.qcow2")],
    );
    fs::remove_file(&parent).unwrap();
    let found = real.join("base.qcow2");
    let found = found.to_str().unwrap();
    let said = ectype(&real, ["info", "child.qcow2"]).ends_with(0);
    said.says("gone/base.qcow2").says(&format!("read from {found}"));
    let json = ectype(&real, ["info", "--json", "child.qcow2"]).ends_with(0).json();
    assert_eq!(json["parent_file"], found);
}
