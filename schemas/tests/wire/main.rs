//! What travels in Hookline's topics: every record round-trips, stays compatible with every released version, and is
//! encoded fast enough.

mod compatibility;
mod examples;
mod round_trip;

/// Calls a generic function for every record type, with the name of its schema file.
#[macro_export]
macro_rules! for_each_record {
    ($call:ident) => {
        $call::<schemas::Delivery>("delivery");
        $call::<schemas::DeadLetter>("dead_letter");
        $call::<schemas::LogRecord>("log_record");
        $call::<schemas::Rejected>("rejected");
        $call::<schemas::Health>("health");
        $call::<schemas::LedgerEntry>("ledger_entry");
        $call::<schemas::LedgerRequest>("ledger_request");
        $call::<schemas::LedgerOutcome>("ledger_outcome");
        $call::<schemas::Tenant>("tenant");
        $call::<schemas::ApiKey>("api_key");
        $call::<schemas::Endpoint>("endpoint");
        $call::<schemas::EventType>("event_type");
        $call::<schemas::Job>("job");
        $call::<schemas::SchemaEntry>("schema_entry");
        $call::<schemas::Installation>("installation");
        $call::<schemas::AvroEvent>("event");
    };
}
