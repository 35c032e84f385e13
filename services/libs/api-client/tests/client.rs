//! The client against a server that answers what a test says, in order.

use api_client::{Client, EndpointFields, Error, ImportOptions, Patience, Settings};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

#[derive(Debug, Clone)]
struct Asked {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: String,
}

#[derive(Debug, Clone)]
struct Scripted {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
}

#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Scripted>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic holds it").clone()
    }
}

async fn answer(State(script): State<Script>, method: Method, uri: Uri, headers: HeaderMap, body: String) -> Response {
    script.asked.lock().expect("no panic holds it").push(Asked {
        method,
        uri: uri.to_string(),
        headers,
        body,
    });
    let next = script.answers.lock().expect("no panic holds it").pop_front();
    let Some(next) = next else {
        return (StatusCode::NOT_IMPLEMENTED, "the script is over").into_response();
    };
    let status = StatusCode::from_u16(next.status).expect("a status");
    let mut response = (status, next.body).into_response();
    for (name, value) in next.headers {
        let name: HeaderName = name.parse().expect("a header's name");
        response.headers_mut().insert(name, value.parse().expect("a value"));
    }
    response
}

fn says(status: u16, body: &'static str) -> Scripted {
    Scripted {
        status,
        headers: Vec::new(),
        body,
    }
}

impl Scripted {
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

async fn start(answers: impl IntoIterator<Item = Scripted>) -> (Client, Script) {
    let script = Script::default();
    script.answers.lock().expect("no panic holds it").extend(answers);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/behind/a/path", listener.local_addr().expect("it is bound"));
    let routes = Router::new().fallback(answer).with_state(script.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (client(&url), script)
}

fn client(url: &str) -> Client {
    let patience = Patience {
        first_pause: Duration::from_millis(1),
        ..Patience::default()
    };
    Client::new(&Settings {
        url,
        key: Some("hk_test"),
        tenant: Some("org_1"),
        patience,
    })
    .expect("the settings are right")
}

const UNAVAILABLE: &str = r#"{"error":{"code":"UNAVAILABLE","message":"no clerk"}}"#;
const ENDPOINT: &str = r#"{"endpoint":{"id":"wh_1","url":"https://x.example/","status":"active","eventTypeFilters":["*"],"placement":"auto","version":3}}"#;

#[tokio::test]
async fn a_request_says_who_asks_and_repeats_carry_the_same_idempotency_key() {
    let made = r#"{"endpoint":{"id":"wh_1","url":"https://x.example/","status":"active","eventTypeFilters":["*"]},"signingSecret":"whsec_x"}"#;
    let (client, script) = start([says(503, UNAVAILABLE).with("retry-after", "0"), says(201, made)]).await;
    let fields = EndpointFields {
        url: Some("https://x.example/".into()),
        description: Some(None),
        ..EndpointFields::default()
    };
    let made = client
        .create_endpoint(&fields)
        .await
        .expect("the second answer is good");
    assert_eq!(
        (made.endpoint.id.as_str(), made.signing_secret.as_str()),
        ("wh_1", "whsec_x")
    );
    let asked = script.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].uri, "/behind/a/path/webhooks/v1/endpoints");
    assert_eq!(asked[0].headers["authorization"], "Bearer hk_test");
    assert_eq!(asked[0].headers["hookline-tenant"], "org_1");
    assert_eq!(asked[0].body, r#"{"url":"https://x.example/","description":null}"#);
    assert_eq!(asked[0].headers["idempotency-key"], asked[1].headers["idempotency-key"]);
}

#[tokio::test]
async fn a_refusal_keeps_code_details_and_request_id() {
    let body =
        r#"{"error":{"code":"INVALID_REQUEST","message":"wrong","details":[{"path":"url","message":"is private"}]}}"#;
    let (client, script) = start([says(400, body).with("x-request-id", "req_7")]).await;
    let error = client.endpoint("wh_1").await.expect_err("it is refused");
    assert_eq!(
        error.to_string(),
        "wrong; url: is private (INVALID_REQUEST, 400, request req_7)"
    );
    assert_eq!(script.asked().len(), 1, "a 400 is not repeated");
}

#[tokio::test]
async fn patience_has_an_end_and_a_long_pause_is_not_waited_for() {
    let (client, script) = start(vec![says(503, UNAVAILABLE); 9]).await;
    let error = client.endpoint("wh_1").await.expect_err("it stays unavailable");
    assert!(
        error.is_retryable() && error.to_string().contains("try again"),
        "{error}"
    );
    assert_eq!(script.asked().len(), 5);
    let limited = r#"{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"slow down"}}"#;
    let (client, script) = start([says(429, limited).with("retry-after", "3600")]).await;
    let error = client.endpoint("wh_1").await.expect_err("it is limited");
    assert_eq!(error.refusal().expect("the API's word").code, "RATE_LIMIT_EXCEEDED");
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn a_removal_that_was_carried_out_unheard_is_done() {
    let missing = r#"{"error":{"code":"NOT_FOUND","message":"none"}}"#;
    let (client, _) = start([says(503, UNAVAILABLE), says(404, missing)]).await;
    client.delete_endpoint("wh_1").await.expect("the first try did it");
    let (client, _) = start([says(404, missing)]).await;
    let error = client.delete_endpoint("wh_1").await.expect_err("it never was there");
    assert_eq!(error.refusal().map(|refusal| refusal.status), Some(404));
}

#[tokio::test]
async fn pages_are_followed_to_their_end_and_an_endless_list_is_refused() {
    let page = r#"{"endpoints":[{"id":"wh_1","url":"u","status":"active","eventTypeFilters":[]}],"nextCursor":"c1"}"#;
    let last = r#"{"endpoints":[{"id":"wh_2","url":"u","status":"active","eventTypeFilters":[]}],"nextCursor":null}"#;
    let (client, script) = start([says(200, page), says(200, last)]).await;
    let all = client.endpoints(Some("active")).await.expect("two pages");
    assert_eq!(
        all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        ["wh_1", "wh_2"]
    );
    assert_eq!(
        script.asked()[1].uri,
        "/behind/a/path/webhooks/v1/endpoints?limit=200&status=active&cursor=c1"
    );
    let (client, _) = start([says(200, page), says(200, page)]).await;
    assert!(matches!(client.endpoints(None).await, Err(Error::Foreign { .. })));
}

#[tokio::test]
async fn an_id_does_not_change_the_route_and_what_came_is_kept() {
    let (client, script) = start([says(200, ENDPOINT)]).await;
    let endpoint = client.endpoint("../keys?x=1").await.expect("an answer");
    assert_eq!(endpoint.other["version"], 3);
    assert_eq!(
        script.asked()[0].uri,
        "/behind/a/path/webhooks/v1/endpoints/..%2Fkeys%3Fx=1"
    );
    assert_eq!(script.asked()[0].method, Method::GET);
    assert!(matches!(client.endpoint("..").await, Err(Error::Id(_))));
    assert!(matches!(client.endpoint("").await, Err(Error::Id(_))));
}

#[tokio::test]
async fn each_event_of_a_batch_has_its_result() {
    let body = r#"{"results":[{"id":"evt_1"},{"error":{"code":"INVALID_REQUEST","message":"no type"}}]}"#;
    let (client, script) = start([says(202, body)]).await;
    let results = client
        .publish(Bytes::from_static(b"{}\n{}\n"), "key-1")
        .await
        .expect("results");
    assert_eq!(results[0].as_deref(), Ok("evt_1"));
    assert_eq!(
        results[1].as_ref().expect_err("refused").to_string(),
        "no type (INVALID_REQUEST)"
    );
    let asked = &script.asked()[0];
    assert_eq!(asked.headers["content-type"], "application/x-ndjson");
    assert_eq!(
        (&asked.headers["idempotency-key"], asked.body.as_str()),
        (&"key-1".parse().expect("a value"), "{}\n{}\n")
    );
}

#[tokio::test]
async fn a_backup_is_written_as_it_comes_and_sent_back() {
    let (client, script) = start([
        says(200, "line\n"),
        says(200, r#"{"created":2,"replaced":0,"unchanged":1}"#),
    ])
    .await;
    let mut sink = Vec::new();
    let bytes = client
        .export_ledger(&mut sink)
        .await
        .expect("an export")
        .expect("memory takes everything");
    assert_eq!((bytes, sink.as_slice()), (5, b"line\n".as_slice()));
    let options = ImportOptions {
        replace: true,
        dry_run: true,
    };
    let imported = client.import_ledger(sink.into(), options).await.expect("imported");
    assert_eq!((imported.created, imported.unchanged), (2, 1));
    assert_eq!(
        script.asked()[1].uri,
        "/behind/a/path/admin/v1/ledger/import?replace=true&dryRun=true"
    );
}

#[tokio::test]
async fn what_is_not_the_api_is_told_apart_from_it() {
    let (client, _) = start([says(302, "").with("location", "https://login.example/")]).await;
    let error = client.endpoint("wh_1").await.expect_err("a redirect").to_string();
    assert!(error.contains("a redirect to https://login.example/"), "{error}");
    let (client, _) = start([says(502, "<html>")]).await;
    let error = client.endpoint("wh_1").await.expect_err("a proxy").to_string();
    assert!(error.contains("502") && error.contains("HOOKLINE_URL"), "{error}");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let error = client_of_nobody(&url).await;
    assert!(
        error.contains("can't be reached") && error.contains("refused"),
        "{error}"
    );
}

async fn client_of_nobody(url: &str) -> String {
    client(url)
        .endpoint("wh_1")
        .await
        .expect_err("nobody listens")
        .to_string()
}

#[test]
fn settings_are_checked_and_a_key_is_never_shown() {
    for url in ["hooks.example.com", "ftp://x", "mailto:a@b"] {
        let settings = Settings {
            url,
            key: None,
            tenant: None,
            patience: Patience::default(),
        };
        assert!(matches!(Client::new(&settings), Err(Error::Settings(_))), "{url}");
    }
    let settings = Settings {
        url: "http://127.0.0.1",
        key: Some("hidden\nkey"),
        tenant: None,
        patience: Patience::default(),
    };
    let error = Client::new(&settings).err().expect("a line break").to_string();
    assert!(!error.contains("hidden"), "{error}");
}
