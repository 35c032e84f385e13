//! `hookline listen`: a receiver on this machine for trying things out. It verifies each request as a receiver should, and
//! shows what arrived; whether that is right is its user's business. No configuration, no broker.

mod shown;
mod verdict;

use crate::config::Secret;
use crate::failure::Usage;
use anyhow::Context as _;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use clap::ValueEnum;
use runtime::CancellationToken;
use shown::Shown;
use signing::{PublicKey, SigningSecret};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use verdict::{Verdict, Verifier};

/// Twice what Hookline sends at most.
const MAX_BODY_BYTES: usize = 1 << 20;
/// For answers that are still on their way when it ends.
const DRAIN: Duration = Duration::from_secs(1);
/// Ctrl-C ends it by then, whoever still sends.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    #[default]
    Text,
    /// One request a line
    Jsonl,
}

#[derive(Debug, clap::Args)]
pub struct Listen {
    /// Where to listen; 0 takes a free port
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Address to listen on: 0.0.0.0 is all of this machine's
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The endpoint's signing secret, whsec_…; may be repeated, during a rotation. Everybody on this machine can see it in
    /// `ps`: --secret-file keeps it to yourself
    #[arg(long = "secret", value_name = "SECRET", value_parser = Secret::read)]
    secrets: Vec<Secret>,
    /// A file with signing secrets, one a line
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The endpoint's public key, whpk_…, for v1a signatures; may be repeated
    #[arg(long = "public-key", value_name = "KEY")]
    public_keys: Vec<String>,
    /// What to answer
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// End after so many requests
    #[arg(long)]
    count: Option<u64>,
    /// How to show what arrives
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

struct Listening {
    verifier: Verifier,
    status: StatusCode,
    output: Output,
    /// Requests still to come before it ends.
    left: Option<AtomicU64>,
    stop: CancellationToken,
}

pub async fn run(listen: Listen) -> anyhow::Result<()> {
    let verifier = listen.verifier()?;
    let (address, output) = (SocketAddr::new(listen.host, listen.port), listen.output);
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("can't listen on {address}; choose another with --port"))?;
    let stop = runtime::shutdown::on_signal(STOP_PATIENCE)?;
    eprintln!("listening on http://{}; Ctrl-C ends it", listener.local_addr()?);
    if verifier.is_empty() {
        eprintln!("note: signatures aren't verified; give --secret, --secret-file or --public-key");
    }
    let listening = Arc::new(Listening {
        verifier,
        status: StatusCode::from_u16(listen.status)?,
        output,
        left: listen.count.map(AtomicU64::new),
        stop: stop.clone(),
    });
    if listen.count == Some(0) {
        return Ok(());
    }
    let routes = axum::Router::new()
        .fallback(receive)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(listening);
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = async move { serving.await };
    tokio::select! {
        ended = serving => Ok(ended?),
        () = async { stop.cancelled().await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}

impl Listen {
    fn verifier(&self) -> anyhow::Result<Verifier> {
        let mut secrets = Vec::new();
        for secret in &self.secrets {
            secrets.push(parse("--secret", secret.reveal())?);
        }
        if let Some(path) = &self.secret_file {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("--secret-file: can't read {}", path.display()))?;
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                secrets.push(parse("--secret-file", line)?);
            }
        }
        let read =
            |text: &String| PublicKey::parse(text).map_err(|error| Usage::error(format!("--public-key: {error}")));
        let keys = self.public_keys.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Verifier { secrets, keys })
    }
}

fn parse(flag: &str, text: &str) -> anyhow::Result<SigningSecret> {
    SigningSecret::parse(text).map_err(|error| Usage::error(format!("{flag}: {error}")))
}

async fn receive(
    State(listening): State<Arc<Listening>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now_ms = runtime::clock::now_ms();
    let verdict = listening.verifier.judge(&headers, &body, now_ms / 1000);
    let status = match &verdict {
        Verdict::Refused(_) => StatusCode::UNAUTHORIZED,
        Verdict::Verified(_) | Verdict::Unchecked => listening.status,
    };
    let answer = match &verdict {
        Verdict::Refused(reason) => format!("{reason}\n"),
        _ => String::new(),
    };
    let shown = Shown::new(now_ms, &method, &uri, &headers, &body, &verdict, status);
    if listening.show(&shown).is_err() {
        // Nobody reads any more.
        listening.stop.cancel();
    }
    listening.count_down();
    (status, answer).into_response()
}

impl Listening {
    fn show(&self, shown: &Shown) -> io::Result<()> {
        let text = match self.output {
            Output::Text => shown.text(),
            Output::Jsonl => serde_json::to_string(shown).map_err(io::Error::from)?,
        };
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    fn count_down(&self) {
        if let Some(left) = &self.left {
            let before = left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
            if before == Ok(1) {
                self.stop.cancel();
            }
        }
    }
}
