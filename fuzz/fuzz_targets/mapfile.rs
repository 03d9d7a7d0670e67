//! Mapfiles: whatever is accepted is a map without gaps that is written and read back as itself.
#![no_main]

use ectype_core::plan::map::{Header, MapFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(file) = MapFile::parse(text) else { return };
    let mut end = file.map.extent().offset;
    for (at, _) in file.map.runs() {
        assert_eq!(at.offset, end);
        end = at.end();
    }
    let again = MapFile::parse(file.to_text(&Header::default()).as_bytes()).expect("what we write we read");
    assert_eq!(again.map, file.map);
});
