//! An HTTP receiver as a customer would run one: it verifies every signature, answers as it is told to, and remembers
//! what came. One server, a path an endpoint. It uses nothing of the product.

mod behaviour;
mod hook;
mod pour;
mod signature;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ports;

pub use behaviour::{Answer, Behaviour, Pour};
pub use hook::{Hook, Seen, Tally};

const MAX_BODY_BYTES: usize = 4 << 20;

type Hooks = Arc<Mutex<BTreeMap<String, Hook>>>;

/// The server. It stops when this is dropped.
pub struct Receiver {
    address: SocketAddr,
    hooks: Hooks,
    running: Option<Running>,
}

struct Running {
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Listens on a port of its own on 127.0.0.1.
    pub async fn start() -> anyhow::Result<Self> {
        let mut receiver = Self::down()?;
        receiver.come_up().await?;
        Ok(receiver)
    }

    /// Has an address, but nobody listens there yet: connections are refused.
    pub fn down() -> anyhow::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()?));
        Ok(Self {
            address,
            hooks: Hooks::default(),
            running: None,
        })
    }

    /// The endpoint at this path, which answers 200 until it is told otherwise. A path that nobody asked for here is 404.
    pub fn hook(&self, path: &str) -> Hook {
        let mut hooks = self.hooks.lock();
        let url = format!("http://{}/{path}", self.address);
        hooks
            .entry(format!("/{path}"))
            .or_insert_with(|| Hook::new(url))
            .clone()
    }

    /// All endpoints, by path.
    pub fn hooks(&self) -> Vec<Hook> {
        self.hooks.lock().values().cloned().collect()
    }

    /// Stops to listen and closes its connections, once what is under way is answered.
    pub async fn go_down(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.cancel();
            // It ends by itself; a panic in it has been printed.
            let _ = running.server.await;
        }
    }

    /// Listens, again at the same address.
    pub async fn come_up(&mut self) -> anyhow::Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address)
            .await
            .with_context(|| format!("cannot listen on {}", self.address))?;
        let routes = axum::Router::new().fallback(answer).with_state(self.hooks.clone());
        let stop = CancellationToken::new();
        let server = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
        let server = tokio::spawn(async move {
            let _ = server.await;
        });
        self.running = Some(Running { stop, server });
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.server.abort();
        }
    }
}

async fn answer(State(hooks): State<Hooks>, request: Request) -> Response {
    let hook = hooks.lock().get(request.uri().path()).cloned();
    let Some(hook) = hook else {
        return empty(StatusCode::NOT_FOUND);
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    // Counted as under way until this is dropped, also when the sender goes away.
    let mut arrived = hook.arrived(&parts.headers, body);
    let answer = arrived.answer();
    if answer.hangs {
        std::future::pending::<()>().await;
    }
    if answer.delay > Duration::ZERO {
        tokio::time::sleep(answer.delay).await;
    }
    arrived.answered(answer.status);
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = match answer.pour {
        Some(pour) => pour::body(pour),
        None => Body::from(answer.body),
    };
    response
        .body(body)
        .unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests;
