//! `POST /webhooks/v1/events`: publishing in batches.

use crate::{Client, Error, Refusal, error::Fault};
use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;

/// What became of one event of a batch: its id, or why it was refused.
pub type Published = Result<String, Refusal>;

#[derive(Deserialize)]
struct Results {
    results: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: Option<String>,
    error: Option<Fault>,
}

impl Client {
    /// Publishes JSON lines, one event each, and says what became of each, in their order. With the same
    /// `idempotency_key` the same lines get the same event ids, so that repeating it publishes nothing twice.
    pub async fn publish(&self, lines: Bytes, idempotency_key: &str) -> Result<Vec<Published>, Error> {
        let call = self.call(Method::POST, &["webhooks", "v1", "events"])?;
        let answer = self.send(&call.lines(lines).with_key(idempotency_key)).await?;
        let Results { results } = answer.read()?;
        let read = |item: Item| match item {
            Item { id: Some(id), .. } => Ok(Ok(id)),
            Item { error: Some(fault), .. } => Ok(Err(Refusal {
                code: fault.code,
                message: fault.message,
                details: fault.details.unwrap_or_default(),
                ..Refusal::default()
            })),
            Item { .. } => Err(answer.foreign("a result with neither id nor error")),
        };
        results.into_iter().map(read).collect()
    }
}
