//! Topics made, checked and mended.

use crate::setup::{PATIENCE, Setup};
use kafka_log::topics::{Applied, Finding, Severity, TopicSettings, TopicSpec, apply, check, fixed};

fn settings() -> TopicSettings {
    TopicSettings {
        lanes: 2,
        replication_factor: Some(1),
        history_retention_days: 30,
        dlq_retention_days: 30,
        default_source: true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_once_and_mended_when_they_differ() {
    let setup = Setup::new();
    let specs = fixed(setup.connection.names(), &settings());
    let missing = check(&setup.admin, &specs).await.expect("check");
    assert_eq!(missing.len(), specs.len(), "before the first start all are missing");
    let made = apply(&setup.admin, &settings(), &specs).await.expect("apply");
    assert_eq!(made.len(), specs.len());
    assert_eq!(
        check(&setup.admin, &specs).await.expect("check"),
        [],
        "what was made passes its own check"
    );
    assert_eq!(
        apply(&setup.admin, &settings(), &specs).await.expect("apply"),
        [],
        "again changes nothing"
    );

    let lanes = setup.connection.names().lanes();
    let changed = [
        ("retention.ms".to_owned(), "1000".to_owned()),
        ("segment.ms".to_owned(), "60000".to_owned()),
    ];
    setup.admin.set(&lanes, &changed).await.expect("change by hand");
    let findings = findings_once(&setup, &specs, 2).await;
    let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(findings.len(), 2, "each setting is named: {messages:?}");
    assert!(
        findings
            .iter()
            .all(|f| f.topic == lanes && f.severity == Severity::Error)
    );
    assert!(
        messages
            .iter()
            .any(|m| m.contains("retention.ms is 1000, not -1: records that wait longer")),
        "{messages:?}"
    );
    let mended = apply(&setup.admin, &settings(), &specs).await.expect("apply");
    assert!(
        mended
            .iter()
            .all(|a| matches!(a, Applied::Changed(topic, ..) if *topic == lanes)),
        "{mended:?}"
    );
    assert_eq!(findings_once(&setup, &specs, 0).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_number_of_partitions_is_named_and_left_alone() {
    let setup = Setup::new();
    setup.topic("lanes", 5).await;
    let specs = fixed(setup.connection.names(), &settings());
    let applied = apply(&setup.admin, &settings(), &specs).await.expect("apply");
    let lanes = setup.connection.names().lanes();
    assert!(
        applied.contains(&Applied::WrongPartitions(lanes.clone(), 5, 2)),
        "{applied:?}"
    );
    let findings = check(&setup.admin, &specs).await.expect("check");
    assert!(
        findings
            .iter()
            .any(|f| f.topic == lanes && f.message.contains("has 5 partitions, not 2")),
        "{findings:?}"
    );
}

/// The findings, once there are this many: brokers see a changed setting a moment after it was changed.
async fn findings_once(setup: &Setup, specs: &[TopicSpec], count: usize) -> Vec<Finding> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let findings = check(&setup.admin, specs).await.expect("check");
        if findings.len() == count || tokio::time::Instant::now() > deadline {
            return findings;
        }
    }
}
