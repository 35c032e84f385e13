//! The admin listener: `/livez`, `/readyz`, `/metrics`. No authentication, so it listens on loopback by default, and
//! nothing here changes anything.

use crate::metrics::Metrics;
use crate::readiness::Readiness;
use axum::{Router, extract::State, http::StatusCode, http::header, response::IntoResponse, routing::get};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Histograms are folded this often, so that they don't grow while nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why the admin listener ended.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("can't listen on {listen}: {source}; choose another address with admin.listen")]
    Bind { listen: SocketAddr, source: std::io::Error },
    #[error("the admin listener broke: {0}")]
    Serve(#[from] std::io::Error),
}

/// A bound admin listener that doesn't answer yet.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
}

#[derive(Clone)]
struct Shared {
    readiness: Readiness,
    metrics: Metrics,
}

impl Admin {
    /// Binds `admin.listen`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`AdminError::Bind`]
    pub async fn bind(listen: SocketAddr) -> Result<Self, AdminError> {
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|source| AdminError::Bind { listen, source })?;
        Ok(Self { listener })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop` is cancelled: cancel it last, so that a draining process can be watched.
    ///
    /// # Errors
    /// [`AdminError::Serve`]
    pub async fn serve(
        self,
        readiness: Readiness,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> Result<(), AdminError> {
        let routes = Router::new()
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/metrics", get(render))
            .with_state(Shared {
                readiness,
                metrics: metrics.clone(),
            });
        let upkeep = async {
            let mut every = tokio::time::interval(UPKEEP);
            loop {
                every.tick().await;
                metrics.run_upkeep();
            }
        };
        tokio::select! {
            served = async { axum::serve(self.listener, routes).await } => Ok(served?),
            () = upkeep => Ok(()),
            () = stop.cancelled() => Ok(()),
        }
    }
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    let waiting_for = shared.readiness.waiting_for();
    if waiting_for.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("waiting for: {}\n", waiting_for.join(", ")),
        )
    }
}

async fn render(State(shared): State<Shared>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        shared.metrics.render(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    }

    #[tokio::test]
    async fn answers_for_life_readiness_and_metrics_until_stopped() {
        let admin = Admin::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = admin.local_addr().expect("a bound listener has an address");
        let (readiness, stop) = (Readiness::new(), CancellationToken::new());
        let check = readiness.register("ledger view");
        let metrics = crate::metrics::install();
        let served = tokio::spawn(admin.serve(readiness, metrics, stop.clone()));

        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        let not_ready = get(address, "/readyz").await;
        assert!(not_ready.starts_with("HTTP/1.1 503") && not_ready.contains("waiting for: ledger view"));
        check.store(true, Ordering::Release);
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));

        metrics::counter!("hookline_admin_test_total").increment(3);
        metrics::histogram!("hookline_admin_test_seconds").record(0.02);
        let rendered = get(address, "/metrics").await;
        assert!(rendered.contains("hookline_admin_test_total 3"), "{rendered}");
        assert!(
            rendered.contains("hookline_admin_test_seconds_bucket{le=\"0.025\"} 1"),
            "{rendered}"
        );

        stop.cancel();
        served.await.expect("it doesn't panic").expect("it ends in order");
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_that_says_what_to_do() {
        let admin = Admin::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = admin.local_addr().expect("a bound listener has an address");
        let error = Admin::bind(address).await.expect_err("the port is taken");
        assert!(error.to_string().contains("admin.listen"), "{error}");
    }
}
