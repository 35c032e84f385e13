//! What matching needs of the ledger, kept up with it change by change: the index of endpoints and the catalogs of types.
//!
//! One for all partitions of a process. It is brought up to a view when a batch needs it, so a burst of changes costs one
//! update. Deliberately not here: the matching rules (`delivery-core`).

use crate::{Error, place::Route};
use delivery_core::matching::Index;
use event_model::Catalogs;
use ledger::{Change, Kind, Ledger, View};
use schemas::Endpoint;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio_util::sync::CancellationToken;

const RETRY: Duration = Duration::from_millis(500);

/// The configuration that a batch is matched with.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) view: Arc<View>,
    pub(crate) index: Index,
    pub(crate) catalogs: Arc<Catalogs>,
    /// Ledger offset below which everything is taken into account.
    pub(crate) ledger_version: i64,
}

/// Follows the ledger. Shared by all workers.
pub(crate) struct Projection {
    ledger: Ledger,
    state: Mutex<State>,
}

struct State {
    changes: broadcast::Receiver<Arc<Change>>,
    snapshot: Arc<Snapshot>,
}

impl Projection {
    pub(crate) fn new(ledger: Ledger) -> Self {
        // Subscribed before the view is taken: a change between the two is applied twice, never missed.
        let changes = ledger.changes();
        let snapshot = Arc::new(Snapshot::build(ledger.view()));
        Self {
            ledger,
            state: Mutex::new(State { changes, snapshot }),
        }
    }

    /// Ledger offset that every batch from now on is matched with, at least.
    pub(crate) fn ledger_version(&self) -> i64 {
        self.ledger.view().position()
    }

    /// Asks for the ledger's end and waits for the view to reach it: whatever was committed to the ledger before this
    /// call is in the snapshot. Waits for brokers that don't answer, until it is told to stop.
    pub(crate) async fn current(&self, stop: &CancellationToken) -> Result<Arc<Snapshot>, Error> {
        loop {
            let error = match self.ledger.barrier().await {
                Ok(view) => return Ok(self.at(&view)),
                Err(error) if error.may_pass() => error,
                Err(error) => return Err(error.into()),
            };
            tracing::warn!(%error, "events wait until the ledger's end is known");
            tokio::select! {
                () = stop.cancelled() => return Err(Error::Stopped),
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// A snapshot that holds everything `reached` does.
    fn at(&self, reached: &View) -> Arc<Snapshot> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A view stands a moment before its changes are told: a snapshot may have been made in between, so what was
        // told counts, and not only how far the view is.
        let changes = state.drain();
        let nothing_new = changes.as_ref().is_some_and(Vec::is_empty);
        if !nothing_new || state.snapshot.ledger_version < reached.position() {
            let view = self.ledger.view();
            let ledger_version = reached.position().max(state.snapshot.ledger_version);
            let snapshot = match changes {
                Some(changes) => state.snapshot.with(&changes, view, ledger_version),
                None => Snapshot::build(view),
            };
            state.snapshot = Arc::new(snapshot);
        }
        state.snapshot.clone()
    }
}

impl State {
    /// What changed since the last time; `None` when that is no longer known.
    fn drain(&mut self) -> Option<Vec<Arc<Change>>> {
        let mut changes = Vec::new();
        let mut complete = true;
        loop {
            match self.changes.try_recv() {
                Ok(change) => changes.push(change),
                Err(TryRecvError::Lagged(_)) => complete = false,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return complete.then_some(changes),
            }
        }
    }
}

impl Snapshot {
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self::build(Arc::default())
    }

    fn build(view: Arc<View>) -> Self {
        let mut index = Index::new();
        for endpoint in view.endpoints() {
            index_endpoint(&mut index, &endpoint.entity);
        }
        let catalogs = Arc::new(catalogs(&view));
        Self {
            index,
            catalogs,
            ledger_version: view.position(),
            view,
        }
    }

    /// `view` holds all of `changes`, and may hold more.
    fn with(&self, changes: &[Arc<Change>], view: Arc<View>, ledger_version: i64) -> Self {
        let mut index = self.index.clone();
        let mut types_changed = false;
        for change in changes {
            match change.kind {
                Kind::Endpoint => match view.endpoint(&change.id) {
                    Some(endpoint) => index_endpoint(&mut index, &endpoint.entity),
                    None => index.remove(&change.id),
                },
                Kind::EventType => types_changed = true,
                Kind::Tenant | Kind::Key | Kind::Job | Kind::Schema | Kind::Installation => {}
            }
        }
        let catalogs = if types_changed {
            Arc::new(catalogs(&view))
        } else {
            self.catalogs.clone()
        };
        Self {
            view,
            index,
            catalogs,
            ledger_version,
        }
    }
}

fn catalogs(view: &View) -> Catalogs {
    let (catalogs, errors) = Catalogs::with_added(view.event_types().map(|of| of.entity.as_ref()));
    for error in errors {
        tracing::error!(%error, "an added event type can't be used; put a corrected one");
    }
    catalogs
}

fn index_endpoint(index: &mut Index, endpoint: &Endpoint) {
    if Route::of(endpoint).is_matched() {
        index.insert(eligibility::subscription(endpoint));
    } else {
        index.remove(&endpoint.id);
    }
}
