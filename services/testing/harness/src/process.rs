//! One process of the real binary: started, signalled, killed, ended, started again. Its log goes to a file. What it is
//! configured with is the installation's business.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use brokers::Reaper;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::{http_get, ports};

const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// Beyond any drain: `delivery.timeout_sec` + 5 by default.
const END_TIMEOUT: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(50);
const TAIL_LINES: usize = 25;

/// How a process is started, each time.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) name: String,
    pub(crate) binary: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// The whole configuration; the variables of the two listeners are added.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) log: PathBuf,
    pub(crate) reaper: Arc<Reaper>,
}

/// A process of the binary, running or ended. Dropping it kills it; so does the end of this process, however it comes
/// about.
#[derive(Debug)]
pub struct Process {
    launch: Launch,
    child: Child,
    pid: i32,
    listeners: Listeners,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts it; it isn't ready yet.
    pub(crate) fn start(launch: Launch) -> anyhow::Result<Self> {
        let listeners = Listeners::free()?;
        let child = spawn(&launch, listeners, &[])?;
        let pid = pid_of(&child)?;
        launch.reaper.watch(pid)?;
        Ok(Self {
            launch,
            child,
            pid,
            listeners,
            ended: None,
        })
    }

    /// What it was called when it was started.
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// The process's id, of the last start.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits until `/readyz` answers 200. Fails at once when the process ends.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            if let Some(status) = self.try_ended()? {
                bail!(
                    "{} ended with {status} before it was ready\n{}",
                    self.name(),
                    self.log_tail()
                );
            }
            let answer = http_get::get(self.listeners.admin, "/readyz").await;
            match answer {
                Ok((200, _)) => return Ok(()),
                answer if Instant::now() > deadline => {
                    bail!("{} was not ready in time: {answer:?}\n{}", self.name(), self.log_tail())
                }
                _ => tokio::time::sleep(READY_POLL).await,
            }
        }
    }

    /// What `/metrics` answers.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        Ok(http_get::get(self.listeners.admin, "/metrics").await?.1)
    }

    /// The base URL of the HTTP API, when role `api` is among the roles. Another one after a restart.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.listeners.api)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.try_ended()?.is_none())
    }

    /// SIGKILL, and waits for its end. Killing what has ended does nothing.
    pub async fn kill9(&mut self) -> anyhow::Result<()> {
        if self.try_ended()?.is_none() {
            self.signal(Signal::SIGKILL)?;
            self.end().await?;
        }
        Ok(())
    }

    /// SIGTERM: fails unless it then ends with exit status 0. Says how long that took.
    pub async fn terminate(&mut self) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        if let Some(status) = self.try_ended()? {
            bail!(
                "{} had ended with {status} before it was asked to\n{}",
                self.name(),
                self.log_tail()
            );
        }
        self.signal(Signal::SIGTERM)?;
        let status = self.end().await?;
        ensure!(
            status.success(),
            "{} ended with {status} on SIGTERM\n{}",
            self.name(),
            self.log_tail()
        );
        Ok(begin.elapsed())
    }

    /// SIGTERM, and nothing more: [`Process::end`] waits.
    pub fn ask_to_end(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Waits for its end, by a signal sent or a crash point.
    pub async fn end(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        let waited = tokio::time::timeout(END_TIMEOUT, self.child.wait()).await;
        let Ok(status) = waited else {
            bail!(
                "{} did not end within {} s\n{}",
                self.name(),
                END_TIMEOUT.as_secs(),
                self.log_tail()
            );
        };
        self.has_ended(status?)
    }

    /// SIGSTOP: it keeps its connections and does nothing, as in a long pause of its machine.
    pub fn halt(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// SIGCONT to a halted process.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Starts it again after it has ended, with these variables beside its configuration for this one run (a crash point
    /// of the first start doesn't return by itself).
    pub async fn restart(&mut self, extra: &[(&str, &str)]) -> anyhow::Result<()> {
        ensure!(self.try_ended()?.is_some(), "{} still runs: end it first", self.name());
        self.launch.environment.retain(|(name, _)| name != CRASH_VARIABLE);
        self.listeners = Listeners::free()?;
        self.child = spawn(&self.launch, self.listeners, extra)?;
        self.pid = pid_of(&self.child)?;
        self.launch.reaper.watch(self.pid)?;
        self.ended = None;
        Ok(())
    }

    /// The end of its log, with the log's path.
    pub fn log_tail(&self) -> String {
        tail(&self.launch.log)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        ensure!(
            self.ended.is_none(),
            "{} has ended: its id may be another's now",
            self.name()
        );
        kill(Pid::from_raw(self.pid), signal).with_context(|| format!("cannot send {signal} to {}", self.name()))
    }

    fn try_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if self.ended.is_none()
            && let Some(status) = self.child.try_wait()?
        {
            self.has_ended(status)?;
        }
        Ok(self.ended)
    }

    fn has_ended(&mut self, status: ExitStatus) -> anyhow::Result<ExitStatus> {
        self.ended = Some(status);
        self.launch.reaper.forget(self.pid)?;
        Ok(status)
    }
}

/// Where a crash point is set.
pub(crate) const CRASH_VARIABLE: &str = "HOOKLINE_CRASH_AT";

fn pid_of(child: &Child) -> anyhow::Result<i32> {
    let id = child.id().context("a process that was just started has an id")?;
    Ok(id.cast_signed())
}

/// Where a process listens.
#[derive(Debug, Clone, Copy)]
struct Listeners {
    admin: SocketAddr,
    api: SocketAddr,
}

impl Listeners {
    fn free() -> anyhow::Result<Self> {
        let free = || anyhow::Ok(SocketAddr::from(([127, 0, 0, 1], ports::free()?)));
        Ok(Self {
            admin: free()?,
            api: free()?,
        })
    }
}

fn spawn(launch: &Launch, listeners: Listeners, extra: &[(&str, &str)]) -> anyhow::Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(&launch.log)?;
    let mut command = Command::new(&launch.binary);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKLINE_")) {
        command.env_remove(name);
    }
    command
        .args(&launch.arguments)
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .env("HOOKLINE_ADMIN__LISTEN", listeners.admin.to_string())
        .env("HOOKLINE_API__LISTEN", listeners.api.to_string())
        .envs(extra.iter().copied())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C is for whoever started us: it decides in which order what ends.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", launch.binary.display()))
}

/// The last lines of a log, and where it is.
pub(crate) fn tail(log: &Path) -> String {
    // SIGKILL may have cut a character in two.
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    format!("the end of {}:\n{}", log.display(), lines[from..].join("\n"))
}
