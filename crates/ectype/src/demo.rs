//! `ectype demo`: what the other verbs are about, without a device.
//!
//! ```text
//!   disc       the sample disc, an ISO 9660 image
//!   scratches  a layer over it that cannot read some of its sectors
//! ```
//!
//! The scratches are made up; everything else is what the verbs do: the same functions plan, copy, prove and print.

mod disc;
mod scratches;

use crate::args::DemoArgs;
use crate::exit::Code;
use crate::progress::Output;
use crate::{info, json, map, report, verify};
use ectype_core::copy::Tuning;
use ectype_core::os::advice;
use ectype_core::proof::digest::{Algorithm, Digester};
use ectype_core::task::create::{Ended, Options, Outcome, prepare};
use ectype_core::task::open::Images;
use ectype_core::task::verify::verify_image;
use ectype_core::watch::Watch;
use ectype_core::{Error, Extent, Extents, Kind, Result};
use scratches::Scratched;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const DISC: &str = "disc.iso";
const IMAGE: &str = "copy.iso";
const MAP: &str = "copy.iso.map";
const CREATE: &str = "ectype create --hash sha256 disc.iso copy.iso";

pub(crate) fn run(args: &DemoArgs, output: &Output) -> Result<Code> {
    let folder = Folder::new(args.keep)?;
    let mut show = Show { output, watch: Box::leak(Box::default()), steps: Vec::new() };
    let told = tell(&folder, &mut show);
    let kept = args.keep.then_some(&folder.path);
    if let Some(kept) = kept {
        output.line(&format!("\nkept: {}", report::printable(&kept.display().to_string())));
    }
    told?;
    output.line("\nWith a disc or a stick of yours:  ectype devices, then  ectype create DEVICE");
    if output.json() {
        output.result(&json!({ "schema": 1, "status": "whole", "folder": kept, "steps": show.steps }));
    }
    Ok(Code::Done)
}

/// The demonstration, from the disc to the proof.
fn tell(folder: &Folder, show: &mut Show<'_>) -> Result<()> {
    let content = disc::compose();
    std::fs::write(DISC, &content).map_err(|error| Error::io("writing the sample disc", error))?;
    let pristine = sha256(&content);
    let scratched = scratches::all();
    let sectors = scratched.iter().map(|at| at.len).sum::<u64>() / disc::SECTOR as u64;
    show.output.line(&format!(
        "A sample disc: {} in {}; {sectors} of its {} sectors are scratched and cannot be read.",
        DISC,
        report::printable(&folder.path.display().to_string()),
        report::count(disc::SECTORS as u64),
    ));
    show.steps.push(json!({
        "step": "disc", "path": DISC, "label": disc::LABEL, "size": content.len(), "sha256": pristine,
        "scratched": scratched.iter().map(|at| json!({ "offset": at.offset, "length": at.len })).collect::<Vec<_>>(),
    }));

    show.begins(&format!("It is imaged; a disc in a drive would be {} here:", advice::DISC), CREATE);
    let first = show.create("create", scratched.clone())?;
    let damage: Extents = scratched.into_iter().collect();
    expect(matches!(first.status, Ended::Incomplete), "the first run leaves an incomplete image")?;
    expect(first.unreadable == damage, "exactly the scratched sectors are missing")?;

    show.begins(
        "The map beside the image says what is missing; GNU ddrescue reads it too:",
        "ectype map copy.iso.map",
    );
    let file = map::read(Path::new(MAP))?;
    map::show(Path::new(MAP), &file, &Extents::everything(), show.output);
    show.steps.push(json!({ "step": "map", "result": info::map_facts(Path::new(MAP), &file.map) }));

    show.begins("The disc is cleaned. The same command goes on, with those sectors only:", CREATE);
    let second = show.create("resume", Vec::new())?;
    expect(matches!(second.status, Ended::Whole) && second.resumed, "the second run completes the image")?;

    show.begins("Is the image what its record says? All of it is read again:", "ectype verify copy.iso");
    let watch = show.watch;
    let found = show.output.watched(watch, || {
        verify_image(Path::new(IMAGE), &Images::default(), &[], Tuning::default(), watch)
    })?;
    verify::tell(&found, Path::new(IMAGE), show.output);
    show.steps.push(json!({ "step": "verify", "result": json::verified(&found) }));
    expect(found.equal, "the image is what its record says")?;

    let image = found.digests.get("sha256").cloned().unwrap_or_default();
    show.output.line("\nThe sha256 of the disc as it was made, and of the image:");
    show.output.line(&format!("  disc   {pristine}\n  image  {image}"));
    show.steps.push(json!({ "step": "proof", "disc": pristine, "image": image, "equal": pristine == image }));
    expect(pristine == image, "the image is the disc, bit for bit")
}

/// What is told on the way, to a person or a program.
struct Show<'a> {
    output: &'a Output,
    watch: &'static Watch,
    steps: Vec<Value>,
}

impl Show<'_> {
    fn begins(&self, what: &str, command: &str) {
        self.output.line(&format!("\n{what}\n$ {}", self.output.strong(command)));
    }

    /// One run of `create`, through these scratches.
    fn create(&mut self, step: &str, scratches: Vec<Extent>) -> Result<Outcome> {
        let prepared = prepare(Options {
            source: DISC.into(),
            image: Some(IMAGE.into()),
            hashes: Some(vec![Algorithm::Sha256]),
            command_line: CREATE.to_owned(),
            ..Options::default()
        })?
        .through(|disc| Box::new(Scratched::new(disc, scratches)));
        report::plan(prepared.plan(), self.output);
        let watch = self.watch;
        let outcome = self.output.watched(watch, || prepared.run(watch))?;
        if let Ended::Stopped(error) = outcome.status {
            return Err(error);
        }
        report::created(&outcome, self.output);
        self.steps.push(json!({ "step": step, "command": CREATE, "result": json::created(&outcome, &[]) }));
        Ok(outcome)
    }
}

fn expect(holds: bool, what: &str) -> Result<()> {
    match holds {
        true => Ok(()),
        false => {
            Err(Error::new(Kind::Changed, format!("the demonstration failed: it should be that {what}")))
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    let mut digester = Digester::new(Algorithm::Sha256);
    digester.update(bytes);
    digester.finish()
}

/// A fresh folder, the current one while it lives, so that names in it are short; removed at the end.
struct Folder {
    path: PathBuf,
    back: Option<PathBuf>,
    keep: bool,
}

impl Folder {
    fn new(keep: bool) -> Result<Folder> {
        let made = |path: &Path| std::fs::create_dir(path).map(|()| path.to_owned());
        let names = (0..1000).map(|number| format!("ectype-demo-{}-{number}", std::process::id()));
        // Never one that is there already: it may be another's.
        let tried = names.map(|name| made(&std::env::temp_dir().join(name)));
        let fresh = tried.into_iter().find(|made| {
            made.as_ref().err().is_none_or(|error| error.kind() != std::io::ErrorKind::AlreadyExists)
        });
        let failed =
            |error| Error::io(format!("making a folder in {}", std::env::temp_dir().display()), error);
        let path = fresh.unwrap_or_else(|| Err(std::io::ErrorKind::AlreadyExists.into())).map_err(failed)?;
        let folder = Folder { path, back: std::env::current_dir().ok(), keep };
        std::env::set_current_dir(&folder.path).map_err(failed)?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that is somebody's current one cannot be removed everywhere.
        let away = self.back.clone().unwrap_or_else(std::env::temp_dir);
        let _ = std::env::set_current_dir(away);
        if !self.keep {
            // What stays behind lies in the folder for temporary things.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
