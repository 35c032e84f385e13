//! The built-in catalogs of event types, as the JSON texts kept in `catalogs/`.
//!
//! Deliberately not here: looking types up and checking payloads (`event-model`).

/// The first catalog: 53 types with scope, resource, stability and payload schema.
pub fn platform() -> &'static str {
    include_str!("../catalogs/platform.json")
}

/// `case.created` and `case.status_updated`.
pub fn case_events() -> &'static str {
    include_str!("../catalogs/case_events.json")
}

/// The tenant API's types and open families.
pub fn cases() -> &'static str {
    include_str!("../catalogs/cases.json")
}

/// Samples of the case events, as their system sends them: `{"samples":[{"event_type","payload"}]}`.
pub fn case_event_samples() -> &'static str {
    include_str!("../catalogs/samples/case-events.json")
}

/// All three as `(name, JSON text)`.
pub fn all() -> [(&'static str, &'static str); 3] {
    [
        ("platform", platform()),
        ("case_events", case_events()),
        ("cases", cases()),
    ]
}
