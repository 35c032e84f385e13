//! The operator's API: tenants, keys, event types, backup of the configuration.

use crate::{
    client::{Client, exchange},
    support::World,
};
use anyhow::Result;
use serde_json::json;

const TENANTS: &str = "/admin/v1/tenants";
const TYPES: &str = "/admin/v1/event_types";
const EXPORT: &str = "/admin/v1/ledger/export";
const IMPORT: &str = "/admin/v1/ledger/import";

/// Sends lines.
async fn import(client: &Client, query: &str, lines: &str) -> Result<crate::client::Answer> {
    let head = format!(
        "POST {IMPORT}{query} HTTP/1.1\r\nhost: api\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        client.key,
        lines.len()
    );
    exchange(client.address, format!("{head}{lines}").as_bytes()).await
}

/// The chunks of an answer put together.
fn unchunked(body: &str) -> String {
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        whole += &after[..size];
        rest = after[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    whole
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_lives_from_post_to_delete() -> Result<()> {
    let world = World::start().await?;
    let operator = world.operator();
    let body = json!({"name": "Acme", "catalogs": ["platform", "cases"], "headerPrefix": "case-webhook-", "quotas": {"endpoints": 3}});
    let made = operator.post(TENANTS, &body).await?;
    let tenant = made.expect(201)["tenant"].clone();
    assert_eq!((&tenant["version"], made.header("etag")), (&json!(1), "\"1\""));
    assert_eq!(
        tenant["quotas"],
        json!({"endpoints": 3, "eventsPerSecond": null, "backlogBytes": null})
    );
    let path = format!("{TENANTS}/{}", tenant["id"].as_str().expect("an id"));
    assert!(path.contains("/org_"), "{path}");
    assert_eq!(operator.get(&path).await?.expect(200)["tenant"], tenant);

    let changed = operator
        .with("if-match", "\"1\"")
        .patch(&path, &json!({"name": "New", "quotas": null}))
        .await?;
    let changed = changed.expect(200)["tenant"].clone();
    assert_eq!(
        (&changed["name"], &changed["quotas"]["endpoints"], &changed["version"]),
        (&json!("New"), &json!(1000), &json!(2))
    );
    assert_eq!(
        (&changed["headerPrefix"], &changed["catalogs"]),
        (&tenant["headerPrefix"], &tenant["catalogs"])
    );
    let stale = operator.with("if-match", "\"1\"");
    stale
        .patch(&path, &json!({"name": "Newer"}))
        .await?
        .expect_error(412, "PRECONDITION_FAILED");
    stale.delete(&path).await?.expect_error(412, "PRECONDITION_FAILED");
    let same = operator
        .patch(&path, &json!({"headerPrefix": "case-webhook-"}))
        .await?
        .expect(200);
    assert_eq!(same["tenant"]["version"], 2, "nothing changed");
    operator.delete(&path).await?.expect(204);
    for answer in [
        operator.get(&path).await?,
        operator.patch(&path, &json!({"name": "x"})).await?,
        operator.delete(&path).await?,
        operator.post(&format!("{path}/keys"), &json!({"scopes": []})).await?,
        operator.get(&format!("{path}/keys")).await?,
    ] {
        answer.expect_error(404, "NOT_FOUND");
    }
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_has_something_is_not_erased_and_not_in_half() -> Result<()> {
    let world = World::start().await?;
    let operator = world.operator();
    let path = format!("{TENANTS}/{}", world.tenant.id);
    let refused = operator.delete(&path).await?;
    refused.expect_error(409, "CONFLICT");
    assert!(refused.body.contains("revoke"), "{refused:?}");
    let made = world
        .client
        .post(
            "/webhooks/v1/endpoints",
            &json!({"url": "https://example.com", "eventTypeFilters": ["*"]}),
        )
        .await?
        .expect(201);
    let endpoint = format!(
        "/webhooks/v1/endpoints/{}",
        made["endpoint"]["id"].as_str().expect("an id")
    );
    for _ in 0..2 {
        let refused = operator.delete(&path).await?;
        refused.expect_error(409, "CONFLICT");
        assert!(refused.body.contains("later version"), "{refused:?}");
        // A deleted one's deliveries may still wait somewhere.
        world.client.delete(&endpoint).await?;
    }
    world.client.get("/webhooks/v1/endpoints").await?.expect(200);
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_tenant_is_said_with_its_path() -> Result<()> {
    let world = World::start().await?;
    let operator = world.operator();
    let long = "x".repeat(257);
    for (body, path) in [
        (json!({}), "name"),
        (json!({"name": " "}), "name"),
        (json!({"name": long}), "name"),
        (json!({"name": "a\r\nb"}), "name"),
        (json!({"name": "a", "id": ".."}), "id"),
        (json!({"name": "a", "id": "org/1"}), "id"),
        (json!({"name": "a", "catalogs": []}), "catalogs"),
        (json!({"name": "a", "catalogs": ["platform", "none"]}), "catalogs[1]"),
        (json!({"name": "a", "headerPrefix": "Bad Prefix"}), "headerPrefix"),
        (json!({"name": "a", "quotas": {"endpoints": -1}}), "quotas.endpoints"),
        (
            json!({"name": "a", "quotas": {"eventsPerSecond": 5}}),
            "quotas.eventsPerSecond",
        ),
        (
            json!({"name": "a", "quotas": {"backlogBytes": 5}}),
            "quotas.backlogBytes",
        ),
        (json!({"name": "a", "quotas": [1]}), "quotas"),
        (json!({"name": "a", "plan": "gold"}), "plan"),
    ] {
        let refused = operator.post(TENANTS, &body).await?;
        assert_eq!(
            refused.expect_error(400, "INVALID_REQUEST"),
            path,
            "{body}: {refused:?}"
        );
    }
    let later = operator
        .post(TENANTS, &json!({"name": "a", "quotas": {"backlogBytes": 5}}))
        .await?;
    assert!(later.body.contains("later version"), "{later:?}");
    let taken = json!({"name": "a", "id": world.tenant.id});
    operator.post(TENANTS, &taken).await?.expect_error(409, "CONFLICT");
    let listed = operator.get(TENANTS).await?.expect(200);
    assert_eq!(listed["tenants"].as_array().map(Vec::len), Some(1), "{listed}");
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_keys_and_types_are_listed_in_pages() -> Result<()> {
    let world = World::start().await?;
    let operator = world.operator();
    let keys = format!("{TENANTS}/{}/keys", world.tenant.id);
    for n in 0..4 {
        operator
            .post(TENANTS, &json!({"name": format!("t{n}")}))
            .await?
            .expect(201);
        operator.post(&keys, &json!({"scopes": ["vault"]})).await?.expect(201);
        let path = format!("{TYPES}/billing.t{n}");
        operator
            .send("PUT", &path, Some(json!({"stability": "beta"}).to_string()))
            .await?
            .expect(201);
    }
    for (route, plural, id, count) in [
        (TENANTS, "tenants", "id", 5),
        (&keys, "keys", "id", 5),
        (TYPES, "eventTypes", "type", 4),
    ] {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = operator.get(&format!("{route}?limit=2{cursor}")).await?.expect(200);
            let rows = page[plural].as_array().expect("rows").iter();
            ids.extend(rows.map(|row| row[id].as_str().expect("an id").to_owned()));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let mut sorted = ids.clone();
        sorted.sort();
        if plural == "keys" {
            sorted.reverse();
        }
        sorted.dedup();
        assert_eq!((&ids, ids.len()), (&sorted, count), "{plural}");
        operator
            .get(&format!("{route}?limit=0"))
            .await?
            .expect_error(400, "INVALID_REQUEST");
    }
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_the_same_to_a_repeat() -> Result<()> {
    let world = World::start().await?;
    let second = world.another().await?;
    let operator = world.operator();
    let keys = format!("{TENANTS}/{}/keys", world.tenant.id);
    let body = json!({"scopes": ["webhooks", "vault", "vault"], "expiresAt": "2999-01-01T00:00:00+01:00"});
    let keyed = operator.with("idempotency-key", "key-1");
    let first = keyed.post(&keys, &body).await?;
    let made = first.expect(201);
    assert_eq!(
        (&made["scopes"], &made["expiresAt"]),
        (&json!(["vault", "webhooks"]), &json!("2998-12-31T23:00:00.000Z"))
    );
    let plain = made["key"].as_str().expect("the key");
    let again = keyed.at(second.address).post(&keys, &body).await?;
    assert_eq!((again.status, &again.body), (201, &first.body));
    keyed
        .post(&keys, &json!({"scopes": []}))
        .await?
        .expect_error(409, "CONFLICT");
    let listed = operator.get(&keys).await?;
    let ids: Vec<_> = listed.expect(200)["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|key| key["id"].clone())
        .collect();
    assert!(
        ids.len() == 2 && ids[0] == made["id"] && !listed.body.contains("hk_"),
        "{listed:?}"
    );

    let client = Client::new(second.address, plain);
    client.get("/webhooks/v1/endpoints").await?.expect(200);
    let stranger = operator.post(TENANTS, &json!({"name": "other"})).await?.expect(201);
    let id = made["id"].as_str().expect("an id");
    let foreign = format!(
        "{TENANTS}/{}/keys/{id}",
        stranger["tenant"]["id"].as_str().expect("an id")
    );
    operator.delete(&foreign).await?.expect_error(404, "NOT_FOUND");
    operator.delete(&format!("{keys}/{id}")).await?.expect(204);
    client
        .get("/webhooks/v1/endpoints")
        .await?
        .expect_error(401, "AUTH_INVALID");
    operator
        .delete(&format!("{keys}/{id}"))
        .await?
        .expect_error(404, "NOT_FOUND");

    for (body, path) in [
        (json!({}), "scopes"),
        (json!({"scopes": ["vault", "vualt"]}), "scopes[1]"),
        (json!({"scopes": [], "expiresAt": "2020-01-01T00:00:00Z"}), "expiresAt"),
        (json!({"scopes": [], "expiresAt": "soon"}), "expiresAt"),
        (json!({"scopes": [], "name": "x"}), "name"),
    ] {
        let refused = operator.post(&keys, &body).await?;
        assert_eq!(refused.expect_error(400, "INVALID_REQUEST"), path, "{body}");
    }
    second.stop().await?;
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_made_twice_with_one_idempotency_key_is_one() -> Result<()> {
    let world = World::start().await?;
    let keyed = world.operator().with("idempotency-key", "tenant-1");
    let first = keyed.post(TENANTS, &json!({"name": "Acme"})).await?;
    first.expect(201);
    assert_eq!(keyed.post(TENANTS, &json!({"name": "Acme"})).await?.body, first.body);
    keyed
        .post(TENANTS, &json!({"name": "Other"}))
        .await?
        .expect_error(409, "CONFLICT");
    let listed = world.operator().get(TENANTS).await?.expect(200);
    assert_eq!(listed["tenants"].as_array().map(Vec::len), Some(2));
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_type_is_known_until_it_is_removed() -> Result<()> {
    let world = World::start().await?;
    let operator = world.operator();
    let path = format!("{TYPES}/billing.invoice.paid");
    let body = json!({"stability": "stable", "requiredScope": "billing", "description": "An invoice was paid.",
        "payloadSchema": {"type": "object", "required": ["invoiceId"]}});
    let put = async |body: &serde_json::Value| operator.send("PUT", &path, Some(body.to_string())).await;
    let made = put(&body).await?;
    assert_eq!(
        (made.expect(201)["eventType"]["version"].clone(), made.header("etag")),
        (json!(1), "\"1\"")
    );
    assert_eq!(
        put(&body).await?.expect(200)["eventType"],
        made.json()["eventType"],
        "nothing changed"
    );
    assert_eq!(operator.get(&path).await?.expect(200), made.json());
    let keys = format!("{TENANTS}/{}/keys", world.tenant.id);
    let key = operator
        .post(&keys, &json!({"scopes": ["billing", "webhooks"]}))
        .await?
        .expect(201);
    let client = Client::new(world.replica.address, key["key"].as_str().expect("a key"));
    let wanted = json!({"url": "https://example.com", "eventTypeFilters": ["billing.invoice.paid"]});
    client.post("/webhooks/v1/endpoints", &wanted).await?.expect(201);

    let changed = put(&json!({"stability": "beta"})).await?.expect(200);
    assert_eq!(
        (
            &changed["eventType"]["version"],
            &changed["eventType"]["requiredScope"],
            &changed["eventType"]["payloadSchema"]
        ),
        (&json!(2), &json!(null), &json!({"type": "object"}))
    );
    let stale = operator.with("if-match", "\"1\"");
    stale
        .send("PUT", &path, Some(body.to_string()))
        .await?
        .expect_error(412, "PRECONDITION_FAILED");
    operator.delete(&path).await?.expect(204);
    operator.get(&path).await?.expect_error(404, "NOT_FOUND");
    operator.delete(&path).await?.expect_error(404, "NOT_FOUND");
    operator
        .get(&format!("{TYPES}/vault.ingest.completed"))
        .await?
        .expect_error(404, "NOT_FOUND");
    for (path, body, field) in [
        ("billing..x", json!({"stability": "beta"}), "type"),
        ("billing.x", json!({}), "stability"),
        ("billing.x", json!({"stability": "done"}), "stability"),
        (
            "billing.x",
            json!({"stability": "beta", "resource": "room"}),
            "resource",
        ),
        ("billing.x", json!({"stability": "beta", "catalog": "mine"}), "catalog"),
        (
            "billing.x",
            json!({"stability": "beta", "requiredScope": "a b"}),
            "requiredScope",
        ),
        (
            "billing.x",
            json!({"stability": "beta", "payloadSchema": {"type": "objekt"}}),
            "payloadSchema",
        ),
        (
            "billing.x",
            json!({"stability": "beta", "payloadSchema": {"$ref": "http://127.0.0.1/schema"}}),
            "payloadSchema",
        ),
        (
            "billing.x",
            json!({"stability": "beta", "payloadSchema": 7}),
            "payloadSchema",
        ),
        ("billing.x", json!({"stability": "beta", "name": "x"}), "name"),
    ] {
        let refused = operator
            .send("PUT", &format!("{TYPES}/{path}"), Some(body.to_string()))
            .await?;
        assert_eq!(
            refused.expect_error(400, "INVALID_REQUEST"),
            field,
            "{body}: {refused:?}"
        );
    }
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_imported_elsewhere_and_works_there() -> Result<()> {
    let (world, other) = (World::start().await?, World::start().await?);
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"]});
    let made = world.client.post("/webhooks/v1/endpoints", &body).await?.expect(201);
    let exported = world.operator().get(EXPORT).await?;
    assert_eq!(
        (exported.status, exported.header("content-type")),
        (200, "application/x-ndjson")
    );
    let lines = unchunked(&exported.body);
    let secret = made["signingSecret"].as_str().expect("a secret");
    assert!(!lines.contains(secret) && !lines.contains(&world.client.key), "{lines}");

    // Elsewhere the secrets don't open: an endpoint that can't be signed for is not imported.
    let closed = import(&other.operator(), "", &lines).await?;
    closed.expect_error(409, "CONFLICT");
    let without = lines.lines().filter(|line| !line.contains(r#""kind":"endpoint""#));
    let without = without
        .collect::<Vec<_>>()
        .join("\n")
        .replace(r#""entities":3"#, r#""entities":2"#);
    let counts =
        |created, replaced, unchanged| json!({"created": created, "replaced": replaced, "unchanged": unchanged});
    let operator = other.operator();
    assert_eq!(
        import(&operator, "?dryRun=true", &without).await?.expect(200),
        counts(2, 0, 0)
    );
    assert_eq!(import(&operator, "", &without).await?.expect(200), counts(2, 0, 0));
    assert_eq!(import(&operator, "", &without).await?.expect(200), counts(0, 0, 2));
    world
        .client
        .at(other.replica.address)
        .get("/webhooks/v1/endpoints")
        .await?
        .expect(200);
    let differing = without.replace(r#""name":"one""#, r#""name":"two""#);
    import(&operator, "?replace=false", &differing)
        .await?
        .expect_error(409, "CONFLICT");
    assert_eq!(
        import(&operator, "?replace=true", &differing).await?.expect(200),
        counts(0, 1, 1)
    );
    // At home everything is as it was.
    assert_eq!(
        import(&world.operator(), "", &lines).await?.expect(200),
        counts(0, 0, 3)
    );

    let broken_off = without.lines().take(2).collect::<Vec<_>>().join("\n");
    for (query, lines) in [
        ("", "{}"),
        ("", ""),
        ("", broken_off.as_str()),
        ("?replace=yes", without.as_str()),
        ("?force=true", without.as_str()),
    ] {
        import(&operator, query, lines)
            .await?
            .expect_error(400, "INVALID_REQUEST");
    }
    operator
        .post(IMPORT, &json!({}))
        .await?
        .expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    other.replica.stop().await?;
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_nothing_of_the_operator_is_a_tenants() -> Result<()> {
    let world = World::start().await?;
    let own = format!("{TENANTS}/{}", world.tenant.id);
    let body = json!({"name": "x", "scopes": [], "stability": "beta"}).to_string();
    for (method, path) in [
        ("GET", TENANTS.to_owned()),
        ("POST", TENANTS.to_owned()),
        ("GET", own.clone()),
        ("PATCH", own.clone()),
        ("DELETE", own.clone()),
        ("GET", format!("{own}/keys")),
        ("POST", format!("{own}/keys")),
        ("DELETE", format!("{own}/keys/key_1")),
        ("GET", TYPES.to_owned()),
        ("PUT", format!("{TYPES}/a.b")),
        ("DELETE", format!("{TYPES}/a.b")),
        ("GET", EXPORT.to_owned()),
        ("POST", IMPORT.to_owned()),
    ] {
        let refused = world.client.send(method, &path, Some(body.clone())).await?;
        refused.expect_error(403, "PERMISSION_DENIED");
        let nobody = Client::new(world.replica.address, "wrong");
        nobody
            .send(method, &path, None)
            .await?
            .expect_error(401, "AUTH_INVALID");
    }
    world.replica.stop().await
}
