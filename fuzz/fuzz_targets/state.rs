//! State files and records: refused or understood, never a panic.
#![no_main]

use ectype_core::plan::map::RescueMap;
use ectype_core::proof::ledger::Ledger;
use ectype_core::proof::record::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let map = RescueMap::new(10 << 20);
    let state = input.to_vec();
    let _ = Ledger::load::<serde_json::Value>(&state, &map);
    let _ = Record::parse(input);
});
