//! The delivery log: `/webhooks/v1/deliveries` and `/webhooks/v1/events/{id}`.

use crate::{Client, Error};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most that the API gives at once.
const PAGE: usize = 200;
const ROUTE: [&str; 3] = ["webhooks", "v1", "deliveries"];

/// A delivery as the API shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub id: String,
    pub event_id: String,
    pub event_type: String,
    pub endpoint_id: String,
    pub status: String,
    pub reason: Option<String>,
    pub attempt_count: i64,
    pub replay_count: i64,
    pub created_at: String,
    pub next_attempt_at: Option<String>,
    pub completed_at: Option<String>,
    pub last_status_code: Option<i64>,
    pub last_error: Option<String>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// With all that is kept of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryDetail {
    /// Its fields.
    #[serde(flatten)]
    pub delivery: Delivery,
}

/// One request of a delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub number: i64,
    pub started_at: String,
    pub duration_ms: i64,
    pub status_code: Option<i64>,
    pub error: Option<String>,
    pub response_body: String,
    pub trigger: String,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl DeliveryDetail {
    /// The event's data; null once it is past its retention.
    #[must_use]
    pub fn payload(&self) -> &Value {
        self.delivery.other.get("payload").unwrap_or(&Value::Null)
    }

    /// Oldest first.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        let attempts = self.delivery.other.get("attempts").cloned();
        attempts
            .and_then(|attempts| serde_json::from_value(attempts).ok())
            .unwrap_or_default()
    }
}

/// Why an endpoint has no delivery of an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotMatched {
    pub endpoint_id: String,
    pub reason: String,
    pub message: String,
}

/// An event and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventDetail {
    /// As the API shows it.
    pub event: Map<String, Value>,
    pub matched: Vec<Delivery>,
    pub not_matched: Vec<NotMatched>,
}

/// Which deliveries; what is None is left out.
#[derive(Debug, Clone, Default)]
pub struct DeliveriesWanted {
    pub endpoint_id: Option<String>,
    pub status: Option<String>,
    pub event_type: Option<String>,
    pub event_id: Option<String>,
    /// RFC 3339
    pub from: Option<String>,
    /// RFC 3339
    pub to: Option<String>,
    /// At most so many.
    pub limit: usize,
}

#[derive(Deserialize)]
struct One<T> {
    delivery: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    deliveries: Vec<Delivery>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Replayed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Value>,
}

impl Client {
    /// Newest first.
    pub async fn deliveries(&self, wanted: &DeliveriesWanted) -> Result<Vec<Delivery>, Error> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        while all.len() < wanted.limit {
            let most = (wanted.limit - all.len()).min(PAGE).to_string();
            let mut call = self.call(Method::GET, &ROUTE)?.query("limit", &most);
            for (name, value) in [
                ("endpoint_id", &wanted.endpoint_id),
                ("status", &wanted.status),
                ("event_type", &wanted.event_type),
                ("event_id", &wanted.event_id),
                ("from", &wanted.from),
                ("to", &wanted.to),
                ("cursor", &cursor),
            ] {
                if let Some(value) = value {
                    call = call.query(name, value);
                }
            }
            let answer = self.send(&call).await?;
            let page: Page = answer.read()?;
            all.extend(page.deliveries);
            match page.next_cursor {
                None => break,
                same if same == cursor => return Err(answer.foreign("a list without an end")),
                next => cursor = next,
            }
        }
        Ok(all)
    }

    pub async fn delivery(&self, id: &str) -> Result<DeliveryDetail, Error> {
        let [a, b, c] = ROUTE;
        let answer = self.send(&self.call(Method::GET, &[a, b, c, id])?).await?;
        answer.read::<One<DeliveryDetail>>().map(|one| one.delivery)
    }

    /// Sends it again, with another `data` when one is given.
    pub async fn replay_delivery(&self, id: &str, payload: Option<&Value>) -> Result<Delivery, Error> {
        let [a, b, c] = ROUTE;
        let call = self.call(Method::POST, &[a, b, c, id, "replay"])?;
        let answer = self.send(&call.json(&Replayed { payload })).await?;
        answer.read::<One<Delivery>>().map(|one| one.delivery)
    }

    pub async fn event(&self, id: &str) -> Result<EventDetail, Error> {
        self.send(&self.call(Method::GET, &["webhooks", "v1", "events", id])?)
            .await?
            .read()
    }
}
