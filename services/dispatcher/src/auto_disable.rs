//! Asking the clerk to disable an endpoint that has failed for too long, or says that it is gone.

use crate::context::Context;
use delivery_core::health::Health;
use ledger::Entity;
use runtime::clock::now_ms;
use schemas::Endpoint;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Context {
    /// Sets `auto_disabled`, unless the endpoint is no longer as it was at this `version`: then whoever changed it has
    /// begun anew. Asks again until the clerk has answered or the shard is given up. A next owner asks the same by the
    /// same request id, so it is done once.
    pub(crate) async fn auto_disable(
        &self,
        endpoint_id: &str,
        version: i64,
        health: Health,
        reason: &'static str,
        given_up: &AtomicBool,
    ) {
        let request_id = format!("auto_disable/{endpoint_id}/{version}");
        while !given_up.load(Ordering::Relaxed) {
            let view = self.ledger.view();
            let found = view.endpoint(endpoint_id);
            let Some(endpoint) = found.filter(|e| e.version == version && e.status == "active") else {
                return;
            };
            let now = now_ms();
            let disabled = Endpoint {
                status: "auto_disabled".into(),
                disabled_reason: Some(reason.into()),
                disabled_at_ms: Some(now),
                consecutive_failures: Some(health.consecutive_failures),
                last_failure_at_ms: Some(health.last_failure_at_ms),
                updated_at_ms: now,
                ..Endpoint::clone(endpoint)
            };
            let asked = self
                .writer
                .put_with_request_id(&request_id, Entity::Endpoint(Arc::new(disabled)), Some(version))
                .await;
            match asked {
                Ok(_) => {
                    metrics::counter!("hookline_endpoints_disabled_total", "reason" => reason).increment(1);
                    tracing::warn!(
                        endpoint = endpoint_id,
                        tenant = endpoint.tenant,
                        reason,
                        failures = health.consecutive_failures,
                        "endpoint disabled automatically"
                    );
                    return;
                }
                Err(error) if error.is_retryable() => {
                    tracing::warn!(endpoint = endpoint_id, %error, "it could not be disabled yet; asking again");
                    tokio::time::sleep(ASK_AGAIN_AFTER).await;
                }
                Err(error) => {
                    tracing::info!(endpoint = endpoint_id, %error, "it was not disabled");
                    return;
                }
            }
        }
    }
}
