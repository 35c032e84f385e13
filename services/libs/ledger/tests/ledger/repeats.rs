//! A request id is applied once, whoever is in office; an unreadable request stops nobody.

use crate::support::{PATIENCE, Process, connect, history, tenant, writer};
use kafka_log::Outgoing;
use ledger::{Kind, WriteError};

#[tokio::test]
async fn a_repeated_request_id_is_applied_once_also_by_the_next_clerk() {
    let connection = connect().await;
    let mut first = Process::clerk(&connection, None);
    let (ledger, writer) = writer(&connection).await;
    let wanted = tenant("one");
    let put = |request_id: &'static str| writer.put_with_request_id(request_id, wanted.clone().into(), None);
    let together = futures::future::join_all((0..5).map(|_| put("same"))).await;
    assert!(
        together.into_iter().all(|r| matches!(r, Ok(1))),
        "in one batch or several, the answer is the same"
    );
    assert!(matches!(put("same").await, Ok(1)));
    let refuse = || writer.remove_with_request_id("refused", Kind::Tenant, "org_nobody", None);
    assert!(matches!(refuse().await, Err(WriteError::Refused { code, .. }) if code == "not_found"));
    first.kill();
    let _second = Process::clerk(&connection, None);
    assert!(
        matches!(put("same").await, Ok(1)),
        "the next clerk knows what was decided"
    );
    assert!(matches!(refuse().await, Err(WriteError::Refused { code, .. }) if code == "not_found"));
    assert_eq!(put("another").await.expect("it is a new request"), 2);
    let view = ledger.barrier().await.expect("the ledger can be read");
    assert_eq!(view.tenant(&wanted.id).map(|t| t.version), Some(2));
    assert_eq!(
        history(&connection)
            .await
            .iter()
            .filter(|(_, e, _)| e.id == wanted.id)
            .count(),
        2
    );
}

#[tokio::test]
async fn an_unreadable_request_is_passed_over() {
    let connection = connect().await;
    let _clerk = Process::clerk(&connection, None);
    let (_, writer) = writer(&connection).await;
    let producer = kafka_log::Producer::new(&connection).expect("a producer starts");
    let garbage = Outgoing::new(connection.names().ledger_requests(), 0, "tenant/x", b"garbage".to_vec());
    producer.write(&garbage).await.expect("it is written");
    let made = tokio::time::timeout(PATIENCE, writer.put(tenant("after").into(), Some(0))).await;
    assert!(matches!(made, Ok(Ok(1))));
}
