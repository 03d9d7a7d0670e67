//! Just enough reading of Rust to hold rules against it: code without comments and strings, without tests, and its paths.

/// The source with comments and the insides of literals replaced by spaces; lines and offsets stay.
pub(crate) fn code_of(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !in_word(bytes, at) => match raw_string_end(bytes, at) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            },
            b'\'' => match char_end(bytes, at) {
                Some(end) => end,
                // A lifetime.
                None => {
                    at += 1;
                    continue;
                }
            },
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    // Only whole literals and comments were blanked, and they begin and end with ASCII.
    String::from_utf8_lossy(&code).into_owned()
}

/// Whether the byte before `at` belongs to the same word, other than the `b` and `c` before a string.
fn in_word(bytes: &[u8], at: usize) -> bool {
    let word = |at: usize| bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_';
    match at {
        0 => false,
        1 => word(0) && !matches!(bytes[0], b'b' | b'c'),
        _ => word(at - 1) && (word(at - 2) || !matches!(bytes[at - 1], b'b' | b'c')),
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length)
}

/// Block comments nest.
fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').count();
    let body = at + 1 + hashes;
    if bytes.get(body) != Some(&b'"') {
        return None;
    }
    let closing = [&b"\""[..], &b"#".repeat(hashes)].concat();
    let length = bytes[body + 1..].windows(closing.len()).position(|window| window == closing);
    Some(length.map_or(bytes.len(), |length| body + 1 + length + closing.len()))
}

/// The end of a character literal; nothing for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at + 1..];
    if rest.first() == Some(&b'\\') {
        // The escaped byte itself may be a quote.
        return rest.iter().skip(2).position(|&byte| byte == b'\'').map(|length| at + length + 4);
    }
    let text = std::str::from_utf8(&rest[..rest.len().min(5)]);
    let text = text.or_else(|error| std::str::from_utf8(&rest[..error.valid_up_to()])).ok()?;
    let first = text.chars().next()?;
    (rest.get(first.len_utf8()) == Some(&b'\'')).then(|| at + 2 + first.len_utf8())
}

/// The code (see [`code_of`]) without the items under `#[cfg(test)]`; lines stay.
pub(crate) fn without_tests(code: &str) -> String {
    let mut left = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = item_end(code.as_bytes(), start + "#[cfg(test)]".len());
        for byte in &mut left[start..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        from = end;
    }
    String::from_utf8_lossy(&left).into_owned()
}

/// The end of the item that begins at `at`: its `;`, or the brace that closes its body.
fn item_end(code: &[u8], at: usize) -> usize {
    let mut depth = 0;
    for (index, byte) in code.iter().enumerate().skip(at) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth <= 0 {
                    return index + 1;
                }
            }
            b';' if depth == 0 => return index + 1,
            _ => {}
        }
    }
    code.len()
}

/// Where `word` stands by itself in the code, as line numbers from 1.
pub(crate) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |at: usize| {
        !code[..at].chars().next_back().is_some_and(part)
            && !code[at + word.len()..].chars().next().is_some_and(part)
    };
    code.match_indices(word).filter(|(at, _)| alone(*at)).map(|(at, _)| line_of(code, at)).collect()
}

/// The line of an offset, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// What stands in parentheses after each `cfg`, `cfg!` or `cfg_attr`, with its line.
pub(crate) fn conditions(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for start in ["cfg(", "cfg!(", "cfg_attr("] {
        for (at, _) in code.match_indices(start) {
            let body = at + start.len();
            let mut depth = 1;
            let closed = code[body..].find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            found.push((line_of(code, at), &code[body..closed.map_or(code.len(), |length| body + length)]));
        }
    }
    found
}

/// The paths that follow `start` (`crate::`), with groups spelled out: line, and at most the first two names.
pub(crate) fn paths(code: &str, start: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let mut all = Vec::new();
        tree(&code[at + start.len()..], &[], &mut all);
        found.extend(all.into_iter().map(|path| (line_of(code, at), path)));
    }
    found
}

/// Reads one use tree; gives how long it is.
fn tree(text: &str, prefix: &[String], all: &mut Vec<Vec<String>>) -> usize {
    let space = |text: &str| text.len() - text.trim_start().len();
    let mut at = space(text);
    if text[at..].starts_with('{') {
        at += 1;
        loop {
            at += space(&text[at..]);
            match text[at..].chars().next() {
                None => return at,
                Some('}') => return at + 1,
                Some(',') => at += 1,
                Some(_) => {
                    let read = tree(&text[at..], prefix, all);
                    // Something that is no use tree: let the rest be.
                    if read == 0 {
                        return text.len();
                    }
                    at += read;
                }
            }
        }
    }
    let name: String =
        text[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*').collect();
    if name.is_empty() {
        return 0;
    }
    at += name.len();
    let mut path = prefix.to_vec();
    path.push(name);
    if text[at..].starts_with("::") {
        let read = tree(&text[at + 2..], &path, all);
        if read > 0 {
            return at + 2 + read;
        }
    } else if text[at..].trim_start().starts_with("as ") {
        // A new name does not matter.
        let rename = at + space(&text[at..]) + 3;
        at = rename + text[rename..].find([',', ';', '}']).unwrap_or(0);
    }
    path.truncate(2);
    all.push(path);
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_not_code() {
        let source = "let a = \"unsafe \\\" unsafe\"; // unsafe\n/* unsafe /* x */ unsafe */ let r = br#\"unsafe \" \"#;\nunsafe {}";
        let code = code_of(source);
        assert_eq!(code.len(), source.len());
        assert_eq!(lines_with(&code, "unsafe"), [3]);
        assert!(code.contains("let r = b"));
    }

    #[test]
    fn characters_and_lifetimes_differ() {
        let code = code_of("fn f<'a>(x: &'a str) { g('\"', '\\'', 'ä', b'/'); } // end");
        assert!(
            code.contains("fn f<'a>(x: &'a str)") && code.contains("); }") && !code.contains("end"),
            "{code}"
        );
    }

    #[test]
    fn tests_are_cut_out() {
        let code =
            without_tests("a();\n#[cfg(test)]\nmod tests { b(); { } }\nc();\n#[cfg(test)]\nmod t;\nd();");
        assert!(
            code.contains("a()") && code.contains("c()") && code.contains("d()") && !code.contains("b()")
        );
        assert!(!code.contains("mod t"));
    }

    #[test]
    fn groups_of_paths_are_spelled_out() {
        let code = "use crate::{io::{ReadAt, Window}, plan::map::Map, extent};\nlet x: crate::error::Error = crate::Kind::Io;";
        let found: Vec<String> = paths(code, "crate::")
            .into_iter()
            .map(|(line, path)| format!("{line} {}", path.join("::")))
            .collect();
        let all = ["1 io::ReadAt", "1 io::Window", "1 plan::map", "1 extent", "2 error::Error", "2 Kind::Io"];
        assert_eq!(found, all);
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(lines_with("unsafe_code\nx.unsafe\n", "unsafe"), [2]);
        assert_eq!(
            conditions("#[cfg(all(unix, not(test)))]\nif cfg!(windows) {}")[0],
            (1, "all(unix, not(test))")
        );
    }
}
