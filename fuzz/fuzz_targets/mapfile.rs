//! Mapfiles: whatever is accepted is a map without gaps that is written and read back as itself, and what is made of it
//! keeps its bytes.
#![no_main]

use ectype_core::plan::map::{Header, MapFile, Status};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let loose = MapFile::parse_loose(text, Status::NonTried);
    let Ok(file) = MapFile::parse(text) else { return };
    let loose = loose.expect("what is contiguous is accepted loosely").map;
    assert!(
        loose.union(&file.map) == loose
            && file.map.differences(&loose, &file.map.extents(Status::Finished), true).is_empty()
    );
    let mut end = file.map.extent().offset;
    for (at, _) in file.map.runs() {
        assert_eq!(at.offset, end);
        end = at.end();
    }
    let again = MapFile::parse(file.to_text(&Header::default()).as_bytes()).expect("what we write we read");
    assert_eq!(again.map, file.map);
});
