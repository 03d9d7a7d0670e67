//! Gives `ectype.exe` its manifest: paths longer than 260 characters, UTF-8, and which Windows it was made for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_CFG_WINDOWS").is_none() {
        return;
    }
    // Nothing is drawn here, so no library of controls; and it runs as whoever starts it: a copy of a file needs no rights.
    let manifest =
        embed_manifest::new_manifest("Ectype").remove_dependency("Microsoft.Windows.Common-Controls");
    embed_manifest::embed_manifest(manifest).expect("the manifest can be written to OUT_DIR");
}
