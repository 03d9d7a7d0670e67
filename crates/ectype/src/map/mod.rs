//! `ectype map`: maps told, listed, compared, merged, completed, changed and converted.
//!
//! ```text
//!   mapfile ──► read ──► plan::map does it ──► state, list, compare, done: words or JSON
//!   or list                                └─► merge, complete, change, convert: a new mapfile
//! ```

pub(crate) mod args;

use self::args::{
    ChangeArgs, CompareArgs, CompleteArgs, ConvertArgs, ConvertFormat, DomainArgs, DoneArgs, How, ListArgs,
    ListFormat, MapArgs, MapVerb, MergeArgs, OutputArgs,
};
use crate::args::command_line;
use crate::exit::Code;
use crate::progress::Output;
use crate::{json, report};
use ectype_core::error::word;
use ectype_core::os::file;
use ectype_core::plan::map::{
    BitOrder, Bitmap, Header, Listed, MapFile, RescueMap, Status, numbers, read_bitmap, read_numbers,
};
use ectype_core::{Error, Extent, Extents, Kind, Result};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Larger than any mapfile that is read: so much is held in memory.
const MOST: u64 = 512 << 20;

pub(crate) fn run(args: &MapArgs, output: &Output) -> Result<Code> {
    let Some(verb) = &args.verb else {
        // A verb that was mistyped looks like a file that is not there.
        return state(&args.maps, &Extents::everything(), output).map_err(|error| {
            let missing = error.io_cause().is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound);
            if missing { error.advise("`ectype map --help` lists what can be done with maps") } else { error }
        });
    };
    // After an option clap finds a verb behind a map too, and the map would be forgotten.
    if let Some(before) = args.maps.first() {
        let stray = format!("{} stands before the verb", before.display());
        return Err(Error::refused(stray).advise("ectype map VERB MAPFILE"));
    }
    match verb {
        MapVerb::State(args) => state(&args.maps, &domain(&args.domain)?, output),
        MapVerb::List(args) => list(args, output),
        MapVerb::Compare(args) => compare(args, output),
        MapVerb::Merge(args) => merge(args, output),
        MapVerb::Complete(args) => complete(args, output),
        MapVerb::Change(args) => change(args, output),
        MapVerb::Convert(args) => convert(args, output),
        MapVerb::Done(args) => done(args, output),
    }
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    let failed = |error| Error::io(format!("reading {}", path.display()), error);
    let mut bytes = Vec::new();
    let read = if is_standard(path) {
        static READ: AtomicBool = AtomicBool::new(false);
        if READ.swap(true, Ordering::Relaxed) {
            return Err(Error::refused("standard input can be read only once"));
        }
        io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
    };
    if read.map_err(failed)? as u64 > MOST {
        return Err(Error::new(Kind::Limit, format!("{} is too large for a map", path.display())));
    }
    Ok(bytes)
}

/// Reads a mapfile.
pub(crate) fn read(path: &Path) -> Result<MapFile> {
    MapFile::parse(&bytes_of(path)?).map_err(|error| error.in_file(path))
}

/// The bytes that an operation is about.
fn domain(args: &DomainArgs) -> Result<Extents> {
    let range: Extents = [Extent::new(args.offset, args.size.unwrap_or(u64::MAX))].into_iter().collect();
    match &args.domain {
        None => Ok(range),
        Some(path) => Ok(read(path)?.map.extents(Status::Finished).intersect(&range)),
    }
}

fn state(maps: &[PathBuf], domain: &Extents, output: &Output) -> Result<Code> {
    let mut values = Vec::new();
    for (index, path) in maps.iter().enumerate() {
        let file = read(path)?;
        if index > 0 {
            output.line("");
        }
        show(path, &file, domain, output);
        values.push(json::map_state(path, &file, domain));
    }
    if output.json() {
        output.result(&json::maps(&values));
    }
    Ok(Code::Done)
}

/// The map as a picture, and in numbers.
pub(crate) fn show(path: &Path, file: &MapFile, domain: &Extents, output: &Output) {
    report::map(&path.display().to_string(), file, domain, width(), output);
}

/// How many cells a line of the picture has.
fn width() -> usize {
    const PLAIN: usize = 60;
    let columns = || terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
    let terminal = io::stdout().is_terminal().then(columns).flatten();
    terminal.map_or(PLAIN, |columns| columns.saturating_sub(4).clamp(16, 160))
}

fn list(args: &ListArgs, output: &Output) -> Result<Code> {
    let map = read(&args.map)?.map;
    let domain = domain(&args.domain)?;
    let base = if args.relative { args.domain.offset } else { 0 };
    let wanted = |&(at, status): &(Extent, Status)| at.end() > base && args.status.0.contains(&status);
    let moved = |at: Extent| Extent::between(at.offset.saturating_sub(base), at.end() - base);
    let areas = map.within(&domain).filter(wanted).map(|(at, status)| (moved(at), status));
    let order = match args.format {
        ListFormat::Areas => {
            let unit = args.block_size.unwrap_or(1);
            let areas = areas.map(|(at, status)| (at.offset / unit..at.end().div_ceil(unit), status));
            if output.json() {
                output.result(&json::areas(areas, args.block_size));
                return Ok(Code::Done);
            }
            return printed(|out| {
                for (at, status) in areas {
                    writeln!(out, "{}\t{}\t{}", at.start, at.end - at.start, status.name())?;
                }
                Ok(())
            });
        }
        ListFormat::Blocks => {
            let block_size = args.block_size.unwrap_or(512);
            let ranges = numbers(&areas.map(|(at, _)| at).collect(), block_size)?;
            if output.json() {
                output.result(&json::blocks(&ranges, block_size));
                return Ok(Code::Done);
            }
            return printed(|out| {
                ranges.into_iter().flatten().try_for_each(|block| writeln!(out, "{block}"))
            });
        }
        ListFormat::Bitmap => BitOrder::Low,
        ListFormat::BitmapBe => BitOrder::High,
    };
    if output.json() {
        return Err(
            Error::refused("a bitmap is not JSON").advise("--format blocks or areas, or without --json")
        );
    }
    if io::stdout().is_terminal() {
        return Err(Error::refused("a bitmap is not for a terminal").advise("send it to a file:  … > FILE"));
    }
    let ends = |at: Extent| at.end().saturating_sub(base);
    let size = domain.iter().last().map_or(0, |last| ends(last).min(ends(map.extent())));
    let extents: Extents = areas.map(|(at, _)| at).collect();
    let bits = Bitmap::new(&extents, size, args.block_size.unwrap_or(512), order)?;
    printed(|out| bits.write(out))
}

/// A long result, for programs. A closed pipe is a wish to read no more.
fn printed(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Code> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::io("writing to standard output", error))
        }
        _ => Ok(Code::Done),
    }
}

fn compare(args: &CompareArgs, output: &Output) -> Result<Code> {
    let (one, other) = (read(&args.one)?.map, read(&args.other)?.map);
    let domain = domain(&args.domain)?;
    let compared = one.union(&other).within(&domain).map(|run| run.0.len).sum();
    let differences = one.differences(&other, &domain, args.finished);
    if output.json() {
        output.result(&json::map_comparison(&differences, compared, [one.size(), other.size()]));
    }
    report::map_comparison(&differences, compared, output);
    Ok(if differences.is_empty() { Code::Done } else { Code::Differs })
}

fn merge(args: &MergeArgs, output: &Output) -> Result<Code> {
    let maps = args.maps.iter().map(|path| Ok(read(path)?.map)).collect::<Result<Vec<_>>>()?;
    if args.how == How::Xor && maps.len() != 2 {
        return Err(Error::refused("xor is of two maps").advise("--how difference takes several"));
    }
    let rule = match args.how {
        How::Union => RescueMap::union,
        How::Intersect => RescueMap::intersect,
        How::Difference => RescueMap::difference,
        How::Xor => RescueMap::xor,
    };
    let (first, others) = maps.split_first().expect("the command line has two or more");
    if let Some(other) = others.iter().find(|other| other.extent() != first.extent()) {
        let ends = [first, other].map(|map| report::count(map.size()));
        let [one, other] = ends;
        output.note(&format!(
            "the maps end at bytes {one} and {other}: what a map does not speak of counts as not tried"
        ));
    }
    let merged = others.iter().fold(first.clone(), |merged, other| rule(&merged, other));
    let merged = first.replaced(&domain(&args.domain)?, &merged);
    // Where a run stood in one map says nothing of this one.
    write(&MapFile::new(merged), &args.output, output)
}

fn complete(args: &CompleteArgs, output: &Output) -> Result<Code> {
    let text = bytes_of(&args.map)?;
    let mut file = MapFile::parse_loose(&text, args.fill).map_err(|error| error.in_file(&args.map))?;
    let size = args.size.unwrap_or(file.map.size());
    file.map = file.map.complete(size, args.fill, args.cut_off).map_err(|error| {
        error.in_file(&args.map).advise("--cut-off drops what lies behind, if the medium is that small")
    })?;
    write(&file, &args.output, output)
}

fn change(args: &ChangeArgs, output: &Output) -> Result<Code> {
    let file = read(&args.map)?;
    let domain = domain(&args.domain)?;
    let mut changed = MapFile::new(file.map);
    if let Some(types) = &args.types {
        let new = |status| types.0.iter().find(|(old, _)| *old == status).map_or(status, |(_, new)| *new);
        changed.map = changed.map.change(&domain, new);
    }
    if args.invert {
        changed.map = changed.map.invert(&domain);
    }
    if let Some(by) = args.shift {
        changed.map = changed.map.shift(by);
    }
    write(&changed, &args.output, output)
}

fn convert(args: &ConvertArgs, output: &Output) -> Result<Code> {
    let list = bytes_of(&args.file)?;
    let rule = Listed { block_size: args.block_size, listed: args.listed, others: args.others };
    let map = match args.from {
        ConvertFormat::Blocks => {
            let size = args.size.expect("the command line requires it");
            read_numbers(&list, size, rule).map_err(|error| error.in_file(&args.file))?
        }
        ConvertFormat::Bitmap => read_bitmap(&list, BitOrder::Low, args.size, rule),
        ConvertFormat::BitmapBe => read_bitmap(&list, BitOrder::High, args.size, rule),
    };
    write(&MapFile::new(map), &args.output, output)
}

fn done(args: &DoneArgs, output: &Output) -> Result<Code> {
    let map = read(&args.map)?.map;
    let domain = domain(&args.domain)?;
    let (mut all, mut left) = (0, 0);
    for (at, status) in map.within(&domain) {
        all += at.len;
        left += if status == Status::Finished { 0 } else { at.len };
    }
    if all == 0 {
        let nothing = format!("{}: the map says nothing of these bytes", args.map.display());
        return Err(Error::refused(nothing));
    }
    let name = report::printable(&args.map.display().to_string());
    let deleted = args.delete && left == 0 && !is_standard(&args.map);
    if deleted {
        std::fs::remove_file(&args.map)
            .map_err(|error| Error::io(format!("deleting {}", args.map.display()), error))?;
    }
    if output.json() {
        output.result(&json::map_done(left, all, deleted));
    }
    if left == 0 {
        let gone = if deleted { "; the map is deleted" } else { "" };
        output.line(&format!("  {name}   {}, all finished{gone}", report::size(all)));
        return Ok(Code::Done);
    }
    output.line(&format!("  {name}   {} of {} are not finished", report::size(left), report::size(all)));
    Ok(Code::Incomplete)
}

/// Writes a new map: to a file as a whole or not at all, or to standard output.
fn write(file: &MapFile, args: &OutputArgs, output: &Output) -> Result<Code> {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let header = Header {
        command_line: command_line(),
        start_time: now.clone(),
        current_time: now,
        remark: String::new(),
    };
    let text = file.to_text(&header);
    let Some(path) = args.output.as_deref().filter(|path| !is_standard(path)) else {
        if output.json() {
            return Err(Error::refused("the map and its JSON cannot both go to standard output")
                .advise("give the map a file: -o FILE"));
        }
        return printed(|out| out.write_all(text.as_bytes()));
    };
    let target = replaceable(path, args.overwrite)?;
    file::replace(&target, text.as_bytes())
        .map_err(|error| Error::writing(format!("writing {}", path.display()), error))?;
    let everything = Extents::everything();
    show(path, file, &everything, output);
    if output.json() {
        output.result(&json::maps(&[json::map_state(path, file, &everything)]));
    }
    Ok(Code::Done)
}

/// The file that may be written under this name: a new one, or with `overwrite` the one that is there.
fn replaceable(path: &Path, overwrite: bool) -> Result<PathBuf> {
    let facts = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path.to_owned()),
        facts => facts.map_err(|error| Error::io(format!("looking at {}", path.display()), error))?,
    };
    if !facts.is_file() {
        return Err(Error::refused(format!("{} is not a file: no map is written there", path.display())));
    }
    if !overwrite {
        return Err(Error::refused(format!("{} exists", path.display()))
            .advise(format!("replace it:  --overwrite -o {}", word(path))));
    }
    // A link stays, and what it leads to is replaced.
    path.canonicalize().map_err(|error| Error::io(format!("looking at {}", path.display()), error))
}
