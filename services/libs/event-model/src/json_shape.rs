//! What JSON's grammar allows and Hookline does not: an object with a key twice (two readers would see two different
//! values, so one of them could be let past a resource scope) and nesting that receivers' parsers refuse.
//!
//! Works on the text, so that numbers and escapes that some parsers refuse still pass as they are.

use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashSet};

/// Deepest nesting of arrays and objects in an event's data.
pub(crate) const MAX_DEPTH: usize = 100;

/// Checks a value that is known to be JSON; says what is wrong and where (byte of the value).
pub(crate) fn check(json: &RawValue) -> Result<(), String> {
    let text = json.get();
    let bytes = text.as_bytes();
    let mut keys: HashSet<(usize, Cow<'_, str>)> = HashSet::new();
    let mut open: Vec<Level> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                if open.len() == MAX_DEPTH {
                    return Err(format!("nested more than {MAX_DEPTH} deep, at byte {at}"));
                }
                open.push(Level {
                    start: at,
                    is_object: byte == b'{',
                    expects_key: byte == b'{',
                });
            }
            b'}' | b']' => {
                open.pop();
            }
            b',' => {
                if let Some(level) = open.last_mut() {
                    level.expects_key = level.is_object;
                }
            }
            b'"' => {
                let end = string_end(bytes, at);
                if let Some(level) = open.last_mut().filter(|level| level.expects_key) {
                    level.expects_key = false;
                    let key = unescaped(&text[at..end]);
                    if !keys.insert((level.start, key)) {
                        return Err(format!(
                            "an object has the key {} twice, at byte {at}",
                            shown(&text[at..end])
                        ));
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

struct Level {
    /// Where it begins: tells its keys from those of other objects.
    start: usize,
    is_object: bool,
    expects_key: bool,
}

/// One past the closing quote of the string that opens at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The string's meaning; its text when the escapes have none (a lone surrogate).
fn unescaped(quoted: &str) -> Cow<'_, str> {
    if quoted.contains('\\') {
        serde_json::from_str::<String>(quoted).map_or(Cow::Borrowed(quoted), Cow::Owned)
    } else {
        Cow::Borrowed(&quoted[1..quoted.len() - 1])
    }
}

fn shown(quoted: &str) -> String {
    quoted.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdict(text: &str) -> Result<(), String> {
        check(serde_json::from_str::<&RawValue>(text).expect("the test's own JSON"))
    }

    #[test]
    fn a_key_twice_is_found_wherever_it_is() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"c":[{"d":1,"e":2,"d":3}]}}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"[{},{"x":"","x":""}]"#,
            r#"{"a":"{\"b\":1","a":0}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert!(verdict(text).expect_err(text).contains("twice"), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_key_twice_passes() {
        for text in [
            r#"{"a":{"a":{"a":1}},"b":{"a":1}}"#,
            r#"{"a":"a","b":["a","a"]}"#,
            r#"[{"a":1},{"a":1}]"#,
            r#"{"a":"\"a\":1,\"a\":2","b":1e400,"c":"\ud800","\\":1,"\"":2}"#,
            "\"x\"",
            "1.0",
        ] {
            assert_eq!(verdict(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(verdict(&nested(MAX_DEPTH)), Ok(()));
        assert!(verdict(&nested(MAX_DEPTH + 1)).is_err());
        assert!(verdict(&nested(100_000)).is_err());
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("1.0".to_owned()),
            Just("null".to_owned()),
            r#""[a-c\\{}]{0,3}""#.prop_map(|s| { serde_json::to_string(s.trim_matches('"')).expect("a string") })
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
                prop::collection::vec(("[a-d]", inner), 0..4).prop_map(|members| {
                    let members: Vec<_> = members.iter().map(|(k, v)| format!("\"{k}\": {v}")).collect();
                    format!("{{ {} }}", members.join(","))
                }),
            ]
        })
    }

    /// The same question put to serde, by a visitor that builds nothing.
    struct Strict;
    impl<'de> serde::Deserialize<'de> for Strict {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Strict;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("JSON")
                }
                fn visit_unit<E>(self) -> Result<Strict, E> {
                    Ok(Strict)
                }
                fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
                    Ok(Strict)
                }
                fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
                    Ok(Strict)
                }
                fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
                    while seq.next_element::<Strict>()?.is_some() {}
                    Ok(Strict)
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                    let mut keys = HashSet::new();
                    while let Some((key, _)) = map.next_entry::<String, Strict>()? {
                        if !keys.insert(key) {
                            return Err(serde::de::Error::custom("twice"));
                        }
                    }
                    Ok(Strict)
                }
            }
            from.deserialize_any(Visitor)
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_visitor(text in json()) {
            let expected = serde_json::from_str::<Strict>(&text).is_ok();
            prop_assert_eq!(verdict(&text).is_ok(), expected, "{}", text);
        }
    }
}
