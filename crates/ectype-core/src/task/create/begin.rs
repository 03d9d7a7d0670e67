//! How a run begins: its ledger and its image, new or gone on with.

use super::super::open::Opened;
use super::super::target::{RunFacts, Target};
use super::{Prepared, now};
use crate::error::{Error, Result};
use crate::image::differing::Differing;
use crate::image::{Image, Place};
use crate::io::{Durable, ReadAt, Storage, WriteAt};
use crate::os::file::{self, PlainFile};
use crate::plan::map::{Header, MapFile, RescueMap, Stage};
use crate::proof::ledger::{Ledger, SaveMap, Trust};
use crate::proof::record::Record;
use crate::watch::Watch;

impl Prepared {
    /// Ledger and sink, new or gone on with; `facts` then carry what the earlier runs knew.
    pub(super) fn begin(
        &mut self,
        target: Target,
        state: Box<PlainFile>,
        facts: &mut RunFacts,
        watch: &Watch,
    ) -> Result<(Ledger, Box<dyn Image>)> {
        let size = self.opened.geometry().size;
        let image = &self.files.image;
        let writing = self.plan.format.writing.as_ref().expect("a plan writes");
        let place = |storage: PlainFile| {
            let storage: Box<dyn Storage> = Box::new(Durable::new(storage));
            Place { storage, parent: self.base.as_ref().and_then(Opened::image).cloned() }
        };
        let failed = |error| Error::writing(format!("writing {}", image.display()), error);
        let unfinished = match target {
            Target::Nothing => {
                // First what can fail: until then the image that stands here stands. But no map may outlive its state: it
                // would claim what is in that image for this medium.
                let mut save_map = self.save_map(&facts.began);
                save_map(&RescueMap::new(size), Stage::default(), 0)?;
                let ledger = Ledger::create(state, save_map, size, facts)?;
                self.files.discard()?;
                let storage = PlainFile::create_new(image, writing.allocation).map_err(failed)?;
                file::sync_dir(file::folder(image)).map_err(failed)?;
                return Ok((ledger, self.fed((writing.create)(place(storage), &self.plan.spec)?)));
            }
            Target::Unfinished(unfinished) => unfinished,
        };
        self.plan.compare = unfinished.compare;
        let storage = if image.exists() {
            PlainFile::open_writable(image, writing.allocation).map_err(failed)?
        } else {
            let storage = PlainFile::create_new(image, writing.allocation).map_err(failed)?;
            file::sync_dir(file::folder(image)).map_err(failed)?;
            storage
        };
        let ledger = match unfinished.left {
            None => {
                facts.unproven = true;
                let save_map = self.save_map(&facts.began);
                Ledger::adopt(state, save_map, unfinished.map, facts)?
            }
            Some((left, before)) => {
                facts.began = before.began;
                // The same identity to the end: what others see of it was written when it began.
                if let Some(spec) = before.spec {
                    self.plan.spec = spec.clone();
                    facts.spec = Some(spec);
                }
                facts.runs = before.runs.saturating_add(1);
                let trusted = unfinished.trusted;
                facts.unproven |= unfinished.foreign;
                facts.unproven |= trusted || (before.unproven && !unfinished.compare);
                let save_map = self.save_map(&facts.began);
                let trust = match (unfinished.compare, trusted) {
                    (true, _) => Trust::Compare,
                    (false, true) => Trust::Word,
                    (false, false) => Trust::Proven,
                };
                Ledger::resume(state, save_map, unfinished.map, left, facts, trust)?
            }
        };
        // Past the system's cache: it may hold what never reached the disk.
        storage.drop_cache();
        let record = Record::of(image)?;
        if self.plan.format.is_bytes {
            self.check_held(&ledger, record.as_ref(), &storage, watch)?;
        }
        self.files.discard_record()?;
        let held = ledger.held();
        let sink = if held.is_empty() && !self.plan.format.is_bytes {
            // A crash came before its first structure was whole, or after it: nothing of it counts.
            storage.set_size(0).map_err(failed)?;
            (writing.create)(place(storage), &self.plan.spec)?
        } else {
            (writing.resume)(place(storage), &self.plan.spec, &held)?
        };
        if !self.plan.format.is_bytes {
            self.check_held(&ledger, record.as_ref(), &*sink, watch)?;
        }
        Ok((ledger, self.fed(sink)))
    }

    /// Whether the image still is what its leaves and its record say.
    fn check_held(
        &self,
        ledger: &Ledger,
        record: Option<&Record>,
        image: &dyn ReadAt,
        watch: &Watch,
    ) -> Result<()> {
        ledger.check_some(image)?;
        if let Some(record) = record
            && let Some(tree) = record.tree()
        {
            let lost = record.unreadable.iter().map(|&range| range.into()).collect();
            ledger.check_recorded(image, &tree, &lost, watch)?;
        }
        Ok(())
    }

    /// Over a base only what differs from it is put.
    fn fed(&self, image: Box<dyn Image>) -> Box<dyn Image> {
        if self.base.is_some() { Box::new(Differing::new(image)) } else { image }
    }

    fn save_map(&self, began: &str) -> SaveMap {
        let path = self.files.map.clone();
        let began = began.to_owned();
        let command_line = self.options.command_line.clone();
        Box::new(move |map: &RescueMap, stage: Stage, position: u64| {
            let header = Header {
                command_line: command_line.clone(),
                start_time: began.clone(),
                current_time: now(),
                remark: stage.remark(),
            };
            let file = MapFile {
                current_pos: position,
                current_status: stage.phase,
                current_pass: stage.pass,
                map: map.clone(),
            };
            let text = file.to_text(&header);
            file::replace(&path, text.as_bytes())
                .map_err(|error| Error::writing(format!("writing {}", path.display()), error))
        })
    }
}
