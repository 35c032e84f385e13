//! Judging wanted settings and applying them.

use crate::{Problem, RateLimit, Settings, Status, headers, url};
use egress::Policy;
use event_model::{Catalogs, filter};
use ledger::{Entity, Keyring};
use schemas::{Endpoint, Limit, Tenant};
use signing::Scheme;

/// What managing endpoints needs.
const MANAGING: &str = "webhooks";

/// What a change is judged by.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    pub policy: &'a Policy,
    pub catalogs: &'a Catalogs,
    pub tenant: &'a Tenant,
    /// `delivery.header_prefix`, for tenants that have none of their own.
    pub default_header_prefix: &'a str,
    /// Seals headers and signing keys.
    pub keyring: &'a Keyring,
    pub now_ms: i64,
}

impl Judge<'_> {
    /// Does what the settings say, or says everything that is wrong with them. The endpoint's own scopes
    /// (`required_scopes`) are what filters are judged by, since they are what its events are matched by. The endpoint must
    /// have its signing secret already. What the clerk alone can see (quotas, versions) is not judged here.
    ///
    /// # Errors
    /// What is wrong; the endpoint is then left half changed.
    pub fn apply(&self, wanted: &Settings, endpoint: &mut Endpoint) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        self.apply_what_matches(wanted, endpoint, &mut problems);
        apply_how_it_is_sent(wanted, endpoint);
        if let Some(placement) = &wanted.placement {
            endpoint.placement.clone_from(placement);
        }
        if let Some(status) = wanted.status {
            set_status(endpoint, status, self.now_ms);
        }
        if let Some(scheme) = &wanted.signature_scheme {
            endpoint.signature_scheme.clone_from(scheme);
            if scheme.parse().is_ok_and(Scheme::has_v1a) {
                ledger::make_signing_key(endpoint, self.keyring);
            }
        }
        if let Some(wanted) = &wanted.headers {
            let own = self.tenant.header_prefix.as_deref();
            let prefix = own.unwrap_or(self.default_header_prefix);
            if let Err(found) = headers::replace(endpoint, wanted, prefix, self.keyring) {
                problems.extend(found);
            }
        }
        if problems.is_empty() {
            // Cheap to make: the ledger judges entities, and an endpoint is judged as what would be written.
            if let Err(unfit) = ledger::check(&Entity::from(endpoint.clone())) {
                problems.push(Problem::new(unfit.field, unfit.message));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn apply_what_matches(&self, wanted: &Settings, endpoint: &mut Endpoint, problems: &mut Vec<Problem>) {
        if let Some(wanted) = &wanted.url {
            problems.extend(url::check(wanted, self.policy).err());
            endpoint.url.clone_from(wanted);
        }
        if let Some(filters) = &wanted.event_type_filters {
            problems.extend(self.check_filters(filters, &endpoint.required_scopes));
            endpoint.event_type_filters.clone_from(filters);
        }
        if let Some(scopes) = &wanted.resource_scopes {
            endpoint.resource_scopes.clone_from(scopes);
        }
    }

    fn check_filters(&self, filters: &[String], scopes: &[String]) -> Vec<Problem> {
        let Err(refused) = filter::validate(filters, self.catalogs, &self.tenant.catalogs, scopes) else {
            return Vec::new();
        };
        let problem = |(index, error): &filter::FilterRefusal| {
            let path = index.map_or_else(String::new, |index| format!("[{index}]"));
            Problem {
                is_permission: error.is_permission(),
                ..Problem::new(format!("eventTypeFilters{path}"), error.to_string())
            }
        };
        refused.iter().map(problem).collect()
    }
}

fn apply_how_it_is_sent(wanted: &Settings, endpoint: &mut Endpoint) {
    let set = |field: &mut String, value: &Option<String>| {
        if let Some(value) = value {
            field.clone_from(value);
        }
    };
    set(&mut endpoint.ordering, &wanted.ordering);
    set(&mut endpoint.on_exhausted, &wanted.on_exhausted);
    set(&mut endpoint.envelope, &wanted.envelope);
    set(&mut endpoint.dialect, &wanted.dialect);
    if let Some(limit) = wanted.rate_limit {
        endpoint.rate_limit = limit.map(with_burst);
    }
    if let Some(most) = wanted.max_in_flight {
        endpoint.max_in_flight = most;
    }
    if let Some(sec) = wanted.timeout_sec {
        endpoint.timeout_sec = sec;
    }
    if let Some(delays_sec) = &wanted.retry_schedule_sec {
        endpoint.retry_schedule_sec.clone_from(delays_sec);
    }
    if let Some(disables) = wanted.disable_on_gone {
        endpoint.disable_on_gone = disables;
    }
    if let Some(description) = &wanted.description {
        endpoint.description.clone_from(description);
    }
    if let Some(metadata) = &wanted.metadata {
        endpoint.metadata.clone_from(metadata);
    }
}

fn with_burst(limit: RateLimit) -> Limit {
    #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest i32")]
    let burst = limit.burst.unwrap_or(limit.per_second.ceil().max(1.0) as i32);
    Limit {
        per_second: limit.per_second,
        burst,
    }
}

/// By a person's hand: no reason is kept, and what the circuit or a 410 did is forgotten.
fn set_status(endpoint: &mut Endpoint, status: Status, now_ms: i64) {
    if endpoint.status != status.as_str() {
        endpoint.disabled_reason = None;
        endpoint.disabled_at_ms = (status == Status::Disabled).then_some(now_ms);
        endpoint.consecutive_failures = None;
        endpoint.last_failure_at_ms = None;
        status.as_str().clone_into(&mut endpoint.status);
    }
}

/// Every scope that a type of these catalogs needs, in order.
#[must_use]
pub fn scopes_of(catalogs: &Catalogs, tenant_catalogs: &[String]) -> Vec<String> {
    let mut scopes: Vec<_> = catalogs
        .list(tenant_catalogs)
        .iter()
        .filter_map(|info| info.required_scope.clone())
        .collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

/// Of these scopes, the ones that no type of any catalog needs, and every scope there is: misspelt, a scope would cover
/// nothing without a word. `webhooks`, which managing endpoints needs, is always one.
#[must_use]
pub fn rejected_scopes<'s>(catalogs: &Catalogs, scopes: &'s [String]) -> (Vec<&'s String>, Vec<String>) {
    let every: Vec<_> = schemas::catalogs::all()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let mut known = scopes_of(catalogs, &every);
    if !known.iter().any(|scope| scope == MANAGING) {
        known.push(MANAGING.to_owned());
    }
    let rejected = scopes.iter().filter(|scope| !known.contains(scope)).collect();
    (rejected, known)
}

#[cfg(test)]
mod tests;
