//! What an endpoint's state means for what waits for it, and where its deliveries belong.

use crate::{
    receiver::{Answer, Receiver},
    setup::{World, ids, sorted},
    tail::Tail,
};
use dispatcher::Options;
use ledger::seal_signing_secret;
use schemas::{DeadLetter, Delivery, Endpoint};
use signing::SigningSecret;
use std::time::Duration;

fn dedicated(endpoint: &mut Endpoint) {
    endpoint.placement = "dedicated".into();
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_shared_ones_are_deferred_and_dedicated_ones_wait_and_flow_at_once() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let retries = world.retries().await;
    let shared = world
        .endpoint(receiver.url("/shared"), |e| e.status = "paused".into())
        .await;
    let own = world.endpoint(receiver.url("/own"), |e| {
        dedicated(e);
        e.status = "paused".into();
    });
    let own = own.await;
    let waiting = world.deliveries(&shared, 3);
    world.publish(&waiting).await;
    let mine = world.deliveries(&own, 3);
    world.publish(&mine).await;
    let instance = world.instance().await;
    for written in retries.until(3, |_| true).await {
        let deferred = written.record;
        assert!(ids(&waiting).contains(&deferred.delivery_id));
        assert_eq!(
            (deferred.cause.as_str(), deferred.attempts_made, deferred.schedule_index),
            ("deferral", 0, 0)
        );
        assert!(deferred.due_at_ms - deferred.wait_since_ms >= 5_000);
    }
    world.until_committed(&shared, 3).await;
    assert_eq!(
        world.committed(&own).await.0,
        Some(0),
        "what waits in its own topic is not done"
    );
    world.set_status(&own, "active").await;
    receiver.until("/own", 3).await;
    world.until_committed(&own, 3).await;
    assert_eq!(sorted(receiver.ids("/own")), ids(&mine));
    assert!(receiver.hits("/shared").is_empty());
    assert_eq!(retries.all().len(), 3, "the dedicated one's never left their topic");
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_paused_endpoint_in_its_own_topic_expires_there() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let dead = Tail::<DeadLetter>::start(&world.connection, &[world.connection.names().dlq()]).await;
    let own = world.endpoint(receiver.url("/own"), |e| {
        dedicated(e);
        e.status = "paused".into();
    });
    let own = own.await;
    let options = Options {
        max_age: Duration::from_secs(3_600),
        ..world.options()
    };
    let instance = world.instance_with(options).await;
    // It is read from here on.
    world.until_committed(&own, 0).await;
    let mut waiting = world.deliveries(&own, 4);
    for (number, delivery) in waiting.iter_mut().enumerate() {
        // The last one has its time.
        let left_ms = if number == 3 { 3_000_000 } else { 2_000 };
        delivery.matched_at_ms -= 3_600_000 - left_ms;
    }
    world.publish(&waiting).await;
    let letters = dead.until(3, |_| true).await;
    let mut buried = Vec::new();
    for written in letters {
        let letter = written.record;
        assert_eq!((letter.reason.as_str(), letter.delivery.attempts_made), ("expired", 0));
        buried.push(letter.delivery.delivery_id);
    }
    assert_eq!(sorted(buried), ids(&waiting[..3]));
    world.until_committed(&own, 3).await;
    world.set_status(&own, "active").await;
    receiver.until("/own", 1).await;
    assert_eq!(receiver.ids("/own"), ids(&waiting[3..]));
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_memory_follows_a_change_of_its_endpoint() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/", answer);
    let retries = world.retries().await;
    let endpoint = world.endpoint(receiver.url("/"), |e| e.max_in_flight = Some(1)).await;
    let deliveries = world.deliveries(&endpoint, 4);
    world.publish(&deliveries).await;
    let instance = world.instance().await;
    receiver.until("/", 1).await;
    world.set_status(&endpoint, "paused").await;
    retries.until(3, |d| d.cause == "deferral").await;
    gate.add_permits(1);
    world.until_committed(&endpoint, 4).await;
    assert_eq!(receiver.ids("/"), [deliveries[0].delivery_id.clone()]);
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_means_dead_and_deleted_or_unknown_means_cancelled() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (log, dead) = (
        world.log().await,
        Tail::<DeadLetter>::start(&world.connection, &[world.connection.names().dlq()]).await,
    );
    let mut buried = Vec::new();
    let mut cancelled = Vec::new();
    for placement in ["shared", "dedicated"] {
        for status in ["disabled", "auto_disabled", "deleted"] {
            let url = receiver.url("/never");
            let endpoint = world.endpoint(url, |e| e.placement = placement.into()).await;
            let deliveries = world.deliveries(&endpoint, 2);
            world.publish(&deliveries).await;
            world.set_status(&endpoint, status).await;
            if status == "deleted" {
                cancelled.extend(deliveries);
            } else {
                buried.extend(deliveries);
            }
        }
    }
    let mut unknown = Endpoint::clone(&world.endpoint(receiver.url("/never"), |_| ()).await);
    unknown.id = "wh_nobody".into();
    let lost = world.deliveries(&unknown, 1);
    world.publish_to_lanes(&lost).await;
    cancelled.extend(lost);
    let instance = world.instance().await;

    for written in dead.until(buried.len(), |_| true).await {
        assert_eq!(written.record.reason, "endpoint_disabled");
        assert!(ids(&buried).contains(&written.record.delivery.delivery_id));
    }
    let settled = log.until(buried.len() + cancelled.len(), |r| r.settled.is_some()).await;
    for settled in settled.into_iter().filter_map(|w| w.record.settled) {
        let wanted = if ids(&cancelled).contains(&settled.delivery_id) {
            ("cancelled", "endpoint_deleted")
        } else {
            ("dead", "endpoint_disabled")
        };
        assert_eq!((settled.outcome.as_str(), settled.reason.as_str()), wanted);
    }
    assert_eq!(dead.all().len(), buried.len());
    instance.end().await;
    assert!(receiver.hits("/never").is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_what_is_read_where_its_endpoint_no_longer_lives_is_forwarded_and_sent_once() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let own = world.endpoint(receiver.url("/own"), dedicated).await;
    let paused = world.endpoint(receiver.url("/paused"), |e| {
        dedicated(e);
        e.status = "paused".into();
    });
    let paused = paused.await;
    let deliveries = world.deliveries(&own, 5);
    let kept = world.deliveries(&paused, 5);
    world.publish_to_lanes(&deliveries).await;
    world.publish_to_lanes(&kept).await;
    let names = world.connection.names();
    let topics = [&own, &paused].map(|e| names.endpoint(&e.id, e.dedicated_topic.unwrap_or(0)));
    let forwarded = Tail::<Delivery>::start(&world.connection, &topics).await;
    let instance = world.instance().await;
    let forwarded = forwarded
        .until(10, |_| true)
        .await
        .into_iter()
        .map(|w| w.record.delivery_id)
        .collect();
    assert_eq!(sorted(forwarded), ids(&[deliveries.clone(), kept].concat()));
    receiver.until("/own", 5).await;
    world.until_committed(&own, 5).await;
    instance.end().await;
    assert_eq!(sorted(receiver.ids("/own")), ids(&deliveries));
    assert!(receiver.hits("/paused").is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_come_while_it_runs_are_read() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let instance = world.instance().await;
    let first = world.endpoint(receiver.url("/"), |_| ()).await;
    world.publish(&world.deliveries(&first, 1)).await;
    receiver.until("/", 1).await;
    let own = world.endpoint(receiver.url("/own"), dedicated).await;
    world.publish(&world.deliveries(&own, 3)).await;
    receiver.until("/own", 3).await;
    instance.end().await;
    world.end().await;
}

/// Nothing is sent unsigned, and nothing is lost: what was deferred for a minute is sent once the secret is usable.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_usable_secret_nothing_is_sent_or_lost() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let retries = world.retries().await;
    let strange = ledger::Keyring::new(&ledger::Keyring::generate_key(), &[]).expect("a key");
    let secret = SigningSecret::generate().expose();
    let endpoint = world
        .endpoint(receiver.url("/"), |e| seal_signing_secret(e, &strange, &secret))
        .await;
    world.publish(&world.deliveries(&endpoint, 1)).await;
    let instance = world.instance().await;
    let deferred = retries.one(|_| true).await.record;
    assert_eq!((deferred.cause.as_str(), deferred.attempts_made), ("deferral", 0));
    let mut mended = endpoint.clone();
    seal_signing_secret(&mut mended, &world.keyring, &secret);
    world.put(&mended).await;
    world.give_back(&[deferred]).await;
    receiver.until("/", 1).await;
    instance.end().await;
    world.end().await;
}

/// The janitor removes a deleted endpoint's topic: those that are left are served by who reads already, and by who comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_removed_disturbs_nobody() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let gone = world.endpoint(receiver.url("/gone"), dedicated).await;
    let own = world.endpoint(receiver.url("/own"), dedicated).await;
    let options = dispatcher::Options {
        truncate_every: std::time::Duration::from_millis(200),
        ..world.options()
    };
    let first = world.instance_with(options).await;
    world.publish(&world.deliveries(&gone, 1)).await;
    receiver.until("/gone", 1).await;
    world.until_committed(&gone, 1).await;
    world.set_status(&gone, "deleted").await;
    let admin = kafka_log::Admin::new(&world.connection).expect("an admin client");
    let topic = world
        .connection
        .names()
        .endpoint(&gone.id, gone.dedicated_topic.unwrap_or(0));
    assert!(admin.delete(&topic).await.expect("the topic is deleted"));
    world.publish(&world.deliveries(&own, 10)).await;
    world.until_committed(&own, 10).await;
    first.end().await;
    world.publish(&world.deliveries(&own, 10)).await;
    let second = world.instance().await;
    world.until_committed(&own, 20).await;
    second.end().await;
    assert_eq!(receiver.hits("/own").len(), 20);
    world.end().await;
}
