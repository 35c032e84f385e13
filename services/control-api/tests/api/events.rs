//! `POST /webhooks/v1/events`: what is acknowledged is in Kafka, and what fan-out would reject never gets there.

use crate::{
    client::{Answer, Client, exchange},
    support::{PATIENCE, World},
};
use anyhow::{Context, Result};
use event_model::{SourceRecord, SourceSettings};
use kafka_log::{
    Admin, Item, ReadOptions, Reader, ReaderOptions, Record, Start, TopicPartition, Watermarks,
    topics::INGEST_PARTITIONS,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

const EVENTS: &str = "/webhooks/v1/events";
const DATA: &str = r#"{"vaultId":"v1","b":1.0, "a":1e2,"u":"\u00e9"}"#;

/// What there is in `ingest`, by partition and offset.
async fn written(world: &World) -> Result<Vec<Record>> {
    let topic = world.connection.names().ingest();
    let watermarks = Watermarks::new(&world.connection)?;
    let reader = Reader::start(&world.connection, &ReaderOptions::new("ingest"))?;
    let (sink, mut items) = mpsc::channel(1000);
    let mut count = 0;
    for partition in 0..INGEST_PARTITIONS {
        count += watermarks.range(&topic, partition).await?.1;
        let of = TopicPartition::new(topic.as_str(), partition);
        reader.add(of, ReadOptions::new(Start::Beginning), sink.clone()).await?;
    }
    let mut records = Vec::new();
    while i64::try_from(records.len())? < count {
        let item = tokio::time::timeout(PATIENCE, items.recv()).await?;
        if let Item::Record(record) = item.context("the reader goes on")? {
            records.push(record);
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    Ok(records)
}

/// As fan-out reads it.
fn event(record: &Record) -> Result<event_model::Event> {
    let headers: Vec<_> = record
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.to_vec()))
        .collect();
    let record = SourceRecord {
        topic: &record.topic,
        partition: record.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: &headers,
    };
    Ok(event_model::parse(&record, &SourceSettings::default())?)
}

async fn post(client: &Client, content_type: &str, body: &str) -> Result<Answer> {
    let mut head = format!(
        "POST {EVENTS} HTTP/1.1\r\nhost: api\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: {content_type}\r\ncontent-length: {}\r\n",
        client.key,
        body.len()
    );
    for (name, value) in &client.headers {
        head += &format!("{name}: {value}\r\n");
    }
    exchange(client.address, format!("{head}\r\n{body}").as_bytes()).await
}

async fn one(client: &Client, body: &str) -> Result<Answer> {
    post(client, "application/json", body).await
}

fn upload(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"vault.upload.created","data":{DATA}}}"#)
}

/// A type of the first catalog without a contract that binds, in scope `legal`.
async fn beta_type(world: &World) -> Result<String> {
    let listed = world.client.get("/webhooks/v1/event_types").await?.expect(200);
    let types = listed["eventTypes"].as_array().context("types")?;
    let found = types
        .iter()
        .find(|of| of["stability"] == "beta" && of["requiredScope"] == "legal");
    Ok(found
        .and_then(|of| of["type"].as_str())
        .context("there is one")?
        .to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_event_is_in_kafka_as_it_was_sent() -> Result<()> {
    let world = World::start().await?;
    let event_type = beta_type(&world).await?;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let body =
        format!(r#"{{"id":"order-7","type":"{event_type}","occurred_at":"2026-11-21T10:00:00+01:00","data":{DATA} }}"#);
    let taken = one(&world.client.with("traceparent", traceparent), &body).await?;
    assert_eq!(taken.expect(202), json!({"id": "order-7"}));
    let made = one(
        &world.client,
        &format!(r#"{{"type":"{event_type}","tenant":"{}","data":[]}}"#, world.tenant.id),
    )
    .await?;
    let made = made.expect(202)["id"].as_str().context("an id")?.to_owned();
    assert!(made.starts_with("evt_"), "{made}");

    let records = written(&world).await?;
    let events = records.iter().map(event).collect::<Result<Vec<_>>>()?;
    assert_eq!(events.len(), 2);
    let own = events
        .iter()
        .find(|event| event.id == "order-7")
        .context("it is there")?;
    assert_eq!(
        (own.data.get(), own.occurred_at.as_str()),
        (DATA, "2026-11-21T10:00:00+01:00")
    );
    assert_eq!(
        (own.tenant.as_str(), own.traceparent.as_deref()),
        (world.tenant.id.as_str(), Some(traceparent))
    );
    assert!(
        events
            .iter()
            .any(|event| event.id == made && event.tenant == world.tenant.id)
    );
    for record in &records {
        let key = record.key.as_deref().context("a key")?;
        assert_eq!(key, event(record)?.id.as_bytes());
    }
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_item_by_item_in_order() -> Result<()> {
    let world = World::start().await?;
    let event_type = beta_type(&world).await?;
    let good = |id: &str| format!(r#"{{"id":"{id}","type":"{event_type}","data":{{}}}}"#);
    let items = [
        good("a"),
        r#"{"type":"no.such","data":{}}"#.to_owned(),
        "7".to_owned(),
        format!(r#"{{"type":"{event_type}","data":{{}},"tenant":"org_other"}}"#),
        good("b"),
    ];
    let checked = |answer: &Answer, ids: [&str; 2]| {
        let results = answer.expect(202)["results"].clone();
        assert_eq!(results.as_array().map(Vec::len), Some(5), "{results}");
        assert_eq!(
            (&results[0], &results[4]),
            (&json!({"id": ids[0]}), &json!({"id": ids[1]}))
        );
        for (index, path) in [(1, "type"), (2, ""), (3, "tenant")] {
            let error = &results[index]["error"];
            assert_eq!(
                (&error["code"], &error["details"][0]["path"]),
                (&json!("INVALID_REQUEST"), &json!(path)),
                "{results}"
            );
        }
    };
    checked(
        &one(&world.client, &format!("[{}]", items.join(", "))).await?,
        ["a", "b"],
    );
    let lines = items
        .join("\n")
        .replace(r#""id":"a""#, r#""id":"c""#)
        .replace(r#""id":"b""#, r#""id":"d""#);
    checked(&post(&world.client, "application/x-ndjson", &lines).await?, ["c", "d"]);
    let records = written(&world).await?;
    let mut ids = records
        .iter()
        .map(|record| Ok(event(record)?.id))
        .collect::<Result<Vec<_>>>()?;
    ids.sort();
    assert_eq!(ids, ["a", "b", "c", "d"]);
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_idempotency_key_gives_the_same_ids_to_one_tenant() -> Result<()> {
    let world = World::start().await?;
    let event_type = beta_type(&world).await?;
    let batch = format!(
        r#"[{{"type":"{event_type}","data":{{}}}},{{"id":"own","type":"{event_type}","data":{{}}}},{{"type":"{event_type}","data":{{}}}}]"#
    );
    let keyed = world.client.with("idempotency-key", "import-7");
    let first = one(&keyed, &batch).await?.expect(202);
    assert_eq!(one(&keyed, &batch).await?.expect(202), first);
    let id = |index: usize| first["results"][index]["id"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        id(0),
        event_model::ids::event_id_from_key(&world.tenant.id, "import-7", 0)
    );
    assert!(id(1) == "own" && id(2) != id(0), "{first}");
    let other = world.stranger().await?.with("idempotency-key", "import-7");
    let others = one(&other, &batch).await?.expect(202);
    assert_ne!(others["results"][0], first["results"][0]);
    let another = one(&world.client, &batch).await?.expect(202);
    assert_ne!(another["results"][0], first["results"][0]);
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fan_out_would_reject_is_refused_and_not_written() -> Result<()> {
    let world = World::start().await?;
    let event_type = beta_type(&world).await?;
    let stable = "vault.ingest.completed";
    let huge = format!(r#"{{"type":"{event_type}","data":"{}"}}"#, "x".repeat(256 << 10));
    for (body, path) in [
        ("{}".to_owned(), "data"),
        (format!(r#"{{"type":"{event_type}"}}"#), "data"),
        (format!(r#"{{"type":"{stable}","data":{{"vaultId":7}}}}"#), "data"),
        (format!(r#"{{"type":"{event_type}","data":{{"a":1,"a":2}}}}"#), "data"),
        (
            format!(
                r#"{{"type":"{event_type}","data":{}1{}}}"#,
                "[".repeat(101),
                "]".repeat(101)
            ),
            "data",
        ),
        (
            format!(r#"{{"type":"{event_type}","data":{{}},"occurred_at":"1 May"}}"#),
            "occurred_at",
        ),
        (format!(r#"{{"type":"{event_type}","data":{{}},"id":"a\r\nb"}}"#), "id"),
        (
            format!(r#"{{"type":"{event_type}","data":{{}},"occurredAt":"2026-11-21T10:00:00Z"}}"#),
            "occurredAt",
        ),
        ("[]".to_owned(), ""),
        (huge, ""),
        ("nonsense".to_owned(), ""),
    ] {
        let refused = one(&world.client, &body).await?;
        let found = refused.expect_error(400, "INVALID_REQUEST");
        assert!(
            found == path || (path == "data" && found.starts_with("data.")),
            "{found}: {refused:?}"
        );
    }
    let many = format!("{}\n", upload("x")).repeat(1001);
    post(&world.client, "application/x-ndjson", &many)
        .await?
        .expect_error(400, "INVALID_REQUEST");
    let large = "x".repeat((4 << 20) + 1);
    post(&world.client, "application/x-ndjson", &large)
        .await?
        .expect_error(413, "PAYLOAD_TOO_LARGE");
    post(&world.client, "text/plain", "{}")
        .await?
        .expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    let body = format!(r#"{{"type":"{event_type}","data":{{}}}}"#);
    let lacking = world.client_with(&["webhooks", "agent"]).await?;
    one(&lacking, &body).await?.expect_error(403, "PERMISSION_DENIED");
    one(&world.operator(), &body)
        .await?
        .expect_error(400, "INVALID_REQUEST");
    assert!(written(&world).await?.is_empty(), "nothing of it is there");
    let acting = world.operator().with("hookline-tenant", &world.tenant.id);
    one(&acting, &body).await?.expect(202);
    let records = written(&world).await?;
    assert_eq!(event(records.first().context("it is there")?)?.tenant, world.tenant.id);
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_does_not_take_is_unavailable_and_may_be_sent_again() -> Result<()> {
    let world = World::start().await?;
    let admin = Admin::new(&world.connection)?;
    assert!(
        admin.delete(&world.connection.names().ingest()).await?,
        "the topic was there"
    );
    let event_type = beta_type(&world).await?;
    let body = format!(r#"{{"type":"{event_type}","data":{{}}}}"#);
    for body in [body.clone(), format!("[{body},7]")] {
        let refused = one(&world.client, &body).await?;
        refused.expect_error(503, "UNAVAILABLE");
        assert_eq!(refused.header("retry-after"), "2");
    }
    let refused: Value = one(&world.client, "[7]").await?.expect(202);
    assert_eq!(
        refused["results"][0]["error"]["code"], "INVALID_REQUEST",
        "nothing was to be written"
    );
    world.replica.stop().await
}
