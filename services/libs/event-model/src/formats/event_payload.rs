//! event_payload: `{"event_type","payload"}`. It states neither id nor time, so both come from the record; a `tenant`
//! field is read where the source takes the tenant from a field.

use super::{
    draft::{Draft, Names, object, present, string},
    headers::Headers,
};
use serde::Deserialize;
use serde_json::value::RawValue;

const NAMES: Names = Names {
    id: "id",
    event_type: "event_type",
    tenant: "tenant",
    occurred_at: "occurred_at",
    data: "payload",
};

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    tenant: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

pub(super) fn read<'a>(text: &'a str, headers: &Headers<'a>) -> Result<Draft<'a>, String> {
    let fields: Fields<'a> = object(text)?;
    Ok(Draft {
        id: Ok(None),
        event_type: string(fields.event_type, NAMES.event_type),
        tenant: string(fields.tenant, NAMES.tenant),
        occurred_at: Ok(None),
        data: present(fields.payload, NAMES.data),
        traceparent: headers.owned("traceparent").ok().flatten(),
        cloud_source: Ok(None),
        names: NAMES,
    })
}
