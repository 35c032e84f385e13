//! Limits of an endpoint (the HTTP contract's), and what a later version brings: refused, never accepted and ignored.

use super::{Checked, Refusal, about, check_id, one_of, require};
use crate::{Keyring, entities::is_deleted, secrets::MAX_OLD_SECRETS};
use schemas::{Endpoint, ResourceScopes};
use signing::{PublicKey, Scheme};

const MAX_URL: usize = 2048;
const MAX_DESCRIPTION: usize = 1024;
const MAX_FILTERS: usize = 100;
const MAX_FILTER: usize = 128;
const MAX_SCOPED_IDS: usize = 1000;
const MAX_SCOPED_ID: usize = 256;
const MAX_HEADERS: usize = 20;
const MAX_HEADER_NAME: usize = 64;
/// 1,024 characters, sealed.
const MAX_SEALED_HEADER_BYTES: usize = 4 * 1024 + 64;
const MAX_METADATA: usize = 50;
const MAX_METADATA_NAME: usize = 40;
const MAX_METADATA_VALUE: usize = 500;
const MAX_RETRIES: usize = 20;
const MAX_RETRY_SEC: i64 = 172_800;
const MIN_RATE: f64 = 0.001;
const MAX_RATE: f64 = 100_000.0;
const MAX_BURST: i32 = 100_000;
/// A topic's name has at most 249 characters: prefix and number share the rest.
const MAX_ID: usize = 64;

pub(super) fn check(endpoint: &Endpoint) -> Checked {
    check_id(&endpoint.id)?;
    require(endpoint.id.starts_with("wh_") && endpoint.id.len() <= MAX_ID, || {
        format!("endpoint id {:?} must be `wh_` and a ULID", endpoint.id)
    })?;
    if is_deleted(endpoint) {
        return Ok(());
    }
    let statuses = ["active", "paused", "disabled", "auto_disabled"];
    about("status", one_of("status", &endpoint.status, &statuses))?;
    check_supported(endpoint)?;
    check_texts(endpoint)?;
    check_limits(endpoint)?;
    check_secrets(endpoint)
}

fn check_supported(endpoint: &Endpoint) -> Checked {
    let later = |field: &'static str, value: &str, known: &[&str], now: &[&str]| {
        let supported = || {
            one_of(field, value, known)?;
            require(now.contains(&value), || {
                format!("{field} {value:?} isn't supported yet; a later version brings it")
            })
        };
        about(field, supported())
    };
    let known = |field: &'static str, value: &str, known: &[&str]| about(field, one_of(field, value, known));
    later("ordering", &endpoint.ordering, &["none", "endpoint"], &["none"])?;
    later("onExhausted", &endpoint.on_exhausted, &["skip", "block"], &["skip"])?;
    let envelopes = ["standard", "event_payload", "cloudevents", "raw"];
    known("envelope", &endpoint.envelope, &envelopes)?;
    known("signatureScheme", &endpoint.signature_scheme, &["v1", "v1a", "both"])?;
    known("dialect", &endpoint.dialect, &["standard", "retry_all"])?;
    known("placement", &endpoint.placement, &["auto", "dedicated", "shared"])
}

fn check_texts(endpoint: &Endpoint) -> Checked {
    about("url", check_url(&endpoint.url))?;
    let description = endpoint.description.as_deref().unwrap_or_default();
    let fits = require(description.chars().count() <= MAX_DESCRIPTION, || {
        format!("description has more than {MAX_DESCRIPTION} characters")
    });
    about("description", fits)?;
    about("eventTypeFilters", check_filters(&endpoint.event_type_filters))?;
    if let Some(ResourceScopes { vault_ids, matter_ids }) = &endpoint.resource_scopes {
        about("resourceScopes.vaultIds", check_scoped_ids(vault_ids))?;
        about("resourceScopes.matterIds", check_scoped_ids(matter_ids))?;
    }
    let fits = |(name, value): (&String, &String)| {
        (1..=MAX_METADATA_NAME).contains(&name.chars().count()) && value.chars().count() <= MAX_METADATA_VALUE
    };
    let metadata = require(
        endpoint.metadata.len() <= MAX_METADATA && endpoint.metadata.iter().all(fits),
        || {
            format!(
                "metadata has at most {MAX_METADATA} entries of 1 to {MAX_METADATA_NAME} + {MAX_METADATA_VALUE} characters"
            )
        },
    );
    about("metadata", metadata)
}

fn check_url(url: &str) -> Checked {
    require(url.starts_with("https://") || url.starts_with("http://"), || {
        "url must begin with https:// (or http://, where egress.allow_http is set)".to_owned()
    })?;
    // A parser of URLs would leave some of them out without a word.
    require(!url.chars().any(|c| c.is_control() || c.is_whitespace()), || {
        "url must not hold spaces or control characters; write them as %20 and so on".to_owned()
    })?;
    require(url.chars().count() <= MAX_URL, || {
        format!("url has more than {MAX_URL} characters")
    })
}

fn check_filters(filters: &[String]) -> Checked {
    require((1..=MAX_FILTERS).contains(&filters.len()), || {
        format!("an endpoint has 1 to {MAX_FILTERS} filters")
    })?;
    require(
        filters.iter().all(|f| (1..=MAX_FILTER).contains(&f.chars().count())),
        || format!("a filter has 1 to {MAX_FILTER} characters"),
    )
}

fn check_scoped_ids(ids: &[String]) -> Checked {
    let fits = |id: &String| (1..=MAX_SCOPED_ID).contains(&id.chars().count());
    require(ids.len() <= MAX_SCOPED_IDS && ids.iter().all(fits), || {
        format!("a resource scope has at most {MAX_SCOPED_IDS} ids of 1 to {MAX_SCOPED_ID} characters")
    })
}

fn check_limits(endpoint: &Endpoint) -> Checked {
    if let Some(limit) = endpoint.rate_limit {
        let sound = (MIN_RATE..=MAX_RATE).contains(&limit.per_second) && (1..=MAX_BURST).contains(&limit.burst);
        let limits = require(sound, || {
            format!("rateLimit needs perSecond of {MIN_RATE} to {MAX_RATE} and burst of 1 to {MAX_BURST}")
        });
        about("rateLimit", limits)?;
    }
    let in_flight = require(endpoint.max_in_flight.is_none_or(|n| (1..=1000).contains(&n)), || {
        "maxInFlight must be 1 to 1000".to_owned()
    });
    about("maxInFlight", in_flight)?;
    let timeout = require(endpoint.timeout_sec.is_none_or(|n| (1..=60).contains(&n)), || {
        "timeoutSec must be 1 to 60".to_owned()
    });
    about("timeoutSec", timeout)?;
    let sound = |schedule: &Vec<i64>| {
        schedule.len() <= MAX_RETRIES && schedule.iter().all(|sec| (0..=MAX_RETRY_SEC).contains(sec))
    };
    let schedule = require(endpoint.retry_schedule_sec.as_ref().is_none_or(sound), || {
        format!("retrySchedule has at most {MAX_RETRIES} delays of 0 to {MAX_RETRY_SEC} seconds")
    });
    about("retrySchedule", schedule)
}

/// A scheme with `v1a` has a key pair, and a key pair its public half, in clear so that it can be shown.
fn check_signing_key(endpoint: &Endpoint) -> Checked {
    let has_v1a = endpoint.signature_scheme.parse().is_ok_and(Scheme::has_v1a);
    require(!has_v1a || endpoint.signing_key.is_some(), || {
        format!(
            "signatureScheme {:?} needs a signing key beside the secret",
            endpoint.signature_scheme
        )
    })?;
    let public = endpoint.public_key.as_deref();
    require(
        public.is_some() == endpoint.signing_key.is_some() && public.is_none_or(|key| PublicKey::parse(key).is_ok()),
        || "a signing key needs its public key, `whpk_` and base64".to_owned(),
    )?;
    require(
        endpoint.previous_signing_key.is_none() || endpoint.previous_signing_secret.is_some(),
        || "a previous signing key expires with a previous secret, and there is none".to_owned(),
    )
}

/// Nothing in clear may be written (invariant 5).
fn check_secrets(endpoint: &Endpoint) -> Checked {
    let previous = endpoint.previous_signing_secret.as_deref();
    let keys = [&endpoint.signing_key, &endpoint.previous_signing_key];
    let keys = keys.into_iter().filter_map(Option::as_deref);
    let former = endpoint.former_secrets.iter();
    let former = former.flat_map(|former| std::iter::once(former.secret.as_slice()).chain(former.key.as_deref()));
    let secrets = std::iter::once(endpoint.signing_secret.as_slice())
        .chain(previous)
        .chain(keys)
        .chain(former);
    for sealed in secrets.chain(endpoint.headers.values().map(|v| v.as_slice())) {
        require(Keyring::looks_sealed(sealed), || {
            "secrets and header values must be encrypted".to_owned()
        })?;
    }
    require(
        previous.is_some() == endpoint.previous_signing_secret_expires_at_ms.is_some(),
        || "a previous secret needs a time at which it expires".to_owned(),
    )?;
    require(endpoint.former_secrets.len() < MAX_OLD_SECRETS, || {
        format!("an endpoint has at most {MAX_OLD_SECRETS} old secrets, the previous one included")
    })?;
    check_signing_key(endpoint)?;
    about("headers", check_headers(endpoint))
}

fn check_headers(endpoint: &Endpoint) -> Checked {
    if endpoint.headers.len() > MAX_HEADERS {
        return Err(Refusal::invalid(format!(
            "an endpoint has at most {MAX_HEADERS} headers"
        )));
    }
    for (name, value) in &endpoint.headers {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        require(
            (1..=MAX_HEADER_NAME).contains(&name.len()) && name.chars().all(token),
            || format!("header name {name:?} must be an HTTP token of at most {MAX_HEADER_NAME} characters"),
        )?;
        require(value.len() <= MAX_SEALED_HEADER_BYTES, || {
            format!("the value of header {name} is too long")
        })?;
    }
    Ok(())
}
