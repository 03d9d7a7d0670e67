//! Making a set, with a service that fails as a script says. The order of calls is the referee's business (tests/vss).

use super::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Which call fails how, in this order; and what was called.
#[derive(Default)]
struct Script {
    fails: Mutex<VecDeque<(&'static str, u32)>>,
    unsupported: Vec<&'static str>,
    writers: Mutex<VecDeque<Writer>>,
    calls: Mutex<Vec<String>>,
    room: Vec<(&'static str, u64)>,
    hangs: Option<Step>,
}

impl Script {
    fn call(&self, name: &str) -> Reply<()> {
        self.calls.lock().unwrap().push(name.to_owned());
        let mut fails = self.fails.lock().unwrap();
        match fails.front() {
            Some((call, code)) if *call == name => {
                let code = *code;
                fails.pop_front();
                Err(Code(code))
            }
            _ => Ok(()),
        }
    }

    fn count(&self, name: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| *call == name).count()
    }
}

#[derive(Clone)]
struct Scripted(Arc<Script>);

struct ScriptedStep(Arc<Script>, Step);

impl Pending for ScriptedStep {
    fn wait(&mut self, _: Duration) -> Reply<bool> {
        if self.0.hangs == Some(self.1) && self.0.count("Cancel") == 0 {
            return Ok(false);
        }
        self.0.call(name(self.1)).map(|()| true)
    }

    fn cancel(&mut self) -> Reply<()> {
        self.0.call("Cancel")
    }
}

impl Service for Scripted {
    fn requester(&self) -> Reply<Box<dyn Requester>> {
        self.0.call("Create")?;
        Ok(Box::new(self.clone()))
    }

    fn room(&self, volume: &str) -> Option<u64> {
        self.0.room.iter().find(|(name, _)| format!("{name}\\") == volume).map(|(_, room)| *room)
    }
}

impl Requester for Scripted {
    fn initialize(&mut self) -> Reply<()> {
        self.0.call("InitializeForBackup")
    }
    fn set_context(&mut self, _: Context) -> Reply<()> {
        self.0.call("SetContext")
    }
    fn set_state(&mut self) -> Reply<()> {
        self.0.call("SetBackupState")
    }
    fn begin(&mut self, step: Step) -> Reply<Box<dyn Pending>> {
        Ok(Box::new(ScriptedStep(Arc::clone(&self.0), step)))
    }
    fn free_metadata(&mut self) -> Reply<()> {
        self.0.call("FreeWriterMetadata")
    }
    fn writers(&mut self) -> Reply<Vec<Writer>> {
        Ok(self.0.writers.lock().unwrap().pop_front().into_iter().collect())
    }
    fn free_status(&mut self) -> Reply<()> {
        self.0.call("FreeWriterStatus")
    }
    fn start_set(&mut self) -> Reply<Id> {
        self.0.call("StartSnapshotSet").map(|()| Id(1))
    }
    fn is_supported(&mut self, volume: &str) -> Reply<bool> {
        Ok(!self.0.unsupported.iter().any(|name| format!("{name}\\") == volume))
    }
    fn add(&mut self, volume: &str) -> Reply<Id> {
        self.0.call("AddToSnapshotSet")?;
        self.0.call(&format!("add {volume}")).map(|()| Id(2))
    }
    fn properties(&mut self, id: Id) -> Reply<Snapshot> {
        self.0.call("GetSnapshotProperties")?;
        Ok(Snapshot { id, set: Id(1), device: "d".into(), volume: "v".into(), attributes: 0 })
    }
    fn list(&mut self) -> Reply<Vec<Snapshot>> {
        self.0.call("Query").map(|()| Vec::new())
    }
    fn delete(&mut self, _: Id) -> Reply<()> {
        self.0.call("DeleteSnapshots")
    }
    fn abort(&mut self) -> Reply<()> {
        self.0.call("AbortBackup")
    }
}

/// Waits pass at once.
#[derive(Default)]
struct Fast(Mutex<Duration>);

impl Clock for Fast {
    fn now(&self) -> Duration {
        let mut now = self.0.lock().unwrap();
        *now += Duration::from_millis(1);
        *now
    }

    fn sleep(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

fn made(script: Script, volumes: &[&str]) -> (Result<Made>, Arc<Script>, u64, Vec<String>) {
    let script = Arc::new(script);
    let (clock, told) = (Fast::default(), RefCell::new(Vec::new()));
    let volumes: Vec<String> = volumes.iter().map(|volume| (*volume).to_owned()).collect();
    let made = make(
        &volumes,
        Making {
            service: &Scripted(Arc::clone(&script)),
            clock: &clock,
            stop: &|| false,
            tell: &|text| told.borrow_mut().push(text),
            note: &mut |_| Ok(()),
        },
    );
    let minutes = clock.0.lock().unwrap().as_secs() / 60;
    (made, script, minutes, told.into_inner())
}

fn fails(list: &[(&'static str, u32)]) -> Script {
    Script { fails: Mutex::new(list.iter().copied().collect()), ..Script::default() }
}

#[test]
fn what_passes_is_tried_again_and_given_up_after_three_more() {
    const HOLD: (&str, u32) = ("DoSnapshotSet", 0x8004_2314);
    let (result, script, minutes, told) = made(fails(&[HOLD, HOLD, HOLD]), &["a"]);
    assert!(result.is_ok());
    assert_eq!((script.count("Create"), script.count("AbortBackup"), minutes, told.len()), (4, 3, 30, 3));
    assert!(told[0].contains("another try in 600 s (2 of 4)"), "{told:?}");
    let (result, script, ..) = made(fails(&[HOLD, HOLD, HOLD, HOLD]), &["a"]);
    let text = result.err().unwrap().to_string();
    assert!(text.contains("writes could not be held") && text.contains("DoSnapshotSet"), "{text}");
    assert_eq!((script.count("Create"), script.count("AbortBackup")), (4, 4));
    // Each kind is counted by itself.
    let (result, ..) = made(fails(&[HOLD, ("StartSnapshotSet", 0x8004_2316), HOLD, HOLD]), &["a"]);
    assert!(result.is_ok());
}

#[test]
fn who_has_least_room_is_left_out_first() {
    let script = Script {
        room: vec![("a", 900), ("b", 20), ("c", 500)],
        ..fails(&[("DoSnapshotSet", 0x8004_231f), ("DoSnapshotSet", 0x8004_231f)])
    };
    let (result, script, ..) = made(script, &["a", "b", "c"]);
    let made = result.unwrap();
    assert_eq!(made.left_out.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(made.set.as_ref().unwrap().snapshots.len(), 1);
    assert_eq!(script.count("add a\\"), 3);
}

#[test]
fn all_that_cannot_take_part_are_left_out_at_once() {
    let script = Script { unsupported: vec!["a", "c"], ..Script::default() };
    let (result, script, ..) = made(script, &["a", "b", "c"]);
    assert_eq!(result.unwrap().left_out.len(), 2);
    assert_eq!((script.count("Create"), script.count("AddToSnapshotSet")), (2, 1));
    let (result, ..) = self::made(Script { unsupported: vec!["a"], ..Script::default() }, &["a"]);
    let nobody = result.unwrap();
    assert!(nobody.set.is_none() && nobody.left_out[0].1.contains("kind of volume"));
}

#[test]
fn a_writer_of_other_disks_is_worth_a_line_and_one_that_fails_is_named() {
    let writer =
        |state, failure| Writer { name: "SqlServerWriter".into(), state, failure: Some(Code(failure)) };
    let script = Script::default();
    script.writers.lock().unwrap().push_back(writer(1, 0x8004_23f0));
    let (result, ..) = made(script, &["a"]);
    assert!(result.unwrap().notes[0].contains("volumes that are not part of this"));
    let script = Script::default();
    script.writers.lock().unwrap().push_back(writer(7, 0x8004_23f4));
    let (result, script, ..) = made(script, &["a"]);
    let error = result.err().unwrap();
    assert!(error.to_string().contains("\"SqlServerWriter\" failed when the backup was prepared"), "{error}");
    assert_eq!((script.count("DoSnapshotSet"), script.count("AbortBackup")), (0, 1));
}

#[test]
fn a_step_without_an_end_is_cancelled_and_named() {
    let script = Script { hangs: Some(Step::PrepareForBackup), ..Script::default() };
    let (result, script, minutes, _) = made(script, &["a"]);
    assert!(result.err().unwrap().to_string().contains("did not end PrepareForBackup"));
    assert_eq!((script.count("Cancel"), script.count("AbortBackup")), (1, 1));
    assert!((30..31).contains(&minutes), "{minutes}");
}
