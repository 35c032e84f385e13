//! What somebody has to mend, or at least to know: it is counted, and nothing is lost meanwhile.

use crate::bed::Bed;
use anyhow::Result;
use fanout::Source;
use kafka_log::Outgoing;
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

/// What this process has counted under this name, whatever the labels.
fn counted(name: &str) -> u64 {
    let rendered = runtime::metrics::install().render();
    let of_it = |line: &&str| line.starts_with(name);
    let value = |line: &str| line.rsplit_once(' ')?.1.parse::<u64>().ok();
    rendered.lines().filter(of_it).filter_map(value).sum()
}

fn event(tenant: &str) -> String {
    format!(r#"{{"type":"cases.created","tenant":"{tenant}","data":{{}}}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_brokers_refuse_is_written_once_it_is_mended() -> Result<()> {
    runtime::metrics::install();
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    bed.endpoint(&tenant, &["*"], |endpoint| endpoint.placement = "shared".into())
        .await?;
    let topic = bed.topic("refused", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    let lanes = bed.connection.names().lanes();
    let limit = async |bytes: &str| {
        bed.admin
            .set(&lanes, &[("max.message.bytes".into(), bytes.into())])
            .await
    };
    limit("100").await?;
    // A broker may take some before it obeys.
    let published = AtomicUsize::new(0);
    bed.until("it says that brokers refuse", async || {
        bed.publish(&topic, event(&tenant)).await?;
        published.fetch_add(1, Ordering::Relaxed);
        Ok(counted("hookline_blocked_total") > 0)
    })
    .await?;
    limit("2097152").await?;
    bed.settled(&topic).await?;
    let delivered: BTreeSet<_> = bed
        .lanes()
        .await?
        .into_iter()
        .map(|read| read.record.delivery_id)
        .collect();
    assert_eq!(delivered.len(), published.into_inner());
    running.stop().await?;
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_offsets_are_noticed() -> Result<()> {
    runtime::metrics::install();
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    let topic = bed.topic("expired", 1).await?;
    let sources = vec![Source::new(topic.as_str())];
    let running = bed.fanout(sources.clone()).await?;
    bed.publish(&topic, event(&tenant)).await?;
    bed.settled(&topic).await?;
    running.stop().await?;
    let running = bed.fanout(sources).await?;
    bed.publish(&topic, event(&tenant)).await?;
    bed.settled(&topic).await?;
    running.stop().await?;
    assert_eq!(
        counted("hookline_offsets_expired_total"),
        0,
        "neither a first start nor a restart"
    );
    bed.end().await?;

    // An installation whose log holds something, and whose group has no offsets.
    let bed = Bed::start().await?;
    let record = Outgoing::new(bed.connection.names().log(), 3, "evt_1", b"something".to_vec());
    bed.producer.write(&record).await?;
    let running = bed.fanout(Vec::new()).await?;
    bed.until(
        "it says so",
        async || Ok(counted("hookline_offsets_expired_total") == 1),
    )
    .await?;
    running.stop().await?;
    bed.end().await
}
