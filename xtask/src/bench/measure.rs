//! Running the variants in turns.

use super::data::{Content, Disk, Folder};
use super::figures::{Figure, Role, Variant};
use crate::{Result, run};
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One run of a command.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    /// User and system time of the process.
    pub(crate) cpu: f64,
    pub(crate) peak_kib: u64,
    /// Bytes that the output takes; 0 where there is none.
    pub(crate) room: u64,
    /// What a damaged disk went through.
    pub(crate) damage: Option<Toll>,
}

/// What a copy asked of a damaged disk, and what it could not get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Toll {
    pub(crate) reads: u64,
    pub(crate) failed: u64,
    pub(crate) lost: usize,
}

/// The runs of a variant; an error is why there are none.
pub(crate) type Samples = Result<Vec<Sample>>;

/// Measures every variant of a figure, in the order of its list.
pub(crate) fn figure(figure: &Figure, folder: &Folder, rounds: usize) -> Result<Vec<Samples>> {
    eprintln!("bench: {}, {} MiB, {rounds} rounds", figure.name, figure.size >> 20);
    let disk = match Disk::make(folder, figure.content, figure.size) {
        Ok(disk) => disk,
        // What this needs is not everywhere; the other figures do without.
        Err(error) if matches!(figure.content, Content::Damaged { .. }) => {
            eprintln!("bench: {}: {error}", figure.name);
            folder.remove("disk")?;
            return Ok(figure.variants.iter().map(|_| Err(error.clone())).collect());
        }
        Err(error) => return Err(error),
    };
    let needs_image =
        figure.variants.iter().any(|variant| variant.command.iter().any(|word| word.contains("{image}")));
    if needs_image {
        // Holes stay holes, whatever the format.
        let mut convert = Command::new("qemu-img");
        convert.args(["convert", "-f", "raw", "-O", figure.image]);
        if figure.image == "vpc" {
            // Else it is as long as whole cylinders.
            convert.args(["-o", "force_size=on"]);
        }
        run::run(convert.args([&disk.file, &folder.join("image.img")]))?;
    }
    let mut all: Vec<Samples> = figure.variants.iter().map(|_| Ok(Vec::new())).collect();
    for round in 0..rounds {
        for step in 0..figure.variants.len() {
            // Every round begins with another one: nobody always follows the same neighbour's mess.
            let index = (step + round) % figure.variants.len();
            let Ok(samples) = &mut all[index] else { continue };
            match once(&figure.variants[index], &disk, folder, round == 0) {
                Ok(sample) => samples.push(sample),
                Err(error) => {
                    eprintln!("bench: {}: {error}", figure.variants[index].name);
                    all[index] = Err(error);
                }
            }
        }
    }
    folder.remove("out.img")?;
    folder.remove("image.img")?;
    let ours = figure.variants.iter().position(|variant| variant.role == Role::Ours);
    match ours.map(|index| &all[index]) {
        Some(Err(error)) => eprintln!("bench: {}: nothing of ours was measured: {error}", figure.name),
        _ => eprintln!("bench: {} done", figure.name),
    }
    Ok(all)
}

/// Runs a variant once; with `check`, what it wrote must be the source.
fn once(variant: &Variant, disk: &Disk, folder: &Folder, check: bool) -> Result<Sample> {
    folder.remove("out.img")?;
    let has = |place| variant.command.iter().any(|word| word.contains(place));
    if has("{target}") {
        spoil(disk)?;
    } else if check && variant.writes.is_none() && has("{image}") {
        must_notice(variant, disk, folder)?;
    }
    disk.flush()?;
    let before = disk.counts()?;
    let times = folder.join("times");
    let mut command = Command::new("/usr/bin/time");
    command.args(["-f", "%U %S %M", "-o"]).arg(&times).args(words(variant, disk, folder));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let done = command.spawn().and_then(|child| child.wait_with_output());
    let wall = start.elapsed();
    let done = done.map_err(|error| format!("time (the package `time`): {error}"))?;
    if done.status.code() != Some(variant.status) {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("{}, {}", done.status, said.trim().lines().last().unwrap_or("without a word")));
    }
    let output = folder.join("out.img");
    if check && let Some(format) = variant.writes {
        must_equal(&output, format, &disk.file).map_err(|error| format!("its copy differs: {error}"))?;
    }
    if check && has("{target}") {
        disk.flush()?;
        run::run(Command::new("cmp").arg(folder.join("image.img")).arg(&disk.device).stdout(Stdio::null()))
            .map_err(|error| format!("the device does not hold the image: {error}"))?;
    }
    let said = fs::read_to_string(&times).map_err(|error| error.to_string())?;
    let mut numbers = said.lines().last().unwrap_or_default().split_whitespace();
    let mut number =
        || numbers.next().and_then(|number| number.parse::<f64>().ok()).ok_or("time said nothing");
    let cpu = number()? + number()?;
    let damage = match (before, disk.counts()?) {
        (Some(before), Some(after)) => Some(Toll {
            reads: after.reads - before.reads,
            failed: after.errors - before.errors,
            lost: disk.lost(&folder.join("out.img.map"))?,
        }),
        _ => None,
    };
    let room = fs::metadata(&output).map_or(0, |file| file.blocks() * 512);
    Ok(Sample { wall, cpu, peak_kib: number()? as u64, room, damage })
}

/// Whether the content of an image is the disk, by the tools of others.
fn must_equal(image: &Path, format: &str, disk: &Path) -> Result {
    let mut command = match format {
        "raw" => Command::new("cmp"),
        "zst" => {
            let mut command = Command::new("sh");
            command.args(["-c", "zstd -dc \"$1\" | cmp - \"$2\"", "sh"]);
            command
        }
        _ => {
            let mut command = Command::new("qemu-img");
            command.args(["compare", "-q", "-f", format, "-F", "raw"]);
            command
        }
    };
    run::run(command.arg(image).arg(disk).stdout(Stdio::null()))
}

/// The variant's command with the places filled in.
fn words(variant: &Variant, disk: &Disk, folder: &Folder) -> Vec<String> {
    let fill = |word: &String| {
        word.replace("{source}", &disk.device)
            .replace("{output}", &folder.join("out.img").display().to_string())
            .replace("{image}", &folder.join("image.img").display().to_string())
            .replace("{target}", &disk.device)
            .replace("{data}", &disk.file.display().to_string())
    };
    variant.command.iter().map(fill).collect()
}

/// Of what a run is to bring onto the device nothing may be there before it.
fn spoil(disk: &Disk) -> Result {
    let zeros = vec![0; 1 << 20];
    let spoiled = fs::OpenOptions::new().write(true).open(&disk.file).and_then(|file| {
        let pieces = file.metadata()?.len() >> 20;
        (0..pieces).try_for_each(|piece| file.write_all_at(&zeros, piece << 20))
    });
    spoiled.map_err(|error| error.to_string())
}

/// A comparison that misses a changed byte would be fast and worth nothing.
fn must_notice(variant: &Variant, disk: &Disk, folder: &Folder) -> Result {
    let said = |error: std::io::Error| error.to_string();
    let image = fs::OpenOptions::new().read(true).write(true).open(folder.join("image.img")).map_err(said)?;
    let middle = image.metadata().map_err(said)?.len() / 2;
    let mut byte = [0];
    let mut flip = || {
        image.read_exact_at(&mut byte, middle)?;
        image.write_all_at(&[!byte[0]], middle)
    };
    flip().map_err(said)?;
    let words = words(variant, disk, folder);
    let missed = run::output(Command::new(&words[0]).args(&words[1..])).is_ok();
    flip().map_err(said)?;
    if missed { Err("does not notice a changed byte".into()) } else { Ok(()) }
}

/// The middle one; between the two in the middle.
pub(crate) fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }
}
