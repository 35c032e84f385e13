//! Tenants, keys and endpoints made over Kafka in this process: faster than the command line, for tests that want many.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kafka_log::Connection;
use ledger::{Entity, Keyring, Ledger, WriteError, Writer, entities};
use runtime::clock::now_ms;
use schemas::{Endpoint, Tenant};
use signing::SigningSecret;

use crate::{ALL_SCOPES, Installation, until};

/// Tries while something else changes the same endpoint.
const TRIES: usize = 10;
/// How long a new installation's ledger may take to answer.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// The ledger's writer and view. Cheap to clone.
#[derive(Clone)]
pub struct Direct {
    ledger: Ledger,
    writer: Writer,
    keyring: Keyring,
}

/// An endpoint, with what its receiver must know.
#[derive(Debug, Clone)]
pub struct MadeEndpoint {
    pub id: String,
    /// `whsec_…`
    pub secret: String,
    /// `whpk_…`, of an endpoint whose scheme has `v1a`.
    pub public_key: Option<String>,
}

impl Direct {
    pub(crate) async fn start(installation: &Installation) -> anyhow::Result<Self> {
        let connection: Connection = installation.connection();
        let mut read = None;
        // Brokers name a new topic's leader before it knows that it is.
        until("the ledger is read", READ_WITHIN, async || {
            read = Some(Ledger::start(&connection).await.map_err(|error| error.to_string())?);
            Ok(())
        })
        .await?;
        let ledger = read.context("it was read")?;
        let writer = Writer::start(&connection, &ledger)
            .await
            .context("cannot ask for changes")?;
        Ok(Self {
            ledger,
            writer,
            keyring: installation.keyring(),
        })
    }

    /// The ledger as this process sees it.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Asks for changes of any kind.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// A tenant with these catalogs; `customize` may change it before it is written. Its id.
    pub async fn tenant(
        &self,
        name: &str,
        catalogs: &[&str],
        customize: impl FnOnce(&mut Tenant),
    ) -> anyhow::Result<String> {
        let catalogs = catalogs.iter().map(|catalog| (*catalog).to_owned()).collect();
        let mut tenant = entities::new_tenant(name, catalogs, now_ms());
        customize(&mut tenant);
        self.writer.put(Entity::from(tenant.clone()), Some(0)).await?;
        Ok(tenant.id)
    }

    /// An API key; the key itself.
    pub async fn key(&self, tenant: &str, scopes: &[&str]) -> anyhow::Result<String> {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let (key, plain) = entities::new_api_key(tenant, scopes, None, now_ms());
        self.writer.put(Entity::from(key), Some(0)).await?;
        Ok(plain)
    }

    /// An endpoint with a new secret and every scope; `customize` may change it before it is written.
    pub async fn endpoint(
        &self,
        tenant: &str,
        url: &str,
        filters: &[&str],
        customize: impl FnOnce(&mut Endpoint),
    ) -> anyhow::Result<MadeEndpoint> {
        let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
        let mut endpoint = entities::new_endpoint(tenant, url, filters, now_ms());
        endpoint.required_scopes = ALL_SCOPES.map(str::to_owned).to_vec();
        let secret = SigningSecret::generate().expose();
        ledger::seal_signing_secret(&mut endpoint, &self.keyring, &secret);
        customize(&mut endpoint);
        if endpoint.signature_scheme != "v1" {
            ledger::make_signing_key(&mut endpoint, &self.keyring);
        }
        self.writer.put(Entity::from(endpoint.clone()), Some(0)).await?;
        Ok(MadeEndpoint {
            id: endpoint.id,
            secret,
            public_key: endpoint.public_key,
        })
    }

    /// Changes an endpoint as it is now, again when something else was faster.
    pub async fn change(&self, id: &str, change: impl Fn(&mut Endpoint)) -> anyhow::Result<()> {
        self.try_change(id, |endpoint| {
            let mut endpoint = endpoint.clone();
            change(&mut endpoint);
            Ok(Some(endpoint))
        })
        .await
    }

    /// Gives an endpoint a new secret; until `previous_expires_at_ms` the old one signs too, and older ones until their own
    /// expiry. The new secret.
    pub async fn rotate(&self, id: &str, previous_expires_at_ms: Option<i64>) -> anyhow::Result<String> {
        let secret = SigningSecret::generate().expose();
        self.rotate_to(id, &secret, previous_expires_at_ms).await?;
        Ok(secret)
    }

    /// The same with a secret that the receiver may know already. Once it is the endpoint's nothing changes: it can be asked
    /// for again.
    pub async fn rotate_to(&self, id: &str, secret: &str, previous_expires_at_ms: Option<i64>) -> anyhow::Result<()> {
        self.try_change(id, |endpoint| {
            let secrets = ledger::open_signing_secrets(endpoint, &self.keyring, now_ms())?;
            if secrets.first().is_some_and(|current| current == secret) {
                return Ok(None);
            }
            let rotated = ledger::rotate_secret(endpoint, &self.keyring, secret, previous_expires_at_ms, now_ms())?;
            Ok(Some(rotated))
        })
        .await
    }

    /// A secret for [`Direct::rotate_to`].
    pub fn new_secret() -> String {
        SigningSecret::generate().expose()
    }

    /// Deletes an endpoint: its marker stays.
    pub async fn delete(&self, id: &str) -> anyhow::Result<()> {
        self.try_change(id, |endpoint| Ok(Some(entities::deleted_marker(endpoint, now_ms()))))
            .await
    }

    async fn try_change(
        &self,
        id: &str,
        change: impl Fn(&Endpoint) -> anyhow::Result<Option<Endpoint>>,
    ) -> anyhow::Result<()> {
        let mut view = self.ledger.view();
        for _ in 0..TRIES {
            let known = view
                .endpoint(id)
                .with_context(|| format!("there is no endpoint {id}"))?;
            let Some(mut changed) = change(known)? else {
                return Ok(());
            };
            changed.updated_at_ms = now_ms();
            match self
                .writer
                .put(Entity::Endpoint(Arc::new(changed)), Some(known.version))
                .await
            {
                Ok(_) => return Ok(()),
                Err(WriteError::Conflict { .. }) => view = self.ledger.barrier().await?,
                Err(error) => return Err(error.into()),
            }
        }
        anyhow::bail!("endpoint {id} is being changed by something else all the time")
    }
}
