//! Power cuts one after the other: a resume frees what is not held, and the next cut meets slots that were used before.

use super::*;
use crate::engine::Dice;
use ectype_core::Extents;
use ectype_core::image::Image;
use ectype_testkit::TornDisk;

/// Puts random parts of `original`, with checkpoints; `held` is what the last one covered. An error is the power cut.
fn go_on(image: &mut dyn Image, original: &[u8], dice: &mut Dice, held: &mut Extents) -> Result<()> {
    let (size, mut put) = (original.len() as u64, held.clone());
    for step in 0..14 {
        let start = dice.below(size / 4096) * 4096;
        let at = Extent::new(start, (1 + dice.below(200)) * 4096).intersect(Extent::new(0, size));
        let bytes = &original[at.offset as usize..at.end() as usize];
        if bytes.iter().all(|byte| *byte == 0) {
            image.zero(at)?
        } else {
            image.put(at.offset, bytes)?
        }
        put.insert(at);
        if step % 5 == 4 {
            image.checkpoint()?;
            *held = put.clone();
        }
    }
    image.finish()
}

#[test]
fn cuts_after_cuts_are_survived() {
    let size = (6 << 20) + 512;
    let original = sample(17, size);
    for (seed, holes) in (0..150).map(|seed| (seed, seed % 3 != 0)) {
        let mut dice = Dice(seed);
        let case = Case::new(
            named("vhd").unwrap(),
            Spec { size, block: if seed % 2 == 0 { 512 << 10 } else { 2 << 20 }, ..Spec::default() },
        );
        let mut disk = if holes { MemoryDisk::new(0) } else { MemoryDisk::dense(0, 0) };
        let mut held = Extents::new();
        for life in 0..6 {
            let when = format!("seed {seed}, life {life}");
            let torn = Arc::new(TornDisk::new(disk).crash_after(3 + dice.below(60)));
            let ended = (|| {
                let mut image = match life {
                    0 => case.create(Arc::clone(&torn))?,
                    _ => case.resume(Arc::clone(&torn), &held)?,
                };
                let mut expected = vec![0; size as usize];
                for at in held.iter() {
                    let bytes = at.offset as usize..at.end() as usize;
                    expected[bytes.clone()].copy_from_slice(&original[bytes]);
                }
                assert_same(&content(&image), &padded(expected, image.size()), &when);
                go_on(&mut *image, &original, &mut dice, &mut held)
            })();
            assert_eq!(ended.is_err(), torn.crashed(), "{when}: {:?}", ended.err());
            disk = torn.survivors(seed * 31 + life);
        }
        let disk = Arc::new(disk);
        let mut image = case.resume(Arc::clone(&disk), &held).unwrap();
        feed(&mut *image, &original, Extent::new(0, size));
        image.finish().unwrap();
        drop(image);
        let opened = case.open(disk).unwrap();
        assert_same(&content(&opened), &padded(original.clone(), opened.size()), "in the end");
        assert_eq!(check(&*opened), Findings::default(), "seed {seed}");
    }
}

#[test]
fn another_image_is_not_gone_on_with() {
    let case = case(5 << 20, "dynamic");
    let stored = case.image_of(&sample(1, 5 << 20));
    let mut other = case.clone();
    other.spec.id = *b"another identity";
    let held: Extents = [Extent::new(0, 1 << 20)].into_iter().collect();
    let error = other.resume(stored.clone(), &held).err().unwrap();
    assert_eq!(error.kind(), Kind::Changed);
    // Two blocks that are held at one place contradict everything.
    let mut bytes = stored.into_bytes();
    bytes.copy_within(1536..1540, 1540);
    let held: Extents = [Extent::new(0, 5 << 20)].into_iter().collect();
    let error = case.resume(MemoryDisk::from(bytes), &held).err().unwrap();
    assert_eq!((error.kind(), error.offset()), (Kind::Corrupt, Some(1540)));
}
