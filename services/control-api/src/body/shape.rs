//! What JSON's grammar allows and this API doesn't: a body that is no object, a key twice in one object (two readers would
//! see two values), and nesting that nothing here needs.

use crate::error::ApiError;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::{collections::HashSet, fmt, marker::PhantomData};

/// Deepest nesting of arrays and objects.
const MAX_DEPTH: usize = 64;

/// Checks a whole body.
///
/// # Errors
/// 400, with the path of what is wrong.
pub(super) fn check(text: &str) -> Result<(), ApiError> {
    let trimmed = text.trim_start_matches([' ', '\t', '\r', '\n']);
    let mut json = serde_json::Deserializer::from_str(text);
    let (mut path, mut track) = (None, serde_path_to_error::Track::new());
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let mut found = Value { depth: 0 }.deserialize(tracked);
    if found.is_err() {
        path = Some(track.path().to_string()).filter(|path| path != "." && path != "?");
    } else {
        found = json.end();
    }
    match found {
        Err(error) => {
            let path = path.unwrap_or_default();
            Err(ApiError::invalid(
                path,
                format!("the body is not JSON that is taken here: {error}"),
            ))
        }
        Ok(()) if !trimmed.starts_with('{') => Err(ApiError::invalid("", "the body must be a JSON object")),
        Ok(()) => Ok(()),
    }
}

/// Any JSON, which is looked at and not kept.
#[derive(Clone, Copy)]
struct Value {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl Value {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nested more than {MAX_DEPTH} deep")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let mut keys = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if keys.contains(&key) {
                // Here the path names the key.
                return members.next_value_seed(Twice);
            }
            keys.insert(key);
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

struct Twice;

impl<'de> DeserializeSeed<'de> for Twice {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        IgnoredAny::deserialize(from)?;
        Err(D::Error::custom("an object has this key twice"))
    }
}

/// A struct from an object alone.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    struct Members<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }
    from.deserialize_map(Members(PhantomData))
}

pub(super) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        object(from).map(Self)
    }
}
