//! A fresh set of ledger topics, processes that end with their test, and the topics read back as they are.

use kafka_log::{
    Admin, Connection, Item, ReadOptions, Reader, ReaderOptions, Record, Start, TopicPartition, Watermarks,
    topics::{self, TopicSettings},
};
use ledger::{ClerkOptions, Entity, Keyring, Ledger, Writer, entities, seal_signing_secret};
use schemas::{
    Endpoint, LedgerEntry, LedgerOutcome, Tenant,
    codec::{self, OwnSchemas},
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};
use tokio::sync::mpsc;

pub const BROKERS: &str = "LEDGER_TEST_BROKERS";
pub const PREFIX: &str = "LEDGER_TEST_PREFIX";
/// Longer than any takeover: what takes longer than a test allows is for the test to say.
pub const PATIENCE: Duration = Duration::from_secs(40);

pub fn topic_settings() -> TopicSettings {
    TopicSettings {
        lanes: 4,
        replication_factor: Some(1),
        history_retention_days: 1,
        dlq_retention_days: 1,
        default_source: false,
    }
}

pub fn clerk_options() -> ClerkOptions {
    ClerkOptions::new(topic_settings())
}

/// A connection with a new prefix, whose ledger topics exist.
pub async fn connect() -> Connection {
    let brokers = tokio::task::spawn_blocking(brokers::shared_bootstrap)
        .await
        .expect("it doesn't panic");
    let brokers = brokers.expect("a real kafka is needed");
    let connection = Connection::new(brokers, format!("t-{}.", uuid::Uuid::new_v4()), BTreeMap::new());
    let admin = Admin::new(&connection).expect("an admin client starts");
    for spec in topics::fixed(connection.names(), &topic_settings()) {
        if spec.name.contains(".ledger") {
            topics::create(&admin, &spec, 1).await.expect("a topic is made");
        }
    }
    connection
}

pub async fn writer(connection: &Connection) -> (Ledger, Writer) {
    let ledger = Ledger::start(connection).await.expect("the ledger is followed");
    let writer = Writer::start_with_timeout(connection, &ledger, PATIENCE)
        .await
        .expect("a writer starts");
    (ledger, writer)
}

pub fn tenant(name: &str) -> Tenant {
    entities::new_tenant(name, vec!["platform".into()], 1)
}

pub fn endpoint(tenant: &str, keyring: &Keyring, secret: &str) -> Endpoint {
    let mut endpoint = entities::new_endpoint(tenant, "https://example.com/hook", vec!["*".into()], 1);
    seal_signing_secret(&mut endpoint, keyring, secret);
    endpoint
}

pub fn keyring() -> Keyring {
    Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid")
}

/// This test binary again, as a process that does one of [`crate::child`]'s works. It ends when this is dropped, or when
/// its standard input closes because this process died.
pub struct Process {
    child: Child,
    _stdin: ChildStdin,
}

impl Process {
    pub fn start(work: &str, connection: &Connection, crash_at: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a test knows its binary"));
        command.args([
            "--exact",
            &format!("child::{work}"),
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ]);
        command
            .env(BROKERS, connection.brokers())
            .env(PREFIX, connection.names().prefix());
        command.env_remove("HOOKLINE_CRASH_AT");
        if let Some(point) = crash_at {
            command.env("HOOKLINE_CRASH_AT", point);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the test binary runs");
        let stdin = child.stdin.take().expect("standard input is piped");
        Self { child, _stdin: stdin }
    }

    pub fn clerk(connection: &Connection, crash_at: Option<&str>) -> Self {
        Self::start("clerk", connection, crash_at)
    }

    /// Waits for its end and returns what it printed, and the signal that ended it.
    pub async fn end(mut self) -> (Vec<String>, Option<i32>) {
        let waited = tokio::task::spawn_blocking(move || {
            let out = self.child.stdout.take().expect("standard output is piped");
            let lines = BufReader::new(out).lines().map_while(Result::ok).collect();
            let status = self.child.wait().expect("a child can be waited for");
            assert!(
                status.success() || status.signal().is_some(),
                "the child failed: {status}"
            );
            (lines, status.signal())
        });
        tokio::time::timeout(Duration::from_secs(180), waited)
            .await
            .expect("it ends in time")
            .expect("no panic")
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All committed records of a topic with one partition.
pub async fn read_all(connection: &Connection, topic: &str) -> Vec<Record> {
    let watermarks = Watermarks::new(connection).expect("a client starts");
    let (_, end) = watermarks.range(topic, 0).await.expect("the topic exists");
    let reader = Reader::start(connection, &ReaderOptions::new("test")).expect("a reader starts");
    let (sink, mut items) = mpsc::channel(1024);
    let options = ReadOptions {
        report_reached: true,
        window_bytes: 64 << 20,
        ..ReadOptions::new(Start::Beginning)
    };
    reader
        .add(TopicPartition::new(topic, 0), options, sink)
        .await
        .expect("the topic can be read");
    let mut records = Vec::new();
    loop {
        match items.recv().await.expect("the reader lives") {
            Item::Record(record) => records.push(record),
            Item::Reached { offset, .. } if offset >= end => return records,
            Item::Reached { .. } => {}
        }
    }
}

/// Everything that was ever committed to the ledger: offset, envelope, entity. Tombstones are left out.
pub async fn history(connection: &Connection) -> Vec<(i64, LedgerEntry, Entity)> {
    let records = read_all(connection, &connection.names().ledger()).await;
    let entry = |record: &Record| {
        let entry: LedgerEntry = codec::decode(record.value.as_deref()?, &OwnSchemas).expect("an entry decodes");
        let kind = ledger::Kind::parse(&entry.kind).expect("its kind is known");
        let entity = Entity::decode(kind, &entry.entity, &OwnSchemas).expect("its entity decodes");
        Some((record.offset, entry, entity))
    };
    records.iter().filter_map(entry).collect()
}

pub async fn outcomes(connection: &Connection) -> Vec<LedgerOutcome> {
    let records = read_all(connection, &connection.names().ledger_outcomes()).await;
    let outcome = |r: &Record| codec::decode(r.value.as_deref().unwrap_or_default(), &OwnSchemas);
    records
        .iter()
        .map(|r| outcome(r).expect("an outcome decodes"))
        .collect()
}
