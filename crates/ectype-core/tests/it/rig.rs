//! What the tests of the engine copy with: an image, a state file and a map that outlive a run, as files do.
//!
//! ```text
//!   source ──► copy ──► RawSink ──► image          the same three go into the next run,
//!                └────► Ledger ───► state, map     perhaps after a power cut
//! ```

use ectype_core::copy::{Copied, Job, Limits, Tuning, copy};
use ectype_core::image::Image;
use ectype_core::image::raw::RawSink;
use ectype_core::io::{Durable, ReadAt, Storage};
use ectype_core::plan::map::{Header, MapFile, RescueMap, Status};
use ectype_core::plan::rescue::{Options, Rescue};
use ectype_core::proof::digest::Algorithm;
use ectype_core::proof::ledger::{Ledger, SaveMap, Trust};
use ectype_core::source::Source;
use ectype_core::watch::Watch;
use ectype_core::{Error, Extents, Kind, Result};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const PIECE: usize = 1 << 20;

/// Few buffers, so that everything waits for everything now and then; never a checkpoint but at the end.
pub(crate) const CALM: Tuning =
    Tuning { depth: 3, buffers: 4, packers: 2, checkpoint_every: Duration::from_secs(3600) };

/// A checkpoint after every step.
pub(crate) const CAREFUL: Tuning = Tuning { checkpoint_every: Duration::ZERO, ..CALM };

pub(crate) struct Rig {
    pub(crate) image: Arc<dyn Storage>,
    pub(crate) state: Arc<dyn Storage>,
    /// The map as text; empty as long as none was saved.
    pub(crate) map: Arc<Mutex<Vec<u8>>>,
    /// Whether a map can still be saved.
    powered: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// An unfinished image that is open.
pub(crate) struct Open {
    pub(crate) ledger: Ledger,
    pub(crate) sink: RawSink<Durable<Arc<dyn Storage>>>,
}

impl Rig {
    pub(crate) fn new(image: impl Storage + 'static, state: impl Storage + 'static) -> Rig {
        Rig {
            image: Arc::new(image),
            state: Arc::new(state),
            map: Arc::default(),
            powered: Arc::new(|| true),
        }
    }

    /// Goes on with this map.
    pub(crate) fn with_map(mut self, map: &[u8]) -> Rig {
        self.map = Arc::new(Mutex::new(map.to_vec()));
        self
    }

    /// No map is saved once `powered` says no.
    pub(crate) fn powered_while(mut self, powered: impl Fn() -> bool + Send + Sync + 'static) -> Rig {
        self.powered = Arc::new(powered);
        self
    }

    pub(crate) fn map_text(&self) -> Vec<u8> {
        self.map.lock().unwrap().clone()
    }

    /// The map as it was saved last.
    pub(crate) fn saved_map(&self, size: u64) -> RescueMap {
        let mut map = MapFile::parse(&self.map_text()).unwrap().map;
        map.cover(size).unwrap();
        map
    }

    pub(crate) fn save_map(&self) -> SaveMap {
        let (text, powered) = (Arc::clone(&self.map), Arc::clone(&self.powered));
        Box::new(move |map, stage, position| {
            if !powered() {
                return Err(Error::new(Kind::Io, "power cut"));
            }
            let file = MapFile {
                current_pos: position,
                current_status: stage.phase,
                current_pass: stage.pass,
                map: map.clone(),
            };
            *text.lock().unwrap() = file.to_text(&Header::default()).into_bytes();
            Ok(())
        })
    }

    /// A new image.
    pub(crate) fn begin(&self, size: u64) -> Result<Open> {
        let ledger = Ledger::create(Box::new(Arc::clone(&self.state)), self.save_map(), size, &"facts")?;
        let cut = |error| Error::io("emptying the image", error);
        self.image.set_size(0).map_err(cut)?;
        Ok(Open { ledger, sink: RawSink::create(Durable::new(Arc::clone(&self.image)), size)? })
    }

    /// Goes on with what is there, as the verb does: without a map there is nothing to go on with.
    pub(crate) fn go_on(&self, size: u64, compare: bool) -> Result<Open> {
        self.go_on_trusting(size, if compare { Trust::Compare } else { Trust::Proven })
    }

    pub(crate) fn go_on_trusting(&self, size: u64, trust: Trust) -> Result<Open> {
        let text = self.map_text();
        if text.is_empty() {
            return self.begin(size);
        }
        let mut map = MapFile::parse(&text)?.map;
        map.cover(size)?;
        let (left, _) = Ledger::load::<String>(&self.state, &map)?;
        let state = Box::new(Arc::clone(&self.state));
        let ledger = Ledger::resume(state, self.save_map(), map, left, &"facts", trust)?;
        let sink = RawSink::resume(Durable::new(Arc::clone(&self.image)), size, &ledger.held())?;
        Ok(Open { ledger, sink })
    }
}

impl Open {
    /// One ascending pass.
    pub(crate) fn copy(&mut self, source: &mut dyn Source, tuning: Tuning) -> Result<Copied> {
        self.copy_with(source, tuning, &[], false, &Watch::new())
    }

    pub(crate) fn copy_with(
        &mut self,
        source: &mut dyn Source,
        tuning: Tuning,
        digests: &[Algorithm],
        retry: bool,
        watch: &Watch,
    ) -> Result<Copied> {
        let options = Options { retries: retry.into(), ..Options::default() };
        self.rescue(source, tuning, digests, options, watch)
    }

    /// Until a limit is reached.
    pub(crate) fn limited(&mut self, source: &mut dyn Source, limits: Limits) -> Copied {
        self.run(source, CALM, &[], Options::default(), limits, &Watch::new()).unwrap()
    }

    pub(crate) fn rescue(
        &mut self,
        source: &mut dyn Source,
        tuning: Tuning,
        digests: &[Algorithm],
        options: Options,
        watch: &Watch,
    ) -> Result<Copied> {
        self.run(source, tuning, digests, options, Limits::default(), watch)
    }

    fn run(
        &mut self,
        source: &mut dyn Source,
        tuning: Tuning,
        digests: &[Algorithm],
        options: Options,
        limits: Limits,
        watch: &Watch,
    ) -> Result<Copied> {
        let mut strategy = Rescue::new(source.geometry(), options);
        copy(Job {
            source,
            strategy: &mut strategy,
            sink: &mut self.sink,
            in_order: false,
            ledger: &mut self.ledger,
            digests,
            tuning,
            limits,
            watch,
        })
    }

    pub(crate) fn bad(&self) -> Extents {
        self.ledger.map().extents(Status::Bad)
    }

    /// Proves and finishes; the root of the tree.
    pub(crate) fn finish(self) -> String {
        self.finish_with(&[]).0
    }

    pub(crate) fn finish_with(self, digests: &[Algorithm]) -> (String, Vec<(Algorithm, String)>) {
        let Open { ledger, mut sink } = self;
        let (tree, digests) = ledger.prove(&sink, false, digests, &Watch::new()).unwrap();
        assert!(tree.is_consistent());
        sink.finish().unwrap();
        (tree.root.to_string(), digests)
    }
}

/// All bytes of a storage.
pub(crate) fn bytes(storage: &(impl ReadAt + ?Sized)) -> Vec<u8> {
    let mut bytes = vec![0; storage.size() as usize];
    storage.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// Says where two contents differ first, rather than printing megabytes.
#[track_caller]
pub(crate) fn assert_same(found: &[u8], expected: &[u8], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    if found == expected {
        // In one step: tests are not optimised.
        return;
    }
    if let Some(first) = found.iter().zip(expected).position(|(a, b)| a != b) {
        panic!("{what}: byte {first:#x} is {:#x}, not {:#x}", found[first], expected[first]);
    }
}

/// The content with zeros where it cannot be read.
pub(crate) fn without(mut content: Vec<u8>, bad: &Extents) -> Vec<u8> {
    for at in bad.iter() {
        content[at.offset as usize..at.end() as usize].fill(0);
    }
    content
}

/// The root of the tree, as it is defined and not as it is built.
pub(crate) fn plain_root(content: &[u8]) -> String {
    let hash = |context: &str, left: &[u8], right: &[u8]| {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(left);
        hasher.update(right);
        *hasher.finalize().as_bytes()
    };
    let mut level: Vec<[u8; 32]> =
        content.chunks(PIECE).map(|piece| *blake3::hash(piece).as_bytes()).collect();
    if level.is_empty() {
        level.push(*blake3::hash(b"").as_bytes());
    }
    while level.len() > 1 {
        let parent = |pair: &[[u8; 32]]| match pair {
            [left, right] => hash("ectype 2026-11-22 tree: parent of two nodes", left, right),
            _ => pair[0],
        };
        level = level.chunks(2).map(parent).collect();
    }
    let length = (content.len() as u64).to_le_bytes();
    let root = hash("ectype 2026-11-22 tree: root of a content", &level[0], &length);
    root.iter().map(|byte| format!("{byte:02x}")).collect()
}
