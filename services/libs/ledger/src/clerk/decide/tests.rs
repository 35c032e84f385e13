//! Decisions, without Kafka.

use super::*;
use crate::{Keyring, entities, make_signing_key, seal_signing_secret};
use schemas::{SchemaEntry, Tenant};

fn about() -> Circumstances {
    Circumstances {
        dedicated_limit: 2,
        now_ms: 77,
        founding: false,
        topics: HashMap::new(),
    }
}

fn request(entity: &Entity, expected_version: Option<i64>) -> LedgerRequest {
    LedgerRequest {
        request_id: ulid::Ulid::new().to_string(),
        requested_at_ms: 1,
        kind: entity.kind().as_str().into(),
        id: entity.id().into(),
        expected_version,
        entity: Some(entity.encode().expect("an entity encodes")),
        answer: None,
    }
}

fn put(view: &mut View, entity: impl Into<Entity>, expected: Option<i64>) -> Result<Accepted, Refusal> {
    decide(view, &request(&entity.into(), expected), &about())
}

fn code(result: Result<Accepted, Refusal>) -> &'static str {
    result.expect_err("it is refused").code
}

/// A ledger with this build's schemas and one tenant.
fn ledger() -> (View, Tenant) {
    let mut view = View::default();
    for (fingerprint, _, schema) in codec::own_schemas() {
        let entry = SchemaEntry {
            fingerprint: format!("{fingerprint:016x}"),
            schema: schema.into(),
        };
        put(&mut view, entry, Some(0)).expect("a schema is accepted");
    }
    let tenant = entities::new_tenant("A", vec!["platform".into()], 1);
    put(&mut view, tenant.clone(), Some(0)).expect("a tenant is accepted");
    (view, tenant)
}

fn endpoint(tenant: &Tenant, placement: &str) -> Endpoint {
    let keyring = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
    let mut endpoint = entities::new_endpoint(&tenant.id, "https://example.com/hook", vec!["*".into()], 1);
    endpoint.placement = placement.into();
    seal_signing_secret(&mut endpoint, &keyring, "whsec_x");
    endpoint
}

#[test]
fn versions_are_checked_and_counted() {
    let (mut view, mut tenant) = ledger();
    assert_eq!(code(put(&mut view, tenant.clone(), Some(0))), "exists");
    let refused = put(&mut view, tenant.clone(), Some(2)).expect_err("it is at version 1");
    assert_eq!((refused.code, refused.version), ("conflict", 1));
    tenant.name = "B".into();
    assert_eq!(
        put(&mut view, tenant.clone(), Some(1))
            .expect("version 1 is right")
            .version,
        2
    );
    assert_eq!(
        put(&mut view, tenant.clone(), None)
            .expect("any version will do")
            .version,
        3
    );
    assert_eq!(
        view.tenant(&tenant.id).map(|t| (t.version, t.name.as_str())),
        Some((3, "B"))
    );
    tenant.id = "org_unknown".into();
    assert_eq!(code(put(&mut view, tenant, Some(1))), "not_found");
}

#[test]
fn what_names_an_unknown_tenant_is_refused() {
    let (mut view, mut tenant) = ledger();
    tenant.id = "org_other".into();
    assert_eq!(code(put(&mut view, endpoint(&tenant, "auto"), Some(0))), "not_found");
    let (key, _) = entities::new_api_key("org_other", vec![], None, 1);
    assert_eq!(code(put(&mut view, key, Some(0))), "not_found");
    tenant.catalogs = vec!["nonsense".into()];
    assert_eq!(code(put(&mut view, tenant, Some(0))), "invalid");
}

#[test]
fn two_keys_never_share_a_hash() {
    let (mut view, tenant) = ledger();
    let (key, plain) = entities::new_api_key(&tenant.id, vec!["webhooks".into()], None, 1);
    put(&mut view, key.clone(), Some(0)).expect("a key is accepted");
    assert_eq!(
        view.key_by_hash(&entities::hash_key(&plain)).map(|k| k.id.clone()),
        Some(key.id.clone())
    );
    let twin = ApiKey {
        id: "key_twin".into(),
        ..key.clone()
    };
    assert_eq!(code(put(&mut view, twin, Some(0))), "exists");
    let removal = LedgerRequest {
        entity: None,
        ..request(&Entity::from(key.clone()), Some(1))
    };
    assert_eq!(
        decide(&mut view, &removal, &about()).expect("a key is removed").version,
        0
    );
    assert!(view.key_by_hash(&key.hash).is_none() && view.keys_of(&tenant.id).next().is_none());
}

#[test]
fn auto_is_dedicated_below_the_limit_then_shared_and_dedicated_is_refused_beyond_it() {
    let (mut view, tenant) = ledger();
    let topic = |view: &mut View, placement: &str| -> Result<Option<i64>, Refusal> {
        let endpoint = endpoint(&tenant, placement);
        let accepted = put(view, endpoint.clone(), Some(0))?;
        let stands = view.endpoint(&endpoint.id).and_then(|e| e.dedicated_topic);
        assert_eq!(accepted.new_topic, stands);
        Ok(stands)
    };
    assert_eq!(topic(&mut view, "shared"), Ok(None));
    assert_eq!(topic(&mut view, "auto"), Ok(Some(1)));
    assert_eq!(topic(&mut view, "dedicated"), Ok(Some(1)));
    assert_eq!(topic(&mut view, "auto"), Ok(None));
    assert_eq!(
        topic(&mut view, "dedicated").expect_err("the limit is reached").code,
        "quota"
    );
    // A deleted one gives its place back.
    let (id, version) = view
        .endpoints()
        .find(|e| e.dedicated_topic.is_some())
        .map(|e| (e.id.clone(), e.version))
        .expect("there are two");
    let gone = Endpoint {
        id: id.clone(),
        status: "deleted".into(),
        ..endpoint(&tenant, "auto")
    };
    put(&mut view, gone, Some(version)).expect("an endpoint can be deleted");
    assert_eq!(topic(&mut view, "dedicated"), Ok(Some(1)));
}

#[test]
fn a_taken_topic_name_is_not_used_and_a_refused_one_refuses_the_endpoint() {
    let (mut view, tenant) = ledger();
    let (first, second) = (endpoint(&tenant, "dedicated"), endpoint(&tenant, "auto"));
    let topics = HashMap::from([
        (Arc::from(first.id.as_str()), Topic::Next(2)),
        (Arc::from(second.id.as_str()), Topic::Refused("no room".into())),
    ]);
    let about = Circumstances { topics, ..about() };
    let accepted = decide(&mut view, &request(&first.into(), Some(0)), &about).expect("another number will do");
    assert_eq!(accepted.new_topic, Some(2));
    assert_eq!(
        code(decide(&mut view, &request(&second.into(), Some(0)), &about)),
        "invalid"
    );
}

#[test]
fn the_quota_counts_what_is_not_deleted() {
    let (mut view, mut tenant) = ledger();
    tenant.quotas.endpoints = 1;
    put(&mut view, tenant.clone(), None).expect("a tenant can change");
    let first = endpoint(&tenant, "shared");
    put(&mut view, first.clone(), Some(0)).expect("it is within the quota");
    assert_eq!(code(put(&mut view, endpoint(&tenant, "shared"), Some(0))), "quota");
    put(
        &mut view,
        Endpoint {
            status: "deleted".into(),
            ..first
        },
        Some(1),
    )
    .expect("an endpoint can be deleted");
    put(&mut view, endpoint(&tenant, "shared"), Some(0)).expect("there is room again");
}

#[test]
fn a_deleted_endpoint_stays_as_a_marker_without_secrets() {
    let (mut view, tenant) = ledger();
    let made = endpoint(&tenant, "dedicated");
    put(&mut view, made.clone(), Some(0)).expect("an endpoint is accepted");
    let deleted = Endpoint {
        status: "deleted".into(),
        ..made.clone()
    };
    put(&mut view, deleted, Some(1)).expect("an endpoint can be deleted");
    let marker = view.endpoint(&made.id).expect("a marker stays");
    assert_eq!(
        (marker.status.as_str(), marker.url.as_str(), marker.dedicated_topic),
        ("deleted", "", Some(1))
    );
    assert!(marker.signing_secret.is_empty() && marker.headers.is_empty());
    assert_eq!(marker.tenant, tenant.id);
    assert_eq!(code(put(&mut view, made, None)), "not_found");
}

#[test]
fn an_endpoint_keeps_tenant_placement_and_topic() {
    let (mut view, tenant) = ledger();
    let made = endpoint(&tenant, "dedicated");
    put(&mut view, made.clone(), Some(0)).expect("an endpoint is accepted");
    let other = entities::new_tenant("B", vec![], 1);
    put(&mut view, other.clone(), Some(0)).expect("a tenant is accepted");
    assert_eq!(
        code(put(
            &mut view,
            Endpoint {
                tenant: other.id,
                ..made.clone()
            },
            None
        )),
        "invalid"
    );
    let moved = put(
        &mut view,
        Endpoint {
            placement: "shared".into(),
            ..made.clone()
        },
        None,
    );
    assert!(moved.expect_err("it can't move yet").message.contains("later version"));
    let paused = Endpoint {
        status: "paused".into(),
        dedicated_topic: None,
        ..made.clone()
    };
    put(&mut view, paused, None).expect("it can be paused");
    let stands = view.endpoint(&made.id).expect("it is there");
    assert_eq!((stands.status.as_str(), stands.dedicated_topic), ("paused", Some(1)));
}

#[test]
fn what_a_later_version_brings_is_refused_with_a_clear_message() {
    let (mut view, tenant) = ledger();
    let base = endpoint(&tenant, "auto");
    let later = [
        Endpoint {
            ordering: "endpoint".into(),
            ..base.clone()
        },
        Endpoint {
            on_exhausted: "block".into(),
            ..base.clone()
        },
    ];
    for endpoint in later {
        let refused = put(&mut view, endpoint, Some(0)).expect_err("it is refused");
        assert!(refused.message.contains("later version"), "{}", refused.message);
    }
    put(&mut view, base, Some(0)).expect("the rest is accepted");
}

#[test]
fn a_scheme_with_v1a_needs_a_key_pair() {
    let (mut view, tenant) = ledger();
    let keyring = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
    for scheme in ["v1a", "both"] {
        let mut endpoint = endpoint(&tenant, "auto");
        endpoint.signature_scheme = scheme.into();
        let refused = put(&mut view, endpoint.clone(), Some(0)).expect_err("it has no key");
        assert!(refused.message.contains("needs a signing key"), "{}", refused.message);
        make_signing_key(&mut endpoint, &keyring);
        let half = Endpoint {
            public_key: Some("whpk_x".into()),
            ..endpoint.clone()
        };
        assert_eq!(code(put(&mut view, half, Some(0))), "invalid");
        put(&mut view, endpoint, Some(0)).expect("it is complete");
    }
    let unknown = Endpoint {
        signature_scheme: "v2".into(),
        ..endpoint(&tenant, "auto")
    };
    assert_eq!(code(put(&mut view, unknown, Some(0))), "invalid");
}

#[test]
fn invariant_5_nothing_in_clear_is_accepted() {
    let (mut view, tenant) = ledger();
    let clear = Endpoint {
        signing_secret: b"whsec_clear".to_vec(),
        ..endpoint(&tenant, "auto")
    };
    assert_eq!(code(put(&mut view, clear, Some(0))), "invalid");
    let clear = Endpoint {
        signing_key: Some(b"whsk_clear".to_vec()),
        public_key: Some(signing::SigningKey::generate().public_key().to_string()),
        ..endpoint(&tenant, "auto")
    };
    assert_eq!(code(put(&mut view, clear, Some(0))), "invalid");
    for (secret, key) in [("whsec_clear", None), ("", Some("whsk_clear"))] {
        let mut clear = endpoint(&tenant, "auto");
        let sealed = clear.signing_secret.clone();
        clear.former_secrets.push(schemas::FormerSecret {
            secret: if secret.is_empty() { sealed } else { secret.into() },
            key: key.map(Into::into),
            expires_at_ms: 1,
        });
        assert_eq!(code(put(&mut view, clear, Some(0))), "invalid");
    }
    let mut header = endpoint(&tenant, "auto");
    header
        .headers
        .insert("authorization".into(), serde_bytes::ByteBuf::from(b"Bearer x".to_vec()));
    assert_eq!(code(put(&mut view, header, Some(0))), "invalid");
}

#[test]
fn nobody_but_the_clerk_writes_the_installation() {
    let (mut view, _) = ledger();
    let installation = schemas::Installation {
        incarnation: "x".into(),
        lanes: 1,
        created_at_ms: 1,
    };
    let entity = Entity::Installation(Arc::new(installation));
    assert_eq!(code(decide(&mut view, &request(&entity, Some(0)), &about())), "invalid");
    let founding = Circumstances {
        founding: true,
        ..about()
    };
    decide(&mut view, &request(&entity, Some(0)), &founding).expect("the clerk may");
    assert!(view.installation().is_some());
}

#[test]
fn an_unregistered_record_schema_is_refused() {
    let mut view = View::default();
    let tenant = entities::new_tenant("A", vec![], 1);
    assert!(
        put(&mut view, tenant, Some(0))
            .expect_err("its schema is missing")
            .message
            .contains("register")
    );
}

#[test]
fn an_automatic_disabling_is_announced_once_and_its_figures_end_with_it() {
    let (mut view, tenant) = ledger();
    let endpoint = endpoint(&tenant, "shared");
    assert!(put(&mut view, endpoint.clone(), Some(0)).expect("new").notice.is_none());
    let disabled = Endpoint {
        status: "auto_disabled".into(),
        disabled_reason: Some("failing".into()),
        disabled_at_ms: Some(7),
        consecutive_failures: Some(100),
        last_failure_at_ms: Some(7),
        ..endpoint.clone()
    };
    let accepted = put(&mut view, disabled.clone(), Some(1)).expect("it is disabled");
    let notice = format!(
        "{:?}",
        accepted
            .notice
            .expect("it is announced")
            .record(&kafka_log::Names::new("h."))
    );
    assert!(notice.contains("h.ingest"), "{notice}");
    assert!(
        put(&mut view, disabled.clone(), Some(2))
            .expect("again")
            .notice
            .is_none()
    );
    let active = Endpoint {
        status: "active".into(),
        disabled_reason: None,
        disabled_at_ms: None,
        ..disabled
    };
    put(&mut view, active, Some(3)).expect("it is enabled");
    let now = view.endpoint(&endpoint.id).expect("it is there");
    assert_eq!((now.consecutive_failures, now.last_failure_at_ms), (None, None));
}

#[test]
fn a_tenant_that_does_not_know_the_type_is_told_nothing() {
    let (mut view, _) = ledger();
    let tenant = entities::new_tenant("B", vec!["cases".into()], 1);
    put(&mut view, tenant.clone(), Some(0)).expect("a tenant is accepted");
    let endpoint = endpoint(&tenant, "shared");
    put(&mut view, endpoint.clone(), Some(0)).expect("new");
    let disabled = Endpoint {
        status: "auto_disabled".into(),
        disabled_reason: Some("gone".into()),
        ..endpoint
    };
    assert!(
        put(&mut view, disabled, Some(1))
            .expect("it is disabled")
            .notice
            .is_none()
    );
}
