//! `Idempotency-Key`: a POST that is repeated with the same key and body is applied once and answered the same, by whichever
//! replica. The key becomes the ledger request's id, and the answer travels with the request, encrypted: the clerk keeps the
//! first one's (see docs/adr/0011).

use crate::{answer::Answer, error::ApiError, state::Api};
use axum::extract::FromRequestParts;
use http::request::Parts;
use ledger::{Entity, Keyring, WriteError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(crate) const HEADER: &str = "idempotency-key";
const MAX_CHARS: usize = 255;
/// The field that answers are sealed for.
const FIELD: &str = "answer";

/// The header, when it was sent: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone)]
pub(crate) struct IdempotencyKey(Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        let text = value.to_str().ok().filter(|text| {
            let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
            (1..=MAX_CHARS).contains(&text.len()) && is_visible && values.next().is_none()
        });
        let text = text.ok_or_else(|| {
            ApiError::invalid(
                HEADER,
                format!("it must be 1 to {MAX_CHARS} visible ASCII characters, and be sent once"),
            )
        })?;
        Ok(Self(Some(text.to_owned())))
    }
}

impl IdempotencyKey {
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// One POST, as it may be repeated.
#[derive(Debug)]
pub(crate) struct Once {
    request_id: String,
    /// Whose it is: part of what answers are sealed for.
    scope: String,
    body: String,
    is_keyed: bool,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// SHA-256 of the request's body, hex.
    body: String,
    answer: Answer,
}

/// Tries of one change while others change the same thing, each under a request id of its own.
pub(crate) const TRIES: usize = 30;

/// What became of one try.
pub(crate) enum Tried {
    Answered(Answer),
    /// The entity has another version by now.
    Conflict,
}

impl Once {
    /// `scope`: the tenant, or what else keys are told apart by; `route` with the ids in its path.
    pub(crate) fn new(key: IdempotencyKey, scope: &str, route: &str, body_sha256: [u8; 32]) -> Self {
        let request_id = match &key.0 {
            None => ulid::Ulid::new().to_string(),
            Some(key) => {
                let mut hash = Sha256::new();
                for part in [scope, route, key] {
                    // The length first: where one part ends matters.
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part.as_bytes());
                }
                format!("once-{}", hex::encode(hash.finalize()))
            }
        };
        Self {
            request_id,
            scope: scope.to_owned(),
            body: hex::encode(body_sha256),
            is_keyed: key.0.is_some(),
        }
    }

    pub(crate) fn is_keyed(&self) -> bool {
        self.is_keyed
    }

    /// A change that can't be repeated by a key.
    pub(crate) fn unkeyed() -> Self {
        Self::new(IdempotencyKey(None), "", "", [0; 32])
    }

    /// The ledger request of the `nth` try, from 0: a repeat goes through the same ones.
    fn request_id(&self, nth: usize) -> String {
        match nth {
            0 => self.request_id.clone(),
            nth => format!("{}/{nth}", self.request_id),
        }
    }

    /// Tells this request and its repeats from all others, the body included.
    pub(crate) fn fingerprint(&self) -> String {
        let hash = Sha256::digest(format!("{}/{}", self.request_id, self.body));
        hex::encode(&hash[..12])
    }

    fn seal(&self, keyring: &Keyring, answer: &Answer) -> Option<Vec<u8>> {
        let kept = Kept {
            body: self.body.clone(),
            answer: answer.clone(),
        };
        let plain = serde_json::to_vec(&kept).ok()?;
        Some(keyring.seal(&plain, &self.scope, &self.request_id, FIELD))
    }

    /// The first request's answer; 409 when that had another body.
    fn open(&self, keyring: &Keyring, sealed: &[u8]) -> Result<Answer, ApiError> {
        let opened = keyring.open(sealed, &self.scope, &self.request_id, FIELD);
        let kept = opened
            .ok()
            .and_then(|plain| serde_json::from_slice::<Kept>(&plain).ok());
        let Some(Kept { body, answer }) = kept else {
            return Err(ApiError::conflict(
                "this Idempotency-Key was used already, and its answer can't be read any more; use another",
            ));
        };
        if body == self.body {
            Ok(answer)
        } else {
            Err(ApiError::conflict(
                "this Idempotency-Key was used already with another body; use another key for another request",
            ))
        }
    }
}

impl Api {
    /// Asks the clerk once for a change that must find the entity at version `expected` (0: it must not exist). `answer` is
    /// what to say when it is made; a repeat is answered as the first request was.
    pub(crate) async fn put(
        &self,
        once: &Once,
        nth: usize,
        entity: Entity,
        expected: i64,
        answer: Answer,
    ) -> Result<Tried, ApiError> {
        let sealed = once.is_keyed.then(|| once.seal(&self.keyring, &answer)).flatten();
        let request_id = once.request_id(nth);
        let asked = self.writer.put_with_answer(&request_id, entity, Some(expected), sealed);
        let decided = asked.await?;
        let answer = match decided.answer {
            Some(sealed) if once.is_keyed => once.open(&self.keyring, &sealed)?,
            _ => answer,
        };
        tried(decided.result, answer)
    }

    /// What to answer when this was tried, and came to `result`. A refusal of what may be a repeat rests on how things are
    /// now: when the clerk knows the request, the first one's answer stands, whatever happened to the endpoint, the
    /// catalogs or the limits since. When it doesn't, nothing of the refusal is remembered, and the request may be sent
    /// again once it is mended.
    pub(crate) async fn as_first_answered(
        &self,
        once: &Once,
        result: Result<Answer, ApiError>,
    ) -> Result<Answer, ApiError> {
        match result {
            Err(refusal) if refusal.code.status().is_client_error() => self.first_answer(once).await?.ok_or(refusal),
            result => result,
        }
    }

    /// Keeps the answer to what was done without the ledger, for its repeats. When nobody takes it the answer stands all the
    /// same: it is done.
    pub(crate) async fn note(&self, once: &Once, answer: Answer) -> Answer {
        let Some(sealed) = once.is_keyed.then(|| once.seal(&self.keyring, &answer)).flatten() else {
            return answer;
        };
        match self.writer.note(&once.request_id, sealed).await {
            // That of another replica, when two have done it at once.
            Ok(kept) => {
                let first = kept.and_then(|kept| once.open(&self.keyring, &kept).ok());
                first.unwrap_or(answer)
            }
            Err(error) => {
                tracing::warn!(%error, "an answer isn't kept: a repeat of its request may be taken for another one");
                answer
            }
        }
    }

    /// The answer that the first request of this key was given, when this is a repeat: goes through the tries as that one
    /// did. What changes nothing in the ledger asks for it before anything is looked at, as all of it may be different by
    /// now.
    ///
    /// # Errors
    /// 409 when the first one had another body; 503 when it can't be known.
    pub(crate) async fn first_answer(&self, once: &Once) -> Result<Option<Answer>, ApiError> {
        if !once.is_keyed {
            return Ok(None);
        }
        for nth in 0..TRIES {
            let Some(decided) = self.writer.recall(&once.request_id(nth)).await? else {
                return Ok(None);
            };
            // Without an answer it is none of ours: a clerk of an older version refuses to be asked.
            let Some(sealed) = decided.answer else {
                return Ok(None);
            };
            let answer = once.open(&self.keyring, &sealed)?;
            if let Tried::Answered(answer) = tried(decided.result, answer)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }
}

fn tried(result: Result<i64, WriteError>, answer: Answer) -> Result<Tried, ApiError> {
    match result {
        Ok(_) => Ok(Tried::Answered(answer)),
        Err(WriteError::Conflict { .. }) => Ok(Tried::Conflict),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn once(key: &str, body: u8) -> Once {
        Once::new(IdempotencyKey(Some(key.into())), "org_1", "POST /x", [body; 32])
    }

    #[test]
    fn the_same_key_is_the_same_request_and_its_answer_opens_for_the_same_body_alone() {
        let keyring = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
        let answer = Answer::json(StatusCode::CREATED, &serde_json::json!({"secret": "whsec_x"}));
        let sealed = once("a", 1).seal(&keyring, &answer).expect("it seals");
        assert!(!sealed.windows(5).any(|part| part == b"whsec"));
        assert_eq!(once("a", 1).open(&keyring, &sealed), Ok(answer));
        assert!(
            once("a", 2)
                .open(&keyring, &sealed)
                .is_err_and(|e| e.message.contains("another body"))
        );
        assert!(once("b", 1).open(&keyring, &sealed).is_err());
        assert_eq!(once("a", 1).request_id(2), once("a", 2).request_id(2));
        assert_ne!(once("a", 1).request_id(0), once("b", 1).request_id(0));
        assert_ne!(Once::unkeyed().request_id(0), Once::unkeyed().request_id(0));
    }
}
