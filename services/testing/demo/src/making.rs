//! Tenants, keys and endpoints, made over the HTTP API as their owners make them: the operator's key for tenants and keys,
//! each tenant's own for its endpoints. And the test sends that an owner makes first.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt};
use harness::{ALL_SCOPES, Receiver, Trap};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::api::{Answer, Api, text};
use crate::cast::{self, ENDPOINTS, MadeBy, TENANTS};
use crate::stage::Endpoint;

/// Requests at the same time.
const AT_ONCE: usize = 4;
const TENANTS_ROUTE: &str = "/admin/v1/tenants";
const NATIVE: &str = "/webhooks/v1/endpoints";
const TENANT_API: &str = "/v2.3/webhooks/endpoints";

/// By tenant: the API with a key of that tenant, which has every scope.
pub type Apis = HashMap<&'static str, Api>;

pub async fn make_tenants(operator: &Api) -> anyhow::Result<Apis> {
    let make = |tenant: &'static cast::Tenant| async move {
        let wanted = json!({
            "id": tenant.id, "name": tenant.name, "catalogs": tenant.catalogs, "headerPrefix": tenant.header_prefix,
        });
        operator.post(TENANTS_ROUTE, &wanted).await?;
        anyhow::Ok((tenant.id, make_key(operator, tenant.id, &ALL_SCOPES).await?))
    };
    futures::stream::iter(&TENANTS)
        .map(make)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn make_key(operator: &Api, tenant: &str, scopes: &[&str]) -> anyhow::Result<Api> {
    let route = format!("{TENANTS_ROUTE}/{tenant}/keys");
    let made = operator.post(&route, &json!({ "scopes": scopes })).await?;
    Ok(operator.with_key(&text(&made.body, "/key")?))
}

/// What endpoints are made with.
pub struct Maker<'a> {
    pub operator: &'a Api,
    pub apis: &'a Apis,
    pub receiver: &'a Receiver,
    /// Nobody listens there.
    pub nobody: &'a Receiver,
    pub trap: &'a Trap,
    /// A replica of the API whose egress policy is wider.
    pub wider_url: &'a str,
}

impl Maker<'_> {
    pub async fn make_all(&self) -> anyhow::Result<Vec<Endpoint>> {
        let made: Vec<Endpoint> = futures::stream::iter(&ENDPOINTS)
            .map(|plan| self.make(plan))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        self.check_lists(&made).await?;
        Ok(made)
    }

    async fn make(&self, plan: &'static cast::Endpoint) -> anyhow::Result<Endpoint> {
        let hook = self.receiver.hook(plan.name);
        hook.behave((plan.behaviour)());
        hook.keep_contents();
        let url = match plan {
            plan if plan.forbidden => self.trap.url(),
            plan if plan.down => self.nobody.hook(plan.name).url().to_owned(),
            _ => hook.url().to_owned(),
        };
        let tenants = &self.apis[plan.tenant];
        let api = match plan.scopes {
            None => tenants.clone(),
            Some(scopes) => make_key(self.operator, plan.tenant, scopes).await?,
        };
        let (id, mut signers) = self.create(&api, plan, &url).await?;
        if plan.rotated {
            let rotate = format!("{NATIVE}/{id}/rotate_secret");
            let rotated = api
                .post(&rotate, &json!({ "previousSecretExpiresInSec": 3600 }))
                .await?;
            signers.insert(0, text(&rotated.body, "/signingSecret")?);
        }
        let prefix = cast::tenant(plan.tenant).header_prefix.unwrap_or("webhook-");
        hook.expect_signatures(prefix, &signers)?;
        Ok(Endpoint { plan: *plan, id, hook })
    }

    /// Its id, and what verifies its signatures.
    async fn create(&self, api: &Api, plan: &cast::Endpoint, url: &str) -> anyhow::Result<(String, Vec<String>)> {
        let (route, wanted) = (route(plan.made_by), wanted(plan, url));
        let Answer { body, etag, .. } = if plan.forbidden {
            self.create_forbidden(api, route, &wanted).await?
        } else {
            api.post(route, &wanted).await?
        };
        let (id, signer) = match plan.made_by {
            MadeBy::TenantApi => (text(&body, "/data/id")?, text(&body, "/data/secret")?),
            MadeBy::Native => {
                let public_key = text(&body, "/endpoint/publicKey");
                let signer = public_key.or_else(|_| text(&body, "/signingSecret"))?;
                (text(&body, "/endpoint/id")?, signer)
            }
        };
        let changes = (plan.changes)();
        if !changes.is_null() {
            let etag = etag.context("an endpoint that was made has an ETag")?;
            api.patch(&format!("{route}/{id}"), &changes, Some(&etag)).await?;
        }
        Ok((id, vec![signer]))
    }

    /// Made by a replica whose policy is wider, as if it had been everyone's once: today's refuses it.
    async fn create_forbidden(&self, api: &Api, route: &str, wanted: &Value) -> anyhow::Result<Answer> {
        let refused = api.try_post(route, wanted).await?;
        ensure!(
            refused.status == StatusCode::BAD_REQUEST,
            "an endpoint at a forbidden address was answered with {}",
            refused.status
        );
        api.at(self.wider_url).post(route, wanted).await
    }

    /// Both APIs must show the same endpoints, whichever made them.
    async fn check_lists(&self, made: &[Endpoint]) -> anyhow::Result<()> {
        for (tenant, api) in self.apis {
            let own = made.iter().filter(|endpoint| endpoint.plan.tenant == *tenant);
            let own: BTreeSet<_> = own.map(|endpoint| endpoint.id.clone()).collect();
            let native = api.get(&format!("{NATIVE}?limit=200")).await?;
            let tenant_api = api.get(TENANT_API).await?;
            for (list, route) in [(&native["endpoints"], NATIVE), (&tenant_api["data"], TENANT_API)] {
                let listed = list.as_array().into_iter().flatten();
                let listed: BTreeSet<_> = listed.map(|endpoint| text(endpoint, "/id")).collect::<Result<_, _>>()?;
                ensure!(listed == own, "GET {route} lists {listed:?} for {tenant}, not {own:?}");
            }
        }
        Ok(())
    }
}

fn route(made_by: MadeBy) -> &'static str {
    match made_by {
        MadeBy::Native => NATIVE,
        MadeBy::TenantApi => TENANT_API,
    }
}

fn wanted(plan: &cast::Endpoint, url: &str) -> Value {
    let mut wanted = match plan.made_by {
        MadeBy::TenantApi => json!({ "url": url, "events": plan.filters, "description": plan.shows }),
        MadeBy::Native => json!({
            "url": url, "eventTypeFilters": plan.filters, "description": plan.shows, "placement": plan.placement,
        }),
    };
    if !plan.vaults.is_empty() {
        wanted["resourceScopes"] = json!({ "vaultIds": plan.vaults });
    }
    for (name, value) in (plan.settings)().as_object().into_iter().flatten() {
        wanted[name] = value.clone();
    }
    wanted
}

/// The statuses and reasons of a tenant's endpoints, as the API lists them.
pub async fn list(api: &Api) -> anyhow::Result<Vec<Value>> {
    let mut page = api.get(&format!("{NATIVE}?limit=200")).await?;
    let list = page["endpoints"].as_array_mut().context("a list has `endpoints`")?;
    Ok(std::mem::take(list))
}

/// Gives an endpoint another address.
pub async fn move_to(api: &Api, id: &str, url: &str) -> anyhow::Result<()> {
    let moved = api
        .patch(&format!("{NATIVE}/{id}"), &json!({ "url": url }), None)
        .await?;
    ensure!(moved["endpoint"]["url"] == url, "the PATCH was answered with {moved}");
    Ok(())
}

/// What became of a test send.
pub struct TestSend {
    /// Of its request.
    pub delivery_id: String,
    /// In words.
    pub result: String,
    pub is_ok: bool,
}

/// Has the API send one signed request to the endpoint, now.
pub async fn test_send(api: &Api, endpoint: &Endpoint) -> anyhow::Result<TestSend> {
    let payload = json!({ "payload": { "from": "the demo" } });
    let Answer { body, .. } = api.post(&format!("{NATIVE}/{}/test", endpoint.id), &payload).await?;
    let result = match body["error"].as_str() {
        None => format!("{} in {} ms", body["statusCode"], body["durationMs"]),
        Some(error) => error.to_owned(),
    };
    Ok(TestSend {
        delivery_id: text(&body, "/webhookId")?,
        result,
        is_ok: body["ok"] == true,
    })
}
