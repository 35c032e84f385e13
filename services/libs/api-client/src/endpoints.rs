//! The routes of endpoints, `/webhooks/v1/endpoints`.

use crate::{Client, Error};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Most that the API gives at once.
const PAGE: &str = "200";
const ROUTE: [&str; 3] = ["webhooks", "v1", "endpoints"];

/// An endpoint as the API shows it: by name what a list needs, and everything else as it came.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    pub id: String,
    pub url: String,
    pub status: String,
    pub event_type_filters: Vec<String>,
    /// As asked for.
    #[serde(default)]
    pub placement: String,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An endpoint and its secret, which is shown this once.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WithSecret {
    pub endpoint: Endpoint,
    pub signing_secret: String,
}

/// Settings to make an endpoint with, or to change: what is None is left out. Within, None takes a setting back.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type_filters: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_scopes: Option<Option<ResourceScopes>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Values are secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Option<RateLimit>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<Option<i32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_sec: Option<Option<i32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_schedule: Option<Option<Vec<i64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_on_gone: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_scheme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// One's own, `whsec_…`; when it is made only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceScopes {
    pub vault_ids: Vec<String>,
    pub matter_ids: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    pub per_second: f64,
    /// The rate, but at least 1, when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<i32>,
}

/// A new secret for an endpoint.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// 0 ends the old one, and all that are older, at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_secret_expires_in_sec: Option<i64>,
    /// One's own, `whsec_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// The event's `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

/// What a receiver made of a test.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    pub ok: bool,
    pub status_code: Option<u16>,
    pub duration_ms: i64,
    pub error: Option<String>,
    #[serde(default)]
    pub response_body: String,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[derive(Deserialize)]
struct One {
    endpoint: Endpoint,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    endpoints: Vec<Endpoint>,
    next_cursor: Option<String>,
}

impl Client {
    pub async fn create_endpoint(&self, fields: &EndpointFields) -> Result<WithSecret, Error> {
        self.send(&self.call(Method::POST, &ROUTE)?.json(fields)).await?.read()
    }

    /// All of them, newest first.
    pub async fn endpoints(&self, status: Option<&str>) -> Result<Vec<Endpoint>, Error> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut call = self.call(Method::GET, &ROUTE)?.query("limit", PAGE);
            if let Some(status) = status {
                call = call.query("status", status);
            }
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor);
            }
            let answer = self.send(&call).await?;
            let page: Page = answer.read()?;
            all.extend(page.endpoints);
            match page.next_cursor {
                None => return Ok(all),
                same if same == cursor => return Err(answer.foreign("a list without an end")),
                next => cursor = next,
            }
        }
    }

    pub async fn endpoint(&self, id: &str) -> Result<Endpoint, Error> {
        let answer = self.send(&self.call(Method::GET, &of(id))?).await?;
        answer.read::<One>().map(|one| one.endpoint)
    }

    pub async fn update_endpoint(&self, id: &str, fields: &EndpointFields) -> Result<Endpoint, Error> {
        let answer = self.send(&self.call(Method::PATCH, &of(id))?.json(fields)).await?;
        answer.read::<One>().map(|one| one.endpoint)
    }

    pub async fn delete_endpoint(&self, id: &str) -> Result<(), Error> {
        self.send(&self.call(Method::DELETE, &of(id))?).await.map(drop)
    }

    pub async fn rotate_secret(&self, id: &str, rotation: &Rotation) -> Result<WithSecret, Error> {
        let [a, b, c, id] = of(id);
        let call = self.call(Method::POST, &[a, b, c, id, "rotate_secret"])?;
        self.send(&call.json(rotation)).await?.read()
    }

    /// Has one signed request sent now. `Ok` also when the receiver failed.
    pub async fn test_endpoint(&self, id: &str, test: &TestRequest) -> Result<TestResult, Error> {
        let [a, b, c, id] = of(id);
        let call = self.call(Method::POST, &[a, b, c, id, "test"])?;
        self.send(&call.json(test)).await?.read()
    }
}

fn of(id: &str) -> [&str; 4] {
    let [a, b, c] = ROUTE;
    [a, b, c, id]
}
