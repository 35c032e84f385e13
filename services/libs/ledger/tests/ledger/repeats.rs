//! A request id is applied once, whoever is in office; an unreadable request stops nobody.

use crate::support::{PATIENCE, Process, connect, history, tenant, writer};
use kafka_log::Outgoing;
use ledger::{Kind, WriteError};
use schemas::Tenant;

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
async fn a_repeat_gets_the_answer_that_came_with_the_first_request() {
    let connection = connect().await;
    let mut first = Process::clerk(&connection, None);
    let (_, writer) = writer(&connection).await;
    let put = |request_id: &'static str, tenant: Tenant, expected: i64, answer: &'static [u8]| {
        let writer = writer.clone();
        async move {
            let asked = writer.put_with_answer(request_id, tenant.into(), Some(expected), Some(answer.to_vec()));
            let decided = asked.await.expect("it is decided");
            (decided.result.ok(), decided.answer)
        }
    };
    let one = tenant("one");
    assert_eq!(
        put("made", one.clone(), 0, b"first").await,
        (Some(1), Some(b"first".to_vec()))
    );
    assert_eq!(
        put("made", tenant("two"), 0, b"second").await,
        (Some(1), Some(b"first".to_vec()))
    );
    assert_eq!(
        put("refused", one.clone(), 7, b"third").await,
        (None, Some(b"third".to_vec()))
    );
    first.kill();
    let _second = Process::clerk(&connection, None);
    assert_eq!(
        put("made", tenant("three"), 0, b"fourth").await,
        (Some(1), Some(b"first".to_vec()))
    );
    assert_eq!(put("refused", one, 1, b"fifth").await, (None, Some(b"third".to_vec())));
}

#[tokio::test]
async fn what_was_decided_is_recalled_and_asking_leaves_nothing_behind() {
    let connection = connect().await;
    let mut first = Process::clerk(&connection, None);
    let (_, writer) = writer(&connection).await;
    let put = |expected: i64, answer: &'static [u8]| {
        let put = writer.put_with_answer("asked", tenant("one").into(), Some(expected), Some(answer.to_vec()));
        async { put.await.expect("it is decided").result.ok() }
    };
    let recall = |request_id: &'static str| {
        let writer = writer.clone();
        async move {
            let known = writer.recall(request_id).await.expect("the clerk answers")?;
            Some((known.result.ok(), known.answer))
        }
    };
    for _ in 0..2 {
        assert_eq!(recall("asked").await, None);
    }
    // Together, so that most are in one batch: each question is answered by what stands before it.
    let (before, made, after) = tokio::join!(recall("asked"), put(0, b"first"), recall("asked"));
    assert_eq!(made, Some(1), "the questions didn't use the id up");
    let answered = Some((Some(1), Some(b"first".to_vec())));
    assert!(before.is_none() || before == answered, "{before:?}");
    assert!(after.is_none() || after == answered, "{after:?}");
    assert_eq!(recall("asked").await, answered);
    assert_eq!(put(7, b"second").await, Some(1), "a repeat, not another change");
    let refused = writer.put_with_answer("refused", tenant("two").into(), Some(7), Some(b"no".to_vec()));
    assert!(refused.await.expect("it is decided").result.is_err());
    for answer in [b"yes", b"nay"] {
        let noted = writer.note("noted", answer.to_vec()).await.expect("the clerk answers");
        assert_eq!(noted, Some(b"yes".to_vec()), "the first answer stands");
    }
    first.kill();
    let _second = Process::clerk(&connection, None);
    assert_eq!(recall("asked").await, answered, "the next clerk knows it");
    assert_eq!(recall("refused").await, Some((None, Some(b"no".to_vec()))));
    assert_eq!(recall("noted").await, Some((Some(0), Some(b"yes".to_vec()))));
    assert_eq!(recall("never").await, None);
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
