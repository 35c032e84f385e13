//! One delivery in memory.

use crate::{
    budget::Share,
    readers::Class,
    shard::{Slot, admit::Arrived},
};
use schemas::Delivery;
use tokio::time::Instant;

/// A delivery in memory.
pub(crate) struct Waiting {
    pub(crate) delivery: Delivery,
    pub(crate) slot: Slot,
    /// Bytes of the process's budget.
    pub(crate) share: Share,
    /// Bytes of its partition's window; None: the window bounds only what has not come here yet.
    pub(crate) credit: Option<kafka_log::Credit>,
    pub(crate) since: Instant,
    /// Where it was read. What is from its endpoint's dedicated topic waits here as long as it has to.
    pub(crate) class: Class,
}

impl Waiting {
    pub(crate) fn is_dedicated(&self) -> bool {
        self.class == Class::Dedicated
    }

    /// As it was when it was read. Its share of the budget is given back.
    pub(in crate::shard) fn into_arrived(self) -> (Delivery, Arrived) {
        let arrived = Arrived {
            slot: self.slot,
            class: self.class,
            bytes: self.share.bytes(),
            credit: self.credit,
        };
        (self.delivery, arrived)
    }
}
