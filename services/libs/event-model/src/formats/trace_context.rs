//! W3C Trace Context, version 00 and what later versions keep of it. An invalid `traceparent` is as good as none.

/// The value, when it is a valid `traceparent`.
pub(super) fn valid(value: &str) -> Option<String> {
    let bytes = value.as_bytes();
    let dashes_only_at = |at: usize| matches!(at, 2 | 35 | 52);
    let shape = bytes.len() == 55
        && bytes.iter().enumerate().all(|(at, b)| match dashes_only_at(at) {
            true => *b == b'-',
            false => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        });
    let usable = shape && &value[..2] != "ff" && value[3..35] != *"0".repeat(32) && value[36..52] != *"0".repeat(16);
    usable.then(|| value.to_owned())
}
