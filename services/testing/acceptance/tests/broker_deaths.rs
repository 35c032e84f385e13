//! Brokers that die under load. A binary of its own: three more brokers take what the machine has, and other tests measure.

use std::time::Duration;

use chaos::{Faults, Options};

/// One of three is killed with SIGKILL and started again; every process of the product lives on. (`cargo xtask chaos` has
/// all of them away, too.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_1_a_broker_of_three_dies_and_nothing_is_lost() {
    let mut options = Options::new(600, 8);
    options.endpoints = 20;
    options.storm = Some(Duration::from_secs(25));
    options.faults = Faults::None;
    options.kills_brokers = true;
    let summary = chaos::run(&options).await.expect("a run");
    summary.assert_no_violation();
    assert!(summary.broker_outages >= 1, "{summary}");
    assert_eq!(summary.kills, 0, "nobody has to help: {summary}");
}
