//! How late retries are: a measurement, for a quiet machine.
//! `cargo test --release -p scheduler --test kafka -- --ignored --nocapture lateness`

use crate::support::World;
use anyhow::{Context, Result};
use delivery_core::tier::tolerance_ms;
use std::{collections::HashMap, time::Duration};
use tokio::time::interval;

const PER_TICK: usize = 20;
const TICK: Duration = Duration::from_millis(100);

fn show(name: &str, mut late_ms: Vec<i64>) {
    late_ms.sort_unstable();
    let at = |share: f64| late_ms[((late_ms.len() - 1) as f64 * share) as usize];
    println!(
        "{name}: {} retries, late p50 {} ms, p99 {} ms, p99.9 {} ms, max {} ms",
        late_ms.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// 200 deliveries a second begin to wait for 20 s: a third for 5 s ±10 %, a third for 1 to 20 s, a third for 60 s ±10 %.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn measure() -> Result<()> {
    let world = World::new().await?;
    let mut returns = world.returns().await?;
    let running = world.start(world.options()).await?;
    let first = world.wait(&[1]).await?;
    returns.each_once(&first, Duration::ZERO).await?;
    let kinds = [4_500..5_500, 1_000..20_000, 54_000..66_000];
    let names = ["5 s ±10 %", "1 to 20 s", "60 s ±10 %"];
    let writing = async {
        let (mut due, mut kind_of, mut ticks) = (HashMap::new(), HashMap::new(), interval(TICK));
        for round in 0..200 {
            ticks.tick().await;
            let kind = round % kinds.len();
            let waits_ms: Vec<i64> = (0..PER_TICK).map(|_| rand::random_range(kinds[kind].clone())).collect();
            let written = world.wait(&waits_ms).await?;
            kind_of.extend(written.keys().map(|id| (id.clone(), kind)));
            due.extend(written);
        }
        anyhow::Ok((due, kind_of))
    };
    let reading = async {
        let mut released = Vec::new();
        while released.len() < 200 * PER_TICK {
            let next = returns.next(Duration::from_secs(70)).await?;
            released.push(next.context("all come back")?);
        }
        anyhow::Ok(released)
    };
    let ((due, kind_of), released) = tokio::try_join!(writing, reading)?;
    let mut late_ms = vec![Vec::new(); kinds.len()];
    let mut too_late = 0;
    for released in &released {
        let delivery = &released.delivery;
        let due_ms = due[&delivery.delivery_id];
        let late = released.at_ms - due_ms;
        assert!(late >= 0, "early by {} ms", -late);
        late_ms[kind_of[&delivery.delivery_id]].push(late);
        too_late += usize::from(late > tolerance_ms(due_ms - delivery.matched_at_ms));
    }
    show("all", late_ms.concat());
    for (name, late_ms) in names.iter().zip(late_ms) {
        show(name, late_ms);
    }
    println!("later than promised: {too_late} of {}", released.len());
    running.stop().await
}
