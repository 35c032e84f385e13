//! The history beside the log: whatever became of the process that keeps it, a delivery stands there as the log tells it.

use std::collections::BTreeMap;

use anyhow::Context;
use harness::logbook::{Fate, Outcome};
use harness::{Installation, Logbook};
use history_store::{Delivery, Filter, Status, Store};

use crate::cast::Cast;

/// What stands otherwise in the database than in the log, in words; empty once it has all of the log.
pub(crate) async fn differences(
    installation: &Installation,
    cast: &Cast,
    logbook: &Logbook,
) -> anyhow::Result<Vec<String>> {
    let store = Store::new(installation.setting("history.url").context("its database has a name")?)?;
    store.check().await?;
    let mut rows = BTreeMap::new();
    for tenant in &cast.tenants {
        let deliveries = store.deliveries(tenant, &Filter::default(), usize::MAX).await?;
        rows.extend(deliveries.into_iter().map(|row| (row.id.clone(), row)));
    }
    store.close().await;
    let mut differing = Vec::new();
    for (id, fate) in &logbook.deliveries {
        match rows.remove(id) {
            Some(row) if is_told_by(&row, fate) => {}
            row => differing.push(format!("{id}: {row:?} instead of {fate:?}")),
        }
    }
    differing.extend(rows.into_keys().map(|id| format!("{id} isn't in the log")));
    Ok(differing)
}

fn is_told_by(row: &Delivery, fate: &Fate) -> bool {
    let status = match fate.outcome() {
        Outcome::Pending => Status::Pending,
        Outcome::Cancelled | Outcome::Dead => Status::Failed,
        Outcome::Delivered => Status::Delivered,
    };
    row.outcome.status == status && row.endpoint_id == fate.endpoint_id && row.attempts.len() == fate.attempts
}
