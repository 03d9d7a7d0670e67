//! What is made of maps, with ddrescuelog as referee: it has the same operations.

use crate::referee::tool;
use ectype_core::extent::{Extent, Extents};
use ectype_core::plan::map::{
    BitOrder, Bitmap, Header, Listed, MapFile, RescueMap, Status, numbers, read_bitmap, read_numbers,
};
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// ddrescuelog in a folder of its own.
struct Referee {
    ddrescuelog: PathBuf,
    folder: TempDir,
}

impl Referee {
    fn new() -> Option<Referee> {
        Some(Referee { ddrescuelog: tool("ddrescuelog")?, folder: TempDir::new().unwrap() })
    }

    fn holds(&self, name: &str, map: &RescueMap) {
        let text = MapFile::new(map.clone()).to_text(&Header::default());
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn runs(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(&self.ddrescuelog)
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It need not read to the end of what it does not want.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// The map that it prints.
    fn makes(&self, arguments: &[&str]) -> RescueMap {
        let output = self.runs(arguments, b"");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        MapFile::parse(&output.stdout).unwrap().map
    }
}

const SIZE: u64 = 1 << 16;

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(&Status::ALL)
}

/// A map of one size, so that both programs have the same bytes to speak of.
fn map() -> impl Strategy<Value = RescueMap> {
    prop::collection::vec((0..SIZE, 1..SIZE / 4, status()), 0..25).prop_map(|sets| {
        let mut map = RescueMap::new(SIZE);
        for (offset, len, status) in sets {
            map.set(Extent::new(offset, len), status);
        }
        map
    })
}

fn everything() -> Extents {
    Extents::everything()
}

/// ddrescuelog takes of the second map only what is finished: the rest of it made one status.
fn flat(map: &RescueMap, status: Status) -> RescueMap {
    map.change(&everything(), |old| if old == Status::Finished { old } else { status })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn merged_as_ddrescuelog_merges(a in map(), b in map()) {
        let Some(referee) = Referee::new() else { return Ok(()) };
        referee.holds("a", &a);
        referee.holds("b", &b);
        prop_assert_eq!(a.xor(&b), referee.makes(&["-x", "b", "a"]));
        prop_assert_eq!(a.intersect(&flat(&b, Status::Bad)), referee.makes(&["-y", "b", "a"]));
        prop_assert_eq!(a.union(&flat(&b, Status::NonTried)), referee.makes(&["-z", "b", "a"]));
        // Whatever else they say, the same bytes are finished.
        let finished = |map: &RescueMap| map.extents(Status::Finished);
        prop_assert_eq!(finished(&a.intersect(&b)), finished(&referee.makes(&["-y", "b", "a"])));
        prop_assert_eq!(finished(&a.union(&b)), finished(&referee.makes(&["-z", "b", "a"])));
        referee.holds("not b", &referee.makes(&["-n", "b"]));
        prop_assert_eq!(a.difference(&b), referee.makes(&["-y", "not b", "a"]));
    }

    #[test]
    fn compared_as_ddrescuelog_compares(a in map(), b in map(), offset in 0..SIZE, size in 1..SIZE) {
        let Some(referee) = Referee::new() else { return Ok(()) };
        // A merged map differs in some domains and not in others.
        let c = a.replaced(&[Extent::new(offset, size)].into_iter().collect(), &b);
        referee.holds("a", &a);
        referee.holds("c", &c);
        let (i, s) = (format!("-i{}", size / 2), format!("-s{offset}"));
        let domain: Extents = [Extent::new(size / 2, offset)].into_iter().collect();
        for (option, finished) in [("-p", false), ("-P", true)] {
            let all = referee.runs(&[option, "c", "a"], b"").status.success();
            prop_assert_eq!(a.differences(&c, &everything(), finished).is_empty(), all);
            let part = referee.runs(&[&i, &s, option, "c", "a"], b"").status.success();
            prop_assert_eq!(a.differences(&c, &domain, finished).is_empty(), part || offset == 0);
        }
    }

    #[test]
    fn changed_as_ddrescuelog_changes(
        a in map(), b in map(), offset in 0..SIZE, size in 1..SIZE, new in prop::collection::vec(status(), 5),
    ) {
        let Some(referee) = Referee::new() else { return Ok(()) };
        referee.holds("a", &a);
        referee.holds("b", &b);
        let (i, s) = (format!("-i{offset}"), format!("-s{size}"));
        let range: Extents = [Extent::new(offset, size)].into_iter().collect();
        let signs: String = new.iter().map(|status| status.sign()).collect();
        let types = format!("?*/-+,{signs}");
        let changed = |domain: &Extents| a.change(domain, |old| new[old as usize]);
        prop_assert_eq!(changed(&everything()), referee.makes(&["-a", &types, "a"]));
        prop_assert_eq!(changed(&range), referee.makes(&[&i, &s, "-a", &types, "a"]));
        prop_assert_eq!(a.invert(&everything()), referee.makes(&["-n", "a"]));
        let domain = b.extents(Status::Finished);
        if !domain.is_empty() {
            prop_assert_eq!(a.invert(&domain), referee.makes(&["-m", "b", "-n", "a"]));
        }
        let (by, back) = (format!("-o{offset}"), format!("-i{offset}"));
        let by_offset = i64::try_from(offset).unwrap();
        prop_assert_eq!(a.shift(by_offset), referee.makes(&["--shift", "-i0", &by, "a"]));
        prop_assert_eq!(a.shift(-by_offset), referee.makes(&["--shift", &back, "-o0", "a"]));
    }

    #[test]
    fn completed_as_ddrescuelog_completes(
        lines in prop::collection::vec((0..40_u64, 1..12_u64, status()), 1..8), fill in status(),
    ) {
        let Some(referee) = Referee::new() else { return Ok(()) };
        let line = |(offset, len, status): &(u64, u64, Status)| {
            format!("{} {} {}\n", offset * 512, len * 512, status.sign())
        };
        let text = format!("7 * 2\n{}", lines.iter().map(line).collect::<String>());
        fs::write(referee.folder.path().join("a"), &text).unwrap();
        let theirs = referee.runs(&[&format!("-C{}", fill.sign()), "a"], b"");
        let ours = MapFile::parse_loose(text.as_bytes(), fill);
        prop_assert_eq!(ours.is_ok(), theirs.status.success(), "{}", text);
        if let Ok(file) = ours {
            // Theirs goes on to the end of space with any fill but the non-tried.
            let theirs = MapFile::parse(&theirs.stdout).unwrap();
            prop_assert_eq!(&file.map, &theirs.map.complete(file.map.size(), fill, true).unwrap());
            prop_assert_eq!(
                (file.current_pos, file.current_status, file.current_pass),
                (theirs.current_pos, theirs.current_status, theirs.current_pass)
            );
        }
    }

    #[test]
    fn blocks_are_listed_and_read_as_ddrescuelog_does(
        a in map(), seen in status(), block_size in prop::sample::select(&[1_u64, 300, 512, 2048, 4096]),
        cut in 1..SIZE, listed in status(), others in status(),
    ) {
        let Some(referee) = Referee::new() else { return Ok(()) };
        // It refuses a list that tells nothing.
        prop_assume!(listed != others);
        referee.holds("a", &a);
        let l = format!("-l{}", seen.sign());
        let b = format!("-b{block_size}");
        let extents = a.extents(seen);
        let list = referee.runs(&[&l, &b, "a"], b"").stdout;
        let ours: String =
            numbers(&extents, block_size).unwrap().into_iter().flatten().map(|block| format!("{block}\n")).collect();
        prop_assert_eq!(&ours, &String::from_utf8(list.clone()).unwrap());

        let rule = Listed { block_size, listed, others };
        let c = format!("-c{}{}", listed.sign(), others.sign());
        // A last block that is cut off is none to it; to us what is left of it is listed.
        let cut = (cut - cut % block_size).max(block_size);
        let s = format!("-s{cut}");
        let made = |form: &str, input: &[u8]| {
            let output = referee.runs(&[&c, &b, &s, "-F", form, "-"], input);
            (output.status.success(), MapFile::parse(&output.stdout).map(|file| file.map).ok())
        };
        let (success, map) = made("list", &list);
        prop_assert!(success);
        prop_assert_eq!(Some(read_numbers(&list, cut, rule).unwrap()), map);
        for (form, order) in [("bitmap-le", BitOrder::Low), ("bitmap-be", BitOrder::High)] {
            let theirs = referee.runs(&[&l, &b, "-F", form, "a"], b"").stdout;
            let mut ours = Vec::new();
            Bitmap::new(&extents, a.size(), block_size, order).unwrap().write(&mut ours).unwrap();
            prop_assert_eq!(&ours, &theirs, "{}", form);
            let (success, map) = made(form, &theirs);
            prop_assert!(success);
            prop_assert_eq!(Some(read_bitmap(&theirs, order, Some(cut), rule)), map, "{}", form);
        }
    }

    #[test]
    fn done_is_done_to_ddrescuelog_too(a in map(), offset in 0..SIZE, size in 1..SIZE / 8) {
        let Some(referee) = Referee::new() else { return Ok(()) };
        referee.holds("a", &a);
        let domain: Extents = [Extent::new(offset, size)].into_iter().collect();
        let done = a.within(&domain).all(|run| run.1 == Status::Finished);
        let theirs = referee.runs(&[&format!("-i{offset}"), &format!("-s{size}"), "-D", "a"], b"");
        prop_assert_eq!(done, theirs.status.success());
    }
}
