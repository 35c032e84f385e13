//! What each format accepts, what is refused and why, and that nothing panics.

use super::{Event, Format, ParseError, SourceRecord, SourceSettings, TenantFrom, parse};
use proptest::prelude::*;

type HeaderList = Vec<(String, Vec<u8>)>;

fn headers(list: &[(&str, &str)]) -> HeaderList {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect()
}

fn read(value: &[u8], headers: &HeaderList, format: Format, tenant: TenantFrom) -> Result<Event, ParseError> {
    let record = SourceRecord {
        topic: "events",
        partition: 3,
        offset: 42,
        timestamp_ms: 1_763_719_200_123,
        key: None,
        value: Some(value),
        headers,
    };
    parse(
        &record,
        &SourceSettings {
            format,
            tenant,
            ..SourceSettings::default()
        },
    )
}

fn json(value: &str) -> Result<Event, ParseError> {
    read(value.as_bytes(), &vec![], Format::Auto, TenantFrom::Field)
}

fn refused(value: &str) -> ParseError {
    json(value).expect_err(value)
}

const FULL: &str = r#"{"id":"order-7","type":"vault.ingest.completed","tenant":"org_1","occurred_at":"2026-11-21T10:00:00+01:00","data": {"b":1.0,"a":1e400, "u":"\u00e9"} ,"extra":[1]}"#;

#[test]
fn hookline_json_with_everything() {
    let event = json(FULL).expect("an event");
    assert_eq!((event.id.as_str(), event.tenant.as_str()), ("order-7", "org_1"));
    assert_eq!(event.event_type, "vault.ingest.completed");
    assert_eq!(event.occurred_at, "2026-11-21T10:00:00+01:00");
    assert_eq!(event.data.get(), r#"{"b":1.0,"a":1e400, "u":"\u00e9"}"#);
    assert_eq!(
        (event.source.partition, event.source.offset, event.timestamp_ms),
        (3, 42, 1_763_719_200_123)
    );
}

#[test]
fn id_and_time_come_from_the_record_when_absent() {
    for value in [
        r#"{"type":"a.b","tenant":"t","data":{}}"#,
        r#"{"id":null,"type":"a.b","tenant":"t","occurred_at":null,"data":{}}"#,
    ] {
        let event = json(value).expect("an event");
        assert_eq!(event.id, crate::ids::event_id_from_position("events", 3, 42));
        assert_eq!(event.occurred_at, "2025-11-21T10:00:00.123Z");
    }
}

#[test]
fn a_broken_field_is_invalid_and_says_which() {
    let with = |id: &str, rest: &str| format!(r#"{{"id":{id},"type":"a.b","tenant":"t",{rest}}}"#);
    let long = format!("\"{}\"", "x".repeat(257));
    for (value, words) in [
        (with("7", r#""data":{}"#), "`id` must be a string"),
        (with("\"\"", r#""data":{}"#), "`id` must have 1 to 256"),
        (with("\"a\\u0000b\"", r#""data":{}"#), "control"),
        (with("\"a\\nb\"", r#""data":{}"#), "control"),
        (with("\" a\"", r#""data":{}"#), "space"),
        (with(&long, r#""data":{}"#), "256"),
        (with("\"\\ud800\"", r#""data":{}"#), "`id` must be a string"),
        (
            with("\"i\"", r#""occurred_at":"yesterday","data":{}"#),
            "`occurred_at` must be an RFC 3339 time",
        ),
        (
            with("\"i\"", r#""occurred_at":"2024-08-01T09:40:22.186012","data":{}"#),
            "RFC 3339",
        ),
        (
            with("\"i\"", r#""occurred_at":5,"data":{}"#),
            "`occurred_at` must be a string",
        ),
        (with("\"i\"", r#""x":1"#), "`data` is missing"),
        (with("\"i\"", r#""data":null"#), "`data` is missing"),
        (with("\"i\"", r#""data":{"a":1,"a":2}"#), "twice"),
        (
            with("\"i\"", &format!(r#""data":{}{}"#, "[".repeat(5000), "]".repeat(5000))),
            "deep",
        ),
    ] {
        let error = refused(&value);
        assert_eq!(error.reason, "invalid", "{value}");
        assert!(error.message.contains(words), "{value}: {}", error.message);
        assert_eq!(
            (error.tenant.as_deref(), error.event_type.as_deref()),
            (Some("t"), Some("a.b")),
            "{value}"
        );
    }
}

#[test]
fn a_broken_type_or_tenant_is_invalid() {
    for (value, words) in [
        (r#"{"tenant":"t","data":{}}"#, "`type` is missing"),
        (r#"{"type":"a..b","tenant":"t","data":{}}"#, "`type` must be names"),
        (r#"{"type":"a.*","tenant":"t","data":{}}"#, "`type` must be names"),
        (r#"{"type":["a"],"tenant":"t","data":{}}"#, "`type` must be a string"),
        (r#"{"type":"a.b","data":{}}"#, "`tenant` is missing"),
        (
            r#"{"type":"a.b","tenant":{"id":1},"data":{}}"#,
            "`tenant` must be a string",
        ),
        (r#"{"type":"a.b","tenant":"","data":{}}"#, "tenant"),
    ] {
        let error = refused(value);
        assert_eq!(error.reason, "invalid", "{value}");
        assert!(error.message.contains(words), "{value}: {}", error.message);
    }
}

#[test]
fn what_is_no_json_object_is_unreadable() {
    for value in [
        "",
        " ",
        "null",
        "[]",
        "7",
        "\"x\"",
        "{",
        "{}x",
        "{} {}",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\0\"}",
        "\u{feff}{}",
        r#"["i","a.b","t",null,{}]"#,
        r#"{"type":"a","type":"b","data":{}}"#,
        r#"{"type":"a","tenant":"t","tenant":"u","data":{}}"#,
        r#"{"data":{},"data":{}}"#,
        "hello",
    ] {
        assert_eq!(refused(value).reason, "unreadable", "{value:?}");
    }
    assert_eq!(
        read(b"{\"a\":\"\xff\"}", &vec![], Format::Auto, TenantFrom::Field)
            .expect_err("no UTF-8")
            .reason,
        "unreadable"
    );
}

#[test]
fn tombstones_and_large_values_are_refused() {
    let settings = SourceSettings {
        max_payload_bytes: FULL.len() - 1,
        tenant: TenantFrom::Fixed("org_9".into()),
        ..Default::default()
    };
    let mut record = SourceRecord {
        topic: "t",
        partition: 0,
        offset: 0,
        timestamp_ms: 0,
        key: None,
        value: None,
        headers: &[],
    };
    let error = parse(&record, &settings).expect_err("a tombstone");
    assert_eq!((error.reason, error.tenant.as_deref()), ("unreadable", Some("org_9")));
    record.value = Some(FULL.as_bytes());
    assert_eq!(parse(&record, &settings).expect_err("too large").reason, "too_large");
    assert!(
        parse(
            &record,
            &SourceSettings {
                max_payload_bytes: FULL.len(),
                ..settings
            }
        )
        .is_ok()
    );
}

#[test]
fn a_timestamp_that_is_no_time_is_invalid() {
    let value = Some(br#"{"type":"a.b","tenant":"t","data":{}}"#.as_slice());
    for timestamp_ms in [i64::MAX, i64::MIN, 253_402_300_800_000] {
        let record = SourceRecord {
            topic: "t",
            partition: 0,
            offset: 0,
            timestamp_ms,
            key: None,
            value,
            headers: &[],
        };
        assert_eq!(
            parse(&record, &SourceSettings::default()).expect_err("no time").reason,
            "invalid"
        );
    }
}

#[test]
fn avro_is_refused_by_name() {
    let by_type = headers(&[("Content-Type", "application/vnd.apache.avro+binary")]);
    for (value, headers) in [
        (&b"x"[..], by_type),
        (b"\xC3\x01\0\0\0\0\0\0\0\0", vec![]),
        (b"\0\0\0\0\x07abc", vec![]),
    ] {
        let error = read(value, &headers, Format::Auto, TenantFrom::Field).expect_err("avro");
        assert_eq!(error.reason, "unreadable");
        assert!(error.message.contains("Avro"), "{}", error.message);
    }
}

#[test]
fn the_tenant_comes_from_where_the_source_says() {
    let with_header = headers(&[("hookline-tenant", "org_h")]);
    let tenant =
        |headers: &HeaderList, from| read(FULL.as_bytes(), headers, Format::Auto, from).map(|event| event.tenant);
    assert_eq!(tenant(&with_header, TenantFrom::Field).as_deref(), Ok("org_1"));
    assert_eq!(tenant(&with_header, TenantFrom::Header).as_deref(), Ok("org_h"));
    assert_eq!(
        tenant(&with_header, TenantFrom::Fixed("org_f".into())).as_deref(),
        Ok("org_f")
    );
    assert_eq!(
        tenant(&vec![], TenantFrom::Header).expect_err("no header").reason,
        "invalid"
    );
    let twice = headers(&[("hookline-tenant", "a"), ("hookline-tenant", "b")]);
    assert!(
        tenant(&twice, TenantFrom::Header)
            .expect_err("two")
            .message
            .contains("twice")
    );
}

#[test]
fn event_payload_is_read_when_the_source_says_so() {
    let value = br#"{"event_type":"case.created","payload":{"id":"1","n":1.50}}"#;
    let event = read(value, &vec![], Format::EventPayload, TenantFrom::Fixed("t".into())).expect("an event");
    assert_eq!(
        (event.event_type.as_str(), event.data.get()),
        ("case.created", r#"{"id":"1","n":1.50}"#)
    );
    assert_eq!(event.id, crate::ids::event_id_from_position("events", 3, 42));
    let error = read(
        br#"{"event_type":"case.created"}"#,
        &vec![],
        Format::EventPayload,
        TenantFrom::Fixed("t".into()),
    );
    assert!(error.expect_err("no payload").message.contains("`payload` is missing"));
    assert!(
        read(value, &vec![], Format::EventPayload, TenantFrom::Field)
            .expect_err("no tenant")
            .message
            .contains("tenant")
    );
}

fn binary_headers() -> HeaderList {
    headers(&[
        ("ce_specversion", "1.0"),
        ("ce_id", "A-1"),
        ("ce_source", "/shop"),
        ("ce_type", "vault.ingest.completed"),
        ("ce_time", "2026-11-21T10:00:00.5Z"),
        ("ce_tenant", "org_1"),
        ("content-type", "application/json; charset=utf-8"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ])
}

#[test]
fn cloud_events_binary() {
    let event = read(b" {\"z\": 1.0}\n", &binary_headers(), Format::Auto, TenantFrom::Field).expect("an event");
    assert_eq!((event.id.as_str(), event.tenant.as_str()), ("A-1", "org_1"));
    assert_eq!(
        (event.occurred_at.as_str(), event.data.get()),
        ("2026-11-21T10:00:00.5Z", "{\"z\": 1.0}")
    );
    assert_eq!(
        event.traceparent.as_deref(),
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    );
    let bare = headers(&[
        ("ce_specversion", "1.0"),
        ("ce_id", "1"),
        ("ce_source", "s"),
        ("ce_type", "a.b"),
    ]);
    assert!(read(b"{}", &bare, Format::Auto, TenantFrom::Fixed("t".into())).is_ok());
}

#[test]
fn cloud_events_binary_that_break_the_specification() {
    let broken = |name: &str, value: Option<&str>| {
        let mut list = binary_headers();
        list.retain(|(key, _)| key != name);
        list.extend(value.map(|value| (name.to_owned(), value.as_bytes().to_vec())));
        read(b"{}", &list, Format::Auto, TenantFrom::Field).expect_err(name)
    };
    for (name, value, words) in [
        ("ce_specversion", Some("0.3"), "`specversion` must be 1.0"),
        ("ce_id", None, "`id` is missing"),
        ("ce_id", Some(""), "ce_id"),
        ("ce_source", None, "`source` is missing"),
        ("ce_type", None, "`ce_type` is missing"),
        ("ce_time", Some("now"), "`ce_time` must be an RFC 3339"),
        ("ce_tenant", None, "`ce_tenant` is missing"),
        ("content-type", Some("text/xml"), "content type is not JSON"),
    ] {
        let error = broken(name, value);
        assert_eq!(error.reason, "invalid", "{name}");
        assert!(error.message.contains(words), "{name}: {}", error.message);
    }
    let mut twice = binary_headers();
    twice.extend(headers(&[("ce_type", "another.type")]));
    assert!(
        read(b"{}", &twice, Format::Auto, TenantFrom::Field)
            .expect_err("two types")
            .message
            .contains("twice")
    );
    assert_eq!(
        read(b"{", &binary_headers(), Format::Auto, TenantFrom::Field)
            .expect_err("no JSON")
            .reason,
        "unreadable"
    );
    let mut xml = binary_headers();
    xml.retain(|(key, _)| key != "content-type");
    xml.extend(headers(&[("content-type", "text/xml")]));
    let error = read(b"<a/>", &xml, Format::Auto, TenantFrom::Field).expect_err("XML");
    assert!(error.message.contains("content type"), "{}", error.message);
}

const STRUCTURED: &str = r#"{"specversion":"1.0","id":"A-2","source":"/s","type":"a.b","tenant":"org_1","time":"2026-11-21T10:00:00Z","datacontenttype":"application/vnd.x+json","traceparent":"junk","data":{"k":1E2}}"#;

#[test]
fn cloud_events_structured() {
    let announced = headers(&[("content-type", "application/cloudevents+json; charset=UTF-8")]);
    for (headers, format) in [(announced, Format::Auto), (vec![], Format::CloudEvents)] {
        let event = read(STRUCTURED.as_bytes(), &headers, format, TenantFrom::Field).expect("an event");
        assert_eq!(
            (event.id.as_str(), event.data.get(), event.traceparent),
            ("A-2", r#"{"k":1E2}"#, None)
        );
        assert_eq!(event.cloud_source.as_deref(), Some("/s"));
    }
}

#[test]
fn cloud_events_structured_that_are_refused() {
    let read = |value: &str, content_type| {
        read(
            value.as_bytes(),
            &headers(&[("content-type", content_type)]),
            Format::Auto,
            TenantFrom::Field,
        )
        .expect_err(value)
    };
    let json = "application/cloudevents+json";
    let base64 = STRUCTURED.replace(r#""data":{"k":1E2}"#, r#""data_base64":"AA==""#);
    assert!(read(&base64, json).message.contains("data_base64"));
    assert!(
        read(&STRUCTURED.replace("vnd.x+json", "xml"), json)
            .message
            .contains("not JSON")
    );
    assert!(
        read(&STRUCTURED.replace("\"1.0\"", "\"2.0\""), json)
            .message
            .contains("specversion")
    );
    let long = format!("\"source\":\"{}\"", "s".repeat(513));
    assert!(
        read(&STRUCTURED.replace("\"source\":\"/s\"", &long), json)
            .message
            .contains("`source` must have 1 to 512")
    );
    assert!(
        read(&STRUCTURED.replace("data\":", "datum\":"), json)
            .message
            .contains("`data` is missing")
    );
    assert!(
        read("[]", "application/cloudevents-batch+json")
            .message
            .contains("batch")
    );
    assert!(read("x", "application/cloudevents+avro").message.contains("Avro"));
    assert_eq!(read("[]", json).reason, "unreadable");
}

#[test]
fn only_a_valid_trace_context_is_kept() {
    let trace = |value: &str| {
        read(
            FULL.as_bytes(),
            &headers(&[("traceparent", value)]),
            Format::Auto,
            TenantFrom::Field,
        )
        .expect("an event")
        .traceparent
    };
    assert!(trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").is_some());
    for bad in [
        "",
        "x",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nx: y",
        "é0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
    ] {
        assert_eq!(trace(bad), None, "{bad}");
    }
}

#[test]
fn messages_are_bounded() {
    let value = format!(
        r#"{{"type":"a.b","tenant":"t","data":{{"{0}":1,"{0}":2}}}}"#,
        "k".repeat(5000)
    );
    assert!(refused(&value).message.chars().count() <= 300);
}

#[test]
fn settings_have_names() {
    assert_eq!("event_payload".parse(), Ok(Format::EventPayload));
    assert!("avro".parse::<Format>().is_err());
    assert_eq!("fixed:org_1".parse(), Ok(TenantFrom::Fixed("org_1".into())));
    assert!("fixed:".parse::<TenantFrom>().is_err());
}

fn any_format() -> impl Strategy<Value = Format> {
    prop_oneof![
        Just(Format::Auto),
        Just(Format::HooklineJson),
        Just(Format::CloudEvents),
        Just(Format::EventPayload)
    ]
}

/// JSON text with odd numbers, escapes and spaces, that serde_json did not write.
fn data() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "1.0",
            "-0",
            "1e400",
            "0.10",
            "12345678901234567890123",
            "1E+2",
            "true",
            "null"
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![r#""""#, r#""\u0000""#, r#""\ud800""#, r#""é\/""#, r#""\"{\"""#])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[ {}]", items.join(" ,"))),
            prop::collection::vec(inner, 0..4).prop_map(|values| {
                let members: Vec<_> = values
                    .iter()
                    .rev()
                    .enumerate()
                    .map(|(i, v)| format!("\"k{i}\" :{v}"))
                    .collect();
                format!("{{{}}}", members.join(",\n"))
            }),
        ]
    })
    .prop_filter("a null is no data", |text| text != "null")
}

proptest! {
    #[test]
    fn data_survives_byte_for_byte(data in data()) {
        let event = json(&format!(r#"{{"type":"a.b","tenant":"t","data": {data} }}"#)).expect("an event");
        prop_assert_eq!(event.data.get(), data.as_str());
        let payload = format!(r#"{{"payload":{data},"event_type":"a.b"}}"#);
        let event = read(payload.as_bytes(), &vec![], Format::EventPayload, TenantFrom::Fixed("t".into())).expect("an event");
        prop_assert_eq!(event.data.get(), data.as_str());
        let event = read(data.as_bytes(), &binary_headers(), Format::Auto, TenantFrom::Field);
        let event = event.expect("an event");
        prop_assert_eq!(event.data.get(), data.as_str());
    }

    #[test]
    fn nothing_panics(
        value in prop::collection::vec(any::<u8>(), 0..300),
        names in prop::collection::vec(prop::sample::select(vec!["ce_specversion", "ce_id", "content-type", "hookline-tenant", "traceparent", "x"]), 0..5),
        header in prop::collection::vec(any::<u8>(), 0..60),
        format in any_format(),
    ) {
        let headers: HeaderList = names.into_iter().map(|name| (name.to_owned(), header.clone())).collect();
        let _ = read(&value, &headers, format, TenantFrom::Header);
    }

    #[test]
    fn nothing_panics_on_almost_json(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(), format in any_format()) {
        for text in [FULL, STRUCTURED] {
            let mut value = text.as_bytes().to_vec();
            let at = at.index(value.len());
            value[at] = byte;
            if cut {
                value.truncate(at + 1);
            }
            let _ = read(&value, &vec![], format, TenantFrom::Field);
            let _ = read(&value, &binary_headers(), format, TenantFrom::Field);
        }
    }
}
