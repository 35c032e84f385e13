//! Scan, show and export.

use crate::support::{World, letter};
use anyhow::{Context, Result};
use kafka_log::Outgoing;
use replay::{DeadLetterEntry, Filter, export, scan, show};
use schemas::OwnSchemas;
use std::{collections::BTreeSet, ops::ControlFlow};

async fn found(world: &World, filter: &Filter) -> Result<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    let scanned = scan(&world.connection, &OwnSchemas, filter, |entry: DeadLetterEntry| {
        assert!(ids.insert(entry.dead_letter.delivery.delivery_id), "each once");
        ControlFlow::Continue(())
    })
    .await?;
    assert_eq!((scanned.matched, scanned.unreadable), (ids.len() as u64, 0));
    Ok(ids)
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> BTreeSet<String> {
    numbers
        .into_iter()
        .map(|number| letter(number, "").delivery.delivery_id)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_filters() -> Result<()> {
    let world = World::new(&[]).await?;
    let mut letters: Vec<_> = (0..40).map(|number| letter(number, "wh_a")).collect();
    letters[1].delivery.endpoint_id = "wh_b".into();
    letters[2].delivery.tenant = "org_other".into();
    letters[3].delivery.event_type = "case.created".into();
    letters[4].reason = "gone".into();
    world.bury(&letters).await?;
    let all = || Filter::default();
    assert_eq!(found(&world, &all()).await?, ids(0..40));
    assert_eq!(
        found(
            &world,
            &Filter {
                endpoint: Some("wh_b".into()),
                ..all()
            }
        )
        .await?,
        ids([1])
    );
    assert_eq!(
        found(
            &world,
            &Filter {
                tenant: Some("org_other".into()),
                ..all()
            }
        )
        .await?,
        ids([2])
    );
    assert_eq!(
        found(
            &world,
            &Filter {
                event_type: Some("case.created".into()),
                ..all()
            }
        )
        .await?,
        ids([3])
    );
    assert_eq!(
        found(
            &world,
            &Filter {
                reason: Some("gone".into()),
                ..all()
            }
        )
        .await?,
        ids([4])
    );
    assert_eq!(
        found(
            &world,
            &Filter {
                since_ms: Some(10_030),
                ..all()
            }
        )
        .await?,
        ids(30..40)
    );
    assert_eq!(
        found(
            &world,
            &Filter {
                until_ms: Some(10_005),
                ..all()
            }
        )
        .await?,
        ids(0..5)
    );
    assert_eq!(
        found(&world, &Filter::id(letter(9, "").delivery.delivery_id)).await?,
        ids([9])
    );
    assert_eq!(
        found(
            &world,
            &Filter {
                limit: Some(7),
                ..all()
            }
        )
        .await?
        .len(),
        7
    );
    let both = Filter {
        endpoint: Some("wh_b".into()),
        reason: Some("gone".into()),
        ..all()
    };
    assert_eq!(found(&world, &both).await?, ids([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_record_of_an_id_counts() -> Result<()> {
    let world = World::new(&[]).await?;
    world
        .bury(&(0..20).map(|number| letter(number, "wh_a")).collect::<Vec<_>>())
        .await?;
    let mut later = letter(3, "wh_a");
    later.delivery.generation = 1;
    world.bury(std::slice::from_ref(&later)).await?;
    let removed = letter(4, "wh_a").delivery.delivery_id;
    let partition = delivery_core::murmur2::partition(removed.as_bytes(), 8);
    let tombstone = Outgoing::tombstone(world.connection.names().dlq(), partition, removed.as_bytes());
    world.producer.write(&tombstone).await?;

    assert_eq!(
        found(&world, &Filter::default()).await?,
        ids((0..20).filter(|number| *number != 4))
    );
    let shown = show(&world.connection, &OwnSchemas, &later.delivery.delivery_id)
        .await?
        .context("it is dead")?;
    assert_eq!(shown.dead_letter, later);
    assert_eq!(show(&world.connection, &OwnSchemas, &removed).await?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_everything() -> Result<()> {
    let world = World::new(&[]).await?;
    let mut binary = letter(2, "wh_a");
    binary.delivery.body = vec![0xff, 0x00];
    world.bury(&[letter(1, "wh_a"), binary]).await?;
    let mut out = Vec::new();
    assert_eq!(
        export(&world.connection, &OwnSchemas, &Filter::default(), &mut out)
            .await??
            .matched,
        2
    );
    let text = String::from_utf8(out)?;
    let lines: Vec<serde_json::Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let of = |number: usize| {
        let id = letter(number, "").delivery.delivery_id;
        lines
            .iter()
            .find(|line| line["delivery"]["delivery_id"] == id.as_str())
            .context("a line for each")
    };
    assert_eq!(of(1)?["delivery"]["body"], "{\"number\": 1}");
    assert_eq!(of(1)?["delivery"]["attempts"][0]["status_code"], 500);
    assert_eq!(of(1)?["reason"], "retries_exhausted");
    assert_eq!(of(2)?["delivery"]["body_base64"], "/wA=");
    assert!(of(2)?["delivery"].get("body").is_none());
    Ok(())
}
