//! Hookline JSON: `{"id","type","tenant","occurred_at","data"}`, `id` and `occurred_at` optional, other fields ignored.

use super::{
    draft::{Draft, Names, object, present, string},
    headers::Headers,
};
use serde::Deserialize;
use serde_json::value::RawValue;

const NAMES: Names = Names {
    id: "id",
    event_type: "type",
    tenant: "tenant",
    occurred_at: "occurred_at",
    data: "data",
};

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    tenant: Option<&'a RawValue>,
    #[serde(borrow)]
    occurred_at: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

pub(super) fn read<'a>(text: &'a str, headers: &Headers<'a>) -> Result<Draft<'a>, String> {
    let fields: Fields<'a> = object(text)?;
    Ok(Draft {
        id: string(fields.id, NAMES.id),
        event_type: string(fields.event_type, NAMES.event_type),
        tenant: string(fields.tenant, NAMES.tenant),
        occurred_at: string(fields.occurred_at, NAMES.occurred_at),
        data: present(fields.data, NAMES.data),
        traceparent: headers.owned("traceparent").ok().flatten(),
        cloud_source: Ok(None),
        names: NAMES,
    })
}
