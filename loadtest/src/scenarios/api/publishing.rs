//! Events by `POST /events` and by a plain producer, in turns.

use std::time::Duration;

use delivery_core::murmur2;
use kafka_log::{Outgoing, Producer, topics::INGEST_PARTITIONS};

use super::replicas::{JSON, Key, LINES, Replicas};
use crate::load::{self, Load};
use crate::{body, report::median};

const SINGLE_CLIENTS: usize = 64;
const BATCH_CLIENTS: usize = 8;
const BATCH: usize = 100;
/// A producer that never waits for a single record, near its bound of records under way.
const STREAM_CLIENTS: usize = 4;
const STREAM_BATCH: usize = 4_000;

/// For the report.
pub(super) const WAITING: &str =
    "64 tasks for one event each, 8 tasks for 100, and, where it streams, 4 tasks for 4,000 at once";

/// Events a second, a value each turn.
#[derive(Debug, Default)]
struct Rates {
    api: Vec<f64>,
    kafka: Vec<f64>,
    /// Of requests.
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
    cpu_each_us: Vec<f64>,
}

#[derive(Debug, Default)]
pub(super) struct Publishing {
    single: Rates,
    batch: Rates,
    /// Of the plain producer, as fast as it gets.
    stream: Vec<f64>,
}

impl Publishing {
    /// Through the first replica alone, when there is but one.
    pub(super) async fn measure(replicas: &Replicas, turns: usize, time: Duration) -> anyhow::Result<Self> {
        let key = replicas.keys(1).await?.remove(0);
        let producer = Producer::new(&replicas.installation.connection())?;
        let topic = replicas.installation.names().ingest();
        let plain = Plain { producer, topic, key };
        let mut all = Self::default();
        for turn in 0..turns {
            for (rates, clients, size) in [
                (&mut all.single, SINGLE_CLIENTS, 1),
                (&mut all.batch, BATCH_CLIENTS, BATCH),
            ] {
                let api = by_api(replicas, &plain.key, turn, clients, size, time).await?;
                let kafka = plain.write(turn, clients, size, time).await?;
                rates.add(&api, &kafka, size);
            }
            let stream = plain.write(turn, STREAM_CLIENTS, STREAM_BATCH, time).await?;
            all.stream.push(stream.per_second() * STREAM_BATCH as f64);
            eprintln!("turn {turn}\n{}", all.table());
        }
        Ok(all)
    }

    pub(super) fn table(&self) -> String {
        let head = "| events | clients | API events/s | p50 ms | p99 ms | CPU us an event | plain producer/s | ratio |\n|---|---|---|---|---|---|---|---|\n";
        let row = |what: &str, clients: usize, rates: &Rates| {
            let ratios: Vec<String> = rates.ratios().iter().map(|ratio| format!("{ratio:.2}")).collect();
            format!(
                "| {what} | {clients} | {} | {:.1} | {:.1} | {:.0} | {} | **{:.2}** ({}) |\n",
                spread(&rates.api),
                median(rates.p50_ms.clone()),
                median(rates.p99_ms.clone()),
                median(rates.cpu_each_us.clone()),
                spread(&rates.kafka),
                rates.ratio(),
                ratios.join(", "),
            )
        };
        let stream = |rates: &Rates| median(rates.api.clone()) / median(self.stream.clone());
        format!(
            "{head}{}{}\nA plain producer that streams: {} records/s; the API's single events are {:.2} of that, its batches {:.2}.\n",
            row("one a request", SINGLE_CLIENTS, &self.single),
            row("100 a request", BATCH_CLIENTS, &self.batch),
            spread(&self.stream),
            stream(&self.single),
            stream(&self.batch),
        )
    }

    pub(super) fn ratio_single(&self) -> f64 {
        self.single.ratio()
    }

    pub(super) fn ratio_batch(&self) -> f64 {
        self.batch.ratio()
    }
}

impl Rates {
    fn add(&mut self, api: &Load, kafka: &Load, size: usize) {
        self.api.push(api.per_second() * size as f64);
        self.kafka.push(kafka.per_second() * size as f64);
        self.p50_ms.push(api.percentile_ms(50));
        self.p99_ms.push(api.percentile_ms(99));
        self.cpu_each_us.push(api.cpu_each_us() / size as f64);
    }

    /// Within each turn.
    fn ratios(&self) -> Vec<f64> {
        self.api
            .iter()
            .zip(&self.kafka)
            .map(|(api, kafka)| api / kafka)
            .collect()
    }

    fn ratio(&self) -> f64 {
        median(self.ratios())
    }
}

/// The plain producer.
struct Plain {
    producer: Producer,
    topic: String,
    key: Key,
}

impl Plain {
    async fn write(&self, turn: usize, clients: usize, size: usize, time: Duration) -> anyhow::Result<Load> {
        let (producer, topic, tenant) = (self.producer.clone(), self.topic.clone(), self.key.tenant.clone());
        load::drive(clients, time, move |client, nth| {
            let (producer, topic, tenant) = (producer.clone(), topic.clone(), tenant.clone());
            async move {
                let records: Vec<Outgoing> = (0..size)
                    .map(|place| {
                        let id = event_id("kafka", turn, client, nth, place);
                        let partition = murmur2::partition(id.as_bytes(), INGEST_PARTITIONS);
                        let value = body::published(&id, &tenant).into_bytes();
                        Outgoing::new(&topic, partition, id.into_bytes(), value)
                    })
                    .collect();
                producer.write_all(&records).await?;
                Ok(())
            }
        })
        .await
    }
}

async fn by_api(
    replicas: &Replicas,
    key: &Key,
    turn: usize,
    clients: usize,
    size: usize,
    time: Duration,
) -> anyhow::Result<Load> {
    let (asker, key) = (replicas.asker(), key.clone());
    replicas
        .measure(clients, time, move |client, nth| {
            let (asker, key) = (asker.clone(), key.clone());
            async move {
                let events: Vec<String> = (0..size)
                    .map(|place| body::published(&event_id("api", turn, client, nth, place), &key.tenant))
                    .collect();
                let content_type = if size == 1 { JSON } else { LINES };
                asker
                    .publish(client as u64 + nth, &key, content_type, events.join("\n"))
                    .await
            }
        })
        .await
}

/// As long by both ways.
fn event_id(way: &str, turn: usize, client: usize, nth: u64, place: usize) -> String {
    format!("evt-{way:>5}-{turn:02}-{client:02}-{nth:07}-{place:04}").replace(' ', "_")
}

/// Median, least and most, without fractions.
fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.0} ({least:.0}–{most:.0})", median(values.to_vec()))
}

#[cfg(test)]
mod tests {
    //! The arithmetic.
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_turn() {
        let rates = Rates {
            api: vec![10.0, 40.0, 30.0],
            kafka: vec![100.0, 80.0, 100.0],
            ..Rates::default()
        };
        assert_eq!(rates.ratios(), vec![0.1, 0.5, 0.3]);
        assert_eq!(rates.ratio(), 0.3);
        assert_eq!(
            event_id("api", 0, 1, 2, 3).len(),
            event_id("kafka", 9, 63, 99, 3999).len()
        );
    }
}
