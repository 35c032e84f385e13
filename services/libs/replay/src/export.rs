//! Dead letters as JSON lines, complete.

use crate::{DeadLetterEntry, Error, Filter, Scanned, scan};
use base64::{Engine, engine::general_purpose::STANDARD};
use kafka_log::Connection;
use schemas::WriterSchemas;
use serde_json::{Value, json};
use std::{io, ops::ControlFlow};

/// Everything about a dead letter. The body is `body` when it is UTF-8, byte for byte as text, else `body_base64`.
pub fn to_json(entry: &DeadLetterEntry) -> Value {
    let mut delivery = entry.dead_letter.delivery.clone();
    let body = std::mem::take(&mut delivery.body);
    let mut delivery = serde_json::to_value(delivery).expect("a delivery's fields are strings, numbers and lists");
    if let Some(fields) = delivery.as_object_mut() {
        fields.remove("body");
        match String::from_utf8(body) {
            Ok(text) => fields.insert("body".into(), Value::String(text)),
            Err(bytes) => fields.insert("body_base64".into(), Value::String(STANDARD.encode(bytes.as_bytes()))),
        };
    }
    json!({
        "partition": entry.partition,
        "offset": entry.offset,
        "reason": entry.dead_letter.reason,
        "died_at_ms": entry.dead_letter.died_at_ms,
        "delivery": delivery,
    })
}

/// Writes every dead letter that matches as a line of JSON.
///
/// # Errors
/// Outer: reading; inner: writing to `out`, after which nothing more was written.
pub async fn export(
    connection: &Connection,
    schemas: &dyn WriterSchemas,
    filter: &Filter,
    out: &mut (dyn io::Write + Send),
) -> Result<io::Result<Scanned>, Error> {
    let mut failed = None;
    let scanned = scan(connection, schemas, filter, |entry| {
        match writeln!(out, "{}", to_json(&entry)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })
    .await?;
    Ok(failed.map_or(Ok(scanned), Err))
}
