//! One broker process: formatting its storage, starting, signalling and ending it. Waiting for its answer is the
//! cluster's business.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::properties::{self, Address};
use crate::reaper::Reaper;

/// Java and Kafka's jars, and how much memory a node may take.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    pub(crate) java: PathBuf,
    pub(crate) jars: PathBuf,
    pub(crate) jvm_options: &'static [&'static str],
}

/// A node of the cluster, running or not.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) address: Address,
    installation: Installation,
    dir: PathBuf,
    process: Mutex<Option<Child>>,
}

impl Node {
    /// Writes the node's files into `dir`, which it makes.
    pub(crate) fn prepare(
        installation: Installation,
        dir: PathBuf,
        address: Address,
        all: &[Address],
        extra: &[(String, String)],
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let text = properties::render(&address, all, &dir.join("data"), extra);
        std::fs::write(dir.join("server.properties"), text)?;
        std::fs::write(dir.join("log4j2.properties"), properties::LOG4J)?;
        Ok(Self {
            address,
            installation,
            dir,
            process: Mutex::new(None),
        })
    }

    /// Starts formatting the node's storage; the caller waits for the process.
    pub(crate) fn format(&self, cluster_id: &str, all: &[Address]) -> anyhow::Result<Child> {
        let mut command = self.java(&["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.args(["kafka.tools.StorageTool", "format", "-t", cluster_id]);
        command
            .args(properties::format_arguments(all))
            .args(["-c", "server.properties"]);
        Ok(command.spawn()?)
    }

    /// Starts the broker and hands it to the reaper. An error when it is running already.
    pub(crate) fn spawn(&self, reaper: &Reaper) -> anyhow::Result<()> {
        let mut process = self.process();
        ensure!(process.is_none(), "node {} is running already", self.address.node_id);
        let mut command = self.java(self.installation.jvm_options);
        let mut child = command.args(["kafka.Kafka", "server.properties"]).spawn()?;
        if let Err(error) = reaper.watch(child.id().cast_signed()) {
            child.kill()?;
            child.wait()?;
            return Err(error);
        }
        *process = Some(child);
        Ok(())
    }

    /// SIGKILL, and waits for the process to be gone. Nothing when it isn't running.
    pub(crate) fn kill(&self, reaper: &Reaper) -> anyhow::Result<()> {
        if let Some(mut child) = self.process().take() {
            child.kill()?;
            child.wait()?;
            reaper.forget(child.id().cast_signed())?;
        }
        Ok(())
    }

    /// Sends `signal` to the running process.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let Some(pid) = self.process().as_ref().map(|child| child.id().cast_signed()) else {
            bail!("node {} is not running", self.address.node_id);
        };
        signal::kill(Pid::from_raw(pid), signal).with_context(|| format!("cannot send {signal} to {pid}"))
    }

    /// How the process ended, when it has ended by itself.
    pub(crate) fn ended(&self) -> anyhow::Result<Option<ExitStatus>> {
        match self.process().as_mut() {
            Some(child) => Ok(child.try_wait()?),
            None => bail!("node {} is not running", self.address.node_id),
        }
    }

    /// Whether a process was started and not killed by us.
    pub(crate) fn is_running(&self) -> bool {
        self.process().is_some()
    }

    /// The end of what the node printed, for an error message.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    fn java(&self, jvm_options: &[&str]) -> Command {
        let mut command = Command::new(&self.installation.java);
        command
            .args(jvm_options)
            .arg("-Dlog4j2.configurationFile=log4j2.properties")
            .arg("-cp")
            .arg(self.installation.jars.join("*"))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            // A group of its own: Ctrl-C ends what uses the broker first, and then the broker.
            .process_group(0);
        if let Some((out, error)) = self.log_file() {
            command.stdout(out).stderr(error);
        }
        command
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    fn log_file(&self) -> Option<(File, File)> {
        let file = open_for_append(&self.log_path()).ok()?;
        Some((file.try_clone().ok()?, file))
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_for_append(path: &Path) -> std::io::Result<File> {
    File::options().create(true).append(true).open(path)
}
