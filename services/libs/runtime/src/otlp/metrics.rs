//! All metrics of the table, every 15 s and once more at the end. They are read from what `/metrics` shows at that moment,
//! so both say the same and recording costs nothing more.

use super::collector::{Collector, Failed};
use super::points::points;
use super::signal::{METRICS, Tally};
use crate::metrics::Metrics;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(15);

pub(super) fn start(collector: Collector, stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let metrics = crate::metrics::install();
        let mut tally = Tally::new(&METRICS);
        let mut every = interval_at(Instant::now() + EVERY, EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_last = stop.run_until_cancelled(every.tick()).await.is_none();
            // A collector that refused some points took the export.
            let sent = send(&collector, &metrics).await;
            tally.enter(1, sent.map(|()| 0));
            if is_last {
                return;
            }
        }
    })
}

async fn send(collector: &Collector, metrics: &Metrics) -> Result<(), Failed> {
    let resource = collector.resource();
    let resource_metrics = vec![ResourceMetrics {
        resource: Some(Resource {
            attributes: resource.attributes.0.clone(),
            ..Resource::default()
        }),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: "hookline".to_owned(),
                ..InstrumentationScope::default()
            }),
            metrics: points(&metrics.render(), metrics.started_at(), SystemTime::now()),
            schema_url: String::new(),
        }],
        schema_url: resource.schema_url.clone().unwrap_or_default(),
    }];
    collector
        .send(
            &METRICS,
            ExportMetricsServiceRequest { resource_metrics },
            async |channel, request| MetricsServiceClient::new(channel).export(request).await,
        )
        .await?;
    Ok(())
}
