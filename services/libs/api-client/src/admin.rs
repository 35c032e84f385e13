//! The operator's routes of tenants and keys, `/admin/v1`.

use crate::{Client, Error};
use reqwest::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

const PAGE: &str = "200";

/// A tenant as the API shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    pub id: String,
    pub name: String,
    pub catalogs: Vec<String>,
    pub header_prefix: Option<String>,
    pub created_at: String,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTenant {
    /// Made up when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    pub catalogs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quotas: Option<Quotas>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quotas {
    pub endpoints: i64,
}

/// An API key as the API shows it; never the key itself, but once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    pub id: String,
    pub scopes: Vec<String>,
    pub expires_at: Option<String>,
    pub created_at: String,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewKey {
    pub scopes: Vec<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

#[derive(Deserialize)]
struct One {
    tenant: Tenant,
}

impl Client {
    pub async fn create_tenant(&self, tenant: &NewTenant) -> Result<Tenant, Error> {
        let call = self.call(Method::POST, &["admin", "v1", "tenants"])?.json(tenant);
        self.send(&call).await?.read::<One>().map(|one| one.tenant)
    }

    pub async fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        self.all(&["admin", "v1", "tenants"], "tenants").await
    }

    /// The key's record, with the key itself as `key`, this once.
    pub async fn create_key(&self, tenant: &str, key: &NewKey) -> Result<(Key, String), Error> {
        let call = self.call(Method::POST, &["admin", "v1", "tenants", tenant, "keys"])?;
        let answer = self.send(&call.json(key)).await?;
        let mut made: Key = answer.read()?;
        match made.other.remove("key") {
            Some(Value::String(plain)) => Ok((made, plain)),
            _ => Err(answer.foreign("no key in it")),
        }
    }

    pub async fn keys(&self, tenant: &str) -> Result<Vec<Key>, Error> {
        self.all(&["admin", "v1", "tenants", tenant, "keys"], "keys").await
    }

    pub async fn revoke_key(&self, tenant: &str, id: &str) -> Result<(), Error> {
        let call = self.call(Method::DELETE, &["admin", "v1", "tenants", tenant, "keys", id])?;
        self.send(&call).await.map(drop)
    }

    /// Every page of a list `{"<plural>":[…],"nextCursor"}`.
    async fn all<T: DeserializeOwned>(&self, route: &[&str], plural: &str) -> Result<Vec<T>, Error> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut call = self.call(Method::GET, route)?.query("limit", PAGE);
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor);
            }
            let answer = self.send(&call).await?;
            let mut page: Map<String, Value> = answer.read()?;
            let items = page.remove(plural).unwrap_or_default();
            all.extend(serde_json::from_value::<Vec<T>>(items).map_err(|error| answer.foreign(error.to_string()))?);
            match page.remove("nextCursor") {
                Some(Value::String(same)) if cursor.as_ref() == Some(&same) => {
                    return Err(answer.foreign("a list without an end"));
                }
                Some(Value::String(next)) => cursor = Some(next),
                _ => return Ok(all),
            }
        }
    }
}
