//! Endpoints that Hookline disables by itself: whether it did, why, and whether it told their tenant.

use std::collections::HashMap;

use harness::{Hook, Seen};
use serde_json::Value;

use crate::cast::{self, TENANTS};
use crate::making;
use crate::stage::Stage;

const TYPE: &str = "webhook.endpoint.auto_disabled";
/// The ids of Hookline's own events of that type begin so; producers of this demo publish the type too.
const OWN_IDS: &str = "evt_auto_disabled_";

/// What Hookline itself has told: the endpoint that it disabled, by event.
pub fn notices(told: &Hook) -> HashMap<String, String> {
    let own = |seen: &Seen| seen.is_delivered() && seen.event_id.starts_with(OWN_IDS);
    let named = |seen: Seen| {
        let body: Value = serde_json::from_slice(&seen.body).ok()?;
        let endpoint = body["data"]["endpointId"].as_str()?.to_owned();
        (body["type"] == TYPE).then_some((seen.event_id, endpoint))
    };
    told.requests().into_iter().filter(own).filter_map(named).collect()
}

/// Asks the API for every endpoint's state, and compares who was told. What is wrong, in words.
pub async fn check(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let (mut wrong, mut listed) = (Vec::new(), Vec::new());
    for tenant in &TENANTS {
        listed.extend(making::list(stage.api(tenant.id)).await?);
    }
    let notices = notices(&stage.endpoint(cast::TOLD).hook);
    for endpoint in &stage.endpoints {
        let name = endpoint.plan.name;
        let Some(known) = listed.iter().find(|known| known["id"] == endpoint.id.as_str()) else {
            wrong.push(format!("{name} isn't listed"));
            continue;
        };
        let status = if endpoint.plan.disabled_as.is_some() {
            "auto_disabled"
        } else {
            "active"
        };
        if known["status"] != status || known["disabledReason"].as_str() != endpoint.plan.disabled_as {
            wrong.push(format!(
                "{name} is {} (reason {}), and should be {status}",
                known["status"], known["disabledReason"]
            ));
        }
        let told = notices.values().filter(|id| **id == endpoint.id).count();
        if told != usize::from(endpoint.plan.disabled_as.is_some()) {
            wrong.push(format!("its tenant was told {told} times that {name} was disabled"));
        }
    }
    Ok(wrong)
}
