//! The configuration's rules, by the fixtures in `tests/fixtures/` and by variables.

use super::*;
use std::path::PathBuf;

const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn with(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let path = file.map(fixture);
    load(
        path.as_deref(),
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        &[],
    )
}

fn mistakes(file: Option<&str>, variables: &[(&str, &str)]) -> Vec<String> {
    let problems = with(file, variables).expect_err("it has mistakes");
    problems
        .0
        .into_iter()
        .map(|problem| format!("{}: {}", problem.at, problem.message))
        .collect()
}

#[test]
fn a_full_file_is_read() {
    let config = with(Some("full.toml"), &[]).expect("it is right").config;
    assert_eq!(config.kafka.brokers, "kafka-1:9092,kafka-2:9092");
    assert_eq!(config.kafka.properties["sasl.password"], "kafka-password");
    assert_eq!(config.kafka.properties["security.protocol"], "SASL_SSL");
    assert_eq!(
        config.configured_sources[0],
        Source {
            tenant: "header".into(),
            ..Source::default_of("acme.events".into())
        }
    );
    assert_eq!(
        config.configured_sources[1].start(),
        SourceStart::Time(1_795_255_200_000)
    );
    assert_eq!(config.delivery.rate_per_sec, Some(100.0));
    assert_eq!(config.dispatcher.drain_sec, Some(30));
    assert_eq!(
        config.secrets.key.map(|key| key.reveal().to_owned()).as_deref(),
        Some(KEY)
    );
}

#[test]
fn nothing_at_all_is_the_defaults() {
    let config = with(None, &[]).expect("every default is right").config;
    assert_eq!(config.kafka.prefix, "hookline.");
    assert_eq!(
        config.delivery.retry_schedule_sec,
        [5, 60, 300, 1800, 7200, 18000, 36000, 36000]
    );
    assert_eq!(
        (config.kafka.lanes, config.dispatcher.max_buffered_bytes),
        (64, 256 << 20)
    );
    assert!(config.configured_sources.is_empty() && config.secrets.key.is_none());
}

#[test]
fn a_wrong_key_is_refused_with_the_nearest() {
    assert_eq!(
        mistakes(Some("wrong_key.toml"), &[]),
        ["dispatcher.max_inflight: there is no such key; did you mean `dispatcher.max_in_flight`?"]
    );
    assert_eq!(
        mistakes(None, &[("HOOKLINE_KAFKA__BROKER", "x:1")]),
        ["HOOKLINE_KAFKA__BROKER: there is no such key; did you mean `HOOKLINE_KAFKA__BROKERS`?"]
    );
    assert_eq!(
        mistakes(None, &[("HOOKLINE_SECRETS__KEYFILE", "x")]),
        ["HOOKLINE_SECRETS__KEYFILE: there is no such key; did you mean `HOOKLINE_SECRETS__KEY_FILE`?"]
    );
}

#[test]
fn a_wrong_value_is_refused_with_its_range() {
    assert_eq!(
        mistakes(Some("wrong_value.toml"), &[]),
        ["kafka.lanes: 0 is outside 1 to 1024"]
    );
    assert_eq!(
        mistakes(None, &[("HOOKLINE_KAFKA__LANES", "many")]),
        ["HOOKLINE_KAFKA__LANES: must be a whole number, 1 to 1024"]
    );
}

#[test]
fn several_mistakes_are_reported_at_once_and_no_secret_with_them() {
    let all = mistakes(Some("several_mistakes.toml"), &[("HOOKLINE_LOG__LEVEL", "loud")]);
    for part in [
        "kafka.brokers: must be a text, not a whole number",
        "kafka.lanez: there is no such key; did you mean `kafka.lanes`?",
        "kafka.properties: group.id can't be set here",
        "sources: source 1: there is no `topik`; did you mean `topic`?",
        "sources: source 1: format `xml` is not known",
        "sources: source 1: start must be earliest",
        "sources: source 1: topic is missing",
        "secrets.key: must be 32 bytes in base64",
        "delivery.retry_schedule_sec: item 2: -1 is outside 0 to 172800",
        "delivery.retry_schedule_sec: item 3: 200000 is outside",
        "delivery.timeout_sec: must be a whole number, 1 to 60, not a text",
        "egress.allow_networks: item 2: must be a network",
        "egress.client_cert_file: can't read the file",
        "circuit.probe_sec: 0 values; 1 to 20 are allowed",
        "history.url: must begin with sqlite:// or postgres://",
        "fanout.guarantee: exactly_once comes with a later version",
        "HOOKLINE_LOG__LEVEL: must be error, warn, info",
    ] {
        assert!(
            all.iter().any(|mistake| mistake.starts_with(part)),
            "no `{part}` in {all:#?}"
        );
    }
    assert!(!all.iter().any(|mistake| mistake.contains("not-a-key")), "{all:#?}");
    assert_eq!(all.len(), 17, "{all:#?}");
}

#[test]
fn a_file_that_is_not_toml_is_reported_by_its_line_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("broken.toml");
    std::fs::write(&path, "[secrets]\nkey = \"hidden-value\n").expect("it can be written");
    let problems = load(Some(&path), std::iter::empty(), &[]).expect_err("it is broken");
    assert!(problems.0[0].at.ends_with("broken.toml, line 2"), "{problems}");
    assert!(!problems.to_string().contains("hidden-value"), "{problems}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let variables = [
        ("HOOKLINE_KAFKA__BROKERS", "other:9092"),
        ("HOOKLINE_KAFKA__PROPERTIES__SASL_PASSWORD", "from-the-environment"),
        ("HOOKLINE_DELIVERY__RETRY_SCHEDULE_SEC", "1, 2"),
        ("HOOKLINE_EGRESS__ALLOW_NETWORKS", r#"["fd00::/8"]"#),
        ("HOOKLINE_EGRESS__ALLOW_HTTP", "false"),
        ("HOOKLINE_SOURCES", r#"[{"topic": "third"}]"#),
        ("PATH", "/bin"),
    ];
    let config = with(Some("full.toml"), &variables).expect("it is right").config;
    assert_eq!(config.kafka.brokers, "other:9092");
    assert_eq!(config.kafka.properties["sasl.password"], "from-the-environment");
    assert_eq!(
        config.kafka.properties["sasl.username"], "hookline",
        "the file's others stay"
    );
    assert_eq!(config.delivery.retry_schedule_sec, [1, 2]);
    assert_eq!(config.egress.allow_networks, ["fd00::/8"]);
    assert!(!config.egress.allow_http);
    assert_eq!(config.configured_sources, [Source::default_of("third".into())]);
}

#[test]
fn secrets_have_a_twin_that_names_a_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, many) = (dir.path().join("key"), dir.path().join("previous"));
    std::fs::write(&one, format!("{KEY}\n")).expect("it can be written");
    std::fs::write(&many, format!("{KEY}\n\n{KEY}\n")).expect("it can be written");
    let (one, many) = (one.display().to_string(), many.display().to_string());
    let twins = [
        ("HOOKLINE_SECRETS__KEY_FILE", one.as_str()),
        ("HOOKLINE_SECRETS__PREVIOUS_KEYS_FILE", many.as_str()),
    ];
    let secrets = with(None, &twins).expect("it is right").config.secrets;
    assert_eq!(secrets.key.map(|key| key.reveal().to_owned()).as_deref(), Some(KEY));
    assert_eq!(secrets.previous_keys.len(), 2);
    let both = mistakes(None, &[twins[0], ("HOOKLINE_SECRETS__KEY", KEY)]);
    assert!(
        both[0].contains("secrets.key and secrets.key_file are both given"),
        "{both:?}"
    );
}

#[test]
fn properties_come_from_a_mounted_file_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("kafka.properties");
    std::fs::write(&path, "# SASL\nsasl.username = mounted\nsasl.password=a=b\n").expect("it can be written");
    let path = path.display().to_string();
    let variables = [
        ("HOOKLINE_KAFKA__PROPERTIES_FILE", path.as_str()),
        ("HOOKLINE_KAFKA__PROPERTIES__SASL_USERNAME", "nearer"),
    ];
    let kafka = with(None, &variables).expect("it is right").config.kafka;
    assert_eq!(kafka.properties["sasl.password"], "a=b");
    assert_eq!(kafka.properties["sasl.username"], "nearer");
}

#[test]
fn what_others_put_into_the_environment_is_ignored() {
    for name in [
        "HOOKLINE_URL",
        "HOOKLINE_API_KEY",
        "HOOKLINE_SERVICE_HOST",
        "HOOKLINE_API_SERVICE_HOST",
        "HOOKLINE_SERVICE_PORT",
        "HOOKLINE_SERVICE_PORT_HTTP",
        "HOOKLINE_PORT",
        "HOOKLINE_API_PORT",
        "HOOKLINE_PORT_8080_TCP",
        "HOOKLINE_PORT_8080_TCP_ADDR",
        "HOOKLINE_PORT_53_UDP_PROTO",
        "HOOKLINE_CRASH_AT",
        "HOOKLINE_TEST_X",
        "HOOKLINE_BIN",
        "HOOKLINE_KEEP_KAFKA",
    ] {
        with(None, &[(name, "whatever")]).unwrap_or_else(|problems| panic!("{name}: {problems}"));
    }
    for name in [
        "HOOKLINE_ADMIN__PORT",
        "HOOKLINE_X",
        "HOOKLINE_CONFIG",
        "HOOKLINE_PORT_X_TCP",
    ] {
        assert_eq!(mistakes(None, &[(name, "1")]).len(), 1, "{name}");
    }
}

#[test]
fn what_a_later_version_brings_is_refused() {
    for (name, value) in [
        ("HOOKLINE_SCHEMA_REGISTRY__URL", "http://registry:8081"),
        ("HOOKLINE_SCHEMA_REGISTRY__USER", "hookline"),
    ] {
        assert!(
            mistakes(None, &[(name, value)])[0].contains("this version does not do it yet"),
            "{name}"
        );
    }
}

#[test]
fn the_historys_database_is_a_file_or_postgres_and_its_password_is_not_shown_invariant_5() {
    let loaded = with(
        None,
        &[("HOOKLINE_HISTORY__URL", "postgres://hookline:s3cret@db/hookline")],
    );
    let loaded = loaded.expect("it is right");
    for text in [loaded.shown(), format!("{:?}", loaded.config)] {
        assert!(text.contains("redacted") && !text.contains("s3cret"), "{text}");
    }
    let default = with(None, &[]).expect("the default is right").shown();
    assert!(
        default.contains("sqlite://hookline.db"),
        "a default is no secret: {default}"
    );
    for wrong in ["mysql://u:s3cret@db", "hookline.db", "postgres"] {
        let problems = mistakes(None, &[("HOOKLINE_HISTORY__URL", wrong)]);
        assert!(
            problems.len() == 1 && problems[0].contains("postgres://"),
            "{problems:?}"
        );
        assert!(!problems[0].contains("s3cret"), "{problems:?}");
    }
}

#[test]
fn a_proxy_is_an_http_url_and_its_credentials_are_not_shown_invariant_5() {
    let loaded = with(None, &[("HOOKLINE_EGRESS__PROXY", "http://user:s3cret@proxy:3128")]).expect("it is right");
    assert!(loaded.config.egress.proxy.is_some());
    for text in [loaded.shown(), format!("{:?}", loaded.config)] {
        assert!(text.contains("redacted") && !text.contains("s3cret"), "{text}");
    }
    for wrong in ["proxy:3128", "https://s3cret@proxy", "http://proxy/s3cret"] {
        let problems = mistakes(None, &[("HOOKLINE_EGRESS__PROXY", wrong)]);
        assert!(
            problems.len() == 1 && problems[0].contains("must be http://host:port"),
            "{problems:?}"
        );
        assert!(!problems[0].contains("s3cret"), "{problems:?}");
    }
    assert!(with(None, &[]).expect("it is right").config.egress.proxy.is_none());
}

#[test]
fn invariant_5_no_secret_is_shown() {
    let loaded = with(Some("full.toml"), &[]).expect("it is right");
    for text in [loaded.shown(), format!("{:?}", loaded.config)] {
        for secret in [KEY, "YWJjZGVm", "operator-password", "kafka-password"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(text.contains("[redacted]") && text.contains("SASL_SSL"), "{text}");
    }
}

#[test]
fn the_default_file_documents_every_key_and_loads_when_uncommented() {
    let text = default_file();
    for key in keys::KEYS {
        let name = key.name.rsplit_once('.').map_or(key.name, |(_, last)| last);
        assert!(
            text.contains(&format!("# {name} =")) && text.contains(key.meaning),
            "{}",
            key.name
        );
    }
    let uncommented: Vec<_> = text
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| {
                    rest.split_once(" = ")
                        .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
                })
                .unwrap_or(line)
        })
        .collect();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("default.toml");
    std::fs::write(&path, uncommented.join("\n")).expect("it can be written");
    load(Some(&path), std::iter::empty(), &[]).expect("every default is right");
}

#[test]
fn what_a_command_needs_is_missed_together_with_other_mistakes() {
    let needed = ["secrets.key", "api.operator_key"];
    let missed = |variables: &[(&str, &str)]| {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let problems = load(None, variables, &needed).expect_err("it has mistakes").0;
        problems.into_iter().map(|problem| problem.at).collect::<Vec<_>>()
    };
    assert_eq!(missed(&[]), needed);
    assert_eq!(
        missed(&[("HOOKLINE_KAFKA__LANES", "0"), ("HOOKLINE_SECRETS__KEY", KEY)]),
        ["HOOKLINE_KAFKA__LANES", "api.operator_key"]
    );
    assert_eq!(
        missed(&[
            ("HOOKLINE_SECRETS__KEY_FILE", "/nonexistent"),
            ("HOOKLINE_API__OPERATOR_KEY", "k")
        ]),
        ["HOOKLINE_SECRETS__KEY_FILE"],
        "what is there and wrong is not missing too"
    );
}
