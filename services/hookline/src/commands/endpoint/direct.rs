//! `--direct`: the same over Kafka, for first steps and emergencies. It asks the clerk; nobody's scopes are in its way.

use super::change::{self, Rules, is_there, none_such};
use super::shown::{self, Shown};
use super::{Create, List, One, RotateSecret, Update, Which};
use crate::config::Config;
use crate::connect::{self, Direct};
use crate::failure::Usage;
use crate::output::{self, OutputFlag};
use anyhow::{Context as _, anyhow, bail};
use ledger::{Entity, RotateError};
use serde_json::json;
use signing::SigningSecret;

pub async fn create(create: Create, config: &Config) -> anyhow::Result<()> {
    let Some(tenant) = &create.tenant.tenant else {
        return Err(Usage::error("with --direct an endpoint needs --tenant"));
    };
    let wanted = create.fields.for_create()?;
    let secret = create.secret.brought()?.unwrap_or_else(new_secret);
    let keyring = connect::keyring(config)?;
    let direct = Direct::start(config).await?;
    let view = direct.ledger.view();
    let Some(tenant) = view.tenant(tenant) else {
        bail!("there is no tenant {tenant}; make it with `hookline tenant create --direct`");
    };
    let rules = Rules::new(config, &view, &keyring);
    let mut endpoint = ledger::entities::new_endpoint(&tenant.id, "", Vec::new(), runtime::clock::now_ms());
    if let Some(scopes) = &create.scopes {
        super::require_known_scopes(&view, scopes)?;
    }
    endpoint.required_scopes = create
        .scopes
        .unwrap_or_else(|| endpoint_settings::scopes_of(rules.catalogs(), &tenant.catalogs));
    ledger::seal_signing_secret(&mut endpoint, &keyring, &secret);
    rules.apply(&wanted, tenant, &mut endpoint)?;
    direct.writer.put(Entity::from(endpoint.clone()), Some(0)).await?;
    show_with_secret(&direct, &endpoint.id, &secret, "was made", create.output)
}

fn new_secret() -> String {
    SigningSecret::generate().expose()
}

pub async fn list(list: &List, config: &Config) -> anyhow::Result<()> {
    let view = Direct::start(config).await?.ledger.view();
    let tenant = list.tenant.tenant.as_deref();
    let wanted = view
        .endpoints()
        .filter(|endpoint| is_there(endpoint, tenant))
        .filter(|endpoint| list.status.as_ref().is_none_or(|status| endpoint.status == *status));
    let mut rows: Vec<_> = wanted.map(|endpoint| Shown::new(endpoint, endpoint.version)).collect();
    rows.reverse();
    output::list(list.output.output, &rows)
}

pub async fn get(one: &One, config: &Config) -> anyhow::Result<()> {
    let Which { id, tenant, .. } = &one.which;
    let view = Direct::start(config).await?.ledger.view();
    let endpoint = view
        .endpoint(id)
        .filter(|endpoint| is_there(endpoint, tenant.tenant.as_deref()));
    let endpoint = endpoint.with_context(|| none_such(id))?;
    let shown = Shown::new(endpoint, endpoint.version);
    output::one(one.output.output, &json!({ "endpoint": shown }), &shown::text(&shown))
}

pub async fn update(update: &Update, config: &Config) -> anyhow::Result<()> {
    let Which { id, tenant, .. } = &update.which;
    let wanted = update.fields.for_update(&update.unset)?;
    let keyring = connect::keyring(config)?;
    let direct = Direct::start(config).await?;
    let view = direct.ledger.view();
    let rules = Rules::new(config, &view, &keyring);
    let version = change::endpoint(&direct, tenant.tenant.as_deref(), id, |endpoint| {
        let tenant = view
            .tenant(&endpoint.tenant)
            .with_context(|| format!("its tenant {} is gone", endpoint.tenant))?;
        let mut endpoint = endpoint.clone();
        rules.apply(&wanted, tenant, &mut endpoint)?;
        endpoint.updated_at_ms = runtime::clock::now_ms();
        Ok(endpoint)
    })
    .await?;
    let view = direct.ledger.view();
    let endpoint = view.endpoint(id).with_context(|| none_such(id))?;
    let shown = Shown::new(endpoint, version.max(endpoint.version));
    output::one(
        update.output.output,
        &json!({ "endpoint": shown }),
        &shown::text(&shown),
    )
}

pub async fn delete(which: &Which, config: &Config) -> anyhow::Result<()> {
    let Which { id, tenant, .. } = which;
    let direct = Direct::start(config).await?;
    let now_ms = runtime::clock::now_ms();
    change::endpoint(&direct, tenant.tenant.as_deref(), id, |endpoint| {
        Ok(ledger::entities::deleted_marker(endpoint, now_ms))
    })
    .await?;
    output::line(shown::deleted(id))
}

pub async fn rotate_secret(rotate: &RotateSecret, config: &Config) -> anyhow::Result<()> {
    let Which { id, tenant, .. } = &rotate.which;
    let secret = rotate.secret.brought()?.unwrap_or_else(new_secret);
    let keyring = connect::keyring(config)?;
    let direct = Direct::start(config).await?;
    let now_ms = runtime::clock::now_ms();
    let expires_at_ms = Some(rotate.previous_secret_expires_in_sec)
        .filter(|sec| *sec > 0)
        .map(|sec| now_ms + sec * 1000);
    change::endpoint(&direct, tenant.tenant.as_deref(), id, |endpoint| {
        let rotated = ledger::rotate_secret(endpoint, &keyring, &secret, expires_at_ms, now_ms);
        let mut rotated = rotated.map_err(not_rotated)?;
        rotated.updated_at_ms = now_ms;
        Ok(rotated)
    })
    .await?;
    show_with_secret(&direct, id, &secret, "has a new signing secret", rotate.output)
}

fn not_rotated(error: RotateError) -> anyhow::Error {
    match error {
        RotateError::TooManyOld { .. } => anyhow!("{error} (--previous-secret-expires-in-sec 0)"),
        RotateError::Keyring(error) => error.into(),
    }
}

fn show_with_secret(direct: &Direct, id: &str, secret: &str, what: &str, output: OutputFlag) -> anyhow::Result<()> {
    let view = direct.ledger.view();
    let endpoint = view.endpoint(id).with_context(|| none_such(id))?;
    let shown = Shown::new(endpoint, endpoint.version);
    let value = json!({ "endpoint": shown, "signingSecret": secret });
    output::one(output.output, &value, &shown::with_secret(id, what, secret))
}
