//! What is to be sent next: rows of the history, and for what was missed the events that match today.

use super::{Office, job::Running};
use crate::Error;
use event_model::{Catalogs, Event};
use history_store::{Delivery, Status};
use kafka_log::TopicPartition;
use replay::{Cursor, Stage, logged_event};
use schemas::{Endpoint, LogRecord};
use std::collections::{BTreeMap, HashMap};

/// One delivery that is to be sent.
pub(super) enum Item {
    Again {
        delivery: Box<Delivery>,
        event: Option<Box<Event>>,
    },
    First(Box<Event>),
}

/// Some of them, in order.
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    /// How far the rows reached, whether they are meant or not.
    pub(super) end: Cursor,
}

impl Page {
    /// The rows after `after`; None: there are no more.
    pub(super) async fn load(
        job: &Running<'_>,
        endpoint: &Endpoint,
        stage: Stage,
        after: Option<&Cursor>,
    ) -> Result<Option<Self>, Error> {
        match stage {
            Stage::Failed => Self::of_status(job, Status::Failed, stage, after).await,
            Stage::Delivered => Self::of_status(job, Status::Delivered, stage, after).await,
            Stage::Missing => Self::of_missing(job, endpoint, after).await,
        }
    }

    async fn of_status(
        job: &Running<'_>,
        status: Status,
        stage: Stage,
        after: Option<&Cursor>,
    ) -> Result<Option<Self>, Error> {
        let wanted = job.candidates(status, after);
        let rows = job.office.store.candidates(&wanted, job.page_rows()).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let end = Running::cursor(stage, last.created_at_ms, &last.id);
        let tenant = job.job.tenant.as_deref();
        let meant: Vec<Delivery> = rows
            .into_iter()
            .filter(|row| Some(row.tenant.as_str()) == tenant && job.state.wants(&row.event_type) && !job.is_sent(row))
            .collect();
        // Counting needs no bodies.
        let mut events = match job.state.is_counted {
            true => job.office.events_of(&meant).await?,
            false => HashMap::new(),
        };
        let items = meant.into_iter().map(|delivery| Item::Again {
            event: events.remove(&delivery.event_id).map(Box::new),
            delivery: Box::new(delivery),
        });
        Ok(Some(Self {
            items: items.collect(),
            end,
        }))
    }

    async fn of_missing(job: &Running<'_>, endpoint: &Endpoint, after: Option<&Cursor>) -> Result<Option<Self>, Error> {
        let wanted = job.missing(after);
        let rows = job.office.store.missing(&wanted, job.page_rows()).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let end = Running::cursor(Stage::Missing, last.matched_at_ms, &last.id);
        let meant: Vec<_> = rows
            .into_iter()
            .filter(|row| job.state.wants(&row.event_type))
            .map(|row| (row.id, row.log_partition, row.log_offset))
            .collect();
        let view = job.office.ledger.view();
        let (catalogs, _) = Catalogs::with_added(view.event_types().map(|of| of.entity.as_ref()));
        let own = view.tenant(&endpoint.tenant).map(|tenant| tenant.catalogs.clone());
        let mut found = job.office.read(&meant).await?;
        let matching = meant.iter().filter_map(|(id, ..)| {
            let event = found.remove(id)?;
            let info = catalogs.find(own.as_deref().unwrap_or_default(), &event.event_type);
            let is_for_it = eligibility::check(endpoint, &event, info.map(AsRef::as_ref), None).is_ok();
            is_for_it.then(|| Item::First(Box::new(event)))
        });
        Ok(Some(Self {
            items: matching.collect(),
            end,
        }))
    }
}

impl Office {
    /// The events of these deliveries, as the log holds them, by id; without those that it no longer does.
    async fn events_of(&self, deliveries: &[Delivery]) -> Result<HashMap<String, Event>, Error> {
        let Some(first) = deliveries.first() else {
            return Ok(HashMap::new());
        };
        let ids: Vec<&str> = deliveries.iter().map(|delivery| delivery.event_id.as_str()).collect();
        let rows = self.store.events(&first.tenant, &ids).await?;
        let places: Vec<_> = rows
            .into_iter()
            .map(|row| (row.id, row.log_partition, row.log_offset))
            .collect();
        self.read(&places).await
    }

    /// The events at these positions of the log, by id.
    async fn read(&self, places: &[(String, i32, i64)]) -> Result<HashMap<String, Event>, Error> {
        let mut by_partition: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        for (_, partition, offset) in places.iter().filter(|(_, _, offset)| *offset >= 0) {
            by_partition.entry(*partition).or_default().push(*offset);
        }
        let view = self.ledger.view();
        let mut events = HashMap::new();
        for (partition, mut offsets) in by_partition {
            offsets.sort_unstable();
            let at = TopicPartition::new(self.connection.names().log(), partition);
            for record in self.positions.read(at, offsets).await?.into_iter().flatten() {
                let Some(value) = &record.value else { continue };
                let log: LogRecord = match schemas::decode(value, &*view) {
                    Ok(log) => log,
                    Err(error) => {
                        tracing::error!(partition, offset = record.offset, %error, "an event can't be read from the log");
                        continue;
                    }
                };
                if let Some(event) = logged_event(&log, record.timestamp_ms) {
                    events.insert(event.id.clone(), event);
                }
            }
        }
        Ok(events)
    }
}
