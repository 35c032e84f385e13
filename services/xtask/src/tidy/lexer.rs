//! Just enough of Rust's lexical grammar to look at code without its comments and literals, and to find where an item
//! ends. It parses nothing: code that rustfmt accepts is assumed.

/// `source` with comments, strings and character literals blanked out; every byte and line stays where it was.
pub(super) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment_end(bytes, at);
        let Some(end) = end else {
            at += 1;
            continue;
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    // What is left outside of comments and literals is ASCII, or an identifier that no rule looks for.
    String::from_utf8_lossy(&code).into_owned()
}

/// Where the comment or literal that starts at `at` ends; none when something else is there.
fn literal_or_comment_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => Some(find(bytes, at, b"\n").unwrap_or(bytes.len())),
        b'/' if rest.starts_with(b"/*") => Some(block_comment_end(bytes, at)),
        b'"' => Some(string_end(bytes, at + 1)),
        b'r' if !follows_identifier(bytes, at) => raw_string_end(bytes, at),
        b'\'' => character_end(bytes, at),
        _ => None,
    }
}

/// `br"…"` and `cr"…"` start at their `r`, whose prefix doesn't make it part of a name.
fn follows_identifier(bytes: &[u8], at: usize) -> bool {
    let is_name = |at: usize| bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_';
    match at.checked_sub(1) {
        Some(before) if matches!(bytes[before], b'b' | b'c') => before > 0 && is_name(before - 1),
        Some(before) => is_name(before),
        None => false,
    }
}

fn find(bytes: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let found = bytes[from..]
        .windows(needle.len())
        .position(|window| window == needle)?;
    Some(from + found)
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
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
    at
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start + 1..].iter().take_while(|byte| **byte == b'#').count();
    let quote = start + 1 + hashes;
    if bytes.get(quote) != Some(&b'"') {
        return None;
    }
    let closing = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    Some(find(bytes, quote + 1, &closing).map_or(bytes.len(), |end| end + closing.len()))
}

/// A lifetime has no closing quote right after its first character; a literal has.
fn character_end(bytes: &[u8], start: usize) -> Option<usize> {
    let first = *bytes.get(start + 1)?;
    if first == b'\\' {
        // The escaped character itself may be a quote.
        return find(bytes, start + 3, b"'").map(|end| end + 1);
    }
    let length = match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    };
    (bytes.get(start + 1 + length) == Some(&b'\'')).then_some(start + length + 2)
}

/// The end of the item whose head starts at `at` in blanked code: after its closing brace, or after a semicolon when it
/// has no body. The second value tells whether it has a body.
pub(super) fn item_end(code: &str, at: usize) -> (usize, bool) {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (offset, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' if braces == 0 => brackets += 1,
            b')' | b']' if braces == 0 => brackets -= 1,
            b';' if brackets == 0 && braces == 0 => return (offset + 1, false),
            b'{' if brackets == 0 => braces += 1,
            b'}' if brackets == 0 => {
                braces -= 1;
                if braces == 0 {
                    return (offset + 1, true);
                }
            }
            _ => {}
        }
    }
    (code.len(), true)
}

/// The line, from 1, that byte `at` is on.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    //! What must not be mistaken for code.
    use super::*;

    fn blanked(source: &str) -> String {
        let code = code_only(source);
        assert_eq!(code.len(), source.len());
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_strings_go() {
        assert_eq!(blanked("a // {\nb /* { /* } */ { */ c"), "a b c");
        assert_eq!(blanked(r#"f("{ \" {", b"{", 'x')"#), "f( , b , )");
        assert_eq!(
            blanked("f(r#\"{ \" {\"#, br\"{\\\", for_r, r#type)"),
            "f( , b , for_r, r#type)"
        );
    }

    #[test]
    fn characters_go_and_lifetimes_stay() {
        assert_eq!(
            blanked(r"match '{' { '\'' | '\u{7b}' | 'é' => &'a x }"),
            "match { | | => &'a x }"
        );
    }

    #[test]
    fn items_end_at_their_brace_or_semicolon() {
        let code = "fn a(x: [u8; 4]) { if x { y } } fn b(); struct";
        assert_eq!(item_end(code, 0), (code.find(" fn b").expect("it is there"), true));
        let b = code.find("fn b").expect("it is there");
        assert_eq!(item_end(code, b), (code.find(" struct").expect("it is there"), false));
    }
}
