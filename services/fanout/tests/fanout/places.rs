//! Where deliveries go: by the endpoint's state and placement.

use crate::bed::{Bed, LANES};
use anyhow::{Context, Result};
use delivery_core::murmur2::partition;
use fanout::Source;
use ledger::{Entity, entities};
use schemas::{DeadLetter, Delivery};
use std::time::Duration;

fn event(id: &str, tenant: &str) -> String {
    format!(r#"{{"id":"{id}","type":"cases.created","tenant":"{tenant}","data":{{}}}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn states_decide_as_the_table_says() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    let with_status = async |status: &str| bed.endpoint(&tenant, &["*"], |e| e.status = status.into()).await;
    let active = with_status("active").await?;
    let paused = with_status("paused").await?;
    let disabled = with_status("disabled").await?;
    let auto_disabled = with_status("auto_disabled").await?;
    let topic = bed.topic("states", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    bed.publish(&topic, event("e", &tenant)).await?;
    bed.settled(&topic).await?;

    let mut sent: Vec<_> = bed.lanes().await?.into_iter().map(|d| d.record.endpoint_id).collect();
    sent.sort();
    let mut waiting = vec![active.clone(), paused.clone()];
    waiting.sort();
    assert_eq!(sent, waiting);
    let dead = bed.read::<DeadLetter>(&bed.connection.names().dlq()).await?;
    let [dead] = &dead[..] else {
        panic!("one dead letter, not {}", dead.len())
    };
    let letter = &dead.record;
    assert_eq!(
        (letter.reason.as_str(), &letter.delivery.endpoint_id),
        ("endpoint_disabled", &auto_disabled)
    );
    assert!(
        !letter.delivery.body.is_empty(),
        "complete, so that it can be sent again"
    );
    assert_eq!(dead.key, letter.delivery.delivery_id.as_bytes());
    assert_eq!(dead.partition, partition(&dead.key, 8));

    let log = bed.log().await?;
    assert!(log.iter().all(|l| l.partition == partition(b"e", 16) && l.key == b"e"));
    let settled: Vec<_> = log.iter().filter_map(|l| l.record.settled.as_ref()).collect();
    let [settled] = &settled[..] else {
        panic!("one end, not {}", settled.len())
    };
    assert_eq!(
        (settled.outcome.as_str(), settled.reason.as_str()),
        ("dead", "endpoint_disabled")
    );
    assert_eq!(settled.delivery_id, letter.delivery.delivery_id);
    let matched = &bed.matched().await?[0].1;
    assert!(matched.contains(&auto_disabled) && !matched.contains(&disabled));

    // Deleted: the next event is for nobody there.
    let view = ledger::Ledger::start(&bed.connection).await?.view();
    let marker = entities::deleted_marker(view.endpoint(&active).context("it was made")?, 1);
    bed.writer.put(Entity::from(marker), None).await?;
    bed.publish(&topic, event("after", &tenant)).await?;
    bed.settled(&topic).await?;
    let (_, endpoints, _) = bed
        .matched()
        .await?
        .into_iter()
        .find(|(id, ..)| id == "after")
        .context("it is logged")?;
    assert!(endpoints.contains(&paused) && !endpoints.contains(&active));
    running.stop().await?;
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_nobody_is_logged_as_read() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    // Read beside the configured sources, always.
    let topic = bed.connection.names().ingest();
    let running = bed.fanout(Vec::new()).await?;
    bed.publish(&topic, event("e", &tenant)).await?;
    bed.settled(&topic).await?;
    let [(id, endpoints, of)] = &bed.matched().await?[..] else {
        panic!("one record")
    };
    assert_eq!((id.as_str(), endpoints.len(), of.chunks), ("e", 0, 1));
    running.stop().await?;
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dedicated_endpoint_has_its_own_topic_and_its_loss_stops_nobody() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    let dedicated = bed
        .endpoint(&tenant, &["*"], |e| e.placement = "dedicated".into())
        .await?;
    let shared = bed.endpoint(&tenant, &["*"], |_| {}).await?;
    let topic = bed.topic("placement", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    bed.publish(&topic, event("first", &tenant)).await?;
    bed.settled(&topic).await?;
    let own = bed.connection.names().endpoint(&dedicated, 1);
    let in_own = bed.read::<Delivery>(&own).await?;
    assert_eq!(
        in_own.iter().map(|d| d.record.endpoint_id.as_str()).collect::<Vec<_>>(),
        [dedicated.as_str()]
    );
    assert_eq!(bed.lanes().await?.len(), 1);

    // Someone deleted the topic by hand, and the brokers have heard of it: until then they take what would be lost.
    bed.admin.delete(&own).await?;
    while !bed.admin.topics(&own).await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bed.publish(&topic, event("second", &tenant)).await?;
    bed.settled(&topic).await?;
    let returns = bed.read::<Delivery>(&bed.connection.names().returns()).await?;
    let [delivery] = &returns[..] else {
        panic!("one delivery, not {}", returns.len())
    };
    assert_eq!(
        (&delivery.record.endpoint_id, delivery.record.event_id.as_str()),
        (&dedicated, "second")
    );
    assert_eq!(delivery.partition, partition(dedicated.as_bytes(), LANES));
    let lanes = bed.lanes().await?;
    let to_shared = lanes.iter().filter(|d| d.record.endpoint_id == shared).count();
    assert_eq!((lanes.len(), to_shared), (2, 2), "written once each");
    running.stop().await?;
    bed.end().await
}
