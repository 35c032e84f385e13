//! Topics made, checked and mended.

use crate::setup::{PATIENCE, Setup, noise};
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
            .all(|f| f.topic == lanes && (f.severity == Severity::Error) == f.message.starts_with("retention.ms"))
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

/// A value that the brokers take and that is another than the one wanted.
fn another(setting: &str) -> &'static str {
    match setting {
        "retention.ms" | "retention.bytes" => "7777777",
        "cleanup.policy" => "",
        "max.message.bytes" => "1000000",
        "unclean.leader.election.enable" => "true",
        "message.timestamp.type" => "CreateTime",
        "segment.bytes" => "1048576",
        "segment.ms" => "60000",
        "min.cleanable.dirty.ratio" => "0.9",
        other => panic!("no other value for {other} is known here"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_of_every_topic_is_named_when_it_differs() {
    let setup = Setup::new();
    let specs = fixed(setup.connection.names(), &settings());
    apply(&setup.admin, &settings(), &specs).await.expect("apply");
    let mut wanted = Vec::new();
    for spec in &specs {
        let mut changed = Vec::new();
        for (setting, value) in &spec.config {
            let other = match another(setting) {
                "" if value == "compact" => "delete",
                "" => "compact",
                other => other,
            };
            changed.push((setting.clone(), other.to_owned()));
            wanted.push((spec.name.clone(), format!("{setting} is {other}, not {value}: ")));
        }
        setup.admin.set(&spec.name, &changed).await.expect("change by hand");
    }
    let findings = findings_once(&setup, &specs, wanted.len()).await;
    for (topic, words) in &wanted {
        let is_it = |finding: &&Finding| finding.topic == *topic && finding.message.starts_with(words.as_str());
        assert_eq!(
            findings.iter().filter(is_it).count(),
            1,
            "{topic}: {words} of {findings:?}"
        );
    }
    assert_eq!(findings.len(), wanted.len());
    apply(&setup.admin, &settings(), &specs).await.expect("apply");
    assert_eq!(findings_once(&setup, &specs, 0).await, [], "all is mended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_nobody_could_write_to_is_named_and_mended() {
    let setup = Setup::new();
    let specs = fixed(setup.connection.names(), &settings());
    apply(&setup.admin, &settings(), &specs).await.expect("apply");
    let lanes = setup.connection.names().lanes();
    let two = [("min.insync.replicas".to_owned(), "2".to_owned())];
    setup.admin.set(&lanes, &two).await.expect("change by hand");
    let findings = findings_once(&setup, &specs, 1).await;
    assert_eq!(findings[0].severity, Severity::Error);
    assert!(findings[0].message.contains("nothing can be written"), "{findings:?}");
    apply(&setup.admin, &settings(), &specs).await.expect("apply");
    assert_eq!(findings_once(&setup, &specs, 0).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_brokers_find_too_large_is_said_to_be() {
    let setup = Setup::new();
    let topic = setup.name("small");
    let limit = [("max.message.bytes".to_owned(), "1000".to_owned())];
    assert!(setup.admin.create(&topic, 1, 1, &limit).await.expect("create"));
    let record = kafka_log::Outgoing::new(topic.as_str(), 0, "k", noise(5_000));
    let refused = setup.producer().write_all(&[record]).await;
    assert!(
        matches!(&refused, Err(kafka_log::Error::TooLarge { topic: of, .. }) if *of == topic),
        "{refused:?}"
    );
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
