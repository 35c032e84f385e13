//! One installation of the product on a Kafka: its topic prefix, its configuration, its processes and its command line.
//! What it should do is the caller's business.

mod binary;
mod logs;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use anyhow::{Context, bail};
use brokers::Reaper;
use kafka_log::{Admin, Connection, Names};
use ledger::Keyring;

use crate::process::{Launch, Process};
use crate::{Direct, Logbook, kafka};
use logs::Logs;

/// What an installation begins with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Begins the topics' prefix: `<name>-<random>.`
    pub name: String,
    /// Partitions of the lanes topic.
    pub lanes: u16,
    /// Configuration by key: `("delivery.retry_schedule_sec", "1,2")`. It wins over the harness's own.
    pub settings: Vec<(String, String)>,
    /// `host:port,…`; left out: [`crate::kafka`].
    pub brokers: Option<String>,
}

impl Options {
    /// Few lanes, plain HTTP to 127.0.0.1 allowed, everything else as the product has it.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            lanes: 8,
            settings: Vec::new(),
            brokers: None,
        }
    }

    /// One more key of the configuration, under the name that the documentation gives it.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<String>) -> Self {
        self.settings.push((key.to_owned(), value.into()));
        self
    }
}

/// A running installation: topics exist, processes are started by [`Installation::serve`]. Its logs are kept when a test
/// panics, and on [`Installation::keep_logs`].
#[derive(Debug)]
pub struct Installation {
    brokers: String,
    prefix: String,
    environment: Vec<(String, String)>,
    secrets_key: String,
    binary: PathBuf,
    logs: Logs,
    reaper: Arc<Reaper>,
}

impl Installation {
    /// Makes the topics with `hookline topics apply`.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let installation = Self::without_topics(options).await?;
        installation.hookline(["topics", "apply"]).await?;
        Ok(installation)
    }

    /// The same, with nothing made on Kafka yet.
    pub async fn without_topics(options: Options) -> anyhow::Result<Self> {
        let brokers = match options.brokers {
            Some(brokers) => brokers,
            None => tokio::task::spawn_blocking(kafka).await??,
        };
        let random = uuid::Uuid::new_v4().simple().to_string();
        let prefix = format!("{}-{}.", options.name, &random[..8]);
        let secrets_key = Keyring::generate_key();
        let logs = Logs::start(&prefix)?;
        let ours = [
            ("kafka.brokers", brokers.clone()),
            ("kafka.prefix", prefix.clone()),
            ("kafka.lanes", options.lanes.to_string()),
            ("secrets.key", secrets_key.clone()),
            ("api.operator_key", random.clone()),
            ("egress.allow_networks", "127.0.0.0/8".to_owned()),
            ("egress.allow_http", "true".to_owned()),
            ("log.format", "text".to_owned()),
            // Beside the logs, and gone with them.
            ("history.url", format!("sqlite://{}/history.db", logs.dir().display())),
        ];
        let theirs = options
            .settings
            .iter()
            .map(|(key, value)| (variable(key), value.clone()));
        let environment = ours
            .into_iter()
            .map(|(key, value)| (variable(key), value))
            .chain(theirs)
            .collect();
        Ok(Self {
            brokers,
            logs,
            prefix,
            environment,
            secrets_key,
            binary: binary::find()?,
            reaper: Arc::new(Reaper::start(&[])?),
        })
    }

    /// `host:port,…`
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// A setting of its processes.
    pub fn setting(&self, key: &str) -> Option<&str> {
        let name = variable(key);
        // The last word counts.
        let found = self.environment.iter().rev().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Names of its topics and groups.
    pub fn names(&self) -> Names {
        Names::new(&self.prefix)
    }

    /// A client's way to its Kafka, with its prefix.
    pub fn connection(&self) -> Connection {
        self.connection_with(&[])
    }

    /// The same with properties of librdkafka's.
    pub fn connection_with(&self, properties: &[(&str, &str)]) -> Connection {
        let properties = properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Connection::new(&self.brokers, &self.prefix, properties.collect())
    }

    /// The keys that its secrets are sealed with.
    pub fn keyring(&self) -> Keyring {
        Keyring::new(&self.secrets_key, &[]).expect("the key was just generated")
    }

    /// Configuration of processes and commands that start from now on.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        let name = variable(key);
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
    }

    /// Starts `hookline serve <roles>` and returns at once. `extra`: variables of this first run alone, such as
    /// `HOOKLINE_CRASH_AT`.
    pub fn start_process(&self, name: &str, roles: &[&str], extra: &[(&str, &str)]) -> anyhow::Result<Process> {
        let extra = extra
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Process::start(Launch {
            name: name.to_owned(),
            binary: self.binary.clone(),
            arguments: ["serve"].iter().chain(roles).map(OsString::from).collect(),
            environment: self.environment.iter().cloned().chain(extra).collect(),
            log: self.logs.dir().join(format!("{name}.log")),
            reaper: self.reaper.clone(),
        })
    }

    /// Starts `hookline serve <roles>` and waits until it is ready.
    pub async fn serve(&self, name: &str, roles: &[&str]) -> anyhow::Result<Process> {
        let mut process = self.start_process(name, roles, &[])?;
        process.ready().await?;
        Ok(process)
    }

    /// Runs a command of the real binary to its end, with this installation's configuration, and returns its standard
    /// output. Fails with what it said when its exit status isn't 0.
    pub async fn hookline<I, S>(&self, arguments: I) -> anyhow::Result<String>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let arguments: Vec<String> = arguments
            .into_iter()
            .map(|argument| argument.as_ref().to_owned())
            .collect();
        let output = self.run(&arguments, &[]).await?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "`hookline {}` ended with {}: {}{out}",
                arguments.join(" "),
                output.status,
                said
            );
        }
        Ok(out)
    }

    /// Runs a command to its end, whatever that is, with these variables beside this installation's configuration.
    pub async fn run<S: AsRef<str>>(&self, arguments: &[S], extra: &[(&str, &str)]) -> anyhow::Result<Output> {
        self.command(arguments)
            .envs(extra.iter().copied())
            .output()
            .await
            .with_context(|| format!("cannot run {}", self.binary.display()))
    }

    /// [`Installation::hookline`] with `--output json` added, read.
    pub async fn hookline_json(&self, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
        let out = self.hookline(arguments.iter().chain(&["--output", "json"])).await?;
        serde_json::from_str(&out).with_context(|| format!("`hookline {}` printed no JSON: {out}", arguments.join(" ")))
    }

    fn command<S: AsRef<str>>(&self, arguments: &[S]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.binary);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKLINE_")) {
            command.env_remove(name);
        }
        command
            .args(arguments.iter().map(AsRef::as_ref))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// The ledger over Kafka, in this process. Needs a running `api`.
    pub async fn direct(&self) -> anyhow::Result<Direct> {
        Direct::start(self).await
    }

    /// Everything that happened so far, read from the topic `log`.
    pub async fn logbook(&self) -> anyhow::Result<Logbook> {
        Logbook::read(&self.connection()).await
    }

    /// Where the processes' logs are.
    pub fn log_dir(&self) -> &Path {
        self.logs.dir()
    }

    /// Leaves the logs where they are when this is dropped.
    pub fn keep_logs(&mut self) {
        self.logs.keep();
    }

    /// Deletes all of its topics: a Kafka that many tests share should not carry them all. End its processes first.
    pub async fn delete_topics(self) -> anyhow::Result<()> {
        let admin = Admin::new(&self.connection())?;
        for topic in admin.topics(&self.prefix).await?.into_keys() {
            admin.delete(&topic).await?;
        }
        Ok(())
    }
}

/// `kafka.brokers` as a variable.
fn variable(key: &str) -> String {
    format!("HOOKLINE_{}", key.replace('.', "__").to_uppercase())
}
