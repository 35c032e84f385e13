//! A measurement, not a test: `cargo test -p control-api --release --test api -- --ignored --nocapture speed`.

use crate::support::World;
use anyhow::{Context, Result};
use serde_json::json;
use std::time::{Duration, Instant};

const ENDPOINTS: &str = "/webhooks/v1/endpoints";

fn shown(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    println!("{what}: p50 {:?}, p99 {:?} of {}", at(50), at(99), took.len());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn speed() -> Result<()> {
    let world = World::start().await?;
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"], "placement": "shared"});
    let mut took = Vec::new();
    for _ in 0..100 {
        let began = Instant::now();
        world.client.post(ENDPOINTS, &body).await?.expect(201);
        took.push(began.elapsed());
    }
    shown("create, one after the other", took);
    let listed = world.client.get(ENDPOINTS).await?.expect(200);
    let path = format!(
        "{ENDPOINTS}/{}",
        listed["endpoints"][0]["id"].as_str().context("an id")?
    );
    let (mut reads, mut barriers, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..300 {
        let began = Instant::now();
        world.client.get(&path).await?.expect(200);
        reads.push(began.elapsed());
        let began = Instant::now();
        world.replica.ledger.barrier().await?;
        barriers.push(began.elapsed());
        let began = Instant::now();
        world.client.get("/nowhere").await?.expect(404);
        refusals.push(began.elapsed());
    }
    shown("get", reads);
    shown("the ledger's end alone", barriers);
    shown("an answer without the ledger", refusals);
    let began = Instant::now();
    let creating = (0..16).map(|_| {
        let (client, body) = (world.client.clone(), body.clone());
        tokio::spawn(async move {
            for _ in 0..25 {
                client.post(ENDPOINTS, &body).await?.expect(201);
            }
            anyhow::Ok(())
        })
    });
    for created in creating.collect::<Vec<_>>() {
        created.await??;
    }
    println!("16 clients: {:.0} creates/s", 400.0 / began.elapsed().as_secs_f64());
    world.replica.stop().await
}
