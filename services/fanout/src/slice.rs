//! Part of a batch: what follows from its records is written at once and settled together, so that memory is bounded
//! however many endpoints an event has.
//!
//! Nothing here commits: [`Slice::settle`] returns only when everything is acknowledged. The log is told last, of what is
//! written: whoever reads the batch again may judge otherwise, and what the log calls pending must be somewhere.

use crate::{
    Error,
    judge::{Matched, Target, Verdict},
    measure,
    outgoing::Bodies,
    place::{Place, Route},
    projection::{Projection, Snapshot},
    span,
};
use kafka_log::{Ack, Credit, Names, Outgoing, Producer};
use runtime::{clock::now_ms, crash_point, trace::Span};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What writing needs.
pub(crate) struct Output {
    pub(crate) producer: Producer,
    pub(crate) names: Names,
    pub(crate) projection: Projection,
    pub(crate) lanes: i32,
}

#[derive(Default)]
pub(crate) struct Slice {
    works: Vec<Work>,
    sent: Vec<(Part, Result<Ack, kafka_log::Error>)>,
    /// For the log.
    to_tell: Vec<Part>,
}

/// A judged record. Its bytes stay in the partition's window until the slice is done.
struct Work {
    verdict: Verdict,
    bodies: Bodies,
    /// Ends with the slice.
    _span: Option<Span>,
    _credit: Credit,
}

/// One record to write: which work's, and which of those that follow from it. In the order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    work: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Rejection,
    /// What the log says of one.
    Rejected,
    /// A `matched` record by its number.
    Chunk(usize),
    /// Of a target by its index.
    Delivery(usize),
    /// Of a target by its index.
    Settled(usize),
}

impl Kind {
    fn is_for_the_log(self) -> bool {
        matches!(self, Self::Rejected | Self::Chunk(_) | Self::Settled(_))
    }
}

impl Slice {
    /// Records not yet known to be acknowledged.
    pub(crate) fn under_way(&self) -> usize {
        self.sent.len() + self.to_tell.len()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.under_way() == 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.works.is_empty()
    }

    /// Writes what follows from a verdict, without waiting for acknowledgements.
    pub(crate) async fn add(&mut self, mut verdict: Verdict, credit: Credit, output: &Output) -> Result<(), Error> {
        let work = self.works.len();
        let span = span::begin(&mut verdict);
        let kinds: Vec<Kind> = match &verdict {
            Verdict::Rejected(rejection) => {
                let logged = rejection.event_id.as_ref().map(|_| Kind::Rejected);
                std::iter::once(Kind::Rejection).chain(logged).collect()
            }
            Verdict::Matched(matched) => {
                let chunks = (0..matched.chunks()).map(Kind::Chunk);
                chunks
                    .chain((0..matched.targets.len()).flat_map(|index| after_matching(matched, index)))
                    .collect()
            }
        };
        self.works.push(Work {
            verdict,
            bodies: Bodies::default(),
            _span: span,
            _credit: credit,
        });
        for kind in kinds {
            let part = Part { work, kind };
            if kind.is_for_the_log() {
                self.to_tell.push(part);
            } else {
                self.send(part, output).await?;
            }
        }
        Ok(())
    }

    /// Waits until everything is acknowledged, the log last. What failed is written again, in order for each endpoint, until
    /// it is; deliveries whose endpoint has moved or gone go where it is now.
    pub(crate) async fn settle(&mut self, output: &Output, stop: &CancellationToken) -> Result<(), Error> {
        self.acknowledged(output, stop).await?;
        crash_point("fanout.before_log");
        for part in std::mem::take(&mut self.to_tell) {
            self.send(part, output).await?;
        }
        self.acknowledged(output, stop).await?;
        self.count();
        Ok(())
    }

    /// Waits until what was sent is acknowledged.
    async fn acknowledged(&mut self, output: &Output, stop: &CancellationToken) -> Result<(), Error> {
        let mut pause = FIRST_PAUSE;
        loop {
            let sent = std::mem::take(&mut self.sent);
            let mut outcomes = Vec::with_capacity(sent.len());
            for (part, ack) in sent {
                outcomes.push((part, async { ack?.await }.await.err()));
            }
            if outcomes.iter().all(|(_, error)| error.is_none()) {
                return Ok(());
            }
            let again = self.repair(outcomes, output, stop, pause).await?;
            pause = LONGEST_PAUSE.min(pause * 2);
            for part in again {
                self.send(part, output).await?;
            }
        }
    }

    async fn send(&mut self, part: Part, output: &Output) -> Result<(), Error> {
        if let Some(record) = self.outgoing(part, &output.names)? {
            let ack = output.producer.send(&record).await;
            self.sent.push((part, ack));
        }
        Ok(())
    }

    fn outgoing(&mut self, part: Part, names: &Names) -> Result<Option<Outgoing>, Error> {
        let work = &mut self.works[part.work];
        let matched = match &work.verdict {
            Verdict::Rejected(rejection) => {
                return Ok(match part.kind {
                    Kind::Rejected => rejection.logged(names)?,
                    _ => Some(rejection.outgoing(names)?),
                });
            }
            Verdict::Matched(matched) => matched,
        };
        Ok(match part.kind {
            Kind::Rejection | Kind::Rejected => None,
            Kind::Chunk(number) => Some(matched.chunk(number, names)?),
            Kind::Delivery(index) => matched.delivery(&matched.targets[index], &mut work.bodies, names)?,
            Kind::Settled(index) => Some(matched.settled(&matched.targets[index], names)?),
        })
    }

    /// What to write again. What brokers refuse is tried until somebody has mended it: only this partition waits for it.
    async fn repair(
        &mut self,
        outcomes: Vec<(Part, Option<kafka_log::Error>)>,
        output: &Output,
        stop: &CancellationToken,
        pause: Duration,
    ) -> Result<Vec<Part>, Error> {
        let mut homeless = Vec::new();
        let mut behind: HashSet<Arc<str>> = HashSet::new();
        let mut again = Vec::new();
        let mut refused = None;
        for (part, error) in outcomes {
            let endpoint = self.endpoint(part);
            match error {
                Some(kafka_log::Error::UnknownTopic(_)) if self.is_dedicated(part) => homeless.push(part),
                Some(kafka_log::Error::Stopped) => return Err(kafka_log::Error::Stopped.into()),
                Some(error) => {
                    if error.is_refusal() {
                        refused = Some(error);
                    } else {
                        tracing::warn!(%error, "writing again");
                    }
                    behind.extend(endpoint);
                    again.push(part);
                }
                // Written already, but after something of this endpoint that wasn't: again, to keep its order.
                None if endpoint.is_some_and(|id| behind.contains(&id)) => again.push(part),
                None => {}
            }
        }
        if let Some(error) = refused {
            error.raise("what follows from events can't be written");
        }
        if !again.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return Err(Error::Stopped),
                () = tokio::time::sleep(pause) => {}
            }
        }
        if !homeless.is_empty() {
            let snapshot = output.projection.current(stop).await?;
            for part in homeless {
                if let (Verdict::Matched(matched), Kind::Delivery(index)) =
                    (&mut self.works[part.work].verdict, part.kind)
                {
                    move_home(&mut matched.targets[index], &snapshot, output.lanes);
                    for kind in after_matching(matched, index) {
                        let parts = if kind.is_for_the_log() {
                            &mut self.to_tell
                        } else {
                            &mut again
                        };
                        parts.push(Part { work: part.work, kind });
                    }
                }
            }
        }
        again.sort_unstable();
        again.dedup();
        Ok(again)
    }

    fn is_dedicated(&self, part: Part) -> bool {
        match (&self.works[part.work].verdict, part.kind) {
            (Verdict::Matched(matched), Kind::Delivery(index)) => {
                matches!(matched.targets[index].place, Place::Dedicated(_))
            }
            _ => false,
        }
    }

    fn endpoint(&self, part: Part) -> Option<Arc<str>> {
        match (&self.works[part.work].verdict, part.kind) {
            (Verdict::Matched(matched), Kind::Delivery(index)) => Some(matched.targets[index].endpoint_id.clone()),
            _ => None,
        }
    }

    fn count(&self) {
        let (mut matched, mut unmatched, mut rejected, mut pairs, mut dead) = (0, 0, 0, 0, 0);
        let now_ms = now_ms();
        for work in &self.works {
            if let Verdict::Matched(of) = &work.verdict {
                measure::delay(of.event.timestamp_ms, now_ms);
            }
            match &work.verdict {
                Verdict::Rejected(rejection) => {
                    rejected += 1;
                    measure::rejected(rejection.reason);
                }
                Verdict::Matched(of) if of.targets.is_empty() => unmatched += 1,
                Verdict::Matched(of) => {
                    matched += 1;
                    pairs += of.targets.len() as u64;
                    dead += of.targets.iter().filter(|target| target.place == Place::Dead).count() as u64;
                }
            }
        }
        measure::events("matched", matched);
        measure::events("unmatched", unmatched);
        measure::events("rejected", rejected);
        measure::dead(dead);
        measure::matched(pairs);
    }
}

/// What is written for a target: the delivery, and its end where it ends here.
fn after_matching(matched: &Matched, index: usize) -> impl Iterator<Item = Kind> + use<> {
    let settled = matched.targets[index].place.is_end().then_some(Kind::Settled(index));
    std::iter::once(Kind::Delivery(index)).chain(settled)
}

/// Finds where a delivery goes whose dedicated topic is gone.
fn move_home(target: &mut Target, snapshot: &Snapshot, lanes: i32) {
    let endpoint = snapshot.view.endpoint(&target.endpoint_id);
    let place = endpoint.map_or(Place::Cancelled, |e| Route::of(e).place(&target.endpoint_id, lanes));
    if place == target.place {
        tracing::error!(
            endpoint = %target.endpoint_id,
            "its dedicated topic does not exist; run `hookline topics apply`. Its deliveries go through `returns`"
        );
        target.place = Place::returns(&target.endpoint_id, lanes);
    } else {
        target.place = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::Envelope;

    fn target(place: Place) -> Target {
        Target {
            endpoint_id: "wh_1".into(),
            delivery_id: "dlv_1".into(),
            envelope: Envelope::Standard,
            place,
        }
    }

    #[test]
    fn a_delivery_whose_endpoint_is_gone_is_cancelled() {
        let mut target = target(Place::Dedicated(1));
        move_home(&mut target, &Snapshot::empty(), 4);
        assert_eq!(target.place, Place::Cancelled);
    }

    #[test]
    fn parts_are_written_in_the_order_of_records_then_targets() {
        let part = |work, kind| Part { work, kind };
        let mut parts = [
            part(1, Kind::Chunk(0)),
            part(0, Kind::Settled(0)),
            part(0, Kind::Delivery(2)),
            part(0, Kind::Delivery(1)),
        ];
        parts.sort_unstable();
        assert_eq!(parts[0], part(0, Kind::Delivery(1)));
        assert_eq!(parts[3], part(1, Kind::Chunk(0)));
    }
}
