//! Every configuration key: name, form, default and meaning. What is read, checked, shown and documented comes from
//! this one table, so none of it can drift. How a form is read is `form`'s business.

use super::checks;
use super::form::Form;

/// One configuration key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Full name: `kafka.brokers`.
    pub name: &'static str,
    pub form: Form,
    /// As TOML; `None`: unset.
    pub default: Option<&'static str>,
    /// One line, for `config default` and errors.
    pub meaning: &'static str,
    pub support: Support,
}

/// Whether this version obeys a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    Full,
    /// Any value but the default is refused: this comes with a later version.
    Later,
    /// These values of a choice come with a later version.
    LaterValues(&'static [&'static str]),
}

const fn key(name: &'static str, form: Form, default: Option<&'static str>, meaning: &'static str) -> Key {
    Key {
        name,
        form,
        default,
        meaning,
        support: Support::Full,
    }
}

const fn later(name: &'static str, form: Form, default: Option<&'static str>, meaning: &'static str) -> Key {
    Key {
        name,
        form,
        default,
        meaning,
        support: Support::Later,
    }
}

const MOST_FAILURES: i64 = 1_000_000;
const DAY_SEC: i64 = 86_400;

/// In the order in which they are shown.
pub const KEYS: &[Key] = &[
    key(
        "kafka.brokers",
        Form::Text(checks::brokers),
        Some("\"127.0.0.1:9092\""),
        "bootstrap servers, host:port, comma separated",
    ),
    key(
        "kafka.prefix",
        Form::Text(checks::prefix),
        Some("\"hookline.\""),
        "of every topic, group and transactional id of this installation",
    ),
    key(
        "kafka.replication_factor",
        Form::Integer(1, 32),
        None,
        "of topics that Hookline makes; unset: the brokers' default",
    ),
    key(
        "kafka.properties",
        Form::Properties,
        None,
        "librdkafka's own settings (TLS, SASL, tuning), passed through; in the environment `_` stands for `.`",
    ),
    key(
        "kafka.properties_file",
        Form::Text(checks::readable_file),
        None,
        "more of them, key=value lines, for a mounted secret",
    ),
    key(
        "kafka.lanes",
        Form::Integer(1, 1024),
        Some("64"),
        "partitions of the lanes topic, fixed at first start: the most dispatchers that can work",
    ),
    key(
        "kafka.instance_id",
        Form::Text(checks::not_empty),
        None,
        "static membership: unique for each process and role",
    ),
    key(
        "sources",
        Form::Sources,
        None,
        "where events are read from besides <prefix>ingest; giving any replaces the default, <prefix>events",
    ),
    later("schema_registry.url", Form::Text(checks::url), None, "Confluent API"),
    later("schema_registry.user", Form::Text(checks::not_empty), None, "its user"),
    later(
        "schema_registry.password",
        Form::Secret(checks::not_empty),
        None,
        "its password",
    ),
    key(
        "secrets.key",
        Form::Secret(checks::encryption_key),
        None,
        "32 bytes, base64: encrypts signing secrets; `hookline keygen` makes one",
    ),
    key(
        "secrets.previous_keys",
        Form::Secrets(checks::encryption_key),
        Some("[]"),
        "earlier values of secrets.key, until `hookline rekey` has run",
    ),
    key(
        "api.listen",
        Form::Text(checks::address),
        Some("\"127.0.0.1:8080\""),
        "REST API",
    ),
    key(
        "api.operator_key",
        Form::Secret(checks::not_empty),
        None,
        "bearer key of the operator, required for role api",
    ),
    key(
        "api.rate_per_sec",
        Form::Integer(1, 1_000_000),
        Some("100"),
        "requests a second with one API key, in one process; twice as many may come at once",
    ),
    key(
        "admin.listen",
        Form::Text(checks::address),
        Some("\"127.0.0.1:9464\""),
        "/livez, /readyz, /metrics",
    ),
    Key {
        name: "fanout.guarantee",
        form: Form::Choice(&["at_least_once", "exactly_once"]),
        default: Some("\"at_least_once\""),
        meaning: "at_least_once or exactly_once",
        support: Support::LaterValues(&["exactly_once"]),
    },
    key(
        "fanout.clock_tolerance_sec",
        Form::Integer(0, 3600),
        Some("5"),
        "events older than an endpoint by more than this are not for it",
    ),
    key(
        "dlq.retention_days",
        Form::Integer(1, 3650),
        Some("30"),
        "how long dead letters are kept",
    ),
    key(
        "placement.dedicated_limit",
        Form::Integer(0, 100_000),
        Some("256"),
        "endpoints that get a topic of their own",
    ),
    key(
        "dispatcher.max_in_flight",
        Form::Integer(1, 1_000_000),
        Some("4096"),
        "requests under way in one process",
    ),
    key(
        "dispatcher.max_buffered_bytes",
        Form::Integer(1 << 20, 1 << 40),
        Some("268435456"),
        "deliveries held in memory in one process, in bytes",
    ),
    key(
        "dispatcher.drain_sec",
        Form::Integer(0, 3600),
        None,
        "how long SIGTERM lets requests finish; unset: delivery.timeout_sec + 5. Without brokers a process ends 20 s later",
    ),
    key(
        "circuit.failures",
        Form::Integer(1, MOST_FAILURES),
        Some("20"),
        "consecutive failed attempts that open an endpoint's circuit",
    ),
    key(
        "circuit.min_sec",
        Form::Integer(0, DAY_SEC),
        Some("10"),
        "over at least this time",
    ),
    key(
        "circuit.probe_sec",
        Form::Integers {
            least: 1,
            most: DAY_SEC,
            counts: (1, 20),
        },
        Some("[5, 10, 20, 40, 80, 160, 300]"),
        "intervals between probes of an open circuit",
    ),
    key(
        "delivery.timeout_sec",
        Form::Integer(1, 60),
        Some("15"),
        "of a request, unless the endpoint says otherwise",
    ),
    key(
        "delivery.retry_schedule_sec",
        Form::Integers {
            least: 0,
            most: 172_800,
            counts: (0, 20),
        },
        Some("[5, 60, 300, 1800, 7200, 18000, 36000, 36000]"),
        "delays before each retry (10 % jitter), unless the endpoint says otherwise",
    ),
    key(
        "delivery.max_in_flight",
        Form::Integer(1, 1000),
        Some("32"),
        "requests under way to one endpoint, unless it says otherwise",
    ),
    key(
        "delivery.rate_per_sec",
        Form::Number(0.001, 100_000.0),
        None,
        "requests a second to one endpoint, unless it says otherwise; unset: no limit",
    ),
    key(
        "delivery.max_age_sec",
        Form::Integer(1, 365 * DAY_SEC),
        Some("604800"),
        "older deliveries become dead letters (expired)",
    ),
    key(
        "delivery.max_payload_bytes",
        Form::Integer(1, 262_144),
        Some("262144"),
        "larger events are rejected",
    ),
    key(
        "delivery.header_prefix",
        Form::Text(checks::header_prefix),
        Some("\"webhook-\""),
        "of the headers of deliveries; a tenant can have its own",
    ),
    key(
        "auto_disable.failures",
        Form::Integer(1, MOST_FAILURES),
        Some("100"),
        "failed attempts that disable an endpoint",
    ),
    key(
        "auto_disable.without_success_sec",
        Form::Integer(0, 365 * DAY_SEC),
        Some("432000"),
        "and no success for this long; both must be passed",
    ),
    key(
        "egress.allow_networks",
        Form::Texts(checks::network),
        Some("[]"),
        "networks (CIDR) let through besides public addresses; a metadata service only by its own address (/32)",
    ),
    key("egress.allow_http", Form::Bool, Some("false"), "plain http endpoints"),
    key(
        "egress.proxy",
        Form::Secret(checks::proxy),
        None,
        "forward proxy for deliveries, http://user:password@host:port; it must refuse private addresses itself",
    ),
    key(
        "egress.ca_file",
        Form::Text(checks::readable_file),
        None,
        "certificates trusted instead of the platform's, PEM",
    ),
    key(
        "egress.client_cert_file",
        Form::Text(checks::readable_file),
        None,
        "client certificate for receivers that ask for one, PEM",
    ),
    key(
        "egress.client_key_file",
        Form::Text(checks::readable_file),
        None,
        "its private key, PEM",
    ),
    key(
        "history.url",
        Form::Secret(checks::database),
        Some("\"sqlite://hookline.db\""),
        "database of the delivery log: a file, when one process runs api and history; else postgres://user:password@host/name",
    ),
    key(
        "history.retention_days",
        Form::Integer(1, 3650),
        Some("30"),
        "how long the log topic and the database keep what happened",
    ),
    key(
        "otel.endpoint",
        Form::Text(checks::url),
        None,
        "collector for traces, metrics and logs by OTLP (gRPC), http://host:4317 or https",
    ),
    key(
        "log.format",
        Form::Choice(&["text", "json"]),
        None,
        "text or json; unset: text on a terminal, else json",
    ),
    key(
        "log.level",
        Form::Text(checks::log_level),
        Some("\"info\""),
        "error, warn, info, debug, trace, or directives such as info,dispatcher=debug",
    ),
];

/// The key of this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The secret whose `_file` twin this is.
pub fn find_twin(name: &str) -> Option<&'static Key> {
    find(name.strip_suffix("_file")?).filter(|key| key.form.is_secret())
}

/// Every name that a file may use, twins included.
pub fn names() -> impl Iterator<Item = String> {
    KEYS.iter().flat_map(|key| {
        let twin = key.form.is_secret().then(|| format!("{}_file", key.name));
        std::iter::once(key.name.to_owned()).chain(twin)
    })
}

/// The known name that is nearest to what was written.
pub fn nearest(written: &str) -> String {
    super::problem::nearest(written, names())
}
