//! What every role's process needs around its work: the signal to stop, logs, the admin listener, supervision of
//! tasks, the clock, and crash points for tests. It knows no topic and no role.

pub mod admin;
pub mod clock;
pub mod crash;
pub mod logging;
pub mod metrics;
pub mod oldest_waiting;
pub mod otlp;
pub mod panics;
pub mod readiness;
pub mod shutdown;
pub mod supervise;
pub mod trace;

pub use crash::crash_point;
pub use tokio_util::sync::CancellationToken;
