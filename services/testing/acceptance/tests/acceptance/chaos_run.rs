//! A small run of the crate `chaos`, always of the same seed.

use std::time::Duration;

use chaos::{Faults, Options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_1_and_2_hold_while_every_role_is_killed() {
    let mut options = Options::new(1_000, 7);
    options.endpoints = 20;
    options.storm = Some(Duration::from_secs(15));
    // Halts and rolling restarts have tests of their own, in `zombies` and `draining`.
    options.faults = Faults::Kills;
    let summary = chaos::run(&options).await.expect("a run");
    summary.assert_no_violation();
    assert!(summary.kills >= 5, "{summary}");
}
