//! The role: a member of the fan-out group with a worker for each partition that it owns.

use crate::{
    Error, InvalidOptions, Options, Source, expired,
    judge::Rules,
    projection::Projection,
    slice::Output,
    worker::{ReadSource, Shared, Worker},
};
use event_model::SourceSettings;
use kafka_log::{
    Connection, Membership, MembershipOptions, Ownership, Producer, Reader, ReaderOptions, TopicPartition,
};
use ledger::Ledger;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// How long a batch under way may take when its partition goes to another member; what takes longer is repeated there.
const REVOKE: Duration = Duration::from_secs(1);
/// How long batches under way may take at the end.
const DRAIN: Duration = Duration::from_secs(10);

/// The fan-out role.
#[derive(Debug)]
pub struct Service;

impl Service {
    /// Runs until `shutdown`: then finishes and commits the batches under way (at most 10 s), and leaves the group.
    /// An error is one that bad input can't cause; what was not committed is repeated by the next owner.
    pub async fn run(
        connection: &Connection,
        options: Options,
        ledger: Ledger,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let names = connection.names().clone();
        let problems = options.problems(&names.ingest());
        if !problems.is_empty() {
            return Err(InvalidOptions(problems.join("; ")).into());
        }
        let sources = sources(&options, &names.events(), &names.ingest());
        let topics: Vec<String> = sources.keys().cloned().collect();
        // Before it joins: whoever begins commits.
        if shutdown
            .run_until_cancelled(expired::look(connection, &topics))
            .await
            .is_none()
        {
            return Ok(());
        }
        let mut member = MembershipOptions::new(names.fanout_group(), topics);
        member.instance_id.clone_from(&options.instance_id);
        let (membership, ownership) = Membership::join(connection, &member)?;
        let output = Output {
            producer: Producer::new(connection)?,
            names,
            projection: Projection::new(ledger),
            lanes: options.lanes,
        };
        let shared = Arc::new(Shared {
            membership,
            reader: Reader::start(connection, &ReaderOptions::new("fanout"))?,
            output,
            limits: options.batch,
            rules: Rules {
                clock_tolerance_ms: i64::from(options.clock_tolerance_sec) * 1_000,
                lanes: options.lanes,
            },
        });
        let mut owned = Owned {
            shared: shared.clone(),
            sources,
            tasks: JoinSet::new(),
            running: HashMap::new(),
        };
        let result = owned.follow(ownership, &shutdown).await;
        owned.stop_all().await;
        drop(owned);
        shared.membership.leave().await;
        result
    }
}

/// By topic.
fn sources(options: &Options, events: &str, ingest: &str) -> HashMap<String, ReadSource> {
    let default = [Source::new(events)];
    let configured = if options.sources.is_empty() {
        &default[..]
    } else {
        &options.sources
    };
    configured
        .iter()
        .chain([&Source::new(ingest)])
        .map(|source| {
            let settings = SourceSettings {
                format: source.format,
                tenant: source.tenant.clone(),
                max_payload_bytes: options.max_payload_bytes,
            };
            (
                source.topic.clone(),
                ReadSource {
                    settings,
                    start: source.start,
                },
            )
        })
        .collect()
}

/// The partitions that are ours, each with its worker.
struct Owned {
    shared: Arc<Shared>,
    sources: HashMap<String, ReadSource>,
    tasks: JoinSet<Result<(), Error>>,
    running: HashMap<TopicPartition, Running>,
}

struct Running {
    stop: CancellationToken,
    task: AbortHandle,
}

impl Owned {
    async fn follow(
        &mut self,
        mut ownership: mpsc::Receiver<Ownership>,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                event = ownership.recv() => match event {
                    Some(Ownership::Assigned(partitions)) => self.assigned(partitions),
                    Some(Ownership::Revoked(partitions, answer)) => {
                        let result = self.give_up(partitions, REVOKE).await;
                        // Workers commit for themselves; without a listener the time for it was over already.
                        let _ = answer.send(Vec::new());
                        result?;
                    }
                    Some(Ownership::Lost(partitions)) => self.give_up(partitions, Duration::ZERO).await?,
                    None => return Err(kafka_log::Error::Stopped.into()),
                },
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended)?,
            }
        }
    }

    fn assigned(&mut self, partitions: Vec<TopicPartition>) {
        for partition in partitions {
            let Some(source) = self.sources.get(partition.topic.as_ref()) else {
                tracing::error!(%partition, "assigned, but not of a source topic");
                continue;
            };
            let stop = CancellationToken::new();
            let worker = Worker::new(self.shared.clone(), partition.clone(), source.clone(), stop.clone());
            let task = self.tasks.spawn(worker.run());
            self.running.insert(partition, Running { stop, task });
        }
    }

    /// Ends the workers of these partitions: after the batch under way when that is done in time, else at once. Nothing
    /// is committed for them afterwards.
    async fn give_up(&mut self, partitions: Vec<TopicPartition>, within: Duration) -> Result<(), Error> {
        let gone: Vec<Running> = partitions.iter().filter_map(|p| self.running.remove(p)).collect();
        for running in &gone {
            running.stop.cancel();
        }
        let mut waiting: HashSet<Id> = gone.iter().map(|running| running.task.id()).collect();
        let deadline = Instant::now() + within;
        let mut result = Ok(());
        while !waiting.is_empty() {
            let Ok(Some(ended)) = timeout_at(deadline, self.tasks.join_next_with_id()).await else {
                break;
            };
            waiting.remove(&id_of(&ended));
            result = result.and(self.ended(ended));
        }
        for running in &gone {
            running.task.abort();
        }
        self.shared.reader.remove(partitions).await;
        result
    }

    /// A worker that fails ends the role; one whose partition went away doesn't.
    fn ended(&mut self, ended: Result<(Id, Result<(), Error>), JoinError>) -> Result<(), Error> {
        let id = id_of(&ended);
        let partition = self
            .running
            .iter()
            .find(|(_, running)| running.task.id() == id)
            .map(|(p, _)| p.clone());
        let name = partition
            .as_ref()
            .map_or_else(|| "a partition".to_owned(), TopicPartition::to_string);
        if let Some(partition) = &partition {
            self.running.remove(partition);
        }
        match ended {
            Ok((_, Ok(()))) => Ok(()),
            Ok((_, Err(error))) => {
                tracing::error!(partition = name, %error, "fan-out ends");
                Err(error)
            }
            Err(error) if error.is_cancelled() => Ok(()),
            Err(_) => Err(Error::Panicked(name)),
        }
    }

    async fn stop_all(&mut self) {
        let partitions: Vec<_> = self.running.keys().cloned().collect();
        if let Err(error) = self.give_up(partitions, DRAIN).await {
            tracing::warn!(%error, "at the end");
        }
        self.tasks.shutdown().await;
    }
}

fn id_of(ended: &Result<(Id, Result<(), Error>), JoinError>) -> Id {
    match ended {
        Ok((id, _)) => *id,
        Err(error) => error.id(),
    }
}
