//! The receiver: its process, and the handle that a scenario holds. One listener an endpoint, as endpoints have hosts of
//! their own.

mod neighbour;
mod request;
mod server;
mod tally;

use std::io::{BufRead, Write};
use std::net::SocketAddr;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use crate::child::Child;
use server::Server;

pub(crate) use neighbour::{Manner, Neighbour};
pub(crate) use tally::Tally;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Listeners
    #[arg(long)]
    listeners: usize,
}

/// What the process is asked, a JSON line each.
#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    /// Count from zero; `secrets`: of each listener, to verify with.
    Begin { secrets: Vec<String> },
    /// Requests so far.
    Count,
    /// Everything, signatures verified.
    End,
}

/// The process: listens on free ports of 127.0.0.1, says which, and answers until its standard input ends.
pub(crate) fn serve(options: &Options) -> anyhow::Result<()> {
    let server = Server::start(options.listeners)?;
    say(&server.addresses())?;
    for line in std::io::stdin().lock().lines() {
        match serde_json::from_str(&line?)? {
            Ask::Begin { secrets } => {
                server.begin(&secrets)?;
                say(&0)?;
            }
            Ask::Count => say(&server.count())?,
            Ask::End => say(&server.end())?,
        }
    }
    Ok(())
}

fn say(answer: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, answer)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// A running receiver. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    child: Child,
    addresses: Vec<SocketAddr>,
}

impl Receiver {
    /// Starts the process.
    pub(crate) async fn start(listeners: usize) -> anyhow::Result<Self> {
        let mut child = Child::start(&["receiver".to_owned(), format!("--listeners={listeners}")])?;
        let addresses: Vec<SocketAddr> = child.hear().await?;
        ensure!(addresses.len() == listeners, "the receiver has too few listeners");
        Ok(Self { child, addresses })
    }

    /// The URL of a listener.
    pub(crate) fn url(&self, listener: usize) -> String {
        format!("http://{}/hook", self.addresses[listener])
    }

    /// Counts from zero. `secrets`: of the listeners from the first on; what comes to others is a bad signature.
    pub(crate) async fn begin(&mut self, secrets: Vec<String>) -> anyhow::Result<()> {
        let _: u64 = self.child.ask(&Ask::Begin { secrets }).await?;
        Ok(())
    }

    /// Requests so far.
    pub(crate) async fn count(&mut self) -> anyhow::Result<u64> {
        self.child.ask(&Ask::Count).await
    }

    /// What came since [`Receiver::begin`].
    pub(crate) async fn end(&mut self) -> anyhow::Result<Tally> {
        self.child.ask(&Ask::End).await
    }
}
