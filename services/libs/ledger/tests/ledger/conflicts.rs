//! Four processes change the same entities at the same time: a linear history, no lost update.

use crate::support::{Process, connect, history, tenant, writer};
use ledger::Entity;

#[tokio::test]
async fn four_processes_of_500_conflicting_writes_lose_no_update() {
    let connection = connect().await;
    let _clerks = [Process::clerk(&connection, None), Process::clerk(&connection, None)];
    let (ledger, first) = writer(&connection).await;
    for n in 0..4 {
        let mut counter = tenant("counter");
        counter.id = format!("org_counter{n}");
        counter.quotas.endpoints = 0;
        first.put(counter.into(), Some(0)).await.expect("a counter is made");
    }
    let writers: Vec<_> = (0..4).map(|_| Process::start("writer", &connection, None)).collect();
    let mut conflicts = 0;
    for writer in writers {
        let (lines, signal) = writer.end().await;
        assert_eq!(signal, None);
        let counted = lines
            .iter()
            .find_map(|l| l.split("conflicts=").nth(1))
            .expect("a writer counts its conflicts");
        conflicts += counted.trim().parse::<usize>().expect("it is a number");
    }
    assert!(conflicts > 0, "the writes were meant to conflict");
    println!("2000 writes, {conflicts} conflicts");
    let view = ledger.barrier().await.expect("the ledger can be read");
    let sum: i64 = (0..4)
        .filter_map(|n| view.tenant(&format!("org_counter{n}")))
        .map(|t| t.quotas.endpoints)
        .sum();
    assert_eq!(sum, 2000);
    // Every version once, in order, each one more than the one before it.
    for n in 0..4 {
        let id = format!("org_counter{n}");
        let versions = history(&connection)
            .await
            .into_iter()
            .filter(|(_, entry, _)| entry.id == id);
        let mut expected = 1;
        for (_, entry, entity) in versions {
            let Entity::Tenant(counter) = entity else {
                panic!("it is a tenant")
            };
            assert_eq!((entry.version, counter.quotas.endpoints), (expected, expected - 1));
            expected += 1;
        }
        assert_eq!(view.tenant(&id).map(|t| t.version), Some(expected - 1));
    }
}
