//! Lists: every filter, pages that neither skip nor repeat, and what a recovery asks.

use crate::{
    on_both,
    support::{Bed, TENANT, attempt, delivery_id, matched, replayed},
};
use anyhow::Result;
use history_store::{After, Candidates, Delivery, Filter, Missing, Status};
use schemas::{AttemptResult, LogRecord};
use std::{cell::Cell, collections::HashSet};

on_both!(
    every_filter_and_every_pair_of_them
    pages_neither_skip_nor_repeat_while_rows_are_added
    a_list_is_whole_while_a_delivery_changes_its_status
    a_recovery_goes_through_what_failed_oldest_first
    what_an_endpoint_missed_is_found
);

/// 60 deliveries of two endpoints: a third delivered, a third dead, a third pending; several at a time.
fn crowd() -> Vec<LogRecord> {
    let mut records = Vec::new();
    for event in 0..30 {
        let at_ms = 1_000 + (event as i64 / 4) * 10;
        records.push(matched(event, at_ms, &["wh_a", "wh_b"]));
        for endpoint in ["wh_a", "wh_b"] {
            match event % 3 {
                0 => records.push(attempt(event, endpoint, at_ms + 5, 1, AttemptResult::Delivered)),
                1 => records.push(attempt(event, endpoint, at_ms + 5, 1, AttemptResult::Dead)),
                _ => {}
            }
        }
    }
    records
}

fn naive(all: &[Delivery], filter: &Filter) -> Vec<String> {
    let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
    let mut rows: Vec<&Delivery> = all
        .iter()
        .filter(|row| {
            is(&filter.endpoint_id, &row.endpoint_id)
                && is(&filter.event_type, &row.event_type)
                && is(&filter.event_id, &row.event_id)
                && filter.status.is_none_or(|status| status == row.outcome.status)
                && filter.from_ms.is_none_or(|from| row.created_at_ms >= from)
                && filter.to_ms.is_none_or(|to| row.created_at_ms < to)
        })
        .collect();
    rows.sort_by(|a, b| (b.created_at_ms, &b.id).cmp(&(a.created_at_ms, &a.id)));
    rows.into_iter().map(|row| row.id.clone()).collect()
}

fn ids(rows: &[Delivery]) -> Vec<String> {
    rows.iter().map(|row| row.id.clone()).collect()
}

async fn every_filter_and_every_pair_of_them(bed: Bed) -> Result<()> {
    bed.write(None, &crowd()).await?;
    let all = bed.all().await?;
    assert_eq!(all.len(), 60);
    let set: [fn(&mut Filter); 7] = [
        |filter| filter.endpoint_id = Some("wh_a".into()),
        |filter| filter.status = Some(Status::Failed),
        |filter| filter.status = Some(Status::Delivered),
        |filter| filter.event_type = Some("a.even".into()),
        |filter| filter.event_id = Some("evt_7".into()),
        |filter| filter.from_ms = Some(1_020),
        |filter| filter.to_ms = Some(1_050),
    ];
    for first in set {
        for second in set {
            let mut filter = Filter::default();
            first(&mut filter);
            second(&mut filter);
            let found = bed.store.deliveries(TENANT, &filter, 100).await?;
            assert_eq!(ids(&found), naive(&all, &filter), "{filter:?}");
            assert!(
                bed.store.deliveries("org_2", &filter, 100).await?.is_empty(),
                "{filter:?}"
            );
        }
    }
    let hostile = Filter {
        event_type: Some("' OR 1=1 --".into()),
        ..Filter::default()
    };
    assert!(bed.store.deliveries(TENANT, &hostile, 100).await?.is_empty());
    Ok(())
}

async fn pages_neither_skip_nor_repeat_while_rows_are_added(bed: Bed) -> Result<()> {
    let crowd = crowd();
    bed.write(None, &crowd).await?;
    let expected = naive(&bed.all().await?, &Filter::default());
    let (mut seen, mut after, mut next) = (Vec::new(), None, i64::try_from(crowd.len())?);
    loop {
        let filter = Filter {
            after: after.clone(),
            ..Filter::default()
        };
        let page = bed.store.deliveries(TENANT, &filter, 7).await?;
        let Some(last) = page.last() else { break };
        after = Some(After {
            created_at_ms: last.created_at_ms,
            delivery_id: last.id.clone(),
        });
        seen.extend(ids(&page));
        let event = 1_000 + usize::try_from(next)?;
        bed.write(Some(next), &[matched(event, 9_000, &["wh_a"])]).await?;
        next += 1;
    }
    assert_eq!(seen, expected);
    Ok(())
}

/// A delivery fails and is replayed over and over: whoever lists meanwhile finds it once, wherever its status puts it.
async fn a_list_is_whole_while_a_delivery_changes_its_status(bed: Bed) -> Result<()> {
    let records: Vec<_> = (0..3).map(|event| matched(event, 1_000, &["wh_a"])).collect();
    bed.write(None, &records).await?;
    let expected = ids(&bed.store.deliveries(TENANT, &Filter::default(), 10).await?);
    let done = Cell::new(false);
    let changes = async {
        let mut next = 3;
        for generation in 0..150 {
            let at_ms = 2_000 + i64::from(generation);
            let mut failed = attempt(1, "wh_a", at_ms, 1, AttemptResult::Dead);
            failed.attempt.as_mut().expect("it is an attempt").generation = generation;
            let mut again = replayed(1, "wh_a", at_ms, "job_1");
            again.replayed.as_mut().expect("it is a replay").generation = generation + 1;
            for record in [failed, again] {
                bed.write(Some(next), &[record]).await?;
                next += 1;
            }
        }
        done.set(true);
        anyhow::Ok(())
    };
    let lists = async {
        let of_the_endpoint = Filter {
            endpoint_id: Some("wh_a".into()),
            ..Filter::default()
        };
        let mut failed = HashSet::new();
        while !done.get() {
            for filter in [&Filter::default(), &of_the_endpoint] {
                let rows = bed.store.deliveries(TENANT, filter, 10).await?;
                assert_eq!(ids(&rows), expected, "{filter:?}");
                failed.insert(rows[1].outcome.status == Status::Failed);
            }
        }
        anyhow::Ok(failed)
    };
    let ((), failed) = tokio::try_join!(changes, lists)?;
    assert_eq!(failed.len(), 2, "it was listed in both of its statuses");
    Ok(())
}

async fn a_recovery_goes_through_what_failed_oldest_first(bed: Bed) -> Result<()> {
    let crowd = crowd();
    bed.write(None, &crowd).await?;
    let mut wanted = Candidates {
        endpoint_id: "wh_a".into(),
        status: Status::Failed,
        since_ms: 1_010,
        until_ms: 1_060,
        after: None,
    };
    let mut expected: Vec<_> = bed.all().await?;
    expected.retain(|row| {
        row.endpoint_id == "wh_a" && row.outcome.status == Status::Failed && (1_010..1_060).contains(&row.created_at_ms)
    });
    expected.sort_by(|a, b| (a.created_at_ms, &a.id).cmp(&(b.created_at_ms, &b.id)));
    let mut seen = Vec::new();
    loop {
        let page = bed.store.candidates(&wanted, 2).await?;
        let Some(last) = page.last() else { break };
        wanted.after = Some((last.created_at_ms, last.id.clone()));
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    assert_eq!(bed.store.replayed_by(&wanted, "job_1").await?, 0);
    let replays: Vec<_> = seen
        .iter()
        .map(|row| replayed(row.event_id[4..].parse().expect("a number"), "wh_a", 5_000, "job_1"))
        .collect();
    bed.write(Some(i64::try_from(crowd.len())?), &replays).await?;
    assert_eq!(
        bed.store.replayed_by(&wanted, "job_1").await?,
        i64::try_from(seen.len())?
    );
    Ok(())
}

async fn what_an_endpoint_missed_is_found(bed: Bed) -> Result<()> {
    bed.write(
        None,
        &[
            matched(1, 1_000, &["wh_a"]),
            matched(2, 1_010, &[]),
            matched(3, 1_020, &["wh_b"]),
            matched(4, 1_030, &["wh_b", "wh_a"]),
            matched(5, 5_000, &[]),
        ],
    )
    .await?;
    let mut wanted = Missing {
        tenant: TENANT.into(),
        endpoint_id: "wh_a".into(),
        since_ms: 0,
        until_ms: 2_000,
        after: None,
    };
    let found = bed.store.missing(&wanted, 10).await?;
    let ids: Vec<&str> = found.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["evt_2", "evt_3"]);
    assert_eq!(bed.store.made_up_for(&wanted, 6_000).await?, 0);
    bed.write(Some(5), &[matched(2, 6_000, &["wh_a"])]).await?;
    assert_eq!(bed.store.made_up_for(&wanted, 6_000).await?, 1);
    assert_eq!(bed.store.missing(&wanted, 10).await?.len(), 1);
    wanted.after = Some((1_020, "evt_3".into()));
    assert!(bed.store.missing(&wanted, 10).await?.is_empty());
    wanted.after = None;
    wanted.tenant = "org_2".into();
    assert!(
        bed.store.missing(&wanted, 10).await?.is_empty(),
        "of another tenant nothing is found"
    );
    assert!(bed.store.delivery(TENANT, &delivery_id(2, "wh_a")).await?.is_some());
    Ok(())
}
