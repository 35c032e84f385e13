//! Whether anything can be sent again to an endpoint.

use ledger::View;
use schemas::Endpoint;
use std::{fmt, sync::Arc};

/// Why nothing can be sent to an endpoint now.
#[derive(Debug, Clone)]
pub enum Obstacle {
    /// The tenant has none of this id.
    Unknown,
    Deleted,
    /// It is `disabled` or `auto_disabled`: what is sent would be dead at once.
    Off(Arc<Endpoint>),
}

impl fmt::Display for Obstacle {
    /// Goes on from "endpoint wh_…".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(f, "doesn't exist"),
            Self::Deleted => write!(f, "was deleted"),
            Self::Off(endpoint) => write!(f, "is {}; set its status to active, then replay", endpoint.status),
        }
    }
}

/// The tenant's endpoint of this id. A paused one can be sent to: it waits.
///
/// # Errors
/// When nothing can be sent to it.
pub fn receiver(view: &View, tenant: &str, endpoint_id: &str) -> Result<Arc<Endpoint>, Obstacle> {
    let endpoint = view
        .endpoint(endpoint_id)
        .filter(|endpoint| endpoint.tenant == tenant)
        .ok_or(Obstacle::Unknown)?;
    match endpoint.status.as_str() {
        "active" | "paused" => Ok(endpoint.entity.clone()),
        "deleted" => Err(Obstacle::Deleted),
        _ => Err(Obstacle::Off(endpoint.entity.clone())),
    }
}
