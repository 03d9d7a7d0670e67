//! What a run leaves in its state, and what may be believed of it.

use super::*;
use crate::os::file::PlainFile;

const SECTOR: u64 = 2048;

fn ledger(state: &std::path::Path, size: u64) -> Ledger {
    let state = PlainFile::open_or_create(state).unwrap();
    Ledger::create(Box::new(state), Box::new(|_, _, _| Ok(())), size, &"facts").unwrap()
}

#[test]
fn a_leaf_of_the_longer_last_piece_is_not_believed_of_the_shorter_one() {
    let dir = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..PIECE + 9 * SECTOR).map(|index| (index % 251) as u8).collect();
    let (size, end) = (content.len() as u64, PIECE + 7 * SECTOR);
    let mut ledger = ledger(&dir.path().join("state"), size);
    let (first, last) = (Extent::new(0, PIECE), Extent::between(PIECE, size));
    for at in [first, last] {
        let leaf = tree::leaf(&content[at.offset as usize..at.end() as usize]);
        ledger.put(at, Some(leaf), 0).unwrap();
    }
    // The power went before the map told of the last sectors, which do not read again: they are run-out.
    ledger.status(Extent::between(end, size), Status::Bad, false);
    ledger.set_end(end).unwrap();
    let image = &content[..end as usize];
    let (tree, _) = ledger.prove(&image.to_vec(), true, &[], &Watch::new()).unwrap();
    let mut expected = TreeBuilder::new(end);
    image.chunks(PIECE as usize).for_each(|piece| expected.push(tree::leaf(piece)));
    assert_eq!(tree.root, expected.finish().root);
}

#[test]
fn what_was_never_written_takes_no_room_from_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let mut ledger = ledger(&path, 1 << 40);
    let places = |count: u64, from: u64| -> Extents {
        (0..count).map(|index| Extent::new(from + 2 * index * SECTOR, SECTOR)).collect()
    };
    let many = places(45_000, 1 << 34);
    (ledger.held_before, ledger.unwritten) = (many.clone(), places(5000, 1 << 38));
    ledger.checkpoint().unwrap();
    let state = PlainFile::open(&path).unwrap();
    let (left, _) = Ledger::load::<String>(&state, ledger.map()).unwrap();
    assert_eq!(left.held_before, many);
    assert!((1..MOST_UNWRITTEN).contains(&left.unwritten.count()), "{}", left.unwritten.count());
    // What is held alone may be too much.
    ledger.held_before = places(90_000, 1 << 34);
    assert_eq!(ledger.checkpoint().unwrap_err().kind(), Kind::Limit);
}
