//! Deletes dedicated topics that nobody needs any more. What it isn't sure of stays: a topic too many costs a little
//! room, a topic too few costs deliveries.
//!
//! A topic goes only when two rounds in a row found the same, so everything under way at the first (a clerk that has
//! made the topic and not yet written the endpoint, a producer that doesn't know yet) has ended by the second.

mod progress;

use crate::{Error, worker::Shared};
use kafka_log::{GroupOffsets, Watermarks};
use ledger::View;
use std::{collections::HashMap, sync::Arc};
use tokio::time::{Instant, MissedTickBehavior};

/// Why a topic may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Useless {
    /// Its endpoint was never committed to the ledger, or is long gone from it.
    Orphan,
    /// Its endpoint was deleted, or lives elsewhere, since this offset of the ledger.
    Left { since: i64 },
}

pub(crate) struct Janitor {
    shared: Arc<Shared>,
    watermarks: Watermarks,
    fanout: GroupOffsets,
    dispatcher: GroupOffsets,
    /// What the last round found, and since when.
    suspects: HashMap<String, (Useless, Instant)>,
}

impl Janitor {
    pub(crate) fn new(shared: &Arc<Shared>) -> Result<Self, Error> {
        let (connection, names) = (&shared.connection, shared.connection.names());
        Ok(Self {
            shared: shared.clone(),
            watermarks: Watermarks::new(connection)?,
            fanout: GroupOffsets::new(connection, &names.fanout_group())?,
            dispatcher: GroupOffsets::new(connection, &names.dispatcher_group())?,
            suspects: HashMap::new(),
        })
    }

    /// Looks round after round; ends only by being dropped.
    pub(crate) async fn run(mut self) {
        let mut rounds = tokio::time::interval(self.shared.options.janitor_every);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            if let Err(error) = self.round().await {
                self.suspects.clear();
                tracing::warn!(%error, "the janitor's round failed; nothing is deleted");
            }
        }
    }

    async fn round(&mut self) -> Result<(), Error> {
        // In this order: the endpoint of a topic that is listed here is in the view, if it was ever committed before.
        let prefix = self.shared.connection.names().endpoint_prefix();
        let topics = self.shared.admin.topics(&prefix).await?;
        let view = self.shared.ledger.barrier().await?;
        if view.installation().is_none() {
            return Ok(());
        }
        let mut found = HashMap::new();
        for topic in topics.into_keys() {
            let Some(useless) = self.judge(&topic, &view) else {
                continue;
            };
            if !self.is_done_with(&topic, useless).await? {
                continue;
            }
            let since = self
                .suspects
                .get(&topic)
                .filter(|(former, _)| *former == useless)
                .map(|(_, since)| *since);
            let long_enough = match useless {
                Useless::Left { .. } => self.shared.options.janitor_every / 2,
                // A clerk that finds brokers slow may take minutes from making a topic to writing its endpoint.
                Useless::Orphan => self.shared.options.janitor_every * 5,
            };
            match since {
                Some(since) if since.elapsed() >= long_enough => {
                    self.shared.admin.delete(&topic).await?;
                    metrics::counter!("hookline_topics_deleted_total").increment(1);
                    tracing::info!(topic, ?useless, "deleted a dedicated topic that nobody needs any more");
                }
                since => {
                    found.insert(topic, (useless, since.unwrap_or_else(Instant::now)));
                }
            }
        }
        self.suspects = found;
        Ok(())
    }

    fn judge(&self, topic: &str, view: &View) -> Option<Useless> {
        let (id, number) = self.shared.connection.names().parse_endpoint(topic)?;
        let Some(endpoint) = view.endpoint(id) else {
            return Some(Useless::Orphan);
        };
        let lives_here = endpoint.status != "deleted" && endpoint.dedicated_topic == Some(number);
        (!lives_here).then_some(Useless::Left { since: endpoint.offset })
    }

    /// Whether nothing more is written to the topic, and all that was has been read.
    async fn is_done_with(&self, topic: &str, useless: Useless) -> Result<bool, Error> {
        if let Useless::Left { since } = useless {
            let reported = progress::fanout_version(&self.fanout, &self.watermarks, &self.shared.options.source_topics);
            // The version is where a view stands: the offset after the last one that it holds.
            if reported.await?.is_none_or(|version| version <= since) {
                return Ok(false);
            }
        }
        progress::is_read_to_end(&self.shared, &self.dispatcher, &self.watermarks, topic).await
    }
}
