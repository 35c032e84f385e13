//! The clerk: decides wanted changes, in one process at a time.
//!
//! Any number of processes may be candidates; the group on `ledger.requests` chooses one. Not here: who may ask for a
//! change.

mod batch;
mod decide;
mod decided;
mod notice;
mod ownership;
pub(crate) mod recall;

use crate::{Error, Ledger};
use kafka_log::{Connection, Membership, MembershipOptions, Ownership, TopicPartition, topics::TopicSettings};
use ownership::{Ended, Office};
use std::{sync::mpsc as std_mpsc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long a revoke or a shutdown waits for the batch under way.
const LAST_BATCH: Duration = Duration::from_millis(1200);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Settings of a clerk.
#[derive(Debug, Clone)]
pub struct ClerkOptions {
    /// `lanes` is what a new installation is started with; the replication is that of dedicated topics.
    pub topics: TopicSettings,
    /// Most endpoints with a topic of their own.
    pub dedicated_limit: usize,
    /// Static membership: another takes over only after the session timeout.
    pub instance_id: Option<String>,
    pub session_timeout: Duration,
}

impl ClerkOptions {
    #[must_use]
    pub fn new(topics: TopicSettings) -> Self {
        Self {
            topics,
            dedicated_limit: 256,
            instance_id: None,
            session_timeout: Duration::from_secs(6),
        }
    }
}

/// A candidate for the office, and its holder when the group says so.
pub struct Clerk;

impl Clerk {
    /// Stands for the office until `shutdown`, then finishes its batch and leaves the group, so that another takes over
    /// at once. `ledger` must have been started with secrets.
    ///
    /// # Errors
    /// What nobody but an operator can mend: a different `kafka.lanes`, a damaged ledger, refused client settings.
    pub async fn run(
        connection: &Connection,
        ledger: &Ledger,
        options: ClerkOptions,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        ledger.check_lanes(options.topics.lanes)?;
        let names = connection.names();
        let mut membership = MembershipOptions::new(names.clerk_group(), vec![names.ledger_requests()]);
        membership.instance_id.clone_from(&options.instance_id);
        membership.session_timeout = options.session_timeout;
        let requests = TopicPartition::new(names.ledger_requests(), 0);
        let (membership, mut events) = Membership::join(connection, &membership)?;
        let office = Office {
            connection,
            ledger,
            options: &options,
            membership: &membership,
            requests,
        };
        let result = stand(&office, &mut events, &shutdown).await;
        drop(office);
        leave(membership, events).await;
        result
    }
}

/// Waits to be chosen, holds the office while it is, until the shutdown.
async fn stand(
    office: &Office<'_>,
    events: &mut mpsc::Receiver<Ownership>,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            event = events.recv() => match event {
                Some(Ownership::Assigned(_)) => hold(office, events, shutdown).await?,
                Some(Ownership::Revoked(_, answer)) => release(&answer),
                Some(Ownership::Lost(_)) => {}
                None => return Err(Error::Stopped),
            },
        }
    }
}

/// Holds the office until it is taken away or the shutdown. Errors that may pass are met by taking it over afresh.
async fn hold(
    office: &Office<'_>,
    events: &mut mpsc::Receiver<Ownership>,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    let mut pause = FIRST_PAUSE;
    loop {
        let stop = CancellationToken::new();
        let mut holding = std::pin::pin!(office.hold(&stop));
        let ended = loop {
            tokio::select! {
                ended = &mut holding => break ended,
                () = shutdown.cancelled() => {
                    stop.cancel();
                    return conclude(holding).await;
                }
                event = events.recv() => match event {
                    Some(Ownership::Assigned(_)) => {}
                    Some(Ownership::Revoked(_, answer)) => {
                        stop.cancel();
                        let result = conclude(holding).await;
                        release(&answer);
                        return result;
                    }
                    // Somebody else's already; the open transaction, if any, is theirs to abort.
                    Some(Ownership::Lost(_)) => return Ok(()),
                    None => return Err(Error::Stopped),
                },
            }
        };
        match ended {
            Ended::Stopped => return Ok(()),
            Ended::Failed { error, .. } if needs_an_operator(&error) => return Err(error),
            Ended::Failed { error, worked } => {
                if worked {
                    pause = FIRST_PAUSE;
                }
                tracing::warn!(%error, "the clerk's batch failed; taking over afresh");
            }
        }
        // Another may own it by now: wait for that news as for the end of the pause.
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = shutdown.cancelled() => return Ok(()),
            event = events.recv() => match event {
                Some(Ownership::Assigned(_)) => {}
                Some(Ownership::Revoked(_, answer)) => {
                    release(&answer);
                    return Ok(());
                }
                Some(Ownership::Lost(_)) => return Ok(()),
                None => return Err(Error::Stopped),
            },
        }
    }
}

/// Lets the batch under way end.
async fn conclude(holding: impl Future<Output = Ended>) -> Result<(), Error> {
    match tokio::time::timeout(LAST_BATCH, holding).await {
        Ok(Ended::Failed { error, .. }) if needs_an_operator(&error) => Err(error),
        Ok(Ended::Failed { error, .. }) => {
            tracing::info!(%error, "the clerk's last batch is left to its successor");
            Ok(())
        }
        Ok(Ended::Stopped) | Err(_) => Ok(()),
    }
}

fn needs_an_operator(error: &Error) -> bool {
    use kafka_log::Error as Kafka;
    match error {
        Error::LanesDiffer { .. } | Error::Blocked { .. } | Error::Stopped | Error::Encode(_) => true,
        Error::Kafka(Kafka::Config(_) | Kafka::Denied(_)) => true,
        Error::Kafka(_) | Error::Behind { .. } => false,
    }
}

/// Offsets are committed in transactions alone, so there is nothing left to commit.
fn release(answer: &std_mpsc::SyncSender<Vec<kafka_log::Commit>>) {
    // The member gave up waiting: it releases by itself.
    let _ = answer.try_send(Vec::new());
}

async fn leave(membership: Membership, mut events: mpsc::Receiver<Ownership>) {
    let mut leaving = std::pin::pin!(membership.leave());
    loop {
        tokio::select! {
            () = &mut leaving => return,
            Some(event) = events.recv() => if let Ownership::Revoked(_, answer) = event {
                release(&answer);
            },
        }
    }
}
