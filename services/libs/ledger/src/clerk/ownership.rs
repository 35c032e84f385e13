//! One term of office: take over, then batch after batch until told to stop.

use super::{
    ClerkOptions,
    batch::{self, Plan},
    decide::{Circumstances, Topic},
    decided::{self, Decided},
};
use crate::{Entity, Error, Kind, Ledger, View, entity::INSTALLATION_ID};
use futures::{StreamExt, stream};
use kafka_log::{
    Admin, Commit, Connection, Item, Membership, ReadOptions, Reader, ReaderOptions, Record, Start, TopicPartition,
    TransactionalProducer, Watermarks, topics,
};
use runtime::{clock::now_ms, crash_point};
use schemas::{
    Installation, LedgerOutcome, LedgerRequest, SchemaEntry,
    codec::{self, OwnSchemas},
};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most requests of one batch.
const BATCH: usize = 500;
/// Topics made at the same time.
const TOPICS_AT_ONCE: usize = 16;

/// What an office holder needs. It holds the office only while its membership owns the requests.
pub(super) struct Office<'a> {
    pub connection: &'a Connection,
    pub ledger: &'a Ledger,
    pub options: &'a ClerkOptions,
    pub membership: &'a Membership,
    pub requests: TopicPartition,
}

/// How a term ended.
pub(super) enum Ended {
    /// As asked.
    Stopped,
    /// `worked`: a batch was committed before.
    Failed { error: Error, worked: bool },
}

struct Term<'a> {
    office: &'a Office<'a>,
    producer: TransactionalProducer,
    /// What is committed, neither more nor less: a batch that fails ends the term.
    view: View,
    decided: Decided,
    admin: Admin,
    replication: i32,
}

impl Office<'_> {
    /// Holds the office until `stop` or an error. After an error the next term begins from what is committed.
    pub(super) async fn hold(&self, stop: &CancellationToken) -> Ended {
        let mut worked = false;
        let result = async {
            let mut term = self.take_over().await?;
            metrics::gauge!("hookline_clerk_in_office").set(1.0);
            tracing::info!("this process is the clerk");
            term.work(stop, &mut worked).await
        };
        let result = result.await;
        metrics::gauge!("hookline_clerk_in_office").set(0.0);
        match result {
            Ok(()) => Ended::Stopped,
            Err(error) => Ended::Failed { error, worked },
        }
    }

    async fn take_over(&self) -> Result<Term<'_>, Error> {
        let names = self.connection.names();
        // Fences a predecessor and waits until what it left open is aborted: what is read after this is all there is.
        let producer = TransactionalProducer::start(self.connection, &names.clerk_group()).await?;
        let view = View::clone(&*self.ledger.barrier().await?);
        self.ledger.check_lanes(self.options.topics.lanes)?;
        let decided = self.read_outcomes().await?;
        let admin = Admin::new(self.connection)?;
        let replication = topics::replication(&admin, &self.options.topics).await?;
        let mut term = Term {
            office: self,
            producer,
            view,
            decided,
            admin,
            replication,
        };
        term.found().await?;
        Ok(term)
    }

    async fn read_outcomes(&self) -> Result<Decided, Error> {
        let mut decided = Decided::default();
        let topic = TopicPartition::new(self.connection.names().ledger_outcomes(), 0);
        let (first, end) = Watermarks::new(self.connection)?.range(&topic.topic, 0).await?;
        if first == end {
            return Ok(decided);
        }
        let reader = Reader::start(self.connection, &ReaderOptions::new("clerk outcomes"))?;
        let (sink, mut items) = mpsc::channel(1024);
        // Each batch adds a marker to its outcomes, so this covers at least half of what can be remembered.
        let start = first.max(end - i64::try_from(decided::MAX).unwrap_or(i64::MAX));
        let options = ReadOptions {
            report_reached: true,
            ..ReadOptions::new(Start::Offset(start))
        };
        reader.add(topic, options, sink).await?;
        while let Some(item) = items.recv().await {
            match item {
                Item::Reached { offset, .. } if offset >= end => return Ok(decided),
                Item::Reached { .. } => {}
                Item::Record(record) => {
                    let value = record.value.as_deref().unwrap_or_default();
                    match codec::decode::<LedgerOutcome>(value, &OwnSchemas) {
                        Ok(outcome) => decided.insert(Arc::new(outcome)),
                        Err(error) => tracing::error!(offset = record.offset, %error, "an outcome can't be read"),
                    }
                    if record.offset + 1 >= end {
                        return Ok(decided);
                    }
                }
            }
        }
        Err(kafka_log::Error::Stopped.into())
    }

    async fn read_requests(&self, reader: &Reader) -> Result<mpsc::Receiver<Item>, Error> {
        let committed = self.membership.committed(vec![self.requests.clone()]).await?;
        let start = committed
            .first()
            .and_then(|c| c.offset)
            .map_or(Start::Beginning, Start::Offset);
        let (sink, items) = mpsc::channel(BATCH);
        reader.add(self.requests.clone(), ReadOptions::new(start), sink).await?;
        Ok(items)
    }
}

impl Term<'_> {
    /// Writes what every ledger begins with, where it is missing: this build's record schemas and the installation.
    async fn found(&mut self) -> Result<(), Error> {
        let requests = self.founding_requests()?;
        if requests.is_empty() {
            return Ok(());
        }
        let about = Circumstances {
            founding: true,
            ..self.circumstances()
        };
        let plan = batch::plan(&self.view, &self.decided, &requests, &about);
        self.commit(plan, None).await
    }

    fn founding_requests(&self) -> Result<Vec<LedgerRequest>, Error> {
        let request = |entity: Entity| {
            Ok(LedgerRequest {
                request_id: ulid::Ulid::new().to_string(),
                requested_at_ms: now_ms(),
                kind: entity.kind().as_str().to_owned(),
                id: entity.id().to_owned(),
                expected_version: Some(0),
                entity: Some(entity.encode().map_err(|e| Error::Encode(e.to_string()))?),
                answer: None,
            })
        };
        let missing = codec::own_schemas()
            .into_iter()
            .filter(|(fingerprint, _, _)| !self.view.has_schema(*fingerprint));
        let mut requests = missing
            .map(|(fingerprint, _, schema)| {
                let fingerprint = format!("{fingerprint:016x}");
                request(Entity::from(SchemaEntry {
                    fingerprint,
                    schema: schema.to_owned(),
                }))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        if self.view.version(Kind::Installation, INSTALLATION_ID) == 0 {
            let installation = Installation {
                incarnation: uuid::Uuid::new_v4().to_string(),
                lanes: self.office.options.topics.lanes,
                created_at_ms: now_ms(),
            };
            requests.push(request(Entity::Installation(Arc::new(installation)))?);
        }
        Ok(requests)
    }

    async fn work(&mut self, stop: &CancellationToken, worked: &mut bool) -> Result<(), Error> {
        let reader = Reader::start(self.office.connection, &ReaderOptions::new("clerk requests"))?;
        let mut items = self.office.read_requests(&reader).await?;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let count = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                count = items.recv_many(&mut batch, BATCH) => count,
            };
            if count == 0 {
                return Err(kafka_log::Error::Stopped.into());
            }
            let records: Vec<Record> = batch
                .drain(..)
                .filter_map(|item| match item {
                    Item::Record(record) => Some(record),
                    Item::Reached { .. } => None,
                })
                .collect();
            if !records.is_empty() {
                self.answer(&records).await?;
                *worked = true;
            }
        }
    }

    async fn answer(&mut self, records: &[Record]) -> Result<(), Error> {
        crash_point("clerk.after_read");
        let Some(last) = records.last() else { return Ok(()) };
        let requests = batch::read(records, now_ms());
        let plan = self.plan(&requests).await?;
        let commit = Commit {
            partition: self.office.requests.clone(),
            offset: last.offset + 1,
            metadata: String::new(),
        };
        metrics::counter!("hookline_clerk_requests_total").increment(requests.len() as u64);
        metrics::counter!("hookline_clerk_batches_total").increment(1);
        self.commit(plan, Some(commit)).await
    }

    /// Decides, and makes the topics that the decisions need. Where a topic can't be had as foreseen, decides again.
    async fn plan(&self, requests: &[LedgerRequest]) -> Result<Plan, Error> {
        let mut about = self.circumstances();
        loop {
            let plan = batch::plan(&self.view, &self.decided, requests, &about);
            let wanted = plan.topics_to_make(&about);
            if wanted.is_empty() {
                return Ok(plan);
            }
            about.topics.extend(self.make_topics(wanted).await?);
        }
    }

    /// What became of each wanted topic. What may pass by itself is an error.
    async fn make_topics(&self, wanted: Vec<(Arc<str>, i64)>) -> Result<Vec<(Arc<str>, Topic)>, Error> {
        let names = self.office.connection.names();
        let made = stream::iter(wanted).map(|(id, number)| async move {
            let spec = topics::endpoint_topic(names.endpoint(&id, number));
            match topics::create(&self.admin, &spec, self.replication).await {
                Ok(true) => Ok((id, Topic::Made(number))),
                // A predecessor's, whose batch was never committed: the janitor may be about to delete it.
                Ok(false) => Ok((id, Topic::Next(number + 1))),
                Err(error) if error.is_retryable() => Err(Error::from(error)),
                Err(error) => {
                    tracing::error!(topic = spec.name, %error, "an endpoint's topic can't be made");
                    Ok((id, Topic::Refused(error.to_string())))
                }
            }
        });
        let results: Vec<Result<_, Error>> = made.buffer_unordered(TOPICS_AT_ONCE).collect().await;
        results.into_iter().collect()
    }

    fn circumstances(&self) -> Circumstances {
        let dedicated_limit = self.office.options.dedicated_limit;
        Circumstances {
            dedicated_limit,
            now_ms: now_ms(),
            founding: false,
            topics: HashMap::new(),
        }
    }

    async fn commit(&mut self, plan: Plan, offsets: Option<Commit>) -> Result<(), Error> {
        let names = self.office.connection.names();
        let transaction = self.producer.begin().await?;
        crash_point("clerk.after_begin");
        let offsets = match offsets {
            Some(commit) => Some((commit, self.office.membership.group_metadata()?)),
            None => None,
        };
        let outcomes = batch::write(transaction, names, &plan.verdicts, now_ms(), offsets).await?;
        self.view = plan.view;
        for outcome in outcomes {
            self.decided.insert(outcome);
        }
        Ok(())
    }
}
