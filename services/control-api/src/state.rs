//! What all requests share. Not here: what any of them does.

use crate::{
    Options,
    auth::OperatorKey,
    error::ApiError,
    health::Unhealthy,
    history::History,
    native::{events::ingest::Ingest, test_send::Tester},
    rate::RateLimits,
};
use event_model::Catalogs;
use history_store::Counters;
use ledger::{Keyring, Ledger, View, Writer};
use parking_lot::Mutex;
use std::{collections::HashMap, ops::Deref, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How long a request waits for this process's view to reach the ledger's end.
const FRESH_TIMEOUT: Duration = Duration::from_secs(5);

/// The shared state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Shared>);

pub(crate) struct Shared {
    pub ledger: Ledger,
    pub writer: Writer,
    pub keyring: Keyring,
    pub egress: egress::Options,
    pub delivery: crate::DeliveryDefaults,
    pub operator: OperatorKey,
    pub rates: RateLimits,
    pub ingest: Ingest,
    pub tester: Tester,
    history: Option<History>,
    pub unhealthy: Unhealthy,
    /// One import at a time: it is held whole.
    pub imports: Semaphore,
    catalogs: Mutex<CachedCatalogs>,
}

impl Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What is made once and needs brokers or sockets.
pub(crate) struct Parts {
    pub ingest: Ingest,
    pub tester: Tester,
    pub history: Option<History>,
}

impl Api {
    pub(crate) fn new(options: &Options, ledger: Ledger, writer: Writer, parts: Parts) -> Self {
        let Parts {
            ingest,
            tester,
            history,
        } = parts;
        Self(Arc::new(Shared {
            ledger,
            writer,
            keyring: options.keyring.clone(),
            egress: options.egress.clone(),
            delivery: options.delivery.clone(),
            operator: OperatorKey::new(&options.operator_key),
            rates: RateLimits::new(options.rate),
            ingest,
            tester,
            history,
            unhealthy: Unhealthy::default(),
            imports: Semaphore::new(1),
            catalogs: Mutex::default(),
        }))
    }

    /// What became of deliveries.
    ///
    /// # Errors
    /// 503 where there is no history.
    pub(crate) fn history(&self) -> Result<&History, ApiError> {
        self.history.as_ref().ok_or_else(|| {
            ApiError::unavailable(
                "this API has no delivery history: run the role history in the same process, or in others with a \
                 history.url that is Postgres and set here too",
                60,
            )
        })
    }

    /// What the history counts of these endpoints: nothing where there is none, or it can't be asked.
    pub(crate) async fn figures(&self, endpoint_ids: &[&str]) -> HashMap<String, Counters> {
        let Some(history) = &self.history else {
            return HashMap::new();
        };
        match history.store.counters(endpoint_ids).await {
            Ok(counters) => counters,
            Err(error) => {
                tracing::warn!(%error, "endpoints are shown without the history's figures");
                HashMap::new()
            }
        }
    }

    /// A view that includes everything that was committed when this was called, by whichever process. Requests that ask
    /// at the same time share one question to the brokers.
    pub(crate) async fn fresh(&self) -> Result<Arc<View>, ApiError> {
        match tokio::time::timeout(FRESH_TIMEOUT, self.ledger.barrier()).await {
            Ok(view) => Ok(view?),
            Err(_) => Err(ApiError::unavailable(
                "kafka does not answer, so nothing can be read or changed at the moment; try again",
                2,
            )),
        }
    }

    /// The catalogs with the types that operators added, as of this view.
    pub(crate) fn catalogs(&self, view: &View) -> Arc<Catalogs> {
        let mark = Mark::of(view);
        let mut cached = self.catalogs.lock();
        match &*cached {
            Some((known, catalogs)) if *known == mark => catalogs.clone(),
            _ => {
                let added = view.event_types().map(|event_type| event_type.entity.as_ref());
                let (catalogs, errors) = Catalogs::with_added(added);
                for error in errors {
                    tracing::warn!(%error, "an event type is left out");
                }
                let catalogs = Arc::new(catalogs);
                *cached = Some((mark, catalogs.clone()));
                catalogs
            }
        }
    }
}

type CachedCatalogs = Option<(Mark, Arc<Catalogs>)>;

/// Tells one set of added types from another: a type that is put stands at a new offset, one that is removed is missing.
#[derive(PartialEq, Eq)]
struct Mark {
    count: usize,
    newest_offset: i64,
}

impl Mark {
    fn of(view: &View) -> Self {
        let offsets = view.event_types().map(|event_type| event_type.offset);
        offsets.fold(
            Self {
                count: 0,
                newest_offset: -1,
            },
            |mark, offset| Self {
                count: mark.count + 1,
                newest_offset: mark.newest_offset.max(offset),
            },
        )
    }
}
