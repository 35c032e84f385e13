//! The HTTP API, where this environment names one, and this machine's clock.

use super::report::Report;
use crate::api::{self, KEY, URL};
use crate::config::Config;
use api_client::Probe;
use std::time::{SystemTime, UNIX_EPOCH};

/// `Date` has whole seconds.
const DATE_PRECISION_MS: i64 = 1_000;

/// What the API's machine takes the time to be, less this machine's, in milliseconds.
pub async fn api(report: &mut Report, config: &Config) -> anyhow::Result<Option<i64>> {
    let key = api::variable(KEY);
    if api::variable(URL).is_none() && key.is_none() {
        report.skip("api", format!("{URL} and {KEY} aren't set, so it wasn't asked"))?;
        return Ok(None);
    }
    let client = match api::connect(config, key.as_deref(), None) {
        Ok(client) => client,
        Err(error) => {
            report.fail("api", error.to_string())?;
            return Ok(None);
        }
    };
    let probe = match client.probe().await {
        Ok(probe) => probe,
        Err(error) => {
            report.fail("api", error.to_string())?;
            return Ok(None);
        }
    };
    let now = SystemTime::now();
    conclude(report, &probe, client.url(), key.is_some())?;
    if !probe.let_in && probe.refusal.is_none() {
        // It is something else's clock.
        return Ok(None);
    }
    let since_1970 = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    };
    Ok(probe.clock.map(|clock| since_1970(clock) - since_1970(now)))
}

fn conclude(report: &mut Report, probe: &Probe, url: &str, with_key: bool) -> anyhow::Result<()> {
    match (&probe.refusal, probe.status) {
        _ if probe.let_in => report.ok("api", format!("{url} answers, and {KEY} is let in")),
        (None, status) => report.fail(
            "api",
            format!("{url} answered {status}, and not as Hookline does; is {URL} right?"),
        ),
        (Some(_), 401) if !with_key => report.ok("api", format!("{url} answers; {KEY} isn't set")),
        (Some(refusal), 401) => report.fail("api", format!("{url}: {refusal}")),
        // The operator's key alone belongs to no tenant; a tenant's may lack a scope.
        (Some(_), 400..=499) => report.ok("api", format!("{url} answers, and knows {KEY}")),
        (Some(refusal), _) => report.fail("api", format!("{url}: {refusal}")),
    }
}

/// `ahead_ms`: by which the API's clock is ahead of this one. `newest_ms`: the newest change in the ledger.
pub fn clock(
    report: &mut Report,
    config: &Config,
    ahead_ms: Option<i64>,
    newest_ms: Option<i64>,
) -> anyhow::Result<()> {
    let tolerance_ms = i64::from(config.fanout.clock_tolerance_sec) * 1000;
    let advice =
        "run NTP on every machine: events are matched by time, and receivers refuse signatures with a wrong one";
    if let Some(ahead_ms) = ahead_ms
        && ahead_ms.abs() > tolerance_ms + DATE_PRECISION_MS
    {
        let (by_s, which) = (ahead_ms.abs() / 1000, if ahead_ms > 0 { "behind" } else { "ahead of" });
        return report.fail(
            "clock",
            format!("this machine's is {by_s} s {which} the API's; {advice}"),
        );
    }
    let now_ms = runtime::clock::now_ms();
    if let Some(newest_ms) = newest_ms
        && newest_ms > now_ms + tolerance_ms
    {
        let by_s = (newest_ms - now_ms) / 1000;
        return report.warn(
            "clock",
            format!("the ledger was changed {by_s} s in the future, by this machine's clock; {advice}"),
        );
    }
    match (ahead_ms, newest_ms) {
        (Some(_), _) => report.ok("clock", "this machine's agrees with the API's"),
        (None, Some(_)) => report.ok("clock", "nothing in the ledger is from the future"),
        (None, None) => report.skip("clock", "there was nothing to compare it with"),
    }
}
