//! Making, finding and changing endpoints, for both APIs: whose they are, what a change is judged by, and that no change of
//! somebody else is lost. How an endpoint looks in an answer is theirs to say.

use crate::{
    answer::Answer,
    auth::{ForTenant, Scopes},
    error::ApiError,
    once::{Once, TRIES, Tried},
    precondition::IfMatch,
    state::Api,
};
use endpoint_settings::{Judge, Settings};
use ledger::{Entity, Versioned, View, entities};
use runtime::clock::now_ms;
use schemas::{Endpoint, Tenant};
use signing::SigningSecret;

/// A new endpoint as it is wanted.
pub(crate) struct New {
    pub settings: Settings,
    pub dialect: Dialect,
    /// One that receivers have already; else a new one is made.
    pub signing_secret: Option<SigningSecret>,
}

/// Which API it is made by, unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Standard,
    RetryAll,
}

impl Dialect {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::RetryAll => "retry_all",
        }
    }
}

/// The tenant's endpoint of this id, unless it was deleted.
pub(crate) fn find<'v>(view: &'v View, tenant: &Tenant, id: &str) -> Result<&'v Versioned<Endpoint>, ApiError> {
    view.endpoint(id)
        .filter(|endpoint| endpoint.tenant == tenant.id && !entities::is_deleted(endpoint))
        .ok_or_else(|| ApiError::not_found("endpoint"))
}

/// The tenant's endpoints, newest first, older than `before`.
pub(crate) fn list<'v>(
    view: &'v View,
    tenant: &Tenant,
    before: Option<&str>,
) -> impl Iterator<Item = &'v Versioned<Endpoint>> {
    view.newest_endpoints_of(&tenant.id, before)
}

impl Api {
    /// Does what the settings say, by the tenant's catalogs, the egress policy and the ledger's limits.
    pub(crate) fn apply(
        &self,
        view: &View,
        tenant: &Tenant,
        settings: &Settings,
        endpoint: &mut Endpoint,
    ) -> Result<(), ApiError> {
        let catalogs = self.catalogs(view);
        let judge = Judge {
            policy: &self.egress.policy,
            catalogs: &catalogs,
            tenant,
            default_header_prefix: &self.delivery.header_prefix,
            keyring: &self.keyring,
            now_ms: now_ms(),
        };
        Ok(judge.apply(settings, endpoint)?)
    }

    /// Makes an endpoint. `answer` shows it with its secret.
    pub(crate) async fn create_endpoint(
        &self,
        caller: &ForTenant,
        once: &Once,
        new: New,
        answer: impl FnOnce(&Endpoint, &str) -> Result<Answer, ApiError>,
    ) -> Result<Answer, ApiError> {
        let made = self.try_to_create(caller, once, new, answer).await;
        self.as_first_answered(once, made).await
    }

    async fn try_to_create(
        &self,
        caller: &ForTenant,
        once: &Once,
        new: New,
        answer: impl FnOnce(&Endpoint, &str) -> Result<Answer, ApiError>,
    ) -> Result<Answer, ApiError> {
        let mut endpoint = entities::new_endpoint(&caller.tenant.id, "", Vec::new(), now_ms());
        endpoint.required_scopes = self.scopes_to_make_with(caller);
        let mut settings = new.settings;
        let dialect = settings.dialect.get_or_insert_with(|| new.dialect.as_str().to_owned());
        let disables = dialect == Dialect::Standard.as_str();
        settings.disable_on_gone.get_or_insert(disables);
        let secret = new.signing_secret.unwrap_or_else(SigningSecret::generate).expose();
        ledger::seal_signing_secret(&mut endpoint, &self.keyring, &secret);
        self.apply(&caller.view, &caller.tenant, &settings, &mut endpoint)?;
        let answer = answer(&endpoint, &secret)?;
        match self.put(once, 0, Entity::from(endpoint), 0, answer).await? {
            Tried::Answered(answer) => Ok(answer),
            Tried::Conflict => Err(ApiError::conflict("an endpoint of this id exists already")),
        }
    }

    /// Changes the endpoint as it is now; when somebody else was faster, changes what they made of it, unless the caller
    /// has said which version it means. What `change` leaves as it is isn't written.
    pub(crate) async fn change_endpoint(
        &self,
        caller: &ForTenant,
        id: &str,
        if_match: &IfMatch,
        once: &Once,
        change: impl Fn(&View, &Endpoint) -> Result<Endpoint, ApiError>,
        answer: impl Fn(&Endpoint, i64) -> Result<Answer, ApiError>,
    ) -> Result<Answer, ApiError> {
        let changed = self.try_to_change(caller, id, if_match, once, change, answer).await;
        self.as_first_answered(once, changed).await
    }

    async fn try_to_change(
        &self,
        caller: &ForTenant,
        id: &str,
        if_match: &IfMatch,
        once: &Once,
        change: impl Fn(&View, &Endpoint) -> Result<Endpoint, ApiError>,
        answer: impl Fn(&Endpoint, i64) -> Result<Answer, ApiError>,
    ) -> Result<Answer, ApiError> {
        let mut view = caller.view.clone();
        for nth in 0..TRIES {
            let found = find(&view, &caller.tenant, id)?;
            caller.require_scopes_of(found)?;
            if_match.check(found.version)?;
            let mut changed = change(&view, found)?;
            // A keyed one is asked for all the same: its answer must be kept.
            if changed == *found.entity && !once.is_keyed() {
                return answer(found, found.version);
            }
            changed.updated_at_ms = now_ms();
            let answer = answer(&changed, found.version + 1)?;
            let tried = self.put(once, nth, Entity::from(changed), found.version, answer);
            match tried.await? {
                Tried::Answered(answer) => return Ok(answer),
                Tried::Conflict => view = self.fresh().await?,
            }
        }
        Err(ApiError::conflict(
            "the endpoint is being changed by others all the time; try again",
        ))
    }

    /// A key's own scopes; the operator's are all that the tenant's catalogs know.
    fn scopes_to_make_with(&self, caller: &ForTenant) -> Vec<String> {
        let mut scopes = match &caller.scopes {
            Scopes::Of(scopes) => scopes.clone(),
            Scopes::All => endpoint_settings::scopes_of(&self.catalogs(&caller.view), &caller.tenant.catalogs),
        };
        scopes.sort();
        scopes.dedup();
        scopes
    }
}
