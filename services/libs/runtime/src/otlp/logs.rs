//! Log lines as OTLP log records: the same events as on stderr, at the same levels, with the trace and span that they
//! belong to. The events of the crates that carry the export itself stay on stderr: each export would make the next.

use super::collector::{Collector, Failed};
use super::queue::{Queue, queue};
use super::signal::LOG_RECORDS;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The crates between here and the collector.
const CARRIERS: [&str; 8] = [
    "h2",
    "hyper",
    "hyper_util",
    "opentelemetry",
    "opentelemetry_sdk",
    "rustls",
    "tonic",
    "tower",
];

static RECORDS: OnceLock<Queue<Told>> = OnceLock::new();

/// A record, and what said it.
struct Told {
    target: String,
    record: LogRecord,
}

/// From now on what is logged is exported, too.
pub(super) fn start(collector: Collector, stop: CancellationToken) -> JoinHandle<()> {
    let (records, waiting) = queue(&LOG_RECORDS);
    // A second call changes nothing: its task gets no records.
    let _ = RECORDS.set(records);
    let send = move |batch| {
        let collector = collector.clone();
        async move { send(&collector, batch).await }
    };
    tokio::spawn(waiting.export(send, stop))
}

async fn send(collector: &Collector, batch: Vec<Told>) -> Result<u64, Failed> {
    let mut by_target: BTreeMap<String, Vec<LogRecord>> = BTreeMap::new();
    for told in batch {
        by_target.entry(told.target).or_default().push(told.record);
    }
    let scope_logs = by_target.into_iter().map(|(name, log_records)| ScopeLogs {
        scope: Some(InstrumentationScope {
            name,
            ..InstrumentationScope::default()
        }),
        log_records,
        schema_url: String::new(),
    });
    let resource = collector.resource();
    let resource_logs = vec![ResourceLogs {
        resource: Some(Resource {
            attributes: resource.attributes.0.clone(),
            ..Resource::default()
        }),
        scope_logs: scope_logs.collect(),
        schema_url: resource.schema_url.clone().unwrap_or_default(),
    }];
    let answer = collector
        .send(
            &LOG_RECORDS,
            ExportLogsServiceRequest { resource_logs },
            async |channel, request| LogsServiceClient::new(channel).export(request).await,
        )
        .await?;
    let refused = answer.partial_success.map_or(0, |partial| partial.rejected_log_records);
    Ok(refused.try_into().unwrap_or(0))
}

/// The layer that makes records of events, once there is a collector.
pub(crate) struct Records;

impl<S: Subscriber> Layer<S> for Records {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let Some(records) = RECORDS.get() else {
            return;
        };
        // The `log` crate's events say only in their fields who they are of.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        if is_carrier(metadata.target()) {
            return;
        }
        records.put(Told {
            target: metadata.target().to_owned(),
            record: record(event, metadata.level()),
        });
    }
}

fn is_carrier(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    CARRIERS.contains(&name)
}

fn record(event: &Event<'_>, level: &Level) -> LogRecord {
    let severity = match *level {
        Level::ERROR => SeverityNumber::Error,
        Level::WARN => SeverityNumber::Warn,
        Level::INFO => SeverityNumber::Info,
        Level::DEBUG => SeverityNumber::Debug,
        Level::TRACE => SeverityNumber::Trace,
    };
    let now = unix_nanos(SystemTime::now());
    let mut record = LogRecord {
        time_unix_nano: now,
        observed_time_unix_nano: now,
        severity_number: severity.into(),
        severity_text: level.to_string(),
        ..LogRecord::default()
    };
    if let Some(span) = crate::trace::current() {
        record.trace_id = span.trace_id().to_bytes().to_vec();
        record.span_id = span.span_id().to_bytes().to_vec();
        record.flags = span.trace_flags().to_u8().into();
    }
    event.record(&mut Fields(&mut record));
    record
}

/// Of a time after 1970 and before 2554.
pub(super) fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(u64::MAX)
}

/// Puts an event's fields into a record: the message is its body.
struct Fields<'a>(&'a mut LogRecord);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let value = Some(AnyValue { value: Some(value) });
        match field.name() {
            "message" => self.0.body = value,
            // Where a dependency's source lay when this was built.
            name if name.starts_with("log.") => {}
            name => self.0.attributes.push(KeyValue {
                key: name.to_owned(),
                value,
                key_strindex: 0,
            }),
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, Value::StringValue(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::StringValue(value.to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::IntValue(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match value.try_into() {
            Ok(value) => self.put(field, Value::IntValue(value)),
            Err(_) => self.record_debug(field, &value),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::BoolValue(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::DoubleValue(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_export_itself_says_is_not_exported() {
        for target in [
            "h2::client",
            "tonic::transport",
            "hyper_util::client::legacy",
            "tower::buffer",
            "rustls",
        ] {
            assert!(is_carrier(target), "{target}");
        }
        for target in ["dispatcher::attempt", "runtime::otlp", "h2o", "librdkafka"] {
            assert!(!is_carrier(target), "{target}");
        }
    }
}
