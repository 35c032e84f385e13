//! The schemas of released versions, compiled in so that what they wrote stays readable without a ledger.

macro_rules! released {
    ($($version:literal: [$($record:literal),* $(,)?];)*) => {
        /// `(version, record's file name, schema JSON)`
        pub(crate) const AVSC: &[(&str, &str, &str)] = &[$($(
            ($version, $record, include_str!(concat!("../released/", $version, "/", $record, ".avsc"))),
        )*)*];
    };
}

released! {
    "v0.1.0": [
        "api_key", "dead_letter", "delivery", "endpoint", "event", "event_type", "health", "installation", "job",
        "ledger_entry", "ledger_outcome", "ledger_request", "log_record", "rejected", "schema_entry", "tenant",
    ];
}
