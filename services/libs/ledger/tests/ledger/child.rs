//! What this binary does as another process. Not tests of their own: [`crate::support::Process`] runs them by their names.

use crate::support::{BROKERS, PATIENCE, PREFIX, clerk_options};
use kafka_log::Connection;
use ledger::{Clerk, Entity, Ledger, WriteError, Writer};
use std::{collections::BTreeMap, io::Read, sync::Arc};
use tokio_util::sync::CancellationToken;

fn connection() -> Connection {
    let variable = |name| std::env::var(name).expect("its parent says where");
    Connection::new(variable(BROKERS), variable(PREFIX), BTreeMap::new())
}

/// Ends this process when its parent is gone.
fn end_with_parent() {
    std::thread::spawn(|| {
        // Nothing is ever written to it: it only ends.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

#[tokio::test]
#[ignore = "a child of other tests"]
async fn clerk() {
    end_with_parent();
    let connection = connection();
    let ledger = Ledger::start(&connection).await.expect("the ledger is followed");
    Clerk::run(&connection, &ledger, clerk_options(), CancellationToken::new())
        .await
        .expect("the clerk runs for ever");
}

/// Adds 1 to counters that all writers share, 500 times in all, four at a time. Prints how many conflicts it met.
#[tokio::test]
#[ignore = "a child of other tests"]
async fn writer() {
    end_with_parent();
    let connection = connection();
    let ledger = Ledger::start(&connection).await.expect("the ledger is followed");
    let writer = Writer::start_with_timeout(&connection, &ledger, PATIENCE)
        .await
        .expect("a writer starts");
    let adders = (0..4).map(|adder| add(&ledger, &writer, adder));
    let conflicts: usize = futures::future::join_all(adders).await.into_iter().sum();
    println!("conflicts={conflicts}");
    std::process::exit(0);
}

async fn add(ledger: &Ledger, writer: &Writer, adder: usize) -> usize {
    let mut conflicts = 0;
    for n in 0..125 {
        let id = format!("org_counter{}", (adder + n) % 4);
        let mut view = ledger.view();
        loop {
            let counter = view.tenant(&id).expect("its parent made it");
            let mut next = counter.entity.as_ref().clone();
            next.quotas.endpoints += 1;
            match writer.put(Entity::Tenant(Arc::new(next)), Some(counter.version)).await {
                Ok(version) => {
                    assert_eq!(version, counter.version + 1);
                    break;
                }
                Err(WriteError::Conflict { actual }) => {
                    assert!(actual > counter.version);
                    conflicts += 1;
                    view = ledger.barrier().await.expect("the ledger can be read");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    conflicts
}
