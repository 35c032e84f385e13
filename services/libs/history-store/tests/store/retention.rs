//! What is past its retention goes, with what it adds to counters; what somebody still works on stays.

use crate::{
    on_both,
    support::{Bed, TENANT, attempt, delivery_id, matched, rejected, replayed},
};
use anyhow::Result;
use schemas::AttemptResult;

on_both!(what_is_old_goes_and_what_is_alive_stays);

async fn what_is_old_goes_and_what_is_alive_stays(bed: Bed) -> Result<()> {
    let mut records = Vec::new();
    for event in 0..600 {
        records.push(matched(event, 1_000, &["wh_a"]));
        records.push(attempt(event, "wh_a", 1_010, 1, AttemptResult::Delivered));
    }
    records.push(replayed(7, "wh_a", 9_000, "cli"));
    records.push(matched(1_000, 9_000, &["wh_a"]));
    records.push(matched(1_001, 1_000, &[]));
    records.extend([rejected(2_000, 1_000, "old"), rejected(2_001, 9_000, "new")]);
    bed.write(None, &records).await?;

    assert_eq!(bed.store.prune(500).await?, 0, "nothing is as old as that");
    // 599 deliveries, their events, the event that matched nothing, and the one that was rejected.
    assert_eq!(bed.store.prune(5_000).await?, 599 * 2 + 2);
    assert!(bed.store.rejection(TENANT, "evt_2000").await?.is_none());
    assert!(bed.store.rejection(TENANT, "evt_2001").await?.is_some());
    let rest: Vec<_> = bed.all().await?.into_iter().map(|row| row.id).collect();
    assert_eq!(rest, [delivery_id(7, "wh_a"), delivery_id(1_000, "wh_a")]);
    assert!(
        bed.store.event(TENANT, "evt_7").await?.is_some(),
        "its delivery needs it"
    );
    assert!(bed.store.event(TENANT, "evt_1001").await?.is_none());
    let counters = bed.store.counters(&["wh_a"]).await?["wh_a"].clone();
    assert_eq!((counters.pending, counters.delivered), (2, 0));
    assert_eq!(bed.store.prune(5_000).await?, 0);
    Ok(())
}
