//! Two examples of every record: one with everything set, one with as little as the type allows.

use schemas::*;

pub trait Example: Sized {
    /// Every optional part set, every list and map with something in it.
    fn full() -> Self;
    /// Every optional part absent, every list, map and byte string empty.
    fn bare() -> Self;
}

fn text(value: &str) -> String {
    value.to_owned()
}

fn some(value: &str) -> Option<String> {
    Some(value.to_owned())
}

/// Every byte value, so that nothing takes them for text.
fn bytes() -> Vec<u8> {
    (0..=255).collect()
}

fn source() -> Source {
    Source {
        topic: text("events"),
        partition: 3,
        offset: 9_007_199_254_740_993,
    }
}

impl Example for Delivery {
    fn full() -> Self {
        let failed = |number, status_code, error: Option<&str>| AttemptSummary {
            number,
            started_at_ms: 1_700_000_000_001,
            duration_ms: 15_000,
            status_code,
            error: error.map(str::to_owned),
            span_id: some("b7ad6b7169203331"),
        };
        Self {
            delivery_id: text("dlv_01JD4Y7Q0W9Z3M5T8B6N2K1R4X"),
            event_id: text("evt_1"),
            tenant: text("org_1"),
            endpoint_id: text("wh_01JD4Y7Q0W9Z3M5T8B6N2K1R4X"),
            event_type: text("vault.ingest.completed"),
            body: bytes(),
            content_type: text("application/json"),
            event_time_ms: 1_700_000_000_000,
            matched_at_ms: 1_700_000_000_005,
            source: source(),
            generation: 2,
            attempts_made: 9,
            schedule_index: 1,
            cause: text("retry"),
            due_at_ms: 1_700_000_060_000,
            wait_since_ms: 1_700_000_055_000,
            hops: 3,
            last_due_at_ms: Some(1_700_000_000_000),
            traceparent: some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            attempts: vec![
                failed(8, Some(503), None),
                failed(9, None, Some("the request timed out — 15 s")),
            ],
        }
    }
    fn bare() -> Self {
        Self {
            delivery_id: text(""),
            event_id: text(""),
            tenant: text(""),
            endpoint_id: text(""),
            event_type: text(""),
            body: vec![],
            content_type: text(""),
            event_time_ms: 0,
            matched_at_ms: i64::MIN,
            source: Source {
                topic: text(""),
                partition: -1,
                offset: -1,
            },
            generation: 0,
            attempts_made: 0,
            schedule_index: 0,
            cause: text(""),
            due_at_ms: i64::MAX,
            wait_since_ms: 0,
            hops: i32::MAX,
            last_due_at_ms: None,
            traceparent: None,
            attempts: vec![],
        }
    }
}

impl Example for DeadLetter {
    fn full() -> Self {
        Self {
            delivery: Delivery::full(),
            reason: text("retries_exhausted"),
            died_at_ms: 1_700_000_000_009,
        }
    }
    fn bare() -> Self {
        Self {
            delivery: Delivery::bare(),
            reason: text(""),
            died_at_ms: 0,
        }
    }
}

impl Example for LogRecord {
    fn full() -> Self {
        Self {
            event_id: text("evt_1"),
            tenant: text("org_1"),
            event_type: text("vault.ingest.completed"),
            at_ms: 1_700_000_000_000,
            matched: Some(Matched {
                event_type: text("vault.ingest.completed"),
                occurred_at: text("2026-11-21T10:00:00Z"),
                data: bytes(),
                source: source(),
                ledger_version: 77,
                chunk: 0,
                chunks: 2,
                endpoints: vec![MatchedEndpoint {
                    endpoint_id: text("wh_1"),
                    delivery_id: text("dlv_1"),
                }],
                event_time_ms: 1_700_000_000_003,
                cloud_source: some("/orders"),
                traceparent: some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            }),
            attempt: Some(AttemptLogged {
                delivery_id: text("dlv_1"),
                endpoint_id: text("wh_1"),
                generation: 1,
                number: 4,
                trigger: text("replay"),
                started_at_ms: 1_700_000_000_001,
                duration_ms: 12,
                status_code: Some(404),
                error: some("404 Not Found"),
                response_headers: [(text("content-type"), text("text/plain")), (text("x"), text(""))].into(),
                response_body: bytes(),
                result: AttemptResult::Dead,
                next_attempt_at_ms: Some(1_700_000_000_099),
                reason: some("rejected_by_receiver"),
            }),
            settled: Some(Settled {
                delivery_id: text("dlv_2"),
                endpoint_id: text("wh_2"),
                generation: 0,
                outcome: text("dead"),
                reason: text("expired"),
            }),
            replayed: Some(Replayed {
                delivery_id: text("dlv_3"),
                endpoint_id: text("wh_3"),
                generation: 1,
                by: text("cli"),
            }),
            rejected: Some(EventRejected {
                reason: text("contract_broken"),
                message: text("data/vaultId: is missing"),
                source: source(),
            }),
        }
    }
    fn bare() -> Self {
        let (event_id, tenant) = (text("evt_1"), text("org_1"));
        Self {
            event_id,
            tenant,
            event_type: text(""),
            at_ms: 0,
            matched: None,
            attempt: None,
            settled: None,
            replayed: None,
            rejected: None,
        }
    }
}

impl Example for Rejected {
    fn full() -> Self {
        Self {
            reason: text("contract_broken"),
            message: text("data/vaultId: is missing"),
            origin: source(),
            tenant: some("org_1"),
            event_type: some("vault.ingest.completed"),
            rejected_at_ms: 1_700_000_000_000,
            value: bytes(),
            value_bytes: 256,
            headers: [(text("content-type"), text("application/json"))].into(),
        }
    }
    fn bare() -> Self {
        Self {
            reason: text("unreadable"),
            message: text(""),
            origin: source(),
            tenant: None,
            event_type: None,
            rejected_at_ms: 0,
            value: vec![],
            value_bytes: 0,
            headers: [].into(),
        }
    }
}

impl Example for Health {
    fn full() -> Self {
        Self {
            opened_at_ms: Some(1_700_000_000_002),
            circuit: text("open"),
            probes_made: 2,
            ..Self::bare()
        }
    }
    fn bare() -> Self {
        Self {
            endpoint_id: text("wh_1"),
            tenant: text("org_1"),
            consecutive_failures: 20,
            failing_since_ms: 1_700_000_000_000,
            last_failure_at_ms: 1_700_000_000_001,
            circuit: text("closed"),
            opened_at_ms: None,
            probes_made: 0,
        }
    }
}

impl Example for LedgerEntry {
    fn full() -> Self {
        Self {
            kind: text("endpoint"),
            id: text("wh_1"),
            version: 3,
            written_at_ms: 1_700_000_000_000,
            request_id: text("req_1"),
            entity: encode(&Endpoint::full()).expect("an endpoint"),
        }
    }
    fn bare() -> Self {
        Self {
            kind: text(""),
            id: text(""),
            version: 0,
            written_at_ms: 0,
            request_id: text(""),
            entity: vec![],
        }
    }
}

impl Example for LedgerRequest {
    fn full() -> Self {
        Self {
            expected_version: Some(0),
            entity: Some(encode(&Tenant::full()).expect("a tenant")),
            answer: Some(vec![1, 2, 3]),
            ..Self::bare()
        }
    }
    fn bare() -> Self {
        Self {
            request_id: text("req_1"),
            requested_at_ms: 1_700_000_000_000,
            kind: text("tenant"),
            id: text("org_1"),
            expected_version: None,
            entity: None,
            answer: None,
        }
    }
}

impl Example for LedgerOutcome {
    fn full() -> Self {
        Self {
            code: some("conflict"),
            message: some("version 3, not 2"),
            answer: Some(vec![4, 5]),
            ..Self::bare()
        }
    }
    fn bare() -> Self {
        Self {
            request_id: text("req_1"),
            decided_at_ms: 1_700_000_000_000,
            accepted: true,
            version: 1,
            ledger_offset: 12,
            code: None,
            message: None,
            answer: None,
        }
    }
}

impl Example for Tenant {
    fn full() -> Self {
        Self {
            catalogs: vec![text("platform"), text("cases")],
            header_prefix: some("case-webhook-"),
            quotas: Quotas {
                endpoints: 1000,
                events_per_second: Some(50),
                backlog_bytes: Some(1 << 40),
            },
            ..Self::bare()
        }
    }
    fn bare() -> Self {
        Self {
            id: text("org_1"),
            name: text("Acme — Köln"),
            catalogs: vec![],
            header_prefix: None,
            quotas: Quotas {
                endpoints: 0,
                events_per_second: None,
                backlog_bytes: None,
            },
            created_at_ms: 1_700_000_000_000,
            updated_at_ms: 1_700_000_000_000,
        }
    }
}

impl Example for ApiKey {
    fn full() -> Self {
        Self {
            scopes: vec![text("webhooks"), text("vault")],
            expires_at_ms: Some(1_800_000_000_000),
            ..Self::bare()
        }
    }
    fn bare() -> Self {
        Self {
            id: text("key_1"),
            tenant: text("org_1"),
            hash: "ab".repeat(32),
            scopes: vec![],
            expires_at_ms: None,
            created_at_ms: 1_700_000_000_000,
        }
    }
}

impl Example for Endpoint {
    fn full() -> Self {
        Self {
            description: some("the ERP"),
            event_type_filters: vec![text("vault.ingest.*"), text("*")],
            resource_scopes: Some(ResourceScopes {
                vault_ids: vec![text("v1")],
                matter_ids: vec![text("m1")],
            }),
            required_scopes: vec![text("vault")],
            disabled_reason: some("failing"),
            disabled_at_ms: Some(1_700_000_000_000),
            consecutive_failures: Some(100),
            last_failure_at_ms: Some(1_700_000_000_000),
            headers: [(text("x-team"), serde_bytes::ByteBuf::from(bytes()))].into(),
            rate_limit: Some(Limit {
                per_second: 0.1,
                burst: 5,
            }),
            max_in_flight: Some(4),
            timeout_sec: Some(30),
            retry_schedule_sec: Some(vec![5, 60, 172_800]),
            dedicated_topic: Some(1),
            signing_secret: bytes(),
            previous_signing_secret: Some(bytes()),
            previous_signing_secret_expires_at_ms: Some(1_700_000_000_000),
            signing_key: Some(bytes()),
            previous_signing_key: Some(bytes()),
            public_key: some("whpk_x"),
            metadata: [(text("owner"), text("ops"))].into(),
            former_secrets: [Some(bytes()), None]
                .into_iter()
                .map(|key| FormerSecret {
                    secret: bytes(),
                    key,
                    expires_at_ms: 1_700_000_000_000,
                })
                .collect(),
            ..Self::bare()
        }
    }
    fn bare() -> Self {
        Self {
            id: text("wh_01JD4Y7Q0W9Z3M5T8B6N2K1R4X"),
            tenant: text("org_1"),
            url: text("https://example.com/hooks"),
            description: None,
            event_type_filters: vec![],
            resource_scopes: None,
            required_scopes: vec![],
            status: text("active"),
            disabled_reason: None,
            disabled_at_ms: None,
            consecutive_failures: None,
            last_failure_at_ms: None,
            headers: [].into(),
            rate_limit: None,
            max_in_flight: None,
            timeout_sec: None,
            retry_schedule_sec: None,
            ordering: text("none"),
            on_exhausted: text("skip"),
            placement: text("auto"),
            dedicated_topic: None,
            envelope: text("standard"),
            dialect: text("standard"),
            disable_on_gone: true,
            signature_scheme: text("v1"),
            signing_secret: vec![],
            previous_signing_secret: None,
            previous_signing_secret_expires_at_ms: None,
            signing_key: None,
            previous_signing_key: None,
            public_key: None,
            metadata: [].into(),
            created_at_ms: 1_700_000_000_000,
            updated_at_ms: 1_700_000_000_000,
            former_secrets: vec![],
        }
    }
}

impl Example for EventType {
    fn full() -> Self {
        Self {
            catalog: some("platform"),
            required_scope: some("vault"),
            resource: some("vault"),
            ..Self::bare()
        }
    }
    fn bare() -> Self {
        Self {
            name: text("invoice.paid"),
            catalog: None,
            stability: text("stable"),
            required_scope: None,
            resource: None,
            description: text("An invoice was paid."),
            payload_schema: text(r#"{"type":"object"}"#),
            updated_at_ms: 1_700_000_000_000,
        }
    }
}

impl Example for Job {
    fn full() -> Self {
        Self {
            tenant: some("org_1"),
            state: text(r#"{"cursor":12}"#),
            ..Self::bare()
        }
    }
    fn bare() -> Self {
        Self {
            id: text("job_1"),
            tenant: None,
            kind: text("replay"),
            status: text("running"),
            total: 100,
            done: 12,
            state: text("{}"),
            created_at_ms: 1_700_000_000_000,
            updated_at_ms: 1_700_000_000_001,
        }
    }
}

impl Example for SchemaEntry {
    fn full() -> Self {
        Self {
            fingerprint: text("0123456789abcdef"),
            schema: text(r#""long""#),
        }
    }
    fn bare() -> Self {
        Self {
            fingerprint: text(""),
            schema: text(""),
        }
    }
}

impl Example for Installation {
    fn full() -> Self {
        Self {
            incarnation: text("2d3c"),
            lanes: 64,
            created_at_ms: 1_700_000_000_000,
        }
    }
    fn bare() -> Self {
        Self {
            incarnation: text(""),
            lanes: 0,
            created_at_ms: 0,
        }
    }
}

impl Example for AvroEvent {
    fn full() -> Self {
        Self {
            id: some("order-7"),
            tenant: some("org_1"),
            occurred_at: some("2026-11-21T10:00:00Z"),
            ..Self::bare()
        }
    }
    fn bare() -> Self {
        let data = text(r#"{"vaultId":"v1","n":1.0}"#);
        Self {
            id: None,
            event_type: text("vault.ingest.completed"),
            tenant: None,
            occurred_at: None,
            data,
        }
    }
}
