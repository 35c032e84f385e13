//! `GET /webhooks/v1/event_types`.

use crate::support::World;
use anyhow::Result;
use serde_json::json;

const TYPES: &str = "/webhooks/v1/event_types";

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_the_types_of_its_catalogs_and_the_operators() -> Result<()> {
    let world = World::start().await?;
    let added = json!({"stability": "beta", "requiredScope": "billing", "description": "Paid.", "payloadSchema": {"type": "object"}});
    let path = "/admin/v1/event_types/billing.invoice.paid";
    world
        .operator()
        .send("PUT", path, Some(added.to_string()))
        .await?
        .expect(201);
    let listed = world.client.get(TYPES).await?.expect(200);
    let types = listed["eventTypes"].as_array().expect("types");
    let names: Vec<_> = types.iter().map(|of| of["type"].as_str().expect("a name")).collect();
    assert!(names.is_sorted() && listed["nextCursor"].is_null(), "{names:?}");
    let of = |catalog: serde_json::Value| types.iter().filter(|of| of["catalog"] == catalog).count();
    assert_eq!(
        (of(json!("platform")), of(json!(null)), of(json!("case_events"))),
        (53, 1, 0)
    );
    assert!(names.contains(&"cases.tasks.*"), "{names:?}");
    let paid = types.iter().find(|of| of["type"] == "billing.invoice.paid");
    let mut wanted = added.clone();
    wanted["type"] = json!("billing.invoice.paid");
    (wanted["resource"], wanted["catalog"]) = (json!(null), json!(null));
    assert_eq!(paid, Some(&wanted));
    // As it is listed it may be put back.
    world
        .operator()
        .send("PUT", path, Some(wanted.to_string()))
        .await?
        .expect(200);
    wanted["type"] = json!("billing.invoice.sent");
    let refused = world.operator().send("PUT", path, Some(wanted.to_string())).await?;
    refused.expect_error(400, "INVALID_REQUEST");
    let ingest = types
        .iter()
        .find(|of| of["type"] == "vault.ingest.completed")
        .expect("it is there");
    assert_eq!(
        (&ingest["requiredScope"], &ingest["resource"], &ingest["stability"]),
        (&json!("vault"), &json!("vault"), &json!("stable"))
    );

    let other = world.stranger().await?.get(TYPES).await?.expect(200);
    assert_eq!(
        other["eventTypes"].as_array().map(Vec::len),
        Some(54),
        "it has no cases"
    );
    // Whoever has a key may read them.
    world.client_with(&[]).await?.get(TYPES).await?.expect(200);
    world.operator().get(TYPES).await?.expect_error(400, "INVALID_REQUEST");
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_skip_nor_repeat() -> Result<()> {
    let world = World::start().await?;
    let whole = world.client.get(TYPES).await?.expect(200);
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.client.get(&format!("{TYPES}?limit=7{cursor}")).await?.expect(200);
        rows.extend(page["eventTypes"].as_array().expect("types").iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(json!(rows), whole["eventTypes"]);
    for query in ["limit=0", "limit=201", "cursor=x", "stability=beta"] {
        world
            .client
            .get(&format!("{TYPES}?{query}"))
            .await?
            .expect_error(400, "INVALID_REQUEST");
    }
    world.replica.stop().await
}
