//! The scheduler on a real Kafka: in time, exactly once whatever dies, and topics deleted only when nobody needs them.

mod crashes;
mod janitor;
mod lateness;
mod support;
mod timing;
mod waiting;
