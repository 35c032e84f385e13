//! One job: counting, sending page after page, and what the ledger is told of it.

use super::{Office, page::Page};
use crate::Error;
use history_store::{Candidates, Missing, Status};
use kafka_log::TransactionalProducer;
use ledger::{Entity, Versioned, WriteError};
use replay::{Cursor, Obstacle, Only, Pace, Recovery, Stage, Topics, receiver};
use runtime::clock::now_ms;
use schemas::{Endpoint, Job};
use std::{num::NonZeroU32, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Rows that are looked at together.
const ROWS: i64 = 500;
/// To tell the ledger something while others do.
const TRIES: usize = 5;
/// How often the ledger is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Running<'a> {
    pub(super) office: &'a Office,
    pub(super) job: Job,
    /// Of the job in the ledger, as it was last read or written.
    version: i64,
    pub(super) state: Recovery,
    pub(super) topics: Topics,
    pub(super) producer: TransactionalProducer,
    pub(super) pace: Pace,
    told_at: Instant,
}

/// Why a job ends before it is done.
enum Ended {
    /// Somebody else has decided that, or it is left to a successor.
    Elsewhere,
    Failed(String),
}

impl<'a> Running<'a> {
    /// Fences whoever did it before. None: it is none that can be done, which the ledger is told.
    pub(super) async fn start(office: &'a Office, job: Versioned<Job>) -> Result<Option<Self>, Error> {
        let Some(state) = Recovery::of(&job) else {
            let unreadable = Job {
                status: "failed".to_owned(),
                updated_at_ms: now_ms(),
                ..job.entity.as_ref().clone()
            };
            tracing::error!(job = job.id, "a job can't be read; it was made by a newer version");
            let told = office.writer.put(Entity::from(unreadable), Some(job.version)).await;
            return told.map(|_| None).map_err(unwritten);
        };
        let id = office.connection.names().recovery_transaction(&job.id);
        Ok(Some(Self {
            producer: TransactionalProducer::start(&office.connection, &id).await?,
            topics: Topics::find(&office.connection).await?,
            pace: Pace::new(state.rate_per_sec.and_then(NonZeroU32::new)),
            office,
            version: job.version,
            job: job.entity.as_ref().clone(),
            state,
            told_at: Instant::now(),
        }))
    }

    pub(super) async fn run(&mut self) -> Result<(), Error> {
        tracing::info!(job = self.job.id, endpoint = self.state.endpoint_id, only = ?self.state.only, "a job begins or goes on");
        let ended = match self.go().await? {
            Ok(()) => self.end("done", None).await,
            Err(Ended::Elsewhere) => self.leave().await,
            Err(Ended::Failed(why)) => self.end("failed", Some(why)).await,
        };
        tracing::info!(
            job = self.job.id,
            status = self.job.status,
            done = self.job.done,
            gone = self.state.gone,
            "a job has ended, or is handed over"
        );
        ended
    }

    async fn go(&mut self) -> Result<Result<(), Ended>, Error> {
        if !self.state.is_counted {
            if let Err(ended) = self.count().await? {
                return Ok(Err(ended));
            }
            self.state.is_counted = true;
            self.tell().await?;
        }
        if self.state.dry_run {
            return Ok(Ok(()));
        }
        self.job.done = self.sent_before().await?;
        let first = self.state.cursor.as_ref().map(|cursor| cursor.stage);
        let stages = self.state.only.stages().iter().copied();
        for stage in stages.skip_while(|stage| first.is_some_and(|first| first != *stage)) {
            let mut after = self.state.cursor.clone().filter(|cursor| cursor.stage == stage);
            loop {
                let endpoint = match self.may_go_on() {
                    Ok(endpoint) => endpoint,
                    Err(ended) => return Ok(Err(ended)),
                };
                let Some(page) = Page::load(self, &endpoint, stage, after.as_ref()).await? else {
                    break;
                };
                let end = page.end.clone();
                self.send(page, &endpoint).await?;
                self.state.cursor = Some(end.clone());
                after = Some(end);
                if self.told_at.elapsed() >= TELL_EVERY {
                    self.tell().await?;
                }
            }
        }
        Ok(Ok(()))
    }

    /// What was sent by now: a predecessor may not have told the ledger all of it.
    async fn sent_before(&self) -> Result<i64, Error> {
        let (office, state) = (self.office, &self.state);
        Ok(match state.only {
            Only::Missing => {
                let wanted = self.missing(None);
                office.store.made_up_for(&wanted, self.job.created_at_ms).await?
            }
            Only::Failed | Only::All => {
                let wanted = self.candidates(Status::Failed, None);
                office.store.replayed_by(&wanted, &self.job.id).await?
            }
        })
    }

    pub(super) fn candidates(&self, status: Status, after: Option<&Cursor>) -> Candidates {
        Candidates {
            endpoint_id: self.state.endpoint_id.clone(),
            status,
            since_ms: self.state.since_ms,
            until_ms: self.state.until_ms,
            after: after.map(|cursor| (cursor.at_ms, cursor.id.clone())),
        }
    }

    pub(super) fn missing(&self, after: Option<&Cursor>) -> Missing {
        Missing {
            tenant: self.job.tenant.clone().unwrap_or_default(),
            endpoint_id: self.state.endpoint_id.clone(),
            since_ms: self.state.since_ms,
            until_ms: self.state.until_ms,
            after: after.map(|cursor| (cursor.at_ms, cursor.id.clone())),
        }
    }

    /// Rows of one page: of a second at most, so that a slow job is cancelled at once.
    pub(super) fn page_rows(&self) -> i64 {
        match self.state.rate_per_sec {
            Some(_) if self.state.is_counted => i64::from(self.pace.batch) * 4,
            _ => ROWS,
        }
    }

    async fn count(&mut self) -> Result<Result<(), Ended>, Error> {
        let mut total = 0;
        for &stage in self.state.only.stages() {
            let mut after: Option<Cursor> = None;
            loop {
                let endpoint = match self.may_go_on() {
                    Ok(endpoint) => endpoint,
                    Err(ended) => return Ok(Err(ended)),
                };
                let Some(page) = Page::load(self, &endpoint, stage, after.as_ref()).await? else {
                    break;
                };
                total += page.items.len() as i64;
                after = Some(page.end);
            }
        }
        self.job.total = total;
        Ok(Ok(()))
    }

    /// The endpoint, when it can be sent to and nobody has cancelled the job.
    fn may_go_on(&self) -> Result<Arc<Endpoint>, Ended> {
        let view = self.office.ledger.view();
        let is_running = view.job(&self.job.id).is_some_and(|job| job.status == "running");
        if !is_running || self.office.stop.is_cancelled() {
            return Err(Ended::Elsewhere);
        }
        let (id, tenant) = (&self.state.endpoint_id, self.job.tenant.as_deref());
        match receiver(&view, tenant.unwrap_or_default(), id) {
            // Counting sends nothing.
            Err(Obstacle::Off(endpoint)) if self.state.dry_run => Ok(endpoint),
            Err(obstacle) => Err(Ended::Failed(format!("endpoint {id} {obstacle}"))),
            Ok(endpoint) => Ok(endpoint),
        }
    }

    async fn end(&mut self, status: &str, error: Option<String>) -> Result<(), Error> {
        status.clone_into(&mut self.job.status);
        self.state.error = error;
        self.tell().await
    }

    /// When somebody has cancelled it, what was sent since the ledger was last told is added.
    async fn leave(&mut self) -> Result<(), Error> {
        let view = self.office.ledger.view();
        match view.job(&self.job.id) {
            Some(job) if job.status != "running" => self.tell().await,
            _ => Ok(()),
        }
    }

    /// Tells the ledger how far it is. When somebody has cancelled it meanwhile, that stays.
    async fn tell(&mut self) -> Result<(), Error> {
        self.told_at = Instant::now();
        self.job.state = self.state.to_state();
        for _ in 0..TRIES {
            self.job.updated_at_ms = now_ms();
            let told = Entity::from(self.job.clone());
            match self.office.writer.put(told, Some(self.version)).await {
                Ok(version) => {
                    self.version = version;
                    return Ok(());
                }
                Err(WriteError::Conflict { .. }) => {
                    let view = self.office.ledger.barrier().await?;
                    // While it runs, it is a successor's that has told something.
                    let Some(job) = view.job(&self.job.id).filter(|job| job.status != "running") else {
                        break;
                    };
                    self.version = job.version;
                    self.job.status.clone_from(&job.status);
                }
                Err(error) => return Err(unwritten(error)),
            }
        }
        Ok(())
    }

    /// Whether a predecessor has sent it, or somebody else since the job was made.
    pub(super) fn is_sent(&self, delivery: &history_store::Delivery) -> bool {
        let since = |replay: &history_store::Replay| replay.by == self.job.id || replay.at_ms >= self.job.created_at_ms;
        delivery.replay.as_ref().is_some_and(since)
    }

    pub(super) fn cursor(stage: Stage, at_ms: i64, id: &str) -> Cursor {
        Cursor {
            stage,
            at_ms,
            id: id.to_owned(),
        }
    }
}

fn unwritten(error: WriteError) -> Error {
    match error {
        WriteError::Kafka(error) => error.into(),
        WriteError::Unseen(error) => error.into(),
        other => kafka_log::Error::Unreachable(format!("the ledger isn't told of a job: {other}")).into(),
    }
}
