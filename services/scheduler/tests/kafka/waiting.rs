//! What waits: room is given back, and what can't be read stops its own queue and nothing else.

use crate::support::{World, counted, waiting};
use anyhow::{Context, Result};
use kafka_log::{Outgoing, RETRY_TIERS_SEC, Watermarks};
use runtime::clock::now_ms;
use schemas::{Delivery, Record, Rejected};
use std::{collections::HashMap, time::Duration};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_released_is_deleted() -> Result<()> {
    let world = World::new().await?;
    let mut returns = world.returns().await?;
    let mut options = world.options();
    options.truncate_every = Duration::from_millis(500);
    let due = world.wait(&[1_500; 100]).await?;
    let running = world.start(options).await?;
    returns.each_once(&due, Duration::ZERO).await?;
    let watermarks = Watermarks::new(&world.connection)?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let mut kept = 0;
        let mut written = 0;
        for tier in RETRY_TIERS_SEC {
            for partition in 0..8 {
                let (first, end) = watermarks
                    .range(&world.connection.names().retry(tier), partition)
                    .await?;
                written += end;
                // A transaction's last marker may stay.
                kept += (end - first - 1).max(0);
            }
        }
        assert!(written >= 100);
        if kept == 0 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{kept} records are still kept");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.stop().await
}

/// A record as a later version would write it: one more field, known by a schema of its own.
fn of_a_newer_build(delivery: &Delivery) -> Result<(u64, String, Vec<u8>)> {
    let field = r#"{"name": "added_later", "type": "string", "default": ""}"#;
    let end = Delivery::avsc()
        .rfind(']')
        .context("a record schema ends with its fields")?;
    let schema = format!("{}, {field}{}", &Delivery::avsc()[..end], &Delivery::avsc()[end..]);
    let (fingerprint, _) = schemas::codec::parse_schema(&schema)?;
    let mut value = schemas::encode(delivery)?;
    value[2..10].copy_from_slice(&fingerprint.to_le_bytes());
    value.extend([4, b'o', b'k']);
    Ok((fingerprint, schema, value))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_schema_blocks_until_it_is_known_and_is_never_skipped() -> Result<()> {
    let world = World::new().await?;
    let mut returns = world.returns().await?;
    let running = world.start(world.options()).await?;
    let put = async |wait_ms: i64| -> Result<Delivery> {
        let mut delivery = waiting(now_ms(), now_ms() + wait_ms);
        delivery.endpoint_id = "wh_same".into();
        Ok(delivery)
    };
    let newer = put(1_000).await?;
    let (fingerprint, schema, value) = of_a_newer_build(&newer)?;
    let behind = put(1_000).await?;
    let elsewhere = put(2_000).await?;
    let send = |delivery: &Delivery, value: Vec<u8>| -> Result<Outgoing> { world.to_retry(delivery, value) };
    world.producer.write(&send(&newer, value)?).await?;
    world.producer.write(&send(&behind, schemas::encode(&behind)?)?).await?;
    world
        .producer
        .write(&send(&elsewhere, schemas::encode(&elsewhere)?)?)
        .await?;

    let patience = Duration::from_secs(30);
    let released = returns
        .next(patience)
        .await?
        .context("another tier of the same partition goes on")?;
    assert_eq!(released.delivery.delivery_id, elsewhere.delivery_id);
    // Other partitions go on, for longer than a member that doesn't answer stays in the group.
    let others = world.wait(&[9_000; 40]).await?;
    returns.each_once(&others, Duration::ZERO).await?;
    let why = [("why", "unknown_schema")];
    assert!(
        counted("hookline_blocked_total", &why) > 1,
        "it says so again and again"
    );

    let slowness = world.slowness();
    world.configure_schema(fingerprint, &schema).await?;
    let known_ms = now_ms();
    let due: HashMap<String, i64> = [&newer, &behind]
        .into_iter()
        .map(|delivery| (delivery.delivery_id.clone(), delivery.due_at_ms))
        .collect();
    let all = returns.each_once(&due, Duration::from_secs(1)).await?;
    let at_most_ms = 4_000 + slowness.allowance_ms().await?;
    for released in all {
        let took_ms = released.at_ms - known_ms;
        assert!(
            took_ms < at_most_ms,
            "{took_ms} ms, of at most {at_most_ms}: an evicted member would have had to join again"
        );
    }
    running.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_delivery_goes_to_the_rejected_topic_and_holds_nothing_up() -> Result<()> {
    let world = World::new().await?;
    let mut returns = world.returns().await?;
    let running = world.start(world.options()).await?;
    let delivery = waiting(now_ms(), now_ms() + 1_000);
    let sound = schemas::encode(&delivery)?;
    let damaged = [b"not ours".to_vec(), sound[..sound.len() - 3].to_vec(), Vec::new()];
    for value in &damaged {
        world.producer.write(&world.to_retry(&delivery, value.clone())?).await?;
    }
    world.producer.write(&world.to_retry(&delivery, sound)?).await?;
    let released = returns
        .next(Duration::from_secs(30))
        .await?
        .context("what follows them")?;
    assert_eq!(released.delivery.delivery_id, delivery.delivery_id);

    let rejected: Vec<Rejected> = world.rejected(damaged.len()).await?;
    for (offset, (rejected, value)) in rejected.iter().zip(&damaged).enumerate() {
        assert_eq!((rejected.reason.as_str(), &rejected.value), ("unreadable", value));
        let origin = &rejected.origin;
        assert_eq!(origin.topic, world.connection.names().retry(1));
        assert_eq!(usize::try_from(origin.offset)?, offset);
    }
    running.stop().await
}

/// A successor knows from the commit's metadata what has left out of turn. The one that hasn't is due so much later than
/// the others that no machine is too slow to hand over meanwhile, and nothing is waited for by time: what comes back before
/// a delivery that was written after all others is all that can come back.
#[tokio::test(flavor = "multi_thread")]
async fn what_left_out_of_turn_is_not_released_again() -> Result<()> {
    let world = World::new().await?;
    let mut returns = world.returns().await?;
    // All in the slow one's topic, wherever their own waits would have put them: real ones are due by at most a twentieth
    // before their elders.
    let put = async |waits_ms: &[i64]| -> Result<HashMap<String, i64>> {
        let (mut due, mut records) = (HashMap::new(), Vec::new());
        for wait_ms in waits_ms {
            let mut delivery = waiting(now_ms(), now_ms() + wait_ms);
            delivery.endpoint_id = "wh_same".into();
            let mut record = world.to_retry(&delivery, schemas::encode(&delivery)?)?;
            record.topic = world.connection.names().retry(32);
            records.push(record);
            due.insert(delivery.delivery_id, delivery.due_at_ms);
        }
        world.producer.write_all(&records).await?;
        Ok(due)
    };
    let first = world.start(world.options()).await?;
    // It passes when everything is up.
    let passing = put(&[1_001]).await?;
    returns.each_once(&passing, Duration::ZERO).await?;
    let mut slow = put(&[32_000]).await?;
    let mut quick = put(&[1_001; 10]).await?;
    while !quick.is_empty() {
        let released = returns.next(Duration::from_secs(60)).await?;
        let released = released.with_context(|| format!("{} are not released", quick.len()))?;
        let due_ms = quick.remove(&released.delivery.delivery_id);
        let due_ms = due_ms.context("it was released before, or is the slow one, which they must not wait for")?;
        assert!(released.at_ms >= due_ms, "early");
    }
    first.stop().await?;

    let second = world.start(world.options()).await?;
    // The second reads it after the quick ones. Had it forgotten that those have left, they would be due before it.
    slow.extend(put(&[1_001]).await?);
    for released in returns.each_once(&slow, Duration::ZERO).await? {
        assert!(released.at_ms >= slow[&released.delivery.delivery_id], "early");
    }
    second.stop().await
}

/// What brokers refuse until somebody mends it is tried again, and it is counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_seen_and_ends_when_it_is_mended() -> Result<()> {
    let world = World::new().await?;
    let mut returns = world.returns().await?;
    let running = world.start(world.options()).await?;
    world.limit_returns(Some("100")).await?;
    let mut due = HashMap::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while counted("hookline_blocked_total", &[("why", "refused")])
        + counted("hookline_blocked_total", &[("why", "too_large")])
        == 0
    {
        assert!(tokio::time::Instant::now() < deadline, "nobody says so");
        // Brokers obey a changed setting a moment later: more come until one meets it.
        due.extend(world.wait(&[1_000]).await?);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.limit_returns(None).await?;
    returns.each_once(&due, Duration::from_secs(1)).await?;
    running.stop().await
}
