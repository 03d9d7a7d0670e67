//! What a run leaves in its state, and what may be believed of it.

use super::*;
use crate::io::Content;
use crate::os::file::PlainFile;
use crate::watch::Watch;

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

#[test]
fn a_hole_is_asked_for_once_however_many_pieces_it_has() {
    use std::sync::atomic::{AtomicU64, Ordering};
    /// Zeros, which it tells at once, but for a piece in the midst of them.
    struct Hole(AtomicU64);
    const SIZE: u64 = 100_000 * PIECE;
    const DATA: Extent = Extent::new(30_000 * PIECE, PIECE);
    impl ReadAt for Hole {
        fn size(&self) -> u64 {
            SIZE
        }
        fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
            assert_eq!(offset, DATA.offset, "of a hole nothing is read");
            buf.fill(7);
            Ok(())
        }
        fn content_at(&self, offset: u64) -> std::io::Result<(Content, u64)> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(match offset {
                _ if DATA.contains(offset) => (Content::Data, DATA.end()),
                _ if offset < DATA.offset => (Content::Zero, DATA.offset),
                _ => (Content::Zero, SIZE),
            })
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = ledger(&dir.path().join("state"), SIZE);
    ledger.zero(Extent::between(0, DATA.offset)).unwrap();
    ledger.put(DATA, Some(tree::leaf(&vec![7; PIECE as usize])), 0).unwrap();
    ledger.zero(Extent::between(DATA.end(), SIZE)).unwrap();
    let hole = Hole(AtomicU64::new(0));
    let (tree, _) = ledger.prove(&hole, true, &[], &Watch::new()).unwrap();
    let none = Extents::new();
    ledger.check_recorded(&hole, &tree, &none, &Watch::new()).unwrap();
    ledger.check_some(&hole).unwrap();
    let asked = hole.0.load(Ordering::Relaxed);
    assert!(asked < 10, "{asked}");
}
