//! The listener: HTTP/1.1 with bounds on connections, headers and waiting, and an orderly end.

use crate::head;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use runtime::CancellationToken;
use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::task::TaskTracker;

/// Connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 2048;
/// For the whole head of a request, also the next one on a connection that is kept open.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// How long requests under way may take to end after the shutdown: longer than the clerk takes to decide.
const DRAIN: Duration = Duration::from_secs(15);
/// After an error of accepting, such as no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Can't listen.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {listen}: {source}; choose another address with api.listen")]
pub struct ListenError {
    listen: SocketAddr,
    source: std::io::Error,
}

/// Binds `api.listen`; port 0 takes a free one.
pub(crate) async fn bind(listen: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(listen)
        .await
        .map_err(|source| ListenError { listen, source })
}

/// Serves until `shutdown`, then accepts nothing more and lets what is under way end.
pub(crate) async fn serve(listener: TcpListener, routes: Router, shutdown: CancellationToken) {
    let (tasks, places) = (TaskTracker::new(), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
    loop {
        let accepting = async {
            let place = places.clone().acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let Some(Some((accepted, place))) = shutdown.run_until_cancelled(accepting).await else {
            break;
        };
        match accepted {
            Ok((stream, _)) => {
                let (routes, shutdown) = (routes.clone(), shutdown.clone());
                tasks.spawn(async move {
                    connection(stream, routes, shutdown).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!(
            connections = tasks.len(),
            "requests are cut off: they took too long to end"
        );
    }
}

async fn connection(stream: TcpStream, routes: Router, shutdown: CancellationToken) {
    // Answers are written whole: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(head::PARSED_HEADERS)
        .max_buf_size(head::PARSED_BYTES);
    let mut served = pin!(server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shutdown.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}
