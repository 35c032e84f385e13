//! Circuits, `health`, and automatic disabling: by the role as it runs, on a real Kafka.

use crate::{
    receiver::{Answer, PATIENCE, Receiver},
    setup::{World, ids, sorted},
    tail::Tail,
};
use delivery_core::health::{AutoDisable, CircuitSettings};
use dispatcher::Options;
use kafka_log::{Item, ReadOptions, Reader, ReaderOptions, Start, TopicPartition};
use schemas::{DeadLetter, Endpoint, Health};
use std::time::Duration;
use tokio::sync::mpsc;

fn options(world: &World, probe_ms: i64) -> Options {
    Options {
        circuit: CircuitSettings {
            failures: 3,
            min_ms: 0,
            probe_ms: vec![probe_ms],
        },
        retry_schedule_sec: vec![1, 1, 1, 1, 1, 1, 600],
        ..world.options()
    }
}

async fn healths(world: &World) -> Tail<Health> {
    Tail::start(&world.connection, &[world.connection.names().health()]).await
}

async fn dead_letters(world: &World) -> Tail<DeadLetter> {
    Tail::start(&world.connection, &[world.connection.names().dlq()]).await
}

fn live(world: &World, endpoint: &Endpoint) -> Endpoint {
    let view = world.ledger.view();
    Endpoint::clone(view.endpoint(&endpoint.id).expect("it is there"))
}

async fn until_endpoint(world: &World, endpoint: &Endpoint, wanted: impl Fn(&Endpoint) -> bool) -> Endpoint {
    let mut changes = world.ledger.changes();
    let waited = tokio::time::timeout(PATIENCE, async {
        while !wanted(&live(world, endpoint)) {
            changes.recv().await.expect("few changes are made");
        }
    });
    assert!(waited.await.is_ok(), "it is {:#?}", live(world, endpoint));
    live(world, endpoint)
}

/// The first event in `ingest`.
async fn first_ingested(world: &World) -> serde_json::Value {
    let topic = world.connection.names().ingest();
    let reader = Reader::start(&world.connection, &ReaderOptions::new("ingest")).expect("a reader");
    let (sink, mut items) = mpsc::channel(16);
    for partition in 0..16 {
        let partition = TopicPartition::new(topic.as_str(), partition);
        let options = ReadOptions::new(Start::Beginning);
        reader
            .add(partition, options, sink.clone())
            .await
            .expect("it can be read");
    }
    let came = tokio::time::timeout(PATIENCE, items.recv()).await;
    let Ok(Some(Item::Record(record))) = came else {
        panic!("no event was published: {came:?}");
    };
    serde_json::from_slice(record.value.as_deref().unwrap_or_default()).expect("it is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_circuit_lets_probes_through_and_closes_when_one_succeeds() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answers("/", Answer::status(503));
    let health = healths(&world).await;
    let retries = world.retries().await;
    let endpoint = world.endpoint(receiver.url("/"), |e| e.max_in_flight = Some(1)).await;
    let deliveries = world.deliveries(&endpoint, 12);
    world.publish(&deliveries).await;
    let instance = world.instance_with(options(&world, 1_500)).await;
    health.until(1, |h| h.circuit == "open").await;
    // Three attempts opened it; one of the others waits to be the probe, the rest are put off without an attempt.
    retries
        .until(8, |d| d.cause == "deferral" && d.attempts_made == 0)
        .await;
    receiver.until("/", 4).await;
    let hits = receiver.hits("/");
    let waited = hits[3].at - hits[2].at;
    assert!(
        waited >= Duration::from_millis(1_400),
        "the probe came after {waited:?}"
    );
    health.until(1, |h| h.circuit == "open" && h.probes_made == 1).await;
    receiver.answers("/", Answer::status(200));
    world.publish(&world.deliveries(&endpoint, 1)).await;
    health.until_tombstone(&endpoint.id).await;
    world.until_committed(&endpoint, 13).await;
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dedicated_endpoints_deliveries_wait_for_the_probe_in_their_topic() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answers("/", Answer::status(503));
    let retries = world.retries().await;
    let endpoint = world
        .endpoint(receiver.url("/"), |e| {
            e.placement = "dedicated".into();
            e.max_in_flight = Some(1);
        })
        .await;
    let deliveries = world.deliveries(&endpoint, 8);
    world.publish(&deliveries).await;
    let health = healths(&world).await;
    let instance = world.instance_with(options(&world, 1_000)).await;
    health.until(1, |h| h.circuit == "open").await;
    receiver.answers("/", Answer::status(200));
    health.until_tombstone(&endpoint.id).await;
    receiver.until("/", 8).await;
    world.until_committed(&endpoint, 8).await;
    assert!(
        retries.all().iter().all(|d| d.record.cause == "retry"),
        "none left its topic untried"
    );
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_owner_finds_the_circuit_open() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answers("/", Answer::status(503));
    let health = healths(&world).await;
    let endpoint = world.endpoint(receiver.url("/"), |e| e.max_in_flight = Some(1)).await;
    world.publish(&world.deliveries(&endpoint, 3)).await;
    let instance = world.instance_with(options(&world, 600_000)).await;
    health.until(1, |h| h.circuit == "open").await;
    instance.end().await;
    let retries = world.retries().await;
    let more = world.deliveries(&endpoint, 5);
    world.publish(&more).await;
    let instance = world.instance_with(options(&world, 600_000)).await;
    // One waits to be the probe.
    retries
        .until(4, |d| d.cause == "deferral" && d.attempts_made == 0)
        .await;
    assert_eq!(receiver.hits("/").len(), 3, "nothing was sent that the circuit forbids");
    // Whoever changes it has mended it.
    receiver.answers("/", Answer::status(200));
    world.set_status(&endpoint, "active").await;
    receiver.until("/", 4).await;
    health.until_tombstone(&endpoint.id).await;
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_circuit_never_lengthens_a_life() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answers("/", Answer::status(503));
    let letters = dead_letters(&world).await;
    let dedicated = world
        .endpoint(receiver.url("/"), |e| {
            e.placement = "dedicated".into();
            e.max_in_flight = Some(1);
            e.retry_schedule_sec = Some(vec![1, 1]);
        })
        .await;
    let deliveries = world.deliveries(&dedicated, 8);
    world.publish(&deliveries).await;
    let instance = world.instance_with(options(&world, 600_000)).await;
    // Three were tried, and their retries come back by nobody: there is no scheduler here.
    let dead = letters.until(5, |l: &DeadLetter| l.reason == "retries_exhausted").await;
    assert!(dead.iter().all(|l| l.record.delivery.attempts_made == 0));
    assert_eq!(receiver.hits("/").len(), 3);
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_410_disables_and_its_delivery_is_dead_as_gone() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answers("/", Answer::status(410));
    let letters = dead_letters(&world).await;
    let endpoint = world.endpoint(receiver.url("/"), |e| e.max_in_flight = Some(1)).await;
    let spared = world
        .endpoint(receiver.url("/"), |e| {
            e.disable_on_gone = false;
            e.max_in_flight = Some(1);
        })
        .await;
    let mut deliveries = world.deliveries(&endpoint, 1);
    deliveries.extend(world.deliveries(&spared, 1));
    world.publish(&deliveries).await;
    let instance = world.instance().await;
    letters.until(1, |l| l.reason == "gone").await;
    letters.until(1, |l| l.reason == "rejected_by_receiver").await;
    let disabled = until_endpoint(&world, &endpoint, |e| e.status == "auto_disabled").await;
    assert_eq!(disabled.disabled_reason.as_deref(), Some("gone"));
    assert_eq!(disabled.consecutive_failures, Some(1));
    assert!(disabled.disabled_at_ms.is_some() && disabled.last_failure_at_ms.is_some());
    let later = world.deliveries(&endpoint, 3);
    world.publish(&later).await;
    let dead = letters.until(3, |l| l.reason == "endpoint_disabled").await;
    let dead: Vec<String> = dead.iter().map(|l| l.record.delivery.delivery_id.clone()).collect();
    assert_eq!(sorted(dead), ids(&later));
    assert_eq!(live(&world, &spared).status, "active");
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_without_a_success_disable_and_the_tenant_is_told_once() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answers("/bad", Answer::status(404));
    let endpoint = world.endpoint(receiver.url("/bad"), |_: &mut Endpoint| {}).await;
    world.publish(&world.deliveries(&endpoint, 6)).await;
    let options = Options {
        auto_disable: AutoDisable {
            failures: 5,
            without_success_ms: 0,
        },
        ..world.options()
    };
    let instance = world.instance_with(options).await;
    let disabled = until_endpoint(&world, &endpoint, |e| e.status == "auto_disabled").await;
    assert_eq!(disabled.disabled_reason.as_deref(), Some("failing"));
    assert!(disabled.consecutive_failures >= Some(5));
    let event = first_ingested(&world).await;
    assert_eq!(event["type"], "webhook.endpoint.auto_disabled");
    assert_eq!(event["data"]["endpointId"], endpoint.id);
    assert_eq!(event["data"]["url"], endpoint.url);
    assert_eq!(
        event["data"]["consecutiveFailures"],
        disabled.consecutive_failures.expect("it is set")
    );
    instance.end().await;
    world.end().await;
}
