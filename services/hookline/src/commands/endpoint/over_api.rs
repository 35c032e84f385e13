//! The same over the HTTP API, which decides what is taken.

use super::shown;
use super::{Create, List, One, RotateSecret, Test, Update, Which};
use crate::api::{self, As};
use crate::config::Config;
use crate::failure::Usage;
use crate::output::{self, Row};
use anyhow::{Context as _, bail};
use api_client::{Client, Endpoint, EndpointFields, RateLimit, ResourceScopes, Rotation, TestRequest, TestResult};
use endpoint_settings::{Settings, Status};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Read;

fn client(config: &Config, tenant: &super::TenantFlag) -> anyhow::Result<Client> {
    api::client(config, As::Tenant(tenant.tenant.as_deref()))
}

pub async fn create(create: Create, config: &Config) -> anyhow::Result<()> {
    if create.fields.status.is_some() {
        return Err(Usage::error(
            "--status: over the API an endpoint is active when it is made; change it with `hookline endpoint update`",
        ));
    }
    let mut body = body(create.fields.for_create()?);
    body.signing_secret = create.secret.brought()?;
    let made = client(config, &create.tenant)?.create_endpoint(&body).await?;
    let text = shown::with_secret(&made.endpoint.id, "was made", &made.signing_secret);
    output::one(create.output.output, &made, &text)
}

pub async fn list(list: &List, config: &Config) -> anyhow::Result<()> {
    let rows = client(config, &list.tenant)?.endpoints(list.status.as_deref()).await?;
    output::list(list.output.output, &rows)
}

pub async fn get(one: &One, config: &Config) -> anyhow::Result<()> {
    let endpoint = client(config, &one.which.tenant)?.endpoint(&one.which.id).await?;
    output::one(
        one.output.output,
        &json!({ "endpoint": endpoint }),
        &shown::text(&endpoint),
    )
}

pub async fn update(update: &Update, config: &Config) -> anyhow::Result<()> {
    let body = body(update.fields.for_update(&update.unset)?);
    let Which { id, tenant, .. } = &update.which;
    let endpoint = client(config, tenant)?.update_endpoint(id, &body).await?;
    output::one(
        update.output.output,
        &json!({ "endpoint": endpoint }),
        &shown::text(&endpoint),
    )
}

pub async fn delete(which: &Which, config: &Config) -> anyhow::Result<()> {
    client(config, &which.tenant)?.delete_endpoint(&which.id).await?;
    output::line(shown::deleted(&which.id))
}

pub async fn rotate_secret(rotate: &RotateSecret, config: &Config) -> anyhow::Result<()> {
    let Which { id, tenant, .. } = &rotate.which;
    let rotation = Rotation {
        previous_secret_expires_in_sec: Some(rotate.previous_secret_expires_in_sec),
        signing_secret: rotate.secret.brought()?,
    };
    let rotated = client(config, tenant)?.rotate_secret(id, &rotation).await?;
    let text = shown::with_secret(id, "has a new signing secret", &rotated.signing_secret);
    output::one(rotate.output.output, &rotated, &text)
}

pub async fn test(test: &Test, config: &Config) -> anyhow::Result<()> {
    let request = TestRequest {
        event_type: test.event_type.clone(),
        payload: payload(test)?,
    };
    let result = client(config, &test.tenant)?.test_endpoint(&test.id, &request).await?;
    output::one(test.output.output, &result, &told(&result))?;
    if !result.ok {
        bail!("the endpoint did not take the test event; once it is mended, test it again");
    }
    Ok(())
}

fn payload(test: &Test) -> anyhow::Result<Option<Value>> {
    let (flag, text) = match (&test.payload, &test.payload_file) {
        (Some(text), _) => ("--payload", text.clone()),
        (None, None) => return Ok(None),
        (None, Some(path)) if path.as_os_str() == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            ("--payload-file", text)
        }
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path);
            (
                "--payload-file",
                text.with_context(|| format!("can't read {}", path.display()))?,
            )
        }
    };
    let parsed = serde_json::from_str(&text);
    parsed
        .map(Some)
        .map_err(|error| Usage::error(format!("{flag}: that is no JSON: {error}")))
}

/// For people.
fn told(result: &TestResult) -> String {
    let mut text = String::new();
    let verdict = if result.ok { "accepted" } else { "not accepted" };
    let status = result
        .status_code
        .map_or_else(|| "no answer".to_owned(), |status| format!("status {status}"));
    let mut line = |text_line: String| writeln!(text, "{text_line}").expect("a String takes everything");
    line(format!("{verdict}: {status} after {} ms", result.duration_ms));
    if let Some(error) = &result.error {
        line(error.clone());
    }
    if !result.response_body.is_empty() {
        line(format!("\n{}", result.response_body));
    }
    text
}

/// The settings as the API takes them.
fn body(settings: Settings) -> EndpointFields {
    EndpointFields {
        url: settings.url,
        event_type_filters: settings.event_type_filters,
        description: settings.description,
        resource_scopes: settings.resource_scopes.map(|scopes| {
            scopes.map(|scopes| ResourceScopes {
                vault_ids: scopes.vault_ids,
                matter_ids: scopes.matter_ids,
            })
        }),
        status: settings.status.map(Status::as_str).map(str::to_owned),
        headers: settings.headers,
        rate_limit: settings.rate_limit.map(|limit| {
            limit.map(|limit| RateLimit {
                per_second: limit.per_second,
                burst: limit.burst,
            })
        }),
        max_in_flight: settings.max_in_flight,
        timeout_sec: settings.timeout_sec,
        retry_schedule: settings.retry_schedule_sec,
        placement: settings.placement,
        envelope: settings.envelope,
        dialect: settings.dialect,
        disable_on_gone: settings.disable_on_gone,
        signature_scheme: settings.signature_scheme,
        metadata: settings.metadata,
        signing_secret: None,
    }
}

impl Row for Endpoint {
    const HEADERS: &'static [&'static str] = &["ID", "STATUS", "PLACEMENT", "FILTERS", "URL"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.status.clone(),
            self.placement.clone(),
            self.event_type_filters.join(","),
            self.url.clone(),
        ]
    }
}
