//! Which dead letters are meant, as flags.

use crate::when;

#[derive(Debug, Clone, clap::Args)]
pub struct FilterFlags {
    /// Of this endpoint
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// Of this tenant
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Of this event type
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Dead for this reason: rejected_by_receiver, retries_exhausted, expired, endpoint_disabled, endpoint_deleted or gone
    #[arg(long, value_parser = REASONS)]
    reason: Option<String>,
    /// Died at or after this: a time (2026-11-21T10:00:00Z), or so long ago (90s, 15m, 2h, 7d)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Died before this
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// This delivery, dlv_…
    #[arg(long)]
    id: Option<String>,
    /// At most so many
    #[arg(long)]
    limit: Option<u64>,
}

const REASONS: [&str; 6] = [
    "rejected_by_receiver",
    "retries_exhausted",
    "expired",
    "endpoint_disabled",
    "endpoint_deleted",
    "gone",
];

impl FilterFlags {
    pub fn is_empty(&self) -> bool {
        self.endpoint.is_none()
            && self.tenant.is_none()
            && self.event_type.is_none()
            && self.reason.is_none()
            && self.since.is_none()
            && self.until.is_none()
            && self.id.is_none()
            && self.limit.is_none()
    }

    pub fn filter(&self) -> anyhow::Result<replay::Filter> {
        let now_ms = runtime::clock::now_ms();
        let time =
            |flag: &str, text: &Option<String>| text.as_deref().map(|text| when::parse(flag, text, now_ms)).transpose();
        Ok(replay::Filter {
            endpoint: self.endpoint.clone(),
            tenant: self.tenant.clone(),
            event_type: self.event_type.clone(),
            reason: self.reason.clone(),
            since_ms: time("--since", &self.since)?,
            until_ms: time("--until", &self.until)?,
            id: self.id.clone(),
            limit: self.limit,
        })
    }
}
