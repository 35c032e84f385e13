//! Several replicas: no lost update, fresh reads everywhere, and what callers see while the clerk is gone.

use crate::{
    client::Client,
    support::{Replica, World},
};
use anyhow::{Context, Result};
use serde_json::json;
use std::time::{Duration, Instant};

const ENDPOINTS: &str = "/webhooks/v1/endpoints";

/// Adds one to a counter kept in the endpoint's metadata, as a careful caller does it.
async fn count_up(client: &Client, path: &str) -> Result<()> {
    loop {
        let shown = client.get(path).await?;
        if shown.status == 503 {
            continue;
        }
        let endpoint = &shown.expect(200)["endpoint"];
        let count: u32 = endpoint["metadata"]["count"].as_str().context("a count")?.parse()?;
        let change = json!({"metadata": {"count": (count + 1).to_string()}});
        let changed = client
            .with("if-match", shown.header("etag"))
            .patch(path, &change)
            .await?;
        match changed.status {
            200 => return Ok(()),
            412 => {}
            _ => panic!("{changed:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_is_lost_and_reads_are_fresh_on_every_replica() -> Result<()> {
    let world = World::start().await?;
    let others = [world.another().await?, world.another().await?];
    let addresses = [world.replica.address, others[0].address, others[1].address];
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"], "metadata": {"count": "0"}});
    let made = world.client.post(ENDPOINTS, &body).await?.expect(201);
    let path = format!("{ENDPOINTS}/{}", made["endpoint"]["id"].as_str().context("an id")?);
    let counting = (0..8).map(|n| {
        let (client, path) = (world.client.at(addresses[n % 3]), path.clone());
        tokio::spawn(async move {
            for _ in 0..5 {
                count_up(&client, &path).await?;
            }
            anyhow::Ok(())
        })
    });
    for counted in counting.collect::<Vec<_>>() {
        counted.await??;
    }
    for address in addresses {
        let shown = world.client.at(address).get(&path).await?.expect(200);
        assert_eq!(shown["endpoint"]["metadata"]["count"], "40");
    }
    // Whatever one replica has answered, every other knows.
    for n in 0..12 {
        let (here, there) = (
            world.client.at(addresses[n % 3]),
            world.client.at(addresses[(n + 1) % 3]),
        );
        let made = here.post(ENDPOINTS, &body).await?.expect(201);
        let path = format!("{ENDPOINTS}/{}", made["endpoint"]["id"].as_str().context("an id")?);
        there.get(&path).await?.expect(200);
        there.delete(&path).await?.expect(204);
        here.get(&path).await?.expect_error(404, "NOT_FOUND");
    }
    for other in others {
        other.stop().await?;
    }
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_clerk_dies_reads_go_on_and_a_write_is_made_once() -> Result<()> {
    let world = World::start().await?;
    let second = world.another().await?;
    let Replica { role, stop, .. } = world.replica;
    // As good as killed: nothing is left in order, and its group waits for a session timeout.
    role.abort();
    let client = world.client.at(second.address);
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"]});
    let began = Instant::now();
    let keyed = client.with("idempotency-key", "through-the-gap");
    let writing = tokio::spawn({
        let (keyed, body) = (keyed.clone(), body.clone());
        async move { keyed.post(ENDPOINTS, &body).await }
    });
    while !writing.is_finished() {
        client.get(ENDPOINTS).await?.expect(200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut answer = writing.await??;
    while answer.status == 503 {
        assert!(
            answer
                .header("retry-after")
                .parse::<u64>()
                .is_ok_and(|sec| (1..=10).contains(&sec)),
            "{answer:?}"
        );
        assert!(began.elapsed() < Duration::from_secs(40), "nobody takes over");
        answer.expect_error(503, "UNAVAILABLE");
        answer = keyed.post(ENDPOINTS, &body).await?;
    }
    answer.expect(201);
    assert_eq!(keyed.post(ENDPOINTS, &body).await?.body, answer.body);
    let listed = client.get(ENDPOINTS).await?.expect(200);
    assert_eq!(listed["endpoints"].as_array().map(Vec::len), Some(1), "{listed}");
    stop.cancel();
    second.stop().await
}
