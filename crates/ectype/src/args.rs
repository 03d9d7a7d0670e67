//! What may be asked: verbs, options, and the names that later versions will give meaning to.

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use ectype_core::error::word;
use ectype_core::image::{self, Format};
use ectype_core::os::{advice, disk, snapshot};
use ectype_core::plan::policy;
use ectype_core::proof::digest::Algorithm;
use ectype_core::task::create::Compress;
use ectype_core::task::open::{Consistency, Images};
use ectype_core::task::restore::Unused;
use ectype_core::{Error, Result};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::create::is_stream;
use crate::exit::Code;
use crate::map::args::MapArgs;

const EXAMPLES: &str = "\
Examples:
  ectype create /dev/sr0                  the disc in the drive, as an ISO named after it
  ectype create /dev/sdb stick.img        a stick, held exclusively while it is copied
  ectype verify disc.iso /dev/sr0         is that what is on the disc?
  ectype convert stick.img stick.vhdx     the same content in another format
  ectype restore stick.img /dev/sdb       and back, read back to prove it
  ectype devices                          what can be imaged here

The same command goes on with an unfinished image.";

/// Faithful images of discs and disks: copied, resumed and proven.
#[derive(Debug, Parser)]
#[command(name = "ectype", bin_name = "ectype", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options of every verb.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Print the result as one JSON object on standard output (on standard error, where the image goes there)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How progress is shown; json: every line on standard error is an object
    #[arg(long, global = true, value_name = "HOW", default_value = "auto")]
    pub(crate) progress: ProgressKind,
    /// Only errors, and what was found wanting
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Colour: NO_COLOR in the environment means never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressKind {
    Auto,
    Bar,
    Json,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make an image of a device, or of a file's bytes
    #[command(after_help = "\
Examples:
  ectype create /dev/sr0                       an ISO, named after the disc
  ectype create --verify /dev/sdb stick.img    read the stick twice and compare
  ectype create /dev/sdb - | ssh host 'cat > stick.img'
                                               to standard output: raw, or --format zst")]
    Create(CreateArgs),
    /// Check an image against its record, or against a device, a file or another image
    #[command(after_help = "\
Examples:
  ectype verify disc.iso                       is it still what was recorded?
  ectype verify stick.img /dev/sdb             is it what is on the stick?")]
    Verify(VerifyArgs),
    /// Turn an image into another format; the content stays the same
    #[command(after_help = "\
Examples:
  ectype convert stick.img stick.vhdx          for a virtual machine
  ectype convert server.vmdk server.img.zst    compressed, and still readable at any place
  ectype convert server.vhdx - | sha256sum     its content, whatever the format")]
    Convert(ConvertArgs),
    /// Write an image to a device or a file, and read it back to prove it
    #[command(after_help = "\
Examples:
  ectype restore server.img /dev/sdb           shows both sides, and asks for the disk's model or serial
  ectype restore --changed-only a.img /dev/sdb reads first, and writes only what differs

Exit status 4: the target does not hold what the image does; 5: stopped part-way, a rerun helps.")]
    Restore(RestoreArgs),
    /// List what can be imaged here
    Devices,
    /// Tell what an image, a device or a map is
    #[command(after_help = "\
Examples:
  ectype info disc.iso                         format, file system, record, damage
  ectype info disc.iso.map                     a map as a picture and in numbers")]
    Info(InfoArgs),
    /// Work with rescue maps: state, list, compare, merge, complete, change, convert
    #[command(after_help = "\
Examples:
  ectype map disc.iso.map                      how the rescue stands
  ectype map list --status bad disc.iso.map    what could not be read
  ectype map merge a.map b.map -o both.map     what either drive has read")]
    Map(MapArgs),
    /// No device at hand: image a sample disc with scratches, and prove the image
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder
    Man(ManArgs),
}

impl Verb {
    /// Whether standard output is for an image, and not for words.
    pub(crate) fn streams(&self) -> bool {
        match self {
            Verb::Create(args) => args.image.as_deref().is_some_and(is_stream),
            Verb::Convert(args) => is_stream(&args.image),
            _ => false,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// A device (/dev/sr0, /dev/disk/by-id/…), a mount point or a file
    pub(crate) source: PathBuf,
    /// The image; - for standard output; without it, a name from the volume's label or the model
    pub(crate) image: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Precaution against changes while copying: auto, lock, snapshot (on Windows) or none
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = parse_consistency)]
    pub(crate) consistency: Choice<Consistency>,
    /// The image of a volume that BitLocker protects and that is unlocked may be unprotected
    #[arg(long, hide = !snapshot::IS_THERE)]
    pub(crate) decrypted: bool,
    /// Take the source from programs that have files open on it; it is mounted again afterwards
    #[arg(long, hide = !disk::TAKES_FILES_AWAY)]
    pub(crate) unmount: bool,
    /// Digests as sha256sum, b3sum … print them: md5,sha1,sha256,blake3 or none [default: sha256 for optical and removable media]
    #[arg(long, value_name = "LIST", value_parser = parse_hashes)]
    pub(crate) hash: Option<Hashes>,
    /// The rescue map (a GNU ddrescue mapfile) [default: IMAGE.map, removed when the image is whole]
    #[arg(long, value_name = "FILE")]
    pub(crate) map: Option<PathBuf>,
    /// A volume as it is, without a partition table around it (vhd, vhdx, vmdk)
    #[arg(long)]
    pub(crate) bare: bool,
    /// For formats that are written in order: rescue a damaged source into this image first, then convert it
    #[arg(long, value_name = "FILE")]
    pub(crate) through: Option<PathBuf>,
    /// Go on with a writable medium without reading again what was finished (for dying disks)
    #[arg(long)]
    pub(crate) trust_map: bool,
    /// Afterwards read the source again, under the same lock, and compare
    #[arg(long)]
    pub(crate) verify: bool,
    /// Only what this map calls finished (+), as ddrescue -m
    #[arg(long, value_name = "MAP")]
    pub(crate) domain: Option<PathBuf>,
    /// Only from here on: 512, 64K, 1MiB, 2GB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) offset: Option<u64>,
    /// Only so many bytes
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) size: Option<u64>,
    /// Try every bad sector so many times more at the end
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retries: u32,
    /// Leave what lies between bad edges unread
    #[arg(long)]
    pub(crate) no_scrape: bool,
    /// Every pass in the other direction
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Stop, resumable, when more than so many reads have failed
    #[arg(long, value_name = "N")]
    pub(crate) max_errors: Option<u64>,
    /// Stop, resumable, after so long: 90s, 5m, 2h
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) max_time: Option<Duration>,
}

/// What kind of image is made, and how one that is there is met.
#[derive(Clone, Debug, Args)]
pub(crate) struct TargetArgs {
    /// Image format [default: by the extension, else by the medium]
    #[arg(short, long, short_alias = 'O', value_name = "FORMAT", value_parser = parse_format)]
    pub(crate) format: Option<&'static Format>,
    /// The kind within the format: fixed or dynamic for vhd and vhdx, sparse or stream for vmdk
    #[arg(long, value_name = "KIND")]
    pub(crate) subformat: Option<String>,
    /// Compression where the format can: none, zlib or zstd, with a level: zstd:3
    #[arg(long, value_name = "KIND", value_parser = parse_compress)]
    pub(crate) compress: Option<Compress>,
    /// Store only what differs from this earlier image (vhd, vhdx, qcow2, also with --compress)
    #[arg(long, value_name = "IMAGE")]
    pub(crate) base: Option<PathBuf>,
    /// Discard an unfinished image and begin anew
    #[arg(long)]
    pub(crate) restart: bool,
    /// Replace a finished image
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Do not look whether the target has room
    #[arg(long)]
    pub(crate) no_space_check: bool,
    /// Print the plan, its reasons and a forecast; touch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Make progress durable at least every so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, hide = true)]
    pub(crate) checkpoint: f64,
}

/// How images are opened.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OpenArgs {
    /// The image's format, where its content is not to decide
    #[arg(long, value_name = "FORMAT", value_parser = parse_source_format)]
    pub(crate) source_format: Option<&'static Format>,
    /// Also look for the image's parents in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) parents: Vec<PathBuf>,
}

impl OpenArgs {
    pub(crate) fn images(&self) -> Images {
        Images { format: self.source_format, parents: self.parents.clone(), ..Images::default() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// The image to read
    pub(crate) source: PathBuf,
    /// The image to make; its extension names the format; - for standard output
    pub(crate) image: PathBuf,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Digests of the content: md5,sha1,sha256,blake3 or none
    #[arg(long, value_name = "LIST", value_parser = parse_hashes, default_value = "none")]
    pub(crate) hash: Hashes,
    /// Afterwards read both images again and compare
    #[arg(long)]
    pub(crate) verify: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The image
    pub(crate) image: PathBuf,
    /// What is overwritten: a device (/dev/sdb, /dev/disk/by-id/…) or a file
    pub(crate) target: PathBuf,
    /// Overwrite the device whose serial number this is (its path, where it has none), without asking
    #[arg(long, value_name = "SERIAL")]
    pub(crate) confirm: Option<String>,
    /// Overwrite a file that is there
    #[arg(long)]
    pub(crate) yes: bool,
    /// Read the target first, and write only what differs
    #[arg(long)]
    pub(crate) changed_only: bool,
    /// Do not read back what was written
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Move the backup of a GPT to the end of a larger disk
    #[arg(long)]
    pub(crate) fix_gpt: bool,
    /// What becomes of the space that the image left out as unused: keep (as it is on the target), zero or discard
    #[arg(long, value_name = "HOW", default_value = "keep", value_parser = parse_unused)]
    pub(crate) unused: Unused,
    /// A volume's image onto a whole disk, or the reverse, or onto a disk with other sectors
    #[arg(long)]
    pub(crate) force_layout: bool,
    /// Take the target from programs that have files open on it
    #[arg(long, hide = !disk::TAKES_FILES_AWAY)]
    pub(crate) unmount: bool,
    /// Print the plan and its reasons; touch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The image
    pub(crate) image: PathBuf,
    /// A device, a file or another image to compare with, around the page cache
    pub(crate) source: Option<PathBuf>,
    /// Also compare what the image left out or could not read: zeros stand for it
    #[arg(long, requires = "source")]
    pub(crate) all: bool,
    /// Further digests to take: md5,sha1,sha256,blake3
    #[arg(long, value_name = "LIST", value_parser = parse_hashes)]
    pub(crate) hash: Option<Hashes>,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// An image, a device or a mapfile
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep the folder with the sample disc and its image
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// An existing folder
    pub(crate) folder: PathBuf,
}

/// `auto`, or what was chosen.
pub(crate) type Choice<T> = Auto<T>;

/// A choice that may be left to the policy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Auto<T> {
    Auto,
    Chosen(T),
}

impl<T> Auto<T> {
    pub(crate) fn chosen(self) -> Option<T> {
        match self {
            Auto::Auto => None,
            Auto::Chosen(value) => Some(value),
        }
    }
}

/// A list of digests; clap would take a bare vector for a repeated option.
#[derive(Clone, Debug)]
pub(crate) struct Hashes(pub(crate) Vec<Algorithm>);

fn parse_format(text: &str) -> Result<&'static Format> {
    policy::parse(text)
}

fn parse_source_format(text: &str) -> Result<&'static Format> {
    image::named(&text.to_ascii_lowercase()).ok_or_else(|| {
        let names: Vec<_> = image::FORMATS.iter().map(|format| format.name).collect();
        Error::unsupported(format!("there is no image format {text:?}"))
            .advise(format!("formats: {}", names.join(", ")))
    })
}

/// `none`, `zlib`, `zstd`, `zstd:3`, `zstd:-5`.
fn parse_compress(text: &str) -> Result<Compress, String> {
    let wrong = || format!("{text:?} is no compression such as none, zlib, zstd or zstd:3");
    let (kind, level) = match text.split_once(':') {
        Some((kind, level)) => (kind, Some(level.parse::<i32>().map_err(|_| wrong())?)),
        None => (text, None),
    };
    if !["none", "zlib", "zstd"].contains(&kind) || (kind == "none" && level.is_some()) {
        return Err(wrong());
    }
    Ok(Compress { kind: kind.to_owned(), level })
}

fn parse_hashes(text: &str) -> Result<Hashes, String> {
    if text == "none" {
        return Ok(Hashes(Vec::new()));
    }
    let mut list: Vec<Algorithm> = Vec::new();
    for name in text.split(',').filter(|name| !name.is_empty()) {
        let algorithm = Algorithm::parse(&name.to_ascii_lowercase())
            .ok_or_else(|| format!("{name:?} is none of md5, sha1, sha256, blake3, none"))?;
        if !list.contains(&algorithm) {
            list.push(algorithm);
        }
    }
    Ok(Hashes(list))
}

/// `90`, `90s`, `5m`, `2h`, `1d`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor = match unit {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        _ => None,
    };
    let seconds =
        digits.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    seconds.map(Duration::from_secs).ok_or_else(|| "a duration is 90s, 5m or 2h".to_owned())
}

fn parse_unused(text: &str) -> Result<Unused, String> {
    let all = [Unused::Keep, Unused::Zero, Unused::Discard];
    all.into_iter().find(|unused| unused.name() == text).ok_or("one of keep, zero, discard".to_owned())
}

fn parse_consistency(text: &str) -> Result<Choice<Consistency>, String> {
    match text {
        "auto" => Ok(Auto::Auto),
        "lock" => Ok(Auto::Chosen(Consistency::Lock)),
        "snapshot" => Ok(Auto::Chosen(Consistency::Snapshot)),
        "none" => Ok(Auto::Chosen(Consistency::None)),
        _ => Err("one of auto, lock, snapshot, none".to_owned()),
    }
}

/// What later versions bring, by the names that they will have: asked for now, it is refused by name and not as a slip.
const LATER_VERBS: [&str; 11] =
    ["clone", "list", "extract", "mount", "serve", "try", "backup", "versions", "recover", "forget", "check"];
const LATER_OPTIONS: [&str; 5] = ["--blocks", "--unmount", "--decrypted", "--preallocate", "--eject"];

/// Values of options that work, but not with these.
const LATER_VALUES: [(&[&str], &[&str]); 2] =
    [(&["--format", "-f", "-O"], &["e01", "cue"]), (&["--consistency"], &["live"])];

/// The refusal of a value that only a later version knows.
fn later_value(args: &[String]) -> Option<Error> {
    let pairs = args.iter().enumerate().filter_map(|(index, arg)| match arg.split_once('=') {
        Some((option, value)) => Some((option, value)),
        None => Some((arg.as_str(), args.get(index + 1)?.as_str())),
    });
    for (option, value) in pairs {
        let value = value.to_ascii_lowercase();
        let later = |(options, values): &&(&[&str], &[&str])| {
            let is_snapshot = value == "snapshot" && !snapshot::IS_THERE && values.contains(&"live");
            options.contains(&option) && (values.contains(&value.as_str()) || is_snapshot)
        };
        let Some((options, _)) = LATER_VALUES.iter().find(later) else { continue };
        return Some(match policy::parse(&value) {
            Err(error) if options.contains(&"--format") => error,
            _ => Error::unsupported(format!("{option} {value} is not in this version")),
        });
    }
    None
}

/// The first word that is neither an option nor the value of one of those that may stand before the verb.
fn verb(args: &[String]) -> Option<&String> {
    let mut before = "";
    args.iter().find(|arg| {
        let free = !arg.starts_with('-') && !["--progress", "--color"].contains(&before);
        before = arg.as_str();
        free
    })
}

/// The refusal of something that only a later version does.
pub(crate) fn asked_for_later(args: impl Iterator<Item = OsString>) -> Option<Error> {
    let args: Vec<String> =
        args.map(|arg| arg.to_string_lossy().into_owned()).take_while(|arg| arg != "--").collect();
    let verb = verb(&args);
    // What is to come for images is there for maps: --size, --offset, --domain, convert, list.
    if verb.is_some_and(|verb| verb == "map") {
        return None;
    }
    if let Some(verb) = verb.filter(|verb| LATER_VERBS.contains(&verb.as_str())) {
        return Some(Error::unsupported(format!("ectype {verb} is not in this version")));
    }
    let is_here = |option: &str| match option {
        "--unmount" => disk::TAKES_FILES_AWAY,
        "--decrypted" => snapshot::IS_THERE,
        _ => false,
    };
    let named = |arg: &&String| {
        let option = arg.split('=').next().unwrap_or_default();
        LATER_OPTIONS.contains(&option) && !is_here(option)
    };
    let Some(option) = args.iter().find(named) else { return later_value(&args) };
    let name = option.split('=').next().unwrap_or_default();
    Some(Error::unsupported(format!("the option {name} is not in this version")))
}

/// `512`, `64K`, `1MiB`, `2GB`, `0x1000`: K and KiB are 1024 bytes, KB 1000.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size such as 512, 64K, 1MiB, 2GB or 0x1000");
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(digits, 16).map_err(|_| wrong());
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let (power, base) = match unit.as_bytes() {
        [] | [b'b'] => (0, 1024),
        [letter, rest @ ..] => {
            let power = b"kmgtpe".iter().position(|unit| unit == letter).ok_or_else(wrong)?;
            let base = match rest {
                b"" | b"ib" | b"i" => 1024_u64,
                b"b" => 1000,
                _ => return Err(wrong()),
            };
            (power as u32 + 1, base)
        }
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(base.pow(power)).ok_or_else(|| format!("{text:?} is more than there can be"))
}

/// Whether the command line asks for JSON, for errors that come before it is parsed.
pub(crate) fn wants_json() -> bool {
    std::env::args_os().any(|arg| arg == "--json")
}

/// Whether standard output is for an image, likewise.
pub(crate) fn wants_stream() -> bool {
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    verb(&args).is_some_and(|verb| ["create", "convert"].contains(&verb.as_str()))
        && args.iter().any(|arg| arg == "-")
}

/// Whether every line on standard error is to be JSON, likewise.
pub(crate) fn wants_json_progress() -> bool {
    let args: Vec<OsString> = std::env::args_os().collect();
    args.iter().any(|arg| arg == "--progress=json")
        || args.windows(2).any(|pair| pair[0] == "--progress" && pair[1] == "json")
}

/// The command line, its examples with the names that devices have on this system.
fn command() -> clap::Command {
    match advice::DISC {
        "/dev/sr0" => Cli::command(),
        _ => in_names(Cli::command()),
    }
}

fn in_names(command: clap::Command) -> clap::Command {
    let after = command
        .get_after_help()
        .map(|help| with_names(&help.to_string(), advice::DISC, advice::STICK, advice::DISK));
    let command = command.mut_args(|arg| {
        let help =
            arg.get_help().map(|help| help.to_string().replace("/dev/sr0, /dev/disk/by-id/…", advice::NAMES));
        match help {
            Some(help) => arg.help(help),
            None => arg,
        }
    });
    let command = match after {
        Some(after) => command.after_help(after),
        None => command,
    };
    command.mut_subcommands(in_names)
}

/// Examples with other names in them; what they say stays in its column, where there is room.
fn with_names(examples: &str, disc: &str, stick: &str, disk: &str) -> String {
    let line = |line: &str| {
        // What is restored of a whole disk goes onto one; a letter mostly is a part.
        let target = if line.contains("ectype restore") { disk } else { stick };
        let named = |text: &str| text.replace("/dev/sr0", disc).replace("/dev/sdb", target);
        match explained(line) {
            Some(column) => {
                let command = named(line[..column].trim_end());
                let width = column.max(command.len() + 2);
                format!("{command:width$}{}", named(&line[column..]))
            }
            None => named(line),
        }
    };
    examples.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Where the words begin that explain an example: behind two blanks, or behind one where the command fills its column.
fn explained(line: &str) -> Option<usize> {
    const COLUMN: usize = 47;
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let gap = text.find("  ").map(|gap| indent + gap);
    let behind = |at: usize| line.len() - line[at..].trim_start().len();
    gap.map(behind)
        .or_else(|| line.as_bytes().get(COLUMN - 1).is_some_and(|&byte| byte == b' ').then_some(COLUMN))
}

/// What was typed.
pub(crate) fn parsed() -> std::result::Result<Cli, clap::Error> {
    let mut matches = command().try_get_matches()?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command()))
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<Code> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "ectype", &mut script);
    // A closed pipe is a wish to read no more.
    let _ = std::io::stdout().write_all(&script);
    Ok(Code::Done)
}

pub(crate) fn man(args: &ManArgs) -> Result<Code> {
    clap_mangen::generate_to(command(), &args.folder)
        .map_err(|error| Error::io(format!("writing manual pages to {}", args.folder.display()), error))?;
    Ok(Code::Done)
}

/// The command line as it was typed, for maps and for advice.
pub(crate) fn command_line() -> String {
    words().join(" ")
}

fn words() -> Vec<String> {
    let quoted = |arg: OsString| word(Path::new(&arg));
    let mut words: Vec<String> = std::env::args_os().map(quoted).collect();
    if let Some(program) = words.first_mut() {
        *program = "ectype".to_owned();
    }
    words
}

/// What gives up what the run before left.
const ANEW: [&str; 2] = ["--restart", "--overwrite"];

/// The command line that goes on and takes the map on its word, to be run as it stands; `None` where this one did so already.
pub(crate) fn command_line_trusting() -> Option<String> {
    trusting(words())
}

fn trusting(mut words: Vec<String>) -> Option<String> {
    const TRUST: &str = "--trust-map";
    if options(&words).any(|word| word == TRUST) {
        return None;
    }
    let mut is_option = true;
    words.retain(|word| {
        is_option &= word != "--";
        !(is_option && (ANEW.contains(&word.as_str()) || word == "--dry-run"))
    });
    let verb = words.iter().position(|word| word == "create")?;
    words.insert(verb + 1, TRUST.to_owned());
    Some(words.join(" "))
}

/// The command line with more options of `restore`, to be run as it stands.
pub(crate) fn command_line_with(more: &[&str]) -> String {
    with(words(), more)
}

fn with(mut words: Vec<String>, more: &[&str]) -> String {
    let missing: Vec<String> = more
        .iter()
        .filter(|option| !options(&words).any(|word| word == *option))
        .map(|option| (*option).to_owned())
        .collect();
    if let Some(verb) = words.iter().position(|word| word == "restore") {
        words.splice(verb + 1..verb + 1, missing);
    }
    words.join(" ")
}

/// How the command is called that goes on with what this one left, which `but` says to leave out something more.
pub(crate) fn same_command(but: &[&str]) -> String {
    same(&words(), but)
}

fn same(words: &[String], but: &[&str]) -> String {
    let left_out: Vec<_> =
        ANEW.iter().chain(but).filter(|out| options(words).any(|word| word == *out)).collect();
    match left_out.split_last() {
        None => "the same command".to_owned(),
        Some((last, [])) => format!("the same command without {last}"),
        Some((last, before)) => {
            let before: Vec<&str> = before.iter().map(|option| **option).collect();
            format!("the same command without {} and {last}", before.join(", "))
        }
    }
}

fn options(words: &[String]) -> impl Iterator<Item = &String> {
    words.iter().take_while(|word| *word != "--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
        in_names(Cli::command()).debug_assert();
    }

    #[test]
    fn examples_have_the_names_of_this_system_and_their_columns() {
        let of = |name: &str| {
            let command = Cli::command();
            let verb = command.find_subcommand(name).unwrap();
            with_names(&verb.get_after_help().unwrap().to_string(), "E:", "F:", r"\\.\PhysicalDrive2")
        };
        let create = of("create");
        assert!(create.contains("\n  ectype create E:                             an ISO"), "{create}");
        assert!(create.contains("\n  ectype create --verify F: stick.img          read"), "{create}");
        let restore = of("restore");
        let onto = r"\\.\PhysicalDrive2";
        assert!(restore.contains(&format!("\n  ectype restore server.img {onto}  shows")), "{restore}");
        assert!(
            restore.contains(&format!("\n  ectype restore --changed-only a.img {onto}  reads")),
            "{restore}"
        );
        for name in ["create", "verify", "convert", "restore", "info"] {
            assert!(!of(name).contains("/dev/"), "{name}");
        }
        assert!(!with_names(EXAMPLES, "E:", "F:", r"\\.\PhysicalDrive2").contains("/dev/"));
        let help = command().render_long_help().to_string();
        assert!(help.contains(advice::DISC) && help.contains(advice::STICK), "{help}");
        let source = command().find_subcommand_mut("create").unwrap().render_help().to_string();
        assert!(source.contains(&advice::NAMES[..8]), "{source}");
    }

    #[test]
    fn the_command_that_goes_on_gives_up_nothing() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let again = |line: &str| trusting(words(line));
        for option in ["", "--overwrite ", "--restart ", "--restart --dry-run "] {
            let line = format!("ectype -q create {option}--hash md5 /dev/x d.img");
            assert_eq!(again(&line).unwrap(), "ectype -q create --trust-map --hash md5 /dev/x d.img");
        }
        assert_eq!(again("ectype create --trust-map /dev/x d.img"), None);
        let odd = "ectype create --restart -- --restart --trust-map";
        assert_eq!(again(odd).unwrap(), "ectype create --trust-map -- --restart --trust-map");
        let same = |line: &str, but: &[&str]| same(&words(line), but);
        assert_eq!(same("ectype create x -- --restart", &["--no-scrape"]), "the same command");
        assert_eq!(same("ectype create --overwrite x", &[]), "the same command without --overwrite");
        assert_eq!(
            same("ectype create --no-scrape --restart x", &["--no-scrape"]),
            "the same command without --restart and --no-scrape"
        );
    }

    #[test]
    fn the_command_that_writes_the_rest_has_what_it_needs() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let again = |line: &str| with(words(line), &["--changed-only", "--yes"]);
        assert_eq!(again("ectype restore a b"), "ectype restore --changed-only --yes a b");
        assert_eq!(again("ectype -q restore --yes a b"), "ectype -q restore --changed-only --yes a b");
        assert_eq!(
            again("ectype restore --yes --changed-only a b"),
            "ectype restore --yes --changed-only a b"
        );
        assert_eq!(again("ectype restore -- --yes b"), "ectype restore --changed-only --yes -- --yes b");
    }

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("2h", 7200), ("7", 7), ("1d", 86_400)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "1w", "-1s", "1.5h", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, size) in [
            ("512", 512),
            ("64K", 65_536),
            ("1MiB", 1 << 20),
            ("2GB", 2_000_000_000),
            ("3 ki", 3072),
            ("0x1F", 31),
            ("7b", 7),
            ("15E", 15 << 60),
        ] {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
        for wrong in ["", "K", "-1", "1.5M", "1KK", "0x", "16E", "1 Kib x", "99999999999999999999", "1µ"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn later_things_are_refused_by_name_and_only_those() {
        let asked = |line: &str| asked_for_later(line.split(' ').map(OsString::from));
        assert!(asked("clone /dev/sdy /dev/sdz").unwrap().to_string().contains("ectype clone"));
        assert!(asked("restore --unused=keep a.img /dev/sdz").is_none());
        assert!(asked("create --eject=x /dev/sdz y.img").unwrap().to_string().contains("--eject"));
        assert!(asked("create --format=E01 /dev/sdz y.img").unwrap().to_string().contains("e01"));
        assert!(asked("create --consistency live /dev/sdz y.img").unwrap().to_string().contains("live"));
        assert!(asked("create --consistency lock /dev/sdz live").is_none());
        assert!(asked("create /dev/sdz clone").is_none());
        assert!(asked("create -- --eject y.img").is_none());
        assert!(asked("--progress json map convert --size 3 x").is_none());
        assert!(asked("--progress json create --preallocate /dev/sdz map").is_some());
        assert_eq!(asked("restore --unmount a.img /dev/sdz").is_none(), disk::TAKES_FILES_AWAY);
        assert_eq!(asked("create --decrypted /dev/sdz a.img").is_none(), snapshot::IS_THERE);
        for verb in Cli::command().get_subcommands().filter(|verb| verb.get_name() != "map") {
            assert!(!LATER_VERBS.contains(&verb.get_name()), "{} works", verb.get_name());
            let shown = verb.get_arguments().filter(|option| !option.is_hide_set());
            for option in shown.filter_map(clap::Arg::get_long) {
                let line = format!("{} --{option}", verb.get_name());
                assert!(asked(&line).is_none(), "{line} works");
            }
        }
    }
}
