//! From the log into rows: once, in whatever order, by whoever is first.

use crate::{
    on_both,
    support::{Bed, INSTALLATION, TENANT, attempt, delivery_id, matched, rejected, replayed, settled},
};
use anyhow::Result;
use history_store::{Error, Status, Store};
use schemas::{AttemptResult, LogRecord};

on_both!(
    a_life_becomes_one_row
    any_order_and_any_batches_give_the_same_rows
    a_batch_counts_once_and_a_second_process_is_told
    counters_are_what_the_rows_are
    another_installation_is_refused
    many_rows_go_in_one_batch
    the_last_word_of_a_rejection_stays
);

fn story() -> Vec<LogRecord> {
    vec![
        matched(1, 1_000, &["wh_a", "wh_b"]),
        attempt(1, "wh_a", 1_010, 1, AttemptResult::Retry),
        attempt(1, "wh_b", 1_020, 1, AttemptResult::Delivered),
        matched(2, 1_030, &["wh_a"]),
        settled(2, "wh_a", 1_040),
        attempt(1, "wh_a", 2_010, 2, AttemptResult::Dead),
        replayed(1, "wh_a", 3_000, "key_1"),
        matched(3, 3_010, &[]),
    ]
}

async fn a_life_becomes_one_row(bed: Bed) -> Result<()> {
    bed.write(None, &story()).await?;
    let of = bed
        .store
        .delivery(TENANT, &delivery_id(1, "wh_a"))
        .await?
        .expect("it is known");
    assert_eq!((of.outcome.status, of.outcome.generation), (Status::Pending, 1));
    assert_eq!(
        (of.attempt_count(), of.created_at_ms, of.updated_at_ms),
        (2, 1_000, 3_000)
    );
    assert_eq!(of.attempts, [1, 5], "where its attempts stand in the log");
    assert_eq!(of.last.as_ref().and_then(|last| last.status_code), Some(500));
    assert_eq!(of.replay.as_ref().map(|replay| replay.by.as_str()), Some("key_1"));
    let cancelled = bed
        .store
        .delivery(TENANT, &delivery_id(2, "wh_a"))
        .await?
        .expect("it is known");
    assert_eq!(cancelled.outcome.reason.as_deref(), Some("endpoint_deleted"));
    let event = bed
        .store
        .event(TENANT, "evt_3")
        .await?
        .expect("an event that matched nothing is known");
    assert_eq!((event.log_offset, event.event_type.as_str()), (7, "a.odd"));
    assert_eq!(bed.store.event("org_2", "evt_3").await?, None, "it is another tenant's");
    assert_eq!(bed.store.delivery("org_2", &delivery_id(1, "wh_a")).await?, None);
    Ok(())
}

async fn any_order_and_any_batches_give_the_same_rows(bed: Bed) -> Result<()> {
    let story = story();
    bed.write(None, &story).await?;
    let expected = bed.all().await?;
    // One record a batch, last first, as batches of partitions that are read at different speeds.
    let other = Bed::sqlite().await?;
    for (index, record) in story.iter().enumerate().rev() {
        let mut batch = history_store::Batch::default();
        let offset = i64::try_from(index)?;
        batch.add(history_store::fold(record, 0, offset), 0);
        batch.reached.push(history_store::Reached {
            partition: i32::try_from(index)?,
            from: None,
            to: 1,
        });
        other.store.write(&batch).await?;
    }
    assert_eq!(other.all().await?, expected);
    let events = |store: Store| async move { store.events(TENANT, &["evt_1", "evt_2", "evt_3"]).await };
    let (mut ours, mut theirs) = (events(bed.store.clone()).await?, events(other.store.clone()).await?);
    ours.sort_by(|a, b| a.id.cmp(&b.id));
    theirs.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(ours, theirs);
    assert_eq!(
        bed.store.counters(&["wh_a", "wh_b"]).await?,
        other.store.counters(&["wh_a", "wh_b"]).await?
    );
    Ok(())
}

async fn a_batch_counts_once_and_a_second_process_is_told(bed: Bed) -> Result<()> {
    bed.write(None, &story()).await?;
    let before = (bed.all().await?, bed.store.counters(&["wh_a", "wh_b"]).await?);
    for from in [None, Some(3)] {
        let again = bed.write(from, &story()).await.expect_err("somebody was further");
        assert!(
            matches!(again.downcast_ref(), Some(Error::Overtaken { partition: 0 })),
            "{again:?}"
        );
    }
    assert_eq!((bed.all().await?, bed.store.counters(&["wh_a", "wh_b"]).await?), before);
    assert_eq!(bed.store.next_offsets().await?, [(0, 8)].into());
    bed.write(Some(8), &[matched(9, 9_000, &["wh_a"])]).await?;
    assert_eq!(bed.store.next_offsets().await?, [(0, 9)].into());
    Ok(())
}

async fn counters_are_what_the_rows_are(bed: Bed) -> Result<()> {
    let mut records = Vec::new();
    for event in 0..20 {
        records.push(matched(event, 1_000, &["wh_a"]));
    }
    bed.write(None, &records).await?;
    let now = bed.store.counters(&["wh_a", "wh_none"]).await?;
    assert_eq!((now["wh_a"].pending, now["wh_a"].p95_ms), (20, None));
    assert!(!now.contains_key("wh_none"));
    let mut more: Vec<_> = (0..15)
        .map(|event| attempt(event, "wh_a", 2_000 + event as i64, 1, AttemptResult::Delivered))
        .collect();
    more.push(attempt(15, "wh_a", 2_500, 1, AttemptResult::Dead));
    more.push(replayed(0, "wh_a", 3_000, "cli"));
    bed.write(Some(20), &more).await?;
    let now = bed.store.counters(&["wh_a"]).await?["wh_a"].clone();
    assert_eq!((now.pending, now.failed, now.delivered), (5, 1, 14));
    assert_eq!(
        (now.last_success_at_ms, now.last_failure_at_ms),
        (Some(2_014), Some(2_500))
    );
    assert_eq!(now.p95_ms, Some(7));
    Ok(())
}

async fn another_installation_is_refused(bed: Bed) -> Result<()> {
    bed.store.prepare(INSTALLATION).await?;
    bed.store.check().await?;
    let refused = bed.store.prepare("another").await.expect_err("it is another's");
    assert!(matches!(refused, Error::OtherInstallation { .. }), "{refused}");
    assert!(!refused.is_retryable());
    Ok(())
}

async fn many_rows_go_in_one_batch(bed: Bed) -> Result<()> {
    let endpoints: Vec<String> = (0..3_000).map(|number| format!("wh_{number}")).collect();
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    let delivered = endpoints
        .iter()
        .map(|endpoint| attempt(1, endpoint, 2_000, 1, AttemptResult::Delivered));
    bed.write(None, &[matched(1, 1_000, &endpoints)]).await?;
    bed.write(Some(1), &delivered.collect::<Vec<_>>()).await?;
    let all = bed.all().await?;
    assert_eq!(all.len(), 3_000);
    assert!(all.iter().all(|row| row.outcome.status == Status::Delivered));
    Ok(())
}

#[tokio::test]
async fn without_tables_it_says_so() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = Store::new(&format!("sqlite://{}", dir.path().join("empty.db").display()))?;
    assert!(matches!(store.check().await, Err(Error::NoTables)));
    for url in ["mysql://x", "history.db", "", "postgres//x"] {
        assert!(matches!(Store::new(url), Err(Error::Url(_))), "{url}");
    }
    Ok(())
}

async fn the_last_word_of_a_rejection_stays(bed: Bed) -> Result<()> {
    let earlier = rejected(1, 1_000, "data/vaultId: is missing");
    let later = rejected(1, 2_000, "data/\0: is no field");
    // In one batch, and in one after the other; each time the later one comes first.
    bed.write(None, &[later.clone(), earlier.clone(), rejected(2, 1_000, "b")])
        .await?;
    let found = bed.store.rejection(TENANT, "evt_1").await?.expect("it is known");
    assert_eq!((found.at_ms, found.event_type.as_str()), (2_000, "a.odd"));
    assert_eq!(found.message, "data/\u{fffd}: is no field", "no database takes a NUL");
    assert_eq!((found.topic.as_str(), found.partition, found.offset), ("events", 0, 1));
    bed.write(Some(3), std::slice::from_ref(&earlier)).await?;
    assert_eq!(bed.store.rejection(TENANT, "evt_1").await?, Some(found));
    bed.write(Some(4), &[rejected(2, 1_000, "c"), rejected(2, 1_000, "a")])
        .await?;
    let other = bed.store.rejection(TENANT, "evt_2").await?.expect("it is known");
    assert_eq!(other.message, "c", "of two at once always the same one");

    assert_eq!(
        bed.store.rejection("org_2", "evt_1").await?,
        None,
        "it is another tenant's"
    );
    assert_eq!(
        bed.store.event(TENANT, "evt_1").await?,
        None,
        "it was matched with nobody"
    );
    bed.write(Some(6), &[matched(1, 3_000, &["wh_a"])]).await?;
    assert!(bed.store.event(TENANT, "evt_1").await?.is_some(), "until it was");
    Ok(())
}
