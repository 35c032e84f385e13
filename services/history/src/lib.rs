//! Role `history`: keeps the delivery log as SQL rows (`history-store`) and runs what needs them, the recovery of endpoints.
//!
//! Partitions of the `log` topic are shared out among the processes of the role by Kafka's group protocol. How far each is
//! projected stands in the database, in the transactions that bring it there; the offsets in Kafka are for those who watch
//! the lag. Who owns partition 0 runs the jobs and takes out what is past its retention.
//!
//! Deliberately not here: SQL (`history-store`), and who may ask for what (`control-api`).

mod error;
mod intake;
mod options;
mod projector;
mod recovery;
mod retention;
mod service;

pub use error::Error;
pub use options::Options;
pub use service::Service;
