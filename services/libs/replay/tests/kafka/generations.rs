//! A dispatcher that stood still writes a dead letter of a generation that is over: it changes nothing.

use crate::support::{World, letter};
use anyhow::{Context, Result};
use kafka_log::Outgoing;
use replay::{Filter, Request, Summary, purge, replay, show};
use runtime::CancellationToken;
use schemas::{DeadLetter, OwnSchemas};

const ALIVE: &[(&str, &str)] = &[("wh_a", "active")];

fn all() -> Request {
    Request::new(Filter::default(), "cli")
}

async fn replay_all(world: &World) -> Result<Summary> {
    let cancel = CancellationToken::new();
    Ok(replay(&world.connection, &world.ledger, &all(), &cancel, |_| {}).await?)
}

async fn purge_all(world: &World) -> Result<Summary> {
    let cancel = CancellationToken::new();
    Ok(purge(&world.connection, &world.ledger, &all(), &cancel, |_| {}).await?)
}

/// The letter with which this generation dies.
fn died(generation: i32) -> DeadLetter {
    let mut dead = letter(1, "wh_a");
    dead.delivery.generation = generation;
    dead.died_at_ms += i64::from(generation);
    dead
}

async fn shown(world: &World) -> Result<Option<DeadLetter>> {
    let entry = show(&world.connection, &OwnSchemas, &died(0).delivery.delivery_id).await?;
    Ok(entry.map(|entry| entry.dead_letter))
}

/// As v0.1.0 wrote it: under the delivery id, whichever generation.
async fn bury_as_v0_1_0(world: &World, dead: &DeadLetter) -> Result<()> {
    let key = dead.delivery.delivery_id.as_bytes();
    let partition = delivery_core::murmur2::partition(key, 8);
    let record = Outgoing::new(world.connection.names().dlq(), partition, key, schemas::encode(dead)?);
    world.producer.write(&record).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_letter_neither_revives_what_was_replayed_nor_hides_what_died_since() -> Result<()> {
    let world = World::new(ALIVE).await?;
    world.bury(&[died(0)]).await?;
    assert_eq!(replay_all(&world).await?.done, 1);
    world.bury(&[died(0)]).await?;
    assert_eq!(shown(&world).await?, None, "its first replay is under way");
    assert_eq!(replay_all(&world).await?, Summary::default(), "nothing to send again");

    world.bury(&[died(1), died(0)]).await?;
    assert_eq!(shown(&world).await?, Some(died(1)), "the replay died too");
    assert_eq!(replay_all(&world).await?.done, 1);
    world.bury(&[died(1), died(0)]).await?;
    assert_eq!(shown(&world).await?, None, "its second replay is under way");
    let generations: Vec<_> = world.returned().await?.iter().map(|d| d.generation).collect();
    assert_eq!(generations, [1, 2]);

    world.bury(&[died(2)]).await?;
    assert_eq!(purge_all(&world).await?.done, 1);
    assert_eq!(shown(&world).await?, None, "a purge brings no former generation back");
    world.bury(&[died(1)]).await?;
    assert_eq!(shown(&world).await?, None);
    Ok(())
}

/// What compaction leaves: the last record of each key.
#[tokio::test(flavor = "multi_thread")]
async fn compaction_keeps_what_counts() -> Result<()> {
    let world = World::new(ALIVE).await?;
    world.bury(&[died(0)]).await?;
    assert_eq!(replay_all(&world).await?.done, 1);
    world.bury(&[died(1), died(0)]).await?;
    let records = world.records(&world.connection.names().dlq()).await?;
    let of = |key: &str| {
        let last = records
            .iter()
            .rfind(|record| record.key.as_deref() == Some(key.as_bytes()));
        last.with_context(|| format!("nothing under {key}"))
    };
    let id = died(0).delivery.delivery_id;
    for generation in [0, 1] {
        let last = of(&DeadLetter::key(&id, generation))?;
        let kept: DeadLetter = schemas::decode(last.value.as_ref().context("a tombstone")?, &OwnSchemas)?;
        assert_eq!(kept, died(generation), "each generation's letter is kept");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_v0_1_0_count_by_the_generation_inside() -> Result<()> {
    let world = World::new(ALIVE).await?;
    bury_as_v0_1_0(&world, &died(0)).await?;
    assert_eq!(replay_all(&world).await?.done, 1);
    bury_as_v0_1_0(&world, &died(0)).await?;
    assert_eq!(shown(&world).await?, None);
    bury_as_v0_1_0(&world, &died(1)).await?;
    assert_eq!(
        shown(&world).await?,
        Some(died(1)),
        "its dispatcher is not upgraded yet"
    );
    assert_eq!(replay_all(&world).await?.done, 1);
    assert_eq!(shown(&world).await?, None);
    bury_as_v0_1_0(&world, &died(2)).await?;
    assert_eq!(purge_all(&world).await?.done, 1);
    assert_eq!(shown(&world).await?, None);
    Ok(())
}
