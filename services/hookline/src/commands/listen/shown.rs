//! A received request as it is shown. Terminals obey control characters: those of strangers are replaced.

use super::verdict::Verdict;
use crate::output;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    received_at: String,
    method: String,
    path: String,
    /// Null: nothing to verify with was given.
    verified: Option<bool>,
    schemes: Vec<&'static str>,
    reason: Option<String>,
    /// What was answered.
    status: u16,
    headers: BTreeMap<String, String>,
    /// JSON where it is, else text.
    body: Value,
    #[serde(skip)]
    body_text: String,
}

impl Shown {
    pub fn new(
        now_ms: i64,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
        verdict: &Verdict,
        status: StatusCode,
    ) -> Self {
        let (verified, schemes, reason) = match verdict {
            Verdict::Unchecked => (None, Vec::new(), None),
            Verdict::Verified(schemes) => (Some(true), schemes.clone(), None),
            Verdict::Refused(reason) => (Some(false), Vec::new(), Some(reason.clone())),
        };
        let mut all = BTreeMap::<String, String>::new();
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            all.entry(name.as_str().to_owned())
                .and_modify(|known| *known = format!("{known}, {value}"))
                .or_insert_with(|| value.into_owned());
        }
        let body_text = String::from_utf8_lossy(body).into_owned();
        Self {
            received_at: output::time(now_ms),
            method: method.to_string(),
            path: uri.to_string(),
            verified,
            schemes,
            reason,
            status: status.as_u16(),
            headers: all,
            body: serde_json::from_slice(body).unwrap_or_else(|_| Value::String(body_text.clone())),
            body_text,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let verdict = match (self.verified, &self.reason) {
            (Some(true), _) => format!("verified ({})", self.schemes.join(", ")),
            (Some(false), reason) => format!("NOT VERIFIED: {}", reason.as_deref().unwrap_or_default()),
            (None, _) => "not checked".to_owned(),
        };
        let Self {
            received_at,
            method,
            path,
            status,
            ..
        } = self;
        let mut text = format!("{received_at}  {method} {path}  {status}  {verdict}\n");
        for (name, value) in &self.headers {
            writeln!(text, "  {name}: {value}").expect("a String takes everything");
        }
        if !self.body_text.is_empty() {
            writeln!(text, "\n{}", self.body_text).expect("a String takes everything");
        }
        printable(&text)
    }
}

fn printable(text: &str) -> String {
    let replaced = |c: char| {
        if c.is_control() && c != '\n' && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(replaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &[u8], verdict: &Verdict) -> Shown {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "dlv_1".parse().expect("a value"));
        let uri = Uri::from_static("/hooks?x=1");
        Shown::new(0, &Method::POST, &uri, &headers, body, verdict, StatusCode::OK)
    }

    #[test]
    fn a_line_of_json_says_everything() {
        let shown = shown(br#"{"n":1}"#, &Verdict::Verified(vec!["v1"]));
        let value = serde_json::to_value(&shown).expect("it is JSON");
        assert_eq!((&value["verified"], &value["body"]["n"]), (&true.into(), &1.into()));
        assert_eq!(value["headers"]["webhook-id"], "dlv_1");
        assert!(
            shown.text().contains("POST /hooks?x=1  200  verified (v1)"),
            "{}",
            shown.text()
        );
    }

    #[test]
    fn a_stranger_does_not_steer_the_terminal() {
        let shown = shown(b"\x1b[2J\nplain", &Verdict::Refused("why".to_owned()));
        let text = shown.text();
        assert!(
            !text.contains('\x1b') && text.contains("plain") && text.contains("NOT VERIFIED: why"),
            "{text}"
        );
    }
}
