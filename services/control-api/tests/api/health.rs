//! Failures of an endpoint, as they are shown: from the topic `health`, which dispatchers write, else from the ledger. The
//! dispatchers' part is in the acceptance tests.

use crate::{
    client::Client,
    support::{LANES, PATIENCE, World, topic_settings},
};
use anyhow::{Context, Result};
use kafka_log::{Admin, Outgoing, Producer, topics};
use ledger::Entity;
use runtime::clock::{now_ms, rfc3339};
use schemas::{Health, codec};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const ENDPOINTS: &str = "/webhooks/v1/endpoints";

async fn make(client: &Client) -> Result<String> {
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"]});
    let made = client.post(ENDPOINTS, &body).await?.expect(201);
    Ok(made["endpoint"]["id"].as_str().context("an id")?.to_owned())
}

/// What GET and the list say of it, which is the same.
async fn shown(client: &Client, id: &str) -> Result<(Value, Value)> {
    let of = |endpoint: &Value| {
        let field = |name: &str| endpoint[name].clone();
        (field("consecutiveFailureCount"), field("lastFailureAt"))
    };
    let one = client.get(&format!("{ENDPOINTS}/{id}")).await?.expect(200);
    let all = client.get(ENDPOINTS).await?.expect(200);
    let all = all["endpoints"].as_array().context("a list")?;
    let listed = all
        .iter()
        .find(|endpoint| endpoint["id"] == *id)
        .context("it is listed")?;
    let (one, listed) = (of(&one["endpoint"]), of(listed));
    // Between the two it may have changed.
    Ok(if one == listed {
        one
    } else {
        (json!("changing"), Value::Null)
    })
}

async fn until_shown(client: &Client, id: &str, wanted: (Value, Value)) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = shown(client, id).await?;
        if shown == wanted {
            return Ok(());
        }
        assert!(Instant::now() < deadline, "{shown:?}, and not {wanted:?}");
        sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn failures(count: i64, last_at_ms: i64) -> (Value, Value) {
    (json!(count), json!(rfc3339(last_at_ms)))
}

fn none() -> (Value, Value) {
    (json!(0), Value::Null)
}

/// Writes what an owner of shards writes.
struct Owner {
    producer: Producer,
    topic: String,
}

impl Owner {
    /// Makes the topic, which a test's installation doesn't have.
    async fn start(world: &World) -> Result<Self> {
        let topic = world.connection.names().health();
        let specs: Vec<_> = topics::fixed(world.connection.names(), &topic_settings())
            .into_iter()
            .filter(|spec| spec.name == topic)
            .collect();
        topics::apply(&Admin::new(&world.connection)?, &topic_settings(), &specs).await?;
        let producer = Producer::new(&world.connection)?;
        Ok(Self { producer, topic })
    }

    async fn failed(&self, tenant: &str, id: &str, count: i64, at_ms: i64) -> Result<()> {
        let record = Health {
            endpoint_id: id.to_owned(),
            tenant: tenant.to_owned(),
            consecutive_failures: count,
            failing_since_ms: 1,
            last_failure_at_ms: at_ms,
            circuit: "open".into(),
            opened_at_ms: Some(1),
            probes_made: 1,
        };
        let value = codec::encode(&record)?;
        self.write(Outgoing::new(&self.topic, LANES - 1, id.as_bytes(), value))
            .await
    }

    async fn recovered(&self, id: &str) -> Result<()> {
        self.write(Outgoing::tombstone(&self.topic, LANES - 1, id.as_bytes()))
            .await
    }

    async fn write(&self, record: Outgoing) -> Result<()> {
        self.producer.write(&record).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_come_from_the_topic_go_with_recovery_and_are_seen_by_their_tenant_alone() -> Result<()> {
    let world = World::start().await?;
    let (client, stranger) = (&world.client, world.stranger().await?);
    let (mine, theirs) = (make(client).await?, make(&stranger).await?);
    assert_eq!(
        shown(client, &mine).await?,
        none(),
        "the topic is missing, and the role goes on"
    );

    let owner = Owner::start(&world).await?;
    let at_ms = now_ms();
    // Written before the other one, so read before it.
    owner.failed(&world.tenant.id, &theirs, 99, at_ms).await?;
    owner.failed(&world.tenant.id, &mine, 3, at_ms).await?;
    until_shown(client, &mine, failures(3, at_ms)).await?;
    assert_eq!(shown(&stranger, &theirs).await?, none());
    let second = world.another().await?;
    until_shown(&client.at(second.address), &mine, failures(3, at_ms)).await?;

    let (path, change) = (format!("{ENDPOINTS}/{mine}"), json!({"description": "x"}));
    client.patch(&path, &change).await?.expect(200);
    assert_eq!(shown(client, &mine).await?, none(), "whoever changes it begins anew");
    let later_ms = now_ms() + 1;
    owner.failed(&world.tenant.id, &mine, 1, later_ms).await?;
    until_shown(client, &mine, failures(1, later_ms)).await?;
    owner.recovered(&mine).await?;
    for address in [world.replica.address, second.address] {
        until_shown(&client.at(address), &mine, none()).await?;
    }
    second.stop().await?;
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_was_disabled_for_is_in_the_ledger() -> Result<()> {
    let world = World::start().await?;
    let (owner, id) = (Owner::start(&world).await?, make(&world.client).await?);
    let at_ms = now_ms() + 1;
    owner.failed(&world.tenant.id, &id, 8, at_ms).await?;
    until_shown(&world.client, &id, failures(8, at_ms)).await?;
    let view = world.replica.ledger.barrier().await?;
    let mut endpoint = view.endpoint(&id).context("it is there")?.entity.as_ref().clone();
    endpoint.status = "auto_disabled".into();
    endpoint.disabled_reason = Some("failing".into());
    (endpoint.consecutive_failures, endpoint.last_failure_at_ms) = (Some(9), Some(at_ms + 1));
    (endpoint.updated_at_ms, endpoint.disabled_at_ms) = (at_ms + 2, Some(at_ms + 2));
    world.replica.writer.put(Entity::from(endpoint), Some(1)).await?;
    assert_eq!(shown(&world.client, &id).await?, failures(9, at_ms + 1));
    owner.recovered(&id).await?;
    let witness = make(&world.client).await?;
    owner.failed(&world.tenant.id, &witness, 2, now_ms() + 1).await?;
    let deadline = Instant::now() + PATIENCE;
    while shown(&world.client, &witness).await? == none() {
        assert!(Instant::now() < deadline, "the topic isn't read");
        sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(shown(&world.client, &id).await?, failures(9, at_ms + 1));
    world.replica.stop().await
}
