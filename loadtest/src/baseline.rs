//! What reqwest alone makes of the same requests: the product's client settings, headers, signatures and bodies, and
//! nothing of Kafka. A process of its own, like a dispatcher.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};
use signing::SigningSecret;

use crate::child::Child;
use crate::receiver::{Receiver, Tally};
use crate::{body, machine};

const TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    url: String,
    #[arg(long)]
    requests: u64,
    /// Requests under way at once
    #[arg(long)]
    concurrency: usize,
    #[arg(long)]
    secret: String,
}

/// What the process says when it is done.
#[derive(Debug, Serialize, Deserialize)]
struct Used {
    cpu_us: u64,
}

/// One measurement of the baseline.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) tally: Tally,
    /// Processor time of the sending process.
    pub(crate) cpu_us: u64,
}

/// Runs the process to its end.
pub(crate) async fn measure(receiver: &mut Receiver, requests: u64, concurrency: usize) -> anyhow::Result<Measured> {
    let secret = SigningSecret::generate().expose();
    receiver.begin(vec![secret.clone()]).await?;
    let mut child = Child::start(&[
        "baseline".to_owned(),
        format!("--url={}", receiver.url(0)),
        format!("--requests={requests}"),
        format!("--concurrency={concurrency}"),
        format!("--secret={secret}"),
    ])?;
    let Used { cpu_us } = child.hear().await?;
    child.end().await?;
    let tally = receiver.end().await?;
    ensure!(
        tally.requests == requests && tally.bad_signatures == 0,
        "the receiver got something else than {requests} well-signed requests: {tally:?}"
    );
    Ok(Measured { tally, cpu_us })
}

/// The process: sends, and says what that took.
pub(crate) async fn send(options: Options) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(options.concurrency)
        .build()?;
    let shared = Arc::new(Sender {
        client,
        url: options.url.parse().context("--url is no URL")?,
        secret: SigningSecret::parse(&options.secret)?,
        requests: options.requests,
        next: AtomicU64::new(0),
    });
    let senders: Vec<_> = (0..options.concurrency)
        .map(|_| tokio::spawn(shared.clone().run()))
        .collect();
    for sender in senders {
        sender.await??;
    }
    let cpu_us = machine::cpu_us(std::process::id().cast_signed())?;
    println!("{}", serde_json::to_string(&Used { cpu_us })?);
    Ok(())
}

struct Sender {
    client: reqwest::Client,
    url: reqwest::Url,
    secret: SigningSecret,
    requests: u64,
    next: AtomicU64,
}

impl Sender {
    async fn run(self: Arc<Self>) -> anyhow::Result<()> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.requests {
                return Ok(());
            }
            let body = Bytes::from(body::delivered(&format!("evt-baseline-{number:08}")));
            let sent = self
                .client
                .post(self.url.clone())
                .headers(self.headers(number, &body))
                .timeout(TIMEOUT)
                .body(body)
                .send();
            let response = sent.await?.error_for_status()?;
            response.bytes().await?;
        }
    }

    /// Those that a delivery has.
    fn headers(&self, number: u64, body: &[u8]) -> HeaderMap {
        let now_s = runtime::clock::now_ms() / 1000;
        let id = format!("dlv_{number:032x}");
        let signature = signing::sign_v1(&id, now_s, body, &[&self.secret]);
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            headers.insert(name, HeaderValue::from_str(value).expect("these are ASCII"));
        };
        set(header::CONTENT_TYPE, "application/json");
        set(header::USER_AGENT, "Hookline/baseline");
        set(HeaderName::from_static("webhook-id"), &id);
        set(
            HeaderName::from_static("webhook-event-id"),
            &format!("evt-baseline-{number:08}"),
        );
        set(HeaderName::from_static("webhook-timestamp"), &now_s.to_string());
        set(HeaderName::from_static("webhook-signature"), &signature);
        set(HeaderName::from_static("webhook-attempt"), "1");
        headers
    }
}
