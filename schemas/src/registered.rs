//! Which record has which schema file, and the table of all compiled-in schemas by fingerprint.

use crate::{codec::*, records::*};
use apache_avro::Schema;
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

macro_rules! records {
    ($($type:ty, $name:literal, $file:literal;)*) => {
        $(impl Record for $type {
            const NAME: &'static str = $name;
            fn avsc() -> &'static str {
                include_str!(concat!("../avro/", $file, ".avsc"))
            }
            fn wire() -> &'static Wire {
                static WIRE: LazyLock<Wire> = LazyLock::new(|| Wire::new(<$type>::avsc()));
                &WIRE
            }
        })*

        /// What this build writes.
        pub(crate) fn own() -> Vec<(Fingerprint, &'static str, &'static str)> {
            vec![$((<$type>::fingerprint(), $name, <$type>::avsc()),)*]
        }
    };
}

records! {
    delivery::Delivery, "Delivery", "delivery";
    dead_letter::DeadLetter, "DeadLetter", "dead_letter";
    log::LogRecord, "LogRecord", "log_record";
    rejected::Rejected, "Rejected", "rejected";
    health::Health, "Health", "health";
    ledger::LedgerEntry, "LedgerEntry", "ledger_entry";
    ledger::LedgerRequest, "LedgerRequest", "ledger_request";
    ledger::LedgerOutcome, "LedgerOutcome", "ledger_outcome";
    entity::Tenant, "Tenant", "tenant";
    entity::ApiKey, "ApiKey", "api_key";
    entity::Endpoint, "Endpoint", "endpoint";
    entity::EventType, "EventType", "event_type";
    entity::Job, "Job", "job";
    entity::SchemaEntry, "SchemaEntry", "schema_entry";
    entity::Installation, "Installation", "installation";
    event::AvroEvent, "Event", "event";
}

/// This build's schemas and those of all released versions.
pub(crate) fn compiled_in() -> &'static HashMap<Fingerprint, Arc<Schema>> {
    static ALL: LazyLock<HashMap<Fingerprint, Arc<Schema>>> = LazyLock::new(|| {
        let own = own().into_iter().map(|(_, _, avsc)| avsc);
        own.chain(crate::released::AVSC.iter().map(|(_, _, avsc)| *avsc))
            .map(|avsc| parse_schema(avsc).expect("compiled-in schemas are valid avro"))
            .map(|(fingerprint, schema)| (fingerprint, Arc::new(schema)))
            .collect()
    });
    &ALL
}
