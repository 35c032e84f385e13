//! What one process has written, another sees at its next barrier; and nobody answers without a clerk.

use crate::support::{Process, connect, endpoint, keyring, tenant, writer};
use kafka_log::Outgoing;
use ledger::{Clerk, Entity, Error, Kind, Ledger, WriteError, Writer};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_barrier_elsewhere_sees_what_a_put_returned_for() {
    let connection = connect().await;
    let _clerk = Process::clerk(&connection, None);
    let (here, writer) = writer(&connection).await;
    let elsewhere = Ledger::start(&connection).await.expect("the ledger is followed");
    let mut changes = elsewhere.changes();
    for n in 0..50 {
        let tenant = tenant(&format!("tenant {n}"));
        let version = writer.put(tenant.clone().into(), Some(0)).await.expect("it is made");
        assert_eq!(
            here.view().tenant(&tenant.id).map(|t| t.version),
            Some(version),
            "a writer sees its own write"
        );
        let (view, same) = tokio::join!(elsewhere.barrier(), elsewhere.barrier());
        for view in [view, same] {
            let view = view.expect("the ledger can be read");
            assert!(
                view.tenant(&tenant.id).is_some(),
                "tenant {n} is missing at {}",
                view.position()
            );
        }
        let change = loop {
            let change = changes.recv().await.expect("changes arrive");
            if change.kind == Kind::Tenant {
                break change;
            }
        };
        assert_eq!((change.id.as_ref(), change.version), (tenant.id.as_str(), 1));
    }
}

#[tokio::test]
async fn a_view_without_secrets_holds_none() {
    let connection = connect().await;
    let _clerk = Process::clerk(&connection, None);
    let (_, writer) = writer(&connection).await;
    let bare = Ledger::start_without_secrets(&connection)
        .await
        .expect("the ledger is followed");
    let (owner, keyring) = (tenant("owner"), keyring());
    writer.put(owner.clone().into(), Some(0)).await.expect("it is made");
    let mut made = endpoint(&owner.id, &keyring, "whsec_x");
    ledger::seal_header(&mut made, &keyring, "authorization", "Bearer x");
    writer.put(made.clone().into(), Some(0)).await.expect("it is made");
    let view = bare.barrier().await.expect("the ledger can be read");
    let seen = view.endpoint(&made.id).expect("it is there");
    assert!(seen.signing_secret.is_empty() && seen.headers.is_empty());
}

#[tokio::test]
async fn without_a_clerk_a_writer_says_so() {
    let connection = connect().await;
    let ledger = Ledger::start(&connection).await.expect("the ledger is followed");
    let writer = Writer::start_with_timeout(&connection, &ledger, Duration::from_millis(500));
    let result = writer
        .await
        .expect("a writer starts")
        .remove(Kind::Tenant, "org_x", None)
        .await;
    assert!(matches!(result, Err(WriteError::NoClerk)));
}

#[tokio::test]
async fn a_shutdown_hands_the_office_over_at_once() {
    let connection = connect().await;
    let (ledger, writer) = writer(&connection).await;
    let shutdown = CancellationToken::new();
    let options = crate::support::clerk_options();
    let first = tokio::spawn({
        let (connection, ledger, shutdown) = (connection.clone(), ledger.clone(), shutdown.clone());
        async move { Clerk::run(&connection, &ledger, options, shutdown).await }
    });
    writer.put(tenant("one").into(), Some(0)).await.expect("it is made");
    let _second = Process::clerk(&connection, None);
    shutdown.cancel();
    first.await.expect("no panic").expect("it ends well");
    let began = std::time::Instant::now();
    writer.put(tenant("two").into(), Some(0)).await.expect("it is made");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "it took {:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn other_lanes_than_at_first_start_are_a_clear_error() {
    let connection = connect().await;
    let mut clerk = Process::clerk(&connection, None);
    let (ledger, _) = writer(&connection).await;
    let view = ledger
        .wait_until(|view| view.installation().is_some())
        .await
        .expect("the ledger can be read");
    assert_eq!(view.installation().map(|i| i.lanes), Some(4));
    clerk.kill();
    let mut options = crate::support::clerk_options();
    options.topics.lanes = 8;
    let ended = Clerk::run(&connection, &ledger, options, CancellationToken::new()).await;
    assert!(matches!(
        ended,
        Err(Error::LanesDiffer {
            configured: 8,
            installed: 4
        })
    ));
}

#[tokio::test]
async fn a_damaged_ledger_blocks_and_never_skips() {
    let connection = connect().await;
    let mut clerk = Process::clerk(&connection, None);
    let (ledger, writer) = writer(&connection).await;
    let owner = tenant("owner");
    writer.put(owner.clone().into(), Some(0)).await.expect("it is made");
    clerk.kill();
    // An entity of a schema that the ledger doesn't hold: single-object magic and an unknown fingerprint.
    let entity = Entity::from(owner.clone()).encode().expect("it encodes");
    let unknown = [&entity[..2], &[7; 8], &entity[10..]].concat();
    let entry = schemas::LedgerEntry {
        kind: "tenant".into(),
        id: owner.id.clone(),
        version: 2,
        written_at_ms: 1,
        request_id: "r".into(),
        entity: unknown,
    };
    let value = schemas::encode(&entry).expect("it encodes");
    let record = Outgoing::new(connection.names().ledger(), 0, format!("tenant/{}", owner.id), value);
    let producer = kafka_log::Producer::new(&connection).expect("a producer starts");
    let position = producer.write(&record).await.expect("it is written");
    let blocked = ledger.barrier().await.expect_err("it can't be passed");
    assert!(
        matches!(&blocked, Error::Blocked { offset, .. } if *offset == position.offset),
        "{blocked}"
    );
    assert_eq!(ledger.view().tenant(&owner.id).map(|t| t.version), Some(1));
    assert!(matches!(Ledger::start(&connection).await, Err(Error::Blocked { .. })));
}
