//! `/admin/v1/ledger`: the configuration as JSON lines, out and in. What the lines mean, and what an import takes, is
//! `ledger::backup`'s business.

use crate::{
    answer::Answer,
    auth::Operator,
    body,
    error::{ApiError, Code},
    query::Query,
    state::Api,
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{StatusCode, header};
use ledger::{
    View,
    backup::{self, Backup, BackupError, ImportOptions},
};
use runtime::clock::now_ms;
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::mpsc;
use utoipa::ToSchema;

const LINES: &str = "application/x-ndjson";
/// An import is read whole before anything of it is made.
const MAX_IMPORT_BYTES: usize = 64 << 20;
/// Of an export: what is handed on at once, and how much of that waits for a slow reader.
const CHUNK_BYTES: usize = 64 << 10;
const CHUNKS_AHEAD: usize = 4;

/// Export the configuration
///
/// JSON lines, as of now. Secrets stay encrypted.
#[utoipa::path(
    get,
    path = "/admin/v1/ledger/export",
    tag = "Operator: ledger",
    operation_id = "exportLedger",
    responses((status = 200, description = "The lines.", body = String, content_type = "application/x-ndjson"))
)]
pub(crate) async fn export(
    operator: Operator,
    Query(crate::query::None {}): Query<crate::query::None>,
) -> Result<Response, ApiError> {
    let (sink, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let view = operator.view;
    tokio::task::spawn_blocking(move || write(&view, &sink));
    let stream = futures::stream::unfold(chunks, async |mut chunks| {
        let chunk = chunks.recv().await?;
        Some((Ok::<_, Infallible>(chunk), chunks))
    });
    Ok((
        StatusCode::OK,
        [(header::CONTENT_TYPE, LINES)],
        Body::from_stream(stream),
    )
        .into_response())
}

/// Ends early when nobody reads any more.
fn write(view: &View, sink: &mpsc::Sender<Bytes>) {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    for line in backup::export(view, now_ms()) {
        chunk.extend_from_slice(line.as_bytes());
        chunk.push(b'\n');
        if chunk.len() >= CHUNK_BYTES && sink.blocking_send(std::mem::take(&mut chunk).into()).is_err() {
            return;
        }
    }
    // The last line says that it is whole, so it matters to nobody here whether it arrives.
    let _ = sink.blocking_send(chunk.into());
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ImportQuery {
    /// Overwrite what is here and differs; without it, nothing is imported when anything does.
    #[serde(default)]
    replace: Flag,
    /// Only say what would be done.
    #[serde(default)]
    dry_run: Flag,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Flag(bool);

impl TryFrom<String> for Flag {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err("it must be true or false"),
        }
    }
}

/// What an import did, or would do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportedAnswer {
    created: usize,
    replaced: usize,
    unchanged: usize,
}

/// Import a configuration
///
/// What is there already and differs is a conflict, and nothing is imported, unless `replace` is set.
#[utoipa::path(
    post,
    path = "/admin/v1/ledger/import",
    tag = "Operator: ledger",
    operation_id = "importLedger",
    params(
        ("replace" = Option<bool>, Query, description = "Replace what differs."),
        ("dryRun" = Option<bool>, Query, description = "Only say what would be done."),
    ),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, description = "What was done.", body = ImportedAnswer))
)]
pub(crate) async fn import(
    State(api): State<Api>,
    _: Operator,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Answer, ApiError> {
    let _only = api
        .imports
        .try_acquire()
        .map_err(|_| ApiError::conflict("another import is under way here; wait until it has ended"))?;
    let body = body::read(request, MAX_IMPORT_BYTES, &[LINES]).await?;
    let keyring = api.keyring.clone();
    let reading = tokio::task::spawn_blocking(move || -> Result<Arc<Backup>, ApiError> {
        let text = std::str::from_utf8(&body).map_err(|error| {
            ApiError::invalid("", format!("the body is not UTF-8, at byte {}", error.valid_up_to()))
        })?;
        let backup = Backup::read(text)?;
        backup.check_secrets(&keyring)?;
        Ok(Arc::new(backup))
    });
    let backup = reading
        .await
        .map_err(|_| ApiError::unavailable("this process is ending; try again", 1))??;
    let options = ImportOptions {
        replace: query.replace.0,
        dry_run: query.dry_run.0,
    };
    let imported = Box::pin(backup::import(&api.ledger, &api.writer, &backup, options, |_, _| {})).await?;
    let shown = ImportedAnswer {
        created: imported.created,
        replaced: imported.replaced,
        unchanged: imported.unchanged,
    };
    Ok(Answer::json(StatusCode::OK, &shown))
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        let said = error.to_string();
        match error {
            BackupError::Line { line, .. } => Self::invalid(format!("line {line}"), said),
            BackupError::NotOne(_) | BackupError::BrokenOff => Self::invalid("", said),
            BackupError::Conflicts(_) => Self::new(Code::Conflict, said),
            BackupError::Write { key, source } => {
                let refused = Self::from(source);
                let message = format!(
                    "{key}: {}; what was imported before stays, importing it again goes on with the rest",
                    refused.message
                );
                Self {
                    message: message.into(),
                    ..refused
                }
            }
            BackupError::Ledger(error) => error.into(),
        }
    }
}
