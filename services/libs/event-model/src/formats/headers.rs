//! A record's headers: by name, each at most once, as text.

/// Kafka allows a header more than once; where we read one, a repetition would be ambiguous and is refused.
pub(super) struct Headers<'a>(&'a [(String, Vec<u8>)]);

impl<'a> Headers<'a> {
    pub(super) fn new(headers: &'a [(String, Vec<u8>)]) -> Self {
        Self(headers)
    }

    /// The header's text. Names are compared without case, as HTTP bridges write them in any.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        let mut found = self.0.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let Some((_, value)) = found.next() else {
            return Ok(None);
        };
        if found.next().is_some() {
            return Err(format!("the header `{name}` is given twice"));
        }
        let text = std::str::from_utf8(value).map_err(|_| format!("the header `{name}` is not UTF-8"))?;
        Ok(Some(text))
    }

    /// As [`Self::text`], owned.
    pub(super) fn owned(&self, name: &str) -> Result<Option<String>, String> {
        self.text(name).map(|text| text.map(str::to_owned))
    }

    /// The content type without its parameters, in lower case.
    pub(super) fn media_type(&self) -> Option<String> {
        self.text("content-type").ok().flatten().map(media_type)
    }
}

/// A content type without its parameters, in lower case.
pub(super) fn media_type(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Whether data of this media type is JSON.
pub(super) fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
}
