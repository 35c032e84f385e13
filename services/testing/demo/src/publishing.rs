//! The producer of what goes to Kafka: plain Kafka records, in all codecs, a few hundred a second so that there is something to see. Remembers
//! what each record's event is called.

use std::time::Duration;

use event_model::ids;
use kafka_log::{Outgoing, Position, Producer};

use crate::broken::Broken;
use crate::events::{Format, Planned};
use crate::stage::Stage;

/// Each its own client: a producer has one codec.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const EVENTS_PER_TICK: usize = 60;
const TICK: Duration = Duration::from_millis(100);

/// An event as it was published.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: String,
    pub event_type: String,
    pub tenant: String,
    pub vault: Option<String>,
    pub data: String,
}

/// What was published.
pub struct Published {
    /// To Kafka and, when those are added, by HTTP.
    pub events: Vec<Event>,
    /// Topic, partition and offset of each broken record.
    pub broken: Vec<(String, i32, i64)>,
}

/// Writes all of it, the broken records spread among the events.
pub async fn publish(stage: &Stage, events: Vec<Planned>, broken: &[Broken]) -> anyhow::Result<Published> {
    let (events_topic, cases_topic) = (stage.events_topic(), stage.cases_topic());
    let producers: Vec<_> = CODECS
        .iter()
        .map(|codec| Producer::new(&stage.installation().connection_with(&[("compression.type", codec)])))
        .collect::<Result<_, _>>()?;
    let every = events.len() / broken.len().max(1);
    let mut broken = broken.iter();
    let (mut acks, mut broken_acks) = (Vec::new(), Vec::new());
    let mut tick = tokio::time::interval(TICK);
    for (index, event) in events.iter().enumerate() {
        if index % EVENTS_PER_TICK == 0 {
            tick.tick().await;
        }
        let producer = &producers[index % producers.len()];
        acks.push(producer.send(&record(event, &events_topic, &cases_topic)).await?);
        if index % every == 0
            && let Some(broken) = broken.next()
        {
            let topic = if broken.on_case_source {
                &cases_topic
            } else {
                &events_topic
            };
            broken_acks.push((topic.clone(), producer.send(&broken.record(topic)).await?));
        }
    }
    let mut published = Published {
        events: Vec::new(),
        broken: Vec::new(),
    };
    for (event, ack) in events.into_iter().zip(acks) {
        published
            .events
            .push(named(event, ack.await?, &events_topic, &cases_topic));
    }
    for (topic, ack) in broken_acks {
        let Position { partition, offset } = ack.await?;
        published.broken.push((topic, partition, offset));
    }
    Ok(published)
}

fn record(event: &Planned, events_topic: &str, cases_topic: &str) -> Outgoing {
    match event.format {
        Format::HooklineJson => event.told.hookline_json(events_topic),
        Format::CloudEventBinary => event.told.cloud_event_binary(events_topic),
        Format::CloudEventStructured => event.told.cloud_event_structured(events_topic),
        Format::EventPayload => event.told.event_payload(cases_topic),
    }
}

/// An event without an id is called by its position: the same on every read.
fn named(event: Planned, at: Position, events_topic: &str, cases_topic: &str) -> Event {
    let topic = if event.format == Format::EventPayload {
        cases_topic
    } else {
        events_topic
    };
    let by_position = || ids::event_id_from_position(topic, at.partition, at.offset);
    let id = event.told.id.clone().unwrap_or_else(by_position);
    Event::new(event, id)
}

impl Event {
    pub fn new(event: Planned, id: String) -> Self {
        Self {
            id,
            event_type: event.told.event_type,
            tenant: event.told.tenant,
            vault: event.vault,
            data: event.told.data.get().to_owned(),
        }
    }
}
