//! The product as its users run it: processes of the real binary on a real Kafka, receivers that verify signatures,
//! SIGKILL and SIGTERM. Tests that prove an invariant of the design are called after it.

#[path = "acceptance/api_replicas.rs"]
mod api_replicas;
#[path = "acceptance/auto_disabling.rs"]
mod auto_disabling;
#[path = "acceptance/chaos_run.rs"]
mod chaos_run;
#[path = "acceptance/crash_points.rs"]
mod crash_points;
#[path = "acceptance/draining.rs"]
mod draining;
#[path = "acceptance/egress.rs"]
mod egress;
#[path = "acceptance/endpoint_states.rs"]
mod endpoint_states;
#[path = "acceptance/failures_shown.rs"]
mod failures_shown;
#[path = "acceptance/history.rs"]
mod history;
#[path = "acceptance/isolation.rs"]
mod isolation;
#[path = "acceptance/late_letters.rs"]
mod late_letters;
#[path = "acceptance/limits.rs"]
mod limits;
#[path = "acceptance/lost_records.rs"]
mod lost_records;
#[path = "acceptance/metrics.rs"]
mod metrics;
#[path = "acceptance/pausing.rs"]
mod pausing;
#[path = "acceptance/published_client.rs"]
mod published_client;
#[path = "acceptance/replaying.rs"]
mod replaying;
#[path = "acceptance/schemathesis.rs"]
mod schemathesis;
#[path = "acceptance/tracing.rs"]
mod tracing;
#[path = "acceptance/zombies.rs"]
mod zombies;
