//! From a body to the texts of its events: one JSON object, an array of them, or JSON lines.

use super::wrong_count;
use crate::error::ApiError;
use serde_json::value::RawValue;

/// Most events of a batch.
const MAX_EVENTS: usize = 1000;

/// The texts of a body's events, not read yet.
#[derive(Debug, PartialEq)]
pub(super) enum Body<'a> {
    One(&'a str),
    /// An error is that of one line.
    Many(Vec<Result<&'a str, ApiError>>),
}

/// # Errors
/// 400 when it can't be told where an event begins and ends, or when there are none or too many.
pub(super) fn split(body: &[u8], are_lines: bool) -> Result<Body<'_>, ApiError> {
    if are_lines {
        return lines(body).map(Body::Many);
    }
    let text = std::str::from_utf8(body).map_err(|error| not_utf8(error.valid_up_to()))?;
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    if !trimmed.starts_with('[') {
        return Ok(Body::One(trimmed));
    }
    let items: Vec<&RawValue> = serde_json::from_str(trimmed)
        .map_err(|error| ApiError::invalid("", format!("the body is not a JSON array: {error}")))?;
    if !(1..=MAX_EVENTS).contains(&items.len()) {
        return Err(wrong_count(items.len(), MAX_EVENTS));
    }
    Ok(Body::Many(items.into_iter().map(|item| Ok(item.get())).collect()))
}

/// Blank lines are none.
fn lines(body: &[u8]) -> Result<Vec<Result<&str, ApiError>>, ApiError> {
    let filled = body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.iter().all(u8::is_ascii_whitespace));
    let count = filled.clone().count();
    if !(1..=MAX_EVENTS).contains(&count) {
        return Err(wrong_count(count, MAX_EVENTS));
    }
    let read = |line| std::str::from_utf8(line).map_err(|error| not_utf8(error.valid_up_to()));
    Ok(filled.map(read).collect())
}

fn not_utf8(at: usize) -> ApiError {
    ApiError::invalid("", format!("it is not UTF-8, at byte {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_split_into_its_events_byte_for_byte() {
        assert_eq!(split(b" {\"a\": 1.0 }\n", false), Ok(Body::One("{\"a\": 1.0 }")));
        let array = split(b"[{\"a\": 1.0 },2]", false);
        assert_eq!(array, Ok(Body::Many(vec![Ok("{\"a\": 1.0 }"), Ok("2")])));
        let Ok(Body::Many(lines)) = split(b"{}\r\n\n \xff\n{\"b\":[]}", true) else {
            panic!("lines")
        };
        assert_eq!((&lines[0], &lines[2]), (&Ok("{}\r"), &Ok("{\"b\":[]}")));
        assert!(lines.len() == 3 && lines[1].is_err());
    }

    #[test]
    fn nothing_too_much_and_what_has_no_end_are_refused() {
        assert!(split(b"[]", false).is_err() && split(b"\n\n", true).is_err());
        assert!(split(b"[{}", false).is_err() && split(b"[{}]x", false).is_err() && split(b"\xff", false).is_err());
        let many = "{}\n".repeat(MAX_EVENTS);
        assert!(split(many.as_bytes(), true).is_ok());
        assert!(split(format!("{many}{{}}").as_bytes(), true).is_err());
    }
}
