//! What became of deliveries: rows of the history's database, bodies from the log, and sending again. Not here: who may ask,
//! and how it is shown.

mod bodies;
mod replayer;

use history_store::Store;
use kafka_log::{Connection, Positions};
use replayer::Replayer;
use std::sync::Arc;

pub(crate) use replayer::Wanted;

/// Cheap to share.
pub(crate) struct History {
    pub store: Store,
    positions: Positions,
    log: Arc<str>,
    pub replayer: Replayer,
}

impl History {
    pub(crate) fn new(connection: &Connection, store: Store) -> Self {
        Self {
            positions: Positions::new(connection),
            log: connection.names().log().into(),
            replayer: Replayer::new(connection, store.clone()),
            store,
        }
    }
}
