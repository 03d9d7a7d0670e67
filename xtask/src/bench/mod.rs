//! Speed against the other tools: everything that is compared is run in the same call, in turns, on the same data.

mod data;
mod figures;
mod machine;
mod measure;
mod report;

use crate::{Result, run};
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
cargo xtask bench [OPTIONS] [FIGURE...]

Builds the release binary and measures it against other tools on a loop device over tmpfs, an infinitely fast disk: what is
left is a tool's own cost. Each round runs every variant once, with the device's cache dropped and the output removed
before. Needs root, for loop devices. On a machine that does other work too, only the ratios mean something.

Figures: raw      512 MiB random, copied
         sparse   4 GiB of which 40 % are random and the rest zeros, copied
         zero     8 GiB zeros, copied
         sha256   512 MiB random, copied with SHA-256
         md5sha1  512 MiB random, copied with MD5 and SHA-1
         verify   512 MiB random, an image compared with the device
         rescue   1 GiB random with 200 bad sectors, rescued; what reaches the disk is counted
         rescue50 the same where a failed read takes 50 ms
         restore  1 GiB random, an image written onto the device
         restored the same, and read back
         vhdx, vhd, qcow2, vmdk   4 GiB of which 40 % are random, raw into the format
         from-vhdx, from-vhd, from-qcow2, from-vmdk   the way back
         compare  the same as VHDX, compared with the device
         qcow2-zlib, qcow2-zstd, zst   512 MiB as files are, compressed
         nothing  8 TiB zeros into VHDX

  --quick            an eighth of the sizes
  --size SIZE        this size for every figure: 64M, 2G
  --rounds N         how often each variant runs (default 5)
  --dir FOLDER       a folder on a tmpfs, made and removed (default /dev/shm/ectype-bench)
  --ours COMMAND     another command on our side of the copying figures; {source}, {output} and {hash} are filled in
  --markdown FILE    write the tables there too";

/// What the command line asks for.
struct Options {
    quick: bool,
    size: Option<u64>,
    rounds: usize,
    dir: PathBuf,
    ours: Option<String>,
    markdown: Option<PathBuf>,
    figures: Vec<String>,
}

pub(crate) fn main(args: &[String]) -> Result {
    let options = parse(args)?;
    if !run::is_root() {
        return Err("loop devices need root: sudo --preserve-env=PATH cargo xtask bench".into());
    }
    let ours = match &options.ours {
        Some(_) => String::new(),
        None => build()?,
    };
    let figures = figures::chosen(&options, &ours)?;
    let folder = data::Folder::make(&options.dir)?;
    let mut page = machine::describe();
    println!("{page}");
    for figure in &figures {
        let text = report::table(figure, &measure::figure(figure, &folder, options.rounds)?);
        println!("{text}");
        page.push('\n');
        page.push_str(&text);
    }
    if let Some(path) = &options.markdown {
        std::fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Builds the release binary and tells where it is.
fn build() -> Result<String> {
    run::run(run::cargo().args(["build", "--release", "--quiet", "-p", "ectype"]))?;
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
    let binary = run::root().join(target).join("release/ectype");
    Ok(binary.display().to_string())
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options {
        quick: false,
        size: None,
        rounds: 5,
        dir: "/dev/shm/ectype-bench".into(),
        ours: None,
        markdown: None,
        figures: Vec::new(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--quick" => options.quick = true,
            "--size" => options.size = Some(size(value()?)?),
            "--rounds" => {
                options.rounds = value()?.parse().map_err(|error| format!("--rounds: {error}"))?;
                if options.rounds == 0 {
                    return Err("--rounds: at least one".into());
                }
            }
            "--dir" => options.dir = value()?.into(),
            "--ours" => options.ours = Some(value()?.clone()),
            "--markdown" => options.markdown = Some(value()?.into()),
            other if other.starts_with('-') => return Err(format!("{other}: not an option of bench")),
            figure => options.figures.push(figure.to_owned()),
        }
    }
    Ok(options)
}

/// Bytes, or binary multiples: `64M`, `2G`. Whole MiB, since the data sets are made of them.
pub(crate) fn size(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].trim_end_matches("iB") {
        "" => 0,
        "M" => 20,
        "G" => 30,
        unit => return Err(format!("{unit}: a size is 64M or 2G")),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes > 0 && bytes % (1 << 20) == 0).ok_or(format!("{text}: whole MiB are wanted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("2GiB"), Ok(2 << 30));
        assert_eq!(size("1048576"), Ok(1 << 20));
        assert!(size("5").is_err() && size("1T").is_err() && size("0").is_err());
    }
}
