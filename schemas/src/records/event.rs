//! An event as a producer may write it in Avro to a source topic. Hookline itself never writes one.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "Event")]
pub struct AvroEvent {
    /// The producer's own id; absent: derived from topic, partition and offset.
    pub id: Option<String>,
    #[serde(rename = "type")]
    pub event_type: String,
    /// Where the source's setting takes the tenant from a field.
    pub tenant: Option<String>,
    /// RFC 3339; absent: the record's timestamp.
    pub occurred_at: Option<String>,
    /// JSON text, delivered byte for byte.
    pub data: String,
}
