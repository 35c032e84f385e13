//! What is done now and then: records that are done are deleted from the topics that keep everything until then.

use crate::{context::Context, shard::Command};
use kafka_log::{Admin, TopicPartition};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// Remembers what was truncated, so that an idle topic is left alone.
#[derive(Default)]
pub(crate) struct Housekeeping {
    truncated: HashMap<TopicPartition, i64>,
}

impl Housekeeping {
    /// Truncates below committed offsets, and tells shards which dedicated topics are left.
    pub(crate) async fn run(&mut self, ctx: &Context, shards: Vec<mpsc::Sender<Command>>) {
        if let Err(error) = self.truncate(&ctx.admin, &shards).await {
            tracing::warn!(%error, "what is done could not be deleted; trying again later");
        }
        match ctx.admin.topics(&ctx.names.endpoint_prefix()).await {
            Ok(topics) => {
                let existing: Arc<_> = Arc::new(topics.into_keys().collect());
                for shard in shards {
                    // A shard that has ended needs no news.
                    let _ = shard.send(Command::Existing(Arc::clone(&existing))).await;
                }
            }
            Err(error) => tracing::warn!(%error, "the dedicated topics could not be listed"),
        }
    }

    async fn truncate(&mut self, admin: &Admin, shards: &[mpsc::Sender<Command>]) -> Result<(), kafka_log::Error> {
        let mut below = Vec::new();
        for shard in shards {
            let (reply, committed) = oneshot::channel();
            if shard.send(Command::Committed(reply)).await.is_ok()
                && let Ok(committed) = committed.await
            {
                below.extend(committed);
            }
        }
        below.retain(|(partition, offset)| *offset > self.truncated.get(partition).copied().unwrap_or(0));
        admin.delete_records(&below).await?;
        self.truncated.extend(below);
        Ok(())
    }
}
