//! Names of topics, groups and transactional ids: the prefix and nothing but it tells installations apart.

/// Delays of the retry topics in seconds: one topic each, doubling.
pub const RETRY_TIERS_SEC: [u32; 16] = [
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768,
];

/// Names under one prefix (`hookline.` unless configured).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident = $suffix:literal;)*) => {
        $($(#[$doc])* pub fn $name(&self) -> String { format!("{}{}", self.prefix, $suffix) })*
    };
}

impl Names {
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fixed! {
        /// The default source topic.
        events = "events";
        ingest = "ingest";
        ledger_requests = "ledger.requests";
        ledger = "ledger";
        ledger_outcomes = "ledger.outcomes";
        lanes = "lanes";
        returns = "returns";
        log = "log";
        health = "health";
        dlq = "dlq";
        rejected = "rejected";
        /// Consumer group of the fan-out.
        fanout_group = "fanout";
        /// Consumer group of the dispatchers, on the lanes topic.
        dispatcher_group = "dispatcher";
        /// Consumer group of the schedulers, on the topic `retry.1`.
        scheduler_group = "scheduler";
        /// Consumer group of those who project the log, on the topic `log`.
        history_group = "history";
        /// Consumer group of the clerk, on `ledger.requests`; also the clerk's transactional id.
        clerk_group = "clerk";
    }

    /// Transactional id of whoever does this job, which sends an endpoint's deliveries again.
    pub fn recovery_transaction(&self, job_id: &str) -> String {
        format!("{}recovery.{job_id}", self.prefix)
    }

    /// Transactional id of one process that replays single deliveries.
    pub fn single_replay_transaction(&self, process: &str) -> String {
        format!("{}replay.one.{process}", self.prefix)
    }

    /// The retry topic whose records wait `tier_sec` seconds.
    pub fn retry(&self, tier_sec: u32) -> String {
        format!("{}retry.{tier_sec}", self.prefix)
    }

    /// Prefix of all dedicated topics.
    pub fn endpoint_prefix(&self) -> String {
        format!("{}endpoint.", self.prefix)
    }

    /// The `number`th dedicated topic of an endpoint. A name is never used twice.
    pub fn endpoint(&self, endpoint_id: &str, number: i64) -> String {
        format!("{}endpoint.{endpoint_id}.{number}", self.prefix)
    }

    /// Endpoint id and number of a dedicated topic's name, or None when it isn't one.
    pub fn parse_endpoint<'a>(&self, topic: &'a str) -> Option<(&'a str, i64)> {
        let rest = topic.strip_prefix(&self.endpoint_prefix())?;
        let (id, number) = rest.rsplit_once('.')?;
        Some((id, number.parse().ok()?))
    }

    /// Transactional id of the scheduler for partition `partition` of the retry topics.
    pub fn scheduler_transaction(&self, partition: i32) -> String {
        format!("{}scheduler.{partition}", self.prefix)
    }

    /// Transactional id of whoever replays partition `partition` of the dead-letter topic.
    pub fn replay_transaction(&self, partition: i32) -> String {
        format!("{}replay.{partition}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn endpoint_topics_are_parsed_back() {
        let names = Names::new("hookline.");
        let topic = names.endpoint("wh_01JABC", 7);
        assert_eq!(topic, "hookline.endpoint.wh_01JABC.7");
        assert_eq!(names.parse_endpoint(&topic), Some(("wh_01JABC", 7)));
        assert_eq!(names.parse_endpoint("hookline.lanes"), None);
        assert_eq!(names.parse_endpoint("other.endpoint.wh_1.1"), None);
    }
}
