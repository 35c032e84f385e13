//! Whom each event is for: every endpoint is looked at for every event, in the plainest words of the contract. It shares
//! nothing with the product's matching, which it is there to judge.

use std::collections::HashMap;

use crate::cast;
use crate::catalog::Catalog;
use crate::publishing::Event;
use crate::stage::Endpoint;

/// For each endpoint, in their order: the ids of its events, and the data that it must receive.
pub type Expected = Vec<HashMap<String, String>>;

pub fn expected(events: &[Event], endpoints: &[Endpoint]) -> Expected {
    let catalog = Catalog::read();
    let of_endpoint = |endpoint: &Endpoint| {
        let wanted = events.iter().filter(|event| is_for(event, &endpoint.plan, &catalog));
        wanted.map(|event| (event.id.clone(), event.data.clone())).collect()
    };
    endpoints.iter().map(of_endpoint).collect()
}

fn is_for(event: &Event, endpoint: &cast::Endpoint, catalog: &Catalog) -> bool {
    let Some(known) = catalog.find(&event.event_type) else {
        return false;
    };
    let filter_fits = endpoint.filters.iter().any(|filter| fits(filter, &event.event_type));
    let key_may = match (&known.scope, endpoint.scopes) {
        (None, _) | (_, None) => true,
        (Some(scope), Some(scopes)) => scopes.contains(&scope.as_str()),
    };
    let about_vault = known.resource.as_deref() == Some("vault");
    let in_scope = endpoint.vaults.is_empty()
        || (about_vault
            && event
                .vault
                .as_deref()
                .is_some_and(|vault| endpoint.vaults.contains(&vault)));
    endpoint.tenant == event.tenant && filter_fits && key_may && in_scope
}

fn fits(filter: &str, event_type: &str) -> bool {
    match filter.strip_suffix('*') {
        Some(prefix) => event_type.starts_with(prefix),
        None => filter == event_type,
    }
}
