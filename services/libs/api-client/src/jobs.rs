//! Jobs: `/webhooks/v1/jobs`, and the replay of an endpoint, which is one.

use crate::{Client, Error};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A job as the API shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub id: String,
    pub kind: String,
    /// `running`, `done`, `cancelled` or `failed`
    pub status: String,
    pub total: i64,
    pub done: i64,
    #[serde(default)]
    pub gone: i64,
    #[serde(default)]
    pub dry_run: bool,
    #[serde(default)]
    pub error: Option<String>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What is to be sent to an endpoint again; what is None is left out.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayWanted {
    /// RFC 3339
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// RFC 3339
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    pub dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
}

#[derive(Deserialize)]
struct One {
    job: Job,
}

impl Client {
    pub async fn replay_endpoint(&self, id: &str, wanted: &ReplayWanted) -> Result<Job, Error> {
        let call = self.call(Method::POST, &["webhooks", "v1", "endpoints", id, "replay"])?;
        let answer = self.send(&call.json(wanted)).await?;
        answer.read::<One>().map(|one| one.job)
    }

    pub async fn job(&self, id: &str) -> Result<Job, Error> {
        let answer = self
            .send(&self.call(Method::GET, &["webhooks", "v1", "jobs", id])?)
            .await?;
        answer.read::<One>().map(|one| one.job)
    }

    /// Ends it after what is under way. One that has ended stays as it ended.
    pub async fn cancel_job(&self, id: &str) -> Result<Job, Error> {
        let call = self.call(Method::POST, &["webhooks", "v1", "jobs", id, "cancel"])?;
        self.send(&call).await?.read::<One>().map(|one| one.job)
    }
}
