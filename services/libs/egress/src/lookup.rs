//! What addresses a name has. A name that several requests wait for is asked for once, so that one which is never
//! answered holds one look-up, not one for each request. Nothing is judged here, and how many look-ups
//! the system does at a time is `system`'s to say.

mod slow_names;
mod system;

pub use system::SystemLookup;

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Where names' addresses come from.
pub trait Lookup: fmt::Debug + Send + Sync {
    /// All addresses of the name. None is an error too.
    fn addresses(&self, name: &str) -> Addresses;
}

/// The addresses to come.
pub type Addresses = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// At least one address, or why there is none.
pub(crate) type Answer = Result<Arc<[IpAddr]>, Arc<str>>;
type Flight = watch::Receiver<Option<Answer>>;

/// Look-ups shared by all who ask for the same name. Cheap to clone.
///
/// Sharing doesn't weaken invariant 4: each who waits judges the answer by itself and connects to nothing else, so it
/// doesn't matter who asked first, or when the name server answered.
#[derive(Debug, Clone)]
pub(crate) struct SharedLookups {
    lookup: Arc<dyn Lookup>,
    kept: Duration,
    flights: Arc<Mutex<HashMap<Box<str>, Flight>>>,
}

impl SharedLookups {
    /// Answers are handed out again for as long as `kept` after they came; zero: only to those who already wait.
    pub(crate) fn new(lookup: Arc<dyn Lookup>, kept: Duration) -> Self {
        Self {
            lookup,
            kept,
            flights: Arc::default(),
        }
    }

    /// Dropping the future doesn't end the look-up: others may wait for it.
    pub(crate) async fn addresses(&self, name: &str) -> Answer {
        let mut flight = self.join(name);
        match flight.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(answer)) => answer.clone(),
            _ => Err("the look-up ended without an answer".into()),
        }
    }

    fn join(&self, name: &str) -> Flight {
        let mut flights = self.flights.lock();
        // One whose sender is gone ended by a panic.
        if let Some(flight) = flights.get(name).filter(|flight| flight.has_changed().is_ok()) {
            return flight.clone();
        }
        let (answered, flight) = watch::channel(None);
        flights.insert(name.into(), flight.clone());
        tokio::spawn(self.clone().fly(name.into(), answered));
        flight
    }

    async fn fly(self, name: Box<str>, answered: watch::Sender<Option<Answer>>) {
        let answer = match self.lookup.addresses(&name).await {
            Ok(found) if found.is_empty() => Err("it has no address".into()),
            Ok(found) => Ok(found.into()),
            Err(error) => Err(error.to_string().into()),
        };
        answered.send_replace(Some(answer));
        if !self.kept.is_zero() {
            tokio::time::sleep(self.kept).await;
        }
        self.flights.lock().remove(&name);
    }
}

#[cfg(test)]
#[path = "lookup/tests.rs"]
mod tests;
