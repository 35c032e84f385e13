//! Where the delivery of an endpoint goes now, by the endpoint's state and placement (docs/PROMISES.md has the table of
//! endpoint states).

use event_model::Envelope;
use kafka_log::Names;
use schemas::Endpoint;

/// What fan-out needs to know of an endpoint besides matching. It holds no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) envelope: Envelope,
    status: Status,
    dedicated_topic: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// `active` or `paused`: what is matched waits or is sent, which the dispatcher decides.
    Open,
    AutoDisabled,
    Disabled,
    Deleted,
}

/// Where one delivery goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The partition of the lanes topic that is the endpoint's shard.
    Lane(i32),
    /// The endpoint's own topic of this number.
    Dedicated(i64),
    /// The endpoint's shard of `returns`: when its dedicated topic is missing though it should exist, so that one
    /// endpoint's missing topic stops no other's events.
    Returns(i32),
    /// Straight to the dead letters, `endpoint_disabled`.
    Dead,
    /// Nowhere: the endpoint was deleted after it was matched.
    Cancelled,
}

impl Place {
    /// Whether the delivery's end is logged with it: nobody else will.
    pub(crate) fn is_end(self) -> bool {
        matches!(self, Place::Dead | Place::Cancelled)
    }

    pub(crate) fn returns(endpoint_id: &str, lanes: i32) -> Self {
        Place::Returns(shard(endpoint_id, lanes))
    }

    /// Topic and partition of a delivery that is to be sent.
    pub(crate) fn delivery_topic(self, names: &Names, endpoint_id: &str) -> Option<(String, i32)> {
        match self {
            Place::Lane(lane) => Some((names.lanes(), lane)),
            Place::Dedicated(number) => Some((names.endpoint(endpoint_id, number), 0)),
            Place::Returns(shard) => Some((names.returns(), shard)),
            Place::Dead | Place::Cancelled => None,
        }
    }
}

impl Route {
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        let status = match endpoint.status.as_str() {
            "active" | "paused" => Status::Open,
            "auto_disabled" => Status::AutoDisabled,
            "disabled" => Status::Disabled,
            "deleted" => Status::Deleted,
            other => {
                tracing::error!(
                    endpoint = endpoint.id,
                    status = other,
                    "unknown endpoint status, taken as active; upgrade this process"
                );
                Status::Open
            }
        };
        let envelope = endpoint.envelope.parse().unwrap_or_else(|error| {
            tracing::error!(endpoint = endpoint.id, %error, "taken as standard; upgrade this process");
            Envelope::Standard
        });
        Self {
            envelope,
            status,
            dedicated_topic: endpoint.dedicated_topic,
        }
    }

    /// Whether new events are matched with the endpoint.
    pub(crate) fn is_matched(&self) -> bool {
        matches!(self.status, Status::Open | Status::AutoDisabled)
    }

    /// Where a delivery that was matched goes now.
    pub(crate) fn place(&self, endpoint_id: &str, lanes: i32) -> Place {
        match (self.status, self.dedicated_topic) {
            (Status::Open, Some(number)) => Place::Dedicated(number),
            (Status::Open, None) => Place::Lane(shard(endpoint_id, lanes)),
            (Status::AutoDisabled | Status::Disabled, _) => Place::Dead,
            (Status::Deleted, _) => Place::Cancelled,
        }
    }
}

fn shard(endpoint_id: &str, lanes: i32) -> i32 {
    delivery_core::murmur2::partition(endpoint_id.as_bytes(), lanes)
}
