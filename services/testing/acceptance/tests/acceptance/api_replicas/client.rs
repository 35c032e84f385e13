//! One client of several replicas: goes to another one with each request, repeats what was answered 503 or never, and
//! looks everywhere for what it was told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATIENCE, Shared};

pub(super) const NUMBER_OF_REPLICAS: usize = 3;
const ENDPOINTS: &str = "/webhooks/v1/endpoints";
/// The contract's longest hint.
const LONGEST_RETRY_AFTER: u64 = 10;

/// A 503.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) sent: Instant,
    pub(super) answered: Instant,
    #[expect(dead_code, reason = "shown when a test fails")]
    what: String,
}

/// What was answered, at last.
pub(super) struct Answer {
    status: u16,
    etag: String,
    retry_after: Option<u64>,
    pub(super) body: String,
    /// Whether an earlier try ended in a 503 or without an answer, and so may have been carried out.
    is_repeat: bool,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.body))
    }

    fn endpoint(&self) -> Value {
        self.json()["endpoint"].take()
    }
}

pub(super) struct Client {
    number: usize,
    /// In metadata.
    name: String,
    /// Counts requests: each goes to the next replica.
    turn: usize,
    http: reqwest::Client,
    pub(super) shared: Arc<Shared>,
}

/// A request that may be sent again.
struct Wanted<'a> {
    method: Method,
    path: &'a str,
    body: Option<&'a Value>,
    header: Option<(&'static str, &'a str)>,
}

impl Client {
    pub(super) fn new(number: usize, shared: Arc<Shared>) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        Self {
            number,
            name: format!("client-{number}"),
            turn: number,
            http: http.expect("nothing is asked of TLS"),
            shared,
        }
    }

    /// POSTs twice with this key, to two replicas; the endpoint is at a third when that has answered.
    pub(super) async fn create(&mut self, body: &Value, key: &str) -> Answer {
        let answer = self.post(body, Some(key)).await;
        assert_eq!(self.repeat(body, key).await, answer.body);
        let path = path_of(answer.json()["endpoint"]["id"].as_str().expect("an id"));
        let shown = self.get(&path).await;
        assert_eq!(shown.status, 200, "{}", shown.body);
        answer
    }

    /// The body that is answered.
    pub(super) async fn repeat(&mut self, body: &Value, key: &str) -> String {
        self.post(body, Some(key)).await.body
    }

    async fn post(&mut self, body: &Value, key: Option<&str>) -> Answer {
        let answer = self
            .ask(&Wanted {
                method: Method::POST,
                path: ENDPOINTS,
                body: Some(body),
                header: key.map(|key| ("idempotency-key", key)),
            })
            .await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        self.count();
        answer
    }

    /// Adds an entry of its own to the metadata: reads, and changes what was read, again when others were faster.
    pub(super) async fn add_own(&mut self, id: &str) {
        let path = path_of(id);
        let mut is_doubtful = false;
        loop {
            let shown = self.get(&path).await;
            assert_eq!(shown.status, 200, "{}", shown.body);
            let mut metadata = shown.endpoint()["metadata"].take();
            if metadata.get(&self.name).is_some() {
                assert!(is_doubtful, "nobody else writes this: {}", shown.body);
                return;
            }
            metadata[&self.name] = json!(id);
            let body = json!({ "metadata": metadata });
            let changed = self
                .ask(&Wanted {
                    method: Method::PATCH,
                    path: &path,
                    body: Some(&body),
                    header: Some(("if-match", &shown.etag)),
                })
                .await;
            is_doubtful |= changed.is_repeat;
            match changed.status {
                200 => return self.see(&path, &changed, None).await,
                412 => {}
                _ => panic!("{}: {}", changed.status, changed.body),
            }
        }
    }

    /// Changes the description, whatever version there is.
    pub(super) async fn describe(&mut self, id: &str) {
        let path = path_of(id);
        let description = format!("by {}", self.name);
        let changed = self
            .ask(&Wanted {
                method: Method::PATCH,
                path: &path,
                body: Some(&json!({ "description": description })),
                header: None,
            })
            .await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        self.see(&path, &changed, Some(&description)).await;
    }

    /// Another replica has this version, or a newer one, which still has this client's entry.
    async fn see(&mut self, path: &str, changed: &Answer, description: Option<&str>) {
        self.count();
        let (wanted, shown) = (changed.endpoint(), self.get(path).await);
        assert_eq!(shown.status, 200, "{}", shown.body);
        let endpoint = shown.endpoint();
        let (version, at_least) = (endpoint["version"].as_i64(), wanted["version"].as_i64());
        assert!(
            version >= at_least && at_least.is_some(),
            "stale: {endpoint}, after {wanted}"
        );
        assert!(
            endpoint["metadata"][&self.name].is_string(),
            "lost: {endpoint}, after {wanted}"
        );
        if let Some(description) = description {
            assert_eq!(wanted["description"], description);
            assert!(
                version > at_least || endpoint["description"] == description,
                "{endpoint}"
            );
        }
    }

    /// One that nobody else knows, without an `Idempotency-Key`.
    pub(super) async fn make_and_delete_own(&mut self) {
        let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"], "placement": "shared"});
        let made = self.post(&body, None).await;
        let id = made.endpoint()["id"].as_str().expect("an id").to_owned();
        let everywhere = self.get_everywhere(&id).await;
        assert_eq!(everywhere.len(), NUMBER_OF_REPLICAS);
        let deleted = self.remove(&path_of(&id)).await;
        assert_eq!(deleted.status, 204, "{}", deleted.body);
        self.count();
        self.is_gone_everywhere(&path_of(&id)).await;
    }

    /// Deletes what others delete at the same time.
    pub(super) async fn delete(&mut self, id: &str) {
        let path = path_of(id);
        let deleted = self.remove(&path).await;
        match deleted.status {
            204 => {
                self.shared.deleted.fetch_add(1, Ordering::SeqCst);
                self.count();
            }
            404 => {}
            _ => panic!("{}: {}", deleted.status, deleted.body),
        }
        if deleted.is_repeat {
            self.shared.doubtful_deletions.fetch_add(1, Ordering::SeqCst);
        }
        self.is_gone_everywhere(&path).await;
        let late = self
            .ask(&Wanted {
                method: Method::PATCH,
                path: &path,
                body: Some(&json!({"description": "too late"})),
                header: None,
            })
            .await;
        assert_eq!(late.status, 404, "{}", late.body);
    }

    async fn remove(&mut self, path: &str) -> Answer {
        self.ask(&Wanted {
            method: Method::DELETE,
            path,
            body: None,
            header: None,
        })
        .await
    }

    async fn is_gone_everywhere(&mut self, path: &str) {
        for (replica, shown) in self.ask_everywhere(path).await {
            assert_eq!(shown.status, 404, "replica {replica} still has it: {}", shown.body);
        }
    }

    /// What each living replica shows of an endpoint.
    pub(super) async fn get_everywhere(&mut self, id: &str) -> Vec<(usize, Value)> {
        let answers = self.ask_everywhere(&path_of(id)).await;
        let shown = answers.into_iter().map(|(replica, shown)| {
            assert_eq!(shown.status, 200, "replica {replica}: {}", shown.body);
            (replica, shown.endpoint())
        });
        shown.collect()
    }

    /// How many endpoints each replica lists.
    pub(super) async fn list_everywhere(&mut self) -> Vec<usize> {
        let answers = self.ask_everywhere(ENDPOINTS).await;
        let listed = answers
            .iter()
            .map(|(_, shown)| shown.json()["endpoints"].as_array().map(Vec::len));
        listed.map(|count| count.expect("a list")).collect()
    }

    async fn ask_everywhere(&mut self, path: &str) -> Vec<(usize, Answer)> {
        let mut answers = Vec::new();
        for replica in 0..NUMBER_OF_REPLICAS {
            let door = self.shared.doors.borrow()[replica].clone();
            let Some(door) = door else { continue };
            if let Some(answer) = self.try_at(replica, &door, &read(path)).await {
                assert_ne!(answer.status, 503, "reads need no clerk: {}", answer.body);
                answers.push((replica, answer));
            }
        }
        answers
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.ask(&read(path)).await
    }

    /// Asks one replica after the other until one answers something else than 503.
    async fn ask(&mut self, wanted: &Wanted<'_>) -> Answer {
        let mut is_repeat = false;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.turn += 1;
            let replica = self.turn % NUMBER_OF_REPLICAS;
            let door = self.shared.doors.borrow()[replica].clone();
            let Some(door) = door else { continue };
            match self.try_at(replica, &door, wanted).await {
                Some(answer) if answer.status == 503 => {
                    assert_ne!(wanted.method, Method::GET, "reads need no clerk: {}", answer.body);
                    assert_eq!(answer.json()["error"]["code"], "UNAVAILABLE");
                    let hint = answer.retry_after.filter(|sec| (1..=LONGEST_RETRY_AFTER).contains(sec));
                    tokio::time::sleep(Duration::from_secs(hint.expect("a hint when to try again"))).await;
                }
                Some(answer) => return Answer { is_repeat, ..answer },
                None => {}
            }
            is_repeat = true;
        }
        panic!(
            "client {} was turned away all the time: {} {}",
            self.number, wanted.method, wanted.path
        );
    }

    /// None: the replica was killed.
    async fn try_at(&self, replica: usize, door: &str, wanted: &Wanted<'_>) -> Option<Answer> {
        let mut request = self
            .http
            .request(wanted.method.clone(), format!("{door}{}", wanted.path))
            .bearer_auth(&self.shared.key);
        if let Some((name, value)) = wanted.header {
            request = request.header(name, value);
        }
        if let Some(body) = wanted.body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let sent = Instant::now();
        let asked = async {
            let response = request.send().await?;
            let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
            let (etag, retry_after) = (header("etag"), header("retry-after"));
            Ok::<_, reqwest::Error>(Answer {
                status: response.status().as_u16(),
                etag: etag.unwrap_or_default(),
                retry_after: retry_after.and_then(|sec| sec.parse().ok()),
                body: response.text().await?,
                is_repeat: false,
            })
        };
        match asked.await {
            Ok(answer) => {
                if answer.status == 503 {
                    let refusal = Refusal {
                        sent,
                        answered: Instant::now(),
                        what: format!("{} {} at {replica}: {}", wanted.method, wanted.path, answer.body),
                    };
                    self.shared.refusals.lock().expect("no holder panicked").push(refusal);
                }
                Some(answer)
            }
            Err(error) => {
                let is_killed = self.shared.doors.borrow()[replica].as_deref() != Some(door);
                assert!(is_killed, "replica {replica} lives and doesn't answer: {error:?}");
                None
            }
        }
    }

    fn count(&self) {
        self.shared.writes.send_modify(|made| *made += 1);
    }
}

fn read(path: &str) -> Wanted<'_> {
    Wanted {
        method: Method::GET,
        path,
        body: None,
        header: None,
    }
}

fn path_of(id: &str) -> String {
    format!("{ENDPOINTS}/{id}")
}
