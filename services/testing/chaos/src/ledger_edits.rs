//! Changes of configuration during a run, so that the clerk has something to die over: descriptions, a shared endpoint
//! that is paused for a while, one that is disabled and enabled all the time, one that is deleted, one whose secrets are
//! rotated.

use std::time::Duration;

use anyhow::Context;
use harness::{Direct, until};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::cast::{Cast, Member};
use crate::manner::Manner;

/// Brokers may all be away for a minute, and take a while to come back on a busy machine.
const CLERK_PATIENCE: Duration = Duration::from_secs(300);
const EVERY: Duration = Duration::from_millis(250);
const SWITCHED_EVERY: Duration = Duration::from_secs(3);

/// Goes on until `stop`; how many changes were made, and to `last` when. While there is no clerk they fail, which is as it
/// should be.
pub(crate) async fn describe(
    direct: Direct,
    endpoints: Vec<String>,
    last: watch::Sender<Instant>,
    stop: CancellationToken,
) -> usize {
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut made = 0;
    for (number, endpoint) in endpoints.iter().cycle().enumerate() {
        let change = async {
            turns.tick().await;
            let words = format!("change {number}");
            let change = direct.change(endpoint, |endpoint| endpoint.description = Some(words.clone()));
            change.await.is_ok()
        };
        match stop.run_until_cancelled(change).await {
            Some(true) => {
                made += 1;
                last.send_replace(Instant::now());
            }
            Some(false) => {}
            None => break,
        }
    }
    made
}

/// Sets an endpoint's status, again until there is a clerk.
pub(crate) async fn set_status(direct: &Direct, endpoint: &str, status: &str) -> anyhow::Result<()> {
    until(&format!("{endpoint} {status}"), CLERK_PATIENCE, async || {
        let change = direct.change(endpoint, |endpoint| endpoint.status = status.to_owned());
        change.await.map_err(|error| format!("{error:#}"))
    })
    .await
}

/// Disables an endpoint and enables it, until `over`; enabled in the end. How often.
async fn switch(direct: &Direct, member: &Member, over: &CancellationToken) -> anyhow::Result<usize> {
    let mut times = 0;
    loop {
        for status in ["disabled", "active"] {
            over.run_until_cancelled(tokio::time::sleep(SWITCHED_EVERY)).await;
            set_status(direct, &member.id, status).await?;
        }
        times += 1;
        if over.is_cancelled() {
            return Ok(times);
        }
    }
}

/// Deletes an endpoint, again until there is a clerk.
async fn delete(direct: &Direct, endpoint: &str) -> anyhow::Result<()> {
    until(&format!("{endpoint} deleted"), CLERK_PATIENCE, async || {
        let view = direct.ledger().barrier().await.map_err(|error| error.to_string())?;
        if view.endpoint(endpoint).is_none_or(|known| known.status == "deleted") {
            return Ok(());
        }
        direct.delete(endpoint).await.map_err(|error| format!("{error:#}"))
    })
    .await
}

/// Gives an endpoint a new secret at each of these moments; all former ones sign too. A request may come with what its
/// dispatcher knew.
async fn rotate(direct: &Direct, member: &Member, moments: &[Instant]) -> anyhow::Result<()> {
    let mut secrets = vec![member.secret.clone()];
    secrets.extend(moments.iter().map(|_| Direct::new_secret()));
    let sets: Vec<_> = (1..=secrets.len()).map(|count| secrets[..count].to_vec()).collect();
    member.hook.expect_any_signatures("webhook-", &sets)?;
    for (moment, secret) in moments.iter().zip(&secrets[1..]) {
        sleep_until(*moment).await;
        until(&format!("{} rotated", member.id), CLERK_PATIENCE, async || {
            let rotated = direct.rotate_to(&member.id, secret, Some(i64::MAX)).await;
            rotated.map_err(|error| format!("{error:#}"))
        })
        .await?;
    }
    Ok(())
}

/// Everything that happens to special endpoints, from now until `over`, which comes `storm` from now.
pub(crate) async fn trouble(
    direct: &Direct,
    cast: &Cast,
    storm: Duration,
    over: &CancellationToken,
) -> anyhow::Result<()> {
    let begin = Instant::now();
    let one = |manner| cast.of_manner(manner).next();
    let Some(switched) = one(Manner::Switched) else {
        return Ok(());
    };
    let deleted = one(Manner::Deleted).context("special manners come together")?;
    let rotated = one(Manner::Rotated).context("special manners come together")?;
    let moments = [begin + storm / 4, begin + storm / 2];
    let deleting = async {
        sleep_until(begin + storm / 2).await;
        delete(direct, &deleted.id).await
    };
    let (times, (), ()) = tokio::try_join!(
        switch(direct, switched, over),
        deleting,
        rotate(direct, rotated, &moments)
    )?;
    println!("chaos: an endpoint was disabled and enabled {times} times, one deleted, one had two new secrets");
    Ok(())
}
