//! Lists of deliveries over the HTTP API while there are millions of rows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use harness::ALL_SCOPES;
use history_store::Store;
use ledger::{Entity, entities};
use runtime::clock::{now_ms, rfc3339};

use super::{Kind, Options, filling};
use crate::load::{self, Load};
use crate::stage::{FEW_LANES, Setting, Stage};

/// What is asked, and how it is told apart in the table.
struct Asked {
    what: &'static str,
    load: Load,
}

pub(super) struct Lists {
    rows: usize,
    filled_per_sec: f64,
    bytes: i64,
    asked: Vec<Asked>,
}

impl Lists {
    pub(super) fn worst_p99_ms(&self) -> f64 {
        self.asked
            .iter()
            .map(|asked| asked.load.percentile_ms(99))
            .fold(0.0, f64::max)
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "`GET /webhooks/v1/deliveries` with {} rows ({:.0} bytes a row, filled at {:.0} rows/s):\n\n\
             | asked for | a second | p50 ms | p99 ms | most ms |\n|---|---|---|---|---|\n",
            self.rows,
            self.bytes as f64 / self.rows as f64,
            self.filled_per_sec
        );
        for Asked { what, load } in &self.asked {
            text.push_str(&format!(
                "| {what} | {:.0} | {:.1} | {:.1} | {:.1} |\n",
                load.per_second(),
                load.percentile_ms(50),
                load.percentile_ms(99),
                load.percentile_ms(100)
            ));
        }
        text
    }
}

pub(super) async fn measure(kind: Kind, directory: &Path, options: &Options) -> anyhow::Result<Lists> {
    let url = kind.database(directory, "lists").await?;
    let stage = Stage::start(Setting {
        name: "lists",
        lanes: FEW_LANES,
        settings: &[("history.url", url.clone()), ("api.rate_per_sec", "1000000".to_owned())],
        support: &["api", "history"],
    })
    .await?;
    let tenant = stage.direct.tenant("one", &["platform"], |_| {}).await?;
    for number in 0..filling::ENDPOINTS {
        let mut endpoint = entities::new_endpoint(&tenant, "https://example.com/", vec!["*".to_owned()], 1);
        endpoint.id = filling::endpoint(number);
        endpoint.placement = "shared".to_owned();
        ledger::seal_signing_secret(
            &mut endpoint,
            &stage.installation.keyring(),
            &harness::Direct::new_secret(),
        );
        stage.direct.writer().put(Entity::from(endpoint), Some(0)).await?;
    }
    let (store, now) = (Store::new(&url)?, now_ms());
    let filled_per_sec = filling::fill(&store, &tenant, options.rows, now).await?;
    let key = stage.direct.key(&tenant, &ALL_SCOPES).await?;
    let http = reqwest::Client::builder().http1_only().no_proxy().build()?;
    let asker = Arc::new(Asker {
        http,
        url: format!("{}/webhooks/v1/deliveries", stage.api_url()),
        key,
        rows: options.rows as u64,
        span_ms: 100 * i64::try_from(options.rows)?,
        until_ms: now,
    });
    let mut asked = Vec::new();
    for (what, query) in QUESTIONS {
        let asker = asker.clone();
        let time = Duration::from_secs(options.seconds);
        let load = load::drive(options.clients, time, move |client, request| {
            let asker = asker.clone();
            async move { asker.ask(&query(&asker, client as u64 * 7_919 + request * 31)).await }
        })
        .await?;
        let one = Asked { what, load };
        eprintln!("{what}: p99 {:.1} ms", one.load.percentile_ms(99));
        asked.push(one);
    }
    let bytes = store.size_bytes().await?;
    stage.end().await?;
    Ok(Lists {
        rows: options.rows,
        filled_per_sec,
        bytes,
        asked,
    })
}

struct Asker {
    http: reqwest::Client,
    url: String,
    key: String,
    rows: u64,
    span_ms: i64,
    until_ms: i64,
}

type Question = fn(&Asker, u64) -> String;

/// `seed`: another one each time.
const QUESTIONS: [(&str, Question); 8] = [
    ("the newest", |_, _| String::new()),
    ("the newest that failed", |_, _| "?status=failed".to_owned()),
    ("of an endpoint", |_, seed| {
        format!("?endpoint_id={}", of_endpoint(seed))
    }),
    ("of an endpoint, failed", |_, seed| {
        format!("?endpoint_id={}&status=failed", of_endpoint(seed))
    }),
    ("of an endpoint, pending", |_, seed| {
        format!("?endpoint_id={}&status=pending", of_endpoint(seed))
    }),
    ("of a type", |_, seed| {
        format!("?event_type={}", filling::event_type(seed as usize))
    }),
    ("of an event", |asker, seed| {
        let number = seed.wrapping_mul(2_654_435_761) % asker.rows;
        format!("?event_id={}", filling::event_id(number as usize))
    }),
    ("before some time, 200 of them", |asker, seed| {
        let back_ms = (seed.wrapping_mul(2_654_435_761) % asker.span_ms.unsigned_abs()).cast_signed();
        format!("?limit=200&to={}", rfc3339(asker.until_ms - back_ms))
    }),
];

fn of_endpoint(seed: u64) -> String {
    filling::endpoint(seed as usize % filling::ENDPOINTS)
}

impl Asker {
    async fn ask(&self, query: &str) -> anyhow::Result<()> {
        let asked = self.http.get(format!("{}{query}", self.url)).bearer_auth(&self.key);
        let answer = asked.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        ensure!(
            status == 200,
            "{query} was answered with {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(())
    }
}
