//! The role's life: its database, its place in the group, and what comes with partition 0.

use crate::{Error, Options, projector::Projector, recovery, retention};
use history_store::Store;
use kafka_log::{Connection, Membership, MembershipOptions, Ownership, Reader, ReaderOptions, TopicPartition};
use ledger::{Ledger, Writer};
use runtime::CancellationToken;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};

/// Whose owner runs jobs and prunes.
const OFFICE_PARTITION: i32 = 0;
const CLUSTER_ID_TIMEOUT: Duration = Duration::from_secs(10);
/// What is read of the log ahead for all partitions together.
const PREFETCH_BYTES: usize = 64 << 20;
/// How often a partition that waits for a schema is looked at while nothing else comes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The role.
#[derive(Debug)]
pub struct Service;

impl Service {
    /// Runs until `shutdown`; then leaves the group.
    ///
    /// # Errors
    /// When it can't go on without being started again, or without somebody's help.
    pub async fn run(
        connection: &Connection,
        options: Options,
        store: Store,
        ledger: Ledger,
        writer: Writer,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        store.prepare(&identity(connection, &ledger).await?).await?;
        let names = connection.names();
        let topic: Arc<str> = names.log().into();
        let mut member = MembershipOptions::new(names.history_group(), vec![names.log()]);
        member.instance_id.clone_from(&options.instance_id);
        let (membership, mut ownership) = Membership::join(connection, &member)?;
        let membership = Arc::new(membership);
        let mut reading = ReaderOptions::new("log");
        reading.prefetch_bytes = PREFETCH_BYTES;
        let reader = Reader::start(connection, &reading)?;
        let mut role = Role {
            projector: Projector::new(
                store.clone(),
                ledger.clone(),
                membership.clone(),
                reader,
                topic,
                options.clone(),
            ),
            office: None,
            seated: Seated {
                connection: connection.clone(),
                options,
                store,
                ledger,
                writer,
            },
        };
        let ended = role.follow(&mut ownership, &shutdown).await;
        role.leave_office().await;
        let leaving = membership.leave();
        // The last rebalance is told on this channel: somebody must take it.
        let told = async { while ownership.recv().await.is_some() {} };
        tokio::join!(leaving, told);
        ended
    }
}

/// Whose history it is.
async fn identity(connection: &Connection, ledger: &Ledger) -> Result<String, Error> {
    let view = ledger.view();
    let installation = view.installation().ok_or(Error::NoInstallation)?;
    let asked = connection.clone();
    let cluster_id = tokio::task::spawn_blocking(move || asked.cluster_id(CLUSTER_ID_TIMEOUT))
        .await
        .map_err(|_| kafka_log::Error::Stopped)??;
    Ok(format!("{cluster_id}/{}", installation.incarnation))
}

/// What the owner of the office works with.
struct Seated {
    connection: Connection,
    options: Options,
    store: Store,
    ledger: Ledger,
    writer: Writer,
}

struct Role {
    projector: Projector,
    office: Option<(CancellationToken, JoinHandle<()>)>,
    seated: Seated,
}

impl Role {
    async fn follow(
        &mut self,
        ownership: &mut mpsc::Receiver<Ownership>,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        loop {
            let read = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                change = ownership.recv() => {
                    self.change(change.ok_or(Error::MembershipEnded)?).await?;
                    false
                }
                read = self.projector.step() => {
                    read?;
                    true
                }
                () = tokio::time::sleep(LOOK_AGAIN) => true,
            };
            if read {
                self.projector.flush(shutdown).await?;
            }
        }
    }

    async fn change(&mut self, change: Ownership) -> Result<(), Error> {
        match change {
            Ownership::Assigned(partitions) => {
                let partitions = numbers(&partitions);
                if partitions.contains(&OFFICE_PARTITION) {
                    self.take_office();
                }
                self.projector.begin(&partitions).await?;
            }
            Ownership::Revoked(partitions, answer) => {
                self.give_up(&numbers(&partitions)).await;
                // Whoever asked may have given up waiting.
                let _ = answer.send(Vec::new());
            }
            Ownership::Lost(partitions) => self.give_up(&numbers(&partitions)).await,
        }
        Ok(())
    }

    async fn give_up(&mut self, partitions: &[i32]) {
        if partitions.contains(&OFFICE_PARTITION) {
            self.leave_office().await;
        }
        self.projector.end(partitions).await;
    }

    fn take_office(&mut self) {
        let stop = CancellationToken::new();
        let Seated {
            connection,
            options,
            store,
            ledger,
            writer,
        } = &self.seated;
        let jobs = recovery::run(
            connection.clone(),
            store.clone(),
            ledger.clone(),
            writer.clone(),
            stop.clone(),
        );
        let pruning = retention::run(store.clone(), ledger.clone(), writer.clone(), options.clone());
        let task = tokio::spawn(async move {
            tokio::select! {
                () = jobs => {}
                never = pruning => match never {},
            }
        });
        self.office = Some((stop, task));
    }

    /// A job under way ends after its batch; its successor goes on with it.
    async fn leave_office(&mut self) {
        if let Some((stop, task)) = self.office.take() {
            stop.cancel();
            if let Err(error) = task.await {
                tracing::error!(%error, "the history's jobs panicked");
            }
        }
    }
}

fn numbers(partitions: &[TopicPartition]) -> Vec<i32> {
    partitions.iter().map(|partition| partition.partition).collect()
}
