//! This program started again as a process of its own, which talks JSON lines: what the receiver and the baseline are.
//! The child ends when its standard input does, however this process ends.

use std::process::Stdio;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

/// A running child; killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    asks: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program with these arguments.
    pub(crate) fn start(arguments: &[String]) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe().context("this program's own path is unknown")?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start this program again")?;
        let asks = process.stdin.take().context("standard input is piped")?;
        let answers = process.stdout.take().context("standard output is piped")?;
        Ok(Self {
            process,
            asks,
            answers: BufReader::new(answers).lines(),
        })
    }

    /// Writes a line and reads the line that answers it.
    pub(crate) async fn ask<A: DeserializeOwned>(&mut self, ask: &impl Serialize) -> anyhow::Result<A> {
        let mut line = serde_json::to_vec(ask)?;
        line.push(b'\n');
        self.asks.write_all(&line).await.context("the child has ended")?;
        self.hear().await
    }

    /// Reads a line.
    pub(crate) async fn hear<A: DeserializeOwned>(&mut self) -> anyhow::Result<A> {
        let line = self.answers.next_line().await?.context("the child has ended")?;
        serde_json::from_str(&line).with_context(|| format!("the child said {line:?}"))
    }

    /// Waits for its end by itself.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        drop(self.asks);
        let status = self.process.wait().await?;
        ensure!(status.success(), "the child ended with {status}");
        Ok(())
    }
}
