//! Lists in pages, newest first. A cursor names the last row that was shown, so rows that are added meanwhile, which are
//! newer, neither repeat nor hide one.

use crate::error::ApiError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

const VERSION: &str = "1:";
const MAX_CURSOR_CHARS: usize = 400;
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

/// How many rows a page has: 1 to 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Limit(pub usize);

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_LIMIT)
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text
            .parse()
            .ok()
            .filter(|limit| is_plain && (1..=MAX_LIMIT).contains(limit));
        number
            .map(Self)
            .ok_or_else(|| format!("limit must be a whole number from 1 to {MAX_LIMIT}"))
    }
}

/// Where a page ended: the id of its last row. Opaque to callers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Cursor(pub String);

impl Cursor {
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{VERSION}{}", self.0))
    }
}

impl TryFrom<String> for Cursor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let decode = || {
            let plain = URL_SAFE_NO_PAD
                .decode(&text)
                .ok()
                .filter(|_| text.len() <= MAX_CURSOR_CHARS)?;
            let plain = String::from_utf8(plain).ok()?;
            let id = plain.strip_prefix(VERSION)?;
            (!id.is_empty()).then(|| Self(id.to_owned()))
        };
        decode().ok_or("this is no cursor of ours; send back `nextCursor` as it was answered, or leave it out")
    }
}

/// One page of rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub rows: Vec<T>,
    /// None on the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The first rows of what follows the cursor; `id` names a row.
    pub(crate) fn take(rows: impl Iterator<Item = T>, limit: Limit, id: impl Fn(&T) -> &str) -> Self {
        let mut rows: Vec<T> = rows.take(limit.0 + 1).collect();
        let next = if rows.len() > limit.0 {
            rows.truncate(limit.0);
            rows.last().map(|last| Cursor(id(last).to_owned()).encode())
        } else {
            None
        };
        Self { rows, next }
    }

    pub(crate) fn map<U>(self, show: impl FnMut(T) -> Result<U, ApiError>) -> Result<Page<U>, ApiError> {
        let rows = self.rows.into_iter().map(show).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: self.next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let ids = ["5", "4", "3", "2", "1"];
        let page = Page::take(ids.into_iter(), Limit(2), |id| id);
        assert_eq!(page.rows, ["5", "4"]);
        let cursor = Cursor::try_from(page.next.expect("there is more")).expect("it is ours");
        let rest = ids.into_iter().filter(|id| *id < cursor.0.as_str());
        let page = Page::take(rest, Limit(3), |id| id);
        assert_eq!((page.rows.as_slice(), page.next), (["3", "2", "1"].as_slice(), None));
    }

    #[test]
    fn limits_and_cursors_that_are_none_are_refused() {
        for text in ["0", "201", "-1", "+5", "", "1e1", "99999999999999999999999", "５", " 5"] {
            assert!(Limit::try_from(text.to_owned()).is_err(), "{text:?}");
        }
        assert_eq!(Limit::try_from("200".to_owned()), Ok(Limit(200)));
        let long = URL_SAFE_NO_PAD.encode(format!("1:{}", "x".repeat(400)));
        for text in ["", "!", "MTo", "d2hfMQ", "/w", &long] {
            assert!(Cursor::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
