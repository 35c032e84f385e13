//! Tenants and secrets: what is one tenant's comes to nobody else, and no secret stands in clear where it can be read.

use std::time::Duration;

use acceptance::{Stage, TYPE};
use harness::{ALL_SCOPES, Answer, Behaviour, Installation, Options, Process, Receiver, read_to_end, until};
use kafka_log::Admin;
use serde_json::Value;

const EVENTS: usize = 20;
const ALL_ROLES: [&str; 3] = ["fanout", "dispatcher", "scheduler"];

#[tokio::test]
async fn invariant_6_nothing_of_one_tenant_reaches_another() {
    let stage = Stage::set(Options::new("tenants")).await.expect("an installation");
    let other = stage
        .direct
        .tenant("Other", &["platform"], |_| ())
        .await
        .expect("a tenant");
    let mut doors = Vec::new();
    for (tenant, placement) in [
        (&stage.tenant, "shared"),
        (&stage.tenant, "dedicated"),
        (&other, "shared"),
        (&other, "dedicated"),
    ] {
        let hook = stage.receiver.hook(&format!("{tenant}-{placement}"));
        hook.keep_contents();
        let made = stage.direct.endpoint(tenant, hook.url(), &["*"], |endpoint| {
            endpoint.placement = placement.into()
        });
        let made = made.await.expect("an endpoint");
        hook.expect_signatures("webhook-", &[made.secret]).expect("a secret");
        doors.push((tenant.clone(), made.id, hook));
    }
    let rest = stage.installation.serve("rest", &ALL_ROLES).await.expect("ready");
    let ours = stage.publish(EVENTS).await.expect("published");
    let theirs = stage.publish_for(&other, EVENTS).await.expect("published");
    // Of nobody: rejected, delivered to nobody.
    stage.publish_for("org_nobody", 3).await.expect("published");
    until("both tenants have theirs", Duration::from_secs(90), async || {
        let counts: Vec<_> = doors.iter().map(|(_, _, hook)| hook.tally().delivered).collect();
        if counts.iter().all(|count| *count == EVENTS) {
            Ok(())
        } else {
            Err(format!("{counts:?}"))
        }
    })
    .await
    .expect("everything arrives");
    until("what is nobody's is rejected", Duration::from_secs(60), async || {
        let rejected = read_to_end(&stage.installation.connection(), &stage.installation.names().rejected()).await;
        match rejected.map_err(|error| error.to_string())?.len() {
            3 => Ok(()),
            count => Err(format!("{count} rejected")),
        }
    })
    .await
    .expect("rejected");
    for (tenant, endpoint, hook) in &doors {
        let wanted = if *tenant == stage.tenant { &ours } else { &theirs };
        let foreign = if *tenant == stage.tenant { &other } else { &stage.tenant };
        for request in hook.requests() {
            assert!(
                wanted.contains(&request.event_id),
                "{endpoint} got {}",
                request.event_id
            );
            let body = String::from_utf8_lossy(&request.body).into_owned();
            assert!(!body.contains(foreign.as_str()), "{body}");
        }
    }
    let logbook = stage.installation.logbook().await.expect("the log");
    assert_eq!(logbook.deliveries.len(), 4 * EVENTS, "no delivery was made but these");
    stage.strike(vec![rest]).await.expect("ends in order");
}

/// In the event's data: it may be in topics, and nowhere else.
const PAYLOAD: &str = "payload-marker-9c31d2";

/// A secret, and what it is.
type Secret = (&'static str, String);

#[tokio::test]
async fn invariant_5_no_secret_is_in_clear_in_a_topic_a_log_or_a_metric() {
    let options = Options::new("secrets")
        .set("delivery.retry_schedule_sec", "[1]")
        .set("log.level", "debug");
    let mut installation = Installation::without_topics(options).await.expect("an installation");
    installation.set("api.operator_key", "operator-key-a1b2c3d4e5f6");
    let mut process = installation.serve("all", &["all"]).await.expect("ready");
    let (receiver, mut down) = (
        Receiver::start().await.expect("a port"),
        Receiver::down().expect("a port"),
    );

    let mut secrets: Vec<Secret> = vec![("operator key", "operator-key-a1b2c3d4e5f6".to_owned())];
    let made = installation
        .hookline_json(&["tenant", "create", "--direct", "Acme", "--id", "org_acme"])
        .await;
    made.expect("a tenant");
    let arguments = [
        "key",
        "create",
        "--direct",
        "--tenant",
        "org_acme",
        "--scopes",
        &ALL_SCOPES.join(","),
    ];
    let key = installation.hookline_json(&arguments).await.expect("a key");
    secrets.push(("API key", text_beginning_with(&key, "hk_")));
    let good = endpoint(&installation, receiver.hook("good").url(), &mut secrets).await;
    // It says back what it was sent.
    let own_header = secrets.iter().find(|(what, _)| *what == "header value");
    let own_header = &own_header.expect("it has one").1;
    let echoing = Answer::ok().with_header("x-echo", &format!("Token {own_header}"));
    receiver.hook("good").behave(Behaviour::always(echoing));
    let bad = endpoint(&installation, down.hook("bad").url(), &mut secrets).await;
    let rotated = installation
        .hookline_json(&["endpoint", "rotate-secret", "--direct", &good])
        .await;
    secrets.push((
        "rotated secret",
        text_beginning_with(&rotated.expect("rotated"), "whsec_"),
    ));

    let event =
        serde_json::json!({ "type": TYPE, "tenant": "org_acme", "data": { "vaultId": "v", "objectId": PAYLOAD } });
    let file = installation.log_dir().join("event.jsonl");
    std::fs::write(&file, event.to_string()).expect("a file");
    installation
        .hookline(["event", "send", &file.to_string_lossy()])
        .await
        .expect("sent");
    wait_for_requests(&receiver, "good", 1).await;
    until("the other one is dead", Duration::from_secs(60), async || {
        let listed = installation
            .hookline_json(&["dlq", "list"])
            .await
            .map_err(|error| error.to_string())?;
        if listed.as_array().is_some_and(|list| list.len() == 1) {
            Ok(())
        } else {
            Err(listed.to_string())
        }
    })
    .await
    .expect("dead");
    down.come_up().await.expect("repaired");
    installation
        .hookline(["dlq", "replay", "--endpoint", &bad])
        .await
        .expect("replayed");
    wait_for_requests(&down, "bad", 1).await;

    assert_no_secret(&installation, &process, &secrets).await;
    assert_shows_no_payload(&installation, &process).await;
    process.terminate().await.expect("ends in order");
    installation.delete_topics().await.expect("taken away");
}

/// Made with a secret header; what it was made with joins `secrets`. Its id.
async fn endpoint(installation: &Installation, url: &str, secrets: &mut Vec<Secret>) -> String {
    let header = format!("header-value-{}", secrets.len());
    let flag = format!("x-token={header}");
    let arguments = [
        "endpoint", "create", "--direct", "--tenant", "org_acme", "--url", url, "--filter", "*", "--header", &flag,
    ];
    let made = installation.hookline_json(&arguments).await.expect("an endpoint");
    secrets.push(("header value", header));
    secrets.push(("signing secret", text_beginning_with(&made, "whsec_")));
    made["endpoint"]["id"].as_str().expect("an id").to_owned()
}

async fn wait_for_requests(receiver: &Receiver, path: &str, count: usize) {
    let hook = receiver.hook(path);
    until("requests come", Duration::from_secs(60), async || {
        match hook.tally().requests {
            came if came >= count => Ok(()),
            came => Err(format!("{came} came to {path}")),
        }
    })
    .await
    .expect("they come");
}

/// The text in a command's answer that begins so.
fn text_beginning_with(answer: &Value, prefix: &str) -> String {
    let found = match answer {
        Value::String(text) => text.starts_with(prefix).then(|| text.clone()),
        Value::Object(members) => members.values().find_map(|value| find(value, prefix)),
        _ => None,
    };
    found.unwrap_or_else(|| panic!("no {prefix}… in {answer}"))
}

fn find(value: &Value, prefix: &str) -> Option<String> {
    match value {
        Value::String(text) => text.starts_with(prefix).then(|| text.clone()),
        Value::Object(members) => members.values().find_map(|value| find(value, prefix)),
        Value::Array(items) => items.iter().find_map(|value| find(value, prefix)),
        _ => None,
    }
}

async fn assert_no_secret(installation: &Installation, process: &Process, secrets: &[Secret]) {
    let connection = installation.connection();
    let admin = Admin::new(&connection).expect("a client");
    let topics = admin.topics(installation.names().prefix()).await.expect("topics");
    let mut records = 0;
    for topic in topics.keys() {
        for record in read_to_end(&connection, topic).await.expect("it can be read") {
            records += 1;
            let headers = record
                .headers
                .iter()
                .flat_map(|(name, value)| [name.as_bytes(), value.as_ref()].concat());
            let mut bytes: Vec<u8> = headers.collect();
            bytes.extend(record.key.iter().chain(&record.value).flat_map(|bytes| bytes.iter()));
            assert_hides(&bytes, secrets, topic);
        }
    }
    assert!(records > 10, "{records} records were looked at");
    assert_hides(
        process.metrics().await.expect("metrics").as_bytes(),
        secrets,
        "/metrics",
    );
    let log = installation.log_dir().join("all.log");
    let log = std::fs::read(log).expect("the process has a log");
    assert!(log.len() > 1_000, "the log was looked at");
    assert_hides(&log, secrets, "the log");
}

async fn assert_shows_no_payload(installation: &Installation, process: &Process) {
    let payload = [("payload", PAYLOAD.to_owned())];
    let metrics = process.metrics().await.expect("metrics");
    assert_hides(metrics.as_bytes(), &payload, "/metrics");
    let log = std::fs::read(installation.log_dir().join("all.log")).expect("the process has a log");
    assert!(
        String::from_utf8_lossy(&log).contains("attempt made"),
        "the log says what was done"
    );
    assert_hides(&log, &payload, "the log");
}

/// Neither as it is written, nor, of a signing secret, the key itself.
fn assert_hides(bytes: &[u8], secrets: &[Secret], place: &str) {
    for (what, secret) in secrets {
        let secret = secret.strip_prefix("whsec_").unwrap_or(secret).as_bytes();
        let shows = bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!shows, "{place} shows a {what}");
    }
}
