//! The system's look-ups. Each holds a thread until the system answers or gives up, which takes it 10 s and more when a
//! name server is silent, and nothing ends it before. So names that were slow are asked for in lanes of their own, and
//! hold up nobody else's. Only how long a name took is remembered, never what was answered: each is always asked again.

use super::slow_names::SlowNames;
use super::{Addresses, Lookup};
use parking_lot::Mutex;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A look-up that takes longer is slow. One that fails within it isn't: it holds up nobody.
const QUICK: Duration = Duration::from_secs(1);

// Look-ups at a time and lane. Together 448 threads, of the 512 that tokio has for everything that blocks.
const QUICK_PLACES: usize = 128;
const OVERTIME_PLACES: usize = 192;
const DOUBTFUL_PLACES: usize = 64;
const SLOW_PLACES: usize = 64;

/// As the system resolves names: `/etc/hosts`, search domains and all. A look-up's future must be run to its end, as
/// its thread goes on without it.
#[derive(Debug, Clone)]
pub struct SystemLookup {
    lanes: Arc<Lanes>,
}

impl Default for SystemLookup {
    /// All of a process share its lanes.
    fn default() -> Self {
        static SHARED: LazyLock<SystemLookup> = LazyLock::new(|| SystemLookup::over(Arc::new(GetAddrInfo)));
        SHARED.clone()
    }
}

impl SystemLookup {
    fn over(system: Arc<dyn Lookup>) -> Self {
        let lanes = Lanes {
            system,
            quick: Semaphore::new(QUICK_PLACES),
            overtime: Semaphore::new(OVERTIME_PLACES),
            doubtful: Semaphore::new(DOUBTFUL_PLACES),
            slow: Semaphore::new(SLOW_PLACES),
            slow_names: Mutex::default(),
        };
        Self { lanes: Arc::new(lanes) }
    }
}

impl Lookup for SystemLookup {
    fn addresses(&self, name: &str) -> Addresses {
        let (name, lanes) = (name.to_owned(), Arc::clone(&self.lanes));
        Box::pin(async move { lanes.addresses(&name).await })
    }
}

#[derive(Debug)]
struct Lanes {
    system: Arc<dyn Lookup>,
    /// Names that aren't known to be slow.
    quick: Semaphore,
    /// What began among the quick ones and isn't.
    overtime: Semaphore,
    /// Names that were slow once: a packet that is lost does that, too.
    doubtful: Semaphore,
    /// Names that were slow more than once.
    slow: Semaphore,
    slow_names: Mutex<SlowNames>,
}

impl Lanes {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let times_slow = self.slow_names.lock().times(name);
        let lane = match times_slow {
            0 => &self.quick,
            1 => &self.doubtful,
            _ => &self.slow,
        };
        let place = lane.acquire().await.map_err(io::Error::other)?;
        let mut asking = self.system.addresses(name);
        if let Ok(answer) = tokio::time::timeout(QUICK, &mut asking).await {
            // A failure says nothing: a resolver may remember for a while that a name server is silent.
            if answer.is_ok() {
                self.slow_names.lock().remove(name);
            }
            return answer;
        }
        self.slow_names.lock().add(name);
        if times_slow > 0 {
            return asking.await;
        }
        let _overtime = tokio::select! {
            answer = &mut asking => return answer,
            moved = self.overtime.acquire() => moved.map_err(io::Error::other)?,
        };
        drop(place);
        asking.await
    }
}

/// On one of tokio's threads.
#[derive(Debug)]
struct GetAddrInfo;

impl Lookup for GetAddrInfo {
    fn addresses(&self, name: &str) -> Addresses {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

#[cfg(test)]
#[path = "system/tests.rs"]
mod tests;
