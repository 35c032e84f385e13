//! A scheduler that dies at any moment: its successor goes on exactly where it ended.

use crate::support::World;
use anyhow::{Result, ensure};
use ledger::Ledger;
use runtime::CancellationToken;
use scheduler::{Options, Service};
use std::{os::unix::process::ExitStatusExt, process::Output, time::Duration};

/// Longer than any further hop of the short waits here.
const QUIET: Duration = Duration::from_secs(6);

/// The scheduler that the tests below kill.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a test runs it as a process of its own"]
async fn child() -> Result<()> {
    let connection = World::inherited()?;
    let ledger = Ledger::start(&connection).await?;
    let options = Options::new(crate::support::LANES, vec![connection.names().events()]);
    Service::run(&connection, options, ledger, CancellationToken::new()).await?;
    Ok(())
}

fn killed(output: &Output, point: &str) -> Result<()> {
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.signal() == Some(9), "{point}: {}\n{log}", output.status);
    Ok(())
}

async fn resumes_after(point: &'static str) -> Result<()> {
    let world = World::new().await?;
    let waits_ms: Vec<i64> = (0..300).map(|_| rand::random_range(1..4_000)).collect();
    let due = world.wait(&waits_ms).await?;
    let mut command = world.child(&format!("{point}:6"))?;
    killed(&tokio::task::spawn_blocking(move || command.output()).await??, point)?;
    let mut returns = world.returns().await?;
    let running = world.start(world.options()).await?;
    let released = returns.each_once(&due, QUIET).await?;
    for released in released {
        assert!(released.at_ms >= due[&released.delivery.delivery_id], "{point}: early");
    }
    running.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_anywhere_in_a_transaction_forks_no_chain() -> Result<()> {
    tokio::try_join!(
        resumes_after("scheduler.after_begin"),
        resumes_after("scheduler.after_produce")
    )?;
    tokio::try_join!(
        resumes_after("scheduler.after_offsets"),
        resumes_after("scheduler.after_commit")
    )?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_share_the_partitions_and_one_takes_over() -> Result<()> {
    let world = World::new().await?;
    let mut returns = world.returns().await?;
    let running = world.start(world.options()).await?;
    let first = world.wait(&[1]).await?;
    returns.each_once(&first, Duration::ZERO).await?;
    // The second one has partitions when it dies in a transaction; the first has had them all.
    let waits_ms: Vec<i64> = (0..1000).map(|number| 1_000 + number * 25).collect();
    let due = world.wait(&waits_ms).await?;
    let mut command = world.child("scheduler.after_produce:10")?;
    let (output, released) = tokio::join!(
        tokio::task::spawn_blocking(move || command.output()),
        returns.each_once(&due, QUIET)
    );
    killed(&output??, "the second scheduler")?;
    for released in released? {
        assert!(released.at_ms >= due[&released.delivery.delivery_id], "early");
    }
    running.stop().await
}
