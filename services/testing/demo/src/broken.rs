//! Records that are no events, each wrong in another way: they must end up in `rejected`, and stop nothing.

use harness::publish::{Told, header, plain};
use kafka_log::Outgoing;
use serde_json::json;

use crate::cast::{COURTSIDE, LEXORA};

/// How often each is published.
const TIMES: usize = 2;
/// One of them, of a tenant that is known: the delivery log tells of it.
pub const BROKEN_CONTRACT: (&str, &str) = (LEXORA, "evt_of_a_broken_contract");
/// More than `delivery.max_payload_bytes` allows.
const TOO_LARGE_BYTES: usize = 300 << 10;

/// A broken record, without its topic.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Whether it goes to the source topic of the case events.
    pub on_case_source: bool,
    /// None: a tombstone.
    value: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Broken {
    fn text(value: impl Into<Vec<u8>>) -> Self {
        Self {
            on_case_source: false,
            value: Some(value.into()),
            headers: Vec::new(),
        }
    }

    fn with_headers(value: &str, headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| header(name, value)).collect();
        Self {
            headers,
            ..Self::text(value)
        }
    }

    pub fn record(&self, topic: &str) -> Outgoing {
        let record = plain(topic, "broken", Vec::new(), self.headers.clone());
        Outgoing {
            value: self.value.clone(),
            ..record
        }
    }
}

pub fn records() -> Vec<Broken> {
    let kinds = unreadable()
        .into_iter()
        .chain(not_of_the_contract())
        .chain(on_case_source());
    kinds.flat_map(|record| std::iter::repeat_n(record, TIMES)).collect()
}

fn unreadable() -> Vec<Broken> {
    vec![
        Broken {
            value: None,
            ..Broken::text("")
        },
        Broken::text("certainly no JSON"),
        Broken::text("[1, 2, 3]"),
        Broken::text(b"{\"type\":\"\xff\xfe\"}".as_slice()),
        Broken::text(b"\xc3\x01 this begins like Avro".as_slice()),
        Broken::with_headers(
            "{}",
            &[
                ("ce_specversion", "1.0"),
                ("ce_type", "agent.created"),
                ("ce_tenant", LEXORA),
            ],
        ),
        Broken::with_headers(
            r#"{"specversion":"0.3","id":"1","source":"/x","type":"agent.created","data":{}}"#,
            &[("content-type", "application/cloudevents+json")],
        ),
    ]
}

fn not_of_the_contract() -> Vec<Broken> {
    let event_of_id = |id: &str, event_type: &str, tenant: &str, data: serde_json::Value| {
        let told = Told::new(id, event_type, tenant, &data);
        Broken::text(told.hookline_json("").value.unwrap_or_default())
    };
    let event = |event_type: &str, tenant: &str, data| event_of_id("evt_broken", event_type, tenant, data);
    let (tenant, id) = BROKEN_CONTRACT;
    vec![
        Broken::text(json!({ "tenant": LEXORA, "data": {} }).to_string()),
        Broken::text(json!({ "type": "agent.created", "data": {} }).to_string()),
        Broken::text(json!({ "type": "agent.created", "tenant": LEXORA }).to_string()),
        Broken::text(
            json!({ "type": "agent.created", "tenant": LEXORA, "occurred_at": "soon", "data": {} }).to_string(),
        ),
        event("agent.created", "org_nobody", json!({})),
        event("no.such.type", LEXORA, json!({})),
        // A type of a catalog that this tenant doesn't have.
        event("case.created", COURTSIDE, json!({ "id": "1" })),
        // A stable type without what it promises.
        event_of_id(
            id,
            "vault.upload.completed",
            tenant,
            json!({ "vaultId": "vault_north" }),
        ),
        event(
            "agent.created",
            LEXORA,
            json!({ "filler": "x".repeat(TOO_LARGE_BYTES) }),
        ),
    ]
}

fn on_case_source() -> Vec<Broken> {
    let texts = [
        r#"{"event_type":"case.created"}"#,
        r#"{"event_type":"case.burned","payload":{}}"#,
        "{",
    ];
    texts
        .map(|text| Broken {
            on_case_source: true,
            ..Broken::text(text)
        })
        .to_vec()
}
