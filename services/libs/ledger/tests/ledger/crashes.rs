//! A clerk killed with SIGKILL at every step of a batch: nothing half-written, and another takes over.

use crate::support::{Process, connect, endpoint, history, keyring, outcomes, tenant, writer};
use ledger::{Entity, WriteError};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Session timeout (6 s), a heartbeat's granularity, and what taking over costs on a busy machine.
const TAKEOVER: Duration = Duration::from_secs(12);

async fn crash_at(step: &str) {
    let connection = connect().await;
    // The first batch makes the installation, the second proves who is in office; the third is the one.
    let time = if step == "after_read" { 2 } else { 3 };
    let doomed = Process::clerk(&connection, Some(&format!("clerk.{step}:{time}")));
    let (ledger, writer) = writer(&connection).await;
    ledger
        .wait_until(|view| view.installation().is_some())
        .await
        .expect("the ledger can be read");
    let owner = tenant("owner");
    writer
        .put(owner.clone().into(), Some(0))
        .await
        .expect("the first clerk is in office");
    let _successor = Process::clerk(&connection, None);

    let keyring = keyring();
    let mut wanted: Vec<Entity> = (0..4).map(|n| tenant(&format!("tenant {n}")).into()).collect();
    wanted.extend((0..3).map(|_| Entity::from(endpoint(&owner.id, &keyring, "whsec_x"))));
    let began = Instant::now();
    let puts = wanted.iter().map(|entity| writer.put(entity.clone(), Some(0)));
    let conflict = writer.put(owner.clone().into(), Some(7));
    let (results, conflict) = tokio::join!(futures::future::join_all(puts), conflict);
    let took = began.elapsed();
    println!("{step}: answered after {took:?}");

    let (_, signal) = doomed.end().await;
    assert_eq!(signal, Some(9), "the first clerk crashed at its point");
    for result in results {
        assert_eq!(result.expect("every wanted change is made"), 1);
    }
    assert!(matches!(conflict, Err(WriteError::Conflict { actual: 1 })));
    assert!(took < TAKEOVER, "another took over after {took:?}");

    // Each change once, and each outcome says where it stands.
    let history = history(&connection).await;
    let view = ledger.barrier().await.expect("the ledger can be read");
    let mut offsets = HashMap::new();
    for (offset, entry, _) in &history {
        assert_eq!(entry.version, 1, "{}/{} was written twice", entry.kind, entry.id);
        assert_eq!(
            offsets.insert(entry.request_id.clone(), *offset),
            None,
            "one request was applied twice"
        );
        assert_eq!(
            view.version(ledger::Kind::parse(&entry.kind).expect("it is known"), &entry.id),
            1
        );
    }
    for entity in &wanted {
        assert_eq!(view.version(entity.kind(), entity.id()), 1);
    }
    for outcome in outcomes(&connection).await {
        let stands = offsets.remove(&outcome.request_id);
        assert_eq!(stands, outcome.accepted.then_some(outcome.ledger_offset));
    }
    assert!(offsets.is_empty(), "a change has no outcome: {offsets:?}");
    // Whatever number it has got: a dedicated endpoint's topic exists.
    let admin = kafka_log::Admin::new(&connection).expect("an admin client starts");
    let topics = admin
        .topics(&connection.names().endpoint_prefix())
        .await
        .expect("topics can be listed");
    for endpoint in view.endpoints() {
        let number = endpoint.dedicated_topic.expect("there is room for dedicated topics");
        assert!(topics.contains_key(&connection.names().endpoint(&endpoint.id, number)));
    }
}

macro_rules! killed {
    ($($name:ident: $step:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            crash_at($step).await;
        })*
    };
}

killed! {
    killed_after_reading: "after_read";
    killed_after_begin: "after_begin";
    killed_after_the_ledger_was_written: "after_ledger_written";
    killed_after_the_outcomes_were_written: "after_outcomes_written";
    killed_after_the_offsets_were_added: "after_offsets";
    killed_after_commit: "after_commit";
}
