//! Offsets: what is committed is not read again, what a member loses is read by the next, and how far the ledger is
//! taken into account is told also by idle partitions.

use crate::bed::Bed;
use anyhow::{Context, Result};
use fanout::{Options, Source, StartAt};
use kafka_log::Outgoing;
use std::collections::HashMap;

fn event(id: &str, tenant: &str) -> String {
    format!(r#"{{"id":"{id}","type":"cases.created","tenant":"{tenant}","data":{{}}}}"#)
}

fn version(metadata: &str) -> Result<i64> {
    Ok(metadata
        .strip_prefix("v1|")
        .with_context(|| format!("metadata {metadata:?}"))?
        .parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_reads_nothing_that_was_committed() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    bed.endpoint(&tenant, &["*"], |_| {}).await?;
    let topic = bed.topic("restart", 2).await?;
    let sources = vec![Source::new(topic.as_str())];
    let running = bed.fanout(sources.clone()).await?;
    let all: Vec<_> = (0..400)
        .map(|n| Outgoing::new(topic.as_str(), n % 2, "k", event(&n.to_string(), &tenant).into()))
        .collect();
    bed.producer.write_all(&all).await?;
    bed.settled(&topic).await?;
    running.stop().await?;
    let running = bed.fanout(sources).await?;
    bed.publish(&topic, event("last", &tenant)).await?;
    bed.settled(&topic).await?;
    running.stop().await?;
    assert_eq!(bed.matched().await?.len(), 401, "each event once");
    assert_eq!(bed.lanes().await?.len(), 401);
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_partition_reports_the_ledgers_version() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    let topic = bed.topic("idle", 2).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    bed.publish(&topic, event("e", &tenant)).await?;
    bed.settled(&topic).await?;
    let before = version(&bed.committed(&topic).await?[0].1)?;
    let matched = bed.matched().await?;
    assert!(before >= matched[0].2.ledger_version && matched[0].2.ledger_version > 0);
    bed.endpoint(&tenant, &["*"], |_| {}).await?;
    bed.until("both partitions report it", async || {
        let all = bed.committed(&topic).await?;
        Ok(all.len() == 2
            && all
                .iter()
                .all(|(_, metadata)| version(metadata).is_ok_and(|v| v > before)))
    })
    .await?;
    running.stop().await?;
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_nothing_is_lost_when_members_come_and_go() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    bed.endpoint(&tenant, &["*"], |_| {}).await?;
    let topic = bed.topic("members", 4).await?;
    let sources = vec![Source::new(topic.as_str())];
    let first = bed.fanout(sources.clone()).await?;
    let publish = async |from: i32| -> Result<()> {
        for n in from..from + 3_000 {
            let record = Outgoing::new(topic.as_str(), n % 4, "k", event(&n.to_string(), &tenant).into());
            bed.producer.send(&record).await?.await?;
        }
        Ok(())
    };
    let mut second = None;
    let mut third = None;
    tokio::try_join!(publish(0), publish(3_000), async {
        second = Some(bed.fanout(sources.clone()).await?);
        third = Some(bed.fanout(sources.clone()).await?);
        first.stop().await
    })?;
    bed.settled(&topic).await?;
    let mut times: HashMap<String, usize> = HashMap::new();
    for delivery in bed.lanes().await? {
        *times.entry(delivery.record.event_id).or_default() += 1;
    }
    assert_eq!(times.len(), 6_000, "every event is delivered");
    let repeated: usize = times.values().map(|n| n - 1).sum();
    // A member that goes finishes and commits what is under way, within a second: none on a machine with time to spare,
    // at most the batch under way of each partition otherwise.
    println!("repeated: {repeated}");
    let batches = 4 * Options::default().batch.max_records;
    assert!(
        repeated <= batches,
        "{repeated} repeated, at most {batches} were under way"
    );
    for running in [second, third].into_iter().flatten() {
        running.stop().await?;
    }
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_begins_where_its_setting_says() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    let (latest, timed) = (bed.topic("latest", 1).await?, bed.topic("timed", 1).await?);
    for topic in [&latest, &timed] {
        bed.publish(topic, event("old", &tenant)).await?;
    }
    // Timestamps have milliseconds: the next one must be later.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let from = runtime::clock::now_ms();
    bed.publish(&timed, event("timed", &tenant)).await?;
    let sources = vec![
        Source {
            start: StartAt::Latest,
            ..Source::new(latest.as_str())
        },
        Source {
            start: StartAt::Time(from),
            ..Source::new(timed.as_str())
        },
    ];
    let running = bed.fanout(sources.clone()).await?;
    bed.until("the start is committed", async || {
        Ok(bed.committed(&latest).await?[0].0 == Some(1))
    })
    .await?;
    running.stop().await?;
    // Published while nobody reads: the start was decided before.
    bed.publish(&latest, event("new", &tenant)).await?;
    let running = bed.fanout(sources).await?;
    bed.settled(&latest).await?;
    bed.settled(&timed).await?;
    let mut ids: Vec<_> = bed.matched().await?.into_iter().map(|(id, ..)| id).collect();
    ids.sort();
    assert_eq!(ids, ["new", "timed"]);
    running.stop().await?;
    bed.end().await
}
