//! One Kafka node by Docker Compose, from the repository's own `docker-compose.yml`, under a project name and a port of
//! its own, so that it meets neither a Kafka that a developer keeps running nor another test's.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::ports;
use crate::reaper::Reaper;

const FILE: &str = include_str!("../../../../docker-compose.yml");

/// A running project; dropping it takes the project down.
#[derive(Debug)]
pub(crate) struct Compose {
    bootstrap: String,
    _reaper: Reaper,
}

impl Compose {
    /// Whether a Docker daemon answers and has the compose plugin.
    pub(crate) fn daemon_answers() -> bool {
        let succeeds = |arguments: &[&str]| {
            let mut command = Command::new("docker");
            command
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        succeeds(&["info"]) && succeeds(&["compose", "version"])
    }

    /// Brings the project up and waits for its health check.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let port = ports::free(1)?[0];
        let project = format!("hookline-{port}");
        let take_down = ["docker", "compose", "--project-name", &project, "down", "--volumes"];
        let reaper = Reaper::start(&take_down.map(OsString::from))?;
        let mut up = Command::new("docker")
            .args([
                "compose",
                "--file",
                "-",
                "--project-name",
                &project,
                "up",
                "--detach",
                "--wait",
                "kafka",
            ])
            .env("HOOKLINE_KAFKA_PORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::from(std::io::stderr()))
            .spawn()?;
        up.stdin
            .take()
            .context("docker's standard input is piped")?
            .write_all(FILE.as_bytes())?;
        let status = up.wait()?;
        ensure!(status.success(), "docker compose up ended with {status}");
        Ok(Self {
            bootstrap: format!("127.0.0.1:{port}"),
            _reaper: reaper,
        })
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }
}
