//! Every format and every codec: what was published is what is delivered, byte for byte.

use crate::bed::{Bed, LANES};
use anyhow::{Context, Result};
use delivery_core::murmur2::partition;
use event_model::{Format, TenantFrom, ids};
use fanout::Source;
use kafka_log::{Connection, Outgoing, Producer};
use std::collections::BTreeMap;

/// Numbers, key order and white space that no parser would give back.
const DATA: &str =
    r#"{"vaultId":"v_1", "objectId":"o",  "n":1.0,"big":12345678901234567890123,"a":{"z":1,"b":2},"é":"\u00e9"}"#;
const TYPE: &str = "vault.ingest.queued_on_purpose";

#[tokio::test(flavor = "multi_thread")]
async fn every_format_is_delivered_byte_for_byte() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["platform", "case_events"]).await?;
    put_type(&bed).await?;
    let standard = bed.endpoint(&tenant, &["*"], |_| {}).await?;
    let payload = bed
        .endpoint(&tenant, &["case.created"], |e| e.envelope = "event_payload".into())
        .await?;
    let auto = bed.topic("auto", 1).await?;
    let fixed = bed.topic("fixed", 1).await?;
    let sources = vec![
        Source::new(auto.as_str()),
        Source {
            format: Format::EventPayload,
            tenant: TenantFrom::Fixed(tenant.clone()),
            ..Source::new(fixed.as_str())
        },
    ];
    let running = bed.fanout(sources).await?;

    let time = "2026-11-21T10:00:00Z";
    let json = format!(r#"{{"id":"evt_a","type":"{TYPE}","tenant":"{tenant}","occurred_at":"{time}","data":{DATA}}}"#);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    bed.publish_with(&auto, Some(json.into()), &[("traceparent", trace.as_bytes())])
        .await?;
    let structured = format!(
        r#"{{"specversion":"1.0","id":"evt_b","source":"/test","type":"{TYPE}","tenant":"{tenant}","time":"{time}","data":{DATA}}}"#
    );
    bed.publish_with(
        &auto,
        Some(structured.into()),
        &[("content-type", b"application/cloudevents+json")],
    )
    .await?;
    let binary: [(&str, &[u8]); 7] = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", b"evt_c"),
        ("ce_source", b"/test"),
        ("ce_type", TYPE.as_bytes()),
        ("ce_tenant", tenant.as_bytes()),
        ("ce_time", time.as_bytes()),
    ];
    bed.publish_with(&auto, Some(DATA.into()), &binary).await?;
    let samples: serde_json::Value = serde_json::from_str(schemas::catalogs::case_event_samples())?;
    let case = &samples["samples"][0];
    let case_position = bed.publish(&fixed, serde_json::to_vec(case)?).await?;
    bed.settled(&auto).await?;
    bed.settled(&fixed).await?;

    let deliveries = bed.lanes().await?;
    assert_eq!(deliveries.len(), 5, "three events for one endpoint, one for two");
    for id in ["evt_a", "evt_b", "evt_c"] {
        let read = deliveries.iter().find(|d| d.record.event_id == id).context(id)?;
        let delivery = &read.record;
        let body = format!(r#"{{"id":"{id}","type":"{TYPE}","occurred_at":"{time}","data":{DATA}}}"#);
        assert_eq!(std::str::from_utf8(&delivery.body)?, body);
        assert_eq!(delivery.content_type, "application/json");
        assert_eq!(delivery.delivery_id, ids::delivery_id(id, &standard));
        assert_eq!(
            (read.partition, read.key.as_slice()),
            (partition(standard.as_bytes(), LANES), standard.as_bytes())
        );
        assert_eq!(
            (delivery.generation, delivery.attempts_made, delivery.cause.as_str()),
            (0, 0, "event")
        );
        let own_trace = if id == "evt_a" {
            trace.to_owned()
        } else {
            ids::traceparent(id)
        };
        assert_eq!(delivery.traceparent, Some(own_trace));
        assert_eq!(
            (delivery.source.topic.as_str(), delivery.tenant.as_str()),
            (auto.as_str(), tenant.as_str())
        );
    }
    let case_id = ids::event_id_from_position(&fixed, 0, case_position.offset);
    let case_delivery = deliveries
        .iter()
        .find(|d| d.record.endpoint_id == payload)
        .context("for the case endpoint")?;
    assert_eq!(case_delivery.record.event_id, case_id);
    assert_eq!(
        case_delivery.record.body,
        serde_json::to_vec(case)?,
        "unchanged as event_payload"
    );

    let matched = bed.matched().await?;
    assert_eq!(matched.len(), 4);
    let (_, endpoints, of_case) = matched
        .iter()
        .find(|(id, ..)| *id == case_id)
        .context("the case is logged")?;
    let mut both = vec![standard, payload];
    both.sort();
    assert_eq!(endpoints, &both);
    assert_eq!((of_case.chunk, of_case.chunks), (0, 1));
    assert!(of_case.ledger_version > 0);
    let (_, _, of_json) = matched
        .iter()
        .find(|(id, ..)| id == "evt_a")
        .context("evt_a is logged")?;
    assert_eq!(of_json.data, DATA.as_bytes());
    assert!(bed.rejected().await?.is_empty());
    running.stop().await?;
    bed.end().await
}

/// A type that an operator added: any object will do.
async fn put_type(bed: &Bed) -> Result<()> {
    let added = schemas::EventType {
        name: TYPE.into(),
        catalog: None,
        stability: "stable".into(),
        required_scope: None,
        resource: None,
        description: "Added for this test.".into(),
        payload_schema: r#"{"type":"object"}"#.into(),
        updated_at_ms: 0,
    };
    bed.writer.put(ledger::Entity::from(added), Some(0)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_envelope_carries_the_data_byte_for_byte() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["platform"]).await?;
    put_type(&bed).await?;
    let mut endpoints = BTreeMap::new();
    for name in ["standard", "event_payload", "cloudevents", "raw"] {
        endpoints.insert(
            bed.endpoint(&tenant, &[TYPE], |e| e.envelope = name.into()).await?,
            name,
        );
    }
    let topic = bed.topic("envelopes", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    let time = "2026-11-21T10:00:00.5+02:00";
    let rest = format!(r#""type":"{TYPE}","tenant":"{tenant}","data":{DATA}"#);
    let json = format!(r#"{{"id":"a","occurred_at":"{time}",{rest}}}"#);
    bed.publish(&topic, json).await?;
    let cloud =
        format!(r#"{{"specversion":"1.0","id":"b","source":"urn:vaults","subject":"s","time":"{time}",{rest}}}"#);
    let announced: [(&str, &[u8]); 1] = [("content-type", b"application/cloudevents+json")];
    bed.publish_with(&topic, Some(cloud.into()), &announced).await?;
    bed.settled(&topic).await?;

    let deliveries = bed.lanes().await?;
    assert_eq!(deliveries.len(), 8);
    for delivery in deliveries.iter().map(|read| &read.record) {
        let id = &delivery.event_id;
        let source = if id == "a" {
            format!("/hookline/{tenant}")
        } else {
            "urn:vaults".to_owned()
        };
        let (expected, content_type) = match endpoints[&delivery.endpoint_id] {
            "standard" => (
                format!(r#"{{"id":"{id}","type":"{TYPE}","occurred_at":"{time}","data":{DATA}}}"#),
                "application/json",
            ),
            "event_payload" => (
                format!(r#"{{"event_type":"{TYPE}","payload":{DATA}}}"#),
                "application/json",
            ),
            "raw" => (DATA.to_owned(), "application/json"),
            _ => (
                format!(
                    r#"{{"specversion":"1.0","id":"{id}","source":"{source}","type":"{TYPE}","time":"{time}","datacontenttype":"application/json","tenant":"{tenant}","data":{DATA}}}"#
                ),
                "application/cloudevents+json",
            ),
        };
        assert_eq!(std::str::from_utf8(&delivery.body)?, expected);
        assert_eq!(delivery.content_type, content_type);
    }
    running.stop().await?;
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn records_in_all_four_codecs_are_read() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    bed.endpoint(&tenant, &["cases.*"], |_| {}).await?;
    let topic = bed.topic("codecs", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    let codecs = ["gzip", "lz4", "snappy", "zstd"];
    for codec in codecs {
        let properties = BTreeMap::from([("compression.type".to_owned(), codec.to_owned())]);
        let connection = Connection::new(bed.connection.brokers(), "", properties);
        // Long and repetitive, so that the client doesn't leave it as it is.
        let value = format!(
            r#"{{"id":"{codec}","type":"cases.created","tenant":"{tenant}","data":{{"text":"{}"}}}}"#,
            "again ".repeat(2_000)
        );
        Producer::new(&connection)?
            .write(&Outgoing::new(topic.as_str(), 0, "k", value.into()))
            .await?;
    }
    bed.settled(&topic).await?;
    let mut ids: Vec<_> = bed.lanes().await?.into_iter().map(|d| d.record.event_id).collect();
    ids.sort();
    assert_eq!(ids, codecs);
    running.stop().await?;
    bed.end().await
}
