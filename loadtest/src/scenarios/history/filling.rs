//! Millions of rows, as the projection would have made them: one tenant, a hundred endpoints, ten types, two of a hundred
//! failed, one of a thousand pending.

use std::time::Instant;

use history_store::{Batch, Delivery, Event, Fact, Last, Outcome, Reached, Status, Store};

pub(super) const ENDPOINTS: usize = 100;
pub(super) const TYPES: usize = 10;
/// Of the log, and no real one has such a number.
const PARTITION: i32 = 1_000_000;
const BATCH: usize = 5_000;
/// Between two events.
const STEP_MS: i64 = 100;

pub(super) fn endpoint(number: usize) -> String {
    format!("wh_{number:026}")
}

pub(super) fn event_type(number: usize) -> String {
    format!("load.type_{}", number % TYPES)
}

pub(super) fn event_id(number: usize) -> String {
    // As derived ids are: without any order.
    format!(
        "evt_{:032x}",
        (number as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    )
}

/// Fills the store; rows a second.
pub(super) async fn fill(store: &Store, tenant: &str, rows: usize, until_ms: i64) -> anyhow::Result<f64> {
    let began = Instant::now();
    let first_ms = until_ms - STEP_MS * i64::try_from(rows)?;
    let mut from = None;
    for batch_from in (0..rows).step_by(BATCH) {
        let batch_to = rows.min(batch_from + BATCH);
        let mut batch = Batch::default();
        for number in batch_from..batch_to {
            let at_ms = first_ms + STEP_MS * i64::try_from(number)?;
            batch.add(facts(tenant, number, at_ms), PARTITION);
        }
        let to = i64::try_from(batch_to)?;
        batch.reached.push(Reached {
            partition: PARTITION,
            from,
            to,
        });
        store.write(&batch).await?;
        from = Some(to);
        if batch_to.is_multiple_of(500_000) {
            eprintln!(
                "{batch_to} rows, {:.0}/s",
                batch_to as f64 / began.elapsed().as_secs_f64()
            );
        }
    }
    Ok(rows as f64 / began.elapsed().as_secs_f64())
}

fn facts(tenant: &str, number: usize, at_ms: i64) -> Vec<Fact> {
    let status = match number % 1_000 {
        0 => Status::Pending,
        rest if rest % 50 == 1 => Status::Failed,
        _ => Status::Delivered,
    };
    let offset = i64::try_from(number).unwrap_or(i64::MAX);
    let event = Event {
        id: event_id(number),
        tenant: tenant.to_owned(),
        event_type: event_type(number),
        matched_at_ms: at_ms,
        log_partition: PARTITION,
        log_offset: offset,
    };
    let delivery = Delivery {
        id: format!("dlv_{}", &event.id[4..30]),
        tenant: tenant.to_owned(),
        event_id: event.id.clone(),
        endpoint_id: endpoint(number * 7 % ENDPOINTS),
        event_type: event.event_type.clone(),
        created_at_ms: at_ms,
        updated_at_ms: at_ms + 20,
        outcome: Outcome {
            generation: 0,
            status,
            at_ms: at_ms + 20,
            reason: (status == Status::Failed).then(|| "retries_exhausted".to_owned()),
        },
        last: Some(Last {
            number: 1,
            started_at_ms: at_ms + 10,
            generation: 0,
            status_code: Some(200),
            error: None,
            next_attempt_at_ms: None,
        }),
        replay: None,
        log_partition: PARTITION,
        attempts: vec![offset],
    };
    vec![Fact::Event(event), Fact::Delivery(Box::new(delivery))]
}
