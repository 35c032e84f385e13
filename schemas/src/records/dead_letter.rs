//! A dead delivery in the `dlq` topic: complete, so that it can be sent again from this record alone.

use super::delivery::Delivery;
use serde::{Deserialize, Serialize};

/// Key: [`DeadLetter::key`]. A replay tombstones it and leaves a mark, a record without content, under the next
/// generation's key. For a delivery, only the highest generation that stands in the topic counts: a mark there says that
/// it isn't dead, whatever a process that stood still writes later about a generation before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub delivery: Delivery,
    /// `rejected_by_receiver`, `retries_exhausted`, `expired`, `endpoint_disabled`, `endpoint_deleted` or `gone`.
    pub reason: String,
    pub died_at_ms: i64,
}

impl DeadLetter {
    /// The key of a delivery's dead letter in this generation: the delivery id, from the first replay on with
    /// `/<generation>`. So compaction never lets a generation's record take the place of a later one's.
    #[must_use]
    pub fn key(delivery_id: &str, generation: i32) -> String {
        if generation <= 0 {
            return delivery_id.to_owned();
        }
        format!("{delivery_id}/{generation}")
    }

    /// The delivery id and the generation of a key. Up to v0.1.0 every generation had the delivery id alone.
    #[must_use]
    pub fn split_key(key: &[u8]) -> (&[u8], i32) {
        let slash = key.iter().rposition(|byte| *byte == b'/');
        let generation = slash.and_then(|at| std::str::from_utf8(&key[at + 1..]).ok()?.parse().ok());
        match (slash, generation) {
            (Some(at), Some(generation)) => (&key[..at], generation),
            _ => (key, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DeadLetter;

    #[test]
    fn a_key_names_the_delivery_and_its_generation() {
        for (generation, key) in [(0, "dlv_1"), (1, "dlv_1/1"), (12, "dlv_1/12")] {
            assert_eq!(DeadLetter::key("dlv_1", generation), key);
            assert_eq!(DeadLetter::split_key(key.as_bytes()), (&b"dlv_1"[..], generation));
        }
        assert_eq!(DeadLetter::split_key(b"dlv_1/x"), (&b"dlv_1/x"[..], 0));
    }
}
