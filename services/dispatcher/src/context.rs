//! What every shard of the process shares.

use crate::{Options, budget::Budget, commit::Committer, pulse::Pulse, readers::Readers, target::Targets};
use delivery_core::tracker::Identity;
use kafka_log::{Admin, Names, Producer, Watermarks};
use ledger::{Ledger, Writer};
use std::sync::Arc;
use tokio::sync::Semaphore;

pub(crate) struct Context {
    pub(crate) options: Options,
    pub(crate) names: Names,
    pub(crate) ledger: Ledger,
    /// Asks the clerk to disable endpoints.
    pub(crate) writer: Writer,
    pub(crate) targets: Targets,
    pub(crate) admin: Admin,
    pub(crate) producer: Producer,
    pub(crate) watermarks: Watermarks,
    pub(crate) client: egress::Client,
    pub(crate) readers: Readers,
    pub(crate) committer: Committer,
    pub(crate) budget: Arc<Budget>,
    /// One permit a request, held until what it came to is committed.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) identity: Identity,
    pub(crate) pulse: Arc<Pulse>,
}

impl Context {
    /// `delivery.max_age_sec` in milliseconds.
    pub(crate) fn max_age_ms(&self) -> i64 {
        i64::try_from(self.options.max_age.as_millis()).unwrap_or(i64::MAX)
    }

    /// The shard of an endpoint.
    pub(crate) fn shard_of(&self, endpoint_id: &str) -> i32 {
        delivery_core::murmur2::partition(endpoint_id.as_bytes(), self.options.lanes)
    }
}
