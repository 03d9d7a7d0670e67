//! What may be asked of maps.

use crate::args::parse_size;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use ectype_core::plan::map::Status;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true, subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
#[command(override_usage = "ectype map [OPTIONS] <MAPFILE>...\n       ectype map <VERB> …")]
pub(crate) struct MapArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<MapVerb>,
    /// Mapfiles of this program or of GNU ddrescue; - is standard input
    #[arg(value_name = "MAPFILE", required = true)]
    pub(crate) maps: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MapVerb {
    /// Tell how a rescue stands: a picture, bytes, areas, percents, the phase
    State(StateArgs),
    /// List areas, or blocks as badblocks and e2fsck have them
    #[command(after_help = "\
Examples:
  ectype map list disc.map                                    areas that are missing: offset, length, status
  ectype map list --format blocks -b 4096 --status bad m      for e2fsck -l
  ectype map list --format blocks -b 4096 --offset 1MiB --size 1GiB --relative m
                                                              the same for a partition of the disk")]
    List(ListArgs),
    /// Compare two maps; the exit status is 4 where they differ
    Compare(CompareArgs),
    /// Make one map of several: of drives, copies or runs
    #[command(after_help = "\
Examples:
  ectype map merge drive1.map drive2.map -o both.map          what either drive has read
  ectype map merge --how difference all.map done.map -o todo.map

union: of each byte the best status   intersect: the least   difference: finished in the first and
in no other   xor: finished in exactly one. What a map does not speak of was not tried.")]
    Merge(MergeArgs),
    /// Fill gaps of a map that was edited by hand, sort it, give it an end
    #[command(after_help = "\
Example:
  ectype map complete --size 4700372992 edited.map -o disc.map")]
    Complete(CompleteArgs),
    /// Change statuses, invert them, or shift the map
    #[command(after_help = "\
Examples:
  ectype map change --types bad,non-tried disc.map -o again.map    let a run try them anew
  ectype map change --types '*/-,?' disc.map -o again.map          all that failed, by their signs
  ectype map change --invert disc.map -o missing.map               a domain of what is missing
  ectype map change --shift -1MiB disk.map -o partition.map        the partition at 1 MiB")]
    Change(ChangeArgs),
    /// Make a map of a list or a bitmap of blocks
    #[command(after_help = "\
Example:
  badblocks /dev/sdb | ectype map convert --from blocks -b 1024 --size 4GiB \\
      --listed bad --others finished - -o stick.map")]
    Convert(ConvertArgs),
    /// Tell by the exit status whether all is finished: 0, or 3
    Done(DoneArgs),
}

/// Which bytes count.
#[derive(Debug, Args)]
pub(crate) struct DomainArgs {
    /// Only from this byte on
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "0", hide_default_value = true)]
    pub(crate) offset: u64,
    /// Only so many bytes
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) size: Option<u64>,
    /// Only what is finished in this map
    #[arg(long, value_name = "MAPFILE")]
    pub(crate) domain: Option<PathBuf>,
}

/// Where a new map goes.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Where the new map goes [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace that file; it may be the map itself
    #[arg(long)]
    pub(crate) overwrite: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// Mapfiles; - is standard input
    #[arg(value_name = "MAPFILE", required = true)]
    pub(crate) maps: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) domain: DomainArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The mapfile; - is standard input
    #[arg(value_name = "MAPFILE")]
    pub(crate) map: PathBuf,
    /// Of which statuses: names (bad,non-tried), signs (-?), missing (all but finished) or all
    #[arg(long, value_name = "STATUSES", value_parser = parse_statuses, default_value = "missing", allow_hyphen_values = true)]
    pub(crate) status: Statuses,
    /// What is printed: areas (offset, length and status, in bytes or in blocks of --block-size), numbers of blocks, or a bitmap
    /// of blocks
    #[arg(short, long, value_name = "FORMAT", default_value = "areas")]
    pub(crate) format: ListFormat,
    /// Bytes in a block; a block is listed where any byte of it is [default: 512; areas: bytes]
    #[arg(short, long, value_name = "SIZE", value_parser = parse_block_size)]
    pub(crate) block_size: Option<u64>,
    /// Count from --offset instead of from the start of the medium
    #[arg(long)]
    pub(crate) relative: bool,
    #[command(flatten)]
    pub(crate) domain: DomainArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Offset, length, status
    Areas,
    /// A number a line, as badblocks prints them
    Blocks,
    /// A bit a block, the first one the lowest of its byte
    #[value(alias = "bitmap-le")]
    Bitmap,
    /// A bit a block, the first one the highest of its byte
    BitmapBe,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// A mapfile; - is standard input
    #[arg(value_name = "MAPFILE")]
    pub(crate) one: PathBuf,
    /// The mapfile to compare it with
    #[arg(value_name = "OTHER")]
    pub(crate) other: PathBuf,
    /// Compare only what is finished: are they the same as domains?
    #[arg(long)]
    pub(crate) finished: bool,
    #[command(flatten)]
    pub(crate) domain: DomainArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Two mapfiles or more; - is standard input
    #[arg(value_name = "MAPFILE", required = true, num_args = 2..)]
    pub(crate) maps: Vec<PathBuf>,
    /// What the new map holds
    #[arg(long, value_name = "HOW", default_value = "union")]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) domain: DomainArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum How {
    /// Finished in any of them
    #[value(alias = "or")]
    Union,
    /// Finished in all of them
    #[value(alias = "and")]
    Intersect,
    /// Finished in the first and in no other
    #[value(alias = "subtract")]
    Difference,
    /// Finished in exactly one of two
    Xor,
}

#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    /// The mapfile; - is standard input. Its blocks may lie in any order, leave gaps, and overlap others of the same status
    #[arg(value_name = "MAPFILE")]
    pub(crate) map: PathBuf,
    /// What gaps become: a name or a sign
    #[arg(long, value_name = "STATUS", value_parser = parse_status, default_value = "non-tried", allow_hyphen_values = true)]
    pub(crate) fill: Status,
    /// How many bytes the medium has [default: where the last block ends]
    #[arg(long, value_name = "SIZE", value_parser = parse_length)]
    pub(crate) size: Option<u64>,
    /// Cut off what lies behind --size
    #[arg(long, requires = "size")]
    pub(crate) cut_off: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args(["types", "invert", "shift"])))]
pub(crate) struct ChangeArgs {
    /// The mapfile; - is standard input
    #[arg(value_name = "MAPFILE")]
    pub(crate) map: PathBuf,
    /// Statuses and what they become, by name or by sign: bad,non-tried or '*/-,?'; signs one to one, the last for the rest
    #[arg(long, value_name = "OLD,NEW", value_parser = parse_types, allow_hyphen_values = true)]
    pub(crate) types: Option<Types>,
    /// Finished becomes bad, everything else finished
    #[arg(long, conflicts_with = "types")]
    pub(crate) invert: bool,
    /// Move all of the map so many bytes, with a minus towards the start: what falls off there goes
    #[arg(long, value_name = "SIZE", value_parser = parse_signed, allow_hyphen_values = true)]
    pub(crate) shift: Option<i64>,
    #[command(flatten)]
    pub(crate) domain: DomainArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// The list; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What it is: numbers of blocks, or a bitmap of blocks
    #[arg(long, value_name = "FORMAT")]
    pub(crate) from: ConvertFormat,
    /// Bytes in a block
    #[arg(short, long, value_name = "SIZE", value_parser = parse_block_size, default_value = "512")]
    pub(crate) block_size: u64,
    /// How many bytes the medium has [default for bitmaps: as many as they have bits]
    #[arg(long, value_name = "SIZE", value_parser = parse_length, required_if_eq("from", "blocks"))]
    pub(crate) size: Option<u64>,
    /// What the listed blocks are: a name or a sign
    #[arg(long, value_name = "STATUS", value_parser = parse_status, default_value = "finished", allow_hyphen_values = true)]
    pub(crate) listed: Status,
    /// What all others are
    #[arg(long, value_name = "STATUS", value_parser = parse_status, default_value = "bad", allow_hyphen_values = true)]
    pub(crate) others: Status,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConvertFormat {
    /// A number a line, as badblocks prints them
    Blocks,
    /// A bit a block, the first one the lowest of its byte
    #[value(alias = "bitmap-le")]
    Bitmap,
    /// A bit a block, the first one the highest of its byte
    BitmapBe,
}

#[derive(Debug, Args)]
pub(crate) struct DoneArgs {
    /// The mapfile; - is standard input
    #[arg(value_name = "MAPFILE")]
    pub(crate) map: PathBuf,
    /// Delete the mapfile if all is finished
    #[arg(long)]
    pub(crate) delete: bool,
    #[command(flatten)]
    pub(crate) domain: DomainArgs,
}

/// Several statuses; clap would take a bare vector for a repeated option.
#[derive(Clone, Debug)]
pub(crate) struct Statuses(pub(crate) Vec<Status>);

/// Statuses, each with what it becomes; the first that fits counts.
#[derive(Clone, Debug)]
pub(crate) struct Types(pub(crate) Vec<(Status, Status)>);

const NONE: &str = "none of finished + non-tried ? non-trimmed * non-scraped / bad -";

/// A name, or signs.
fn parse_named(text: &str) -> Result<Vec<Status>, String> {
    if let Some(status) = Status::ALL.into_iter().find(|status| status.name() == text) {
        return Ok(vec![status]);
    }
    let signs: Option<Vec<_>> = text.chars().map(Status::from_sign).collect();
    signs.filter(|signs| !signs.is_empty()).ok_or_else(|| format!("{text:?} is {NONE}"))
}

fn parse_status(text: &str) -> Result<Status, String> {
    match parse_named(text)?[..] {
        [status] => Ok(status),
        _ => Err("one status, please".to_owned()),
    }
}

fn parse_statuses(text: &str) -> Result<Statuses, String> {
    let mut list = Vec::new();
    for name in text.split(',') {
        match name {
            "all" => list.extend(Status::ALL),
            "missing" => list.extend(Status::ALL.into_iter().filter(|&status| status != Status::Finished)),
            name => list.extend(parse_named(name)?),
        }
    }
    Ok(Statuses(list))
}

fn parse_types(text: &str) -> Result<Types, String> {
    let (old, new) = text.split_once(',').ok_or("old and new, with a comma between: bad,non-tried")?;
    let (old, new) = (parse_named(old)?, parse_named(new)?);
    let become_new = |(index, status): (usize, Status)| (status, new[index.min(new.len() - 1)]);
    Ok(Types(old.into_iter().enumerate().map(become_new).collect()))
}

fn parse_block_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("a block has bytes".to_owned()),
        size => Ok(size),
    }
}

fn parse_signed(text: &str) -> Result<i64, String> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1, size),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    parse_length(size).map(|size| sign * size as i64)
}

/// A size that a map can tell: what reads maps counts with a sign.
fn parse_length(text: &str) -> Result<u64, String> {
    parse_size(text).and_then(|size| match i64::try_from(size) {
        Ok(_) => Ok(size),
        Err(_) => Err("too far".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_names_and_signs() {
        assert_eq!(parse_status("bad"), Ok(Status::Bad));
        assert_eq!(parse_status("-"), Ok(Status::Bad));
        assert!(parse_status("-+").is_err() && parse_status("").is_err() && parse_status("good").is_err());
        assert_eq!(parse_statuses("bad,?").unwrap().0, [Status::Bad, Status::NonTried]);
        assert_eq!(parse_statuses("missing").unwrap().0, Status::ALL[..4]);
        assert_eq!(parse_statuses("all").unwrap().0, Status::ALL);
        assert!(parse_statuses("bad,,?").is_err());
    }

    #[test]
    fn types_are_those_of_ddrescuelog() {
        use Status::{Bad, Finished, NonScraped, NonTried, NonTrimmed};
        assert_eq!(parse_types("bad,non-tried").unwrap().0, [(Bad, NonTried)]);
        assert_eq!(
            parse_types("*/-,?+").unwrap().0,
            [(NonTrimmed, NonTried), (NonScraped, Finished), (Bad, Finished)]
        );
        for wrong in ["-", ",-", "-,", "x,-", "-,x"] {
            assert!(parse_types(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_shift_has_a_sign() {
        assert_eq!((parse_signed("-1K"), parse_signed("+2"), parse_signed("3")), (Ok(-1024), Ok(2), Ok(3)));
        assert!(parse_signed("0x8000000000000000").is_err() && parse_signed("--1").is_err());
    }
}
