//! The tenant API, over the same endpoints.

use crate::support::World;
use anyhow::Result;
use serde_json::{Value, json};

const TENANT: &str = "/v2.3/webhooks/endpoints";
const NATIVE: &str = "/webhooks/v1/endpoints";

fn is_whole_seconds(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|time| time.len() == 20 && time.ends_with('Z'))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_made_changed_and_deleted_in_this_shape_and_seen_in_the_other() -> Result<()> {
    let world = World::start().await?;
    let client = &world.client;
    let body = json!({"url": "https://example.com/hook", "events": ["cases.created", "cases.tasks.created"], "description": "d"});
    let made = client.post(TENANT, &body).await?.expect(201);
    let data = made["data"].as_object().expect("an object");
    let names: Vec<_> = data.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "created_at",
            "description",
            "events",
            "id",
            "secret",
            "status",
            "updated_at",
            "url"
        ]
    );
    assert!(
        data["secret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("whsec_"))
    );
    assert!(
        is_whole_seconds(&data["created_at"]) && is_whole_seconds(&data["updated_at"]),
        "{data:?}"
    );
    assert_eq!((&data["status"], &data["events"]), (&"active".into(), &body["events"]));
    let id = data["id"].as_str().expect("an id");
    let native = &client.get(&format!("{NATIVE}/{id}")).await?.expect(200)["endpoint"];
    assert_eq!(
        (&native["dialect"], &native["disableOnGone"], &native["envelope"]),
        (&"retry_all".into(), &false.into(), &"standard".into())
    );

    let path = format!("{TENANT}/{id}");
    let shown = client.get(&path).await?.expect(200);
    let mut without_secret = made.clone();
    without_secret["data"]
        .as_object_mut()
        .expect("an object")
        .remove("secret");
    assert_eq!(shown, without_secret);
    assert_eq!(client.get(TENANT).await?.expect(200), json!({"data": [shown["data"]]}));
    let change = json!({"status": "paused", "description": null, "events": ["cases.*"], "metadata": {"a": "1"}});
    let changed = client.patch(&path, &change).await?.expect(200);
    for (name, value) in change.as_object().expect("an object") {
        assert_eq!(changed["data"][name], *value, "{name}");
    }
    client
        .patch(&format!("{NATIVE}/{id}"), &json!({"status": "disabled"}))
        .await?
        .expect(200);
    assert_eq!(client.get(&path).await?.expect(200)["data"]["status"], "paused");
    assert_eq!(
        client.patch(&path, &json!({"status": "active"})).await?.expect(200)["data"]["status"],
        "active"
    );
    let deleted = client.delete(&path).await?;
    assert_eq!((deleted.expect(204), deleted.body.as_str()), (Value::Null, ""));
    client
        .get(&format!("{NATIVE}/{id}"))
        .await?
        .expect_error(404, "NOT_FOUND");
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_the_fields_of_this_api() -> Result<()> {
    let world = World::start().await?;
    let cases = [
        (
            json!({"url": "https://example.com", "events": ["nonsense"]}),
            "events[0]",
        ),
        (json!({"url": "https://example.com", "events": []}), "events"),
        (json!({"url": "https://example.com"}), "events"),
        (json!({"url": "http://example.com", "events": ["*"]}), "url"),
        (
            json!({"url": "https://example.com", "events": ["*"], "status": "disabled"}),
            "status",
        ),
        (
            json!({"url": "https://example.com", "events": ["*"], "eventTypeFilters": ["*"]}),
            "eventTypeFilters",
        ),
        (
            json!({"url": "https://example.com", "events": ["*"], "metadata": {"a": 1}}),
            "metadata.a",
        ),
    ];
    for (body, path) in cases {
        assert_eq!(
            world
                .client
                .post(TENANT, &body)
                .await?
                .expect_error(400, "INVALID_REQUEST"),
            path,
            "{body}"
        );
    }
    let paused = json!({"url": "https://example.com", "events": ["*"], "status": "paused", "metadata": {"a": "1"}});
    let made = &world.client.post(TENANT, &paused).await?.expect(201)["data"];
    assert_eq!(
        (&made["status"], &made["metadata"]),
        (&"paused".into(), &json!({"a": "1"}))
    );
    let keyed = world.client.with("idempotency-key", "k");
    let first = keyed.post(TENANT, &paused).await?;
    assert_eq!(keyed.post(TENANT, &paused).await?.body, first.body);
    world.replica.stop().await
}
