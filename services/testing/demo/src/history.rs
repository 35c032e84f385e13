//! The delivery log, read by HTTP when everything has come to what it comes to: one event of each fate, with its attempts,
//! and whether the log counts what was expected; and of an event that could go to nobody, why.

use std::time::Duration;

use anyhow::{Context, ensure};
use harness::until;
use serde_json::Value;

use crate::broken::BROKEN_CONTRACT;
use crate::cast;
use crate::matcher::Expected;
use crate::stage::{Endpoint, Stage};

/// How long the log may be behind.
const PATIENCE: Duration = Duration::from_secs(30);
/// Endpoint, the status of one of its deliveries, and what it shows.
const FATES: [(&str, &str, &str); 5] = [
    ("fast", "delivered", "delivered at once"),
    ("flaky", "delivered", "delivered in the end"),
    ("rejecting", "failed", "refused by its receiver"),
    ("gone", "failed", "its receiver is gone for good"),
    ("down", "delivered", "dead, and replayed"),
];

/// Shows it. What is wrong, in words.
pub async fn show(stage: &Stage, expected: &Expected) -> anyhow::Result<Vec<String>> {
    println!(
        "\nThe delivery log, GET /webhooks/v1/deliveries and /webhooks/v1/deliveries/{{id}}, one event of each fate:"
    );
    for (name, status, what) in FATES {
        let endpoint = stage.endpoint(name);
        let one = one(stage, endpoint, status).await;
        let shown = one.with_context(|| format!("of {name} no delivery is {status}"))?;
        println!(
            "  {what:30} {} {}",
            shown["id"].as_str().unwrap_or_default(),
            life(&shown)
        );
    }
    println!("  {:30} {}", "rejected", rejected(stage).await?);
    let mut wrong = Vec::new();
    for (endpoint, expected) in stage.endpoints.iter().zip(expected) {
        // What Hookline itself tells isn't expected by the matcher.
        if endpoint.plan.name == cast::TOLD {
            continue;
        }
        if let Err(error) = counts(stage, endpoint, expected.len()).await {
            wrong.push(format!("the log of {}: {error:#}", endpoint.plan.name));
        }
    }
    Ok(wrong)
}

/// The delivery of this status with the most attempts among the last ones.
async fn one(stage: &Stage, endpoint: &Endpoint, status: &str) -> anyhow::Result<Value> {
    let api = stage.api(endpoint.plan.tenant);
    let path = format!(
        "/webhooks/v1/deliveries?endpoint_id={}&status={status}&limit=200",
        endpoint.id
    );
    let listed = api.get(&path).await?;
    let rows = listed["deliveries"].as_array().context("a list")?;
    let row = rows.iter().max_by_key(|row| row["attemptCount"].as_i64());
    let id = row.and_then(|row| row["id"].as_str()).context("there is none")?;
    let mut shown = api.get(&format!("/webhooks/v1/deliveries/{id}")).await?;
    ensure!(shown["delivery"]["eventId"].is_string(), "{shown}");
    Ok(shown["delivery"].take())
}

/// `evt_…  contract_broken: …`, once the log has it.
async fn rejected(stage: &Stage) -> anyhow::Result<String> {
    let (tenant, id) = BROKEN_CONTRACT;
    let (api, path) = (stage.api(tenant), format!("/webhooks/v1/events/{id}"));
    let mut shown = Value::Null;
    until("the log tells of what was rejected", PATIENCE, async || {
        shown = api.get(&path).await.map_err(|error| format!("{error:#}"))?;
        Ok(())
    })
    .await?;
    let rejected = &shown["event"]["rejected"];
    let text = |name: &str| rejected[name].as_str().with_context(|| format!("no {name} in {shown}"));
    Ok(format!("{id}  {}: {}", text("reason")?, text("message")?))
}

/// `503, 503, 200: delivered`
fn life(delivery: &Value) -> String {
    let attempts = delivery["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let came_to = attempts.iter().map(|attempt| match attempt["statusCode"].as_i64() {
        Some(code) => code.to_string(),
        None => "no answer".to_owned(),
    });
    let came_to: Vec<String> = came_to.collect();
    let came_to = if came_to.is_empty() {
        "no attempt".to_owned()
    } else {
        came_to.join(", ")
    };
    let reason = delivery["reason"].as_str().map(|reason| format!(" ({reason})"));
    format!(
        "{came_to}: {}{}",
        delivery["status"].as_str().unwrap_or_default(),
        reason.unwrap_or_default()
    )
}

/// Waits until the endpoint's figures have come to what was expected of it.
async fn counts(stage: &Stage, endpoint: &Endpoint, expected: usize) -> anyhow::Result<()> {
    let api = stage.api(endpoint.plan.tenant);
    let path = format!("/webhooks/v1/endpoints/{}", endpoint.id);
    until("it has them all", PATIENCE, async || {
        let shown = api.get(&path).await.map_err(|error| format!("{error:#}"))?;
        let stats = &shown["endpoint"]["stats"];
        let of = |name: &str| stats[name].as_u64().unwrap_or(0);
        let is_so = of("pending") == 0 && of("delivered") + of("failed") == expected as u64;
        if is_so {
            Ok(())
        } else {
            Err(format!("{stats}, and {expected} were expected"))
        }
    })
    .await
}
