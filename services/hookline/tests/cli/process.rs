//! Runs the real binary: commands to their end, roles until SIGTERM. A process that a test starts ends with it.

use delivery_core::murmur2;
use kafka_log::{Connection, Outgoing, Producer, Watermarks};
use schemas::{AttemptSummary, DeadLetter, Delivery, samples};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

const LANES: i32 = 4;
const TIMEOUT: Duration = Duration::from_secs(60);

/// The binary with an environment of its own.
#[derive(Clone)]
pub struct Hookline {
    environment: BTreeMap<String, String>,
    brokers: String,
    prefix: String,
}

/// What came of a command.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Hookline {
    pub fn without_kafka() -> Self {
        Self::new("127.0.0.1:1".to_owned())
    }

    pub fn with_kafka() -> Self {
        let brokers = brokers::shared_bootstrap().expect("these tests need a Kafka");
        let prefix = format!("t-{}.", uuid::Uuid::new_v4());
        let mut hookline = Self::new(brokers.clone()).with("HOOKLINE_KAFKA__BROKERS", &brokers);
        hookline.prefix.clone_from(&prefix);
        hookline
            .with("HOOKLINE_KAFKA__PREFIX", &prefix)
            .with("HOOKLINE_KAFKA__LANES", &LANES.to_string())
            .with("HOOKLINE_ADMIN__LISTEN", "127.0.0.1:0")
            .with("HOOKLINE_API__LISTEN", "127.0.0.1:0")
            .with("HOOKLINE_API__OPERATOR_KEY", "the-operator")
    }

    fn new(brokers: String) -> Self {
        Self {
            environment: BTreeMap::new(),
            brokers,
            prefix: String::new(),
        }
    }

    /// The same with one variable more.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut hookline = self.clone();
        hookline.environment.insert(name.to_owned(), value.to_owned());
        hookline
    }

    pub fn without(&self, name: &str) -> Self {
        let mut hookline = self.clone();
        hookline.environment.remove(name);
        hookline
    }

    /// A process that goes on until it ends by itself, or the test does.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        Running(Some(self.command(arguments).spawn().expect("the binary starts")))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let binary = std::env::var_os("HOOKLINE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_hookline").into());
        let mut command = Command::new(binary);
        command.args(arguments).env_clear().envs(&self.environment);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with_input(arguments, "")
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        // A command that reads no input may have ended already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8(bytes).expect("what it says is text");
        Ended {
            status: output.status.code().expect("no signal ended it"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// What it printed; it must succeed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.status, 0, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// Runs it until it ends with this status.
    pub fn run_until(&self, arguments: &[&str], status: i32) -> Ended {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let ended = self.run(arguments);
            if ended.status == status {
                return ended;
            }
            assert!(
                Instant::now() < deadline,
                "{arguments:?} never ended with {status}: {ended:?}"
            );
        }
    }

    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let text = self.ok(arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error} in {text}"))
    }

    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn connection(&self) -> Connection {
        Connection::new(&self.brokers, &self.prefix, BTreeMap::new())
    }

    /// Offsets used in all partitions of a topic; not for transactional ones with several transactions.
    pub fn count(&self, topic: &str) -> i64 {
        let topic = self.topic(topic);
        block_on(async {
            let watermarks = Watermarks::new(&self.connection()).expect("a client");
            let mut count = 0;
            for partition in 0..watermarks.partitions(&topic).await.expect("it exists") {
                let (first, end) = range(&watermarks, &topic, partition).await;
                // A transaction's marker takes an offset too.
                let markers = i64::from(topic.ends_with("returns") && end > first);
                count += end - first - markers;
            }
            count
        })
    }

    /// Puts `count` deliveries of an endpoint among the dead letters.
    pub async fn kill_deliveries(&self, endpoint: &str, count: usize) {
        let producer = Producer::new(&self.connection()).expect("a client");
        let topic = self.topic("dlq");
        for number in 1..=count {
            let letter = dead_letter(endpoint, number);
            let id = letter.delivery.delivery_id.clone();
            let value = schemas::encode(&letter).expect("it can be encoded");
            let record = Outgoing::new(&topic, murmur2::partition(id.as_bytes(), 8), id, value);
            producer.write(&record).await.expect("it is written");
        }
    }
}

/// A partition that was just made has no leader yet for a moment.
async fn range(watermarks: &Watermarks, topic: &str, partition: i32) -> (i64, i64) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match watermarks.range(topic, partition).await {
            Err(error) if error.is_retryable() && Instant::now() < deadline => {}
            result => return result.expect("it answers"),
        }
    }
}

fn dead_letter(endpoint: &str, number: usize) -> DeadLetter {
    let now_ms = runtime::clock::now_ms();
    let delivery = Delivery {
        event_time_ms: now_ms,
        matched_at_ms: now_ms,
        attempts_made: 1,
        schedule_index: 1,
        attempts: vec![AttemptSummary {
            number: 1,
            started_at_ms: now_ms,
            duration_ms: 3,
            status_code: Some(404),
            error: None,
            span_id: None,
        }],
        ..samples::delivery(number, "org_acme", endpoint)
    };
    DeadLetter {
        delivery,
        reason: "rejected_by_receiver".into(),
        died_at_ms: now_ms,
    }
}

/// A command that runs. It is killed when the test ends before it does.
pub struct Running(Option<Child>);

impl Running {
    pub fn stderr(&mut self) -> ChildStderr {
        let child = self.0.as_mut().expect("it is taken only at its end");
        child.stderr.take().expect("it is piped, and asked for once")
    }

    /// Waits for its end.
    pub fn end(mut self) -> Output {
        let child = self.0.take().expect("it is taken only here");
        child.wait_with_output().expect("it ends")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A role that runs.
pub struct Serving {
    child: Child,
    admin: String,
    /// Where the HTTP API listens, once it does.
    api: Mutex<mpsc::Receiver<String>>,
}

impl Serving {
    /// Returns when its admin listener is bound.
    pub fn start(hookline: &Hookline, role: &str) -> Self {
        let mut child = hookline.command(&["serve", role]).spawn().expect("the binary starts");
        let stderr = child.stderr.take().expect("it is piped");
        let (found, admin) = mpsc::sync_channel(1);
        let (found_api, api) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("{line}");
                let value: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                if let Some(admin) = value["admin"].as_str() {
                    // Only the first is waited for.
                    let _ = found.try_send(admin.to_owned());
                }
                if let Some(listen) = value["listen"].as_str() {
                    let _ = found_api.try_send(listen.to_owned());
                }
            }
        });
        let mut serving = Self {
            child,
            admin: String::new(),
            api: Mutex::new(api),
        };
        serving.admin = admin
            .recv_timeout(TIMEOUT)
            .expect("it says where its admin listener is");
        serving
    }

    /// The base URL of its HTTP API. Once: the one that asks remembers.
    pub fn api_url(&self) -> String {
        let api = self.api.lock().expect("no test panics with it");
        let listen = api.recv_timeout(TIMEOUT).expect("it says where the API listens");
        format!("http://{listen}")
    }

    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.admin).expect("it listens");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    pub fn await_ready(&self) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let answer = self.get("/readyz");
            if answer.starts_with("HTTP/1.1 200") {
                return;
            }
            assert!(Instant::now() < deadline, "not ready: {answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGTERM; it must end with status 0.
    pub fn terminate(mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it runs");
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(Instant::now() < deadline, "it doesn't end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new()
        .expect("threads can be started")
        .block_on(future)
}
