//! Kafka as a log: reading with explicit offsets, owning partitions, writing, transactions, topics.
//!
//! The only crate that uses rdkafka. It knows topics, partitions and bytes; what a record means is its callers'.
//!
//! Owning and reading are separate clients. A [`Membership`] is a member of a consumer group that only *owns*
//! partitions (they are assigned paused); a [`Reader`] reads partitions by manual assignment from explicit offsets.
//! So a rebalance never stalls what is being read, and one ownership can bring any number of topics with it. Every
//! commit goes through the membership, so the broker refuses that of an evicted member.

mod admin;
mod connection;
mod error;
mod group_offsets;
mod leader;
mod membership;
mod names;
mod positions;
mod producer;
mod reader;
mod record;
mod refusal;
pub mod topics;
mod transaction;
mod watermarks;
mod window;

pub use admin::Admin;
pub use connection::{Connection, redact};
pub use error::Error;
pub use group_offsets::GroupOffsets;
pub use membership::{Commit, Committed, GroupMetadata, Membership, MembershipOptions, Ownership};
pub use names::{Names, RETRY_TIERS_SEC};
pub use positions::Positions;
pub use producer::{Ack, Outgoing, Position, Producer};
pub use reader::{Item, ReadOptions, Reader, ReaderOptions, Start};
pub use record::{Record, TopicPartition};
pub use transaction::{Transaction, TransactionalProducer};
pub use watermarks::Watermarks;
pub use window::{Credit, WindowPool};
