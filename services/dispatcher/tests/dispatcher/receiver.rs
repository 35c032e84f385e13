//! A real HTTP receiver: writes down each request, counts how many are open at once, and answers as the test says.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::{Semaphore, watch};

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One request that arrived, written down before it is answered.
#[derive(Debug, Clone)]
pub struct Hit {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub at: std::time::Instant,
}

impl Hit {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The delivery's id, whatever the prefix of the header.
    pub fn delivery(&self) -> &str {
        ["webhook-id", "case-webhook-id"]
            .into_iter()
            .find_map(|name| self.header(name))
            .expect("a delivery has an id")
    }
}

/// What a path answers.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Each answer takes one permit for good; without one the request stays open.
    pub gate: Option<Arc<Semaphore>>,
    pub takes: Duration,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            gate: None,
            takes: Duration::ZERO,
        }
    }

    /// 200, but only as often as permits are added to the gate.
    pub fn gated() -> (Self, Arc<Semaphore>) {
        let gate = Arc::new(Semaphore::new(0));
        let answer = Self {
            gate: Some(gate.clone()),
            ..Self::status(200)
        };
        (answer, gate)
    }

    pub fn slow(takes: Duration) -> Self {
        Self {
            takes,
            ..Self::status(200)
        }
    }
}

#[derive(Default)]
struct Seen {
    hits: Vec<Hit>,
    open: HashMap<String, usize>,
    most_open: HashMap<String, usize>,
    answers: HashMap<String, Answer>,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: watch::Sender<()>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no receiver panics")
    }
}

/// It ends with the test's runtime.
#[derive(Clone)]
pub struct Receiver {
    shared: Arc<Shared>,
    base: String,
}

/// A request that is being answered.
struct Open {
    shared: Arc<Shared>,
    path: String,
}

/// Counted beside each path's own number.
const ALL: &str = "all";

impl Open {
    fn new(shared: &Arc<Shared>, path: &str) -> Self {
        let mut seen = shared.seen();
        for key in [path, ALL] {
            let open = seen.open.entry(key.to_owned()).or_default();
            *open += 1;
            let open = *open;
            let most = seen.most_open.entry(key.to_owned()).or_default();
            *most = open.max(*most);
        }
        Self {
            shared: shared.clone(),
            path: path.to_owned(),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut seen = self.shared.seen();
        for key in [self.path.as_str(), ALL] {
            if let Some(open) = seen.open.get_mut(key) {
                *open -= 1;
            }
        }
    }
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared, base }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Paths answer 200 until they are told otherwise.
    pub fn answers(&self, path: &str, answer: Answer) {
        self.shared.seen().answers.insert(path.to_owned(), answer);
    }

    /// All requests so far to `path`, in order of arrival.
    pub fn hits(&self, path: &str) -> Vec<Hit> {
        self.shared
            .seen()
            .hits
            .iter()
            .filter(|hit| hit.path == path)
            .cloned()
            .collect()
    }

    /// Ids of the deliveries that arrived at `path`, in order of arrival.
    pub fn ids(&self, path: &str) -> Vec<String> {
        self.hits(path).iter().map(|hit| hit.delivery().to_owned()).collect()
    }

    /// Paths in the order in which their requests arrived.
    pub fn order(&self) -> Vec<String> {
        self.shared.seen().hits.iter().map(|hit| hit.path.clone()).collect()
    }

    /// Most requests that were ever open at once on a path.
    pub fn most_open(&self, path: &str) -> usize {
        self.shared.seen().most_open.get(path).copied().unwrap_or(0)
    }

    pub fn most_open_in_all(&self) -> usize {
        self.most_open(ALL)
    }

    /// Waits until `count` requests have arrived at `path`; returns all that have.
    pub async fn until(&self, path: &str, count: usize) -> Vec<Hit> {
        let mut changed = self.shared.changed.subscribe();
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.hits(path).len() < count {
                changed.changed().await.expect("the receiver lives");
            }
        });
        let arrived = waited.await;
        let hits = self.hits(path);
        assert!(
            arrived.is_ok(),
            "{path}: {} of {count} requests arrived in time",
            hits.len()
        );
        hits
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let _open = Open::new(&shared, &path);
    let answer = {
        let mut seen = shared.seen();
        seen.hits.push(Hit {
            path: path.clone(),
            headers,
            body,
            at: std::time::Instant::now(),
        });
        seen.answers.get(&path).cloned().unwrap_or_else(|| Answer::status(200))
    };
    shared.changed.send_replace(());
    if let Some(gate) = &answer.gate {
        gate.acquire().await.expect("a gate is never closed").forget();
    }
    // A receiver that is slow by itself: nothing is waited for here.
    tokio::time::sleep(answer.takes).await;
    let status = StatusCode::from_u16(answer.status).expect("a status");
    let mut response = (status, answer.body).into_response();
    for (name, value) in answer.headers {
        let value = HeaderValue::from_str(&value).expect("a header's value");
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}
