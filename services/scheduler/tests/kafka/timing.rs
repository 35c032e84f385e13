//! Never early, and in time.

use crate::support::World;
use anyhow::Result;
use delivery_core::tier::tolerance_ms;
use std::time::Duration;

/// What the way takes beside the waiting itself, where nothing is slow: a transaction, and a read by this test.
const WAY_MS: i64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_early_and_nothing_is_late() -> Result<()> {
    let world = World::new().await?;
    let mut returns = world.returns().await?;
    let running = world.start(world.options()).await?;
    // The first one passes when everything is up.
    let first = world.wait(&[1]).await?;
    returns.each_once(&first, Duration::ZERO).await?;

    let waits_ms: Vec<i64> = (0..1500).map(|_| rand::random_range(1_000..20_000)).collect();
    let slowness = world.slowness();
    let due = world.wait(&waits_ms).await?;
    let released = returns.each_once(&due, Duration::from_secs(2)).await?;
    let way_ms = WAY_MS + slowness.allowance_ms().await?;
    let mut late: Vec<(i64, i64)> = Vec::new();
    for released in &released {
        let due_ms = due[&released.delivery.delivery_id];
        let waited_ms = due_ms - released.delivery.matched_at_ms;
        let late_ms = released.at_ms - due_ms;
        assert!(late_ms >= 0, "{} ms early, of {waited_ms}", -late_ms);
        assert!(
            late_ms <= tolerance_ms(waited_ms) + way_ms,
            "{late_ms} ms late, of {waited_ms}, way {way_ms}"
        );
        assert_eq!(
            (
                released.delivery.due_at_ms,
                released.delivery.wait_since_ms,
                released.delivery.hops
            ),
            (0, 0, 0)
        );
        late.push((late_ms, waited_ms));
    }
    late.sort_unstable();
    println!(
        "late: median {:?}, p99 {:?}, max {:?} (ms, of ms); the way at most {way_ms}",
        late[750], late[1485], late[1499]
    );
    running.stop().await
}

/// Longer than the group's session: an idle wait is no reason to be evicted, and the worker wakes by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_lone_delivery_is_released_after_a_long_idle_wait() -> Result<()> {
    let world = World::new().await?;
    let mut returns = world.returns().await?;
    let running = world.start(world.options()).await?;
    let first = world.wait(&[1]).await?;
    returns.each_once(&first, Duration::ZERO).await?;
    let slowness = world.slowness();
    let due = world.wait(&[16_000]).await?;
    let released = returns.each_once(&due, Duration::ZERO).await?;
    let late_ms = released[0].at_ms - due[&released[0].delivery.delivery_id];
    let at_most_ms = 3_000 + slowness.allowance_ms().await?;
    assert!(
        (0..at_most_ms).contains(&late_ms),
        "{late_ms} ms late, of at most {at_most_ms}: a new member would have waited for a rebalance"
    );
    running.stop().await
}
