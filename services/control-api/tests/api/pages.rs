//! Lists in pages, while rows come and go.

use crate::support::World;
use anyhow::Result;
use serde_json::{Value, json};

const ENDPOINTS: &str = "/webhooks/v1/endpoints";

async fn make(world: &World) -> Result<String> {
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"], "placement": "shared"});
    let made = world.client.post(ENDPOINTS, &body).await?.expect(201);
    Ok(made["endpoint"]["id"].as_str().expect("an id").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_skip_nor_repeat_while_rows_are_added() -> Result<()> {
    let world = World::start().await?;
    let mut ids = Vec::new();
    for _ in 0..11 {
        ids.push(make(&world).await?);
    }
    ids.reverse();
    let (mut seen, mut path) = (Vec::new(), format!("{ENDPOINTS}?limit=2"));
    loop {
        let page = world.client.get(&path).await?.expect(200);
        let rows = page["endpoints"].as_array().expect("rows");
        assert!(rows.len() <= 2);
        seen.extend(rows.iter().filter_map(|row| row["id"].as_str().map(str::to_owned)));
        make(&world).await?;
        match &page["nextCursor"] {
            Value::String(cursor) => path = format!("{ENDPOINTS}?limit=2&cursor={cursor}"),
            _ => break,
        }
    }
    assert_eq!(seen, ids, "newest first, what was there at the beginning");
    // A row that a cursor names may be gone by the time it is sent back.
    let page = world.client.get(&format!("{ENDPOINTS}?limit=1")).await?.expect(200);
    let newest = page["endpoints"][0]["id"].as_str().expect("an id").to_owned();
    let all = world.client.get(&format!("{ENDPOINTS}?limit=200")).await?.expect(200);
    world.client.delete(&format!("{ENDPOINTS}/{newest}")).await?.expect(204);
    let cursor = page["nextCursor"].as_str().expect("there is more");
    let rest = world
        .client
        .get(&format!("{ENDPOINTS}?limit=200&cursor={cursor}"))
        .await?
        .expect(200);
    assert_eq!(
        rest["endpoints"].as_array().expect("rows")[..],
        all["endpoints"].as_array().expect("rows")[1..]
    );
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_can_be_of_one_status() -> Result<()> {
    let world = World::start().await?;
    let (first, second) = (make(&world).await?, make(&world).await?);
    world
        .client
        .patch(&format!("{ENDPOINTS}/{first}"), &json!({"status": "paused"}))
        .await?
        .expect(200);
    for (status, id) in [("paused", Some(&first)), ("active", Some(&second)), ("disabled", None)] {
        let listed = world
            .client
            .get(&format!("{ENDPOINTS}?status={status}&limit=1"))
            .await?
            .expect(200);
        assert_eq!(
            listed["endpoints"][0]["id"].as_str(),
            id.map(String::as_str),
            "{status}"
        );
        assert_eq!(listed["nextCursor"], Value::Null);
    }
    world.replica.stop().await
}
