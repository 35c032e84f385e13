//! Follows the ledger topic into a [`View`] that everything in the process shares.

use crate::{Change, Entity, Error, Kind, View, barrier::EndOfLedger, entities};
use apache_avro::Schema;
use arc_swap::ArcSwap;
use kafka_log::{Connection, Item, ReadOptions, Reader, ReaderOptions, Record, Start, TopicPartition, Watermarks};
use schemas::{
    LedgerEntry,
    codec::{self, Fingerprint, OwnSchemas, WriterSchemas},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{broadcast, mpsc, watch};

/// Changes that a slow follower may be behind before it must start again from the view.
const CHANGES_KEPT: usize = 4096;
/// Items between the reader's thread and the view.
const CHANNEL: usize = 1024;
/// Most items that one new snapshot includes.
const BATCH: usize = 256;
/// How long a barrier waits for the view to arrive where the ledger ends.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a damaged ledger is raised again.
const ALARM_EVERY: Duration = Duration::from_secs(30);

/// How far the view has come, and what stopped it.
#[derive(Debug, Clone, Default)]
struct Progress {
    position: i64,
    blocked: Option<Error>,
}

struct Shared {
    view: ArcSwap<View>,
    progress: watch::Sender<Progress>,
    changes: broadcast::Sender<Arc<Change>>,
    keep_secrets: bool,
}

/// Handle on a process's view of the ledger. Cheap to clone; following stops with the last clone.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
    end: EndOfLedger,
    _reader: Arc<Reader>,
}

impl Ledger {
    /// Follows the ledger, and returns when it has been read to its present end.
    pub async fn start(connection: &Connection) -> Result<Self, Error> {
        Self::follow(connection, true).await
    }

    /// As [`Ledger::start`], but secrets and header values, encrypted as they are, are left out of the view: for roles
    /// that send nothing. Never write an endpoint back that was read from such a view.
    pub async fn start_without_secrets(connection: &Connection) -> Result<Self, Error> {
        Self::follow(connection, false).await
    }

    async fn follow(connection: &Connection, keep_secrets: bool) -> Result<Self, Error> {
        let topic = connection.names().ledger();
        let reader = Reader::start(connection, &ReaderOptions::new("ledger"))?;
        let (sink, items) = mpsc::channel(CHANNEL);
        let options = ReadOptions {
            report_reached: true,
            ..ReadOptions::new(Start::Beginning)
        };
        reader
            .add(TopicPartition::new(topic.as_str(), 0), options, sink)
            .await?;
        let shared = Arc::new(Shared {
            view: ArcSwap::from_pointee(View::default()),
            progress: watch::Sender::new(Progress::default()),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            keep_secrets,
        });
        tokio::spawn(follow(shared.clone(), items));
        let end = EndOfLedger::start(Watermarks::new(connection)?, topic);
        let ledger = Self {
            shared,
            end,
            _reader: Arc::new(reader),
        };
        let position = ledger.end.ask().await?;
        ledger.wait_for(position).await?;
        Ok(ledger)
    }

    /// The present snapshot.
    pub fn view(&self) -> Arc<View> {
        self.shared.view.load_full()
    }

    /// A snapshot that includes everything that was committed when this was called. Calls that arrive while the
    /// ledger's end is being asked share the next question. Waits at most 15 s for the view.
    pub async fn barrier(&self) -> Result<Arc<View>, Error> {
        let end = self.end.ask().await?;
        self.reach(end, BARRIER_TIMEOUT).await
    }

    /// A snapshot that includes everything below `end`.
    pub(crate) async fn reach(&self, end: i64, timeout: Duration) -> Result<Arc<View>, Error> {
        match tokio::time::timeout(timeout, self.wait_for(end)).await {
            Ok(reached) => reached?,
            Err(_) => {
                return Err(Error::Behind {
                    position: self.view().position(),
                    end,
                });
            }
        }
        Ok(self.view())
    }

    /// The first snapshot that meets a condition. Waits for ever: bound it where somebody waits.
    pub async fn wait_until(&self, condition: impl Fn(&View) -> bool) -> Result<Arc<View>, Error> {
        let mut progress = self.shared.progress.subscribe();
        loop {
            let blocked = progress.borrow_and_update().blocked.clone();
            let view = self.view();
            if condition(&view) {
                return Ok(view);
            }
            if let Some(error) = blocked {
                return Err(error);
            }
            progress.changed().await.map_err(|_| Error::Stopped)?;
        }
    }

    /// Fails when this installation was started with another number of lanes. Nothing is known, so nothing is wrong,
    /// until the first clerk has written it.
    pub fn check_lanes(&self, configured: i32) -> Result<(), Error> {
        match self.view().installation() {
            Some(i) if i.lanes != configured => Err(Error::LanesDiffer {
                configured,
                installed: i.lanes,
            }),
            _ => Ok(()),
        }
    }

    async fn wait_for(&self, end: i64) -> Result<(), Error> {
        let mut progress = self.shared.progress.subscribe();
        let arrived = progress.wait_for(|p| p.position >= end || p.blocked.is_some()).await;
        let progress = arrived.map_err(|_| Error::Stopped)?;
        match &progress.blocked {
            Some(error) if progress.position < end => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// What changes from now on, in the ledger's order. The view already includes a change when it is received. A
    /// receiver that lags must start again from the view.
    pub fn changes(&self) -> broadcast::Receiver<Arc<Change>> {
        self.shared.changes.subscribe()
    }
}

impl WriterSchemas for Ledger {
    fn writer_schema(&self, fingerprint: Fingerprint) -> Option<Arc<Schema>> {
        self.shared.view.load().writer_schema(fingerprint)
    }
}

async fn follow(shared: Arc<Shared>, mut items: mpsc::Receiver<Item>) {
    let mut view = View::default();
    let mut batch = Vec::with_capacity(BATCH);
    let mut changes = Vec::with_capacity(BATCH);
    while items.recv_many(&mut batch, BATCH).await > 0 {
        let mut blocked = None;
        for item in batch.drain(..) {
            match item {
                Item::Reached { offset, .. } => view.advance(offset),
                Item::Record(record) => match include(&mut view, &record, shared.keep_secrets) {
                    Ok(change) => changes.push(Arc::new(change)),
                    Err(reason) => {
                        blocked = Some(Error::Blocked {
                            offset: record.offset,
                            reason,
                        });
                        break;
                    }
                },
            }
        }
        shared.view.store(Arc::new(view.clone()));
        for change in changes.drain(..) {
            // Nobody may be listening.
            let _ = shared.changes.send(change);
        }
        let progress = Progress {
            position: view.position(),
            blocked: blocked.clone(),
        };
        shared.progress.send_replace(progress);
        metrics::gauge!("hookline_ledger_position").set(view.position() as f64);
        if let Some(error) = blocked {
            return raise(&error, &items).await;
        }
    }
    // The last handle is gone, or the reader's thread has died: then nobody may wait for ever.
    shared
        .progress
        .send_modify(|progress| progress.blocked = Some(Error::Stopped));
}

/// A record that can't be read stays where it is: what follows it may rest on it. Only another version of the program
/// or a repaired ledger helps, so this goes on saying so.
async fn raise(error: &Error, items: &mpsc::Receiver<Item>) {
    metrics::gauge!("hookline_ledger_blocked").set(1.0);
    let mut every = tokio::time::interval(ALARM_EVERY);
    while !items.is_closed() {
        every.tick().await;
        tracing::error!(%error, "configuration is frozen at this point");
    }
}

fn include(view: &mut View, record: &Record, keep_secrets: bool) -> Result<Change, String> {
    let mut change = read(view, record)?;
    if !keep_secrets && let Some(Entity::Endpoint(endpoint)) = &mut change.entity {
        entities::drop_secrets(Arc::make_mut(endpoint));
    }
    view.apply(&change)?;
    Ok(change)
}

fn read(view: &View, record: &Record) -> Result<Change, String> {
    let key = record.key.as_deref().unwrap_or_default();
    let (kind, id) = Kind::parse_key(key).map_err(|e| e.to_string())?;
    let mut change = Change {
        kind,
        id: id.into(),
        version: 0,
        offset: record.offset,
        entity: None,
    };
    let Some(value) = &record.value else { return Ok(change) };
    // The envelope is frozen, so what is compiled in reads it.
    let entry: LedgerEntry = codec::decode(value, &OwnSchemas).map_err(|e| format!("{}: {e}", kind.key(id)))?;
    if entry.kind != kind.as_str() || entry.id != id {
        return Err(format!(
            "{} stands under the key of {}/{}",
            kind.key(id),
            entry.kind,
            entry.id
        ));
    }
    let entity = Entity::decode(kind, &entry.entity, view).map_err(|e| format!("{}: {e}", kind.key(id)))?;
    change.version = entry.version;
    change.entity = Some(entity);
    Ok(change)
}
