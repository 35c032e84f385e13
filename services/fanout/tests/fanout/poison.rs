//! Bad input: each kind is rejected with its reason and origin, and the partition goes on.

use crate::bed::Bed;
use anyhow::{Context, Result};
use fanout::Source;
use schemas::Rejected;

struct Bad {
    name: &'static str,
    reason: &'static str,
    value: Option<Vec<u8>>,
    headers: Vec<(&'static str, Vec<u8>)>,
}

fn bad(name: &'static str, reason: &'static str, value: impl Into<Vec<u8>>) -> Bad {
    Bad {
        name,
        reason,
        value: Some(value.into()),
        headers: Vec::new(),
    }
}

fn event(fields: &str) -> String {
    format!(r#"{{"type":"cases.created","tenant":"TENANT"{fields}}}"#)
}

fn table(tenant: &str) -> Vec<Bad> {
    let of_type =
        |event_type: &str, data: &str| format!(r#"{{"type":"{event_type}","tenant":"{tenant}","data":{data}}}"#);
    let with = |fields: &str| event(fields).replace("TENANT", tenant);
    let cloud = |name, headers: &[(&'static str, &str)]| Bad {
        name,
        reason: "invalid",
        value: Some(b"{}".to_vec()),
        headers: headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes().to_vec()))
            .collect(),
    };
    vec![
        Bad {
            name: "a tombstone",
            reason: "unreadable",
            value: None,
            headers: Vec::new(),
        },
        bad("nothing", "unreadable", ""),
        bad("not JSON", "unreadable", "hello"),
        bad("cut off", "unreadable", r#"{"type":"cases.created","data":{"#),
        bad("not UTF-8", "unreadable", b"{\"type\":\"\xff\xfe\"}".to_vec()),
        bad("an array", "unreadable", "[1,2,3]"),
        bad("a number", "unreadable", "17"),
        bad("binary zeros", "unreadable", vec![0; 64]),
        bad("single-object avro", "unreadable", b"\xC3\x01 8 bytes!".to_vec()),
        bad("deeply nested", "unreadable", "[".repeat(200_000)),
        bad("two values", "unreadable", "{}{}"),
        bad("too large", "too_large", vec![b' '; 262_145]),
        bad("no type", "invalid", format!(r#"{{"tenant":"{tenant}","data":{{}}}}"#)),
        bad("no tenant", "invalid", r#"{"type":"cases.created","data":{}}"#),
        bad("no data", "invalid", with("")),
        bad("a type that is no name", "invalid", of_type("cases created", "{}")),
        bad(
            "a type that is a number",
            "invalid",
            format!(r#"{{"type":1,"tenant":"{tenant}","data":{{}}}}"#),
        ),
        bad("an empty id", "invalid", with(r#","id":"","data":{}"#)),
        bad(
            "a long id",
            "invalid",
            with(&format!(r#","id":"{}","data":{{}}"#, "x".repeat(257))),
        ),
        bad("an id with a line break", "invalid", with(r#","id":"a\nb","data":{}"#)),
        bad(
            "a time that is none",
            "invalid",
            with(r#","occurred_at":"yesterday","data":{}"#),
        ),
        bad(
            "a key twice",
            "invalid",
            with(r#","data":{"vaultId":"a","vaultId":"b"}"#),
        ),
        bad(
            "an unknown tenant",
            "unknown_tenant",
            r#"{"type":"cases.created","tenant":"org_nobody","data":{}}"#,
        ),
        bad("an unknown type", "unknown_type", of_type("cases.imagined", "{}")),
        bad(
            "a type of another catalog",
            "unknown_type",
            of_type("case.created", "{}"),
        ),
        bad("a wildcard as type", "invalid", of_type("cases.*", "{}")),
        bad(
            "stable, a field is missing",
            "contract_broken",
            of_type("vault.upload.failed", r#"{"vaultId":"v","objectId":"o"}"#),
        ),
        bad(
            "stable, a wrong kind",
            "contract_broken",
            of_type("vault.upload.failed", r#"{"vaultId":1,"objectId":"o","error":"e"}"#),
        ),
        bad(
            "data that is no object",
            "contract_broken",
            of_type("cases.created", "[]"),
        ),
        cloud(
            "CloudEvents of another version",
            &[
                ("ce_specversion", "0.3"),
                ("ce_id", "1"),
                ("ce_source", "/"),
                ("ce_type", "cases.created"),
            ],
        ),
        cloud(
            "CloudEvents without an id",
            &[
                ("ce_specversion", "1.0"),
                ("ce_source", "/"),
                ("ce_type", "cases.created"),
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_rejected_with_its_reason_and_the_partition_goes_on() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["platform", "cases"]).await?;
    let endpoint = bed.endpoint(&tenant, &["*"], |_| {}).await?;
    let topic = bed.topic("poison", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    let table = table(&tenant);
    assert!(table.len() >= 20);
    let mut offsets = Vec::new();
    for bad in &table {
        let headers: Vec<_> = bad
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_slice()))
            .collect();
        offsets.push(bed.publish_with(&topic, bad.value.clone(), &headers).await?.offset);
        let good = format!(
            r#"{{"type":"cases.created","tenant":"{tenant}","data":{{"after":"{}"}}}}"#,
            bad.name
        );
        bed.publish(&topic, good).await?;
    }
    bed.settled(&topic).await?;

    let rejected = bed.rejected().await?;
    for (bad, offset) in table.iter().zip(offsets) {
        let of = rejected
            .iter()
            .map(|r| &r.record)
            .find(|r| r.origin.offset == offset)
            .context(bad.name)?;
        assert_eq!(of.reason, bad.reason, "{}: {}", bad.name, of.message);
        assert!(!of.message.is_empty(), "{}", bad.name);
        assert_eq!(
            (of.origin.topic.as_str(), of.origin.partition),
            (topic.as_str(), 0),
            "{}",
            bad.name
        );
        let value = bad.value.clone().unwrap_or_default();
        assert_eq!(of.value_bytes, i64::try_from(value.len())?, "{}", bad.name);
        assert_eq!(of.value, &value[..value.len().min(262_144)], "{}", bad.name);
        for (name, value) in &bad.headers {
            assert_eq!(of.headers[*name].as_bytes(), value, "{}", bad.name);
        }
    }
    assert_eq!(rejected.len(), table.len());
    // The log tells the tenant of what is an event of its own.
    let records = bed.log().await?.into_iter().map(|read| read.record);
    let mut told: Vec<_> = records
        .filter(|record| record.tenant == tenant)
        .filter_map(|record| record.rejected)
        .map(|of| (of.source, of.reason, of.message))
        .collect();
    told.sort_by_key(|(source, ..)| source.offset);
    let is_an_event = |of: &&Rejected| ["unknown_type", "contract_broken"].contains(&of.reason.as_str());
    let of_events = rejected.iter().map(|read| &read.record).filter(is_an_event);
    let mut expected: Vec<_> = of_events
        .map(|of| (of.origin.clone(), of.reason.clone(), of.message.clone()))
        .collect();
    expected.sort_by_key(|(source, ..)| source.offset);
    assert_eq!((told.len(), told), (5, expected));
    assert!(rejected.iter().all(|r| r.key == b"k"), "the source's key is kept");
    let delivered = bed.lanes().await?;
    assert_eq!(
        delivered.len(),
        table.len(),
        "what stands between the poison is delivered"
    );
    assert!(delivered.iter().all(|d| d.record.endpoint_id == endpoint));
    running.stop().await?;
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beta_type_that_breaks_its_contract_is_delivered() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["platform"]).await?;
    bed.endpoint(&tenant, &["*"], |_| {}).await?;
    let catalogs = event_model::Catalogs::builtin();
    let types = catalogs.list(&["platform".to_owned()]);
    let beta = types
        .into_iter()
        .find(|t| !t.is_stable() && t.schema()["required"].is_array())
        .context("a beta type")?;
    let topic = bed.topic("beta", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    let value = format!(
        r#"{{"id":"b","type":"{}","tenant":"{tenant}","data":{{"unknown":1}}}}"#,
        beta.name
    );
    bed.publish(&topic, value).await?;
    bed.settled(&topic).await?;
    assert_eq!(bed.lanes().await?.len(), 1);
    assert!(bed.rejected().await?.is_empty());
    running.stop().await?;
    bed.end().await
}
