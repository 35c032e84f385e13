//! What waits: room is given back, and what can't be read stops its own queue and nothing else.

use crate::support::{World, waiting};
use anyhow::{Context, Result};
use kafka_log::{Outgoing, RETRY_TIERS_SEC, Watermarks};
use runtime::clock::now_ms;
use schemas::{Delivery, Record};
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
    world.configure_schema(fingerprint, &schema).await?;
    let due: HashMap<String, i64> = [&newer, &behind]
        .into_iter()
        .map(|delivery| (delivery.delivery_id.clone(), delivery.due_at_ms))
        .collect();
    returns.each_once(&due, Duration::from_secs(1)).await?;
    running.stop().await
}
