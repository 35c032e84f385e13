//! A tenant who asks with a key, by the command line over the HTTP API.

use acceptance::Stage;
use harness::{ALL_SCOPES, until};
use serde_json::Value;

use super::PATIENCE;

pub(super) struct Asking<'s> {
    stage: &'s Stage,
    url: String,
    key: String,
}

impl<'s> Asking<'s> {
    pub(super) async fn with_all_scopes(stage: &'s Stage) -> Self {
        Self::of(stage, &stage.tenant, &ALL_SCOPES).await
    }

    pub(super) async fn of(stage: &'s Stage, tenant: &str, scopes: &[&str]) -> Self {
        Self::with(stage, &stage.direct.key(tenant, scopes).await.expect("a key"))
    }

    pub(super) fn with(stage: &'s Stage, key: &str) -> Self {
        Self {
            url: stage.api.api_url(),
            key: key.to_owned(),
            stage,
        }
    }

    /// What a command prints.
    pub(super) async fn json(&self, arguments: &[&str]) -> Value {
        let (succeeded, out, err) = self.run(arguments).await;
        assert!(succeeded, "{arguments:?}: {err}{out}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    /// What a command that is refused says.
    pub(super) async fn refused(&self, arguments: &[&str]) -> String {
        let (succeeded, out, err) = self.run(arguments).await;
        assert!(!succeeded, "{arguments:?}: {out}");
        err
    }

    async fn run(&self, arguments: &[&str]) -> (bool, String, String) {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--output", "json"]).collect();
        let extra = [
            ("HOOKLINE_URL", self.url.as_str()),
            ("HOOKLINE_API_KEY", self.key.as_str()),
        ];
        let output = self.stage.installation.run(&arguments, &extra).await.expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    /// What a command prints once it is no longer refused.
    pub(super) async fn json_soon(&self, arguments: &[&str]) -> Value {
        let mut shown = Value::Null;
        until("a command succeeds", PATIENCE, async || {
            let (succeeded, out, err) = self.run(arguments).await;
            shown = serde_json::from_str(&out).unwrap_or_default();
            if succeeded { Ok(()) } else { Err(err) }
        })
        .await
        .expect("it isn't refused");
        shown
    }

    /// Over the API itself, with an `Idempotency-Key`.
    pub(super) async fn post(&self, path: &str, idempotency_key: &str, body: &Value) -> (u16, Value) {
        let posted = self.try_post(path, idempotency_key, body).await;
        posted.expect("it answers")
    }

    /// An error when the process died before it answered.
    pub(super) async fn try_post(
        &self,
        path: &str,
        idempotency_key: &str,
        body: &Value,
    ) -> reqwest::Result<(u16, Value)> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let answer = http
            .post(format!("{}/webhooks/v1{path}", self.url))
            .bearer_auth(&self.key)
            .header("idempotency-key", idempotency_key)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await?;
        let (status, text) = (answer.status().as_u16(), answer.text().await?);
        Ok((status, serde_json::from_str(&text).expect("JSON")))
    }

    /// `delivery list` with these flags.
    pub(super) async fn list(&self, flags: &[&str]) -> Vec<Value> {
        let limit: &[&str] = if flags.contains(&"--limit") {
            &[]
        } else {
            &["--limit", "100000"]
        };
        let arguments: Vec<&str> = ["delivery", "list"].iter().chain(flags).chain(limit).copied().collect();
        match self.json(&arguments).await {
            Value::Array(rows) => rows,
            other => panic!("no list: {other}"),
        }
    }

    /// Waits until a delivery has this status after so many attempts, and shows it.
    pub(super) async fn becomes(&self, id: &str, status: &str, attempts: u64) -> Value {
        let mut shown = Value::Null;
        until("a delivery comes to what it comes to", PATIENCE, async || {
            shown = self.json(&["delivery", "show", id]).await["delivery"].take();
            let is_so = shown["status"] == status && shown["attemptCount"] == attempts;
            if is_so { Ok(()) } else { Err(shown.to_string()) }
        })
        .await
        .expect("the history says so");
        shown
    }
}
