//! Replay and purge.

use crate::support::{World, inherited, letter};
use anyhow::{Context, Result};
use replay::{Error, Filter, Request, Summary, purge, replay, show};
use runtime::CancellationToken;
use schemas::{Delivery, OwnSchemas};
use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    os::unix::process::ExitStatusExt,
    sync::atomic::{AtomicU64, Ordering},
};

const ALIVE: &[(&str, &str)] = &[("wh_a", "active"), ("wh_b", "paused"), ("wh_c", "active")];

fn all() -> Request {
    Request::new(Filter::default(), "cli")
}

async fn run(world: &World, request: &Request) -> Result<Summary, Error> {
    replay(
        &world.connection,
        &world.ledger,
        request,
        &CancellationToken::new(),
        |_| {},
    )
    .await
}

async fn bury(world: &World, count: usize) -> Result<()> {
    let letters: Vec<_> = (0..count)
        .map(|number| letter(number, ALIVE[number % ALIVE.len()].0))
        .collect();
    world.bury(&letters).await
}

/// Each of `count` dead letters was sent again exactly once, and is dead no more.
async fn assert_each_once(world: &World, count: usize) -> Result<()> {
    let returned = world.returned().await?;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for delivery in returned {
        *times.entry(delivery.delivery_id.clone()).or_default() += 1;
        let number: usize = delivery.delivery_id.trim_start_matches("dlv_").parse()?;
        let dead = letter(number, &delivery.endpoint_id).delivery;
        assert!(delivery.matched_at_ms > dead.matched_at_ms, "its age begins anew");
        let expected = Delivery {
            generation: 1,
            matched_at_ms: delivery.matched_at_ms,
            schedule_index: 0,
            cause: "replay".into(),
            due_at_ms: 0,
            wait_since_ms: 0,
            hops: 0,
            last_due_at_ms: None,
            ..dead
        };
        assert_eq!(delivery, expected);
    }
    assert_eq!((times.len(), times.values().max()), (count, Some(&1)));
    let logged = world.logged().await?;
    let replayed: Vec<_> = logged.iter().filter_map(|record| record.replayed.as_ref()).collect();
    assert_eq!(replayed.len(), count);
    assert!(
        replayed
            .iter()
            .all(|replayed| replayed.generation == 1 && replayed.by == "cli")
    );
    assert_eq!(run(world, &all()).await?, Summary::default(), "nothing is left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_sent_again_once() -> Result<()> {
    let world = World::new(ALIVE).await?;
    bury(&world, 500).await?;
    let last = AtomicU64::new(0);
    let cancel = CancellationToken::new();
    let summary = replay(&world.connection, &world.ledger, &all(), &cancel, |progress| {
        assert!(progress.done >= last.swap(progress.done, Ordering::Relaxed));
    })
    .await?;
    assert_eq!(
        summary,
        Summary {
            matched: 500,
            done: 500,
            ..Summary::default()
        }
    );
    assert_eq!(last.load(Ordering::Relaxed), 500);
    assert_each_once(&world, 500).await
}

/// The child of [`a_crash_sends_nothing_twice`].
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a test runs it as a process of its own"]
async fn child() -> Result<()> {
    let world = World::at(inherited()?).await?;
    run(&world, &all()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_sends_nothing_twice() -> Result<()> {
    for point in [
        "replay.after_begin",
        "replay.after_produce",
        "replay.before_commit",
        "replay.after_commit",
    ] {
        let world = World::new(ALIVE).await?;
        bury(&world, 200).await?;
        let mut command = world.child("sweeping::child", &format!("{point}:3"))?;
        let status = tokio::task::spawn_blocking(move || command.output()).await??;
        assert_eq!(
            status.status.signal(),
            Some(9),
            "{point}: {}",
            String::from_utf8_lossy(&status.stderr)
        );
        let before = world.returned().await?.len();
        assert!(before < 200, "{point} is somewhere on the way");
        let summary = run(&world, &all()).await?;
        assert_eq!(summary.done as usize + before, 200, "{point}");
        assert_each_once(&world, 200).await.context(point)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_send_once() -> Result<()> {
    let world = World::new(ALIVE).await?;
    bury(&world, 300).await?;
    let slow = Request {
        rate_per_sec: NonZeroU32::new(80),
        ..all()
    };
    let (one, two) = tokio::join!(run(&world, &slow), run(&world, &slow));
    let mut done = 0;
    for result in [one, two] {
        match result {
            Ok(summary) => done += summary.done,
            Err(Error::TakenOver { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    assert!(done > 0, "one of them went on");
    run(&world, &all()).await?;
    assert_each_once(&world, 300).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dies_again_is_dead_again() -> Result<()> {
    let world = World::new(ALIVE).await?;
    bury(&world, 1).await?;
    assert_eq!(run(&world, &all()).await?.done, 1);
    let mut again = world.returned().await?.pop().context("it was sent again")?;
    let id = again.delivery_id.clone();
    assert_eq!(show(&world.connection, &OwnSchemas, &id).await?, None);
    again.attempts_made += 9;
    let dead = schemas::DeadLetter {
        delivery: again,
        reason: "retries_exhausted".into(),
        died_at_ms: 20_000,
    };
    world.bury(std::slice::from_ref(&dead)).await?;
    assert_eq!(
        show(&world.connection, &OwnSchemas, &id)
            .await?
            .context("it is dead")?
            .dead_letter,
        dead
    );
    assert_eq!(run(&world, &all()).await?.done, 1);
    let generations: Vec<_> = world
        .returned()
        .await?
        .iter()
        .map(|d| (d.generation, d.attempts_made))
        .collect();
    assert_eq!(generations, [(1, 9), (2, 18)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_get_nothing_are_skipped_with_a_reason() -> Result<()> {
    let world = World::new(&[
        ("wh_a", "active"),
        ("wh_off", "disabled"),
        ("wh_auto", "auto_disabled"),
        ("wh_del", "deleted"),
    ])
    .await?;
    let endpoints = ["wh_a", "wh_off", "wh_auto", "wh_del", "wh_none"];
    let letters: Vec<_> = endpoints
        .iter()
        .enumerate()
        .map(|(number, endpoint)| letter(number, endpoint))
        .collect();
    world.bury(&letters).await?;
    let summary = run(&world, &all()).await?;
    assert_eq!((summary.matched, summary.done, summary.skipped_count()), (5, 1, 4));
    assert!(
        summary.skipped["wh_off"]
            .message
            .contains("is disabled; set its status to active")
    );
    assert!(summary.skipped["wh_auto"].message.contains("is auto_disabled"));
    assert!(summary.skipped["wh_del"].message.contains("was deleted"));
    assert!(summary.skipped["wh_none"].message.contains("doesn't exist"));
    world.set_status("wh_auto", "active").await?;
    assert_eq!(
        run(&world, &all()).await?.done,
        1,
        "a repaired endpoint's dead letters are still there"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_writes_nothing() -> Result<()> {
    let world = World::new(ALIVE).await?;
    bury(&world, 50).await?;
    let before = world.ends().await?;
    let request = Request { dry_run: true, ..all() };
    assert_eq!(
        run(&world, &request).await?,
        Summary {
            matched: 50,
            done: 50,
            ..Summary::default()
        }
    );
    let purged = purge(
        &world.connection,
        &world.ledger,
        &request,
        &CancellationToken::new(),
        |_| {},
    )
    .await?;
    assert_eq!(purged.done, 50);
    assert_eq!(world.ends().await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_removes_what_matches_and_sends_nothing() -> Result<()> {
    let world = World::new(ALIVE).await?;
    bury(&world, 60).await?;
    let request = Request::new(
        Filter {
            endpoint: Some("wh_b".into()),
            ..Filter::default()
        },
        "cli",
    );
    let purged = purge(
        &world.connection,
        &world.ledger,
        &request,
        &CancellationToken::new(),
        |_| {},
    )
    .await?;
    assert_eq!((purged.matched, purged.done), (20, 20));
    assert_eq!((world.returned().await?.len(), world.logged().await?.len()), (0, 0));
    assert_eq!(run(&world, &all()).await?.done, 40, "the others are still there");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_to_its_rate_and_limit_and_goes_on_after_a_cancel() -> Result<()> {
    let world = World::new(ALIVE).await?;
    bury(&world, 40).await?;
    let cancel = CancellationToken::new();
    let slow = Request {
        rate_per_sec: NonZeroU32::new(8),
        ..all()
    };
    let began = std::time::Instant::now();
    let cancelled = replay(&world.connection, &world.ledger, &slow, &cancel, |progress| {
        if progress.done >= 10 {
            cancel.cancel();
        }
    })
    .await?;
    assert!(cancelled.cancelled && cancelled.done < 14, "{cancelled:?}");
    assert!(
        began.elapsed().as_secs_f64() >= 0.9,
        "10 at 8/s, of which 2 at once: {:?}",
        began.elapsed()
    );
    let limited = Request {
        filter: Filter {
            limit: Some(5),
            ..Filter::default()
        },
        ..all()
    };
    assert_eq!(run(&world, &limited).await?.done, 5);
    assert_eq!(run(&world, &all()).await?.done, 40 - 5 - cancelled.done);
    assert_each_once(&world, 40).await
}
