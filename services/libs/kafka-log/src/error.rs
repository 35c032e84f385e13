//! What can go wrong with Kafka, told apart by what the caller has to do about it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Errors of this crate.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("kafka client setting refused: {0}; correct kafka.properties")]
    Config(String),
    #[error("kafka did not answer in time: {0}; check kafka.brokers and the network")]
    Unreachable(String),
    #[error("topic {0} does not exist; run `hookline topics apply`")]
    UnknownTopic(String),
    #[error("another process has taken over: {0}")]
    Fenced(String),
    #[error("no longer a member of the group: {0}")]
    NotAMember(String),
    /// By this client, or by the brokers: then nobody counts the bytes.
    #[error("a record{} is too large: {topic}", bytes.map_or_else(String::new, |bytes| format!(" of {bytes} bytes")))]
    TooLarge { topic: String, bytes: Option<usize> },
    #[error("the transaction was aborted: {0}")]
    Aborted(String),
    #[error("not allowed by the brokers' ACLs: {0}")]
    Denied(String),
    #[error("the client has been stopped")]
    Stopped,
    #[error("kafka: {0}")]
    Other(String),
}

impl Error {
    /// True when the same call may succeed later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Unreachable(_) | Error::Aborted(_))
    }

    /// True when it may pass, for whoever has seen the topics before: a broker that has only just come back knows none for
    /// a while.
    pub fn may_pass(&self) -> bool {
        self.is_retryable() || matches!(self, Error::UnknownTopic(_))
    }

    /// True when this client is finished: somebody else owns what it owned.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Error::Fenced(_) | Error::NotAMember(_))
    }

    pub(crate) fn from_code(code: Code, what: &str) -> Self {
        match code {
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
                Error::UnknownTopic(what.into())
            }
            Code::UnknownMemberId | Code::IllegalGeneration | Code::FencedInstanceId | Code::StaleMemberEpoch => {
                Error::NotAMember(format!("{what}: {code}"))
            }
            Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => Error::TooLarge {
                topic: what.into(),
                bytes: None,
            },
            Code::ProducerFenced | Code::Fenced | Code::InvalidProducerEpoch => {
                Error::Fenced(format!("{what}: {code}"))
            }
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed => Error::Denied(format!("{what}: {code}")),
            passing if passes(passing) => Error::Unreachable(format!("{what}: {passing}")),
            other => Error::Other(format!("{what}: {other}")),
        }
    }

    pub(crate) fn from_kafka(error: &KafkaError, what: &str) -> Self {
        if let KafkaError::ClientConfig(_, desc, key, _) = error {
            return Error::Config(format!("{key}: {desc}"));
        }
        if let KafkaError::ClientCreation(reason) = error {
            return Error::Config(reason.clone());
        }
        // What an admin operation failed with has a code, too, which `rdkafka_error_code` leaves out.
        let code = match error {
            KafkaError::AdminOp(code) => Some(*code),
            other => other.rdkafka_error_code(),
        };
        match code {
            Some(code) => Self::from_code(code, what),
            None => Error::Other(format!("{what}: {error}")),
        }
    }
}

/// What ends by itself: a broker is away or new in its office, a name doesn't resolve for a moment, or this client gave up
/// because of such a thing. The brokers' codes are those that Kafka's own Java client calls retriable.
fn passes(code: Code) -> bool {
    let by_brokers = matches!(
        code,
        Code::RequestTimedOut
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::LeaderNotAvailable
            | Code::PreferredLeaderNotAvailable
            | Code::EligibleLeadersNotAvailable
            | Code::NotLeaderForPartition
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::ListenerNotFound
            | Code::NotController
            | Code::NetworkException
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
            | Code::RebalanceInProgress
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::KafkaStorageError
            | Code::OffsetNotAvailable
            | Code::UnstableOffsetCommit
            | Code::ConcurrentTransactions
            | Code::ThrottlingQuotaExceeded
            | Code::FetchSessionIdNotFound
            | Code::InvalidFetchSessionEpoch
    );
    let by_client = matches!(
        code,
        Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::BrokerDestroy
            | Code::DestroyBroker
            | Code::NodeUpdate
            | Code::Resolve
            | Code::WaitingForCoordinator
            | Code::WaitCache
            | Code::InProgress
            | Code::Interrupted
            | Code::Outdated
            | Code::Retry
            | Code::PurgeQueue
            | Code::PurgeInflight
            | Code::QueueFull
            // What a failed client had: the next one takes it.
            | Code::Fatal
    );
    by_brokers || by_client
}

#[cfg(test)]
mod tests {
    //! What brokers that go and come must not end a process with.
    use super::*;

    #[test]
    fn what_an_outage_brings_passes() {
        let asked = KafkaError::AdminOp(Code::BrokerTransportFailure);
        assert!(Error::from_kafka(&asked, "describe topics").is_retryable());
        for code in [
            Code::DestroyBroker,
            Code::BrokerDestroy,
            Code::TimedOutQueue,
            Code::NotLeaderForPartition,
            Code::KafkaStorageError,
            Code::Resolve,
        ] {
            assert!(Error::from_code(code, "events").is_retryable(), "{code:?}");
        }
        for code in [
            Code::InvalidConfig,
            Code::Authentication,
            Code::TopicAuthorizationFailed,
        ] {
            assert!(!Error::from_code(code, "events").may_pass(), "{code:?}");
        }
    }
}
